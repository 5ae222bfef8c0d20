"""A month of the province against the decider, and against two plain settings that stand for the peers.

`lab.faults` draws what goes wrong and knows it, so every incident can be judged: right root and cause, missed, or false. The
baselines see the same observations:

- *three misses*: any check that failed three times in a row mails, and again when it is well (Zabbix, Nagios without parents);
- *for: 1m*: scraped each 15 s, alerting after a minute, grouped by site with Alertmanager's usual waits and repeats.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench.harness import Row, Run, own_cpu, quantiles
from bench.wishes import MARKED, WISHES, Post, post, row
from lab.faults import BEGIN, DAYS, Drawer, Fault
from lab.month import Month
from monitor.core.model import Cause, Happening, IncidentEvent, Observation, Outcome, Target
from monitor.inventory.load import load_inventory

INVENTORY = Path(__file__).parent.parent / "config" / "inventory"
SEEDS = (101, 102, 103)
"""Others than those that the settings were chosen with (1 to 10)."""
LATEST = 300.0
"""Seconds after the end of a fault in which an incident may still be about it."""

SCRAPE, FOR = 15.0, 60.0
GROUP_WAIT, GROUP_INTERVAL, REPEAT_INTERVAL = 30.0, 300.0, 4 * 3600.0
"""As Alertmanager has them when nobody sets them."""


@dataclass(slots=True)
class Told:
    """One incident as it was told."""

    id: str
    opened: float
    root: str
    cause: Cause
    last_root: str = ""
    last_cause: Cause | None = None
    mails: int = 1
    again: bool = False
    """It came back in the thread of the one before."""


@dataclass(slots=True)
class Score:
    """How a month was decided."""

    delays: dict[str, list[float]] = field(default_factory=dict)
    """By kind of fault: seconds from its beginning to the incident."""
    right: Counter[str] = field(default_factory=Counter)
    right_in_the_end: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    several: Counter[str] = field(default_factory=Counter)
    """More than one incident for one fault."""
    false: list[Told] = field(default_factory=list)
    about: dict[str, list[set[str]]] = field(default_factory=dict)
    """By kind of fault: the incidents about each that was not missed."""
    mails: int = 0
    posts: dict[str, Post] = field(default_factory=dict)
    """By wish."""
    plain: Counter[str] = field(default_factory=Counter)
    """Faults of which `for: 1m` says anything."""

    def told(self, at_once: Container[str], kind: str = "") -> int:
        """How many faults, of one kind or all, were told at once."""
        faults = [each for name, found in self.about.items() if kind in ("", name) for each in found]
        return sum(any(incident in at_once for incident in each) for each in faults)


def score(faults: Iterable[Fault], told: Sequence[Told]) -> Score:
    """Hold what was told against what happened."""
    found, expected = Score(), [each for each in faults if each.roots]
    by_fault: dict[int, list[Told]] = {}
    for incident in told:
        found.mails += incident.mails
        about = [
            each
            for each in expected
            if each.at - 1 <= incident.opened <= each.until + LATEST and incident.root in each.affected
        ]
        if not about:
            found.false.append(incident)
            continue
        best = max(about, key=lambda each: (incident.root in each.roots, each.at))
        by_fault.setdefault(id(best), []).append(incident)
    for fault in expected:
        incidents = by_fault.get(id(fault), [])
        if not incidents:
            found.missed[fault.kind] += 1
            continue
        first = incidents[0]
        found.delays.setdefault(fault.kind, []).append(first.opened - fault.at)
        found.about.setdefault(fault.kind, []).append({each.id for each in incidents})
        found.right[fault.kind] += first.root in fault.roots and first.cause in fault.causes
        found.right_in_the_end[fault.kind] += first.last_root in fault.roots and first.last_cause in fault.causes
        found.several[fault.kind] += any(not each.again for each in incidents[1:])
    return found


@dataclass(slots=True)
class Baselines:
    """What two plain settings would have mailed of the same observations."""

    target_of: Mapping[str, Target]
    """By check."""
    _misses: dict[str, int] = field(default_factory=dict)
    _failing: dict[str, float] = field(default_factory=dict)
    spans: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """By check: from the first failed run to the first good one."""
    three_misses: list[tuple[float, str]] = field(default_factory=list)
    """When, check: alerts; each has a mail of its end as well."""

    def observe(self, at: float, seen: Observation) -> None:
        """Take an observation in turn."""
        if seen.out_of_turn or seen.outcome is Outcome.INCONCLUSIVE:
            return
        check = seen.check
        if seen.outcome is Outcome.OK:
            self._misses.pop(check, None)
            if (begun := self._failing.pop(check, None)) is not None:
                self.spans.setdefault(check, []).append((begun, at))
            return
        self._failing.setdefault(check, at)
        self._misses[check] = misses = self._misses.get(check, 0) + 1
        if misses == 3:
            self.three_misses.append((at, check))

    def alerts_for_a_minute(self) -> list[tuple[float, float, str]]:
        """Begin, end and check of what `for: 1m` makes of the scrapes."""
        found = []
        for check, spans in self.spans.items():
            scrapes: list[list[float]] = []  # runs of failed scrapes: first, last
            for begun, until in spans:
                first = -(-begun // SCRAPE) * SCRAPE
                last = (-(-until // SCRAPE) - 1) * SCRAPE
                if last < first:
                    continue
                if scrapes and first - scrapes[-1][1] <= SCRAPE:
                    scrapes[-1][1] = last
                else:
                    scrapes.append([first, last])
            found += [(first + FOR, last + SCRAPE, check) for first, last in scrapes if last - first >= FOR]
        return sorted(found)

    def told_for_a_minute(self, faults: Iterable[Fault]) -> Counter[str]:
        """By kind: of how many faults `for: 1m` says anything."""
        alerts = self.alerts_for_a_minute()
        return Counter(
            fault.kind
            for fault in faults
            if fault.roots
            and any(
                fault.at <= begun <= fault.until + LATEST and self.target_of[check].id in fault.affected
                for begun, _, check in alerts
            )
        )

    def mails_for_a_minute(self) -> int:
        """Mails of Alertmanager, grouped by site: the first after GROUP_WAIT, changes each GROUP_INTERVAL, and what lasts again."""
        changes: dict[str, list[tuple[float, int]]] = {}
        for begun, until, check in self.alerts_for_a_minute():
            changes.setdefault(self.target_of[check].site, []).extend(((begun, 1), (until, -1)))
        mails = 0
        for times in changes.values():
            flushed, firing = float("-inf"), 0
            for at, change in sorted(times):
                if firing and at - flushed > REPEAT_INTERVAL:
                    mails += int((at - flushed) // REPEAT_INTERVAL)
                if at > flushed:
                    mails += 1
                    flushed = at + (GROUP_INTERVAL if firing else GROUP_WAIT)
                firing += change
        return mails


def measure(run: Run) -> dict[str, Any]:
    """A month for each seed; `--rounds` is the number of seeds, `--seconds` means nothing here."""
    return tables(SEEDS[0] + index for index in range(run.rounds or len(SEEDS)))


def tables(seeds: Iterable[int], days: float = DAYS) -> dict[str, Any]:
    """How every kind of fault was decided, and how many mails that made, over all seeds and for each."""
    scores: dict[int, Score] = {}
    numbers: Counter[str] = Counter()
    totals: dict[str, Row] = {}
    plain_mails = 0
    for seed in seeds:
        found, simulated, plain, faults, cpu = month(seed, days)
        scores[seed] = found
        real = [each.kind for each in faults if each.roots]
        numbers.update(real)
        plain_mails += (one_plain := plain.mails_for_a_minute())
        totals[f"ours, seed {seed}"] = {
            "faults": len(real),
            "false incidents": len(found.false),
            "missed": found.missed.total(),
            "mails": found.mails,
            "mails/fault": round(found.mails / max(1, len(real)), 2),
            "three misses: mails": 2 * len(plain.three_misses),
            "for: 1m: mails": one_plain,
            "for: 1m: missed": len(real) - found.plain.total(),
            "observations": simulated.observations,
            "CPU s": round(cpu, 1),
        }
        print(f"    seed {seed}: {totals[f'ours, seed {seed}']}", flush=True)
    title = f"{len(scores)} × {days:g} days"
    every = list(scores.values())
    return {
        "tables": {
            f"month: {title}, by kind of fault": {kind: _kind(kind, numbers[kind], every) for kind in sorted(numbers)},
            f"month: {title}, in total": totals,
            f"month: {title}, mails by what one person wants at once": {
                wish: _row(wish, scores, numbers.total(), plain_mails) for wish in WISHES
            },
        }
    }


def _row(wish: str, scores: Mapping[int, Score], faults: int, plain: int) -> Row:
    told = sum(each.told(each.posts[wish].at_once) for each in scores.values())
    return row({seed: each.posts[wish] for seed, each in scores.items()}, faults, told, plain)


def _kind(kind: str, number: int, scores: Sequence[Score]) -> Row:
    """One kind of fault over all months; delays are seconds from the fault to its incident."""
    half, most, worst = quantiles([each for found in scores for each in found.delays.get(kind, ())])
    seen = number - sum(found.missed[kind] for found in scores)

    def part(counts: Iterable[int]) -> float | None:
        return round(100 * sum(counts) / seen, 1) if seen else None

    return {
        "number": number,
        "right %": part(found.right[kind] for found in scores),
        "right in the end %": part(found.right_in_the_end[kind] for found in scores),
        "missed": number - seen,
        "several": sum(found.several[kind] for found in scores),
        **({"delay s p50": round(half, 1), "p99": round(most, 1), "max": round(worst, 1)} if seen else {}),
        "at once %": part(found.told(found.posts[MARKED].at_once, kind) for found in scores),
        "for: 1m: missed": number - sum(found.plain[kind] for found in scores),
    }


def month(
    seed: int, days: float = DAYS, longest_blip: float = 3.0
) -> tuple[Score, Month, Baselines, list[Fault], float]:
    """One month with its score; the seconds are those of CPU."""
    inventory = load_inventory(INVENTORY, None)
    plan = Drawer(inventory, seed, days, longest_blip).draw()
    simulated = Month(inventory, plan, seed, days)
    plain = Baselines({check.id: inventory.targets[check.target] for check in inventory.checks().values()})
    told: list[Told] = []
    happened: list[IncidentEvent] = []
    latest: dict[str, Told] = {}
    began = own_cpu()
    for at, seen, events in simulated.run():
        if seen is not None:
            plain.observe(at, seen)
        for event in events:
            incident = event.incident
            happened.append(replace(event, at=BEGIN + timedelta(seconds=at)))  # however the clock was set
            if event.what in (Happening.OPENED, Happening.REOPENED):
                told.append(Told(incident.id, at, incident.root, incident.cause))
                latest[incident.id] = told[-1]
            else:
                latest[incident.id].mails += 1
            latest[incident.id].last_root, latest[incident.id].last_cause = incident.root, incident.cause
            latest[incident.id].again |= incident.times > 1
    spent = own_cpu() - began
    found = score(plan.faults, told)
    found.posts = {name: post(happened, inventory, wish) for name, wish in WISHES.items()}
    found.plain = plain.told_for_a_minute(plan.faults)
    return found, simulated, plain, plan.faults, spent
