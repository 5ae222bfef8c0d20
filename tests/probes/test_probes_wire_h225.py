"""The codec of H.323: against another implementation of H.225.0, and total over any bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from probes.wire import h225
from probes.wire.h225 import CallAnswer, Ras, RasAnswer
from tests.probes.h323_peers import (
    CAUSE_30,
    CAUSE_81_IN_FULL,
    NO_CALL,
    RELEASE_COMPLETE,
    STATUS,
    VERSION,
    address,
    call_message,
    decoded,
    encoded,
)

IP6 = ("ip6Address", {"ip": bytes(15) + b"\1", "port": 1719})
OLD = ("netBios", bytes(16))
MAKERS: list[dict[str, Any]] = [
    {"nonStandardIdentifier": ("object", (1, 3, 6, 1, 4, 1, 99999)), "data": b"x" * 200},
    {
        "nonStandardIdentifier": ("h221NonStandard", {"t35CountryCode": 181, "t35Extension": 0, "manufacturerCode": 9}),
        "data": b"",
    },
]

_sequences = some.integers(1, 65535)
_makers = some.sampled_from([{}, *({"nonStandardData": each} for each in MAKERS)])
_names = some.text(some.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), min_size=1, max_size=128)

WITH_VALUES = {"genericDataReason", "routeCalltoSCN", "securityError", "securityDHmismatch"}
"""Reasons that say more, behind all that is read."""


def _plain(names: tuple[tuple[str, ...], ...]) -> list[str]:
    return [each for group in names for each in group if each not in WITH_VALUES]


@given(_sequences, some.ip_addresses(), some.integers(0, 65535))
def test_a_gatekeeper_request_is_read_by_another_implementation(sequence: int, host: Any, port: int) -> None:
    kind, value = decoded(h225.gatekeeper_request(sequence, str(host), port))
    assert (kind, value["requestSeqNum"], value["protocolIdentifier"]) == ("gatekeeperRequest", sequence, VERSION)
    assert value["rasAddress"][1] == {"ip": host.packed, "port": port}


@given(
    _sequences,
    _names | some.text("0123456789*#,", min_size=1, max_size=128),
    some.ip_addresses(),
    some.integers(0, 65535),
)
def test_a_location_request_is_read_by_another_implementation(sequence: int, alias: str, host: Any, port: int) -> None:
    kind, value = decoded(h225.location_request(sequence, alias, str(host), port))
    assert (kind, value["requestSeqNum"]) == ("locationRequest", sequence)
    assert value["destinationInfo"][0][1] == alias
    assert value["replyAddress"][1] == {"ip": host.packed, "port": port}


@given(_sequences, _makers, some.none() | _names)
def test_a_confirmation_of_another_implementation_is_read(sequence: int, maker: dict, name: str | None) -> None:
    named = {} if name is None else {"gatekeeperIdentifier": name}
    for where, found in ((address("10.0.0.7", 1719), ("10.0.0.7", 1719)), (IP6, ("::1", 1719)), (OLD, None)):
        data = encoded(
            "gatekeeperConfirm",
            {"requestSeqNum": sequence, "protocolIdentifier": VERSION, "rasAddress": where, **maker, **named},
        )
        assert h225.parse_ras(data) == RasAnswer(
            kind=Ras.GATEKEEPER_CONFIRM, sequence=sequence, gatekeeper=name or "", address=found
        )
        data = encoded(
            "locationConfirm",
            {"requestSeqNum": sequence, "callSignalAddress": where, "rasAddress": where, **maker},
        )
        assert h225.parse_ras(data) == RasAnswer(kind=Ras.LOCATION_CONFIRM, sequence=sequence, address=found)


@given(_sequences, _makers, some.sampled_from(_plain(h225._LOCATION_REASONS)))
def test_a_reject_of_a_location_is_read(sequence: int, maker: dict, reason: str) -> None:
    data = encoded("locationReject", {"requestSeqNum": sequence, "rejectReason": (reason, 0), **maker})
    assert h225.parse_ras(data) == RasAnswer(kind=Ras.LOCATION_REJECT, sequence=sequence, reason=reason)


@given(_sequences, _makers, some.sampled_from(_plain(h225._GATEKEEPER_REASONS)))
def test_a_reject_of_a_gatekeeper_is_read(sequence: int, maker: dict, reason: str) -> None:
    value = {"requestSeqNum": sequence, "protocolIdentifier": VERSION, "rejectReason": (reason, 0), **maker}
    answer = h225.parse_ras(encoded("gatekeeperReject", value))
    assert answer == RasAnswer(kind=Ras.GATEKEEPER_REJECT, sequence=sequence, reason=reason)


def test_what_later_versions_may_add_is_told_by_its_number() -> None:
    good = encoded("locationReject", {"requestSeqNum": 7, "rejectReason": ("hopCountExceeded", 0)})
    assert good.hex() == "500006860100"
    assert h225.parse_ras(bytes.fromhex("5000069f0100")).reason == "reason 31 of a later version"


_RAS = [
    encoded("gatekeeperConfirm", {"requestSeqNum": 9, "protocolIdentifier": VERSION, "rasAddress": IP6, "nonStandardData": MAKERS[0], "gatekeeperIdentifier": "gk"}),
    encoded("gatekeeperReject", {"requestSeqNum": 9, "protocolIdentifier": VERSION, "rejectReason": ("securityDenial", 0), "nonStandardData": MAKERS[1]}),
    encoded("locationConfirm", {"requestSeqNum": 9, "callSignalAddress": IP6, "rasAddress": IP6}),
    encoded("locationReject", {"requestSeqNum": 9, "rejectReason": ("incompleteAddress", 0)}),
    encoded("requestInProgress", {"requestSeqNum": 9, "delay": 5}),
    encoded("unknownMessageResponse", {"requestSeqNum": 9}),
]  # fmt: skip
_CALL = [call_message(STATUS, CAUSE_30 + NO_CALL)(5), call_message(RELEASE_COMPLETE, b"\xa1" + CAUSE_81_IN_FULL)(5)]


def _mutated(of: list[bytes]) -> some.SearchStrategy[bytes]:
    return some.builds(
        lambda base, at, cut, put: base[: at % len(base)] + put + base[at % len(base) + cut :],
        some.sampled_from(of), some.integers(0, 400), some.integers(0, 8), some.binary(max_size=8),
    )  # fmt: skip


@given(some.binary(max_size=100) | _mutated(_RAS))
def test_ras_is_total(data: bytes) -> None:
    try:
        answer = h225.parse_ras(data)
    except h225.ProtocolError:
        return
    assert 1 <= answer.sequence <= 65536
    assert len(answer.gatekeeper) <= 128


@pytest.mark.parametrize("whole", _RAS)
def test_ras_that_is_cut_is_a_protocol_error_or_the_same(whole: bytes) -> None:
    answer = h225.parse_ras(whole)
    for cut in range(len(whole)):
        try:
            assert h225.parse_ras(whole[:cut]) == answer  # what follows was not asked for
        except h225.ProtocolError:
            continue


@given(some.binary(max_size=100) | _mutated(_CALL))
def test_a_stream_of_calls_cut_anywhere_gives_the_same_as_the_whole(data: bytes) -> None:
    whole = _outcome(data)
    for cut in range(len(data)):
        part = _outcome(data[:cut])
        assert part is None or part == whole


def _outcome(data: bytes) -> CallAnswer | str | None:
    try:
        return h225.parse_call(data)
    except h225.ProtocolError as error:
        return str(error)


def test_elements_are_bounded() -> None:
    with pytest.raises(h225.ProtocolError, match="more than"):
        h225.parse_call(call_message(STATUS, b"\xa1" * (h225.MAX_ELEMENTS + 1))(5))
    with pytest.raises(h225.ProtocolError, match="do not fit"):
        h225.parse_call(call_message(STATUS, b"\x08\x09\x80")(5))
    assert h225.parse_call(call_message(STATUS, b"\x7e\x00\x02\x05\x00" + CAUSE_30)(5)) == CallAnswer(
        message="Status", cause=30
    )


# -- as others sent it -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (
            "048055d0060008914a00040600540069006e0068000a09000a06b7",
            RasAnswer(kind=Ras.GATEKEEPER_CONFIRM, sequence=0x55D1, gatekeeper="Tinh", address=("10.9.0.10", 1719)),
        ),
        (  # a password is wanted
            "08809750060008914a00040600540069006e0068800100",
            RasAnswer(kind=Ras.GATEKEEPER_REJECT, sequence=0x9751, gatekeeper="Tinh", reason="securityDenial"),
        ),
        (  # sends all to another one, which it names behind
            "0a8000a3060008914a00040600540069006e006800200b0001000000000000000000",
            RasAnswer(kind=Ras.GATEKEEPER_REJECT, sequence=0xA4, gatekeeper="Tinh", reason="resourceUnavailable"),
        ),
        (
            "4c4c8d000a09000d06b8000a09000a06b7",
            RasAnswer(kind=Ras.LOCATION_CONFIRM, sequence=0x4C8E, address=("10.9.0.13", 1720)),
        ),
        (  # nobody of this alias
            "509f5c40",
            RasAnswer(kind=Ras.LOCATION_REJECT, sequence=0x9F5D, reason="requestDenied"),
        ),
        (  # asked by no neighbour
            "506dd8800100",
            RasAnswer(kind=Ras.LOCATION_REJECT, sequence=0x6DD9, reason="securityDenial"),
        ),
        (  # in maintenance, with another gatekeeper behind
            "5249d8830100010b0001000a09000f06b78180",
            RasAnswer(kind=Ras.LOCATION_REJECT, sequence=0x49D9, reason="resourceUnavailable"),
        ),
        ("800500d4c40f9f", RasAnswer(kind=Ras.IN_PROGRESS, sequence=0xD4C5)),
    ],
)
def test_what_the_gnu_gatekeeper_sent_is_read(sent: str, answer: RasAnswer) -> None:
    """Version 5.15.0, to our own questions."""
    assert h225.parse_ras(bytes.fromhex(sent)) == answer


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (  # GNU Gatekeeper 5.15.0, to a Status Enquiry of no call: the call reference is 0
            "0300001a080200005a7e000e052540060008914a000258140100",
            CallAnswer(message="Release Complete"),
        ),
        (  # Asterisk's ooh323c of August 2026, to a Status Enquiry of a call
            "030000340802801d7d0802809e14010a7e00210528201900060008914a0004006f6f68333233632da9b416ddcc3f00ce10800180",
            CallAnswer(message="Status", cause=30, state=10),
        ),
        (  # ooh323c 0.9.4, to the same: its name, and no cause
            "030000350802801d7d2806726f6f6d32007e00210528201900060008914a0004006f6f68333233632da9b416ddcc3f00ce10800180",
            CallAnswer(message="Status"),
        ),
        (  # H323Plus 1.28.0 refuses a call
            "030000310802d1a75a080280957e0021052580060008914a000701110030a7d7f61de9f1118634f8a97835600e02800180",
            CallAnswer(message="Release Complete", cause=21),
        ),
        (  # H323Plus 1.28.0 tunnels H.245: an empty element before its own
            "0300001d0802a21e621c007e000f052810010004c00180050103218001",
            CallAnswer(message="Facility"),
        ),
    ],
)
def test_what_stacks_sent_about_calls_is_read(sent: str, answer: CallAnswer) -> None:
    assert h225.parse_call(bytes.fromhex(sent)) == answer
