"""Recurrences as RFC 5545 writes them (RRULE, section 3.3.10): text → begins of windows (only user of python-dateutil).

Whatever is accepted here gives its begins in bounded time and number: what comes more than once a day is refused, and nothing
lies further than `HORIZON_YEARS` after the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

from dateutil.rrule import rrule, rrulestr

HORIZON_YEARS = 50
LOOKED_AT = 500
"""So many begins are looked at when a window is held against its period."""

_NUMBER = re.compile(r"[+-]?[1-9]\d{0,2}")
_DAY = re.compile(r"([+-]?[1-9]\d?)?(MO|TU|WE|TH|FR|SA|SU)")
_COUNT = re.compile(r"[1-9]\d{0,4}")
_HIGHEST = {"BYMONTH": 12, "BYMONTHDAY": 31, "BYSETPOS": 366}
_ALWAYS = ("FREQ", "INTERVAL", "COUNT", "UNTIL")
_PARTS = {
    "DAILY": _ALWAYS,
    "WEEKLY": (*_ALWAYS, "BYDAY", "WKST"),
    "MONTHLY": (*_ALWAYS, "BYDAY", "BYMONTHDAY", "BYSETPOS"),
    "YEARLY": (*_ALWAYS, "BYMONTH", "BYDAY", "BYMONTHDAY", "BYSETPOS"),
}
"""What each frequency may have: enough to say every day by; other parts would let the library search for long."""


@dataclass(frozen=True, slots=True)
class Starts:
    """Begins of windows, oldest first; each iteration begins anew."""

    rule: rrule
    count: int | None

    def __iter__(self) -> Iterator[datetime]:
        """All of them, found one by one."""
        return islice(self.rule, self.count)


def parse_rule(text: str) -> dict[str, str]:
    """The parts of a rule by name; raises ValueError with what is wrong."""
    pairs = [part.partition("=")[::2] for part in text.upper().split(";")]
    parts = dict(pairs)
    if len(parts) < len(pairs):
        raise ValueError("a part stands twice in the recurrence")
    known = _PARTS.get(parts.get("FREQ", ""))
    if known is None:
        raise ValueError(f"a recurrence needs FREQ={', '.join(list(_PARTS)[:-1])} or {list(_PARTS)[-1]} (RFC 5545)")
    for name, value in parts.items():
        if name not in known:
            raise ValueError(
                f"a recurrence with FREQ={parts['FREQ']} takes no `{name}` here; it takes {', '.join(known)}"
            )
        if not _fits(name, value):
            raise ValueError(f"`{name}={value}` is not in the form of RFC 5545{_HINTS.get(name, '')}")
    if "COUNT" in parts and "UNTIL" in parts:
        raise ValueError("a recurrence has COUNT or UNTIL, not both")
    return parts


_HINTS = {
    "UNTIL": ": UNTIL is a time in UTC, such as 20271231T165959Z",
    "BYDAY": ": BYDAY is MO, TU, WE, TH, FR, SA, SU, with a number before it where the month counts: 1SU, -1FR",
}


def _fits(name: str, value: str) -> bool:
    each = value.split(",")
    if name in _HIGHEST:
        lowest = 1 if name == "BYMONTH" else -_HIGHEST[name]
        return all(_NUMBER.fullmatch(one) and lowest <= int(one) <= _HIGHEST[name] for one in each)
    match name:
        case "INTERVAL" | "COUNT":
            return _COUNT.fullmatch(value) is not None
        case "UNTIL":
            return len(value) == len("20271231T165959Z") and _is_time(value)
        case "BYDAY" | "WKST":
            return all(_DAY.fullmatch(one) for one in each)
    return True


def _is_time(value: str) -> bool:
    try:
        datetime.strptime(value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return True


def recur(text: str, start: datetime, lasts: timedelta) -> Starts:
    """When the windows begin that begin first at `start` and last so long; raises ValueError with what does not fit.

    Days are those of the zone of `start`.
    """
    parts = parse_rule(text)
    count = int(parts.pop("COUNT", 0)) or None
    horizon = f"{start.replace(year=start.year + HORIZON_YEARS, day=min(start.day, 28)).astimezone(UTC):%Y%m%dT%H%M%SZ}"
    parts["UNTIL"] = min(parts.get("UNTIL", horizon), horizon)
    if parts["UNTIL"] < f"{start.astimezone(UTC):%Y%m%dT%H%M%SZ}":
        raise ValueError("UNTIL lies before `start`")
    found = Starts(_rule(parts, start), count)
    if next(iter(found), None) != start:
        raise ValueError("`start` is on no day of `repeat`: let it be the first time (RFC 5545 section 3.8.5.3)")
    period = min((later - begin for begin, later in pairwise(islice(found, LOOKED_AT))), default=lasts)
    if period < lasts:
        raise ValueError(f"lasts {_span(lasts)}, but comes again after {_span(period)}: it would never be over")
    return found


def _rule(parts: dict[str, str], start: datetime) -> rrule:
    text = ";".join(f"{name}={value}" for name, value in parts.items())
    try:
        made = rrulestr(text, dtstart=start)
    except (ValueError, TypeError) as error:
        raise ValueError(f"`{text}` is no recurrence: {error}") from error
    assert isinstance(made, rrule)
    return made


def _span(time: timedelta) -> str:
    seconds = time.total_seconds()
    size, unit = next(
        ((size, unit) for size, unit in ((86400, "d"), (3600, "h"), (60, "m")) if seconds % size == 0), (1, "s")
    )
    return f"{seconds / size:g}{unit}"
