"""Start-up, CPU and punctuality of the scheduler: checks of a probe that does nothing, each once a minute.

Turns are fixed points of the clock (a hash of the check's id says which), so how late a start is can be told from outside: it is
the time from the begin of its slot. As the daemon does (monitor.app), Python's collector of cycles is told to leave alone what
stays once the checks were seen; without that it holds everything up for 0.1 s now and then at 100,000 checks.
"""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

from bench.harness import Figures, Row, Run, own_cpu, own_peak_mib, quantiles, worker
from monitor.core.model import Check, Observation, State
from monitor.scheduler import Scheduler, slot_of
from probes.registry import Kind, Options, Request, Result, ok

SIZES = (5_000, 20_000, 100_000)
INTERVAL = 60.0
SETTLE_SECONDS = 25.0
"""Every new check is run once in the first 20 s, whatever its turn."""
SECONDS = 40.0


def measure(run: Run) -> dict[str, Any]:
    """One window for each size; a size takes over a minute, so there are no rounds unless asked for."""
    rows: dict[str, Row] = {}
    for size in SIZES:
        for index in range(run.rounds or 1):
            found = worker("bench.scheduler:checks", count=size, seconds=run.seconds or SECONDS)
            name = f"ours, {size:,} checks" + (f", round {index + 1}" if index else "")
            rows[name] = {
                "start s": round(found.more.pop("start s"), 3),
                "runs": found.probes,
                "CPU ms/run": round(found.cpu_seconds * 1000 / max(1, found.probes), 4),
                **{key: round(value, 2) for key, value in found.more.items()},
                "MiB": round(found.memory_mib, 1),
            }
            print(f"    {name}: {rows[name]}", flush=True)
    return {"tables": {f"scheduler: a probe that does nothing, every {INTERVAL:g} s": rows}}


async def _nothing(_: Request[Any]) -> Result:
    return ok()


def checks(count: int, seconds: float, settle: float = SETTLE_SECONDS) -> Figures:
    """The scheduler with `count` checks, watched for `seconds` once it has settled."""
    return asyncio.run(_checks(count, seconds, settle))


async def _checks(count: int, seconds: float, settle: float) -> Figures:
    starts: list[tuple[str, float]] = []

    def observed(observation: Observation) -> None:
        starts.append((observation.check, time.time()))

    kind = Kind(name="nothing", options=Options, run=_nothing, metrics=(), module=__name__, doc="", needs_address=False)
    options = Options()
    wanted = {
        id_: Check(
            id=id_, target=id_, name="nothing", probe="nothing", address="", options=options, interval_seconds=INTERVAL,
            timeout_seconds=5.0, confirm=3, when_failed=State.DOWN,
        )
        for id_ in (f"xa-{index // 30}/d{index % 30}#nothing" for index in range(count))
    }  # fmt: skip
    scheduler = Scheduler({"nothing": kind}, observed)
    began = time.monotonic()
    scheduler.adopt(wanted)
    scheduler.start()
    await asyncio.sleep(0)
    took = time.monotonic() - began
    await asyncio.sleep(settle)
    gc.collect()
    gc.freeze()
    await asyncio.sleep(1)  # what that held up is not what is measured
    before = len(starts)
    cpu, late, missed, began = own_cpu(), scheduler.late, scheduler.missed, time.monotonic()
    await asyncio.sleep(seconds)
    spent, window = own_cpu() - cpu, time.monotonic() - began
    found, late, missed = starts[before:], scheduler.late - late, scheduler.missed - missed
    await scheduler.stop()
    gc.unfreeze()
    lateness = sorted((at - slot_of(id_, INTERVAL).offset_seconds) % INTERVAL for id_, at in found)
    half, most, worst = quantiles(lateness)
    nearly_all = lateness[len(lateness) * 999 // 1000]
    expected = count * window / INTERVAL
    return Figures(
        probes=len(found), answered=len(found), cpu_seconds=spent, memory_mib=own_peak_mib(),
        more={
            "start s": took, "% of a core": spent / window * 100, "of turns due": len(found) / expected,
            "lateness ms p50": half * 1000, "p99": most * 1000, "p99.9": nearly_all * 1000, "max": worst * 1000,
            "late": late, "missed": missed,
        },
    )  # fmt: skip
