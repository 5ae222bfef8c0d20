"""The sentences that mails and pages share."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from monitor.core import correlate, root, seen
from monitor.core.model import Cause, Reason, Role, Severity, State, Target
from monitor.core.words import EN, VI, WORDS, Words, percent

T0 = datetime(2026, 11, 24, 22, 30, tzinfo=UTC)
TABLES = [each.name for each in fields(Words) if each.name not in ("language", "units", "counted", "for_all")]
PROFILES = Path(__file__).parents[2] / "config" / "inventory" / "profiles.yaml"


@pytest.mark.parametrize("table", TABLES)
def test_both_languages_have_the_same_keys_and_no_empty_text(table: str) -> None:
    assert getattr(VI, table).keys() == getattr(EN, table).keys()
    assert all(text.strip() for words in WORDS.values() for text in getattr(words, table).values())


@pytest.mark.parametrize(
    ("table", "keys"), [("states", State), ("severities", Severity), ("causes", Cause), ("reasons", Reason)]
)
def test_every_member_has_its_words(table: str, keys: Iterable[StrEnum]) -> None:
    assert set(getattr(VI, table)) == {each.value for each in keys}


def test_every_rule_of_the_correlator_has_its_sentence() -> None:
    source = "".join(Path(each.__file__).read_text(encoding="utf-8") for each in (root, correlate))
    rules = set(re.findall(r'Cause\.\w+, "([a-z-]+)"', source)) | set(
        re.findall(r'return router, .*"([a-z-]+)"', source)
    )
    assert rules == set(VI.why)


def test_every_limit_that_means_something_to_the_correlator_has_its_words() -> None:
    assert set(VI.says) >= seen.PATH_SAYS | seen.BATTERY_SAYS


def test_every_limit_and_kind_of_the_example_province_has_its_words() -> None:
    profiles = yaml.safe_load(PROFILES.read_text(encoding="utf-8"))["profiles"].values()
    limits = [
        limit for each in profiles for check in each["checks"].values() for limit in check.get("limits", {}).values()
    ]
    assert {each.get("says", "limit") for each in limits} <= set(VI.says)
    assert {each["kind"] for each in profiles} <= set(VI.kinds)


@pytest.mark.parametrize(
    ("seconds", "vi", "en"),
    [
        (0, "0 giây", "0 s"),
        (0.9, "0 giây", "0 s"),
        (-5, "0 giây", "0 s"),
        (59, "59 giây", "59 s"),
        (60, "1 phút", "1 min"),
        (61, "1 phút 1 giây", "1 min 1 s"),
        (3600, "1 giờ", "1 h"),
        (3605, "1 giờ", "1 h"),
        (7500, "2 giờ 5 phút", "2 h 5 min"),
        (86400, "1 ngày", "1 d"),
        (90000, "1 ngày 1 giờ", "1 d 1 h"),
        (36 * 86400 + 86399, "36 ngày 23 giờ", "36 d 23 h"),
    ],
)
def test_a_span_is_told_in_its_two_largest_units(seconds: float, vi: str, en: str) -> None:
    assert VI.lasted(T0, T0 + timedelta(seconds=seconds)) == vi
    assert EN.lasted(T0, T0 + timedelta(seconds=seconds)) == en


@given(st.integers(0, 10**8))
def test_what_a_span_says_is_never_longer_than_it_was_nor_much_shorter(seconds: int) -> None:
    text = EN.lasted(T0, T0 + timedelta(seconds=seconds))
    size = {"d": 86400, "h": 3600, "min": 60, "s": 1}
    parts = text.split()
    told = sum(int(number) * size[unit] for number, unit in zip(parts[::2], parts[1::2], strict=True))
    assert told <= seconds
    assert seconds - told < size[parts[1]]


@pytest.mark.parametrize(
    ("since", "until", "says"), [(0.9, 16.1, "16 giây"), (0.1, 15.9, "15 giây"), (0.2, 0.8, "0 giây")]
)
def test_a_span_agrees_with_the_moments_printed_beside_it(since: float, until: float, says: str) -> None:
    began, ended = (T0 + timedelta(seconds=each) for each in (since, until))
    assert VI.moment(began)[6:8] == "00"
    assert VI.lasted(began, ended) == says
    assert int(VI.moment(ended)[6:8]) == int(says.split(maxsplit=1)[0])


def test_a_moment_is_told_in_the_time_of_viet_nam() -> None:
    assert VI.moment(T0) == "05:30:00 25/11/2026"


def target(kind: str = "tslcd", **label: str) -> Target:
    return Target(id="a/x", site="a", name="x", role=Role.LINK, kind=kind, label=label)


def test_a_target_is_called_by_its_label_then_its_kind_then_its_name() -> None:
    assert VI.name(target(vi="Đường chính")) == "Đường chính"
    assert EN.name(target(vi="Đường chính")) == "TSLCĐ line"
    assert EN.name(target(kind="lift")) == "x"
    assert EN.name(None, "a/gone") == "a/gone"


def test_trouble_is_told_by_the_broken_limit_where_there_is_one() -> None:
    assert EN.trouble(Reason.LIMIT, "loss") == "packets are lost"
    assert EN.trouble(Reason.LIMIT, "") == "beyond its limit"
    assert EN.trouble(Reason.TIMEOUT, "loss") == "no answer in time"


def test_a_key_without_words_is_shown_as_it_is() -> None:
    assert VI.trouble(Reason.LIMIT, "fan-stopped") == "fan-stopped"


@given(st.integers(0, 100_000))
def test_a_percentage_is_shown_as_it_was_written(thousandths: int) -> None:
    assert percent(thousandths / 1000 / 100) == f"{thousandths / 1000:.3f}"


def test_only_what_never_failed_is_a_hundred_percent() -> None:
    month = timedelta(days=31)
    assert percent((month - timedelta(microseconds=1)) / month) == "99.999"
    assert percent(month / month) == "100.000"
