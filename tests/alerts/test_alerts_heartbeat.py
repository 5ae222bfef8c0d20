"""Signs of life to a real server, and what was missed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from alerts import heartbeat as module
from alerts.heartbeat import MISSED_AFTER, Heartbeat, Incidents, Switch, next_time
from alerts.mailer import Mailer, Relay
from monitor.core.model import Incident
from tests.alerts.conftest import MakeSink
from tests.alerts.sample import INCIDENT, NOW, ON_CALL, composer, inventory

GIVE_UP_SECONDS = 20.0


@dataclass(slots=True)
class Server:
    """Takes signs of life."""

    url: str = ""
    status: int = 200
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            self.send_response(made.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        made.url = f"http://127.0.0.1:{http.server_address[1]}/ping/secret-key"
        yield made
        http.shutdown()


@dataclass(slots=True)
class Case:
    switch: Switch
    mailer: Mailer
    trouble: str = ""
    now: datetime = NOW
    signs: list[tuple[str, str]] = field(default_factory=list)
    heartbeat: Heartbeat = field(init=False)

    def __post_init__(self) -> None:
        self.heartbeat = Heartbeat(
            self.switch, trouble=lambda: self.trouble,
            figures=lambda: {"targets": 9, "unknown": 1, "started": NOW, "open": (INCIDENT,)}, composer=composer(), inventory=inventory,
            mailer=self.mailer, contacts=lambda: (ON_CALL,), clock=lambda: self.now,
            on_sign=lambda way, result: self.signs.append((way, result)),
        )  # fmt: skip

    async def until(self, *signs: tuple[str, str]) -> None:
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while not set(signs) <= set(self.signs):
                await asyncio.sleep(0.01)


async def nothing() -> None:
    """There is nothing to be done first."""


async def test_signs_of_life_are_given_while_all_is_well_and_not_longer(
    server: Server, relay: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    case = Case(Switch(url=server.url, every_seconds=0.02), Mailer([relay]))
    task = asyncio.create_task(case.heartbeat.run(nothing()))
    await case.until(("url", "sent"))
    server.status = 500
    await case.until(("url", "failed"))
    case.trouble = "mails are held up"
    await case.until(("url", "withheld"))
    asked = len(server.asked)
    await asyncio.sleep(0.2)
    assert len(server.asked) == asked
    server.status, case.trouble = 200, ""
    case.signs.clear()
    await case.until(("url", "sent"))
    task.cancel()
    assert set(server.asked) == {"/ping/secret-key"}
    assert "secret-key" not in caplog.text
    assert "mails are held up" in caplog.text


async def test_a_server_that_is_gone_ends_nothing_and_its_address_is_in_no_log(
    relay: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    case = Case(Switch(url=f"http://127.0.0.1:{relay.port}/secret-key", every_seconds=0.02), Mailer([relay]))
    task = asyncio.create_task(case.heartbeat.run(nothing()))
    await case.until(("url", "failed"))
    assert not task.done()
    task.cancel()
    assert "secret-key" not in caplog.text


def test_the_daily_mail_goes_at_its_time_of_day_in_viet_nam() -> None:
    assert next_time(time(12, 0), NOW) == NOW + timedelta(days=1), "12:00 there is 05:00 UTC"
    assert next_time(time(12, 1), NOW) == NOW + timedelta(minutes=1)
    assert next_time(time(11, 59), NOW) == NOW + timedelta(days=1, minutes=-1)


async def test_the_daily_mail_comes_once_a_day(
    make_sink: MakeSink, port: int, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = make_sink(port)
    case = Case(Switch(mail_at=time(7, 30)), Mailer([relay]))
    sleep = asyncio.sleep

    async def passes(seconds: float) -> None:
        """Time passes at once, for four days."""
        if case.now >= NOW + timedelta(days=4):
            await sleep(GIVE_UP_SECONDS)
        case.now += timedelta(seconds=seconds)
        await sleep(0)

    monkeypatch.setattr(module.asyncio, "sleep", passes)
    task = asyncio.create_task(case.heartbeat.mail())
    while len(sink.mails) < 4:
        await sleep(0.01)
    task.cancel()
    mail = sink.mails[0]
    assert str(mail.message["Subject"]) == "Trạm giám sát vẫn hoạt động: 1 sự cố đang mở, 9 đối tượng"
    assert "- Đường TSLCĐ – Xã Kim Đông: Ngừng từ 12:00:00 24/11/2026" in mail.text()
    assert len({str(each.message["Message-ID"]) for each in sink.mails}) == 4


async def test_a_long_gap_is_told_with_what_was_open_then_and_is_now(
    make_sink: MakeSink, port: int, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLE_SECONDS", 0.0)
    sink = make_sink(port)
    case = Case(Switch(), Mailer([relay]))

    def incident(name: str) -> Incident:
        return replace(INCIDENT, id=name, root=f"{name}/tslcd")

    before = (incident("ended"), incident("lasts"))
    now = Incidents(lambda: (incident("lasts"), incident("fresh")), lambda: True)
    await case.heartbeat.missed(NOW - MISSED_AFTER + timedelta(seconds=1), NOW, before, now)
    await case.heartbeat.missed(None, NOW, before, now)
    assert not sink.mails
    await case.heartbeat.missed(NOW - timedelta(hours=2), NOW, before, now)
    (mail,) = sink.mails
    assert str(mail.message["Subject"]) == "Trạm giám sát đã ngừng 2 giờ, nay hoạt động lại"
    text = mail.text().replace("\r\n", "\n")
    for title, name in (("Vẫn đang mở từ trước", "lasts"), ("Mới thấy sau khi chạy lại", "fresh"), ("Đã hết", "ended")):
        assert f"- {name}/tslcd: Ngừng" in text.partition(title)[2].partition("\n\n")[0]
