"""People sign in at a real, certified OpenID Connect provider, which npm fetches: only `make browser` runs these."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from yarl import URL

from monitor.openid import OpenIdConnect, Provider
from monitor.web.signin import BEGUN, SESSION, BySession
from tests.web.desk import Board, free_port, sentence, who

HERE = Path(__file__).parent
SECRET = "a-secret-that-only-this-test-knows"
KEY = b"k" * 32
pytestmark = pytest.mark.browser


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
    port, board = free_port(), free_port()
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
