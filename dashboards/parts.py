"""What the dashboards are made of: the frame that all share, expressions that several panels use, panels with our own defaults."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, heatmap, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import heatmap as heat_model
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueTextMode,
    FieldTextAlignment,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TableAutoCellOptions,
    TableCellHeight,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

TAG = "commune-monitor"
SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")

# -- states and colours ------------------------------------------------------------------------------------------------

# Told apart also by people who see no red, no green or no blue (a test holds it), and never by colour alone: each has its sign.
WELL, DEGRADED, DOWN, CUT_OFF, UNKNOWN = "#3DBE8B", "#FFB000", "#C4162A", "#785EF0", "#60656B"

# By how much it hurts; the numbers of monitor_target_state are stable names and not an order.
RANKS = (
    (4, "✕ Ngừng", DOWN, 2),
    (3, "⊘ Bị cắt theo", CUT_OFF, 3),
    (2, "△ Suy giảm", DEGRADED, 1),
    (1, "? Chưa rõ", UNKNOWN, 4),
    (0, "✓ Bình thường", WELL, 0),
)
STATES = {state: (text, color) for _, text, color, state in sorted(RANKS, key=lambda each: each[3])}
"""What a number of monitor_target_state is called."""
HURT = {place: (text, color) for place, text, color, _ in RANKS}
"""What a number of `rank` is called."""
CAUSES = {
    "link": "Đường truyền",
    "power": "Mất điện",
    "lan": "Mạng nội bộ",
    "device": "Thiết bị",
    "service": "Dịch vụ",
    "shared": "Điểm dùng chung",
    "vantage": "Trạm giám sát",
}
SEVERITIES = {"critical": "Khẩn", "major": "Nặng", "minor": "Nhẹ"}
YES_NO = {0: ("✓ Không", WELL), 1: ("✕ Có", DOWN)}
GOOD_BAD = {0: ("✕ Lỗi", DOWN), 1: ("✓ Tốt", WELL)}


def called(texts: Mapping[int, tuple[str, str]]) -> list[model.ValueMapping]:
    """Words and colours in place of numbers."""
    return [
        model.ValueMap(
            options={
                str(value): model.ValueMappingResult(text=text, color=color, index=index)
                for index, (value, (text, color)) in enumerate(texts.items())
            }
        )
    ]


def colours(*steps: tuple[float | None, str]) -> boards.ThresholdsConfig:
    """Thresholds; the first step has no lower bound."""
    return boards.ThresholdsConfig().steps([model.Threshold(value=value, color=color) for value, color in steps])


PLAIN = colours((None, "text"))
NONE_IS_WELL = colours((None, WELL), (1, DOWN))


def rank_colours() -> boards.ThresholdsConfig:
    """The colours of `rank`, where words are not enough: points on a map."""
    lowest, *higher = [(float(value), color) for value, _, color, _ in reversed(RANKS)]
    return colours((None, lowest[1]), *higher)


# -- expressions -------------------------------------------------------------------------------------------------------

LOSS_HURTS, JITTER_HURTS, ERRORS_HURT, FULL = 0.01, 0.03, 0.01, 0.9
"""From where on people notice; the loss is that of ITU-T G.1010 for videophone."""
ANY_SITE = 'site=~"$site"'
COMMUNES = 'monitor_site_info{code!="", site=~"$site", area=~"$area"}'
COMMUNES_ALL = 'monitor_site_info{code!=""}'
SITES = 'monitor_site_info{site=~"$site", area=~"$area"}'
NONE = "0 * max(monitor_build_info)"
"""Zero as long as the daemon is scraped: when it is gone, a panel must say "no data" and not "nothing is down"."""
PROVIDER = "on (site, target) group_left (provider) monitor_link_info"


def rank(selector: str) -> str:
    """Targets by how much they hurt: 4 down, 3 unreachable, 2 degraded, 1 unknown, 0 up."""
    state = f"monitor_target_state{{{selector}}}"
    return "(" + " or ".join(f"({state} == {value}) * 0 + {rank}" for rank, _, _, value in RANKS) + ")"


WORST = f"max by (site) ({rank(ANY_SITE)})"
"""Each site by the worst of its targets."""


def or_none(expr: str, **labels: str) -> str:
    """An expression, or where it has no series a zero with these labels, as long as the daemon is scraped."""
    none = NONE
    for name, text in labels.items():
        none = f'label_replace({none}, "{name}", "{text}", "", "")'
    return f"{expr} or on () {none}"


def named(expr: str) -> str:
    """With the name of the site as label `name`."""
    return f"({expr}) * on (site) group_left (name) monitor_site_info"


def short(expr: str) -> str:
    """With the part of `target` behind the site as label `thing`."""
    return f'label_replace({expr}, "thing", "$1", "target", ".*/(.+)")'


def quantile(part: float, histogram: str, selector: str, by: str = "", window: str = "$__rate_interval") -> str:
    """Quantile of a histogram over a window, by `by` (with a comma behind each label) or of all together."""
    return f"histogram_quantile({part}, sum by ({by}le) (rate({histogram}_bucket{{{selector}}}[{window}])))"


def lost(selector: str, window: str = "$__rate_interval") -> str:
    """Part of the echoes that did not come back, counted and not sampled, by line."""
    gone = f"rate(monitor_echo_lost_total{{{selector}}}[{window}])"
    return f"({gone} / ({gone} + rate(monitor_echo_rtt_seconds_count{{{selector}}}[{window}])))"


FINE = 5000
"""Moments of a picture that tells of times: an outage of a month is seen to 9 minutes, of a day to the scrape."""


def worked(states: str, over: str = "avg") -> str:
    """Part of the range shown in which each worked, of the time that is known; by `sum` and `count` the two parts of it.

    As docs/availability.md has it, but of samples, one every interval of the panel, which is to have `FINE` moments: near to the ledger's exact figure.
    """
    return f"{over}_over_time(((({states}) != 4) < bool 2)[$__range:$__interval])"


def query(
    expr: str, legend: str = "", letter: str = "A", *, instant: bool = False, as_table: bool = False
) -> Dataquery:
    """One PromQL query."""
    made = Dataquery().expr(expr).legend_format(legend).ref_id(letter).datasource(SOURCE)
    made = made.instant() if instant or as_table else made.range()
    return made.format(PromQueryFormat.TABLE if as_table else PromQueryFormat.TIME_SERIES)


# -- links -------------------------------------------------------------------------------------------------------------


def to(uid: str, title: str, **variables: str) -> boards.DashboardLink:
    """From a point or a row to another dashboard, with the same time, source and board."""
    chosen = "".join(f"&var-{name}={value}" for name, value in variables.items())
    kept = "${__url_time_range}&${datasource:queryparam}&${board:queryparam}"
    return boards.DashboardLink(title).url(f"/d/{uid}?{kept}{chosen}")


TO_SITE = to("commune-site", "Xã, phường này", site="${__field.labels.site}")
TO_LINE = to("commune-line", "Đường truyền này", site="${__field.labels.site}", target="${__field.labels.target}")
TO_PROVIDER = to("commune-providers", "Nhà cung cấp này", provider="${__field.labels.provider}")


def to_board() -> boards.DashboardLink:
    """From a point or a row to the page of its site on the status board."""
    return boards.DashboardLink("Bảng trạng thái").url("${board}/sites/${__data.fields.site}").target_blank(True)


def row_link(uid: str, title: str, **variables: str) -> dict[str, Any]:
    """As `to`, for the cells of a column."""
    return {"title": title, "url": to(uid, title, **variables).build().url}


# -- panels ------------------------------------------------------------------------------------------------------------


def last() -> common.ReduceDataOptions:
    """The newest value of each series."""
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields("")


def lines(
    title: str, english: str, unit: str, *queries: Dataquery, hurts_from: float | None = None
) -> timeseries.Panel:
    """Curves over time, with a dashed line where it begins to hurt."""
    panel = timeseries.Panel().title(title).description(english).datasource(SOURCE).unit(unit).min(0)
    panel.show_points(VisibilityMode.NEVER).fill_opacity(8).height(8).span(8)
    panel.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    panel.legend(
        common.VizLegendOptions()
        .show_legend(True)
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
    )
    for each in queries:
        panel.with_target(each)
    if hurts_from is not None:
        panel.thresholds(colours((None, "text"), (hurts_from, DOWN)))
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED))
    return panel


def stacked(panel: timeseries.Panel) -> timeseries.Panel:
    """Curves that are parts of a whole, on top of each other."""
    return panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL)).fill_opacity(60).line_width(0)


def router_ports(selector: str) -> list[timeseries.Panel]:
    """Traffic, use of the bandwidth and errors of the ports of a router."""
    return [
        lines(
            "Lưu lượng tại bộ định tuyến", "Traffic of the ports of the router", "bps",
            query(f"snmp_if_in_bits_per_second{{{selector}}}", "{{ifName}} nhận"),
            query(f"snmp_if_out_bits_per_second{{{selector}}}", "{{ifName}} gửi", "B"),
        ),
        lines(
            "Mức sử dụng băng thông",
            "Part of its bandwidth that a port carries in its busier direction; what is full is slow", "percentunit",
            query(f"snmp_if_utilisation_ratio{{{selector}}}", "{{ifName}}"), hurts_from=FULL,
        ),
        lines(
            "Gói lỗi tại bộ định tuyến", "Packets with errors at the ports of the router", "percentunit",
            query(f"snmp_if_error_ratio{{{selector}}}", "{{ifName}}"), hurts_from=ERRORS_HURT,
        ),
    ]  # fmt: skip


def figure(title: str, english: str, unit: str, steps: boards.ThresholdsConfig, *queries: Dataquery) -> stat.Panel:
    """One or two big figures."""
    panel = stat.Panel().title(title).description(english).datasource(SOURCE).reduce_options(last()).thresholds(steps)
    panel.unit(unit).color_mode(BigValueColorMode.VALUE).no_value("Không có số liệu").height(4).span(4)
    for each in queries:
        panel.with_target(each)
    return panel


def words(title: str, english: str, texts: Mapping[int, tuple[str, str]], *queries: Dataquery) -> stat.Panel:
    """How things are now: a word on its colour for each series."""
    panel = figure(title, english, "none", PLAIN, *queries).mappings(called(texts))
    return panel.color_mode(BigValueColorMode.BACKGROUND).text_mode(BigValueTextMode.VALUE_AND_NAME)


def bars(title: str, english: str, unit: str, steps: boards.ThresholdsConfig, *queries: Dataquery) -> bargauge.Panel:
    """One bar for each series, as it is now."""
    panel = bargauge.Panel().title(title).description(english).datasource(SOURCE).reduce_options(last())
    panel.orientation(VizOrientation.HORIZONTAL).unit(unit).min(0).thresholds(steps).height(8).span(8)
    panel.no_value("Không có số liệu")
    for each in queries:
        panel.with_target(each)
    return panel


def timeline(
    title: str, english: str, texts: Mapping[int, tuple[str, str]], *queries: Dataquery
) -> statetimeline.Panel:
    """What each was when, as bands of colour with words."""
    panel = statetimeline.Panel().title(title).description(english).datasource(SOURCE).mappings(called(texts))
    panel.unit("none").show_value(VisibilityMode.AUTO).row_height(0.85).height(8).span(12)
    for each in queries:
        panel.with_target(each)
    return panel


def echoes(title: str, english: str, histogram: str, selector: str) -> heatmap.Panel:
    """A histogram over time, the more the further from the background: after SmokePing, where smoke is the spread of the delay."""
    smoke = f"sum by (le) (increase({histogram}_bucket{{{selector}}}[$__rate_interval]))"
    color = heatmap.HeatmapColorOptions().mode(heat_model.HeatmapColorMode.SCHEME).scheme("Cividis").exponent(0.5)
    panel = heatmap.Panel().title(title).description(english).datasource(SOURCE).calculate(False)
    panel.with_target(query(smoke, "{{le}}").format(PromQueryFormat.HEATMAP))
    panel.color(color.steps(64)).y_axis(heatmap.YAxisConfig().unit("s")).cell_gap(0).unit("short")
    return panel.filter_values(heatmap.FilterValueRange().le(1e-9)).show_color_scale(True).height(10).span(24)


def columns(
    title: str,
    english: str,
    texts: Mapping[str, str],
    *queries: Dataquery,
    before: Sequence[model.DataTransformerConfig] = (),
    hidden: Iterable[str] = (),
    settings: Mapping[str, Mapping[str, Any]] = {},
    worst: str = "",
) -> table.Panel:
    """A table: `texts` are its columns in their order by label (the number of a query is `Value`, of many `Value #A`).

    `before` is done to the answers first, `settings` are overrides by label, `worst` is the label that it is sorted by, the
    highest first.
    """
    order = {label: place for place, label in enumerate(texts)}
    away = dict.fromkeys(("Time", *hidden), True)
    tidy = {"excludeByName": away, "indexByName": order, "renameByName": dict(texts)}
    panel = table.Panel().title(title).description(english).datasource(SOURCE).unit("none").no_value("")
    panel.align(FieldTextAlignment.AUTO).cell_options(TableAutoCellOptions()).inspect(False)
    for each in queries:
        panel.with_target(each)
    merged = [model.DataTransformerConfig(id_val="merge", options={})] if len(queries) > 1 else []
    for each in (*merged, *before, model.DataTransformerConfig(id_val="organize", options=tidy)):
        panel.with_transformation(each)
    for label, properties in settings.items():
        values = [model.DynamicConfigValue(id_val=name, value=value) for name, value in properties.items()]
        panel.override_by_name(texts[label], values)
    if worst:
        panel.sort_by([common.TableSortByFieldState().display_name(texts[worst]).desc(True)])
    return panel.cell_height(TableCellHeight.SM).height(10).span(12)


def in_colour(texts: Mapping[int, tuple[str, str]]) -> dict[str, Any]:
    """Settings of a column: words on their colours."""
    return {
        "custom.cellOptions": {"type": "color-background", "mode": "basic"},
        "mappings": called(texts),
    }


def open_incidents(selector: str) -> table.Panel:
    """The open incidents, each leading to its page on the status board."""
    found = or_none(f"monitor_incident_info{{{selector}}}", target="Không có sự cố đang mở")
    page = {"title": "Sự cố trên bảng trạng thái", "url": "${board}/incidents/${__value.text}", "targetBlank": True}
    texts = {"severity": "Mức độ", "cause": "Nguyên nhân", "target": "Đối tượng", "incident": "Sự cố"}
    worded = model.ValueMap(
        options={
            word: model.ValueMappingResult(text=text, index=index)
            for index, (word, text) in enumerate((SEVERITIES | CAUSES).items())
        }
    )
    return columns(
        "Sự cố đang mở", "Open incidents; the last column leads to the page of the incident", texts,
        query(found, as_table=True), hidden=("Value", "__name__", "instance", "job", "site"),
        settings={"incident": {"links": [page]}},
    ).mappings([worded]).height(8)  # fmt: skip


# -- the frame ---------------------------------------------------------------------------------------------------------


class Mark(model.AnnotationQuery):
    """An annotation of Prometheus; the plug-in's own keys stand beside those of the common schema."""

    def __init__(self, name: str, color: str, expr: str, title: str) -> None:
        target = model.AnnotationTarget(limit=100, match_any=False, tags=[], type_val="tags")
        super().__init__(name=name, datasource=SOURCE, enable=True, icon_color=color, target=target, expr=expr)
        self._title = title

    def to_json(self) -> dict[str, object]:
        """As Grafana stores it."""
        own = {"expr": self.expr, "refId": "Anno", "interval": ""}
        texts = {"titleFormat": self._title, "textFormat": "{{target}}", "tagKeys": "cause,severity"}
        return {**super().to_json(), **texts, "target": own}

    def build(self) -> Mark:
        """Itself: a builder that is built."""
        return self


def incidents(selector: str) -> Mark:
    """When incidents were open."""
    return Mark("Sự cố", DOWN, f"monitor_incident_info{{{selector}}}", "Sự cố: {{cause}}")


def maintenance(selector: str) -> Mark:
    """When there was work that had been announced."""
    return Mark("Bảo trì", CUT_OFF, f"monitor_target_maintenance{{{selector}}} == 1", "Bảo trì đã báo trước")


def variable(name: str, label: str, values: str, *, many: bool = False, regex: str = "") -> boards.QueryVariable:
    """What is chosen above the dashboard; `regex` may take text and value out of a `query_result`."""
    made = boards.QueryVariable(name).label(label).datasource(SOURCE).query({"query": values, "refId": name})
    made.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.ALPHABETICAL_ASC).regex(regex)
    if many:
        made.multi(True).include_all(True).all_value(".*")
        made.current(model.VariableOption(selected=True, text="All", value="$__all"))
    return made


AREA = variable("area", "Khu vực", 'label_values(monitor_site_info{code!=""}, area)', many=True)
NAME_AND_SITE = '/name="(?<text>[^"]*)".*site="(?<value>[^"]*)"/'
"""People choose by name, the address has the id."""


def sites(series: str, *, many: bool = False) -> boards.QueryVariable:
    """A choice of sites by their names."""
    return variable("site", "Nơi", f"query_result({series})", many=many, regex=NAME_AND_SITE)


Rows = Mapping[str, Sequence[Any]]
"""Builders of panels by the title of their row."""


def framed(
    uid: str,
    title: str,
    english: str,
    variables: Sequence[Builder[model.VariableModel]],
    rows: Rows,
    *,
    marks: Sequence[Mark],
    since: str = "now-6h",
) -> boards.Dashboard:
    """A dashboard with what all have: source, board, links to the others."""
    made = boards.Dashboard(title).uid(uid).tags([TAG]).timezone("Asia/Ho_Chi_Minh").time(since, "now")
    made.description(f"{english} Written by dashboards/build.py: edit that, not this.").refresh("30s").readonly()
    made.tooltip(model.DashboardCursorSync.CROSSHAIR)
    made.link(
        boards.DashboardLink("Bảng khác")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .keep_time(True)
    )
    made.link(
        boards.DashboardLink("Bảng trạng thái").type(model.DashboardLinkType.LINK).url("${board}").target_blank(True)
    )
    made.variables(
        [
            boards.DatasourceVariable("datasource").label("Nguồn dữ liệu").type("prometheus"),
            *variables,
            boards.TextBoxVariable("board").label("Bảng trạng thái").default_value("http://127.0.0.1:9469"),
        ]
    )
    for mark in marks:
        made.annotation(mark)
    number = itertools.count(1)
    for name, panels in rows.items():
        made.with_row(boards.Row(name).id(next(number)))
        for panel in panels:
            made.with_panel(panel.id(next(number)))
    return made
