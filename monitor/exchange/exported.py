"""Pure: what a workbook held when it was given out, kept in a hidden sheet of its own, so that only what somebody changed since is asked for."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from monitor.exchange.columns import Value, rows, tables
from monitor.exchange.grid import Sheet
from monitor.exchange.written import Written

MARK = "commune-monitor: exported"
"""First cell of the hidden sheet; the others hold the rows: JSON, deflated, in base 64."""
CELL = 30_000
"""Characters of a cell; Excel takes 32,767."""
MAX_BYTES = 64 << 20
_FORM = TypeAdapter(dict[str, dict[str, dict[str, str | float | tuple[str, ...]]]])


@dataclass(frozen=True, slots=True)
class Exported:
    """Rows by table (`sites`, `devices`), then by id of the site or by `site/device`; cells by key of the column, without empty ones."""

    tables: Mapping[str, Mapping[str, Mapping[str, Value]]]

    def row(self, table: str, key: str) -> Mapping[str, Value] | None:
        """One row, or None when it was not there."""
        return self.tables.get(table, {}).get(key)


def row_key(table: str, row: Mapping[str, Value]) -> str:
    """What a row is known by."""
    return str(row["id"]) if table == "sites" else f"{row['site']}/{row['device']}"


def kept(written: Written) -> list[str]:
    """The cells of the hidden sheet, one below the other."""
    held = {table.name: dict(_rows(written, table.name)) for table in tables(written)}
    text = base64.b64encode(zlib.compress(json.dumps(held).encode())).decode()
    return [MARK, *(text[at : at + CELL] for at in range(0, len(text), CELL))]


def _rows(written: Written, name: str) -> Iterator[tuple[str, dict[str, Value]]]:
    table = next(each for each in tables(written) if each.name == name)
    for row in rows(written, table):
        yield row_key(name, row), {key: value for key, value in row.items() if value != ""}


def parted(sheets: Sequence[Sheet]) -> tuple[Exported | None, list[Sheet]]:
    """What the workbook held, None where it does not tell, and the sheets that people fill in."""
    ours = [each for each in sheets if each.rows.get(1, {}).get(1) == MARK]
    return (_read(ours[0]) if len(ours) == 1 else None), [each for each in sheets if each not in ours]


def _read(sheet: Sheet) -> Exported | None:
    text = "".join(str(sheet.rows[number].get(1, "")) for number in sorted(sheet.rows) if number > 1)
    try:
        unpacked = zlib.decompressobj().decompress(base64.b64decode(text, validate=True), MAX_BYTES)
        return Exported(_FORM.validate_json(unpacked, strict=False))
    except (binascii.Error, zlib.error, ValidationError, ValueError):
        return None
