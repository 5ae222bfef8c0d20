"""What is said of sheets, of what other systems list and of networks that were looked over, in Vietnamese and English."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.core.words import Language
from monitor.yamlfile import Problem

SHOWN = 60
"""Signs of a cell that a message shows."""


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence."""

    saying: str
    """Which of them."""
    words: Mapping[str, object] = field(default_factory=dict)
    """What stands in it: texts, sentences of their own, or texts by language."""

    def text(self, language: Language) -> str:
        """In one language."""
        return SAYINGS[language][self.saying].format_map({key: _in(each, language) for key, each in self.words.items()})

    def __str__(self) -> str:
        return self.text("en")


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong, where, and what to do."""

    at: str
    saying: str
    words: Mapping[str, object] = field(default_factory=dict)

    def text(self, language: Language) -> str:
        """One line."""
        return f"{self.at}: {Said(self.saying, self.words).text(language)}"

    def __str__(self) -> str:
        return self.text("en")


def placed(problem: Problem, at: str) -> Mistake:
    """A problem of the files, told elsewhere, and in words of our own where there are some."""
    if problem.saying:
        close = problem.words.get("close", ())
        words = {**problem.words, "near": near(close, ()) if isinstance(close, list) else ""}
        return Mistake(at, problem.saying, words)
    message = f"{problem.message}; {problem.hint}" if problem.hint else problem.message
    return Mistake(at, "check", {"message": message})


def in_words(each: Mistake | Problem, language: Language) -> str:
    """One line."""
    return (each if isinstance(each, Mistake) else placed(each, each.place)).text(language)


def said(saying: str, **words: object) -> Said:
    """A sentence with its words."""
    return Said(saying, words)


def listed(parts: Sequence[object], between: str | Said = ", ") -> Mapping[str, str]:
    """Several one after the other, by language."""
    languages: tuple[Language, ...] = ("vi", "en")
    return {each: _in(between, each).join(_in(part, each) for part in parts) for each in languages}


def _in(word: object, language: Language) -> str:
    if isinstance(word, Said):
        return word.text(language)
    return str(word[language] if isinstance(word, Mapping) else word)


def cut(value: object) -> str:
    """A cell for a message, on one line."""
    text = " ".join("".join(each if each.isprintable() else " " for each in str(value)[: 4 * SHOWN]).split())
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def known(words: Sequence[str], most: int = 12) -> str:
    """The first of a list, for a message."""
    return ", ".join(f"`{each}`" for each in words[:most]) + (", …" if len(words) > most else "")


def like(name: str, known: Iterable[str]) -> Mapping[str, str]:
    """What was meant by a name that is none, by language; behind a `{near}`."""
    return near(difflib.get_close_matches(name, known, n=3, cutoff=0.6), ())


def near(close: Sequence[str], words: Sequence[str]) -> Mapping[str, str]:
    """What was meant, or what there is, by language; behind a `{near}`."""
    if close:
        meant = known(close)
        return {"vi": f"; có phải là {meant}?", "en": f"; did you mean {meant}?"}
    listed = known(words)
    return {"vi": f"; có: {listed}", "en": f"; there is: {listed}"} if words else {"vi": "", "en": ""}


SAYINGS: Mapping[str, Mapping[str, str]] = {
    "vi": {
        # of a file
        "unreadable": "không đọc được: {why}",
        "too-large": "lớn hơn {limit} MiB{packed}; hãy tách thành nhiều tệp, hoặc xóa các trang và hình không cần",
        "no-xlsx": "không phải tệp Excel .xlsx ({why}); hãy mở bằng Excel hoặc LibreOffice và lưu lại dạng .xlsx",
        "old-xls": "là tệp Excel đời cũ (.xls) hoặc có mật khẩu; hãy lưu lại dạng .xlsx, không đặt mật khẩu",
        "coding": "không rõ bảng mã chữ; hãy lưu dạng `CSV UTF-8`, hoặc cho biết bảng mã bằng --encoding",
        "not-coded": "không đọc được theo bảng mã {given}",
        "no-csv": "không phải tệp CSV ({why})",
        "rows": "có hơn {limit} dòng; hãy xóa các dòng thừa",
        "cells": "có hơn {limit} ô; hãy xóa các trang và cột không cần",
        "no-table": "không có trang nào có dòng tiêu đề nhận ra được; cần có ít nhất: {wanted}",
        "two-tables": "trang này cũng là bảng `{table}`, đã có ở trang `{first}`; hãy xóa một trong hai",
        "nothing-left": "với --remove, bảng này sẽ xóa tất cả {n} địa điểm; không làm",
        # of a heading
        "heading-like": "không rõ cột `{given}`; có phải là `{near}`?",
        "heading-twice": "cột `{given}` đã có ở cột {first}; hãy xóa một trong hai",
        # of a cell
        "formula": "`{given}` là công thức; hãy dán lại dạng giá trị (Paste Special → Values)",
        "like-formula": "`{given}` bắt đầu bằng `{sign}`, bảng tính sẽ hiểu là công thức; hãy bỏ ký tự đó, nếu không có dữ liệu thì để trống ô",
        "broken": "`{given}` là lỗi của bảng tính; hãy gõ lại giá trị",
        "date": "Excel đã đổi ô này thành ngày giờ ({given}); hãy định dạng ô là Văn bản (Text) rồi gõ lại, ví dụ `{example}`",
        "boolean": "`{given}` là giá trị đúng/sai; cần chữ, ví dụ `{example}`",
        "number": "`{given}` là số; hãy định dạng ô là Văn bản (Text) rồi gõ lại đủ số 0 ở đầu, ví dụ `{example}`",
        "zeros": "`{given}` ngắn hơn các mã khác ({digits} chữ số): có thể Excel đã bỏ số 0 ở đầu; hãy gõ dạng văn bản, ví dụ `{example}`",
        "control": "có ký tự điều khiển trong `{given}`; hãy gõ lại",
        "too-long": "`{given}` dài hơn {limit} ký tự",
        "missing": "không được để trống; ví dụ `{example}`",
        "id": "`{given}` không dùng làm mã được: chỉ chữ thường không dấu, số và gạch ngang, ví dụ `{example}`",
        "address": "`{given}` không phải là địa chỉ IP; ví dụ `{example}`",
        "bandwidth": "`{given}` không phải là băng thông; ghi số Mbps, hoặc kèm đơn vị: 512 kbps, 20 Mbps, 1 Gbps",
        "degrees": "`{given}` không phải là tọa độ theo độ thập phân; ví dụ `{example}`",
        "half": "cần cả vĩ độ và kinh độ, hoặc để trống cả hai",
        "choice": "`{given}` không có trong danh sách{near}",
        "site": "không có xã, phường nào là `{given}`{near}",
        "site-twice": "có nhiều nơi tên `{given}`: {sites}; hãy ghi mã định danh",
        "unknown": "`{given}` không có trong khai báo{near}",
        "target": "`{given}` không có trong hệ thống{near}",
        "twice": "`{given}` đã có ở dòng {row}; nếu là xã hoặc thiết bị mới thì mã phải khác (xã mới: để trống mã định danh)",
        "only-name": "dòng này chỉ có tên `{given}`; xã mới thì hãy điền mã hành chính và các đường truyền, không phải xã thì hãy xóa dòng",
        "swapped": "`{given}` không phải là {what}; có phải vĩ độ và kinh độ bị đổi chỗ?",
        "phone": "`{given}` không phải là số điện thoại; hãy ghi chữ số, ví dụ `{example}`, không có thì để trống ô",
        "lost-zero": "`{given}` thiếu số 0 ở đầu; ví dụ `{example}`",
        "nothing-to-say": "`{given}`: không có dữ liệu thì hãy để trống ô",
        "code-form": "`{given}` khác dạng các mã khác ({digits} chữ số)",
        "code-of": "mã `{given}` đã thuộc về `{site}`; sai mã, hay chỉ một phần các cột được sắp xếp? Nếu địa điểm đó đổi mã định danh thì ghi `formerly` trong YAML",
        "name-of": "`{given}` đã có với mã định danh `{site}`; hãy ghi mã đó, hoặc một mã khác nếu là nơi khác",
        "word": "mẫu `{template}` cần `{word}` mà không ô nào cho biết; hãy điền cột `{heading}`{example}",
        "makes": "không được để trống, vì mẫu `{template}` dùng để đặt {makes}; ví dụ `{example}`",
        "profile": "chưa rõ đường truyền `{name}` thuộc loại nào, vì chưa nơi nào có; hãy thêm vào YAML",
        "not-written": "không ghi được thành `{given}`, vì mẫu hoặc tham số cho giá trị khác; hãy sửa trong YAML",
        # of the whole
        "no-host": "`{given}` không phải là địa chỉ của một thiết bị; hãy ghi địa chỉ riêng của nó",
        "outside": "{given} nằm ngoài mạng của địa điểm ({networks}); hãy sửa địa chỉ, hoặc khai báo mạng này ở `networks` của địa điểm trong YAML",
        "edge": "{given} là địa chỉ mạng hoặc địa chỉ quảng bá; hãy ghi địa chỉ của thiết bị",
        "address-of": "địa chỉ {given} đã thuộc về `{target}`; mỗi bên phải có địa chỉ riêng",
        "no-address": "loại `{profile}` cần có địa chỉ IP; hãy điền địa chỉ",
        "ring": "nối thành vòng tròn: {ring}; hãy sửa cột `Nối qua` của một trong số đó",
        "check": "{message}",
        # what is no mistake
        "new-site": "địa điểm mới `{site}`, theo mẫu `{template}`",
        "told-by-row": "`{site}`, suy ra từ các ô khác: {given}",
        "circuit-of": "mã kênh `{given}` đã là của `{target}`; hãy hỏi lại nhà cung cấp",
        "area-new": "khu vực `{given}` chưa địa điểm nào có{near}",
        "far": "{given} cách mọi địa điểm khác hơn một độ (khoảng 100 km); hãy kiểm tra lại tọa độ",
        "by-template": "`{site}`, không ai ghi nên lấy theo mẫu, hãy kiểm tra lại: {given}",
        "coded": "đọc theo bảng mã {given}",
        "no-record": "tệp không kèm nội dung lúc xuất (CSV, hoặc bảng chép sang tệp khác) nên được so với khai báo hiện tại: ai sửa trước sau không rõ; ô trống chỉ xóa thông tin riêng của địa điểm",
        "changed-since": "lúc xuất là `{was}`, trong hệ thống đã đổi thành `{now}`; bảng ghi `{given}` nên lấy theo bảng",
        "gone-since": "{n} dòng không còn trong hệ thống từ sau khi xuất, bỏ qua: {given}",
        "word-loses": "`{given}` trái với ô {cell} (`{said}`), nên lấy theo ô đó",
        "unread": "không đọc các cột {given}",
        "sites-stay": "{n} địa điểm không có trong bảng, vẫn giữ nguyên: {given} (--remove để xóa)",
        "devices-stay": "{n} thiết bị không có trong bảng, vẫn giữ nguyên: {given} (--remove để xóa)",
        "lines-stay": "{n} đường truyền bị để trống trong bảng, vẫn giữ nguyên: {given} (--remove để xóa)",
        # of what other systems list, and of a network that was looked over
        "left-out": "bỏ qua: {why}",
        "not-keyed": "cần các khóa kèm giá trị",
        "no-targets": "không có `targets`",
        "disabled": "{name} đã bị tắt trong {system}",
        "in-state": "{name} đang ở trạng thái {state} trong {system}",
        "added": "Mới ({n}):",
        "addition": "{id} {address}: loại {profile}, vì {why}",
        "is": "là {found}",
        "behind": "nối qua {behind}",
        "sites-added": "Địa điểm mới ({n}):",
        "left": "Không lấy ({n}):",
        "and-more": "và {n} mục nữa",
        "unplaced": "Nơi không khớp địa điểm nào ({n}); nơi nào là địa điểm đã có thì ghi --site NƠI=MÃ:",
        "place": "{place} ({n} thiết bị){near}",
        "meant": "; có phải là {near}?",
        "or": " hoặc ",
        "and": " và ",
        "known": "Đã có, giữ nguyên ({n}):",
        "summary": "{added} mới, {known} đã có, {left} không lấy",
        "one-page": "mới là một trang trong {n} thiết bị; trang sau là {next}: hãy ghi thêm tệp của trang đó",
        "called": "{name} ({source})",
        "nameless": "thiết bị không tên",
        "same-address": "{source} có cùng địa chỉ",
        "its-address": "địa chỉ của nó",
        "any-of": "{place} có thể là một trong các nơi {sites}",
        "no-site": "không có địa điểm `{site}`{near}",
        "out-of-site": "{address} nằm ngoài mạng của {site} ({networks}); hãy khai báo mạng của nó ở địa điểm đó, hoặc cho biết nó ở địa điểm nào",
        "of-network": "{address} là địa chỉ của mạng, không phải của thiết bị",
        "by-address": "ở {site}, vì địa chỉ thuộc {networks}",
        "one-new-site": "{one} và {other} sẽ thành cùng một địa điểm mới `{id}`; hãy tự khai báo trước một trong hai",
        "not-called": "không địa điểm nào tên là {named}",
        "not-placed": "không cho biết nó ở địa điểm nào",
        "other-kind": "{why}, nhưng loại này không thuộc nhóm {kind}",
        "fits": "{told} phù hợp",
        "object-id": "sysObjectID {text}",
        "description": "mô tả {text}",
        "is-called": "nó được gọi là {name}",
        "has-name": "tên của nó là {name}",
        "as-well": "cũng có thể là: {names}",
        "no-profile": "không loại nào phù hợp: {told}; hãy thêm `fits` vào loại (profile) dành cho nó",
        "no-kind": "không rõ nó thuộc nhóm nào",
        "no-such-kind": "{why}, nhưng không loại nào thuộc nhóm {kind}",
        "there-is": "đã có {id}{at}: đây là thiết bị khác?",
        "at-address": ", địa chỉ {address}",
        "hangs-lost": "nối vào {name}, ở đây không có",
        "hangs-several": "nối vào {name}, có thể là một trong nhiều thiết bị",
        "no-number": "`{given}` không phải là địa chỉ; thiết bị được hỏi theo địa chỉ IP",
        "untold": "không cho biết địa chỉ; thiết bị được hỏi theo địa chỉ IP",
        "of-no-host": "{address} không phải là địa chỉ của một thiết bị",
        "link-local": "{address} chỉ tới được từ trong mạng của nó",
        "looked": "{name} ({id}), {ranges}: trong {n} địa chỉ IPv4, tìm thấy {found} thiết bị",
        "to-add": "Để thêm vào khai báo:",
        "columns": "địa chỉ|tên|tự nhận là|nối vào|căn cứ",
        "sure-root": "bộ định tuyến của địa điểm",
        "sure-both": "cả hai báo như vậy qua LLDP",
        "sure-one": "một trong hai báo như vậy qua LLDP",
        "sure-table": "theo bảng địa chỉ của bộ chuyển mạch",
        "sure-not": "không có gì cho biết",
        "only-echo": "chỉ trả lời echo",
        "also": "{address} cũng trả lời ở {others}",
        "silent": "không trả lời, dù đã khai báo: {target} {address}",
        "unseen": "chưa thấy trực tiếp: {name}{at}, do {by} cho biết ở cổng {port}",
        "neighbour": "một thiết bị láng giềng",
        "at": " tại {addresses}",
        "no-router": "chưa biết bộ định tuyến của địa điểm, nên LLDP không cho biết thiết bị nào nối vào đâu",
        "otherwise": "{target} được khai báo nối qua {written}, nhưng thực tế nối vào {parents} ({sure})",
        "nothing": "không gì cả",
        "unread": "bí mật chưa đọc được ở đây, mà --go cần",
        "not-sent": "chưa gửi gì; thêm --go để thực hiện",
        "not-whole": "chưa đủ: {why}{written}",
        "so-not-written": "; không có gì được ghi",
        "too-long-look": "quá {minutes} phút",
        "stopped": "đã bị dừng",
        "echoing": "gửi echo đến {n} địa chỉ",
        "asking": "{n} địa chỉ trả lời; đang hỏi qua SNMP",
        "knocking": "thử các cổng TCP của {n} địa chỉ",
        "no-echo": "không echo nào gửi được: {why}",
        "no-networks": "chưa khai báo mạng nào của {site} nên không được gửi gì; hãy ghi `networks: [10.64.17.0/24]` (mạng của nó) ở địa điểm đó",
        "too-many": "{ranges} có {n} địa chỉ, mà mỗi lần chỉ quét tối đa {most} (một /22): quét nhiều hơn thì nặng đường truyền và lâu; hãy chọn từng phần bằng --range",
        "no-network": "`{given}` không phải là mạng: hãy ghi như 10.64.17.0/24, hoặc một địa chỉ như 10.64.17.5/32",
        "not-inside": "{range} không nằm trong mạng của địa điểm ({networks}): hãy khai báo ở `networks` trước",
        "scope-echo": "echo: {n} địa chỉ, mỗi địa chỉ không trả lời được hỏi tối đa {times} lần, {rate} gói mỗi giây ({kilobits} kbit/s mỗi chiều): {seconds} s",
        "scope-six": "IPv6: không quét, vì một /64 có 2⁶⁴ địa chỉ; chỉ hỏi {n} địa chỉ đã khai báo ở đó và những gì láng giềng cho biết qua LLDP",
        "scope-snmp": "SNMP, với thiết bị trả lời: {name}, cổng UDP {port}, tối đa {seconds} s mỗi thiết bị{clear}",
        "in-clear": "; community được gửi không mã hóa đến mọi thiết bị trả lời",
        "scope-no-snmp": "SNMP: không hỏi, vì không loại nào đang dùng có community hoặc user",
        "scope-ports": "cổng TCP, với thiết bị mà SNMP không cho biết loại: {ports}",
        "scope-ends": "kết thúc chậm nhất sau {minutes} phút, với những gì đã có",
        "skip": "--skip {given}: ở đó không có địa chỉ hay tên này",
        "site-option": "--site {given}: hãy ghi NƠI=MÃ",
        "no-site-option": "--site {given}: không có địa điểm `{site}`{near}",
    },
    "en": {
        "unreadable": "cannot be read: {why}",
        "too-large": "larger than {limit} MiB{packed}; split it, or take out sheets and pictures that are not needed",
        "no-xlsx": "not an Excel file .xlsx ({why}); open it in Excel or LibreOffice and save it as .xlsx",
        "old-xls": "an old Excel file (.xls), or one with a password; save it as .xlsx without a password",
        "coding": "its letters are coded in a way that cannot be told for sure; save it as `CSV UTF-8`, or say how with --encoding",
        "not-coded": "not coded as {given}",
        "no-csv": "not CSV ({why})",
        "rows": "more than {limit} rows; delete those that are not needed",
        "cells": "more than {limit} cells; delete sheets and columns that are not needed",
        "no-table": "no sheet has a row of headings that is known; wanted are at least: {wanted}",
        "two-tables": "another sheet with the table `{table}`, which is in the sheet `{first}` already; delete one of the two",
        "nothing-left": "with --remove this would take out all {n} sites; not done",
        "heading-like": "no column is called `{given}`; did you mean `{near}`?",
        "heading-twice": "the column `{given}` is in {first} already; delete one of the two",
        "formula": "`{given}` is a formula; paste it as a value (Paste Special → Values)",
        "like-formula": "`{given}` begins with `{sign}`, which a spreadsheet takes for a formula; leave that out, and the cell empty where there is nothing to say",
        "broken": "`{given}` is an error of the spreadsheet; type the value",
        "date": "Excel made a date or time of it ({given}); format the cell as Text and type it again, such as `{example}`",
        "boolean": "`{given}` is true or false, and text is expected, such as `{example}`",
        "number": "`{given}` is a number; format the cell as Text and type it again with its leading zeros, such as `{example}`",
        "zeros": "`{given}` is shorter than other codes ({digits} digits): Excel may have taken leading zeros away; type it as text, such as `{example}`",
        "control": "a control character in `{given}`; type it again",
        "too-long": "`{given}` is longer than {limit} characters",
        "missing": "must not be empty; such as `{example}`",
        "id": "`{given}` is no id: small letters, digits and hyphens, such as `{example}`",
        "address": "`{given}` is not an IP address; such as `{example}`",
        "bandwidth": "`{given}` is no bandwidth; write Mbit/s, or with its unit: 512 kbps, 20 Mbps, 1 Gbps",
        "degrees": "`{given}` is no angle in decimal degrees; such as `{example}`",
        "half": "write both latitude and longitude, or neither",
        "choice": "`{given}` is not in the list{near}",
        "site": "no site is `{given}`{near}",
        "site-twice": "several sites are called `{given}`: {sites}; write the id",
        "unknown": "there is no `{given}`{near}",
        "target": "there is no `{given}`{near}",
        "twice": "`{given}` is in row {row} already; what is new needs an id of its own (a new site: none)",
        "only-name": "this row holds the name `{given}` and no more; of a new site write its code and its lines, what is no site delete",
        "swapped": "`{given}` is no {what}; are latitude and longitude swapped?",
        "phone": "`{given}` is no telephone number; write digits, such as `{example}`, and leave the cell empty where there is none",
        "lost-zero": "`{given}` lacks its leading 0; such as `{example}`",
        "nothing-to-say": "`{given}`: leave the cell empty where there is nothing to say",
        "code-form": "`{given}` has another form than other codes ({digits} digits)",
        "code-of": "the code `{given}` is that of `{site}`; is it wrong, or were only some of the columns sorted? If that site got another id, write `formerly` in the YAML",
        "name-of": "`{given}` is there already with the id `{site}`; write that id, or another one if it is another site",
        "word": "the template `{template}` wants `{word}`, which no cell tells; fill in the column `{heading}`{example}",
        "makes": "must not be empty, for the template `{template}` makes {makes} of it; such as `{example}`",
        "profile": "of which profile the line `{name}` is, nothing tells, for no site has one; add it to the YAML",
        "not-written": "cannot be made `{given}`, for the template or its words give another value; change the YAML",
        "no-host": "`{given}` is no address of one host; write its own address",
        "outside": "{given} is outside of the site's networks ({networks}); mend the address, or name its network in `networks` of the site",
        "edge": "{given} is the network's own or its broadcast address; write that of the host",
        "address-of": "address {given} already belongs to {target}; give one of the two its own",
        "no-address": "the profile `{profile}` needs an address; fill it in",
        "ring": "goes round in a ring: {ring}; mend what one of them is behind",
        "check": "{message}",
        "new-site": "the new site `{site}`, like `{template}`",
        "told-by-row": "`{site}`, told by other cells: {given}",
        "circuit-of": "the circuit `{given}` is already that of `{target}`; ask the provider which it is",
        "area-new": "no site has the area `{given}` yet{near}",
        "far": "{given} is more than one degree (some 100 km) from all other sites; look at latitude and longitude again",
        "by-template": "`{site}`, written by nobody and so from the template, to be looked at: {given}",
        "coded": "read as {given}",
        "no-record": "does not carry what was exported (CSV, or a table copied elsewhere), so it is held against the inventory: who changed what later is not known; an empty cell takes away only what is the site's own",
        "changed-since": "was `{was}` when it was exported, and is `{now}` here since; the sheet says `{given}`, which is taken",
        "gone-since": "{n} rows were taken out of the inventory since the export, and are left out: {given}",
        "word-loses": "`{given}` contradicts {cell} (`{said}`), which is taken",
        "unread": "columns that are not read: {given}",
        "sites-stay": "{n} sites are not in the sheet, and stay: {given} (--remove takes them out)",
        "devices-stay": "{n} devices are not in the sheet, and stay: {given} (--remove takes them out)",
        "lines-stay": "{n} lines are empty in the sheet, and stay: {given} (--remove takes them out)",
        "left-out": "left out: {why}",
        "not-keyed": "expected keys with values",
        "no-targets": "no `targets`",
        "disabled": "{name} is disabled in {system}",
        "in-state": "{name} is {state} in {system}",
        "added": "New ({n}):",
        "addition": "{id} {address}: profile {profile}, for {why}",
        "is": "is {found}",
        "behind": "behind {behind}",
        "sites-added": "New sites ({n}):",
        "left": "Not taken ({n}):",
        "and-more": "and {n} more",
        "unplaced": "Places that are no site ({n}); say --site PLACE=ID for those that are one:",
        "place": "{place} (devices: {n}){near}",
        "meant": "; did you mean {near}?",
        "or": " or ",
        "and": " and ",
        "known": "Known already, and left as they are ({n}):",
        "summary": "{added} new, {known} known already, {left} not taken",
        "one-page": "one page of {n} devices; the next is {next}: name its file as well",
        "called": "{name} ({source})",
        "nameless": "something without a name",
        "same-address": "{source} has the same address",
        "its-address": "its address",
        "any-of": "{place} may be any of {sites}",
        "no-site": "there is no site `{site}`{near}",
        "out-of-site": "{address} is outside of the networks of {site} ({networks}); name its network at the site, or say which site it is at",
        "of-network": "{address} is the address of a network, not of a host",
        "by-address": "at {site}, for its address is in {networks}",
        "one-new-site": "{one} and {other} would be one new site, `{id}`; write one of the two by hand first",
        "not-called": "no site is called {named}",
        "not-placed": "it is not told at which site it is",
        "other-kind": "{why}, but the profile is not of kind {kind}",
        "fits": "what fits is its {told}",
        "object-id": "sysObjectID {text}",
        "description": "description {text}",
        "is-called": "it is called {name}",
        "has-name": "its name is {name}",
        "as-well": "as well could be: {names}",
        "no-profile": "no profile fits: {told}; add `fits` to the profile that it should have",
        "no-kind": "its kind is not known",
        "no-such-kind": "{why}, but no profile is of kind {kind}",
        "there-is": "there is {id} already{at}: is it another one?",
        "at-address": ", at {address}",
        "hangs-lost": "hangs on {name}, which nothing here is",
        "hangs-several": "hangs on {name}, which may be several",
        "no-number": "`{given}` is no address; equipment is asked by its number",
        "untold": "no address is told; equipment is asked by its number",
        "of-no-host": "{address} is no address of one host",
        "link-local": "{address} can only be reached from its own network",
        "looked": "{name} ({id}), {ranges}: of {n} addresses of IPv4, devices found: {found}",
        "to-add": "To add to the inventory:",
        "columns": "address|name|what it says|hangs on|how sure",
        "sure-root": "the router of the site",
        "sure-both": "both say so by LLDP",
        "sure-one": "one of the two says so by LLDP",
        "sure-table": "by the switch's address table",
        "sure-not": "nothing tells",
        "only-echo": "answers an echo, no more",
        "also": "{address} answers at {others} too",
        "silent": "silent, though the inventory has it: {target} {address}",
        "unseen": "not seen itself: {name}{at}, of which {by} tells at its port {port}",
        "neighbour": "a neighbour",
        "at": " at {addresses}",
        "no-router": "no router of the site is known, so nothing tells by LLDP what hangs on what",
        "otherwise": "{target} is behind {written} in the inventory, and hangs on {parents} ({sure})",
        "nothing": "nothing",
        "unread": "a secret that cannot be read here, and --go needs",
        "not-sent": "nothing was sent; say --go to do it",
        "not-whole": "not the whole: {why}{written}",
        "so-not-written": "; nothing is written",
        "too-long-look": "it took longer than {minutes} min",
        "stopped": "it was stopped",
        "echoing": "echo to {n} addresses",
        "asking": "{n} answer; asking by SNMP",
        "knocking": "knocking at TCP ports of {n}",
        "no-echo": "no echo gets through: {why}",
        "no-networks": "the inventory names no network of {site}, so nothing may be sent; write `networks: [10.64.17.0/24]` (its own) at the site",
        "too-many": "{ranges} are {n} addresses, and at most {most} (a /22) are looked at in one go: a larger sweep loads the line and takes long; choose parts with --range",
        "no-network": "`{given}` is not a network: write it such as 10.64.17.0/24, or one address as 10.64.17.5/32",
        "not-inside": "{range} is not inside of the site's networks ({networks}): name it in `networks` first",
        "scope-echo": "echo: {n} addresses, up to {times} times each where nothing answers, {rate} packets a second ({kilobits} kbit/s each way): {seconds} s",
        "scope-six": "IPv6: no sweep, for a /64 has 2⁶⁴ addresses; only the {n} that the inventory has there and what neighbours tell of by LLDP",
        "scope-snmp": "SNMP, of what answers: {name}, UDP port {port}, up to {seconds} s each{clear}",
        "in-clear": "; a community goes in clear to all that answers",
        "scope-no-snmp": "SNMP: nothing, for no profile in use names a community or user",
        "scope-ports": "TCP ports of what SNMP does not tell the kind of: {ports}",
        "scope-ends": "ends after {minutes} min at the latest, with what it has",
        "skip": "--skip {given}: nothing there has this address or name",
        "site-option": "--site {given}: write PLACE=ID",
        "no-site-option": "--site {given}: there is no site `{site}`{near}",
    },
}  # fmt: skip
