"""The whole daemon on the nation: 3,321 communes × 20 echoes each 10 s, 5 SNMP devices and one page a commune each 60 s.

Communes are those of ../shared/data/national.csv where that is there. What holds, and what gives first: missed and late runs,
states that are unknown, incidents although all is well, and the functions that cost most.
"""

from __future__ import annotations

from typing import Any

from bench import daemon
from bench.agent import snmpd
from bench.harness import Run
from bench.network import raise_network
from bench.province import SECONDS, tables, watch
from bench.web import nginx

COMMUNES = 3321


def plan(communes: int) -> daemon.Plan:
    """The nation's mix for any number of communes."""
    return daemon.Plan(
        communes=communes, echo_seconds=10, snmp=5 * communes, snmp_seconds=60, pages=communes, page_seconds=60
    )  # fmt: skip


def measure(run: Run) -> dict[str, Any]:
    """The nation."""
    raise_network()
    with nginx(run.folder), snmpd(run.folder):
        rows, top = watch(
            run.folder / "daemon", plan(COMMUNES), run.seconds or SECONDS, settle=60, scraped=True, profile=True
        )
    return tables("nation", plan(COMMUNES), rows, top)
