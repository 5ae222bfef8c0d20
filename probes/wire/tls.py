"""TLS settings and certificate days, shared by the kinds that speak TLS; makes contexts, opens nothing."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache

from probes.wire import certificate

EXPIRY = "probe_ssl_earliest_cert_expiry"
DAYS_LEFT = "probe_ssl_days_left"
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL"
"""Of TLS 1.2; without finite-field DHE, whose parameters the server chooses: with 10,000 bits they cost us a second."""
_DER = 2
"""ENCODING_DER of CPython's _ssl."""


@lru_cache(maxsize=64)
def context(*, verify: bool, ca_pem: str, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
    """The context of all checks that trust the same: the system's roots cost 10 ms and a megabyte to load.

    Raises ssl.SSLError when `ca_pem` holds no certificate. The system's roots are those of the daemon's start.
    """
    made = ssl.create_default_context(cadata=ca_pem or None)
    if not verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    made.set_ciphers(CIPHERS)
    if alpn:
        made.set_alpn_protocols(list(alpn))
    return made


def days_left(session: ssl.SSLObject | None, now: datetime | None = None) -> dict[str, float]:
    """Expiry (Unix seconds) and days left of the certificate that ends first in the chain that the peer sent.

    Empty when it sent none that can be read.
    """
    ends = [found.ends for der in _chain(session) if (found := certificate.read(der)) is not None]
    if not ends:
        return {}
    left = (min(ends) - (now or datetime.now(UTC))).total_seconds() / 86400
    return {EXPIRY: min(ends).timestamp(), DAYS_LEFT: left}


def first_to_end(several: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Expiry and days left of the certificate that ends first, of several measurements; empty when none has any."""
    ends = min((each for each in several if DAYS_LEFT in each), key=lambda each: each[DAYS_LEFT], default=None)
    return {} if ends is None else {EXPIRY: ends[EXPIRY], DAYS_LEFT: ends[DAYS_LEFT]}


def _chain(session: ssl.SSLObject | None) -> list[bytes]:
    """The certificates that the peer sent, its own first. Before Python 3.13 only the private object tells them."""
    if session is None:
        return []
    public = getattr(session, "get_unverified_chain", None)
    if public is not None:
        return list(public())
    private = session._sslobj.get_unverified_chain() or ()  # type: ignore[attr-defined]  # noqa: SLF001
    return [each.public_bytes(_DER) for each in private]


def why(error: ssl.SSLCertVerificationError) -> str:
    """A failed verification in plain words."""
    return f"certificate not trusted: {error.verify_message}"
