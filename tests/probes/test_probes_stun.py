"""stun against coturn, and against a stub that answers as no server does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.certificates import Authority
from monitor.core.model import Outcome, Reason
from tests.probes.peers import LOOPBACK, TcpPeer, UdpPeer, ask, free_port, running
from tests.probes.rooms import REALM, Turnserver
from tests.probes.stun_stub import Stub, grant, refuse, silent


@pytest.fixture(scope="module")
def closed(folder: Path, authority: Authority) -> Iterator[Turnserver]:
    """A server that wants a log-in for the smallest thing, with a certificate that has ended."""
    yield from running(Turnserver(folder, authority, "coturn-closed", "--secure-stun", days=-3))


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_a_server_tells_our_address(coturn: Turnserver, transport: str) -> None:
    port = coturn.tls if transport == "tls" else coturn.port
    result = await ask("stun", port=port, transport=transport, **({"ca": coturn.ca} if transport == "tls" else {}))
    assert result.outcome is Outcome.OK
    assert result.evidence.startswith(f"we are seen as {LOOPBACK}:")
    assert "(Coturn-" in result.evidence
    assert ("probe_ssl_days_left" in result.values) == (transport == "tls")
    assert ('probe_stun_phase_duration_seconds{phase="connect"}' in result.values) == (transport != "udp")


async def test_a_log_in_is_given_where_it_is_wanted(closed: Turnserver) -> None:
    assert (await ask("stun", port=closed.port, **closed.login)).outcome is Outcome.OK
    for login, says in (
        ({}, "alive, but wants credentials: 401 Unauthorized"),
        (closed.login | {"password": {"file": "wrong"}}, "alive, but refuses our credentials: 401 Unauthorized"),
    ):
        result = await ask("stun", port=closed.port, **login)
        assert (result.outcome, result.reason, result.evidence) == (Outcome.FAILED, Reason.AUTH, says)


async def test_an_expired_certificate_is_told_with_its_days(closed: Turnserver) -> None:
    result = await ask("stun", port=closed.tls, transport="tls", ca=closed.ca, server_name=REALM)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.CERTIFICATE)
    assert result.evidence == "certificate not trusted: certificate has expired"
    assert result.values["probe_ssl_days_left"] == pytest.approx(-3, abs=1)


async def test_a_lost_request_is_sent_again_and_counted() -> None:
    async with Stub(silent, grant()) as peer:
        result = await ask("stun", port=peer.port)
    assert result.outcome is Outcome.OK
    assert result.values["probe_stun_retransmissions"] == 1
    assert peer.seen[0] == peer.seen[1]  # the same transaction (RFC 8489 section 6.2.1)


async def test_an_error_is_told() -> None:
    async with Stub(refuse(500, "Server Error")) as peer:
        result = await ask("stun", port=peer.port)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.STATUS)
    assert result.evidence == "alive, but: 500 Server Error"


async def test_an_answer_without_our_address_is_none() -> None:
    async with Stub(grant(mapped=False)) as peer:
        result = await ask("stun", port=peer.port)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)


async def test_another_protocol_is_a_protocol_failure() -> None:
    async with UdpPeer([b"SIP/2.0 200 OK\r\n\r\n"]) as udp, TcpPeer(b"220 mail\r\n") as tcp:
        for result in (await ask("stun", port=udp.port), await ask("stun", port=tcp.port, transport="tcp")):
            assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)


async def test_a_closed_port_is_refused() -> None:
    for transport in ("udp", "tcp", "tls"):
        result = await ask("stun", port=free_port(), transport=transport)
        assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.REFUSED)
