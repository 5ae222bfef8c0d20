"""What is on disk after anything that can happen."""

from __future__ import annotations

import signal
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.core.model import Explanation, Happening, Held, Look, Reason, Silence, State
from monitor.core.usual import Learnt
from monitor.database import StoreError
from monitor.life import MAX_HISTORY
from monitor.store import LEARNT_KEPT, Store, read_history
from tests.alerts.sample import INCIDENT, NOW, ON_CALL, event, notification
from tests.monitor.making import child, rows

OPENED, RECOVERED = notification(Happening.OPENED), notification(Happening.RECOVERED)
SECOND = notification(contact=replace(ON_CALL, id="second"))
HELD = Held(target=INCIDENT.root, state=State.DOWN, since=NOW, reason=Reason.TIMEOUT, evidence="10 of 10 lost")


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
    assert await store.mails.told(later) == (OPENED, SECOND, of_other)
    assert await store.begun(later) == {INCIDENT.id: opened, "other": opened}
    recovered, given_back = event(Happening.RECOVERED), event(Happening.UNACKNOWLEDGED, other, after=90)
    await store.record([], [recovered, event(Happening.ACKNOWLEDGED, other, 60), given_back], [RECOVERED], NOW)
    assert await store.mails.told(later) == (of_other,)
    assert await store.begun(later) == {"other": given_back.at}
    closed = recovered.incident.closed
    assert closed is not None
    assert await store.mails.told(closed) == (OPENED, SECOND, of_other, RECOVERED), "it may come back"
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
    assert len(await after.mails.take(NOW, 10**6)) == found["outbox"]
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
    assert read_history(str(file), INCIDENT.id) == (event(), explained)
    second.close()


async def test_of_a_long_history_the_beginning_and_the_end_are_read(store: Store, file: Path) -> None:
    events = [replace(event(), at=NOW + timedelta(seconds=index)) for index in range(3 * MAX_HISTORY)]
    await store.record([], events, [], NOW)
    assert read_history(str(file), INCIDENT.id) == (*events[:MAX_HISTORY], *events[-MAX_HISTORY:])
    assert read_history(str(file), "another") == ()


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
