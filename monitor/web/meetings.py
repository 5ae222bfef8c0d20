"""Meetings on the board and in the API: which come, and how ready their rooms are."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from monitor.core.advice import Advice, advise
from monitor.core.model import Inventory
from monitor.core.readiness import Outlook, Readiness, Room
from monitor.core.words import WORDS
from monitor.web.api import Json, Query, language, page
from monitor.web.sessions import past_sessions
from monitor.web.view import View
from monitor.web.words import Words, machine_time

LEVELS = {Readiness.NOT_READY: "down", Readiness.AT_RISK: "degraded", Readiness.READY: "up"}
"""Colour and shape of a room, as of a target."""


def level_of(found: Outlook) -> str:
    """That of a meeting: of the worst of its rooms and of what serves them."""
    worst = found.worst()
    return LEVELS[worst] if worst else "unknown"


def outlook_of(view: View, meeting: str) -> Outlook | None:
    """The session of a meeting that runs, or the next; None when none comes soon."""
    return next((each for each in view.meetings() if each.meeting.id == meeting), None)


def advices(rooms: Iterable[Room], inventory: Inventory, words: Words) -> list[Advice]:
    """Rooms in words, the worst first."""
    return [advise(each, inventory, words) for each in rooms]


def alike(rooms: Iterable[Advice]) -> list[tuple[Advice, ...]]:
    """The rooms that are not ready, together those of which the same is to be said: one dead router is one thing to do, whoever is called."""
    found: dict[tuple[str, ...], list[Advice]] = {}
    for each in rooms:
        if each.readiness is not Readiness.READY:
            found.setdefault((each.readiness, each.why, each.todo, each.incident), []).append(each)
    return [tuple(each) for each in found.values()]


async def meetings(view: View, pairs: Collection[tuple[str, str]]) -> Json | None:
    """Answer of /api/v1/meetings: the sessions of the next days, or of the last; None when those cannot be read now."""
    query = Query(pairs, ("past", "id", "limit", "offset"))
    if query.flag("past"):
        page([], query)  # a mistake is told before the work
        past = await view.past_sessions()
        return None if past is None else past_sessions(past, query)
    wanted = query.values("id")
    found, rest = page([each for each in view.meetings() if not wanted or each.meeting.id in wanted], query)
    return {"meetings": [outlook_json(each) for each in found], **rest}


def meeting(found: Outlook, inventory: Inventory, pairs: Collection[tuple[str, str]]) -> Json:
    """Answer of /api/v1/meetings/{id}."""
    words = WORDS[language(pairs)]
    told = {
        name: [_room_json(advise(each, inventory, words)) for each in rooms]
        for name, rooms in (("servers", found.servers), ("rooms", found.rooms))
    }
    return outlook_json(found) | told


def outlook_json(found: Outlook) -> Json:
    """A session with how many of its rooms are how ready."""
    return {
        "id": found.meeting.id,
        "title": found.meeting.title,
        "importance": found.meeting.importance.value,
        "begins": machine_time(found.session.begins),
        "ends": machine_time(found.session.ends),
        "readiness": {each.value: number for each, number in found.counts().items()},
        "servers_readiness": {each.value: number for each, number in found.server_counts().items()},
    }


def _room_json(room: Advice) -> Json:
    return {
        "target": room.target,
        "name": room.name,
        "readiness": room.readiness.value,
        "why": room.why,
        "todo": room.todo,
        "call": room.call,
        "circuit": room.circuit or None,
        "incident": room.incident or None,
    }
