"""Times of the week as people write them: `Mo-Fr 07:30-11:30,13:00-17:00; Sa 07:30-11:30` → spans (the plain part of OpenStreetMap's opening_hours)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from alerts.routing import WEEK_MINUTES, Hours

DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
DAY_MINUTES = 24 * 60

_RULE = re.compile(r"(?:([A-Z][a-z](?:[-,][A-Z][a-z])*)\s+)?(\S+)")
_TIMES = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d:[0-5]\d|2[0-3]:[0-5]\d|24:00)")


def parse_hours(text: str) -> Hours:
    """Rules with `;` between them, each of days (all, when none is written) and times in Viet Nam.

    A time that ends before it begins runs over midnight. Raises ValueError with what is not understood.
    """
    spans: list[tuple[int, int]] = []
    for rule in text.split(";"):
        spans += _rule(rule.strip())
    return Hours(text=text, spans=tuple(_joined(spans)))


def _rule(text: str) -> Iterator[tuple[int, int]]:
    found = _RULE.fullmatch(text)
    if found is None:
        raise ValueError(f"`{text}` are no hours such as Mo-Fr 07:30-17:00 or 22:00-06:30")
    times = [_times(each) for each in found[2].split(",")]
    for day in _days(found[1]) if found[1] else range(7):
        for begin, end in times:
            yield day * DAY_MINUTES + begin, day * DAY_MINUTES + end


def _times(text: str) -> tuple[int, int]:
    found = _TIMES.fullmatch(text)
    if found is None:
        raise ValueError(f"`{text}` is no span such as 07:30-17:00, or 22:00-06:30 over midnight")
    begin, (hour, minute) = int(found[1]) * 60 + int(found[2]), found[3].split(":")
    end = int(hour) * 60 + int(minute)
    if begin == end:
        raise ValueError(f"`{text}` is over when it begins; write 00:00-24:00 for a whole day")
    return begin, end if end > begin else end + DAY_MINUTES


def _days(text: str) -> set[int]:
    days: set[int] = set()
    for part in text.split(","):
        ends = part.split("-")
        if len(ends) > 2 or any(each not in DAYS for each in ends):
            raise ValueError(f"`{part}` is no day or days such as Mo, Mo-Fr, Sa: write {', '.join(DAYS)}")
        first, last = DAYS.index(ends[0]), DAYS.index(ends[-1])
        days |= {day % 7 for day in range(first, last + 1 if last >= first else last + 8)}
    return days


def _joined(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Spans within one week, in order, those that touch made one."""
    within = [(begin, min(end, WEEK_MINUTES)) for begin, end in spans]
    within += [(0, end - WEEK_MINUTES) for _, end in spans if end > WEEK_MINUTES]
    last: tuple[int, int] | None = None
    for begin, end in sorted(within):
        if last is not None and begin <= last[1]:
            last = last[0], max(last[1], end)
            continue
        if last is not None:
            yield last
        last = begin, end
    if last is not None:
        yield last
