"""When meetings are held, and what threatens them, with explicit times."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.meetings import AHEAD, IMMINENT, Calendar, path_of, read_begins, urgent
from monitor.core.model import Cause, Happening, Importance, Incident, Meeting, Session, Severity, Weight
from monitor.core.ongoing import RISE, SETTLE
from monitor.core.rename import incident_as
from monitor.core.seen import HOLD_DOWN, HOLD_PATH_DEGRADED
from tests.core.correlating import T0, Replay, cut, mend, province
from tests.core.test_core_severity import weighed

MINOR, MAJOR, CRITICAL = Severity
HIGH = Importance.HIGH
HOUR = timedelta(hours=1)


def meeting(id_: str, *hours: float, rooms: Iterable[str] = (), importance: Importance = Importance.NORMAL) -> Meeting:
    """Held for two hours at these hours after T0."""
    begins = [T0 + hour * HOUR for hour in hours]
    return Meeting(
        id=id_, title=id_.title(), importance=importance, rooms=tuple(rooms),
        sessions=tuple(Session(each, each + 2 * HOUR, id_) for each in begins),
    )  # fmt: skip


def calendar(*meetings: Meeting) -> Calendar:
    return Calendar({each.id: each for each in meetings})


def named(sessions: Iterable[Session]) -> list[tuple[str, float]]:
    return [(each.meeting, (each.begins - T0) / HOUR) for each in sessions]


def held(*meetings: Meeting, **severities: Severity) -> Replay:
    """The small province with these meetings."""
    return Replay(replace(weighed(**severities), meetings={each.id: each for each in meetings}))


def threatened(incident: Incident) -> list[tuple[str, tuple[str, ...]]]:
    return [(each.meeting, each.rooms) for each in incident.meetings]


# -- the calendar ------------------------------------------------------------------------------------------------------


def test_near_is_what_runs_or_comes_within_a_day_the_first_begin_first() -> None:
    found = calendar(meeting("a", -3, -1, 30), meeting("b", -5, 2, 24, 24.1))
    assert named(found.near(T0)) == [("a", -1), ("b", 2), ("b", 24)]
    assert named(found.near(T0 + HOUR)) == [("b", 2), ("b", 24), ("b", 24.1)], "what ends now is over"


def test_it_is_the_same_tuple_until_something_turns() -> None:
    found = calendar(meeting("a", 3))
    near = found.near(T0)
    assert found.near(T0 + 2 * HOUR - timedelta(seconds=1)) is near
    about_to_begin = found.near(T0 + 2 * HOUR)
    assert about_to_begin is not near
    assert about_to_begin == near
    assert found.near(T0 + 3 * HOUR) is not about_to_begin
    assert found.pending
    assert found.near(T0 + 5 * HOUR) == ()
    assert not found.pending, "nothing will ever come"


def test_a_clock_that_is_set_back_finds_what_was_over() -> None:
    found = calendar(meeting("a", 1))
    assert found.near(T0 + 9 * HOUR) == ()
    assert named(found.near(T0)) == [("a", 1)]


@given(
    st.lists(st.lists(st.floats(-50, 50).map(lambda hour: round(hour, 1)), max_size=6).map(sorted), max_size=4),
    st.lists(st.floats(-60, 60), min_size=1, max_size=8),
)
def test_however_it_is_asked_it_says_what_a_list_of_all_would(hours: list[list[float]], asked: list[float]) -> None:
    meetings = [meeting(f"m{number}", *each) for number, each in enumerate(hours)]
    everything = [session for each in meetings for session in each.sessions]
    found = calendar(*meetings)
    for hour in asked:
        now = T0 + hour * HOUR
        assert list(found.near(now)) == sorted(
            each for each in everything if each.begins <= now + AHEAD and now < each.ends
        )


# -- what is threatened ------------------------------------------------------------------------------------------------


def test_an_incident_names_the_meetings_whose_rooms_it_cuts_off_and_no_others() -> None:
    replay = held(
        meeting("mine", 3, rooms=["a/vc-endpoint", "b/vc-endpoint", "c/vc-endpoint"]), meeting("other", 3, rooms=["b/vc-endpoint"]),
        meeting("far", 48, rooms=["a/vc-endpoint"]), meeting("over", -9, rooms=["a/vc-endpoint"]),
    )  # fmt: skip
    cut(replay, "a/tslcd")
    replay.wait(HOLD_DOWN)
    assert threatened(replay.the_only()) == [("mine", ("a/vc-endpoint",))]
    assert replay.the_only().meetings[0].begins == T0 + 3 * HOUR


def test_the_room_itself_and_what_else_the_meeting_needs_count_too() -> None:
    replay = held(meeting("m", 3, rooms=["a/vc-endpoint", "centre/documents"]))
    replay.down("a/vc-endpoint")
    replay.wait(10)
    assert threatened(replay.the_only()) == [("m", ("a/vc-endpoint",))]
    replay.down("centre/documents")
    replay.wait(10)
    assert [threatened(each) for each in replay.correlator.incidents()][1:] == [[("m", ("centre/documents",))]]


def test_a_lossy_line_threatens_the_room_that_has_no_other_though_it_still_answers() -> None:
    replay = held(meeting("m", 3, rooms=["a/vc-endpoint"]))
    replay.degraded("a/tslcd", says="loss")
    replay.wait(HOLD_PATH_DEGRADED)
    assert threatened(replay.the_only()) == [("m", ("a/vc-endpoint",))]
    assert replay.the_only().impact == ()


def test_a_line_beside_another_threatens_nobody() -> None:
    inventory = replace(province(two_ways=True), meetings={"m": meeting("m", 3, rooms=["a/vc-endpoint"])})
    replay = Replay(inventory)
    replay.down("a/tslcd")
    replay.wait(HOLD_DOWN)
    assert threatened(replay.the_only()) == []


def test_where_power_is_cut_every_room_of_the_site_is_threatened() -> None:
    replay = held(meeting("m", 3, rooms=["a/vc-endpoint", "b/vc-endpoint"]))
    replay.degraded("a/ups", says="on-battery")
    replay.wait(10)
    assert replay.the_only().cause is Cause.POWER
    assert threatened(replay.the_only()) == [("m", ("a/vc-endpoint",))]


def test_when_we_are_blind_no_meeting_is_threatened_by_that() -> None:
    replay = held(meeting("m", 3, rooms=["a/vc-endpoint"]))
    replay.down("centre/gateway")
    replay.wait(10)
    assert replay.the_only().cause is Cause.VANTAGE
    assert threatened(replay.the_only()) == []


def test_a_meeting_that_comes_near_while_an_incident_is_open_is_named_then() -> None:
    replay = held(meeting("m", 24 + 0.01, rooms=["a/vc-endpoint"]))
    cut(replay, "a/tslcd")
    replay.wait(HOLD_DOWN)
    assert threatened(replay.the_only()) == []
    assert replay.correlator.waits, "time alone will change it"
    replay.wait(40)
    assert threatened(replay.the_only()) == [("m", ("a/vc-endpoint",))]
    assert len(replay.events) == 1, "nobody is mailed for that"


def test_what_it_disturbed_stays_named_and_what_it_only_threatened_does_not() -> None:
    replay = held(meeting("ran", -1, rooms=["a/vc-endpoint"]), meeting("comes", 9, rooms=["b/vc-endpoint"]))
    cut(replay, "a/tslcd")
    replay.wait(HOLD_DOWN)
    replay.second = 3600.0
    replay.wait(1)
    assert threatened(replay.the_only()) == [("ran", ("a/vc-endpoint",))], "it is over, and was disturbed"
    mend(replay, "a/tslcd")
    replay.wait(SETTLE + timedelta(seconds=1))
    assert replay.events[-1].what is Happening.RECOVERED
    assert threatened(replay.events[-1].incident) == [("ran", ("a/vc-endpoint",))]


# -- how much it matters -----------------------------------------------------------------------------------------------


def test_an_important_meeting_that_runs_or_is_about_to_begin_makes_it_one_step_more_severe() -> None:
    for hours, severity, raised in ((-1, CRITICAL, "m"), (1, CRITICAL, "m"), (1.1, MAJOR, ""), (-2, MAJOR, "")):
        replay = held(meeting("m", hours, rooms=["a/vc-endpoint"], importance=HIGH))
        cut(replay, "a/tslcd")
        replay.wait(HOLD_DOWN)
        found = replay.the_only()
        assert (found.severity, found.weight) == (severity, Weight(target="a/tslcd", meeting=raised)), hours


def test_a_meeting_of_normal_importance_does_not() -> None:
    replay = held(meeting("m", 0, rooms=["a/vc-endpoint"]))
    cut(replay, "a/tslcd")
    replay.wait(HOLD_DOWN)
    assert (replay.the_only().severity, replay.the_only().weight) == (MAJOR, Weight(target="a/tslcd"))


def test_when_it_is_about_to_begin_those_who_were_told_less_are_told() -> None:
    replay = held(meeting("m", 1.01, rooms=["a/vc-endpoint"], importance=HIGH))
    cut(replay, "a/tslcd")
    replay.wait(HOLD_DOWN)
    assert replay.the_only().severity is MAJOR
    replay.wait(timedelta(seconds=36) + RISE)
    told = replay.events[-1]
    assert told.what is Happening.CHANGED
    assert told.incident.severity is CRITICAL
    assert told.incident.weight == Weight(target="a/tslcd", meeting="m", rose_from=MAJOR)
    assert len(replay.events) == 2


def test_what_is_highest_already_is_not_raised_by_it() -> None:
    replay = held(meeting("m", 0, rooms=["a/vc-endpoint"], importance=HIGH), a_tslcd=CRITICAL)
    cut(replay, "a/tslcd")
    replay.wait(HOLD_DOWN)
    assert replay.the_only().weight == Weight(target="a/tslcd")


def test_the_most_urgent_is_an_important_one_and_of_those_the_first() -> None:
    replay = held(
        meeting("first", 0, rooms=["a/vc-endpoint"]),
        meeting("important", 0.5, rooms=["a/vc-endpoint"], importance=HIGH),
    )
    cut(replay, "a/tslcd")
    replay.wait(HOLD_DOWN)
    found = urgent(replay.the_only().meetings, replay.now)
    assert found is not None
    assert found.meeting == "important"
    assert urgent(replay.the_only().meetings, T0 + 9 * HOUR) is None
    assert IMMINENT == HOUR


def test_rooms_are_named_by_their_present_ids() -> None:
    replay = held(meeting("m", 3, rooms=["a/vc-endpoint"]))
    cut(replay, "a/tslcd")
    replay.wait(HOLD_DOWN)
    now = incident_as(replay.the_only(), {"a/vc-endpoint": "z/vc-endpoint"})
    assert threatened(now) == [("m", ("z/vc-endpoint",))]


def test_a_reload_that_brings_a_meeting_names_it() -> None:
    replay = held()
    cut(replay, "a/tslcd")
    replay.wait(HOLD_DOWN)
    after = replace(replay.inventory, meetings={"m": meeting("m", 3, rooms=["a/vc-endpoint"])})
    replay.correlator.adopt(after, replay.now)
    replay.wait(1)
    assert threatened(replay.the_only()) == [("m", ("a/vc-endpoint",))]


@pytest.mark.parametrize("seconds", [0, 30])
def test_a_session_is_found_by_its_path(seconds: int) -> None:
    begins = T0 + timedelta(seconds=seconds)
    meeting, _, at = path_of("weekly", begins).removeprefix("/meetings/").partition("/")
    assert (meeting, read_begins(at)) == ("weekly", begins)
    assert at == ("2026-11-24T12:00:30" if seconds else "2026-11-24T12:00")


@pytest.mark.parametrize(
    ("text", "is_time"),
    [("2026-11-24T05:00:00Z", True), ("", False), ("yesterday", False), ("9" * 99, False), ("0001-01-01", False)],
)
def test_only_a_time_names_a_session(text: str, is_time: bool) -> None:
    assert read_begins(text) == (T0 if is_time else None)
