"""Server-sent events: who looks at a page is sent what has changed on it, made and packed once for all who look.

Source: HTML Living Standard, section 9.2. What is sent: `page`, the live part of a page with its title and time; `news`, a sentence
for those who do not see; `beat`, that we are still there (an event and no comment, for a script does not hear comments). A viewer
that is slow skips what was overtaken meanwhile; one that takes nothing is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ipaddress
import json
import logging
import re
import socket
import time
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from html import unescape
from typing import NamedTuple
from urllib.parse import unquote
from weakref import WeakValueDictionary

from aiohttp import hdrs, web

from monitor.core.model import Incident
from monitor.web.board import words_for
from monitor.web.door import LASTING, drop
from monitor.web.encoding import encoded, takes_gzip
from monitor.web.pages import Page, Pages
from monitor.web.turns import Turns
from monitor.web.view import View
from monitor.web.words import WORDS, Words, machine_time

log = logging.getLogger(__name__)

MOST_VIEWERS = 256
MOST_OF_ONE = 128
"""Viewers at one address, which may be that of a whole house; one of this host is a reverse proxy, and stands for everybody."""
LOOK_SECONDS = 0.25
"""How often it is looked whether something has changed, …"""
LEAST_SECONDS = 1.0
"""… how far apart a page is sent at least, …"""
MOST_SECONDS = 10.0
"""… and how old it becomes: figures change without any state."""
SHARE = 0.1
"""Of the loop's time that making pages may take, however many different ones are looked at."""
BEAT_SECONDS = 10.0
WRITE_SECONDS = 15.0
"""Who has taken nothing for so long is dropped."""
RETRY_MILLISECONDS = 3000
MOST_NEWS = 3
"""Sentences that are said at a time; the rest is counted."""

GZIP_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
"""RFC 1952. Then come deflate blocks of which none refers to another event, so that all viewers get the same bytes."""
LIVE = ("<!-- live -->", "<!-- /live -->")
"""The part of a page that is sent stands between these."""
TIMES = re.compile(r"(<time\b[^>]*>)[^<]*")
"""What stands in these goes on by itself in the browser: it is no change."""


class Piece(NamedTuple):
    """Something to be sent, as it is and packed."""

    plain: bytes
    packed: bytes


def piece(text: str) -> Piece:
    """Packed once for everybody."""
    plain, packer = encoded(text), zlib.compressobj(6, wbits=-zlib.MAX_WBITS)
    return Piece(plain, packer.compress(plain) + packer.flush(zlib.Z_SYNC_FLUSH))


def event(name: str, data: object, id_: str = "") -> Piece:
    """One event; JSON has no line breaks of its own."""
    lines = [f"event: {name}", *([f"id: {id_}"] if id_ else []), f"data: {json.dumps(data, ensure_ascii=False)}"]
    return piece("\n".join(lines) + "\n\n")


HELLO = piece(f":\nretry: {RETRY_MILLISECONDS}\n\n")
BEAT = event("beat", 1)


def live_part(page: Page) -> tuple[str, str]:
    """What of a page is sent, and its name: pages that tell the same have the same one, also after a restart."""
    part = page.text.partition(LIVE[0])[2].partition(LIVE[1])[0]
    return part, hashlib.blake2b(encoded(TIMES.sub(r"\1", part)), digest_size=9).hexdigest()


def news(before: Sequence[Incident], now: Sequence[Incident], view: View, words: Words) -> str:
    """What incidents were opened and closed between two looks at those that are open."""
    old, new = {each.id for each in before}, {each.id for each in now}
    said = [(words.page["news_opened"], each) for each in now if each.id not in old]
    said += [(words.page["news_closed"], each) for each in before if each.id not in new]
    lines = [f"{what}: {words.root(each, view.inventory())}." for what, each in said[:MOST_NEWS]]
    if len(said) > MOST_NEWS:
        lines.append(words.page["news_more"].format(len(said) - MOST_NEWS))
    return " ".join(lines)


@dataclass(slots=True, eq=False)
class _Viewer:
    """Somebody who looks at a page."""

    transport: asyncio.Transport
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    page: Piece | None = None
    """The newest one that is still to be sent."""
    news: Piece | None = None
    over: bool = False
    """It is to be let go."""

    def end(self) -> None:
        """Let it go."""
        self.over = True
        self.wake.set()

    def take(self) -> list[Piece]:
        """What is to be sent."""
        found = [each for each in (self.page, self.news) if each is not None]
        self.page = self.news = None
        self.wake.clear()
        return found


@dataclass(slots=True, eq=False, weakref_slot=True)
class _Channel:
    """A page in a language, and who looks at it."""

    path: str
    words: Words
    viewers: set[_Viewer] = field(default_factory=set)
    first: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Whoever comes first makes the page; who comes meanwhile waits for that."""
    found: bool = False
    """There is such a page."""
    piece: Piece | None = None
    id: str = ""
    made: float = float("-inf")
    revision: int = -1

    def end(self) -> None:
        """Let all go who look at it."""
        for viewer in self.viewers:
            viewer.end()

    def due(self, now: float, revision: int) -> bool:
        """Whether it is to be made anew."""
        age = now - self.made
        return age >= MOST_SECONDS or (age >= LEAST_SECONDS and revision != self.revision)


class Feed:
    """Sends to all viewers what they look at."""

    def __init__(self, view: View, pages: Pages, turns: Turns) -> None:
        self._view, self._pages, self._turns = view, pages, turns
        self._channels: WeakValueDictionary[tuple[str, str], _Channel] = WeakValueDictionary()
        """As long as anybody looks at them, or is about to."""
        self._addresses: Counter[str] = Counter()
        self._known: tuple[Sequence[Incident], int] | None = None
        """The open incidents at the last look, and the revision that it was at."""
        self._watched = asyncio.Event()

    async def running(self, _: web.Application) -> AsyncIterator[None]:
        """For the clean-up context of the application: works as long as that does."""
        work = asyncio.create_task(self._run(), name="feed")
        yield
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    async def end(self, _: web.Application) -> None:
        """Let all viewers go: the application is about to close."""
        for channel in self._channels.values():
            channel.end()

    # -- making ----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            await self._watched.wait()
            self._let_go_who_has_left()
            self._try_to_tell_news()
            channel = self._most_due(asyncio.get_running_loop().time())
            if channel is None:
                await asyncio.sleep(LOOK_SECONDS)
                continue
            began = time.thread_time()
            await self._try_to_renew(channel)
            await asyncio.sleep((time.thread_time() - began) * (1 / SHARE - 1))

    def _most_due(self, now: float) -> _Channel | None:
        """The page that most have waited for longest: one that a single reader has open does not hold up the wall."""
        due = [each for each in self._channels.values() if each.viewers and each.due(now, self._view.revision())]
        return max(due, key=lambda each: (now - each.made) * len(each.viewers), default=None)

    def _let_go_who_has_left(self) -> None:
        for channel in self._channels.values():
            for viewer in channel.viewers:
                if viewer.transport.is_closing():
                    viewer.end()

    async def _try_to_renew(self, channel: _Channel) -> None:
        """A page that cannot be made by a mistake of ours must not look fresh: who looks at it is let go, and sees that."""
        try:
            await self._renew(channel)
        except Exception:
            log.exception("the page %s was not made", channel.path)
            channel.end()

    async def _renew(self, channel: _Channel) -> None:
        """Make a page, and hand it to who looks at it when it is another one."""
        await self._turns.mine()
        channel.made, channel.revision = asyncio.get_running_loop().time(), self._view.revision()
        page = await self._pages.fresh(channel.path, channel.words)  # one kept from before a change would stay
        channel.found = page.status == 200
        part, id_ = live_part(page)
        if id_ != channel.id:
            title = unescape(page.text.partition("<title>")[2].partition("</title>")[0])
            channel.id = id_
            channel.piece = event("page", {"at": machine_time(page.at), "title": title, "html": part}, id_)
            for viewer in channel.viewers:
                viewer.page = channel.piece
                viewer.wake.set()

    def _try_to_tell_news(self) -> None:
        """A sentence that cannot be made must not keep pages from being renewed: beats would go on, and they would look fresh."""
        try:
            self._tell_news()
        except Exception:
            log.exception("news were not told")

    def _tell_news(self) -> None:
        revision = self._view.revision()
        if self._known is not None and self._known[1] == revision:
            return
        now = [each for each in self._view.incidents() if each.closed is None]
        before, self._known = self._known, (now, revision)
        if before is None:
            return
        said = {language: news(before[0], now, self._view, words) for language, words in WORDS.items()}
        pieces = {language: event("news", text) for language, text in said.items() if text}
        for channel in self._channels.values():
            for viewer in channel.viewers if channel.words.language in pieces else ():
                viewer.news = pieces[channel.words.language]
                viewer.wake.set()

    # -- sending ---------------------------------------------------------------------------------------------------

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Answer of /events."""
        path, words = unquote(request.query.get("page", "/")), words_for(request.query.get("lang"))
        with self._room(request.remote or "") as refused:
            if refused:
                return web.Response(text=f"{refused}\n", status=503, headers={hdrs.RETRY_AFTER: "60"})
            channel = self._channels.setdefault((path, words.language), _Channel(path, words))
            async with channel.first:
                if channel.piece is None:
                    await self._renew(channel)
            if not channel.found:
                return web.Response(text="there is no such page\n", status=404)
            if request.method == hdrs.METH_HEAD or request.transport is None:  # the other one has left meanwhile
                return web.Response(content_type="text/event-stream")
            return await self._stream(request, channel)

    @contextlib.contextmanager
    def _room(self, address: str) -> Iterator[str]:
        """Counts a viewer; says why there is no room for it, or ""."""
        if self._addresses.total() >= MOST_VIEWERS:
            yield f"{MOST_VIEWERS} viewers are as many as are served live; the page renews itself every few seconds"
        elif self._addresses[address] >= MOST_OF_ONE and not _is_here(address):
            yield f"{MOST_OF_ONE} viewers are as many as are served live at one address; the page renews itself"
        else:
            self._addresses[address] += 1
            try:
                yield ""
            finally:
                self._addresses[address] -= 1
                self._addresses += Counter()  # forgets those of whom none is left

    async def _stream(self, request: web.Request, channel: _Channel) -> web.StreamResponse:
        packed = takes_gzip(request)
        response = web.StreamResponse(
            headers={hdrs.CONTENT_TYPE: "text/event-stream", hdrs.VARY: "Accept-Encoding", "X-Accel-Buffering": "no"}
        )
        if packed:
            response.headers[hdrs.CONTENT_ENCODING] = "gzip"
        assert request.transport is not None
        has = request.headers.get("Last-Event-ID")
        viewer = _Viewer(request.transport, page=channel.piece if channel.id != has else None)
        with self._looking(request, channel, viewer):  # from now on it misses nothing
            await response.prepare(request)
            if packed:
                await response.write(GZIP_HEAD)
            pieces = [HELLO, *viewer.take()]
            while not viewer.over:
                await self._turns.mine()
                async with asyncio.timeout(WRITE_SECONDS):
                    await response.write(b"".join(each.packed if packed else each.plain for each in pieces))
                pieces = await _next(viewer)
        return response

    @contextlib.contextmanager
    def _looking(self, request: web.Request, channel: _Channel, viewer: _Viewer) -> Iterator[None]:
        lasting = request.app[LASTING]
        lasting.add(viewer.transport)
        channel.viewers.add(viewer)
        self._watched.set()
        try:
            with contextlib.suppress(ConnectionError):  # it has left
                _drop_when_gone(viewer.transport)
                yield
        except TimeoutError:
            drop(viewer.transport)
        finally:
            lasting.discard(viewer.transport)
            self._leave(channel, viewer)

    def _leave(self, channel: _Channel, viewer: _Viewer) -> None:
        channel.viewers.discard(viewer)
        if not any(each.viewers for each in self._channels.values()):
            self._watched.clear()
            self._known = None


async def _next(viewer: _Viewer) -> list[Piece]:
    """What is to be sent next; when nothing is for a while, that we are there."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(BEAT_SECONDS):
            await viewer.wake.wait()
    return viewer.take() or [BEAT]


def _is_here(address: str) -> bool:
    """Whether it is one of this host."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    return False


def _drop_when_gone(transport: asyncio.BaseTransport) -> None:
    """Let the kernel end the connection when what was sent is not taken: who has gone without a word never says so."""
    connection = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):  # it is closed already
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(WRITE_SECONDS * 1000))
