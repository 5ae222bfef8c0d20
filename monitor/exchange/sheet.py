"""Pure: which table a sheet is, and which of its columns is what; clerks put columns elsewhere, add some, and write a title above them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitor.exchange.cells import clean
from monitor.exchange.columns import Table
from monitor.exchange.grid import Raw, Sheet, SheetError
from monitor.exchange.places import fold
from monitor.exchange.sayings import Mistake, cut

LOOKED_AT = 20
"""Rows from the top among which the headings are."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row below the headings."""

    number: int
    cells: Mapping[str, Raw]
    """By key of the column, those that hold something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A table as it came back."""

    table: Table
    sheet: Sheet
    columns: Mapping[str, int]
    """Where each column is, by key."""
    rows: Sequence[Row]
    unread: tuple[str, ...]
    """Headings of columns that are none of ours."""

    def at(self, row: Row, key: str) -> str:
        """Where a cell is, or where the row is when it has no such column."""
        return self.sheet.at(row.number, self.columns.get(key) or min(self.columns.values()))


def recognised(sheets: Sequence[Sheet], tables: Sequence[Table]) -> list[Filled]:
    """The tables among the sheets; raises SheetError when there is none, or what a heading means is not sure."""
    found: dict[str, Filled] = {}
    mistakes: list[Mistake] = []
    for sheet in sheets:
        best = max((_headed(sheet, table) for table in tables), key=lambda each: len(each[1]))
        number, columns, table = best
        if len(columns) < 2 or not any(key in columns for key in table.keys):
            continue
        if table.name in found:
            words = {"table": table.titles["vi"], "first": found[table.name].sheet.name}
            mistakes.append(Mistake(sheet.at(number, 1), "two-tables", words))
            continue
        mistakes += _doubtful(sheet, number, columns, table)
        found[table.name] = _filled(sheet, number, columns, table)
    if mistakes:
        raise SheetError(mistakes)
    if not found:
        wanted = ", ".join(f"`{table.column(key).headers['vi']}`" for table in tables for key in table.keys)
        raise SheetError([Mistake(sheets[0].file if sheets else "", "no-table", {"wanted": wanted})])
    return [found[table.name] for table in tables if table.name in found]


def score(sheet: Sheet, tables: Sequence[Table]) -> int:
    """How many headings are known."""
    return max(len(_headed(sheet, table)[1]) for table in tables)


def _headed(sheet: Sheet, table: Table) -> tuple[int, dict[str, int], Table]:
    """The row of the headings, and where each column is."""
    names = _names(table)
    best: tuple[int, dict[str, int]] = (0, {})
    for number in sorted(sheet.rows)[:LOOKED_AT]:
        found: dict[str, int] = {}
        for index, raw in sorted(sheet.rows[number].items()):
            key = names.get(_heading(raw))
            if key is not None:
                found.setdefault(key, index)
        if len(found) > len(best[1]):
            best = (number, found)
    return (*best, table)


def _names(table: Table) -> dict[str, str]:
    """Keys of columns by all that they may be called."""
    return {
        _heading(name): each.key
        for each in table.columns
        for name in (each.key, *each.headers.values(), *each.formerly)
    }


def _heading(raw: Raw) -> str:
    return fold(clean(str(raw))) if isinstance(raw, str) else ""


def _doubtful(sheet: Sheet, number: int, columns: Mapping[str, int], table: Table) -> Iterator[Mistake]:
    """Headings that are there twice, and those that look like one that is missing."""
    names = _names(table)
    missing = {name: key for name, key in names.items() if key not in columns}
    for index, raw in sorted(sheet.rows.get(number, {}).items()):
        heading = _heading(raw)
        key = names.get(heading)
        if key is not None and columns[key] != index:
            words = {"given": cut(raw), "first": sheet.at(number, columns[key])}
            yield Mistake(sheet.at(number, index), "heading-twice", words)
        elif key is None and (close := difflib.get_close_matches(heading, missing, n=1, cutoff=0.8)):
            column = table.column(missing[close[0]])
            yield Mistake(sheet.at(number, index), "heading-like", {"given": cut(raw), "near": dict(column.headers)})


def _filled(sheet: Sheet, number: int, columns: Mapping[str, int], table: Table) -> Filled:
    keys = {index: key for key, index in columns.items()}
    rows = []
    for each in sorted(sheet.rows):
        cells = {keys[index]: raw for index, raw in sheet.rows[each].items() if index in keys}
        if each > number and _tells(cells, {key: sheet.rows[number][index] for key, index in columns.items()}):
            rows.append(Row(each, cells))
    headings = sheet.rows.get(number, {})
    unread = tuple(cut(raw) for index, raw in sorted(headings.items()) if index not in keys and str(raw).strip())
    return Filled(table=table, sheet=sheet, columns=columns, rows=rows, unread=unread)


def _tells(cells: Mapping[str, Raw], headings: Mapping[str, Raw]) -> bool:
    """Whether a row is more than blanks, the headings once more, or one text across the sheet."""
    texts = [clean(str(raw)) for raw in cells.values()]
    again = sum(_heading(raw) == _heading(headings[key]) for key, raw in cells.items())
    return any(texts) and again < 2 and not (len(texts) > 2 and len(set(texts)) == 1)
