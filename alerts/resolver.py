"""Where relays and the other addresses of alerts are: names are looked up each time, and remembered for when no name server answers.

An alert that the name server is dead must not wait until it is back.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from monitor import names

LOOK_UP_SECONDS = 3.0
"""What is remembered is used when no answer came until then."""
MOST_ADDRESSES = 8
"""So many of a name are tried, each for its time-out: other relays wait behind them."""


class Resolver(AbstractResolver):
    """Looks names up, each only once at a time; also for aiohttp."""

    def __init__(self) -> None:
        self._known: dict[str, Sequence[names.Found]] = {}
        self._asking: dict[str, asyncio.Task[list[names.Found]]] = {}

    async def addresses(self, host: str) -> Sequence[names.Found]:
        """At least one, without the port; those of last time when the name server is silent or knows nothing now. Raises OSError."""
        asking = self._asking.get(host)
        if asking is None or asking.done():  # a server that is dead holds a thread for long: one a name is enough
            asking = self._asking[host] = asyncio.create_task(names.look_up(host, 0, threads=names.OF_ALERTS))
        await asyncio.wait((asking,), timeout=LOOK_UP_SECONDS)
        if asking.done() and asking.exception() is None:
            self._known[host] = asking.result()
        if host in self._known:
            return self._known[host]
        if not asking.done():
            raise TimeoutError(f"no name server told the address of {host} within {LOOK_UP_SECONDS:g} s")
        return asking.result()

    async def connect(self, host: str, port: int, seconds: float) -> socket.socket:
        """A connection to the first address that accepts, each given so many seconds; raises what the last one made of it."""
        found = (await self.addresses(host))[:MOST_ADDRESSES]
        return await names.first(found, lambda each: _connected(*each, port, seconds))

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses as aiohttp wants them."""
        return [
            ResolveResult(
                hostname=host, host=str(address[0]), port=port, family=each, proto=0, flags=socket.AI_NUMERICHOST
            )
            for each, address in await self.addresses(host)
            if family in (each, socket.AF_UNSPEC)
        ]

    async def close(self) -> None:
        """There is nothing to close."""

    def session(self, seconds: float) -> aiohttp.ClientSession:
        """A session of aiohttp that looks names up here, and gives each request so many seconds."""
        connector = aiohttp.TCPConnector(resolver=self, use_dns_cache=False)
        return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=seconds))


async def _connected(
    family: socket.AddressFamily, address: tuple[Any, ...], port: int, seconds: float
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().sock_connect(sock, (address[0], port, *address[2:]))
    except TimeoutError as error:
        sock.close()
        raise TimeoutError(f"no connection to {address[0]} port {port} within {seconds:g} s") from error
    except BaseException:
        sock.close()
        raise
    return sock
