"""The monitor itself: does it see everything in time, do its mails leave, is its machine large enough."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import BigValueTextMode

from dashboards.frame import framed, incidents
from dashboards.panels import echoes, figure, lines, timeline, to, words
from dashboards.promql import or_none, query
from dashboards.states import DEGRADED, DOWN, GOOD_BAD, NONE_IS_WELL, PLAIN, WELL, YES_NO, colours

OURS = "* on (instance, job) monitor_build_info"
"""Prometheus has process metrics of its own."""
NOTHING = "Chưa có"


def happened(counter: str, by: str, selector: str = "") -> str:
    """How often a second, by labels; where none has happened yet, a zero."""
    first, *others = by.split(", ")
    none = {first: NOTHING, **dict.fromkeys(others, "–")}
    return or_none(f"sum by ({by}) (rate({counter}{selector}[$__rate_interval]))", **none)


def reload_ended() -> stat.Panel:
    """Whether the settings in force are those on disk."""
    return words(
        "Nạp khai báo", "Last reload of the settings", GOOD_BAD,
        query("min(monitor_config_last_reload_successful)", "Lần cuối", instant=True),
    ).text_mode(BigValueTextMode.VALUE)  # fmt: skip


def oldest_mail() -> stat.Panel:
    """How long a mail waits."""
    return figure(
        "Thư chờ lâu nhất", "Age of the oldest mail that waits", "s",
        colours((None, WELL), (60, DEGRADED), (300, DOWN)),
        query("max(monitor_outbox_oldest_seconds)", "Chờ", instant=True),
    )  # fmt: skip


def late_and_missed() -> Builder[model.Panel]:
    """Whether everything is looked at in time."""
    return lines(
        "Lượt đo trễ và bị bỏ", "Late and missed runs a second, and those that were left out to spare the line", "cps",
        query("sum(rate(monitor_runs_late_total[$__rate_interval]))", "Trễ"),
        query("sum(rate(monitor_runs_missed_total[$__rate_interval]))", "Bị bỏ", "B"),
        query("sum(rate(monitor_runs_spared_total[$__rate_interval]))", "Nhường đường truyền", "C"),
    )  # fmt: skip


def at_a_glance() -> list[Builder[model.Panel]]:
    """Whether the monitor is well: four panels that lead to all of them."""
    more: list[Builder[model.DashboardLink]] = [to("commune-monitor", "Trạm giám sát")]
    return [
        lines(
            "Lượt đo mỗi giây", "Observations a second, by outcome", "cps",
            query("sum by (outcome) (rate(monitor_observations_total[$__rate_interval]))", "{{outcome}}"),
        ).data_links(more),
        late_and_missed(),
        reload_ended().data_links(more).height(8),
        oldest_mail().data_links(more).height(8),
    ]  # fmt: skip


def figures() -> list[Builder[model.Panel]]:
    """One look: is it well."""
    return [
        words(
            "Prometheus đọc được", "Whether Prometheus could read the monitor", GOOD_BAD,
            query('min(up{job="commune-monitor"})', "Đọc", instant=True),
        ).text_mode(BigValueTextMode.VALUE),
        reload_ended(),
        figure(
            "Nạp khai báo tốt lúc", "When the settings were last taken over", "dateTimeAsLocal", PLAIN,
            query("max(monitor_config_last_reload_success_timestamp_seconds) * 1000", "Lúc", instant=True),
        ),
        oldest_mail(),
        figure(
            "Chờ ghi cơ sở dữ liệu", "How long something has waited to be written; from 30 s on no mail can leave", "s",
            colours((None, WELL), (5, DEGRADED), (30, DOWN)),
            query("max(monitor_unwritten_seconds)", "Chờ", instant=True),
        ),
        figure(
            "Lỗi của chương trình", "Observations lost by a mistake of ours, in the range shown; see the log", "short",
            NONE_IS_WELL, query("sum(increase(monitor_errors_total[$__range]))", "Lỗi", instant=True),
        ).decimals(0),
        figure(
            "Chạy được", "How long the daemon has run", "s", PLAIN,
            query(f"max(time() - process_start_time_seconds {OURS})", "Chạy", instant=True),
        ),
        figure(
            "Phép đo", "Checks that are scheduled", "short", PLAIN, query("sum(monitor_checks)", "Phép đo", instant=True)
        ),
        figure(
            "Chuỗi số liệu", "Series of one scrape: the cardinality", "short", PLAIN,
            query("max(monitor_series)", "Chuỗi", instant=True),
        ),
        figure(
            "Thư đã gửi trong 24 giờ", "Tries to deliver in the last 24 hours, by result", "short", PLAIN,
            query(or_none("sum by (result) (increase(monitor_mails_total[24h]))", result=NOTHING), "{{result}}", instant=True),
        ).decimals(0),
        figure(
            "Bộ mô tả tệp", "Part of the file descriptors that it may have that are in use", "percentunit",
            colours((None, WELL), (0.7, DEGRADED), (0.9, DOWN)),
            query(f"max(process_open_fds / process_max_fds {OURS})", "Dùng", instant=True),
        ),
        figure(
            "Phiên bản", "Version of the daemon", "none", PLAIN,
            query("max by (version) (monitor_build_info)", "{{version}}", instant=True),
        ).text_mode(BigValueTextMode.NAME),
    ]  # fmt: skip


def looking() -> list[Builder[model.Panel]]:
    """Does it see everything, and in time."""
    lag = "sum by (le) (rate(monitor_loop_lag_seconds_bucket[$__rate_interval]))"
    return [
        lines(
            "Lượt đo theo kết quả", "Observations a second, by outcome", "cps",
            query("sum by (outcome) (rate(monitor_observations_total[$__rate_interval]))", "{{outcome}}"),
        ),
        lines(
            "Lượt đo theo phép đo", "Observations a second, by probe", "cps",
            query("sum by (probe) (rate(monitor_observations_total[$__rate_interval]))", "{{probe}}"),
        ),
        late_and_missed(),
        echoes(
            "Trễ vòng lặp", "How late the event loop woke a timer; above 100 ms times are not exact",
            "monitor_loop_lag_seconds", "",
        ).span(16).height(8),
        lines(
            "Trễ vòng lặp: trung vị, 99 %", "Loop lag, median and 99th percentile", "s",
            query(f"histogram_quantile(0.5, {lag})", "50 %"), query(f"histogram_quantile(0.99, {lag})", "99 %", "B"),
        ),
        lines(
            "Gói trả lời lạ, trễ, bị bỏ", "What befell echoes: late, duplicate, foreign, dropped by a full buffer (overflow)",
            "cps", query(happened("monitor_stream_happenings_total", "what", '{what!="sent"}'), "{{what}}"),
        ).span(12),
        lines(
            "Bẫy SNMP (trap)", "SNMP traps by what became of them; overflow: our buffer was full", "cps",
            query(happened("monitor_traps_total", "outcome"), "{{outcome}}"),
        ).span(12),
    ]  # fmt: skip


def mailing() -> list[Builder[model.Panel]]:
    """Do its mails leave."""
    failing = or_none("max by (relay) (monitor_relay_failing)", relay=NOTHING)
    return [
        lines(
            "Hộp thư đi", "Outbox by status; what has left (sent, superseded) apart", "short",
            query('sum by (status) (monitor_outbox_mails{status!~"sent|superseded"})', "{{status}}"),
        ),
        lines(
            "Lượt gửi theo kết quả", "Tries to deliver a second, by result", "cps",
            query(happened("monitor_mails_total", "result"), "{{result}}"),
        ),
        lines(
            "Lượt gửi theo máy chủ thư", "What each relay made of the mails, a second", "cps",
            query(happened("monitor_relay_tries_total", "relay, result"), "{{relay}} {{result}}"),
        ),
        timeline(
            "Máy chủ thư đang lỗi", "Relays that failed last time and are tried after the others", YES_NO,
            query(failing, "{{relay}}"),
        ).span(8),
        lines(
            "Tín hiệu còn sống", "Signs of life a second; withheld: because all is not well", "cps",
            query(happened("monitor_heartbeats_total", "way, result"), "{{way}} {{result}}"),
        ),
        lines(
            "Báo Alertmanager", "Times that an Alertmanager was told, a second", "cps",
            query(happened("monitor_alertmanager_posts_total", "peer, result"), "{{peer}} {{result}}"),
        ),
        lines(
            "Diễn biến sự cố", "What happened to incidents, in each window of the picture", "short",
            query("sum by (what) (increase(monitor_incident_events_total[$__rate_interval]))", "{{what}}"),
        ).span(24),
    ]  # fmt: skip


def machine() -> list[Builder[model.Panel]]:
    """Is its machine large enough."""
    return [
        lines(
            "CPU", "CPU cores used", "none",
            query(f"sum(rate(process_cpu_seconds_total[$__rate_interval]) {OURS})", "Lõi"),
        ),
        lines(
            "Bộ nhớ", "Memory that the daemon holds", "bytes",
            query(f"sum(process_resident_memory_bytes {OURS})", "RAM"),
        ),
        lines(
            "Cơ sở dữ liệu và bản ghi lại", "Failed writes to the database a second, which are tried again; lines of the recording, and those that it lacks", "cps",
            query("sum(rate(monitor_store_errors_total[$__rate_interval]))", "Ghi lỗi"),
            query("sum(rate(monitor_recorded_lines_total[$__rate_interval]))", "Dòng ghi lại", "B"),
            query("sum(rate(monitor_recording_dropped_total[$__rate_interval]))", "Dòng bị bỏ", "C"),
        ),
        lines(
            "Số chuỗi", "Series of a scrape over time, and those that appear anew: both flat when the inventory rests",
            "short", query("max(monitor_series)", "Chuỗi"),
            query(f"max(scrape_series_added {OURS})", "Mới", "B"),
        ).span(12),
        lines(
            "Thời gian Prometheus đọc", "How long a scrape takes", "s",
            query(f"max(scrape_duration_seconds {OURS})", "Đọc"),
        ).span(12),
    ]  # fmt: skip


def dashboard() -> boards.Dashboard:
    """Whether one may believe what it says."""
    return framed(
        "commune-monitor", "Trạm giám sát",
        "The monitor itself: does it see everything in time, do its mails leave, is its machine large enough.",
        [],
        {"Tóm tắt": figures(), "Đo": looking(), "Thư và báo tin": mailing(), "Máy": machine()},
        marks=[incidents('cause="vantage"')],
    )  # fmt: skip
