"""Where relays and the other addresses of alerts are: names are looked up each time, and remembered for when no name server answers.

An alert that the name server is dead must not wait until it is back.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

LOOK_UP_SECONDS = 3.0
"""What is remembered is used when no answer came until then."""
MOST_ADDRESSES = 8
"""So many of a name are tried, each for its time-out: other relays wait behind them."""

Found = tuple[tuple[socket.AddressFamily, tuple[Any, ...]], ...]
"""Families, and addresses as sockets take them, without the port."""


class Resolver(AbstractResolver):
    """Looks names up, each only once at a time; also for aiohttp."""

    def __init__(self) -> None:
        self._known: dict[str, Found] = {}
        self._asking: dict[str, asyncio.Task[Found]] = {}

    async def addresses(self, host: str) -> Found:
        """At least one; those of last time when the name server is silent or knows nothing now. Raises OSError."""
        try:
            return _asked(host, socket.AI_NUMERICHOST)  # a number, which needs no name server and no thread
        except socket.gaierror:
            pass
        asking = self._asking.get(host)
        if asking is None or asking.done():  # a server that is dead holds a thread for long: one a name is enough
            asking = self._asking[host] = asyncio.create_task(asyncio.to_thread(_asked, host))
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
        error: OSError | None = None
        for family, address in (await self.addresses(host))[:MOST_ADDRESSES]:
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                sock.setblocking(False)
                async with asyncio.timeout(seconds):
                    await asyncio.get_running_loop().sock_connect(sock, (address[0], port, *address[2:]))
            except TimeoutError:
                sock.close()
                error = TimeoutError(f"no connection to {address[0]} port {port} within {seconds:g} s")
            except OSError as failed:
                sock.close()
                error = failed
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        assert error is not None
        raise error

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


def _asked(host: str, flags: int = 0) -> Found:
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=flags)
    except UnicodeError as error:  # Python does not ask for a name with a part that is empty or too long
        raise socket.gaierror(socket.EAI_NONAME, "no name of a host") from error
    return tuple(dict.fromkeys((family, address) for family, _, _, _, address in found))
