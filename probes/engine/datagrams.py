"""A UDP socket that talks with one address, and keeps what others send apart: it is evidence, and never an answer."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

from monitor import names

IP_RECVERR, IPV6_RECVERR = 11, 25
"""ip(7), ipv6(7): a socket that is not connected gets ICMP errors only with these."""
MOST_WAITING = 256
MOST_STRANGERS = 16
"""So many datagrams of other addresses are looked at."""


class Datagrams(asyncio.DatagramProtocol):
    """Datagrams and errors of one address, in a bounded queue; what comes while it is full is dropped."""

    transport: asyncio.DatagramTransport

    def __init__(self, peer: tuple[Any, ...]) -> None:
        self.stranger: Callable[[str, bytes], None] = lambda _host, _data: None
        """Told of datagrams of other addresses: `host:port`, datagram."""
        self._peer = peer
        self._strangers = 0
        self._queue: asyncio.Queue[bytes | Exception] = asyncio.Queue(maxsize=MOST_WAITING)

    @property
    def local(self) -> tuple[str, int]:
        """Our own address and port."""
        host, port = self.transport.get_extra_info("sockname")[:2]
        return str(host), int(port)

    def send(self, data: bytes) -> None:
        """Send to the one address."""
        self.transport.sendto(data, self._peer)

    async def receive(self) -> bytes:
        """The next datagram of the one address; raises OSError of an ICMP error."""
        said = await self._queue.get()
        await asyncio.sleep(0)  # a full queue gives without waiting; many answers must not hold us up
        if isinstance(said, Exception):
            raise said
        return said

    def connection_made(self, transport: Any) -> None:
        """asyncio hands over the socket."""
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """asyncio hands over a datagram."""
        if addr[:2] != self._peer[:2]:
            self._strangers += 1
            if self._strangers <= MOST_STRANGERS:
                self.stranger(f"{hostname(addr[0])}:{addr[1]}", data)
        elif not self._queue.full():
            self._queue.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        """asyncio hands over an error, such as a refused port; it does not say where."""
        if isinstance(exc, OSError) and exc.errno:
            exc = OSError(exc.errno, f"{exc.strerror} at {self._peer[0]} port {self._peer[1]}")
        if not self._queue.full():
            self._queue.put_nowait(exc)


def hostname(address: str) -> str:
    """An address as it stands before a port: IPv6 in brackets."""
    return f"[{address}]" if ":" in address else address


@contextlib.asynccontextmanager
async def open_datagrams(address: str, port: int) -> AsyncIterator[Datagrams]:
    """Not connected, for the kernel would hide who else answers, but bound to the address that the peer will see."""
    loop = asyncio.get_running_loop()
    (family, peer), *_ = await names.look_up(address, port, socket.SOCK_DGRAM)
    with socket.socket(family, socket.SOCK_DGRAM) as compass:
        compass.connect(peer)  # sends nothing
        local = compass.getsockname()
    own = socket.socket(family, socket.SOCK_DGRAM)
    try:
        own.setblocking(False)
        level, option = (
            (socket.IPPROTO_IPV6, IPV6_RECVERR) if family == socket.AF_INET6 else (socket.IPPROTO_IP, IP_RECVERR)
        )
        own.setsockopt(level, option, 1)
        own.bind((local[0], 0, *local[2:]))
        transport, datagrams = await loop.create_datagram_endpoint(lambda: Datagrams(peer), sock=own)
    except BaseException:
        own.close()
        raise
    try:
        yield datagrams
    finally:
        transport.abort()
