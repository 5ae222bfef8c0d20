"""Mails in the database: each is given out in its turn, once, and nothing is told to begin that is over."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from alerts.outbox import Standing
from monitor import mailqueue
from monitor.core.model import Happening, HeldBack, Letter, Notification
from monitor.mailqueue import FAILED_SHOWN, KEPT, LEASE, PRUNED_AT_ONCE, prune_daily
from monitor.store import Store, read_history
from monitor.tables import written
from tests.alerts.sample import INCIDENT, NOW, ON_CALL, event, notification
from tests.monitor.making import rows
from tests.probes.peers import eventually

OPENED, CHANGED, RECOVERED = (notification(each) for each in (Happening.OPENED, Happening.CHANGED, Happening.RECOVERED))
ACKNOWLEDGED, WITHDRAWN = notification(Happening.ACKNOWLEDGED), notification(Happening.WITHDRAWN)
SECOND = notification(contact=replace(ON_CALL, id="second"))


async def test_repeating_a_batch_does_not_send_a_mail_again(store: Store) -> None:
    await store.record([], [event()], [OPENED], NOW)
    await store.mails.take(NOW, 10)
    await store.mails.sent(OPENED.id, NOW, "taken")
    await store.record([], [event()], [OPENED], NOW)
    assert (await store.mails.standing(NOW)).counts == {"sent": 1}


async def test_what_is_held_back_does_not_leave_until_a_summary_tells_of_it_in_its_place(store: Store) -> None:
    held = replace(OPENED, held=HeldBack.QUIET)
    await store.record([], [event()], [held, SECOND], NOW)
    assert (await store.mails.held(), [each.id for each in await store.mails.take(NOW, 9)]) == ((held,), [SECOND.id])
    digest = replace(notification(Happening.DIGEST), instead_of=(held.id,))
    for _ in range(2):  # a batch whose commit was in doubt
        await store.record([], [], [digest], NOW)
    assert (await store.mails.held(), [each.mail for each in await store.mails.take(NOW, 9)]) == ((), [digest])
    assert (await store.mails.standing(NOW)).counts == {"summed": 1, "sending": 2}
    assert [each.id for each in await store.mails.told(NOW)] == [held.id, SECOND.id, digest.id]


async def test_a_mail_that_is_taken_is_leased_and_comes_whole(store: Store) -> None:
    await store.record([], [event()], [OPENED], NOW)
    (taken,) = await store.mails.take(NOW, 10)
    assert (taken.id, taken.mail, taken.attempts, taken.queued_at) == (OPENED.id, OPENED, 1, NOW)
    assert await store.mails.take(NOW + LEASE - timedelta(microseconds=1), 10) == []
    (again,) = await store.mails.take(NOW + LEASE, 10)
    assert again.attempts == 2


async def test_of_a_thread_and_recipient_only_the_oldest_unsent_mail_is_given_out(store: Store) -> None:
    await store.record([], [], [OPENED, CHANGED, SECOND, ACKNOWLEDGED], NOW)
    order = []
    for _ in range(3):
        taken = await store.mails.take(NOW, 10)
        order.append([each.id for each in taken])
        for each in taken:
            await store.mails.sent(each.id, NOW, "")
    assert order == [[OPENED.id, SECOND.id], [CHANGED.id], [ACKNOWLEDGED.id]]


async def test_a_mail_that_was_given_up_lets_the_next_of_its_thread_go(store: Store) -> None:
    await store.record([], [], [OPENED, RECOVERED], NOW)
    await store.mails.fail(OPENED.id, NOW, "550")
    assert [each.id for each in await store.mails.take(NOW, 10)] == [RECOVERED.id]


async def test_a_deferred_mail_is_due_at_its_time(store: Store) -> None:
    await store.record([], [], [OPENED], NOW)
    await store.mails.defer(OPENED.id, NOW + timedelta(seconds=5), "451")
    assert await store.mails.take(NOW + timedelta(seconds=4.999999), 10) == []
    assert len(await store.mails.take(NOW + timedelta(seconds=5), 10)) == 1


async def test_a_clock_that_is_set_back_puts_no_mail_off(store: Store) -> None:
    await store.record([], [], [OPENED, SECOND], NOW)
    await store.mails.defer(OPENED.id, NOW + LEASE, "451")
    before = NOW - timedelta(hours=1)
    assert [each.id for each in await store.mails.take(before, 10)] == [OPENED.id, SECOND.id]
    assert await store.mails.take(before + LEASE - timedelta(microseconds=1), 10) == [], (
        "leased by the clock as it is now"
    )


async def test_no_more_mails_are_given_out_than_asked_for(store: Store) -> None:
    await store.record([], [], [notification(contact=replace(ON_CALL, id=f"c{n}")) for n in range(5)], NOW)
    assert [len(await store.mails.take(NOW, 2)) for _ in range(4)] == [2, 2, 1, 0]


async def test_after_a_crash_what_was_being_sent_is_due_at_once(file: Path) -> None:
    before = Store(str(file))
    await before.record([], [], [OPENED, SECOND], NOW)
    await before.mails.take(NOW, 1)
    before.close()
    after = Store(str(file))
    assert await after.mails.release() == 1
    assert [each.id for each in await after.mails.take(NOW, 10)] == [OPENED.id, SECOND.id]
    after.close()


async def test_release_leaves_sent_refused_and_waiting_mails_alone(store: Store, file: Path) -> None:
    await store.record([], [], [OPENED, SECOND, notification(incident=replace(INCIDENT, id="x"))], NOW)
    await store.mails.sent(OPENED.id, NOW, "")
    await store.mails.fail(SECOND.id, NOW, "")
    before = rows(file, "SELECT * FROM outbox")
    assert await store.mails.release() == 0
    assert rows(file, "SELECT * FROM outbox") == before


async def test_what_is_still_in_hand_is_not_given_out_again_whatever_the_clock_says(store: Store) -> None:
    await store.record([], [], [OPENED, ACKNOWLEDGED, SECOND], NOW)
    assert len(await store.mails.take(NOW, 10)) == 2
    later = NOW + timedelta(days=1)
    assert await store.mails.take(later, 10, (OPENED.id, SECOND.id)) == []
    assert [each.id for each in await store.mails.take(later, 10, (OPENED.id,))] == [SECOND.id]


async def test_what_was_put_off_is_due_at_once_when_it_is_hastened(store: Store) -> None:
    await store.record([], [], [OPENED, SECOND], NOW)
    await store.mails.defer(OPENED.id, NOW + timedelta(minutes=4), "451")
    await store.mails.sent(SECOND.id, NOW, "")
    await store.mails.hasten(NOW)
    assert [each.id for each in await store.mails.take(NOW, 10)] == [OPENED.id]


# -- what is over before it was told -------------------------------------------------------------------------------


REOPENED = notification(Happening.REOPENED)
AGAIN = notification(Happening.RECOVERED, step="recovered-2")
ENDED = replace(RECOVERED, catches_up=True)


@pytest.mark.parametrize(
    ("sent", "waiting", "goes", "superseded"),
    [
        ([], [OPENED, RECOVERED], [ENDED], [OPENED]),
        ([], [OPENED, CHANGED, ACKNOWLEDGED, RECOVERED], [ENDED], [OPENED, CHANGED, ACKNOWLEDGED]),
        ([OPENED], [CHANGED, RECOVERED], [RECOVERED], [CHANGED]),
        ([OPENED], [RECOVERED], [RECOVERED], []),
        ([OPENED], [RECOVERED, REOPENED], [REOPENED], [RECOVERED]),
        ([], [OPENED, RECOVERED, REOPENED, CHANGED], [REOPENED, CHANGED], [OPENED, RECOVERED]),
        ([OPENED, RECOVERED], [REOPENED, AGAIN], [replace(AGAIN, catches_up=True)], [REOPENED]),
        ([], [OPENED, RECOVERED, REOPENED, AGAIN], [replace(AGAIN, catches_up=True)], [OPENED, RECOVERED, REOPENED]),
        ([], [OPENED, CHANGED], [OPENED, CHANGED], []),
        ([], [OPENED, WITHDRAWN], [replace(WITHDRAWN, catches_up=True)], [OPENED]),
    ],
)
async def test_nothing_is_told_to_begin_that_is_over(
    sent: list[Notification],
    waiting: list[Notification],
    goes: list[Notification],
    superseded: list[Notification],
    store: Store,
    file: Path,
) -> None:
    await store.record([], [], [*sent, *waiting], NOW)
    for each in sent:
        await store.mails.sent(each.id, NOW, "")
    went = []
    while taken := await store.mails.take(NOW, 10):
        (one,) = taken
        went.append(one.mail)
        await store.mails.sent(one.id, NOW, "")
    assert went == goes
    gone = rows(file, "SELECT id FROM outbox WHERE status = 'superseded' ORDER BY seq")
    assert gone == [(each.id,) for each in superseded]


async def test_a_mail_that_tells_the_whole_story_stays_so_when_it_must_be_sent_again(store: Store) -> None:
    await store.record([], [], [OPENED, RECOVERED], NOW)
    for _ in range(2):
        (taken,) = await store.mails.take(NOW, 10)
        assert taken.mail == ENDED
        await store.mails.defer(RECOVERED.id, NOW, "451")
    await store.record([], [], [REOPENED, AGAIN], NOW)
    (taken,) = await store.mails.take(NOW, 10)
    assert taken.mail == replace(AGAIN, catches_up=True)


async def test_the_end_for_one_contact_is_not_the_end_for_another(store: Store) -> None:
    await store.record([], [], [OPENED, SECOND, RECOVERED], NOW)
    assert [each.mail for each in await store.mails.take(NOW, 10)] == [ENDED, SECOND]


async def test_how_the_mails_stand_is_told_with_ages_and_what_stands_in_the_way(store: Store) -> None:
    assert await store.mails.standing(NOW) == Standing()
    await store.record([], [], [OPENED], NOW)
    later = NOW + timedelta(minutes=1)
    await store.record([], [], [SECOND, notification(incident=replace(INCIDENT, id="x"))], later)
    standing = await store.mails.standing(later)
    assert standing == Standing(counts={"queued": 3}, oldest={"queued": NOW})
    assert standing.oldest_seconds(later) == {"queued": 60}
    assert standing.oldest_seconds(NOW - timedelta(hours=1)) == {"queued": 0}
    await store.mails.defer(SECOND.id, later, "mail:25: timeout at data: …")
    await store.mails.fail(OPENED.id, later, "550 who?")
    standing = await store.mails.standing(later)
    assert standing.counts == {"queued": 1, "deferred": 1, "failed": 1}
    assert standing.oldest == {"queued": later, "deferred": later}
    assert standing.waits == "second: mail:25: timeout at data: …"
    assert list(standing.failed) == ["on-call: 550 who?"]
    assert not (await store.mails.standing(later + FAILED_SHOWN)).failed


# -- what is old -------------------------------------------------------------------------------------------------------

LATER = NOW + KEPT + timedelta(seconds=1)


async def pruned(store: Store) -> int:
    """All steps of a round; returns how many there were."""
    after, steps = await store.mails.prune(LATER), 1
    while after is not None:
        after, steps = await store.mails.prune(LATER, after), steps + 1
    return steps


async def test_what_is_old_and_needs_nothing_more_is_thrown_away(store: Store, file: Path) -> None:
    """Of an incident that is over; its events stay."""
    await store.record([], [event()], [OPENED, SECOND, CHANGED], NOW)
    await store.record([], [event(Happening.RECOVERED, after=60)], [RECOVERED], NOW + timedelta(minutes=1))
    for each in (OPENED, CHANGED):
        await store.mails.sent(each.id, NOW, "250")
    await store.mails.fail(SECOND.id, NOW, "550")
    assert await store.mails.retry(None, {}, "hoa", NOW) == (SECOND.id,)
    await store.mails.fail(SECOND.id, NOW, "550")
    assert await store.mails.prune(LATER) is not None, "those of an incident are kept until it is over for as long"
    assert len(rows(file, "select * from outbox")) == 4
    assert await store.mails.prune(LATER + timedelta(minutes=1)) is not None
    assert rows(file, "select id, status from outbox") == [(RECOVERED.id, "queued")], "it was not told yet"
    assert rows(file, "select * from mail_retry") == []
    assert len(read_history(str(file), INCIDENT.id)) == 2


async def test_what_is_young_or_of_an_open_incident_stays(store: Store, file: Path) -> None:
    letter = Letter(id="daily-1.a", contact=ON_CALL, subject="s", text="t", html="")
    await store.record([], [event()], [OPENED], NOW)
    await store.mails.write([letter, replace(letter, id="daily-2.a")], NOW)
    await store.mails.write([replace(letter, id="daily-3.a")], LATER)
    for each in (OPENED.id, "daily-1.a", "daily-3.a"):
        await store.mails.sent(each, NOW, "250")
    await pruned(store)
    assert rows(file, "select id from outbox order by seq") == [(OPENED.id,), ("daily-2.a",), ("daily-3.a",)]


async def test_a_step_is_small_and_old_mails_behind_younger_ones_are_found(store: Store, file: Path) -> None:
    letter = Letter(id="", contact=ON_CALL, subject="s", text="t", html="")
    many = [replace(letter, id=f"{number}") for number in range(2 * PRUNED_AT_ONCE + 1)]
    await store.mails.write(many, NOW)
    rows(
        file,
        f"update outbox set status = 'sent', queued_at = case when seq = 1 then '{written(LATER)}' else queued_at end",
    )
    after = await store.mails.prune(LATER)
    assert after == PRUNED_AT_ONCE
    assert len(rows(file, "select * from outbox")) == PRUNED_AT_ONCE + 2
    await pruned(store)
    assert rows(file, "select id from outbox") == [("0",)]
    assert await pruned(store) == 1, "nothing is looked at any more when nothing old was found"


async def test_it_is_done_by_itself_and_again_after_trouble(
    store: Store, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailqueue, "PRUNE_FIRST_SECONDS", 0.0)
    monkeypatch.setattr(mailqueue, "PRUNE_PAUSE_SECONDS", 0.01)
    await store.record([], [], [OPENED], NOW)
    await store.mails.sent(OPENED.id, NOW, "250")
    rows(file, "alter table outbox rename to elsewhere")
    task = asyncio.create_task(prune_daily(store.mails, lambda: LATER))
    try:
        await eventually("it fails", lambda: store.trouble != "")
        rows(file, "alter table elsewhere rename to outbox")
        await eventually("it is thrown away", lambda: rows(file, "select * from outbox") == [])
        assert not task.done()
    finally:
        task.cancel()


async def test_a_clock_that_is_wrong_at_the_start_throws_nothing_away(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if seconds == mailqueue.PRUNE_SECONDS:
            raise asyncio.CancelledError

    def clock() -> datetime:
        return NOW if sum(slept) > 3600 else LATER

    await store.record([], [], [OPENED], NOW)
    await store.mails.sent(OPENED.id, NOW, "250")
    monkeypatch.setattr(mailqueue.asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await prune_daily(store.mails, clock)
    assert (await store.mails.standing(NOW)).counts == {"sent": 1}
