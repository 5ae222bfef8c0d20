"""The network of the simulated province, and what can go wrong with it.

Three namespaces in a row: where the monitor stands (ours), its gateway, and the field, where every address of the example
answers. All faults are nftables sets in the gateway, so that a fault is a list of addresses and mending is an empty set.
Everything lives inside the namespaces that `enter` made, and ends with them.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

MONITOR = "10.69.0.2"
GATEWAY = "10.69.0.1"
PROVINCE = "10.64.0.0/14"
CENTER = "10.68.0.0/16"
SNMP_AGENT = "10.70.0.2"
"""Where the field's SNMP agents listen; their ports are in `peers`."""

_FAULTS = """
table ip faults {
  set cut { type ipv4_addr; flags interval; auto-merge; }
  set refused { type ipv4_addr; flags interval; auto-merge; }
  set lossy { type ipv4_addr; flags interval; auto-merge; }
  chain judge {
    ip daddr @cut drop
    ip daddr @refused reject with icmp type host-unreachable
    ip daddr @lossy numgen random mod 100 < 20 drop
  }
  chain forward { type filter hook forward priority 0; jump judge; }
  chain input { type filter hook input priority 0; jump judge; }
}
"""

_SERVERS = """
table ip servers {
  set room { type ipv4_addr; }
  set on_battery { type ipv4_addr; }
  set without_camera { type ipv4_addr; }
  set ups { type ipv4_addr; }
  chain fan_in {
    type nat hook prerouting priority -100;
    udp dport 161 ip daddr @on_battery dnat to 10.70.0.2:1163
    udp dport 161 ip daddr @without_camera dnat to 10.70.0.2:1164
    udp dport 161 ip daddr @ups dnat to 10.70.0.2:1162
    udp dport 161 dnat to 10.70.0.2:1161
    ip daddr 10.64.0.0/16 ip daddr != @room udp dport 5060 dnat to 10.68.0.10:5060
  }
}
"""


def namespaces_command(command: list[str]) -> list[str]:
    """`command` in network, mount and process namespaces of its own, which die with it; without root also as its own user."""
    rootless = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *rootless, "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *command]


def run(*command: str, given: str | None = None) -> None:
    """Run a command; what it says when it fails is in the exception."""
    done = subprocess.run(command, input=given, text=True, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")


def raise_network(names: Path) -> None:
    """Make gateway and field; only inside the namespaces of `namespaces_command`. `names` becomes our resolv.conf."""
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    names.write_text("nameserver 10.68.0.53\noptions timeout:1 attempts:1\n")
    run("mount", "--bind", str(names), "/etc/resolv.conf")
    for name in ("gw", "field"):
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "up0", "type", "veth", "peer", "name", "mon0", "netns", "gw")
    run("ip", "-n", "gw", "link", "add", "wan0", "type", "veth", "peer", "name", "gw0", "netns", "field")
    for port in ("wan1", "lan1", "uplink1"):  # what the agents tell of
        run("ip", "-n", "field", "link", "add", port, "type", "veth", "peer", "name", f"far-{port}")
        # It looks for a router each 5 s for ever (RFC 4861 section 6.3.7): a port that carries nothing has no error ratio.
        _sysctl(
            "field",
            *(f"net.ipv6.conf.{port}.router_solicitation{each}" for each in ("s=-1", "_interval=5", "_max_interval=5")),
        )
        run("ip", "-n", "field", "link", "set", port, "up")
        run("ip", "-n", "field", "link", "set", f"far-{port}", "up")
    run("ip", "addr", "add", f"{MONITOR}/24", "dev", "up0")
    run("ip", "link", "set", "up0", "up")
    run("ip", "route", "add", "default", "via", GATEWAY)
    run("ip", "-n", "gw", "addr", "add", f"{GATEWAY}/24", "dev", "mon0")
    run("ip", "-n", "gw", "link", "set", "mon0", "up")
    run("ip", "-n", "gw", "addr", "add", "10.70.0.1/30", "dev", "wan0")
    run("ip", "-n", "gw", "link", "set", "wan0", "up")
    run("ip", "-n", "field", "addr", "add", f"{SNMP_AGENT}/30", "dev", "gw0")
    run("ip", "-n", "field", "link", "set", "gw0", "up")
    run("ip", "-n", "field", "route", "add", "default", "via", "10.70.0.1")
    for prefix in (PROVINCE, CENTER):
        run("ip", "-n", "gw", "route", "add", prefix, "via", SNMP_AGENT)
        run("ip", "-n", "field", "route", "add", "local", prefix, "dev", "lo")
    _sysctl("gw", "net.ipv4.ip_forward=1")
    # Each poll is a flow of its own, so that an agent that is swapped is seen at once.
    _sysctl("field", "net.netfilter.nf_conntrack_udp_timeout=1", "net.netfilter.nf_conntrack_udp_timeout_stream=1")
    _nft("gw", _FAULTS)
    _nft("field", _SERVERS)


def _sysctl(namespace: str, *settings: str) -> None:
    run("ip", "netns", "exec", namespace, "sysctl", "-q", "-w", *settings)


def _nft(namespace: str, script: str) -> None:
    run("ip", "netns", "exec", namespace, "nft", "-f", "-", given=script)


def in_field(command: list[str]) -> list[str]:
    """`command` run in the field."""
    return ["ip", "netns", "exec", "field", *command]


def set_fault(kind: str, addresses: Iterable[str]) -> None:
    """Make `addresses` the ones that are cut, refused or lossy; none mends the fault."""
    _fill("gw", "faults", kind, addresses)


def set_servers(name: str, addresses: Iterable[str]) -> None:
    """Say which addresses are a UPS, run on battery, have a room of their own, or one that misses its camera."""
    _fill("field", "servers", name, addresses)


def _fill(namespace: str, table: str, name: str, addresses: Iterable[str]) -> None:
    wanted = ", ".join(sorted(set(addresses)))
    fill = f"add element ip {table} {name} {{ {wanted} }}\n" if wanted else ""
    _nft(namespace, f"flush set ip {table} {name}\n{fill}")
