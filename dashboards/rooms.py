"""Video conferences: which rooms are ready for the next meeting, which are not and why, while there is still time."""

from __future__ import annotations

from grafana_foundation_sdk.builders import bargauge, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import BarGaugeNamePlacement

from dashboards.frame import AREA, framed, incidents, maintenance, sites
from dashboards.panels import (
    TO_SITE,
    bars,
    columns,
    counts,
    figure,
    in_colour,
    in_fixed_colours,
    lines,
    row_link,
    stacked,
    timeline,
)
from dashboards.promql import (
    ANY_SITE,
    COMMUNES,
    FULL,
    JITTER_HURTS,
    LOSS_HURTS,
    lost,
    named,
    or_none,
    quantile,
    query,
    rank,
    short,
)
from dashboards.states import DEGRADED, DOWN, HURT, NONE_IS_WELL, PLAIN, STATES, UNKNOWN, WELL, colours

ENDPOINT = f'kind="vc-endpoint", {ANY_SITE}'
CHOSEN = f"and on (site) {COMMUNES}"
TSLCD = 'and on (site, target) monitor_target_state{kind="tslcd"}'
READINESS = {"ready": "✓ Sẵn sàng", "at-risk": "△ Có rủi ro", "not-ready": "✕ Chưa sẵn sàng"}


def rooms_by_state(*, instant: bool) -> list[Dataquery]:
    """How many rooms are how."""
    return [
        query(
            or_none(f"count((monitor_target_state{{{ENDPOINT}}} == {state}) {CHOSEN})"), text, letter, instant=instant
        )
        for letter, (state, (text, _)) in zip("ABCDE", STATES.items(), strict=True)
    ]


def by_state() -> stat.Panel:
    """How many rooms are how, now."""
    panel = counts("Phòng họp theo trạng thái", "Rooms by the state of their endpoint", *rooms_by_state(instant=True))
    return in_fixed_colours(panel, STATES.values()).span(14)


def over_time() -> timeseries.Panel:
    """How many rooms were how, and when."""
    panel = lines("Phòng họp theo thời gian", "Rooms by state over time", "short", *rooms_by_state(instant=False))
    return in_fixed_colours(stacked(panel), STATES.values()).height(10).span(12)


def meetings() -> table.Panel:
    """What comes, and how ready its rooms are."""
    found = or_none(
        "sum by (meeting, readiness) (monitor_meeting_rooms)", meeting="Không có cuộc họp", readiness="ready"
    )
    matrix = {"columnField": "readiness", "rowField": "meeting", "valueField": "Value"}
    link = {"title": "Cuộc họp trên bảng trạng thái", "url": "${board}/meetings/${__value.text}", "targetBlank": True}
    texts = {r"meeting\readiness": "Cuộc họp", **READINESS}
    return columns(
        "Cuộc họp trong 24 giờ tới: số phòng", "Meetings that run or begin within a day: rooms by readiness", texts,
        query(found, as_table=True),
        before=[model.DataTransformerConfig(id_val="groupingToMatrix", options=matrix)],
        settings={r"meeting\readiness": {"links": [link]}},
    ).height(8)  # fmt: skip


def at_risk() -> bargauge.Panel:
    """What may spoil a meeting in rooms that answer."""
    jitter = quantile(0.95, "monitor_echo_jitter_seconds", ANY_SITE, "site, target, ")
    reasons = {
        "Thiết bị không trả lời": f"min by (site, target) (probe_success{{{ENDPOINT}}}) == 0",
        f"Đường TSLCĐ mất gói trên {LOSS_HURTS * 100:g} %": f"{lost(ANY_SITE)} > {LOSS_HURTS} {TSLCD}",
        f"Trễ biến thiên trên {JITTER_HURTS * 1000:g} ms": f"{jitter} > {JITTER_HURTS} {TSLCD}",
        f"Cổng bộ định tuyến đầy trên {FULL * 100:g} %": f'snmp_if_utilisation_ratio{{kind="router", {ANY_SITE}}} > {FULL}',
        "UPS đang chạy ắc quy": f"upsOnBattery{{{ANY_SITE}}} == 1",
        "Đang bảo trì": f"monitor_target_maintenance{{{ANY_SITE}}} == 1",
    }
    return bars(
        "Phòng họp gặp rủi ro: vì sao", "Communes whose room may fail a meeting, by what speaks against it", "none", NONE_IS_WELL,
        *(
            query(or_none(f"count(count by (site) ({expr}) {CHOSEN})"), text, letter, instant=True)
            for letter, (text, expr) in zip("ABCDEF", reasons.items(), strict=True)
        ),
    ).name_placement(BarGaugeNamePlacement.TOP).decimals(0).span(12)  # fmt: skip


def troubled() -> table.Panel:
    """Which rooms are not well."""
    hurt = f"max by (site, target) ({rank(ENDPOINT)} {CHOSEN}) > 0"
    placed = f"topk(50, {hurt}) * on (site) group_left (name, area) monitor_site_info"
    texts = {"Value": "Trạng thái", "name": "Nơi", "area": "Khu vực", "target": "Thiết bị", "site": "Mã"}
    link = row_link("commune-site", "Xã, phường này", site="${__value.text}")
    return columns(
        "Phòng họp chưa sẵn sàng", "Rooms whose endpoint is not well, the worst first", texts,
        query(or_none(placed, name="Mọi phòng đều tốt"), as_table=True),
        settings={"Value": in_colour(HURT), "site": {"links": [link]}}, worst="Value",
    )  # fmt: skip


def answers() -> list[Builder[model.Panel]]:
    """Signalling: endpoints and their registrar."""
    slowest = f"topk(10, max by (site) (probe_sip_duration_seconds{{{ENDPOINT}}} {CHOSEN}))"
    return [
        lines(
            "Phòng họp trả lời SIP", "Part of the rooms that answered SIP OPTIONS", "percentunit",
            query(f'avg(probe_success{{{ENDPOINT}, check!="echo"}} {CHOSEN})', "Trả lời"),
        ).max(1),
        bars(
            "Trả lời SIP chậm nhất", "The ten rooms that take longest to answer", "s", PLAIN,
            query(named(slowest), "{{name}}", instant=True),
        ).data_links([TO_SITE]),
        lines(
            "Câu hỏi SIP phải gửi lại", "Questions that had to be sent again over UDP, of all rooms in one look at each: loss on the way", "short",
            query(f"sum(probe_sip_retransmissions{{{ENDPOINT}}} {CHOSEN})", "Gửi lại"),
        ),
        timeline(
            "Máy chủ đăng ký", "State of the registrar over time", STATES,
            query(short('monitor_target_state{kind="registrar"}'), "{{thing}}"),
        ).height(6),
        lines(
            "Máy chủ đăng ký: thời gian trả lời", "How long the registrar takes to answer, by check", "s",
            query('probe_sip_duration_seconds{kind="registrar"}', "{{check}}"),
        ).height(6).span(6),
        figure(
            "Máy chủ đăng ký: mã SIP", "SIP status of its last answers; below 300 is good", "none", PLAIN,
            query('probe_sip_status_code{kind="registrar"}', "{{check}}", instant=True),
        ).height(6).span(6),
    ]  # fmt: skip


def calls() -> list[Builder[model.Panel]]:
    """What a test call with each room is like, where one is made."""
    unmeasured = {"direction": "Không đo"}

    def of_calls(metric: str) -> str:
        return or_none(f"max by (direction) (probe_media_{metric}{{{ANY_SITE}}} {CHOSEN})", **unmeasured)

    lowest = named(f"bottomk(10, min by (site) (probe_media_mos{{{ANY_SITE}}} {CHOSEN}))")
    unmarked = f"count by (direction) (probe_media_dscp_kept{{{ANY_SITE}}} == 0 {CHOSEN})"
    return [
        bars(
            "Chất lượng tiếng thấp nhất (MOS)", "The ten rooms with the lowest MOS of ITU-T G.107: from 4.03 on people are content, below 3.6 they complain",
            "none", colours((None, UNKNOWN), (1, DOWN), (3.6, DEGRADED), (4.03, WELL)),
            query(or_none(lowest, name="Không đo"), "{{name}}", instant=True),
        ).max(4.5).decimals(2).span(6),
        lines(
            "Mất gói của cuộc gọi thử: phòng kém nhất", "Loss of the test call of the worst room, there and back", "percentunit",
            query(of_calls("loss_ratio"), "{{direction}}"), hurts_from=LOSS_HURTS,
        ).span(6),
        lines(
            "Trễ biến thiên của cuộc gọi thử: phòng kém nhất", "Jitter of the test call of the worst room, there and back", "s",
            query(of_calls("jitter_seconds"), "{{direction}}"), hurts_from=JITTER_HURTS,
        ).span(6),
        bars(
            "Phòng bị mất nhãn ưu tiên (DSCP)", "Rooms whose packets lose their marking on the way", "none", NONE_IS_WELL,
            query(or_none(unmarked, direction="–"), "{{direction}}", instant=True),
        ).decimals(0).span(6),
    ]  # fmt: skip


def dashboard() -> boards.Dashboard:
    """Which rooms are ready, which are not and why."""
    not_ready = or_none(
        'sum by (meeting, readiness) (monitor_meeting_rooms{readiness!="ready"})',
        meeting="Không có cuộc họp",
        readiness="–",
    )
    return framed(
        "commune-rooms", "Họp trực tuyến", "Video conferences: which rooms are ready, which are not and why.",
        [AREA, sites('monitor_site_info{code!="", area=~"$area"}', many=True)],
        {
            "Sẵn sàng": [
                by_state(),
                figure(
                    "Tất cả", "All rooms", "none", PLAIN,
                    query(f"count(monitor_target_state{{{ENDPOINT}}} {CHOSEN})", "Phòng", instant=True),
                ),
                figure(
                    "Đường TSLCĐ đang ngừng", "Communes whose TSLCĐ line is not well, and so their room", "none", NONE_IS_WELL,
                    query(
                        or_none(f'count((monitor_target_state{{kind="tslcd", {ANY_SITE}}} >= 2) {CHOSEN})'), "Ngừng", instant=True
                    ),
                ).span(6),
                meetings(), at_risk(), troubled(), over_time(),
                lines("Phòng chưa sẵn sàng cho cuộc họp", "Rooms of the coming meetings that are not ready or at risk, over time", "short",
                      query(not_ready, "{{meeting}} {{readiness}}")).span(24),
            ],
            "Gọi và đăng ký": answers(),
            "Cuộc gọi thử": calls(),
        },
        marks=[incidents(ANY_SITE), maintenance(ANY_SITE)],
    )  # fmt: skip
