"""tls against nginx with certificates of our own authority."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.core.model import Outcome, Reason
from probes.tls import TlsOptions
from probes.wire import tls
from tests.probes.peers import Nginx, TcpPeer, ask, eventually

DAYS_LEFT = "probe_ssl_days_left"


async def test_a_good_certificate_tells_its_days_left_and_the_version(nginx: Nginx) -> None:
    result = await ask("tls", port=nginx.https, server_name="good.example", ca=nginx.ca)
    assert result.outcome is Outcome.OK
    assert 89 < result.values[DAYS_LEFT] <= 90
    assert result.values["probe_ssl_earliest_cert_expiry"] > 0
    assert result.values["probe_tls_handshake_duration_seconds"] > 0
    assert result.evidence.startswith("TLSv1.3, certificate good for 90 days")


async def test_without_a_name_the_address_must_be_in_the_certificate(nginx: Nginx) -> None:
    assert (await ask("tls", port=nginx.https, ca=nginx.ca)).outcome is Outcome.OK


@pytest.mark.parametrize(
    ("name", "says", "days"),
    [
        ("expired.example", "expired", -2),
        ("wrong.example", "mismatch", 90),
        ("stranger.example", "unable to get local issuer", 90),
    ],
)
async def test_a_bad_certificate_fails_with_its_reason_and_still_tells_its_days(
    nginx: Nginx, name: str, says: str, days: int
) -> None:
    result = await ask("tls", port=nginx.https, server_name=name, ca=nginx.ca)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.CERTIFICATE)
    assert says in result.evidence
    assert days - 1 < result.values[DAYS_LEFT] <= days


async def test_unverified_takes_any_certificate_and_tells_its_days(nginx: Nginx) -> None:
    result = await ask("tls", port=nginx.https, server_name="expired.example", verify=False)
    assert result.outcome is Outcome.OK
    assert result.values[DAYS_LEFT] < 0


async def test_a_server_that_does_not_speak_tls_is_a_tls_failure(nginx: Nginx) -> None:
    result = await ask("tls", port=nginx.http, server_name="good.example", ca=nginx.ca)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.TLS)


async def test_a_server_that_hangs_up_in_the_handshake_is_a_reset() -> None:
    async with TcpPeer(hang_up=True) as peer:
        result = await ask("tls", port=peer.port)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.RESET)


@pytest.mark.parametrize("name", ["good.example", "expired.example"])
async def test_no_connection_is_held_after_a_run(nginx: Nginx, name: str) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        await ask("tls", port=nginx.https, server_name=name, ca=nginx.ca)
    await eventually("closed", lambda: len(list(Path("/proc/self/fd").iterdir())) <= before)


async def test_the_certificate_that_ends_first_counts_wherever_it_is_in_the_chain(nginx: Nginx) -> None:
    result = await ask("tls", port=nginx.https, server_name="chain.example", ca=nginx.ca)
    assert result.outcome is Outcome.OK
    assert 8 < result.values["probe_ssl_days_left"] <= 9


def test_no_parameters_of_the_servers_choice_are_reckoned_with() -> None:
    offered = [each["name"] for each in tls.context(verify=True, ca_pem="").get_ciphers()]
    assert offered
    assert all(name.startswith(("TLS_", "ECDHE-")) for name in offered)


def test_checks_that_trust_the_same_share_a_context(nginx: Nginx) -> None:
    ca = nginx.ca["file"]
    assert tls.context(verify=True, ca_pem=ca) is tls.context(verify=True, ca_pem=ca)
    assert tls.context(verify=True, ca_pem=ca) is not tls.context(verify=False, ca_pem=ca)
    assert tls.context(verify=True, ca_pem=ca) is not tls.context(verify=True, ca_pem=ca, alpn=("h2",))


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("hà-nội.example", "xn--h-ni-0na4517b.example"),
        ("Good.example", "Good.example"),
        ("10.0.0.9", "10.0.0.9"),
        ("", ""),
    ],
)
def test_a_name_in_vietnamese_is_asked_for_as_tls_writes_it(written: str, asked: str) -> None:
    assert TlsOptions.model_validate({"server_name": written}).server_name == asked
