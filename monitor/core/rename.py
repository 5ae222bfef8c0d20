"""What goes on under another id: a site, line, device or service that says which ids it formerly had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from monitor.core.model import Check, Incident, Inventory, Silence, Site, StateChange, Target

Names = Mapping[str, str]
"""The present id by the former one."""


def renamed_targets(before: Inventory, after: Inventory) -> Names:
    """Targets that a new inventory has under another id than the one before."""
    return _renamed(before.targets, after.targets)


def renamed_sites(before: Inventory, after: Inventory) -> Names:
    """The same of sites. Where several became one, the first that is named is the one that goes on."""
    return _renamed(before.sites, after.sites)


def _renamed(before: Mapping[str, object], after: Mapping[str, Target] | Mapping[str, Site]) -> Names:
    found: dict[str, str] = {}
    for id_, each in after.items():
        if id_ not in before:
            gone = (old for old in each.formerly if old in before and old not in after and old not in found)
            if (old := next(gone, None)) is not None:
                found[old] = id_
    return found


def check_id(id_: str, names: Names) -> str:
    """A check's id with its target's present one."""
    target, hash_, name = id_.partition("#")
    return f"{names.get(target, target)}{hash_}{name}"


def check_as(check: Check, names: Names) -> Check:
    """The same check of a target with another id."""
    if check.target not in names:
        return check
    return replace(check, id=check_id(check.id, names), target=names[check.target])


def target_as(target: Target, names: Names) -> Target:
    """The same target under its present id, behind others under theirs."""
    id_ = names.get(target.id, target.id)
    site, _, name = id_.partition("/")
    return replace(
        target, id=id_, site=site, name=name,
        behind=tuple(names.get(each, each) for each in target.behind),
        checks=tuple(check_as(each, names) for each in target.checks),
    )  # fmt: skip


def change_as(change: StateChange, names: Names) -> StateChange:
    """The same change of a target with another id."""
    return replace(change, target=names.get(change.target, change.target), check=check_id(change.check, names))


def incident_as(incident: Incident, names: Names) -> Incident:
    """The same incident of targets with other ids; its own id stays, for threads of mail and addresses hang on it."""
    shared, weight = incident.shared, incident.weight
    if shared is not None:
        by = tuple((trait, names.get(value, value) if trait == "behind" else value) for trait, value in shared.by)
        shared = replace(shared, by=by)
    if weight is not None:
        weight = replace(weight, target=names.get(weight.target, weight.target))
    meetings = tuple(
        replace(each, rooms=tuple(names.get(room, room) for room in each.rooms)) for each in incident.meetings
    )
    dark = tuple(each._replace(targets=tuple(names.get(one, one) for one in each.targets)) for each in incident.dark)
    return replace(
        incident, root=names.get(incident.root, incident.root), dark=dark,
        impact=tuple(names.get(each, each) for each in incident.impact), shared=shared, weight=weight, meetings=meetings,
    )  # fmt: skip


def silence_as(silence: Silence, inventory: Inventory) -> Silence:
    """A silence about what now has another id."""
    targets = {old: each.id for each in inventory.targets.values() for old in each.formerly}
    sites = {old: each.id for each in inventory.sites.values() for old in each.formerly}
    target, site = targets.get(silence.target, silence.target), sites.get(silence.site, silence.site)
    return replace(silence, target=target, site=site)
