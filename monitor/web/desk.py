"""What people do on the board who are signed in: take an incident or give it back, be silent about it, lift a silence.

Forms only, each answered by the page that it came from; a form of another site is refused, whatever cookie comes with it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from aiohttp import web

from monitor.web.signin import CALLBACK, BySession, SignIn, SignInError, from_ourselves, see

log = logging.getLogger(__name__)

LASTING = ("1h", "4h", "12h", "3d")
"""For how long one may be silent from a page; the command knows more."""

Form = Mapping[str, str]
Trouble = Callable[[web.Request, str, int, str], web.Response]
"""Makes the page that says why something was not done: a key of the words, the status, and what is wrong in plain words or empty."""


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


class Desk:
    """The routes of sign-in and of the forms."""

    def __init__(self, sign_in: SignIn, acts: BoardActs, board: str, trouble: Trouble) -> None:
        """`board` is how people reach us."""
        self._sign_in, self._acts, self._board, self._trouble = sign_in, acts, board, trouble

    def table(self) -> list[web.RouteDef]:
        """The routes."""
        acts = self._acts
        routes = [
            web.post(
                "/incidents/{id}/take",
                self._form(lambda id_, form, who: acts.take(id_, form.get("note", ""), who), "/incidents/{}"),
            ),
            web.post(
                "/incidents/{id}/give-back", self._form(lambda id_, _, who: acts.give_back(id_, who), "/incidents/{}")
            ),
            web.post(
                "/incidents/{id}/silence",
                self._form(
                    lambda id_, form, who: acts.silence(id_, form.get("for", ""), form.get("reason", ""), who),
                    "/incidents/{}",
                ),
            ),
            web.post("/silences/{id}/lift", self._form(lambda id_, _, who: acts.lift(id_, who), "/silences")),
        ]
        if isinstance(self._sign_in, BySession):
            session = self._sign_in
            routes += [
                web.get(session.page, self._or_trouble(session.begin)),
                web.get(CALLBACK, self._or_trouble(session.finish)),
                web.post("/sign-out", self._sign_out),
            ]
        return routes

    def _form(
        self, act: Callable[[str, Form, str], Awaitable[None]], back: str
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            who, id_ = self._sign_in.who(request), request.match_info["id"]
            if not from_ourselves(request, self._board):
                return self._trouble(request, "signin_forged", 403, "")
            if not who:
                return self._trouble(request, "signin_needed", 401, "")
            try:
                await act(id_, await _plain(request), who)
            except RefusedActError as error:
                return self._trouble(request, "act_refused", 422, str(error))
            return see(back.format(id_))

        return handler

    def _or_trouble(
        self, page: Callable[[web.Request], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            try:
                return await page(request)
            except SignInError as error:
                log.warning("sign-in from %s: %s", request.remote, error)
                return self._trouble(request, f"signin_{error.key}", 403, "")

        return handler

    async def _sign_out(self, request: web.Request) -> web.Response:
        assert isinstance(self._sign_in, BySession)
        if not from_ourselves(request, self._board):
            return self._trouble(request, "signin_forged", 403, "")
        return self._sign_in.leave(request)


async def _plain(request: web.Request) -> Form:
    """The fields of a form; what is no text, or no form, is none."""
    try:
        return {key: value for key, value in (await request.post()).items() if isinstance(value, str)}
    except ValueError:
        return {}
