"""The board as people and their aids meet it: a real Chromium, and axe-core (which npm fetches) to look for barriers.

Only `make browser` runs these: they need Chromium, Node.js and npm.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.core.model import State
from monitor.web import feed as feed_module
from monitor.web.words import VI
from tests.browser.chromium import Tab, chromium
from tests.browser.conftest import Links, served, signed_in
from tests.browser.pictures import PAGES_OF
from tests.browser.scenes import COMMUNE, POP, SESSION, case_id, pop_failure, quiet
from tests.web.desk import Done
from tests.web.province import Province, commune, inventory_of

HERE = Path(__file__).parent
PAGES = (
    "/",
    "/wall",
    "/wall/light",
    "/silences",
    "/monitor",
    "/meetings",
    "/meetings/giao-ban",
    SESSION,
    "/sites/pop-hai-hau",
    f"/sites/{COMMUNE}",
    "/sites/none",
)
SCENES = (quiet, pop_failure)
Scene = Callable[[Path], Province]
pytestmark = pytest.mark.browser

BARRIERS = """axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations
  .filter(each => ["serious", "critical"].includes(each.impact))
  .map(each => each.id + ": " + each.nodes.slice(0, 3).map(node => node.html.slice(0, 150)).join(" | ")))"""
TOO_SMALL = """[...document.querySelectorAll("a, button, summary, input")]
  .filter(each => each.checkVisibility() && getComputedStyle(each).pointerEvents !== "none" && !each.matches(".skip"))
  .filter(each => each.getBoundingClientRect().height < 44).map(each => each.outerHTML.slice(0, 120))"""
TOO_WIDE = """[...document.querySelectorAll("body *")].filter(each => each.checkVisibility() && !each.matches(".skip, .unseen"))
  .filter(each => each.getBoundingClientRect().right > innerWidth + 1).map(each => each.outerHTML.slice(0, 120))"""
CUT_OFF = """[...document.querySelectorAll("article, .line, .more, .map svg, h1, .counts")]
  .filter(each => each.checkVisibility()).filter(each => each.getBoundingClientRect().bottom > innerHeight + 1
    || each.matches("article") && each.scrollHeight > each.clientHeight + 1
    || each.getBoundingClientRect().bottom > each.closest("section, main").getBoundingClientRect().bottom + 1)
  .map(each => each.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """axe-core as package-lock.json says."""
    folder = tmp_path_factory.mktemp("axe")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True, capture_output=True, timeout=300
    )  # fmt: skip
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def province() -> Province:
    """Enough communes to scroll through on a phone."""
    made = inventory_of(*(commune(f"xa-{n}", f"Xã Số {n}", 20 + n / 99, 105.5 + n % 7 / 9) for n in range(40)))
    province = Province(made)
    province.set_all(State.UP)
    return province


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("scene", SCENES)
async def test_no_page_has_barriers(scene: Scene, dark: bool, axe: str, tmp_path: Path) -> None:
    found = []
    async with served(scene(tmp_path)) as address, chromium() as tab:
        for width, height in ((1920, 1080), (390, 844)):
            await tab.screen(width, height, dark=dark)
            for page in (*PAGES, f"/incidents/{case_id(POP)}"):
                await tab.go(address + page)
                await tab.run(axe)
                found += [f"{page} {width}: {each}" for each in await tab.run(BARRIERS)]
        await tab.run("document.querySelector('main').append(new Image())")
        assert [each.partition(":")[0] for each in await tab.run(BARRIERS)] == ["image-alt"], "it does look"
    assert found == []


@pytest.mark.parametrize("scene", [scene for scene in PAGES_OF if scene not in SCENES])
async def test_what_is_rare_has_no_barriers_either(scene: Scene, axe: str, tmp_path: Path) -> None:
    found = []
    async with served(scene(tmp_path)) as address, chromium() as tab:
        for width, height, dark in ((1920, 1080, True), (390, 844, False)):
            await tab.screen(width, height, dark=dark)
            for page in PAGES_OF[scene].values():
                await tab.go(address + page)
                await tab.run(axe)
                fingers = [TOO_SMALL] if width == 390 and page != "/wall" else []
                for look in (BARRIERS, TOO_WIDE, *fingers):
                    found += [f"{page} {width}: {each}" for each in await tab.run(look)]
    assert (found, [each for each in tab.complaints if "status of 404" not in each]) == ([], [])


FORMS = (
    "/desk/incidents/case", "/desk/incidents/none", "/desk/silences", "/acts/ack/m/1/s", "/acts/silence-1h/m/1/s?lang=en", "/acts/used/m/1/s",
)  # fmt: skip
"""The pages with forms, or why there is none."""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_no_form_has_barriers_nor_what_it_leads_to(dark: bool, axe: str, tmp_path: Path) -> None:
    province, done = pop_failure(tmp_path), Done()
    province.cases[0] = replace(province.cases[0], id="case")
    found: list[str] = []
    async with served(province, people=signed_in(done), mail_acts=Links(province)) as address, chromium() as tab:

        async def look(page: str) -> None:
            await tab.run(axe)
            for each in (BARRIERS, TOO_WIDE, *([TOO_SMALL] if width == 390 else [])):
                found.extend(f"{page} {width}: {one}" for one in await tab.run(each))

        for width, height in ((1920, 1080), (390, 844)):
            await tab.screen(width, height, dark=dark)
            for page in FORMS:
                await tab.go(address + page)
                await look(page)
            await tab.go(f"{address}/acts/ack/m/1/s")
            await tab.run("document.querySelector('button').click()")
            await tab.until(f"document.body?.innerText.includes('{VI.page['done_ack']}')")
            await look("done")
            done.refuses = "no open incident has this id"
            await tab.go(f"{address}/desk/incidents/case")
            await tab.run("document.querySelector('button').click()")
            await tab.until("document.body?.innerText.includes('no open incident has this id')")
            await look("refused")
        complaints = [each for each in tab.complaints if "status of 4" not in each]
    assert (found, complaints) == ([], [])


@pytest.mark.parametrize("scene", SCENES)
async def test_a_phone_needs_no_scrolling_sideways_and_no_pointed_finger(scene: Scene, tmp_path: Path) -> None:
    async with served(scene(tmp_path)) as address, chromium() as tab:
        await tab.screen(390, 844)
        for page in (*PAGES, f"/incidents/{case_id(POP)}"):
            await tab.go(address + page)
            assert await tab.run("document.documentElement.scrollWidth") <= 390, page
            assert await tab.run(TOO_WIDE) == [], page
            if not page.startswith("/wall"):
                assert await tab.run(TOO_SMALL) == [], page
        await tab.go(f"{address}/")
        tops = await tab.run(
            "['.open', '.province .counts', '.areas'].map(each => document.querySelector(each).getBoundingClientRect().top)"
        )
        assert tops == sorted(tops), "incidents first, then counts"
        assert tops[0] < 844 / 4


@pytest.mark.parametrize("scene", PAGES_OF)
async def test_the_wall_shows_all_it_has_without_scrolling(scene: Scene, tmp_path: Path) -> None:
    async with served(crowded(scene(tmp_path))) as address, chromium() as tab:
        for size in ((1920, 1080), (3840, 2160), (1366, 768), (1080, 1920)):
            await tab.screen(*size)
            await tab.go(f"{address}/wall")
            assert await tab.run(
                "document.documentElement.scrollHeight <= innerHeight && document.body.scrollHeight <= innerHeight"
            ), size
            assert await tab.run(CUT_OFF) == [], size
        if scene is pop_failure:
            assert await tab.run("document.querySelectorAll('article').length") == 6
            assert await tab.run("document.querySelector('.open .more').textContent") == "và 5 sự cố khác"


def crowded(province: Province) -> Province:
    """With more of what is told below the incidents than fits, and a banner above them."""
    province.left, province.quiet, province.planned = (1212, 2580), province.quiet * 3, province.planned * 3
    closed = [each for each in province.cases if each.closed is not None]
    province.cases += [replace(each, id=f"{each.id}-{n}") for each in closed for n in range(3)]
    return province


async def test_an_update_takes_neither_focus_nor_place_nor_folds(province: Province) -> None:
    first = province.cut("xa-39")
    async with served(province) as address, chromium() as tab:
        await tab.screen(390, 844)
        await tab.go(f"{address}/")
        await tab.run("document.querySelector('.tiles a[href$=\"xa-30\"]').focus()")
        before = await _seen(tab)
        assert before["y"] > 0
        second = province.cut("xa-1")
        province.changes += 1
        await tab.until(f"document.querySelector('.card[href$=\"{second.id}\"]') !== null")
        after = await _seen(tab)
        assert after["focus"] == before["focus"]
        assert abs(after["top"] - before["top"]) <= 1, "what was read stays where it was"
        assert "Xã Số 1" in await tab.until("document.getElementById('said').textContent")
        assert first.id not in await tab.run("document.getElementById('said').textContent")
        assert tab.complaints == []


async def _seen(tab: Tab) -> dict[str, float]:
    return dict(
        await tab.run(
            "({focus: document.activeElement.href, y: scrollY, top: document.activeElement.getBoundingClientRect().top})"
        )
    )


async def test_what_was_unfolded_stays_so(province: Province) -> None:
    province.remember_a_cut("xa-1")
    async with served(province) as address, chromium() as tab:
        await tab.go(f"{address}/sites/xa-1")
        await tab.run("document.querySelector('details').open = true")
        province.cut("xa-1")
        province.changes += 1
        await tab.until("document.querySelector('.card.down') !== null")
        assert await tab.run("document.querySelector('details').open")


async def test_ages_go_on_without_any_news(province: Province) -> None:
    province.cut("xa-1")
    async with served(province) as address, chromium() as tab:
        await tab.go(f"{address}/")
        seen = await tab.run("document.querySelector('time.age').textContent")
        assert seen.startswith("12 phút")
        await tab.until("document.querySelector('time.age').textContent", lambda text: text != seen)


async def test_a_page_that_hears_nothing_says_since_when_and_comes_back_by_itself(province: Province) -> None:
    async with chromium() as tab:
        async with served(province) as address:
            await tab.go(f"{address}/wall")
            assert await tab.run("document.getElementById('lost').hidden")
        await tab.until("!document.getElementById('lost').hidden")
        said = await tab.run("document.getElementById('lost').textContent")
        assert said.startswith(VI.page["lost"])
        assert "24/11/2026" in said
        province.cut("xa-1")
        async with served(province, address.removeprefix("http://")):
            await tab.until("document.querySelector('article') !== null")
            assert await tab.run("document.getElementById('lost').hidden")


async def test_where_there_is_no_room_for_a_stream_the_page_asks_by_itself(
    province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "MOST_VIEWERS", 0)
    async with served(province) as address, chromium() as tab:
        await tab.go(f"{address}/")
        province.cut("xa-1")
        await tab.until("document.querySelector('.card.down') !== null")
        assert await tab.run("document.getElementById('lost').hidden")


async def test_without_scripts_the_page_reloads_itself(province: Province) -> None:
    async with served(province) as address, chromium() as tab:
        await tab.screen(1366, 768, script=False)
        await tab.send("Page.navigate", url=f"{address}/")
        await tab.until("document.querySelectorAll('.province').length")
        province.cut("xa-1")
        await tab.until("document.querySelector('.card.down') !== null")


async def test_the_keyboard_reaches_the_content_at_once(province: Province) -> None:
    province.cut("xa-1")
    async with served(province) as address, chromium() as tab:
        await tab.go(f"{address}/")
        await tab.press("Tab")
        assert await tab.run("document.activeElement.className") == "skip"
        assert await tab.run("document.activeElement.getBoundingClientRect().left >= 0")
        await tab.press("Enter")
        await tab.press("Tab")
        assert await tab.run("document.activeElement.matches('#live .card')")
