"""Continuous echo over all targets: each at its own interval, all over one socket a family.

A reply must carry our identifier, our nonce, a sequence in flight, and come from the address that was asked. A reply that is
overdue starts a burst of confirmation echoes, so that an outage is sure within about two seconds. What we ourselves miss,
because our buffer was full or the host was suspended, is no loss of a target.
"""

from __future__ import annotations

import asyncio
import heapq
import ipaddress
import logging
import secrets
import time
import zlib
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from monitor.core.model import Outcome, Reason
from probes.engine.echo_socket import EchoSocket
from probes.registry import Emit, Request, Result, failed, inconclusive, labelled, reason_of
from probes.wire import icmp

log = logging.getLogger(__name__)

RTT = labelled("probe_icmp_duration_seconds", phase="rtt")
JITTER = "probe_icmp_jitter_seconds"
HOP_LIMIT = "probe_icmp_reply_hop_limit"

NOT_ALLOWED = (
    "not allowed to send ICMP: give the daemon CAP_NET_RAW (systemd: AmbientCapabilities=CAP_NET_RAW), "
    "or allow its group the ping socket: sysctl net.ipv4.ping_group_range"
)

READS_AT_ONCE = 64
MOST_READS = 64
"""Times READS_AT_ONCE before anything expires: some 10 ms for whoever floods us, and then the loop has its turn."""
SENDS_AT_ONCE = 32
"""Then the loop may do other things: a slice, not a flood."""
SLOT_SECONDS = 0.05
"""What falls due and what comes within this time is done together: waking for each costs more than the echo itself, and the
kernel's stamps tell when a reply came."""

REOPEN_SECONDS = 60.0
"""A socket that could not be opened is tried again after this time: the administrator may have allowed it by then."""

BURST = 5
BURST_GAP_SECONDS = 0.1
BURST_PAUSE_SECONDS = 1.0
"""At most one burst in this time."""
OVERDUE_SECONDS = 0.25
OVERDUE_FACTOR = 3.0
"""A reply is overdue after this many usual round trips, and not before OVERDUE_SECONDS."""
REMEMBERED = 64
"""Sequences back that a reply may be late or a duplicate; before that it is foreign."""
SUSPENDED_SECONDS = 0.5
"""The host slept when its clock with and its clock without sleep moved apart by this much."""
SET_SECONDS = 0.001
"""The wall clock was set when it and the monotonic clock moved apart by this much; slewing moves both."""
HAPPENINGS = ("sent", "late", "duplicate", "foreign", "refused", "send-error", "turn-missed", "overflow", "suspended")
"""What is counted."""


@dataclass(slots=True)
class _Flight:
    """One echo under way."""

    watch: _Watch
    sequence: int
    sent_monotonic: float
    sent_wall_ns: int
    """0 when the wall clock was set since."""
    out_of_turn: bool


@dataclass(slots=True, eq=False)
class _Watch:
    """One target of the engine."""

    id: str
    number: int
    request: Request[Any]
    interval: float
    timeout: float
    version: int
    address: str
    due: float
    requests: icmp.Requests | None = None
    """Made with the first echo: on a ping socket the kernel chooses the identifier."""
    sequence: int = 0
    usual_rtt: float = 0.0
    last_rtt: float = -1.0
    jitter: float = 0.0
    burst_after: float = 0.0
    gone: bool = False
    expired: deque[int] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def measure(self, seconds: float) -> None:
        """Usual round trip, and jitter as RFC 3550 section 6.4.1 smooths it."""
        if self.last_rtt >= 0:
            self.jitter += (abs(seconds - self.last_rtt) - self.jitter) / 16
        self.last_rtt = seconds
        self.usual_rtt = 0.9 * self.usual_rtt + 0.1 * seconds if self.usual_rtt else seconds


class EchoStream:
    """The continuous echo over all targets."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._nonce = secrets.token_bytes(8)
        self._watches: dict[str, _Watch] = {}
        self._by_number: dict[int, _Watch] = {}
        """Also those that are gone, while their last echoes are under way: what answers these is not foreign."""
        self._by_address: dict[str, list[_Watch]] = {}
        self._sockets: dict[int, EchoSocket | Result] = {}
        self._turns: dict[float, deque[_Watch]] = {}
        """By interval, in the order of their turns: after its turn a target goes to the end, so nothing is ever sorted."""
        self._slipped: set[float] = set()
        """Intervals whose targets are not in order, for some have missed more turns than others."""
        self._extra: list[tuple[float, int, _Watch, int]] = []
        """Heap of (when, tie-breaker, watch, sequence that is overdue then, or 0 for an echo of a burst)."""
        self._reopen_at: dict[int, float] = {}
        self._planned = 0
        self._overflowed_at = -1.0
        """When we last learnt that the kernel threw replies away."""
        self._asleep = _asleep()
        self._ahead = _ahead()
        self._young: dict[int, _Flight] = {}
        """Echoes under way in the order of sending; most are answered before anybody looks at them again."""
        self._old: dict[float, dict[int, _Flight]] = {}
        """Those that are overdue, by time-out, in the same order."""
        self._next_number = 1
        self._changed = asyncio.Event()
        self.counters = dict.fromkeys(HAPPENINGS, 0)
        """Happenings since the start."""

    # -- what is watched ---------------------------------------------------------------------------------------------

    def update(self, requests: Mapping[str, tuple[Request[Any], float]]) -> None:
        """Replace the set of watched checks; a check whose request is the same object keeps its state."""
        for id_, watch in list(self._watches.items()):
            wanted = requests.get(id_)
            if wanted is None or wanted[0] is not watch.request or wanted[1] != watch.interval:
                watch.gone = True
                del self._watches[id_]
                self._by_address[watch.address].remove(watch)
                if not self._by_address[watch.address]:
                    del self._by_address[watch.address]
        answering = {
            flight.watch.number for flights in (self._young, *self._old.values()) for flight in flights.values()
        }
        self._by_number = {
            number: watch for number, watch in self._by_number.items() if not watch.gone or number in answering
        }
        now = time.monotonic()
        for id_, (request, interval) in requests.items():
            if id_ not in self._watches:
                self._add(id_, request, interval, now)
        turns: dict[float, list[_Watch]] = {}
        for watch in self._watches.values():
            turns.setdefault(watch.interval, []).append(watch)
        self._turns = {interval: deque(sorted(each, key=_due)) for interval, each in turns.items()}
        self._changed.set()

    def _add(self, id_: str, request: Request[Any], interval: float, now: float) -> None:
        try:
            address = ipaddress.ip_address(request.address)
        except ValueError:
            self._emit(id_, failed(Reason.NAME, f"icmp needs an IP address, not {request.address!r}"), 0.0)
            return
        number, self._next_number = self._next_number, self._next_number + 1
        watch = _Watch(
            id=id_, number=number, request=request, interval=interval, timeout=request.timeout_seconds,
            version=address.version, address=str(address), due=now + zlib.crc32(id_.encode()) / 2**32 * interval,
        )  # fmt: skip
        self._watches[id_] = self._by_number[number] = watch
        self._by_address.setdefault(watch.address, []).append(watch)

    def recheck(self, check_id: str) -> None:
        """Be sure sooner: a burst of echoes now."""
        watch = self._watches.get(check_id)
        if watch is not None:
            self._burst(watch, time.monotonic())
            self._changed.set()

    # -- time --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Watch until cancelled; the sockets are closed at the end."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._changed.clear()
                worked = self._work(time.monotonic())
                if worked:
                    await asyncio.sleep(0)
                    continue
                await self._pause(loop)
        finally:
            for each in self._sockets.values():
                if isinstance(each, EchoSocket):
                    each.socket.close()
            self._sockets.clear()

    async def _pause(self, loop: asyncio.AbstractEventLoop) -> None:
        """Until the next slot, or until something is due when nothing is under way, or until the targets change."""
        due = self._next_due()
        under_way = self._young or any(self._old.values())
        wait = SLOT_SECONDS if due is None or under_way else due - time.monotonic()
        waker = loop.call_later(max(SLOT_SECONDS, wait), self._changed.set) if self._watches else None
        try:
            await self._changed.wait()
        finally:
            if waker is not None:
                waker.cancel()

    def _next_due(self) -> float | None:
        heads = [queue[0].due for queue in self._turns.values() if queue]
        if self._extra:
            heads.append(self._extra[0][0])
        return min(heads, default=None)

    def _plan(self, at: float, watch: _Watch, sequence: int = 0) -> None:
        self._planned += 1
        heapq.heappush(self._extra, (at, self._planned, watch, sequence))

    def _work(self, now: float) -> bool:
        """A slice of what is due; True when there may be more."""
        self._forget_if_suspended()
        self._distrust_if_set()
        expiring = any(_first_before(old, now - timeout) for timeout, old in self._old.items())
        more = False
        for each in self._sockets.values():
            if isinstance(each, EchoSocket):
                unread = self._read(each)
                for _ in range(MOST_READS if expiring else 0):  # what waits in the socket since we were busy is no loss
                    if not unread:
                        break
                    unread = self._read(each)
                more |= unread
                if expiring:
                    self._note_overflow(each, now, unread=unread)
        self._look_after(now)
        if expiring:
            self._expire_due(now)
        more |= self._take_extra(now)
        for interval in self._turns:
            more |= self._take_turns(interval, now)
        return more

    def _forget_if_suspended(self) -> None:
        """What was under way when the host went to sleep says nothing about its target."""
        asleep = _asleep()
        if asleep - self._asleep > SUSPENDED_SECONDS:
            for flights in (self._young, *self._old.values()):
                self.counters["suspended"] += len(flights)
                for flight in flights.values():
                    flight.watch.expired.append(flight.sequence)
                flights.clear()
        self._asleep = asleep

    def _distrust_if_set(self) -> None:
        """What was under way when the wall clock was set has no round trip: the kernel's stamps are of that clock."""
        ahead = _ahead()
        if ahead is None:  # the next slot will tell
            return
        if self._ahead is not None and abs(ahead - self._ahead) > SET_SECONDS:
            for flights in (self._young, *self._old.values()):
                for flight in flights.values():
                    flight.sent_wall_ns = 0
        self._ahead = ahead

    def _take_extra(self, now: float) -> bool:
        extra = self._extra
        for _ in range(SENDS_AT_ONCE):
            if not extra or extra[0][0] > now:
                return False
            _, _, watch, sequence = heapq.heappop(extra)
            if watch.gone:
                continue
            if not sequence:
                self._send(watch, out_of_turn=True)
            elif _key(watch, sequence) in self._old.get(watch.timeout, ()):
                self._burst(watch, now)
        return True

    def _take_turns(self, interval: float, now: float) -> bool:
        queue = self._turns[interval]
        for _ in range(SENDS_AT_ONCE):
            if not queue or queue[0].due > now:
                break
            watch, last = queue[0], queue[-1].due
            self._send(watch, out_of_turn=False)
            behind = int((now - watch.due) / interval)
            watch.due += (behind + 1) * interval
            queue.rotate(-1)
            self.counters["turn-missed"] += behind
            if watch.due < last:
                self._slipped.add(interval)
        if (
            queue and queue[0].due > now and interval in self._slipped
        ):  # caught up: sorting each batch would keep us behind
            self._slipped.discard(interval)
            self._turns[interval] = queue = deque(sorted(queue, key=_due))
        return bool(queue) and queue[0].due <= now

    def _look_after(self, now: float) -> None:
        """Start the burst for replies that are overdue; on a slow line they have longer."""
        while flight := _first_before(self._young, now - OVERDUE_SECONDS):
            watch, key = flight.watch, _key(flight.watch, flight.sequence)
            self._old_of(watch.timeout)[key] = self._young.pop(key)
            if flight.out_of_turn or watch.gone or not watch.usual_rtt:
                continue
            slower = OVERDUE_FACTOR * watch.usual_rtt - OVERDUE_SECONDS
            if slower <= 0:
                self._burst(watch, now)
            elif slower + OVERDUE_SECONDS < watch.timeout:
                self._plan(flight.sent_monotonic + OVERDUE_SECONDS + slower, watch, flight.sequence)

    def _old_of(self, timeout: float) -> dict[int, _Flight]:
        old = self._old.get(timeout)
        if old is None:
            old = self._old[timeout] = {}
        return old

    def _expire_due(self, now: float) -> None:
        for timeout, old in self._old.items():
            while flight := _first_before(old, now - timeout):
                del old[_key(flight.watch, flight.sequence)]
                if not flight.watch.gone:
                    self._expire(flight)

    def _burst(self, watch: _Watch, now: float) -> None:
        if now < watch.burst_after:
            return
        watch.burst_after = now + BURST_PAUSE_SECONDS
        for index in range(BURST):
            self._plan(now + index * BURST_GAP_SECONDS, watch)

    # -- sending -----------------------------------------------------------------------------------------------------

    def _socket(self, version: int) -> EchoSocket | Result:
        known = self._sockets.get(version)
        if known is None or (isinstance(known, Result) and time.monotonic() >= self._reopen_at[version]):
            known = self._sockets[version] = self._open(version)
            self._reopen_at[version] = time.monotonic() + REOPEN_SECONDS
        return known

    def _open(self, version: int) -> EchoSocket | Result:
        try:
            opened = EchoSocket(version)
        except PermissionError:
            log.error("%s", NOT_ALLOWED)  # noqa: TRY400  a matter of the host, the traceback says nothing
            return inconclusive(Reason.PERMISSION, NOT_ALLOWED)
        except OSError as error:
            return inconclusive(Reason.LOCAL, f"no IPv{version} echo socket: {error.strerror}")
        if not opened.raw:
            log.warning("no CAP_NET_RAW: echo goes over the ping socket")
        return opened

    def _send(self, watch: _Watch, *, out_of_turn: bool) -> None:
        opened = self._socket(watch.version)
        if isinstance(opened, Result):
            self._emit(watch.id, opened, 0.0)
            return
        if watch.requests is None:
            size = watch.request.options.size
            watch.requests = icmp.Requests(watch.version, opened.identifier, self._nonce, watch.number, size)
        watch.sequence = sequence = watch.sequence % 0xFFFF + 1  # never 0
        packet = watch.requests.at(sequence)
        flight = _Flight(watch, sequence, time.monotonic(), time.time_ns(), out_of_turn)
        try:
            opened.send(packet, watch.address)
        except OSError as error:
            self.counters["send-error"] += 1
            self._emit(watch.id, of_send_error(error, out_of_turn=out_of_turn), 0.0)
            return
        self.counters["sent"] += 1
        flights = self._young if watch.timeout > OVERDUE_SECONDS else self._old_of(watch.timeout)
        flights[_key(watch, sequence)] = flight

    def _landed(self, watch: _Watch, sequence: int) -> _Flight | None:
        """Take an echo out of those under way."""
        key = _key(watch, sequence)
        return self._young.pop(key, None) or self._old_of(watch.timeout).pop(key, None)

    def _expire(self, flight: _Flight) -> None:
        watch = flight.watch
        watch.expired.append(flight.sequence)
        if flight.sent_monotonic <= self._overflowed_at:
            self._emit(watch.id, inconclusive(Reason.LOCAL, "our own buffer for replies was full"), watch.timeout)
            return
        if not flight.out_of_turn:
            watch.usual_rtt = 0.0  # no bursts towards what is known to be silent
        evidence = f"no echo from {watch.address} within {watch.timeout:g} s"
        self._emit(watch.id, failed(Reason.TIMEOUT, evidence, out_of_turn=flight.out_of_turn), watch.timeout)

    # -- receiving ---------------------------------------------------------------------------------------------------

    def _read(self, opened: EchoSocket) -> bool:
        """Read what is there, as much as one turn of the loop may take; True when there may be more."""
        for _ in range(READS_AT_ONCE):
            try:
                parsed, sender, arrived = opened.receive()
            except BlockingIOError:
                return False
            except OSError:  # on a ping socket it announces an ICMP error, which waits in the error queue
                continue
            if isinstance(parsed, icmp.EchoReply):
                self._answered(opened, parsed, sender, arrived)
            elif parsed is not None:
                self._refused(opened, parsed, sender)
        return True

    def _note_overflow(self, opened: EchoSocket, now: float, *, unread: bool) -> None:
        """Replies may be lost that came: thrown away by the kernel, or unread behind somebody's flood."""
        if unread:
            self.counters["overflow"] += 1
            self._overflowed_at = now
        if lost := opened.drops.new():
            self.counters["overflow"] += lost
            self._overflowed_at = now

    def _answered(self, opened: EchoSocket, reply: icmp.EchoReply, sender: str, arrived: int) -> None:
        watch = self._whose(opened, reply, sender)
        if watch is None:
            self.counters["foreign"] += 1
            return
        flight = self._landed(watch, reply.sequence)
        if flight is None:
            self.counters[_known(watch, reply.sequence)] += 1
            return
        if watch.gone:
            return
        ours = time.monotonic() - flight.sent_monotonic
        seconds = _round_trip(flight, arrived, ours)
        values = {}
        if seconds is None:
            evidence = f"echo from {sender}, and our clock was set meanwhile"
        else:
            watch.measure(seconds)
            values = {RTT: seconds, JITTER: watch.jitter}
            evidence = f"echo from {sender} in {seconds * 1000:.2f} ms"
        if reply.hop_limit is not None:
            values[HOP_LIMIT] = float(reply.hop_limit)
        result = Result(outcome=Outcome.OK, values=values, evidence=evidence, out_of_turn=flight.out_of_turn)
        self._emit(watch.id, result, ours if seconds is None else seconds)

    def _whose(self, opened: EchoSocket, reply: icmp.EchoReply, sender: str) -> _Watch | None:
        if reply.identifier != opened.identifier or len(reply.payload) < icmp.PAYLOAD.size:
            return None
        nonce, number, sequence = icmp.PAYLOAD.unpack_from(reply.payload)
        watch = self._by_number.get(number)
        if nonce != self._nonce or sequence != reply.sequence or watch is None or sender != watch.address:
            return None
        return watch

    def _refused(self, opened: EchoSocket, error: icmp.EchoError, hop: str) -> None:
        quoted = error.payload[: len(self._nonce)]
        if error.identifier != opened.identifier or (quoted and not self._nonce.startswith(quoted)):
            self.counters["foreign"] += 1
            return
        for watch in self._asked(error):
            flight = self._landed(watch, error.sequence)
            if flight is None or watch.gone:
                continue
            self.counters["refused"] += 1
            watch.expired.append(error.sequence)
            evidence = f"{hop} says about {watch.address}: {error.says}"
            seconds = time.monotonic() - flight.sent_monotonic
            self._emit(watch.id, failed(Reason.UNREACHABLE, evidence, out_of_turn=flight.out_of_turn), seconds)
            if not flight.out_of_turn and watch.usual_rtt:
                watch.usual_rtt = 0.0
                self._burst(watch, time.monotonic())
            return

    def _asked(self, error: icmp.EchoError) -> Iterable[_Watch]:
        """Whose echo was refused; of a hop that quotes no more than it must (RFC 792), all that ask this address."""
        if len(error.payload) < icmp.PAYLOAD.size:
            return self._by_address.get(error.destination, ())
        _, number, _ = icmp.PAYLOAD.unpack_from(error.payload)
        watch = self._by_number.get(number)
        return () if watch is None or watch.address != error.destination else (watch,)


def _key(watch: _Watch, sequence: int) -> int:
    return watch.number << 16 | sequence


def _first_before(flights: dict[int, _Flight], then: float) -> _Flight | None:
    """The echo that was sent first, when that was not after `then`."""
    for flight in flights.values():
        return flight if flight.sent_monotonic <= then else None
    return None


def _due(watch: _Watch) -> float:
    return watch.due


def _asleep() -> float:
    """Seconds that the host has slept since its boot, and an offset that does not matter."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()


def _known(watch: _Watch, sequence: int) -> str:
    """What a reply is whose echo is not under way."""
    if sequence in watch.expired:
        return "late"
    return "duplicate" if (watch.sequence - sequence) % 0xFFFF < REMEMBERED else "foreign"


def _ahead() -> float | None:
    """Seconds that the wall clock is ahead of the monotonic one; None when we were interrupted between reading them."""
    before = time.monotonic()
    ahead = time.time() - before
    return ahead if time.monotonic() - before < SET_SECONDS / 2 else None


def _round_trip(flight: _Flight, arrived_wall_ns: int, ours: float) -> float | None:
    """Seconds from send to arrival by the kernel's stamp, not more than `ours`; None when the wall clock was set in between."""
    if not arrived_wall_ns:
        return ours
    kernels = (arrived_wall_ns - flight.sent_wall_ns) / 1e9
    return kernels if 0 <= kernels <= ours + SET_SECONDS else None


def of_send_error(error: OSError, *, out_of_turn: bool) -> Result:
    """An echo that could not be sent: no way there is a failure, everything else our own trouble."""
    reason = reason_of(error)
    if reason is Reason.UNREACHABLE:
        return failed(reason, f"our own host has no way there: {error.strerror}", out_of_turn=out_of_turn)
    return inconclusive(reason, f"the echo could not be sent: {error.strerror}")
