"""What a room's last call suffered: MIBs tell of the call that runs, and few of one that is over (Cisco's keeps a table of them).

Pure: times come in. While a room is in a call each read of its loss and jitter is noted. The first read that finds it in none ends
the call, and what it suffered stays told until another one is over. A room in several calls at once is in one from the first to
the last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitor.core.words import LOCAL
from probes.registry import Metric

CALLS, LOSS, JITTER = "room_calls", "room_loss_ratio", "room_jitter_seconds"
SO_FAR = "room_call_loss_ratio"
LAST = "room_last_call"
MOST_SECONDS = 300.0
"""A read stands for the time since the one before it, and for no more than this: rooms tell the mean of no longer time
(ctpcSamplePeriod of CISCO-TELEPRESENCE-CALL-MIB), and what was while we could not read nobody knows."""
LEAST_SECONDS = 1.0
"""Nor for less: the first read after a start counts too."""
MOST_COUNTERS = 1024
"""Rows of counters that are known of a call."""
METRICS = tuple(
    Metric(name=f"{LAST}_{name}", help=text, asked_for=True)
    for name, text in {  # the loss itself is a value too, for some rooms keep it
        "worst_loss_ratio": "The worst read of it.",
        "jitter_seconds": "Mean jitter of what a room received in its last call.",
        "worst_jitter_seconds": "The worst read of it.",
        "began_timestamp_seconds": "First read that found the room in its last call, Unix time.",
        "ended_timestamp_seconds": "Last read that found the room in its last call, Unix time.",
    }.items()
)

Counters = Mapping[tuple[str, str], tuple[float, float]]
"""By value and row: packets that were missed, and all that should have come, since the row began to count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What one read told."""

    at: float
    """Seconds of a monotonic clock."""
    now: datetime
    values: Mapping[str, float]
    """Measurements that were told just now."""
    counters: Counters
    rebooted: bool
    """The room has started anew since the read before: its calls are over."""


@dataclass(slots=True)
class _Course:
    """A measurement over a call, each read weighed by the time for which it stands."""

    total: float = 0.0
    seconds: float = 0.0
    worst: float = 0.0

    def note(self, value: float, seconds: float) -> None:
        self.total, self.seconds = self.total + value * seconds, self.seconds + seconds
        self.worst = max(self.worst, value)


@dataclass(slots=True, kw_only=True)
class _Call:
    first: float
    """Its first read on the monotonic clock: the other one may be set while it runs, of a small machine from 1970 on."""
    began: datetime
    ended: datetime
    courses: dict[str, _Course] = field(default_factory=dict)
    seen: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)
    """The counters as they were read last."""
    missed: float = 0.0
    packets: float = 0.0

    def note(self, read: Read, seconds: float) -> None:
        self.began, self.ended = read.now - timedelta(seconds=read.at - self.first), read.now
        for name in (LOSS, JITTER):
            if name in read.values:
                self.courses.setdefault(name, _Course()).note(read.values[name], seconds)
        for row, (missed, packets) in read.counters.items():
            before = self.seen.get(row, (0.0, 0.0))
            if missed < before[0] or packets < before[1]:  # it counts anew
                before = (0.0, 0.0)
            self.missed, self.packets = self.missed + missed - before[0], self.packets + packets - before[1]
        kept = self.seen if len(self.seen) < MOST_COUNTERS else {}  # a stream may pause, and go on counting
        self.seen = {**kept, **read.counters}

    def mean(self, name: str) -> float | None:
        """Of loss by the counters, where there are some: they miss nothing between the reads."""
        if name == LOSS and self.packets:
            return min(1.0, self.missed / self.packets)  # a room may count anything
        course = self.courses.get(name)
        return course.total / course.seconds if course else None

    def told(self) -> Iterator[tuple[str, float, float]]:
        """Loss and jitter as far as they are known, each with its mean and its worst, which is no less."""
        for name in (LOSS, JITTER):
            if (mean := self.mean(name)) is not None:
                yield name, mean, max(mean, self.courses.get(name, _Course()).worst)

    def values(self) -> Iterator[tuple[str, float]]:
        for name, mean, worst in self.told():
            short = name.removeprefix("room_")
            yield f"{LAST}_{short}", mean
            yield f"{LAST}_worst_{short}", worst
        yield f"{LAST}_began_timestamp_seconds", self.began.timestamp()
        yield f"{LAST}_ended_timestamp_seconds", self.ended.timestamp()

    def __str__(self) -> str:
        began, ended = (at.astimezone(LOCAL) for at in (self.began, self.ended))
        said = [f"last call {began:%d/%m %H:%M} to {ended:%H:%M} ({began:UTC%z})"]
        for name, mean, worst in self.told():
            word, unit, factor = ("lost", "%", 100) if name == LOSS else ("jitter", "ms", 1000)
            said.append(f"{word} {mean * factor:.3g} {unit}, at worst {worst * factor:.3g} {unit}")
        return ", ".join(said)


@dataclass(slots=True)
class Calls:
    """The call that a room is in, and the last one that is over."""

    _running: _Call | None = None
    _last: _Call | None = None
    _read: float | None = None

    def note(self, read: Read) -> None:
        """Take a read in; one that does not tell whether the room is in a call is none."""
        if CALLS not in read.values:
            return
        since, self._read = self._read, read.at
        seconds = LEAST_SECONDS if since is None else min(max(read.at - since, LEAST_SECONDS), MOST_SECONDS)
        in_call = read.values[CALLS] > 0
        if self._running and (read.rebooted or not in_call):
            if self._running.courses or self._running.packets:  # else nothing is known of it but that it was
                self._last = self._running
            self._running = None
        if in_call:
            self._running = self._running or _Call(first=read.at, began=read.now, ended=read.now)
            self._running.note(read, seconds)

    def values(self) -> dict[str, float]:
        """The measurements of the last call; none before one is over."""
        return dict(self._last.values()) if self._last else {}

    def __str__(self) -> str:
        """As evidence; empty before a call is over."""
        return str(self._last or "")
