"""A gatekeeper and a room of H.323, for no free one is packaged: they stand on pycrate's H.225.0, and share no code with the probe."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from pycrate_asn1dir.H225 import H323_MESSAGES

from tests.probes.peers import LOOPBACK, UdpPeer, eventually

VERSION = (0, 0, 8, 2250, 0, 4)
SETUP, STATUS_ENQUIRY, STATUS, RELEASE_COMPLETE, FACILITY = 0x05, 0x75, 0x7D, 0x5A, 0x62

Message = tuple[str, dict[str, Any]]


def encoded(kind: str, value: dict[str, Any]) -> bytes:
    """A RAS message on the wire."""
    H323_MESSAGES.RasMessage.set_val((kind, value))
    return bytes(H323_MESSAGES.RasMessage.to_aper())


def decoded(data: bytes) -> Message:
    """A RAS message of which nothing is left over."""
    H323_MESSAGES.RasMessage.from_aper(data)
    found = H323_MESSAGES.RasMessage.get_val()
    assert H323_MESSAGES.RasMessage.to_aper() == data
    return found  # type: ignore[no-any-return]


def address(host: str, port: int) -> tuple[str, dict[str, Any]]:
    """A TransportAddress of IPv4."""
    return "ipAddress", {"ip": bytes(int(each) for each in host.split(".")), "port": port}


class Gatekeeper(UdpPeer):
    """Knows some rooms by their aliases; every question that came stands in `asked`."""

    def __init__(self, rooms: dict[str, tuple[str, int]] | None = None, **refusals: str) -> None:
        """`refusals`: reasons by the question that is rejected, `gatekeeperRequest` or `locationRequest`."""
        super().__init__(answer=self._answer_to)
        self.asked: list[Message] = []
        self.before: Callable[[int], list[bytes]] = lambda _sequence: []
        """What is sent before the answer."""
        self._rooms, self._refusals = rooms or {}, refusals

    def _answer_to(self, data: bytes) -> list[bytes]:
        kind, asked = decoded(data)
        self.asked.append((kind, asked))
        sequence = {"requestSeqNum": asked["requestSeqNum"]}
        return [*self.before(asked["requestSeqNum"]), self._decide(kind, asked, sequence)]

    def _decide(self, kind: str, asked: dict[str, Any], sequence: dict[str, Any]) -> bytes:
        refused = self._refusals.get(kind)
        if kind == "gatekeeperRequest":
            known = sequence | {"protocolIdentifier": VERSION, "gatekeeperIdentifier": "Tỉnh"}
            if refused:
                return encoded("gatekeeperReject", known | {"rejectReason": (refused, 0)})
            return encoded("gatekeeperConfirm", known | {"rasAddress": address(LOOPBACK, self.port)})
        _, alias = asked["destinationInfo"][0]
        at = self._rooms.get(alias)
        if at is None:
            return encoded("locationReject", sequence | {"rejectReason": (refused or "notRegistered", 0)})
        where = {"callSignalAddress": address(*at), "rasAddress": address(at[0], 1719)}
        return encoded("locationConfirm", sequence | where)


class H323Room:
    """Takes calls over TCP; the kinds of what came stand in `heard`, and a Setup would ring."""

    def __init__(self, *answers: Callable[[int], bytes], hang_up: bool = False) -> None:
        """`answers` make messages of the call reference; `hang_up` after the first question."""
        self.heard: list[int] = []
        self.port = 0
        self._answers, self._hang_up = answers, hang_up
        self._open = 0

    async def __aenter__(self) -> H323Room:
        self._server = await asyncio.start_server(self._serve, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await eventually("connections of the room end", lambda: not self._open)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    version, _, high, low = await reader.readexactly(4)
                    message = await reader.readexactly((high << 8 | low) - 4)
                    assert (version, message[0], message[1]) == (3, 0x08, 2)
                    self.heard.append(message[4])
                    self._read(message[5:])
                    for each in self._answers:
                        writer.write(each(int.from_bytes(message[2:4], "big")))
                    if self._hang_up:
                        writer.close()
                        await writer.wait_closed()
                        return
        finally:
            writer.transport.abort()
            self._open -= 1

    def _read(self, elements: bytes) -> None:
        """The one element is the user's, and holds a StatusInquiry."""
        assert elements[0] == 0x7E
        assert elements[3] == 0x05
        assert int.from_bytes(elements[1:3], "big") == len(elements) - 3
        H323_MESSAGES.H323_UserInformation.from_aper(elements[4:])
        (body, _), *_ = H323_MESSAGES.H323_UserInformation.get_val()["h323-uu-pdu"].values()
        assert body == "statusInquiry"


def call_message(kind: int, elements: bytes = b"") -> Callable[[int], bytes]:
    """A message of Q.931 in a TPKT, of him who did not begin the call."""

    def of(reference: int) -> bytes:
        message = b"\x08\x02" + (reference | 0x8000).to_bytes(2, "big") + bytes([kind]) + elements
        return b"\x03\0" + (len(message) + 4).to_bytes(2, "big") + message

    return of


CAUSE_30 = b"\x08\x02\x80\x9e"
"""Response to STATUS ENQUIRY, said by the user."""
NO_CALL = b"\x14\x01\x00"
CAUSE_81_IN_FULL = b"\x08\x03\x00\x80\xd1"
"""Invalid call reference value, with the octet for the recommendation."""
