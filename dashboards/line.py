"""One line: delay, loss and jitter of every echo, load, and how its provider's other lines are. Where a mail about a line leads."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import BigValueTextMode, GraphDrawStyle
from grafana_foundation_sdk.models.dashboard import VariableHide

from dashboards.frame import framed, incidents, maintenance, sites, variable
from dashboards.panels import columns, echoes, figure, in_colour, lines, router_ports, row_link, timeline, to, words
from dashboards.promql import FINE, JITTER_HURTS, LOSS_HURTS, lost, or_none, quantile, query, short, worked
from dashboards.states import DEGRADED, DOWN, PLAIN, STATES, WELL, colours

LINE = 'target="$target"'
ROUTER = 'site="$site", kind="router"'
RTT, JITTER = "monitor_echo_rtt_seconds", "monitor_echo_jitter_seconds"
PEERS = 'and on (site, target) monitor_link_info{provider="$provider"} and on (site, target) monitor_target_state{kind="$kind"}'
"""The lines of the same kind and provider, this one among them."""
LOSS_STEPS = colours((None, WELL), (LOSS_HURTS, DEGRADED), (0.05, DOWN))


def of_peers(part: float, histogram: str) -> str:
    """Quantile of all echoes of the provider's lines of this kind."""
    return f"histogram_quantile({part}, sum by (le) (rate({histogram}_bucket[$__rate_interval]) {PEERS}))"


def now() -> list[Builder[model.Panel]]:
    """How it is."""
    return [
        words(
            "Trạng thái", "State of the line", STATES, query(f"monitor_target_state{{{LINE}}}", "Đường", instant=True)
        ).text_mode(BigValueTextMode.VALUE),
        figure(
            "Khả dụng", "Part of the range shown in which the line worked, of the time that it was seen; the exact figure is the ledger's",
            "percentunit", colours((None, DOWN), (0.99, DEGRADED), (0.995, WELL)),
            query(worked(f"monitor_target_state{{{LINE}}}"), "Khả dụng", instant=True),
        ).decimals(2).max_data_points(FINE),
        figure(
            "Mất gói trong khoảng", "Echoes that did not come back, of the range shown", "percentunit", LOSS_STEPS,
            query(lost(LINE, "$__range"), "Mất", instant=True),
        ).decimals(2),
        figure(
            "Độ trễ trung vị", "Median round trip of the range shown", "s", PLAIN,
            query(quantile(0.5, RTT, LINE, window="$__range"), "Trung vị", instant=True),
        ),
        figure(
            "Độ biến thiên trễ 95 %", "95th percentile of the jitter of the range shown; video calls suffer above 30 ms", "s",
            colours((None, WELL), (JITTER_HURTS, DEGRADED), (0.1, DOWN)),
            query(quantile(0.95, JITTER, LINE, window="$__range"), "95 %", instant=True),
        ),
        figure(
            "Nhà cung cấp, mã kênh", "Provider and circuit, for the call", "none", PLAIN,
            query(f"monitor_link_info{{{LINE}}}", "{{provider}} {{circuit}}", instant=True),
        ).text_mode(BigValueTextMode.NAME).data_links([to("commune-providers", "Nhà cung cấp này", provider="$provider")]),
    ]  # fmt: skip


def seen() -> list[Builder[model.Panel]]:
    """Every echo."""
    return [
        echoes(
            "Độ trễ của từng gói", "Round trips of all echoes, one a second: how many fell between two bounds; a narrow band is a calm line, one that spreads upwards a queue",
            RTT, LINE,
        ),
        lines(
            "Mất gói theo thời gian", "Echoes that did not come back, counted", "percentunit", query(lost(LINE), "Mất gói")
        ).draw_style(GraphDrawStyle.BARS).fill_opacity(80).span(12),
        lines(
            "Độ trễ: 5 %, trung vị, 95 %, 99 %", "Percentiles of the round trip", "s",
            *(
                query(quantile(part, RTT, LINE), text, letter)
                for part, text, letter in ((0.05, "5 %", "A"), (0.5, "50 %", "B"), (0.95, "95 %", "C"), (0.99, "99 %", "D"))
            ),
        ).span(12),
        lines(
            "Độ biến thiên trễ: trung vị, 95 %", "Jitter: median and 95th percentile of the difference of each round trip to the one before", "s",
            query(quantile(0.5, JITTER, LINE), "50 %"), query(quantile(0.95, JITTER, LINE), "95 %", "B"), hurts_from=JITTER_HURTS,
        ).span(12),
        lines(
            "Đổi đường đi", "TTL of the replies: a jump is another way through the provider's network", "none",
            query(f"max by (check) (probe_icmp_reply_hop_limit{{{LINE}}})", "TTL {{check}}"),
        ).span(12),
        timeline(
            "Đường này và những gì cùng nơi", "States at the site over time: with the UPS, or alone?", STATES,
            query(short('monitor_target_state{site="$site", role!="service"}'), "{{thing}}"),
        ).span(24),
    ]  # fmt: skip


def worst_peers() -> table.Panel:
    """Is it this line alone."""
    loss = f"avg_over_time(monitor_loss_ratio[$__range]) {PEERS}"
    worst = f"topk(15, max by (site, target) ({loss})) * on (site) group_left (name, area) monitor_site_info"
    texts = {
        "name": "Nơi",
        "area": "Khu vực",
        "Value #B": "Trạng thái",
        "Value #A": "Mất gói",
        "target": "Đường",
        "site": "Mã",
    }
    link = row_link("commune-line", "Đường truyền này", target="${__value.text}", site='${__data.fields["Mã"]}')
    return columns(
        "Các đường khác của nhà cung cấp", "The provider's lines of this kind that lost most in the range shown", texts,
        query(worst, as_table=True),
        query(f"max by (site, target) (monitor_target_state {PEERS} and on (site, target) {worst})", letter="B", as_table=True),
        settings={
            "Value #A": {"unit": "percentunit", "decimals": 2}, "Value #B": in_colour(STATES), "target": {"links": [link]},
        },
        worst="Value #A",
    )  # fmt: skip


def beside_others() -> list[Builder[model.Panel]]:
    """Is it this line alone, or all that its provider delivers."""
    loss = f"avg by (check) (monitor_loss_ratio {PEERS})"
    return [
        lines(
            "Độ trễ so với các đường cùng nhà cung cấp", "Median round trip of this line, and of all of the provider's lines of this kind", "s",
            query(quantile(0.5, RTT, LINE), "Đường này"), query(of_peers(0.5, RTT), "Tất cả: trung vị", "B"),
            query(of_peers(0.95, RTT), "Tất cả: 95 %", "C"),
        ).span(12),
        lines(
            "Mất gói so với các đường cùng nhà cung cấp", "Loss of this line, and the mean of all of the provider's lines of this kind", "percentunit",
            query(f"max by (check) (monitor_loss_ratio{{{LINE}}})", "Đường này"), query(loss, "Tất cả: trung bình", "B"),
        ).span(12),
        worst_peers().span(16),
        lines(
            "Đường cùng nhà cung cấp đang ngừng", "Lines of this kind of the provider that are down", "short",
            query(or_none(f"count(monitor_target_state == 2 {PEERS})"), "Ngừng"),
        ).height(10),
    ]  # fmt: skip


def dashboard() -> boards.Dashboard:
    """What is wrong with this line, is it full or faulty, and is it this line alone."""
    provider = f"label_values(monitor_link_info{{{LINE}}}, provider)"
    kind = f"label_values(monitor_target_state{{{LINE}}}, kind)"
    return framed(
        "commune-line", "Một đường truyền",
        "One line: every echo of it, is it full or faulty, and is it this line alone.",
        [
            sites("monitor_site_info"),
            variable("target", "Đường", 'label_values(monitor_target_state{role="link", site="$site"}, target)'),
            variable("provider", "Nhà cung cấp", provider).hide(VariableHide.HIDE_VARIABLE),
            variable("kind", "Loại đường", kind).hide(VariableHide.HIDE_VARIABLE),
        ],
        {
            "Hiện trạng": now(), "Từng gói": seen(), "Tải và lỗi": router_ports(ROUTER), "So với các đường khác": beside_others(),
        },
        marks=[incidents('site="$site"'), maintenance('site="$site"')],
    )  # fmt: skip
