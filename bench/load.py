"""What the daemon costs with the whole province: CPU, memory and observations a second over a minute, and one scrape."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from lab.province import Province

SECONDS = 60.0


def measure() -> dict[str, Any]:
    """Raise the province, let the daemon settle, watch it for a minute."""
    config = Path(__file__).parent.parent / "config"
    with tempfile.TemporaryDirectory(prefix="commune-bench-") as folder:
        province = Province(Path(folder), config, lambda _: None, lambda _: None)
        try:
            province.start()
            province.wait_ready()
            time.sleep(10)
            found = _watch(province)
        finally:
            province.stop()
    print(f"load: {found['targets']} targets, {found['checks']} checks, {SECONDS:g} s")
    print(
        f"  {found['observations_per_second']:.0f} observations/s, CPU {found['cpu_ratio']:.1%} of one core, "
        f"{found['memory_mib']:.0f} MiB, scrape of {found['series']} series in {found['scrape_seconds']:.3f} s"
    )
    return found


def _watch(province: Province) -> dict[str, Any]:
    runs, (cpu, _), began = province.observations(), province.daemon_figures(), time.monotonic()
    time.sleep(SECONDS)
    spent = time.monotonic() - began
    cpu_now, memory = province.daemon_figures()
    runs_now = province.observations()
    began = time.monotonic()
    series = sum(not line.startswith("#") for line in province.text("/metrics").splitlines())
    return {
        "targets": len(province.inventory.targets),
        "checks": len(province.inventory.checks()),
        "observations_per_second": round((runs_now - runs) / spent, 1),
        "cpu_ratio": round((cpu_now - cpu) / spent, 4),
        "memory_mib": round(memory, 1),
        "series": series,
        "scrape_seconds": round(time.monotonic() - began, 4),
    }
