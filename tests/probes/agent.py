"""An SNMP agent of version 2c that can misbehave as no real one does: answers from a table, in BER (X.690), RFC 3416."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.probes.peers import UdpPeer

Oid = tuple[int, ...]
Value = tuple[int, bytes]
"""Tag and content."""

GET, GET_NEXT, RESPONSE, GET_BULK = 0xA0, 0xA1, 0xA2, 0xA5
TOO_BIG, GEN_ERR = 1, 5
NULL: Value = (5, b"")
END_OF_VIEW: Value = (0x82, b"")
NO_INSTANCE: Value = (0x81, b"")


def tlv(tag: int, content: bytes) -> bytes:
    """One value as BER writes it."""
    size = len(content)
    return bytes([tag]) + (bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")) + content


def number(value: int, tag: int = 2) -> Value:
    """An INTEGER, or by tag a Counter32 (0x41), Gauge32 (0x42), TimeTicks (0x43), Counter64 (0x46)."""
    return tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


def text(value: str) -> Value:
    """An OCTET STRING."""
    return 4, value.encode()


def oid(dotted: str) -> Oid:
    """As numbers."""
    return tuple(map(int, dotted.split(".")))


def _encode_oid(numbers: Oid) -> bytes:
    encoded = bytearray([numbers[0] * 40 + numbers[1]])
    for each in numbers[2:]:
        groups = [each & 127]
        while each := each >> 7:
            groups.append(each & 127 | 128)
        encoded += bytes(reversed(groups))
    return tlv(6, bytes(encoded))


def _decode_oid(content: bytes) -> Oid:
    numbers, value = [content[0] // 40, content[0] % 40], 0
    for byte in content[1:]:
        value = value << 7 | byte & 127
        if byte < 128:
            numbers.append(value)
            value = 0
    return tuple(numbers)


def _read(data: bytes) -> tuple[int, bytes, bytes]:
    """Tag, content, rest."""
    size, start = data[1], 2
    if size > 127:
        start += size & 127
        size = int.from_bytes(data[2:start], "big")
    return data[0], data[start : start + size], data[start + size :]


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked."""

    community: bytes
    kind: int
    id: bytes
    second: int
    """Of GETBULK max-repetitions."""
    oids: tuple[Oid, ...]

    def answer(
        self,
        rows: Sequence[tuple[Oid, Value]],
        *,
        error: int = 0,
        id_: bytes | None = None,
        community: bytes | None = None,
    ) -> bytes:
        """The message that carries these rows."""
        bound = b"".join(tlv(0x30, _encode_oid(name) + tlv(*value)) for name, value in rows)
        pdu = tlv(2, self.id if id_ is None else id_) + tlv(2, bytes([error])) + tlv(2, b"\0") + tlv(0x30, bound)
        return tlv(
            0x30, b"\x02\x01\x01" + tlv(4, self.community if community is None else community) + tlv(RESPONSE, pdu)
        )


def parse(message: bytes) -> Question:
    """A question of the library under test, so well formed."""
    _, message, _ = _read(message)
    _, _, message = _read(message)
    _, community, message = _read(message)
    kind, pdu, _ = _read(message)
    _, id_, pdu = _read(pdu)
    _, _, pdu = _read(pdu)
    _, second, pdu = _read(pdu)
    _, bound, _ = _read(pdu)
    oids = []
    while bound:
        _, one, bound = _read(bound)
        oids.append(_decode_oid(_read(one)[1]))
    return Question(community, kind, id_, int.from_bytes(second, "big"), tuple(oids))


class Agent(UdpPeer):
    """Answers from `table`; `odd` may answer in its stead, or return None to let it."""

    def __init__(
        self, table: Mapping[str, Value], odd: Callable[[Question], list[bytes] | None] = lambda _: None
    ) -> None:
        super().__init__(answer=self._answer)
        self.put(table)
        self.odd = odd
        self.asked: list[Question] = []

    def put(self, table: Mapping[str, Value]) -> None:
        """What it has from now on."""
        self.table = {oid(name): value for name, value in table.items()}

    def rows(self, question: Question) -> list[tuple[Oid, Value]]:
        """The right answer."""
        if question.kind == GET:
            return [(each, self.table.get(each, NO_INSTANCE)) for each in question.oids]
        known = sorted(self.table)
        count = question.second if question.kind == GET_BULK else 1
        at = bisect_right(known, question.oids[0])
        found = [(each, self.table[each]) for each in known[at : at + count]]
        return found if len(found) == count else [*found, (found[-1][0] if found else question.oids[0], END_OF_VIEW)]

    def _answer(self, message: bytes) -> list[bytes]:
        question = parse(message)
        self.asked.append(question)
        odd = self.odd(question)
        return [question.answer(self.rows(question))] if odd is None else odd
