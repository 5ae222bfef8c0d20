"""A stub of a STUN and TURN server, for answers that no real one gives: by a script, signed with the right password."""

from __future__ import annotations

from collections.abc import Callable

from probes.wire import stun
from probes.wire.stun import Attribute, Kind, Message
from tests.probes.peers import UdpPeer
from tests.probes.rooms import REALM, TURN_PASSWORD, TURN_USER

KEY = stun.long_term_key(TURN_USER, REALM, TURN_PASSWORD)
RELAY = "192.0.2.7"

Step = Callable[[Message], bytes | None]


def refuse(code: int, phrase: str = "", nonce: str = "n1") -> Step:
    """An error, with a realm and a nonce."""
    value = bytes([0, 0, code // 100, code % 100]) + phrase.encode()
    attributes = [(Attribute.ERROR_CODE, value), (Attribute.REALM, REALM.encode()), (Attribute.NONCE, nonce.encode())]
    return lambda asked: _reply(asked, Kind.ERROR, attributes).encode()


def send_on(host: str, port: int) -> Step:
    """Ask another one instead (RFC 8489 section 10)."""
    at = b"\0\x01" + port.to_bytes(2, "big") + bytes(int(each) for each in host.split("."))
    attributes = [(Attribute.ERROR_CODE, b"\0\0\3\0Try Alternate"), (Attribute.ALTERNATE_SERVER, at)]
    return lambda asked: _reply(asked, Kind.ERROR, attributes).encode()


def grant(*, key: bytes | None = KEY, lent: bool = False, mapped: bool = True) -> Step:
    """A success; with a relay when `lent`."""

    def answer(asked: Message) -> bytes:
        own = stun.xor_address("127.0.0.1", 4711, asked.transaction)
        attributes = [(Attribute.XOR_MAPPED_ADDRESS, own)] if mapped else []
        if lent:
            relay = stun.xor_address(RELAY, 50000, asked.transaction)
            attributes += [(Attribute.XOR_RELAYED_ADDRESS, relay), (Attribute.LIFETIME, (600).to_bytes(4, "big"))]
        return _reply(asked, Kind.SUCCESS, attributes).encode(key)

    return answer


def silent(_: Message) -> None:
    """No answer."""


def _reply(asked: Message, kind: Kind, attributes: list[tuple[Attribute, bytes]]) -> Message:
    return Message(method=asked.method, kind=kind, transaction=asked.transaction, attributes=tuple(attributes))


class Stub(UdpPeer):
    """Answers by its steps, the last one again and again; each request that came stands in `asked`."""

    def __init__(self, *steps: Step) -> None:
        super().__init__(answer=self._by_script)
        self.asked: list[Message] = []
        self._steps = list(steps)

    def _by_script(self, data: bytes) -> list[bytes]:
        message = stun.parse(data, stream=False)
        assert message is not None
        self.asked.append(message)
        step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        answer = step(message)
        return [] if answer is None else [answer]
