"""The whole province: which communes are hurt now, is it one cause or many, is it getting worse."""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, geomap, stat, table
from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import (
    FrameGeometrySourceMode,
)

from dashboards import own
from dashboards.frame import AREA, framed, incidents, maintenance, sites
from dashboards.panels import (
    THIS_SITE,
    TO_LINE,
    TO_PROVIDER,
    bars,
    columns,
    counts,
    figure,
    in_colour,
    in_fixed_colours,
    lines,
    open_incidents,
    renamed,
    row_link,
    timeline,
    to,
    to_board,
)
from dashboards.promql import (
    ANY_SITE,
    COMMUNES,
    FULL,
    JITTER_HURTS,
    PROVIDER,
    SITES,
    SOURCE,
    WORST,
    named,
    or_none,
    query,
    rank,
)
from dashboards.states import (
    CAUSES,
    DEGRADED,
    DOWN,
    HURT,
    NONE_IS_WELL,
    PLAIN,
    RANKS,
    STATES,
    WELL,
    called,
    colours,
    rank_colours,
)
from dashboards.texts import Text


def communes_by_state() -> stat.Panel:
    """How many communes are how."""
    queries = [
        query(or_none(f"count(({WORST} and on (site) {COMMUNES}) == {value})"), text, letter, instant=True)
        for letter, (value, text, _, _) in zip("ABCDE", RANKS, strict=True)
    ]
    panel = counts(
        Text("Xã, phường theo trạng thái", "Communes by state"),
        Text("Xã, phường theo trạng thái xấu nhất trong các đối tượng của mình", "Communes by the worst state of their targets"),
        *queries,
    )  # fmt: skip
    return in_fixed_colours(panel, [(text, color) for _, text, color, _ in RANKS]).height(7).span(14)


def incidents_by_cause() -> bargauge.Panel:
    """What is open, by what it most likely is."""
    panel = bars(
        Text("Sự cố đang mở theo nguyên nhân", "Open incidents by cause"),
        Text("Số sự cố đang mở, theo nguyên nhân nhiều khả năng nhất", "Open incidents by likely cause"), "none", NONE_IS_WELL,
        query("sum by (cause) (monitor_incidents_open)", "{{cause}}", instant=True),
    )  # fmt: skip
    return renamed(panel, CAUSES).decimals(0).height(7).span(10)


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
    layer = (
        common.MapLayerOptions()
        .type("markers")
        .name(Text("Xã, phường", "Communes"))
        .config(marker)
        .location(place)
        .tooltip(True)
    )
    numbers = [{"targetField": field, "destinationType": "number"} for field in ("latitude", "longitude")]
    return (
        geomap.Panel()
        .title(Text("Bản đồ xã, phường", "Map of the communes"))
        .description(
            Text(
                "Xã, phường theo trạng thái xấu nhất. Bản đồ nền là bản đồ đã đặt trong Grafana; không có cũng được.",
                "Communes by worst state. The base map is the one that your Grafana is set to; none is needed.",
            )
        )
        .datasource(SOURCE)
        .unit("none")
        .with_target(query(expr, as_table=True))
        .with_transformation(
            model.DataTransformerConfig(id_val="convertFieldType", options={"fields": {}, "conversions": numbers})
        )
        .view(geomap.MapViewConfig().id("fit").all_layers(True).padding(5))
        .basemap(common.MapLayerOptions().type("default").name(Text("Nền", "Base map")))
        .layers([layer])
        .mappings(called(HURT))
        .thresholds(rank_colours())
        .color_scheme(boards.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .data_links([to("commune-site", THIS_SITE, site="${__data.fields.site}"), to_board()])
        .height(15)
        .span(12)
    )


def worst_targets() -> table.Panel:
    """What hurts most now."""
    placed = f"max by (site, target, kind) ({rank(ANY_SITE)}) * on (site) group_left (name, area) {SITES}"
    texts = {
        "Value": Text("Trạng thái", "State"),
        "name": Text("Nơi", "Site"),
        "target": Text("Đối tượng", "Target"),
        "kind": Text("Loại", "Kind"),
        "area": Text("Khu vực", "Area"),
        "site": Text("Mã", "Id"),
    }
    link = row_link("commune-site", THIS_SITE, site="${__value.text}")
    return columns(
        Text("Đối tượng đáng lo nhất", "What hurts most"),
        Text("Ba mươi đối tượng đang có trạng thái xấu nhất", "The thirty targets that hurt most now"), texts,
        query(f"topk(30, {placed})", as_table=True),
        settings={"Value": in_colour(HURT), "site": {"links": [link]}}, worst="Value",
    ).height(15)  # fmt: skip


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
    state = f'monitor_target_state{{role="link", {ANY_SITE}}}'
    lines_down = f"sum by (provider) (({state} == bool 2 {HERE_NOW}) * {PROVIDER})"
    return [
        lines(
            Text("Mất gói TSLCĐ: 10 đường cao nhất", "Loss of TSLCĐ: the ten worst lines"),
            Text("Tỷ lệ mất gói của mười đường TSLCĐ kém nhất", "Loss of the ten worst TSLCĐ lines"), "percentunit",
            query(f"{TSLCD_LOSS} and on (site, target) {TSLCD_WORST_LOSS}", "{{target}}"),
        ).data_links([TO_LINE]).span(12),
        lines(
            Text("Độ trễ TSLCĐ (trung vị): 10 đường cao nhất", "Delay of TSLCĐ (median): the ten slowest lines"),
            Text("Thời gian khứ hồi trung vị của mười đường TSLCĐ chậm nhất", "Median round trip of the ten slowest TSLCĐ lines"), "s",
            query(slowest(0.5, "monitor_echo_rtt_seconds"), "{{target}}"),
        ).data_links([TO_LINE]).span(12),
        lines(
            Text("Độ biến thiên trễ TSLCĐ (95 %): 10 đường cao nhất", "Jitter of TSLCĐ (95 %): the ten worst lines"),
            Text(
                "Phân vị 95 % của độ biến thiên trễ trên mười đường TSLCĐ kém nhất; trên 30 ms thì họp trực tuyến bị ảnh hưởng",
                "95th percentile of the jitter of the ten worst TSLCĐ lines; video calls suffer above 30 ms",
            ), "s",
            query(slowest(0.95, "monitor_echo_jitter_seconds"), "{{target}}"), hurts_from=JITTER_HURTS,
        ).data_links([TO_LINE]).span(12),
        bars(
            Text("Đường đang ngừng theo nhà cung cấp", "Lines down by provider"),
            Text("Số đường đang ngừng của mỗi nhà cung cấp", "Lines down, by provider"), "none", NONE_IS_WELL,
            query(lines_down, "{{provider}}", instant=True),
        ).decimals(0).data_links([TO_PROVIDER]).span(4),
        lines(
            Text("Mất gói trung bình theo nhà cung cấp", "Mean loss by provider"),
            Text("Tỷ lệ mất gói trung bình của mọi đường, theo nhà cung cấp", "Mean loss of all lines, by provider"), "percentunit",
            query(f"avg by (provider) ((monitor_loss_ratio{{{ANY_SITE}}} {HERE_NOW}) * {PROVIDER})", "{{provider}}"),
        ).data_links([TO_PROVIDER]),
        lines(
            Text("Mức sử dụng băng thông: 10 cổng bận nhất", "Use of the bandwidth: the ten busiest ports"),
            Text(
                "Phần băng thông mà một cổng đang dùng, ở chiều bận hơn: mười cổng bận nhất",
                "Part of its bandwidth that a port carries in its busier direction: the ten busiest",
            ), "percentunit",
            query(f"{PORT_USE} and on (site, target, ifName) {BUSIEST_PORTS}", "{{target}} {{ifName}}"), hurts_from=FULL,
        ).span(24),
    ]  # fmt: skip


def service_panels() -> list[Builder[model.Panel]]:
    """Shared systems, video-conference rooms and power."""
    rooms = f'(monitor_target_state{{kind="vc-endpoint", {ANY_SITE}}} and on (site) {COMMUNES})'
    shared = 'max by (target) (monitor_target_state{role="service"} unless on (site) monitor_site_info{code!=""})'
    minutes = f"bottomk(10, min by (site) (upsEstimatedMinutesRemaining{{{ANY_SITE}}} {HERE_NOW}))"
    return [
        timeline(
            Text("Hệ thống dùng chung", "Shared systems"),
            Text("Trạng thái các hệ thống dùng chung theo thời gian", "State of the shared systems over time"), STATES,
            query(shared, "{{target}}"),
        ).data_links([to("commune-services", Text("Các hệ thống", "Systems"), service="${__field.labels.target}")]),
        figure(
            Text("Phòng họp trực tuyến sẵn sàng", "Rooms that are well"),
            Text("Số phòng họp trực tuyến đang tốt, và tất cả", "Video-conference rooms that are well, and all of them"), "none", PLAIN,
            query(or_none(f"count({rooms} == 0)"), Text("Sẵn sàng", "Well"), instant=True),
            query(f"count({rooms})", Text("Tất cả", "All"), "B", instant=True),
        ).data_links([to("commune-rooms", Text("Họp trực tuyến", "Video conferences"))]).height(8),
        figure(
            Text("UPS đang chạy ắc quy", "UPS on battery"), Text("Số UPS đang chạy bằng ắc quy", "How many UPS run on battery"),
            "none", NONE_IS_WELL,
            query(f"sum(max by (target) (upsOnBattery{{{ANY_SITE}}} {HERE_NOW}))", "UPS", instant=True),
        ).height(8),
        bars(
            Text("UPS: số phút còn lại ít nhất", "UPS: fewest minutes left"),
            Text("Mười xã, phường có UPS chạy được ít phút nhất", "The ten communes whose UPS has the fewest minutes left"), "m",
            colours((None, DOWN), (10, DEGRADED), (30, WELL)), query(named(minutes), "{{name}}", instant=True),
        ).span(4),
    ]  # fmt: skip


def dashboard() -> boards.Dashboard:
    """Which of the communes are hurt now, is it one cause or many, and is the monitor itself well."""
    return framed(
        "commune-province", Text("Tổng quan toàn tỉnh", "The whole province"),
        Text(
            "Toàn tỉnh: xã, phường nào đang gặp sự cố, do một hay nhiều nguyên nhân, có đang xấu đi không.",
            "Province: which communes are hurt now, is it one cause or many, is it getting worse.",
        ),
        [AREA, sites('monitor_site_info{area=~"$area"}', many=True)],
        {
            Text("Toàn tỉnh", "Province"): [
                communes_by_state(), incidents_by_cause(), commune_map(), worst_targets(), open_incidents(ANY_SITE).span(24),
            ],
            Text("Đường truyền", "Lines"): line_panels(),
            Text("Hệ thống dùng chung, phòng họp, nguồn điện", "Shared systems, rooms, power"): service_panels(),
            Text("Trạm giám sát", "The monitor"): own.at_a_glance(),
        },
        marks=[incidents(ANY_SITE), maintenance(ANY_SITE)], since="now-3h",
    )  # fmt: skip
