"""Test packets that are sent and come back from a reflector: STAMP. No I/O.

Sources: RFC 8762 (the packets, with and without authentication), RFC 8972 (session identifier and TLVs; of these we use
padding, class of service and HMAC), RFC 4656 section 4.1.2 (error estimate). With a key every packet is signed by HMAC-SHA-256
of 16 octets (RFC 4868); a packet and its reflection are equally long. The parsers are total: any bytes give a value or one
ProtocolError.
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass
from typing import NamedTuple

MOST_BYTES = 65507
HMAC_BYTES = 16

_TEST_SIGNED, _TEST_OPEN = struct.Struct("!I12xQHH68x"), struct.Struct("!IQHH28x")
"""Sequence, time, error estimate, session."""
_REPLY_SIGNED, _REPLY_OPEN = struct.Struct("!I12xQHH4xQ8xI12xQH6xB15x"), struct.Struct("!IQHHQIQH2xB3x")
"""Sequence, time, error estimate, session, time of arrival; of the sender: sequence, time, error estimate, TTL on arrival."""
_SEQUENCE = struct.Struct("!I")
_RESERVED_SIGNED, _RESERVED_OPEN = slice(28, 96), slice(16, 44)
"""Zero in a test packet; in a reply the time of arrival stands there, among others."""

_TLV = struct.Struct("!BBH")
_CLASS_OF_SERVICE = struct.Struct("!BBHHxx")
"""DSCP1 that the reply shall have, DSCP2 and ECN on arrival, and whether DSCP1 was refused: 6, 6, 2 and 2 bits."""
PADDING, CLASS_OF_SERVICE, HMAC = 1, 4, 8
UNRECOGNISED, MALFORMED, UNTRUSTED = 0x80, 0x40, 0x20
"""Flags of a TLV (RFC 8972 section 4)."""

LEAST_BYTES_SIGNED = _TEST_SIGNED.size + HMAC_BYTES + _CLASS_OF_SERVICE.size + _TLV.size + HMAC_BYTES
LEAST_BYTES_OPEN = _TEST_OPEN.size + _CLASS_OF_SERVICE.size
"""Of our own test packets, without padding."""

_FROM_1900 = 2_208_988_800
"""Seconds from the epoch of NTP to that of Unix."""
_SYNCHRONISED = 0x8000


class ProtocolError(Exception):
    """The bytes are no such packet, or not signed with our key."""


class UnsignedError(ProtocolError):
    """In form, but not signed with our key."""


class Clock(NamedTuple):
    """What a party says of the clock that it stamps with."""

    synchronised: bool
    """To UTC, by an external source."""
    error_seconds: float


class Seen(NamedTuple):
    """What a packet looked like when it arrived."""

    at_ns: int
    """Unix time."""
    dscp: int
    ecn: int
    ttl: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TestPacket:
    """A test packet, as a sender makes it."""

    __test__ = False  # pytest takes the name for its own

    sequence: int
    sent_ns: int
    clock: Clock
    session: int
    dscp: int
    """That it has, and that its reflection shall have."""


class Reply(NamedTuple):
    """A reflected packet. A tuple: a call has hundreds."""

    place: int
    """Its sequence at the reflector: how many of the session arrived there before it."""
    reflected_ns: int
    clock: Clock
    session: int
    arrived_ns: int
    sequence: int
    """That of the test packet, …"""
    sent_ns: int
    """… and when that was sent, as the reflector repeats it."""
    ttl: int
    """That the test packet had left at the reflector."""
    dscp: int | None
    """That the test packet had at the reflector; None when that does not say so."""


def to_ntp(ns: int) -> int:
    """A Unix time in ns as 64 bits of NTP."""
    seconds, rest = divmod(ns, 1_000_000_000)
    return ((seconds + _FROM_1900) & 0xFFFFFFFF) << 32 | (rest << 32) // 1_000_000_000


def from_ntp(stamp: int) -> int:
    """The other way round, to the ns; good from 1970 to 2106."""
    seconds = ((stamp >> 32) - _FROM_1900) & 0xFFFFFFFF
    return seconds * 1_000_000_000 + ((stamp & 0xFFFFFFFF) * 1_000_000_000 + 0xFFFFFFFF >> 32)


def _estimate(clock: Clock) -> int:
    """The error estimate: multiplier · 2^(scale - 32) seconds, never below what is true."""
    units, scale = max(1, int(min(clock.error_seconds, 1e6) * 2**32)), 0
    while units > 255:
        units, scale = (units + 1) >> 1, scale + 1
    return (_SYNCHRONISED if clock.synchronised else 0) | scale << 8 | units


def _clock(estimate: int) -> Clock:
    return Clock(bool(estimate & _SYNCHRONISED), (estimate & 0xFF) * 2.0 ** ((estimate >> 8 & 0x3F) - 32))


def _signed(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")[:HMAC_BYTES]


def encode(test: TestPacket, key: bytes, size: int, padding: bytes = b"") -> bytes:
    """A test packet of `size` bytes, or of the least that it needs; signed when there is a key. `padding` fills it up."""
    sequence = test.sequence & 0xFFFFFFFF
    layout = _TEST_SIGNED if key else _TEST_OPEN
    base = layout.pack(sequence, to_ntp(test.sent_ns), _estimate(test.clock), test.session)
    tlvs = _CLASS_OF_SERVICE.pack(UNRECOGNISED, CLASS_OF_SERVICE, 4, test.dscp << 10)
    if key:
        base += _signed(key, base)
        tlvs += _TLV.pack(UNRECOGNISED, HMAC, HMAC_BYTES) + _signed(key, _SEQUENCE.pack(sequence) + tlvs)
    room = size - len(base) - len(tlvs) - _TLV.size
    if room >= 0:
        tlvs += _TLV.pack(UNRECOGNISED, PADDING, room) + padding[:room].ljust(room, b"\0")
    return base + tlvs


def _base(data: bytes, layout: struct.Struct, key: bytes) -> tuple[tuple[int, ...], int]:
    """The fields of the base packet and where its TLVs begin."""
    start = layout.size + (HMAC_BYTES if key else 0)
    if not start <= len(data) <= MOST_BYTES:
        raise ProtocolError(f"{len(data)} bytes")
    if key and not hmac.compare_digest(_signed(key, data[: layout.size]), data[layout.size : start]):
        raise UnsignedError("not signed with our key")
    return layout.unpack_from(data), start


def _tlvs(data: bytes, start: int) -> tuple[list[tuple[int, int, int]], bool]:
    """Each TLV as kind, begin and end, and whether they fill the packet to its end."""
    found = []
    while len(data) - start >= _TLV.size:
        _, kind, length = _TLV.unpack_from(data, start)
        end = start + _TLV.size + length
        if end > len(data):
            break
        found.append((kind, start, end))
        start = end
    return found, start == len(data)


def _trusted(data: bytes, key: bytes, start: int, found: list[tuple[int, int, int]]) -> bool:
    """Whether the TLVs are signed, as they must be unless there is padding alone (RFC 8972 section 4.8)."""
    rest = [each for each in found if each[0] != PADDING]
    if not key or not rest:
        return True
    kind, begin, end = rest[-1]
    signed = _SEQUENCE.pack(_SEQUENCE.unpack_from(data)[0]) + data[start:begin]
    return kind == HMAC and hmac.compare_digest(_signed(key, signed), data[begin + _TLV.size : end])


def decode(data: bytes, key: bytes) -> Reply:
    """What a reflector sent; raises ProtocolError, or UnsignedError where it is in form."""
    fields, start = _base(data, _REPLY_SIGNED if key else _REPLY_OPEN, key)
    place, reflected, estimate, session, arrived, sequence, sent, _, ttl = fields
    found, whole = _tlvs(data, start)
    if not whole:
        raise ProtocolError("a TLV that does not end")
    if not _trusted(data, key, start, found):
        raise UnsignedError("its TLVs are not signed with our key")
    dscp = None
    for kind, begin, end in found:
        if kind == CLASS_OF_SERVICE and end - begin == _CLASS_OF_SERVICE.size:
            flags, _, _, bits = _CLASS_OF_SERVICE.unpack_from(data, begin)
            dscp = None if flags & (UNRECOGNISED | MALFORMED | UNTRUSTED) else bits >> 4 & 0x3F
    return Reply(
        place, from_ntp(reflected), _clock(estimate), session, from_ntp(arrived), sequence, from_ntp(sent), ttl, dscp
    )


class Received(NamedTuple):
    """A test packet in form, as a reflector got it."""

    data: bytes
    fields: tuple[int, ...]
    start: int
    session: int


def receive(data: bytes, key: bytes) -> Received:
    """A test packet that may be answered; raises ProtocolError, or UnsignedError where it is only not signed.

    A reply is none, though it is signed as well: two reflectors, one of them named as the source by a third party, would answer each
    other for ever. RFC 8762 lets senders fill what is reserved with nothing but zeros, so what is there tells a reply.
    """
    fields, start = _base(data, _TEST_SIGNED if key else _TEST_OPEN, key)
    if any(data[_RESERVED_SIGNED if key else _RESERVED_OPEN]):
        raise ProtocolError("a reply, and no test packet")
    return Received(data, fields, start, fields[3])


def reflect(test: Received, key: bytes, place: int, seen: Seen, now_ns: int, clock: Clock) -> tuple[bytes, int]:
    """The reply, as long as the test packet, and the DSCP that it shall have."""
    sequence, sent, estimate, session = test.fields
    place &= 0xFFFFFFFF
    tail, dscp = _reflected_tlvs(test, key, place, seen)
    layout = _REPLY_SIGNED if key else _REPLY_OPEN
    base = layout.pack(
        place, to_ntp(now_ns), _estimate(clock), session, to_ntp(seen.at_ns), sequence, sent, estimate, seen.ttl
    )
    return (base + _signed(key, base) if key else base) + tail, dscp


def _reflected_tlvs(test: Received, key: bytes, place: int, seen: Seen) -> tuple[bytes, int]:
    data, start = test.data, test.start
    found, whole = _tlvs(data, start)
    tail, dscp = bytearray(data[start:]), seen.dscp
    flag = (0 if whole else MALFORMED) | (0 if _trusted(data, key, start, found) else UNTRUSTED)
    if not whole:
        tail[(found[-1][2] if found else start) - start] = MALFORMED
    for kind, begin, end in found:
        at = begin - start
        tail[at] = flag
        if flag:
            continue
        if kind == CLASS_OF_SERVICE and end - begin == _CLASS_OF_SERVICE.size:
            bits = _CLASS_OF_SERVICE.unpack_from(data, begin)[3]
            dscp = bits >> 10
            _CLASS_OF_SERVICE.pack_into(tail, at, 0, kind, 4, dscp << 10 | seen.dscp << 4 | seen.ecn << 2)
        elif kind == HMAC and key and end - begin == _TLV.size + HMAC_BYTES:  # of several only the last was looked at
            tail[at + _TLV.size : end - start] = _signed(key, _SEQUENCE.pack(place) + tail[:at])
        elif kind != PADDING:
            tail[at] = UNRECOGNISED
    return bytes(tail), dscp
