"""Does a TLS server complete a handshake, and how long is its certificate good?

Source: RFC 8446, RFC 5280. Costs one handshake, two when the certificate is not trusted: the second look, which verifies
nothing and sends nothing, still tells the days left.
"""

from __future__ import annotations

import asyncio
import ssl

from pydantic import Field, SecretStr

from monitor.core.model import Reason
from probes.registry import Metric, Options, Request, Result, Secret, failed, ok, probe
from probes.wire import tls

METRICS = (
    Metric(name=tls.EXPIRY, help="When the certificate of the peer ends, in Unix seconds."),
    Metric(name=tls.DAYS_LEFT, help="Days until the certificate of the peer ends."),
)


class TlsOptions(Options):
    """Whom to greet, and whom to trust."""

    port: int = Field(443, ge=1, le=65535, description="port of the server")
    server_name: str = Field("", description="name to ask for and to verify; empty: the address")
    verify: bool = Field(True, description="whether the certificate must be good")
    ca: Secret = Field(SecretStr(""), description="where the PEM of the CA is; none: those of the system")


async def _handshake(request: Request[TlsOptions], context: ssl.SSLContext) -> tuple[str, dict[str, float]]:
    options = request.options
    name = options.server_name or request.address
    _, writer = await asyncio.open_connection(request.address, options.port, ssl=context, server_hostname=name)
    session = writer.get_extra_info("ssl_object")
    writer.transport.abort()
    return str(session.version()), tls.days_left(session)


@probe(
    "tls",
    TlsOptions,
    metrics=[*METRICS, Metric(name="probe_tls_handshake_duration_seconds", help="Time to connect and agree on keys.")],
)
async def run(request: Request[TlsOptions]) -> Result:
    """Connect, verify, look at the certificate, go."""
    options = request.options
    context = tls.context(verify=options.verify, ca_pem=options.ca.get_secret_value())
    clock = asyncio.get_running_loop().time
    start = clock()
    request.trace(f"TLS to {request.address} port {options.port}, name {options.server_name or request.address}")
    try:
        version, values = await _handshake(request, context)
    except ssl.SSLCertVerificationError as error:
        request.trace(f"{tls.why(error)}; looking again without verifying, for the days left")
        _, values = await _handshake(request, tls.context(verify=False, ca_pem=""))
        return failed(Reason.CERTIFICATE, tls.why(error), values)
    seconds = clock() - start
    days = values.get(tls.DAYS_LEFT, 0.0)
    return ok(
        f"{version}, certificate good for {days:.0f} days", probe_tls_handshake_duration_seconds=seconds, **values
    )
