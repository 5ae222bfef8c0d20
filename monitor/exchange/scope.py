"""Pure: what `discover` may look at, how, and how long that takes. Nothing is sent where the inventory names no network."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pydantic import SecretStr

from monitor.core.model import Inventory, Role, Site
from monitor.exchange.sayings import Said, said
from probes.engine.agent import FIRST_SECONDS, Credential
from probes.snmp import SnmpOptions

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MOST_ADDRESSES = 1024
"""A /22: four times what a commune has."""
DEFAULT_RATE = 40
"""Packets a second: 27 kbit/s of echoes each way; were every answer 1,500 bytes long, 480 of a line's 20,000 kbit/s."""
LONGEST_SECONDS = 900.0
"""Then it ends with what it has."""
ROUNDS = 2
"""Echoes to an address that is silent: the first one often goes lost while the router asks who has the address (ARP)."""
ECHO_TIMEOUT_SECONDS = 1.0
PORTS = (80, 443, 445, 554, 1720, 5060, 9100)
"""Of what does not tell by SNMP what it is (IANA: http, https, microsoft-ds, rtsp, h323hostcall, sip, pdl-datastream)."""
ECHO_BITS = 84 * 8
"""An echo of 56 bytes with its headers (RFC 791, 792)."""


class ScopeError(ValueError):
    """What is wanted may not be, or cannot be; says what to do."""

    def __init__(self, saying: str, **words: object) -> None:
        self.why = said(saying, **words)
        super().__init__(self.why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is looked at, and how."""

    site: Site
    ranges: tuple[Network, ...]
    addresses: tuple[str, ...]
    """All of IPv4 in the ranges."""
    known: tuple[str, ...]
    """Addresses in the ranges that the inventory has at the site, of both families."""
    credentials: tuple[Credential, ...]
    rate: int
    """Packets a second."""
    ports: tuple[int, ...] = PORTS
    """TCP; none: nobody is knocked at."""

    def holds(self, address: str) -> bool:
        """Whether it may be sent to."""
        return _holds(self.ranges, self.site, ipaddress.ip_address(address))

    @property
    def round_seconds(self) -> float:
        """From one echo to an address to the next."""
        return max(len(self.addresses) / self.rate, ECHO_TIMEOUT_SECONDS)

    @property
    def echo_seconds(self) -> float:
        """Until all that answer an echo are known."""
        return ROUNDS * self.round_seconds + ECHO_TIMEOUT_SECONDS


def make_scope(
    inventory: Inventory, site: Site, ranges: Sequence[str], credentials: Sequence[Credential], rate: int, ports: Sequence[int]
) -> Scope:  # fmt: skip
    """Raises ScopeError when a range is not of the site's networks, or too large."""
    networks = tuple(map(ipaddress.ip_network, site.networks))
    if not networks:
        raise ScopeError("no-networks", site=site.id)
    wanted = tuple(_range(each, networks) for each in ranges) or networks
    four = list(ipaddress.collapse_addresses(each for each in wanted if isinstance(each, ipaddress.IPv4Network)))
    count = sum(each.num_addresses for each in four)
    if count > MOST_ADDRESSES:
        raise ScopeError("too-many", ranges=", ".join(map(str, four)), n=count, most=MOST_ADDRESSES)
    return Scope(
        site=site,
        ranges=wanted,
        addresses=tuple(str(each) for network in four for each in network if _holds(wanted, site, each)),
        known=tuple(
            canonical(target.address)
            for target in inventory.targets.values()
            if target.site == site.id
            and target.role is Role.DEVICE
            and target.address
            and _holds(wanted, site, ipaddress.ip_address(target.address))
        ),
        credentials=tuple(credentials),
        rate=rate,
        ports=tuple(ports),
    )


def canonical(address: str) -> str:
    """An address as others write it too: of IPv6 there are many ways (RFC 5952); a name as it is."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address


def _range(text: str, networks: Sequence[Network]) -> Network:
    try:
        found = ipaddress.ip_network(text)
    except ValueError:
        raise ScopeError("no-network", given=text) from None
    if not any(found.version == each.version and found.subnet_of(each) for each in networks):  # type: ignore[arg-type]
        raise ScopeError("not-inside", range=found, networks=", ".join(map(str, networks)))
    return found


def _holds(ranges: Sequence[Network], site: Site, address: Address) -> bool:
    """Inside, and no network's own or broadcast address."""
    networks = map(ipaddress.ip_network, site.networks)
    return any(address in each for each in ranges) and not any(_is_edge(address, each) for each in networks)


def _is_edge(address: Address, network: Network) -> bool:
    edges = (network.network_address, network.broadcast_address)
    return network.version == 4 and network.num_addresses > 2 and address in edges


def credentials_of(inventory: Inventory, site: Site, place: Callable[[str], str]) -> tuple[Credential, ...]:
    """How the site's own agents are asked, or where it has none, those of all sites; version 3 first, for it tells no secret.

    `place` says where a secret's text is from.
    """
    options = [
        (target.site, check.options)
        for target in inventory.targets.values()
        for check in target.checks
        if isinstance(check.options, SnmpOptions)
    ]
    own = [each for where, each in options if where == site.id] or [each for _, each in options]
    found = {(each.login(), each.port): _named(each, place) for each in own}
    return tuple(sorted(found.values(), key=lambda each: isinstance(each.login, SecretStr)))


def _named(options: SnmpOptions, place: Callable[[str], str]) -> Credential:
    login = options.login()
    if isinstance(login, SecretStr):
        name = f"version 2c, community from {place(login.get_secret_value())}"
    else:
        secrets = dict.fromkeys(
            place(each.get_secret_value()) for each in (login.auth_password, login.privacy_password)
        )
        name = f"version 3 as {login.name}, passwords from {' and '.join(secrets)}"
    return Credential(name=name, login=login, port=options.port)


def tell_scope(scope: Scope) -> Iterator[Said]:
    """What would be sent, line by line."""
    named = [each for each in scope.known if ":" in each]
    if scope.addresses:
        yield said(
            "scope-echo", n=len(scope.addresses), times=ROUNDS + 1, rate=scope.rate,
            kilobits=f"{scope.rate * ECHO_BITS / 1000:.0f}", seconds=f"{scope.echo_seconds:.0f}",
        )  # fmt: skip
    if any(each.version == 6 for each in scope.ranges):
        yield said("scope-six", n=len(named))
    for each in scope.credentials:
        clear = said("in-clear") if isinstance(each.login, SecretStr) else ""
        yield said("scope-snmp", name=each.name, port=each.port, seconds=f"{FIRST_SECONDS:g}", clear=clear)
    if not scope.credentials:
        yield said("scope-no-snmp")
    if scope.ports:
        yield said("scope-ports", ports=", ".join(map(str, scope.ports)))
    yield said("scope-ends", minutes=f"{LONGEST_SECONDS / 60:g}")
