"""Two real Alertmanagers are told what is open."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from alerts.alertmanager import LASTS, RESOLVED_TOLD, Alertmanager, Peers, place
from monitor.core.model import Incident, Severity
from tests.alerts.conftest import free_port
from tests.alerts.sample import INCIDENT, inventory

GIVE_UP_SECONDS = 30.0
CONFIG = "route: {receiver: none}\nreceivers: [{name: none}]\n"
COMMAND = shutil.which("prometheus-alertmanager") or "prometheus-alertmanager"


@contextmanager
def peer(folder: Path, port: int) -> Iterator[str]:
    """A real one, alone."""
    folder.mkdir(exist_ok=True)
    (folder / "config.yml").write_text(CONFIG)
    command = [
        COMMAND, f"--config.file={folder}/config.yml", f"--storage.path={folder}", "--cluster.listen-address=",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    with (folder / "log").open("a") as log, subprocess.Popen(command, stderr=log, stdout=log) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def held(url: str) -> list[dict[str, Any]]:
    """What it holds for open."""
    with urllib.request.urlopen(f"{url}/api/v2/alerts", timeout=5) as answer:
        found: list[dict[str, Any]] = json.load(answer)
    return found


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while True:
            with suppress(OSError):
                if await asyncio.to_thread(holds):
                    return
            await asyncio.sleep(0.1)


def fresh(name: str = "fresh") -> Incident:
    """An incident of now."""
    now = datetime.now(UTC)
    return replace(INCIDENT, id=name, began=now - timedelta(seconds=9), opened=now)


@asynccontextmanager
async def telling(
    urls: tuple[str, ...], incidents: list[Incident], tries: list[tuple[str, str]]
) -> AsyncIterator[None]:
    told = Alertmanager(
        Peers(urls=urls, every_seconds=10, language="vi"), incidents=lambda: incidents, inventory=inventory,
        board="http://board.example", clock=lambda: datetime.now(UTC), on_try=lambda *given: tries.append(given),
    )  # fmt: skip
    task = asyncio.create_task(told.run())
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_every_peer_holds_what_is_open_and_hears_of_changes_and_the_end(tmp_path: Path) -> None:
    ports, tries = (free_port(), free_port()), list[tuple[str, str]]()
    incidents = [fresh()]
    with peer(tmp_path / "a", ports[0]) as one:
        other = f"http://127.0.0.1:{ports[1]}"
        async with telling((one, other), incidents, tries):
            await until(lambda: len(held(one)) == 1)
            (alert,) = held(one)
            assert alert["labels"] == {
                "alertname": "CommuneIncident", "incident": "fresh", "target": "xa-kim-dong/tslcd", "site": "xa-kim-dong",
                "area": "Kim Sơn", "provider": "vnpt", "cause": "link", "severity": "minor", "state": "down",
            }  # fmt: skip
            assert alert["annotations"]["summary"] == "Ngừng: Đường TSLCĐ – Xã Kim Đông"
            assert alert["annotations"]["impact"] == "2"
            assert alert["generatorURL"] == "http://board.example/incidents/fresh"
            lasts = datetime.fromisoformat(alert["endsAt"]) - datetime.now(UTC)
            assert LASTS - timedelta(seconds=30) < lasts <= LASTS

            with peer(tmp_path / "b", ports[1]):  # it was away, and hears of it when it is there
                await until(lambda: len(held(other)) == 1)
                incidents[0] = replace(incidents[0], severity=Severity.CRITICAL)
                for url in (one, other):
                    await until(lambda url=url: [each["labels"]["severity"] for each in held(url)] == ["critical"])  # type: ignore[misc]
                incidents[0] = replace(incidents[0], closed=datetime.now(UTC))
                for url in (one, other):
                    await until(lambda url=url: not held(url))  # type: ignore[misc]
    assert (place(one), "sent") in tries
    assert (place(other), "failed") in tries


async def test_what_is_left_out_later_and_what_ended_long_ago_is_not_held(tmp_path: Path) -> None:
    old = replace(fresh("old"), closed=datetime.now(UTC) - RESOLVED_TOLD)
    incidents = [fresh(), fresh("silenced"), old]
    with peer(tmp_path / "a", free_port()) as url:
        async with telling((url,), incidents, []):
            await until(lambda: {each["labels"]["incident"] for each in held(url)} == {"fresh", "silenced"})
            del incidents[1]
            await until(lambda: {each["labels"]["incident"] for each in held(url)} == {"fresh"})


async def test_without_peers_it_does_nothing() -> None:
    async with telling((), [fresh()], []):
        await asyncio.sleep(0.05)


def test_a_peer_is_called_by_host_and_port() -> None:
    assert [place(each) for each in ("http://a:9093/x", "https://b", "http://[::1]")] == ["a:9093", "b:443", "::1:80"]
