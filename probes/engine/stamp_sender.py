"""The near end of a media test: sends test packets at their times to a reflector, and takes what comes back (RFC 8762)."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import SecretStr

from monitor.core.model import Reason
from probes.engine.clock import clock
from probes.engine.drops import Drops
from probes.engine.marked_socket import MarkedSocket
from probes.registry import Result, failed, inconclusive
from probes.wire import stamp
from probes.wire.course import Trip

LAST_SECONDS = 1.0
"""A packet that is not back this long after the last was sent counts as lost."""
BEHIND_SECONDS = 0.25
"""A test that we sent later than this at some point was no call."""
LEAST_KEY = 16
"""Characters of a key."""
MOST_COPIES = 2
"""Replies that are taken of one packet, so that no flood of copies costs more than a call."""
AT_ONCE = 64


def check_key(value: SecretStr) -> SecretStr:
    """A key that is there is long enough; raises ValueError."""
    if 0 < len(value.get_secret_value().strip()) < LEAST_KEY:
        raise ValueError(f"a key has at least {LEAST_KEY} characters: openssl rand -hex 32")
    return value


def number(value: str) -> str:
    """An address of a reflector, or none; raises ValueError."""
    if value:
        ipaddress.ip_address(value)
    return value


def key_of(value: SecretStr) -> bytes:
    """The bytes of a key, without the line break that editors leave behind it."""
    return value.get_secret_value().strip().encode()


class Packet(NamedTuple):
    """One of a plan."""

    offset_seconds: float
    size: int
    """Of the UDP payload."""
    dscp: int


@dataclass(slots=True)
class Test:
    """What came of it so far."""

    __test__ = False  # pytest takes the name for its own

    sent: int = 0
    trips: list[Trip] = field(default_factory=list)
    """In the order that they came back."""
    dscp_there: Counter[tuple[int, int | None]] = field(default_factory=Counter)
    """How often a DSCP of ours arrived as which; None: the reflector does not say."""
    dscp_back: Counter[tuple[int, int]] = field(default_factory=Counter)
    hops: tuple[int, int] = (0, 0)
    """TTL that the last test packet had left at the reflector, and its reply here."""
    synchronised: bool = False
    """Both clocks are, so a delay one way is one."""
    error_seconds: float = 0.0
    """Of both clocks together."""
    strange: Counter[str] = field(default_factory=Counter)
    """Datagrams that are no reply to this test, by what is wrong with them."""
    refused: OSError | None = None
    """Why a packet could not be sent or delivered, …"""
    refused_by: str = ""
    """… and who said so."""
    behind_seconds: float = 0.0
    unsent: int = 0
    """Packets that our own host threw away: its queue was full (ip(7), of sockets with IP_RECVERR)."""
    dropped: int = 0


async def send(address: str, port: int, key: bytes, plan: Sequence[Packet]) -> Test:
    """Send a plan and wait for the last replies; raises OSError when the far end, or a hop on the way, refuses all."""
    sender = _Sender(address, port, key)
    try:
        return await sender.run(plan)
    finally:
        sender.close()


def trouble(test: Test, address: str, port: int) -> Result | None:
    """What there is to say instead of figures: our own trouble, or that nothing came back. None when there are figures."""
    if test.dropped:
        return inconclusive(Reason.LOCAL, f"we were too busy to read, and lost {test.dropped} packets ourselves")
    if test.unsent:
        return inconclusive(
            Reason.LOCAL, f"{test.unsent} of {test.sent} packets never left this host: its queue is full"
        )
    if test.behind_seconds > BEHIND_SECONDS:
        return inconclusive(Reason.LOCAL, f"we were too busy to send, up to {test.behind_seconds:.1f} s late")
    if test.trips:
        return None
    if test.strange:
        ((what, count),) = test.strange.most_common(1)
        reason = Reason.AUTH if what == UNSIGNED else Reason.PROTOCOL
        return failed(reason, f"{count} answers of {address} port {port}, and none is good: {what}")
    return failed(
        Reason.TIMEOUT,
        f"none of {test.sent} packets came back from {address} port {port}: no reflector, another key, or the way is cut",
    )


UNSIGNED = "not signed with our key"


class _Sender:
    def __init__(self, address: str, port: int, key: bytes) -> None:
        self._socket = MarkedSocket(ipaddress.ip_address(address).version)
        try:
            self._socket.socket.connect((address, port))  # the kernel lets only this address answer
        except OSError:
            self._socket.close()
            raise
        self._socket.hear_refusals()
        self._drops = Drops(self._socket.socket)
        self._key, self._session = key, secrets.randbelow(0xFFFF) + 1
        self._test = Test()
        self._sent: list[tuple[int, int]] = []
        """When, in ns of NTP as it stands in the packet, and with which DSCP, by sequence."""
        self._back: Counter[int] = Counter()
        self._news = asyncio.Event()
        """Something came."""

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()

    async def run(self, plan: Sequence[Packet]) -> Test:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._socket.fileno(), self._read)
        begin, padding, ours, test = loop.time(), secrets.token_bytes(1500), clock(), self._test
        marked = None
        for packet in plan:
            pause = begin + packet.offset_seconds - loop.time()
            if pause > 0:
                await asyncio.sleep(pause)
            test.behind_seconds = max(test.behind_seconds, -pause)
            if test.behind_seconds > BEHIND_SECONDS:
                return test  # no call any more: the rest would leave all at once
            if packet.dscp != marked:
                self._socket.mark(marked := packet.dscp)
            self._send(packet, padding, ours)
            self._stop_if_refused()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):
                while len(self._back) < test.sent:
                    self._news.clear()
                    await self._news.wait()
                    self._stop_if_refused()
        test.dropped = self._drops.new()
        test.synchronised &= ours.synchronised
        test.error_seconds += ours.error_seconds
        return test

    def _stop_if_refused(self) -> None:
        refused = self._test.refused
        if refused and not self._test.trips:
            hop = self._test.refused_by
            raise OSError(refused.errno, f"{refused.strerror}{f', says {hop}' if hop else ''}")

    def _send(self, packet: Packet, padding: bytes, ours: stamp.Clock) -> None:
        now = time.time_ns()
        test = stamp.TestPacket(
            sequence=len(self._sent), sent_ns=now, clock=ours, session=self._session, dscp=packet.dscp
        )
        data = stamp.encode(test, self._key, packet.size, padding)
        self._sent.append((stamp.from_ntp(stamp.to_ntp(now)), packet.dscp))
        self._test.sent += 1
        try:
            self._socket.socket.send(data)
        except OSError as error:  # of an earlier packet too: that nobody listens there
            if error.errno in (errno.ENOBUFS, errno.EAGAIN):
                self._test.unsent += 1
            else:
                self._refuse(error)

    def _read(self) -> None:
        for _ in range(AT_ONCE):
            try:
                arrival = self._socket.receive()
            except BlockingIOError:
                break
            except OSError as error:
                self._refuse(error)
                continue
            try:
                reply = stamp.decode(arrival.data, self._key)
            except stamp.UnsignedError:
                self._test.strange[UNSIGNED] += 1
            except stamp.ProtocolError:
                self._test.strange["not STAMP"] += 1
            else:
                self._take(reply, arrival.seen)
        self._hear()
        self._news.set()

    def _refuse(self, error: OSError) -> None:
        self._test.refused = error
        self._hear()

    def _hear(self) -> None:
        """Empty the queue of errors, or the loop would wake for it again and again."""
        with contextlib.suppress(BlockingIOError):
            while True:
                if (refusal := self._socket.refusal()) is not None:
                    self._test.refused_by = refusal.hop

    def _take(self, reply: stamp.Reply, seen: stamp.Seen) -> None:
        test = self._test
        ours = reply.session == self._session and reply.sequence < len(self._sent)
        if not ours or reply.sent_ns != self._sent[reply.sequence][0]:
            test.strange["of another test"] += 1
            return
        if self._back[reply.sequence] == MOST_COPIES or reply.place >= MOST_COPIES * len(self._sent):
            test.strange["more than was asked for"] += 1
            return
        self._back[reply.sequence] += 1
        dscp = self._sent[reply.sequence][1]
        test.trips.append(
            Trip(reply.sequence, reply.place, reply.sent_ns, reply.arrived_ns, reply.reflected_ns, seen.at_ns)
        )
        test.dscp_there[dscp, reply.dscp] += 1
        test.dscp_back[dscp, seen.dscp] += 1
        test.hops = (reply.ttl, seen.ttl)
        test.synchronised, test.error_seconds = reply.clock
