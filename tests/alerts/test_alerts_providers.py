"""What providers are told themselves, and what they are not."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from alerts.policy import Policy
from alerts.routing import OUTSIDER
from monitor.core.model import Cause, Contact, Happening, Incident, IncidentEvent, Notification, Severity, Tell
from monitor.inventory.contacts import load_contacts
from tests.alerts.sample import COMMON, INCIDENT, NOW, composer, event, inventory, notification

TELL = Tell(language="vi", causes=(Cause.LINK, Cause.SHARED), severity=Severity.MINOR, hours="")
SECRETS = ("192.0.2.7", "echoes", "http", "Bà Hoa", "0912", "Bộ định tuyến", "Router", "on-call", "hoa")
"""Addresses, evidence, links, and names of ours."""


def told(*events: IncidentEvent, folder: Path, tell: Tell = TELL) -> list[Notification]:
    """What the provider gets of these."""
    known = inventory()
    known = replace(known, providers={"vnpt": replace(known.providers["vnpt"], email="noc@vnpt.example", tell=tell)})
    (folder / "contacts.yaml").write_text("contacts: {a: {name: A, email: a@x.example}}")
    policy = Policy(load_contacts(folder / "contacts.yaml", known), known)
    made = [each for happened in events for each in policy.happened(happened)]
    return [each for each in made if each.contact.outsider]


def text(mail: Notification) -> str:
    """Everything that the provider can read."""
    message = composer().compose(mail, inventory(), NOW)
    parts = [message.get_body((kind,)) for kind in ("plain", "html")]
    return "\n".join([str(message["Subject"]), *(str(part.get_content()) for part in parts if part)])


def test_a_provider_is_told_of_its_line_with_circuit_and_commune_from_beginning_to_end(tmp_path: Path) -> None:
    opened, ended = told(
        event(), event(Happening.ACKNOWLEDGED), event(Happening.RECOVERED, after=3600), folder=tmp_path
    )
    assert opened.contact == Contact(
        id=f"{OUTSIDER}vnpt", name="VNPT Ninh Bình", email="noc@vnpt.example", language="vi", outsider=True
    )
    assert text(opened).startswith("NGỪNG: kênh C-1 – Xã Kim Đông\n")
    assert text(ended).startswith("ĐÃ KHÔI PHỤC: kênh C-1 – Xã Kim Đông\n")
    assert "kéo dài 1 giờ" in text(ended)
    assert INCIDENT.id in text(opened)


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("incident", [INCIDENT, COMMON])
def test_nothing_of_our_own_is_in_its_mails(incident: Incident, language: str, tmp_path: Path) -> None:
    taken = event(Happening.ACKNOWLEDGED, incident).incident
    events = (event(incident=incident), event(Happening.CHANGED, taken, 60), event(Happening.RECOVERED, taken, 90))
    mails = told(*events, folder=tmp_path, tell=replace(TELL, language=language))
    assert len(mails) == 3
    for mail in mails:
        assert [each for each in SECRETS if each in text(mail)] == []


def test_lines_that_have_the_provider_in_common_are_all_listed(tmp_path: Path) -> None:
    (mail,) = told(event(incident=COMMON), folder=tmp_path)
    assert "kênh C-1 – Xã Kim Đông và 1 kênh khác" in text(mail)
    assert "- Kênh C-1 – Phường Phủ Lý" in text(mail)


@pytest.mark.parametrize(
    "other",
    [
        replace(INCIDENT, cause=Cause.POWER), replace(INCIDENT, root="xa-kim-dong/router", cause=Cause.DEVICE),
        replace(INCIDENT, root="center/router", cause=Cause.SHARED),
    ],
)  # fmt: skip
def test_what_is_not_of_its_lines_is_not_told(other: Incident, tmp_path: Path) -> None:
    assert told(event(incident=other), folder=tmp_path) == []


def test_it_is_told_when_it_turns_out_to_be_something_else(tmp_path: Path) -> None:
    other = replace(INCIDENT, root="center/router", cause=Cause.SHARED)
    _, changed = told(event(), event(Happening.CHANGED, other, 30), folder=tmp_path)
    assert text(changed).startswith(f"RÚT LẠI: thông báo {INCIDENT.id}\n")
    assert "Trung tâm" not in text(changed)


def test_it_may_want_only_what_is_severe_and_only_in_its_hours(tmp_path: Path) -> None:
    assert told(event(), folder=tmp_path, tell=replace(TELL, severity=Severity.MAJOR)) == []
    assert told(event(), folder=tmp_path, tell=replace(TELL, hours="Tu 13:00-14:00")) == []
    assert len(told(event(), folder=tmp_path, tell=replace(TELL, hours="Tu 12:00-14:00"))) == 1


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("what", [Happening.DIGEST, Happening.STORM, Happening.STORM_OVER, Happening.OPENED])
def test_names_put_in_neither_headers_nor_html_into_summaries_and_what_outsiders_read(
    what: Happening, language: str
) -> None:
    bad = '<script>alert(1)</script>"><b>\r\nBcc: spy@example.com\r\n\r\n{{ 7*7 }}' + "x" * 10_000
    known = inventory(name=bad, contact=bad)
    line = replace(known.targets[INCIDENT.root], circuit=bad)
    known = replace(known, targets={**known.targets, line.id: line})
    taken = event(Happening.ACKNOWLEDGED).incident
    assert taken.acknowledged is not None
    incident = replace(taken, acknowledged=replace(taken.acknowledged, by=bad))
    outsider = what is Happening.OPENED
    contact = Contact(id=f"{OUTSIDER}vnpt", name=bad, email="a@x.example", language=language, outsider=outsider)
    raw = composer().compose(notification(what, contact, incident), known, NOW).as_bytes()
    headers, _, _ = raw.partition(b"\r\n\r\n")
    assert b"\nBcc:" not in headers
    mail = message_from_bytes(raw, policy=default)
    assert isinstance(mail, EmailMessage)
    part = mail.get_body(("html",))
    assert part is not None
    page = part.get_content()
    assert "<script" not in page
    assert "<b>" not in page
    assert "49" not in page.replace(INCIDENT.id, "")
    assert "&lt;script&gt;" in page
