"""Pure: which ids sites and targets formerly had, and what is wrong with that."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from monitor.core.model import Site, Target
from monitor.inventory.schema import SiteModel, TargetModel
from monitor.yamlfile import Layers, Problem, Source, Where, place


class Former:
    """The former ids of one inventory: named while it is read, resolved when all present ids are known."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._sites: dict[str, tuple[str, Problem]] = {}
        """By former id: who has it now, and a problem of that place."""
        self._targets: dict[str, tuple[str, Problem]] = {}
        self._inherited: dict[str, list[str]] = {}
        """By target: what its site's former ids make of its names."""

    def name_site(self, source: Source, index: int, model: SiteModel) -> None:
        """Take what a site says of itself."""
        for number, old in enumerate(model.formerly):
            self._claim(self._sites, old, model.id, [(source, ("sites", index))], ("formerly", number))

    def name_target(self, id_: str, site: SiteModel, model: TargetModel, layers: Layers) -> None:
        """Take what a target says of itself, and its site of it."""
        name = id_.partition("/")[2]
        for number, old in enumerate(model.formerly):
            whole = old if "/" in old else f"{site.id}/{old}"
            self._claim(self._targets, whole, id_, layers, ("formerly", number))
        names = (name, *(each for each in model.formerly if "/" not in each))
        self._inherited[id_] = [f"{old}/{each}" for old in site.formerly for each in names]

    def _claim(self, claims: dict[str, tuple[str, Problem]], old: str, new: str, layers: Layers, where: Where) -> None:
        if old in claims:
            text, hint = (
                f"`{old}` is already what `{claims[old][0]}` was formerly",
                "only one can go on with its history",
            )
            self.problems.append(place(layers, where, text, hint))
        else:
            text, hint = f"`{old}` still exists", "write here ids that are used no more, or take the old entry out"
            claims[old] = (new, place(layers, where, text, hint))

    def resolve(self, sites: Mapping[str, Site], targets: Mapping[str, Target]) -> dict[str, Target]:
        """The targets with their former ids; what a target says itself goes before what follows from its site."""
        self._check(self._sites, sites)
        self._check(self._targets, targets)
        former: dict[str, list[str]] = {each: [] for each in targets}
        for old, (new, _) in self._targets.items():
            former[new].append(old)
        taken = self._targets.keys() | targets.keys()
        for new, olds in self._inherited.items():
            former[new] += [old for old in olds if old not in taken]
        return {
            id_: replace(each, formerly=tuple(former[id_])) if former[id_] else each for id_, each in targets.items()
        }

    def _check(self, claims: Mapping[str, tuple[str, Problem]], present: Collection[str]) -> None:
        self.problems += [problem for old, (_, problem) in claims.items() if old in present]
