"""dns against dnsmasq, and against peers that lie."""

from __future__ import annotations

import struct

import dns.flags
import dns.message
import dns.rrset
import pytest

from monitor.core.model import Outcome, Reason
from tests.probes.peers import Dnsmasq, TcpPeer, UdpPeer, ask, free_port


async def test_an_answer_is_good_and_told(dnsmasq: Dnsmasq) -> None:
    result = await ask("dns", port=dnsmasq.port, name="good.example")
    assert result.outcome is Outcome.OK
    assert result.values["probe_dns_answer_rrs"] == 2
    assert result.values["probe_dns_rcode"] == 0
    assert result.values["probe_dns_lookup_duration_seconds"] > 0
    assert "10.1.2.3" in result.evidence


async def test_over_tcp_the_same(dnsmasq: Dnsmasq) -> None:
    result = await ask("dns", port=dnsmasq.port, name="good.example", transport="tcp")
    assert result.outcome is Outcome.OK
    assert result.values["probe_dns_answer_rrs"] == 2


async def test_every_expected_record_must_be_there(dnsmasq: Dnsmasq) -> None:
    good = await ask("dns", port=dnsmasq.port, name="good.example", expect=["10.1.2.4", "10.1.2.3"])
    assert good.outcome is Outcome.OK
    bad = await ask("dns", port=dnsmasq.port, name="good.example", expect=["10.1.2.3", "10.9.9.9"])
    assert (bad.outcome, bad.reason) == (Outcome.FAILED, Reason.CONTENT)
    assert "but not 10.9.9.9" in bad.evidence


async def test_other_types_are_asked_for(dnsmasq: Dnsmasq) -> None:
    result = await ask("dns", port=dnsmasq.port, name="good.example", type="MX", expect=["10 mail.good.example."])
    assert result.outcome is Outcome.OK


async def test_no_such_name_is_a_status(dnsmasq: Dnsmasq) -> None:
    result = await ask("dns", port=dnsmasq.port, name="missing.example")
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.STATUS)
    assert "NXDOMAIN" in result.evidence
    assert result.values["probe_dns_rcode"] == 3


async def test_no_such_record_of_a_name_that_exists_is_content(dnsmasq: Dnsmasq) -> None:
    result = await ask("dns", port=dnsmasq.port, name="good.example", type="AAAA")
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.CONTENT)
    assert "no such record" in result.evidence


async def test_a_truncated_answer_is_asked_for_again_over_tcp(dnsmasq: Dnsmasq) -> None:
    told: list[str] = []
    result = await ask("dns", port=dnsmasq.port, name="long.example", type="TXT", told=told)
    assert result.outcome is Outcome.OK
    assert any("over TCP" in line for line in told)


async def test_one_lost_question_is_asked_again_and_is_no_failure(dnsmasq: Dnsmasq) -> None:
    lost: list[bytes] = []

    def lose_the_first(data: bytes) -> list[bytes]:
        if not lost:
            lost.append(data)
            return []
        return [_answer(data, "10.1.2.3")]

    async with UdpPeer(answer=lose_the_first) as peer:
        result = await ask("dns", port=peer.port, name="good.example", timeout=1.0)
    assert result.outcome is Outcome.OK
    assert len(peer.seen) == 2


async def test_an_answer_to_another_question_is_not_believed() -> None:
    def lie(data: bytes) -> list[bytes]:
        other = dns.message.from_wire(data)
        other.id = (other.id + 1) & 0xFFFF
        return [_answer(other.to_wire(), "10.6.6.6")]

    async with UdpPeer(answer=lie) as peer:
        result = await ask("dns", port=peer.port, name="good.example", timeout=0.4)
    assert result.outcome is Outcome.FAILED
    assert "10.6.6.6" not in result.evidence


async def test_a_name_that_cannot_be_asked_for_is_a_failure_not_a_bug(dnsmasq: Dnsmasq) -> None:
    result = await ask("dns", port=dnsmasq.port, name="double..dot")
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)


async def test_a_closed_tcp_port_is_refused() -> None:
    result = await ask("dns", port=free_port(), name="good.example", transport="tcp")
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.REFUSED)


def _answer(question: bytes, address: str) -> bytes:
    asked = dns.message.from_wire(question)
    response = dns.message.make_response(asked)
    response.flags |= dns.flags.RA
    response.answer.append(dns.rrset.from_text(asked.question[0].name, 60, "IN", "A", address))
    return response.to_wire()


def _bomb(question: bytes, records: int) -> bytes:
    """Records whose names point into one long name: taking them apart costs seconds."""
    name = b"\1a" * 126 + b"\0"
    start = len(question) + 12
    body = b"\xc0\x0c" + struct.pack(">HHIH", 2, 1, 60, len(name)) + name
    for number in range(records - 1):
        place = start + 2 * (number % 120)
        body += struct.pack(">HHHIHH", 0xC000 | place, 2, 1, 60, 2, 0xC000 | (place + 2))
    return question[:2] + b"\x81\x80\0\1" + struct.pack(">HHH", records, 0, 0) + question[12:] + body


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("records", [65, 4000])
async def test_a_larger_answer_than_anybody_asked_for_is_not_taken_apart(transport: str, records: int) -> None:
    if transport == "udp":
        async with UdpPeer(answer=lambda data: [_bomb(data, records)]) as peer:
            result = await ask("dns", port=peer.port, name="good.example", type="NS")
    else:
        asked = dns.message.make_query("good.example", "NS").to_wire()
        said = _bomb(asked, records)
        async with TcpPeer(struct.pack(">H", min(len(said), 65535)) + said) as tcp:
            result = await ask("dns", port=tcp.port, name="good.example", type="NS", transport="tcp")
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.TOO_LARGE)


async def test_answers_to_other_questions_are_ignored_until_ours_comes() -> None:
    def answer(data: bytes) -> list[bytes]:
        query = dns.message.from_wire(data)
        good = dns.message.make_response(query)
        good.answer = [dns.rrset.from_text("good.example.", 60, "IN", "A", "10.1.2.3")]
        foreign = bytes([data[0] ^ 1, *good.to_wire()[1:]])
        return [foreign, foreign, b"", good.to_wire()]

    async with UdpPeer(answer=answer) as peer:
        result = await ask("dns", port=peer.port, name="good.example")
    assert result.outcome is Outcome.OK
