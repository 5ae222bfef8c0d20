"""After each meeting: how it went in its rooms, written down once, and told to those who were told before it which were ready.

While it is held a point a minute is kept of what is measured of its rooms and lines. What cut them off comes from the ledger,
which outlives a restart; the points do not until they are written down. Of a session that was over while the monitor was away
for long, or before it kept any of this, the ledger alone tells.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Protocol

from alerts.compose import Composer
from alerts.quality import LATEST, LETTER, SETTLED, due, table, told
from alerts.rooms import Due
from alerts.spread import as_file
from monitor.archive import ArchiveError
from monitor.core.graph import Graph
from monitor.core.lasthour import EVERY
from monitor.core.ledger import Interval, Span
from monitor.core.meetings import Calendar
from monitor.core.model import Contact, Incident, Inventory, Letter, Observation, Role, Session
from monitor.core.quality import (
    Measured,
    Quality,
    RoomQuality,
    SessionQuality,
    Ways,
    Went,
    judge,
    with_figures,
    worst_first,
)
from monitor.core.rename import renamed_targets
from monitor.core.words import WORDS
from monitor.database import StoreError
from monitor.pastsessions import Key, key_of

log = logging.getLogger(__name__)

SHOWN = timedelta(days=31)
"""So far back sessions are listed, and those that nobody wrote down are looked for in the ledger."""
SO_FAR_KEPT = timedelta(seconds=30)
"""How a session has gone so far is reckoned at most this often, however many look at it."""
LOOK_SECONDS = 15.0
RETRY_SECONDS = 120.0
"""Pause after a letter could not be made."""
ROOMS_AT_ONCE = 50
"""So many rooms' past is read and judged at a time."""
POINTS_AT_ONCE = 500
"""So many targets are looked at without a pause."""


class Past(Protocol):
    """What was written down; each method raises ArchiveError."""

    async def intervals(self, targets: Collection[str], span: Span) -> Mapping[str, Sequence[Interval]]:
        """What these targets were in a span."""

    async def incidents(self, span: Span) -> Sequence[Incident]:
        """That were open in it."""


class Kept(Protocol):
    """Where it is written how sessions went; each method raises StoreError when it cannot."""

    async def known(self, sessions: Collection[Session]) -> set[Key]:
        """Which of these were written before."""

    async def write(self, found: SessionQuality, letters: Sequence[Letter], at: datetime) -> None:
        """Keep how one went and queue its letters, all or nothing; what is known already changes nothing."""


@dataclass(slots=True)
class _Notes:
    """What was measured of a session."""

    by_target: dict[str, Measured] = field(default_factory=dict)
    points: int = 0


@dataclass(frozen=True, slots=True)
class _Settings:
    """As they were when a look began: a reload in its middle changes nothing of it."""

    inventory: Inventory
    graph: Graph

    def rooms(self, session: Session) -> list[str]:
        """Those of its rooms that are targets still."""
        rooms = self.inventory.meetings[session.meeting].rooms
        return [each for each in rooms if each in self.inventory.targets]

    def lines(self, room: str) -> list[str]:
        """Those of its site, in the order of the inventory."""
        site = self.inventory.targets[room].site
        return [each.id for each in self.graph.by_site[site] if each.role is Role.LINK]

    def watched(self, session: Session) -> Iterator[str]:
        """The rooms of a session and the lines of their sites."""
        for room in self.rooms(session):
            yield room
            yield from self.lines(room)


class QualityReports:
    """Looks which meetings run and which are over, measures along, writes down how they went, and tells it."""

    def __init__(
        self,
        *,
        inventory: Callable[[], Inventory],
        graph: Callable[[], Graph],
        last: Callable[[], Mapping[str, Observation]],
        loss: Callable[[str], float | None],
        past: Past,
        kept: Kept,
        composer: Composer,
        on_duty: Callable[[], Sequence[Contact]],
        clock: Callable[[], datetime],
        written: Callable[[], None],
    ) -> None:
        """`last` are the last observations by check, `loss` the loss in a check's window; `written` is told of what is written down."""
        self._in_force, self._graph_in_force, self._last, self._loss = inventory, graph, last, loss
        self._past, self._kept, self._composer, self._on_duty = past, kept, composer, on_duty
        self._clock, self._written = clock, written
        self._settings = _Settings(Inventory(sites={}, targets={}, providers={}), Graph({}))
        self._calendar = Calendar()
        self._notes: dict[Key, _Notes] = {}
        self._next_point: datetime | None = None
        self._done: set[Key] = set()
        """Sessions that are written down, or of which there is nothing to write."""
        self._so_far: dict[Session, SessionQuality] = {}
        self._reckoning = asyncio.Lock()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            done = await self.look()
            await asyncio.sleep(LOOK_SECONDS if done else RETRY_SECONDS)

    async def look(self) -> bool:
        """Measure along what runs, tell of what is over; whether nothing of it is left to be told."""
        now, sessions, settings = self._clock(), self._sessions(), self._settings
        near = {key_of(each) for each in sessions}
        self._done &= near
        self._notes = {each: kept for each, kept in self._notes.items() if each in near - self._done}
        try:
            await self._measure(settings, sessions, now)
            await self._tell(settings, sessions, now)
        except (StoreError, ArchiveError) as error:
            log.error("how meetings went could not be written down, tried again in %g s: %s", RETRY_SECONDS, error)  # noqa: TRY400
        except Exception:
            log.exception("how meetings went could not be written down by a mistake of ours")
        else:
            return True
        return False

    def _sessions(self) -> tuple[Session, ...]:
        inventory = self._in_force()
        if self._settings.inventory is not inventory:
            names = renamed_targets(self._settings.inventory, inventory)
            for each in self._notes.values() if names else ():
                each.by_target = {names.get(target, target): had for target, had in each.by_target.items()}
            self._settings = _Settings(inventory, self._graph_in_force())
            self._calendar = Calendar(inventory.meetings, ahead=EVERY, behind=SHOWN)
        return self._calendar.near(self._clock())

    def _is_done(self, session: Session) -> bool:
        return key_of(session) in self._done

    # -- for those who look --------------------------------------------------------------------------------------------

    def unwritten(self) -> list[Went]:
        """The sessions that were over lately and are to be written down soon, the last first."""
        now, sessions, meetings = self._clock(), self._sessions(), self._settings.inventory.meetings
        return [
            Went(
                session=each,
                title=meetings[each.meeting].title,
                importance=meetings[each.meeting].importance,
                counts=None,
            )
            for each in reversed(sessions)
            if each.ends <= now < each.ends + LATEST and not self._is_done(each)
        ]

    async def so_far(self, meeting: str, begins: datetime) -> SessionQuality | None:
        """How a session goes that has begun and is not written down yet; None when there is none. Raises ArchiveError."""
        now, sessions, settings = self._clock(), self._sessions(), self._settings
        found = [each for each in sessions if key_of(each) == (meeting, begins) and begins < now]
        if not found:
            return None
        (session,) = found
        async with self._reckoning:
            kept = {each: had for each, had in self._so_far.items() if had.so_far and now - had.so_far < SO_FAR_KEPT}
            if session not in kept:
                kept[session] = await self._reckon(settings, session, now)
            self._so_far = kept
            return kept[session]

    # -- while it is held ----------------------------------------------------------------------------------------------

    async def _measure(self, settings: _Settings, sessions: Sequence[Session], now: datetime) -> None:
        """Note a point of everything that the running meetings depend on, once in `EVERY`."""
        running = [each for each in sessions if each.begins <= now < each.ends]
        if not running or (self._next_point is not None and self._next_point - EVERY <= now < self._next_point):
            return
        self._next_point = now + EVERY
        for session in running:
            notes = self._notes.setdefault(key_of(session), _Notes())
            notes.points += 1
            targets = settings.watched(session)
            while some := list(islice(targets, POINTS_AT_ONCE)):
                for target in some:
                    self._note(settings, target, notes.by_target.setdefault(target, Measured()))
                await asyncio.sleep(0)

    def _note(self, settings: _Settings, target: str, measured: Measured) -> None:
        for check in settings.inventory.targets[target].checks:
            seen = self._last().get(check.id)
            if seen is not None:
                measured.note(seen, check.probe, self._loss(check.id))

    # -- when it is over -----------------------------------------------------------------------------------------------

    async def _tell(self, settings: _Settings, sessions: Sequence[Session], now: datetime) -> None:
        """Write down what is over; of what has been over for long only the last a look, for it can wait."""
        over = [each for each in sessions if each.ends + SETTLED <= now and not self._is_done(each)]
        if not over:
            return
        self._done |= await self._kept.known(over)
        over = [each for each in over if not self._is_done(each)]
        old = [each for each in over if now >= each.ends + LATEST]
        failed: list[Exception] = []
        for session in (*(each for each in over if each not in old), *old[-1:]):
            try:
                await self._write(settings, session, now)
            except (StoreError, ArchiveError):
                raise
            except Exception as error:  # noqa: BLE001  what is wrong with one meeting keeps nothing from being told of the others
                failed.append(error)
                if session in old:
                    self._done.add(key_of(session))
        if failed:
            raise ExceptionGroup(f"{len(failed)} meetings", failed)

    async def _write(self, settings: _Settings, session: Session, now: datetime) -> None:
        found = await self._reckon(settings, session, None)
        wanted = list(due(settings.inventory.meetings[session.meeting], session, self._on_duty(), now))
        if now < session.ends + LATEST or any(each.quality is not Quality.UNSEEN for each in found.rooms):
            letters = [await asyncio.to_thread(self._letter, settings.inventory, each, found) for each in wanted]
            await self._kept.write(found, letters, now)
            log.info("written down how %s of %s went, and told %d", session.meeting, session.begins, len(letters))
            self._written()
        self._done.add(key_of(session))

    async def _reckon(self, settings: _Settings, session: Session, so_far: datetime | None) -> SessionQuality:
        meeting, notes = settings.inventory.meetings[session.meeting], self._notes.get(key_of(session), _Notes())
        measured = notes.by_target  # by the ids of these settings, whatever a reload renames meanwhile
        past = session if so_far is None else session._replace(ends=min(so_far, session.ends))
        rooms, ways, span = settings.rooms(session), Ways(settings.graph), Span(past.begins, past.ends)
        incidents = await self._past.incidents(span)
        found: list[RoomQuality] = []
        for first in range(0, len(rooms), ROOMS_AT_ONCE):
            some = rooms[first : first + ROOMS_AT_ONCE]
            targets = await asyncio.to_thread(_with_ways, some, ways)  # the first asks for all that is behind the core
            known = await self._past.intervals(targets, span)
            judged = await asyncio.to_thread(judge, some, past, known, ways, incidents)
            lines = {room: lines[0] for room in some if (lines := settings.lines(room))}
            found += with_figures(judged, lines, measured)
        return SessionQuality(
            session=session, title=meeting.title, importance=meeting.importance,
            rooms=worst_first(found), measured_seconds=notes.points * EVERY.total_seconds(),
            so_far=so_far,
        )  # fmt: skip

    def _letter(self, inventory: Inventory, wanted: Due, found: SessionQuality) -> Letter:
        words = WORDS[wanted.contact.language]
        given, attached = told(found, inventory, words), (as_file(*table(found, inventory, words)),)
        return self._composer.letter(LETTER, wanted.contact, wanted.id, given, attached)


def _with_ways(rooms: Sequence[str], ways: Ways) -> set[str]:
    return {*rooms, *(way for room in rooms for way in ways.of(room))}
