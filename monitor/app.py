"""The composition root: builds the parts, joins them, reloads and stops them. The only place that knows all of them."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import logging
import resource
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar, cast

from aiohttp import web

from alerts.alertmanager import Alertmanager, Peers
from alerts.compose import Composer
from alerts.heartbeat import Heartbeat, Incidents, Switch
from alerts.holding import READ_BACK
from alerts.links import Signer
from alerts.mailer import Mailer, Relay
from alerts.outbox import Outbox, Standing
from alerts.own import Emergency, concerned
from alerts.routing import Routing
from alerts.webhook import Webhook, Webhooks
from monitor.acts import Acts, LinkActs, signing_key
from monitor.archive import Archive, ArchiveError
from monitor.control import RefusedError, make_control, serve
from monitor.core.correlate import LATELY
from monitor.core.lasthour import EVERY, LastHour, Series
from monitor.core.ledger import By, Cost, Interval, Maintenance, Report, Span, announced, members, month_of
from monitor.core.model import (
    Happening,
    Incident,
    IncidentEvent,
    Inventory,
    Notification,
    Observation,
    Silence,
    State,
)
from monitor.core.rename import renamed_targets
from monitor.database import StoreError
from monitor.files import declared, differing, files_of, load_all, without_collector
from monitor.inventory.diff import compare, plan_json
from monitor.metrics import Metrics, Present
from monitor.pipeline import Pipeline
from monitor.recording import Recorder, RecordingError
from monitor.scheduler import Scheduler
from monitor.settings import HeartbeatSettings, RelaySettings, Settings, TrapSettings, WebhookSettings
from monitor.store import Store
from monitor.traps import TrapListener, TrapUser, counted
from monitor.watch import LOOK_SECONDS, Due, Watch
from monitor.watchdog import READY, STOPPING, Systemd, reloading
from monitor.web.board import MAIL_LATE_SECONDS
from monitor.web.door import Door, bind
from monitor.web.routes import make_app
from monitor.web.view import TargetView
from monitor.yamlfile import ConfigError
from probes import registry

log = logging.getLogger(__name__)
T = TypeVar("T")

OUTBOX_LOOK_SECONDS = 2.0
COLLECTOR_LOOK_SECONDS = 2.0
COLLECTOR_SHARE = 0.002
"""Of the time, what full runs of Python's collector of cycles take at most; each stops the loop."""
STALLED_SECONDS = 30.0
"""A part that stands for longer than this is not alive; what cannot be written for so long is no state to rely on."""
NEVER = 1 << 30
DESCRIPTORS = 8192
LOOK_KEPT = timedelta(seconds=60)
"""What was read from the ledger is shown for this long."""
COST_SECONDS = 5.0
"""How long the mail of a recovery waits for what the incident took."""
MAX_LOOKS_KEPT = 200
READY_RATIO = 0.95
"""The daemon is ready when this part of the checks was observed at least once."""


class StartError(Exception):
    """The daemon cannot start; the message says what is wrong and what to do."""


def _raise_limit_of_descriptors() -> None:
    """Each check that is under way holds a socket, and the usual soft limit is from another age (1,024)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def utc_now() -> datetime:
    """The wall clock of the daemon."""
    return datetime.now(UTC)


def steady() -> float:
    """Seconds of a clock that nobody sets and that goes on while the host sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _relay(settings: RelaySettings) -> Relay:
    return Relay(
        host=settings.host,
        port=settings.port,
        tls=settings.tls,
        username=settings.username,
        password=settings.password.get_secret_value() if settings.password else "",
        verify=settings.verify,
        ca_pem=settings.ca.get_secret_value() if settings.ca else "",
        timeout_seconds=settings.timeout_seconds,
    )


def _switch(settings: HeartbeatSettings) -> Switch:
    return Switch(
        url=settings.url.get_secret_value() if settings.url else "",
        every_seconds=settings.every_seconds,
        mail_at=clock_time.fromisoformat(settings.mail_at) if settings.mail_at else None,
    )


def _webhook(settings: WebhookSettings) -> Webhook:
    return Webhook(
        name=settings.name,
        url=settings.url.get_secret_value(),
        key=settings.key.get_secret_value().encode(),
        timeout_seconds=settings.timeout_seconds,
    )


def _trap_listener(settings: TrapSettings, recheck: Callable[[str, float], None]) -> TrapListener:
    users = [
        TrapUser(
            name=each.name,
            auth=each.auth,
            auth_password=each.auth_password.get_secret_value(),
            privacy_password=each.privacy_password.get_secret_value(),
        )
        for each in settings.users
    ]
    return TrapListener(settings.community.get_secret_value() if settings.community else "", users, recheck)


def make_signer(settings: Settings) -> Signer | None:
    """What signs the links of mails that do something; None when mails have none."""
    if not (settings.links.board and settings.links.key):
        return None
    file = settings.path(settings.links.key)
    try:
        return Signer(signing_key(file))
    except OSError as error:
        why = error.strerror or error
        log.warning("mails have no links to acknowledge: the key %s can be neither read nor made: %s", file, why)
        return None


def make_composer(
    settings: Settings,
    signer: Signer | None = None,
    last_hour: Callable[[str], Series | None] = lambda _: None,
) -> Composer:
    """The composer of these settings."""
    mail = settings.mail
    return Composer(
        sender=mail.sender,
        message_id_domain=mail.message_id_domain,
        board=settings.links.board.rstrip("/"),
        grafana=settings.links.grafana.rstrip("/"),
        signer=signer,
        last_hour=last_hour,
        template_folder=settings.path(mail.templates) if mail.templates else None,
    )


def make_mailer(settings: Settings, on_try: Callable[[str, str], None] = lambda *_: None) -> Mailer:
    """What hands mails to the relays of these settings."""
    return Mailer([_relay(each) for each in settings.mail.relays], on_try)


class FullRuns:
    """Keeps full runs of Python's collector of cycles rare where they are long; those of what is young go on as ever.

    By itself the collector goes through everything whenever there is a quarter more of it. While the nation is seen for the
    first time that is a second each few seconds, and so it is when runs pile up. To be put into `gc.callbacks`.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._usual = gc.get_threshold()
        self._began = self._again = 0.0

    def __call__(self, phase: str, info: Mapping[str, int]) -> None:
        """Told by the collector when a run begins and when it is over."""
        if info["generation"] < 2:
            return
        if phase == "start":
            self._began = self._clock()
        else:
            self._again = self._clock() + (self._clock() - self._began) / COLLECTOR_SHARE
            gc.set_threshold(*self._usual[:2], NEVER)

    def look(self) -> None:
        """Let there be one again, when it is time."""
        if self._clock() >= self._again:
            gc.set_threshold(*self._usual)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Before:
    """What the daemon before left in the database."""

    open: tuple[Incident, ...]
    recovered: tuple[Incident, ...]
    """Those that may still come back."""
    closed: tuple[Incident, ...]
    """For the board."""
    told: tuple[Notification, ...]
    """Of open incidents, and all of the last hours."""
    begun: dict[str, datetime]
    """By incident of those when it last wanted somebody."""
    held: tuple[Notification, ...]
    silences: tuple[Silence, ...]
    untold: dict[str, Happening]
    last_beat: datetime | None


async def _take_over(store: Store, now: datetime) -> _Before:
    """Raises StoreError."""
    lately = now - max(LATELY, READ_BACK)
    before = _Before(
        open=await store.open_incidents(),
        recovered=await store.recovered(now - LATELY, now),
        closed=await store.recent_incidents(20),
        told=await store.mails.told(lately),
        begun=await store.begun(lately),
        held=await store.mails.held(),
        silences=await store.silences(now),
        untold=await store.untold(),
        last_beat=await store.last_beat(),
    )
    await store.begin(now)
    log.info("taken over: %d open incidents, %d mails in sending", len(before.open), await store.mails.release())
    return before


class App:
    """One running daemon."""

    def __init__(self, path: Path, record: Path | None = None) -> None:
        """`path` is settings.yaml, `record` where observations are recorded; raises ConfigError or StartError."""
        faulthandler.enable()  # when systemd's watchdog ends us, the journal shall show where the loop stood
        self._systemd = Systemd()
        self._reload_asked = asyncio.Event()
        signal.signal(signal.SIGHUP, lambda *_: self._reload_asked.set())  # who reloads us too early must not end us
        self._path, self._record = path, record
        self._files_at_start = files_of(path)
        self._settings, inventory, routing = load_all(path)
        self._kinds = registry.load()
        self._webhooks = {each.contact.id: each for each in map(_webhook, self._settings.webhooks)}
        self._inventory, self._routing = inventory, routing
        self._standing = Standing()
        self._started = utc_now()
        self._reload_ok = True
        self._reloading = asyncio.Lock()
        self._traps: TrapListener | None = None
        self._last_hour = LastHour()
        self._last_hour.adopt(inventory)
        self._looks: dict[object, tuple[datetime, object]] = {}

    async def run(self) -> None:
        """Watch until SIGTERM or SIGINT; raises StartError when a port or the database is not to be had."""
        _raise_limit_of_descriptors()
        listener = self._bind()  # before anything is opened: another daemon of these settings may be running
        store = self._store = self._open_store()
        self.metrics = Metrics(self._kinds, self._present, version("commune-monitor"))
        self.metrics.adopt(self._inventory)
        self.metrics.reloaded(True, self._started)
        try:
            await store.rename(members(self._inventory, self._started))
            before = await _take_over(store, utc_now())
        except StoreError as error:
            raise StartError(str(error)) from error
        self._archive = Archive(self._settings.database_url)
        self._looking = asyncio.Lock()
        signer = make_signer(self._settings)
        composer = make_composer(self._settings, signer, self._series)
        self._mailer = make_mailer(self._settings, self.metrics.tried)
        self.outbox = Outbox(
            queue=store.mails,
            composer=composer,
            mailer=self._mailer,
            webhooks=Webhooks(self._webhooks, self.metrics.tried),
            inventory=lambda: self._inventory,
            clock=utc_now,
            on_result=self.metrics.mailed,
            cost=self._cost,
        )
        self.scheduler = Scheduler(self._kinds, self._observe)
        self.pipeline = Pipeline(
            inventory=self._inventory, routing=self._with_webhooks(self._routing), known=(*before.open, *before.recovered),
            told=before.told, store=store,
            clock=utc_now, steady=steady, recheck=self.scheduler.recheck, stored=self.outbox.wake,
            clock_set=self.scheduler.move_turns,
            recorder=self._make_recorder(),
            silences=before.silences, untold=before.untold, begun=before.begun, held=before.held, closed=before.closed,
        )  # fmt: skip
        self._emergency = self._make_emergency(composer)
        heartbeat = self._make_heartbeat(composer)
        now = Incidents(self.pipeline.correlator.incidents, lambda: self.ready()[0])
        self.pipeline.judge.recall(await store.learnt(utc_now()))
        self._traps = self._listen_for_traps()
        mail_acts = LinkActs(signer, self.pipeline, store, utc_now) if signer else None
        door = Door(make_app(self, self.metrics.expose, mail_acts=mail_acts))
        await door.open(listener)
        control = await self._serve_control(door)
        stop = self._handle_signals()
        works: dict[str, Coroutine[Any, Any, object]] = {
            "pipeline": self.pipeline.run(),
            "outbox": self.outbox.run(),
            "emergency": self._emergency.run(),
            "outbox figures": self._look_at_outbox(),
            "alertmanager": self._make_alertmanager().run(),
            "heartbeat": heartbeat.run(heartbeat.missed(before.last_beat, self._started, before.open, now)),
            "watchdog": self._systemd.watch(self._stalled),
            "last hour": self._look_at_all(),
            "loop lag": self.metrics.watch_loop(),
            "collector": self._spare_collector(),
            "reloads": self._reload_when_asked(),
            "stop": stop.wait(),
        }
        if self._traps is not None:
            works["traps"] = self._traps.run()
        if self._settings.watch:
            works["watch"] = self._watch_files()
        tasks = [asyncio.create_task(work, name=name) for name, work in works.items()]
        self.scheduler.adopt(self._inventory.checks())
        gc.collect()
        gc.freeze()  # the rest when all was seen once
        self.scheduler.start()
        self._systemd.say(READY)
        log.info("watching %d targets with %d checks", len(self._inventory.targets), len(self._inventory.checks()))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # a part that ended by an error ends the daemon, loudly; systemd starts it again
        finally:
            await self._stop(tasks, door, control)

    def _with_webhooks(self, routing: Routing) -> Routing:
        return routing.and_all(*(each.contact for each in self._webhooks.values()))

    def _make_emergency(self, composer: Composer) -> Emergency:
        return Emergency(
            unwritten=self.pipeline.unwritten, trouble=lambda: self._store.trouble, composer=composer,
            mailer=self._mailer, contacts=lambda: concerned(self._routing, utc_now()), inventory=lambda: self._inventory, clock=utc_now,
            after_seconds=self._settings.mail.emergency_after_seconds,
        )  # fmt: skip

    def _make_heartbeat(self, composer: Composer) -> Heartbeat:
        return Heartbeat(
            _switch(self._settings.heartbeat), trouble=self._unwell, figures=self._figures, composer=composer,
            mailer=self._mailer, contacts=lambda: concerned(self._routing, utc_now()), clock=utc_now, on_sign=self.metrics.beaten,
        )  # fmt: skip

    def _make_alertmanager(self) -> Alertmanager:
        settings = self._settings.alertmanager
        return Alertmanager(
            Peers(urls=tuple(settings.urls), every_seconds=settings.every_seconds, language=settings.language),
            incidents=self._told_incidents, inventory=lambda: self._inventory,
            board=self._settings.links.board.rstrip("/"), clock=utc_now, on_try=self.metrics.posted,
        )  # fmt: skip

    async def _stop(self, tasks: Sequence[asyncio.Task[object]], door: Door, control: web.AppRunner) -> None:
        self._systemd.say(STOPPING)
        await self.scheduler.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            await self.pipeline.flush()
        except StoreError as error:
            log.error("the last changes were not written: %s", error)  # noqa: TRY400
        await door.close()
        await control.cleanup()
        self._archive.close()
        self._store.close()
        if self.pipeline.recorder is not None:
            self.pipeline.recorder.close()
        self._settings.path(self._settings.control).unlink(missing_ok=True)

    def _handle_signals(self) -> asyncio.Event:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload_asked.set)
        return stop

    def _bind(self) -> socket.socket:
        try:
            return bind(self._settings.listen)
        except OSError as error:
            raise StartError(
                f"{self._path}: listen: cannot listen on {self._settings.listen}: {error.strerror or error}; "
                "is another commune-monitor running? Choose another port or stop what uses it (ss -ltnp)"
            ) from error

    def _open_store(self) -> Store:
        try:
            return Store(self._settings.database_url)
        except StoreError as error:
            raise StartError(str(error)) from error

    async def _serve_control(self, door: Door) -> web.AppRunner:
        path = self._settings.path(self._settings.control)
        try:
            return await serve(make_control(self.reload, self.plan, Acts(self.pipeline, self._store, utc_now)), path)
        except OSError as error:
            await door.close()
            raise StartError(
                f"{self._path}: control: cannot make the socket {path}: {error.strerror or error}"
            ) from error

    def _make_recorder(self) -> Recorder | None:
        try:
            return Recorder(self._record) if self._record else None
        except RecordingError as error:
            raise StartError(str(error)) from error

    def _listen_for_traps(self) -> TrapListener | None:
        settings = self._settings.traps
        if settings is None:
            return None
        made = _trap_listener(settings, self.scheduler.recheck)
        made.adopt(self._inventory)
        host, _, port = settings.listen.rpartition(":")
        try:
            made.listen(host.strip("[]"), int(port))
        except OSError as error:
            remedy = (
                "ports below 1024 need CAP_NET_BIND_SERVICE: see docs/settings.md, or choose another port"
                if isinstance(error, PermissionError)
                else "is snmptrapd running? Choose another port or stop what uses it (ss -lunp)"
            )
            raise StartError(
                f"{self._path}: traps.listen: cannot listen on {settings.listen}: {error.strerror or error}; {remedy}"
            ) from error
        log.info("listening for traps on %s", settings.listen)
        return made

    def _observe(self, observation: Observation) -> None:
        check = self.pipeline.judge.checks.get(observation.check)
        if check is None:
            return
        self.metrics.observed(check.check.probe, observation)
        self.pipeline.observed(observation)

    async def _look_at_outbox(self) -> None:
        told = False
        while True:
            with contextlib.suppress(StoreError):  # shown by the counter of write errors
                self._standing = await self._store.mails.standing(utc_now())
            oldest = self._standing.longest_seconds(utc_now())
            if oldest > MAIL_LATE_SECONDS and not told:
                log.error("mails are held up, the oldest for %.0f s; %s", oldest, self._standing.waits)
            elif told and not oldest > MAIL_LATE_SECONDS:
                log.info("mails are not held up any more")
            told = oldest > MAIL_LATE_SECONDS
            await asyncio.sleep(OUTBOX_LOOK_SECONDS)

    async def _look_at_all(self) -> None:
        """Keep a point a minute for the charts of mails."""
        while True:
            await asyncio.sleep(EVERY.total_seconds())
            for _ in self._last_hour.look(self.pipeline.last, self._loss, utc_now()):
                await asyncio.sleep(0)

    async def _cost(self, notification: Notification) -> Cost | None:
        """What an incident that is over took from its root's availability; a mail does not wait for it for long."""
        event = notification.event
        incident = event.incident
        if event.what is not Happening.RECOVERED or not incident.closed or incident.shared:
            return None
        try:
            works = self._announced(month_of(incident.closed))
            async with asyncio.timeout(COST_SECONDS), self._looking:
                return await self._archive.cost(incident, utc_now(), works)
        except (ArchiveError, TimeoutError) as error:
            log.warning("what %s took is not known: %s", incident.id, error or "no answer in time")
        except Exception:
            log.exception("what %s took is not known by a mistake of ours", incident.id)
        return None

    def _loss(self, check: str) -> float | None:
        state = self.pipeline.judge.checks.get(check)
        return state.loss_ratio if state is not None else None

    def _series(self, target: str) -> Series | None:
        """What a mail draws."""
        return self._last_hour.of(target, self.pipeline.last, self._loss, utc_now())

    async def _spare_collector(self) -> None:
        """Let Python's collector of cycles leave alone what stays: inventory, states, memories of the probes.

        It would go through all of that again and again, and the loop stands still meanwhile: for a nation 1.5 s at a time.
        """
        known, settled = self._inventory, False
        runs = FullRuns()
        gc.callbacks.append(runs)
        try:
            while True:
                if not (settled and known is self._inventory) and self.ready()[0]:
                    if known is not self._inventory:
                        gc.unfreeze()  # what a reload has made garbage
                    known, settled = self._inventory, True
                    gc.collect()
                    gc.freeze()
                runs.look()
                await asyncio.sleep(COLLECTOR_LOOK_SECONDS)
        finally:
            gc.callbacks.remove(runs)

    async def _reload_when_asked(self) -> None:
        """Reload at SIGHUP; those that come while one is under way are one more."""
        while True:
            await self._reload_asked.wait()
            self._reload_asked.clear()
            await self.reload()

    async def _watch_files(self) -> None:
        """Reload when the files have changed and nobody writes to them any more."""

        clock = asyncio.get_running_loop().time
        watch = Watch(self._files_at_start)
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            due = watch.look(await asyncio.to_thread(files_of, self._path), clock())
            if due is not Due.NOTHING:
                watch.tried(good=not await self.reload(patient=due is Due.TRY))

    async def reload(self, *, patient: bool = False) -> str:
        """Take over the files on disk, all or nothing; returns what is wrong, or "". `patient`: a mistake is not noted yet."""
        async with self._reloading:
            self._systemd.say(reloading())
            try:
                _, inventory, routing = await asyncio.to_thread(load_all, self._path)
                self._adopt(inventory, routing)
            except ConfigError as error:
                if patient:
                    return str(error)
                log.error("reload refused, the last good settings stay in force:\n%s", error)  # noqa: TRY400
                wrong = str(error)
            except Exception as error:
                log.exception("reload failed by a mistake of ours")
                wrong = f"a mistake of ours, see the log: {error}"
            else:
                wrong = ""
            self._reload_ok = not wrong
            self.metrics.reloaded(self._reload_ok, utc_now())
            self._systemd.say(READY)
            return wrong

    async def plan(self) -> str:
        """What a reload would do now, as JSON; raises RefusedError with every mistake in the files on disk."""
        running = (self._inventory, self._routing)
        incidents = self.pipeline.correlator.incidents()
        measured = {check: len(seen.values) for check, seen in self.pipeline.last.items()}

        def work() -> str:
            settings, inventory, routing = load_all(self._path)
            with without_collector():
                made = compare(
                    running, (inventory, routing), at=utc_now(), incidents=incidents, measured=measured,
                    declared=declared(self._kinds), restart=differing(self._settings, settings),
                )  # fmt: skip
                return plan_json.dump_json(made).decode()

        try:
            return await asyncio.to_thread(work)
        except ConfigError as error:
            raise RefusedError(str(error)) from error

    def _adopt(self, inventory: Inventory, routing: Routing) -> None:
        self._looks.clear()
        self._last_hour.rename(renamed_targets(self._inventory, inventory))
        self.pipeline.adopt(inventory, self._with_webhooks(routing))
        self._inventory, self._routing = inventory, routing
        self.metrics.adopt(inventory)
        self._last_hour.adopt(inventory)
        self.scheduler.adopt(inventory.checks())
        if self._traps is not None:
            self._traps.adopt(inventory)
        log.info("reloaded: %d targets with %d checks", len(inventory.targets), len(inventory.checks()))

    def _stalled(self) -> str:
        """What of us stands still, which a new start would mend; "" when nothing does."""
        if (seconds := self.pipeline.stalled_seconds()) > STALLED_SECONDS:
            return f"nothing has been decided for {seconds:.0f} s"
        if (seconds := self.scheduler.overdue_seconds()) > STALLED_SECONDS:
            return f"no check has been started for {seconds:.0f} s"
        return ""

    def _unwell(self) -> str:
        """Why others should not rely on us now; "" when they can."""
        if (seconds := self.pipeline.unwritten()[0]) > STALLED_SECONDS:
            return f"nothing could be written for {seconds:.0f} s: {self._store.trouble}"
        oldest = self._standing.longest_seconds(utc_now())
        if oldest > MAIL_LATE_SECONDS:
            return f"mails are held up, the oldest for {oldest:.0f} s"
        return self._stalled()

    def _told_incidents(self) -> list[Incident]:
        """Those of which somebody may be told: a silence is for all."""
        return [each for each in self.incidents() if self.pipeline.silence(each.root) is None]

    def _figures(self) -> dict[str, object]:
        """What the daily mail tells."""
        return {
            "targets": len(self._inventory.targets),
            "unknown": sum(held.state is State.UNKNOWN for held in self.pipeline.correlator.held.values()),
            "started": self._started,
            "open": self.pipeline.correlator.incidents(),
        }

    def _present(self) -> Present:
        return Present(
            held=self.pipeline.correlator.held,
            last=self.pipeline.last,
            judge=self.pipeline.judge,
            open_incidents=self.pipeline.correlator.incidents(),
            event_counts=self.pipeline.event_counts,
            outbox=self._standing.counts,
            outbox_oldest_seconds=self._standing.oldest_seconds(utc_now()),
            late=self.scheduler.late,
            missed=self.scheduler.missed,
            errors=self.scheduler.errors,
            streams={name: getattr(each, "counters", {}) for name, each in self.scheduler.streams.items()},
            write_errors=self._store.errors,
            unwritten_seconds=self.pipeline.unwritten()[0],
            traps=counted(self._traps),
            recorded=self.pipeline.recorder.recorded if self.pipeline.recorder else 0,
            recording_dropped=self.pipeline.recorder.dropped if self.pipeline.recorder else 0,
            relays=self._mailer.failing(),
            maintenance=self.pipeline.correlator.planned.known(utc_now()),
        )

    # -- monitor.web.view.View -----------------------------------------------------------------------------------

    def inventory(self) -> Inventory:
        """The settings in force."""
        return self._inventory

    def states(self) -> Mapping[str, TargetView]:
        """Every judged target as it is held now, with the last observation of each check."""
        last, planned = self.pipeline.last, self.pipeline.correlator.planned.at(utc_now())
        views = {}
        for target_id, held in self.pipeline.correlator.held.items():
            checks = {
                check.name: last[check.id] for check in self._inventory.targets[target_id].checks if check.id in last
            }
            views[target_id] = TargetView(
                state=held.state, since=held.since, reason=held.reason, says=held.says, evidence=held.evidence,
                checks=checks, maintenance=planned.get(target_id),
                silence=self.pipeline.silence(target_id) if self.pipeline.silences else None,
            )  # fmt: skip
        return views

    def incidents(self) -> Sequence[Incident]:
        """Open ones first, then those closed lately, also before the last restart."""
        return [*self.pipeline.correlator.incidents(), *self.pipeline.closed]

    async def history(self, incident: str) -> Sequence[IncidentEvent]:
        """What happened to an incident and why; nothing while the database is in trouble."""
        try:
            return await self._store.history(incident)
        except StoreError:
            return ()

    async def availability(self, by: By, span: Span) -> Report | None:
        """Sums from the ledger; None when the database cannot be read now."""
        return await self._look(
            (by, span), lambda: self._archive.availability(by, span, utc_now(), self._announced(span))
        )

    async def past(self, site: str, span: Span) -> Mapping[str, Sequence[Interval]] | None:
        """The intervals of a site's targets; None when the database cannot be read now."""
        targets = [each.id for each in self._inventory.targets.values() if each.site == site]
        return await self._look(
            (site, span), lambda: self._archive.history(targets, span, utc_now(), self._announced(span))
        )

    def _announced(self, span: Span) -> Sequence[Maintenance]:
        return announced(self._inventory, span)

    async def _look(self, what: object, look: Callable[[], Awaitable[T]]) -> T | None:
        """Look back, one after the other and the same at most once in `LOOK_KEPT`: however many ask, the probes go on."""
        async with self._looking:
            now = utc_now()
            self._looks = {key: kept for key, kept in self._looks.items() if timedelta(0) <= now - kept[0] < LOOK_KEPT}
            if what not in self._looks:
                try:
                    found = await look()
                except ArchiveError as error:
                    log.error("the ledger cannot be read: %s", error)  # noqa: TRY400
                    return None
                if len(self._looks) >= MAX_LOOKS_KEPT:
                    del self._looks[next(iter(self._looks))]
                self._looks[what] = (now, found)
            return cast("T", self._looks[what][1])

    def ready(self) -> tuple[bool, str]:
        """Whether nearly every check was observed once."""
        checks, seen = len(self.pipeline.judge.checks), len(self.pipeline.last)
        if seen < READY_RATIO * checks:
            return False, f"{seen} of {checks} checks observed so far"
        return True, ""

    def health(self) -> Mapping[str, object]:
        """The daemon's own figures for the foot of the board."""
        return {
            "version": version("commune-monitor"),
            "started": self._started,
            "targets": len(self._inventory.targets),
            "checks": len(self._inventory.checks()),
            "observations": self.metrics.observations_total(),
            "unknown": sum(held.state is State.UNKNOWN for held in self.pipeline.correlator.held.values()),
            "outbox": self._standing.unsent,
            "outbox_oldest_seconds": self._standing.longest_seconds(utc_now()),
            "outbox_waits": self._standing.waits or None,
            "outbox_failed": "; ".join(self._standing.failed) or None,
            "reload_ok": self._reload_ok,
            "store_ok": not self._store.trouble,
            "emergency": self._emergency.told,
        }
