"""Can this room hold the meeting? From what is held of the room, of all in front of it and beside it, to one word with its reason.

What a room can do is measured by the checks of its profile: a limit that is broken makes it degraded, a check that fails makes it
down. So a new kind of probe needs a check in a profile and nothing here. Pure: time comes in with each call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from monitor.core.graph import Graph
from monitor.core.model import Held, Incident, Inventory, Maintenance, Meeting, Reason, Role, Session, State
from monitor.core.seen import BATTERY_SAYS, CUT, is_path
from monitor.core.words import CONFERENCE_SERVERS


class Readiness(StrEnum):
    """Whether a room can hold a meeting, the worst first."""

    NOT_READY = "not-ready"
    AT_RISK = "at-risk"
    """People can meet now, or we cannot tell; but something is not as it should be."""
    READY = "ready"


RANK: Mapping[Readiness, int] = {each: rank for rank, each in enumerate(Readiness)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """One room of a meeting."""

    target: str
    readiness: Readiness = Readiness.READY
    because: str = "ready"
    """Key of the sentence."""
    of: str = ""
    """The target that is the reason; the room itself where nothing in front of it is."""
    reason: Reason = Reason.OK
    says: str = ""
    """What is seen of that target, as in `Held`."""
    incident: str = ""
    """Id of the open incident that hurts it."""
    serves: bool = False
    """It is none, but what all rooms need: a registrar, a gatekeeper, a bridge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """A session of a meeting with its rooms as they are now, and what serves them all; the worst first."""

    meeting: Meeting
    session: Session
    rooms: tuple[Room, ...]
    servers: tuple[Room, ...] = ()

    def worst(self) -> Readiness | None:
        """Of all that the meeting needs; None when it needs nothing that there is."""
        return min((each.readiness for each in (*self.servers, *self.rooms)), key=RANK.__getitem__, default=None)

    def counts(self) -> dict[Readiness, int]:
        """How many rooms are how ready."""
        return _counts(self.rooms)

    def server_counts(self) -> dict[Readiness, int]:
        """How many of what serves them all are how ready."""
        return _counts(self.servers)


def _counts(rooms: Iterable[Room]) -> dict[Readiness, int]:
    found = Counter(each.readiness for each in rooms)
    return {each: found[each] for each in Readiness}


def _nothing(_: str) -> Iterable[str]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """All that a room is judged by."""

    inventory: Inventory
    graph: Graph
    held: Mapping[str, Held]
    incidents: Mapping[str, Incident]
    """The open incident by each target that it hurts."""
    works: frozenset[str] = frozenset()
    """Targets that are in maintenance while the meeting is held."""
    remarks: Callable[[str], Iterable[str]] = _nothing
    """Keys of what a target tells of itself that matters for meetings alone, the first most."""

    def state(self, target: str) -> State:
        """What a target is held to be."""
        held = self.held.get(target)
        return held.state if held else State.UNKNOWN


def hurt_by_incident(incidents: Iterable[Incident]) -> dict[str, Incident]:
    """The open incident by each target that it hurts; what one has as its root is its own."""
    found: dict[str, Incident] = {}
    known = tuple(incidents)
    for each in known:
        found |= {target: each for target in each.impact if target not in found}
    return found | {each.root: each for each in known}


def outlook(meeting: Meeting, session: Session, judge: Callable[[str], Room | None]) -> Outlook:
    """How ready the rooms are; `judge` says it of one, None where it has left the inventory."""
    found = [room for each in meeting.rooms if (room := judge(each)) is not None]
    found.sort(key=lambda each: RANK[each.readiness])
    return Outlook(
        meeting=meeting, session=session, rooms=tuple(each for each in found if not each.serves),
        servers=tuple(each for each in found if each.serves),
    )  # fmt: skip


def judge_room(room: str, sight: Sight) -> Room | None:
    """The first of the criteria that speaks; None when there is no such target."""
    if room not in sight.inventory.targets:
        return None
    bad = [each for each in sight.graph.ancestors(room) if sight.state(each) is not State.UP]
    fronts = sorted(bad, key=sight.graph.order.__getitem__)
    spoken = (found for criterion in CRITERIA if (found := criterion(room, fronts, sight)) is not None)
    return replace(next(spoken, Room(target=room)), serves=sight.inventory.targets[room].kind in CONFERENCE_SERVERS)


Criterion = Callable[[str, Sequence[str], Sight], Room | None]
"""Given the room, and what is in front of it and not well: the farthest first, for what is wrong there explains what is wrong
behind it.
"""


def _found(room: str, readiness: Readiness, because: str, of: str, sight: Sight) -> Room:
    held, incident = sight.held.get(of), sight.incidents.get(room) or sight.incidents.get(of)
    return Room(
        target=room, readiness=readiness, because=because, of=of, incident=incident.id if incident else "",
        reason=held.reason if held else Reason.OK, says=held.says if held else "",
    )  # fmt: skip


def _cut_off(room: str, fronts: Sequence[str], sight: Sight) -> Room | None:
    """It does not answer, by its own fault or by that of something in front of it, which the incident names where it can."""
    state = sight.state(room)
    if state not in CUT:
        return None
    incident, of = sight.incidents.get(room), room
    if incident is not None and incident.root in fronts:
        of = incident.root
    elif state is State.UNREACHABLE:
        of = next((each for each in fronts if sight.state(each) is State.DOWN), room)
    return _found(room, Readiness.NOT_READY, "down" if of == room else "cut-off", of, sight)


def _on_battery(room: str, _: Sequence[str], sight: Sight) -> Room | None:
    for each in sight.graph.by_site[sight.inventory.targets[room].site]:
        held = sight.held.get(each.id)
        if held is not None and held.says in BATTERY_SAYS:
            return _found(room, Readiness.AT_RISK, "on-battery", each.id, sight)
    return None


def _degraded(room: str, fronts: Sequence[str], sight: Sight) -> Room | None:
    """It works badly. Where its way may be the reason and is bad too, the way is named, or the wrong people would be called."""
    held = sight.held.get(room)
    if held is None or held.state is not State.DEGRADED:
        return None
    way = _bad_way(room, fronts, sight) if is_path(held) else None
    return way or _found(room, Readiness.AT_RISK, "degraded", room, sight)


def _bad_way(room: str, fronts: Sequence[str], sight: Sight) -> Room | None:
    """Something that it cannot do without, or a line of its site, is degraded: a meeting may suffer where a check does not."""
    for each in fronts:
        if sight.state(each) is State.DEGRADED and (room in sight.graph.behind(each) or _own_line(each, room, sight)):
            return _found(room, Readiness.AT_RISK, "bad-way", each, sight)
    return None


def _remarked(room: str, _: Sequence[str], sight: Sight) -> Room | None:
    """It can be reached, but says of itself that people will not be seen or heard."""
    says = next(iter(sight.remarks(room)), None)
    if says is None:
        return None
    return replace(_found(room, Readiness.AT_RISK, "remark", room, sight), reason=Reason.LIMIT, says=says)


def _planned(room: str, _: Sequence[str], sight: Sight) -> Room | None:
    """Work is announced for the time of the meeting, on the room or on what it cannot do without."""
    if not sight.works:
        return None
    needs = {room, *(each for each in sight.graph.ancestors(room) if room in sight.graph.behind(each))}
    work = min(needs & sight.works, key=sight.graph.order.__getitem__, default=None)
    return _found(room, Readiness.AT_RISK, "planned", work, sight) if work is not None else None


def _one_way_left(room: str, fronts: Sequence[str], sight: Sight) -> Room | None:
    """One of several lines of the site is gone: nothing may happen to the others."""
    for each in fronts:
        if sight.state(each) in CUT and _own_line(each, room, sight):
            return _found(room, Readiness.AT_RISK, "one-way-left", each, sight)
    return None


def _unknown(room: str, _: Sequence[str], sight: Sight) -> Room | None:
    return _found(room, Readiness.AT_RISK, "unknown", room, sight) if sight.state(room) is State.UNKNOWN else None


CRITERIA: Sequence[Criterion] = (
    _cut_off,
    _on_battery,
    _degraded,
    _bad_way,
    _remarked,
    _planned,
    _one_way_left,
    _unknown,
)
"""In the order in which they are asked: the first that finds something is what people are told."""


def _own_line(target: str, room: str, sight: Sight) -> bool:
    found, own = sight.inventory.targets[target], sight.inventory.targets[room]
    return found.role is Role.LINK and found.site == own.site


def works_during(maintenance: Iterable[Maintenance], begins: datetime, ends: datetime) -> frozenset[str]:
    """Targets that are in maintenance at some time between `begins` and `ends`."""
    found: set[str] = set()
    for each in maintenance:
        for start in each.starts:
            if start >= ends:
                break
            if start + each.lasts > begins:
                found |= each.targets
                break
    return frozenset(found)


def needed_by(rooms: Iterable[str], graph: Graph) -> tuple[str, ...]:
    """All that is asked anew before a meeting: the rooms, what is in front of them, and the UPS of their sites."""
    found: dict[str, None] = {}
    for room in rooms:
        if room in graph.targets:
            ups = (each.id for each in graph.by_site[graph.targets[room].site] if each.kind == "ups")
            found.update(dict.fromkeys((room, *sorted(graph.ancestors(room)), *ups)))
    return tuple(found)
