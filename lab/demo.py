"""The command `demo`: outside it makes the namespaces and shows their pages on loopback, inside it runs the province.

The outer half enters nothing: it starts the inner half with `unshare`, so that everything ends with it, however it ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab import relay, setup
from lab.network import MONITOR, namespaces_command
from lab.province import BOARD_PORT, PROMETHEUS_PORT, LabError, Province
from lab.scenarios import SCENARIOS, commune, take
from lab.sink import Taken
from monitor.problems import as_text
from monitor.yamlfile import ConfigError

INSIDE = "COMMUNE_MONITOR_LAB"
"""Environment: the folder of the lab, set for the inner half."""
MAIL_PATIENCE_SECONDS = 150.0
LASTS_SECONDS = 90.0
BEFORE_FAULT_SECONDS = 20.0
"""In the demo for people: time to look at a province that is well."""


def main(scenario: str | None, report: Path | None, duration: float | None, config: Path) -> int:
    """Run the demo; returns the exit status."""
    folder = os.environ.get(INSIDE)
    if folder:
        try:
            inner = Inner(Path(folder), config, scenario, report, duration)
        except ConfigError as error:
            print(*as_text(error.problems), sep="\n", file=sys.stderr)
            return 1
        return inner.run()
    if missing := setup.missing():
        print(f"missing: {', '.join(missing)}; as root: apt-get install {' '.join(missing)}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="commune-lab-") as made:
        return asyncio.run(_outer(Path(made)))


async def _outer(folder: Path) -> int:
    environment = {**os.environ, INSIDE: str(folder)}
    for name, port in (("board", BOARD_PORT), ("prometheus", PROMETHEUS_PORT)):
        environment[f"{INSIDE}_{name.upper()}"] = str(relay.outside(folder / f"{name}.sock", port))
    command = namespaces_command([sys.executable, "-m", "monitor", *sys.argv[1:]])
    process = await asyncio.create_subprocess_exec(*command, env=environment)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _end(process))
    return await process.wait()


def _end(process: asyncio.subprocess.Process) -> Callable[[], None]:
    """The first time the inner half ends in its own good order, which Ctrl-C reaches by itself and `kill` does not; a second one hurries it."""
    seen = []

    def on_signal() -> None:
        seen.append(time.monotonic())
        if len(seen) > 1:
            process.kill()
            return
        for inner in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            os.kill(int(inner), signal.SIGINT)

    return on_signal


class _Stop(Exception):
    """The person at the keyboard has seen enough."""


class Inner:
    """The half inside the namespaces."""

    def __init__(
        self, folder: Path, config: Path, scenario: str | None, report: Path | None, duration: float | None
    ) -> None:
        self._folder, self._scenario, self._report, self._duration = folder, scenario, report, duration
        self._began = time.monotonic()
        self._mails: list[Taken] = []
        self._faults: list[dict[str, str]] = []
        self._port = int(os.environ.get(f"{INSIDE}_BOARD", BOARD_PORT))
        examples = SCENARIOS[scenario].examples if scenario else ()
        self.province = Province(folder, config, self._on_mail, self._say, self._port, examples)

    def run(self) -> int:
        """Raise, break, watch, mend, report."""
        signal.signal(signal.SIGINT, _stop)
        signal.signal(signal.SIGTERM, _stop)
        try:
            self._raise_province()
            relay.inside(self._folder / "board.sock", "127.0.0.1", self._port)
            relay.inside(self._folder / "prometheus.sock", MONITOR, PROMETHEUS_PORT)
            self._say(f"board       http://127.0.0.1:{self._port}/")
            self._say(f"metrics     http://127.0.0.1:{self._port}/metrics")
            self._say(f"Prometheus  http://127.0.0.1:{os.environ.get(f'{INSIDE}_PROMETHEUS')}/")
            self._say(f"settings    {self.province.settings}")
            if self._scenario is None:
                self._show()
            else:
                self._unattended(self._scenario)
        except _Stop:
            self._say("ending")
        except (LabError, RuntimeError, subprocess.SubprocessError) as error:
            print(f"demo: {error}", file=sys.stderr)
            return 1
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            self.province.stop()
        return 0

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:6.1f} s  {text}", flush=True)

    def _on_mail(self, taken: Taken) -> None:
        self._mails.append(taken)
        self._say(f"MAIL to {', '.join(taken.to)}: {taken.message['Subject']}")
        print("\n".join(f"          | {line}" for line in taken.text().splitlines()), flush=True)

    def _raise_province(self) -> None:
        inventory = self.province.inventory
        communes = sum(site.kind == "commune" for site in inventory.sites.values())
        self._say(
            f"raising a province of {communes} communes, {len(inventory.targets)} targets, {len(inventory.checks())} checks"
        )
        self.province.start()
        self._say("the daemon runs and takes its first look")
        self.province.wait_ready()
        self._say("the daemon has seen the province")

    def _note(self, what: str) -> None:
        self._faults.append({"at": datetime.now(UTC).isoformat(), "what": what})
        self._say(f"FAULT {what}" if "mended" not in what else what)

    # -- for a person --------------------------------------------------------------------------------------------

    def _show(self) -> None:
        self._say(f"in {BEFORE_FAULT_SECONDS:g} s a commune's line will be cut; Ctrl-C ends everything")
        time.sleep(BEFORE_FAULT_SECONDS)
        scenario = SCENARIOS["wan-cut"]
        take(scenario.steps, self.province, self._note)
        root = f"{commune(self.province)}/tslcd"
        self._say(f"to have it: .venv/bin/commune-monitor ack {root} --settings {self.province.settings}")
        time.sleep(LASTS_SECONDS)
        take(scenario.mend, self.province, self._note)
        self._say("the province goes on; Ctrl-C ends it")
        threading.Event().wait()

    # -- unattended ----------------------------------------------------------------------------------------------

    def _unattended(self, name: str) -> None:
        scenario = SCENARIOS[name]
        lasts = self._duration if self._duration is not None else scenario.lasts_seconds
        self._say(f"scenario {name}: {scenario.says}")
        # Let the last start-up reading settle, then measure the daemon for as long as the scenario goes.
        time.sleep(5)
        started, runs = time.monotonic(), self.province.observations()
        cpu, _ = self.province.daemon_figures()
        take(scenario.prepare, self.province, self._say)
        take(scenario.steps, self.province, self._note)
        if scenario.mail:
            self._wait("a mail", lambda: bool(self._mails))
            time.sleep(lasts)
            known = self._in_threads()
            take(scenario.mend, self.province, self._note)
            if scenario.incident:
                self._wait("recovery", lambda: self._closed(known))
            time.sleep(2)
        else:
            time.sleep(lasts)
        spent = time.monotonic() - started
        cpu_now, memory = self.province.daemon_figures()
        self._write({
            "scenario": name,
            "faults": self._faults,
            "incidents": self._incidents(),
            "mails": [_mail(each) for each in self._mails],
            "probes_run": self.province.observations(),
            "targets": len(self.province.inventory.targets),
            "checks": len(self.province.inventory.checks()),
            "seconds_cut_to_mail": self._cut_to_mail(),
            "daemon": {
                "seconds": round(spent, 1),
                "observations_per_second": round((self.province.observations() - runs) / spent, 1),
                "cpu_ratio": round((cpu_now - cpu) / spent, 4),
                "memory_mib": round(memory, 1),
            },
        })  # fmt: skip

    def _wait(self, what: str, done: Callable[[], bool]) -> None:
        until = time.monotonic() + MAIL_PATIENCE_SECONDS
        while not done():
            if time.monotonic() > until:
                self._say(f"no {what} after {MAIL_PATIENCE_SECONDS:g} s")
                return
            time.sleep(0.2)

    def _in_threads(self) -> int:
        return len({each.message["X-Commune-Monitor-Incident"] for each in self._mails} - {None})

    def _closed(self, threads: int) -> bool:
        """Every thread that a person got has had its end."""
        ends = [
            each
            for each in self._mails
            if ".recovered." in each.message["Message-ID"] or ".withdrawn." in each.message["Message-ID"]
        ]
        return len({each.message["X-Commune-Monitor-Incident"] for each in ends}) >= max(1, threads)

    def _cut_to_mail(self) -> float | None:
        if not self._mails or not self._faults:
            return None
        return round((self._mails[0].at - datetime.fromisoformat(self._faults[0]["at"])).total_seconds(), 2)

    def _incidents(self) -> list[dict[str, Any]]:
        found = self.province.get("/api/v1/incidents")["incidents"]
        return [
            {key: each[key] for key in ("id", "opened", "closed", "cause", "state", "root", "impact")} for each in found
        ]

    def _write(self, report: dict[str, Any]) -> None:
        text = json.dumps(report, ensure_ascii=False, indent=2)
        if self._report is None:
            print(text)
        else:
            self._report.write_text(text + "\n", encoding="utf-8")
            self._say(f"report written to {self._report}")


def _stop(_number: int, _frame: object) -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)  # once is enough
    raise _Stop


def _mail(taken: Taken) -> dict[str, Any]:
    return {
        "at": taken.at.isoformat(),
        "to": ", ".join(taken.to),
        "subject": taken.message["Subject"],
        "text": taken.text(),
        "message_id": taken.message["Message-ID"],
        "in_reply_to": taken.message["In-Reply-To"],
    }
