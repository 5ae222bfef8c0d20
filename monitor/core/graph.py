"""What is behind what: the targets as a directed graph from the far ends towards us.

A target is behind its parents; with several parents it is cut off only when all of them are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property

from monitor.core.model import Target


def find_loop(behind: Mapping[str, Iterable[str]]) -> list[str] | None:
    """A loop of parents as the list of ids along it, first one repeated at the end; None when there is none."""
    done: set[str] = set()
    for start in behind:
        path: list[str] = []
        on_path: set[str] = set()
        stack: list[tuple[str, int]] = [(start, 0)]
        while stack:
            node, depth = stack.pop()
            while len(path) > depth:
                gone = path.pop()
                on_path.discard(gone)
                done.add(gone)
            if node in on_path:
                return [*path[path.index(node) :], node]
            if node in done:
                continue
            path.append(node)
            on_path.add(node)
            stack.extend((parent, depth + 1) for parent in behind.get(node, ()))
        done.update(path)
    return None


class Graph:
    """The targets of one inventory with their children and orders, computed once."""

    def __init__(self, targets: Mapping[str, Target]) -> None:
        self.targets = targets
        self.children: dict[str, list[str]] = {target: [] for target in targets}
        for target in targets.values():
            for parent in target.behind:
                self.children[parent].append(target.id)
        self._descendants: dict[str, tuple[str, ...]] = {}
        self._after: dict[str, tuple[str, ...]] = {}

    @cached_property
    def vantages(self) -> tuple[str, ...]:
        """Our own gateways."""
        return tuple(target.id for target in self.targets.values() if target.vantage)

    @cached_property
    def by_site(self) -> Mapping[str, tuple[Target, ...]]:
        """Targets by site id."""
        return self._grouped(lambda target: target.site)

    @cached_property
    def by_kind(self) -> Mapping[str, tuple[Target, ...]]:
        """Targets by kind."""
        return self._grouped(lambda target: target.kind)

    def _grouped(self, key: Callable[[Target], str]) -> Mapping[str, tuple[Target, ...]]:
        groups: dict[str, list[Target]] = {}
        for target in self.targets.values():
            groups.setdefault(key(target), []).append(target)
        return {name: tuple(members) for name, members in groups.items()}

    @cached_property
    def order(self) -> Mapping[str, int]:
        """All targets, parents before children, each with its place."""
        missing = {target.id: len(target.behind) for target in self.targets.values()}
        order = [target for target, count in missing.items() if not count]
        for node in order:
            for child in self.children[node]:
                missing[child] -= 1
                if not missing[child]:
                    order.append(child)
        return {target: place for place, target in enumerate(order)}

    def after(self, target: str) -> tuple[str, ...]:
        """Everything that has `target` in front of it on any way, parents before children."""
        known = self._after.get(target)
        if known is None:
            found: set[str] = set()
            queue = [target]
            for node in queue:
                new = [child for child in self.children[node] if child not in found]
                found.update(new)
                queue.extend(new)
            known = self._after[target] = tuple(sorted(found, key=self.order.__getitem__))
        return known

    def leads_only_through(self, target: str, nodes: Collection[str]) -> bool:
        """Whether every way to `target` has one of `nodes` in it."""
        parents = self.targets[target].behind
        return bool(parents) and all(each in nodes or self.leads_only_through(each, nodes) for each in parents)

    def behind(self, target: str) -> tuple[str, ...]:
        """All that is cut off when `target` is down and everything else in front is well, parents before children.

        A target with another way (a parent that is not itself cut off) is not in it.
        """
        known = self._descendants.get(target)
        if known is None:
            cut = {target}
            order: list[str] = []
            queue = [target]
            for node in queue:
                for child in self.children[node]:
                    if child not in cut and all(parent in cut for parent in self.targets[child].behind):
                        cut.add(child)
                        order.append(child)
                        queue.append(child)
            known = self._descendants[target] = tuple(order)
        return known

    def ancestors(self, target: str) -> set[str]:
        """Everything that is in front of `target` on any way."""
        found: set[str] = set()
        queue = list(self.targets[target].behind)
        while queue:
            node = queue.pop()
            if node not in found:
                found.add(node)
                queue.extend(self.targets[node].behind)
        return found
