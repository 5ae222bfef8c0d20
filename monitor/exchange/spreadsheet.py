"""Spreadsheets out of the inventory and back into its files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from monitor.core.words import Language
from monitor.exchange import csvfile, xlsx
from monitor.exchange.changes import Changes, changes
from monitor.exchange.choices import lists
from monitor.exchange.columns import Table, rows, shown, tables
from monitor.exchange.exported import kept, parted
from monitor.exchange.grid import Sheet
from monitor.exchange.sayings import Mistake, placed
from monitor.exchange.sheet import recognised, score
from monitor.exchange.writing import Change, held
from monitor.exchange.written import Written
from monitor.exchange.yamledit import edited
from monitor.yamlfile import Problem, Source, Where, parse

_CELL = re.compile(r"(.*: (?:'.*'!)?)([A-Z]+)([0-9]+)")
MODELINE = b"# yaml-language-server:"

_GUIDE: Mapping[Language, tuple[str, ...]] = {
    "vi": (
        "Bảng này lấy từ hệ thống giám sát. Sửa ô nào, ô đó đổi; dòng và cột không sửa giữ nguyên.",
        "Mỗi xã, phường một dòng ở trang đầu; mỗi thiết bị một dòng ở trang Thiết bị. Cột có dấu * không được để trống.",
        "Thêm xã: thêm một dòng ở cuối, để trống mã định danh; ghi tên, mã hành chính, và của mỗi đường truyền nhà cung cấp, địa chỉ IP, Nối qua (như xã bên cạnh).",
        "Ô nào của xã mới để trống mà mẫu có sẵn (mã kênh, băng thông, địa chỉ thiết bị) thì lấy theo mẫu; khi nhập, hệ thống liệt kê để kiểm tra lại.",
        "Xóa dòng không làm mất dữ liệu: chỉ người quản trị mới xóa được, bằng lệnh import với --remove.",
        "Không dùng công thức, không gộp ô. Mã, số điện thoại để dạng văn bản (Text), nếu không Excel sẽ bỏ số 0 ở đầu.",
        "Có thể đổi thứ tự cột, thêm cột ghi chú; đừng đổi tên cột.",
        "Gửi tệp lại cho người quản trị. Khi nhập, mọi lỗi được báo kèm tên ô, ví dụ 'Xã, phường'!B12; có lỗi thì không có gì thay đổi.",
    ),
    "en": (
        "This comes from the monitor. What you change in a cell changes; rows and columns that you leave alone stay.",
        "One row for each site in the first sheet, one for each device in the sheet Devices. Columns with * must not be empty.",
        "A new site: a row at the end without an id; write its name, code, and of each line provider, address and Behind (as its neighbour has it).",
        "What is left empty of a new site and its template has (circuits, bandwidths, addresses of devices) is taken from there; the import lists it to be looked at.",
        "A row that you delete deletes nothing: only an admin can do that, with import --remove.",
        "No formulas, no merged cells. Keep codes and telephone numbers as text, or Excel takes leading zeros away.",
        "Columns may change places, and you may add some for notes; keep their headings.",
        "Send it back to the admin. Mistakes are told with their cell, such as 'Sites'!B12; then nothing changes.",
    ),
}


def read_written(folder: Path) -> tuple[Written, dict[Path, bytes]]:
    """All files of an inventory that is in form, and what they hold; raises ConfigError."""
    data = {file: held(file) or b"" for file in sorted(folder.glob("*.yaml"))}
    return Written([parse(each, str(file)) for file, each in data.items()]), data


# -- out ---------------------------------------------------------------------------------------------------------------


def as_xlsx(written: Written, language: Language) -> bytes:
    """A workbook with sites, devices and a guide."""
    return xlsx.write(
        [(table, _cells(written, table)) for table in tables(written)],
        lists(written),
        _GUIDE[language],
        kept(written),
        language,
    )


def as_csv(written: Written, name: str, language: Language) -> bytes:
    """One table, `sites` or `devices`."""
    table = next(each for each in tables(written) if each.name == name)
    return csvfile.write([[each.headers[language] for each in table.columns], *_cells(written, table)])


def _cells(written: Written, table: Table) -> list[list[str | float]]:
    return [[shown(each, row[each.key]) for each in table.columns] for row in rows(written, table)]


# -- and back ----------------------------------------------------------------------------------------------------------


def read_xlsx(data: bytes, file: str) -> list[Sheet]:
    """The sheets of a workbook; raises SheetError."""
    return xlsx.read(data, file)


def read_csv(data: bytes, file: str, written: Written, coding: str | None) -> list[Sheet]:
    """The one sheet of a CSV file; raises SheetError."""
    both = tables(written)
    return [csvfile.read(data, file, coding, lambda sheet: score(sheet, both))]


def taken_over(sheets: Sequence[Sheet], written: Written, *, into: Path | None, remove: bool) -> Changes:
    """What the sheets ask for; raises SheetError where it is not sure what they are."""
    exported, others = parted(sheets)
    filled = recognised(others, tables(written))
    return changes(filled, written, exported, into=into or written.usual_file(), remove=remove)


def made(asked: Changes, written: Written, data: Mapping[Path, bytes]) -> list[Change]:
    """The files with the changes; raises EditError. A new file gets the line for editors that the others begin with."""
    first = data.get(written.usual_file(), b"").splitlines(keepends=True)[:1]
    modeline = first[0] if first and first[0].startswith(MODELINE) else b""
    return [
        Change(file=file, before=data.get(file), after=edited(data.get(file, modeline), str(file), edits))
        for file, edits in asked.edits.items()
    ]


def in_order(mistakes: Iterable[Mistake | Problem]) -> list[Mistake | Problem]:
    """As somebody meets them who goes through the sheets from above; each once."""
    sheets: dict[str, int] = {}

    def place(each: Mistake | Problem) -> tuple[int, int, int, str]:
        cell = _CELL.fullmatch(each.at) if isinstance(each, Mistake) else None
        if cell is None:
            return (xlsx.MAX_SHEETS, 0, 0, "")
        return (sheets.setdefault(cell[1], len(sheets)), int(cell[3]), len(cell[2]), cell[2])

    return sorted(
        {each.text("en") if isinstance(each, Mistake) else str(each): each for each in mistakes}.values(), key=place
    )


def located(problems: Sequence[Problem], asked: Changes, files: Sequence[Change]) -> list[Mistake | Problem]:
    """What is wrong with the files as they would be, at the cell that asked for it where there is one."""
    sources = {str(each.file): parse(each.after, str(each.file)) for each in files}
    cells: dict[tuple[str, int, int], str] = {}
    for source in sources.values():
        for place, at in _places(source, asked):
            cells.setdefault(place, at)
    found = ((each, cells.get((each.file, each.line, each.column))) for each in problems)
    return [placed(each, at) if at else each for each, at in found]


def _places(source: Source, asked: Changes) -> Iterator[tuple[tuple[str, int, int], str]]:
    """Places of a file with the cells that they are from: of each value, and of the line or device that it is of."""
    top = source.value if isinstance(source.value, dict) else {}
    where = {str(site.get("id")): index for index, site in enumerate(top.get("sites") or ()) if isinstance(site, dict)}
    for draft in asked.drafts:
        index = where.get(draft.site.id)
        if index is None or (draft.site.file is not None and str(draft.site.file) != source.file):
            continue
        for way, at in sorted(draft.cells.items(), key=lambda each: -len(each[0])):
            for mark in _below(source, ("sites", index, *way)):
                yield (source.file, *mark), at
        for way, at in draft.cells.items():
            for mark in _marks(source, ("sites", index, *way[:2])):
                yield (source.file, *mark), at


def _below(source: Source, where: Where) -> Iterator[tuple[int, int]]:
    """Where a value and its key stand, and the same of all that is in it."""
    waiting = [where]
    while waiting:
        each = waiting.pop()
        yield from _marks(source, each)
        value: object = source.value
        for key in each:
            value = value[key]  # type: ignore[index]
        inner = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
        waiting += [(*each, key) for key in inner]


def _marks(source: Source, where: Where) -> Iterator[tuple[int, int]]:
    return (marks[where] for marks in (source.marks, source.key_marks) if where in marks)
