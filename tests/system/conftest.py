"""One simulated province for all system tests, driven from outside its namespaces."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lab import setup
from lab.network import namespaces_command
from monitor.inventory.contacts import load_contacts

HERE = Path(__file__).parent
GIVE_UP_SECONDS = 120.0
CONFIG = HERE.parent.parent / "config"
ON_CALL = load_contacts(CONFIG / "contacts.yaml").shift("on-call", datetime.now(UTC)).contact.email
"""Is told of everything."""


class Lab:
    """The province, as the tests see it."""

    def __init__(self, folder: Path) -> None:
        self._errors = (folder.parent / "inner.log").open("w+")
        self._process = subprocess.Popen(
            namespaces_command([sys.executable, str(HERE / "inner.py"), str(folder), str(CONFIG)]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True,
        )  # fmt: skip

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *given: self._ask(name, *given)

    def _ask(self, name: str, *given: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, given]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise AssertionError(f"the lab ended: {self._errors.read()[-2000:]}")
        answer = json.loads(line)
        if "error" in answer:
            raise AssertionError(f"{name}: {answer['error']}")
        return answer["value"]

    def end(self) -> None:
        self._ask("stop")
        self._process.wait(30)

    # -- looking -------------------------------------------------------------------------------------------------

    def wait(self, what: str, found: Callable[[], Any]) -> Any:
        """Until `found` gives something."""
        until = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < until:
            value = found()
            if value:
                return value
            time.sleep(0.3)
        raise AssertionError(f"no {what} after {GIVE_UP_SECONDS:g} s; the daemon said: {self.log()[-1500:]}")

    def open_incidents(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/api/v1/incidents?open=true")["incidents"]
        return found

    def states(self, site: str) -> dict[str, str]:
        return {each["name"]: each["state"] for each in self.get(f"/api/v1/targets?site={site}")["targets"]}

    def thread(self, incident: str, to: str = ON_CALL) -> list[dict[str, Any]]:
        """Mails of an incident to one person, as they came; several are mailed at the same time, in any order."""
        return [each for each in self.mails() if f"<{incident}." in each["id"] and each["to"] == [to]]

    def settle(self) -> None:
        """Mend everything, and wait until the daemon holds nothing against anybody."""
        self.mend()
        self.refuse_mail("")
        self.wait("end of all incidents", lambda: not self.open_incidents())
        others = "&".join(f"state={each}" for each in ("down", "unreachable", "degraded", "unknown"))
        self.wait("province that is up", lambda: not self.get(f"/api/v1/targets?{others}")["targets"])
        self.wait("the last mails", self._told_all)

    def _told_all(self) -> bool:
        """Whether everybody who had mail of an incident that is over had the last one too."""
        mails = [each["id"].partition("@")[0] for each in self.mails()]
        over = [each["id"] for each in self.get("/api/v1/incidents?open=false&limit=200")["incidents"]]

        def told(incident: str, *steps: str) -> set[str]:
            ours = (each for each in mails if each.startswith(f"<{incident}."))
            return {each.rpartition(".")[2] for each in ours if any(f".{step}" in each for step in steps)}

        return all(told(each, "") == told(each, "recovered", "withdrawn") for each in over)


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    missing = setup.missing()
    if missing:
        pytest.fail(f"missing: {', '.join(missing)}; as root: python3 lab/setup.py")
    lab = Lab(tmp_path_factory.mktemp("system") / "")
    try:
        lab.start()
        lab.wait_ready()
        yield lab
    finally:
        lab.end()


@pytest.fixture
def lab(province: Lab) -> Lab:
    """The province, whole and well at the beginning of each test."""
    province.settle()
    return province
