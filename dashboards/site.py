"""One commune: its two lines, local network, power, video-conference room and web page. Where a mail about a device leads."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model

from dashboards.frame import framed, incidents, maintenance, sites
from dashboards.panels import DAYS, TO_LINE, bars, figure, lines, open_incidents, router_ports, stacked, timeline, words
from dashboards.promql import ERRORS_HURT, FULL, JITTER_HURTS, lost, or_none, quantile, query, rank, short
from dashboards.states import DEGRADED, DOWN, HURT, PLAIN, STATES, WELL, YES_NO, colours

HERE = 'site="$site"'
ROUTER = f'{HERE}, kind="router"'
OF_DEVICES = f'and on (site, target) monitor_target_state{{{HERE}, role="device"}}'
BUSY = "snmp_cpu_ratio|snmp_memory_ratio|snmp_disk_ratio"
BATTERY = "upsBatteryLow|upsReplaceBattery"
LINE = "site, target, "


def now() -> list[Builder[model.Panel]]:
    """How it is, and since when."""
    return [
        words("Cả xã, phường", "The worst state of all that it has", HURT, query(f"max({rank(HERE)})", "Chung", instant=True)).height(5),
        words(
            "Từng đối tượng", "The state of each thing", STATES,
            query(short(f"monitor_target_state{{{HERE}}}"), "{{thing}}", instant=True),
        ).height(5).span(20),
        timeline(
            "Trạng thái theo thời gian", "State of each thing over time", STATES,
            query(short(f"monitor_target_state{{{HERE}}}"), "{{thing}}"),
        ).span(16),
        open_incidents(HERE).span(8),
    ]  # fmt: skip


def both_lines() -> list[Builder[model.Panel]]:
    """The lines, side by side."""
    return [
        lines(
            "Mất gói", "Echoes that did not come back, of each line", "percentunit",
            query(short(lost(HERE)), "{{thing}}"),
        ).data_links([TO_LINE]),
        lines(
            "Độ trễ: trung vị", "Median round trip of each line", "s",
            query(short(quantile(0.5, "monitor_echo_rtt_seconds", HERE, LINE)), "{{thing}}"),
        ).data_links([TO_LINE]),
        lines(
            "Độ biến thiên trễ: 95 %", "95th percentile of the jitter; video calls suffer above 30 ms", "s",
            query(short(quantile(0.95, "monitor_echo_jitter_seconds", HERE, LINE)), "{{thing}}"), hurts_from=JITTER_HURTS,
        ).data_links([TO_LINE]),
        *router_ports(ROUTER),
    ]  # fmt: skip


def local_network() -> list[Builder[model.Panel]]:
    """Router, switch and what hangs on them."""
    port = "{{thing}} {{ifName}}"
    return [
        lines(
            "Thiết bị không trả lời", "Part of the echoes in the check's window that a device did not answer", "percentunit",
            query(short(f"max by (site, target) (monitor_loss_ratio{{{HERE}}} {OF_DEVICES})"), "{{thing}}"),
        ),
        timeline(
            "Cổng mạng", "Ports that are switched on and do not work", {0: ("✓ Tốt", WELL), 1: ("✕ Mất kết nối", DOWN)},
            query(short(f"snmp_if_down{{{HERE}}}"), port),
        ).span(8),
        lines(
            "Gói lỗi tại cổng", "Packets with errors, by port; above 1 % look at cable and plug", "percentunit",
            query(short(f"snmp_if_error_ratio{{{HERE}}}"), port), hurts_from=ERRORS_HURT,
        ),
        figure(
            "Chạy liên tục", "Since each device last started", "s", PLAIN,
            query(short(f"snmp_uptime_seconds{{{HERE}}}"), "{{thing}}", instant=True),
        ).height(8).span(8),
        lines(
            "Thiết bị bận", "Processor, memory and disk of the devices that are asked for them", "percentunit",
            query(short(or_none(f'{{__name__=~"{BUSY}", {HERE}}}', __name__="–", target="-/Không đo")), "{{thing}} {{__name__}}"),
            hurts_from=FULL,
        ).span(16),
    ]  # fmt: skip


def power() -> list[Builder[model.Panel]]:
    """The UPS."""
    return [
        timeline(
            "Nguồn điện", "What the UPS runs on", {0: ("✓ Điện lưới", WELL), 1: ("△ Ắc quy", DEGRADED)},
            query(short(f"upsOnBattery{{{HERE}}}"), "{{thing}}"),
        ).span(10),
        words(
            "Ắc quy của UPS", "What the UPS tells of its battery; whether it must be replaced not every UPS knows", YES_NO,
            query(f'max by (__name__) ({{__name__=~"{BATTERY}", {HERE}}})', "{{__name__}}", instant=True),
        )
        .override_by_name("upsBatteryLow", [model.DynamicConfigValue(id_val="displayName", value="Yếu")])
        .override_by_name("upsReplaceBattery", [model.DynamicConfigValue(id_val="displayName", value="Cần thay")])
        .height(8),
        lines(
            "UPS: còn chạy được", "Minutes that the UPS would last", "m",
            query(short(f"upsEstimatedMinutesRemaining{{{HERE}}}"), "{{thing}}"),
        ).span(5),
        lines(
            "UPS: mức ắc quy", "Charge of its battery", "percent",
            query(short(f"upsEstimatedChargeRemaining{{{HERE}}}"), "{{thing}}"),
        ).max(100).span(5),
    ]  # fmt: skip


def room_and_page() -> list[Builder[model.Panel]]:
    """The video-conference room, and what people open."""
    room = f'{{{HERE}, kind="vc-endpoint"}}'
    return [
        timeline(
            "Phòng họp: các phép đo", "Whether the endpoint of the room answered, by check", {0: ("✕ Không", DOWN), 1: ("✓ Trả lời", WELL)},
            query(short(f"probe_success{room}"), "{{thing}} {{check}}"),
        ).span(8),
        lines(
            "Phòng họp: thời gian trả lời", "How long the endpoint takes to answer SIP OPTIONS", "s",
            query(short(f"probe_sip_duration_seconds{room}"), "{{thing}}"),
        ),
        stacked(
            lines(
                "Trang thông tin: thời gian theo pha", "How long the page takes, by phase", "s",
                query(f"sum by (phase) (probe_http_duration_seconds{{{HERE}}})", "{{phase}}"),
            )
        ),
        figure(
            "Mã trả lời của trang", "HTTP status of the page", "none", colours((None, WELL), (400, DOWN)),
            query(short(f"probe_http_status_code{{{HERE}}}"), "{{thing}}", instant=True),
        ).span(12),
        bars(
            "Chứng thư số còn hạn", "Days that certificates are still valid", DAYS,
            colours((None, DOWN), (14, DEGRADED), (30, WELL)),
            query(short(f"probe_ssl_days_left{{{HERE}}}"), "{{thing}}", instant=True),
        ).height(4).span(12),
    ]  # fmt: skip


def dashboard() -> boards.Dashboard:
    """What is wrong in this commune, and is it line, power, local network or device."""
    return framed(
        "commune-site", "Một xã, phường",
        "One site: what is wrong there, and is it line, power, local network or device. Sites without a commune's equipment lack panels.",
        [sites("monitor_site_info")],
        {
            "Hiện trạng": now(), "Hai đường truyền": both_lines(), "Mạng nội bộ": local_network(),
            "Nguồn điện": power(), "Phòng họp và trang thông tin": room_and_page(),
        },
        marks=[incidents(HERE), maintenance(HERE)],
    )  # fmt: skip
