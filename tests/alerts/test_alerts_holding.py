"""What does not leave one by one: quiet hours with their digest, storms with their summaries; that neither loses anything."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.holding import _always
from alerts.policy import first_of_thread
from alerts.routing import Digest, Quiet, Route, Routing, Storm
from monitor.core.model import (
    SUMMARIES,
    Cause,
    Contact,
    Happening,
    HeldBack,
    Importance,
    Incident,
    IncidentEvent,
    Notification,
    Severity,
    Threat,
)
from monitor.inventory.hours import parse_hours
from tests.alerts.night import LENGTH, MINUTE, Night, life, nights
from tests.alerts.sample import INCIDENT, NOW

AN = Contact(id="an", name="An", email="an@example.org", language="en")
QUIET = Quiet(hours=parse_hours("22:00-06:30"), at_once=Severity.CRITICAL)
NIGHT, MORNING, EVENING = 12 * 60, 18 * 60 + 30, 9 * 60
"""Minutes from noon, when the nights begin, to midnight, to half past six, and to nine."""
CRITICAL = replace(INCIDENT, id="critical", severity=Severity.CRITICAL)


def quiet(**more: object) -> Night:
    return Night(Routing(contacts={"an": AN}, routes=(Route(to="an"),), quiet={"an": QUIET}, **more))  # type: ignore[arg-type]


# -- quiet hours --------------------------------------------------------------------------------------------------------


def test_what_is_not_severe_waits_for_one_digest_at_the_end_of_the_quiet_hours() -> None:
    night = quiet()
    gone = life([(NIGHT, Happening.OPENED), (NIGHT + 50, Happening.RECOVERED)], replace(INCIDENT, id="gone"))
    told = night.pass_by([*gone, *life([(NIGHT + 10, Happening.OPENED)])])
    assert told == ["(720 an opened)", "(730 an opened)", "(770 an recovered)", "1110 an digest 2"]
    digest = night.made[-1]
    assert [(each.incident.id, each.what) for each in digest.items] == [
        ("gone", Happening.RECOVERED), (INCIDENT.id, Happening.OPENED),
    ]  # fmt: skip
    assert digest.instead_of == tuple(each.id for each in night.made[:-1])
    assert digest.reason == "gets a digest at the end of the quiet hours"
    assert digest.event.incident.evidence == digest.event.incident.impact == ()
    assert first_of_thread(digest) == digest.id


def test_what_is_severe_wakes_all_the_same_and_a_quiet_night_has_no_digest() -> None:
    assert quiet().pass_by(life([(NIGHT, Happening.OPENED)], CRITICAL)) == ["720 an opened"]
    assert quiet().pass_by([]) == []


def test_by_day_everything_leaves_at_once() -> None:
    assert quiet().pass_by(life([(5, Happening.OPENED), (MORNING, Happening.RECOVERED)])) == [
        "5 an opened",
        "1110 an recovered",
    ]


def test_what_happens_at_night_to_what_was_told_by_day_comes_in_the_digest() -> None:
    told = quiet().pass_by(life([(EVENING, Happening.OPENED), (NIGHT, Happening.RECOVERED)]))
    assert told == ["540 an opened", "(720 an recovered)", "1110 an digest 1"]


def test_what_becomes_severe_at_night_is_told_at_once_and_not_in_the_morning_again() -> None:
    opened, changed = life([(NIGHT, Happening.OPENED), (NIGHT + 30, Happening.CHANGED)])
    worse = replace(changed, incident=replace(changed.incident, severity=Severity.CRITICAL))
    night = quiet()
    assert night.pass_by([opened, worse]) == ["(720 an opened)", "750 an changed"]
    assert night.made[1].instead_of == (night.made[0].id,)


def test_who_wants_no_quiet_any_more_gets_what_was_held_back() -> None:
    night = quiet()
    night.pass_by(life([(NIGHT, Happening.OPENED)]), NIGHT + 5)
    night.policy.adopt(replace(night.routing, quiet={}), night.known)
    assert [each.event.what for each in night.due(NOW + (NIGHT + 6) * MINUTE)] == [Happening.DIGEST]


def test_what_was_held_back_of_a_target_that_has_another_id_is_told_under_that() -> None:
    night = quiet()
    old = night.known.targets[INCIDENT.root]
    night.pass_by(life([(NIGHT, Happening.OPENED)]), NIGHT + 5)
    moved = replace(old, id="xa-moi/tslcd", site="xa-moi", formerly=(old.id,))
    targets = {each.id: each for each in (moved, *night.known.targets.values()) if each.id != old.id}
    site = replace(night.known.sites[old.site], id="xa-moi")
    renamed = replace(night.known, sites={**night.known.sites, site.id: site}, targets=targets)
    night.policy.adopt(night.routing, renamed)
    (digest,) = night.due(NOW + MORNING * MINUTE)
    assert [each.incident.root for each in digest.items] == [moved.id]


# -- a digest each day --------------------------------------------------------------------------------------------------

MORNINGS = Digest(at=time(7), at_once=Severity.MAJOR, causes=(Cause.POWER,))
SEVEN = 19 * 60
"""Minutes from noon to seven in the morning."""
MAJOR = replace(INCIDENT, id="major", severity=Severity.MAJOR)


def daily(digest: Digest = MORNINGS, **more: object) -> Night:
    return Night(Routing(contacts={"an": AN}, routes=(Route(to="an"),), digests={"an": digest}, **more))  # type: ignore[arg-type]


def test_what_hurts_nobody_now_comes_once_a_day_at_whatever_hour_it_was() -> None:
    night = daily()
    gone = life([(5, Happening.OPENED), (50, Happening.RECOVERED)], replace(INCIDENT, id="gone"))
    told = night.pass_by([*gone, *life([(NIGHT, Happening.OPENED), (SEVEN + 60, Happening.RECOVERED)])], 2 * LENGTH)
    assert told == [
        "(5 an opened)", "(50 an recovered)", "(720 an opened)", f"{SEVEN} an digest 2",
        f"({SEVEN + 60} an recovered)", f"{SEVEN + 24 * 60} an digest 1",
    ]  # fmt: skip
    assert night.made[3].reason == "gets a digest each day of what is not told at once"


MEETING = Threat(
    meeting="giao-ban", title="Giao ban", importance=Importance.NORMAL, begins=NOW, ends=NOW, rooms=("xa-kim-dong/room",)
)  # fmt: skip


@pytest.mark.parametrize(
    "incident",
    [MAJOR, CRITICAL, replace(INCIDENT, cause=Cause.POWER), replace(INCIDENT, meetings=(MEETING,))],
    ids=["severe", "more than that", "of such a cause", "with a meeting"],
)
def test_what_is_severe_or_of_a_cause_or_threatens_a_meeting_does_not_wait_for_it(incident: Incident) -> None:
    told = daily().pass_by(life([(5, Happening.OPENED), (50, Happening.RECOVERED)], incident))
    assert told == ["5 an opened", "50 an recovered"]


def test_ends_wait_too_for_who_wants_it_but_not_of_what_somebody_has() -> None:
    ends = replace(MORNINGS, ends=True)
    assert daily(ends).pass_by(life([(5, Happening.OPENED), (50, Happening.RECOVERED)], MAJOR)) == [
        "5 an opened", "(50 an recovered)", f"{SEVEN} an digest 1",
    ]  # fmt: skip
    steps = [(5, Happening.OPENED), (9, Happening.ACKNOWLEDGED), (50, Happening.RECOVERED)]
    assert daily(ends).pass_by(life(steps, MAJOR))[-1] == "50 an recovered"
    back = daily(ends)
    told = back.pass_by(life([(5, Happening.OPENED), (50, Happening.RECOVERED), (55, Happening.REOPENED)], MAJOR))
    assert told == ["5 an opened", "(50 an recovered)", "55 an reopened"]
    assert back.made[-1].instead_of == (back.made[1].id,)


def test_what_was_never_told_to_begin_is_not_told_to_end_at_once() -> None:
    opened, recovered = life([(5, Happening.OPENED), (6, Happening.RECOVERED)])
    worse = replace(recovered, incident=replace(recovered.incident, severity=Severity.MAJOR))
    assert daily().pass_by([opened, worse]) == ["(5 an opened)", "(6 an recovered)", f"{SEVEN} an digest 1"]


def test_a_digest_does_not_come_in_quiet_hours_and_two_are_one() -> None:
    late = Quiet(hours=parse_hours("22:00-08:00"), at_once=Severity.CRITICAL)
    night = daily(replace(MORNINGS, ends=True), quiet={"an": late})
    told = night.pass_by(
        [*life([(5, Happening.OPENED)]), *life([(NIGHT, Happening.OPENED)], MAJOR),
         *life([(NIGHT, Happening.OPENED), (NIGHT + 9, Happening.RECOVERED)], CRITICAL)]
    )  # fmt: skip
    assert without_held(told) == ["720 an opened", f"{SEVEN + 60} an digest 3"]


# -- storms -------------------------------------------------------------------------------------------------------------


def flood(count: int, minute: int = 0, each_minutes: int = 0, incident: Incident = INCIDENT) -> list[IncidentEvent]:
    """So many incidents that open."""
    return [
        event
        for number in range(count)
        for event in life(
            [(minute + number * each_minutes, Happening.OPENED)], replace(incident, id=f"i-{minute}-{number}")
        )
    ]


def stormy(**more: object) -> Night:
    """Three mails within ten minutes are all that somebody wants."""
    storms = {"an": Storm(mails=3, within=10 * MINUTE)}
    return Night(Routing(contacts={"an": AN}, routes=(Route(to="an"),), storms=storms, **more))  # type: ignore[arg-type]


def without_held(told: list[str]) -> list[str]:
    return [each for each in told if not each.startswith("(")]


def test_more_than_so_many_come_in_one_summary_and_one_says_that_it_is_over() -> None:
    night = stormy()
    told = without_held(night.pass_by(flood(40)))
    assert told == ["0 an opened"] * 3 + ["1 an storm 37", "11 an storm-over 0"]
    assert night.made[-2].reason == "gets a summary when there are more than 3 mails within 10 min"
    assert first_of_thread(night.made[-1]) == night.made[-2].id


def test_while_it_lasts_a_summary_comes_each_time_and_then_single_mails_again() -> None:
    told = without_held(stormy().pass_by([*flood(24, each_minutes=1), *flood(1, minute=90)]))
    assert told[:3] == ["0 an opened", "1 an opened", "2 an opened"]
    assert told[3:] == ["4 an storm 2", "14 an storm 10", "24 an storm 9", "34 an storm-over 0", "90 an opened"]


def test_so_many_and_no_more_is_no_storm() -> None:
    assert stormy().pass_by([*flood(3), *flood(3, minute=10)]) == ["0 an opened"] * 3 + ["10 an opened"] * 3


@pytest.mark.parametrize("cause", [Cause.SHARED, Cause.VANTAGE])
def test_a_critical_shared_cause_gets_through(cause: Cause) -> None:
    night = stormy()
    night.pass_by([*flood(10), *life([(5, Happening.OPENED)], replace(CRITICAL, cause=cause))])
    (through,) = [each for each in night.made if each.thread == "critical"]
    assert through.held is None


def test_who_wants_every_mail_gets_it_and_a_storm_that_is_not_wanted_any_more_is_over() -> None:
    night = stormy()
    night.pass_by(flood(10), 1)
    night.policy.adopt(replace(night.routing, storms={}), night.known)
    assert [(each.event.what, len(each.items)) for each in night.due(NOW + MINUTE)] == [(Happening.STORM_OVER, 7)]
    every = Night(replace(night.routing, storms={}))
    assert every.pass_by(flood(100)) == ["0 an opened"] * 100


def test_a_storm_at_night_is_about_what_would_wake() -> None:
    night = stormy(quiet={"an": QUIET})
    told = without_held(night.pass_by([*flood(30, NIGHT), *flood(9, NIGHT + 60, incident=CRITICAL)]))
    assert told == ["780 an opened"] * 3 + ["781 an storm 36", "791 an storm-over 0"]


# -- both ---------------------------------------------------------------------------------------------------------------

few = settings(max_examples=25)
BA = replace(AN, id="ba", language="vi")
CHI = replace(AN, id="chi")
BOTH = Routing(
    contacts={"an": AN, "ba": BA, "chi": CHI},
    routes=(
        Route(to="an", remind=200 * MINUTE),
        Route(to="ba"),
        Route(to="ba", after=30 * MINUTE),
        Route(to="chi"),
    ),
    quiet={
        "an": QUIET,
        "ba": Quiet(hours=parse_hours("Tu 12:00-13:00; 20:00-08:00"), at_once=Severity.MAJOR),
        "chi": Quiet(hours=parse_hours("22:00-07:30"), at_once=Severity.CRITICAL),
    },
    digests={"chi": replace(MORNINGS, ends=True)},
    storms={"an": Storm(mails=3, within=10 * MINUTE), "ba": Storm(mails=2, within=60 * MINUTE)},
)
TAIL = 36 * 60
"""Minutes after the last event that are looked at."""
LONGEST_WAIT = timedelta(hours=24.5)
"""A day, to a digest that quiet hours put off."""


def bursts() -> st.SearchStrategy[list[IncidentEvent]]:
    """Lives of incidents, and some moments when many begin at once."""
    sizes = st.tuples(st.integers(2, 12), st.integers(0, LENGTH), st.integers(0, 3))
    floods = st.lists(sizes, max_size=3, unique_by=lambda size: size[1]).map(
        lambda found: [flood(*each) for each in found]
    )
    return st.builds(lambda some, many: [*some, *(event for each in many for event in each)], nights(), floods)


@few
@given(events=bursts(), restarts=st.sets(st.integers(0, LENGTH - 1), max_size=20))
def test_restarts_change_nothing(events: list[IncidentEvent], restarts: set[int]) -> None:
    through, restarted = Night(BOTH), Night(BOTH)
    through.pass_by(events)
    restarted.pass_by(events, restarts=restarts)
    assert restarted.made == through.made


@few
@given(events=bursts(), restarts=st.sets(st.integers(0, LENGTH - 1), max_size=3))
def test_nothing_is_lost_and_nothing_told_twice(events: list[IncidentEvent], restarts: set[int]) -> None:
    with_all = Night(
        replace(BOTH, quiet={}, digests={}, storms={each: Storm(mails=10_000, within=MINUTE) for each in ("an", "ba")})
    )
    wanted = [each for each in with_all.pass_by(events) if "reminder" not in each]
    night = Night(BOTH)
    night.pass_by(events, LENGTH + TAIL, restarts)
    single = [each for each in night.made if each.event.what not in SUMMARIES]
    words = [f"{(each.event.at - NOW) // MINUTE} {each.contact.id} {each.event.what}" for each in single]
    assert [each for each in words if "reminder" not in each and int(each.split()[0]) < LENGTH] == wanted
    assert len({each.id for each in night.made}) == len(night.made)
    waiting = night.held()
    assert [each for each in waiting if each.event.at < NOW + (LENGTH + TAIL) * MINUTE - LONGEST_WAIT] == []
    tellers = {id_: other for other in night.made for id_ in other.instead_of}
    assert len(tellers) == sum(len(each.instead_of) for each in night.made)
    kept = {each.id for each in waiting}
    for each in single:
        if each.held and each.id not in kept:
            teller = tellers[each.id]
            assert teller.contact == each.contact
            assert teller.event.at >= each.event.at
            assert each.thread in {teller.thread, *(item.incident.id for item in teller.items)}


@few
@given(events=bursts())
def test_never_more_than_so_many_leave_one_by_one(events: list[IncidentEvent]) -> None:
    night = Night(BOTH)
    night.pass_by(events)
    for contact, limit in BOTH.storms.items():
        counted = [each.event.at for each in night.made if _leaves(each, contact) and not _always(each)]
        for first, last in zip(counted, counted[limit.mails :], strict=False):
            assert last - first >= limit.within


def _leaves(each: Notification, contact: str) -> bool:
    return each.contact.id == contact and each.held is None and each.event.what not in SUMMARIES


@few
@given(events=bursts())
def test_nobody_is_woken_by_less_than_they_want(events: list[IncidentEvent]) -> None:
    night = Night(BOTH)
    night.pass_by(events)
    for each in night.made:
        wish = BOTH.quiet[each.contact.id]
        severe = list(Severity).index(each.event.incident.severity) >= list(Severity).index(wish.at_once)
        if wish.hours.hold(each.event.at) and each.held is None and each.event.what not in SUMMARIES:
            assert severe
        if each.held is HeldBack.QUIET and each.contact.id not in BOTH.digests:
            assert not severe


@pytest.mark.parametrize("step", [timedelta(hours=-2), timedelta(hours=2)])
def test_a_clock_that_is_set_makes_no_storm_and_ends_none(step: timedelta) -> None:
    night = stormy()
    night.pass_by(flood(10), 5)
    night.policy.clock_set(step)
    asked = {minute: [each.event.what for each in night.due(NOW + step + minute * MINUTE)] for minute in (10, 11)}
    assert asked == {10: [], 11: [Happening.STORM_OVER]}
