"""What is found wrong while an inventory is compiled: a mistake of a template once, and none that only another one hides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from monitor.yamlfile import Layers, Problem, Source, Where, alike, near, place

Name = tuple[str, str]
"""What it names (`site`, `profile`, …), and the name."""


class Findings:
    """Problems, and what is written but could not be read."""

    def __init__(self, lost: Iterable[Name], *, complete: bool) -> None:
        """`complete` is False where not even all names are known that are written."""
        self.problems: list[Problem] = []
        self.lost = set(lost)
        self._complete = complete
        self._told: set[tuple[str, int, int]] = set()

    @property
    def whole(self) -> bool:
        """Whether all that is written was read: only then does it mean something that a thing is not there."""
        return self._complete and not self.lost

    def once(self, problem: Problem) -> None:
        """A problem of a template is told for one of its sites, not once for each."""
        at = (problem.file, problem.line, problem.column)
        if at not in self._told:
            self._told.add(at)
            self.problems.append(problem)

    def unknown(self, what: str, name: str, known: Iterable[str], layers: Layers, where: Where) -> None:
        """A name that nothing has, unless it may be that of something that could not be read."""
        if self._complete and (what, name) not in self.lost:
            problem = place(layers, where, f"there is no {what} `{name}`", near(name, known))
            self.once(problem.known_as("unknown", given=name, close=alike(name, known)))

    def doubt(self, source: Source, where: Where, text: str, hint: str = "") -> None:
        """What may be meant, but seldom is."""
        self.problems.append(replace(source.problem(where, text, hint, at_key=True), warning=True))
