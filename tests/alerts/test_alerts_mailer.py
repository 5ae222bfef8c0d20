"""What becomes of a mail at real relays."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller

from alerts.mailer import REST_SECONDS, Delivery, Mailer, Outcome, Relay
from lab.certificates import Authority
from lab.sink import DROP, HANG, STEPS
from monitor.core.model import Happening
from tests.alerts.conftest import LOGIN, MakeSink, free_port
from tests.alerts.sample import NOW, composer, inventory, notification

TO = "truc@noc.example.org"


def mail() -> EmailMessage:
    return composer().compose(notification(Happening.RECOVERED), inventory(), NOW)


async def send(*relays: Relay) -> Outcome:
    return await Mailer(relays).send(mail(), TO)


async def test_a_mail_goes_over_tls_with_a_log_in_and_arrives_as_it_was_composed(
    make_sink: MakeSink, port: int, relay: Relay
) -> None:
    sink = make_sink(port)
    outcome = await send(relay)
    assert (outcome.delivery, outcome.relay) == (Delivery.SENT, f"127.0.0.1:{port}")
    assert "taken" in outcome.answer
    (taken,) = sink.mails
    assert taken.to == (TO,)
    assert taken.message["Subject"] == "ĐÃ TRỞ LẠI: Đường TSLCĐ – Xã Kim Đông"
    assert taken.message["Message-ID"] == mail()["Message-ID"]
    assert taken.message["In-Reply-To"] == mail()["In-Reply-To"]
    assert taken.message["Auto-Submitted"] == "auto-generated"
    assert "Gọi VNPT" not in taken.text()
    assert "đã hoạt động trở lại" in taken.text()


async def test_only_the_recipient_that_is_named_gets_the_mail(make_sink: MakeSink, port: int, relay: Relay) -> None:
    sink = make_sink(port)
    await Mailer([relay]).send(mail(), "other@noc.example.org")
    assert [each.to for each in sink.mails] == [("other@noc.example.org",)]


async def test_a_wrong_password_is_tried_again_for_an_admin_can_mend_it(
    make_sink: MakeSink, port: int, relay: Relay
) -> None:
    sink = make_sink(port)
    outcome = await send(replace(relay, password="wrong"))
    assert outcome.delivery is Delivery.RETRY
    assert f"127.0.0.1:{port}: " in outcome.answer
    assert "535 " in outcome.answer or "credentials invalid" in outcome.answer
    assert "wrong" not in outcome.answer
    assert not sink.mails


@pytest.mark.parametrize(
    ("answer", "delivery"),
    [
        ("451 try later", Delivery.RETRY),
        ("421 too busy", Delivery.RETRY),
        ("452 mailbox full", Delivery.RETRY),
        ("550 no such user", Delivery.REFUSED),
        ("553 not here", Delivery.REFUSED),
    ],
)
async def test_the_answer_to_the_recipient_decides_between_again_and_never(
    answer: str, delivery: Delivery, make_sink: MakeSink, port: int, relay: Relay
) -> None:
    sink = make_sink(port)
    sink.refuse = answer
    outcome = await send(relay)
    assert outcome.delivery is delivery
    assert answer in outcome.answer
    assert sink.refused == 1
    assert not sink.mails


class _Data:
    """Answers as told when the whole mail has come."""

    def __init__(self, answer: str) -> None:
        self._answer = answer

    async def handle_DATA(self, *_: object) -> str:  # noqa: N802  aiosmtpd's name
        return self._answer


@pytest.mark.parametrize(
    ("answer", "delivery"),
    [("250 taken", Delivery.SENT), ("451 later", Delivery.RETRY), ("554 looks like spam", Delivery.REFUSED)],
)
async def test_the_answer_to_the_mail_itself_decides_too(
    answer: str, delivery: Delivery, port: int, certificate: tuple[Path, Path], relay: Relay
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    controller = Controller(_Data(answer), hostname="127.0.0.1", port=port, ssl_context=context)
    controller.start()
    try:
        outcome = await send(replace(relay, tls="implicit", username="", password=""))
    finally:
        controller.stop()
    assert outcome.delivery is delivery
    assert answer.partition(" ")[2] in outcome.answer


async def test_nobody_listening_is_tried_again(relay: Relay) -> None:
    outcome = await send(relay)
    assert outcome.delivery is Delivery.RETRY
    assert outcome.answer.startswith(f"127.0.0.1:{relay.port}: ")


async def test_a_name_that_does_not_exist_is_tried_again(relay: Relay) -> None:
    outcome = await send(replace(relay, host="mail.invalid"))
    assert outcome.delivery is Delivery.RETRY
    assert "mail.invalid" in outcome.answer


async def test_the_second_relay_takes_the_mail_when_the_first_is_dead(
    make_sink: MakeSink, port: int, relay: Relay
) -> None:
    sink = make_sink(port)
    outcome = await send(replace(relay, port=free_port()), relay)
    assert (outcome.delivery, outcome.relay) == (Delivery.SENT, f"127.0.0.1:{port}")
    assert len(sink.mails) == 1


async def test_the_second_relay_takes_the_mail_when_the_first_wants_it_later(
    make_sink: MakeSink, port: int, relay: Relay
) -> None:
    busy, sink = make_sink(free := free_port()), make_sink(port)
    busy.refuse = "451 later"
    assert (await send(replace(relay, port=free), relay)).delivery is Delivery.SENT
    assert (len(busy.mails), len(sink.mails)) == (0, 1)


async def test_a_mail_that_the_first_relay_takes_is_not_given_to_the_second(
    make_sink: MakeSink, port: int, relay: Relay
) -> None:
    first, second = make_sink(port), make_sink(other := free_port())
    await send(relay, replace(relay, port=other))
    assert (len(first.mails), len(second.mails)) == (1, 0)


async def test_when_all_relays_fail_the_answer_names_each(relay: Relay) -> None:
    ports = (free_port(), free_port())
    outcome = await send(*(replace(relay, port=port) for port in ports))
    assert outcome.delivery is Delivery.RETRY
    assert all(f"127.0.0.1:{port}: " in outcome.answer for port in ports)


# -- never in clear ------------------------------------------------------------------------------------------------


async def test_a_certificate_of_another_authority_is_tried_again_and_nothing_is_said_to_that_server(
    make_sink: MakeSink, port: int, relay: Relay, tmp_path: Path
) -> None:
    sink = make_sink(port, certificate=Authority(tmp_path).issue("liar", ["127.0.0.1"]))
    outcome = await send(relay)
    assert outcome.delivery is Delivery.RETRY
    assert "certificate verify failed" in outcome.answer.lower()
    assert not sink.mails


@pytest.mark.parametrize(("names", "days"), [(["mail.other.example"], 90.0), (["127.0.0.1"], -1.0)])
async def test_a_certificate_of_another_name_or_time_is_tried_again(
    names: list[str], days: float, make_sink: MakeSink, port: int, relay: Relay, authority: Authority
) -> None:
    sink = make_sink(port, certificate=authority.issue(f"bad{days:g}", names, days))
    assert (await send(relay)).delivery is Delivery.RETRY
    assert not sink.mails


async def test_a_certificate_that_shall_not_be_verified_is_not(
    make_sink: MakeSink, port: int, relay: Relay, tmp_path: Path
) -> None:
    sink = make_sink(port, certificate=Authority(tmp_path).issue("own", ["127.0.0.1"]))
    assert (await send(replace(relay, verify=False))).delivery is Delivery.SENT
    assert len(sink.mails) == 1


async def test_remarks_in_the_file_of_the_authority_do_no_harm(make_sink: MakeSink, port: int, relay: Relay) -> None:
    make_sink(port)
    remarked = f"# Trung tâm chứng thực của tỉnh\n{relay.ca_pem}"
    assert (await send(replace(relay, ca_pem=remarked))).delivery is Delivery.SENT


async def test_a_file_of_the_authority_that_holds_none_is_tried_again(relay: Relay) -> None:
    outcome = await send(replace(relay, ca_pem="garbage"))
    assert outcome.delivery is Delivery.RETRY
    assert "certificate" in outcome.answer


@asynccontextmanager
async def listening(port: int, heard: bytearray, says: dict[bytes, bytes], greeting: bytes) -> AsyncIterator[None]:
    """A server that notes every byte and gives fixed answers."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        while line := await reader.readline():
            heard.extend(line)
            answer = says.get(line[:4].upper().strip())
            if answer is None:
                break
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()


@pytest.mark.parametrize(
    "says",
    [
        {b"EHLO": b"250-liar\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME\r\n"},
        {b"EHLO": b"250-liar\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n", b"STAR": b"454 not now\r\n"},
        {b"EHLO": b"250-liar\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n", b"STAR": b"220 go\r\n250 hello in clear\r\n"},
    ],
    ids=["no STARTTLS", "STARTTLS refused", "clear text after STARTTLS"],
)
async def test_a_relay_that_does_no_tls_hears_neither_log_in_nor_mail(
    says: dict[bytes, bytes], port: int, relay: Relay
) -> None:
    heard = bytearray()
    says = says | {b"QUIT": b"221 bye\r\n", b"MAIL": b"250 ok\r\n", b"RCPT": b"250 ok\r\n", b"AUTH": b"235 ok\r\n"}
    async with listening(port, heard, says, b"220 hello\r\n"):
        outcome = await send(replace(relay, timeout_seconds=2))
    assert outcome.delivery is Delivery.RETRY
    assert b"AUTH" not in heard
    assert b"MAIL" not in heard
    assert LOGIN[0].encode() not in heard


@pytest.mark.parametrize("greeting", [b"", b"554 go away\r\n", b"\x00\xff garbage\r\n", b"HTTP/1.1 400 Bad\r\n\r\n"])
async def test_a_server_that_is_silent_or_no_mail_server_is_tried_again(
    greeting: bytes, port: int, relay: Relay
) -> None:
    async with listening(port, bytearray(), {}, greeting):
        outcome = await send(replace(relay, timeout_seconds=0.3))
    assert outcome.delivery is Delivery.RETRY
    assert outcome.answer
    assert "\n" not in outcome.answer


async def test_an_answer_of_many_lines_becomes_one_short_line(port: int, relay: Relay) -> None:
    answer = b"".join(b"550-%s\r\n" % (b"x" * 200) for _ in range(5)) + b"550 end\r\n"
    says = {
        b"EHLO": b"250 x\r\n",
        b"MAIL": b"250 ok\r\n",
        b"RCPT": answer,
        b"RSET": b"250 ok\r\n",
        b"QUIT": b"221 bye\r\n",
    }
    async with listening(port, bytearray(), says, b"220 hello\r\n"):
        outcome = await send(replace(relay, tls="none", username="", password=""))
    assert outcome.delivery is Delivery.REFUSED
    assert "\n" not in outcome.answer
    assert len(outcome.answer) <= 350


@pytest.mark.parametrize(
    ("word", "code", "delivery"),
    [(b"RCPT", b"550", Delivery.REFUSED), (b"RCPT", b"450", Delivery.RETRY), (b"MAIL", b"451", Delivery.RETRY)],
)
async def test_an_answer_that_is_no_utf8_can_be_kept(
    word: bytes, code: bytes, delivery: Delivery, port: int, relay: Relay
) -> None:
    says = {b"EHLO": b"250 x\r\n", b"MAIL": b"250 ok\r\n", b"RSET": b"250 ok\r\n", b"QUIT": b"221 bye\r\n"}
    says[word] = code + b" refus\xe9 \x00\x1b[2J\xff\r\n"
    async with listening(port, bytearray(), says, b"220 hello\r\n"):
        outcome = await send(replace(relay, tls="none", username="", password=""))
    assert outcome.delivery is delivery
    assert outcome.answer.encode().decode() == outcome.answer, "no half surrogate pairs"
    assert outcome.answer.isprintable()


@pytest.mark.parametrize("said", [b"250 taken", b"250 accept\xe9 \xff"])
async def test_a_relay_that_hangs_up_after_it_has_taken_the_mail_has_taken_it(
    said: bytes, port: int, relay: Relay
) -> None:
    """Else the mail would come twice."""
    heard = bytearray()
    ended = {
        b"EHLO": b"250 x\r\n",
        b"MAIL": b"250 ok\r\n",
        b"RCPT": b"250 ok\r\n",
        b"DATA": b"354 go on\r\n",
        b".": said + b"\r\n",
    }

    class Body(dict[bytes, bytes]):
        """Silent on the lines of the mail; hangs up at QUIT."""

        def get(self, key: bytes, _: object = None) -> bytes | None:  # type: ignore[override]
            return None if key == b"QUIT" else super().get(key, b"")

    async with listening(port, heard, Body(ended), b"220 hello\r\n"):
        outcome = await send(replace(relay, tls="none", username="", password=""))
    assert outcome.delivery is Delivery.SENT
    assert outcome.answer.encode().startswith((b"taken", b"accept"))


# -- faults at every step ------------------------------------------------------------------------------------------


def tried(relays: Sequence[Relay]) -> tuple[Mailer, list[tuple[int, str]]]:
    """A mailer, and what its relays (by number) make of each mail."""
    results: list[tuple[int, str]] = []
    places = [each.place for each in relays]
    return Mailer(relays, on_try=lambda place, result: results.append((places.index(place), result))), results


STEP_OF = {
    "connect": "connect", "ehlo": "hello", "starttls": "tls", "auth": "log-in", "mail": "sender", "rcpt": "recipient",
    "data": "data", "content": "answer", "taken": "answer",
}  # fmt: skip
"""The mailer's step by that of the sink."""


@pytest.mark.parametrize("step", STEPS)
async def test_a_relay_that_hangs_anywhere_costs_its_time_out_once(
    step: str, make_sink: MakeSink, port: int, relay: Relay
) -> None:
    hanging, sink = make_sink(port), make_sink(other := free_port())
    hanging.fault = lambda at: HANG if at == step else ""
    mailer, results = tried((replace(relay, timeout_seconds=0.5), replace(relay, port=other)))
    for _ in range(3):
        assert (await mailer.send(mail(), TO)).delivery is Delivery.SENT
    assert results == [
        (0, "unknown" if step in ("content", "taken") else "timeout"), (1, "sent"), (1, "sent"), (1, "sent"),
    ]  # fmt: skip
    assert len(sink.mails) == 3
    assert mailer.failing() == {f"127.0.0.1:{port}": True, f"127.0.0.1:{other}": False}


@pytest.mark.parametrize("step", STEPS)
async def test_a_relay_that_hangs_up_anywhere_is_told_by_the_step(
    step: str, make_sink: MakeSink, port: int, relay: Relay
) -> None:
    sink = make_sink(port)
    sink.fault = lambda at: DROP if at == step else ""
    mailer, results = tried([relay])
    outcome = await mailer.send(mail(), TO)
    assert outcome.delivery is Delivery.RETRY
    assert outcome.relays_failed
    told = {"connect": "no-connection", "tls": "tls", "log-in": "log-in", "answer": "unknown"}
    assert results == [(0, told.get(STEP_OF[step], "broken"))]
    assert f"{results[0][1]} at {STEP_OF[step]}: " in outcome.answer
    assert len(sink.mails) == (step == "taken")


@pytest.mark.parametrize(
    ("step", "answer", "result", "delivery"),
    [
        ("mail", "451 later", "deferred", Delivery.RETRY),
        ("mail", "553 not from you", "refused", Delivery.RETRY),
        ("ehlo", "421 not now", "deferred", Delivery.RETRY),
        ("starttls", "454 not now", "tls", Delivery.RETRY),
        ("auth", "454 not now", "log-in", Delivery.RETRY),
        ("rcpt", "450 greylisted", "deferred", Delivery.RETRY),
        ("rcpt", "550 who?", "refused", Delivery.REFUSED),
        ("data", "554 no", "refused", Delivery.REFUSED),
        ("data", "250 odd", "broken", Delivery.RETRY),
        ("content", "452 full", "deferred", Delivery.RETRY),
        ("content", "554 spam", "refused", Delivery.REFUSED),
    ],
)
async def test_an_answer_at_any_step_is_told_for_what_it_is(
    step: str, answer: str, result: str, delivery: Delivery, make_sink: MakeSink, port: int, relay: Relay
) -> None:
    sink = make_sink(port)
    sink.fault = lambda at: answer if at == step else ""
    mailer, results = tried([relay])
    outcome = await mailer.send(mail(), TO)
    assert (outcome.delivery, results) == (delivery, [(0, result)])
    assert answer.partition(" ")[2] in outcome.answer


async def test_a_certificate_that_is_not_trusted_is_told_as_trouble_with_tls_in_either_way_of_it(
    make_sink: MakeSink, port: int, relay: Relay, tmp_path: Path
) -> None:
    liar = Authority(tmp_path).issue("liar", ["127.0.0.1"])
    make_sink(port, certificate=liar)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*liar)
    controller = Controller(_Data("250 taken"), hostname="127.0.0.1", port=free_port(), ssl_context=context)
    controller.start()
    try:
        mailer, results = tried([relay, replace(relay, port=controller.port, tls="implicit")])
        await mailer.send(mail(), TO)
    finally:
        controller.stop()
    assert results == [(0, "tls"), (1, "tls")]


async def test_what_one_relay_refuses_another_may_take(make_sink: MakeSink, port: int, relay: Relay) -> None:
    """Such as `554 relay access denied`: a mistake in the settings of one relay costs no mail."""
    first, second = make_sink(port), make_sink(other := free_port())
    first.refuse = "554 relay access denied"
    mailer, results = tried([relay, replace(relay, port=other)])
    assert (await mailer.send(mail(), TO)).delivery is Delivery.SENT
    second.refuse = "550 no such user"
    outcome = await mailer.send(mail(), TO)
    assert outcome.delivery is Delivery.REFUSED
    assert "554 relay access denied" in outcome.answer
    assert "550 no such user" in outcome.answer
    assert [result for _, result in results] == ["refused", "sent", "refused", "refused"]
    assert not any(mailer.failing().values())


async def test_a_relay_that_failed_is_tried_first_again_after_its_rest_by_one_mail(
    make_sink: MakeSink, port: int, relay: Relay
) -> None:
    first, _ = make_sink(port), make_sink(other := free_port())
    first.fault = lambda at: DROP if at == "connect" else ""
    now, results = 0.0, []
    mailer = Mailer(
        [relay, replace(relay, port=other)], on_try=lambda place, _: results.append(place), clock=lambda: now
    )
    bad, good = f"127.0.0.1:{port}", f"127.0.0.1:{other}"
    await mailer.send(mail(), TO)
    now = REST_SECONDS
    await asyncio.gather(*(mailer.send(mail(), TO) for _ in range(3)))
    assert sorted(results) == sorted([bad, good, bad, good, good, good])
    results.clear()
    first.fault = lambda _: ""
    now = 2 * REST_SECONDS
    await mailer.send(mail(), TO)
    await mailer.send(mail(), TO)
    assert results == [bad, bad]


async def test_lines_that_begin_with_a_dot_arrive_as_they_are(make_sink: MakeSink, port: int, relay: Relay) -> None:
    sink = make_sink(port)
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = "a@example.org", TO
    message.set_content(".\n..two\n.one\nend")
    await Mailer([relay]).send(message, TO)
    assert sink.mails[0].text().replace("\r\n", "\n") == ".\n..two\n.one\nend\n"
