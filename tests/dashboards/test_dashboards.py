"""The dashboards: committed as built, every query well-formed, on metrics that we export, and never empty when well."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from dashboards.build import rendered
from tests.dashboards.exposition import EXPORTED, exposition
from tests.dashboards.prometheus import Prometheus, running_prometheus
from tests.dashboards.queries import queries

FOLDER = Path(__file__).parents[2] / "dashboards"
COMMITTED = FOLDER / "province-overview.json"
DASHBOARD: dict[str, Any] = json.loads(COMMITTED.read_text(encoding="utf-8"))
ALL = queries(DASHBOARD)
SHARED = {"Hệ thống dùng chung": ["centre"], "variable area": []}
"""What does not depend on the area."""
WORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


def test_the_committed_json_is_what_build_writes() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == rendered(), "run: python dashboards/build.py"


def test_it_has_its_stable_address_and_a_description_for_each_panel() -> None:
    assert DASHBOARD["uid"] == "commune-province"
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    assert len(panels) >= 15
    assert all(panel["title"] and panel["description"] for panel in panels)


def test_panels_do_not_overlap_and_fill_the_width() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not taken & cells, panel["title"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells


@pytest.mark.parametrize(("title", "expr"), ALL, ids=[f"{number}-{title}" for number, (title, _) in enumerate(ALL)])
def test_every_query_parses(title: str, expr: str) -> None:
    assert "$" not in expr
    promql_parser.parse(expr)


@pytest.mark.parametrize(("title", "expr"), ALL, ids=[f"{number}-{title}" for number, (title, _) in enumerate(ALL)])
def test_every_query_asks_for_metrics_that_we_export(title: str, expr: str) -> None:
    asked = {word for word in WORD.findall(expr) if word.startswith(("monitor_", "probe_", "process_", "ups", "snmp_"))}
    assert asked
    assert not asked - EXPORTED


def test_a_macro_that_nobody_knows_is_refused() -> None:
    board = {"panels": [{"title": "x", "targets": [{"expr": "rate(a[$__nonsense])"}]}], "templating": {"list": []}}
    with pytest.raises(KeyError):
        queries(board)


@pytest.fixture(scope="module")
def provinces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Prometheus]]:
    """A real Prometheus over a province that is well, and one over a province in trouble."""
    with (
        running_prometheus(tmp_path_factory.mktemp("well"), exposition(well=True)) as well,
        running_prometheus(tmp_path_factory.mktemp("trouble"), exposition(well=False)) as trouble,
    ):
        for prometheus in (well, trouble):
            prometheus.wait_for("count_over_time(monitor_build_info[1m]) >= 4")
        yield {"well": well, "trouble": trouble}


@pytest.mark.parametrize("which", ["well", "trouble"])
def test_no_query_is_empty_against_a_real_prometheus(provinces: dict[str, Prometheus], which: str) -> None:
    asked = queries(DASHBOARD, {"$__rate_interval": "5s"})
    answers = [(title, expr, provinces[which].query(expr)) for title, expr in asked]
    assert not [(title, expr) for title, expr, series in answers if not series]


@pytest.mark.parametrize(("which", "counts"), [("well", [0, 0, 0, 0, 3]), ("trouble", [1, 0, 1, 0, 1])])
def test_each_commune_is_counted_once_by_its_worst_target(
    provinces: dict[str, Prometheus], which: str, counts: list[float]
) -> None:
    asked = [expr for title, expr in ALL if title == "Xã, phường theo trạng thái"]
    assert [float(provinces[which].query(expr)[0]["value"][1]) for expr in asked] == counts


def test_panels_keep_to_the_chosen_area(provinces: dict[str, Prometheus]) -> None:
    for title, expr in queries(DASHBOARD, {"$area": "Kim Sơn", "$__rate_interval": "5s"}):
        series = provinces["trouble"].query(expr)
        sites = {each["metric"].get("target", each["metric"].get("site", "")).partition("/")[0] for each in series}
        assert sites <= {"xa-kim-dong", "", *SHARED.get(title, ())}, title


def test_nothing_claims_to_be_well_when_the_monitor_is_gone(provinces: dict[str, Prometheus]) -> None:
    assert not [title for title, expr in ALL if provinces["well"].query(expr, at=0)]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("provisioning/*/*.yml")), ids=lambda path: path.name)
def test_provisioning_files_are_of_the_version_that_grafana_reads(path: Path) -> None:
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["apiVersion"] == 1
