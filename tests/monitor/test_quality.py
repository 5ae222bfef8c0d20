"""Reports after meetings by a real database: measured along, told once, over restarts."""

from __future__ import annotations

import asyncio
import csv
import io
from base64 import b64decode
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest_asyncio
import sqlalchemy as sa

from alerts.quality import LATEST, SETTLED
from monitor.archive import Archive
from monitor.core.graph import Graph
from monitor.core.lasthour import ECHO, ECHO_RTT
from monitor.core.ledger import Interval, Span, members
from monitor.core.model import Contact, Held, Incident, Inventory, Letter, Observation, Outcome, Reason, Session, State
from monitor.core.quality import Figures, Quality, SessionQuality
from monitor.lookback import LookBack
from monitor.quality import QualityReports
from monitor.store import Store
from tests.alerts.sample import composer
from tests.core.correlating import T0, province
from tests.monitor.making import rows
from tests.monitor.test_readiness import ON_DUTY, checked, meeting

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
BEGINS, ENDS = T0 + HOUR, T0 + 3 * HOUR
ROOM, LINE = "a/vc-endpoint", "a/tslcd"


def with_echo(inventory: Inventory) -> Inventory:
    line = inventory.targets[LINE]
    echo = replace(line.checks[0], probe=ECHO)
    return replace(inventory, targets={**inventory.targets, LINE: replace(line, checks=(echo,))})


@dataclass(slots=True)
class Case:
    store: Store
    archive: Archive
    inventory: Inventory
    now: datetime = T0
    loss: float = 0.0
    last: dict[str, Observation] = field(default_factory=dict)
    on_duty: tuple[Contact, ...] = (ON_DUTY,)
    asked: list[Span] = field(default_factory=list)
    """Of the ledger."""

    def reports(self) -> QualityReports:
        """As a daemon has it that was just started."""
        return QualityReports(
            inventory=lambda: self.inventory, graph=lambda: Graph(self.inventory.targets), last=lambda: self.last, loss=lambda _: self.loss,
            past=self, kept=self.store.past_sessions, composer=composer(),
            on_duty=lambda: self.on_duty, clock=lambda: self.now, written=lambda: None,
        )  # fmt: skip

    async def intervals(self, targets: Collection[str], span: Span) -> Mapping[str, Sequence[Interval]]:
        self.asked.append(span)
        return await LookBack(self.archive, lambda: self.inventory, lambda: self.now).intervals(targets, span)

    async def incidents(self, span: Span) -> Sequence[Incident]:
        return await self.archive.incidents(span)

    async def found(self) -> SessionQuality | None:
        return await self.archive.past_session("weekly", BEGINS)

    async def turn(self, state: State, *targets: str) -> None:
        held = [Held(target=each, state=state, since=self.now, at=self.now) for each in targets]
        await self.store.record(held, [], [], self.now, members(self.inventory, T0))

    def echo(self, seconds: float, lost: float) -> None:
        check = self.inventory.targets[LINE].checks[0].id
        self.last[check] = Observation(check, LINE, self.now, Outcome.OK, Reason.OK, {ECHO_RTT: seconds})
        self.loss = lost

    async def letters(self) -> list[Letter]:
        return [each.mail for each in await self.store.mails.take(self.now, 9) if isinstance(each.mail, Letter)]


@pytest_asyncio.fixture
async def case(store: Store, archive: Archive) -> AsyncIterator[Case]:
    held = meeting(begins=BEGINS)
    made = Case(store, archive, with_echo(checked(replace(province(), meetings={"weekly": held}))))
    await store.begin(T0)
    await made.turn(State.UP, *made.inventory.targets)
    yield made


async def test_who_was_told_before_is_told_after_once_over_restarts_and_not_a_day_later(case: Case, file: Path) -> None:
    for after in (-HOUR, timedelta(), SETTLED - MINUTE):
        case.now = ENDS + after
        await case.reports().look()
    assert not rows(file, "SELECT id FROM outbox")
    for after in (SETTLED, HOUR, LATEST - MINUTE):
        case.now = ENDS + after
        await case.reports().look()
    names = [name for (name,) in rows(file, "SELECT id FROM outbox ORDER BY seq")]
    assert names == [f"quality-weekly-202611240600.{who}" for who in ("owner.weekly", "hai")]


async def test_a_day_later_or_where_it_is_not_wanted_nobody_is_told(case: Case, file: Path) -> None:
    case.now = ENDS + LATEST
    await case.reports().look()
    case.now = ENDS + HOUR
    unwanted = replace(case.inventory.meetings["weekly"], afterwards=False)
    case.inventory = replace(case.inventory, meetings={"weekly": unwanted})
    await case.reports().look()
    assert not rows(file, "SELECT id FROM outbox")
    assert await case.found() is not None, "it is written down for those who look"


async def test_the_letter_tells_when_a_room_was_cut_off_and_has_the_figures_of_its_line_attached(case: Case) -> None:
    site = replace(case.inventory.sites["a"], contact="Chị Hoa 0912 345 678")
    case.inventory = replace(case.inventory, sites={**case.inventory.sites, "a": site})
    reports = case.reports()
    for minute, (seconds, lost) in enumerate(((0.010, 0.0), (0.030, 0.1), (0.020, 0.2))):
        case.now = BEGINS + minute * MINUTE
        case.echo(seconds, lost)
        await reports.look()
        await reports.look()  # a point a minute, however often it looks
    case.now = BEGINS + 20 * MINUTE
    await case.turn(State.DOWN, ROOM)
    case.now = BEGINS + 27 * MINUTE
    await case.turn(State.UP, ROOM)
    case.now = ENDS + SETTLED
    await case.turn(State.UP, ROOM)  # a sign of life
    await reports.look()
    vi, en = await case.letters()
    assert vi.subject == "SAU HỌP 13:00 24/11: 1 phòng bị cắt – Giao ban"
    assert en.subject == "AFTER 13:00 24/11: 1 rooms cut off – Giao ban"
    assert (
        "BỊ CẮT: a (13:20:00–13:27:00; 7 phút)\n  Do:       thiết bị của phòng họp\n  Gọi:      Chị Hoa 0912 345 678\n"
        in vi.text
    )
    assert "  Call:     Chị Hoa 0912 345 678\n" in en.text
    assert 'href="tel:0912345678"' in vi.html
    assert "2: 1 bị cắt, 0 không ổn định, 1 tốt" in vi.html
    (table,) = vi.attached
    assert table.name == "weekly-2026-11-24-1300.csv"
    first, second = csv.DictReader(io.StringIO(b64decode(table.base64).decode("utf-8-sig")))
    assert (first["room"], first["quality"], first["seconds"], first["line"]) == (ROOM, "cut", "420", LINE)
    assert (first["delay_ms_mean"], first["delay_ms_worst"], first["loss_percent_mean"]) == ("20.0", "30.0", "10.0")
    assert (second["quality"], second["delay_ms_mean"]) == ("good", "")


async def test_what_serves_all_rooms_is_told_of_and_not_counted_as_one(case: Case) -> None:
    registrar = replace(case.inventory.targets["centre/documents"], kind="registrar")
    weekly = case.inventory.meetings["weekly"]
    case.inventory = replace(
        case.inventory, targets={**case.inventory.targets, registrar.id: registrar},
        meetings={"weekly": replace(weekly, rooms=(*weekly.rooms, registrar.id))},
    )  # fmt: skip
    case.now = BEGINS + 20 * MINUTE
    await case.turn(State.DOWN, registrar.id)
    case.now = ENDS + SETTLED
    await case.turn(State.UP, *case.inventory.targets)
    await case.reports().look()
    vi, _ = await case.letters()
    assert vi.subject == "SAU HỌP 13:00 24/11: Máy chủ đăng ký bị cắt – Giao ban"
    assert "Phòng họp:  2: 0 bị cắt, 0 không ổn định, 2 tốt" in vi.text
    assert "Do:       Máy chủ đăng ký họp trực tuyến – centre" in vi.text


async def test_what_was_told_is_there_after_a_restart_with_its_figures(case: Case) -> None:
    reports = case.reports()
    case.now = BEGINS + MINUTE
    case.echo(0.020, 0.05)
    await reports.look()
    case.now = ENDS + SETTLED
    await case.turn(State.UP, ROOM)  # a sign of life
    assert [each.counts for each in reports.unwritten()] == [None]
    await reports.look()
    assert reports.unwritten() == []
    case.echo(0.999, 0.9)
    await case.reports().look()
    found = await case.found()
    assert found is not None
    assert found.rooms[0].figures == Figures(loss_mean=0.05, loss_worst=0.05, delay_mean=0.02, delay_worst=0.02)
    assert (found.measured_seconds, found.so_far) == (60.0, None)


async def test_who_comes_on_duty_when_it_was_told_is_not_told_of_it(case: Case, file: Path) -> None:
    case.now = ENDS + SETTLED
    await case.reports().look()
    case.on_duty = (replace(ON_DUTY, id="ba", email="ba@x.example"),)
    case.now += 8 * HOUR
    await case.reports().look()
    assert len(rows(file, "SELECT id FROM outbox")) == 2


async def test_of_a_session_that_was_over_for_long_the_ledger_alone_tells_and_nobody_is_mailed(
    case: Case, file: Path
) -> None:
    case.now = BEGINS + 20 * MINUTE
    await case.turn(State.DOWN, ROOM)
    case.now += 5 * MINUTE
    await case.turn(State.UP, ROOM)
    case.now = ENDS + 3 * LATEST
    await case.turn(State.UP, ROOM)  # a sign of life
    await case.reports().look()
    found = await case.found()
    assert found is not None
    assert (found.rooms[0].quality, found.rooms[0].seconds, found.measured_seconds) == (Quality.CUT, 300.0, 0.0)
    assert not rows(file, "SELECT id FROM outbox")


async def test_one_of_which_nothing_was_written_down_is_no_more_looked_for(case: Case, file: Path) -> None:
    before = meeting(begins=BEGINS - 30 * HOUR)
    case.inventory = replace(case.inventory, meetings={"weekly": before})
    case.now = ENDS + HOUR
    reports, asked = case.reports(), len(case.asked)
    for _ in range(3):
        assert await reports.look()
    assert not rows(file, "SELECT id FROM past_session")
    assert len(case.asked) - asked == 1


async def test_of_many_old_ones_the_last_comes_first_and_one_a_look(case: Case, file: Path) -> None:
    sessions = tuple(Session(BEGINS + n * HOUR, BEGINS + (n + 1) * HOUR, "weekly") for n in range(3))
    case.inventory = replace(case.inventory, meetings={"weekly": replace(meeting(), sessions=sessions)})
    case.now = ENDS + 3 * LATEST
    await case.turn(State.UP, ROOM)  # a sign of life
    reports = case.reports()
    for number in (1, 2, 3, 3):
        await reports.look()
        assert len(rows(file, "SELECT id FROM past_session")) == number
    begun = [each for (each,) in rows(file, "SELECT begins FROM past_session ORDER BY id")]
    assert begun == sorted(begun, reverse=True)  # type: ignore[type-var]


async def test_while_it_is_held_it_is_told_how_it_has_gone_so_far(case: Case) -> None:
    reports = case.reports()
    assert await reports.so_far("weekly", BEGINS) is None
    case.now = BEGINS + MINUTE
    case.echo(0.020, 0.05)
    await reports.look()
    await case.turn(State.DOWN, ROOM)
    case.now = BEGINS + 11 * MINUTE
    await case.turn(State.UP, ROOM)
    found = await reports.so_far("weekly", BEGINS)
    assert found is not None
    assert (found.so_far, found.rooms[0].quality, found.rooms[0].seconds) == (case.now, Quality.CUT, 600.0)
    assert found.rooms[0].figures.delay_mean == 0.02
    assert found.rooms[1].quality is Quality.GOOD, "what is to come is not held against it"
    asked = len(case.asked)
    assert await reports.so_far("weekly", BEGINS) is found, "however many look"
    assert len(case.asked) == asked
    assert await reports.so_far("weekly", BEGINS + MINUTE) is None


async def test_after_a_restart_in_the_middle_the_times_are_still_known(case: Case) -> None:
    case.now = BEGINS + 20 * MINUTE
    await case.turn(State.DOWN, ROOM)
    case.now += MINUTE
    await case.turn(State.DOWN, ROOM)  # the last sign of life
    case.now += MINUTE
    await case.store.begin(case.now)
    await case.turn(State.UP, *case.inventory.targets)
    case.now = ENDS + SETTLED
    await case.turn(State.UP, ROOM)
    await case.reports().look()
    vi, _ = await case.letters()
    assert "BỊ CẮT: a (13:20:00–13:21:00; 1 phút)" in vi.text


async def test_when_the_database_is_in_trouble_it_is_told_as_soon_as_it_is_not(case: Case, file: Path) -> None:
    case.now = ENDS + SETTLED
    reports = case.reports()
    case.store.close()
    assert not await reports.look()
    case.store = Store(str(file))
    assert await case.reports().look()
    assert len(rows(file, "SELECT id FROM outbox")) == 2
    case.store.close()


async def test_a_reload_in_the_middle_of_a_look_takes_nothing_away(case: Case) -> None:
    """The meeting and its rooms leave the inventory while the past is read, and while it is measured along."""
    before = case.inventory
    gone = {id_: each for id_, each in before.targets.items() if each.site != "a"}
    after = replace(before, targets=gone, meetings={})
    case.now = BEGINS + MINUTE
    reports = case.reports()

    async def look_while_it_is_reloaded() -> bool:
        looking = asyncio.create_task(reports.look())
        await asyncio.sleep(0)
        case.inventory = after
        return await looking

    assert await look_while_it_is_reloaded()
    case.inventory, case.now = before, ENDS + SETTLED
    await case.turn(State.UP, ROOM)  # a sign of life
    assert await look_while_it_is_reloaded()
    vi, _ = await case.letters()
    assert vi.subject.startswith("SAU HỌP 13:00 24/11")
    assert await reports.look(), "and what is no more is asked of no more"


async def test_whose_end_or_name_is_set_anew_while_it_is_held_keeps_what_was_measured(case: Case) -> None:
    reports, new = case.reports(), "a/hop"
    case.now = BEGINS + MINUTE
    case.echo(0.020, 0.05)
    await reports.look()
    weekly, line = case.inventory.meetings["weekly"], case.inventory.targets[LINE]
    longer = Session(BEGINS, ENDS + HOUR, "weekly")
    targets = {each.id: each for each in case.inventory.targets.values() if each.id != LINE}
    behind = {
        each.id: replace(each, behind=tuple(new if way == LINE else way for way in each.behind))
        for each in targets.values()
    }
    case.inventory = replace(
        case.inventory, targets={new: replace(line, id=new, formerly=(LINE,)), **behind},
        meetings={"weekly": replace(weekly, sessions=(longer,))},
    )  # fmt: skip
    case.last.clear()
    case.now = ENDS + SETTLED
    await reports.look()
    assert await case.found() is None, "it is not over"
    case.now = longer.ends + SETTLED
    await case.turn(State.UP, ROOM, new)  # a sign of life
    await reports.look()
    found = await case.found()
    assert found is not None
    (held,) = [each for each in found.rooms if each.target == ROOM]
    assert (held.line, held.figures.delay_mean) == (new, 0.02)


async def test_a_mistake_about_one_meeting_keeps_nothing_from_being_told_of_the_others(case: Case, file: Path) -> None:
    weekly = case.inventory.meetings["weekly"]
    unfit = replace(
        weekly, id="unfit", owner=replace(ON_DUTY, language="tlh"), sessions=(Session(BEGINS, ENDS, "unfit"),)
    )
    case.inventory = replace(case.inventory, meetings={"unfit": unfit, "weekly": weekly})
    case.now = ENDS + SETTLED
    await case.turn(State.UP, ROOM)  # a sign of life
    assert not await case.reports().look(), "it is tried again"
    assert rows(file, "SELECT meeting FROM past_session") == [("weekly",)]
    assert len(rows(file, "SELECT id FROM outbox")) == 2


async def test_a_full_disk_loses_no_mail_and_doubles_none(case: Case, file: Path) -> None:
    case.now = ENDS + SETTLED
    await case.turn(State.UP, ROOM)  # a sign of life
    reports = case.reports()
    for pages, done in (
        (1, False),
        (1 << 30, True),
    ):  # 1: as many as there are, so that SQLite says that the disk is full
        await case.store.mails._database.run(
            "record", lambda connection, pages=pages: connection.execute(sa.text(f"PRAGMA max_page_count={pages}"))
        )
        assert await reports.look() is done
        assert bool(rows(file, "SELECT id FROM past_session UNION SELECT seq FROM outbox")) is done
    assert len(rows(file, "SELECT id FROM past_session")) == 1
    assert len(rows(file, "SELECT id FROM outbox")) == 2


async def test_a_clock_that_is_set_back_and_forth_over_the_end_tells_once(case: Case, file: Path) -> None:
    reports = case.reports()
    for after in (-HOUR, SETTLED, -HOUR, -HOUR + MINUTE, SETTLED, LATEST + HOUR, SETTLED):
        case.now = ENDS + after
        await case.turn(State.UP, ROOM)  # a sign of life
        assert await reports.look()
        assert await reports.so_far("weekly", BEGINS) is not None
    assert len(rows(file, "SELECT id FROM past_session")) == 1
    assert len(rows(file, "SELECT id FROM outbox")) == 2


async def test_long_sessions_that_overlap_are_told_each_by_itself(case: Case, file: Path) -> None:
    weekly, day = case.inventory.meetings["weekly"], timedelta(days=1)
    long = replace(
        weekly,
        id="long",
        sessions=(Session(BEGINS, BEGINS + day, "long"), Session(BEGINS + HOUR, BEGINS + HOUR + day, "long")),
    )
    case.inventory = replace(case.inventory, meetings={"weekly": weekly, "long": long})
    reports = case.reports()
    case.now = BEGINS + HOUR + MINUTE
    case.echo(0.020, 0.05)
    await reports.look()
    await case.turn(State.DOWN, ROOM)
    case.now += 10 * MINUTE
    await case.turn(State.UP, ROOM)
    case.now = BEGINS + day + HOUR + SETTLED  # over midnight, in Viet Nam and in UTC
    await case.turn(State.UP, ROOM)  # a sign of life
    await reports.look()
    found = [
        await case.archive.past_session(meeting, begins)
        for meeting, begins in (("weekly", BEGINS), ("long", BEGINS), ("long", BEGINS + HOUR))
    ]
    assert [
        each and (each.rooms[0].seconds, each.rooms[0].figures.delay_mean, each.measured_seconds) for each in found
    ] == 3 * [(600.0, 0.02, 60.0)]
    assert len(rows(file, "SELECT id FROM outbox")) == 6
