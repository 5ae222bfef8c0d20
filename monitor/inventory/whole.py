"""Pure: what only shows when everything is known: what is there twice, what is missing, and what may be meant, but seldom is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from monitor.core.model import Role, Target
from monitor.core.words import ROOM
from monitor.inventory.findings import Findings
from monitor.inventory.schema import SiteModel
from monitor.yamlfile import Layers, Problem, Source, Where, place

Placed = Mapping[str, tuple[Source, Where]]
"""Where each of a table is written, by name."""


def check_codes(sites: Iterable[tuple[Source, int, SiteModel]], findings: Findings) -> None:
    """Each official code is that of one site: by it people, spreadsheets and circuits tell sites apart."""
    seen: dict[str, tuple[SiteModel, Problem]] = {}
    for source, index, site in sites:
        if not site.code:
            continue
        here = source.problem(("sites", index, "code"), "")
        first, there = seen.setdefault(site.code, (site, here))
        if first.id != site.id:
            text = f"code {site.code} is already that of site `{first.id}` in {there.file}:{there.line}"
            problem = replace(here, message=text, hint="write each site's own, in quotes")
            findings.problems.append(problem.known_as("code-of", given=site.code, site=first.id))


def check_addresses(targets: Mapping[str, Target], places: Mapping[str, Layers], findings: Findings) -> None:
    """Each address is that of one link or device; several services may share a host."""
    seen: dict[str, str] = {}
    for id_, target in targets.items():
        if not target.address or target.role is Role.SERVICE:
            continue
        first = seen.setdefault(target.address, id_)
        if first != id_:
            text = f"address {target.address} already belongs to {first}"
            problem = place(places[id_], ("address",), text, "give one of the two its own")
            findings.problems.append(problem.known_as("address-of", given=target.address, target=first))


def check_vantage(targets: Mapping[str, Target], file: str, findings: Findings) -> None:
    """Some device must be our own gateway."""
    if targets and findings.whole and not any(target.vantage for target in targets.values()):
        text = "no device is our own gateway, so trouble of our own would be blamed on the sites"
        hint = "add `vantage: true` to the device next to the monitor"
        findings.problems.append(Problem(file, 0, 0, text, hint))


def doubt_unused(what: str, placed: Placed, used: Collection[str], findings: Findings) -> None:
    """What nothing uses: `what` is said of the first in each file, with its name for `{}`, and the others there are named with it.

    Who takes over a file of ours for a few of its profiles means the rest of them.
    """
    files: dict[str, list[str]] = defaultdict(list)
    for name, (source, _) in placed.items():
        if name not in used:
            files[source.file].append(name)
    for first, *others in files.values():
        same = f"the same of {', '.join(f'`{each}`' for each in others)}" if others else ""
        findings.doubt(*placed[first], what.format(first), same)


def doubt_circuits(targets: Mapping[str, Target], places: Mapping[str, Layers], findings: Findings) -> None:
    """A provider has one line under one circuit id; a row that was copied from a neighbour still has the neighbour's."""
    seen: dict[tuple[str, str], Target] = {}
    for id_, each in targets.items():
        if each.role is not Role.LINK:
            continue
        first = seen.setdefault((each.provider, each.circuit), each)
        if first.site != each.site:
            text = f"circuit {each.circuit} of `{each.provider}` is already that of {first.id}"
            problem = replace(place(places[id_], ("circuit",), text, "ask the provider which it is"), warning=True)
            findings.problems.append(problem.known_as("circuit-of", given=each.circuit, target=first.id))


def doubt_rooms(targets: Mapping[str, Target], places: Mapping[str, Layers], findings: Findings) -> None:
    """Mails call a room by its place, so two at one site need names that tell them apart."""
    seen: dict[tuple[str, frozenset[tuple[str, str]]], Target] = {}
    for id_, each in targets.items():
        if each.kind != ROOM:
            continue
        first = seen.setdefault((each.site, frozenset(each.label.items())), each)
        if first is not each:
            text = f"mails call this room as they call {first.id}"
            hint = "write `label: {vi: …, en: …}` at both, such as {vi: Phòng họp tầng 2, en: Room on the second floor}"
            findings.problems.append(replace(place(places[id_], (), text, hint, at_key=True), warning=True))


def doubt_roles(targets: Mapping[str, Target], places: Mapping[str, Layers], findings: Findings) -> None:
    """A kind that is a device at most places and a line at one: its profile hardly fits there."""
    roles: dict[str, Counter[Role]] = defaultdict(Counter)
    for each in targets.values():
        roles[each.kind][each.role] += 1
    for id_, each in targets.items():
        ((usual, _), *others) = roles[each.kind].most_common()
        if others and each.role is not usual:
            text = f"a {each.role} with a profile of kind `{each.kind}`, which is a {usual} elsewhere"
            findings.problems.append(replace(place(places[id_], ("profile",), text), warning=True))
