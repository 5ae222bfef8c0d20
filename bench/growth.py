"""How CPU and memory of the daemon grow with the communes, in the nation's mix of checks."""

from __future__ import annotations

from typing import Any

from bench.agent import snmpd
from bench.harness import Row, Run
from bench.nation import plan
from bench.network import raise_network
from bench.province import watch
from bench.web import nginx

COMMUNES = (1, 129, 1000, 3321)
SECONDS = 60.0


def measure(run: Run) -> dict[str, Any]:
    """One daemon after the other."""
    raise_network()
    rows: dict[str, Row] = {}
    with nginx(run.folder), snmpd(run.folder):
        for count in COMMUNES:
            found, _ = watch(
                run.folder / f"daemon-{count}",
                plan(count),
                run.seconds or SECONDS,
                settle=30,
                scraped=False,
                profile=False,
            )
            rows[f"ours, {count:,} communes"] = {"communes": count, **found["ours, daemon"]}
    return {"tables": {"growth: 20 echoes each 10 s, 5 SNMP devices and 1 page each 60 s for each commune": rows}}
