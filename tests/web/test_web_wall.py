"""The wall has room when little is wrong: it tells what else matters, and no more than fits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.core.model import Importance, Meeting, Session, Silence, State, Threat, Window
from monitor.core.planned import Work
from monitor.core.readiness import Outlook, Readiness, Room
from monitor.web.board import Board
from monitor.web.glance import atlas_of
from monitor.web.view import TargetView
from monitor.web.wall import CARD, HEADING, LINE, MAX_FEW, ROOM, notes, quiet_since
from monitor.web.words import EN, VI
from tests.web.province import NOW, Province

HOUR = timedelta(hours=1)


@pytest.fixture
def busy(province: Province) -> Province:
    """Nothing is open, and there is more to tell of everything than fits."""
    case = province.cut("phuong-phu-ly")
    province.set_all(State.UP)
    province.cases = [replace(case, id=f"i-{n}", closed=NOW - n * HOUR) for n in range(1, 30)]
    province.quiet = [
        Silence(id=n, site="xa-kim-dong", begins=NOW, ends=NOW + HOUR, reason="Sửa nhà", by="Hoa") for n in range(9)
    ]
    province.planned = [
        Work(window=Window(begins=NOW + n * HOUR, ends=NOW + (n + 1) * HOUR, reason=f"Việc {n}"), targets=frozenset({"xa-kim-dong/ups"}))
        for n in (-0.5, -0.4, 3, 20, 30)
    ]  # fmt: skip
    return province


def test_all_that_is_told_fits_and_what_explains_trouble_comes_first(busy: Province) -> None:
    for cards in range(MAX_FEW + 1):
        told = notes(busy, atlas_of(busy.settings), cards, VI, NOW)
        assert cards * CARD + sum(HEADING + LINE * len(each.lines) for each in told) <= ROOM
        assert [each.heading for each in told] == ["works_now", "silenced_now", "closed", "works_soon"][
            : (4, 3, 2, 1)[cards]
        ]
    assert notes(busy, atlas_of(busy.settings), MAX_FEW + 1, VI, NOW) == []
    work, silences, closed, soon = notes(busy, atlas_of(busy.settings), 0, VI, NOW)
    assert (work.total, silences.total, closed.total, soon.total) == (2, 9, 29, 2), (
        "tomorrow's alone, not the day's after"
    )
    assert closed.lines[0].startswith("11:00 Phường Phủ Lý – ")
    assert soon.lines[0].endswith("từ 15:00, Việc 3")


def test_a_quiet_wall_says_since_when_it_is_so(busy: Province) -> None:
    assert quiet_since(busy) == NOW - HOUR
    assert "No incident since 11:00, for <time" in Board().wall(busy, EN, NOW)
    busy.held["xa-kim-dong/ups"] = TargetView(state=State.UNKNOWN)
    assert EN.page["none_since"] not in Board().wall(busy, EN, NOW), "it cannot know"
    busy.cases.append(replace(busy.cases[0], id="i-open", closed=None))
    assert quiet_since(busy) is None
    busy.cases.clear()
    assert quiet_since(busy) is None
    assert EN.page["none_seen"] in Board().wall(busy, EN, NOW)


def test_few_incidents_say_whom_to_call_and_whether_a_meeting_is_held_there(province: Province) -> None:
    case = province.cut("phuong-phu-ly")
    threat = Threat(
        meeting="m", title="Giao ban", importance=Importance.HIGH, begins=NOW - HOUR, ends=NOW + HOUR, rooms=()
    )
    province.cases[0] = replace(case, meetings=(threat,))
    page = Board().wall(province, VI, NOW)
    assert "☎ VNPT Ninh Bình: 1800 1260 (24/7) · C-phuong-phu-ly" in page
    assert "<strong>đang họp</strong>" in page
    province.cases += [replace(case, id=f"i-{n}") for n in range(MAX_FEW)]
    assert "☎" not in Board().wall(province, VI, NOW)


def test_a_meeting_says_that_it_runs_and_names_its_rooms_while_they_are_few(province: Province) -> None:
    rooms = tuple(
        Room(target=each, readiness=Readiness.NOT_READY, because="down")
        for each in province.settings.targets
        if each.endswith("/router")
    )
    session = Session(NOW - HOUR, NOW + HOUR, "m")
    meeting = Meeting(id="m", title="Giao ban", rooms=(), sessions=(session,))
    province.outlooks = [
        Outlook(meeting=meeting, session=session, rooms=(rooms[0], replace(rooms[1], readiness=Readiness.READY)))
    ]
    page = Board().wall(province, VI, NOW)
    assert "Đang họp: Giao ban" in page
    assert '<p class="rooms">Bộ định tuyến – Phường Phủ Lý</p>' in page
    province.outlooks = [replace(province.outlooks[0], rooms=rooms * 2)]
    assert '<p class="rooms">Bộ định tuyến' not in Board().wall(province, VI, NOW)


@pytest.mark.parametrize(("state", "named"), [(State.UNREACHABLE, 0), (State.UNKNOWN, 0), (State.DOWN, 3)])
def test_systems_that_one_thing_cuts_off_are_counted_and_those_that_fail_named(
    state: State, named: int, province: Province
) -> None:
    documents = province.settings.targets["centre/doc-management"]
    systems = {f"centre/{n}": replace(documents, id=f"centre/{n}", name=str(n)) for n in range(4)}
    province.settings = replace(province.settings, targets={**province.settings.targets, **systems})
    province.set_all(State.UP)
    province.held |= {each: TargetView(state=state) for each in systems}
    page = Board().wall(province, VI, NOW)
    assert page.count(f"{VI.name(documents)}: {VI.states[state]}") == named
    assert (f"4 hệ thống: {VI.states[state]}" in page) is not bool(named)
