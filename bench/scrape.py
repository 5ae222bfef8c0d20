"""What a scrape costs and how long it holds up the loop: ours (Metrics.expose), and prometheus-client as it is meant to be used.

Our series are those of the daemon, of targets with an echo each, one in twenty of them a line with its histograms; the peers
get as many series with four labels. What stays is frozen for Python's collector of cycles, as the daemon does it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import gzip
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest

from bench.harness import Figures, Row, Run, compare, own_cpu, own_peak_mib, worker
from monitor.core.judge import Judge
from monitor.core.model import Check, Inventory, Observation, Outcome, Reason, Role, Site, State, Target
from monitor.metrics import Metrics, Present
from probes import registry

SIZES = (50_000, 200_000)
ROUNDS = 3
SCRAPES = 5
TARGETS_A_LINE = 20
ACCEPT = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
RTT = 'probe_icmp_duration_seconds{phase="rtt"}'
LABELS = ("site", "target", "kind", "check")


def measure(run: Run) -> dict[str, Any]:
    """Both sizes, plain and gzip."""
    tables: dict[str, dict[str, Row]] = {}
    for size in SIZES:
        contenders: dict[str, Callable[[], Figures]] = {
            "ours, Metrics.expose": lambda size=size: worker("bench.scrape:ours", series=size),  # type: ignore[misc]
            "prometheus-client, child objects": lambda size=size: worker("bench.scrape:children", series=size),  # type: ignore[misc]
            "prometheus-client, custom collector": lambda size=size: worker("bench.scrape:collector", series=size),  # type: ignore[misc]
        }
        print(f"  {size:,} series")
        rows = compare(contenders, run.rounds or ROUNDS)
        for row in rows.values():
            row["CPU s/scrape"] = row.pop("CPU ms/probe") / 1000
            for column in ("min", "max"):
                row[column] = round(row[column] / 1000, 4)
            del row["answered"], row["CPU ms/answer"]
        order = ("CPU s/scrape", "min", "max", "× best peer")
        tables[f"scrape: {size:,} series"] = {
            name: {**{key: row[key] for key in order}, **row} for name, row in rows.items()
        }
    return {"tables": tables}


async def _scrapes(expose: Callable[[], Any]) -> Figures:
    """CPU and stall of some scrapes, then the same body by gzip."""
    gc.collect()
    gc.freeze()
    body = b"".join([piece async for piece in _scrape(expose)])  # templates are made at the first one
    stalls: list[tuple[float, float]] = []
    watcher = asyncio.create_task(_watch(stalls))
    await asyncio.sleep(0.05)
    stalls.clear()
    cpu = own_cpu()
    for _ in range(SCRAPES):
        async for _ in _scrape(expose):  # let go, as the daemon does when it is sent
            pass
        await asyncio.sleep(0.005)  # the watcher's turn
    spent = own_cpu() - cpu
    await asyncio.sleep(0.01)
    watcher.cancel()
    cpu = own_cpu()
    packed = gzip.compress(body, 6)
    late = sorted(stall for stall, _ in stalls)
    series = sum(not line.startswith(b"#") for line in body.splitlines())
    return Figures(
        probes=SCRAPES, answered=SCRAPES, cpu_seconds=spent, memory_mib=own_peak_mib(),
        more={
            "stall p99.9 ms": late[len(late) * 999 // 1000] * 1000, "longest stall ms": late[-1] * 1000,
            "most CPU in one ms": max(busy for _, busy in stalls) * 1000,
            "gzip adds s": own_cpu() - cpu, "series": series,
            "MB": len(body) / 1e6, "MB gzip": len(packed) / 1e6,
        },
    )  # fmt: skip


async def _scrape(expose: Callable[[], Any]) -> AsyncIterator[bytes]:
    """A scrape: bytes at once, as prometheus-client makes them, or in pieces, as ours come."""
    found = expose()
    if isinstance(found, bytes):
        yield found
    else:
        async for piece in found[1]:
            yield piece.encode()


async def _watch(stalls: list[tuple[float, float]]) -> None:
    """How late the event loop woke a timer of a millisecond, again and again, and what CPU it used meanwhile, in seconds.

    The one also shows what else the machine had to do, the other only ours.
    """
    last, busy = time.monotonic(), time.thread_time()
    while True:
        await asyncio.sleep(0.001)
        now, busy_now = time.monotonic(), time.thread_time()
        stalls.append((now - last - 0.001, busy_now - busy))
        last, busy = now, busy_now


# -- in a Python of their own ------------------------------------------------------------------------------------------


def ours(series: int) -> Figures:
    """As many targets with an echo as make that many series."""
    one, two = (_count(targets) for targets in (TARGETS_A_LINE, 2 * TARGETS_A_LINE))
    each = (two - one) / TARGETS_A_LINE
    metrics = _metrics(round(series / each))
    return asyncio.run(_scrapes(lambda: metrics.expose(ACCEPT)))


def _count(targets: int) -> int:
    async def count() -> int:
        body = b"".join([piece async for piece in _scrape(lambda: _metrics(targets).expose(ACCEPT))])
        return sum(not line.startswith(b"#") for line in body.splitlines())

    return asyncio.run(count())


def _metrics(count: int) -> Metrics:
    """The daemon's metrics with `count` targets whose echo was observed."""
    kinds = registry.load()
    now = datetime.now(UTC)
    site = Site(id="xa", name="Xã", code="1")
    targets = {}
    for index in range(count):
        id_ = f"xa/d{index}"
        check = Check(
            id=f"{id_}#echo", target=id_, name="echo", probe="icmp", address="10.64.0.1", options=None, interval_seconds=1.0,
            timeout_seconds=1.0, confirm=6, when_failed=State.DOWN, window=60,
        )  # fmt: skip
        role = Role.DEVICE if index % TARGETS_A_LINE else Role.LINK
        targets[id_] = Target(id=id_, site="xa", name=f"d{index}", role=role, kind="server", checks=(check,))
    inventory = Inventory(sites={"xa": site}, targets=targets, providers={})
    judge = Judge()
    judge.adopt(inventory.checks(), now)
    last = {
        check.id: Observation(
            check=check.id, target=check.target, at=now, outcome=Outcome.OK, reason=Reason.OK,
            values={RTT: 0.0123 + index / 1e6, "probe_icmp_jitter_seconds": index / 1e8, "probe_icmp_reply_hop_limit": 64.0}, duration_seconds=0.0123,
        )
        for index, check in enumerate(inventory.checks().values())
    }  # fmt: skip
    given = {"last": last, "judge": judge}
    metrics = Metrics(kinds, lambda: _present(given), "0")
    metrics.adopt(inventory)
    for each in last.values():
        judge.observe(each)
        metrics.observed("icmp", each)
    return metrics


def _present(given: dict[str, Any]) -> Present:
    """What is not given is empty or zero, also what the daemon may have learnt to tell since."""
    made: dict[str, Any] = {}
    for each in dataclasses.fields(Present):
        kind = str(each.type)
        made[each.name] = given.get(
            each.name,
            {}
            if "Mapping" in kind or "dict" in kind
            else ()
            if any(each in kind for each in ("Iterable", "Sequence", "Collection"))
            else 0,
        )
    return Present(**made)


def children(series: int) -> Figures:
    """A gauge with a child object for each series."""
    registry_ = CollectorRegistry()
    gauge = Gauge("bench_value", "A value.", LABELS, registry=registry_)
    for index, labels in enumerate(_labels(series)):
        gauge.labels(*labels).set(0.0123 + index / 1e6)
    return asyncio.run(_scrapes(lambda: generate_latest(registry_)))


def collector(series: int) -> Figures:
    """A collector that builds its family at each scrape."""
    known = list(_labels(series))

    class Collector:
        def collect(self) -> Iterator[GaugeMetricFamily]:
            family = GaugeMetricFamily("bench_value", "A value.", labels=LABELS)
            for index, labels in enumerate(known):
                family.add_metric(labels, 0.0123 + index / 1e6)
            yield family

    registry_ = CollectorRegistry()
    registry_.register(Collector())
    return asyncio.run(_scrapes(lambda: generate_latest(registry_)))


def _labels(series: int) -> Iterator[tuple[str, ...]]:
    return ((f"xa-{index // 300}", f"xa-{index // 300}/d{index % 300}", "server", "echo") for index in range(series))
