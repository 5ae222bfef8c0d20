"""Pure: what can be chosen in a cell, and what people may call it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from monitor.exchange.kinds import words_of
from monitor.exchange.places import fold
from monitor.exchange.written import Body, Written


def lists(written: Written) -> dict[str, list[str]]:
    """What can be chosen, for the drop-downs."""
    return {
        "providers": sorted(written.providers), "profiles": sorted(_of_devices(written)),
        "templates": sorted(written.templates), "sites": list(written.sites),
    }  # fmt: skip


def called(written: Written) -> dict[str, dict[str, str]]:
    """Of each list whose entries have names too, ids by all that people may call them."""
    profiles = _of_devices(written)
    names: dict[str, list[tuple[str, str]]] = {
        "providers": [(str(each.get("name", "")), id_) for id_, each in written.providers.items()],
        "profiles": [
            (name, id_)
            for id_ in profiles
            for name in {*map(fold, (profiles[id_].get("label") or {}).values()), *words_of(id_)}
        ],
        "templates": [],
    }
    ids: dict[str, Mapping[str, object]] = {
        "providers": written.providers, "profiles": profiles, "templates": written.templates,
    }  # fmt: skip
    found = {}
    for name, pairs in names.items():
        times = Counter(fold(text) for text, _ in pairs)
        found[name] = {fold(text): id_ for text, id_ in pairs if times[fold(text)] == 1} | {
            fold(id_): id_ for id_ in ids[name]
        }
    return found


def _of_devices(written: Written) -> dict[str, Body]:
    """Profiles without those of a kind that only lines or services have."""
    tables: dict[str, set[str]] = defaultdict(set)
    for table in ("links", "devices", "services"):
        for profile in set(written.profiles_of(table)):
            tables[str(written.profile(profile).get("kind"))].add(table)
    whole = {id_: written.profile(id_) for id_ in written.profiles}
    return {id_: each for id_, each in whole.items() if tables.get(str(each.get("kind")), {"devices"}) & {"devices"}}
