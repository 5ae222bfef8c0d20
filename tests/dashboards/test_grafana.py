"""What Grafana itself makes of the dashboards: its own types hold the JSON, its own transformations make the tables.

Needs Node.js and npm, which fetches Grafana's packages (Apache-2.0), so only `make grafana` runs these.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.dashboards.conftest import BOARDS, EVERY
from tests.dashboards.exposition import END
from tests.dashboards.prometheus import Prometheus
from tests.dashboards.queries import filled, panels, targets
from tests.dashboards.test_dashboards import CHOSEN

HERE = Path(__file__).parent / "grafana"
TYPES = Path("node_modules/@grafana/schema/dist/esm/raw")
PANELS = {
    "barchart": "BarChart", "bargauge": "BarGauge", "geomap": "Geomap", "heatmap": "Heatmap", "stat": "Stat",
    "state-timeline": "StateTimeline", "table": "Table", "timeseries": "TimeSeries",
}  # fmt: skip
ONLY_OF_INTERVALS = {"auto", "auto_min", "auto_count"}
"""What the builders write for every variable."""
OF_THE_PLUGIN = {"expr", "titleFormat", "textFormat", "tagKeys", "target"}
"""What an annotation of Prometheus has; the types know only those of Grafana's own data source."""
pytestmark = pytest.mark.grafana


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Grafana's packages."""
    folder = tmp_path_factory.mktemp("packages")
    for name in ("package.json", "package-lock.json", "transform.js"):
        shutil.copy(HERE / name, folder)
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
    return folder


@cache
def schema(packages: Path, types: str, name: str) -> Any:
    """JSON Schema of one of Grafana's types, which allows no key that it does not know; None where there is no such type."""
    command = ["npx", "ts-json-schema-generator", "--no-type-check", "--path", str(TYPES / types), "--type", name]
    made = subprocess.run(command, cwd=packages, capture_output=True, text=True, check=False, timeout=120)
    if "No root type" in made.stderr:
        return None
    made.check_returncode()
    return jsonschema.Draft7Validator(json.loads(made.stdout))


def without(holder: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in holder.items() if key not in keys}


@pytest.mark.parametrize("uid", EVERY)
def test_the_json_is_a_dashboard_to_grafana(packages: Path, uid: str) -> None:
    board = EVERY[uid]
    board = {
        **board,
        "templating": {"list": [without(each, *ONLY_OF_INTERVALS) for each in board["templating"]["list"]]},
        "annotations": {"list": [without(each, *OF_THE_PLUGIN) for each in board["annotations"]["list"]]},
    }
    found = schema(packages, "dashboard/x/dashboard_types.gen.d.ts", "Dashboard").iter_errors(board)
    assert not [(list(each.absolute_path), each.message) for each in found]


@pytest.mark.parametrize("uid", EVERY)
def test_options_of_each_panel_are_those_of_its_plugin(packages: Path, uid: str) -> None:
    for panel in panels(EVERY[uid]):
        name = PANELS[panel["type"]]
        types = f"composable/{name.lower()}/panelcfg/x/{name}PanelCfg_types.gen.d.ts"
        for of, value in (
            ("Options", panel["options"]),
            ("FieldConfig", panel["fieldConfig"]["defaults"].get("custom") or {}),
        ):
            holder = schema(packages, types, of)
            found = list(holder.iter_errors(value)) if holder else [] if not value else ["it has none"]
            assert not found, (panel["title"], of, [getattr(each, "message", each) for each in found])


def test_a_key_that_grafana_does_not_know_is_seen(packages: Path) -> None:
    board = {**BOARDS["commune-line"], "colour": "red"}
    assert not schema(packages, "dashboard/x/dashboard_types.gen.d.ts", "Dashboard").is_valid(board)


# -- tables ------------------------------------------------------------------------------------------------------------


def frame(letter: str, series: list[dict[str, Any]], *, alone: bool) -> dict[str, Any]:
    """An answer as Grafana's Prometheus plug-in hands it to a table."""
    names = sorted({name for each in series for name in each["metric"]})
    columns = [{"name": "Time", "type": "time", "values": [END * 1000 for _ in series]}]
    columns += [
        {"name": name, "type": "string", "values": [each["metric"].get(name, "") for each in series]} for name in names
    ]
    value = "Value" if alone else f"Value #{letter}"
    columns.append({"name": value, "type": "number", "values": [float(each["value"][1]) for each in series]})
    return {"refId": letter, "fields": columns}


def tables() -> Iterator[tuple[str, Mapping[str, Any]]]:
    for uid, board in BOARDS.items():
        for panel in panels(board):
            if panel.get("transformations"):
                yield uid, panel


@pytest.fixture(scope="module")
def shown(packages: Path, provinces: dict[str, Prometheus]) -> dict[str, dict[tuple[str, str], dict[str, list[Any]]]]:
    """By province and panel: the columns that it shows."""
    return {which: _shown(packages, prometheus) for which, prometheus in provinces.items()}


def _shown(packages: Path, prometheus: Prometheus) -> dict[tuple[str, str], dict[str, list[Any]]]:
    jobs = []
    for uid, panel in tables():
        asked = targets(panel)
        macros = {"$__range": "1h", **CHOSEN.get(uid, {})}
        answers = {each["refId"]: prometheus.query(filled(each["expr"], macros), END) for each in asked}
        frames = [frame(letter, series, alone=len(asked) == 1) for letter, series in answers.items()]
        jobs.append({"transformations": panel["transformations"], "frames": frames})
    made = subprocess.run(
        ["node", "transform.js"],
        cwd=packages,
        input=json.dumps(jobs),
        text=True,
        capture_output=True,
        check=True,
        timeout=120,
    )
    found = {}
    for (uid, panel), frames in zip(tables(), json.loads(made.stdout), strict=True):
        assert len(frames) == 1, panel["title"]
        found[uid, panel["title"]] = {column["name"]: column["values"] for column in frames[0]}
    return found


Shown = dict[str, dict[tuple[str, str], dict[str, list[Any]]]]


def test_tables_have_the_columns_that_people_read_and_no_others(shown: Shown) -> None:
    for uid, panel in tables():
        if panel["type"] == "table":
            wanted = list(panel["transformations"][-1]["options"]["renameByName"].values())
            assert list(shown["trouble"][uid, panel["title"]]) == wanted, panel["title"]
            assert set(shown["well"][uid, panel["title"]]) <= set(wanted), panel["title"]


@pytest.mark.parametrize("which", ["well", "trouble"])
def test_no_table_is_without_a_row(shown: Shown, which: str) -> None:
    assert not [title for title, columns in shown[which].items() if not any(columns.values())]


def test_settings_of_columns_are_of_columns_that_are_there(shown: Shown) -> None:
    for uid, panel in tables():
        names = {each["matcher"]["options"] for each in panel["fieldConfig"]["overrides"]}
        names |= {each["displayName"] for each in panel["options"].get("sortBy") or ()}
        assert names <= set(shown["trouble"][uid, panel["title"]]), panel["title"]


def test_a_meeting_is_a_row_with_its_rooms_by_readiness(shown: Shown) -> None:
    title = "commune-rooms", "Cuộc họp trong 24 giờ tới: số phòng"
    assert shown["trouble"][title] == {
        "Cuộc họp": ["giao-ban-tuan"], "✓ Sẵn sàng": [2], "△ Có nguy cơ": [0], "✕ Chưa sẵn sàng": [2],
    }  # fmt: skip


def test_a_room_that_is_not_well_is_one_row_with_what_was_measured_of_it(shown: Shown) -> None:
    title = "commune-rooms", "Phòng họp chưa sẵn sàng: vì sao"
    columns = shown["trouble"][title]
    assert sorted(zip(columns["Nơi"], columns["Trạng thái"], columns["Đăng ký"], columns["MOS"], strict=True)) == [
        ("Xã 0", 3, 0, -1), ("Xã 1", 0, 1, 2.9), ("Xã 2", 3, 1, -1), ("Xã 3", 0, 0, -1),
    ]  # fmt: skip
    assert {name: len(values) for name, values in shown["well"][title].items()} == dict.fromkeys(
        shown["well"][title], 1
    )


def test_the_map_gets_numbers_for_its_places(shown: Shown) -> None:
    places = shown["trouble"]["commune-province", "Bản đồ xã, phường"]
    assert all(isinstance(each, float) for each in (*places["latitude"], *places["longitude"]))
