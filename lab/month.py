"""A month of a province in minutes: from what goes wrong (`lab.faults`) follows what a monitor would observe.

`python -m lab.month --seed 1 --days 1 --out FILE` writes it as a recording for `commune-monitor replay`, and beside it what was
really wrong (FILE.faults.json).

Nothing is sent: targets, ways and checks are those of an inventory, and a heap of events stands for the time. Where nothing is
going on, checks are run only now and then, for all they would say is that all is well; from shortly before to some minutes
after each turn of a fault, and after each single loss, they run at their true pace. What the decider asks again is asked.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from lab.faults import BEGIN, DAY, DAYS, Drawer, Effect, Hurt, Plan, busy
from monitor.core.decider import TICK, Decider
from monitor.core.graph import Graph
from monitor.core.model import Check, Held, IncidentEvent, Inventory, Observation, Outcome, Reason, Role, Target
from monitor.core.seen import Decision
from monitor.inventory.load import load_inventory
from monitor.recorder import create
from monitor.recording import Entry, LeftOut, Tick, header, line_of
from monitor.scheduler import RECHECK_SECONDS
from probes.engine.echo import BURST, BURST_GAP_SECONDS, BURST_PAUSE_SECONDS, OVERDUE_SECONDS, RTT

THIN_LINE, THIN_OTHER = 600.0, 3600.0
"""Seconds between runs while nothing is going on: of lines and whatever else learns what is usual, and of the rest."""
BEFORE, AFTER, AFTER_BLIP, BEFORE_OWN = 10.0, 240.0, 20.0, 80.0
"""Seconds around each turn of a fault in which everything runs at its true pace."""
TICK_SECONDS = TICK.total_seconds()
USUAL_SWING, WIDE_SWING, WIDE_SHARE = 1.6, (2.0, 3.0), 0.25
"""Times its delay at night that a line takes in the busiest hour: most lines; and the range and the share of the others."""
SLOWER_SECONDS = 0.025
"""A line that is slower than usual is so by this at least: nobody would notice less."""
SLOWER_BELOW = 0.12
"""And it stays below this, which is within its fixed limit."""


class _Event(StrEnum):
    TURN = "turn"
    EXTRA = "extra"
    """A turn that is left out of the quiet times otherwise."""
    LOST = "lost"
    """One whose echo is lost for no reason that lasts."""
    AGAIN = "again"
    """Asked once more to be sure."""
    SEEN = "seen"


@dataclass(slots=True)
class _Run:
    """One check with what is on its way."""

    check: Check
    target: Target
    way: tuple[str, ...]
    """Itself and all in front of it."""
    phase: float
    base: float
    """Usual round trip or duration at night, seconds."""
    swing: float
    """Times its base in the busiest hour."""
    counted: float = 0.0
    """When it was last run in turn."""
    burst_after: float = -1.0
    recheck_at: float = -1.0


class Month:
    """Runs a plan against a decider."""

    def __init__(
        self,
        inventory: Inventory,
        plan: Plan,
        seed: int,
        days: float = DAYS,
        record: Callable[[Entry], object] = lambda _: None,
    ) -> None:
        """`record` is given all that the decider is, in the same order."""
        self._record = record
        self._random = random.Random(seed + 1)  # noqa: S311
        swings = random.Random(seed + 2)  # noqa: S311
        self._inventory, self._plan, self._days = inventory, plan, days
        graph = Graph(inventory.targets)
        self._runs: dict[str, _Run] = {}
        self._of_target: dict[str, list[_Run]] = {}
        for target in inventory.targets.values():
            way = (target.id, *graph.ancestors(target.id))
            for check in target.checks:
                base = self._random.uniform(0.003, 0.012) if check.probe == "icmp" else self._random.uniform(0.05, 0.4)
                swing = swings.uniform(*WIDE_SWING) if swings.random() < WIDE_SHARE else USUAL_SWING
                run = _Run(check, target, way, self._random.random() * check.interval_seconds, base, swing)
                self._runs[check.id] = run
                self._of_target.setdefault(target.id, []).append(run)
        self._hurts: dict[str, list[Hurt]] = {}
        for fault in plan.faults:
            for hurt in fault.hurts:
                self._hurts.setdefault(hurt.node, []).append(hurt)
        self._everywhere = [*plan.gaps, *plan.inconclusive, *((at, at) for at, _ in plan.steps)]
        """Trouble of the monitor itself."""
        self._hot = self._hot_windows()
        self._heap: list[tuple[float, int, _Event, _Run, Observation | None]] = []
        """When, tie-breaker, what, and of which check."""
        self._count = 0
        self.observations = 0
        self.held: list[Held] = []
        """What targets were held to be, one after the other."""
        record(header(inventory, BEGIN))
        self.decider = Decider(inventory, BEGIN)
        self._offset = 0.0

    def _hot_windows(self) -> dict[str, deque[tuple[float, float]]]:
        """By site, sorted and merged: when its checks run at their true pace."""
        found: dict[str, list[tuple[float, float]]] = {}
        for fault in self._plan.faults:
            if fault.whole:
                windows = [(fault.at - BEFORE, fault.until + AFTER)]
            else:
                turns = {turn for hurt in fault.hurts for turn in (hurt.at, hurt.until)}
                windows = [(turn - BEFORE, turn + (AFTER if fault.roots else AFTER_BLIP)) for turn in turns]
            for site in {self._inventory.targets[each].site for each in fault.affected}:
                found.setdefault(site, []).extend(windows)
        everywhere = [(begun - BEFORE_OWN, until + AFTER) for begun, until in self._everywhere]
        sites = {each.site for each in self._inventory.targets.values()}
        return {site: _merged([*found.get(site, ()), *everywhere]) for site in sites}

    # -- time ---------------------------------------------------------------------------------------------------------

    def run(self) -> Iterator[tuple[float, Observation | None, Sequence[IncidentEvent]]]:
        """The month: each observation in turn, and what happened to incidents, with the true time in seconds."""
        for run in self._runs.values():
            self._push(self._next(run, 0.0), _Event.TURN, run)
        for at, check in self._plan.losses:
            if not any(begun <= at < until for begun, until in self._plan.gaps):
                self._push(at, _Event.LOST, self._runs[check])
        end, tick, steps = self._days * DAY, 0.0, list(self._plan.steps)
        while self._heap and self._heap[0][0] < end:
            at, _, what, run, seen = heapq.heappop(self._heap)
            while tick < at:
                if not (self.decider.correlator.waits or self._may_be_silent(tick)):
                    tick = math.floor(at / TICK_SECONDS) * TICK_SECONDS
                    break
                while steps and steps[0][0] <= tick:
                    self._offset += steps.pop(0)[1]
                if events := self._tick(tick):
                    yield tick, None, events
                tick += TICK_SECONDS
            if seen is None:
                self._ask(run, at, what)
            else:
                seen = seen._replace(at=self._wall(at))
                yield at, seen, self._take(seen, at)

    def _may_be_silent(self, at: float) -> bool:
        """Whether silence of checks must be looked for: only where all run at their true pace."""
        return any(begun - 20 <= at <= until + AFTER - 60 for begun, until in self._everywhere)

    def _wall(self, at: float) -> datetime:
        return BEGIN + timedelta(seconds=at + self._offset)

    def _push(self, at: float, what: _Event, run: _Run, seen: Observation | None = None) -> None:
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, what, run, seen))

    def _next(self, run: _Run, now: float) -> float:
        """The next turn of a check that counts."""

        def turn(interval: float, after: float) -> float:
            passed = math.floor((after - run.phase) / interval + 1e-6)  # a turn that is now has passed
            return run.phase + (passed + 1) * interval

        hot = self._hot[run.target.site]
        while hot and hot[0][1] < now:
            hot.popleft()
        interval = run.check.interval_seconds
        coming = turn(interval, now)
        if hot and hot[0][0] <= coming:
            return coming
        thin = turn(max(interval, THIN_LINE if _learns(run) else THIN_OTHER), now)
        return min(thin, turn(interval, hot[0][0])) if hot else thin

    # -- what is observed ---------------------------------------------------------------------------------------------

    def _ask(self, run: _Run, at: float, what: _Event) -> None:
        check = run.check
        if what is _Event.TURN:
            self._push(self._next(run, at), _Event.TURN, run)
        if any(begun <= at < until for begun, until in self._plan.gaps):
            return
        if what is not _Event.AGAIN:
            self._make_up(run, at)
        lost = what is _Event.LOST
        if lost:
            for index in range(1, 4):
                self._push(at + index * check.interval_seconds, _Event.EXTRA, run)
        took, outcome, reason, values, evidence = self._answer(run, at, lost=lost)
        seen = Observation(
            check=check.id, target=run.target.id, at=BEGIN, outcome=outcome, reason=reason, values=values,
            evidence=evidence, duration_seconds=took, out_of_turn=what is _Event.AGAIN and check.probe == "icmp",
        )  # fmt: skip
        self._push(at + took, _Event.SEEN, run, seen)
        if outcome is Outcome.FAILED and check.probe == "icmp" and what is not _Event.AGAIN:
            self._burst(run, at + OVERDUE_SECONDS)

    def _make_up(self, run: _Run, at: float) -> None:
        """The runs that were left out were all well: so many pass through the window of losses."""
        left_out = round((at - run.counted) / run.check.interval_seconds) - 1
        run.counted = at
        if left_out > 0:
            self._record(LeftOut(run.check.id, left_out))
            self.decider.judge.left_out(run.check.id, left_out)

    def _burst(self, run: _Run, at: float) -> None:
        if at < run.burst_after:
            return
        run.burst_after = at + BURST_PAUSE_SECONDS
        for index in range(BURST):
            self._push(at + index * BURST_GAP_SECONDS, _Event.AGAIN, run)

    def _answer(self, run: _Run, at: float, *, lost: bool) -> tuple[float, Outcome, Reason, Mapping[str, float], str]:
        """How long it took, and the rest of an observation."""
        check = run.check
        if any(begun <= at < until for begun, until in self._plan.inconclusive):
            return 0.0, Outcome.INCONCLUSIVE, Reason.LOCAL, {}, "no descriptors"
        suffers = self._suffers(run, at)
        share = 1.0 if lost else suffers[Effect.LOSS]
        if check.probe == "icmp":
            if share and self._random.random() < share:
                return check.timeout_seconds, Outcome.FAILED, Reason.TIMEOUT, {}, "no echo"
            rtt = _usual(run, at) * self._random.lognormvariate(0, 0.15) + suffers[Effect.DELAY]
            return rtt, Outcome.OK, Reason.OK, {RTT: rtt}, "echo"
        took = run.base + suffers[Effect.DELAY] + suffers[Effect.SLOW]
        if share:  # TCP asks again, and in the end gives up
            took += self._random.expovariate(1 / share) if self._random.random() >= share**3 else check.timeout_seconds
        if took >= check.timeout_seconds:
            return check.timeout_seconds, Outcome.FAILED, Reason.TIMEOUT, {}, "no answer in time"
        if suffers[Effect.WRONG]:
            return took, Outcome.FAILED, Reason.CONTENT, {}, "the page does not say what it should"
        known = {
            "probe_ssl_days_left": 7.0 if suffers[Effect.EXPIRING] else 90.0,
            "upsOnBattery": min(1.0, suffers[Effect.BATTERY]),
            "snmp_if_down": 0.0,
        }
        values = {each.value: known[each.value] for each in check.limits if each.value in known}
        return took, Outcome.OK, Reason.OK, values, "answer"

    def _suffers(self, run: _Run, at: float) -> Mapping[Effect, float]:
        """What is wrong for a check: loss and delay anywhere on the way to its target, the rest at the target itself."""
        found = dict.fromkeys(Effect, 0.0)
        for node in run.way:
            for hurt in self._hurts.get(node, ()):
                if not hurt.at <= at < hurt.until:
                    continue
                if hurt.effect in (Effect.CUT, Effect.LOSS):
                    share = 1.0 if hurt.effect is Effect.CUT else hurt.amount
                    found[Effect.LOSS] = 1 - (1 - found[Effect.LOSS]) * (1 - share)
                elif hurt.effect is Effect.SLOWER:
                    usual = _usual(self._of_target[node][0], at)
                    found[Effect.DELAY] += min(max(hurt.amount * usual, SLOWER_SECONDS), SLOWER_BELOW - usual)
                elif hurt.effect is Effect.DELAY or node == run.target.id:
                    found[hurt.effect] += hurt.amount
        return found

    # -- deciding -----------------------------------------------------------------------------------------------------

    def _take(self, seen: Observation, at: float) -> Sequence[IncidentEvent]:
        self.observations += 1
        self._record(seen)
        decision, again = self.decider.observe(seen)
        if again:
            self._recheck(self._runs[seen.check], at)
        return () if decision is None else self._follow(decision, at)

    def _tick(self, at: float) -> Sequence[IncidentEvent]:
        now, silence = self._wall(at), self._may_be_silent(at)
        self._record(Tick(now, silence))
        decision = self.decider.tick(now) if silence else self.decider.correlator.tick(now)
        return self._follow(decision, at)

    def _follow(self, decision: Decision, at: float) -> Sequence[IncidentEvent]:
        self.held += decision.states
        for target in decision.recheck:
            for run in self._of_target.get(target, ()):
                self._recheck(run, at)
        return decision.events

    def _recheck(self, run: _Run, at: float) -> None:
        """As the scheduler does it: a burst of echoes at once, any other check once after a pause."""
        if run.check.probe == "icmp":
            if at >= run.burst_after:
                self._burst(run, at)
        elif at > run.recheck_at:
            run.recheck_at = at + RECHECK_SECONDS
            self._push(run.recheck_at, _Event.AGAIN, run)


def _learns(run: _Run) -> bool:
    """Whether it must be run often enough to know what is usual of each hour, as it would be at its true pace."""
    return run.target.role is Role.LINK or any(each.above_usual is not None for each in run.check.limits)


def _usual(run: _Run, at: float) -> float:
    """Round trip of a target at this hour when all is well, seconds."""
    return run.base * (1 + (run.swing - 1) * (busy(at) - 1) / 2)


def _merged(windows: Iterable[tuple[float, float]]) -> deque[tuple[float, float]]:
    found: deque[tuple[float, float]] = deque()
    for begun, until in sorted(windows):
        if found and begun <= found[-1][1]:
            found[-1] = found[-1][0], max(until, found[-1][1])
        else:
            found.append((begun, until))
    return found


def write(inventory: Inventory, seed: int, days: float, out: Path) -> Sequence[IncidentEvent]:
    """A month as a recording, with what was really wrong beside it; returns what the decider made of it."""
    plan = Drawer(inventory, seed, days).draw()
    with create(out) as stream:
        simulated = Month(inventory, plan, seed, days, lambda entry: stream.write(line_of(entry)))
        events = [event for *_, found in simulated.run() for event in found]
    faults = [
        {
            "kind": each.kind,
            "at": (BEGIN + timedelta(seconds=each.at)).isoformat(),
            "until": (BEGIN + timedelta(seconds=each.until)).isoformat(),
            "roots": sorted(each.roots),
            "causes": sorted(each.causes),
        }
        for each in plan.faults
    ]
    truth = out.with_name(f"{out.name}.faults.json")
    truth.write_text(json.dumps(faults, indent=1) + "\n", encoding="utf-8")
    return events


def main() -> None:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m lab.month", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--days", type=float, default=1.0)
    parser.add_argument("--inventory", type=Path, default=Path("config/inventory"))
    parser.add_argument("--out", type=Path, required=True, help="the recording; .gz packs it")
    given = parser.parse_args()
    events = write(load_inventory(given.inventory, None), given.seed, given.days, given.out)
    print(f"{given.out}: {len(events)} incident events; try: commune-monitor replay {given.out}")


if __name__ == "__main__":
    main()
