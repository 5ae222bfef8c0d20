"""Pure: which site is meant, when another system or a person writes a place in their own way."""

from __future__ import annotations

import difflib
import ipaddress
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from monitor.core.model import Inventory, Site

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_SEPARATORS = ("", ";", r"[;/>|\\]", r"[;/>|\\,]")
"""A place may be several groups (`;`), a path of groups, or have its district behind a comma: the most that names a site counts."""
_OFFICE = re.compile(r"^(ubnd|uy ban nhan dan) ")
_UNIT = re.compile(r"^(xa|phuong|thi tran|dac khu|commune|ward|huyen|quan|thi xa|thanh pho|tinh) ")
_WRITTEN_UNIT = re.compile(r"^(xã|phường|thị trấn|đặc khu) ")


def fold(text: str) -> str:
    """Small letters without diacritics, words with one space between them: `Xã Tân-Thành` → `xa tan thanh`."""
    plain = unicodedata.normalize("NFKD", text.casefold()).replace("đ", "d")
    return " ".join(re.findall(r"[^\W_]+", "".join(each for each in plain if not unicodedata.combining(each))))


def slug(text: str) -> str:
    """A text as an id: `Xã Tân Thành` → `xa-tan-thanh`; "" when nothing of it can stand in one."""
    return re.sub(r"[^a-z0-9]+", "-", fold(text).encode("ascii", "ignore").decode())[:63].strip("-")


class Places:
    """The sites of an inventory by all that they may be called, and by their networks."""

    def __init__(self, inventory: Inventory, also: Mapping[str, str]) -> None:
        """`also` has what a person says: a place as the other system calls it, and the id of its site."""
        self._sites = inventory.sites
        self._also = {_key(place): site for place, site in also.items()}
        self._exact: dict[str, list[str]] = defaultdict(list)
        self._folded: dict[str, list[str]] = defaultdict(list)
        self._bare: dict[str, list[str]] = defaultdict(list)
        self._networks: dict[tuple[int, int], dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        for site in inventory.sites.values():
            self._name(site)

    def _name(self, site: Site) -> None:
        for name in {site.id, site.name, site.code} - {""}:
            self._exact[_exact(name)].append(site.id)
        for name in {fold(site.id), fold(site.name)} - {""}:
            self._folded[name].append(site.id)
        for name in {_bare(site.id), _bare(site.name)} - {""}:
            self._bare[name].append(site.id)
        for each in map(ipaddress.ip_network, site.networks):
            self._networks[each.version, each.prefixlen][int(each.network_address)].append(site.id)

    def find(self, place: str, address: Address | None = None) -> tuple[str, ...]:
        """Ids of the sites that may be meant: one when it is clear, none when nothing is called so."""
        for separator in _SEPARATORS:
            parts = [place] if not separator else re.split(separator, place)
            found = tuple(dict.fromkeys(site for part in parts for site in self._called(part)))
            if found:
                return self._narrowed(found, place, address)
        return ()

    def around(self, address: Address) -> tuple[str, ...]:
        """Ids of the sites in whose networks the address is."""
        bits = address.max_prefixlen
        return tuple(
            site
            for (version, prefix), networks in self._networks.items()
            if version == address.version
            for site in networks.get(int(address) >> (bits - prefix) << (bits - prefix), ())
        )

    def _called(self, part: str) -> Iterable[str]:
        also = self._also.get(_key(part))
        if also is not None:
            return (also,)
        return self._exact.get(_exact(part)) or self._folded.get(_office(part)) or self._bare.get(_bare(part)) or ()

    def _narrowed(self, sites: tuple[str, ...], place: str, address: Address | None) -> tuple[str, ...]:
        """Of several alike the one whose area is named too, in whose networks the address is, or that has the same diacritics."""
        if len(sites) > 1:
            said, words = _exact(place), f" {fold(place)} "
            around = self.around(address) if address is not None else ()
            areas = [each for each in sites if f" {_bare(self._sites[each].area)} " in words]
            alike = [each for each in sites if _WRITTEN_UNIT.sub("", _exact(self._sites[each].name)) in said]
            for fewer in (areas, [each for each in sites if each in around], alike):
                if len(fewer) == 1:
                    return tuple(fewer)
        return sites

    def near(self, place: str) -> tuple[str, ...]:
        """Names of sites that look like it, the best first."""
        close = difflib.get_close_matches(_office(place), self._folded, n=3, cutoff=0.7)
        return tuple(dict.fromkeys(self._sites[site].name for each in close for site in self._folded[each]))[:3]


def is_address(text: str) -> bool:
    """Whether it is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def one_line(text: str, most: int = 300) -> str:
    """What a stranger wrote as one line that a terminal and YAML can hold, cut where it is too long."""
    plain = " ".join("".join(each if each.isprintable() else " " for each in text[: 4 * most]).split())
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def groups(place: str) -> Iterator[str]:
    """The groups that a place is made of, as `--site GROUP=SITE` takes them."""
    return filter(None, map(str.strip, place.split(";")))


def _exact(text: str) -> str:
    return unicodedata.normalize("NFC", " ".join(text.split())).casefold()


def _key(text: str) -> str:
    return fold(text) or _exact(text)


def _office(text: str) -> str:
    return _OFFICE.sub("", fold(text))


def _bare(text: str) -> str:
    return _UNIT.sub("", _office(text))
