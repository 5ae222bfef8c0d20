"""What the running daemon holds, as the board, the API, the metrics and mails about itself want it."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version

from alerts.compose import Composer
from alerts.mailer import Mailer
from alerts.own import Emergency
from monitor.archive import ArchiveError
from monitor.core.lasthour import Series
from monitor.core.ledger import By, Interval, Report, Span
from monitor.core.life import Life, Posted
from monitor.core.model import Held, Incident, Inventory, Silence, State
from monitor.core.pace import Pace
from monitor.core.planned import Work
from monitor.core.quality import SessionQuality, Went
from monitor.core.readiness import Outlook
from monitor.health import Health
from monitor.lookback import LookBack
from monitor.metrics import Metrics, Present
from monitor.pastsessions import key_of
from monitor.pipeline import Pipeline
from monitor.quality import SHOWN, QualityReports
from monitor.readiness import Outlooks, soon
from monitor.scheduler import Scheduler
from monitor.store import Store
from monitor.traps import TrapListener, counted
from monitor.web.view import Kind, TargetView, Workings

log = logging.getLogger(__name__)

PACE_SECONDS = 5.0
READY_RATIO = 0.95
"""The daemon is ready when this part of the checks was observed at least once."""


class _Views(Mapping[str, TargetView]):
    """Each target is put together when it is asked for: the page of one site needs a few of a nation's."""

    def __init__(self, held: Mapping[str, Held], make: Callable[[str, Held], TargetView]) -> None:
        self._held, self._make = held, make
        self._made: dict[str, TargetView] = {}

    def __getitem__(self, target: str) -> TargetView:
        found = self._made.get(target)
        if found is None:
            found = self._made[target] = self._make(target, self._held[target])
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)


class Live:
    """One running daemon, looked at (a `monitor.web.view.View`); it changes nothing."""

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        scheduler: Scheduler,
        store: Store,
        look_back: LookBack,
        health: Health,
        metrics: Metrics,
        mailer: Mailer,
        emergency: Emergency,
        traps: TrapListener | None,
        outlooks: Outlooks,
        quality: QualityReports,
        series: Callable[[str], Series | None],
        composer: Composer,
        started: datetime,
        clock: Callable[[], datetime],
    ) -> None:
        self._pipeline, self._scheduler, self._store, self._look_back = pipeline, scheduler, store, look_back
        self._health, self._metrics, self._mailer, self._emergency = health, metrics, mailer, emergency
        self._traps, self._outlooks, self._quality, self._series = traps, outlooks, quality, series
        self._started, self._clock = started, clock
        self._composer = composer
        self._reloaded, self._reload_wrong = started, ""
        self._signs: dict[str, tuple[str, datetime]] = {}
        self._pace = Pace()
        self._dues: tuple[Inventory, Mapping[str, int], Mapping[str, float]] | None = None
        """Checks and runs a second by kind, of an inventory."""

    async def watch_pace(self) -> None:
        """Note how many checks have ended, until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            self._pace.tell(clock(), self._metrics.observations_by_kind())
            await asyncio.sleep(PACE_SECONDS)

    def reloaded(self, wrong: str) -> None:
        """The files on disk were read; `wrong` says where they are wrong, and so were not taken over, to anybody."""
        self._reloaded, self._reload_wrong = self._clock(), wrong
        self._metrics.reloaded(not wrong, self._reloaded)

    def beaten(self, way: str, result: str) -> None:
        """A sign of life was given to others, or not."""
        self._signs[way] = result, self._clock()
        self._metrics.beaten(way, result)

    def revision(self) -> int:
        """Grows with each change of a state, an incident, a silence or the settings."""
        return self._pipeline.revision

    def inventory(self) -> Inventory:
        """The settings in force."""
        return self._pipeline.inventory

    def states(self) -> Mapping[str, TargetView]:
        """Every judged target as it is held now, with the last observation of each check."""
        last, planned = self._pipeline.last, self._pipeline.correlator.planned.at(self._clock())
        targets, silenced = self._pipeline.inventory.targets, bool(self._pipeline.silences)

        def view(target: str, held: Held) -> TargetView:
            return TargetView(
                state=held.state, since=held.since, reason=held.reason, says=held.says, evidence=held.evidence,
                checks={check.name: last[check.id] for check in targets[target].checks if check.id in last},
                maintenance=planned.get(target), silence=self._pipeline.silence(target) if silenced else None,
            )  # fmt: skip

        return _Views(self._pipeline.correlator.held, view)

    def judged(self) -> Mapping[str, Held]:
        """Every judged target as it is held now."""
        return self._pipeline.correlator.held

    def incidents(self) -> Sequence[Incident]:
        """Open ones first, then those closed lately, also before the last restart."""
        return [*self._pipeline.correlator.incidents(), *self._pipeline.closed]

    async def life(self, incident: str) -> Life | None:
        """What was written of an incident; None when there is none, or the database cannot be read now."""
        return await self._look_back.life(incident)

    def what_to_do(self, incident: Incident, language: str) -> Sequence[str]:
        """What the mails tell people to do about it."""
        return self._composer.what_to_do(incident, self._pipeline.inventory, language)

    def series(self, target: str) -> Series | None:
        """What was measured of a line or service in the last hour."""
        return self._series(target)

    async def availability(self, by: By, span: Span) -> Report | None:
        """Sums from the ledger; None when the database cannot be read now."""
        return await self._look_back.availability(by, span)

    async def past(self, site: str, span: Span) -> Mapping[str, Sequence[Interval]] | None:
        """The intervals of a site's targets; None when the database cannot be read now."""
        return await self._look_back.past(site, span)

    def meetings(self) -> Sequence[Outlook]:
        """The sessions of the next days with their rooms as they are now, a few seconds old at most."""
        return self._outlooks.all()

    async def past_sessions(self) -> Sequence[Went] | None:
        """The sessions of the last days that are over, the last first; None when the database cannot be read now."""
        found = await self._look_back.past_sessions(SHOWN)
        if found is None:
            return None
        known = {key_of(each.session) for each in found}
        soon = [each for each in self._quality.unwritten() if key_of(each.session) not in known]
        return sorted((*soon, *found), key=lambda each: each.session.begins, reverse=True)

    async def session(self, meeting: str, begins: datetime) -> SessionQuality | None:
        """How a session went, or goes; None when there is none that has begun, or the database cannot be read now."""
        found = await self._look_back.past_session(meeting, begins)
        if found is not None:
            return found
        try:
            return await self._quality.so_far(meeting, begins)
        except ArchiveError as error:
            log.error("how a meeting goes cannot be read: %s", error)  # noqa: TRY400
            return None

    async def posted(self, meeting: str, begins: datetime) -> Sequence[Posted]:
        """The mails about a session, oldest first; none when the database cannot be read now."""
        return await self._look_back.posted(meeting, begins) or ()

    def silences(self) -> Sequence[Silence]:
        """Those in force."""
        now = self._clock()
        return [each for each in self._pipeline.silences if now < each.ends]

    def works(self) -> Sequence[Work]:
        """Of each entry of maintenance what goes on now or comes next."""
        return self._pipeline.correlator.planned.works(self._clock())

    def workings(self) -> Workings:
        """What the daemon itself is doing."""
        standing, store, scheduler = self._health.standing, self._store, self._scheduler
        return Workings(
            version=version("commune-monitor"), started=self._started, kinds=self._kinds(),
            late=scheduler.late, missed=scheduler.missed, errors=scheduler.errors, lag_seconds=self._metrics.longest_lag_seconds(),
            mails=dict(standing.counts), oldest_mail_seconds=standing.longest_seconds(self._clock()), mail_waits=standing.waits,
            mails_failed=standing.failed, relays=self._mailer.failing(), signs=dict(self._signs),
            reloaded=self._reloaded, reload_wrong=self._reload_wrong,
            database_trouble=store.trouble, database_errors=store.errors, unwritten_seconds=self._pipeline.unwritten()[0],
            traps=None if self._traps is None else _by_outcome(counted(self._traps)),
        )  # fmt: skip

    def _kinds(self) -> dict[str, Kind]:
        inventory = self._pipeline.inventory
        if self._dues is None or self._dues[0] is not inventory:
            self._dues = inventory, *_dues(inventory)
        _, checks, due = self._dues
        paces = self._pace.per_second()
        return {
            kind: Kind(
                checks=count, due_per_second=due[kind], per_second=paces.get(kind, 0.0),
                happenings=dict(getattr(self._scheduler.streams.get(kind), "counters", {})),
            )
            for kind, count in sorted(checks.items())
        }  # fmt: skip

    def unready(self) -> tuple[int, int] | None:
        """How many of how many checks were observed so far; None when nearly all were."""
        checks, seen = len(self._pipeline.judge.checks) - self._scheduler.patient, len(self._pipeline.last)
        return (seen, checks) if seen < READY_RATIO * checks else None

    def ready(self) -> bool:
        """Whether nearly every check was observed once."""
        return self.unready() is None

    def health(self) -> Mapping[str, object]:
        """What the board's warnings are made of; each page asks, so nothing here is counted among all targets."""
        return {
            "outbox_oldest_seconds": self._health.standing.longest_seconds(self._clock()),
            "outbox_waits": self._health.standing.waits or None,
            "outbox_failed": "; ".join(self._health.standing.failed) or None,
            "reload_ok": not self._reload_wrong,
            "store_ok": not self._store.trouble,
            "emergency": self._emergency.told,
        }

    # -- for the metrics, the daily mail and Alertmanager ----------------------------------------------------------

    def told_incidents(self) -> list[Incident]:
        """Those of which somebody may be told: a silence is for all."""
        return [each for each in self.incidents() if self._pipeline.silence(each.root) is None]

    def figures(self) -> dict[str, object]:
        """What the daily mail tells."""
        return {
            "targets": len(self._pipeline.inventory.targets),
            "unknown": sum(held.state is State.UNKNOWN for held in self._pipeline.correlator.held.values()),
            "started": self._started,
            "open": self._pipeline.correlator.incidents(),
        }

    def present(self) -> Present:
        """What the metrics are made of."""
        return Present(
            held=self._pipeline.correlator.held,
            last=self._pipeline.last,
            judge=self._pipeline.judge,
            open_incidents=self._pipeline.correlator.incidents(),
            event_counts=self._pipeline.event_counts,
            outbox=self._health.standing.counts,
            outbox_oldest_seconds=self._health.standing.oldest_seconds(self._clock()),
            late=self._scheduler.late,
            missed=self._scheduler.missed,
            spared=self._scheduler.spared,
            errors=self._scheduler.errors,
            streams={name: getattr(each, "counters", {}) for name, each in self._scheduler.streams.items()},
            write_errors=self._store.errors,
            unwritten_seconds=self._pipeline.unwritten()[0],
            traps=counted(self._traps),
            recorded=self._pipeline.recorder.recorded if self._pipeline.recorder else 0,
            recording_dropped=self._pipeline.recorder.dropped if self._pipeline.recorder else 0,
            relays=self._mailer.failing(),
            maintenance=self._pipeline.correlator.planned.known(self._clock()),
            meetings=soon(self._outlooks.all(), self._clock()),
        )


def _dues(inventory: Inventory) -> tuple[Mapping[str, int], Mapping[str, float]]:
    checks, due = Counter[str](), dict[str, float]()
    for target in inventory.targets.values():
        for each in target.checks:
            checks[each.probe] += 1
            due[each.probe] = due.get(each.probe, 0.0) + 1 / each.interval_seconds
    return checks, due


def _by_outcome(traps: Mapping[tuple[str, str], int]) -> dict[str, int]:
    found = Counter[str]()
    for (_, outcome), count in traps.items():
        found[outcome] += count
    return dict(found)
