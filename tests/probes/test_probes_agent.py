"""identify against agents that misbehave as no real one does; real ones are asked in tests/exchange."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
from pydantic import SecretStr

from probes.engine.agent import MOST_NEIGHBOURS, Credential, identify
from probes.engine.pace import EvenPace
from probes.wire import identity, lldp
from probes.wire.identity import Identity
from tests.probes.agent import END_OF_VIEW, GEN_ERR, GET, GET_BULK, Agent, Question, Value, number, oid, text
from tests.probes.peers import LOOPBACK, UdpPeer, free_port

ROUTER: dict[str, Value] = {
    identity.SYS_DESCR: text("RouterOS"), identity.SYS_OBJECT_ID: (6, bytes([0x2B, 6, 1, 4, 1, 9])),
    identity.SYS_NAME: text("gw"), identity.IP_FORWARDING: number(1),
    f"{identity.ARP}.2.10.0.0.2": (4, bytes.fromhex("020000000002")),
}  # fmt: skip


async def ask(*ports: int) -> tuple[Identity, str] | None:
    credentials = [Credential(name=str(port), login=SecretStr("c"), port=port) for port in ports]
    found = await identify(LOOPBACK, credentials, EvenPace(500))
    return found and (found[0], found[1].name)


async def tell(table: dict[str, Value], odd: Callable[[Question], list[bytes] | None] = lambda _: None) -> Identity:
    async with Agent(table, odd) as agent:
        found = await ask(agent.port)
    assert found is not None
    return found[0]


async def test_a_router_without_lldp_tells_its_neighbours_addresses() -> None:
    assert await tell(ROUTER) == Identity(
        object_id="1.3.6.1.4.1.9",
        description="RouterOS",
        name="gw",
        forwards=True,
        macs={"10.0.0.2": "02:00:00:00:00:02"},
    )


async def test_the_first_credential_that_is_taken_counts_and_a_closed_port_is_asked_once() -> None:
    closed = free_port()
    async with Agent(ROUTER) as agent:
        found = await ask(closed, closed, agent.port)
    assert found is not None
    assert found[1] == str(agent.port)


async def test_nobody_there_is_nobody() -> None:
    assert await ask(free_port()) is None


@pytest.mark.parametrize("answer", [b"", b"\xff\xff\xff", b"0" * 1400, b"\x30\x84\xff\xff\xff\xff"], ids=repr)
async def test_garbage_is_nobody(answer: bytes) -> None:
    async with UdpPeer([answer]) as peer:
        assert await ask(peer.port) is None


async def test_objects_of_wrong_types_tell_nothing() -> None:
    odd = dict.fromkeys(identity.SCALARS, number(-7))
    odd |= {f"{lldp.REMOTE_CHASSIS}.0.1.1": number(3), f"{lldp.REMOTE_NAME}.0.1.1": number(3)}
    told = await tell(odd)
    assert (told.name, told.description, told.object_id, told.ports) == ("", "", "", 0)
    assert [(each.port, each.name, each.chassis) for each in told.neighbours] == [("1", "", "")]


async def test_an_endless_table_is_cut() -> None:
    rows, column = count(1), oid(lldp.REMOTE_CHASSIS)

    def endless(question: Question) -> list[bytes] | None:
        if question.kind != GET_BULK or question.oids[0][: len(column)] != column:
            return None
        return [question.answer([((*column, 0, next(rows), 1), text("x")) for _ in range(question.second)])]

    told = await tell({**ROUTER, f"{lldp.REMOTE_CHASSIS}.0.1.1": text("x")}, endless)
    assert len(told.neighbours) == MOST_NEIGHBOURS


@pytest.mark.parametrize("way", ["circles", "error"])
async def test_what_was_told_is_kept_when_a_table_brings_trouble(way: str) -> None:
    arp = oid(identity.ARP)

    def odd(question: Question) -> list[bytes] | None:
        if question.kind == GET or question.oids[0][: len(arp)] != arp:
            return None
        if way == "error":
            return [question.answer([(question.oids[0], END_OF_VIEW)], error=GEN_ERR)]
        return [question.answer([((*arp, 2, 10, 0, 0, each), text("x")) for each in (3, 2)])]

    told = await tell({**ROUTER, f"{lldp.REMOTE_CHASSIS}.0.1.1": text("neighbour")}, odd)
    assert (told.name, [each.chassis for each in told.neighbours], told.macs) == ("gw", ["neighbour"], {})
