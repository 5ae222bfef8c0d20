"""What is on disk after anything that can happen."""

from __future__ import annotations

import signal
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.outbox import Standing
from monitor import store as store_module
from monitor.core.model import Explanation, Happening, Held, HeldBack, Look, Notification, Reason, Silence, State
from monitor.core.usual import Learnt
from monitor.store import FAILED_SHOWN, LEARNT_KEPT, LEASE, MAX_HISTORY, SCHEMA_VERSION, Store, StoreError, read_history
from tests.alerts.sample import INCIDENT, NOW, ON_CALL, event, notification
from tests.monitor.making import child, locked, rows

OPENED, CHANGED, RECOVERED = (notification(each) for each in (Happening.OPENED, Happening.CHANGED, Happening.RECOVERED))
ACKNOWLEDGED, WITHDRAWN = notification(Happening.ACKNOWLEDGED), notification(Happening.WITHDRAWN)
SECOND = notification(contact=replace(ON_CALL, id="second"))
HELD = Held(target=INCIDENT.root, state=State.DOWN, since=NOW, reason=Reason.TIMEOUT, evidence="10 of 10 lost")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def counts(file: Path) -> dict[str, int]:
    return {
        table: int(str(rows(file, f"SELECT count(*) FROM {table}")[0][0]))
        for table in ("state_change", "incident", "incident_event", "outbox")
    }


async def test_states_incident_and_mails_of_a_batch_are_written_together(store: Store, file: Path) -> None:
    await store.record([HELD], [event()], [OPENED, SECOND], NOW)
    assert counts(file) == {"state_change": 1, "incident": 1, "incident_event": 1, "outbox": 2}
    assert rows(file, "SELECT target, state, since, reason, evidence FROM state_change") == [
        (INCIDENT.root, "down", "2026-11-24T05:00:00.000000+00:00", "timeout", "10 of 10 lost")
    ]


async def test_a_batch_of_which_a_part_cannot_be_written_is_not_written_at_all(store: Store, file: Path) -> None:
    rows(file, "ALTER TABLE outbox RENAME TO away")
    with pytest.raises(StoreError, match="outbox"):
        await store.record([HELD], [event()], [OPENED], NOW)
    rows(file, "ALTER TABLE away RENAME TO outbox")
    assert set(counts(file).values()) == {0}
    await store.record([HELD], [event()], [OPENED], NOW)
    assert set(counts(file).values()) == {1}


async def test_repeating_a_batch_changes_nothing(store: Store, file: Path) -> None:
    batch = ([HELD, replace(HELD, target="b")], [event(), event(Happening.CHANGED, after=9)], [OPENED, SECOND])
    await store.record(*batch, NOW)
    dump = list(sqlite3.connect(file).iterdump())
    await store.record(*batch, NOW + timedelta(hours=1))
    assert list(sqlite3.connect(file).iterdump()) == dump


async def test_repeating_a_batch_does_not_send_a_mail_again(store: Store) -> None:
    await store.record([], [event()], [OPENED], NOW)
    await store.take(NOW, 10)
    await store.sent(OPENED.id, NOW, "taken")
    await store.record([], [event()], [OPENED], NOW)
    assert (await store.standing(NOW)).counts == {"sent": 1}


async def test_what_happens_again_later_is_kept_again(store: Store, file: Path) -> None:
    for hours in range(3):
        await store.record([replace(HELD, since=NOW + timedelta(hours=hours))], [], [], NOW)
    assert counts(file)["state_change"] == 3


async def test_incidents_come_back_as_they_were(file: Path) -> None:
    first = Store(str(file))
    later = replace(INCIDENT, id="later", opened=INCIDENT.opened + timedelta(hours=1))
    await first.record([], [event(incident=later), event()], [], NOW)
    first.close()
    second = Store(str(file))
    assert await second.open_incidents() == (INCIDENT, later)
    second.close()


async def test_a_closed_incident_is_not_open_and_the_last_closed_comes_first(store: Store) -> None:
    for number in range(3):
        ended = event(Happening.RECOVERED, replace(INCIDENT, id=f"i{number}"), after=60 * number)
        await store.record([], [ended], [], NOW)
    assert await store.open_incidents() == ()
    assert [each.id for each in await store.recent_incidents(2)] == ["i2", "i1"]


async def test_what_was_learnt_comes_back_as_it_was_last_written(file: Path) -> None:
    one, other = (Learnt(check, "rtt", "icmp 10.0.0.1", b"\x00\xff") for check in ("a/line#echo", "b/line#echo"))
    before = Store(str(file))
    await before.keep([one, other], NOW)
    await before.keep([one._replace(subject="icmp 10.0.0.2", blob=b"new")], NOW)
    await before.keep([], NOW)
    before.close()
    after = Store(str(file))
    assert set(await after.learnt(NOW)) == {one._replace(subject="icmp 10.0.0.2", blob=b"new"), other}
    after.close()


async def test_what_was_learnt_of_a_check_that_is_long_gone_is_thrown_away(store: Store, file: Path) -> None:
    old, fresh = (Learnt(check, "rtt", "", b"") for check in ("old", "fresh"))
    await store.keep([old], NOW)
    await store.keep([fresh], NOW + timedelta(seconds=1))
    assert set(await store.learnt(NOW + LEARNT_KEPT)) == {old, fresh}
    assert await store.learnt(NOW + LEARNT_KEPT + timedelta(seconds=1)) == (fresh,)
    assert rows(file, 'SELECT "check" FROM learnt') == [("fresh",)]


async def test_told_is_what_was_mailed_and_begun_when_somebody_was_last_wanted(store: Store) -> None:
    other = replace(INCIDENT, id="other")
    of_other = notification(incident=other)
    await store.record([], [event(), event(incident=other)], [OPENED, SECOND, of_other], NOW)
    opened, later = NOW + timedelta(seconds=3), NOW + timedelta(hours=1)
    assert await store.told(later) == (OPENED, SECOND, of_other)
    assert await store.begun(later) == {INCIDENT.id: opened, "other": opened}
    recovered, given_back = event(Happening.RECOVERED), event(Happening.UNACKNOWLEDGED, other, after=90)
    await store.record([], [recovered, event(Happening.ACKNOWLEDGED, other, 60), given_back], [RECOVERED], NOW)
    assert await store.told(later) == (of_other,)
    assert await store.begun(later) == {"other": given_back.at}
    closed = recovered.incident.closed
    assert closed is not None
    assert await store.told(closed) == (OPENED, SECOND, of_other, RECOVERED), "it may come back"
    assert await store.begun(closed) == {INCIDENT.id: opened, "other": given_back.at}


async def test_recovered_are_those_that_ended_well_in_a_time(store: Store) -> None:
    for id_, after, what in (
        ("a", 20, Happening.RECOVERED),
        ("b", 10, Happening.RECOVERED),
        ("c", 15, Happening.WITHDRAWN),
    ):
        over = event(what, replace(INCIDENT, id=id_), after)
        await store.record([], [event(incident=replace(INCIDENT, id=id_)), over], [], NOW)
    await store.record([], [event(incident=replace(INCIDENT, id="open"))], [], NOW)
    ends = NOW + timedelta(seconds=20)
    assert [each.id for each in await store.recovered(NOW, ends)] == ["b", "a"]
    assert [each.id for each in await store.recovered(ends, ends)] == ["a"]
    assert [each.id for each in await store.recovered(NOW, ends - timedelta(seconds=1))] == ["b"]
    again = event(Happening.REOPENED, replace(INCIDENT, id="a", times=2), 25)
    withdrawn = event(Happening.WITHDRAWN, again.incident, 30)
    await store.record([], [again], [], NOW)
    assert [each.id for each in await store.recovered(NOW, ends)] == ["b"]
    await store.record([], [withdrawn], [], NOW)
    assert [each.id for each in await store.recovered(NOW, withdrawn.at)] == ["b"]


async def test_the_last_sign_of_life_is_that_of_the_daemon_before(file: Path) -> None:
    first = Store(str(file))
    assert await first.last_beat() is None
    await first.begin(NOW)
    await first.record([], [], [], NOW + timedelta(seconds=5))
    first.close()
    second = Store(str(file))
    assert await second.last_beat() == NOW + timedelta(seconds=5)
    second.close()


async def test_what_is_held_back_does_not_leave_until_a_summary_tells_of_it_in_its_place(store: Store) -> None:
    held = replace(OPENED, held=HeldBack.QUIET)
    await store.record([], [event()], [held, SECOND], NOW)
    assert (await store.held(), [each.id for each in await store.take(NOW, 9)]) == ((held,), [SECOND.id])
    digest = replace(notification(Happening.DIGEST), instead_of=(held.id,))
    for _ in range(2):  # a batch whose commit was in doubt
        await store.record([], [], [digest], NOW)
    assert (await store.held(), [each.notification for each in await store.take(NOW, 9)]) == ((), [digest])
    assert (await store.standing(NOW)).counts == {"summed": 1, "sending": 2}
    assert [each.id for each in await store.told(NOW)] == [held.id, SECOND.id, digest.id]


# -- the outbox's side ---------------------------------------------------------------------------------------------


async def test_a_mail_that_is_taken_is_leased_and_comes_whole(store: Store) -> None:
    await store.record([], [event()], [OPENED], NOW)
    (taken,) = await store.take(NOW, 10)
    assert (taken.id, taken.notification, taken.attempts, taken.queued_at) == (OPENED.id, OPENED, 1, NOW)
    assert await store.take(NOW + LEASE - timedelta(microseconds=1), 10) == []
    (again,) = await store.take(NOW + LEASE, 10)
    assert again.attempts == 2


async def test_of_a_thread_and_recipient_only_the_oldest_unsent_mail_is_given_out(store: Store) -> None:
    await store.record([], [], [OPENED, CHANGED, SECOND, ACKNOWLEDGED], NOW)
    order = []
    for _ in range(3):
        taken = await store.take(NOW, 10)
        order.append([each.id for each in taken])
        for each in taken:
            await store.sent(each.id, NOW, "")
    assert order == [[OPENED.id, SECOND.id], [CHANGED.id], [ACKNOWLEDGED.id]]


async def test_a_mail_that_was_given_up_lets_the_next_of_its_thread_go(store: Store) -> None:
    await store.record([], [], [OPENED, RECOVERED], NOW)
    await store.fail(OPENED.id, NOW, "550")
    assert [each.id for each in await store.take(NOW, 10)] == [RECOVERED.id]


async def test_a_deferred_mail_is_due_at_its_time(store: Store) -> None:
    await store.record([], [], [OPENED], NOW)
    await store.defer(OPENED.id, NOW + timedelta(seconds=5), "451")
    assert await store.take(NOW + timedelta(seconds=4.999999), 10) == []
    assert len(await store.take(NOW + timedelta(seconds=5), 10)) == 1


async def test_a_clock_that_is_set_back_puts_no_mail_off(store: Store) -> None:
    await store.record([], [], [OPENED, SECOND], NOW)
    await store.defer(OPENED.id, NOW + LEASE, "451")
    before = NOW - timedelta(hours=1)
    assert [each.id for each in await store.take(before, 10)] == [OPENED.id, SECOND.id]
    assert await store.take(before + LEASE - timedelta(microseconds=1), 10) == [], "leased by the clock as it is now"


async def test_no_more_mails_are_given_out_than_asked_for(store: Store) -> None:
    await store.record([], [], [notification(contact=replace(ON_CALL, id=f"c{n}")) for n in range(5)], NOW)
    assert [len(await store.take(NOW, 2)) for _ in range(4)] == [2, 2, 1, 0]


async def test_after_a_crash_what_was_being_sent_is_due_at_once(file: Path) -> None:
    before = Store(str(file))
    await before.record([], [], [OPENED, SECOND], NOW)
    await before.take(NOW, 1)
    before.close()
    after = Store(str(file))
    assert await after.release() == 1
    assert [each.id for each in await after.take(NOW, 10)] == [OPENED.id, SECOND.id]
    after.close()


async def test_release_leaves_sent_refused_and_waiting_mails_alone(store: Store, file: Path) -> None:
    await store.record([], [], [OPENED, SECOND, notification(incident=replace(INCIDENT, id="x"))], NOW)
    await store.sent(OPENED.id, NOW, "")
    await store.fail(SECOND.id, NOW, "")
    before = rows(file, "SELECT * FROM outbox")
    assert await store.release() == 0
    assert rows(file, "SELECT * FROM outbox") == before


async def test_what_is_still_in_hand_is_not_given_out_again_whatever_the_clock_says(store: Store) -> None:
    await store.record([], [], [OPENED, ACKNOWLEDGED, SECOND], NOW)
    assert len(await store.take(NOW, 10)) == 2
    later = NOW + timedelta(days=1)
    assert await store.take(later, 10, (OPENED.id, SECOND.id)) == []
    assert [each.id for each in await store.take(later, 10, (OPENED.id,))] == [SECOND.id]


async def test_what_was_put_off_is_due_at_once_when_it_is_hastened(store: Store) -> None:
    await store.record([], [], [OPENED, SECOND], NOW)
    await store.defer(OPENED.id, NOW + timedelta(minutes=4), "451")
    await store.sent(SECOND.id, NOW, "")
    await store.hasten(NOW)
    assert [each.id for each in await store.take(NOW, 10)] == [OPENED.id]


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
        await store.sent(each.id, NOW, "")
    went = []
    while taken := await store.take(NOW, 10):
        (one,) = taken
        went.append(one.notification)
        await store.sent(one.id, NOW, "")
    assert went == goes
    gone = rows(file, "SELECT id FROM outbox WHERE status = 'superseded' ORDER BY seq")
    assert gone == [(each.id,) for each in superseded]


async def test_a_mail_that_tells_the_whole_story_stays_so_when_it_must_be_sent_again(store: Store) -> None:
    await store.record([], [], [OPENED, RECOVERED], NOW)
    for _ in range(2):
        (taken,) = await store.take(NOW, 10)
        assert taken.notification == ENDED
        await store.defer(RECOVERED.id, NOW, "451")
    await store.record([], [], [REOPENED, AGAIN], NOW)
    (taken,) = await store.take(NOW, 10)
    assert taken.notification == replace(AGAIN, catches_up=True)


async def test_the_end_for_one_contact_is_not_the_end_for_another(store: Store) -> None:
    await store.record([], [], [OPENED, SECOND, RECOVERED], NOW)
    assert [each.notification for each in await store.take(NOW, 10)] == [ENDED, SECOND]


async def test_how_the_mails_stand_is_told_with_ages_and_what_stands_in_the_way(store: Store) -> None:
    assert await store.standing(NOW) == Standing()
    await store.record([], [], [OPENED], NOW)
    later = NOW + timedelta(minutes=1)
    await store.record([], [], [SECOND, notification(incident=replace(INCIDENT, id="x"))], later)
    standing = await store.standing(later)
    assert standing == Standing(counts={"queued": 3}, oldest={"queued": NOW})
    assert standing.oldest_seconds(later) == {"queued": 60}
    assert standing.oldest_seconds(NOW - timedelta(hours=1)) == {"queued": 0}
    await store.defer(SECOND.id, later, "mail:25: timeout at data: …")
    await store.fail(OPENED.id, later, "550 who?")
    standing = await store.standing(later)
    assert standing.counts == {"queued": 1, "deferred": 1, "failed": 1}
    assert standing.oldest == {"queued": later, "deferred": later}
    assert standing.waits == "second: mail:25: timeout at data: …"
    assert list(standing.failed) == ["on-call: 550 who?"]
    assert not (await store.standing(later + FAILED_SHOWN)).failed


# -- what can be wrong with the file -------------------------------------------------------------------------------


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    file = tmp_path / "none" / "state.db"
    with pytest.raises(StoreError) as caught:
        Store(str(file))
    assert str(caught.value) == f"{file}: cannot be opened; does the folder exist, and may this user write in it?"


def test_a_file_of_a_newer_version_is_told_and_left_alone(file: Path) -> None:
    Store(str(file)).close()
    rows(file, f"UPDATE meta SET value = '{SCHEMA_VERSION + 1}'")
    with pytest.raises(StoreError) as caught:
        Store(str(file))
    assert "written by a newer version (schema 2); upgrade commune-monitor" in str(caught.value)
    assert str(file) in str(caught.value)
    assert rows(file, "SELECT value FROM meta") == [(str(SCHEMA_VERSION + 1),)]


def test_a_file_that_is_no_database_is_told(file: Path) -> None:
    file.write_bytes(b"settings: of something else\n" * 100)
    with pytest.raises(StoreError) as caught:
        Store(str(file))
    says = "file is not a database; move the file away, or let `database` name another one"
    assert str(caught.value) == f"{file}: {says}"


OPEN = """
import sys
from monitor.store import Store, StoreError
try:
    Store(sys.argv[1])
except StoreError as error:
    print(error)
"""


def test_a_file_that_is_read_only_is_told(file: Path) -> None:
    Store(str(file)).close()
    file.chmod(0o444)
    with child("-c", OPEN, str(file), rights=False) as process:
        said = process.communicate()[0]
    assert said == f"{file}: the database cannot be written; give its owner write permission on file and folder\n"


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for another process no longer than need be."""
    pragmas = store_module._sqlite_pragmas

    def impatient(connection: sqlite3.Connection, record: object) -> None:
        pragmas(connection, record)
        connection.execute("PRAGMA busy_timeout=100")

    monkeypatch.setattr(store_module, "_sqlite_pragmas", impatient)


@pytest.mark.usefixtures("_impatient")
async def test_a_database_that_another_process_holds_is_told_and_goes_on_when_it_is_free(
    file: Path,
) -> None:
    store = Store(str(file))
    says = f"{file}: the database is locked; is another commune-monitor running on it? Stop that one first"
    with locked(file):
        with pytest.raises(StoreError) as caught:
            await store.record([], [event()], [OPENED], NOW)
        assert str(caught.value) == says
    await store.record([], [event()], [OPENED], NOW)
    store.close()
    assert counts(file)["outbox"] == 1


@pytest.mark.usefixtures("_impatient")
def test_a_database_that_is_locked_at_the_start_is_told(file: Path) -> None:
    Store(str(file)).close()
    with locked(file), pytest.raises(StoreError, match=r"the database is locked; is another commune-monitor running"):
        Store(str(file))


# -- a process that dies -------------------------------------------------------------------------------------------

WRITER = """
import asyncio, sys
from dataclasses import replace
from monitor.store import Store
from tests.alerts.sample import INCIDENT, NOW, ON_CALL, event, notification

async def main():
    store = Store(sys.argv[1])
    for number in range(100_000):
        incident = replace(INCIDENT, id=f"i{number}")
        mails = [notification(incident=incident, contact=replace(ON_CALL, id=f"c{each}")) for each in range(3)]
        await store.record([], [event(incident=incident)], mails, NOW)
        print(number, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("writes", [1, 7, 20])
async def test_a_process_that_is_killed_while_it_writes_leaves_incident_and_mails_or_neither(
    writes: int, file: Path
) -> None:
    with child("-c", WRITER, str(file)) as process:
        assert process.stdout is not None
        for _ in range(writes):
            said = process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    found = counts(file)
    assert found["incident"] >= int(said) + 1, "what was told as written is there"
    assert found["incident_event"] == found["incident"]
    assert found["outbox"] == 3 * found["incident"]
    assert rows(file, "SELECT count(DISTINCT thread) FROM outbox") == [(found["incident"],)]
    assert rows(file, "PRAGMA integrity_check") == [("ok",)]
    after = Store(str(file))
    assert len(await after.open_incidents()) == found["incident"]
    assert len(await after.take(NOW, 10**6)) == found["outbox"]
    after.close()


# -- the history of an incident ------------------------------------------------------------------------------------


async def test_a_database_of_a_version_without_explanations_is_taken_over(file: Path) -> None:
    first = Store(str(file))
    await first.record([], [event()], [], NOW)
    first.close()
    rows(file, "ALTER TABLE incident_event DROP COLUMN because")
    second = Store(str(file))
    explained = replace(event(Happening.CHANGED), because=Explanation(looks=(Look(rule="r", fits=True, because="b"),)))
    await second.record([], [explained], [], NOW)
    assert await second.history(INCIDENT.id) == (event(), explained)
    second.close()


async def test_of_a_long_history_the_beginning_and_the_end_are_read(store: Store) -> None:
    events = [replace(event(), at=NOW + timedelta(seconds=index)) for index in range(3 * MAX_HISTORY)]
    await store.record([], events, [], NOW)
    assert await store.history(INCIDENT.id) == (*events[:MAX_HISTORY], *events[-MAX_HISTORY:])
    assert await store.history("another") == ()


def test_a_history_is_read_without_making_a_database(file: Path) -> None:
    with pytest.raises(StoreError, match="no such database"):
        read_history(str(file), INCIDENT.id)
    assert not file.exists()
    file.write_text("no database" * 100)
    with pytest.raises(StoreError, match="cannot be read"):
        read_history(str(file), INCIDENT.id)


async def test_silences_survive_until_they_are_over_or_lifted(store: Store, file: Path) -> None:
    plain = Silence(id=0, area="Kim Sơn", begins=NOW, ends=NOW + timedelta(hours=2), reason="Thay tủ", by="hoa")
    first, second = await store.silence(plain), await store.silence(replace(plain, ends=NOW + timedelta(hours=1)))
    assert first == replace(plain, id=first.id)
    store.close()
    again = Store(str(file))
    assert await again.silences(NOW) == (first, second)
    assert await again.silences(second.ends) == (first,)
    await again.unsilence(first, NOW + timedelta(minutes=5))
    assert await again.silences(NOW + timedelta(minutes=5)) == (second,)
    assert (await again.silence(plain)).id not in (first.id, second.id)
    again.close()
