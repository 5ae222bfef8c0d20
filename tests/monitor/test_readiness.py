"""Reports before meetings by a real database: rooms are asked in time, and each report is written once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from monitor.core.graph import Graph
from monitor.core.model import Check, Contact, Held, Inventory, Letter, Meeting, Role, Session, State, Target
from monitor.core.readiness import Readiness
from monitor.readiness import (
    ANSWERED_BEFORE,
    ASKED_BEFORE,
    CLOSER,
    FASTEST,
    KEPT,
    MEASURED,
    Outlooks,
    ReadinessReports,
    soon,
)
from monitor.store import Store
from tests.alerts.sample import composer
from tests.core.correlating import T0, province
from tests.monitor.making import rows

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
OWNER = Contact(id="owner.weekly", name="Chánh Văn phòng", email="vp@x.example")
ON_DUTY = Contact(id="hai", name="Hải", email="hai@x.example", language="en")
BEGINS = T0 + 30 * HOUR


def meeting(
    id_: str = "weekly", begins: datetime = BEGINS, reports: Iterable[timedelta] = (24 * HOUR, HOUR)
) -> Meeting:
    session = Session(begins, begins + 2 * HOUR, id_)
    return Meeting(
        id=id_, title="Giao ban", rooms=("a/vc-endpoint", "b/vc-endpoint"), sessions=(session,), owner=OWNER, reports=tuple(reports)
    )  # fmt: skip


def checked(inventory: Inventory) -> Inventory:
    """Every target has two checks."""
    return replace(
        inventory,
        targets={
            each.id: replace(each, checks=tuple(
                Check(id=f"{each.id}#{name}", target=each.id, name=name, probe="tcp", address="192.0.2.1", options=None,
                      interval_seconds=60, timeout_seconds=5, confirm=1, when_failed=State.DOWN)
                for name in ("one", "two")
            ))
            for each in inventory.targets.values()
        },
    )  # fmt: skip


@dataclass(slots=True)
class Case:
    store: Store
    inventory: Inventory
    now: datetime = T0
    on_duty: tuple[Contact, ...] = (ON_DUTY,)
    held: dict[str, Held] = field(default_factory=dict)
    remarks: dict[str, Sequence[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    woken: int = 0

    def outlooks(self) -> Outlooks:
        graph = Graph(self.inventory.targets)
        return Outlooks(
            lambda: self.inventory, lambda: graph, lambda: self.held, tuple, self._remarked, lambda: self.now
        )

    def reports(self) -> ReadinessReports:
        """As a daemon has it that was just started."""
        graph = Graph(self.inventory.targets)
        return ReadinessReports(
            outlooks=self.outlooks(), inventory=lambda: self.inventory, graph=lambda: graph, letters=self.store.mails,
            composer=composer(), on_duty=lambda: self.on_duty, recheck=self.asked.append, loads_the_line=lambda check: check.probe == "media", clock=lambda: self.now, written=self._wake,
        )  # fmt: skip

    def _remarked(self, target: str, meeting: bool) -> Sequence[str]:
        return () if meeting else self.remarks.get(target, ())

    def _wake(self) -> None:
        self.woken += 1

    def turn(self, state: State, *targets: str) -> None:
        self.held |= {each: Held(target=each, state=state, since=self.now) for each in targets}


@pytest.fixture
def case(store: Store) -> Case:
    made = Case(store, checked(replace(province(), meetings={"weekly": meeting()})))
    made.turn(State.UP, *made.inventory.targets)
    return made


def written(file: Path) -> list[object]:
    return [each for (each,) in rows(file, "SELECT id FROM outbox ORDER BY seq")]


async def letters(case: Case) -> list[Letter]:
    return [each.mail for each in await case.store.mails.take(case.now, 9) if isinstance(each.mail, Letter)]


async def test_owner_and_those_on_duty_are_told_at_each_moment_once_over_restarts_and_clocks_that_go_back(
    case: Case, file: Path
) -> None:
    for hours in (5.9, 6, 6, 7, 5, 20, 28.9):
        case.now = T0 + hours * HOUR
        await case.reports().look()
    day = [f"readiness-weekly-202611251100-1440.{who}" for who in ("owner.weekly", "hai")]
    assert written(file) == day
    case.now = T0 + 29 * HOUR
    reports = case.reports()
    for _ in range(3):
        await reports.look()
    assert written(file) == [*day, *(each.replace("1440", "60") for each in day)]
    assert case.woken == 2
    case.now = BEGINS
    await case.reports().look()
    assert len(written(file)) == 4, "once it has begun nothing more is told"


async def test_one_that_is_late_is_told_when_we_are_back_but_not_those_before_it(case: Case, file: Path) -> None:
    case.now, case.on_duty = BEGINS - 10 * MINUTE, ()
    await case.reports().look()
    assert written(file) == ["readiness-weekly-202611251100-60.owner.weekly"]


async def test_an_address_is_told_once_though_it_owns_the_meeting_and_is_on_duty(case: Case, file: Path) -> None:
    case.now, case.on_duty = BEGINS - HOUR, (replace(ON_DUTY, email=OWNER.email),)
    await case.reports().look()
    assert written(file) == ["readiness-weekly-202611251100-60.owner.weekly"]


async def test_the_mail_says_what_is_not_ready_first_why_and_what_to_do(case: Case) -> None:
    case.now = BEGINS - HOUR
    case.turn(State.DOWN, "b/vc-endpoint")
    await case.reports().look()
    vi, en = await letters(case)
    assert vi.subject == "HỌP 18:00: 1 phòng chưa sẵn sàng – Giao ban"
    assert en.subject == "MEETING 18:00: 1 not ready – Giao ban"
    assert "CHƯA SẴN SÀNG: b\n  Lý do:    phòng họp không kết nối được" in vi.text
    assert "Phòng họp:  2: 1 chưa sẵn sàng, 0 có nguy cơ, 1 sẵn sàng" in vi.text
    assert "/meetings/weekly" in vi.text
    assert '/meetings"' in vi.html


CHANGED = [f"rooms-changed-weekly-202611251100-{number}.owner.weekly" for number in range(1, 13)]


def changes(file: Path) -> list[object]:
    return [each for each in written(file) if str(each).startswith("rooms-changed")]


async def at(case: Case, before: timedelta, reports: ReadinessReports | None = None) -> None:
    case.now = BEGINS - before
    await (reports or case.reports()).look()


async def test_the_owner_is_told_in_the_thread_of_the_last_report_what_has_changed_since(case: Case) -> None:
    case.turn(State.DOWN, "b/vc-endpoint")
    await at(case, HOUR)
    report = (await letters(case))[0]
    case.turn(State.UP, "b/vc-endpoint")
    case.turn(State.DOWN, "a/vc-endpoint")
    await at(case, 40 * MINUTE)
    await case.store.mails.sent(report.id, case.now, "250")
    await case.store.mails.sent(report.id.replace("owner.weekly", "hai"), case.now, "250")
    (told,) = await letters(case)
    assert (told.id, told.contact.id, told.answers) == (CHANGED[0], OWNER.id, report.id)
    assert told.subject == "HỌP 18:00: 1 chưa sẵn sàng, 1 đã sẵn sàng – Giao ban"
    assert "Thay đổi từ thư lúc 17:00, còn 40 phút đến giờ họp:\n\nĐÃ SẴN SÀNG: b\n" in told.text
    assert "CHƯA SẴN SÀNG: a\n  Lý do:    phòng họp không kết nối được" in told.text
    assert "Phòng họp:  2: hiện 1 chưa sẵn sàng, 0 có nguy cơ, 1 sẵn sàng" in told.text
    assert '/meetings" class="link"' in told.html
    mail = composer().post(told, case.now)
    assert mail["In-Reply-To"] == mail["References"] == composer().post(report, case.now)["Message-ID"]


async def test_what_changes_is_told_once_over_restarts_and_not_what_was_known(case: Case, file: Path) -> None:
    case.turn(State.DOWN, "b/vc-endpoint")
    await at(case, HOUR)
    reports = case.reports()
    await at(case, 50 * MINUTE, reports)
    assert changes(file) == [], "as it was told"
    case.turn(State.UP, "b/vc-endpoint")
    for minutes in (40, 40, 39, 30):
        await at(case, minutes * MINUTE, reports)
        await at(case, minutes * MINUTE)
    assert changes(file) == CHANGED[:1]
    case.turn(State.DEGRADED, "b/vc-endpoint")
    await at(case, 20 * MINUTE)
    await at(case, 10 * MINUTE, reports)
    assert changes(file) == CHANGED[:2]
    case.turn(State.UP, "b/vc-endpoint")
    await at(case, timedelta())
    assert changes(file) == CHANGED[:2], "it has begun"


async def test_rooms_that_come_and_go_are_one_mail_in_five_minutes_and_none_right_after_the_report(
    case: Case, file: Path
) -> None:
    reports, seen = case.reports(), list[float]()
    for seconds in range(0, 1200, 15):
        case.turn(State.UP if seconds % 30 else State.DOWN, "b/vc-endpoint")
        before = len(changes(file))
        await at(case, HOUR - seconds * timedelta(seconds=1), reports)
        seen += [seconds] * (len(changes(file)) - before)
    assert seen == [75, 390, 705, 1020], "a quarter of a minute later where it was as told just then"


async def test_what_was_there_and_gone_between_two_mails_is_not_told(case: Case, file: Path) -> None:
    await at(case, HOUR)
    case.turn(State.DOWN, "b/vc-endpoint")
    await at(case, HOUR - timedelta(seconds=30))
    case.turn(State.UP, "b/vc-endpoint")
    await at(case, HOUR - 2 * MINUTE)
    assert changes(file) == []


async def test_a_report_of_the_day_before_is_brought_up_to_date_in_the_last_hour_and_only_for_the_owner(
    case: Case, file: Path
) -> None:
    case.inventory = replace(case.inventory, meetings={"weekly": meeting(reports=[24 * HOUR])})
    await at(case, 24 * HOUR)
    case.turn(State.DOWN, "b/vc-endpoint")
    await at(case, HOUR + MINUTE)
    assert changes(file) == []
    await at(case, HOUR)
    assert changes(file) == CHANGED[:1]
    for minutes in range(59, 0, -1):
        case.turn(State.UP if minutes % 2 else State.DOWN, "b/vc-endpoint")
        await at(case, minutes * MINUTE)
    assert 5 < len(changes(file)) <= len(CHANGED)


async def test_a_clock_that_was_ahead_keeps_no_change_back(case: Case, file: Path) -> None:
    await at(case, timedelta(seconds=5))
    case.turn(State.DOWN, "b/vc-endpoint")
    await at(case, 50 * MINUTE)
    await at(case, 40 * MINUTE)
    assert changes(file) == CHANGED[:1]
    assert rows(file, f"SELECT body FROM outbox WHERE id = '{CHANGED[0]}'")[0][0].count(
        "HỌP 18:00: b chưa sẵn sàng – Giao ban"
    )


async def test_a_meeting_without_owner_has_nobody_to_be_told_of_changes(case: Case, file: Path) -> None:
    case.inventory = replace(case.inventory, meetings={"weekly": replace(meeting(), owner=None)})
    await at(case, HOUR)
    case.turn(State.DOWN, "b/vc-endpoint")
    await at(case, 40 * MINUTE)
    assert changes(file) == []


async def test_when_a_change_cannot_be_written_it_is_told_as_soon_as_it_can(case: Case, file: Path) -> None:
    reports = case.reports()
    await at(case, HOUR, reports)
    case.turn(State.DOWN, "b/vc-endpoint")
    case.store.close()
    await at(case, 40 * MINUTE, reports)
    assert changes(file) == []
    case.store = Store(str(file))
    await at(case, 40 * MINUTE)
    assert changes(file) == CHANGED[:1]
    case.store.close()


async def test_the_mail_names_the_circuit_that_the_provider_asks_for(case: Case) -> None:
    case.now, line = BEGINS - HOUR, replace(case.inventory.targets["b/tslcd"], circuit="NB-7")
    case.inventory = checked(replace(case.inventory, targets={**case.inventory.targets, line.id: line}))
    case.turn(State.UNREACHABLE, "b/router", "b/vc-endpoint")
    case.turn(State.DOWN, line.id)
    await case.reports().look()
    vi, en = await letters(case)
    assert "CHƯA SẴN SÀNG: b (mã kênh NB-7)\n" in vi.text
    assert "NOT READY: b (circuit NB-7)\n" in en.text


@pytest.mark.parametrize(
    ("state", "subject", "row"),
    [
        (State.DOWN, "HỌP 18:00: Máy chủ đăng ký chưa sẵn sàng – Giao ban", "chưa sẵn sàng"),
        (State.DEGRADED, "HỌP 18:00: Máy chủ đăng ký có nguy cơ – Giao ban", "có nguy cơ"),
        (State.UP, "HỌP 18:00: 2 phòng sẵn sàng – Giao ban", "sẵn sàng"),
    ],
)
async def test_a_registrar_is_no_room_and_the_mail_says_first_that_all_rooms_need_it(
    case: Case, state: State, subject: str, row: str
) -> None:
    registrar = Target(id="centre/registrar", site="centre", name="registrar", role=Role.SERVICE, kind="registrar")
    weekly = meeting()
    case.inventory = checked(
        replace(
            case.inventory, targets={**case.inventory.targets, registrar.id: registrar},
            meetings={"weekly": replace(weekly, rooms=(*weekly.rooms, registrar.id))},
        )
    )  # fmt: skip
    case.now = BEGINS - HOUR
    case.turn(state, registrar.id)
    await case.reports().look()
    vi, en = await letters(case)
    assert vi.subject == subject
    assert f"Máy chủ:    Máy chủ đăng ký họp trực tuyến: {row}\nPhòng họp:  2: 0 chưa sẵn sàng" in vi.text
    assert ("registrar" in en.subject) is (state is not State.UP)
    assert ("mà mọi phòng đều cần. Tất cả 2 phòng họp sẵn sàng" in vi.text) is (state is not State.UP)


async def test_when_the_database_is_in_trouble_it_is_told_as_soon_as_it_is_not(case: Case, file: Path) -> None:
    case.now = BEGINS - HOUR
    reports = case.reports()
    case.store.close()
    await reports.look()
    assert case.woken == 0
    case.store = Store(str(file))
    await case.reports().look()
    assert len(written(file)) == 2
    case.store.close()


async def test_rooms_are_asked_some_minutes_before_each_report_once_and_spread_over_that_time(case: Case) -> None:
    reports = case.reports()
    case.now = BEGINS - HOUR - ASKED_BEFORE - ANSWERED_BEFORE - MINUTE
    await reports.look()
    assert not reports.to_ask
    case.now += MINUTE
    await reports.look()
    planned = list(reports.to_ask)
    assert len(planned) == 2 * 13, "both rooms, all in front of them, the UPS: two checks each"
    assert planned[0].endswith("#one")
    assert {each.partition("#")[2] for each in planned[13:]} == {"two"}, "no target is asked twice in a row"
    assert reports.apart_seconds() == 1.0
    reports.to_ask.clear()
    await reports.look()
    assert not reports.to_ask, "once"


async def test_what_loads_a_line_is_asked_first_for_few_may_run_together_and_not_while_people_meet(case: Case) -> None:
    room = case.inventory.targets["a/vc-endpoint"]
    room = replace(room, checks=(*room.checks, replace(room.checks[0], id="a/vc-endpoint#call", probe="media")))
    case.inventory = replace(case.inventory, targets={**case.inventory.targets, room.id: room})
    reports = case.reports()
    case.now = BEGINS - HOUR - ASKED_BEFORE - ANSWERED_BEFORE
    await reports.look()
    assert case.asked == ["a/vc-endpoint#call"], "at once"
    assert len(reports.to_ask) == 2 * 13, "the rest is spread"
    case.now = BEGINS
    await reports.look()
    assert case.asked == ["a/vc-endpoint#call"]
    assert "a/vc-endpoint#call" not in reports.to_ask


async def test_while_a_meeting_is_held_its_rooms_are_asked_every_quarter_of_a_minute(case: Case) -> None:
    reports, rooms = case.reports(), [f"{site}/vc-endpoint#{name}" for site in "ab" for name in ("one", "two")]
    case.now = BEGINS - MINUTE
    await reports.look()
    reports.to_ask.clear()
    assert not reports.in_meeting("a/tslcd")
    case.now = BEGINS
    await reports.look()
    assert list(reports.to_ask) == rooms
    assert reports.apart_seconds() == 1.0
    assert [reports.in_meeting(each) for each in ("a/tslcd", "b/vc-endpoint", "c/vc-endpoint")] == [True, True, False]
    reports.to_ask.clear()
    case.now += CLOSER / 2
    await reports.look()
    assert not reports.to_ask
    case.now += CLOSER / 2
    await reports.look()
    assert list(reports.to_ask) == rooms
    case.now = BEGINS + 2 * HOUR
    reports.to_ask.clear()
    await reports.look()
    assert not reports.to_ask
    assert not reports.in_meeting("a/tslcd"), "it is over"


async def test_however_many_rooms_there_are_they_are_not_asked_faster_than_that(case: Case) -> None:
    reports = case.reports()
    reports.to_ask = {str(each): None for each in range(10**6)}
    assert reports.apart_seconds() == 1 / FASTEST


def test_metrics_are_of_the_first_meetings_within_a_day_one_session_each(case: Case) -> None:
    many = {f"m{number}": meeting(f"m{number}", T0 + HOUR + number * MINUTE) for number in range(MEASURED + 5)}
    first = many["m0"]
    twice = replace(first, sessions=(*first.sessions, Session(T0 + 9 * HOUR, T0 + 10 * HOUR, "m0")))
    case.inventory = replace(case.inventory, meetings={**many, "m0": twice, "far": meeting("far", T0 + 25 * HOUR)})
    found = soon(case.outlooks().all(), case.now)
    assert list(found) == [f"m{number}" for number in range(MEASURED)]
    assert found["m0"].counts() == {Readiness.NOT_READY: 0, Readiness.AT_RISK: 0, Readiness.READY: 2}


def test_a_look_is_kept_for_some_seconds_and_not_beyond_a_reload(case: Case) -> None:
    outlooks = case.outlooks()
    before = outlooks.all()
    case.turn(State.DOWN, "a/vc-endpoint")
    assert outlooks.all() is before
    case.now += KEPT
    assert outlooks.all()[0].counts()[Readiness.NOT_READY] == 1
    case.inventory = replace(case.inventory, meetings={})
    assert outlooks.all() == ()


async def test_while_somebody_looks_it_is_reckoned_anew_before_it_is_old(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.readiness.RENEW_SECONDS", 0.0)
    outlooks = case.outlooks()
    renewing = asyncio.create_task(outlooks.renew())
    try:
        before = outlooks.all()
        case.turn(State.DOWN, "a/vc-endpoint")
        async with asyncio.timeout(10):
            while outlooks.all() is before:
                await asyncio.sleep(0)
        assert outlooks.all()[0].counts()[Readiness.NOT_READY] == 1
    finally:
        renewing.cancel()


async def test_what_a_room_says_of_itself_is_asked_for_before_a_meeting_and_while_it_is_held(case: Case) -> None:
    case.remarks["b/vc-endpoint"] = ("muted",)
    case.now = BEGINS - HOUR
    before = next(each for each in case.outlooks().all()[0].rooms if each.target == "b/vc-endpoint")
    assert (before.readiness, before.says) == (Readiness.AT_RISK, "muted")
    case.now = BEGINS
    during = next(each for each in case.outlooks().all()[0].rooms if each.target == "b/vc-endpoint")
    assert during.readiness is Readiness.READY
