"""How much incidents matter: from the inventory, and from how many they hurt."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import TypeAdapter

from monitor.core.correlate import TAKE_OVER
from monitor.core.model import Happening, Incident, Inventory, Look, Role, Severity, State, Weight
from monitor.core.ongoing import RISE, SETTLE, SETTLE_LONGEST
from monitor.core.seen import HOLD_DOWN, HOLD_PATH_DEGRADED
from monitor.core.severity import MANY_COMMUNES, usual_severity
from tests.core.correlating import Replay, cut, mend, province

MINOR, MAJOR, CRITICAL = Severity
SEVEN = tuple("abcdefg")


def weighed(*communes: str, **own: Severity) -> Inventory:
    """The small province with the usual severities, but for what `own` says (`centre_core` for centre/core)."""
    found = province(*communes)
    sites = {
        id_: replace(each, kind="commune" if len(id_) == 1 else "data-center") for id_, each in found.sites.items()
    }
    targets = {}
    for id_, each in found.targets.items():
        usual = usual_severity(each.role, each.kind, vantage=each.vantage, commune=sites[each.site].kind == "commune")
        targets[id_] = replace(each, severity=own.get(id_.replace("/", "_").replace("-", "_"), usual))
    return replace(found, sites=sites, targets=targets)


def judged(incident: Incident) -> tuple[Severity, Weight | None]:
    return incident.severity, incident.weight


@pytest.mark.parametrize(
    ("role", "kind", "vantage", "commune", "usual"),
    [
        (Role.LINK, "internet", False, True, MAJOR),
        (Role.DEVICE, "router", False, True, MAJOR),
        (Role.DEVICE, "router", False, False, MAJOR),
        (Role.DEVICE, "switch", False, True, MINOR),
        (Role.DEVICE, "vc-endpoint", False, True, MINOR),
        (Role.SERVICE, "website", False, True, MINOR),
        (Role.SERVICE, "doc-management", False, False, CRITICAL),
        (Role.DEVICE, "gateway", True, False, CRITICAL),
        (Role.DEVICE, "vc-bridge", False, False, CRITICAL),
        (Role.DEVICE, "vc-bridge", False, True, MINOR),
    ],
)
def test_what_a_target_is_says_how_much_it_usually_matters(
    role: Role, kind: str, *, vantage: bool, commune: bool, usual: Severity
) -> None:
    assert usual_severity(role, kind, vantage=vantage, commune=commune) is usual


def test_an_incident_is_as_severe_as_its_root() -> None:
    replay = Replay(weighed())
    cut(replay, "a/tslcd")
    replay.wait(HOLD_DOWN)
    assert judged(replay.events[0].incident) == (MAJOR, Weight(target="a/tslcd"))


def test_what_is_only_degraded_counts_one_step_less() -> None:
    replay = Replay(weighed())
    replay.degraded("a/tslcd", says="loss")
    replay.wait(HOLD_PATH_DEGRADED)
    assert judged(replay.the_only()) == (MINOR, Weight(target="a/tslcd", lowered=True))
    replay.down("a/tslcd")
    replay.wait(HOLD_DOWN - timedelta(seconds=1))
    assert [each.what for each in replay.events] == [Happening.OPENED], "what fails with it may be seen until then"
    assert replay.correlator.waits
    replay.wait(1)
    assert replay.events[-1].what is Happening.CHANGED
    assert judged(replay.events[-1].incident) == (MAJOR, Weight(target="a/tslcd"))


def test_a_power_cut_becomes_as_severe_as_the_lines_that_go_with_it_and_that_is_told_when_nothing_else_tells_it() -> (
    None
):
    replay = Replay(weighed())
    replay.degraded("a/ups", says="on-battery")
    replay.wait(10)
    assert judged(replay.the_only()) == (MINOR, Weight(target="a/ups"))
    cut(replay, "a/tslcd")
    replay.wait(HOLD_DOWN)
    assert judged(replay.the_only()) == (MAJOR, Weight(target="a/tslcd"))
    replay.wait(RISE - timedelta(seconds=1))
    assert [each.what for each in replay.events] == [Happening.OPENED]
    replay.wait(2)
    rose = replay.events[-1]
    assert (rose.what, rose.incident.root) == (Happening.CHANGED, "a/ups")
    assert judged(rose.incident) == (MAJOR, Weight(target="a/tslcd", rose_from=MINOR))
    assert rose.because is not None
    assert rose.because.looks == (Look(rule="severity", fits=True, because="rose", of=("minor", "major")),)
    replay.down("a/ups")
    replay.wait(60)
    assert [each.what for each in replay.events] == [Happening.OPENED, Happening.CHANGED]


def test_a_battery_that_is_empty_is_told_once_with_the_lines_that_went_with_it() -> None:
    replay = Replay(weighed())
    replay.degraded("a/ups", says="on-battery")
    replay.wait(10)
    replay.down("a/ups")
    replay.down("a/tslcd")
    replay.wait(RISE * 2)
    changed = replay.events[-1].incident
    assert [each.what for each in replay.events] == [Happening.OPENED, Happening.CHANGED]
    assert (changed.state, changed.severity) == (State.DOWN, MAJOR)


def test_a_root_that_is_down_for_a_moment_changes_nothing() -> None:
    replay = Replay(weighed())
    replay.degraded("a/tslcd", says="loss")
    replay.wait(HOLD_PATH_DEGRADED)
    replay.down("a/tslcd")
    replay.wait(HOLD_DOWN / 2)
    replay.degraded("a/tslcd", says="loss")
    replay.wait(RISE * 2)
    assert [each.what for each in replay.events] == [Happening.OPENED]


def test_a_rise_that_something_else_tells_is_not_told_once_more() -> None:
    replay = Replay(weighed())
    replay.degraded("a/tslcd", says="loss")
    replay.wait(HOLD_PATH_DEGRADED)
    replay.down("a/router")
    replay.wait(RISE / 2)
    assert judged(replay.the_only()) == (MAJOR, Weight(target="a/router"))
    replay.down("a/tslcd")
    replay.wait(120)
    assert [each.what for each in replay.events] == [Happening.OPENED, Happening.CHANGED]
    assert judged(replay.events[-1].incident) == (MAJOR, Weight(target="a/router"))


@pytest.mark.parametrize("again", [False, True])
def test_a_rise_is_told_once_in_the_life_of_an_incident(again: bool) -> None:
    """A room that matters much fails behind a line that is only lossy, later; and so once more when it has come back."""
    replay = Replay(weighed(a_vc_endpoint=CRITICAL))
    for _ in range(1 + again):
        replay.degraded("a/tslcd", says="loss")
        replay.wait(HOLD_PATH_DEGRADED)
        assert replay.the_only().severity is MINOR
        replay.down("a/vc-endpoint")
        replay.wait(RISE * 3)
        assert replay.the_only().severity is CRITICAL
        replay.up("a/vc-endpoint", "a/tslcd")
        replay.wait(SETTLE_LONGEST)
    told = [(each.what, each.incident.severity) for each in replay.events]
    assert told[:3] == [(Happening.OPENED, MINOR), (Happening.CHANGED, CRITICAL), (Happening.RECOVERED, CRITICAL)]
    assert told[3:] == [(Happening.REOPENED, MINOR), (Happening.RECOVERED, CRITICAL)] * again


def test_what_becomes_worse_while_the_root_is_well_already_is_no_rise() -> None:
    replay = Replay(weighed(a_vc_endpoint=CRITICAL))
    for _ in range(2):  # it takes a while to be over then
        replay.down("a/tslcd")  # the rest is not asked so often
        replay.wait(10)
        replay.up("a/tslcd")
        replay.wait(SETTLE + timedelta(seconds=1))
    assert replay.the_only().severity is MAJOR
    replay.down("a/vc-endpoint")
    replay.wait(RISE * 2)
    (line,) = (each for each in replay.open if each.root == "a/tslcd")
    assert line.severity is CRITICAL, "the board shows what it is"
    assert Happening.CHANGED not in {each.what for each in replay.events}


def test_a_rise_is_told_after_a_restart_when_it_was_not_before_and_only_then() -> None:
    before = Replay(weighed())
    before.degraded("a/ups", says="on-battery")
    before.wait(10)
    known = before.open
    for told in (False, True):
        after = Replay(weighed(), known, well=False)
        after.second = before.second
        after.degraded("a/ups", says="on-battery")
        cut(after, "a/tslcd")
        after.wait(RISE * 2)
        assert [each.what for each in after.events] == ([] if told else [Happening.CHANGED])
        known = after.open


def test_a_clock_that_is_set_tells_a_rise_neither_sooner_nor_later() -> None:
    replay = Replay(weighed())
    replay.degraded("a/ups", says="on-battery")
    replay.wait(10)
    cut(replay, "a/tslcd")
    replay.wait(HOLD_DOWN + RISE / 2)
    replay.correlator.clock_set(timedelta(hours=1))
    replay.second += 3600
    assert replay.correlator.waits
    replay.wait(RISE / 2 - timedelta(seconds=2))
    assert [each.what for each in replay.events] == [Happening.OPENED]
    replay.wait(4)
    assert [each.what for each in replay.events] == [Happening.OPENED, Happening.CHANGED]


def test_the_worst_of_what_it_really_hurts_counts_and_not_what_is_well_behind_it() -> None:
    replay = Replay(weighed(a_switch=MINOR, a_vc_endpoint=CRITICAL))
    replay.down("a/switch")
    replay.wait(HOLD_DOWN * 3)
    assert "a/vc-endpoint" in replay.the_only().impact
    assert judged(replay.the_only()) == (MINOR, Weight(target="a/switch"))
    assert not replay.correlator.waits
    replay.down("a/vc-endpoint")
    assert replay.correlator.waits, "it is to be weighed"
    replay.wait(1)
    assert judged(replay.the_only()) == (CRITICAL, Weight(target="a/vc-endpoint"))


@pytest.mark.parametrize("number", [MANY_COMMUNES, MANY_COMMUNES + 1])
def test_more_than_a_handful_of_communes_raise_it_one_step(number: int) -> None:
    replay = Replay(weighed(*SEVEN[:number]))
    cut(replay, "pop/router")
    replay.wait(HOLD_DOWN)
    many = number > MANY_COMMUNES
    expected = Weight(target="pop/router", communes=number if many else 0)
    assert judged(replay.the_only()) == (CRITICAL if many else MAJOR, expected)


def test_what_is_highest_already_is_not_raised() -> None:
    replay = Replay(weighed(*SEVEN, pop_router=CRITICAL))
    cut(replay, "pop/router")
    replay.wait(HOLD_DOWN)
    assert judged(replay.the_only()) == (CRITICAL, Weight(target="pop/router"))


def test_what_is_mended_on_the_way_makes_it_no_less_severe() -> None:
    replay = Replay(weighed(*SEVEN))
    cut(replay, "pop/router")
    replay.wait(HOLD_DOWN)
    mend(replay, "pop/router")
    replay.wait(60)
    assert replay.events[-1].what is Happening.RECOVERED
    assert replay.events[-1].incident.severity is CRITICAL


def test_another_root_is_weighed_anew() -> None:
    replay = Replay(weighed(a_website=CRITICAL, centre_hosting=MINOR, pop_router=MAJOR))
    replay.down("a/website")
    replay.wait(10)
    assert replay.the_only().severity is CRITICAL
    replay.down("centre/hosting")
    replay.up("a/website")
    replay.down("b/website")
    replay.wait(TAKE_OVER / 2)
    (last,) = [each.incident for each in replay.events if each.incident.root == "centre/hosting"]
    assert judged(last) == (MINOR, Weight(target="centre/hosting"))


def test_after_a_restart_it_is_as_severe_as_before_though_nothing_is_known_yet() -> None:
    replay = Replay(weighed(*SEVEN))
    cut(replay, "pop/router")
    replay.wait(HOLD_DOWN)
    after = Replay(weighed(*SEVEN), replay.open, well=False)
    after.wait(5)
    assert judged(after.the_only()) == judged(replay.the_only())


def test_an_inventory_that_says_otherwise_raises_what_is_open() -> None:
    replay = Replay(weighed())
    cut(replay, "a/tslcd")
    replay.wait(HOLD_DOWN)
    replay.correlator.adopt(weighed(a_tslcd=CRITICAL), replay.now)
    replay.wait(1)
    assert judged(replay.the_only()) == (CRITICAL, Weight(target="a/tslcd"))


def test_an_incident_of_a_version_that_did_not_weigh_is_weighed_when_it_is_taken_over() -> None:
    replay = Replay(weighed())
    cut(replay, "a/tslcd")
    replay.wait(HOLD_DOWN)
    kept = TypeAdapter(Incident)
    row = kept.dump_python(replay.the_only(), mode="json")
    del row["severity"], row["weight"]
    old = kept.validate_python(row)
    assert judged(old) == (MINOR, None)
    after = Replay(weighed(), [old], well=False)
    after.wait(1)
    assert judged(after.the_only()) == (MAJOR, Weight(target="a/tslcd"))
    assert after.the_only().state is State.DOWN
