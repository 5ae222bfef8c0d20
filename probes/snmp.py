"""Does the agent of a device answer, has it rebooted, how are its ports and its battery? (only user of gufo-snmp)

Source: RFC 3416 (v2c), RFC 3414 and 3826 (v3 with authentication and privacy); objects in `probes.wire.mib`. One GET a
run once the ports are known by name; about 0.1 ms of CPU. Ports are found by ifName, because ifIndex moves at a reboot.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, Literal

from gufo.snmp import (
    Aes128Key,
    Md5Key,
    NoSuchInstance,
    Sha1Key,
    Sha256Key,
    Sha512Key,
    SnmpAuthError,
    SnmpError,
    SnmpVersion,
    User,
)
from gufo.snmp.aio import SnmpSession
from pydantic import Field, model_validator

from monitor.core.model import Reason
from probes.registry import Metric, Options, Request, Result, Secret, failed, labelled, ok, probe
from probes.wire import mib
from probes.wire.text import one_line

TRIES = 2
"""SNMP runs over UDP: one lost packet is no failure."""
MAX_PORTS = 4096
PORTS_A_REQUEST = 4
"""Keeps an answer under 1,500 bytes."""

_AUTH = {"md5": Md5Key, "sha": Sha1Key, "sha256": Sha256Key, "sha512": Sha512Key}

PortName = Annotated[str, Field(min_length=1, max_length=64)]


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
    interfaces: list[PortName] = Field([], max_length=64, description="names (ifName) of the ports to watch")
    ups: bool = Field(False, description="ask for the battery (UPS-MIB)")

    @model_validator(mode="after")
    def _complete(self) -> SnmpOptions:
        if self.version == "2c" and self.community is None:
            raise ValueError("version 2c needs `community: {file: NAME}`")
        if self.version == "3" and (not self.user or self.auth_password is None or self.privacy_password is None):
            raise ValueError("version 3 needs `user`, `auth_password` and `privacy_password`")
        return self


def _session(request: Request[SnmpOptions]) -> SnmpSession:
    """v3 sessions are kept, because deriving their keys costs 2 ms; those of v2c would only hold descriptors."""
    options = request.options
    address = str(ipaddress.ip_address(request.address))
    if options.version == "2c":
        assert options.community is not None
        return SnmpSession(
            address, options.port, community=options.community.get_secret_value(), version=SnmpVersion.v2c
        )
    known = request.memory.get("session")
    if known is None:
        assert options.auth_password is not None and options.privacy_password is not None  # noqa: PT018
        user = User(
            options.user,
            auth_key=_AUTH[options.auth](options.auth_password.get_secret_value().encode()),
            priv_key=Aes128Key(options.privacy_password.get_secret_value().encode()),
        )
        known = request.memory["session"] = SnmpSession(address, options.port, user=user, version=SnmpVersion.v3)
    return known


async def _rows(answer: AsyncIterator[tuple[str, Any]]) -> dict[str, Any]:
    """The rows of a walk, as many as any sane device has."""
    rows: dict[str, Any] = {}
    async for oid, value in answer:
        rows[oid] = value
        if len(rows) >= MAX_PORTS:
            break
    return rows


async def _find_ports(session: SnmpSession, request: Request[SnmpOptions]) -> dict[str, str]:
    """ifIndex by name, of the wanted ports; from memory when it is known."""
    wanted = request.options.interfaces
    known: dict[str, str] | None = request.memory.get("ports")
    if known is not None or not wanted:
        return known or {}
    request.trace("walking ifName for the ports")
    rows = await _rows(session.getbulk(mib.IF_NAME))
    names = {_text(value): oid.rpartition(".")[2] for oid, value in rows.items()}
    found = {name: names[name] for name in wanted if name in names}
    request.memory["all_ports"] = sorted(names)[:12]
    if len(found) == len(wanted):
        request.memory["ports"] = found
    return found


def _text(value: object) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


async def _ask(request: Request[SnmpOptions]) -> tuple[dict[str, Any], list[mib.Port]]:
    session = _session(request)
    if request.options.version == "3":
        await session.refresh()
    scalars = {mib.SYS_UPTIME, mib.ENGINE_TIME}
    if request.options.ups:
        scalars |= set(mib.UPS_SCALARS.values())
    request.trace(f"GET of {len(scalars)} objects, SNMP version {request.options.version}, from {request.address}")
    values = dict(await session.get_many(sorted(scalars)))
    ports: list[mib.Port] = []
    indices = list((await _find_ports(session, request)).items())
    for start in range(0, len(indices), PORTS_A_REQUEST):
        ports += await _ask_ports(session, request, dict(indices[start : start + PORTS_A_REQUEST]))
    return values, ports


async def _ask_ports(session: SnmpSession, request: Request[SnmpOptions], indices: Mapping[str, str]) -> list[mib.Port]:
    columns = {"ifName": mib.IF_NAME, **mib.IF_COLUMNS}
    request.trace(f"GET of {len(columns)} columns of {', '.join(indices)}")
    got = await session.get_many([f"{oid}.{index}" for index in indices.values() for oid in columns.values()])
    ports = []
    for name, index in indices.items():
        if _text(got.get(f"{mib.IF_NAME}.{index}", b"")) != name:
            request.trace(f"ifIndex {index} is no longer {name}: found anew at the next run")
            request.memory.pop("ports", None)
            continue
        read = {column: got.get(f"{oid}.{index}") for column, oid in mib.IF_COLUMNS.items()}
        ports.append(mib.Port(name, {column: value for column, value in read.items() if isinstance(value, int)}))
    return ports


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
    patience = request.timeout_seconds / TRIES * 0.95
    error: Result | None = None
    for attempt in range(TRIES):
        try:
            async with asyncio.timeout(patience):
                values, ports = await _ask(request)
        except TimeoutError:
            request.memory.pop("session", None)
            request.trace(f"no answer within {patience:.1f} s, try {attempt + 1}")
            hint = "; a wrong community looks the same" if request.options.version == "2c" else ""
            error = failed(Reason.TIMEOUT, f"no SNMP answer, {TRIES} tries{hint}")
        except SnmpAuthError as refused:
            request.memory.pop("session", None)
            error = failed(Reason.AUTH, f"the agent refuses user {request.options.user}: {one_line(str(refused))}")
        except (SnmpError, NoSuchInstance, RuntimeError, ValueError) as wrong:
            # After a restart of the agent its clock (RFC 3414 section 2.2) must be learnt anew.
            request.memory.pop("session", None)
            error = failed(Reason.PROTOCOL, f"not a good SNMP answer: {one_line(str(wrong) or type(wrong).__name__)}")
        except BaseException as panic:
            # The decoder of gufo-snmp 0.13 panics on some garbage (b"\xff\xff\xff" is enough), and pyo3's PanicException
            # is no Exception: one datagram would pass every `except Exception` of the daemon.
            if type(panic).__name__ != "PanicException":
                raise
            request.memory.pop("session", None)
            error = failed(Reason.PROTOCOL, f"not a good SNMP answer: {one_line(str(panic))}")
        else:
            return _result(request, values, ports)
    assert error is not None
    return error


def _result(request: Request[SnmpOptions], values: Mapping[str, Any], ports: list[mib.Port]) -> Result:
    uptime = _uptime(values)
    if uptime is None:
        return failed(Reason.PROTOCOL, "the agent does not tell its uptime")
    poll = mib.Poll(uptime_seconds=uptime, ports=ports)
    measured = {"snmp_uptime_seconds": uptime, "snmp_rebooted": 0.0}
    now = asyncio.get_running_loop().time()
    before: tuple[float, mib.Poll] | None = request.memory.get("last")
    request.memory["last"] = (now, poll)
    sayings = [f"up {_span(uptime)}"]
    if before is not None and mib.restarted(before[1], poll, now - before[0]):
        measured["snmp_rebooted"] = 1.0
        sayings.append("restarted since the last run")
        before = None
    for port in ports:
        _measure_port(port, before, now, measured)
        if mib.is_down(port):
            sayings.append(f"port {port.name} is down")
    if request.options.ups:
        if (missing := _measure_ups(values, measured)) is not None:
            return missing
        sayings.append(_say_ups(measured))
    absent = sorted(set(request.options.interfaces) - {port.name for port in ports})
    if absent:
        others = ", ".join(request.memory.get("all_ports", ()))
        return failed(Reason.CONTENT, one_line(f"no port {', '.join(absent)}; the device has {others}"), measured)
    return Result(outcome=ok().outcome, values=measured, evidence=one_line("; ".join(sayings)))


def _uptime(values: Mapping[str, Any]) -> float | None:
    ticks, engine = values.get(mib.SYS_UPTIME), values.get(mib.ENGINE_TIME)
    if isinstance(ticks, int):
        # Past 497 days sysUpTime has wrapped and only the engine knows.
        return float(engine) if isinstance(engine, int) and engine > mib.WRAP_SECONDS else ticks / 100
    return float(engine) if isinstance(engine, int) else None


def _measure_port(
    port: mib.Port, before: tuple[float, mib.Poll] | None, now: float, measured: dict[str, float]
) -> None:
    for column, value in port.values.items():
        if column != "ifCounterDiscontinuityTime":
            measured[labelled(column, ifName=port.name)] = float(value)
    measured[labelled("snmp_if_down", ifName=port.name)] = float(mib.is_down(port))
    earlier = next((each for each in before[1].ports if each.name == port.name), None) if before else None
    if earlier is None or before is None:
        return
    rates = mib.rates(earlier, port, now - before[0])
    for name, rate in (
        ("snmp_if_in_bits_per_second", rates.in_bits_per_second),
        ("snmp_if_out_bits_per_second", rates.out_bits_per_second),
        ("snmp_if_error_ratio", rates.error_ratio),
    ):
        if rate is not None:
            measured[labelled(name, ifName=port.name)] = rate


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
