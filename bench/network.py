"""The network of the measurements: here, and behind a veth a far namespace in which every address answers."""

from __future__ import annotations

import ipaddress
import socket

from lab.network import run

HERE, FAR = "10.250.0.1", "10.250.0.2"
FIELD = ipaddress.ip_network("10.64.0.0/10")
"""16,384 sites of a /24 each."""
SITES = 16_384
PORTS = 48


def raise_network() -> None:
    """Make both; only inside the namespaces of `lab.network.namespaces_command`, with which they end."""
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    run("ip", "netns", "add", "far")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "near0", "type", "veth", "peer", "name", "far0", "netns", "far")
    run("ip", "addr", "add", f"{HERE}/30", "dev", "near0")
    run("ip", "link", "set", "near0", "up")
    run("ip", "-n", "far", "link", "set", "lo", "up")
    run("ip", "-n", "far", "addr", "add", f"{FAR}/30", "dev", "far0")
    run("ip", "-n", "far", "link", "set", "far0", "up")
    run("ip", "-n", "far", "route", "add", "local", str(FIELD), "dev", "lo")
    run("ip", "route", "add", str(FIELD), "via", FAR)


def add_ports() -> None:
    """48 ports in the far namespace for an SNMP agent to tell of: veth pairs, because not every kernel has dummies."""
    for index in range(1, PORTS, 2):
        run("ip", "-n", "far", "link", "add", f"p{index}", "type", "veth", "peer", "name", f"p{index + 1}")
        for port in (index, index + 1):
            run("ip", "-n", "far", "link", "set", f"p{port}", "up")


def in_far(command: list[str]) -> list[str]:
    """`command` run in the far namespace."""
    return ["ip", "netns", "exec", "far", *command]


def address(site: int, host: int) -> str:
    """Address `host` (1 to 254) of a site."""
    return f"10.{64 + site // 256}.{site % 256}.{host}"


def addresses(count: int, each_site: int = 20) -> list[str]:
    """`count` addresses, `each_site` a site."""
    return [address(index // each_site, index % each_site + 1) for index in range(count)]


def listens(host: str, port: int) -> bool:
    """Whether something takes TCP connections there."""
    try:
        with socket.create_connection((host, port), 1):
            return True
    except OSError:
        return False
