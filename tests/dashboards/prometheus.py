"""A real Prometheus for a test, over a history that was written for it, in a folder of its own."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

GIVE_UP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One that answers queries."""

    url: str

    def query(self, expr: str, at: float | None = None) -> list[dict[str, Any]]:
        """Series of an instant query, at a Unix time or now; what it refuses is an AssertionError with its words."""
        return self._ask("query", query=expr, **({} if at is None else {"time": str(at)}))

    def over(self, expr: str, begin: float, end: float, step: float) -> list[dict[str, Any]]:
        """Series of a range query, `values` in each."""
        return self._ask("query_range", query=expr, start=str(begin), end=str(end), step=str(step))

    def _ask(self, what: str, **asked: str) -> list[dict[str, Any]]:
        body = urllib.parse.urlencode(asked).encode()
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{what}", body, timeout=30) as answer:
                result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{asked['query']}: {error.read().decode()}") from error
        return result

    def wait_ready(self) -> None:
        """Until it has read its data and answers."""
        until = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/-/ready", timeout=10):
                return
            time.sleep(0.2)
        raise AssertionError(f"Prometheus is not ready after {GIVE_UP_SECONDS:g} s")


@contextlib.contextmanager
def prometheus_over(folder: Path, history: str) -> Iterator[Prometheus]:
    """Start Prometheus over a history in OpenMetrics on a free port; it scrapes nothing, and is gone afterwards."""
    for program in ("prometheus", "promtool"):
        if shutil.which(program) is None:
            pytest.fail(f"{program} is not installed: apt-get install prometheus")
    written, data, settings = folder / "history.txt", folder / "data", folder / "prometheus.yml"
    written.write_text(history, encoding="utf-8")
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet", str(written), str(data)], check=True
    )
    settings.write_text("scrape_configs: []\n")
    port = free_port()
    command = [
        "prometheus",
        f"--config.file={settings}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (
        (folder / "prometheus.log").open("wb") as log,
        subprocess.Popen(command, stderr=log) as process,
    ):
        try:
            made = Prometheus(f"http://127.0.0.1:{port}")
            made.wait_ready()
            yield made
        finally:
            process.kill()


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
