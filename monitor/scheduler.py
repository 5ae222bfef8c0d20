"""When checks run (only user of APScheduler).

Starts are spread over the interval by a hash of the check's id, so that 1,000 checks of a minute are 17 a second and not
1,000 at once, and a restart does not change who runs when. Checks whose starts fall into one slot of their interval share a
turn, and a turn is one job of APScheduler: its cost, and its memory store's, depend on the turns and not on the checks.
A run that is still under way when its next turn comes makes that turn a missed one: nothing piles up behind a target that
hangs. Kinds with a stream run there instead.
"""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from apscheduler.job import Job
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from monitor.core.model import Check, Observation
from probes.registry import Kind, Memory, Request, Result, Stream, observe, run_once

log = logging.getLogger(__name__)

RECHECK_SECONDS = 1.5
"""Pause before a check that is not sure of itself is asked again."""

MAX_RUNS_AT_ONCE = 200
"""Of each kind: bounds sockets and memory when a whole province hangs, and lets no kind wait behind another."""

SLOT_SECONDS = 0.05
MAX_SLOTS = 1200
"""An interval is cut into slots of SLOT_SECONDS, but into no more than this: 100,000 checks are 83 starts a turn, whether
each runs once a minute or once an hour."""

CLOCK_LOOK_SECONDS = 5.0
CLOCK_STEP_SECONDS = 2.0
"""A smaller change of the wall clock is slewing and does no harm."""

FIRST_LOOK_SECONDS = 20.0
"""Every check is run once within this time of being new, whatever its interval: after a start nobody waits an hour to know."""

LATE_SECONDS = 1.0
"""A start this long after its time counts as late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadingRuns:
    """How many runs of kinds that load the line may be under way together."""

    at_once: int = 8
    per_site: int = 1


@dataclass(slots=True)
class _Planned:
    check: Check
    request: Request[Any]
    running: bool = False
    once_more: bool = False
    """Asked for again while a run was under way, which may have begun before the news."""
    again: asyncio.TimerHandle | None = None
    first: bool = False
    """The run under way is the first look, which stands for one turn that comes meanwhile."""


class Slot(NamedTuple):
    """When a turn comes: `offset_seconds` after each multiple of the interval on the clock, whenever the daemon was started."""

    interval_seconds: float
    offset_seconds: float

    def next(self, now: datetime) -> datetime:
        """The first time from now on."""
        return now + timedelta(seconds=(self.offset_seconds - now.timestamp()) % self.interval_seconds)


@dataclass(slots=True)
class _Turn:
    job: Job
    checks: dict[str, _Planned] = field(default_factory=dict)


def _share(check_id: str) -> float:
    """The check's place among all others, from 0 to below 1; always the same."""
    return zlib.crc32(check_id.encode()) / 2**32


def slot_of(check_id: str, interval_seconds: float) -> Slot:
    """The slot that the check's place falls into."""
    slots = max(1, min(MAX_SLOTS, round(interval_seconds / SLOT_SECONDS)))
    return Slot(interval_seconds, int(_share(check_id) * slots) * interval_seconds / slots)


class _Trigger(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """The turns of a slot, each reckoned from now.

    APScheduler's own counts up from the last turn: after a clock that was set forward by a year it lists all between.
    """

    def __init__(self, slot: Slot) -> None:
        self._slot = slot

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The first turn from now on that is not the previous one."""
        turn, interval = self._slot.next(now), timedelta(seconds=self._slot.interval_seconds)
        again = previous_fire_time is not None and abs(turn - previous_fire_time) < interval / 2
        return turn + interval if again else turn


class Scheduler:
    """Runs all checks of an inventory and hands each observation on."""

    def __init__(
        self,
        kinds: Mapping[str, Kind],
        observed: Callable[[Observation], None],
        in_meeting: Callable[[str], bool] = lambda _: False,
        loading: LoadingRuns = LoadingRuns(),
    ) -> None:
        """`in_meeting` says of a target whether people meet over its site's lines now, so that nothing may load them."""
        self._kinds = kinds
        self._in_meeting = in_meeting
        self._loading = loading
        self._observed = observed
        self._planned: dict[str, _Planned] = {}
        self.patient = 0
        """Checks that load the line: they wait for each other, and nobody waits for them to know how things are."""
        self._turns: dict[Slot, _Turn] = {}
        self._streams: dict[str, Stream] = {}
        self._shared: WeakValueDictionary[tuple[str, str], Memory] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = {kind: asyncio.Semaphore(MAX_RUNS_AT_ONCE) for kind in kinds}
        self._line_room = asyncio.Semaphore(loading.at_once)
        self._site_rooms: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._jobs = AsyncIOScheduler(
            timezone=UTC,
            # Two, for after a stall a turn may come before the call of the one before; that starts nothing twice.
            job_defaults={"coalesce": True, "max_instances": 2, "misfire_grace_time": None},
        )
        self.late = 0
        """Runs that started more than LATE_SECONDS after their time."""
        self.missed = 0
        """Runs that were left out because the one before was still under way."""
        self.spared = 0
        """Runs that were left out because they would have disturbed a meeting."""
        self.errors = 0
        """Observations that were lost by a mistake of ours."""

    @property
    def streams(self) -> Mapping[str, Stream]:
        """The running streams by kind."""
        return self._streams

    def start(self) -> None:
        """Begin; needs a running event loop."""
        self._jobs.start()
        self._keep(self._watch_clock(), "watch of the clock")

    def overdue_seconds(self) -> float:
        """How late the turn is that is due first: next to nothing while it is alive."""
        first = min((turn.job.next_run_time for turn in self._turns.values()), default=None)
        return max(0.0, (datetime.now(UTC) - first).total_seconds()) if first else 0.0

    async def _watch_clock(self) -> None:
        """APScheduler plans by the wall clock: when that is set back by an hour, all turns would wait for an hour."""
        offset = time.time() - time.monotonic()
        while True:
            await asyncio.sleep(CLOCK_LOOK_SECONDS)
            now = time.time() - time.monotonic()
            if abs(now - offset) > CLOCK_STEP_SECONDS:
                log.warning("the clock was set by %+.1f s, turns are told by it anew", now - offset)
                self.move_turns()
                offset = now

    def move_turns(self) -> None:
        """Plan all turns anew by the clock as it is now: each comes within its interval, whatever the library saw before."""
        now = datetime.now(UTC)
        for slot, turn in self._turns.items():
            turn.job.modify(next_run_time=slot.next(now))

    async def stop(self) -> None:
        """End all runs; returns when no probe holds a socket any more."""
        if self._jobs.running:
            self._jobs.pause()
        for planned in self._planned.values():
            if planned.again:
                planned.again.cancel()
        self._planned.clear()
        self._turns.clear()  # one that has not begun yet finds nothing to do
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._jobs.running:
            self._jobs.shutdown(wait=False)  # takes effect in the next round of the loop
            await asyncio.sleep(0)

    def adopt(self, checks: Mapping[str, Check]) -> None:
        """Take over a new set of checks; those that did not change keep their turns, sessions and counters."""
        for id_ in [each for each, planned in self._planned.items() if checks.get(each) != planned.check]:
            planned = self._planned.pop(id_)
            if planned.again:
                planned.again.cancel()
            if turn := self._turns.get(slot_of(id_, planned.check.interval_seconds)):
                turn.checks.pop(id_, None)
        new: list[_Planned] = []
        for id_, check in checks.items():
            if id_ not in self._planned:
                shared = self._shared.setdefault((check.probe, check.address), Memory())
                self._planned[id_] = planned = _Planned(
                    check,
                    Request(
                        address=check.address,
                        options=check.options,
                        timeout_seconds=check.timeout_seconds,
                        shared=shared,
                    ),
                )
                if self._kinds[check.probe].stream is None:
                    self._turn_at(slot_of(id_, check.interval_seconds)).checks[id_] = planned
                    if check.interval_seconds > FIRST_LOOK_SECONDS:
                        new.append(planned)
        self.patient = sum(self._kinds[each.probe].loads_the_line for each in checks.values())
        if new:
            self._keep(self._look_first(new), "first look")
        for slot in [each for each, turn in self._turns.items() if not turn.checks]:
            self._turns.pop(slot).job.remove()
        self._feed_streams()

    async def _look_first(self, new: Iterable[_Planned]) -> None:
        """Run each once, spread over FIRST_LOOK_SECONDS; a timer for each would cost more than the rest of `adopt`."""
        clock = asyncio.get_running_loop().time
        begin = clock()
        for share, planned in sorted(((_share(each.check.id), each) for each in new), key=itemgetter(0)):
            await asyncio.sleep(begin + share * FIRST_LOOK_SECONDS - clock())
            if self._is_planned(planned) and not planned.running:
                self._begin(planned, first=True)

    def _turn_at(self, slot: Slot) -> _Turn:
        turn = self._turns.get(slot)
        if turn is None:
            first = slot.next(datetime.now(UTC))
            job = self._jobs.add_job(self._start_turn, _Trigger(slot), args=(slot,), next_run_time=first)
            self._turns[slot] = turn = _Turn(job)
        return turn

    def _feed_streams(self) -> None:
        for name, kind in self._kinds.items():
            if kind.stream is None:
                continue
            requests = {
                id_: (each.request, each.check.interval_seconds)
                for id_, each in self._planned.items()
                if each.check.probe == name
            }
            if name not in self._streams and requests:
                self._streams[name] = stream = kind.stream(self._streamed)
                self._keep(self._run_stream(name, stream), f"stream {name}")
            if name in self._streams:
                self._streams[name].update(requests)

    @staticmethod
    async def _run_stream(name: str, stream: Stream) -> None:
        """A stream carries hundreds of checks: whatever ends it, it goes on."""
        while True:
            try:
                await stream.run()
            except Exception:
                log.exception("stream %s broke off, started again", name)
            await asyncio.sleep(1)

    def _streamed(self, check_id: str, result: Result, duration_seconds: float) -> None:
        planned = self._planned.get(check_id)
        if planned is not None:
            self._hand_on(planned.check, result, duration_seconds)

    def _hand_on(self, check: Check, result: Result, duration_seconds: float) -> None:
        """Give an observation away; a mistake of ours in judging it must not stop the checks of others."""
        try:
            self._observed(observe(check, result, duration_seconds))
        except Exception:
            self.errors += 1
            log.exception("the observation of %s was lost", check.id)

    def _keep(self, work: Any, name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("%s ended: %s", task.get_name(), error, exc_info=error)

    async def _start_turn(self, slot: Slot) -> None:
        """Start the runs of a turn. APScheduler calls it in a task of its own, which is over before any of them has begun."""
        turn = self._turns.get(slot)
        if turn is None:
            return
        due = turn.job.next_run_time - timedelta(seconds=slot.interval_seconds)
        late = (datetime.now(UTC) - due).total_seconds() > LATE_SECONDS
        for planned in turn.checks.values():
            if planned.running:
                self.missed += not planned.first
                planned.first = False
            else:
                self.late += late
                self._begin(planned)

    def _begin(self, planned: _Planned, *, first: bool = False) -> None:
        if self._spares(planned.check):
            return
        planned.running, planned.first = True, first
        self._keep(self._run(planned), f"run {planned.check.id}")

    def _spares(self, check: Check) -> bool:
        """Whether the run is left out for a meeting; counts it."""
        spared = self._kinds[check.probe].loads_the_line and self._in_meeting(check.target)
        self.spared += spared
        return spared

    def _room_for(self, check: Check) -> AbstractAsyncContextManager[None]:
        """Entered when one more run of its kind may begin."""
        return self._room_on_line(check) if self._kinds[check.probe].loads_the_line else self._room[check.probe]

    @asynccontextmanager
    async def _room_on_line(self, check: Check) -> AsyncIterator[None]:
        """Of the site first, so that who waits for it takes nobody's place."""
        site = check.target.partition("/")[0]
        async with self._site_rooms.setdefault(site, asyncio.Semaphore(self._loading.per_site)), self._line_room:
            yield

    async def _run(self, planned: _Planned) -> None:
        try:
            async with self._room_for(planned.check):
                # The wait may have been long: the check has left since, or a meeting has begun.
                wanted = self._is_planned(planned) and not self._spares(planned.check)
                found = await run_once(self._kinds[planned.check.probe], planned.request) if wanted else None
        finally:
            planned.running = False
        if planned.once_more:
            planned.once_more = False
            self.recheck(planned.check.id)
        if found and self._is_planned(planned):  # else it was asked by settings that are gone
            self._hand_on(planned.check, *found)

    def _is_planned(self, planned: _Planned) -> bool:
        return self._planned.get(planned.check.id) is planned

    def recheck(self, check_id: str, delay_seconds: float = RECHECK_SECONDS) -> None:
        """Ask again soon; asking twice is asking once."""
        planned = self._planned.get(check_id)
        if planned is None:
            return
        stream = self._streams.get(planned.check.probe)
        if stream is not None:
            stream.recheck(check_id)
        elif planned.running:
            planned.once_more = True
        elif planned.again is None:
            planned.again = asyncio.get_running_loop().call_later(delay_seconds, self._again, planned)

    def _again(self, planned: _Planned) -> None:
        planned.again = None
        if not planned.running:
            self._begin(planned)
