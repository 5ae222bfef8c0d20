"""Requests and their answers, one at a time: what is common to all versions, and HTTP/1.1 (RFC 9112). No I/O.

Bytes in, parts of the answer out. Total: any bytes give parts or one ProtocolError, whole or cut anywhere.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import h11

MAX_HEAD_BYTES = 65536
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
    """A request."""

    method: str
    scheme: str
    authority: str
    """Host, and port when it is not the scheme's own."""
    target: str
    """Path and query, in ASCII."""
    headers: Mapping[str, str]
    body: bytes = b""
    """Over HTTP/1.1 alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Status line and headers; names in lower case, of repeated ones the last."""

    status: int
    phrase: str
    headers: Mapping[str, str]
    version: float
    cookies: Sequence[str] = ()
    """All that are set (`Set-Cookie`, RFC 6265 section 4.1)."""


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

    def __init__(self, *, once: bool = True) -> None:
        """`once`: nothing else will be asked here, which the server is told (`Connection: close`)."""
        self._connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._once = once
        self._informational = 0

    @property
    def reusable(self) -> bool:
        """Whether something else can be asked: the last answer is complete, and the server goes on (RFC 9112 section 9.3).

        Not behind an answer that more came after: it would be read as the next one (section 9.2).
        """
        connection = self._connection
        complete = connection.our_state is h11.DONE and connection.their_state is h11.DONE
        return complete and not connection.trailing_data[0]

    def ask(self, asked: Asked) -> bytes:
        """The request."""
        if self.reusable:
            self._connection.start_next_cycle()
            self._informational = 0
        ours = {"Host": asked.authority}
        if self._once:
            ours["Connection"] = "close"
        if asked.body or asked.method == "POST":
            ours["Content-Length"] = str(len(asked.body))
        headers = [
            (name.encode(), value.encode("latin-1")) for name, value in (*ours.items(), *asked.headers.items())
        ]  # h11 alone would take ASCII only
        events = [h11.Request(method=asked.method, target=asked.target, headers=headers), h11.EndOfMessage()]
        if asked.body:
            events.insert(1, h11.Data(data=asked.body))
        return b"".join(self._connection.send(each) or b"" for each in events)

    def take(self, data: bytes) -> Iterator[Part]:
        """See Exchange."""
        try:
            self._connection.receive_data(data)
            while True:
                event = self._connection.next_event()
                if isinstance(event, h11.Response):
                    yield head_of(event.status_code, event.reason, event.headers, float(event.http_version))
                elif isinstance(event, h11.Data):
                    yield bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    yield End()
                    return
                elif isinstance(event, h11.InformationalResponse):
                    self._informational = one_more_hint(self._informational)
                else:
                    break
        except h11.RemoteProtocolError as error:
            raise (BrokenOffError if not data else ProtocolError)(str(error)) from error
        if not data:
            raise BrokenOffError("the connection ended before the answer")

    def more(self) -> bytes:
        """Nothing: HTTP/1.1 does not answer answers."""
        return b""


def one_more_hint(informational: int) -> int:
    """One more answer of the class 1xx; raises ProtocolError when there are too many."""
    if informational >= MAX_INFORMATIONAL:
        raise ProtocolError("one 1xx answer after the other")
    return informational + 1


def head_of(status: int, phrase: bytes, headers: object, version: float) -> Head:
    """The head of these; pseudo-headers are none of its headers."""
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
        cookies=[bytes(value).decode("latin-1") for name, value in headers if bytes(name).lower() == b"set-cookie"],  # type: ignore[attr-defined]
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
            if self._unpack.eof:
                return  # zlib keeps what comes behind the end, and copies all of it each time
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
