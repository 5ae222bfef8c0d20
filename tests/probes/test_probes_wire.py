"""The codecs: total over any bytes, right on known ones, and the filter is one that the kernel takes."""

from __future__ import annotations

import contextlib
import ctypes
import datetime
import ipaddress
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import example, given, settings
from hypothesis import strategies as some

from lab.certificates import Authority
from probes.wire import certificate, digest, icmp, mib, room, sip, text
from tests.probes.peers import Field

# -- ICMP --------------------------------------------------------------------------------------------------------------

_IP4 = some.builds(
    lambda length, rest: bytes([0x40 | length]) + rest, some.integers(0, 15), some.binary(min_size=8, max_size=90)
)


def _as_ip4(body: bytes, protocol: int = 1, options: int = 0, ttl: int = 63) -> bytes:
    header = struct.pack(
        "!BBHHHBBH4s4s", 0x45 + options, 0, 20 + options * 4 + len(body), 0, 0, ttl, protocol, 0,
        socket.inet_aton("192.0.2.1"), socket.inet_aton("192.0.2.2"),
    )  # fmt: skip
    return header + bytes(options * 4) + body


@given(
    some.binary(max_size=200)
    | _IP4
    | some.builds(_as_ip4, some.binary(max_size=80), some.just(1), some.integers(0, 10))
)
def test_parse_ip4_is_total(packet: bytes) -> None:
    assert icmp.parse_ip4(packet) is None or isinstance(icmp.parse_ip4(packet), (icmp.EchoReply, icmp.EchoError))


@given(some.sampled_from([4, 6]), some.sampled_from([0, 1, 2, 3, 4, 11, 12, 129]), some.binary(max_size=200))
def test_parse_is_total(version: int, kind: int, rest: bytes) -> None:
    message = bytes([kind]) + rest
    parsed = icmp.parse(version, message)
    assert parsed is None or isinstance(parsed, (icmp.EchoReply, icmp.EchoError))
    if isinstance(parsed, icmp.EchoError):
        assert ipaddress.ip_address(parsed.destination).version == version


@given(some.integers(0, 65535), some.integers(0, 65535), some.binary(max_size=100), some.integers(0, 10))
def test_a_reply_is_read_back_whatever_its_header_is_long(
    identifier: int, sequence: int, payload: bytes, options: int
) -> None:
    reply = b"\0\0\0\0" + struct.pack("!HH", identifier, sequence) + payload
    assert icmp.parse_ip4(_as_ip4(reply, options=options)) == icmp.EchoReply(identifier, sequence, payload, 63)


@given(some.integers(0, 10), some.binary(max_size=60))
def test_an_error_names_the_target_of_the_quoted_echo(options: int, payload: bytes) -> None:
    quoted = _as_ip4(icmp.echo_request(4, 7, 9, payload), options=options)
    error = icmp.parse(4, b"\x03\x01\0\0\0\0\0\0" + quoted)
    assert error == icmp.EchoError("host unreachable", 7, 9, "192.0.2.2", payload)


def test_an_error_about_another_protocol_is_not_ours() -> None:
    udp = _as_ip4(bytes(8), protocol=17)
    assert icmp.parse(4, b"\x03\x03\0\0\0\0\0\0" + udp) is None
    assert icmp.parse(4, b"\x03\x01\0\0\0\0\0\0" + _as_ip4(bytes(8))) is None  # a quoted reply, not a request


def test_an_error_of_icmpv6_names_the_target_of_the_quoted_echo() -> None:
    header = struct.pack("!IHBB", 6 << 28, 8, 58, 64) + bytes(16) + ipaddress.IPv6Address("2001:db8::7").packed
    error = icmp.parse(6, b"\x01\x03\0\0\0\0\0\0" + header + icmp.echo_request(6, 7, 9, b""))
    assert error == icmp.EchoError("host unreachable", 7, 9, "2001:db8::7", b"")


@given(
    some.sampled_from([4, 6]),
    some.builds(lambda rest: struct.pack("=IBBB", 113, 2 + len(rest) % 2, 3, 1) + rest, some.binary(max_size=50)),
    some.builds(lambda kind, rest: bytes([kind]) + rest, some.sampled_from([0, 8, 128]), some.binary(max_size=40)),
)
def test_parse_extended_is_total(version: int, extended: bytes, echo: bytes) -> None:
    told = icmp.parse_extended(version, extended, echo, "192.0.2.2")
    assert told is None or ipaddress.ip_address(told[1]).version == version


def test_an_extended_error_names_the_hop_and_the_target() -> None:
    echo, six = icmp.echo_request(4, 7, 9, b"payload"), icmp.echo_request(6, 7, 9, b"payload")
    four = struct.pack("=IBBBxII", 113, icmp.ORIGIN_ICMP, 3, 13, 0, 0) + struct.pack(
        "=HH4s8x", 2, 0, bytes([10, 0, 0, 1])
    )
    assert icmp.parse_extended(4, four, echo, "192.0.2.2") == (
        icmp.EchoError("administratively prohibited", 7, 9, "192.0.2.2", b"payload"), "10.0.0.1",
    )  # fmt: skip
    hop = ipaddress.IPv6Address("2001:db8::1").packed
    sixth = struct.pack("=IBBBxII", 113, icmp.ORIGIN_ICMP6, 1, 0, 0, 0) + struct.pack("=HHI16sI", 10, 0, 0, hop, 0)
    assert icmp.parse_extended(6, sixth, six, "2001:db8::7") == (
        icmp.EchoError("no route", 7, 9, "2001:db8::7", b"payload"), "2001:db8::1",
    )  # fmt: skip
    assert (
        icmp.parse_extended(4, b"\0\0\0\0\1" + four[5:], echo, "192.0.2.2") is None
    )  # of our own host (SO_EE_ORIGIN_LOCAL)
    assert icmp.parse_extended(4, four, six, "192.0.2.2") is None  # no echo
    assert icmp.parse_extended(4, four[:5] + b"\5" + four[6:], echo, "192.0.2.2") is None  # a redirect


def test_the_checksum_is_that_of_the_rfc() -> None:
    # RFC 1071 section 3: the sum of these is ddf2.
    assert icmp.checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2
    assert icmp.checksum(bytes.fromhex("ffffffff0001")) == 0xFFFE  # the carry of the carry
    assert icmp.checksum(b"") == 0xFFFF
    assert icmp.checksum(b"\x01") == icmp.checksum(b"\x01\0")


@given(some.binary(max_size=1480), some.integers(0, 65535), some.integers(0, 65535))
@example(b"\xff" * 1472, 0xFFFF, 0xFFFF)
def test_a_message_with_its_checksum_sums_to_nothing(payload: bytes, identifier: int, sequence: int) -> None:
    assert icmp.checksum(icmp.echo_request(4, identifier, sequence, payload)) in (0, 0xFFFF)


@given(
    some.sampled_from([4, 6]), some.integers(0, 65535), some.binary(min_size=8, max_size=8), some.integers(0, 2**32 - 1),
    some.integers(16, 1472), some.integers(0, 65535),
)  # fmt: skip
def test_requests_are_those_that_would_be_written_one_by_one(
    version: int, identifier: int, nonce: bytes, number: int, size: int, sequence: int
) -> None:
    payload = icmp.PAYLOAD.pack(nonce, number, sequence) + bytes(size - icmp.PAYLOAD.size)
    made = icmp.Requests(version, identifier, nonce, number, size).at(sequence)
    written = icmp.echo_request(version, identifier, sequence, payload)
    assert (made[:2], made[4:]) == (written[:2], written[4:])
    assert version == 6 or icmp.checksum(made) in (0, 0xFFFF)


@pytest.fixture(params=[4, 6])
def filtered(request: pytest.FixtureRequest, field: Field) -> Iterator[tuple[int, socket.socket]]:
    """A raw socket in the near namespace, with the filter for identifier 4711."""
    version = request.param
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    program = icmp.filter_program(version, 4711)
    code = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("HP", len(program) // 8, ctypes.addressof(code))
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_ICMP if version == 4 else socket.IPPROTO_ICMPV6) as one:
        one.setsockopt(socket.SOL_SOCKET, 26, head)  # SO_ATTACH_FILTER; the kernel refuses a bad program
        one.settimeout(5)
        yield version, one


def test_the_kernel_takes_the_filter_and_lets_only_our_replies_through(filtered: tuple[int, socket.socket]) -> None:
    version, one = filtered
    address = "10.200.0.9" if version == 4 else "fd99::2"
    for identifier, sequence in ((4710, 1), (4711, 2), (1, 3), (4711, 4)):
        one.sendto(icmp.echo_request(version, identifier, sequence, b"payload"), (address, 0))
    for sequence in (2, 4):
        data, sender = one.recvfrom(2048)
        parsed = icmp.parse_ip4(data) if version == 4 else icmp.parse(6, data)
        assert isinstance(parsed, icmp.EchoReply)
        assert (parsed.identifier, parsed.sequence, sender[0]) == (4711, sequence, address)


def test_the_filter_lets_errors_about_our_echoes_through(filtered: tuple[int, socket.socket], field: Field) -> None:
    version, one = filtered
    if version == 4:
        field.no_way_to("10.200.0.9")
        address = "10.200.0.9"
    else:
        address = "fd98::9"
        field.no_way_6("fd98::/64")
    for identifier in (4710, 4711):
        one.sendto(icmp.echo_request(version, identifier, 5, b"payload"), (address, 0))
    data, _ = one.recvfrom(2048)
    parsed = icmp.parse_ip4(data) if version == 4 else icmp.parse(6, data)
    assert isinstance(parsed, icmp.EchoError)
    assert (parsed.identifier, parsed.sequence, parsed.destination) == (4711, 5, address)


# -- SIP ---------------------------------------------------------------------------------------------------------------

_SIP_LIKE = some.lists(
    some.sampled_from([
        b"SIP/2.0 ", b"SIP/2.0", b"200 OK", b"999", b"\r\n", b"\r\n\r\n", b"Via: SIP/2.0/UDP x;branch=z9", b"v: a,b",
        b"Content-Length: ", b"l:", b"5", b"-1", "²".encode(), b"9" * 30, b" folded", b":", b"\xff\x00", b"body",
    ]) | some.binary(max_size=8),
    max_size=20,
).map(b"".join)  # fmt: skip


def _parsed(data: bytes, *, stream: bool) -> sip.Response | str | None:
    try:
        return sip.parse(data, stream=stream)
    except sip.ProtocolError as error:
        return str(error)


@given(
    some.binary(max_size=300) | _SIP_LIKE | _SIP_LIKE.map(lambda rest: b"SIP/2.0 200 OK\r\n" + rest), some.booleans()
)
def test_sip_parse_is_total(data: bytes, stream: bool) -> None:
    parsed = _parsed(data, stream=stream)
    if isinstance(parsed, sip.Response):
        assert 100 <= parsed.status <= 699
        assert isinstance(parsed.branch, str)
        assert not stream or parsed.size <= len(data)
    elif parsed is None:
        assert stream


@given(_SIP_LIKE.map(lambda rest: b"SIP/2.0 200 OK\r\n" + rest))
def test_a_stream_cut_anywhere_gives_the_same_as_the_whole(data: bytes) -> None:
    whole = _parsed(data, stream=True)
    for cut in range(len(data)):
        part = _parsed(data[:cut], stream=True)
        assert part is None or part == whole


@pytest.mark.parametrize("size", [sip.MAX_BYTES + 1, 10 * sip.MAX_BYTES])
def test_a_sip_message_is_bounded(size: int) -> None:
    with pytest.raises(sip.ProtocolError, match="larger"):
        sip.parse(b"SIP/2.0 200 OK\r\n".ljust(size, b"x"), stream=True)
    with pytest.raises(sip.ProtocolError, match="larger"):
        sip.parse(f"SIP/2.0 200 OK\r\nContent-Length: {size}\r\n\r\n".encode(), stream=True)
    with pytest.raises(sip.ProtocolError, match="headers"):
        sip.parse(b"SIP/2.0 200 OK\r\n" + b"a: b\r\n" * (sip.MAX_HEADERS + 1) + b"\r\n", stream=False)


def test_sip_headers_are_found_in_their_short_folded_and_repeated_forms() -> None:
    response = sip.parse(
        b"SIP/2.0 200 All is well\r\nv: SIP/2.0/UDP a;rport;BRANCH = z9one , SIP/2.0/UDP b;branch=z9two\r\n"
        b"VIA: SIP/2.0/UDP c;branch=z9three\r\n dropped\r\ni:call\r\nServer: one\r\n\ttwo\r\nl: 0\r\n\r\nrest",
        stream=True,
    )
    assert response is not None
    assert (response.status, response.phrase, response.branch) == (200, "All is well", "z9one")
    assert response.first("call-id") == "call"
    assert response.first("server") == "one two"
    assert response.headers["via"][1] == "SIP/2.0/UDP c;branch=z9three dropped"
    assert response.first("none") == ""


def test_sip_lines_that_keep_the_connection_open_are_passed_over() -> None:
    response = sip.parse(b"\r\n\r\n\r\nSIP/2.0 200 OK\r\n\r\nrest", stream=True)
    assert response is not None
    assert response.size == len(b"\r\n\r\n\r\nSIP/2.0 200 OK\r\n\r\n")


_CHALLENGE_LIKE = some.lists(
    some.sampled_from([
        "Digest ", "realm=", '"r"', "nonce=", '"n"', ",", "qop=", '"auth,auth-int"', "auth", "algorithm=", "MD5", "SHA-256",
        "stale=true", '"', "\\", "\r\n", "\udcff", "opaque", "=", " ",
    ]) | some.text(max_size=6),
    max_size=24,
).map("".join)  # fmt: skip


@given(_CHALLENGE_LIKE | _CHALLENGE_LIKE.map(lambda rest: f'Digest realm="r", nonce="n", {rest}'))
def test_a_digest_challenge_is_one_or_none_and_its_answer_is_one_line(text: str) -> None:
    challenge = digest.parse(text)
    if challenge is not None:
        value = digest.answer(challenge, method="OPTIONS", uri="sip:x", username="u", password="p", cnonce="c")
        request = replace(_OPTIONS, credentials=(("Authorization", value),)).encode()
        assert request.count(b"\r\n") == _OPTIONS.encode().count(b"\r\n") + 1
        assert value.isprintable() or any(0xDC80 <= ord(each) <= 0xDCFF or ord(each) > 127 for each in value)


@pytest.mark.parametrize("quotes", ['"', '\\"', '"\\', "a,", "=,", "a=", 'a="'])
def test_a_digest_challenge_is_read_in_one_pass(quotes: str) -> None:
    assert digest.parse("Digest " + quotes * (digest.MOST_CHARACTERS // len(quotes) - 8)) is None


@pytest.mark.parametrize("begin", ["", "a", "a=", 'a="b"'])
def test_blanks_without_end_in_a_challenge_are_passed_once(begin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest, "MOST_CHARACTERS", 1 << 17)  # in pairs these would be 8e9, and take minutes
    began = time.process_time()
    assert digest.parse(f"Digest {begin}{' ' * 130_000}!") is None
    assert time.process_time() - began < 20


_OPTIONS = sip.OptionsRequest(
    uri="sip:room1@x", transport="UDP", local="127.0.0.1:5060", branch="z9hG4bKb", call_id="call", tag="t"
)  # fmt: skip


@given(some.data())
def test_a_mutated_answer_counts_only_with_branch_call_and_sequence(data: some.DataObject) -> None:
    good = (
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKb;rport=5060\r\nCall-ID: call\r\n"
        b"CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
    parsed = sip.parse(good, stream=False)
    assert parsed is not None
    assert parsed.answers(_OPTIONS)
    at = data.draw(some.integers(0, len(good) - 1))
    cut, put = data.draw(some.integers(0, 4)), data.draw(some.binary(max_size=4))
    mutated = good[:at] + put + good[at + cut :]
    with contextlib.suppress(sip.ProtocolError):
        again = sip.parse(mutated, stream=False)
        assert again is not None
        if again.answers(_OPTIONS):
            assert all(each in mutated for each in (b"z9hG4bKb", b"call", b"OPTIONS"))


# -- certificates and text ---------------------------------------------------------------------------------------------


@given(some.binary(max_size=400))
def test_certificate_read_is_total_over_bytes(data: bytes) -> None:
    assert certificate.read(data) is None


@pytest.fixture(scope="module")
def der(authority: Authority) -> bytes:
    return x509.load_pem_x509_certificate(authority.ca.read_bytes()).public_bytes(Encoding.DER)


def test_a_certificate_of_an_unknown_version_is_none(der: bytes) -> None:
    version = bytes.fromhex("a003020102")  # [0] { INTEGER 2 }: version 3
    assert der.count(version) == 1
    assert certificate.read(der.replace(version, bytes.fromhex("a003020101"))) is None


@settings(max_examples=500)
@given(data=some.data())
def test_certificate_read_is_total_over_certificates_with_changed_bytes(der: bytes, data: some.DataObject) -> None:
    changed = bytearray(der)
    for place, value in data.draw(
        some.lists(some.tuples(some.integers(0, len(der) - 1), some.integers(0, 255)), max_size=4)
    ):
        changed[place] = value
    found = certificate.read(bytes(changed[: data.draw(some.integers(0, len(der)) | some.just(len(der)))]))
    assert found is None or found.ends.tzinfo is datetime.UTC


def test_a_certificate_tells_its_end_and_its_subject(der: bytes) -> None:
    found = certificate.read(der)
    assert found is not None
    assert found.subject == "CN=Province lab CA"


@given(some.text(max_size=2000), some.integers(1, 200))
def test_one_line_is_one_bounded_line_without_control_characters(given_text: str, limit: int) -> None:
    line = text.one_line(given_text, limit)
    assert len(line) <= limit
    assert line.isprintable()


# -- MIB ---------------------------------------------------------------------------------------------------------------

_COUNTERS = ("ifHCInOctets", "ifHCOutOctets", "ifHCInUcastPkts", "ifHCOutUcastPkts", "ifInErrors", "ifOutErrors")
_VALUES = some.dictionaries(
    some.sampled_from([*_COUNTERS, "ifCounterDiscontinuityTime", "ifHighSpeed"]),
    some.integers(0, 2**64 - 1),
    max_size=8,
)


def _port(**values: int) -> mib.Port:
    return mib.Port("wan1", values)


def test_rates_are_bits_a_second_and_errors_of_all_packets() -> None:
    before = _port(
        ifHCInOctets=1000, ifHCOutOctets=0, ifHCInUcastPkts=10, ifHCOutUcastPkts=0, ifInErrors=5, ifOutErrors=0
    )
    now = _port(
        ifHCInOctets=2000, ifHCOutOctets=500, ifHCInUcastPkts=100, ifHCOutUcastPkts=0, ifInErrors=15, ifOutErrors=0
    )
    assert mib.rates(before, now, 10.0) == mib.Rates(800.0, 400.0, 0.1)


def test_discards_are_counted_as_errors_are_and_apart_from_them() -> None:
    before = _port(ifHCInUcastPkts=0, ifHCOutUcastPkts=0, ifInErrors=0, ifInDiscards=0, ifOutDiscards=2**32 - 5)
    now = _port(ifHCInUcastPkts=50, ifHCOutUcastPkts=25, ifInErrors=0, ifInDiscards=5, ifOutDiscards=15, ifHighSpeed=1)
    rates = mib.rates(before, now, 10.0)
    assert (rates.error_ratio, rates.discard_ratio) == (0.0, 0.25)
    assert mib.rates(before, _port(ifHCInUcastPkts=50, ifInDiscards=3), 10.0).discard_ratio == 3 / 53


@pytest.mark.parametrize(
    ("rates", "speed", "ratio"),
    [
        (mib.Rates(8e6, 2e6), 10e6, 0.8),
        (mib.Rates(2e6, 12e6), 10e6, 1.2),
        (mib.Rates(None, 5e6), 10e6, 0.5),
        (mib.Rates(0.0, 0.0), 10e6, 0.0),
        (mib.Rates(), 10e6, None),
        (mib.Rates(8e6, 2e6), 0.0, None),
    ],
)
def test_a_line_is_as_full_as_its_busier_direction(rates: mib.Rates, speed: float, ratio: float | None) -> None:
    assert rates.utilisation_ratio(speed) == ratio


_IDLE = dict.fromkeys(("ifHCInOctets", "ifHCOutOctets", "ifHCInUcastPkts", "ifHCOutUcastPkts"), 0)


@given(_VALUES, _VALUES, some.floats(-10, 1e6, allow_nan=False))
@example(_IDLE | {"ifInErrors": 2**32 + 1}, _IDLE | {"ifHighSpeed": 1, "ifHCOutUcastPkts": 2, "ifInErrors": 0}, 1.0)
def test_a_rate_is_never_more_than_the_port_can_carry(one: dict[str, int], two: dict[str, int], seconds: float) -> None:
    rates = mib.rates(mib.Port("wan1", one), mib.Port("wan1", two), seconds)
    most = (two.get("ifHighSpeed", 0) * 1e6 or mib.MOST_BITS) * mib.TOLERANCE
    for column, rate in (("ifHCInOctets", rates.in_bits_per_second), ("ifHCOutOctets", rates.out_bits_per_second)):
        if rate is None:
            continue
        assert seconds > 0
        assert 0 <= rate <= most * 1.000001
        assert two[column] >= one[column] or two["ifHighSpeed"]
        assert one.get("ifCounterDiscontinuityTime") == two.get("ifCounterDiscontinuityTime")
    if rates.error_ratio is not None:
        assert 0 <= rates.error_ratio <= 1


@pytest.mark.parametrize("after", [0, 7, 2**64 - 2])
def test_a_counter_that_went_back_gives_no_rate_when_the_speed_is_not_told(after: int) -> None:
    before = _port(ifHCInOctets=2**64 - 1, ifHCOutOctets=100)
    assert mib.rates(before, _port(ifHCInOctets=after, ifHCOutOctets=200), 10.0) == mib.Rates(None, 80.0, None)


@pytest.mark.parametrize(
    ("column", "before", "now", "bits"),
    [
        ("ifHCInOctets", 2**64 - 1000, 250, 1000.0),
        ("ifInOctets", 2**32 - 1000, 250, 1000.0),
        ("ifHCInOctets", 10**12, 5, None),  # set to 0
        ("ifInOctets", 3 * 10**9, 5, None),  # set to 0: as a wrap it would be 1.3 GB in ten seconds
        ("ifInOctets", 5000, 5, None),
        ("ifHCInOctets", 0, 10**10, None),  # 8 Gbit/s on a port of 100 Mbit/s
    ],
)
def test_a_wrap_is_counted_through_and_a_reset_is_no_spike(
    column: str, before: int, now: int, bits: float | None
) -> None:
    rates = mib.rates(_port(**{column: before}, ifHighSpeed=100), _port(**{column: now}, ifHighSpeed=100), 10.0)
    assert rates.in_bits_per_second == bits


def test_a_discontinuity_gives_no_rate_even_when_the_counter_is_higher() -> None:
    before = _port(ifHCInOctets=100, ifCounterDiscontinuityTime=5)
    assert mib.rates(before, _port(ifHCInOctets=10**15, ifCounterDiscontinuityTime=900), 10.0) == mib.Rates()


def test_one_counter_of_errors_that_went_back_leaves_the_other_in_the_ratio_bounded() -> None:
    before = _port(ifHCInUcastPkts=0, ifInErrors=9, ifOutErrors=0)
    assert mib.rates(before, _port(ifHCInUcastPkts=30, ifInErrors=0, ifOutErrors=10), 10.0).error_ratio == 0.25


@pytest.mark.parametrize(
    ("columns", "degrees"),
    [
        ((8, 9, 0, 45, 1), 45.0),
        ((8, 9, 1, 455, 1), 45.5),
        ((8, 8, 0, 45500, 1), 45.5),  # milli
        ((8, 8, 2, 4550000, 1), 45.5),
        ((8, 10, 3, 45, 1), 45.0),  # kilo
        ((8, 9, -2, -20, 1), -20.0),
        ((4, 9, 0, 45, 1), None),  # volts
        ((8, 9, 0, 45, 2), None),  # unavailable
        ((8, 9, 0, 10**9, 1), None),  # overflow
        ((8, 9, 0, -(10**9), 1), None),
        ((8, 0, 0, 45, 1), None),
        ((8, 9, 10**9, 45, 1), None),
        ((8, 9, 0, None, 1), None),
        ((8, 9, b"0", 45, 1), None),
    ],
)
def test_a_sensor_tells_degrees_by_its_scale_and_precision(columns: tuple[object, ...], degrees: float | None) -> None:
    assert mib.celsius(columns) == degrees


@pytest.mark.parametrize(
    ("before", "now", "elapsed", "restarted"),
    [
        (1000.0, 1060.0, 60.0, False),
        (1000.0, 20.0, 60.0, True),
        (mib.WRAP_SECONDS - 30, 30.0, 60.0, False),  # TimeTicks wrapped
        (mib.WRAP_SECONDS - 30, 3000.0, 3030.0, False),  # wrapped while we were away
        (mib.WRAP_SECONDS / 2, 5.0, 60.0, True),
        (1000.0, 1000.0, 0.0, False),
    ],
)
def test_a_restart_is_an_uptime_that_went_back_without_a_wrap(
    before: float, now: float, elapsed: float, restarted: bool
) -> None:
    assert (
        mib.restarted(mib.Poll(at=5.0, uptime_seconds=before), mib.Poll(at=5.0 + elapsed, uptime_seconds=now))
        is restarted
    )


def test_an_engine_that_was_started_again_is_a_restart_whatever_the_uptime_says() -> None:
    one, two = (mib.Poll(at=0.0, uptime_seconds=100.0, engine_boots=boots) for boots in (4, 5))
    assert mib.restarted(one, two)
    assert not mib.restarted(one, one)
    assert not mib.restarted(one, mib.Poll(at=0.0, uptime_seconds=100.0)), "it does not always tell"


def test_the_room_for_values_halves_at_once_and_grows_slowly() -> None:
    it = room.Room()
    assert it.shrink(48)
    assert it.shrink(12)
    assert (it.size, it.shrink(1)) == (6, False)
    for _ in range(room.GROW_AFTER_RUNS):
        assert it.size == 6
        it.worked()
    assert it.size == 12


def test_the_room_of_a_device_that_choked_again_grows_ever_more_rarely_to_the_most() -> None:
    it = room.Room()
    it.shrink(48)
    waits = []
    for _ in range(10):
        for runs in range(room.LONGEST_GROW_AFTER + 1):
            if it.size == room.MOST_VALUES:
                waits.append(runs)
                break
            it.worked()
        it.shrink(48)
    assert waits[:3] == [20, 40, 80]
    assert waits[-1] == room.LONGEST_GROW_AFTER


def test_a_device_that_died_is_not_held_to_be_a_small_one() -> None:
    it = room.Room()
    while it.shrink(it.size):
        pass
    it.failed(room.MOST_VALUES)
    assert it.size == room.MOST_VALUES // 2


@pytest.mark.parametrize(
    ("admin", "oper", "down"), [(1, 1, False), (1, 2, True), (2, 2, False), (1, 5, False), (1, 7, True), (3, 2, False)]
)
def test_a_port_is_down_only_when_it_is_switched_on(admin: int, oper: int, down: bool) -> None:
    assert mib.is_down(_port(ifAdminStatus=admin, ifOperStatus=oper)) is down
    assert not mib.is_down(_port())
