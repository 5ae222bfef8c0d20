"""One line: delay, loss and jitter of every echo, load, and how its provider's other lines are. Where a mail about a line leads."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import BigValueTextMode, GraphDrawStyle
from grafana_foundation_sdk.models.dashboard import VariableHide

from dashboards.frame import framed, incidents, maintenance, sites, variable
from dashboards.panels import (
    THIS_LINE,
    THIS_PROVIDER,
    columns,
    echoes,
    figure,
    in_colour,
    lines,
    router_ports,
    row_link,
    timeline,
    to,
    words,
)
from dashboards.promql import FINE, JITTER_HURTS, LOSS_HURTS, lost, or_none, quantile, query, short, worked
from dashboards.states import DEGRADED, DOWN, PLAIN, STATES, WELL, colours
from dashboards.texts import Text

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
    worked_in_range = Text("Khả dụng", "Availability")
    return [
        words(
            Text("Trạng thái", "State"), Text("Trạng thái của đường", "State of the line"), STATES,
            query(f"monitor_target_state{{{LINE}}}", Text("Đường", "Line"), instant=True),
        ).text_mode(BigValueTextMode.VALUE),
        figure(
            worked_in_range,
            Text(
                "Phần thời gian đường hoạt động trong khoảng đang xem, tính trên thời gian quan sát được; con số chính xác là của sổ theo dõi",
                "Part of the range shown in which the line worked, of the time that it was seen; the exact figure is the ledger's",
            ),
            "percentunit", colours((None, DOWN), (0.99, DEGRADED), (0.995, WELL)),
            query(worked(f"monitor_target_state{{{LINE}}}"), worked_in_range, instant=True),
        ).decimals(2).max_data_points(FINE),
        figure(
            Text("Mất gói trong khoảng", "Loss in the range"),
            Text("Phần gói thử không quay về trong khoảng đang xem", "Echoes that did not come back, of the range shown"), "percentunit",
            LOSS_STEPS, query(lost(LINE, "$__range"), Text("Mất", "Lost"), instant=True),
        ).decimals(2),
        figure(
            Text("Độ trễ trung vị", "Median delay"),
            Text("Thời gian khứ hồi trung vị trong khoảng đang xem", "Median round trip of the range shown"), "s", PLAIN,
            query(quantile(0.5, RTT, LINE, window="$__range"), Text("Trung vị", "Median"), instant=True),
        ),
        figure(
            Text("Độ biến thiên trễ 95 %", "Jitter, 95 %"),
            Text(
                "Phân vị 95 % của độ biến thiên trễ trong khoảng đang xem; trên 30 ms thì họp trực tuyến bị ảnh hưởng",
                "95th percentile of the jitter of the range shown; video calls suffer above 30 ms",
            ),
            "s", colours((None, WELL), (JITTER_HURTS, DEGRADED), (0.1, DOWN)),
            query(quantile(0.95, JITTER, LINE, window="$__range"), "95 %", instant=True),
        ),
        figure(
            Text("Nhà cung cấp, mã kênh", "Provider, circuit"),
            Text("Nhà cung cấp và mã kênh, để gọi điện báo hỏng", "Provider and circuit, for the call"), "none", PLAIN,
            query(f"monitor_link_info{{{LINE}}}", "{{provider}} {{circuit}}", instant=True),
        ).text_mode(BigValueTextMode.NAME).data_links([to("commune-providers", THIS_PROVIDER, provider="$provider")]),
    ]  # fmt: skip


def seen() -> list[Builder[model.Panel]]:
    """Every echo."""
    return [
        echoes(
            Text("Độ trễ của từng gói", "Delay of every echo"),
            Text(
                "Thời gian khứ hồi của mọi gói thử, mỗi giây một gói: bao nhiêu gói rơi vào giữa hai mức; dải hẹp là đường êm, dải loe lên trên là đang xếp hàng",
                "Round trips of all echoes, one a second: how many fell between two bounds; a narrow band is a calm line, one that spreads upwards a queue",
            ),
            RTT, LINE,
        ),
        lines(
            Text("Mất gói theo thời gian", "Loss over time"),
            Text("Phần gói thử không quay về, đếm từng gói", "Echoes that did not come back, counted"), "percentunit",
            query(lost(LINE), Text("Mất gói", "Loss")),
        ).draw_style(GraphDrawStyle.BARS).fill_opacity(80).span(12),
        lines(
            Text("Độ trễ: 5 %, trung vị, 95 %, 99 %", "Delay: 5 %, median, 95 %, 99 %"),
            Text("Các phân vị của thời gian khứ hồi", "Percentiles of the round trip"), "s",
            *(
                query(quantile(part, RTT, LINE), text, letter)
                for part, text, letter in ((0.05, "5 %", "A"), (0.5, "50 %", "B"), (0.95, "95 %", "C"), (0.99, "99 %", "D"))
            ),
        ).span(12),
        lines(
            Text("Độ biến thiên trễ: trung vị, 95 %", "Jitter: median, 95 %"),
            Text(
                "Trung vị và phân vị 95 % của chênh lệch giữa mỗi thời gian khứ hồi và lần trước đó",
                "Median and 95th percentile of the difference of each round trip to the one before",
            ),
            "s", query(quantile(0.5, JITTER, LINE), "50 %"), query(quantile(0.95, JITTER, LINE), "95 %", "B"), hurts_from=JITTER_HURTS,
        ).span(12),
        lines(
            Text("Đổi đường đi", "Changes of the way"),
            Text(
                "TTL của gói trả lời: nhảy bậc là đã đi lối khác trong mạng của nhà cung cấp",
                "TTL of the replies: a jump is another way through the provider's network",
            ),
            "none", query(f"max by (check) (probe_icmp_reply_hop_limit{{{LINE}}})", "TTL {{check}}"),
        ).span(12),
        timeline(
            Text("Đường này và những gì cùng nơi", "This line and what is at its site"),
            Text("Trạng thái mọi thứ cùng nơi theo thời gian: cùng mất với UPS, hay chỉ riêng đường?", "States at the site over time: with the UPS, or alone?"),
            STATES, query(short('monitor_target_state{site="$site", role!="service"}'), "{{thing}}"),
        ).span(24),
    ]  # fmt: skip


def worst_peers() -> table.Panel:
    """Is it this line alone."""
    loss = f"avg_over_time(monitor_loss_ratio[$__range]) {PEERS}"
    worst = f"topk(15, max by (site, target) ({loss})) * on (site) group_left (name, area) monitor_site_info"
    texts = {
        "name": Text("Nơi", "Site"),
        "area": Text("Khu vực", "Area"),
        "Value #B": Text("Trạng thái", "State"),
        "Value #A": Text("Mất gói", "Loss"),
        "target": Text("Đường", "Line"),
        "site": Text("Mã", "Id"),
    }
    link = row_link("commune-line", THIS_LINE, target="${__value.text}", site="${__data.fields.site}")
    return columns(
        Text("Các đường khác của nhà cung cấp", "Other lines of the provider"),
        Text(
            "Các đường cùng loại của nhà cung cấp mất gói nhiều nhất trong khoảng đang xem",
            "The provider's lines of this kind that lost most in the range shown",
        ),
        texts,
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
    this = Text("Đường này", "This line")
    return [
        lines(
            Text("Độ trễ so với các đường cùng nhà cung cấp", "Delay beside the provider's other lines"),
            Text(
                "Thời gian khứ hồi trung vị của đường này, và của mọi đường cùng loại của nhà cung cấp",
                "Median round trip of this line, and of all of the provider's lines of this kind",
            ),
            "s", query(quantile(0.5, RTT, LINE), this), query(of_peers(0.5, RTT), Text("Tất cả: trung vị", "All: median"), "B"),
            query(of_peers(0.95, RTT), Text("Tất cả: 95 %", "All: 95 %"), "C"),
        ).span(12),
        lines(
            Text("Mất gói so với các đường cùng nhà cung cấp", "Loss beside the provider's other lines"),
            Text(
                "Tỷ lệ mất gói của đường này, và trung bình của mọi đường cùng loại của nhà cung cấp",
                "Loss of this line, and the mean of all of the provider's lines of this kind",
            ),
            "percentunit", query(f"max by (check) (monitor_loss_ratio{{{LINE}}})", this),
            query(loss, Text("Tất cả: trung bình", "All: mean"), "B"),
        ).span(12),
        worst_peers().span(16),
        lines(
            Text("Đường cùng nhà cung cấp đang ngừng", "The provider's lines that are down"),
            Text("Số đường cùng loại của nhà cung cấp đang ngừng", "Lines of this kind of the provider that are down"), "short",
            query(or_none(f"count(monitor_target_state == 2 {PEERS})"), Text("Ngừng", "Down")),
        ).height(10),
    ]  # fmt: skip


def dashboard() -> boards.Dashboard:
    """What is wrong with this line, is it full or faulty, and is it this line alone."""
    provider = f"label_values(monitor_link_info{{{LINE}}}, provider)"
    kind = f"label_values(monitor_target_state{{{LINE}}}, kind)"
    return framed(
        "commune-line", Text("Một đường truyền", "One line"),
        Text(
            "Một đường: mọi gói thử trên đường, đường bị đầy hay bị lỗi, và có phải chỉ riêng đường này không.",
            "One line: every echo of it, is it full or faulty, and is it this line alone.",
        ),
        [
            sites("monitor_site_info"),
            variable("target", Text("Đường", "Line"), 'label_values(monitor_target_state{role="link", site="$site"}, target)'),
            variable("provider", Text("Nhà cung cấp", "Provider"), provider).hide(VariableHide.HIDE_VARIABLE),
            variable("kind", Text("Loại đường", "Kind of line"), kind).hide(VariableHide.HIDE_VARIABLE),
        ],
        {
            Text("Hiện trạng", "Now"): now(),
            Text("Từng gói", "Every echo"): seen(),
            Text("Tải và lỗi", "Load and errors"): router_ports(ROUTER),
            Text("So với các đường khác", "Beside other lines"): beside_others(),
        },
        marks=[incidents('site="$site"'), maintenance('site="$site"')],
    )  # fmt: skip
