"""A real daemon with a tiny inventory on loopback, as a child that always ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from prometheus_client.parser import text_string_to_metric_families

from lab.certificates import Authority
from monitor.cli import main
from tests.alerts.conftest import LOGIN, free_port
from tests.monitor.making import ROOT, plain_rights

GIVE_UP_SECONDS = 30.0

SETTINGS = """
listen: 127.0.0.1:{listen}
mail:
  from: Giám sát CNTT <canh-bao@noc.example.org>
  message_id_domain: noc.example.org
  relays:
    - host: 127.0.0.1
      port: {relay}
      username: {user}
      password: {{file: smtp-password}}
      ca: {{file: ca.pem}}
"""

CONTACTS = """
contacts:
  on-call: {name: Kỹ sư trực, email: truc@noc.example.org}
  support: {name: Support, email: support@systems.example, language: en, causes: [service]}
  lines: {name: Lines, email: lines@systems.example, language: en, causes: [link]}
"""

INVENTORY = """
profiles:
  portal:
    kind: public-portal
    label: {{vi: Cổng dịch vụ công, en: Public-service portal}}
    checks:
      port: {{probe: tcp, interval: 200ms, timeout: 1s, confirm: 1, options: {{port: {portal}}}}}

  gateway:
    kind: gateway
    checks:
      port: {{probe: tcp, interval: 200ms, timeout: 1s, confirm: 3, options: {{port: {gateway}}}}}

sites:
  - id: center
    name: Trung tâm dữ liệu
    kind: data-center
    devices:
      gateway: {{profile: gateway, address: 127.0.0.1, vantage: true}}
    services:
      portal: {{profile: portal, address: 127.0.0.1}}
"""

MORE = """
  - id: xa-moi
    name: Xã Mới
    services:
      portal: {profile: portal, address: 127.0.0.1}
"""


def listening(port: int) -> socket.socket:
    """Something that accepts connections for the kernel, and so is well."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    made.listen(4096)
    return made


class Daemon:
    """Files, the process, and looks at it from outside."""

    def __init__(self, folder: Path, authority_pem: str = "", relay: int | None = None) -> None:
        self.folder, self.listen, self.portal = folder, free_port(), free_port()
        self.settings = folder / "settings.yaml"
        self.database = folder / "state.db"
        self.inventory = folder / "inventory" / "all.yaml"
        self.process: subprocess.Popen[str] | None = None
        self._log = folder / "log"
        self._gateway = listening(0)
        self._portal: socket.socket | None = None
        for name in ("inventory", "secrets"):
            (folder / name).mkdir()
        (folder / "secrets" / "smtp-password").write_text(LOGIN[1] + "\n", encoding="utf-8")
        authority_pem = authority_pem or Authority(folder).ca.read_text()
        (folder / "secrets" / "ca.pem").write_text(authority_pem)
        (folder / "contacts.yaml").write_text(CONTACTS, encoding="utf-8")
        self.settings.write_text(
            SETTINGS.format(listen=self.listen, relay=relay or free_port(), user=LOGIN[0]), encoding="utf-8"
        )
        self.write_inventory()

    def write_inventory(self, more: str = "") -> None:
        self.inventory.write_text(
            INVENTORY.format(portal=self.portal, gateway=self._gateway.getsockname()[1]) + more, encoding="utf-8"
        )

    # -- the watched service ---------------------------------------------------------------------------------------

    def open_portal(self) -> None:
        """The service accepts connections."""
        self._portal = listening(self.portal)

    def close_portal(self) -> None:
        """The service refuses them."""
        assert self._portal is not None
        self._portal.close()
        self._portal = None

    def close(self) -> None:
        """Nobody accepts connections any more."""
        for each in (self._gateway, self._portal):
            if each is not None:
                each.close()

    # -- the process -----------------------------------------------------------------------------------------------

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "monitor", *arguments, "--settings", str(self.settings)]

    def start(self, *before: str, options: Sequence[str] = (), **environment: str) -> None:
        """Launch it and wait until it answers."""
        self.launch(*before, options=options, **environment)
        self.wait(lambda: self.get("/-/healthy")[0] == 200)

    def launch(self, *before: str, options: Sequence[str] = (), **environment: str) -> None:
        """Let it run; `before` is a command that runs it, such as `unshare`."""
        with self._log.open("a") as log:
            self.process = subprocess.Popen(
                [*before, *self.command("run", *options)], cwd=ROOT, stdin=subprocess.DEVNULL, stderr=log, text=True,
                env={**os.environ, **environment},
            )  # fmt: skip

    def fails_to_start(self, *options: str, rights: bool = True) -> str:
        """Run it when it cannot start; returns what it says."""
        command = self.command("run", *options)
        ended = subprocess.run(
            command if rights else plain_rights(command), cwd=ROOT, timeout=GIVE_UP_SECONDS, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert ended.returncode == 1, ended.stderr
        assert "Traceback" not in ended.stderr
        return ended.stderr

    def start_with_a_clock(self) -> Callable[[str], None]:
        """Start it with a wall clock of its own (libfaketime); what comes back sets that by so many seconds, as `+3600`."""
        offset = self.folder / "clock"

        def set_by(seconds: str) -> None:
            (fresh := offset.with_suffix(".new")).write_text(seconds)
            fresh.rename(offset)

        set_by("+0")
        self.start(
            LD_PRELOAD=str(next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))),
            FAKETIME_TIMESTAMP_FILE=str(offset), FAKETIME_NO_CACHE="1", FAKETIME_DONT_FAKE_MONOTONIC="1",
        )  # fmt: skip
        return set_by

    def api(self, route: str) -> Any:
        return json.loads(self.get(f"/api/v1/{route}")[1])

    def states(self) -> dict[str, str]:
        return {each["id"]: each["state"] for each in self.api("targets")["targets"]}

    def open_incidents(self) -> dict[str, dict[str, Any]]:
        """By root."""
        return {each["root"]: each for each in self.api("incidents?open=true")["incidents"]}

    def tell(self, number: int) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Tell it to end; returns its exit code."""
        assert self.process is not None
        self.tell(number)
        return self.ended()

    def ended(self) -> int:
        """Its exit code, once it has ended."""
        assert self.process is not None
        return self.process.wait(GIVE_UP_SECONDS)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """A command beside the daemon: exit code, output, errors. Within this process, for to start one takes a second."""
        runner, words = CliRunner(env={"COLUMNS": "160"}), [*arguments, "--settings", str(self.settings)]
        with ThreadPoolExecutor(1) as pool:  # which has no loop yet, as some tests have
            ended = pool.submit(runner.invoke, main, words).result()
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        return ended.exit_code, ended.stdout, ended.stderr

    # -- looking ---------------------------------------------------------------------------------------------------

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8") if self._log.exists() else ""

    def get(self, route: str, method: str = "GET") -> tuple[int, str]:
        """Status and body; status 0 when nobody answers."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.listen}{route}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=5) as response:
                return int(response.status), response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metrics(self) -> dict[str, float]:
        """Value by `name` or `name{label="value",…}`, labels in order."""
        found = {}
        for family in text_string_to_metric_families(self.get("/metrics")[1]):
            for sample in family.samples:
                labels = ",".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items()))
                found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
        return found

    def mails(self, status: str) -> float:
        return self.metrics().get(f'monitor_outbox_mails{{status="{status}"}}', 0.0)

    def wait(self, holds: Callable[[], Any]) -> Any:
        """Until something holds; fails with the daemon's log when it never does or the daemon ends."""
        until = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < until:
            found = holds()
            if found:
                return found
            if self.process is not None and self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"it never came; the daemon said:\n{self.log()[-4000:]}")


@contextmanager
def daemon(folder: Path, authority_pem: str = "", relay: int | None = None) -> Iterator[Daemon]:
    """Its files; whatever was started of it is gone after the block."""
    made = Daemon(folder, authority_pem, relay)
    try:
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            made.process.kill()
            made.process.wait(GIVE_UP_SECONDS)
        made.close()


def run(*arguments: str, files: Daemon) -> Result:
    """A command within this process."""
    return CliRunner().invoke(main, [*arguments, "--settings", str(files.settings)])
