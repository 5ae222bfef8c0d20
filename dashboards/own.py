"""The monitor itself: does it see everything in time, do its mails leave, is its machine large enough."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import BigValueTextMode

from dashboards.frame import framed, incidents
from dashboards.panels import Named, echoes, figure, lines, renamed, timeline, to, words
from dashboards.promql import NOTHING, or_none, query
from dashboards.states import DEGRADED, DOWN, GOOD_BAD, NONE_IS_WELL, PLAIN, WELL, YES_NO, colours
from dashboards.texts import Text

OURS = "* on (instance, job) monitor_build_info"
"""Prometheus has process metrics of its own."""
NEVER = Text("Chưa có", "None yet")


def or_never(panel: Named) -> Named:
    """With words for what has not happened yet, by one label or two."""
    return renamed(panel, {NOTHING: NEVER, f"{NOTHING} {NOTHING}": NEVER})


def tally(title: Text, about: Text, counter: str, *by: str, selector: str = "") -> timeseries.Panel:
    """How often a second, a line for each of these labels; where none has happened yet, words for that."""
    often = or_none(f"sum by ({', '.join(by)}) (rate({counter}{selector}[$__rate_interval]))", *by)
    return or_never(lines(title, about, "cps", query(often, " ".join(f"{{{{{each}}}}}" for each in by))))


def reload_ended() -> stat.Panel:
    """Whether the settings in force are those on disk."""
    return words(
        Text("Nạp khai báo", "Reload"), Text("Lần nạp khai báo cuối cùng", "Last reload of the settings"), GOOD_BAD,
        query("min(monitor_config_last_reload_successful)", Text("Lần cuối", "Last"), instant=True),
    ).text_mode(BigValueTextMode.VALUE)  # fmt: skip


def oldest_mail() -> stat.Panel:
    """How long a mail waits."""
    return figure(
        Text("Thư chờ lâu nhất", "Oldest mail that waits"),
        Text("Thư đang chờ lâu nhất đã chờ bao lâu", "Age of the oldest mail that waits"), "s",
        colours((None, WELL), (60, DEGRADED), (300, DOWN)),
        query("max(monitor_outbox_oldest_seconds)", Text("Chờ", "Waits"), instant=True),
    )  # fmt: skip


def late_and_missed() -> Builder[model.Panel]:
    """Whether everything is looked at in time."""
    return lines(
        Text("Lượt đo trễ và bị bỏ", "Runs late and left out"),
        Text(
            "Lượt đo bị trễ và bị bỏ mỗi giây, và lượt không đo để nhường đường truyền",
            "Late and missed runs a second, and those that were left out to spare the line",
        ), "cps",
        query("sum(rate(monitor_runs_late_total[$__rate_interval]))", Text("Trễ", "Late")),
        query("sum(rate(monitor_runs_missed_total[$__rate_interval]))", Text("Bị bỏ", "Missed"), "B"),
        query("sum(rate(monitor_runs_spared_total[$__rate_interval]))", Text("Nhường đường truyền", "To spare the line"), "C"),
    )  # fmt: skip


def at_a_glance() -> list[Builder[model.Panel]]:
    """Whether the monitor is well: four panels that lead to all of them."""
    more: list[Builder[model.DashboardLink]] = [to("commune-monitor", Text("Trạm giám sát", "The monitor"))]
    return [
        lines(
            Text("Lượt đo mỗi giây", "Observations a second"),
            Text("Số lượt đo mỗi giây, theo kết quả", "Observations a second, by outcome"), "cps",
            query("sum by (outcome) (rate(monitor_observations_total[$__rate_interval]))", "{{outcome}}"),
        ).data_links(more),
        late_and_missed(),
        reload_ended().data_links(more).height(8),
        oldest_mail().data_links(more).height(8),
    ]  # fmt: skip


def figures() -> list[Builder[model.Panel]]:
    """One look: is it well."""
    delivered = or_none("sum by (result) (increase(monitor_mails_total[24h]))", "result")
    return [
        words(
            Text("Prometheus đọc được", "Prometheus can read it"),
            Text("Prometheus có đọc được trạm giám sát không", "Whether Prometheus could read the monitor"), GOOD_BAD,
            query('min(up{job="commune-monitor"})', Text("Đọc", "Reads"), instant=True),
        ).text_mode(BigValueTextMode.VALUE),
        reload_ended(),
        figure(
            Text("Nạp khai báo tốt lúc", "Last good reload"),
            Text("Lần cuối khai báo được nạp thành công", "When the settings were last taken over"), "dateTimeAsLocal", PLAIN,
            query("max(monitor_config_last_reload_success_timestamp_seconds) * 1000", Text("Lúc", "At"), instant=True),
        ),
        oldest_mail(),
        figure(
            Text("Chờ ghi cơ sở dữ liệu", "Waits for the database"),
            Text(
                "Dữ liệu đã chờ ghi bao lâu; từ 30 s trở lên thì không thư nào gửi đi được",
                "How long something has waited to be written; from 30 s on no mail can leave",
            ), "s",
            colours((None, WELL), (5, DEGRADED), (30, DOWN)),
            query("max(monitor_unwritten_seconds)", Text("Chờ", "Waits"), instant=True),
        ),
        figure(
            Text("Lỗi của chương trình", "Mistakes of the program"),
            Text(
                "Lượt đo bị mất do lỗi của chương trình, trong khoảng đang xem; xem nhật ký",
                "Observations lost by a mistake of ours, in the range shown; see the log",
            ), "short",
            NONE_IS_WELL, query("sum(increase(monitor_errors_total[$__range]))", Text("Lỗi", "Mistakes"), instant=True),
        ).decimals(0),
        figure(
            Text("Chạy được", "Running for"), Text("Chương trình đã chạy được bao lâu", "How long the daemon has run"), "s", PLAIN,
            query(f"max(time() - process_start_time_seconds {OURS})", Text("Chạy", "Runs"), instant=True),
        ),
        figure(
            Text("Phép đo", "Checks"), Text("Số phép đo đang được lập lịch", "Checks that are scheduled"), "short", PLAIN,
            query("sum(monitor_checks)", Text("Phép đo", "Checks"), instant=True),
        ),
        figure(
            Text("Chuỗi số liệu", "Series"), Text("Số chuỗi trong một lần đọc", "Series of one scrape: the cardinality"), "short", PLAIN,
            query("max(monitor_series)", Text("Chuỗi", "Series"), instant=True),
        ),
        renamed(
            figure(
                Text("Thư đã gửi trong 24 giờ", "Mails of 24 hours"),
                Text("Số lượt gửi thư trong 24 giờ qua, theo kết quả", "Tries to deliver in the last 24 hours, by result"), "short", PLAIN,
                query(delivered, "{{result}}", instant=True),
            ),
            {NOTHING: NEVER},
        ).decimals(0),
        figure(
            Text("Bộ mô tả tệp", "File descriptors"),
            Text(
                "Phần bộ mô tả tệp đang dùng trên số được phép",
                "Part of the file descriptors that it may have that are in use",
            ), "percentunit",
            colours((None, WELL), (0.7, DEGRADED), (0.9, DOWN)),
            query(f"max(process_open_fds / process_max_fds {OURS})", Text("Dùng", "In use"), instant=True),
        ),
        figure(
            Text("Phiên bản", "Version"), Text("Phiên bản của chương trình", "Version of the daemon"), "none", PLAIN,
            query("max by (version) (monitor_build_info)", "{{version}}", instant=True),
        ).text_mode(BigValueTextMode.NAME),
    ]  # fmt: skip


def looking() -> list[Builder[model.Panel]]:
    """Does it see everything, and in time."""
    lag = "sum by (le) (rate(monitor_loop_lag_seconds_bucket[$__rate_interval]))"
    return [
        lines(
            Text("Lượt đo theo kết quả", "Observations by outcome"),
            Text("Số lượt đo mỗi giây, theo kết quả", "Observations a second, by outcome"), "cps",
            query("sum by (outcome) (rate(monitor_observations_total[$__rate_interval]))", "{{outcome}}"),
        ),
        lines(
            Text("Lượt đo theo phép đo", "Observations by probe"),
            Text("Số lượt đo mỗi giây, theo loại phép đo", "Observations a second, by probe"), "cps",
            query("sum by (probe) (rate(monitor_observations_total[$__rate_interval]))", "{{probe}}"),
        ),
        late_and_missed(),
        echoes(
            Text("Trễ vòng lặp", "Loop lag"),
            Text(
                "Vòng lặp đánh thức hẹn giờ trễ bao lâu; trên 100 ms thì thời gian đo không còn chính xác",
                "How late the event loop woke a timer; above 100 ms times are not exact",
            ),
            "monitor_loop_lag_seconds", "",
        ).span(16).height(8),
        lines(
            Text("Trễ vòng lặp: trung vị, 99 %", "Loop lag: median, 99 %"),
            Text("Trung vị và phân vị 99 % của trễ vòng lặp", "Loop lag, median and 99th percentile"), "s",
            query(f"histogram_quantile(0.5, {lag})", "50 %"), query(f"histogram_quantile(0.99, {lag})", "99 %", "B"),
        ),
        tally(
            Text("Gói trả lời lạ, trễ, bị bỏ", "Replies: foreign, late, dropped"),
            Text(
                "Điều bất thường với gói thử: trễ (late), trùng (duplicate), lạ (foreign), bị bỏ do bộ đệm đầy (overflow)",
                "What befell echoes: late, duplicate, foreign, dropped by a full buffer (overflow)",
            ),
            "monitor_stream_happenings_total", "what", selector='{what!="sent"}',
        ).span(12),
        tally(
            Text("Bẫy SNMP (trap)", "SNMP traps"),
            Text(
                "Bẫy SNMP theo cách đã xử lý; overflow: bộ đệm của trạm đã đầy",
                "SNMP traps by what became of them; overflow: our buffer was full",
            ),
            "monitor_traps_total", "outcome",
        ).span(12),
    ]  # fmt: skip


def mailing() -> list[Builder[model.Panel]]:
    """Do its mails leave."""
    return [
        lines(
            Text("Hộp thư đi", "Outbox"),
            Text(
                "Thư trong hộp thư đi theo trạng thái, trừ thư đã đi (sent, superseded)",
                "Outbox by status; what has left (sent, superseded) apart",
            ), "short",
            query('sum by (status) (monitor_outbox_mails{status!~"sent|superseded"})', "{{status}}"),
        ),
        tally(
            Text("Lượt gửi theo kết quả", "Tries by result"),
            Text("Số lượt gửi thư mỗi giây, theo kết quả", "Tries to deliver a second, by result"),
            "monitor_mails_total", "result",
        ),
        tally(
            Text("Lượt gửi theo máy chủ thư", "Tries by relay"),
            Text("Mỗi máy chủ thư đã xử lý thư ra sao, mỗi giây", "What each relay made of the mails, a second"),
            "monitor_relay_tries_total", "relay", "result",
        ),
        or_never(
            timeline(
                Text("Máy chủ thư đang lỗi", "Relays that fail"),
                Text(
                    "Máy chủ thư lần trước bị lỗi, nên được thử sau các máy khác",
                    "Relays that failed last time and are tried after the others",
                ), YES_NO,
                query(or_none("max by (relay) (monitor_relay_failing)", "relay"), "{{relay}}"),
            )
        ).span(8),
        tally(
            Text("Tín hiệu còn sống", "Signs of life"),
            Text(
                "Số tín hiệu còn sống mỗi giây; withheld: giữ lại vì có điều chưa ổn",
                "Signs of life a second; withheld: because all is not well",
            ),
            "monitor_heartbeats_total", "way", "result",
        ),
        tally(
            Text("Báo Alertmanager", "Alertmanager told"),
            Text("Số lần báo cho Alertmanager mỗi giây", "Times that an Alertmanager was told, a second"),
            "monitor_alertmanager_posts_total", "peer", "result",
        ),
        lines(
            Text("Diễn biến sự cố", "Life of the incidents"),
            Text("Điều đã xảy ra với các sự cố, trong mỗi khoảng của hình", "What happened to incidents, in each window of the picture"),
            "short", query("sum by (what) (increase(monitor_incident_events_total[$__rate_interval]))", "{{what}}"),
        ).span(24),
    ]  # fmt: skip


def machine() -> list[Builder[model.Panel]]:
    """Is its machine large enough."""
    return [
        lines(
            Text("CPU", "CPU"), Text("Số lõi CPU đang dùng", "CPU cores used"), "none",
            query(f"sum(rate(process_cpu_seconds_total[$__rate_interval]) {OURS})", Text("Lõi", "Cores")),
        ),
        lines(
            Text("Bộ nhớ", "Memory"), Text("Bộ nhớ chương trình đang giữ", "Memory that the daemon holds"), "bytes",
            query(f"sum(process_resident_memory_bytes {OURS})", "RAM"),
        ),
        lines(
            Text("Cơ sở dữ liệu và bản ghi lại", "Database and recording"),
            Text(
                "Số lần ghi cơ sở dữ liệu bị lỗi mỗi giây, sẽ được thử lại; số dòng của bản ghi lại, và số dòng bị thiếu",
                "Failed writes to the database a second, which are tried again; lines of the recording, and those that it lacks",
            ), "cps",
            query("sum(rate(monitor_store_errors_total[$__rate_interval]))", Text("Ghi lỗi", "Failed writes")),
            query("sum(rate(monitor_recorded_lines_total[$__rate_interval]))", Text("Dòng ghi lại", "Lines recorded"), "B"),
            query("sum(rate(monitor_recording_dropped_total[$__rate_interval]))", Text("Dòng bị bỏ", "Lines dropped"), "C"),
        ),
        lines(
            Text("Số chuỗi", "Number of series"),
            Text(
                "Số chuỗi của một lần đọc theo thời gian, và số chuỗi mới xuất hiện: cả hai đứng yên khi danh mục không đổi",
                "Series of a scrape over time, and those that appear anew: both flat when the inventory rests",
            ),
            "short", query("max(monitor_series)", Text("Chuỗi", "Series")),
            query(f"max(scrape_series_added {OURS})", Text("Mới", "New"), "B"),
        ).span(12),
        lines(
            Text("Thời gian Prometheus đọc", "Duration of a scrape"),
            Text("Một lần đọc mất bao lâu", "How long a scrape takes"), "s",
            query(f"max(scrape_duration_seconds {OURS})", Text("Đọc", "Scrape")),
        ).span(12),
    ]  # fmt: skip


def dashboard() -> boards.Dashboard:
    """Whether one may believe what it says."""
    return framed(
        "commune-monitor", Text("Trạm giám sát", "The monitor"),
        Text(
            "Chính trạm giám sát: có đo được mọi thứ kịp thời không, thư có đi được không, máy có đủ mạnh không.",
            "The monitor itself: does it see everything in time, do its mails leave, is its machine large enough.",
        ),
        [],
        {
            Text("Tóm tắt", "At a glance"): figures(),
            Text("Đo", "Looking"): looking(),
            Text("Thư và báo tin", "Mails and other ways to tell"): mailing(),
            Text("Máy", "Machine"): machine(),
        },
        marks=[incidents('cause="vantage"')],
    )  # fmt: skip
