"""Notifications reach a real HTTP server, signed, in order, until they are taken."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from alerts.mailer import Delivery, Mailer
from alerts.outbox import Outbox
from alerts.own import concerned
from alerts.routing import everybody
from alerts.webhook import Webhook, Webhooks
from monitor.core.model import Happening
from monitor.store import Store
from tests.alerts.conftest import free_port
from tests.alerts.sample import INCIDENT, NOW, ON_CALL, composer, inventory, notification

KEY = b"a key of the province"
GIVE_UP_SECONDS = 20.0


@dataclass(slots=True)
class Server:
    """Takes what is posted."""

    hook: Webhook
    status: int = 200
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.headers.append({name.lower(): value for name, value in self.headers.items()})
            made.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(made.status)
            self.send_header("Content-Length", "5")
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()
            self.wfile.write(b"h\x00llo")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        made = Server(Webhook(name="desk", url=f"http://127.0.0.1:{http.server_address[1]}/secret", key=KEY))
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield made
        http.shutdown()


def webhooks(hook: Webhook, tries: list[tuple[str, str]] | None = None) -> Webhooks:
    return Webhooks({hook.contact.id: hook}, lambda *given: tries.append(given) if tries is not None else None)


async def test_what_arrives_can_be_told_to_be_ours(server: Server) -> None:
    told = notification(contact=server.hook.contact)
    outcome = await webhooks(server.hook).send(told, NOW)
    assert (outcome.delivery, outcome.answer) == (Delivery.SENT, "200 h llo")
    ((body,), (headers,)) = server.bodies, server.headers
    expected = hmac.new(KEY, f"{int(NOW.timestamp())}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers["x-commune-monitor-timestamp"] == str(int(NOW.timestamp()))
    assert headers["x-commune-monitor-signature"] == f"sha256={expected}"
    assert headers["idempotency-key"] == told.id
    found = json.loads(body)
    assert (found["version"], found["what"], found["id"]) == (1, "opened", told.id)
    assert found["incident"]["root"] == INCIDENT.root
    assert KEY.decode() not in body.decode()


@pytest.mark.parametrize(
    ("status", "delivery", "result"),
    [
        (202, Delivery.SENT, "sent"),
        (302, Delivery.RETRY, "deferred"),
        (403, Delivery.RETRY, "deferred"),
        (422, Delivery.REFUSED, "refused"),
        (500, Delivery.RETRY, "deferred"),
    ],
)
async def test_the_answer_decides(status: int, delivery: Delivery, result: str, server: Server) -> None:
    server.status, tries = status, list[tuple[str, str]]()
    outcome = await webhooks(server.hook, tries).send(notification(contact=server.hook.contact), NOW)
    assert outcome.delivery is delivery
    assert tries == [("webhook:desk", result)]
    assert len(server.bodies) == 1


async def test_a_server_that_is_gone_is_tried_again_and_its_address_is_not_told() -> None:
    hook = Webhook(name="desk", url=f"http://127.0.0.1:{free_port()}/secret", key=KEY)
    outcome = await webhooks(hook).send(notification(contact=hook.contact), NOW)
    assert outcome.delivery is Delivery.RETRY
    assert "secret" not in outcome.answer


async def test_it_waits_in_the_outbox_in_order_and_is_over_before_it_was_told_as_a_mail_would_be(
    server: Server, tmp_path: Path
) -> None:
    store, now = Store(str(tmp_path / "state.db")), NOW

    def clock() -> datetime:
        return now

    outbox = Outbox(
        queue=store.mails, composer=composer(), mailer=Mailer([]), webhooks=webhooks(server.hook), inventory=inventory,
        clock=clock, on_result=lambda _: None,
    )  # fmt: skip
    task = asyncio.create_task(outbox.run())

    async def until(**counts: int) -> None:
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while (await store.mails.standing(now)).counts != counts:
                outbox.wake()
                await asyncio.sleep(0.01)

    hook, other = server.hook.contact, replace(INCIDENT, id="other")
    await store.record([], [], [notification(contact=hook), notification(Happening.CHANGED, contact=hook)], now)
    await until(sent=2)
    server.status = 503
    await store.record([], [], [notification(contact=hook, incident=other)], now)
    await until(sent=2, deferred=1)
    await store.record([], [], [notification(Happening.RECOVERED, contact=hook, incident=other)], now)
    server.status = 200
    now += timedelta(minutes=1)
    await until(sent=3, superseded=1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    store.close()
    told = [json.loads(body) for body in server.bodies]
    assert [each["what"] for each in told] == ["opened", "changed", "opened", "recovered"]
    assert [each["catches_up"] for each in told] == [False, False, False, True]


def test_a_webhook_is_nobody_who_gets_mail_about_the_monitor() -> None:
    hook = Webhook(name="desk", url="http://h", key=KEY)
    assert concerned(everybody(hook.contact), NOW) == ()
    assert concerned(everybody(ON_CALL, hook.contact), NOW) == (ON_CALL,)
