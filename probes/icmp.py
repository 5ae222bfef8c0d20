"""Is the address there, and how good is the way to it? Continuous echo (RFC 792, RFC 4443) over one socket a family.

The kernel filters what is not ours and stamps each arrival, so a busy event loop neither looks like a slow line nor loses
replies. A reply must carry our identifier, our nonce, a sequence in flight, and come from the address that was asked.
A reply that is overdue starts a burst of confirmation echoes, so that an outage is sure within about two seconds.
"""

from __future__ import annotations

import asyncio
import ctypes
import heapq
import ipaddress
import logging
import secrets
import socket
import struct
import time
import zlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import icmplib
from pydantic import Field

from monitor.core.model import Reason
from probes.registry import (
    Emit,
    Metric,
    Options,
    Request,
    Result,
    failed,
    inconclusive,
    labelled,
    ok,
    probe,
    reason_of,
)
from probes.wire import icmp

log = logging.getLogger(__name__)

RTT = labelled("probe_icmp_duration_seconds", phase="rtt")
HOP_LIMIT = "probe_icmp_reply_hop_limit"

NOT_ALLOWED = (
    "not allowed to send ICMP: give the daemon CAP_NET_RAW (systemd: AmbientCapabilities=CAP_NET_RAW), "
    "or allow its group the ping socket: sysctl net.ipv4.ping_group_range"
)

SO_TIMESTAMPNS = 35
SO_ATTACH_FILTER = 26
SO_RCVBUFFORCE = 33
RECEIVE_BUFFER = 4 << 20
READS_AT_ONCE = 64
SENDS_AT_ONCE = 32
"""Then the loop may do other things: a slice, not a flood."""
SLOT_SECONDS = 0.005
"""What falls due within this time is done together: waking for each echo would cost more than sending it."""

BURST = 5
BURST_GAP_SECONDS = 0.1
BURST_PAUSE_SECONDS = 1.0
"""At most one burst in this time."""
OVERDUE_SECONDS = 0.25
OVERDUE_FACTOR = 3.0
"""A reply is overdue after this many usual round trips, and not before OVERDUE_SECONDS."""
REMEMBERED = 64
"""Sequences a target remembers, to tell late and duplicate replies from foreign ones."""


class IcmpOptions(Options):
    """How large the echo is."""

    size: int = Field(56, ge=icmp.PAYLOAD.size, le=1472, description="bytes of payload")


# -- the engine ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Flight:
    """One echo under way."""

    sent_monotonic: float
    sent_wall_ns: int
    out_of_turn: bool


@dataclass(slots=True, eq=False)
class _Watch:
    """One target of the engine."""

    id: str
    number: int
    request: Request[IcmpOptions]
    interval: float
    version: int
    address: str
    padding: bytes
    due: float = 0.0
    sequence: int = 0
    usual_rtt: float = 0.0
    burst_after: float = 0.0
    gone: bool = False
    flights: dict[int, _Flight] = field(default_factory=dict)
    expired: deque[int] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    answered: deque[int] = field(default_factory=lambda: deque(maxlen=REMEMBERED))


_TURN, _BURST, _OVERDUE = range(3)
"""What can be due."""


class _Socket:
    """One open echo socket: raw where that is allowed, else the kernel's ping socket."""

    def __init__(self, version: int) -> None:
        """Raises PermissionError when neither is allowed, OSError when the family is missing."""
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        protocol = socket.IPPROTO_ICMP if version == 4 else socket.IPPROTO_ICMPV6
        self.version = version
        try:
            self.socket = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
            self.raw = True
        except PermissionError:
            self.socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, protocol)
            self.raw = False
        if self.raw:
            self.identifier = secrets.randbelow(0xFFFF) + 1
            self._filter()
        else:
            self.socket.bind(("::" if version == 6 else "0.0.0.0", 0))  # noqa: S104  the kernel chooses the identifier
            self.identifier = self.socket.getsockname()[1]
        self._widen()

    def _filter(self) -> None:
        program = icmp.filter_program(self.version, self.identifier)
        code = ctypes.create_string_buffer(program, len(program))
        head = struct.pack("HP", len(program) // 8, ctypes.addressof(code))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, head)

    def _widen(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        except PermissionError:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)

    def send(self, sequence: int, payload: bytes, address: str) -> None:
        self.socket.sendto(icmp.echo_request(self.version, self.identifier, sequence, payload), (address, 0))

    def receive(self) -> tuple[icmp.EchoReply | icmp.EchoError | None, str, int]:
        """One message, its sender and when it arrived (wall clock, ns); raises BlockingIOError."""
        data, ancillary, _, sender = self.socket.recvmsg(2048, 64)
        arrived = 0
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(content) >= 16:
                seconds, nanoseconds = struct.unpack_from("qq", content)
                arrived = seconds * 1_000_000_000 + nanoseconds
        parsed = icmp.parse_ip4(data) if self.raw and self.version == 4 else icmp.parse(self.version, data)
        return parsed, str(sender[0]), arrived


class EchoStream:
    """The continuous echo over all targets."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._nonce = secrets.token_bytes(8)
        self._watches: dict[str, _Watch] = {}
        self._by_number: dict[int, _Watch] = {}
        self._by_address: dict[str, list[_Watch]] = {}
        self._sockets: dict[int, _Socket | Result] = {}
        self._agenda: list[tuple[float, int, int, _Watch, int]] = []
        """Heap of (when, tie-breaker, what, watch, sequence)."""
        self._planned = 0
        self._waiting: deque[tuple[float, _Watch, int]] = deque()
        """Echoes in the order of sending, with the time at which each is first looked after."""
        self._expiring: dict[float, deque[tuple[float, _Watch, int]]] = {}
        """Echoes in the order of expiring, by time-out."""
        self._next_number = 1
        self._changed = asyncio.Event()
        self.counters = dict.fromkeys(
            ("sent", "late", "duplicate", "foreign", "refused", "send-error", "turn-missed"), 0
        )
        """Happenings since the start."""

    # -- what is watched ---------------------------------------------------------------------------------------------

    def update(self, requests: Mapping[str, tuple[Request[Any], float]]) -> None:
        """Replace the set of watched checks; a check whose request is the same object keeps its state."""
        for id_, watch in list(self._watches.items()):
            wanted = requests.get(id_)
            if wanted is None or wanted[0] is not watch.request or wanted[1] != watch.interval:
                watch.gone = True
                del self._watches[id_], self._by_number[watch.number]
                self._by_address[watch.address].remove(watch)
                if not self._by_address[watch.address]:
                    del self._by_address[watch.address]
        now = time.monotonic()
        for id_, (request, interval) in requests.items():
            if id_ not in self._watches:
                self._add(id_, request, interval, now)
        self._changed.set()

    def _add(self, id_: str, request: Request[IcmpOptions], interval: float, now: float) -> None:
        try:
            address = ipaddress.ip_address(request.address)
        except ValueError:
            self._emit(id_, failed(Reason.NAME, f"icmp needs an IP address, not {request.address!r}"), 0.0)
            return
        number, self._next_number = self._next_number, self._next_number + 1
        watch = _Watch(
            id=id_, number=number, request=request, interval=interval, version=address.version, address=str(address),
            padding=bytes(request.options.size - icmp.PAYLOAD.size),
            due=now + zlib.crc32(id_.encode()) / 2**32 * interval,
        )  # fmt: skip
        self._watches[id_] = self._by_number[number] = watch
        self._by_address.setdefault(watch.address, []).append(watch)
        self._plan(watch.due, _TURN, watch)

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
                if isinstance(each, _Socket):
                    loop.remove_reader(each.socket.fileno())
                    each.socket.close()
            self._sockets.clear()

    async def _pause(self, loop: asyncio.AbstractEventLoop) -> None:
        """Until something is due, or the targets change."""
        due = self._next_due()
        now = time.monotonic()
        waker = loop.call_later(max(SLOT_SECONDS, due - now), self._changed.set) if due is not None else None
        try:
            await self._changed.wait()
        finally:
            if waker is not None:
                waker.cancel()

    def _next_due(self) -> float | None:
        heads = [queue[0][0] for queue in (self._waiting, *self._expiring.values()) if queue]
        if self._agenda:
            heads.append(self._agenda[0][0])
        return min(heads, default=None)

    def _plan(self, at: float, what: int, watch: _Watch, sequence: int = 0) -> None:
        self._planned += 1
        heapq.heappush(self._agenda, (at, self._planned, what, watch, sequence))

    def _work(self, now: float) -> bool:
        """A slice of what is due; True when there may be more."""
        self._look_after(now)
        if any(queue and queue[0][0] <= now for queue in self._expiring.values()):
            # Replies that wait in the sockets while we were busy are no losses: read them before anything expires.
            for each in list(self._sockets.values()):
                if isinstance(each, _Socket):
                    while self._read(each):
                        pass
            self._expire_due(now)
        agenda = self._agenda
        for _ in range(SENDS_AT_ONCE):
            if not agenda or agenda[0][0] > now:
                return False
            _, _, what, watch, sequence = heapq.heappop(agenda)
            if watch.gone:
                continue
            if what == _TURN:
                self._turn(watch, now)
            elif what == _BURST:
                self._send(watch, now, out_of_turn=True)
            elif sequence in watch.flights:
                self._burst(watch, now)
        return True

    def _look_after(self, now: float) -> None:
        """Start the burst for replies that are overdue; on a slow line they have longer."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= now:
            at, watch, sequence = waiting.popleft()
            if sequence not in watch.flights or watch.gone or not watch.usual_rtt:
                continue
            slower = OVERDUE_FACTOR * watch.usual_rtt - OVERDUE_SECONDS
            if slower <= 0:
                self._burst(watch, now)
            elif slower + OVERDUE_SECONDS < watch.request.timeout_seconds:
                self._plan(at + slower, _OVERDUE, watch, sequence)

    def _expire_due(self, now: float) -> None:
        for queue in self._expiring.values():
            while queue and queue[0][0] <= now:
                _, watch, sequence = queue.popleft()
                if not watch.gone:
                    self._expire(watch, sequence)

    def _turn(self, watch: _Watch, now: float) -> None:
        self._send(watch, now, out_of_turn=False)
        behind = int((now - watch.due) / watch.interval)
        self.counters["turn-missed"] += behind
        watch.due += (behind + 1) * watch.interval
        self._plan(watch.due, _TURN, watch)

    def _burst(self, watch: _Watch, now: float) -> None:
        if now < watch.burst_after:
            return
        watch.burst_after = now + BURST_PAUSE_SECONDS
        for index in range(BURST):
            self._plan(now + index * BURST_GAP_SECONDS, _BURST, watch)

    # -- sending -----------------------------------------------------------------------------------------------------

    def _socket(self, version: int) -> _Socket | Result:
        known = self._sockets.get(version)
        if known is None:
            known = self._sockets[version] = self._open(version)
        return known

    def _open(self, version: int) -> _Socket | Result:
        try:
            opened = _Socket(version)
        except PermissionError:
            log.error("%s", NOT_ALLOWED)  # noqa: TRY400  a matter of the host, the traceback says nothing
            return inconclusive(Reason.PERMISSION, NOT_ALLOWED)
        except OSError as error:
            return inconclusive(Reason.LOCAL, f"no IPv{version} echo socket: {error.strerror}")
        asyncio.get_running_loop().add_reader(opened.socket.fileno(), self._read, opened)
        if not opened.raw:
            log.warning("no CAP_NET_RAW: echo goes over the ping socket; which hop refuses an echo is then not seen")
        return opened

    def _send(self, watch: _Watch, now: float, *, out_of_turn: bool) -> None:
        opened = self._socket(watch.version)
        if isinstance(opened, Result):
            self._emit(watch.id, opened, 0.0)
            return
        watch.sequence = sequence = (watch.sequence + 1) & 0xFFFF
        payload = icmp.PAYLOAD.pack(self._nonce, watch.number, sequence) + watch.padding
        flight = _Flight(time.monotonic(), time.time_ns(), out_of_turn)
        try:
            opened.send(sequence, payload, watch.address)
        except OSError as error:
            self.counters["send-error"] += 1
            self._emit(watch.id, _of_send_error(error, out_of_turn=out_of_turn), 0.0)
            return
        self.counters["sent"] += 1
        watch.flights[sequence] = flight
        timeout = watch.request.timeout_seconds
        if not out_of_turn and timeout > OVERDUE_SECONDS:
            self._waiting.append((now + OVERDUE_SECONDS, watch, sequence))
        queue = self._expiring.get(timeout)
        if queue is None:
            queue = self._expiring[timeout] = deque()
        queue.append((now + timeout, watch, sequence))

    def _expire(self, watch: _Watch, sequence: int) -> None:
        flight = watch.flights.pop(sequence, None)
        if flight is None:
            return
        watch.expired.append(sequence)
        watch.usual_rtt = (
            0.0 if not flight.out_of_turn else watch.usual_rtt
        )  # no bursts towards what is known to be silent
        timeout = watch.request.timeout_seconds
        evidence = f"no echo from {watch.address} within {timeout:g} s"
        self._emit(watch.id, failed(Reason.TIMEOUT, evidence, out_of_turn=flight.out_of_turn), timeout)

    # -- receiving ---------------------------------------------------------------------------------------------------

    def _read(self, opened: _Socket) -> bool:
        """Read what is there, as much as one turn of the loop may take; True when there may be more."""
        for _ in range(READS_AT_ONCE):
            try:
                parsed, sender, arrived = opened.receive()
            except BlockingIOError:
                return False
            except OSError as error:  # an ICMP error that the kernel hands to a ping socket
                log.debug("echo socket: %s", error)
                continue
            if isinstance(parsed, icmp.EchoReply):
                self._answered(opened, parsed, sender, arrived)
            elif parsed is not None:
                self._refused(opened, parsed, sender)
        return True

    def _answered(self, opened: _Socket, reply: icmp.EchoReply, sender: str, arrived: int) -> None:
        watch = self._whose(opened, reply, sender)
        if watch is None:
            self.counters["foreign"] += 1
            return
        flight = watch.flights.pop(reply.sequence, None)
        if flight is None:
            known = (
                "late"
                if reply.sequence in watch.expired
                else "duplicate"
                if reply.sequence in watch.answered
                else "foreign"
            )
            self.counters[known] += 1
            return
        watch.answered.append(reply.sequence)
        seconds = _round_trip(flight, arrived)
        watch.usual_rtt = seconds if not watch.usual_rtt else 0.9 * watch.usual_rtt + 0.1 * seconds
        values = {RTT: seconds}
        if reply.hop_limit is not None:
            values[HOP_LIMIT] = float(reply.hop_limit)
        evidence = f"echo from {sender} in {seconds * 1000:.2f} ms"
        result = Result(outcome=_OK, values=values, evidence=evidence, out_of_turn=flight.out_of_turn)
        self._emit(watch.id, result, seconds)

    def _whose(self, opened: _Socket, reply: icmp.EchoReply, sender: str) -> _Watch | None:
        if reply.identifier != opened.identifier or len(reply.payload) < icmp.PAYLOAD.size:
            return None
        nonce, number, sequence = icmp.PAYLOAD.unpack_from(reply.payload)
        watch = self._by_number.get(number)
        if nonce != self._nonce or sequence != reply.sequence or watch is None or sender != watch.address:
            return None
        return watch

    def _refused(self, opened: _Socket, error: icmp.EchoError, hop: str) -> None:
        quoted = error.payload[: len(self._nonce)]
        if error.identifier != opened.identifier or (quoted and not self._nonce.startswith(quoted)):
            self.counters["foreign"] += 1
            return
        for watch in self._by_address.get(error.destination, ()):
            flight = watch.flights.pop(error.sequence, None)
            if flight is None:
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


_OK = ok().outcome


def _round_trip(flight: _Flight, arrived_wall_ns: int) -> float:
    """Seconds from send to arrival by the kernel's stamp; by our own clock when the wall clock was set in between."""
    ours = time.monotonic() - flight.sent_monotonic
    kernels = (arrived_wall_ns - flight.sent_wall_ns) / 1e9
    return kernels if arrived_wall_ns and 0 <= kernels <= ours + 0.001 else ours


def _of_send_error(error: OSError, *, out_of_turn: bool) -> Result:
    reason = reason_of(error)
    if reason is Reason.UNREACHABLE:
        return failed(reason, f"our own host has no way there: {error.strerror}", out_of_turn=out_of_turn)
    return inconclusive(reason, f"the echo could not be sent: {error.strerror}")


# -- one echo, for a person ----------------------------------------------------------------------------------------


@probe(
    "icmp",
    IcmpOptions,
    metrics=[
        Metric(name="probe_icmp_duration_seconds", help="Round trip of the last echo.", labels=("phase",)),
        Metric(name=HOP_LIMIT, help="TTL of the last reply."),
    ],
    stream=EchoStream,
)
async def run(request: Request[IcmpOptions]) -> Result:
    """One echo, by icmplib: a person who asks once does not need the engine."""
    try:
        version = ipaddress.ip_address(request.address).version
    except ValueError:
        return failed(Reason.NAME, f"icmp needs an IP address, not {request.address!r}")
    make = icmplib.ICMPv4Socket if version == 4 else icmplib.ICMPv6Socket
    try:
        opened = _open_once(make, request)
    except icmplib.SocketPermissionError:
        return inconclusive(Reason.PERMISSION, NOT_ALLOWED)
    with opened:
        return await _echo(opened, request)


async def _echo(opened: Any, request: Request[IcmpOptions]) -> Result:
    echo = icmplib.ICMPRequest(
        request.address, secrets.randbelow(0xFFFF) + 1, 1, payload=secrets.token_bytes(request.options.size)
    )
    request.trace(f"echo of {request.options.size} bytes to {request.address}")
    try:
        opened.send(echo)
        reply = await opened.receive(echo, request.timeout_seconds)
        reply.raise_for_status()
    except icmplib.TimeoutExceeded:
        return failed(Reason.TIMEOUT, f"no echo from {request.address} within {request.timeout_seconds:g} s")
    except icmplib.ICMPError as error:
        # Its asynchronous socket does not tell who said so.
        return failed(Reason.UNREACHABLE, f"a hop on the way says about {request.address}: {error}")
    except icmplib.ICMPLibError as error:
        cause = error.__context__  # where icmplib leaves the error of the system
        if isinstance(cause, OSError):
            return _of_send_error(cause, out_of_turn=False)
        return inconclusive(Reason.LOCAL, str(error))
    seconds = max(0.0, reply.time - echo.time)
    return Result(
        outcome=_OK, values={RTT: seconds}, evidence=f"echo from {request.address} in {seconds * 1000:.2f} ms"
    )


def _open_once(make: Any, request: Request[IcmpOptions]) -> Any:
    try:
        return icmplib.AsyncSocket(make(privileged=True))
    except icmplib.SocketPermissionError:
        request.trace("no CAP_NET_RAW, trying the ping socket")
        return icmplib.AsyncSocket(make(privileged=False))
