"""Names are looked up in threads of their own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from monitor import names
from monitor.core.model import Outcome, Reason
from probes.engine.ice import Gathering
from probes.wire.xmpp import IceServer
from tests.probes.peers import LOOPBACK, TcpPeer, ask

ROOT = Path(__file__).parents[2]


@pytest.fixture
def dead_resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Names are answered only when the test is over. A stub: a name server that is dead cannot be asked from loopback alone."""
    over, real = threading.Event(), socket.getaddrinfo

    def getaddrinfo(host: str, *args: object, **options: object) -> object:
        if options.get("flags") == socket.AI_NUMERICHOST:
            return real(host, *args, **options)  # type: ignore[arg-type]
        over.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "no name server answers")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield
    over.set()


@pytest.mark.usefixtures("dead_resolver")
async def test_a_dead_name_server_holds_up_nothing_else() -> None:
    asked = [
        asyncio.create_task(ask("tcp", "room.example", port=5060, timeout=30)) for _ in range(3 * names.MOST_LOOK_UPS)
    ]
    await asyncio.sleep(0.1)
    async with asyncio.timeout(20):
        assert await asyncio.to_thread(lambda: "packed") == "packed"  # what mails and scrapes use
        async with TcpPeer(b"") as peer:
            assert (await ask("tcp", LOOPBACK, port=peer.port)).reason is Reason.OK
    for each in asked:
        each.cancel()
    await asyncio.gather(*asked, return_exceptions=True)


async def test_names_that_peers_tell_hold_up_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    over, real = threading.Event(), socket.getaddrinfo

    def getaddrinfo(host: str, *args: Any, **options: Any) -> Any:
        if host.endswith(".silent.example") and not options.get("flags"):
            over.wait(60)
        return real(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    gathering = Gathering(
        host="meet.example", address=LOOPBACK, verify=True, ca=SecretStr(""), patience_seconds=60, trace=lambda _: None
    )
    told = [IceServer(kind="stun", host=f"{each}.silent.example", port=3478, transport="udp") for each in range(100)]
    asked = [asyncio.create_task(gathering.ask(each)) for each in told]
    try:
        await asyncio.sleep(0)
        async with asyncio.timeout(20):
            assert await names.look_up("localhost", 53)
    finally:
        over.set()
        for each in asked:
            each.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


async def test_a_number_is_its_own_address() -> None:
    assert await names.look_up("127.0.0.1", 53) == [(socket.AF_INET, ("127.0.0.1", 53))]
    assert await names.look_up("::1", 53) == [(socket.AF_INET6, ("::1", 53, 0, 0))]
    assert [names.number(address) for _, address in await names.look_up("localhost", 53)][-1] in ("127.0.0.1", "::1")


@pytest.mark.parametrize("name", ["a..example", f"{'a' * 64}.example", "a" * 300, ".example", "a\ud800"])
async def test_what_can_be_no_name_fails_as_a_name_that_nobody_knows(name: str) -> None:
    result = await ask("tcp", name, port=1)
    assert (result.outcome, result.reason, result.evidence) == (Outcome.FAILED, Reason.NAME, names.NO_NAME)


def test_a_link_local_number_keeps_its_interface() -> None:
    assert names.number(("fe80::1", 53, 0, 2)) == "fe80::1%2"


def test_nobody_else_looks_up_names() -> None:
    ways = ("loop().getaddrinfo", "socket.getaddrinfo", "ThreadedResolver")
    found = {
        path.name
        for package in ("alerts", "monitor", "probes")
        for path in (ROOT / package).rglob("*.py")
        if any(each in path.read_text() for each in ways)
    }
    assert found == {
        "names.py",
        "door.py",
    }  # the door: where we listen, at start
