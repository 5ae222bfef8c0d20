"""PURE: tables that are attached for a spreadsheet."""

from __future__ import annotations

import csv
import io
from base64 import b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime

from monitor.core.model import Attached
from monitor.core.words import LOCAL

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What begins a formula in a spreadsheet."""


def as_csv(rows: Iterable[Sequence[object]]) -> str:
    """Rows, the headings first; nothing in it is reckoned with by a spreadsheet: names come from the inventory."""
    made = io.StringIO()
    csv.writer(made, lineterminator="\r\n").writerows([_plain(each) for each in row] for row in rows)
    return made.getvalue()


def as_file(name: str, table: str) -> Attached:
    """A table as it goes with a mail; the mark at its beginning tells a spreadsheet that it is UTF-8."""
    return Attached(name, b64encode(table.encode("utf-8-sig")).decode("ascii"))


def local(at: datetime) -> str:
    """A moment in Viet Nam as spreadsheets take it."""
    return f"{at.astimezone(LOCAL):%Y-%m-%d %H:%M:%S}"


def _plain(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
