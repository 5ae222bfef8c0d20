"""What SNMP objects mean: OIDs, and measurements from the values of one poll. No I/O.

Sources: SNMPv2-MIB (RFC 3418), SNMP-FRAMEWORK-MIB (RFC 3411), IF-MIB (RFC 2863), UPS-MIB (RFC 1628), PowerNet-MIB (APC),
ENTITY-MIB (RFC 6933), ENTITY-SENSOR-MIB (RFC 3433).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

SYS_UPTIME = "1.3.6.1.2.1.1.3.0"
"""TimeTicks (1/100 s) since the agent started; wraps after 497 days."""
ENGINE_BOOTS = "1.3.6.1.6.3.10.2.1.2.0"
"""How often the engine was started since its id was set."""
ENGINE_TIME = "1.3.6.1.6.3.10.2.1.3.0"
"""Seconds since snmpEngineBoots last changed; does not wrap in practice."""

IF_NAME = "1.3.6.1.2.1.31.1.1.1.1"
IF_DESCR = "1.3.6.1.2.1.2.2.1.2"
"""What some routers tell in place of ifName (DrayTek Vigor 2920)."""
IF_ALIAS = "1.3.6.1.2.1.31.1.1.1.18"
"""What the admin of the device calls the port."""
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
"""What is asked of a port where nothing else is written."""
IF_DISCARDS: Mapping[str, str] = {"ifInDiscards": f"{_IF_ENTRY}.13", "ifOutDiscards": f"{_IF_ENTRY}.19"}
"""Only asked when they are wanted: with them three ports fit into a question and not four (`probes.wire.room`)."""
IF_COLUMNS_NARROW: Mapping[str, str] = {"ifInOctets": f"{_IF_ENTRY}.10", "ifOutOctets": f"{_IF_ENTRY}.16"}
"""32 bits wide: all that a port up to 20 Mbit/s must have (RFC 2863 section 3.1.6)."""
WIDE = {"ifHCInOctets": "ifInOctets", "ifHCOutOctets": "ifOutOctets"}
UP = 1
"""ifAdminStatus and ifOperStatus: up(1)."""
DORMANT = 5
"""ifOperStatus: waiting for an outside event, as a backup line does; no fault."""

UPS_SCALARS: Mapping[str, str] = {
    "upsBatteryStatus": "1.3.6.1.2.1.33.1.2.1.0",
    "upsSecondsOnBattery": "1.3.6.1.2.1.33.1.2.2.0",
    "upsEstimatedMinutesRemaining": "1.3.6.1.2.1.33.1.2.3.0",
    "upsEstimatedChargeRemaining": "1.3.6.1.2.1.33.1.2.4.0",
    "upsBatteryTemperature": "1.3.6.1.2.1.33.1.2.7.0",
    "upsOutputSource": "1.3.6.1.2.1.33.1.4.1.0",
}
ON_BATTERY = 5
"""upsOutputSource: battery(5)."""
BATTERY_LOW = 3
BATTERY_DEPLETED = 4
"""upsBatteryStatus: batteryLow(3), batteryDepleted(4)."""

UPS_ALARMS_PRESENT = "1.3.6.1.2.1.33.1.6.1.0"
"""How many rows upsAlarmTable has just now."""
UPS_ALARM_DESCR = "1.3.6.1.2.1.33.1.6.2.1.2"
UPS_ALARM_BATTERY_BAD = "1.3.6.1.2.1.33.1.6.3.1"
"""upsAlarmDescr: a battery must be replaced."""
APC_REPLACE_BATTERY = "1.3.6.1.4.1.318.1.1.1.2.2.4.0"
"""upsAdvBatteryReplaceIndicator (PowerNet-MIB of APC): 1 no, 2 yes."""
APC_BATTERY_NEEDS_REPLACING = 2


def replace_battery(alarms_present: object, alarms: Collection[str], apc: object) -> bool | None:
    """Whether the battery must be replaced, as RFC 1628 or APC tells; None when the device tells neither."""
    if not isinstance(alarms_present, int) and not isinstance(apc, int):
        return None
    return UPS_ALARM_BATTERY_BAD in alarms or apc == APC_BATTERY_NEEDS_REPLACING


ENT_PHYSICAL_DESCR = "1.3.6.1.2.1.47.1.1.1.1.2"
ENT_PHYSICAL_NAME = "1.3.6.1.2.1.47.1.1.1.1.7"
_SENSOR_ENTRY = "1.3.6.1.2.1.99.1.1.1"
SENSOR_TYPE = f"{_SENSOR_ENTRY}.1"
SENSOR_COLUMNS = (SENSOR_TYPE, *(f"{_SENSOR_ENTRY}.{column}" for column in range(2, 6)))
"""entPhySensorType, -Scale, -Precision, -Value, -OperStatus."""
CELSIUS = 8
"""entPhySensorType: celsius(8)."""
_SENSOR_OK = 1
_SENSOR_UNITS = 9
"""entPhySensorScale: units(9); one more is a thousand times as much, from yocto(1) to yotta(17)."""
_SENSOR_BEYOND = 10**9
"""entPhySensorValue: out of the range of the sensor, and so is the negative of it."""


def celsius(columns: Sequence[object]) -> float | None:
    """Degrees that a sensor tells by its `SENSOR_COLUMNS`; None when it measures something else, or does not work."""
    numbers = [each for each in columns if isinstance(each, int)]
    if len(numbers) != len(SENSOR_COLUMNS):
        return None
    kind, scale, precision, value, status = numbers
    if (kind, status) != (CELSIUS, _SENSOR_OK) or not (1 <= scale <= 17 and -8 <= precision <= 9):
        return None
    if abs(value) >= _SENSOR_BEYOND:
        return None
    # A precision above 0 is the number of decimal places; below 0 it tells how exact the value is, and changes nothing.
    exponent = 3 * (scale - _SENSOR_UNITS) - max(precision, 0)
    return float(value * 10**exponent if exponent >= 0 else value / 10**-exponent)


TRAP_OID = "1.3.6.1.6.3.1.1.4.1.0"
"""snmpTrapOID (RFC 3418): which trap it is."""
AUTHENTICATION_FAILURE = "authenticationFailure"
_TRAPS: Mapping[str, str] = {
    "1.3.6.1.6.3.1.1.5.1": "coldStart",
    "1.3.6.1.6.3.1.1.5.2": "warmStart",
    "1.3.6.1.6.3.1.1.5.3": "linkDown",
    "1.3.6.1.6.3.1.1.5.4": "linkUp",
    "1.3.6.1.6.3.1.1.5.5": AUTHENTICATION_FAILURE,
    "1.3.6.1.2.1.33.2.1": "upsTrapOnBattery",
    "1.3.6.1.2.1.33.2.2": "upsTrapTestCompleted",
    "1.3.6.1.2.1.33.2.3": "upsTrapAlarmEntryAdded",
    "1.3.6.1.2.1.33.2.4": "upsTrapAlarmEntryRemoved",
    "1.3.6.1.2.1.43.18.2.1": "printerV2Alert",
    "1.3.6.1.4.1.318.1": "communicationLost",
    "1.3.6.1.4.1.318.2": "upsOverload",
    "1.3.6.1.4.1.318.4": "upsDischarged",
    "1.3.6.1.4.1.318.5": "upsOnBattery",
    "1.3.6.1.4.1.318.7": "lowBattery",
    "1.3.6.1.4.1.318.9": "powerRestored",
    "1.3.6.1.4.1.318.11": "returnFromLowBattery",
    "1.3.6.1.4.1.318.17": "upsBatteryNeedsReplacement",
}
"""Those that make a difference for what we watch: SNMPv2-MIB, IF-MIB, UPS-MIB, Printer-MIB (RFC 3805), PowerNet-MIB of APC."""


def trap_kind(oid: str) -> str:
    """Name of a trap, `other` for one that is not in the table; from version 1 there is a 0 before the last number (RFC 3584)."""
    head, _, last = oid.rpartition(".")
    return _TRAPS.get(oid) or _TRAPS.get(f"{head.removesuffix('.0')}.{last}", "other")


WRAP_SECONDS = 2**32 / 100


@dataclass(frozen=True, slots=True)
class Port:
    """The values of one interface, by IF-MIB name; what the device does not tell is missing."""

    name: str
    values: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """What one poll of a device brought."""

    at: float
    """When, in seconds of a monotonic clock."""
    uptime_seconds: float
    engine_boots: int | None = None
    ports: Mapping[str, Port] = field(default_factory=dict)
    """By ifName."""


def restarted(before: Poll, now: Poll) -> bool:
    """Whether the device or its agent started anew between two polls; the wrap of sysUpTime is no restart."""
    if before.engine_boots is not None and now.engine_boots is not None and before.engine_boots != now.engine_boots:
        return True
    if now.uptime_seconds >= before.uptime_seconds:
        return False
    return before.uptime_seconds + now.at - before.at < WRAP_SECONDS - 600


@dataclass(frozen=True, slots=True)
class Rates:
    """What two polls of a port say together; None where it cannot be told."""

    in_bits_per_second: float | None = None
    out_bits_per_second: float | None = None
    error_ratio: float | None = None
    """Packets with errors, of all that came and went, 0 to 1."""
    discard_ratio: float | None = None
    """Good packets that were dropped, for lack of buffers as a rule, of all that came and went, 0 to 1."""

    def utilisation_ratio(self, bits_per_second: float) -> float | None:
        """How full the busier direction is of what the line carries; None without a rate or a speed. A burst may be over 1."""
        one, two = self.in_bits_per_second, self.out_bits_per_second
        most = one if two is None or (one is not None and one > two) else two
        return None if most is None or bits_per_second <= 0 else most / bits_per_second


LEAST_SPAN_SECONDS = 10.0
"""Agents read their counters from the hardware every few seconds only: over a shorter span, as a re-check makes one, ten
seconds of traffic would look like those of one."""
MOST_BITS = 2e12
"""Of ports that do not tell their speed: faster than any."""
TOLERANCE = 1.5
"""Over a short span more seems to flow than the port can carry, for the reason above."""


def rates(before: Port, now: Port, seconds: float) -> Rates:
    """Rates between two polls of the same port; nothing where a counter was reset or lies, so never a spike."""
    one, two = before.values, now.values
    if seconds <= 0 or one.get("ifCounterDiscontinuityTime") != two.get("ifCounterDiscontinuityTime"):
        return Rates()
    speed = two.get("ifHighSpeed", 0) * 1e6
    most = (speed or MOST_BITS) * TOLERANCE * seconds

    def more(name: str, bits_each: int, wraps_at: int) -> int | None:
        if name not in one or name not in two:
            return None
        grown = two[name] - one[name]
        if grown < 0:  # wrapped, or set to 0: only the first gives a number that the port could have carried
            grown += wraps_at
            if not speed or not 0 <= grown <= wraps_at // 4:  # a 32-bit counter may lie beyond its 32 bits
                return None
        return grown if grown * bits_each <= most else None

    def bits(direction: str) -> float | None:
        octets = more(f"ifHC{direction}Octets", 8, 2**64)
        if octets is None:
            octets = more(f"if{direction}Octets", 8, 2**32)
        return None if octets is None else octets * 8 / seconds

    # No packet is shorter than 64 bytes on Ethernet (IEEE 802.3).
    counts = (more("ifHCInUcastPkts", 512, 2**64), more("ifHCOutUcastPkts", 512, 2**64))
    packets = [each for each in counts if each is not None]

    def ratio(*columns: str) -> float | None:
        bad = [each for column in columns if (each := more(column, 512, 2**32)) is not None]
        if not bad or not packets:
            return None
        total = sum(bad) + sum(packets)
        return sum(bad) / total if total else None

    return Rates(bits("In"), bits("Out"), ratio("ifInErrors", "ifOutErrors"), ratio(*IF_DISCARDS))


def is_down(port: Port) -> bool:
    """Switched on by the admin, and yet not working."""
    admin, oper = port.values.get("ifAdminStatus", UP), port.values.get("ifOperStatus", UP)
    return admin == UP and oper not in (UP, DORMANT)
