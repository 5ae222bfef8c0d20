"""What is seen of H.323, STUN, TURN and meetings in the browser, as docs/signalling.md says it: each row by the peer that it names."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.certificates import Authority
from probes.registry import Result
from tests.probes import seen
from tests.probes.calls import Meet
from tests.probes.h323_peers import CAUSE_30, RELEASE_COMPLETE, STATUS, Gatekeeper, H323Room, call_message
from tests.probes.peers import LOOPBACK, UdpPeer, ask, free_port, running
from tests.probes.rooms import Turnserver
from tests.probes.seen import ICE, PATIENCE, SLOW, STUN, TURN, WRONG, Rows, in_manual, over_tls
from tests.probes.stun_stub import Stub, grant, refuse, silent

ROWS = Rows()
row = ROWS.add


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers:
    """All that the rows are asked of."""

    coturn: Turnserver
    expired: Turnserver
    """Wants a log-in for all; its certificate has expired."""
    strict: Turnserver
    """Lends a user one relay, and lets him reach nobody."""
    small: Turnserver
    """Has one port to lend, and listens at all addresses."""
    meet: Meet

    async def meeting(self, domain: str) -> Result:
        url = f"https://meet.example:{self.meet.port}/hop"
        return await ask("webrtc-room", url=url, ca=self.meet.ca, domain=domain, ice=True)


# -- H.323 ---------------------------------------------------------------------------------------------------------------


@row(seen.STATUS, "stub, answers Status")
async def _(peers: Peers) -> Result:
    async with H323Room(call_message(STATUS, CAUSE_30)) as room:
        return await ask("h323", port=room.port)


@row(seen.STATUS, "stub, answers Release Complete")
async def _(peers: Peers) -> Result:
    async with H323Room(call_message(RELEASE_COMPLETE)) as room:
        return await ask("h323", port=room.port)


@row(seen.STATUS, "stub, hangs up on the question")
async def _(peers: Peers) -> Result:
    async with H323Room(hang_up=True) as room:
        return await ask("h323", port=room.port)


@row(seen.STATUS, "stub, silent")
async def _(peers: Peers) -> Result:
    async with H323Room() as room:
        return await ask("h323", port=room.port, timeout=PATIENCE)


@row(seen.STATUS, "stub, frozen")
async def _(peers: Peers) -> Result:
    with socket.create_server((LOOPBACK, 0)) as frozen:
        return await ask("h323", port=frozen.getsockname()[1], timeout=PATIENCE)


@row(seen.STATUS, "stub, garbage")
async def _(peers: Peers) -> Result:
    async with H323Room(lambda _: b"220 mail\r\n") as peer:
        return await ask("h323", port=peer.port)


async def _gatekeeper(timeout: float = 5.0, **refusals: str) -> Result:
    async with Gatekeeper(**refusals) as gatekeeper:
        return await ask("h323", port=gatekeeper.port, ask="gatekeeper", timeout=timeout)


@row(seen.GATEKEEPER, "pycrate, confirms")
async def _(peers: Peers) -> Result:
    return await _gatekeeper()


@row(seen.GATEKEEPER, "pycrate, takes no strangers")
async def _(peers: Peers) -> Result:
    return await _gatekeeper(gatekeeperRequest="securityDenial")


@row(seen.GATEKEEPER, "pycrate, is full")
async def _(peers: Peers) -> Result:
    return await _gatekeeper(gatekeeperRequest="resourceUnavailable")


async def _location(alias: str, **refusals: str) -> Result:
    async with Gatekeeper({"0241": ("10.1.2.4", 1720)}, **refusals) as gatekeeper:
        return await ask("h323", port=gatekeeper.port, ask="location", alias=alias, through=LOOPBACK)


@row(seen.LOCATION, "pycrate, room registered")
async def _(peers: Peers) -> Result:
    return await _location("0241")


@row(seen.LOCATION, "pycrate, room not registered")
async def _(peers: Peers) -> Result:
    return await _location("0249")


@row(seen.LOCATION, "pycrate, we are no neighbour")
async def _(peers: Peers) -> Result:
    return await _location("0249", locationRequest="securityDenial")


@row(seen.LOCATION, "gatekeeper silent")
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
    return await ask("stun", **over_tls(peers.expired.tls, peers.expired.ca))


@row(STUN, "coturn, slow")
async def _(peers: Peers) -> Result:
    with peers.coturn.hanging(SLOW):
        return await ask("stun", port=peers.coturn.port)


@row(STUN, "coturn, hangs")
async def _(peers: Peers) -> Result:
    with peers.coturn.hanging():
        return await ask("stun", port=peers.coturn.port, timeout=PATIENCE)


@row(STUN, "coturn over TLS, hangs")
async def _(peers: Peers) -> Result:
    with peers.coturn.hanging():
        return await ask("stun", **over_tls(peers.coturn.tls, peers.coturn.ca), timeout=PATIENCE)


@row(STUN, "coturn, ended")
async def _(peers: Peers) -> Result:
    return await ask("stun", port=free_port())


@row(STUN, "coturn with two addresses, answers from the other")
async def _(peers: Peers) -> Result:
    return await ask("stun", "127.0.0.2", port=peers.small.port, timeout=PATIENCE)


@row(STUN, "stub, 5xx")
async def _(peers: Peers) -> Result:
    async with Stub(refuse(500, "Server Error")) as peer:
        return await ask("stun", port=peer.port)


@row(STUN, "stub, garbage")
async def _(peers: Peers) -> Result:
    async with UdpPeer([b"hello"]) as peer:
        return await ask("stun", port=peer.port)


@row(TURN, "coturn, up")
async def _(peers: Peers) -> Result:
    return await ask("turn", port=peers.coturn.port, loop=True, **peers.coturn.login)


@row(TURN, "coturn, wrong password")
async def _(peers: Peers) -> Result:
    return await ask("turn", port=peers.coturn.port, **(peers.coturn.login | WRONG))


@row(TURN, "coturn, certificate expired")
async def _(peers: Peers) -> Result:
    return await ask("turn", **over_tls(peers.expired.tls, peers.expired.ca), **peers.expired.login)


@row(TURN, "coturn, slow")
async def _(peers: Peers) -> Result:
    with peers.coturn.hanging(SLOW):
        return await ask("turn", port=peers.coturn.port, **peers.coturn.login)


@row(TURN, "coturn over TCP, hangs")
async def _(peers: Peers) -> Result:
    with peers.coturn.hanging():
        return await ask("turn", port=peers.coturn.port, transport="tcp", timeout=PATIENCE, **peers.coturn.login)


@row(TURN, "coturn, no port left to lend")
async def _(peers: Peers) -> Result:
    async with peers.small.at_its_limit():
        return await ask("turn", port=peers.small.port, **peers.small.login)


@row(TURN, "coturn, forbids the peer")
async def _(peers: Peers) -> Result:
    return await ask("turn", port=peers.strict.port, **peers.strict.login)


@row(TURN, "coturn, quota reached")
async def _(peers: Peers) -> Result:
    async with peers.strict.at_its_limit() as login:
        return await ask("turn", port=peers.strict.port, **login)


@row(TURN, "stub, lends a relay that does not carry")
async def _(peers: Peers) -> Result:
    async with Stub(refuse(401), grant(lent=True), grant(), silent) as peer:
        return await ask("turn", port=peer.port, loop=True, timeout=PATIENCE, **peers.coturn.login)


@row(TURN, "stub, garbage")
async def _(peers: Peers) -> Result:
    async with UdpPeer([b"hello"]) as peer:
        return await ask("turn", port=peer.port, **peers.coturn.login)


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
def peers(tmp_path: Path, authority: Authority, coturn: Turnserver, meet: Meet) -> Iterator[Peers]:
    expired = Turnserver(tmp_path, authority, "row-expired", "--secure-stun", days=-3)
    strict = Turnserver(tmp_path, authority, "row-strict", "--user-quota=1", f"--denied-peer-ip={LOOPBACK}")
    one_port = free_port()
    ports = (f"--{each}-port={one_port}" for each in ("min", "max"))
    small = Turnserver(tmp_path, authority, "row-small", "--listening-ip=0.0.0.0", *ports)
    for _expired in running(expired):
        for _strict in running(strict):
            for _small in running(small):
                yield Peers(coturn=coturn, expired=expired, strict=strict, small=small, meet=meet)


async def test_the_table_of_the_manual_is_what_is_seen(peers: Peers) -> None:
    rows = await ROWS.seen(peers)
    checks = (each for each in seen.CHECKS if each not in (seen.SIP, seen.THROUGH))
    assert in_manual(*checks) == rows, "\n".join(rows)
