"""A relay that a TURN server lends, for the kinds that speak TURN (RFC 8656). Whatever happens, it is given back."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from probes.engine.stun import Client, RefusedError
from probes.wire import stun
from probes.wire.stun import Attribute, Kind, Message, Method
from probes.wire.text import one_line

UDP = b"\x11\0\0\0"
"""REQUESTED-TRANSPORT: UDP is the one that every server has (RFC 8656 section 18.7)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """An allocation."""

    address: tuple[str, int]
    seen: tuple[str, int]
    """As whom the server sees us."""
    lifetime_seconds: int
    software: str


@contextlib.asynccontextmanager
async def lent(client: Client, lap: Callable[[str], None] = lambda _: None) -> AsyncIterator[Relay]:
    """Borrow a relay and give it back: Allocate, Refresh with lifetime 0. Raises RefusedError, ProtocolError, OSError.

    `lap` is told when a phase ends: `allocate`, `release`.
    """
    held = True  # also when we are stopped before the answer
    try:
        try:
            answer = await client.ask(Method.ALLOCATE, lambda _: [(Attribute.REQUESTED_TRANSPORT, UDP)])
        except RefusedError:
            held = False
            raise
        lap("allocate")
        yield _relay(answer)
        await client.ask(Method.REFRESH, _no_longer)
        held = False
        lap("release")
    finally:
        if held:
            client.tell(Method.REFRESH, Kind.REQUEST, _no_longer)


def _relay(answer: Message) -> Relay:
    relay, seen = answer.address(Attribute.XOR_RELAYED_ADDRESS), answer.address(Attribute.XOR_MAPPED_ADDRESS)
    lifetime = answer.number(Attribute.LIFETIME)
    if relay is None or seen is None or lifetime is None:
        raise stun.ProtocolError("an allocation without addresses or lifetime")
    software = one_line(answer.text(Attribute.SOFTWARE), 60)
    return Relay(address=relay, seen=seen, lifetime_seconds=lifetime, software=software)


def _no_longer(_: bytes) -> list[tuple[int, bytes]]:
    return [(Attribute.LIFETIME, bytes(4))]
