"""The pages behind the links of a mail: GET asks, POST does. No cookies and no scripts; the link is all that is needed.

Mail scanners follow every link of a mail, so that a GET never changes anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from aiohttp import web

from alerts.links import Act
from monitor.core.bucket import Bucket
from monitor.core.model import Incident
from monitor.web.forms import form_of

GOOD_AT_ONCE, GOOD_A_SECOND = 30.0, 5.0
"""Requests with a link that is ours, of all together: each costs a look into the database."""
BAD_AT_ONCE, BAD_A_SECOND = 20.0, 1.0
"""Requests with one that is not: more are not even answered with a page. They take nothing from those that are ours."""
MAX_NAME = 80


class Refusal(StrEnum):
    """Why a link does nothing; a key of the words."""

    UNKNOWN = "link_unknown"
    """Cut, changed, made with another key, or of a mail that is no longer kept."""
    EXPIRED = "link_expired"
    USED = "link_used"
    OVER = "link_over"
    NAME = "link_name"
    """What the reader wrote as its name is none."""
    TROUBLE = "link_trouble"
    """Nothing can be written now; the link still holds."""
    BUSY = "link_busy"


STATUS = {
    Refusal.UNKNOWN: 404,
    Refusal.EXPIRED: 410,
    Refusal.USED: 410,
    Refusal.OVER: 410,
    Refusal.NAME: 422,
    Refusal.TROUBLE: 503,
    Refusal.BUSY: 429,
}


class RefusedLinkError(Exception):
    """The link does nothing."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a link does, or has just done."""

    act: Act
    incident: Incident
    by: str
    """Who does it: the contact's name; when it is done, as it is kept."""
    until: datetime | None
    """When the silence ends."""


class MailActs(Protocol):
    """What the links can do; each raises RefusedLinkError."""

    def ours(self, parts: Sequence[str]) -> bool:
        """Whether we have signed this link (act, mail, expiry, signature)."""

    async def offer(self, parts: Sequence[str]) -> Offer:
        """What it would do."""

    async def accept(self, parts: Sequence[str], name: str) -> Offer:
        """Do it; `name` is what the reader calls itself, or empty."""


Show = Callable[[web.Request, "Offer | Refusal", bool], web.Response]
"""Makes the page of an offer (True: it is done) or of a refusal."""


class ActRoutes:
    """GET and POST of the links."""

    def __init__(self, acts: MailActs, show: Show, clock: Callable[[], float] = time.monotonic) -> None:
        self._acts, self._show, self._clock = acts, show, clock
        self._good, self._bad = Bucket(GOOD_AT_ONCE, GOOD_A_SECOND), Bucket(BAD_AT_ONCE, BAD_A_SECOND)

    def table(self) -> list[web.RouteDef]:
        """The routes."""
        path = "/acts/{act}/{mail}/{expires}/{signature}"
        return [web.get(path, self._ask), web.post(path, self._do)]

    async def _ask(self, request: web.Request) -> web.Response:
        return await self._answer(request, done=False)

    async def _do(self, request: web.Request) -> web.Response:
        return await self._answer(request, done=True)

    async def _answer(self, request: web.Request, *, done: bool) -> web.Response:
        parts = [request.match_info[name] for name in ("act", "mail", "expires", "signature")]
        try:
            if not self._let_in(parts):
                return web.Response(text="too many requests\n", status=STATUS[Refusal.BUSY])
            if done:
                return self._show(request, await self._acts.accept(parts, await _name(request)), done)
            return self._show(request, await self._acts.offer(parts), done)
        except RefusedLinkError as error:
            return self._show(request, error.refusal, done)

    def _let_in(self, parts: Sequence[str]) -> bool:
        """Whether this request is worth an answer; raises RefusedLinkError when it is ours and there are too many."""
        now = self._clock()
        if not self._acts.ours(parts):
            return self._bad.take(now)
        if not self._good.take(now):
            raise RefusedLinkError(Refusal.BUSY)
        return True


async def _name(request: web.Request) -> str:
    """What the reader called itself."""
    try:
        given = (await form_of(request)).get("name", "")
    except ValueError:
        raise RefusedLinkError(Refusal.NAME) from None
    if len(given) > MAX_NAME or (given and not given.isprintable()):
        raise RefusedLinkError(Refusal.NAME)
    return given.strip()
