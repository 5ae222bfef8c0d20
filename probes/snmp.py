"""Does the agent of a device answer, has it rebooted, how are its ports and its battery? (only user of gufo-snmp)

Source: RFC 3416 (v2c), RFC 3414 and 3826 (v3 with authentication and privacy); objects in `probes.wire.mib`. Costs about
0.07 ms of CPU a run, 0.7 ms with four columns of 48 ports. Ports are found by ifName or ifAlias in a walk by GETBULK, because
ifIndex moves at a reboot; once they are known, exact GETs ask for many columns of many ports at once, which gufo-snmp can only
do so. A device is asked one thing at a time, and no more at once than it takes.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Annotated, Any, Literal, cast

from gufo.snmp import (
    Aes128Key,
    Md5Key,
    NoSuchInstance,
    Sha1Key,
    Sha256Key,
    Sha512Key,
    SnmpAuthError,
    SnmpDecodeError,
    SnmpError,
    SnmpVersion,
    User,
)
from gufo.snmp.aio import SnmpSession
from gufo.snmp.user import KeyType
from pydantic import Field, SecretStr, model_validator

from monitor.core.model import Reason
from probes.registry import Metric, Options, Request, Result, Secret, failed, inconclusive, labelled, ok, probe
from probes.wire import mib
from probes.wire.room import Room
from probes.wire.text import one_line

TRIES = 2
"""SNMP runs over UDP: one lost packet is no failure."""
MAX_PORTS = 4096
FRESH_SECONDS = 100.0
"""The clock of an agent of version 3 is learnt anew after this silence; 150 s are allowed (RFC 3414 section 2.2.3)."""
TURN_RATIO = 0.5
"""Part of the time-out that a check waits while another one asks the same device."""
SHORT_PATIENCE_SECONDS = 0.5
"""Once an agent has answered, the next answer is waited for so long, and ten times as long as the slowest before."""

_AUTH = {"md5": Md5Key, "sha": Sha1Key, "sha256": Sha256Key, "sha512": Sha512Key}
_RATES = {
    "snmp_if_in_bits_per_second": "in_bits_per_second",
    "snmp_if_out_bits_per_second": "out_bits_per_second",
    "snmp_if_error_ratio": "error_ratio",
}

PortName = Annotated[str, Field(min_length=1, max_length=64)]
Column = Literal[
    "ifAdminStatus", "ifOperStatus", "ifInErrors", "ifOutErrors", "ifHCInOctets", "ifHCInUcastPkts", "ifHCOutOctets",
    "ifHCOutUcastPkts", "ifHighSpeed",
]  # fmt: skip


class SnmpOptions(Options):
    """How to ask, and for what."""

    version: Literal["2c", "3"] = "2c"
    port: int = Field(161, ge=1, le=65535)
    community: Secret | None = None
    user: str = ""
    auth: Literal["md5", "sha", "sha256", "sha512"] = "sha"
    auth_password: Secret | None = None
    privacy: Literal["aes128"] = "aes128"
    privacy_password: Secret | None = None
    interfaces: list[PortName] = Field(
        [], max_length=256, description="names (ifName or ifAlias) of the ports to watch"
    )
    columns: list[Column] = Field([], description="what to ask of a port; empty: everything")
    ups: bool = Field(False, description="ask for the battery (UPS-MIB)")

    @model_validator(mode="after")
    def _complete(self) -> SnmpOptions:
        if self.version == "2c" and self.community is None:
            raise ValueError("version 2c needs `community: {file: NAME}`")
        if self.version == "3" and (not self.user or self.auth_password is None or self.privacy_password is None):
            raise ValueError("version 3 needs `user`, `auth_password` and `privacy_password`")
        return self


# -- what is kept of a device ------------------------------------------------------------------------------------------


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


@dataclass(slots=True)
class _Device:
    """Kept of an agent between runs, for all checks that ask it."""

    address: str
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    room: Room = field(default_factory=Room)
    sessions: dict[tuple[str, ...], _Session] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    """OIDs for which the agent gives up the whole answer."""


class _Session:
    """An open session: asks one thing at a time, and no longer than the agent is worth waiting for."""

    def __init__(self, request: Request[SnmpOptions], address: str) -> None:
        options = request.options
        self._patience = self._longest = request.timeout_seconds
        self._slowest = 0.0
        self._heard = float("-inf")
        self._clock = asyncio.get_running_loop().time
        self._is_v3 = options.version == "3"
        if not self._is_v3:
            assert options.community is not None
            self.wire = SnmpSession(
                address, options.port, community=options.community.get_secret_value(), version=SnmpVersion.v2c
            )
            return
        assert options.auth_password is not None and options.privacy_password is not None  # noqa: PT018
        user = User(
            options.user,
            auth_key=_AUTH[options.auth](_master_key(options.auth, options.auth_password), key_type=KeyType.Master),
            priv_key=Aes128Key(_master_key(options.auth, options.privacy_password), key_type=KeyType.Master),
        )
        self.wire = SnmpSession(address, options.port, user=user, version=SnmpVersion.v3)

    async def begin(self, patience: float) -> None:
        """Before the first question of a run, which may take `patience` seconds."""
        silence = self._clock() - self._heard
        self._longest = patience
        if silence < float("inf"):
            # gufo-snmp waits past what an agent that restarted says to a kept session: try soon with a new one.
            patience = min(patience, SHORT_PATIENCE_SECONDS + 10 * self._slowest)
        self._patience = patience
        self._slowest = 0.0
        if self._is_v3 and silence > FRESH_SECONDS:
            async with asyncio.timeout(patience):
                await self.wire.refresh()

    async def get(self, oids: Sequence[str]) -> dict[str, Any]:
        """Values by OID. An error status of the agent (tooBig, genErr) is an empty answer: gufo-snmp tells no more."""
        start = self._clock()
        async with asyncio.timeout(self._patience):
            values = cast("dict[str, Any]", await self.wire.get_many(oids))
        self._heard_since(start)
        return values

    async def walk(self, column: str, at_once: int) -> dict[str, str]:
        """Texts of a column by index, as many as any sane device has; an error status ends it, as gufo-snmp tells no more."""
        rows: dict[str, str] = {}
        last = -1
        answer = self.wire.getbulk(column, max_repetitions=at_once)
        while len(rows) < MAX_PORTS:
            start = self._clock()
            try:
                async with asyncio.timeout(self._patience):
                    oid, value = await anext(answer)
            except StopAsyncIteration:
                break
            self._heard_since(start)
            index = oid.rpartition(".")[2]
            if int(index) <= last:
                raise SnmpError("a walk goes round in circles")
            last = int(index)
            rows[index] = _text(value)
        return rows

    def _heard_since(self, start: float) -> None:
        self._heard = self._clock()
        self._slowest = max(self._slowest, self._heard - start)
        self._patience = min(self._longest, SHORT_PATIENCE_SECONDS + 10 * self._slowest)


@lru_cache(maxsize=64)
def _master_key(auth: str, password: SecretStr) -> bytes:
    """RFC 3414 appendix A.2: a mebibyte is hashed for it, so once for all devices that take the same password."""
    key: bytes = _AUTH[auth].get_master_key(password.get_secret_value().encode())
    return key


def _text(value: object) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def _credentials(options: SnmpOptions) -> tuple[str, ...]:
    secrets = (options.auth_password, options.privacy_password)
    return (options.user, options.auth, *(each.get_secret_value() for each in secrets if each))


def _open(request: Request[SnmpOptions], device: _Device) -> _Session:
    """v3 sessions are kept, with keys and the agent's clock; those of v2c would only hold descriptors."""
    if request.options.version == "2c":
        return _Session(request, device.address)
    who = _credentials(request.options)
    known = device.sessions.get(who)
    if known is None:
        known = device.sessions[who] = _Session(request, device.address)
    return known


# -- asking ------------------------------------------------------------------------------------------------------------


async def _scalars(session: _Session, device: _Device, wanted: Iterable[str]) -> dict[str, Any]:
    oids = [each for each in wanted if each not in device.silent]
    values = await session.get(oids)
    if mib.SYS_UPTIME in values or mib.ENGINE_TIME in values:
        return values
    # Agents that think in version 1 (RFC 1157 section 4.1.2) give up the whole answer for one object that they lack.
    for oid in oids:
        values |= await session.get([oid])
    device.silent.update(oid for oid in oids if values and oid not in values)
    return values


async def _find_ports(session: _Session, device: _Device, request: Request[SnmpOptions]) -> list[_Place]:
    """Where the wanted ports are; from memory when all are known."""
    known: list[_Place] | None = request.memory.get("places")
    if known is not None:
        return known
    request.trace("walking ifName for the ports")
    wanted = request.options.interfaces
    names = await _walk(session, device.room, mib.IF_NAME)
    request.memory["all_ports"] = sorted(names.values())[:12]
    found = {name: (index, mib.IF_NAME) for index, name in reversed(names.items()) if name in wanted}
    if len(found) < len(set(wanted)):
        request.trace("walking ifAlias for the others")
        aliases = await _walk(session, device.room, mib.IF_ALIAS)
        by_alias = {alias: (index, mib.IF_ALIAS) for index, alias in reversed(aliases.items()) if alias in wanted}
        found = by_alias | found
    columns = {each: mib.IF_COLUMNS[each] for each in request.options.columns or mib.IF_COLUMNS}
    columns["ifCounterDiscontinuityTime"] = mib.IF_COLUMNS["ifCounterDiscontinuityTime"]
    places = {index: _place(name, names.get(index, name), index, by, columns) for name, (index, by) in found.items()}
    if len(found) == len(set(wanted)):
        request.memory["places"] = list(places.values())
    return list(places.values())


def _place(wanted: str, name: str, index: str, by: str, columns: Mapping[str, str]) -> _Place:
    return _Place(
        wanted=wanted,
        name=name,
        identity=f"{by}.{index}",
        reads={column: f"{oid}.{index}" for column, oid in columns.items()},
        keys={
            column: labelled(column, ifName=name) for column in (*columns, *mib.WIDE.values(), *_RATES, "snmp_if_down")
        },
    )


async def _walk(session: _Session, room: Room, column: str) -> dict[str, str]:
    while True:
        at_once = room.size
        try:
            rows = await session.walk(column, at_once)
        except (TimeoutError, SnmpDecodeError):
            if not room.shrink(at_once):
                raise
        else:
            if rows or not room.shrink(at_once):
                return rows


async def _ask_ports(session: _Session, device: _Device, places: Sequence[_Place]) -> dict[str, Any]:
    """Values by OID. Asked in portions that the agent takes; a port that is no longer there brings nothing."""
    got: dict[str, Any] = {}
    todo = list(places)
    while todo:
        room = device.room.size
        oids: list[str] = []
        taken = 0
        for place in todo:
            its = [place.identity, *place.reads.values()]
            if oids and len(oids) + len(its) > room:
                break
            oids += its
            taken += 1
        answer = await _ask_within(session, device.room, oids)
        lost = [place for place in todo[:taken] if place.identity not in answer] if answer is not None else []
        if answer is None or (lost and await session.get([lost[0].identity])):
            if answer is not None and not device.room.shrink(min(len(oids), room)):
                raise SnmpError("the agent gives a value now and then only")
            continue
        got |= answer
        todo = todo[taken:]
    return got


async def _ask_within(session: _Session, room: Room, oids: Sequence[str]) -> dict[str, Any] | None:
    """Values by OID; None when that was too much, and `room` is smaller now."""
    got: dict[str, Any] = {}
    size = room.size
    for start in range(0, len(oids), size):
        some = oids[start : start + size]
        try:
            got.update(await session.get(some))
        except (TimeoutError, SnmpDecodeError):  # it is silent, or the answer was longer than gufo-snmp reads
            if not room.shrink(len(some)):
                raise
            return None
    return got


async def _ask(
    request: Request[SnmpOptions], device: _Device, session: _Session
) -> tuple[dict[str, Any], dict[str, mib.Port], list[_Place]]:
    scalars = [mib.SYS_UPTIME, mib.ENGINE_BOOTS, mib.ENGINE_TIME]
    if request.options.ups:
        scalars += mib.UPS_SCALARS.values()
    request.trace(f"GET of {len(scalars)} objects, SNMP version {request.options.version}, from {request.address}")
    values = await _scalars(session, device, scalars)
    if not request.options.interfaces:
        return values, {}, []
    places: list[_Place] = []
    ports: dict[str, mib.Port] = {}
    for _ in range(2):  # a port that is elsewhere now is found in the same run
        places = await _find_ports(session, device, request)
        request.trace(f"GET of {len(places)} ports, at most {device.room.size} values at once")
        got = await _ask_ports(session, device, places)
        ports = {each.name: port for each in places if (port := _read(each, got)) is not None}
        if len(ports) == len(places):
            if "places" in request.memory:
                request.memory["places"] = [_narrow(each, ports[each.name]) for each in places]
            break
        request.trace(f"moved: {', '.join(each.wanted for each in places if each.name not in ports)}")
        request.memory.pop("places", None)
    return values, ports, places


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
    if _text(got.get(place.identity, b"")) != place.wanted:
        return None
    read = ((column, got.get(oid)) for column, oid in place.reads.items())
    return mib.Port(place.name, {column: value for column, value in read if isinstance(value, int) and value >= 0})


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
        Metric(name="snmp_if_down", help="1 when a port that is switched on does not work.", labels=("ifName",)),
        Metric(name="snmp_if_in_bits_per_second", help="Received since the last run.", labels=("ifName",)),
        Metric(name="snmp_if_out_bits_per_second", help="Sent since the last run.", labels=("ifName",)),
        Metric(name="snmp_if_error_ratio", help="Packets with errors since the last run, 0 to 1.", labels=("ifName",)),
        Metric(name="upsBatteryStatus", help="1 unknown, 2 normal, 3 low, 4 depleted."),
        Metric(name="upsSecondsOnBattery", help="Seconds on battery, 0 on mains."),
        Metric(name="upsEstimatedMinutesRemaining", help="Minutes that the battery will last."),
        Metric(name="upsEstimatedChargeRemaining", help="Charge of the battery in percent."),
        Metric(name="upsOutputSource", help="3 mains, 4 bypass, 5 battery."),
        Metric(name="upsOnBattery", help="1 when the output comes from the battery."),
        Metric(name="upsBatteryLow", help="1 when the battery is low or depleted."),
    ],
)
async def run(request: Request[SnmpOptions]) -> Result:
    """One poll."""
    agent = f"port {request.options.port}"
    device: _Device | None = request.shared.get(agent)
    if device is None:
        device = request.shared[agent] = _Device(str(ipaddress.ip_address(request.address)))
    until = asyncio.get_running_loop().time() + request.timeout_seconds * 0.95
    if not await _take_turn(device, request):
        return inconclusive(Reason.LOCAL, "another check was asking this device all the time")
    try:
        return await _poll(request, device, until)
    finally:
        device.turn.release()


async def _take_turn(device: _Device, request: Request[SnmpOptions]) -> bool:
    if not device.turn.locked():
        return await device.turn.acquire()  # at once
    request.trace("another check asks this device just now")
    try:
        async with asyncio.timeout(request.timeout_seconds * TURN_RATIO):
            return await device.turn.acquire()
    except TimeoutError:
        return False


async def _poll(request: Request[SnmpOptions], device: _Device, until: float) -> Result:
    clock = asyncio.get_running_loop().time
    room = device.room.size
    error: Result | None = None
    for attempt in range(TRIES):
        try:
            session = _open(request, device)
            async with asyncio.timeout_at(until):
                await session.begin(max(0.0, until - clock()) / (TRIES - attempt))
                values, ports, places = await _ask(request, device, session)
        except TimeoutError as silence:
            error = _silent(request, silence)
        except SnmpAuthError as refused:
            error = failed(Reason.AUTH, f"the agent refuses user {request.options.user}: {one_line(str(refused))}")
        except (SnmpError, NoSuchInstance, RuntimeError, ValueError) as wrong:
            # After a restart of the agent its clock (RFC 3414 section 2.2) must be learnt anew.
            error = failed(Reason.PROTOCOL, f"not a good SNMP answer: {one_line(str(wrong) or type(wrong).__name__)}")
        except OSError:
            device.sessions.clear()  # of an address of ours that is gone
            raise
        except BaseException as panic:
            # The decoder of gufo-snmp 0.13 panics on some garbage (b"\xff\xff\xff" is enough), and pyo3's PanicException
            # is no Exception: one datagram would pass every `except Exception` of the daemon.
            if type(panic).__name__ != "PanicException":
                raise
            error = failed(Reason.PROTOCOL, f"not a good SNMP answer: {one_line(str(panic))}")
        else:
            device.room.worked()
            return _result(request, values, ports, places)
        request.trace(f"try {attempt + 1}: {error.evidence}")
        device.sessions.clear()
    device.room.failed(room)
    assert error is not None
    return error


def _silent(request: Request[SnmpOptions], silence: TimeoutError) -> Result:
    if "refused" in str(silence.__cause__):  # gufo-snmp makes a time-out of what the kernel heard by ICMP
        return failed(Reason.REFUSED, f"nobody listens on UDP port {request.options.port}")
    hint = "; a wrong community looks the same" if request.options.version == "2c" else ""
    return failed(Reason.TIMEOUT, f"no SNMP answer, {TRIES} tries{hint}")


def _result(
    request: Request[SnmpOptions], values: Mapping[str, Any], ports: dict[str, mib.Port], places: Sequence[_Place]
) -> Result:
    uptime = _uptime(values)
    if uptime is None:
        return failed(Reason.PROTOCOL, "the agent does not tell its uptime")
    boots = values.get(mib.ENGINE_BOOTS)
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
    rates = _rates(request.memory, poll)
    for place in places:
        if (port := ports.get(place.name)) is not None:
            _measure_port(place, port, rates.get(place.name), measured)
            if mib.is_down(port):
                sayings.append(f"port {_say_port(place)} is down")
    if request.options.ups:
        if (missing := _measure_ups(values, measured)) is not None:
            return missing
        sayings.append(_say_ups(measured))
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


def _measure_port(place: _Place, port: mib.Port, rates: mib.Rates | None, measured: dict[str, float]) -> None:
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


def _measure_ups(values: Mapping[str, Any], measured: dict[str, float]) -> Result | None:
    """The battery into `measured`; a failure when the device has none to tell of."""
    read = {name: values.get(oid) for name, oid in mib.UPS_SCALARS.items()}
    measured |= {name: float(value) for name, value in read.items() if isinstance(value, int)}
    if "upsOutputSource" not in measured:
        return failed(Reason.CONTENT, "the device does not tell where its output comes from (no UPS-MIB)", measured)
    status = measured.get("upsBatteryStatus", 0)
    measured["upsOnBattery"] = float(measured["upsOutputSource"] == mib.ON_BATTERY)
    measured["upsBatteryLow"] = float(status in (mib.BATTERY_LOW, mib.BATTERY_DEPLETED))
    return None


def _say_ups(measured: Mapping[str, float]) -> str:
    left = measured.get("upsEstimatedMinutesRemaining")
    lasts = f", {left:.0f} minutes left" if left is not None else ""
    return f"on battery{lasts}" if measured["upsOnBattery"] else f"on mains{lasts}"


def _span(seconds: float) -> str:
    days, rest = divmod(int(seconds), 86400)
    return f"{days} d {rest // 3600} h" if days else f"{rest // 3600} h {rest // 60 % 60} min"
