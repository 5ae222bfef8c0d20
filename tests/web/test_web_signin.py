"""People are named by a proxy, and act by forms; others cannot. tests/browser has sign-in at a real provider."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from monitor.core.model import Silence
from monitor.web import forms
from monitor.web.routes import FORM_BYTES
from monitor.web.signin import (
    BEGUN,
    HOST_ONLY,
    SESSION,
    Begun,
    ByHeader,
    BySession,
    SignInError,
    from_ourselves,
    local_path,
    plain_name,
)
from tests.web.desk import Board, free_port, sentence, who
from tests.web.province import NOW
from tests.web.proxy import NAME, PASSWORD, in_front_of


@pytest_asyncio.fixture
async def opened() -> AsyncIterator[list[Board]]:
    boards: list[Board] = []
    yield boards
    for each in boards:
        await each.runner.cleanup()


# -- a proxy says who it is --------------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def proxied(opened: list[Board]) -> Board:
    made = Board(free_port(), ByHeader("X-Remote-User", (ip_network("127.0.0.1"),)))
    opened.append(made)
    await made.open()
    return made


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ([("X-Remote-User", "an")], "an"),
        ([("x-remote-user", " Nguyễn Văn An ")], "Nguyễn Văn An"),
        ([], "nobody"),
        ([("X-Remote-User", "")], "nobody"),
        ([("X-Remote-User", "an"), ("X-Remote-User", "root")], "nobody"),
        ([("X-Remote-User", "n" * 81)], "nobody"),
        ([("X-Remote-User", "a\u202eb")], "nobody"),
        ([("X-Other", "an")], "nobody"),
    ],
)
async def test_the_header_of_the_proxy_is_believed_when_it_is_one_plain_name(
    headers: list[tuple[str, str]], name: str, proxied: Board
) -> None:
    async with aiohttp.ClientSession() as http:
        assert await who(http, proxied, headers) == name


async def test_nobody_elses_header_is_believed(opened: list[Board]) -> None:
    made = Board(free_port(), ByHeader("X-Remote-User", (ip_network("127.0.0.2"), ip_network("::1"))))
    opened.append(made)
    await made.open()
    for source, name in (("127.0.0.1", "nobody"), ("127.0.0.2", "an")):
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=(source, 0))) as http:
            assert await who(http, made, {"X-Remote-User": "an"}) == name


# -- forms -------------------------------------------------------------------------------------------------------------

CASE = "i-xa-a"
FORMS = [
    (f"/desk/incidents/{CASE}/take", {"note": "đang gọi VNPT"}, ("take", CASE, "đang gọi VNPT", "an"), f"/incidents/{CASE}"),
    (f"/desk/incidents/{CASE}/give-back", {}, ("give-back", CASE, "an"), f"/incidents/{CASE}"),
    (f"/desk/incidents/{CASE}/silence", {"for": "1h", "reason": "x"}, ("silence", CASE, "1h", "x", "an"), f"/incidents/{CASE}"),
    (f"/desk/incidents/{CASE}/silence", {"for": "1h", "reason": "ế" * 300}, ("silence", CASE, "1h", "ế" * 300, "an"), f"/incidents/{CASE}"),
    ("/desk/silences/3/lift", {}, ("lift", "3", "an"), "/desk/silences"),
]  # fmt: skip


async def test_behind_nginx_as_the_manual_has_it_who_logs_in_may_act_and_nobody_else(
    proxied: Board, tmp_path: Path
) -> None:
    claimed = {"X-Remote-User": "an"}
    async with (
        in_front_of(urlsplit(proxied.address).netloc, tmp_path) as (address, trusted),
        aiohttp.ClientSession(address, connector=aiohttp.TCPConnector(ssl=trusted)) as http,
    ):
        async with http.get("/desk/silences", headers=claimed) as answer:
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"].startswith("Basic")
        async with http.get("/silences", headers=claimed) as answer:
            assert answer.status == 200
        log_in = {"Authorization": aiohttp.encode_basic_auth(NAME, PASSWORD), "Origin": address, **claimed}
        async with http.post(f"/desk/incidents/{CASE}/take", headers=log_in, data={"note": "x"}) as answer:
            assert (answer.status, str(answer.url)) == (200, f"{address}/incidents/{CASE}")
    assert proxied.done.acts == [("take", CASE, "x", NAME)]


@pytest.mark.parametrize(("path", "form", "act", "then"), FORMS)
async def test_a_form_of_ours_acts_for_who_is_signed_in_and_shows_what_came_of_it(
    path: str, form: dict[str, str], act: tuple[str, ...], then: str, proxied: Board
) -> None:
    headers = {"X-Remote-User": "an", "Sec-Fetch-Site": "same-origin"}
    async with aiohttp.ClientSession(headers=headers) as http:
        async with http.post(proxied.address + path, data=form) as answer:
            assert (answer.status, answer.url.path) == (200, then)
            assert [each.status for each in answer.history] == [303]
        assert proxied.done.acts == [act]
        proxied.done.refuses = "no <open> incident"
        async with http.post(proxied.address + path, data=form) as answer:
            page = await answer.text()
            assert (answer.status, "no &lt;open&gt; incident" in page, f'href="{then}"' in page) == (422, True, True)
        async with http.get(proxied.address + path) as answer:
            assert answer.status in (404, 405), "a link changes nothing"


async def test_the_desk_shows_what_can_be_done_and_the_board_leads_there(proxied: Board) -> None:
    proxied.province.quiet = [
        Silence(id=3, target="xa-a/tslcd", begins=NOW, ends=NOW + timedelta(hours=1), reason="<b>cáp</b>", by="Bình")
    ]
    async with aiohttp.ClientSession(headers={"X-Remote-User": "an"}) as http:
        async with http.get(f"{proxied.address}/desk/incidents/{CASE}?lang=en") as answer:
            page, policy = await answer.text(), answer.headers["Content-Security-Policy"]
        assert "form-action 'self'" in policy
        assert "script-src" not in policy
        actions = re.findall(r'action="([^"]+)"', page)
        assert actions == [f"/desk/incidents/{CASE}/take?lang=en", f"/desk/incidents/{CASE}/silence?lang=en"]
        async with http.post(proxied.address + actions[0], headers={"Sec-Fetch-Site": "same-origin"}) as answer:
            assert str(answer.url) == f"{proxied.address}/incidents/{CASE}?lang=en"
        assert re.findall(r'<option value="(\w+)">(.*?)</option>', page)[0] == ("1h", "1 h")
        async with http.get(f"{proxied.address}/desk/silences") as answer:
            page = await answer.text()
        assert 'action="/desk/silences/3/lift"' in page
        assert "&lt;b&gt;cáp&lt;/b&gt; (Bình)" in page
        async with http.get(f"{proxied.address}/silences") as answer:
            assert 'href="/desk/silences"' in await answer.text()
        async with http.get(f"{proxied.address}/incidents/{CASE}") as answer:
            assert f'href="/desk/incidents/{CASE}"' in await answer.text()
        async with http.get(f"{proxied.address}/desk/incidents/gone") as answer:
            assert (answer.status, sentence("act_over") in await answer.text()) == (404, True)


async def test_nobody_is_shown_what_was_made_for_who_is_signed_in(proxied: Board) -> None:
    signed_in = {"X-Remote-User": "an"}
    async with aiohttp.ClientSession() as http:
        for path in ("/", "/silences", f"/incidents/{CASE}", "/desk/silences", f"/desk/incidents/{CASE}"):
            for headers in (signed_in, {}):
                async with http.get(proxied.address + path, headers=headers, allow_redirects=False) as answer:
                    theirs = path.startswith("/desk") and headers is signed_in
                    assert ("<strong>an</strong>" in await answer.text()) == theirs, path
                    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", [path for path, *_ in FORMS])
async def test_a_form_of_another_site_or_of_nobody_does_nothing(path: str, proxied: Board) -> None:
    refused = [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": proxied.address},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {},
    ]
    async with aiohttp.ClientSession() as http:
        for headers in refused:
            async with http.post(proxied.address + path, headers={"X-Remote-User": "an", **headers}) as answer:
                assert (answer.status, sentence("signin_forged") in await answer.text()) == (403, True)
        async with http.post(proxied.address + path, headers={"Sec-Fetch-Site": "same-origin"}) as answer:
            assert (answer.status, sentence("signin_needed") in await answer.text()) == (401, True)
    assert proxied.done.acts == []


NO_FORMS = [
    ("multipart/form-data", b"\xff"),
    ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="note"\r\n\r\nq\r\n--x--\r\n'),
    ("application/x-www-form-urlencoded; charset=bogus", b"no%ffte=1"),
    ("application/x-www-form-urlencoded", b"&note=" * 20),
]


@pytest.mark.parametrize(("kind", "body"), NO_FORMS)
async def test_what_is_no_form_is_an_empty_one(kind: str, body: bytes, proxied: Board) -> None:
    headers = {"X-Remote-User": "an", "Sec-Fetch-Site": "same-origin", "Content-Type": kind}
    async with aiohttp.ClientSession(headers=headers) as http:
        async with http.post(f"{proxied.address}/desk/incidents/{CASE}/take", data=body) as answer:
            assert answer.status == 200
        async with http.post(
            f"{proxied.address}/desk/incidents/{CASE}/take", data=b"note=" + b"x" * FORM_BYTES
        ) as answer:
            assert answer.status == 413
    assert proxied.done.acts == [("take", CASE, "", "an")]


async def test_a_form_that_never_comes_is_not_waited_for(proxied: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "WHOLE_SECONDS", 0.1)
    headers = {"X-Remote-User": "an", "Sec-Fetch-Site": "same-origin"}

    async def begun() -> AsyncIterator[bytes]:
        yield b"note="
        await asyncio.Event().wait()

    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.post(f"{proxied.address}/desk/incidents/{CASE}/take", data=begun()) as answer,
    ):
        assert answer.status == 408
    assert proxied.done.acts == []


async def test_from_a_page_one_is_silent_no_longer_than_it_offers(proxied: Board) -> None:
    headers = {"X-Remote-User": "an", "Sec-Fetch-Site": "same-origin"}
    async with aiohttp.ClientSession(headers=headers) as http:
        for form in ({"for": "31d", "reason": "x"}, {"reason": "x"}):
            async with http.post(f"{proxied.address}/desk/incidents/{CASE}/silence", data=form) as answer:
                assert answer.status == 422
    assert proxied.done.acts == []


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ("/incidents/7?lang=en", "/incidents/7?lang=en"), ("", "/"), ("//evil.example", "/"), ("/\\evil.example", "/"),
        ("https://evil.example", "/"), ("/a\r\nSet-Cookie: x", "/"), ("javascript:alert(1)", "/"), ("//[", "/"), ("/" + "x" * 500, "/"),
    ],
)  # fmt: skip
def test_nobody_is_sent_elsewhere_by_us(wanted: str, path: str) -> None:
    assert local_path(wanted) == path


def test_behind_a_proxy_the_origin_is_that_of_the_board_as_people_reach_it() -> None:
    def asked(origin: str) -> web.Request:
        return make_mocked_request("POST", "/", headers={"Origin": origin, "Host": "127.0.0.1:9469"})

    assert from_ourselves(asked("https://board.example"), "https://board.example")
    assert not from_ourselves(asked("http://board.example"), "https://board.example")


def test_a_name_is_one_line_that_can_be_shown() -> None:
    assert [plain_name(each) for each in (" An ", "", "a\nb", "\ud800", "x" * 81)] == ["An", "", "", "", ""]


# -- a cookie keeps it -------------------------------------------------------------------------------------------------


class Anybody:
    """Vouches for whoever comes: only the cookies are looked at here."""

    async def begin(self) -> Begun:
        return Begun(url="https://sso.example/auth", kept={"state": "1"})

    async def finish(self, answer: Mapping[str, str], _: Mapping[str, str]) -> str:
        if "why" in answer:
            raise SignInError("refused", answer["why"])
        return "an"


@pytest.mark.parametrize(("board", "before"), [("https://board.example", HOST_ONLY), ("http://board.example", "")])
async def test_behind_https_a_cookie_is_of_this_host_alone(board: str, before: str, opened: list[Board]) -> None:
    made = Board(free_port(), BySession(Anybody(), b"k" * 32, board))
    opened.append(made)
    await made.open()
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:

        async def get(path: str, cookie: str = "") -> aiohttp.ClientResponse:
            return await http.get(made.address + path, headers={"Cookie": cookie}, allow_redirects=False)

        begun = (await get("/sign-in?back=//[")).cookies[before + BEGUN]
        answer = await get("/signed-in?state=1", f"{before}{BEGUN}={begun.value}")
        session, gone = answer.cookies[before + SESSION], answer.cookies[before + BEGUN]
        assert answer.headers["Location"] == "/"
        for each in (begun, session, gone):
            assert (bool(each["secure"]), each["path"], each["domain"]) == (bool(before), "/", "")
        assert gone["max-age"] == "0"
        assert await who(http, made, {"Cookie": f"{before}{SESSION}={session.value}"}) == "an"
        other = SESSION if before else HOST_ONLY + SESSION
        assert await who(http, made, {"Cookie": f"{other}={session.value}"}) == "nobody"


async def test_what_a_stranger_says_is_one_line_of_the_log(
    opened: list[Board], caplog: pytest.LogCaptureFixture
) -> None:
    made = Board(free_port(), BySession(Anybody(), b"k" * 32, ""))
    opened.append(made)
    await made.open()
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        await http.get(f"{made.address}/sign-in", allow_redirects=False)
        async with http.get(
            f"{made.address}/signed-in", params={"why": "x\nERROR all is lost\u202e" + "y" * 2000}
        ) as answer:
            assert answer.status == 403
    (said,) = (each.getMessage() for each in caplog.records if each.name == "monitor.web.desk")
    assert said.startswith("sign-in from 127.0.0.1: 'x\\nERROR all is lost\\u202eyyy")
    assert len(said) < 600
