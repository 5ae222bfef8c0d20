"""Pictures of all pages, quiet and when a point of presence is gone: `python -m tests.browser.pictures FOLDER`."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.browser.chromium import chromium
from tests.browser.conftest import served
from tests.browser.scenes import POP, pop_failure, quiet

SCREENS = {
    "desk": (1920, 1080, False),
    "dark": (1920, 1080, True),
    "phone": (390, 844, False),
    "4k": (3840, 2160, False),
}
PAGES = {
    "province": "/", "wall": "/wall", "silences": "/silences", "monitor": "/monitor", "meetings": "/meetings",
    "meeting": "/meetings/giao-ban", "site": "/sites/pop-hai-hau", "incident": f"/incidents/i-{POP}",
}  # fmt: skip


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
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""))
