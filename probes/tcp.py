"""Does a TCP port accept connections?

One connection is opened and closed. Source: RFC 9293. Costs three packets each way.
"""

from __future__ import annotations

import asyncio

from pydantic import Field

from monitor import names
from probes.registry import Metric, Options, Request, Result, ok, probe


class TcpOptions(Options):
    """What to connect to."""

    port: int = Field(ge=1, le=65535, description="port that must accept")


@probe("tcp", TcpOptions, metrics=[Metric(name="probe_tcp_connect_duration_seconds", help="Time to connect.")])
async def run(request: Request[TcpOptions]) -> Result:
    """Connect once."""
    clock = asyncio.get_running_loop().time
    start = clock()
    port = request.options.port
    request.trace(f"connecting to {request.address} port {port}")
    _, writer = await names.open_connection(request.address, port)
    seconds = clock() - start
    writer.transport.abort()
    return ok(f"port {port} accepts", probe_tcp_connect_duration_seconds=seconds)
