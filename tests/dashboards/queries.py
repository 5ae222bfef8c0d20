"""All queries of a dashboard as Prometheus would get them, with Grafana's variables and macros filled in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MACROS: Mapping[str, str] = {
    "$__rate_interval": "1m",
    "$__interval": "15s",
    "$__range": "10m",
    "$site": ".*",
    "$area": ".*",
    "$service": ".*",
    "$provider": ".*",
    "$kind": ".*",
}
_LABEL_VALUES = re.compile(r"label_values\((.+),\s*(\w+)\)\Z")
_LEGEND_LABEL = re.compile(r"{{\s*(\w+)\s*}}")
_QUERY_RESULT = re.compile(r"query_result\((.+)\)\Z")


@dataclass(frozen=True, slots=True)
class Query:
    """One of a panel, a variable or an annotation."""

    title: str
    expr: str
    legend: str = ""
    instant: bool = True

    def labels(self) -> list[str]:
        """Those that its legend names."""
        return _LEGEND_LABEL.findall(self.legend)

    def named(self, labels: Mapping[str, str]) -> str:
        """The legend of one of its series, as Grafana writes it."""
        return _LEGEND_LABEL.sub(lambda found: labels.get(found[1], found[1]), self.legend)


def queries(dashboard: Mapping[str, Any], macros: Mapping[str, str] = MACROS) -> list[Query]:
    """Every query, in the order of the dashboard.

    Macros that are not given are taken from `MACROS`; one that nobody knows is a KeyError, so that no query is run
    with a `$` in it.
    """
    found = [
        Query(panel["title"], target["expr"], target.get("legendFormat", ""), bool(target.get("instant")))
        for panel in panels(dashboard)
        for target in targets(panel)
    ]
    found += [Query(f"variable {name}", expr) for name, expr in _variables(dashboard)]
    return [Query(each.title, filled(each.expr, macros), each.legend, each.instant) for each in found]


def marks(dashboard: Mapping[str, Any], macros: Mapping[str, str]) -> list[Query]:
    """The annotations: none of them has series when there is nothing to mark."""
    found = dashboard["annotations"]["list"]
    return [Query(each["name"], filled(each["target"]["expr"], macros), each["titleFormat"]) for each in found]


def values(series: Iterable[Mapping[str, Any]], regex: str) -> list[tuple[str, str]]:
    """(text, value) of the choices that Grafana's `query_result` and the variable's regular expression make of an answer."""
    pattern = re.compile(regex.strip("/").replace("(?<", "(?P<"))
    found = []
    for each in series:
        metric = dict(each["metric"])
        labels = ",".join(f'{name}="{value}"' for name, value in metric.items() if name != "__name__")
        match = pattern.search(f"{metric.get('__name__', '')}{{{labels}}} {each['value'][1]}")
        if match:
            named = match.groupdict() or {"text": match[1], "value": match[1]}
            found.append((named["text"], named["value"]))
    return found


def panels(holder: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Panels without rows, also those inside folded rows."""
    for panel in holder.get("panels") or ():
        if panel["type"] != "row":
            yield panel
        yield from panels(panel)


def targets(panel: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Queries of a panel."""
    return [target for target in panel.get("targets") or () if target.get("expr")]


def _variables(dashboard: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The series that a variable's values are read from."""
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            asked = variable["query"]["query"]
            if result := _QUERY_RESULT.match(asked):
                yield variable["name"], result[1]
                continue
            series = _LABEL_VALUES.match(asked)
            assert series, f"{variable['name']}: only label_values(series, label) and query_result(…) are understood"
            yield variable["name"], f"count by ({series[2]}) ({series[1]})"


def filled(expr: str, macros: Mapping[str, str]) -> str:
    """With variables and macros filled in, those that are not given from `MACROS`; `$1` is none but label_replace's."""
    known = {**MACROS, **macros}
    return re.sub(r"\$\{?([a-zA-Z_]\w*)\}?", lambda found: known[f"${found[1]}"], expr)
