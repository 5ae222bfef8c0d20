"""How many may stand at the port of the pages, and how long."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from monitor.web import door as door_module
from monitor.web.door import Door, bind

GIVE_UP_SECONDS = 20.0


@asynccontextmanager
async def standing(address: str = "127.0.0.1:0") -> AsyncIterator[tuple[str, int]]:
    """An open door; its host and port."""

    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="hello") if "fail" not in request.query else web.Response(text=1)  # type: ignore[arg-type]

    app = web.Application()
    app.router.add_get("/", hello)
    listener = bind(address)
    made = Door(app)
    await made.open(listener)
    try:
        yield listener.getsockname()[:2]
    finally:
        await made.close()


async def ask(host: str, port: int, source: str | None = None) -> bytes:
    """The answer to a whole request; b"" when the door is shut."""
    try:
        reader, writer = await asyncio.open_connection(host, port, local_addr=(source, 0) if source else None)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        said = await reader.read()
    except OSError:
        return b""
    writer.close()
    return said


async def is_closed(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(GIVE_UP_SECONDS):
            return await reader.read() == b""
    except OSError:
        return True


@pytest.mark.parametrize("address", ["127.0.0.1:0", "[::1]:0", "localhost:0"])
async def test_it_listens_at_addresses_and_names(address: str) -> None:
    async with standing(address) as (host, port):
        assert (await ask(host, port)).endswith(b"hello")


async def test_one_too_many_is_turned_away_and_the_next_is_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "MOST_CONNECTIONS", 5)
    async with standing() as (host, port):
        idle = [await asyncio.open_connection(host, port) for _ in range(5)]
        for _, writer in idle:
            writer.write(b"GET / HTTP/1.1\r\nX: ")
        assert await ask(host, port) == b""
        idle[0][1].close()
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while not (await ask(host, port)).endswith(b"hello"):
                await asyncio.sleep(0.01)
        for _, writer in idle:
            writer.close()


async def test_one_address_cannot_take_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "MOST_OF_ONE", 3)
    async with standing("0.0.0.0:0") as (_, port):
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        assert await ask("127.0.0.1", port) == b""
        assert (await ask("127.0.0.1", port, source="127.0.0.2")).endswith(b"hello")
        idle[0][1].close()
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while not (await ask("127.0.0.1", port)).endswith(b"hello"):
                await asyncio.sleep(0.01)
        for _, writer in idle:
            writer.close()


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nX: ", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
async def test_who_asks_nothing_whole_has_to_go(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "IDLE_SECONDS", 0.2)
    async with standing() as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(said)
        if said.endswith(b"\r\n\r\n"):
            assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
        assert await is_closed(reader)
        writer.close()


async def test_an_address_that_is_taken_is_told() -> None:
    async with standing() as (host, port):
        with pytest.raises(OSError, match="in use"):
            bind(f"{host}:{port}")


async def test_a_crowd_that_comes_at_once_waits_before_the_door() -> None:
    async with standing() as (host, port):
        crowd = [socket.create_connection((host, port), timeout=2) for _ in range(300)]  # none of them is let in yet
        for each in crowd:
            each.close()


async def test_what_is_no_http_fills_no_log_but_a_mistake_of_ours_stands_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with standing() as (host, port):
        for said in (
            b"GET /\xff HTTP/1.1\r\nHost: x",
            b"GET / HTTP/1.1\r\nContent-Length: x",
            b"GET / HTTP/1.1\r\nA\n: b",
        ):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(said + b"\r\n\r\n")
            assert b" 400 " in await reader.readline()
            writer.close()
        assert caplog.records == []
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /?fail HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 500 " in await reader.readline()
        writer.close()
    (told,) = caplog.records
    assert told.exc_info
