"""Who hangs at which port of a device, from the values of its LLDP-MIB (IEEE 802.1AB-2005). No I/O.

All of it was said by strangers: rows that are not in form are left out, and what is kept is fit for one line.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from probes.wire.text import one_line

_LOCAL, _REMOTE = "1.0.8802.1.1.2.1.3", "1.0.8802.1.1.2.1.4"
"""lldpLocalSystemData, lldpRemoteSystemsData."""
CHASSIS_SUBTYPE, CHASSIS = f"{_LOCAL}.1.0", f"{_LOCAL}.2.0"
"""lldpLocChassisIdSubtype, lldpLocChassisId: who the device says that it is."""
LOCAL_PORT_SUBTYPE, LOCAL_PORT = f"{_LOCAL}.7.1.2", f"{_LOCAL}.7.1.3"
"""lldpLocPortIdSubtype, lldpLocPortId, by lldpLocPortNum."""
REMOTE_CHASSIS_SUBTYPE, REMOTE_CHASSIS = f"{_REMOTE}.1.1.4", f"{_REMOTE}.1.1.5"
"""Columns of lldpRemTable, by time mark, local port and number."""
REMOTE_PORT_SUBTYPE, REMOTE_PORT = f"{_REMOTE}.1.1.6", f"{_REMOTE}.1.1.7"
REMOTE_NAME, REMOTE_CAPABILITIES = f"{_REMOTE}.1.1.9", f"{_REMOTE}.1.1.12"
"""lldpRemSysName, lldpRemSysCapEnabled."""
REMOTE_ADDRESS = f"{_REMOTE}.2.1.3"
"""lldpRemManAddrIfSubtype: only its index matters, where the management address is."""
COLUMNS = (
    REMOTE_CHASSIS_SUBTYPE, REMOTE_PORT_SUBTYPE, REMOTE_PORT, REMOTE_NAME, REMOTE_CAPABILITIES, REMOTE_ADDRESS,
    LOCAL_PORT_SUBTYPE, LOCAL_PORT,
)  # fmt: skip
"""What is asked for once REMOTE_CHASSIS has rows."""

_CHASSIS_MAC, _CHASSIS_ADDRESS = 4, 5
_PORT_MAC, _PORT_ADDRESS = 3, 4
_BYTES = {1: 4, 2: 16}
"""Of an address, by its family (IANA AddressFamilyNumbers: ipV4(1), ipV6(2))."""
_CAPABILITIES = {3: "access-point", 4: "router", 2: "switch", 5: "phone"}
"""Bit of LldpSystemCapabilitiesMap → what such a thing is: the first that is set. A router bridges too, and so does an access point."""

Columns = Mapping[str, Mapping[str, object]]
"""Values by column, and there by index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """What a device heard at one of its ports; what is not known is empty."""

    port: str
    """Of the device that heard it."""
    name: str = ""
    chassis: str = ""
    """As `identity` makes it."""
    their_port: str = ""
    kind: str = ""
    """By its capabilities: access-point, router, switch or phone."""
    addresses: tuple[str, ...] = ()
    """IPv4 and IPv6, for its management."""


def identity(subtype: object, value: object, *, mac: int = _CHASSIS_MAC, network: int = _CHASSIS_ADDRESS) -> str:
    """A chassis id in one form: a MAC address with colons, an IP address, or a text; "" when it is not in form.

    `mac` and `network` are the subtypes whose values are bytes; a port id has others (LldpPortIdSubtype).
    """
    if not isinstance(value, bytes):
        return one_line(value, 64) if isinstance(value, str) else ""
    if subtype == mac:
        return mac_text(value)
    if subtype == network:
        return _address(value[0] if value else 0, value[1:])
    return one_line(value.decode("utf-8", errors="replace"), 64)


def mac_text(value: object) -> str:
    """Six bytes with colons; "" for anything else."""
    return value.hex(":") if isinstance(value, bytes) and len(value) == 6 else ""


def _address(family: int, value: bytes) -> str:
    """An address that one host may have; "" for anything else."""
    if len(value) != _BYTES.get(family):
        return ""
    found = ipaddress.ip_address(value)
    return "" if found.is_unspecified or found.is_multicast or found.is_loopback else str(found)


def neighbours(columns: Columns) -> tuple[Neighbour, ...]:
    """One for each port and number of lldpRemTable, in the order of the ports.

    The time mark before them is a TimeFilter (RFC 2021 section 6): some agents tell a row again for many of them.
    """
    addresses = _addresses(columns.get(REMOTE_ADDRESS, {}))
    found: dict[tuple[int, str], Neighbour] = {}
    for index, chassis in columns.get(REMOTE_CHASSIS, {}).items():
        row = {column: columns.get(column, {}).get(index) for column in COLUMNS}
        port, _, number = index.partition(".")[2].partition(".")
        if port.isdecimal():
            found[int(port), number] = Neighbour(
                port=_local_port(columns, port),
                name=identity(None, row[REMOTE_NAME]),
                chassis=identity(row[REMOTE_CHASSIS_SUBTYPE], chassis),
                their_port=identity(row[REMOTE_PORT_SUBTYPE], row[REMOTE_PORT], mac=_PORT_MAC, network=_PORT_ADDRESS),
                kind=_kind(row[REMOTE_CAPABILITIES]),
                addresses=tuple(addresses.get(index, ())),
            )
    return tuple(found[each] for each in sorted(found))


def _local_port(columns: Columns, port: str) -> str:
    subtype, name = (columns.get(column, {}).get(port) for column in (LOCAL_PORT_SUBTYPE, LOCAL_PORT))
    return identity(subtype, name, mac=_PORT_MAC, network=_PORT_ADDRESS) or port


def _addresses(rows: Mapping[str, object]) -> dict[str, list[str]]:
    """By the index of lldpRemTable; behind it are family, length and bytes. Some agents leave out the length."""
    found: dict[str, list[str]] = {}
    for index in rows:
        numbers = [int(each) for each in index.split(".") if each.isdecimal()]
        if len(numbers) < 5 or any(each > 255 for each in numbers[4:]):
            continue
        family, rest = numbers[3], bytes(numbers[4:])
        address = _address(family, rest[1:] if rest[0] == len(rest) - 1 else rest)
        if address:
            found.setdefault(".".join(index.split(".")[:3]), []).append(address)
    return found


def _kind(capabilities: object) -> str:
    """BITS (RFC 2578 section 7.1.4): bit 0 is the highest of the first byte."""
    first = capabilities[0] if isinstance(capabilities, bytes) and capabilities else 0
    return next((kind for bit, kind in _CAPABILITIES.items() if first & 0x80 >> bit), "")
