"""Pure: from inventory, states and incidents to what a page shows: sites by their worst state, places on the map."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import fmean
from typing import overload

from monitor.core.advice import about, called_about
from monitor.core.life import Life
from monitor.core.model import Cause, Incident, Inventory, Provider, Role, Site, State, Target
from monitor.core.severity import RANK as SEVERITY_RANK
from monitor.core.words import VI, Words
from monitor.web.view import UNSEEN, Stated, TargetView, View

COMMUNE = "commune"
WORST_FIRST = (State.DOWN, State.UNREACHABLE, State.DEGRADED, State.UNKNOWN, State.UP)
"""What a site shows of its targets: trouble that we know of before what we do not know."""
RANK = {state: rank for rank, state in enumerate(WORST_FIRST)}
HURT = frozenset({State.DOWN, State.UNREACHABLE, State.DEGRADED})

MAP_WIDTH = 600.0
MAP_MARGIN = 14.0
MAP_MAX_HEIGHT = 900.0
DOT = 6.0
"""Half the size of a place on the map, with a little air."""
LETTER_WIDTH, LETTER_ABOVE, LETTER_BELOW = 7.6, 10.4, 3.9
"""Of the font of the area names: mean width, and reach from the base line."""
NUDGES = sorted(
    ((across, down) for across in range(-64, 65, 8) for down in range(-36, 37, 4)), key=lambda by: math.hypot(*by)
)
"""Where an area's name may go from the middle, the nearest first."""
MAX_LOOKS = 10_000
"""Areas times places (a province: 2,838 in 8 ms, once); with more there is no room, and no time to look for it."""
MANY_PLACES = 600
"""More are not drawn one by one: a nation of 3,321 would be a blot of 370 kB, …"""
MAX_PLACES = 200
"""… but only those that are not well, while there are no more than this."""
DOT_GRID = 3
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""

# Only the words that tell nothing on a tile; the full name is on the site's page.
TITLES = ("Phường ", "Xã ", "Đặc khu ", "Thành phố ", "Thị xã ", "Huyện ")
NAME_LENGTH = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A target with how it is held."""

    target: Target
    view: TargetView
    provider: Provider | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteView:
    """A site with its targets, worst first."""

    site: Site
    state: State
    members: tuple[Member, ...]

    @property
    def hurt(self) -> tuple[Member, ...]:
        """Targets that are not well, as far as we know."""
        return tuple(member for member in self.members if member.view.state in HURT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A site on the map; x and y in units of the drawing, y downwards."""

    site: SiteView
    x: float
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """The name of an area in the middle of its communes."""

    area: str
    x: float
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """Places in drawing order: the worst come last and so on top."""

    width: float
    height: float
    places: tuple[Place, ...]
    labels: tuple[Label, ...] = ()
    dots: Mapping[State, str] = field(default_factory=dict)
    """Path data of what is one of too many to be a place; drawn below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where sites are on the map, whatever their state."""

    height: float
    at: Mapping[str, tuple[float, float]]
    """By site."""
    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An incident with what the inventory knows about its root; what has left the inventory is None."""

    incident: Incident
    site: Site | None
    target: Target | None
    provider: Provider | None
    communes: int
    """Communes among the hurt, that of the root included."""
    call: str
    """Whom to call, one line with a number; empty: nobody is known."""
    circuit: str
    """Which a provider asks for; else empty."""


def short_name(name: str) -> str:
    """A commune's or area's name without its title, for a tile or the map."""
    for title in TITLES:
        name = name.removeprefix(title)
    return name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 1] + "…"


@overload
def view_of(states: Mapping[str, TargetView], target: str) -> TargetView: ...


@overload
def view_of(states: Mapping[str, Stated], target: str) -> Stated: ...


def view_of(states: Mapping[str, Stated], target: str) -> Stated:
    """How a target is held; unknown when the daemon says nothing about it."""
    return states.get(target, UNSEEN)


def one_of(
    site: Site, targets: Sequence[Target], held: Mapping[str, Stated], providers: Mapping[str, Provider]
) -> SiteView:
    """A site with these targets; of those of which only the state is given, no more is known."""
    members = [
        Member(target=each, view=_seen(held.get(each.id)), provider=providers.get(each.provider)) for each in targets
    ]
    return _site_view(site, members)


def _seen(held: Stated | None) -> TargetView:
    if held is None:
        return UNSEEN
    return held if isinstance(held, TargetView) else TargetView(state=held.state)


def _site_view(site: Site, members: list[Member]) -> SiteView:
    members.sort(key=lambda member: RANK[member.view.state])
    worst = members[0].view.state if members else State.UNKNOWN
    return SiteView(site=site, state=worst, members=tuple(members))


def communes(sites: Iterable[SiteView]) -> list[SiteView]:
    """The communes and wards among the sites."""
    return [site for site in sites if site.site.kind == COMMUNE]


def count_states(sites: Iterable[SiteView]) -> dict[State, int]:
    """How many sites there are of each state, worst first, zeroes included."""
    counted = Counter(site.state for site in sites)
    return {state: counted[state] for state in WORST_FIRST}


def by_area(sites: Iterable[SiteView]) -> dict[str, list[SiteView]]:
    """Sites by area, both in the order of the inventory; those without an area come last."""
    areas: dict[str, list[SiteView]] = {}
    for site in sites:
        areas.setdefault(site.site.area, []).append(site)
    rest = areas.pop("", [])
    return areas | ({"": rest} if rest else {})


def central_services(sites: Iterable[SiteView]) -> list[Member]:
    """Services that belong to no single commune, in the order of the inventory's names."""
    found = [
        member
        for site in sites
        if site.site.kind != COMMUNE
        for member in site.members
        if member.target.role is Role.SERVICE
    ]
    return sorted(found, key=lambda member: member.target.id)


def backbone(sites: Iterable[SiteView]) -> list[SiteView]:
    """Sites that are no communes, judged by their links and devices only: their services have a row of their own."""
    found = []
    for site in sites:
        if site.site.kind != COMMUNE:
            members = [member for member in site.members if member.target.role is not Role.SERVICE]
            if members:
                found.append(_site_view(site.site, members))
    return found


def ground_of(sites: Iterable[Site]) -> Ground:
    """An equirectangular projection, true to scale at the middle latitude; empty when nothing has a place."""
    placed = [
        (site, latitude, longitude)
        for site in sites
        if _on_earth(latitude := site.latitude, longitude := site.longitude)
        and latitude is not None
        and longitude is not None
    ]
    if not placed:
        return Ground(height=0.0, at={}, labels=())
    north, south = max(lat for _, lat, _ in placed), min(lat for _, lat, _ in placed)
    west, east = min(lon for *_, lon in placed), max(lon for *_, lon in placed)
    squeeze = math.cos(math.radians((north + south) / 2))
    inside = MAP_WIDTH - 2 * MAP_MARGIN
    scale = min(
        inside / max((east - west) * squeeze, 1e-3), (MAP_MAX_HEIGHT - 2 * MAP_MARGIN) / max(north - south, 1e-3)
    )
    at = {
        site.id: (
            round(MAP_WIDTH / 2 + (lon - (east + west) / 2) * squeeze * scale, 1),
            round(MAP_MARGIN + (north - lat) * scale, 1),
        )
        for site, lat, lon in placed
    }
    # A name stands in the middle of its communes, or as near to it as it covers no place and no other name.
    labels = _labels_of(tuple(sorted((site.area, *at[site.id]) for site, *_ in placed)))
    return Ground(height=round((north - south) * scale + 2 * MAP_MARGIN, 1), at=at, labels=labels)


def draw_map(sites: Iterable[SiteView], ground: Ground | None = None) -> Map:
    """Places, and of too many those that are not well, while the others are dots; `ground` is known, or found."""
    sites = list(sites)
    ground = ground or ground_of(each.site for each in sites)
    shown = [each for each in sites if each.site.id in ground.at]
    shown.sort(key=lambda each: RANK[each.state])
    rest: list[SiteView] = []
    if len(shown) > MANY_PLACES:
        ill = sum(each.state is not State.UP for each in shown)
        single = ill if ill <= MAX_PLACES else 0  # some of them alone would look as if they were all
        shown, rest = shown[:single], shown[single:]
    places = [Place(site=each, x=x, y=y) for each in reversed(shown) for x, y in [ground.at[each.site.id]]]
    return Map(
        width=MAP_WIDTH, height=ground.height, places=tuple(places), labels=ground.labels, dots=_dots(rest, ground)
    )


def _dots(sites: Iterable[SiteView], ground: Ground) -> dict[State, str]:
    """One path a state, the worst last: lines without length and with ends; dots that would cover each other are one."""
    found: dict[State, set[tuple[int, int]]] = {}
    for each in sites:
        x, y = ground.at[each.site.id]
        found.setdefault(each.state, set()).add((round(x / DOT_GRID) * DOT_GRID, round(y / DOT_GRID) * DOT_GRID))
    return {
        state: "".join(f"M{x} {y}h0" for x, y in sorted(found[state]))
        for state in reversed(WORST_FIRST)
        if state in found
    }


@lru_cache(maxsize=8)
def _labels_of(places: tuple[tuple[str, float, float], ...]) -> tuple[Label, ...]:
    """The same of area and place: no state moves a name, so that it is looked for once."""
    areas: dict[str, list[tuple[float, float]]] = {}
    for area, *at in places:
        if area:
            areas.setdefault(area, []).append((at[0], at[1]))
    low, high = -math.inf, math.inf
    bottom = max((y for *_, y in places), default=0.0) + MAP_MARGIN
    outside = [(low, low, high, 0), (low, bottom, high, high), (low, low, 0, high), (MAP_WIDTH, low, high, high)]
    taken = [*outside, *((x - DOT, y - DOT, x + DOT, y + DOT) for _, x, y in places)]
    labels = []
    nudges: Sequence[tuple[int, int]] = NUDGES
    if len(areas) * len(places) > MAX_LOOKS:
        taken, nudges = outside, [(0, 0)]  # names may stand on places, but those on each other nobody can read
    for area, those in areas.items():
        x, y = (fmean(each) for each in zip(*those, strict=True))
        spots = ((x + across, y + down) for across, down in nudges)
        free = (spot for spot in spots if not _covers(_box(short_name(area), *spot), taken))
        spot = next(free, (x, y) if nudges is NUDGES else None)
        if spot is None:
            continue
        x, y = spot
        taken.append(_box(short_name(area), x, y))
        labels.append(Label(area=area, x=round(x, 1), y=round(y, 1)))
    return tuple(labels)


def _box(text: str, x: float, y: float) -> Box:
    half = len(text) * LETTER_WIDTH / 2
    return x - half, y - LETTER_ABOVE, x + half, y + LETTER_BELOW


def _covers(box: Box, others: Iterable[Box]) -> bool:
    left, top, right, bottom = box
    return any(left < each[2] and each[0] < right and top < each[3] and each[1] < bottom for each in others)


def _on_earth(latitude: float | None, longitude: float | None) -> bool:
    return latitude is not None and longitude is not None and abs(latitude) <= 90 and abs(longitude) <= 180


def known_incident(view: View, incident: str, life: Life | None) -> Incident | None:
    """The incident as it is now, else as it was written; None when there is none."""
    now = next((each for each in view.incidents() if each.id == incident), None)
    return now or (life.incident if life is not None else None)


def case_of(incident: Incident, inventory: Inventory, words: Words = VI) -> Case:
    """An incident with what the inventory knows about its root."""
    target, site = about(incident, inventory, words)
    hurt = _sites_of(incident.impact) | {site_of(incident.root)}
    call, circuit = called_about(incident, inventory)
    return Case(
        incident=incident,
        site=site or inventory.sites.get(site_of(incident.root)),
        target=target,
        provider=inventory.providers.get(target.provider) if target else None,
        communes=sum(1 for site in hurt if site in inventory.sites and inventory.sites[site].kind == COMMUNE),
        call=call,
        circuit=circuit,
    )


def site_of(target: str) -> str:
    """The site part of a target id, which also holds when the target has left the inventory."""
    return target.partition("/")[0]


@lru_cache(maxsize=64)
def _sites_of(targets: tuple[str, ...]) -> frozenset[str]:
    """Kept: an incident that hurts a nation's 66,000 targets is looked at with each page."""
    return frozenset(map(site_of, targets))


def is_blind(incidents: Iterable[Incident]) -> bool:
    """Whether our own way out is gone, so that nothing is known of anybody."""
    return any(each.closed is None and each.cause is Cause.VANTAGE for each in incidents)


def open_cases(incidents: Sequence[Incident], inventory: Inventory, words: Words, most: int) -> list[Case]:
    """Open incidents: by severity and state, what all share before single communes, then by impact, then the newest."""

    def order(incident: Incident) -> tuple[object, ...]:
        site = inventory.sites.get(site_of(incident.root))
        return (
            -SEVERITY_RANK[incident.severity],
            RANK[incident.state],
            site is not None and site.kind == COMMUNE,
            -len(incident.impact),
            -incident.opened.timestamp(),
        )

    found = sorted((each for each in incidents if each.closed is None), key=order)
    return [case_of(each, inventory, words) for each in found[:most]]
