"""Pure: tables as they came back, against what is written → changes of the files, or every mistake with its cell."""

from __future__ import annotations

import difflib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.exchange.cells import Wrong, clean, meant, same
from monitor.exchange.choices import called
from monitor.exchange.columns import Column, Value, device_values, site_values, told
from monitor.exchange.draft import Draft
from monitor.exchange.exported import Exported
from monitor.exchange.places import fold, slug
from monitor.exchange.sayings import Mistake, cut, known, like, near
from monitor.exchange.sheet import Filled, Row
from monitor.exchange.wishes import Wish, Wishes
from monitor.exchange.written import Written, WrittenSite
from monitor.exchange.yamledit import Drop, Edit

OWN = ("name", "code", "area", "contact", "phone", "latitude", "longitude")
"""Columns that a template never gives: what is empty there was emptied, also where nothing tells what was exported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What to do with the files."""

    edits: Mapping[Path, Sequence[Edit]]
    notes: Sequence[Mistake]
    """What is no mistake, but should be known."""
    mistakes: Sequence[Mistake]
    """Where there are some the edits are only those that nothing is wrong with, to see whether more is."""
    drafts: Sequence[Draft]


def changes(
    filled: Sequence[Filled], written: Written, exported: Exported | None, *, into: Path, remove: bool = False
) -> Changes:
    """The changes that make the inventory what was changed in the tables; new sites go into the file `into`.

    A cell that holds what was exported asks for nothing, also where the inventory has something else by now; without `exported`
    the tables are held against the inventory. What is not in the tables stays, unless `remove`.
    """
    changer = _Changer(written, exported, remove=remove)
    for each in filled:
        changer.read(each)
    return changer.done(into)


class _Changer:
    """Sites first, then devices, then what follows for each site."""

    def __init__(self, written: Written, exported: Exported | None, *, remove: bool) -> None:
        self._written = written
        self._exported = exported
        self._remove = remove
        self._mistakes: list[Mistake] = []
        self._notes: list[Mistake] = []
        self._wishes = Wishes(written, self._wrong, self._notes)
        self._rows: dict[tuple[str, str], int] = {}
        self._empty_lines: list[tuple[str, str]] = []
        self._gone: set[str] = set()
        self._gone_since: list[str] = []
        self._doubtful: set[str] = set()
        """New sites in whose row something is wrong."""
        self._choices = called(written)
        self._areas = {str(each.own["area"]) for each in written.sites.values() if each.own.get("area")}
        self._by_code = {str(each.own["code"]): each for each in written.sites.values() if each.own.get("code")}
        lengths = Counter(map(len, self._by_code))
        self._digits = next(iter(lengths)) if len(lengths) == 1 and all(map(str.isdecimal, self._by_code)) else 0
        self._called: dict[str, set[str]] = defaultdict(set)
        for each in written.sites.values():
            self._call(each)

    def _call(self, site: WrittenSite) -> None:
        for name in (site.id, site.own.get("code"), site.own.get("name")):
            if name:
                self._called[fold(str(name))].add(site.id)

    def _wrong(self, at: str, saying: str, **words: object) -> None:
        self._mistakes.append(Mistake(at, saying, words))

    # -- rows ----------------------------------------------------------------------------------------------------------

    def read(self, filled: Filled) -> None:
        """All rows of a table."""
        file = filled.sheet.file
        if filled.sheet.note:
            self._notes.append(Mistake(file, "coded", {"given": filled.sheet.note}))
        if self._exported is None:
            self._notes.append(Mistake(file, "no-record"))
        if filled.unread:
            self._notes.append(Mistake(file, "unread", {"given": known(filled.unread)}))
        take = self._site_row if filled.table.name == "sites" else self._device_row
        for row in filled.rows:
            take(filled, row)
        if self._gone_since:
            words = {"n": len(self._gone_since), "given": known(self._gone_since)}
            self._notes.append(Mistake(file, "gone-since", words))
            self._gone_since = []
        self._missing(filled)

    def _cell(self, filled: Filled, row: Row, column: Column, now: Value) -> Value | None:
        """What a cell means, or None when that is a mistake."""
        digits = self._digits if column.form == "code" and column.key == "code" else 0
        try:
            return meant(
                column, row.cells.get(column.key), now, choices=self._choices.get(column.choices), digits=digits
            )
        except Wrong as wrong:
            self._wrong(filled.at(row, column.key), wrong.saying, **wrong.words)
            return None

    def _site_row(self, filled: Filled, row: Row) -> None:
        before_it = len(self._mistakes)
        site = self._site_of(filled, row)
        if site is None:
            return
        first = self._rows.setdefault((site.id, ""), row.number)
        if first != row.number:
            self._wrong(filled.at(row, "id"), "twice", given=site.id, row=first)
            return
        now = site_values(site, filled.table.columns)
        before = self._row_before("sites", site.id)
        known_by_id = bool(clean(str(row.cells.get("id", ""))))
        wishes = self._differing(filled, row, now, before, new=site.file is None or not known_by_id)
        if site.file and before is None:
            self._visible_first(filled, row, site, now, wishes)
        if site.file and known_by_id and (before is not None or self._exported is None):
            self._empty(filled, row, site, before, wishes)
        self._check_site(site, wishes)
        if wishes or site.file is None:
            self._wishes.of_site(filled, row, site, wishes)
        if site.file is None and len(self._mistakes) > before_it:
            self._doubtful.add(site.id)

    def _check_site(self, site: WrittenSite, wishes: Mapping[str, Wish]) -> None:
        """What others tell of a code or an area."""
        code, at = wishes.get("code", ("", ""))
        other = self._by_code.get(str(code))
        if other is not None and other.id != site.id:
            self._wrong(at, "code-of", given=code, site=other.id)
        area, at = wishes.get("area", ("", ""))
        if area and area not in self._areas:
            self._notes.append(Mistake(at, "area-new", {"given": area, "near": like(str(area), self._areas)}))

    def _row_before(self, table: str, key: str) -> Mapping[str, Value] | None:
        """A row as it was exported; None when it was not, or nothing tells."""
        return self._exported.row(table, key) if self._exported else None

    def _differing(
        self, filled: Filled, row: Row, now: Mapping[str, Value], before: Mapping[str, Value] | None, *, new: bool
    ) -> dict[str, Wish]:
        """What somebody changed in the cells of a row and is not so yet; where that may be nobody's wish, an empty cell asks for nothing."""
        wishes: dict[str, Wish] = {}
        for column in filled.table.columns:
            key = column.key
            if key in ("id", "site", "device") or key not in filled.columns:
                continue
            was = before.get(key, "") if before is not None else None
            if was is not None and ((left := self._cell(filled, row, column, was)) is None or same(left, was)):
                continue
            value, at = self._cell(filled, row, column, now[key]), filled.at(row, key)
            if value == "" and column.required:
                self._wrong(at, "missing", example=column.example)
            elif value is not None and not same(value, now[key]):
                if value == "" and (new or (was is None and (self._exported is not None or key not in OWN))):
                    continue
                wishes[key] = (value, at)
                if was is not None and not same(was, now[key]):
                    words = {"was": told(column, was), "now": told(column, now[key]), "given": told(column, value)}
                    self._notes.append(Mistake(at, "changed-since", words))
        return wishes

    def _visible_first(
        self, filled: Filled, row: Row, site: WrittenSite, now: Mapping[str, Value], wishes: dict[str, Wish]
    ) -> None:
        """A word that would make something else of a cell of a line than the cell says is an old one: it is folded away, the cell is seen."""
        for key in [each for each in wishes if each.startswith("vars:")]:
            own = {**site.own, "vars": {**site.vars(), key.removeprefix("vars:"): wishes[key][0]}}
            came = site_values(WrittenSite(own=own, template=site.template), filled.table.columns)
            for column in filled.table.columns:
                said = wishes.get(column.key, (now[column.key], ""))[0]
                made_by_it = ":" in column.key and column.key != key and not same(came[column.key], now[column.key])
                if made_by_it and clean(str(row.cells.get(column.key, ""))) and not same(said, came[column.key]):
                    words = {
                        "given": cut(wishes[key][0]),
                        "cell": filled.at(row, column.key),
                        "said": told(column, said),
                    }
                    self._notes.append(Mistake(wishes.pop(key)[1], "word-loses", words))
                    break

    def _empty(
        self, filled: Filled, row: Row, site: WrittenSite, before: Mapping[str, Value] | None, wishes: dict[str, Wish]
    ) -> None:
        """A line all of whose cells are empty is one that is not there, unless it was not there when it was exported."""
        for name in site.names("links"):
            keys = [each for each in filled.columns if each.startswith(f"{name}:")]
            if before is not None and not any(each in before for each in keys):
                continue
            if keys and not any(clean(str(row.cells.get(each, ""))) for each in keys):
                for each in keys:
                    wishes.pop(each, None)
                self._empty_lines.append((site.id, name))

    def _site_of(self, filled: Filled, row: Row) -> WrittenSite | None:
        """The site that a row is about, a new one, or None when that cannot be told."""
        id_ = self._cell(filled, row, filled.table.column("id"), "")
        code = clean(str(row.cells.get("code", "")))
        by_code = self._by_code.get(code)
        if id_ is None:
            return None
        if id_ in self._written.sites:
            return self._written.sites[str(id_)]
        if self._row_before("sites", str(id_)) is not None:
            self._gone_since.append(str(id_))
            return None
        if by_code is not None and not id_:
            return by_code
        if by_code is not None:
            self._wrong(filled.at(row, "code"), "code-of", given=code, site=by_code.id)
            return None
        made = self._new_site(filled, row, str(id_))
        if made is not None and code:
            self._by_code[code] = made
        return made

    def _new_site(self, filled: Filled, row: Row, id_: str) -> WrittenSite | None:
        table, at = filled.table, filled.at(row, "id")
        name = self._cell(filled, row, table.column("name"), "")
        if name is None:
            return None
        made = id_ or slug(str(name))
        alike = sorted(
            {made} & {*self._written.sites, *self._wishes.drafts}
            | (self._called[fold(str(name))] if not id_ else set())
        )
        if not name:
            self._wrong(filled.at(row, "name"), "missing", example=table.column("name").example)
        elif not made:
            self._wrong(at, "missing", example=table.column("id").example)
        elif alike:
            self._wrong(at, "name-of", given=cut(name or made), site=alike[0])
        else:
            like = {"like": usual} if (usual := self._written.usual_template()) else {}
            own = {"id": made, **like}
            site = WrittenSite(own=own, template=self._written.template(own))
            self._call(WrittenSite(own={**own, "name": name}, template={}))
            return site
        return None

    def _device_row(self, filled: Filled, row: Row) -> None:
        table = filled.table
        key = f"{clean(str(row.cells.get('site', '')))}/{clean(str(row.cells.get('device', '')))}"
        if self._row_before("devices", key) is not None and not self._is_there(key):
            self._gone_since.append(key)
            return
        site, name = self._site_named(filled, row), self._cell(filled, row, table.column("device"), "")
        if name == "":
            self._wrong(filled.at(row, "device"), "missing", example=table.column("device").example)
        if site is None or not name:
            return
        name = str(name)
        first = self._rows.setdefault((site.id, name), row.number)
        if first != row.number:
            self._wrong(filled.at(row, "device"), "twice", given=f"{site.id}/{name}", row=first)
            return
        now = device_values(site, name, table.columns)
        before = self._row_before("devices", f"{site.id}/{name}")
        wishes = self._differing(filled, row, now, before, new=site.file is None)
        self._wishes.of_device(site, name, filled.at(row, "device"), wishes)

    def _is_there(self, device: str) -> bool:
        site = self._written.sites.get(device.partition("/")[0])
        return site is not None and device.partition("/")[2] in site.names("devices")

    def _site_named(self, filled: Filled, row: Row) -> WrittenSite | None:
        given, at = row.cells.get("site", ""), filled.at(row, "site")
        column = filled.table.column("site")
        try:
            text = meant(column, given, "")
        except Wrong as wrong:
            self._wrong(at, wrong.saying, **wrong.words)
            return None
        found = sorted(self._called.get(fold(str(text)), ()))
        if not text:
            self._wrong(at, "missing", example=column.example)
        elif not found:
            close = difflib.get_close_matches(fold(str(text)), self._called, n=3, cutoff=0.7)
            self._wrong(at, "site", given=cut(text), near=near([min(self._called[each]) for each in close], ()))
        elif len(found) > 1 and text not in found:
            self._wrong(at, "site-twice", given=cut(text), sites=known(found))
        else:
            id_ = str(text) if text in found else found[0]
            return self._wishes.drafts[id_].site if id_ in self._wishes.drafts else self._written.sites.get(id_)
        return None

    # -- the whole -----------------------------------------------------------------------------------------------------

    def _missing(self, filled: Filled) -> None:
        """What the inventory has and the table has not."""
        if filled.table.name == "sites":
            gone = [each for each in self._written.sites if (each, "") not in self._rows and self._gave("sites", each)]
            if self._remove and not any((each, "") in self._rows for each in self._written.sites):
                self._wrong(filled.sheet.file, "nothing-left", n=len(gone))
            self._stay("sites-stay", filled, gone)
            self._stay("lines-stay", filled, [f"{site}/{name}" for site, name in self._empty_lines])
            self._gone = set(gone) if self._remove else set()
            for id_, name in self._empty_lines if self._remove else ():
                self._wishes.draft(self._written.sites[id_]).remove_target("links", name)
            return
        devices = [
            (site, name)
            for site in self._written.sites.values()
            if site.id not in self._gone
            for name in site.names("devices")
            if (site.id, name) not in self._rows and self._gave("devices", f"{site.id}/{name}")
        ]
        self._stay("devices-stay", filled, [f"{site.id}/{name}" for site, name in devices])
        for site, name in devices if self._remove else ():
            self._wishes.draft(site).remove_target("devices", name)

    def _gave(self, table: str, key: str) -> bool:
        """Whether a row was given out, so that somebody deleted it; not when the inventory got it afterwards."""
        return self._exported is None or self._exported.row(table, key) is not None

    def _stay(self, saying: str, filled: Filled, gone: Sequence[str]) -> None:
        if gone and not self._remove:
            self._notes.append(Mistake(filled.sheet.file, saying, {"n": len(gone), "given": known(gone)}))

    def done(self, into: Path) -> Changes:
        """All edits by file."""
        wishes = self._wishes
        wishes.settle()
        for id_, draft in wishes.drafts.items():
            if draft.new:
                wrong = {each.at for each in self._mistakes}
                if untold := list(wishes.untold(id_, wrong)):
                    self._mistakes += untold
                    self._doubtful.add(id_)
                self._notes += wishes.derived(id_) if id_ not in self._doubtful else ()
        if not self._mistakes:
            wishes.check_met()
        drafts = {id_: each for id_, each in wishes.drafts.items() if id_ not in self._doubtful and each.edits()}
        edits: dict[Path, list[Edit]] = defaultdict(list)
        for id_, draft in drafts.items():
            if id_ not in self._gone:
                edits[draft.site.file or into] += draft.edits()
        for id_ in self._gone:
            site = self._written.sites[id_]
            edits[site.file or into].append(Drop(("sites", site.index)))
        return Changes(
            edits={file: each for file, each in edits.items() if each}, notes=self._notes, mistakes=self._mistakes,
            drafts=list(drafts.values()),
        )  # fmt: skip
