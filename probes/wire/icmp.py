"""Echo requests and what comes back, as bytes and values. No I/O.

Sources: RFC 792 (ICMP), RFC 4443 (ICMPv6), RFC 791 and 8200 (the quoted headers), RFC 1071 (checksum). The parsers are total:
any bytes give a value or None.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from typing import NamedTuple

ECHO_REQUEST_4, ECHO_REPLY_4 = 8, 0
ECHO_REQUEST_6, ECHO_REPLY_6 = 128, 129

ERRORS_4 = (3, 11, 12)
ERRORS_6 = (1, 2, 3, 4)
TOO_BIG_4, TOO_BIG_6 = (3, 4), (2, 0)

ORIGIN_ICMP, ORIGIN_ICMP6 = 2, 3
_EXTENDED = struct.Struct("=IBBBxII")
"""sock_extended_err of linux/errqueue.h: errno, origin, type, code, an MTU, and what does not matter here. The offender follows."""
_OFFENDER_4, _OFFENDER_6 = _EXTENDED.size + 4, _EXTENDED.size + 8
"""Where the address is in a sockaddr_in and in a sockaddr_in6."""

PAYLOAD = struct.Struct("!8sII")
"""Nonce of the engine, number of the target, and its generation check (low bits of the sequence count)."""
_ECHO = struct.Struct("!BBHHH")
_REQUEST = struct.Struct("!BBHHH8sII")

_SAYS_4 = {
    (3, 0): "network unreachable",
    (3, 1): "host unreachable",
    (3, 2): "protocol unreachable",
    (3, 3): "port unreachable",
    (3, 4): "packet too big",
    (3, 9): "network administratively prohibited",
    (3, 10): "host administratively prohibited",
    (3, 13): "administratively prohibited",
    (11, 0): "TTL exceeded (a routing loop?)",
}
_SAYS_6 = {
    (1, 0): "no route",
    (1, 1): "administratively prohibited",
    (1, 3): "host unreachable",
    (1, 4): "port unreachable",
    (1, 5): "source address refused",
    (1, 6): "route rejected",
    (2, 0): "packet too big",
    (3, 0): "hop limit exceeded (a routing loop?)",
}


class EchoReply(NamedTuple):
    """An echo that came back. A tuple: thousands are made a second."""

    identifier: int
    sequence: int
    payload: bytes
    hop_limit: int | None = None
    """TTL of the reply, where it is known."""


@dataclass(frozen=True, slots=True)
class EchoError:
    """A router or host on the way refused an echo of ours."""

    says: str
    identifier: int
    sequence: int
    destination: str
    """Whom the refused echo was for."""
    payload: bytes
    """As much of it as was quoted, maybe nothing."""
    mtu: int | None = None
    """Of what was too big: the most that the next line takes, 0 where the hop does not tell (RFC 1191, RFC 4443 section 3.2)."""


def checksum(data: bytes) -> int:
    """Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def echo_request(version: int, identifier: int, sequence: int, payload: bytes) -> bytes:
    """An echo request; the kernel fills the checksum of ICMPv6, which covers addresses that we do not choose."""
    if version == 6:
        return _ECHO.pack(ECHO_REQUEST_6, 0, 0, identifier, sequence) + payload
    blank = _ECHO.pack(ECHO_REQUEST_4, 0, 0, identifier, sequence) + payload
    return _ECHO.pack(ECHO_REQUEST_4, 0, checksum(blank), identifier, sequence) + payload


class Requests:
    """The echo requests to one target: they differ in the sequence alone, so their checksum is not added up anew each time."""

    def __init__(self, version: int, identifier: int, nonce: bytes, number: int, size: int) -> None:
        """`size` is that of the payload: PAYLOAD, then zeros. The identifier is the kernel's on a ping socket."""
        self._kind = ECHO_REQUEST_4 if version == 4 else ECHO_REQUEST_6
        self._identifier, self._nonce, self._number = identifier, nonce, number
        self._padding = bytes(size - PAYLOAD.size)
        self._sum = 0xFFFF - checksum(_REQUEST.pack(self._kind, 0, 0, identifier, 0, nonce, number, 0))

    def at(self, sequence: int) -> bytes:
        """The request with this sequence; it stands in header and payload, so it counts twice (RFC 1624)."""
        total = self._sum + 2 * sequence
        total = (total & 0xFFFF) + (total >> 16)
        ones = ~(total + (total >> 16)) & 0xFFFF
        head = _REQUEST.pack(self._kind, 0, ones, self._identifier, sequence, self._nonce, self._number, sequence)
        return head + self._padding


def parse_ip4(packet: bytes) -> EchoReply | EchoError | None:
    """What a raw IPv4 socket delivers: header and all."""
    if len(packet) < 20:
        return None
    header = (packet[0] & 0x0F) * 4
    if packet[0] >> 4 != 4 or header < 20 or packet[9] != 1:
        return None
    return parse(4, packet, header, packet[8])


def parse(version: int, message: bytes, start: int = 0, hop_limit: int | None = None) -> EchoReply | EchoError | None:
    """An ICMP or ICMPv6 message; None when it is neither an echo reply nor an error about an echo of ours."""
    if len(message) < start + 8:
        return None
    kind, code, _, identifier, sequence = _ECHO.unpack_from(message, start)
    if kind == (ECHO_REPLY_4 if version == 4 else ECHO_REPLY_6):
        return EchoReply(identifier, sequence, message[start + 8 :], hop_limit)
    if version == 4 and kind in ERRORS_4:
        return _quoted_4(_says(4, kind, code), message[start + 8 :], sequence if (kind, code) == TOO_BIG_4 else None)
    if version == 6 and kind in ERRORS_6:
        mtu = identifier << 16 | sequence if (kind, code) == TOO_BIG_6 else None
        return _quoted_6(_says(6, kind, code), message[start + 8 :], mtu)
    return None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A hop on the way, or the far end, said no."""

    kind: int
    code: int
    says: str
    hop: str
    mtu: int | None
    """As of EchoError."""


def parse_refusal(version: int, extended: bytes) -> Refusal | None:
    """An error of the error queue (IP_RECVERR of ip(7)): sock_extended_err and the offender. None when it is our own host's."""
    at, size, wanted = (_OFFENDER_4, 4, ORIGIN_ICMP) if version == 4 else (_OFFENDER_6, 16, ORIGIN_ICMP6)
    if len(extended) < at + size:
        return None
    _, origin, kind, code, info, _ = _EXTENDED.unpack_from(extended)
    if origin != wanted or kind not in (ERRORS_4 if version == 4 else ERRORS_6):
        return None
    mtu = info if (kind, code) == (TOO_BIG_4 if version == 4 else TOO_BIG_6) else None
    return Refusal(kind, code, _says(version, kind, code), str(ipaddress.ip_address(extended[at : at + size])), mtu)


def parse_extended(version: int, extended: bytes, echo: bytes, destination: str) -> tuple[EchoError, str] | None:
    """An error as the error queue of a ping socket tells it, and the hop that said so.

    `echo` is the quoted echo without its IP header. None when the error is our own host's or about no echo of ours, and for
    what else the queue tells: a redirect, after which the echo goes on.
    """
    refusal = parse_refusal(version, extended)
    if refusal is None or len(echo) < _ECHO.size:
        return None
    asked, _, _, identifier, sequence = _ECHO.unpack_from(echo)
    if asked != (ECHO_REQUEST_4 if version == 4 else ECHO_REQUEST_6):
        return None
    error = EchoError(refusal.says, identifier, sequence, destination, echo[_ECHO.size :], refusal.mtu)
    return error, refusal.hop


def _says(version: int, kind: int, code: int) -> str:
    if version == 4:
        return _SAYS_4.get((kind, code), f"ICMP type {kind} code {code}")
    return _SAYS_6.get((kind, code), f"ICMPv6 type {kind} code {code}")


def _quoted_4(says: str, quoted: bytes, mtu: int | None) -> EchoError | None:
    if len(quoted) < 28:
        return None
    header = (quoted[0] & 0x0F) * 4
    if header < 20 or quoted[9] != 1 or len(quoted) < header + 8:
        return None
    kind, _, _, identifier, sequence = _ECHO.unpack_from(quoted, header)
    if kind != ECHO_REQUEST_4:
        return None
    destination = str(ipaddress.IPv4Address(quoted[16:20]))
    return EchoError(says, identifier, sequence, destination, quoted[header + 8 :], mtu)


def _quoted_6(says: str, quoted: bytes, mtu: int | None) -> EchoError | None:
    if len(quoted) < 48 or quoted[6] != 58:
        return None
    kind, _, _, identifier, sequence = _ECHO.unpack_from(quoted, 40)
    if kind != ECHO_REQUEST_6:
        return None
    return EchoError(says, identifier, sequence, str(ipaddress.IPv6Address(quoted[24:40])), quoted[48:], mtu)


def filter_program(version: int, identifier: int) -> bytes:
    """Classic BPF for a raw socket: only replies to `identifier`, and errors that quote it, wake us.

    As `struct sock_filter`s: load, compare, return. A raw IPv4 socket shows the IP header first, an IPv6 one does not.
    """
    load_byte, load_half = (0x50, 0x48) if version == 4 else (0x30, 0x28)
    quoted = 8 + (20 if version == 4 else 40) + 4
    reply = ECHO_REPLY_4 if version == 4 else ECHO_REPLY_6
    errors = ERRORS_4 if version == 4 else ERRORS_6
    code: list[tuple[int, int, int, int]] = []
    if version == 4:
        code.append((0xB1, 0, 0, 0))  # x = length of the IP header
    code.append((load_byte, 0, 0, 0))  # type
    # Layout: one test a type, a drop, then the two loads of the identifier and the comparison.
    tests = [reply, *errors]
    for index, kind in enumerate(tests):
        to_loads = len(tests) - index  # over the remaining tests and the drop
        code.append((0x15, to_loads if kind == reply else to_loads + 2, 0, kind))
    code.append((0x06, 0, 0, 0))
    code.append((load_half, 0, 0, 4))
    code.append((0x05, 0, 0, 1))
    code.append((load_half, 0, 0, quoted))
    code.append((0x15, 0, 1, identifier))
    code.append((0x06, 0, 0, 0xFFFF))
    code.append((0x06, 0, 0, 0))
    return b"".join(struct.pack("=HBBI", *each) for each in code)
