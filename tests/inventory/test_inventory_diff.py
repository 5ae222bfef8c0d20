"""What a plan says of two inventories, and how it says it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from alerts.routing import OUTSIDER, Rota, Route, Routing, Scope, everybody
from monitor.core.model import Cause, Contact, Incident, Inventory, Reason, State
from monitor.inventory.diff import Audience, Changes, Ending, Plan, compare, differences, plan_json
from monitor.inventory.load import load_inventory
from monitor.inventory.tell import EN, TOLD, VI, tell
from probes import registry

HERE = Path(__file__).parent
NOW = datetime(2026, 11, 24, 13, 38, 40, tzinfo=UTC)
DECLARED = {name: len(kind.metrics) for name, kind in registry.load().items()}
ON_CALL = Contact(id="on-call", name="Kỹ sư trực", email="truc@noc.example.org")
EVERYTHING = everybody(ON_CALL)
TWO = """
sites:
  - {id: xa-a, name: Xã A, area: North, code: '1', like: commune, vars: {n: 1}}
  - {id: xa-b, name: Xã B, area: South, code: '2', like: commune, vars: {n: 2}}
"""


Load = Callable[..., Inventory]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Inventories of the good file with more beside it."""
    shutil.copy(HERE / "good" / "base.yaml", tmp_path)

    def made(text: str = TWO) -> Inventory:
        (tmp_path / "more.yaml").write_text(text, encoding="utf-8")
        return load_inventory(tmp_path, None)

    return made


def plan(before: Inventory, after: Inventory, had: Routing = EVERYTHING, has: Routing = EVERYTHING) -> Plan:
    return compare((before, had), (after, has), at=NOW, declared=DECLARED)


def people(*routes: Route, **rotas: Rota) -> Routing:
    """Routing of these routes, to whoever they and the rotas name."""
    ids = {*(each.to for each in routes), *(id_ for each in rotas.values() for id_ in each.people)} - rotas.keys()
    contacts = {each: Contact(id=each, name=each.title(), email=f"{each}@x.example") for each in sorted(ids)}
    return Routing(contacts=contacts, rotas=rotas, routes=routes)


def test_the_same_again_changes_nothing(load: Load) -> None:
    found = plan(load(), load())
    assert found.empty
    assert found.before == found.after
    assert list(tell(found, VI)) == ["Không có gì thay đổi."]
    assert list(tell(found, EN)) == ["Nothing changes."]


def test_what_comes_goes_and_turns_is_told_by_table_and_key(load: Load) -> None:
    after = TWO.replace("id: xa-b, name: Xã B", "id: xa-c, name: Xã C").replace("name: Xã A", "name: Xã Á")
    found = plan(load(), load(after))
    assert found.sites == Changes(added=("xa-c",), removed=("xa-b",), changed={"xa-a": {"name": ("Xã A", "Xã Á")}})
    assert found.targets.added == ("xa-c/tslcd", "xa-c/router")
    assert found.targets.removed == ("xa-b/tslcd", "xa-b/router")
    assert not found.targets.changed
    assert plan_json.validate_json(plan_json.dump_json(found)) == found


def test_a_turn_of_a_profile_is_told_once_for_all_that_have_it(load: Load) -> None:
    before, after = load(), load()
    slower = {
        id_: replace(
            each, checks=tuple(replace(check, interval_seconds=check.interval_seconds * 2) for check in each.checks)
        )
        for id_, each in after.targets.items()
        if id_.endswith("/tslcd")
    }
    found = plan(before, replace(after, targets={**after.targets, **slower}))
    seconds = before.targets["xa-a/tslcd"].checks[0].interval_seconds
    keys = {"checks.echo.interval": (f"{seconds:g}s", f"{2 * seconds:g}s")}
    assert found.targets.changed == {"xa-a/tslcd": keys, "xa-b/tslcd": keys}
    assert found.anew == ("xa-a/tslcd#echo", "xa-b/tslcd#echo")
    assert found.after.per_second == pytest.approx(found.before.per_second - 1 / seconds)
    said = list(tell(found, EN))
    assert said[:2] == [
        "~ targets (2): xa-a/tslcd, xa-b/tslcd",
        f"    checks.echo.interval: {seconds:g}s → {2 * seconds:g}s",
    ]
    assert next(each for each in tell(found, VI) if "echo" in each).startswith("    phép kiểm tra.echo.chu kỳ: ")


def test_of_a_secret_only_that_it_differs() -> None:
    class Options(registry.Options):
        password: SecretStr = SecretStr("")

    found = differences({"x": Options(password=SecretStr("old"))}, {"x": Options(password=SecretStr("new"))})
    assert found == {"x.password": ("(secret)", "(secret)")}


def test_who_is_mailed_otherwise_is_asked_of_the_policy(load: Load) -> None:
    north, south = (people(Route(to="north", scope=Scope(areas=(each,)))) for each in ("North", "South"))
    found = plan(load(), load(), north, south)
    assert found.contacts == Changes(changed={"north": {"areas": ("North", "South")}})
    assert found.audience == {
        "north": Audience(more=("xa-b/tslcd", "xa-b/router"), fewer=("xa-a/tslcd", "xa-a/router"))
    }
    assert found.unheard == ("xa-a/tslcd", "xa-a/router"), "of the gateway nobody was mailed before"
    said = "\n".join(tell(found, EN))
    assert (
        "Mail to north: more targets (2: xa-b/tslcd, xa-b/router); fewer targets (2: xa-a/tslcd, xa-a/router)" in said
    )
    assert "NOTE that nobody is mailed of these targets (2): xa-a/tslcd, xa-a/router" in said


def test_a_site_that_moves_to_another_area_changes_who_is_mailed(load: Load) -> None:
    north = people(Route(to="north", scope=Scope(areas=("North",))))
    found = plan(load(), load(TWO.replace("area: South", "area: North")), north, north)
    assert found.audience == {"north": Audience(more=("xa-b/tslcd", "xa-b/router"))}


@pytest.mark.parametrize(
    ("scope", "more"),
    [
        (Scope(kinds=("tslcd",)), ("xa-a/tslcd", "xa-b/tslcd")),
        (Scope(sites=("xa-b",)), ("xa-b/tslcd", "xa-b/router")),
        (Scope(providers=("vnpt",)), ("xa-a/tslcd", "xa-b/tslcd")),
        (Scope(causes=(Cause.LINK,), areas=("North",)), ("xa-a/tslcd", "xa-a/router")),
        (Scope(sites=("xa-a",), kinds=("router",)), ("xa-a/router",)),
    ],
    ids=str,
)
def test_all_that_a_route_asks_for_counts(scope: Scope, more: tuple[str, ...], load: Load) -> None:
    found = plan(load(), load(), people(), people(Route(to="lan", scope=scope)))
    assert found.audience == {"lan": Audience(more=more)}
    assert found.unheard == (), "of the rest nobody was mailed before either"


def test_a_step_is_told_with_how_long_it_waits(load: Load) -> None:
    at_once = Route(to="lan")
    later = Route(to="chief", after=timedelta(minutes=15), scope=Scope(kinds=("tslcd",)))
    found = plan(load(), load(), people(at_once), people(at_once, later))
    assert (found.audience, found.steps) == ({}, {"15m": {"chief": Audience(more=("xa-a/tslcd", "xa-b/tslcd"))}})
    told = "Mail to chief when nobody has it after 15m: more targets (2: xa-a/tslcd, xa-b/tslcd)"
    assert told in list(tell(found, EN))
    later_still = people(at_once, replace(later, after=timedelta(hours=1)))
    found = plan(load(), load(), people(at_once, later), later_still)
    assert (found.steps["15m"]["chief"].fewer, found.steps["1h"]["chief"].more) == (("xa-a/tslcd", "xa-b/tslcd"),) * 2
    assert [*found.contacts.changed["chief"]] == ["escalation after 15m", "escalation after 1h"]
    assert any(each.startswith("    báo thêm sau 1h: (trống) → ") for each in tell(found, VI))
    assert plan_json.validate_json(plan_json.dump_json(found)) == found


def test_who_is_on_duty_now_is_asked_of_the_rota(load: Load) -> None:
    rota = Rota(id="noc", name="NOC", people=("hai", "lan"), starts=NOW, turn=timedelta(days=7))
    found = plan(
        load(),
        load(),
        people(Route(to="noc"), noc=rota),
        people(Route(to="noc"), noc=replace(rota, people=("lan", "hai"))),
    )
    assert found.rotas == Changes(changed={"noc": {"people": ("hai, lan", "lan, hai")}})
    assert found.duty == {"noc": ("hai", "lan")}
    assert found.audience == {}, "the rota is told of as much as before"
    assert list(tell(found, EN))[:2] == ["~ rotas (1): noc", "    people: hai, lan → lan, hai"]
    assert "On duty of noc now: hai → lan" in list(tell(found, EN))


def test_a_provider_that_is_told_is_nobody_of_ours(load: Load) -> None:
    its = f"{OUTSIDER}vnpt"
    only_it = people(Route(to=its, scope=Scope(providers=("vnpt",))))
    found = plan(load(), load(), EVERYTHING, only_it)
    assert found.audience[its].more == ("xa-a/tslcd", "xa-b/tslcd")
    assert set(found.unheard) == load().targets.keys()


def test_open_incidents_whose_root_goes_are_withdrawn(load: Load) -> None:
    def incident(root: str) -> Incident:
        return Incident(
            id=f"1-{root}", root=root, cause=Cause.LINK, state=State.DOWN, began=NOW, opened=NOW, reason=Reason.TIMEOUT
        )

    before = load()
    after = load(TWO[: TWO.index("  - {id: xa-b")])
    incidents = [incident("xa-a/tslcd"), incident("xa-b/tslcd")]
    found = compare((before, Routing()), (after, Routing()), at=NOW, incidents=incidents, declared=DECLARED)
    assert found.withdrawn == (Ending(id="1-xa-b/tslcd", root="xa-b/tslcd"),)
    assert "Sự cố đang mở sẽ được rút lại: 1-xa-b/tslcd (xa-b/tslcd)" in list(tell(found, VI))


def test_maintenance_is_compared_by_its_windows(load: Load) -> None:
    text = TWO + (
        "maintenance:\n  - {site: xa-a, start: 2026-11-28T22:00, for: 4h, reason: Power, repeat: FREQ=WEEKLY;BYDAY=SA}\n"
    )
    assert not plan(load(text), load(text)).maintenance
    longer = plan(load(text), load(text.replace("for: 4h", "for: 5h"))).maintenance
    assert longer.changed == {"Power": {"lasts": ("4:00:00", "5:00:00")}}
    assert plan(load(), load(text)).maintenance.added == ("Power",)


def test_series_are_those_that_were_measured_or_those_of_their_like(load: Load) -> None:
    before, after = load(TWO[: TWO.index("  - {id: xa-b")]), load()
    measured = {check: 40 if check.endswith("router#snmp") else 5 for check in before.checks()}
    found = compare((before, Routing()), (after, Routing()), at=NOW, measured=measured, declared=DECLARED)
    mine = sum(
        2 + bool(check.window) + measured[id_] for id_, check in before.checks().items() if id_.startswith("xa-a")
    )
    assert found.after.series - found.before.series > mine, "and those of the site and its targets"


def test_what_has_another_id_is_told_as_that_with_what_else_differs(load: Load) -> None:
    before = load()
    after = load(
        TWO.replace("id: xa-b,", "id: xa-c, formerly: [xa-b], contact: Hoa,")
        + "  - {id: xa-new, name: N, links: {line: {profile: line, address: 10.1.9.9, provider: vnpt, circuit: C-1, "
        "behind: [home/gateway], formerly: [xa-a/gone]}}}\n"
    )
    found = plan(before, after)
    assert found.sites == Changes(
        added=("xa-new",), renamed={"xa-b": "xa-c"}, changed={"xa-c": {"contact": ("", "Hoa")}}
    )
    assert found.targets == Changes(
        added=("xa-new/line",), renamed={"xa-b/tslcd": "xa-c/tslcd", "xa-b/router": "xa-c/router"}
    )
    assert found.anew == ()
    assert found.audience == {}


def test_a_line_that_moves_to_another_site_is_no_new_one(load: Load) -> None:
    text = TWO.replace("code: '1', like: commune, vars: {n: 1}", "devices: {router: {profile: box, address: 10.1.1.1}}")
    moved = (
        "  - {id: xa-new, name: N, links: {line: {profile: line, address: 10.1.1.2, provider: vnpt, circuit: C-9, "
        "behind: [home/gateway], formerly: [xa-a/tslcd]}}}\n"
    )
    found = plan(load(), load(text + moved))
    assert found.targets.renamed == {"xa-a/tslcd": "xa-new/line"}
    assert found.targets.changed["xa-new/line"] == {"circuit": ("C-1", "C-9")}
    assert found.anew == ()


@pytest.mark.parametrize("language", TOLD)
def test_long_lists_are_cut_and_counted(language: str, load: Load) -> None:
    many = "sites:\n" + "".join(
        f"  - {{id: xa-{n}, name: Xã {n}, code: '{n}', like: commune, vars: {{n: {n}}}}}\n" for n in range(1, 31)
    )
    said = list(tell(plan(load(), load(many)), TOLD[language]))
    assert max(map(len, said)) < 300
    come = [line for line in said if line.startswith("+ ")]
    assert [line.endswith(TOLD[language].more.format(n=n)) for line, n in zip(come, (24, 54), strict=True)] == [
        True
    ] * 2


MEETING = """
meetings:
  - {{id: weekly, title: Giao ban, start: 2026-11-30T{hour}:00, for: 2h, repeat: FREQ=WEEKLY;BYDAY=MO, rooms: [{rooms}]{more}}}
"""


def meeting(rooms: str = "xa-a/router", hour: str = "08", more: str = "") -> str:
    return TWO + MEETING.format(rooms=rooms, hour=hour, more=more)


def test_meetings_are_told_of_by_their_ids_and_by_what_differs(load: Load) -> None:
    assert plan(load(), load(meeting())).meetings.added == ("weekly",)
    assert plan(load(meeting()), load()).meetings.removed == ("weekly",)
    assert plan(load(meeting()), load(meeting())).empty
    changed = plan(
        load(meeting()), load(meeting("xa-a/router, xa-b/router", more=", except: [2027-12-27], importance: high"))
    )
    assert changed.meetings.changed == {
        "weekly": {
            "importance": ("normal", "high"),
            "rooms.xa-b/router": ("", "yes"),
            "except.2027-12-27T08:00+0700": ("", "yes"),
        }
    }
    assert "~ meetings (1): weekly" in list(tell(changed, EN))
    moved = plan(load(meeting()), load(meeting(hour="09"))).meetings.changed["weekly"]
    assert list(moved) == ["sessions"]
    assert moved["sessions"][1].startswith("2026-11-30T09:00+0700 2h, 2026-12-07T09:00")


def test_a_room_that_was_renamed_is_no_other_room(load: Load) -> None:
    renamed = meeting("xa-z/router").replace("{id: xa-a,", "{id: xa-z, formerly: [xa-a],")
    found = plan(load(meeting()), load(renamed))
    assert found.meetings.changed == {}
    assert found.targets.renamed["xa-a/router"] == "xa-z/router"
