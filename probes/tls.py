"""Does a TLS server complete a handshake, and how long is its certificate good?

Source: RFC 8446, RFC 5280. Costs one handshake, two when the certificate is not trusted: the second look, which verifies
nothing and sends nothing, still tells the days left.
"""

from __future__ import annotations

from pydantic import Field

from monitor.core.model import Reason
from probes.engine import connection
from probes.engine.connection import TrustOptions, UntrustedError
from probes.registry import Metric, Request, Result, failed, ok, probe
from probes.wire import tls


class TlsOptions(TrustOptions):
    """Whom to greet, and whom to trust."""

    port: int = Field(443, ge=1, le=65535, description="port of the server")


@probe(
    "tls",
    TlsOptions,
    metrics=[
        *connection.METRICS,
        Metric(name="probe_tls_handshake_duration_seconds", help="Time to connect and agree on keys."),
    ],
)
async def run(request: Request[TlsOptions]) -> Result:
    """Connect, verify, look at the certificate, go."""
    options = request.options
    request.trace(f"TLS to {request.address} port {options.port}, name {options.server_name or request.address}")
    try:
        async with connection.connect(request, request.address, options.port, options) as opened:
            version = opened.writer.get_extra_info("ssl_object").version()
    except UntrustedError as error:
        request.trace(f"{error}; looked again without verifying, for the days left")
        return failed(Reason.CERTIFICATE, str(error), error.values)
    seconds, days = sum(opened.seconds.values()), opened.values.get(tls.DAYS_LEFT, 0.0)
    return ok(
        f"{version}, certificate good for {days:.0f} days",
        probe_tls_handshake_duration_seconds=seconds,
        **opened.values,
    )
