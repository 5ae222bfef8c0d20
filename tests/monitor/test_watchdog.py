"""What the daemon tells systemd, heard at a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.certificates import Authority
from monitor.watchdog import READY, Systemd
from tests.monitor.daemon import GIVE_UP_SECONDS, daemon


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(tmp_path / "notify"))
        made.settimeout(GIVE_UP_SECONDS)
        yield made


def test_without_systemd_nothing_is_said() -> None:
    systemd = Systemd({})
    systemd.say(READY)
    assert systemd.watchdog_seconds == 0


@pytest.mark.parametrize("abstract", [False, True])
def test_what_is_said_arrives_at_either_kind_of_socket(abstract: bool, tmp_path: Path) -> None:
    name = f"@commune-{os.getpid()}" if abstract else str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind("\0" + name[1:] if abstract else name)
        Systemd({"NOTIFY_SOCKET": name}).say(READY)
        assert made.recv(100) == b"READY=1"


def test_a_socket_that_is_gone_is_told_in_the_log_and_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Systemd({"NOTIFY_SOCKET": str(tmp_path / "gone")}).say(READY)
    assert "systemd was not told READY=1" in caplog.text


def test_the_watchdog_of_another_process_is_not_ours() -> None:
    given = {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}
    assert Systemd(given).watchdog_seconds == 30
    assert Systemd({"WATCHDOG_USEC": "30000000"}).watchdog_seconds == 30
    assert Systemd(given | {"WATCHDOG_PID": "1"}).watchdog_seconds == 0


async def test_it_is_alive_only_while_nothing_stands_still(
    heard: socket.socket, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trouble = ""
    systemd = Systemd({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "60000"})
    task = asyncio.create_task(systemd.watch(lambda: trouble))
    for _ in range(3):
        assert await asyncio.to_thread(heard.recv, 100) == b"WATCHDOG=1"
    trouble = "no check has been started for 31 s"
    await asyncio.sleep(0.1)
    heard.setblocking(False)
    with contextlib.suppress(BlockingIOError):  # what came before
        while heard.recv(100):
            pass
    await asyncio.sleep(0.2)
    with pytest.raises(BlockingIOError):
        heard.recv(100)
    trouble = ""
    heard.settimeout(GIVE_UP_SECONDS)
    assert await asyncio.to_thread(heard.recv, 100) == b"WATCHDOG=1"
    task.cancel()
    assert caplog.text.count("not alive: no check has been started") == 1


def test_the_daemon_is_ready_alive_reloading_and_stopping(
    heard: socket.socket, tmp_path: Path, authority: Authority
) -> None:
    (folder := tmp_path / "daemon").mkdir()
    with daemon(folder, authority.ca.read_text()) as made:
        made.launch(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="2000000")
        assert heard.recv(100) in (b"READY=1", b"WATCHDOG=1")
        said = {heard.recv(100) for _ in range(3)}
        assert b"WATCHDOG=1" in said
        assert made.get("/-/healthy")[0] == 200
        assert made.run("reload")[0] == 0
        until = [heard.recv(100)]
        while until[-1] != b"READY=1":
            until.append(heard.recv(100))
        assert any(each.startswith(b"RELOADING=1\nMONOTONIC_USEC=") for each in until)
        assert made.end() == 0
        last = heard.recv(100)
        while last != b"STOPPING=1":
            last = heard.recv(100)
