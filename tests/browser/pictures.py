"""Pictures of all pages, quiet and when a point of presence is gone: `python -m tests.browser.pictures FOLDER [PART OF A NAME]`.

Without a folder, those of the manual are made anew.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.browser.chromium import chromium
from tests.browser.conftest import served
from tests.browser.scenes import COMMUNE, POP, SESSION, one_cut, pop_failure, quiet

SCREENS = {
    "desk": (1920, 1080, False),
    "dark": (1920, 1080, True),
    "phone": (390, 844, False),
    "4k": (3840, 2160, False),
}
PAGES = {
    "province": "/", "wall": "/wall", "silences": "/silences", "monitor": "/monitor", "meetings": "/meetings",
    "meeting": "/meetings/giao-ban", "session": SESSION, "site": f"/sites/{COMMUNE}", "incident": f"/incidents/i-{POP}",
}  # fmt: skip


IMAGES = Path(__file__).parents[2] / "docs" / "images"


async def manual() -> None:
    """The pictures of the manual."""
    with tempfile.TemporaryDirectory() as made:
        cut, failure = one_cut(Path(made)), pop_failure(Path(made))
        failure.is_ready = True, ""
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
            for scene in (quiet, pop_failure):
                async with served(scene(Path(made))) as address:
                    for screen, (width, height, dark) in SCREENS.items():
                        for name, path in PAGES.items():
                            if screen == "4k" and name != "wall":
                                continue
                            file = f"{name}-{scene.__name__}-{screen}"
                            if only not in file:
                                continue
                            await tab.screen(width, height, dark=dark)
                            await tab.go(address + path)
                            await tab.picture(folder / f"{file}.png", whole=screen == "phone")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), "".join(sys.argv[2:])) if sys.argv[1:] else manual())
