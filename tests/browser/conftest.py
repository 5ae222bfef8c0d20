"""The real server over a province that the test sets, and the real door before it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from monitor.web.acts import MailActs
from monitor.web.door import Door, bind
from monitor.web.routes import People, make_app
from tests.web.province import Clock, Province


async def _nothing() -> AsyncIterator[str]:
    yield ""


@asynccontextmanager
async def served(
    province: Province, address: str = "127.0.0.1:0", people: People | None = None, mail_acts: MailActs | None = None
) -> AsyncIterator[str]:
    """Its address."""
    listener = bind(address)
    host, port = listener.getsockname()[:2]
    app = make_app(province, lambda _: ("text/plain", _nothing()), people=people, mail_acts=mail_acts, clock=Clock())
    door = Door(app)
    await door.open(listener)
    try:
        yield f"http://{host}:{port}"
    finally:
        await door.close()
