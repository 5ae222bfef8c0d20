"""Pure: equipment that another system or the network tells of → what of it to add to the inventory, and why not the rest."""

from __future__ import annotations

import ipaddress
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from monitor.core.fitting import best_profiles
from monitor.core.model import Inventory, Role, Site
from monitor.exchange.kinds import kind_of
from monitor.exchange.places import Address, Places, groups, is_address, one_line, slug
from monitor.exchange.sayings import Said, listed, said
from monitor.inventory.addresses import is_edge

LONGEST_NAME = 63
HINTED = 50
"""So many places that are no site get a hint; each costs a look at all names."""


@dataclass(frozen=True, slots=True)
class Found:
    """One piece of equipment as another system or the network tells of it; what is not known is ''."""

    site: str
    """Id, code or name of the site that it is said to be at; several groups with `;` between them."""
    name: str
    address: str
    source: str
    """Where it is from, for messages: `devices.json:12` or `SNMP 10.64.1.2`."""
    object_id: str = ""
    """sysObjectID, dotted."""
    description: str = ""
    """sysDescr, model, operating system."""
    kind: str = ""
    """Role as told there: router, switch, ups, …"""
    location: tuple[float, float] | None = None
    """Latitude and longitude in degrees."""
    neighbours: tuple[str, ...] = ()
    """Names or addresses of what it hangs on: what is in front of it, not all that it sees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the inventory has already, by its address."""

    found: Found
    target: str
    """Id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """A device to add."""

    found: Found
    site: str
    """Id."""
    name: str
    profile: str
    why: Said
    """… this profile."""
    address: str
    behind: tuple[str, ...] = ()
    """As the YAML has it; empty: the default of its kind."""
    notes: tuple[Said, ...] = ()
    """What a person should look at."""

    @property
    def id(self) -> str:
        """Of the target that it becomes."""
        return f"{self.site}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What is not added, and why."""

    found: Found
    why: Said


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplaced:
    """A place that is no site of ours."""

    place: str
    devices: int
    near: tuple[str, ...]
    """Names of sites that look like it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What becomes of all that was found; each is in exactly one of `known`, `added` and `left`."""

    known: tuple[Known, ...]
    added: tuple[Addition, ...]
    left: tuple[Left, ...]
    sites: tuple[Site, ...]
    """New ones, for which devices are added."""
    unplaced: tuple[Unplaced, ...]


def propose(
    found: Sequence[Found], inventory: Inventory, *, places: Mapping[str, str] | None = None, new_sites: bool = False
) -> Proposal:
    """What to add of `found`; nothing that the inventory has is changed.

    `places` says which site a place is (its id); with `new_sites` a place that is no site becomes one.
    """
    proposer = _Proposer(inventory, places or {}, new_sites=new_sites)
    for each in found:
        proposer.take(each)
    return proposer.done()


class _Refused(Exception):
    """Why it is not added."""

    def __init__(self, saying: str, **words: object) -> None:
        self.why = said(saying, **words)
        super().__init__(self.why)


class _Proposer:
    """One pass over what was found, then one over what was added, when all names are known."""

    def __init__(self, inventory: Inventory, places: Mapping[str, str], *, new_sites: bool) -> None:
        self._inventory = inventory
        self._places = Places(inventory, places)
        self._new_sites = new_sites
        self._kinds = _kinds_of_devices(inventory)
        self._by_address = _by_address(inventory)
        self._taken: dict[Address, Found] = {}
        self._names: dict[str, set[str]] = defaultdict(set)
        for target in inventory.targets.values():
            self._names[target.site].add(target.name)
        self._known: list[Known] = []
        self._added: list[Addition] = []
        self._left: list[Left] = []
        self._sites: dict[str, Site] = {}
        self._unplaced: Counter[str] = Counter()

    def take(self, found: Found) -> None:
        try:
            address = _address(found)
            if address in self._by_address:
                self._known.append(Known(found=found, target=self._by_address[address]))
            else:
                self._add(found, address)
        except _Refused as refused:
            self._left.append(Left(found=found, why=refused.why))

    def _add(self, found: Found, address: Address) -> None:
        if address in self._taken:
            raise _Refused("same-address", source=self._taken[address].source)
        site, notes = self._site(found, address)
        profile, why, more = self._profile(found)
        if site.id not in self._inventory.sites:
            self._sites[site.id] = site
        name, same = self._name(found, site.id, self._inventory.profiles[profile].kind)
        self._taken[address] = found
        self._added.append(
            Addition(
                found=found, site=site.id, name=name, profile=profile, why=why, address=str(address), notes=(*notes, *more, *same)
            )
        )  # fmt: skip

    # -- where ---------------------------------------------------------------------------------------------------

    def _site(self, found: Found, address: Address) -> tuple[Site, tuple[Said, ...]]:
        named = self._places.find(found.site, address)
        ids = named or self._places.around(address)
        if len(ids) > 1:
            raise _Refused("any-of", place=found.site or said("its-address"), sites=", ".join(ids))
        if not ids:
            return self._new_site(found), ()
        site = self._inventory.sites.get(ids[0])
        if site is None:
            raise _Refused("no-site", site=ids[0], near="")
        around = [ipaddress.ip_network(each) for each in site.networks]
        if around and not any(address in each for each in around):
            raise _Refused("out-of-site", address=address, site=site.id, networks=", ".join(site.networks))
        if any(is_edge(address, each) for each in around):
            raise _Refused("of-network", address=address)
        return site, () if named else (said("by-address", site=site.id, networks=", ".join(site.networks)),)

    def _new_site(self, found: Found) -> Site:
        named = list(groups(found.site))
        id_, name = slug(found.site), one_line(found.site, 120)
        if self._new_sites and len(named) == 1 and id_:
            site = self._sites.get(id_) or Site(id=id_, name=name)
            if site.name.casefold() != name.casefold():
                raise _Refused("one-new-site", one=name, other=site.name, id=id_)
            if found.location and site.latitude is None:
                latitude, longitude = found.location
                site = replace(site, latitude=latitude, longitude=longitude)
            return site
        self._unplaced.update(named)
        if named:
            raise _Refused("not-called", named=listed(named, said("or")))
        raise _Refused("not-placed")

    # -- what ----------------------------------------------------------------------------------------------------

    def _profile(self, found: Found) -> tuple[str, Said, tuple[Said, ...]]:
        """Profile, why, and what a person should look at."""
        profiles = self._inventory.profiles.values()
        kind, reason = kind_of(found.kind, found.name, self._kinds)
        for only in dict.fromkeys((kind, "")):
            best = best_profiles(profiles, object_id=found.object_id, description=found.description, kind=only)
            if best:
                other = () if only == kind else (said("other-kind", why=reason, kind=kind),)
                return best[0], _fits(found), (*other, *_or(best))
        same = sorted((each.id for each in profiles if each.kind == kind), key=lambda name: (name != kind, name))
        if reason is None or kind not in self._kinds:
            raise _Refused("no-profile", told=listed(_unfit(found, reason, kind), "; "))
        return same[0], reason, () if same[0] == kind else _or(same)

    def _name(self, found: Found, site: str, kind: str) -> tuple[str, tuple[Said, ...]]:
        """A name that is free, and a note where the inventory has such a one already."""
        named = "" if is_address(found.name) else found.name
        plain = slug(named if " " in named else named.partition(".")[0]).removeprefix(f"{site}-") or kind
        taken = self._names[site]
        numbered = (f"{plain[: LONGEST_NAME - 1 - len(str(number))]}-{number}" for number in count(2))
        name = plain if plain not in taken else next(each for each in numbered if each not in taken)
        taken.add(name)
        there = self._inventory.targets.get(f"{site}/{plain}")
        at = said("at-address", address=there.address) if there and there.address else ""
        return name, (said("there-is", id=there.id, at=at),) if there else ()

    # -- behind what -----------------------------------------------------------------------------------------------

    def done(self) -> Proposal:
        called: dict[str, list[str]] = defaultdict(list)
        for target in self._inventory.targets.values():
            for name in (target.id, target.name):
                called[name].append(target.id)
        for address, id_ in self._by_address.items():
            called[str(address)].append(id_)
        for known in self._known:
            called[known.found.name.casefold()].append(known.target)
        for added in self._added:
            for name in (added.found.name.casefold(), added.address):
                called[name].append(added.id)
        return Proposal(
            known=tuple(self._known),
            added=tuple(_hung(each, called) for each in self._added),
            left=tuple(self._left),
            sites=tuple(self._sites.values()),
            unplaced=tuple(
                Unplaced(place=place, devices=devices, near=self._places.near(place) if rank < HINTED else ())
                for rank, (place, devices) in enumerate(self._unplaced.most_common())
            ),
        )


def _by_address(inventory: Inventory) -> dict[Address, str]:
    """Which target has an address: of a device and the services on it the device."""
    found: dict[Address, str] = {}
    for target in sorted(inventory.targets.values(), key=lambda each: each.role is not Role.SERVICE):
        if is_address(target.address):
            found[ipaddress.ip_address(target.address)] = target.id
    return found


def _kinds_of_devices(inventory: Inventory) -> set[str]:
    """Those of the profiles, without what only lines or services have."""
    roles: dict[str, set[Role]] = defaultdict(set)
    for target in inventory.targets.values():
        roles[target.kind].add(target.role)
    kinds = {each.kind for each in inventory.profiles.values()}
    return {each for each in kinds if Role.DEVICE in roles[each] or not roles[each]}


def _address(found: Found) -> Address:
    try:
        address = ipaddress.ip_address(found.address.strip())
    except ValueError:
        raise _Refused("no-number" if found.address else "untold", given=found.address) from None
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if address.is_multicast or address.is_unspecified or address.is_loopback or str(address) == "255.255.255.255":
        raise _Refused("of-no-host", address=address)
    if address.is_link_local or getattr(address, "scope_id", None):
        raise _Refused("link-local", address=address)
    return address


def _fits(found: Found) -> Said:
    return said("fits", told=listed(_told(found), said("and")))


def _told(found: Found) -> list[Said]:
    told = (("object-id", found.object_id), ("description", one_line(found.description, 60)))
    return [said(what, text=text) for what, text in told if text]


def _or(names: Sequence[str]) -> tuple[Said, ...]:
    return (said("as-well", names=", ".join(names[1:])),) if len(names) > 1 else ()


def _unfit(found: Found, reason: Said | None, kind: str) -> list[Said]:
    return [said("no-such-kind", why=reason, kind=kind) if reason else said("no-kind"), *_told(found)]


def _hung(addition: Addition, called: Mapping[str, Sequence[str]]) -> Addition:
    """With what it is behind, where that can be told: one of its own site before those of others."""
    behind: list[str] = []
    lost: list[Said] = []
    for each in addition.found.neighbours:
        targets = set(called.get(each.casefold(), ())) - {addition.id}
        targets = {target for target in targets if target.startswith(f"{addition.site}/")} or targets
        if len(targets) == 1:
            behind.append(targets.pop().removeprefix(f"{addition.site}/"))
        elif targets or each.casefold() != addition.found.name.casefold():
            lost.append(said("hangs-several" if targets else "hangs-lost", name=each))
    return replace(addition, behind=tuple(dict.fromkeys(behind)), notes=(*addition.notes, *lost))
