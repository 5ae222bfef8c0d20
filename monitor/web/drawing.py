"""PURE: the drawings of a commune's page as path data; a template puts them into SVG.

State is told by height and pattern as well as by colour, and a drawing holds at most `SLOTS` pieces however often a target flaps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from monitor.core.chart import runs, ticks, top, unit
from monitor.core.lasthour import EVERY, POINTS, Point, Series
from monitor.core.ledger import Excuse, Interval, Span
from monitor.core.model import State
from monitor.core.words import LOCAL
from monitor.web.overview import RANK

SLOTS = 288
"""Pieces of a band: 5 minutes of a day, 2.5 hours of a month. What is shorter fills one piece, for it must be seen."""
HEIGHT = 22
REACH: dict[State, tuple[int, int]] = {
    State.UP: (14, 22),
    State.DEGRADED: (7, 22),
    State.DOWN: (0, 22),
    State.UNREACHABLE: (0, 22),
    State.UNKNOWN: (19, 22),
}
"""Top and bottom of each state in a band."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """How far back a band goes."""

    key: str
    """Of its name."""
    length: timedelta
    parts: int
    """Marks on the axis are this many parts of it apart."""
    mark: str
    """How a mark is written."""

    def span(self, now: datetime) -> Span:
        """Up to now."""
        return Span(now - self.length, now)

    def marks(self, now: datetime) -> list[str]:
        """The times along the axis, both ends included."""
        step = self.length / self.parts
        return [(now - self.length + step * n).astimezone(LOCAL).strftime(self.mark) for n in range(self.parts + 1)]


PERIODS = {
    each.key: each
    for each in (
        Period(key="24h", length=timedelta(days=1), parts=4, mark="%H:%M"),
        Period(key="7d", length=timedelta(days=7), parts=7, mark="%d/%m"),
        Period(key="30d", length=timedelta(days=30), parts=6, mark="%d/%m"),
    )
}
"""The first is shown until another one is chosen."""


def band(intervals: Iterable[Interval], span: Span) -> list[tuple[str, str]]:
    """What a target was over a span: classes and path data, in units of `SLOTS` by `HEIGHT`; the excuses come last, on top.

    Of several states in one piece the worst is drawn.
    """
    states: list[State | None] = [None] * SLOTS
    excuses: list[Excuse | None] = [None] * SLOTS
    for each in intervals:
        for slot in _slots(each, span):
            held = states[slot]
            if held is None or RANK[each.state] < RANK[held]:
                states[slot], excuses[slot] = each.state, each.excuse
    drawn = [(each.value, _pieces(states, each, *REACH[each])) for each in REACH]
    drawn += [(each.value, _pieces(excuses, each, 0, HEIGHT)) for each in Excuse]
    return [(name, path) for name, path in drawn if path]


def _slots(each: Interval, span: Span) -> range:
    """The pieces that an interval touches, at least one."""
    length = span.until - span.since
    first = math.floor((each.since - span.since) / length * SLOTS)
    last = math.ceil((each.until - span.since) / length * SLOTS)
    return range(max(0, first), min(SLOTS, max(last, first + 1)))


def _pieces(slots: Sequence[object], wanted: object, high: int, low: int) -> str:
    """A rectangle for each run of pieces that are this."""
    found, at = [], 0
    for is_it, those in groupby(slots, lambda each: each is wanted):
        width = sum(1 for _ in those)
        if is_it:
            found.append(f"M{at} {high}h{width}V{low}h-{width}z")
        at += width
    return "".join(found)


# -- the last hour ---------------------------------------------------------------------------------------------------------

CHART_WIDTH, CHART_HEIGHT = 360, 132
LEFT, RIGHT, TOP = 46, 18, 12
FLOOR = 80
"""Where the seconds are 0."""
BASE = 114
"""Where nothing is lost."""
LOSS_HEIGHT = 24
CHART_SIZE = {
    "width": CHART_WIDTH, "height": CHART_HEIGHT, "left": LEFT, "right": CHART_WIDTH - RIGHT, "top": TOP, "floor": FLOOR, "base": BASE,
}  # fmt: skip
"""For the template."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Delay above, loss below, both over the last hour up to now."""

    top: str
    """What the upper end of the delay's scale is."""
    delay: str
    lost: str
    ticks: tuple[tuple[float, str], ...]
    """Where the quarters of the hour are, and their times."""
    mark: float | None
    """Where the trouble began; None: before that hour, or there is none."""


def chart(series: Series, began: datetime | None) -> Chart:
    """The chart of what was measured."""
    until = series.points[-1].at
    since = until - POINTS * EVERY
    most = top(series.points)

    def x(at: datetime) -> float:
        return round(LEFT + (CHART_WIDTH - LEFT - RIGHT) * ((at - since) / (until - since)), 1)

    def y(seconds: float) -> float:
        return round(FLOOR - (FLOOR - TOP) * min(1.0, seconds / most), 1)

    return Chart(
        top=unit(most),
        delay="".join(_line(run, x, y) for run in runs(series.points)),
        lost="".join(_bars(series.points, x)),
        ticks=tuple((x(at), f"{at.astimezone(LOCAL):%H:%M}") for at in ticks(since, until)),
        mark=x(began) if began is not None and since <= began <= until else None,
    )


def _line(run: Sequence[Point], x: Callable[[datetime], float], y: Callable[[float], float]) -> str:
    """Through the points of a run; one that stands alone is a dot, for lines have round ends."""
    places = [f"{x(each.at):g} {y(each.seconds):g}" for each in run]
    return f"M{'L'.join(places)}" if len(places) > 1 else f"M{places[0]}h0"


def _bars(points: Iterable[Point], x: Callable[[datetime], float]) -> Iterator[str]:
    half = (CHART_WIDTH - LEFT - RIGHT) / POINTS / 2
    for each in points:
        if each.lost > 0:
            left, right = max(float(LEFT), x(each.at) - half), min(x(each.at) + half, CHART_WIDTH - RIGHT)
            high = max(2.0, LOSS_HEIGHT * min(1.0, each.lost))
            yield f"M{left:.1f} {BASE}v-{high:.1f}h{right - left:.1f}v{high:.1f}z"
