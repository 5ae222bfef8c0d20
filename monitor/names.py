"""Names → addresses, in threads of their own.

A name server that is dead holds a thread for as long as the resolver is patient, and no time-out gets it back. Mails and scrapes
use the loop's own threads, so they do not wait behind such look-ups. Numbers need no thread at all.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

MOST_LOOK_UPS = 16
"""At once, ours and those that peers tell each; the others wait, until the time-out of their check."""

NO_NAME = "no name: a part of it is empty, longer than 63 characters, or of characters that no name has"
"""RFC 1035 section 2.3.4, RFC 3490."""

_OURS = ThreadPoolExecutor(MOST_LOOK_UPS, thread_name_prefix="names")
_OTHERS = ThreadPoolExecutor(MOST_LOOK_UPS, thread_name_prefix="names-of-others")

Found = tuple[socket.AddressFamily, tuple[Any, ...]]
"""Family, and the address as sockets take it."""


async def look_up(
    host: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM, *, ours: bool = True
) -> list[Found]:
    """The addresses of a name, at least one; of a number itself. Raises socket.gaierror.

    A name that is not `ours`, but told by a peer, is looked up apart: its name server may be made to be silent, and so hold up ours.
    """
    try:
        found = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_NUMERICHOST)
    except UnicodeError as error:  # Python does not ask for such a name
        raise socket.gaierror(socket.EAI_NONAME, NO_NAME) from error
    except socket.gaierror:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            _OURS if ours else _OTHERS, lambda: socket.getaddrinfo(host, port, type=kind)
        )
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


async def open_connection(host: str, port: int, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """As asyncio.open_connection: to the first address of the name that accepts; raises what the last one made of it."""
    *others, last = [number(address) for _, address in await look_up(host, port)]
    for each in others:
        try:
            return await asyncio.open_connection(each, port, **options)
        except OSError:
            continue
    return await asyncio.open_connection(last, port, **options)


def number(address: tuple[Any, ...]) -> str:
    """The host of a socket's address; of a link-local one with its interface (RFC 4007 section 11)."""
    host, _, *more = address
    return f"{host}%{more[1]}" if more and more[1] else str(host)
