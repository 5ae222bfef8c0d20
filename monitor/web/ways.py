"""PURE: what stands in front of the root of an incident, beside it and behind it, as the rows of a drawing.

The drawing is a tree that is read like a list, so that a telephone shows it too: each row is drawn below what it is behind. Where
a target has more than one way, the other ways are drawn at the right edge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from monitor.core.model import Incident, Inventory, State, Target
from monitor.web.overview import COMMUNE, RANK, WORST_FIRST, site_of, view_of
from monitor.web.phrases import PHRASES
from monitor.web.view import Stated
from monitor.web.words import Words, clip

MAX_ROWS = 16
"""What is behind the root is drawn one by one up to here; more is drawn by site, by area, and then counted."""
MAX_FRONTS = 6
MAX_BESIDE = 4

WIDTH = 360
"""About that of a telephone in CSS pixels, so that nothing shrinks there."""
ROW, ROOT_ROW, GAP = 48, 64, 8
INDENT = 14
MAX_DEPTH = 8
"""Deeper rows are drawn no further to the right."""
EDGE = 28
"""Room at the right for other ways."""
LETTER, SMALL_LETTER = 8.2, 6.6
"""Mean width of a letter of the first line and of the second, in a wide font (DejaVu Sans)."""


class Place(StrEnum):
    """Where something stands, seen from the root."""

    FRONT = "front"
    BESIDE = "beside"
    """Another way to what is behind the root."""
    ROOT = "root"
    SPARED = "spared"
    """Behind the root, but reached another way."""
    BEHIND = "behind"
    REST = "rest"
    """What is only counted."""


TAGS = {Place.BESIDE: "beside", Place.SPARED: "spared"}
"""Keys of their phrases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One row before it has its place: a target, or several together."""

    key: str
    place: Place
    parents: tuple[str, ...] = ()
    """Keys of what it is behind; it is drawn below the first."""
    targets: tuple[str, ...] = ()
    title: str = ""
    """Of several; a target is called by its own name."""
    count: int = 0
    """Of REST: how many; else of communes in a group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the drawing."""

    place: Place
    level: str
    """Class of its colour: a state, or `plain` where none is known."""
    sign: State | None
    title: str
    says: str
    site: str
    """Where its link leads; empty: it has none."""
    behind: tuple[str, ...]
    """Titles of what it is behind, for those who cannot see the lines."""
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """The drawing."""

    rows: tuple[Row, ...]
    lines: tuple[tuple[str, str], ...]
    """Class (`way`, `cut`, `other`) and path data."""
    width: float
    height: float
    left_out: int
    """Of what is in front."""


@dataclass(slots=True)
class _Sight:
    """What the rows are made from."""

    incident: Incident
    inventory: Inventory
    states: Mapping[str, Stated]
    words: Words
    cut: frozenset[str] = field(init=False)
    """Root and impact."""

    def __post_init__(self) -> None:
        self.cut = frozenset((self.incident.root, *self.incident.impact))

    @property
    def is_open(self) -> bool:
        return self.incident.closed is None

    def target(self, id_: str) -> Target | None:
        return self.inventory.targets.get(id_)

    def behind(self, id_: str) -> tuple[str, ...]:
        target = self.target(id_)
        return target.behind if target is not None else ()

    def state(self, id_: str) -> State:
        return view_of(self.states, id_).state


def ways(incident: Incident, inventory: Inventory, states: Mapping[str, Stated], words: Words) -> Ways:
    """The drawing of an incident. Of one that is over only what the inventory says today is known, not what was held then."""
    sight = _Sight(incident, inventory, states, words)
    nodes = {each.key: each for each in (*_fronts(sight), _root(sight), *_hurt(sight), *_others(sight))}
    return _draw(_ordered(nodes, incident.root), nodes, sight)


# -- what is drawn ---------------------------------------------------------------------------------------------------------


def _root(sight: _Sight) -> Node:
    incident = sight.incident
    if incident.shared is not None:  # no target is it: what they have in common is
        title = sight.words.place(incident.shared, sight.inventory)
        return Node(key=incident.root, place=Place.ROOT, title=title)
    parents = _among(_in_front(sight)[:MAX_FRONTS], incident.root, sight)
    return Node(key=incident.root, place=Place.ROOT, parents=parents, targets=(incident.root,))


def _in_front(sight: _Sight) -> list[str]:
    """What is in front of the root, the nearest first; what it hurts is behind it, also where a power cut took its way to us."""
    if sight.incident.shared is not None:
        return []
    found: dict[str, None] = {}
    queue = [sight.incident.root]
    for each in queue:
        new = [parent for parent in sight.behind(each) if parent not in found and parent not in sight.cut]
        found.update(dict.fromkeys(new))
        queue += new
    return list(found)


def _fronts(sight: _Sight) -> Iterable[Node]:
    shown = _in_front(sight)[:MAX_FRONTS]
    for each in shown:
        yield Node(key=each, place=Place.FRONT, parents=_among(shown, each, sight), targets=(each,))


def _among(shown: Sequence[str], target: str, sight: _Sight) -> tuple[str, ...]:
    return tuple(parent for parent in sight.behind(target) if parent in shown)


def _hurt(sight: _Sight) -> Iterable[Node]:
    """The impact, one by one, by site or by area."""
    incident = sight.incident
    impact = incident.impact if incident.shared is None else (incident.root, *incident.impact)
    if len(impact) > MAX_ROWS:
        yield from _grouped(impact, sight)
        return
    spared, _ = _spared(sight)
    for each in impact:
        cut = [parent for parent in sight.behind(each) if parent in sight.cut]
        first = [_key(parent, sight) for parent in sorted(cut, key=lambda one: one != incident.root)]
        # What works badly may hurt what is far behind it, and not yet what stands between.
        first = first or [parent for parent in sight.behind(each) if parent in spared] or [incident.root]
        others = [parent for parent in sight.behind(each) if parent not in sight.cut and parent not in first]
        parents = (*first, *others)
        yield Node(key=_key(each, sight), place=Place.BEHIND, parents=parents, targets=(each,))


def _key(target: str, sight: _Sight) -> str:
    """The first of those that have something in common gave the incident its root, but is one of the hurt."""
    return f"hurt:{target}" if sight.incident.shared is not None and target == sight.incident.root else target


def _grouped(impact: Sequence[str], sight: _Sight) -> Iterable[Node]:
    by_site: dict[str, list[str]] = {}
    for each in impact:
        by_site.setdefault(site_of(each), []).append(each)
    if len(by_site) <= MAX_ROWS:
        for site, targets in by_site.items():
            known = sight.inventory.sites.get(site)
            yield _group(site, known.name if known else site, targets, sight)
        return
    by_area: dict[str, list[str]] = {}
    for site, targets in by_site.items():
        known = sight.inventory.sites.get(site)
        by_area.setdefault(known.area if known else "", []).extend(targets)
    largest = sorted(by_area.items(), key=lambda item: -len(item[1]))
    phrases = PHRASES[sight.words.language]
    for area, targets in largest[: MAX_ROWS - 1]:
        yield _group(f"area:{area}", area or phrases["other_area"], targets, sight)
    if rest := largest[MAX_ROWS - 1 :]:
        many = tuple(target for _, targets in rest for target in targets)
        title = phrases["others"].format(count=len(rest))
        yield _group("area:rest", title, many, sight)


def _group(key: str, title: str, targets: Sequence[str], sight: _Sight) -> Node:
    sites = {site_of(each) for each in targets}
    count = sum(1 for each in sites if each in sight.inventory.sites and sight.inventory.sites[each].kind == COMMUNE)
    return Node(
        key=f"group:{key}", place=Place.BEHIND, parents=(sight.incident.root,), targets=tuple(targets), title=title,
        count=count if len(sites) > 1 else 0,
    )  # fmt: skip


def _spared(sight: _Sight) -> tuple[list[str], int]:
    """What is behind the cut too and still reached, as far as it is drawn, and how many more; known of an open incident only."""
    if not sight.is_open or sight.incident.shared is not None:
        return [], 0
    known = sight.cut.union(_in_front(sight))
    spared = [
        each.id
        for each in sight.inventory.targets.values()
        if each.id not in known and any(parent in sight.cut for parent in each.behind)
    ]
    few = len(sight.incident.impact) <= MAX_ROWS and len(spared) <= MAX_BESIDE
    return (spared, 0) if few else ([], len(spared))


def _others(sight: _Sight) -> Iterable[Node]:
    """What is behind the cut too and still reached, and by what; only of an open incident is that known."""
    incident = sight.incident
    if not sight.is_open or incident.shared is not None:
        return
    known = sight.cut.union(_in_front(sight))
    shown, more = _spared(sight)
    for each in shown:
        lost = [parent for parent in sight.behind(each) if parent in sight.cut]
        left = [parent for parent in sight.behind(each) if parent not in sight.cut]
        first = sorted(lost, key=lambda one: one != incident.root)
        yield Node(key=each, place=Place.SPARED, parents=(*first, *left), targets=(each,))
    if len(incident.impact) <= MAX_ROWS:
        doubled = [each for each in incident.impact if any(parent in sight.cut for parent in sight.behind(each))]
        ways_in = [parent for each in (*shown, *doubled) for parent in sight.behind(each)]
        beside = dict.fromkeys(each for each in ways_in if each not in known and each not in shown)
        for each in list(beside)[:MAX_BESIDE]:
            yield Node(key=each, place=Place.BESIDE, targets=(each,))
    if more:
        yield Node(key="rest", place=Place.REST, parents=(incident.root,), count=more)


# -- where it is drawn ---------------------------------------------------------------------------------------------------


def _ordered(nodes: Mapping[str, Node], root: str) -> list[tuple[Node, int]]:
    """The rows from the top down, each with its depth: in front, other ways, the root, and what is behind it."""
    below: dict[str, list[Node]] = {}
    tops: list[Node] = []
    for node in nodes.values():
        parent = next((each for each in node.parents if each in nodes), None)
        if parent is not None and node.place is not Place.BESIDE:
            below.setdefault(parent, []).append(node)
        else:
            tops.append(node)
    found: list[tuple[Node, int]] = []

    def put(node: Node, depth: int) -> None:
        if node.key == root:
            found.extend((each, depth) for each in tops if each.place is Place.BESIDE)
        found.append((node, depth))
        for each in sorted(below.get(node.key, ()), key=lambda one: (one.key == root, one.place is Place.BEHIND)):
            put(each, depth + 1)

    for node in tops:
        if node.place is not Place.BESIDE:
            put(node, 0)
    return found


def _draw(ordered: Sequence[tuple[Node, int]], nodes: Mapping[str, Node], sight: _Sight) -> Ways:
    rows: dict[str, Row] = {}
    at = 2.0
    for node, depth in ordered:
        x = 2.0 + INDENT * min(depth, MAX_DEPTH)
        height = ROOT_ROW if node.place is Place.ROOT else ROW
        titles = tuple(_title(nodes[each], sight) for each in node.parents if each in nodes)
        rows[node.key] = _row(node, titles, x, at, height, sight)
        at += height + GAP
    lines, ways_round = [], 0
    for node, _ in ordered:
        parents = [each for each in node.parents if each in rows]
        if parents and node.place is not Place.BESIDE:
            cut = nodes[parents[0]].place in (Place.ROOT, Place.BEHIND) and sight.incident.state is not State.DEGRADED
            lines.append(("cut" if cut else "way", _elbow(rows[parents[0]], rows[node.key])))
        for other in parents[1:]:
            works = sight.is_open and sight.state(other) in (State.UP, State.DEGRADED)
            lines.append(("other" if works else "cut", _round(rows[other], rows[node.key], ways_round)))
            ways_round += 1
    left_out = max(0, len(_in_front(sight)) - MAX_FRONTS)
    return Ways(rows=tuple(rows.values()), lines=tuple(lines), width=WIDTH, height=at, left_out=left_out)


def _elbow(parent: Row, child: Row) -> str:
    """Down from below the parent's left end, and right to the child."""
    return f"M{parent.x + 7:g} {parent.y + parent.height:g}V{child.y + child.height / 2:g}H{child.x:g}"


def _round(parent: Row, child: Row, number: int) -> str:
    """From right end to right end, beside the ways before."""
    edge = WIDTH - EDGE + 6 + 5 * (number % 4)
    return (
        f"M{parent.x + parent.width:g} {parent.y + parent.height / 2:g}H{edge}"
        f"V{child.y + child.height / 2:g}H{child.x + child.width:g}"
    )


# -- what it says --------------------------------------------------------------------------------------------------------


def _row(node: Node, behind: tuple[str, ...], x: float, y: float, height: float, sight: _Sight) -> Row:
    level, sign, says = _said(node, sight)
    width = WIDTH - EDGE - x
    alone = node.targets[0] if len(node.targets) == 1 else ""
    site = site_of(alone) if alone else node.key.removeprefix("group:")
    return Row(
        place=node.place, level=level, sign=sign, title=_title(node, sight), says=says,
        site=site if site in sight.inventory.sites else "", behind=behind, x=x, y=y, width=width, height=height,
    )  # fmt: skip


def fitting(text: str, row: Row, letter: float = LETTER) -> str:
    """A line of a row, cut to its width."""
    return clip(text, int((row.width - (34 if row.sign else 17)) / letter))


def _title(node: Node, sight: _Sight) -> str:
    if node.title:
        return node.title
    if node.place is Place.REST:
        return PHRASES[sight.words.language]["many_spared"].format(count=node.count)
    (id_,) = node.targets
    return sight.words.name(sight.target(id_), id_)


def _said(node: Node, sight: _Sight) -> tuple[str, State | None, str]:
    """Colour, sign and second line of a row."""
    words, phrases, incident = sight.words, PHRASES[sight.words.language], sight.incident
    if node.place is Place.REST:
        return State.UP.value, State.UP, words.states[State.UP]
    if node.place is Place.ROOT:
        told = f"{words.states[incident.state]} {words.hour(incident.began)}"
        return incident.state.value, incident.state, _at(node, told, sight)
    if node.title:
        return _said_of_many(node, sight)
    (id_,) = node.targets
    if id_ not in sight.inventory.targets:
        return State.UNKNOWN.value, State.UNKNOWN, phrases["gone"]
    tag = phrases[TAGS[node.place]] if node.place in TAGS else ""
    if not sight.is_open:
        return "plain", None, _at(node, phrases["hurt_then" if node.place is Place.BEHIND else "front"], sight)
    state = sight.state(id_)
    said = words.states[state]
    return state.value, state, _at(node, f"{said} ({tag})" if tag else said, sight)


def _at(node: Node, said: str, sight: _Sight) -> str:
    """With its place, where that is not the root's, and no group's."""
    site = sight.inventory.sites.get(site_of(node.targets[0])) if len(node.targets) == 1 else None
    here = site_of(sight.incident.root) if sight.incident.shared is None and node.place is not Place.ROOT else ""
    if site is None or site.id == here:
        return said
    return f"{said} · {site.name}"


def _said_of_many(node: Node, sight: _Sight) -> tuple[str, State | None, str]:
    words, phrases = sight.words, PHRASES[sight.words.language]
    told = [phrases["communes"].format(count=node.count)] if node.count else []
    told.append(phrases["targets"].format(count=len(node.targets)))
    if not sight.is_open:
        return "plain", None, ", ".join((*told, phrases["hurt_then"]))
    counted = Counter(sight.state(each) for each in node.targets)
    worst = min(counted, key=RANK.__getitem__)
    if len(counted) == 1:
        told.append(words.states[worst].lower())
    else:
        told[-1] = ", ".join(f"{words.states[each].lower()} {counted[each]}" for each in WORST_FIRST if counted[each])
    return worst.value, worst, ", ".join(told)
