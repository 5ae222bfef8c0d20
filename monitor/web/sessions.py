"""PURE: sessions of meetings that have begun, on the board and in the API: how each went in its rooms, or goes so far."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from alerts.quality import room_name
from monitor.core import words as plain
from monitor.core.advice import SENTENCES, called_after
from monitor.core.lasthour import EVERY
from monitor.core.ledger import Interval, Span
from monitor.core.life import Posted
from monitor.core.meetings import path_of
from monitor.core.model import Inventory, State
from monitor.core.quality import TELLING, Figures, Quality, RoomQuality, SessionQuality, Went, alike
from monitor.core.words import LOCAL, WORDS
from monitor.web.api import Json, Query, language, page
from monitor.web.drawing import band
from monitor.web.overview import site_of
from monitor.web.phrases import PHRASES
from monitor.web.story import delivered
from monitor.web.words import Words, machine_time

LEVELS = {Quality.CUT: "down", Quality.POOR: "degraded", Quality.UNSEEN: "unknown", Quality.GOOD: "up"}
"""Colour and shape of a room, as of a target."""
MAX_ROWS = 500
"""Rooms that are shown one by one; a nation has 3,321."""
MAX_GROUPS = 100
"""What rooms suffered from; a bad day of a nation has a thousand lines that each lost something."""
MAX_TIMES = 8
"""Of a room; all are in the table to download."""
_STATES = {Quality.CUT: State.DOWN, Quality.POOR: State.DEGRADED}
_PART = 0.9
"""Where figures are known for less of the session than this, that is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How it went in a room, in words."""

    name: str
    site: str
    """Empty: the room has left the inventory."""
    quality: Quality
    when: str
    """The times in which it was so."""
    lasted: str
    """Empty: not at all."""
    drawn: Sequence[tuple[str, str]]
    """The same as a band over the session."""
    figures: Mapping[str, str]
    """By key of its heading; empty: nothing was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rooms that suffered from the same thing."""

    quality: Quality
    because: str
    incidents: tuple[str, ...]
    call: str
    circuit: str
    rooms: tuple[Row, ...]
    """Those that are shown of …"""
    total: int
    """… so many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All that is shown of a session."""

    groups: tuple[Group, ...]
    """As many as are shown, those of the worst rooms first."""
    more: int
    """How many rooms the others have."""
    rows: tuple[Row, ...]
    """The rooms, the worst first, as many as are shown; empty: nothing was measured."""
    total: int
    """How many rooms there are."""
    columns: tuple[str, ...]
    """The figures that some room has."""
    marks: tuple[str, ...]
    """Begin, middle and end of the bands."""
    note: str
    """Key of the sentence about figures that are missing; empty: none are."""
    measured: timedelta


def level_of(counts: Mapping[Quality, int] | None) -> str:
    """That of a session: of the worst of its rooms."""
    return next((LEVELS[each] for each in Quality if counts and counts[each]), "unknown")


def page_of(found: SessionQuality, inventory: Inventory, words: Words) -> Page:
    """The page of a session."""
    begins, ends = found.session.begins, found.session.ends
    rows = {each.target: _row(each, found, inventory, words) for each in found.rooms[:MAX_ROWS]}
    held, measured = (found.so_far or ends) - begins, timedelta(seconds=found.measured_seconds)
    missing = measured < min(held, ends - begins) * _PART - EVERY  # the point of a minute may be to come
    columns = tuple(dict.fromkeys(key for each in rows.values() for key in each.figures))
    suffered = alike(found.rooms, partial(called_after, inventory=inventory))
    return Page(
        groups=tuple(_group(each, rows, inventory, words) for each in suffered[:MAX_GROUPS]), more=sum(map(len, suffered[MAX_GROUPS:])),
        rows=tuple(rows.values()) if columns else (), total=len(found.rooms), columns=columns,
        marks=tuple(f"{at.astimezone(LOCAL):%H:%M}" for at in (begins, begins + (ends - begins) / 2, ends)),
        note=("figures_part" if measured else "figures_none") if missing else "", measured=measured,
    )  # fmt: skip


def _row(room: RoomQuality, found: SessionQuality, inventory: Inventory, words: Words) -> Row:
    shown = ", ".join("–".join(f"{at.astimezone(LOCAL):%H:%M:%S}" for at in times) for times in room.times[:MAX_TIMES])
    state = _STATES.get(room.quality)
    intervals = [Interval(times.since, times.until, state) for times in room.times] if state else []
    return Row(
        name=room_name(room.target, inventory, words), site=site_of(room.target) if room.target in inventory.targets else "",
        quality=room.quality, when=f"{shown}, …" if len(room.times) > MAX_TIMES else shown,
        lasted=words.span(room.lasting) if room.times else "",
        drawn=band(intervals, Span(found.session.begins, found.session.ends)) if intervals else (),
        figures=dict(_figures(room.figures, words)),
    )  # fmt: skip


def _figures(had: Figures, words: Words) -> Collection[tuple[str, str]]:
    told = []
    for key, mean, worst in (
        ("loss", had.loss_mean, had.loss_worst),
        ("call_loss", had.call_loss_mean, had.call_loss_worst),
    ):
        if mean is not None and worst is not None:
            told.append((key, f"{words.figure(mean * 100)} / {words.figure(worst * 100)} %"))
    if had.delay_mean is not None and had.delay_worst is not None:
        told.append(("delay", f"{words.seconds(had.delay_mean)} / {words.seconds(had.delay_worst)}"))
    if had.jitter_mean is not None:
        told.append(("jitter", words.seconds(had.jitter_mean)))
    if had.mos_least is not None:
        told.append(("mos", words.figure(had.mos_least)))
    return told


def _group(rooms: Sequence[RoomQuality], rows: Mapping[str, Row], inventory: Inventory, words: Words) -> Group:
    first, (call, circuit) = rooms[0], called_after(rooms[0], inventory)
    return Group(
        quality=first.quality, because=because(first, inventory, words),
        incidents=tuple(dict.fromkeys(each.incident for each in rooms if each.incident)),
        call=call, circuit=circuit, rooms=tuple(rows[each.target] for each in rooms if each.target in rows), total=len(rooms),
    )  # fmt: skip


def because(room: RoomQuality, inventory: Inventory, words: plain.Words) -> str:
    """What a room suffered from; empty: nothing, or nothing is known."""
    if room.quality in (Quality.GOOD, Quality.UNSEEN):
        return ""
    thing = inventory.targets.get(room.of)
    if room.of == room.target and not room.serves:
        name = SENTENCES[words.language].own_equipment
    else:
        name = words.at_place(thing, inventory) if thing else room.of
    return f"{name} ({words.causes[room.cause]})" if room.cause in TELLING else name


def mails_of(mails: Sequence[Posted], words: Words) -> list[tuple[datetime, str, tuple[str, ...]]]:
    """What was mailed when, and to whom it came; mails of the same moment are one."""
    phrases, together = PHRASES[words.language], dict[tuple[datetime, str], list[Posted]]()
    for each in mails:
        key = "mail_changed" if each.changed else "mail_after" if each.before is None else "mail_before"
        said = phrases[key].format(span=words.span(each.before or timedelta()))
        together.setdefault((each.at, said), []).append(each)
    return [(at, said, tuple(delivered(those, words))) for (at, said), those in together.items()]


# -- the API ---------------------------------------------------------------------------------------------------------------


def past_sessions(found: Sequence[Went], query: Query) -> Json:
    """Answer of /api/v1/meetings?past=true."""
    wanted = query.values("id")
    shown, rest = page([each for each in found if not wanted or each.session.meeting in wanted], query)
    return {"meetings": [went_json(each) for each in shown], **rest}


def went_json(found: Went) -> Json:
    """A session with how many of its rooms went how."""
    counts = found.counts
    return {
        "id": found.session.meeting,
        "title": found.title,
        "importance": found.importance.value,
        "begins": machine_time(found.session.begins),
        "ends": machine_time(found.session.ends),
        "quality": None if counts is None else {each.value: counts[each] for each in Quality},
        "page": path_of(found.session.meeting, found.session.begins),
    }


def session(found: SessionQuality, inventory: Inventory, pairs: Collection[tuple[str, str]]) -> Json:
    """Answer of /api/v1/meetings/{id}/{begins}."""
    words = WORDS[language(pairs)]
    rooms = [_room_json(each, inventory, words) for each in found.rooms]
    return {
        **went_json(found.went()),
        "so_far": machine_time(found.so_far) if found.so_far else None,
        "measured_seconds": found.measured_seconds,
        "rooms": rooms,
    }


def _room_json(room: RoomQuality, inventory: Inventory, words: plain.Words) -> Json:
    had = room.figures
    return {
        "target": room.target,
        "name": room_name(room.target, inventory, words),
        "serves": room.serves,
        "quality": room.quality.value,
        "seconds": room.seconds,
        "times": [{"begins": machine_time(each.since), "ends": machine_time(each.until)} for each in room.times],
        "because_of": room.of or None,
        "why": because(room, inventory, words),
        "cause": room.cause.value if room.cause else None,
        "incident": room.incident or None,
        "line": room.line or None,
        "loss_ratio_mean": had.loss_mean,
        "loss_ratio_worst": had.loss_worst,
        "delay_seconds_mean": had.delay_mean,
        "delay_seconds_worst": had.delay_worst,
        "jitter_seconds_mean": had.jitter_mean,
        "mos_least": had.mos_least,
        "call_loss_ratio_mean": had.call_loss_mean,
        "call_loss_ratio_worst": had.call_loss_worst,
    }
