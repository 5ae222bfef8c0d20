"""What do those that failed together have in common that the inventory does not name as a target?

Of all that a failed target has in common with others of its kind (provider, area, model, what it is behind, and pairs of these),
the one that divides best between those that failed and those that did not: nearly all that have it failed, hardly any other.
How unlikely that is by chance says the upper tail of the hypergeometric distribution (R. A. Fisher's exact test, one-sided).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import combinations
from math import comb

from monitor.core.model import Common, Inventory, Shared, Target

LEAST = 3
"""Two that fail together are a coincidence now and then."""
SHARE_WITH = 0.8
"""Part of those with the common thing that must have failed: some may have another way, or not be sure yet."""
SHARE_WITHOUT = 0.05
"""Part of the others that may have failed at the same time for reasons of their own."""
LIKELIHOOD = 1e-4
"""Chance at most that as many failures fall together by themselves."""


def traits(target: Target, inventory: Inventory) -> dict[str, str]:
    """What a target may have in common with others of its kind, in the order of telling."""
    site = inventory.sites.get(target.site)
    found = {"provider": target.provider, "area": site.area if site else "", "model": target.model}
    found["behind"] = target.behind[0] if len(target.behind) == 1 else ""
    return {name: value for name, value in found.items() if value}


def has(target: Target, inventory: Inventory, shared: Shared) -> bool:
    """Whether a target has what those that failed have in common."""
    return target.kind == shared.kind and dict(shared.by).items() <= traits(target, inventory).items()


def is_behind(shared: Shared | None, front: str) -> bool:
    """Whether what those that failed have in common is that they are behind `front`."""
    return shared is not None and ("behind", front) in shared.by


def compare(
    failed: Target, inventory: Inventory, alike: Iterable[Target], has_failed: Callable[[Target], bool]
) -> list[Common]:
    """All that `failed` has in common with those of its kind, with the numbers; nothing when too few failed with it."""
    judged = [(each, has_failed(each)) for each in alike]
    all_failed = sum(bad for _, bad in judged)
    if all_failed < LEAST:
        return []
    kin = [(traits(each, inventory), bad) for each, bad in judged]
    own = traits(failed, inventory)
    # What all of the kind have makes nothing narrower.
    telling = [each for each in own.items() if any(known.get(each[0]) != each[1] for known, _ in kin)]
    found = []
    for by in (*combinations(own.items(), 1), *combinations(telling, 2)):
        with_it = [bad for known, bad in kin if dict(by).items() <= known.items()]
        hurt, of, rest = sum(with_it), len(with_it), len(kin) - len(with_it)
        elsewhere = all_failed - hurt
        shared = Shared(kind=failed.kind, by=by, hurt=hurt, of=of, elsewhere=elsewhere, others=rest)
        chance = None
        if hurt < LEAST:
            because = "few"
        elif hurt < SHARE_WITH * of:
            because = "others-well"
        elif elsewhere > SHARE_WITHOUT * rest:
            because = "elsewhere"
        else:
            # With nobody else to compare with, chance says nothing: all of a kind failed.
            chance = _tail(len(kin), all_failed, of, hurt)
            because = "fits" if chance <= LIKELIHOOD or not rest else "chance"
        found.append(Common(shared=shared, because=because, chance=chance))
    return found


def most_likely(commons: Iterable[Common]) -> Shared | None:
    """What they most likely failed of together: the least likely by chance, of equals the narrower, for it says more."""
    fitting = [each for each in commons if each.because == "fits"]
    return min(fitting, key=lambda each: (each.chance, -len(each.shared.by))).shared if fitting else None


def _tail(size: int, bad: int, drawn: int, hurt: int) -> float:
    """Chance that of `drawn` among `size`, `bad` of which failed, `hurt` or more have failed."""
    ways = sum(comb(bad, each) * comb(size - bad, drawn - each) for each in range(hurt, min(bad, drawn) + 1))
    return ways / comb(size, drawn)
