"""The board with people who may act: what the tests of sign-in have in common."""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from monitor.core.model import State
from monitor.web.desk import RefusedActError
from monitor.web.routes import People, make_app
from monitor.web.signin import BySession, SignIn
from monitor.web.words import VI
from tests.web.province import Clock, Province, commune, inventory_of


@dataclass(slots=True)
class Done:
    """Acts that are only noted: what they do to a daemon is tested elsewhere."""

    acts: list[tuple[str, ...]] = field(default_factory=list)
    refuses: str = ""

    async def take(self, incident: str, note: str, who: str) -> None:
        self._note("take", incident, note, who)

    async def give_back(self, incident: str, who: str) -> None:
        self._note("give-back", incident, who)

    async def silence(self, incident: str, lasting: str, reason: str, who: str) -> None:
        self._note("silence", incident, lasting, reason, who)

    async def lift(self, silence: str, who: str) -> None:
        self._note("lift", silence, who)

    def _note(self, *act: str) -> None:
        if self.refuses:
            raise RefusedActError(self.refuses)
        self.acts.append(act)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Board:
    """The whole board over a small province, behind the real HTTP server."""

    def __init__(self, port: int, sign_in: SignIn) -> None:
        self.address, self.done, self._port = f"http://127.0.0.1:{port}", Done(), port
        self.province = Province(inventory_of(commune("xa-a", "Xã A", 20.1, 105.9)))
        self.province.set_all(State.UP)
        self.province.cut("xa-a")
        people = People(sign_in=sign_in, acts=self.done, board=self.address)
        self.runner = web.AppRunner(make_app(self.province, _no_metrics, people=people, clock=Clock()), access_log=None)

    async def open(self) -> None:
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self._port).start()


def _no_metrics(_: str) -> tuple[str, AsyncIterator[str]]:
    raise AssertionError("nobody asks")


async def who(http: aiohttp.ClientSession, board: Board, headers: object = None) -> str:
    """Whom the board takes us for."""
    async with http.get(f"{board.address}/desk/silences", headers=headers, allow_redirects=False) as answer:  # type: ignore[arg-type]
        if answer.status != 200:
            assert answer.status == 401 or answer.headers["Location"] == "/sign-in?back=%2Fdesk%2Fsilences"
            return "nobody"
        found = re.search(r"Đang đăng nhập: <strong>(.*?)</strong>", await answer.text())
        assert found is not None
        return found[1]


def sentence(key: str) -> str:
    return VI.page[key]


class Known(BySession):
    """Whoever comes is signed in."""

    def who(self, _: web.Request) -> str:
        return "Nguyễn Văn An"
