"""PURE: a report as plain text for a terminal, and one of its tables as CSV for programs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import zip_longest
from textwrap import wrap

from alerts.figures import hours
from alerts.report import Column, Form, Paper, Room, Table, Value
from alerts.spread import as_csv
from monitor.core.words import LOCAL, Words

SHOWN = 20
"""So many rows of a table are in the text."""
_MORE = {"vi": "và {n} mục khác", "en": "and {n} more"}


def shown(form: Form, value: Value, words: Words) -> str:
    """A value as people read it; empty where there is none."""
    match value:
        case None:
            return "–" if form is Form.RATIO else ""
        case timedelta():
            return hours(value)
        case datetime():
            return value.astimezone(LOCAL).strftime("%H:%M:%S %d/%m")
        case float():
            return words.percent(value)
        case int():
            return words.figure(value)
        case _:
            return value


def text(paper: Paper, words: Words) -> str:
    """What the first page says, and the worst of each table."""
    width = max((len(each.label) for each in paper.figures), default=0)
    figures = [f"{each.label:<{width}}  {each.value:>12}  {each.below}" for each in paper.figures]
    parts = ["\n".join([paper.title.upper(), *paper.lead]), "\n".join(paper.said), "\n".join(figures)]
    parts += [_table(each.within(Room.TERMINAL), words) for each in paper.tables if each.rows]
    return "\n\n".join([*(each for each in parts if each), paper.foot]) + "\n"


def _table(table: Table, words: Words) -> str:
    """Below a heading, as wide as its longest values."""
    rows = [
        [shown(column.form, value, words) for column, value in zip(table.columns, row, strict=True)]
        for row in table.rows[:SHOWN]
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widths = [max(width, *map(len, each.heading.split())) for width, each in zip(widths, table.columns, strict=True)]
    cells = [*_headings(table.columns, widths), *rows]
    lines = [_line(table.columns, widths, row) for row in cells]
    if len(table.rows) > SHOWN:
        lines.append(_MORE[words.language].format(n=len(table.rows) - SHOWN))
    return "\n".join([f"{table.title.upper()} ({len(table.rows)})", *lines])


def _headings(columns: Sequence[Column], widths: Sequence[int]) -> Iterator[tuple[str, ...]]:
    """Broken into lines no wider than what stands below."""
    broken = [wrap(each.heading, width)[::-1] for each, width in zip(columns, widths, strict=True)]
    yield from reversed(list(zip_longest(*broken, fillvalue="")))


def _line(columns: Sequence[Column], widths: Sequence[int], row: Sequence[str]) -> str:
    cells = (
        f"{cell:<{width}}" if column.form is Form.TEXT else f"{cell:>{width}}"
        for column, width, cell in zip(columns, widths, row, strict=True)
    )
    return "  ".join(cells).rstrip()


# -- for programs ------------------------------------------------------------------------------------------------------

_UNITS = {Form.RATIO: "_percent", Form.SPAN: "_seconds"}


def table_csv(table: Table) -> str:
    """With numbers as programs read them: percent, seconds, times of Viet Nam in ISO 8601 with their zone."""
    heads = [each.key + _UNITS.get(each.form, "") for each in table.columns]
    return as_csv([heads, *([_number(value) for value in row] for row in table.rows)])


def _number(value: Value) -> str | int | float | None:
    match value:
        case timedelta():
            return value.total_seconds()
        case datetime():
            return value.astimezone(LOCAL).isoformat(timespec="seconds")
        case float():
            return math.floor(round(value * 1e8, 3)) / 1e6  # cut off, or a blink of a provider's would be 100
        case _:
            return value
