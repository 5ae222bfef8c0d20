"""The real server over a province that the test sets, and the real door before it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from alerts.links import Act, silent_until
from monitor.openid import OpenIdConnect, Provider
from monitor.web.acts import MailActs, Offer, Refusal, RefusedLinkError
from monitor.web.door import Door, bind
from monitor.web.routes import People, make_app
from tests.web.desk import Done, Known
from tests.web.province import NOW, Clock, Province

PROVIDER = Provider(issuer="https://sso.example", client_id="board", client_secret="", callback="")


def signed_in(done: Done) -> People:
    """Whoever comes may act."""
    return People(sign_in=Known(OpenIdConnect(PROVIDER), b"k" * 32, ""), acts=done, board="")


class Links:
    """Each link is ours, and does what it says; what they do to a daemon is tested elsewhere."""

    def __init__(self, province: Province) -> None:
        self._incident = province.cases[0]

    def ours(self, _: Sequence[str]) -> bool:
        return True

    async def offer(self, parts: Sequence[str]) -> Offer:
        return await self.accept(parts, "")

    async def accept(self, parts: Sequence[str], name: str) -> Offer:
        if parts[0] == "used":
            raise RefusedLinkError(Refusal.USED)
        act = Act(parts[0])
        return Offer(act=act, incident=self._incident, by=name or "Nguyễn Văn Nam", until=silent_until(act, NOW))


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
