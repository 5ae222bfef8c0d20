"""HTTP without a peer: what any bytes are, whole and cut anywhere, and what hostile ones cost."""

from __future__ import annotations

import contextlib
import gzip
import time
from itertools import pairwise

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from probes.http import HttpOptions
from probes.wire import http, http2

_ASKED = http.Asked(method="GET", scheme="https", authority="a.example", target="/", headers={})
_CHUNKED = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 Well\r\nTransfer-Encoding: chunked\r\nX: 1\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _headers(*fields: tuple[str, str], flags: int = 4, kind: int = 1) -> bytes:
    """A frame of headers; `flags`: END_HEADERS alone."""
    return _frame(kind, flags, 1, hpack.Encoder().encode(fields))


SETTINGS, END_HEADERS, OK_200 = _frame(4, 0, 0, b""), 4, (":status", "200")
_SERVED = b"".join([
    _frame(4, 0, 0, bytes.fromhex("000300000080 000400010000 000500ffffff")), _frame(8, 0, 0, bytes.fromhex("7fff0000")),
    _frame(4, 1, 0, b""), _headers((":status", "103")), _headers(OK_200, ("x", "1")), _frame(0, 8, 1, b"\3ab\0\0\0"),
    _frame(6, 0, 0, b"8 bytes."), _frame(0xAB, 7, 3, b"unknown"), _frame(0, 1, 1, b"c"),
])  # fmt: skip
"""What a server says to `_ASKED`: settings, a hint, padding, a ping and a frame that nobody knows among the answer."""
_ANSWERS = {"1": _CHUNKED, "2": _SERVED}


def _exchange(version: str) -> http.Exchange:
    made: http.Exchange = http2.Http2() if version == "2" else http.Http1()
    made.ask(_ASKED)
    return made


def _take(exchange: http.Exchange, pieces: list[bytes]) -> list[http.Part]:
    """Parts, those of the body joined."""
    found: list[http.Part] = []
    for piece in pieces:
        for part in exchange.take(piece):
            if isinstance(part, bytes) and found and isinstance(found[-1], bytes):
                found[-1] += part
            elif part != b"":
                found.append(part)
        exchange.more()
    return found


@given(some.sampled_from("12"), some.lists(some.integers(0, 300), max_size=20))
def test_an_answer_is_the_same_whole_and_cut_anywhere(version: str, cuts: list[int]) -> None:
    answer = _ANSWERS[version]
    places = sorted({0, len(answer), *(each for each in cuts if each < len(answer))})
    pieces = [answer[one:other] for one, other in pairwise(places)]
    head, body, end = _take(_exchange(version), pieces)
    assert isinstance(head, http.Head)
    assert (head.status, head.headers["x"], body, end) == (200, "1", b"abc", http.End())


@settings(max_examples=300)
@given(some.sampled_from("12"), some.data())
def test_any_bytes_are_parts_or_one_protocol_error(version: str, data: some.DataObject) -> None:
    answer = bytearray(_ANSWERS[version])
    for place, value in data.draw(
        some.lists(some.tuples(some.integers(0, len(answer) - 1), some.integers(0, 255)), max_size=6)
    ):
        answer[place] = value
    random = data.draw(some.binary(max_size=100))
    with contextlib.suppress(http.ProtocolError):
        _take(_exchange(version), [bytes(answer), random, b""])
    with contextlib.suppress(http.ProtocolError):
        _take(_exchange(version), [random, b""])


@pytest.mark.parametrize("version", "12")
@pytest.mark.parametrize("length", [0, 1, 50])
def test_an_answer_that_breaks_off_is_told_from_nonsense(version: str, length: int) -> None:
    with pytest.raises(http.BrokenOffError):
        _take(_exchange(version), [*([_ANSWERS[version][:length]] if length else []), b""])


@pytest.mark.parametrize(
    ("answer", "goes_on"),
    [
        (b"HTTP/1.1 204 No Content\r\nSet-Cookie: a=1; Path=/\r\nset-cookie: b=2\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\n\r\nok", True),
        (b"HTTP/1.1 204 No Content\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\nConnection: close\r\n\r\n", False),
        (b"HTTP/1.1 204 No Content\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\n\r\nmore", False),
        (b"HTTP/1.0 204 No Content\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\n\r\n", False),
    ],
)
def test_a_connection_is_kept_for_as_long_as_the_server_keeps_it(answer: bytes, goes_on: bool) -> None:
    exchange = http.Http1(once=False)
    posted = http.Asked(method="POST", scheme="https", authority="a", target="/", headers={}, body=b"<a/>")
    assert exchange.ask(posted) == b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n<a/>"
    assert not exchange.reusable
    head = _take(exchange, [answer])[0]
    assert isinstance(head, http.Head)
    assert head.cookies == ["a=1; Path=/", "b=2"]
    assert exchange.reusable is goes_on
    if goes_on:
        assert exchange.ask(_ASKED) == b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
        assert _take(exchange, [answer])[0] == head


def test_a_request_without_a_body_says_so_where_one_is_expected() -> None:
    posted = http.Asked(method="POST", scheme="https", authority="a", target="/", headers={})
    assert http.Http1().ask(posted) == b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


def test_a_head_without_end_and_hints_without_end_are_refused() -> None:
    with pytest.raises(http.ProtocolError):
        _take(_exchange("1"), [b"HTTP/1.1 200 OK\r\n", *[b"X-More: " + b"x" * 4096 + b"\r\n"] * 20])
    with pytest.raises(http.ProtocolError, match="1xx"):
        _take(_exchange("1"), [b"HTTP/1.1 100 Continue\r\n\r\n"] * 20)


@pytest.mark.parametrize("status", [b"9" * 400, b"-5", b"2_0", b"", "²00".encode(), b"600"])
def test_a_status_that_is_none_is_refused(status: bytes) -> None:
    headers = hpack.Encoder().encode([(b":status", status)])
    with pytest.raises(http.ProtocolError):
        _take(_exchange("2"), [SETTINGS + _frame(1, END_HEADERS, 1, headers)])


@pytest.mark.parametrize(
    "frames",
    [
        [_frame(1, 0, 1, b"\x20" * 16384), *[_frame(9, 0, 1, b"\x20" * 16384)] * 62],
        [_frame(4, 0, 0, b"")] * 1001,
        [_frame(6, 1, 0, bytes(8))] * 1001,
        [_frame(8, 0, 0, b"\0\0\0\1")] * 1001,
        [_frame(0xAB, 0, 0, b"")] * 1001,
    ],
    ids=["header block", "settings", "pings", "windows", "unknown"],
)
@pytest.mark.parametrize("step", [1, 7, 4096])
def test_frames_without_end_are_refused_before_they_cost_anything(frames: list[bytes], step: int) -> None:
    answer = SETTINGS + b"".join(frames)
    with pytest.raises(http.ProtocolError):
        _take(_exchange("2"), [answer[start : start + step] for start in range(0, len(answer), step)])


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_a_body_is_held_against_its_limit_after_unpacking(encoding: str) -> None:
    packed = gzip.compress(b"x" * 1000) if encoding else b"x" * 1000
    exact = http.Body(encoding, 1000)
    for each in packed:
        exact.add(bytes([each]))
    assert exact.whole() == b"x" * 1000
    with pytest.raises(http.TooLargeError):
        http.Body(encoding, 999).add(packed)


def test_what_comes_behind_a_packed_page_is_not_kept() -> None:
    body, more = http.Body("gzip", 16 << 20), bytes(65536)
    body.add(gzip.compress(b"page"))
    start = time.process_time()
    for _ in range(256):
        body.add(more)
    assert body.whole() == b"page"
    assert time.process_time() - start < 0.3


# -- frames ------------------------------------------------------------------------------------------------------------

END = 1
HEAD_200 = _headers(OK_200)
_SOME_FRAMES = some.sampled_from(
    [
        SETTINGS, _frame(4, 1, 0, b""), _frame(6, 0, 0, bytes(8)), _frame(8, 0, 1, b"\0\0\0\1"), HEAD_200,
        _headers(OK_200, flags=0), _headers(("x", "1"), kind=9), _headers(("x", "1"), flags=5), _frame(0, 8, 1, b"\1a\0"),
        _frame(0, 1, 1, b"abc"), _frame(7, 0, 0, b"\0\0\0\1" + bytes(4)), _headers((":status", "103")),
    ]
)  # fmt: skip


@settings(max_examples=500)
@given(
    some.lists(
        _SOME_FRAMES
        | some.builds(
            _frame, some.integers(0, 11), some.integers(0, 255), some.sampled_from([0, 1, 2, 3]), some.binary(max_size=40)
        ),
        max_size=12,
    )
)  # fmt: skip
def test_any_frames_are_the_parts_of_one_answer_or_one_protocol_error(frames: list[bytes]) -> None:
    exchange, found = _exchange("2"), []
    with contextlib.suppress(http.ProtocolError):
        for each in [SETTINGS, *frames]:
            found += list(exchange.take(each))
    kinds = [type(each) for each in found if each != b""]
    assert kinds[:1] in ([], [http.Head])
    assert http.Head not in kinds[1:]
    assert http.End not in kinds[:-1]


@settings(max_examples=500)
@given(some.binary(max_size=200))
def test_any_header_block_is_a_head_or_one_protocol_error(block: bytes) -> None:
    with contextlib.suppress(http.ProtocolError):
        _take(_exchange("2"), [SETTINGS + _frame(1, 4, 1, b"\x88" + block)])


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "does not begin with the settings"),
        ([_frame(4, 1, 0, b"")], "does not begin with the settings"),
        ([SETTINGS, b"\xff\xff\xff\0\0\0\0\0\1"], "16777215 bytes"),
        ([_frame(4, 0, 0, bytes(5))], "settings of 5 bytes"),
        ([SETTINGS, _frame(4, 1, 0, bytes(6))], "settings of 6 bytes"),
        ([_frame(4, 0, 0, bytes.fromhex("000200000001"))], "setting 2 is 1"),
        ([_frame(4, 0, 0, bytes.fromhex("000480000000"))], "setting 4 is"),
        ([_frame(4, 0, 0, bytes.fromhex("000500000001"))], "setting 5 is 1"),
        ([SETTINGS, _frame(5, 4, 1, b"\0\0\0\2\x82")], "kind 5 on stream 1"),
        ([SETTINGS, _frame(1, 5, 3, b"\x88")], "kind 1 on stream 3"),
        ([SETTINGS, _frame(6, 0, 1, bytes(8))], "kind 6 on stream 1"),
        ([SETTINGS, _frame(6, 0, 0, bytes(7))], "kind 6 with 7 bytes"),
        ([SETTINGS, _frame(8, 0, 1, bytes(4))], "grows by nothing"),
        ([SETTINGS, _frame(9, 4, 1, b"\x88")], "header block that is cut"),
        ([SETTINGS, _headers(OK_200, flags=0), _frame(0, 0, 1, b"a")], "header block that is cut"),
        ([SETTINGS, _headers(OK_200, flags=0), _frame(0xAB, 0, 1, b"a")], "header block that is cut"),
        ([SETTINGS, _frame(1, 4, 1, b"\xff\xff")], "cannot be read"),
        ([SETTINGS, _frame(1, 4, 1, b"\x88" + b"\xbe")], "cannot be read"),
        ([SETTINGS, _frame(1, 4, 1, b"\x20\x3f\xe1\x1f\x20\x88")], "cannot be read"),
        ([SETTINGS, _headers(OK_200, *[("x", "y" * 4000)] * 20)], "cannot be read"),
        ([SETTINGS, _frame(0, 1, 1, b"a")], "a body before its head"),
        ([SETTINGS, HEAD_200, _frame(0, 8, 1, b"\4abc")], "padding"),
        ([SETTINGS, HEAD_200, _frame(0, 8, 1, b"")], "padding"),
        ([SETTINGS, _frame(1, 0x24, 1, b"\0\0\0\0")], "without its priority"),
        ([SETTINGS, HEAD_200, HEAD_200], "none may send"),
        ([SETTINGS, HEAD_200, _headers(("x", "1"))], "a second head"),
        ([SETTINGS, _headers((":status", "100"), flags=5)], "that is the last"),
        ([SETTINGS, _headers((":status", "101"))], "a status that is none"),
        ([SETTINGS, _headers(("x", "1"))], "a status that is none"),
        ([SETTINGS, _frame(1, 4, 1, b"")], "a status that is none"),
        ([SETTINGS, _headers(OK_200, OK_200)], "none may send"),
        ([SETTINGS, *[_headers((":status", "103"))] * 9], "1xx answer after the other"),
        ([SETTINGS, _headers(OK_200, ("content-length", "2")), _frame(0, 1, 1, b"a")], "shorter than announced"),
        ([SETTINGS, _headers(OK_200, ("content-length", "2")), _frame(0, 1, 1, b"abc")], "longer than"),
        ([SETTINGS, _headers(OK_200, ("content-length", "2"), flags=5)], "shorter than announced"),
        ([SETTINGS, _headers(OK_200, ("content-length", "+2"))], "content-length"),
        ([SETTINGS, _headers(OK_200, ("content-length", "2"), ("content-length", "3"))], "content-length"),
        ([SETTINGS, HEAD_200, _frame(3, 0, 1, b"\0\0\0\7")], "ended the stream: error 7"),
        ([SETTINGS, HEAD_200, _frame(7, 0, 0, b"\0\0\0\1\0\0\0\2")], "ended the connection: error 2"),
        ([SETTINGS, _frame(7, 0, 0, bytes(8))], "ended the connection: error 0"),
        ([SETTINGS, _frame(7, 0, 0, bytes(4))], "kind 7 with 4 bytes"),
    ],
)  # fmt: skip
def test_frames_that_break_the_protocol_are_refused(frames: list[bytes], says: str) -> None:
    with pytest.raises(http.ProtocolError, match=says):
        _take(_exchange("2"), [b"".join(frames)])


@pytest.mark.parametrize(
    "field",
    [
        ("X", "1"), ("x y", "1"), ("x:", "1"), ("", "1"), ("xế", "1"), ("x", "a\r\nb"), ("x", "a\0"), ("x", " a"),
        ("x", "a\t"), ("x", " "), ("connection", "close"), ("transfer-encoding", "chunked"), (":path", "/"),
    ],
)  # fmt: skip
def test_a_header_that_none_may_send_is_refused(field: tuple[str, str]) -> None:
    for frames in ([_headers(OK_200, field)], [HEAD_200, _headers(field, flags=5)]):
        with pytest.raises(http.ProtocolError, match="none may send"):
            _take(_exchange("2"), [SETTINGS, *frames])


def test_a_head_in_pieces_with_padding_and_priority_and_trailers_are_one_answer() -> None:
    resized = b"\x20\x3f\xe1\x1f"  # the table emptied, and as large as before
    block = resized + hpack.Encoder().encode([OK_200, ("x", "y" * 20_000), ("empty", "")])
    first = _frame(1, 0x28, 1, b"\2" + bytes(5) + block[:9] + bytes(2))
    answer = [
        SETTINGS, first, _frame(9, 0, 1, block[9:9000]), _frame(9, 0, 1, b""), _frame(9, 4, 1, block[9000:]),
        _frame(0, 0, 1, b"abc"), _frame(2, 0, 1, bytes(5)), _headers(("checksum", "1"), flags=5), b"anything",
    ]  # fmt: skip
    head, body, end = _take(_exchange("2"), answer)
    assert isinstance(head, http.Head)
    assert (dict(head.headers), body, end) == ({"x": "y" * 20_000, "empty": ""}, b"abc", http.End())


def test_a_server_that_takes_no_more_requests_still_answers_ours() -> None:
    away = [_frame(7, 0, 0, bytes.fromhex(last) + bytes(4) + b"bye") for last in ("7fffffff", "00000001")]
    parts = _take(_exchange("2"), [SETTINGS, *away, HEAD_200, _frame(0, END, 1, b"a")])
    assert parts[1:] == [b"a", http.End()]


@pytest.mark.parametrize(("method", "status"), [("HEAD", "200"), ("GET", "304"), ("GET", "204")])
def test_a_length_of_a_body_that_does_not_come_is_none(method: str, status: str) -> None:
    exchange = http2.Http2()
    exchange.ask(http.Asked(method=method, scheme="https", authority="a.example", target="/", headers={}))
    answer = SETTINGS + _headers((":status", status), ("content-length", "9"), flags=5)
    assert _take(exchange, [answer])[1:] == [http.End()]
    more = SETTINGS + _headers((":status", status), ("content-length", "9")) + _frame(0, END, 1, b"a" * 9)
    exchange = http2.Http2()
    exchange.ask(http.Asked(method=method, scheme="https", authority="a.example", target="/", headers={}))
    with pytest.raises(http.ProtocolError, match="longer than"):
        _take(exchange, [more])


def test_settings_and_pings_are_acknowledged_once() -> None:
    exchange = _exchange("2")
    assert list(exchange.take(SETTINGS + _frame(6, 0, 0, b"8 bytes.") + _frame(6, 1, 0, bytes(8)))) == []
    assert exchange.more() == _frame(4, 1, 0, b"") + _frame(6, 1, 0, b"8 bytes.")
    assert exchange.more() == b""


def test_a_request_is_what_another_decoder_reads() -> None:
    long = {"X-Long": "é" * 40_000, "X-127": "a" * 127, "X-126": "a" * 126, "X-254": "a" * 254, "X-255": "a" * 255}
    asked = http.Asked(
        method="HEAD", scheme="https", authority="a.example:1", target="/?q", headers=long | {"Connection": "close"}
    )
    sent = http2.Http2().ask(asked)
    assert sent.startswith(http2.PREFACE)
    sent, frames = sent[len(http2.PREFACE) :], []
    while sent:
        length = int.from_bytes(sent[:3], "big")
        frames.append((sent[3], sent[4], sent[8], sent[9 : 9 + length]))
        sent = sent[9 + length :]
    kinds = [(kind, flags, stream) for kind, flags, stream, _ in frames]
    assert kinds == [(4, 0, 0), (8, 0, 0), (1, 1, 1), (9, 0, 1), (9, 4, 1)]
    assert all(len(payload) <= http2.MAX_FRAME_BYTES for *_, payload in frames)
    assert bytes.fromhex("000200000000") in frames[0][3], "no pushes"
    block = b"".join(payload for kind, _, _, payload in frames if kind in (1, 9))
    pseudo = [(":method", "HEAD"), (":scheme", "https"), (":authority", "a.example:1"), (":path", "/?q")]
    assert list(hpack.Decoder(1 << 20).decode(block, raw=True)) == [
        (name.encode(), value.encode("latin-1")) for name, value in pseudo + [(k.lower(), v) for k, v in long.items()]
    ]


def test_no_probe_reads_so_much_that_the_window_would_have_to_be_opened() -> None:
    limits = HttpOptions.model_json_schema()["properties"]["max_bytes"]
    assert 2 * limits["maximum"] + http.MAX_HEAD_BYTES < http2.WINDOW
    exchange = _exchange("2")
    full = _frame(0, 0, 1, bytes(http2.MAX_FRAME_BYTES))
    list(exchange.take(SETTINGS + HEAD_200))
    for _ in range(http2.WINDOW // http2.MAX_FRAME_BYTES):
        assert len(list(exchange.take(full))) == 1
    with pytest.raises(http.ProtocolError, match="longer than"):
        list(exchange.take(_frame(0, 0, 1, b"a")))
