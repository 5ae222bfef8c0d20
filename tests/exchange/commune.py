"""A commune's network in two namespaces: near, where the test stands, and far, where its equipment answers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

from probes.wire import identity, lldp
from tests.probes.peers import COMMUNITY, V3_AUTH, V3_PRIVACY, V3_USER, Snmpd, inside, program, run

NEAR, HOP = "10.199.17.1", "10.199.17.2"
NETWORK, NETWORK_6 = "10.64.17.0/27", "2001:db8:17::/64"
ROUTER, SWITCH, UPS, CAMERA, PRINTER, SILENT = (f"10.64.17.{each}" for each in (1, 2, 3, 20, 21, 9))
BROADCAST = "10.64.17.7"
"""Of a part of the network; our own kernel refuses to send to it."""
ACCESS_POINT = "2001:db8:17::40"
"""Only by LLDP does anybody know of it."""

_MACS = {ROUTER: "c4ad34000001", SWITCH: "00e04c000002", UPS: "00c0b7000003", CAMERA: "4419b6000020"}
_OBJECTS: dict[str, dict[str, int | str]] = {
    ROUTER: {
        identity.SYS_OBJECT_ID: ".1.3.6.1.4.1.14988.1", identity.SYS_DESCR: '"RouterOS CCR2004-16G-2S+"',
        identity.SYS_NAME: "gw-tan-thanh", identity.IP_FORWARDING: 1,
        **{f"{identity.ARP}.2.{address}": f"0x{mac}" for address, mac in _MACS.items()},
    },
    SWITCH: {
        identity.SYS_OBJECT_ID: ".1.3.6.1.4.1.11863.5", identity.SYS_DESCR: '"JetStream 24-Port"', identity.SYS_NAME: "sw1",
        identity.IP_FORWARDING: 2, identity.BRIDGE_ADDRESS: f"0x{_MACS[SWITCH]}",
        f"{lldp.REMOTE_CHASSIS_SUBTYPE}.0.24.1": 4, f"{lldp.REMOTE_CHASSIS}.0.24.1": f"0x{_MACS[ROUTER]}",
        f"{lldp.REMOTE_PORT_SUBTYPE}.0.24.1": 5, f"{lldp.REMOTE_PORT}.0.24.1": "ether2",
        f"{lldp.REMOTE_NAME}.0.24.1": "gw-tan-thanh", f"{lldp.REMOTE_CAPABILITIES}.0.24.1": "0x28",
        f"{lldp.REMOTE_CHASSIS_SUBTYPE}.0.5.2": 7, f"{lldp.REMOTE_CHASSIS}.0.5.2": "ap",
        f"{lldp.REMOTE_CAPABILITIES}.0.5.2": "0x30",
        f"{lldp.REMOTE_ADDRESS}.0.5.2.2.16.32.1.13.184.0.23.0.0.0.0.0.0.0.0.0.64": 2,
        f"{lldp.REMOTE_ADDRESS}.0.5.2.1.4.192.0.2.40": 2,
        f"{lldp.LOCAL_PORT_SUBTYPE}.24": 5, f"{lldp.LOCAL_PORT}.24": "1/0/24",
        **{
            f"{identity.FORWARDING_PORT}.{'.'.join(str(each) for each in bytes.fromhex(mac))}": port
            for mac, port in ((_MACS[ROUTER], 24), (_MACS[UPS], 7), (_MACS[CAMERA], 8))
        },
    },
    UPS: {
        identity.SYS_OBJECT_ID: ".1.3.6.1.4.1.318.1.3.27", identity.SYS_DESCR: '"APC Web/SNMP Management Card"',
        identity.SYS_NAME: "ups", identity.IP_FORWARDING: 2, identity.UPS_MODEL: '"Smart-UPS 1500"',
    },
}  # fmt: skip
_OPEN = ((CAMERA, 80), (CAMERA, 554), (PRINTER, 9100))

_WATCH = """
table inet watch {
  set sent { type ipv4_addr; flags dynamic; }
  set sent6 { type ipv6_addr; flags dynamic; }
  chain output {
    type filter hook output priority 0
    ip version 4 add @sent { ip daddr }
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, mld-listener-report, mld2-listener-report } accept
    ip6 version 6 add @sent6 { ip6 daddr }
  }
}
"""


_INVENTORY = f"""
providers: {{}}
profiles:
  router: {{kind: router, fits: {{object_ids: [1.3.6.1.4.1.14988]}}, checks: {{snmp: {{probe: snmp, options: {{community: {{file: community}}}}}}}}}}
  switch: {{kind: switch, fits: {{object_ids: [1.3.6.1.4.1.11863]}}, checks: {{echo: {{probe: icmp}}}}}}
  ups:
    kind: ups
    fits: {{descriptions: [APC Web/SNMP]}}
    checks: {{battery: {{probe: snmp, options: {{version: '3', user: {V3_USER}, auth_password: {{file: auth}}, privacy_password: {{file: privacy}}, ups: true}}}}}}
  camera: {{kind: camera, checks: {{echo: {{probe: icmp}}}}}}
  access-point: {{kind: access-point, checks: {{echo: {{probe: icmp}}}}}}
sites:
  - id: xa-tan-thanh
    name: Xã Tân Thanh
    networks: [{NETWORK}, '{NETWORK_6}']
    devices:
      router: {{profile: router, address: {ROUTER}, vantage: true}}
      ups: {{profile: ups, address: {UPS}}}
      old: {{profile: camera, address: {SILENT}}}
"""


def write_inventory(folder: Path) -> Path:
    """Settings with an inventory that knows the router, the UPS, and a camera that is gone."""
    (folder / "inventory").mkdir()
    (folder / "inventory" / "communes.yaml").write_text(_INVENTORY, encoding="utf-8")
    (folder / "secrets").mkdir()
    for name, text in (("community", COMMUNITY), ("auth", V3_AUTH), ("privacy", V3_PRIVACY)):
        (folder / "secrets" / name).write_text(text)
    (folder / "contacts.yaml").write_text("contacts: {noc: {name: NOC, email: noc@example.org}}\n")
    settings = folder / "settings.yaml"
    settings.write_text(
        "inventory: inventory\ncontacts: contacts.yaml\n"
        "mail: {from: noc@example.org, message_id_domain: example.org, relays: [{host: 127.0.0.1}]}\n"
    )
    return settings


class Commune:
    """Router, switch and UPS with agents, a camera, a printer, and an access point that LLDP tells of."""

    def __init__(self, folder: Path) -> None:
        self.near, self.far = f"discover-near-{os.getpid()}", f"discover-far-{os.getpid()}"
        self._folder = folder
        self._agents: list[Snmpd] = []
        self._listeners: list[socket.socket] = []

    def start(self) -> None:
        for each in (self.near, self.far):
            run("ip", "netns", "add", each)
            run("ip", "-n", each, "link", "set", "lo", "up")
        run("ip", "-n", self.near, "link", "add", "near0", "type", "veth", "peer", "name", "far0", "netns", self.far)
        for name, link, address, address_6 in ((self.near, "near0", NEAR, "1"), (self.far, "far0", HOP, "2")):
            run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", link)
            run("ip", "-n", name, "-6", "addr", "add", f"fd99:17::{address_6}/64", "dev", link, "nodad")
            run("ip", "-n", name, "link", "set", link, "up")
        run("ip", "-n", self.near, "route", "add", "default", "via", HOP)
        run("ip", "-n", self.near, "-6", "route", "add", "default", "via", "fd99:17::2")
        for each in (ROUTER, SWITCH, UPS, CAMERA, PRINTER):
            run("ip", "-n", self.far, "addr", "add", f"{each}/32", "dev", "lo")
        run("ip", "-n", self.far, "-6", "addr", "add", f"{ACCESS_POINT}/128", "dev", "lo", "nodad")
        run("ip", "-n", self.near, "route", "add", "broadcast", BROADCAST, "dev", "near0", "table", "local")
        run("ip", "netns", "exec", self.near, "nft", "-f", "-", given=_WATCH)
        with inside(self.far):
            for address, objects in _OBJECTS.items():
                agent = Snmpd(self._folder, f"agent-{address}", objects, address)
                agent.port = 161
                self._agents.append(agent)
                agent.start()
            self._listeners = [socket.create_server(each) for each in _OPEN]

    def stop(self) -> None:
        for agent in self._agents:
            agent.stop()
        for each in self._listeners:
            each.close()
        for each in (self.near, self.far):
            subprocess.run([program("ip"), "netns", "del", each], check=False, capture_output=True)

    def forget(self) -> None:
        """Nothing was sent from now on."""
        for each in ("sent", "sent6"):
            run("ip", "netns", "exec", self.near, "nft", "flush", "set", "inet", "watch", each)

    def sent(self) -> set[str]:
        """All addresses that the near side has sent something to."""
        return {address for name in ("sent", "sent6") for address in self._set(name)}

    def _set(self, name: str) -> list[str]:
        command = ["ip", "netns", "exec", self.near, "nft", "-j", "list", "set", "inet", "watch", name]
        done = subprocess.run(
            [program(command[0]), *command[1:]], capture_output=True, check=True, text=True, timeout=20
        )
        (found,) = (each["set"] for each in json.loads(done.stdout)["nftables"] if "set" in each)
        return list(map(str, found.get("elem", [])))
