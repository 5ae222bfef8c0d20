"""What goes wrong in a month of a province, drawn from a seed: cuts, loss, power, services, and trouble of the monitor itself.

Bursty loss is Gilbert-Elliott's: E. N. Gilbert, Bell Syst. Tech. J. 39 (1960), 1253-1265; E. O. Elliott, ibid. 42 (1963), 1977-1997.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from monitor.core.graph import Graph
from monitor.core.model import Cause, Inventory, Role, Target

DAY = 86400.0
DAYS = 30
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)

APART = 900.0
"""Seconds between faults that have a target in common: what belongs to which must be known."""
SINGLE_LOSS = 1e-4
"""Share of the echoes over a line that are lost with no fault; three times that in the busy hours."""


def busy(at: float) -> float:
    """How busy the lines are at a time of the month: 1 at night and at the weekend, up to 3 in office hours (UTC+7)."""
    local = BEGIN + timedelta(seconds=at, hours=7)
    if local.weekday() >= 5:
        return 1.0
    hour = local.hour + local.minute / 60
    return 1.0 + 2.0 * max(math.exp(-(((hour - peak) / 1.5) ** 2)) for peak in (9.5, 15))


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
