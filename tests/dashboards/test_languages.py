"""The Vietnamese and the English dashboards are the same but for the words, and the words are in their language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from dashboards.texts import Text, of_language, spoken
from tests.dashboards.conftest import BOARDS, ENGLISH

READ = {"title", "description", "label", "text", "displayName", "noValue", "legendFormat", "titleFormat"}
"""Keys of what people read."""
NAMED = ("annotations", "layers", "basemap")
"""What people read the `name` of."""
CHANGES = {"unit", "url", "uid", "tags"}
"""Keys of what is no text and differs too: a unit with a word in it, and what leads to the same language."""
OF_BOTH = {
    "CPU",
    "English",
    "Prometheus",
    "RAM",
    "SNMP",
    "TTL",
    "UPS",
    "All",
    "H",
    "SIP",
    "STUN",
    "TURN",
    "TLS",
    "MOS",
    "MTU",
}
"""Words that are the same in both languages, and one that Grafana says in its own."""
VIETNAMESE = re.compile(r"[à-ãè-êìíò-õùúýăđĩũơưạ-ỹ]", re.IGNORECASE)
each_board = pytest.mark.parametrize("uid", BOARDS)


def pairs(one: Any, other: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Every leaf of both, with the keys that lead to it; fails where they are not of the same shape."""
    assert type(one) is type(other), path
    if isinstance(one, dict):
        assert list(one) == list(other), path
        for key in one:
            yield from pairs(one[key], other[key], *path, key)
    elif isinstance(one, list):
        assert len(one) == len(other), path
        for each, its in zip(one, other, strict=True):
            yield from pairs(each, its, *path)
    else:
        yield path, one, other


def leaves(uid: str) -> list[tuple[tuple[str, ...], Any, Any]]:
    return list(pairs(BOARDS[uid], ENGLISH[of_language(uid).english]))


def is_read(path: tuple[str, ...]) -> bool:
    return path[-1] in READ or "renameByName" in path or (path[-1] == "name" and any(each in path for each in NAMED))


def test_every_dashboard_is_there_in_both_languages() -> None:
    assert set(ENGLISH) == {of_language(uid).english for uid in BOARDS}


@each_board
def test_nothing_differs_but_words_and_where_they_lead(uid: str) -> None:
    differing = {path for path, vietnamese, english in leaves(uid) if vietnamese != english}
    named = {path for path in differing if path[-2:] in {("matcher", "options"), ("properties", "value")}}
    """Columns and legends by their words, and words in place of legends."""
    assert not {path for path in differing - named if not is_read(path) and path[-1] not in CHANGES}


@each_board
def test_the_english_one_has_no_vietnamese_word_but_the_name_of_the_language(uid: str) -> None:
    found = {
        english for _, _, english in leaves(uid) if isinstance(english, str) and VIETNAMESE.search(_plain(english))
    }
    assert found == {"Tiếng Việt"}


def _plain(text: str) -> str:
    return text.replace("TSLCĐ", "")


@each_board
def test_the_vietnamese_one_has_no_english_word(uid: str) -> None:
    same = {vietnamese for path, vietnamese, english in leaves(uid) if vietnamese == english and is_read(path)}
    texts = [re.sub(r"{{.*?}}", "", text) for text in same if isinstance(text, str)]
    assert {word for text in texts for word in re.findall(r"[^\W\d_]+", text)} <= OF_BOTH


@each_board
def test_one_click_leads_to_the_other_language_with_what_is_chosen_and_the_time(uid: str) -> None:
    english = of_language(uid).english
    for board, title, there in ((BOARDS[uid], "English", english), (ENGLISH[english], "Tiếng Việt", uid)):
        (link,) = [each for each in board["links"] if each["title"] == title]
        assert (link["url"], link["includeVars"], link["keepTime"]) == (f"/d/{there}", True, True)


def test_a_text_is_spoken_wherever_it_stands_and_what_is_made_of_it_is_not() -> None:
    text = Text("Đường", "Line")
    held = {text: [text, {"a": (text, 1)}], "b": f"{text} 1"}
    assert spoken(held, "vi") == {"Đường": ["Đường", {"a": ["Đường", 1]}], "b": "Đường 1"}
    assert spoken(held, "en") == {"Line": ["Line", {"a": ["Line", 1]}], "b": "Đường 1"}
