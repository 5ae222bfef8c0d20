"""Pure: words of a site filled into texts of its template, and mistakes in a word told where it is written."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from monitor.inventory.findings import Findings
from monitor.inventory.schema import SiteModel
from monitor.inventory.templates import BRACES
from monitor.yamlfile import Layers, Problem, Source, Where, place

Entry = tuple[Source, Where, SiteModel]
"""A site, and where it is written."""


def words_of(site: SiteModel) -> dict[str, str]:
    """What fills its template; a code or an area that it has not fills nothing."""
    own = {"id": site.id, "name": site.name, "code": site.code, "area": site.area}
    return {key: text for key, text in own.items() if text} | {key: str(value) for key, value in site.vars.items()}


class Filler:
    """Fills words in; what nothing fills is told in the findings."""

    def __init__(self, findings: Findings) -> None:
        self.unfilled = 0
        """Words that nothing filled so far."""
        self._findings = findings
        self._sites: dict[str, Entry] = {}
        self._told: set[str] = set()
        """Words that are told of, by site and by where they are wanted."""
        self._written: set[tuple[str, int, int]] = set()
        """Where sites write words that fill templates."""

    def of_site(self, value: object, words: Mapping[str, str], layers: Layers, site: Entry) -> tuple[Any, Layers]:
        """`value` with the words filled in, and the layers with the site's own words: there a mistake is mended."""
        source, base, model = site
        self._sites[model.id] = site
        used: dict[Where, str] = {}
        filled = self.fill(value, words, layers, (), used)
        marks = {where: source.marks[*base, "vars", word] for where, word in used.items() if word in model.vars}
        if not marks:
            return filled, layers
        self._written |= {(source.file, *mark) for mark in marks.values()}
        own, inherited = ([each for each in layers if (each[1][0] == "sites") is mine] for mine in (True, False))
        return filled, [*own, (Source(source.file, None, marks, {}, {}), ()), *inherited]

    def fill(
        self,
        value: object,
        words: Mapping[str, str],
        layers: Layers,
        where: Where,
        used: dict[Where, str] | None = None,
    ) -> Any:
        """`value` with the words filled in; `used` is told of a word of each text."""
        if isinstance(value, dict):
            return {key: self.fill(each, words, layers, (*where, key), used) for key, each in value.items()}
        if isinstance(value, list):
            return [self.fill(each, words, layers, (*where, index), used) for index, each in enumerate(value)]
        if not isinstance(value, str) or "{" not in value:
            return value

        def word(match: re.Match[str]) -> str:
            name = match[1]
            if name is None:
                return match[0][0]
            if name not in words:
                self.unfilled += 1
                self._tell_unfilled(name, words, layers, where)
            if used is not None:
                used[where] = name
            return words.get(name, "")

        return BRACES.sub(word, value)

    def _tell_unfilled(self, name: str, words: Mapping[str, str], layers: Layers, where: Where) -> None:
        """At the site, for there it is mended: once however often its template wants the word, and for however many sites."""
        source, base, _ = self._sites[words["id"]]
        wanted = place(layers, where, "")
        keys = {wanted.place, f"{words['id']}: {name}"}
        known = keys & self._told
        self._told |= keys
        if known:
            return
        text = f"nothing fills {{{name}}} of site `{words['id']}`, which {Path(wanted.file).name}:{wanted.line} wants"
        key = f"{name}: …" if name in SiteModel.model_fields else f"vars: {{{name}: …}}"
        hint = f"write `{key}` here; it knows {', '.join(sorted(words))}"
        self._findings.once(source.problem((*base, "id"), text, hint))

    def sum_up(self) -> None:
        """One mistake in a word of a site makes many in what it fills: the first is told, the others counted."""
        problems = self._findings.problems
        repeated = Counter(at for each in problems if (at := (each.file, each.line, each.column)) in self._written)
        kept: list[Problem] = []
        for each in problems:
            count = repeated.get((each.file, each.line, each.column))
            if count is None:
                kept.append(each)
            elif count:
                repeated[each.file, each.line, each.column] = 0
                more = f" (and {count - 1} more that come of it)" if count > 1 else ""
                kept.append(replace(each, message=each.message + more))
        problems[:] = kept
