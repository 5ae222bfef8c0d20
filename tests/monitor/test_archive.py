"""What the store wrote, read again for the ledger: over restarts, reloads and old files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from monitor.archive import ALIVE, Archive, ArchiveError
from monitor.core.ledger import By, Cost, Excuse, Maintenance, Member, Span, Totals
from monitor.core.model import Cause, Happening, Held, PowerCut, Role, Silence, State
from monitor.life import MAX_HISTORY
from monitor.store import Store
from tests.alerts.sample import INCIDENT, NOW, ON_CALL, event, notification
from tests.monitor.making import child, rows

LINE = Member(target="xa/tslcd", role=Role.LINK, kind="tslcd", provider="vnpt", commune="xa", since=NOW)
ROUTER = Member(target="xa/router", role=Role.DEVICE, kind="router", commune="xa", since=NOW)
LATER = timedelta(days=9)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def span(since: float, until: float) -> Span:
    return Span(at(since), at(until))


def held(state: State, since: float, decided: float | None = None, target: str = LINE.target) -> Held:
    return Held(target=target, state=state, since=at(since), at=at(since if decided is None else decided))


async def write(store: Store, seconds: float, *states: Held, members: Sequence[Member] | None = None) -> None:
    await store.record(states, [], [], at(seconds), members)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "trạng thái #1 100%.db"


async def seen(archive: Archive, asked: Span, target: str = LINE.target) -> list[tuple[float, float, str]]:
    found = (await archive.history([target], asked, NOW + LATER)).get(target, [])
    return [
        ((each.since - NOW).total_seconds(), (each.until - NOW).total_seconds(), each.state.value) for each in found
    ]


async def test_states_are_read_back_as_exact_intervals(store: Store, archive: Archive) -> None:
    await store.begin(at(0))
    await write(store, 1, held(State.UP, 0.25, 0.5), members=[LINE])
    await write(store, 60, held(State.DOWN, 40.000001, 43), held(State.UP, 52))
    whole = [
        (0, 0.25, "unknown"),
        (0.25, 40.000001, "up"),
        (40.000001, 52, "down"),
        (52, 60, "up"),
        (60, 70, "unknown"),
    ]
    assert await seen(archive, span(0, 70)) == whole
    assert await seen(archive, span(10, 45)) == [(10, 40.000001, "up"), (40.000001, 45, "down")]


async def test_a_state_of_long_ago_is_known_and_what_is_decided_later_counts_for_before(
    store: Store, archive: Archive
) -> None:
    await store.begin(at(0))
    await write(store, 1, held(State.DEGRADED, 0), held(State.UP, 0), members=[LINE])
    await write(store, 10_000, held(State.DOWN, 4_990, 5_005))
    await write(store, 10_000, held(State.DOWN, 3_000, target=ROUTER.target), members=[LINE, ROUTER])
    assert await seen(archive, span(4_000, 5_000)) == [(4_000, 4_990, "up"), (4_990, 5_000, "down")]
    totals = (await archive.availability(By.TARGET, span(4_000, 5_000), NOW + LATER)).totals
    assert [totals[each].down.total_seconds() for each in (LINE.target, ROUTER.target)] == [10, 1_000], "each its own"


async def test_a_restart_leaves_a_time_that_is_unknown_until_the_first_verdict(store: Store, archive: Archive) -> None:
    await store.begin(at(0))
    await write(store, 0, held(State.UP, 0), members=[LINE])
    await write(store, 20)
    await store.begin(at(50))
    await write(store, 50, members=[replace(LINE, since=at(50))])
    await write(store, 70, held(State.UP, 55))
    assert await seen(archive, span(0, 70)) == [(0, 20, "up"), (20, 55, "unknown"), (55, 70, "up")]


async def test_without_a_daemon_that_watches_a_batch_is_no_sign_of_life(store: Store, file: Path) -> None:
    await write(store, 5)
    assert rows(file, "SELECT count(*) FROM run") == [(0,)]


async def test_a_target_counts_from_the_reload_that_brings_it_to_the_one_that_takes_it_away(
    store: Store, archive: Archive, file: Path
) -> None:
    await store.begin(at(0))
    both = [LINE, replace(ROUTER, since=at(10))]
    await write(store, 0, held(State.UP, 0), members=[LINE])
    await write(store, 10, held(State.UP, 12, target=ROUTER.target), members=[replace(LINE, since=at(10)), both[1]])
    await write(store, 30, members=[replace(LINE, since=at(30), provider="viettel")])
    await write(store, 40)
    assert await seen(archive, span(0, 40)) == [(0, 40, "up")], "a new provider ends no state"
    assert await seen(archive, span(0, 40), ROUTER.target) == [(10, 12, "unknown"), (12, 30, "up")]
    report = await archive.availability(By.PROVIDER, span(0, 40), NOW + LATER)
    assert {key: each.up.total_seconds() for key, each in report.totals.items()} == {"vnpt": 30, "viettel": 10}
    assert rows(file, "SELECT count(*) FROM member") == [(3,)], "what did not change is not written again"


async def test_an_account_has_the_sums_of_each_question_at_once_and_the_outages_with_their_incidents(
    store: Store, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.archive.TARGETS_AT_ONCE", 1)
    await store.begin(at(0))
    cut = replace(INCIDENT, root=LINE.target, impact=(), began=at(20), opened=at(23))
    await write(store, 0, held(State.UP, 0), held(State.UP, 0, target=ROUTER.target), members=[LINE, ROUTER])
    await store.record(
        [held(State.DOWN, 20, 22), held(State.UP, 30)], [replace(event(), incident=cut, at=at(23))], [], at(40)
    )  # fmt: skip
    now = at(50)
    found = await archive.account(span(-10, 60), now)
    for by in By:
        assert found.report(by) == await archive.availability(by, span(-10, 60), now)
    assert (found.span, found.over, found.watched, list(found.incidents)) == (span(-10, 40), False, at(0), [cut])
    assert [(each.since, each.until, each.incident) for entry in found.entries for each in entry.outages] == [
        (at(20), at(30), cut)
    ]


async def test_a_power_cut_is_looked_up_when_it_is_read(store: Store, archive: Archive) -> None:
    await store.begin(at(0))
    await write(store, 100, held(State.UP, 0), held(State.DOWN, 40, 43), members=[LINE])
    incident = replace(INCIDENT, root=LINE.target, began=at(40), impact=())
    await store.record([], [event(incident=incident)], [], at(100))
    report = await archive.availability(By.TARGET, span(0, 100), NOW + LATER)
    assert report.totals[LINE.target].power == timedelta(0)
    await store.record([], [event(Happening.CHANGED, replace(incident, cause=Cause.POWER))], [], at(100))
    report = await archive.availability(By.TARGET, span(0, 100), NOW + LATER)
    assert report.totals[LINE.target] == Totals(
        up=timedelta(seconds=40), down=timedelta(seconds=60), power=timedelta(seconds=60)
    )
    work = Maintenance(targets=[LINE.target], span=span(90, 100))
    found = (await archive.history([LINE.target], span(0, 100), NOW + LATER, [work]))[LINE.target]
    assert [each.excuse for each in found] == [None, Excuse.POWER, Excuse.MAINTENANCE]


async def test_a_power_cut_is_found_in_an_incident_that_went_on_for_another_cause(
    store: Store, archive: Archive
) -> None:
    await store.begin(at(0))
    await write(store, 100, held(State.UP, 0), held(State.DOWN, 40, 43), members=[LINE])
    cut = PowerCut(at(50), at(60), (LINE.target,))
    incident = replace(INCIDENT, root="xa/ups", cause=Cause.DEVICE, began=at(40), impact=(), dark=(cut,))
    await store.record([], [event(incident=incident)], [], at(100))
    report = await archive.availability(By.TARGET, span(0, 100), NOW + LATER)
    assert report.totals[LINE.target].power == timedelta(seconds=50)


async def test_sums_of_a_running_daemon_end_at_its_last_sign_of_life_and_of_a_dead_one_now(
    store: Store, archive: Archive
) -> None:
    await store.begin(at(0))
    await write(store, 60, held(State.UP, 0), members=[LINE])
    for late, until in ((timedelta(0), at(60)), (ALIVE, at(60)), (2 * ALIVE, at(60) + 2 * ALIVE)):
        report = await archive.availability(By.TARGET, span(0, 10**6), at(60) + late)
        assert report.span == Span(at(0), until)
        assert report.totals[LINE.target].whole == until - at(0)


async def test_the_archive_changes_nothing_and_sees_what_is_written_meanwhile(
    store: Store, archive: Archive, file: Path
) -> None:
    await store.begin(at(0))
    await write(store, 10, held(State.UP, 0), members=[LINE])
    assert await seen(archive, span(0, 10)) == [(0, 10, "up")]
    await write(store, 20, held(State.DOWN, 15))
    assert await seen(archive, span(0, 20)) == [(0, 15, "up"), (15, 20, "down")]
    with pytest.raises(ArchiveError, match="readonly"):
        await archive._run(lambda connection: connection.exec_driver_sql("DELETE FROM member"))


# -- files that are not as they should be ------------------------------------------------------------------------------


async def test_a_file_of_before_the_ledger_gets_its_column_and_its_index(file: Path, archive: Archive) -> None:
    rows(
        file,
        "CREATE TABLE state_change (id INTEGER PRIMARY KEY, target VARCHAR NOT NULL, state VARCHAR NOT NULL,"
        " since VARCHAR NOT NULL, reason VARCHAR NOT NULL, evidence VARCHAR NOT NULL)",
    )
    rows(file, f"INSERT INTO state_change VALUES (1, 'xa/tslcd', 'up', '{NOW.isoformat()}', 'ok', '')")
    with pytest.raises(ArchiveError, match="of a version without a ledger; let this version's daemon run on it once"):
        await archive.history([LINE.target], span(0, 10), NOW)
    for _ in range(2):
        Store(str(file)).close()
    assert rows(file, "SELECT at = since FROM state_change") == [(1,)]
    indexes = {name for (name,) in rows(file, "SELECT name FROM sqlite_master WHERE type = 'index'")}
    assert "state_change_ledger" in indexes
    assert await archive.history([LINE.target], span(0, 10), NOW) == {}


async def test_a_database_that_is_not_there_is_told_and_not_made(file: Path, archive: Archive) -> None:
    with pytest.raises(ArchiveError, match="there is no database yet; the daemon makes it"):
        await archive.availability(By.TARGET, span(0, 10), NOW)
    assert not file.exists()


READ = """
import asyncio, sys
from datetime import UTC, datetime
from monitor.archive import Archive
from monitor.core.ledger import By, month_of
now = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
print(len(asyncio.run(Archive(sys.argv[1]).availability(By.TARGET, month_of(now), now)).totals))
"""


async def test_who_may_only_read_the_file_can_look(file: Path) -> None:
    store = Store(str(file))
    await store.begin(at(-20))
    await store.record([], [], [], at(-10), [replace(LINE, since=at(-20))])
    store.close()
    file.chmod(0o444)
    with child("-c", READ, str(file), rights=False) as process:
        assert process.communicate() == ("1\n", "")


async def test_what_an_incident_took_is_told_from_the_month_up_to_its_end(store: Store, archive: Archive) -> None:
    await store.begin(at(0))
    await write(store, 1, held(State.UP, 0), members=[LINE])
    await write(store, 200, held(State.DOWN, 40, 43), held(State.UP, 52), held(State.DOWN, 60), held(State.UP, 100))
    incident = replace(INCIDENT, root=LINE.target, began=at(60), closed=at(100))
    cost = await archive.cost(incident, at(200))
    assert cost == Cost(before=48 / 60, after=48 / 100, down=timedelta(seconds=52), since=LINE.since)
    first = await archive.cost(replace(incident, began=NOW - timedelta(days=30)), at(200))
    assert first == replace(cost, before=None), "it began in another month"
    assert await archive.cost(replace(incident, root="no/longer"), at(200)) is None


async def test_the_life_of_an_incident_has_its_events_its_mails_and_the_silences_of_its_time(
    store: Store, archive: Archive
) -> None:
    assert await archive.life(INCIDENT.id) is None
    opened = replace(event(), incident=replace(INCIDENT, opened=NOW))
    mails = [notification(contact=each) for each in (ON_CALL, replace(ON_CALL, id="noc", name="Phòng NOC"))]
    await store.record([], [opened], mails, NOW)
    _, during, _ = [
        await store.silence(Silence(id=0, area="Kim Sơn", begins=at(begins), ends=at(ends), reason="Thay tủ", by="hoa"))
        for begins, ends in ((-90, -1), (-5, 100), (200, 300))
    ]
    await store.mails.sent(mails[0].id, at(2), "250 ok")
    await store.mails.fail(mails[1].id, at(3), "550 no such user")
    over = replace(opened, incident=replace(opened.incident, closed=at(120)), what=Happening.RECOVERED, at=at(120))
    await store.record([], [over], [], at(120))
    found = await archive.life(INCIDENT.id)
    assert found is not None
    assert found.incident == over.incident
    assert found.events == (opened, over)
    assert [(each.to, each.what, each.at, each.status, each.sent) for each in found.told] == [
        (ON_CALL.name, Happening.OPENED, NOW, "sent", at(2)),
        ("Phòng NOC", Happening.OPENED, NOW, "failed", None),
    ]
    assert found.silences == (during,)


async def test_of_many_mails_the_first_and_the_last_are_read(store: Store, archive: Archive) -> None:
    people = [replace(ON_CALL, id=f"c{n}", name=f"Người {n}") for n in range(3 * MAX_HISTORY)]
    mails = [notification(contact=each) for each in people]
    await store.record([], [event()], mails, NOW)
    found = await archive.life(INCIDENT.id)
    assert found is not None
    assert [each.to for each in found.told] == [each.name for each in (*people[:MAX_HISTORY], *people[-MAX_HISTORY:])]
