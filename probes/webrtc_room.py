"""Could somebody join a meeting in the browser? The page of the room, its signalling over WebSocket, and the servers for its media.

Source: RFC 9110 (the page), RFC 6455 (WebSocket), RFC 7395 (XMPP over it, as Jitsi Meet speaks it), RFC 5280 (certificate); with `ice`
RFC 4505 (anonymous log-in), XEP-0215 (which STUN and TURN servers there are), RFC 8489, RFC 8656. Joins nothing and opens no camera:
without `ice` it ends after the server's first word, with it there is a session that nobody sees, for no presence is sent.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urljoin, urlsplit
from xml.etree.ElementTree import Element

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from pydantic import AfterValidator, Field, SecretStr, model_validator

from monitor import names
from monitor.core.model import NOTHING, Outcome, Reason
from probes.engine import ice
from probes.registry import Metric, Options, Request, Result, Secret, failed, labelled, ok, probe
from probes.wire import tls, xmpp
from probes.wire.text import one_line
from probes.wire.xmpp import IceServer

PHASE = "probe_webrtc_duration_seconds"
MOST_PAGE_BYTES = 1 << 20
MOST_WORD_BYTES = 65536
MOST_FRAMES = 16
"""Pings and pongs before a word."""
MOST_WORDS = 16
"""Before the one that is waited for."""
ICE_RATIO = 0.9
"""Part of the time-out after which the STUN and TURN servers are no longer waited for, so that it can be told which of them is silent."""
_NORMAL_CLOSURE = b"\x03\xe8"
"""1000 (RFC 6455 section 7.4.1)."""


def _url(value: str, schemes: Sequence[str] = ("http", "https")) -> str:
    parts = urlsplit(value)
    if parts.scheme not in schemes or not parts.hostname or parts.port == 0:
        raise ValueError("expected an address such as https://meet.example.org/room")
    try:
        parts.hostname.encode("idna")
    except UnicodeError as error:
        raise ValueError(f"`{parts.hostname}` is no name of a host") from error
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
    ice: bool = Field(False, description="log in as a guest, and ask the STUN and TURN servers that are named then")
    guest_domain: str = Field("", description="XMPP domain where guests log in; empty: `domain`")
    verify: bool = Field(True, description="whether certificates must be good")
    ca: Secret = Field(SecretStr(""), description="where the PEM of the CA is; none: those of the system")

    @model_validator(mode="after")
    def _fits(self) -> WebrtcRoomOptions:
        _url(self.signalling, ("http", "https", "ws", "wss"))
        if self.ice and not (self.websocket and self.subprotocol == "xmpp"):
            raise ValueError("`ice` asks over a `websocket` with the subprotocol `xmpp`")
        if self.guest_domain and not self.ice:
            raise ValueError("`guest_domain` is where `ice` logs in, and nothing else does")
        return self

    @property
    def host(self) -> str:
        """Of the page."""
        return urlsplit(self.url).hostname or ""

    @property
    def signalling(self) -> str:
        """Where the WebSocket is."""
        return urljoin(self.url, self.websocket)

    @property
    def main_domain(self) -> str:
        """The XMPP domain of the service."""
        return self.domain or self.host


class _There(AbstractResolver):
    """Where the service is, whatever aiohttp asks for."""

    def __init__(self, address: str) -> None:
        """`address` is the target's own; empty: that of the name."""
        self._address = address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses as aiohttp wants them, of every family."""
        del family  # aiohttp asks for any
        return [
            ResolveResult(
                hostname=host, host=names.number(each), port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST
            )
            for kind, each in await names.look_up(self._address or host, port)
        ]

    async def close(self) -> None:
        """There is nothing to close."""


class _Response(aiohttp.ClientResponse):
    """Looks at the certificate as the answer begins: when a short one has been read the connection is gone already."""

    certificate: Mapping[str, float] = NOTHING

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """With the connection that the answer comes over."""
        if connection.transport is not None:
            self.certificate = tls.days_left(connection.transport.get_extra_info("ssl_object"))
        return await super().start(connection)


class _WebSocket(aiohttp.ClientWebSocketResponse):
    def let_go(self) -> None:
        """End the connection once what was sent has left. Nobody waits for an answer: `close` reads all that comes before it, without
        end and without a pause.
        """
        self._response.close()


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
        resolver=_There(request.address),
        force_close=True,
        use_dns_cache=False,
    )
    headers = {"User-Agent": "commune-monitor", "Accept-Encoding": "identity"}
    session = aiohttp.ClientSession(
        connector=connector, headers=headers, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None), response_class=_Response,
        ws_response_class=_WebSocket,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signalling:
    """What the signalling told."""

    address: str
    """Where it is, a number."""
    servers: Sequence[IceServer] = ()


async def _signalling(session: aiohttp.ClientSession, request: Request[WebrtcRoomOptions]) -> _Signalling:
    """Upgrade, and of XMPP hear the first word, or which servers there are for media."""
    options = request.options
    url = options.signalling
    protocols = [options.subprotocol] if options.subprotocol else []
    request.trace(f"WebSocket {one_line(url)}{f', {options.subprotocol}' if options.subprotocol else ''}")
    try:
        websocket = await session.ws_connect(
            url, protocols=protocols, max_msg_size=MOST_WORD_BYTES, autoping=False, autoclose=False
        )
    except aiohttp.WSServerHandshakeError as error:
        raise _RefusedError(Reason.STATUS, f"no WebSocket, but {error.status}") from error
    assert isinstance(websocket, _WebSocket)
    try:
        return await _conversation(websocket, request)
    finally:
        websocket.let_go()


async def _conversation(websocket: _WebSocket, request: Request[WebrtcRoomOptions]) -> _Signalling:
    options = request.options
    peer = websocket.get_extra_info("peername")
    if peer is None:
        raise ConnectionResetError(104, "the peer closed the WebSocket at once")
    if options.subprotocol and websocket.protocol != options.subprotocol:
        raise _RefusedError(Reason.PROTOCOL, f"the WebSocket does not speak {options.subprotocol}")
    servers: Sequence[IceServer] = ()
    if options.subprotocol == "xmpp":
        features = await _first_words(websocket, options.guest_domain or options.main_domain)
        if options.ice:
            servers = await _ice_servers(websocket, xmpp.mechanisms(features), request)
        await websocket.send_str(xmpp.CLOSING)
    await websocket.send_frame(_NORMAL_CLOSURE, aiohttp.WSMsgType.CLOSE)
    return _Signalling(address=str(peer[0]), servers=servers)


async def _first_words(websocket: aiohttp.ClientWebSocketResponse, domain: str) -> Element:
    """The stream opens and offers features (RFC 7395 section 3.4, RFC 6120 section 4.3.2), which are returned."""
    await websocket.send_str(xmpp.opening(domain))
    await _element(websocket, xmpp.OPEN)
    return await _element(websocket, xmpp.FEATURES)


async def _ice_servers(
    websocket: aiohttp.ClientWebSocketResponse, offered: list[str], request: Request[WebrtcRoomOptions]
) -> list[IceServer]:
    """As a browser gets them: log in as a guest, bind a resource, ask. Presence is never sent."""
    if "ANONYMOUS" not in offered:
        ways = one_line(", ".join(sorted(offered)), 100) or "nothing"
        raise _RefusedError(Reason.AUTH, f"no guest may log in: the signalling offers {ways}")
    request.trace("log-in as a guest")
    await websocket.send_str(xmpp.LOGIN)
    answer = await _element(websocket, xmpp.SUCCESS, xmpp.FAILURE)
    if answer.tag == xmpp.FAILURE:
        raise _RefusedError(Reason.AUTH, f"no guest may log in: {xmpp.condition(answer)}")
    await _first_words(websocket, request.options.guest_domain or request.options.main_domain)
    await _answer(websocket, xmpp.BINDING, "bind", "binds no resource")
    request.trace("which STUN and TURN servers are there?")
    answer = await _answer(websocket, xmpp.asking(request.options.main_domain), "ice", "names no STUN or TURN server")
    servers = xmpp.ice_servers(answer)
    if not servers:
        raise _RefusedError(Reason.CONTENT, "the signalling names no STUN or TURN server: its list is empty")
    return servers


async def _answer(websocket: aiohttp.ClientWebSocketResponse, question: str, id_: str, otherwise: str) -> Element:
    await websocket.send_str(question)
    for _ in range(MOST_WORDS):  # what a server tells everybody may come before it
        element = await _element(websocket)
        if element.tag == xmpp.ANSWER and element.get("id") == id_ and element.get("type") in ("result", "error"):
            if element.get("type") == "error":
                raise _RefusedError(Reason.STATUS, f"the signalling {otherwise}: {xmpp.condition(element)}")
            return element
    raise _RefusedError(Reason.PROTOCOL, f"the signalling {otherwise}: {MOST_WORDS} other words instead")


async def _element(websocket: aiohttp.ClientWebSocketResponse, *wanted: str) -> Element:
    """The next element, which must be one of those that are wanted, if any are. What it says is not told: it may be a password."""
    message = await _word(websocket)
    if message.type is not aiohttp.WSMsgType.TEXT:
        raise _RefusedError(Reason.PROTOCOL, f"not XMPP, but {message.type.name}")
    try:
        element = xmpp.parse(message.data)
    except xmpp.ProtocolError as error:
        raise _RefusedError(Reason.PROTOCOL, f"not XMPP: {error}") from error
    if element.tag == xmpp.STREAM_ERROR:
        raise _RefusedError(Reason.STATUS, f"the signalling ends the stream: {xmpp.condition(element)}")
    if element.tag == xmpp.CLOSE:
        raise _RefusedError(Reason.PROTOCOL, "the signalling closes the stream")
    if wanted and element.tag not in wanted:
        raise _RefusedError(Reason.PROTOCOL, f"not what XMPP says here: {one_line(element.tag, 120)}")
    return element


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
        Metric(
            name=tls.EXPIRY,
            help="When the certificate ends that ends first, of page and TURN servers, in Unix seconds.",
        ),
        Metric(name=tls.DAYS_LEFT, help="Days until then."),
        *ice.METRICS,
    ],
    needs_address=False,
)
async def run(request: Request[WebrtcRoomOptions]) -> Result:
    """The page, the signalling, and with `ice` the servers that it names."""
    options, clock = request.options, asyncio.get_running_loop().time
    values: dict[str, float] = {}
    signalling = None
    give_up = clock() + request.timeout_seconds * ICE_RATIO
    try:
        async with _session(request) as session:
            start = clock()
            request.doing = "the page"
            request.trace(f"GET {one_line(options.url)}")
            await _page(session, options, values)
            values[labelled(PHASE, phase="page")] = clock() - start
            if options.websocket:
                start, request.doing = clock(), "the signalling"
                signalling = await _signalling(session, request)
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
    return await _told(request, values, signalling, give_up)


async def _told(
    request: Request[WebrtcRoomOptions], values: dict[str, float], signalling: _Signalling | None, give_up: float
) -> Result:
    """What is well; with `ice` whether the servers that the signalling named are, until `give_up` by the loop's clock."""
    options, clock = request.options, asyncio.get_running_loop().time
    days = values.get(tls.DAYS_LEFT)
    told = f", the certificate is good for {days:.0f} days" if days is not None else ""
    servers = ""
    if options.ice and signalling:
        start = clock()
        result = await ice.gather(_gathering(request, signalling, give_up - start), signalling.servers)
        values |= {**result.values, **tls.first_to_end([values, result.values])}
        values[labelled(PHASE, phase="ice")] = clock() - start
        if result.outcome is not Outcome.OK:
            return result._replace(values=values if result.outcome is Outcome.FAILED else NOTHING)
        servers = f", {result.evidence}"
    return ok(f"the page{' and the signalling answer' if options.websocket else ' answers'}{told}{servers}", **values)


def _gathering(request: Request[WebrtcRoomOptions], signalling: _Signalling, patience: float) -> ice.Gathering:
    return ice.Gathering(
        host=request.options.host, address=signalling.address, verify=request.options.verify, ca=request.options.ca,
        patience_seconds=patience, trace=request.trace,
    )  # fmt: skip
