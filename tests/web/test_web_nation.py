"""The board of a nation: 3,321 communes, of which not each can be looked at for each page."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Mapping

import aiohttp
import pytest

from monitor.core.model import State
from monitor.web.board import Board
from monitor.web.glance import MAX_TILES, atlas_of, glance
from monitor.web.overview import MAX_PLACES, communes, count_states
from monitor.web.view import TargetView
from monitor.web.words import VI, WORDS
from tests.web.province import NOW, Province, commune, inventory_of, site_views

COMMUNES = 3321
AREAS = 34
QUIET_BYTES, WORST_BYTES = 60_000, 170_000
MOST_LOOKED_AT = 200
"""Views of targets that a page may put together."""


class Looked(Mapping[str, TargetView]):
    """States that count how many of them are looked at."""

    def __init__(self, held: Mapping[str, TargetView]) -> None:
        self._held, self.count = held, 0

    def __getitem__(self, target: str) -> TargetView:
        self.count += 1
        return self._held[target]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)


class Nation(Province):
    """Tells what is asked of it."""

    looked: Looked

    def states(self) -> Mapping[str, TargetView]:
        self.looked = Looked(self.held)
        return self.looked


@pytest.fixture(scope="module")
def settled() -> Nation:
    """Made once."""
    sites = (
        commune(f"xa-{n}", f"Xã Số {n}", 8.6 + n % 81 * 0.18, 102.2 + n // 81 * 0.17, f"Tỉnh {n % AREAS}")
        for n in range(COMMUNES)
    )
    return Nation(inventory_of(*sites))


@pytest.fixture
def province(settled: Nation) -> Nation:
    """In place of the small one: all is well."""
    settled.cases.clear()
    settled.set_all(State.UP)
    return settled


@pytest.mark.parametrize("page", ["overview", "wall", "silences", "monitor"])
def test_no_page_looks_at_each_target(page: str, province: Nation) -> None:
    for site in range(40):
        province.cut(f"xa-{site}")
    province.looked = Looked({})
    getattr(Board(), page)(province, VI, NOW)
    assert province.looked.count < MOST_LOOKED_AT


def test_the_first_view_is_small_however_many_there_are(province: Nation) -> None:
    assert len(Board().overview(province, VI, NOW).encode()) < QUIET_BYTES
    for site in range(0, MAX_PLACES * 2, 2):
        province.cut(f"xa-{site}")
    assert Board().overview(province, VI, NOW).count("<use ") == MAX_PLACES
    for site in range(MAX_PLACES * 2, COMMUNES, 2):
        province.cut(f"xa-{site}")
    page = Board().overview(province, VI, NOW)
    assert len(page.encode()) < WORST_BYTES
    assert f'<span class="big">{(COMMUNES + 1) // 2}</span>/{COMMUNES}' in page
    assert page.count("<use ") == 0
    assert page.count('class="dots') == 2
    assert page.count('title="Xã Số') == AREAS * MAX_TILES // 2  # the areas of even numbers
    assert len(Board().wall(province, VI, NOW).encode()) < QUIET_BYTES * 2


def test_what_is_seen_at_a_glance_is_what_is_so(province: Nation) -> None:
    dice = random.Random(4)
    province.held = {
        target: TargetView(state=dice.choice((*[State.UP] * 9, *State)))
        for target in province.settings.targets
        if dice.random() < 0.999
    }
    seen = glance(atlas_of(province.settings), province.judged())
    assert seen.counts == count_states(communes(site_views(province.settings, province.held).values()))


async def test_a_commune_that_is_well_is_found_by_its_area(http: aiohttp.ClientSession, province: Nation) -> None:
    async with http.get("/") as answer:
        page = await answer.text()
    assert 'href="/areas/T%E1%BB%89nh%207"' in page
    assert "Số 7<" not in page
    async with http.get("/areas/Tỉnh 7") as answer:
        assert answer.status == 200
        assert 'href="/sites/xa-7"' in await answer.text()
    async with http.get("/areas/Tỉnh 99") as answer:
        assert answer.status == 404


async def test_who_asks_at_once_gets_the_page_that_was_asked_for(http: aiohttp.ClientSession, province: Nation) -> None:
    asked = [(path, language) for path in ("/", "/wall", "/wall/light", "/areas/Tỉnh 7") for language in WORDS] * 3

    async def ask(path: str, language: str) -> str:
        async with http.get(path, params={"lang": language}) as answer:
            return await answer.text()

    pages = await asyncio.gather(*(ask(*each) for each in asked))
    for (path, language), page in zip(asked, pages, strict=True):
        assert f'<html lang="{language}"' in page
        assert ('class="dark"' in page, 'class="light"' in page) == (path == "/wall", path == "/wall/light")
        assert ('aria-current="page"' in page) == (path == "/")


async def test_the_loop_goes_on_while_a_nation_is_looked_at(
    http: aiohttp.ClientSession, province: Nation, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned = asyncio.get_running_loop()
    goes_on: list[bool] = []

    def waits(*given: object) -> object:
        goes_on.append(asyncio.run_coroutine_threadsafe(asyncio.sleep(0, True), turned).result(5))
        return glance(*given)  # type: ignore[arg-type]

    monkeypatch.setattr("monitor.web.pages.glance", waits)
    async with http.get("/wall") as answer:
        assert answer.status == 200
    assert goes_on == [True]
