"""What SNMP objects mean: OIDs, and measurements from the values of one poll. No I/O.

Sources: SNMPv2-MIB (RFC 3418), SNMP-FRAMEWORK-MIB (RFC 3411), IF-MIB (RFC 2863), UPS-MIB (RFC 1628).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SYS_UPTIME = "1.3.6.1.2.1.1.3.0"
"""TimeTicks (1/100 s) since the agent started; wraps after 497 days."""
ENGINE_TIME = "1.3.6.1.6.3.10.2.1.3.0"
"""Seconds since snmpEngineBoots last changed; does not wrap in practice."""

IF_NAME = "1.3.6.1.2.1.31.1.1.1.1"
_IF_ENTRY = "1.3.6.1.2.1.2.2.1"
_IF_X_ENTRY = "1.3.6.1.2.1.31.1.1.1"

IF_COLUMNS: Mapping[str, str] = {
    "ifAdminStatus": f"{_IF_ENTRY}.7",
    "ifOperStatus": f"{_IF_ENTRY}.8",
    "ifInErrors": f"{_IF_ENTRY}.14",
    "ifOutErrors": f"{_IF_ENTRY}.20",
    "ifHCInOctets": f"{_IF_X_ENTRY}.6",
    "ifHCInUcastPkts": f"{_IF_X_ENTRY}.7",
    "ifHCOutOctets": f"{_IF_X_ENTRY}.10",
    "ifHCOutUcastPkts": f"{_IF_X_ENTRY}.11",
    "ifHighSpeed": f"{_IF_X_ENTRY}.15",
    "ifCounterDiscontinuityTime": f"{_IF_X_ENTRY}.19",
}
UP = 1
"""ifAdminStatus and ifOperStatus: up(1)."""
DORMANT = 5
"""ifOperStatus: waiting for an outside event, as a backup line does; no fault."""

UPS_SCALARS: Mapping[str, str] = {
    "upsBatteryStatus": "1.3.6.1.2.1.33.1.2.1.0",
    "upsSecondsOnBattery": "1.3.6.1.2.1.33.1.2.2.0",
    "upsEstimatedMinutesRemaining": "1.3.6.1.2.1.33.1.2.3.0",
    "upsEstimatedChargeRemaining": "1.3.6.1.2.1.33.1.2.4.0",
    "upsOutputSource": "1.3.6.1.2.1.33.1.4.1.0",
}
ON_BATTERY = 5
"""upsOutputSource: battery(5)."""
BATTERY_LOW = 3
BATTERY_DEPLETED = 4
"""upsBatteryStatus: batteryLow(3), batteryDepleted(4)."""

WRAP_SECONDS = 2**32 / 100


@dataclass(frozen=True, slots=True)
class Port:
    """The values of one interface, by IF-MIB name; what the device does not tell is missing."""

    name: str
    values: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """What one poll of a device brought."""

    uptime_seconds: float
    ports: Sequence[Port] = field(default_factory=tuple)


def restarted(before: Poll, now: Poll, elapsed_seconds: float) -> bool:
    """Whether the device started anew between two polls; the wrap of sysUpTime is no restart."""
    if now.uptime_seconds >= before.uptime_seconds:
        return False
    return before.uptime_seconds + elapsed_seconds < WRAP_SECONDS - 600


@dataclass(frozen=True, slots=True)
class Rates:
    """What two polls of a port say together; None where it cannot be told."""

    in_bits_per_second: float | None = None
    out_bits_per_second: float | None = None
    error_ratio: float | None = None
    """Packets with errors, of all that came and went, 0 to 1."""


def rates(before: Port, now: Port, seconds: float) -> Rates:
    """Rates between two polls of the same port; nothing where a counter was reset in between, so never a spike."""
    one, two = before.values, now.values
    if seconds <= 0 or one.get("ifCounterDiscontinuityTime") != two.get("ifCounterDiscontinuityTime"):
        return Rates()

    def more(name: str) -> int | None:
        if name not in one or name not in two or two[name] < one[name]:
            return None
        return two[name] - one[name]

    def bits(name: str) -> float | None:
        octets = more(name)
        return None if octets is None else octets * 8 / seconds

    errors = [each for each in (more("ifInErrors"), more("ifOutErrors")) if each is not None]
    packets = [each for each in (more("ifHCInUcastPkts"), more("ifHCOutUcastPkts")) if each is not None]
    total = sum(errors) + sum(packets)
    ratio = sum(errors) / total if errors and packets and total else None
    return Rates(bits("ifHCInOctets"), bits("ifHCOutOctets"), ratio)


def is_down(port: Port) -> bool:
    """Switched on by the admin, and yet not working."""
    admin, oper = port.values.get("ifAdminStatus", UP), port.values.get("ifOperStatus", UP)
    return admin == UP and oper not in (UP, DORMANT)
