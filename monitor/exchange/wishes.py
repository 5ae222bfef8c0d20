"""Pure: what the cells ask for, site by site → drafts of the sites, or why that cannot be."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from monitor.exchange.cells import same
from monitor.exchange.columns import Column, Value, device_values, joined, parted, site_values, target_values
from monitor.exchange.draft import Draft
from monitor.exchange.newsite import derived, untold
from monitor.exchange.places import fold
from monitor.exchange.sayings import Mistake, cut, near
from monitor.exchange.sheet import Filled, Row
from monitor.exchange.written import TABLES, Written, WrittenSite

REQUIRED = {"links": ("provider", "circuit", "profile"), "devices": ("profile",)}
Wish = tuple[Value, str]
"""A value that a cell asks for, and the cell."""
_EXAMPLES = {"provider": "vnpt", "circuit": "NB-TSL-13444", "profile": "switch"}


class Wishes:
    """Collected while rows are read; `settle` makes drafts of them when all are known."""

    def __init__(self, written: Written, wrong: Callable[..., None], notes: list[Mistake]) -> None:
        self.drafts: dict[str, Draft] = {}
        self._written = written
        self._wrong = wrong
        self._notes = notes
        self._of_targets: dict[str, dict[tuple[str, str], dict[str, Wish]]] = defaultdict(lambda: defaultdict(dict))
        """By site, by table and name of a target, by key."""
        self._asked: dict[tuple[str, str, str], Wish] = {}
        """By site, device or "", and key of the column: to hold the result against."""
        self._rows: dict[str, tuple[Filled, Row]] = {}
        """Of sites, by id."""
        self._ways: list[tuple[str, Wish]] = []
        self._words: dict[str, dict[str, Wish]] = defaultdict(dict)
        """Of new sites: words of the template as cells give them, which are folded away: what others tell of them goes before."""

    def draft(self, site: WrittenSite) -> Draft:
        """That of a site."""
        return self.drafts.setdefault(site.id, Draft(self._written, site))

    # -- collected -----------------------------------------------------------------------------------------------------

    def of_device(self, site: WrittenSite, name: str, at: str, wishes: Mapping[str, Wish]) -> None:
        """What a row of a device asks for; `at` is where it is named."""
        for key, wish in wishes.items():
            self._of_target(site, "devices", name, key, wish)
        if name not in site.names("devices"):
            self.draft(site)
            self._of_targets[site.id]["devices", name].setdefault("", ("", at))

    def of_site(self, filled: Filled, row: Row, site: WrittenSite, wishes: Mapping[str, Wish]) -> None:
        """What is written at the site itself; its lines wait until all words of the template are known."""
        draft = self.draft(site)
        self._rows[site.id] = filled, row
        for key in ("like", "name", "code", "area"):
            if key in wishes:
                _set(draft, (key,), *wishes[key])
        if site.file and (cause := next((wishes[key][1] for key in ("name", "code", "area") if key in wishes), "")):
            self._keep(site, draft, cause)
        self._locate(filled, row, site, wishes)
        if "contact" in wishes or "phone" in wishes:
            contact, phone = parted(str(site.own.get("contact") or ""))
            both = [
                str(wishes[key][0]) if key in wishes else now for key, now in (("contact", contact), ("phone", phone))
            ]
            at = next(wishes[key][1] for key in ("contact", "phone") if key in wishes)
            _set(draft, ("contact",), joined(*both), at)
        for key, (value, at) in wishes.items():
            what, _, name = key.rpartition(":")
            if what == "vars" and draft.new:
                self._words[site.id][name] = (value, at)
                continue
            if what == "vars":
                _set(draft, ("vars", name), draft.typed(name, str(value)) if value else "", at)
            elif what:
                self._of_target(site, "links", what, name, (value, at))
                continue
            self._asked[site.id, "", key] = (value, at)

    def _of_target(self, site: WrittenSite, table: str, name: str, key: str, wish: Wish) -> None:
        self.draft(site)
        self._of_targets[site.id][table, name][key] = wish
        column = (name, key) if table == "devices" else ("", f"{name}:{key}")
        self._asked[site.id, *column] = wish
        if key == "behind":
            self._ways.append((site.id, wish))

    def _keep(self, site: WrittenSite, draft: Draft, cause: str) -> None:
        """What its template makes of another code or name stays as it was: a circuit keeps its id; a cell may still ask for more."""
        for table in TABLES:
            for name in site.names(table):
                before, after = (target_values(each.target(table, name)) for each in (site, draft.site))
                for key, value in before.items():
                    if not same(value, after[key]):
                        self._of_target(site, table, name, key, (value, cause))

    def _locate(self, filled: Filled, row: Row, site: WrittenSite, wishes: Mapping[str, Wish]) -> None:
        keys = ("latitude", "longitude")
        if not any(key in wishes for key in keys):
            return
        now = site.own.get("location") or ("", "")
        both = [wishes[key][0] if key in wishes else old for key, old in zip(keys, now, strict=True)]
        at = next(wishes[key][1] for key in keys if key in wishes)
        if (both[0] == "") != (both[1] == ""):
            self._wrong(filled.at(row, keys[0] if both[0] == "" else keys[1]), "half")
        else:
            _set(self.draft(site), ("location",), both if both[0] != "" else "", at)
            if both[0] != "" and self._is_far(site, both):
                given = ", ".join(f"{each:g}" for each in both)
                self._notes.append(Mistake(at, "far", {"given": given}))

    def _is_far(self, site: WrittenSite, location: Sequence[Any]) -> bool:
        """Whether others have a place, and none of them is within a degree."""
        others = [
            each.own["location"]
            for each in self._written.sites.values()
            if each.id != site.id and each.own.get("location")
        ]
        return bool(others) and not any(abs(one[0] - location[0]) + abs(one[1] - location[1]) < 1 for one in others)

    # -- settled -------------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Make the drafts what the cells ask for."""
        for id_, draft in self.drafts.items():
            if draft.new:
                self._solve(id_, draft)
            for (table, name), wishes in self._of_targets[id_].items():
                self._change(draft, table, name, wishes)
        self._check_ways()

    def _solve(self, id_: str, draft: Draft) -> None:
        """Words of the template of a new site, out of the addresses and names that it has."""
        for (table, name), wishes in self._of_targets[id_].items():
            for key, (value, at) in wishes.items():
                if key and draft.missing():
                    draft.solve(table, name, key, value, at)
        for word, (value, at) in self._words[id_].items():
            told = draft.site.vars().get(word)
            if told is None:
                draft.put(("vars", word), draft.typed(word, str(value)), at)
            elif not same(value, str(told)):
                words = {"given": cut(value), "cell": draft.cells["vars", word], "said": f"{word} = {told}"}
                self._notes.append(Mistake(at, "word-loses", words))
        draft.order_words()

    def _change(self, draft: Draft, table: str, name: str, wishes: Mapping[str, Wish]) -> None:
        if name in draft.site.names(table):
            for key, (value, cell) in wishes.items():
                if value == "" and key in REQUIRED[table]:
                    self._wrong(cell, "missing", example=_EXAMPLES[key])
                elif key:
                    draft.change_target(table, name, key, value, cell)
        elif table == "devices" or any(value for value, _ in wishes.values()):
            self._add(draft, table, name, wishes)

    def _add(self, draft: Draft, table: str, name: str, wishes: Mapping[str, Wish]) -> None:
        values = {key: value for key, (value, _) in wishes.items() if key}
        at = next(at for _, at in wishes.values())
        if table == "links":
            values["profile"] = self._written.usual_profile(table, name)
        lacking = [key for key in REQUIRED[table] if not values.get(key)]
        for key in lacking:
            cell = wishes[key][1] if key in wishes else self._cell_of(draft, f"{name}:{key}", at)
            if key == "profile" and table == "links":
                self._wrong(cell, "profile", name=name)
            elif key in wishes or table == "links":
                self._wrong(cell, "missing", example=_EXAMPLES[key])
        if not lacking:
            cells = {key: cell for key, (_, cell) in wishes.items() if key}
            draft.add_target(table, name, values, cells, wishes.get("", ("", at))[1])

    def _cell_of(self, draft: Draft, key: str, at: str = "") -> str:
        """Where a value of a site is filled in; `at` where its table has no such column."""
        filled, row = self._rows.get(draft.site.id, (None, None))
        return filled.at(row, key) if filled and row and (key in filled.columns or not at) else at

    # -- what came of it -------------------------------------------------------------------------------------------------

    def _check_ways(self) -> None:
        """Names behind which something is to be, and that nothing has."""
        for site, (value, at) in self._ways:
            for ref in value if isinstance(value, tuple) else ():
                where, _, name = ref.rpartition("/")
                found = self._names_at(where or site)
                if name not in found:
                    close = difflib.get_close_matches(name, found, n=2, cutoff=0.6)
                    if at_site := self._devices_of(ref):
                        close, where = at_site, ""
                    meant = near(*([f"{where}/{each}".lstrip("/") for each in names] for names in (close, found)))
                    self._wrong(at, "target", given=cut(ref), near=meant)

    def _devices_of(self, called: str) -> list[str]:
        """Where a site is named: what of it may be meant."""
        sites = (
            each for each in self._written.sites.values() if fold(called) in map(fold, (each.id, str(each.own["name"])))
        )
        return [f"{site.id}/{name}" for site in sites for name in site.names("devices")]

    def _names_at(self, id_: str) -> list[str]:
        site = self.drafts[id_].site if id_ in self.drafts else self._written.sites.get(id_)
        return [name for table in ("links", "devices", "services") for name in site.names(table)] if site else []

    def derived(self, id_: str) -> Iterator[Mistake]:
        """What a new site got that no cell asked for."""
        asked = {key for site, device, key in self._asked if site == id_ and not device}
        devices = {name for table, name in self._of_targets[id_] if table == "devices"}
        return derived(self.drafts[id_], *self._rows[id_], asked, devices)

    def untold(self, id_: str, wrong: Collection[str]) -> Iterator[Mistake]:
        """What a new site lacks that its template wants; `wrong` are cells with mistakes of their own."""
        return untold(self._written, self.drafts[id_], *self._rows[id_], wrong)

    def check_met(self) -> None:
        """Cells that are not what came of them."""
        for (id_, device, key), (value, at) in self._asked.items():
            site = self.drafts[id_].site
            column = Column(key=key, headers={}, notes={})
            came = (device_values(site, device, [column]) if device else site_values(site, [column]))[key]
            if not same(value, came):
                self._wrong(at, "not-written", given=cut(value))


def _set(draft: Draft, where: tuple[str, ...], value: object, at: str) -> None:
    if value == "":
        draft.drop(where)
    else:
        draft.put(where, value, at)
