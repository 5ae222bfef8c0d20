"""129 rooms are asked before a meeting: how long it takes, what it puts on each line, and when the report is mailed.

The whole daemon; at each commune a line that is echoed each second, and a room that is echoed, called with sound and with a picture, and
whose way is measured. One reflector answers for all of them. What goes to and from each commune is counted by nftables, a look a second.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from bench import daemon
from bench.harness import RESULTS, Row, Run, cpu_seconds, quantiles, server, wait_for
from bench.network import address, in_far, raise_network
from bench.province import sites
from lab.network import run as command
from monitor.core.words import LOCAL
from monitor.readiness import ANSWERED_BEFORE, ASKED_BEFORE

COMMUNES = 129
KEY = "0123456789abcdef0123456789abcdef"
PORT = 862
BEFORE = timedelta(minutes=10)
"""When the report is due, before the meeting."""
LEAD = timedelta(seconds=20)
"""From the daemon's start of the meeting's rooms to their being asked."""
TESTS = ("media", "path")
HEAD = """providers:
  vnpt: {name: VNPT Ninh Bình, hotline: 0229 000 8001}
profiles:
  gateway: {kind: gateway, checks: {echo: {probe: icmp, interval: 1s, timeout: 1s, confirm: 6}}}
  line: {kind: tslcd, checks: {echo: {probe: icmp, interval: 1s, timeout: 1s, confirm: 6, window: 60}}}
  room:
    kind: vc-endpoint
    checks:
      echo: {probe: icmp, interval: 10s, timeout: 1s, confirm: 3}
      call: {probe: media, interval: 12h, timeout: 15s, when_failed: degraded, options: {key: {file: key}}}
      video: {probe: media, interval: 12h, timeout: 15s, when_failed: degraded, options: {profile: video, key: {file: key}}}
      path: {probe: path, interval: 12h, timeout: 20s, when_failed: degraded, options: {key: {file: key}}}
sites:
  - id: center
    kind: data-center
    name: Trung tâm
    devices:
      gateway: {profile: gateway, address: 10.250.0.2, vantage: true}
"""


def measure(run: Run) -> dict[str, Any]:
    """One meeting of all rooms."""
    raise_network()
    count = run.rounds or COMMUNES
    _count_lines(count)
    (run.folder / "key").write_text(KEY)
    reflector = [
        sys.executable, "-m", "monitor", "reflect", "--listen", f"0.0.0.0:{PORT}", "--key-file", str(run.folder / "key"),
        "--rate", "20000", "--rate-in-all", "20000", "--log", "text",
    ]  # fmt: skip
    mails: list[tuple[datetime, EmailMessage]] = []
    settings = daemon.write(run.folder / "daemon", _inventory(count), {"key": KEY})
    log = run.folder / "reflect.log"
    with server(in_far(reflector), log), _mail_server(mails), daemon.running(settings, 900) as found:
        wait_for("the first look at every room", lambda: _tested(found) >= 3 * count, 900)
        row = _meeting(found, settings, count, mails)
    return {
        "tables": {f"{count} rooms before a meeting: echo, call, video call and way of each": {"ours, daemon": row}}
    }


def _meeting(found: daemon.Daemon, settings: Path, count: int, mails: Sequence[tuple[datetime, EmailMessage]]) -> Row:
    due = datetime.now(UTC) + LEAD + ASKED_BEFORE + ANSWERED_BEFORE
    begins = (due + BEFORE).astimezone(LOCAL)
    (settings.parent / "inventory" / "meetings.yaml").write_text(
        f"meetings:\n  - id: giao-ban\n    title: Giao ban trực tuyến\n    rooms: [all communes]\n    for: 2h\n"
        f"    start: '{begins:%Y-%m-%dT%H:%M:%S}'\n    reports: [10m]\n    owner: {{name: Văn phòng, email: vp@bench.example}}\n"
    )
    before, cpu = found.counters(), cpu_seconds(found.pid)
    tested, began = _tested(found), time.monotonic()
    _reload(settings)
    lines, over = _Lines(count), threading.Event()
    watch = threading.Thread(target=lines.watch, args=(over,))
    watch.start()
    try:
        wait_for("the first test", lambda: _tested(found) > tested, 120)
        asked = time.monotonic()
        wait_for("all tests", lambda: _tested(found) >= tested + 3 * count, 600)
        done = time.monotonic()
        wait_for("the report", lambda: mails, 600)
    finally:
        over.set()
        watch.join()
    window = time.monotonic() - began
    after, spent = found.counters(), cpu_seconds(found.pid) - cpu
    at, message = mails[0]
    html = message.get_body(("html",))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "rooms-report.html").write_text(str(html.get_content()) if html else "", encoding="utf-8")
    print(f"    {message['Subject']}", flush=True)
    half, _, most = quantiles(lines.peaks())
    return {
        "rooms": count, "tests": 3 * count, "all tested after s": round(done - asked, 1),
        "report after it was due s": round((at - due).total_seconds(), 1),
        "peak of a line kbit/s p50": round(half), "max": round(most), "peak of all lines Mbit/s": round(lines.together() / 1000, 1),
        "% of a core": round(spent / window * 100, 1), "echo turns missed": int(after["turn-missed"] - before["turn-missed"]),
        "late": int(after["late"] - before["late"]), "not ok": int(after["not ok"] - before["not ok"]),
        "incidents": int(after["opened"] - before["opened"]),
    }  # fmt: skip


def _inventory(count: int) -> str:
    lines = [HEAD.rstrip()]
    for index, (id_, name, code) in enumerate(sites(count)):
        lines += [
            f"  - id: {id_}", "    kind: commune", f"    name: {name}", f"    code: '{code}'", "    links:",
            f"      tslcd: {{profile: line, address: {address(index, 1)}, provider: vnpt, circuit: B-{index}, behind: [center/gateway]}}",
            "    devices:", f"      vc-endpoint: {{profile: room, address: {address(index, 10)}, behind: [tslcd]}}",
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _reload(settings: Path) -> None:
    command(sys.executable, "-m", "monitor", "reload", "--settings", str(settings))


def _tested(found: daemon.Daemon) -> int:
    said = found.scrape()
    return int(sum(said.total("monitor_observations_total", f'probe="{each}"') for each in TESTS))


@contextlib.contextmanager
def _mail_server(mails: list[tuple[datetime, EmailMessage]]) -> Iterator[None]:
    """Takes what the daemon mails."""

    class Handler:
        async def handle_DATA(  # noqa: N802  aiosmtpd's name
            self, _server: object, _session: object, envelope: Any
        ) -> str:
            mails.append((datetime.now(UTC), message_from_bytes(envelope.content, policy=default)))
            return "250 OK"

    controller = Controller(Handler(), hostname="127.0.0.1", port=2525)
    controller.start()
    try:
        yield
    finally:
        controller.stop()


# -- what goes over each line ------------------------------------------------------------------------------------------


def _count_lines(count: int) -> None:
    """Count what goes to and comes from each commune."""
    networks = ", ".join(f"{address(index, 0)}/24" for index in range(count))
    members = f"type ipv4_addr; flags interval; counter; elements = {{ {networks} }}"
    given = f"""table ip rooms {{
  set there {{ {members} }}
  set back {{ {members} }}
  chain out {{ type filter hook output priority 0; ip daddr @there; }}
  chain in {{ type filter hook input priority 0; ip saddr @back; }}
}}
"""
    command("nft", "-f", "-", given=given)


class _Lines:
    """Bytes a second of each line, by direction."""

    def __init__(self, count: int) -> None:
        self._last: dict[tuple[str, str], int] = {}
        self._most: dict[tuple[str, str], float] = {}
        self._together, self._at, self._count = 0.0, 0.0, count

    def watch(self, over: threading.Event) -> None:
        """Look once a second until it is over."""
        while True:
            self._look()
            if over.wait(1.0):
                return

    def _look(self) -> None:
        now, seen = time.monotonic(), {}
        for direction in ("there", "back"):
            told = json.loads(subprocess.check_output(["nft", "-j", "list", "set", "ip", "rooms", direction]))
            elements = next(each["set"]["elem"] for each in told["nftables"] if "set" in each)
            for each in elements:
                prefix = each["elem"]["val"]["prefix"]["addr"]
                seen[prefix, direction] = int(each["elem"]["counter"]["bytes"])
        passed = now - self._at
        if self._last:
            rates = {key: (size - self._last.get(key, 0)) * 8 / 1000 / passed for key, size in seen.items()}
            for key, rate in rates.items():
                self._most[key] = max(self._most.get(key, 0.0), rate)
            there = sum(rate for (_, direction), rate in rates.items() if direction == "there")
            self._together = max(self._together, there)
        self._last, self._at = seen, now

    def peaks(self) -> list[float]:
        """kbit/s of the busiest second of each line, in its busier direction."""
        lines = {prefix for prefix, _ in self._most}
        return [max(self._most.get((each, way), 0.0) for way in ("there", "back")) for each in lines]

    def together(self) -> float:
        """kbit/s of all lines in their busiest second, there."""
        return self._together
