"""Pure: what is behind what, when all targets are known: names resolved, defaults filled in, rings told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from monitor.core.graph import find_loop
from monitor.core.model import Role, Target
from monitor.inventory.findings import Findings
from monitor.yamlfile import Layers, place

DEFAULT = ("",)
"""In `behind` of a target where nothing is written."""


def resolve(targets: Mapping[str, Target], places: Mapping[str, Layers], findings: Findings) -> dict[str, Target]:
    """The targets with the ids of what each is behind; `places` says where each is written."""
    of_site: dict[str, list[Target]] = defaultdict(list)
    for target in targets.values():
        of_site[target.site].append(target)
    resolved = {}
    for id_, target in targets.items():
        default = target.behind == DEFAULT
        behind = _default(target, of_site[target.site]) if default else _parents(target, targets, places[id_], findings)
        resolved[id_] = replace(target, behind=behind)
    if loop := find_loop({id_: target.behind for id_, target in resolved.items()}):
        text = f"goes round in a ring: {' → '.join(loop)}"
        problem = place(places[loop[0]], ("behind",), text, "take one of these out of `behind`")
        findings.problems.append(problem.known_as("ring", ring=" → ".join(loop)))
    return resolved


def _default(target: Target, of_site: Sequence[Target]) -> tuple[str, ...]:
    """Equipment and services are behind the site's router, a router behind its lines."""
    if target.vantage or target.role is Role.LINK:
        return ()
    others = [each for each in of_site if each.id != target.id]
    if target.kind == "router":
        return tuple(each.id for each in others if each.role is Role.LINK)
    return tuple(each.id for each in others if each.kind == "router")[:1]


def _parents(target: Target, known: Mapping[str, Target], layers: Layers, findings: Findings) -> tuple[str, ...]:
    parents = []
    for index, name in enumerate(target.behind):
        parent = name if "/" in name else f"{target.site}/{name}"
        if parent in known:
            parents.append(parent)
        elif ("site", parent.partition("/")[0]) not in findings.lost:
            findings.unknown("target", parent, known, layers, ("behind", index))
    return tuple(parents)
