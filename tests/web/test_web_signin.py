"""People sign in at a real OpenID Connect provider, or are named by a proxy, and act by forms; others cannot."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from yarl import URL

from monitor.core.model import Silence, State
from monitor.openid import OpenIdConnect, Provider
from monitor.web.desk import RefusedActError
from monitor.web.routes import People, make_app
from monitor.web.signin import BEGUN, SESSION, ByHeader, BySession, SignIn, from_ourselves, local_path, plain_name
from monitor.web.words import VI
from tests.web.province import NOW, Clock, Province, commune, inventory_of

HERE = Path(__file__).parent
SECRET = "a-secret-that-only-this-test-knows"
KEY = b"k" * 32


@dataclass(slots=True)
class Done:
    """Acts that are only noted: what they do to a daemon is tested elsewhere."""

    acts: list[tuple[str, ...]] = field(default_factory=list)
    refuses: str = ""

    async def take(self, incident: str, note: str, who: str) -> None:
        self._note("take", incident, note, who)

    async def give_back(self, incident: str, who: str) -> None:
        self._note("give-back", incident, who)

    async def silence(self, incident: str, lasting: str, reason: str, who: str) -> None:
        self._note("silence", incident, lasting, reason, who)

    async def lift(self, silence: str, who: str) -> None:
        self._note("lift", silence, who)

    def _note(self, *act: str) -> None:
        if self.refuses:
            raise RefusedActError(self.refuses)
        self.acts.append(act)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Board:
    """The whole board over a small province, behind the real HTTP server."""

    def __init__(self, port: int, sign_in: SignIn) -> None:
        self.address, self.done, self._port = f"http://127.0.0.1:{port}", Done(), port
        self.province = Province(inventory_of(commune("xa-a", "Xã A", 20.1, 105.9)))
        self.province.set_all(State.UP)
        self.province.cut("xa-a")
        people = People(sign_in=sign_in, acts=self.done, board=self.address)
        self.runner = web.AppRunner(make_app(self.province, _no_metrics, people=people, clock=Clock()), access_log=None)

    async def open(self) -> None:
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self._port).start()


def _no_metrics(_: str) -> tuple[str, AsyncIterator[str]]:
    raise AssertionError("nobody asks")


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The provider, installed as package-lock.json says."""
    folder = tmp_path_factory.mktemp("provider")
    for name in ("package.json", "package-lock.json", "provider.mjs"):
        shutil.copy(HERE / "provider" / name, folder)
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, check=True, capture_output=True, timeout=300)
    return folder


@dataclass(frozen=True, slots=True)
class Place:
    """Where provider and board are."""

    issuer: str
    board: int


@pytest.fixture(scope="module")
def place(modules: Path) -> Iterator[Place]:
    port, board = _free_port(), _free_port()
    process = subprocess.Popen(
        ["node", "provider.mjs", str(port), f"http://127.0.0.1:{board}/signed-in"], cwd=modules, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield Place(f"http://127.0.0.1:{port}", board)
    finally:
        process.kill()
        process.communicate()


def provider(place: Place, **given: object) -> Provider:
    known: dict[str, object] = {
        "issuer": place.issuer, "client_id": "board", "client_secret": SECRET, "callback": f"http://127.0.0.1:{place.board}/signed-in",
    }  # fmt: skip
    return Provider(**{**known, **given})  # type: ignore[arg-type]


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    """Keeps cookies and follows redirects, as browsers do."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as made:
        yield made


@pytest_asyncio.fixture
async def opened() -> AsyncIterator[list[Board]]:
    boards: list[Board] = []
    yield boards
    for each in boards:
        await each.runner.cleanup()


async def board_at(place: Place, boards: list[Board], **given: object) -> Board:
    made = Board(place.board, BySession(OpenIdConnect(provider(place, **given)), KEY, "http://board.example"))
    boards.append(made)
    await made.open()
    return made


async def who(http: aiohttp.ClientSession, board: Board, headers: object = None) -> str:
    """Whom the board takes us for."""
    async with http.get(f"{board.address}/desk/silences", headers=headers, allow_redirects=False) as answer:  # type: ignore[arg-type]
        if answer.status != 200:
            assert answer.status == 401 or answer.headers["Location"] == "/sign-in?back=%2Fdesk%2Fsilences"
            return "nobody"
        found = re.search(r"Đang đăng nhập: <strong>(.*?)</strong>", await answer.text())
        assert found is not None
        return found[1]


def sentence(key: str) -> str:
    return VI.page[key]


async def sign_in(browser: aiohttp.ClientSession, board: Board, name: str, back: str = "/") -> str:
    """Fill in the provider's forms until we are back; the page that is shown then."""
    async with browser.get(f"{board.address}/sign-in", params={"back": back}) as answer:
        page, at = await answer.text(), answer.url
    for fields in ({"prompt": "login", "login": name, "password": "any"}, {"prompt": "consent"}):
        if action := re.search(r'<form[^>]*action="([^"]+)"', page):
            async with browser.post(at.join(URL(action[1])), data=fields) as answer:
                page, at = await answer.text(), answer.url
    return page


async def test_who_signs_in_at_the_provider_is_known_and_back_where_they_were(
    place: Place, browser: aiohttp.ClientSession, opened: list[Board]
) -> None:
    board = await board_at(place, opened)
    page = await sign_in(browser, board, "noc-an", "/desk/incidents/i-xa-a")
    assert "Đang đăng nhập: <strong>noc-an</strong>" in page
    assert "Nhận xử lý" in page
    assert await who(browser, board) == "noc-an"
    (cookie,) = (each for each in browser.cookie_jar if each.key == SESSION)
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", "36000")
    assert "noc-an" not in cookie.value, "it says nothing to who reads it"
    headers = {"Origin": board.address}
    async with browser.post(f"{board.address}/sign-out", headers=headers) as answer:
        assert (answer.status, answer.url.path) == (200, "/")
    assert await who(browser, board) == "nobody"


async def test_only_who_is_in_a_group_that_may_act_is_let_in(
    place: Place, browser: aiohttp.ClientSession, opened: list[Board]
) -> None:
    board = await board_at(place, opened, groups=frozenset({"noc", "chiefs"}))
    assert sentence("signin_not_allowed") in await sign_in(browser, board, "a-guest")
    browser.cookie_jar.clear()
    await sign_in(browser, board, "noc-binh")
    assert await who(browser, board) == "noc-binh"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"client_secret": "another"}, "signin_trouble"),
        ({"name_claim": "phone"}, "signin_refused"),
        ({"issuer": "http://127.0.0.1:1"}, "signin_trouble"),
    ],
)
async def test_what_is_set_wrong_lets_nobody_in(
    given: dict[str, object], says: str, place: Place, browser: aiohttp.ClientSession, opened: list[Board]
) -> None:
    board = await board_at(place, opened, **given)
    assert sentence(says) in await sign_in(browser, board, "noc-an")
    assert await who(browser, board) == "nobody"


async def test_a_provider_that_calls_itself_otherwise_is_not_believed(
    place: Place, browser: aiohttp.ClientSession, opened: list[Board]
) -> None:
    board = await board_at(place, opened, issuer=f"{place.issuer}/")
    assert sentence("signin_trouble") in await sign_in(browser, board, "noc-an")


async def test_an_answer_that_was_not_asked_for_or_is_of_another_lets_nobody_in(
    place: Place, browser: aiohttp.ClientSession, opened: list[Board]
) -> None:
    board = await board_at(place, opened)
    async with browser.get(f"{board.address}/signed-in?code=1&state=2") as answer:
        assert (answer.status, sentence("signin_forged") in await answer.text()) == (403, True)
    async with browser.get(f"{board.address}/sign-in", allow_redirects=False) as answer:
        assert answer.headers["Location"].startswith(f"{place.issuer}/auth?")
        asked = URL(answer.headers["Location"]).query
    assert (asked["code_challenge_method"], asked["response_type"], asked["scope"]) == (
        "S256",
        "code",
        "openid profile",
    )
    for answered, says in (
        ({"code": "1", "state": "other"}, "signin_forged"),
        ({"error": "access_denied", "state": asked["state"]}, "signin_refused"),
        ({"code": "1", "state": asked["state"], "iss": "https://evil.example"}, "signin_trouble"),
        ({"code": "1", "state": asked["state"]}, "signin_trouble"),
    ):
        async with browser.get(f"{board.address}/signed-in", params=answered) as answer:
            assert (answer.status, sentence(says) in await answer.text()) == (403, True)


async def test_a_cookie_of_somebody_else_or_of_the_way_there_is_none(place: Place, opened: list[Board]) -> None:
    board = await board_at(place, opened)
    other = BySession(OpenIdConnect(provider(place)), b"x" * 32, "")
    response = web.Response()
    other._keep(response, SESSION, {"who": "root"}, 60)
    async with aiohttp.ClientSession() as browser:
        async with browser.get(f"{board.address}/sign-in", allow_redirects=False) as answer:
            begun = answer.cookies[BEGUN].value
        for value in ("", "x", "{}", response.cookies[SESSION].value, begun):
            assert await who(browser, board, {"Cookie": f"{SESSION}={value}"}) == "nobody"


def test_on_a_board_behind_https_cookies_go_over_https_alone(place: Place) -> None:
    response = web.Response()
    BySession(OpenIdConnect(provider(place)), KEY, "https://board.example")._keep(response, SESSION, {}, 60)
    assert response.cookies[SESSION]["secure"]


# -- a proxy says who it is --------------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def proxied(opened: list[Board]) -> Board:
    made = Board(_free_port(), ByHeader("X-Remote-User", (ip_network("127.0.0.1"),)))
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
    made = Board(_free_port(), ByHeader("X-Remote-User", (ip_network("127.0.0.2"), ip_network("::1"))))
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
    ("/desk/silences/3/lift", {}, ("lift", "3", "an"), "/desk/silences"),
]  # fmt: skip


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
            assert (answer.status, "no &lt;open&gt; incident" in await answer.text()) == (422, True)
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
        assert actions == [f"/desk/incidents/{CASE}/take", f"/desk/incidents/{CASE}/silence"]
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


@pytest.mark.parametrize("path", [path for path, *_ in FORMS])
async def test_a_form_of_another_site_or_of_nobody_does_nothing(path: str, proxied: Board) -> None:
    refused = [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": proxied.address},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {},
    ]
    async with aiohttp.ClientSession() as http:
        for headers in refused:
            async with http.post(proxied.address + path, headers={"X-Remote-User": "an", **headers}) as answer:
                assert (answer.status, sentence("signin_forged") in await answer.text()) == (403, True)
        async with http.post(proxied.address + path, headers={"Sec-Fetch-Site": "same-origin"}) as answer:
            assert (answer.status, sentence("signin_needed") in await answer.text()) == (401, True)
    assert proxied.done.acts == []


async def test_what_is_no_form_is_an_empty_one(proxied: Board) -> None:
    headers = {"X-Remote-User": "an", "Sec-Fetch-Site": "same-origin"}
    none = {"Content-Type": "multipart/form-data"}
    async with aiohttp.ClientSession(headers=headers) as http:
        async with http.post(f"{proxied.address}/desk/incidents/{CASE}/take", data=b"\xff", headers=none) as answer:
            assert answer.status == 200
        async with http.post(f"{proxied.address}/desk/incidents/{CASE}/take", data={"note": "x" * 2000}) as answer:
            assert answer.status == 413
    assert proxied.done.acts == [("take", CASE, "", "an")]


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ("/incidents/7?lang=en", "/incidents/7?lang=en"), ("", "/"), ("//evil.example", "/"), ("/\\evil.example", "/"),
        ("https://evil.example", "/"), ("/a\r\nSet-Cookie: x", "/"), ("javascript:alert(1)", "/"), ("/" + "x" * 500, "/"),
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
