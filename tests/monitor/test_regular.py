"""Summaries by a real database: each is made once, whatever is killed, late or broken, and leaves by the outbox."""

from __future__ import annotations

import asyncio
import io
import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest
from openpyxl import load_workbook

from alerts.mailer import Mailer, Relay
from alerts.outbox import Outbox
from alerts.routing import Routing, Summaries
from alerts.webhook import Webhooks
from monitor.archive import Archive
from monitor.core.ledger import Member
from monitor.core.model import Happening, Held, Letter, Role, State
from monitor.database import StoreError
from monitor.lookback import LookBack
from monitor.regular import Regular
from monitor.store import Store
from tests.alerts.conftest import MakeSink
from tests.alerts.sample import INCIDENT, NOW, ON_CALL, composer, event, inventory, notification
from tests.monitor.making import rows

HEAD = replace(ON_CALL, id="head", email="head@noc.example.org", language="en")
DAILY = Summaries(daily=time(12, 1))
"""A minute after NOW, in Viet Nam."""
DAY = timedelta(days=1)


@dataclass(slots=True)
class Case:
    store: Store
    archive: Archive
    now: datetime = NOW
    summaries: dict[str, Summaries] = field(default_factory=lambda: {ON_CALL.id: DAILY})
    woken: int = 0

    def regular(self) -> Regular:
        """As a daemon has it that was just started."""
        contacts = {each.id: each for each in (ON_CALL, HEAD)}
        return Regular(
            letters=self.store.mails, past=LookBack(self.archive, inventory, lambda: self.now), held=dict,
            routing=lambda: Routing(contacts=contacts, summaries=self.summaries), inventory=inventory, composer=composer(),
            board="http://board.example", clock=lambda: self.now, written=self._wake,
        )  # fmt: skip

    def _wake(self) -> None:
        self.woken += 1

    async def look(self, after: timedelta = timedelta()) -> bool:
        self.now += after
        return await self.regular().look()


@pytest.fixture
def case(store: Store, archive: Archive) -> Case:
    return Case(store, archive)


def written(file: Path) -> list[object]:
    return [each for (each,) in rows(file, "SELECT id FROM outbox WHERE thread = '' ORDER BY seq")]


async def lived(store: Store) -> None:
    """A daemon that watched a day, in which a line was down for an hour."""
    await store.begin(NOW - DAY)
    root = INCIDENT.root
    line = Member(target=root, role=Role.LINK, kind="tslcd", provider="vnpt", commune="xa-kim-dong", since=NOW - DAY)
    began, closed = NOW - timedelta(hours=3), NOW - timedelta(hours=2)
    states = [
        Held(target=root, state=State.UP, since=NOW - DAY),
        Held(target=root, state=State.DOWN, since=began),
        Held(target=root, state=State.UP, since=closed),
    ]
    incident = replace(INCIDENT, began=began, opened=began)
    over = replace(incident, closed=closed)
    part = replace(incident, id="part", closed=closed)
    happened = [
        replace(event(), incident=incident, at=began),
        replace(event(), incident=over, at=closed, what=Happening.RECOVERED),
        replace(event(), incident=part, at=closed, what=Happening.WITHDRAWN),
    ]
    await store.record(states, happened, [], NOW, [line])


async def test_a_summary_is_made_once_at_its_time_over_restarts_and_clocks_that_go_back(case: Case, file: Path) -> None:
    await lived(case.store)
    assert await case.look()
    assert written(file) == []
    for after in (timedelta(minutes=1), timedelta(), timedelta(hours=3), timedelta(hours=-3), timedelta(hours=2)):
        assert await case.look(after)
    assert (written(file), case.woken) == (["daily-20261124.on-call"], 1)
    (queued,) = await case.store.mails.take(case.now, 9)
    assert isinstance(queued.mail, Letter)
    assert queued.mail.subject == "TỔNG HỢP NGÀY 24/11: 1 sự cố, 0 chưa khắc phục", "what was a part is not counted"
    assert "- 1 giờ: Đường TSLCĐ – Xã Kim Đông (" in queued.mail.text
    assert "(ngừng 1 giờ, VNPT Ninh Bình)" in queued.mail.text


async def test_one_that_is_late_comes_the_same_day_and_not_the_next_and_the_next_goes_on_from_it(
    case: Case, file: Path
) -> None:
    await lived(case.store)
    assert await case.look(timedelta(hours=9))
    assert written(file) == ["daily-20261124.on-call"]
    assert await case.look(timedelta(hours=6))
    assert len(written(file)) == 1, "it is the next day, before its time"
    assert await case.look(timedelta(hours=9, minutes=1))
    assert written(file)[1:] == ["daily-20261125.on-call"]
    assert [each.id for each in await case.store.mails.take(case.now, 9)] == ["daily-20261124.on-call"], "in order"
    await case.store.mails.sent("daily-20261124.on-call", case.now, "taken")
    (next_one,) = await case.store.mails.take(case.now, 9)
    assert isinstance(next_one.mail, Letter)
    assert next_one.mail.text.startswith("Từ 21:00 24/11 đến 12:01 25/11 có 0 sự cố")


async def test_a_first_start_after_its_time_tells_no_quiet_day_of_a_time_that_nobody_watched(
    case: Case, file: Path
) -> None:
    case.now += timedelta(hours=9)
    await case.store.begin(case.now)
    assert await case.look(timedelta(minutes=1))
    assert written(file) == []
    assert await case.look(timedelta(hours=20))
    (queued,) = await case.store.mails.take(case.now, 9)
    assert isinstance(queued.mail, Letter)
    assert queued.mail.text.startswith("Từ 21:00 24/11 đến 17:01 25/11 có 0 sự cố"), "from the first start on"


async def test_the_month_goes_to_each_in_their_language_with_its_report(case: Case, file: Path) -> None:
    await lived(case.store)
    case.summaries = {each: Summaries(monthly=time(7, 0)) for each in (ON_CALL.id, HEAD.id)}
    case.now = datetime(2026, 12, 1, 0, 0, tzinfo=NOW.tzinfo)
    assert await case.look()
    assert written(file) == ["monthly-202611.head", "monthly-202611.on-call"]
    found = [each.mail for each in await case.store.mails.take(case.now, 9)]
    assert [each.subject[:16] for each in found if isinstance(each, Letter)] == ["MONTHLY SUMMARY ", "TỔNG HỢP THÁNG 1"]
    assert [each.name for each in found[0].attached] == ["availability-2026-11.html", "availability-2026-11.xlsx"]
    pages = [b64decode(each.attached[0].base64).decode() for each in found if isinstance(each, Letter)]
    assert [re.findall("<h1>(.+)</h1>", each) for each in pages] == [
        ["Availability in 11/2026"],
        ["Báo cáo độ khả dụng tháng 11/2026"],
    ]


async def test_it_leaves_by_the_outbox_with_its_report(
    case: Case, make_sink: MakeSink, port: int, relay: Relay
) -> None:
    sink = make_sink(port)
    await lived(case.store)
    case.summaries = {ON_CALL.id: Summaries(monthly=time(7, 0))}
    case.now = datetime(2026, 12, 1, 0, 0, tzinfo=NOW.tzinfo)
    assert await case.look()
    outbox = Outbox(
        queue=case.store.mails, composer=composer(),
        mailer=Mailer([relay]),
        webhooks=Webhooks({}, lambda *_: None), inventory=inventory, clock=lambda: case.now, on_result=lambda _: None,
    )  # fmt: skip
    task = asyncio.create_task(outbox.run())
    async with asyncio.timeout(20):
        while (await case.store.mails.standing(case.now)).counts != {"sent": 1}:
            await asyncio.sleep(0.01)
    task.cancel()
    (mail,) = sink.mails
    assert str(mail.message["Message-ID"]) == "<monthly-202611.on-call@noc.example.org>"
    page, book = mail.message.iter_attachments()
    assert (page.get_filename(), page.get_content_type()) == ("availability-2026-11.html", "text/html")
    assert "Báo cáo độ khả dụng tháng 11/2026" in page.get_content()
    assert book.get_filename() == "availability-2026-11.xlsx"
    sheets = load_workbook(io.BytesIO(book.get_content())).sheetnames
    assert sheets == ["Tóm tắt", "Nhà cung cấp so với cam kết", "Đường truyền", "Xã, phường", "Các lần ngừng"]


async def test_what_cannot_be_made_or_written_is_made_later(
    case: Case, file: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lived(case.store)
    with monkeypatch.context() as broken:
        broken.setattr(case.store.mails, "write", _cannot)
        assert not await case.look(timedelta(minutes=1))
    assert "the disk is full" in caplog.text
    with monkeypatch.context() as broken:
        broken.setattr("monitor.regular.daily.told", _raises)
        assert not await case.look()
    assert "by a mistake of ours" in caplog.text
    assert await case.look()
    assert written(file) == ["daily-20261124.on-call"]


async def _cannot(*_: object) -> None:
    raise StoreError("the disk is full")


def _raises(*_: object) -> Callable[[], None]:
    raise ZeroDivisionError


async def test_a_restart_takes_a_summary_for_no_mail_of_an_incident(case: Case) -> None:
    await case.store.record([], [event()], [notification()], NOW)
    assert await case.look(timedelta(minutes=1))
    assert await case.store.mails.told(NOW - DAY) == (notification(),)
    assert await case.store.mails.held() == ()
    assert await case.store.mails.mail("daily-20261124.on-call") is None
