"""The pure parts of a media test: packets, what a course tells, and its rating against published values."""

from __future__ import annotations

import hmac
import random
import struct
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.wire import stamp
from probes.wire.course import Trip, burst_ratio, look
from probes.wire.emodel import CODECS, effective_impairment, mean_opinion, rating
from probes.wire.stamp import Clock, Seen

KEY = b"a key that is long enough"
NOW = 1_795_805_057_123_456_789
CLOCK = Clock(synchronised=True, error_seconds=0.001)
SEEN = Seen(at_ns=NOW + 2_000_000, dscp=34, ecn=1, ttl=61)
PLC = CODECS["g711-plc"]


# -- rating ------------------------------------------------------------------------------------------------------------


def test_a_path_that_does_nothing_has_the_rating_of_the_default_values() -> None:
    # ITU-T G.107 (06/2015) section 7.7: all parameters at their defaults give R = 93.2.
    assert rating(PLC, loss_ratio=0, burst_ratio=1, delay_seconds=0) == pytest.approx(93.2, abs=0.05)


@pytest.mark.parametrize(
    ("r", "mos"),
    [(100, 4.5), (90, 4.34), (89, 4.31), (80, 4.03), (70, 3.60), (69, 3.55), (60, 3.10), (59, 3.05), (50, 2.58)],
)
def test_the_opinion_of_a_rating_is_that_of_the_table(r: float, mos: float) -> None:
    # ITU-T G.107 Annex B, Table B.1; the ends of its steps as Mitel prints them (MX-ONE 8.0, Speech Quality Measurement).
    assert mean_opinion(r) == pytest.approx(mos, abs=0.01)


@pytest.mark.parametrize(("r", "mos"), [(-5, 1), (0, 1), (100, 4.5), (120, 4.5), (1, 1)])
def test_the_opinion_stays_within_its_scale(r: float, mos: float) -> None:
    assert mean_opinion(r) == mos


@pytest.mark.parametrize(
    ("milliseconds", "percent", "r"),
    [(50, 0, 91.76), (150, 0, 89.54), (200, 0, 85.80), (300, 0, 72.67), (400, 0, 62.25),
     (50, 1, 73.83), (150, 2, 59.38), (300, 3, 33.63)],
)  # fmt: skip
def test_another_implementation_of_the_model_gives_the_same(milliseconds: float, percent: float, r: float) -> None:
    # Figures of a public implementation of the formulas of G.107 that is not ours, G.711 without concealment.
    rated = rating(CODECS["g711"], loss_ratio=percent / 100, burst_ratio=1, delay_seconds=milliseconds / 1000)
    assert rated == pytest.approx(r, abs=0.01)


@pytest.mark.parametrize("milliseconds", [25, 50, 100, 150, 177, 200, 250, 300])
def test_delay_costs_what_the_published_approximation_says(milliseconds: float) -> None:
    # Cole and Rosenbluth, "Voice over IP performance monitoring", ACM SIGCOMM CCR 31(2), 2001: fitted to G.107 itself.
    expected = 0.024 * milliseconds + 0.11 * max(0, milliseconds - 177.3)
    cost = 93.2 - rating(PLC, loss_ratio=0, burst_ratio=1, delay_seconds=milliseconds / 1000)
    assert cost == pytest.approx(expected, abs=1.2)


@pytest.mark.parametrize(
    ("codec", "within", "table"),
    [
        ("g711-plc", 3, {0: 0, 1: 5, 2: 7, 3: 10, 5: 15, 7: 20, 10: 25, 15: 35, 20: 45}),
        ("g729a", 0.6, {0: 11, 0.5: 13, 1: 15, 1.5: 17, 2: 19, 3: 23, 4: 26, 8: 36, 16: 49}),
        ("g723.1", 1.1, {0: 15, 0.5: 17, 1: 19, 1.5: 22, 2: 24, 3: 27, 4: 32, 8: 41, 16: 55}),
        ("gsm-efr", 3, {0: 5, 1: 16, 2: 21, 3: 26, 5: 33}),
    ],
)
def test_random_loss_costs_what_the_tables_of_the_codecs_say(
    codec: str, within: float, table: dict[float, float]
) -> None:
    # Ie by percent of packets lost at random: ITU-T G.113 Appendix I (09/1999), Tables I.2 and I.3, which Bpl stands for
    # since 05/2002. As printed in lecture 5 of the course of VSB-TU Ostrava (github.com/jrozhon/qos, slides/05-speech-quality.md
    # and the figure made by scripts/generate-figures.py), those at 2 % also by ICAO ACP WG I/3 WP 306, Table B-1.
    for percent, ie in table.items():
        assert effective_impairment(CODECS[codec], percent / 100) == pytest.approx(ie, abs=within), percent


def test_losses_that_come_together_cost_more() -> None:
    # The formula of G.107 section 7.5 by hand: 95 · 5 / (5 / 2 + 25.1).
    assert effective_impairment(PLC, 0.05, 2) == pytest.approx(95 * 5 / 27.6)
    assert effective_impairment(PLC, 0.05, 2) > effective_impairment(PLC, 0.05)


@given(st.floats(0, 1), st.floats(1, 50), st.floats(0, 30), st.sampled_from(sorted(CODECS)))
def test_every_path_has_a_rating(loss: float, burst: float, delay: float, codec: str) -> None:
    r = rating(CODECS[codec], loss_ratio=loss, burst_ratio=burst, delay_seconds=delay)
    assert 0 <= r <= 94
    assert 1 <= mean_opinion(r) <= 4.5


# -- packets -----------------------------------------------------------------------------------------------------------


def packet(key: bytes = KEY, size: int = 172, sequence: int = 7) -> bytes:
    test = stamp.TestPacket(sequence=sequence, sent_ns=NOW, clock=CLOCK, session=0x1234, dscp=46)
    return stamp.encode(test, key, size, b"padding")


def reflected(data: bytes, key: bytes = KEY, place: int = 3) -> bytes:
    reply, _ = stamp.reflect(stamp.receive(data, key), key, place, SEEN, NOW + 3_000_000, Clock(False, 2))
    return reply


@pytest.mark.parametrize("key", [KEY, b""], ids=["signed", "open"])
@pytest.mark.parametrize("size", [0, 172, 1200, 1472])
def test_a_reply_tells_everything_and_is_as_long_as_the_question(key: bytes, size: int) -> None:
    data = packet(key, size)
    assert len(data) == max(size, stamp.LEAST_BYTES_SIGNED if key else stamp.LEAST_BYTES_OPEN)
    reply, dscp = stamp.reflect(stamp.receive(data, key), key, 3, SEEN, NOW + 3_000_000, Clock(False, 2))
    assert len(reply) == len(data)
    assert dscp == 46
    found = stamp.decode(reply, key)
    assert found == (3, NOW + 3_000_000, Clock(False, 2), 0x1234, NOW + 2_000_000, 7, NOW, 61, 34)


def test_the_packets_are_laid_out_as_the_rfcs_draw_them() -> None:
    data = packet()
    assert data[:4] == bytes([0, 0, 0, 7])
    assert data[4:16] == bytes(12)
    assert int.from_bytes(data[16:20], "big") == NOW // 10**9 + 2_208_988_800
    assert data[24] >> 7 == 1  # S: synchronised
    assert data[26:28] == b"\x12\x34"  # SSID (RFC 8972 section 3)
    assert data[28:96] == bytes(68)
    assert data[96:112] == hmac.digest(KEY, data[:96], "sha256")[:16]
    assert data[112:116] == bytes([0x80, 4, 0, 4])  # U until somebody understands it; class of service
    assert data[116:120] == bytes([46 << 2, 0, 0, 0])
    assert data[120:124] == bytes([0x80, 8, 0, 16])
    assert data[124:140] == hmac.digest(KEY, data[:4] + data[112:120], "sha256")[:16]
    assert data[140:144] == struct.pack("!BBH", 0x80, 1, 28)
    reply = reflected(data)
    assert reply[:4] == bytes([0, 0, 0, 3])
    assert reply[26:28] == b"\x12\x34"
    assert int.from_bytes(reply[32:36], "big") == SEEN.at_ns // 10**9 + 2_208_988_800
    assert reply[48:52] == data[:4]
    assert reply[64:72] == data[16:24]
    assert reply[72:74] == data[24:26]
    assert reply[80] == 61
    assert reply[96:112] == hmac.digest(KEY, reply[:96], "sha256")[:16]
    assert reply[112:116] == bytes([0, 4, 0, 4])
    assert reply[116:118] == ((46 << 10) | (34 << 4) | (1 << 2)).to_bytes(2, "big")


@pytest.mark.parametrize("key", [b"another key, long enough", b""])
def test_another_key_is_told_from_ours_on_both_ends(key: bytes) -> None:
    if key:
        with pytest.raises(stamp.UnsignedError):
            stamp.receive(packet(key), KEY)
        with pytest.raises(stamp.UnsignedError):
            stamp.decode(reflected(packet(key), key), KEY)
    else:
        with pytest.raises(stamp.ProtocolError):
            stamp.receive(packet(key), KEY)


@pytest.mark.parametrize("at", [each for each in range(0, 140, 3) if each != 120])  # the flags of the HMAC itself
def test_no_byte_of_a_reply_can_be_changed_unseen(at: int) -> None:
    reply = bytearray(reflected(packet()))
    reply[at] ^= 0x01
    with pytest.raises(stamp.ProtocolError):
        stamp.decode(bytes(reply), KEY)


def test_tlvs_that_are_not_signed_or_not_whole_are_flagged_and_answer_nothing() -> None:
    data = packet()
    changed = bytearray(data)
    changed[116] ^= 0xFF  # another DSCP than was signed
    reply, dscp = stamp.reflect(stamp.receive(bytes(changed), KEY), KEY, 0, SEEN, NOW, CLOCK)
    assert (reply[112], reply[120]) == (stamp.UNTRUSTED, stamp.UNTRUSTED)
    assert dscp == SEEN.dscp
    cut = data[:-5]
    reply, _ = stamp.reflect(stamp.receive(cut, KEY), KEY, 0, SEEN, NOW, CLOCK)
    assert len(reply) == len(cut)
    assert reply[140] == stamp.MALFORMED
    with pytest.raises(stamp.ProtocolError):
        stamp.decode(reply, KEY)


def test_a_tlv_that_nobody_knows_comes_back_as_unrecognised() -> None:
    data = packet(b"", 0) + bytes([0x80, 200, 0, 2]) + b"??"
    assert reflected(data, b"")[-6:] == bytes([0x80, 200, 0, 2]) + b"??"


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_are_a_packet_or_a_protocol_error(data: bytes, signed: bool) -> None:
    key = KEY if signed else b""
    for read in (stamp.decode, stamp.receive):
        try:
            read(data, key)
        except stamp.ProtocolError:
            continue
        assert not signed


@given(st.binary(min_size=16, max_size=16), st.binary(max_size=400))
def test_whatever_is_answered_unsigned_is_answered_in_the_same_length(begin: bytes, tail: bytes) -> None:
    data = begin + bytes(28) + tail
    assert len(reflected(data, b"")) == len(data)


@pytest.mark.parametrize("key", [KEY, b""], ids=["signed", "open"])
def test_a_reply_is_no_test_packet_so_that_no_two_reflectors_answer_each_other(key: bytes) -> None:
    with pytest.raises(stamp.ProtocolError, match="a reply"):
        stamp.receive(reflected(packet(key), key), key)


def test_many_signatures_in_one_packet_make_its_answer_no_longer() -> None:
    base, tlvs = packet()[:112], bytes([0x80, stamp.HMAC, 0, 0]) * 300
    signature = hmac.digest(KEY, base[:4] + tlvs, "sha256")[:16]
    data = base + tlvs + bytes([0x80, stamp.HMAC, 0, 16]) + signature
    reply = reflected(data)
    assert len(reply) == len(data)
    assert stamp.decode(reply, KEY).sequence == 7


@given(st.binary(max_size=200))
def test_signed_bases_with_any_tlvs_are_answered_in_the_same_length(tail: bytes) -> None:
    data = packet()[:112] + tail
    assert len(reflected(data)) == len(data)


@given(st.integers(0, 4_200_000_000 * 10**9))
def test_a_time_survives_ntp(ns: int) -> None:
    assert stamp.from_ntp(stamp.to_ntp(ns)) == ns


@pytest.mark.parametrize("seconds", [0, 1e-6, 0.001, 16, 1e9])
def test_an_error_is_never_told_smaller_than_it_is(seconds: float) -> None:
    data = stamp.encode(
        stamp.TestPacket(sequence=0, sent_ns=NOW, clock=Clock(True, seconds), session=1, dscp=0), b"", 0
    )
    told = stamp._clock(int.from_bytes(data[12:14], "big")).error_seconds
    assert min(seconds, 1e6) - 2**-32 <= told <= max(2**-32, min(seconds, 1e6) * 1.02)


# -- courses -----------------------------------------------------------------------------------------------------------


def course(
    sent: int, there: set[int], back: set[int], *, offset_ns: int = 0, transit_ns: int = 5_000_000
) -> list[Trip]:
    """Trips of a test of which `there` was lost on the way there, and `back` on the way back, by sequence."""
    trips, place = [], 0
    for number in range(sent):
        if number in there:
            continue
        at = NOW + number * 20_000_000
        if number not in back:
            arrived = at + transit_ns + offset_ns
            trips.append(Trip(number, place, at, arrived, arrived + 100_000, at + 2 * transit_ns + 100_000))
        place += 1
    return trips


@pytest.mark.parametrize("hours", [0, -5, 5])
def test_losses_are_counted_where_they_happened_whatever_the_clocks_say(hours: int) -> None:
    lost_there, lost_back = {5, 6, 7, 50}, {20, 21, 80}
    found = look(100, course(100, lost_there, lost_back, offset_ns=hours * 3600 * 10**9), 0.06)
    assert (found.there.offered, found.there.lost) == (100, 4)
    assert (found.back.offered, found.back.lost) == (96, 3)
    assert found.there.burst_ratio == pytest.approx(4 / 2 * (1 - 4 / 100))
    assert found.back.burst_ratio == pytest.approx(3 / 2 * (1 - 3 / 96))
    assert found.round_trip_seconds == pytest.approx(0.01)
    assert found.delay_there_seconds == pytest.approx(0.005 + hours * 3600)
    assert found.there.jitter_seconds == found.back.jitter_seconds == 0


def test_losses_of_both_ways_side_by_side_are_counted_right() -> None:
    found = look(100, course(100, {10, 11}, {12, 13, 14}), 0.06)
    assert (found.there.lost, found.back.lost) == (2, 3)


@given(st.sets(st.integers(0, 59), max_size=58), st.sets(st.integers(0, 58), max_size=30))
def test_all_losses_but_those_at_the_end_are_counted_right(there: set[int], back: set[int]) -> None:
    trips = course(60, there, back - there)
    if not trips:
        return
    last = trips[-1].sequence
    found = look(60, trips, 0.06)
    assert found.back.lost == len({each for each in back - there if each < last})
    assert found.there.lost == 60 - last - 1 + len({each for each in there if each < last})


def test_random_losses_have_a_burst_ratio_of_one_and_bursts_more() -> None:
    chance = random.Random(7)
    assert burst_ratio(chance.random() < 0.1 for _ in range(20_000)) == pytest.approx(1, abs=0.05)
    assert burst_ratio(number % 50 < 5 for number in range(1000)) == pytest.approx(5 * 0.9)
    assert burst_ratio([False] * 9) == 1
    assert burst_ratio([True] * 9) == 1


def test_jitter_is_the_mean_step_and_what_is_late_is_missed() -> None:
    trips = [
        each._replace(arrived_ns=each.arrived_ns + (each.sequence % 2) * 4_000_000) for each in course(50, set(), set())
    ]
    assert look(50, trips, 0.06).there.jitter_seconds == pytest.approx(0.004)
    assert look(50, trips, 0.06).there.late == 0
    late = look(50, trips, 0.003)
    assert (late.there.lost, late.there.late, late.there.late_ratio) == (0, 25, 0.5)


def test_what_is_overtaken_there_and_back_is_counted_apart() -> None:
    trips = course(10, set(), set())
    trips[3], trips[4] = trips[3]._replace(place=4), trips[4]._replace(place=3)
    found = look(10, trips, 0.06)
    assert (found.there.reordered, found.back.reordered) == (1, 1), "what left later there came back in our order"
    trips = course(10, set(), set())
    trips[3], trips[4] = trips[4], trips[3]
    found = look(10, trips, 0.06)
    assert (found.there.reordered, found.back.reordered) == (0, 1)


def test_copies_are_counted_and_count_for_nothing_else() -> None:
    trips = course(10, {4}, set())
    again = trips[2]._replace(place=20)
    found = look(10, [*trips, trips[5], again], 0.06)
    assert found.duplicates == 2
    assert found.there.lost == 1


def test_a_copy_that_is_still_on_its_way_is_no_loss() -> None:
    trips = [each._replace(place=each.place + (each.sequence > 4)) for each in course(10, set(), set())]
    found = look(10, trips, 0.06)
    assert (found.there.lost, found.back.lost) == (0, 0)


def test_the_last_one_is_counted_where_it_was_lost() -> None:
    trips = course(10, set(), {9})
    copy = trips[8]._replace(place=10)  # of the one before it, and behind it
    found = look(10, [*trips, copy], 0.06)
    assert (found.there.lost, found.back.lost) == (0, 1)


@pytest.mark.parametrize("hours", [0, -5])
@pytest.mark.parametrize("moved", [-2, 0, 2])
def test_a_clock_that_is_set_meanwhile_is_told_from_one_that_is_wrong(hours: int, moved: int) -> None:
    trips = course(10, set(), set(), offset_ns=hours * 3600 * 10**9)
    trips[5:] = [
        each._replace(arrived_ns=each.arrived_ns + moved * 10**9, reflected_ns=each.reflected_ns + moved * 10**9)
        for each in trips[5:]
    ]
    assert look(10, trips, 0.06).clock_moved_seconds == pytest.approx(abs(moved) - 0.01 if moved else 0)


def test_a_number_that_two_packets_have_tells_that_the_reflector_began_anew() -> None:
    trips = course(10, {4}, set())
    assert not look(10, [*trips, trips[5], trips[2]._replace(place=20)], 0.06).began_anew
    trips[6:] = [each._replace(place=each.place - 6) for each in trips[6:]]
    assert look(10, trips, 0.06).began_anew


def test_one_reply_is_enough() -> None:
    found = look(100, course(100, set(range(100)) - {42}, set()), 0.06)
    assert found.there.loss_ratio == 0.99
    assert found.back.loss_ratio == 0


def _steps(work: Callable[[], object]) -> int:
    """Lines that it runs through."""
    steps = 0

    def step(*_: Any) -> Any:
        nonlocal steps
        steps += 1
        return step

    before = sys.gettrace()
    sys.settrace(step)
    try:
        work()
    finally:
        sys.settrace(before)
    return steps


def _to_and_fro(many: int) -> list[Trip]:
    """Of the first, the last, the second, the last but one: every other one came back."""
    order = [each for pair in zip(range(many // 2), range(many - 1, 0, -1), strict=False) for each in pair]
    return [Trip(sequence, place, 0, 0, 0, 0) for place, sequence in enumerate(order) if sequence % 4 < 2]


def test_no_order_that_a_peer_makes_up_costs_more_than_another() -> None:
    few, many = (_steps(lambda many=each: look(many, _to_and_fro(many), 0.06)) for each in (400, 1600))
    assert many < 5 * few


@given(
    st.lists(
        st.tuples(
            st.integers(0, 30), st.integers(0, 60), *[st.integers(0, 2**63)] * 4
        ), min_size=1, max_size=60,
    )
)  # fmt: skip
def test_any_replies_have_figures(trips: list[tuple[int, int, int, int, int, int]]) -> None:
    found = look(31, [Trip(*each) for each in trips], 0.06)
    for way in (found.there, found.back):
        assert 0 <= way.loss_ratio <= 1
        assert 0 <= way.late_ratio <= 1
        assert way.burst_ratio >= 1
