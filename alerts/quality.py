"""PURE: how a meeting went in its rooms, as a letter tells it: the worst first, what is alike together, the good ones counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from alerts.rooms import Due, concerned
from alerts.spread import as_csv, local
from monitor.core.advice import called_after
from monitor.core.ledger import Span
from monitor.core.meetings import path_of
from monitor.core.model import Contact, Inventory, Meeting, Session
from monitor.core.quality import TELLING, Quality, RoomQuality, SessionQuality, alike
from monitor.core.words import LOCAL, Words

LETTER = "quality"
"""Name of its template."""
SETTLED = timedelta(minutes=3)
"""So long after the end it is told: what was lost at the end is sure by then."""
LATEST = timedelta(hours=24)
"""After that nobody asks any more."""
SHOWN_GROUPS = 25
SHOWN_ROOMS = 12
SHOWN_TIMES = 3
"""Of each room; all are in the table that is attached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rooms that suffered from the same thing."""

    quality: Quality
    name: str
    """Of that thing; empty: each from itself."""
    cause: str
    """Of the incident, where the name does not say it; else empty."""
    call: str
    """Whom to call, one line with a number; empty: nobody is known."""
    circuit: str
    """Which a provider asks for."""
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


def told(held: SessionQuality, inventory: Inventory, words: Words) -> dict[str, object]:
    """What the template is given."""
    groups, counts, session = tuple(_groups(held, inventory, words)), held.counts(), held.session
    return {
        "meeting": session.meeting,
        "session": path_of(session.meeting, session.begins).removeprefix("/meetings/"),
        "title": held.title,
        "when": words.session(session.begins, session.ends),
        "at": f"{session.begins.astimezone(LOCAL):%H:%M %d/%m}",
        "rooms": sum(counts.values()),
        **{each.value: counts[each] for each in Quality},
        "servers_cut": tuple(
            words.name(inventory.targets.get(each.target), each.target)
            for each in held.rooms
            if each.quality is Quality.CUT and each.serves
        ),
        "groups": groups[:SHOWN_GROUPS],
        "more": sum(len(each.rooms) + each.more for each in groups[SHOWN_GROUPS:]),
    }


def _groups(held: SessionQuality, inventory: Inventory, words: Words) -> Iterator[Group]:
    for rooms in alike(held.rooms, partial(called_after, inventory=inventory)):
        first, (call, circuit) = rooms[0], called_after(rooms[0], inventory)
        of = "" if first.of == first.target and not first.serves else first.of
        thing = inventory.targets.get(of)
        yield Group(
            quality=first.quality, name=words.at_place(thing, inventory) if thing else of,
            cause=words.causes[first.cause] if first.cause in TELLING else "",
            call=call, circuit=circuit,
            rooms=tuple(_timed(each, inventory, words) for each in rooms[:SHOWN_ROOMS]), more=max(0, len(rooms) - SHOWN_ROOMS),
        )  # fmt: skip


def _timed(room: RoomQuality, inventory: Inventory, words: Words) -> str:
    name = room_name(room.target, inventory, words)
    if not room.times:
        return name
    shown = ", ".join(_clock(each) for each in room.times[:SHOWN_TIMES])
    more = ", …" if len(room.times) > SHOWN_TIMES else ""
    return f"{name} ({shown}{more}; {words.span(room.lasting)})"


def _clock(times: Span) -> str:
    return "–".join(f"{at.astimezone(LOCAL):%H:%M:%S}" for at in times)


def room_name(room: str, inventory: Inventory, words: Words) -> str:
    """What people call a room."""
    target = inventory.targets.get(room)
    return words.room(target, inventory.sites.get(target.site) if target else None, room)


HEADS = (
    "room", "name", "quality", "seconds", "times", "because_of", "cause", "incident", "line", "loss_percent_mean",
    "loss_percent_worst", "delay_ms_mean", "delay_ms_worst", "jitter_ms_mean", "mos_least",
    "call_loss_percent_mean", "call_loss_percent_worst",
)  # fmt: skip


def table(held: SessionQuality, inventory: Inventory, words: Words) -> tuple[str, str]:
    """All rooms with what was measured: name of the file and its CSV; times in seconds, numbers as programs read them."""
    rows: list[Sequence[object]] = [HEADS]
    for each in held.rooms:
        had = each.figures
        rows.append(
            (
                each.target, room_name(each.target, inventory, words), each.quality.value, round(each.seconds),
                "; ".join("/".join(map(local, times)) for times in each.times),
                each.of, each.cause.value if each.cause else "", each.incident, each.line,
                _times(had.loss_mean, 100), _times(had.loss_worst, 100), _times(had.delay_mean, 1000), _times(had.delay_worst, 1000),
                _times(had.jitter_mean, 1000), "" if had.mos_least is None else round(had.mos_least, 2),
                _times(had.call_loss_mean, 100), _times(had.call_loss_worst, 100),
            )
        )  # fmt: skip
    begins = held.session.begins.astimezone(LOCAL)
    return f"{held.session.meeting}-{begins:%Y-%m-%d-%H%M}.csv", as_csv(rows)


def _times(value: float | None, factor: float) -> object:
    """Empty: nothing was measured."""
    return "" if value is None else round(value * factor, 3)
