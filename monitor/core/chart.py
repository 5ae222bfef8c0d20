"""What a chart of the last hour is drawn by, be it the picture of a mail or the SVG of a page. PURE."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from statistics import median

from monitor.core.lasthour import EVERY, Point, Series
from monitor.core.words import LOCAL

LEAST_POINTS = 5
"""With fewer a chart says nothing: we have just begun to look."""
TICK = timedelta(minutes=15)


def facts(series: Series) -> dict[str, float]:
    """Least, middle and most of the seconds, the most that was lost, and how many minutes are shown; NaN what is not known."""
    seconds = [each.seconds for each in series.points if not math.isnan(each.seconds)]
    lost = [each.lost for each in series.points if not math.isnan(each.lost)]
    span = series.points[-1].at - series.points[0].at
    return {
        "least": min(seconds, default=math.nan),
        "middle": median(seconds) if seconds else math.nan,
        "most": max(seconds, default=math.nan),
        "lost": max(lost, default=math.nan),
        "minutes": round(span / timedelta(minutes=1)),
    }


def runs(points: Sequence[Point]) -> Iterator[list[Point]]:
    """Points side by side: a line goes through what was measured, and through no gap."""
    run: list[Point] = []
    for each in points:
        if run and (math.isnan(each.seconds) or each.at - run[-1].at > 2.5 * EVERY):
            yield run
            run = []
        if not math.isnan(each.seconds):
            run.append(each)
    if run:
        yield run


def ticks(since: datetime, until: datetime) -> Iterator[datetime]:
    """The quarters of an hour."""
    at = datetime.fromtimestamp(math.ceil(since.timestamp() / TICK.total_seconds()) * TICK.total_seconds(), LOCAL)
    while at <= until:
        yield at
        at += TICK


def top(points: Sequence[Point]) -> float:
    """Where the scale of the seconds ends: 1, 2 or 5 times a power of ten, at least a millisecond."""
    most = max((each.seconds for each in points if not math.isnan(each.seconds)), default=0.001)
    power: float = 10.0 ** math.floor(math.log10(max(most, 0.001)))
    return next(each * power for each in (1, 2, 5, 10) if each * power >= most * 0.999)


def unit(seconds: float) -> str:
    """The end of the scale as it is written on it."""
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"
