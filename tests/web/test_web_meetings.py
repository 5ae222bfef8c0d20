"""Meetings on the board and in the API."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import aiohttp
import pytest

from monitor.core.model import Contact, Importance, Incident, Meeting, Reason, Session, Threat
from monitor.core.readiness import Outlook, Readiness, Room
from monitor.web.board import MAX_MEETINGS, Board
from monitor.web.meetings import outlook_of
from monitor.web.openapi import description
from monitor.web.words import EN, VI, Words, machine_time
from tests.web.province import NOW, Province

HOUR = timedelta(hours=1)
EVIL = "<script>alert(1)</script>"


def held(
    province: Province, *, starts: timedelta = HOUR, id_: str = "giao-ban", title: str = "Giao ban tuần"
) -> Outlook:
    """A meeting of the three communes: one is cut off, one has a bad line."""
    session = Session(NOW + starts, NOW + starts + 2 * HOUR, id_)
    communes = [each.id for each in province.settings.sites.values() if each.kind == "commune"]
    rooms = tuple(f"{site}/router" for site in communes)
    cut, lossy, well = rooms[0], rooms[1], rooms[2]
    line, other = cut.replace("router", "tslcd"), lossy.replace("router", "tslcd")
    made = Outlook(
        meeting=Meeting(
            id=id_, title=title, importance=Importance.HIGH, rooms=rooms, sessions=(session,),
            owner=Contact(id="owner.x", name="Chánh Văn phòng", email="vp@x.example"),
        ),
        session=session,
        rooms=(
            Room(target=cut, readiness=Readiness.NOT_READY, because="cut-off", of=line, reason=Reason.TIMEOUT, incident="i-1"),
            Room(target=lossy, readiness=Readiness.AT_RISK, because="bad-way", of=other, reason=Reason.LIMIT, says="loss"),
            Room(target=well),
        ),
    )  # fmt: skip
    province.outlooks.append(made)
    return made


def meeting_page(province: Province, meeting: str, words: Words) -> str:
    found = outlook_of(province, meeting)
    assert found is not None
    return Board().meeting(province, found, words, NOW)


def test_the_page_of_a_meeting_tells_the_worst_room_first_with_what_to_do_and_whom_to_call(province: Province) -> None:
    held(province)
    page = meeting_page(province, "giao-ban", VI)
    assert page is not None
    assert page.index("Chưa sẵn sàng") < page.index("mất gói nhiều") < page.index('class="chips"')
    for fact in (
        "13:00–15:00 24/11/2026", ">1 giờ</time>", "1 chưa sẵn sàng", "1 có nguy cơ", "1 sẵn sàng", "Chánh Văn phòng",
        "bị cắt do Đường TSLCĐ ngừng: không trả lời trong thời hạn", 'href="/incidents/i-1"', "tel:18001260", "C-phuong-phu-ly",
    ):  # fmt: skip
        assert fact in page, fact
    assert 'href="/sites/xa-kim-dong?lang=en"' in meeting_page(province, "giao-ban", EN)


def test_rooms_that_one_thing_cuts_off_are_told_of_once(province: Province) -> None:
    found = held(province)
    first, second, third = (each.target for each in found.rooms)
    cut = replace(found.rooms[0], of="center/gateway")
    province.outlooks[:] = [replace(found, rooms=(cut, replace(cut, target=second), replace(cut, target=third)))]
    page = meeting_page(province, "giao-ban", EN)
    assert page.count('class="card down"') == 1
    assert "Not ready (3)" in page
    assert page.count("Call: ") == 1
    assert all(f'href="/sites/{each.partition("/")[0]}?lang=en"' in page for each in (first, second, third))


def test_rooms_that_call_for_the_same_at_many_places_are_told_of_once_with_whom_to_call_at_each(
    province: Province,
) -> None:
    found = held(province)
    for number, each in enumerate(found.rooms):
        site = province.settings.sites[each.target.partition("/")[0]]
        contact = replace(site, contact=f"Bà Hoa, 0229 000 0{number}")
        province.settings = replace(province.settings, sites={**province.settings.sites, site.id: contact})
    unknown = [
        Room(target=each.target, readiness=Readiness.AT_RISK, because="unknown", of=each.target) for each in found.rooms
    ]
    province.outlooks[:] = [replace(found, rooms=tuple(unknown))]
    page = meeting_page(province, "giao-ban", EN)
    assert page.count('class="card degraded"') == 1
    assert [page.count(f"tel:02290000{number}") for number in range(3)] == [1, 1, 1]


async def test_what_serves_all_rooms_stands_apart_from_them_and_makes_the_meeting_as_bad_as_it_is(
    http: aiohttp.ClientSession, province: Province
) -> None:
    server = Room(
        target="centre/gateway", readiness=Readiness.NOT_READY, because="down", of="centre/gateway", reason=Reason.TIMEOUT, serves=True
    )  # fmt: skip
    found = held(province)
    rooms = tuple(Room(target=each.target) for each in found.rooms)
    province.outlooks[:] = [replace(found, rooms=rooms, servers=(server,))]
    page = meeting_page(province, "giao-ban", VI)
    assert '<section class="box down">' in page
    assert (
        page.index("<h2>Phục vụ mọi phòng</h2>")
        < page.index("mọi phòng họp đều cần, nhưng đang ngừng")
        < page.index("<h2>Phòng họp</h2>")
    )
    assert "3 sẵn sàng" in page
    assert "Phục vụ mọi phòng: " in Board().meetings(province, VI, NOW)
    async with http.get("/api/v1/meetings/giao-ban") as response:
        one = await response.json()
    assert (one["readiness"]["ready"], one["servers_readiness"]["not-ready"]) == (3, 1)
    assert [each["target"] for each in one["servers"]] == ["centre/gateway"]
    assert len(one["rooms"]) == 3


def test_a_meeting_that_runs_says_so(province: Province) -> None:
    held(province, starts=-HOUR)
    assert "<strong>đang họp</strong>" in Board().meetings(province, VI, NOW)
    assert "<strong>running now</strong>" in meeting_page(province, "giao-ban", EN)


def test_the_board_shows_the_next_few_and_links_to_the_rest(province: Province) -> None:
    assert "/meetings/" not in Board().overview(province, VI, NOW)
    for number in range(MAX_MEETINGS + 2):
        held(province, id_=f"m{number}")
    page = Board().overview(province, VI, NOW)
    assert page.count('href="/meetings/m') == MAX_MEETINGS
    assert 'href="/meetings"' in page
    assert Board().meetings(province, VI, NOW).count('href="/meetings/m') == MAX_MEETINGS + 2


def test_hostile_titles_stay_text(province: Province) -> None:
    made = held(province, title=EVIL)
    for page in (
        Board().overview(province, VI, NOW), Board().meetings(province, VI, NOW), meeting_page(province, made.meeting.id, VI),
    ):  # fmt: skip
        assert EVIL not in page
        assert "&lt;script&gt;" in page


def threatened(incident: Incident, *rooms: str, title: str = "Giao ban") -> Incident:
    threat = Threat(
        meeting="giao-ban", title=title, importance=Importance.HIGH, begins=NOW - HOUR, ends=NOW + HOUR, rooms=rooms
    )
    return replace(incident, meetings=(threat,))


def test_the_page_of_an_incident_names_the_meetings_that_it_threatens(province: Province) -> None:
    case = threatened(province.cut("phuong-phu-ly"), "phuong-phu-ly/router", "gone/room", *["x/y"] * 20, title=EVIL)
    province.cases[:] = [case]
    page = str(Board().incident(province, case.id, VI, NOW))
    assert 'href="/meetings/giao-ban"' in page
    assert "11:00–13:00 24/11/2026" in page
    assert "<strong>đang họp</strong>" in page
    assert "và còn nữa: 10" in page
    assert EVIL not in page


async def test_the_api_tells_what_the_description_promises(http: aiohttp.ClientSession, province: Province) -> None:
    made = held(province)
    province.cases[:] = [threatened(province.cut("phuong-phu-ly"), "phuong-phu-ly/router")]
    async with http.get("/api/v1/meetings") as response:
        (listed,) = (await response.json())["meetings"]
    async with http.get("/api/v1/meetings/giao-ban?lang=en") as response:
        one = await response.json()
    async with http.get("/api/v1/incidents") as response:
        ((threat,),) = [each["meetings"] for each in (await response.json())["incidents"]]
    assert listed["readiness"] == {"not-ready": 1, "at-risk": 1, "ready": 1}
    assert listed["begins"] == machine_time(made.session.begins)
    assert one["rooms"][0]["why"] == "cut off, for TSLCĐ line is down: no answer in time"
    assert threat["rooms"] == ["phuong-phu-ly/router"]
    schemas = description()["components"]["schemas"]  # type: ignore[index,call-overload]
    for name, answer in (("Meeting", listed), ("Room", one["rooms"][0]), ("Threat", threat)):
        assert schemas[name]["required"] == list(answer)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/meetings", 200), ("/meetings/giao-ban", 200), ("/meetings/x", 404), ("/api/v1/meetings/x", 404),
        ("/api/v1/meetings/giao-ban?lang=fr", 400), ("/api/v1/meetings?x=1", 400), ("/meetings/..%2F..%2Fetc", 404),
    ],
)  # fmt: skip
async def test_routes(http: aiohttp.ClientSession, province: Province, path: str, status: int) -> None:
    held(province)
    async with http.get(path) as response:
        assert response.status == status
