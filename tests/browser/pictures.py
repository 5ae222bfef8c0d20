"""Pictures of all pages, quiet and when a point of presence is gone: `python -m tests.browser.pictures FOLDER [PART OF A NAME]`.

Without a folder, those of the manual are made anew.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from tests.browser.chromium import chromium
from tests.browser.conftest import Links, served, signed_in
from tests.browser.scenes import COMMUNE, LINE, POP, SESSION, one_cut, pop_failure, quiet
from tests.web.desk import Done


class Screen(NamedTuple):
    """What is looked at with."""

    width: int
    height: int
    dark: bool = False
    language: str = "vi"
    script: bool = True


SCREENS = {
    "desk": Screen(1920, 1080),
    "laptop": Screen(1366, 768, language="en"),
    "plain": Screen(1366, 768, script=False),
    "dark": Screen(1920, 1080, dark=True),
    "phone": Screen(390, 844),
    "night": Screen(390, 844, dark=True, language="en"),
    "4k": Screen(3840, 2160),
}
PAGES = {
    "province": "/", "wall": "/wall", "wall-light": "/wall/light", "silences": "/silences", "monitor": "/monitor", "meetings": "/meetings",
    "meeting": "/meetings/giao-ban", "session": SESSION, "site": f"/sites/{COMMUNE}", "site-pop": f"/sites/{POP.partition('/')[0]}",
    "missing": "/sites/none", "desk-silences": "/desk/silences", "desk-none": "/desk/incidents/none",
}  # fmt: skip
PAGES_OF_TROUBLE = PAGES | {
    "incident": f"/incidents/i-{POP}", "incident-line": f"/incidents/i-{LINE}", "incident-over": "/incidents/i-over",
    "site-line": f"/sites/{LINE.partition('/')[0]}", "desk-incident": f"/desk/incidents/{quote(f'i-{POP}', safe='')}",
    "act-ack": "/acts/ack/m/1/s", "act-silence": "/acts/silence-1h/m/1/s", "act-used": "/acts/used/m/1/s",
}  # fmt: skip


IMAGES = Path(__file__).parents[2] / "docs" / "images"


async def manual() -> None:
    """The pictures of the manual."""
    with tempfile.TemporaryDirectory() as made:
        cut, failure = one_cut(Path(made)), pop_failure(Path(made))
        failure.left = None
        async with chromium() as tab:
            line = cut.cases[0].root.partition("/")[0]
            for name, province, path in (
                ("board", cut, "/"), ("wall", failure, "/wall"), ("commune", cut, f"/sites/{line}"), ("incident", failure, f"/incidents/i-{POP}"),
                ("meeting", failure, "/meetings/giao-ban"), ("session", failure, SESSION),
            ):  # fmt: skip
                async with served(province) as address:
                    await tab.screen(1600, 900)
                    await tab.go(address + path)
                    await tab.picture(IMAGES / f"{name}.png")


async def main(folder: Path, only: str) -> None:
    """Take them all, or those with this in their names."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        async with chromium() as tab:
            for scene, pages in ((quiet, PAGES), (pop_failure, PAGES_OF_TROUBLE)):
                province = scene(Path(made))
                links = Links(province) if province.cases else None
                async with served(province, people=signed_in(Done()), mail_acts=links) as address:
                    for screen, look in SCREENS.items():
                        for name, path in pages.items():
                            file = f"{name}-{scene.__name__}-{screen}"
                            if only not in file or (screen == "4k" and not name.startswith("wall")):
                                continue
                            await tab.screen(look.width, look.height, dark=look.dark, script=look.script)
                            await tab.go(f"{address}{path}?lang={look.language}")
                            await tab.picture(folder / f"{file}.png", whole=not name.startswith("wall"))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), "".join(sys.argv[2:])) if sys.argv[1:] else manual())
