"""What a device tells of itself by SNMP, as one value. No I/O.

Sources: SNMPv2-MIB (RFC 3418), IF-MIB (RFC 2863), IP-MIB (RFC 4293), BRIDGE-MIB (RFC 4188), Q-BRIDGE-MIB (RFC 4363), UPS-MIB (RFC 1628), LLDP-MIB.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from probes.wire import lldp
from probes.wire.text import one_line

SYS_DESCR, SYS_OBJECT_ID = "1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0"
SYS_NAME, SYS_LOCATION = "1.3.6.1.2.1.1.5.0", "1.3.6.1.2.1.1.6.0"
IF_NUMBER = "1.3.6.1.2.1.2.1.0"
IP_FORWARDING = "1.3.6.1.2.1.4.1.0"
_FORWARDING = 1
BRIDGE_ADDRESS = "1.3.6.1.2.1.17.1.1.0"
"""dot1dBaseBridgeAddress: only what bridges has one."""
UPS_MODEL = "1.3.6.1.2.1.33.1.1.2.0"
"""upsIdentModel: only a UPS has one."""
SCALARS = (
    SYS_OBJECT_ID, SYS_DESCR, SYS_NAME, SYS_LOCATION, IF_NUMBER, IP_FORWARDING, BRIDGE_ADDRESS, UPS_MODEL,
    lldp.CHASSIS_SUBTYPE, lldp.CHASSIS,
)  # fmt: skip
CERTAIN = (SYS_OBJECT_ID, SYS_DESCR)
"""Every agent has these."""

ARP = "1.3.6.1.2.1.4.22.1.2"
"""ipNetToMediaPhysAddress, by ifIndex and address: which MAC address has which IP address."""
FORWARDING_PORT = "1.3.6.1.2.1.17.4.3.1.2"
"""dot1dTpFdbPort, by MAC address: behind which port of a bridge it was seen."""
VLAN_FORWARDING_PORT = "1.3.6.1.2.1.17.7.1.2.2.1.2"
"""dot1qTpFdbPort, by VLAN and MAC address: the same of bridges with VLANs, many of which lack the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What an agent told; what it did not tell is empty."""

    object_id: str = ""
    description: str = ""
    name: str = ""
    location: str = ""
    ports: int = 0
    forwards: bool = False
    """It forwards IP, as routers do, and many a server."""
    bridges: bool = False
    ups: str = ""
    """Model of a UPS."""
    chassis: str = ""
    """As `lldp.identity` makes it."""
    bridge_address: str = ""
    """A MAC address of its own."""
    neighbours: tuple[lldp.Neighbour, ...] = ()
    macs: Mapping[str, str] = field(default_factory=dict)
    """MAC address by IP address, of those that it spoke with."""
    seen_at: Mapping[str, str] = field(default_factory=dict)
    """Its own bridge port by MAC address, of those that it forwards to."""


def read_identity(values: Mapping[str, object]) -> Identity:
    """Of the SCALARS by OID, as the agent gave them."""
    ports = values.get(IF_NUMBER)
    bridge = lldp.mac_text(values.get(BRIDGE_ADDRESS))
    return Identity(
        object_id=_object_id(values.get(SYS_OBJECT_ID)),
        description=_line(values.get(SYS_DESCR)),
        name=_line(values.get(SYS_NAME)),
        location=_line(values.get(SYS_LOCATION)),
        ports=ports if isinstance(ports, int) and 0 < ports < 1 << 31 else 0,
        forwards=values.get(IP_FORWARDING) == _FORWARDING,
        bridges=bool(bridge.strip("0:")),
        bridge_address=bridge if bridge.strip("0:") else "",
        ups=_line(values.get(UPS_MODEL)),
        chassis=lldp.identity(values.get(lldp.CHASSIS_SUBTYPE), values.get(lldp.CHASSIS)),
    )


def read_macs(rows: Mapping[str, object]) -> dict[str, str]:
    """MAC address by IPv4 address, of the rows of ARP."""
    found = {}
    for index, value in rows.items():
        address, mac = index.partition(".")[2], lldp.mac_text(value)
        if mac and _is_address(address):
            found[address] = mac
    return found


def read_seen_at(rows: Mapping[str, object]) -> dict[str, str]:
    """Bridge port by MAC address, of the rows of (VLAN_)FORWARDING_PORT; port 0 is one that the bridge does not know."""
    found = {}
    for index, port in rows.items():
        numbers = index.split(".")[-6:]
        if len(numbers) == 6 and all(each.isdecimal() and int(each) < 256 for each in numbers) and port:
            found[bytes(map(int, numbers)).hex(":")] = str(port)
    return found


def _is_address(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _object_id(value: object) -> str:
    text = value if isinstance(value, str) else ""
    return text if len(text) <= 128 and text.replace(".", "").isdecimal() else ""


def _line(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    return one_line(value) if isinstance(value, str) else ""
