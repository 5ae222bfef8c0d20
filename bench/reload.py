"""Reloads under full load: the province's checks go on, and each of these changes is taken over meanwhile.

One device that does not answer is down from the beginning, so that there is an open incident and a mail to lose or repeat.
`--seconds` is the length of the window of each change.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench import daemon, province
from bench.agent import snmpd
from bench.harness import Row, Run, cpu_seconds, wait_for
from bench.network import FAR, address, raise_network
from bench.web import nginx
from lab.network import run
from monitor.asking import ask

SECONDS = 20.0
PLAN = province.PLAN
DEAD = "10.63.0.1"
"""Nobody answers for it, and the far namespace does not forward."""
PAGES = f"interval: {PLAN.page_seconds}s\n        timeout: 10s"
ECHOES = re.compile(r'^monitor_echo_rtt_seconds_count\{[^}]*target="([^"]+)"[^}]*\} (\S+)', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Change:
    """What is edited, and whether it can be taken over."""

    name: str
    edit: Callable[[str], str]
    good: bool = True


def _added(text: str) -> str:
    [more] = province.sites(PLAN.communes + 1)[PLAN.communes :]
    return text + daemon.site(replace(PLAN, communes=PLAN.communes + 1), PLAN.communes, more, address)


def _renamed(text: str) -> str:
    first = province.sites(1)[0][0]
    return text.replace(f"  - id: {first}\n", f"  - id: {first}-moi\n    formerly: [{first}]\n", 1)


CHANGES = (
    Change("nothing", lambda text: text),
    Change("a commune with 20 targets added", _added),
    Change("a limit of all lines, devices and pages", lambda text: text.replace("above: 0.05", "above: 0.06")),
    Change("the interval of 1,000 pages", lambda text: text.replace(PAGES, PAGES.replace("30s", "31s"))),
    Change("a commune renamed", _renamed),
    Change("a file with a mistake", lambda text: text.replace("kind: tslcd", "kind: tslcđ"), good=False),
    Change("the commune taken away, all else as it was", lambda text: text),
)
"""Each of the inventory at the beginning."""


def measure(given: Run) -> dict[str, Any]:
    """The province, with a reload in each window."""
    raise_network()
    run("ip", "route", "add", DEAD, "via", FAR)
    with nginx(given.folder), snmpd(given.folder):
        rows = _watch(given.folder / "daemon", given.seconds or SECONDS)
    return {"tables": {f"reload: {PLAN.communes} communes under full load, one reload in each window": rows}}


def _watch(folder: Path, seconds: float) -> dict[str, Row]:
    secrets = {"snmp-community": daemon.COMMUNITY, "bench-ca.pem": (folder.parent / "ca.pem").read_text()}
    text = daemon.inventory(PLAN, province.sites(PLAN.communes), address)
    dead = f"    devices:\n      dead: {{profile: plain, address: {DEAD}, behind: [center/gateway]}}\n"
    text = text.replace("    devices:\n", dead, 1)
    settings = daemon.write(folder, text, secrets)
    rows: dict[str, Row] = {}
    with daemon.running(settings) as found:
        wait_for("incident of what is down", lambda: found.counters()["opened"], 60)
        time.sleep(province.SETTLE_SECONDS)
        for change in CHANGES:
            rows[change.name] = _window(found, settings, change, text, seconds)
            print(f"    {change.name}: {rows[change.name]}", flush=True)
    return rows


def _window(found: daemon.Daemon, settings: Path, change: Change, text: str, seconds: float) -> Row:
    """The reload in the middle."""
    socket, file = settings.parent / "control.sock", settings.parent / "inventory" / "bench.yaml"
    said, began, before = found.scrape(), time.monotonic(), found.counters()
    time.sleep(seconds / 2)
    file.write_text(change.edit(text), encoding="utf-8")
    cpu, asked = cpu_seconds(found.pid), time.monotonic()
    status, answer = asyncio.run(ask(socket, "POST", "/-/reload"))
    took = time.monotonic() - asked
    if (status == 200) != change.good:
        raise RuntimeError(f"{change.name}: {status} {answer[:500]}")
    spent = cpu_seconds(found.pid) - cpu
    time.sleep(seconds / 2)
    after, said_now, window = found.counters(), found.scrape(), time.monotonic() - began

    def grown(name: str) -> int:
        return int(after[name] - before[name])

    lines, lines_before = _echoes(said_now), _echoes(said)
    echoes = [count - lines_before[line] for line, count in lines.items() if line in lines_before]
    return {
        "reload s": round(took, 2), "CPU s": round(spent, 2),
        "echoes a line: seconds": round(window, 1), "fewest": min(echoes), "most": max(echoes),
        "echoes lost": _lost(said_now) - _lost(said), "pages and SNMP not ok": grown("not ok") - grown("echoes not ok"),
        "turns missed": grown("turn-missed"),
        "late": grown("late"), "missed": grown("missed"),
        "unknown": after["states"].get("unknown", 0), "incidents": grown("opened"),
        "mails": int(said_now.total("monitor_outbox_mails") - said.total("monitor_outbox_mails")),
        "open since before": int(said_now.total("monitor_incidents_open")),
        "gc longest s": round(after["gc longest"], 3), "loop lag p99.9 s": province.lag(before["lag"], after["lag"], 0.999),
    }  # fmt: skip


def _echoes(said: daemon.Said) -> Mapping[str, int]:
    """Answers that each line has had."""
    return {line: int(float(count)) for line, count in ECHOES.findall(said.text)}


def _lost(said: daemon.Said) -> int:
    """Of all but the one that does not answer."""
    return int(said.total("monitor_echo_lost_total") - said.total("monitor_echo_lost_total", 'target="center/dead"'))
