"""The real daemon (`commune-monitor run`) on an inventory made for the purpose, and what it says about itself."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import harness

LISTEN = "127.0.0.1:9469"
COMMUNITY = "bench-community"
SAMPLE = re.compile(r"^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What every commune has. Of `echoed` addresses the first is its line, the next ones have SNMP, the next ones HTTP."""

    communes: int
    echoed: int = 20
    echo_seconds: int = 1
    snmp: int = 0
    """Devices with SNMP in all communes together; so too `pages`."""
    snmp_seconds: int = 30
    ports: int = 4
    pages: int = 0
    page_seconds: int = 30


def share(total: int, parts: int, index: int) -> int:
    """What part `index` gets when `total` is spread evenly.

    >>> [share(7, 3, index) for index in range(3)]
    [2, 2, 3]
    """
    return (index + 1) * total // parts - index * total // parts


def inventory(plan: Plan, sites: Iterable[tuple[str, str, str]], address: Callable[[int, int], str]) -> str:
    """The YAML of it; `sites` are id, name and code, `address` gives the address of a site's host."""
    ports = ", ".join(f"p{index + 1}" for index in range(plan.ports))
    patience = 1 if plan.echo_seconds == 1 else 2
    echo = f"""echo:
        probe: icmp
        interval: {plan.echo_seconds}s
        timeout: {patience}s
        confirm: 6
        window: 60
        limits:
          loss_ratio: {{above: 0.05, clear: 0.02, says: loss}}
          probe_icmp_duration_seconds: {{above: 0.15, clear: 0.1, says: delay}}"""
    head = f"""providers:
  vnpt: {{name: VNPT, hotline: 0229 000 8001}}
profiles:
  gateway:
    kind: gateway
    checks:
      {echo}
  line:
    kind: tslcd
    checks:
      {echo}
  plain:
    kind: server
    checks:
      {echo}
  managed:
    kind: switch
    checks:
      {echo}
      snmp:
        probe: snmp
        interval: {plan.snmp_seconds}s
        timeout: 5s
        when_failed: degraded
        options: {{community: {{file: snmp-community}}, interfaces: [{ports}]}}
        limits:
          snmp_if_down: {{above: 0, clear: 0, confirm: 2, says: port-down}}
          snmp_if_error_ratio: {{above: 0.01, says: errors}}
  page:
    kind: website
    checks:
      {echo}
      page:
        probe: http
        interval: {plan.page_seconds}s
        timeout: 10s
        options: {{url: 'https://{{id}}.bench.example/', text: '{{id}}', ca: {{file: bench-ca.pem}}}}
        limits:
          probe_ssl_days_left: {{below: 14, clear: 15, confirm: 2, says: certificate-ends}}
          probe_duration_seconds: {{above: 3, clear: 2, says: slow}}
sites:
  - id: center
    kind: data-center
    name: Trung tâm
    devices:
      gateway: {{profile: gateway, address: 10.250.0.2, vantage: true}}
"""
    return head + "".join(site(plan, index, each, address) for index, each in enumerate(sites))


def site(plan: Plan, index: int, named: tuple[str, str, str], address: Callable[[int, int], str]) -> str:
    """The YAML of the site at `index`; `named` is its id, name and code."""
    id_, name, code = named
    managed, pages = share(plan.snmp, plan.communes, index), share(plan.pages, plan.communes, index)
    lines = [
        f"  - id: {id_}", f"    name: {name}", f"    code: '{code}'", "    links:",
        f"      tslcd: {{profile: line, address: {address(index, 1)}, provider: vnpt, circuit: B-{code or index}, behind: [center/gateway]}}",
        "    devices:" if plan.echoed > 1 else "    devices: {}",
    ]  # fmt: skip
    for host in range(2, plan.echoed + 1):
        profile = "managed" if host <= managed + 1 else "page" if host <= managed + pages + 1 else "plain"
        lines.append(f"      d{host}: {{profile: {profile}, address: {address(index, host)}, behind: [tslcd]}}")
    return "\n".join(lines) + "\n"


def write(folder: Path, yaml: str, secrets: Mapping[str, str]) -> Path:
    """Settings, contacts, secrets and the inventory into `folder`; returns the path of the settings."""
    (folder / "inventory").mkdir(parents=True)
    (folder / "inventory" / "bench.yaml").write_text(yaml, encoding="utf-8")
    (folder / "secrets").mkdir(mode=0o700)
    for name, value in secrets.items():
        (folder / "secrets" / name).write_text(value)
    (folder / "contacts.yaml").write_text("contacts:\n  noc: {name: NOC, email: noc@bench.example}\n")
    settings = folder / "settings.yaml"
    settings.write_text(f"""listen: {LISTEN}
mail:
  from: Bench <bench@bench.example>
  message_id_domain: bench.example
  relays: [{{host: 127.0.0.1, port: 2525, tls: none}}]
""")
    return settings


@dataclass(slots=True)
class Said:
    """One scrape."""

    text: str
    seconds: float

    @property
    def series(self) -> int:
        """How many series there were."""
        return sum(not line.startswith("#") for line in self.text.splitlines())

    def total(self, name: str, *labels: str) -> float:
        """Sum of the series of `name` that have all these labels, each written `name="value"`."""
        start, found = 0, 0.0
        while (start := self.text.find(f"\n{name}", start)) >= 0:
            start += 1
            sample = SAMPLE.match(self.text, start)
            if sample and sample[1] == name and all(each in (sample[2] or "") for each in labels):
                found += float(sample[3])
        return found


@dataclass(slots=True)
class Daemon:
    """A running daemon."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def get(self, path: str, patience: float = 60.0) -> str:
        """What it answers, packed on the way as Prometheus has it."""
        asked = urllib.request.Request(f"http://{LISTEN}{path}", headers={"Accept-Encoding": "gzip"})
        with urllib.request.urlopen(asked, timeout=patience) as answer:  # noqa: S310  our own daemon, over http
            body = answer.read()
            return str((gzip.decompress(body) if answer.headers["Content-Encoding"] == "gzip" else body).decode())

    def scrape(self) -> Said:
        """Its metrics."""
        began = time.monotonic()
        text = self.get("/metrics")
        return Said(text, time.monotonic() - began)

    def ready(self) -> bool:
        """Whether it has seen nearly everything once."""
        if self.process.poll() is not None:
            log = (self.folder / "daemon.log").read_text(errors="replace")
            raise RuntimeError(f"the daemon ended: {log[-1500:]}")
        try:
            return bool(self.get("/-/ready", 5))
        except (urllib.error.URLError, OSError):
            return False

    def counters(self) -> dict[str, Any]:
        """What it has counted, without a scrape."""
        return dict(self._told(signal.SIGUSR1, "counters.json"))

    def profile(self, seconds: float) -> list[tuple[str, float]]:
        """The functions that cost most of the next seconds, with their shares; afterwards the daemon is slower no more."""
        self.process.send_signal(signal.SIGUSR2)
        time.sleep(seconds)
        return [(name, part) for name, part in self._told(signal.SIGUSR2, "profile.json")]

    def _told(self, number: signal.Signals, name: str) -> Any:
        path = self.folder / name
        path.unlink(missing_ok=True)
        self.process.send_signal(number)
        harness.wait_for(name, path.exists, 60)
        return json.loads(path.read_text())


@contextlib.contextmanager
def running(settings: Path, patience: float = 120.0) -> Iterator[Daemon]:
    """The daemon on these settings, once it is ready."""
    folder = settings.parent
    command = [sys.executable, "-m", "bench.profiled", str(folder), "run", "--settings", str(settings), "--log", "text"]  # fmt: skip
    with harness.server(command, folder / "daemon.log") as process:
        daemon = Daemon(process, folder)
        harness.wait_for("readiness of the daemon", daemon.ready, patience)
        yield daemon
