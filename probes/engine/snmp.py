"""How an SNMP agent is asked: one thing at a time, no more at once than it takes, no longer than it is worth (only user of gufo-snmp).

Source: RFC 3416 (v2c), RFC 3414 and 3826 (v3 with authentication and privacy). An error status of the agent (tooBig, genErr)
is an empty answer here: gufo-snmp tells no more.
"""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, Protocol, TypeVar

from gufo.snmp import (
    Aes128Key,
    Md5Key,
    NoSuchInstance,
    Sha1Key,
    Sha256Key,
    Sha512Key,
    SnmpAuthError,
    SnmpDecodeError,
    SnmpError,
    SnmpVersion,
    User,
)
from gufo.snmp.aio import SnmpSession
from gufo.snmp.user import KeyType
from pydantic import SecretStr

from monitor.core.model import Reason
from probes.registry import Request, Result, failed, inconclusive
from probes.wire.room import Room
from probes.wire.text import one_line

TRIES = 2
"""SNMP runs over UDP: one lost packet is no failure."""
MAX_ROWS = 4096
"""Longest column that is walked."""
FRESH_SECONDS = 100.0
"""The clock of an agent of version 3 is learnt anew after this silence; 150 s are allowed (RFC 3414 section 2.2.3)."""
TURN_RATIO = 0.5
"""Part of the time-out that a check waits while another one asks the same device."""
KEPT_RATIO = 0.5
"""Part of the descriptors up to which sessions of version 3 are kept; the other checks and the daemon need some too."""
SHORT_PATIENCE_SECONDS = 0.5
"""Once an agent has answered, the next answer is waited for so long, and ten times as long as the slowest before."""

os.environ["RUST_BACKTRACE"] = "0"
"""What gufo-snmp panics on, anybody can send: where it is 1, the trace of the first panic holds the loop for half a second."""

T = TypeVar("T")
Auth = Literal["md5", "sha", "sha256", "sha512"]
_AUTH = {"md5": Md5Key, "sha": Sha1Key, "sha256": Sha256Key, "sha512": Sha512Key}


@dataclass(frozen=True, slots=True)
class V3User:
    """Who asks in version 3, always with authentication and privacy (AES-128)."""

    name: str
    auth: Auth
    auth_password: SecretStr
    privacy_password: SecretStr


Login = SecretStr | V3User
"""A community of version 2c, or a user of version 3."""


class Pace(Protocol):
    """When the next packet may leave."""

    async def wait(self) -> None:
        """Until then."""


@dataclass(slots=True)
class Device:
    """An agent, for all checks that ask it; kept between their runs."""

    address: str
    """An IP address."""
    port: int
    room: Room = field(default_factory=Room)
    sessions: dict[V3User, Session] = field(default_factory=dict)
    """With keys and the agent's clock. Those of version 2c are not kept: they would only hold descriptors."""
    silent: set[str] = field(default_factory=set)
    """Scalars for which the agent gives up the whole answer."""
    pace: Pace | None = None
    """None: as fast as it answers."""
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def ask(self, request: Request[Any], login: Login, question: Callable[[Session], Awaitable[T]]) -> T | Result:
        """What `question` found out, or why there is no answer; it is put once more when the first try brought none."""
        until = asyncio.get_running_loop().time() + request.timeout_seconds * 0.95
        if not await self._take_turn(request):
            return inconclusive(Reason.LOCAL, "another check was asking this device all the time")
        try:
            return await self._try(request, login, question, until)
        finally:
            self._turn.release()

    async def _take_turn(self, request: Request[Any]) -> bool:
        if not self._turn.locked():
            return await self._turn.acquire()  # at once
        request.trace("another check asks this device just now")
        try:
            async with asyncio.timeout(request.timeout_seconds * TURN_RATIO):
                return await self._turn.acquire()
        except TimeoutError:
            return False

    async def _try(
        self, request: Request[Any], login: Login, question: Callable[[Session], Awaitable[T]], until: float
    ) -> T | Result:
        clock = asyncio.get_running_loop().time
        size = self.room.size
        failure: Result | None = None
        for attempt in range(TRIES):
            try:
                session = self._session(login)
                async with asyncio.timeout_at(until):
                    await session.begin(max(0.0, until - clock()) / (TRIES - attempt))
                    answer = await question(session)
            except TimeoutError as error:
                failure = self._silence(login, error)
            except OSError:
                self.sessions.clear()  # of an address of ours that is gone
                raise
            except BaseException as error:
                failure = _failure(login, error)
                if failure is None:
                    raise
            else:
                self.room.worked()
                return answer
            request.trace(f"try {attempt + 1}: {failure.evidence}")
            self.sessions.clear()  # after a restart of the agent its clock (RFC 3414 section 2.2) must be learnt anew
        self.room.failed(size)
        assert failure is not None
        return failure

    def _session(self, login: Login) -> Session:
        if isinstance(login, SecretStr):
            return Session(self, login)
        session = self.sessions.get(login)
        if session is None:
            session = Session(self, login)
            if session.descriptor < KEPT_RATIO * resource.getrlimit(resource.RLIMIT_NOFILE)[0]:  # the lowest free one
                self.sessions[login] = session
        return session

    def _silence(self, login: Login, error: TimeoutError) -> Result:
        if "refused" in str(error.__cause__):  # gufo-snmp makes a time-out of what the kernel heard by ICMP
            return failed(Reason.REFUSED, f"nobody listens on UDP port {self.port}")
        hint = "; a wrong community looks the same" if isinstance(login, SecretStr) else ""
        return failed(Reason.TIMEOUT, f"no SNMP answer, {TRIES} tries{hint}")


def _failure(login: Login, error: BaseException) -> Result | None:
    """What an error of gufo-snmp says about the agent; None when it is not one."""
    if isinstance(error, SnmpAuthError) and isinstance(login, V3User):
        return failed(Reason.AUTH, f"the agent refuses user {login.name}: {one_line(str(error))}")
    # The decoder of gufo-snmp 0.13 panics on some garbage (b"\xff\xff\xff" is enough), and pyo3's PanicException is no
    # Exception: one datagram would pass every `except Exception` of the daemon.
    is_panic = type(error).__name__ == "PanicException"
    if is_panic or isinstance(error, SnmpError | NoSuchInstance | RuntimeError | ValueError):
        return failed(Reason.PROTOCOL, f"not a good SNMP answer: {one_line(str(error) or type(error).__name__)}")
    return None


class Session:
    """Asks an agent for one login, with little patience once it has answered."""

    def __init__(self, device: Device, login: Login) -> None:
        self.room = device.room
        self._silent = device.silent
        self._patience = self._longest = 0.0
        self._slowest = 0.0
        self._heard = float("-inf")
        self._clock = asyncio.get_running_loop().time
        self._is_v3 = isinstance(login, V3User)
        how: dict[str, Any] = {"policer": device.pace}  # gufo-snmp waits for it before each packet
        if isinstance(login, V3User):
            user = User(
                login.name,
                auth_key=_AUTH[login.auth](_master_key(login.auth, login.auth_password), key_type=KeyType.Master),
                priv_key=Aes128Key(_master_key(login.auth, login.privacy_password), key_type=KeyType.Master),
            )
            how |= {"user": user, "version": SnmpVersion.v3}
        else:
            how |= {"community": login.get_secret_value(), "version": SnmpVersion.v2c}
        self._wire = SnmpSession(device.address, device.port, **how)

    @property
    def descriptor(self) -> int:
        """Of its socket."""
        return int(self._wire._sock.get_fd())  # noqa: SLF001  gufo-snmp keeps it to itself

    async def begin(self, patience: float) -> None:
        """Before the first question of a run, which may take `patience` seconds."""
        silence = self._clock() - self._heard
        self._longest = patience
        if silence < float("inf"):
            # gufo-snmp waits past what an agent that restarted says to a kept session: try soon with a new one.
            patience = min(patience, SHORT_PATIENCE_SECONDS + 10 * self._slowest)
        self._patience = patience
        self._slowest = 0.0
        if self._is_v3 and silence > FRESH_SECONDS:
            async with asyncio.timeout(patience):
                await self._wire.refresh()

    async def get(self, oids: Sequence[str]) -> dict[str, Any]:
        """Values by OID, all asked at once."""
        return await self._answer(self._wire.get_many(oids))

    async def scalars(self, wanted: Iterable[str], certain: Iterable[str]) -> dict[str, Any]:
        """Values by OID of a few objects; a good answer has one of the `certain` ones among them.

        Agents that think in version 1 (RFC 1157 section 4.1.2) give up the whole answer for one object that they lack: those
        objects are not asked for again.
        """
        oids = [each for each in wanted if each not in self._silent]
        values = await self.get(oids)
        if any(each in values for each in certain):
            return values
        for oid in oids:
            values |= await self.get([oid])
        self._silent.update(oid for oid in oids if values and oid not in values)
        return values

    async def rows(self, rows: Sequence[Sequence[str]]) -> dict[str, Any]:
        """Values by OID, asked in portions that the agent takes, whole rows where they fit.

        The first object of a row tells whether the row is there; one that is gone brings nothing.
        """
        got: dict[str, Any] = {}
        start = 0
        while start < len(rows):
            end, oids = self._portion(rows, start)
            answer = await self._get_in_parts(oids)
            if answer is None:
                continue
            lost = next((row[0] for row in rows[start:end] if row[0] not in answer), None)
            if lost is not None and await self.get([lost]):  # it is there: the answer was cut short
                if not self.room.shrink(min(len(oids), self.room.size)):
                    raise SnmpError("the agent gives a value now and then only")
                continue
            got |= answer
            start = end
        return got

    def _portion(self, rows: Sequence[Sequence[str]], start: int) -> tuple[int, list[str]]:
        """One row, and more as long as there is room: where the next portion starts, and the OIDs."""
        oids = list(rows[start])
        end = start + 1
        while end < len(rows) and len(oids) + len(rows[end]) <= self.room.size:
            oids += rows[end]
            end += 1
        return end, oids

    async def _get_in_parts(self, oids: Sequence[str]) -> dict[str, Any] | None:
        """Values by OID; None when that was too much, and there is less room now."""
        got: dict[str, Any] = {}
        size = self.room.size
        for start in range(0, len(oids), size):
            some = oids[start : start + size]
            try:
                got |= await self.get(some)
            except (TimeoutError, SnmpDecodeError):  # it is silent, or the answer was longer than gufo-snmp reads
                if not self.room.shrink(len(some)):
                    raise
                return None
        return got

    async def walk(self, column: str, *, certain: bool = True) -> dict[str, str]:
        """Texts of a column by index, as `table`."""
        return {index: text(value) for index, value in (await self.table(column, certain=certain)).items()}

    async def table(self, column: str, *, certain: bool = True, most: int = MAX_ROWS) -> dict[str, Any]:
        """Values of a column by index, asked for in portions that the agent takes, `most` rows of them.

        It is `certain` that the column has rows: none means that the question was too big.
        """
        while True:
            at_once = self.room.size
            try:
                rows = await self._table(column, at_once, most)
            except (TimeoutError, SnmpDecodeError):
                if not self.room.shrink(at_once):
                    raise
            else:
                if not rows and not certain:
                    return await self._table(column, 1, most)
                if rows or not self.room.shrink(at_once):
                    return rows

    async def _table(self, column: str, at_once: int, most: int) -> dict[str, Any]:
        rows: dict[str, Any] = {}
        last: tuple[int, ...] = ()
        answers = self._wire.getbulk(column, max_repetitions=at_once)
        while len(rows) < most and (row := await self._answer(anext(answers, None))):
            oid, value = row
            index = oid[len(column) + 1 :]
            place = tuple(map(int, index.split(".")))
            if place <= last:
                raise SnmpError("a walk goes round in circles")
            last = place
            rows[index] = value
        return rows

    async def _answer(self, coming: Awaitable[T]) -> T:
        start = self._clock()
        async with asyncio.timeout(self._patience):
            answer = await coming
        self._heard = self._clock()
        self._slowest = max(self._slowest, self._heard - start)
        self._patience = min(self._longest, SHORT_PATIENCE_SECONDS + 10 * self._slowest)
        return answer


@lru_cache(maxsize=64)
def _master_key(auth: Auth, password: SecretStr) -> bytes:
    """RFC 3414 appendix A.2: a mebibyte is hashed for it, so once for all devices that take the same password."""
    key: bytes = _AUTH[auth].get_master_key(password.get_secret_value().encode())
    return key


def text(value: object) -> str:
    """An OCTET STRING, whatever is in it."""
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)
