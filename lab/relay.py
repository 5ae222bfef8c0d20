"""Lets a browser on the host see the pages inside the lab: TCP on loopback – Unix socket – TCP in the namespace.

A Unix socket is a file, and so reaches from one network namespace into the other where no address does. Each side is a thread, and
each connection two, which end with the process: asyncio tells of every connection that is open when its loop ends.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable
from pathlib import Path

CHUNK = 65536
BACKLOG = 128
"""Connections that wait to be taken: a browser opens six at once, and who finds no room tries again after a second."""


def _pour(source: socket.socket, sink: socket.socket) -> None:
    """Until the source has said all, which the sink may still answer, or one of them is gone, and the other waits in vain."""
    try:
        while data := source.recv(CHUNK):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def _joining(reach: Callable[[], socket.socket]) -> type[socketserver.BaseRequestHandler]:
    class Joined(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError), reach() as there:
                answers = threading.Thread(target=_pour, args=(there, self.request), daemon=True)
                answers.start()
                _pour(self.request, there)
                answers.join()

    return Joined


class _Loopback(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True
    request_queue_size = BACKLOG


class _Path(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = BACKLOG


def _serve(server: socketserver.BaseServer) -> None:
    threading.Thread(target=server.serve_forever, daemon=True).start()


def inside(path: Path, host: str, port: int) -> None:
    """In the lab: what comes over the Unix socket goes to a server there."""
    _serve(_Path(str(path), _joining(lambda: socket.create_connection((host, port)))))


def outside(path: Path, port: int) -> int:
    """On the host: listen on loopback, at `port` or, when that is taken, at a free one; returns the port."""

    def reach() -> socket.socket:
        there = socket.socket(socket.AF_UNIX)
        try:
            there.connect(str(path))
        except OSError:
            there.close()
            raise
        return there

    try:
        server = _Loopback(("127.0.0.1", port), _joining(reach))
    except OSError:
        server = _Loopback(("127.0.0.1", 0), _joining(reach))
    _serve(server)
    return int(server.server_address[1])
