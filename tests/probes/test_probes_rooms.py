"""The table of docs/signalling.md is what is seen: each row by the peer that it names."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.certificates import Authority
from monitor.core.model import Outcome
from probes.registry import Result
from tests.probes.calls import Meet
from tests.probes.h323_peers import CAUSE_30, RELEASE_COMPLETE, STATUS, Gatekeeper, H323Room, call_message
from tests.probes.peers import LOOPBACK, UdpPeer, ask, free_port, running
from tests.probes.rooms import (
    MONITOR,
    MONITOR_PASSWORD,
    REALM,
    ROOM,
    Baresip,
    Registrar,
    Sipp,
    Turnserver,
    asked_through,
)
from tests.probes.stun_stub import Stub, grant, refuse
from tests.probes.test_probes_sip import _reply
from tests.test_docs import section

STATES = {Outcome.OK: "up", Outcome.FAILED: "down", Outcome.INCONCLUSIVE: "unknown"}
"""What the outcome makes of a check, once it is confirmed."""
PATIENCE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers:
    """All that the rows are asked of."""

    folder: Path
    registrar: Registrar
    room: Baresip
    coturn: Turnserver
    expired: Turnserver
    strict: Turnserver
    meet: Meet

    async def meeting(self, domain: str) -> Result:
        url = f"https://meet.example:{self.meet.port}/hop"
        return await ask("webrtc-room", url=url, ca=self.meet.ca, domain=domain, ice=True)

    @contextlib.asynccontextmanager
    async def sipp(self, name: str, steps: str) -> AsyncIterator[Sipp]:
        with contextlib.contextmanager(running)(Sipp(self.folder, f"row-{name}", steps)) as peer:
            yield peer


LOGIN = {"username": MONITOR, "password": {"file": MONITOR_PASSWORD}}
WRONG = {"password": {"file": "wrong"}}
Row = Callable[[Peers], Awaitable[Result]]
ROWS: list[tuple[str, str, Row]] = []


def row(check: str, peer: str) -> Callable[[Row], Row]:
    """A row of the table: how is asked, and what the peer is or does."""

    def add(run: Row) -> Row:
        ROWS.append((check, peer, run))
        return run

    return add


def _tls(port: int, ca: dict[str, str]) -> dict[str, Any]:
    return {"port": port, "transport": "tls", "ca": ca, "server_name": REALM}


# -- SIP, the room itself ------------------------------------------------------------------------------------------------

SIP, THROUGH, STUN, TURN = "`sip`", "`sip` through the registrar", "`stun`", "`turn`"
ICE = "`webrtc-room` with `ice`"


@row(SIP, "baresip, up")
async def _(peers: Peers) -> Result:
    return await ask("sip", port=peers.room.port, user=ROOM)


@row(SIP, "baresip, asked for another name")
async def _(peers: Peers) -> Result:
    return await ask("sip", port=peers.room.port, user="room9")


@row(SIP, "baresip, gone")
async def _(peers: Peers) -> Result:
    return await ask("sip", port=free_port(), user=ROOM)


@row(SIP, "Kamailio over TLS, up")
async def _(peers: Peers) -> Result:
    return await ask("sip", **_tls(peers.registrar.tls, peers.registrar.ca))


@row(SIP, "Kamailio over TLS, certificate expired")
async def _(peers: Peers) -> Result:
    return await ask("sip", **_tls(peers.registrar.expired_tls, peers.registrar.ca))


@row(SIP, "Kamailio, right password")
async def _(peers: Peers) -> Result:
    return await ask("sip", port=peers.registrar.port, user="locked", **LOGIN)


@row(SIP, "Kamailio, wrong password")
async def _(peers: Peers) -> Result:
    return await ask("sip", port=peers.registrar.port, user="locked", **(LOGIN | WRONG))


@row(SIP, "Kamailio, no password")
async def _(peers: Peers) -> Result:
    return await ask("sip", port=peers.registrar.port, user="locked")


@row(SIP, "SIPp, slow: 0.7 s")
async def _(peers: Peers) -> Result:
    async with peers.sipp("slow", '<pause milliseconds="700"/>' + Sipp.send("200 OK")) as peer:
        return await ask("sip", port=peer.port)


@row(SIP, "SIPp, busy")
async def _(peers: Peers) -> Result:
    async with peers.sipp("busy", Sipp.send("486 Busy Here")) as peer:
        return await ask("sip", port=peer.port, user=ROOM)


@row(SIP, "SIPp, 5xx")
async def _(peers: Peers) -> Result:
    async with peers.sipp("5xx", Sipp.send("503 Service Unavailable")) as peer:
        return await ask("sip", port=peer.port, user=ROOM)


@row(SIP, "SIPp, 100 and then nothing")
async def _(peers: Peers) -> Result:
    async with peers.sipp("trying", Sipp.send("100 Trying") + '<pause milliseconds="9000"/>') as peer:
        return await ask("sip", port=peer.port, timeout=PATIENCE)


@row(SIP, "SIPp, silent")
async def _(peers: Peers) -> Result:
    async with peers.sipp("silent", '<pause milliseconds="9000"/>') as peer:
        return await ask("sip", port=peer.port, timeout=PATIENCE)


@row(SIP, "SIPp, garbage")
async def _(peers: Peers) -> Result:
    async with peers.sipp("garbage", Sipp.send("200 OK\nnonsense")) as peer:
        return await ask("sip", port=peer.port)


@row(SIP, "stub, answers from another address")
async def _(peers: Peers) -> Result:
    async with _elsewhere(lambda data: [_reply(data)]) as port:
        return await ask("sip", port=port, timeout=PATIENCE)


@contextlib.asynccontextmanager
async def _elsewhere(answer: Callable[[bytes], list[bytes]]) -> AsyncIterator[int]:
    """A port whose answers come from 127.0.0.2."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.2", 0))

        class Elsewhere(UdpPeer):
            def datagram_received(self, data: bytes, addr: Any) -> None:
                for each in answer(data):
                    other.sendto(each, addr)

        async with Elsewhere() as peer:
            yield peer.port


# -- SIP, through the registrar ------------------------------------------------------------------------------------------


@row(THROUGH, "baresip, registered at Kamailio")
async def _(peers: Peers) -> Result:
    return await ask("sip", **asked_through(peers.registrar, ROOM))


@row(THROUGH, "baresip with a wrong password, so not registered")
async def _(peers: Peers) -> Result:
    for _each in running(Baresip(peers.folder, peers.registrar, "room3", "wrong-password")):
        result = await ask("sip", **asked_through(peers.registrar, "room3"))
    return result


@row(THROUGH, "registered, but silent")
async def _(peers: Peers) -> Result:
    peers.registrar.register("guest-row", free_port())
    return await ask("sip", **asked_through(peers.registrar, "guest-row"), timeout=2)


@row(THROUGH, "registered, but silent, and Kamailio gives up before us")
async def _(peers: Peers) -> Result:
    peers.registrar.register("guest-row-quick", free_port())
    return await ask("sip", **asked_through(peers.registrar, "guest-row-quick"))


@row(THROUGH, "SIPp for the room, 5xx")
async def _(peers: Peers) -> Result:
    async with peers.sipp("room-5xx", Sipp.send("500 Server Internal Error")) as peer:
        peers.registrar.register("guest-5xx", peer.port)
        return await ask("sip", **asked_through(peers.registrar, "guest-5xx"))


@row(THROUGH, "Kamailio refuses our password")
async def _(peers: Peers) -> Result:
    return await ask("sip", **asked_through(peers.registrar, "locked", **(LOGIN | WRONG)))


@row(THROUGH, "Kamailio over TLS, certificate expired")
async def _(peers: Peers) -> Result:
    options = _tls(peers.registrar.expired_tls, peers.registrar.ca)
    return await ask("sip", **(asked_through(peers.registrar, ROOM) | options))


@row(THROUGH, "registrar silent")
async def _(peers: Peers) -> Result:
    async with UdpPeer() as nobody:
        return await ask("sip", through=LOOPBACK, port=nobody.port, user=ROOM, timeout=PATIENCE)


# -- H.323 ---------------------------------------------------------------------------------------------------------------


@row("`h323` status", "stub, answers Status")
async def _(peers: Peers) -> Result:
    async with H323Room(call_message(STATUS, CAUSE_30)) as room:
        return await ask("h323", port=room.port)


@row("`h323` status", "stub, answers Release Complete")
async def _(peers: Peers) -> Result:
    async with H323Room(call_message(RELEASE_COMPLETE)) as room:
        return await ask("h323", port=room.port)


@row("`h323` status", "stub, hangs up on the question")
async def _(peers: Peers) -> Result:
    async with H323Room(hang_up=True) as room:
        return await ask("h323", port=room.port)


@row("`h323` status", "stub, silent")
async def _(peers: Peers) -> Result:
    async with H323Room() as room:
        return await ask("h323", port=room.port, timeout=PATIENCE)


@row("`h323` status", "stub, frozen")
async def _(peers: Peers) -> Result:
    with socket.create_server((LOOPBACK, 0)) as frozen:
        return await ask("h323", port=frozen.getsockname()[1], timeout=PATIENCE)


@row("`h323` status", "stub, garbage")
async def _(peers: Peers) -> Result:
    async with H323Room(lambda _: b"220 mail\r\n") as peer:
        return await ask("h323", port=peer.port)


async def _gatekeeper(timeout: float = 5.0, **refusals: str) -> Result:
    async with Gatekeeper(**refusals) as gatekeeper:
        return await ask("h323", port=gatekeeper.port, ask="gatekeeper", timeout=timeout)


@row("`h323` gatekeeper", "pycrate, confirms")
async def _(peers: Peers) -> Result:
    return await _gatekeeper()


@row("`h323` gatekeeper", "pycrate, takes no strangers")
async def _(peers: Peers) -> Result:
    return await _gatekeeper(gatekeeperRequest="securityDenial")


@row("`h323` gatekeeper", "pycrate, is full")
async def _(peers: Peers) -> Result:
    return await _gatekeeper(gatekeeperRequest="resourceUnavailable")


async def _location(alias: str, **refusals: str) -> Result:
    async with Gatekeeper({"0241": ("10.1.2.4", 1720)}, **refusals) as gatekeeper:
        return await ask("h323", port=gatekeeper.port, ask="location", alias=alias, through=LOOPBACK)


@row("`h323` location", "pycrate, room registered")
async def _(peers: Peers) -> Result:
    return await _location("0241")


@row("`h323` location", "pycrate, room not registered")
async def _(peers: Peers) -> Result:
    return await _location("0249")


@row("`h323` location", "pycrate, we are no neighbour")
async def _(peers: Peers) -> Result:
    return await _location("0249", locationRequest="securityDenial")


@row("`h323` location", "gatekeeper silent")
async def _(peers: Peers) -> Result:
    async with UdpPeer() as nobody:
        return await ask("h323", port=nobody.port, ask="location", alias="0241", through=LOOPBACK, timeout=PATIENCE)


# -- STUN and TURN -------------------------------------------------------------------------------------------------------


@row(STUN, "coturn, up")
async def _(peers: Peers) -> Result:
    return await ask("stun", port=peers.coturn.port)


@row(STUN, "coturn, wants a log-in, wrong password")
async def _(peers: Peers) -> Result:
    return await ask("stun", port=peers.expired.port, **(peers.expired.login | WRONG))


@row(STUN, "coturn over TLS, certificate expired")
async def _(peers: Peers) -> Result:
    return await ask("stun", **_tls(peers.expired.tls, peers.expired.ca))


@row(STUN, "silent")
async def _(peers: Peers) -> Result:
    async with UdpPeer() as nobody:
        return await ask("stun", port=nobody.port, timeout=PATIENCE)


@row(STUN, "garbage")
async def _(peers: Peers) -> Result:
    async with UdpPeer([b"hello"]) as peer:
        return await ask("stun", port=peer.port)


@row(STUN, "stub, answers from another address")
async def _(peers: Peers) -> Result:
    stub = Stub(grant())
    async with _elsewhere(stub._by_script) as port:
        return await ask("stun", port=port, timeout=PATIENCE)


@row(TURN, "coturn, up")
async def _(peers: Peers) -> Result:
    return await ask("turn", port=peers.coturn.port, loop=True, **peers.coturn.login)


@row(TURN, "coturn, wrong password")
async def _(peers: Peers) -> Result:
    return await ask("turn", port=peers.coturn.port, **(peers.coturn.login | WRONG))


@row(TURN, "coturn, certificate expired")
async def _(peers: Peers) -> Result:
    return await ask("turn", **_tls(peers.expired.tls, peers.expired.ca), **peers.expired.login)


@row(TURN, "coturn, forbids the peer")
async def _(peers: Peers) -> Result:
    return await ask("turn", port=peers.strict.port, **peers.strict.login)


@row(TURN, "coturn, quota reached")
async def _(peers: Peers) -> Result:
    async with peers.strict.at_its_limit() as login:
        return await ask("turn", port=peers.strict.port, **login)


@row(TURN, "stub, answers without knowing the password")
async def _(peers: Peers) -> Result:
    async with Stub(refuse(401), grant(key=b"another", lent=True)) as peer:
        return await ask("turn", port=peer.port, timeout=PATIENCE, **peers.coturn.login)


# -- meetings in the browser ---------------------------------------------------------------------------------------------


@row(ICE, "nginx, Prosody and coturn, up")
async def _(peers: Peers) -> Result:
    return await peers.meeting("meet.example")


@row(ICE, "one of two coturn stopped")
async def _(peers: Peers) -> Result:
    return await peers.meeting("half.example")


@row(ICE, "coturn stopped")
async def _(peers: Peers) -> Result:
    return await peers.meeting("stopped.example")


@row(ICE, "coturn has another secret than Prosody, and STUN is stopped")
async def _(peers: Peers) -> Result:
    return await peers.meeting("secret.example")


@row(ICE, "certificate of TURN over TLS expired")
async def _(peers: Peers) -> Result:
    return await peers.meeting("expired.example")


@row(ICE, "servers that no browser would ask")
async def _(peers: Peers) -> Result:
    return await peers.meeting("low.example")


@row(ICE, "Prosody without `external_services`")
async def _(peers: Peers) -> Result:
    return await peers.meeting("without.example")


@row(ICE, "Prosody without guests")
async def _(peers: Peers) -> Result:
    return await peers.meeting("closed.example")


@pytest.fixture
def peers(
    tmp_path: Path, authority: Authority, registrar: Registrar, room: Baresip, coturn: Turnserver, meet: Meet
) -> Iterator[Peers]:
    expired = Turnserver(tmp_path, authority, "row-expired", "--secure-stun", days=-3)
    strict = Turnserver(tmp_path, authority, "row-strict", "--user-quota=1", f"--denied-peer-ip={LOOPBACK}")
    for _expired in running(expired):
        for _strict in running(strict):
            yield Peers(
                folder=tmp_path,
                registrar=registrar,
                room=room,
                coturn=coturn,
                expired=expired,
                strict=strict,
                meet=meet,
            )


def shown(check: str, peer: str, result: Result) -> str:
    """A row, without ports and versions."""
    evidence = re.sub(r"(127\.0\.0\.\d|meet\.example):\d+", r"\1", result.evidence)
    for version, name in (
        (r"kamailio \([^()]*\([^()]*\)\)", "kamailio"), (r"baresip v[^()]*\([^()]*\)", "baresip"), (r"Coturn-[^()]*", "coturn"),
    ):  # fmt: skip
        evidence = re.sub(version, name, evidence)
    return f"| {check} | {peer} | {STATES[result.outcome]} | `{result.reason}` | {evidence} |"


async def test_the_table_of_the_manual_is_what_is_seen(peers: Peers) -> None:
    rung = peers.room.rung
    seen = [shown(check, peer, await run(peers)) for check, peer, run in ROWS]
    assert peers.room.rung == rung
    table = [line for line in section("docs/signalling.md", "What is seen").splitlines() if line.startswith("| `")]
    assert table == seen, "\n".join(seen)
