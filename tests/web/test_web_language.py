"""Pages speak the language of who reads: no English word on a Vietnamese one, and no Vietnamese one on an English one."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import get_args

import aiohttp
import pytest

from monitor.core import advice, explain
from monitor.core.model import Shared
from monitor.traps import Outcome
from monitor.web.phrases import PHRASES, PROBES, STREAMS, TRAPS
from monitor.web.words import WORDS
from probes.engine.echo import HAPPENINGS
from tests.browser.conftest import Links, served, signed_in
from tests.browser.pictures import PAGES_OF
from tests.browser.scenes import POP, pop_failure
from tests.web.desk import Done
from tests.web.province import Province

TECHNICAL = frozenset({
    "camera", "email", "grafana", "internet", "mbit", "micro", "modem", "ms", "router", "trap", "viettel", "web", "webrtc", "wi", "fi",
})  # fmt: skip
"""Words that Vietnamese uses as they are."""
COMMANDS = re.compile(
    r"commune-monitor check|\back, silence\b|lệnh silence\b|sign_in|docs/settings\.md, phần Sign-in|\{\w*\}|\w+…"
)
"""What is typed, where texts leave room, and words that were cut."""

OTHER = re.compile(r"<(script|style|pre)\b.*?</\1>|<a [^>]* lang=.*?</a>|<head>.*?</head>|<!--.*?-->", re.DOTALL)
"""What no reader reads, and the link that names the other language."""
SPOKEN = re.compile(r' (?:aria-label|title|placeholder|data-name)="([^"]*)"|<title>([^<]*)</title>')
WORD = re.compile(r"[^\W\d_]{2,}")
SYLLABLE = re.compile(
    r"(?:ngh?|gh?|gi|kh|ph|th|tr|ch|nh|qu|[bcdđhklmnprstvx])?[aăâeêioôơuưy]{1,3}(?P<end>ng|nh|ch|[cmnpt])?"
)
TONES = "\u0300\u0301\u0303\u0309\u0323"
SHARP = "\u0301\u0323"
"""The two tones of a syllable that ends in c, ch, p or t."""


def is_vietnamese(word: str) -> bool:
    """Whether it can be a syllable of Vietnamese; of English words only some of two or three letters can, such as `to`."""
    pieces = unicodedata.normalize("NFD", word.lower())
    tones = [each for each in pieces if each in TONES]
    found = SYLLABLE.fullmatch(unicodedata.normalize("NFC", "".join(each for each in pieces if each not in TONES)))
    stopped = bool(found and found["end"] in ("c", "ch", "p", "t"))
    return bool(found) and len(tones) <= 1 and (not stopped or (bool(tones) and tones[0] in SHARP))


def foreign(text: str, language: str) -> list[str]:
    """The words of the other language; what is written in capitals is an abbreviation."""
    words = [each for each in WORD.findall(COMMANDS.sub(" ", text)) if not each.isupper()]
    if language == "en":
        return [each for each in words if not each.isascii() and each != "TSLCĐ"]
    return [each for each in words if each.lower() not in TECHNICAL and not is_vietnamese(each)]


def shown(page: str) -> str:
    """What a reader sees or hears of it."""
    spoken = (" ".join(found) for found in SPOKEN.findall(page))
    return html.unescape(" ".join([re.sub("<[^>]*>", " ", OTHER.sub(" ", page)), *spoken]))


def strings(value: object) -> Iterator[str]:
    """All texts in it."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from strings(each)
    elif is_dataclass(value):
        for field in fields(value):
            yield from strings(getattr(value, field.name))
    elif isinstance(value, (tuple, list, frozenset)):
        for each in value:
            yield from strings(each)


def written_by_people(province: Province) -> set[str]:
    """The words of names, notes and reasons, which are in the language of who wrote them."""
    inventory = province.settings
    told = (
        inventory.sites, inventory.providers, [each.contact for each in inventory.targets.values()], province.quiet,
        [each.window for each in province.planned], [each.meeting for each in province.outlooks], province.lives,
        [each.title for each in province.sessions or ()], [each.acknowledged for each in province.cases], province.mails,
    )  # fmt: skip
    return {word for text in strings(told) for word in WORD.findall(text)} | {"Nguyễn", "Văn", "Nam"}


def written_by_machines(province: Province) -> set[str]:
    """The words of ids, addresses and evidence, which are the same in both languages."""
    inside, targets = province.inside, province.settings.targets.values()
    told = (
        [(each.id, each.name, each.address, each.circuit) for each in targets], list(inside.kinds), list(inside.relays),
        inside.mail_waits, [each.evidence for each in (*province.cases, *province.held.values())],
    )  # fmt: skip
    return {word for text in strings(told) for word in WORD.findall(text)}


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("đường", True), ("truyền", True), ("nghiêm", True), ("qua", True), ("giờ", True), ("mất", True), ("khuỷu", True),
        ("sent", False), ("late", False), ("looked", False), ("overflow", False), ("that", False), ("mat", False), ("and", False),
    ],
)  # fmt: skip
def test_a_syllable_of_vietnamese_is_known_by_its_letters_and_tone(word: str, known: bool) -> None:
    assert is_vietnamese(word) is known


@pytest.mark.parametrize("language", list(WORDS))
def test_no_text_has_a_word_of_the_other_language(language: str) -> None:
    page = {key: text for key, text in WORDS[language].page.items() if key != "other_language"}
    said = (advice.SENTENCES, explain.SENTENCES, PHRASES, PROBES, STREAMS, TRAPS)
    texts = strings((replace(WORDS[language], page=page), *(each[language] for each in said)))
    assert {text: words for text in texts if (words := foreign(text, language))} == {}


@pytest.mark.parametrize("language", list(WORDS))
async def test_no_page_has_a_word_of_the_other_language(language: str, tmp_path: Path) -> None:
    province, found = pop_failure(tmp_path), {}
    in_front = Shared(kind="tslcd", by=(("behind", POP),), hurt=6, of=6, elsewhere=0, others=9)
    province.cases.append(replace(province.cases[0], id="i-common", shared=in_front, why="in-common"))
    counts = dict.fromkeys(HAPPENINGS, 1)
    province.inside = replace(
        province.inside, traps=dict.fromkeys(get_args(Outcome), 1),
        kinds={name: replace(each, happenings=counts) for name, each in province.inside.kinds.items()},
    )  # fmt: skip
    known = written_by_people(province) | written_by_machines(province)
    async with (
        served(province, people=signed_in(Done()), mail_acts=Links(province)) as address,
        aiohttp.ClientSession(address) as http,
    ):
        for path in (*PAGES_OF[pop_failure].values(), "/incidents/i-common"):
            async with http.get(path, params={"lang": language}) as answer:
                page = shown(await answer.text())
            assert len(page.split()) > 10, path
            if words := set(foreign(page, language)) - known:
                found[path] = words
    assert found == {}


@pytest.mark.parametrize("language", list(WORDS))
@pytest.mark.parametrize("scene", [scene for scene in PAGES_OF if scene is not pop_failure])
async def test_no_page_of_what_is_rare_has_one_either(
    scene: Callable[[Path], Province], language: str, tmp_path: Path
) -> None:
    province = scene(tmp_path)
    known, found = written_by_people(province) | written_by_machines(province), {}
    async with served(province, people=signed_in(Done())) as address, aiohttp.ClientSession(address) as http:
        for path in PAGES_OF[scene].values():
            async with http.get(path, params={"lang": language}) as answer:
                if words := set(foreign(shown(await answer.text()), language)) - known:
                    found[path] = words
    assert found == {}


def test_all_that_is_counted_has_its_words() -> None:
    assert all(set(each) == set(HAPPENINGS) for each in STREAMS.values())
    assert all(set(each) == set(get_args(Outcome)) for each in TRAPS.values())
