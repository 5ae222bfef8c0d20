"""Video conferences: which rooms are ready for the next meeting, which are not and why, while there is still time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grafana_foundation_sdk.builders import bargauge, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import BarGaugeNamePlacement

from dashboards import calls
from dashboards.calls import CHOSEN, CONTENT_MOS, ENDPOINT, FULL_SIZE, NO_MEASUREMENT, POOR_MOS
from dashboards.frame import AREA, framed, incidents, maintenance, sites
from dashboards.panels import (
    THIS_SITE,
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
)
from dashboards.promql import (
    ANY_SITE,
    FULL,
    JITTER_HURTS,
    LOSS_HURTS,
    NONE,
    NOTHING,
    lost,
    or_none,
    quantile,
    query,
    rank,
)
from dashboards.states import DEGRADED, DOWN, HURT, NONE_IS_WELL, PLAIN, STATES, WELL, Coloured, called, colours, worded
from dashboards.texts import Text, on_board

REGISTERED = f"(probe_sip_registered{{{ENDPOINT}}} or probe_h323_registered{{{ENDPOINT}}})"
MARKED = f"(probe_path_dscp_kept{{{ANY_SITE}}} or probe_media_dscp_kept{{{ANY_SITE}}})"
NOT_REGISTERED, UNMARKED = f"{REGISTERED} == 0", f"{MARKED} == 0"
POOR_CALL = f"probe_media_mos{{{ANY_SITE}}} < {POOR_MOS}"
TOO_SMALL = f"probe_path_mtu_bytes{{{ANY_SITE}}} < {FULL_SIZE}"
YES = {0: (Text("✕ Không", "✕ No"), DOWN), 1: (Text("✓ Có", "✓ Yes"), WELL)}
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
    none = f'label_replace({NONE}, "readiness", "ready", "", "")'
    found = or_none("sum by (meeting, readiness) (monitor_meeting_rooms)", "meeting", none=none)
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
    ).mappings([worded({NOTHING: NO_MEETING})]).height(10)  # fmt: skip


def reasons() -> list[tuple[Text, str]]:
    """What may spoil a meeting, and the series of what is so."""
    jitter = quantile(0.95, "monitor_echo_jitter_seconds", ANY_SITE, "site, target, ")
    loss, late, full = f"{LOSS_HURTS * 100:g} %", f"{JITTER_HURTS * 1000:g} ms", f"{FULL * 100:g} %"
    return [
        (Text("Thiết bị không trả lời", "The endpoint does not answer"), f"min by (site, target) (probe_success{{{ENDPOINT}}}) == 0"),
        (Text("Máy chủ đăng ký không biết phòng", "The room is not registered"), NOT_REGISTERED),
        (Text(f"Đường TSLCĐ mất gói trên {loss}", f"TSLCĐ line loses more than {loss}"), f"{lost(ANY_SITE)} > {LOSS_HURTS} {TSLCD}"),
        (Text(f"Trễ biến thiên trên {late}", f"Jitter above {late}"), f"{jitter} > {JITTER_HURTS} {TSLCD}"),
        (Text(f"Cuộc gọi thử có MOS dưới {POOR_MOS:g}".replace(".", ","), f"MOS of the test call below {POOR_MOS:g}"), POOR_CALL),
        (Text("Gói lớn không qua (MTU dưới 1500)", "Large packets do not pass (MTU below 1500)"), TOO_SMALL),
        (Text("Mất nhãn ưu tiên (DSCP)", "The marking is lost (DSCP)"), UNMARKED),
        (Text(f"Cổng bộ định tuyến đầy trên {full}", f"Router port full above {full}"), f'snmp_if_utilisation_ratio{{kind="router", {ANY_SITE}}} > {FULL}'),
        (Text("UPS đang chạy ắc quy", "The UPS runs on battery"), f"upsOnBattery{{{ANY_SITE}}} == 1"),
        (Text("Đang bảo trì", "In announced work"), f"monitor_target_maintenance{{{ANY_SITE}}} == 1"),
    ]  # fmt: skip


def at_risk() -> bargauge.Panel:
    """What may spoil a meeting in rooms that answer."""
    return bars(
        Text("Phòng họp có nguy cơ: vì sao", "Rooms at risk: why"),
        Text(
            "Số xã, phường mà phòng họp có thể không họp được, theo lý do",
            "Communes whose room may fail a meeting, by what speaks against it",
        ), "none", NONE_IS_WELL,
        *(
            query(or_none(f"count(count by (site) ({expr}) {CHOSEN})"), text, letter, instant=True)
            for letter, (text, expr) in zip("ABCDEFGHIJ", reasons(), strict=True)
        ),
    ).name_placement(BarGaugeNamePlacement.TOP).decimals(0).height(10).span(12)  # fmt: skip


def troubled() -> table.Panel:
    """Which rooms are not well or measured badly, and what was measured of each."""
    poor = " or ".join((NOT_REGISTERED, POOR_CALL, TOO_SMALL, UNMARKED))
    state = rank(ENDPOINT)
    hurt = f"topk(50, max by (site, target) (({state} > 0 or {state} and on (site, target) ({poor})) {CHOSEN}))"
    placed = f"{hurt} * on (site) group_left (name, area) monitor_site_info"

    def measured(expr: str, letter: str) -> Dataquery:
        of_each = f"({expr} and on (site, target) {hurt}) or ({hurt} * 0 - 1)"
        return query(or_none(of_each, "name", none=NO_MEASUREMENT), letter=letter, as_table=True)

    texts = {
        "Value #A": Text("Trạng thái", "State"),
        "name": Text("Nơi", "Site"),
        "area": Text("Khu vực", "Area"),
        "target": Text("Thiết bị", "Endpoint"),
        "Value #B": Text("Đăng ký", "Registered"),
        "Value #C": Text("MOS", "MOS"),
        "Value #D": Text("Mất gói", "Loss"),
        "Value #E": Text("MTU", "MTU"),
        "Value #F": Text("Giữ nhãn", "Keeps the marking"),
        "site": Text("Mã", "Id"),
    }
    link = row_link("commune-site", THIS_SITE, site="${__value.text}")
    return columns(
        Text("Phòng họp chưa sẵn sàng: vì sao", "Rooms that are not well: why"),
        Text(
            "Phòng họp có thiết bị không tốt hoặc có số đo kém, xấu nhất trước, và lần đo cuối của từng phòng: đã đăng ký chưa, chất lượng tiếng (MOS) và mất gói của cuộc gọi thử, gói lớn nhất đi qua được (byte), có giữ nhãn ưu tiên (DSCP) không; –: không đo",
            "Rooms whose endpoint is not well or that something is measured badly of, the worst first, and what was last measured of each: registered, MOS and loss of the test call, largest packet that passes (bytes), marking (DSCP) kept; –: not measured",
        ),
        texts,
        query(or_none(placed, "name"), letter="A", as_table=True),
        measured(f"min by (site, target) ({REGISTERED})", "B"),
        measured(f"min by (site, target) (probe_media_mos{{{ANY_SITE}}})", "C"),
        measured(f"max by (site, target) (probe_media_loss_ratio{{{ANY_SITE}}})", "D"),
        measured(f"min by (site, target) (probe_path_mtu_bytes{{{ANY_SITE}}})", "E"),
        measured(f"min by (site, target) ({MARKED})", "F"),
        settings={
            "Value #A": in_colour(HURT), "site": {"links": [link]},
            "Value #B": in_coloured_text(YES), "Value #F": in_coloured_text(YES),
            "Value #C": in_coloured_text({}, (None, DOWN), (POOR_MOS, DEGRADED), (CONTENT_MOS, WELL)) | {"decimals": 2},
            "Value #D": in_coloured_text({}, (None, WELL), (LOSS_HURTS, DOWN)) | {"unit": "percentunit", "decimals": 1},
            "Value #E": in_coloured_text({}, (None, DEGRADED), (FULL_SIZE, WELL)),
        },
        worst="Value #A",
    ).mappings([worded({NOTHING: Text("Mọi phòng đều tốt", "All rooms are well")})]).span(24)  # fmt: skip


def in_coloured_text(texts: Mapping[int, Coloured], *steps: tuple[float | None, str]) -> dict[str, Any]:
    """Settings of a column of measurements: words or numbers in their colours, and a dash where nothing is measured."""
    return {
        "custom.cellOptions": {"type": "color-text"},
        "mappings": called({-1: (Text(NOTHING, NOTHING), "text"), **texts}),
        "thresholds": colours(*(steps or ((None, "text"),))).build(),
    }


def dashboard() -> boards.Dashboard:
    """Which rooms are ready, which are not and why."""
    not_ready = or_none(
        'sum by (meeting, readiness) (monitor_meeting_rooms{readiness!="ready"})', "meeting", "readiness"
    )
    servers = or_none(
        'sum by (meeting, readiness) (monitor_meeting_servers{readiness!="ready"})', "meeting", "readiness"
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
                            "Số phòng của các cuộc họp sắp tới chưa sẵn sàng hoặc có nguy cơ, theo thời gian; và những gì phục vụ mọi phòng",
                            "Rooms of the coming meetings that are not ready or at risk, over time; and what serves all rooms",
                        ), "short",
                        query(not_ready, "{{meeting}} {{readiness}}"),
                        query(
                            servers,
                            Text("{{meeting}} {{readiness}}: phục vụ mọi phòng", "{{meeting}} {{readiness}}: serving all rooms"),
                            letter="B",
                        ),
                    ),
                    {
                        f"{NOTHING} {NOTHING}": NO_MEETING,
                        Text(f"{NOTHING} {NOTHING}: phục vụ mọi phòng", f"{NOTHING} {NOTHING}: serving all rooms"): NO_MEETING,
                    },
                ).height(10).span(12),
            ],
            Text("Gọi và đăng ký", "Calling and registration"): calls.answers(),
            Text("Cuộc gọi thử", "Test calls"): calls.calls(),
        },
        folded={
            Text("Đường đi: gói lớn và nhãn ưu tiên", "The way: large packets and markings"): calls.path(),
            Text("H.323", "H.323"): calls.h323(),
            Text("STUN và TURN", "STUN and TURN"): calls.relays(),
            Text("Họp trên trình duyệt, chứng thư số", "Meetings in the browser, certificates"): calls.browser(),
        },
        marks=[incidents(ANY_SITE), maintenance(ANY_SITE)],
    )  # fmt: skip
