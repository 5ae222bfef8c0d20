"""Which labels the answer of a PromQL expression has, and whether all that it names exist."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import promql_parser as promql

SETS = ("and", "or", "unless")
COMPARISONS = ("==", "!=", ">", "<", ">=", "<=")
Labels = frozenset[str]
NONE: Labels = frozenset()


def labelled(expr: str, families: Mapping[str, Labels]) -> Labels:
    """Labels of the answer. An AssertionError names the family or label that is not among `families`."""
    return _of(promql.parse(expr), families)


def _of(node: Any, families: Mapping[str, Labels]) -> Labels:
    for kind, found in _KINDS.items():
        if isinstance(node, kind):
            return found(node, families)
    raise AssertionError(f"what is {type(node).__name__}?")


def _among(named: Iterable[str], has: Labels, node: Any) -> Labels:
    missing = set(named) - has
    assert not missing, f"no {sorted(missing)} in {node.prettify()}"
    return frozenset(named)


def _selected(node: Any, families: Mapping[str, Labels]) -> Labels:
    assert node.name in families, f"nobody exports {node.name}"
    _among([each.name for each in node.matchers.matchers], families[node.name], node)
    return families[node.name]


def _called(node: Any, families: Mapping[str, Labels]) -> Labels:
    labels = NONE.union(*(_of(each, families) for each in node.args))
    return {"absent": NONE, "histogram_quantile": labels - {"le"}}.get(node.func.name, labels)


def _aggregated(node: Any, families: Mapping[str, Labels]) -> Labels:
    has = _of(node.expr, families)
    if node.modifier is None:
        return NONE
    assert node.modifier.type == promql.AggModifierType.By, "write by, so that what is left is seen"
    return _among(node.modifier.labels, has, node)


def _joined(node: Any, families: Mapping[str, Labels]) -> Labels:
    left, right = _of(node.lhs, families), _of(node.rhs, families)
    op, matching = str(node.op), node.modifier and node.modifier.matching
    if matching:
        _among(matching.labels, left & right, node)
    if op == "or" or not (matching or op in SETS):
        return left | right
    if op in SETS or op in COMPARISONS:
        return left
    taken = _among(node.modifier.group_labels or (), right, node)
    one_to_one = node.modifier.card == promql.VectorMatchCardinality.OneToOne
    return frozenset(matching.labels) if one_to_one else left | taken


_KINDS: Mapping[type, Callable[[Any, Mapping[str, Labels]], Labels]] = {
    promql.VectorSelector: _selected,
    promql.MatrixSelector: lambda node, families: _of(node.vector_selector, families),
    promql.SubqueryExpr: lambda node, families: _of(node.expr, families),
    promql.ParenExpr: lambda node, families: _of(node.expr, families),
    promql.NumberLiteral: lambda *_: NONE,
    promql.Call: _called,
    promql.AggregateExpr: _aggregated,
    promql.BinaryExpr: _joined,
}
