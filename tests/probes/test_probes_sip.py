"""sip against Kamailio, and against peers that answer wrongly."""

from __future__ import annotations

import re

import pydantic
import pytest

from monitor.core.model import Outcome, Reason
from tests.probes.peers import Kamailio, TcpPeer, UdpPeer, ask, free_port


def _reply(question: bytes, status: bytes = b"200 OK", **changed: bytes) -> bytes:
    """An answer with the question's own headers, but for what is `changed`."""
    headers = dict(re.findall(rb"^(Via|From|To|Call-ID|CSeq): (.*)\r$", question, re.MULTILINE))
    headers |= {name.replace("_", "-").encode(): value for name, value in changed.items()}
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers.items())
    return b"SIP/2.0 " + status + b"\r\n" + lines + b"Content-Length: 0\r\n\r\n"


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_registrar_that_answers_is_good(kamailio: Kamailio, transport: str) -> None:
    result = await ask("sip", port=kamailio.port, transport=transport)
    assert result.outcome is Outcome.OK
    assert result.evidence.startswith("200 OK (kamailio")
    assert result.values["probe_sip_status_code"] == 200
    assert result.values["probe_sip_retransmissions"] == 0
    assert result.values["probe_sip_duration_seconds"] > 0


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize(
    ("user", "reason", "says"),
    [
        ("room9", Reason.STATUS, "alive, but not registered: 404"),
        ("busy", Reason.STATUS, "alive, but busy: 486"),
        ("locked", Reason.AUTH, "alive, but wants credentials: 401"),
        ("broken", Reason.STATUS, "500 Server Error"),
    ],
)
async def test_other_answers_tell_what_they_mean(
    kamailio: Kamailio, transport: str, user: str, reason: Reason, says: str
) -> None:
    result = await ask("sip", port=kamailio.port, transport=transport, user=user)
    assert (result.outcome, result.reason) == (Outcome.FAILED, reason)
    assert result.evidence.startswith(says)


async def test_an_expected_status_is_good(kamailio: Kamailio) -> None:
    assert (await ask("sip", port=kamailio.port, user="room9", expect=[200, 404])).outcome is Outcome.OK


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_provisional_answer_is_waited_out(kamailio: Kamailio, transport: str) -> None:
    told: list[str] = []
    result = await ask("sip", port=kamailio.port, transport=transport, user="patient", told=told)
    assert result.outcome is Outcome.OK
    assert any(line.startswith("100") for line in told)


async def test_a_lost_question_is_sent_again_and_counted() -> None:
    lost: list[bytes] = []

    def lose_the_first(data: bytes) -> list[bytes]:
        if not lost:
            lost.append(data)
            return []
        return [_reply(data)]

    async with UdpPeer(answer=lose_the_first) as peer:
        result = await ask("sip", port=peer.port)
    assert result.outcome is Outcome.OK
    assert result.values["probe_sip_retransmissions"] == 1
    assert peer.seen[0] == peer.seen[1]  # the same transaction (RFC 3261 section 17.1.2.2)


@pytest.mark.parametrize("changed", [{"Call_ID": b"another"}, {"Via": b"SIP/2.0/UDP x;branch=z9hG4bKanother"}])
async def test_an_answer_to_another_question_is_ignored(changed: dict[str, bytes]) -> None:
    async with UdpPeer(answer=lambda data: [_reply(data, b"500 Lie", **changed), _reply(data)]) as peer:
        result = await ask("sip", port=peer.port)
    assert result.outcome is Outcome.OK


async def test_another_protocol_over_udp_is_a_protocol_failure() -> None:
    async with UdpPeer([b"hello"]) as peer:
        result = await ask("sip", port=peer.port)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)


async def test_another_protocol_over_tcp_is_a_protocol_failure() -> None:
    async with TcpPeer(b"220 mail\r\n") as peer:
        result = await ask("sip", port=peer.port, transport="tcp")
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_closed_port_is_refused(transport: str) -> None:
    result = await ask("sip", port=free_port(), transport=transport)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.REFUSED)


async def test_a_peer_that_hangs_up_is_a_reset() -> None:
    async with TcpPeer(hang_up=True) as peer:
        result = await ask("sip", port=peer.port, transport="tcp")
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.RESET)


async def test_the_question_rings_nothing_and_can_pass_nat() -> None:
    async with UdpPeer(answer=lambda data: [_reply(data)]) as peer:
        await ask("sip", port=peer.port, user="room1", domain="video.example")
    question = peer.seen[0].decode()
    assert question.startswith("OPTIONS sip:room1@video.example SIP/2.0\r\n")
    assert re.search(r"^Via: SIP/2.0/UDP 127.0.0.1:\d+;branch=z9hG4bK\w+;rport\r$", question, re.MULTILINE)
    assert re.search(r"^Max-Forwards: 70\r$", question, re.MULTILINE)
    assert question.endswith("Content-Length: 0\r\n\r\n")


@pytest.mark.parametrize("user", ["a b", "a\r\nVia: x", "a@b", "<a>"])
async def test_a_user_cannot_put_headers_into_the_question(user: str) -> None:
    with pytest.raises(pydantic.ValidationError):
        await ask("sip", port=5060, user=user)


async def test_answers_without_end_of_which_none_is_final_end_the_dialogue() -> None:
    async with UdpPeer(answer=lambda data: [_reply(data).replace(b" 200 OK", b" 180 Ringing", 1)] * 200) as peer:
        result = await ask("sip", port=peer.port)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)
    assert "none is final" in result.evidence
