"""Lets a browser on the host see the pages inside the lab: TCP on loopback – Unix socket – TCP in the namespace.

A Unix socket is a file, and so reaches from one network namespace into the other where no address does.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

CHUNK = 65536


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


async def _join(
    one: tuple[asyncio.StreamReader, asyncio.StreamWriter], other: tuple[asyncio.StreamReader, asyncio.StreamWriter]
) -> None:
    try:
        await asyncio.gather(_pour(one[0], other[1]), _pour(other[0], one[1]))
    finally:
        for _, writer in (one, other):
            writer.close()


async def inside(path: Path, host: str, port: int) -> asyncio.Server:
    """In the lab: what comes over the Unix socket goes to a server there."""

    async def on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        await _join((reader, writer), there)

    return await asyncio.start_unix_server(on, str(path))


async def outside(path: Path, port: int) -> tuple[asyncio.Server, int]:
    """On the host: listen on loopback, at `port` or, when that is taken, at a free one; returns the server and its port."""

    async def on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_unix_connection(str(path))
        except OSError:
            writer.close()
            return
        await _join((reader, writer), there)

    try:
        server = await asyncio.start_server(on, "127.0.0.1", port)
    except OSError:
        server = await asyncio.start_server(on, "127.0.0.1", 0)
    return server, int(server.sockets[0].getsockname()[1])
