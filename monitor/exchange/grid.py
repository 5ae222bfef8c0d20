"""Sheets as they come out of a file, and what is wrong with a cell of one, in Vietnamese and English."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

MAX_FILE_BYTES = 16 << 20
MAX_ROWS = 100_000
"""Of a sheet; the communes of the nation with twenty devices each are fewer."""
MAX_COLUMNS = 200
SHOWN = 60
"""Signs of a cell that a message shows."""


class Formula(str):
    """What a cell would reckon."""

    __slots__ = ()


class Broken(str):
    """What a spreadsheet shows where it cannot reckon: `#REF!`."""

    __slots__ = ()


Raw = str | int | float | bool | date | datetime | time | timedelta | Formula | Broken


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet: the rows that hold something, by number from 1, and in each the cells that do, by column from 1."""

    file: str
    name: str
    """Empty where a file is but one."""
    rows: Mapping[int, Mapping[int, Raw]]
    note: str = ""
    """What had to be found out to read it: how its letters are coded."""

    def at(self, row: int, column: int) -> str:
        """A place as people find it: `xa.xlsx: 'Xã, phường'!B12`."""
        sheet = f"'{self.name}'!" if self.name else ""
        return f"{self.file}: {sheet}{letters(column)}{row}"


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong, where, and what to do."""

    at: str
    saying: str
    """Which of the sentences."""
    words: Mapping[str, object] = field(default_factory=dict)

    def text(self, language: str) -> str:
        """One line; words that differ by language are chosen."""
        words = {key: each[language] if isinstance(each, Mapping) else each for key, each in self.words.items()}
        return f"{self.at}: {SAYINGS[language][self.saying].format_map(words)}"


class SheetError(Exception):
    """A spreadsheet that cannot be taken over; holds all mistakes that were found."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(each.text("en") for each in self.mistakes))


def letters(column: int) -> str:
    """The name of a column: 1 is A, 28 is AB."""
    name = ""
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def cut(value: object) -> str:
    """A cell for a message, on one line."""
    text = " ".join("".join(each if each.isprintable() else " " for each in str(value)[: 4 * SHOWN]).split())
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def known(words: Sequence[str]) -> str:
    """The first of a list, for a message."""
    return ", ".join(f"`{each}`" for each in words[:12]) + (", …" if len(words) > 12 else "")


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
        "word": "mẫu `{template}` cần `{word}` mà không cột nào cho biết; hãy điền cột `{heading}`",
        "profile": "chưa rõ đường truyền `{name}` thuộc loại nào, vì chưa nơi nào có; hãy thêm vào YAML",
        "not-written": "không ghi được thành `{given}`, vì mẫu hoặc tham số cho giá trị khác; hãy sửa trong YAML",
        "check": "{message}",
        # what is no mistake
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
        "word": "the template `{template}` wants `{word}`, which no column tells; fill in the column `{heading}`",
        "profile": "of which profile the line `{name}` is, nothing tells, for no site has one; add it to the YAML",
        "not-written": "cannot be made `{given}`, for the template or its words give another value; change the YAML",
        "check": "{message}",
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


def near(close: Sequence[str], words: Sequence[str]) -> Mapping[str, str]:
    """What was meant, or what there is, by language; behind a `{near}`."""
    if close:
        meant = known(close)
        return {"vi": f"; có phải là {meant}?", "en": f"; did you mean {meant}?"}
    listed = known(words)
    return {"vi": f"; có: {listed}", "en": f"; there is: {listed}"} if words else {"vi": "", "en": ""}
