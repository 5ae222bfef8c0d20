"""The port of the web pages, and how many may stand in it: strangers there must not take what the checks need."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Collection

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 512
MOST_OF_ONE = 384
"""Connections of one address, which may be a reverse proxy through which all live viewers come back at once after a restart.
Whoever opens all that there are would shut out Prometheus and the board of everybody."""
IDLE_SECONDS = 30.0
"""A connection that has asked nothing whole for this long is closed, a slow head or a kept connection alike."""

LASTING = web.AppKey("LASTING", set[asyncio.BaseTransport])
"""Connections that stay for long, and take nobody's place here: who lets them stay bounds them."""


def _worth_a_line(record: logging.LogRecord) -> bool:
    """What strangers send that is no HTTP is answered with 400, and no mistake of ours."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


log.addFilter(_worth_a_line)


def bind(address: str) -> socket.socket:
    """A socket that listens at `host:port`, `[host]:port` for IPv6; raises OSError."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.getaddrinfo(host, int(port), family, socket.SOCK_STREAM)
    listener = socket.create_server(found[0][4][:2], family=family, backlog=MOST_CONNECTIONS)
    listener.setblocking(False)
    return listener


class _Doorkeeper(asyncio.Protocol):
    """Stands at a new connection until it is known whose it is; one too many goes before it has said anything."""

    def __init__(self, server: web.Server, lasting: Collection[asyncio.BaseTransport]) -> None:
        self._server, self._lasting = server, lasting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let it in, or not."""
        assert isinstance(transport, asyncio.Transport)
        connections = self._server.connections
        if len(connections) - len(self._lasting) >= MOST_CONNECTIONS:  # a flood is not worth a look at each of them
            transport.abort()
            return
        transports = [each.transport for each in connections if each.transport]
        standing = [_address(each) for each in transports if each not in self._lasting]
        if standing.count(_address(transport)) >= MOST_OF_ONE:
            transport.abort()
            return
        served = self._server()
        transport.set_protocol(served)
        served.connection_made(transport)


def drop(transport: asyncio.WriteTransport) -> None:
    """End a connection with all that was not taken of it: the kernel would go on offering that for minutes."""
    connection = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):  # it is closed already
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _address(transport: asyncio.BaseTransport) -> str:
    return str((transport.get_extra_info("peername") or ("",))[0])


class Door:
    """The running server of an application."""

    def __init__(self, app: web.Application) -> None:
        self._lasting = app.get(LASTING, ())
        self._runner = web.AppRunner(app, access_log=None, keepalive_timeout=IDLE_SECONDS, logger=log)
        self._server: asyncio.Server | None = None

    async def open(self, listener: socket.socket) -> None:
        """Serve at `listener`, which is ours from now on."""
        await self._runner.setup()
        self._server = await asyncio.get_running_loop().create_server(
            self._protocol, sock=listener, backlog=MOST_CONNECTIONS
        )

    def _protocol(self) -> asyncio.BaseProtocol:
        assert self._runner.server is not None
        return _Doorkeeper(self._runner.server, self._lasting)

    async def close(self) -> None:
        """End all connections."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()
