"""Reports after meetings by a real database: measured along, told once, over restarts."""

from __future__ import annotations

import asyncio
import csv
import io
from base64 import b64decode
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest_asyncio

from alerts.quality import LATEST, SETTLED
from monitor.archive import Archive
from monitor.core.graph import Graph
from monitor.core.lasthour import ECHO, ECHO_RTT
from monitor.core.ledger import members
from monitor.core.model import Held, Inventory, Letter, Observation, Outcome, Reason, State
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

    def reports(self) -> QualityReports:
        """As a daemon has it that was just started."""
        graph = Graph(self.inventory.targets)
        return QualityReports(
            inventory=lambda: self.inventory, graph=lambda: graph, last=lambda: self.last, loss=lambda _: self.loss,
            past=LookBack(self.archive, lambda: self.inventory, lambda: self.now), letters=self.store.mails, composer=composer(),
            on_duty=lambda: (ON_DUTY,), clock=lambda: self.now, written=lambda: None,
        )  # fmt: skip

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


async def test_the_letter_tells_when_a_room_was_cut_off_and_has_the_figures_of_its_line_attached(case: Case) -> None:
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
    assert "BỊ CẮT: a (13:20:00–13:27:00; 7 phút)\n  Do:       thiết bị của phòng họp" in vi.text
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
    assert vi.subject == "SAU HỌP 13:00 24/11: Máy chủ họp bị cắt – Giao ban"
    assert "Phòng họp:  2: 0 bị cắt, 0 không ổn định, 2 tốt" in vi.text
    assert "Do:       Máy chủ đăng ký họp trực tuyến – centre" in vi.text


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
