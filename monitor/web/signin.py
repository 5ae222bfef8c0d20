"""Who looks at the board, and what they may do there once that is known; without it the board is read-only.

Either a reverse proxy in front of us says who it is in a header, which we believe from its addresses alone; or an OpenID Connect
provider does, and a cookie keeps it for a working day: encrypted and authenticated (Fernet), so that we store nothing.
"""

from __future__ import annotations

import json
import logging
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Protocol

from aiohttp import hdrs, web
from cryptography.fernet import Fernet, InvalidToken

log = logging.getLogger(__name__)

SESSION_SECONDS = 10 * 3600
"""How long a sign-in holds: a shift."""
BEGUN_SECONDS = 600
"""How long somebody may take at the provider."""
SESSION, BEGUN = "monitor-session", "monitor-sign-in"
"""Cookies. A browser gives them to all ports of a host, so they are named as nobody else names theirs."""
HOST_ONLY = "__Host-"
"""Before their names behind https: what another host of the domain sets is none of ours then (RFC 6265bis, section 4.1.3.2)."""
CALLBACK = "/signed-in"
MAX_NAME = 80


class SignInError(Exception):
    """Nobody is signed in; `key` is one of the words (`signin_…`), `why` is for the log."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(why)
        self.key = key


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A sign-in that has begun."""

    url: str
    """Where the browser goes."""
    kept: Mapping[str, str]
    """What the browser keeps for us until it is back."""


class Provider(Protocol):
    """Who knows people; each method raises SignInError."""

    async def begin(self) -> Begun:
        """Where to send somebody who wants to sign in."""

    async def finish(self, answer: Mapping[str, str], kept: Mapping[str, str]) -> str:
        """The name of who came back with this answer."""


class SignIn(Protocol):
    """How people are known."""

    @property
    def page(self) -> str:
        """Where they go to sign in; empty: the proxy sees to it."""

    def who(self, request: web.Request) -> str:
        """The name of who asks; empty: it is not known."""


def plain_name(name: str) -> str:
    """A name that fits a line of a log, a page and a mail; empty when it does not."""
    name = name.strip()
    return name if 0 < len(name) <= MAX_NAME and name.isprintable() else ""


class ByHeader:
    """A reverse proxy says it."""

    page = ""

    def __init__(self, header: str, proxies: tuple[IPv4Network | IPv6Network, ...]) -> None:
        """`proxies` are the only addresses whose header is believed."""
        self._header, self._proxies = header, proxies

    def who(self, request: web.Request) -> str:
        """The one value of the header; two of them are none."""
        given = request.headers.getall(self._header, [])
        if len(given) != 1 or not self._is_proxy(request.remote):
            return ""
        # aiohttp reads headers as UTF-8 with what is no UTF-8 as half surrogates: those are not printable.
        return plain_name(given[0])

    def _is_proxy(self, remote: str | None) -> bool:
        try:
            address = ip_address(remote or "")
        except ValueError:
            return False
        plain = getattr(address, "ipv4_mapped", None) or address
        return any(plain in each for each in self._proxies if each.version == plain.version)


class BySession:
    """A provider says it, and a cookie keeps it."""

    page = "/sign-in"

    def __init__(self, provider: Provider, key: bytes, board: str) -> None:
        """`key` is secret; `board` is how people reach us, such as https://monitor.example.org."""
        self._provider = provider
        self._box = Fernet(urlsafe_b64encode(sha256(b"session of the board\n" + key).digest()))
        self._secure = board.startswith("https://")

    def who(self, request: web.Request) -> str:
        """The name in the cookie, as long as it holds."""
        return self._opened(request, SESSION, SESSION_SECONDS).get("who", "")

    def _opened(self, request: web.Request, cookie: str, seconds: int) -> dict[str, str]:
        try:
            box = request.cookies.get(self._named(cookie), "").encode()
            kept = json.loads(self._box.decrypt(box, ttl=seconds))
        except (InvalidToken, ValueError):
            return {}
        return kept if kept.pop("of", None) == cookie else {}  # one cookie is not taken for the other

    def _keep(self, response: web.Response, cookie: str, kept: Mapping[str, str], seconds: int) -> None:
        box = self._box.encrypt(json.dumps({**kept, "of": cookie}).encode()).decode()
        # Lax, not Strict: who comes back from the provider comes from another site.
        response.set_cookie(
            self._named(cookie), box, max_age=seconds, httponly=True, secure=self._secure, samesite="Lax"
        )

    def _forget(self, response: web.Response, cookie: str) -> None:
        response.del_cookie(self._named(cookie), secure=self._secure)

    def _named(self, cookie: str) -> str:
        return f"{HOST_ONLY}{cookie}" if self._secure else cookie

    async def begin(self, request: web.Request) -> web.Response:
        """Send somebody to the provider; raises SignInError."""
        begun = await self._provider.begin()
        response = see(begun.url)
        self._keep(response, BEGUN, {**begun.kept, "back": local_path(request.query.get("back", "/"))}, BEGUN_SECONDS)
        return response

    async def finish(self, request: web.Request) -> web.Response:
        """Let in who comes back from there; raises SignInError."""
        kept = self._opened(request, BEGUN, BEGUN_SECONDS)
        if not kept:
            raise SignInError("forged", "the browser has no sign-in under way, or took too long")
        name = plain_name(await self._provider.finish(dict(request.query), kept))
        if not name:
            raise SignInError("refused", "the provider's name for this person is none that can be shown")
        log.info("signed in: %s from %s", name, request.remote)
        response = see(local_path(kept.get("back", "/")))
        self._keep(response, SESSION, {"who": name}, SESSION_SECONDS)
        self._forget(response, BEGUN)
        return response

    def leave(self, request: web.Request) -> web.Response:
        """Forget who it was; the provider may still know."""
        log.info("signed out: %s", self.who(request) or "nobody")
        response = see("/")
        self._forget(response, SESSION)
        return response


def see(place: str) -> web.Response:
    """Send a browser to another page, which it asks for by GET."""
    return web.Response(status=303, headers={hdrs.LOCATION: place})


def local_path(wanted: str) -> str:
    """The path on this board that is asked for; anything else becomes the board: nobody is sent elsewhere by us."""
    fits = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    return wanted if fits and wanted.isprintable() and len(wanted) <= 500 else "/"


def from_ourselves(request: web.Request, board: str) -> bool:
    """Whether a form was sent by a page of ours, as the browser says: another site must not act with somebody's cookie.

    Fetch Metadata (W3C) where the browser sends it, else the Origin header (RFC 6454): that of the board as people reach it, or of the host
    that was asked. A browser that sends neither may look, but not act.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get(hdrs.ORIGIN)
    if site is not None:
        return site == "same-origin"
    if origin is None:
        return False
    return origin == board or origin.partition("://")[2] == request.host
