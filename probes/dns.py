"""Does a name server answer a question rightly?

Source: RFC 1035, RFC 7766. One question; over UDP asked again once half-way to the deadline, and over TCP when the answer was
truncated. dnspython checks that the answer comes from the asked address, with our id and our question.
"""

from __future__ import annotations

import asyncio
from typing import Literal

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
from pydantic import Field

from monitor.core.model import Reason
from probes.registry import Metric, Options, Request, Result, failed, ok, probe
from probes.wire.text import one_line


class DnsOptions(Options):
    """What to ask."""

    name: str = Field(min_length=1, max_length=253)
    type: Literal["A", "AAAA", "MX", "NS", "SOA", "TXT"] = "A"
    port: int = Field(53, ge=1, le=65535)
    transport: Literal["udp", "tcp"] = "udp"
    expect: list[str] = Field([], description="each must be among the answers")


async def _ask(request: Request[DnsOptions], question: dns.message.Message) -> dns.message.Message:
    options = request.options
    if options.transport == "udp":
        patience = request.timeout_seconds / 2
        for attempt in (1, 2):
            request.trace(f"asking {request.address} over UDP for {options.name} {options.type}, try {attempt}")
            try:
                async with asyncio.timeout(patience):
                    answer = await dns.asyncquery.udp(
                        question, request.address, port=options.port, ignore_unexpected=True, ignore_errors=False
                    )
            except TimeoutError:
                continue
            if not answer.flags & dns.flags.TC:
                return answer
            break
        else:
            raise TimeoutError
    request.trace(f"asking {request.address} over TCP for {options.name} {options.type}")
    return await dns.asyncquery.tcp(question, request.address, port=options.port)


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
        answer = await _ask(request, dns.message.make_query(options.name, options.type))
    except dns.exception.Timeout as error:
        raise TimeoutError from error
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
