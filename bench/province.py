"""The whole daemon on a province: 129 communes × 20 echoes a second, 650 SNMP devices and 1,000 pages each 30 s, all answering.

Two minutes; `--seconds 600` for the full length. Prometheus is played by a scrape each 15 s, whose cost is part of the figures.
"""

from __future__ import annotations

import csv
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import daemon
from bench.agent import snmpd
from bench.harness import Row, Run, cpu_seconds, memory_mib, quantiles
from bench.network import address, raise_network
from bench.web import nginx

SECONDS = 120.0
SCRAPE_SECONDS = 15.0
PROFILE_SECONDS = 20.0
SETTLE_SECONDS = 10.0
PLAN = daemon.Plan(communes=129, echo_seconds=1, snmp=650, snmp_seconds=30, pages=1000, page_seconds=30)
TARGET = "target: < 30 % of one core, < 250 MB"


def measure(run: Run) -> dict[str, Any]:
    """The province."""
    raise_network()
    with nginx(run.folder), snmpd(run.folder):
        row, top = watch(run.folder / "daemon", PLAN, run.seconds or SECONDS, profile=True)
    return tables("province", PLAN, {"ours, daemon": row}, top)


def tables(name: str, plan: daemon.Plan, rows: dict[str, Row], top: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """The figures, and what costs most."""
    title = (
        f"{name}: {plan.communes:,} communes × {plan.echoed} echoes each {plan.echo_seconds} s, {plan.snmp:,} SNMP devices "
        f"each {plan.snmp_seconds} s, {plan.pages:,} HTTPS pages each {plan.page_seconds} s"
    )
    return {
        "tables": {title: rows, f"{name}: where the daemon's time goes (cProfile)": {each: {"own time %": round(part * 100, 1)} for each, part in top[:15]}}
    }  # fmt: skip


def sites(count: int) -> list[tuple[str, str, str]]:
    """Id, name and code of `count` communes: the nation's own where the list is, else made up."""
    path = Path(__file__).parent.parent.parent / "shared" / "data" / "national.csv"
    if not path.exists():
        return [(f"xa-{index}", f"Xã {index}", f"{index:05}") for index in range(count)]
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[:count]
    return [(f"{row['slug']}-{row['code']}", row["name"], row["code"]) for row in rows]


def watch(
    folder: Path, plan: daemon.Plan, seconds: float, *, profile: bool, settle: float = SETTLE_SECONDS
) -> tuple[Row, list[tuple[str, float]]]:
    """Start the daemon on the plan, let it settle, watch it; then what costs most."""
    secrets = {"snmp-community": daemon.COMMUNITY, "bench-ca.pem": (folder.parent / "ca.pem").read_text()}
    settings = daemon.write(folder, daemon.inventory(plan, sites(plan.communes), address), secrets)
    began = time.monotonic()
    with daemon.running(settings, 600) as found:
        row: Row = {"ready after s": round(time.monotonic() - began, 1)}
        time.sleep(settle)
        row |= _window(found, seconds)
        top = found.profile(PROFILE_SECONDS) if profile else []
    print("    " + ", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    return row, top


def _window(found: daemon.Daemon, seconds: float) -> Row:
    before, cpu, began = found.scrape(), cpu_seconds(found.pid), time.monotonic()
    memory: list[float] = []
    scrapes: list[float] = []
    over = threading.Event()
    scraper = threading.Thread(target=_scrape, args=(found, over, scrapes))
    scraper.start()
    while (left := began + seconds - time.monotonic()) > 0:
        memory.append(memory_mib(found.pid))
        time.sleep(min(1.0, left))
    over.set()
    scraper.join()
    spent, window = cpu_seconds(found.pid) - cpu, time.monotonic() - began
    cpu = cpu_seconds(found.pid)
    after = found.scrape()
    one_scrape = cpu_seconds(found.pid) - cpu

    def grown(name: str, *labels: str) -> int:
        return int(after.total(name, *labels) - before.total(name, *labels))

    sent = grown("monitor_stream_happenings_total", 'what="sent"')
    expected = sent + grown("monitor_stream_happenings_total", 'what="turn-missed"')
    return {
        "% of a core": round(spent / window * 100, 2),
        "MiB": round(quantiles(memory)[0], 1), "MiB max": round(max(memory), 1),
        "observations/s": round(grown("monitor_observations_total") / window, 1),
        "not ok": sum(grown("monitor_observations_total", f'outcome="{each}"') for each in ("failed", "inconclusive")),
        "echoes/s": round(sent / window, 1),
        "echo turns missed": expected - sent,
        "late": grown("monitor_runs_late_total"), "missed": grown("monitor_runs_missed_total"),
        "unknown": sum(line.endswith(" 4") for line in after.text.splitlines() if line.startswith("monitor_target_state{")),
        "incidents": grown("monitor_incident_events_total", 'what="opened"'),
        "loop lag p99.9 s": _lag(before, after, 0.999),
        "series": after.series, "CPU s/scrape": round(one_scrape, 3),
        "scrape s": round(quantiles(scrapes)[0] if scrapes else after.seconds, 3),
    }  # fmt: skip


def _scrape(found: daemon.Daemon, over: threading.Event, took: list[float]) -> None:
    """What Prometheus would do."""
    while not over.wait(SCRAPE_SECONDS):
        took.append(found.scrape().seconds)


def _lag(before: daemon.Said, after: daemon.Said, part: float) -> float:
    """Upper bound of the bucket that holds this part of the loop's lags."""
    name = "monitor_loop_lag_seconds"
    whole = after.total(f"{name}_count") - before.total(f"{name}_count")
    for bound in ("0.001", "0.002", "0.005", "0.01", "0.02", "0.05", "0.1", "0.25", "1.0"):
        label = f'le="{bound}"'
        if after.total(f"{name}_bucket", label) - before.total(f"{name}_bucket", label) >= part * whole:
            return float(bound)
    return float("inf")
