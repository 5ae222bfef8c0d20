"""Excel workbooks (a user of openpyxl; the other is alerts.workbook): bounded when they are read, made for people who are not programmers when they are written."""

from __future__ import annotations

import io
import re
import textwrap
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.read_only import EMPTY_CELL
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter, range_boundaries
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.properties import PageSetupProperties

from monitor.core.words import Language
from monitor.exchange.columns import Column, Table
from monitor.exchange.grid import MAX_COLUMNS, MAX_FILE_BYTES, MAX_ROWS, Broken, Formula, Raw, Sheet, SheetError
from monitor.exchange.sayings import Mistake, cut

MAX_UNPACKED_BYTES = 64 << 20
MAX_SHEETS = 30
MAX_CELLS = 1_000_000
"""Of a workbook, with empty ones in front of others; six times what the nation has."""
MAX_MERGED = 200_000
"""Cells that are merged with others; what is beyond is read as it stands."""
HEADING_POINTS = 16.0
"""Height of a line of a heading."""
SPARE_ROWS = 500
"""Rows below the last one that have drop-downs too."""
_OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""Begin of a compound file: .xls, and an .xlsx with a password."""
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]{1,3}[0-9]{1,7}:[A-Z]{1,3}[0-9]{1,7})"')
_TITLES: Mapping[Language, tuple[str, str, str]] = {
    "vi": ("Hướng dẫn", "Danh mục", "Khi xuất"),
    "en": ("How to", "Lists", "As exported"),
}
_REFUSED: Mapping[Language, str] = {"vi": "Hãy chọn trong danh sách.", "en": "Choose from the list."}
_EXAMPLE: Mapping[Language, str] = {"vi": "Ví dụ", "en": "Example"}
_TEXT = "@"
"""Excel's format of text: it leaves zeros and dates alone."""


# -- reading -----------------------------------------------------------------------------------------------------------


def read(data: bytes, file: str) -> list[Sheet]:
    """The sheets of a workbook that hold something; raises SheetError."""
    if len(data) > MAX_FILE_BYTES:
        raise SheetError([Mistake(file, "too-large", {"limit": MAX_FILE_BYTES >> 20, "packed": ""})])
    if data.startswith(_OLD):
        raise SheetError([Mistake(file, "old-xls")])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what the library leaves out: pictures, extensions of Excel
            return _sheets(data, file)
    except SheetError:
        raise
    except Exception as error:
        raise SheetError([Mistake(file, "no-xlsx", {"why": cut(error) or type(error).__name__})]) from error


def _sheets(data: bytes, file: str) -> list[Sheet]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        # What a member holds beyond the size that it names is never unpacked.
        if sum(each.file_size for each in archive.infolist()) > MAX_UNPACKED_BYTES:
            packed = {"vi": " sau khi giải nén", "en": " when unpacked"}
            raise SheetError([Mistake(file, "too-large", {"limit": MAX_UNPACKED_BYTES >> 20, "packed": packed})])
    book = load_workbook(io.BytesIO(data), read_only=True)
    try:
        sheets = [each for each in book.worksheets[:MAX_SHEETS] if hasattr(each, "reset_dimensions")]
        found, left = [], MAX_CELLS
        for each in sheets:
            sheet, left = _sheet(each, file, left)
            found.append(sheet)
        return found
    finally:
        book.close()


def _sheet(worksheet: Any, file: str, left: int) -> tuple[Sheet, int]:
    """The sheet, and how many more cells may follow of the `left` ones."""
    worksheet.reset_dimensions()  # what a file says of its size is not always true
    rows: dict[int, dict[int, Raw]] = {}
    for number, row in enumerate(worksheet.iter_rows(), 1):
        left -= len(row)
        if number > MAX_ROWS or left < 0:
            saying, limit = ("rows", MAX_ROWS) if number > MAX_ROWS else ("cells", MAX_CELLS)
            raise SheetError([Mistake(f"{file}: '{worksheet.title}'", saying, {"limit": limit})])
        cells = {
            column: raw
            for column, cell in enumerate(row[:MAX_COLUMNS], 1)
            if cell is not EMPTY_CELL and cell.value is not None and (raw := _raw(cell)) != ""
        }
        if cells:
            rows[number] = cells
    _spread(worksheet, rows)
    return Sheet(file, worksheet.title, rows), left


def _raw(cell: Any) -> Raw:
    value = cell.value
    if cell.data_type == "f":
        return Formula(getattr(value, "text", None) or str(value))
    if cell.data_type == "e":
        return Broken(value)
    if isinstance(value, str | int | float | bool | date | datetime | time | timedelta):
        return value
    return str(value)


def _spread(worksheet: Any, rows: dict[int, dict[int, Raw]]) -> None:
    """What cells that are merged show goes for each of them."""
    with worksheet.parent._archive.open(worksheet._worksheet_path) as stream:  # noqa: SLF001 - not told by the library when it reads row by row
        ranges = [found[1].decode() for found in _MERGED.finditer(stream.read())]
    left_over = MAX_MERGED
    for each in ranges:
        left, top, right, bottom = (side or 0 for side in range_boundaries(each))
        value = rows.get(top, {}).get(left)
        left_over -= (bottom - top + 1) * (right - left + 1)
        if value is None or left_over < 0:
            continue
        for number in range(top, min(bottom, MAX_ROWS) + 1):
            for column in range(left, min(right, MAX_COLUMNS) + 1):
                rows.setdefault(number, {})[column] = value


# -- writing -----------------------------------------------------------------------------------------------------------


def write(
    tables: Sequence[tuple[Table, Sequence[Sequence[str | float]]]],
    lists: Mapping[str, Sequence[str]],
    guide: Sequence[str],
    kept: Sequence[str],
    language: Language,
) -> bytes:
    """A workbook with a sheet for each table, one that says how to fill them in, one with what can be chosen, and a hidden one with `kept`."""
    book = Workbook(write_only=True)
    how_to, choices, exported = _TITLES[language]
    for table, rows in tables:
        _write_table(book.create_sheet(table.titles[language]), table, rows, lists, choices, language)
    _write_guide(book.create_sheet(how_to), [table for table, _ in tables], guide, language)
    _write_lists(book.create_sheet(choices), lists)
    _write_kept(book.create_sheet(exported), kept)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _write_table(
    sheet: Any, table: Table, rows: Sequence[Sequence[str | float]], lists: Mapping[str, Sequence[str]], choices: str, language: Language
) -> None:  # fmt: skip
    last = len(rows) + 1 + SPARE_ROWS
    sheet.freeze_panes = "C2"
    _on_paper(sheet)
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(table.columns))}{len(rows) + 1}"
    for number, column in enumerate(table.columns, 1):
        letter = get_column_letter(number)
        sheet.column_dimensions[letter].width = column.width
        sheet.column_dimensions[letter].number_format = _format(column)
        if column.for_admins:  # there, but folded away
            sheet.column_dimensions[letter].outlineLevel, sheet.column_dimensions[letter].hidden = 1, True
        if column.choices and lists.get(column.choices):
            sheet.data_validations.append(_choice(column, letter, last, lists, choices, language))
    # Not every program makes room for a heading of several lines by itself, and how a line's columns differ stands in the last one.
    lines = max(len(textwrap.wrap(each.headers[language], round(each.width) - 2)) for each in table.columns)
    sheet.row_dimensions[1].height = HEADING_POINTS * lines
    sheet.append([_heading(sheet, column, language) for column in table.columns])
    cells = [_cell(sheet, "-", _format(column)) for column in table.columns]
    for row in rows:  # each is written before the next one, so that cells can be used again
        sheet.append([_filled(cell, value) for cell, value in zip(cells, row, strict=True)])


def _on_paper(sheet: Any) -> None:
    """As wide as a page that lies on its side."""
    sheet.page_setup.orientation, sheet.page_setup.fitToHeight = "landscape", 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)


def _heading(sheet: Any, column: Column, language: Language) -> Any:
    """With a note of what to fill in."""
    cell = WriteOnlyCell(sheet, column.headers[language] + (" *" if column.required else ""))
    cell.font, cell.fill = Font(bold=True), PatternFill("solid", start_color="DDE8F0")
    cell.alignment = Alignment(wrap_text=True, vertical="top")
    example = f"\n{_EXAMPLE[language]}: {column.example}" if column.example else ""
    cell.comment = Comment(column.notes[language] + example, "commune-monitor", height=110, width=280)
    return cell


def _cell(sheet: Any, value: str | float, form: str) -> Any:
    cell = WriteOnlyCell(sheet)
    cell.number_format = form
    return _filled(cell, value)


def _filled(cell: Any, value: str | float) -> Any:
    if value == "":
        return None
    cell.value = value
    if isinstance(value, str):
        cell.data_type = "s"  # also where it begins with `=`: never a formula
    return cell


def _format(column: Column) -> str:
    return "General" if column.form in ("bandwidth", "latitude", "longitude") else _TEXT


def _choice(column: Column, letter: str, last: int, lists: Mapping[str, Sequence[str]], choices: str, language: Language) -> Any:  # fmt: skip
    index = get_column_letter(list(lists).index(column.choices) + 1)
    made = DataValidation(
        type="list", formula1=f"'{choices}'!${index}$2:${index}${len(lists[column.choices]) + 1}", allow_blank=True,
        # A new site is in no list yet.
        showErrorMessage=column.choices != "sites", error=_REFUSED[language], errorTitle=column.headers[language][:32],
    )  # fmt: skip
    made.add(f"{letter}2:{letter}{last}")
    return made


def _write_guide(sheet: Any, tables: Sequence[Table], guide: Sequence[str], language: Language) -> None:
    _on_paper(sheet)
    for letter, width in (("A", 30), ("B", 80), ("C", 34)):
        sheet.column_dimensions[letter].width = width
    for line in guide:
        sheet.append([_cell(sheet, line, _TEXT)])
    for table in tables:
        sheet.append([])
        sheet.append([_bold(sheet, table.titles[language])])
        for column in table.columns:
            texts = (
                column.headers[language] + (" *" if column.required else ""),
                column.notes[language],
                column.example,
            )
            sheet.append([_wrapped(sheet, text) for text in texts])


def _write_lists(sheet: Any, lists: Mapping[str, Sequence[str]]) -> None:
    sheet.sheet_state = "hidden"
    longest = max(map(len, lists.values()), default=0)
    sheet.append([_cell(sheet, name, _TEXT) for name in lists])
    for number in range(longest):
        sheet.append([_cell(sheet, each[number] if number < len(each) else "", _TEXT) for each in lists.values()])


def _write_kept(sheet: Any, kept: Sequence[str]) -> None:
    sheet.sheet_state = "veryHidden"  # which a click cannot show
    for each in kept:
        sheet.append([_cell(sheet, each, _TEXT)])


def _bold(sheet: Any, text: str) -> Any:
    cell = WriteOnlyCell(sheet, text)
    cell.font = Font(bold=True)
    return cell


def _wrapped(sheet: Any, text: str) -> Any:
    cell = WriteOnlyCell(sheet, text)
    cell.data_type, cell.number_format = "s", _TEXT
    cell.alignment = Alignment(wrap_text=True, vertical="top")
    return cell
