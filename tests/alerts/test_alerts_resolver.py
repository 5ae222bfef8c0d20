"""Alerts leave also when no name server answers: with a real one that dies, and in detail with a stub of getaddrinfo."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from alerts import resolver
from alerts.mailer import Delivery, Mailer, Relay
from alerts.resolver import Resolver
from tests.alerts.conftest import MakeSink
from tests.alerts.dead_name_server import STUCK
from tests.alerts.test_alerts_mailer import TO, mail
from tests.probes.peers import program

Break = Callable[[], None]
NAME = "relay.noc.example"


def told(*hosts: str) -> list[Any]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 0)) for each in hosts]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What the name server does: `says` what, `asked` how often; `silent`: nothing until the test is over."""
    found: dict[str, Any] = {"says": told("127.0.0.1"), "asked": 0, "silent": False}
    over, real = threading.Event(), socket.getaddrinfo

    def getaddrinfo(host: str, *args: Any, **options: Any) -> Any:
        if host != NAME or options.get("flags"):
            return real(host, *args, **options)
        found["asked"] += 1
        if found["silent"]:
            over.wait(60)
        if not found["says"]:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return found["says"]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(resolver, "LOOK_UP_SECONDS", 0.2)
    yield found
    over.set()


def test_mails_leave_although_the_only_name_server_has_died_and_nothing_waits_for_it_at_the_end(tmp_path: Path) -> None:
    done = subprocess.run(
        [program("unshare"), "--mount", "--net", sys.executable, "-m", "tests.alerts.dead_name_server", tmp_path],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    ended, found = time.monotonic(), json.loads(done.stdout)
    assert ended - found.pop("over") < 10  # seconds; the threads wait for 30
    assert found == {"before": "sent", "after": "sent", "mails": 2, "stuck": STUCK}


async def test_a_mail_leaves_although_its_name_is_told_no_more(
    make_sink: MakeSink, port: int, relay: Relay, server: dict[str, Any]
) -> None:
    sink = make_sink(port)
    mailer = Mailer([replace(relay, host=NAME, verify=False)])
    assert (await mailer.send(mail(), TO)).delivery is Delivery.SENT
    server["silent"] = True
    async with asyncio.timeout(20):
        found = await asyncio.gather(*(mailer.send(mail(), TO) for _ in range(5)))
    assert [each.delivery for each in found] == [Delivery.SENT] * 5
    assert server["asked"] == 2  # one thread waits, not five
    assert len(sink.mails) == 6


async def test_relays_are_known_before_there_is_a_mail(
    make_sink: MakeSink, port: int, relay: Relay, server: dict[str, Any]
) -> None:
    make_sink(port)
    mailer = Mailer([replace(relay, host=NAME, verify=False)])
    remembering = asyncio.create_task(mailer.remember())
    while not server["asked"]:
        await asyncio.sleep(0.01)
    server["says"] = []
    assert (await mailer.send(mail(), TO)).delivery is Delivery.SENT
    remembering.cancel()


@pytest.mark.parametrize(
    ("silent", "says"),
    [(True, "timeout at connect: no name server told"), (False, "no-connection at connect: [Errno -3]")],
)
async def test_a_relay_that_was_never_found_is_tried_again(
    port: int, relay: Relay, server: dict[str, Any], silent: bool, says: str
) -> None:
    server.update(says=[], silent=silent)
    outcome = await Mailer([replace(relay, host=NAME)]).send(mail(), TO)
    assert outcome.delivery is Delivery.RETRY
    assert outcome.answer.startswith(f"{NAME}:{port}: {says}")


async def test_a_relay_that_has_moved_is_found_where_it_is_now(
    make_sink: MakeSink, port: int, relay: Relay, server: dict[str, Any]
) -> None:
    make_sink(port)
    mailer = Mailer([replace(relay, host=NAME, verify=False)])
    server["says"] = told("127.9.9.9")
    assert (await mailer.send(mail(), TO)).delivery is Delivery.RETRY
    server["says"] = told("127.9.9.9", "127.0.0.1")  # the first refuses, the second takes it
    assert (await mailer.send(mail(), TO)).delivery is Delivery.SENT


@pytest.mark.parametrize(
    ("before", "delivery"), [(resolver.MOST_ADDRESSES - 1, Delivery.SENT), (resolver.MOST_ADDRESSES, Delivery.RETRY)]
)
async def test_a_name_with_addresses_by_the_thousand_holds_up_no_other_relay(
    make_sink: MakeSink, port: int, relay: Relay, server: dict[str, Any], before: int, delivery: Delivery
) -> None:
    make_sink(port)
    server["says"] = told(*(f"127.9.9.{each}" for each in range(1, before + 1)), "127.0.0.1")  # but the last all refuse
    assert (await Mailer([replace(relay, host=NAME, verify=False)]).send(mail(), TO)).delivery is delivery


async def test_numbers_ask_no_name_server(server: dict[str, Any]) -> None:
    found = Resolver()
    assert await found.addresses("::1") == [(socket.AF_INET6, ("::1", 0, 0, 0))]
    (shown,) = await found.resolve("127.0.0.1", 80)
    assert (shown["host"], shown["port"]) == ("127.0.0.1", 80)
    assert server["asked"] == 0


@pytest.mark.parametrize("host", ["a..example", f"{'a' * 64}.example"])
async def test_what_can_be_no_name_is_an_error_that_who_posts_expects(host: str) -> None:
    async with Resolver().session(5) as session:
        with pytest.raises(aiohttp.ClientConnectorDNSError):
            await session.get(f"http://{host}:9093/")
    with pytest.raises(socket.gaierror):
        await Resolver().connect(host, 25, 5)
