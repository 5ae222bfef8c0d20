"""Which targets are in maintenance at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from monitor.core.model import Maintenance, Window
from monitor.core.planned import Planned

T0 = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ZONES = st.integers(min_value=-12, max_value=14).map(lambda hours: timezone(timedelta(hours=hours)))


def entry(*starts: datetime, lasts: timedelta = HOUR, targets: str = "a", reason: str = "r") -> Maintenance:
    return Maintenance(targets=frozenset(targets), starts=starts, lasts=lasts, reason=reason)


@dataclass(slots=True)
class Endless:
    """A window a day for ever, that tells how many were looked for."""

    taken: list[datetime] = field(default_factory=list)

    def __iter__(self) -> Iterator[datetime]:
        for day in count():
            self.taken.append(T0 + day * DAY)
            yield self.taken[-1]


def test_a_window_begins_at_its_begin_and_is_over_at_its_end() -> None:
    planned = Planned([entry(T0)])
    tick = timedelta(microseconds=1)
    window = Window(begins=T0, ends=T0 + HOUR, reason="r")
    asked = [T0 - tick, T0, T0 + HOUR - tick, T0 + HOUR, T0 + DAY]
    assert [planned("a", each) for each in asked] == [None, window, window, None, None]
    assert planned("b", T0) is None


def test_of_several_windows_the_one_that_ends_last_counts() -> None:
    planned = Planned([entry(T0, reason="short"), entry(T0, lasts=DAY, targets="ab", reason="long"), entry(T0)])
    window = planned("a", T0 + HOUR / 2)
    assert window is not None
    assert window.reason == "long"
    assert set(planned.at(T0)) == {"a", "b"}


def test_targets_are_known_until_their_last_window_is_over() -> None:
    planned = Planned([entry(T0, T0 + DAY), entry(T0 - DAY, targets="c")])
    asked = [T0, T0 + HOUR, T0 + DAY, T0 + DAY + HOUR]
    assert [planned.known(each) for each in asked] == [{"a": True}, {"a": False}, {"a": True}, {}]


def test_of_each_entry_the_work_that_is_now_or_next_is_told_the_first_begin_first() -> None:
    planned = Planned([entry(T0 + DAY, targets="b"), entry(T0, T0 + 2 * DAY, targets="ac"), entry(T0 - DAY)])
    told = [[(each.window.begins - T0, each.targets) for each in planned.works(at)] for at in (T0, T0 + HOUR)]
    assert told == [
        [(timedelta(), frozenset("ac")), (DAY, frozenset("b"))],
        [(DAY, frozenset("b")), (2 * DAY, frozenset("ac"))],
    ]


def test_an_endless_recurrence_is_looked_for_only_as_far_as_time_has_come() -> None:
    starts = Endless()
    planned = Planned([Maintenance(targets=frozenset("a"), starts=starts, lasts=HOUR, reason="r")])
    for minute in range(0, 3 * 24 * 60, 10):
        at = T0 + timedelta(minutes=minute)
        assert (planned("a", at) is not None) is (at.hour == T0.hour)
    assert len(starts.taken) == 4


@given(
    zones=st.lists(ZONES, min_size=1, max_size=4),
    hours=st.lists(st.integers(min_value=0, max_value=200), min_size=1, max_size=6, unique=True),
    lasts=st.integers(min_value=1, max_value=60),
    asked=st.lists(st.integers(min_value=-100, max_value=14_000), max_size=30),
)
def test_it_is_what_looking_at_every_window_says_whatever_the_zones_and_the_order(
    zones: list[timezone], hours: list[int], lasts: int, asked: list[int]
) -> None:
    starts = [(T0 + each * HOUR).astimezone(zones[each % len(zones)]) for each in sorted(hours)]
    length = timedelta(minutes=lasts)
    planned = Planned([entry(*starts, lasts=length)])
    for minute in asked:  # in any order: a clock may be set back
        now = T0 + timedelta(minutes=minute)
        window = planned("a", now.astimezone(zones[0]))
        expected = [each for each in starts if each <= now < each + length]
        assert ([window.begins] if window else []) == expected
