"""Pure: what answered → what hangs on what, by LLDP and by the address tables of switches, and how sure that is.

The tree is rooted at the site's router: what is in front of a device is the neighbour that is nearer to it. Two neighbours at
the same distance are two ways, and both are told.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from probes.wire.identity import Identity

NOTHING = Identity()
_BY_PORT = {1720: "vc-endpoint", 9100: "printer", 554: "camera", 5060: "vc-endpoint", 445: "computer"}
"""What a thing is that has this port open; the first that is."""


@dataclass(slots=True)
class Seen:
    """An address that answered in some way."""

    address: str
    echo_seconds: float | None = None
    """Round trip; None: it answers no echo."""
    identity: Identity | None = None
    """As its agent tells; None: no agent, or none that takes our credentials."""
    credential: str = ""
    """Name of the one that it takes."""
    ports: tuple[int, ...] = ()
    """TCP, open; of those that were knocked at."""


class Sure(StrEnum):
    """How sure it is what a device hangs on."""

    ROOT = "root"
    BOTH = "both"
    ONE = "one"
    TABLE = "table"
    NOT = "not"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A device, and what it hangs on."""

    seen: Seen
    also: tuple[str, ...] = ()
    """Its other addresses."""
    kind: str = ""
    """What it says that it is, or its neighbours say, or its ports tell; "" when nothing does."""
    parents: tuple[str, ...] = ()
    """Addresses."""
    sure: Sure = Sure.NOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """A neighbour that a device tells of, and that did not answer, or is outside of what was looked at."""

    by: str
    """Address of who tells."""
    port: str
    name: str
    """Or its chassis id, where it tells no name."""
    addresses: tuple[str, ...]
    kind: str


def hang(
    found: Sequence[Seen], routers: Collection[str], preferred: Collection[str]
) -> tuple[list[Node], list[Unseen]]:
    """Devices in the order of their addresses with what they hang on, and neighbours that are none of them.

    `routers` are addresses of the site's routers in the inventory, `preferred` those by which it has devices at all.
    """
    devices = sorted(_united(found, preferred), key=lambda each: _order(each[0].address))
    return _Tree(devices, routers).nodes()


def _order(address: str) -> tuple[int, int]:
    found = ipaddress.ip_address(address)
    return found.version, int(found)


def _united(found: Sequence[Seen], preferred: Collection[str]) -> Iterator[tuple[Seen, tuple[str, ...]]]:
    """A device that answers at several addresses once, with the others."""
    same: dict[object, list[Seen]] = defaultdict(list)
    for each in found:
        told = each.identity or NOTHING
        mark = told.chassis or told.bridge_address
        same[(mark, told.name, told.object_id) if mark else each.address].append(each)
    for group in same.values():
        group.sort(key=lambda each: each.address not in preferred)  # stable: else the first one
        yield group[0], tuple(each.address for each in group[1:])


class _Tree:
    """One look at what hangs on what."""

    def __init__(self, devices: Sequence[tuple[Seen, tuple[str, ...]]], routers: Collection[str]) -> None:
        self._devices = {seen.address: (seen, also) for seen, also in devices}
        self._identities = {seen.address: seen.identity or NOTHING for seen, _ in devices}
        self._macs = self._known_macs()
        self._by_mark = self._marks()
        self._heard: dict[str, dict[str, str]] = defaultdict(dict)
        """By who heard it and who was heard: what it is."""
        self._unseen: list[Unseen] = []
        self._hear()
        self._kinds = {address: self._kind(address) for address in self._devices}
        self._root = self._find_root(routers)

    def nodes(self) -> tuple[list[Node], list[Unseen]]:
        far = self._distances()
        return [self._node(address, far) for address in self._devices], self._unseen

    # -- who is who ----------------------------------------------------------------------------------------------

    def _known_macs(self) -> dict[str, set[str]]:
        """MAC addresses by address of the device: its own, and those that others have spoken with it by."""
        macs: dict[str, set[str]] = defaultdict(set)
        for address, told in self._identities.items():
            macs[address] |= {told.chassis, told.bridge_address} - {""}
        main = {each: seen.address for seen, also in self._devices.values() for each in (seen.address, *also)}
        for told in self._identities.values():
            for address, mac in told.macs.items():
                if address in main:
                    macs[main[address]].add(mac)
        return macs

    def _marks(self) -> dict[str, str]:
        """Device by anything that is said of it alone: addresses, MAC addresses, chassis, name."""
        marks: dict[str, set[str]] = defaultdict(set)
        for address, (_, also) in self._devices.items():
            name = self._identities[address].name.casefold()
            for mark in (address, *also, *self._macs[address], *([name] if name else [])):
                marks[mark].add(address)
        return {mark: next(iter(addresses)) for mark, addresses in marks.items() if len(addresses) == 1}

    def _hear(self) -> None:
        for address, told in self._identities.items():
            for each in told.neighbours:
                marks = (*each.addresses, each.chassis, each.name.casefold())
                who = next((self._by_mark[mark] for mark in marks if mark in self._by_mark), None)
                if who is None:
                    unseen = Unseen(
                        by=address,
                        port=each.port,
                        name=each.name or each.chassis,
                        addresses=each.addresses,
                        kind=each.kind,
                    )
                    self._unseen.append(unseen)
                elif who != address:
                    self._heard[address][who] = each.kind

    def _kind(self, address: str) -> str:
        told = self._identities[address]
        seen, _ = self._devices[address]
        heard = next((kinds[address] for kinds in self._heard.values() if kinds.get(address)), "")
        if told.ups:
            return "ups"
        return heard or ("switch" if told.bridges and not told.forwards else _by_port(seen.ports))

    def _find_root(self, routers: Collection[str]) -> str:
        """The inventory's router; else the only one that others call so; else the only one that forwards and knows others."""
        for candidates in (
            [address for address, (_, also) in self._devices.items() if {address, *also} & set(routers)],
            [address for address, kind in self._kinds.items() if kind == "router"],
            [address for address, told in self._identities.items() if told.forwards and (told.macs or told.neighbours)],
        ):
            if candidates:
                return candidates[0] if len(candidates) == 1 or set(candidates) & set(routers) else ""
        return ""

    # -- what hangs on what --------------------------------------------------------------------------------------

    def _distances(self) -> dict[str, int]:
        """Steps over LLDP from the root, of all that it leads to."""
        far = {self._root: 0} if self._root else {}
        edge = list(far)
        while edge:
            near = {other for one in edge for other in self._next_to(one)} - far.keys()
            step = far[edge[0]] + 1
            far |= dict.fromkeys(near, step)
            edge = list(near)
        return far

    def _next_to(self, address: str) -> set[str]:
        return set(self._heard[address]) | {other for other, heard in self._heard.items() if address in heard}

    def _node(self, address: str, far: Mapping[str, int]) -> Node:
        seen, also = self._devices[address]
        parents, sure = self._parents(address, far)
        return Node(seen=seen, also=also, kind=self._kinds[address], parents=parents, sure=sure)

    def _parents(self, address: str, far: Mapping[str, int]) -> tuple[tuple[str, ...], Sure]:
        if address == self._root:
            return (), Sure.ROOT
        if address in far:
            parents = tuple(
                each for each in self._devices if far.get(each) == far[address] - 1 and each in self._next_to(address)
            )
            both = all(address in self._heard[each] and each in self._heard[address] for each in parents)
            return parents, Sure.BOTH if both else Sure.ONE
        switch = self._by_table(address)
        return ((switch,), Sure.TABLE) if switch else ((), Sure.NOT)

    def _by_table(self, address: str) -> str:
        """The switch that sees it behind a port behind which no other switch or router is; "" when it is not just one.

        Of two switches that see each other so, neither could be told to hang on the other.
        """
        if self._identities[address].seen_at:
            return ""
        backbone = [
            each for each, told in self._identities.items() if (told.seen_at or each == self._root) and each != address
        ]
        found = []
        for switch in backbone:
            seen_at = self._identities[switch].seen_at
            trunks = {seen_at[mac] for each in backbone if each != switch for mac in self._macs[each] if mac in seen_at}
            ports = {seen_at[mac] for mac in self._macs[address] if mac in seen_at}
            if ports and not ports & trunks:
                found.append(switch)
        return found[0] if len(found) == 1 else ""


def _by_port(ports: Collection[int]) -> str:
    return next((kind for port, kind in _BY_PORT.items() if port in ports), "")
