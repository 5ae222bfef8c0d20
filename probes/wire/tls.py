"""TLS settings and certificate days, shared by the kinds that speak TLS; makes contexts, opens nothing."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import Any

from probes.wire import certificate

EXPIRY = "probe_ssl_earliest_cert_expiry"
DAYS_LEFT = "probe_ssl_days_left"


def context(memory: dict[str, Any], *, verify: bool, ca_pem: str) -> ssl.SSLContext:
    """The context of a check, made once: loading the roots costs more than a handshake.

    Raises ssl.SSLError when `ca_pem` holds no certificate.
    """
    known = memory.get("tls")
    if known is None:
        known = ssl.create_default_context(cadata=ca_pem or None)
        if not verify:
            known.check_hostname = False
            known.verify_mode = ssl.CERT_NONE
        memory["tls"] = known
    assert isinstance(known, ssl.SSLContext)
    return known


def days_left(session: ssl.SSLObject | ssl.SSLSocket | None, now: datetime | None = None) -> dict[str, float]:
    """Expiry (Unix seconds) and days left of the peer's certificate; empty when there is none."""
    der = session.getpeercert(binary_form=True) if session else None
    found = certificate.read(der) if der else None
    if found is None:
        return {}
    left = (found.ends - (now or datetime.now(UTC))).total_seconds() / 86400
    return {EXPIRY: found.ends.timestamp(), DAYS_LEFT: left}


def why(error: ssl.SSLCertVerificationError) -> str:
    """A failed verification in plain words."""
    return f"certificate not trusted: {error.verify_message}"
