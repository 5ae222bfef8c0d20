"""Pure: what is written about sites, lines and devices, in which file, and what comes of it with their templates."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.inventory.templates import BRACES, merge
from monitor.yamlfile import Source

Body = Mapping[str, Any]
TABLES = ("links", "devices")


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenSite:
    """A site as its file has it."""

    own: Body
    """What stands there itself."""
    template: Body
    """What it is like; empty: like nothing."""
    file: Path | None = None
    """None: it is new."""
    index: int = -1
    """Its place in the file's `sites`."""

    @property
    def id(self) -> str:
        """As written."""
        return str(self.own["id"])

    def vars(self) -> dict[str, Any]:
        """Its own words."""
        return dict(self.own.get("vars") or {})

    def words(self) -> dict[str, str]:
        """All that is filled in; a code or an area that it has not fills nothing."""
        known = {key: str(self.own[key]) for key in ("id", "name", "code", "area") if self.own.get(key)}
        return known | {key: str(value) for key, value in self.vars().items()}

    def names(self, table: str) -> list[str]:
        """Of its links or devices, the template's first."""
        inherited, own = self.template.get(table) or {}, self.own.get(table) or {}
        return [name for name in dict.fromkeys((*inherited, *own)) if not (name in own and own[name] is None)]

    def target(self, table: str, name: str) -> dict[str, Any]:
        """A link or device with what its template gives, filled in; empty where there is none."""
        if name not in self.names(table):
            return {}
        own = (self.own.get(table) or {}).get(name) or {}
        filled: dict[str, Any] = fill(merge(self.inherited(table, name), own), self.words())
        return filled

    def inherited(self, table: str, name: str) -> dict[str, Any]:
        """What the template gives for a link or device, not filled in."""
        return dict((self.template.get(table) or {}).get(name) or {})


class Written:
    """All files of an inventory that is in form."""

    def __init__(self, sources: Sequence[Source]) -> None:
        tables = [(Path(each.file), each.value) for each in sources if isinstance(each.value, Mapping)]
        self.files = [Path(each.file) for each in sources]
        self.templates: dict[str, Body] = _joined(tables, "templates")
        self.profiles: dict[str, Body] = _joined(tables, "profiles")
        self.providers: dict[str, Body] = _joined(tables, "providers")
        self.sites = {
            str(own["id"]): WrittenSite(own=own, template=self.template(own), file=file, index=index)
            for file, table in tables
            for index, own in enumerate(table.get("sites") or ())
        }

    def template(self, own: Body) -> Body:
        """What a site with these keys is like."""
        return self.templates.get(str(own.get("like", "")), {})

    def kind(self, site: WrittenSite) -> str:
        """Of a site: commune, pop, …"""
        return str(site.own.get("kind") or site.template.get("kind") or "commune")

    def names(self, table: str) -> list[str]:
        """Of links or devices, what most sites have first."""
        return _by_frequency(name for site in self.sites.values() for name in site.names(table))

    def vars(self) -> list[str]:
        """Of the words that sites give themselves, what most have first."""
        return _by_frequency(name for site in self.sites.values() for name in site.vars())

    def usual_template(self) -> str:
        """What most sites are like."""
        return next(
            iter(_by_frequency(str(each.own["like"]) for each in self.sites.values() if each.own.get("like"))), ""
        )

    def usual_profile(self, table: str, name: str) -> str:
        """Of links or devices with this name."""
        return next(iter(_by_frequency(self.profiles_of(table, name))), "")

    def profiles_of(self, table: str, only: str = "") -> Iterator[str]:
        """Of all links, devices or services, or only those with one name."""
        for site in self.sites.values():
            own = site.own.get(table) or {}
            for name in site.names(table) if not only else {only} & {*site.names(table)}:
                if profile := (own.get(name) or {}).get("profile") or site.inherited(table, name).get("profile"):
                    yield str(profile)

    def profile(self, id_: str) -> Body:
        """A profile with all that it is like."""
        seen: dict[str, Body] = {}
        while id_ in self.profiles and id_ not in seen:
            seen[id_] = self.profiles[id_]
            id_ = str(seen[id_].get("like", ""))
        return {key: value for each in reversed(seen.values()) for key, value in each.items()}

    def usual_file(self) -> Path:
        """Where most sites stand."""
        files = [str(each.file) for each in self.sites.values()]
        return Path(next(iter(_by_frequency(files)), str(self.files[0])))


def _joined(tables: Sequence[tuple[Path, Any]], name: str) -> dict[str, Body]:
    return {key: value for _, table in tables for key, value in (table.get(name) or {}).items()}


def _by_frequency(names: Iterator[str] | Sequence[str]) -> list[str]:
    return [name for name, _ in Counter(names).most_common()]


def fill(value: Any, words: Mapping[str, str]) -> Any:
    """The value with all words filled in that are known; others stay."""
    if isinstance(value, Mapping):
        return {key: fill(each, words) for key, each in value.items()}
    if isinstance(value, list):
        return [fill(each, words) for each in value]
    if not isinstance(value, str) or "{" not in value:
        return value
    return BRACES.sub(lambda found: found[0][0] if found[1] is None else words.get(found[1], found[0]), value)


def texts(value: Any) -> Iterator[str]:
    """All texts in a value, of whatever it is made."""
    if isinstance(value, Mapping):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)
    elif isinstance(value, str):
        yield value


def wanted(value: Any) -> Iterator[str]:
    """The words that texts want filled in, each as often as it stands there."""
    for text in texts(value):
        yield from (found[1] for found in BRACES.finditer(text) if found[1] is not None)


def one_text(value: object) -> str:
    """A text, or the one entry of a list that has one; else none."""
    if isinstance(value, list | tuple):
        return str(value[0]) if len(value) == 1 else ""
    return value if isinstance(value, str) else ""


def solved(text: str, value: str, words: Mapping[str, str]) -> dict[str, str]:
    """The words without which `text` is not yet `value`: `10.65.{n}.2` and `10.65.17.2` give n = 17; none when it cannot be."""
    pattern, at, groups = "", 0, dict[str, str]()
    for found in BRACES.finditer(text):
        pattern += re.escape(text[at : found.start()])
        name, at = found[1], found.end()
        if name is None:
            pattern += re.escape(found[0][0])
        elif name in words:
            pattern += re.escape(words[name])
        elif name in groups:
            pattern += f"(?P={groups[name]})"
        else:
            groups[name] = f"word{len(groups)}"
            pattern += f"(?P<{groups[name]}>[^/]+?)"
    match = re.fullmatch(pattern + re.escape(text[at:]), value)
    return {name: match[group] for name, group in groups.items()} if match else {}
