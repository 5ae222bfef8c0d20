"""PURE: how a meeting went in its rooms, as a letter tells it: the worst first, what is alike together, the good ones counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.rooms import Due, concerned
from alerts.spread import as_csv, local
from monitor.core.ledger import Span
from monitor.core.model import Cause, Contact, Inventory, Meeting, Session
from monitor.core.quality import Gauge, Measured, Quality, RoomQuality
from monitor.core.words import CONFERENCE_SERVERS, LOCAL, Words

LETTER = "quality"
"""Name of its template."""
SETTLED = timedelta(minutes=3)
"""So long after the end it is told: what was lost at the end is sure by then."""
LATEST = timedelta(hours=24)
"""After that nobody asks any more."""
_TELLING = frozenset({Cause.POWER, Cause.LAN, Cause.SHARED, Cause.VANTAGE})
"""Causes that say more than the name of the root."""
SHOWN_GROUPS = 25
SHOWN_ROOMS = 12
SHOWN_TIMES = 3
"""Of each room; all are in the table that is attached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A session that is over, with its rooms, the worst first."""

    meeting: Meeting
    session: Session
    rooms: Sequence[RoomQuality]
    measured: Mapping[str, Measured]
    """By target, for as much of the session as the monitor ran."""
    lines: Mapping[str, str]
    """By room the line of its site whose figures stand for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rooms that suffered from the same thing."""

    quality: Quality
    name: str
    """Of that thing; empty: each from itself."""
    cause: str
    """Of the incident, where the name does not say it; else empty."""
    provider: str
    circuit: str
    rooms: tuple[str, ...]
    """Each with its times."""
    more: int


def due(meeting: Meeting, session: Session, on_duty: Iterable[Contact], now: datetime) -> Iterator[Due]:
    """To whom it should have been told by now: the owner and those on duty, each address once."""
    if not meeting.afterwards or not session.ends + SETTLED <= now < session.ends + LATEST:
        return
    for contact in concerned(meeting, on_duty):
        id_ = f"{LETTER}-{meeting.id}-{session.begins:%Y%m%d%H%M}.{contact.id}"
        yield Due(id=id_, session=session, contact=contact)


def told(held: Held, inventory: Inventory, words: Words) -> dict[str, object]:
    """What the template is given."""
    groups = tuple(_groups(held, inventory, words))
    rooms = [each for each in held.rooms if not _serves(each.target, inventory)]
    counts = Counter(each.quality for each in rooms)
    return {
        "meeting": held.meeting.id,
        "title": held.meeting.title,
        "when": words.session(held.session.begins, held.session.ends),
        "at": f"{held.session.begins.astimezone(LOCAL):%H:%M %d/%m}",
        "rooms": len(rooms),
        "cut": counts[Quality.CUT],
        "poor": counts[Quality.POOR],
        "unseen": counts[Quality.UNSEEN],
        "good": counts[Quality.GOOD],
        "servers_cut": tuple(
            words.name(inventory.targets[each.target])
            for each in held.rooms
            if each.quality is Quality.CUT and _serves(each.target, inventory)
        ),
        "groups": groups[:SHOWN_GROUPS],
        "more": sum(len(each.rooms) + each.more for each in groups[SHOWN_GROUPS:]),
    }


def _groups(held: Held, inventory: Inventory, words: Words) -> Iterator[Group]:
    found: dict[tuple[Quality, str, str], list[RoomQuality]] = {}
    for each in held.rooms:
        if each.quality is not Quality.GOOD:
            cause = words.causes[each.cause] if each.cause in _TELLING else ""
            of = "" if each.of == each.target and not _serves(each.target, inventory) else each.of
            found.setdefault((each.quality, of, cause), []).append(each)
    for (quality, of, cause), rooms in found.items():
        thing = inventory.targets.get(of)
        provider = inventory.providers.get(thing.provider) if thing else None
        yield Group(
            quality=quality, name=words.at_place(thing, inventory) if thing else of, cause=cause,
            provider=f"{provider.name}: {provider.hotline}" if provider else "", circuit=thing.circuit if thing else "",
            rooms=tuple(_timed(each, inventory, words) for each in rooms[:SHOWN_ROOMS]), more=max(0, len(rooms) - SHOWN_ROOMS),
        )  # fmt: skip


def _serves(target: str, inventory: Inventory) -> bool:
    """Whether it is no room, but what all of them need."""
    found = inventory.targets.get(target)
    return found is not None and found.kind in CONFERENCE_SERVERS


def _timed(room: RoomQuality, inventory: Inventory, words: Words) -> str:
    name = room_name(room.target, inventory, words)
    if not room.times:
        return name
    shown = ", ".join(_clock(each) for each in room.times[:SHOWN_TIMES])
    more = ", …" if len(room.times) > SHOWN_TIMES else ""
    return f"{name} ({shown}{more}; {words.span(timedelta(seconds=room.seconds))})"


def _clock(times: Span) -> str:
    return "–".join(f"{at.astimezone(LOCAL):%H:%M:%S}" for at in times)


def room_name(room: str, inventory: Inventory, words: Words) -> str:
    """What people call a room."""
    target = inventory.targets.get(room)
    return words.room(target, inventory.sites.get(target.site) if target else None, room)


def table(held: Held, inventory: Inventory, words: Words) -> tuple[str, str]:
    """All rooms with what was measured: name of the file and its CSV; times in seconds, numbers as programs read them."""
    heads = ("room", "name", "quality", "seconds", "times", "because_of", "cause", "incident", "line")
    rows: list[Sequence[object]] = [
        (
            *heads,
            "loss_percent_mean",
            "loss_percent_worst",
            "delay_ms_mean",
            "delay_ms_worst",
            "jitter_ms_mean",
            "mos_least",
        )
    ]
    for each in held.rooms:
        line = held.lines.get(each.target, "")
        way, own = held.measured.get(line, Measured()), held.measured.get(each.target, Measured())
        rows.append(
            (
                each.target, room_name(each.target, inventory, words), each.quality.value, round(each.seconds),
                "; ".join("/".join(map(local, times)) for times in each.times),
                each.of, each.cause.value if each.cause else "", each.incident, line,
                *_mean_and_worst(way.loss, 100), *_mean_and_worst(way.delay, 1000), _mean_and_worst(way.jitter, 1000)[0],
                round(own.mos.least, 2) if own.mos.number else "",
            )
        )  # fmt: skip
    return f"{held.meeting.id}-{held.session.begins.astimezone(LOCAL):%Y-%m-%d-%H%M}.csv", as_csv(rows)


def _mean_and_worst(gauge: Gauge, times: float) -> tuple[object, object]:
    """Empty: nothing was measured."""
    mean = gauge.mean
    return ("", "") if mean is None else (round(mean * times, 3), round(gauge.most * times, 3))
