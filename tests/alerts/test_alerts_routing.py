"""Hours, rotas and scopes: whom a moment leads to."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.reasons import REASONS
from alerts.routing import Override, Quiet, Rota, Route, Routing, Scope
from alerts.who import supposed, who
from monitor.core.model import Cause, Contact, Severity, State
from monitor.core.words import LOCAL
from monitor.inventory.contacts import load_contacts
from monitor.inventory.hours import DAYS, parse_hours
from monitor.yamlfile import ConfigError
from tests.alerts.sample import COMMON, INCIDENT, NOW, inventory

INVENTORY = inventory()
MONDAY = datetime(2026, 11, 2, tzinfo=LOCAL)
PEOPLE = {id_: Contact(id=id_, name=id_.title(), email=f"{id_}@example.org") for id_ in ("an", "ba", "chi", "du")}


def local(text: str) -> datetime:
    """`Mo 07:30` of the first week."""
    day, _, time = text.partition(" ")
    hours, _, minutes = time.partition(":")
    return MONDAY + timedelta(days=DAYS.index(day), hours=int(hours), minutes=int(minutes))


# -- hours ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "within", "outside"),
    [
        ("22:00-06:30", ["Mo 22:00", "Mo 03:00", "Su 23:59", "We 06:29"], ["Mo 06:30", "Tu 12:00", "Su 21:59"]),
        ("Mo-Fr 07:30-11:30,13:00-17:00; Sa 07:30-11:30", ["Mo 07:30", "Fr 16:59", "Sa 08:00"], ["Mo 12:00", "Sa 13:00", "Su 08:00"]),
        ("Sa,Su 00:00-24:00", ["Sa 00:00", "Su 23:59"], ["Mo 00:00", "Fr 23:59"]),
        ("Fr-Mo 20:00-21:00", ["Fr 20:00", "Su 20:30", "Mo 20:59"], ["Tu 20:00", "Th 20:30"]),
        ("Su 23:00-01:00", ["Su 23:30", "Mo 00:30"], ["Su 22:59", "Mo 01:00", "Sa 23:30"]),
    ],
)  # fmt: skip
def test_hours_hold_from_their_begin_to_just_before_their_end(text: str, within: list[str], outside: list[str]) -> None:
    hours = parse_hours(text)
    assert [each for each in within if not hours.hold(local(each))] == []
    assert [each for each in outside if hours.hold(local(each))] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "`` are no hours such as Mo-Fr 07:30-17:00 or 22:00-06:30"),
        ("Mo-Fr", "`Mo-Fr` is no span such as 07:30-17:00, or 22:00-06:30 over midnight"),
        ("T2 07:30-17:00", "`T2 07:30-17:00` are no hours"),
        ("Mo-Xx 07:30-17:00", "`Mo-Xx` is no day or days"),
        ("Mo-We-Fr 07:30-17:00", "`Mo-We-Fr` is no day or days"),
        ("7:30-17:00", "`7:30-17:00` is no span"),
        ("07:30-24:30", "`07:30-24:30` is no span"),
        ("07:30-07:30", "`07:30-07:30` is over when it begins; write 00:00-24:00 for a whole day"),
        ("07:30-17:00;", "`` are no hours"),
    ],
)
def test_what_are_no_hours_is_told(text: str, said: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the message is what is tested
        parse_hours(text)
    assert said in str(caught.value)


def rules() -> st.SearchStrategy[str]:
    """Hours as an admin may write them."""
    clock = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
    times = st.tuples(clock, st.one_of(clock, st.just("24:00"))).filter(lambda pair: pair[0] != pair[1]).map("-".join)
    days = st.one_of(st.sampled_from(DAYS), st.tuples(st.sampled_from(DAYS), st.sampled_from(DAYS)).map("-".join))
    rule = st.one_of(times, st.tuples(days, times).map(" ".join))
    return st.lists(rule, min_size=1, max_size=4).map("; ".join)


@given(text=rules(), minute=st.integers(0, 7 * 24 * 60 - 1), second=st.integers(0, 59))
def test_the_next_change_is_the_first_moment_that_is_not_as_now(text: str, minute: int, second: int) -> None:
    hours, at = parse_hours(text), MONDAY + timedelta(minutes=minute, seconds=second)
    change = hours.next_change(at)
    if change is None:
        assert hours.spans == ((0, 7 * 24 * 60),)
        return
    assert at < change <= at + timedelta(days=7)
    assert hours.hold(change) is not hours.hold(at)
    between = [at + (change - at) * part / 7 for part in range(7)]
    assert {hours.hold(each) for each in between} == {hours.hold(at)}


# -- rotas ------------------------------------------------------------------------------------------------------------


def rota(*overrides: Override, id_: str = "noc", turn: timedelta = timedelta(days=7)) -> Rota:
    return Rota(
        id=id_, name=id_, people=("an", "ba", "chi"), starts=MONDAY + timedelta(hours=8), turn=turn, overrides=overrides
    )


def routing(*rotas: Rota) -> Routing:
    return Routing(contacts=PEOPLE, rotas={each.id: each for each in rotas})


@pytest.mark.parametrize(
    ("days", "person"),
    [(0, "chi"), (0.34, "an"), (7.33, "an"), (7.34, "ba"), (14.34, "chi"), (21.34, "an"), (-7, "ba")],
)
def test_turns_follow_each_other_in_order_also_before_the_start(days: float, person: str) -> None:
    assert routing(rota()).shift("noc", MONDAY + timedelta(days=days)).contact.id == person


def test_a_hand_over_is_at_its_minute() -> None:
    handed = MONDAY + timedelta(days=7, hours=8)
    before, after = (routing(rota()).shift("noc", handed - timedelta(seconds=back)) for back in (1, 0))
    assert (before.contact.id, before.until) == ("an", handed)
    assert (after.contact.id, after.until) == ("ba", handed + timedelta(days=7))


def test_a_holiday_may_lead_to_another_rota_and_of_two_overrides_the_last_written_counts() -> None:
    begins, ends = MONDAY + timedelta(days=1), MONDAY + timedelta(days=5)
    holiday = Override(begins=begins, ends=ends, to="feast")
    swap = Override(begins=begins + timedelta(days=1), ends=begins + timedelta(days=2), to="du")
    known = routing(rota(holiday, swap), rota(id_="feast", turn=timedelta(days=1)))
    asked = [begins, begins + timedelta(days=1), begins + timedelta(days=2), ends]
    assert [known.shift("noc", each).contact.id for each in asked] == ["an", "du", "chi", "an"]
    assert known.shift("noc", begins).until == begins + timedelta(hours=8)  # the hand-over of the other one


def overrides() -> st.SearchStrategy[list[Override]]:
    """Some of which overlap, and lead to people or to another rota."""
    span = st.tuples(st.integers(0, 40 * 24), st.integers(1, 15 * 24))
    to = st.sampled_from(("an", "du", "feast"))
    return st.lists(
        st.builds(
            lambda times, who: Override(
                begins=MONDAY + timedelta(hours=times[0]), ends=MONDAY + timedelta(hours=sum(times)), to=who
            ),
            span,
            to,
        ),
        max_size=6,
    )


@given(standing_in=overrides(), days=st.sampled_from((1, 7)), hours=st.integers(-500, 2000), part=st.floats(0, 0.999))
def test_at_every_moment_it_is_one_person_and_the_same_until_the_shift_ends(
    standing_in: list[Override], days: int, hours: int, part: float
) -> None:
    feast = rota(id_="feast", turn=timedelta(days=1))
    known, at = routing(rota(*standing_in, turn=timedelta(days=days)), feast), MONDAY + timedelta(hours=hours)
    shift = known.shift("noc", at)
    assert shift.contact.id in PEOPLE
    assert shift.until is not None
    assert at < shift.until <= at + timedelta(days=7)
    assert known.shift("noc", at + (shift.until - at) * part).contact == shift.contact
    inside = [each for each in standing_in if each.begins <= at < each.ends]
    if inside and inside[-1].to != "feast":
        assert shift.contact.id == inside[-1].to
    if not inside:
        assert shift.contact.id == rota().people[int((at - rota().starts) / timedelta(days=days) // 1) % 3]


# -- scopes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "misses"),
    [
        (Scope(), ""), (Scope(causes=(Cause.LINK, Cause.LAN)), ""), (Scope(causes=(Cause.LAN,)), "causes"),
        (Scope(areas=("Kim Sơn",)), ""), (Scope(areas=("Phủ Lý",)), "areas"), (Scope(sites=("xa-kim-dong",)), ""),
        (Scope(sites=("center",)), "sites"), (Scope(kinds=("tslcd",)), ""), (Scope(kinds=("router",)), "kinds"),
        (Scope(providers=("vnpt",)), ""), (Scope(providers=("viettel",)), "providers"),
        (Scope(severity=Severity.MAJOR), "severity"), (Scope(areas=("Phủ Lý",), kinds=("router",)), "areas"),
    ],
)  # fmt: skip
def test_an_incident_must_fit_all_that_is_written(scope: Scope, misses: str) -> None:
    assert scope.misses(INCIDENT, INVENTORY) == misses
    for reasons in REASONS.values():
        assert reasons.unwanted(scope, misses) if misses else reasons.wanted(scope)


def test_what_lines_have_in_common_may_be_a_provider() -> None:
    assert Scope(providers=("vnpt",)).misses(COMMON, INVENTORY) == ""
    assert Scope(providers=("viettel",)).misses(COMMON, INVENTORY) == "providers"


# -- who ----------------------------------------------------------------------------------------------------------------


def test_who_tells_everybody_once_with_the_reason_in_the_language_asked_for() -> None:
    routes = (
        Route(to="noc"), Route(to="du", scope=Scope(causes=(Cause.SERVICE,))), Route(to="ba", hours=parse_hours("Sa 08:00-09:00")),
    )  # fmt: skip
    known = Routing(contacts=PEOPLE, rotas={"noc": rota()}, routes=routes)
    incident = supposed(INVENTORY.targets["xa-kim-dong/tslcd"], INVENTORY, NOW, State.DOWN, None, None)
    assert who(incident, known, INVENTORY, NOW, "en").splitlines()[:7] == [
        "TSLCĐ line – Xã Kim Đông (xa-kim-dong/tslcd): Down, severity Minor, cause the line, at 12:00 24/11/2026 (Viet Nam)",
        "Told at once:",
        "  An <an@example.org>: is on duty (noc) until 08:00 30/11/2026 and is told of every incident",
        "Not told:",
        "  Du <du@example.org>: wants only incidents with cause the service",
        "  Ba <ba@example.org>: wants them only in the hours Sa 08:00-09:00",
        "Shifts of noc:",
    ]
    said = who(incident, known, INVENTORY, NOW, "vi")
    assert "  An <an@example.org>: đang trực (noc) đến 08:00 30/11/2026, được báo mọi sự cố\n" in said
    assert said.count("<") == 3


def test_who_tells_what_comes_by_a_step_and_what_in_a_digest() -> None:
    quiet = {"du": Quiet(hours=parse_hours("12:00-14:00"), at_once=Severity.MAJOR)}
    routes = (Route(to="an", remind=timedelta(hours=4)), Route(to="du"), Route(to="chi", after=timedelta(minutes=15)))
    known = Routing(contacts=PEOPLE, routes=routes, quiet=quiet)
    incident = supposed(INVENTORY.targets["xa-kim-dong/tslcd"], INVENTORY, NOW, State.DOWN, None, None)
    assert who(incident, known, INVENTORY, NOW, "en").splitlines()[1:] == [
        "Told at once:",
        "  An <an@example.org>: is told of every incident; reminded each 4 h while nobody has it",
        "In the digest at 14:00 24/11/2026:",
        "  Du <du@example.org>: is told of every incident",
        "When nobody has it after 15 min (12:15 24/11/2026):",
        "  Chi <chi@example.org>: is told of every incident",
    ]


def test_who_tells_that_something_waits_for_the_digest_of_the_day(tmp_path: Path) -> None:
    file = tmp_path / "contacts.yaml"
    file.write_text("contacts: {an: {name: An, email: an@example.org, digest: {at: 07:00}}}")
    known, line = load_contacts(file, INVENTORY), INVENTORY.targets["xa-kim-dong/tslcd"]

    def said(severity: Severity, cause: Cause) -> str:
        incident = supposed(line, INVENTORY, NOW, State.DOWN, severity, cause)
        return who(incident, known, INVENTORY, NOW, "en").partition("\n")[2]

    assert said(Severity.MINOR, Cause.LINK) == (
        "Told at once:\n  nobody\n"
        "In the digest at 07:00 25/11/2026:\n  An <an@example.org>: is told of every incident\n"
    )
    at_once = "Told at once:\n  An <an@example.org>: is told of every incident\n"
    assert said(Severity.MAJOR, Cause.LINK) == said(Severity.MINOR, Cause.POWER) == at_once


@pytest.mark.parametrize(
    ("target", "cause"),
    [("xa-kim-dong/tslcd", Cause.LINK), ("xa-kim-dong/website", Cause.SERVICE), ("center/router", Cause.DEVICE)],
)
def test_what_is_supposed_has_the_usual_cause_unless_one_is_given(target: str, cause: Cause) -> None:
    found = INVENTORY.targets[target]
    assert supposed(found, INVENTORY, NOW, State.DOWN, None, None).cause is cause
    given_both = supposed(found, INVENTORY, NOW, State.DEGRADED, Severity.CRITICAL, Cause.POWER)
    assert (given_both.cause, given_both.severity) == (Cause.POWER, Severity.CRITICAL)


# -- contacts.yaml ------------------------------------------------------------------------------------------------------

ROTA = "rotas: {r: {name: R, people: [a], starts: 2026-11-02T08:00"


def test_a_kind_that_nothing_is_of_yet_may_be_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "contacts.yaml"
    file.write_text("contacts: {a: {name: A, email: a@x.vn, kinds: [gatekeeper, vc-bridge, turn-server]}}")
    assert all(each.kind != "gatekeeper" for each in INVENTORY.targets.values())
    assert load_contacts(file, INVENTORY).contacts["a"].name == "A"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("people: {a: {name: A, email: a@example.org}}", "1:1: nobody is told of anything: write `contacts` or `rotas`"),
        ("contacts: {a: {name: A, email: a@example.org, areas: [Kim Son]}}", "1:55: there is no area `Kim Son`; did you mean `Kim Sơn`?"),
        ("contacts: {a: {name: A, email: a@example.org, sites: [centre]}}", "1:55: there is no site `centre`; did you mean `center`?"),
        ("contacts: {a: {name: A, email: a@example.org, kinds: [routers]}}", "1:55: there is no kind `routers`; did you mean `router`?"),
        ("contacts: {a: {name: A, email: a@example.org, providers: [vnp]}}", "1:59: there is no provider `vnp`; did you mean `vnpt`?"),
        ("contacts: {a: {name: A, email: a@example.org, hours: T2-T6}}", "1:54: `T2-T6` is no span such as 07:30-17:00"),
        ("contacts: {a: {name: A, email: a@example.org, hour: T2-T6}}", "1:47: unknown key `hour`; did you mean `hours`?"),
        (f"{ROTA}}}}}", "1:31: there is no person or contact `a`"),
        ("people: {an: {name: A, email: a@x.vn}}\n" + ROTA.replace("[a]", "[an, am]") + "}}", "2:35: there is no person or contact `am`; known: an"),
        (f"people: {{a: {{name: A, email: a@x.vn}}}}\n{ROTA}, turn: monthly}}}}", "2:67: must be 'daily' or 'weekly', not 'monthly'"),
        (
            f"people: {{a: {{name: A, email: a@x.vn}}}}\n{ROTA}, overrides: [{{from: 2026-12-02T08:00, until: 2026-12-01T08:00, to: a}}]}}}}",
            "2:73: ends before it begins",
        ),
        (
            f"people: {{a: {{name: A, email: a@x.vn}}}}\n{ROTA}, overrides: [{{from: 2026-12-02T08:00, until: 2026-12-03T08:00, to: b}}]}}}}",
            "2:127: there is no person, contact or rota `b`",
        ),
        (
            f"people: {{a: {{name: A, email: a@x.vn}}}}\n{ROTA}, overrides: [{{from: 2026-12-02T08:00, until: 2026-12-03T08:00, to: r}}]}}}}",
            "2:72: goes round in a ring: r → r; let one of them name a person",
        ),
        ("contacts: {a: {name: A, email: a@x.vn, quiet: {hours: 00:00-24:00}}}", "1:55: all of the week is quiet"),
        ("contacts: {a: {name: A, email: a@x.vn, digest: {at_once: major}}}", "1:48: key `at` is missing"),
        ("contacts: {a: {name: A, email: a@x.vn, digest: {at: 07:00, at_once_causes: [wan]}}}", "1:77: must be 'link', "),
        ("contacts: {a: {name: A, email: a@x.vn, storm: {mails: 5, within: 2h}}}", "1:66: must not be more than 1h"),
        ("contacts: {a: {name: A, email: a@x.vn, summaries: {daily: 24:00}}}", "1:59: `24:00` is no time of day, such as 07:30"),
        ("contacts: {a: {name: A, email: a@x.vn, summaries: {daily: 7}}}", "1:59: `7` is no time of day, such as 07:30"),
        ("contacts: {a: {name: A, email: a@x.vn, summaries: {}}}", "1:51: say when: `daily`, `monthly` or both"),
        ("contacts: {a: {name: A, email: a@x.vn, remind: 5s}}", "1:48: must be between 1m and 31d"),
        ("contacts: {a: {name: A, email: a@x.vn}}\nescalation: [{after: 5m, to: [b]}]", "2:31: there is no person, contact or rota `b`; known: a"),
        ("contacts: {a: {name: A, email: a@x.vn}}\npeople: {a: {name: A, email: a@x.vn}}", "2:10: `a` is already written under `contacts`"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_a_remedy(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "contacts.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_contacts(file, INVENTORY)
    assert f"{file}:{message}" in str(caught.value)
