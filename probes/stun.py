"""Does a STUN server tell us our own address? Rooms behind NAT ask it for theirs.

Source: RFC 8489. One Binding request. The answer must come from the asked address, with our transaction id and, when it has one,
a right FINGERPRINT.
"""

from __future__ import annotations

import asyncio

from monitor.core.model import Reason
from probes.engine import connection
from probes.engine.connection import UntrustedError
from probes.engine.datagrams import hostname
from probes.engine.stun import RefusedError, ServerOptions, open_client
from probes.registry import Metric, Request, Result, failed, labelled, ok, probe
from probes.wire import stun
from probes.wire.stun import Attribute, Method
from probes.wire.text import one_line

PHASE = "probe_stun_phase_duration_seconds"


class StunOptions(ServerOptions):
    """Which server, and who we are there."""


@probe(
    "stun",
    StunOptions,
    metrics=[
        Metric(name="probe_stun_duration_seconds", help="Time from the request to the answer."),
        Metric(name=PHASE, help="Seconds by phase.", labels=("phase",)),
        Metric(name="probe_stun_retransmissions", help="How often a request was sent again."),
        *connection.METRICS,
    ],
)
async def run(request: Request[StunOptions]) -> Result:
    """Ask once."""
    clock = asyncio.get_running_loop().time
    try:
        async with open_client(request) as (client, opened):
            start = clock()
            answer = await client.ask(Method.BINDING, lambda _: [])
            seconds = clock() - start
            seen = answer.address(Attribute.XOR_MAPPED_ADDRESS) or answer.address(Attribute.MAPPED_ADDRESS)
    except stun.ProtocolError as error:
        return failed(Reason.PROTOCOL, f"not STUN: {error}")
    except UntrustedError as error:
        return failed(Reason.CERTIFICATE, str(error), error.values)
    except RefusedError as error:
        wants = "refuses our" if request.options.username else "wants"
        said = f"alive, but {wants} credentials: {error}" if error.credentials else f"alive, but: {error}"
        return failed(Reason.AUTH if error.credentials else Reason.STATUS, said)
    if seen is None:
        return failed(Reason.PROTOCOL, "an answer without our address")
    values = {"probe_stun_duration_seconds": seconds, "probe_stun_retransmissions": float(client.again)}
    for phase, took in (opened.seconds if opened else {}).items():
        values[labelled(PHASE, phase=phase)] = took
    software = one_line(answer.text(Attribute.SOFTWARE), 60)
    shown = f"{hostname(seen[0])}:{seen[1]}{f' ({software})' if software else ''}"
    return ok(f"we are seen as {shown}", **values, **(opened.values if opened else {}))
