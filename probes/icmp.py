"""Is the address there, and how good is the way to it? Echo (RFC 792, RFC 4443), continuous over one socket a family.

The stream is `probes.engine.echo`; here are the options, and one echo for a person who asks once.
"""

from __future__ import annotations

import ipaddress
import secrets
from typing import Any

import icmplib
from pydantic import Field

from monitor.core.model import Outcome, Reason
from probes.engine.echo import HOP_LIMIT, JITTER, NOT_ALLOWED, RTT, EchoStream, of_send_error
from probes.registry import Metric, Options, Request, Result, failed, inconclusive, probe
from probes.wire import icmp


class IcmpOptions(Options):
    """How large the echo is, and how much is kept of the replies."""

    size: int = Field(56, ge=icmp.PAYLOAD.size, le=1472, description="bytes of payload")
    histogram: bool | None = Field(
        None, description="keep histograms of round trip and jitter for Prometheus; by default for lines"
    )


@probe(
    "icmp",
    IcmpOptions,
    metrics=[
        Metric(name="probe_icmp_duration_seconds", help="Round trip of the last echo.", labels=("phase",)),
        Metric(name=JITTER, help="Smoothed difference between round trips (RFC 3550)."),
        Metric(name=HOP_LIMIT, help="TTL of the last reply."),
    ],
    by_number=True,
    stream=EchoStream,
)
async def run(request: Request[IcmpOptions]) -> Result:
    """One echo, by icmplib: a person who asks once does not need the engine."""
    try:
        version = ipaddress.ip_address(request.address).version
    except ValueError:
        return failed(Reason.NAME, f"icmp needs an IP address, not {request.address!r}")
    make = icmplib.ICMPv4Socket if version == 4 else icmplib.ICMPv6Socket
    try:
        opened = _open_once(make, request)
    except icmplib.SocketPermissionError:
        return inconclusive(Reason.PERMISSION, NOT_ALLOWED)
    with opened:
        return await _echo(opened, request)


async def _echo(opened: Any, request: Request[IcmpOptions]) -> Result:
    echo = icmplib.ICMPRequest(
        request.address, secrets.randbelow(0xFFFF) + 1, 1, payload=secrets.token_bytes(request.options.size)
    )
    request.trace(f"echo of {request.options.size} bytes to {request.address}")
    try:
        opened.send(echo)
        reply = await opened.receive(echo, request.timeout_seconds)
        reply.raise_for_status()
    except icmplib.TimeoutExceeded:
        return failed(Reason.TIMEOUT, f"no echo from {request.address} within {request.timeout_seconds:g} s")
    except icmplib.ICMPError as error:
        # Its asynchronous socket does not tell who said so.
        return failed(Reason.UNREACHABLE, f"a hop on the way says about {request.address}: {error}")
    except icmplib.ICMPLibError as error:
        cause = error.__context__  # where icmplib leaves the error of the system
        if isinstance(cause, OSError):
            return of_send_error(cause, out_of_turn=False)
        return inconclusive(Reason.LOCAL, str(error))
    seconds = max(0.0, reply.time - echo.time)
    return Result(
        outcome=Outcome.OK, values={RTT: seconds}, evidence=f"echo from {request.address} in {seconds * 1000:.2f} ms"
    )


def _open_once(make: Any, request: Request[IcmpOptions]) -> Any:
    try:
        return icmplib.AsyncSocket(make(privileged=True))
    except icmplib.SocketPermissionError:
        request.trace("no CAP_NET_RAW, trying the ping socket")
        return icmplib.AsyncSocket(make(privileged=False))
