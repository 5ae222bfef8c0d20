"""What time alone brings: steps of escalation, reminders, who comes on duty; and that no restart loses or repeats any of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.routing import Rota, Route, Routing, Scope
from monitor.core.model import Contact, Happening, IncidentEvent, Severity
from monitor.inventory.hours import parse_hours
from tests.alerts.night import LENGTH, MINUTE, Night, life, nights, said
from tests.alerts.sample import INCIDENT, NOW

PEOPLE = {
    id_: Contact(id=id_, name=id_, email=f"{id_}@example.org", language="en") for id_ in ("an", "ba", "head", "office")
}
QUARTER = Route(to="head", after=15 * MINUTE)
OPENED = (0, Happening.OPENED)
TAKEN = (5, Happening.ACKNOWLEDGED)


def routing(*routes: Route, turn: timedelta = timedelta(days=1)) -> Routing:
    """`noc` hands over from `an` to `ba` an hour after the nights begin."""
    rota = Rota(id="noc", name="NOC", people=("ba", "an"), starts=NOW + 60 * MINUTE, turn=turn)
    return Routing(contacts=PEOPLE, rotas={"noc": rota}, routes=routes)


AN = Route(to="an")


def test_a_step_tells_when_nobody_has_it_and_once() -> None:
    night = Night(routing(AN, QUARTER, Route(to="ba", after=60 * MINUTE)))
    assert night.pass_by(life([OPENED])) == ["0 an opened", "15 head escalated", "60 ba escalated"]
    reasons = [each.reason for each in night.made]
    assert reasons[1:] == ["is told because nobody has had it for 15 min", "is told because nobody has had it for 1 h"]


@pytest.mark.parametrize("what", [Happening.ACKNOWLEDGED, Happening.RECOVERED, Happening.WITHDRAWN])
def test_no_step_comes_when_somebody_has_it_or_it_is_over(what: Happening) -> None:
    assert Night(routing(AN, QUARTER)).pass_by(life([OPENED, (14, what)])) == ["0 an opened", f"14 an {what}"]


def test_who_is_told_by_a_step_hears_on() -> None:
    night = Night(routing(AN, QUARTER))
    assert night.pass_by(life([OPENED, (20, Happening.RECOVERED)]))[2:] == ["20 an recovered", "20 head recovered"]


@pytest.mark.parametrize("what", [Happening.UNACKNOWLEDGED, Happening.REOPENED])
def test_the_steps_begin_anew_when_it_is_given_back_or_comes_back(what: Happening) -> None:
    before = (20, Happening.ACKNOWLEDGED if what is Happening.UNACKNOWLEDGED else Happening.RECOVERED)
    told = Night(routing(AN, QUARTER)).pass_by(life([OPENED, before, (30, what)]))
    assert [each for each in told if each.endswith("escalated")] == ["15 head escalated", "45 head escalated"]


def test_a_step_may_be_for_what_is_severe_and_for_hours() -> None:
    severe = replace(QUARTER, scope=Scope(severity=Severity.CRITICAL))
    assert Night(routing(severe)).pass_by(life([OPENED])) == []
    later = replace(QUARTER, hours=parse_hours("Tu 13:00-14:00"))  # nights begin on a Tuesday at noon
    assert Night(routing(later)).pass_by(life([OPENED])) == ["60 head escalated"]


def test_a_step_to_a_rota_tells_who_has_the_turn_and_who_gets_it() -> None:
    step = Route(to="noc", after=15 * MINUTE)
    assert Night(routing(step)).pass_by(life([OPENED]), 120) == ["15 an escalated", "60 ba escalated"]


def test_it_is_reminded_of_while_it_is_open_and_nobody_has_it() -> None:
    reminded = replace(AN, remind=30 * MINUTE)
    told = Night(routing(reminded)).pass_by(life([OPENED, (40, Happening.CHANGED), (110, Happening.ACKNOWLEDGED)]), 300)
    assert told == [
        "0 an opened",
        "30 an reminder",
        "40 an changed",
        "70 an reminder",
        "100 an reminder",
        "110 an acknowledged",
    ]


def test_who_has_it_may_be_reminded_more_rarely() -> None:
    rarely = replace(AN, remind=30 * MINUTE, remind_acknowledged=60 * MINUTE)
    night = Night(routing(rarely))
    assert night.pass_by(life([OPENED, TAKEN]), 130)[2:] == ["65 an reminder", "125 an reminder"]
    assert night.made[-1].reason == "is reminded each 1 h while it is open"


def test_reminders_of_several_days_are_different_mails() -> None:
    night = Night(routing(replace(AN, remind=timedelta(days=1))))
    night.pass_by(life([OPENED]), 4 * 24 * 60)
    assert len({each.id for each in night.made}) == len(night.made) == 4


def test_who_comes_on_duty_is_told_of_what_is_open_and_who_goes_hears_on() -> None:
    night = Night(routing(Route(to="noc")))
    told = night.pass_by(life([OPENED, (90, Happening.RECOVERED)]))
    assert told == ["0 an opened", "60 ba opened", "90 an recovered", "90 ba recovered"]
    assert night.made[1].reason == "is on duty (NOC) until 13:00 25/11/2026 and is told of every incident"


def test_what_opened_outside_of_somebody_s_hours_is_told_when_they_begin() -> None:
    office = Route(to="office", hours=parse_hours("Mo-Fr 13:30-17:00"))
    told = Night(routing(office)).pass_by(
        [*life([OPENED]), *life([OPENED, (80, Happening.RECOVERED)], replace(INCIDENT, id="i"))]
    )
    assert told == ["90 office opened"]


def test_who_comes_with_a_reload_is_told_of_what_is_open() -> None:
    night = Night(routing(AN))
    night.pass_by(life([OPENED]), 5)
    night.policy.adopt(routing(AN, Route(to="ba")), night.known)
    assert said(night.due(NOW + 5 * MINUTE)) == ["5 ba opened"]
    assert night.due(NOW + 6 * MINUTE) == []


@pytest.mark.parametrize("step", [timedelta(hours=-3), timedelta(hours=3)])
def test_a_clock_that_is_set_brings_nothing_sooner_or_later(step: timedelta) -> None:
    night = Night(routing(replace(AN, remind=60 * MINUTE), QUARTER))
    night.pass_by(life([OPENED]), 10)
    night.policy.clock_set(step)
    incident = night.open[INCIDENT.id]
    night.open[INCIDENT.id] = replace(incident, began=incident.began + step, opened=incident.opened + step)
    asked = {
        minute: [each.event.what for each in night.due(NOW + step + minute * MINUTE)] for minute in (14, 15, 59, 60)
    }
    assert asked == {14: [], 15: [Happening.ESCALATED], 59: [], 60: [Happening.REMINDER]}


def test_a_clock_that_was_set_back_while_the_daemon_was_off_keeps_nobody_waiting() -> None:
    night = Night(routing(replace(AN, remind=60 * MINUTE, remind_acknowledged=90 * MINUTE), QUARTER))
    taken = replace(INCIDENT, id="taken")
    night.pass_by([*life([OPENED]), *life([OPENED, TAKEN], taken)], 10)
    back = NOW - timedelta(days=7)
    for _ in range(2):  # what is kept is of the clock before still
        night.restart(now=back)
        asked = {
            minute: said(night.policy.due(back + minute * MINUTE, list(night.open.values())))
            for minute in (14, 15, 60, 90)
        }
        day = -7 * 24 * 60
        assert asked == {
            14: [],
            15: [f"{day + 15} head escalated"],
            60: [f"{day + 60} an reminder"],
            90: [f"{day + 90} an reminder"],
        }


def test_who_has_been_away_for_days_or_has_a_clock_that_was_set_forward_does_not_remind_of_all_at_once() -> None:
    night = Night(routing(replace(AN, remind=60 * MINUTE), QUARTER))
    night.pass_by([each for n in range(100) for each in life([OPENED], replace(INCIDENT, id=f"i-{n}"))], 20)
    later = NOW + timedelta(days=30)
    for back_again in (later, later + 30 * MINUTE):
        night.restart(now=back_again, resumed=later)
        assert night.policy.due(back_again, list(night.open.values())) == []
    made = night.policy.due(later + 60 * MINUTE, list(night.open.values()))
    assert Counter(each.event.what for each in made) == {Happening.REMINDER: 100}


MANY = routing(
    replace(AN, scope=Scope(severity=Severity.MAJOR), remind=45 * MINUTE),
    Route(to="noc", remind=240 * MINUTE, remind_acknowledged=600 * MINUTE),
    Route(to="office", hours=parse_hours("Mo-Fr 07:30-11:30,13:30-17:00"), scope=Scope(kinds=("tslcd",))),
    QUARTER,
    Route(to="noc", after=60 * MINUTE, scope=Scope(severity=Severity.CRITICAL)),
    turn=timedelta(hours=7),
)  # fmt: skip


@given(events=nights(), restarts=st.sets(st.integers(0, LENGTH - 1), max_size=30))
def test_restarts_neither_lose_nor_repeat_a_mail(events: list[IncidentEvent], restarts: set[int]) -> None:
    through, restarted = Night(MANY), Night(MANY)
    assert restarted.pass_by(events, restarts=restarts) == through.pass_by(events)
    assert [each.id for each in restarted.made] == [each.id for each in through.made]
    assert [each.reason for each in restarted.made] == [each.reason for each in through.made]


@given(events=nights())
def test_nobody_is_told_the_same_twice_and_an_end_only_after_a_beginning(events: list[IncidentEvent]) -> None:
    night = Night(MANY)
    night.pass_by(events)
    assert max(Counter(each.id for each in night.made).values(), default=0) <= 1
    told: dict[tuple[str, str], list[Happening]] = {}
    for each in night.made:
        told.setdefault((each.thread, each.contact.id), []).append(each.event.what)
    for whats in told.values():
        assert whats[0] not in (Happening.RECOVERED, Happening.WITHDRAWN, Happening.ACKNOWLEDGED, Happening.REMINDER)
        assert whats.count(Happening.OPENED) <= 1
        assert not {Happening.RECOVERED, Happening.WITHDRAWN} & {*whats[:-1]}
    ended = {
        each.incident.id for each in events if each.incident.closed is not None and each.at < NOW + LENGTH * MINUTE
    }
    assert all(
        (whats[-1] in (Happening.RECOVERED, Happening.WITHDRAWN)) is (thread in ended)
        for (thread, _), whats in told.items()
    )
