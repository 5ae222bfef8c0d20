"""iCalendar files (RFC 5545): bytes → events with the lines they stand in (only user of icalendar).

Any bytes give events or a ConfigError. What an event means for rooms and meetings is not decided here, and a recurrence stays text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from icalendar import Calendar
from icalendar.parser import Contentline

from monitor.core.words import LOCAL
from monitor.yamlfile import ConfigError, Problem

MAX_BYTES = 4 << 20
MAX_EVENTS = 5000
MAX_LINES = 200_000
ROOMS = "X-COMMUNE-MONITOR-ROOMS"
"""Our own property: rooms as the inventory names them, parted by commas."""

_WRONG = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError)
"""What the library raises for text that is not in form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One VEVENT."""

    uid: str
    line: int
    lines: Mapping[str, int]
    """Where its properties stand, by name."""
    title: str
    begins: datetime
    lasts: timedelta
    rule: str
    """RRULE, or ""."""
    without: tuple[datetime, ...]
    """EXDATE: begins at which it is not held."""
    also: tuple[datetime, ...]
    """RDATE: further begins."""
    instead_of: datetime | None
    """RECURRENCE-ID: the begin that this one replaces in the series with the same uid."""
    cancelled: bool
    named: tuple[str, ...]
    """What it says of places: our own property, the addresses of ATTENDEE with CUTYPE=ROOM, RESOURCES, LOCATION."""


def read_calendar(path: Path) -> list[Event]:
    """The events of a file; raises ConfigError."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        remedy = "put the calendar into the folder of the inventory"
        raise ConfigError([Problem(str(path), 0, 0, f"cannot be read: {error.strerror}", remedy)]) from error
    return parse_calendar(data, str(path))


def parse_calendar(data: bytes, file: str) -> list[Event]:
    """The events in it; raises ConfigError with every mistake that can be told apart."""
    if len(data) > MAX_BYTES:
        raise ConfigError([Problem(file, 0, 0, f"larger than {MAX_BYTES >> 20} MiB", "export fewer events")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(file, line, 1, "not UTF-8", "export the calendar as UTF-8 (RFC 5545)")]) from error
    places = _structure(text, file)
    if len(places) > MAX_EVENTS:
        raise ConfigError([Problem(file, 0, 0, f"more than {MAX_EVENTS} events", "export fewer events")])
    try:
        calendar = Calendar.from_ical(text)
        found = [(event, lines) for event, lines in zip(calendar.walk("VEVENT"), places, strict=True)]
    except _WRONG as error:
        raise ConfigError([Problem(file, 1, 1, f"not an iCalendar file: {_short(error)}", _EXPORT)]) from error
    events, problems = [], []
    for component, lines in found:
        try:
            events.append(_event(component, lines))
        except _MistakeError as mistake:
            line = lines.get(mistake.name, lines["BEGIN"])
            problems.append(Problem(file, line, 1, str(mistake), mistake.hint))
    if problems:
        raise ConfigError(problems)
    return events


_TIMES = frozenset({"DTSTART", "DTEND", "RECURRENCE-ID", "EXDATE", "RDATE"})
_EXPORT = "export it again as iCalendar (.ics, RFC 5545)"


class _MistakeError(Exception):
    """One property is not what it should be."""

    def __init__(self, name: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.name, self.hint = name, hint


def _structure(text: str, file: str) -> list[dict[str, int]]:
    """By event the lines of its properties; raises ConfigError where lines are none, or what begins does not end."""
    open_: list[tuple[str, int]] = []
    events: list[dict[str, int]] = []
    seen = False

    def wrong(line: int, message: str) -> ConfigError:
        return ConfigError([Problem(file, line, 1, message, _EXPORT)])

    for number, line in _unfolded(text):
        try:
            name, _, value = Contentline(line).parts()  # type: ignore[no-untyped-call]
        except _WRONG as error:
            raise wrong(number, f"not a line of iCalendar: {line[:60]!r}") from error
        name, value = name.upper(), value.strip().upper()
        if not open_ and (name, value) != ("BEGIN", "VCALENDAR"):
            raise wrong(number, "an iCalendar file begins with BEGIN:VCALENDAR")
        if not open_ and seen:
            raise wrong(number, "a second calendar begins here")
        if name == "BEGIN":
            open_.append((value, number))
            seen = True
            if value == "VEVENT":
                events.append({"BEGIN": number})
        elif name == "END":
            if open_[-1][0] != value:
                raise wrong(number, f"END:{value}, but {open_[-1][0]} of line {open_[-1][1]} is open")
            open_.pop()
        elif open_[-1][0] == "VEVENT":
            events[-1].setdefault(name, number)
    if not seen:
        raise wrong(1, "nothing in it")
    if open_:
        raise wrong(open_[-1][1], f"{open_[-1][0]} begins here and does not end: the file is cut off")
    return events


def _unfolded(text: str) -> Iterator[tuple[int, str]]:
    """Lines with the number of their first; a line that begins with a blank goes on with the one before (RFC 5545 section 3.1)."""
    held: list[str] = []
    first = 1
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), start=1):
        if number > MAX_LINES:
            return
        if line[:1] in (" ", "\t") and held:
            held.append(line[1:])
            continue
        if joined := "".join(held).strip():
            yield first, joined
        held, first = [line], number
    if joined := "".join(held).strip():
        yield first, joined


def _event(component: Any, lines: Mapping[str, int]) -> Event:
    for name, _ in component.errors:
        hint = "times are written such as 20261130T010000Z" if str(name).upper() in _TIMES else ""
        raise _MistakeError(str(name).upper(), f"{name} is not in the form of RFC 5545", hint)
    begins = _moment(component, "DTSTART")
    if begins is None:
        raise _MistakeError("BEGIN", "an event without DTSTART")
    uid = _text(component, "UID")
    if not uid:
        raise _MistakeError("BEGIN", "an event without UID")
    rule = component.get("RRULE")
    if isinstance(rule, list):
        raise _MistakeError("RRULE", "RRULE stands twice", "make two events of it")
    return Event(
        uid=uid, line=lines["BEGIN"], lines=lines,
        title=" ".join((_text(component, "SUMMARY") or uid).split()),
        begins=begins, lasts=_lasts(component, begins),
        rule=rule.to_ical().decode("ascii", "replace") if rule is not None else "",
        without=_moments(component, "EXDATE", begins), also=_moments(component, "RDATE", begins),
        instead_of=_moment(component, "RECURRENCE-ID"),
        cancelled=_text(component, "STATUS").upper() == "CANCELLED",
        named=tuple(dict.fromkeys(_named(component))),
    )  # fmt: skip


def _text(component: Any, name: str) -> str:
    value = component.get(name)
    return str(value[0] if isinstance(value, list) and value else value or "")


def _moment(component: Any, name: str) -> datetime | None:
    value = component.get(name)
    if value is None:
        return None
    if isinstance(value, list):
        raise _MistakeError(name, f"{name} stands twice")
    zone = value.params.get("TZID")
    if zone and isinstance(value.dt, datetime) and value.dt.tzinfo is None:
        hint = "write Asia/Ho_Chi_Minh, or let the file hold its VTIMEZONE"
        raise _MistakeError(name, f"there is no time zone `{zone}`", hint)
    return _in_zone(value.dt, name)


def _in_zone(value: object, name: str) -> datetime:
    """A time with its zone; without one, or of a day as a whole, it is Viet Nam's."""
    if isinstance(value, datetime):
        found = value if value.tzinfo else value.replace(tzinfo=LOCAL)
    elif isinstance(value, date):
        found = datetime(value.year, value.month, value.day, tzinfo=LOCAL)
    else:
        raise _MistakeError(name, f"{name} is no date or time")
    if not 2000 <= found.year < 2100:
        raise _MistakeError(name, f"{name} lies in the year {found.year}")
    return found


def _lasts(component: Any, begins: datetime) -> timedelta:
    ends, duration = component.get("DTEND"), component.get("DURATION")
    if duration is not None and not isinstance(duration, list):
        lasts, name = duration.dt, "DURATION"
    elif ends is not None:
        moment = _moment(component, "DTEND")
        assert moment is not None
        lasts, name = moment.astimezone(UTC) - begins.astimezone(UTC), "DTEND"
    else:  # RFC 5545 section 3.6.1: a day as a whole, or no time at all
        whole_day = not isinstance(component["DTSTART"].dt, datetime)
        lasts, name = timedelta(days=1) if whole_day else timedelta(0), "BEGIN"
    if not isinstance(lasts, timedelta) or lasts < timedelta(0):
        raise _MistakeError(name, "ends before it begins")
    return lasts


def _moments(component: Any, name: str, begins: datetime) -> tuple[datetime, ...]:
    value = component.get(name)
    if value is None:
        return ()
    found = []
    for each in value if isinstance(value, list) else [value]:
        for one in each.dts:
            moment = one.dt[0] if isinstance(one.dt, tuple) else one.dt
            if isinstance(moment, date) and not isinstance(moment, datetime):  # of that day, the begin of the series
                moment = datetime.combine(moment, begins.timetz())
            found.append(_in_zone(moment, name))
    return tuple(found)


def _named(component: Any) -> Iterator[str]:
    """What is said of places, as single names."""
    for each in _all(component, ROOMS):
        yield from _parted(str(each), ",")
    for each in _all(component, "ATTENDEE"):
        if str(getattr(each, "params", {}).get("CUTYPE", "")).upper() in ("ROOM", "RESOURCE"):
            yield re.sub("(?i)^mailto:", "", str(each)).strip().lower()
            yield str(each.params.get("CN", "")).strip()
    for each in _all(component, "RESOURCES"):
        yield from map(str, getattr(each, "cats", None) or _parted(str(each), ","))
    for each in _all(component, "LOCATION"):
        yield from (str(each).strip(), *_parted(str(each), ";,"))


def _all(component: Any, name: str) -> list[Any]:
    value = component.get(name)
    return value if isinstance(value, list) else [] if value is None else [value]


def _parted(text: str, by: str) -> list[str]:
    return [part.strip() for part in re.split(f"[{by}]", text) if part.strip()]


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:120]
