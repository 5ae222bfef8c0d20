"""Rules for every dashboard: those of Grafana's dashboard-linter that matter here, and our own on words, colours and links."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from dashboards.frame import TAG
from dashboards.states import RANKS
from tests.dashboards.conftest import BOARDS, ENGLISH, EVERY, FOLDER, Boards
from tests.dashboards.queries import panels, targets

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WINDOWS = {"$__rate_interval", "$__range", "$__range:$__interval", "24h"}
OF_GRAFANA = {"text"}
"""Colours that Grafana has by meaning."""
each_board = pytest.mark.parametrize("uid", EVERY)


def named(holder: object, key: str) -> Iterator[Any]:
    """Every value under a key, at any depth."""
    if isinstance(holder, dict):
        for name, value in holder.items():
            if name == key:
                yield value
            yield from named(value, key)
    elif isinstance(holder, list):
        for each in holder:
            yield from named(each, key)


@each_board
def test_it_is_named_by_its_uid_tagged_and_not_changed_in_the_browser(uid: str) -> None:
    board = EVERY[uid]
    assert board["uid"] == uid
    assert (board["tags"], board["editable"], board["timezone"]) == (
        [TAG.english if uid in ENGLISH else TAG],
        False,
        "Asia/Ho_Chi_Minh",
    )
    assert board["title"]
    assert board["description"]
    assert "id" not in board


@pytest.mark.parametrize("boards", [BOARDS, ENGLISH], ids=["vi", "en"])
def test_titles_of_dashboards_differ(boards: Boards) -> None:
    titles = [board["title"] for board in boards.values()]
    assert len(titles) == len(set(titles)) == 7


@each_board
def test_panels_have_ids_and_titles_of_their_own_and_a_description(uid: str) -> None:
    found = list(panels(EVERY[uid]))
    ids = [each["id"] for each in (*found, *(each for each in EVERY[uid]["panels"] if each["type"] == "row"))]
    assert len(ids) == len(set(ids))
    assert len({panel["title"] for panel in found}) == len(found)
    assert not [panel["title"] for panel in found if not panel.get("description")]


@each_board
def test_panels_do_not_overlap_and_fill_the_width(uid: str) -> None:
    shown = EVERY[uid]["panels"]
    fills(shown, 0)
    for row in shown:
        if row["type"] == "row" and row["collapsed"]:
            fills(row["panels"], row["gridPos"]["y"] + 1)


def fills(shown: list[dict[str, Any]], top: int) -> None:
    """Without holes from a line on."""
    taken: set[tuple[int, int]] = set()
    for panel in shown:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not taken & cells, panel["title"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
    assert len(taken) == 24 * (1 + max(y for _, y in taken) - top), "holes"
    assert min(y for _, y in taken) == top


@each_board
def test_everything_is_asked_of_the_chosen_data_source(uid: str) -> None:
    board = EVERY[uid]
    asked = [*panels(board), *(target for panel in panels(board) for target in targets(panel))]
    asked += [each for each in board["templating"]["list"] if each["type"] == "query"]
    asked += board["annotations"]["list"]
    assert [each for each in asked if each["datasource"] != SOURCE] == []
    assert "datasource" in {each["name"] for each in board["templating"]["list"] if each["type"] == "datasource"}


@each_board
def test_each_panel_has_queries_a_unit_and_letters_of_their_own(uid: str) -> None:
    for panel in panels(EVERY[uid]):
        letters = [target["refId"] for target in targets(panel)]
        assert letters, panel["title"]
        assert len(letters) == len(set(letters)), panel["title"]
        assert panel["fieldConfig"]["defaults"].get("unit"), panel["title"]


@each_board
def test_counters_are_rates_over_windows_that_follow_the_picture(uid: str) -> None:
    for panel in panels(EVERY[uid]):
        for target in targets(panel):
            windows = set(re.findall(r"\[([^\]]+)\]", target["expr"]))
            assert windows <= WINDOWS, panel["title"]
            raw = re.findall(r"(?<!rate\()(?<!increase\()\b\w+_(?:total|bucket|count|sum)\b(?=[{\[])", target["expr"])
            assert not raw, panel["title"]


@each_board
def test_curves_bars_and_figures_have_legends_and_tables_have_none(uid: str) -> None:
    for panel in panels(EVERY[uid]):
        for target in targets(panel):
            assert bool(target["legendFormat"]) == (target["format"] != "table"), panel["title"]


@each_board
def test_what_is_shown_as_of_now_is_asked_as_of_now(uid: str) -> None:
    now = {"stat", "bargauge", "table", "geomap", "barchart"}
    for panel in panels(EVERY[uid]):
        for target in targets(panel):
            assert bool(target.get("instant")) == (panel["type"] in now), panel["title"]


@each_board
def test_links_lead_to_dashboards_that_have_the_variables(uid: str) -> None:
    same = ENGLISH if uid in ENGLISH else BOARDS
    known = {name: {each["name"] for each in board["templating"]["list"]} for name, board in same.items()}
    urls = [url for url in named({**EVERY[uid], "links": []}, "url") if url]
    for url in urls:
        if url.startswith("/d/"):
            to = url.removeprefix("/d/").partition("?")[0]
            assert set(re.findall(r"&var-(\w+)=", url)) <= known[to], url
            assert "${__url_time_range}" in url
        else:
            assert url.startswith("${board}"), url
            assert url.endswith("?lang=en") == (uid in ENGLISH), url
    assert {each["type"] for each in EVERY[uid]["links"]} == {"dashboards", "link"}


@pytest.mark.parametrize(("boards", "first"), [(BOARDS, "commune-province"), (ENGLISH, "commune-province-en")])
def test_every_dashboard_can_be_reached_from_the_overview_by_a_click_on_what_hurts(boards: Boards, first: str) -> None:
    reached, to_do = set(), {first}
    while to_do:
        uid = to_do.pop()
        reached.add(uid)
        found = {
            url.removeprefix("/d/").partition("?")[0]
            for url in named(EVERY[uid]["panels"], "url")
            if (url or "").startswith("/d/")
        }
        to_do |= found - reached
    assert reached == set(boards)


@each_board
def test_variables_are_used_and_what_is_used_is_there(uid: str) -> None:
    board = EVERY[uid]
    names = {each["name"] for each in board["templating"]["list"]}
    text = json.dumps({**board, "templating": [each.get("query") for each in board["templating"]["list"]]})
    used = set(re.findall(r"\$\{?([a-z]\w*)", text))
    assert names - used == set()
    assert used <= names


# -- colours -----------------------------------------------------------------------------------------------------------


@each_board
def test_no_colour_is_used_but_those_that_everybody_can_tell_apart(uid: str) -> None:
    ours = {color for _, _, color, _ in RANKS} | OF_GRAFANA
    shown = [panel["fieldConfig"] for panel in panels(EVERY[uid])]
    used = {each for key in ("color", "fixedColor") for each in named(shown, key) if isinstance(each, str)}
    assert used <= ours


@each_board
def test_a_colour_that_stands_for_a_state_comes_with_words_or_a_number(uid: str) -> None:
    for panel in panels(EVERY[uid]):
        for mapping in named(panel["fieldConfig"], "mappings"):
            assert all(each["text"] for each in named(mapping, "result"))


# Machado, Oliveira, Fernandes 2009 (doi 10.1109/TVCG.2009.113), severity 1, on linear RGB.
SEEN_BY = {
    "everybody": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.9505, 1.0, 1.089])


def linear(color: str) -> Any:
    """A colour of sRGB as light."""
    part = np.array([int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def luminance(color: str) -> float:
    return float(XYZ[1] @ linear(color))


def lab(color: str, eyes: object) -> Any:
    """A colour in CIE L*a*b* (D65), as these eyes see it."""
    share = XYZ @ np.clip(np.asarray(eyes) @ linear(color), 0, 1) / WHITE
    x, y, z = np.where(share > 0.008856, np.cbrt(share), 7.787 * share + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("eyes", SEEN_BY)
def test_states_can_be_told_apart_without_seeing_red_green_or_blue(eyes: str) -> None:
    seen = [lab(color, SEEN_BY[eyes]) for _, _, color, _ in RANKS]
    distances = [float(np.linalg.norm(one - other)) for one, other in itertools.combinations(seen, 2)]
    assert min(distances) > 20, "2.3 is just noticeable side by side"


def test_states_stand_out_from_a_dark_wall() -> None:
    wall = luminance("#181b1f")
    contrasts = [(luminance(color) + 0.05) / (wall + 0.05) for _, _, color, _ in RANKS]
    assert min(contrasts) > 3, "WCAG 2.2, 1.4.11"


@each_board
def test_an_axis_of_zeros_does_not_reach_10000_percent(uid: str) -> None:
    for panel in panels(EVERY[uid]):
        defaults = panel["fieldConfig"]["defaults"]
        if panel["type"] == "timeseries" and defaults["unit"] == "percentunit":
            assert 0 < defaults["custom"]["axisSoftMax"] <= 1, panel["title"]


def test_each_state_has_a_sign_of_its_own_besides_its_colour() -> None:
    assert len({text[0] for _, text, _, _ in RANKS}) == len(RANKS)
    assert not any(text[0].isalnum() for _, text, _, _ in RANKS)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("provisioning/*/*.yml")), ids=lambda path: path.name)
def test_provisioning_files_are_of_the_version_that_grafana_reads(path: Path) -> None:
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["apiVersion"] == 1
