"""Decide once more what was recorded, faster than real time: the very same decider, given the very same calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.silencing import Silencing
from monitor.core.decider import EXPIRE, TICK, Decider
from monitor.core.judge import STALE_INTERVALS
from monitor.core.model import Incident, IncidentEvent, Inventory, Observation
from monitor.recording import (
    Acknowledged,
    ClockSet,
    Dropped,
    Entry,
    Header,
    LeftOut,
    Patient,
    Silenced,
    Tick,
    Unsilenced,
    fingerprint,
)

BACKWARDS = timedelta(seconds=5)
"""A time that is further back than this: the clock was set. Observations come out of order by less."""


@dataclass(slots=True)
class Replay:
    """A recording on its way through the decider."""

    inventory: Inventory
    observations: int = 0
    dropped: int = 0
    """Lines that the recording says it lacks."""
    foreign: list[datetime] = field(default_factory=list)
    """Since when it was recorded with an inventory that decides otherwise."""
    now: datetime | None = None
    told: list[IncidentEvent] = field(default_factory=list)
    """What somebody could be mailed of: not what silences hold back, and that when they are over."""
    _decider: Decider | None = None
    _silencing: Silencing = field(init=False)
    _ticks: bool = True
    _heard: datetime | None = None
    _patience: timedelta = EXPIRE
    """When nothing was heard for so long, no check has anything left to become unknown."""

    def open(self) -> tuple[Incident, ...]:
        """Incidents that are open now."""
        return self._decider.correlator.incidents() if self._decider else ()

    def events(self, entries: Iterable[Entry], until: datetime | None = None) -> Iterator[IncidentEvent]:
        """What happens to incidents, up to a time; can be called again to go on with more."""
        for entry in entries:
            at = self._time_of(entry)
            if until is not None and at is not None and at > until:
                break
            yield from self._happened(self._play(entry))
        if until is not None and not self._ticks:
            yield from self._happened(self._pass(until))

    def _happened(self, events: Iterable[IncidentEvent]) -> Iterator[IncidentEvent]:
        for event in events:
            if (told := self._silencing.tell(event, self.inventory)) is not None:
                self.told.append(told)
            yield event

    @staticmethod
    def _time_of(entry: Entry) -> datetime | None:
        return None if isinstance(entry, (LeftOut, Dropped)) else entry.at

    def _play(self, entry: Entry) -> Iterator[IncidentEvent]:
        if isinstance(entry, Header):
            yield from self._begin(entry)
            return
        decider = self._decider
        assert decider is not None, "read() gives the header first"
        match entry:
            case Observation():
                self.observations += 1
                if not self._ticks:
                    yield from self._pass(entry.at)
                self._heard = entry.at
                decision, _ = decider.observe(entry)
                yield from decision.events if decision else ()
            case Tick(at, silence):
                self.now = at
                yield from (decider.tick(at) if silence else decider.correlator.tick(at)).events
                self._break_silence()
            case ClockSet(at, step):
                decider.clock_set(step, at)
            case Patient(at):
                decider.be_patient(at)
            case Acknowledged() | Silenced() | Unsilenced():
                if not self._ticks:
                    yield from self._pass(entry.at)
                yield from self._act(decider, entry)
            case LeftOut(check, runs):
                decider.judge.left_out(check, runs)
            case Dropped(lines):
                self.dropped += lines

    def _act(self, decider: Decider, entry: Acknowledged | Silenced | Unsilenced) -> Iterator[IncidentEvent]:
        match entry:
            case Acknowledged(at, incident, by):
                if incident in decider.correlator.open:  # unless it is decided otherwise
                    yield from decider.correlator.acknowledge(incident, by, at).events
            case Silenced(_, silence):
                self._silencing.in_force.append(silence)
            case Unsilenced(_, number):
                self._silencing.lift(number)

    def _begin(self, header: Header) -> Iterator[IncidentEvent]:
        if header.inventory != fingerprint(self.inventory):
            self.foreign.append(header.at)
        if self._decider is None:
            self._decider = Decider(self.inventory, header.at, header.known)
            self._silencing = Silencing(self.inventory, header.silences, header.untold)
            self.now = self._heard = header.at
            self._ticks = header.ticks
            checks = self.inventory.checks().values()
            longest = max(
                (STALE_INTERVALS * each.interval_seconds + each.timeout_seconds for each in checks), default=0
            )
            self._patience = timedelta(seconds=longest) + 2 * EXPIRE
            return
        ended, changed = self._decider.adopt(self.inventory, header.at)
        yield from (*ended.events, *changed.events)

    def _pass(self, at: datetime) -> Iterator[IncidentEvent]:
        """Let time pass until an observation; where nothing waits only silence must be looked for, and that not for ever."""
        assert self._decider is not None
        assert self.now is not None
        if at < self.now - BACKWARDS:
            self.now = at
        while self.now + TICK < at:
            waits = self._decider.correlator.waits
            if not waits and self.now - (self._heard or self.now) > self._patience:
                self.now += (at - self.now) // TICK * TICK  # all that can become unknown has
                break
            self.now += TICK if waits else min(EXPIRE, (at - self.now) // TICK * TICK)
            yield from self._decider.tick(self.now).events
            self._break_silence()
        self._break_silence()

    def _break_silence(self) -> None:
        assert self._decider is not None
        assert self.now is not None
        self.told += self._silencing.over(self._decider.correlator.incidents(), self.inventory, self.now)
