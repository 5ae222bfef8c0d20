"""From an observation to incident and mails on disk, with a real database."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from alerts.holding import READ_BACK
from alerts.routing import Quiet, Route, Routing, Scope, everybody
from monitor import pipeline as pipeline_module
from monitor.core import decider as decider_module
from monitor.core.correlate import LATELY
from monitor.core.model import (
    Acknowledgement,
    Check,
    Contact,
    Happening,
    Incident,
    IncidentEvent,
    Inventory,
    Limit,
    Notification,
    Observation,
    Outcome,
    Reason,
    Role,
    Severity,
    Silence,
    Site,
    State,
    Target,
)
from monitor.core.ongoing import SETTLE, SETTLE_FACTOR
from monitor.inventory.hours import parse_hours
from monitor.pipeline import KEPT_CLOSED, Pipeline
from monitor.recorder import Recorder
from monitor.recording import read
from monitor.replay import Replay
from monitor.store import Store, read_history
from probes.registry import Options
from tests.alerts.sample import NOW
from tests.monitor.making import rows

GIVE_UP_SECONDS = 20.0
ALL = Contact(id="all", name="All", email="all@example.org")
SOUTH = Contact(id="south", name="South", email="south@example.org")


def told_of(area: str, *contacts: Contact) -> Routing:
    """`SOUTH` is told of an area, these contacts of everything."""
    narrow = Route(to=SOUTH.id, scope=Scope(areas=(area,)))
    all_of_them = everybody(*contacts, SOUTH)
    return replace(all_of_them, routes=(*all_of_them.routes[:-1], narrow))


BOTH_CONTACTS = told_of("South", ALL)


def service(site: str, *, confirm: int = 1) -> Target:
    id_ = f"{site}/portal"
    check = Check(
        id=f"{id_}#port", target=id_, name="port", probe="tcp", address="127.0.0.1", options=Options(),
        interval_seconds=60, timeout_seconds=1, confirm=confirm, when_failed=State.DOWN,
    )  # fmt: skip
    return Target(id=id_, site=site, name="portal", role=Role.SERVICE, kind="public-portal", checks=(check,))


def inventory(*targets: Target) -> Inventory:
    sites = {site: Site(id=site, name=site.title(), area=site.title()) for site in ("north", "south")}
    return Inventory(sites=sites, targets={each.id: each for each in targets}, providers={})


BOTH = inventory(service("north"), service("south"))


@dataclass(slots=True)
class Line:
    """A pipeline with a clock that the test sets."""

    file: Path
    routing: Routing = BOTH_CONTACTS
    now: datetime = NOW
    set_by: timedelta = timedelta()
    """What of `now` is no time that passed: somebody has set the clock."""
    rechecked: list[str] = field(default_factory=list)
    stored: int = 0
    recorder: Recorder | None = None
    turns_moved: int = 0
    store: Store = field(init=False)
    pipeline: Pipeline = field(init=False)

    def __post_init__(self) -> None:
        self.store = Store(str(self.file))
        self.begin(BOTH)

    def begin(
        self,
        known: Inventory,
        incidents: Sequence[Incident] = (),
        told: Iterable[Notification] = (),
        silences: Sequence[Silence] = (),
        untold: Mapping[str, Happening] | None = None,
        begun: Mapping[str, datetime] | None = None,
        held: Iterable[Notification] = (),
        closed: Sequence[Incident] = (),
    ) -> None:
        self.pipeline = Pipeline(
            inventory=known, routing=self.routing, known=incidents, told=told, store=self.store,
            clock=lambda: self.now, steady=self._steady, recheck=self.rechecked.append, stored=self._stored,
            clock_set=self._move_turns,
            recorder=self.recorder,
            silences=silences, untold=untold, begun=begun, held=held, closed=closed,
        )  # fmt: skip

    async def restart(self, known: Inventory = BOTH) -> None:
        """What the app does at a start."""
        store = self.store
        self.begin(
            known,
            (*await store.open_incidents(), *await store.recovered(self.now - LATELY, self.now)),
            await store.mails.told(self.now - READ_BACK),
            await store.silences(self.now),
            await store.untold(),
            await store.begun(self.now - READ_BACK),
            await store.mails.held(),
            await store.recent_incidents(20),
        )

    def _steady(self) -> float:
        return (self.now - self.set_by - NOW).total_seconds()

    def _move_turns(self) -> None:
        self.turns_moved += 1

    def _stored(self) -> None:
        self.stored += 1

    def see(self, target: str, outcome: Outcome) -> None:
        reason = Reason.OK if outcome is Outcome.OK else Reason.REFUSED
        self.pipeline.observed(
            Observation(
                check=f"{target}#port", target=target, at=self.now, outcome=outcome, reason=reason, evidence="e"
            )
        )

    def see_for(self, target: str, outcome: Outcome, minutes: int = 5) -> None:
        """The same answer every few seconds, and what follows of it."""
        for _ in range(minutes * 12):
            self.now += timedelta(seconds=5)
            self.see(target, outcome)
            self.pipeline._take(self.pipeline.correlator.tick(self.now))
            self.pipeline._break_silence(self.now)
            self.pipeline._tell_what_is_due()

    async def hush(self, site: str, minutes: float) -> None:
        """Be silent about a site from now on."""
        ends = self.now + timedelta(minutes=minutes)
        made = Silence(id=0, site=site, begins=self.now, ends=ends, reason="r", by="hoa")
        self.pipeline.silenced(await self.store.silence(made))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.pipeline.run())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def mails(self) -> list[tuple[str, str]]:
        """Happening and contact of each mail in the order of writing."""
        found = rows(self.file, "SELECT id, contact FROM outbox ORDER BY seq")
        return [(str(id_).rsplit(".", 2)[1].partition("-")[0], str(contact)) for id_, contact in found]

    async def until_mails(self, *mails: tuple[str, str]) -> None:
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while len(self.mails()) < len(mails):
                await asyncio.sleep(0.01)
        assert self.mails() == list(mails)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decider_module, "TICK", timedelta(seconds=0.01))
    monkeypatch.setattr(pipeline_module, "RETRY_SECONDS", 0.02)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    made = Line(tmp_path / "state.db")
    yield made
    made.store.close()


async def test_a_failure_becomes_an_incident_and_mails_on_disk(line: Line) -> None:
    async with line.running():
        line.see("south/portal", Outcome.FAILED)
        line.now += timedelta(minutes=1)
        await line.until_mails(("opened", "all"), ("opened", "south"))
    (incident,) = await line.store.open_incidents()
    assert (incident.root, incident.reason, incident.began) == ("south/portal", Reason.REFUSED, NOW)
    assert line.pipeline.event_counts == {("service", "opened"): 1}


async def test_mails_may_leave_only_when_they_are_on_disk(line: Line) -> None:
    seen: list[int] = []
    line.pipeline._stored = lambda: seen.append(len(line.mails()))
    async with line.running():
        line.see_for("south/portal", Outcome.FAILED)
        await line.until_mails(("opened", "all"), ("opened", "south"))
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while not seen:
                await asyncio.sleep(0.01)
    assert seen == [2]


async def test_states_alone_wake_no_mail(line: Line) -> None:
    async with line.running():
        line.see("south/portal", Outcome.OK)
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while not rows(line.file, "SELECT * FROM state_change"):
                await asyncio.sleep(0.01)
    assert line.stored == 0
    assert line.mails() == []


async def test_a_target_that_nobody_hears_of_becomes_unknown_by_time_alone(line: Line) -> None:
    line.see("south/portal", Outcome.OK)
    async with line.running():
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while line.pipeline.correlator.held["south/portal"].state is not State.UNKNOWN:
                line.now += timedelta(seconds=1)
                await asyncio.sleep(0.01)
    assert line.pipeline.correlator.held["south/portal"].reason is Reason.STALE


async def test_who_was_not_heard_while_we_were_stopped_is_not_unknown(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    line.see("south/portal", Outcome.OK)
    async with line.running():
        line.now += timedelta(hours=1)
        await _said(caplog, "stood still for 3600.0 s")
        for _ in range(10):
            line.now += timedelta(seconds=1)
            await asyncio.sleep(0.02)
    assert line.pipeline.correlator.held["south/portal"].state is State.UP


@pytest.mark.parametrize("hours", [1, -1])
@pytest.mark.parametrize("seen_first", [True, False], ids=["an observation sees it first", "a tick sees it first"])
async def test_a_clock_that_is_set_makes_nobody_unknown_and_puts_no_incident_off(
    seen_first: bool, hours: int, line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    line.see("north/portal", Outcome.OK)
    line.see("south/portal", Outcome.FAILED)
    line.now += (step := timedelta(hours=hours))
    line.set_by += step
    if seen_first:
        line.see("south/portal", Outcome.FAILED)
    async with line.running():
        await _said(caplog, f"the clock was set by {step.total_seconds():+.1f} s")
        assert line.turns_moved == 1
        for _ in range(12):
            line.now += timedelta(seconds=1)
            await asyncio.sleep(0.02)
        await line.until_mails(("opened", "all"), ("opened", "south"))
    assert line.pipeline.correlator.held["north/portal"].state is State.UP
    (incident,) = line.pipeline.correlator.incidents()
    assert incident.began == NOW + step
    assert timedelta(0) <= incident.opened - incident.began < timedelta(seconds=30)


async def _said(caplog: pytest.LogCaptureFixture, text: str) -> None:
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while text not in caplog.text:
            await asyncio.sleep(0.01)


async def test_a_clock_that_is_set_and_a_standstill_are_recorded_and_decided_the_same_again(
    line: Line, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(tmp_path / "a.jsonl")
    line.recorder = recorder
    line.begin(BOTH)
    told: list[IncidentEvent] = []
    line.pipeline._note = told.append  # type: ignore[method-assign]
    async with line.running():
        line.see("south/portal", Outcome.FAILED)
        line.now += (step := timedelta(hours=-1))
        line.set_by += step
        await _said(caplog, "the clock was set by")
        line.now += timedelta(hours=2)
        await _said(caplog, "stood still for")
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while not told:
                line.now += timedelta(seconds=1)
                await asyncio.sleep(0.02)
    recorder.close()
    assert list(Replay(BOTH).events(read(tmp_path / "a.jsonl"))) == told


async def test_why_an_incident_was_told_is_on_disk_once_and_in_no_mail(line: Line) -> None:
    line.see_for("north/portal", Outcome.FAILED)
    line.see_for("north/portal", Outcome.OK)
    await line.pipeline.flush()
    ((incident,),) = rows(line.file, "SELECT id FROM incident")
    events = read_history(str(line.file), str(incident))
    assert [each.what.value for each in events] == ["opened", "recovered"]
    assert [look.because for each in events if each.because for look in each.because.looks if look.fits] == [
        "service", "well",
    ]  # fmt: skip
    assert not any(
        "looks" in str(body) and "no-gateway" in str(body) for (body,) in rows(line.file, "SELECT body FROM outbox")
    )


async def test_the_end_is_told_to_those_who_were_told_of_the_beginning(line: Line) -> None:
    line.see_for("north/portal", Outcome.FAILED)
    line.see_for("north/portal", Outcome.OK)
    await line.pipeline.flush()
    assert line.mails() == [("opened", "all"), ("recovered", "all")]
    assert [each.root for each in line.pipeline.closed] == ["north/portal"]


async def test_after_a_restart_the_end_is_told_to_those_who_were_told_before_and_who_is_new_hears_what_is_open(
    line: Line,
) -> None:
    line.see_for("south/portal", Outcome.FAILED)
    await line.pipeline.flush()
    late = Contact(id="late", name="Late", email="late@example.org")
    line.routing = told_of("North", ALL, late)
    await line.restart()
    line.see_for("south/portal", Outcome.FAILED)
    line.see_for("south/portal", Outcome.OK)
    await line.pipeline.flush()
    assert line.mails() == [
        ("opened", "all"), ("opened", "south"), ("opened", "late"),
        ("recovered", "all"), ("recovered", "late"), ("recovered", "south"),
    ]  # fmt: skip
    assert await line.store.open_incidents() == ()


async def test_a_step_of_escalation_and_a_reminder_come_in_their_time_over_a_restart(line: Line) -> None:
    head = replace(ALL, id="head")
    first, second = everybody(ALL).routes[0], Route(to="head", after=timedelta(minutes=15))
    routes = (replace(first, remind=timedelta(minutes=20)), second)
    line.routing = Routing(contacts={"all": ALL, "head": head}, routes=routes)
    await line.restart()
    line.see_for("north/portal", Outcome.FAILED, 10)
    await line.pipeline.flush()
    await line.restart()
    line.see_for("north/portal", Outcome.FAILED, 15)
    await line.pipeline.flush()
    await line.restart()
    line.see_for("north/portal", Outcome.OK, 5)
    await line.pipeline.flush()
    mails = line.mails()
    assert mails[:3] == [("opened", "all"), ("escalated", "head"), ("reminder", "all")]
    assert sorted(mails[3:]) == [("recovered", "all"), ("recovered", "head")]


async def test_what_is_held_back_in_quiet_hours_comes_in_one_digest_over_a_restart(line: Line) -> None:
    quiet = Quiet(hours=parse_hours("12:00-12:20"), at_once=Severity.CRITICAL)  # it is noon
    line.routing = replace(everybody(ALL), quiet={"all": quiet})
    await line.restart()
    line.see_for("north/portal", Outcome.FAILED, 5)
    line.see_for("south/portal", Outcome.FAILED, 5)
    await line.pipeline.flush()
    assert (line.mails(), await line.store.mails.take(line.now, 9)) == ([("opened", "all")] * 2, [])
    await line.restart()
    line.see_for("south/portal", Outcome.OK, 12)
    await line.pipeline.flush()
    (digest,) = await line.store.mails.take(line.now, 9)
    assert (digest.mail.event.what, len(digest.mail.items)) == (Happening.DIGEST, 2)
    assert (await line.store.mails.standing(line.now)).counts == {"summed": 3, "sending": 1}
    assert await line.store.mails.held() == ()


async def test_what_is_silenced_is_neither_escalated_nor_told_to_who_comes(line: Line) -> None:
    line.routing = Routing(contacts={"all": ALL}, routes=(Route(to="all", after=timedelta(minutes=5)),))
    await line.restart()
    await line.hush("north", 20)
    line.see_for("north/portal", Outcome.FAILED, 10)
    line.pipeline.adopt(BOTH, everybody(ALL))
    line.see_for("north/portal", Outcome.FAILED, 5)
    await line.pipeline.flush()
    assert line.mails() == []


async def test_after_a_start_and_a_pause_nothing_comes_by_time_alone_until_it_is_seen_what_is_still_so(
    line: Line,
) -> None:
    line.routing = Routing(contacts={"all": ALL}, routes=(Route(to="all", after=timedelta(minutes=5)),))
    line.see_for("north/portal", Outcome.FAILED, 1)
    await line.pipeline.flush()
    line.now += timedelta(hours=1)  # nobody watches
    await line.restart()
    line.see_for("north/portal", Outcome.OK, 5)
    await line.pipeline.flush()
    assert line.mails() == [("opened", "all"), ("recovered", "all")]


async def test_an_incident_that_goes_on_over_a_restart_is_not_opened_again(line: Line) -> None:
    line.see_for("north/portal", Outcome.FAILED)
    await line.pipeline.flush()
    (before,) = await line.store.open_incidents()
    await line.restart()
    line.see_for("north/portal", Outcome.FAILED)
    await line.pipeline.flush()
    assert [each.id for each in await line.store.open_incidents()] == [before.id]
    assert line.mails() == [("opened", "all")]


async def test_a_contact_that_comes_or_goes_with_a_reload_hears_what_fits(line: Line) -> None:
    line.see_for("south/portal", Outcome.FAILED)
    line.pipeline.adopt(BOTH, everybody(ALL, replace(ALL, id="new")))
    line.see_for("south/portal", Outcome.OK)
    line.see_for("north/portal", Outcome.FAILED)
    await line.pipeline.flush()
    assert line.mails() == [
        ("opened", "all"), ("opened", "south"), ("recovered", "all"), ("opened", "all"), ("opened", "new"),
    ]  # fmt: skip


async def test_an_incident_whose_target_leaves_with_a_reload_is_withdrawn_and_told(line: Line) -> None:
    line.see_for("south/portal", Outcome.FAILED)
    line.see("north/portal", Outcome.OK)
    line.pipeline.adopt(inventory(service("north")), line.routing)
    line.pipeline._take(line.pipeline.correlator.tick(line.now))
    await line.pipeline.flush()
    assert line.mails()[2:] == [("withdrawn", "all"), ("withdrawn", "south")]
    last = (await line.store.mails.told(line.now))[-1]
    assert dict(last.event.called)["en"].endswith(f" – {BOTH.sites['south'].name}"), "as it was called before"
    assert set(line.pipeline.last) == {"north/portal#port"}
    assert await line.store.open_incidents() == ()


async def test_a_check_that_is_not_sure_is_asked_again(line: Line) -> None:
    line.begin(inventory(service("north", confirm=2)))
    line.see("north/portal", Outcome.FAILED)
    assert line.rechecked == ["north/portal#port"]


FOLLOWED = Limit(value="probe_duration_seconds", above_usual=3, at_least=0.5, clear=2.4)


def followed(site: str) -> Target:
    target = service(site)
    return replace(target, checks=(replace(target.checks[0], limits=(FOLLOWED,)),))


async def test_what_is_usual_is_on_disk_after_the_flush(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "KEPT_AT_ONCE", 1)
    line.begin(inventory(followed("north"), followed("south")))
    line.see("north/portal", Outcome.OK)
    learnt = tuple(line.pipeline.judge.learnt())
    await line.pipeline.flush()
    assert await line.store.learnt(NOW) == learnt
    assert [each.check for each in learnt] == ["north/portal#port", "south/portal#port"]
    assert learnt[0].blob != learnt[1].blob


async def test_what_is_usual_is_written_now_and_then_over_an_error_too(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_module, "KEEP_SECONDS", 0.02)
    line.begin(inventory(followed("north")))
    rows(line.file, "ALTER TABLE learnt RENAME TO away")
    async with line.running():
        await _errors(line, 2)
        rows(line.file, "ALTER TABLE away RENAME TO learnt")
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while not await line.store.learnt(NOW):
                await asyncio.sleep(0.01)


async def test_no_more_than_so_many_closed_incidents_are_kept_in_memory(line: Line) -> None:
    for _ in range(KEPT_CLOSED + 3):
        line.see_for("north/portal", Outcome.FAILED, minutes=3)
        line.see_for("north/portal", Outcome.OK, minutes=3)
    kept = line.pipeline.closed
    assert len(kept) <= KEPT_CLOSED
    assert [each.closed for each in kept] == sorted((each.closed for each in kept), reverse=True)
    await line.pipeline.flush()


# -- silences ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("restarted", [False, True], ids=["", "over a restart"])
async def test_a_silenced_incident_is_open_and_counted_and_mailed_when_the_silence_is_over(
    restarted: bool, line: Line
) -> None:
    await line.hush("south", minutes=20)
    line.see_for("south/portal", Outcome.FAILED, minutes=15)
    await line.pipeline.flush()
    assert [each.root for each in await line.store.open_incidents()] == ["south/portal"]
    assert line.pipeline.event_counts == {("service", "opened"): 1}
    assert line.mails() == []
    if restarted:
        await line.restart()
    line.see_for("south/portal", Outcome.FAILED, minutes=10)
    line.see_for("south/portal", Outcome.OK)
    await line.pipeline.flush()
    told = [("opened", "all"), ("opened", "south"), ("recovered", "all"), ("recovered", "south")]
    assert line.mails() == told
    assert rows(line.file, "SELECT what FROM incident_event ORDER BY id") == [("opened",), ("recovered",)]


@pytest.mark.parametrize("restarted", [False, True], ids=["", "over a restart"])
async def test_a_silenced_incident_that_recovers_meanwhile_is_mailed_to_nobody(restarted: bool, line: Line) -> None:
    await line.hush("south", minutes=60)
    line.see_for("south/portal", Outcome.FAILED)
    await line.pipeline.flush()
    if restarted:
        await line.restart()
        line.see_for("south/portal", Outcome.FAILED)
    line.see_for("south/portal", Outcome.OK)
    line.now += timedelta(hours=1)
    line.see_for("north/portal", Outcome.FAILED)
    await line.pipeline.flush()
    assert line.mails() == [("opened", "all")], "of another site"


async def test_its_revision_grows_with_whatever_a_page_shows_and_not_with_what_stays(line: Line) -> None:
    seen = [line.pipeline.revision]

    def grown() -> bool:
        seen.append(line.pipeline.revision)
        return seen[-1] > seen[-2]

    line.see("north/portal", Outcome.OK)
    assert grown(), "its first state"
    line.see("north/portal", Outcome.OK)
    assert not grown()
    line.see_for("north/portal", Outcome.FAILED)
    assert grown()
    (incident,) = line.pipeline.correlator.incidents()
    line.pipeline.acknowledge(incident.id, Acknowledgement(by="hoa", at=line.now, note=""))
    assert grown()
    await line.hush("south", minutes=600)
    assert grown()
    line.pipeline.unsilenced(line.pipeline.silences[0])
    assert grown()
    line.pipeline.adopt(BOTH, BOTH_CONTACTS)
    assert grown()


async def test_a_silence_that_is_lifted_lets_the_mail_go_out(line: Line) -> None:
    await line.hush("south", minutes=600)
    async with line.running():
        line.see_for("south/portal", Outcome.FAILED)
        line.pipeline.unsilenced(line.pipeline.silences[0])
        await line.until_mails(("opened", "all"), ("opened", "south"))


async def test_who_knew_of_an_incident_hears_its_end_though_it_is_silenced_now(line: Line) -> None:
    line.see_for("north/portal", Outcome.FAILED)
    await line.hush("north", minutes=60)
    line.see_for("north/portal", Outcome.OK)
    await line.pipeline.flush()
    assert line.mails() == [("opened", "all"), ("recovered", "all")]


async def test_an_incident_that_comes_back_under_a_silence_is_told_only_when_that_is_over(line: Line) -> None:
    line.see_for("north/portal", Outcome.FAILED)
    line.see_for("north/portal", Outcome.OK)
    await line.pipeline.flush()
    await line.hush("north", minutes=10)
    line.see_for("north/portal", Outcome.FAILED)
    await line.pipeline.flush()
    assert line.mails() == [("opened", "all"), ("recovered", "all")]
    assert list((await line.store.untold()).values()) == [Happening.REOPENED]
    line.see_for("north/portal", Outcome.FAILED, minutes=10)
    await line.pipeline.flush()
    assert line.mails() == [("opened", "all"), ("recovered", "all"), ("reopened", "all")]


async def test_who_has_an_incident_is_kept_over_a_restart_and_told_to_those_who_were_told(line: Line) -> None:
    line.see_for("north/portal", Outcome.FAILED)
    (opened,) = line.pipeline.correlator.incidents()
    hoa = Acknowledgement(by="hoa", at=line.now, note="Đã gọi")
    line.pipeline.acknowledge(opened.id, hoa)
    await line.pipeline.flush()
    assert line.mails() == [("opened", "all"), ("acknowledged", "all")]
    await line.restart()
    assert [each.acknowledged for each in line.pipeline.correlator.incidents()] == [hoa]
    line.pipeline.acknowledge(opened.id, None)
    await line.pipeline.flush()
    assert [each.acknowledged for each in await line.store.open_incidents()] == [None]
    events, mails = await line.store.timeline(opened.id)
    assert [(each.what.value, each.incident.acknowledged) for each in events] == [
        ("opened", None), ("acknowledged", hoa), ("unacknowledged", None),
    ]  # fmt: skip
    assert [(mail.event.what.value, mail.contact.id, status) for _, mail, status, _ in mails] == [
        ("opened", "all", "queued"), ("acknowledged", "all", "queued"), ("unacknowledged", "all", "queued"),
    ]  # fmt: skip


async def test_what_comes_back_soon_after_a_restart_is_the_same_incident_in_the_same_thread(line: Line) -> None:
    line.see_for("south/portal", Outcome.FAILED)
    (before,) = line.pipeline.correlator.incidents()
    line.see_for("south/portal", Outcome.OK)
    await line.pipeline.flush()
    await line.restart()
    assert [each.id for each in line.pipeline.closed] == [before.id]
    line.pipeline.adopt(BOTH, told_of("elsewhere", ALL))
    line.see_for("south/portal", Outcome.OK, minutes=20)
    line.see_for("south/portal", Outcome.FAILED)
    (again,) = line.pipeline.correlator.incidents()
    assert (again.id, again.times, again.began) == (before.id, 2, before.began)
    assert line.pipeline.closed == []
    await line.pipeline.flush()
    assert line.mails()[4:] == [("reopened", "all"), ("reopened", "south")], "who was told hears of it again"
    # And once more: how often it has come back is known too.
    await line.restart()
    line.see("south/portal", Outcome.OK)
    line.now += SETTLE * 2
    line.pipeline._take(line.pipeline.correlator.tick(line.now))
    assert line.pipeline.correlator.incidents() == (again,)
    line.now += SETTLE * SETTLE_FACTOR
    line.pipeline._take(line.pipeline.correlator.tick(line.now))
    assert line.pipeline.correlator.incidents() == ()


async def test_what_comes_back_late_or_was_withdrawn_is_another_incident_after_a_restart(line: Line) -> None:
    line.see_for("south/portal", Outcome.FAILED)
    line.see_for("south/portal", Outcome.OK)
    line.see_for("north/portal", Outcome.FAILED)
    line.pipeline.adopt(inventory(service("south")), line.routing)
    await line.pipeline.flush()
    line.now += LATELY - timedelta(minutes=5)
    await line.restart()
    (south, north) = (each.id for each in reversed(line.pipeline.closed))
    line.see_for("south/portal", Outcome.FAILED)
    line.see_for("north/portal", Outcome.FAILED)
    opened = {each.root: each.id for each in line.pipeline.correlator.incidents()}
    assert opened["south/portal"] != south
    assert opened["north/portal"] != north
    assert len(line.pipeline.closed) == 2


# -- trouble with writing ------------------------------------------------------------------------------------------


async def test_what_cannot_be_written_is_kept_in_order_and_written_once_when_it_can(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    rows(line.file, "ALTER TABLE outbox RENAME TO away")
    async with line.running() as task:
        line.see_for("south/portal", Outcome.FAILED)
        await _errors(line, 2)
        line.see_for("south/portal", Outcome.OK)
        line.see_for("north/portal", Outcome.FAILED)
        await _errors(line, 4)
        assert line.stored == 0
        assert "tried again" in caplog.text
        rows(line.file, "ALTER TABLE away RENAME TO outbox")
        await line.until_mails(
            ("opened", "all"), ("opened", "south"), ("recovered", "all"), ("recovered", "south"), ("opened", "all"),
        )  # fmt: skip
        assert not task.done()
    # The one that is not asked while time passes for the other becomes unknown.
    states = rows(line.file, "SELECT target, state FROM state_change WHERE state != 'unknown' ORDER BY id")
    assert states == [("south/portal", "down"), ("south/portal", "up"), ("north/portal", "down")]
    assert rows(line.file, "SELECT what FROM incident_event ORDER BY id") == [("opened",), ("recovered",), ("opened",)]


async def _errors(line: Line, count: int) -> None:
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while line.store.errors < count:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("begun", [True, False], ids=["writing had begun", "writing had not begun"])
async def test_what_was_being_written_at_the_end_is_on_disk_once_after_the_flush(
    begun: bool,
    line: Line,
) -> None:
    """A cancelled task must not take its batch with it."""
    gate = threading.Event()
    if not begun:
        line.store._database._writer.submit(gate.wait, GIVE_UP_SECONDS)
    async with line.running():
        line.see_for("south/portal", Outcome.FAILED)
        while line.pipeline._batch:
            await asyncio.sleep(0)
    gate.set()
    await line.pipeline.flush()
    assert line.mails() == [("opened", "all"), ("opened", "south")]
    assert rows(line.file, "SELECT target, state FROM state_change") == [("south/portal", "down")]
    assert rows(line.file, "SELECT what FROM incident_event") == [("opened",)]


# -- signs of life -----------------------------------------------------------------------------------------------------


async def test_it_writes_that_it_lives_though_nothing_happens_and_at_the_end(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    def beat() -> str:
        return str(rows(line.file, "SELECT beat FROM run")[0][0])

    monkeypatch.setattr(pipeline_module, "BEAT_SECONDS", 0.01)
    await line.store.begin(line.now)
    async with line.running():
        for _ in range(3):
            line.now += timedelta(seconds=5)
            async with asyncio.timeout(GIVE_UP_SECONDS):
                while datetime.fromisoformat(beat()) < line.now:
                    await asyncio.sleep(0.01)
    line.now += timedelta(seconds=2)
    await line.pipeline.flush()
    assert datetime.fromisoformat(beat()) == line.now == NOW + timedelta(seconds=17)


async def test_no_sign_of_life_goes_before_a_change_that_is_not_on_disk_yet(line: Line) -> None:
    await line.store.begin(line.now)
    line.see("south/portal", Outcome.OK)
    rows(line.file, "ALTER TABLE state_change RENAME TO away")
    line.now += timedelta(seconds=9)
    async with line.running():
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while not line.store.errors:
                await asyncio.sleep(0.01)
        assert rows(line.file, "SELECT began = beat FROM run") == [(1,)]
        rows(line.file, "ALTER TABLE away RENAME TO state_change")
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while rows(line.file, "SELECT began = beat FROM run") == [(1,)]:
                await asyncio.sleep(0.01)
        assert rows(line.file, "SELECT target, state FROM state_change") == [("south/portal", "up")]
    assert rows(line.file, "SELECT count(*) FROM member WHERE until IS NULL") == [(2,)]


async def test_a_reload_writes_who_came_and_who_left(line: Line) -> None:
    await line.pipeline.flush()
    line.now += timedelta(minutes=1)
    line.pipeline.adopt(inventory(service("south")), line.routing)
    await line.pipeline.flush()
    found = rows(line.file, "SELECT target, commune, since, until FROM member ORDER BY target")
    assert [each[:2] for each in found] == [("north/portal", "north"), ("south/portal", "south")]
    assert [each[3] and datetime.fromisoformat(str(each[3])) for each in found] == [line.now, None]
