"""What the daemon costs with the whole province of the lab: CPU, memory and observations a second, and one scrape."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from bench.harness import Row, Run
from lab.province import Province

SECONDS = 60.0


def measure(run: Run) -> dict[str, Any]:
    """Raise the province, let the daemon settle, watch it."""
    province = Province(run.folder, Path(__file__).parent.parent / "config", lambda _: None, lambda _: None)
    try:
        province.start()
        province.wait_ready()
        time.sleep(10)
        row = _watch(province, run.seconds or SECONDS)
    finally:
        province.stop()
    return {"tables": {"load: the daemon on the lab's province": {"ours, daemon": row}}}


def _watch(province: Province, seconds: float) -> Row:
    runs, (cpu, _), began = province.observations(), province.daemon_figures(), time.monotonic()
    time.sleep(seconds)
    spent = time.monotonic() - began
    cpu_now, memory = province.daemon_figures()
    runs_now = province.observations()
    began = time.monotonic()
    series = sum(not line.startswith("#") for line in province.text("/metrics").splitlines())
    return {
        "targets": len(province.inventory.targets),
        "checks": len(province.inventory.checks()),
        "observations/s": round((runs_now - runs) / spent, 1),
        "% of a core": round((cpu_now - cpu) / spent * 100, 2),
        "MiB": round(memory, 1),
        "series": series,
        "scrape s": round(time.monotonic() - began, 4),
    }
