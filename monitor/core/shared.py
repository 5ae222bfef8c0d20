"""What do those that failed together have in common that the inventory does not name as a target?

Of all that a failed target has in common with others of its kind (provider, area, model, what it is behind, and pairs of these),
the one that divides best between those that failed and those that did not: nearly all that have it failed, hardly any other.
How unlikely that is by chance says the upper tail of the hypergeometric distribution (R. A. Fisher's exact test, one-sided).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import combinations
from math import comb

from monitor.core.model import Inventory, Shared, Target

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


def find_shared(
    failed: Target, inventory: Inventory, others: Iterable[Target], has_failed: Callable[[Target], bool]
) -> Shared | None:
    """What `failed` most likely failed of together with others of its kind; None when nothing says so."""
    kin = [(each, traits(each, inventory), has_failed(each)) for each in others if each.kind == failed.kind]
    all_failed = sum(bad for *_, bad in kin)
    if all_failed < LEAST:
        return None
    own = traits(failed, inventory)
    best: tuple[float, int, Shared] | None = None
    for by in (*combinations(own.items(), 1), *combinations(own.items(), 2)):
        with_it = [bad for _, known, bad in kin if dict(by).items() <= known.items()]
        hurt, of, rest = sum(with_it), len(with_it), len(kin) - len(with_it)
        elsewhere = all_failed - hurt
        if hurt < LEAST or hurt < SHARE_WITH * of or elsewhere > SHARE_WITHOUT * rest:
            continue
        chance = _tail(len(kin), all_failed, of, hurt)
        found = Shared(kind=failed.kind, by=by, hurt=hurt, of=of, elsewhere=elsewhere, others=rest)
        # Of equals the narrower: it says more. With nobody else to compare with, chance says nothing: all of a kind failed.
        if (chance <= LIKELIHOOD or not rest) and (best is None or (chance, -len(by)) < best[:2]):
            best = chance, -len(by), found
    return best[2] if best else None


def _tail(size: int, bad: int, drawn: int, hurt: int) -> float:
    """Chance that of `drawn` among `size`, `bad` of which failed, `hurt` or more have failed."""
    ways = sum(comb(bad, each) * comb(size - bad, drawn - each) for each in range(hurt, min(bad, drawn) + 1))
    return ways / comb(size, drawn)
