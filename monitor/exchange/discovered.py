"""Pure: what a look over a network found, as records to propose from, as a table for a person, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from monitor.core.fitting import best_profiles
from monitor.core.model import Inventory, Role, Target
from monitor.core.words import Language
from monitor.exchange.found import Found, Proposal
from monitor.exchange.sayings import Said, said
from monitor.exchange.scope import Scope, canonical
from monitor.exchange.tree import NOTHING, Node, Seen, Sure, Unseen, hang

LONGEST_CELL = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """One look, as it ended."""

    scope: Scope
    nodes: tuple[Node, ...]
    unseen: tuple[Unseen, ...]
    silent: tuple[Target, ...]
    """Devices that the inventory has in the ranges, and that answered in no way."""
    stopped: Said | None = None
    """Why it ended before its time."""


def discovered(scope: Scope, seen: Mapping[str, Seen], inventory: Inventory, stopped: Said | None = None) -> Discovered:
    """What `seen`, by address, makes together."""
    devices = {
        canonical(each.address): each
        for each in inventory.targets.values()
        if each.site == scope.site.id and each.role is Role.DEVICE
    }
    routers = {address for address, each in devices.items() if each.kind == "router"}
    nodes, unseen = hang(list(seen.values()), routers, devices.keys())
    silent = (devices[address] for address in scope.known if address not in seen)
    return Discovered(scope=scope, nodes=tuple(nodes), unseen=tuple(unseen), silent=tuple(silent), stopped=stopped)


def recogniser(inventory: Inventory) -> Callable[[Seen], bool]:
    """Says whether it is clear what something is: the inventory has it, or a profile fits what its agent says."""
    known = {canonical(each.address) for each in inventory.targets.values()}
    profiles = inventory.profiles.values()

    def is_told(seen: Seen) -> bool:
        told = seen.identity or NOTHING
        fitting = told.ups or best_profiles(profiles, object_id=told.object_id, description=told.description)
        return seen.address in known or bool(fitting)

    return is_told


def records(found: Discovered) -> list[Found]:
    """One for each device; what it hangs on are its neighbours."""
    return [_record(node, found.scope.site.id) for node in found.nodes]


def _record(node: Node, site: str) -> Found:
    told = node.seen.identity or NOTHING
    return Found(
        site=site, name=told.name, address=node.seen.address, source=_source(node), object_id=told.object_id,
        description=" ".join(filter(None, (told.description, told.ups))), kind=node.kind, neighbours=node.parents,
    )  # fmt: skip


def _source(node: Node) -> str:
    if node.seen.identity:
        return f"SNMP {node.seen.address}"
    return f"TCP {', '.join(map(str, node.seen.ports))}" if node.seen.ports else "echo"


# -- for a person ------------------------------------------------------------------------------------------------------


def table(found: Discovered, language: Language) -> Iterator[str]:
    """A line for each device."""
    names = {node.seen.address: _name(node) or node.seen.address for node in found.nodes}
    rows = [tuple(said("columns").text(language).split("|")), *(_row(node, names, language) for node in found.nodes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        yield "  ".join((*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[-1])).rstrip()


def besides(found: Discovered) -> Iterator[Said]:
    """What else a person should know."""
    for node in found.nodes:
        if node.also:
            yield said("also", address=node.seen.address, others=", ".join(node.also))
    for target in found.silent:
        yield said("silent", target=target.id, address=target.address)
    for each in found.unseen:
        at = said("at", addresses=", ".join(each.addresses)) if each.addresses else ""
        yield said("unseen", name=each.name or said("neighbour"), at=at, by=each.by, port=each.port)
    if not any(node.sure is Sure.ROOT for node in found.nodes):
        yield said("no-router")


def _name(node: Node) -> str:
    return _cut((node.seen.identity or NOTHING).name)


def _row(node: Node, names: Mapping[str, str], language: Language) -> tuple[str, ...]:
    told = node.seen.identity or NOTHING
    itself = told.description or told.ups or told.object_id
    if not itself:
        tells = node.seen.identity or node.seen.ports
        itself = _source(node) if tells else said("only-echo").text(language)
    what = f"{node.kind}: {itself}" if node.kind else itself
    hangs_on = ", ".join(names[each] for each in node.parents) or "-"
    return node.seen.address, _name(node) or "-", _cut(what), hangs_on, _sure(node).text(language)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"


def _sure(node: Node) -> Said:
    return said(f"sure-{node.sure}")


def otherwise(found: Discovered, proposal: Proposal, inventory: Inventory) -> Iterator[Said]:
    """Devices of the inventory that hang on something else than it says."""
    targets = {each.found.address: each.target for each in proposal.known}
    ids = targets | {each.address: each.id for each in proposal.added}
    for node in found.nodes:
        target = inventory.targets.get(targets.get(node.seen.address, ""))
        parents = [ids[each] for each in node.parents if each in ids]
        if target and parents and not set(parents) & set(target.behind):
            written = ", ".join(target.behind) or said("nothing")
            yield said("otherwise", target=target.id, written=written, parents=", ".join(parents), sure=_sure(node))


# -- for programs ------------------------------------------------------------------------------------------------------


def as_json(found: Discovered, proposal: Proposal, yaml: str) -> dict[str, Any]:
    """All of it; of credentials only the name."""
    return {
        "site": found.scope.site.id,
        "ranges": list(map(str, found.scope.ranges)),
        "stopped": str(found.stopped or ""),
        "devices": [_device(node) for node in found.nodes],
        "silent": [{"target": each.id, "address": each.address} for each in found.silent],
        "unseen": [asdict(each) for each in found.unseen],
        "known": [{"target": each.target, "address": each.found.address} for each in proposal.known],
        "added": [
            {
                "target": each.id, "address": each.address, "profile": each.profile, "why": str(each.why),
                "behind": list(each.behind), "notes": list(map(str, each.notes)),
            }
            for each in proposal.added
        ],
        "left": [{"address": each.found.address, "why": str(each.why)} for each in proposal.left],
        "yaml": yaml,
    }  # fmt: skip


def _device(node: Node) -> dict[str, Any]:
    told = node.seen.identity or NOTHING
    return {
        "address": node.seen.address, "also": list(node.also), "echo_seconds": node.seen.echo_seconds, "kind": node.kind,
        "name": told.name, "description": told.description, "object_id": told.object_id, "location": told.location,
        "ports": told.ports, "credential": node.seen.credential, "tcp_ports": list(node.seen.ports),
        "hangs_on": list(node.parents), "sure": node.sure.name.lower(),
        "neighbours": [asdict(each) for each in told.neighbours],
    }  # fmt: skip
