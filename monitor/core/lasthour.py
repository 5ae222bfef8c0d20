"""What was measured about lines and services in the last hour, one point a minute: what the chart of a mail is drawn from.

PURE. In memory only, and bounded: two numbers of four bytes a minute and target.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from monitor.core.model import Check, Inventory, Observation, Outcome, Role, Target
from monitor.core.rename import Names

ECHO = "icmp"
ECHO_RTT = 'probe_icmp_duration_seconds{phase="rtt"}'
"""The measurement of an echo."""
POINTS = 60
EVERY = timedelta(minutes=1)
AT_ONCE = 500
"""Targets that are looked at without a pause: about a millisecond."""
NOTHING = math.nan

Loss = Callable[[str], float | None]
"""Lost runs in the window of a check, 0 to 1; None when it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One look at a target."""

    at: datetime
    seconds: float
    """Round trip of a line, time to answer of a service; NaN when there was no answer."""
    lost: float
    """Of a line the loss of the last minute, of a service 1 when its last run failed; NaN when nothing is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The points of a target, oldest first."""

    role: Role
    points: tuple[Point, ...]


class LastHour:
    """The points of all targets that have numbers; those of what left the inventory go with it."""

    def __init__(self) -> None:
        self._times: list[datetime | None] = [None] * POINTS
        self._next = 0
        self._checks: dict[str, tuple[Check, Role]] = {}
        """By target, the check that is drawn."""
        self._rows: dict[str, array[float]] = {}
        """By target, seconds and loss in turn."""

    def rename(self, names: Names) -> None:
        """Go on under other ids of targets; to be followed by `adopt`."""
        self._rows = {names.get(target, target): row for target, row in self._rows.items()}

    def adopt(self, inventory: Inventory) -> None:
        """Take over an inventory."""
        found = ((target, _drawn(target)) for target in inventory.targets.values())
        self._checks = {target.id: (check, target.role) for target, check in found if check is not None}
        self._rows = {each: row for each, row in self._rows.items() if each in self._checks}

    def look(self, last: Mapping[str, Observation], loss: Loss, now: datetime) -> Iterator[None]:
        """Note a point of every target, in place of those of an hour ago; may pause wherever it yields."""
        place, self._next = 2 * self._next, (self._next + 1) % POINTS
        self._times[place // 2] = None  # nothing of it is shown until all is there
        targets = iter(list(self._checks.items()))
        while some := list(islice(targets, AT_ONCE)):
            for target, (check, _) in some:
                row = self._rows.get(target)
                if row is None:
                    row = self._rows[target] = array("f", [NOTHING]) * (2 * POINTS)
                row[place], row[place + 1] = _measured(last.get(check.id), loss)
            yield
        self._times[place // 2] = now

    def of(self, target: str, last: Mapping[str, Observation], loss: Loss, now: datetime) -> Series | None:
        """The points of a target and what is measured now; None when it is not drawn."""
        check, role = self._checks.get(target, (None, None))
        if check is None or role is None:
            return None
        row, points = self._rows.get(target, array("f", [NOTHING]) * (2 * POINTS)), []
        for place, at in enumerate(self._times):
            if at is not None and timedelta(0) <= now - at <= POINTS * EVERY:  # a clock that was set has no past
                points.append(Point(at=at, seconds=row[2 * place], lost=row[2 * place + 1]))
        seconds, lost = _measured(last.get(check.id), loss)
        points.append(Point(at=now, seconds=seconds, lost=lost))
        return Series(role=role, points=tuple(sorted(points, key=lambda each: each.at)))


def _drawn(target: Target) -> Check | None:
    """Of a line its echo, of a service what is asked first."""
    if target.role is Role.LINK:
        return next((each for each in target.checks if each.probe == ECHO), None)
    return target.checks[0] if target.role is Role.SERVICE and target.checks else None


def _measured(seen: Observation | None, loss: Loss) -> tuple[float, float]:
    """Seconds and loss."""
    if seen is None or seen.outcome is Outcome.INCONCLUSIVE:
        return NOTHING, NOTHING
    well = seen.outcome is Outcome.OK
    lost = loss(seen.check)
    seconds = seen.values.get(ECHO_RTT, seen.duration_seconds) if well else NOTHING
    return seconds, (0.0 if well else 1.0) if lost is None else lost
