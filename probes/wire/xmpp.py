"""What a browser says over XMPP before it joins a meeting, as text and values. No I/O.

Source: RFC 7395 (over WebSocket), RFC 6120 (features, binding), RFC 4505 (anonymous log-in), XEP-0215 (servers for media); which of
them a browser takes, and how: `strophe.jingle.js` of lib-jitsi-meet, `turn_port.cc` of libwebrtc. `parse` and `ice_servers` are total:
any text gives a value or one ProtocolError.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import Literal
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import quoteattr

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from probes.wire.text import one_line

FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
_CLIENT = "jabber:client"
_STREAMS = "http://etherx.jabber.org/streams"
_SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
_BIND = "urn:ietf:params:xml:ns:xmpp-bind"
_SERVICES = "urn:xmpp:extdisco:2"

OPEN, CLOSE = f"{{{FRAMING}}}open", f"{{{FRAMING}}}close"
FEATURES, STREAM_ERROR = f"{{{_STREAMS}}}features", f"{{{_STREAMS}}}error"
SUCCESS, FAILURE = f"{{{_SASL}}}success", f"{{{_SASL}}}failure"
ANSWER = f"{{{_CLIENT}}}iq"

TRACE = "commune-monitor"
"""What an anonymous log-in leaves in the server's log (RFC 4505 section 2), so that its admin knows who that is."""
LOGIN = f'<auth xmlns="{_SASL}" mechanism="ANONYMOUS">{base64.b64encode(TRACE.encode()).decode()}</auth>'
CLOSING = f'<close xmlns="{FRAMING}"/>'
BINDING = f'<iq xmlns="{_CLIENT}" type="set" id="bind"><bind xmlns="{_BIND}"/></iq>'

IceKind = Literal["stun", "turn", "turns"]
PORTS: dict[IceKind, int] = {"stun": 3478, "turn": 3478, "turns": 5349}
"""The types that a browser takes, with the port that is meant when none is named (RFC 7064, RFC 7065)."""
LOW_PORTS = frozenset({53, 80, 443})
"""Below 1024 libwebrtc asks only these (`TurnPort::AllowedTurnPort`), so that no service can send it to a mail server."""
MOST_USERNAME = 509
"""Bytes (RFC 8489 section 14.3)."""

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|\[?([0-9A-Fa-f:.]{2,45})\]?")
_PORT = re.compile(r"[0-9]{1,5}")

_LONG_NAMESPACE = re.compile(r"""xmlns[^\s=]{0,99}+\s*+=\s*+(?:"[^"]{257}|'[^']{257})""")
"""The parser writes it out in the name of each element and attribute: 64 KiB become 300 MB. Those of XMPP have less than 60 characters."""


class ProtocolError(Exception):
    """The text is not an element of XMPP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IceServer:
    """A STUN or TURN server, as a service names it."""

    kind: IceKind
    host: str
    port: int
    transport: Literal["udp", "tcp", "tls"]
    username: str = ""
    password: str = field(default="", repr=False)
    wrong: str = ""
    """Why no browser could use it; empty: nothing is wrong."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host or "?"
        return f"{'STUN' if self.kind == 'stun' else 'TURN'} {host}:{self.port} over {self.transport.upper()}"


def may_be_asked(port: int) -> bool:
    """Whether a browser asks a server at such a port."""
    return port >= 1024 or port in LOW_PORTS


def opening(domain: str) -> str:
    """The beginning of a stream (RFC 7395 section 3.4)."""
    return f'<open xmlns="{FRAMING}" to={quoteattr(domain)} version="1.0"/>'


def asking(domain: str) -> str:
    """Which servers for media are there (XEP-0215 section 3.1)?"""
    return f'<iq xmlns="{_CLIENT}" type="get" id="ice" to={quoteattr(domain)}><services xmlns="{_SERVICES}"/></iq>'


def parse(text: str) -> Element:
    """The element of a message (RFC 7395 section 3.3.3), without a document type (RFC 6120 section 11.1). Raises ProtocolError."""
    if _LONG_NAMESPACE.search(text):
        raise ProtocolError("a namespace with a name too long")
    try:
        element: Element = fromstring(text, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:  # ValueError: what no UTF-8 can hold
        raise ProtocolError("not well-formed, or with a document type") from error
    return element


def mechanisms(features: Element) -> list[str]:
    """The ways to log in."""
    found = features.iterfind(f"{{{_SASL}}}mechanisms/{{{_SASL}}}mechanism")
    return [one_line(each.text or "", 30) for each in found]


def condition(element: Element) -> str:
    """The name of what is wrong, in an answer, a failure or a stream's error (RFC 6120 sections 4.9, 6.5, 8.3)."""
    error = element.find(f"{{{_CLIENT}}}error")
    inner = next(iter(element if error is None else error), None)
    return "it does not say why" if inner is None else one_line(inner.tag.rpartition("}")[2], 60)


def ice_servers(answer: Element) -> list[IceServer]:
    """The STUN and TURN servers of an answer, each once; what else it names is no business of a browser."""
    found = answer.iterfind(f"{{{_SERVICES}}}services/{{{_SERVICES}}}service")
    return list(dict.fromkeys(_server(kind, each) for each in found for kind in PORTS if each.get("type") == kind))


def _server(kind: IceKind, service: Element) -> IceServer:
    host, port, transport = service.get("host", ""), service.get("port", ""), service.get("transport", "") or "udp"
    username, password = ("", "") if kind == "stun" else (service.get("username", ""), service.get("password", ""))
    named = _HOST.fullmatch(host)
    number = int(port) if _PORT.fullmatch(port) else 0 if port else PORTS[kind]
    wrong = ""
    if not named:
        wrong = "no host is named that a browser could read"
    elif not 1 <= number <= 65535:
        wrong = "no port is named that a browser could read"
    elif not may_be_asked(number):
        wrong = "browsers ask no server at such a port"
    elif transport not in ("udp", "tcp"):
        wrong = "its transport is none that a browser could read"
    elif kind != "stun" and not (username and password):
        wrong = "it is named without user and password"
    elif len(username.encode()) > MOST_USERNAME:
        wrong = "its user has a name that is too long"
    over: Literal["udp", "tcp", "tls"] = (
        "tls" if kind == "turns" else "tcp" if (kind, transport) == ("turn", "tcp") else "udp"
    )
    return IceServer(
        kind=kind, host=(named[1] or host) if named else "", port=number, transport=over, username=username,
        password=password, wrong=wrong,
    )  # fmt: skip
