"""What is said of sheets, lists and networks, in both languages."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from monitor.exchange.sayings import in_words, listed, said
from monitor.exchange.texts import SAYINGS
from monitor.yamlfile import Problem

ROOT = Path(__file__).parent.parent.parent


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_each_sentence_is_there_in_both_languages_with_the_same_words() -> None:
    vietnamese, english = SAYINGS["vi"], SAYINGS["en"]
    assert vietnamese.keys() == english.keys()
    assert {key for key in english if fields(vietnamese[key]) != fields(english[key])} == set()


def test_no_sentence_is_there_that_nobody_says() -> None:
    """Those of `Sure` are made of its values."""
    files = [each for name in ("exchange", "inventory", "commands") for each in (ROOT / "monitor" / name).glob("*.py")]
    code = "".join(each.read_text(encoding="utf-8") for each in files if each.name != "texts.py")
    names = set(re.findall(r"""["']([a-z][a-z-]*)["']""", code))
    assert {key for key in SAYINGS["en"] if key not in names and not key.startswith("sure-")} == set()


@pytest.mark.parametrize(("language", "text"), [("vi", "a và b hoặc c"), ("en", "a and b or c")])
def test_sentences_stand_in_others(language: str, text: str) -> None:
    inner = listed(["a", "b"], said("and"))
    assert listed([inner, "c"], said("or"))[language] == text


def test_what_is_wrong_with_files_is_told_in_our_words_where_there_are_some() -> None:
    problem = Problem("a.yaml", 3, 5, "there is no provider `vnp`", "did you mean `vnpt`?")
    known = problem.known_as("unknown", given="vnp", close=["vnpt"])
    assert in_words(known, "vi") == "a.yaml:3:5: `vnp` không có trong khai báo; có phải là `vnpt`?"
    assert in_words(problem, "vi") == str(problem)
