"""PURE: tables that are attached for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime

from monitor.core.words import LOCAL

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What begins a formula in a spreadsheet."""


def as_csv(rows: Iterable[Sequence[object]]) -> str:
    """Rows, the headings first; nothing in it is reckoned with by a spreadsheet: names come from the inventory."""
    made = io.StringIO()
    csv.writer(made, lineterminator="\r\n").writerows([_plain(each) for each in row] for row in rows)
    return made.getvalue()


def local(at: datetime) -> str:
    """A moment in Viet Nam as spreadsheets take it."""
    return f"{at.astimezone(LOCAL):%Y-%m-%d %H:%M:%S}"


def _plain(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
