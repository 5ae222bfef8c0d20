"""Everything that Prometheus reads (only user of prometheus-client).

State is collected, happenings are counted. The many series of the targets are `monitor.exposition`'s; the daemon's own
counters are prometheus-client's.
"""

from __future__ import annotations

import asyncio
import collections
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder

from alerts.heartbeat import RESULTS, WAYS
from alerts.mailer import Delivery
from alerts.outbox import STATUSES, UNSENT
from monitor.core.judge import Judge
from monitor.core.lasthour import ECHO_RTT
from monitor.core.model import (
    ONLY_MAILED,
    Cause,
    Happening,
    Held,
    Incident,
    Inventory,
    Observation,
    Outcome,
    Severity,
    State,
)
from monitor.core.readiness import Outlook, Readiness
from monitor.exposition import ECHO, Exposition, head, joined, labels
from probes.engine.lag import lag
from probes.registry import COMMON_METRICS, Kind, Metric

STATE_NUMBER = {State.UP: 0, State.DEGRADED: 1, State.DOWN: 2, State.UNREACHABLE: 3, State.UNKNOWN: 4}
LAGS_KEPT = 600
"""A minute of them."""
INCIDENTS_SHOWN = 100
"""Open incidents that have a series of their own, the most severe and newest first."""
LAG_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)


@dataclass(slots=True, kw_only=True)
class Present:
    """What a scrape reads; gathered by the app at that moment."""

    held: Mapping[str, Held]
    last: Mapping[str, Observation]
    judge: Judge
    open_incidents: Collection[Incident]
    event_counts: Mapping[tuple[str, str], int]
    outbox: Mapping[str, int]
    outbox_oldest_seconds: Mapping[str, float]
    """By status of those that are still to be sent."""
    late: int
    missed: int
    errors: int
    streams: Mapping[str, Mapping[str, int]]
    """Counters of the streams by kind: late and duplicate replies and the like."""
    write_errors: int
    traps: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Traps by kind and outcome."""
    spared: int = 0
    recorded: int = 0
    recording_dropped: int = 0
    unwritten_seconds: float = 0.0
    relays: Mapping[str, bool] = field(default_factory=dict)
    """Relays by place: whether they failed last time."""
    maintenance: Mapping[str, bool] = field(default_factory=dict)
    """Targets that have a window of maintenance now or later: whether it is now."""
    meetings: Mapping[str, Outlook] = field(default_factory=dict)
    """By meeting that runs or comes soon: how ready its rooms are."""


class Metrics:
    """The daemon's counters, and the exposition of the present state."""

    def __init__(self, kinds: Mapping[str, Kind], present: Callable[[], Present], version: str) -> None:
        self._present = present
        declared = (metric for kind in kinds.values() for metric in kind.metrics)
        self._exposition = Exposition((*COMMON_METRICS, *declared))
        self._state_labels: dict[str, str] = {}
        """By target."""
        self._static = ""
        """The families that change with the inventory alone."""
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self._mails = Counter("monitor_mails", "Tries to deliver a mail, by result.", ["result"], registry=registry)
        self._tries = Counter(
            "monitor_relay_tries",
            "Mails that a relay was tried with, by result.",
            ["relay", "result"],
            registry=registry,
        )
        self._signs = Counter(
            "monitor_heartbeats", "Signs of life to others, by way and result.", ["way", "result"], registry=registry
        )
        self._alertmanagers = Counter(
            "monitor_alertmanager_posts", "Times that an Alertmanager was told.", ["peer", "result"], registry=registry
        )
        # From 0 on: the first of its kind is an increase too, and no alert misses it.
        for delivery in Delivery:
            self._mails.labels(delivery.value)
        for way, result in product(WAYS, RESULTS):
            self._signs.labels(way, result)
        self._lag = Histogram(
            "monitor_loop_lag_seconds", "How late the event loop woke a timer.", registry=registry, buckets=LAG_BUCKETS
        )
        self._reload_ok = Gauge(
            "monitor_config_last_reload_successful",
            "1 when the settings in force are those on disk.",
            registry=registry,
        )
        self._reload_time = Gauge(
            "monitor_config_last_reload_success_timestamp_seconds", "When settings were last taken over.",
            registry=registry,
        )  # fmt: skip
        Gauge("monitor_build_info", "Version.", ["version"], registry=registry).labels(version).set(1)
        self._observations = {(kind, outcome): 0 for kind in kinds for outcome in Outcome}
        self._lags: collections.deque[float] = collections.deque(maxlen=LAGS_KEPT)

    def adopt(self, inventory: Inventory) -> None:
        """Take over an inventory; counts of what stays go on."""
        self._exposition.adopt(inventory)
        self._state_labels = {
            each.id: labels(site=each.site, target=each.id, kind=each.kind, role=each.role)
            for each in inventory.targets.values()
        }
        self._static = _static(inventory)

    # -- happenings ----------------------------------------------------------------------------------------------

    def observed(self, probe: str, observation: Observation) -> None:
        """Count one observation."""
        self._observations[probe, observation.outcome] += 1
        rtt = observation.values.get(ECHO_RTT)
        if rtt is not None:
            self._exposition.echoed(observation.check, rtt)
        elif probe == ECHO and observation.outcome is Outcome.FAILED and not observation.out_of_turn:
            self._exposition.lost(observation.target)

    def mailed(self, result: str) -> None:
        """Count one try to deliver."""
        self._mails.labels(result).inc()

    def tried(self, relay: str, result: str) -> None:
        """Count what one relay made of a mail."""
        self._tries.labels(relay, result).inc()

    def beaten(self, way: str, result: str) -> None:
        """Count a sign of life."""
        self._signs.labels(way, result).inc()

    def posted(self, peer: str, result: str) -> None:
        """Count how an Alertmanager was told."""
        self._alertmanagers.labels(peer, result).inc()

    def reloaded(self, ok: bool, at: datetime) -> None:
        """Note how a reload ended."""
        self._reload_ok.set(ok)
        if ok:
            self._reload_time.set(at.timestamp())

    def observations_total(self) -> int:
        """All observations since the start."""
        return sum(self._observations.values())

    def observations_by_kind(self) -> dict[str, int]:
        """The same by probe kind."""
        found: dict[str, int] = {}
        for (kind, _), count in self._observations.items():
            found[kind] = found.get(kind, 0) + count
        return found

    def watch_loop(self) -> None:
        """Take down the lag of the running event loop."""
        lag().told = self._lagged

    def _lagged(self, seconds: float) -> None:
        self._lag.observe(seconds)
        self._lags.append(seconds)

    def longest_lag_seconds(self) -> float:
        """How late the event loop woke at worst in the last minute."""
        return max(self._lags, default=0.0)

    # -- exposition ----------------------------------------------------------------------------------------------

    def expose(self, accept: str) -> tuple[str, AsyncIterator[str]]:
        """Content type as `accept` wants it (Prometheus text or OpenMetrics), and the body of a scrape in pieces."""
        encode, content_type = choose_encoder(accept)
        return content_type, self._pieces(encode, openmetrics=content_type.startswith("application/openmetrics-text"))

    async def _pieces(self, encode: Callable[[CollectorRegistry], bytes], *, openmetrics: bool) -> AsyncIterator[str]:
        series = 0
        for piece in self._text(openmetrics=openmetrics):
            if piece:
                series += _count(piece)
                yield piece
            await asyncio.sleep(0)
        own = encode(self.registry).decode()  # last, for OpenMetrics ends with its EOF
        metric = Metric(name="monitor_series", help="Series of this scrape.")
        yield f"{head(metric, openmetrics=openmetrics)}monitor_series {series + _count(own) + 1}\n{own}"

    def _text(self, *, openmetrics: bool) -> Iterator[str]:
        present = self._present()
        yield from self._exposition.pieces(present.last, openmetrics=openmetrics)
        yield from self._losses(present, openmetrics=openmetrics)
        yield from self._states(present, openmetrics=openmetrics)
        yield from self._maintenance(present, openmetrics=openmetrics)
        yield from self._meetings(present, openmetrics=openmetrics)
        yield _incidents(present.open_incidents, openmetrics=openmetrics)
        yield self._static
        yield from _own(present, self._observations, openmetrics=openmetrics)

    def _losses(self, present: Present, *, openmetrics: bool) -> Iterator[str]:
        metric = Metric(name="monitor_loss_ratio", help="Failed runs in the window of the check, 0 to 1.")
        yield head(metric, openmetrics=openmetrics)
        yield from joined(
            f"monitor_loss_ratio{{{own}}} {state.loss_ratio:.6g}\n"
            for check in list(present.judge.checks)
            if (state := present.judge.checks.get(check)) and state.runs and (own := self._exposition.labels_of(check))
        )

    def _states(self, present: Present, *, openmetrics: bool) -> Iterator[str]:
        metric = Metric(name="monitor_target_state", help="0 up, 1 degraded, 2 down, 3 unreachable, 4 unknown.")
        yield head(metric, openmetrics=openmetrics)
        yield from joined(
            f"monitor_target_state{{{own}}} {STATE_NUMBER[held.state if (held := present.held.get(target)) else State.UNKNOWN]}\n"
            for target, own in self._state_labels.items()
        )

    @staticmethod
    def _meetings(present: Present, *, openmetrics: bool) -> Iterator[str]:
        yield from _how_ready(
            Metric(name="monitor_meeting_rooms", help="Rooms of a meeting that runs or begins within a day."),
            {meeting: each.counts() for meeting, each in present.meetings.items()},
            openmetrics=openmetrics,
        )
        yield from _how_ready(
            Metric(name="monitor_meeting_servers", help="What serves all rooms of a meeting that runs or begins soon."),
            {meeting: each.server_counts() for meeting, each in present.meetings.items()},
            openmetrics=openmetrics,
        )

    def _maintenance(self, present: Present, *, openmetrics: bool) -> Iterator[str]:
        metric = Metric(name="monitor_target_maintenance", help="1 in a window of maintenance, 0 before the next one.")
        yield head(metric, openmetrics=openmetrics)
        yield from joined(
            f"monitor_target_maintenance{{{own}}} {now:d}\n"
            for target, now in present.maintenance.items()
            if (own := self._state_labels.get(target))
        )


def _how_ready(metric: Metric, found: Mapping[str, Mapping[Readiness, int]], *, openmetrics: bool) -> Iterator[str]:
    yield head(metric, openmetrics=openmetrics)
    yield from joined(
        f"{metric.name}{{{labels(meeting=meeting, readiness=each)}}} {number}\n"
        for meeting, counts in found.items()
        for each, number in counts.items()
    )


def _count(text: str) -> int:
    """Lines that are no comments."""
    return text.count("\n") - text.count("\n# ") - text.startswith("# ")


def _incidents(found: Iterable[Incident], *, openmetrics: bool) -> str:
    """The open ones by name, so that a dashboard can mark them and lead to them."""
    metric = Metric(name="monitor_incident_info", help="An open incident; site and target are those of its root.")
    rank = list(Severity).index
    worst = sorted(found, key=lambda each: (rank(each.severity), each.began), reverse=True)[:INCIDENTS_SHOWN]
    told = (
        labels(
            incident=each.id,
            site=each.root.partition("/")[0],
            target=each.root,
            cause=each.cause,
            severity=each.severity,
        )
        for each in worst
    )
    return head(metric, openmetrics=openmetrics) + "".join(f"monitor_incident_info{{{own}}} 1\n" for own in told)


def _static(inventory: Inventory) -> str:
    lines = [head(Metric(name="monitor_site_info", help="Name and place of a site."))]
    for site in inventory.sites.values():
        own = labels(
            site=site.id, name=site.name, code=site.code, area=site.area,
            latitude="" if site.latitude is None else f"{site.latitude:g}",
            longitude="" if site.longitude is None else f"{site.longitude:g}",
        )  # fmt: skip
        lines.append(f"monitor_site_info{{{own}}} 1\n")
    lines.append(head(Metric(name="monitor_link_info", help="Provider and circuit of a line.")))
    for target in inventory.targets.values():
        if target.provider:
            own = labels(site=target.site, target=target.id, provider=target.provider, circuit=target.circuit)
            lines.append(f"monitor_link_info{{{own}}} 1\n")
    lines.append(head(Metric(name="monitor_checks", help="Checks by probe kind.")))
    by_probe = collections.Counter(check.probe for target in inventory.targets.values() for check in target.checks)
    lines += [f"monitor_checks{{{labels(probe=probe)}}} {count}\n" for probe, count in by_probe.items()]
    return "".join(lines)


def _own(present: Present, observations: Mapping[tuple[str, Outcome], int], *, openmetrics: bool) -> Iterator[str]:
    """The daemon's own figures."""

    def family(name: str, text: str, series: Mapping[str, float], *, counter: bool = False) -> str:
        lines = (
            f"{name}{{{own}}} {value:.15g}\n" if own else f"{name} {value:.15g}\n" for own, value in series.items()
        )
        return head(Metric(name=name, help=text, counter=counter), openmetrics=openmetrics) + "".join(lines)

    yield family(
        "monitor_observations_total", "Runs of checks that ended.",
        {labels(outcome=outcome, probe=probe): n for (probe, outcome), n in observations.items()}, counter=True,
    )  # fmt: skip
    still_open = dict.fromkeys(product(Cause, Severity), 0)
    for incident in present.open_incidents:
        still_open[incident.cause, incident.severity] += 1
    yield family(
        "monitor_incidents_open", "Open incidents.",
        {labels(cause=cause, severity=severity): n for (cause, severity), n in still_open.items()},
    )  # fmt: skip
    events = {(cause.value, what.value): 0 for cause in Cause for what in Happening if what not in ONLY_MAILED} | dict(
        present.event_counts
    )
    yield family(
        "monitor_incident_events_total", "What happened to incidents.",
        {labels(cause=cause, what=what): n for (cause, what), n in events.items()}, counter=True,
    )  # fmt: skip
    statuses = {labels(status=status): present.outbox.get(status, 0) for status in STATUSES}
    yield family("monitor_outbox_mails", "Mails by status.", statuses)
    ages = {labels(status=status): present.outbox_oldest_seconds.get(status, 0.0) for status in UNSENT}
    yield family("monitor_outbox_oldest_seconds", "Age of the oldest unsent mail.", ages)
    failing = {labels(relay=place): failed for place, failed in present.relays.items()}
    yield family("monitor_relay_failing", "1 when the relay failed last time: it is tried last.", failing)
    yield family("monitor_runs_late_total", "Runs that started late.", {"": present.late}, counter=True)
    yield family(
        "monitor_runs_missed_total",
        "Runs left out: the last was still under way.",
        {"": present.missed},
        counter=True,
    )
    yield family(
        "monitor_runs_spared_total",
        "Runs left out: they would have disturbed a meeting.",
        {"": present.spared},
        counter=True,
    )
    yield family("monitor_errors_total", "Observations lost by a mistake of ours.", {"": present.errors}, counter=True)
    yield family(
        "monitor_store_errors_total", "Failed writes to the database.", {"": present.write_errors}, counter=True
    )
    yield family(
        "monitor_unwritten_seconds", "How long something has waited to be written.", {"": present.unwritten_seconds}
    )
    traps = {labels(kind=kind, outcome=outcome): n for (kind, outcome), n in present.traps.items()}
    yield family("monitor_traps_total", "SNMP traps, by what became of them.", traps, counter=True)
    yield family("monitor_recorded_lines_total", "Lines of the recording.", {"": present.recorded}, counter=True)
    yield family(
        "monitor_recording_dropped_total", "Lines that the recording lacks: they came faster than they could be written.",
        {"": present.recording_dropped}, counter=True,
    )  # fmt: skip
    yield family(
        "monitor_stream_happenings_total", "Late, duplicate or foreign replies and the like.",
        {labels(probe=probe, what=what): n for probe, counts in present.streams.items() for what, n in counts.items()},
        counter=True,
    )  # fmt: skip
