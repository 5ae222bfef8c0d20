"""How did a meeting go in each of its rooms? From the ledger's intervals of the time in which it was held to one word with its reason.

What was measured meanwhile stands beside it where it is known; it decides nothing: a limit that was broken is in the ledger.
Pure: time comes in with each call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.core.graph import Graph
from monitor.core.lasthour import ECHO, ECHO_RTT
from monitor.core.ledger import Interval, Span
from monitor.core.model import Cause, Importance, Incident, Observation, Outcome, Role, Session, State
from monitor.core.readiness import hurt_by_incident
from monitor.core.seen import CUT
from monitor.core.words import CONFERENCE_SERVERS, shown_length

JITTER, MOS = "probe_icmp_jitter_seconds", "probe_media_mos"
CALLS, CALL_LOSS = "room_calls", "room_loss_ratio"
MOSTLY = 0.5
"""What was not seen for more than this part of a session, nothing is said of."""


class Quality(StrEnum):
    """How a session went in a room, the worst first."""

    CUT = "cut"
    """The room was cut off for some time."""
    POOR = "poor"
    """People could take part; but something was not as it should be."""
    UNSEEN = "unseen"
    """Most of the time we could not see it."""
    GOOD = "good"


TELLING = frozenset({Cause.POWER, Cause.LAN, Cause.SHARED, Cause.VANTAGE})
"""Causes that say more than the name of the root."""
RANK: Mapping[Quality, int] = {each: rank for rank, each in enumerate(Quality)}


@dataclass(slots=True)
class Gauge:
    """One measurement over a session."""

    number: int = 0
    total: float = 0.0
    least: float = float("inf")
    most: float = float("-inf")

    def note(self, value: float) -> None:
        """Count one more."""
        self.number, self.total = self.number + 1, self.total + value
        self.least, self.most = min(self.least, value), max(self.most, value)

    @property
    def mean(self) -> float | None:
        """None: nothing was measured."""
        return self.total / self.number if self.number else None

    @property
    def lowest(self) -> float | None:
        """The same of the least."""
        return self.least if self.number else None

    @property
    def highest(self) -> float | None:
        """The same of the most."""
        return self.most if self.number else None


@dataclass(slots=True)
class Measured:
    """What was measured of a target over a session, a point a minute."""

    loss: Gauge = field(default_factory=Gauge)
    """Ratio 0 to 1, of the window before each point."""
    delay: Gauge = field(default_factory=Gauge)
    """Round trip in seconds."""
    jitter: Gauge = field(default_factory=Gauge)
    """Seconds, as RFC 3550 smooths them."""
    mos: Gauge = field(default_factory=Gauge)
    """1 to 4.5, as ITU-T G.107 Annex B reckons it."""
    call: Gauge = field(default_factory=Gauge)
    """Ratio 0 to 1 of the packets that the room says it misses, while it says that it is in a call."""

    def note(self, seen: Observation, probe: str, lost: float | None) -> None:
        """Count what a check saw last; `lost` is the loss of its window."""
        if seen.outcome is Outcome.INCONCLUSIVE:
            return
        if probe == ECHO and lost is not None:
            self.loss.note(lost)
        if seen.values.get(CALLS) and CALL_LOSS in seen.values:
            self.call.note(seen.values[CALL_LOSS])
        for key, value in seen.values.items():
            gauge = self._of(key)
            if gauge is not None:
                gauge.note(value)

    def _of(self, key: str) -> Gauge | None:
        if key == ECHO_RTT:
            return self.delay
        name = key.partition("{")[0]
        return self.jitter if name == JITTER else self.mos if name == MOS else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured of a room and its line over a session, as it is kept. None: nothing was."""

    loss_mean: float | None = None
    """Of the line, ratio 0 to 1."""
    loss_worst: float | None = None
    delay_mean: float | None = None
    """Of the line, round trip in seconds."""
    delay_worst: float | None = None
    jitter_mean: float | None = None
    """Of the line, seconds."""
    mos_least: float | None = None
    """Of calls to the room, 1 to 4.5."""
    call_loss_mean: float | None = None
    """As the room says of the calls that it was in, ratio 0 to 1."""
    call_loss_worst: float | None = None


NOTHING = Figures()


def figures(line: Measured | None, room: Measured | None) -> Figures:
    """What is kept of what was measured of a room and of the line that stands for it; no digits that say nothing."""
    way, own = line or Measured(), room or Measured()
    return Figures(
        loss_mean=_kept(way.loss.mean), loss_worst=_kept(way.loss.highest), delay_mean=_kept(way.delay.mean),
        delay_worst=_kept(way.delay.highest), jitter_mean=_kept(way.jitter.mean), mos_least=_kept(own.mos.lowest),
        call_loss_mean=_kept(own.call.mean), call_loss_worst=_kept(own.call.highest),
    )  # fmt: skip


def _kept(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomQuality:
    """How a session went in one room."""

    target: str
    serves: bool = False
    """It is none, but what all rooms need."""
    quality: Quality = Quality.GOOD
    of: str = ""
    """The target that was the reason; the room itself where nothing in front of it was."""
    cause: Cause | None = None
    """Of the incident that hurt it most lately; None: there was none."""
    incident: str = ""
    times: tuple[Span, ...] = ()
    """When it was so, …"""
    seconds: float = 0.0
    """… and for how long in all."""
    line: str = ""
    """The line of its site whose figures stand for it; empty: it has none."""
    figures: Figures = NOTHING

    @property
    def lasting(self) -> timedelta:
        """For how long in all, as its times are shown."""
        return sum((shown_length(*each) for each in self.times), timedelta())


@dataclass(frozen=True, slots=True, kw_only=True)
class Went:
    """A session that is over, in a line of a list."""

    session: Session
    title: str
    importance: Importance
    counts: Mapping[Quality, int] | None
    """How many rooms went how; None: it is reckoned soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionQuality:
    """How a session went in its rooms, as it was told once; or how it has gone so far."""

    session: Session
    title: str
    importance: Importance
    rooms: tuple[RoomQuality, ...]
    """The worst first, and of those the longest."""
    measured_seconds: float = 0.0
    """For how much of it figures are known: a restart forgets those before it."""
    so_far: datetime | None = None
    """Up to when it is reckoned; None: it is over, and nothing of this changes any more."""

    def counts(self) -> dict[Quality, int]:
        """How many rooms went how."""
        found = Counter(each.quality for each in self.rooms if not each.serves)
        return {each: found[each] for each in Quality}

    def went(self) -> Went:
        """It in a line."""
        return Went(session=self.session, title=self.title, importance=self.importance, counts=self.counts())


Past = Mapping[str, Sequence[Interval]]
"""By target, what it was while the session was held."""


class Ways:
    """What a meeting in a room depends on beside the room: the lines of its site, and what it cannot do without."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._behind: dict[str, frozenset[str]] = {}

    def of(self, room: str) -> tuple[str, ...]:
        """Target ids, the farthest first."""
        needed = (
            each for each in self.graph.ancestors(room) if self._own_line(each, room) or room in self._cut_by(each)
        )
        return tuple(sorted(needed, key=self.graph.order.__getitem__))

    def _own_line(self, target: str, room: str) -> bool:
        found = self.graph.targets[target]
        return found.role is Role.LINK and found.site == self.graph.targets[room].site

    def _cut_by(self, target: str) -> frozenset[str]:
        known = self._behind.get(target)
        if known is None:
            known = self._behind[target] = frozenset(self.graph.behind(target))
        return known


def judge(
    rooms: Iterable[str], session: Session, past: Past, ways: Ways, incidents: Iterable[Incident]
) -> tuple[RoomQuality, ...]:
    """Each room that is still in the inventory, the worst first, and of those the longest."""
    hurt = hurt_by_incident(incidents)
    known = ways.graph.targets
    found = (_room(each, session, past, ways, hurt) for each in rooms if each in known)
    return worst_first(replace(each, serves=known[each.target].kind in CONFERENCE_SERVERS) for each in found)


def worst_first(rooms: Iterable[RoomQuality]) -> tuple[RoomQuality, ...]:
    """And of those the longest."""
    return tuple(sorted(rooms, key=lambda each: (RANK[each.quality], -each.seconds)))


def with_figures(
    rooms: Iterable[RoomQuality], lines: Mapping[str, str], measured: Mapping[str, Measured]
) -> tuple[RoomQuality, ...]:
    """The same with what was measured of each and of its line; `lines` has that by room, `measured` is by target."""
    return tuple(
        replace(each, line=line, figures=figures(measured.get(line), measured.get(each.target)))
        for each in rooms
        for line in (lines.get(each.target, ""),)
    )


def alike(rooms: Iterable[RoomQuality], call: Callable[[RoomQuality], Hashable]) -> list[list[RoomQuality]]:
    """Those that were not good, in their order, together those that suffered from the same thing and whose `call` is the same."""
    found: dict[tuple[Hashable, ...], list[RoomQuality]] = {}
    for each in rooms:
        if each.quality is not Quality.GOOD:
            cause = each.cause if each.cause in TELLING else None
            of = "" if each.of == each.target and not each.serves else each.of
            found.setdefault((each.quality, of, cause, call(each)), []).append(each)
    return list(found.values())


def _room(room: str, session: Session, past: Past, ways: Ways, hurt: Mapping[str, Incident]) -> RoomQuality:
    own = past.get(room, ())
    if cut := _when(own, *CUT):
        incident = hurt.get(room)
        return _found(room, Quality.CUT, incident.root if incident else room, cut, incident)
    seen = sum((each.until - each.since for each in own if each.state is not State.UNKNOWN), timedelta())
    if seen < (1 - MOSTLY) * (session.ends - session.begins):
        return RoomQuality(target=room, quality=Quality.UNSEEN, of=room)
    poor = ((each, _when(past.get(each, ()), State.DEGRADED)) for each in (room, *ways.of(room)))
    of, times = max(poor, key=lambda each: _seconds(each[1]))  # of equals the first: the room before what is in front
    return _found(room, Quality.POOR, of, times, hurt.get(of)) if times else RoomQuality(target=room)


def _found(room: str, quality: Quality, of: str, times: Sequence[Span], incident: Incident | None) -> RoomQuality:
    return RoomQuality(
        target=room, quality=quality, of=of, times=tuple(times), seconds=_seconds(times),
        cause=incident.cause if incident else None, incident=incident.id if incident else "",
    )  # fmt: skip


def _when(intervals: Iterable[Interval], *states: State) -> list[Span]:
    """The times in which a target was in one of these; what goes on from one to the next is one."""
    found: list[Span] = []
    for each in intervals:
        if each.state in states:
            goes_on = bool(found) and found[-1].until == each.since
            found.append(Span(found.pop().since if goes_on else each.since, each.until))
    return found


def _seconds(times: Iterable[Span]) -> float:
    return sum((each.until - each.since).total_seconds() for each in times)
