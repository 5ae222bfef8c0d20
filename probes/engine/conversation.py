"""How answers of HTTP are read from a connection, and several questions asked over one of them, in TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from typing import Any

from probes.engine import connection
from probes.engine.connection import Connection, TrustOptions
from probes.registry import Request
from probes.wire import http

READ_BYTES = 65536
MOST_PARTS = 512
"""Taken at a time: a page in chunks of one byte does not hold up the loop for long."""


async def parts(
    exchange: http.Exchange, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, max_bytes: int
) -> AsyncGenerator[http.Part, None]:
    """The parts of an answer as they come, for as many bytes as a page of `max_bytes` may need on the wire."""
    most = 2 * max_bytes + http.MAX_HEAD_BYTES  # chunks and frames of a sane server cost less than the page
    while True:
        data = await reader.read(READ_BYTES)
        most -= len(data)
        for number, part in enumerate(exchange.take(data), 1):
            yield part
            if number % MOST_PARTS == 0:
                await asyncio.sleep(0)
        if sent := exchange.more():
            writer.write(sent)
        if most < 0:
            raise http.TooLargeError(f"more than {2 * max_bytes + http.MAX_HEAD_BYTES} bytes and still no end")


async def head_of(found: AsyncIterator[http.Part]) -> http.Head:
    """The first part."""
    head = await anext(found)
    assert isinstance(head, http.Head)  # a codec gives no other part first
    return head


async def body_of(found: AsyncIterator[http.Part], head: http.Head, max_bytes: int) -> http.Body:
    """All that comes behind the head. Raises http.ProtocolError, http.TooLargeError."""
    body = http.Body(head.headers.get("content-encoding", ""), max_bytes)
    async for part in found:
        if isinstance(part, http.End):
            break
        assert isinstance(part, bytes)
        body.add(part)
    return body


class Conversation:
    """Questions to one server, one after the other, over one connection for as long as the server keeps it.

    Follows no redirect. Raises connection.UntrustedError, OSError, http.ProtocolError, http.TooLargeError.
    """

    def __init__(self, request: Request[Any], port: int, trust: TrustOptions, max_bytes: int) -> None:
        """With the request's address, at this port; an answer is no longer than `max_bytes`."""
        self._request, self._port, self._trust, self._max_bytes = request, port, trust, max_bytes
        self._stack = AsyncExitStack()
        self._connection: Connection | None = None
        self._exchange = http.Http1(once=False)
        self.values: dict[str, float] = {}
        """Of the server's certificate."""

    async def ask(self, asked: http.Asked, what: str) -> tuple[http.Head, bytes]:
        """One question, with `what` it is for; its answer, unpacked.

        A server may close what we keep just as we ask (RFC 9112 section 9.3.1): then it is put once more, so ask nothing that must not be.
        """
        if self._connection is not None and self._exchange.reusable:
            with suppress(http.BrokenOffError, ConnectionError):
                return await self._put(self._connection, asked, what)
        await self.close()
        opened = connection.connect(self._request, self._request.address, self._port, self._trust)
        self._connection = await self._stack.enter_async_context(opened)
        self._exchange = http.Http1(once=False)
        self.values |= self._connection.values
        return await self._put(self._connection, asked, what)

    async def _put(self, way: Connection, asked: http.Asked, what: str) -> tuple[http.Head, bytes]:
        self._request.doing = what
        way.writer.write(self._exchange.ask(asked))
        # Left open it would be closed by a task of its own, in a later turn of the loop.
        async with aclosing(parts(self._exchange, way.reader, way.writer, self._max_bytes)) as found:
            head = await head_of(found)
            body = await body_of(found, head, self._max_bytes)
        return head, body.whole()

    async def close(self) -> None:
        """Without a farewell."""
        self._connection = None
        await self._stack.aclose()


@asynccontextmanager
async def conversation(
    request: Request[Any], port: int, trust: TrustOptions, max_bytes: int
) -> AsyncIterator[Conversation]:
    """As Conversation; nothing is open afterwards."""
    talk = Conversation(request, port, trust, max_bytes)
    try:
        yield talk
    finally:
        await talk.close()
