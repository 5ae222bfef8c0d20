"""The pages by their paths; each is made at most once a second in a language, however many look at it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple, ParamSpec, TypeVar
from weakref import WeakValueDictionary

from monitor.core.meetings import read_begins
from monitor.core.quality import SessionQuality
from monitor.core.words import ROOM
from monitor.web.board import Board
from monitor.web.glance import Glance, glance
from monitor.web.meetings import outlook_of
from monitor.web.overview import known_incident
from monitor.web.sessions import page_of
from monitor.web.sitepage import past_span
from monitor.web.view import View
from monitor.web.ways import ways
from monitor.web.words import Words

P = ParamSpec("P")
T = TypeVar("T")

KEPT = timedelta(seconds=1)
MOST_KEPT = 64

PATHS = (
    "/", "/wall", "/wall/light", "/areas/{name:.*}", "/sites/{id}", "/incidents/{id:.+}", "/meetings", "/meetings/{id}",
    "/meetings/{id}/{begins}", "/silences", "/monitor",
)  # fmt: skip


class Page(NamedTuple):
    """A page as it was made."""

    status: int
    text: str
    at: datetime


class Pages:
    """All pages that only show."""

    def __init__(self, view: View, board: Board, clock: Callable[[], datetime]) -> None:
        self._view, self._board, self._clock = view, board, clock
        self._whole: dict[str, Callable[[View, Words, datetime], str]] = {
            "/silences": board.silences,
            "/monitor": board.monitor,
        }
        self._seen: dict[str, Callable[[View, Words, datetime, Glance], str]] = {
            "/": board.overview,
            "/wall": board.wall,
            "/wall/light": partial(board.wall, theme="light"),
        }
        self._single: dict[str, tuple[Callable[[str, Words, datetime], Awaitable[str | None]], str]] = {
            "areas": (self._area, "no_page"),
            "sites": (self._site, "no_site"),
            "incidents": (self._incident, "no_incident"),
            "meetings": (self._meeting, "no_meeting"),
        }
        self._kept: dict[tuple[str, str], Page] = {}
        self._making: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        """Who comes while a page is made waits for that."""
        self._beside = asyncio.Lock()
        """One thread at a time: what strangers look at must not take those that the checks need."""

    async def page(self, path: str, words: Words) -> Page:
        """The page at a path that is not quoted, a second old at most; one that says so where there is none."""
        key = path, words.language
        async with self._making.setdefault(key, asyncio.Lock()):
            kept = self._kept.get(key)
            if kept is not None and timedelta(0) <= self._clock() - kept.at < KEPT:
                return kept
            return await self.fresh(path, words)

    async def fresh(self, path: str, words: Words) -> Page:
        """The same as it is now."""
        found = await self._make(path, words, self._clock())
        if found.status == 200:
            self._keep((path, words.language), found)
        return found

    def _keep(self, key: tuple[str, str], page: Page) -> None:
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        self._kept[key] = page

    async def _make(self, path: str, words: Words, now: datetime) -> Page:
        inventory = self._view.inventory()
        if not self._board.knows(inventory):
            await self.apart(self._board.atlas, inventory)
        if path in self._seen:
            seen = await self.apart(glance, self._board.atlas(inventory), dict(self._view.judged()))
            return Page(200, self._seen[path](self._view, words, now, seen), now)
        if path == "/meetings":
            return Page(200, self._board.meetings(self._view, words, now, await self._view.past_sessions()), now)
        if path in self._whole:
            return Page(200, self._whole[path](self._view, words, now), now)
        kind, _, id_ = path.removeprefix("/").partition("/")
        make, sentence = self._single.get(kind, (None, "no_page"))
        text = await make(id_, words, now) if make else None
        if text is None:
            return Page(404, self._board.missing(self._view, sentence, words, now), now)
        return Page(200, text, now)

    async def apart(self, make: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Made beside the event loop, from what does not change meanwhile."""
        async with self._beside:
            return await asyncio.to_thread(make, *args, **kwargs)

    async def _area(self, name: str, words: Words, now: datetime) -> str | None:
        return self._board.area(self._view, name, words, now)

    async def _site(self, site: str, words: Words, now: datetime) -> str | None:
        known = site in self._view.inventory().sites
        past = await self._view.past(site, past_span(now)) if known else None
        return self._board.site(self._view, site, words, now, past, await self._last_session(site))

    async def _last_session(self, site: str) -> SessionQuality | None:
        """The last that was held in a room of the site."""
        inventory = self._view.inventory()
        rooms = {each.id for each in self._board.atlas(inventory).members.get(site, ()) if each.kind == ROOM}
        if not rooms:
            return None
        for each in await self._view.past_sessions() or ():
            meeting = inventory.meetings.get(each.session.meeting)
            if meeting is not None and not rooms.isdisjoint(meeting.rooms):
                return await self._view.session(each.session.meeting, each.session.begins)
        return None

    async def _incident(self, id_: str, words: Words, now: datetime) -> str | None:
        life = await self._view.life(id_)
        incident, drawn, todo = known_incident(self._view, id_, life), None, None
        if incident is not None:  # one that hurts a nation takes half a second
            todo = await self.apart(self._view.what_to_do, incident, words.language)
            drawn = await self.apart(ways, incident, self._view.inventory(), dict(self._view.judged()), words)
        return self._board.incident(self._view, id_, words, now, life, drawn, todo)

    async def _meeting(self, id_: str, words: Words, now: datetime) -> str | None:
        """Its session that runs or comes next; where none does, the last."""
        meeting, _, begins = id_.partition("/")
        past = [each for each in await self._view.past_sessions() or () if each.session.meeting == meeting]
        comes = None if begins else outlook_of(self._view, meeting)
        at = (
            read_begins(begins)
            if begins
            else comes.session.begins
            if comes
            else past[0].session.begins
            if past
            else None
        )
        found = await self._view.session(meeting, at) if at is not None else None
        mails = await self._view.posted(meeting, at) if at is not None else ()
        told = await asyncio.to_thread(page_of, found, self._view.inventory(), words) if found else None
        if comes is not None:
            return self._board.meeting(self._view, comes, words, now, found, past, mails, told)
        return self._board.session(self._view, found, words, now, past, mails, told) if found else None
