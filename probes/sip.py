"""Does a room, registrar or bridge answer SIP? Asked with OPTIONS, which rings nothing.

Source: RFC 3261 sections 8, 11, 17.1.2 and 22, RFC 3581, RFC 8760. Sent to the endpoint it tells "alive"; sent for `user` through a
registrar, which forwards it to the registered endpoint, it tells "alive, registered and reachable".
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator

from monitor.core.model import Outcome, Reason
from probes.engine import connection
from probes.engine.connection import Connection, TrustOptions, UntrustedError
from probes.engine.datagrams import Datagrams, hostname, open_datagrams
from probes.registry import (
    Metric,
    Request,
    Result,
    Secret,
    failed,
    inconclusive,
    labelled,
    ok,
    probe,
    reason_of,
    said_of,
)
from probes.wire import digest, sip
from probes.wire.text import one_line

T1_SECONDS, T2_SECONDS = 0.5, 4.0
"""First and longest wait before a question is sent again over UDP (RFC 3261 section 17.1.2.2)."""
MOST_ANSWERS = 64
MOST_ROUNDS = 5
"""Of credentials: a proxy and the room may each want theirs, and say once that a nonce is stale."""
ROOM_RATIO, REGISTRAR_RATIO = 0.5, 0.9
"""Parts of the time-out: until then the room may answer through its registrar; until then the registrar for itself."""
PHASE = "probe_sip_phase_duration_seconds"

REGISTERED = {404: False, 410: False, 480: False, 604: False, 486: True, 600: True}
"""What a status tells of a user (RFC 3261 section 21)."""
MEANS = {
    404: "does not know {}", 410: "does not know {} any more", 604: "does not know {}", 480: "cannot reach {} now",
    408: "gets no answer from {}", 430: "has no connection to {} any more", 477: "has no connection to {} any more",
    486: "says that {} is busy", 600: "says that {} is busy",
}  # fmt: skip
NOT_HANDED_ON = {408: Reason.TIMEOUT, 430: Reason.UNREACHABLE, 477: Reason.UNREACHABLE}
"""From a proxy that knows the user, but got nowhere. 430 is of RFC 5626; 477 is Kamailio's own."""
NO_OPTIONS = (405, 501)
"""From who takes no OPTIONS at all (RFC 3261 sections 21.4.6 and 21.5.2)."""
CREDENTIALS = {401: ("www-authenticate", "Authorization"), 407: ("proxy-authenticate", "Proxy-Authorization")}
"""Status → the header that asks, and the one that answers."""

WARNING = re.compile(r'\d{3} \S+ "([^"]*)"')
"""The text of a Warning (RFC 3261 section 20.43): there servers say what is wrong in their own words."""
RETRY_AFTER = re.compile(r"\d+", re.ASCII)
"""RFC 3261 section 20.33."""

SipName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.!~*'()+-]*$", max_length=128)]


class SipOptions(TrustOptions):
    """Whom to ask for."""

    port: int | None = Field(None, ge=1, le=65535, description="port; none: 5060, over TLS 5061")
    transport: Literal["udp", "tcp", "tls"] = Field("udp", description="how to ask")
    through: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:-]*$", max_length=253)] = Field(
        "", description="registrar or proxy to ask for the target; empty: the target itself is asked"
    )
    user: SipName = Field("", description="whom to ask for; empty: the server itself")
    domain: SipName = Field("", description="domain in the address; empty: who is asked")
    username: SipName = Field("", description="name to log in with; empty: that of `user`")
    password: Secret = Field(SecretStr(""), description="where the password is; none: no log-in")
    expect: list[Annotated[int, Field(ge=100, le=699)]] = Field([200], min_length=1, description="codes that are good")

    @model_validator(mode="after")
    def _has_names(self) -> SipOptions:
        if self.through and not self.user:
            raise ValueError("through a registrar somebody must be asked for: write `user`")
        if "password" in self.model_fields_set and not (self.username or self.user):
            raise ValueError("a password needs a name: write `username` or `user`")
        return self

    @property
    def asked_port(self) -> int:
        """The port that is asked."""
        return self.port or (5061 if self.transport == "tls" else 5060)


class _Way:
    """How questions get to the peer and its answers back."""

    def __init__(self, request: Request[SipOptions], local: tuple[str, int]) -> None:
        self.request = request
        self.local = f"{hostname(local[0])}:{local[1]}"
        self.seconds: dict[str, float] = {}
        self.values: dict[str, float] = {}
        self.again = 0
        self.answers = 0

    async def exchange(self, question: sip.OptionsRequest) -> sip.Response:
        """The final answer to the question; raises ProtocolError, OSError. Waits without end for a silent peer."""
        raise NotImplementedError

    def final(self, question: sip.OptionsRequest, response: sip.Response) -> bool:
        """Whether it is the answer that is waited for; raises ProtocolError when there were too many others."""
        self.answers += 1
        if self.answers > MOST_ANSWERS:
            raise sip.ProtocolError(f"{MOST_ANSWERS} answers, and none is final")
        if not response.answers(question):
            self.request.trace("an answer to another question, ignored")
            return False
        if response.status < 200:
            self.request.trace(f"{response.status}, waiting for the final answer")
            self.request.doing = one_line(f"the final answer after {response.status} {response.phrase}", 60)
            return False
        return True


class _UdpWay(_Way):
    def __init__(self, request: Request[SipOptions], datagrams: Datagrams) -> None:
        super().__init__(request, datagrams.local)
        self._datagrams = datagrams
        self._question: sip.OptionsRequest | None = None
        datagrams.stranger = self._stranger

    async def exchange(self, question: sip.OptionsRequest) -> sip.Response:
        self._question = question
        patience = T1_SECONDS
        while True:
            self._datagrams.send(question.encode())
            before = self.answers
            try:
                async with asyncio.timeout(patience):
                    return await self._receive(question)
            except TimeoutError:
                self.again += 1
                self.request.trace("sent again")
                patience = min(2 * patience, T2_SECONDS) if self.answers == before else T2_SECONDS

    async def _receive(self, question: sip.OptionsRequest) -> sip.Response:
        while True:
            response = sip.parse(await self._datagrams.receive(), stream=False)
            assert response is not None
            if self.final(question, response):
                return response

    def _stranger(self, host: str, data: bytes) -> None:
        with contextlib.suppress(sip.ProtocolError):
            response = sip.parse(data, stream=False)
            if response and self._question and response.answers(self._question):
                self.request.doing = f"the asked address; {host} answered in its place, which does not count"
                self.request.trace(self.request.doing)


class _StreamWay(_Way):
    def __init__(self, request: Request[SipOptions], opened: Connection) -> None:
        super().__init__(request, opened.local)
        self._opened = opened
        self._rest = b""
        self.seconds |= opened.seconds
        self.values |= opened.values

    async def exchange(self, question: sip.OptionsRequest) -> sip.Response:
        self._opened.writer.write(question.encode())
        await self._opened.writer.drain()
        while True:
            response = sip.parse(self._rest, stream=True)
            if response is None:
                self._rest += await self._opened.more()
                continue
            self._rest = self._rest[response.size :]
            if self.final(question, response):
                return response


class _Dialogue:
    """The questions of one Call-ID, with the credentials that were asked for."""

    def __init__(self, way: _Way) -> None:
        self.way = way
        self.question: sip.OptionsRequest | None = None
        """The last one."""
        self._request = way.request
        self._call_id, self._tag = secrets.token_hex(12), secrets.token_hex(4)
        self._sequence = 0
        self.credentials: dict[tuple[str, str], tuple[str, digest.Challenge]] = {}
        """Header and realm → value, and the challenge that it answers."""

    async def ask(self, user: str) -> sip.Response:
        """The final answer, with credentials where they are wanted; a 401 or 407 is one that we cannot change."""
        clock = asyncio.get_running_loop().time
        for _ in range(MOST_ROUNDS):
            start = clock()
            self.question = self._compose(user)
            self._request.trace(f"OPTIONS {self.question.uri} from {self.way.local}")
            response = await self.way.exchange(self.question)
            self._request.trace(one_line(f"{response.status} {response.phrase}"))
            challenged = self._answer_challenge(response)
            self.way.seconds["challenge" if challenged else "answer"] = clock() - start
            if not challenged:
                return response
        raise sip.ProtocolError(f"asks for credentials {MOST_ROUNDS} times")

    def _compose(self, user: str) -> sip.OptionsRequest:
        options = self._request.options
        host = hostname(options.through or self._request.address)
        port = "" if options.domain or options.asked_port in (5060, 5061) else f":{options.asked_port}"
        self._sequence += 1
        return sip.OptionsRequest(
            uri=f"sip:{f'{user}@' if user else ''}{options.domain or host}{port}",
            transport=options.transport.upper(),
            local=self.way.local,
            branch=f"z9hG4bK{secrets.token_hex(8)}",
            call_id=self._call_id,
            tag=self._tag,
            sequence=self._sequence,
            credentials=tuple((header, value) for (header, _), (value, _) in self.credentials.items()),
        )

    def _answer_challenge(self, response: sip.Response) -> bool:
        """Whether asking again with other credentials makes sense."""
        options, password = self._request.options, self._request.options.password.get_secret_value()
        if response.status not in CREDENTIALS or not password:
            return False
        asked, header = CREDENTIALS[response.status]
        challenge = digest.best(response.headers.get(asked, ()))
        if challenge is None:
            return False
        _, before = self.credentials.get((header, challenge.realm), ("", None))
        if before and not (challenge.stale and challenge.nonce != before.nonce):
            return False
        assert self.question is not None
        value = digest.answer(
            challenge, method="OPTIONS", uri=self.question.uri, username=options.username or options.user,
            password=password, cnonce=secrets.token_hex(8),
        )  # fmt: skip
        self.credentials[header, challenge.realm] = value, challenge
        return True


@contextlib.asynccontextmanager
async def _open(request: Request[SipOptions]) -> AsyncIterator[_Dialogue]:
    options = request.options
    address, port = options.through or request.address, options.asked_port
    request.trace(f"{options.transport.upper()} to {address} port {port}")
    if options.transport == "udp":
        async with open_datagrams(address, port) as datagrams:
            yield _Dialogue(_UdpWay(request, datagrams))
    else:
        trust = options if options.transport == "tls" else None
        async with connection.connect(request, address, port, trust) as stream:
            yield _Dialogue(_StreamWay(request, stream))


@probe(
    "sip",
    SipOptions,
    metrics=[
        Metric(name="probe_sip_status_code", help="Status of the final answer to OPTIONS."),
        Metric(name="probe_sip_duration_seconds", help="Time to the final answer."),
        Metric(name=PHASE, help="Seconds by phase.", labels=("phase",)),
        Metric(name="probe_sip_retransmissions", help="How often the question was sent again."),
        Metric(name="probe_sip_registered", help="1 when the registrar reaches the user, 0 when it does not know it."),
        *connection.METRICS,
    ],
)
async def run(request: Request[SipOptions]) -> Result:
    """Ask once, wait for the final answer."""
    if request.options.through:
        return await _through_registrar(request)
    try:
        async with _open(request) as dialogue:
            return await _asked(dialogue)
    except sip.ProtocolError as error:
        return failed(Reason.PROTOCOL, f"not SIP: {error}")
    except UntrustedError as error:
        return failed(Reason.CERTIFICATE, str(error), error.values)


async def _through_registrar(request: Request[SipOptions]) -> Result:
    """What is wrong with the registrar, or with our log-in there, says nothing of the room: inconclusive."""
    registrar = f"its registrar {request.options.through}"
    try:
        async with asyncio.timeout(request.timeout_seconds * REGISTRAR_RATIO), _open(request) as dialogue:
            try:
                async with asyncio.timeout(request.timeout_seconds * ROOM_RATIO):
                    result = await _asked(dialogue)
            except TimeoutError:  # a proxy says 408 after half a minute (RFC 3261 section 17.1.2.2): who is silent?
                answer = await dialogue.ask("")
                return failed(
                    Reason.TIMEOUT, f"{registrar} answers ({_shown(answer)}), but {request.options.user} does not"
                )
            return await _whose(dialogue, registrar, result)
    except sip.ProtocolError as error:
        return inconclusive(Reason.PROTOCOL, f"{registrar} does not speak SIP: {error}")
    except UntrustedError as error:
        return inconclusive(Reason.CERTIFICATE, f"{registrar}: {error}")
    except OSError as error:
        if (reason := reason_of(error)) is not Reason.TIMEOUT:
            return inconclusive(reason, f"{registrar}: {said_of(error)}")
        waited_for = f", still waited for: {request.doing}" if request.doing else ": silence"
        return inconclusive(reason, f"{registrar} does not answer{waited_for}")


async def _whose(dialogue: _Dialogue, registrar: str, result: Result) -> Result:
    """The result, but inconclusive when the answer is about us or the registrar, and not about the room."""
    status = result.values["probe_sip_status_code"]
    if result.outcome is Outcome.OK:
        return result
    if result.reason is Reason.AUTH or status in NO_OPTIONS:
        return inconclusive(result.reason, result.evidence)
    if 500 <= status < 600:  # a registrar hands on what the room says, and says the same when it is in trouble itself
        answer = await dialogue.ask("")
        if 500 <= answer.status < 600:
            return inconclusive(Reason.STATUS, f"{registrar} is in trouble itself: {_shown(answer)}")
        evidence = one_line(
            f"{registrar} answers ({_shown(answer)}), but for {dialogue.way.request.options.user} comes {result.evidence}",
            400,
        )
        return failed(result.reason, evidence, result.values)
    return result


async def _asked(dialogue: _Dialogue) -> Result:
    way, options = dialogue.way, dialogue.way.request.options
    clock = asyncio.get_running_loop().time
    start = clock()
    response = await dialogue.ask(options.user)
    status = response.status
    values = way.values | {
        "probe_sip_status_code": float(status),
        "probe_sip_duration_seconds": clock() - start,
        "probe_sip_retransmissions": float(way.again),
        **{labelled(PHASE, phase=phase): seconds for phase, seconds in way.seconds.items()},
    }
    if options.through and (status in REGISTERED or 200 <= status < 300):
        values["probe_sip_registered"] = float(REGISTERED.get(status, True))
    if status in options.expect:
        return ok(_shown(response), **values)
    reason, means = _meant(dialogue, response)
    return failed(reason, f"{means}: {_shown(response)}" if means else _shown(response), values)


def _meant(dialogue: _Dialogue, response: sip.Response) -> tuple[Reason, str]:
    """What an answer that is not expected means, and in words."""
    options, status = dialogue.way.request.options, response.status
    lead = f"its registrar {options.through}" if options.through else "alive, but"
    if status in CREDENTIALS or status == 403:
        return Reason.AUTH, f"{lead} {_refused(dialogue, response)}"
    if status in NO_OPTIONS:
        return Reason.STATUS, f"{lead} takes no OPTIONS"
    if 500 <= status < 600:
        return Reason.STATUS, "" if options.through else f"{lead} in trouble"
    if not options.user or status not in MEANS:
        return Reason.STATUS, ""
    means = f"{lead} {MEANS[status].format('it' if options.through else options.user)}"
    if status in NOT_HANDED_ON:
        return NOT_HANDED_ON[status], means
    unknown = options.through and not REGISTERED[status]  # a room that is asked itself is no registrar
    return Reason.NOT_REGISTERED if unknown else Reason.STATUS, means


def _refused(dialogue: _Dialogue, response: sip.Response) -> str:
    options = dialogue.way.request.options
    if dialogue.credentials:
        return f"refuses the credentials of {options.username or options.user}"
    if response.status == 403:
        return "forbids us to ask"
    if not options.password.get_secret_value():
        return "wants credentials"
    asked, _ = CREDENTIALS[response.status]
    return one_line(f"wants credentials of an unknown kind ({response.first(asked)})", 100)


def _shown(response: sip.Response) -> str:
    agent = one_line(response.first("server") or response.first("user-agent"), 60)
    said = f"{response.status} {response.phrase}{f' ({agent})' if agent else ''}"
    if warning := WARNING.match(response.first("warning")):
        said += f", warns: {warning[1]}"
    if after := RETRY_AFTER.match(response.first("retry-after")):
        said += f", not again before {after[0]} s"
    return one_line(said)
