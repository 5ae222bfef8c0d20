"""How meetings went in their rooms, from intervals as a ledger gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.graph import Graph
from monitor.core.lasthour import ECHO, ECHO_RTT
from monitor.core.ledger import Interval, Span
from monitor.core.meetings import Calendar
from monitor.core.model import Cause, Incident, Meeting, Observation, Outcome, Reason, Session, State
from monitor.core.quality import (
    CALL_LOSS,
    CALLS,
    JITTER,
    Figures,
    Measured,
    Quality,
    RoomQuality,
    Ways,
    figures,
    judge,
)
from tests.core.correlating import T0, province

ROOM, LINE = "a/vc-endpoint", "a/tslcd"
MINUTE = timedelta(minutes=1)
SESSION = Session(T0, T0 + 120 * MINUTE, "weekly")
GRAPH = Graph(province().targets)


def at(minutes: float) -> timedelta:
    return minutes * MINUTE


def was(*pieces: tuple[float, State]) -> list[Interval]:
    """Each state from its minute on, to the end of the meeting."""
    ends = [*(minute for minute, _ in pieces[1:]), 120]
    return [Interval(T0 + at(begin), T0 + at(end), state) for (begin, state), end in zip(pieces, ends, strict=True)]


def incident(root: str, cause: Cause, *impact: str) -> Incident:
    return Incident(
        id=f"of-{root}", root=root, cause=cause, state=State.DOWN, began=T0, opened=T0, reason=Reason.TIMEOUT, impact=impact
    )  # fmt: skip


def went(past: Mapping[str, Sequence[Interval]], *incidents: Incident, graph: Graph = GRAPH) -> RoomQuality:
    whole = dict.fromkeys(graph.targets, was((0, State.UP)))
    (found,) = judge([ROOM], SESSION, {**whole, **past}, Ways(graph), incidents)
    return found


def test_a_room_that_was_well_with_all_that_it_needs_is_good() -> None:
    assert went({}) == RoomQuality(target=ROOM)
    assert went({"b/tslcd": was((0, State.DOWN)), "a/website": was((0, State.DOWN))}).quality is Quality.GOOD


def test_a_room_that_was_cut_off_says_when_for_how_long_and_by_what() -> None:
    past = was(
        (0, State.UP), (12, State.UNREACHABLE), (14, State.DOWN), (19, State.UP), (60, State.DOWN), (61, State.UP)
    )
    found = went({ROOM: past}, incident(LINE, Cause.LINK, ROOM, "a/switch"))
    assert (found.quality, found.of, found.cause, found.incident) == (Quality.CUT, LINE, Cause.LINK, "of-a/tslcd")
    assert found.times == (Span(T0 + at(12), T0 + at(19)), Span(T0 + at(60), T0 + at(61))), "what goes on is one time"
    assert found.seconds == 8 * 60


def test_a_blip_of_which_there_was_no_incident_is_told_of_the_room_itself() -> None:
    found = went({ROOM: was((0, State.UP), (50, State.DOWN), (50.1, State.UP))})
    assert (found.quality, found.of, found.cause, found.incident) == (Quality.CUT, ROOM, None, "")
    assert found.seconds == pytest.approx(6)


def test_for_how_long_it_was_cut_off_agrees_with_the_times_beside_it() -> None:
    began, ended = T0 + timedelta(seconds=0.9), T0 + timedelta(seconds=7.1)
    assert RoomQuality(target=ROOM, times=(Span(began, ended),), seconds=6.2).lasting == timedelta(seconds=7)


@pytest.mark.parametrize("way", [ROOM, "a/switch", LINE, "pop/router", "centre/core"])
def test_what_it_cannot_do_without_makes_it_poor_when_it_is_degraded(way: str) -> None:
    found = went({way: was((0, State.UP), (30, State.DEGRADED), (40, State.UP))}, incident(way, Cause.LINK))
    assert (found.quality, found.of, found.seconds) == (Quality.POOR, way, 600)
    assert found.incident == f"of-{way}"


def test_of_several_the_longest_is_named_and_of_equals_the_room_itself() -> None:
    short, long = was((0, State.DEGRADED), (5, State.UP)), was((0, State.DEGRADED), (50, State.UP))
    assert went({ROOM: short, LINE: long}).of == LINE
    assert went({ROOM: long, LINE: long}).of == ROOM


def test_the_other_line_of_its_site_counts_though_it_is_not_the_only_way() -> None:
    graph = Graph(province(two_ways=True).targets)
    assert went({"a/internet": was((0, State.DEGRADED))}, graph=graph).of == "a/internet"
    assert went({"centre/edge": was((0, State.DEGRADED))}, graph=graph).quality is Quality.GOOD


def test_what_was_hardly_seen_is_not_called_good() -> None:
    assert went({ROOM: was((0, State.UNKNOWN), (61, State.UP))}).quality is Quality.UNSEEN
    assert went({ROOM: was((0, State.UNKNOWN), (59, State.UP))}).quality is Quality.GOOD
    assert went({ROOM: []}).quality is Quality.UNSEEN
    assert went({ROOM: was((0, State.UNKNOWN), (119, State.DOWN))}).quality is Quality.CUT, "what was seen is told"


def test_the_worst_comes_first_and_what_left_the_inventory_is_left_out() -> None:
    past = {
        "a/vc-endpoint": was((0, State.DEGRADED)),
        "b/vc-endpoint": was((0, State.DOWN), (1, State.UP)),
        "c/vc-endpoint": was((0, State.DOWN), (9, State.UP)),
    }
    found = judge([*past, "gone/vc-endpoint"], SESSION, past, Ways(GRAPH), ())
    assert [each.target[0] for each in found] == ["c", "b", "a"]


def test_what_is_measured_is_kept_as_mean_and_worst() -> None:
    kept = Measured()
    for seconds, lost in ((0.010, 0.0), (0.030, 0.5)):
        values = {ECHO_RTT: seconds, JITTER: seconds / 10, 'probe_media_mos{profile="audio"}': 4.0 - lost}
        kept.note(Observation("c", LINE, T0, Outcome.OK, Reason.OK, values), ECHO, lost)
    kept.note(Observation("c", LINE, T0, Outcome.INCONCLUSIVE, Reason.LOCAL), ECHO, 1.0)
    kept.note(Observation("d", LINE, T0, Outcome.FAILED, Reason.TIMEOUT), "tcp", None)
    assert (kept.delay.mean, kept.delay.most) == (pytest.approx(0.020), 0.030)
    assert (kept.loss.mean, kept.loss.most, kept.loss.number) == (0.25, 0.5, 2)
    assert (kept.jitter.mean, kept.mos.least) == (pytest.approx(0.002), 3.5)
    assert Measured().loss.mean is None


def test_what_a_room_says_of_its_call_is_kept_while_it_is_in_one() -> None:
    kept = Measured()
    for calls, lost in ((0, 0.0), (1, 0.02), (2, 0.06), (0, 0.0)):
        kept.note(Observation("c", ROOM, T0, Outcome.OK, Reason.OK, {CALLS: calls, CALL_LOSS: lost}), "snmp", None)
    kept.note(Observation("c", ROOM, T0, Outcome.OK, Reason.OK, {CALLS: 1}), "snmp", None)
    assert figures(None, kept) == Figures(call_loss_mean=0.04, call_loss_worst=0.06)


STATES = st.lists(st.sampled_from(State), min_size=1, max_size=6)


@given(st.dictionaries(st.sampled_from([ROOM, LINE, "a/switch", "pop/router"]), STATES, max_size=4))
def test_whatever_the_ledger_says_there_is_one_word_and_its_times_lie_in_the_meeting(states) -> None:
    past = {target: was(*((10 * index, state) for index, state in enumerate(each))) for target, each in states.items()}
    found = went(past, incident("pop/router", Cause.SHARED, ROOM))
    assert 0 <= found.seconds <= 7200
    assert (found.quality in (Quality.CUT, Quality.POOR)) is bool(found.times)
    assert all(SESSION.begins <= each.since < each.until <= SESSION.ends for each in found.times)


def test_a_calendar_may_remember_what_ended_not_long_ago() -> None:
    sessions = tuple(replace_begin(hours) for hours in (0, 24, 48))
    calendar = Calendar({"weekly": Meeting(id="weekly", title="", rooms=(), sessions=sessions)}, MINUTE, 60 * MINUTE)
    seen = {hour: len(calendar.near(T0 + timedelta(hours=hour))) for hour in (-1, 0, 2, 2.99, 3, 23.99, 24, 26.5, 27)}
    assert seen == {-1: 0, 0: 1, 2: 1, 2.99: 1, 3: 0, 23.99: 1, 24: 1, 26.5: 1, 27: 0}


def replace_begin(hours: float) -> Session:
    begins = T0 + timedelta(hours=hours)
    return SESSION._replace(begins=begins, ends=begins + timedelta(hours=2))
