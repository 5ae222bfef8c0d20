"""What is usual for one measurement, by hour of the week."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.usual import HOURS, KNOWN, LEAST, MOVED, REACH_DOWN, Usual, hour_of_week
from monitor.core.words import LOCAL

MONDAY = datetime(2026, 11, 2, tzinfo=LOCAL).astimezone(UTC)
MINUTE = timedelta(minutes=1)


def taught(
    usual: Usual, begin: datetime, lasts: timedelta, value: Callable[[datetime], float], *, every: timedelta = MINUTE,
    odd: bool = False,
) -> datetime:  # fmt: skip
    """Let a time pass; returns its end."""
    at = begin
    while at < begin + lasts:
        usual.learn(value(at), at, odd=odd)
        at += every
    return at


def working_hours(at: datetime) -> float:
    """10 ms, and three times that from Monday to Friday, 8 to 17 o'clock."""
    local = at.astimezone(LOCAL)
    return 0.03 if local.weekday() < 5 and 8 <= local.hour < 17 else 0.01


def test_the_hours_of_the_week_are_those_of_viet_nam() -> None:
    assert [hour_of_week(MONDAY + timedelta(hours=hour)) for hour in range(HOURS)] == list(range(HOURS))
    assert hour_of_week(MONDAY - timedelta(microseconds=1)) == HOURS - 1


def test_nothing_is_said_before_an_hour_was_seen() -> None:
    usual = Usual()
    end = taught(usual, MONDAY, LEAST - MINUTE, lambda _: 0.01)
    assert usual.level(end) is None
    usual.learn(0.01, end)
    assert usual.level(end) == pytest.approx(0.01)


def test_after_the_first_hour_every_other_hour_is_guessed() -> None:
    usual = Usual()
    taught(usual, MONDAY, LEAST, lambda _: 0.01)
    guesses = [usual.level(MONDAY + timedelta(hours=hour)) for hour in range(HOURS)]
    assert guesses == [pytest.approx(0.01)] * HOURS


@pytest.mark.parametrize("every", [MINUTE, timedelta(minutes=10)])
def test_each_hour_has_a_level_of_its_own_after_three_weeks(every: timedelta) -> None:
    usual = Usual()
    taught(usual, MONDAY, timedelta(weeks=3), working_hours, every=every)
    wrong = {
        hour: usual.level(at)
        for hour in range(HOURS)
        if usual.level(at := MONDAY + timedelta(hours=hour)) != pytest.approx(working_hours(at), rel=0.3)
    }
    assert wrong == {}


def test_in_its_first_week_it_never_takes_a_busy_hour_for_a_slow_line() -> None:
    """Nights and weekend come first, then an office whose line is three times as slow at work."""
    usual, at = Usual(), MONDAY - timedelta(days=2)
    highest = 0.0
    while at < MONDAY + timedelta(days=7):
        local = at.astimezone(LOCAL)
        ramp = min(max((local.hour + local.minute / 60 - 7) / 2, 0.0), 1.0) if local.weekday() < 5 else 0.0
        value = 0.01 * 3.0 ** (ramp if local.hour < 18 else 0.0)
        level = usual.level(at)
        if level is not None:
            highest = max(highest, value / level)
        usual.learn(value, at)
        at += MINUTE
    assert 1.0 < highest < 2.0


def test_one_outlier_in_five_hardly_moves_it() -> None:
    draw = random.Random(1)
    plain, disturbed = Usual(), Usual()
    for minute in range(14 * 24 * 60):
        at = MONDAY + minute * MINUTE
        value = 0.01 * draw.lognormvariate(0, 0.15)
        plain.learn(value, at)
        disturbed.learn(50.0 if draw.random() < 0.2 and minute > 60 else value, at)
    ratios = [
        (disturbed.level(at) or math.inf) / (plain.level(at) or math.nan)
        for at in (MONDAY + timedelta(hours=hour) for hour in range(HOURS))
    ]
    assert max(ratios) < 1.25


def test_an_outlier_at_the_very_beginning_is_forgotten() -> None:
    usual = Usual()
    usual.learn(5.0, MONDAY)
    end = taught(usual, MONDAY + MINUTE, LEAST, lambda _: 0.01)
    assert usual.level(end) == pytest.approx(0.01, rel=0.15)


def test_a_whole_hour_beyond_the_limit_moves_its_hour_by_about_a_tenth() -> None:
    usual = Usual()
    end = taught(usual, MONDAY, timedelta(weeks=3), lambda _: 0.01)
    taught(usual, end, timedelta(hours=1), lambda _: 0.06, odd=True)
    assert 0.01 < (usual.level(end) or 0) < 0.0111


def test_trouble_that_goes_on_in_the_first_week_makes_no_other_hour_seem_slow() -> None:
    usual = Usual()
    end = taught(usual, MONDAY, LEAST, lambda _: 0.01)
    end = taught(usual, end, timedelta(hours=20), lambda _: 0.1, odd=True)
    assert usual.level(end) == pytest.approx(0.01)
    again = Usual.load(usual.dump())
    assert again is not None
    assert again.level(end) == pytest.approx(0.01, rel=0.01)


def test_what_is_slow_every_week_at_the_same_hour_is_usual_after_some_weeks() -> None:
    usual, at, weeks = Usual(), MONDAY, 0
    for minute in range(6 * 7 * 24 * 60):
        at = MONDAY + minute * MINUTE
        local, level = at.astimezone(LOCAL), usual.level(at)
        value = 0.045 if local.hour == 23 else 0.01  # a copy each night
        beyond = level is not None and value > 3 * level
        weeks = minute // (7 * 24 * 60) if beyond else weeks
        usual.learn(value, at, odd=beyond)
    assert 1 <= weeks <= 3


def test_a_line_that_changed_for_good_is_learnt_anew_after_days() -> None:
    usual = Usual()
    end = taught(usual, MONDAY, timedelta(weeks=2), lambda _: 0.01)
    end = taught(usual, end, MOVED - MINUTE, lambda _: 0.08, odd=True)
    assert (usual.level(end) or 0) < 0.02
    end = taught(usual, end, MINUTE, lambda _: 0.08, odd=True)
    end = taught(usual, end, LEAST, lambda _: 0.08)
    assert usual.level(end) == pytest.approx(0.08)


def test_a_line_that_became_faster_for_good_is_learnt_anew_too() -> None:
    usual = Usual()
    end = taught(usual, MONDAY, timedelta(weeks=2), lambda _: 0.08)
    end = taught(usual, end, MOVED + LEAST + MINUTE, lambda _: 0.01)
    assert usual.level(end) == pytest.approx(0.01)


def test_a_clock_that_is_set_back_stops_nothing() -> None:
    usual = Usual()
    taught(usual, MONDAY + timedelta(days=300), LEAST, lambda _: 0.01)
    end = taught(usual, MONDAY, LEAST + timedelta(minutes=KNOWN.total_seconds() / 60), lambda _: 0.012)
    assert usual.level(end) == pytest.approx(0.012, rel=0.2)


def test_it_comes_back_as_it_was() -> None:
    draw = random.Random(2)
    usual = Usual()
    end = taught(usual, MONDAY, timedelta(days=9), lambda at: working_hours(at) * draw.lognormvariate(0, 0.15))
    again = Usual.load(usual.dump())
    assert again is not None
    hours = [end + timedelta(hours=hour) for hour in range(HOURS)]
    assert [again.level(at) for at in hours] == pytest.approx([usual.level(at) for at in hours], rel=0.01)
    assert again.dump() == usual.dump()


@given(st.binary(max_size=600) | st.binary(min_size=513, max_size=513).map(lambda blob: b"\x01" + blob[1:]))
def test_any_blob_gives_something_that_works_or_nothing(blob: bytes) -> None:
    usual = Usual.load(blob)
    if usual is not None:
        taught(usual, MONDAY, timedelta(minutes=20), lambda _: 0.01)
        assert Usual.load(usual.dump()) is not None


def test_a_blob_of_another_version_is_not_taken() -> None:
    assert Usual.load(b"\x02" + Usual().dump()[1:]) is None


def test_it_is_small() -> None:
    usual = Usual()
    parts = (usual, usual._mean, usual._known, usual._seen, usual._odd)
    assert sum(map(sys.getsizeof, parts)) < 2048
    assert len(usual.dump()) == 513


MOMENTS = st.datetimes(timezones=st.just(UTC))
VALUES = st.floats() | st.floats(1e-4, 1.0)


@given(st.lists(st.tuples(MOMENTS, VALUES, st.booleans()), max_size=60))
def test_whatever_comes_the_level_stays_between_what_was_seen(samples: list[tuple[datetime, float, bool]]) -> None:
    usual = Usual()
    for at, value, odd in samples:
        usual.learn(value, at, odd=odd)
        level = usual.level(at)
        seen = [min(max(each, 1e-6), 1e15) for _, each, _ in samples if math.isfinite(each)]
        assert level is None or min(seen) * 0.999 <= level <= max(seen) * 1.001


@given(st.sampled_from([math.nan, math.inf, -math.inf]), st.booleans())
def test_what_is_no_number_teaches_nothing(value: float, odd: bool) -> None:
    usual = Usual()
    end = taught(usual, MONDAY, 2 * LEAST, lambda _: 0.01)
    before = usual.dump()
    usual.learn(value, end, odd=odd)
    assert usual.dump() == before


@given(st.floats(0, 1e300), st.booleans())
def test_no_single_sample_moves_an_hour_by_more_than_its_reach(value: float, odd: bool) -> None:
    usual = Usual()
    end = taught(usual, MONDAY, timedelta(hours=1, minutes=10), lambda _: 0.01)
    usual.learn(value, end, odd=odd)
    assert abs(math.log((usual.level(end) or 0) / 0.01)) <= REACH_DOWN / 10
