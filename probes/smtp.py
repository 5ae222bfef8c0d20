"""Does a mail server greet, and is its certificate good?

Source: RFC 5321, RFC 3207. Greeting, EHLO, STARTTLS if asked for, QUIT: no mail is ever offered.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Annotated

from pydantic import Field

from monitor import names
from monitor.core.model import Reason
from probes.engine import connection
from probes.engine.connection import TrustOptions
from probes.engine.laps import Laps
from probes.registry import Metric, Request, Result, failed, ok, probe
from probes.wire import tls
from probes.wire.text import one_line

PHASE = "probe_smtp_duration_seconds"
MAX_LINE = 2048
"""RFC 5321 allows 512 bytes a reply line; some servers greet longer."""
MAX_LINES = 64


class SmtpOptions(TrustOptions):
    """How to greet."""

    port: int = Field(25, ge=1, le=65535, description="port of the server")
    helo: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+$")] = Field(
        "commune-monitor.invalid", description="our name in EHLO"
    )
    starttls: bool = Field(False, description="insist on TLS")


class _Wrong(Exception):
    """The dialogue ended early, with this result."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.evidence)
        self.result = result


class _Dialogue(Laps):
    """Lines out and replies in, with the time that each took."""

    def __init__(self, request: Request[SmtpOptions]) -> None:
        super().__init__(PHASE)
        self.request = request

    async def reply(self, reader: asyncio.StreamReader, want: int, phase: str) -> list[str]:
        lines: list[str] = []
        while True:
            try:
                raw = await reader.readuntil(b"\n")
            except asyncio.LimitOverrunError as error:
                raise _Wrong(failed(Reason.PROTOCOL, "not SMTP: an endless line")) from error
            line = one_line(raw.decode("ascii", errors="replace"))
            if len(line) < 3 or not line[:3].isdigit() or len(lines) >= MAX_LINES:
                raise _Wrong(failed(Reason.PROTOCOL, f"not SMTP: {line!r}", self.values))
            lines.append(line)
            if line[3:4] != "-":
                break
        self.lap(phase)
        self.request.trace(f"server: {lines[-1]}")
        code = int(lines[-1][:3])
        self.values["probe_smtp_status_code"] = code
        if code != want:
            raise _Wrong(failed(Reason.STATUS, f"after {phase}: {lines[-1]}", self.values))
        return lines

    async def say(self, writer: asyncio.StreamWriter, line: str) -> None:
        self.request.trace(f"we: {line}")
        writer.write(line.encode("ascii") + b"\r\n")
        await writer.drain()


@probe(
    "smtp",
    SmtpOptions,
    metrics=[
        Metric(name="probe_smtp_status_code", help="Code of the last reply."),
        Metric(name=PHASE, help="Seconds by phase.", labels=("phase",)),
        *connection.METRICS,
    ],
)
async def run(request: Request[SmtpOptions]) -> Result:
    """Greet and go."""
    options = request.options
    talk = _Dialogue(request)
    request.trace(f"connecting to {request.address} port {options.port}")
    reader, writer = await names.open_connection(request.address, options.port, limit=MAX_LINE)
    talk.lap("connect")
    try:
        banner = await talk.reply(reader, 220, "banner")
        await talk.say(writer, f"EHLO {options.helo}")
        offers = await talk.reply(reader, 250, "ehlo")
        if options.starttls:
            await _start_tls(talk, reader, writer, offers)
        await talk.say(writer, "QUIT")
        return ok(banner[0], **talk.values)
    except _Wrong as wrong:
        return wrong.result
    except ssl.SSLCertVerificationError as error:
        return failed(Reason.CERTIFICATE, tls.why(error), talk.values)
    finally:
        writer.transport.abort()


async def _start_tls(
    talk: _Dialogue, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, offers: list[str]
) -> None:
    options = talk.request.options
    if not any(line[4:].strip().upper() == "STARTTLS" for line in offers):
        raise _Wrong(failed(Reason.STATUS, "the server does not offer STARTTLS", talk.values))
    await talk.say(writer, "STARTTLS")
    await talk.reply(reader, 220, "starttls")
    if await _has_more(reader):  # CVE-2011-0411 the other way round: what came in clear would pass for said inside TLS
        raise _Wrong(failed(Reason.PROTOCOL, "the server goes on in clear after STARTTLS", talk.values))
    context = tls.context(verify=options.verify, ca_pem=options.ca.get_secret_value())
    await writer.start_tls(context, server_hostname=options.server_name or talk.request.address)
    talk.values.update(tls.days_left(writer.get_extra_info("ssl_object")))
    await talk.say(writer, f"EHLO {options.helo}")
    await talk.reply(reader, 250, "ehlo")


async def _has_more(reader: asyncio.StreamReader) -> bool:
    """Whether something was received that has not been read."""
    try:
        async with asyncio.timeout(0):
            return bool(await reader.read(1))
    except TimeoutError:
        return False
