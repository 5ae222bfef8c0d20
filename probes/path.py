"""Does the way take packets of full size whole, and does it keep their marking? What a call needs, and what no echo of usual size shows.

Source: RFC 1191, RFC 8201 (path MTU), RFC 4821 (by probing: a hop that says nothing is found too), RFC 2474 (DSCP), RFC 8972 (what the reflector saw). Costs
two echoes while all is well, and some thirty when it must search.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from monitor.core.model import Reason
from probes.engine import path_mtu, stamp_sender
from probes.engine.echo import NOT_ALLOWED
from probes.engine.reflector import PORT
from probes.engine.stamp_sender import Packet, Test, number
from probes.registry import Metric, Options, Request, Result, Secret, failed, inconclusive, labelled, ok, probe

PACKETS = 5
"""For each marking; one that comes through shows what becomes of it."""
GAP_SECONDS = 0.02
BYTES = 172


class PathOptions(Options):
    """How large, and marked how."""

    mtu: int = Field(1500, ge=576, le=9216, description="bytes that a whole packet shall have room for")
    key: Annotated[Secret, AfterValidator(stamp_sender.check_key)] = Field(
        SecretStr(""), description="where the key of the reflector is; none: markings are not looked at"
    )
    reflector: Annotated[str, AfterValidator(number)] = Field(
        "", description="address of the reflector; empty: the target's own"
    )
    port: int = Field(PORT, ge=1, le=65535, description="port of the reflector")
    dscp: list[Annotated[int, Field(ge=0, le=63)]] = Field(
        [46, 34], min_length=1, max_length=8, description="markings that must be kept"
    )


@probe(
    "path",
    PathOptions,
    metrics=[
        Metric(name="probe_path_mtu_bytes", help="Largest packet that arrives whole, up to `mtu`."),
        Metric(
            name="probe_path_dscp_kept", help="1 when packets with this DSCP keep it.", labels=("dscp", "direction")
        ),
    ],
    by_number=True,
)
async def run(request: Request[PathOptions]) -> Result:
    """Largest whole packet first, then the markings."""
    options = request.options
    request.doing = "an echo of a small packet"
    try:
        found = await path_mtu.find(request.address, options.mtu, request.trace)
    except path_mtu.RefusedError as error:
        return failed(Reason.UNREACHABLE, str(error))
    except PermissionError:
        return inconclusive(Reason.PERMISSION, NOT_ALLOWED)
    if not found.mtu:
        return failed(Reason.TIMEOUT, f"no echo from {request.address}, however small")
    values = {"probe_path_mtu_bytes": float(found.mtu)}
    told = [_of_size(found, options.mtu)]
    if options.key.get_secret_value():
        marked = await _marked(request)
        if isinstance(marked, Result):
            return marked._replace(values=values, evidence=f"{marked.evidence}; {told[0]}")
        for dscp in options.dscp:
            there, back = _kept(marked, dscp)
            for direction, kept in (("there", there), ("back", back)):
                values[labelled("probe_path_dscp_kept", dscp=str(dscp), direction=direction)] = float(kept)
            told.append(f"DSCP {dscp} {_of_marking(there, back)}")
    return ok(", ".join(told), **values)


def _of_size(found: path_mtu.Found, wanted: int) -> str:
    if found.mtu >= wanted:
        return f"{wanted} bytes pass whole"
    if not found.hop:
        return f"{found.mtu} bytes pass whole, larger ones vanish without a word"
    return f"{found.mtu} bytes pass whole, {found.hop} refuses more{f' than {found.named}' if found.named else ''}"


def _of_marking(there: bool, back: bool) -> str:
    return "is kept" if there and back else f"is lost on the way {'back' if there else 'there'}"


async def _marked(request: Request[PathOptions]) -> Test | Result:
    options = request.options
    address = options.reflector or request.address
    request.doing = f"the reflector at {address}"
    plan = [
        Packet((index * PACKETS + each) * GAP_SECONDS, BYTES, dscp)
        for index, dscp in enumerate(options.dscp)
        for each in range(PACKETS)
    ]
    request.trace(f"{len(plan)} packets to the reflector at {address} port {options.port}")
    test = await stamp_sender.send(address, options.port, stamp_sender.key_of(options.key), plan)
    return stamp_sender.trouble(test, address, options.port) or test


def _kept(test: Test, dscp: int) -> tuple[bool, bool]:
    """There and back; what did not come through at all was not kept there."""
    there = [seen for ours, seen in test.dscp_there if ours == dscp]
    back = [seen for ours, seen in test.dscp_back if ours == dscp]
    return bool(there) and all(seen == dscp for seen in there), bool(back) and all(seen == dscp for seen in back)
