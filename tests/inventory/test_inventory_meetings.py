"""Meetings as they are written, in YAML and in calendars."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.model import Contact, Importance, Inventory, Meeting
from monitor.core.words import LOCAL
from monitor.inventory.ical import Event, parse_calendar
from monitor.inventory.load import load_inventory
from monitor.recording import fingerprint
from monitor.yamlfile import ConfigError, Problem

HERE = Path(__file__).parent
PROVINCE = """
profiles: {room: {kind: vc-endpoint, checks: {echo: {probe: icmp, interval: 1s, timeout: 1s}}}}
sites:
  - {id: xa-a, name: Xã A, area: North, code: '1', like: commune, vars: {n: 1},
     devices: {vc: {profile: room, address: 10.1.1.9}, vc-2: {profile: room, address: 10.1.1.10}}}
  - {id: xa-b, name: Xã B, area: South, code: '2', like: commune, vars: {n: 2}, devices: {vc: {profile: room, address: 10.1.2.9}}}
  - {id: hall, name: Hội trường, kind: data-center, devices: {vc: {profile: room, address: 10.9.0.9, behind: [home/gateway]}}}
"""
WEEKLY = "{id: weekly, title: Giao ban, start: 2026-11-30T08:00, for: 2h, repeat: FREQ=WEEKLY;BYDAY=MO, rooms: xa-b"
Load = Callable[..., Inventory]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Inventories of a small province with meetings, and calendars beside it."""
    shutil.copy(HERE / "good" / "base.yaml", tmp_path)

    def made(text: str, warnings: list[Problem] | None = None, **calendars: str | bytes) -> Inventory:
        (tmp_path / "more.yaml").write_text(PROVINCE + text, encoding="utf-8")
        for name, each in calendars.items():
            (tmp_path / f"{name}.ics").write_bytes(each if isinstance(each, bytes) else each.encode())
        return load_inventory(tmp_path, None, warnings)

    return made


def begins(meeting: Meeting, count: int = 4) -> list[str]:
    return [f"{each.begins.astimezone(LOCAL):%Y-%m-%d %H:%M}" for each in islice(meeting.sessions, count)]


def only(inventory: Inventory) -> Meeting:
    (found,) = inventory.meetings.values()
    return found


def told(load: Load, text: str, **calendars: str | bytes) -> str:
    with pytest.raises(ConfigError) as error:
        load(text, **calendars)
    return "\n".join(
        f"{Path(each.file).name}:{each.line}:{each.column}: {each.message}" for each in error.value.problems
    )


# -- YAML --------------------------------------------------------------------------------------------------------------


def test_a_meeting_in_a_line_has_what_is_usual(load: Load) -> None:
    found = only(load(f"meetings: [{WEEKLY}}}]"))
    assert (found.id, found.title, found.importance, found.owner) == ("weekly", "Giao ban", Importance.NORMAL, None)
    assert begins(found, 3) == ["2026-11-30 08:00", "2026-12-07 08:00", "2026-12-14 08:00"]
    first = next(iter(found.sessions))
    assert first.begins == datetime(2026, 11, 30, 1, tzinfo=UTC)
    assert first.ends - first.begins == timedelta(hours=2)
    assert found.reports == (timedelta(days=1), timedelta(hours=1), timedelta(minutes=15))


def test_days_on_which_it_is_not_held_are_left_out_each_time_anew(load: Load) -> None:
    found = only(load(f"meetings: [{WEEKLY}, except: [2026-12-07, 2026-12-21]}}]"))
    assert begins(found, 3) == begins(found, 3) == ["2026-11-30 08:00", "2026-12-14 08:00", "2026-12-28 08:00"]


@pytest.mark.parametrize(
    ("written", "rooms"),
    [
        ("xa-a", ("xa-a/vc", "xa-a/vc-2")),
        ("North", ("xa-a/vc", "xa-a/vc-2")),
        ("[xa-a/vc-2, South]", ("xa-a/vc-2", "xa-b/vc")),
        ("all communes", ("xa-a/vc", "xa-a/vc-2", "xa-b/vc")),
        ("[all communes, xa-a, hall, xa-b/router]", ("xa-a/vc", "xa-a/vc-2", "xa-b/vc", "hall/vc", "xa-b/router")),
    ],
)
def test_rooms_are_targets_sites_areas_or_all_communes_once_each(
    load: Load, written: str, rooms: tuple[str, ...]
) -> None:
    assert only(load(f"meetings: [{WEEKLY.replace('xa-b', written)}}}]")).rooms == rooms


def test_the_owner_and_when_the_rooms_are_told_of_are_written_beside_it(load: Load) -> None:
    more = "owner: {name: Văn phòng, email: vp@x.example, language: en}, reports: [15m, 1d, 15m], importance: high"
    found = only(load(f"meetings: [{WEEKLY}, {more}}}]"))
    assert found.owner == Contact(id="owner.weekly", name="Văn phòng", email="vp@x.example", language="en")
    assert found.reports == (timedelta(days=1), timedelta(minutes=15))
    assert found.importance is Importance.HIGH


def test_a_mistake_in_one_meeting_hides_none_in_another(load: Load) -> None:
    text = f"meetings:\n  - {WEEKLY.replace('xa-b', 'xa-x')}}}\n  - {{id: x, titel: y}}\n"
    assert "unknown key `titel`" in told(load, text)
    assert "no target, site or area" not in told(load, text), (
        "what is not there may be in the entry that is not in form"
    )


def test_what_decides_is_another_recording_with_other_meetings(load: Load) -> None:
    without = fingerprint(load(""))
    weekly = fingerprint(load(f"meetings: [{WEEKLY}}}]"))
    assert len({without, weekly, fingerprint(load(f"meetings: [{WEEKLY}, except: [2027-12-06]}}]"))}) == 3
    assert fingerprint(load(f"meetings: [{WEEKLY}, reports: []}}]")) == weekly


# -- calendars ---------------------------------------------------------------------------------------------------------


def event(*lines: str, uid: str = "1@x", start: str = "DTSTART:20261130T010000Z", end: str = "DURATION:PT2H") -> str:
    return "\r\n".join(("BEGIN:VEVENT", f"UID:{uid}", start, end, *lines, "END:VEVENT"))


def ics(*events: str) -> str:
    return "\r\n".join(("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//y", *events, "END:VCALENDAR")) + "\r\n"


CALENDAR = "calendars: [{file: cal.ics, importance: high, owner: {name: A, email: a@x.example}, reports: [30m], rooms: {Phòng họp  XÃ B: xa-b, r@x.example: hall}}]"


def test_an_event_that_names_a_room_is_a_meeting_with_what_the_calendar_says_of_all(load: Load) -> None:
    found = only(load(CALENDAR, cal=ics(event("SUMMARY:Giao ban Đảng uỷ", "LOCATION:phòng họp xã b"))))
    assert found.id.startswith("giao-ban-dang-uy-")
    assert (found.title, found.rooms, found.importance) == ("Giao ban Đảng uỷ", ("xa-b/vc",), Importance.HIGH)
    assert found.owner is not None
    assert (found.owner.email, found.reports) == ("a@x.example", (timedelta(minutes=30),))
    assert begins(found) == ["2026-11-30 08:00"]


@pytest.mark.parametrize(
    ("line", "rooms"),
    [
        ("LOCATION:Phòng họp xã B\\; Hội trường", ("xa-b/vc",)),
        ("LOCATION:hall", ("hall/vc",)),
        ("ATTENDEE;CUTYPE=ROOM;CN=x:mailto:R@x.example", ("hall/vc",)),
        ("ATTENDEE;CUTYPE=ROOM;CN=phòng họp xã b:mailto:q@x.example", ("xa-b/vc",)),
        ("ATTENDEE;CUTYPE=INDIVIDUAL:mailto:r@x.example", None),
        ("X-COMMUNE-MONITOR-ROOMS:all communes,hall/vc", ("xa-a/vc", "xa-a/vc-2", "xa-b/vc", "hall/vc")),
        ("RESOURCES:hall,beamer", ("hall/vc",)),
        ("LOCATION:nowhere", None),
        ("X-COMMUNE-MONITOR-ROOMS:al\r\n l communes", ("xa-a/vc", "xa-a/vc-2", "xa-b/vc")),
    ],
)
def test_rooms_are_named_in_several_ways(load: Load, line: str, rooms: tuple[str, ...] | None) -> None:
    found = load(CALENDAR, cal=ics(event(line))).meetings
    assert [each.rooms for each in found.values()] == ([] if rooms is None else [rooms])


def test_a_calendar_that_names_no_room_at_all_is_told_of_and_taken(load: Load) -> None:
    warnings: list[Problem] = []
    assert load(CALENDAR, warnings, cal=ics(event("LOCATION:Quán cà phê"))).meetings == {}
    assert ["names a room" in each.message for each in warnings if "cal.ics" in each.message] == [True]


@pytest.mark.parametrize(
    ("start", "more", "when"),
    [
        ("DTSTART:20261130T080000", (), ["2026-11-30 08:00"]),
        ("DTSTART;TZID=Asia/Ho_Chi_Minh:20261130T080000", (), ["2026-11-30 08:00"]),
        ("DTSTART;TZID=SE Asia Standard Time:20261130T080000", (), ["2026-11-30 08:00"]),
        ("DTSTART;TZID=Asia/Tokyo:20261130T100000", ("RRULE:FREQ=DAILY;COUNT=2",), ["2026-11-30 08:00", "2026-12-01 08:00"]),
        ("DTSTART:20261130T080000", ("RRULE:FREQ=DAILY;UNTIL=20261201",), ["2026-11-30 08:00", "2026-12-01 08:00"]),
        ("DTSTART:20261130T080000", ("RRULE:FREQ=DAILY;UNTIL=20261201T080000",), ["2026-11-30 08:00", "2026-12-01 08:00"]),
        (
            "DTSTART:20261130T080000",
            ("RRULE:FREQ=DAILY;COUNT=5", "EXDATE:20261201T080000,20261202T080000", "EXDATE:20261203T080000"),
            ["2026-11-30 08:00", "2026-12-04 08:00"],
        ),
        ("DTSTART:20261130T080000", ("RDATE:20261201T090000",), ["2026-11-30 08:00", "2026-12-01 09:00"]),
        (
            "DTSTART:20261130T080000",
            ("RRULE:FREQ=DAILY;COUNT=2", "RDATE:20261130T080000,20261201T080000,20261201T090000"),
            ["2026-11-30 08:00", "2026-12-01 08:00", "2026-12-01 09:00"],
        ),
    ],
)  # fmt: skip
def test_times_are_those_that_rfc_5545_gives_them(
    load: Load, start: str, more: tuple[str, ...], when: list[str]
) -> None:
    assert begins(only(load(CALENDAR, cal=ics(event("LOCATION:hall", *more, start=start))))) == when


def test_one_of_a_series_can_be_moved_and_another_called_off(load: Load) -> None:
    series = event("LOCATION:hall", "RRULE:FREQ=DAILY;COUNT=4", start="DTSTART:20261130T010000Z")
    moved = event(
        "RECURRENCE-ID:20261201T010000Z", "LOCATION:hall", start="DTSTART:20261201T030000Z", end="DURATION:PT1H"
    )
    off = event("RECURRENCE-ID:20261202T010000Z", "STATUS:CANCELLED", start="DTSTART:20261202T010000Z")
    found = only(load(CALENDAR, cal=ics(moved, series, off)))
    assert begins(found) == ["2026-11-30 08:00", "2026-12-01 10:00", "2026-12-03 08:00"]
    assert [each.ends - each.begins for each in found.sessions] == [timedelta(hours=hours) for hours in (2, 1, 2)]
    assert load(CALENDAR, cal=ics(event("LOCATION:hall", "STATUS:CANCELLED"))).meetings == {}


GOOD = event("LOCATION:hall")


@pytest.mark.parametrize(
    ("calendar", "says"),
    [
        ("", "cal.ics:1:1: nothing in it"),
        ("hello\n", "cal.ics:1:1: not a line of iCalendar: 'hello'"),
        ("SUMMARY:x\n", "cal.ics:1:1: an iCalendar file begins with BEGIN:VCALENDAR"),
        (ics(GOOD)[:90], "cal.ics:4:1: VEVENT begins here and does not end: the file is cut off"),
        (ics(GOOD) + ics(GOOD), "cal.ics:11:1: a second calendar begins here"),
        (ics("END:VEVENT"), "cal.ics:4:1: END:VEVENT, but VCALENDAR of line 1 is open"),
        (b"BEGIN:VCALENDAR\r\nX:\xff\r\nEND:VCALENDAR", "cal.ics:2:1: not UTF-8"),
        (ics(GOOD, event("LOCATION:hall", start="DTSTART:30/11/2026", uid="2")),
         "cal.ics:12:1: DTSTART is not in the form of RFC 5545"),
        (ics(event("LOCATION:hall", start="DTSTART;TZID=Mars/Olympus:20261130T080000")),
         "cal.ics:6:1: there is no time zone `Mars/Olympus`"),
        (ics(event("LOCATION:hall", "RRULE:FREQ=SECONDLY")),
         "cal.ics:9:1: a recurrence needs FREQ=DAILY, WEEKLY, MONTHLY or YEARLY (RFC 5545)"),
        (ics(event("LOCATION:hall", "RRULE:FREQ=DAILY", "RRULE:FREQ=WEEKLY")), "cal.ics:9:1: RRULE stands twice"),
        (ics(event("LOCATION:hall", end="DTEND:20261129T010000Z")), "cal.ics:7:1: ends before it begins"),
        (ics(event("LOCATION:hall", end="DTEND:20261230T010000Z")),
         "cal.ics:7:1: `1@x` must last longer than nothing, and at most 24h"),
        (ics("BEGIN:VEVENT\r\nUID:1\r\nLOCATION:hall\r\nEND:VEVENT"), "cal.ics:4:1: an event without DTSTART"),
        (ics("BEGIN:VEVENT\r\nDTSTART:20261130T010000Z\r\nEND:VEVENT"), "cal.ics:4:1: an event without UID"),
    ],
)  # fmt: skip
def test_a_broken_calendar_is_told_with_its_line(load: Load, calendar: str | bytes, says: str) -> None:
    assert told(load, CALENDAR, cal=calendar) == says


def test_events_that_name_no_room_may_be_as_odd_as_they_like(load: Load) -> None:
    odd = event("RRULE:FREQ=SECONDLY", "LOCATION:elsewhere", uid="2")
    assert len(load(CALENDAR, cal=ics(GOOD, odd)).meetings) == 1


BITS = st.sampled_from((
    b"BEGIN:VCALENDAR", b"END:VCALENDAR", b"BEGIN:VEVENT", b"END:VEVENT", b"UID:1", b"SUMMARY:\xc3\xa1", b"DTSTART:20261130T080000",
    b"DTSTART;VALUE=DATE:20261130", b"DTSTART:99999999T999999", b"DTEND:20261130T090000Z", b"DURATION:-P99999999D", b"DURATION:PT1H",
    b"RRULE:FREQ=DAILY;COUNT=9", b"RRULE:;;=", b"EXDATE:20261130", b"RDATE;VALUE=PERIOD:20261130T080000Z/PT1H", b"RDATE:x",
    b"RECURRENCE-ID;VALUE=DATE:20261130", b"LOCATION:hall", b"ATTENDEE;CUTYPE=ROOM:mailto:", b"BEGIN:VTIMEZONE", b"TZID:x",
    b"END:VTIMEZONE", b" folded", b"\xff", b"X;Y=\"", b"DTSTART;TZID=../../x:20261130T080000", b"", b"RESOURCES:a,b", b"CATEGORIES:,",
))  # fmt: skip


def events_or_mistakes(data: bytes) -> list[Event] | list[Problem]:
    try:
        return parse_calendar(data, "x.ics")
    except ConfigError as error:
        return error.problems


@settings(max_examples=150)
@given(st.one_of(st.binary(max_size=200), st.lists(BITS, max_size=25).map(b"\r\n".join)))
def test_any_bytes_are_events_or_one_clear_error(data: bytes) -> None:
    assert all(str(each) for each in events_or_mistakes(data))


@settings(max_examples=150)
@given(st.lists(BITS, max_size=12))
def test_any_lines_within_an_event_are_an_event_or_one_clear_error(lines: list[bytes]) -> None:
    data = b"\r\n".join((b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1", *lines, b"END:VEVENT\r\nEND:VCALENDAR\r\n"))
    for each in events_or_mistakes(data):
        assert not isinstance(each, Event) or each.lasts >= timedelta(0)
