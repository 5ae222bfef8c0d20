"""A STUN client, for the kinds that speak STUN: transactions over UDP, TCP and TLS with long-term credentials (RFC 8489)."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from probes.engine import connection
from probes.engine.connection import Connection, TrustOptions
from probes.engine.datagrams import Datagrams, open_datagrams
from probes.registry import Request, Secret
from probes.wire import stun
from probes.wire.stun import Attribute, Kind, Message, Method
from probes.wire.text import one_line

RTO_SECONDS = 0.5
"""First wait before a request is sent again over UDP; each further one is twice as long (RFC 8489 section 6.2.1)."""
MOST_ANSWERS = 64
MOST_ROUNDS = 4
"""Of credentials: asked for, and a nonce that is stale once or twice."""

TRY_ALTERNATE, UNAUTHENTICATED, STALE_NONCE = 300, 401, 438


class ServerOptions(TrustOptions):
    """Which server, and who we are there."""

    port: int | None = Field(None, ge=1, le=65535, description="port; none: 3478, over TLS 5349")
    transport: Literal["udp", "tcp", "tls"] = Field("udp", description="how to ask")
    username: Annotated[str, Field(max_length=509)] = Field("", description="name to log in with; empty: no log-in")
    password: Secret = Field(SecretStr(""), description="where the password is")


class RefusedError(Exception):
    """The server answered with an error; whether it is about credentials."""

    def __init__(self, code: int, phrase: str, *, credentials: bool, alternate: tuple[str, int] | None = None) -> None:
        super().__init__(one_line(f"{code} {phrase}", 100))
        self.code = code
        self.credentials = credentials
        self.alternate = alternate
        """Where to ask instead (RFC 8489 section 10)."""


class Client:
    """Transactions with one server; it learns realm and nonce on the way."""

    def __init__(
        self, request: Request[Any], send: Callable[[bytes], None], receive: Callable[[], Awaitable[Message]]
    ) -> None:
        self.again = 0
        """Retransmissions."""
        self.data: asyncio.Queue[Message] = asyncio.Queue(maxsize=16)
        """Indications that came meanwhile."""
        self.transaction = b""
        """The last one."""
        self._request = request
        self._options: ServerOptions = request.options
        self._send, self._receive = send, receive
        self._realm = self._nonce = ""
        self._key: bytes | None = None
        self._answers = 0

    async def ask(self, method: Method, attributes: Callable[[bytes], list[tuple[int, bytes]]]) -> Message:
        """The success response; raises RefusedError, ProtocolError, OSError. Waits without end for a silent server.

        `attributes` makes those of the request, given its transaction id.
        """
        for _ in range(MOST_ROUNDS):
            response = await self._transact(self._compose(method, Kind.REQUEST, attributes))
            if response.kind is Kind.SUCCESS:
                return response
            code, phrase = response.error or (0, "an error without a code")
            self._request.trace(one_line(f"{code} {phrase}"))
            if not self._learns(code, response):
                alternate = response.address(Attribute.ALTERNATE_SERVER) if code == TRY_ALTERNATE else None
                raise RefusedError(code, phrase, credentials=code == UNAUTHENTICATED, alternate=alternate)
        raise stun.ProtocolError(f"asks for credentials {MOST_ROUNDS} times")

    def tell(self, method: Method, kind: Kind, attributes: Callable[[bytes], list[tuple[int, bytes]]]) -> None:
        """Send, and wait for nothing."""
        self._send(self._encoded(self._compose(method, kind, attributes)))

    async def indication(self) -> Message:
        """The next indication."""
        while self.data.empty():
            self._sort(await self._receive())
        return self.data.get_nowait()

    def _compose(self, method: Method, kind: Kind, attributes: Callable[[bytes], list[tuple[int, bytes]]]) -> Message:
        self.transaction = secrets.token_bytes(12)
        mine = attributes(self.transaction)
        if self._key is not None and kind is Kind.REQUEST:
            mine += [
                (Attribute.USERNAME, self._options.username.encode()),
                (Attribute.REALM, self._realm.encode("utf-8", "surrogateescape")),
                (Attribute.NONCE, self._nonce.encode("utf-8", "surrogateescape")),
            ]
        return Message(method=method, kind=kind, transaction=self.transaction, attributes=tuple(mine))

    def _encoded(self, message: Message) -> bytes:
        return message.encode(self._key if message.kind is Kind.REQUEST else None)

    async def _transact(self, question: Message) -> Message:
        self._request.trace(f"{Method(question.method).name}{' with credentials' if self._key else ''}")
        sent, patience = self._encoded(question), RTO_SECONDS
        while True:
            self._send(sent)
            try:
                async with asyncio.timeout(patience if self._options.transport == "udp" else None):
                    return await self._answer(question)
            except TimeoutError:
                self.again += 1
                patience *= 2

    async def _answer(self, question: Message) -> Message:
        while True:
            said = await self._receive()
            if (said.transaction, said.method) == (question.transaction, question.method):
                if said.kind is Kind.ERROR or (said.kind is Kind.SUCCESS and self._trusts(said)):
                    return said
                # As though it had not come (RFC 8489 section 9.2.5): anybody could have said so.
                self._request.doing = "an answer that is signed with our password"
            self._sort(said)

    def _trusts(self, said: Message) -> bool:
        return self._key is None or said.signed_with(self._key)

    def _sort(self, said: Message) -> None:
        self._answers += 1
        if self._answers > MOST_ANSWERS:
            raise stun.ProtocolError(f"{MOST_ANSWERS} messages, and none is the answer")
        if said.kind is Kind.INDICATION and not self.data.full():
            self.data.put_nowait(said)

    def _learns(self, code: int, response: Message) -> bool:
        """Whether asking again with what the error told makes sense."""
        nonce, realm = response.text(Attribute.NONCE), response.text(Attribute.REALM)
        wanted = code == UNAUTHENTICATED and self._key is None and bool(self._options.username)
        stale = code == STALE_NONCE and self._key is not None and nonce != self._nonce
        if not (nonce and (wanted or stale)):
            return False
        self._nonce, self._realm = nonce, realm or self._realm
        self._key = stun.long_term_key(self._options.username, self._realm, self._options.password.get_secret_value())
        return True


@contextlib.asynccontextmanager
async def open_client(request: Request[Any]) -> AsyncIterator[tuple[Client, Connection | None]]:
    """A client, and its connection over TCP and TLS; raises UntrustedError, OSError."""
    options: ServerOptions = request.options
    port = options.port or (5349 if options.transport == "tls" else 3478)
    request.trace(f"{options.transport.upper()} to {request.address} port {port}")
    if options.transport == "udp":
        async with open_datagrams(request.address, port) as datagrams:
            client = Client(request, datagrams.send, lambda: _datagram(datagrams))
            datagrams.stranger = lambda host, data: _told(request, client, host, data)
            yield client, None
    else:
        trust = options if options.transport == "tls" else None
        async with connection.connect(request, request.address, port, trust) as opened:
            yield Client(request, opened.writer.write, _Reader(opened).next), opened


async def _datagram(datagrams: Datagrams) -> Message:
    message = stun.parse(await datagrams.receive(), stream=False)
    assert message is not None
    return message


def _told(request: Request[Any], client: Client, host: str, data: bytes) -> None:
    with contextlib.suppress(stun.ProtocolError):
        message = stun.parse(data, stream=False)
        if message and message.transaction == client.transaction:
            request.doing = f"the asked address; {host} answered in its place, which does not count"


class _Reader:
    """Messages of a stream."""

    def __init__(self, opened: Connection) -> None:
        self._opened = opened
        self._rest = b""

    async def next(self) -> Message:
        while (message := stun.parse(self._rest, stream=True)) is None:
            self._rest += await self._opened.more()
        self._rest = self._rest[message.size :]
        return message
