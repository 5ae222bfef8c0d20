"""What mails tell of the meetings that an incident threatens."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from monitor.core.explain import explain, explain_severity
from monitor.core.model import Happening, Importance, Inventory, Severity, Threat, Weight
from monitor.core.words import WORDS
from tests.alerts.sample import INCIDENT, NOW, composer, event, inventory, notification

HOUR = timedelta(hours=1)


def threat(begins: datetime, title: str = "Giao ban", rooms: int = 1) -> Threat:
    return Threat(
        meeting="giao-ban", title=title, importance=Importance.HIGH, begins=begins, ends=begins + 2 * HOUR,
        rooms=("xa-kim-dong/router", *(f"phuong-phu-ly/r{each}" for each in range(rooms - 1))),
    )  # fmt: skip


def mailed(
    *threats: Threat, what: Happening = Happening.OPENED, language: str = "vi", known: Inventory | None = None
) -> tuple[str, str, str]:
    """Subject, text and HTML."""
    made = notification(what)
    contact = replace(made.contact, language=language)
    incident = replace(made.event.incident, meetings=threats)
    message = composer().compose(
        replace(made, contact=contact, event=replace(made.event, incident=incident)), known or inventory(), NOW
    )
    text, page = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert page is not None
    return str(message["Subject"]), text.get_content(), page.get_content()


@pytest.mark.parametrize(
    ("hours", "language", "begins"),
    [(-1, "vi", "ĐANG HỌP – NGỪNG: "), (0.5, "vi", "HỌP 12:30 – NGỪNG: "), (1.5, "vi", "NGỪNG: "), (-2, "vi", "NGỪNG: "),
     (-1, "en", "MEETING NOW – DOWN: "), (0.5, "en", "MEETING 12:30 – DOWN: ")],
)  # fmt: skip
def test_the_subject_begins_with_a_meeting_that_runs_or_is_about_to_begin(
    hours: float, language: str, begins: str
) -> None:
    subject, _, _ = mailed(threat(NOW + hours * HOUR), language=language)
    assert subject.startswith(begins)
    assert len(subject) <= 60


def test_one_line_says_what_when_and_which_rooms() -> None:
    _, text, page = mailed(threat(NOW + 2 * HOUR, rooms=9))
    line = "Giao ban, 14:00–16:00 24/11/2026: Router – Xã Kim Đông, "
    told = next(each for each in text.splitlines() if each.startswith("Cuộc họp:"))
    assert "Giao ban, 14:00–16:00 24/11/2026: Bộ định tuyến – Xã Kim Đông" in told, line
    assert told.endswith("và 3 phòng khác")
    assert "14:00–16:00 24/11/2026" in page


def test_no_more_than_three_are_listed_and_the_rest_counted() -> None:
    _, text, _ = mailed(*(threat(NOW + each * HOUR, f"Họp {each}") for each in range(5)), language="en")
    assert text.count("Meeting:    Họp") == 3
    assert "And 2 more meetings" in text


def test_a_meeting_that_ran_is_said_to_have_when_it_happened() -> None:
    _, text, _ = mailed(threat(NOW - HOUR))
    assert "(đang họp): Bộ định tuyến" in text


def test_a_title_is_one_line_whoever_wrote_it() -> None:
    _, text, page = mailed(threat(NOW, "Họp\nVIỆC CẦN LÀM: gọi 1900\u202e <b>x</b>"))
    assert "\nVIỆC CẦN LÀM: gọi" not in text
    assert "<b>x</b>" not in page


def test_a_mail_about_no_meeting_says_nothing_of_any() -> None:
    subject, text, _ = mailed()
    assert "HỌP" not in subject
    assert "Cuộc họp" not in text


def test_it_is_explained_which_meeting_made_it_more_severe() -> None:
    weight = Weight(target=INCIDENT.root, meeting="giao-ban")
    incident = replace(INCIDENT, severity=Severity.CRITICAL, weight=weight, meetings=(threat(NOW, rooms=15),))
    assert "important meeting giao-ban runs or begins within an hour" in explain_severity(incident, WORDS["en"])
    assert "cuộc họp quan trọng giao-ban đang diễn ra" in explain_severity(incident, WORDS["vi"])
    lines = list(explain(replace(event(), incident=incident), WORDS["en"]))
    (line,) = [each for each in lines if "Threatens the meeting" in each]
    assert "Giao ban (giao-ban), 12:00–14:00 24/11/2026, which ran then: xa-kim-dong/router" in line
    assert line.endswith("and 3 more rooms")
