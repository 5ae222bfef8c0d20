"""EmailMessage → relay: delivered, worth another try, or refused for good (only user of aiosmtplib).

Source: RFC 5321 section 4.2.1 (4yz: try again, 5yz: do not), section 4.5.3.2 (time-outs), RFC 3207 (STARTTLS), RFC 4954 (AUTH).
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from enum import StrEnum
from typing import Literal

import aiosmtplib

from alerts.resolver import Resolver
from alerts.tidy import line
from monitor import names

REST_SECONDS = 60.0
"""A relay that failed is tried after the others for so long; then one mail tries it first again."""
QUIT_SECONDS = 1.0
"""A mail that was taken does not wait longer for the end of the dialogue."""
NAME_SECONDS = 2.0
"""A mail waits no longer for the host's own full name, which the DNS is asked for."""
LOOK_AGAIN_SECONDS = 3600.0
"""So often the relays are looked up when there is no mail, for when no name server answers."""


class Delivery(StrEnum):
    """How a try to deliver ended."""

    SENT = "sent"
    RETRY = "retry"
    REFUSED = "refused"
    """No relay will ever take this mail for this recipient."""


class Step(StrEnum):
    """How far the dialogue with a relay came."""

    CONNECT = "connect"
    """Connection, TLS from the first byte, and greeting."""
    HELLO = "hello"
    TLS = "tls"
    LOGIN = "log-in"
    SENDER = "sender"
    RECIPIENT = "recipient"
    DATA = "data"
    ANSWER = "answer"
    """The whole mail is out, and what the relay says of it is waited for."""


class Result(StrEnum):
    """What one relay made of a mail."""

    SENT = "sent"
    DEFERRED = "deferred"
    """Answered 4xx."""
    REFUSED = "refused"
    """Answered 5xx."""
    NO_CONNECTION = "no-connection"
    TIMEOUT = "timeout"
    BROKEN = "broken"
    """It hung up, or said what is no SMTP."""
    TLS = "tls"
    LOGIN = "log-in"
    UNKNOWN = "unknown"
    """It had the whole mail, and no answer came: it may have taken it. The mail is sent again under the same Message-ID."""


OF_THE_MAIL = (Step.RECIPIENT, Step.DATA, Step.ANSWER)
"""Where an answer is about this mail and its recipient; before, it is about us and the relay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """A mail server that takes our mails."""

    host: str
    port: int
    tls: Literal["none", "starttls", "implicit"] = "starttls"
    username: str = ""
    password: str = ""
    verify: bool = True
    ca_pem: str = ""
    timeout_seconds: float = 10.0
    """For each step."""

    @property
    def place(self) -> str:
        """What logs and metrics call it."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of one try over all relays."""

    delivery: Delivery
    answer: str
    """What the relays said, in one line."""
    relay: str = ""
    """Which took it."""
    relays_failed: bool = False
    """No relay was in a state to take any mail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    result: Result
    step: Step
    said: str

    @property
    def of_the_mail(self) -> bool:
        return self.result in (Result.DEFERRED, Result.REFUSED) and self.step in OF_THE_MAIL


class Mailer:
    """Sends through the first relay that takes the mail; one that failed lately is tried last."""

    def __init__(
        self,
        relays: Sequence[Relay],
        on_try: Callable[[str, str], None] = lambda _relay, _result: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_try` is told the place of a relay and what it made of a mail."""
        self._relays, self._on_try, self._clock = relays, on_try, clock
        self._rests: dict[str, float] = {}
        """By relay that failed last time: until when it is tried last."""
        self._resolver = Resolver()
        self._name: asyncio.Task[str] | None = None

    async def remember(self) -> None:
        """Know where the relays are before the name server is what is broken, until cancelled."""
        while True:
            for relay in self._relays:
                with suppress(OSError, ValueError):
                    await self._resolver.addresses(relay.host)
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    def failing(self) -> Mapping[str, bool]:
        """By relay: whether it failed when it was last tried."""
        return {each.place: each.place in self._rests for each in self._relays}

    async def send(self, message: EmailMessage, recipient: str) -> Outcome:
        """Try each relay in turn, until one has taken the mail. It is refused for good when all refuse it."""
        answers, refusals, failures = [], 0, 0
        for relay in self._order():
            if relay.place in self._rests:  # this mail tries it; the others need not wait for that
                self._rests[relay.place] = self._clock() + REST_SECONDS
            tried = await self._try(relay, message, recipient)
            self._on_try(relay.place, tried.result)
            if tried.result is Result.SENT or tried.of_the_mail:
                self._rests.pop(relay.place, None)
            else:
                self._rests[relay.place] = self._clock() + REST_SECONDS
                failures += 1
            if tried.result is Result.SENT:
                return Outcome(delivery=Delivery.SENT, answer=tried.said, relay=relay.place)
            answers.append(f"{relay.place}: {tried.result} at {tried.step}: {tried.said}")
            refusals += tried.of_the_mail and tried.result is Result.REFUSED
        return Outcome(
            delivery=Delivery.REFUSED if refusals == len(self._relays) else Delivery.RETRY,
            answer="; ".join(answers),
            relays_failed=failures == len(self._relays),
        )

    def _order(self) -> list[Relay]:
        now = self._clock()
        return sorted(self._relays, key=lambda each: self._rests.get(each.place, now) > now)

    async def _try(self, relay: Relay, message: EmailMessage, recipient: str) -> _Tried:
        dialogue = _Dialogue(relay, await self._own_name(), self._resolver)
        try:
            said = await dialogue.deliver(message, recipient)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:  # ValueError: a host name that is none
            result = _result(dialogue.step, error)
            return _Tried(result=result, step=dialogue.step, said=_said(error))
        return _Tried(result=Result.SENT, step=dialogue.step, said=line(said))

    async def _own_name(self) -> str:
        """What we call ourselves: asked once, for the DNS may be what is broken when a mail is wanted most."""
        if self._name is None:
            self._name = asyncio.create_task(names.OF_ALERTS.run(socket.getfqdn))
        await asyncio.wait((self._name,), timeout=NAME_SECONDS)
        return self._name.result() if self._name.done() else socket.gethostname()


class _Dialogue:
    """One mail for one recipient over one connection; `step` says how far it came."""

    def __init__(self, relay: Relay, own_name: str, resolver: Resolver) -> None:
        self._relay, self._own_name, self._resolver = relay, own_name, resolver
        self.step = Step.CONNECT

    async def deliver(self, message: EmailMessage, recipient: str) -> str:
        """What the relay said when it took the mail; raises what aiosmtplib raises, OSError or ValueError."""
        relay = self._relay
        context = _context(relay)
        sock = await self._resolver.connect(relay.host, relay.port, relay.timeout_seconds)
        client = aiosmtplib.SMTP(
            hostname=relay.host, port=None, sock=sock, timeout=relay.timeout_seconds, local_hostname=self._own_name,
            use_tls=relay.tls == "implicit", start_tls=False, tls_context=context,
        )  # fmt: skip
        try:
            await client.connect()
            await self._introduce(client)
            said = await self._hand_over(client, message, recipient)
            with suppress(aiosmtplib.SMTPException, OSError):  # it has the mail, whatever it says now
                await client.quit(timeout=QUIT_SECONDS)
        except aiosmtplib.SMTPResponseException:
            with suppress(aiosmtplib.SMTPException, OSError):
                await client.quit(timeout=QUIT_SECONDS)
            raise
        finally:
            client.close()
        return said

    async def _introduce(self, client: aiosmtplib.SMTP) -> None:
        self.step = Step.HELLO
        try:
            await client.ehlo()
        except aiosmtplib.SMTPHeloError as error:
            if error.code < 500:
                raise
            await client.helo()
        if self._relay.tls == "starttls":
            self.step = Step.TLS
            await client.starttls()
        if self._relay.username:
            self.step = Step.LOGIN
            await client.login(self._relay.username, self._relay.password)

    async def _hand_over(self, client: aiosmtplib.SMTP, message: EmailMessage, recipient: str) -> str:
        self.step = Step.SENDER
        await client.mail(message["From"].addresses[0].addr_spec)
        self.step = Step.RECIPIENT
        await client.rcpt(recipient)
        self.step = Step.DATA
        _expect(await client.execute_command(b"DATA"), 354)
        # aiosmtplib's own data() does not tell whether it was broken off before the mail was out or after.
        assert client.protocol is not None
        self.step = Step.ANSWER
        client.protocol.write(re.sub(rb"(?m)^\.", b"..", message.as_bytes()).removesuffix(b"\r\n") + b"\r\n.\r\n")
        answer = await client.protocol.read_response(timeout=self._relay.timeout_seconds)
        _expect(answer, 250)
        return answer.message


def _expect(answer: aiosmtplib.SMTPResponse, code: int) -> None:
    if answer.code != code:
        raise aiosmtplib.SMTPDataError(answer.code, answer.message)


def _result(step: Step, error: Exception) -> Result:
    code = error.code if isinstance(error, aiosmtplib.SMTPResponseException) else 0
    if step is Step.ANSWER and code < 400:
        return Result.UNKNOWN
    if isinstance(error, TimeoutError):
        return Result.TIMEOUT
    if step is Step.TLS or isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return Result.TLS
    if step is Step.LOGIN:
        return Result.LOGIN
    if code >= 400:
        return Result.REFUSED if code >= 500 else Result.DEFERRED
    return Result.NO_CONNECTION if step is Step.CONNECT else Result.BROKEN


def _context(relay: Relay) -> ssl.SSLContext | None:
    if relay.tls == "none":
        return None
    # Remarks between the certificates may be in any language; ssl wants ASCII and reads only the certificates.
    context = ssl.create_default_context(cadata=relay.ca_pem.encode("ascii", "ignore").decode() or None)
    if not relay.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _said(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return line(f"{error.code} {error.message}")
    text = str(error).replace(" on port None", "")  # aiosmtplib does not know the port of a socket
    return line(text or type(error).__name__)
