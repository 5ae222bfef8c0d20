"""A mail leaves the outbox once, in order, and only when a relay has decided; with a real database and a real relay."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import outbox
from alerts.mailer import Mailer, Outcome, Relay
from alerts.outbox import FIRST_RETRY, JITTER, LONGEST_RETRY, Outbox, backoff
from alerts.webhook import Webhooks
from lab.sink import HANG, Taken
from monitor.core.model import Contact, Happening, Notification
from monitor.mailqueue import LEASE
from monitor.store import Store
from tests.alerts.conftest import MakeSink
from tests.alerts.sample import INCIDENT, NOW, ON_CALL, composer, inventory, notification

OPENED, RECOVERED = notification(Happening.OPENED), notification(Happening.RECOVERED)
OTHER = replace(INCIDENT, id="another")
GIVE_UP_SECONDS = 20.0


@dataclass(slots=True)
class Post:
    """An outbox with a clock that the test sets."""

    store: Store
    relay: Relay
    file: Path
    now: datetime = NOW
    results: list[str] = field(default_factory=list)
    outbox: Outbox = field(init=False)

    def __post_init__(self) -> None:
        self.outbox = Outbox(
            queue=self.store.mails, composer=composer(), mailer=Mailer([self.relay]),
            webhooks=Webhooks({}, lambda *_: None), inventory=inventory,
            clock=lambda: self.now, on_result=self.results.append, chance=lambda: 0.0,
        )  # fmt: skip

    async def queue(self, *notifications: Notification) -> None:
        await self.store.record([], [], notifications, self.now)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.outbox.run())
        try:
            yield
            assert not task.done(), "the outbox goes on whatever happens"
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until(self, **counts: int) -> None:
        """Until the mails stand so."""
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while (await self.store.mails.standing(self.now)).counts != counts:
                self.outbox.wake()
                await asyncio.sleep(0.01)

    async def results_are(self, *results: str) -> None:
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while len(self.results) < len(results):
                self.outbox.wake()
                await asyncio.sleep(0.01)
        assert self.results == list(results)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(self.file)
        try:
            found = connection.execute(query).fetchall()
            connection.commit()
            return found
        finally:
            connection.close()

    def break_table(self) -> None:
        """From now on the queue cannot be used."""
        self.rows("ALTER TABLE outbox RENAME TO away")

    def mend_table(self) -> None:
        self.rows("ALTER TABLE away RENAME TO outbox")


@pytest.fixture
def post(tmp_path: Path, relay: Relay) -> Iterator[Post]:
    store = Store(str(tmp_path / "state.db"))
    yield Post(store, relay, tmp_path / "state.db")
    store.close()


def subjects(mails: list[Taken]) -> list[str]:
    return [str(each.message["Subject"]).partition(":")[0] for each in mails]


@given(attempts=st.integers(min_value=1, max_value=10**6))
def test_the_pause_doubles_from_five_seconds_up_to_five_minutes(attempts: int) -> None:
    pause = backoff(attempts)
    assert FIRST_RETRY <= pause <= LONGEST_RETRY
    assert backoff(attempts + 1) == min(LONGEST_RETRY, 2 * pause)


@given(attempts=st.integers(min_value=1, max_value=10**6), early=st.floats(min_value=0, max_value=1))
def test_mails_that_failed_together_are_spread_over_the_last_part_of_the_pause(attempts: int, early: float) -> None:
    assert backoff(attempts) * (1 - JITTER) <= backoff(attempts, early) <= backoff(attempts)


def test_the_pauses_are_these() -> None:
    assert [backoff(each).total_seconds() for each in range(1, 9)] == [5, 10, 20, 40, 80, 160, 300, 300]


async def test_a_mail_is_sent_once_however_often_the_outbox_is_woken(
    make_sink: MakeSink, port: int, post: Post
) -> None:
    sink = make_sink(port)
    await post.queue(OPENED)
    await post.queue(OPENED)
    async with post.running():
        await post.until(sent=1)
        for _ in range(20):
            post.outbox.wake()
            post.now += timedelta(days=1)
            await asyncio.sleep(0)
        await post.queue(notification(contact=replace(ON_CALL, id="second")))
        await post.until(sent=2)
    assert [each.message["Message-ID"] for each in sink.mails] == [
        f"<{INCIDENT.id}.opened.{who}@noc.example.org>" for who in ("on-call", "second")
    ]
    assert post.results == ["sent", "sent"]


async def test_what_is_queued_while_it_runs_goes_at_once_when_woken(make_sink: MakeSink, port: int, post: Post) -> None:
    sink = make_sink(port)
    async with post.running():
        for number in range(3):
            await post.queue(notification(contact=replace(ON_CALL, id=f"c{number}")))
            await post.until(sent=number + 1)
    assert len(sink.mails) == 3


async def test_many_mails_more_than_a_batch_all_go_once(make_sink: MakeSink, port: int, post: Post) -> None:
    sink = make_sink(port)
    await post.queue(*(notification(contact=replace(ON_CALL, id=f"c{number}")) for number in range(40)))
    async with post.running():
        await post.until(sent=40)
    assert len({each.message["Message-ID"] for each in sink.mails}) == len(sink.mails) == 40


async def test_what_happens_later_to_an_incident_waits_for_the_mail_of_its_beginning(
    make_sink: MakeSink, port: int, post: Post
) -> None:
    sink = make_sink(port)
    sink.refuse = "451 later"
    await post.queue(OPENED, notification(Happening.ACKNOWLEDGED))
    async with post.running():
        await post.until(deferred=1, queued=1)
        sink.refuse = ""
        post.now += timedelta(seconds=4)
        await post.queue(notification(incident=OTHER))
        await post.until(deferred=1, queued=1, sent=1)
        post.now += timedelta(seconds=1)
        await post.until(sent=3)
    assert [each.message["X-Commune-Monitor-Incident"] for each in sink.mails] == ["another", INCIDENT.id, INCIDENT.id]
    assert subjects(sink.mails)[1:] == ["NGỪNG", "ĐÃ CÓ NGƯỜI NHẬN"]
    assert sink.refused == 1


async def test_an_incident_that_ends_while_no_mail_can_leave_is_told_in_one_mail(
    make_sink: MakeSink, port: int, post: Post
) -> None:
    english = replace(ON_CALL, id="support", email="support@example.org", language="en")
    begins = [notification(contact=each) for each in (ON_CALL, english)]
    ends = [notification(Happening.RECOVERED, contact=each) for each in (ON_CALL, english)]
    await post.queue(*begins)
    async with post.running():
        await post.until(deferred=2)
        await post.queue(*ends)
        sink = make_sink(port)
        post.now += timedelta(hours=1)
        await post.until(superseded=2, sent=2)
    found = {each.to[0]: each for each in sink.mails}
    vietnamese, other = found["truc@noc.example.org"], found["support@example.org"]
    assert vietnamese.message["Subject"] == "ĐÃ QUA: Đường TSLCĐ – Xã Kim Đông"
    assert other.message["Subject"] == "OVER: TSLCĐ line – Xã Kim Đông"
    assert "ngừng từ 12:00:00 24/11/2026 đến 12:00:03 24/11/2026, kéo dài 3 giây" in vietnamese.text()
    assert "down from 12:00:00 24/11/2026 to 12:00:03 24/11/2026, for 3 s" in other.text()
    assert "VIỆC CẦN LÀM" not in vietnamese.text()
    assert f"<{ends[0].id}@noc.example.org>" == vietnamese.message["Message-ID"]
    assert f"<{begins[0].id}@noc.example.org>" == vietnamese.message["In-Reply-To"]


async def test_when_a_relay_is_back_what_was_put_off_does_not_wait_for_its_turn(
    make_sink: MakeSink, port: int, post: Post
) -> None:
    await post.queue(*(notification(contact=replace(ON_CALL, id=f"c{number}")) for number in range(6)))
    async with post.running():
        await post.until(deferred=6)
        make_sink(port)
        post.rows("UPDATE outbox SET due = '' WHERE contact = 'c3'")
        await post.until(sent=6)
    assert post.results[6:] == ["sent"] * 6


async def test_a_mail_that_hangs_does_not_hold_up_the_others(make_sink: MakeSink, port: int, post: Post) -> None:
    sink, hung = make_sink(port), []

    def fault(step: str) -> str:
        if step == "rcpt" and not hung:
            hung.append(step)
            return HANG
        return ""

    sink.fault = fault
    await post.queue(OPENED)
    async with post.running():
        await post.until(sending=1)
        for number in range(20):
            await post.queue(notification(contact=replace(ON_CALL, id=f"c{number}")))
        await post.until(sending=1, sent=20)
        assert post.results == ["sent"] * 20


def slow(begun: asyncio.Event, seconds: float) -> Callable[[Taken], None]:
    """What makes a server take so long over a mail, and tells when it has begun."""
    loop = asyncio.get_running_loop()

    def take(_: Taken) -> None:
        loop.call_soon_threadsafe(begun.set)
        time.sleep(seconds)

    return take


async def test_a_mail_that_is_being_handed_over_is_let_arrive_at_the_end(
    make_sink: MakeSink, port: int, post: Post
) -> None:
    begun = asyncio.Event()
    sink = make_sink(port, on_mail=slow(begun, 0.3))
    await post.queue(OPENED)
    async with post.running():
        await begun.wait()
    assert (await post.store.mails.standing(post.now)).counts == {"sent": 1}
    assert len(sink.mails) == 1


async def test_a_clock_that_is_set_while_a_mail_is_under_way_does_not_send_it_twice(
    make_sink: MakeSink, port: int, post: Post
) -> None:
    begun = asyncio.Event()
    sink = make_sink(port, on_mail=slow(begun, 0.5))
    await post.queue(OPENED)
    async with post.running():
        await begun.wait()
        post.now += timedelta(days=1)
        await post.until(sent=1)
    assert len(sink.mails) == 1


async def test_one_recipients_trouble_does_not_hold_up_another(make_sink: MakeSink, port: int, post: Post) -> None:
    sink = make_sink(port)
    await post.queue(notification(contact=replace(ON_CALL, id="odd", email="a..b@example.org")), RECOVERED)
    async with post.running():
        await post.until(failed=1, sent=1)
    assert subjects(sink.mails) == ["ĐÃ TRỞ LẠI"]
    assert sorted(post.results) == ["refused", "sent"]


async def test_a_mail_that_is_not_taken_is_tried_again_after_the_pause_and_not_before(
    make_sink: MakeSink, port: int, post: Post
) -> None:
    sink = make_sink(port)
    sink.refuse = "451 later"
    await post.queue(OPENED)
    due = []
    async with post.running():
        for tries in range(1, 5):
            await post.results_are(*["retry"] * tries)
            await post.until(deferred=1)
            ((until, answer),) = post.rows("SELECT due, answer FROM outbox")
            assert "451 later" in str(answer)
            due.append((datetime.fromisoformat(str(until)) - post.now).total_seconds())
            post.now = datetime.fromisoformat(str(until)) - timedelta(microseconds=1)
            assert await post.store.mails.take(post.now, 10) == []
            post.now += timedelta(microseconds=1)
    assert due[:3] == [5, 10, 20]


async def test_a_mail_that_is_refused_for_good_is_given_up_and_kept_with_the_answer(
    make_sink: MakeSink, port: int, post: Post
) -> None:
    sink = make_sink(port)
    sink.refuse = "550 no such user"
    await post.queue(OPENED)
    async with post.running():
        await post.until(failed=1)
        sink.refuse = ""
        await post.queue(RECOVERED)
        await post.until(failed=1, sent=1)
    assert post.results == ["refused", "sent"]
    assert post.rows("SELECT answer FROM outbox WHERE status = 'failed'") == [
        (f"127.0.0.1:{port}: refused at recipient: 550 no such user",)
    ]


async def test_mails_wait_for_a_relay_that_is_away_and_all_arrive_once(
    make_sink: MakeSink, port: int, post: Post
) -> None:
    contacts = [Contact(id=f"c{number}", name="C", email=f"c{number}@example.org") for number in range(5)]
    await post.queue(*(notification(contact=each) for each in contacts))
    async with post.running():
        await post.until(deferred=5)
        sink = make_sink(port)
        post.now += FIRST_RETRY
        await post.until(sent=5)
    assert {each.to for each in sink.mails} == {(each.email,) for each in contacts}
    assert len(sink.mails) == 5


async def test_a_queue_that_cannot_be_read_does_not_end_the_outbox(
    make_sink: MakeSink, port: int, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    make_sink(port)
    await post.queue(OPENED)
    post.break_table()
    async with post.running():
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while "the outbox cannot be read" not in caplog.text:
                await asyncio.sleep(0.01)
        post.mend_table()
        await post.until(sent=1)


async def test_a_mail_whose_delivery_cannot_be_noted_yet_is_noted_later_and_not_sent_again(
    make_sink: MakeSink, port: int, post: Post, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MARK_AGAIN_SECONDS", 0.01)
    once: list[Callable[[], None]] = [post.break_table]
    sink = make_sink(port, on_mail=lambda _: once.pop()() if once else None)
    await post.queue(OPENED)
    async with post.running():
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while "cannot be written yet" not in caplog.text:
                await asyncio.sleep(0.01)
        post.mend_table()
        await post.until(sent=1)
        post.now += LEASE * 2
        assert await post.store.mails.take(post.now, 10) == []
    assert len(sink.mails) == 1


async def test_a_mistake_of_ours_in_one_mail_does_not_end_the_outbox(
    make_sink: MakeSink, port: int, post: Post, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = make_sink(port)
    send = Mailer.send

    async def sometimes(mailer: Mailer, message: EmailMessage, recipient: str) -> Outcome:
        if recipient == "odd@example.org":
            raise RuntimeError("a mistake of ours")
        return await send(mailer, message, recipient)

    monkeypatch.setattr(Mailer, "send", sometimes)
    odd = Contact(id="odd", name="Odd", email="odd@example.org")
    await post.queue(notification(contact=odd), OPENED)
    async with post.running():
        await post.until(sending=1, sent=1)
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while "was not handled: a mistake of ours" not in caplog.text:
                await asyncio.sleep(0.01)
    assert len(sink.mails) == 1


async def test_a_lease_that_ends_makes_a_mail_due_again(post: Post) -> None:
    await post.queue(OPENED)
    assert len(await post.store.mails.take(post.now, 10)) == 1
    post.now += LEASE - timedelta(seconds=1)
    assert await post.store.mails.take(post.now, 10) == []
    post.now += timedelta(seconds=1)
    assert len(await post.store.mails.take(post.now, 10)) == 1
