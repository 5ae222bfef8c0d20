"""What people do who are signed in: take an incident or give it back, be silent about it, lift a silence.

Pages of their own, beside those that all look at: forms only, without script, each answered by the page that shows what came of it. A form
of another site is refused, whatever cookie comes with it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Protocol
from urllib.parse import quote

from aiohttp import web

from monitor.web.forms import Form, form_of
from monitor.web.signin import CALLBACK, BySession, SignIn, SignInError, from_ourselves, see
from monitor.web.words import LANGUAGES

log = logging.getLogger(__name__)

LASTING: Mapping[str, timedelta] = {
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "12h": timedelta(hours=12),
    "3d": timedelta(days=3),
}
"""For how long one may be silent from a page; the command knows more."""

Handler = Callable[[web.Request], Awaitable[web.Response]]


class RefusedActError(Exception):
    """It cannot be done; the message says why."""


class BoardActs(Protocol):
    """What can be done to the running daemon, by whom; each raises RefusedActError."""

    async def take(self, incident: str, note: str, who: str) -> None:
        """Have an incident."""

    async def give_back(self, incident: str, who: str) -> None:
        """Have it no longer."""

    async def silence(self, incident: str, lasting: str, reason: str, who: str) -> None:
        """Mail nobody of what has the root of an open incident."""

    async def lift(self, silence: str, who: str) -> None:
        """Mail again."""


class DeskPages(Protocol):
    """Makes the pages; `signs_out`: there is a session that can be ended."""

    def desk_incident(self, request: web.Request, incident: str, who: str, *, signs_out: bool) -> web.Response | None:
        """The forms about an open incident; None when there is none."""

    def desk_silences(self, request: web.Request, who: str, *, signs_out: bool) -> web.Response:
        """The silences in force, each with its form."""

    def refused(self, request: web.Request, sentence: str, status: int, why: str = "", back: str = "/") -> web.Response:
        """Why something was not done: a key of the words, what was wrong in plain words, and where to go from there."""


class Desk:
    """The routes of sign-in, and of the pages with forms."""

    def __init__(self, sign_in: SignIn, acts: BoardActs, pages: DeskPages, board: str) -> None:
        """`board` is how people reach us, such as https://monitor.example.org."""
        self._sign_in, self._acts, self._pages, self._board = sign_in, acts, pages, board
        self._session = sign_in if isinstance(sign_in, BySession) else None

    def table(self) -> list[web.RouteDef]:
        """The routes."""
        routes = [
            web.get("/desk/incidents/{id}", self._known(self._incident)),
            web.get("/desk/silences", self._known(self._silences)),
            web.post("/desk/incidents/{id}/take", self._form(self._take, "/incidents/{}")),
            web.post("/desk/incidents/{id}/give-back", self._form(self._give_back, "/incidents/{}")),
            web.post("/desk/incidents/{id}/silence", self._form(self._silence, "/incidents/{}")),
            web.post("/desk/silences/{id}/lift", self._form(self._lift, "/desk/silences")),
        ]
        if self._session is not None:
            routes += [
                web.get(self._session.page, self._or_refused(self._session.begin)),
                web.get(CALLBACK, self._or_refused(self._session.finish)),
                web.post("/sign-out", self._sign_out),
            ]
        return routes

    # -- pages ---------------------------------------------------------------------------------------------------------

    def _known(self, page: Callable[[web.Request, str], web.Response]) -> Handler:
        """A page for those who are signed in; others are sent where they can do that."""

        async def handler(request: web.Request) -> web.Response:
            who = self._sign_in.who(request)
            if who:
                return page(request, who)
            if self._session is not None:
                return see(f"{self._session.page}?back={quote(request.path_qs, safe='')}")
            return self._pages.refused(request, "signin_needed", 401)

        return handler

    def _incident(self, request: web.Request, who: str) -> web.Response:
        id_ = request.match_info["id"]
        found = self._pages.desk_incident(request, id_, who, signs_out=self._session is not None)
        return found or self._pages.refused(request, "act_over", 404)

    def _silences(self, request: web.Request, who: str) -> web.Response:
        return self._pages.desk_silences(request, who, signs_out=self._session is not None)

    # -- forms ---------------------------------------------------------------------------------------------------------

    def _form(self, act: Callable[[str, Form, str], Awaitable[None]], then: str) -> Handler:
        async def handler(request: web.Request) -> web.Response:
            who, id_ = self._sign_in.who(request), request.match_info["id"]
            there = then.format(quote(id_))
            if not from_ourselves(request, self._board):
                return self._pages.refused(request, "signin_forged", 403)
            if not who:
                return self._pages.refused(request, "signin_needed", 401)
            try:
                await act(id_, await _fields(request), who)
            except RefusedActError as error:
                return self._pages.refused(request, "act_refused", 422, str(error), there)
            language = request.query.get("lang", "")
            return see(f"{there}?lang={language}" if language in LANGUAGES else there)

        return handler

    async def _take(self, incident: str, form: Form, who: str) -> None:
        await self._acts.take(incident, form.get("note", ""), who)

    async def _give_back(self, incident: str, _: Form, who: str) -> None:
        await self._acts.give_back(incident, who)

    async def _silence(self, incident: str, form: Form, who: str) -> None:
        if form.get("for") not in LASTING:
            raise RefusedActError(f"for: must be one of {', '.join(LASTING)}")
        await self._acts.silence(incident, form.get("for", ""), form.get("reason", ""), who)

    async def _lift(self, silence: str, _: Form, who: str) -> None:
        await self._acts.lift(silence, who)

    # -- sign-in -------------------------------------------------------------------------------------------------------

    def _or_refused(self, page: Handler) -> Handler:
        async def handler(request: web.Request) -> web.Response:
            try:
                return await page(request)
            except SignInError as error:
                log.warning("sign-in from %s: %.500r", request.remote, str(error))  # a stranger's words: one line
                return self._pages.refused(request, f"signin_{error.key}", 403)

        return handler

    async def _sign_out(self, request: web.Request) -> web.Response:
        assert self._session is not None
        if not from_ourselves(request, self._board):
            return self._pages.refused(request, "signin_forged", 403)
        return self._session.leave(request)


async def _fields(request: web.Request) -> Form:
    """The fields of a form; what is no form has none."""
    try:
        return await form_of(request)
    except ValueError:
        return {}
