"""HTTP/2 (RFC 9113, header blocks RFC 7541) for a client that asks once on a connection of its own. No I/O.

One stream, nothing to upload: what a general library does for many streams, both ends and every setting is not needed,
and costs more than the rest of a page without TLS (docs/performance.md). Total: any bytes give parts of the answer or one
ProtocolError, whole or cut anywhere. Where the RFC wants a stream or connection error, the visit ends: nobody else uses it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import hpack

from probes.wire.http import (
    MAX_HEAD_BYTES,
    Asked,
    BrokenOffError,
    End,
    Part,
    ProtocolError,
    head_of,
    one_more_hint,
)

MAX_FRAMES = 1000
"""Frames that bring no part of the body."""
MAX_FRAME_BYTES = 16384
"""Of a payload, ours and theirs: SETTINGS_MAX_FRAME_SIZE as it begins."""
WINDOW = 64 << 20
"""Bytes of DATA that may come without a word from us. More than a probe ever reads, so no room is ever given anew;
what comes too fast waits in TCP.
"""
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
STREAM = 1

DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 5, 6, 7, 8, 9
_PLACES = {
    DATA: (STREAM,), HEADERS: (STREAM,), RST_STREAM: (STREAM,), SETTINGS: (0,), PUSH_PROMISE: (), PING: (0,),
    GOAWAY: (0,), WINDOW_UPDATE: (0, STREAM), CONTINUATION: (STREAM,),
}  # fmt: skip
"""On which streams a frame may come: there are no others, and we said that we take no PUSH_PROMISE."""
_LENGTHS = {RST_STREAM: 4, PING: 8, WINDOW_UPDATE: 4}
ACK = END_STREAM = 0x1
END_HEADERS, PADDED, PRIORITY = 0x4, 0x8, 0x20
ENABLE_PUSH, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = 2, 4, 5, 6
_LEGAL = {ENABLE_PUSH: (0, 0), INITIAL_WINDOW_SIZE: (0, 2**31 - 1), MAX_FRAME_SIZE: (2**14, 2**24 - 1)}
"""What a server may set; the rest of its settings is for those who upload."""
_CONNECTION = {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
"""Headers of a connection of HTTP/1.1 (section 8.2.2)."""
_NAME = re.compile(rb"[!-9;-@\[-~]+")
"""Visible, no capitals, no colon (section 8.2.1)."""
_VALUE = re.compile(rb"(?:[^\0\r\n\t ](?:[^\0\r\n]*[^\0\r\n\t ])?)?")
_UPDATES = re.compile(rb"(?:[\x20-\x3e]|\x3f[\x80-\xff]*[\0-\x7f]){3}")
"""More changes of the size of the table than a block may begin with (RFC 7541 section 4.2); 65,536 of them take 50 ms."""
_STATUS = re.compile(rb"[1-5][0-9][0-9]")
_LENGTH = re.compile(rb"[0-9]{1,15}")


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


_OPENING = (
    PREFACE
    + _frame(
        SETTINGS, 0, 0,
        b"".join(
            name.to_bytes(2, "big") + value.to_bytes(4, "big")
            for name, value in ((ENABLE_PUSH, 0), (INITIAL_WINDOW_SIZE, WINDOW), (MAX_HEADER_LIST_SIZE, MAX_HEAD_BYTES))
        ),
    )
    + _frame(WINDOW_UPDATE, 0, 0, (WINDOW - 65535).to_bytes(4, "big"))
)  # fmt: skip


def _string(text: bytes) -> bytes:
    """A string literal (RFC 7541 section 5.2), not packed: there is one request, and it fits a segment."""
    length = len(text)
    if length < 127:
        return bytes((length,)) + text
    found, length = bytearray(b"\x7f"), length - 127
    while length >= 128:
        found.append(length & 127 | 128)
        length >>= 7
    found.append(length)
    return bytes(found) + text


class Http2:
    """An exchange by HTTP/2."""

    def __init__(self) -> None:
        self._decoder = hpack.Decoder(max_header_list_size=MAX_HEAD_BYTES)
        self._held = bytearray()
        """What came and is no whole frame yet."""
        self._out = bytearray()
        self._method = ""
        self._greeted = False
        self._block: bytearray | None = None
        """A header block whose end has not come."""
        self._last = False
        """Whether the frame that began the block was the last of the stream."""
        self._answered = False
        self._ended = False
        self._hints = 0
        self._without_body = 0
        self._header_bytes = 0
        self._window = WINDOW
        self._left: int | None = None
        """Bytes of the body that `content-length` still promises."""

    def ask(self, asked: Asked) -> bytes:
        """Preface, settings and the request."""
        self._method = asked.method
        pseudo = {
            ":method": asked.method, ":scheme": asked.scheme, ":authority": asked.authority, ":path": asked.target,
        }  # fmt: skip
        fields = [
            (name.lower().encode(), value.encode("latin-1"))
            for name, value in [*pseudo.items(), *asked.headers.items()]
        ]
        block = b"".join(
            b"\0" + _string(name) + _string(value) for name, value in fields if name not in _CONNECTION
        )  # literals that enter no table: ours is empty whatever size the server sets
        pieces = [block[start : start + MAX_FRAME_BYTES] for start in range(0, len(block), MAX_FRAME_BYTES)]
        frames = [
            _frame(
                CONTINUATION if index else HEADERS,
                (0 if index else END_STREAM) | (END_HEADERS if index == len(pieces) - 1 else 0), STREAM, piece,
            )
            for index, piece in enumerate(pieces)
        ]  # fmt: skip
        return _OPENING + b"".join(frames)

    def take(self, data: bytes) -> Iterator[Part]:
        """See Exchange."""
        if not data:
            raise BrokenOffError("the connection ended before the answer")
        self._held += data
        while not self._ended and (frame := self._next()):
            yield from self._part(*frame)

    def more(self) -> bytes:
        """Settings and pings acknowledged."""
        out, self._out = bytes(self._out), bytearray()
        return out

    def _next(self) -> tuple[int, int, bytes] | None:
        """Kind, flags and payload of the next frame that is whole (section 4.1), checked for length, place and number."""
        held = self._held
        if len(held) < 9:
            return None
        length, kind, flags = int.from_bytes(held[:3], "big"), held[3], held[4]
        if not self._greeted and (kind != SETTINGS or flags & ACK):
            raise ProtocolError("it does not begin with the settings of HTTP/2")
        if length > MAX_FRAME_BYTES or length != _LENGTHS.get(kind, length):
            raise ProtocolError(f"a frame of kind {kind} with {length} bytes")
        if len(held) < 9 + length:
            return None
        stream, payload = int.from_bytes(held[5:9], "big") & 0x7FFFFFFF, bytes(held[9 : 9 + length])
        del held[: 9 + length]
        if stream not in _PLACES.get(kind, (stream,)):
            raise ProtocolError(f"a frame of kind {kind} on stream {stream}")
        if (kind == CONTINUATION) is (self._block is None):
            raise ProtocolError("a header block that is cut by other frames, or goes on without a beginning")
        self._greeted = True
        return kind, flags, payload

    def _part(self, kind: int, flags: int, payload: bytes) -> Sequence[Part]:
        """What a frame brings; PRIORITY and kinds that nobody knows bring nothing (sections 5.3 and 5.5)."""
        if kind == DATA:
            return self._data(flags, payload)
        self._count()
        if kind == HEADERS:
            self._last, self._block = bool(flags & END_STREAM), bytearray()
            payload = _unpadded(flags, payload)
            if flags & PRIORITY and len(payload) < 5:
                raise ProtocolError("a frame of kind 1 without its priority")
            return self._fragment(flags, payload[5 if flags & PRIORITY else 0 :])
        if kind == CONTINUATION:
            return self._fragment(flags, payload)
        if kind == SETTINGS:
            self._settings(flags, payload)
        elif kind == PING and not flags & ACK:
            self._out += _frame(PING, ACK, 0, payload)
        elif kind == RST_STREAM:
            raise ProtocolError(f"the server ended the stream: error {int.from_bytes(payload, 'big')}")
        elif kind == GOAWAY:
            _go_away(payload)
        elif kind == WINDOW_UPDATE and not int.from_bytes(payload, "big") & 0x7FFFFFFF:
            raise ProtocolError("a window that grows by nothing")
        return ()

    def _count(self) -> None:
        self._without_body += 1
        if self._without_body > MAX_FRAMES:
            raise ProtocolError("frames without end that bring no page")

    def _settings(self, flags: int, payload: bytes) -> None:
        if len(payload) % 6 or (flags & ACK and payload):
            raise ProtocolError(f"settings of {len(payload)} bytes")
        if flags & ACK:
            return
        for start in range(0, len(payload), 6):
            name = int.from_bytes(payload[start : start + 2], "big")
            value = int.from_bytes(payload[start + 2 : start + 6], "big")
            least, most = _LEGAL.get(name, (0, value))
            if not least <= value <= most:
                raise ProtocolError(f"setting {name} is {value}")
        self._out += _frame(SETTINGS, ACK, 0, b"")

    def _data(self, flags: int, payload: bytes) -> Sequence[Part]:
        if not self._answered:
            raise ProtocolError("a body before its head")
        self._window -= len(payload)
        content = _unpadded(flags, payload)
        if not content:
            self._count()
        if self._left is not None:
            self._left -= len(content)
        if self._window < 0 or (self._left is not None and self._left < 0):
            raise ProtocolError("a body that is longer than allowed or announced")
        return (content, *self._end()) if flags & END_STREAM else (content,)

    def _end(self) -> Sequence[Part]:
        if self._left:
            raise ProtocolError("a body that is shorter than announced")
        self._ended = True
        return (End(),)

    def _fragment(self, flags: int, fragment: bytes) -> Sequence[Part]:
        """A piece of a header block; what the block says, when it is the last."""
        assert self._block is not None
        self._header_bytes += len(fragment)
        if self._header_bytes > MAX_HEAD_BYTES:
            raise ProtocolError("headers without end")
        self._block += fragment
        if not flags & END_HEADERS:
            return ()
        block, self._block = bytes(self._block), None
        if _UPDATES.match(block):
            raise ProtocolError("a header block that cannot be read")
        try:
            fields = [(bytes(name), bytes(value)) for name, value in self._decoder.decode(block, raw=True)]
        except hpack.HPACKError as error:
            raise ProtocolError("a header block that cannot be read") from error
        return self._trailer(fields) if self._answered else self._head(fields)

    def _trailer(self, fields: list[tuple[bytes, bytes]]) -> Sequence[Part]:
        _check(fields)
        if not self._last:
            raise ProtocolError("a second head")
        return self._end()

    def _head(self, fields: list[tuple[bytes, bytes]]) -> Sequence[Part]:
        name, status = fields[0] if fields else (b"", b"")
        if name != b":status" or not _STATUS.fullmatch(status) or status == b"101":  # section 8.6
            raise ProtocolError("a status that is none")
        _check(fields[1:])
        if status[:1] == b"1":
            if self._last:
                raise ProtocolError("an answer of the class 1xx that is the last")
            self._hints = one_more_hint(self._hints)
            return ()
        self._answered = True
        self._left = self._announced(status, fields)
        head = head_of(int(status), b"", fields[1:], 2.0)
        return (head, *self._end()) if self._last else (head,)

    def _announced(self, status: bytes, fields: list[tuple[bytes, bytes]]) -> int | None:
        """How long the body has to be (section 8.1.1); None: the answer does not say."""
        if self._method == "HEAD" or status in (b"204", b"304"):  # RFC 9110 section 6.4.1
            return 0
        said = {value for name, value in fields if name == b"content-length"}
        if not said:
            return None
        if len(said) > 1 or not _LENGTH.fullmatch(length := said.pop()):
            raise ProtocolError("a content-length that is none")
        return int(length)


def _unpadded(flags: int, payload: bytes) -> bytes:
    """Without padding (section 6.1)."""
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise ProtocolError("padding that is longer than its frame")
    return payload[1 : len(payload) - payload[0]]


def _go_away(payload: bytes) -> None:
    """Section 6.8: a server that will take no more requests still answers ours, unless it says otherwise."""
    if len(payload) < 8:
        raise ProtocolError(f"a frame of kind {GOAWAY} with {len(payload)} bytes")
    last, error = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF, int.from_bytes(payload[4:8], "big")
    if error or last < STREAM:
        raise ProtocolError(f"the server ended the connection: error {error}")


def _check(fields: list[tuple[bytes, bytes]]) -> None:
    """Section 8.2: what no header may be called or hold; pseudo-headers too, behind the first of a head."""
    for name, value in fields:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value) or name in _CONNECTION:
            raise ProtocolError("a header that none may send")
