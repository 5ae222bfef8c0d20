"""Names → addresses, in threads of their own.

A name server that is dead holds a thread for as long as the resolver is patient, and no time-out gets it back. The loop's own
threads, which mails and scrapes use, are not spent on that, and who ends the program does not wait. Numbers need no thread at all.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

MOST_LOOK_UPS = 16
"""At once, of each kind of names; the others wait, until the time-out of who asks."""

NO_NAME = "no name: a part of it is empty, longer than 63 characters, or of characters that no name has"
"""RFC 1035 section 2.3.4, RFC 3490."""

Found = tuple[socket.AddressFamily, tuple[Any, ...]]
"""Family, and the address as sockets take it."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

T = TypeVar("T")
S = TypeVar("S")


class Threads:
    """MOST_LOOK_UPS at most. Unlike those of an executor they are not waited for when the loop or the program ends."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._begun = 0

    async def run(self, work: Callable[[], T]) -> T:
        """What the work returns or raises."""
        future: Future[T] = Future()
        self._waiting.put((future, work))
        if self._begun < MOST_LOOK_UPS:
            self._begun += 1
            Thread(target=self._work, name="names", daemon=True).start()
        return await asyncio.wrap_future(future)

    def _work(self) -> None:
        while True:
            future, work = self._waiting.get()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                except Exception as error:  # noqa: BLE001  it is for who waits
                    future.set_exception(error)


OURS, OF_OTHERS, OF_ALERTS = Threads(), Threads(), Threads()
"""For names of the inventory; for those that peers tell, whose name servers may be made to be silent; for relays and the like."""


async def look_up(
    host: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM, *, threads: Threads = OURS
) -> list[Found]:
    """The addresses of a name, at least one; of a number itself. Raises socket.gaierror."""
    try:
        found = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_NUMERICHOST)
    except UnicodeError as error:  # Python does not ask for such a name
        raise socket.gaierror(socket.EAI_NONAME, NO_NAME) from error
    except socket.gaierror:
        found = await threads.run(lambda: socket.getaddrinfo(host, port, type=kind))
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


async def first(addresses: Sequence[S], connect: Callable[[S], Awaitable[T]]) -> T:
    """What it makes of the first address that accepts; raises what the last one made of it (OSError)."""
    *others, last = addresses
    for each in others:
        try:
            return await connect(each)
        except OSError:
            continue
    return await connect(last)


async def open_connection(host: str, port: int, **options: Any) -> Streams:
    """As asyncio.open_connection: to the first address of the name that accepts; raises what the last one made of it."""
    addresses = [number(address) for _, address in await look_up(host, port)]
    return await first(addresses, lambda each: asyncio.open_connection(each, port, **options))


def number(address: tuple[Any, ...]) -> str:
    """The host of a socket's address; of a link-local one with its interface (RFC 4007 section 11)."""
    host, _, *more = address
    return f"{host}%{more[1]}" if more and more[1] else str(host)
