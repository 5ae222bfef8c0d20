"""`python -m bench.profiled FOLDER run …`: the command `commune-monitor`, with two signals for the one who measures it.

SIGUSR1 writes FOLDER/counters.json, because a scrape of the nation would itself be the largest event of the window. SIGUSR2
begins to profile, the next one writes FOLDER/profile.json. Until then nothing is different: the profiler is not there.
"""

from __future__ import annotations

import cProfile
import gc
import json
import pstats
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from monitor.app import App
from monitor.cli import main
from monitor.metrics import LAG_BUCKETS

SHOWN = 25


class Pauses:
    """How long Python's cycle collector held everything up; cProfile blames whatever function it happened in."""

    def __init__(self) -> None:
        self.seconds = self.longest = self._began = 0.0

    def __call__(self, phase: str, _info: dict[str, int]) -> None:
        """Called by the collector."""
        if phase == "start":
            self._began = time.perf_counter()
        else:
            took = time.perf_counter() - self._began
            self.seconds, self.longest = self.seconds + took, max(self.longest, took)


def counters(app: App) -> dict[str, Any]:
    """What the running daemon has counted."""
    sample = app.metrics.registry.get_sample_value
    lags = [*(str(bound) for bound in LAG_BUCKETS), "+Inf"]
    bad = sum(
        sample("monitor_observations_total", {"probe": "icmp", "outcome": each}) or 0 for each in ("failed", "inconclusive")
    )  # fmt: skip
    happened: Counter[str] = Counter()
    for (_, what), count in app.pipeline.event_counts.items():
        happened[what] += count
    echo = getattr(app.scheduler.streams.get("icmp"), "counters", {})
    return {
        "observations": app.metrics.observations_total(),
        "echoes not ok": bad,
        "not ok": bad + sum(
            sample("monitor_observations_total", {"probe": probe, "outcome": each}) or 0
            for probe in ("http", "snmp") for each in ("failed", "inconclusive")
        ),
        "sent": echo.get("sent", 0), "turn-missed": echo.get("turn-missed", 0), "echo late": echo.get("late", 0),
        "late": app.scheduler.late, "missed": app.scheduler.missed, "errors": app.scheduler.errors,
        "opened": happened["opened"],
        "states": Counter(held.state.value for held in app.pipeline.correlator.held.values()),
        "targets": len(app.pipeline.inventory.targets),
        "lag": {bound: sample("monitor_loop_lag_seconds_bucket", {"le": bound}) or 0 for bound in lags},
    }  # fmt: skip


def profiled(profile: cProfile.Profile) -> list[tuple[str, float]]:
    """The functions with the most time of their own, as a share of all but waiting."""
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]  # typeshed leaves it out
    busy = {name: each[2] for name, each in stats.items() if "select.epoll" not in name[2]}
    whole = sum(busy.values()) or 1.0
    top = sorted(busy.items(), key=lambda each: -each[1])[:SHOWN]
    return [
        (f"{'/'.join(Path(file).parts[-2:])}:{line} {name}".removeprefix("~:0 "), own / whole)
        for (file, line, name), own in top
    ]


def _write(path: Path, found: object) -> None:
    new = path.with_suffix(".new")
    new.write_text(json.dumps(found))
    new.replace(path)


def listen(folder: Path, app: Callable[[], App]) -> None:
    """Answer the two signals."""
    profile, on, pauses = cProfile.Profile(), False, Pauses()
    gc.callbacks.append(pauses)

    def count(*_: object) -> None:
        _write(folder / "counters.json", counters(app()) | {"gc": pauses.seconds, "gc longest": pauses.longest})
        pauses.longest = 0.0

    def toggle(*_: object) -> None:
        nonlocal on
        on = not on
        if on:
            profile.enable()
        else:
            profile.disable()
            _write(folder / "profile.json", profiled(profile))

    signal.signal(signal.SIGUSR1, count)
    signal.signal(signal.SIGUSR2, toggle)


def run() -> None:
    """Become the daemon."""
    folder = Path(sys.argv[1])
    running: list[App] = []
    begin = App.run

    async def remembered(app: App) -> None:
        running.append(app)
        await begin(app)

    App.run = remembered  # type: ignore[method-assign,assignment]
    listen(folder, lambda: running[0])
    sys.argv = ["commune-monitor", *sys.argv[2:]]
    main()


if __name__ == "__main__":
    run()
