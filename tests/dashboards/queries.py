"""All queries of a dashboard as Prometheus would get them, with Grafana's variables and macros filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

MACROS: Mapping[str, str] = {
    "$__rate_interval": "1m",
    "$__interval": "15s",
    "$__range": "10m",
    "$site": ".*",
    "$area": ".*",
}
_LABEL_VALUES = re.compile(r"label_values\((.+),\s*(\w+)\)\Z")


def queries(dashboard: Mapping[str, Any], macros: Mapping[str, str] = MACROS) -> list[tuple[str, str]]:
    """(panel or variable title, PromQL) of every query, in the order of the dashboard.

    Macros that are not given are taken from `MACROS`; one that nobody knows is a KeyError, so that no query is run
    with a `$` in it.
    """
    found = [(str(panel["title"]), str(target["expr"])) for panel in _panels(dashboard) for target in _targets(panel)]
    found += [(f"variable {name}", expr) for name, expr in _variables(dashboard)]
    return [(title, _filled(expr, {**MACROS, **macros})) for title, expr in found]


def _panels(holder: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Panels, also those inside folded rows."""
    for panel in holder.get("panels") or ():
        yield panel
        yield from _panels(panel)


def _targets(panel: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [target for target in panel.get("targets") or () if target.get("expr")]


def _variables(dashboard: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The series that a variable's values are read from."""
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            series = _LABEL_VALUES.match(variable["query"]["query"])
            assert series, f"{variable['name']}: only label_values(series, label) is understood"
            yield variable["name"], f"count by ({series[2]}) ({series[1]})"


def _filled(expr: str, macros: Mapping[str, str]) -> str:
    return re.sub(r"\$\{?(\w+)\}?", lambda found: macros[f"${found[1]}"], expr)
