"""The few messages of H.323 that ring nothing, as bytes and values (ITU-T H.225.0, Q.931, X.691, RFC 1006). No I/O.

Of RAS: is the gatekeeper there, and does it know a room. Of call signalling: a Status Enquiry. The parsers are total: any bytes
give a value, None (a stream needs more) or one ProtocolError. They read what is asked for here and no further, for a whole
decoder of H.225.0 costs 13 MB, and the one there is stumbles over hostile bytes.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import StrEnum

MAX_BYTES = 8192
MAX_ELEMENTS = 64

_VERSION = bytes.fromhex("060008914a0004")
"""The protocolIdentifier of H.225.0 version 4."""
_DIGITS = "#*,0123456789"
"""Of dialledDigits, in the order of their codes."""


class ProtocolError(Exception):
    """The bytes are no such message."""


class Ras(StrEnum):
    """What a gatekeeper answers."""

    GATEKEEPER_CONFIRM = "gatekeeperConfirm"
    GATEKEEPER_REJECT = "gatekeeperReject"
    LOCATION_CONFIRM = "locationConfirm"
    LOCATION_REJECT = "locationReject"
    NOT_UNDERSTOOD = "unknownMessageResponse"
    IN_PROGRESS = "requestInProgress"


_RAS = {
    1: Ras.GATEKEEPER_CONFIRM,
    2: Ras.GATEKEEPER_REJECT,
    19: Ras.LOCATION_CONFIRM,
    20: Ras.LOCATION_REJECT,
    24: Ras.NOT_UNDERSTOOD,
}
_GATEKEEPER_REASONS = (
    ("resourceUnavailable", "terminalExcluded", "invalidRevision", "undefinedReason"),
    ("securityDenial", "genericDataReason", "neededFeatureNotSupported", "securityError"),
)
_LOCATION_REASONS = (
    ("notRegistered", "invalidPermission", "requestDenied", "undefinedReason"),
    (
        "securityDenial", "aliasesInconsistent", "routeCalltoSCN", "resourceUnavailable", "genericDataReason",
        "neededFeatureNotSupported", "hopCountExceeded", "incompleteAddress", "securityError", "securityDHmismatch",
        "noRouteToDestination", "unallocatedNumber",
    ),
)  # fmt: skip
"""Alternatives of the first version, and those that later ones added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RasAnswer:
    """A message of a gatekeeper."""

    kind: Ras
    sequence: int
    gatekeeper: str = ""
    """Its name."""
    reason: str = ""
    """Of a reject, as H.225.0 calls it."""
    address: tuple[str, int] | None = None
    """Where the gatekeeper takes messages, or where a room takes calls."""


def gatekeeper_request(sequence: int, host: str, port: int) -> bytes:
    """GRQ of a terminal without a name: who is there? `sequence` 1 to 65535; `host` and `port` are our own."""
    bits = _Writer()
    bits.put(0, 11)  # no extension, the first alternative; no extension, none of four optional fields
    _begin(bits, sequence)
    bits.octets(_VERSION)
    _put_address(bits, host, port)
    bits.put(0b000001_0000, 11)  # EndpointType: of six optional fields only `terminal`, which is empty
    return bits.done()


def location_request(sequence: int, alias: str, host: str, port: int) -> bytes:
    """LRQ: where is the one of this alias? Digits are a number, all else an H.323 identifier of at most 256 characters."""
    bits = _Writer()
    bits.put(18 << 3, 9)  # the 19th alternative; no extension, none of two optional fields
    _begin(bits, sequence)
    bits.octets(b"\x01")  # one destination
    if set(alias) <= set(_DIGITS):
        bits.put(len(alias) - 1, 9)
        bits.align()
        for each in alias:
            bits.put(_DIGITS.index(each), 4)
    else:
        bits.put(0b01, 2)
        bits.octets(bytes([len(alias) - 1]) + alias.encode("utf-16-be"))
    _put_address(bits, host, port)
    return bits.done()


def parse_ras(data: bytes) -> RasAnswer:
    """The answer of a gatekeeper. Raises ProtocolError."""
    bits = _Reader(data)
    if bits.take(1):
        return _in_progress(bits)
    kind = _RAS.get(bits.take(5))
    if kind is None:
        raise ProtocolError("a message that answers nothing of ours")
    bits.take(1)  # extensions come behind all that is read here
    gatekeeper = kind in (Ras.GATEKEEPER_CONFIRM, Ras.GATEKEEPER_REJECT)
    private = kind is not Ras.NOT_UNDERSTOOD and bits.take(1)
    named = gatekeeper and bits.take(1)
    sequence = bits.number(2) + 1
    if gatekeeper:
        bits.octets(bits.length())  # its version
    if kind is Ras.LOCATION_CONFIRM:
        return RasAnswer(kind=kind, sequence=sequence, address=_take_address(bits))
    if kind is Ras.LOCATION_REJECT:
        return RasAnswer(kind=kind, sequence=sequence, reason=_take_reason(bits, _LOCATION_REASONS))
    if kind is Ras.NOT_UNDERSTOOD:
        return RasAnswer(kind=kind, sequence=sequence)
    if private:
        _skip_private(bits)
    name = bits.octets((bits.take(7) + 1) * 2).decode("utf-16-be", errors="replace") if named else ""
    if kind is Ras.GATEKEEPER_REJECT:
        reason = _take_reason(bits, _GATEKEEPER_REASONS)
        return RasAnswer(kind=kind, sequence=sequence, gatekeeper=name, reason=reason)
    return RasAnswer(kind=kind, sequence=sequence, gatekeeper=name, address=_take_address(bits))


def _in_progress(bits: _Reader) -> RasAnswer:
    if bits.small() != 0:
        raise ProtocolError("a message that answers nothing of ours")
    body = _Reader(bits.octets(bits.length()))
    body.take(5)  # no extension is read, nor one of the four optional fields
    return RasAnswer(kind=Ras.IN_PROGRESS, sequence=body.number(2) + 1)


def _begin(bits: _Writer, sequence: int) -> None:
    bits.octets((sequence - 1).to_bytes(2, "big"))  # RequestSeqNum begins at 1


def _put_address(bits: _Writer, host: str, port: int) -> None:
    address = ipaddress.ip_address(host)
    if address.version == 4:
        bits.put(0, 4)
    else:
        bits.put(0b0011_0, 5)
    bits.octets(address.packed + port.to_bytes(2, "big"))


def _take_address(bits: _Reader) -> tuple[str, int] | None:
    """A TransportAddress; None when it is of a kind that nobody has any more."""
    alternative = bits.take(4)
    if alternative == 3:
        bits.take(1)
    elif alternative != 0:
        return None
    host = ipaddress.ip_address(bits.octets(4 if alternative == 0 else 16))
    return str(host), bits.number(2)


def _take_reason(bits: _Reader, names: tuple[tuple[str, ...], tuple[str, ...]]) -> str:
    added = bits.take(1)
    index = bits.small() if added else bits.take(2)
    return names[added][index] if index < len(names[added]) else f"reason {index} of a later version"


def _skip_private(bits: _Reader) -> None:
    """NonStandardParameter: whose, and what."""
    choice = bits.take(2)
    if choice == 0:
        bits.octets(bits.length())
    elif choice == 1:
        bits.take(1)
        bits.octets(4)
    else:
        raise ProtocolError("an unknown kind of maker")
    bits.octets(bits.length())


class _Writer:
    """Bits of aligned PER (X.691)."""

    def __init__(self) -> None:
        self._value, self._count = 0, 0

    def put(self, value: int, count: int) -> None:
        self._value, self._count = self._value << count | value, self._count + count

    def align(self) -> None:
        self.put(0, -self._count % 8)

    def octets(self, value: bytes) -> None:
        self.align()
        self.put(int.from_bytes(value, "big"), len(value) * 8)

    def done(self) -> bytes:
        self.align()
        return self._value.to_bytes(self._count // 8, "big")


class _Reader:
    """The same the other way; raises ProtocolError where the bytes end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> int:
        """At most 16 bits."""
        begin, end = self._at, self._at + count
        if end > len(self._data) * 8:
            raise ProtocolError("it ends too early")
        self._at = end
        few = int.from_bytes(self._data[begin // 8 : (end + 7) // 8], "big")
        return (few >> -end % 8) & ((1 << count) - 1)

    def octets(self, count: int) -> bytes:
        begin = (self._at + 7) // 8
        if begin + count > len(self._data):
            raise ProtocolError("it ends too early")
        self._at = (begin + count) * 8
        return self._data[begin : begin + count]

    def number(self, octets: int) -> int:
        return int.from_bytes(self.octets(octets), "big")

    def length(self) -> int:
        """X.691 section 11.9, but of fragments, which are of 16 KiB and more."""
        first = self.number(1)
        if first < 0x80:
            return first
        if first >= 0xC0:
            raise ProtocolError("a part that is too long")
        return (first & 0x3F) << 8 | self.number(1)

    def small(self) -> int:
        """A normally small number (X.691 section 11.6)."""
        if self.take(1):
            raise ProtocolError("an alternative that is too new")
        return self.take(6)


# -- call signalling (Q.931, over TCP in packets of RFC 1006) ------------------------------------------------------------


_STATUS_ENQUIRY = 0x75
_MESSAGES = {0x5A: "Release Complete", 0x62: "Facility", 0x6E: "Notify", 0x7B: "Information", 0x7D: "Status"}
"""Q.931 table 4-2; those that begin a call are missing, for nobody is called."""

_DISCRIMINATOR = 0x08
_CAUSE, _CALL_STATE, _USER_USER = 0x08, 0x14, 0x7E


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswer:
    """A message about a call."""

    message: str
    """Its type: a name, or a number where none is usual."""
    cause: int | None = None
    """Q.850: 30 is the answer to a Status Enquiry, 81 says that there is no such call."""
    state: int | None = None
    """Of the call; 0: there is none."""


def status_enquiry(reference: int, call: bytes) -> bytes:
    """How is this call? `reference` 1 to 32767; `call` names it by 16 bytes. Of a call that is not, nobody is rung."""
    # H323-UserInformation: no optional part; of the alternatives that later versions added, the 4th, 25 bytes long
    inquiry = bytes.fromhex("083019") + b"\0" + _VERSION + b"\0" + call
    user = bytes([_USER_USER]) + (len(inquiry) + 1).to_bytes(2, "big") + b"\x05" + inquiry
    message = bytes([_DISCRIMINATOR, 2]) + reference.to_bytes(2, "big") + bytes([_STATUS_ENQUIRY]) + user
    return b"\x03\0" + (len(message) + 4).to_bytes(2, "big") + message


def parse_call(data: bytes) -> CallAnswer | None:
    """The first message in the stream, of whatever call; None while it needs more. Raises ProtocolError."""
    if not data.startswith(b"\x03\0"[: len(data)]):
        raise ProtocolError("no TPKT")
    if len(data) < 4:
        return None
    size = int.from_bytes(data[2:4], "big")
    if not 9 <= size <= MAX_BYTES:
        raise ProtocolError("a packet of a wrong length")
    if len(data) < size:
        return None
    if data[4] != _DISCRIMINATOR or data[5] != 2:
        raise ProtocolError("no Q.931")
    elements = _elements(data[9:size])
    cause, state = elements.get(_CAUSE, b""), elements.get(_CALL_STATE, b"")
    at = 1 if cause[:1] > b"\x7f" else 2  # behind the location, which one more octet may follow (Q.850 section 2.1)
    return CallAnswer(
        message=_MESSAGES.get(data[8] & 0x7F, f"message {data[8] & 0x7F:#x}"),
        cause=cause[at] & 0x7F if len(cause) > at else None,
        state=state[0] & 0x3F if state else None,
    )


def _elements(data: bytes) -> dict[int, bytes]:
    """Information elements (Q.931 section 4.5.1), of each kind the first."""
    found: dict[int, bytes] = {}
    at = 0
    for _ in range(MAX_ELEMENTS):
        if at >= len(data):
            return found
        kind = data[at]
        if kind & 0x80:  # a single octet
            at += 1
            continue
        wide = 2 if kind == _USER_USER else 1  # H.225.0 section 7.2.2.31
        begin = at + 1 + wide
        at = begin + int.from_bytes(data[at + 1 : begin], "big")
        if begin > len(data) or at > len(data):
            raise ProtocolError("its elements do not fit")
        found.setdefault(kind, data[begin:at])
    raise ProtocolError(f"more than {MAX_ELEMENTS} elements")
