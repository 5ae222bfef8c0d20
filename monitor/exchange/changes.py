"""Pure: tables as they came back, against what is written → changes of the files, or every mistake with its cell."""

from __future__ import annotations

import difflib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.exchange.cells import Wrong, clean, meant, same
from monitor.exchange.columns import Column, Value, device_values, joined, parted, shown, site_values, target_values
from monitor.exchange.draft import Draft
from monitor.exchange.exported import Exported
from monitor.exchange.grid import Mistake, SheetError, cut, known, near
from monitor.exchange.places import fold, slug
from monitor.exchange.sheet import Filled, Row
from monitor.exchange.written import Written, WrittenSite
from monitor.exchange.yamledit import Drop, Edit

OWN = ("name", "code", "area", "contact", "phone", "latitude", "longitude")
"""Columns that a template never gives: what is empty there was emptied, also where nothing tells what was exported."""
REQUIRED = {"links": ("provider", "circuit", "profile"), "devices": ("profile",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What to do with the files."""

    edits: Mapping[Path, Sequence[Edit]]
    notes: Sequence[Mistake]
    """What is no mistake, but should be known."""
    drafts: Sequence[Draft]


def changes(
    filled: Sequence[Filled], written: Written, exported: Exported | None, *, into: Path, remove: bool = False
) -> Changes:
    """The changes that make the inventory what was changed in the tables; new sites go into the file `into`. Raises SheetError.

    A cell that holds what was exported asks for nothing, also where the inventory has something else by now; without `exported`
    the tables are held against the inventory. What is not in the tables stays, unless `remove`.
    """
    changer = _Changer(written, exported, remove=remove)
    for each in filled:
        changer.read(each)
    return changer.done(into)


Wish = tuple[Value, str]
"""A value that a cell asks for, and the cell."""


class _Changer:
    """Sites first, then devices, then what follows for each site."""

    def __init__(self, written: Written, exported: Exported | None, *, remove: bool) -> None:
        self._written = written
        self._exported = exported
        self._remove = remove
        self._mistakes: list[Mistake] = []
        self._notes: list[Mistake] = []
        self._drafts: dict[str, Draft] = {}
        self._wishes: dict[str, dict[tuple[str, str], dict[str, Wish]]] = defaultdict(lambda: defaultdict(dict))
        """By site, by table and name of a target, by key."""
        self._asked: dict[tuple[str, str, str], Wish] = {}
        """By site, device or "", and key of the column: to hold the result against."""
        self._rows: dict[tuple[str, str], int] = {}
        self._empty_lines: list[tuple[str, str]] = []
        self._given_in: dict[str, tuple[Filled, Row]] = {}
        """Rows of sites, by id."""
        self._gone: set[str] = set()
        self._gone_since: list[str] = []
        self._ways: list[tuple[str, Wish]] = []
        self._choices = _choices(written)
        self._by_code = {str(each.own["code"]): each for each in written.sites.values() if each.own.get("code")}
        lengths = Counter(map(len, self._by_code))
        self._digits = next(iter(lengths)) if len(lengths) == 1 else 0
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
        site = self._site_of(filled, row)
        if site is None:
            return
        first = self._rows.setdefault((site.id, ""), row.number)
        if first != row.number:
            self._wrong(filled.at(row, "id"), "twice", given=site.id, row=first)
            return
        self._given_in[site.id] = filled, row
        now = site_values(site, filled.table.columns)
        before = self._row_before("sites", site.id)
        known_by_id = bool(clean(str(row.cells.get("id", ""))))
        wishes = self._differing(filled, row, now, before, new=site.file is None or not known_by_id)
        if site.file and before is None:
            self._visible_first(filled, row, site, now, wishes)
        if site.file and known_by_id and (before is not None or self._exported is None):
            self._empty(filled, row, site, before, wishes)
        if wishes or site.file is None:
            self._draft(site)
            self._apply(filled, row, site, wishes)

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
                    words = {"was": _told(column, was), "now": _told(column, now[key]), "given": _told(column, value)}
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
                        "said": _told(column, said),
                    }
                    self._notes.append(Mistake(wishes.pop(key)[1], "word-loses", words))
                    break

    def _draft(self, site: WrittenSite) -> Draft:
        return self._drafts.setdefault(site.id, Draft(self._written, site))

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
            {made} & {*self._written.sites, *self._drafts} | (self._called[fold(str(name))] if not id_ else set())
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
        for key, wish in self._differing(filled, row, now, before, new=site.file is None).items():
            self._wish(site, "devices", name, key, wish)
        if name not in site.names("devices"):
            self._draft(site)
            self._wishes[site.id]["devices", name].setdefault("", ("", filled.at(row, "device")))

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
            return self._drafts[id_].site if id_ in self._drafts else self._written.sites.get(id_)
        return None

    # -- what is asked for -----------------------------------------------------------------------------------------------

    def _wish(self, site: WrittenSite, table: str, name: str, key: str, wish: Wish) -> None:
        self._draft(site)
        self._wishes[site.id][table, name][key] = wish
        column = (name, key) if table == "devices" else ("", f"{name}:{key}")
        self._asked[site.id, *column] = wish
        if key == "behind":
            self._ways.append((site.id, wish))

    def _apply(self, filled: Filled, row: Row, site: WrittenSite, wishes: Mapping[str, Wish]) -> None:
        """What is written at the site itself; its lines wait until all words of the template are known."""
        draft = self._drafts[site.id]
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
            _set(
                draft,
                ("contact",),
                joined(*both),
                next(wishes[key][1] for key in ("contact", "phone") if key in wishes),
            )
        for key, (value, at) in wishes.items():
            what, _, name = key.rpartition(":")
            if what == "vars":
                _set(draft, ("vars", name), draft.typed(name, str(value)) if value else "", at)
            elif what:
                self._wish(site, "links", what, name, (value, at))
                continue
            self._asked[site.id, "", key] = (value, at)

    def _keep(self, site: WrittenSite, draft: Draft, cause: str) -> None:
        """What its template makes of another code or name stays as it was: a circuit keeps its id; a cell may still ask for more."""
        for table in ("links", "devices"):
            for name in site.names(table):
                before, after = (target_values(each.target(table, name)) for each in (site, draft.site))
                for key, value in before.items():
                    if not same(value, after[key]):
                        self._wish(site, table, name, key, (value, cause))

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
            _set(self._drafts[site.id], ("location",), both if both[0] != "" else "", at)

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
                self._draft(self._written.sites[id_]).remove_target("links", name)
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
            self._draft(site).remove_target("devices", name)

    def _gave(self, table: str, key: str) -> bool:
        """Whether a row was given out, so that somebody deleted it; not when the inventory got it afterwards."""
        return self._exported is None or self._exported.row(table, key) is not None

    def _stay(self, saying: str, filled: Filled, gone: Sequence[str]) -> None:
        if gone and not self._remove:
            self._notes.append(Mistake(filled.sheet.file, saying, {"n": len(gone), "given": known(gone)}))

    def done(self, into: Path) -> Changes:
        """All edits by file; raises SheetError."""
        for id_, draft in self._drafts.items():
            if draft.new:
                self._solve(id_, draft)
            for (table, name), wishes in self._wishes[id_].items():
                self._target(draft, table, name, wishes)
        self._mistakes += self._lost_ways()
        if not self._mistakes:
            self._mistakes += self._unmet()
        if self._mistakes:
            raise SheetError(self._mistakes)
        edits: dict[Path, list[Edit]] = defaultdict(list)
        for id_, draft in self._drafts.items():
            if id_ not in self._gone:
                edits[draft.site.file or into] += draft.edits()
        for id_ in self._gone:
            site = self._written.sites[id_]
            edits[site.file or into].append(Drop(("sites", site.index)))
        drafts = [each for each in self._drafts.values() if each.edits()]
        return Changes(edits={file: each for file, each in edits.items() if each}, notes=self._notes, drafts=drafts)

    def _solve(self, id_: str, draft: Draft) -> None:
        """Words of the template of a new site, out of the addresses and names that it has."""
        for (table, name), wishes in self._wishes[id_].items():
            for key, (value, _) in wishes.items():
                if key and draft.missing():
                    draft.solve(table, name, key, value)
        draft.order_words()
        at = self._asked.get((id_, "", "name"), ("", id_))[1]
        for word in draft.missing():
            self._wrong(at, "word", template=draft.site.own.get("like", ""), word=f"{{{word}}}", heading=_heading(word))

    def _target(self, draft: Draft, table: str, name: str, wishes: Mapping[str, Wish]) -> None:
        values = {key: value for key, (value, _) in wishes.items() if key}
        at = next(at for _, at in wishes.values())
        if name in draft.site.names(table):
            for key, (value, cell) in wishes.items():
                if value == "" and key in REQUIRED[table]:
                    self._wrong(cell, "missing", example=_EXAMPLES[key])
                elif key:
                    draft.change_target(table, name, key, value, cell)
            return
        if not any(values.values()) and table == "links":
            return
        if table == "links":
            values["profile"] = self._written.usual_profile(table, name)
        for key in REQUIRED[table]:
            if not values.get(key) and (key in wishes or table == "links"):
                saying = (
                    {"saying": "profile", "name": name}
                    if key == "profile"
                    else {"saying": "missing", "example": _EXAMPLES[key]}
                )
                self._wrong(wishes[key][1] if key in wishes else self._cell_of(draft, name, key, at), **saying)
        draft.add_target(table, name, values, at)

    def _cell_of(self, draft: Draft, line: str, key: str, at: str) -> str:
        """Where a value of a line is filled in; `at` where its table has no such column."""
        filled, row = self._given_in.get(draft.site.id, (None, None))
        return filled.at(row, f"{line}:{key}") if filled and row and f"{line}:{key}" in filled.columns else at

    def _lost_ways(self) -> Iterator[Mistake]:
        """Names behind which something is to be, and that nothing has."""
        for site, (value, at) in self._ways:
            for ref in value if isinstance(value, tuple) else ():
                where, _, name = ref.rpartition("/")
                found = self._names_at(where or site)
                if name not in found:
                    close = difflib.get_close_matches(name, found, n=2, cutoff=0.6)
                    yield Mistake(
                        at,
                        "target",
                        {"given": cut(ref), "near": near([f"{where}/{each}".lstrip("/") for each in close], ())},
                    )

    def _names_at(self, id_: str) -> list[str]:
        site = self._drafts[id_].site if id_ in self._drafts else self._written.sites.get(id_)
        return [name for table in ("links", "devices", "services") for name in site.names(table)] if site else []

    def _unmet(self) -> Iterator[Mistake]:
        """Cells that are not what came of them."""
        for (id_, device, key), (value, at) in self._asked.items():
            site = self._drafts[id_].site
            column = Column(key=key, headers={}, notes={})
            came = (device_values(site, device, [column]) if device else site_values(site, [column]))[key]
            if not same(value, came):
                yield Mistake(at, "not-written", {"given": cut(value)})


def _told(column: Column, value: Value) -> str:
    """For a message, as the cell has it."""
    return cut(shown(column, value))


_EXAMPLES = {"provider": "vnpt", "circuit": "NB-TSL-13444", "profile": "switch"}


def _set(draft: Draft, where: tuple[str, ...], value: object, at: str) -> None:
    if value == "":
        draft.drop(where)
    else:
        draft.put(where, value, at)


def _heading(word: str) -> Mapping[str, str]:
    return {"vi": f"Tham số {word}", "en": f"Word {word}"}


def _choices(written: Written) -> dict[str, dict[str, str]]:
    """Of each list, ids by all that people may call them."""
    called: dict[str, list[tuple[str, str]]] = {
        "providers": [(str(each.get("name", "")), id_) for id_, each in written.providers.items()],
        "profiles": [
            (label, id_) for id_, each in written.profiles.items() for label in (each.get("label") or {}).values()
        ],
        "templates": [],
    }
    ids = {"providers": written.providers, "profiles": written.profiles, "templates": written.templates}
    found = {}
    for name, pairs in called.items():
        times = Counter(fold(text) for text, _ in pairs)
        found[name] = {fold(text): id_ for text, id_ in pairs if times[fold(text)] == 1} | {
            fold(id_): id_ for id_ in ids[name]
        }
    return found


def lists(written: Written) -> dict[str, list[str]]:
    """What can be chosen, for the drop-downs."""
    return {
        "providers": sorted(written.providers), "profiles": sorted(written.profiles),
        "templates": sorted(written.templates), "sites": list(written.sites),
    }  # fmt: skip
