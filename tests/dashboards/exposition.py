"""An hour of a tiny province: every metric that a dashboard may ask for, with its labels, as the daemon exposes them.

In trouble, at the end of the hour:

- `phuong-phu-ly`: its TSLCĐ line has been down for 15 minutes, and all behind it with it;
- `xa-kim-dong`: its TSLCĐ line loses a fifth of the echoes and is slow and full;
- `xa-a`: a power cut since 12 minutes, both lines are gone and the UPS lasts for 8 minutes more;
- `xa-b`: announced work on its Internet line since 6 minutes;
- the room of `xa-kim-dong` has poor calls, large packets do not pass there; that of `phuong-phu-ly` is not registered by H.323, nor that of `xa-b` by SIP;
- the document management is down, one meeting comes, one relay fails.

When it is well, the daemon is new: no incident, no work, no meeting, no mail, no trap yet, and so no series of these. Nor does it ask
of rooms more than an echo and SIP, nor any TURN server.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

END = 1_764_000_000
"""Unix time of its last moment."""
STEP, HOUR = 15, 3600
NO_POWER, CUT, WORK = 12 * 60, 15 * 60, 6 * 60
"""For how many seconds, at the end."""
SITES = (
    ("phuong-phu-ly", "Phủ Lý", 20.53, 105.93),
    ("xa-kim-dong", "Kim Sơn", 19.95, 106.07),
    ("xa-a", "Nho Quan", 20.2, 105.7),
    ("xa-b", "Nho Quan", 20.3, 105.8),
)
LINES = {"tslcd": "vnpt", "internet": "viettel"}
DEVICES = ("router", "switch", "ups", "vc-endpoint")
CAUSES = ("link", "power", "lan", "device", "service", "shared", "vantage")
SEVERITIES = ("minor", "major", "critical")
INCIDENTS = {
    ("phuong-phu-ly", "tslcd", "link", "major"): CUT,
    ("xa-a", "ups", "power", "critical"): NO_POWER,
    ("centre", "doc-management", "service", "critical"): HOUR + 1,
}
"""Root, cause and severity of what is open, and for how many seconds."""
RTT_BOUNDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
JITTER_BOUNDS = (0.001, 0.005, 0.01, 0.03, 0.1)
LAG_BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)
SERVERS: tuple[tuple[str, str, dict[tuple[str, str], float]], ...] = (
    ("gatekeeper", "ras", {("h323_duration_seconds", ""): 0.005}),
    (
        "turn-server", "stun",
        {("stun_duration_seconds", ""): 0.004, ("stun_phase_duration_seconds", "connect"): 0.001, ("stun_retransmissions", ""): 0},
    ),
    (
        "turn-server", "turn",
        {("turn_lifetime_seconds", ""): 600, ("turn_retransmissions", ""): 1}
        | {("turn_phase_duration_seconds", phase): 0.01 for phase in ("allocate", "permission", "relay", "release")},
    ),
    (
        "browser-meetings", "room",
        {("webrtc_duration_seconds", "page"): 0.2, ("webrtc_duration_seconds", "signalling"): 0.1, ("ssl_days_left", ""): 60},
    ),
)  # fmt: skip
"""What the servers of video conferences are asked: kind, check, and values by metric and phase."""
PHASES = ("resolve", "connect", "tls", "processing", "transfer")


def history(*, well: bool) -> str:
    """All of it as OpenMetrics with times, for `promtool tsdb create-blocks-from openmetrics`, with the labels that a scrape adds."""
    lines = [
        f"{_scraped(series)} {END - ago}" for ago in range(HOUR, -1, -STEP) for series in exposition(well=well, ago=ago)
    ]
    return "\n".join([*lines, "# EOF", ""])


def _scraped(series: str) -> str:
    name, _, value = series.rpartition(" ")
    name, _, labels = name.removesuffix("}").partition("{")
    own = ",".join([*filter(None, [labels]), 'job="commune-monitor"', 'instance="127.0.0.1:9469"'])
    return f"{name}{{{own}}} {value}"


def exposition(*, well: bool, ago: int = 0) -> Iterator[str]:
    """Series and values as they were so many seconds before the end."""
    for number, (site, area, latitude, longitude) in enumerate(SITES):
        place = f'latitude="{latitude}",longitude="{longitude}"'
        yield f'monitor_site_info{{site="{site}",name="Xã {number}",code="1329{number}",area="{area}",{place}}} 1'
        for kind, provider in LINES.items():
            yield from _line(site, kind, provider, ago, well=well)
        for kind in DEVICES:
            yield from _device(
                site, kind, state(site, kind, ago=ago, well=well), full=not well and site == "xa-kim-dong"
            )
        yield from _ups(site, on_battery=not well and site == "xa-a" and ago < NO_POWER)
        yield from _service(site, "website", 0)
    yield from _centre(well=well)
    yield from _own(ago)
    yield from _open(ago, well=well)
    if not well:
        yield from _trouble(ago)


def down_for(site: str, kind: str, *, well: bool) -> int:
    """For how many seconds a line has been down at the end."""
    since = {
        ("phuong-phu-ly", "tslcd"): CUT,
        ("xa-b", "internet"): WORK,
        ("xa-a", "tslcd"): NO_POWER,
        ("xa-a", "internet"): NO_POWER,
    }
    return 0 if well else since.get((site, kind), 0)


def state(site: str, kind: str, *, ago: int, well: bool) -> int:
    """Number of monitor_target_state."""
    if kind in LINES:
        return (
            2 if ago < down_for(site, kind, well=well) else int(not well and (site, kind) == ("xa-kim-dong", "tslcd"))
        )
    return 3 if ago < down_for(site, "tslcd", well=well) else 0


def _target(site: str, kind: str, role: str, number: int) -> tuple[str, str]:
    """Labels of its checks without `check`, and the line with its state."""
    labels = f'site="{site}",target="{site}/{kind}",kind="{kind}"'
    return labels, f'monitor_target_state{{{labels},role="{role}"}} {number}'


def _line(site: str, kind: str, provider: str, ago: int, *, well: bool) -> Iterator[str]:
    number = state(site, kind, ago=ago, well=well)
    labels, told = _target(site, kind, "link", number)
    yield told
    place = labels.rpartition(",")[0]
    yield f'monitor_link_info{{{place},provider="{provider}",circuit="NB-{site}"}} 1'
    loss = {0: 0.0, 1: 0.2, 2: 1.0}[number]
    yield f'monitor_loss_ratio{{{labels},check="echo"}} {loss}'
    yield f'probe_success{{{labels},check="echo"}} {int(number < 2)}'
    yield f'probe_icmp_reply_hop_limit{{{labels},check="echo"}} {60 if ago > 1800 else 58}'
    seconds = HOUR - ago
    ill = site == "xa-kim-dong" and number == 1
    lost = seconds // 5 if ill else max(0, down_for(site, kind, well=well) - ago)
    yield f"monitor_echo_lost_total{{{place}}} {lost}"
    came = (seconds - lost) * 9 // 10, seconds - lost
    yield from _histogram("monitor_echo_rtt_seconds", place, RTT_BOUNDS, 0.2 if ill else 0.01, came)
    yield from _histogram("monitor_echo_jitter_seconds", place, JITTER_BOUNDS, 0.1 if ill else 0.005, came)


def _histogram(
    name: str, labels: str, bounds: tuple[float, ...], usual: float, counts: tuple[int, int]
) -> Iterator[str]:
    """Most of it in the bucket up to `usual`, the rest in the next."""
    most, all_of_it = counts
    comma = "," if labels else ""
    for bound in bounds:
        count = 0 if bound < usual else most if bound == usual else all_of_it
        yield f'{name}_bucket{{{labels}{comma}le="{bound}"}} {count}'
    yield f'{name}_bucket{{{labels}{comma}le="+Inf"}} {all_of_it}'
    yield f"{name}_sum{{{labels}}} {all_of_it * usual}"
    yield f"{name}_count{{{labels}}} {all_of_it}"


def _device(site: str, kind: str, number: int, *, full: bool) -> Iterator[str]:
    labels, told = _target(site, kind, "device", number)
    yield told
    yield f'monitor_loss_ratio{{{labels},check="echo"}} {int(number == 3)}'
    yield f'probe_success{{{labels},check="echo"}} {int(number != 3)}'
    if kind == "vc-endpoint":
        yield f'probe_success{{{labels},check="sip"}} {int(number != 3)}'
        yield f'probe_sip_duration_seconds{{{labels},check="sip"}} 0.02'
        yield f'probe_sip_retransmissions{{{labels},check="sip"}} 0'
    if kind in ("router", "switch"):
        yield f'snmp_uptime_seconds{{{labels},check="snmp"}} 86400'
        if full:
            yield f'snmp_cpu_ratio{{{labels},check="load"}} 0.3'
        for port in ("wan1", "lan1") if kind == "router" else ("uplink1",):
            at = f'{labels},check="snmp",ifName="{port}"'
            use = 0.95 if full and port == "wan1" else 0.2
            yield f"snmp_if_down{{{at}}} 0"
            yield f"snmp_if_in_bits_per_second{{{at}}} {use * 2e7}"
            yield f"snmp_if_out_bits_per_second{{{at}}} 1e6"
            yield f"snmp_if_utilisation_ratio{{{at}}} {use}"
            yield f"snmp_if_error_ratio{{{at}}} 0"


def _ups(site: str, *, on_battery: bool) -> Iterator[str]:
    at = f'{{site="{site}",target="{site}/ups",kind="ups",check="battery"}}'
    yield f"upsOnBattery{at} {int(on_battery)}"
    yield f"upsBatteryLow{at} {int(on_battery)}"
    yield f"upsReplaceBattery{at} 0"
    yield f"upsEstimatedMinutesRemaining{at} {8 if on_battery else 90}"
    yield f"upsEstimatedChargeRemaining{at} {12 if on_battery else 100}"


def _service(site: str, kind: str, number: int) -> Iterator[str]:
    labels, told = _target(site, kind, "service", number)
    yield told
    at = f'{labels},check="page"'
    yield f"probe_success{{{at}}} {int(number == 0)}"
    yield f"probe_duration_seconds{{{at}}} 0.5"
    for phase in PHASES:
        yield f'probe_http_duration_seconds{{{at},phase="{phase}"}} 0.1'
    yield f"probe_http_status_code{{{at}}} {200 if number == 0 else 502}"
    yield f"probe_http_redirects{{{at}}} 0"
    yield f"probe_http_uncompressed_body_length{{{at}}} 20000"
    yield f"probe_ssl_days_left{{{at}}} 60"


def _centre(*, well: bool) -> Iterator[str]:
    yield 'monitor_site_info{site="centre",name="Trung tâm",code="",area="",latitude="",longitude=""} 1'
    yield from _service("centre", "doc-management", 0 if well else 2)
    yield from _service("centre", "public-portal", 0)
    labels, told = _target("centre", "official-mail", "service", 0)
    yield told
    at = f'{labels},check="smtp"'
    yield from (f'probe_smtp_duration_seconds{{{at},phase="{phase}"}} 0.1' for phase in ("connect", "banner", "ehlo"))
    for name, value in (("success", 1), ("duration_seconds", 0.3), ("smtp_status_code", 250), ("ssl_days_left", 60)):
        yield f"probe_{name}{{{at}}} {value}"
    labels, told = _target("centre", "name-server", "service", 0)
    yield told
    at = f'{labels},check="dns"'
    for name, value in (("success", 1), ("duration_seconds", 0.01), ("dns_rcode", 0)):
        yield f"probe_{name}{{{at}}} {value}"
    labels, told = _target("centre", "registrar", "service", 0)
    yield told
    for check in ("sip-udp", "sip-tcp"):
        at = f'{labels},check="{check}"'
        yield f"probe_success{{{at}}} 1"
        yield f"probe_duration_seconds{{{at}}} 0.01"
        yield f"probe_sip_duration_seconds{{{at}}} 0.01"
        yield f"probe_sip_status_code{{{at}}} 200"


def _own(ago: int) -> Iterator[str]:
    seconds = HOUR - ago
    for outcome in ("ok", "failed", "inconclusive"):
        yield f'monitor_observations_total{{probe="icmp",outcome="{outcome}"}} {seconds * 3 if outcome == "ok" else 0}'
    yield 'monitor_checks{probe="icmp"} 12'
    yield from (f'monitor_stream_happenings_total{{probe="icmp",what="{what}"}} {seconds}' for what in ("sent", "late"))
    yield from _histogram("monitor_loop_lag_seconds", "", LAG_BOUNDS, 0.002, (seconds * 9, seconds * 10))
    yield from (
        f'monitor_incident_events_total{{cause="{cause}",what="{what}"}} 0'
        for cause in CAUSES
        for what in ("opened", "recovered")
    )
    yield from (f'monitor_outbox_mails{{status="{status}"}} 0' for status in ("queued", "deferred", "failed", "sent"))
    yield from (f'monitor_outbox_oldest_seconds{{status="{status}"}} 0' for status in ("queued", "deferred"))
    for name, value in (
        ("runs_late_total", 3), ("runs_missed_total", 0), ("runs_spared_total", 0), ("recorded_lines_total", 0), ("errors_total", 0), ("store_errors_total", 0),
        ("recording_dropped_total", 0), ("unwritten_seconds", 0), ("series", 500), ("config_last_reload_successful", 1),
        ("config_last_reload_success_timestamp_seconds", END - HOUR), ('build_info{version="0.1.0"}', 1),
    ):  # fmt: skip
        yield f"monitor_{name} {value}"
    for name, value in (
        ("cpu_seconds_total", seconds / 10), ("resident_memory_bytes", 2e8), ("start_time_seconds", END - HOUR),
        ("open_fds", 100), ("max_fds", 1024),
    ):  # fmt: skip
        yield f"process_{name} {value}"
    yield from ("up 1", "scrape_duration_seconds 0.1", "scrape_series_added 0")


def _open(ago: int, *, well: bool) -> Iterator[str]:
    there = set() if well else {key[2:] for key, since in INCIDENTS.items() if ago < since}
    for cause, severity in itertools.product(CAUSES, SEVERITIES):
        number = int((cause, severity) in there)
        yield f'monitor_incidents_open{{cause="{cause}",severity="{severity}"}} {number}'


def _trouble(ago: int) -> Iterator[str]:
    """What there is only when something has happened, or is asked for."""
    for direction, mos in (("there", 4.3), ("back", 2.9)):
        call = f'site="xa-kim-dong",target="xa-kim-dong/vc-endpoint",kind="vc-endpoint",check="call",direction="{direction}"'
        yield f"probe_media_mos{{{call}}} {mos}"
        yield f"probe_media_loss_ratio{{{call}}} 0.2"
        yield f"probe_media_jitter_seconds{{{call}}} 0.04"
        yield f"probe_media_dscp_kept{{{call}}} 0"
    yield from _rooms()
    for (site, name, cause, severity), seconds in INCIDENTS.items():
        if ago < seconds:
            own = f'site="{site}",target="{site}/{name}",cause="{cause}",severity="{severity}"'
            yield f'monitor_incident_info{{incident="20251124-{site}.{name}",{own}}} 1'
    yield f'monitor_target_maintenance{{site="xa-b",target="xa-b/internet",kind="internet",role="link"}} {int(ago < WORK)}'
    for readiness, rooms in (("ready", 2), ("at-risk", 0), ("not-ready", 2)):
        yield f'monitor_meeting_rooms{{meeting="giao-ban-tuan",readiness="{readiness}"}} {rooms}'
        yield f'monitor_meeting_servers{{meeting="giao-ban-tuan",readiness="{readiness}"}} {int(readiness == "ready")}'
    sent = (HOUR - ago) // 60
    yield f'monitor_mails_total{{result="sent"}} {sent}'
    yield f'monitor_relay_tries_total{{relay="a:25",result="sent"}} {sent}'
    yield f'monitor_relay_tries_total{{relay="b:25",result="timeout"}} {sent}'
    yield 'monitor_relay_failing{relay="a:25"} 0'
    yield 'monitor_relay_failing{relay="b:25"} 1'
    yield f'monitor_heartbeats_total{{way="url",result="sent"}} {sent}'
    yield f'monitor_alertmanager_posts_total{{peer="c:9093",result="failed"}} {sent}'
    yield f'monitor_traps_total{{kind="upsTrapOnBattery",outcome="looked"}} {sent}'


def _rooms() -> Iterator[str]:
    """What is asked where rooms are registered, their ways tested, and people meet over TURN or in the browser."""
    for site, probe, registered in (
        ("phuong-phu-ly", "h323", 0), ("xa-a", "h323", 1), ("xa-kim-dong", "sip", 1), ("xa-b", "sip", 0),
    ):  # fmt: skip
        at = f'site="{site}",target="{site}/vc-endpoint",kind="vc-endpoint",check="registered"'
        yield f"probe_{probe}_registered{{{at}}} {registered}"
        if probe == "h323":
            yield f"probe_h323_duration_seconds{{{at}}} 0.03"
    for site, calls, loss, last in (("xa-a", 0, 0.0, 0.04), ("xa-b", 1, 0.02, 0.001)):
        at = f'site="{site}",target="{site}/vc-endpoint",kind="vc-endpoint",check="snmp"'
        yield f"room_calls{{{at}}} {calls}"
        yield f"room_loss_ratio{{{at}}} {loss}"
        yield f"room_last_call_loss_ratio{{{at}}} {last}"
    for site, mtu, kept in (("xa-kim-dong", 1400, 0), ("xa-b", 1500, 1)):
        at = f'site="{site}",target="{site}/vc-endpoint",kind="vc-endpoint",check="path"'
        yield f"probe_path_mtu_bytes{{{at}}} {mtu}"
        yield f'probe_path_dscp_kept{{{at},dscp="46",direction="there"}} {kept}'
        yield f'probe_path_dscp_kept{{{at},dscp="46",direction="back"}} 1'
    for kind, check, measured in SERVERS:
        labels, told = _target("centre", kind, "service", 0)
        if check != "stun":  # asked of the TURN server too
            yield told
        yield f'probe_success{{{labels},check="{check}"}} 1'
        for (name, phase), value in measured.items():
            of_phase = phase and f',phase="{phase}"'
            yield f'probe_{name}{{{labels},check="{check}"{of_phase}}} {value}'
