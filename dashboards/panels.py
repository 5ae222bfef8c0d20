"""Panels with our own defaults, and links from one dashboard to the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from grafana_foundation_sdk.builders import bargauge, common, heatmap, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import heatmap as heat_model
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
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

from dashboards.promql import ERRORS_HURT, FULL, NOTHING, SOURCE, or_none, query
from dashboards.states import CAUSES, DOWN, PLAIN, SEVERITIES, Coloured, called, colours, worded
from dashboards.texts import Text, of_language, on_board


def to(uid: str, title: Text, **variables: str) -> boards.DashboardLink:
    """From a point or a row to another dashboard of the same language, with the same time, source and board."""
    chosen = "".join(f"&var-{name}={value}" for name, value in variables.items())
    kept = "${__url_time_range}&${datasource:queryparam}&${board:queryparam}"
    at = of_language(uid)
    return boards.DashboardLink(title).url(Text(f"/d/{at}?{kept}{chosen}", f"/d/{at.english}?{kept}{chosen}"))


DAYS = Text("suffix: ngày", "suffix: d")
"""As they are: Grafana's own unit makes weeks of them."""
NO_DATA = Text("Không có số liệu", "No data")
NOT_MEASURED = Text("Không đo", "Not measured")
SMALL = {"percentunit": 0.05, "cps": 1, "short": 1, "none": 1}
"""What an axis reaches at least: without it Grafana lets one of zeros go to 100, which is 10,000 %."""
Fixed = TypeVar("Fixed", stat.Panel, timeseries.Panel)
Named = TypeVar("Named", stat.Panel, timeseries.Panel, bargauge.Panel, statetimeline.Panel)
THIS_SITE = Text("Xã, phường này", "This commune")
THIS_LINE = Text("Đường truyền này", "This line")
THIS_PROVIDER = Text("Nhà cung cấp này", "This provider")
TO_SITE = to("commune-site", THIS_SITE, site="${__field.labels.site}")
TO_LINE = to("commune-line", THIS_LINE, site="${__field.labels.site}", target="${__field.labels.target}")
TO_PROVIDER = to("commune-providers", THIS_PROVIDER, provider="${__field.labels.provider}")


def to_board() -> boards.DashboardLink:
    """From a point or a row to the page of its site on the status board."""
    link = boards.DashboardLink(Text("Bảng trạng thái", "Status board"))
    return link.url(on_board("/sites/${__data.fields.site}")).target_blank(True)


def row_link(uid: str, title: Text, **variables: str) -> dict[str, Any]:
    """As `to`, for the cells of a column."""
    return {"title": title, "url": to(uid, title, **variables).build().url}


def last() -> common.ReduceDataOptions:
    """The newest value of each series."""
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields("")


def lines(
    title: Text, about: Text, unit: str, *queries: Dataquery, hurts_from: float | None = None
) -> timeseries.Panel:
    """Curves over time, with a dashed line where it begins to hurt."""
    panel = timeseries.Panel().title(title).description(about).datasource(SOURCE).unit(unit).min(0)
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
    panel.axis_soft_max(hurts_from or SMALL.get(unit, 0))
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
            Text("Lưu lượng tại bộ định tuyến", "Traffic of the router"),
            Text("Lưu lượng các cổng của bộ định tuyến", "Traffic of the ports of the router"), "bps",
            query(f"snmp_if_in_bits_per_second{{{selector}}}", Text("{{ifName}} nhận", "{{ifName}} in")),
            query(f"snmp_if_out_bits_per_second{{{selector}}}", Text("{{ifName}} gửi", "{{ifName}} out"), "B"),
        ),
        lines(
            Text("Mức sử dụng băng thông", "Use of the bandwidth"),
            Text(
                "Phần băng thông mà một cổng đang dùng, ở chiều bận hơn; đầy thì chậm",
                "Part of its bandwidth that a port carries in its busier direction; what is full is slow",
            ), "percentunit",
            query(f"snmp_if_utilisation_ratio{{{selector}}}", "{{ifName}}"), hurts_from=FULL,
        ),
        lines(
            Text("Gói lỗi tại bộ định tuyến", "Errors at the router"),
            Text("Phần gói tin bị lỗi tại các cổng của bộ định tuyến", "Part of the packets at the ports of the router that have errors"),
            "percentunit", query(f"snmp_if_error_ratio{{{selector}}}", "{{ifName}}"), hurts_from=ERRORS_HURT,
        ),
    ]  # fmt: skip


def figure(title: Text, about: Text, unit: str, steps: boards.ThresholdsConfig, *queries: Dataquery) -> stat.Panel:
    """One or two big figures."""
    panel = stat.Panel().title(title).description(about).datasource(SOURCE).reduce_options(last()).thresholds(steps)
    panel.unit(unit).color_mode(BigValueColorMode.VALUE if steps is PLAIN else BigValueColorMode.BACKGROUND)
    panel.no_value(NO_DATA).height(4).span(4)
    for each in queries:
        panel.with_target(each)
    return panel


def words(title: Text, about: Text, texts: Mapping[int, Coloured], *queries: Dataquery) -> stat.Panel:
    """How things are now: a word on its colour for each series."""
    panel = figure(title, about, "none", PLAIN, *queries).mappings(called(texts))
    panel.text(
        common.VizTextDisplayOptions().title_size(14).value_size(20)
    )  # so large as fits breaks words in two lines
    return panel.color_mode(BigValueColorMode.BACKGROUND).text_mode(BigValueTextMode.VALUE_AND_NAME)


def counts(title: Text, about: Text, *queries: Dataquery) -> stat.Panel:
    """How many there are of each, side by side."""
    panel = figure(title, about, "none", PLAIN, *queries).color_mode(BigValueColorMode.BACKGROUND)
    return panel.text_mode(BigValueTextMode.VALUE_AND_NAME).orientation(VizOrientation.VERTICAL)


def in_fixed_colours(panel: Fixed, texts: Iterable[Coloured]) -> Fixed:
    """With a colour for each legend."""
    for text, color in texts:
        fixed = {"mode": "fixed", "fixedColor": color}
        panel.override_by_name(text, [model.DynamicConfigValue(id_val="color", value=fixed)])
    return panel


def renamed(panel: Named, texts: Mapping[str, Text]) -> Named:
    """With words in place of some legends."""
    for name, text in texts.items():
        panel.override_by_name(name, [model.DynamicConfigValue(id_val="displayName", value=text)])
    return panel


def bars(title: Text, about: Text, unit: str, steps: boards.ThresholdsConfig, *queries: Dataquery) -> bargauge.Panel:
    """One bar for each series, as it is now."""
    panel = bargauge.Panel().title(title).description(about).datasource(SOURCE).reduce_options(last())
    panel.orientation(VizOrientation.HORIZONTAL).unit(unit).min(0).thresholds(steps).height(8).span(8)
    panel.display_mode(BarGaugeDisplayMode.BASIC)
    panel.no_value(NO_DATA)
    for each in queries:
        panel.with_target(each)
    return panel


def timeline(title: Text, about: Text, texts: Mapping[int, Coloured], *queries: Dataquery) -> statetimeline.Panel:
    """What each was when, as bands of colour with words."""
    panel = statetimeline.Panel().title(title).description(about).datasource(SOURCE).mappings(called(texts))
    panel.unit("none").show_value(VisibilityMode.AUTO).row_height(0.85).height(8).span(12)
    for each in queries:
        panel.with_target(each)
    return panel


def echoes(title: Text, about: Text, histogram: str, selector: str) -> heatmap.Panel:
    """A histogram over time, the more the further from the background: after SmokePing, where smoke is the spread of the delay."""
    smoke = f"sum by (le) (increase({histogram}_bucket{{{selector}}}[$__rate_interval]))"
    color = heatmap.HeatmapColorOptions().mode(heat_model.HeatmapColorMode.SCHEME).scheme("Cividis").exponent(0.5)
    panel = heatmap.Panel().title(title).description(about).datasource(SOURCE).calculate(False)
    panel.with_target(query(smoke, "{{le}}").format(PromQueryFormat.HEATMAP))
    panel.color(color.steps(64)).y_axis(heatmap.YAxisConfig().unit("s")).cell_gap(0).unit("short")
    return panel.filter_values(heatmap.FilterValueRange().le(1e-9)).show_color_scale(True).height(10).span(24)


def columns(
    title: Text,
    about: Text,
    texts: Mapping[str, Text],
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
    panel = table.Panel().title(title).description(about).datasource(SOURCE).unit("none").no_value("")
    panel.align(FieldTextAlignment.AUTO).cell_options(TableAutoCellOptions()).inspect(False)
    for each in queries:
        panel.with_target(each)
    merged = [model.DataTransformerConfig(id_val="merge", options={})] if len(queries) > 1 else []
    for step in (*merged, *before, model.DataTransformerConfig(id_val="organize", options=tidy)):
        panel.with_transformation(step)
    for label, properties in settings.items():
        values = [model.DynamicConfigValue(id_val=name, value=value) for name, value in properties.items()]
        panel.override_by_name(texts[label], values)
    if worst:
        panel.sort_by([common.TableSortByFieldState().display_name(texts[worst]).desc(True)])
    return panel.cell_height(TableCellHeight.SM).height(10).span(12)


def in_colour(texts: Mapping[int, Coloured]) -> dict[str, Any]:
    """Settings of a column: words on their colours."""
    return {
        "custom.cellOptions": {"type": "color-background", "mode": "basic"},
        "mappings": called(texts),
    }


def open_incidents(selector: str) -> table.Panel:
    """The open incidents, each leading to its page on the status board."""
    found = or_none(f"monitor_incident_info{{{selector}}}", "target")
    page = {
        "title": Text("Sự cố trên bảng trạng thái", "The incident on the status board"),
        "url": on_board("/incidents/${__value.text}"), "targetBlank": True,
    }  # fmt: skip
    texts = {
        "severity": Text("Mức độ", "Severity"),
        "cause": Text("Nguyên nhân", "Cause"),
        "target": Text("Đối tượng", "Target"),
        "incident": Text("Sự cố", "Incident"),
    }
    none = {NOTHING: Text("Không có sự cố đang mở", "No incident is open")}
    return columns(
        Text("Sự cố đang mở", "Open incidents"),
        Text("Sự cố đang mở; cột cuối dẫn đến trang của sự cố", "Open incidents; the last column leads to the page of the incident"),
        texts, query(found, as_table=True), hidden=("Value", "__name__", "instance", "job", "site"),
        settings={"incident": {"links": [page]}},
    ).mappings([worded(SEVERITIES | CAUSES | none)]).height(8)  # fmt: skip
