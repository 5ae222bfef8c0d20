"""The composition root: builds the parts, joins them, reloads and stops them. The only place that knows all of them."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import resource
import signal
import socket
import sys
import time
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from alerts.alertmanager import Alertmanager, Peers
from alerts.compose import Composer
from alerts.heartbeat import Heartbeat, Incidents
from alerts.links import Signer
from alerts.outbox import Outbox
from alerts.own import Emergency, concerned
from alerts.routing import Routing
from alerts.webhook import Webhooks
from monitor.acts import Acts, BoardActs, LinkActs
from monitor.archive import Archive
from monitor.collector import leave_alone, spare_collector
from monitor.control import RefusedError, make_control, serve
from monitor.core.lasthour import EVERY, LastHour, Series
from monitor.core.ledger import members
from monitor.core.model import Inventory, Observation
from monitor.core.rename import renamed_targets
from monitor.database import StoreError
from monitor.files import declared, differing, files_of, load_all, without_collector
from monitor.health import Health
from monitor.inventory.diff import compare, plan_json
from monitor.live import Live
from monitor.lookback import LookBack
from monitor.mailqueue import prune_daily
from monitor.metrics import Metrics
from monitor.parts import (
    make_composer,
    make_mailer,
    make_sign_in,
    make_signer,
    make_switch,
    make_trap_listener,
    make_webhook,
)
from monitor.pipeline import Pipeline
from monitor.quality import QualityReports
from monitor.readiness import Outlooks, ReadinessReports
from monitor.recorder import Recorder
from monitor.recording import RecordingError
from monitor.regular import Regular
from monitor.scheduler import LoadingRuns, Scheduler
from monitor.store import Store
from monitor.takeover import take_over
from monitor.traps import TrapListener
from monitor.watch import LOOK_SECONDS, Due, Watch
from monitor.watchdog import READY, STOPPING, Systemd, reloading
from monitor.web.door import Door, bind
from monitor.web.routes import People, make_app
from monitor.yamlfile import ConfigError
from probes import registry

log = logging.getLogger(__name__)

SWITCH_SECONDS = 0.0002
"""How long a thread that reads files or the database may keep Python from the event loop, each time the loop has let go
of it for a packet: with Python's own 0.005 a reload cost the whole province a turn of echoes."""
T = TypeVar("T")

DESCRIPTORS = 8192


class StartError(Exception):
    """The daemon cannot start; the message says what is wrong and what to do."""


def _raise_limit_of_descriptors() -> None:
    """Each check that is under way holds a socket, and the usual soft limit is from another age (1,024)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _prepare_process() -> None:
    _raise_limit_of_descriptors()
    sys.setswitchinterval(SWITCH_SECONDS)


def utc_now() -> datetime:
    """The wall clock of the daemon."""
    return datetime.now(UTC)


def steady() -> float:
    """Seconds of a clock that nobody sets and that goes on while the host sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


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
        self._webhooks = {each.contact.id: each for each in map(make_webhook, self._settings.webhooks)}
        self._inventory, self._routing = inventory, routing
        self._started = utc_now()
        self._reloading = asyncio.Lock()
        self._traps: TrapListener | None = None
        self._last_hour = LastHour()
        self._last_hour.adopt(inventory)

    async def run(self) -> None:
        """Watch until SIGTERM or SIGINT; raises StartError when a port or the database is not to be had."""
        _prepare_process()
        listener = self._bind()  # before anything is opened: another daemon of these settings may be running
        store = self._store = self._open_store()
        self.metrics = Metrics(self._kinds, lambda: self._live.present(), version("commune-monitor"))  # noqa: PLW0108  it is made later
        self.metrics.adopt(self._inventory)
        self.metrics.reloaded(True, self._started)
        try:
            await store.rename(members(self._inventory, self._started))
            before = await take_over(store, utc_now())
        except StoreError as error:
            raise StartError(str(error)) from error
        self._look_back = LookBack(Archive(self._settings.database_url), lambda: self._inventory, utc_now)
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
            cost=self._look_back.cost,
        )
        self.scheduler = Scheduler(
            self._kinds, self._observe,
            in_meeting=lambda target: self._readiness.in_meeting(target),  # noqa: PLW0108  it is made later
            loading=LoadingRuns(at_once=self._settings.media.at_once, per_site=self._settings.media.per_site),
        )  # fmt: skip
        self.pipeline = Pipeline(
            inventory=self._inventory, routing=self._with_webhooks(self._routing), known=(*before.open, *before.recovered),
            told=before.told, store=store,
            clock=utc_now, steady=steady, recheck=self.scheduler.recheck, stored=self.outbox.wake,
            clock_set=self.scheduler.move_turns,
            recorder=self._make_recorder(),
            silences=before.silences, untold=before.untold, begun=before.begun, held=before.held, closed=before.closed,
            resumed=before.resumed,
        )  # fmt: skip
        self.pipeline.judge.recall(await store.learnt(utc_now()))
        self._health = Health(self.pipeline, self.scheduler, store, utc_now)
        emergency = self._make_emergency(composer)
        self._traps = self._listen_for_traps()
        outlooks = Outlooks(
            inventory=lambda: self._inventory, graph=lambda: self.pipeline.correlator.graph, held=lambda: self.pipeline.correlator.held,
            incidents=self.pipeline.correlator.incidents, clock=utc_now,
            remarks=lambda target, meeting: self.pipeline.judge.remarks(target, meeting=meeting),
        )  # fmt: skip
        self._readiness, quality = (
            self._make_readiness_reports(outlooks, composer),
            self._make_quality_reports(composer),
        )
        self._live = Live(
            pipeline=self.pipeline, scheduler=self.scheduler, store=store, look_back=self._look_back, health=self._health,
            metrics=self.metrics, mailer=self._mailer, emergency=emergency, traps=self._traps, outlooks=outlooks, quality=quality, series=self._series,
            composer=composer, started=self._started, clock=utc_now,
        )  # fmt: skip
        heartbeat = self._make_heartbeat(composer)
        now = Incidents(self.pipeline.correlator.incidents, self._live.ready)
        acts = Acts(self.pipeline, store, utc_now, lambda: self._routing.contacts)
        door = self._make_door(signer, acts)
        await door.open(listener)
        control, stop = await self._serve_control(door, acts), self._handle_signals()
        works: dict[str, Coroutine[Any, Any, object]] = {
            "pipeline": self.pipeline.run(),
            "outbox": self.outbox.run(),
            "relays": self._mailer.remember(),
            "emergency": emergency.run(),
            "outbox figures": self._health.watch_outbox(),
            "pace": self._live.watch_pace(),
            "old mails": prune_daily(store.mails, utc_now, store.past_sessions.prune),
            "summaries": self._make_regular(composer).run(now.settled()),
            "alertmanager": self._make_alertmanager().run(),
            "heartbeat": heartbeat.run(heartbeat.missed(before.last_beat, self._started, before.open, now)),
            "watchdog": self._systemd.watch(self._health.stalled),
            "last hour": self._look_at_all(),
            "collector": spare_collector(lambda: self._inventory, self._live.ready),
            "reloads": self._reload_when_asked(),
            "after meetings": quality.run(),
            "outlooks": outlooks.renew(),
            "meetings": self._readiness.run(self._live.ready),
            "stop": stop.wait(),
        }
        if self._traps is not None:
            works["traps"] = self._traps.run()
        if self._settings.watch:
            works["watch"] = self._watch_files()
        self.metrics.watch_loop()
        tasks = [asyncio.create_task(work, name=name) for name, work in works.items()]
        self.scheduler.adopt(self._inventory.checks())
        leave_alone()  # the rest when all was seen once
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
            make_switch(self._settings.heartbeat), trouble=self._health.unwell, figures=self._live.figures, composer=composer,
            inventory=lambda: self._inventory,
            mailer=self._mailer, contacts=lambda: concerned(self._routing, utc_now()), clock=utc_now, on_sign=self._live.beaten,
        )  # fmt: skip

    def _make_readiness_reports(self, outlooks: Outlooks, composer: Composer) -> ReadinessReports:
        return ReadinessReports(
            outlooks=outlooks, inventory=lambda: self._inventory, graph=lambda: self.pipeline.correlator.graph,
            letters=self._store.mails, composer=composer, on_duty=lambda: concerned(self._routing, utc_now()),
            recheck=self.scheduler.recheck, loads_the_line=lambda check: self._kinds[check.probe].loads_the_line,
            clock=utc_now, written=self.outbox.wake,
        )  # fmt: skip

    def _make_quality_reports(self, composer: Composer) -> QualityReports:
        def written() -> None:
            self._look_back.forget()
            self.outbox.wake()

        return QualityReports(
            inventory=lambda: self._inventory, graph=lambda: self.pipeline.correlator.graph, last=lambda: self.pipeline.last,
            loss=self._loss, past=self._look_back, kept=self._store.past_sessions, composer=composer,
            on_duty=lambda: concerned(self._routing, utc_now()), clock=utc_now, written=written,
        )  # fmt: skip

    def _make_regular(self, composer: Composer) -> Regular:
        return Regular(
            letters=self._store.mails, past=self._look_back, held=lambda: self.pipeline.correlator.held,
            routing=lambda: self._routing, inventory=lambda: self._inventory, composer=composer,
            board=self._settings.links.board.rstrip("/"), clock=utc_now, written=self.outbox.wake,
        )  # fmt: skip

    def _make_alertmanager(self) -> Alertmanager:
        settings = self._settings.alertmanager
        return Alertmanager(
            Peers(urls=tuple(settings.urls), every_seconds=settings.every_seconds, language=settings.language),
            incidents=self._live.told_incidents, inventory=lambda: self._inventory,
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
        self._look_back.close()
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

    def _make_door(self, signer: Signer | None, acts: Acts) -> Door:
        mail_acts = LinkActs(signer, self.pipeline, self._store, utc_now) if signer else None
        try:
            sign_in = make_sign_in(self._settings)
        except OSError as error:
            raise StartError(
                f"{self._path}: links.key: can be neither read nor made: {error.strerror or error}"
            ) from error
        board = self._settings.links.board.rstrip("/")
        people = People(sign_in=sign_in, acts=BoardActs(acts), board=board) if sign_in else None
        return Door(
            make_app(
                self._live,
                self.metrics.expose,
                mail_acts=mail_acts,
                people=people,
                grafana=self._settings.links.grafana,
            )
        )

    async def _serve_control(self, door: Door, acts: Acts) -> web.AppRunner:
        path = self._settings.path(self._settings.control)
        try:
            return await serve(make_control(self.reload, self.plan, acts), path)
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
        made = make_trap_listener(settings, self.scheduler.recheck)
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

    async def _look_at_all(self) -> None:
        """Keep a point a minute for the charts of mails."""
        while True:
            await asyncio.sleep(EVERY.total_seconds())
            for _ in self._last_hour.look(self.pipeline.last, self._loss, utc_now()):
                await asyncio.sleep(0)

    def _loss(self, check: str) -> float | None:
        state = self.pipeline.judge.checks.get(check)
        return state.loss_ratio if state is not None else None

    def _series(self, target: str) -> Series | None:
        """What a mail draws."""
        return self._last_hour.of(target, self.pipeline.last, self._loss, utc_now())

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
                wrong, shown = str(error), error.places
            except Exception as error:
                log.exception("reload failed by a mistake of ours")
                shown = "a mistake of ours, see the log"
                wrong = f"{shown}: {error}"
            else:
                wrong = shown = ""
            self._live.reloaded(shown)
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
        self._look_back.forget()
        self._last_hour.rename(renamed_targets(self._inventory, inventory))
        self.pipeline.adopt(inventory, self._with_webhooks(routing))
        self._inventory, self._routing = inventory, routing
        self.metrics.adopt(inventory)
        self._last_hour.adopt(inventory)
        self.scheduler.adopt(inventory.checks())
        if self._traps is not None:
            self._traps.adopt(inventory)
        log.info("reloaded: %d targets with %d checks", len(inventory.targets), len(inventory.checks()))
