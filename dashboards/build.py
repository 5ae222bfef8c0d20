"""Writes the Grafana dashboards: run `python dashboards/build.py`, commit the JSON, a test holds the two together.

The builders are those of Grafana 11.6 (its JSON loads in later versions too). Titles are Vietnamese, the description of
each panel says the same in English. Every query answers also when all is well: an empty panel always means trouble.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, geomap, stat, statetimeline, table
from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueTextMode,
    FrameGeometrySourceMode,
    TableCellHeight,
    VisibilityMode,
    VizOrientation,
)

from dashboards.parts import (
    ANY_SITE,
    COMMUNES,
    NONE,
    RANKS,
    SITES,
    SOURCE,
    WORST,
    board_link,
    colours,
    figure,
    last,
    lines,
    names,
    numbers,
    query,
    rank,
    rank_colours,
)

HERE = Path(__file__).parent


def communes_by_state() -> stat.Panel:
    """How many communes are how."""
    panel = stat.Panel().title("Xã, phường theo trạng thái").description("Communes by the worst state of their targets")
    for letter, (value, text, color, _) in zip("ABCDE", RANKS, strict=True):
        panel.with_target(
            query(f"count(({WORST} and on (site) {COMMUNES}) == {value}) or {NONE}", text, letter, instant=True)
        )
        fixed = {"mode": "fixed", "fixedColor": color}
        panel.override_by_name(text, [model.DynamicConfigValue(id_val="color", value=fixed)])
    return (
        panel.datasource(SOURCE)
        .reduce_options(last())
        .color_mode(BigValueColorMode.BACKGROUND)
        .text_mode(BigValueTextMode.VALUE_AND_NAME)
        .orientation(VizOrientation.VERTICAL)
        .height(5)
        .span(14)
    )


def incidents_by_cause() -> bargauge.Panel:
    """What is open, by what it most likely is."""
    causes = {
        "link": "Đường truyền",
        "power": "Mất điện",
        "lan": "Mạng nội bộ",
        "device": "Thiết bị",
        "service": "Dịch vụ",
        "shared": "Điểm dùng chung",
        "vantage": "Trạm giám sát",
    }
    panel = bargauge.Panel().title("Sự cố đang mở theo nguyên nhân").description("Open incidents by likely cause")
    for cause, text in causes.items():
        panel.override_by_name(cause, [model.DynamicConfigValue(id_val="displayName", value=text)])
    return (
        panel.datasource(SOURCE)
        .with_target(query("sum by (cause) (monitor_incidents_open)", "{{cause}}", instant=True))
        .reduce_options(last())
        .orientation(VizOrientation.HORIZONTAL)
        .min(0)
        .decimals(0)
        .thresholds(colours((None, "green"), (1, "red")))
        .height(5)
        .span(10)
    )


def commune_map() -> geomap.Panel:
    """Communes on the map, coloured by their worst state."""
    expr = f"{WORST} * on (site) group_left (name, area, latitude, longitude) {COMMUNES}"
    marker: dict[str, Any] = {
        "showLegend": True,
        "style": {
            "color": {"field": "Value", "fixed": "gray"},
            "size": {"fixed": 7, "min": 5, "max": 15},
            "opacity": 0.9,
            "symbol": {"mode": "fixed", "fixed": "img/icons/marker/circle.svg"},
        },
    }
    place = (
        common.FrameGeometrySource().mode(FrameGeometrySourceMode.COORDS).latitude("latitude").longitude("longitude")
    )
    layer = common.MapLayerOptions().type("markers").name("Xã, phường").config(marker).location(place).tooltip(True)
    return (
        geomap.Panel()
        .title("Bản đồ xã, phường")
        .description("Communes by worst state. The base map is the one that your Grafana is set to; none is needed.")
        .datasource(SOURCE)
        .with_target(query(expr, as_table=True))
        .with_transformation(numbers("latitude", "longitude"))
        .view(geomap.MapViewConfig().id("fit").all_layers(True).padding(5))
        .basemap(common.MapLayerOptions().type("default").name("Nền"))
        .layers([layer])
        .mappings(names(RANKS))
        .thresholds(rank_colours())
        .color_scheme(boards.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .data_links([board_link()])
        .height(15)
        .span(12)
    )


def worst_targets() -> table.Panel:
    """What hurts most now."""
    placed = f"max by (site, target, kind) ({rank(ANY_SITE)}) * on (site) group_left (name, area) {SITES}"
    expr = f"topk(30, {placed})"
    hidden = {"Time": True, "site": False}
    order = {"Value": 0, "name": 1, "target": 2, "kind": 3, "area": 4, "site": 5}
    text = {
        "Value": "Trạng thái",
        "name": "Nơi",
        "target": "Đối tượng",
        "kind": "Loại",
        "area": "Khu vực",
        "site": "Mã",
    }
    tidy = {"excludeByName": hidden, "indexByName": order, "renameByName": text}
    coloured = [
        model.DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-background", "mode": "basic"}),
        model.DynamicConfigValue(id_val="mappings", value=names(RANKS)),
    ]
    link = {"title": "Bảng trạng thái", "url": "${board}/sites/${__value.text}", "targetBlank": True}
    return (
        table.Panel()
        .title("Đối tượng đáng lo nhất")
        .description("The thirty targets that hurt most now")
        .datasource(SOURCE)
        .with_target(query(expr, as_table=True))
        .with_transformation(model.DataTransformerConfig(id_val="organize", options=tidy))
        .override_by_name("Trạng thái", coloured)
        .override_by_name("Mã", [model.DynamicConfigValue(id_val="links", value=[link])])
        .sort_by([common.TableSortByFieldState().display_name("Trạng thái").desc(True)])
        .cell_height(TableCellHeight.SM)
        .height(15)
        .span(12)
    )


# The ten are chosen once for the whole range shown (`@ end()`), otherwise every step would bring others.
END = " @ end()"
HERE_NOW = f"and on (site) {SITES}"
TSLCD_LOSS = f'monitor_loss_ratio{{kind="tslcd", {ANY_SITE}}}'
PORT_USE = f"snmp_if_utilisation_ratio{{{ANY_SITE}}}"
BUSIEST_PORTS = f"topk(10, max_over_time({PORT_USE}[$__range]{END}) {HERE_NOW}{END})"
TSLCD_WORST_LOSS = f"topk(10, max_over_time({TSLCD_LOSS}[$__range]{END}) {HERE_NOW}{END})"


def of_lines(part: float, histogram: str, window: str, end: str = "") -> str:
    """Quantile of a histogram of the TSLCĐ lines of the chosen sites over a window, in seconds."""
    rate = f"rate({histogram}_bucket{{{ANY_SITE}}}[{window}]{end})"
    tslcd = f'monitor_target_state{{kind="tslcd"}}{end}'
    return (
        f"histogram_quantile({part}, sum by (site, target, le) ({rate} and on (site, target) {tslcd} {HERE_NOW}{end}))"
    )


def slowest(part: float, histogram: str) -> str:
    """The ten lines where it is worst, over time."""
    worst = f"topk(10, {of_lines(part, histogram, '$__range', END)})"
    return f"{of_lines(part, histogram, '$__rate_interval')} and on (site, target) {worst}"


def line_panels() -> list[Builder[model.Panel]]:
    """The lines: loss, delay, jitter, and what each provider delivers."""
    info = "on (site, target) group_left (provider) monitor_link_info"
    state = f'monitor_target_state{{role="link", {ANY_SITE}}}'
    lines_down = f"sum by (provider) (({state} == bool 2 {HERE_NOW}) * {info})"
    down = bargauge.Panel().title("Đường đang ngừng theo nhà cung cấp").description("Lines down, by provider")
    return [
        lines(
            "Mất gói TSLCĐ: 10 đường cao nhất",
            "Loss of the ten worst TSLCĐ lines",
            "percentunit",
            query(f"{TSLCD_LOSS} and on (site, target) {TSLCD_WORST_LOSS}", "{{target}}"),
        ).span(12),
        lines(
            "Độ trễ TSLCĐ (trung vị): 10 đường cao nhất",
            "Median round trip of the ten slowest TSLCĐ lines",
            "s",
            query(slowest(0.5, "monitor_echo_rtt_seconds"), "{{target}}"),
        ).span(12),
        lines(
            "Độ biến thiên trễ TSLCĐ (95 %): 10 đường cao nhất",
            "95th percentile of the jitter of the ten worst TSLCĐ lines; video calls suffer above 30 ms",
            "s",
            query(slowest(0.95, "monitor_echo_jitter_seconds"), "{{target}}"),
        ).span(12),
        down.datasource(SOURCE)
        .with_target(query(lines_down, "{{provider}}", instant=True))
        .reduce_options(last())
        .orientation(VizOrientation.HORIZONTAL)
        .min(0)
        .decimals(0)
        .thresholds(colours((None, "green"), (1, "red")))
        .height(8)
        .span(4),
        lines(
            "Mất gói trung bình theo nhà cung cấp",
            "Mean loss of all lines, by provider",
            "percentunit",
            query(f"avg by (provider) ((monitor_loss_ratio{{{ANY_SITE}}} {HERE_NOW}) * {info})", "{{provider}}"),
        ),
        lines(
            "Mức sử dụng băng thông: 10 cổng bận nhất",
            "Part of its bandwidth that a port carries in its busier direction: the ten busiest",
            "percentunit",
            query(f"{PORT_USE} and on (site, target, ifName) {BUSIEST_PORTS}", "{{target}} {{ifName}}"),
        ).span(24),
    ]


def service_panels() -> list[Builder[model.Panel]]:
    """Shared systems, video-conference rooms and power."""
    rooms = f'(monitor_target_state{{kind="vc-endpoint", {ANY_SITE}}} and on (site) {COMMUNES})'
    shared = 'max by (target) (monitor_target_state{role="service"} unless on (site) monitor_site_info{code!=""})'
    minutes = f"bottomk(10, min by (target) (upsEstimatedMinutesRemaining{{{ANY_SITE}}} {HERE_NOW}))"
    green, red = colours((None, "green")), colours((None, "green"), (1, "red"))
    return [
        statetimeline.Panel()
        .title("Hệ thống dùng chung")
        .description("State of the shared systems over time")
        .datasource(SOURCE)
        .with_target(query(shared, "{{target}}"))
        .mappings(names(RANKS, by_state=True))
        .show_value(VisibilityMode.NEVER)
        .height(8)
        .span(12),
        figure(
            "Phòng họp trực tuyến sẵn sàng",
            "Video-conference rooms that are well, and all of them",
            green,
            query(f"count({rooms} == 0) or {NONE}", "Sẵn sàng", instant=True),
            query(f"count({rooms})", "Tất cả", "B", instant=True),
        ).height(8),
        figure(
            "UPS đang chạy ắc quy",
            "UPS on battery",
            red,
            query(f"sum(max by (target) (upsOnBattery{{{ANY_SITE}}} {HERE_NOW}))", "UPS", instant=True),
        ).height(8),
        bargauge.Panel()
        .title("UPS: số phút còn lại ít nhất")
        .description("The ten UPS with the fewest minutes left")
        .datasource(SOURCE)
        .with_target(query(minutes, "{{target}}", instant=True))
        .reduce_options(last())
        .orientation(VizOrientation.HORIZONTAL)
        .unit("m")
        .min(0)
        .thresholds(colours((None, "red"), (10, "orange"), (30, "green")))
        .height(8)
        .span(4),
    ]


def own_panels() -> list[Builder[model.Panel]]:
    """Whether the monitor itself is well."""
    cpu = "sum(rate(process_cpu_seconds_total[$__rate_interval]) * on (instance, job) monitor_build_info)"
    lag = "histogram_quantile(0.99, sum by (le) (rate(monitor_loop_lag_seconds_bucket[$__rate_interval])))"
    reload = model.ValueMap(
        options={
            "0": model.ValueMappingResult(text="Lỗi", color="red", index=0),
            "1": model.ValueMappingResult(text="Tốt", color="green", index=1),
        }
    )
    good, late = colours((None, "red"), (1, "green")), colours((None, "green"), (60, "orange"), (300, "red"))
    return [
        lines(
            "Lượt đo mỗi giây",
            "Observations a second, by outcome",
            "cps",
            query("sum by (outcome) (rate(monitor_observations_total[$__rate_interval]))", "{{outcome}}"),
        ).span(6),
        lines(
            "Lượt đo trễ và bị bỏ",
            "Late and missed runs a second",
            "cps",
            query("sum(rate(monitor_runs_late_total[$__rate_interval]))", "Trễ"),
            query("sum(rate(monitor_runs_missed_total[$__rate_interval]))", "Bị bỏ", "B"),
        ).span(6),
        lines(
            "Thư chờ gửi",
            "Outbox by status",
            "short",
            query("sum by (status) (monitor_outbox_mails)", "{{status}}"),
        ).span(6),
        lines(
            "Trễ vòng lặp (p99) và CPU",
            "Loop lag in seconds, 99th percentile, and CPU cores used",
            "short",
            query(lag, "Trễ vòng lặp (s)"),
            query(cpu, "CPU", "B"),
        ).span(6),
        figure(
            "Nạp khai báo",
            "Last reload of the settings",
            good,
            query("min(monitor_config_last_reload_successful)", "Lần cuối", instant=True),
        ).mappings([reload]),
        figure(
            "Nạp khai báo tốt lúc", "When the settings were last taken over", colours((None, "text")),
            query("max(monitor_config_last_reload_success_timestamp_seconds) * 1000", "", instant=True),
        ).unit("dateTimeAsLocal"),
        figure(
            "Thư chờ lâu nhất", "Age of the oldest mail that waits", late,
            query(f"max(monitor_outbox_oldest_seconds) or {NONE}", "", instant=True),
        ).unit("s"),
        figure(
            "Thư đã gửi trong 24 giờ", "Mails of the last 24 hours, by result", colours((None, "text")),
            query(f"sum by (result) (increase(monitor_mails_total[24h])) or {NONE}", "{{result}}", instant=True),
        ).decimals(0),
        figure(
            "Phép đo", "Checks that are scheduled", colours((None, "text")),
            query("sum(monitor_checks)", "", instant=True),
        ),
        figure(
            "Phiên bản", "Version of the daemon", colours((None, "text")),
            query("max by (version) (monitor_build_info)", "{{version}}", instant=True),
        ).text_mode(BigValueTextMode.NAME),
    ]  # fmt: skip


def variables() -> list[Builder[model.VariableModel]]:
    """Data source, area, site, and where the status board is."""
    found = []
    for name, label, expr in (
        ("area", "Khu vực", 'label_values(monitor_site_info{code!=""}, area)'),
        ("site", "Nơi", 'label_values(monitor_site_info{area=~"$area"}, site)'),
    ):
        found.append(
            boards.QueryVariable(name)
            .label(label)
            .datasource(SOURCE)
            .query({"query": expr, "refId": name})
            .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(model.VariableSort.ALPHABETICAL_ASC)
            .multi(True)
            .include_all(True)
            .all_value(".*")
            .current(model.VariableOption(selected=True, text="All", value="$__all"))
        )
    return [
        boards.DatasourceVariable("datasource").label("Nguồn dữ liệu").type("prometheus"),
        *found,
        boards.TextBoxVariable("board").label("Bảng trạng thái").default_value("http://127.0.0.1:9469"),
    ]


def province_overview() -> boards.Dashboard:
    """Which of the communes are hurt now, is it one cause or many, and is the monitor itself well."""
    made = (
        boards.Dashboard("Tổng quan toàn tỉnh")
        .uid("commune-province")
        .description("Province overview of commune-monitor. Written by dashboards/build.py: edit that, not this.")
        .tags(["commune-monitor"])
        .timezone("Asia/Ho_Chi_Minh")
        .time("now-3h", "now")
        .refresh("30s")
        .readonly()
        .link(
            boards.DashboardLink("Bảng trạng thái")
            .type(model.DashboardLinkType.LINK)
            .url("${board}")
            .target_blank(True)
        )
        .variables(variables())
    )
    rows: dict[str, list[Builder[model.Panel]]] = {
        "Toàn tỉnh": [communes_by_state(), incidents_by_cause(), commune_map(), worst_targets()],
        "Đường truyền": line_panels(),
        "Hệ thống dùng chung, phòng họp, nguồn điện": service_panels(),
        "Trạm giám sát": own_panels(),
    }
    for title, panels in rows.items():
        made.with_row(boards.Row(title))
        for panel in panels:
            made.with_panel(panel)
    return made


def rendered() -> str:
    """The JSON as it is committed."""
    return json.dumps(province_overview().build(), cls=JSONEncoder, ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    (HERE / "province-overview.json").write_text(rendered(), encoding="utf-8")
