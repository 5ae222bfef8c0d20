"""A report as an Excel workbook (a user of openpyxl; the other is monitor.exchange.xlsx, whose tables are filled in and read again)."""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.properties import PageSetupProperties

from alerts.report import Column, Form, Paper, Table, Value
from monitor.core.words import LOCAL, Words, thousandths

_SUMMARY = {"vi": "Tóm tắt", "en": "Summary"}
_FORMATS = {
    Form.TEXT: "@",
    Form.COUNT: "#,##0",
    Form.RATIO: "0.000%",
    Form.SPAN: '[>=0.0000058][h]:mm:ss;[=0]0:00:00;"0:00:01"',  # days: less than half a second is not nothing, as on paper
    Form.MOMENT: "dd/mm/yyyy hh:mm:ss",
}
"""How Excel writes a value; it puts its own signs for decimals and thousands."""
_WIDTHS = {Form.TEXT: 14, Form.COUNT: 9, Form.RATIO: 12, Form.SPAN: 13, Form.MOMENT: 20}
_WIDEST = 46
"""Signs."""
_HEAD_POINTS = 46
"""Room for a heading of three lines: what nobody has opened yet has no height of its own."""
_HEAD = PatternFill("solid", start_color="DDE8F0")


def workbook(paper: Paper, words: Words) -> bytes:
    """A sheet that says what it is about, and one for each table."""
    book = Workbook(write_only=True)
    _write_summary(book.create_sheet(_SUMMARY[words.language]), paper)
    for table in paper.tables:
        if table.rows:
            _write_table(book.create_sheet(table.title[:31]), table)  # Excel knows no longer names
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _write_summary(sheet: Any, paper: Paper) -> None:
    for letter, width in (("A", 30), ("B", 22), ("C", 60)):
        sheet.column_dimensions[letter].width = width
    _on_paper(sheet)
    sheet.append([_text(sheet, paper.title, Font(bold=True, size=14))])
    for paragraph in (paper.lead, paper.said):
        for said in paragraph:
            sheet.append([_text(sheet, said)])
        sheet.append([])
    for each in paper.figures:
        sheet.append([_text(sheet, each.label), _text(sheet, each.value, Font(bold=True)), _text(sheet, each.below)])
    sheet.append([])
    sheet.append([_text(sheet, paper.foot)])


def _write_table(sheet: Any, table: Table) -> None:
    named = next((index for index, each in enumerate(table.columns, 1) if each.key == "name"), 1)
    sheet.freeze_panes = f"{get_column_letter(named + 1)}2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(table.columns))}{len(table.rows) + 1}"
    sheet.print_title_rows = "1:1"
    _on_paper(sheet)
    for index, column in enumerate(table.columns):
        dimension = sheet.column_dimensions[get_column_letter(index + 1)]
        dimension.width = _width(column, (row[index] for row in table.rows))
    sheet.row_dimensions[1].height = _HEAD_POINTS
    sheet.append([_heading(sheet, each) for each in table.columns])
    for row in table.rows:
        sheet.append([_cell(sheet, column.form, value) for column, value in zip(table.columns, row, strict=True)])


def _on_paper(sheet: Any) -> None:
    """As wide as an A4 page that lies on its side."""
    sheet.page_setup.orientation, sheet.page_setup.paperSize, sheet.page_setup.fitToHeight = "landscape", 9, 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)


def _width(column: Column, values: Iterable[Value]) -> int:
    if column.form is not Form.TEXT:
        return _WIDTHS[column.form]
    longest = max((len(each) for each in values if isinstance(each, str)), default=0)
    return min(max(longest + 2, _WIDTHS[Form.TEXT]), _WIDEST)


def _heading(sheet: Any, column: Column) -> Any:
    cell = _text(sheet, column.heading, Font(bold=True))
    cell.fill, cell.alignment = _HEAD, Alignment(wrap_text=True, vertical="top")
    return cell


def _text(sheet: Any, text: str, font: Font | None = None) -> Any:
    cell = _cell(sheet, Form.TEXT, text)
    if font is not None:
        cell.font = font
    return cell


def _cell(sheet: Any, form: Form, value: Value) -> Any:
    if value is None or value == "":
        return None
    cell = WriteOnlyCell(sheet, _plain(form, value))
    cell.number_format = _FORMATS[form]
    if isinstance(value, str):
        cell.data_type = "s"  # also where it begins with `=`: never a formula
    return cell


def _plain(form: Form, value: Value) -> Any:
    """As a spreadsheet knows it: times of Viet Nam without a zone, and only what never failed is 100.000 %."""
    if isinstance(value, datetime):
        return value.astimezone(LOCAL).replace(tzinfo=None, microsecond=0)
    if form is Form.RATIO and isinstance(value, float):
        return thousandths(value) / 100_000
    return value
