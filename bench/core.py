"""What deciding alone costs: the decider (judge and correlator) on one core, without probes, metrics, database and loop.

Observations are made beforehand, so that only deciding is measured: *usual*, all is well; *outage*, the lines of every tenth
commune are cut and mended again and again, with everything behind them. Bytes are those that Python's tracemalloc counts for a
decider that has seen each check once, per check and per target; the inventory is not in them.
"""

from __future__ import annotations

import gc
import itertools
import statistics
import tracemalloc
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bench.harness import Row, Run, own_cpu
from lab.faults import BEGIN
from monitor.core.correlate import Correlator
from monitor.core.decider import TICK, Decider
from monitor.core.judge import Judge
from monitor.core.model import Check, Inventory, Observation, Outcome, Reason, Role
from monitor.inventory.load import load_inventory

INVENTORY = Path(__file__).parent.parent / "config" / "inventory"
OBSERVATIONS = 200_000
ROUNDS = 5
CUT_SECONDS, WELL_SECONDS = 20, 20
RTT = 'probe_icmp_duration_seconds{phase="rtt"}'


def measure(run: Run) -> dict[str, Any]:
    """Both cases in each round, and the memory once."""
    inventory = load_inventory(INVENTORY, None)
    found: dict[str, list[Row]] = {"ours, usual": [], "ours, outage": []}
    for index in range(run.rounds or ROUNDS):
        for name, rows in found.items():
            rows.append(speed(inventory, OBSERVATIONS, outage=name.endswith("outage")))
            print(f"    round {index + 1}  {name}: {rows[-1]}", flush=True)
    speeds = {name: _medians(rows) for name, rows in found.items()}
    checks, targets = len(inventory.checks()), len(inventory.targets)
    return {
        "tables": {
            f"core: {targets} targets, {checks} checks, {OBSERVATIONS:,} observations": speeds,
            "core: memory": memory(inventory),
        }
    }


def _medians(rows: Sequence[Row]) -> Row:
    rates = [row["observations/s"] for row in rows]
    middle = {key: round(statistics.median(row[key] for row in rows), 2) for key in rows[0]}
    return {**middle, "min": min(rates), "max": max(rates)}


def observations(inventory: Inventory, *, outage: bool) -> Iterator[Observation]:
    """Second by second what a province says for ever; in an outage every tenth line is cut for a while, and mended."""
    lines = [each.id for each in inventory.targets.values() if each.role is Role.LINK][::10]
    dead = {each for line in lines for each in (line, *_behind(inventory, line))} if outage else set()
    due = [(check, round(check.interval_seconds) or 1) for check in inventory.checks().values()]
    for second in itertools.count():
        at = BEGIN + timedelta(seconds=second)
        cut = second % (CUT_SECONDS + WELL_SECONDS) >= WELL_SECONDS
        for index, (check, interval) in enumerate(due):
            if (second + index) % interval == 0:
                yield _seen(check, at, lost=cut and check.target in dead)


def _behind(inventory: Inventory, line: str) -> tuple[str, ...]:
    return Correlator(inventory).graph.behind(line)


def _seen(check: Check, at: datetime, *, lost: bool) -> Observation:
    if lost:
        return Observation(
            check=check.id, target=check.target, at=at, outcome=Outcome.FAILED, reason=Reason.TIMEOUT,
            evidence="no answer", duration_seconds=1.0,
        )  # fmt: skip
    known = {each.value: each.clear * (0.5 if each.above is not None else 2) for each in check.limits}
    values = {RTT: 0.005} if check.probe == "icmp" else known
    return Observation(
        check=check.id, target=check.target, at=at, outcome=Outcome.OK, reason=Reason.OK, values=values,
        evidence="answer", duration_seconds=0.005,
    )  # fmt: skip


def speed(inventory: Inventory, count: int, *, outage: bool) -> Row:
    """Observations a second of CPU, ticks in between included."""
    given = list(itertools.islice(observations(inventory, outage=outage), count))
    decider, now, events, longest = Decider(inventory, BEGIN), BEGIN, 0, 0.0
    gc.collect()
    gc.freeze()
    began = own_cpu()
    for each in given:
        while now < each.at:
            now += TICK
            tick = own_cpu()
            events += len(decider.tick(now).events)
            longest = max(longest, own_cpu() - tick)
        decision, _ = decider.observe(each)
        if decision is not None:
            events += len(decision.events)
    spent = own_cpu() - began
    gc.unfreeze()
    return {
        "observations/s": round(count / spent), "µs/observation": round(spent / count * 1e6, 2),
        "longest tick ms": round(longest * 1000, 1), "incident events": events,
    }  # fmt: skip


def memory(inventory: Inventory) -> dict[str, Row]:
    """What judge and correlator hold once each check was seen."""
    per_round = len(inventory.checks())
    given: dict[str, Observation] = {}
    for each in observations(inventory, outage=False):
        given.setdefault(each.check, each)
        if len(given) == per_round:
            break
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    judge = Judge()
    judge.adopt(inventory.checks(), BEGIN)
    changes = [change for each in given.values() if (change := judge.observe(each)[0])]
    judged = tracemalloc.get_traced_memory()[0]
    correlator = Correlator(inventory)
    for change in changes:
        correlator.changed(change, change.at)
    correlator.tick(BEGIN)
    correlated = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    targets = len(inventory.targets)
    return {
        "ours, judge": {"KiB": round((judged - before) / 1024), "bytes/check": round((judged - before) / per_round)},
        "ours, correlator": {
            "KiB": round((correlated - judged) / 1024), "bytes/target": round((correlated - judged) / targets)
        },
    }  # fmt: skip
