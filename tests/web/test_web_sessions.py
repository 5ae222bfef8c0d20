"""Sessions of meetings that have begun, on the board and in the API: how each went in its rooms."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from monitor.core.ledger import Span
from monitor.core.life import Posted
from monitor.core.meetings import path_of
from monitor.core.model import Cause, Importance, Meeting, Session
from monitor.core.quality import NOTHING, Figures, Quality, RoomQuality, SessionQuality
from monitor.core.words import ROOM
from monitor.web.board import Board
from monitor.web.openapi import description
from monitor.web.sessions import MAX_GROUPS, MAX_ROWS
from monitor.web.words import EN, VI, machine_time
from tests.web.province import NOW, Province
from tests.web.test_web_meetings import EVIL, held, threatened

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
SESSION = Session(NOW - 26 * HOUR, NOW - 24 * HOUR, "giao-ban")
PAGE = path_of("giao-ban", SESSION.begins)
CUT, LINE, GOOD = "phuong-phu-ly/router", "xa-kim-dong/tslcd", "xa-cuc-phuong/router"


def went(province: Province, *, session: Session = SESSION, title: str = "Giao ban tuần") -> SessionQuality:
    """Of three communes one was cut off twice, one had a bad line."""
    begins = session.begins
    made = SessionQuality(
        session=session, title=title, importance=Importance.HIGH, measured_seconds=7200.0,
        rooms=(
            RoomQuality(
                target=CUT, quality=Quality.CUT, of="phuong-phu-ly/tslcd", cause=Cause.POWER, incident="i-1", seconds=480.0,
                times=(Span(begins + 20 * MINUTE, begins + 27 * MINUTE), Span(begins + HOUR, begins + HOUR + MINUTE)),
                line="phuong-phu-ly/tslcd",
                figures=Figures(loss_mean=0.05, loss_worst=1.0, delay_mean=0.004, delay_worst=0.25, jitter_mean=0.0005, mos_least=3.1,
                                call_loss_mean=0.031, call_loss_worst=0.12),
            ),
            RoomQuality(
                target="xa-kim-dong/router", quality=Quality.POOR, of=LINE, cause=Cause.LINK, seconds=1800.0,
                times=(Span(begins, begins + 30 * MINUTE),), line=LINE, figures=Figures(loss_mean=0.02, loss_worst=0.1),
            ),
            RoomQuality(target=GOOD),
        ),
    )  # fmt: skip
    assert province.sessions is not None
    province.sessions.append(made)
    return made


async def text(http: aiohttp.ClientSession, path: str) -> str:
    async with http.get(path) as response:
        assert response.status == 200, path
        return await response.text()


def test_the_page_tells_what_each_room_suffered_from_when_and_how_long(province: Province) -> None:
    page = Board().session(province, went(province), VI, NOW)
    assert page.index("Bị cắt: Đường TSLCĐ – Phường Phủ Lý (mất điện)") < page.index(
        "Không ổn định: Đường TSLCĐ – Xã Kim Đông<"
    )
    for fact in (
        "10:00–12:00 23/11/2026", "kết thúc <time", ">1 ngày</time> trước", "1 bị cắt", "1 không ổn định", "1 tốt",
        "tel:0229000018", "8 phút", "10:20:00–10:27:00, 11:00:00–11:01:00", 'href="/incidents/i-1"', "tel:18001260", "C-xa-kim-dong",
        "5 / 100 %", "4 ms / 250 ms", "0,5 ms", "3,1",
        "Mất gói trong cuộc gọi (thiết bị họp tự báo)", "3,1 / 12 %", f'href="{PAGE}/rooms.csv"',
    ):  # fmt: skip
        assert fact in page, fact
    english = Board().session(province, went(province), EN, NOW)
    assert "Cut off: TSLCĐ line – Phường Phủ Lý (" in english
    assert f'href="{PAGE}/rooms.csv?lang=en"' in english


def test_rooms_that_failed_by_themselves_stand_together_where_the_same_is_to_be_called(province: Province) -> None:
    made = went(province)
    cut = tuple(
        replace(made.rooms[0], target=f"{site}/router", of=f"{site}/router", cause=None)
        for site in ("phuong-phu-ly", "xa-kim-dong")
    )
    page = Board().session(province, replace(made, rooms=cut), VI, NOW)
    assert "Bị cắt (2): thiết bị của phòng họp" in page
    assert page.count("tel:0229000018") == 1
    sites = province.inventory().sites
    other = replace(sites["xa-kim-dong"], contact="Ông Nam 0912 345 678")
    province.settings = replace(province.inventory(), sites={**sites, other.id: other})
    page = Board().session(province, replace(made, rooms=cut), VI, NOW)
    assert page.index("tel:0229000018") < page.index("tel:0912345678")


def test_figures_that_are_missing_are_said_to_be(province: Province) -> None:
    made = went(province)
    assert "Figures of loss" not in Board().session(province, made, EN, NOW)
    part = Board().session(province, replace(made, measured_seconds=600.0), EN, NOW)
    assert "are of 10 min of the session only" in part
    bare = replace(made, measured_seconds=0.0, rooms=tuple(replace(each, figures=NOTHING) for each in made.rooms))
    none = Board().session(province, bare, EN, NOW)
    assert "There are no figures of loss and delay" in none
    assert "<table>" not in none


def test_of_a_nation_the_worst_are_shown_and_the_rest_counted(province: Province) -> None:
    made = went(province)
    cut = tuple(replace(made.rooms[0], target=f"xa-{number}/room") for number in range(MAX_ROWS + 7))
    page = Board().session(province, replace(made, rooms=(*cut, *made.rooms[1:])), EN, NOW)
    assert f"Cut off ({MAX_ROWS + 7}): " in page
    assert page.count('class="room"') == MAX_ROWS
    assert "and more: 7<" in page
    assert "and more: 9<" in page, "in the table of all rooms"


def test_of_a_bad_day_of_a_nation_some_reasons_are_shown_and_the_rooms_of_the_rest_counted(province: Province) -> None:
    made = went(province)
    each_by_itself = tuple(
        replace(made.rooms[0], target=f"xa-{number}/room", of=f"xa-{number}/line") for number in range(MAX_GROUPS + 7)
    )
    page = Board().session(province, replace(made, rooms=each_by_itself), EN, NOW)
    assert page.count("/line") == MAX_GROUPS
    assert "and more: 7 rooms" in page


def test_what_has_left_the_inventory_is_named_by_its_id(province: Province) -> None:
    made = went(province)
    gone = replace(made.rooms[0], target="gone/room", of="gone/tslcd")
    page = Board().session(province, replace(made, rooms=(gone,)), VI, NOW)
    assert "gone/tslcd (mất điện)" in page
    assert "/sites/gone" not in page


async def test_the_last_sessions_are_listed_and_lead_to_their_pages(
    http: aiohttp.ClientSession, province: Province
) -> None:
    went(province)
    page = await text(http, "/meetings?lang=en")
    assert f'href="{PAGE}?lang=en"' in page
    assert "1 cut off" in page
    assert "Cut off: " in await text(http, f"{PAGE}?lang=en")
    assert "Cut off: " in await text(http, "/meetings/giao-ban?lang=en"), "the last, where none comes"
    held(province)
    coming = await text(http, "/meetings/giao-ban?lang=en")
    assert "Not ready" in coming
    assert f'href="{PAGE}?lang=en"' in coming


async def test_one_that_is_to_be_reckoned_says_so_and_when_none_can_be_read_that_too(
    http: aiohttp.ClientSession, province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = replace(went(province).went(), counts=None)

    async def listed(_: Province) -> Any:
        return [line]

    with monkeypatch.context() as patched:
        patched.setattr(Province, "past_sessions", listed)
        assert "The result comes in a few minutes" in Board().meetings(province, EN, NOW, [line])
        async with http.get("/api/v1/meetings?past=true") as response:
            assert [each["quality"] for each in (await response.json())["meetings"]] == [None]
    province.sessions = None
    assert "cannot be read now" in Board().meetings(province, EN, NOW, None)
    async with http.get("/api/v1/meetings?past=true") as response:
        assert response.status == 503


async def test_while_it_runs_its_page_has_how_it_went_so_far_and_the_rooms_now(
    http: aiohttp.ClientSession, province: Province
) -> None:
    now = held(province, starts=-HOUR).session
    made = went(province, session=now)
    assert province.sessions is not None
    province.sessions[:] = [replace(made, so_far=NOW, measured_seconds=3600.0)]
    page = await text(http, "/meetings/giao-ban?lang=en")
    assert (
        page.index("So far in this meeting")
        < page.index("Cut off: ")
        < page.index("The rooms now")
        < page.index("Not ready")
    )
    assert "Figures of loss" not in page, "those of the time to come are not missing"
    alone = await text(http, f"{path_of('giao-ban', now.begins)}?lang=en")
    assert "It is running: this is how it went until 12:00:00" in alone
    assert "Meetings of the last" in await text(http, "/meetings?lang=en")
    assert "1 cut off" not in await text(http, "/meetings?lang=en")


async def test_the_mails_about_it_are_told_with_what_became_of_them(
    http: aiohttp.ClientSession, province: Province
) -> None:
    went(province)
    at = SESSION.begins - HOUR
    province.mails = [
        Posted(to="Văn phòng", before=HOUR, at=at, status="sent", sent=at + MINUTE),
        Posted(to=EVIL, before=HOUR, at=at, status="failed"),
        Posted(to="Văn phòng", before=None, at=at + 5 * MINUTE, status="queued", changed=True),
        Posted(to="Văn phòng", before=None, at=SESSION.ends + 3 * MINUTE, status="deferred"),
    ]
    page = await text(http, f"{PAGE}?lang=en")
    for fact in (
        "Which rooms are ready, 1 h before it",
        "What changed since the last report before it",
        "sent: Văn phòng 09:01:00",
        "How it went",
        "could not be delivered: &lt;script",
    ):
        assert fact in page, fact
    assert page.count("Which rooms are ready,") == 1
    assert "Mails about" not in await text(http, "/meetings?lang=en")


async def test_the_page_of_a_commune_tells_how_the_last_meeting_went_in_its_room(
    http: aiohttp.ClientSession, province: Province
) -> None:
    settings = province.settings
    rooms = {each: replace(settings.targets[each], kind=ROOM) for each in (CUT, GOOD)}
    meeting = Meeting(id="giao-ban", title="", rooms=(CUT, GOOD), sessions=())
    province.settings = replace(settings, targets={**settings.targets, **rooms}, meetings={"giao-ban": meeting})
    went(province)
    page = await text(http, "/sites/phuong-phu-ly?lang=en")
    assert f'Last meeting: <a href="{PAGE}?lang=en">' in page
    assert "<strong>Cut off</strong> 8 min" in page
    assert "<strong>Good</strong></p>" in await text(http, "/sites/xa-cuc-phuong?lang=en")
    assert "Last meeting" not in await text(http, "/sites/xa-kim-dong?lang=en")


async def test_the_table_of_the_mail_is_to_be_had(http: aiohttp.ClientSession, province: Province) -> None:
    went(province)
    async with http.get(f"{PAGE}/rooms.csv") as response:
        assert response.headers["Content-Disposition"] == 'attachment; filename="giao-ban-2026-11-23-1000.csv"'
        assert response.content_type == "text/csv"
        body = (await response.read()).decode("utf-8-sig")
    first, second, third = csv.DictReader(io.StringIO(body))
    assert (first["room"], first["quality"], first["seconds"], first["mos_least"]) == (CUT, "cut", "480", "3.1")
    assert (first["times"], first["incident"]) == (
        "2026-11-23 10:20:00/2026-11-23 10:27:00; 2026-11-23 11:00:00/2026-11-23 11:01:00", "i-1",
    )  # fmt: skip
    assert (first["call_loss_percent_mean"], first["call_loss_percent_worst"]) == ("3.1", "12.0")
    assert (second["loss_percent_worst"], second["mos_least"], second["call_loss_percent_mean"]) == ("10.0", "", "")
    assert third["quality"] == "good"


async def test_the_api_tells_what_the_description_promises(http: aiohttp.ClientSession, province: Province) -> None:
    went(province)
    went(province, session=SESSION._replace(meeting="other"))
    async with http.get("/api/v1/meetings?past=true&id=giao-ban") as response:
        answer = await response.json()
    (listed,) = answer["meetings"]
    assert answer["total"] == 1
    async with http.get(f"/api/v1/meetings/giao-ban/{listed['begins']}?lang=en") as response:
        one = await response.json()
    assert listed["begins"] == machine_time(SESSION.begins)
    assert listed["quality"] == {"cut": 1, "poor": 1, "unseen": 0, "good": 1}
    assert listed["page"] == PAGE
    assert one["rooms"][0]["times"][0]["begins"] == machine_time(SESSION.begins + 20 * MINUTE)
    assert one["rooms"][0]["why"].startswith("TSLCĐ line – Phường Phủ Lý (")
    assert (one["so_far"], one["measured_seconds"], one["rooms"][2]["loss_ratio_mean"]) == (None, 7200.0, None)
    schemas: Any = description()["components"]
    assert schemas["schemas"]["PastMeeting"]["required"] == list(listed)
    assert schemas["schemas"]["RoomQuality"]["required"] == list(one["rooms"][0])


def test_hostile_titles_stay_text(province: Province) -> None:
    made = went(province, title=EVIL)
    for page in (Board().session(province, made, VI, NOW), Board().meetings(province, VI, NOW, [made.went()])):
        assert EVIL not in page
        assert "&lt;script&gt;" in page


def test_the_page_of_an_incident_leads_to_the_session_that_it_disturbed(province: Province) -> None:
    case = threatened(province.cut("phuong-phu-ly"), CUT)
    over = replace(case.meetings[0], begins=SESSION.begins, ends=SESSION.ends)
    province.cases[:] = [replace(case, meetings=(over, *case.meetings))]
    page = str(Board().incident(province, case.id, VI, NOW))
    assert f'href="{PAGE}"' in page
    assert 'href="/meetings/giao-ban"' in page


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (PAGE, 200), ("/meetings/giao-ban/2026-11-23T03:00:00Z", 200), ("/meetings/giao-ban/2026-11-23T10:01", 404),
        ("/meetings/giao-ban/x", 404), (f"{PAGE.replace('giao-ban', 'x')}", 404), (f"{PAGE}/rooms.csv", 200),
        ("/meetings/giao-ban/x/rooms.csv", 404), (f"/api/v1{PAGE}", 200), (f"/api/v1{PAGE}?lang=fr", 400),
        ("/api/v1/meetings/giao-ban/0001-01-01", 404), ("/api/v1/meetings?past=maybe", 400),
        ("/api/v1/meetings?past=true&limit=0", 400),
    ],
)  # fmt: skip
async def test_routes(http: aiohttp.ClientSession, province: Province, path: str, status: int) -> None:
    went(province)
    async with http.get(path) as response:
        assert response.status == status
