"""After each meeting: how it went in its rooms, for those who were told before it which of them were ready.

While it is held a point a minute is kept of what is measured of its rooms and lines. What cut them off comes from the ledger,
which outlives a restart; the points do not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Protocol

from alerts.compose import Composer
from alerts.quality import LATEST, LETTER, Held, due, table, told
from alerts.rooms import Due
from alerts.spread import as_file
from monitor.archive import ArchiveError
from monitor.core.graph import Graph
from monitor.core.lasthour import EVERY
from monitor.core.ledger import Interval, Span
from monitor.core.meetings import Calendar
from monitor.core.model import Contact, Incident, Inventory, Letter, Observation, Role, Session
from monitor.core.quality import Measured, RoomQuality, Ways, judge, worst_first
from monitor.core.words import WORDS
from monitor.database import StoreError
from monitor.once import Letters, Once

log = logging.getLogger(__name__)

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


class QualityReports:
    """Looks which meetings run and which are over, measures along, and writes the letters."""

    def __init__(
        self,
        *,
        inventory: Callable[[], Inventory],
        graph: Callable[[], Graph],
        last: Callable[[], Mapping[str, Observation]],
        loss: Callable[[str], float | None],
        past: Past,
        letters: Letters,
        composer: Composer,
        on_duty: Callable[[], Sequence[Contact]],
        clock: Callable[[], datetime],
        written: Callable[[], None],
    ) -> None:
        """`last` are the last observations by check, `loss` the loss in a check's window; `written` is told of what is to be sent."""
        self._in_force, self._graph_in_force, self._last, self._loss = inventory, graph, last, loss
        self._past, self._once, self._composer, self._on_duty = past, Once(letters, written), composer, on_duty
        self._clock = clock
        self._inventory, self._graph = Inventory(sites={}, targets={}, providers={}), Graph({})
        """As they were when a look began: a reload in its middle changes nothing of it."""
        self._calendar = Calendar()
        self._measured: dict[Session, dict[str, Measured]] = {}
        self._next_point: datetime | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            done = await self.look()
            await asyncio.sleep(LOOK_SECONDS if done else RETRY_SECONDS)

    async def look(self) -> bool:
        """Measure along what runs, tell of what is over; whether nothing of it is left to be told."""
        now, sessions = self._clock(), self._sessions()
        self._measured = {each: kept for each, kept in self._measured.items() if each in sessions}
        try:
            await self._measure(sessions, now)
            await self._tell(sessions, now)
        except (StoreError, ArchiveError) as error:
            log.error("reports after meetings could not be made, tried again in %g s: %s", RETRY_SECONDS, error)  # noqa: TRY400
        except Exception:
            log.exception("reports after meetings could not be made by a mistake of ours")
        else:
            return True
        return False

    def _sessions(self) -> tuple[Session, ...]:
        inventory = self._in_force()
        if self._inventory is not inventory:
            self._inventory, self._graph = inventory, self._graph_in_force()
            self._calendar = Calendar(inventory.meetings, ahead=EVERY, behind=LATEST)
        return self._calendar.near(self._clock())

    # -- while it is held ----------------------------------------------------------------------------------------------

    async def _measure(self, sessions: Sequence[Session], now: datetime) -> None:
        """Note a point of everything that the running meetings depend on, once in `EVERY`."""
        running = [each for each in sessions if each.begins <= now < each.ends]
        if not running or (self._next_point is not None and self._next_point - EVERY <= now < self._next_point):
            return
        self._next_point = now + EVERY
        for session in running:
            kept = self._measured.setdefault(session, {})
            targets = self._watched(session)
            while some := list(islice(targets, POINTS_AT_ONCE)):
                for target in some:
                    self._note(target, kept.setdefault(target, Measured()))
                await asyncio.sleep(0)

    def _watched(self, session: Session) -> Iterator[str]:
        """The rooms of a session and the lines of their sites."""
        for room in self._rooms(session):
            yield room
            yield from self._lines(room)

    def _rooms(self, session: Session) -> list[str]:
        rooms = self._inventory.meetings[session.meeting].rooms
        return [each for each in rooms if each in self._inventory.targets]

    def _lines(self, room: str) -> list[str]:
        site = self._inventory.targets[room].site
        return [each.id for each in self._graph.by_site[site] if each.role is Role.LINK]

    def _note(self, target: str, measured: Measured) -> None:
        for check in self._inventory.targets[target].checks:
            seen = self._last().get(check.id)
            if seen is not None:
                measured.note(seen, check.probe, self._loss(check.id))

    # -- when it is over -----------------------------------------------------------------------------------------------

    async def _tell(self, sessions: Sequence[Session], now: datetime) -> None:
        meetings, on_duty = self._inventory.meetings, self._on_duty()
        wanted = {each.id: each for one in sessions for each in due(meetings[one.meeting], one, on_duty, now)}

        async def made(fresh: Sequence[Due]) -> list[Letter]:
            held = {one: await self._held(one) for one in dict.fromkeys(each.session for each in fresh)}
            return [await asyncio.to_thread(self._letter, each, held[each.session]) for each in fresh]

        await self._once.write(wanted, made, now)

    async def _held(self, session: Session) -> Held:
        rooms, ways, span = self._rooms(session), Ways(self._graph), Span(session.begins, session.ends)
        incidents = await self._past.incidents(span)
        found: list[RoomQuality] = []
        for first in range(0, len(rooms), ROOMS_AT_ONCE):
            some = rooms[first : first + ROOMS_AT_ONCE]
            targets = await asyncio.to_thread(_with_ways, some, ways)  # the first asks for all that is behind the core
            past = await self._past.intervals(targets, span)
            found += judge(some, session, past, ways, incidents)
        return Held(
            meeting=self._inventory.meetings[session.meeting], session=session,
            rooms=worst_first(found), measured=self._measured.get(session, {}),
            lines={room: lines[0] for room in rooms if (lines := self._lines(room))},
        )  # fmt: skip

    def _letter(self, wanted: Due, held: Held) -> Letter:
        inventory, words = self._inventory, WORDS[wanted.contact.language]
        given, attached = told(held, inventory, words), (as_file(*table(held, inventory, words)),)
        return self._composer.letter(LETTER, wanted.contact, wanted.id, given, attached)


def _with_ways(rooms: Sequence[str], ways: Ways) -> set[str]:
    return {*rooms, *(way for room in rooms for way in ways.of(room))}
