"""Traps and informs: a device says that something happened, and is asked at once (only user of pysnmp).

Source: RFC 3416 (versions 1, by RFC 3584, and 2c), RFC 3414 (version 3), RFC 3418 and RFC 1628 for the traps themselves. A trap
is never believed: anybody can send one from any address. So all that it does is to make the checks of the device with
that address be run now instead of in their turn. Reading one costs about 2 ms of CPU; strangers' are not read at all.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import logging
import socket
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from pysnmp.carrier.asyncio.dgram import udp
from pysnmp.carrier.base import AbstractTransport, AbstractTransportDispatcher
from pysnmp.entity import config
from pysnmp.entity.engine import SnmpEngine
from pysnmp.entity.rfc3413.ntfrcv import NotificationReceiver

from monitor.core.bucket import Bucket
from monitor.core.model import Inventory, Role
from probes.engine.drops import Drops
from probes.wire import mib, usm

log = logging.getLogger(__name__)

PAUSE_SECONDS = 5.0
"""A device is looked at for its traps at most so often. The first trap makes it be looked at at once, every one once more
after the pause: agents bring their values up to date only every few seconds."""
LOOKS_AT_ONCE = 200
LOOKS_A_SECOND = 20.0
"""Devices looked at for traps, in total: a province whose power fails is within it, a flood is not."""
READS_OF_ONE_AT_ONCE = 20
READS_OF_ONE_A_SECOND = 2.0
READS_AT_ONCE = 300
READS_A_SECOND = 30.0
"""Datagrams that are decoded, of one source and in total."""
TAKEN_AT_ONCE = 64
REST_SECONDS = 0.05
"""Datagrams taken from the socket in one go; when there were as many, it is left alone for so long, and the kernel drops."""
BUFFER_BYTES = 1 << 20
MAX_BYTES = 1500
"""Longest datagram that is read: traps travel in one packet, and reading a longer one would hold up others."""
ENGINES = 1000
"""Senders of version 3 whose keys are kept: they are made of the passwords for each engine that sends."""

UNREAD = "unread"
Outcome = Literal["looked", "deferred", "limited", "counted", "unknown", "refused", "dropped", "overflow"]
"""What became of a trap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrapUser:
    """Somebody who may send traps of version 3, always with authentication and privacy (AES-128)."""

    name: str
    auth: Literal["md5", "sha", "sha256", "sha512"]
    auth_password: str = field(repr=False)
    privacy_password: str = field(repr=False)


_AUTH = {
    "md5": (config.USM_AUTH_HMAC96_MD5, "md5"),
    "sha": (config.USM_AUTH_HMAC96_SHA, "sha1"),
    "sha256": (config.USM_AUTH_HMAC192_SHA256, "sha256"),
    "sha512": (config.USM_AUTH_HMAC384_SHA512, "sha512"),
}
_VERSION_3 = 3
_AUTH_PRIV = 3
"""Security level of RFC 3411."""


@dataclass(slots=True)
class _Source:
    """An address that may send traps, because a device is there."""

    checks: tuple[str, ...]
    name: str
    reads: Bucket = field(default_factory=lambda: Bucket(READS_OF_ONE_AT_ONCE, READS_OF_ONE_A_SECOND))
    looked: float = float("-inf")
    again: asyncio.TimerHandle | None = None


def _plain(address: str) -> str:
    """An address as the inventory writes it; IPv4 that came over a socket of IPv6 too."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def _master_key(password: str, auth: str) -> bytes:
    """RFC 3414 appendix A.2: the digest of the password, repeated to a mebibyte. Made once, it is what costs."""
    octets = password.encode()
    return hashlib.new(_AUTH[auth][1], (octets * (2**20 // len(octets) + 1))[: 2**20]).digest()


class _Decoder(AbstractTransport):  # type: ignore[misc]  # pysnmp has no types
    """pysnmp's engine without its sockets: bytes in, the trap's name or None out; what it answers goes to `send`."""

    def __init__(self, community: str, users: Sequence[TrapUser], send: Callable[[bytes, Any], None]) -> None:
        self._send = send
        self._heard: str | None = None
        self.answered = False
        self._engine = SnmpEngine()
        self._name_engine()
        if community:
            config.add_v1_system(self._engine, "traps", community)
        self._users = [
            (each, _master_key(each.auth_password, each.auth), _master_key(each.privacy_password, each.auth))
            for each in users
        ]
        self._engines: dict[bytes, None] = {}
        self._let_in(None)  # informs name our own engine
        self._dispatcher = AbstractTransportDispatcher()
        self._dispatcher.register_transport(udp.DOMAIN_NAME, self)
        self._engine.register_transport_dispatcher(self._dispatcher)
        NotificationReceiver(self._engine, self._hear)

    def _name_engine(self) -> None:
        """The same name after a restart, and more boots, else senders of informs would not find us again (RFC 3414)."""
        symbols = self._engine.get_mib_builder().import_symbols(
            "__SNMP-FRAMEWORK-MIB", "snmpEngineID", "snmpEngineBoots"
        )
        name = hashlib.sha256(socket.gethostname().encode()).digest()[:12]
        symbols[0].syntax = self._engine.snmpEngineID = symbols[0].syntax.clone(b"\x80\x00\x4f\xb8\x05" + name)
        since = datetime.now(UTC) - datetime(2025, 1, 1, tzinfo=UTC)
        symbols[1].syntax = symbols[1].syntax.clone(int(since.total_seconds()))

    def _let_in(self, engine: bytes | None) -> None:
        """Take what the users send from this engine; pysnmp wants each of them for each engine."""
        for user, auth_key, privacy_key in self._users:
            config.add_v3_user(
                self._engine, user.name, _AUTH[user.auth][0], auth_key, config.USM_PRIV_CFB128_AES, privacy_key,
                securityEngineId=engine, authKeyType=config.USM_KEY_TYPE_MASTER, privKeyType=config.USM_KEY_TYPE_MASTER,
            )  # fmt: skip

    def _meet(self, engine: bytes) -> None:
        if engine in self._engines:
            del self._engines[engine]
        else:
            self._let_in(engine)
        self._engines[engine] = None  # the latest are last
        if len(self._engines) > ENGINES:
            oldest = next(iter(self._engines))
            del self._engines[oldest]
            for user, *_ in self._users:
                config.delete_v3_user(self._engine, user.name, securityEngineId=oldest)

    def read(self, datagram: bytes, sender: Any, now: float) -> str | None:
        """Dotted snmpTrapOID of a trap that may be from who it says, else None."""
        self._heard, self.answered = None, False
        self._dispatcher.handle_timer_tick(now)
        try:
            if self._users and (engine := usm.engine_id(datagram)) and engine != bytes(self._engine.snmpEngineID):
                self._meet(engine)
            self._callback_function(self, udp.UdpTransportAddress(sender), datagram)
        except Exception:  # noqa: BLE001  whatever strangers' bytes raise in pysnmp, pyasn1 and cryptography, is no trap
            return None
        return self._heard

    def send_message(self, outgoingMessage: Any, transportAddress: Any) -> None:  # noqa: N803  pysnmp's names
        """Called by pysnmp: the answer to an inform, or our engine's name and clock."""
        self.answered = True
        self._send(bytes(outgoingMessage), tuple(transportAddress))

    def _hear(self, engine: Any, _state: Any, _id: Any, _name: Any, bound: Sequence[tuple[Any, Any]], _: Any) -> None:
        how = engine.observer.get_execution_context("rfc3412.receiveMessage:request")
        if how["securityModel"] == _VERSION_3 and how["securityLevel"] != _AUTH_PRIV:
            return
        self._heard = next((str(value) for oid, value in bound if str(oid) == mib.TRAP_OID), "")


class TrapListener:
    """Listens, and says which checks are to be run at once."""

    def __init__(self, community: str, users: Sequence[TrapUser], recheck: Callable[[str, float], None]) -> None:
        """`recheck`: told a check's id, and in how many seconds it is to be run."""
        self._who = (community, users)
        self._recheck = recheck
        self._sources: dict[str, _Source] = {}
        self._looks = Bucket(LOOKS_AT_ONCE, LOOKS_A_SECOND)
        self._reads = Bucket(READS_AT_ONCE, READS_A_SECOND)
        self._waiting: deque[tuple[bytes, Any, _Source]] = deque()
        self._news = asyncio.Event()
        self._rest: asyncio.TimerHandle | None = None
        self.counts: Counter[tuple[str, Outcome]] = Counter()
        """Traps by kind and outcome."""

    def adopt(self, inventory: Inventory) -> None:
        """Take over who may send; what did not change keeps its pauses."""
        found: dict[str, tuple[list[str], list[str]]] = {}
        for target in inventory.targets.values():
            if target.address and target.role in (Role.DEVICE, Role.LINK):
                checks, names = found.setdefault(_plain(target.address), ([], []))
                checks += [check.id for check in target.checks]
                names.append(target.id)
        before, self._sources = self._sources, {}
        for address, (checks, names) in found.items():
            source = before.pop(address, None) or _Source((), "")
            source.checks, source.name = tuple(checks), ", ".join(names)
            self._sources[address] = source
        for gone in before.values():
            if gone.again:
                gone.again.cancel()

    def listen(self, host: str, port: int) -> None:
        """Open the socket; raises OSError when the port is not to be had."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self._drops = Drops(self._socket)

    async def run(self) -> None:
        """Take traps until cancelled; the socket is closed at the end."""
        loop = asyncio.get_running_loop()
        decoder = _Decoder(*self._who, self._send)
        loop.add_reader(self._socket, self._take)
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                while self._waiting:
                    self._read(decoder, *self._waiting.popleft(), loop.time())
                    await asyncio.sleep(0)  # one at a time: others have their turn between
        finally:
            loop.remove_reader(self._socket)
            self.count_overflow()
            self._socket.close()
            for timer in (self._rest, *(each.again for each in self._sources.values())):
                if timer:
                    timer.cancel()

    def count_overflow(self) -> None:
        """Take the datagrams into the counts that came while the kernel's buffer was full."""
        if lost := self._drops.new():
            self.counts[UNREAD, "overflow"] += lost

    def _send(self, message: bytes, address: Any) -> None:
        try:
            self._socket.sendto(message, address)
        except OSError as error:
            log.info("no answer sent to an inform of %s: %s", address[0], error)

    def _take(self) -> None:
        """Read what is there, a bounded part of it; most of a flood ends here, for some microseconds each."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for _ in range(TAKEN_AT_ONCE):
            try:
                datagram, sender = self._socket.recvfrom(MAX_BYTES + 1)
            except BlockingIOError:
                return
            except OSError as error:  # an answer of ours was refused: the kernel tells it here
                log.debug("trap socket: %s", error)
                continue
            source = self._sources.get(_plain(sender[0]))
            if source is None:
                self.counts[UNREAD, "unknown"] += 1
            elif len(datagram) > MAX_BYTES:
                self.counts[UNREAD, "refused"] += 1
            elif not (source.reads.take(now) and self._reads.take(now)):
                self.counts[UNREAD, "dropped"] += 1
            else:
                self._waiting.append((datagram, sender, source))
                self._news.set()
        loop.remove_reader(self._socket)
        self._rest = loop.call_later(REST_SECONDS, lambda: loop.add_reader(self._socket, self._take))

    def _read(self, decoder: _Decoder, datagram: bytes, sender: Any, source: _Source, now: float) -> None:
        oid = decoder.read(datagram, sender, now)
        if oid is None:
            if not decoder.answered:  # else it asked for our engine's name, to send an inform of version 3
                self.counts[UNREAD, "refused"] += 1
            return
        kind = mib.trap_kind(oid)
        outcome: Outcome = "counted" if kind == mib.AUTHENTICATION_FAILURE else self._look(source, now)
        self.counts[kind, outcome] += 1
        log.info("trap %s from %s (%s): %s", kind if kind != "other" else oid, sender[0], source.name, outcome)

    def _look(self, source: _Source, now: float) -> Outcome:
        """Have the device's checks run; returns what became of the trap."""
        outcome: Outcome = "deferred"
        if now - source.looked >= PAUSE_SECONDS:
            if not self._looks.take(now):
                return "limited"
            outcome = "looked"
            source.looked = now
            self._ask(source)
        if source.again is None:
            source.again = asyncio.get_running_loop().call_at(source.looked + PAUSE_SECONDS, self._look_again, source)
        return outcome

    def _look_again(self, source: _Source) -> None:
        source.again = None
        source.looked = asyncio.get_running_loop().time()
        self._ask(source)

    def _ask(self, source: _Source) -> None:
        for check in source.checks:
            self._recheck(check, 0.0)


def counted(listener: TrapListener | None) -> Mapping[tuple[str, str], int]:
    """The counts of a listener, none when there is none."""
    if listener is None:
        return {}
    listener.count_overflow()
    return {
        (UNREAD, "overflow"): 0
    } | listener.counts  # from 0 on: the first is an increase too, and no alert misses it
