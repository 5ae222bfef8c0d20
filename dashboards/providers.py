"""What each provider delivers: availability with and without what is not its fault, loss and delay, and which lines are worst."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model

from dashboards.frame import framed, incidents, maintenance, variable
from dashboards.panels import THIS_LINE, bars, columns, lines, renamed, row_link
from dashboards.promql import FINE, JITTER_HURTS, LOSS_HURTS, NOTHING, PROVIDER, lost, or_none, query, worked
from dashboards.states import DEGRADED, DOWN, NONE_IS_WELL, WELL, colours
from dashboards.texts import Text

OF = 'monitor_link_info{provider=~"$provider"}'
LINES = f'(monitor_target_state{{role="link", kind=~"$kind"}} and on (site, target) {OF})'
NOT_PLANNED = "unless on (site, target) (monitor_target_maintenance == 1)"
NOT_POWER = 'unless on (site) monitor_incident_info{cause="power"}'
EXCUSED = f"({LINES} {NOT_PLANNED} {NOT_POWER})"
CONTRACT = colours((None, DOWN), (0.99, DEGRADED), (0.995, WELL))


def of_provider(states: str) -> str:
    """Availability of all lines of a provider together, each weighed by its time."""
    up, seen = (f"sum by (provider) ({worked(states, each)} * {PROVIDER})" for each in ("sum", "count"))
    return f"{up} / {seen}"


def availability() -> list[Builder[model.Panel]]:
    """What was delivered in the range shown."""
    told = (
        (
            Text("Khả dụng: tất cả", "Availability: all"),
            Text(
                "Khả dụng của các đường trong khoảng đang xem, bất kể lý do",
                "Availability of its lines in the range shown, whatever the reason",
            ), LINES,
        ),
        (
            Text("Khả dụng: không tính bảo trì", "Availability without maintenance"),
            Text("Như trên, không tính công việc đã báo trước", "The same without announced work"), f"{LINES} {NOT_PLANNED}",
        ),
        (
            Text("Khả dụng: không tính mất điện", "Availability without power cuts"),
            Text(
                "Như trên, không tính thời gian mà nơi đó có sự cố mất điện",
                "The same without the time in which an incident of the site was a power cut",
            ), f"{LINES} {NOT_POWER}",
        ),
        (
            Text("Khả dụng: không tính cả hai", "Availability without both"),
            Text(
                "Như trên, không tính cả hai: con số để đối chiếu với hợp đồng; con số chính xác là của sổ theo dõi",
                "The same without both: what the contract is held against; the exact figure is the ledger's",
            ), EXCUSED,
        ),
    )  # fmt: skip
    return [
        bars(title, about, "percentunit", CONTRACT, query(of_provider(states), "{{provider}}", instant=True))
        .max(1).decimals(3).max_data_points(FINE).height(6).span(6)
        for title, about, states in told
    ]  # fmt: skip


def now() -> list[Builder[model.Panel]]:
    """How it is, and how it was."""
    down = f"sum by (provider) (({LINES} == bool 2) * {PROVIDER})"
    state = f"sum by (provider) (({EXCUSED} == bool 2) * {PROVIDER})"
    planned = f"sum by (provider) ((monitor_target_maintenance == 1 and on (site, target) {LINES}) * {PROVIDER})"
    losing = f"sum by (provider) (({lost('')} > bool {LOSS_HURTS} and on (site, target) {LINES}) * {PROVIDER})"
    return [
        bars(
            Text("Số đường", "Lines"), Text("Số đường được giám sát", "Lines that are watched"), "none", colours((None, WELL)),
            query(f"count by (provider) ({LINES} * {PROVIDER})", "{{provider}}", instant=True),
        ).height(6),
        bars(
            Text("Đang ngừng", "Down"), Text("Số đường đang ngừng", "Lines down now"), "none", NONE_IS_WELL,
            query(down, "{{provider}}", instant=True),
        ).decimals(0).height(6),
        renamed(
            bars(
                Text("Đang bảo trì", "In maintenance"),
                Text("Số đường đang có công việc đã báo trước", "Lines in announced work now"), "none",
                colours((None, WELL), (1, DEGRADED)), query(or_none(planned, "provider"), "{{provider}}", instant=True),
            ),
            {NOTHING: Text("Không có", "None")},
        ).decimals(0).height(6),
        lines(
            Text("Đường đang ngừng", "Lines down over time"),
            Text(
                "Số đường đang ngừng theo thời gian, không tính công việc đã báo trước và mất điện",
                "Lines down over time, without announced work and power cuts",
            ), "short", query(state, "{{provider}}"),
        ).span(12),
        lines(
            Text("Đường mất gói trên 1 %", "Lines that lose more than 1 %"),
            Text("Số đường mất gói trên 1 %, theo thời gian", "Lines that lose more than 1 %, over time"), "short",
            query(losing, "{{provider}}"),
        ).span(12),
    ]  # fmt: skip


def quality() -> list[Builder[model.Panel]]:
    """Loss, delay and jitter, of every echo of every line."""

    def of_echoes(part: float, histogram: str) -> str:
        rates = f"(rate({histogram}_bucket[$__rate_interval]) and on (site, target) {LINES}) * {PROVIDER}"
        return f"histogram_quantile({part}, sum by (provider, le) ({rates}))"

    return [
        lines(
            Text("Mất gói trung bình", "Mean loss"), Text("Tỷ lệ mất gói trung bình của mọi đường", "Mean loss of all lines"), "percentunit",
            query(f"avg by (provider) (({lost('')} and on (site, target) {LINES}) * {PROVIDER})", "{{provider}}"),
        ).span(12),
        lines(
            Text("Độ biến thiên trễ: 95 %", "Jitter: 95 %"),
            Text("Phân vị 95 % của độ biến thiên trễ của mọi gói thử", "95th percentile of the jitter of all echoes"), "s",
            query(of_echoes(0.95, "monitor_echo_jitter_seconds"), "{{provider}}"), hurts_from=JITTER_HURTS,
        ).span(12),
        lines(
            Text("Độ trễ: trung vị", "Delay: median"),
            Text("Thời gian khứ hồi trung vị của mọi gói thử", "Median round trip of all echoes"), "s",
            query(of_echoes(0.5, "monitor_echo_rtt_seconds"), "{{provider}}"),
        ).span(12),
        lines(
            Text("Độ trễ: 95 %", "Delay: 95 %"),
            Text("Phân vị 95 % của thời gian khứ hồi của mọi gói thử", "95th percentile of the round trip of all echoes"), "s",
            query(of_echoes(0.95, "monitor_echo_rtt_seconds"), "{{provider}}"),
        ).span(12),
    ]  # fmt: skip


def worst() -> table.Panel:
    """Whose circuits to talk about."""
    info = f"on (site, target) group_left (provider, circuit) {OF}"
    placed = "* on (site) group_left (name, area) monitor_site_info"
    texts = {
        "Value": Text("Khả dụng", "Availability"),
        "provider": Text("Nhà cung cấp", "Provider"),
        "name": Text("Nơi", "Site"),
        "area": Text("Khu vực", "Area"),
        "kind": Text("Loại", "Kind"),
        "circuit": Text("Mã kênh", "Circuit"),
        "target": Text("Đường", "Line"),
        "site": Text("Mã", "Id"),
    }
    link = row_link("commune-line", THIS_LINE, target="${__value.text}", site="${__data.fields.site}")
    return columns(
        Text("Đường kém nhất", "Worst lines"),
        Text(
            "Hai mươi đường hoạt động ít nhất trong khoảng đang xem, không tính công việc đã báo trước và mất điện",
            "The twenty lines that worked least in the range shown, without announced work and power cuts",
        ),
        texts, query(f"bottomk(20, max by (site, target, kind) ({worked(EXCUSED)})) * {info} {placed}", as_table=True),
        settings={"Value": {"unit": "percentunit", "decimals": 3}, "target": {"links": [link]}},
    ).max_data_points(FINE).span(24)  # fmt: skip


def dashboard() -> boards.Dashboard:
    """What each provider delivered, and which of its lines are worst."""
    return framed(
        "commune-providers", Text("Nhà cung cấp đường truyền", "Providers of lines"),
        Text(
            "Nhà cung cấp: mỗi nhà đã cung cấp được gì, và đường nào kém nhất.",
            "Providers: what each delivered, and which of its lines are worst.",
        ),
        [
            variable("provider", Text("Nhà cung cấp", "Provider"), "label_values(monitor_link_info, provider)", many=True),
            variable("kind", Text("Loại đường", "Kind of line"), 'label_values(monitor_target_state{role="link"}, kind)', many=True),
        ],
        {
            Text("Khả dụng trong khoảng đang xem", "Availability in the range shown"): availability(),
            Text("Hiện trạng", "Now"): now(),
            Text("Chất lượng", "Quality"): quality(),
            Text("Từng đường", "Each line"): [worst()],
        },
        marks=[incidents('cause=~"link|shared"'), maintenance('role="link"')], since="now-24h",
    )  # fmt: skip
