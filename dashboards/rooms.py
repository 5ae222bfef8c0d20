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
    NOT_MEASURED,
    THIS_SITE,
    TO_SITE,
    bars,
    columns,
    counts,
    figure,
    in_colour,
    in_fixed_colours,
    lines,
    renamed,
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
    NOTHING,
    lost,
    named,
    or_none,
    quantile,
    query,
    rank,
    short,
)
from dashboards.states import DEGRADED, DOWN, HURT, NONE_IS_WELL, PLAIN, STATES, UNKNOWN, WELL, colours, worded
from dashboards.texts import Text, on_board

ENDPOINT = f'kind="vc-endpoint", {ANY_SITE}'
CHOSEN = f"and on (site) {COMMUNES}"
TSLCD = 'and on (site, target) monitor_target_state{kind="tslcd"}'
READINESS = {
    "ready": Text("✓ Sẵn sàng", "✓ Ready"),
    "at-risk": Text("△ Có nguy cơ", "△ At risk"),
    "not-ready": Text("✕ Chưa sẵn sàng", "✕ Not ready"),
}
NO_MEETING = Text("Không có cuộc họp", "No meeting")


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
    panel = counts(
        Text("Phòng họp theo trạng thái", "Rooms by state"),
        Text("Số phòng họp theo trạng thái của thiết bị họp", "Rooms by the state of their endpoint"),
        *rooms_by_state(instant=True),
    )
    return in_fixed_colours(panel, STATES.values()).span(14)


def over_time() -> timeseries.Panel:
    """How many rooms were how, and when."""
    panel = lines(
        Text("Phòng họp theo thời gian", "Rooms over time"),
        Text("Số phòng họp theo trạng thái, qua thời gian", "Rooms by state over time"),
        "short",
        *rooms_by_state(instant=False),
    )
    return in_fixed_colours(stacked(panel), STATES.values()).height(10).span(12)


def meetings() -> table.Panel:
    """What comes, and how ready its rooms are."""
    found = or_none("sum by (meeting, readiness) (monitor_meeting_rooms)", "meeting", "readiness")
    matrix = {"columnField": "readiness", "rowField": "meeting", "valueField": "Value"}
    link = {
        "title": Text("Cuộc họp trên bảng trạng thái", "The meeting on the status board"),
        "url": on_board("/meetings/${__value.text}"), "targetBlank": True,
    }  # fmt: skip
    texts = {r"meeting\readiness": Text("Cuộc họp", "Meeting"), **READINESS}
    return columns(
        Text("Cuộc họp trong 24 giờ tới: số phòng", "Meetings of the next 24 hours: rooms"),
        Text(
            "Các cuộc họp đang diễn ra hoặc bắt đầu trong một ngày: số phòng theo mức sẵn sàng",
            "Meetings that run or begin within a day: rooms by readiness",
        ),
        texts, query(found, as_table=True),
        before=[model.DataTransformerConfig(id_val="groupingToMatrix", options=matrix)],
        settings={r"meeting\readiness": {"links": [link]}},
    ).mappings([worded({NOTHING: NO_MEETING})]).height(8)  # fmt: skip


def at_risk() -> bargauge.Panel:
    """What may spoil a meeting in rooms that answer."""
    jitter = quantile(0.95, "monitor_echo_jitter_seconds", ANY_SITE, "site, target, ")
    reasons = {
        Text(
            "Thiết bị không trả lời", "The endpoint does not answer"
        ): f"min by (site, target) (probe_success{{{ENDPOINT}}}) == 0",
        Text(
            f"Đường TSLCĐ mất gói trên {LOSS_HURTS * 100:g} %", f"TSLCĐ line loses more than {LOSS_HURTS * 100:g} %"
        ): f"{lost(ANY_SITE)} > {LOSS_HURTS} {TSLCD}",
        Text(
            f"Trễ biến thiên trên {JITTER_HURTS * 1000:g} ms", f"Jitter above {JITTER_HURTS * 1000:g} ms"
        ): f"{jitter} > {JITTER_HURTS} {TSLCD}",
        Text(
            f"Cổng bộ định tuyến đầy trên {FULL * 100:g} %", f"Router port full above {FULL * 100:g} %"
        ): f'snmp_if_utilisation_ratio{{kind="router", {ANY_SITE}}} > {FULL}',
        Text("UPS đang chạy ắc quy", "The UPS runs on battery"): f"upsOnBattery{{{ANY_SITE}}} == 1",
        Text("Đang bảo trì", "In announced work"): f"monitor_target_maintenance{{{ANY_SITE}}} == 1",
    }
    return bars(
        Text("Phòng họp có nguy cơ: vì sao", "Rooms at risk: why"),
        Text(
            "Số xã, phường mà phòng họp có thể không họp được, theo lý do",
            "Communes whose room may fail a meeting, by what speaks against it",
        ), "none", NONE_IS_WELL,
        *(
            query(or_none(f"count(count by (site) ({expr}) {CHOSEN})"), text, letter, instant=True)
            for letter, (text, expr) in zip("ABCDEF", reasons.items(), strict=True)
        ),
    ).name_placement(BarGaugeNamePlacement.TOP).decimals(0).span(12)  # fmt: skip


def troubled() -> table.Panel:
    """Which rooms are not well."""
    hurt = f"max by (site, target) ({rank(ENDPOINT)} {CHOSEN}) > 0"
    placed = f"topk(50, {hurt}) * on (site) group_left (name, area) monitor_site_info"
    texts = {
        "Value": Text("Trạng thái", "State"),
        "name": Text("Nơi", "Site"),
        "area": Text("Khu vực", "Area"),
        "target": Text("Thiết bị", "Endpoint"),
        "site": Text("Mã", "Id"),
    }
    link = row_link("commune-site", THIS_SITE, site="${__value.text}")
    return columns(
        Text("Phòng họp chưa sẵn sàng", "Rooms that are not well"),
        Text("Phòng họp có thiết bị không tốt, xấu nhất trước", "Rooms whose endpoint is not well, the worst first"), texts,
        query(or_none(placed, "name"), as_table=True),
        settings={"Value": in_colour(HURT), "site": {"links": [link]}}, worst="Value",
    ).mappings([worded({NOTHING: Text("Mọi phòng đều tốt", "All rooms are well")})])  # fmt: skip


def answers() -> list[Builder[model.Panel]]:
    """Signalling: endpoints and their registrar."""
    slowest = f"topk(10, max by (site) (probe_sip_duration_seconds{{{ENDPOINT}}} {CHOSEN}))"
    return [
        lines(
            Text("Phòng họp trả lời SIP", "Rooms that answer SIP"),
            Text("Phần phòng họp trả lời SIP OPTIONS", "Part of the rooms that answered SIP OPTIONS"), "percentunit",
            query(f'avg(probe_success{{{ENDPOINT}, check!="echo"}} {CHOSEN})', Text("Trả lời", "Answer")),
        ).max(1),
        bars(
            Text("Trả lời SIP chậm nhất", "Slowest SIP answers"),
            Text("Mười phòng trả lời lâu nhất", "The ten rooms that take longest to answer"), "s", PLAIN,
            query(named(slowest), "{{name}}", instant=True),
        ).data_links([TO_SITE]),
        lines(
            Text("Câu hỏi SIP phải gửi lại", "SIP questions sent again"),
            Text(
                "Số câu hỏi phải gửi lại qua UDP, cộng mọi phòng trong một lượt hỏi: mất gói trên đường",
                "Questions that had to be sent again over UDP, of all rooms in one look at each: loss on the way",
            ), "short",
            query(f"sum(probe_sip_retransmissions{{{ENDPOINT}}} {CHOSEN})", Text("Gửi lại", "Sent again")),
        ),
        timeline(
            Text("Máy chủ đăng ký", "Registrar"), Text("Trạng thái của máy chủ đăng ký theo thời gian", "State of the registrar over time"),
            STATES, query(short('monitor_target_state{kind="registrar"}'), "{{thing}}"),
        ).height(6),
        lines(
            Text("Máy chủ đăng ký: thời gian trả lời", "Registrar: time to answer"),
            Text("Máy chủ đăng ký mất bao lâu để trả lời, theo phép đo", "How long the registrar takes to answer, by check"), "s",
            query('probe_sip_duration_seconds{kind="registrar"}', "{{check}}"),
        ).height(6).span(6),
        figure(
            Text("Máy chủ đăng ký: mã SIP", "Registrar: SIP status"),
            Text("Mã SIP của các lần trả lời cuối; dưới 300 là tốt", "SIP status of its last answers; below 300 is good"), "none", PLAIN,
            query('probe_sip_status_code{kind="registrar"}', "{{check}}", instant=True),
        ).height(6).span(6),
    ]  # fmt: skip


def calls() -> list[Builder[model.Panel]]:
    """What a test call with each room is like, where one is made."""
    unmeasured = {NOTHING: NOT_MEASURED}

    def of_calls(metric: str) -> str:
        return or_none(f"max by (direction) (probe_media_{metric}{{{ANY_SITE}}} {CHOSEN})", "direction")

    lowest = named(f"bottomk(10, min by (site) (probe_media_mos{{{ANY_SITE}}} {CHOSEN}))")
    unmarked = f"count by (direction) (probe_media_dscp_kept{{{ANY_SITE}}} == 0 {CHOSEN})"
    return [
        renamed(
            bars(
                Text("Chất lượng tiếng thấp nhất (MOS)", "Lowest quality of speech (MOS)"),
                Text(
                    "Mười phòng có MOS (ITU-T G.107) thấp nhất: từ 4,03 trở lên người họp hài lòng, dưới 3,6 họ kêu ca",
                    "The ten rooms with the lowest MOS of ITU-T G.107: from 4.03 on people are content, below 3.6 they complain",
                ),
                "none", colours((None, UNKNOWN), (1, DOWN), (3.6, DEGRADED), (4.03, WELL)),
                query(or_none(lowest, "name"), "{{name}}", instant=True),
            ),
            unmeasured,
        ).max(4.5).decimals(2).span(6),
        renamed(
            lines(
                Text("Mất gói của cuộc gọi thử: phòng kém nhất", "Loss of the test call: the worst room"),
                Text("Tỷ lệ mất gói của cuộc gọi thử với phòng kém nhất, đi và về", "Loss of the test call of the worst room, there and back"),
                "percentunit", query(of_calls("loss_ratio"), "{{direction}}"), hurts_from=LOSS_HURTS,
            ),
            unmeasured,
        ).span(6),
        renamed(
            lines(
                Text("Trễ biến thiên của cuộc gọi thử: phòng kém nhất", "Jitter of the test call: the worst room"),
                Text("Độ biến thiên trễ của cuộc gọi thử với phòng kém nhất, đi và về", "Jitter of the test call of the worst room, there and back"),
                "s", query(of_calls("jitter_seconds"), "{{direction}}"), hurts_from=JITTER_HURTS,
            ),
            unmeasured,
        ).span(6),
        renamed(
            bars(
                Text("Phòng bị mất nhãn ưu tiên (DSCP)", "Rooms that lose the marking (DSCP)"),
                Text("Số phòng có gói tin bị mất nhãn ưu tiên trên đường", "Rooms whose packets lose their marking on the way"),
                "none", NONE_IS_WELL, query(or_none(unmarked, "direction"), "{{direction}}", instant=True),
            ),
            {NOTHING: Text("Không có", "None")},
        ).decimals(0).span(6),
    ]  # fmt: skip


def dashboard() -> boards.Dashboard:
    """Which rooms are ready, which are not and why."""
    not_ready = or_none(
        'sum by (meeting, readiness) (monitor_meeting_rooms{readiness!="ready"})', "meeting", "readiness"
    )
    return framed(
        "commune-rooms", Text("Họp trực tuyến", "Video conferences"),
        Text(
            "Họp trực tuyến: phòng nào sẵn sàng, phòng nào chưa và vì sao.",
            "Video conferences: which rooms are ready, which are not and why.",
        ),
        [AREA, sites('monitor_site_info{code!="", area=~"$area"}', many=True)],
        {
            Text("Sẵn sàng", "Readiness"): [
                by_state(),
                figure(
                    Text("Tất cả", "All"), Text("Số phòng họp", "All rooms"), "none", PLAIN,
                    query(f"count(monitor_target_state{{{ENDPOINT}}} {CHOSEN})", Text("Phòng", "Rooms"), instant=True),
                ),
                figure(
                    Text("Đường TSLCĐ đang ngừng", "TSLCĐ lines down"),
                    Text(
                        "Số xã, phường có đường TSLCĐ không tốt, nên phòng họp cũng vậy",
                        "Communes whose TSLCĐ line is not well, and so their room",
                    ), "none", NONE_IS_WELL,
                    query(
                        or_none(f'count((monitor_target_state{{kind="tslcd", {ANY_SITE}}} >= 2) {CHOSEN})'),
                        Text("Ngừng", "Down"), instant=True,
                    ),
                ).span(6),
                meetings(), at_risk(), troubled(), over_time(),
                renamed(
                    lines(
                        Text("Phòng chưa sẵn sàng cho cuộc họp", "Rooms not ready for a meeting"),
                        Text(
                            "Số phòng của các cuộc họp sắp tới chưa sẵn sàng hoặc có nguy cơ, theo thời gian",
                            "Rooms of the coming meetings that are not ready or at risk, over time",
                        ), "short",
                        query(not_ready, "{{meeting}} {{readiness}}"),
                    ),
                    {f"{NOTHING} {NOTHING}": NO_MEETING},
                ).span(24),
            ],
            Text("Gọi và đăng ký", "Calling and registration"): answers(),
            Text("Cuộc gọi thử", "Test calls"): calls(),
        },
        marks=[incidents(ANY_SITE), maintenance(ANY_SITE)],
    )  # fmt: skip
