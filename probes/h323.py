"""Does an H.323 room answer, is its gatekeeper there, and does that know the room? None of it rings.

Source: ITU-T H.225.0 and Q.931, RFC 1006. `status` asks a room about a call that is not (Status Enquiry over TCP): any message of
call signalling tells "alive", and so does hanging up on the question, as some stacks do on all but a Setup, or at least when we do.
A forwarder whose room is gone hangs up as well, at once or when it gives up: it does so unasked, and not just after us.
`gatekeeper` asks who is there (GRQ over UDP), `location` where a room of this alias is (LRQ): the gatekeeper only knows those that
are registered.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from monitor.core.model import Reason
from probes.engine import connection
from probes.engine.datagrams import Datagrams, hostname, open_datagrams
from probes.registry import Metric, Options, Request, Result, failed, inconclusive, ok, probe, reason_of, said_of
from probes.wire import h225
from probes.wire.h225 import CallAnswer, Ras, RasAnswer
from probes.wire.text import one_line

ASKED_AGAIN_SECONDS = 1.0
"""Before a question over UDP is sent again; H.225.0 table 19 grants 5 s and two repetitions, which our time-outs do not."""
GATEKEEPER_RATIO = 0.9
"""Part of the time-out that a gatekeeper has which is asked for another target."""
MOST_ANSWERS = 64
HESITATION_SECONDS, HESITATION_RATIO = 0.2, 0.1
"""How much longer a room that hung up on the question must wait unasked than it did asked, at most this part of the time-out: a room
waits (H323Plus 15 s). Also how soon after us a silent room hangs up; who takes longer may have other reasons."""
SILENCE_RATIO, PATIENCE_RATIO = 0.45, 0.95
"""Parts of the time-out: a room has the first to answer, then we close our half, for who lives closes the other, and who is frozen does
not. Less than half, so that who hung up just before can be left unasked for longer, until the second."""

UNKNOWN = {"notRegistered", "requestDenied", "noRouteToDestination", "unallocatedNumber"}
"""What gatekeepers say of an alias that nobody registered; `requestDenied` is the GNU Gatekeeper's word for it."""
STRANGERS = {"invalidPermission", "securityDenial", "securityError", "securityDHmismatch", "terminalExcluded"}
"""They do not talk with us."""


def _alias(value: str) -> str:
    if not value.isprintable() or any(ord(each) > 0xFFFF for each in value):
        raise ValueError("an alias is made of printable characters of the Basic Multilingual Plane")
    return value


class H323Options(Options):
    """What to ask."""

    ask: Literal["status", "gatekeeper", "location"] = Field("status", description="the question")
    port: int | None = Field(None, ge=1, le=65535, description="port; none: 1720, of gatekeepers 1719")
    through: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:-]*$", max_length=253)] = Field(
        "", description="gatekeeper to ask for the target; empty: the target itself is asked"
    )
    alias: Annotated[str, Field(max_length=128), AfterValidator(_alias)] = Field(
        "", description="number or H.323 identifier of the room, for `location`"
    )

    @model_validator(mode="after")
    def _fits(self) -> H323Options:
        if (self.ask == "location") != bool(self.alias):
            raise ValueError("`location` wants an `alias`, and nothing else does")
        if self.through and self.ask != "location":
            raise ValueError("through a gatekeeper only `location` can be asked")
        return self


@probe(
    "h323",
    H323Options,
    metrics=[
        Metric(name="probe_h323_duration_seconds", help="Time to the answer."),
        Metric(name="probe_h323_registered", help="1 when the gatekeeper knows the alias, 0 when it does not."),
    ],
)
async def run(request: Request[H323Options]) -> Result:
    """Ask once."""
    options = request.options
    try:
        if options.ask == "status":
            return await _status(request)
        if not options.through:
            return await _ras(request)
    except h225.ProtocolError as error:
        return failed(Reason.PROTOCOL, f"not H.323: {error}")
    return await _through_gatekeeper(request)


async def _through_gatekeeper(request: Request[H323Options]) -> Result:
    """What is wrong with the gatekeeper, or between it and us, says nothing of the room: inconclusive."""
    gatekeeper = f"its gatekeeper {request.options.through}"
    try:
        async with asyncio.timeout(request.timeout_seconds * GATEKEEPER_RATIO):
            result = await _ras(request)
    except h225.ProtocolError as error:
        return inconclusive(Reason.PROTOCOL, f"{gatekeeper} does not speak RAS: {error}")
    except OSError as error:
        if (reason := reason_of(error)) is not Reason.TIMEOUT:
            return inconclusive(reason, f"{gatekeeper}: {said_of(error)}")
        return inconclusive(reason, f"{gatekeeper} does not answer: {request.doing or 'silence'}")
    if result.reason in (Reason.OK, Reason.NOT_REGISTERED):
        return result
    return inconclusive(result.reason, f"{gatekeeper}: {result.evidence}")


# -- call signalling -----------------------------------------------------------------------------------------------------


async def _status(request: Request[H323Options]) -> Result:
    clock = asyncio.get_running_loop().time
    begin = clock()
    silent, patient = (begin + request.timeout_seconds * ratio for ratio in (SILENCE_RATIO, PATIENCE_RATIO))
    port = request.options.port or 1720
    request.trace(f"Status Enquiry over TCP to {request.address} port {port}")
    async with connection.connect(request, request.address, port, None) as opened:
        start = clock()
        opened.writer.write(h225.status_enquiry(1 + secrets.randbelow(0x7FFF), secrets.token_bytes(16)))
        farewell = asyncio.get_running_loop().call_at(silent, _hang_up, request, opened)
        try:
            answer = await _call_answer(opened)
        finally:
            farewell.cancel()
        end = clock()
    if answer is None and end >= silent:
        if end - silent > HESITATION_SECONDS + 2 * opened.seconds["connect"]:
            late = f"silent, and hangs up {end - silent:.1f} s after us: a room, or a forwarder that gives up on one"
            return inconclusive(Reason.TIMEOUT, late)
        return ok("alive, but silent: hangs up only when we do")
    if answer is None:
        longer = min(HESITATION_SECONDS, request.timeout_seconds * HESITATION_RATIO)
        await _wait_unasked(request, port, min(clock() + end - begin + longer, patient))
    return ok(_told(answer), probe_h323_duration_seconds=end - start)


async def _wait_unasked(request: Request[H323Options], port: int, until: float) -> None:
    """A room waits to be asked; raises ConnectionResetError when the peer hangs up all the same."""
    request.trace("hangs up on it; does it wait to be asked?")
    async with connection.connect(request, request.address, port, None) as opened:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await opened.more()


def _hang_up(request: Request[H323Options], opened: connection.Connection) -> None:
    request.trace("silent, so we hang up")
    opened.writer.write_eof()


async def _call_answer(opened: connection.Connection) -> CallAnswer | None:
    """Of whatever call: nobody else asks on this connection. None when the room hangs up instead."""
    data = b""
    while (answer := h225.parse_call(data)) is None:
        more = await opened.reader.read(4096)
        if not more and data:
            raise h225.ProtocolError("it ends within a message")
        if not more:
            return None
        data += more
    return answer


def _told(answer: CallAnswer | None) -> str:
    if answer is None:
        return "alive, but hangs up on a Status Enquiry"
    cause = "" if answer.cause is None else f", cause {answer.cause}"
    state = "" if answer.state is None else f", call state {answer.state}"
    return f"answers {answer.message}{cause}{state}"


# -- RAS -----------------------------------------------------------------------------------------------------------------


async def _ras(request: Request[H323Options]) -> Result:
    options = request.options
    address, port = options.through or request.address, options.port or 1719
    sequence = 1 + secrets.randbelow(0xFFFF)
    clock = asyncio.get_running_loop().time
    async with open_datagrams(address, port) as datagrams:
        start = clock()
        if options.ask == "gatekeeper":
            question = h225.gatekeeper_request(sequence, *datagrams.local)
        else:
            question = h225.location_request(sequence, options.alias, *datagrams.local)
        request.trace(f"{options.ask} over UDP to {address} port {port}")
        answer = await _ras_answer(request, datagrams, question, sequence)
        values = {"probe_h323_duration_seconds": clock() - start}
    return _found(answer, values) if options.ask == "location" else _there(answer, values)


async def _ras_answer(request: Request[H323Options], datagrams: Datagrams, question: bytes, sequence: int) -> RasAnswer:
    def stranger(host: str, data: bytes) -> None:
        with contextlib.suppress(h225.ProtocolError):
            if h225.parse_ras(data).sequence == sequence:
                request.doing = f"the asked address; {host} answered in its place, which does not count"

    datagrams.stranger = stranger
    answers = 0
    while answers < MOST_ANSWERS:
        datagrams.send(question)
        try:
            async with asyncio.timeout(ASKED_AGAIN_SECONDS):
                while answers < MOST_ANSWERS:
                    answers += 1
                    answer = h225.parse_ras(await datagrams.receive())
                    if answer.sequence == sequence and answer.kind is not Ras.IN_PROGRESS:
                        return answer
                    request.trace(f"{answer.kind}, not the answer")
        except TimeoutError:
            request.trace("sent again")
    raise h225.ProtocolError(f"{MOST_ANSWERS} messages, and none is the answer")


def _there(answer: RasAnswer, values: dict[str, float]) -> Result:
    name = f" of {one_line(answer.gatekeeper, 60)}" if answer.gatekeeper else ""
    if answer.kind is Ras.GATEKEEPER_CONFIRM:
        return ok(f"confirmed{name}", **values)
    if answer.kind is not Ras.GATEKEEPER_REJECT:
        return failed(Reason.PROTOCOL, f"answers another question: {answer.kind}", values)
    if answer.reason == "resourceUnavailable":
        return failed(Reason.STATUS, f"alive, but takes nobody: {answer.reason}{name}", values)
    return ok(f"alive, takes no stranger: {answer.reason}{name}", **values)


def _found(answer: RasAnswer, values: dict[str, float]) -> Result:
    if answer.kind is Ras.LOCATION_CONFIRM:
        to = f", calls go to {hostname(answer.address[0])}:{answer.address[1]}" if answer.address else ""
        return ok(f"registered{to}", probe_h323_registered=1.0, **values)
    if answer.kind is not Ras.LOCATION_REJECT:
        return failed(Reason.PROTOCOL, f"the gatekeeper answers another question: {answer.kind}", values)
    if answer.reason in UNKNOWN:
        values["probe_h323_registered"] = 0.0
        return failed(Reason.NOT_REGISTERED, f"the gatekeeper does not know it: {answer.reason}", values)
    reason = Reason.AUTH if answer.reason in STRANGERS else Reason.STATUS
    return failed(reason, f"the gatekeeper does not tell: {answer.reason}", values)
