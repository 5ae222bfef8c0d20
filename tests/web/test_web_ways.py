"""The drawing of an incident: what stands in front of its root, beside it and behind it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.graph import Graph
from monitor.core.model import Cause, Incident, Inventory, Reason, Role, Shared, Site, State, Target
from monitor.web.board import Board
from monitor.web.view import TargetView
from monitor.web.ways import LETTER, MAX_BESIDE, MAX_FRONTS, MAX_ROWS, WIDTH, Place, Row, Ways, fitting, ways
from monitor.web.words import EN, VI
from tests.web.province import NOW, Province, commune, inventory_of
from tests.web.test_web_board import HOSTILE, Page

SITE = "phuong-phu-ly"
UP, DOWN, CUT = (TargetView(state=each, since=NOW) for each in (State.UP, State.DOWN, State.UNREACHABLE))


def chain(*behind: tuple[str, str]) -> Inventory:
    """Targets `site/name`, each with what it is behind, separated by spaces; sites are communes of one area."""
    targets = {
        id_: Target(
            id=id_, site=id_.partition("/")[0], name=id_.partition("/")[2], role=Role.DEVICE, kind="router",
            label={"en": id_.partition("/")[2]}, behind=tuple(parents.split()),
        )
        for id_, parents in behind
    }  # fmt: skip
    sites = {each.site: Site(id=each.site, name=each.site.upper(), area="Area") for each in targets.values()}
    return Inventory(sites=sites, targets=targets, providers={})


def incident_of(inventory: Inventory, root: str, **given: object) -> Incident:
    """An open incident with all that its root cuts off."""
    case = Incident(
        id="i", root=root, cause=Cause.DEVICE, state=State.DOWN, began=NOW, opened=NOW, reason=Reason.TIMEOUT,
        impact=Graph(inventory.targets).behind(root),
    )  # fmt: skip
    return replace(case, **given)


def drawn(inventory: Inventory, incident: Incident, **states: TargetView) -> Ways:
    """All that it hurts is cut off, the rest is well."""
    held = dict.fromkeys(inventory.targets, UP) | dict.fromkeys(incident.impact, CUT) | {incident.root: DOWN}
    return ways(incident, inventory, held | {key.replace("__", "/"): each for key, each in states.items()}, EN)


def told(found: Ways) -> list[tuple[str, str, str]]:
    return [(each.place.value, each.title, each.says) for each in found.rows]


REDUNDANT = chain(
    ("hub/gateway", ""), ("hub/core", "hub/gateway"), ("pop/edge", "hub/core"), ("a/line", "pop/edge"), ("a/other", "hub/core"),
    ("a/router", "a/line a/other"), ("a/switch", "a/router"), ("a/printer", "a/line"),
)  # fmt: skip


def test_a_line_is_drawn_with_its_fronts_its_impact_and_the_way_that_still_works() -> None:
    found = drawn(REDUNDANT, incident_of(REDUNDANT, "a/line"))
    assert told(found) == [
        ("front", "gateway", "Up · HUB"),
        ("front", "core", "Up · HUB"),
        ("front", "edge", "Up · POP"),
        ("beside", "other", "Up (another way)"),
        ("root", "line", "Down 12:00 24/11 · A"),
        ("spared", "router", "Up (still reached)"),
        ("behind", "printer", "Cut off"),
    ]
    by_title = {each.title: each for each in found.rows}
    assert by_title["router"].behind == ("line", "other")
    assert by_title["printer"].x > by_title["line"].x > by_title["edge"].x
    assert [kind for kind, _ in found.lines].count("other") == 1


def test_two_dead_ways_are_both_shown_and_none_of_them_works() -> None:
    case = incident_of(REDUNDANT, "a/line", impact=("a/router", "a/switch", "a/printer"))
    found = drawn(REDUNDANT, case, a__other=DOWN)
    assert ("beside", "other", "Down (another way)") in told(found)
    assert "other" not in [kind for kind, _ in found.lines]
    assert ("behind", "switch", "Cut off") in told(found)


def test_an_incident_that_is_over_tells_what_was_hurt_and_nothing_of_today() -> None:
    case = incident_of(REDUNDANT, "a/line", closed=NOW + timedelta(hours=1))
    found = drawn(REDUNDANT, case)
    assert [each.level for each in found.rows if each.place is not Place.ROOT] == ["plain"] * 4
    assert ("behind", "printer", "was hurt") in told(found)
    assert not {Place.BESIDE, Place.SPARED} & {each.place for each in found.rows}


def test_what_they_have_in_common_is_the_root_where_no_target_is() -> None:
    inventory = chain(("a/line", ""), ("b/line", ""), ("a/router", "a/line"))
    shared = Shared(kind="tslcd", by=(("area", "Kim Sơn"),), hurt=2, of=2, elsewhere=0, others=9)
    case = incident_of(inventory, "a/line", impact=("b/line", "a/router"), shared=shared)
    assert told(drawn(inventory, case)) == [
        ("root", "Kim Sơn", "Down 12:00 24/11"),
        ("behind", "line", "Down · A"),
        ("behind", "router", "Cut off · A"),
        ("behind", "line", "Cut off · B"),
    ]


@pytest.mark.parametrize(
    ("sites", "areas", "rows", "one"),
    [
        (MAX_ROWS, 1, MAX_ROWS, "Xã 3"),
        (MAX_ROWS + 1, 3, 3, "Huyện 2"),
        (600, 30, MAX_ROWS, "và 15 nơi khác"),
    ],
)
def test_many_are_drawn_by_site_then_by_area_then_counted(sites: int, areas: int, rows: int, one: str) -> None:
    inventory = inventory_of(*(commune(f"xa-{n}", f"Xã {n}", 20, 106, f"Huyện {n % areas}") for n in range(sites)))
    case = incident_of(
        inventory, "centre/gateway", impact=tuple(each for each in inventory.targets if each[:2] == "xa")
    )
    found = ways(case, inventory, dict.fromkeys(inventory.targets, CUT) | {case.root: DOWN}, VI)
    behind = [each for each in found.rows if each.place is Place.BEHIND]
    assert len(behind) == rows
    assert one in [each.title for each in behind]
    counted = [int(number) for each in behind for number in re.findall(r"(\d+) đối tượng", each.says)]
    assert sum(counted) == 3 * sites
    if sites > MAX_ROWS:
        assert sum(int(number) for each in behind for number in re.findall(r"(\d+) xã", each.says)) == sites


def test_a_group_of_which_some_are_well_again_says_how_many() -> None:
    inventory = inventory_of(*(commune(f"xa-{n}", f"Xã {n}", 20, 106) for n in range(9)))
    case = incident_of(
        inventory, "centre/gateway", impact=tuple(each for each in inventory.targets if each[:2] == "xa")
    )
    states = dict.fromkeys(inventory.targets, CUT) | {"xa-0/tslcd": UP}
    (first, *_) = [each for each in ways(case, inventory, states, VI).rows if each.place is Place.BEHIND]
    assert (first.says, first.level) == ("bị cắt theo 2, bình thường 1", "unreachable")


def test_many_that_are_reached_another_way_are_counted() -> None:
    two = [(f"a/x{n}", "a/one a/two") for n in range(MAX_BESIDE + 1)]
    inventory = chain(("a/one", ""), ("a/two", ""), *two)
    found = drawn(inventory, incident_of(inventory, "a/one"))
    assert ("rest", f"{MAX_BESIDE + 1} targets are still reached another way", "Up") in told(found)


def test_what_has_left_the_inventory_is_still_named(province: Province) -> None:
    case = replace(province.cut(SITE), root="gone/line", impact=("gone/router",))
    found = ways(case, province.settings, province.held, VI)
    assert [(each.title, each.site) for each in found.rows] == [("gone/line", ""), ("gone/router", "")]
    assert found.rows[1].says == "không còn trong danh mục"


def test_a_long_way_in_front_is_cut_and_counted() -> None:
    inventory = chain(("a/n0", ""), *((f"a/n{n}", f"a/n{n - 1}") for n in range(1, 10)))
    found = drawn(inventory, incident_of(inventory, "a/n9"))
    assert [each.title for each in found.rows] == [f"n{n}" for n in range(9 - MAX_FRONTS, 10)]
    assert found.left_out == 9 - MAX_FRONTS


def test_a_line_of_a_row_fits_it() -> None:
    row = drawn(REDUNDANT, incident_of(REDUNDANT, "a/line")).rows[0]
    assert fitting("x" * 999, row).endswith("…")
    assert len(fitting("x" * 999, row)) * LETTER < row.width
    assert fitting("router", row) == "router"


def apart(one: Row, other: Row) -> bool:
    return one.y + one.height <= other.y or other.y + other.height <= one.y


@st.composite
def networks(draw: st.DrawFn) -> tuple[Inventory, str]:
    """Some targets, each behind any of those before it."""
    count = draw(st.integers(1, 40))
    behind = [
        (
            f"s{draw(st.integers(0, 30))}/n{n}",
            draw(st.lists(st.integers(0, n - 1), max_size=3, unique=True)) if n else [],
        )
        for n in range(count)
    ]
    ids = [id_ for id_, _ in behind]
    inventory = chain(*((id_, " ".join(ids[each] for each in parents)) for id_, parents in behind))
    return inventory, draw(st.sampled_from(ids))


@settings(max_examples=150)
@given(networks(), st.booleans(), st.data())
def test_whatever_the_network_every_row_has_its_place(
    network: tuple[Inventory, str], over: bool, data: st.DataObject
) -> None:
    inventory, root = network
    others = sorted(inventory.targets.keys() - {root})
    hurt = data.draw(st.one_of(st.none(), st.lists(st.sampled_from(others), unique=True) if others else st.none()))
    case = incident_of(inventory, root, closed=NOW if over else None)
    case = case if hurt is None else replace(case, impact=tuple(hurt))
    found = drawn(inventory, case)
    assert [each.place for each in found.rows].count(Place.ROOT) == 1
    assert len(found.rows) <= MAX_FRONTS + 1 + MAX_ROWS + 2 * MAX_BESIDE + 1
    assert all(apart(one, other) for n, one in enumerate(found.rows) for other in found.rows[:n])
    assert all(
        each.x > 0 and each.x + each.width < WIDTH and each.y + each.height < found.height for each in found.rows
    )
    if 0 < len(case.impact) <= MAX_ROWS:
        assert len([each for each in found.rows if each.place is Place.BEHIND]) == len(case.impact)


def test_a_power_cut_takes_the_way_to_the_ups_too_and_that_is_behind_it() -> None:
    inventory = chain(("pop/edge", ""), ("a/line", "pop/edge"), ("a/router", "a/line"), ("a/ups", "a/router"))
    case = incident_of(inventory, "a/ups", cause=Cause.POWER, impact=("a/line", "a/router"))
    found = drawn(inventory, case, a__ups=TargetView(state=State.DEGRADED, since=NOW), a__line=DOWN)
    assert told(found) == [
        ("root", "ups", "Down 12:00 24/11 · A"),
        ("behind", "line", "Down"),
        ("behind", "router", "Cut off"),
    ]


def test_the_page_has_the_drawing_as_links_and_as_text(province: Province) -> None:
    case = province.cut(SITE)
    page = Board().incident(province, case.id, VI, NOW)
    assert page is not None
    picture = page.partition('<svg class="ways"')[2].partition("</svg>")[0]
    assert picture.count('<a href="/sites/phuong-phu-ly">') == 3
    assert (
        "<strong>GỐC SỰ CỐ:</strong> Đường TSLCĐ: Ngừng 11:47 24/11 · Phường Phủ Lý; nằm sau: Bộ định tuyến</li>"
        in page
    )


def test_hostile_names_stay_text_in_the_drawing(province: Province) -> None:
    province.settings = inventory_of(commune(SITE, HOSTILE, 20.5, 105.9, HOSTILE))
    case = replace(province.cut(SITE), root="centre/gateway")
    province.cases = [case]
    page = Board().incident(province, case.id, VI, NOW)
    assert page is not None
    seen = Page(page)
    assert not seen.open
    assert not {"img", "b8"} & set(seen.tags)
    assert seen.tags.count("script") == 1, "our own"


def test_what_works_badly_cuts_no_way_and_hurts_over_what_is_not_hurt_yet() -> None:
    inventory = chain(("a/line", ""), ("a/router", "a/line"), ("a/room", "a/router"))
    case = incident_of(inventory, "a/line", state=State.DEGRADED, impact=("a/room",))
    found = drawn(inventory, case)
    assert [(each.place, each.title, each.behind) for each in found.rows] == [
        (Place.ROOT, "line", ()),
        (Place.SPARED, "router", ("line",)),
        (Place.BEHIND, "room", ("router",)),
    ]
    assert [kind for kind, _ in found.lines] == ["way", "way"]
