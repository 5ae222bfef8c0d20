"""Sheets as they come out of a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from monitor.exchange.sayings import Mistake

MAX_FILE_BYTES = 16 << 20
MAX_ROWS = 100_000
"""Of a sheet; the communes of the nation with twenty devices each are fewer."""
MAX_COLUMNS = 200


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
