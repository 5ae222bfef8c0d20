"""SIP messages as bytes and values (RFC 3261): one request that we send, the responses that we get. No I/O.

`parse` is total: any bytes give a response, None (more is needed) or one ProtocolError.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MAX_BYTES = 65536
MAX_HEADERS = 100

_COMPACT = {
    "v": "via",
    "i": "call-id",
    "f": "from",
    "t": "to",
    "l": "content-length",
    "m": "contact",
    "c": "content-type",
}


class ProtocolError(Exception):
    """The bytes are not a SIP response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionsRequest:
    """An OPTIONS request (RFC 3261 section 11); it asks what the other end can, and rings nothing."""

    uri: str
    transport: str
    local: str
    """Our `host:port`, host in brackets when IPv6."""
    branch: str
    """Begins with z9hG4bK (RFC 3261 section 8.1.1.7)."""
    call_id: str
    tag: str
    sequence: int = 1
    credentials: tuple[tuple[str, str], ...] = ()
    """Headers Authorization and Proxy-Authorization: name, value."""
    max_forwards: int = 70

    def encode(self) -> bytes:
        """The request on the wire; `rport` as RFC 3581 wants it, so that the answer passes NAT."""
        lines = (
            f"OPTIONS {self.uri} SIP/2.0",
            f"Via: SIP/2.0/{self.transport} {self.local};branch={self.branch};rport",
            f"Max-Forwards: {self.max_forwards}",
            f"From: <sip:commune-monitor@{self.local}>;tag={self.tag}",
            f"To: <{self.uri}>",
            f"Call-ID: {self.call_id}",
            f"CSeq: {self.sequence} OPTIONS",
            f"Contact: <sip:commune-monitor@{self.local}>",
            *(f"{name}: {value}" for name, value in self.credentials),
            "Accept: application/sdp",
            "User-Agent: commune-monitor",
            "Content-Length: 0",
            "",
            "",
        )
        return "\r\n".join(lines).encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A response."""

    status: int
    phrase: str
    headers: Mapping[str, tuple[str, ...]]
    """Values in their order, by the long name in small letters."""
    size: int
    """Bytes that it took of the stream."""

    def first(self, name: str) -> str:
        """The first value of a header; empty when there is none."""
        return self.headers.get(name, ("",))[0]

    @property
    def branch(self) -> str:
        """Branch of the topmost Via, which the peer must send back unchanged."""
        for part in self.first("via").partition(",")[0].split(";")[1:]:
            name, _, value = part.strip().partition("=")
            if name.strip().lower() == "branch":
                return value.strip()
        return ""

    def answers(self, request: OptionsRequest) -> bool:
        """Whether it belongs to this request: branch, Call-ID, CSeq, and no other Via (RFC 3261 sections 8.1.3.3, 17.1.3)."""
        vias = self.headers.get("via", ())
        return (
            self.branch == request.branch
            and len(vias) == 1
            and "," not in vias[0]
            and self.first("call-id") == request.call_id
            and self.first("cseq").split() == [str(request.sequence), "OPTIONS"]
        )


def parse(data: bytes, *, stream: bool) -> Response | None:
    """The first response in `data`; None while a `stream` needs more. Raises ProtocolError."""
    if len(data) > MAX_BYTES:
        raise ProtocolError(f"larger than {MAX_BYTES} bytes")
    message = (
        data.lstrip(b"\r\n") if stream else data
    )  # between messages they keep the line open (RFC 3261 section 7.5)
    head, blank, _ = message.partition(b"\r\n\r\n")
    if not message.startswith(b"SIP/2.0 "[: len(message)]):
        raise ProtocolError("does not begin with SIP/2.0")
    if not blank:
        if stream:
            return None
        raise ProtocolError("no end of the headers")
    lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    status, phrase = _status(lines[0])
    headers = _headers(lines[1:])
    length = headers.get("content-length", ["0"])[0]
    if not (length.isascii() and length.isdigit() and len(length) <= 6):
        raise ProtocolError("Content-Length is not a number")
    size = len(data) - len(message) + len(head) + 4 + int(length)
    if size > MAX_BYTES:
        raise ProtocolError(f"larger than {MAX_BYTES} bytes")
    if stream and len(data) < size:
        return None
    return Response(
        status=status, phrase=phrase, headers={name: tuple(values) for name, values in headers.items()}, size=size
    )


def _status(line: str) -> tuple[int, str]:
    parts = line.split(" ", 2)
    if len(parts) < 2 or parts[0] != "SIP/2.0" or len(parts[1]) != 3 or not (parts[1].isascii() and parts[1].isdigit()):
        raise ProtocolError("no status line")
    code = int(parts[1])
    if not 100 <= code <= 699:
        raise ProtocolError("no such status")
    return code, parts[2] if len(parts) > 2 else ""


def _headers(lines: list[str]) -> dict[str, list[str]]:
    if len(lines) > MAX_HEADERS:
        raise ProtocolError(f"more than {MAX_HEADERS} headers")
    found: dict[str, list[str]] = {}
    last = ""
    for line in lines:
        if line[:1] in (" ", "\t") and last:  # folded (RFC 3261 section 7.3.1)
            found[last][-1] += " " + line.strip()
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise ProtocolError("a header without a colon")
        last = _COMPACT.get(name.strip().lower(), name.strip().lower())
        found.setdefault(last, []).append(value.strip())
    return found
