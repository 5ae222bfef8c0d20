"""Does a name server answer a question rightly?

Source: RFC 1035, RFC 7766. One question; over UDP asked again once half-way to the deadline, and over TCP when the answer was
truncated. The answer must come from the asked address, with our id and our question; dnspython takes it apart.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Literal

import dns.exception
import dns.flags
import dns.message
import dns.rcode
from pydantic import Field, model_validator

from monitor import names
from monitor.core.model import Reason
from probes.engine.inbox import Inbox
from probes.registry import Metric, Options, Request, Result, failed, ok, probe
from probes.wire.text import one_line

MOST_BYTES = 4096
MOST_RECORDS = 64


class _TooLargeError(Exception):
    """An answer that nobody asked for in that size."""


class DnsOptions(Options):
    """What to ask."""

    name: str = Field(min_length=1, max_length=253, description="what to ask for")
    type: Literal["A", "AAAA", "MX", "NS", "SOA", "TXT"] = Field("A", description="type of record")
    port: int = Field(53, ge=1, le=65535, description="port of the name server")
    transport: Literal["udp", "tcp"] = Field("udp", description="how to ask")
    expect: list[str] = Field([], description="each must be among the answers")

    @model_validator(mode="after")
    def _can_succeed(self) -> DnsOptions:
        version = {"A": 4, "AAAA": 6}.get(self.type)
        for each in self.expect if version else ():
            try:
                fits = ipaddress.ip_address(each).version == version
            except ValueError:
                fits = False
            if not fits:
                raise ValueError(f"an answer of type {self.type} is an IPv{version} address, never `{each}`")
        return self


async def _over_udp(request: Request[DnsOptions], question: dns.message.Message) -> dns.message.Message | None:
    """The answer; None when it was truncated."""
    asked, patience = question.to_wire(), request.timeout_seconds / 2
    (_, server), *_ = await names.look_up(request.address, request.options.port, socket.SOCK_DGRAM)
    transport, inbox = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Inbox(16), remote_addr=(names.number(server), request.options.port)
    )
    try:
        for attempt in (1, 2):
            request.trace(f"asking {request.address} over UDP, try {attempt}")
            transport.sendto(asked)
            try:
                async with asyncio.timeout(patience):
                    while True:
                        said = await inbox.queue.get()
                        if isinstance(said, Exception):
                            raise said
                        if said[:2] == asked[:2]:
                            break
                        await asyncio.sleep(0)  # an answer to another question; many of them must not hold us up
            except TimeoutError:
                continue
            answer = _parse(said, question)
            return None if answer.flags & dns.flags.TC else answer
        raise TimeoutError
    finally:
        transport.abort()


async def _over_tcp(request: Request[DnsOptions], question: dns.message.Message) -> dns.message.Message:
    request.trace(f"asking {request.address} over TCP")
    reader, writer = await names.open_connection(request.address, request.options.port)
    try:
        asked = question.to_wire()
        writer.write(len(asked).to_bytes(2, "big") + asked)
        length = int.from_bytes(await reader.readexactly(2), "big")
        if length > MOST_BYTES:
            raise _TooLargeError(f"an answer of {length} bytes")
        return _parse(await reader.readexactly(length), question)
    finally:
        writer.transport.abort()


def _parse(said: bytes, question: dns.message.Message) -> dns.message.Message:
    """The answer to the question; raises DNSException, ValueError or _TooLargeError.

    What is large, or tells of many records, is not even looked at: names that point into names cost seconds to take apart.
    """
    records = sum(int.from_bytes(said[place : place + 2], "big") for place in (6, 8, 10))
    if len(said) > MOST_BYTES or records > MOST_RECORDS:
        raise _TooLargeError(f"an answer of {len(said)} bytes with {records} records")
    answer = dns.message.from_wire(said, ignore_trailing=True)
    if not question.is_response(answer):
        raise ValueError("it answers another question")
    return answer


async def _ask(request: Request[DnsOptions]) -> dns.message.Message:
    options = request.options
    request.trace(f"the question: {options.name} {options.type}")
    question = dns.message.make_query(options.name, options.type)
    answer = await _over_udp(request, question) if options.transport == "udp" else None
    return await _over_tcp(request, question) if answer is None else answer


@probe(
    "dns",
    DnsOptions,
    metrics=[
        Metric(name="probe_dns_lookup_duration_seconds", help="Time to the answer."),
        Metric(name="probe_dns_answer_rrs", help="Records in the answer."),
        Metric(name="probe_dns_rcode", help="Response code of the answer."),
    ],
)
async def run(request: Request[DnsOptions]) -> Result:
    """Ask once."""
    options = request.options
    clock = asyncio.get_running_loop().time
    start = clock()
    try:
        answer = await _ask(request)
    except _TooLargeError as error:
        return failed(Reason.TOO_LARGE, str(error))
    except (dns.exception.DNSException, ValueError) as error:
        return failed(Reason.PROTOCOL, one_line(f"not a DNS answer: {type(error).__name__}: {error}"))
    found = [one_line(record.to_text(), 80) for rrset in answer.answer for record in rrset]
    code = answer.rcode()
    values = {
        "probe_dns_lookup_duration_seconds": clock() - start,
        "probe_dns_answer_rrs": float(len(found)),
        "probe_dns_rcode": float(code),
    }
    asked = f"{options.name} {options.type}"
    if code != dns.rcode.NOERROR:
        return failed(Reason.STATUS, f"{asked}: {dns.rcode.to_text(code)}", values)
    missing = [each for each in options.expect if each not in found]
    if not found or missing:
        return failed(Reason.CONTENT, _lacking(asked, found, missing), values)
    return ok(one_line(f"{asked}: {', '.join(found[:4])}"), **values)


def _lacking(asked: str, found: list[str], missing: list[str]) -> str:
    if not found:
        return f"{asked}: no such record"
    return one_line(f"{asked}: {', '.join(found[:4])}, but not {', '.join(missing)}")
