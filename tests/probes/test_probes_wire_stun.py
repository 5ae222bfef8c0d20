"""The codec of STUN: the RFC's own messages, and total over any bytes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from probes.wire import stun
from probes.wire.stun import Attribute, Kind, Message, Method

TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
PASSWORD = b"VOkJxbRl1RmTxUk/WvJxBt"

# RFC 5769, sections 2.1 to 2.4
REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b151263b36"
    "000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)
IPV4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
IPV6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)
LONG_TERM = bytes.fromhex(
    "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b900000015001c662f2f3439396b39353464364f"
    "4c33346f4c39465354767936347341"
    "0014000b6578616d706c652e6f72670000080014f67024656dd64a3e02b8e0712e85c9a28ca89666"
)


def parsed(data: bytes) -> Message:
    message = stun.parse(data, stream=False)
    assert message is not None
    return message


def test_the_messages_of_the_rfc_are_read() -> None:
    request, four, six = parsed(REQUEST), parsed(IPV4), parsed(IPV6)
    assert (request.method, request.kind, request.transaction) == (Method.BINDING, Kind.REQUEST, TRANSACTION)
    assert request.text(Attribute.SOFTWARE) == "STUN test client"
    assert (four.kind, four.address(Attribute.XOR_MAPPED_ADDRESS)) == (Kind.SUCCESS, ("192.0.2.1", 32853))
    assert six.address(Attribute.XOR_MAPPED_ADDRESS) == ("2001:db8:1234:5678:11:2233:4455:6677", 32853)
    assert [each.signed_with(PASSWORD) for each in (request, four, six)] == [True] * 3
    assert not four.signed_with(b"another")
    long_term = parsed(LONG_TERM)
    assert long_term.signed_with(
        stun.long_term_key(long_term.text(Attribute.USERNAME), long_term.text(Attribute.REALM), "TheMatrIX")
    )


def test_a_message_is_written_as_the_rfc_writes_it() -> None:
    again = Message(
        method=Method.BINDING,
        kind=Kind.SUCCESS,
        transaction=TRANSACTION,
        attributes=((Attribute.SOFTWARE, b"test vector"), (Attribute.XOR_MAPPED_ADDRESS, _address("192.0.2.1"))),
    ).encode(PASSWORD)
    signature = IPV4.index(bytes.fromhex("2b91f599"))
    assert again[:signature] == IPV4[:signature].replace(b"vector ", b"vector\0")  # the RFC pads with a blank
    assert parsed(again).signed_with(PASSWORD)


def _address(host: str) -> bytes:
    return stun.xor_address(host, 32853, TRANSACTION)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (IPV4[:19], "too short"),
        (b"\x80" + IPV4[1:], "no magic cookie"),
        (IPV4[:4] + b"\0" + IPV4[5:], "no magic cookie"),
        (IPV4 + b"\0", "its length is wrong"),
        (IPV4[:-4], "its length is wrong"),
        (IPV4[:-1] + b"\0", "its fingerprint is wrong"),
        (IPV4[:2] + b"\xff\xfc" + IPV4[4:], "larger than"),
        (IPV4[:22] + b"\x0f\xff" + IPV4[24:], "its attributes do not fit"),
        (b"\1\1" + (65 * 4).to_bytes(2, "big") + IPV4[4:20] + b"\x80\x22\0\0" * 65, "its attributes do not fit"),
    ],
)
def test_what_is_no_message_is_a_protocol_error(data: bytes, says: str) -> None:
    with pytest.raises(stun.ProtocolError, match=says):
        stun.parse(data, stream=False)


_MUTATED = some.builds(
    lambda base, at, cut, put: base[: at % len(base)] + put + base[at % len(base) + cut :],
    some.sampled_from([REQUEST, IPV4, IPV6, LONG_TERM]),
    some.integers(0, 200),
    some.integers(0, 8),
    some.binary(max_size=8),
)
_SHAPED = some.builds(
    lambda kind, values: kind.to_bytes(2, "big") + len(values).to_bytes(2, "big") + IPV4[4:20] + values,
    some.integers(0, 0x3FFF),
    some.lists(
        some.tuples(some.sampled_from(list(Attribute)), some.binary(max_size=24)).map(lambda it: _attribute(*it)),
        max_size=6,
    ).map(b"".join),
)


def _attribute(kind: int, value: bytes) -> bytes:
    return kind.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value + bytes(-len(value) % 4)


@given(some.binary(max_size=200) | _MUTATED | _SHAPED, some.booleans())
@example(b"", True)
def test_parse_is_total_and_so_is_all_that_is_read_of_a_message(data: bytes, stream: bool) -> None:
    try:
        message = stun.parse(data, stream=stream)
    except stun.ProtocolError:
        return
    if message is None:
        assert stream
        return
    assert message.size <= len(data)
    assert message.signed_with(b"key") in (True, False)
    for each in Attribute:
        message.text(each)
        for read in (message.number, message.address):
            with contextlib.suppress(stun.ProtocolError):
                read(each)
    with contextlib.suppress(stun.ProtocolError):
        error = message.error
        assert error is None or 300 <= error[0] <= 699


@given(_MUTATED | _SHAPED)
def test_a_stream_cut_anywhere_gives_the_same_as_the_whole(data: bytes) -> None:
    whole = _outcome(data)
    for cut in range(len(data)):
        part = _outcome(data[:cut])
        assert part is None or part == whole


def _outcome(data: bytes) -> Message | str | None:
    try:
        return stun.parse(data, stream=True)
    except stun.ProtocolError as error:
        return str(error)


@given(
    some.sampled_from(list(Method)), some.sampled_from(list(Kind)), some.binary(min_size=12, max_size=12),
    some.lists(some.tuples(some.sampled_from([Attribute.DATA, Attribute.NONCE, Attribute.SOFTWARE]), some.binary(max_size=40))),
    some.none() | some.binary(min_size=1, max_size=20),
)  # fmt: skip
def test_what_is_written_is_read_again(
    method: Method, kind: Kind, transaction: bytes, attributes: list[tuple[int, bytes]], key: bytes | None
) -> None:
    wrote = Message(method=method, kind=kind, transaction=transaction, attributes=tuple(attributes))
    read = parsed(wrote.encode(key))
    assert (read.method, read.kind, read.transaction) == (method, kind, transaction)
    assert read.attributes == wrote.attributes
    assert (read.signed is not None and read.signed_with(key)) if key else read.signed is None
    changed = bytearray(wrote.encode(key))
    changed[-1] ^= 1
    with pytest.raises(stun.ProtocolError, match="fingerprint"):
        parsed(bytes(changed))


@given(some.ip_addresses(), some.integers(0, 65535), some.binary(min_size=12, max_size=12))
def test_an_address_is_read_as_it_was_written(host: object, port: int, transaction: bytes) -> None:
    value = stun.xor_address(str(host), port, transaction)
    message = Message(
        method=1, kind=Kind.SUCCESS, transaction=transaction, attributes=((Attribute.XOR_MAPPED_ADDRESS, value),)
    )
    assert message.address(Attribute.XOR_MAPPED_ADDRESS) == (str(host), port)
