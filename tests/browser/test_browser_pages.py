"""The pages of communes and incidents in a real browser, under the policy that the server sends with them.

Only `make browser` runs these.
"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from monitor.core.lasthour import EVERY, Point, Series
from monitor.core.model import Role
from tests.browser.chromium import chromium
from tests.browser.conftest import served
from tests.web.province import NOW, Province, commune, inventory_of

SITE = "phuong-phu-ly"
pytestmark = pytest.mark.browser
LONG = "Phường " + "Thiên Trường " * 9
PAGES = (f"/sites/{SITE}", f"/incidents/i-{SITE}?lang=en", "/incidents/hub")

WIDER = """[...document.querySelectorAll('body *')].filter(each => {
  const box = each.getBoundingClientRect();
  return box.width && (box.right > document.documentElement.clientWidth + 1 || box.left < -1) && !each.closest('.patterns, .skip, .unseen');
}).map(each => each.outerHTML.slice(0, 120))"""
OUTSIDE = """[...document.querySelectorAll('svg.ways g, svg.chart text')].filter(each => {
  const box = each.getBoundingClientRect(), whole = each.closest('svg').getBoundingClientRect();
  return box.right > whole.right + 0.5 || box.left < whole.left - 0.5 || box.bottom > whole.bottom + 0.5;
}).map(each => each.textContent.trim())"""
OVER = """[...document.querySelectorAll('svg.ways text')].filter(each => each.getBoundingClientRect().right
  > each.closest('g').querySelector('rect').getBoundingClientRect().right + 0.5).map(each => each.textContent.trim())"""
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


async def test_long_names_and_drawings_stay_inside(province: Province) -> None:
    async with served(province) as address, chromium() as tab:
        for path in PAGES:
            for width in (390, 1600):
                await tab.screen(width, 900)
                await tab.go(address + path)
                assert await tab.run(WIDER) == [], (path, width)
                assert await tab.run(OUTSIDE) == [], (path, width)
                assert await tab.run(OVER) == [], (path, width)
        assert tab.complaints == []


async def test_the_styles_apply_under_the_policy_and_follow_the_reader_s_scheme(province: Province) -> None:
    fills = set()
    async with served(province) as address, chromium() as tab:
        for dark in (False, True):
            await tab.screen(1600, 900, dark=dark)
            await tab.go(address + PAGES[0])
            fills.add(await tab.run(FILL))
    assert fills == {"rgb(194, 26, 26)", "rgb(255, 107, 107)"}


async def test_the_period_that_was_chosen_by_keyboard_outlives_an_update(province: Province) -> None:
    async with served(province) as address, chromium() as tab:
        await tab.screen(1600, 900)
        await tab.go(address + PAGES[0])
        assert await tab.run(SHOWN) == ["past-24h"]
        await tab.run("document.getElementById('past-24h').focus()")
        await tab.press("ArrowRight")
        assert await tab.run(SHOWN) == ["past-7d"]
        province.cases.clear()
        province.changes += 1
        await tab.until("document.querySelector('.head .card') === null")
        assert await tab.run(SHOWN) == ["past-7d"]
        assert await tab.run("document.activeElement.id") == "past-7d"
