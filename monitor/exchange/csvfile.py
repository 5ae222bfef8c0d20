"""Pure: CSV as spreadsheets write it, in any usual coding and with any usual delimiter."""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from monitor.exchange.grid import MAX_COLUMNS, MAX_FILE_BYTES, MAX_ROWS, Sheet, SheetError
from monitor.exchange.sayings import Mistake, cut

DELIMITERS = ",;\t|"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_RISKY = re.compile(r"[=+\-@'\t\r|]")
_VIETNAMESE = frozenset("àáảãạăằắẳẵặâầấẩẫậèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵđ")
_SIGNS = frozenset("–—‘’“”…°\u00a0₫•")


def write(rows: Iterable[Sequence[str | float]]) -> bytes:
    """UTF-8 with a mark, without which Excel takes it for another coding; what a spreadsheet would reckon is made text."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([_safe(each) for each in row] for row in rows)
    return codecs.BOM_UTF8 + out.getvalue().encode()


def _safe(value: str | float) -> str:
    """With an apostrophe in front where a spreadsheet would take it for a formula (OWASP, CSV injection)."""
    text = value if isinstance(value, str) else f"{value:g}" if abs(value) >= 1000 else repr(value).removesuffix(".0")
    return f"'{text}" if isinstance(value, str) and _RISKY.match(text) else text


def _as_written(text: str) -> str:
    """Without the apostrophe that `_safe` put there."""
    return text[1:] if text[:1] == "'" and _RISKY.match(text, 1) else text


def read(data: bytes, file: str, coding: str | None, fitness: Callable[[Sheet], int]) -> Sheet:
    """The file as a sheet, cut at the delimiter that makes the most of it by `fitness`; raises SheetError."""
    if len(data) > MAX_FILE_BYTES:
        raise SheetError([Mistake(file, "too-large", {"limit": MAX_FILE_BYTES >> 20, "packed": ""})])
    text, note = _decoded(data, file, coding)
    text = re.sub(r"\Asep=.\r?\n", "", text)
    head = "".join(f"{each}\n" for each in text.splitlines()[:60])
    delimiter = max(DELIMITERS, key=lambda each: fitness(_sheet(head, file, each, strict=False)))
    sheet = _sheet(text, file, delimiter, strict=True)
    return Sheet(file, "", sheet.rows, note)


def _sheet(text: str, file: str, delimiter: str, *, strict: bool) -> Sheet:
    rows: dict[int, dict[int, str]] = {}
    try:
        for number, fields in enumerate(islice(_records(text, delimiter), MAX_ROWS + 1), 1):
            cells = {column: _as_written(field) for column, field in enumerate(fields[:MAX_COLUMNS], 1) if field}
            if cells:
                rows[number] = cells
    except csv.Error as error:
        if strict:
            raise SheetError([Mistake(file, "no-csv", {"why": cut(error)})]) from error
    if len(rows) > MAX_ROWS:
        raise SheetError([Mistake(file, "rows", {"limit": MAX_ROWS})])
    return Sheet(file, "", rows)


def _records(text: str, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def _decoded(data: bytes, file: str, coding: str | None) -> tuple[str, str]:
    """The text, and how it was coded where that had to be found out."""
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    wanted = marked or coding or "utf-8"
    try:
        return unicodedata.normalize("NFC", data.decode(wanted)), ""
    except (UnicodeError, LookupError) as error:
        if marked or coding:
            raise SheetError([Mistake(file, "not-coded", {"given": cut(wanted)})]) from error
    text = unicodedata.normalize("NFC", data.decode("cp1258", "replace"))
    if not _is_vietnamese(text):
        raise SheetError([Mistake(file, "coding")])
    return text, "Windows-1258"


def _is_vietnamese(text: str) -> bool:
    """Whether nothing is in it that Vietnamese has not, and something that only a right guess has: in Windows-1258 most tones
    are signs of their own, and in another coding they would not stand behind a vowel. (TCVN3, VNI and Western codings fail.)"""
    strange = {each for each in text.lower() if not each.isascii()} - _SIGNS
    return (
        bool(strange)
        and strange <= _VIETNAMESE
        and any(each in text.lower() for each in "ảãạấầẩẫậẻẽẹếềểễệỉĩịỏọốồổỗộớờởỡợủũụứừửữựỳỷỹỵắằẳẵặ")
    )
