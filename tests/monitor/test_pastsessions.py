"""How meetings went, in the database: written once with what tells it, found again, renamed, and not kept for ever."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.archive import Archive
from monitor.core.ledger import Span
from monitor.core.life import Posted
from monitor.core.model import Cause, Importance, Letter, Session
from monitor.core.quality import Figures, Quality, RoomQuality, SessionQuality
from monitor.core.words import LOCAL
from monitor.database import StoreError
from monitor.pastsessions import KEPT
from monitor.store import Store
from tests.alerts.sample import NOW, ON_CALL
from tests.monitor.making import locked, rows
from tests.monitor.test_former import NEW, OLD, line

HOUR = timedelta(hours=1)
LETTER = Letter(id="quality-weekly", contact=ON_CALL, subject="AFTER", text="", html="")
FOUND = SessionQuality(
    session=Session(NOW - 2 * HOUR, NOW, "weekly"), title="Giao ban", importance=Importance.HIGH, measured_seconds=7200.0,
    rooms=(
        RoomQuality(
            target="xa-a/vc-endpoint", quality=Quality.CUT, of=OLD, cause=Cause.LINK, incident="i-1", seconds=420.0,
            times=(Span(NOW - HOUR, NOW - HOUR + timedelta(minutes=7)),), line=OLD, figures=Figures(loss_mean=0.01, delay_worst=0.25),
        ),
        RoomQuality(target="xa-b/vc-endpoint"),
    ),
)  # fmt: skip


async def test_what_is_written_is_found_again_as_it_was(store: Store, archive: Archive) -> None:
    await store.past_sessions.write(FOUND, [], NOW)
    assert await archive.past_session("weekly", FOUND.session.begins) == FOUND
    assert await archive.past_session("weekly", NOW) is None
    assert await archive.past_session("daily", FOUND.session.begins) is None
    assert await archive.past_sessions(Span(NOW - 3 * HOUR, NOW)) == [FOUND.went()]
    assert FOUND.went().counts == {Quality.CUT: 1, Quality.POOR: 0, Quality.UNSEEN: 0, Quality.GOOD: 1}


async def test_the_last_come_first_and_those_before_the_span_not_at_all(store: Store, archive: Archive) -> None:
    ago = [FOUND.session._replace(begins=NOW - each * HOUR) for each in (9, 5, 3)]
    for each in ago:
        await store.past_sessions.write(replace(FOUND, session=each), [], NOW)
    found = await archive.past_sessions(Span(NOW - 6 * HOUR, NOW))
    assert [each.session for each in found] == [ago[2], ago[1]]


async def test_what_was_told_once_stays_whatever_is_found_later(store: Store, archive: Archive, file: Path) -> None:
    await store.past_sessions.write(FOUND, [LETTER], NOW)
    longer = FOUND.session._replace(ends=NOW + HOUR)
    await store.past_sessions.write(replace(FOUND, session=longer, rooms=()), [LETTER], NOW + HOUR)
    assert await archive.past_session("weekly", FOUND.session.begins) == FOUND
    assert rows(file, "SELECT id FROM outbox") == [(LETTER.id,)]
    other = FOUND.session._replace(begins=NOW + HOUR)
    assert await store.past_sessions.known([longer, other]) == {("weekly", FOUND.session.begins)}


async def test_it_is_written_together_with_its_letters_or_not_at_all(store: Store, file: Path) -> None:
    with locked(file), pytest.raises(StoreError):
        await store.past_sessions.write(FOUND, [LETTER], NOW)
    unfit = replace(LETTER, id=None)  # type: ignore[arg-type]
    with pytest.raises(StoreError):
        await store.past_sessions.write(FOUND, [LETTER, unfit], NOW)
    assert not rows(file, "SELECT id FROM past_session UNION SELECT seq FROM outbox")


async def test_a_nation_of_rooms_takes_little_room_for_all_the_time_that_it_is_kept(store: Store, file: Path) -> None:
    rooms = tuple(
        RoomQuality(
            target=f"xa-{number}/vc-endpoint", line=f"xa-{number}/tslcd",
            figures=Figures(loss_mean=number % 97 / 1e4, loss_worst=0.01, delay_mean=number / 1e6, delay_worst=0.02, jitter_mean=0.001),
        )
        for number in range(3321)
    )  # fmt: skip
    await store.past_sessions.write(replace(FOUND, rooms=rooms), [], NOW)
    ((size,),) = rows(file, "SELECT length(packed) FROM past_session")
    assert size < 100_000


async def test_what_was_written_before_sessions_were_packed_is_made_anew(store: Store, file: Path) -> None:
    store.close()
    with sqlite3.connect(file) as before:
        before.execute("ALTER TABLE past_session RENAME COLUMN packed TO body")
    again = Store(str(file))
    await again.past_sessions.write(FOUND, [], NOW)
    assert rows(file, "SELECT meeting FROM past_session") == [("weekly",)]
    again.close()


async def test_what_has_another_id_now_is_found_by_that(store: Store, archive: Archive) -> None:
    await store.begin(NOW)
    await store.record([], [], [], NOW, [line(OLD)])
    await store.past_sessions.write(FOUND, [], NOW)
    await store.record([], [], [], NOW + HOUR, [replace(line(NEW, OLD), since=NOW + HOUR)])
    found = await archive.past_session("weekly", FOUND.session.begins)
    assert found is not None
    assert (found.rooms[0].of, found.rooms[0].line) == (NEW, NEW)


async def test_it_is_not_kept_for_ever(store: Store, file: Path) -> None:
    await store.past_sessions.write(FOUND, [], NOW)
    await store.past_sessions.prune(NOW + KEPT)
    assert rows(file, "SELECT meeting FROM past_session") == [("weekly",)]
    await store.past_sessions.prune(NOW + KEPT + timedelta(seconds=1))
    assert not rows(file, "SELECT meeting FROM past_session")


async def test_the_mails_about_a_session_are_found_and_no_others(store: Store, archive: Archive) -> None:
    stamp = f"{FOUND.session.begins:%Y%m%d%H%M}"
    ids = [
        f"readiness-weekly-{stamp}-60.hai", f"quality-weekly-{stamp}.hai", f"quality-weekly-2-{stamp}.hai",
        "quality-weekly-202001010000.hai", f"readiness-weekl-{stamp}-60.hai",
        f"rooms-changed-weekly-{stamp}-1.hai", f"rooms-changed-weekly-2-{stamp}-1.hai",
    ]  # fmt: skip
    await store.mails.write([replace(LETTER, id=each) for each in ids], NOW)
    await store.mails.sent(ids[1], NOW + HOUR, "taken")
    assert await archive.posted("weekly", FOUND.session.begins.astimezone(LOCAL)) == (
        Posted(to=ON_CALL.name, before=HOUR, at=NOW, status="queued"),
        Posted(to=ON_CALL.name, before=None, at=NOW, status="sent", sent=NOW + HOUR),
        Posted(to=ON_CALL.name, before=None, at=NOW, status="queued", changed=True),
    )
