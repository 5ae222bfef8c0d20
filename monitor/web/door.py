"""The port of the web pages, and how many may stand in it: strangers there must not take what the checks need."""

from __future__ import annotations

import asyncio
import socket

from aiohttp import web

MOST_CONNECTIONS = 128
IDLE_SECONDS = 30.0
"""A connection that has asked nothing whole for this long is closed, a slow head or a kept connection alike."""


def bind(address: str) -> socket.socket:
    """A socket that listens at `host:port`, `[host]:port` for IPv6; raises OSError."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.getaddrinfo(host, int(port), family, socket.SOCK_STREAM)
    listener = socket.create_server(found[0][4][:2], family=family, backlog=MOST_CONNECTIONS)
    listener.setblocking(False)
    return listener


class _Closed(asyncio.Protocol):
    """One too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Gone before it has said anything."""
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


class Door:
    """The running server of an application."""

    def __init__(self, app: web.Application) -> None:
        self._runner = web.AppRunner(app, access_log=None, keepalive_timeout=IDLE_SECONDS)
        self._server: asyncio.Server | None = None

    async def open(self, listener: socket.socket) -> None:
        """Serve at `listener`, which is ours from now on."""
        await self._runner.setup()
        self._server = await asyncio.get_running_loop().create_server(self._protocol, sock=listener)

    def _protocol(self) -> asyncio.BaseProtocol:
        server = self._runner.server
        assert server is not None
        return _Closed() if len(server.connections) >= MOST_CONNECTIONS else server()

    async def close(self) -> None:
        """End all connections."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()
