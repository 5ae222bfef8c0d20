"""Silences and planned work on the board and in the API: what they are about."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from monitor.core.model import Inventory, Silence
from monitor.core.planned import Work
from monitor.web.api import Json, Query, page
from monitor.web.glance import Atlas
from monitor.web.overview import site_of
from monitor.web.view import View
from monitor.web.words import Words, machine_time

MAX_THINGS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """Something that is silenced or worked at."""

    name: str
    path: str
    """Its page; the province's for what has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Things:
    """As many as a card can show."""

    shown: Sequence[Thing]
    more: int


def told_silence(silence: Silence, inventory: Inventory, words: Words) -> Things:
    """What it is about, even when that has left the inventory."""
    site = inventory.sites.get(silence.site or site_of(silence.target))
    path = f"/sites/{quote(site.id)}" if site else "/"
    if silence.target:
        return Things(shown=[Thing(name=_target(silence.target, inventory, words), path=path)], more=0)
    provider = inventory.providers.get(silence.provider)
    name = site.name if site else silence.site or silence.area or (provider.name if provider else silence.provider)
    return Things(shown=[Thing(name=name, path=path)], more=0)


def told_work(work: Work, atlas: Atlas, words: Words) -> Things:
    """What it is about: a site with all its targets is told once, and so are many targets of one kind."""
    inventory = atlas.inventory
    known = [inventory.targets[each] for each in work.targets if each in inventory.targets]
    if len(work.targets) > MAX_THINGS and len({each.kind for each in known}) == 1:
        name = f"{words.name(known[0])}: {words.many(len(work.targets), 'thing')}"
        return Things(shown=[Thing(name=name, path="/")], more=0)
    by_site: dict[str, set[str]] = {}
    for target in work.targets:
        by_site.setdefault(site_of(target), set()).add(target)
    things = []
    for site, targets in sorted(by_site.items()):
        path = f"/sites/{quote(site)}" if site in inventory.sites else "/"
        if site in inventory.sites and targets.issuperset(each.id for each in atlas.members[site]):
            things.append(Thing(name=inventory.sites[site].name, path=path))
        else:
            things += [Thing(name=_target(id_, inventory, words), path=path) for id_ in sorted(targets)]
    return Things(shown=things[:MAX_THINGS], more=len(things[MAX_THINGS:]))


def _target(id_: str, inventory: Inventory, words: Words) -> str:
    target = inventory.targets.get(id_)
    return words.at_place(target, inventory) if target else id_


def silences(view: View, pairs: Collection[tuple[str, str]]) -> Json:
    """Answer of /api/v1/silences."""
    found, rest = page(list(view.silences()), Query(pairs, ("limit", "offset")))
    return {"silences": [silence_json(each) for each in found], **rest}


def maintenance(view: View, pairs: Collection[tuple[str, str]]) -> Json:
    """Answer of /api/v1/maintenance."""
    found, rest = page(list(view.works()), Query(pairs, ("limit", "offset")))
    return {"maintenance": [work_json(each) for each in found], **rest}


def silence_json(silence: Silence) -> Json:
    """One silence; exactly one of the four is not null."""
    return {
        "id": silence.id,
        "target": silence.target or None,
        "site": silence.site or None,
        "area": silence.area or None,
        "provider": silence.provider or None,
        "begins": machine_time(silence.begins),
        "ends": machine_time(silence.ends),
        "reason": silence.reason,
        "by": silence.by,
    }


def work_json(work: Work) -> Json:
    """One time of planned work."""
    return {
        "targets": sorted(work.targets),
        "begins": machine_time(work.window.begins),
        "ends": machine_time(work.window.ends),
        "reason": work.window.reason,
    }
