"""The usual level of one measurement by hour of the week, learnt from what is seen, with nothing to begin with.

Each of the 168 hours keeps a mean of logarithms in which no sample counts as further away than a bound, so outliers hardly move
it (P. J. Huber, Ann. Math. Stat. 35 (1964), 73-101). Weights are the minutes that a sample stands for, not counts, so it
does not matter how often is measured. An hour of which nothing is known yet begins where the hours beside it are.
"""

from __future__ import annotations

import math
import struct
from array import array
from datetime import datetime, timedelta
from typing import NamedTuple

HOURS = 168
EVERY = timedelta(minutes=1)
"""A sample at most this often."""
LONGEST = timedelta(minutes=15)
"""A sample stands for the time since the one before, but not for more than this."""
LEAST = timedelta(hours=1)
"""Of less than this in all nothing is said."""
KNOWN = timedelta(minutes=30)
"""An hour of the week speaks for itself with this much of it seen; what it begins with counts for as much."""
KEPT = timedelta(hours=2)
"""The most that the past of an hour weighs against a new sample: two or three weeks of that hour."""
REACH = 0.4
"""No sample counts as further above than this on the logarithmic scale, half as much again, …"""
REACH_DOWN = 1.0
"""… nor as further below than this, a third: what spoils a measurement makes it larger, hardly ever smaller."""
SLOWLY = 0.5
"""What is beyond the limit counts for this part, so that what comes back every week is usual after some weeks."""
HALVED = 0.5
"""A sample below this part of the usual level is as odd as one beyond the limit."""
MOVED = timedelta(days=3)
"""When this much more time was odd than was not, the level has moved for good, and all is learnt anew."""

_LOCAL_SECONDS = 7 * 3600
_MONDAY = 3 * 24
"""1 January 1970 was a Thursday."""
_SMALLEST, _LARGEST = 1e-6, 1e15
_VERSION = 1
_BLOB = struct.Struct(f"<Bff{HOURS}e{HOURS}b")


class Learnt(NamedTuple):
    """What was learnt about one measurement of one check, as it is kept on disk."""

    check: str
    value: str
    subject: str
    """What was asked of whom; of another subject it says nothing."""
    blob: bytes


def hour_of_week(at: datetime) -> int:
    """0 for Monday 00:00 to 01:00 in Viet Nam (UTC+7, no summer time), 167 for the last of Sunday."""
    return (int((at.timestamp() + _LOCAL_SECONDS) // 3600) + _MONDAY) % HOURS


def _minutes(span: timedelta) -> float:
    return span.total_seconds() / 60


_LEAST, _KNOWN, _KEPT, _MOVED = map(_minutes, (LEAST, KNOWN, KEPT, MOVED))


class Usual:
    """One measurement's usual level; about 1.6 kB."""

    __slots__ = ("_known", "_last", "_mean", "_odd", "_seen")

    def __init__(self) -> None:
        self._last: datetime | None = None
        self._forget()

    def _forget(self) -> None:
        self._mean = array("f", bytes(4 * HOURS))
        """Logarithms."""
        self._known = array("f", bytes(4 * HOURS))
        """Minutes; below zero where all of them were odd: then no other hour is guessed from it."""
        self._seen = 0.0
        """Minutes in all, no more than LEAST."""
        self._odd = 0.0
        """Minutes that were odd, less those that were not."""

    def level(self, at: datetime) -> float | None:
        """What is usual at this hour; None while too little is known."""
        if self._seen < _LEAST:
            return None
        hour = hour_of_week(at)
        mean = self._mean[hour] if abs(self._known[hour]) >= _KNOWN else self._guess(hour)
        return None if mean is None else math.exp(mean)

    def _guess(self, hour: int) -> float | None:
        """The highest of what else is known: better late than wrong in the first week.

        The hours before and after, the same hour on the other working days (or the other day of the weekend), and all.
        """
        known = [index for index, minutes in enumerate(self._known) if minutes >= _KNOWN]
        if not known:
            return None
        weekend = hour // 24 >= 5
        alike = [each for each in known if each % 24 == hour % 24 and (each // 24 >= 5) is weekend]
        beside = [each for each in ((hour - 1) % HOURS, (hour + 1) % HOURS) if self._known[each] >= _KNOWN]
        medians = (self._median(each) for each in (known, alike) if each)
        return max(*medians, *(self._mean[each] for each in beside), -math.inf)

    def _median(self, hours: list[int]) -> float:
        return sorted(self._mean[each] for each in hours)[(len(hours) - 1) // 2]

    def learn(self, value: float, at: datetime, *, odd: bool = False) -> None:
        """Take a sample, at most one each EVERY; `odd` says that it is beyond the limit. What is no number is ignored."""
        if not math.isfinite(value):
            return
        gap = at - self._last if self._last else EVERY
        span = _minutes(min(max(gap, EVERY), LONGEST))  # a clock that was set back is no gap
        self._last = at
        usual = self.level(at)
        odd = odd or (usual is not None and value < HALVED * usual)
        self._odd = self._odd + span if odd else max(0.0, self._odd - span)
        if self._odd >= _MOVED:
            self._forget()
        self._move(hour_of_week(at), math.log(min(max(value, _SMALLEST), _LARGEST)), span, odd=odd)

    def _move(self, hour: int, log: float, span: float, *, odd: bool) -> None:
        mean, known, weight = self._mean[hour], abs(self._known[hour]), span * (SLOWLY if odd else 1.0)
        only_odd = odd and self._known[hour] <= 0
        young = self._seen < _LEAST  # a plain mean, for the first of all samples may itself be the outlier
        if not known:
            guess = None if young else self._guess(hour)
            mean, known = (log, 0.0) if guess is None else (guess, _KNOWN)
        step = log - mean if young else min(max(log - mean, -REACH_DOWN), REACH)
        self._mean[hour] = mean + step * weight / (known + weight)
        self._known[hour] = min(known + weight, _KEPT) * (-1 if only_odd else 1)
        self._seen = min(self._seen + weight, _LEAST)

    def dump(self) -> bytes:
        """All that was learnt, in 513 bytes: levels to 1 %, weights to a minute."""
        return _BLOB.pack(_VERSION, self._seen, self._odd, *self._mean, *map(round, self._known))

    @classmethod
    def load(cls, blob: bytes) -> Usual | None:
        """What `dump` gave; None for what another version wrote, or nobody."""
        if len(blob) != _BLOB.size or blob[0] != _VERSION:
            return None
        _, seen, odd, *rest = _BLOB.unpack(blob)
        if not all(map(math.isfinite, (seen, odd, *rest))):
            return None
        found = cls()
        found._seen, found._odd = min(max(seen, 0.0), _LEAST), max(odd, 0.0)
        found._mean, found._known = array("f", rest[:HOURS]), array("f", rest[HOURS:])
        return found
