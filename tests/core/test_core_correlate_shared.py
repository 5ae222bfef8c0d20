"""What lines and parts of the province have in common fails: one incident."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.correlate import TAKE_OVER
from monitor.core.graph import Graph
from monitor.core.model import (
    Cause,
    Inventory,
    Reason,
    Role,
    Site,
    State,
)
from monitor.core.ongoing import SETTLE
from monitor.core.seen import GRACE, HOLD_DOWN, HOLD_PATH_DEGRADED
from tests.core.correlating import (
    CHANGED,
    COMMUNES,
    OPENED,
    RECOVERED,
    T0,
    WITHDRAWN,
    Replay,
    commune,
    cut,
    mend,
    province,
    target,
)


def many_lines(*, areas: int = 4, lines: int = 6) -> Inventory:
    """Communes with an internet line each, in areas; the exchange of an area is in no inventory."""
    sites = {f"s{area}-{index}": f"area {area}" for area in range(areas) for index in range(lines)}
    targets = [
        *(
            replace(target(f"{site}/internet", Role.LINK, "internet", "centre/edge"), provider="vnpt", circuit=site)
            for site in sites
        ),
        target("centre/edge", Role.DEVICE, "router", "centre/gateway"),
        target("centre/gateway", Role.DEVICE, "gateway", vantage=True),
    ]
    return Inventory(
        sites={each.site: Site(id=each.site, name=each.site, area=sites.get(each.site, "")) for each in targets},
        targets={each.id: each for each in targets},
        providers={},
    )


def test_lines_of_one_area_that_fail_together_are_one_incident_of_what_they_have_in_common() -> None:
    replay = Replay(many_lines())
    for index in range(6):
        replay.down(f"s1-{index}/internet", after=0.2)
    replay.wait(10)
    assert replay.told == [(OPENED, "s1-0/internet", Cause.SHARED)]
    incident = replay.events[0].incident
    assert incident.shared is not None
    assert incident.shared.by == (("area", "area 1"),), "all lines have their provider and the edge in common"
    assert (incident.shared.hurt, incident.shared.of, incident.shared.elsewhere, incident.shared.others) == (
        6,
        6,
        0,
        18,
    )
    assert set(incident.impact) == {f"s1-{index}/internet" for index in range(1, 6)}
    replay.up(*(f"s1-{index}/internet" for index in range(3)))
    replay.wait(60)
    assert len(replay.told) == 1, "three are still down"
    replay.up(*(f"s1-{index}/internet" for index in range(3, 6)))
    replay.wait(SETTLE + timedelta(seconds=1))
    assert replay.told[1:] == [(RECOVERED, "s1-0/internet", Cause.SHARED)]


def test_one_that_stays_down_when_the_others_are_back_is_an_incident_of_its_own() -> None:
    replay = Replay(many_lines())
    replay.down(*(f"s1-{index}/internet" for index in range(6)))
    replay.wait(30)
    replay.up(*(f"s1-{index}/internet" for index in range(5)))
    replay.wait(GRACE + timedelta(seconds=5))
    assert replay.told[1:] == [
        (RECOVERED, "s1-0/internet", Cause.SHARED),
        (OPENED, "s1-5/internet", Cause.LINK),
    ]


def test_a_line_that_was_told_before_its_neighbours_failed_too_becomes_a_part() -> None:
    replay = Replay(many_lines())
    replay.down("s1-0/internet")
    replay.wait(15)
    replay.down(*(f"s1-{index}/internet" for index in range(1, 6)))
    replay.wait(10)
    assert replay.told == [(OPENED, "s1-0/internet", Cause.LINK), (CHANGED, "s1-0/internet", Cause.SHARED)]


@pytest.mark.parametrize("hurt", [("s1-0", "s1-1"), ("s0-0", "s1-0", "s2-0"), ("s1-0", "s1-1", "s1-2")], ids=str)
def test_a_few_lines_that_fail_together_by_chance_are_incidents_of_their_own(hurt: tuple[str, ...]) -> None:
    replay = Replay(many_lines())
    replay.down(*(f"{each}/internet" for each in hurt))
    replay.wait(10)
    assert {what[2] for what in replay.told} == {Cause.LINK}
    assert len(replay.told) == len(hurt)


@pytest.mark.parametrize("seconds", [18, 22])
def test_pages_that_tell_late_of_an_outage_of_their_host_are_no_incidents_of_their_own(seconds: int) -> None:
    replay = Replay()
    replay.down("centre/hosting")
    replay.wait(seconds)
    replay.up("centre/hosting")
    replay.wait(4)
    replay.down(*(f"{each}/website" for each in COMMUNES), after=10)  # the third failed run has ended only now
    replay.wait(20)
    replay.up(*(f"{each}/website" for each in COMMUNES))
    replay.wait(300)
    assert replay.told == [(OPENED, "centre/hosting", Cause.SHARED), (RECOVERED, "centre/hosting", Cause.SHARED)]


def test_a_page_that_fails_after_its_host_was_mended_is_an_incident_without_the_grace() -> None:
    replay = Replay()
    replay.down("centre/hosting")
    replay.wait(20)
    replay.up("centre/hosting")
    replay.wait(20)
    replay.down("a/website", after=5)
    replay.wait(HOLD_DOWN + timedelta(seconds=1))
    assert replay.told[-1] == (OPENED, "a/website", Cause.SERVICE)


# -- the core --------------------------------------------------------------------------------------------------------


def assert_one_incident_of_the_core(replay: Replay) -> None:
    incident = replay.the_only()
    assert (incident.root, incident.cause, incident.why) == ("centre/core", Cause.SHARED, "many-sites")
    assert set(incident.impact) == set(replay.behind("centre/core"))
    assert replay.state("centre/core") is State.DOWN
    assert replay.states(incident.impact) == {State.UNREACHABLE}
    assert replay.states(["a/internet", "centre/edge", "centre/gateway"]) == {State.UP}


def test_a_core_that_is_cut_is_one_shared_incident() -> None:
    replay = Replay()
    cut(replay, "centre/core")
    replay.wait(120)
    assert_one_incident_of_the_core(replay)
    assert replay.told == [(OPENED, "centre/core", Cause.SHARED)]
    mend(replay, "centre/core")
    replay.wait(120)
    assert [each.what for each in replay.events] == [OPENED, RECOVERED]


@given(order=st.permutations(sorted([*Graph(province().targets).behind("centre/core"), "centre/core"])))
@settings(max_examples=150)
def test_in_whatever_order_a_province_reports_within_the_hold_one_incident_opens(order: list[str]) -> None:
    replay = Replay()
    for each in order:
        replay.down(each)
        replay.wait(0.1)
    replay.wait(120)
    assert_one_incident_of_the_core(replay)
    assert replay.told == [(OPENED, "centre/core", Cause.SHARED)]


@pytest.mark.parametrize("seed", range(40))
def test_however_late_the_core_reports_its_parts_end_in_one_incident(seed: int) -> None:
    chance = random.Random(seed)
    replay = Replay()
    order = [*replay.behind("centre/core"), "centre/core"]
    chance.shuffle(order)
    for each in order:
        replay.down(each)
        replay.wait(chance.choice([0, 0.5, 1, 4]))
    replay.wait(120)
    assert_one_incident_of_the_core(replay)
    opened = {each.incident.id for each in replay.events if each.what is OPENED}
    withdrawn = {each.incident.id for each in replay.events if each.what is WITHDRAWN}
    assert opened - withdrawn == {replay.the_only().id}
    mend(replay, "centre/core")
    replay.wait(120)
    assert replay.open == ()
    assert [each.what for each in replay.events if each.incident.closed].count(RECOVERED) == 1


def test_a_part_that_was_told_early_becomes_the_incident_of_the_root_and_the_others_are_withdrawn() -> None:
    replay = Replay()
    replay.down("a/tslcd")
    replay.wait(4)
    replay.down("b/tslcd")
    replay.wait(4)
    replay.down("pop/router", "c/tslcd")
    replay.wait(10)
    assert [(each.what, each.incident.root) for each in replay.events] == [
        (OPENED, "a/tslcd"),
        (OPENED, "b/tslcd"),
        (CHANGED, "pop/router"),
        (WITHDRAWN, "b/tslcd"),
    ]
    incident = replay.the_only()
    assert incident.id == replay.events[0].incident.id
    assert (incident.cause, incident.began, incident.closed) == (Cause.SHARED, T0, None)
    assert set(incident.impact) == set(replay.behind("pop/router"))
    assert incident.evidence[0] == "pop/router: down"


def test_a_root_that_fails_long_after_a_part_is_another_cause() -> None:
    replay = Replay()
    cut(replay, "a/tslcd")
    replay.wait(TAKE_OVER + timedelta(seconds=1))
    cut(replay, "pop/router")
    replay.wait(60)
    assert replay.told == [(OPENED, "a/tslcd", Cause.LINK), (OPENED, "pop/router", Cause.SHARED)]
    assert replay.state("a/tslcd") is State.UNREACHABLE
    mend(replay, "pop/router", but="a/tslcd")
    replay.wait(200)
    assert replay.the_only().root == "a/tslcd"
    assert [each.what for each in replay.events] == [OPENED, OPENED, RECOVERED]


def test_a_root_that_it_takes_long_to_be_sure_of_takes_over_what_began_with_it() -> None:
    replay = Replay()
    replay.degraded("a/tslcd", "b/tslcd", says="delay")
    replay.wait(HOLD_PATH_DEGRADED + timedelta(seconds=10))
    assert [each.what for each in replay.events] == [OPENED, OPENED], "of two nobody can say that they are one"
    replay.wait(TAKE_OVER)
    replay.degraded("pop/router", says="delay", after=60)
    replay.wait(HOLD_PATH_DEGRADED + timedelta(seconds=10))
    assert replay.told[2:] == [(CHANGED, "pop/router", Cause.SHARED), (WITHDRAWN, "b/tslcd", Cause.LINK)]
    assert replay.the_only().began == T0


@pytest.mark.parametrize(("says", "taken"), [("delay", True), ("errors", False)])
def test_what_is_behind_the_same_thing_and_failed_together_is_its_incident_when_it_is_found_bad_at_any_time(
    says: str, taken: bool
) -> None:
    names = [f"c{index}" for index in range(6)]
    others = {each.id: each for index in range(30) for each in commune(f"o{index}")}
    bare = province(*names)
    targets = {
        id_: replace(each, behind=("centre/edge",)) if each.kind == "tslcd" else each for id_, each in others.items()
    }
    sites = {each.site: Site(id=each.site, name=each.site) for each in targets.values()}
    replay = Replay(replace(bare, targets={**bare.targets, **targets}, sites={**bare.sites, **sites}))
    lines = [f"{each}/tslcd" for each in names]
    replay.degraded(*lines, says="delay")
    replay.wait(HOLD_PATH_DEGRADED + timedelta(seconds=10))
    shared = replay.the_only().shared
    assert shared is not None
    assert ("behind", "pop/router") in shared.by
    replay.wait(TAKE_OVER * 5)
    replay.degraded("pop/router", says=says)
    replay.wait(HOLD_PATH_DEGRADED + timedelta(seconds=10))
    assert replay.told[1:] == [(CHANGED if taken else OPENED, "pop/router", Cause.SHARED)]
    assert len(replay.open) == (1 if taken else 2)


def test_a_page_with_a_wrong_text_is_not_taken_over_by_the_core() -> None:
    replay = Replay()
    replay.down("centre/documents", reason=Reason.CONTENT)
    replay.wait(10)
    cut(replay, "centre/core")
    replay.wait(60)
    assert replay.told == [(OPENED, "centre/documents", Cause.SERVICE), (OPENED, "centre/core", Cause.SHARED)]


def test_what_comes_back_badly_from_behind_a_mended_root_is_an_incident_of_its_own_after_the_grace() -> None:
    replay = Replay()
    cut(replay, "centre/core")
    replay.wait(60)
    mend(replay, "centre/core", but="b/router")
    replay.wait(GRACE - timedelta(seconds=1))
    assert [each.what for each in replay.events] == [OPENED, RECOVERED]
    assert replay.state("b/router") is State.DOWN
    assert replay.states(replay.behind("b/router")) == {State.UNREACHABLE}
    replay.wait(2)
    assert replay.told[-1] == (OPENED, "b/router", Cause.DEVICE)
    replay.wait(300)
    assert len(replay.events) == 3


def test_another_answer_within_the_grace_does_not_shorten_it() -> None:
    replay = Replay()
    cut(replay, "a/tslcd")
    replay.wait(60)
    replay.up("a/tslcd", "a/router", "a/switch", "a/ups")
    replay.wait(20)
    replay.down("a/vc-endpoint", reason=Reason.REFUSED)
    replay.wait(30)
    replay.up("a/vc-endpoint")
    replay.wait(120)
    assert replay.told == [(OPENED, "a/tslcd", Cause.LINK), (RECOVERED, "a/tslcd", Cause.LINK)]


def test_a_part_that_stays_bad_when_its_root_is_well_gets_an_incident_with_an_id_of_its_own() -> None:
    replay = Replay()
    replay.down("a/tslcd")
    replay.wait(4)
    cut(replay, "centre/core")
    replay.wait(60)
    mend(replay, "centre/core", but="a/tslcd")
    replay.wait(GRACE + timedelta(seconds=5))
    assert replay.told == [
        (OPENED, "a/tslcd", Cause.LINK),
        (CHANGED, "centre/core", Cause.SHARED),
        (RECOVERED, "centre/core", Cause.SHARED),
        (OPENED, "a/tslcd", Cause.LINK),
    ]
    assert replay.the_only().id != replay.events[0].incident.id
