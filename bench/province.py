"""The whole daemon on a province: 129 communes × 20 echoes a second, 650 SNMP devices and 1,000 pages each 30 s, all answering.

Two minutes not scraped, two minutes scraped each 15 s; `--seconds 600` for the full length.
"""

from __future__ import annotations

import contextlib
import csv
import http.client
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import daemon
from bench.agent import snmpd
from bench.echo import profile_table
from bench.harness import Row, Run, cpu_seconds, memory_mib, quantiles
from bench.network import address, raise_network
from bench.web import nginx

SECONDS = 600.0
BARE_SECONDS = 60.0
"""Without scrapes: what these cost is the difference."""
SCRAPE_SECONDS = 15.0
PROFILE_SECONDS = 20.0
SETTLE_SECONDS = 10.0
PLAN = daemon.Plan(communes=129, echo_seconds=1, snmp=650, snmp_seconds=30, pages=1000, page_seconds=30)


def measure(run: Run) -> dict[str, Any]:
    """The province."""
    raise_network()
    with nginx(run.folder), snmpd(run.folder):
        rows, top = watch(
            run.folder / "daemon", PLAN, run.seconds or SECONDS, settle=SETTLE_SECONDS, scraped=True, profile=True
        )
    return tables("province", PLAN, rows, top)


def tables(name: str, plan: daemon.Plan, rows: dict[str, Row], top: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """The figures, and what costs most."""
    title = (
        f"{name}: {plan.communes:,} communes × {plan.echoed} echoes each {plan.echo_seconds} s, {plan.snmp:,} SNMP devices "
        f"each {plan.snmp_seconds} s, {plan.pages:,} HTTPS pages each {plan.page_seconds} s"
    )
    return {"tables": {title: rows, f"{name}: where the daemon's time goes (cProfile)": profile_table(top)}}


def sites(count: int) -> list[tuple[str, str, str]]:
    """Id, name and code of `count` communes: the nation's own where the list is, else made up."""
    path = Path(__file__).parent.parent.parent / "shared" / "data" / "national.csv"
    if not path.exists():
        return [(f"xa-{index}", f"Xã {index}", f"{index:05}") for index in range(count)]
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[:count]
    return [(f"{row['slug']}-{row['code']}", row["name"], row["code"]) for row in rows]


def watch(
    folder: Path, plan: daemon.Plan, seconds: float, *, settle: float, scraped: bool, profile: bool
) -> tuple[dict[str, Row], list[tuple[str, float]]]:
    """Start the daemon on the plan, let it settle; watch it for a minute alone, and for `seconds` scraped as Prometheus would."""
    secrets = {"snmp-community": daemon.COMMUNITY, "bench-ca.pem": (folder.parent / "ca.pem").read_text()}
    settings = daemon.write(folder, daemon.inventory(plan, sites(plan.communes), address), secrets)
    began = time.monotonic()
    with daemon.running(settings, 600) as found:
        ready = time.monotonic() - began
        time.sleep(settle)
        row: Row = {"ready after s": round(ready, 1), **_window(found, min(seconds, BARE_SECONDS), None)}
        top = found.profile(PROFILE_SECONDS) if profile else []
        time.sleep(SETTLE_SECONDS)
        rows = {"ours, daemon": row | _one_scrape(found)}
        if scraped:
            rows[f"ours, daemon, scraped each {SCRAPE_SECONDS:g} s"] = _window(found, seconds, SCRAPE_SECONDS)
    for name, row in rows.items():
        print(f"    {name}: " + ", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    return rows, top


def _window(found: daemon.Daemon, seconds: float, scrape_seconds: float | None) -> Row:
    over, scraper = threading.Event(), None
    before, cpu, began = found.counters(), cpu_seconds(found.pid), time.monotonic()
    if scrape_seconds:
        scraper = threading.Thread(target=_scrape, args=(found, over, scrape_seconds))
        scraper.start()
    memory: list[float] = []
    while (left := began + seconds - time.monotonic()) > 0:
        memory.append(memory_mib(found.pid))
        time.sleep(min(1.0, left))
    spent, window, after = cpu_seconds(found.pid) - cpu, time.monotonic() - began, found.counters()
    over.set()
    if scraper:
        scraper.join()

    def grown(name: str) -> int:
        return int(after[name] - before[name])

    return {
        "% of a core": round(spent / window * 100, 2),
        "MiB": round(quantiles(memory)[0], 1), "MiB max": round(max(memory), 1),
        "observations/s": round(grown("observations") / window, 1), "echoes/s": round(grown("sent") / window, 1),
        "not ok": grown("not ok"), "echo turns missed": grown("turn-missed"), "late": grown("late"), "missed": grown("missed"),
        "unknown": after["targets"] - sum(count for state, count in after["states"].items() if state != "unknown"),
        "incidents": grown("opened"),
        "gc %": round((after["gc"] - before["gc"]) / window * 100, 2), "gc longest s": round(after["gc longest"], 3),
        "loop lag p99.9 s": lag(before["lag"], after["lag"], 0.999),
    }  # fmt: skip


def _one_scrape(found: daemon.Daemon) -> Row:
    cpu = cpu_seconds(found.pid)
    said = found.scrape()
    return {
        "series": said.series,
        "CPU s/scrape": round(cpu_seconds(found.pid) - cpu, 3),
        "scrape s": round(said.seconds, 3),
    }


def _scrape(found: daemon.Daemon, over: threading.Event, seconds: float) -> None:
    """What Prometheus would do, which gives up after its interval."""
    while not over.wait(seconds):
        with contextlib.suppress(OSError, http.client.HTTPException):
            found.get("/metrics", seconds)


def lag(before: Mapping[str, float], after: Mapping[str, float], part: float) -> float:
    """Upper bound of the bucket that holds this part of the loop's lags.

    >>> lag({"0.1": 0, "+Inf": 0}, {"0.1": 998, "+Inf": 1000}, 0.9)
    0.1
    """
    whole = after["+Inf"] - before["+Inf"]
    return next(float(bound) for bound in after if after[bound] - before[bound] >= part * whole)
