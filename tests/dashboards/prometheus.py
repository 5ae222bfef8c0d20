"""A real Prometheus for a test: it scrapes a text that never changes, five times a second, in a folder of its own."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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
        asked = {"query": expr} if at is None else {"query": expr, "time": str(at)}
        body = urllib.parse.urlencode(asked).encode()
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/query", body, timeout=10) as answer:
                result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{expr}: {error.read().decode()}") from error
        return result

    def wait_for(self, expr: str) -> None:
        """Until an expression has an answer."""
        until = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                if self.query(expr):
                    return
            time.sleep(0.2)
        raise AssertionError(f"Prometheus has no answer to {expr} after {GIVE_UP_SECONDS:g} s")


@contextlib.contextmanager
def running_prometheus(folder: Path, text: str) -> Iterator[Prometheus]:
    """Start the exporter and Prometheus on free ports; both are gone afterwards."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.fail("prometheus is not installed: apt-get install prometheus")
    with _exporter(text) as exporter:
        port = _free_port()
        settings = folder / "prometheus.yml"
        settings.write_text(
            "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n"
            f"scrape_configs: [{{job_name: test, static_configs: [{{targets: ['127.0.0.1:{exporter}']}}]}}]\n"
        )
        command = [
            program,
            f"--config.file={settings}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with (
            (folder / "prometheus.log").open("wb") as log,
            subprocess.Popen(command, stderr=log) as process,
        ):
            try:
                yield Prometheus(f"http://127.0.0.1:{port}")
            finally:
                process.kill()


@contextlib.contextmanager
def _exporter(text: str) -> Iterator[int]:
    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Metrics) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
