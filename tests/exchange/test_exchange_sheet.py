"""Tables as people fill them in, against what is written."""

from __future__ import annotations

import contextlib
import io
import random
import zipfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.exchange import csvfile, xlsx
from monitor.exchange.changes import Changes
from monitor.exchange.columns import rows, shown, tables
from monitor.exchange.exported import kept
from monitor.exchange.grid import Broken, Formula, Raw, Sheet, SheetError
from monitor.exchange.spreadsheet import as_csv, as_xlsx, made, read_csv, read_written, read_xlsx, taken_over
from monitor.exchange.written import Written, solved
from monitor.yamlfile import parse
from tests.exchange.small import SITES, TEMPLATES

ROOT = Path(__file__).parent.parent.parent


PROFILES = """\
profiles:
  gateway: {kind: gateway}
  backbone-router: {kind: router}
  tslcd-line: {kind: tslcd}
  router: {kind: router}
  switch: {kind: switch, label: {vi: Bộ chuyển mạch}}
  ups: {kind: ups}
"""
DATA = {Path("sites.yaml"): SITES.encode(), Path("templates.yaml"): (TEMPLATES + PROFILES).encode()}
WRITTEN = Written([parse(data, str(file)) for file, data in DATA.items()])


def sheets(written: Written = WRITTEN) -> list[Sheet]:
    """Both tables as they are given out."""
    return [
        Sheet("xa.xlsx", table.titles["vi"], {1: {at: column.headers["vi"] for at, column in enumerate(table.columns, 1)}} | {
            number: {at: shown(column, row[column.key]) for at, column in enumerate(table.columns, 1) if row[column.key] != ""}
            for number, row in enumerate(rows(written, table), 2)
        })
        for table in tables(written)
    ]  # fmt: skip


RECORD = Sheet("xa.xlsx", "Khi xuất", {number: {1: each} for number, each in enumerate(kept(WRITTEN), 1)})


def with_cell(heading: str, row: int, value: Raw | None) -> list[Sheet]:
    sites, devices = sheets()
    at = next(column for column, name in sites.rows[1].items() if name == heading)
    changed = {key: each for key, each in sites.rows.get(row, {}).items() if key != at}
    return [
        Sheet(sites.file, sites.name, {**sites.rows, row: changed | ({at: value} if value is not None else {})}),
        devices,
        RECORD,
    ]


MISTAKES: list[tuple[int, str, object, str]] = [
    (2, "Mã định danh", "Xã-A", "`Xã-A` is no id: small letters, digits and hyphens, such as `xa-a`"),
    (2, "Tên xã, phường", None, "must not be empty; such as `Xã Tân Thanh`"),
    (2, "Mã hành chính", 99, "`99` is shorter than other codes (5 digits): Excel may have taken leading zeros away; type it as text, such as `00099`"),
    (2, "Khu vực", Formula("=A1&B1"), "`=A1&B1` is a formula; paste it as a value (Paste Special → Values)"),
    (2, "Khu vực", "-", "`-` begins with `-`, which a spreadsheet takes for a formula; leave that out, and the cell empty where there is nothing to say"),
    (2, "Khu vực", "@SUM(1)", "`@SUM(1)` begins with `@`, which a spreadsheet takes for a formula; leave that out, and the cell empty where there is nothing to say"),
    (2, "Khu vực", "x" * 121, f"`{'x' * 59}…` is longer than 120 characters"),
    (2, "Người liên hệ", True, "`True` is true or false, and text is expected, such as `Nguyễn Văn An, Văn phòng UBND`"),
    (2, "Người liên hệ", Broken("#REF!"), "`#REF!` is an error of the spreadsheet; type the value"),
    (2, "Điện thoại", 912345678, "`912345678` is a number; format the cell as Text and type it again with its leading zeros, such as `0912345678`"),
    (2, "Vĩ độ", None, "write both latitude and longitude, or neither"),
    (2, "Vĩ độ", "91", "`91` is no angle in decimal degrees; such as `20.4512`"),
    (2, "Kinh độ", "20°27'", "`20°27'` is no angle in decimal degrees; such as `105.9233`"),
    (2, "Mẫu", "comune", "`comune` is not in the list; did you mean `commune`?"),
    (2, "tslcd – Nhà cung cấp", "VNTP", "`VNTP` is not in the list; did you mean `vnpt`?"),
    (2, "tslcd – Nhà cung cấp", None, "must not be empty; such as `vnpt`"),
    (2, "tslcd – Mã kênh", date(2026, 3, 1), "Excel made a date or time of it (2026-03-01); format the cell as Text and type it again, such as `NB-TSL-13444`"),
    (2, "tslcd – Địa chỉ IP", "10.65.1", "`10.65.1` is not an IP address; such as `10.65.17.2`"),
    (2, "tslcd – Băng thông (Mbps)", "20 MB/s", "`20 MB/s` is no bandwidth; write Mbit/s, or with its unit: 512 kbps, 20 Mbps, 1 Gbps"),
    (2, "tslcd – Băng thông (Mbps)", -3, "`-3` is no bandwidth; write Mbit/s, or with its unit: 512 kbps, 20 Mbps, 1 Gbps"),
    (2, "tslcd – Nối qua", "center/cor", "there is no `center/cor`; did you mean `center/core`?"),
    (2, "tslcd – Nối qua", "Trung tâm", "there is no `Trung tâm`; did you mean `center/gateway`, `center/core`?"),
    (3, "Mã định danh", "xa-a", "`xa-a` is in row 2 already; what is new needs an id of its own (a new site: none)"),
    (3, "Mã định danh", "xa-c", "the code `00456` is that of `xa-b`; is it wrong, or were only some of the columns sorted? If that site got another id, write `formerly` in the YAML"),
    (9, "Tên xã, phường", "Xã Á", "`Xã Á` is there already with the id `xa-a`; write that id, or another one if it is another site"),
    (9, "Tên xã, phường", "Xã Mới", "this row holds the name `Xã Mới` and no more; of a new site write its code and its lines, what is no site delete"),
    (2, "Vĩ độ", "105.9", "`105.9` is no Latitude; are latitude and longitude swapped?"),
    (2, "Điện thoại", "không rõ", "`không rõ`: leave the cell empty where there is nothing to say"),
    (2, "Điện thoại", "912 345 678", "`912 345 678` lacks its leading 0; such as `0912 345 678`"),
    (2, "Điện thoại", "gọi chị Hoa", "`gọi chị Hoa` is no telephone number; write digits, such as `0229 000 017`, and leave the cell empty where there is none"),
    (2, "Mã hành chính", "0012 3", "`0012 3` has another form than other codes (5 digits)"),
    (2, "Mã hành chính", "00456", "the code `00456` is that of `xa-b`; is it wrong, or were only some of the columns sorted? If that site got another id, write `formerly` in the YAML"),
    (9, "Tên xã, phường", "???", "must not be empty; such as `xa-tan-thanh`"),
    (1, "Mã hành chính", "Mã hành chinh xã", "no column is called `Mã hành chinh xã`; did you mean `Code`?"),
    (1, "Khu vực", "Vĩ độ", "the column `Vĩ độ` is in xa.xlsx: 'Xã, phường'!D1 already; delete one of the two"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "heading", "value", "message"), MISTAKES, ids=[f"{each[1]}-{each[2]}"[:40] for each in MISTAKES]
)
def test_each_mistake_is_told_with_its_cell_and_what_to_do(row: int, heading: str, value: Any, message: str) -> None:
    try:
        mistakes = taken_over(with_cell(heading, row, value), WRITTEN, into=None, remove=False).mistakes
    except SheetError as error:  # of headings
        mistakes = error.mistakes
    found = [each.text("en") for each in mistakes]
    assert message in [each.partition("'!")[2].partition(": ")[2] for each in found]
    assert all(each.text("vi") != each.text("en") for each in mistakes)


# -- what comes back as it went ------------------------------------------------------------------------------------------


def asked(found: list[Sheet], written: Written = WRITTEN, *, remove: bool = True) -> Changes:
    changes = taken_over(found, written, into=None, remove=remove)
    assert changes.mistakes == []
    return changes


def test_the_example_province_comes_back_as_it_went() -> None:
    written, _ = read_written(ROOT / "config" / "inventory")
    assert len(written.sites) > 150
    assert asked(read_xlsx(as_xlsx(written, "en"), "xa.xlsx"), written).edits == {}


TEXTS = st.one_of(
    st.sampled_from(["=1+1", "'=x", "''", "-", "+84 229", "@x", "0123", "1e5", "no", "a;b", 'a"b', "2026-01-02", "ĐT 1", ", ĐT 2", "x, ĐT 3 4", "{id}", "{{", "a  b"]),
    st.text(st.characters(exclude_categories=["C"], exclude_characters="\u2028\u2029{}"), max_size=20),
)  # fmt: skip
CIRCUITS = TEXTS.filter(str.strip)


@st.composite
def provinces(draw: st.DrawFn) -> Written:
    """Sites with any texts, of a template and without one."""
    sites = []
    for number in range(draw(st.integers(1, 3))):
        site: dict[str, Any] = {
            "id": f"xa-{number}",
            "name": draw(TEXTS) or "x",
            "code": draw(TEXTS),
            "area": draw(TEXTS),
            "contact": draw(TEXTS),
        }
        if draw(st.booleans()):
            site |= {"like": "commune", "vars": {"n": number, "tslcd": "vnpt"}}
        if draw(st.booleans()):
            bandwidth = draw(st.sampled_from(["512k", "2.5M", "10G", 64000, 1234567, "0.3k"]))
            link = {
                "profile": "tslcd-line",
                "provider": "vnpt",
                "circuit": draw(CIRCUITS),
                "bandwidth": bandwidth,
                "address": draw(st.sampled_from(["10.1.1.1", "2001:DB8::1"])),
            }
            site["links"] = {"tslcd": link, "two": link | {"behind": ["tslcd", "xa-0/x"], "address": "10.1.1.2"}}
        if draw(st.booleans()):
            site["location"] = draw(st.sampled_from([[20, 105], [-1.5e-05, 0.0], [20.123456789012, 105.1]]))
        sites.append(site)
    templates = parse((TEMPLATES + PROFILES).encode(), "templates.yaml")
    source = parse(b"", "sites.yaml")
    return Written([templates, type(source)("sites.yaml", {"sites": sites}, {}, {}, {})])


@settings(max_examples=50)
@given(provinces(), st.sampled_from(["vi", "en"]))
def test_any_texts_come_back_from_csv_as_they_went(written: Written, language: Any) -> None:
    for table in ("sites", "devices"):
        data = as_csv(written, table, language)
        assert asked(read_csv(data, "xa.csv", written, None), written, remove=False).edits == {}


@settings(max_examples=10)
@given(provinces())
def test_any_texts_come_back_from_a_workbook_as_they_went(written: Written) -> None:
    assert asked(read_xlsx(as_xlsx(written, "vi"), "xa.xlsx"), written).edits == {}


# -- what is asked for comes to be ---------------------------------------------------------------------------------------

WISHES: dict[str, Any] = {
    "name": ["Xã Mới", "no"], "code": ["00999", ""], "area": ["Huyện X", ""], "contact": ["An: Bé", ""], "phone": ["0912", ""],
    "like": ["commune"], "vars:n": ["7", "1"], "vars:tslcd": ["viettel"], "tslcd:provider": ["vnpt", "viettel"],
    "tslcd:circuit": ["T-00123", "0099", "x{y"], "tslcd:address": ["10.65.7.2", "10.65.1.2", ""], "tslcd:bandwidth": [20e6, 512e3, ""],
    "tslcd:behind": [("center/core",), ("center/gateway", "center/core"), ""],
}  # fmt: skip


@given(st.data(), st.sampled_from(["xa-a", "xa-b"]))
def test_what_the_cells_ask_for_is_what_the_files_have_then(data: st.DataObject, site: str) -> None:
    keys = data.draw(st.lists(st.sampled_from(sorted(set(WISHES) - {"like"})), min_size=1, max_size=4, unique=True))
    wishes = {key: data.draw(st.sampled_from(WISHES[key])) for key in keys}
    sites, devices = sheets()
    before = next(row for row in rows(WRITTEN, tables(WRITTEN)[0]) if row["id"] == site)
    wishes = {key: value for key, value in wishes.items() if value != before[key]}
    columns = {column.key: (at, column) for at, column in enumerate(tables(WRITTEN)[0].columns, 1)}
    number = next(number for number, row in sites.rows.items() if row[1] == site)
    cells = {columns[key][0]: shown(columns[key][1], value) for key, value in wishes.items()}
    row = {at: value for at, value in (dict(sites.rows[number]) | cells).items() if value != ""}
    files = made(asked([Sheet(sites.file, sites.name, {**sites.rows, number: row}), devices, RECORD]), WRITTEN, DATA)
    after = Written([parse({**DATA, **{each.file: each.after for each in files}}[file], str(file)) for file in DATA])
    now = next(row for row in rows(after, tables(WRITTEN)[0]) if row["id"] == site)
    assert {key: now[key] for key in wishes} == wishes
    if not any(key.startswith("vars") for key in wishes):  # by which others are made
        assert {key: value for key, value in now.items() if not key.startswith("vars")} == {
            key: value for key, value in (before | wishes).items() if not key.startswith("vars")
        }


@pytest.mark.parametrize(
    ("text", "value", "words"),
    [
        ("10.65.{n}.2", "10.65.17.2", {"n": "17"}),
        ("{pop}/router", "pop-1/router", {"pop": "pop-1"}),
        ("{code}-{n}", "13-7", {"n": "7"}),
        ("{n}.{n}", "3.3", {"n": "3"}),
        ("{n}.{n}", "3.4", {}),
        ("{{x}} {a b}", "{x} 1", {"a b": "1"}),
        ("10.1.1.1", "10.1.1.2", {}),
    ],
)
def test_words_of_a_template_are_told_by_what_it_shall_give(text: str, value: str, words: Mapping[str, str]) -> None:
    assert solved(text, value, {"code": "13"}) == words


# -- files that are none --------------------------------------------------------------------------------------------------


@given(st.binary(max_size=300))
@example(b"\xff\xfe" + "id;name\n".encode("utf-16-le") + b"\x00")
@example(b"id,name\n\x00,\x1b\n")
def test_any_bytes_are_a_sheet_or_refused(data: bytes) -> None:
    for read in (lambda: xlsx.read(data, "f"), lambda: [csvfile.read(data, "f", None, lambda _: 0)]):
        with contextlib.suppress(SheetError):
            for sheet in read():
                assert all(isinstance(key, int) for key in sheet.rows)


WORKBOOK = as_xlsx(WRITTEN, "vi")


@settings(max_examples=50)
@given(
    st.integers(0),
    st.sampled_from(["xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/styles.xml", "[Content_Types].xml"]),
)
def test_a_workbook_that_was_damaged_is_read_or_refused(seed: int, member: str) -> None:
    chance, out = random.Random(seed), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(WORKBOOK)) as archive, zipfile.ZipFile(out, "w") as damaged:
        for name in archive.namelist():
            data = bytearray(archive.read(name))
            if name == member:
                for _ in range(chance.randint(1, 4)):
                    at = chance.randrange(len(data))
                    data[at : at + chance.randint(0, 9)] = chance.choice(
                        [b"", b"9", b"<", b"&a;", b'"', b"\xff", data[:20]]
                    )
            damaged.writestr(name, bytes(data))
    with contextlib.suppress(SheetError):
        asked(read_xlsx(out.getvalue(), "xa.xlsx"))
