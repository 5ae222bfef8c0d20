"""Who speaks in a message of SNMP version 3 (RFC 3412, 3414), without its keys. No I/O."""

from __future__ import annotations

_SEQUENCE, _INTEGER, _OCTETS = 0x30, 0x02, 0x04
_LONGEST_ENGINE_ID = 32
"""SnmpEngineID of RFC 3411: 5 to 32 octets."""


def _value(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """Content of the value that `data` begins with, and what follows it; two empty ones when it is another (X.690)."""
    if len(data) < 2 or data[0] != tag:
        return b"", b""
    size, start = data[1], 2
    if size > 127:
        start += size & 127
        size = int.from_bytes(data[2:start], "big")
    return data[start : start + size], data[start + size :]


def engine_id(message: bytes) -> bytes:
    """msgAuthoritativeEngineID, which for a trap is the sender's; empty when there is none or it is no version 3."""
    message, _ = _value(message, _SEQUENCE)
    version, message = _value(message, _INTEGER)
    if version != b"\x03":
        return b""
    _, message = _value(message, _SEQUENCE)
    security, _ = _value(message, _OCTETS)
    security, _ = _value(security, _SEQUENCE)
    found, _ = _value(security, _OCTETS)
    return found if 5 <= len(found) <= _LONGEST_ENGINE_ID else b""
