"""An HTTP server that takes what the daemon posts (webhooks, Alertmanager's API), and fails on command."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lab.sink import DROP, HANG

HANG_SECONDS = 3.0

Post = Callable[[str, Mapping[str, str], bytes], None]
"""Told path, headers and body of what was taken."""


class Receiver:
    """Listens on a port of loopback while it runs."""

    def __init__(self, on_post: Post, fault: Callable[[str], str] = lambda _: "") -> None:
        """`fault` is asked at `begun` and `taken` how to fail: `DROP`, `HANG`, or the number of a status; "" does well."""

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                how = fault("begun")
                if not how:
                    on_post(self.path, dict(self.headers), body)
                    how = fault("taken")
                if how == HANG:
                    time.sleep(HANG_SECONDS)
                if how in (HANG, DROP):
                    self.close_connection = True
                    return
                self.send_response(int(how or 200))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Take posts from now on."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Take no more."""
        self._server.shutdown()
        self._server.server_close()
