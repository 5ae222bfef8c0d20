"""Incidents over a new inventory, a restart, a clock that is set and what people do; and over whatever happens."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.correlate import LATELY
from monitor.core.model import (
    Acknowledgement,
    Cause,
    Happening,
    Incident,
    Reason,
    State,
)
from monitor.core.ongoing import SETTLE, SETTLE_FACTOR, SETTLE_LONGEST
from monitor.core.seen import GRACE, HOLD_DOWN
from tests.core.correlating import (
    ACKNOWLEDGED,
    CHANGED,
    OPENED,
    RECOVERED,
    REOPENED,
    T0,
    UNACKNOWLEDGED,
    WITHDRAWN,
    Replay,
    cut,
    mend,
    province,
)

# -- a new inventory, a restart --------------------------------------------------------------------------------------


def test_an_incident_whose_root_left_the_inventory_is_withdrawn() -> None:
    replay = Replay()
    cut(replay, "a/tslcd")
    cut(replay, "b/tslcd")
    replay.wait(10)
    decision = replay.correlator.adopt(province("b", "c"), replay.now)
    assert [(each.what, each.incident.root) for each in decision.events] == [(WITHDRAWN, "a/tslcd")]
    assert replay.the_only().root == "b/tslcd"
    replay.wait(60)
    assert len(replay.events) == 2


def test_a_change_of_a_target_that_is_gone_is_ignored() -> None:
    replay = Replay()
    replay.correlator.adopt(province("b"), replay.now)
    replay.down("a/tslcd")
    replay.wait(10)
    assert replay.events == []
    assert "a/tslcd" not in replay.correlator.held


def test_a_part_that_left_the_inventory_is_no_longer_hurt() -> None:
    replay = Replay()
    cut(replay, "pop/router")
    replay.wait(10)
    replay.correlator.adopt(province("b", "c"), replay.now)
    assert not any(each.startswith("a/") for each in replay.the_only().impact)


def test_a_battery_that_left_the_inventory_explains_nothing() -> None:
    replay = Replay()
    replay.degraded("a/ups", says="on-battery")
    replay.wait(10)
    rest = {id_: each for id_, each in replay.inventory.targets.items() if id_ != "a/ups"}
    replay.correlator.adopt(replace(replay.inventory, targets=rest), replay.now)
    replay.down("a/tslcd")
    replay.wait(10)
    assert replay.told[-1] == (OPENED, "a/tslcd", Cause.LINK)


def test_what_a_new_inventory_puts_behind_a_line_that_is_down_is_unreachable() -> None:
    replay = Replay(province("a"))
    router = replay.inventory.targets["a/router"]
    beside = replace(replay.inventory, targets=replay.inventory.targets | {router.id: replace(router, behind=())})
    replay.correlator.adopt(beside, replay.now)
    replay.down("a/tslcd", "a/router")
    assert replay.state("a/router") is State.DOWN
    replay.correlator.adopt(replay.inventory, replay.now)
    assert replay.state("a/router") is State.UNREACHABLE
    replay.wait(60)
    assert replay.told == [(OPENED, "a/tslcd", Cause.LINK)]


def trouble_of(root: str) -> tuple[Incident, ...]:
    before = Replay()
    if root == "a/ups":
        before.degraded(root, says="on-battery")
        before.wait(5)
        cut(before, "a/tslcd")
    elif root == "a/router":
        cut(before, "a/tslcd")
        before.down("a/internet")
    else:
        cut(before, root)
    before.wait(30)
    assert before.the_only().root == root
    return before.open


@pytest.mark.parametrize("root", ["a/tslcd", "a/router", "a/switch", "a/ups", "centre/core", "centre/gateway"])
def test_after_a_restart_the_same_trouble_is_not_told_again_but_its_end_is(root: str) -> None:
    replay = Replay(open_incidents=trouble_of(root), well=False)
    replay.second = 60
    bad = {root, *replay.behind(root)}
    if root in ("a/ups", "a/router"):
        bad |= {"a/tslcd", "a/internet", *replay.behind("a/tslcd")}
    for each in replay.inventory.targets:  # children first
        replay.turn(State.DOWN if each in bad else State.UP, each)
        replay.wait(0.2)
    replay.wait(120)
    assert replay.events == []
    assert replay.the_only().root == root
    replay.up(*replay.inventory.targets)
    replay.wait(60)
    assert [(each.what, each.incident.root) for each in replay.events] == [(RECOVERED, root)]


def test_what_became_well_while_the_daemon_was_stopped_is_recovered() -> None:
    replay = Replay(open_incidents=trouble_of("a/tslcd"))
    replay.wait(60)
    assert replay.told == [(RECOVERED, "a/tslcd", Cause.LINK)]


@pytest.mark.parametrize(("away", "what"), [(LATELY, REOPENED), (LATELY + timedelta(minutes=1), OPENED)])
def test_a_root_that_recovered_before_a_restart_may_come_back_after_it(away: timedelta, what: Happening) -> None:
    before = Replay()
    for _ in range(2):
        cut(before, "a/tslcd")
        before.wait(30)
        mend(before, "a/tslcd")
        before.wait(120)
    recovered = before.events[-1].incident
    assert (before.events[-1].what, recovered.times) == (RECOVERED, 2)
    assert recovered.closed is not None
    after = Replay(open_incidents=[recovered])
    assert after.open == ()
    after.second = (recovered.closed + away - T0).total_seconds()
    cut(after, "a/tslcd")
    after.wait(30)
    assert after.told == [(what, "a/tslcd", Cause.LINK)]
    again = after.the_only()
    assert (again.id == recovered.id, again.times) == ((True, 3) if what is REOPENED else (False, 1))
    mend(after, "a/tslcd")
    settle = SETTLE * SETTLE_FACTOR**2 if what is REOPENED else SETTLE
    after.wait(settle - timedelta(seconds=2))
    assert after.open == (again,)
    after.wait(4)
    assert after.open == ()


def test_how_often_an_open_incident_came_back_is_known_after_a_restart() -> None:
    (trouble,) = trouble_of("a/tslcd")
    after = Replay(open_incidents=[replace(trouble, times=2)])
    after.wait(SETTLE * SETTLE_FACTOR - timedelta(seconds=5))
    assert after.events == []
    after.wait(10)
    assert [each.what for each in after.events] == [RECOVERED]


def test_an_incident_goes_on_until_its_root_was_asked() -> None:
    replay = Replay(open_incidents=trouble_of("a/tslcd"), well=False)
    replay.wait(3600)
    assert (replay.events, replay.the_only().root) == ([], "a/tslcd")


@pytest.mark.parametrize("root", ["a/tslcd", "a/ups"])
def test_an_incident_whose_root_was_removed_while_the_daemon_was_stopped_is_withdrawn(root: str) -> None:
    replay = Replay(province("b", "c"), open_incidents=trouble_of(root))
    cut(replay, "b/tslcd")
    replay.wait(60)
    assert [(each.what, each.incident.root) for each in replay.events] == [(WITHDRAWN, root), (OPENED, "b/tslcd")]


# -- whatever happens ------------------------------------------------------------------------------------------------

turns = st.lists(
    st.tuples(
        st.sampled_from(sorted(province("a", "b").targets)),
        st.sampled_from(["down", "up", "loss", "delay", "on-battery", "silent", "refused"]),
        st.sampled_from([0.0, 0.5, 4.0, 40.0, 100.0]),
    ),
    max_size=60,
)


@given(turns=turns, two_ways=st.booleans())
@settings(max_examples=150)
def test_whatever_happens_each_incident_opens_once_ends_once_and_nothing_stays_open_when_all_is_well(
    turns: list[tuple[str, str, float]], two_ways: bool
) -> None:
    replay = Replay(province("a", "b", two_ways=two_ways))
    for each, what, pause in turns:
        if what == "up":
            replay.up(each)
        elif what == "down":
            replay.down(each)
        elif what == "refused":
            replay.down(each, reason=Reason.REFUSED)
        elif what == "silent":
            replay.turn(State.UNKNOWN, each, reason=Reason.STALE)
        else:
            replay.degraded(each, says=what)
        replay.wait(pause)
        roots = [incident.root for incident in replay.open]
        assert len(roots) == len(set(roots)), "never two incidents of one root"
    replay.up(*replay.inventory.targets)
    replay.wait(GRACE + SETTLE_LONGEST)
    assert replay.open == ()
    life: dict[str, list[Happening]] = {}
    for event in replay.events:
        life.setdefault(event.incident.id, []).append(event.what)
        assert event.incident.root not in event.incident.impact
        assert event.incident.closed is None or event.incident.closed >= event.incident.began
    for happened in life.values():
        told = " ".join(happened)
        assert re.fullmatch("opened( changed)*( recovered reopened( changed)*)* (recovered|withdrawn)", told), told


# -- the clock -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [1, -1])
@pytest.mark.parametrize("when", range(5))
def test_a_clock_that_is_set_changes_nothing_of_an_incident_but_the_hour(when: int, hours: int) -> None:
    def history(*, step: timedelta) -> list[tuple[Happening, str, datetime, timedelta, int]]:
        replay = Replay()
        stages = (
            lambda: replay.wait(1),
            lambda: replay.down("a/tslcd", "a/router"),
            lambda: replay.wait(HOLD_DOWN + timedelta(seconds=1)),
            lambda: replay.up("a/tslcd", "a/router"),
            lambda: replay.wait(5),
        )
        for number, stage in enumerate(stages):
            stage()
            if number == when:
                replay.second += step.total_seconds()
                replay.correlator.clock_set(step)
        replay.wait(SETTLE)
        return [
            (each.what, each.incident.root, each.at - step, each.at - each.incident.began, len(each.incident.impact))
            for each in replay.events
        ]

    plain, made = history(step=timedelta()), history(step=timedelta(hours=hours))
    assert [each[:2] for each in plain] == [(OPENED, "a/tslcd"), (RECOVERED, "a/tslcd")]
    assert made[-1] == plain[-1]
    assert [(what, root, lasted, impact) for what, root, _, lasted, impact in made] == [
        (what, root, lasted, impact) for what, root, _, lasted, impact in plain
    ]


def test_a_clock_that_is_set_moves_when_a_state_was_decided_with_when_it_began() -> None:
    replay = Replay()
    replay.down("a/tslcd", after=2)
    before = replay.correlator.held["a/tslcd"]
    replay.correlator.clock_set(timedelta(hours=1))
    after = replay.correlator.held["a/tslcd"]
    assert after.at is not None
    assert before.at is not None
    assert (after.since - before.since, after.at - before.at) == (timedelta(hours=1), timedelta(hours=1))


# -- who has it ------------------------------------------------------------------------------------------------------


def test_who_has_an_incident_stays_through_its_changes_until_it_comes_back() -> None:
    play = Replay()
    play.degraded("a/tslcd", says="loss")
    play.wait(60)
    (opened,) = play.correlator.incidents()
    hoa = Acknowledgement(by="hoa", at=play.now, note="called")
    play._take(play.correlator.acknowledge(opened.id, hoa, play.now))
    play.down("a/tslcd", "a/router")
    play.wait(60)
    play.up("a/tslcd", "a/router")
    play.wait(60)
    play.down("a/tslcd", "a/router")
    play.wait(60)
    assert [(each.what, each.incident.acknowledged) for each in play.events] == [
        (OPENED, None), (ACKNOWLEDGED, hoa), (CHANGED, hoa), (RECOVERED, hoa), (REOPENED, None),
    ]  # fmt: skip


def test_an_incident_can_be_given_back_and_taken_by_another() -> None:
    play = Replay()
    play.down("a/router")
    play.wait(60)
    (opened,) = play.correlator.incidents()
    for by in ("hoa", "lan", None):
        given = Acknowledgement(by=by, at=play.now) if by else None
        play._take(play.correlator.acknowledge(opened.id, given, play.now))
    assert [each.what for each in play.events] == [OPENED, ACKNOWLEDGED, ACKNOWLEDGED, UNACKNOWLEDGED]
    assert play.correlator.incidents()[0].acknowledged is None
