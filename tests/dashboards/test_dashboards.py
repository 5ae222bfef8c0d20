"""The dashboards against a real Prometheus: every query is well-formed, on metrics that we export, and tells what is so."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import promql_parser
import pytest

from dashboards.build import rendered
from dashboards.frame import NAME_AND_SITE
from dashboards.promql import NOTHING
from probes import registry
from probes.registry import COMMON_METRICS
from tests.dashboards.conftest import BOARDS, FOLDER
from tests.dashboards.exposition import CUT, END, HOUR, NO_POWER, STEP, WORK, exposition
from tests.dashboards.prometheus import Prometheus
from tests.dashboards.queries import Query, marks, panels, queries, values

SERVERS = {
    "Máy chủ họp", "Máy chủ đăng ký: thời gian trả lời", "Máy chủ đăng ký: mã SIP", "Máy chủ H.323: thời gian trả lời", "TURN cho mượn trong",
    "TURN: thời gian theo pha", "STUN: thời gian trả lời", "STUN: kết nối, TLS", "Câu hỏi STUN, TURN phải gửi lại",
    "Vào họp bằng trình duyệt", "Họp trên trình duyệt: thời gian theo pha", "Chứng thư số của các máy chủ họp",
}  # fmt: skip
"""Panels of what all rooms share."""
LONG_GONE = END + 3 * 86_400
LINE = {"$site": "phuong-phu-ly", "$target": "phuong-phu-ly/tslcd", "$provider": "vnpt", "$kind": "tslcd"}
CHOSEN: Mapping[str, Mapping[str, str]] = {"commune-site": LINE, "commune-line": LINE}
ALL = [(uid, each) for uid, board in BOARDS.items() for each in queries(board, CHOSEN.get(uid, {}))]
WORD = re.compile(r"(?<![{,\w.$\"])[a-zA-Z_:][a-zA-Z0-9_:]*")
OURS = ("monitor_", "probe_", "process_", "room_", "snmp_", "ups", "scrape_")
OF_PROMETHEUS = {"scrape_duration_seconds", "scrape_series_added"}
MANUAL = "".join((FOLDER.parent / "docs" / page).read_text(encoding="utf-8") for page in ("metrics.md", "probes.md"))
each_query = pytest.mark.parametrize(
    ("uid", "query"), ALL, ids=[f"{number}-{uid}-{query.title}" for number, (uid, query) in enumerate(ALL)]
)


def asked(uid: str, **chosen: str) -> list[Query]:
    """The queries of a dashboard over the whole hour."""
    macros = {"$__range": "1h", **CHOSEN.get(uid, {}), **{f"${name}": value for name, value in chosen.items()}}
    return queries(BOARDS[uid], macros)


def answer(prometheus: Prometheus, query: Query) -> list[dict[str, Any]]:
    """Series as the panel gets them: of its last moment, or of the whole hour."""
    return prometheus.query(query.expr, END) if query.instant else prometheus.over(query.expr, END - HOUR, END, STEP)


def figures(prometheus: Prometheus, uid: str, title: str, **chosen: str) -> dict[str, float]:
    """What a panel shows at the end, by legend."""
    return {
        query.named(series["metric"]): float(series["value"][1] if "value" in series else series["values"][-1][1])
        for query in asked(uid, **chosen)
        if query.title == title
        for series in answer(prometheus, query)
    }


def test_the_committed_json_is_what_build_writes() -> None:
    json_ = FOLDER / "json"
    committed = {str(path.relative_to(json_)): path.read_text(encoding="utf-8") for path in json_.glob("*/*.json")}
    assert committed == rendered(), "run: python -m dashboards.build"


@each_query
def test_every_query_parses(uid: str, query: Query) -> None:
    assert "$__" not in query.expr
    promql_parser.parse(query.expr)


@each_query
def test_every_query_asks_for_metrics_that_we_export(uid: str, query: Query) -> None:
    names = {word for word in WORD.findall(query.expr) if word.startswith(OURS)} - OF_PROMETHEUS
    known = {
        re.sub(r"_(bucket|count|sum)\Z", "", name) if "_echo_" in name or "_lag_" in name else name for name in names
    }
    assert known or query.expr.startswith("min(up{")
    assert not {name for name in known if f"`{name}`" not in MANUAL and not name.startswith("process_")}


def test_what_the_monitor_tells_of_itself_can_be_seen() -> None:
    told = set(re.findall(r"^\| `(monitor_\w+)`", MANUAL, re.MULTILINE))
    assert len(told) > 30
    assert not {name for name in told if not any(name in query.expr for _, query in ALL)}


def test_a_macro_that_nobody_knows_is_refused() -> None:
    board = {
        "panels": [{"title": "x", "type": "stat", "targets": [{"expr": "rate(a[$__nonsense])"}]}],
        "templating": {"list": []},
    }
    with pytest.raises(KeyError):
        queries(board)


@pytest.mark.parametrize("which", ["well", "trouble"])
@pytest.mark.parametrize("uid", BOARDS)
def test_no_query_is_empty_against_a_real_prometheus(provinces: dict[str, Prometheus], uid: str, which: str) -> None:
    assert not [(each.title, each.expr) for each in asked(uid) if not answer(provinces[which], each)]


@pytest.mark.parametrize("which", ["well", "trouble"])
@pytest.mark.parametrize("uid", BOARDS)
def test_legends_tell_the_series_of_a_query_apart(provinces: dict[str, Prometheus], uid: str, which: str) -> None:
    for query in asked(uid):
        if query.legend:
            series = [each["metric"] for each in answer(provinces[which], query)]
            lacking = [label for label in query.labels() for each in series if label not in each]
            assert not lacking, (query.title, query.expr)
            assert len({query.named(each) for each in series}) == len(series), (query.title, query.expr)


@pytest.mark.parametrize("uid", BOARDS)
def test_where_there_is_nothing_a_panel_says_so_in_words(provinces: dict[str, Prometheus], uid: str) -> None:
    told = {panel["title"]: _worded(panel) for panel in panels(BOARDS[uid])}
    found = [
        (query, query.named(series["metric"]) if query.legend else NOTHING)
        for query in asked(uid)
        for series in answer(provinces["well"], query)
        if NOTHING in series["metric"].values()
    ]
    assert not [(query.title, name) for query, name in found if name not in told[query.title]]


def _worded(panel: Mapping[str, Any]) -> set[str]:
    """Legends and labels that a panel has words for."""
    config = panel["fieldConfig"]
    mapped = {name for each in config["defaults"].get("mappings", ()) for name in each["options"]}
    return mapped | {
        each["matcher"]["options"]
        for each in config["overrides"]
        if any(one["id"] == "displayName" for one in each["properties"])
    }


@pytest.mark.parametrize("uid", BOARDS)
def test_what_a_click_asks_for_is_a_label_of_what_is_clicked(provinces: dict[str, Prometheus], uid: str) -> None:
    links = {
        panel["title"]: set(
            re.findall(r"__field\.labels\.(\w+)", json.dumps(panel["fieldConfig"]["defaults"].get("links")))
        )
        for panel in panels(BOARDS[uid])
    }
    for query in asked(uid):
        if wanted := links.get(query.title):
            lacking = [
                each["metric"] for each in answer(provinces["trouble"], query) if not wanted <= set(each["metric"])
            ]
            assert not lacking, query.title


@pytest.mark.parametrize("uid", BOARDS)
def test_nothing_claims_to_be_well_when_the_monitor_is_gone(provinces: dict[str, Prometheus], uid: str) -> None:
    assert not [each.title for each in asked(uid) if provinces["well"].query(each.expr, at=LONG_GONE)]


@pytest.mark.parametrize("uid", ["commune-province", "commune-rooms"])
def test_panels_keep_to_the_chosen_area(provinces: dict[str, Prometheus], uid: str) -> None:
    free = {"Hệ thống dùng chung": {"centre"}, "variable area": set()}
    for query in asked(uid, area="Kim Sơn"):
        if query.title in {"Sự cố đang mở", *SERVERS}:
            continue  # incidents have a site and no area; servers are everybody's
        series = answer(provinces["trouble"], query)
        sites = {each["metric"].get("target", each["metric"].get("site", "")).partition("/")[0] for each in series}
        assert sites <= {"xa-kim-dong", "", NOTHING, *free.get(query.title, ())}, query.title


def test_panels_of_a_site_are_of_that_site_alone(provinces: dict[str, Prometheus]) -> None:
    for query in asked("commune-site", site="xa-kim-dong"):
        if not query.title.startswith("variable"):
            found = {each["metric"].get("site", "xa-kim-dong") for each in answer(provinces["trouble"], query)}
            assert found == {"xa-kim-dong"}, query.title


def test_people_choose_sites_by_name_and_services_by_themselves(provinces: dict[str, Prometheus]) -> None:
    told = {
        (uid, name): values(provinces["well"].query(expr, END), regex)
        for uid in BOARDS
        for name, expr, regex in _results(uid)
    }
    names = [(f"Xã {number}", site) for number, site in enumerate(("phuong-phu-ly", "xa-kim-dong", "xa-a", "xa-b"))]
    assert sorted(told["commune-province", "site"]) == sorted([*names, ("Trung tâm", "centre")])
    assert sorted(told["commune-rooms", "site"]) == sorted(names)
    assert ("centre/doc-management", "centre/doc-management") in told["commune-services", "service"]
    assert not [value for _, value in told["commune-services", "service"] if value.endswith("website")]
    assert NAME_AND_SITE.count("?<") == 2


def _results(uid: str) -> list[tuple[str, str, str]]:
    """Variables that are read out of series: name, query, regular expression."""
    found = []
    for variable in BOARDS[uid]["templating"]["list"]:
        if variable["type"] == "query" and variable["query"]["query"].startswith("query_result"):
            expr = next(each.expr for each in asked(uid) if each.title == f"variable {variable['name']}")
            found.append((variable["name"], expr, variable["regex"]))
    return found


@pytest.mark.parametrize(
    ("uid", "site", "expected"),
    [
        ("commune-province", ".*", {("Sự cố", "xa-a/ups"): NO_POWER, ("Sự cố", "phuong-phu-ly/tslcd"): CUT, ("Bảo trì", "xa-b/internet"): WORK}),
        ("commune-rooms", "xa-a", {("Sự cố", "xa-a/ups"): NO_POWER}),
        ("commune-site", "xa-b", {("Bảo trì", "xa-b/internet"): WORK}),
        ("commune-line", "phuong-phu-ly", {("Sự cố", "phuong-phu-ly/tslcd"): CUT}),
        ("commune-providers", ".*", {("Sự cố", "phuong-phu-ly/tslcd"): CUT, ("Bảo trì", "xa-b/internet"): WORK}),
    ],
)  # fmt: skip
def test_what_was_wrong_is_marked_since_it_began(
    provinces: dict[str, Prometheus], uid: str, site: str, expected: Mapping[tuple[str, str], int]
) -> None:
    found = {
        (mark.title, series["metric"]["target"]): END - series["values"][0][0]
        for mark in marks(BOARDS[uid], {"$site": site})
        for series in provinces["trouble"].over(mark.expr, END - HOUR, END, STEP)
    }
    assert {key: since for key, since in found.items() if since < HOUR} == pytest.approx(expected, abs=STEP)


# -- what the panels say -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("which", "counts"), [("well", [0, 0, 0, 0, 4]), ("trouble", [3, 0, 1, 0, 0])])
def test_each_commune_is_counted_once_by_its_worst_target(
    provinces: dict[str, Prometheus], which: str, counts: list[float]
) -> None:
    assert list(figures(provinces[which], "commune-province", "Xã, phường theo trạng thái").values()) == counts


def test_what_a_provider_is_held_against_lacks_work_and_power_cuts(provinces: dict[str, Prometheus]) -> None:
    of, hour = provinces["trouble"], 4 * HOUR
    expected = {
        "tất cả": (1 - (CUT + NO_POWER) / hour, 1 - (NO_POWER + WORK) / hour),
        "không tính bảo trì": (1 - (CUT + NO_POWER) / hour, 1 - NO_POWER / (hour - WORK)),
        "không tính mất điện": (1 - CUT / (hour - NO_POWER), 1 - WORK / (hour - NO_POWER)),
        "không tính cả hai": (1 - CUT / (hour - NO_POWER), 1.0),
    }
    for title, (vnpt, viettel) in expected.items():
        told = figures(of, "commune-providers", f"Khả dụng: {title}")
        assert told == pytest.approx({"vnpt": vnpt, "viettel": viettel}, abs=0.005), title


def test_the_worst_lines_of_the_providers_are_led_by_the_one_that_was_cut(provinces: dict[str, Prometheus]) -> None:
    (query,) = [each for each in asked("commune-providers") if each.title == "Đường kém nhất"]
    told = {each["metric"]["target"]: float(each["value"][1]) for each in answer(provinces["trouble"], query)}
    assert len(told) == 8
    assert {target for target, part in told.items() if part < 1} == {"phuong-phu-ly/tslcd"}


def test_a_line_tells_its_availability_loss_and_delay(provinces: dict[str, Prometheus]) -> None:
    def told(title: str, target: str) -> float:
        (value,) = figures(
            provinces["trouble"], "commune-line", title, target=target, site=target.partition("/")[0]
        ).values()
        return value

    assert told("Khả dụng", "phuong-phu-ly/tslcd") == pytest.approx(1 - CUT / HOUR, abs=0.005)
    assert told("Trạng thái", "xa-kim-dong/tslcd") == 1
    assert 0.1 < told("Độ trễ trung vị", "xa-kim-dong/tslcd") < 0.2
    assert 0.005 < told("Độ trễ trung vị", "xa-b/tslcd") < 0.01
    assert told("Độ biến thiên trễ 95 %", "xa-b/tslcd") < 0.03 < told("Độ biến thiên trễ 95 %", "xa-kim-dong/tslcd")
    for title in ("Mất gói trong khoảng", "Mất gói theo thời gian"):
        assert told(title, "xa-kim-dong/tslcd") == pytest.approx(0.2, abs=0.02)


def test_the_smoke_of_a_line_has_all_of_its_echoes(provinces: dict[str, Prometheus]) -> None:
    (query,) = [
        each for each in asked("commune-line", target="xa-kim-dong/tslcd") if each.title == "Độ trễ của từng gói"
    ]
    told = {each["metric"]["le"]: float(each["values"][-1][1]) for each in answer(provinces["trouble"], query)}
    assert len(told) == 12
    assert told["+Inf"] == pytest.approx(48, abs=2), "60 a minute, of which a fifth is lost"
    assert told["0.1"] == 0
    assert told["0.2"] == pytest.approx(told["+Inf"] * 0.9, rel=0.05)


def test_rooms_are_counted_and_why_they_are_at_risk(provinces: dict[str, Prometheus]) -> None:
    states = figures(provinces["trouble"], "commune-rooms", "Phòng họp theo trạng thái")
    assert list(states.values()) == [2, 0, 0, 2, 0]
    why = "Phòng họp có nguy cơ: vì sao"
    assert list(figures(provinces["trouble"], "commune-rooms", why).values()) == [2, 2, 3, 1, 1, 1, 1, 1, 1, 1]
    assert not any(figures(provinces["well"], "commune-rooms", why).values())


def test_the_test_calls_tell_the_worst_room(provinces: dict[str, Prometheus]) -> None:
    title = "Chất lượng tiếng thấp nhất (MOS)"
    assert figures(provinces["trouble"], "commune-rooms", title) == {"Xã 1": 2.9}
    assert figures(provinces["well"], "commune-rooms", title) == {NOTHING: 0}


def test_rooms_tell_what_their_calls_suffer_and_the_last_one_suffered(provinces: dict[str, Prometheus]) -> None:
    last, now = "Mất gói trong cuộc gọi gần nhất", "Mất gói của phòng đang gọi: phòng kém nhất"
    assert figures(provinces["trouble"], "commune-rooms", last) == {"Xã 2": 0.04, "Xã 3": 0.001}
    assert figures(provinces["trouble"], "commune-rooms", now) == {"Mất gói": 0.02}
    assert figures(provinces["well"], "commune-rooms", last) == {NOTHING: 0}


def test_rooms_that_nobody_can_call_are_counted_by_who_should_know_them(provinces: dict[str, Prometheus]) -> None:
    title = "Phòng mà máy chủ đăng ký không biết"
    assert figures(provinces["trouble"], "commune-rooms", title) == {"SIP": 1, "H.323": 1}
    assert figures(provinces["well"], "commune-rooms", title) == {"SIP": 0, "H.323": 0}
    known = figures(provinces["trouble"], "commune-rooms", "Phòng đăng ký H.323")
    assert known == {"Chưa đăng ký": 1, "Đã đăng ký": 1}


def test_rooms_that_are_not_well_or_measured_badly_are_told_with_what_was_measured(
    provinces: dict[str, Prometheus],
) -> None:
    told = [
        {
            each["metric"]["target"].partition("/")[0]: float(each["value"][1])
            for each in answer(provinces["trouble"], query)
        }
        for query in asked("commune-rooms")
        if query.title == "Phòng họp chưa sẵn sàng: vì sao"
    ]
    rooms, unmeasured = ("phuong-phu-ly", "xa-a", "xa-b", "xa-kim-dong"), -1
    assert [tuple(column[room] for room in rooms) for column in told] == [
        (3, 3, 0, 0),  # state, by how much it hurts
        (0, 1, 0, 1),  # registered
        (unmeasured, unmeasured, unmeasured, 2.9),  # MOS
        (unmeasured, unmeasured, unmeasured, 0.2),  # loss
        (unmeasured, unmeasured, 1500, 1400),  # MTU
        (unmeasured, unmeasured, 1, 0),  # marking kept
    ]


def test_the_ways_tell_what_does_not_pass_and_what_loses_its_marking(provinces: dict[str, Prometheus]) -> None:
    def told(title: str) -> dict[str, float]:
        return figures(provinces["trouble"], "commune-rooms", title)

    assert told("MTU nhỏ nhất trên đường đi") == {"Xã 1": 1400, "Xã 3": 1500}
    assert told("Phòng có MTU dưới 1500") == {"Phòng": 1}
    assert told("Phòng mất nhãn, theo nhãn và chiều") == {"46 there": 1}


def test_the_servers_of_conferences_tell_where_the_time_goes(provinces: dict[str, Prometheus]) -> None:
    def told(title: str) -> dict[str, float]:
        return figures(provinces["trouble"], "commune-rooms", title)

    assert told("TURN cho mượn trong") == {"turn-server turn": 600}
    assert told("TURN: thời gian theo pha")["turn-server turn relay"] == 0.01
    assert told("STUN: thời gian trả lời") == {"turn-server stun": 0.004}
    assert told("Câu hỏi STUN, TURN phải gửi lại") == {"turn-server stun": 0, "turn-server turn": 1}
    pages = told("Họp trên trình duyệt: thời gian theo pha")
    assert pages == {"browser-meetings room page": 0.2, "browser-meetings room signalling": 0.1}
    assert told("Máy chủ H.323: thời gian trả lời") == {"gatekeeper ras": 0.005}


def test_a_broken_system_stands_out(provinces: dict[str, Prometheus]) -> None:
    assert figures(provinces["trouble"], "commune-services", "Từng hệ thống")["doc-management"] == 2
    assert figures(provinces["trouble"], "commune-services", "Khả dụng")["doc-management"] == 0


def test_the_monitor_tells_of_its_mails_by_relay(provinces: dict[str, Prometheus]) -> None:
    told = figures(provinces["trouble"], "commune-monitor", "Lượt gửi theo máy chủ thư")
    assert told["a:25 sent"] == told["b:25 timeout"] == pytest.approx(1 / 60, rel=0.05)
    assert figures(provinces["trouble"], "commune-monitor", "Máy chủ thư đang lỗi")["b:25"] == 1


def test_the_history_has_the_labels_that_the_daemon_writes() -> None:
    checks = {"site", "target", "kind", "check"}
    declared = {each.name: checks | set(each.labels) for kind in registry.load().values() for each in kind.metrics}
    declared |= {each.name: checks for each in COMMON_METRICS} | {"monitor_loss_ratio": checks}
    for name, labels in re.findall(r"^\| `(monitor_\w+)` \| [^|]+ \|([^|]*)\|", MANUAL, re.MULTILINE):
        declared.setdefault(name, set(re.findall(r"`(\w+)`", labels)))
    for line in (each for well in (True, False) for each in exposition(well=well)):
        name, _, labels = line.rpartition(" ")[0].removesuffix("}").partition("{")
        if not name.startswith(("process_", "up", "scrape_")) or name.startswith("ups"):
            histogram = re.fullmatch(r"(\w+_seconds)_(?:bucket|sum|count)", name)
            found = set(re.findall(r'(\w+)="', labels)) - {"le"}
            assert found == declared[histogram[1] if histogram else name], line
