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


def _pour(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


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


class _Path(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


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
