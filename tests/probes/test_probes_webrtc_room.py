"""A room in the browser: nginx before Prosody, as Jitsi Meet is installed, and servers that answer wrongly."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from typing import Any

import pydantic
import pytest
from aiohttp import WSMsgType, web

from monitor.core.model import Outcome, Reason
from probes.registry import Result
from probes.wire.xmpp import FRAMING
from tests.probes.calls import DAYS, Meet, speaking
from tests.probes.peers import LOOPBACK, ask, eventually


async def room(meet: Meet, path: str = "/hop", **options: Any) -> Result:
    asked = {"url": f"https://meet.example:{meet.port}{path}", "ca": meet.ca, **options}
    return await ask("webrtc-room", LOOPBACK, **asked)


async def test_a_room_that_works_answers_with_page_and_signalling(meet: Meet) -> None:
    result = await room(meet, text="Họp giao ban")
    assert result.outcome is Outcome.OK, result
    assert result.evidence == f"the page and the signalling answer, the certificate is good for {DAYS} days"
    assert result.values["probe_ssl_days_left"] == pytest.approx(DAYS, abs=0.1)
    assert {'probe_webrtc_duration_seconds{phase="page"}', 'probe_webrtc_duration_seconds{phase="signalling"}'} <= set(
        result.values
    )


async def test_signalling_that_is_gone_behind_a_good_page_is_seen(meet: Meet) -> None:
    result = await room(meet, websocket="/hop")
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.STATUS)
    assert result.evidence == "no WebSocket, but 200"
    assert "probe_ssl_days_left" in result.values


@pytest.mark.parametrize(
    ("path", "options", "reason", "evidence"),
    [
        ("/hop", {"text": "Đăng nhập"}, Reason.CONTENT, "the page does not hold “Đăng nhập”"),
        ("/none", {}, Reason.STATUS, "the page answers 404 Not Found"),
        ("/gone", {}, Reason.STATUS, "the page answers 302 Moved Temporarily"),
        ("/hop", {"ca": {"file": ""}}, Reason.CERTIFICATE, "certificate not trusted: unable to get local issuer certificate"),
        ("/hop", {"subprotocol": "other"}, Reason.STATUS, "no WebSocket, but 501"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_told(
    meet: Meet, path: str, options: dict[str, Any], reason: Reason, evidence: str
) -> None:
    result = await room(meet, path, **options)
    assert (result.outcome, result.reason) == (Outcome.FAILED, reason), result
    assert result.evidence == evidence


async def test_a_page_alone_can_be_asked_for(meet: Meet) -> None:
    result = await room(meet, websocket="")
    assert result.outcome is Outcome.OK
    assert result.evidence.startswith("the page answers")


async def test_a_plain_websocket_is_enough_where_it_is_no_xmpp() -> None:
    heard: list[Any] = []

    async def listen(websocket: web.WebSocketResponse) -> None:
        heard.append(await websocket.receive())

    async with speaking(listen) as options:
        result = await ask("webrtc-room", LOOPBACK, subprotocol="", **options)
        await eventually("it is told the end", lambda: bool(heard))
    assert result.outcome is Outcome.OK
    assert result.evidence == "the page and the signalling answer"
    assert (heard[0].type, heard[0].data) == (WSMsgType.CLOSE, 1000)


async def _beginning(websocket: web.WebSocketResponse) -> None:
    await websocket.send_str(f"<open xmlns='{FRAMING}'/>")
    await websocket.send_str("<features xmlns='http://etherx.jabber.org/streams'/>")


async def test_a_server_that_never_says_good_bye_is_good() -> None:
    leave = asyncio.Event()

    async def speak(websocket: web.WebSocketResponse) -> None:
        await _beginning(websocket)
        await leave.wait()

    async with speaking(speak, "xmpp") as options:
        result = await ask("webrtc-room", LOOPBACK, **options)
        leave.set()
    assert result.outcome is Outcome.OK, result


@pytest.mark.parametrize("opcode", [WSMsgType.PING, WSMsgType.PONG, WSMsgType.TEXT], ids=lambda each: each.name)
async def test_frames_without_end_are_not_read_to_their_end(opcode: WSMsgType) -> None:
    over: list[bool] = []

    async def speak(websocket: web.WebSocketResponse) -> None:
        if opcode is WSMsgType.TEXT:
            await _beginning(websocket)
        with contextlib.suppress(ConnectionError):
            while True:
                await websocket.send_frame(b"", opcode)
                await asyncio.sleep(0)
        over.append(True)

    async with speaking(speak, "xmpp") as options:
        result = await ask("webrtc-room", LOOPBACK, **options)
        await eventually("the connection is closed", lambda: bool(over))
    if opcode is WSMsgType.TEXT:
        assert result.outcome is Outcome.OK
    else:
        assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)
        assert result.evidence == "16 pings and pongs instead of a word"


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("<html>", "not XMPP: not well-formed, or with a document type"),
        ("<open xmlns='else'/>", "not what XMPP says here: {else}open"),
        (b"\0", "not XMPP, but BINARY"),
        (None, "not XMPP, but CLOSE"),
        (f"<open xmlns='{FRAMING}'/>", "not XMPP, but CLOSE"),
        ("x" * 100_000, "not XMPP, but ERROR"),
    ],
    ids=["html", "another namespace", "binary", "closed", "closed after the first", "too long"],
)
async def test_another_word_than_xmpp_is_a_protocol_failure(word: str | bytes | None, told: str) -> None:
    heard: list[str] = []

    async def speak(websocket: web.WebSocketResponse) -> None:
        message = await websocket.receive()
        heard.append(message.data if message.type is WSMsgType.TEXT else "")
        if isinstance(word, str):
            await websocket.send_str(word)
        elif word is not None:
            await websocket.send_bytes(word)

    async with speaking(speak, "xmpp") as options:
        result = await ask("webrtc-room", LOOPBACK, domain='meet".example', **options)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)
    assert result.evidence == told
    assert heard == [f'<open xmlns="{FRAMING}" to=\'meet".example\' version="1.0"/>']


@pytest.mark.parametrize(
    "options",
    [
        {"url": "ftp://x/"},
        {"url": "https://a:b@x/"},
        {"url": "https://x/", "subprotocol": "a b"},
        {"url": "https://x/", "subprotocol": "other", "ice": True},
        {"url": "https://x/", "websocket": "", "ice": True},
        {"url": "https://x/", "guest_domain": "guest.x"},
        {"url": "https://a..b/"},
        {"url": f"https://{'a' * 64}.example/"},
        {"url": "https://\u202eabc.example/"},
        {"url": "https://x/", "websocket": "ftp://x/"},
        {"url": "https://x/", "websocket": "https://[::1"},
        {"url": "https://x/", "websocket": "https://x:99999/"},
        {"url": "https://x/", "websocket": "//a..b/ws"},
    ],
)
async def test_options_that_can_never_work_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        await ask("webrtc-room", LOOPBACK, **options)


async def test_signalling_that_says_another_thing_leaves_no_connection_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def speak(websocket: web.WebSocketResponse) -> None:
        await websocket.send_str("no XMPP")
        async for _ in websocket:
            pass

    async with speaking(speak, "xmpp") as options:
        result = await ask("webrtc-room", LOOPBACK, **options)
    gc.collect()  # what is left behind tells the log then
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)
    assert [each.getMessage() for each in caplog.records] == []
