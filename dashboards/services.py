"""What people use: the shared systems and the communes' own pages. Where a mail about a service leads."""

from __future__ import annotations

from grafana_foundation_sdk.builders import barchart, common
from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import StackingMode, VizOrientation

from dashboards.frame import framed, incidents, maintenance, variable
from dashboards.panels import DAYS, TO_SITE, bars, columns, figure, in_colour, lines, timeline, words
from dashboards.promql import ALL_COMMUNES, FINE, SOURCE, named, or_none, query, short, worked
from dashboards.states import DEGRADED, DOWN, PLAIN, STATES, WELL, colours

SERVICE = 'target=~"$service"'
SHARED = f'monitor_target_state{{role="service"}} unless on (site) {ALL_COMMUNES}'
CHOSEN = f'monitor_target_state{{role="service", {SERVICE}}} unless on (site) {ALL_COMMUNES}'
OF_CHOSEN = f"and on (site, target) ({CHOSEN})"
PAGES = f"and on (site) {ALL_COMMUNES}"
ENDING = colours((None, DOWN), (14, DEGRADED), (30, WELL))
ANSWERED = {0: ("✕ Hỏng", DOWN), 1: ("✓ Đạt", WELL)}


def now() -> list[Builder[model.Panel]]:
    """How they are, and since when."""
    return [
        words("Từng hệ thống", "State of each system", STATES, query(short(CHOSEN), "{{thing}}", instant=True)).height(6).span(24),
        timeline("Trạng thái theo thời gian", "State of each system over time", STATES, query(short(CHOSEN), "{{thing}}")).height(10).span(14),
        bars(
            "Khả dụng", "Part of the range shown in which it worked; the exact figure is the ledger's", "percentunit",
            colours((None, DOWN), (0.99, DEGRADED), (0.995, WELL)),
            query(short(worked(CHOSEN)), "{{thing}}", instant=True),
        ).max(1).decimals(2).max_data_points(FINE).height(10).span(10),
    ]  # fmt: skip


def phases() -> barchart.Panel:
    """Where the time goes."""
    spent = f"(probe_http_duration_seconds or probe_smtp_duration_seconds) {OF_CHOSEN}"
    matrix = {"columnField": "phase", "rowField": "thing", "valueField": "Value"}
    return (
        barchart.Panel()
        .title("Thời gian theo pha")
        .description(
            "Where the time of the last run goes: name, connection, TLS, the server itself (processing), transfer"
        )
        .datasource(SOURCE)
        .unit("s")
        .with_target(query(short(f"max by (target, phase) ({spent})"), as_table=True))
        .with_transformation(model.DataTransformerConfig(id_val="groupingToMatrix", options=matrix))
        .orientation(VizOrientation.HORIZONTAL)
        .stacking(StackingMode.NORMAL)
        .legend(common.VizLegendOptions().show_legend(True))
        .height(10)
        .span(12)
    )


def answers() -> list[Builder[model.Panel]]:
    """How fast, and whether it is what was expected."""
    status = f"(probe_http_status_code or probe_smtp_status_code or probe_dns_rcode) {OF_CHOSEN}"
    texts = {"thing": "Hệ thống", "check": "Phép đo", "Value #A": "Đạt", "Value #B": "Mã trả lời", "Value #C": "Giây"}
    return [
        lines(
            "Thời gian trả lời", "How long a run of each check takes", "s",
            query(short(f"probe_duration_seconds {OF_CHOSEN}"), "{{thing}} {{check}}"),
        ).height(10).span(12),
        phases(),
        columns(
            "Lần đo cuối", "Last run of each check: good, status (HTTP, SMTP; DNS: 0 is good), seconds", texts,
            query(short(f"max by (target, check) (probe_success {OF_CHOSEN})"), letter="A", as_table=True),
            query(short(f"max by (target, check) ({status})"), letter="B", as_table=True),
            query(short(f"max by (target, check) (probe_duration_seconds {OF_CHOSEN})"), letter="C", as_table=True),
            hidden=("target",), settings={"Value #A": in_colour(ANSWERED), "Value #C": {"unit": "s", "decimals": 3}},
        ),
        timeline(
            "Đạt hay không, kể cả nội dung", "Whether each run was good: it answered, in time, with the words that must be there", ANSWERED,
            query(short(f"probe_success {OF_CHOSEN}"), "{{thing}} {{check}}"),
        ).height(10),
        lines(
            "Dung lượng trang", "Bytes of the page: a sudden change is another page than usual", "bytes",
            query(short(f"probe_http_uncompressed_body_length {OF_CHOSEN}"), "{{thing}}"),
        ),
        lines(
            "Chuyển hướng", "Redirects that were followed", "short",
            query(short(f"probe_http_redirects {OF_CHOSEN}"), "{{thing}}"),
        ),
        bars(
            "Chứng thư số còn hạn", "Days that certificates are still valid; renewed late means down at midnight", DAYS, ENDING,
            query(short(f"min by (target) (probe_ssl_days_left {OF_CHOSEN})"), "{{thing}}", instant=True),
        ),
    ]  # fmt: skip


def pages() -> list[Builder[model.Panel]]:
    """The web pages of the communes."""
    page = 'kind="website"'
    slow = f"topk(10, max by (site) (probe_duration_seconds{{{page}}} {PAGES}))"
    ends = f"bottomk(10, min by (site) (probe_ssl_days_left{{{page}}} {PAGES}))"
    small = f"bottomk(10, min by (site) (probe_http_uncompressed_body_length{{{page}}} {PAGES}))"
    return [
        figure(
            "Trang của xã, phường", "Web pages of the communes: those that do not work, and all", "none", PLAIN,
            query(or_none(f"count((monitor_target_state{{{page}}} == 2) {PAGES})"), "Ngừng", instant=True),
            query(f"count(monitor_target_state{{{page}}} {PAGES})", "Tất cả", "B", instant=True),
        ).height(8).span(6),
        bars("Trang chậm nhất", "The ten slowest pages", "s", PLAIN, query(named(slow), "{{name}}", instant=True)).data_links([TO_SITE]).span(6),
        bars(
            "Chứng thư số hết hạn sớm nhất", "The ten pages whose certificates end first", DAYS, ENDING,
            query(named(ends), "{{name}}", instant=True),
        ).data_links([TO_SITE]).span(6),
        bars(
            "Trang ít nội dung nhất", "The ten smallest pages: an empty one may be broken or defaced", "bytes", PLAIN,
            query(named(small), "{{name}}", instant=True),
        ).data_links([TO_SITE]).span(6),
    ]  # fmt: skip


def dashboard() -> boards.Dashboard:
    """Which system is slow or broken, and in what part."""
    return framed(
        "commune-services", "Các hệ thống", "Shared systems and web pages: which is slow or broken, and in what part.",
        [variable("service", "Hệ thống", f"query_result({SHARED})", many=True, regex='/target="([^"]*)"/')],
        {"Hiện trạng": now(), "Trả lời": answers(), "Trang thông tin của xã, phường": pages()},
        marks=[incidents('cause="service"'), maintenance(f'role="service", {SERVICE}')],
    )  # fmt: skip
