"""One commune: its two lines, local network, power, video-conference room and web page. Where a mail about a device leads."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model

from dashboards.frame import framed, incidents, maintenance, sites
from dashboards.panels import (
    DAYS,
    NOT_MEASURED,
    TO_LINE,
    bars,
    figure,
    lines,
    open_incidents,
    renamed,
    router_ports,
    stacked,
    timeline,
    words,
)
from dashboards.promql import ERRORS_HURT, FULL, JITTER_HURTS, NOTHING, lost, or_none, quantile, query, rank, short
from dashboards.states import DEGRADED, DOWN, ENDING, HURT, PASSED, PLAIN, STATES, WELL, YES_NO, colours
from dashboards.texts import Text

HERE = 'site="$site"'
ROUTER = f'{HERE}, kind="router"'
OF_DEVICES = f'and on (site, target) monitor_target_state{{{HERE}, role="device"}}'
BUSY = "snmp_cpu_ratio|snmp_memory_ratio|snmp_disk_ratio"
BATTERY = "upsBatteryLow|upsReplaceBattery"
LINE = "site, target, "


def now() -> list[Builder[model.Panel]]:
    """How it is, and since when."""
    return [
        words(
            Text("Cả xã, phường", "The whole commune"),
            Text("Trạng thái xấu nhất trong mọi thứ ở đây", "The worst state of all that it has"), HURT,
            query(f"max({rank(HERE)})", Text("Chung", "Overall"), instant=True),
        ).height(5),
        words(
            Text("Từng đối tượng", "Each thing"), Text("Trạng thái của từng đối tượng", "The state of each thing"), STATES,
            query(short(f"monitor_target_state{{{HERE}}}"), "{{thing}}", instant=True),
        ).height(5).span(20),
        timeline(
            Text("Trạng thái theo thời gian", "States over time"),
            Text("Trạng thái của từng đối tượng theo thời gian", "State of each thing over time"), STATES,
            query(short(f"monitor_target_state{{{HERE}}}"), "{{thing}}"),
        ).span(16),
        open_incidents(HERE).span(8),
    ]  # fmt: skip


def both_lines() -> list[Builder[model.Panel]]:
    """The lines, side by side."""
    return [
        lines(
            Text("Mất gói", "Loss"),
            Text("Phần gói thử không quay về, trên từng đường", "Echoes that did not come back, of each line"), "percentunit",
            query(short(lost(HERE)), "{{thing}}"),
        ).data_links([TO_LINE]),
        lines(
            Text("Độ trễ: trung vị", "Delay: median"),
            Text("Thời gian khứ hồi trung vị của từng đường", "Median round trip of each line"), "s",
            query(short(quantile(0.5, "monitor_echo_rtt_seconds", HERE, LINE)), "{{thing}}"),
        ).data_links([TO_LINE]),
        lines(
            Text("Độ biến thiên trễ: 95 %", "Jitter: 95 %"),
            Text(
                "Phân vị 95 % của độ biến thiên trễ; trên 30 ms thì họp trực tuyến bị ảnh hưởng",
                "95th percentile of the jitter; video calls suffer above 30 ms",
            ),
            "s", query(short(quantile(0.95, "monitor_echo_jitter_seconds", HERE, LINE)), "{{thing}}"), hurts_from=JITTER_HURTS,
        ).data_links([TO_LINE]),
        *router_ports(ROUTER),
    ]  # fmt: skip


def local_network() -> list[Builder[model.Panel]]:
    """Router, switch and what hangs on them."""
    port = "{{thing}} {{ifName}}"
    busy = or_none(short(f'{{__name__=~"{BUSY}", {HERE}}}'), "__name__", "thing")
    return [
        lines(
            Text("Thiết bị không trả lời", "Devices that do not answer"),
            Text(
                "Phần gói thử mà thiết bị không trả lời, trong cửa sổ của phép đo",
                "Part of the echoes in the check's window that a device did not answer",
            ),
            "percentunit", query(short(f"max by (site, target) (monitor_loss_ratio{{{HERE}}} {OF_DEVICES})"), "{{thing}}"),
        ),
        timeline(
            Text("Cổng mạng", "Ports"), Text("Cổng đang bật mà không hoạt động", "Ports that are switched on and do not work"),
            {0: (Text("✓ Tốt", "✓ Good"), WELL), 1: (Text("✕ Mất kết nối", "✕ Not connected"), DOWN)},
            query(short(f"snmp_if_down{{{HERE}}}"), port),
        ).span(8),
        lines(
            Text("Gói lỗi tại cổng", "Errors by port"),
            Text(
                "Phần gói tin bị lỗi, theo cổng; trên 1 % thì xem lại dây và đầu cắm",
                "Packets with errors, by port; above 1 % look at cable and plug",
            ),
            "percentunit", query(short(f"snmp_if_error_ratio{{{HERE}}}"), port), hurts_from=ERRORS_HURT,
        ),
        figure(
            Text("Chạy liên tục", "Running for"),
            Text("Thời gian từ khi mỗi thiết bị khởi động lần cuối", "Since each device last started"), "s", PLAIN,
            query(short(f"snmp_uptime_seconds{{{HERE}}}"), "{{thing}}", instant=True),
        ).height(8).span(8),
        renamed(
            lines(
                Text("Thiết bị bận", "Busy devices"),
                Text(
                    "Bộ xử lý, bộ nhớ và ổ đĩa của các thiết bị được hỏi các số liệu này",
                    "Processor, memory and disk of the devices that are asked for them",
                ),
                "percentunit", query(busy, "{{thing}} {{__name__}}"), hurts_from=FULL,
            ),
            {f"{NOTHING} {NOTHING}": NOT_MEASURED},
        ).span(16),
    ]  # fmt: skip


def power() -> list[Builder[model.Panel]]:
    """The UPS."""
    return [
        timeline(
            Text("Nguồn điện", "Power"), Text("UPS đang chạy bằng nguồn nào", "What the UPS runs on"),
            {0: (Text("✓ Điện lưới", "✓ Mains"), WELL), 1: (Text("△ Ắc quy", "△ Battery"), DEGRADED)},
            query(short(f"upsOnBattery{{{HERE}}}"), "{{thing}}"),
        ).span(10),
        renamed(
            words(
                Text("Ắc quy của UPS", "Battery of the UPS"),
                Text(
                    "UPS báo gì về ắc quy của mình; không phải UPS nào cũng biết khi nào cần thay",
                    "What the UPS tells of its battery; whether it must be replaced not every UPS knows",
                ),
                YES_NO, query(f'max by (__name__) ({{__name__=~"{BATTERY}", {HERE}}})', "{{__name__}}", instant=True),
            ),
            {"upsBatteryLow": Text("Yếu", "Low"), "upsReplaceBattery": Text("Cần thay", "To be replaced")},
        ).height(8),
        lines(
            Text("UPS: còn chạy được", "UPS: time left"), Text("Số phút UPS còn chạy được", "Minutes that the UPS would last"), "m",
            query(short(f"upsEstimatedMinutesRemaining{{{HERE}}}"), "{{thing}}"),
        ).span(5),
        lines(
            Text("UPS: mức ắc quy", "UPS: charge"), Text("Mức điện còn trong ắc quy", "Charge of its battery"), "percent",
            query(short(f"upsEstimatedChargeRemaining{{{HERE}}}"), "{{thing}}"),
        ).max(100).span(5),
    ]  # fmt: skip


def room_and_page() -> list[Builder[model.Panel]]:
    """The video-conference room, and what people open."""
    room = f'{{{HERE}, kind="vc-endpoint"}}'
    return [
        timeline(
            Text("Phòng họp: các phép đo", "Room: its checks"),
            Text("Thiết bị của phòng họp có trả lời không, theo phép đo", "Whether the endpoint of the room answered, by check"), PASSED,
            query(short(f"probe_success{room}"), "{{thing}} {{check}}"),
        ).span(8),
        lines(
            Text("Phòng họp: thời gian trả lời", "Room: time to answer"),
            Text("Thiết bị mất bao lâu để trả lời SIP OPTIONS", "How long the endpoint takes to answer SIP OPTIONS"), "s",
            query(short(f"probe_sip_duration_seconds{room}"), "{{thing}}"),
        ),
        stacked(
            lines(
                Text("Trang thông tin: thời gian theo pha", "Web page: time by phase"),
                Text("Trang mất bao lâu, theo từng pha", "How long the page takes, by phase"), "s",
                query(f"sum by (phase) (probe_http_duration_seconds{{{HERE}}})", "{{phase}}"),
            )
        ),
        figure(
            Text("Mã trả lời của trang", "Status of the page"), Text("Mã HTTP mà trang trả lời", "HTTP status of the page"), "none",
            colours((None, WELL), (400, DOWN)), query(short(f"probe_http_status_code{{{HERE}}}"), "{{thing}}", instant=True),
        ).span(12),
        bars(
            Text("Chứng thư số còn hạn", "Certificates: days left"),
            Text("Số ngày chứng thư số còn hạn", "Days that certificates are still valid"), DAYS,
            ENDING, query(short(f"probe_ssl_days_left{{{HERE}}}"), "{{thing}}", instant=True),
        ).height(4).span(12),
    ]  # fmt: skip


def dashboard() -> boards.Dashboard:
    """What is wrong in this commune, and is it line, power, local network or device."""
    return framed(
        "commune-site", Text("Một xã, phường", "One commune"),
        Text(
            "Một nơi: đang hỏng cái gì, do đường truyền, nguồn điện, mạng nội bộ hay thiết bị. Nơi không có thiết bị của xã thì thiếu một số ô.",
            "One site: what is wrong there, and is it line, power, local network or device. Sites without a commune's equipment lack panels.",
        ),
        [sites("monitor_site_info")],
        {
            Text("Hiện trạng", "Now"): now(),
            Text("Hai đường truyền", "Both lines"): both_lines(),
            Text("Mạng nội bộ", "Local network"): local_network(),
            Text("Nguồn điện", "Mains and UPS"): power(),
            Text("Phòng họp và trang thông tin", "Room and web page"): room_and_page(),
        },
        marks=[incidents(HERE), maintenance(HERE)],
    )  # fmt: skip
