"""STUN and TURN messages as bytes and values (RFC 8489, RFC 8656). No I/O.

`parse` is total: any bytes give a message, None (more is needed) or one ProtocolError.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import zlib
from dataclasses import dataclass
from enum import IntEnum

MAX_BYTES = 4096
MAX_ATTRIBUTES = 64

_COOKIE = 0x2112A442
_HEADER = 20
_FINGERPRINT_XOR = 0x5354554E
_SIGNATURE_BYTES = 20


class Method(IntEnum):
    """What a message is about (RFC 8489 section 18.2, RFC 8656 section 17)."""

    BINDING = 1
    ALLOCATE = 3
    REFRESH = 4
    SEND = 6
    DATA = 7
    CREATE_PERMISSION = 8


class Kind(IntEnum):
    """The class of a message (RFC 8489 section 5)."""

    REQUEST = 0
    INDICATION = 1
    SUCCESS = 2
    ERROR = 3


class Attribute(IntEnum):
    """Types of attributes (RFC 8489 section 18.3, RFC 8656 section 18)."""

    MAPPED_ADDRESS = 0x0001
    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    LIFETIME = 0x000D
    XOR_PEER_ADDRESS = 0x0012
    DATA = 0x0013
    REALM = 0x0014
    NONCE = 0x0015
    XOR_RELAYED_ADDRESS = 0x0016
    REQUESTED_TRANSPORT = 0x0019
    XOR_MAPPED_ADDRESS = 0x0020
    SOFTWARE = 0x8022
    ALTERNATE_SERVER = 0x8023
    FINGERPRINT = 0x8028


class ProtocolError(Exception):
    """The bytes are not a STUN message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message; what follows its signature is left out, for it is not signed (RFC 8489 section 14.5)."""

    method: int
    kind: Kind
    transaction: bytes
    """12 bytes."""
    attributes: tuple[tuple[int, bytes], ...] = ()
    signed: tuple[bytes, bytes] | None = None
    """Of one that was received: what the signature is about, and the signature."""
    size: int = 0
    """Bytes that it took of the stream."""

    def first(self, wanted: Attribute) -> bytes | None:
        """The value of the first attribute of a type."""
        return next((value for kind, value in self.attributes if kind == wanted), None)

    def text(self, wanted: Attribute) -> str:
        """A text; empty when there is none. What is not UTF-8 stays what it was when it is encoded again."""
        return (self.first(wanted) or b"").decode("utf-8", "surrogateescape")

    def number(self, wanted: Attribute) -> int | None:
        """A number of 32 bits. Raises ProtocolError."""
        value = self.first(wanted)
        if value is not None and len(value) != 4:
            raise ProtocolError("a number that is none")
        return None if value is None else int.from_bytes(value, "big")

    def address(self, wanted: Attribute) -> tuple[str, int] | None:
        """Address and port. Raises ProtocolError."""
        value = self.first(wanted)
        if value is None:
            return None
        mask = (
            bytes(16) if wanted in (Attribute.MAPPED_ADDRESS, Attribute.ALTERNATE_SERVER) else _mask(self.transaction)
        )
        if (len(value), value[1:2]) not in ((8, b"\x01"), (20, b"\x02")):
            raise ProtocolError("an address that is none")
        port = int.from_bytes(_xor(value[2:4], mask), "big")
        return str(ipaddress.ip_address(_xor(value[4:], mask))), port

    @property
    def error(self) -> tuple[int, str] | None:
        """Code and phrase of an error. Raises ProtocolError."""
        value = self.first(Attribute.ERROR_CODE)
        if value is None:
            return None
        if len(value) < 4 or not 3 <= (value[2] & 7) <= 6 or value[3] > 99:
            raise ProtocolError("an error code that is none")
        return (value[2] & 7) * 100 + value[3], value[4:].decode("utf-8", errors="replace")

    def signed_with(self, key: bytes) -> bool:
        """Whether it has a MESSAGE-INTEGRITY, made with this key."""
        return self.signed is not None and hmac.compare_digest(_sign(key, self.signed[0]), self.signed[1])

    def encode(self, key: bytes | None = None) -> bytes:
        """On the wire, with FINGERPRINT, and signed when there is a key."""
        body = b"".join(_attribute(kind, value) for kind, value in self.attributes)
        if key is not None:
            covered = self._head(len(body) + 4 + _SIGNATURE_BYTES) + body
            body += _attribute(Attribute.MESSAGE_INTEGRITY, _sign(key, covered))
        covered = self._head(len(body) + 8) + body
        return covered + _attribute(Attribute.FINGERPRINT, _fingerprint(covered))

    def _head(self, length: int) -> bytes:
        method = (self.method & 0xF80) << 2 | (self.method & 0x70) << 1 | self.method & 0xF
        kind = (self.kind & 2) << 7 | (self.kind & 1) << 4
        return (method | kind).to_bytes(2, "big") + length.to_bytes(2, "big") + _mask(self.transaction)


def long_term_key(username: str, realm: str, password: str) -> bytes:
    """The key of MESSAGE-INTEGRITY (RFC 8489 section 9.2.2), of the algorithm MD5, which every server takes."""
    return hashlib.md5(
        f"{username}:{realm}:{password}".encode("utf-8", "surrogateescape"), usedforsecurity=False
    ).digest()


def xor_address(host: str, port: int, transaction: bytes) -> bytes:
    """The value of an XOR-…-ADDRESS (RFC 8489 section 14.2)."""
    address = ipaddress.ip_address(host)
    mask = _mask(transaction)
    family = b"\0\x01" if address.version == 4 else b"\0\x02"
    return family + _xor(port.to_bytes(2, "big"), mask) + _xor(address.packed, mask)


def parse(data: bytes, *, stream: bool) -> Message | None:
    """The first message in `data`; None while a `stream` needs more. Raises ProtocolError."""
    if not stream and len(data) < _HEADER:
        raise ProtocolError("too short")
    if data[:1] > b"\x3f" or (len(data) >= 8 and int.from_bytes(data[4:8], "big") != _COOKIE):
        raise ProtocolError("no magic cookie")
    if len(data) < _HEADER:
        return None
    size = _HEADER + int.from_bytes(data[2:4], "big")
    if size > MAX_BYTES:
        raise ProtocolError(f"larger than {MAX_BYTES} bytes")
    if size % 4 or (not stream and size != len(data)):
        raise ProtocolError("its length is wrong")
    if len(data) < size:
        return None
    return _parse(data[:size])


def _parse(data: bytes) -> Message:
    attributes: list[tuple[int, bytes]] = []
    signed = None
    at = _HEADER
    while at < len(data):
        kind, length = int.from_bytes(data[at : at + 2], "big"), int.from_bytes(data[at + 2 : at + 4], "big")
        value = data[at + 4 : at + 4 + length]
        if len(value) < length or len(attributes) == MAX_ATTRIBUTES:
            raise ProtocolError("its attributes do not fit")
        if kind == Attribute.FINGERPRINT and value != _fingerprint(_with_length(data[:at], at + 8)):
            raise ProtocolError("its fingerprint is wrong")
        if signed is None and kind == Attribute.MESSAGE_INTEGRITY:
            signed = _with_length(data[:at], at + 4 + _SIGNATURE_BYTES), value
        elif signed is None and kind != Attribute.FINGERPRINT:
            attributes.append((kind, value))
        at += 4 + length + -length % 4
    first = int.from_bytes(data[:2], "big")
    return Message(
        method=(first & 0x3E00) >> 2 | (first & 0xE0) >> 1 | first & 0xF,
        kind=Kind((first & 0x100) >> 7 | (first & 0x10) >> 4),
        transaction=data[8:_HEADER],
        attributes=tuple(attributes),
        signed=signed,
        size=len(data),
    )


def _with_length(data: bytes, size: int) -> bytes:
    return data[:2] + (size - _HEADER).to_bytes(2, "big") + data[4:]


def _attribute(kind: int, value: bytes) -> bytes:
    return kind.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value + bytes(-len(value) % 4)


def _mask(transaction: bytes) -> bytes:
    return _COOKIE.to_bytes(4, "big") + transaction


def _xor(value: bytes, mask: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(value, mask, strict=False))


def _sign(key: bytes, covered: bytes) -> bytes:
    return hmac.digest(key, covered, "sha1")


def _fingerprint(covered: bytes) -> bytes:
    return (zlib.crc32(covered) ^ _FINGERPRINT_XOR).to_bytes(4, "big")
