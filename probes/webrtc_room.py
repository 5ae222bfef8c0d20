"""Could somebody join a meeting in the browser? The page of the room, and then its signalling over WebSocket.

Source: RFC 9110 (the page), RFC 6455 (WebSocket), RFC 7395 (XMPP over it, as Jitsi Meet speaks it), RFC 5280 (certificate). Joins nothing and
opens no camera: it ends after the server's first word. What media then need, STUN and TURN, has kinds of its own.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated
from urllib.parse import urljoin, urlsplit
from xml.sax.saxutils import quoteattr

import aiohttp
from aiohttp.abc import ResolveResult
from aiohttp.connector import Connection
from pydantic import AfterValidator, Field, SecretStr

from monitor.core.model import NOTHING, Reason
from probes.registry import Metric, Options, Request, Result, Secret, failed, labelled, ok, probe
from probes.wire import tls
from probes.wire.text import one_line

PHASE = "probe_webrtc_duration_seconds"
MOST_PAGE_BYTES = 1 << 20
MOST_WORD_BYTES = 65536
MOST_FRAMES = 16
"""Pings and pongs before a word."""
_NORMAL_CLOSURE = b"\x03\xe8"
"""1000 (RFC 6455 section 7.4.1)."""
FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
_OPEN = re.compile(rf"\s*<(?:\w+:)?open\s[^>]*{FRAMING}")
_FEATURES = re.compile(r"\s*<(?:\w+:)?features[\s/>]")


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("expected an address such as https://meet.example.org/room")
    if parts.username is not None:
        raise ValueError("no user or password in an address: everybody who may read the inventory would have it")
    return value


class WebrtcRoomOptions(Options):
    """Which page, and where its signalling is."""

    url: Annotated[str, AfterValidator(_url)] = Field(
        description="page of a room", examples=["https://meet.{id}.example.org/hop"]
    )
    text: str = Field("", description="must occur in the page")
    websocket: str = Field("/xmpp-websocket", description="where the signalling is, from the page on; empty: not asked")
    subprotocol: str = Field(
        "xmpp", pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]*$", description="of the WebSocket; xmpp: its first word too"
    )
    domain: str = Field("", description="XMPP domain; empty: the host of `url`")
    verify: bool = Field(True, description="whether the certificate must be good")
    ca: Secret = Field(SecretStr(""), description="where the PEM of the CA is; none: those of the system")


class _There(aiohttp.ThreadedResolver):
    """Whatever the name, it is at the target's own address."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> list[ResolveResult]:
        """That address alone. A number waits for no thread, for all of them may be looking up names at a server that is dead."""
        try:
            family = socket.AF_INET if ipaddress.ip_address(self._address).version == 4 else socket.AF_INET6
        except ValueError:
            return await super().resolve(self._address, port, family)
        return [
            ResolveResult(
                hostname=host, host=self._address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST
            )
        ]


class _Response(aiohttp.ClientResponse):
    """Looks at the certificate as the answer begins: when a short one has been read the connection is gone already."""

    certificate: Mapping[str, float] = NOTHING

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """With the connection that the answer comes over."""
        if connection.transport is not None:
            self.certificate = tls.days_left(connection.transport.get_extra_info("ssl_object"))
        return await super().start(connection)


class _RefusedError(Exception):
    def __init__(self, reason: Reason, evidence: str) -> None:
        super().__init__(evidence)
        self.reason = reason


@asynccontextmanager
async def _session(request: Request[WebrtcRoomOptions]) -> AsyncIterator[aiohttp.ClientSession]:
    """Without cookies, proxies, redirects and decompression: a stranger's page stays as small as it comes."""
    options = request.options
    connector = aiohttp.TCPConnector(
        ssl=tls.context(verify=options.verify, ca_pem=options.ca.get_secret_value()),
        resolver=_There(request.address) if request.address else None,
        force_close=True,
        use_dns_cache=False,
    )
    headers = {"User-Agent": "commune-monitor", "Accept-Encoding": "identity"}
    session = aiohttp.ClientSession(
        connector=connector, headers=headers, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None), response_class=_Response,
    )  # fmt: skip
    try:
        yield session
    finally:
        await session.close()


async def _page(session: aiohttp.ClientSession, options: WebrtcRoomOptions, values: dict[str, float]) -> None:
    """Ask for the page, and look at the certificate on the way."""
    async with session.get(options.url, allow_redirects=False) as response:
        assert isinstance(response, _Response)
        values |= response.certificate
        if response.status != 200:
            raise _RefusedError(Reason.STATUS, one_line(f"the page answers {response.status} {response.reason or ''}"))
        if options.text:
            body = bytearray()
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > MOST_PAGE_BYTES:
                    raise _RefusedError(Reason.TOO_LARGE, f"the page has more than {MOST_PAGE_BYTES} bytes")
            if options.text.encode() not in body:
                raise _RefusedError(Reason.CONTENT, f"the page does not hold “{one_line(options.text, 60)}”")


async def _signalling(session: aiohttp.ClientSession, request: Request[WebrtcRoomOptions]) -> None:
    """Upgrade, and of XMPP hear the first word."""
    options = request.options
    url = urljoin(options.url, options.websocket)
    protocols = [options.subprotocol] if options.subprotocol else []
    request.trace(f"WebSocket {one_line(url)}{f', {options.subprotocol}' if options.subprotocol else ''}")
    try:
        websocket = await session.ws_connect(
            url, protocols=protocols, max_msg_size=MOST_WORD_BYTES, autoping=False, autoclose=False
        )
    except aiohttp.WSServerHandshakeError as error:
        raise _RefusedError(Reason.STATUS, f"no WebSocket, but {error.status}") from error
    if options.subprotocol and websocket.protocol != options.subprotocol:
        raise _RefusedError(Reason.PROTOCOL, f"the WebSocket does not speak {options.subprotocol}")
    if options.subprotocol == "xmpp":
        await _first_words(websocket, options)
    # Nobody waits for the answer: `close` of aiohttp reads all that comes before it, without end and without a pause.
    await websocket.send_frame(_NORMAL_CLOSURE, aiohttp.WSMsgType.CLOSE)


async def _first_words(websocket: aiohttp.ClientWebSocketResponse, options: WebrtcRoomOptions) -> None:
    """The stream opens and offers features (RFC 7395 section 3.4, RFC 6120 section 4.3.2); then it is closed again."""
    domain = options.domain or urlsplit(options.url).hostname or ""
    await websocket.send_str(f'<open xmlns="{FRAMING}" to={quoteattr(domain)} version="1.0"/>')
    for wanted in (_OPEN, _FEATURES):
        message = await _word(websocket)
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise _RefusedError(Reason.PROTOCOL, f"not the beginning of XMPP, but {message.type.name}")
        if not wanted.match(message.data):
            raise _RefusedError(Reason.PROTOCOL, f"not the beginning of XMPP: {one_line(message.data, 120)}")
    await websocket.send_str(f'<close xmlns="{FRAMING}"/>')


async def _word(websocket: aiohttp.ClientWebSocketResponse) -> aiohttp.WSMessage:
    """What comes next, but for pings and pongs."""
    for _ in range(MOST_FRAMES):
        message = await websocket.receive()
        if message.type not in (aiohttp.WSMsgType.PING, aiohttp.WSMsgType.PONG):
            return message
    raise _RefusedError(Reason.PROTOCOL, f"{MOST_FRAMES} pings and pongs instead of a word")


@probe(
    "webrtc-room",
    WebrtcRoomOptions,
    metrics=[
        Metric(name=PHASE, help="Seconds by phase.", labels=("phase",)),
        Metric(name=tls.EXPIRY, help="When the certificate of the page ends, in Unix seconds."),
        Metric(name=tls.DAYS_LEFT, help="Days until the certificate of the page ends."),
    ],
    needs_address=False,
)
async def run(request: Request[WebrtcRoomOptions]) -> Result:
    """The page, then the signalling."""
    options, clock = request.options, asyncio.get_running_loop().time
    values: dict[str, float] = {}
    try:
        async with _session(request) as session:
            start = clock()
            request.doing = "the page"
            request.trace(f"GET {one_line(options.url)}")
            await _page(session, options, values)
            values[labelled(PHASE, phase="page")] = clock() - start
            if options.websocket:
                start, request.doing = clock(), "the signalling"
                await _signalling(session, request)
                values[labelled(PHASE, phase="signalling")] = clock() - start
    except _RefusedError as error:
        return failed(error.reason, str(error), values)
    except aiohttp.ClientConnectorCertificateError as error:
        wrong = error.certificate_error
        told = tls.why(wrong) if isinstance(wrong, ssl.SSLCertVerificationError) else str(wrong)
        return failed(Reason.CERTIFICATE, one_line(told), values)
    except aiohttp.ServerDisconnectedError:
        return failed(Reason.RESET, f"the peer closed the connection in the middle of {request.doing}", values)
    except aiohttp.ClientConnectorDNSError as error:
        return failed(Reason.NAME, one_line(str(error)), values)
    except (aiohttp.ClientResponseError, aiohttp.ClientPayloadError, aiohttp.WebSocketError) as error:
        return failed(Reason.PROTOCOL, one_line(f"{request.doing}: {error}"), values)
    days = values.get(tls.DAYS_LEFT)
    told = f", the certificate is good for {days:.0f} days" if days is not None else ""
    return ok(f"the page{' and the signalling answer' if options.websocket else ' answers'}{told}", **values)
