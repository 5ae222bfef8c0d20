"""What one poll costs: a GET, and all ports of a switch with 48; ours by run_once, gufo-snmp bare, snmp_exporter, pysnmp.

Ours reads `probes.wire.mib.IF_COLUMNS` and the name of each port, more than four columns; so snmp_exporter is asked for the
four and for the same ones. By version 3 ours and the floor keep session and keys from the first turn on, as the daemon does;
snmp_exporter keeps the keys alone.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gufo.snmp import Aes128Key, Sha1Key, User
from gufo.snmp.aio import SnmpSession
from gufo.snmp.user import KeyType
from pydantic import SecretStr
from pysnmp.hlapi.v3arch.asyncio import (
    USM_AUTH_HMAC96_SHA,
    USM_PRIV_CFB128_AES,
    CommunityData,
    ContextData,
    ObjectIdentity,
    ObjectType,
    SnmpEngine,
    UdpTransportTarget,
    UsmUserData,
    bulk_cmd,
    get_cmd,
)

from bench import setup
from bench.agent import AUTH_PASSWORD, PRIVACY_PASSWORD, USER, snmpd
from bench.daemon import COMMUNITY
from bench.echo import ready_server
from bench.harness import Figures, Run, compare, worker
from bench.network import PORTS, addresses, raise_network
from bench.turns import ask_all, scrape_turns
from probes import registry
from probes.registry import Request, run_once
from probes.wire import mib

EXPORTER = "127.0.0.1:9116"
TARGETS = 100
TURNS = 3
GET_TURNS = 15
"""How often each target is asked in a round."""
ROUNDS = 5
AT_ONCE = 20
FEW = 30
"""Targets of pysnmp, whose cost grows with them."""

VERSIONS = {"2c": "v2c", "3": "v3 authPriv"}
FOUR = ("ifOperStatus", "ifInErrors", "ifHCInOctets", "ifHCOutOctets")


Contenders = dict[str, Callable[[], Figures]]


def measure(run: Run) -> dict[str, Any]:
    """A GET, and the ports, by each version."""
    if not run.has("snmpd"):
        raise RuntimeError("nothing to ask without snmpd")
    raise_network()
    targets, rounds = addresses(TARGETS), run.rounds or ROUNDS
    exporter = run.folder if run.has("prometheus-snmp-exporter") else None
    tables = {}
    with snmpd(run.folder):
        for version, spoken in VERSIONS.items():
            print(f"  GET by {spoken}")
            title = f"snmp: GET of sysUpTime by {spoken}, {TARGETS} targets × {GET_TURNS}, {AT_ONCE} at once"
            tables[title] = compare(_gets(targets, version, exporter), rounds)
            print(f"  ports by {spoken}")
            title = f"snmp: {PORTS} ports by {spoken}, {TARGETS} targets × {TURNS}, {AT_ONCE} at once"
            tables[title] = compare(_polls(targets, version, exporter), rounds)
    return {"tables": tables}


def _gets(targets: list[str], version: str, exporter: Path | None) -> Contenders:
    few = targets[:FEW]
    found: Contenders = {
        "ours, run_once": lambda: worker("bench.snmp:ours", version=version, targets=targets, ports=0, columns=[]),
        "floor, gufo-snmp bare": lambda: worker("bench.snmp:gufo", version=version, targets=targets, columns=[]),
        f"pysnmp, {FEW} targets": lambda: worker("bench.snmp:pysnmp", version=version, targets=few, columns=[]),
    }
    if exporter:
        found["snmp_exporter"] = lambda: _exporter(exporter, targets, version, "uptime")
    return found


def _polls(targets: list[str], version: str, exporter: Path | None) -> Contenders:
    same, few = len(mib.IF_COLUMNS) + 1, targets[:FEW]
    found: Contenders = {
        "ours, run_once, 4 columns": lambda: worker(
            "bench.snmp:ours", version=version, targets=targets, ports=PORTS, columns=FOUR
        ),
        f"ours, run_once, {same} columns": lambda: worker(
            "bench.snmp:ours", version=version, targets=targets, ports=PORTS, columns=[]
        ),
        "floor, gufo-snmp bare, 4 columns": lambda: worker(
            "bench.snmp:gufo", version=version, targets=targets, columns=FOUR
        ),
        f"pysnmp, 4 columns, {FEW} targets": lambda: worker(
            "bench.snmp:pysnmp", version=version, targets=few, columns=FOUR
        ),
    }
    if exporter:
        found["snmp_exporter, 4 columns"] = lambda: _exporter(exporter, targets, version, "four")
        found[f"snmp_exporter, {same} columns"] = lambda: _exporter(exporter, targets, version, "all")
    return found


# -- in a Python of their own ------------------------------------------------------------------------------------------


def ours(version: str, targets: list[str], ports: int, columns: list[str]) -> Figures:
    """Our probe, as the scheduler calls it: names of ports are known after the first run."""
    kind = registry.load()["snmp"]
    names = [f"p{index + 1}" for index in range(ports)]
    login: dict[str, Any] = {"community": SecretStr(COMMUNITY)}
    if version == "3":
        passwords = {"auth_password": SecretStr(AUTH_PASSWORD), "privacy_password": SecretStr(PRIVACY_PASSWORD)}
        login = {"version": version, "user": USER, **passwords}
    options = kind.options(**login, interfaces=names, columns=columns)  # type: ignore[call-arg]
    requests = [Request(address=each, options=options, timeout_seconds=10.0) for each in targets]

    async def one(request: Request[Any]) -> bool:
        result, _ = await run_once(kind, request)
        return result.outcome == "ok"

    return asyncio.run(ask_all(requests, one, TURNS if ports else GET_TURNS, AT_ONCE))


def gufo(version: str, targets: list[str], columns: list[str]) -> Figures:
    """gufo-snmp: one GET, or the columns by GETBULK; nothing is made of the answer. Of version 3 the sessions are kept."""
    kept: dict[str, SnmpSession] = {}
    user = User(
        USER,
        auth_key=Sha1Key(Sha1Key.get_master_key(AUTH_PASSWORD.encode()), key_type=KeyType.Master),
        priv_key=Aes128Key(Sha1Key.get_master_key(PRIVACY_PASSWORD.encode()), key_type=KeyType.Master),
    )

    async def opened(target: str) -> SnmpSession:
        if version == "2c":
            return SnmpSession(target, community=COMMUNITY, timeout=5)
        if target not in kept:
            kept[target] = SnmpSession(target, user=user, timeout=5)
            await kept[target].refresh()
        return kept[target]

    async def one(target: str) -> bool:
        session = await opened(target)
        if not columns:
            return bool(await session.get(mib.SYS_UPTIME))
        seen = 0
        for column in columns:
            async for _ in session.getbulk(mib.IF_COLUMNS[column], max_repetitions=25):
                seen += 1
        return seen >= PORTS * len(columns)

    return asyncio.run(ask_all(targets, one, TURNS if columns else GET_TURNS, AT_ONCE))


def pysnmp(version: str, targets: list[str], columns: list[str]) -> Figures:
    """pysnmp, one engine for all targets: one GET, or the columns by GETBULK."""
    return asyncio.run(_pysnmp(version, targets, columns))


async def _pysnmp(version: str, targets: list[str], columns: list[str]) -> Figures:
    engine, context = SnmpEngine(), ContextData()
    who = CommunityData(COMMUNITY)
    if version == "3":
        who = UsmUserData(
            USER, AUTH_PASSWORD, PRIVACY_PASSWORD, authProtocol=USM_AUTH_HMAC96_SHA, privProtocol=USM_PRIV_CFB128_AES
        )

    async def one(target: str) -> bool:
        transport = await UdpTransportTarget.create((target, 161), timeout=10, retries=0)
        if not columns:
            error, status, _, _ = await get_cmd(
                engine, who, transport, context, ObjectType(ObjectIdentity(mib.SYS_UPTIME)), lookupMib=False
            )
            return not error and not status
        roots = [mib.IF_COLUMNS[each] for each in columns]
        nexts, seen = list(roots), 0
        while seen < PORTS * len(columns):
            asked = [ObjectType(ObjectIdentity(each)) for each in nexts]
            error, status, _, rows = await bulk_cmd(engine, who, transport, context, 0, 25, *asked, lookupMib=False)
            if error or status or not rows:
                return False
            found = [str(row[0]) for row in rows]
            seen += sum(oid.startswith(tuple(f"{root}." for root in roots)) for oid in found)
            nexts = found[-len(columns) :]
        return True

    return await ask_all(targets, one, 1 if columns else TURNS, AT_ONCE)


# -- as processes ------------------------------------------------------------------------------------------------------


def _exporter(folder: Path, targets: list[str], version: str, module: str) -> Figures:
    settings = folder / "snmp.yml"
    settings.write_text(json.dumps(exporter_settings(version)))
    command = [
        str(setup.program("prometheus-snmp-exporter")), f"--config.file={settings}",
        f"--web.listen-address={EXPORTER}", "--log.level=error",
    ]  # fmt: skip
    urls = [f"http://{EXPORTER}/snmp?module={module}&target={each}" for each in targets]
    good = "\nsysUpTime " if module == "uptime" else f'ifOperStatus{{ifIndex="{PORTS}"'
    turns = GET_TURNS if module == "uptime" else TURNS
    with ready_server(command, folder / "snmp_exporter.log", EXPORTER) as process:
        return scrape_turns(process, urls, good, turns, AT_ONCE)


def exporter_settings(version: str) -> dict[str, Any]:
    """What the generator of snmp_exporter would write: sysUpTime; four columns of all ports; all that ours reads."""
    login = {
        "2c": {"version": 2, "auth": {"community": COMMUNITY}},
        "3": {
            "version": 3,
            "auth": {
                "username": USER, "security_level": "authPriv", "auth_protocol": "SHA", "password": AUTH_PASSWORD,
                "priv_protocol": "AES", "priv_password": PRIVACY_PASSWORD,
            },
        },
    }[version]  # fmt: skip

    def module(names: Sequence[str]) -> dict[str, Any]:
        oids = {**mib.IF_COLUMNS, "ifName": mib.IF_NAME}
        index = [{"labelname": "ifIndex", "type": "gauge"}]
        return {
            "walk": [oids[name] for name in names],
            "metrics": [
                {
                    "name": name, "oid": oids[name], "help": name, "indexes": index,
                    "type": "DisplayString" if name == "ifName" else "counter" if "Octets" in name else "gauge",
                }
                for name in names
            ],
            **login,
        }  # fmt: skip

    uptime = {"name": "sysUpTime", "oid": mib.SYS_UPTIME.removesuffix(".0"), "type": "gauge", "help": "sysUpTime"}
    return {
        "uptime": {"get": [mib.SYS_UPTIME], "metrics": [uptime], **login},
        "four": module(FOUR),
        "all": module([*mib.IF_COLUMNS, "ifName"]),
    }
