"""Pure: which profile fits a piece of equipment that nobody has written down yet."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.core.model import Profile

NO_FIT = (0, 0)


def best_profiles(
    profiles: Iterable[Profile], *, object_id: str = "", description: str = "", kind: str = ""
) -> tuple[str, ...]:
    """Ids of those that fit best, in order of the alphabet: none when none fits, several when they are alike.

    `object_id` is its sysObjectID with dots, `description` its sysDescr or model; with `kind` only profiles of that kind are
    looked at. What is not known is "".
    """
    text = description.casefold()
    how_well = {each.id: _how_well(each, object_id, text) for each in profiles if kind in ("", each.kind)}
    best = max(how_well.values(), default=NO_FIT)
    return () if best == NO_FIT else tuple(sorted(name for name, each in how_well.items() if each == best))


def _how_well(profile: Profile, object_id: str, text: str) -> tuple[int, int]:
    """Length of the longest object id that fits, and of the longest part of the description."""
    below = max((len(each) for each in profile.object_ids if f"{object_id}.".startswith(f"{each}.")), default=0)
    said = max((len(each) for each in profile.descriptions if each.casefold() in text), default=0)
    # Other systems often tell the model alone: then it decides without the object id.
    lacks_id = bool(profile.object_ids and not below and (object_id or not said))
    return NO_FIT if lacks_id or (profile.descriptions and not said) else (below, said)
