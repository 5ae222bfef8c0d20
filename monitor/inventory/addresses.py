"""Pure: whether addresses are some, belong to one host, and lie in the networks of their site."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Iterator, Sequence

from monitor.core.model import Role
from monitor.yamlfile import Layers, Problem, Where, place

_HOST = re.compile(
    r"(?=.{1,253}$)([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def read_networks(written: Sequence[str], layers: Layers, where: Where) -> tuple[list[Network], list[Problem]]:
    """The networks of a site, and what is no network."""
    found: list[Network] = []
    problems = []
    for number, each in enumerate(written):
        try:
            found.append(ipaddress.ip_network(each))
        except ValueError:
            text, hint = f"`{each}` is not a network", "write it such as 10.64.17.0/24 or 2001:db8:17::/64"
            with contextlib.suppress(ValueError):
                text, hint = f"`{each}` is an address in a network", f"write {ipaddress.ip_network(each, strict=False)}"
            problems.append(place(layers, (*where, number), text, hint))
    return found, problems


def check_address(address: str, role: Role, networks: Sequence[Network], layers: Layers) -> Iterator[Problem]:
    """What is wrong with a target's address; "" is none."""
    if not address:
        return
    where = ("address",)
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        if role is not Role.SERVICE or not is_name(address):
            hint = "write an IPv4 or IPv6 address" + (", or a host name" if role is Role.SERVICE else "")
            yield place(layers, where, f"`{address}` is not an address", hint)
        return
    if found.is_multicast or found.is_unspecified or str(found) == "255.255.255.255":
        problem = place(layers, where, f"`{address}` is no address of one host", "write its own address")
        yield problem.known_as("no-host", given=address)
    elif role is Role.DEVICE and networks and not any(found in each for each in networks):
        around = ", ".join(map(str, networks))
        text, hint = (
            f"{address} is outside of the site's networks ({around})",
            "mend the address, or name its network in `networks` of the site",
        )
        yield place(layers, where, text, hint).known_as("outside", given=address, networks=around)
    elif role is Role.DEVICE and any(is_edge(found, each) for each in networks):
        problem = place(
            layers, where, f"{address} is the network's own or its broadcast address", "write that of the host"
        )
        yield problem.known_as("edge", given=address)


def is_edge(address: ipaddress.IPv4Address | ipaddress.IPv6Address, network: Network) -> bool:
    """Whether it is the network's own address or its broadcast address."""
    return (
        network.version == 4
        and network.num_addresses > 2
        and address in (network.network_address, network.broadcast_address)
    )


def is_name(address: str) -> bool:
    """Whether it is in the form of a host name."""
    return _HOST.fullmatch(address) is not None and not address.replace(".", "").isdigit()
