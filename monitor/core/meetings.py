"""When meetings are held, and which of them an incident threatens. Pure: time comes in with each call.

A recurrence may go on for years, so its sessions are never listed: of each meeting only those are known that run, or begin before
long, and all that is asked is a look at a tuple until the next of them comes, begins or ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from monitor.core.graph import Graph
from monitor.core.model import Cause, Importance, Incident, Meeting, Session, State, Threat
from monitor.core.words import LOCAL

AHEAD = timedelta(hours=24)
"""An incident threatens meetings that run, or begin within this time: who has it knows by when it must be over."""
IMMINENT = timedelta(hours=1)
"""A meeting that begins within this time is about to begin: there is hardly time left to mend a line."""
MAX_THREATS = 10
"""Sessions that an incident names, the first to begin first."""

_HURT = frozenset({State.DEGRADED, State.DOWN, State.UNREACHABLE})


def is_imminent(begins: datetime, ends: datetime, now: datetime) -> bool:
    """Whether a session runs, or is about to begin."""
    return begins - IMMINENT <= now < ends


@dataclass(slots=True)
class _Series:
    """The sessions of one meeting; `near` are those that were not over and had come near at the latest time asked for."""

    meeting: Meeting
    _sessions: Iterator[Session]
    near: list[Session] = field(default_factory=list)
    next: Session | None = None
    """The first that was not near yet."""
    _begun: bool = False

    def at(self, now: datetime, ahead: timedelta, behind: timedelta) -> list[Session]:
        """Those that run, come within `ahead`, or ended within `behind`."""
        if not self._begun:
            self._begun, self.next = True, next(self._sessions, None)
        while self.next is not None and self.next.begins <= now + ahead:
            self.near.append(self.next)
            self.next = next(self._sessions, None)
        self.near = [each for each in self.near if now < each.ends + behind]
        return self.near


class Calendar:
    """The sessions that run, begin before long, or ended not long ago; asked with times that mostly go forward."""

    def __init__(
        self,
        meetings: Mapping[str, Meeting] | None = None,
        ahead: timedelta = AHEAD,
        behind: timedelta = timedelta(),
    ) -> None:
        self._meetings, self._ahead, self._behind = meetings or {}, ahead, behind
        self._series: list[_Series] = []
        self._near: tuple[Session, ...] = ()
        self._from: datetime | None = None
        self._until: datetime | None = None
        """`_near` holds from then until then; None: without end."""

    def near(self, now: datetime) -> tuple[Session, ...]:
        """The first begin first; the same tuple until one comes, is about to begin, begins, ends or is forgotten."""
        if not self._meetings:
            return ()
        if self._from is None or now < self._from:  # the clock was set back
            self._series = [_Series(each, iter(each.sessions)) for each in self._meetings.values()]
            self._look(now)
        elif self._until is not None and now >= self._until:
            self._look(now)
        return self._near

    @property
    def pending(self) -> bool:
        """Whether time alone will change it."""
        return bool(self._meetings) and (self._from is None or self._until is not None)

    def _look(self, now: datetime) -> None:
        found = sorted(each for series in self._series for each in series.at(now, self._ahead, self._behind))
        behind = self._behind
        moments = [at for each in found for at in (each.begins - IMMINENT, each.begins, each.ends, each.ends + behind)]
        moments += [series.next.begins - self._ahead for series in self._series if series.next is not None]
        self._near = tuple(found)
        self._from, self._until = now, min((at for at in moments if at > now), default=None)


def path_of(meeting: str, begins: datetime) -> str:
    """Where the page of one session of a meeting is, as people write its time: in Viet Nam."""
    local = begins.astimezone(LOCAL).replace(tzinfo=None)
    return f"/meetings/{meeting}/{local.isoformat(timespec='seconds' if local.second else 'minutes')}"


_ADDRESS = re.compile(r"[a-z0-9-]+/[0-9T:-]+")


def address_of_session(text: str) -> str:
    """What follows `/meetings/` in such a path; empty where it is none, so that no link of a mail leads elsewhere."""
    return text if _ADDRESS.fullmatch(text) else ""


def read_begins(text: str) -> datetime | None:
    """When a session begins, as a path or a command names it: ISO 8601, of Viet Nam where it names no zone; None: it is no time."""
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=LOCAL)).astimezone(UTC)
    except (ValueError, OverflowError):  # the first day of the year 1 has no time in UTC
        return None


def threats(
    incident: Incident,
    meetings: Mapping[str, Meeting],
    near: Sequence[Session],
    graph: Graph,
    state: Callable[[str], State],
    now: datetime,
) -> tuple[Threat, ...]:
    """The sessions of `near` with rooms that the incident hurts, and those it named that have begun since: it disturbed them.

    Whoever cannot see blames nobody: when our own gateway is gone, no meeting is threatened by that.
    """
    begun = tuple(each for each in incident.meetings if each.begins <= now)
    if not near or incident.cause is Cause.VANTAGE:
        return begun
    hurt = _hurt_rooms(incident, graph, state)
    found = {
        (session.meeting, session.begins): Threat(
            meeting=session.meeting, title=meeting.title, importance=meeting.importance,
            begins=session.begins, ends=session.ends, rooms=rooms,
        )
        for session in near
        if (meeting := meetings.get(session.meeting)) is not None
        and (rooms := tuple(each for each in meeting.rooms if each in hurt))
    }  # fmt: skip
    kept = {(each.meeting, each.begins): each for each in begun}
    return tuple(sorted((kept | found).values(), key=lambda each: (each.begins, each.meeting)))[:MAX_THREATS]


def _hurt_rooms(incident: Incident, graph: Graph, state: Callable[[str], State]) -> set[str]:
    """The root, all that has no other way than it, and what of the impact is held to be hurt; where power is cut, the whole site.

    A line that loses packets makes a room behind it that still answers one to be feared for.
    """
    hurt = {each for each in incident.impact if state(each) in _HURT}
    hurt.update((incident.root, *graph.behind(incident.root)))
    if incident.cause is Cause.POWER:
        hurt.update(each.id for each in graph.by_site[graph.targets[incident.root].site])
    return hurt


def urgent(threatened: Iterable[Threat], now: datetime) -> Threat | None:
    """The first of those that run or are about to begin, an important one before others; None when there is none."""
    now_or_soon = [each for each in threatened if is_imminent(each.begins, each.ends, now)]
    return min(now_or_soon, key=lambda each: (each.importance is not Importance.HIGH, each.begins), default=None)
