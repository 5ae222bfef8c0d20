"""Pictures of all pages, quiet and when a point of presence is gone: `python -m tests.browser.pictures FOLDER [PART OF A NAME]`.

Without a folder, those of the manual are made anew.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from monitor.web.routes import People
from monitor.web.signin import Begun, ByHeader, BySession, SignInError
from tests.browser.chromium import Tab, chromium
from tests.browser.conftest import Links, served, signed_in
from tests.browser.scenes import (
    COMMUNE,
    CORE,
    GATEWAY,
    LINE,
    POP,
    SESSION,
    SESSION_NOW,
    WORKED_AT,
    bare,
    case_id,
    core_failure,
    half_known,
    just_started,
    many_incidents,
    meeting_now,
    one_cut,
    our_own_uplink,
    pop_failure,
    quiet,
)
from tests.web.desk import Done
from tests.web.province import Province


class Screen(NamedTuple):
    """What is looked at with."""

    width: int
    height: int
    dark: bool = False
    language: str = "vi"
    script: bool = True


class Away:
    """A sign-in service that lets nobody in."""

    async def begin(self) -> Begun:
        raise SignInError("not_allowed", "in no group")

    async def finish(self, _: Mapping[str, str], __: Mapping[str, str]) -> str:
        raise SignInError("not_allowed", "in no group")


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
    "site-works": f"/sites/{WORKED_AT}", "missing": "/sites/none", "missing-page": "/none", "missing-incident": "/incidents/none",
    "desk-silences": "/desk/silences", "desk-none": "/desk/incidents/none",
}  # fmt: skip
SHORT = {each: PAGES[each] for each in ("province", "wall", "silences", "monitor", "meetings", "meeting", "site")}
PAGES_OF = {
    quiet: PAGES,
    pop_failure: PAGES | {
        "incident": f"/incidents/{case_id(POP)}", "incident-line": f"/incidents/{case_id(LINE)}", "incident-over": "/incidents/i-over",
        "site-line": f"/sites/{LINE.partition('/')[0]}", "desk-incident": f"/desk/incidents/{case_id(POP)}",
        "act-ack": "/acts/ack/m/1/s", "act-silence": "/acts/silence-1h/m/1/s", "act-used": "/acts/used/m/1/s",
    },
    meeting_now: SHORT | {"session": SESSION_NOW, "incident": f"/incidents/{case_id(LINE)}", "site-line": f"/sites/{LINE.partition('/')[0]}"},
    just_started: SHORT, half_known: SHORT,
    our_own_uplink: SHORT | {"incident": f"/incidents/{case_id(GATEWAY)}"},
    core_failure: SHORT | {"incident": f"/incidents/{case_id(CORE)}"},
    many_incidents: SHORT | {"incident": f"/incidents/{case_id(f'{COMMUNE}/tslcd')}"},
    bare: SHORT | {"meeting": "/meetings/none", "site": "/sites/xa-moi"},
}  # fmt: skip


IMAGES = Path(__file__).parents[2] / "docs" / "images"


async def manual() -> None:
    """The pictures of the manual."""
    with tempfile.TemporaryDirectory() as made:
        cut, failure = one_cut(Path(made)), pop_failure(Path(made))
        failure.left = None
        async with chromium() as tab:
            line = cut.cases[-1].root.partition("/")[0]
            for name, province, path in (
                ("board", cut, "/"), ("wall", failure, "/wall"), ("commune", cut, f"/sites/{line}"), ("incident", failure, f"/incidents/{case_id(POP)}"),
                ("meeting", failure, "/meetings/giao-ban"), ("session", failure, SESSION),
            ):  # fmt: skip
                async with served(province) as address:
                    await tab.screen(1600, 900)
                    await tab.go(address + path)
                    await tab.picture(IMAGES / f"{name}.png")


REFUSED = {
    "401": "/desk/silences",
    "403": "/sign-in",
    "403-forged": "/signed-in",
    "422": f"/desk/incidents/{case_id(POP)}",
}


async def refused(tab: Tab, name: str, province: Province, language: str) -> None:
    """Open the page that says why somebody may not, or cannot."""
    done = Done(refuses="reason: must not be empty")
    sign_in = {"401": ByHeader("X-Remote-User", ()), "422": signed_in(done).sign_in}.get(
        name, BySession(Away(), b"k" * 32, "")
    )
    async with served(province, people=People(sign_in=sign_in, acts=done, board="")) as address:
        await tab.go(f"{address}{REFUSED[name]}?lang={language}")
        if name == "422":
            await tab.run("document.querySelector('button').click()")
            await tab.until("!document.querySelector('form')")


async def main(folder: Path, only: str) -> None:
    """Take them all, or those with this in their names."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        async with chromium() as tab:
            for scene, pages in PAGES_OF.items():
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
            for screen, look in SCREENS.items():
                for name in REFUSED:
                    if only in (file := f"{name}-refused-{screen}") and screen != "4k":
                        await tab.screen(look.width, look.height, dark=look.dark, script=look.script)
                        await refused(tab, name, pop_failure(Path(made)), look.language)
                        await tab.picture(folder / f"{file}.png", whole=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), "".join(sys.argv[2:])) if sys.argv[1:] else manual())
