"""Who is told of what, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.policy import ACTS, BEGINS, Policy, first_of_thread, silence_of, withhold
from alerts.routing import Rota, Route, Routing, Scope, everybody
from monitor.core.model import (
    ONLY_MAILED,
    Cause,
    Contact,
    Happening,
    IncidentEvent,
    Inventory,
    Notification,
    Severity,
    Silence,
)
from monitor.inventory.hours import parse_hours
from tests.alerts.sample import INCIDENT, NOW, ON_CALL, event, inventory, notification

INVENTORY = inventory()
ENDS = (Happening.RECOVERED, Happening.WITHDRAWN)
EVERYTHING = Scope()
EVENTS = [each for each in Happening if each not in ONLY_MAILED]


def somebody(id_: str = "a", scope: Scope = EVERYTHING, **more: Any) -> Routing:
    """One contact with one route to it."""
    contact = Contact(id=id_, name=id_, email=f"{id_}@example.org", language="en")
    return Routing(contacts={id_: contact}, routes=(Route(to=id_, scope=scope, **more),))


def notify(
    happened: IncidentEvent, routing: Routing, known: Inventory = INVENTORY, told: Iterable[str] = ()
) -> list[Notification]:
    """What is told of one event, when these were told of its incident before."""
    before = [notification(contact=Contact(id=each, name="", email=""), incident=happened.incident) for each in told]
    return Policy(routing, known, before, {happened.incident.id: NOW}).happened(happened)


def why(routing: Routing, what: Happening = Happening.OPENED, told: tuple[str, ...] = ()) -> list[str]:
    return [each.reason for each in notify(event(what), routing, told=told)]


def test_a_contact_that_is_not_narrow_is_told_of_everything() -> None:
    assert why(somebody()) == ["is told of every incident"]


def test_who_is_narrow_is_told_of_what_fits_with_that_as_the_reason() -> None:
    narrow = Scope(areas=("Kim Sơn", "Nho Quan"), causes=(Cause.LINK,))
    assert why(somebody(scope=narrow)) == ["is told of incidents with cause the line; area Kim Sơn, Nho Quan"]
    assert why(somebody(scope=replace(narrow, causes=(Cause.LAN,)))) == []


@pytest.mark.parametrize("least", Severity)
@pytest.mark.parametrize("severity", Severity)
def test_a_contact_may_hear_only_of_what_is_severe_enough(severity: Severity, least: Severity) -> None:
    order = list(Severity)
    told = notify(event(incident=replace(INCIDENT, severity=severity)), somebody(scope=Scope(severity=least)))
    assert bool(told) is (order.index(severity) >= order.index(least))
    every = least is Severity.MINOR
    assert {each.reason for each in told} <= {
        "is told of every incident" if every else f"is told of incidents with severity {least.title()} or more"
    }


def test_who_has_hours_is_told_of_what_is_new_only_then_and_of_what_it_knows_always() -> None:
    morning, noon = (
        parse_hours("Tu 08:00-11:00"),
        parse_hours("Tu 12:00-13:00"),
    )  # the incident opens on a Tuesday at noon
    assert why(somebody(hours=noon)) == ["is told of every incident"]
    assert why(somebody(hours=morning)) == []
    assert why(somebody(hours=morning), told=("a",)) == ["was told of this incident"]


def test_whoever_has_the_turn_is_told_and_who_had_it_hears_on() -> None:
    people = {each: Contact(id=each, name=each, email=f"{each}@example.org", language="en") for each in ("an", "ba")}
    rota = Rota(id="noc", name="NOC", people=("an", "ba"), starts=NOW, turn=timedelta(days=1))
    routing = Routing(contacts=people, rotas={"noc": rota}, routes=(Route(to="noc"),))
    (opened,) = notify(event(), routing)
    said = "is on duty (NOC) until 12:00 25/11/2026 and is told of every incident"
    assert (opened.contact.id, opened.reason) == ("an", said)
    both = notify(event(Happening.CHANGED, after=90_000), routing, told=("an",))
    assert [(each.contact.id, each.reason.partition(" until")[0]) for each in both] == [
        ("an", "was told of this incident"), ("ba", "is on duty (NOC)"),
    ]  # fmt: skip
    ended = notify(event(Happening.RECOVERED, after=90_000), routing, told=("an",))
    assert [each.contact.id for each in ended] == ["an"]


def test_an_incident_whose_root_left_the_inventory_is_told_to_those_of_every_area_only() -> None:
    gone = event(incident=replace(INCIDENT, root="no/longer"))
    assert notify(gone, somebody()) != []
    assert notify(gone, somebody(scope=Scope(areas=("Kim Sơn",)))) == []


@pytest.mark.parametrize("what", [*ENDS, *ACTS])
def test_the_end_and_who_has_it_are_told_to_those_who_were_told_before_and_to_nobody_else(what: Happening) -> None:
    assert why(somebody(), what) == []
    assert why(somebody(), what, told=("a",)) == ["was told of this incident"]


@pytest.mark.parametrize("what", EVENTS)
def test_who_was_told_before_hears_on_even_when_the_incident_is_not_theirs_any_more(what: Happening) -> None:
    narrow = Scope(areas=("Phủ Lý",), causes=(Cause.POWER,))
    assert why(somebody(scope=narrow), what, told=("a",)) == ["was told of this incident"]


def test_a_change_that_makes_it_theirs_is_told_to_who_did_not_know_of_it() -> None:
    assert why(somebody(scope=Scope(causes=(Cause.LINK,))), Happening.CHANGED) == [
        "is told of incidents with cause the line"
    ]


def test_who_is_not_in_the_file_any_more_is_told_nothing() -> None:
    assert why(somebody(), told=("gone",)) == ["is told of every incident"]


def test_a_notification_carries_the_incident_as_its_thread_and_the_event_as_it_was() -> None:
    happened = event()
    (told,) = notify(happened, everybody(ON_CALL))
    assert (told.thread, told.event, told.contact) == (INCIDENT.id, happened, ON_CALL)
    assert told.id == first_of_thread(told)


def test_deciding_again_gives_the_same_ids() -> None:
    happened = event(Happening.CHANGED, after=7.25)
    assert notify(happened, everybody(ON_CALL)) == notify(happened, everybody(ON_CALL))


def of(ids: Iterable[str]) -> Routing:
    return everybody(*(Contact(id=id_, name=id_, email=f"{id_}@example.org") for id_ in ids))


@given(
    contacts=st.lists(st.sampled_from(("a", "b", "c-d")), unique=True, min_size=1),
    incidents=st.lists(st.sampled_from(("i-1", "i-2", "i-3")), unique=True, min_size=1),
    changed_after=st.lists(st.integers(min_value=1, max_value=10**9), unique=True, max_size=4),
)
def test_ids_of_different_mails_differ(contacts: list[str], incidents: list[str], changed_after: list[int]) -> None:
    ids = []
    for incident in incidents:
        opened = replace(INCIDENT, id=incident)
        for what, after in [
            (Happening.OPENED, 0.0),
            *((Happening.CHANGED, each / 1e6) for each in changed_after),
            (Happening.RECOVERED, 2000.0),
        ]:
            ids += [each.id for each in notify(event(what, opened, after), of(contacts), told=contacts)]
    assert len(set(ids)) == len(ids) == len(contacts) * len(incidents) * (len(changed_after) + 2)


@given(contact=st.sampled_from(("a", "b")), what=st.sampled_from(EVENTS))
def test_every_mail_but_the_first_points_at_the_first_of_its_contact(contact: str, what: Happening) -> None:
    (told,) = notify(event(what), of([contact]), told=(contact,))
    assert first_of_thread(told) == f"{INCIDENT.id}.opened.{contact}"
    assert (told.id == first_of_thread(told)) is (what is Happening.OPENED)


# -- silences --------------------------------------------------------------------------------------------------------


def silence(number: int = 1, hours: float = 1, **about: str) -> Silence:
    return Silence(id=number, begins=NOW, ends=NOW + timedelta(hours=hours), reason="r", by="hoa", **about)


@pytest.mark.parametrize(
    ("about", "silent"),
    [
        ({"target": "xa-kim-dong/tslcd"}, True), ({"target": "xa-kim-dong/router"}, False), ({"site": "xa-kim-dong"}, True),
        ({"site": "center"}, False), ({"area": "Kim Sơn"}, True), ({"area": "Phủ Lý"}, False), ({"provider": "vnpt"}, True),
        ({"provider": "viettel"}, False),
    ],
)  # fmt: skip
def test_a_silence_is_about_roots_that_it_names(about: dict[str, str], *, silent: bool) -> None:
    root = INVENTORY.targets[INCIDENT.root]
    assert (silence_of(root, INVENTORY, [silence(**about)], NOW) is not None) is silent


def test_a_target_without_area_and_provider_is_in_no_silence_about_these() -> None:
    root = INVENTORY.targets["center/router"]
    assert silence_of(root, INVENTORY, [silence(area="Kim Sơn"), silence(provider="vnpt")], NOW) is None
    assert silence_of(None, INVENTORY, [silence(site="center")], NOW) is None


def test_a_silence_is_over_at_its_end_and_of_several_the_longest_counts() -> None:
    root = INVENTORY.targets[INCIDENT.root]
    both = [silence(1, 1, site="xa-kim-dong"), silence(2, 2, site="xa-kim-dong"), silence(3, 1, site="xa-kim-dong")]
    asked = [NOW - timedelta(seconds=1), NOW, NOW + timedelta(hours=1), NOW + timedelta(hours=2)]
    found = [silence_of(root, INVENTORY, both, each) for each in asked]
    assert [each.id if each else None for each in found] == [None, 2, 2, None]


def lives() -> st.SearchStrategy[list[tuple[Happening, bool]]]:
    """Lives of an incident: what happens, and whether its root is silenced then."""
    begins, within, ends = Happening.OPENED, st.sampled_from((Happening.CHANGED, *ACTS)), st.sampled_from(ENDS)
    silent = st.booleans()
    middle = st.lists(st.tuples(within, silent), max_size=4)
    return st.builds(lambda first, mid, last: [(begins, first), *mid, last], silent, middle, st.tuples(ends, silent))


@given(life=lives())
def test_nobody_hears_of_an_incident_that_was_silenced_all_along_and_an_end_is_told_only_after_a_beginning(
    life: list[tuple[Happening, bool]],
) -> None:
    untold: Happening | None = None
    heard: list[Happening] = []
    for what, silent in life:
        said, untold = withhold(what, untold, silent=silent)
        heard += [said] if said else []
        assert not (silent and said and said not in ENDS)
    assert untold is None
    if any(not silent for what, silent in life if what not in (*ENDS, *ACTS)):
        assert heard[0] in BEGINS
        assert heard[-1] in ENDS
    else:
        assert heard == []
    assert sum(each in BEGINS for each in heard) <= 1


@pytest.mark.parametrize("what", ACTS)
def test_who_has_it_is_not_told_while_the_root_is_silenced_nor_before_the_beginning_was(what: Happening) -> None:
    assert withhold(what, None, silent=False) == (what, None)
    assert withhold(what, None, silent=True) == (None, None)
    assert withhold(what, Happening.OPENED, silent=False) == (None, Happening.OPENED)


def test_each_time_that_somebody_takes_it_is_a_mail_of_its_own() -> None:
    ids = {
        each.id
        for what in ACTS
        for after in (60, 61)
        for each in notify(event(what, after=after), everybody(ON_CALL), told=[ON_CALL.id])
    }
    assert len(ids) == 4
