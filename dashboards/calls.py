"""What rooms and the servers of video conferences are asked, and how it went: the rows below the readiness of the rooms."""

from __future__ import annotations

from grafana_foundation_sdk.builders import bargauge, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model

from dashboards.panels import (
    DAYS,
    NOT_MEASURED,
    TO_SITE,
    bars,
    figure,
    in_fixed_colours,
    lines,
    renamed,
    stacked,
    timeline,
)
from dashboards.promql import ANY_SITE, COMMUNES, JITTER_HURTS, LOSS_HURTS, NONE, NOTHING, named, or_none, query, short
from dashboards.states import (
    DEGRADED,
    DOWN,
    ENDING,
    NONE_IS_WELL,
    PASSED,
    PLAIN,
    STATES,
    UNKNOWN,
    WELL,
    called,
    colours,
)
from dashboards.texts import Text

ENDPOINT = f'kind="vc-endpoint", {ANY_SITE}'
CHOSEN = f"and on (site) {COMMUNES}"
SERVERS = 'kind=~"registrar|gatekeeper|turn-server|browser-meetings"'
"""The kinds that the examples of config/ give to what all rooms share."""
FULL_SIZE = 1500
"""MTU of Ethernet, in bytes."""
POOR_MOS, CONTENT_MOS = 3.6, 4.03
"""Below the one people complain, from the other on they are content (R of 70 and 80, ITU-T G.107)."""
NO_MEASUREMENT = f"{NONE} - 1"
"""In place of zero where that would say something."""
NOT_THERE = {-1: (NOT_MEASURED, UNKNOWN)}
UNMEASURED = {NOTHING: NOT_MEASURED}
DIRECTIONS = {"there": Text("Chiều đi", "There"), "back": Text("Chiều về", "Back")}
MARKINGS = {
    f"{dscp} {way}": Text(f"{dscp} ({vietnamese}), {text.lower()}", f"{dscp} ({english}), {text.english.lower()}")
    for dscp, vietnamese, english in ((46, "tiếng", "speech"), (34, "hình", "picture"))
    for way, text in DIRECTIONS.items()
}
"""Those of a call as the probe sends them; others are shown by their number."""
KNOWN = {0: Text("Chưa đăng ký", "Not registered"), 1: Text("Đã đăng ký", "Registered")}


def of_servers(metric: str, *by: str, selector: str = "") -> str:
    """The worst value of each check of a server, with its name as `thing`; where none is asked, a zero."""
    labels = ("target", "check", *by)
    return or_none(short(f"max by ({', '.join(labels)}) ({metric}{selector})"), "thing", "check", *by)


def of_server_times(title: Text, about: Text, metric: str, *by: str, selector: str = "") -> timeseries.Panel:
    """Curves of how long the servers take. Where none is asked the axis does not reach minutes."""
    legend = " ".join(f"{{{{{label}}}}}" for label in ("thing", "check", *by))
    panel = lines(title, about, "s", query(of_servers(metric, *by, selector=selector), legend)).axis_soft_max(0.1)
    return renamed(panel, unmeasured("thing", "check", *by))


def unmeasured(*labels: str) -> dict[str, Text]:
    """The words for the legend of a series that stands for none, of so many labels."""
    return {" ".join(NOTHING for _ in labels): NOT_MEASURED}


def answers() -> list[Builder[model.Panel]]:
    """Signalling: endpoints and their registrar."""
    slowest = f"topk(10, max by (site) (probe_sip_duration_seconds{{{ENDPOINT}}} {CHOSEN}))"
    return [
        lines(
            Text("Phòng họp trả lời SIP", "Rooms that answer SIP"),
            Text("Phần phòng họp trả lời SIP OPTIONS", "Part of the rooms that answered SIP OPTIONS"), "percentunit",
            query(f'avg(probe_success{{{ENDPOINT}, check!="echo"}} {CHOSEN})', Text("Trả lời", "Answer")),
        ).max(1).span(6),
        bars(
            Text("Trả lời SIP chậm nhất", "Slowest SIP answers"),
            Text("Mười phòng trả lời lâu nhất", "The ten rooms that take longest to answer"), "s", PLAIN,
            query(named(slowest), "{{name}}", instant=True),
        ).data_links([TO_SITE]).span(6),
        lines(
            Text("Câu hỏi SIP phải gửi lại", "SIP questions sent again"),
            Text(
                "Số câu hỏi phải gửi lại qua UDP, cộng mọi phòng trong một lượt hỏi: mất gói trên đường",
                "Questions that had to be sent again over UDP, of all rooms in one look at each: loss on the way",
            ), "short",
            query(f"sum(probe_sip_retransmissions{{{ENDPOINT}}} {CHOSEN})", Text("Gửi lại", "Sent again")),
        ).span(6),
        lines(
            Text("Phòng mà máy chủ đăng ký không biết", "Rooms that are not registered"),
            Text(
                "Số phòng chưa đăng ký: gọi đến thì máy chủ không biết chuyển đi đâu",
                "Rooms that their registrar or gatekeeper does not know: nobody can call them",
            ), "short",
            *(
                query(or_none(f"count(min by (site) (probe_{kind}_registered{{{ENDPOINT}}}) == 0 {CHOSEN})"), text, letter)
                for kind, text, letter in (("sip", "SIP", "A"), ("h323", "H.323", "B"))
            ),
        ).span(6),
        timeline(
            Text("Máy chủ họp", "Conference servers"),
            Text(
                "Trạng thái theo thời gian của các máy chủ đăng ký, chuyển tiếp và họp trên trình duyệt",
                "State over time of registrars, gatekeepers, TURN servers and meetings in the browser",
            ),
            STATES, query(short(f"monitor_target_state{{{SERVERS}}}"), "{{thing}}"),
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
                "none", colours((None, UNKNOWN), (1, DOWN), (POOR_MOS, DEGRADED), (CONTENT_MOS, WELL)),
                query(or_none(lowest, "name"), "{{name}}", instant=True),
            ),
            UNMEASURED,
        ).max(4.5).decimals(2).span(6),
        renamed(
            lines(
                Text("Mất gói của cuộc gọi thử: phòng kém nhất", "Loss of the test call: the worst room"),
                Text("Tỷ lệ mất gói của cuộc gọi thử với phòng kém nhất, đi và về", "Loss of the test call of the worst room, there and back"),
                "percentunit", query(of_calls("loss_ratio"), "{{direction}}"), hurts_from=LOSS_HURTS,
            ),
            UNMEASURED | DIRECTIONS,
        ).span(6),
        renamed(
            lines(
                Text("Trễ biến thiên của cuộc gọi thử: phòng kém nhất", "Jitter of the test call: the worst room"),
                Text("Độ biến thiên trễ của cuộc gọi thử với phòng kém nhất, đi và về", "Jitter of the test call of the worst room, there and back"),
                "s", query(of_calls("jitter_seconds"), "{{direction}}"), hurts_from=JITTER_HURTS,
            ),
            UNMEASURED | DIRECTIONS,
        ).span(6),
        renamed(
            bars(
                Text("Phòng bị mất nhãn ưu tiên (DSCP)", "Rooms that lose the marking (DSCP)"),
                Text("Số phòng có gói tin bị mất nhãn ưu tiên trên đường", "Rooms whose packets lose their marking on the way"),
                "none", NONE_IS_WELL, query(or_none(unmarked, "direction"), "{{direction}}", instant=True),
            ),
            {NOTHING: Text("Không có", "None")} | DIRECTIONS,
        ).decimals(0).span(6),
        *own_calls(),
    ]  # fmt: skip


def own_calls() -> list[Builder[model.Panel]]:
    """What rooms say themselves of the calls that they are or were in, where their profile asks them (SNMP or HTTPS)."""
    # Kept in the picture for a day while the monitor, started anew, knows of no call yet.
    last = named(f"topk(10, max by (site) (last_over_time(room_last_call_loss_ratio{{{ENDPOINT}}}[24h])) {CHOSEN})")
    now = f"max(room_loss_ratio{{{ENDPOINT}}} and on (site, target) room_calls > 0 {CHOSEN})"
    return [
        renamed(
            bars(
                Text("Mất gói trong cuộc gọi gần nhất", "Loss in the last call"),
                Text(
                    "Mười phòng bị mất gói nhiều nhất trong cuộc gọi gần nhất, theo thiết bị họp tự báo",
                    "The ten rooms that lost most in their last call, as their endpoints say",
                ),
                "percentunit", colours((None, WELL), (LOSS_HURTS, DOWN)), query(or_none(last, "name"), "{{name}}", instant=True),
            ),
            UNMEASURED,
        ).data_links([TO_SITE]).span(12),
        lines(
            Text("Mất gói của phòng đang gọi: phòng kém nhất", "Loss of rooms in a call: the worst room"),
            Text(
                "Tỷ lệ mất gói của phòng kém nhất trong các phòng đang có cuộc gọi, theo thiết bị họp tự báo",
                "Loss of the worst of the rooms that are in a call, as their endpoints say",
            ),
            "percentunit", query(or_none(now), Text("Mất gói", "Loss")), hurts_from=LOSS_HURTS,
        ).span(12),
    ]  # fmt: skip


def h323() -> list[Builder[model.Panel]]:
    """H.323: how fast rooms and gatekeepers answer, and who is registered."""
    slowest = named(f"topk(10, max by (site) (probe_h323_duration_seconds{{{ENDPOINT}}} {CHOSEN}))")
    registered = f"min by (site, target) (probe_h323_registered{{{ENDPOINT}}})"
    known = lines(
        Text("Phòng đăng ký H.323", "Rooms registered by H.323"),
        Text("Số phòng mà máy chủ H.323 biết và không biết, theo thời gian", "Rooms that the gatekeeper knows and does not know, over time"),
        "short",
        *(
            query(or_none(f"count({registered} == {value} {CHOSEN})"), text, letter)
            for letter, (value, text) in zip("AB", KNOWN.items(), strict=True)
        ),
    )  # fmt: skip
    return [
        slow_bars(
            Text("Trả lời H.323 chậm nhất", "Slowest H.323 answers"),
            Text(
                "Mười phòng lâu trả lời nhất, kể cả khi hỏi qua máy chủ H.323",
                "The ten rooms that take longest to answer, also where the gatekeeper is asked for them",
            ),
            slowest,
        ),
        in_fixed_colours(stacked(known), [(KNOWN[0], DOWN), (KNOWN[1], WELL)]),
        of_server_times(
            Text("Máy chủ H.323: thời gian trả lời", "Gatekeeper: time to answer"),
            Text("Máy chủ H.323 mất bao lâu để trả lời, theo phép đo", "How long the gatekeeper takes to answer, by check"),
            "probe_h323_duration_seconds", selector='{kind!="vc-endpoint"}',
        ),
    ]  # fmt: skip


def slow_bars(title: Text, about: Text, expr: str) -> bargauge.Panel:
    """A bar in seconds for each site, leading there."""
    panel = bars(title, about, "s", PLAIN, query(or_none(expr, "name"), "{{name}}", instant=True))
    return renamed(panel, UNMEASURED).data_links([TO_SITE])


def path() -> list[Builder[model.Panel]]:
    """The way to the rooms: do full packets pass, and do they keep their marking."""
    smallest = named(f"bottomk(10, min by (site) (probe_path_mtu_bytes{{{ANY_SITE}}} {CHOSEN}))")
    cut = f"count(min by (site) (probe_path_mtu_bytes{{{ANY_SITE}}}) < {FULL_SIZE} {CHOSEN})"
    unmarked = f"count by (dscp, direction) (probe_path_dscp_kept{{{ANY_SITE}}} == 0 {CHOSEN})"
    return [
        renamed(
            bars(
                Text("MTU nhỏ nhất trên đường đi", "Smallest MTU on the way"),
                Text(
                    "Mười phòng có gói lớn nhất đi qua được là nhỏ nhất, tính bằng byte; dưới 1500 thì có thể gọi được mà không có hình",
                    "The ten rooms to which the least large packets pass whole, in bytes; below 1500 a call may connect and have no picture",
                ),
                "none", colours((None, UNKNOWN), (1, DEGRADED), (FULL_SIZE, WELL)),
                query(or_none(smallest, "name"), "{{name}}", instant=True),
            ),
            UNMEASURED,
        ).decimals(0).data_links([TO_SITE]),
        lines(
            Text("Phòng có MTU dưới 1500", "Rooms with an MTU below 1500"),
            Text("Số phòng mà gói 1500 byte không qua được nguyên vẹn, theo thời gian", "Rooms to which a packet of 1500 bytes does not pass whole, over time"),
            "short", query(or_none(cut), Text("Phòng", "Rooms")),
        ),
        renamed(
            bars(
                Text("Phòng mất nhãn, theo nhãn và chiều", "Rooms that lose a marking, by marking and direction"),
                Text(
                    "Số phòng có gói mang nhãn này (DSCP 46: tiếng, 34: hình) đến nơi thì không còn nhãn; there: chiều đi, back: chiều về",
                    "Rooms whose packets with this marking (DSCP 46: speech, 34: picture) arrive without it",
                ),
                "none", NONE_IS_WELL, query(or_none(unmarked, "dscp", "direction"), "{{dscp}} {{direction}}", instant=True),
            ),
            {f"{NOTHING} {NOTHING}": Text("Không có", "None")} | MARKINGS,
        ).decimals(0),
    ]  # fmt: skip


def relays() -> list[Builder[model.Panel]]:
    """STUN and TURN: is a relay lent, and where does the time go."""
    again = "(probe_stun_retransmissions or probe_turn_retransmissions)"

    return [
        renamed(
            figure(
                Text("TURN cho mượn trong", "TURN lends for"),
                Text(
                    "Lần hỏi cuối máy chủ cho mượn chỗ chuyển tiếp trong bao lâu; không có số là không mượn được",
                    "For how long the last relay was lent; without a figure none was",
                ),
                "s", PLAIN, query(of_servers("probe_turn_lifetime_seconds"), "{{thing}} {{check}}", instant=True),
            ),
            unmeasured("thing", "check"),
        ).mappings(called({0: (NOT_MEASURED, UNKNOWN)})).height(8).span(6),
        of_server_times(
            Text("TURN: thời gian theo pha", "TURN: time by phase"),
            Text(
                "Kết nối, TLS, mượn (allocate), xin phép (permission), chuyển tiếp (relay), trả lại (release)",
                "Connection, TLS, and to allocate, permit, relay and release",
            ),
            "probe_turn_phase_duration_seconds", "phase",
        ).span(18),
        of_server_times(
            Text("STUN: thời gian trả lời", "STUN: time to answer"),
            Text("Từ câu hỏi đến câu trả lời", "From the request to the answer"), "probe_stun_duration_seconds",
        ),
        of_server_times(
            Text("STUN: kết nối, TLS", "STUN: connection, TLS"),
            Text("Thời gian kết nối và bắt tay TLS trước khi hỏi; qua UDP thì không có", "Time to connect and of TLS before the request; not over UDP"),
            "probe_stun_phase_duration_seconds", "phase",
        ),
        renamed(
            lines(
                Text("Câu hỏi STUN, TURN phải gửi lại", "STUN and TURN requests sent again"),
                Text("Số câu hỏi phải gửi lại qua UDP trong lần đo cuối: mất gói trên đường", "Requests sent again over UDP in the last run: loss on the way"),
                "short", query(of_servers(again), "{{thing}} {{check}}"),
            ),
            unmeasured("thing", "check"),
        ),
    ]  # fmt: skip


def browser() -> list[Builder[model.Panel]]:
    """Meetings in the browser, and how long the certificates of all servers are good."""
    asked = or_none(short('probe_success{kind="browser-meetings"}'), "thing", "check", none=NO_MEASUREMENT)
    valid = short(f"min by (target) (probe_ssl_days_left{{{SERVERS}}})")
    return [
        renamed(
            timeline(
                Text("Vào họp bằng trình duyệt", "Joining in the browser"),
                Text("Trang họp và báo hiệu phía sau có trả lời không", "Whether the page and the signalling behind it answered"),
                PASSED | NOT_THERE, query(asked, "{{thing}} {{check}}"),
            ),
            unmeasured("thing", "check"),
        ).span(8),
        of_server_times(
            Text("Họp trên trình duyệt: thời gian theo pha", "Meetings in the browser: time by phase"),
            Text("Thời gian tải trang (page) và mở báo hiệu (signalling)", "Time to load the page and to open the signalling"),
            "probe_webrtc_duration_seconds", "phase",
        ),
        renamed(
            bars(
                Text("Chứng thư số của các máy chủ họp", "Certificates of the conference servers"),
                Text("Số ngày chứng thư số còn hạn", "Days that certificates are still valid"), DAYS,
                ENDING, query(or_none(valid, "thing", none=NO_MEASUREMENT), "{{thing}}", instant=True),
            ).mappings(called(NOT_THERE)),
            UNMEASURED,
        ),
    ]  # fmt: skip
