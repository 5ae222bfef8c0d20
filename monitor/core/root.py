"""Whose fault is it? The rules that name the root of a problem, and what is noted of each for who asks why.

The first rule that fits names root and cause. What nothing in front explains is then compared with others of its kind that
failed with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.core import shared as in_common
from monitor.core.model import (
    PATH_REASONS,
    Cause,
    Common,
    Considered,
    Explanation,
    Held,
    Incident,
    Look,
    Role,
    Shared,
    State,
    Target,
)
from monitor.core.seen import BAD, BATTERY_SAYS, CUT, HOLD_PATH_DEGRADED, PATH_SAYS, Seen, is_path

TOGETHER = timedelta(seconds=30)
"""What turned bad within this time of each other failed together."""
POWER_MEMORY = timedelta(minutes=15)
"""A site that goes silent within this time of its UPS reporting battery has lost power."""

EXPLAINED_TARGETS = 16
"""Targets of a kind that an explanation names."""
EXPLAINED_INCIDENTS = 8
EXPLAINED_TEXT = 200
"""Characters of a line of evidence in an explanation."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the rules make of a problem."""

    root: str
    cause: Cause
    why: str
    shared: Shared | None = None
    failed: frozenset[str] = frozenset()
    """Those that have it in common and failed."""


def yes(rule: str, because: str, *of: object) -> Look:
    """A rule that fits."""
    return Look(rule=rule, fits=True, because=because, of=tuple(map(str, of)))


def no(rule: str, because: str, *of: object) -> Look:
    """A rule that does not."""
    return Look(rule=rule, fits=False, because=because, of=tuple(map(str, of)))


def seconds(span: timedelta) -> str:
    """As it stands in a look."""
    return f"{span.total_seconds():.4g}"


def root_of(seen: Seen, problem: Held, now: datetime, looks: list[Look]) -> tuple[str, Cause, str]:
    """The rules, first that fits: root, cause, key of the rule; `looks` gets what was looked at."""
    target = seen.graph.targets[problem.target]
    if target.vantage:
        looks.append(yes("own-gateway", "gateway", target.id))
        return target.id, Cause.VANTAGE, "own-gateway"
    looks.append(no("own-gateway", "no-gateway"))
    here, down = stands_at_site(seen, target), problem.state is State.DOWN
    battery = seen.battery.get(target.site) if here else None
    ago = now - battery[1] if battery else None
    if problem.says in BATTERY_SAYS:
        looks.append(yes("ups-on-battery", "says-battery", target.id))
        return target.id, Cause.POWER, "ups-on-battery"
    if battery and ago is not None and down and ago <= POWER_MEMORY:
        looks.append(yes("ups-on-battery", "battery-lately", battery[0], seconds(ago)))
        return battery[0], Cause.POWER, "ups-on-battery"
    if not here or not down:
        away = "not-down" if here else "elsewhere"
        looks += (no("ups-on-battery", away), no("all-lines", away))
    else:
        looks.append(
            no("ups-on-battery", "no-battery")
            if ago is None
            else no("ups-on-battery", "battery-long-ago", seconds(ago))
        )
        router, look = all_lines(seen, target.site)
        looks.append(look)
        if router:
            return router, Cause.DEVICE, "all-lines"
    root = _front(seen, problem)
    if root != target.id:
        looks.append(yes("in-front", "front", root))
    else:
        looks.append(no("in-front", "no-front" if is_path(problem) else "not-the-way"))
    if seen.graph.targets[root].vantage:
        looks.append(yes("own-gateway", "gateway", root))
        return root, Cause.VANTAGE, "own-gateway"
    return (root, *kind_of(seen, root, looks))


def stands_at_site(seen: Seen, target: Target) -> bool:
    """Whether a target shares power and lines of its site; a service that is hosted elsewhere does not."""
    if target.role is not Role.SERVICE:
        return True
    return any(seen.graph.targets[each].site == target.site for each in seen.graph.ancestors(target.id))


def all_lines(seen: Seen, site: str) -> tuple[str | None, Look]:
    """The router of a site all of whose lines went down together, for their far ends are on it; and why it is or not."""
    members = seen.graph.by_site[site]
    lines = [seen.held.get(each.id) for each in members if each.role is Role.LINK]
    down = [each for each in lines if each is not None and each.state is State.DOWN]
    if len(lines) < 2 or len(down) < len(lines):
        return None, no("all-lines", "lines-up", len(down), len(lines))
    times = [each.since for each in down]
    apart = max(times) - min(times)
    if apart > HOLD_PATH_DEGRADED:
        return None, no("all-lines", "lines-apart", len(lines), seconds(apart))
    ids = {each.target for each in down}
    router = next((each.id for each in members if each.role is Role.DEVICE and ids & set(each.behind)), None)
    if router is None:
        return None, no("all-lines", "no-router")
    together = yes("all-lines", "lines-together", len(lines), seconds(apart), router)
    return router, together


def _front(seen: Seen, problem: Held) -> str:
    """The highest thing in front that is itself bad in a way that explains the problem."""
    suspects = {each for each in seen.graph.ancestors(problem.target) if seen.is_bad(each)}
    return max(
        explaining(seen, suspects, problem),
        key=lambda each: (len(seen.graph.after(each)), -seen.graph.order[each]),
        default=problem.target,
    )


def _explains(front: Held | None, state: State) -> bool:
    """Whether what a front is held to be can make what is behind it look like `state`.

    A slow front makes nothing silent, and one whose agent or port alone is in trouble hurts nothing behind it.
    """
    if front is None or front.state is not State.DEGRADED:
        return front is None or front.state is not State.UP
    return front.says == "loss" or (front.says in PATH_SAYS and state is State.DEGRADED)


def explaining(seen: Seen, suspects: Iterable[str], problem: Held) -> set[str]:
    """Those of the suspects in front of a problem that explain it; a target is down only if no good way is left."""
    if not is_path(problem):
        return set()
    found = {each for each in suspects if _explains(seen.held.get(each), problem.state)}
    if problem.state is State.DOWN and not seen.graph.leads_only_through(problem.target, found):
        return set()
    return found


def is_part(incident: Incident, root: Held | None) -> bool:
    """Whether what was announced of something behind a root is how the root's trouble looks from there."""
    travelled = incident.reason in PATH_REASONS or incident.says in PATH_SAYS
    return travelled and _explains(root, incident.state)


def kind_of(seen: Seen, root: str, looks: list[Look]) -> tuple[Cause, str]:
    """Cause and key of the rule, from what the root is."""
    target = seen.graph.targets[root]
    behind = seen.graph.behind(root)
    if target.role is not Role.DEVICE:
        looks.append(yes("by-kind", target.role.value, root))
        return (Cause.LINK if target.role is Role.LINK else Cause.SERVICE), "by-kind"
    sites = len({seen.graph.targets[each].site for each in behind} - {target.site})
    if sites > 1:
        looks.append(yes("many-sites", "sites", root, sites))
        return Cause.SHARED, "many-sites"
    looks.append(no("many-sites", "few-sites", root, sites))
    if target.kind == "switch" and any(seen.state(each) in CUT for each in behind):
        looks.append(yes("all-behind-switch", "switch", root))
        return Cause.LAN, "all-behind-switch"
    looks += (no("all-behind-switch", "no-switch", root), yes("by-kind", "device", root))
    return Cause.DEVICE, "by-kind"


def compare_kin(seen: Seen, found: Found, now: datetime) -> tuple[Found, list[Common]]:
    """The same, or what it has in common with others that failed with it; and what was compared."""
    held = seen.held.get(found.root)
    if held is None or held.state not in BAD:
        return found, []
    began = held.since

    def with_it(other: Target) -> bool:
        its = seen.held[other.id]
        return (its.state, its.says) == (held.state, held.says) and abs(its.since - began) <= TOGETHER

    target = seen.graph.targets[found.root]
    kin = seen.graph.by_kind[target.kind]
    judged = [each for each in kin if seen.state(each.id) in (State.UP, *BAD) and not seen.planned(each.id, now)]
    commons = in_common.compare(target, seen.inventory, judged, with_it)
    shared = in_common.most_likely(commons)
    if shared is None:
        return found, commons
    failed = [each.id for each in judged if in_common.has(each, seen.inventory, shared) and with_it(each)]
    first = min(failed, key=lambda each: (seen.held[each].since, each))
    return Found(first, Cause.SHARED, "in-common", shared, frozenset(failed)), commons


def is_of_shared(seen: Seen, incident: Incident, target: str) -> bool:
    """Whether a target is one of those whose common thing is the incident, and bad."""
    shared = incident.shared
    return (
        shared is not None and seen.is_bad(target) and in_common.has(seen.graph.targets[target], seen.inventory, shared)
    )


def explanation(
    seen: Seen,
    problem: Held,
    now: datetime,
    looks: Iterable[Look],
    commons: Iterable[Common] = (),
    incidents: Collection[Incident] = (),
) -> Explanation:
    """What is known at the moment of a decision about a problem, beside these open incidents."""

    def short(target: str) -> Held:
        held = seen.held.get(target) or Held(target=target, state=State.UNKNOWN, since=now)
        return replace(held, evidence=held.evidence[:EXPLAINED_TEXT])

    target = problem.target
    began, waited = seen.hold.get(target, (now, ""))
    ways = seen.graph.ancestors(target)
    fronts = sorted(ways, key=seen.graph.order.__getitem__, reverse=True)
    asked = sorted(seen.around(seen.graph.targets[target])) if problem.state is State.DOWN else []
    considered = list(_considered(seen, target, ways, incidents))
    return Explanation(
        problem=replace(problem, evidence=problem.evidence[:EXPLAINED_TEXT]),
        waited=waited,
        waited_seconds=(now - began).total_seconds(),
        fronts=tuple(short(each) for each in fronts[:EXPLAINED_TARGETS]),
        asked=tuple(asked[:EXPLAINED_TARGETS]),
        left_out=max(0, len(fronts) - EXPLAINED_TARGETS) + max(0, len(asked) - EXPLAINED_TARGETS),
        looks=tuple(looks),
        commons=tuple(commons),
        considered=tuple(considered[:EXPLAINED_INCIDENTS]),
        unrelated=len(incidents) - len(considered),
    )


def _considered(seen: Seen, target: str, ways: Collection[str], incidents: Iterable[Incident]) -> Iterator[Considered]:
    """Open incidents that are near, but not those of this problem."""
    for incident in incidents:
        if incident.root in ways:
            because = "front-explains-not"
        elif is_of_shared(seen, incident, target):
            because = "too-late"
        elif seen.graph.targets[incident.root].site == seen.graph.targets[target].site:
            because = "same-site"
        else:
            continue
        yield Considered(incident=incident.id, root=incident.root, because=because)
