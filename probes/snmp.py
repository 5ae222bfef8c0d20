"""Does the agent of a device answer, has it rebooted, how are its ports, its battery and its temperature?

Source: IF-MIB (RFC 2863), UPS-MIB (RFC 1628), ENTITY-SENSOR-MIB (RFC 3433), see `probes.wire.mib`; the asking is
`probes.engine.snmp`. Costs about 0.07 ms of CPU a run, 0.7 ms with four columns of 48 ports. Ports are found by ifName or
ifAlias in a walk by GETBULK, because ifIndex moves at a reboot; once they are known, exact GETs ask for many columns of many
ports at once, which gufo-snmp can only do so.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from monitor.core.model import Reason
from probes.engine import lastcall, sensors
from probes.engine import values as vendor
from probes.engine.snmp import Auth, Device, Login, Session, V3User, text
from probes.registry import Bandwidth, Metric, Options, Request, Result, Secret, failed, labelled, ok, probe
from probes.wire import mib
from probes.wire.text import one_line

PLACES = 4096
"""Places of ports that are shared between devices: about 5 KiB each."""
_RATES = {
    "snmp_if_in_bits_per_second": "in_bits_per_second",
    "snmp_if_out_bits_per_second": "out_bits_per_second",
    "snmp_if_error_ratio": "error_ratio",
    "snmp_if_discard_ratio": "discard_ratio",
}
_COMPUTED = (*_RATES, "snmp_if_utilisation_ratio", "snmp_if_down")
_COLUMNS = {**mib.IF_COLUMNS, **mib.IF_DISCARDS}

PortName = Annotated[str, Field(min_length=1, max_length=64)]
Column = Literal[
    "ifAdminStatus", "ifOperStatus", "ifInErrors", "ifOutErrors", "ifHCInOctets", "ifHCInUcastPkts", "ifHCOutOctets",
    "ifHCOutUcastPkts", "ifHighSpeed",
]  # fmt: skip


class SnmpOptions(Options):
    """How to ask, and for what."""

    version: Literal["2c", "3"] = Field("2c", description="of the protocol")
    port: int = Field(161, ge=1, le=65535, description="UDP port of the agent")
    community: Secret | None = Field(None, description="where the community of version 2c is")
    user: str = Field("", description="of version 3")
    auth: Auth = Field("sha", description="of version 3")
    auth_password: Secret | None = Field(None, description="where the password for authentication is")
    privacy: Literal["aes128"] = Field("aes128", description="of version 3")
    privacy_password: Secret | None = Field(None, description="where the password for privacy is")
    interfaces: list[PortName] = Field(
        [], max_length=256, description="names (ifName or ifAlias) of the ports to watch"
    )
    bandwidth: dict[PortName, Annotated[Bandwidth, Field(gt=0)]] = Field(
        {}, description="what the line at a port carries, by the name of the port, where that is less than its speed"
    )
    columns: list[Column] = Field([], description="what to ask of a port; empty: all but discards")
    discards: bool = Field(False, description="ask for discarded packets too")
    ups: bool = Field(False, description="ask for the battery (UPS-MIB)")
    temperatures: bool = Field(False, description="ask for the temperatures (ENTITY-SENSOR-MIB)")
    values: vendor.Values = Field(
        {}, description="what else to ask for, by a name of yours: objects of the vendor's MIB"
    )

    @field_validator("bandwidth")
    @classmethod
    def _of_watched_ports(cls, value: dict[str, float], info: ValidationInfo) -> dict[str, float]:
        if unknown := sorted(value.keys() - set(info.data.get("interfaces", value))):
            raise ValueError(f"`interfaces` has no {', '.join(unknown)}")
        return value

    @model_validator(mode="after")
    def _complete(self) -> SnmpOptions:
        if self.version == "2c" and self.community is None:
            raise ValueError("version 2c needs `community: {file: NAME}`")
        if self.version == "3" and (not self.user or self.auth_password is None or self.privacy_password is None):
            raise ValueError("version 3 needs `user`, `auth_password` and `privacy_password`")
        return self

    def login(self) -> Login:
        """Who asks."""
        if self.version == "2c":
            assert self.community is not None
            return self.community
        assert self.auth_password is not None and self.privacy_password is not None  # noqa: PT018
        return V3User(self.user, self.auth, self.auth_password, self.privacy_password)


# -- one poll ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a wanted port is, as long as the object `identity` there holds its name."""

    wanted: str
    name: str
    """Its ifName; the same as `wanted` when it was found by that."""
    identity: str
    reads: Mapping[str, str]
    """OID by column."""
    keys: Mapping[str, str]
    """Names of its measurements, labels included, by column: made once, because there are hundreds a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answers:
    """What one poll brought."""

    scalars: Mapping[str, Any]
    """By OID."""
    places: Sequence[_Place]
    ports: Mapping[str, mib.Port]
    """By ifName; those that are there."""
    alarms: Collection[str] = ()
    """Of a UPS, as OIDs (upsAlarmDescr)."""
    temperatures: Mapping[str, float | None] = field(default_factory=dict)
    """Degrees Celsius by sensor; None of one that tells nothing just now."""
    values: vendor.Told = vendor.NOTHING


@probe(
    "snmp",
    SnmpOptions,
    metrics=[
        Metric(name="snmp_uptime_seconds", help="Time since the agent started."),
        Metric(name="snmp_rebooted", help="1 when the device started anew since the last run."),
        Metric(name="ifAdminStatus", help="Wanted state of the port: 1 up, 2 down.", labels=("ifName",)),
        Metric(name="ifOperStatus", help="State of the port: 1 up, 2 down, 5 dormant.", labels=("ifName",)),
        Metric(name="ifHighSpeed", help="Speed of the port in Mbit/s.", labels=("ifName",)),
        Metric(name="ifHCInOctets", help="Bytes received.", labels=("ifName",), counter=True),
        Metric(name="ifHCOutOctets", help="Bytes sent.", labels=("ifName",), counter=True),
        Metric(
            name="ifInOctets", help="Bytes received, of a port without ifHCInOctets.", labels=("ifName",), counter=True
        ),
        Metric(
            name="ifOutOctets", help="Bytes sent, of a port without ifHCOutOctets.", labels=("ifName",), counter=True
        ),
        Metric(name="ifHCInUcastPkts", help="Packets received.", labels=("ifName",), counter=True),
        Metric(name="ifHCOutUcastPkts", help="Packets sent.", labels=("ifName",), counter=True),
        Metric(name="ifInErrors", help="Packets received with errors.", labels=("ifName",), counter=True),
        Metric(name="ifOutErrors", help="Packets not sent because of errors.", labels=("ifName",), counter=True),
        Metric(
            name="ifInDiscards",
            help="Good packets received and dropped all the same.",
            labels=("ifName",),
            counter=True,
        ),
        Metric(name="ifOutDiscards", help="Good packets dropped instead of sent.", labels=("ifName",), counter=True),
        Metric(name="snmp_if_down", help="1 when a port that is switched on does not work.", labels=("ifName",)),
        Metric(name="snmp_if_in_bits_per_second", help="Received since the last run.", labels=("ifName",)),
        Metric(name="snmp_if_out_bits_per_second", help="Sent since the last run.", labels=("ifName",)),
        Metric(name="snmp_if_error_ratio", help="Packets with errors since the last run, 0 to 1.", labels=("ifName",)),
        Metric(name="snmp_if_discard_ratio", help="Packets dropped since the last run, 0 to 1.", labels=("ifName",)),
        Metric(
            name="snmp_if_utilisation_ratio",
            help="The busier direction since the last run, of what the line carries; 1 is full.",
            labels=("ifName",),
        ),
        Metric(name="upsBatteryStatus", help="1 unknown, 2 normal, 3 low, 4 depleted."),
        Metric(name="upsSecondsOnBattery", help="Seconds on battery, 0 on mains."),
        Metric(name="upsOutputSource", help="3 mains, 4 bypass, 5 battery."),
        *vendor.METRICS,
        *lastcall.METRICS,
    ],
)
async def run(request: Request[SnmpOptions]) -> Result:
    """One poll."""
    agent = f"port {request.options.port}"
    device: Device | None = request.shared.get(agent)
    if device is None:
        device = request.shared[agent] = Device(str(ipaddress.ip_address(request.address)), request.options.port)
    answers = await device.ask(request, request.options.login(), lambda session: _poll(request, session))
    return answers if isinstance(answers, Result) else _judge(request, answers)


async def _poll(request: Request[SnmpOptions], session: Session) -> _Answers:
    oids = [mib.SYS_UPTIME, mib.ENGINE_BOOTS, mib.ENGINE_TIME]
    if request.options.ups:
        oids += (*mib.UPS_SCALARS.values(), mib.UPS_ALARMS_PRESENT, mib.APC_REPLACE_BATTERY)
    request.trace(f"GET of {len(oids)} objects, SNMP version {request.options.version}, from {request.address}")
    scalars = await session.scalars(oids, certain=(mib.SYS_UPTIME, mib.ENGINE_TIME))
    alarms: Collection[str] = ()
    alarms_present = scalars.get(mib.UPS_ALARMS_PRESENT)
    if isinstance(alarms_present, int) and alarms_present > 0:
        request.trace("walking upsAlarmDescr, for there are alarms")
        alarms = (await session.walk(mib.UPS_ALARM_DESCR, certain=False)).values()
    places: list[_Place] = []
    ports: dict[str, mib.Port] = {}
    for _ in range(2 if request.options.interfaces else 0):  # a port that is elsewhere now is found in the same run
        places = await _find_ports(request, session)
        request.trace(f"GET of {len(places)} ports, at most {session.room.size} values at once")
        got = await session.rows([(each.identity, *each.reads.values()) for each in places])
        ports = {each.name: port for each in places if (port := _read(each, got)) is not None}
        if len(ports) == len(places):
            if "places" in request.memory:
                request.memory["places"] = [_narrow(each, ports[each.name]) for each in places]
            break
        request.trace(f"moved: {', '.join(each.wanted for each in places if each.name not in ports)}")
        request.memory.pop("places", None)
    temperatures = await sensors.read(request, session) if request.options.temperatures else {}
    told = await vendor.read(request, session, request.options.values) if request.options.values else vendor.NOTHING
    return _Answers(
        scalars=scalars, places=places, ports=ports, alarms=alarms, temperatures=temperatures, values=told
    )  # fmt: skip


async def _find_ports(request: Request[SnmpOptions], session: Session) -> list[_Place]:
    """Where the wanted ports are; from memory when all are known."""
    known: list[_Place] | None = request.memory.get("places")
    if known is not None:
        return known
    request.trace("walking ifName for the ports")
    wanted = set(request.options.interfaces)
    names = await session.walk(mib.IF_NAME, certain=False)
    column = mib.IF_NAME if names else mib.IF_DESCR
    names = names or await session.walk(column)
    request.memory["all_ports"] = sorted(names.values())[:12]
    found = {name: (index, column) for index, name in reversed(names.items()) if name in wanted}
    if len(found) < len(wanted):
        request.trace("walking ifAlias for the others")
        aliases = await session.walk(mib.IF_ALIAS)
        by_alias = {alias: (index, mib.IF_ALIAS) for index, alias in reversed(aliases.items()) if alias in wanted}
        found = by_alias | found
    wanted_columns = (
        *(request.options.columns or mib.IF_COLUMNS),
        *(mib.IF_DISCARDS if request.options.discards else ()),
    )
    columns = tuple(dict.fromkeys((*wanted_columns, "ifCounterDiscontinuityTime")))
    by_index = {index: _place(name, names.get(index, name), index, by, columns) for name, (index, by) in found.items()}
    places = list(by_index.values())
    if len(found) == len(wanted):
        request.memory["places"] = places
    return places


@lru_cache(maxsize=PLACES)
def _place(wanted: str, name: str, index: str, by: str, columns: Sequence[str]) -> _Place:
    """Devices of one model have the same ports: they share what is known of them."""
    return _Place(
        wanted=wanted,
        name=name,
        identity=f"{by}.{index}",
        reads={column: f"{_COLUMNS[column]}.{index}" for column in columns},
        keys={column: labelled(column, ifName=name) for column in (*columns, *mib.WIDE.values(), *_COMPUTED)},
    )


def _narrow(place: _Place, port: mib.Port) -> _Place:
    """With the 32-bit counters instead of those of 64 bits that the port has not."""
    if all(wide in port.values or wide not in place.reads for wide in mib.WIDE):
        return place
    reads = {}
    for column, oid in place.reads.items():
        other = mib.WIDE.get(column) if column not in port.values else None
        reads[other or column] = f"{mib.IF_COLUMNS_NARROW[other]}.{oid.rpartition('.')[2]}" if other else oid
    return replace(place, reads=reads)


def _read(place: _Place, got: Mapping[str, Any]) -> mib.Port | None:
    if text(got.get(place.identity, b"")) != place.wanted:
        return None
    read = ((column, got.get(oid)) for column, oid in place.reads.items())
    return mib.Port(place.name, {column: value for column, value in read if isinstance(value, int) and value >= 0})


# -- what it means -----------------------------------------------------------------------------------------------------


def _judge(request: Request[SnmpOptions], answers: _Answers) -> Result:
    places, ports = answers.places, answers.ports
    uptime = _uptime(answers.scalars)
    if uptime is None:
        return failed(Reason.PROTOCOL, "the agent does not tell its uptime")
    boots = answers.scalars.get(mib.ENGINE_BOOTS)
    poll = mib.Poll(
        at=asyncio.get_running_loop().time(),
        uptime_seconds=uptime,
        engine_boots=boots if isinstance(boots, int) else None,
        ports=ports,
    )
    measured = {"snmp_uptime_seconds": uptime, "snmp_rebooted": 0.0}
    sayings = [f"up {_span(uptime)}"]
    before: mib.Poll | None = request.memory.get("last")
    request.memory["last"] = poll
    if before is not None and mib.restarted(before, poll):
        measured["snmp_rebooted"] = 1.0
        sayings.append("restarted since the last run")
        request.memory.pop("base", None)
        request.memory.pop("sensors", None)  # numbers move at a restart
        request.memory.pop("values", None)
    rates = _rates(request.memory, poll)
    for place in places:
        if (port := ports.get(place.name)) is not None:
            _measure_port(place, port, rates.get(place.name), request.options.bandwidth.get(place.wanted), measured)
            if mib.is_down(port):
                sayings.append(f"port {_say_port(place)} is down")
    if request.options.ups:
        if (missing := _measure_ups(answers, measured)) is not None:
            return missing
        sayings.append(_say_ups(measured))
    if request.options.temperatures:
        if not answers.temperatures:
            return failed(Reason.CONTENT, "the device tells no temperature (no ENTITY-SENSOR-MIB)", measured)
        sayings += _measure_temperatures(answers.temperatures, measured)
    if request.options.values:
        told = vendor.measure(request.options.values, answers.values)
        if not told:
            return failed(Reason.CONTENT, f"the device tells none of {', '.join(request.options.values)}", measured)
        sayings += _measure_values(request, answers.values, told, poll.at, measured)
    absent = sorted(set(request.options.interfaces) - {each.wanted for each in places if each.name in ports})
    if absent:
        others = ", ".join(request.memory.get("all_ports", ()))
        return failed(Reason.CONTENT, one_line(f"no port {', '.join(absent)}; the device has {others}"), measured)
    return Result(
        outcome=ok().outcome, values=measured, evidence=one_line("; ".join(sayings)) if places else "; ".join(sayings)
    )


def _rates(memory: dict[str, Any], poll: mib.Poll) -> Mapping[str, mib.Rates]:
    """By port, since the last poll that is long enough ago; none in between, for the same rate told twice is no second one."""
    base: mib.Poll | None = memory.get("base")
    if base is not None and poll.at - base.at < mib.LEAST_SPAN_SECONDS:
        return {}
    memory["base"] = poll
    if base is None:
        return {}
    seconds = poll.at - base.at
    return {name: mib.rates(base.ports[name], port, seconds) for name, port in poll.ports.items() if name in base.ports}


def _say_port(place: _Place) -> str:
    return place.name if place.name == place.wanted else f"{place.wanted} ({place.name})"


def _uptime(values: Mapping[str, Any]) -> float | None:
    ticks, engine = (values.get(each) for each in (mib.SYS_UPTIME, mib.ENGINE_TIME))
    engine = engine if isinstance(engine, int) and 0 <= engine < 1 << 31 else None
    if not isinstance(ticks, int) or not 0 <= ticks < 1 << 32:  # TimeTicks (RFC 2578 section 7.1.8)
        return None if engine is None else float(engine)
    # Past 497 days sysUpTime has wrapped and only the engine knows.
    return float(engine) if engine is not None and engine > mib.WRAP_SECONDS else ticks / 100


def _measure_port(
    place: _Place, port: mib.Port, rates: mib.Rates | None, bandwidth: float | None, measured: dict[str, float]
) -> None:
    keys = place.keys
    for column, value in port.values.items():
        if column != "ifCounterDiscontinuityTime":
            measured[keys[column]] = float(value)
    if "ifOperStatus" in port.values:
        measured[keys["snmp_if_down"]] = float(mib.is_down(port))
    if rates is not None:
        for name, which in _RATES.items():
            rate: float | None = getattr(rates, which)
            if rate is not None:
                measured[keys[name]] = rate
        utilisation = rates.utilisation_ratio(bandwidth or port.values.get("ifHighSpeed", 0) * 1e6)
        if utilisation is not None:
            measured[keys["snmp_if_utilisation_ratio"]] = utilisation


def _measure_ups(answers: _Answers, measured: dict[str, float]) -> Result | None:
    """The battery into `measured`; a failure when the device has none to tell of."""
    values = answers.scalars
    read = {name: values.get(oid) for name, oid in mib.UPS_SCALARS.items()}
    measured |= {name: float(value) for name, value in read.items() if isinstance(value, int)}
    if "upsOutputSource" not in measured:
        return failed(Reason.CONTENT, "the device does not tell where its output comes from (no UPS-MIB)", measured)
    status = measured.get("upsBatteryStatus", 0)
    measured["upsOnBattery"] = float(measured["upsOutputSource"] == mib.ON_BATTERY)
    measured["upsBatteryLow"] = float(status in (mib.BATTERY_LOW, mib.BATTERY_DEPLETED))
    present, apc = values.get(mib.UPS_ALARMS_PRESENT), values.get(mib.APC_REPLACE_BATTERY)
    replace_it = mib.replace_battery(present, answers.alarms, apc)
    if replace_it is not None:
        measured["upsReplaceBattery"] = float(replace_it)
    return None


def _say_ups(measured: Mapping[str, float]) -> str:
    left = measured.get("upsEstimatedMinutesRemaining")
    lasts = f", {left:.0f} minutes left" if left is not None else ""
    old = ", the battery must be replaced" if measured.get("upsReplaceBattery") else ""
    return f"on {'battery' if measured['upsOnBattery'] else 'mains'}{lasts}{old}"


def _measure_temperatures(temperatures: Mapping[str, float | None], measured: dict[str, float]) -> list[str]:
    """What is told into `measured`; the warmest as a saying."""
    told = {sensor: degrees for sensor, degrees in temperatures.items() if degrees is not None}
    measured |= {labelled("snmp_temperature_celsius", sensor=sensor): degrees for sensor, degrees in told.items()}
    return [f"{told[each]:g} °C at {each}" for each in sorted(told, key=told.__getitem__)[-1:]]


def _measure_values(
    request: Request[SnmpOptions],
    answers: vendor.Told,
    told: Sequence[vendor.Measured],
    at: float,
    measured: dict[str, float],
) -> list[str]:
    """What the inventory named into `measured`, and of a room its last call; as sayings, that first, for pages cut what is long."""
    own = {each.key: each.value for each in told}
    measured |= own
    sayings = vendor.sayings(told)
    if all(each.metric != lastcall.CALLS for each in request.options.values.values()):
        return sayings
    calls: lastcall.Calls = request.memory.setdefault("calls", lastcall.Calls())
    read = lastcall.Read(
        at=at,
        now=datetime.now(UTC),
        values={each.metric: each.value for each in told if each.told or each.metric == lastcall.CALLS},
        counters=vendor.counters(request.options.values, answers, lastcall.SO_FAR),
        rebooted=bool(measured["snmp_rebooted"]),
    )
    calls.note(read)
    measured |= calls.values() | own  # of its last call the room itself knows best
    return [*filter(None, [str(calls)]), *sayings]


def _span(seconds: float) -> str:
    days, rest = divmod(int(seconds), 86400)
    return f"{days} d {rest // 3600} h" if days else f"{rest // 3600} h {rest // 60 % 60} min"
