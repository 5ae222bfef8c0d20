"""Does a room, registrar or gatekeeper answer SIP? Asked with OPTIONS, which rings nothing.

Source: RFC 3261 sections 8, 11 and 17.1.2, RFC 3581. Sent to the endpoint it tells "alive"; sent for `user` through a registrar,
which forwards it to the registered endpoint, it tells "registered and reachable".
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from pydantic import Field

from monitor.core.model import Reason
from probes.engine.inbox import Inbox
from probes.registry import Metric, Options, Request, Result, failed, ok, probe
from probes.wire import sip
from probes.wire.text import one_line

RETRANSMIT_SECONDS = (0.5, 1.0, 2.0, 4.0, 4.0)
"""Timer E of a non-INVITE transaction over UDP, T1 = 0.5 s, T2 = 4 s (RFC 3261 section 17.1.2.2)."""

MOST_ANSWERS = 64
NOT_READY = {404: "not registered", 480: "not available", 486: "busy"}

SipName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.!~*'()+-]*$", max_length=128)]


class SipOptions(Options):
    """Whom to ask for."""

    port: int = Field(5060, ge=1, le=65535, description="port of the endpoint or registrar")
    transport: Literal["udp", "tcp"] = Field("udp", description="how to ask")
    user: SipName = Field("", description="whom to ask for; empty: the server itself")
    domain: SipName = Field("", description="domain in the address; empty: the target's")
    expect: list[Annotated[int, Field(ge=100, le=699)]] = Field([200], min_length=1, description="codes that are good")


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _question(request: Request[SipOptions], local: tuple[str, int]) -> sip.OptionsRequest:
    options = request.options
    user = f"{options.user}@" if options.user else ""
    port = "" if options.domain or options.port == 5060 else f":{options.port}"
    over = ";transport=tcp" if options.transport == "tcp" else ""
    return sip.OptionsRequest(
        uri=f"sip:{user}{options.domain or _host(request.address)}{port}{over}",
        transport=options.transport.upper(),
        local=f"{_host(local[0])}:{local[1]}",
        branch=f"z9hG4bK{secrets.token_hex(8)}",
        call_id=secrets.token_hex(12),
        tag=secrets.token_hex(4),
    )


def _ours(question: sip.OptionsRequest, response: sip.Response) -> bool:
    return response.branch == question.branch and response.headers.get("call-id") == question.call_id


async def _over_udp(request: Request[SipOptions]) -> tuple[sip.Response, int]:
    loop = asyncio.get_running_loop()
    # Connected: the kernel lets only the asked address answer, and gives us its ICMP errors.
    transport, inbox = await loop.create_datagram_endpoint(
        lambda: Inbox(256), remote_addr=(request.address, request.options.port)
    )
    try:
        question = _question(request, transport.get_extra_info("sockname")[:2])
        for attempt, patience in enumerate(RETRANSMIT_SECONDS):
            request.trace(f"OPTIONS {question.uri} over UDP to {request.address}, try {attempt + 1}")
            transport.sendto(question.encode())
            try:
                async with asyncio.timeout(patience):
                    return await _final(request, question, inbox.queue.get), attempt
            except TimeoutError:
                continue
        raise TimeoutError
    finally:
        transport.abort()


async def _final(
    request: Request[SipOptions], question: sip.OptionsRequest, receive: Callable[[], Awaitable[bytes | Exception]]
) -> sip.Response:
    for _ in range(MOST_ANSWERS):
        data = await receive()
        await asyncio.sleep(0)  # a full inbox gives without waiting; many answers must not hold us up
        if isinstance(data, Exception):
            raise data
        response = sip.parse(data, stream=False)
        assert response is not None
        if not _ours(question, response):
            request.trace("an answer to another question, ignored")
        elif response.status >= 200:
            return response
        else:
            request.trace(f"{response.status}, waiting for the final answer")
    raise sip.ProtocolError(f"{MOST_ANSWERS} answers, and none is final")


async def _over_tcp(request: Request[SipOptions]) -> tuple[sip.Response, int]:
    reader, writer = await asyncio.open_connection(request.address, request.options.port)
    try:
        question = _question(request, writer.get_extra_info("sockname")[:2])
        request.trace(f"OPTIONS {question.uri} over TCP to {request.address}")
        writer.write(question.encode())
        await writer.drain()
        data = b""
        while True:
            response = sip.parse(data, stream=True)
            if response is None:
                more = await reader.read(4096)
                if not more:
                    raise ConnectionResetError(104, "the peer closed the connection without an answer")
                data += more
                continue
            data = data[response.size :]
            if _ours(question, response) and response.status >= 200:
                return response, 0
            request.trace(f"{response.status}, not the final answer to our question")
    finally:
        writer.transport.abort()


@probe(
    "sip",
    SipOptions,
    metrics=[
        Metric(name="probe_sip_status_code", help="Status of the final answer to OPTIONS."),
        Metric(name="probe_sip_duration_seconds", help="Time to the final answer."),
        Metric(name="probe_sip_retransmissions", help="How often the question was sent again."),
    ],
)
async def run(request: Request[SipOptions]) -> Result:
    """Ask once, wait for the final answer."""
    clock = asyncio.get_running_loop().time
    start = clock()
    ask = _over_udp if request.options.transport == "udp" else _over_tcp
    try:
        response, again = await ask(request)
    except sip.ProtocolError as error:
        return failed(Reason.PROTOCOL, f"not SIP: {error}")
    values = {
        "probe_sip_status_code": float(response.status),
        "probe_sip_duration_seconds": clock() - start,
        "probe_sip_retransmissions": float(again),
    }
    agent = one_line(response.headers.get("server") or response.headers.get("user-agent") or "", 60)
    told = one_line(f"{response.status} {response.phrase}{f' ({agent})' if agent else ''}")
    if response.status in request.options.expect:
        return ok(told, **values)
    if response.status in (401, 407):
        return failed(Reason.AUTH, f"alive, but wants credentials: {told}", values)
    if response.status in NOT_READY:
        return failed(Reason.STATUS, f"alive, but {NOT_READY[response.status]}: {told}", values)
    return failed(Reason.STATUS, told, values)
