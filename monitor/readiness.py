"""Before each meeting: its rooms are asked anew, spread over some minutes, and who must know is told which are ready.

The reports go through the outbox, so each is mailed once, whatever happens in between.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Protocol

from alerts.compose import Composer
from alerts.rooms import (
    AFTER_REPORT,
    CHANGED,
    CHANGES_APART,
    LETTER,
    Due,
    change_ids,
    changed,
    due,
    last_report,
    told,
    told_changes,
    unready,
)
from monitor.core.graph import Graph
from monitor.core.meetings import Calendar
from monitor.core.model import Check, Contact, Held, Incident, Inventory, Letter, Meeting, Session
from monitor.core.readiness import (
    Outlook,
    Room,
    Sight,
    hurt_by_incident,
    judge_room,
    needed_by,
    outlook,
    works_during,
)
from monitor.core.words import WORDS
from monitor.database import StoreError
from monitor.once import Letters, Once

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
AHEAD = timedelta(days=7)
"""Meetings that begin within this time are shown; no report comes earlier."""
ASKED_BEFORE = timedelta(minutes=5)
"""So long before a report its rooms begin to be asked anew, …"""
ANSWERED_BEFORE = timedelta(seconds=20)
"""… and so long before it the last of them is: what fails then is asked again until it is sure."""
CLOSER = timedelta(seconds=15)
"""While a meeting is held its rooms are asked anew so often, whatever their interval."""
IDLE_SECONDS = 1.0
FASTEST = 20.0
"""Checks a second that are asked at most, however many meetings there are: a nation's rooms take longer, and no line is flooded."""
MEASURED_AHEAD, MEASURED = timedelta(days=1), 20
"""How far ahead, and how many at most, the meetings are whose rooms are counted in metrics."""
KEPT = timedelta(seconds=5)
"""How ready the rooms are is reckoned at most this often, however many look at it."""
RENEW_SECONDS = 3.0
"""While anybody looks it is reckoned anew so often beside the event loop, which a nation's rooms would hold up for 0.1 to 0.2 s."""
LOOKED_AT = timedelta(minutes=1)
"""So long after a look, such as a scrape, it is still taken that somebody looks."""


class Outlooks:
    """The meetings of the next days with their rooms as they are now."""

    def __init__(
        self,
        inventory: Callable[[], Inventory],
        graph: Callable[[], Graph],
        held: Callable[[], Mapping[str, Held]],
        incidents: Callable[[], Iterable[Incident]],
        remarks: Callable[[str, bool], Iterable[str]],
        clock: Callable[[], datetime],
    ) -> None:
        """`remarks`: what a target tells of itself that matters for meetings alone, and whether people meet there now."""
        self._inventory, self._graph, self._held = inventory, graph, held
        self._incidents, self._remarks, self._clock = incidents, remarks, clock
        self._of: Inventory | None = None
        self._calendar = Calendar()
        self._works: dict[Session, frozenset[str]] = {}
        self._kept: tuple[datetime, tuple[Outlook, ...]] | None = None
        self._looked = clock()

    def sessions(self) -> tuple[Session, ...]:
        """Those that run or come, the first begin first."""
        inventory = self._inventory()
        if self._of is not inventory:
            self._of, self._calendar, self._kept = inventory, Calendar(inventory.meetings, AHEAD), None
            self._works.clear()
        return self._calendar.near(self._clock())

    def all(self) -> tuple[Outlook, ...]:
        """All of them, a few seconds old at most."""
        sessions, now = self.sessions(), self._clock()
        self._looked = now
        if self._kept is None or not timedelta(0) <= now - self._kept[0] < KEPT:
            self._kept = (now, self._reckoning(sessions)())
        return self._kept[1]

    async def renew(self) -> None:
        """Have what `all` returns at hand, as long as anybody looks; until cancelled."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            now = self._clock()
            if timedelta(0) <= now - self._looked < LOOKED_AT:
                sessions, inventory = self.sessions(), self._of
                found = await self.look(sessions)
                if self._of is inventory:
                    self._kept = (now, found)

    async def look(self, sessions: Sequence[Session]) -> tuple[Outlook, ...]:
        """How ready the rooms are for these sessions."""
        return await asyncio.to_thread(self._reckoning(sessions))

    def _reckoning(self, sessions: Sequence[Session]) -> Callable[[], tuple[Outlook, ...]]:
        """What finds that, wherever it runs: it goes through nothing that the event loop changes. A room that several need is judged once."""
        inventory, now = self._inventory(), self._clock()
        self._works = {each: works for each, works in self._works.items() if each.ends > now}
        hurt = hurt_by_incident(self._incidents()) if sessions else {}
        judges: dict[tuple[frozenset[str], bool], Callable[[str], Room | None]] = {}
        asked: list[tuple[Session, Callable[[str], Room | None]]] = []
        for each in sessions:
            if each not in self._works:
                self._works[each] = works_during(inventory.maintenance, each.begins, each.ends)
            works, runs = self._works[each], each.begins <= now
            if (works, runs) not in judges:
                sight = Sight(
                    inventory=inventory, graph=self._graph(), held=self._held(), incidents=hurt, works=works,
                    remarks=partial(self._remarked, runs),
                )  # fmt: skip
                judges[works, runs] = cache(partial(judge_room, sight=sight))
            asked.append((each, judges[works, runs]))
        return lambda: tuple(outlook(inventory.meetings[each.meeting], each, judge) for each, judge in asked)

    def _remarked(self, runs: bool, target: str) -> Iterable[str]:
        return self._remarks(target, runs)


def soon(found: Iterable[Outlook], now: datetime) -> dict[str, Outlook]:
    """The first meetings that run or come within a day, by id: what is shown as metrics."""
    first: dict[str, Outlook] = {}
    for each in found:
        if each.session.begins <= now + MEASURED_AHEAD and len(first) < MEASURED:
            first.setdefault(each.meeting.id, each)
    return first


class KeptLetters(Letters, Protocol):
    """Where they can be read again."""

    async def letters(self, ids: Collection[str]) -> Sequence[tuple[datetime, Letter]]:
        """Those of these that were written, in that order, and when."""


@dataclass(frozen=True, slots=True)
class _Said:
    """The last that the owner of a meeting was told of its rooms before a session."""

    at: datetime
    unready: Mapping[str, str]
    changes: int
    """Letters about what has changed; 0: it was the report itself."""

    def waits(self, now: datetime) -> bool:
        """Whether it is too early for another; one from a clock that was ahead keeps nothing back."""
        return timedelta(0) <= now - self.at < (CHANGES_APART if self.changes else AFTER_REPORT)


class ReadinessReports:
    """Looks which meetings come, has their rooms asked, and writes the reports."""

    def __init__(
        self,
        *,
        outlooks: Outlooks,
        inventory: Callable[[], Inventory],
        graph: Callable[[], Graph],
        letters: KeptLetters,
        composer: Composer,
        on_duty: Callable[[], Sequence[Contact]],
        recheck: Callable[[str], None],
        loads_the_line: Callable[[Check], bool],
        clock: Callable[[], datetime],
        written: Callable[[], None],
    ) -> None:
        """`recheck` asks a check anew, and has those wait for each other that load the line; `written` is told of what is to be sent."""
        self._outlooks, self._inventory, self._graph = outlooks, inventory, graph
        self._once, self._composer, self._on_duty = Once(letters, written), composer, on_duty
        self._letters, self._written = letters, written
        self._said: dict[str, _Said] = {}
        """By the id of the last report before a session; what is not here is in the database."""
        self._recheck, self._loads_the_line, self._clock = recheck, loads_the_line, clock
        self._asked: set[tuple[Session, timedelta]] = set()
        """Sessions and moments for which the rooms were asked."""
        self.to_ask: dict[str, None] = {}
        """Checks that wait to be asked anew, in this order, …"""
        self._ask_until = clock()
        """… and when the last of them should be."""
        self._closer_at = clock()
        """When the rooms of running meetings are asked next."""
        self._meeting_at: frozenset[str] = frozenset()

    async def run(self, ready: Callable[[], bool]) -> None:
        """Look until cancelled; not before nearly everything was seen, or what was not would be told as unknown."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ask())
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                if ready():
                    await self.look()

    async def look(self) -> None:
        """Plan what is to be asked, and tell what is due now."""
        now, near = self._clock(), self._outlooks.sessions()
        sessions = [each for each in near if now < each.begins]
        self._watch_closer([each for each in near if each.begins <= now < each.ends], now)
        self._asked = {each for each in self._asked if each[0] in sessions}
        for session in sessions:
            self._plan(session, now)
        try:
            await self._tell(sessions, now)
            await self._tell_changes(sessions, now)
        except StoreError as error:
            log.error("reports before meetings could not be written, tried again soon: %s", error)  # noqa: TRY400
        except Exception:
            log.exception("reports before meetings could not be made by a mistake of ours, tried again soon")

    def in_meeting(self, target: str) -> bool:
        """Whether people meet in a room of the target's site now."""
        return target.partition("/")[0] in self._meeting_at

    def _watch_closer(self, running: Sequence[Session], now: datetime) -> None:
        """Have the rooms asked in which people meet, but by nothing that would load their lines."""
        inventory = self._inventory()
        rooms = dict.fromkeys(room for each in running for room in inventory.meetings[each.meeting].rooms)
        known = [inventory.targets[each] for each in rooms if each in inventory.targets]
        self._meeting_at = frozenset(each.site for each in known)
        if known and not timedelta(0) < self._closer_at - now <= CLOSER:
            self._closer_at = now + CLOSER
            checks = (check for each in known for check in each.checks if not self._loads_the_line(check))
            self.to_ask.update((each.id, None) for each in checks)
            self._ask_until = max(self._ask_until, self._closer_at)

    def _plan(self, session: Session, now: datetime) -> None:
        """Have everything asked that a report will tell of, once for each report."""
        meeting = self._inventory().meetings[session.meeting]
        for before in meeting.reports:
            until = session.begins - before - ANSWERED_BEFORE
            if until - ASKED_BEFORE <= now < until and (session, before) not in self._asked:
                self._asked.add((session, before))
                checks = list(self._checks(meeting))
                self._ask_until = until
                for each in checks:
                    if self._loads_the_line(each):  # few run together: all of the time is theirs
                        self._recheck(each.id)
                    else:
                        self.to_ask[each.id] = None
                log.info("meeting %s: %d checks are asked anew", meeting.id, len(checks))

    def _checks(self, meeting: Meeting) -> Iterator[Check]:
        """The checks that a meeting depends on; those of one target are not asked one after the other."""
        targets = [self._inventory().targets[each] for each in needed_by(meeting.rooms, self._graph())]
        for number in range(max((len(each.checks) for each in targets), default=0)):
            yield from (each.checks[number] for each in targets if number < len(each.checks))

    async def _ask(self) -> None:
        """Ask what waits, a little apart, so that tests do not load the lines."""
        while True:
            if self.to_ask:
                check = next(iter(self.to_ask))
                del self.to_ask[check]
                self._recheck(check)
            await asyncio.sleep(self.apart_seconds())

    def apart_seconds(self) -> float:
        """How long to wait before the next check is asked, so that the last is asked in time."""
        if not self.to_ask:
            return IDLE_SECONDS
        left = (self._ask_until - self._clock()).total_seconds()
        return min(IDLE_SECONDS, max(1 / FASTEST, left / len(self.to_ask)))

    async def _tell(self, sessions: Sequence[Session], now: datetime) -> None:
        meetings, on_duty = self._inventory().meetings, self._on_duty()
        wanted = {each.id: each for one in sessions for each in due(meetings[one.meeting], one, on_duty, now)}

        async def made(fresh: Sequence[Due]) -> list[Letter]:
            found = await self._outlooks.look(list(dict.fromkeys(one.session for one in fresh)))
            looks, inventory = {each.session: each for each in found}, self._inventory()
            return [await asyncio.to_thread(self._letter, each, looks[each.session], inventory, now) for each in fresh]

        await self._once.write(wanted, made, now)

    def _letter(self, wanted: Due, found: Outlook, inventory: Inventory, now: datetime) -> Letter:
        given = told(found, inventory, WORDS[wanted.contact.language], now)
        return replace(self._composer.letter(LETTER, wanted.contact, wanted.id, given), said=unready(found))

    async def _tell_changes(self, sessions: Sequence[Session], now: datetime) -> None:
        """Tell owners what has changed since the last report, or since they were told of that."""
        inventory = self._inventory()
        reports = [each for one in sessions if (each := last_report(inventory.meetings[one.meeting], one, now))]
        self._said = {each.id: said for each in reports if (said := await self._last_said(each)) is not None}
        open_ = [each for each in reports if each.id in self._said and not self._said[each.id].waits(now)]
        found = await self._outlooks.look([each.session for each in open_]) if open_ else ()
        for report, look in zip(open_, found, strict=True):
            said, ids = self._said[report.id], change_ids(report)
            anew = changed(look, said.unready)
            if (anew.servers or anew.rooms) and said.changes < len(ids):
                wanted = replace(report, id=ids[said.changes])
                letter = await asyncio.to_thread(self._change, wanted, report.id, said, look, inventory, now)
                await self._letters.write([letter], now)
                self._said[report.id] = _Said(now, letter.said, said.changes + 1)
                log.info("written: %s", letter.id)
                self._written()

    async def _last_said(self, report: Due) -> _Said | None:
        """None: the report was never written."""
        if report.id in self._said:
            return self._said[report.id]
        found = await self._letters.letters([report.id, *change_ids(report)])
        return _Said(found[-1][0], found[-1][1].said, len(found) - 1) if found and found[0][1].id == report.id else None

    def _change(
        self, wanted: Due, answers: str, said: _Said, found: Outlook, inventory: Inventory, now: datetime
    ) -> Letter:
        given = told_changes(found, said.unready, said.at, inventory, WORDS[wanted.contact.language], now)
        letter = self._composer.letter(CHANGED, wanted.contact, wanted.id, given)
        return replace(letter, answers=answers, said=unready(found))
