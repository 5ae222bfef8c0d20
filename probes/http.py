"""Does a page answer as a person would want it: right status, right text, in time, with a good certificate?

Source: RFC 9110, RFC 9112. A new connection each run, as a first visitor has it; bounded in redirects, size after
decompression and time. Redirects lead neither to another host nor out of TLS.
"""

from __future__ import annotations

import asyncio
import codecs
import socket
import ssl
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Literal
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from pydantic import AfterValidator, Field, SecretStr

from monitor.core.model import Reason
from probes.registry import Metric, Options, Request, Result, Secret, failed, labelled, ok, probe, result_of
from probes.wire import tls
from probes.wire.text import one_line

PHASE = "probe_http_duration_seconds"
READ_BYTES = 65536
CHARSETS = frozenset(
    {"utf-8", "ascii", "iso8859-1", "iso8859-15", "cp1252", "cp1258", "utf-16", "utf-16-le", "utf-16-be"}
)
"""Names as codecs.lookup gives them."""


def _check_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:  # `port` raises ValueError
        raise ValueError("expected an address such as https://name/path")
    return value


class HttpOptions(Options):
    """What to ask for and what must come back."""

    url: Annotated[str, AfterValidator(_check_url)]
    method: Literal["GET", "HEAD"] = "GET"
    status: list[int] = [200]
    text: str = Field("", description="must occur in the page")
    absent: str = Field("", description="must not occur: an error text on a page that answers 200")
    headers: dict[str, str] = {}
    verify: bool = True
    ca: Secret = SecretStr("")
    max_redirects: int = Field(3, ge=0, le=10)
    max_bytes: int = Field(1 << 20, ge=1, le=16 << 20)


class _Pinned(AbstractResolver):
    """Every name is at the address of the inventory."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[ResolveResult]:
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        return [ResolveResult(hostname=host, host=self._address, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is held."""


@dataclass(slots=True)
class _Timing:
    """Seconds by phase. aiohttp tells connecting and the TLS handshake as one: `connect` holds both."""

    phases: dict[str, float] = field(default_factory=dict)
    mark: float = 0.0
    certificate: Mapping[str, float] = field(default_factory=dict)

    def lap(self, phase: str) -> None:
        now = asyncio.get_running_loop().time()
        self.phases[phase] = self.phases.get(phase, 0.0) + now - self.mark
        self.mark = now


def _tracing(timing: _Timing) -> aiohttp.TraceConfig:
    config = aiohttp.TraceConfig()

    def lap(phase: str) -> object:
        async def on(*_: object) -> None:
            timing.lap(phase)

        return on

    config.on_dns_resolvehost_end.append(lap("resolve"))  # type: ignore[arg-type]
    config.on_connection_create_end.append(lap("connect"))  # type: ignore[arg-type]
    return config


class _Refused(Exception):
    """The exchange ended with this result."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.evidence)
        self.result = result


def _next_url(url: str, location: str) -> str:
    try:
        target = urljoin(url, location)
        old, new = urlsplit(url), urlsplit(target)
        _ = new.port  # raises when it is no number below 65536
    except ValueError as error:
        raise _Refused(failed(Reason.PROTOCOL, one_line(f"redirects to no address: {error}"))) from error
    if new.hostname != old.hostname or (new.scheme, old.scheme) not in (
        ("https", "https"),
        ("https", "http"),
        ("http", "http"),
    ):
        raise _Refused(failed(Reason.STATUS, f"redirects to another place, not followed: {_shown(target)}"))
    return target


def _shown(url: str) -> str:
    """An address without query and user, which may hold secrets."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return one_line(f"{parts.scheme}://{parts.hostname}{port}{parts.path}")


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(READ_BYTES):
        body += chunk
        if len(body) > limit:
            raise _Refused(failed(Reason.TOO_LARGE, f"the page is larger than {limit} bytes"))
    return bytes(body)


async def _exchange(
    session: aiohttp.ClientSession, request: Request[HttpOptions], timing: _Timing
) -> tuple[aiohttp.ClientResponse, bytes, int]:
    options = request.options
    url, hops = options.url, 0
    while True:
        timing.mark = asyncio.get_running_loop().time()
        request.trace(f"{options.method} {_shown(url)}{f' at {request.address}' if request.address else ''}")
        async with session.request(options.method, url, headers=options.headers, allow_redirects=False) as response:
            timing.lap("processing")
            assert isinstance(response, _Response)
            timing.certificate = response.certificate
            request.trace(f"{response.status} {one_line(response.reason or '')}")
            location = response.headers.get("Location")
            if response.status not in (301, 302, 303, 307, 308) or not location or response.status in options.status:
                body = await _read(response, options.max_bytes)
                timing.lap("transfer")
                return response, body, hops
        hops += 1
        if hops > options.max_redirects:
            raise _Refused(failed(Reason.STATUS, f"more than {options.max_redirects} redirects"))
        url = _next_url(url, location)


class _Response(aiohttp.ClientResponse):
    """Looks at the certificate before the answer is read: a short page has released the connection by the time we get it."""

    certificate: Mapping[str, float] = MappingProxyType({})

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        if connection.transport is not None:
            self.certificate = tls.days_left(connection.transport.get_extra_info("ssl_object"))
        return await super().start(connection)


def _judge_body(options: HttpOptions, body: bytes, charset: str | None) -> str:
    """What is wrong with the page's text; "" when nothing is."""
    if not (options.text or options.absent):
        return ""
    page = body.decode(_codec(charset), errors="replace")
    if options.text and not _holds(page, options.text):
        return f"the page does not hold “{one_line(options.text, 60)}”"
    if options.absent and _holds(page, options.absent):
        return f"the page holds “{one_line(options.absent, 60)}”"
    return ""


def _codec(charset: str | None) -> str:
    """A codec for pages; a stranger may not choose one of Python's odd ones, some of which take minutes for a page."""
    try:
        name = codecs.lookup(charset or "utf-8").name
    except LookupError:
        return "utf-8"
    return name if name in CHARSETS else "utf-8"


def _holds(page: str, text: str) -> bool:
    """Whether the text occurs, composed or decomposed. The page is not normalised: a hostile one would take minutes."""
    return any(unicodedata.normalize(form, text) in page for form in ("NFC", "NFD"))


@probe(
    "http",
    HttpOptions,
    needs_address=False,
    metrics=[
        Metric(name="probe_http_status_code", help="Status code of the last answer."),
        Metric(name=PHASE, help="Seconds by phase; connect holds TCP and TLS.", labels=("phase",)),
        Metric(name="probe_http_content_length", help="Length that the answer announced, -1 when it did not."),
        Metric(name="probe_http_uncompressed_body_length", help="Bytes of the body after decompression."),
        Metric(name="probe_http_redirects", help="Redirects followed."),
        Metric(name="probe_http_ssl", help="1 when the last answer came over TLS."),
        Metric(name="probe_http_version", help="HTTP version of the answer."),
        Metric(name=tls.EXPIRY, help="When the certificate of the peer ends, in Unix seconds."),
        Metric(name=tls.DAYS_LEFT, help="Days until the certificate of the peer ends."),
    ],
)
async def run(request: Request[HttpOptions]) -> Result:
    """One visit."""
    options = request.options
    context = tls.context(request.memory, verify=options.verify, ca_pem=options.ca.get_secret_value())
    timing = _Timing()
    connector = aiohttp.TCPConnector(
        ssl=context, force_close=True, limit=1, use_dns_cache=False,
        resolver=_Pinned(request.address) if request.address else aiohttp.ThreadedResolver(),
    )  # fmt: skip
    # The registry keeps the deadline; a second one here would only blur the reason.
    no_limit = aiohttp.ClientTimeout(total=None, sock_connect=None, sock_read=None, connect=None)
    start = asyncio.get_running_loop().time()
    try:
        async with aiohttp.ClientSession(
            connector=connector, timeout=no_limit, trace_configs=[_tracing(timing)], trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(), headers={"User-Agent": "commune-monitor"}, response_class=_Response,
        ) as session:  # fmt: skip
            response, body, hops = await _exchange(session, request, timing)
    except _Refused as refused:
        return refused.result
    except aiohttp.ClientError as error:
        return _of_client_error(error)
    seconds = asyncio.get_running_loop().time() - start
    return _result(options, response, body, hops, timing, seconds)


def _of_client_error(error: aiohttp.ClientError) -> Result:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return failed(Reason.NAME, f"the name is not found: {error.os_error.strerror or error.os_error}")
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        inner = error.certificate_error
        text = tls.why(inner) if isinstance(inner, ssl.SSLCertVerificationError) else str(inner)
        return failed(Reason.CERTIFICATE, one_line(text))
    if isinstance(error, aiohttp.ClientConnectorError):
        return result_of(error.os_error)
    if isinstance(error, (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
        return failed(Reason.RESET, "the server closed the connection without an answer")
    # Only the message: the error as text holds the whole address, whose query may be a secret.
    said = error.message if isinstance(error, aiohttp.ClientResponseError) else error
    return failed(Reason.PROTOCOL, one_line(f"not HTTP: {said}"))


def _result(
    options: HttpOptions, response: aiohttp.ClientResponse, body: bytes, hops: int, timing: _Timing, seconds: float
) -> Result:
    version = response.version
    values: dict[str, float] = {
        "probe_http_status_code": response.status,
        "probe_http_content_length": -1 if response.content_length is None else response.content_length,
        "probe_http_uncompressed_body_length": len(body),
        "probe_http_redirects": hops,
        "probe_http_ssl": float(bool(timing.certificate)),
        "probe_http_version": float(f"{version.major}.{version.minor}") if version else 0.0,
        **{labelled(PHASE, phase=phase): lap for phase, lap in timing.phases.items()},
        **timing.certificate,
    }
    told = f"{options.method} {_shown(options.url)} → {response.status} {one_line(response.reason or '', 40)} in {seconds:.2f} s"
    if response.status not in options.status:
        return failed(Reason.STATUS, told, values)
    wrong = _judge_body(options, body, response.charset)
    if wrong:
        return failed(Reason.CONTENT, f"{told}, but {wrong}", values)
    return ok(told, **values)
