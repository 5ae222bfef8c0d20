"""The far end of a media test: sends every signed test packet back, with when and how it arrived (RFC 8762, RFC 8972).

Of no use to attack others by: what is not signed with a key of ours gets no answer, an answer is as long as its question, and both a
source and all together have a rate that is never exceeded. It keeps a number for each session, so that losses there and back
are told apart; nothing is written anywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from monitor.core.bucket import Bucket
from probes.engine.clock import clock
from probes.engine.marked_socket import Arrival, MarkedSocket
from probes.wire import stamp

log = logging.getLogger(__name__)

PORT = 862
"""Of STAMP (RFC 8762 section 4.1)."""
A_SECOND = 2000.0
"""Packets of one source: a daemon with eight video calls at a time (`media.at_once`) sends some 1,700."""
A_SECOND_IN_ALL = 4000.0
MOST_SESSIONS = 1024
"""The one that was quiet for longest is forgotten."""
IDLE_SECONDS = 60.0
"""A session that was quiet for so long begins anew."""
AT_ONCE = 64
"""Datagrams of one socket before the other has its turn."""
TOLD_SECONDS = 300.0
CLOCK_SECONDS = 10.0
"""How often the kernel is asked how true its clock is."""

V = TypeVar("V")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(slots=True)
class _Session:
    place: int = 0
    at: float = 0.0


class _Latest(OrderedDict[Hashable, V]):
    """The newest MOST_SESSIONS of something by key."""

    def get_or_make(self, key: Hashable, make: Callable[[], V]) -> V:
        found = self.get(key)
        if found is None:
            found = self[key] = make()
            if len(self) > MOST_SESSIONS:
                self.popitem(last=False)
        else:
            self.move_to_end(key)
        return found


class Reflector:
    """Answers on the addresses it was given, until cancelled."""

    def __init__(
        self,
        listen: Sequence[tuple[str, int]],
        keys: Sequence[bytes],
        networks: Sequence[Network] = (),
        *,
        a_second: float = A_SECOND,
        a_second_in_all: float = A_SECOND_IN_ALL,
    ) -> None:
        """Opens the sockets; raises OSError. Who signs with one of `keys` is answered; without any, who asks from `networks`."""
        if not keys and not networks:
            raise ValueError("a reflector without a key answers only networks that are named")
        self._keys, self._networks, self._a_second = keys, networks, a_second
        self._all = Bucket(a_second_in_all, a_second_in_all)
        self._sources: _Latest[Bucket] = _Latest()
        self._sessions: _Latest[_Session] = _Latest()
        self._clock = clock()
        self.sockets: list[MarkedSocket] = []
        self.counts: Counter[str] = Counter()
        """Packets by what became of them: answered, malformed, unsigned, foreign, limited, unsendable."""
        try:
            for host, port in listen:
                opened = MarkedSocket(ipaddress.ip_address(host).version)
                self.sockets.append(opened)
                opened.socket.bind((host, port))
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Give the ports back."""
        for each in self.sockets:
            each.close()

    async def run(self) -> None:
        """Answer until cancelled; tells in the log what came of it, now and then and in the end."""
        loop = asyncio.get_running_loop()
        for each in self.sockets:
            loop.add_reader(each.fileno(), self._read, each)
            log.info("reflecting at %s port %d", *each.socket.getsockname()[:2])
        told: dict[str, int] = {}
        due = loop.time() + TOLD_SECONDS
        try:
            while True:
                await asyncio.sleep(CLOCK_SECONDS)
                self._clock = clock()
                if loop.time() >= due and told != self.counts:
                    due, told = loop.time() + TOLD_SECONDS, dict(self.counts)
                    self._tell()
        finally:
            for each in self.sockets:
                loop.remove_reader(each.fileno())
            self.close()
            self._tell()

    def _tell(self) -> None:
        counts = ", ".join(f"{count} {what}" for what, count in sorted(self.counts.items()))
        log.info("packets so far: %s", counts or "none")

    def _read(self, opened: MarkedSocket) -> None:
        for _ in range(AT_ONCE):
            try:
                arrival = opened.receive()
            except BlockingIOError:
                return
            except OSError:
                continue  # what a network on the way says of an answer
            self.counts[self._take(opened, arrival)] += 1

    def _take(self, opened: MarkedSocket, arrival: Arrival) -> str:
        """Answer, or not; returns what became of it."""
        if not self._keys and not self._named(arrival.sender[0]):
            return "foreign"
        try:
            test, key = self._received(arrival.data)
        except stamp.UnsignedError:
            return "unsigned"
        except stamp.ProtocolError:
            return "malformed"
        now = time.monotonic()
        source = self._sources.get_or_make(arrival.sender[0], lambda: Bucket(self._a_second, self._a_second))
        if not (source.take(now) and self._all.take(now)):
            return "limited"
        session = self._sessions.get_or_make((arrival.sender[:2], test.session), _Session)
        if now - session.at > IDLE_SECONDS:
            session.place = 0
        session.at = now
        reply, dscp = stamp.reflect(test, key, session.place, arrival.seen, time.time_ns(), self._clock)
        session.place += 1
        try:
            opened.answer(arrival, reply, dscp)
        except OSError:
            return "unsendable"
        return "answered"

    def _received(self, data: bytes) -> tuple[stamp.Received, bytes]:
        """The test packet, and the key that it is signed with; raises ProtocolError."""
        first, *others = self._keys or (b"",)
        try:
            return stamp.receive(data, first), first
        except stamp.UnsignedError:
            for key in others:
                with contextlib.suppress(stamp.UnsignedError):
                    return stamp.receive(data, key), key
            raise

    def _named(self, host: str) -> bool:
        address = ipaddress.ip_address(host.partition("%")[0])
        return any(address in network for network in self._networks)
