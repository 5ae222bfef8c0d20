"""One observation in, one transaction out: judge → correlate → policy → store.

Deciding happens in memory and at once; what was decided is written in batches by one task, in the order of deciding, and a
batch that cannot be written is kept and tried again. Mails leave only after they are written.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from alerts.policy import Policy
from alerts.routing import Routing
from alerts.silencing import Silencing
from alerts.summary import as_mailed
from monitor.core.correlate import Correlator
from monitor.core.decider import Decider
from monitor.core.judge import Judge
from monitor.core.ledger import Member, members
from monitor.core.model import (
    Acknowledgement,
    Happening,
    Held,
    Incident,
    IncidentEvent,
    Inventory,
    Notification,
    Observation,
    Silence,
)
from monitor.core.rename import check_id, incident_as, renamed_targets
from monitor.core.seen import Decision
from monitor.database import StoreError
from monitor.recorder import Recorder
from monitor.recording import Acknowledged, ClockSet, Entry, Patient, Silenced, Tick, Unsilenced, header
from monitor.store import Store

log = logging.getLogger(__name__)

RETRY_SECONDS = 2.0
KEEP_SECONDS = 600.0
"""What was learnt is written this often, and at the end."""
KEPT_AT_ONCE = 200
JUMP = timedelta(seconds=2)
"""A wall clock that was set by less is being slewed, and a daemon that was stopped for less has missed nothing."""
BEAT_SECONDS = 5.0
"""A sign of life is written at least this often: what a killed daemon can lose of the ledger."""
SETTLE_SECONDS = 60.0
"""After a start, or a pause that was longer, nothing is told for so long that time alone brings: what is taken for open may
have been mended meanwhile."""
KEPT_CLOSED = 50
"""Closed incidents that are kept in memory for the board."""


@dataclass(slots=True)
class _Batch:
    states: list[Held] = field(default_factory=list)
    events: list[IncidentEvent] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)
    members: tuple[Member, ...] | None = None
    """Of a new inventory."""

    def __bool__(self) -> bool:
        return bool(self.states or self.events or self.notifications) or self.members is not None


class Pipeline:
    """Holds what decides about the running inventory."""

    def __init__(
        self,
        *,
        inventory: Inventory,
        routing: Routing,
        known: Iterable[Incident],
        told: Iterable[Notification],
        store: Store,
        clock: Callable[[], datetime],
        steady: Callable[[], float],
        recheck: Callable[[str], None],
        stored: Callable[[], None],
        clock_set: Callable[[], None],
        recorder: Recorder | None = None,
        silences: Iterable[Silence] = (),
        untold: Mapping[str, Happening] | None = None,
        begun: Mapping[str, datetime] | None = None,
        held: Iterable[Notification] = (),
        closed: Iterable[Incident] = (),
        resumed: datetime | None = None,
    ) -> None:
        """`resumed`: when a daemon came back that had been away. `known` are the incidents that may go on: open ones, and those that recovered lately; `closed` are for the board."""
        self.inventory = inventory
        self._store, self._clock, self._steady = store, clock, steady
        self._recheck, self._stored, self._clock_set = recheck, stored, clock_set
        self._looked, self._looked_steady = clock(), steady()
        """The wall clock at the last look, and the seconds of the clock that nobody sets."""
        self.recorder, known = recorder, tuple(known)
        self._silencing = Silencing(inventory, silences, untold)
        self._record_header(inventory, self._looked, known, self._silencing)
        self._decider = Decider(inventory, self._looked, known)
        self.revision = 0
        """Grows with each change of a state, an incident, a silence or the settings."""
        self.last: dict[str, Observation] = {}
        self.closed = list(closed)
        """The newest first."""
        self._policy = Policy(routing, inventory, told, begun, held, now=self._looked, resumed=resumed)
        self._look_again = True
        """Something happened since time was last asked what is due."""
        self._settled = steady() + SETTLE_SECONDS
        self.event_counts: dict[tuple[str, str], int] = {}
        self._batch = _Batch(members=members(inventory, clock()))
        self._writing = _Batch()
        """What is just being written."""
        self._unwritten_since: float | None = None
        self._wake = asyncio.Event()
        self._wake.set()

    @property
    def judge(self) -> Judge:
        """What every check is held to be."""
        return self._decider.judge

    @property
    def correlator(self) -> Correlator:
        """What every target is held to be, and the open incidents."""
        return self._decider.correlator

    def adopt(self, inventory: Inventory, routing: Routing) -> None:
        """Go on with a new inventory and new routing; whatever did not change keeps its state and its incident."""
        now, names = self._look_at_clocks(), renamed_targets(self.inventory, inventory)
        self._record_header(inventory, now)
        ended, changed = self._decider.adopt(inventory, now)
        self.last = {
            check: seen._replace(check=check, target=names.get(seen.target, seen.target))
            for known, seen in self.last.items()
            if (check := check_id(known, names)) in self.judge.checks
        }
        self.closed = [incident_as(each, names) for each in self.closed]
        self._silencing.rename(inventory)
        self._take(ended)  # told with the old names: theirs are what was announced
        self.inventory = inventory
        self._policy.adopt(routing, inventory)
        self._batch.members = members(inventory, self._clock())
        self._take(changed)
        self.revision += 1

    def observed(self, observation: Observation) -> None:
        """Take one observation."""
        if abs(observation.at - self._looked) > JUMP:
            self._look_at_clocks()
        self.last[observation.check] = observation
        self._record(observation)
        decision, again = self._decider.observe(observation)
        if again:
            self._recheck(observation.check)
        if decision is not None:
            self._take(decision)

    def _record(self, entry: Entry) -> None:
        if self.recorder is not None:
            self.recorder.add(entry)

    def _record_header(
        self, inventory: Inventory, now: datetime, known: Iterable[Incident] = (), silencing: Silencing | None = None
    ) -> None:
        if self.recorder is None:
            return  # for the fingerprint of a province takes a third of a second
        silences, untold = (silencing.in_force, silencing.untold) if silencing else ((), None)
        self.recorder.add(header(inventory, now, known, silences, untold))

    def _take(self, decision: Decision) -> None:
        for target in decision.recheck:
            for check in self.inventory.targets[target].checks if target in self.inventory.targets else ():
                self._recheck(check.id)
        self._batch.states.extend(decision.states)
        for event in decision.events:
            self._look_again = True
            self._batch.events.append(event)
            if (told := self._silencing.tell(event, self.inventory)) is not None:
                self._mail(told)
            self._note(event)
        if decision.states or decision.events:
            self.revision += 1
        if self._batch:
            self._wake.set()

    def acknowledge(self, incident: str, by: Acknowledgement | None) -> None:
        """Somebody has an open incident, or (None) gives it back."""
        at = by.at if by else self._clock()
        self._record(Acknowledged(at, incident, by))
        self._take(self.correlator.acknowledge(incident, by, at))

    @property
    def silences(self) -> Sequence[Silence]:
        """Those in force."""
        return self._silencing.in_force

    def silence(self, target: str) -> Silence | None:
        """The silence that is in force about a target as a root."""
        return self._silencing.about(target, self.inventory, self._clock())

    def silenced(self, silence: Silence) -> None:
        """From now on there is this silence."""
        self._record(Silenced(self._clock(), silence))
        self._silencing.in_force.append(silence)
        self.revision += 1

    def unsilenced(self, silence: Silence) -> None:
        """It is lifted; what it held back is told when next time passes."""
        self._record(Unsilenced(self._clock(), silence.id))
        self._silencing.lift(silence.id)
        self.revision += 1

    def _break_silence(self, now: datetime) -> None:
        """Tell of what silences held back that are over."""
        for told in self._silencing.over(self.correlator.incidents(), self.inventory, now):
            self._mail(told)
        if self._batch:
            self._wake.set()

    def _mail(self, event: IncidentEvent) -> None:
        self._batch.notifications.extend(self._policy.happened(as_mailed(event, self.inventory)))

    def _tell_what_is_due(self) -> None:
        """Tell what time alone brings: steps of escalation, reminders, and who came on duty."""
        now, due = self._clock(), self._policy.next
        if self._steady() < self._settled or not (self._look_again or (due is not None and now >= due)):
            return
        self._look_again = False
        open_ones = (each for each in self.correlator.incidents() if each.id not in self._silencing.untold)
        telling = self._policy.due(now, [each for each in open_ones if self.silence(each.root) is None])
        self._batch.notifications.extend(telling)
        if self._batch:
            self._wake.set()

    def _note(self, event: IncidentEvent) -> None:
        key = (event.incident.cause.value, event.what.value)
        self.event_counts[key] = self.event_counts.get(key, 0) + 1
        if event.what is Happening.REOPENED:
            self.closed = [each for each in self.closed if each.id != event.incident.id]
        elif event.what in (Happening.RECOVERED, Happening.WITHDRAWN):
            self.closed.insert(0, event.incident)
            for forgotten in self.closed[KEPT_CLOSED:]:  # those before may come back
                self._policy.forget(forgotten.id)
            del self.closed[KEPT_CLOSED:]
        log.info(
            "incident %s: %s %s at %s", event.what, event.incident.cause, event.incident.state, event.incident.root,
            extra={"incident": event.incident.id},
        )  # fmt: skip

    async def run(self) -> None:
        """Let time pass for judge and correlator, and write what was decided, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tick())
            group.create_task(self._write())
            group.create_task(self._keep_learnt())

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._decider.pause(self._clock()).total_seconds())
            self._pass_time()

    def _pass_time(self) -> None:
        now = self._look_at_clocks()
        self._record(Tick(now))
        self._take(self._decider.tick(now))
        self._break_silence(now)
        self._tell_what_is_due()

    def _look_at_clocks(self) -> datetime:
        """The time; when the wall clock was set, or we were stopped or the host slept, what we remember is put right."""
        now, steady = self._clock(), self._steady()
        passed = timedelta(seconds=steady - self._looked_steady)
        step = now - self._looked - passed
        self._looked, self._looked_steady = now, steady
        if abs(step) > JUMP:
            log.warning("the clock was set by %+.1f s", step.total_seconds())
            self._record(ClockSet(now, step))
            self._decider.clock_set(step, now)
            self._policy.clock_set(step)
            self._look_again = True
            self._clock_set()
        elif passed > JUMP:
            log.warning("stood still for %.1f s", passed.total_seconds())
            if passed.total_seconds() > SETTLE_SECONDS:
                self._settled = steady + SETTLE_SECONDS
            self._record(Patient(now))
            self._decider.be_patient(now)
        return now

    async def _write(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(
                    BEAT_SECONDS
                ):  # wait_for() can lose the end of the task (Python issue 86296)
                    await self._wake.wait()
            self._wake.clear()
            await self._flush_until_written()

    def stalled_seconds(self) -> float:
        """How long ago time passed for what decides: a second or two while it is alive."""
        return self._steady() - self._looked_steady

    def unwritten(self) -> tuple[float, Sequence[Notification]]:
        """For how many seconds something has waited to be written, and the notifications among that."""
        if self._unwritten_since is None:
            return 0.0, ()
        waiting = [each for each in (*self._writing.notifications, *self._batch.notifications) if each.held is None]
        return self._steady() - self._unwritten_since, waiting

    async def _flush_until_written(self) -> None:
        written = False
        self._unwritten_since = self._steady()
        while self._batch or not written:
            batch = self._writing = self._batch
            self._batch = _Batch()
            try:
                await self._put(batch)
                written = True
                self._writing = _Batch()
            except StoreError as error:
                log.error("not written, tried again in %g s: %s", RETRY_SECONDS, error)  # noqa: TRY400
                self._keep(batch)
                await asyncio.sleep(RETRY_SECONDS)
            except asyncio.CancelledError:
                self._keep(batch)  # perhaps not begun yet; flush() writes it, which changes nothing when it was
                raise
            else:
                if batch.notifications:
                    self._stored()
        self._unwritten_since = None

    def _keep(self, batch: _Batch) -> None:
        """Put back a batch that is not on disk for certain, before what was decided since."""
        self._writing = _Batch()
        self._batch.states[:0] = batch.states
        self._batch.events[:0] = batch.events
        self._batch.notifications[:0] = batch.notifications
        if self._batch.members is None:
            self._batch.members = batch.members

    async def _keep_learnt(self) -> None:
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            try:
                await self.keep_learnt()
            except StoreError as error:
                log.error("what is usual was not written, tried again in %g s: %s", KEEP_SECONDS, error)  # noqa: TRY400

    async def keep_learnt(self) -> None:
        """Write what is usual, some checks at a time: a nation has thousands of lines, and the loop other work."""
        learnt = iter(self.judge.learnt())
        while some := tuple(islice(learnt, KEPT_AT_ONCE)):
            await self._store.keep(some, self._clock())

    async def flush(self) -> None:
        """Write what is left, the last sign of life, and what was learnt, at the end."""
        batch, self._batch = self._batch, _Batch()
        await self._put(batch)
        await self.keep_learnt()

    async def _put(self, batch: _Batch) -> None:
        await self._store.record(batch.states, batch.events, batch.notifications, self._clock(), batch.members)
