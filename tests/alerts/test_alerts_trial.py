"""What `check` tries an admin's templates with reaches every list of the summaries."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from alerts.compose import OURS
from alerts.letter_samples import letters
from alerts.samples import notification_of, province
from alerts.trial import check_templates
from monitor.core.model import Happening
from monitor.core.words import WORDS
from tests.alerts.sample import composer


@pytest.mark.parametrize("language", WORDS)
@pytest.mark.parametrize("name", ["daily", "monthly"])
def test_every_list_of_a_summary_has_something_in_it(name: str, language: str) -> None:
    known, incidents = province()
    told = letters(known, incidents[0].began, WORDS[language], "http://b")[name]
    assert [key for key, value in told.items() if isinstance(value, tuple | list) and not value] == []


@pytest.mark.parametrize("before", ["{% macro note(text) %}", '{% macro head(title, right="") %}'])
def test_a_mistake_in_a_list_of_a_summary_is_found(tmp_path: Path, before: str) -> None:
    text = (OURS / "table.html").read_text(encoding="utf-8")
    assert before in text
    (tmp_path / "table.html").write_text(text.replace(before, before + "{{ plaice }}"), encoding="utf-8")
    assert "'plaice' is undefined" in str(check_templates(tmp_path))


@pytest.mark.parametrize("language", WORDS)
def test_every_letter_leads_to_the_board_in_its_language(language: str) -> None:
    known, incidents = province()
    contact = notification_of(incidents[0], Happening.OPENED, language).contact
    for name, given in letters(known, incidents[0].began, WORDS[language], "http://b").items():
        pieces = composer().render_letter(name, language, {"contact": contact, "board": "http://b", **given})
        links = re.findall(r"http://b[^\s\"<]*", " ".join(pieces))
        assert {each.endswith("?lang=en") for each in links} <= {language == "en"}, (name, links)
