"""What a stream of test packets tells of the way to a reflector and back: losses, their bursts, jitter, order, delay. No I/O.

Sources: RFC 3550 (jitter), RFC 4737 (reordering), RFC 5560 (duplicates), ITU-T G.107 (burst ratio). The reflector numbers what arrives,
so a packet that is missing was lost on the way there or on the way back, and we know which.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median
from typing import NamedTuple


class Trip(NamedTuple):
    """One packet that came back. Times are Unix ns, each by the clock of the party whose it is."""

    sequence: int
    """Of ours, from 0."""
    place: int
    """How many arrived at the reflector before it."""
    sent_ns: int
    arrived_ns: int
    reflected_ns: int
    returned_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One direction."""

    offered: int
    """Packets that were sent this way."""
    lost: int
    late: int
    """Arrived, but later than a listener waits."""
    burst_ratio: float
    """BurstR of what a listener misses: 1 when losses are random, more when they come together."""
    jitter_seconds: float
    """Mean difference of transit times of packets that follow each other. RFC 3550 section 6.4.1 smooths the same over 16; a test
    has an end, so its mean needs none."""
    reordered: int
    """Arrived after one that was sent later."""

    @property
    def loss_ratio(self) -> float:
        """Of what was sent this way."""
        return self.lost / self.offered if self.offered else 0.0

    @property
    def late_ratio(self) -> float:
        """The same of what comes too late."""
        return self.late / self.offered if self.offered else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A whole test in which something came back."""

    sent: int
    there: Way
    back: Way
    round_trip_seconds: float
    """Median, without the reflector's own time."""
    least_round_trip_seconds: float
    most_round_trip_seconds: float
    delay_there_seconds: float
    """Least transit; true only as far as both clocks are."""
    delay_back_seconds: float
    duplicates: int
    began_anew: bool
    """The reflector gave a number to two packets: it was started again, and its numbers tell nothing."""

    @property
    def clock_moved_seconds(self) -> float:
        """By how much at least one clock was set against the other meanwhile: offsets cancel out, and both ways together never take less
        than nothing."""
        return max(0.0, -(self.delay_there_seconds + self.delay_back_seconds))


def burst_ratio(missed: Iterable[bool]) -> float:
    """Mean length of the runs of losses over that of random losses, which is 1 / (1 - loss); never below 1 (G.107 section 7.5)."""
    lost = runs = count = 0
    before = False
    for each in missed:
        count += 1
        lost += each
        runs += each and not before
        before = each
    return max(1.0, lost / runs * (1 - lost / count)) if runs else 1.0


def look(sent: int, trips: Sequence[Trip], patience_seconds: float) -> Course:
    """The figures of a test of `sent` packets, of which `trips` (one at least) came back in this order.

    What arrives more than `patience_seconds` after the fastest is late: the jitter buffer of a listener has no use for it.
    """
    first = {}
    places: set[int] = set()
    began_anew = False
    for trip in trips:  # a copy has the sequence of another, and its place too when it was made on the way back
        if trip.sequence not in first:
            if trip.place in places:
                began_anew = True
            else:
                first[trip.sequence] = trip
        places.add(trip.place)
    kept = list(first.values())
    if len(kept) == sent:  # nothing is missing: only copies may still be on their way
        places.update(range(max(places)))
    by_place = sorted(kept, key=lambda trip: trip.place)
    there = {trip.sequence: trip.arrived_ns - trip.sent_ns for trip in by_place}
    back = {trip.place: trip.returned_ns - trip.reflected_ns for trip in kept}
    round_trips = [max(0, there[trip.sequence] + back[trip.place]) for trip in kept]
    return Course(
        sent=sent,
        there=_way(range(sent), there, _arrived(sent, by_place, places), patience_seconds),
        back=_way(range(max(places) + 1), back, places, patience_seconds),
        round_trip_seconds=median(round_trips) / 1e9,
        least_round_trip_seconds=min(round_trips) / 1e9,
        most_round_trip_seconds=max(round_trips) / 1e9,
        delay_there_seconds=min(there.values()) / 1e9,
        delay_back_seconds=min(back.values()) / 1e9,
        duplicates=len(trips) - len(kept),
        began_anew=began_anew,
    )


def _way(offered: range, transits: Mapping[int, int], arrived: set[int], patience_seconds: float) -> Way:
    """`transits` by number, in the order of arrival; of what `arrived` some may be unknown, for it was lost later."""
    limit = min(transits.values()) + patience_seconds * 1e9
    late = {number for number, transit in transits.items() if transit > limit}
    newest, reordered = -1, 0
    for number in transits:
        reordered += number < newest
        newest = max(newest, number)
    steps = [abs(later - earlier) for earlier, later in pairwise(transits.values())]
    return Way(
        offered=len(offered),
        lost=sum(number not in arrived for number in offered),
        late=len(late),
        burst_ratio=burst_ratio(number not in arrived or number in late for number in offered),
        jitter_seconds=fmean(steps) / 1e9 if steps else 0.0,
        reordered=reordered,
    )


def _arrived(sent: int, by_place: Sequence[Trip], places: set[int]) -> set[int]:
    """Sequences that reached the reflector: those that came back, and as many more as `places` that did come back leave room for.

    Which of the missing between two neighbours these are nobody knows: the last, so that the others stay together. A neighbour is who
    was overtaken by nobody: so each stretch is looked at once, in whatever order a peer says that they came.
    """
    arrived = {trip.sequence for trip in by_place}
    before = place = -1
    for after, next_place in [*((trip.sequence, trip.place) for trip in by_place), (sent, max(places) + 1)]:
        if after < before:
            continue
        missing = [number for number in range(before + 1, after) if number not in arrived]
        hidden = sum(each not in places for each in range(place + 1, next_place))
        arrived.update(missing[len(missing) - min(hidden, len(missing)) :])
        before, place = after, next_place
    return arrived
