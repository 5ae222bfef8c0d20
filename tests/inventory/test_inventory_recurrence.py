"""Recurrences of RFC 5545: what they mean, and that nothing that is accepted is without end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import islice, pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.core.words import LOCAL
from monitor.inventory.recurrence import HORIZON_YEARS, LOOKED_AT, parse_rule, recur

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SUNDAY = datetime(2026, 11, 29, 22, 0, tzinfo=LOCAL)


def first(rule: str, start: datetime, many: int) -> list[datetime]:
    return list(islice(recur(rule, start, HOUR), many))


@pytest.mark.parametrize(
    ("rule", "start", "days"),
    [
        ("FREQ=WEEKLY;BYDAY=SU", SUNDAY, [29, 36, 43]),
        ("freq=weekly;interval=2", SUNDAY, [29, 43, 57]),
        ("FREQ=DAILY;COUNT=2", SUNDAY, [29, 30]),
        ("FREQ=DAILY;UNTIL=20261130T150000Z", SUNDAY, [29, 30]),
        ("FREQ=DAILY;UNTIL=20261130T145959Z", SUNDAY, [29]),
        ("FREQ=MONTHLY;BYDAY=-1SU", SUNDAY, [29, 57, 92]),
        ("FREQ=WEEKLY;BYDAY=SU,MO;WKST=MO", SUNDAY, [29, 30, 36]),
    ],
)
def test_days_are_those_of_the_zone_of_the_start(rule: str, start: datetime, days: list[int]) -> None:
    november = datetime(2026, 11, 1, 22, 0, tzinfo=LOCAL) - DAY
    assert first(rule, start, 3) == [november + day * DAY for day in days]


def test_early_on_sunday_in_viet_nam_is_sunday_though_it_is_saturday_in_utc() -> None:
    start = datetime(2026, 11, 29, 2, 0, tzinfo=LOCAL)
    assert [each.astimezone(UTC).weekday() for each in first("FREQ=WEEKLY;BYDAY=SU", start, 2)] == [5, 5]
    with pytest.raises(ValueError, match="on no day"):
        recur("FREQ=WEEKLY;BYDAY=SU", start.astimezone(UTC), HOUR)


def test_a_window_may_be_as_long_as_its_period_and_no_longer() -> None:
    recur("FREQ=DAILY", SUNDAY, DAY)
    with pytest.raises(ValueError, match="lasts 90001s, but comes again after 1d"):
        recur("FREQ=DAILY", SUNDAY, timedelta(seconds=90001))
    with pytest.raises(ValueError, match="comes again after 28d"):  # only from a February to its March
        recur("FREQ=MONTHLY", SUNDAY + 2 * DAY, timedelta(days=29))


def test_a_rule_that_never_comes_true_is_told() -> None:
    with pytest.raises(ValueError, match="on no day"):
        recur("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", SUNDAY, HOUR)


def test_nothing_lies_beyond_the_horizon() -> None:
    found = list(recur("FREQ=YEARLY", SUNDAY, HOUR))
    assert len(found) == HORIZON_YEARS
    assert list(recur("FREQ=YEARLY;UNTIL=99991231T000000Z", SUNDAY, HOUR)) == found


@pytest.mark.parametrize(
    "rule",
    [
        "", "FREQ", "FREQ=", "BYDAY=SU", "FREQ=DAILY;", "FREQ=DAILY;FREQ=DAILY", "FREQ=SECONDLY", "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;COUNT=0", "FREQ=DAILY;COUNT=2;UNTIL=20271231T000000Z", "FREQ=DAILY;UNTIL=20271231", "FREQ=DAILY;UNTIL=20271331T000000Z",
        "FREQ=DAILY;BYHOUR=1", "FREQ=DAILY;BYDAY=SU", "FREQ=WEEKLY;BYMONTH=1", "FREQ=YEARLY;BYMONTH=13", "FREQ=YEARLY;BYMONTH=-1", "FREQ=MONTHLY;BYDAY=0MO", "FREQ=MONTHLY;BYSETPOS=0",
        "RRULE:FREQ=DAILY", "FREQ=DAILY\nDTSTART:20200101T000000", "FREQ=DAILY;BYEASTER=1",
    ],
)  # fmt: skip
def test_what_is_not_in_form_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match=r"recurrence|RFC 5545"):
        parse_rule(rule)


PARTS = st.sampled_from(
    (
        "INTERVAL=2", "INTERVAL=13", "COUNT=3", "UNTIL=20280101T000000Z", "BYDAY=SU", "BYDAY=1MO,-1FR", "BYMONTH=2", "BYMONTHDAY=29",
        "BYMONTHDAY=-1", "BYSETPOS=1", "BYSETPOS=-1", "WKST=SU",
    )
)  # fmt: skip


@settings(max_examples=60)
@given(
    frequency=st.sampled_from(("DAILY", "WEEKLY", "MONTHLY", "YEARLY")),
    parts=st.lists(PARTS, max_size=3),
    start=st.datetimes(
        min_value=datetime(2000, 1, 1),  # noqa: DTZ001  the zone is drawn
        max_value=datetime(2099, 12, 31),  # noqa: DTZ001
        timezones=st.integers(min_value=-12, max_value=14).map(lambda each: timezone(timedelta(hours=each))),
    ),
    lasts=st.integers(min_value=1, max_value=60 * 24 * 40),
)
@example(frequency="YEARLY", parts=[], start=datetime(2028, 2, 29, tzinfo=UTC), lasts=1)
def test_whatever_is_accepted_begins_at_its_start_goes_forward_and_is_over_before_it_comes_again(
    frequency: str, parts: list[str], start: datetime, lasts: int
) -> None:
    begin = start.replace(microsecond=0)
    length = timedelta(minutes=lasts)
    try:
        starts = recur(";".join((f"FREQ={frequency}", *parts)), begin, length)
    except ValueError:
        return
    found = list(islice(starts, LOOKED_AT))
    assert found[0] == begin
    assert all(later - earlier >= length for earlier, later in pairwise(found))
    assert found == list(islice(starts, LOOKED_AT)), "each iteration begins anew"
