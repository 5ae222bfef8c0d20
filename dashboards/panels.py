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

from dashboards.promql import ERRORS_HURT, FULL, SOURCE, or_none, query
from dashboards.states import CAUSES, DOWN, PLAIN, SEVERITIES, called, colours


def to(uid: str, title: str, **variables: str) -> boards.DashboardLink:
    """From a point or a row to another dashboard, with the same time, source and board."""
    chosen = "".join(f"&var-{name}={value}" for name, value in variables.items())
    kept = "${__url_time_range}&${datasource:queryparam}&${board:queryparam}"
    return boards.DashboardLink(title).url(f"/d/{uid}?{kept}{chosen}")


DAYS = "suffix: ngày"
"""As they are: Grafana's own unit makes weeks of them."""
SMALL = {"percentunit": 0.05, "cps": 1, "short": 1, "none": 1}
"""What an axis reaches at least: without it Grafana lets one of zeros go to 100, which is 10,000 %."""
Fixed = TypeVar("Fixed", stat.Panel, timeseries.Panel)
TO_SITE = to("commune-site", "Xã, phường này", site="${__field.labels.site}")
TO_LINE = to("commune-line", "Đường truyền này", site="${__field.labels.site}", target="${__field.labels.target}")
TO_PROVIDER = to("commune-providers", "Nhà cung cấp này", provider="${__field.labels.provider}")


def to_board() -> boards.DashboardLink:
    """From a point or a row to the page of its site on the status board."""
    return boards.DashboardLink("Bảng trạng thái").url("${board}/sites/${__data.fields.site}").target_blank(True)


def row_link(uid: str, title: str, **variables: str) -> dict[str, Any]:
    """As `to`, for the cells of a column."""
    return {"title": title, "url": to(uid, title, **variables).build().url}


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
    panel.unit(unit).color_mode(BigValueColorMode.VALUE if steps is PLAIN else BigValueColorMode.BACKGROUND).no_value(
        "Không có số liệu"
    ).height(4).span(4)
    for each in queries:
        panel.with_target(each)
    return panel


def words(title: str, english: str, texts: Mapping[int, tuple[str, str]], *queries: Dataquery) -> stat.Panel:
    """How things are now: a word on its colour for each series."""
    panel = figure(title, english, "none", PLAIN, *queries).mappings(called(texts))
    panel.text(
        common.VizTextDisplayOptions().title_size(14).value_size(20)
    )  # so large as fits breaks words in two lines
    return panel.color_mode(BigValueColorMode.BACKGROUND).text_mode(BigValueTextMode.VALUE_AND_NAME)


def counts(title: str, english: str, *queries: Dataquery) -> stat.Panel:
    """How many there are of each, side by side."""
    panel = figure(title, english, "none", PLAIN, *queries).color_mode(BigValueColorMode.BACKGROUND)
    return panel.text_mode(BigValueTextMode.VALUE_AND_NAME).orientation(VizOrientation.VERTICAL)


def in_fixed_colours(panel: Fixed, texts: Iterable[tuple[str, str]]) -> Fixed:
    """With a colour for each legend."""
    for text, color in texts:
        fixed = {"mode": "fixed", "fixedColor": color}
        panel.override_by_name(text, [model.DynamicConfigValue(id_val="color", value=fixed)])
    return panel


def bars(title: str, english: str, unit: str, steps: boards.ThresholdsConfig, *queries: Dataquery) -> bargauge.Panel:
    """One bar for each series, as it is now."""
    panel = bargauge.Panel().title(title).description(english).datasource(SOURCE).reduce_options(last())
    panel.orientation(VizOrientation.HORIZONTAL).unit(unit).min(0).thresholds(steps).height(8).span(8)
    panel.display_mode(BarGaugeDisplayMode.BASIC)
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
    for step in (*merged, *before, model.DataTransformerConfig(id_val="organize", options=tidy)):
        panel.with_transformation(step)
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
