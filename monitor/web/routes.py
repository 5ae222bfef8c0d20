"""The HTTP surface: read-only, one script of our own, no cookies for who only looks; what changes state lives on the control socket.

The exceptions are the signed links of mails (`acts`), and the desk of those who are signed in: the only pages with forms.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import hdrs, web

from alerts.quality import table
from monitor.core.meetings import read_begins
from monitor.core.quality import SessionQuality
from monitor.web import acts, api, meetings, quiet, sessions, workings
from monitor.web.board import Board, words_for
from monitor.web.desk import BoardActs, Desk
from monitor.web.door import LASTING, drop
from monitor.web.encoding import encoded, takes_gzip
from monitor.web.feed import Feed
from monitor.web.openapi import description
from monitor.web.pages import PATHS, Pages
from monitor.web.signin import SignIn
from monitor.web.turns import Turns
from monitor.web.view import View
from monitor.web.words import Words

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Metrics = Callable[[str], tuple[str, AsyncIterator[str]]]
"""Given the Accept header: the content type, and the exposition in pieces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Those who may act on the board."""

    sign_in: SignIn
    acts: BoardActs
    board: str
    """How they reach it, such as https://monitor.example.org."""


ELSEWHERE = "/{elsewhere:(?!api/|-/).*}"
"""Where people get who mistype an address; programs are answered in a line."""
FORM_BYTES = 4096
"""What a form may have: its longest text is 300 letters, and a Vietnamese one is sent as nine bytes (`%E1%BA%BF`)."""
WRITE_SECONDS = 30.0
GZIP_PIECE = 1 << 18
"""Bytes that are packed at a time, outside the event loop."""
GZIP_HERE = 1 << 15
"""Bytes of an answer that are packed in the event loop; more takes milliseconds, and is packed beside it."""

RELOAD_SENTENCE = (
    "Reloading changes state, so it is not offered over HTTP: "
    "it lives on the control socket (commune-monitor reload) or send SIGHUP.\n"
)
UNREADABLE = "the database cannot be read now; the daemon's log says why"
NO_SESSION = "no session of a meeting began then, or the database cannot be read now"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer a browser sends our own forms from an origin `null`
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    hdrs.SERVER: "commune-monitor",
}
POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def _utc_now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a shell; ages on a page count from now


def make_app(
    view: View,
    metrics: Metrics,
    *,
    mail_acts: acts.MailActs | None = None,
    people: People | None = None,
    grafana: str = "",
    clock: Callable[[], datetime] = _utc_now,
) -> web.Application:
    """All routes over one view. Serve it with an `access_log` of your choice; it holds nothing to be closed.

    With `mail_acts` there are also the pages behind the links of mails, with `people` those of who is signed in, with `grafana`,
    its address, links to its charts.
    """
    turns = Turns()

    @web.middleware
    async def in_turn(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith("/-/"):
            await turns.mine()
        return await _sent(request, await handler(request))

    app = web.Application(client_max_size=FORM_BYTES, middlewares=[in_turn])
    app[LASTING] = set()
    board = Board(grafana, desk=people is not None)
    pages = Pages(view, board, clock)
    feed = Feed(view, pages, turns)
    app.cleanup_ctx.append(feed.running)
    app.on_shutdown.append(feed.end)
    routes = _Routes(view, metrics, clock, turns, board, pages)
    app.add_routes([*routes.table(), web.get("/events", feed.show)])
    if mail_acts is not None:
        app.add_routes(acts.ActRoutes(mail_acts, routes.show_act).table())
    if people is None:
        app.router.add_route("*", "/desk{any:(/.*)?}", routes.no_desk)
    else:
        app.add_routes(Desk(people.sign_in, people.acts, routes, people.board).table())
    app.router.add_get(ELSEWHERE, routes.show_page)
    app.on_response_prepare.append(_guard)
    return app


async def _sent(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Send an answer while we can still end it: aiohttp would wait for ever for a client that does not take it."""
    try:
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(WRITE_SECONDS):
                await response.prepare(request)
                await response.write_eof()
    except TimeoutError:
        if isinstance(request.transport, asyncio.WriteTransport):
            drop(request.transport)
    return response


async def _guard(_: web.Request, response: web.StreamResponse) -> None:
    """Put the safe headers on every response, errors included."""
    for name, value in HEADERS.items():
        response.headers[name] = value
    response.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
    response.headers.setdefault("Content-Security-Policy", POLICY)


class _Routes:
    def __init__(
        self, view: View, metrics: Metrics, clock: Callable[[], datetime], turns: Turns, board: Board, pages: Pages
    ) -> None:
        self._turns, self._board, self._pages = turns, board, pages
        self._view = view
        self._metrics = metrics
        self._clock = clock
        styles = " ".join(f"'sha256-{each}'" for each in board.style_hashes)
        shown = f"{POLICY}; style-src {styles}; img-src data:"  # the icon, which is none, so that nobody asks for one
        self._page_policy = f"{shown}; script-src 'self'; connect-src 'self'"
        self._act_policy = shown.replace("form-action 'none'", "form-action 'self'")
        self._openapi = json.dumps(description(), ensure_ascii=False)

    def table(self) -> list[web.RouteDef]:
        return [
            web.get("/metrics", self._show_metrics),
            web.get("/-/healthy", self._healthy),
            web.get("/-/ready", self._ready),
            web.route("*", "/-/reload", self._reload),
            web.get("/api/v1/targets", self._targets),
            web.get("/api/v1/incidents", self._incidents),
            web.get("/api/v1/incidents/{id:.+}", self._incident),
            web.get("/api/v1/meetings", self._meetings),
            web.get("/api/v1/meetings/{id}", self._meeting),
            web.get("/api/v1/meetings/{id}/{begins}", self._session),
            web.get("/meetings/{id}/{begins}/rooms.csv", self._session_table),
            web.get("/api/v1/silences", self._silences),
            web.get("/api/v1/maintenance", self._maintenance),
            web.get("/api/v1/monitor", self._monitor),
            web.get("/api/v1/availability", self._availability),
            web.get("/api/v1/openapi.json", self._description),
            web.get("/live.js", self._script),
            *(web.get(path, self.show_page) for path in PATHS),
        ]

    async def _show_metrics(self, request: web.Request) -> web.StreamResponse:
        content_type, pieces = self._metrics(request.headers.get(hdrs.ACCEPT, ""))
        response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: content_type, hdrs.VARY: "Accept, Accept-Encoding"})
        packed = takes_gzip(request)
        if packed:
            response.headers[hdrs.CONTENT_ENCODING] = "gzip"
        await response.prepare(request)
        if request.method != hdrs.METH_HEAD:
            pieces = self._turns.each(pieces)
            async for body in _packed(pieces) if packed else _plain(pieces):
                async with asyncio.timeout(WRITE_SECONDS):  # a client that reads nothing must not stay for ever
                    await response.write(body)
        await response.write_eof()
        return response

    async def _healthy(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _ready(self, _: web.Request) -> web.Response:
        left = self._view.unready()
        text = f"not ready: {left[0]} of {left[1]} checks observed so far\n" if left else "ready\n"
        return web.Response(text=text, status=503 if left else 200)

    async def _reload(self, _: web.Request) -> web.Response:
        return web.Response(text=RELOAD_SENTENCE, status=403)

    async def _targets(self, request: web.Request) -> web.Response:
        try:
            make = api.targets(self._view, list(request.query.items()))
        except api.BadQueryError as error:
            return _answer({"error": str(error)}, status=400)
        return await self._pages.apart(lambda: _answer(make()))

    async def _incidents(self, request: web.Request) -> web.Response:
        return _json(lambda: api.incidents(self._view, list(request.query.items())))

    async def _incident(self, request: web.Request) -> web.Response:
        id_ = request.match_info["id"]
        found = api.incident(self._view, id_, await self._view.life(id_))
        if found is None:
            return _answer({"error": "no incident has this id"}, status=404)
        return _answer(found)

    async def _meetings(self, request: web.Request) -> web.Response:
        try:
            found = await meetings.meetings(self._view, list(request.query.items()))
        except api.BadQueryError as error:
            return _answer({"error": str(error)}, status=400)
        return _answer({"error": UNREADABLE}, status=503) if found is None else _answer(found)

    async def _meeting(self, request: web.Request) -> web.Response:
        found = meetings.outlook_of(self._view, request.match_info["id"])
        if found is None:
            return _answer({"error": "no meeting of this id comes soon"}, status=404)
        inventory, query = self._view.inventory(), list(request.query.items())
        return await asyncio.to_thread(_json, lambda: meetings.meeting(found, inventory, query))

    async def _session(self, request: web.Request) -> web.Response:
        found = await self._session_of(request)
        if found is None:
            return _answer({"error": NO_SESSION}, status=404)
        inventory, query = self._view.inventory(), list(request.query.items())
        return await asyncio.to_thread(_json, lambda: sessions.session(found, inventory, query))

    async def _session_table(self, request: web.Request) -> web.Response:
        """The same table that is attached to the mail."""
        found, words = await self._session_of(request), _words(request)
        if found is None:
            return web.Response(text=f"{NO_SESSION}\n", status=404)
        name, text = await asyncio.to_thread(table, found, self._view.inventory(), words)
        headers = {hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}"'}  # an id and a time: nothing to be quoted
        return web.Response(body=f"\ufeff{text}".encode(), content_type="text/csv", charset="utf-8", headers=headers)

    async def _session_of(self, request: web.Request) -> SessionQuality | None:
        begins = read_begins(request.match_info["begins"])
        return await self._view.session(request.match_info["id"], begins) if begins else None

    async def _availability(self, request: web.Request) -> web.Response:
        try:
            found = await api.availability(self._view, list(request.query.items()), self._clock())
        except api.BadQueryError as error:
            return _answer({"error": str(error)}, status=400)
        if found is None:
            return _answer({"error": UNREADABLE}, status=503)
        return _answer(found)

    async def _description(self, _: web.Request) -> web.Response:
        return web.Response(text=self._openapi, content_type="application/json")

    async def _silences(self, request: web.Request) -> web.Response:
        return _json(lambda: quiet.silences(self._view, list(request.query.items())))

    async def _maintenance(self, request: web.Request) -> web.Response:
        return _json(lambda: quiet.maintenance(self._view, list(request.query.items())))

    async def _monitor(self, request: web.Request) -> web.Response:
        return _json(lambda: workings.monitor(self._view, list(request.query.items())))

    async def _script(self, _: web.Request) -> web.Response:
        """The pages name it by its hash, so that a browser may keep it."""
        headers = {hdrs.CACHE_CONTROL: "public, max-age=31536000, immutable"}
        return web.Response(text=self._board.script, content_type="text/javascript", headers=headers)

    async def show_page(self, request: web.Request) -> web.Response:
        """The page at a path, or the one that says that there is none."""
        found = await self._pages.page(request.path, _words(request))
        return _page(found.text, self._page_policy, found.status)

    def show_act(self, request: web.Request, offer: acts.Offer | acts.Refusal, done: bool) -> web.Response:
        """The page behind a link of a mail: the only one with a form, which goes to where it came from."""
        page = self._board.act(self._view, offer, _words(request), self._clock(), done=done)
        status = acts.STATUS[offer] if isinstance(offer, acts.Refusal) else 200
        return _page(page, self._act_policy, status)

    # -- pages of who is signed in -------------------------------------------------------------------------------------

    def desk_incident(self, request: web.Request, incident: str, who: str, *, signs_out: bool) -> web.Response | None:
        """The forms about an open incident; None when there is none."""
        words, now = _words(request), self._clock()
        page = self._board.desk_incident(self._view, incident, words, now, who=who, signs_out=signs_out)
        return _page(page, self._act_policy, 200) if page else None

    def desk_silences(self, request: web.Request, who: str, *, signs_out: bool) -> web.Response:
        """The silences in force, each with its form."""
        page = self._board.desk_silences(self._view, _words(request), self._clock(), who=who, signs_out=signs_out)
        return _page(page, self._act_policy, 200)

    async def no_desk(self, request: web.Request) -> web.Response:
        """Why nobody can act here."""
        return self.refused(request, "desk_off", 404)

    def refused(self, request: web.Request, sentence: str, status: int, why: str = "", back: str = "/") -> web.Response:
        """Why something was not done."""
        page = self._board.refused(self._view, sentence, why, back, _words(request), self._clock())
        return _page(page, self._act_policy, status)


def _page(text: str, policy: str, status: int) -> web.Response:
    headers = {"Content-Security-Policy": policy}
    response = web.Response(
        body=encoded(text),
        status=status,
        content_type="text/html",
        charset="utf-8",
        headers=headers,
        zlib_executor_size=GZIP_HERE,
    )
    response.enable_compression()
    return response


async def _plain(pieces: AsyncIterator[str]) -> AsyncIterator[bytes]:
    async for piece in pieces:
        yield encoded(piece)


async def _packed(pieces: AsyncIterator[str]) -> AsyncIterator[bytes]:
    """As gzip, fast rather than small: a scrape repeats itself so much that it shrinks to a tenth all the same."""
    packer = zlib.compressobj(1, wbits=zlib.MAX_WBITS | 16)
    waiting = bytearray()
    async for piece in pieces:
        waiting += encoded(piece)
        if len(waiting) >= GZIP_PIECE:
            yield await asyncio.to_thread(packer.compress, bytes(waiting))
            waiting.clear()
    yield packer.compress(bytes(waiting)) + packer.flush()


def _words(request: web.Request) -> Words:
    return words_for(request.query.get("lang"))


def _json(make: Callable[[], api.Json]) -> web.Response:
    try:
        return _answer(make())
    except api.BadQueryError as error:
        return _answer({"error": str(error)}, status=400)


def _answer(body: Mapping[str, object], status: int = 200) -> web.Response:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    response = web.Response(
        body=encoded(text), status=status, content_type="application/json", zlib_executor_size=GZIP_HERE
    )
    response.enable_compression()
    return response
