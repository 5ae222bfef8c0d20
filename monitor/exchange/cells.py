"""Pure: a cell as somebody filled it in → what it means, or what is wrong with it."""

from __future__ import annotations

import difflib
import ipaddress
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta

from monitor.exchange.columns import Column, Value
from monitor.exchange.grid import Broken, Formula, Raw
from monitor.exchange.places import fold, slug
from monitor.exchange.sayings import cut, near

_SPACES = re.compile(r"[\s\u00a0\u2007\u202f\u3000]+")
_UNSEEN = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
"""Signs without width, which copying from a web page or a PDF brings along."""
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_LIKE_FORMULA = re.compile(r"[=@|]|[+-](?![\d (.])")
_ID = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_BANDWIDTH = re.compile(r"(\d+(?:[.,]\d+)?)\s*(?:([kKmMgG])(?:bps|b/s|bit/s|bits/s|bit|b)?|(KBPS|MBPS|GBPS))?")
"""A large B in a small unit (`MB/s`) means bytes, so it is not taken."""
_DEGREES = re.compile(r"-?\d{1,3}(?:[.,]\d+)?(?:[eE]-?\d{1,2})?")
_LIMITS = {"latitude": 90.0, "longitude": 180.0}
_PHONE = re.compile(r"\+?\d[\d .()/,;+-]*")
_NO_ZERO = re.compile(r"[2-9]\d{8,9}")
"""A number of Viet Nam without its trunk prefix (mobile and landline numbers have 9 or 10 digits behind it)."""
_NOTHING = frozenset({"n a", "na", "khong co", "chua co", "khong ro", "chua ro", "khong"})
"""Folded: what people write where there is nothing to write."""
_SIZES = {"k": 1e3, "m": 1e6, "g": 1e9}


class Wrong(Exception):
    """What is wrong with a cell: which sentence, and its words."""

    def __init__(self, saying: str, **words: object) -> None:
        self.saying, self.words = saying, words
        super().__init__(saying)


def clean(text: str) -> str:
    """Composed letters, one plain space between words, none around them, and nothing that cannot be seen."""
    return _SPACES.sub(" ", _UNSEEN.sub("", unicodedata.normalize("NFC", text))).strip()


def meant(
    column: Column, raw: Raw | None, now: Value, *, choices: Mapping[str, str] | None = None, digits: int = 0
) -> Value:
    """What the cell means; raises Wrong.

    `now` is what the inventory has: a number that Excel made of it is that text. `choices` are ids by what people may call them,
    `digits` is how long all codes are.
    """
    if raw is None:
        return ""
    if raw == now and isinstance(raw, str) and not isinstance(raw, Formula | Broken):
        return now
    if column.form in ("bandwidth", "latitude", "longitude"):
        return _number(column, raw)
    text = _text(column, raw, now, digits)
    if not text or (isinstance(now, str) and text == clean(now)):
        return now if text else ""
    if len(text) > column.longest:
        raise Wrong("too-long", given=cut(text), limit=column.longest)
    if fold(text) in _NOTHING:
        raise Wrong("nothing-to-say", given=cut(text))
    if digits and not (text.isdecimal() and len(text) == digits):
        raise Wrong("code-form", given=cut(text), digits=digits)
    if choices is not None:
        return _chosen(text, choices)
    form = _FORMS.get(column.form)
    return form(column, text) if form else text


def same(value: Value, now: Value) -> bool:
    """Whether it is what the inventory has, but for what a spreadsheet does to it."""
    if value == now:
        return True
    if isinstance(value, str) and isinstance(now, str):
        return clean(value) == clean(now)
    if isinstance(value, float | int) and isinstance(now, float | int):
        return abs(value - now) <= 1e-9 * max(abs(value), abs(now))
    return False


def _text(column: Column, raw: Raw, now: Value, digits: int) -> str:
    given = cut(raw)
    if isinstance(raw, Formula):
        raise Wrong("formula", given=given)
    if isinstance(raw, Broken):
        raise Wrong("broken", given=given)
    if isinstance(raw, bool):
        raise Wrong("boolean", given=given, example=column.example)
    if isinstance(raw, date | datetime | time | timedelta):
        raise Wrong("date", given=given, example=column.example)
    if isinstance(raw, str):
        text = clean(raw)
        if _CONTROL.search(text):
            raise Wrong("control", given=given)
        if (found := _LIKE_FORMULA.match(text)) and text != clean(str(now)):
            raise Wrong("like-formula", given=given, sign=found[0])
        # In CSV a number is text too, and no code or telephone number of its own lacks its zeros.
        return clean(str(now)) if (digits or column.form == "phone") and _but_for_zeros(text, now) else text
    text = str(int(raw)) if float(raw).is_integer() and abs(raw) < 1e15 else repr(raw)
    return _as_it_was(column, text, now, digits)


def _as_it_was(column: Column, text: str, now: Value, digits: int) -> str:
    """A number where text was: the text of which Excel made it, if that can be told."""
    if _but_for_zeros(text, now):
        return clean(str(now))
    if column.form == "phone":
        raise Wrong("number", given=text, example="0" + text)
    if column.form == "code" and len(text) < digits:
        raise Wrong("zeros", given=text, digits=digits, example=text.zfill(digits))
    return text


def _but_for_zeros(text: str, now: Value) -> bool:
    """Whether a number is what stands there now without blanks and zeros in front."""
    plain = re.sub(r"[ .-]", "", now) if isinstance(now, str) else ""
    return plain.isascii() and plain.isdigit() and text.isdecimal() and plain.lstrip("0") == text.lstrip("0")


def _number(column: Column, raw: Raw) -> Value:
    text = repr(raw) if isinstance(raw, int | float) and not isinstance(raw, bool) else _text(column, raw, "", 0)
    if not text:
        return ""
    return _bandwidth(text) if column.form == "bandwidth" else _degrees(column, text)


def _bandwidth(text: str) -> Value:
    found = _BANDWIDTH.fullmatch(text)
    if not found:
        raise Wrong("bandwidth", given=cut(text))
    unit = (found[2] or (found[3] or "m")[0]).lower()
    bits = float(found[1].replace(",", ".")) * _SIZES[unit]
    if not 0 < bits <= 1e13:
        raise Wrong("bandwidth", given=cut(text))
    return round(bits, 3)


def _degrees(column: Column, text: str) -> Value:
    plain = text.removesuffix("°").strip()
    found = float(plain.replace(",", ".")) if _DEGREES.fullmatch(plain) else math.inf
    if column.form == "latitude" and 100 <= found <= 120:  # as longitudes of Viet Nam are
        raise Wrong("swapped", given=cut(text), what=column.headers)
    if abs(found) > _LIMITS[column.form]:
        raise Wrong("degrees", given=cut(text), example=column.example)
    return found


def _chosen(text: str, choices: Mapping[str, str]) -> Value:
    found = choices.get(fold(text))
    if found is None:
        close = [choices[each] for each in difflib.get_close_matches(fold(text), choices, n=3, cutoff=0.6)]
        raise Wrong("choice", given=cut(text), near=near(list(dict.fromkeys(close)), sorted(set(choices.values()))))
    return found


def _id(column: Column, text: str) -> Value:
    if not _ID.fullmatch(text):
        raise Wrong("id", given=cut(text), example=slug(text) or column.example)
    return text


def _address(column: Column, text: str) -> Value:
    try:
        return str(ipaddress.ip_interface(text).ip)  # with a mask behind it, too
    except ValueError:
        raise Wrong("address", given=cut(text), example=column.example) from None


def _phone(column: Column, text: str) -> Value:
    if not _PHONE.fullmatch(text):
        raise Wrong("phone", given=cut(text), example=column.example)
    if _NO_ZERO.fullmatch(re.sub(r"[ .-]", "", text)):
        raise Wrong("lost-zero", given=cut(text), example=f"0{text}")
    return text


def _names(_: Column, text: str) -> Value:
    return tuple(filter(None, map(clean, re.split(r"[,;]", text))))


_FORMS: Mapping[str, Callable[[Column, str], Value]] = {
    "id": _id,
    "address": _address,
    "phone": _phone,
    "names": _names,
}
