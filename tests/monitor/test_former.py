"""What is kept of a former id goes on under the present one, in the database; and in a running daemon."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.archive import Archive
from monitor.core.ledger import By, Member, Span
from monitor.core.model import Explanation, Held, HeldBack, Look, Role, State, Weight
from monitor.core.usual import Learnt
from monitor.store import Store, read_history
from tests.alerts.sample import INCIDENT, NOW, event, notification
from tests.monitor.daemon import Daemon
from tests.monitor.making import rows

HOUR = timedelta(hours=1)
OLD, NEW = INCIDENT.root, "xa-moi/tslcd"
BOTH = (OLD, "phuong-cu/tslcd")


def line(target: str, *formerly: str) -> Member:
    site = target.partition("/")[0]
    return Member(
        target=target, role=Role.LINK, kind="tslcd", provider="vnpt", commune=site, since=NOW, formerly=formerly
    )


def held(target: str, state: State, hours: float) -> Held:
    return Held(target=target, state=state, since=NOW + hours * HOUR)


async def availability(archive: Archive, by: By = By.TARGET) -> dict[str, tuple[float, float]]:
    """Hours that were up and down, by key, of the first day."""
    report = await archive.availability(by, Span(NOW, NOW + 24 * HOUR), NOW + 9 * 24 * HOUR)
    return {key: (each.up / HOUR, each.down / HOUR) for key, each in report.totals.items()}


async def step(store: Store, hours: float, *states: Held, members: tuple[Member, ...] | None = None) -> None:
    at = NOW + hours * HOUR
    now = None if members is None else tuple(replace(each, since=at) for each in members)
    await store.record(states, [], [], at, now)


async def test_the_ledger_goes_on_under_the_present_id_of_target_and_commune(store: Store, archive: Archive) -> None:
    await store.begin(NOW)
    await step(store, 0, held(OLD, State.UP, 0), members=(line(OLD),))
    await step(store, 2, held(OLD, State.DOWN, 1), members=(line(NEW, OLD),))  # decided before, with the former id
    await step(store, 4, held(NEW, State.UP, 3))
    assert await availability(archive) == {NEW: (2.0, 2.0)}
    assert await availability(archive, By.COMMUNE) == {"xa-moi": (2.0, 2.0)}
    await store.rename([line(NEW, OLD)])
    assert await availability(archive) == {NEW: (2.0, 2.0)}, "once more changes nothing"


async def test_an_id_that_was_forgotten_is_found_when_it_is_written_later(store: Store, archive: Archive) -> None:
    await store.begin(NOW)
    await step(store, 0, held(OLD, State.UP, 0), members=(line(OLD),))
    await step(store, 2, held(NEW, State.UP, 2), members=(line(NEW),))
    await step(store, 4)
    assert await availability(archive) == {OLD: (2.0, 0.0), NEW: (2.0, 0.0)}
    await store.rename([line(NEW, OLD)])
    assert await availability(archive) == {NEW: (4.0, 0.0)}


async def test_of_two_communes_that_become_one_the_first_goes_on_and_no_time_counts_twice(
    store: Store, archive: Archive
) -> None:
    await store.begin(NOW)
    await step(store, 0, *(held(each, State.UP, 0) for each in BOTH), members=tuple(map(line, BOTH)))
    await step(store, 2, members=(line(NEW, *BOTH),))
    await step(store, 4)
    for _ in range(2):
        assert await availability(archive) == {NEW: (4.0, 0.0), BOTH[1]: (2.0, 0.0)}
        await store.rename([line(NEW, *BOTH)])


async def test_the_former_id_that_was_there_last_goes_before_one_that_is_long_gone(
    store: Store, archive: Archive
) -> None:
    await store.begin(NOW)
    await step(store, 0, held(BOTH[0], State.DOWN, 0), members=(line(BOTH[0]),))
    await step(store, 1, held(BOTH[1], State.UP, 1), members=tuple(map(line, BOTH)))
    await step(store, 2, members=(line(BOTH[1]),))
    await step(store, 3, members=(line(NEW, *BOTH),))
    await step(store, 4)
    assert await availability(archive) == {BOTH[0]: (0.0, 2.0), NEW: (3.0, 0.0)}


async def test_an_id_that_is_still_used_is_not_touched(store: Store, archive: Archive) -> None:
    await store.begin(NOW)
    await step(store, 0, held(OLD, State.UP, 0), members=(line(OLD),))
    await step(store, 4, members=(line(OLD), line(NEW, OLD)))
    await step(store, 5)
    assert await availability(archive) == {OLD: (5.0, 0.0), NEW: (0.0, 0.0)}


async def test_what_was_learnt_goes_on_and_what_was_learnt_since_wins(store: Store) -> None:
    def learnt(target: str, value: str, blob: bytes) -> Learnt:
        return Learnt(f"{target}#echo", value, "icmp", blob)

    await step(store, 0, members=(line(OLD),))
    await store.keep([learnt(OLD, "rtt", b"old"), learnt(OLD, "jitter", b"old"), learnt(NEW, "rtt", b"new")], NOW)
    await store.rename([line(NEW, OLD)])
    assert set(await store.learnt(NOW)) == {learnt(NEW, "rtt", b"new"), learnt(NEW, "jitter", b"old")}


async def test_incidents_and_mails_that_wait_name_the_present_id_and_what_was_sent_stays(
    store: Store, file: Path
) -> None:
    incident = replace(INCIDENT, weight=Weight(target=OLD), evidence=(f'{OLD}: "{OLD}" is silent',))
    because = Explanation(looks=(Look(rule="by-kind", fits=True, because="link", of=(OLD,)),))
    sent = replace(notification(incident=incident), id="sent")
    await step(store, 0, members=(line(OLD), line("xa-kim-dong/router")))
    await store.record(
        [],
        [replace(event(incident=incident), because=because)],
        [
            sent,
            notification(incident=incident),
            replace(notification(incident=incident), id="held", held=HeldBack.QUIET),
        ],
        NOW,
    )
    await store.mails.sent("sent", NOW, "250")
    await store.rename([line(NEW, OLD), line("xa-moi/router", "xa-kim-dong/router")])

    (found,) = await store.open_incidents()
    assert (found.id, found.root, found.weight) == (INCIDENT.id, NEW, Weight(target=NEW))
    assert found.impact == ("xa-moi/router", "xa-kim-dong/website")
    assert found.evidence == incident.evidence, "what was seen is told as it was"
    (told,) = read_history(str(file), INCIDENT.id)
    assert (told.incident.root, told.because and told.because.looks[0].of) == (NEW, (NEW,))
    await store.mails.release()
    (waiting,) = await store.mails.take(NOW, 9)
    assert waiting.mail.event.incident.root == NEW
    (held,) = await store.mails.held()
    assert held.event.incident.root == NEW
    ((body,),) = rows(file, "SELECT body FROM outbox WHERE id = 'sent'")
    assert f'"root":"{OLD}"' in str(body)


# -- a daemon ----------------------------------------------------------------------------------------------------------


RENAMED = (
    ("id: center", "id: centre\n    formerly: [center]"),
    ("portal: {profile", "desk: {formerly: [portal], profile"),
)


def rename(files: Daemon) -> None:
    text = files.inventory.read_text(encoding="utf-8")
    for old, new in RENAMED:
        text = text.replace(old, new)
    files.inventory.write_text(text, encoding="utf-8")


def target(files: Daemon, id_: str) -> dict[str, object]:
    found: dict[str, object] = next(each for each in files.api("targets")["targets"] if each["id"] == id_)
    return found


@pytest.mark.parametrize("how", ["by a reload", "over a restart", "while it was killed"])
async def test_renaming_keeps_state_incident_silence_and_availability(how: str, files: Daemon) -> None:
    files.start()  # nothing listens on the port of the portal
    incident = files.wait(files.open_incidents)["center/portal"]
    assert files.run("silence", "center/portal", "--for", "1h", "--reason", "known")[0] == 0
    files.wait(lambda: rows(files.database, "SELECT * FROM state_change WHERE target = 'center/portal'"))
    before = target(files, "center/portal")
    rename(files)
    if how == "by a reload":
        said = files.run("plan", "--lang", "en")[1]
        assert "= sites (1): center → centre\n" in said
        assert "= targets (2): center/gateway → centre/gateway, center/portal → centre/desk\n" in said
        assert "withdrawn" not in said
        assert files.run("reload")[0] == 0
        after = target(files, "centre/desk")
        assert (after["state"], after["since"]) == ("down", before["since"])
    else:
        files.end(*(() if how == "over a restart" else (9,)))
        files.start()
    files.wait(lambda: files.states() == {"centre/gateway": "up", "centre/desk": "down"})
    assert {root: each["id"] for root, each in files.open_incidents().items()} == {"centre/desk": incident["id"]}
    assert "centre/desk" in files.run("silences")[1]
    assert f'id="{incident["id"]}"' in files.get("/")[1] or incident["id"] in files.get("/")[1]
    whole = Span(datetime.fromisoformat(incident["began"]), datetime.now(UTC) + HOUR)
    archive = Archive(str(files.database))
    try:
        files.wait(lambda: not rows(files.database, "SELECT * FROM state_change WHERE target LIKE 'center/%'"))
        (first, *_) = (await archive.history(["centre/desk"], whole, datetime.now(UTC)))["centre/desk"]
    finally:
        archive.close()
    assert first.state is State.DOWN, "also before it was renamed"
    files.open_portal()
    files.wait(lambda: files.states()["centre/desk"] == "up" and not files.open_incidents())
    assert files.end() == 0
    happened = [each for (each,) in rows(files.database, "SELECT what FROM incident_event ORDER BY id")]
    assert happened == ["opened", "recovered"], "one incident, never withdrawn"
