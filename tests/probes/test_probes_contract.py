"""What every probe kind must hold, asked of each that the registry knows: a new kind gets these for one row in ASKS."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from monitor.core.model import Outcome, Reason
from probes import registry
from probes.registry import Result
from probes.wire import tls
from tests.probes.peers import (
    LOOPBACK,
    Field,
    Responder,
    TcpPeer,
    UdpPeer,
    assert_declared,
    echo_reply,
    eventually,
    free_port,
    make_request,
)

DEADLINE_SECONDS = 0.25
BOUND_SECONDS = 15.0
"""A probe that does not keep its deadline is stopped here, and fails the test; nothing measures how close it came."""

TARGET = "10.200.0.66"
"""Of kinds without ports; in the far namespace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """The smallest options of a kind, and what it may do when the peer is not what it should be."""

    over: Literal["tcp", "udp", "icmp"]
    options: Callable[[int], dict[str, Any]]
    accepting_is_good: bool = False
    """The kind reads nothing: whoever accepts is good."""
    hanging_up_is_good: bool = False
    """So is who says nothing, but hangs up after us."""
    endless: tuple[tuple[bytes, bytes], ...] = ()
    """Beginnings that are right, each with what then comes again and again."""


def _v3(port: int) -> dict[str, Any]:
    secret = {"file": "long-enough"}
    return {"port": port, "version": "3", "user": "u", "auth_password": secret, "privacy_password": secret}


def _room(port: int) -> dict[str, Any]:
    values = {"muted": {"metric": "room_muted", "at": "Status/Audio/Microphones/Mute", "states": ["On"]}}
    return {"port": port, "api": "roomos", "user": "u", "password": {"file": "x"}, "values": values}


def _turn(port: int) -> dict[str, Any]:
    return {"port": port, "username": "u", "password": {"file": "x"}}


_STUN = (
    (b"", b"\x01\x01\0\0\x21\x12\xa4\x42" + bytes(12)),  # answers to others
    (b"\x01\x01\x0f\xfc\x21\x12\xa4\x42" + bytes(12), bytes(4096)),
)

ASKS: dict[str, dict[str, Ask]] = {
    "dns": {
        "udp": Ask(over="udp", options=lambda port: {"port": port, "name": "good.example"}),
        "tcp": Ask(
            over="tcp",
            options=lambda port: {"port": port, "name": "good.example", "transport": "tcp"},
            endless=((b"\xff\xff", bytes(4096)),),
        ),
    },
    "h323": {
        "status": Ask(
            over="tcp",
            options=lambda port: {"port": port},
            hanging_up_is_good=True,
            endless=((b"\x03\0\x1f\xff\x08\x02", bytes(4096)),),
        ),
        "gatekeeper": Ask(over="udp", options=lambda port: {"port": port, "ask": "gatekeeper"}),
        "location": Ask(over="udp", options=lambda port: {"port": port, "ask": "location", "alias": "1"}),
    },
    "http": {
        "plain": Ask(
            over="tcp",
            options=lambda port: {"url": f"http://good.example:{port}/"},
            endless=(
                (b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n"),
                (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x" * 4096),
                (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536),
                (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 4096),
                (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"f" * 4096),
                (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", b"x" * 4096),
                (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
            ),
        ),
        "tls": Ask(over="tcp", options=lambda port: {"url": f"https://good.example:{port}/"}),
    },
    "icmp": {"echo": Ask(over="icmp", options=lambda _: {})},
    "media": {
        "signed": Ask(over="udp", options=lambda port: {"port": port, "key": {"file": "long enough for a key"}}),
        "open": Ask(over="udp", options=lambda port: {"port": port}),
    },
    "path": {"echo": Ask(over="icmp", options=lambda _: {})},
    "room-api": {"tls": Ask(over="tcp", options=_room, endless=((b"\x16\x03\x03\x40\x00", bytes(4096)),))},
    "sip": {
        "udp": Ask(over="udp", options=lambda port: {"port": port}),
        "tcp": Ask(
            over="tcp",
            options=lambda port: {"port": port, "transport": "tcp"},
            endless=(
                (b"", b"SIP/2.0 100 Trying\r\nVia: x\r\n\r\n"),
                (b"SIP/2.0 200 OK\r\n", b"Via: x\r\n"),
                (b"SIP/2.0 200 OK\r\nContent-Length: 999999\r\n\r\n", b"x" * 4096),
            ),
        ),
    },
    "smtp": {
        "plain": Ask(
            over="tcp",
            options=lambda port: {"port": port},
            endless=((b"", b"220-more\r\n"), (b"220 hi\r\n", b"250-more\r\n"), (b"220 ", b"x" * 4096)),
        ),
        "starttls": Ask(
            over="tcp",
            options=lambda port: {"port": port, "starttls": True},
            endless=(
                (b"220 hi\r\n250 STARTTLS\r\n", b"\r\n"),
                (b"220 hi\r\n250-a\r\n250 STARTTLS\r\n220 go\r\n", b"x" * 99),
            ),
        ),
    },
    "snmp": {
        "v2c": Ask(over="udp", options=lambda port: {"port": port, "community": {"file": "x"}}),
        "v3": Ask(over="udp", options=_v3),
    },
    "stun": {
        "udp": Ask(over="udp", options=lambda port: {"port": port}),
        "tcp": Ask(over="tcp", options=lambda port: {"port": port, "transport": "tcp"}, endless=_STUN),
    },
    "tcp": {"connect": Ask(over="tcp", options=lambda port: {"port": port}, accepting_is_good=True)},
    "tls": {
        "handshake": Ask(
            over="tcp", options=lambda port: {"port": port}, endless=((b"\x16\x03\x03\x40\x00", bytes(4096)),)
        )
    },
    "turn": {
        "udp": Ask(over="udp", options=_turn),
        "tcp": Ask(over="tcp", options=lambda port: _turn(port) | {"transport": "tcp"}, endless=_STUN),
    },
    "webrtc-room": {
        "plain": Ask(
            over="tcp",
            options=lambda port: {"url": f"http://good.example:{port}/", "text": "x"},
            endless=(
                (b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n"),
                (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x" * 4096),
                (b"HTTP/1.1 200 OK\r\n\r\n", b"y" * 65536),
                (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\ny\r\n" * 4096),
                (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"f" * 4096),
                (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
            ),
        ),
        "tls": Ask(over="tcp", options=lambda port: {"url": f"https://good.example:{port}/"}),
    },
}

GARBAGE = (
    b"",
    b"\0",
    b"\xff" * 3,
    b"A" * 4096,
    bytes(range(256)) * 64,
    b"\r\n" * 999,
    b"\r\n\r\n",
    b"0\x84\xff\xff\xff\xff",
)

KINDS = registry.load()
ROWS = [(kind, name) for kind in KINDS for name in ASKS.get(kind, {"no row": None})]


@pytest.fixture(scope="module", autouse=True)
def _trust() -> None:
    """The system's roots are loaded once a process, which on a busy machine takes longer than a run may take here."""
    tls.context(verify=True, ca_pem="")


@pytest.fixture(params=ROWS, ids="-".join)
def row(request: pytest.FixtureRequest) -> tuple[str, Ask]:
    """A kind and one way to ask with it."""
    kind, name = request.param
    if kind not in ASKS:
        pytest.fail(f"the probe kind {kind!r} has no row in ASKS of {__name__}")
    return kind, ASKS[kind][name]


@pytest.fixture
def place(row: tuple[str, Ask], request: pytest.FixtureRequest) -> Field | None:
    """The namespaces, for kinds that have no ports on loopback."""
    return request.getfixturevalue("field") if row[1].over == "icmp" else None


async def _run(kind: str, ask: Ask, port: int) -> Result:
    address = TARGET if ask.over == "icmp" else LOOPBACK
    request = make_request(KINDS[kind], address, DEADLINE_SECONDS, ask.options(port))
    for _ in range(3):
        async with asyncio.timeout(BOUND_SECONDS):
            result, seconds = await registry.run_once(KINDS[kind], request)
        if "held up" not in result.evidence:  # as a busy machine does: nothing is known of the peer then
            break
    assert seconds >= 0
    assert_declared(KINDS[kind], result)
    return result


@contextlib.asynccontextmanager
async def _silent(ask: Ask, place: Field | None) -> AsyncIterator[TcpPeer | UdpPeer | Responder]:
    """A peer that takes everything and says nothing."""
    if ask.over == "tcp":
        async with TcpPeer() as tcp:
            yield tcp
    elif ask.over == "udp":
        async with UdpPeer() as udp:
            yield udp
    else:
        assert place is not None
        async with Responder(place, lambda _: []) as responder:
            yield responder


def _bad(result: Result, ask: Ask) -> None:
    """A failure of the peer: not good, and not a bug of ours either."""
    if ask.accepting_is_good:
        assert result.outcome is Outcome.OK
        return
    assert result.outcome is Outcome.FAILED, result
    assert result.reason not in (Reason.LOCAL, Reason.PERMISSION)
    assert result.evidence


async def test_a_peer_that_says_nothing_is_a_timeout_within_the_deadline(
    row: tuple[str, Ask], place: Field | None
) -> None:
    kind, ask = row
    async with _silent(ask, place) as peer:
        result = await _run(kind, ask, getattr(peer, "port", 0))
        good = ask.accepting_is_good or ask.hanging_up_is_good
        assert result.reason is (Reason.OK if good else Reason.TIMEOUT)
        await eventually("the peer was asked", lambda: bool(peer.seen))


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
async def test_garbage_is_a_failure_of_the_peer(row: tuple[str, Ask], garbage: bytes, place: Field | None) -> None:
    kind, ask = row
    if ask.over == "tcp":
        async with TcpPeer(garbage, hang_up=True) as tcp:
            _bad(await _run(kind, ask, tcp.port), ask)
    elif ask.over == "udp":
        async with UdpPeer([garbage]) as udp:
            _bad(await _run(kind, ask, udp.port), ask)
    else:
        assert place is not None
        # As replies with our identifier but another payload, as bare ICMP, and as errors that quote nonsense.
        async with Responder(
            place,
            lambda echo: [
                (TARGET, echo_reply(echo.identifier, echo.sequence + 1, garbage[:1400])),
                (TARGET, garbage[:1400]),
                (TARGET, b"\x03\x01\0\0\0\0\0\0" + garbage[:1400]),
            ],
        ):
            _bad(await _run(kind, ask, 0), ask)


async def test_endless_answers_are_bounded(row: tuple[str, Ask], place: Field | None) -> None:
    kind, ask = row
    if ask.over == "tcp":
        for greeting, endless in (*ask.endless, *((b"", each) for each in GARBAGE if each)):
            async with TcpPeer(greeting, endless) as tcp:
                _bad(await _run(kind, ask, tcp.port), ask)
                assert tcp.sent < tcp.MOST_BYTES
    elif ask.over == "udp":
        for garbage in GARBAGE:
            async with UdpPeer([garbage] * 500) as udp:
                _bad(await _run(kind, ask, udp.port), ask)
        async with UdpPeer(answer=lambda question: [question] * 500) as echo:  # what is asked comes back
            _bad(await _run(kind, ask, echo.port), ask)
    else:
        assert place is not None
        async with Responder(
            place, lambda echo: [(TARGET, echo_reply(echo.identifier, echo.sequence + 1, b"x" * 99))] * 500
        ):
            _bad(await _run(kind, ask, 0), ask)


async def test_no_number_waits_for_a_name(row: tuple[str, Ask], place: Field | None) -> None:
    # Servers of names that are dead keep all threads of the loop waiting; what has an address must not wait behind them.
    kind, ask = row
    with ThreadPoolExecutor(1) as threads:
        asyncio.get_running_loop().set_default_executor(threads)
        answered = threading.Event()
        threads.submit(answered.wait)
        try:
            async with _silent(ask, place) as peer:
                asking = asyncio.ensure_future(_run(kind, ask, getattr(peer, "port", 0)))
                await eventually("the peer was asked", lambda: bool(peer.seen))
                await asking
        finally:
            answered.set()


async def test_nobody_there_is_refused(row: tuple[str, Ask], place: Field | None) -> None:
    kind, ask = row
    if place is not None:
        place.no_way_to(TARGET)
    result = await _run(kind, ask, free_port())
    assert result.outcome is Outcome.FAILED
    allowed = {
        "tcp": {Reason.REFUSED},
        "udp": {Reason.REFUSED, Reason.TIMEOUT},  # whether the kernel tells depends on the library's socket
        "icmp": {Reason.UNREACHABLE},
    }
    assert result.reason in allowed[ask.over]


async def test_a_run_that_is_cancelled_leaks_no_descriptor(row: tuple[str, Ask], place: Field | None) -> None:
    kind, ask = row
    async with _silent(ask, place) as peer:
        port = getattr(peer, "port", 0)
        await _run(kind, ask, port)  # what is opened once and for all is open now
        await eventually("the first run is over", lambda: not getattr(peer, "_writers", ()))
        before = _descriptors()
        for turns in (1, 2, 3, 5, 8, None):
            asked = len(peer.seen) if isinstance(peer.seen, list) else peer.seen
            task = asyncio.ensure_future(_run(kind, ask, port))
            if turns is not None:
                for _ in range(turns):
                    await asyncio.sleep(0)
            elif not ask.accepting_is_good:
                await eventually(
                    "the peer is asked",
                    lambda asked=asked: (len(peer.seen) if isinstance(peer.seen, list) else peer.seen) > asked,
                )
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            del task
        gc.collect()  # a session that the memory of the check keeps goes with the memory
        await eventually("all descriptors are closed", lambda: _descriptors() <= before)


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_row_here_a_test_file_and_a_named_source(kind: str) -> None:
    assert kind in ASKS, f"the probe kind {kind!r} has no row in ASKS of {__name__}"
    file = Path(__file__).with_name(f"test_probes_{kind.replace('-', '_')}.py")
    assert file.is_file(), f"the probe kind {kind!r} has no test file {file.name}"
    assert "RFC" in KINDS[kind].doc or "MIB" in KINDS[kind].doc


@pytest.mark.parametrize("kind", KINDS)
def test_every_metric_has_a_name_that_prometheus_takes_and_a_help(kind: str) -> None:
    names = [metric.name for metric in KINDS[kind].metrics]
    assert len(names) == len(set(names))
    for metric in KINDS[kind].metrics:
        assert metric.name.isidentifier()
        assert metric.name.isascii()
        assert metric.help.endswith(".")


def test_no_row_is_left_of_a_kind_that_is_gone() -> None:
    assert set(ASKS) == set(KINDS)
