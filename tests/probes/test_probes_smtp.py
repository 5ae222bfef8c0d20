"""smtp against aiosmtpd, and against servers that refuse or babble."""

from __future__ import annotations

import pytest

from lab.certificates import Authority
from monitor.core.model import Outcome, Reason
from probes.engine.laps import Laps
from tests.probes.peers import TcpPeer, ask


async def test_a_server_that_greets_is_good(plain_mail_port: int) -> None:
    result = await ask("smtp", port=plain_mail_port)
    assert result.outcome is Outcome.OK
    assert result.evidence.startswith("220 sink.lab")
    assert result.values["probe_smtp_status_code"] == 250
    for phase in ("connect", "banner", "ehlo"):
        assert f'probe_smtp_duration_seconds{{phase="{phase}"}}' in result.values


async def test_starttls_with_a_good_certificate_tells_its_days_left(mail_port: int, authority: Authority) -> None:
    ca = {"file": authority.ca.read_text()}
    result = await ask("smtp", port=mail_port, starttls=True, server_name="mail.example", ca=ca)
    assert result.outcome is Outcome.OK
    assert 89 < result.values["probe_ssl_days_left"] <= 90
    assert 'probe_smtp_duration_seconds{phase="starttls"}' in result.values


async def test_a_phase_that_comes_twice_counts_twice() -> None:
    laps = Laps("seconds", ["never"])
    laps._mark, laps._clock = 1.0, iter([2.0, 3.0, 5.0]).__next__
    for phase in ("ehlo", "starttls", "ehlo"):
        laps.lap(phase)
    assert laps.values == {'seconds{phase="never"}': 0, 'seconds{phase="ehlo"}': 3, 'seconds{phase="starttls"}': 1}


async def test_starttls_for_another_name_is_a_certificate_failure(mail_port: int, authority: Authority) -> None:
    ca = {"file": authority.ca.read_text()}
    result = await ask("smtp", port=mail_port, starttls=True, server_name="other.example", ca=ca)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.CERTIFICATE)
    assert "mismatch" in result.evidence


async def test_starttls_by_an_unknown_authority_is_a_certificate_failure(mail_port: int) -> None:
    result = await ask("smtp", port=mail_port, starttls=True, server_name="mail.example")
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.CERTIFICATE)


async def test_unverified_starttls_takes_any_certificate(mail_port: int) -> None:
    assert (await ask("smtp", port=mail_port, starttls=True, verify=False)).outcome is Outcome.OK


async def test_a_server_without_starttls_fails_when_it_is_wanted(plain_mail_port: int) -> None:
    result = await ask("smtp", port=plain_mail_port, starttls=True)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.STATUS)
    assert "STARTTLS" in result.evidence


async def test_a_greeting_of_several_lines_is_read_to_its_end() -> None:
    async with TcpPeer(b"220-one\r\n220-two\r\n220 three\r\n250-mail\r\n250 ok\r\n") as peer:
        result = await ask("smtp", port=peer.port)
    assert result.outcome is Outcome.OK


@pytest.mark.parametrize(("greeting", "code"), [(b"554 go away\r\n", 554), (b"421 busy\r\n", 421)])
async def test_a_refusing_greeting_is_a_status_with_its_code(greeting: bytes, code: int) -> None:
    async with TcpPeer(greeting) as peer:
        result = await ask("smtp", port=peer.port)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.STATUS)
    assert result.values["probe_smtp_status_code"] == code
    assert greeting.decode().strip() in result.evidence


async def test_a_server_that_speaks_something_else_is_a_protocol_failure() -> None:
    async with TcpPeer(b"HTTP/1.1 400 Bad Request\r\n\r\n") as peer:
        result = await ask("smtp", port=peer.port)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)


async def test_a_server_that_hangs_up_in_its_greeting_is_a_reset() -> None:
    async with TcpPeer(b"220-half\r\n", hang_up=True) as peer:
        result = await ask("smtp", port=peer.port)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.RESET)


async def test_the_server_cannot_put_lines_into_our_evidence() -> None:
    async with TcpPeer(b"220 hi\x1b[31m\x07\xff there\r\n250 ok\r\n") as peer:
        result = await ask("smtp", port=peer.port)
    assert result.outcome is Outcome.OK
    assert "\x1b" not in result.evidence
    assert "\x07" not in result.evidence


@pytest.mark.parametrize("greeting", [b"220-more\r\n" * 65, b"220 " + b"x" * 5000, b"220 " + b"x" * 5000 + b"\r\n"])
async def test_a_greeting_without_end_is_a_protocol_failure_and_not_waited_out(greeting: bytes) -> None:
    async with TcpPeer(greeting) as peer:
        result = await ask("smtp", port=peer.port)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)


async def test_what_is_said_in_clear_after_starttls_is_not_believed() -> None:
    said = b"220 hi\r\n250 STARTTLS\r\n220 go\r\n250 injected\r\n"
    async with TcpPeer(said) as peer:
        result = await ask("smtp", port=peer.port, starttls=True)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)
    assert "in clear after STARTTLS" in result.evidence
