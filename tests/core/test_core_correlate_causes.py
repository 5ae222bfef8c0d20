"""Whose fault it is: our own gateway, something within a site, the power."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.core.model import (
    Cause,
    Reason,
    Role,
    State,
)
from monitor.core.ongoing import SETTLE, SETTLE_LONGEST
from monitor.core.rename import incident_as
from monitor.core.root import POWER_MEMORY
from monitor.core.seen import GRACE, HOLD_DOWN
from tests.core.correlating import CHANGED, OPENED, RECOVERED, WITHDRAWN, Replay, cut, province, target

# -- our own gateway -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(15))
def test_when_our_own_gateway_is_gone_no_commune_is_blamed(seed: int) -> None:
    replay = Replay()
    order = list(replay.inventory.targets)
    random.Random(seed).shuffle(order)
    for each in order:
        replay.down(each)
        replay.wait(0.05)
    replay.wait(120)
    assert replay.told == [(OPENED, "centre/gateway", Cause.VANTAGE)]
    assert replay.the_only().why == "own-gateway"
    assert replay.state("centre/gateway") is State.DOWN
    assert replay.states(set(order) - {"centre/gateway"}) == {State.UNKNOWN}
    replay.up(*order)
    replay.wait(120)
    assert [each.what for each in replay.events] == [OPENED, RECOVERED]
    assert replay.states(order) == {State.UP}


def test_a_commune_that_was_blamed_too_early_is_taken_back_when_our_gateway_is_gone() -> None:
    replay = Replay()
    cut(replay, "a/tslcd")
    cut(replay, "b/tslcd")
    replay.wait(5)
    replay.down("centre/gateway")
    replay.wait(60)
    assert replay.the_only().cause is Cause.VANTAGE
    assert [(each.what, each.incident.root) for each in replay.events[2:]] == [
        (CHANGED, "centre/gateway"),
        (WITHDRAWN, "b/tslcd"),
    ]
    assert replay.states(["a/tslcd", "a/router"]) == {State.UNKNOWN}


def test_what_only_degrades_is_unknown_too_when_we_are_blind() -> None:
    replay = Replay()
    replay.down("centre/gateway")
    replay.degraded("a/router", reason=Reason.TIMEOUT)
    assert replay.state("a/router") is State.UNKNOWN
    replay.wait(120)
    assert replay.told == [(OPENED, "centre/gateway", Cause.VANTAGE)]


def test_a_lossy_gateway_of_our_own_is_the_vantage_and_no_line() -> None:
    replay = Replay()
    for each in ("a/tslcd", "b/tslcd", "c/internet", "centre/gateway"):
        replay.degraded(each, says="loss")
        replay.wait(2)
    replay.wait(120)
    assert replay.told == [(OPENED, "centre/gateway", Cause.VANTAGE)]


def test_when_we_see_again_what_is_really_down_is_told_and_what_is_behind_it_is_unreachable() -> None:
    replay = Replay()
    replay.down(*replay.inventory.targets)
    replay.wait(60)
    dead = {"a/tslcd", *replay.behind("a/tslcd")}
    replay.up("centre/gateway")
    assert replay.states(["centre/core", "centre/edge"]) == {State.DOWN}
    assert replay.states(replay.behind("centre/core")) == {State.UNREACHABLE}
    replay.up(*(each for each in replay.inventory.targets if each not in dead))
    assert replay.state("a/tslcd") is State.DOWN
    assert replay.states(replay.behind("a/tslcd")) == {State.UNREACHABLE}
    replay.wait(GRACE + timedelta(seconds=30))
    assert replay.told == [
        (OPENED, "centre/gateway", Cause.VANTAGE),
        (RECOVERED, "centre/gateway", Cause.VANTAGE),
        (OPENED, "a/tslcd", Cause.LINK),
    ]


def test_with_a_second_gateway_we_are_not_blind() -> None:
    inventory = province("a")
    second = target("centre/gateway-2", Role.DEVICE, "gateway", vantage=True)
    replay = Replay(replace(inventory, targets=inventory.targets | {second.id: second}))
    replay.down("centre/gateway")
    cut(replay, "a/tslcd")
    replay.wait(10)
    assert replay.state("a/tslcd") is State.DOWN
    replay.down("centre/gateway-2")
    assert replay.states(["a/tslcd", "a/router"]) == {State.UNKNOWN}


# -- inside a site ---------------------------------------------------------------------------------------------------


def test_a_switch_that_dies_with_all_behind_it_is_the_local_network() -> None:
    replay = Replay()
    cut(replay, "a/switch")
    replay.wait(10)
    assert replay.told == [(OPENED, "a/switch", Cause.LAN)]
    assert replay.the_only().why == "all-behind-switch"
    assert set(replay.the_only().impact) == {"a/ups", "a/vc-endpoint"}


def test_a_device_that_dies_alone_is_the_device() -> None:
    replay = Replay()
    replay.down("a/vc-endpoint")
    replay.wait(10)
    assert replay.told == [(OPENED, "a/vc-endpoint", Cause.DEVICE)]


def test_a_router_that_dies_behind_its_good_line_cuts_off_what_is_behind_it() -> None:
    replay = Replay()
    cut(replay, "a/router")
    replay.wait(10)
    assert replay.told == [(OPENED, "a/router", Cause.DEVICE)]
    assert replay.states(replay.behind("a/router")) == {State.UNREACHABLE}


@pytest.mark.parametrize("reason", [Reason.CONTENT, Reason.TIMEOUT, Reason.CERTIFICATE])
def test_a_service_that_fails_alone_is_the_service(reason: Reason) -> None:
    replay = Replay()
    replay.down("centre/documents", reason=reason)
    replay.wait(10)
    assert replay.told == [(OPENED, "centre/documents", Cause.SERVICE)]


def test_a_host_of_many_sites_that_dies_is_shared() -> None:
    replay = Replay()
    cut(replay, "centre/hosting")
    replay.wait(10)
    assert replay.told == [(OPENED, "centre/hosting", Cause.SHARED)]


def test_a_wrong_page_behind_a_lossy_line_is_the_page() -> None:
    replay = Replay()
    replay.degraded("centre/core", says="loss")
    replay.wait(60)
    replay.down("centre/documents", reason=Reason.CONTENT)
    replay.wait(10)
    assert replay.told[-1] == (OPENED, "centre/documents", Cause.SERVICE)


# -- power -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("says", ["on-battery", "low-battery"])
def test_a_ups_on_battery_is_a_power_cut_at_once(says: str) -> None:
    replay = Replay()
    replay.degraded("a/ups", says=says)
    replay.wait(HOLD_DOWN)
    assert replay.told == [(OPENED, "a/ups", Cause.POWER)]


@pytest.mark.parametrize("between", [1, 17, 600, 3600])
def test_darkness_after_the_ups_reported_battery_is_one_power_cut(between: float) -> None:
    replay = Replay()
    replay.degraded("a/ups", says="on-battery")
    replay.wait(between)
    cut(replay, "a/tslcd", every=0.5)
    replay.down("a/internet")
    replay.wait(120)
    assert [each for each in replay.told if each[0] is OPENED] == [(OPENED, "a/ups", Cause.POWER)]
    incident = replay.the_only()
    assert incident.why == "ups-on-battery"
    assert {"a/tslcd", "a/internet", "a/router", "a/switch", "a/vc-endpoint"} <= set(incident.impact)
    replay.up("a/tslcd", "a/internet", *replay.behind("a/tslcd"))
    replay.wait(60)
    assert (replay.told[-1][0], replay.open) == (RECOVERED, ())


def test_a_line_that_is_cut_when_the_ups_is_back_on_mains_is_a_line() -> None:
    replay = Replay()
    replay.degraded("a/ups", says="on-battery")
    replay.wait(60)
    replay.up("a/ups")
    replay.wait(60)
    cut(replay, "a/tslcd")
    replay.wait(10)
    assert replay.told[-1] == (OPENED, "a/tslcd", Cause.LINK)


@pytest.mark.parametrize(("later", "cause"), [(-5, Cause.POWER), (5, Cause.LINK)])
def test_a_battery_that_was_told_long_ago_does_not_explain_darkness(later: float, cause: Cause) -> None:
    replay = Replay()
    replay.degraded("a/ups", says="on-battery")
    replay.degraded("a/ups", says="busy")  # within the hold: no incident of the battery stands open
    replay.wait(POWER_MEMORY + timedelta(seconds=later))
    replay.correlator.open.clear()
    replay.events.clear()
    cut(replay, "a/tslcd")
    replay.wait(4)
    assert [each.incident.cause for each in replay.events] == [cause]


def test_an_old_battery_neither_hides_a_power_cut_nor_makes_one_of_what_comes_after() -> None:
    replay = Replay()
    replay.degraded("a/ups", says="replace-battery")
    replay.wait(3600)
    replay.degraded("a/ups", says="on-battery")
    replay.wait(5)
    assert replay.told == [(OPENED, "a/ups", Cause.DEVICE), (CHANGED, "a/ups", Cause.POWER)]
    assert (replay.the_only().says, replay.the_only().why) == ("on-battery", "ups-on-battery")
    cut(replay, "a/tslcd", every=0.5)
    replay.down("a/internet")
    replay.wait(120)
    assert "a/tslcd" in replay.the_only().impact
    replay.up("a/tslcd", "a/internet", *replay.behind("a/tslcd"))
    replay.degraded("a/ups", says="replace-battery")
    replay.wait(SETTLE - timedelta(seconds=2))
    assert replay.told[2:] == [], "mains that come and go are one power cut"
    replay.wait(5)
    assert replay.told[2:] == [(CHANGED, "a/ups", Cause.DEVICE)]
    assert (replay.the_only().says, replay.the_only().impact) == ("replace-battery", ())
    replay.wait(60)
    cut(replay, "a/tslcd")
    replay.wait(10)
    assert replay.told[3:] == [(OPENED, "a/tslcd", Cause.LINK)]


def test_a_power_cut_is_known_to_the_ledger_from_its_begin_to_its_end_whatever_the_ups_has_before_and_after() -> None:
    """An old battery is an incident of weeks: neither are all its lines excused for that long, nor is the power cut forgotten."""
    replay = Replay()
    replay.degraded("a/ups", says="replace-battery")
    replay.wait(3600)
    replay.degraded("a/ups", says="on-battery")
    failed = replay.now
    replay.wait(5)
    assert replay.the_only().dark_since == failed
    cut(replay, "a/tslcd", every=0.5)
    replay.down("a/internet")
    replay.wait(120)
    replay.up("a/tslcd", "a/internet", *replay.behind("a/tslcd"))
    replay.degraded("a/ups", says="replace-battery")
    replay.wait(SETTLE + timedelta(seconds=5))
    found = replay.the_only()
    ((since, until, targets),) = found.dark
    assert (found.cause, found.dark_since, since) == (Cause.DEVICE, None, failed)
    assert failed + timedelta(seconds=120) < until <= replay.now
    assert {"a/ups", "a/tslcd", "a/internet"} <= set(targets)


def test_a_power_cut_that_comes_back_keeps_what_the_one_before_hurt() -> None:
    replay = Replay()
    replay.degraded("a/ups", says="on-battery")
    replay.wait(30)
    cut(replay, "a/tslcd", every=0.5)
    replay.down("a/internet")
    replay.wait(60)
    replay.up("a/tslcd", "a/internet", "a/ups", *replay.behind("a/tslcd"))
    replay.wait(120)
    replay.degraded("a/ups", says="on-battery")
    again = replay.now
    replay.wait(60)
    found = replay.the_only()
    ((since, until, targets),) = found.dark
    assert incident_as(found, {"a/tslcd": "a/line"}).dark[0].targets == tuple(
        "a/line" if each == "a/tslcd" else each for each in targets
    )
    assert (found.times, found.impact, found.dark_since) == (2, (), again)
    assert since == found.began < until < again
    assert {"a/ups", "a/tslcd", "a/internet"} <= set(targets)


def test_mains_that_flutter_at_an_old_battery_are_told_of_twice_and_when_they_are_calm() -> None:
    replay = Replay()
    replay.degraded("a/ups", says="replace-battery")
    replay.wait(3600)
    for _ in range(9):
        replay.degraded("a/ups", says="on-battery")
        replay.wait(30)
        replay.degraded("a/ups", says="replace-battery")
        replay.wait(30)
    causes = [cause for what, _, cause in replay.told if what is CHANGED]
    assert causes == [Cause.POWER, Cause.DEVICE, Cause.POWER]
    replay.wait(SETTLE_LONGEST)
    assert replay.told[-1] == (CHANGED, "a/ups", Cause.DEVICE)


def test_what_is_not_back_with_the_power_has_an_incident_of_its_own() -> None:
    replay = Replay()
    replay.degraded("a/ups", says="on-battery")
    replay.wait(60)
    cut(replay, "a/tslcd")
    replay.wait(60)
    assert replay.told == [(OPENED, "a/ups", Cause.POWER)]
    replay.degraded("a/ups", says="hot")
    replay.wait(SETTLE + GRACE + timedelta(seconds=5))
    assert replay.told[1:] == [(CHANGED, "a/ups", Cause.DEVICE), (OPENED, "a/tslcd", Cause.LINK)]


def test_the_battery_of_another_commune_explains_nothing() -> None:
    replay = Replay()
    replay.degraded("a/ups", says="on-battery")
    replay.wait(10)
    cut(replay, "b/tslcd")
    replay.wait(10)
    assert replay.told == [(OPENED, "a/ups", Cause.POWER), (OPENED, "b/tslcd", Cause.LINK)]


def test_a_site_that_is_hosted_elsewhere_does_not_fail_for_want_of_power_or_lines_at_its_commune() -> None:
    replay = Replay()
    replay.degraded("a/ups", says="on-battery")
    replay.wait(10)
    replay.down("a/website", reason=Reason.CONTENT)
    replay.wait(10)
    replay.down("b/tslcd", "b/internet")
    replay.wait(10)
    replay.down("b/website", reason=Reason.CONTENT)
    replay.wait(10)
    assert replay.told == [
        (OPENED, "a/ups", Cause.POWER),
        (OPENED, "a/website", Cause.SERVICE),
        (OPENED, "b/router", Cause.DEVICE),
        (OPENED, "b/website", Cause.SERVICE),
    ]
