"""From state changes to incidents, replayed with explicit times in a small province."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.correlate import LATELY, TAKE_OVER, Correlator
from monitor.core.graph import Graph
from monitor.core.model import (
    ONLY_MAILED,
    Acknowledgement,
    Cause,
    Happening,
    Incident,
    IncidentEvent,
    Inventory,
    Maintenance,
    Reason,
    Role,
    Site,
    State,
    StateChange,
    Target,
)
from monitor.core.ongoing import SETTLE, SETTLE_FACTOR, SETTLE_LONGEST
from monitor.core.root import POWER_MEMORY
from monitor.core.seen import GRACE, HOLD_DOWN, HOLD_PATH_DEGRADED

T0 = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
COMMUNES = ("a", "b", "c")
OPENED, CHANGED, RECOVERED, REOPENED, WITHDRAWN, ACKNOWLEDGED, UNACKNOWLEDGED = (
    each for each in Happening if each not in ONLY_MAILED
)


def target(id_: str, role: Role, kind: str, *behind: str, vantage: bool = False) -> Target:
    site, _, name = id_.partition("/")
    return Target(id=id_, site=site, name=name, role=role, kind=kind, behind=behind, vantage=vantage)


def commune(site: str, *, two_ways: bool = False) -> list[Target]:
    ways = (f"{site}/tslcd", f"{site}/internet") if two_ways else (f"{site}/tslcd",)
    return [
        # Children first: the correlator must not lean on the order of the inventory.
        target(f"{site}/ups", Role.DEVICE, "ups", f"{site}/switch"),
        target(f"{site}/vc-endpoint", Role.DEVICE, "vc-endpoint", f"{site}/switch"),
        target(f"{site}/switch", Role.DEVICE, "switch", f"{site}/router"),
        target(f"{site}/router", Role.DEVICE, "router", *ways),
        target(f"{site}/tslcd", Role.LINK, "tslcd", "pop/router"),
        target(f"{site}/internet", Role.LINK, "internet", "centre/edge"),
        target(f"{site}/website", Role.SERVICE, "website", "centre/hosting"),
    ]


def province(*communes: str, two_ways: bool = False) -> Inventory:
    targets = [
        *(each for site in communes or COMMUNES for each in commune(site, two_ways=two_ways)),
        target("pop/router", Role.DEVICE, "router", "centre/core"),
        target("centre/documents", Role.SERVICE, "doc-management", "centre/core"),
        target("centre/hosting", Role.DEVICE, "server", "centre/core"),
        target("centre/core", Role.DEVICE, "router", "centre/gateway"),
        target("centre/edge", Role.DEVICE, "router", "centre/gateway"),
        target("centre/gateway", Role.DEVICE, "gateway", vantage=True),
    ]
    return Inventory(
        sites={each.site: Site(id=each.site, name=each.site) for each in targets},
        targets={each.id: each for each in targets},
        providers={},
    )


class Replay:
    """A correlator that is told what turns when, and ticks every half second as the daemon does."""

    def __init__(self, inventory: Inventory | None = None, open_incidents: Iterable[Incident] = (), well: bool = True):
        self.inventory = inventory or province()
        self.correlator = Correlator(self.inventory, open_incidents)
        self.second = 0.0
        self.events: list[IncidentEvent] = []
        self.own: dict[str, StateChange] = {}
        self.rechecked: set[str] = set()
        if well:
            self.turn(State.UP, *self.inventory.targets)

    @property
    def now(self) -> datetime:
        return T0 + timedelta(seconds=self.second)

    def _take(self, decision) -> None:
        self.events += decision.events
        self.rechecked |= decision.recheck

    def turn(self, new: State, *targets: str, reason: Reason = Reason.TIMEOUT, says: str = "", after: float = 0.0):
        """Each target turns, sure now, `after` seconds after it began; as from the judge, only what is new is told."""
        for each in targets:
            before = self.own.get(each)
            change = StateChange(
                target=each,
                at=self.now,
                since=before.since if before and before.new is new else self.now - timedelta(seconds=after),
                old=before.new if before else State.UNKNOWN,
                new=new,
                reason=Reason.OK if new is State.UP else Reason.LIMIT if says else reason,
                says=says,
                evidence=f"{new} {says}".strip(),
            )
            if before is None or (before.new, before.reason, before.says) != (change.new, change.reason, change.says):
                self.own[each] = change
                self._take(self.correlator.changed(change, self.now))

    def down(self, *targets: str, **changes) -> None:
        self.turn(State.DOWN, *targets, **changes)

    def degraded(self, *targets: str, says: str = "", **changes) -> None:
        self.turn(State.DEGRADED, *targets, says=says, **changes)

    def up(self, *targets: str, **changes) -> None:
        self.turn(State.UP, *targets, **changes)

    def wait(self, seconds: float | timedelta) -> None:
        """Let time pass."""
        end = self.second + (seconds.total_seconds() if isinstance(seconds, timedelta) else seconds)
        while self.second < end:
            self.second = min(self.second + 0.5, end)
            self._take(self.correlator.tick(self.now))

    def state(self, id_: str) -> State:
        return self.correlator.held[id_].state

    def states(self, ids: Iterable[str]) -> set[State]:
        return {self.state(each) for each in ids}

    def behind(self, id_: str) -> tuple[str, ...]:
        return self.correlator.graph.behind(id_)

    @property
    def open(self) -> tuple[Incident, ...]:
        return self.correlator.incidents()

    @property
    def told(self) -> list[tuple[Happening, str, Cause]]:
        return [(each.what, each.incident.root, each.incident.cause) for each in self.events]

    def the_only(self) -> Incident:
        """The one open incident."""
        (incident,) = self.open
        return incident


def cut(replay: Replay, root: str, *, every: float = 0.0) -> None:
    """The root and then everything behind it goes silent, nearest first."""
    for each in (root, *replay.behind(root)):
        replay.down(each)
        if every:
            replay.wait(every)


def mend(replay: Replay, root: str, *, but: str = "") -> None:
    """The root answers again, and everything behind it except what is behind another."""
    dead = {but, *replay.behind(but)} if but else set()
    replay.up(*(each for each in (root, *replay.behind(root)) if each not in dead))


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
@settings(max_examples=150, deadline=None)
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
@settings(max_examples=150, deadline=None)
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


# -- maintenance -----------------------------------------------------------------------------------------------------


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
