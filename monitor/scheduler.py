"""When checks run (only user of APScheduler).

Starts are spread over the interval by a hash of the check's id, so that 1,000 checks of a minute are 17 a second and not
1,000 at once, and a restart does not change who runs when. A run that is still under way when its next turn comes makes
that turn a missed one: nothing piles up behind a target that hangs. Kinds with a stream run there instead.
"""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from monitor.core.model import Check, Observation
from probes.registry import Kind, Memory, Request, Result, Stream, observe, run_once

log = logging.getLogger(__name__)

RECHECK_SECONDS = 1.5
"""Pause before a check that is not sure of itself is asked again."""

MAX_RUNS_AT_ONCE = 200
"""Bound on sockets and memory when a whole province hangs."""

CLOCK_LOOK_SECONDS = 5.0
CLOCK_STEP_SECONDS = 2.0
"""A smaller change of the wall clock is slewing and does no harm."""

FIRST_LOOK_SECONDS = 20.0
"""Every check is run once within this time of being new, whatever its interval: after a start nobody waits an hour to know."""

LATE_SECONDS = 1.0
"""A start this long after its time counts as late."""


@dataclass(slots=True)
class _Planned:
    check: Check
    request: Request[Any]
    running: bool = False
    once_more: bool = False
    """Asked for again while a run was under way, which may have begun before the news."""
    again: asyncio.TimerHandle | None = None


def _share(check_id: str) -> float:
    """The check's place among all others, from 0 to below 1; always the same."""
    return zlib.crc32(check_id.encode()) / 2**32


def _next_turn(check: Check, now: datetime) -> datetime:
    """The first turn from now on; turns are fixed points of the clock, whenever the daemon was started."""
    interval = check.interval_seconds
    return now + timedelta(seconds=(_share(check.id) * interval - now.timestamp()) % interval)


class Scheduler:
    """Runs all checks of an inventory and hands each observation on."""

    def __init__(self, kinds: Mapping[str, Kind], observed: Callable[[Observation], None]) -> None:
        self._kinds = kinds
        self._observed = observed
        self._planned: dict[str, _Planned] = {}
        self._streams: dict[str, Stream] = {}
        self._shared: WeakValueDictionary[tuple[str, str], Memory] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(MAX_RUNS_AT_ONCE)
        self._jobs = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        self._jobs.add_listener(self._count_missed, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        self.late = 0
        """Runs that started more than LATE_SECONDS after their time."""
        self.missed = 0
        """Runs that were left out because the one before was still under way."""
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

    async def _watch_clock(self) -> None:
        """APScheduler plans by the wall clock: when that is set back by an hour, all turns would wait for an hour."""
        offset = time.time() - time.monotonic()
        while True:
            await asyncio.sleep(CLOCK_LOOK_SECONDS)
            now = time.time() - time.monotonic()
            if abs(now - offset) > CLOCK_STEP_SECONDS:
                log.warning("the clock was set by %+.1f s, turns are moved with it", now - offset)
                self.move_turns(timedelta(seconds=now - offset))
                offset = now

    def move_turns(self, step: timedelta) -> None:
        """Move the next turn of every check by `step`, as the clock was."""
        for job in self._jobs.get_jobs():
            if job.next_run_time is not None:
                job.modify(next_run_time=job.next_run_time + step)

    async def stop(self) -> None:
        """End all runs; returns when no probe holds a socket any more."""
        if self._jobs.running:
            self._jobs.pause()
        for planned in self._planned.values():
            if planned.again:
                planned.again.cancel()
        self._planned.clear()  # a turn that has not begun yet finds nothing to do
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
            if self._jobs.get_job(id_):
                self._jobs.remove_job(id_)
        for id_, check in checks.items():
            if id_ not in self._planned:
                shared = self._shared.setdefault((check.probe, check.address), Memory())
                self._planned[id_] = _Planned(
                    check,
                    Request(
                        address=check.address,
                        options=check.options,
                        timeout_seconds=check.timeout_seconds,
                        shared=shared,
                    ),
                )
                if self._kinds[check.probe].stream is None:
                    self._add_job(check)
                    if check.interval_seconds > FIRST_LOOK_SECONDS:
                        self.recheck(id_, _share(id_) * FIRST_LOOK_SECONDS)
        self._feed_streams()

    def _add_job(self, check: Check) -> None:
        first = _next_turn(check, datetime.now(UTC))
        trigger = IntervalTrigger(seconds=check.interval_seconds, start_date=first, timezone=UTC)
        self._jobs.add_job(self._turn, trigger, id=check.id, args=(check.id,), next_run_time=first)

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

    def _count_missed(self, _event: JobEvent) -> None:
        self.missed += 1

    async def _turn(self, check_id: str) -> None:
        """One turn of the timetable. APScheduler calls it in a task of its own."""
        job, planned = self._jobs.get_job(check_id), self._planned.get(check_id)
        if planned is None:
            return
        if job is not None and job.next_run_time is not None:
            due = job.next_run_time - timedelta(seconds=planned.check.interval_seconds)
            if (datetime.now(UTC) - due).total_seconds() > LATE_SECONDS:
                self.late += 1
        if planned.running:
            self.missed += 1
        else:
            # APScheduler neither waits for its tasks at the end nor bears their being cancelled, so this one is ours.
            await asyncio.wait([self._keep(self._run(planned), f"turn {check_id}")])

    async def _run(self, planned: _Planned) -> None:
        planned.running = True
        try:
            async with self._slots:
                result, duration = await run_once(self._kinds[planned.check.probe], planned.request)
        finally:
            planned.running = False
        if planned.once_more:
            planned.once_more = False
            self.recheck(planned.check.id)
        if self._planned.get(planned.check.id) is planned:  # else it was asked by settings that are gone
            self._hand_on(planned.check, result, duration)

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
        if planned.running:
            return
        self._keep(self._run(planned), f"recheck {planned.check.id}")
