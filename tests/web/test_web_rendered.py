"""The pages of communes and incidents in a real browser, under the policy that the server sends with them."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from monitor.core.lasthour import EVERY, Point, Series
from monitor.core.model import Role
from tests.web.chromium import Tab, chromium
from tests.web.province import NOW, Province, commune, inventory_of

SITE = "phuong-phu-ly"
LONG = "Phường " + "Thiên Trường " * 9
PAGES = (f"/sites/{SITE}", f"/incidents/i-{SITE}?lang=en", "/incidents/hub")

WIDER = """[...document.querySelectorAll('body *')].filter(each => {
  const box = each.getBoundingClientRect();
  return box.width && (box.right > document.documentElement.clientWidth + 1 || box.left < -1) && !each.closest('.patterns');
}).map(each => each.outerHTML.slice(0, 120))"""
OUTSIDE = """[...document.querySelectorAll('svg.ways g, svg.chart text')].filter(each => {
  const box = each.getBoundingClientRect(), whole = each.closest('svg').getBoundingClientRect();
  return box.right > whole.right + 0.5 || box.left < whole.left - 0.5 || box.bottom > whole.bottom + 0.5;
}).map(each => each.textContent.trim())"""
SMALL = """[...document.querySelectorAll('.call a, .periods label, .ways a')].map(each => {
  const box = each.getBoundingClientRect();
  return [each.textContent.trim(), Math.round(box.height)];
}).filter(([, height]) => height < 40)"""
SHOWN = "[...new Set([...document.querySelectorAll('[class^=past]')].filter(each => each.offsetHeight).map(each => each.className))]"
FILL = "getComputedStyle(document.querySelector('.band .down')).fill"


@pytest.fixture
def province() -> Province:
    """A commune whose line is cut, with a long past and a long name, and one cause behind which thirty are."""
    made = Province(
        inventory_of(*(commune(SITE if not n else f"xa-{n}", LONG, 20, 106, f"Huyện {n}") for n in range(30)))
    )
    made.remember_a_cut(SITE)
    case = made.cut(SITE)
    hurt = tuple(each for each in made.settings.targets if each.startswith("xa-"))
    made.cases.append(replace(case, id="hub", root="centre/gateway", impact=hurt))
    points = [Point(at=NOW - n * EVERY, seconds=0.004 if n > 12 else math.nan, lost=float(n <= 12)) for n in range(60)]
    made.measured[f"{SITE}/tslcd"] = Series(role=Role.LINK, points=tuple(reversed(points)))
    return made


@pytest_asyncio.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    """A browser."""
    async with chromium(tmp_path / "profile") as opened:
        yield opened


def complaints(tab: Tab) -> list[str]:
    """What the browser says against a page, but that the policy forbids the empty icon: that spares a request."""
    return [each for each in tab.complaints if "'data:,'" not in each]


def url(http: aiohttp.ClientSession, path: str) -> str:
    return f"{http._base_url}".rstrip("/") + path


async def test_on_a_telephone_nothing_is_wider_than_the_screen_and_fingers_find_what_they_press(
    http: aiohttp.ClientSession, tab: Tab
) -> None:
    for path in PAGES:
        for width in (390, 1600):
            await tab.show(url(http, path), width)
            assert await tab.value(WIDER) == [], (path, width)
            assert await tab.value(OUTSIDE) == [], (path, width)
        await tab.show(url(http, path), 390)
        assert await tab.value(SMALL) == [], path
    assert complaints(tab) == []


async def test_the_styles_apply_under_the_policy_and_follow_the_reader_s_scheme(
    http: aiohttp.ClientSession, tab: Tab
) -> None:
    fills = set()
    for dark in (False, True):
        await tab.show(url(http, PAGES[0]), 1600, dark=dark)
        fills.add(await tab.value(FILL))
    assert fills == {"rgb(194, 26, 26)", "rgb(255, 107, 107)"}
    assert complaints(tab) == []


async def test_one_period_is_shown_and_another_when_it_is_chosen_by_keyboard(
    http: aiohttp.ClientSession, tab: Tab
) -> None:
    await tab.show(url(http, PAGES[0]), 1600)
    assert await tab.value(SHOWN) == ["past-24h"]
    await tab.value("document.getElementById('past-24h').focus()")
    for kind in ("keyDown", "keyUp"):
        await tab.ask(
            "Input.dispatchKeyEvent", type=kind, key="ArrowRight", code="ArrowRight", windowsVirtualKeyCode=39
        )
    assert await tab.value(SHOWN) == ["past-7d"]
