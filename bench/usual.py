"""Is a level for each hour of the week better than one level, at telling that a line is slower than usual?

The judge is given the delays of lines that go up and down with the hours of an office, and hours in which a line is slower than it
usually is then. It decides three times: with our level, and with one level for all hours that follows the last hours or the last weeks.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from bench.harness import Row, Run, quantiles
from lab.faults import BEGIN, busy
from lab.month import USUAL_SWING, WIDE_SHARE, WIDE_SWING
from monitor.core import usual
from monitor.core.judge import Judge
from monitor.core.model import Check, Limit, Observation, Outcome, Reason, State
from probes.engine.echo import RTT

LINES, WEEKS, SEED = 12, 5, 101
LEARNING = 2
"""The first weeks, in which nothing is known to begin with and no line is slower than usual."""
WEEK = 7 * 86400.0
INTERVAL = 120.0
NOISE = 0.15
"""Standard deviation of the logarithm of a delay."""
SLOWER = 1.5, 6.0
"""Times its usual delay that are added while a line is slower."""
LASTS = 1800.0, 5400.0
LATEST = 600.0
"""Seconds after the end of a fault in which the judge may still be telling of it."""
TIMES = (2.0, 3.0)
"""`above_usual`."""
SWINGS = {"as in the simulated month": None, "5 to 10 times at noon": (5.0, 10.0)}
"""How much slower lines are in the busiest hour than at night."""
LEVELS: dict[str, timedelta | None] = {
    "168 hours": None,
    "one, of hours": usual.KEPT,
    "one, of weeks": timedelta(weeks=2),
}
"""For how long one level remembers; None: ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line with what it is to suffer, one fault in each week after the first ones; times in seconds."""

    name: str
    base: float
    swing: float
    faults: tuple[tuple[float, float, float], ...]
    """Begin, end, and times its usual delay that are added."""

    def seen(self, weeks: int) -> list[Observation]:
        """Its round trips."""
        draw = random.Random(self.name)  # noqa: S311
        found = []
        for number in range(int(weeks * WEEK / INTERVAL)):
            at = number * INTERVAL
            usually = self.base * (1 + (self.swing - 1) * (busy(at) - 1) / 2)
            added = sum(times for begin, end, times in self.faults if begin <= at < end)
            found.append(
                Observation(
                    check=f"{self.name}#echo", target=self.name, at=BEGIN + timedelta(seconds=at), outcome=Outcome.OK,
                    reason=Reason.OK, values={RTT: usually * (1 + added) * draw.lognormvariate(0, NOISE)},
                )
            )  # fmt: skip
        return found


def lines(swing: tuple[float, float] | None, number: int = LINES, weeks: int = WEEKS) -> list[Line]:
    """The same for the same arguments."""
    draw = random.Random(SEED)  # noqa: S311
    found = []
    for index in range(number):
        wide = draw.uniform(*WIDE_SWING) if draw.random() < WIDE_SHARE else USUAL_SWING
        faults = []
        for week in range(LEARNING, weeks):
            lasts = draw.uniform(*LASTS)
            begin = week * WEEK + draw.uniform(0, WEEK - lasts - LATEST)
            faults.append((begin, begin + lasts, draw.uniform(*SLOWER)))
        found.append(
            Line(
                name=f"line-{index}/tslcd", base=draw.uniform(0.003, 0.012),
                swing=draw.uniform(*swing) if swing else wide, faults=tuple(faults),
            )
        )  # fmt: skip
    return found


def measure(run: Run) -> dict[str, Any]:
    """Every level with every limit; `--rounds` is the number of weeks, `--seconds` means nothing here."""
    weeks = run.rounds or WEEKS
    tables: dict[str, dict[str, Row]] = {}
    for name, swing in SWINGS.items():
        rows = tables[f"usual: {LINES} lines × {weeks} weeks, {name}"] = {}
        watched = [(line, line.seen(weeks)) for line in lines(swing, LINES, weeks)]
        for times in TIMES:
            for level, kept in LEVELS.items():
                rows[f"{level}, above {times:g} times"] = row = score(watched, weeks, kept, times)
                print(f"    {name}, {level}, above {times:g} times: {row}", flush=True)
    return {"tables": tables}


def score(
    watched: Sequence[tuple[Line, Sequence[Observation]]], weeks: int, kept: timedelta | None, times: float
) -> Row:
    """What was told of these lines against what they suffered."""
    missed, early, false, late = 0, 0, 0, []
    with _level(kept):
        for line, seen in watched:
            told = list(told_of(line, seen, times))
            for begin, end, _ in line.faults:
                about = [at for at, until in told if at < end + LATEST and until > begin]
                missed += not about
                late += [max(0.0, about[0] - begin)] if about else []
            for at, until in told:
                if not any(at < end + LATEST and until > begin for begin, end, _ in line.faults):
                    early += at < LEARNING * WEEK
                    false += at >= LEARNING * WEEK
    number = sum(len(line.faults) for line, _ in watched)
    return {
        "slower": number,
        "missed %": round(100 * missed / number, 1),
        "false a line and week": round(false / len(watched) / (weeks - LEARNING), 2),
        f"in the first {LEARNING} weeks": round(early / len(watched) / LEARNING, 2),
        "delay s p50": round(quantiles(late)[0]) if late else None,
    }


def told_of(line: Line, seen: Sequence[Observation], times: float) -> Iterator[tuple[float, float]]:
    """From when to when the judge holds a line to be degraded, seconds."""
    limit = Limit(value=RTT.partition("{")[0], above_usual=times, clear=times * 0.8, says="delay")
    check = Check(
        id=f"{line.name}#echo", target=line.name, name="echo", probe="icmp", address="", options=None,
        interval_seconds=INTERVAL, timeout_seconds=1, confirm=2, when_failed=State.DOWN, limits=(limit,),
    )  # fmt: skip
    judge = Judge()
    judge.adopt({check.id: check}, BEGIN)
    since = None
    for each in seen:
        change, _ = judge.observe(each)
        at = (each.at - BEGIN).total_seconds()
        if change is not None and change.new is State.DEGRADED:
            since = at
        elif change is not None and since is not None:
            yield since, at
            since = None
    if since is not None:
        yield since, (seen[-1].at - BEGIN).total_seconds()


@contextmanager
def _level(kept: timedelta | None) -> Iterator[None]:
    """Let all hours of the week be one, which remembers for so long; None: leave them as they are."""
    with ExitStack() as stack:
        if kept is not None:
            stack.enter_context(patch.object(usual, "hour_of_week", lambda _: 0))
            stack.enter_context(patch.object(usual, "_KEPT", kept / timedelta(minutes=1)))
        yield
