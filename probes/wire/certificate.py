"""What matters of an X.509 certificate (RFC 5280), from its DER bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509


@dataclass(frozen=True, slots=True)
class Certificate:
    """When it ends, and who it is for."""

    ends: datetime
    subject: str


@lru_cache(maxsize=1024)
def read(der: bytes) -> Certificate | None:
    """The certificate, or None when the bytes are not one."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        return Certificate(ends=certificate.not_valid_after_utc, subject=certificate.subject.rfc4514_string()[:120])
    except (ValueError, x509.InvalidVersion):  # the latter is no ValueError
        return None
