"""What viewers are sent: once made, only when it changed, and to as many as there is room for."""

from __future__ import annotations

import asyncio
import json
import socket
import zlib
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from monitor.core.model import State
from monitor.web import feed as feed_module
from monitor.web.board import Board
from monitor.web.door import LASTING
from monitor.web.feed import MOST_NEWS, event, live_part, news
from monitor.web.pages import Page, Pages
from monitor.web.words import EN, VI, Words
from tests.web.province import NOW, Clock, Province
from tests.web.proxy import in_front_of

GIVE_UP_SECONDS = 20.0


class Stream:
    """A viewer as a browser reads it."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer

    async def next(self, *names: str) -> tuple[str, str, object]:
        """Name, id and data of the next event, or of the next of these names."""
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while True:
                lines = (await self.answer.content.readuntil(b"\n\n")).decode().splitlines()
                found = dict(line.split(": ", 1) for line in lines if ": " in line)
                if "event" in found and (not names or found["event"] in names):
                    return found["event"], found.get("id", ""), json.loads(found["data"])


def change(province: Province) -> None:
    """Let it be seen that something has changed."""
    province.changes += 1


async def test_a_viewer_gets_the_page_and_then_what_has_changed(
    http: aiohttp.ClientSession, province: Province
) -> None:
    async with http.get("/events") as answer:
        assert answer.content_type == "text/event-stream"
        assert answer.headers["Cache-Control"] == "no-store"
        stream = Stream(answer)
        name, first, told = await stream.next()
        assert name == "page"
        assert VI.page["all_well"] in told["html"]  # type: ignore[index]
        province.cut("phuong-phu-ly")
        change(province)
        _, second, told = await stream.next("page")
        assert 'class="card down"' in told["html"]  # type: ignore[index]
        assert told["title"].startswith("(1) ")  # type: ignore[index]
        assert "<html" not in told["html"]  # type: ignore[index]
        assert first != second


@pytest.mark.parametrize(("language", "says"), [("vi", "Sự cố mới: "), ("en", "New incident: ")])
async def test_what_is_said_aloud_is_what_was_opened_and_closed(
    language: str, says: str, http: aiohttp.ClientSession, province: Province
) -> None:
    province.cut("xa-kim-dong")
    async with http.get("/events", params={"lang": language, "page": "/wall"}) as answer:
        stream = Stream(answer)
        await stream.next("page")
        await asyncio.sleep(2 * feed_module.LOOK_SECONDS)  # it has seen what was open before
        case = province.cut("phuong-phu-ly")
        change(province)
        _, _, said = await stream.next("news")
        assert str(said).startswith(says)
        assert "Phường Phủ Lý" in str(said)
        assert "Kim Đông" not in str(said)
        province.close(case)
        change(province)
        _, _, said = await stream.next("news")
        assert str(said).startswith("Đã khắc phục: " if language == "vi" else "Recovered: ")


def test_many_news_are_counted(province: Province) -> None:
    case = province.cut("phuong-phu-ly")
    many = [replace(case, id=f"i-{number}") for number in range(MOST_NEWS + 4)]
    said = news([], many, province, VI)
    assert said.count("Sự cố mới") == MOST_NEWS
    assert said.endswith("Và 4 thay đổi khác.")
    assert news(many, many, province, EN) == ""


async def test_all_viewers_of_a_page_are_served_by_one_rendering(
    http: aiohttp.ClientSession, province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, make = [], Pages._make

    async def counted(self: Pages, path: str, words: Words, now: datetime) -> Page:
        made.append(words.language)
        return await make(self, path, words, now)

    monkeypatch.setattr(Pages, "_make", counted)
    answers = [await http.get("/events", params={"lang": "en" if n == 9 else "vi"}) for n in range(10)]
    streams = [Stream(each) for each in answers]
    for each in streams:
        await each.next("page")
    before = len(made)
    assert sorted(set(made)) == ["en", "vi"]
    province.cut("phuong-phu-ly")
    change(province)
    told = [(await each.next("page"))[1] for each in streams]
    assert len(set(told[:9])) == 1
    assert sorted(made[before:]) == ["en", "vi"]
    for each in answers:
        each.close()


async def test_viewers_that_come_at_once_are_served_by_one_rendering(
    http: aiohttp.ClientSession, province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, make = [], Pages._make

    async def slow(self: Pages, path: str, words: Words, now: datetime) -> Page:
        made.append(path)
        await asyncio.sleep(0.1)  # as one that is read from the database
        return await make(self, path, words, now)

    monkeypatch.setattr(Pages, "_make", slow)
    for page, status in (("/", 200), ("/sites/none", 404)):
        answers = await asyncio.gather(*(http.get("/events", params={"page": page}) for _ in range(20)))
        assert {answer.status for answer in answers} == {status}
        assert made.count(page) == 1
        for answer in answers:
            answer.close()


async def test_time_that_goes_by_is_no_change(http: aiohttp.ClientSession, province: Province) -> None:
    province.cut("phuong-phu-ly")
    board, pages = Board(), []
    for seconds in (0, 61):
        now = NOW + timedelta(seconds=seconds)
        pages += [live_part(Page(200, make(province, VI, now), now)) for make in (board.overview, board.wall)]
    assert pages[0][1] == pages[2][1]
    assert pages[1][1] == pages[3][1]
    assert pages[0][0] != pages[2][0]


async def test_who_comes_back_with_what_it_has_is_not_sent_it_again(
    http: aiohttp.ClientSession, province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "BEAT_SECONDS", 0.2)
    async with http.get("/events") as answer:
        _, id_, _ = await Stream(answer).next("page")
    async with http.get("/events", headers={"Last-Event-ID": id_}) as answer:
        assert (await Stream(answer).next())[0] == "beat"
    async with http.get("/events", headers={"Last-Event-ID": "another"}) as answer:
        assert (await Stream(answer).next())[0] == "page"


async def test_a_packed_stream_is_whole_after_each_event(http: aiohttp.ClientSession, province: Province) -> None:
    """aiohttp's client would unpack it by itself; a browser needs each event at once."""
    reader, writer = await asyncio.open_connection(http._base_url.host, http._base_url.port)  # type: ignore[union-attr]
    writer.write(b"GET /events HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"Content-Encoding: gzip" in head
    unpacker, said = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16), b""
    for wanted in (b"event: page", b"event: news", b"card down"):
        while wanted not in said:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                length = int(await reader.readline(), 16)
                said += unpacker.decompress((await reader.readexactly(length + 2))[:length])
        if wanted == b"event: page":
            await asyncio.sleep(2 * feed_module.LOOK_SECONDS)
            province.cut("phuong-phu-ly")
            change(province)
    writer.close()


async def test_a_title_is_text_and_no_html(http: aiohttp.ClientSession, province: Province) -> None:
    site = province.settings.sites["xa-kim-dong"]
    named = {**province.settings.sites, site.id: replace(site, name="A & B <i>")}
    province.settings = replace(province.settings, sites=named)
    async with http.get("/events?page=/sites/xa-kim-dong") as answer:
        _, _, told = await Stream(answer).next("page")
    assert told["title"].startswith("A & B <i> – ")  # type: ignore[index]


@pytest.mark.parametrize(
    "page", ["/sites/phuong-phu-ly", "/wall", "/silences", "/monitor", "/meetings", "/sites/%70huong-phu-ly"]
)
async def test_every_page_is_live(page: str, http: aiohttp.ClientSession, province: Province) -> None:
    async with http.get("/events", params={"page": page}) as answer:
        _, _, told = await Stream(answer).next("page")
    assert "<main" in told["html"]  # type: ignore[index]
    assert told["html"].strip().startswith('<div id="live"')  # type: ignore[index]


async def test_what_is_no_page_has_no_stream(http: aiohttp.ClientSession) -> None:
    for page in ("/sites/none", "/nowhere", "/metrics", "//", "/sites", "x" * 4000):
        async with http.get("/events", params={"page": page}) as answer:
            assert answer.status == 404, page
    async with http.head("/events") as answer:
        assert (answer.status, await answer.read()) == (200, b"")


async def test_one_viewer_too_many_is_told_so_and_one_that_goes_makes_room(
    http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "MOST_VIEWERS", 2)
    first, second = await http.get("/events"), await http.get("/events?page=/wall")
    async with http.get("/events") as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "60"
        assert "2 viewers" in await answer.text()
    first.close()
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while (await http.get("/events")).status != 200:
            await asyncio.sleep(0.05)
    second.close()


async def test_one_address_cannot_take_all_room_but_a_proxy_of_this_host_can(
    http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "MOST_OF_ONE", 1)
    answers = [await http.get("/events") for _ in range(3)]
    assert [each.status for each in answers] == [200] * 3
    monkeypatch.setattr(feed_module, "_is_here", lambda _: False)
    async with http.get("/events") as answer:
        assert answer.status == 503
    for each in answers:
        each.close()


async def test_who_takes_nothing_is_dropped_and_delays_nobody(
    http: aiohttp.ClientSession, app: web.Application, province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "WRITE_SECONDS", 1.0)
    monkeypatch.setattr(feed_module, "LEAST_SECONDS", 0.0)

    async def large(_: Pages, path: str, words: Words, now: datetime) -> Page:
        return Page(200, f"<!-- live -->{province.changes} {'x' * 400_000}<!-- /live -->", now)

    monkeypatch.setattr(Pages, "_make", large)
    deaf = socket.create_connection((http._base_url.host, http._base_url.port))  # type: ignore[union-attr]
    deaf.send(b"GET /events?page=/wall HTTP/1.1\r\nHost: x\r\n\r\n")
    async with http.get("/events?page=/wall", read_bufsize=1 << 20) as answer:
        stream = Stream(answer)
        await stream.next("page")
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while len(app[LASTING]) < 2:
                await asyncio.sleep(0.01)
            while len(app[LASTING]) > 1:
                change(province)
                _, _, told = await stream.next("page")
                assert told["html"].startswith(f"{province.changes} ")  # type: ignore[index]
    deaf.close()


async def test_a_page_that_cannot_be_made_does_not_look_fresh(
    http: aiohttp.ClientSession, province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with http.get("/events?page=/wall") as broken, http.get("/events") as answer:
        await Stream(broken).next("page")
        await Stream(answer).next("page")
        make = Pages._make

        async def mistaken(self: Pages, path: str, words: Words, now: datetime) -> Page:
            return Page(1 // len(path.removeprefix("/wall")), *(await make(self, path, words, now))[1:])

        monkeypatch.setattr(Pages, "_make", mistaken)
        province.cut("phuong-phu-ly")
        change(province)
        await Stream(answer).next("page")
        async with asyncio.timeout(GIVE_UP_SECONDS):
            await broken.read()  # which ends


async def test_news_that_cannot_be_told_keep_no_page_from_being_renewed(
    http: aiohttp.ClientSession, province: Province, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def mistaken(*_: object) -> str:
        raise KeyError("a mistake of ours")

    monkeypatch.setattr(feed_module, "news", mistaken)
    async with http.get("/events") as answer:
        stream = Stream(answer)
        await stream.next("page")
        for state in (State.DOWN, State.UP):
            await asyncio.sleep(2 * feed_module.LOOK_SECONDS)  # it has seen what was open before
            province.set_all(state)
            change(province)
            await stream.next("page")
    assert "news were not told" in caplog.text


async def test_a_stream_takes_nobody_the_place_at_the_door(http: aiohttp.ClientSession, app: web.Application) -> None:
    async with http.get("/events") as answer:
        await Stream(answer).next("page")
        assert len(app[LASTING]) == 1
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while app[LASTING]:
            await asyncio.sleep(0.01)


def test_an_event_is_one_whatever_is_in_it() -> None:
    made = event("news", "a\n\nevent: page\r\ndata: x\u2028\ud800", "7")
    assert made.plain.count(b"\n\n") == 1
    assert made.plain.startswith(b"event: news\nid: 7\ndata: ")
    assert b"\r" not in made.plain
    assert zlib.decompress(made.packed + zlib.compressobj(wbits=-15).flush(), wbits=-15) == made.plain


async def test_behind_nginx_as_the_manual_has_it_an_event_comes_at_once(
    http: aiohttp.ClientSession, province: Province, tmp_path: Path
) -> None:
    async with (
        in_front_of(str(http._base_url.authority), tmp_path) as (address, trusted),  # type: ignore[union-attr]
        http.get(f"{address}/events", ssl=trusted) as answer,
    ):
        stream = Stream(answer)
        await stream.next("page")
        province.cut("phuong-phu-ly")
        change(province)
        _, _, told = await stream.next("page")
        assert "card down" in told["html"]  # type: ignore[index]


async def test_a_page_that_was_kept_from_before_a_change_is_not_what_is_sent(
    http: aiohttp.ClientSession, province: Province, clock: Clock
) -> None:
    async with http.get("/events") as answer:
        stream = Stream(answer)
        await stream.next("page")
        clock.step = timedelta()  # so that all is within a second
        await http.get("/")
        province.cut("phuong-phu-ly")
        change(province)
        _, _, told = await stream.next("page")
        assert "card down" in told["html"]  # type: ignore[index]


async def test_pages_that_one_reader_has_open_do_not_hold_up_what_many_look_at(
    http: aiohttp.ClientSession, province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, make = [], Pages._make

    async def noted(self: Pages, path: str, words: Words, now: datetime) -> Page:
        made.append(path)
        return await make(self, path, words, now)

    sites = [await http.get("/events", params={"page": f"/sites/{each}"}) for each in province.settings.sites]
    many = [await http.get("/events", params={"page": "/wall"}) for _ in range(5)]
    for each in (*sites, *many):
        await Stream(each).next("page")
    await asyncio.sleep(feed_module.LEAST_SECONDS)
    monkeypatch.setattr(Pages, "_make", noted)
    change(province)
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while len(set(made)) < 1 + len(sites):
            await asyncio.sleep(0.01)
    assert made[0] == "/wall"
    for each in (*sites, *many):
        each.close()
