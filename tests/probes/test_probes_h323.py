"""h323 against a gatekeeper and a room that stand on another implementation of H.225.0."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pydantic
import pytest

from monitor.core.model import Outcome, Reason
from probes import h323
from tests.probes.h323_peers import (
    CAUSE_30,
    CAUSE_81_IN_FULL,
    FACILITY,
    NO_CALL,
    RELEASE_COMPLETE,
    STATUS,
    STATUS_ENQUIRY,
    Gatekeeper,
    H323Room,
    call_message,
    encoded,
)
from tests.probes.peers import LOOPBACK, UdpPeer, ask, free_port

ROOMS = {"phòng họp 1": ("10.1.2.3", 1720), "0241": ("10.1.2.4", 1720), "024": ("10.1.2.5", 1720)}


# -- call signalling -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (call_message(STATUS, CAUSE_30 + NO_CALL), "answers Status, cause 30, call state 0"),
        (call_message(RELEASE_COMPLETE, CAUSE_81_IN_FULL), "answers Release Complete, cause 81"),
        (call_message(RELEASE_COMPLETE), "answers Release Complete"),
        (lambda _: call_message(RELEASE_COMPLETE)(0), "answers Release Complete"),  # of no call at all
        (call_message(FACILITY), "answers Facility"),
        (call_message(0x7F), "answers message 0x7f"),
    ],
)
async def test_a_room_that_answers_is_alive_and_is_not_rung(answer: object, says: str) -> None:
    async with H323Room(answer) as room:  # type: ignore[arg-type]
        result = await ask("h323", port=room.port)
    assert (result.outcome, result.evidence) == (Outcome.OK, says)
    assert room.heard == [STATUS_ENQUIRY]
    assert result.values["probe_h323_duration_seconds"] > 0


async def test_a_room_that_hangs_up_on_the_question_is_alive() -> None:
    async with H323Room(hang_up=True) as room:
        result = await ask("h323", port=room.port)
    assert (result.outcome, result.evidence) == (Outcome.OK, "alive, but hangs up on a Status Enquiry")
    assert room.heard == [STATUS_ENQUIRY]


async def test_a_room_that_hangs_up_within_its_answer_does_not_speak_h323() -> None:
    async with H323Room(lambda reference: call_message(STATUS)(reference)[:-1], hang_up=True) as room:
        result = await ask("h323", port=room.port)
    assert (result.reason, result.evidence) == (Reason.PROTOCOL, "not H.323: it ends within a message")


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (b"220 mail\r\n", "no TPKT"),
        (b"\x03\0\0\x0b\x06\xd0\0\0\x12\x34\0", "no Q.931"),
        (b"\x03\0\xff\xff", "a packet of a wrong length"),
    ],
)
async def test_another_protocol(said: bytes, says: str) -> None:
    async with H323Room(lambda _: said) as peer:
        result = await ask("h323", port=peer.port)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)
    assert result.evidence == f"not H.323: {says}"


async def test_a_peer_that_hangs_up_unasked_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(h323, "HESITATION_SECONDS", 10.0)  # a busy machine may take long to hang up

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """As soon as it is asked, or finds that the room is gone."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader.read(99), 0.02)
        writer.close()

    async with await asyncio.start_server(forward, LOOPBACK, 0) as forwarder:
        result = await ask("h323", port=forwarder.sockets[0].getsockname()[1], timeout=40)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.RESET)


@contextlib.asynccontextmanager
async def forwarding_nowhere(seconds: float) -> AsyncIterator[int]:
    """The port of a forwarder that takes so long to give up on its room, whatever we do meanwhile."""

    async def forward(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        writer.close()

    async with await asyncio.start_server(forward, LOOPBACK, 0) as forwarder:
        yield forwarder.sockets[0].getsockname()[1]


async def test_a_forwarder_that_gives_up_on_its_room_later_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(h323, "HESITATION_SECONDS", 10.0)
    async with forwarding_nowhere(1.0) as port:
        result = await ask("h323", port=port, timeout=3.6)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.RESET)


async def test_a_forwarder_that_gives_up_on_its_room_after_we_hung_up_is_not_taken_for_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(h323, "HESITATION_SECONDS", 0.01)
    async with forwarding_nowhere(1.0) as port:
        result = await ask("h323", port=port, timeout=1.4)
    assert (result.outcome, result.reason) == (Outcome.INCONCLUSIVE, Reason.TIMEOUT)
    assert result.evidence.endswith("s after us: a room, or a forwarder that gives up on one")


async def test_a_silent_room_is_alive_when_it_hangs_up_after_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(h323, "HESITATION_SECONDS", 10.0)  # a busy machine may take long to hang up
    async with H323Room() as silent:
        result = await ask("h323", port=silent.port, timeout=0.8)
    assert (result.outcome, result.evidence) == (Outcome.OK, "alive, but silent: hangs up only when we do")
    assert (result.values, silent.heard) == ({}, [STATUS_ENQUIRY])


async def test_a_frozen_room_is_a_timeout_and_a_closed_port_is_refused() -> None:
    with socket.create_server((LOOPBACK, 0)) as frozen:  # the kernel takes the call, nobody else does
        assert (await ask("h323", port=frozen.getsockname()[1], timeout=0.8)).reason is Reason.TIMEOUT
    assert (await ask("h323", port=free_port())).reason is Reason.REFUSED


# -- gatekeeper ----------------------------------------------------------------------------------------------------------


async def test_a_gatekeeper_that_confirms_is_there() -> None:
    async with Gatekeeper() as gatekeeper:
        result = await ask("h323", port=gatekeeper.port, ask="gatekeeper")
    assert (result.outcome, result.evidence) == (Outcome.OK, "confirmed of Tỉnh")
    (kind, asked), *more = gatekeeper.asked
    assert (kind, more) == ("gatekeeperRequest", [])
    assert asked["rasAddress"][1]["ip"] == bytes([127, 0, 0, 1])
    assert asked["endpointType"] == {"terminal": {}, "mc": False, "undefinedNode": False}


@pytest.mark.parametrize(
    ("reason", "outcome", "says"),
    [
        ("terminalExcluded", Outcome.OK, "alive, takes no stranger: terminalExcluded of Tỉnh"),
        ("securityDenial", Outcome.OK, "alive, takes no stranger: securityDenial of Tỉnh"),
        ("resourceUnavailable", Outcome.FAILED, "alive, but takes nobody: resourceUnavailable of Tỉnh"),
    ],
)
async def test_a_gatekeeper_that_rejects_us_is_there_too(reason: str, outcome: Outcome, says: str) -> None:
    async with Gatekeeper(gatekeeperRequest=reason) as gatekeeper:
        result = await ask("h323", port=gatekeeper.port, ask="gatekeeper")
    assert (result.outcome, result.evidence) == (outcome, says)


@pytest.mark.parametrize("alias", ROOMS)
async def test_a_room_that_is_registered_is_found(alias: str) -> None:
    async with Gatekeeper(ROOMS) as gatekeeper:
        # The address of the target itself is not asked.
        result = await ask("h323", "127.0.0.9", port=gatekeeper.port, ask="location", alias=alias, through=LOOPBACK)
    assert (result.outcome, result.evidence) == (Outcome.OK, f"registered, calls go to {ROOMS[alias][0]}:1720")
    assert result.values["probe_h323_registered"] == 1
    form = "dialledDigits" if alias.isdigit() else "h323-ID"
    assert gatekeeper.asked[0][1]["destinationInfo"] == [(form, alias)]


@pytest.mark.parametrize("reason", ["notRegistered", "requestDenied", "noRouteToDestination", "unallocatedNumber"])
async def test_a_room_that_the_gatekeeper_does_not_know(reason: str) -> None:
    async with Gatekeeper(ROOMS, locationRequest=reason) as gatekeeper:
        result = await ask("h323", port=gatekeeper.port, ask="location", alias="room9", through=LOOPBACK)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.NOT_REGISTERED)
    assert result.evidence == f"the gatekeeper does not know it: {reason}"
    assert result.values["probe_h323_registered"] == 0


@pytest.mark.parametrize(
    ("refused", "reason"), [("securityDenial", Reason.AUTH), ("resourceUnavailable", Reason.STATUS)]
)
async def test_a_gatekeeper_that_does_not_tell_says_nothing_of_the_room(refused: str, reason: Reason) -> None:
    async with Gatekeeper(locationRequest=refused) as gatekeeper:
        direct = await ask("h323", port=gatekeeper.port, ask="location", alias="room1")
        through = await ask("h323", port=gatekeeper.port, ask="location", alias="room1", through=LOOPBACK)
    assert (direct.outcome, direct.reason) == (Outcome.FAILED, reason)
    assert (through.outcome, through.reason) == (Outcome.INCONCLUSIVE, reason)
    assert through.evidence == f"its gatekeeper {LOOPBACK}: the gatekeeper does not tell: {refused}"


async def test_a_gatekeeper_that_is_silent_gone_or_another_thing_says_nothing_of_the_room() -> None:
    options = {"ask": "location", "alias": "room1", "through": LOOPBACK}
    async with UdpPeer() as silent, UdpPeer([b"hello"]) as other:
        for port, reason in (
            (silent.port, Reason.TIMEOUT), (other.port, Reason.PROTOCOL), (free_port(), Reason.REFUSED),
        ):  # fmt: skip
            result = await ask("h323", port=port, timeout=0.5, **options)
            assert (result.outcome, result.reason) == (Outcome.INCONCLUSIVE, reason)
            assert result.evidence.startswith(f"its gatekeeper {LOOPBACK}")


async def test_a_request_in_progress_and_answers_to_others_are_waited_out() -> None:
    async with Gatekeeper(ROOMS) as gatekeeper:
        gatekeeper.before = lambda sequence: [
            encoded("requestInProgress", {"requestSeqNum": sequence, "delay": 500}),
            encoded("locationReject", {"requestSeqNum": sequence % 65535 + 1, "rejectReason": ("notRegistered", 0)}),
        ]
        result = await ask("h323", port=gatekeeper.port, ask="location", alias="0241")
    assert result.outcome is Outcome.OK


async def test_a_question_that_is_not_understood_is_a_protocol_failure() -> None:
    async with Gatekeeper(ROOMS) as gatekeeper:
        gatekeeper.before = lambda sequence: [encoded("unknownMessageResponse", {"requestSeqNum": sequence})]
        for options in ({"ask": "gatekeeper"}, {"ask": "location", "alias": "0241"}):
            result = await ask("h323", port=gatekeeper.port, **options)
            assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)


async def test_a_lost_question_is_sent_again_and_answers_without_end_are_bounded() -> None:
    lost: list[bytes] = []

    class Forgetful(Gatekeeper):
        def _answer_to(self, data: bytes) -> list[bytes]:
            lost.append(data)
            return super()._answer_to(data) if len(lost) > 1 else []

    async with Forgetful() as gatekeeper:
        result = await ask("h323", port=gatekeeper.port, ask="gatekeeper")
    assert result.outcome is Outcome.OK
    assert lost[0] == lost[1]
    async with Gatekeeper() as endless:
        endless.before = lambda sequence: [encoded("requestInProgress", {"requestSeqNum": sequence, "delay": 500})] * 99
        result = await ask("h323", port=endless.port, ask="gatekeeper")
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)


async def test_an_answer_from_another_address_is_told_and_does_not_count() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.2", 0))

        class Elsewhere(Gatekeeper):
            def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
                for each in self._answer_to(data):
                    other.sendto(each, addr)

        async with Elsewhere() as gatekeeper:
            result = await ask("h323", port=gatekeeper.port, ask="gatekeeper", timeout=0.4)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.TIMEOUT)
    assert "127.0.0.2:" in result.evidence
    assert "answered in its place, which does not count" in result.evidence


@pytest.mark.parametrize(
    "options",
    [
        {"ask": "location"},
        {"alias": "room1"},
        {"ask": "gatekeeper", "through": LOOPBACK},
        {"ask": "location", "alias": "a\nb"},
        {"ask": "location", "alias": "𝄞"},
        {"ask": "location", "alias": "x" * 129},
    ],
)
async def test_options_that_cannot_succeed_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(pydantic.ValidationError):
        await ask("h323", **options)
