"""What is said of sheets, of what other systems list and of networks that were looked over, in Vietnamese and English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from monitor.core.words import Language

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
        "target": "`{given}` không có trong hệ thống{near}",
        "twice": "`{given}` đã có ở dòng {row}",
        "code-of": "mã `{given}` đã thuộc về `{site}`; sai mã, hay địa điểm đó đổi mã định danh (khi đó ghi `formerly` trong YAML)?",
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
        "target": "there is no `{given}`{near}",
        "twice": "`{given}` is in row {row} already",
        "code-of": "the code `{given}` is that of `{site}`; is it wrong, or did that site get another id (then write `formerly` in the YAML)?",
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
    },
}  # fmt: skip
