"""Lines: cut, lossy, fluttering, and two at a site."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.core.correlate import LATELY
from monitor.core.model import (
    Cause,
    Reason,
    State,
)
from monitor.core.ongoing import SETTLE, SETTLE_LONGEST
from monitor.core.seen import GRACE, HOLD_DOWN, HOLD_PATH_DEGRADED
from tests.core.correlating import CHANGED, OPENED, RECOVERED, REOPENED, T0, Replay, cut, mend, province

# -- a line ----------------------------------------------------------------------------------------------------------


def test_a_line_that_is_cut_is_one_incident_of_the_line_and_all_behind_it_is_unreachable() -> None:
    replay = Replay()
    replay.second = 100
    replay.down("a/tslcd", after=6)
    replay.down("a/router", "a/switch", "a/ups", "a/vc-endpoint")
    assert replay.events == [], "it waits, so that what failed with it can be seen too"
    replay.wait(HOLD_DOWN)
    (event,) = replay.events
    incident = event.incident
    assert (event.what, event.at) == (OPENED, T0 + timedelta(seconds=103))
    assert (incident.root, incident.cause, incident.state, incident.why) == (
        "a/tslcd",
        Cause.LINK,
        State.DOWN,
        "by-kind",
    )
    assert (incident.began, incident.opened) == (T0 + timedelta(seconds=94), event.at)
    assert (incident.closed, incident.reason) == (None, Reason.TIMEOUT)
    assert incident.impact == ("a/router", "a/switch", "a/ups", "a/vc-endpoint")
    assert incident.evidence == ("a/tslcd: down",)
    assert replay.state("a/tslcd") is State.DOWN
    assert replay.states(incident.impact) == {State.UNREACHABLE}
    assert replay.states(set(replay.inventory.targets) - {"a/tslcd", *incident.impact}) == {State.UP}
    replay.wait(600)
    assert replay.events == [event]


def test_what_is_behind_is_unreachable_though_it_was_seen_down_first() -> None:
    replay = Replay()
    replay.down("a/ups", "a/switch", "a/router", "a/vc-endpoint")
    assert replay.state("a/router") is State.DOWN
    replay.down("a/tslcd")
    assert replay.states(replay.behind("a/tslcd")) == {State.UNREACHABLE}
    replay.wait(60)
    assert replay.told == [(OPENED, "a/tslcd", Cause.LINK)]


def test_what_is_cut_off_is_so_since_it_and_the_way_to_it_are_silent_and_says_when_that_was_sure() -> None:
    replay = Replay()
    replay.wait(100)
    replay.down("a/router", after=6)
    replay.wait(1)
    replay.down("a/tslcd", after=4)
    held = replay.correlator.held["a/router"]
    assert (held.state, held.since, held.at) == (State.UNREACHABLE, T0 + timedelta(seconds=97), replay.now)
    replay.down("a/switch", after=2)
    assert replay.correlator.held["a/switch"].since == T0 + timedelta(seconds=99), "it answered until then"
    replay.down("centre/gateway", after=1)
    held = replay.correlator.held["a/router"]
    assert (held.state, held.since) == (State.UNKNOWN, T0 + timedelta(seconds=100))


def test_what_is_degraded_because_it_does_not_answer_behind_a_cut_line_is_unreachable() -> None:
    replay = Replay()
    replay.down("a/tslcd", "a/router", "a/switch")
    replay.degraded("a/ups", reason=Reason.TIMEOUT)
    replay.degraded("a/vc-endpoint", says="busy")
    assert replay.state("a/ups") is State.UNREACHABLE
    assert replay.state("a/vc-endpoint") is State.DEGRADED, "a limit is seen by an answer"


def test_everything_in_front_of_what_went_down_and_one_step_behind_it_is_asked_again() -> None:
    replay = Replay()
    replay.rechecked.clear()
    replay.down("a/tslcd")
    assert replay.rechecked == {"pop/router", "centre/core", "centre/gateway", "a/router"}


def test_a_line_that_is_well_for_the_settling_time_is_recovered_once() -> None:
    replay = Replay()
    cut(replay, "a/tslcd")
    replay.wait(60)
    replay.rechecked.clear()
    replay.up("a/tslcd", after=3)
    assert replay.rechecked >= {"a/router", "a/switch", "a/ups", "a/vc-endpoint"}
    replay.up(*replay.behind("a/tslcd"))
    replay.wait(SETTLE - timedelta(seconds=1))
    assert len(replay.events) == 1
    replay.wait(2)
    event = replay.events[-1]
    assert (event.what, event.incident.id) == (RECOVERED, replay.events[0].incident.id)
    assert event.incident.closed == T0 + timedelta(seconds=57), "since its first good answer"
    replay.wait(300)
    assert (len(replay.events), replay.open) == (2, ())


def test_a_line_that_flutters_stays_one_incident() -> None:
    replay = Replay()
    for _ in range(20):
        cut(replay, "a/tslcd")
        replay.wait(7)
        mend(replay, "a/tslcd")
        replay.wait(SETTLE - timedelta(seconds=1))
    replay.wait(60)
    assert [each.what for each in replay.events] == [OPENED, RECOVERED]


def test_a_line_that_is_well_again_within_the_hold_is_no_incident() -> None:
    replay = Replay()
    replay.down("a/tslcd")
    replay.wait(2)
    replay.up("a/tslcd")
    replay.wait(120)
    assert replay.events == []


def test_a_line_that_fails_again_soon_opens_its_incident_again_and_long_after_another() -> None:
    replay = Replay()
    for pause in (60, 20 * 60, 20 * 60):
        cut(replay, "a/tslcd")
        replay.wait(60)
        mend(replay, "a/tslcd")
        replay.wait(pause)
    assert [each.what for each in replay.events] == [OPENED, RECOVERED, REOPENED, RECOVERED, REOPENED, RECOVERED]
    assert [each.incident.times for each in replay.events] == [1, 1, 2, 2, 3, 3]
    assert len({(each.incident.id, each.incident.began, each.incident.opened) for each in replay.events}) == 1
    replay.wait(LATELY)
    cut(replay, "a/tslcd")
    replay.wait(10)
    assert replay.events[-1].what is OPENED
    assert replay.events[-1].incident.id != replay.events[0].incident.id


@pytest.mark.parametrize("half", [12, 15, 40])
def test_a_line_that_flaps_without_end_is_told_of_twice_and_then_only_when_it_is_calm(half: int) -> None:
    replay = Replay()
    for _ in range(3600 // (2 * half)):
        cut(replay, "a/tslcd")
        replay.wait(half)
        mend(replay, "a/tslcd")
        replay.wait(half)
    assert [each.what for each in replay.events] == [OPENED, RECOVERED, REOPENED]
    replay.wait(SETTLE_LONGEST)
    assert [each.what for each in replay.events[3:]] == [RECOVERED]
    replay.wait(LATELY)
    cut(replay, "a/tslcd")
    replay.wait(10)
    mend(replay, "a/tslcd")
    replay.wait(SETTLE + timedelta(seconds=1))
    assert [each.what for each in replay.events[4:]] == [OPENED, RECOVERED], "what was long ago does not count"


def test_one_that_answers_now_and_then_is_told_as_down_when_it_is_silent_or_after_half_a_minute() -> None:
    replay = Replay()
    replay.down("a/tslcd")
    for _ in range(4):
        replay.wait(2)
        replay.correlator.answered("a/tslcd", replay.now)
    assert replay.told == []
    replay.wait(HOLD_DOWN)
    assert replay.told == [(OPENED, "a/tslcd", Cause.LINK)]
    replay.down("b/tslcd")
    for _ in range(40):
        replay.wait(1)
        replay.correlator.answered("b/tslcd", replay.now)
    assert replay.told[1:] == [(OPENED, "b/tslcd", Cause.LINK)]
    assert replay.events[-1].at - replay.events[-1].incident.began == HOLD_PATH_DEGRADED
    replay.correlator.answered("c/tslcd", replay.now)
    assert replay.correlator.held["c/tslcd"].state is State.UP


def test_a_router_takes_over_the_incident_of_its_line_however_old_that_is() -> None:
    replay = Replay(province(two_ways=True))
    replay.down("centre/core")
    replay.wait(5)
    replay.down("pop/router", "a/tslcd", "b/tslcd", "c/tslcd")
    replay.down("a/internet", "a/router")
    replay.wait(10)
    assert (OPENED, "a/internet", Cause.LINK) in replay.told
    replay.up("centre/core", "pop/router", "b/tslcd", "c/tslcd")
    replay.wait(GRACE + timedelta(seconds=30))
    assert replay.told[-1][:2] in [(CHANGED, "a/router"), (RECOVERED, "centre/core")]
    assert [each.root for each in replay.open] == ["a/router"]


def test_two_lines_that_are_cut_together_are_two_incidents() -> None:
    replay = Replay()
    cut(replay, "a/tslcd")
    cut(replay, "b/tslcd")
    replay.wait(10)
    assert replay.told == [(OPENED, "a/tslcd", Cause.LINK), (OPENED, "b/tslcd", Cause.LINK)]


# -- degraded --------------------------------------------------------------------------------------------------------


def test_a_lossy_line_waits_longer_and_is_one_incident_with_what_is_lossy_behind_it() -> None:
    replay = Replay()
    replay.degraded("a/router", says="loss")
    replay.wait(5)
    replay.degraded("a/tslcd", says="loss")
    replay.wait(HOLD_PATH_DEGRADED - timedelta(seconds=6))
    assert replay.events == []
    replay.wait(120)
    assert replay.told == [(OPENED, "a/tslcd", Cause.LINK)]
    incident = replay.the_only()
    assert (incident.state, incident.says, incident.impact) == (State.DEGRADED, "loss", ("a/router",))


def test_what_goes_silent_behind_a_lossy_line_belongs_to_the_line() -> None:
    replay = Replay()
    replay.degraded("a/tslcd", says="loss")
    replay.wait(60)
    replay.down("a/vc-endpoint")
    replay.wait(60)
    assert replay.told == [(OPENED, "a/tslcd", Cause.LINK)]
    assert replay.the_only().impact == ("a/vc-endpoint",)


def test_a_line_that_goes_from_degraded_to_down_is_told_again_and_not_when_it_gets_better() -> None:
    replay = Replay()
    replay.degraded("a/tslcd", says="loss")
    replay.wait(60)
    cut(replay, "a/tslcd")
    replay.wait(30)
    assert [each.what for each in replay.events] == [OPENED, CHANGED]
    changed = replay.events[-1].incident
    assert (changed.state, changed.reason, changed.says) == (State.DOWN, Reason.TIMEOUT, "")
    assert changed.impact == ("a/router", "a/switch", "a/ups", "a/vc-endpoint")
    assert changed.evidence == ("a/tslcd: down", "a/tslcd: degraded loss")
    replay.up(*replay.behind("a/tslcd"))
    replay.degraded("a/tslcd", says="loss")
    replay.wait(60)
    assert len(replay.events) == 2
    assert replay.the_only().state is State.DOWN, "the worst that it has been"
    cut(replay, "a/tslcd")
    replay.wait(30)
    mend(replay, "a/tslcd")
    replay.wait(30)
    assert [each.what for each in replay.events] == [OPENED, CHANGED, RECOVERED]


def test_a_line_that_starts_down_and_is_then_degraded_is_told_once() -> None:
    replay = Replay()
    replay.down("a/tslcd")
    replay.wait(10)
    replay.degraded("a/tslcd", says="delay")
    replay.wait(60)
    assert [each.what for each in replay.events] == [OPENED]


@pytest.mark.parametrize(
    ("says", "reason"), [("", Reason.TIMEOUT), ("port-down", Reason.LIMIT), ("delay", Reason.LIMIT)]
)
def test_a_line_is_not_silent_because_the_core_is_slow_or_its_agent_does_not_answer(says: str, reason: Reason) -> None:
    replay = Replay()
    replay.degraded("centre/core", says=says, reason=reason)
    replay.wait(300)
    cut(replay, "a/tslcd")
    replay.wait(10)
    assert replay.told == [(OPENED, "centre/core", Cause.SHARED), (OPENED, "a/tslcd", Cause.LINK)]


def test_a_core_whose_agent_is_gone_does_not_take_over_a_line_that_was_just_cut() -> None:
    replay = Replay()
    cut(replay, "a/tslcd")
    replay.wait(10)
    replay.degraded("centre/core", reason=Reason.TIMEOUT)
    replay.wait(120)
    assert sorted(replay.told) == [(OPENED, "a/tslcd", Cause.LINK), (OPENED, "centre/core", Cause.SHARED)]


def test_a_port_of_the_router_does_not_take_over_a_line_that_is_lossy() -> None:
    replay = Replay()
    replay.degraded("a/tslcd", says="loss")
    replay.wait(HOLD_PATH_DEGRADED)
    replay.degraded("a/router", says="port-down")
    replay.wait(60)
    assert replay.told == [(OPENED, "a/tslcd", Cause.LINK), (OPENED, "a/router", Cause.DEVICE)]


def test_loss_in_the_core_is_one_incident_of_the_core() -> None:
    replay = Replay()
    for each in ("a/tslcd", "a/router", "centre/documents", "b/tslcd", "pop/router", "c/tslcd", "centre/core"):
        replay.degraded(each, says="loss")
        replay.wait(3)
    replay.wait(120)
    assert replay.told == [(OPENED, "centre/core", Cause.SHARED)]


# -- two lines -------------------------------------------------------------------------------------------------------


def test_all_lines_of_a_site_gone_together_are_its_router() -> None:
    replay = Replay()
    cut(replay, "a/tslcd")
    replay.wait(1)
    replay.down("a/internet")
    replay.wait(60)
    assert replay.told == [(OPENED, "a/router", Cause.DEVICE)]
    incident = replay.the_only()
    assert (incident.why, incident.state, incident.reason) == ("all-lines", State.DOWN, Reason.TIMEOUT)
    assert {"a/tslcd", "a/internet", "a/switch"} <= set(incident.impact)
    replay.up("a/tslcd", "a/internet", *replay.behind("a/tslcd"))
    replay.wait(60)
    assert [each.what for each in replay.events] == [OPENED, RECOVERED]


def test_a_line_that_was_told_before_the_other_went_too_is_taken_over_by_the_router() -> None:
    replay = Replay()
    cut(replay, "a/tslcd")
    replay.wait(10)
    replay.down("a/internet")
    replay.wait(60)
    assert replay.told == [(OPENED, "a/tslcd", Cause.LINK), (CHANGED, "a/router", Cause.DEVICE)]
    assert replay.events[0].incident.id == replay.the_only().id


def test_lines_that_go_before_their_router_was_ever_asked_are_its_incident_all_the_same() -> None:
    replay = Replay(province("a"), well=False)
    replay.down("a/tslcd")
    replay.wait(10)
    replay.down("a/internet")
    replay.wait(10)
    assert replay.told == [(OPENED, "a/tslcd", Cause.LINK), (CHANGED, "a/router", Cause.DEVICE)]
    assert (replay.the_only().state, replay.the_only().reason) == (State.DOWN, Reason.TIMEOUT)


def test_a_router_that_still_answers_is_not_recovered_while_all_its_lines_are_down() -> None:
    replay = Replay(province("a", two_ways=True))
    replay.down("a/tslcd", "a/internet")
    replay.wait(900)
    assert replay.told == [(OPENED, "a/router", Cause.DEVICE)]
    replay.up("a/tslcd", "a/internet")
    replay.wait(60)
    assert replay.told == [(OPENED, "a/router", Cause.DEVICE), (RECOVERED, "a/router", Cause.DEVICE)]


def test_lines_that_go_long_after_each_other_are_two_incidents() -> None:
    replay = Replay()
    cut(replay, "a/tslcd")
    replay.wait(HOLD_PATH_DEGRADED + timedelta(seconds=5))
    replay.down("a/internet")
    replay.wait(60)
    assert replay.told == [(OPENED, "a/tslcd", Cause.LINK), (OPENED, "a/internet", Cause.LINK)]


def test_when_the_other_line_is_back_the_incident_becomes_that_of_the_line_that_is_not() -> None:
    replay = Replay()
    cut(replay, "a/tslcd")
    replay.down("a/internet")
    replay.wait(30)
    replay.up("a/internet")
    replay.wait(SETTLE)
    assert len(replay.events) == 1
    replay.wait(2)
    assert replay.told == [(OPENED, "a/router", Cause.DEVICE), (CHANGED, "a/tslcd", Cause.LINK)]
    assert replay.the_only().why == "other-line-back"
    mend(replay, "a/tslcd")
    replay.wait(60)
    assert replay.told[-1] == (RECOVERED, "a/tslcd", Cause.LINK)


@pytest.mark.parametrize("first", ["a/router", "a/tslcd", "a/internet"])
def test_what_has_two_ways_is_cut_off_when_the_second_goes_whichever_was_seen_first(first: str) -> None:
    replay = Replay(province("a", two_ways=True))
    rest = [each for each in ("a/tslcd", "a/internet", "a/router", "a/switch") if each != first]
    for each in (first, *rest):
        replay.down(each)
    assert replay.states(["a/router", "a/switch"]) == {State.UNREACHABLE}
    replay.wait(60)
    assert replay.told == [(OPENED, "a/router", Cause.DEVICE)]


def test_a_router_that_dies_while_its_second_line_is_well_is_not_the_fault_of_the_first() -> None:
    replay = Replay(province("a", two_ways=True))
    replay.down("a/tslcd")
    replay.wait(600)
    cut(replay, "a/router")
    replay.wait(10)
    assert replay.told == [(OPENED, "a/tslcd", Cause.LINK), (OPENED, "a/router", Cause.DEVICE)]


def test_the_second_of_two_ways_hurts_what_it_leaves_cut_off() -> None:
    replay = Replay(province("a", two_ways=True))
    replay.down("a/tslcd")
    replay.wait(600)
    replay.down("a/internet", "a/router", "a/switch")
    replay.wait(10)
    (first, second) = replay.open
    assert first.impact == ()
    assert (second.root, second.impact) == ("a/internet", ("a/router", "a/switch"))
