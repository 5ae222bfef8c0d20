"""A month of a province in minutes: what goes wrong is drawn from a seed and known, and what a monitor would observe follows.

`python -m lab.month --seed 1 --days 1 --out FILE` writes it as a recording for `commune-monitor replay`, and beside it what was
really wrong (FILE.faults.json).

Nothing is sent: targets, ways and checks are those of an inventory, and a heap of events stands for the time. Where nothing is
going on, checks are run only now and then, for all they would say is that all is well; from shortly before to some minutes
after each turn of a fault, and after each single loss, they run at their true pace. What the decider asks again is asked.

Bursty loss is Gilbert-Elliott's: E. N. Gilbert, Bell Syst. Tech. J. 39 (1960), 1253-1265; E. O. Elliott, ibid. 42 (1963), 1977-1997.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from monitor.core.correlate import Decision
from monitor.core.decider import TICK, Decider
from monitor.core.graph import Graph
from monitor.core.model import Cause, Check, IncidentEvent, Inventory, Observation, Outcome, Reason, Role, Target
from monitor.inventory.load import load_inventory
from monitor.recording import Entry, LeftOut, Tick, create, header, line_of
from monitor.scheduler import RECHECK_SECONDS
from probes.engine.echo import BURST, BURST_GAP_SECONDS, BURST_PAUSE_SECONDS, OVERDUE_SECONDS, RTT

DAY = 86400.0
DAYS = 30
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)

THIN_LINE, THIN_OTHER = 600.0, 3600.0
"""Seconds between runs while nothing is going on."""
BEFORE, AFTER, AFTER_BLIP, BEFORE_OWN = 10.0, 240.0, 20.0, 80.0
"""Seconds around each turn of a fault in which everything runs at its true pace."""
TICK_SECONDS = TICK.total_seconds()
APART = 900.0
"""Seconds between faults that have a target in common: what belongs to which must be known."""
USUAL_SWING, WIDE_SWING, WIDE_SHARE = 1.6, (2.0, 3.0), 0.25
"""Times its delay at night that a line takes in the busiest hour: most lines; and the range and the share of the others."""
SLOWER_SECONDS = 0.025
"""A line that is slower than usual is so by this at least: nobody would notice less."""
SLOWER_BELOW = 0.12
"""And it stays below this, which is within its fixed limit."""
SINGLE_LOSS = 1e-4
"""Share of the echoes over a line that are lost with no fault; three times that in the busy hours."""


class Effect(StrEnum):
    """What a fault does to everything whose way leads over its node."""

    CUT = "cut"
    LOSS = "loss"
    DELAY = "delay"
    SLOWER = "slower"
    """Several times its usual delay on top, and still less than any fixed limit."""
    SLOW = "slow"
    WRONG = "wrong"
    EXPIRING = "expiring"
    BATTERY = "battery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hurt:
    """One node hurt in one way for some time, in seconds since the month began."""

    node: str
    effect: Effect
    at: float
    until: float
    amount: float = 1.0
    """Share lost, seconds added, times the usual delay added, …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What really happened, and what a perfect monitor would say."""

    kind: str
    at: float
    until: float
    hurts: tuple[Hurt, ...]
    roots: frozenset[str]
    """Targets any of which is the right root; empty: nobody should be told."""
    causes: frozenset[Cause] = frozenset()
    affected: frozenset[str]
    """All targets that it can be seen at."""
    whole: bool = False
    """Whether something happens all the time, not only at the beginning and the end."""


@dataclass(slots=True)
class Plan:
    """The faults of a month, and trouble of the monitor itself."""

    faults: list[Fault] = field(default_factory=list)
    gaps: list[tuple[float, float]] = field(default_factory=list)
    """From, until: the monitor's host was suspended, nothing was observed."""
    inconclusive: list[tuple[float, float]] = field(default_factory=list)
    """From, until: the monitor had no descriptors or the like."""
    steps: list[tuple[float, float]] = field(default_factory=list)
    """When, by how many seconds the clock was set."""
    losses: list[tuple[float, str]] = field(default_factory=list)
    """When, check: single lost echoes."""


class Drawer:
    """Draws the plan of a month."""

    def __init__(self, inventory: Inventory, seed: int, days: float, longest_blip: float = 3.0) -> None:
        """`longest_blip` in seconds: cuts up to this long, of which nobody should be told."""
        self._random = random.Random(seed)  # noqa: S311  a simulation must be repeatable
        self._longest_blip = longest_blip
        self._graph = Graph(inventory.targets)
        self._inventory = inventory
        self._days = days
        self._busy: dict[str, list[tuple[float, float]]] = {}
        self.plan = Plan()

    def draw(self) -> Plan:
        """All faults; how many of each is for a month, and less for less."""
        own = self._graph.vantages
        targets = self._inventory.targets.values()
        lines = [each for each in targets if each.role is Role.LINK]
        routers = [each for each in targets if each.kind == "router" and self._commune(each)]
        pops = [each for each in targets if each.kind == "router" and not self._commune(each) and each.behind]
        switches = [each for each in targets if each.kind == "switch"]
        ups = [each for each in targets if each.kind == "ups"]
        rooms = [each for each in targets if each.kind == "vc-endpoint"]
        pages = [each for each in targets if each.role is Role.SERVICE and any(c.probe == "http" for c in each.checks)]
        draw: list[tuple[int, Callable[[], Fault | None]]] = [
            (2, lambda: self._cut("own gateway", own, self._between(40, 600), Cause.VANTAGE)),
            (8, lambda: self._cut("shared", [each.id for each in pops], self._between(40, 7200), Cause.SHARED)),
            (2, lambda: self._exchange(lines)),
            (2, lambda: self._exchange(lines)),
            (30, lambda: self._power(ups)),
            (60, lambda: self._cut("line", [each.id for each in lines], self._between(31, 14400), Cause.LINK)),
            (20, lambda: self._reboot(routers)),
            (15, lambda: self._cut("lan", [each.id for each in switches], self._between(60, 7200), Cause.LAN)),
            (20, lambda: self._cut("device", [each.id for each in rooms], self._between(60, 7200), Cause.DEVICE)),
            (8, lambda: self._service("wrong page", pages, Effect.WRONG)),
            (8, lambda: self._service("slow page", pages, Effect.SLOW)),
            (1, lambda: self._service("certificate", pages, Effect.EXPIRING)),
            (6, lambda: self._flapping(lines)),
            (15, lambda: self._lossy(lines)),
            (10, lambda: self._slow_line(lines)),
            (15, lambda: self._slower("slower than usual", lines, Cause.LINK)),
            (6, lambda: self._slower("slower, shared", pops, Cause.SHARED)),
            (300, lambda: self._blip(lines)),
            (400, lambda: self._burst(lines)),
        ]  # fmt: skip
        for count, make in draw:
            for _ in range(max(1, round(count * self._days / DAYS))):
                for _ in range(20):  # tries to find room among the others
                    fault = make()
                    if fault is not None and self._free(fault):
                        self.plan.faults.append(fault)
                        break
        self.plan.faults.sort(key=lambda each: each.at)
        self._own_trouble()
        self._single_losses(lines)
        return self.plan

    def _commune(self, target: Target) -> bool:
        return self._inventory.sites[target.site].kind == "commune"

    def _between(self, least: float, most: float) -> float:
        """Evenly over orders of magnitude."""
        return math.exp(self._random.uniform(math.log(least), math.log(most)))

    def _start(self, seconds: float) -> float:
        return self._random.uniform(3600, self._days * DAY - seconds - 3600)

    def _free(self, fault: Fault) -> bool:
        for each in fault.affected:
            if any(at < fault.until + APART and fault.at < until + APART for at, until in self._busy.get(each, ())):
                return False
        for each in fault.affected:
            self._busy.setdefault(each, []).append((fault.at, fault.until))
        return True

    def _seen_at(self, *nodes: str) -> frozenset[str]:
        return frozenset(each for node in nodes for each in (node, *self._graph.after(node)))

    def _fault(
        self,
        kind: str,
        hurts: Sequence[Hurt],
        roots: Iterable[str],
        *causes: Cause,
        affected: Iterable[str] = (),
        whole: bool = False,
    ) -> Fault:
        nodes = {each.node for each in hurts}
        return Fault(
            kind=kind, at=min(each.at for each in hurts), until=max(each.until for each in hurts), hurts=tuple(hurts),
            roots=frozenset(roots), causes=frozenset(causes), affected=self._seen_at(*nodes) | frozenset(affected),
            whole=whole,
        )  # fmt: skip

    def _cut(self, kind: str, nodes: Sequence[str], seconds: float, cause: Cause) -> Fault:
        node, at = self._random.choice(nodes), self._start(seconds)
        hurt = Hurt(node=node, effect=Effect.CUT, at=at, until=at + seconds)
        return self._fault(kind, [hurt], [node], cause)

    def _exchange(self, lines: Sequence[Target]) -> Fault | None:
        """Something that the inventory does not know: what the lines of one provider in one area have in common."""
        sites = self._inventory.sites
        one = self._random.choice(lines)
        area = sites[one.site].area
        with_it = [
            each.id
            for each in lines
            if (each.provider, each.kind, sites[each.site].area) == (one.provider, one.kind, area)
        ]
        if len(with_it) < 3 or one.kind != "internet":  # those of TSLCĐ hang behind a known point of presence
            return None
        seconds = self._between(60, 7200)
        at = self._start(seconds)
        hurts = [Hurt(node=each, effect=Effect.CUT, at=at, until=at + seconds) for each in with_it]
        return self._fault("exchange", hurts, with_it, Cause.SHARED)

    def _at_site(self, target: Target) -> list[str]:
        """What stands at the site of a target: its devices and the far ends of its lines."""
        return [each.id for each in self._graph.by_site[target.site] if each.role is not Role.SERVICE]

    def _power(self, ups: Sequence[Target]) -> Fault:
        """The mains fail; the battery lasts, and when it is empty all that it feeds is silent."""
        one, seconds = self._random.choice(ups), self._between(300, 10800)
        at, battery = self._start(seconds), self._between(120, 3600)
        hurts = [Hurt(node=one.id, effect=Effect.BATTERY, at=at, until=at + min(seconds, battery))]
        if battery < seconds:
            hurts += [
                Hurt(node=each, effect=Effect.CUT, at=at + battery, until=at + seconds) for each in self._at_site(one)
            ]
        return self._fault("power", hurts, [one.id], Cause.POWER, affected=self._at_site(one))

    def _reboot(self, routers: Sequence[Target]) -> Fault:
        """The router of a site starts again; the far ends of its lines are on it."""
        one, seconds = self._random.choice(routers), self._random.uniform(45, 240)
        at = self._start(seconds)
        gone = [one.id, *(each.id for each in self._graph.by_site[one.site] if each.role is Role.LINK)]
        hurts = [Hurt(node=each, effect=Effect.CUT, at=at, until=at + seconds) for each in gone]
        return self._fault("router", hurts, [one.id], Cause.DEVICE)

    def _service(self, kind: str, pages: Sequence[Target], effect: Effect) -> Fault:
        central = [each for each in pages if each.site not in self._inventory.sites or not self._commune(each)]
        one = self._random.choice(central or pages)
        seconds = self._between(600, 14400)
        at = self._start(seconds)
        hurt = Hurt(node=one.id, effect=effect, at=at, until=at + seconds, amount=self._random.uniform(4, 8))
        return self._fault(kind, [hurt], [one.id], Cause.SERVICE)

    def _flapping(self, lines: Sequence[Target]) -> Fault:
        one, at = self._random.choice(lines).id, self._start(3600)
        hurts, now, until = [], at, at + self._between(600, 3600)
        while now < until:
            down = self._random.uniform(8, 40)
            hurts.append(Hurt(node=one, effect=Effect.CUT, at=now, until=now + down))
            now += down + self._random.uniform(10, 90)
        return self._fault("flapping", hurts, [one], Cause.LINK, whole=True)

    def _lossy(self, lines: Sequence[Target]) -> Fault:
        one, seconds = self._random.choice(lines).id, self._between(900, 3600)
        at, share = self._start(seconds), self._between(0.12, 0.4)
        hurt = Hurt(node=one, effect=Effect.LOSS, at=at, until=at + seconds, amount=share)
        return self._fault("lossy line", [hurt], [one], Cause.LINK, whole=True)

    def _slow_line(self, lines: Sequence[Target]) -> Fault:
        one, seconds = self._random.choice(lines).id, self._between(900, 3600)
        at = self._start(seconds)
        hurt = Hurt(node=one, effect=Effect.DELAY, at=at, until=at + seconds, amount=self._random.uniform(0.18, 0.4))
        return self._fault("slow line", [hurt], [one], Cause.LINK, whole=True)

    def _slower(self, kind: str, nodes: Sequence[Target], cause: Cause) -> Fault:
        one, seconds = self._random.choice(nodes).id, self._between(900, 3600)
        at = self._start(seconds)
        hurt = Hurt(node=one, effect=Effect.SLOWER, at=at, until=at + seconds, amount=self._random.uniform(3, 6))
        return self._fault(kind, [hurt], [one], cause, whole=True)

    def _blip(self, lines: Sequence[Target]) -> Fault:
        """Too short for anybody to be woken."""
        one, seconds = self._random.choice(lines).id, self._random.uniform(0.3, self._longest_blip)
        at = self._start(seconds)
        return self._fault("blip", [Hurt(node=one, effect=Effect.CUT, at=at, until=at + seconds)], ())

    def _burst(self, lines: Sequence[Target]) -> Fault:
        """The bad state of Gilbert and Elliott: some seconds with a share lost."""
        one, seconds = self._random.choice(lines).id, self._random.expovariate(1 / 4)
        at = self._start(seconds)
        share = self._random.uniform(0.2, 0.5)
        hurt = Hurt(node=one, effect=Effect.LOSS, at=at, until=at + min(seconds, 15), amount=share)
        return self._fault("burst", [hurt], ())

    def _own_trouble(self) -> None:
        """At times when nothing else is going on anywhere, for else nobody could say what is right."""
        taken = [(each.at - APART, each.until + APART) for each in self.plan.faults if each.roots]
        for kind in ("gap", "gap", "inconclusive", "inconclusive", "step", "step"):
            seconds = self._between(20, 300)
            for _ in range(200):
                at = self._start(seconds)
                if not any(begun < at + seconds and at < until for begun, until in taken):
                    break
            else:
                continue
            taken.append((at - APART, at + seconds + APART))
            if kind == "gap":
                self.plan.gaps.append((at, at + seconds))
            elif kind == "inconclusive":
                self.plan.inconclusive.append((at, at + seconds))
            else:
                self.plan.steps.append((at, self._random.choice((-1, 1)) * self._between(2, 3600)))
        self.plan.steps.sort()

    def _single_losses(self, lines: Sequence[Target]) -> None:
        for line in lines:
            for check in line.checks:
                if check.probe != "icmp":
                    continue
                rate, now = 3 * SINGLE_LOSS / check.interval_seconds, 0.0
                while (now := now + self._random.expovariate(rate)) < self._days * DAY:
                    if self._random.random() < busy(now) / 3:
                        self.plan.losses.append((now, check.id))
        self.plan.losses.sort()


def busy(at: float) -> float:
    """How busy the lines are at a time of the month: 1 at night and at the weekend, up to 3 in office hours (UTC+7)."""
    local = BEGIN + timedelta(seconds=at, hours=7)
    if local.weekday() >= 5:
        return 1.0
    hour = local.hour + local.minute / 60
    return 1.0 + 2.0 * max(math.exp(-(((hour - peak) / 1.5) ** 2)) for peak in (9.5, 15))


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
        thin = turn(max(interval, THIN_LINE if run.target.role is Role.LINK else THIN_OTHER), now)
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
