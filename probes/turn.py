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
from probes.engine.turn import Relay, lent
from probes.registry import Metric, Request, Result, Secret, failed, labelled, ok, probe
from probes.wire import stun
from probes.wire.stun import Attribute, Kind, Method

PHASE = "probe_turn_phase_duration_seconds"
SENT_AGAIN_SECONDS = 0.5


class TurnOptions(ServerOptions):
    """Which server, who we are there, and how far to try."""

    username: Annotated[str, Field(max_length=509)] = Field(min_length=1, description="name to log in with")
    password: Secret = Field(description="where the password is")
    loop: bool = Field(False, description="send one datagram through the relay to itself")


class _Attempt(Laps):
    """One allocation, and what was measured on the way."""

    def __init__(self, request: Request[TurnOptions], client: Client) -> None:
        super().__init__(PHASE)
        self.relay: Relay | None = None
        self._request, self._client = request, client

    async def make(self, *, loop: bool) -> Relay:
        """Allocate, use and give back; raises RefusedError, ProtocolError, OSError."""
        async with lent(self._client, self.lap) as relay:
            self.relay = relay
            self.values["probe_turn_lifetime_seconds"] = float(relay.lifetime_seconds)
            host, _ = relay.address if loop else relay.seen
            self._request.doing = f"permission to use the relay at {_at(relay)}"
            await self._client.ask(
                Method.CREATE_PERMISSION, lambda id_: [(Attribute.XOR_PEER_ADDRESS, stun.xor_address(host, 0, id_))]
            )
            self.lap("permission")
            if loop:
                self._request.doing = f"what we sent through the relay at {_at(relay)}"
                await self._loop(relay.address)
                self.lap("relay")
            self._request.doing = f"the end of the relay at {_at(relay)}"
        return relay

    async def _loop(self, relay: tuple[str, int]) -> None:
        """What is sent to the relay's own address comes back from there."""
        payload = secrets.token_bytes(16)
        while True:
            self._client.tell(
                Method.SEND,
                Kind.INDICATION,
                lambda id_: [
                    (Attribute.XOR_PEER_ADDRESS, stun.xor_address(*relay, id_)),
                    (Attribute.DATA, payload),
                ],
            )
            try:
                async with asyncio.timeout(SENT_AGAIN_SECONDS):
                    while not _is_back(await self._client.indication(), relay, payload):
                        pass
                    return
            except TimeoutError:
                continue


def _is_back(message: stun.Message, relay: tuple[str, int], payload: bytes) -> bool:
    return (
        message.method == Method.DATA
        and message.first(Attribute.DATA) == payload
        and message.address(Attribute.XOR_PEER_ADDRESS) == relay
    )


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
    lends: Relay | None = None
    try:
        async with open_client(request) as (client, opened):
            attempt = _Attempt(request, client)
            if opened:
                values |= opened.values | {labelled(PHASE, phase=each): took for each, took in opened.seconds.items()}
            try:
                relay = await attempt.make(loop=request.options.loop)
            finally:
                values |= attempt.values | {"probe_turn_retransmissions": float(client.again)}
                lends = attempt.relay
    except stun.ProtocolError as error:
        return failed(Reason.PROTOCOL, f"not TURN: {error}", values)
    except UntrustedError as error:
        return failed(Reason.CERTIFICATE, str(error), error.values)
    except RefusedError as error:
        return failed(Reason.AUTH if error.credentials else Reason.STATUS, _refusal(error, lends), values)
    carries = " and carries" if request.options.loop else ""
    software = f" ({relay.software})" if relay.software else ""
    return ok(f"relays at {_at(relay)}{carries}, we are seen as {hostname(relay.seen[0])}{software}", **values)


def _refusal(error: RefusedError, relay: Relay | None) -> str:
    if error.credentials:
        return f"alive, but refuses our credentials: {error}"
    return f"relays at {_at(relay)}, but refuses more: {error}" if relay else f"alive, but lends no relay: {error}"


def _at(relay: Relay) -> str:
    return f"{hostname(relay.address[0])}:{relay.address[1]}"
