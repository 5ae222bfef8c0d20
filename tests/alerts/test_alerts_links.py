"""Links of mails: ours, and nobody else's."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.links import KEY_BYTES, SIGNATURE_BYTES, VALID, Act, Link, Signer, silent_until
from monitor.core.model import Acknowledgement, Contact, Happening
from tests.alerts.sample import INCIDENT, KEY, NOW, ON_CALL, composer, inventory, notification
from tests.alerts.test_alerts_compose import part

SIGNER = Signer(KEY)
LINK = Link(act=Act.ACKNOWLEDGE, mail=notification().id, expires=NOW + VALID)


def parts(path: str) -> list[str]:
    """What the web server makes of a link."""
    empty, acts, *found = path.split("/")
    assert (empty, acts, len(found)) == ("", "acts", 4)
    return [unquote(each) for each in found]


@pytest.mark.parametrize("act", Act)
def test_a_link_is_read_as_it_was_made(act: Act) -> None:
    link = replace(LINK, act=act)
    assert SIGNER.read(parts(SIGNER.path(link))) == link


@given(st.text(min_size=1, max_size=80), st.integers(0, 3), st.integers(0, 400))
def test_no_part_of_a_link_can_be_changed(change: str, which: int, where: int) -> None:
    told = parts(SIGNER.path(LINK))
    at = where % (len(told[which]) + 1)
    changed = [*told[:which], told[which][:at] + change + told[which][at + len(change) :], *told[which + 1 :]]
    assert changed == told or SIGNER.read(changed) is None


@given(st.lists(st.text(), min_size=4, max_size=4))
def test_what_strangers_make_up_is_not_ours(made_up: list[str]) -> None:
    assert SIGNER.read(made_up) is None


def test_parts_cannot_be_shifted_into_each_other() -> None:
    act, mail, expires, signature = parts(SIGNER.path(LINK))
    assert SIGNER.read([f"{act}\n{mail}", expires, "", signature]) is None
    assert SIGNER.read([act, mail[:-1], mail[-1] + expires, signature]) is None


def test_another_key_makes_other_links_and_a_short_one_none() -> None:
    assert Signer(bytes(KEY_BYTES)).read(parts(SIGNER.path(LINK))) is None
    assert len(parts(SIGNER.path(LINK))[3]) >= SIGNATURE_BYTES
    with pytest.raises(ValueError, match="at least 32 bytes"):
        Signer(b"short")


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-24T19:10:00+00:00", "2026-11-25T00:00:00+00:00"),  # 02:10 in Viet Nam: the same morning
        ("2026-11-24T05:00:00+00:00", "2026-11-25T00:00:00+00:00"),  # noon: the next one
        ("2026-11-25T00:00:00+00:00", "2026-11-26T00:00:00+00:00"),
    ],
)
def test_morning_is_that_of_viet_nam(now: str, until: str) -> None:
    at = datetime.fromisoformat(now)
    assert silent_until(Act.SILENCE_MORNING, at) == datetime.fromisoformat(until)
    assert silent_until(Act.SILENCE_HOUR, at) == at + timedelta(hours=1)
    assert silent_until(Act.ACKNOWLEDGE, at) is None


def links(mail: str) -> list[Link]:
    """The acts that a body offers."""
    found = [SIGNER.read(parts(each)) for each in re.findall(r"http://board\.example(/acts/[^\s\"?]+)", mail)]
    assert None not in found
    return [each for each in found if each]


WITH_LINKS = composer(signer=SIGNER)


@pytest.mark.parametrize("language", ["vi", "en"])
def test_text_and_html_of_a_mail_offer_the_same_acts_of_this_mail_and_for_a_time(language: str) -> None:
    told = notification(contact=replace(ON_CALL, language=language))
    mail = WITH_LINKS.compose(told, inventory(), NOW)
    page = html.unescape(part(mail, "html"))
    assert links(part(mail, "plain")) == links(page) == [
        Link(act=act, mail=told.id, expires=told.event.at.replace(microsecond=0) + VALID) for act in Act
    ]  # fmt: skip
    assert ("?lang=en" in page) is (language == "en")
    assert KEY.hex() not in mail.as_string()


def test_each_recipient_and_each_mail_has_links_of_its_own() -> None:
    other = Contact(id="other", name="O", email="o@example.org")
    told = (notification(), notification(contact=other), notification(Happening.CHANGED))
    found = [link for each in told for link in links(part(WITH_LINKS.compose(each, inventory(), NOW), "plain"))]
    assert len({each.id for each in found}) == len(found) == 9


@pytest.mark.parametrize(
    ("what", "offered"),
    [(Happening.RECOVERED, 0), (Happening.WITHDRAWN, 0), (Happening.ACKNOWLEDGED, 2), (Happening.UNACKNOWLEDGED, 3)],
)
def test_only_what_makes_sense_is_offered(what: Happening, offered: int) -> None:
    assert len(links(part(WITH_LINKS.compose(notification(what), inventory(), NOW), "plain"))) == offered


def test_who_has_it_is_not_asked_to_take_it() -> None:
    had = notification(Happening.CHANGED, incident=replace(INCIDENT, acknowledged=Acknowledgement(by="Hoa", at=NOW)))
    mail = WITH_LINKS.compose(had, inventory(), NOW)
    assert {each.act for each in links(part(mail, "plain"))} == {Act.SILENCE_HOUR, Act.SILENCE_MORNING}


@pytest.mark.parametrize("without", [composer(), composer(board="", signer=SIGNER)])
def test_without_a_key_or_a_board_there_are_none(without: object) -> None:
    mail = without.compose(notification(), inventory(), NOW)  # type: ignore[attr-defined]
    assert "/acts/" not in part(mail, "plain") + part(mail, "html")
    assert "Nhận xử lý" not in part(mail, "plain") + part(mail, "html")


def test_the_time_of_a_link_is_whole_seconds_of_utc() -> None:
    expires = datetime(2026, 11, 27, 5, 0, 3, 900_000, UTC)
    read = SIGNER.read(parts(SIGNER.path(replace(LINK, expires=expires))))
    assert read is not None
    assert read.expires == expires.replace(microsecond=0)
