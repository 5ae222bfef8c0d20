"""The board with 200 live viewers while the province is probed: what they cost the daemon, whether checks come late for them, and
how soon they see a fault.

Four windows: nobody looks, all is well; nobody looks, a commune is cut every three seconds; the same two with the viewers. A cut makes
the far end discard what is sent to a commune. The viewers are a process of their own.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench import daemon, harness
from bench.agent import snmpd
from bench.harness import Row, Run, cpu_seconds, quantiles
from bench.network import address, raise_network
from bench.province import PLAN, lag, sites
from bench.web import nginx
from lab.network import run as do

SECONDS = 20.0
"""Of each window."""
SETTLE_SECONDS = 5.0
CUT_SECONDS = 3.0
SEEN_SECONDS = 10.0
"""What was cut last is seen in this time after the window."""
OVERVIEW, WALL, OWN = 120, 60, 20
"""Viewers of the province, of the wall, and each of a commune of its own."""


def measure(run: Run) -> dict[str, Any]:
    """All windows, and what one page takes."""
    raise_network()
    known = [id_ for id_, *_ in sites(PLAN.communes)]
    seconds = run.seconds or SECONDS
    with nginx(run.folder), snmpd(run.folder):
        folder = run.folder / "daemon"
        secrets = {"snmp-community": daemon.COMMUNITY, "bench-ca.pem": (run.folder / "ca.pem").read_text()}
        settings = daemon.write(folder, daemon.inventory(PLAN, sites(PLAN.communes), address), secrets)
        with daemon.running(settings, 600) as found:
            time.sleep(SETTLE_SECONDS)
            cuts = Cuts(known)
            rows = {"nobody looks, all is well": _window(found, seconds, None)}
            rows["nobody looks, a commune cut each 3 s"] = _window(found, seconds, cuts)
            cuts.mend()
            time.sleep(SEEN_SECONDS)
            with viewers(run.folder / "seen", known) as seen:
                rows["200 viewers, all is well"] = _window(found, seconds, None)
                began = len(cuts.made)
                rows["200 viewers, a commune cut each 3 s"] = _window(found, seconds, cuts)
                time.sleep(SEEN_SECONDS)
                rows["200 viewers, a commune cut each 3 s"] |= times(cuts.made[began:], lines(seen))
                pages = {
                    path: _page(found, path) for path in ("/", "/wall", f"/sites/{known[0]}", "/silences", "/monitor")
                }
    return {
        "tables": {
            "board: the daemon of the province with and without viewers": rows,
            "board: one page, some communes cut": pages,
        }
    }


class Cuts:
    """Cuts one commune after the other."""

    def __init__(self, known: Sequence[str]) -> None:
        self._known = known
        self.made: list[tuple[float, str]] = []
        """When, and which."""

    def cut(self) -> None:
        """The next one; never one that was cut before."""
        index = len(self.made)
        do("ip", "-n", "far", "route", "add", "blackhole", _field(index), "table", "local")
        self.made.append((time.monotonic(), self._known[index]))

    def mend(self) -> None:
        """All that were cut answer again."""
        for index in range(len(self.made)):
            do("ip", "-n", "far", "route", "del", "blackhole", _field(index), "table", "local")


def _field(index: int) -> str:
    return f"{address(index, 1).rpartition('.')[0]}.0/24"


def _window(found: daemon.Daemon, seconds: float, cuts: Cuts | None) -> Row:
    before, cpu, began = found.counters(), cpu_seconds(found.pid), time.monotonic()
    due = began
    while (left := began + seconds - time.monotonic()) > 0:
        if cuts is not None and time.monotonic() >= due:
            cuts.cut()
            due += CUT_SECONDS
        time.sleep(min(0.2, left))
    spent, window, after = cpu_seconds(found.pid) - cpu, time.monotonic() - began, found.counters()
    return {
        "% of a core": round(spent / window * 100, 2),
        "late": int(after["late"] - before["late"]), "missed": int(after["missed"] - before["missed"]),
        "echo turns missed": int(after["turn-missed"] - before["turn-missed"]),
        "loop lag p99.9 s": lag(before["lag"], after["lag"], 0.999),
    }  # fmt: skip


@contextlib.contextmanager
def viewers(told: Path, known: Sequence[str]) -> Iterator[Path]:
    """200 of them; a file of what they saw."""
    paths = ["/"] * OVERVIEW + ["/wall"] * WALL + [f"/sites/{each}" for each in known[-OWN:]]
    with told.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", "bench.viewers", *paths], stdout=output)
        try:
            harness.wait_for("all viewers", lambda: sum("at" in each for each in lines(told)) >= len(paths), 60)
            yield told
        finally:
            process.terminate()
            process.wait()


def lines(told: Path) -> list[dict[str, Any]]:
    """What the viewers have said so far, in whole lines."""
    return [json.loads(each) for each in told.read_text().splitlines(keepends=True) if each.endswith("\n")]


def times(cuts: Sequence[tuple[float, str]], said: Sequence[dict[str, Any]]) -> Row:
    """How long it took from each cut until the first viewer of the province saw it, and until the last one did."""
    first, last = [], []
    for at, site in cuts:
        seen: dict[int, float] = {}
        for each in said:
            if each.get("at", 0.0) > at and each["viewer"] < OVERVIEW and site in each["hurt"]:
                seen.setdefault(each["viewer"], each["at"])
        if len(seen) == OVERVIEW:
            first.append(min(seen.values()) - at)
            last.append(max(seen.values()) - at)
    return {
        "cuts": len(cuts), "seen by all": len(first),
        "first sees it s p50": round(quantiles(first)[0], 2), "last sees it s p50": round(quantiles(last)[0], 2),
        "last sees it s max": round(quantiles(last)[2], 2),
        "first to last s max": round(max((b - a for a, b in zip(first, last, strict=True)), default=float("nan")), 3),
        "viewers lost": sum(each.get("status") == 0 for each in said),
    }  # fmt: skip


def _page(found: daemon.Daemon, path: str, rounds: int = 5) -> Row:
    """Asked for so far apart that it is made each time."""
    took, text = [], ""
    for _ in range(rounds):
        time.sleep(1.1)
        began = time.monotonic()
        text = found.get(path)
        took.append((time.monotonic() - began) * 1000)
    return {
        "ms": round(quantiles(took)[0], 1),
        "ms max": round(max(took), 1),
        "bytes": len(text.encode()),
        "packed": len(gzip.compress(text.encode(), 6)),
    }
