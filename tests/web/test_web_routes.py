"""The HTTP surface as a stranger meets it: status codes, headers, methods, hostile paths."""

from __future__ import annotations

import asyncio
import hashlib
import re
import select
import socket
from base64 import b64encode
from collections import Counter
from datetime import datetime, timedelta

import aiohttp
import pytest

from monitor.core.model import State
from monitor.web import api, routes
from monitor.web.pages import Page, Pages
from monitor.web.view import View
from monitor.web.words import VI, WORDS, Words
from tests.web.conftest import FILLER_LINES
from tests.web.province import Clock, Province

PAGES = ["/", "/?lang=en", "/sites/phuong-phu-ly", "/incidents/i-phuong-phu-ly?lang=en"]


async def _get(http: aiohttp.ClientSession, path: str, **given: str) -> tuple[int, str, aiohttp.ClientResponse]:
    async with http.get(path, headers=given) as answer:
        return answer.status, await answer.text(), answer


async def test_metrics_pass_through_with_the_content_type_that_was_asked_for(http: aiohttp.ClientSession) -> None:
    status, text, answer = await _get(http, "/metrics")
    assert (status, text[:17]) == (200, "monitor_checks 9\n")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4"
    *_, answer = await _get(http, "/metrics", Accept="application/openmetrics-text")
    assert answer.headers["Content-Type"] == "application/openmetrics-text"


@pytest.mark.parametrize(
    ("offer", "packed"),
    [
        ("gzip", True), ("br, GZIP;q=0.5", True), ("identity", False), ("gzip;q=0", False), ("gzip; q=0.0", False),
        ("notgzip", False), ("", False),
    ],
)  # fmt: skip
async def test_a_scrape_is_packed_for_who_takes_it(http: aiohttp.ClientSession, offer: str, packed: bool) -> None:
    async with http.get("/metrics", headers={"Accept-Encoding": offer}) as answer:
        assert answer.headers.get("Content-Encoding") == ("gzip" if packed else None)
        assert (await answer.text()).count("\n") == FILLER_LINES + 1
    async with http.head("/metrics", headers={"Accept-Encoding": offer}) as answer:
        assert (answer.status, await answer.read()) == (200, b"")


async def test_ready_says_why_not_while_healthy_stays_well(http: aiohttp.ClientSession, province: Province) -> None:
    assert (await _get(http, "/-/ready"))[0] == 200
    province.left = 1212, 2580
    status, text, _ = await _get(http, "/-/ready")
    assert (status, text) == (503, "not ready: 1212 of 2580 checks observed so far\n")
    assert (await _get(http, "/-/healthy"))[0] == 200


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
async def test_reload_is_refused_over_tcp(http: aiohttp.ClientSession, method: str) -> None:
    async with http.request(method, "/-/reload", data=b"x" * 100_000 if method != "GET" else None) as answer:
        assert answer.status == 403
        assert "control socket" in await answer.text()


@pytest.mark.parametrize("path", ["/", "/api/v1/targets", "/api/v1/incidents", "/sites/phuong-phu-ly", "/metrics"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_nothing_can_be_changed(http: aiohttp.ClientSession, path: str, method: str) -> None:
    async with http.request(method, path) as answer:
        assert answer.status == 405


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/metrics", 200),
        ("/api/v1/targets", 200),
        ("/api/v1/monitor?x=1", 400),
        ("/wall", 200),
        ("/events?page=/none", 404),
        ("/api/v1/targets?state=broken", 400),
        ("/api/v1/incidents/none", 404),
        ("/sites/none", 404),
        ("/nowhere", 404),
    ],
)
async def test_every_answer_has_the_safe_headers(http: aiohttp.ClientSession, path: str, status: int) -> None:
    got, _, answer = await _get(http, path)
    assert got == status
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Server"] == "commune-monitor"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
    assert "unsafe" not in policy


async def test_who_mistypes_an_address_is_told_so_and_finds_back(http: aiohttp.ClientSession) -> None:
    for path in ("/nowhere", "/wall/", "/sites", "/metrics/x"):
        for language, words in WORDS.items():
            status, page, _ = await _get(http, f"{path}?lang={language}")
            assert (status, words.page["not_found"] in page, 'href="/' in page) == (404, True, True), path
    for path in ("/api/v1/nowhere", "/-/nowhere"):
        assert (await _get(http, path))[:2] == (404, "404: Not Found")


@pytest.mark.parametrize("path", ["/desk", "/desk/", "/desk/silences", "/desk/incidents/x/take"])
async def test_where_nobody_can_sign_in_the_desk_says_so_and_how_it_is_switched_on(
    http: aiohttp.ClientSession, path: str
) -> None:
    for language, says in (("", "chưa bật đăng nhập"), ("?lang=en", "sign-in is off")):
        status, page, _ = await _get(http, path + language)
        assert status == 404
        assert says in page
        assert "docs/settings.md" in page
    async with http.post(path) as answer:
        assert answer.status == 404
    assert VI.page["no_page"] in (await _get(http, "/desks"))[1]


async def test_pages_run_our_script_and_nothing_else(http: aiohttp.ClientSession) -> None:
    for path in ("/", "/wall", "/silences", "/monitor", "/meetings", "/sites/phuong-phu-ly", "/sites/none"):
        *_, answer = await _get(http, path)
        rules = dict(rule.strip().split(" ", 1) for rule in answer.headers["Content-Security-Policy"].split(";"))
        assert (rules["script-src"], rules["connect-src"], rules["default-src"]) == ("'self'", "'self'", "'none'")
    _, page, _ = await _get(http, "/")
    address, digest = re.findall(r'<script src="([^"]+)" integrity="sha256-([^"]+)" defer></script>', page)[0]
    status, script, answer = await _get(http, address)
    assert (status, answer.content_type) == (200, "text/javascript")
    assert "immutable" in answer.headers["Cache-Control"]
    assert b64encode(hashlib.sha256(script.encode()).digest()).decode() == digest
    *_, answer = await _get(http, "/api/v1/targets")
    assert "script-src" not in answer.headers["Content-Security-Policy"]


async def test_our_own_bug_is_an_answer_too(http: aiohttp.ClientSession, province: Province) -> None:
    del province.settings
    status, text, answer = await _get(http, "/")
    assert status == 500
    assert "Traceback" not in text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert (await _get(http, "/-/healthy"))[0] == 200


@pytest.mark.parametrize(
    "path",
    ["/sites/%3Cscript%3E", "/sites/..%2f..%2fetc", "/incidents/%ff%fe", "/sites/" + "a" * 4000, "/?lang=%3Cb%3E"],
)
async def test_hostile_paths_are_answered_and_not_echoed(http: aiohttp.ClientSession, path: str) -> None:
    status, text, _ = await _get(http, path)
    assert status in (200, 404)
    assert text.count("<script") <= 1
    assert "aaaa" not in text


async def test_pages_are_compressed_for_those_who_can(http: aiohttp.ClientSession) -> None:
    *_, answer = await _get(http, "/", **{"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"


async def test_the_board_is_rendered_anew_when_the_province_changes(
    http: aiohttp.ClientSession, province: Province
) -> None:
    assert "Tất cả xã, phường hoạt động bình thường" in (await _get(http, "/"))[1]
    province.cut("phuong-phu-ly")
    assert "Tất cả" not in (await _get(http, "/"))[1]
    province.set_all(State.UNKNOWN)
    assert "nothing" in (await _get(http, "/?lang=en"))[1].lower()


async def test_many_viewers_within_a_second_cost_one_rendering(
    http: aiohttp.ClientSession, province: Province, clock: Clock
) -> None:
    clock.step = timedelta(0)
    first = (await _get(http, "/"))[1]
    province.cut("phuong-phu-ly")
    assert (await _get(http, "/"))[1] == first
    assert "i-phuong-phu-ly" in (await _get(http, "/?lang=en"))[1]


async def test_of_many_answers_one_is_made_in_a_round_of_the_loop(
    http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checks of the daemon have their turn between two of them."""
    rounds = 0
    made: Counter[int] = Counter()
    answer = api.targets

    async def count() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0)

    def counted(view: View, query: list[tuple[str, str]]) -> api.Json:
        made[rounds] += 1
        return answer(view, query)

    monkeypatch.setattr(api, "targets", counted)
    counting = asyncio.create_task(count())
    answers = await asyncio.gather(*(_get(http, "/api/v1/targets") for _ in range(50)))
    counting.cancel()
    assert {status for status, *_ in answers} == {200}
    assert made.total() == 50
    assert max(made.values()) == 1


async def test_who_does_not_take_an_answer_is_dropped(
    http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def large(_: Pages, path: str, words: Words, now: datetime) -> Page:
        return Page(200, "x" * (16 << 20), now)  # more than the kernel takes from us

    monkeypatch.setattr(routes, "WRITE_SECONDS", 0.2)
    monkeypatch.setattr(Pages, "_make", large)
    deaf = socket.create_connection((http._base_url.host, http._base_url.port))  # type: ignore[union-attr]
    deaf.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    gone = select.poll()
    gone.register(deaf, 0)  # tells only that it is broken
    async with asyncio.timeout(20):
        while not gone.poll(0):
            await asyncio.sleep(0.01)
    deaf.close()
