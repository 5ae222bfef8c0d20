"""Planned work: seen, and no incident."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from monitor.core.model import (
    Cause,
    Inventory,
    Maintenance,
    State,
)
from monitor.core.seen import GRACE
from tests.core.correlating import CHANGED, OPENED, RECOVERED, T0, Replay, province


def in_work(*targets: str, after: float = 0, lasts: float = 600, inventory: Inventory | None = None) -> Inventory:
    """The province with planned work at these, so many seconds after the begin."""
    entry = Maintenance(
        targets=frozenset(targets),
        starts=(T0 + timedelta(seconds=after),),
        lasts=timedelta(seconds=lasts),
        reason="work",
    )
    return replace(inventory or province(), maintenance=(entry,))


def test_what_is_in_maintenance_is_seen_and_opens_no_incident_nor_does_what_it_cuts_off() -> None:
    play = Replay(in_work("a/router"))
    play.down("a/router", "a/switch", "a/ups")
    play.wait(300)
    assert play.state("a/router") is State.DOWN
    assert play.states(["a/switch", "a/ups"]) == {State.UNREACHABLE}
    assert play.events == []
    play.up("a/router", "a/switch", "a/ups")
    play.wait(600)
    assert play.events == []


def test_what_is_still_bad_after_its_window_and_the_hold_opens_then_and_says_since_when() -> None:
    play = Replay(in_work("a/router"))
    play.wait(60)
    play.down("a/router")
    began = play.now
    play.wait(600 - 60 + 2.5)
    assert play.events == []
    play.wait(0.5)
    (event,) = play.events
    assert (event.what, event.incident.root, event.incident.began, event.incident.opened) == (
        OPENED, "a/router", began, play.now,
    )  # fmt: skip


def test_what_goes_down_moments_before_its_window_is_part_of_the_work() -> None:
    play = Replay(in_work("a/router", after=2))
    play.down("a/router")
    play.wait(300)
    assert play.events == []


def test_what_goes_down_in_its_window_whose_hold_ends_after_it_is_told() -> None:
    play = Replay(in_work("a/router"))
    play.wait(599)
    play.down("a/router")
    play.wait(20)
    assert [each.what for each in play.events] == [OPENED]


def test_an_incident_that_is_open_when_the_work_begins_goes_on() -> None:
    play = Replay(in_work("a/tslcd", after=60))
    play.degraded("a/tslcd", says="loss")
    play.wait(100)
    play.down("a/tslcd", "a/router")
    play.wait(60)
    play.up("a/tslcd", "a/router")
    play.wait(60)
    assert [each.what for each in play.events] == [OPENED, CHANGED, RECOVERED]


def test_trouble_that_work_in_front_explains_is_not_told_but_trouble_of_its_own_is() -> None:
    play = Replay(in_work("pop/router"))
    play.degraded("pop/router", "a/tslcd", says="loss")
    play.degraded("b/website", says="certificate-ends")
    play.wait(120)
    assert [each.incident.root for each in play.events] == ["b/website"]
    play.up("pop/router")
    play.wait(120)
    assert [each.incident.root for each in play.events] == ["b/website", "a/tslcd"], "the work no longer explains it"


def test_a_fault_in_front_of_work_is_told_and_hurts_it() -> None:
    play = Replay(in_work("a/router"))
    play.down("a/tslcd", "a/router", "a/switch")
    play.wait(60)
    (event,) = play.events
    assert event.incident.root == "a/tslcd"
    assert {"a/router", "a/switch"} <= set(event.incident.impact)


def test_lines_in_work_are_no_sign_of_something_in_common() -> None:
    communes = tuple("abcdefghij")
    inventory = province(*communes)
    works = [f"{each}/website" for each in communes[:6]]
    play = Replay(in_work(*works, inventory=inventory))
    play.degraded(*works, "g/website", says="slow")
    play.wait(120)
    (event,) = play.events
    assert (event.incident.root, event.incident.cause) == ("g/website", Cause.SERVICE)


def test_a_reload_that_lifts_the_work_lets_the_incident_open() -> None:
    play = Replay(in_work("a/router", lasts=86400))
    play.down("a/router")
    play.wait(60)
    play._take(play.correlator.adopt(province(), play.now))
    play.wait(GRACE)
    assert [each.what for each in play.events] == [OPENED]
