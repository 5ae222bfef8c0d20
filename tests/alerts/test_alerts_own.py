"""What the monitor mails about itself, through real mail servers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from alerts.mailer import Mailer, Relay
from alerts.own import AGAIN_SECONDS, RETRY_SECONDS, SHOWN, Emergency, concerned
from alerts.routing import Route, Routing, Scope
from lab.sink import Sink
from monitor.core.model import Cause, Contact, Happening, Notification
from tests.alerts.conftest import MakeSink
from tests.alerts.sample import INCIDENT, NOW, ON_CALL, composer, inventory, notification

LINES = Contact(id="lines", name="Lines", email="lines@example.org", language="en")
AFTER = 30.0


@dataclass(slots=True)
class Case:
    """A database that can be written or not, and a clock that the test sets."""

    mailer: Mailer
    contacts: Sequence[Contact] = (ON_CALL,)
    unwritten: float = 0.0
    waiting: list[Notification] = field(default_factory=list)
    seconds: float = 0.0
    emergency: Emergency = field(init=False)

    def __post_init__(self) -> None:
        self.emergency = Emergency(
            unwritten=lambda: (self.unwritten, self.waiting), trouble=lambda: "the disk is full", composer=composer(),
            mailer=self.mailer, contacts=lambda: self.contacts, inventory=inventory,
            clock=self.now, after_seconds=AFTER, steady=lambda: self.seconds,
        )  # fmt: skip

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)

    async def passes(self, seconds: float) -> None:
        self.seconds += seconds
        await self.emergency.look()


@pytest.fixture
def case(relay: Relay) -> Case:
    return Case(Mailer([relay]))


@pytest.fixture
def sink(make_sink: MakeSink, port: int) -> Sink:
    return make_sink(port)


def told(sink: Sink, to: Contact = ON_CALL) -> list[str]:
    return [str(mail.message["Subject"]) for mail in sink.mails if mail.to == (to.email,)]


async def test_nothing_is_told_while_all_is_written_in_time(case: Case, sink: Sink) -> None:
    for unwritten in (0.0, AFTER - 1, 0.0):
        case.unwritten = unwritten
        await case.passes(1)
    assert not sink.mails
    assert case.emergency.told is None


async def test_it_is_told_once_with_what_waits_and_once_when_it_is_over(case: Case, sink: Sink) -> None:
    case.unwritten = AFTER
    case.waiting = [
        notification(), notification(Happening.CHANGED), notification(incident=replace(INCIDENT, id="second")),
        notification(contact=LINES),
    ]  # fmt: skip
    for _ in range(100):
        await case.passes(10)
    assert case.emergency.told == NOW + timedelta(seconds=10)
    mine, theirs = sorted(sink.mails, key=lambda each: each.to != (ON_CALL.email,))
    subject = "KHẨN – Trạm giám sát không ghi được dữ liệu ("
    assert str(mine.message["Subject"]).startswith(subject)
    lines = [line for line in mine.text().splitlines() if line.startswith("- ")]
    assert lines == [
        "- 12:00:03 24/11/2026: NHẬN ĐỊNH LẠI: Đường TSLCĐ – Xã Kim Đông",
        "- 12:00:03 24/11/2026: NGỪNG: Đường TSLCĐ – Xã Kim Đông",
    ]
    assert "the disk is full" in mine.text()
    assert str(theirs.message["Subject"]).startswith("URGENT – The monitor cannot write its data")
    assert "DOWN: TSLCĐ line – Xã Kim Đông" in theirs.text()

    case.unwritten, case.waiting = 0.0, []
    for _ in range(10):
        await case.passes(10)
    assert case.emergency.told is None
    assert len(sink.mails) == 4
    assert told(sink)[1:] == ["Trạm giám sát ghi lại được dữ liệu, thư trở lại bình thường"]
    assert len({str(mail.message["Message-ID"]) for mail in sink.mails}) == 4
    ends = [mail.message for mail in sink.mails if mail.message["In-Reply-To"]]
    assert {str(each["In-Reply-To"]) for each in ends} == {str(each.message["Message-ID"]) for each in (mine, theirs)}


async def test_who_is_concerned_by_nothing_that_waits_is_not_told(case: Case, sink: Sink) -> None:
    case.unwritten = AFTER
    await case.passes(1)
    assert [mail.to for mail in sink.mails] == [(ON_CALL.email,)]
    assert "Hiện chưa có sự cố nào" in sink.mails[0].text()


async def test_what_comes_later_is_told_too_but_not_at_once(case: Case, sink: Sink) -> None:
    case.unwritten = AFTER
    await case.passes(1)
    case.waiting = [notification()]
    await case.passes(AGAIN_SECONDS - 1)
    assert len(told(sink)) == 1
    await case.passes(1)
    assert len(told(sink)) == 2
    assert "NGỪNG: Đường TSLCĐ" in sink.mails[-1].text()
    await case.passes(AGAIN_SECONDS)
    assert len(told(sink)) == 2, "nothing new"


async def test_a_long_list_is_cut(case: Case, sink: Sink) -> None:
    case.unwritten = AFTER
    case.waiting = [notification(incident=replace(INCIDENT, id=f"i{number}")) for number in range(SHOWN + 7)]
    await case.passes(1)
    assert "- và 7 sự cố khác" in sink.mails[0].text()
    assert sink.mails[0].text().count("NGỪNG") == SHOWN
    assert told(sink)[0].endswith("(47 sự cố)")


async def test_it_is_tried_until_a_relay_takes_it(case: Case, make_sink: MakeSink, port: int) -> None:
    case.unwritten = AFTER
    await case.passes(1)
    assert case.emergency.told is None
    sink = make_sink(port)
    await case.passes(RETRY_SECONDS - 1)
    assert not sink.mails
    await case.passes(1)
    assert len(sink.mails) == 1
    sink.refuse = "451 later"
    case.unwritten = 0.0
    await case.passes(1)
    sink.refuse = ""
    await case.passes(RETRY_SECONDS)
    await case.passes(RETRY_SECONDS)
    assert len(told(sink)) == 2


async def test_trouble_that_ends_before_anybody_was_told_is_not_told_at_all(
    case: Case, make_sink: MakeSink, port: int
) -> None:
    case.unwritten = AFTER
    await case.passes(1)
    sink = make_sink(port)
    case.unwritten = 0.0
    for _ in range(5):
        await case.passes(RETRY_SECONDS)
    assert not sink.mails


def test_where_nobody_is_told_of_everything_all_are_told_of_the_monitor() -> None:
    provider = replace(LINES, id="provider.vnpt", outsider=True)
    known = Routing(contacts={each.id: each for each in (ON_CALL, LINES, provider)})
    lines, all_of_it = Route(to=LINES.id, scope=Scope(causes=(Cause.LINK,))), Route(to=ON_CALL.id)
    late = Route(to=LINES.id, after=timedelta(minutes=5))
    assert concerned(replace(known, routes=(lines, late, all_of_it, Route(to=provider.id))), NOW) == (ON_CALL,)
    assert concerned(replace(known, routes=(lines,)), NOW) == (ON_CALL, LINES)
