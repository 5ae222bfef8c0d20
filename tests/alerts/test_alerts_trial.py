"""What `check` tries an admin's templates with reaches every list of the summaries."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.compose import OURS
from alerts.letter_samples import letters
from alerts.samples import province
from alerts.trial import check_templates
from monitor.core.words import WORDS


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
