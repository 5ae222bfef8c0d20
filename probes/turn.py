"""Does a TURN server lend a relay to us, and does that relay carry? Rooms behind a firewall send their pictures through it.

Source: RFC 8656, RFC 8489. Allocate, CreatePermission, with `loop` one datagram through the relay to itself, Refresh with lifetime 0:
what was allocated is always given back, and nobody else is sent anything.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Annotated

from pydantic import Field

from monitor.core.model import Reason
from probes.engine import connection
from probes.engine.connection import UntrustedError
from probes.engine.datagrams import hostname
from probes.engine.laps import Laps
from probes.engine.stun import Client, RefusedError, ServerOptions, open_client
from probes.registry import Metric, Request, Result, Secret, failed, labelled, ok, probe
from probes.wire import stun
from probes.wire.stun import Attribute, Kind, Method
from probes.wire.text import one_line

PHASE = "probe_turn_phase_duration_seconds"
UDP = b"\x11\0\0\0"
"""REQUESTED-TRANSPORT: UDP is the one that every server has (RFC 8656 section 18.7)."""
SENT_AGAIN_SECONDS = 0.5


class TurnOptions(ServerOptions):
    """Which server, who we are there, and how far to try."""

    username: Annotated[str, Field(max_length=509)] = Field(min_length=1, description="name to log in with")
    password: Secret = Field(description="where the password is")
    loop: bool = Field(False, description="send one datagram through the relay to itself")


class _Attempt(Laps):
    """One allocation, and what was measured on the way."""

    def __init__(self, client: Client) -> None:
        super().__init__(PHASE)
        self.relay, self.seen = ("", 0), ("", 0)
        self.software = ""
        self._client = client

    async def make(self, *, loop: bool) -> None:
        """Allocate, use and give back; raises RefusedError, ProtocolError, OSError."""
        lent = True  # also when we are stopped before the answer
        try:
            try:
                await self._allocate()
            except RefusedError:
                lent = False
                raise
            host, _ = self.relay if loop else self.seen
            await self._client.ask(
                Method.CREATE_PERMISSION, lambda id_: [(Attribute.XOR_PEER_ADDRESS, stun.xor_address(host, 0, id_))]
            )
            self.lap("permission")
            if loop:
                await self._loop()
                self.lap("relay")
            await self._client.ask(Method.REFRESH, _no_longer)
            lent = False
            self.lap("release")
        finally:
            if lent:
                self._client.tell(Method.REFRESH, Kind.REQUEST, _no_longer)

    async def _allocate(self) -> None:
        answer = await self._client.ask(Method.ALLOCATE, lambda _: [(Attribute.REQUESTED_TRANSPORT, UDP)])
        self.lap("allocate")
        relay, seen = answer.address(Attribute.XOR_RELAYED_ADDRESS), answer.address(Attribute.XOR_MAPPED_ADDRESS)
        lifetime = answer.number(Attribute.LIFETIME)
        if relay is None or seen is None or lifetime is None:
            raise stun.ProtocolError("an allocation without addresses or lifetime")
        self.relay, self.seen, self.software = relay, seen, one_line(answer.text(Attribute.SOFTWARE), 60)
        self.values["probe_turn_lifetime_seconds"] = float(lifetime)

    async def _loop(self) -> None:
        """What is sent to the relay's own address comes back from there."""
        payload = secrets.token_bytes(16)
        while True:
            self._client.tell(
                Method.SEND,
                Kind.INDICATION,
                lambda id_: [
                    (Attribute.XOR_PEER_ADDRESS, stun.xor_address(*self.relay, id_)),
                    (Attribute.DATA, payload),
                ],
            )
            try:
                async with asyncio.timeout(SENT_AGAIN_SECONDS):
                    while not self._is_back(await self._client.indication(), payload):
                        pass
                    return
            except TimeoutError:
                continue

    def _is_back(self, message: stun.Message, payload: bytes) -> bool:
        return (
            message.method == Method.DATA
            and message.first(Attribute.DATA) == payload
            and message.address(Attribute.XOR_PEER_ADDRESS) == self.relay
        )


def _no_longer(_: bytes) -> list[tuple[int, bytes]]:
    return [(Attribute.LIFETIME, bytes(4))]


@probe(
    "turn",
    TurnOptions,
    metrics=[
        Metric(name="probe_turn_lifetime_seconds", help="For how long the relay was lent."),
        Metric(name=PHASE, help="Seconds by phase.", labels=("phase",)),
        Metric(name="probe_turn_retransmissions", help="How often a request was sent again."),
        *connection.METRICS,
    ],
)
async def run(request: Request[TurnOptions]) -> Result:
    """Borrow a relay and give it back."""
    values: dict[str, float] = {}
    relay = ""
    try:
        async with open_client(request) as (client, opened):
            attempt = _Attempt(client)
            if opened:
                values |= opened.values | {labelled(PHASE, phase=each): took for each, took in opened.seconds.items()}
            try:
                await attempt.make(loop=request.options.loop)
            finally:
                values |= attempt.values | {"probe_turn_retransmissions": float(client.again)}
                relay = hostname(attempt.relay[0]) + f":{attempt.relay[1]}" if attempt.relay[0] else ""
    except stun.ProtocolError as error:
        return failed(Reason.PROTOCOL, f"not TURN: {error}", values)
    except UntrustedError as error:
        return failed(Reason.CERTIFICATE, str(error), error.values)
    except RefusedError as error:
        return failed(Reason.AUTH if error.credentials else Reason.STATUS, _refusal(error, relay), values)
    carries = " and carries" if request.options.loop else ""
    software = f" ({attempt.software})" if attempt.software else ""
    return ok(f"relays at {relay}{carries}, we are seen as {hostname(attempt.seen[0])}{software}", **values)


def _refusal(error: RefusedError, relay: str) -> str:
    if error.credentials:
        return f"alive, but refuses our credentials: {error}"
    return f"relays at {relay}, but refuses more: {error}" if relay else f"alive, but lends no relay: {error}"
