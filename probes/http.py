"""Does a page answer as a person would want it: right status, right text, in time, with a good certificate?

Source: RFC 9110, RFC 9112, RFC 9113. A new connection each run, as a first visitor has it; bounded in redirects, in size
before and after decompression, and in time. Redirects lead neither to another host nor out of TLS.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import unicodedata
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, suppress
from functools import lru_cache
from typing import Annotated, Literal
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from monitor import names
from monitor.core.model import Reason
from probes.engine import conversation
from probes.engine.laps import Laps
from probes.registry import Metric, Options, Request, Result, Secret, failed, ok, probe
from probes.wire import http, http2, tls
from probes.wire.text import one_line

PHASE = "probe_http_duration_seconds"
PHASES = ("resolve", "connect", "tls", "processing", "transfer")
MOST_LOCATION = 2048
PORTS = {"http": 80, "https": 443}
HEADERS = {"User-Agent": "commune-monitor", "Accept": "*/*", "Accept-Encoding": "gzip"}
REDIRECTS = (301, 302, 303, 307, 308)
CHARSETS = {
    "us-ascii": "cp1252", "ascii": "cp1252", "iso-8859-1": "cp1252", "latin1": "cp1252", "windows-1252": "cp1252",
    "windows-1258": "cp1258", "utf-16": "utf-16-le", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be",
}  # fmt: skip
"""Python's codecs by the names that pages give; every other name is taken as UTF-8. What is called Latin-1 on the web is
Windows-1252 (encoding.spec.whatwg.org). A page's own word is never given to `codecs.lookup`: that imports and remembers it.
"""
TONES = "\u0300\u0301\u0303\u0309\u0323"
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)
_SAFE = "/%:@!$&'()*+,;=~?-._"
"""What may stand in a request target besides letters and digits (RFC 3986)."""


def _check_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in PORTS or not parts.hostname or parts.port == 0:  # `port` raises ValueError
        raise ValueError("expected an address such as https://name/path")
    if parts.username is not None:
        raise ValueError("no user or password in an address: everybody who may read the inventory would have it")
    _host(parts)
    return value


def _check_headers(value: dict[str, str]) -> dict[str, str]:
    for name, content in value.items():
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise ValueError(f"`{name}` is no name of a header")
        if not re.fullmatch(r"[\t\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]*[\t\x21-\x7e\x80-\xff])?|", content):
            raise ValueError(f"header `{name}` holds what no header may hold: line breaks, or letters beyond latin-1")
    return value


class HttpOptions(Options):
    """What to ask for and what must come back."""

    url: Annotated[str, AfterValidator(_check_url)] = Field(
        description="http://… or https://…", examples=["https://{id}.example.org/"]
    )
    method: Literal["GET", "HEAD"] = Field("GET", description="HEAD: without the page")
    status: list[Annotated[int, Field(ge=100, le=599)]] = Field([200], min_length=1, description="codes that are good")
    text: str = Field("", description="must occur in the page")
    absent: str = Field("", description="must not occur: an error text on a page that answers 200")
    headers: Annotated[dict[str, str], AfterValidator(_check_headers)] = Field(
        {}, description="further headers, in clear: no passwords here"
    )
    http2: bool = Field(False, description="offer HTTP/2 to a TLS server; it chooses")
    verify: bool = Field(True, description="whether the certificate must be good")
    ca: Secret = Field(SecretStr(""), description="where the PEM of the CA is; none: those of the system")
    max_redirects: int = Field(3, ge=0, le=10, description="how many are followed, never to another host")
    max_bytes: int = Field(1 << 20, ge=1, le=16 << 20, description="size of the page in bytes")

    @model_validator(mode="after")
    def _can_succeed(self) -> HttpOptions:
        if self.method == "HEAD" and (self.text or self.absent):
            raise ValueError("`method: HEAD` brings no page, so `text` and `absent` find nothing: use GET")
        if self.absent and self.absent in self.text:
            raise ValueError("what must be `absent` is in the `text` that must be there: this can never succeed")
        return self


class _Refused(Exception):
    """The visit ended with this result."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.evidence)
        self.result = result


# -- addresses ---------------------------------------------------------------------------------------------------------


def _host(parts: SplitResult) -> str:
    """The host in ASCII; raises ValueError when it is no name."""
    host = parts.hostname or ""
    return host if ":" in host else host.encode("idna").decode("ascii")


def _authority(parts: SplitResult) -> str:
    host = _host(parts)
    shown = f"[{host}]" if ":" in host else host
    return shown if parts.port in (None, PORTS[parts.scheme]) else f"{shown}:{parts.port}"


def _target(parts: SplitResult) -> str:
    path = quote(parts.path or "/", safe=_SAFE)
    return f"{path}?{quote(parts.query, safe=_SAFE)}" if parts.query else path


def _next_url(url: str, location: str) -> str:
    if (
        len(location) > MOST_LOCATION or not location.isascii()
    ):  # RFC 3986; longer or other names take seconds to compare
        raise _Refused(failed(Reason.PROTOCOL, one_line(f"redirects to no address: {location[:80]}")))
    try:
        target = urljoin(url, location)
        old, new = urlsplit(url), urlsplit(target)
        port = new.port or PORTS.get(new.scheme, 0)  # raises ValueError
        # Below 1024 only the web's own: nobody shall have us talk to the mail server by a redirect.
        known = new.hostname == old.hostname and (port >= 1024 or port in (old.port, *PORTS.values()))
    except ValueError as error:
        raise _Refused(failed(Reason.PROTOCOL, one_line(f"redirects to no address: {error}"))) from error
    if not known or (old.scheme, new.scheme) not in (("https", "https"), ("http", "https"), ("http", "http")):
        raise _Refused(failed(Reason.STATUS, f"redirects to another place, not followed: {_shown(target)}"))
    return target


def _shown(url: str) -> str:
    """An address without query and user, which may hold secrets."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return one_line(f"{parts.scheme}://{parts.hostname}{port}{parts.path}")


# -- the way there -----------------------------------------------------------------------------------------------------


async def _connect(parts: SplitResult, request: Request[HttpOptions], laps: Laps) -> names.Streams:
    """Connect to the inventory's address, or to the first of the name's that accepts; then TLS."""
    port = parts.port or PORTS[parts.scheme]
    host, shown = request.address or _host(parts), request.address or parts.hostname
    request.doing = f"the address of {shown}"
    addresses = [names.number(each) for _, each in await names.look_up(host, port)]
    if addresses != [host]:
        laps.lap("resolve")
        request.trace(f"{shown} is {', '.join(addresses)}")

    async def opened(address: str) -> names.Streams:
        request.doing = f"a connection to {address} port {port}"
        laps.begin()
        try:
            found = await asyncio.open_connection(address, port)
        except OSError as error:
            if address != addresses[-1]:
                request.trace(f"{address}: {error.strerror or error}")
            raise
        laps.lap("connect")
        return found

    reader, writer = await names.first(addresses, opened)
    if parts.scheme == "https":
        try:
            await _start_tls(writer, _host(parts), request, laps)
        except BaseException:
            writer.transport.abort()
            raise
    return reader, writer


async def _start_tls(writer: asyncio.StreamWriter, name: str, request: Request[HttpOptions], laps: Laps) -> None:
    options = request.options
    alpn = ("h2", "http/1.1") if options.http2 else ("http/1.1",)
    context = tls.context(verify=options.verify, ca_pem=options.ca.get_secret_value(), alpn=alpn)
    request.doing = "the TLS handshake"
    laps.begin()
    try:
        await writer.start_tls(context, server_hostname=name)
    except ssl.SSLCertVerificationError as error:
        raise _Refused(failed(Reason.CERTIFICATE, one_line(tls.why(error)))) from error
    laps.lap("tls")
    session = writer.get_extra_info("ssl_object")
    laps.values |= tls.days_left(session)
    request.trace(f"{session.version()}, {session.cipher()[0]}")


# -- the exchange ------------------------------------------------------------------------------------------------------


async def _visit(url: str, request: Request[HttpOptions], laps: Laps) -> tuple[http.Head, bytes]:
    """One request and its answer; of a redirect that will be followed, without the body."""
    options, parts = request.options, urlsplit(url)
    request.trace(f"{options.method} {_shown(url)}{f' at {request.address}' if request.address else ''}")
    reader, writer = await _connect(parts, request, laps)
    try:
        session = writer.get_extra_info("ssl_object")
        exchange = http2.Http2() if session and session.selected_alpn_protocol() == "h2" else http.Http1()
        request.doing = "the first line of the answer"
        writer.write(exchange.ask(_asked(options, parts)))
        # Left open it would be closed by a task of its own, in a later turn of the loop.
        async with aclosing(conversation.parts(exchange, reader, writer, options.max_bytes)) as found:
            return await _answer(found, request, laps)
    finally:
        writer.transport.abort()


def _asked(options: HttpOptions, parts: SplitResult) -> http.Asked:
    """The request. A header of the options takes the place of ours, however it is written; `Host` too."""
    named = {name.lower(): (name, value) for name, value in (HEADERS | options.headers).items()}
    _, authority = named.pop("host", ("", _authority(parts)))
    return http.Asked(
        method=options.method, scheme=parts.scheme, authority=authority, target=_target(parts),
        headers=dict(named.values()),
    )  # fmt: skip


async def _answer(
    parts: AsyncIterator[http.Part], request: Request[HttpOptions], laps: Laps
) -> tuple[http.Head, bytes]:
    options = request.options
    head = await conversation.head_of(parts)
    laps.lap("processing")
    request.trace(f"{head.status} {one_line(head.phrase)}")
    if _leads_on(head, options):
        return head, b""
    request.doing = "the rest of the page"
    body = await conversation.body_of(parts, head, options.max_bytes)
    laps.lap("transfer")
    return head, body.whole()


def _leads_on(head: http.Head, options: HttpOptions) -> bool:
    return head.status in REDIRECTS and head.status not in options.status and bool(head.headers.get("location"))


async def _follow(request: Request[HttpOptions], laps: Laps) -> tuple[http.Head, bytes, int]:
    options, url = request.options, request.options.url
    for hops in range(options.max_redirects + 1):
        head, body = await _visit(url, request, laps)
        if not _leads_on(head, options):
            return head, body, hops
        url = _next_url(url, head.headers["location"])
    raise _Refused(failed(Reason.STATUS, f"more than {options.max_redirects} redirects"))


# -- what came back ----------------------------------------------------------------------------------------------------


def _judge_body(options: HttpOptions, body: bytes, content_type: str) -> str:
    """What is wrong with the page's text; "" when nothing is."""
    named = _CHARSET.search(content_type)
    codec = CHARSETS.get(named[1].lower(), "utf-8") if named else "utf-8"
    if options.text and not _holds(body, codec, options.text):
        return f"the page does not hold “{one_line(options.text, 60)}”"
    if options.absent and _holds(body, codec, options.absent):
        return f"the page holds “{one_line(options.absent, 60)}”"
    return ""


def _holds(body: bytes, codec: str, text: str) -> bool:
    """Whether the text occurs. It is encoded and the page left as it is: to decode or to normalise a hostile one takes long."""
    return any(each in body for each in _written(text, codec))


@lru_cache(maxsize=4096)
def _written(text: str, codec: str) -> tuple[bytes, ...]:
    """All ways to write an option's text, composed or decomposed; it is the same from run to run."""
    found = []
    for form in (unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text), _tones_apart(text)):
        with suppress(UnicodeEncodeError):
            found.append(form.encode(codec))
    return tuple(dict.fromkeys(found))


def _tones_apart(text: str) -> str:
    """Vietnamese as Windows-1258 writes it: the letter composed, its tone behind it."""
    letters = []
    for each in unicodedata.normalize("NFC", text):
        apart = unicodedata.normalize("NFD", each)
        tone = "".join(mark for mark in apart if mark in TONES)
        letters.append(unicodedata.normalize("NFC", "".join(mark for mark in apart if mark not in TONES)) + tone)
    return "".join(letters)


@probe(
    "http",
    HttpOptions,
    needs_address=False,
    metrics=[
        Metric(name="probe_http_status_code", help="Status code of the last answer."),
        Metric(name=PHASE, help="Seconds by phase, over all redirects.", labels=("phase",)),
        Metric(name="probe_http_content_length", help="Length that the answer announced, -1 when it did not."),
        Metric(name="probe_http_uncompressed_body_length", help="Bytes of the body after decompression."),
        Metric(name="probe_http_redirects", help="Redirects followed."),
        Metric(name="probe_http_ssl", help="1 when the last answer came over TLS."),
        Metric(name="probe_http_version", help="HTTP version of the answer."),
        Metric(name=tls.EXPIRY, help="When the first certificate of the peer's chain ends, in Unix seconds."),
        Metric(name=tls.DAYS_LEFT, help="Days until the first certificate of the peer's chain ends."),
    ],
)
async def run(request: Request[HttpOptions]) -> Result:
    """One visit."""
    laps = Laps(PHASE, PHASES)
    start = asyncio.get_running_loop().time()
    try:
        head, body, hops = await _follow(request, laps)
    except _Refused as refused:
        return refused.result
    except http.TooLargeError as error:
        return failed(Reason.TOO_LARGE, str(error))
    except http.BrokenOffError:
        return failed(Reason.RESET, f"the server ended the connection, still waited for: {request.doing}")
    except http.ProtocolError as error:
        return failed(Reason.PROTOCOL, one_line(f"not HTTP: {error}"))
    except socket.gaierror as error:
        return failed(Reason.NAME, f"the name is not found: {error.strerror}")
    return _result(request.options, head, body, hops, laps.values, asyncio.get_running_loop().time() - start)


def _result(
    options: HttpOptions, head: http.Head, body: bytes, hops: int, measured: Mapping[str, float], seconds: float
) -> Result:
    announced = head.headers.get("content-length", "")
    values: dict[str, float] = {
        "probe_http_status_code": head.status,
        "probe_http_content_length": int(announced) if announced.isdecimal() and len(announced) < 16 else -1,
        "probe_http_uncompressed_body_length": len(body),
        "probe_http_redirects": hops,
        "probe_http_ssl": float(tls.EXPIRY in measured),
        "probe_http_version": head.version,
        **measured,
    }
    phrase = one_line(head.phrase, 40)
    told = f"{options.method} {_shown(options.url)} → {head.status}{phrase and f' {phrase}'} in {seconds:.2f} s"
    if head.status not in options.status:
        return failed(Reason.STATUS, told, values)
    wrong = _judge_body(options, body, head.headers.get("content-type", ""))
    if wrong:
        return failed(Reason.CONTENT, f"{told}, but {wrong}", values)
    return ok(told, **values)
