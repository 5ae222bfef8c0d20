"""The daemon under a real systemd: ready, reloaded, ended and started anew when it stands still, stopped in order."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.certificates import Authority
from tests.monitor.daemon import Daemon, daemon
from tests.monitor.making import ROOT
from tests.monitor.systemd import Manager, manager

# What of the unit of docs/install.md is about its life; users and rights are the system manager's.
UNIT = """
[Service]
Type=notify
WatchdogSec=3
TimeoutStartSec=60
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=0
WorkingDirectory={root}
StandardError=append:{log}
"""
NAME = "commune-monitor.service"


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Manager]:
    with manager(tmp_path / "run") as made:
        yield made


@pytest.fixture
def files(tmp_path: Path, authority: Authority) -> Iterator[Daemon]:
    (folder := tmp_path / "daemon").mkdir()
    with daemon(folder, authority.ca.read_text()) as made:
        yield made


def test_systemd_starts_reloads_and_stops_it_and_starts_it_anew_when_it_stands_still(
    systemd: Manager, files: Daemon
) -> None:
    systemd.write(NAME, UNIT.format(command=shlex.join(files.command("run")), root=ROOT, log=files.folder / "log"))

    systemd.ask("start", NAME)  # comes back when it has said that it is ready
    assert systemd.is_(NAME, "ActiveState") == "active"
    assert files.get("/-/healthy")[0] == 200

    files.write_inventory("\n  - {id: xa-moi, name: Xã Mới, kind: commune}\n")
    systemd.ask("reload", NAME)
    files.wait(lambda: "xa-moi" in files.get("/metrics")[1])
    assert (systemd.is_(NAME, "ActiveState"), systemd.is_(NAME, "NRestarts")) == ("active", "0")

    systemd.ask("kill", "--signal=SIGSTOP", NAME)  # its loop stands: systemd hears nothing any more
    files.wait(lambda: systemd.is_(NAME, "NRestarts") == "1")
    files.wait(lambda: files.get("/-/healthy")[0] == 200)
    assert systemd.is_(NAME, "ActiveState") == "active"

    systemd.ask("stop", NAME)
    assert (systemd.is_(NAME, "ActiveState"), systemd.is_(NAME, "Result")) == ("inactive", "success")
