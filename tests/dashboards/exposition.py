"""A tiny province in Prometheus' text format: every metric that a dashboard may ask for, with its labels."""

from __future__ import annotations

from collections.abc import Iterator

SITES = (
    ("phuong-phu-ly", "Phủ Lý", 20.53, 105.93),
    ("xa-kim-dong", "Kim Sơn", 19.95, 106.07),
    ("xa-a", "Nho Quan", 20.2, 105.7),
)
KINDS = (("tslcd", "link"), ("internet", "link"), ("router", "device"), ("ups", "device"), ("vc-endpoint", "device"))
CAUSES = ("link", "power", "lan", "device", "service", "shared", "vantage")
BUCKETS = ("0.001", "0.01", "0.1", "+Inf")


def exposition(*, well: bool) -> str:
    """Three communes and a centre; in trouble, one line is down with all behind it, another loses packets."""
    return "\n".join([*_sites(well), *_own()]) + "\n"


def _state(site: str, kind: str, well: bool) -> int:
    if well or site == "xa-a":
        return 0
    if site == "xa-kim-dong":
        return 1 if kind == "tslcd" else 0
    return {"tslcd": 2, "internet": 0}.get(kind, 3)


def _sites(well: bool) -> Iterator[str]:
    for number, (site, area, latitude, longitude) in enumerate(SITES):
        place = f'latitude="{latitude}",longitude="{longitude}"'
        yield f'monitor_site_info{{site="{site}",name="Xã {number}",code="1329{number}",area="{area}",{place}}} 1'
        for kind, role in KINDS:
            labels = f'site="{site}",target="{site}/{kind}"'
            yield f'monitor_target_state{{{labels},kind="{kind}",role="{role}"}} {_state(site, kind, well)}'
            if role == "link":
                yield from _link(labels, kind, 0.0 if well else 0.2)
        port = f'site="{site}",target="{site}/router",kind="router",check="snmp",ifName="wan1"'
        yield f"snmp_if_utilisation_ratio{{{port}}} {0.2 if well else 0.9}"
        ups = f'site="{site}",target="{site}/ups",kind="ups",check="battery"'
        yield f"upsOnBattery{{{ups}}} {int(not well)}"
        yield f"upsEstimatedMinutesRemaining{{{ups}}} 90"
    yield 'monitor_site_info{site="centre",name="Trung tâm",code="",area="",latitude="",longitude=""} 1'
    for service in ("doc-management", "mail"):
        labels = f'site="centre",target="centre/{service}",kind="{service}",role="service"'
        yield f"monitor_target_state{{{labels}}} {0 if well else 2}"


def _link(labels: str, kind: str, loss: float) -> Iterator[str]:
    yield f'monitor_link_info{{{labels},provider="vnpt",circuit="C"}} 1'
    yield f'monitor_loss_ratio{{{labels},kind="{kind}",check="echo"}} {loss}'
    for of in ("rtt", "jitter"):
        for count, bound in enumerate(BUCKETS):
            yield f'monitor_echo_{of}_seconds_bucket{{{labels},le="{bound}"}} {count * 100}'
        yield f"monitor_echo_{of}_seconds_sum{{{labels}}} 1.5"
        yield f"monitor_echo_{of}_seconds_count{{{labels}}} 300"


def _own() -> Iterator[str]:
    for severity in ("minor", "major", "critical"):
        yield from (f'monitor_incidents_open{{cause="{cause}",severity="{severity}"}} 0' for cause in CAUSES)
    yield from (f'monitor_outbox_mails{{status="{status}"}} 0' for status in ("queued", "failed"))
    yield from (f'monitor_observations_total{{probe="icmp",outcome="{each}"}} 1000' for each in ("ok", "failed"))
    yield from (f'monitor_loop_lag_seconds_bucket{{le="{bound}"}} {n * 10}' for n, bound in enumerate(BUCKETS))
    yield "monitor_loop_lag_seconds_sum 1\nmonitor_loop_lag_seconds_count 30"
    yield "monitor_runs_late_total 3\nmonitor_runs_missed_total 0"
    yield 'monitor_checks{probe="icmp"} 12'
    yield 'monitor_outbox_oldest_seconds{status="queued"} 0'
    yield 'monitor_mails_total{result="sent"} 5'
    yield "monitor_config_last_reload_successful 1"
    yield "monitor_config_last_reload_success_timestamp_seconds 1.7e9"
    yield 'monitor_build_info{version="0.1.0"} 1'
    yield "process_cpu_seconds_total 12.5"


EXPORTED = frozenset(line.partition("{")[0].partition(" ")[0] for line in exposition(well=True).splitlines())
"""Names of all metrics above."""
