"""Who a device is and what it sees around it, as its SNMP agent tells: a few objects first, then the tables that it may have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from monitor.core.model import Reason
from probes.engine.snmp import Device, Login, Pace, Session
from probes.registry import Request
from probes.wire import identity, lldp
from probes.wire.identity import Identity

FIRST_SECONDS = 2.0
"""For the first answer, both tries together: most addresses that answer an echo have no agent."""
TABLES_SECONDS = 30.0
MOST_NEIGHBOURS = 256
MOST_HOSTS = 1024
"""Rows of the tables of addresses; what a commune has fits many times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """How an agent may be asked."""

    name: str
    """For people: which secret it is, never the secret."""
    login: Login
    port: int = 161


async def identify(
    address: str, credentials: Sequence[Credential], pace: Pace, trace: Callable[[str], None] = lambda _: None
) -> tuple[Identity, Credential] | None:
    """What the agent at `address` tells, and the first of `credentials` that it takes; None when it takes none."""
    closed: set[int] = set()
    """Ports where the device itself says that nobody listens."""
    for credential in credentials:
        if credential.port in closed:
            continue
        device = Device(address, credential.port, pace=pace)
        found = await device.ask(_request(address, FIRST_SECONDS, trace), credential.login, _first)
        if isinstance(found, Identity):
            tables = _Tables(found)
            await device.ask(_request(address, TABLES_SECONDS, trace), credential.login, tables.read)
            return tables.found, credential
        trace(f"{address}: {credential.name}: {found.evidence}")
        if found.reason is Reason.REFUSED:
            closed.add(credential.port)
    return None


def _request(address: str, seconds: float, trace: Callable[[str], None]) -> Request[Any]:
    return Request(address=address, options=None, timeout_seconds=seconds, trace=trace)


async def _first(session: Session) -> Identity:
    return identity.read_identity(await session.scalars(identity.SCALARS, certain=identity.CERTAIN))


@dataclass(slots=True)
class _Tables:
    """One after the other; what is read is kept when the next one brings trouble."""

    found: Identity

    async def read(self, session: Session) -> None:
        """Add to the identity what the tables tell."""
        chassis = await session.table(lldp.REMOTE_CHASSIS, certain=False, most=MOST_NEIGHBOURS)
        if chassis:
            columns = {lldp.REMOTE_CHASSIS: chassis}
            for column in lldp.COLUMNS:
                columns[column] = await session.table(column, certain=False, most=MOST_NEIGHBOURS)
            self.found = replace(self.found, neighbours=lldp.neighbours(columns))
        if self.found.forwards:
            arp = await session.table(identity.ARP, certain=False, most=MOST_HOSTS)
            self.found = replace(self.found, macs=identity.read_macs(arp))
        if self.found.bridges:
            seen = await session.table(identity.FORWARDING_PORT, certain=False, most=MOST_HOSTS)
            if not seen:
                seen = await session.table(identity.VLAN_FORWARDING_PORT, certain=False, most=MOST_HOSTS)
            self.found = replace(self.found, seen_at=identity.read_seen_at(seen))
