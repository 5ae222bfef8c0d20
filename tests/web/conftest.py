"""The small province behind the real HTTP server on a free port."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from monitor.core.model import State
from monitor.web.routes import make_app
from tests.web.province import Clock, Province, commune, inventory_of


@pytest.fixture
def province() -> Province:
    """Three communes, all well."""
    made = Province(
        inventory_of(
            commune("phuong-phu-ly", "Phường Phủ Lý", 20.53, 105.93),
            commune("xa-kim-dong", "Xã Kim Đông", 19.95, 106.07, "Kim Sơn"),
            commune("xa-cuc-phuong", "Xã Cúc Phương", 20.25, 105.66, ""),
        )
    )
    made.set_all(State.UP)
    return made


@pytest.fixture
def clock() -> Clock:
    """A clock that goes a second further whenever it is read."""
    return Clock()


FILLER_LINES = 50_000
"""More than is packed at a time."""


@pytest.fixture
def app(province: Province, clock: Clock) -> web.Application:
    """All routes over the province."""

    async def pieces() -> AsyncIterator[str]:
        yield "monitor_checks 9\n"
        yield "monitor_filler 1\n" * FILLER_LINES

    def metrics(accept: str) -> tuple[str, AsyncIterator[str]]:
        known = "application/openmetrics-text" if "openmetrics" in accept else "text/plain; version=0.0.4"
        return known, pieces()

    return make_app(province, metrics, clock=clock)


@pytest_asyncio.fixture
async def http(app: web.Application) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of the real server over the province."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            yield session
    finally:
        await runner.cleanup()
