"""PURE: all sites at a glance, of a nation as of a province; made beside the event loop, for a nation has 66,000 targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitor.core.model import Inventory, Site, State, Target
from monitor.web.overview import (
    COMMUNE,
    HURT,
    RANK,
    WORST_FIRST,
    Ground,
    Map,
    Member,
    SiteView,
    backbone,
    by_area,
    central_services,
    communes,
    count_states,
    draw_map,
    ground_of,
    one_of,
    site_of,
)
from monitor.web.view import Stated

MANY = 600
"""Communes; of more only those that are not well have tiles, and each area a page with all of its own."""
MAX_TILES = 12
"""Of an area of many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Atlas:
    """What of an inventory no state changes."""

    inventory: Inventory
    members: Mapping[str, Sequence[Target]]
    """By site."""
    areas: Mapping[str, Sequence[Site]]
    """The communes."""
    ground: Ground


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """The communes of an area; `shown` have tiles, and `more` are not well either."""

    name: str
    total: int
    counts: Mapping[State, int]
    shown: Sequence[SiteView]
    more: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What pages of the whole show of the states."""

    counts: Mapping[State, int]
    communes: int
    areas: Sequence[Area]
    many: bool
    """Only tiles of what is not well are shown."""
    map: Map
    services: Sequence[Member]
    backbone: Sequence[SiteView]

    @property
    def hurt(self) -> int:
        """Communes that are down, cut off or degraded."""
        return sum(self.counts[each] for each in HURT)


def atlas_of(inventory: Inventory) -> Atlas:
    """Made once of an inventory."""
    members: dict[str, list[Target]] = {site: [] for site in inventory.sites}
    for target in inventory.targets.values():
        members[target.site].append(target)
    areas: dict[str, list[Site]] = {}
    for site in inventory.sites.values():
        if site.kind == COMMUNE:
            areas.setdefault(site.area, []).append(site)
    return Atlas(inventory=inventory, members=members, areas=areas, ground=ground_of(inventory.sites.values()))


def glance(atlas: Atlas, held: Mapping[str, Stated]) -> Glance:
    """All sites as they are held; of communes nothing but their state is looked at."""
    sites = list(_sites(atlas, held))
    ours = communes(sites)
    many = len(ours) > MANY
    return Glance(
        counts=count_states(ours),
        communes=len(ours),
        areas=[area(name, those, many=many) for name, those in by_area(ours).items()],
        many=many,
        map=draw_map(sites, atlas.ground),
        services=central_services(sites),
        backbone=backbone(sites),
    )


def area(name: str, sites: Sequence[SiteView], *, many: bool) -> Area:
    """With the tiles of all, or (`many`) of the worst that are not well."""
    counts = count_states(sites)
    if not many:
        return Area(name=name, total=len(sites), counts=counts, shown=sites, more=0)
    hurt = sorted((each for each in sites if each.state is not State.UP), key=lambda each: RANK[each.state])
    return Area(name=name, total=len(sites), counts=counts, shown=hurt[:MAX_TILES], more=max(0, len(hurt) - MAX_TILES))


def area_of(atlas: Atlas, held: Mapping[str, Stated], name: str) -> Area | None:
    """All communes of an area; None when there is none."""
    sites = atlas.areas.get(name)
    return area(name, [one_of(each, atlas.members[each.id], held, {}) for each in sites], many=False) if sites else None


def _sites(atlas: Atlas, held: Mapping[str, Stated]) -> Iterator[SiteView]:
    ill = [(site_of(id_), each.state) for id_, each in held.items() if each.state is not State.UP]
    if len(held) < len(atlas.inventory.targets):
        ill += [(each.site, State.UNKNOWN) for each in atlas.inventory.targets.values() if each.id not in held]
    found = set(ill)
    worst = {site: state for state in reversed(WORST_FIRST) for site, one in found if one is state}
    for site in atlas.inventory.sites.values():
        members = atlas.members[site.id]
        if site.kind != COMMUNE:
            yield one_of(site, members, held, atlas.inventory.providers)
        else:
            well = State.UP if members else State.UNKNOWN
            yield SiteView(site=site, state=worst.get(site.id, well), members=())
