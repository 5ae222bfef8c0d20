"""What the running daemon holds, as the board, the API, the metrics and mails about itself want it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version

from alerts.mailer import Mailer
from alerts.own import Emergency
from monitor.core.lasthour import Series
from monitor.core.ledger import By, Interval, Report, Span
from monitor.core.life import Life
from monitor.core.model import Incident, Inventory, State
from monitor.core.readiness import Outlook
from monitor.health import Health
from monitor.lookback import LookBack
from monitor.metrics import Metrics, Present
from monitor.pipeline import Pipeline
from monitor.readiness import Outlooks, soon
from monitor.scheduler import Scheduler
from monitor.store import Store
from monitor.traps import TrapListener, counted
from monitor.web.view import TargetView

READY_RATIO = 0.95
"""The daemon is ready when this part of the checks was observed at least once."""


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
        series: Callable[[str], Series | None],
        started: datetime,
        clock: Callable[[], datetime],
    ) -> None:
        self._pipeline, self._scheduler, self._store, self._look_back = pipeline, scheduler, store, look_back
        self._health, self._metrics, self._mailer, self._emergency = health, metrics, mailer, emergency
        self._traps, self._outlooks, self._series, self._started, self._clock = traps, outlooks, series, started, clock
        self.reload_ok = True
        """Whether the files on disk were taken over when they were last read."""

    def inventory(self) -> Inventory:
        """The settings in force."""
        return self._pipeline.inventory

    def states(self) -> Mapping[str, TargetView]:
        """Every judged target as it is held now, with the last observation of each check."""
        last, planned = self._pipeline.last, self._pipeline.correlator.planned.at(self._clock())
        views = {}
        for target_id, held in self._pipeline.correlator.held.items():
            checks = {
                check.name: last[check.id]
                for check in self._pipeline.inventory.targets[target_id].checks
                if check.id in last
            }
            views[target_id] = TargetView(
                state=held.state, since=held.since, reason=held.reason, says=held.says, evidence=held.evidence,
                checks=checks, maintenance=planned.get(target_id),
                silence=self._pipeline.silence(target_id) if self._pipeline.silences else None,
            )  # fmt: skip
        return views

    def incidents(self) -> Sequence[Incident]:
        """Open ones first, then those closed lately, also before the last restart."""
        return [*self._pipeline.correlator.incidents(), *self._pipeline.closed]

    async def life(self, incident: str) -> Life | None:
        """What was written of an incident; None when there is none, or the database cannot be read now."""
        return await self._look_back.life(incident)

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

    def ready(self) -> tuple[bool, str]:
        """Whether nearly every check was observed once."""
        checks, seen = len(self._pipeline.judge.checks), len(self._pipeline.last)
        if seen < READY_RATIO * checks:
            return False, f"{seen} of {checks} checks observed so far"
        return True, ""

    def health(self) -> Mapping[str, object]:
        """The daemon's own figures for the foot of the board."""
        return {
            "version": version("commune-monitor"),
            "started": self._started,
            "targets": len(self._pipeline.inventory.targets),
            "checks": len(self._pipeline.inventory.checks()),
            "observations": self._metrics.observations_total(),
            "unknown": sum(held.state is State.UNKNOWN for held in self._pipeline.correlator.held.values()),
            "outbox": self._health.standing.unsent,
            "outbox_oldest_seconds": self._health.standing.longest_seconds(self._clock()),
            "outbox_waits": self._health.standing.waits or None,
            "outbox_failed": "; ".join(self._health.standing.failed) or None,
            "reload_ok": self.reload_ok,
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
