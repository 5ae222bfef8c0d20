"""Echoes of a size that no hop may cut, to one address: which pass, and who refuses the others (RFC 1191, RFC 8201)."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from probes.engine.echo_socket import EchoSocket
from probes.wire import icmp
from probes.wire.mtu import LEAST_4, LEAST_6, Search

TRIES = 3
"""A lost packet looks like one that was too big."""
PATIENCE_SECONDS = 1.0
"""Waited for the first answer; then for four round trips, …"""
LEAST_PATIENCE_SECONDS = 0.15
"""… and not less than this."""
AT_ONCE = 64


class _Refused(NamedTuple):
    hop: str
    says: str
    mtu: int | None


class RefusedError(Exception):
    """A hop says that there is no way at all."""


@dataclass(slots=True)
class Found:
    """What is known of a path."""

    mtu: int = 0
    """The largest packet that passed whole; 0: none did."""
    hop: str = ""
    """Who said that larger ones do not pass; empty: nobody, they just vanish."""
    named: int = 0
    """The size that it takes, by its own word."""


async def find(address: str, most: int, trace: Callable[[str], None]) -> Found:
    """Search up to `most` bytes; raises RefusedError, and OSError, among it PermissionError when we may not echo."""
    prober = _Prober(address, trace)
    try:
        return await prober.find(most)
    finally:
        prober.close()


class _Prober:
    def __init__(self, address: str, trace: Callable[[str], None]) -> None:
        self._address = str(ipaddress.ip_address(address))
        version = ipaddress.ip_address(address).version
        self._head, self._least = (28, LEAST_4) if version == 4 else (48, LEAST_6)
        self._trace = trace
        self._socket = EchoSocket(version)
        self._socket.never_fragment()
        self._nonce = secrets.token_bytes(8)
        self._sequence = secrets.randbelow(0x8000)
        self._patience = PATIENCE_SECONDS
        self._answer: asyncio.Future[_Refused | None] | None = None
        asyncio.get_running_loop().add_reader(self._socket.socket.fileno(), self._read)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket.socket.fileno())
        self._socket.socket.close()

    async def find(self, most: int) -> Found:
        found, search = Found(), Search(min(self._least, most), most)
        while (size := search.next()) is not None:
            self._trace(f"{size} bytes whole to {self._address}")
            refused = await self._passes(size, found)
            if refused is None:
                search.passed(size)
            else:
                search.failed(size, refused)
        found.mtu = search.good
        return found

    async def _passes(self, size: int, found: Found) -> int | None:
        """None when an echo of that size is answered; else the size that a hop says it takes, 0 when nobody names one."""
        for _ in range(TRIES):
            try:
                refused = await self._echo(size)
            except TimeoutError:
                continue
            if refused is None:
                return None
            if refused.mtu is None:
                raise RefusedError(f"{refused.hop} says {refused.says}")
            found.hop, found.named = refused.hop, refused.mtu
            self._trace(f"{refused.hop} says {refused.says}{f', at most {refused.mtu}' if refused.mtu else ''}")
            return refused.mtu
        self._trace("no answer")
        return 0

    async def _echo(self, size: int) -> _Refused | None:
        """Raises TimeoutError when nobody says anything."""
        loop = asyncio.get_running_loop()
        self._sequence += 1
        payload = self._nonce + bytes(size - self._head - len(self._nonce))
        self._answer = loop.create_future()
        sent = loop.time()
        try:
            self._socket.send(
                icmp.echo_request(self._socket.version, self._socket.identifier, self._sequence, payload), self._address
            )
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                raise
            return _Refused("this host", "packet too big", 0)
        async with asyncio.timeout(self._patience):
            refused = await self._answer
        if refused is None:
            self._patience = min(PATIENCE_SECONDS, max(LEAST_PATIENCE_SECONDS, 4 * (loop.time() - sent)))
        return refused

    def _read(self) -> None:
        for _ in range(AT_ONCE):
            try:
                told, sender, _ = self._socket.receive()
            except BlockingIOError:
                return
            except OSError:
                continue
            self._take(told, sender)

    def _take(self, told: icmp.EchoReply | icmp.EchoError | None, sender: str) -> None:
        answer = self._answer
        if answer is None or answer.done() or told is None or told.sequence != self._sequence:
            return
        if isinstance(told, icmp.EchoReply):
            if sender == self._address and told.payload.startswith(self._nonce):
                answer.set_result(None)
        elif told.destination == self._address:
            answer.set_result(_Refused(sender, told.says, told.mtu))
