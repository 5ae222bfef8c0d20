"""The life of an incident on its page, of open ones and of those that only the database knows."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import aiohttp
import pytest

from monitor.core.explain import SENTENCES
from monitor.core.life import Life, Told
from monitor.core.model import (
    ONLY_MAILED,
    SUMMARIES,
    Acknowledgement,
    Cause,
    Happening,
    Incident,
    IncidentEvent,
    Severity,
    Silence,
    State,
)  # fmt: skip
from monitor.web.phrases import PHRASES
from monitor.web.story import MAX_NAMES, SIGNS, Line, story
from monitor.web.words import EN, VI
from tests.web.province import NOW, Province

SITE = "phuong-phu-ly"


@pytest.fixture
def case(province: Province) -> Incident:
    """A line that was cut."""
    return province.cut(SITE)


def after(case: Incident, seconds: float) -> datetime:
    return case.opened + timedelta(seconds=seconds)


def lines(case: Incident, province: Province, **given: object) -> list[Line]:
    return story(case, Life(incident=case, **given), province.settings, EN, NOW)  # type: ignore[arg-type]


def event(case: Incident, what: Happening, seconds: float = 0, **given: object) -> IncidentEvent:
    return IncidentEvent(incident=replace(case, **given), what=what, at=after(case, seconds))


def test_it_begins_with_the_first_sign_and_ends_now(case: Incident, province: Province) -> None:
    assert [(each.at, each.what) for each in story(case, None, province.settings, EN, NOW)] == [
        (case.began, "Began: the first check that failed"),
        (NOW, "Still open, 2 targets hurt"),
    ]
    over = replace(case, closed=NOW)
    assert [each.what for each in story(over, None, province.settings, EN, NOW)] == [
        "Began: the first check that failed"
    ]


def test_what_changed_is_told_from_event_to_event(case: Incident, province: Province) -> None:
    worse = {"cause": Cause.SHARED, "severity": Severity.CRITICAL, "impact": (*case.impact, "centre/gateway")}
    events = (
        event(case, Happening.OPENED, state=State.DEGRADED),
        event(case, Happening.CHANGED, 60, **worse),
        event(case, Happening.ACKNOWLEDGED, 90, acknowledged=Acknowledgement(by="Hoa", at=NOW, note="gọi VNPT")),
        event(case, Happening.RECOVERED, 100),
    )
    told = lines(case, province, events=events)[1:-1]
    assert [(each.what, each.notes) for each in told] == [
        ("Opened", ("the line; severity minor; 2 targets hurt",)),
        (
            "Recognised anew",
            ("cause: the line → something shared in front of several sites", "state: Degraded → Down",
             "severity: Minor → Critical", "hurt: 2 → 3 targets"),
        ),
        ("Acknowledged", ("Hoa: gọi VNPT",)),
        ("Recovered", ()),
    ]  # fmt: skip


@pytest.mark.parametrize("what", sorted(set(Happening) - SUMMARIES))
def test_every_happening_has_its_words_and_its_sign(what: Happening) -> None:
    for language in ("vi", "en"):
        assert what in SENTENCES[language].happenings or what in PHRASES[language]
    assert what in SIGNS or what in ONLY_MAILED


def test_mails_of_one_moment_are_one_line_by_what_became_of_them(case: Incident, province: Province) -> None:
    at = after(case, 1)
    told = (
        Told(to="Trực", what=Happening.OPENED, at=at, status="sent", sent=after(case, 3)),
        Told(to="VNPT", what=Happening.OPENED, at=at, status="failed"),
        Told(to="NOC", what=Happening.OPENED, at=at, status="sent", sent=after(case, 4)),
        Told(to="Trưởng ca", what=Happening.ESCALATED, at=after(case, 900), status="queued"),
    )
    mails = [each for each in lines(case, province, told=told) if each.mail]
    assert [(each.what, each.notes) for each in mails] == [
        ("Mail: opened", ("sent: Trực 11:48:02, NOC 11:48:03", "could not be delivered: VNPT")),
        ("Mail: nobody has it, more people are told", ("waiting: Trưởng ca",)),
    ]
    many = tuple(replace(told[0], to=f"P{n}") for n in range(200))
    (note,) = next(each for each in lines(case, province, told=many) if each.mail).notes
    assert note.count("P") == MAX_NAMES
    assert note.endswith(f"and {200 - MAX_NAMES} more")


@pytest.mark.parametrize("status", ["queued", "sending", "deferred", "sent", "failed", "superseded", "held", "summed"])
def test_every_status_of_a_mail_has_its_words(status: str) -> None:
    assert all(status in phrases for phrases in PHRASES.values())


def test_a_silence_is_told_when_it_is_about_the_root(case: Incident, province: Province) -> None:
    about = Silence(
        id=1, provider="vnpt", begins=after(case, 30), ends=NOW + timedelta(hours=1), reason="biết rồi", by="Hoa"
    )
    other = replace(about, provider="", site="xa-kim-dong")
    silent = [each for each in lines(case, province, silences=(about, other)) if "silenced" in each.what]
    assert [(each.at, each.what, each.notes) for each in silent] == [
        (after(case, 30), "Mails silenced until 13:00:00 24/11/2026", ("Hoa: biết rồi",))
    ]
    before = replace(about, begins=case.began - timedelta(days=1))
    assert [each.at for each in lines(case, province, silences=(before,)) if "silenced" in each.what] == [case.opened]


async def test_an_old_link_in_a_mail_still_leads_to_its_incident(
    http: aiohttp.ClientSession, province: Province, case: Incident
) -> None:
    over = replace(case, closed=NOW - timedelta(days=200))
    province.cases.clear()
    for path in (f"/incidents/{case.id}", f"/api/v1/incidents/{case.id}"):
        async with http.get(path) as answer:
            assert answer.status == 404
    province.lives[case.id] = Life(incident=over, events=(event(case, Happening.OPENED),))
    async with http.get(f"/incidents/{case.id}") as answer:
        assert answer.status == 200
        page = await answer.text()
    assert f"Đã khắc phục lúc {VI.moment(over.closed)}." in page  # type: ignore[arg-type]
    assert "Mở sự cố" in page
    async with http.get(f"/api/v1/incidents/{case.id}") as answer:
        assert (await answer.json())["closed"] == "2026-05-08T05:00:00Z"


async def test_what_is_in_memory_counts_more_than_what_was_written(
    http: aiohttp.ClientSession, province: Province, case: Incident
) -> None:
    province.lives[case.id] = Life(incident=replace(case, impact=()))
    async with http.get(f"/incidents/{case.id}") as answer:
        page = await answer.text()
    assert "ảnh hưởng 2 đối tượng" in page
    assert PHRASES["vi"]["not_written"] not in page
    del province.lives[case.id]
    async with http.get(f"/incidents/{case.id}") as answer:
        assert PHRASES["vi"]["not_written"] in await answer.text()
