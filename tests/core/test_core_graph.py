"""What is behind what."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.graph import Graph, find_loop
from monitor.core.model import Role, Target


def graph(behind: Mapping[str, Sequence[str]], vantage: str = "") -> Graph:
    return Graph(
        {
            node: Target(
                id=node,
                site=node.partition("/")[0],
                name=node,
                role=Role.DEVICE,
                kind="x",
                behind=tuple(parents),
                vantage=node == vantage,
            )
            for node, parents in behind.items()
        }
    )


TREE = {"ups": ["switch"], "switch": ["router"], "router": ["line"], "line": ["core"], "core": ["gate"], "gate": []}
TWO_WAYS = {"router": ["a", "b"], "pc": ["router"], "a": ["pop"], "b": ["edge"], "pop": [], "edge": []}

# Parents have smaller numbers, so there is no loop; listed in any order.
dags = st.integers(1, 12).flatmap(
    lambda size: st.tuples(
        st.permutations(range(size)),
        st.tuples(*(st.sets(st.integers(0, each - 1), max_size=3) if each else st.just(set()) for each in range(size))),
    ).map(lambda pair: {str(node): [str(parent) for parent in sorted(pair[1][node])] for node in pair[0]})
)


def test_behind_a_target_is_all_that_is_cut_off_with_it_nearest_first() -> None:
    assert graph(TREE).behind("line") == ("router", "switch", "ups")
    assert graph(TREE).behind("ups") == ()


def test_what_has_another_way_is_not_behind() -> None:
    two = graph(TWO_WAYS)
    assert two.behind("a") == two.behind("pop")[1:] == ()
    assert two.behind("router") == ("pc",)


def test_a_diamond_is_behind_the_one_thing_in_front_of_both_its_ways() -> None:
    assert graph({"d": ["b", "c"], "b": ["a"], "c": ["a"], "a": []}).behind("a") == ("b", "c", "d")


def test_after_a_target_is_all_that_may_go_through_it() -> None:
    assert graph(TWO_WAYS).after("pop") == ("a", "router", "pc")
    assert graph(TWO_WAYS).after("pc") == ()


def test_ancestors_are_all_in_front_on_any_way() -> None:
    assert graph(TWO_WAYS).ancestors("pc") == {"router", "a", "b", "pop", "edge"}
    assert graph(TWO_WAYS).ancestors("pop") == set()


def test_every_way_leads_only_through_what_cuts_all_of_them() -> None:
    two = graph(TWO_WAYS)
    assert not two.leads_only_through("pc", {"a"})
    assert two.leads_only_through("pc", {"a", "edge"})
    assert two.leads_only_through("pc", {"router"})
    assert not two.leads_only_through("pop", {"pop"}), "nothing is in front of it"


def test_vantages_and_members_of_a_site_are_known() -> None:
    two = graph({"c/gate": [], "x/line": ["c/gate"], "x/router": ["x/line"]}, vantage="c/gate")
    assert two.vantages == ("c/gate",)
    assert [each.id for each in two.by_site["x"]] == ["x/line", "x/router"]


@given(dags)
def test_parents_come_before_children_however_the_inventory_is_listed(behind: dict[str, list[str]]) -> None:
    found = graph(behind)
    assert set(found.order) == set(behind)
    assert all(found.order[parent] < found.order[node] for node, parents in behind.items() for parent in parents)


@given(dags)
def test_after_is_the_converse_of_ancestors_and_holds_behind(behind: dict[str, list[str]]) -> None:
    found = graph(behind)
    for node in behind:
        after = found.after(node)
        assert set(after) == {each for each in behind if node in found.ancestors(each)}
        assert set(found.behind(node)) <= set(after)
        assert list(after) == sorted(after, key=found.order.__getitem__)
        assert set(found.behind(node)) == {each for each in after if found.leads_only_through(each, {node})}


@given(dags)
def test_what_has_no_loop_has_none(behind: dict[str, list[str]]) -> None:
    assert find_loop(behind) is None


@pytest.mark.parametrize(
    "behind",
    [
        {"a": ["a"]},
        {"a": ["b"], "b": ["a"]},
        {"x": ["a"], "a": ["b"], "b": ["c"], "c": ["y", "a"], "y": []},
    ],
    ids=["itself", "pair", "entered from outside"],
)
def test_a_loop_is_shown_along_its_way(behind: dict[str, list[str]]) -> None:
    loop = find_loop(behind)
    assert loop is not None
    assert loop[0] == loop[-1]
    assert all(parent in behind[node] for node, parent in itertools.pairwise(loop))


@given(dags, st.data())
def test_a_way_back_is_found_wherever_it_is(behind: dict[str, list[str]], data: st.DataObject) -> None:
    found = graph(behind)
    far = data.draw(st.sampled_from(sorted(behind)))
    near = data.draw(st.sampled_from(sorted({far, *found.ancestors(far)})))
    loop = find_loop(behind | {near: [*behind[near], far]})
    assert loop is not None
    assert loop[0] == loop[-1]
    assert {near, far} <= set(loop)
