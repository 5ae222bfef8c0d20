"""One request and its answer, for a client that asks once: HTTP/1.1 (RFC 9112) and HTTP/2 (RFC 9113). No I/O.

Bytes in, parts of the answer out. Total: any bytes give parts or one ProtocolError, whole or cut anywhere.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h11

MAX_HEAD_BYTES = 65536
MAX_FRAMES = 1000
"""Frames of HTTP/2 that bring no part of the body."""
MAX_INFORMATIONAL = 8
"""Answers of the class 1xx (RFC 9110 section 15.2) before the real one."""


class ProtocolError(Exception):
    """The bytes are not the protocol."""


class BrokenOffError(ProtocolError):
    """The peer ended the connection before the end of its answer."""


class TooLargeError(Exception):
    """The body is larger than allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request without a body."""

    method: str
    scheme: str
    authority: str
    """Host, and port when it is not the scheme's own."""
    target: str
    """Path and query, in ASCII."""
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Status line and headers; names in lower case, of repeated ones the last."""

    status: int
    phrase: str
    headers: Mapping[str, str]
    version: float


@dataclass(frozen=True, slots=True)
class End:
    """The answer is complete."""


Part = Head | bytes | End


class Exchange(Protocol):
    """One request and its answer on a connection of its own."""

    def ask(self, asked: Asked) -> bytes:
        """Bytes to send."""

    def take(self, data: bytes) -> Iterator[Part]:
        """Parts of the answer in some received bytes, b"" at the end of the connection; raises ProtocolError."""

    def more(self) -> bytes:
        """Bytes to send after some were taken."""


class Http1:
    """HTTP/1.1 by h11."""

    def __init__(self) -> None:
        self._connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._informational = 0

    def ask(self, asked: Asked) -> bytes:
        """The request, with `Connection: close`: nothing else will be asked here."""
        headers = [("Host", asked.authority), ("Connection", "close"), *asked.headers.items()]
        request = h11.Request(method=asked.method, target=asked.target, headers=headers)
        sent = self._connection.send(request) or b""
        return sent + (self._connection.send(h11.EndOfMessage()) or b"")

    def take(self, data: bytes) -> Iterator[Part]:
        """See Exchange."""
        try:
            self._connection.receive_data(data)
            while True:
                event = self._connection.next_event()
                if isinstance(event, h11.Response):
                    yield _head(event.status_code, event.reason, event.headers, float(event.http_version))
                elif isinstance(event, h11.Data):
                    yield bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    yield End()
                    return
                elif isinstance(event, h11.InformationalResponse):
                    self._informational = _one_more(self._informational)
                else:
                    break
        except h11.RemoteProtocolError as error:
            raise (BrokenOffError if not data else ProtocolError)(str(error)) from error
        if not data:
            raise BrokenOffError("the connection ended before the answer")

    def more(self) -> bytes:
        """Nothing: HTTP/1.1 does not answer answers."""
        return b""


class _Frames:
    """Counts frames (RFC 9113 section 4.1) before h2 sees them: it takes a header block apart as a whole, however large."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        self._without_body = 0
        self._header_bytes = 0

    def take(self, data: bytes) -> None:
        """Raises ProtocolError when there are too many, or their header blocks are too large together."""
        place = 0
        while place < len(data):
            if self._left:
                step = min(self._left, len(data) - place)
                self._left -= step
                place += step
                continue
            missing = 9 - len(self._head)
            self._head += data[place : place + missing]
            place += missing
            if len(self._head) == 9:
                self._count(int.from_bytes(self._head[:3], "big"), self._head[3])
                self._head = b""

    def _count(self, length: int, kind: int) -> None:
        self._left = length
        if kind in (1, 5, 9):  # HEADERS, PUSH_PROMISE, CONTINUATION
            self._header_bytes += length
        if kind != 0 or not length:  # DATA
            self._without_body += 1
        if self._header_bytes > MAX_HEAD_BYTES or self._without_body > MAX_FRAMES:
            raise ProtocolError("frames without end that bring no page")


class Http2:
    """HTTP/2 by h2."""

    def __init__(self) -> None:
        self._frames = _Frames()
        self._connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
        self._informational = 0

    def ask(self, asked: Asked) -> bytes:
        """Preface, settings and the request."""
        self._connection.initiate_connection()
        pseudo = {
            ":method": asked.method,
            ":scheme": asked.scheme,
            ":authority": asked.authority,
            ":path": asked.target,
        }
        lower = {name.lower(): value for name, value in asked.headers.items()}
        self._connection.send_headers(1, list((pseudo | lower).items()), end_stream=True)
        return self.more()

    def take(self, data: bytes) -> Iterator[Part]:
        """See Exchange."""
        if not data:
            raise BrokenOffError("the connection ended before the answer")
        self._frames.take(data)
        try:
            for event in self._connection.receive_data(data):
                yield from self._part(event)
        except h2.exceptions.H2Error as error:
            raise ProtocolError(str(error) or type(error).__name__) from error

    def _part(self, event: h2.events.Event) -> Iterator[Part]:
        if isinstance(event, h2.events.ResponseReceived):
            headers = [(bytes(name), bytes(value)) for name, value in event.headers or ()]
            status = dict(headers)[b":status"]
            if not re.fullmatch(rb"[1-5][0-9][0-9]", status):
                raise ProtocolError("a status that is none")
            yield _head(int(status), b"", headers, 2.0)
        elif isinstance(event, h2.events.DataReceived):
            self._connection.acknowledge_received_data(event.flow_controlled_length or 0, 1)
            yield bytes(event.data or b"")
        elif isinstance(event, h2.events.StreamEnded):
            yield End()
        elif isinstance(event, h2.events.InformationalResponseReceived):
            self._informational = _one_more(self._informational)
        elif isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
            raise ProtocolError(f"the server ended the stream: error {int(event.error_code or 0)}")

    def more(self) -> bytes:
        """Settings acknowledged, and room for more body."""
        return self._connection.data_to_send()


def _one_more(informational: int) -> int:
    if informational >= MAX_INFORMATIONAL:
        raise ProtocolError("one 1xx answer after the other")
    return informational + 1


def _head(status: int, phrase: bytes, headers: object, version: float) -> Head:
    pairs = {bytes(name).lower(): bytes(value) for name, value in headers}  # type: ignore[attr-defined]
    return Head(
        status=status,
        phrase=phrase.decode("latin-1"),
        headers={
            name.decode("latin-1"): value.decode("utf-8", "replace")
            for name, value in pairs.items()
            if not name.startswith(b":")
        },
        version=version,
    )


class Body:
    """The content of an answer, decompressed (RFC 9110 section 8.4.1) and bounded."""

    def __init__(self, encoding: str, limit: int) -> None:
        self._unpack = zlib.decompressobj(zlib.MAX_WBITS | 32) if encoding.lower() in ("gzip", "x-gzip") else None
        self._limit = limit
        self._found = bytearray()

    def add(self, data: bytes) -> None:
        """Take some; raises ProtocolError when it cannot be unpacked, TooLargeError beyond the limit."""
        room = self._limit - len(self._found)
        if self._unpack is not None:
            try:
                data = self._unpack.decompress(data, room + 1)
            except zlib.error as error:
                raise ProtocolError(f"the page cannot be unpacked: {error}") from error
        if len(data) > room:
            raise TooLargeError(f"the page is larger than {self._limit} bytes")
        self._found += data

    def whole(self) -> bytes:
        """What was taken; raises ProtocolError when the packed page is not complete."""
        if self._unpack is not None and self._found and not self._unpack.eof:
            raise ProtocolError("the page cannot be unpacked: its end is missing")
        return bytes(self._found)
