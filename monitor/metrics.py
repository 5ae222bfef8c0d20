"""Everything that Prometheus reads (only user of prometheus-client).

State is collected, happenings are counted. The many series of the targets are written as text from the last observations,
with each label text rendered once: prometheus-client needs half a second for 50,000 series, this a few hundredths
(PERFORMANCE of the project). The daemon's own counters are prometheus-client's.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from monitor.core.judge import Judge
from monitor.core.model import Cause, Happening, Held, Incident, Inventory, Observation, Outcome, State
from probes.registry import COMMON_METRICS, Kind, Metric

STATE_NUMBER = {State.UP: 0, State.DEGRADED: 1, State.DOWN: 2, State.UNREACHABLE: 3, State.UNKNOWN: 4}
RTT_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
LAG_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)
LAG_EVERY_SECONDS = 0.1
OUTBOX_STATUSES = ("queued", "sending", "deferred", "sent", "failed")
ECHO_RTT = 'probe_icmp_duration_seconds{phase="rtt"}'


def quote(value: str) -> str:
    """A label value as the text format wants it."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _labels(**labels: str) -> str:
    return ",".join(f'{name}="{quote(value)}"' for name, value in labels.items())


@dataclass(slots=True)
class _Rtt:
    """Cumulated round trips of one target."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(RTT_BUCKETS) + 1))
    total: float = 0.0


@dataclass(slots=True, kw_only=True)
class Present:
    """What a scrape reads; gathered by the app at that moment."""

    inventory: Inventory
    held: Mapping[str, Held]
    last: Mapping[str, Observation]
    judge: Judge
    open_incidents: Iterable[Incident]
    event_counts: Mapping[tuple[str, str], int]
    outbox: Mapping[str, int]
    outbox_oldest_seconds: float
    late: int
    missed: int
    errors: int
    streams: Mapping[str, Mapping[str, int]]
    """Counters of the streams by kind: late and duplicate replies and the like."""
    write_errors: int
    traps: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Traps by kind and outcome."""


class Metrics:
    """The daemon's counters, and the exposition of the present state."""

    def __init__(self, kinds: Mapping[str, Kind], present: Callable[[], Present], version: str) -> None:
        self._present = present
        self._declared = {
            metric.name: metric
            for metric in (*COMMON_METRICS, *(metric for kind in kinds.values() for metric in kind.metrics))
        }
        self._check_labels: dict[str, str] = {}
        self._rtt: dict[str, _Rtt] = {}
        self._inventory: Inventory | None = None
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self._observations = Counter(
            "monitor_observations", "Runs of checks that ended.", ["probe", "outcome"], registry=registry
        )
        self._mails = Counter("monitor_mails", "Tries to deliver a mail, by result.", ["result"], registry=registry)
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
        self._counters = {
            (kind, outcome): self._observations.labels(kind, outcome.value) for kind in kinds for outcome in Outcome
        }

    # -- happenings ----------------------------------------------------------------------------------------------

    def observed(self, probe: str, observation: Observation) -> None:
        """Count one observation."""
        self._counters[probe, observation.outcome].inc()
        rtt = observation.values.get(ECHO_RTT)
        if rtt is not None:
            entry = self._rtt.get(observation.target)
            if entry is None:
                entry = self._rtt[observation.target] = _Rtt()
            entry.counts[bisect_left(RTT_BUCKETS, rtt)] += 1
            entry.total += rtt

    def mailed(self, result: str) -> None:
        """Count one try to deliver."""
        self._mails.labels(result).inc()

    def reloaded(self, ok: bool, at: datetime) -> None:
        """Note how a reload ended."""
        self._reload_ok.set(ok)
        if ok:
            self._reload_time.set(at.timestamp())

    def observations_total(self) -> int:
        """All observations since the start."""
        return int(sum(counter._value.get() for counter in self._counters.values()))  # noqa: SLF001  no public reader

    async def watch_loop(self) -> None:
        """Measure the lag of the event loop until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + LAG_EVERY_SECONDS
            await asyncio.sleep(LAG_EVERY_SECONDS)
            self._lag.observe(max(0.0, clock() - due))

    # -- exposition ----------------------------------------------------------------------------------------------

    def expose(self, _accept: str) -> tuple[bytes, str]:
        """The body of a scrape in the Prometheus text format, and its content type."""
        present = self._present()
        if present.inventory is not self._inventory:
            self._label(present.inventory)
        lines: list[str] = []
        self._write_checks(present, lines)
        self._write_rtt(lines)
        self._write_targets(present, lines)
        self._write_self(present, lines)
        lines.append("")
        return generate_latest(self.registry) + "\n".join(lines).encode(), CONTENT_TYPE_LATEST

    def _label(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._check_labels = {
            check.id: _labels(site=target.site, target=target.id, kind=target.kind, check=check.name)
            for target in inventory.targets.values()
            for check in target.checks
        }
        self._rtt = {target: rtt for target, rtt in self._rtt.items() if target in inventory.targets}

    def _write_checks(self, present: Present, lines: list[str]) -> None:
        families: dict[str, list[str]] = {"probe_success": [], "probe_duration_seconds": []}
        for check, seen in present.last.items():
            labels = self._check_labels[check]
            good = 1 if seen.outcome is Outcome.OK else 0
            families["probe_success"].append(f"probe_success{{{labels}}} {good}")
            families["probe_duration_seconds"].append(f"probe_duration_seconds{{{labels}}} {seen.duration_seconds:.6g}")
            for key, value in seen.values.items():
                name, _, more = key.partition("{")
                family = families.get(name)
                if family is None:
                    family = families[name] = []
                family.append(f"{name}{{{labels}{',' + more[:-1] if more else ''}}} {value:.15g}")
        for name, series in families.items():
            _head(lines, self._declared.get(name, Metric(name=name, help="Undeclared measurement.")))
            lines.extend(series)
        _head(lines, Metric(name="monitor_loss_ratio", help="Failed runs in the window of the check, 0 to 1."))
        for check, state in present.judge.checks.items():
            if state.loss_ratio is not None and check in self._check_labels:
                lines.append(f"monitor_loss_ratio{{{self._check_labels[check]}}} {state.loss_ratio:.6g}")

    def _write_rtt(self, lines: list[str]) -> None:
        name = "monitor_echo_rtt_seconds"
        lines.append(f"# HELP {name} Round trips of the echoes.\n# TYPE {name} histogram")
        assert self._inventory is not None
        for target, rtt in self._rtt.items():
            labels = _labels(site=self._inventory.targets[target].site, target=target)
            seen = 0
            for bound, count in zip((*RTT_BUCKETS, "+Inf"), rtt.counts, strict=True):
                seen += count
                lines.append(f'{name}_bucket{{{labels},le="{bound}"}} {seen}')
            lines.append(f"{name}_sum{{{labels}}} {rtt.total:.9g}\n{name}_count{{{labels}}} {seen}")

    @staticmethod
    def _write_targets(present: Present, lines: list[str]) -> None:
        _head(
            lines,
            Metric(
                name="monitor_target_state", help="0 up, 1 degraded, 2 down, 3 unreachable, 4 unknown.",
            ),
        )  # fmt: skip
        for target in present.inventory.targets.values():
            held = present.held.get(target.id)
            labels = _labels(site=target.site, target=target.id, kind=target.kind, role=target.role.value)
            lines.append(f"monitor_target_state{{{labels}}} {STATE_NUMBER[held.state if held else State.UNKNOWN]}")
        _head(lines, Metric(name="monitor_site_info", help="Name and place of a site."))
        for site in present.inventory.sites.values():
            labels = _labels(
                site=site.id, name=site.name, code=site.code, area=site.area,
                latitude="" if site.latitude is None else f"{site.latitude:g}",
                longitude="" if site.longitude is None else f"{site.longitude:g}",
            )  # fmt: skip
            lines.append(f"monitor_site_info{{{labels}}} 1")
        _head(lines, Metric(name="monitor_link_info", help="Provider and circuit of a line."))
        for target in present.inventory.targets.values():
            if target.provider:
                labels = _labels(site=target.site, target=target.id, provider=target.provider, circuit=target.circuit)
                lines.append(f"monitor_link_info{{{labels}}} 1")

    @staticmethod
    def _write_self(present: Present, lines: list[str]) -> None:
        def family(name: str, text: str, series: Mapping[str, float], *, counter: bool = False) -> None:
            _head(lines, Metric(name=name, help=text, counter=counter))
            lines.extend(
                f"{name}{{{labels}}} {value:.15g}" if labels else f"{name} {value:.15g}"
                for labels, value in series.items()
            )

        open_by_cause = dict.fromkeys(Cause, 0)
        for incident in present.open_incidents:
            open_by_cause[incident.cause] += 1
        family(
            "monitor_incidents_open", "Open incidents.", {_labels(cause=cause): n for cause, n in open_by_cause.items()}
        )
        events = {(cause.value, what.value): 0 for cause in Cause for what in Happening} | dict(present.event_counts)
        family(
            "monitor_incident_events_total", "What happened to incidents.",
            {_labels(cause=cause, what=what): n for (cause, what), n in events.items()}, counter=True,
        )  # fmt: skip
        statuses = {_labels(status=status): present.outbox.get(status, 0) for status in OUTBOX_STATUSES}
        family("monitor_outbox_mails", "Mails by status.", statuses)
        family("monitor_outbox_oldest_seconds", "Age of the oldest unsent mail.", {"": present.outbox_oldest_seconds})
        family("monitor_runs_late_total", "Runs that started late.", {"": present.late}, counter=True)
        family(
            "monitor_runs_missed_total",
            "Runs left out: the last was still under way.",
            {"": present.missed},
            counter=True,
        )
        family("monitor_errors_total", "Observations lost by a mistake of ours.", {"": present.errors}, counter=True)
        family("monitor_store_errors_total", "Failed writes to the database.", {"": present.write_errors}, counter=True)
        traps = {_labels(kind=kind, outcome=outcome): n for (kind, outcome), n in present.traps.items()}
        family("monitor_traps_total", "SNMP traps, by what became of them.", traps, counter=True)
        by_probe: dict[str, float] = {}
        for target in present.inventory.targets.values():
            for check in target.checks:
                by_probe[check.probe] = by_probe.get(check.probe, 0) + 1
        family("monitor_checks", "Checks by probe kind.", {_labels(probe=probe): n for probe, n in by_probe.items()})
        family(
            "monitor_stream_happenings_total", "Late, duplicate or foreign replies and the like.",
            {_labels(probe=probe, what=what): n for probe, counts in present.streams.items() for what, n in counts.items()},
            counter=True,
        )  # fmt: skip


def _head(lines: list[str], metric: Metric) -> None:
    lines.append(f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {'counter' if metric.counter else 'gauge'}")
