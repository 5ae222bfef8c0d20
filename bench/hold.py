"""How long should a problem wait before it is told? Delay of the incident against incidents of blips, over the simulated month.

Cuts of up to ten seconds are blips here: nobody needs to be woken for them. What `seen.HOLD_DOWN` is, is chosen from this.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bench.harness import Figures, Row, Run, own_cpu, own_peak_mib, quantiles, worker
from bench.month import month
from monitor.core import seen

HOLDS = (0.0, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0)
DAYS = 10
SEED = 4
LONGEST_BLIP = 10.0


def measure(run: Run) -> dict[str, Any]:
    """A third of a month for each hold."""
    rows: dict[str, Row] = {}
    for hold in HOLDS:
        found = worker("bench.hold:held", hold=hold, days=(run.seconds or DAYS * 86400) / 86400)
        rows[f"{hold:g} s"] = {key: round(value, 2) for key, value in found.more.items()}
        print(f"    hold {hold:g} s: {rows[f'{hold:g} s']}", flush=True)
    return {"tables": {f"hold: {DAYS} days with blips of up to {LONGEST_BLIP:g} s": rows}}


def held(hold: float, days: float) -> Figures:
    """Some days with this hold."""
    seen.HOLD_DOWN = timedelta(seconds=hold)
    score, simulated, _, faults, _ = month(SEED, days, LONGEST_BLIP)
    half, most, _ = quantiles([each for kind in ("line", "shared") for each in score.delays.get(kind, ())])
    told = sum(score.right.values()) + sum(score.missed.values())
    blips = sum(each.kind == "blip" for each in faults)
    return Figures(
        probes=simulated.observations, answered=simulated.observations, cpu_seconds=own_cpu(), memory_mib=own_peak_mib(),
        more={
            "hold s": hold, "cut to incident s p50": half, "p99": most, "incidents of nothing that lasts": len(score.false),
            "blips": blips, "missed": sum(score.missed.values()), "right root and cause": sum(score.right.values()) / max(1, told),
            "mails": score.mails,
        },
    )  # fmt: skip
