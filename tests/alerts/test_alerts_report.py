"""The report of a month: its figures, and how each format shows them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some
from openpyxl import load_workbook

from alerts.figures import hours
from alerts.plain import SHOWN, table_csv, text
from alerts.printed import MAX_ROWS, page
from alerts.report import TABLES, WORST, Form, Paper, Room, Table, Value, paper
from alerts.workbook import workbook
from monitor.core.account import Account, Entry, Outage
from monitor.core.ledger import ZERO, Member, Span, Totals, month_of
from monitor.core.model import Cause, Inventory, Role
from monitor.core.words import EN, VI, Words
from tests.alerts.sample import INCIDENT, NOW, inventory

HOUR = timedelta(hours=1)
MONTH = month_of(NOW)
WHOLE = MONTH.until - MONTH.since
NOON = datetime(2026, 11, 9, 5, 0, tzinfo=UTC)


def known(percent: float | None = 99.5, name: str = "Xã Kim Đông") -> Inventory:
    found = inventory(name)
    return replace(found, providers={"vnpt": replace(found.providers["vnpt"], promised_percent=percent)})


def outage(target: str, lasted: timedelta, began: datetime = NOON, **more: object) -> Outage:
    made = Outage(target=target, since=began, until=began + lasted, begun=True, ended=True)
    return replace(made, **more)  # type: ignore[arg-type]


def entry(target: str, *outages: Outage, since: datetime = MONTH.since, unknown: timedelta = ZERO) -> Entry:
    """A target that was well but for its outages."""
    site, kind = target.split("/")
    role = {"tslcd": Role.LINK, "website": Role.SERVICE}.get(kind, Role.DEVICE)
    down, power = (
        sum(some_of_it, ZERO) for some_of_it in ([o.lasted for o in outages], [o.power for o in outages])
    )  # fmt: skip
    return Entry(
        member=Member(
            target=target, role=role, kind=kind, provider="vnpt" if role is Role.LINK else "",
            commune="" if site == "center" else site, since=since,
        ),
        totals=Totals(up=WHOLE - down - unknown, down=down, power=power, unknown=unknown), outages=outages,
    )  # fmt: skip


def account(*entries: Entry, span: Span = MONTH) -> Account:
    return Account(
        asked=MONTH, span=span, entries=entries, incidents=[], watched=datetime(2026, 10, 1, tzinfo=UTC)
    )  # fmt: skip


CUT = outage("xa-kim-dong/tslcd", 5 * HOUR, incident=INCIDENT)
DARK = outage("phuong-phu-ly/tslcd", 9 * HOUR, power=9 * HOUR, incident=replace(INCIDENT, id="p", cause=Cause.POWER))
BLINK = outage("center/website", timedelta(seconds=2), MONTH.until - timedelta(seconds=2), ended=False)
SAMPLE = account(
    entry("xa-kim-dong/tslcd", CUT, unknown=10 * HOUR), entry("phuong-phu-ly/tslcd", DARK),
    entry("center/tslcd", since=NOON), entry("center/website", BLINK), entry("xa-kim-dong/router"),
)  # fmt: skip


def rows(table: Table) -> list[dict[str, Value]]:
    return [dict(zip((each.key for each in table.columns), row, strict=True)) for row in table.rows]


def picked(table: Table, *keys: str) -> list[tuple[Value, ...]]:
    return [tuple(each[key] for key in keys) for each in rows(table)]


# -- what it says --------------------------------------------------------------------------------------------------------


def test_the_first_page_says_what_it_is_about_and_what_is_not_known() -> None:
    made = paper(SAMPLE, known(), EN, ["VNPT"])
    assert made.title == "Availability in 11/2026"
    assert made.lead == (
        "From 00:00:00 01/11/2026 to 00:00:00 01/12/2026.",
        "Only of: VNPT.",
        "Watched since 07:00:00 01/10/2026.",
        "0.277 % of the time is unknown (the monitor did not run, or could not tell): it counts neither as up nor as down.",
    )
    assert [(each.label, each.value) for each in made.figures] == [
        ("Lines (3)", "99.348 %"), ("Communes (2)", "99.348 %"), ("Services (1)", "99.999 %"), ("Contracts met", "2/3"),
        ("Outages of lines", "2"), ("Mean time to repair", "7 h"),
    ]  # fmt: skip
    assert made.figures[4].below == "2 incidents; the longest 9 h"


def test_a_month_that_is_not_over_and_one_that_was_watched_in_part_say_so() -> None:
    part = replace(account(span=Span(MONTH.since, NOON)), watched=NOON - HOUR)
    assert paper(part, known(), VI).lead == (
        "Tháng chưa hết: số liệu từ 00:00:00 01/11/2026 đến 12:00:00 09/11/2026.",
        "Hệ thống giám sát từ 11:00:00 09/11/2026; trước đó không có số liệu.",
    )


def test_lines_are_held_against_their_contracts_and_providers_by_their_lines() -> None:
    made = paper(SAMPLE, known(), EN)
    hurt = rows(made.table("lines"))
    assert [(each["id"], each["verdict"]) for each in hurt] == [
        ("phuong-phu-ly/tslcd", "Met"), ("xa-kim-dong/tslcd", "Missed"), ("center/tslcd", "Met"),
    ]  # fmt: skip
    assert (hurt[0]["over"], hurt[0]["lost"], hurt[0]["power"]) == (None, 9 * HOUR, 9 * HOUR)
    allowed = (WHOLE - 10 * HOUR) * 0.005
    assert (hurt[1]["over"], hurt[1]["spare"]) == (
        pytest.approx(5 * HOUR - allowed, abs=timedelta(microseconds=2)),
        None,
    )
    assert hurt[2]["watched_since"] == NOON
    assert picked(made.table("providers"), "name", "lines", "promised", "met", "missed", "outages", "longest", "repair") == [
        ("VNPT Ninh Bình", 3, 0.995, 2, 1, 2, 9 * HOUR, 7 * HOUR)
    ]  # fmt: skip
    assert picked(made.table("providers"), "over") == [(hurt[1]["over"],)]


def test_each_provider_answers_for_the_time_in_which_it_delivered_a_line_and_no_other() -> None:
    """Charged to both, a line that changed hands would be claimed twice, and be no claim any more."""
    first = entry("xa-kim-dong/tslcd", CUT)
    later = replace(
        first, member=replace(first.member, provider="viettel", since=NOON), totals=Totals(up=HOUR), outages=()
    )
    found = known()
    viettel = replace(found.providers["vnpt"], id="viettel", name="Viettel", promised_percent=99.0)
    found = replace(found, providers={**found.providers, "viettel": viettel})
    made = paper(account(first, later), found, EN)
    assert picked(made.table("lines"), "provider", "circuit", "promised", "verdict", "watched_since") == [
        ("VNPT Ninh Bình", "C-1", 0.995, "Missed", None), ("Viettel", "", 0.99, "Met", NOON),
    ]  # fmt: skip
    assert picked(made.table("providers"), "id", "lines", "met", "missed") == [("vnpt", 1, 0, 1), ("viettel", 1, 1, 0)]
    assert [row[0] for row in picked(made.table("outages"), "provider")] == ["VNPT Ninh Bình"]
    alone = paper(account(first, later).only(lambda member: member.provider == "vnpt"), found, EN)
    assert alone.table("lines").rows[0] == made.table("lines").rows[0], "the report of one says the same of it"


def test_what_left_the_inventory_is_still_held_against_the_contract_of_its_provider() -> None:
    made = paper(account(entry("xa-moi/tslcd", outage("xa-moi/tslcd", 5 * HOUR))), known(), EN)
    assert picked(made.table("lines"), "name", "provider", "promised", "verdict") == [
        ("xa-moi/tslcd", "VNPT Ninh Bình", 0.995, "Missed")
    ]


def test_what_nothing_is_promised_or_known_of_is_neither_met_nor_missed() -> None:
    assert {each["verdict"] for each in rows(paper(SAMPLE, known(None), EN).table("lines"))} == {""}
    nothing = account(entry("center/tslcd", unknown=WHOLE))
    made = paper(nothing, known(), EN)
    assert picked(made.table("lines"), "availability", "verdict") == [(None, "No data")]
    assert picked(made.table("providers"), "met", "missed") == [(None, None)]
    assert made.worst.rows == ()


def test_outages_of_lines_and_services_tell_the_longest_first_and_why() -> None:
    late = outage("center/tslcd", HOUR, begun=False, ended=False, maintenance=HOUR)
    table = paper(account(*SAMPLE.entries, entry("center/tslcd", late)), known(), EN).table("outages")
    assert picked(table, "id", "lasted", "excused", "cause", "note", "incident") == [
        ("phuong-phu-ly/tslcd", 9 * HOUR, 9 * HOUR, "a power cut", "", "p"),
        ("xa-kim-dong/tslcd", 5 * HOUR, None, "the line", "", INCIDENT.id),
        ("center/tslcd", HOUR, HOUR, "announced work", "down already before, end not seen", ""),
        ("center/website", timedelta(seconds=2), None, "no incident", "not over", ""),
    ]


def test_the_first_page_has_the_worst_lines_that_were_down() -> None:
    many = [
        entry(f"xa-{number}/tslcd", outage(f"xa-{number}/tslcd", number * HOUR)) for number in range(1, WORST + 3)
    ]  # fmt: skip
    made = paper(account(*many, entry("center/tslcd"), entry("phuong-phu-ly/tslcd", DARK)), known(), EN).worst
    assert [row[0] for row in made.rows] == [f"xa-{number}/tslcd" for number in range(WORST + 2, 3, -1)], (
        "with one row for the provider there are WORST; what was without power is not worse for that"
    )


def test_the_first_page_says_what_it_comes_to_and_what_is_to_be_done() -> None:
    front = outage("center/tslcd", 9 * HOUR, incident=replace(INCIDENT, root="center/router"))
    late = outage("center/website", HOUR, MONTH.until - HOUR, ended=False)
    made = account(*SAMPLE.entries[:2], entry("center/tslcd", front), entry("center/website", late))
    assert paper(made, known(), EN).said == (
        "2 of 3 lines with a promise missed it.",
        "VNPT Ninh Bình: 2 of 3 down too long, by 6:51:00 together – to be claimed by contract. Sure of: 1, 1:24:00.",
        "The worst: TSLCĐ line – Trung tâm dữ liệu (VNPT Ninh Bình), down 9 h (outages: 1; power cuts and works not counted).",
        "Sites whose lines were out for want of power: 1, longest Phường Phủ Lý (9 h) – look after UPS and generators.",
        "Not over: Web site – Trung tâm dữ liệu.",
    )
    table = rows(paper(made, known(), EN).table("lines"))
    assert [(each["least"], each["elsewhere"]) for each in table if each["over"]] == [
        (None, 9 * HOUR), (CUT.lasted - WHOLE * 0.005, None),
    ]  # fmt: skip


def test_a_month_that_is_not_over_claims_nothing_and_one_without_promises_says_that_there_are_none() -> None:
    part = account(
        entry("xa-kim-dong/tslcd", outage("xa-kim-dong/tslcd", HOUR), unknown=WHOLE - 9 * HOUR),
        span=Span(MONTH.since, NOON),
    )
    assert paper(part, known(), VI).said[:2] == (
        "1 trong 1 đường truyền có cam kết không đạt.",
        "VNPT Ninh Bình: đến nay 1/1 đường ngừng quá mức cam kết, tổng 0:57:18; tháng chưa hết. Chưa đường nào chắc chắn.",
    )
    assert (
        paper(SAMPLE, known(None), EN).said[0]
        == "Lines without a promise in the inventory: 3; there is nothing to hold them against."
    )
    assert paper(account(entry("center/tslcd")), known(), VI).said == ("Mọi đường truyền có cam kết (1) đều đạt.",)


lengths_of = some.integers(0, 40)


@given(some.lists(some.tuples(lengths_of, lengths_of, some.booleans()), min_size=1, max_size=6))
def test_the_tables_of_a_report_agree_to_the_second(lines: list[tuple[int, int, bool]]) -> None:
    found = [
        entry(
            f"xa-{number}/tslcd",
            *(outage(f"xa-{number}/tslcd", each * HOUR, power=each * HOUR * dark) for each in lengths if each),
        )
        for number, (*lengths, dark) in enumerate(lines)
    ]
    made = paper(account(*found), known(), EN)

    def summed(table: str, key: str) -> timedelta:
        return sum((each for (each,) in picked(made.table(table), key) if isinstance(each, timedelta)), ZERO)

    for key in ("lost", "power", "up", "over"):
        assert summed("lines", key) == summed("providers", key)
    for key in ("lost", "power", "up"):
        assert summed("lines", key) == summed("communes", key)
    assert summed("lines", "lost") == summed("outages", "lasted")
    counted = csv.DictReader(io.StringIO(table_csv(made.table("lines"))))
    assert sum(float(each["lost_seconds"]) for each in counted) == summed("outages", "lasted").total_seconds()


# -- formats -------------------------------------------------------------------------------------------------------------

HOSTILE = '=HYPERLINK("http://evil.example")<script>\x07'


def made_of(name: str = "Xã Kim Đông", words: Words = VI, entries: Sequence[Entry] = SAMPLE.entries) -> Paper:
    return paper(account(*entries), known(name=name), words)


def test_the_workbook_has_values_that_a_spreadsheet_can_reckon_with() -> None:
    book = load_workbook(io.BytesIO(workbook(made_of(), VI)))
    assert book.sheetnames == [
        "Tóm tắt", "Nhà cung cấp so với cam kết", "Đường truyền", "Xã, phường", "Dịch vụ", "Các lần ngừng",
    ]  # fmt: skip
    assert book["Tóm tắt"]["A1"].value == "Báo cáo độ khả dụng tháng 11/2026"
    sheet = book["Đường truyền"]
    heads = {cell.value: cell.column_letter for cell in sheet[1]}
    line = {head: sheet[f"{letter}3"] for head, letter in heads.items()}
    assert (line["Khả dụng"].value, line["Khả dụng"].number_format) == (0.99295, "0.000%"), "cut off, not rounded"
    assert (line["Tổng thời gian ngừng"].value, line["Tổng thời gian ngừng"].number_format) == (
        5 * HOUR, '[>=0.0000058][h]:mm:ss;[=0]0:00:00;"0:00:01"'
    )  # fmt: skip
    assert (line["Số lần ngừng"].value, line["Kết quả"].value, line["Do mất điện"].value) == (1, "Không đạt", ZERO)
    assert sheet[f"{heads['Theo dõi từ']}4"].value == datetime(2026, 11, 9, 12, 0)  # noqa: DTZ001  as Excel has it
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("D2", f"A1:{sheet.dimensions.split(':')[1]}")
    assert (sheet.page_setup.orientation, sheet.print_title_rows) == ("landscape", "$1:$1")
    assert str(sheet.page_setup.paperSize) == sheet.PAPERSIZE_A4


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0, ""), (0.001, "0:00:01"), (1.4, "0:00:01"), (1171.013, "0:19:31"), (90059.5, "25:01:00")],
)
def test_a_length_is_written_as_a_spreadsheet_shows_it_but_a_blink_is_not_nothing(seconds: float, written: str) -> None:
    assert hours(timedelta(seconds=seconds)) == written


def test_what_was_out_for_a_blink_is_not_100_percent_anywhere() -> None:
    made = paper(account(entry("center/tslcd", outage("center/tslcd", timedelta(milliseconds=1)))), known(99.95), EN)
    (row,) = csv.DictReader(io.StringIO(table_csv(made.table("lines"))))
    assert (row["availability_percent"], row["promised_percent"], row["lost_seconds"]) == (
        "99.999999",
        "99.95",
        "0.001",
    )
    assert re.search(r"99\.999 %  99\.999 %  99\.950 %  Met +1  0:00:01", text(made, EN))
    sheet = load_workbook(io.BytesIO(workbook(made, EN)))["Lines"]
    assert sheet["F2"].value == 0.99999


@pytest.mark.parametrize("promised", [99.95, 99.9, 99.99, 99.995, 99.002, 95.0])
def test_a_promise_is_shown_as_it_was_written(promised: float) -> None:
    (row,) = csv.DictReader(
        io.StringIO(table_csv(paper(account(entry("center/tslcd")), known(promised), EN).table("lines")))
    )
    assert float(row["promised_percent"]) == promised


@pytest.mark.parametrize("words", [VI, EN])
def test_nothing_in_a_name_becomes_more_than_text(words: Words) -> None:
    made = made_of(HOSTILE, words)
    html = page(made, words)
    assert "&lt;script&gt;" in html
    assert "<script" not in html
    assert "\x07" not in html + text(made, words)
    for key in TABLES:
        for row in csv.reader(io.StringIO(table_csv(made.table(key)))):
            assert not any(each.startswith(("=", "+", "-", "@")) for each in row)
    for sheet in load_workbook(io.BytesIO(workbook(made, words))):
        assert all(cell.data_type != "f" for row in sheet for cell in row)


def test_the_page_holds_all_that_it_shows_in_itself() -> None:
    html = page(made_of(), VI)
    assert html.lstrip().startswith("<!DOCTYPE html>")
    assert not re.search(r"(src|href)=|url\(|@import|https?:", html)
    assert "@page { size: A4 landscape" in html
    headings = re.findall("<h2[^>]*>(.+)</h2>", html)
    assert headings == [
        "Nhà cung cấp so với cam kết", "Đường truyền kém nhất", "Đường truyền (3)", "Xã, phường (2)", "Dịch vụ (1)",
        "Các lần ngừng (3)",
    ]  # fmt: skip
    assert "99,295 %" in html
    assert "9:00:00" in html


@pytest.mark.parametrize(("words", "more"), [(VI, "và {} mục khác"), (EN, "and {} more")])
def test_what_does_not_fit_is_counted(words: Words, more: str) -> None:
    many = [entry(f"xa-{number}/tslcd") for number in range(MAX_ROWS + 7)]
    made = made_of(words=words, entries=many)
    assert more.format(7) in page(made, words)
    assert more.format(MAX_ROWS + 7 - SHOWN) in text(made, words)
    assert len(made.table("lines").rows) == MAX_ROWS + 7


def test_the_text_has_no_column_that_a_terminal_has_no_room_for() -> None:
    said = text(made_of(words=EN), EN)
    assert max(map(len, said.splitlines()[8:-1])) <= 132
    assert [each.split()[5:] for each in said.splitlines() if "Missed" in each and "%" in each] == [
        ["99.295", "%", "99.295", "%", "99.500", "%", "Missed", "1:27:00", "1", "5:00:00"]
    ]
    within = made_of().table("lines").within(Room.TERMINAL)
    assert {each.form for each in within.columns} == {Form.TEXT, Form.RATIO, Form.SPAN, Form.COUNT}


def test_a_report_of_nothing_is_made_in_each_format() -> None:
    empty = paper(account(), Inventory(sites={}, targets={}, providers={}), VI)
    assert "Báo cáo" in page(empty, VI)
    assert "BÁO CÁO" in text(empty, VI)
    assert load_workbook(io.BytesIO(workbook(empty, VI))).sheetnames == ["Tóm tắt"]
    assert table_csv(empty.table("lines")) == "\r\n"
