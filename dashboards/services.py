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
from dashboards.states import DEGRADED, DOWN, ENDING, PASSED, PLAIN, STATES, WELL, colours
from dashboards.texts import Text

SERVICE = 'target=~"$service"'
SHARED = f'monitor_target_state{{role="service"}} unless on (site) {ALL_COMMUNES}'
CHOSEN = f'monitor_target_state{{role="service", {SERVICE}}} unless on (site) {ALL_COMMUNES}'
OF_CHOSEN = f"and on (site, target) ({CHOSEN})"
PAGES = f"and on (site) {ALL_COMMUNES}"


def now() -> list[Builder[model.Panel]]:
    """How they are, and since when."""
    return [
        words(
            Text("Từng hệ thống", "Each system"), Text("Trạng thái của từng hệ thống", "State of each system"), STATES,
            query(short(CHOSEN), "{{thing}}", instant=True),
        ).height(6).span(24),
        timeline(
            Text("Trạng thái theo thời gian", "States over time"),
            Text("Trạng thái của từng hệ thống theo thời gian", "State of each system over time"), STATES,
            query(short(CHOSEN), "{{thing}}"),
        ).height(10).span(14),
        bars(
            Text("Khả dụng", "Availability"),
            Text(
                "Phần thời gian hệ thống hoạt động trong khoảng đang xem; con số chính xác là của sổ theo dõi",
                "Part of the range shown in which it worked; the exact figure is the ledger's",
            ),
            "percentunit", colours((None, DOWN), (0.99, DEGRADED), (0.995, WELL)),
            query(short(worked(CHOSEN)), "{{thing}}", instant=True),
        ).max(1).decimals(2).max_data_points(FINE).height(10).span(10),
    ]  # fmt: skip


def phases() -> barchart.Panel:
    """Where the time goes."""
    spent = f"(probe_http_duration_seconds or probe_smtp_duration_seconds) {OF_CHOSEN}"
    matrix = {"columnField": "phase", "rowField": "thing", "valueField": "Value"}
    about = Text(
        "Thời gian của lần đo cuối dùng vào đâu: tên miền, kết nối, TLS, chính máy chủ (processing), truyền tải",
        "Where the time of the last run goes: name, connection, TLS, the server itself (processing), transfer",
    )
    return (
        barchart.Panel()
        .title(Text("Thời gian theo pha", "Time by phase"))
        .description(about)
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
    texts = {
        "thing": Text("Hệ thống", "System"),
        "check": Text("Phép đo", "Check"),
        "Value #A": Text("Đạt", "Passed"),
        "Value #B": Text("Mã trả lời", "Status"),
        "Value #C": Text("Giây", "Seconds"),
    }
    return [
        lines(
            Text("Thời gian trả lời", "Time to answer"), Text("Mỗi phép đo mất bao lâu", "How long a run of each check takes"), "s",
            query(short(f"probe_duration_seconds {OF_CHOSEN}"), "{{thing}} {{check}}"),
        ).height(10).span(12),
        phases(),
        columns(
            Text("Lần đo cuối", "Last run"),
            Text(
                "Lần đo cuối của mỗi phép đo: có đạt không, mã trả lời (HTTP, SMTP; với DNS: 0 là tốt), số giây",
                "Last run of each check: good, status (HTTP, SMTP; DNS: 0 is good), seconds",
            ),
            texts,
            query(short(f"max by (target, check) (probe_success {OF_CHOSEN})"), letter="A", as_table=True),
            query(short(f"max by (target, check) ({status})"), letter="B", as_table=True),
            query(short(f"max by (target, check) (probe_duration_seconds {OF_CHOSEN})"), letter="C", as_table=True),
            hidden=("target",), settings={"Value #A": in_colour(PASSED), "Value #C": {"unit": "s", "decimals": 3}},
        ),
        timeline(
            Text("Đạt hay không, kể cả nội dung", "Passed or not, with what it says"),
            Text(
                "Mỗi lần đo có đạt không: có trả lời, kịp thời, và có những chữ phải có",
                "Whether each run was good: it answered, in time, with the words that must be there",
            ),
            PASSED, query(short(f"probe_success {OF_CHOSEN}"), "{{thing}} {{check}}"),
        ).height(10),
        lines(
            Text("Dung lượng trang", "Size of the page"),
            Text("Số byte của trang: đổi đột ngột là trang khác mọi khi", "Bytes of the page: a sudden change is another page than usual"),
            "bytes", query(short(f"probe_http_uncompressed_body_length {OF_CHOSEN}"), "{{thing}}"),
        ),
        lines(
            Text("Chuyển hướng", "Redirects"), Text("Số lần chuyển hướng đã đi theo", "Redirects that were followed"), "short",
            query(short(f"probe_http_redirects {OF_CHOSEN}"), "{{thing}}"),
        ),
        bars(
            Text("Chứng thư số còn hạn", "Certificates: days left"),
            Text(
                "Số ngày chứng thư số còn hạn; gia hạn muộn thì hệ thống ngừng lúc nửa đêm",
                "Days that certificates are still valid; renewed late means down at midnight",
            ),
            DAYS, ENDING, query(short(f"min by (target) (probe_ssl_days_left {OF_CHOSEN})"), "{{thing}}", instant=True),
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
            Text("Trang của xã, phường", "Pages of the communes"),
            Text("Số trang của xã, phường không hoạt động, và tất cả", "Web pages of the communes: those that do not work, and all"),
            "none", PLAIN,
            query(or_none(f"count((monitor_target_state{{{page}}} == 2) {PAGES})"), Text("Ngừng", "Down"), instant=True),
            query(f"count(monitor_target_state{{{page}}} {PAGES})", Text("Tất cả", "All"), "B", instant=True),
        ).height(8).span(6),
        bars(
            Text("Trang chậm nhất", "Slowest pages"), Text("Mười trang chậm nhất", "The ten slowest pages"), "s", PLAIN,
            query(named(slow), "{{name}}", instant=True),
        ).data_links([TO_SITE]).span(6),
        bars(
            Text("Chứng thư số hết hạn sớm nhất", "Certificates that end first"),
            Text("Mười trang có chứng thư số hết hạn sớm nhất", "The ten pages whose certificates end first"), DAYS, ENDING,
            query(named(ends), "{{name}}", instant=True),
        ).data_links([TO_SITE]).span(6),
        bars(
            Text("Trang ít nội dung nhất", "Smallest pages"),
            Text(
                "Mười trang ít nội dung nhất: trang trống có thể bị hỏng hoặc bị thay đổi giao diện trái phép",
                "The ten smallest pages: an empty one may be broken or defaced",
            ),
            "bytes", PLAIN, query(named(small), "{{name}}", instant=True),
        ).data_links([TO_SITE]).span(6),
    ]  # fmt: skip


def dashboard() -> boards.Dashboard:
    """Which system is slow or broken, and in what part."""
    return framed(
        "commune-services", Text("Các hệ thống", "Systems"),
        Text(
            "Các hệ thống dùng chung và trang thông tin: cái nào chậm hoặc hỏng, và hỏng ở phần nào.",
            "Shared systems and web pages: which is slow or broken, and in what part.",
        ),
        [variable("service", Text("Hệ thống", "System"), f"query_result({SHARED})", many=True, regex='/target="([^"]*)"/')],
        {
            Text("Hiện trạng", "Now"): now(),
            Text("Trả lời", "Answers"): answers(),
            Text("Trang thông tin của xã, phường", "Web pages of the communes"): pages(),
        },
        marks=[incidents('cause="service"'), maintenance(f'role="service", {SERVICE}')],
    )  # fmt: skip
