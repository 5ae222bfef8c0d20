"""What a database on a PostgreSQL server holds and tells is what one in a file does."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from monitor.archive import Archive, ArchiveError
from monitor.core.ledger import By, Maintenance, Member, Span
from monitor.core.model import Cause, Happening, Held, HeldBack, Role, Silence, State
from monitor.core.usual import Learnt
from monitor.database import StoreError
from monitor.mailqueue import KEPT
from monitor.store import LinkUsedError, Store, read_history
from monitor.tables import metadata
from tests.alerts.sample import INCIDENT, NOW, ON_CALL, event, notification
from tests.monitor.postgresql import server
from tests.monitor.test_pastsessions import FOUND, LETTER

HOUR = timedelta(hours=1)
LINES = [
    Member(target=f"{site}/tslcd", role=Role.LINK, kind="tslcd", provider=provider, commune=site, since=NOW)
    for site, provider in (("xa-a", "vnpt"), ("xa-b", "viettel"), ("xa-c", "vnpt"), ("xã-đ", "fpt"))
]


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    with server() as url:
        yield url


@pytest.fixture
def urls(postgresql: str, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A file and a server, both empty."""
    yield str(tmp_path / "state.db"), postgresql
    engine = sa.create_engine(postgresql)
    metadata.drop_all(engine)
    engine.dispose()


async def write_days(store: Store, seed: int) -> None:
    """Two days of four lines: states, a restart, a power cut, another provider, a line that goes."""
    draw = random.Random(seed)
    await store.begin(NOW)
    await store.record([], [], [], NOW, LINES)
    for minute in range(0, 2 * 24 * 60, 30):
        at = NOW + timedelta(minutes=minute)
        if minute == 1440:  # it was away for a while
            await store.begin(at)
            await store.record([], [], [], at, [replace(LINES[0], provider="fpt", since=at), *LINES[1:3]])
        if 1380 < minute < 1440:
            continue
        since = at - timedelta(seconds=draw.uniform(0, 900))
        states = [
            Held(target=each.target, state=draw.choice(list(State)), since=since, at=at)
            for each in LINES if draw.random() < 0.3
        ]  # fmt: skip
        if minute == 180:  # the power is cut
            states = [Held(target="xa-b/tslcd", state=State.DOWN, since=at)]
        await store.record(states, [], [], at)
    dark = replace(INCIDENT, root="xa-b/tslcd", impact=("xa-c/tslcd",), cause=Cause.POWER, began=NOW + 3 * HOUR)
    await store.record([], [event(incident=dark), event(Happening.RECOVERED, dark, 6 * 3600)], [], NOW + 48 * HOUR)


async def reports(url: str) -> list[Any]:
    archive, now = Archive(url), NOW + 72 * HOUR
    work = Maintenance(targets=["xa-a/tslcd"], span=Span(NOW + 5 * HOUR, NOW + 9 * HOUR))
    spans = (Span(NOW, NOW + 48 * HOUR), Span(NOW + 7.3 * HOUR, NOW + 30 * HOUR), Span(NOW - HOUR, NOW + 90 * HOUR))
    try:
        found: list[Any] = [await archive.availability(by, span, now, [work]) for by in By for span in spans]
        found += [await archive.history([each.target for each in LINES], span, now) for span in spans]
        ended = replace(INCIDENT, root="xa-b/tslcd", began=NOW + 3 * HOUR, closed=NOW + 9 * HOUR)
        return [*found, await archive.cost(ended, now)]
    finally:
        archive.close()


async def test_the_same_history_gives_the_same_availability(urls: tuple[str, str]) -> None:
    told = []
    for url in urls:
        store = Store(url)
        await write_days(store, 1)
        store.close()
        told.append(await reports(url))
    in_file, on_server = told
    assert on_server == in_file
    whole = in_file[0].totals["xa-b/tslcd"]
    assert min(whole.up, whole.down, whole.power, whole.unknown) > timedelta(0), "there is something to differ in"


async def life(url: str) -> list[Any]:
    """What everything else gives that a daemon does with its database, over a restart."""
    opened, changed, recovered = map(notification, (Happening.OPENED, Happening.CHANGED, Happening.RECOVERED))
    second = notification(contact=replace(ON_CALL, id="second"))
    held = replace(notification(contact=replace(ON_CALL, id="third")), held=HeldBack.QUIET)
    store = Store(url)
    state = Held(target=INCIDENT.root, state=State.DOWN, since=NOW)
    for _ in range(2):  # repeating a batch changes nothing
        await store.record([state], [event(), event(Happening.CHANGED, after=9)], [opened, changed, second, held], NOW)
    found: list[Any] = [await store.mails.take(NOW, 10), await store.mails.standing(NOW)]
    await store.mails.sent(opened.id, NOW, "250")
    await store.mails.fail(second.id, NOW, "550 không có người này")
    found += [await store.open_incidents(), await store.untold(), await store.mails.held()]
    silence = Silence(id=0, area="Kim Sơn", begins=NOW, ends=NOW + HOUR, reason="Thay tủ", by="hoa")
    kept = await store.silence(silence)
    found.append(await store.use_link("a", NOW + HOUR, NOW, replace(silence, by="lan")))
    with pytest.raises(LinkUsedError):
        await store.use_link("a", NOW + HOUR, NOW)
    await store.unsilence(kept, NOW)
    await store.keep([Learnt("a#b", "rtt", "x", b"\x00\xff"), Learnt("a#c", "rtt", "x", b"")], NOW)
    await store.keep([Learnt("a#b", "rtt", "y", b"\x01")], NOW)
    store.close()
    again = Store(url)
    await again.record([], [event(Happening.RECOVERED, after=60)], [recovered], NOW + HOUR)
    found += [
        await again.mails.release(),
        await again.mails.take(NOW + HOUR, 10),
        await again.mails.standing(NOW + HOUR),
    ]
    found += [await again.silences(NOW), set(await again.learnt(NOW)), await again.link_used("a")]
    found += [await again.recovered(NOW, NOW + HOUR), await again.recent_incidents(5), await again.begun(NOW)]
    found += [await again.mails.told(NOW), await again.timeline(INCIDENT.id)]
    again.close()
    archive = Archive(url)
    found.append(await archive.life(INCIDENT.id))
    archive.close()
    return [*found, read_history(url, INCIDENT.id)]


async def test_a_daemon_s_life_is_the_same(urls: tuple[str, str]) -> None:
    in_file, on_server = [await life(url) for url in urls]
    assert on_server == in_file


async def test_old_mails_are_thrown_away(urls: tuple[str, str]) -> None:
    later = NOW + KEPT + 2 * HOUR
    left = []
    for url in urls:
        await life(url)
        store = Store(url)
        await store.mails.sent(notification(Happening.RECOVERED).id, NOW, "250")
        steps = [await store.mails.prune(later), await store.mails.prune(NOW)]
        left.append((steps, await store.mails.standing(later), read_history(url, INCIDENT.id)))
        store.close()
    assert left[1] == left[0]
    assert left[0][1].counts == {"held": 1}


async def test_another_id_takes_its_past_along(urls: tuple[str, str]) -> None:
    told = []
    for url in urls:
        store = Store(url)
        await write_days(store, 2)
        await store.rename([replace(LINES[1], target="xa-moi/tslcd", commune="xa-moi", formerly=("xa-b/tslcd",))])
        store.close()
        told.append(await reports(url))
    assert told[1] == told[0]
    assert "xa-moi/tslcd" in told[0][0].totals


async def test_a_session_is_found_with_its_mails(urls: tuple[str, str]) -> None:
    begins, letter = FOUND.session.begins, replace(LETTER, id=f"quality-weekly-{FOUND.session.begins:%Y%m%d%H%M}.hai")
    for url in urls:
        store, archive = Store(url), Archive(url)
        for _ in range(2):
            await store.past_sessions.write(FOUND, [letter], NOW)
        assert await store.past_sessions.known([FOUND.session]) == {("weekly", begins)}
        assert await archive.past_sessions(Span(begins, NOW)) == [FOUND.went()]
        assert await archive.past_session("weekly", begins) == FOUND
        assert len(await archive.posted("weekly", begins)) == 1
        await store.past_sessions.prune(NOW + KEPT + HOUR)
        assert await archive.past_session("weekly", begins) is None
        archive.close()
        store.close()


async def test_a_server_without_tables_is_told(urls: tuple[str, str]) -> None:
    with pytest.raises(ArchiveError, match="of a version without a ledger; let this version's daemon run on it once"):
        await reports(urls[1])


# -- what can be wrong with it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql+psycopg://monitor:mat-khau@127.0.0.1:1/monitor", "onnection refused"),
        (
            "postgresql+none://monitor:mat-khau@127.0.0.1/monitor",
            "postgresql.none; write a file name, or postgresql+psycopg://",
        ),
        ("postgresql+psycopg://monitor:mat-khau@127.0.0.1:port/monitor", "'port'"),
        ("oracle+oracledb://monitor:mat-khau@127.0.0.1/monitor", "No module named 'oracledb'"),
    ],
)
def test_a_server_that_cannot_be_used_is_told_without_the_password(url: str, says: str) -> None:
    with pytest.raises(StoreError) as caught:
        Store(url)
    assert says in str(caught.value)
    assert "mat-khau" not in str(caught.value)
