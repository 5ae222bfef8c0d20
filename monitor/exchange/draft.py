"""Pure: a site as it is to become, and the changes of its file that make it so, as short as an admin would write them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from monitor.exchange.cells import same
from monitor.exchange.columns import Value, target_values
from monitor.exchange.written import Written, WrittenSite, fill, one_text, solved, texts, wanted
from monitor.exchange.yamledit import Append, Drop, Edit, Put
from monitor.inventory.templates import merge
from monitor.yamlfile import Where

NO_WORDS = frozenset({"id", "name", "code", "area"})
"""Words of a template that are no `vars`."""
_ORDER = ("profile", "address", "provider", "circuit", "bandwidth", "behind")


class Draft:
    """Changes of one site; `cells` remembers which cell each of them is from."""

    def __init__(self, written: Written, site: WrittenSite) -> None:
        self._written = written
        self._own: dict[str, Any] = copy.deepcopy(dict(site.own))
        self._site = site
        self._edits: list[Edit] = []
        self.new = site.file is None
        self.cells: dict[Where, str] = {}

    @property
    def site(self) -> WrittenSite:
        """As it is with all changes."""
        return WrittenSite(
            own=self._own, template=self._written.template(self._own), file=self._site.file, index=self._site.index
        )

    def edits(self) -> list[Edit]:
        """Of the file in which it stands, or comes to stand."""
        if self.new:
            return [Append(("sites",), self._own)]
        return self._edits

    def put(self, where: Where, value: object, at: str = "") -> None:
        """A value of the site's own."""
        holder: Any = self._own
        for key in where[:-1]:
            if not isinstance(holder.get(key), dict):
                holder[key] = {}
            holder = holder[key]
        holder[where[-1]] = value
        self._edits.append(Put(("sites", self._site.index, *where), value))
        self.cells[where] = at

    def drop(self, where: Where) -> None:
        """A value of the site's own goes, and what it leaves empty."""
        holders: list[Any] = [self._own]
        for key in where[:-1]:
            holders.append(holders[-1].get(key) or {})
        for holder, key in zip(reversed(holders), reversed(where), strict=True):
            holder.pop(key, None)
            if holder:
                break
        self._edits.append(Drop(("sites", self._site.index, *where)))

    # -- words of the template -----------------------------------------------------------------------------------------

    def missing(self) -> list[str]:
        """Words that its template wants, where the site writes nothing else itself, and nothing gives."""
        words = self.site.words()
        return [each for each in dict.fromkeys(wanted(self._merged())) if each not in words]

    def texts_with(self, word: str) -> list[str]:
        """Texts of the template that want a word, as they stand there."""
        return list(dict.fromkeys(each for each in texts(self._merged()) if word in wanted(each)))

    def _merged(self) -> dict[str, Any]:
        """The template with what the site writes itself over it."""
        site = self.site
        return {key: merge(each, site.own[key]) if key in site.own else each for key, each in site.template.items()}

    def solve(self, table: str, name: str, field: str, value: Value, at: str) -> None:
        """Take from a value that its template would give what the missing words must be."""
        text = one_text(self.site.inherited(table, name).get(field))
        for word, each in solved(text, one_text(value), self.site.words()).items():
            if word not in NO_WORDS:
                self.put(("vars", word), self.typed(word, each), at)

    def order_words(self) -> None:
        """As the other sites have them."""
        if words := self._own.get("vars"):
            self._own["vars"] = {
                key: words[key] for key in dict.fromkeys((*self._written.vars(), *words)) if key in words
            }

    def typed(self, word: str, text: str) -> str | int:
        """A number where it is one at the other sites."""
        others = [each.vars()[word] for each in self._written.sites.values() if word in each.vars()]
        number = text.isascii() and text.isdigit() and str(int(text[:18])) == text
        return int(text) if number and all(isinstance(each, int) for each in others) else text

    # -- lines and devices ---------------------------------------------------------------------------------------------

    def add_target(self, table: str, name: str, values: Mapping[str, Value], cells: Mapping[str, str], at: str) -> None:
        """One that neither the site nor its template has; `cells` are those of its keys, `at` is that of its name."""
        self.put((table, name), {key: as_yaml(key, values[key]) for key in _ORDER if values.get(key)}, at)
        self.cells |= {(table, name, key): cell for key, cell in cells.items()}

    def remove_target(self, table: str, name: str) -> None:
        """Take it out; a null takes away what the template has."""
        if self.site.inherited(table, name):
            self.put((table, name), None)
        else:
            self.drop((table, name))

    def change_target(self, table: str, name: str, field: str, value: Value, at: str) -> None:
        """Make one value of it another, in the shortest way: by nothing of its own, by a word of the template, or by its own key."""
        site = self.site
        if same(value, target_values(site.target(table, name)).get(field, "")):
            return
        inherited = site.inherited(table, name).get(field)
        own = field in ((site.own.get(table) or {}).get(name) or {})
        given = target_values({field: fill(inherited, site.words())}).get(field, "")
        if same(value, given):
            self.drop((table, name, field))
        elif value == "":
            self.put((table, name, field), None, at)
        elif not own and (word := self._word(inherited, value)):
            self.put(("vars", word[0]), self.typed(*word), at)
        else:
            self.put((table, name, field), as_yaml(field, value), at)

    def _word(self, inherited: object, value: Value) -> tuple[str, str] | None:
        """The one word of the site that makes the value and nothing else."""
        site, used = self.site, list(wanted(self.site.template))
        for word in set(wanted(inherited)) - NO_WORDS:
            if used.count(word) == 1 and word in site.vars():
                others = {key: each for key, each in site.words().items() if key != word}
                found = solved(one_text(inherited), one_text(value), others)
                if word in found:
                    return word, found[word]
        return None


def as_yaml(field: str, value: Value) -> object:
    """As an admin writes it."""
    if isinstance(value, tuple):
        return list(value)
    if field == "bandwidth" and isinstance(value, float):
        for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
            if not value % size:
                return f"{value / size:.0f}{unit}"
    return value
