"""The commands `export …`, `import xlsx` and `import csv` as clerks and admins use them."""

from __future__ import annotations

import difflib
import io
import json
import shutil
import subprocess
import unicodedata
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from openpyxl import Workbook, load_workbook

from monitor.cli import main
from monitor.commands import sheets
from monitor.exchange import csvfile, grid, xlsx
from tests.exchange.small import SITES, TEMPLATES

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return province(tmp_path)


def province(tmp_path: Path) -> Path:
    """A small one."""
    inventory = tmp_path / "inventory"
    inventory.mkdir()
    shutil.copy(ROOT / "config" / "inventory" / "profiles.yaml", inventory)
    shutil.copy(ROOT / "config" / "settings.yaml", tmp_path)
    (tmp_path / "contacts.yaml").write_text("contacts: {a: {name: A, email: a@noc.example}}")
    (inventory / "templates.yaml").write_text(TEMPLATES, encoding="utf-8")
    (inventory / "sites.yaml").write_text(SITES, encoding="utf-8")
    return tmp_path


def run(folder: Path, *command: str) -> Result:
    return CliRunner().invoke(main, [*command, "--settings", str(folder / "settings.yaml")])


def held(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in (folder / "inventory").iterdir()}


def exported(folder: Path) -> Path:
    file = folder / "xa.xlsx"
    assert run(folder, "export", "xlsx", str(file)).exit_code == 0
    return file


@pytest.fixture(scope="module")
def given_out(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The workbook of the small province."""
    return exported(province(tmp_path_factory.mktemp("province"))).read_bytes()


def filled(
    folder: Path, given_out: bytes, fill: Callable[[Any, Any, Mapping[str, int], Mapping[str, int]], None]
) -> Path:
    """The exported workbook after somebody has worked on it: sites, devices, and where their columns are."""
    file = folder / "xa.xlsx"
    book = load_workbook(io.BytesIO(given_out))
    both = [book["Xã, phường"], book["Thiết bị"]]
    fill(*both, *({cell.value.removesuffix(" *"): cell.column for cell in each[1]} for each in both))
    book.save(file)
    return file


def lines(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> list[str]:
    """What came and went in `sites.yaml`, where nothing else may have changed."""
    assert {**before, "sites.yaml": b""} == {**after, "sites.yaml": b""}
    both = (each["sites.yaml"].decode().splitlines() for each in (before, after))
    return [each for each in difflib.unified_diff(*both, n=0, lineterm="") if not each.startswith(("---", "+++", "@@"))]


# -- the sheet that is given out -----------------------------------------------------------------------------------------


def test_the_workbook_helps_whoever_fills_it_in(folder: Path) -> None:
    book = load_workbook(exported(folder))
    assert book.sheetnames == ["Xã, phường", "Thiết bị", "Hướng dẫn", "Danh mục", "Khi xuất"]
    sites, devices = book["Xã, phường"], book["Thiết bị"]
    assert (sites.freeze_panes, book["Danh mục"].sheet_state) == ("C2", "hidden")
    head = {cell.value: cell for cell in sites[1]}
    assert "0229 000 017" in head["Điện thoại"].comment.text
    code = sites.cell(2, head["Mã hành chính"].column)
    assert (code.value, code.data_type, code.number_format) == ("00123", "s", "@")
    assert sites.column_dimensions[head["Mã hành chính"].column_letter].number_format == "@"
    chosen = {
        str(each.sqref): each.formula1 for sheet in (sites, devices) for each in sheet.data_validations.dataValidation
    }
    provider = head["Đường truyền TSLCĐ – Nhà cung cấp"].column_letter
    assert chosen[f"{provider}2:{provider}504"] == "'Danh mục'!$A$2:$A$3"
    assert [cell.value for cell in book["Danh mục"]["A"]][:3] == ["providers", "viettel", "vnpt"]
    profiles = [cell.value for cell in book["Danh mục"]["B"]]
    assert "switch" in profiles
    assert "tslcd-line" not in profiles
    assert sites.column_dimensions[head["Tham số n"].column_letter].hidden
    assert [each.value for each in devices[4]] == ["xa-a", "ups", "ups", "10.64.1.3", None]


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize(
    "form", [("xlsx",), ("csv",), ("csv", "--table", "devices")], ids=["xlsx", "csv", "csv of devices"]
)
def test_what_comes_back_as_it_went_changes_nothing(folder: Path, form: tuple[str, ...], language: str) -> None:
    file, before = folder / f"xa.{form[0]}", held(folder)
    assert run(folder, "export", form[0], str(file), "--lang", language, *form[1:]).exit_code == 0
    said = run(folder, "import", form[0], str(file), "--lang", "en", "--write", "--remove")
    assert said.output.splitlines()[0 if form == ("xlsx",) else 1 :] == ["Nothing changes."]
    assert said.exit_code == 0
    assert held(folder) == before


# -- the sheet as it comes back ------------------------------------------------------------------------------------------


def test_only_what_a_clerk_changed_is_written_where_it_stands(folder: Path, given_out: bytes) -> None:
    def fill(sites: Any, devices: Any, at: Mapping[str, int], _: Mapping[str, int]) -> None:
        sites.cell(2, at["Tên xã, phường"]).value = unicodedata.normalize("NFD", " Xã\u00a0Á\u200b ")
        sites.cell(2, at["Mã hành chính"]).value = 123  # as Excel makes of 00123
        sites.cell(2, at["Điện thoại"]).value = "0912 345 678"
        sites.cell(2, at["Kinh độ"]).value = "105,95"
        sites.cell(2, at["Đường truyền TSLCĐ – Nhà cung cấp"]).value = "Viettel"
        sites.cell(2, at["Đường truyền TSLCĐ – Băng thông (Mbps)"]).value = "50 Mbps"
        sites.cell(3, at["Đường truyền TSLCĐ – Mã kênh"]).value = "T-00456"
        devices.append(["Xã  A\u0301", "switch-2", "Bộ chuyển mạch", "10.64.1.9", "switch"])
        devices.append([123, "no", "switch", "10.64.1.10"])

    file, before = filled(folder, given_out, fill), held(folder)
    preview = run(folder, "import", "xlsx", str(file), "--lang", "en")
    assert preview.exit_code == 1
    assert preview.stderr.splitlines()[0] == "xa.xlsx: 'Thiết bị'!A10: no site is `123`; did you mean `xa-a`?"
    sheet = load_workbook(file)
    sheet["Thiết bị"]["A10"].value = "00123"
    sheet.save(file)
    preview = run(folder, "import", "xlsx", str(file), "--lang", "en")
    assert (preview.stderr, preview.exit_code) == ("", 0)
    assert "+ targets (2): xa-a/switch-2, xa-a/no" in preview.stdout
    assert preview.stdout.endswith("nothing is written: say --write\n")
    assert held(folder) == before
    assert run(folder, "import", "xlsx", str(file), "--write").exit_code == 0
    assert lines(before, held(folder)) == [
        "-    location: [20.50, 105.9]",
        "-    contact: Trần An, ĐT 0229 000 001",
        "-    vars: {n: 1, tslcd: vnpt}  # its words",
        "+    location: [20.5, 105.95]",
        "+    contact: Trần An, ĐT 0912 345 678",
        "+    vars: {n: 1, tslcd: viettel}  # its words",
        "+      switch-2: {profile: switch, address: 10.64.1.9, behind: [switch]}",
        "+      'no': {profile: switch, address: 10.64.1.10}",
        "+    links:",
        "+      tslcd: {bandwidth: 50M}",
        "-  - {id: xa-b, like: commune, name: Xã Bé, code: '00456', vars: {n: 2, tslcd: viettel}, links: {tslcd: {circuit: '0099'}}}",
        "+  - {id: xa-b, like: commune, name: Xã Bé, code: '00456', vars: {n: 2, tslcd: viettel}}",
    ]
    again = run(folder, "import", "xlsx", str(exported(folder)), "--lang", "en")
    assert again.output == "Nothing changes.\n"


def test_a_new_commune_needs_no_words_of_the_template_where_its_addresses_tell_them(
    folder: Path, given_out: bytes
) -> None:
    def fill(sites: Any, devices: Any, at: Mapping[str, int], _: Mapping[str, int]) -> None:
        row = {
            "Tên xã, phường": "Xã Đông Đô",
            "Mã hành chính": "00789",
            "Đường truyền TSLCĐ – Nhà cung cấp": "VNPT",
            "Đường truyền TSLCĐ – Mã kênh": "X: 1",
        }
        for heading, value in row.items():
            sites.cell(9, at[heading]).value = value
        devices.append(["Xã Đông Đô", "router", "router", "10.64.33.1"])
        devices.append(["xa-dong-do", "switch-2", "switch", "10.64.33.9", "switch; xa-dong-do/router"])

    file, before = filled(folder, given_out, fill), held(folder)
    said = run(folder, "import", "xlsx", str(file), "--write", "--into", str(folder / "inventory" / "new.yaml"))
    assert (said.stderr, said.exit_code) == ("", 0)
    after = held(folder)
    assert (
        after.pop("new.yaml").decode()
        == """\
# yaml-language-server: $schema=../schema/inventory.json
sites:
  - id: xa-dong-do
    like: commune
    name: Xã Đông Đô
    code: '00789'
    vars: {n: 33, tslcd: vnpt}
    links:
      tslcd: {circuit: 'X: 1'}
    devices:
      switch-2: {profile: switch, address: 10.64.33.9, behind: [switch, xa-dong-do/router]}
"""
    )
    assert after == before


def test_columns_may_stand_elsewhere_with_others_between_a_title_above_and_cells_merged(
    folder: Path, given_out: bytes
) -> None:
    def fill(sites: Any, devices: Any, at: Mapping[str, int], _: Mapping[str, int]) -> None:
        for column in range(1, sites.max_column + 1):
            sites.cell(1, column).comment = None
        sites.move_range(f"A1:{sites.cell(1, sites.max_column).column_letter}{sites.max_row}", rows=3, cols=2)
        sites["A1"].value = "DANH SÁCH XÃ, PHƯỜNG (cập nhật tháng 11)"
        sites.merge_cells("A1:H1")
        sites["A4"].value = "STT"
        area = sites.cell(4, at["Khu vực"] + 2)
        sites.cell(5, area.column).value = "Thành phố Hoa Lư"
        sites.merge_cells(start_row=5, end_row=6, start_column=area.column, end_column=area.column)

    said = run(folder, "import", "xlsx", str(filled(folder, given_out, fill)), "--lang", "en")
    assert (said.stderr, said.exit_code) == ("", 0)
    assert said.stdout.startswith(
        "xa.xlsx: columns that are not read: `STT`\n"
        "xa.xlsx: 'Xã, phường'!F5: no site has the area `Thành phố Hoa Lư` yet\n"
        "xa.xlsx: 'Xã, phường'!F6: no site has the area `Thành phố Hoa Lư` yet\n"
        "~ sites (1): xa-a\n"
    )
    assert said.stdout.count("→ Thành phố Hoa Lư") == 2


def test_a_row_that_is_not_there_takes_away_nothing_unless_that_is_asked_for(folder: Path, given_out: bytes) -> None:
    def fill(sites: Any, devices: Any, at: Mapping[str, int], _: Mapping[str, int]) -> None:
        sites.delete_rows(3)
        for heading, column in at.items():
            if heading.startswith("Đường truyền"):
                sites.cell(2, column).value = " "
        devices.delete_rows(3, 4)

    file, before = filled(folder, given_out, fill), held(folder)
    said = run(folder, "import", "xlsx", str(file), "--lang", "en", "--write")
    assert said.output.splitlines() == [
        "xa.xlsx: 1 sites are not in the sheet, and stay: `xa-b` (--remove takes them out)",
        "xa.xlsx: 1 lines are empty in the sheet, and stay: `xa-a/tslcd` (--remove takes them out)",
        "xa.xlsx: 4 devices are not in the sheet, and stay: `xa-a/switch`, `xa-a/ups`, `xa-b/router`, `xa-b/switch` (--remove takes them out)",
        "Nothing changes.",
    ]
    assert held(folder) == before
    assert run(folder, "import", "xlsx", str(file), "--write", "--remove").exit_code == 0
    assert lines(before, held(folder)) == [
        "-      ups: {profile: ups, address: 10.64.1.3}",
        "+      switch: null",
        "+    links: {tslcd: null}",
        "-  - {id: xa-b, like: commune, name: Xã Bé, code: '00456', vars: {n: 2, tslcd: viettel}, links: {tslcd: {circuit: '0099'}}}",
    ]


def test_all_mistakes_are_told_at_once_in_vietnamese_for_whoever_filled_it_in(folder: Path, given_out: bytes) -> None:
    def fill(sites: Any, devices: Any, at: Mapping[str, int], _: Mapping[str, int]) -> None:
        sites.cell(2, at["Đường truyền TSLCĐ – Băng thông (Mbps)"]).value = "nhanh"
        sites.cell(9, at["Tên xã, phường"]).value = "Xã Mới"
        sites.cell(9, at["Đường truyền TSLCĐ – Nhà cung cấp"]).value = "vnpt"
        devices.cell(3, 4).value = "10.64.1"
        devices.cell(4, 4).value = "10.99.1.1"
        devices.cell(5, 4).value = None
        devices.append(["xa-a", "Camera", "camra"])
        devices.append(["xa-b", "switch-2", "switch", "10.64.2.2"])
        devices.append(["xa-b", "line", "tslcd-line", "10.64.2.9"])

    said = run(folder, "import", "xlsx", str(filled(folder, given_out, fill)))
    assert said.stderr.splitlines() == [
        "xa.xlsx: 'Xã, phường'!M2: `nhanh` không phải là băng thông; ghi số Mbps, hoặc kèm đơn vị: 512 kbps, 20 Mbps, 1 Gbps",
        "xa.xlsx: 'Xã, phường'!C9: không được để trống, vì mẫu `commune` dùng để đặt `T-{code}`; ví dụ `13444`",
        "xa.xlsx: 'Xã, phường'!L9: mẫu `commune` cần `{n}` mà không ô nào cho biết; hãy điền cột `Đường truyền TSLCĐ – Địa chỉ IP`, ví dụ `10.65.1.2`",
        "xa.xlsx: 'Thiết bị'!D3: `10.64.1` không phải là địa chỉ IP; ví dụ `10.64.17.4`",
        "xa.xlsx: 'Thiết bị'!D4: 10.99.1.1 nằm ngoài mạng của địa điểm (10.64.1.0/24); hãy sửa địa chỉ, hoặc khai báo mạng này ở `networks` của địa điểm trong YAML",
        "xa.xlsx: 'Thiết bị'!D5: loại `router` cần có địa chỉ IP; hãy điền địa chỉ",
        "xa.xlsx: 'Thiết bị'!B9: `Camera` không dùng làm mã được: chỉ chữ thường không dấu, số và gạch ngang, ví dụ `camera`",
        "xa.xlsx: 'Thiết bị'!D10: địa chỉ 10.64.2.2 đã thuộc về `xa-b/switch`; mỗi bên phải có địa chỉ riêng",
        "xa.xlsx: 'Thiết bị'!C11: `tslcd-line` không có trong danh sách; có: `backbone-router`, `digital-signature`, `doc-management`, `gateway`, `internet-line`, `lgsp`, `name-server`, `national-database`, `official-mail`, `procedure-system`, `public-portal`, `router`, …",
        "không có gì được ghi",
    ]


def test_what_only_the_whole_inventory_shows_is_told_at_the_cell_that_asked_for_it(
    folder: Path, given_out: bytes
) -> None:
    def fill(sites: Any, devices: Any, at: Mapping[str, int], _: Mapping[str, int]) -> None:
        devices.cell(4, 4).value = "10.99.1.1"
        devices.append(["xa-b", "switch-2", "switch", "10.64.2.2"])

    before = held(folder)
    said = run(folder, "import", "xlsx", str(filled(folder, given_out, fill)), "--lang", "en", "--write")
    assert said.stderr.splitlines()[0] == (
        "xa.xlsx: 'Thiết bị'!D4: 10.99.1.1 is outside of the site's networks (10.64.1.0/24); "
        "mend the address, or name its network in `networks` of the site"
    )
    assert said.stderr.splitlines()[1] == (
        "xa.xlsx: 'Thiết bị'!D9: address 10.64.2.2 already belongs to xa-b/switch; give one of the two its own"
    )
    assert held(folder) == before


def test_what_a_new_commune_gets_that_nobody_wrote_is_told(folder: Path, given_out: bytes) -> None:
    def fill(sites: Any, devices: Any, at: Mapping[str, int], _: Mapping[str, int]) -> None:
        row = {"Tên xã, phường": "Xã Đông Đô", "Mã hành chính": "00789", "Đường truyền TSLCĐ – Nhà cung cấp": "VNPT"}
        for heading, value in row.items():
            sites.cell(9, at[heading]).value = value
        devices.append(["Xã Đông Đô", "router", "router", "10.64.33.1"])

    said = run(folder, "import", "xlsx", str(filled(folder, given_out, fill)))
    assert said.stdout.splitlines()[:3] == [
        "xa.xlsx: 'Xã, phường'!A9: địa điểm mới `xa-dong-do`, theo mẫu `commune`",
        "xa.xlsx: 'Xã, phường'!A9: `xa-dong-do`, suy ra từ các ô khác: `n = 33`, `tslcd = vnpt`",
        "xa.xlsx: 'Xã, phường'!A9: `xa-dong-do`, không ai ghi nên lấy theo mẫu, hãy kiểm tra lại: "
        "`Đường truyền TSLCĐ – Mã kênh: T-00789`, `Đường truyền TSLCĐ – Địa chỉ IP: 10.65.33.2`, "
        "`Đường truyền TSLCĐ – Băng thông (Mbps): 20`, `Đường truyền TSLCĐ – Nối qua: center/core`, `switch: 10.64.33.2`",
    ]
    assert (said.stderr, said.exit_code) == ("", 0)


def test_a_row_that_was_copied_from_a_neighbour_is_told_of_what_is_still_the_neighbours(
    folder: Path, given_out: bytes
) -> None:
    def fill(sites: Any, devices: Any, at: Mapping[str, int], _: Mapping[str, int]) -> None:
        for cell in sites[2]:
            sites.cell(9, cell.column).value = cell.value
        row = {"Mã định danh": None, "Tên xã, phường": "Xã Mới", "Mã hành chính": "00789"}
        for heading, value in {**row, "Đường truyền TSLCĐ – Địa chỉ IP": "10.65.9.2"}.items():
            sites.cell(9, at[heading]).value = value

    said = run(folder, "import", "xlsx", str(filled(folder, given_out, fill)), "--lang", "en")
    assert (
        "xa.xlsx: 'Xã, phường'!O9: `1` contradicts xa.xlsx: 'Xã, phường'!L9 (`n = 9`), which is taken\n" in said.stdout
    )
    assert "xa.xlsx: 'Xã, phường'!K9: the circuit `T-00123` is already that of `xa-a/tslcd`; " in said.stdout
    assert (said.stderr, said.exit_code) == ("", 0)


def test_rows_that_are_no_sites_are_left_out_or_told_once(folder: Path, given_out: bytes) -> None:
    def fill(sites: Any, devices: Any, at: Mapping[str, int], _: Mapping[str, int]) -> None:
        for cell in sites[1]:
            sites.cell(9, cell.column).value = cell.value
        sites.cell(10, at["Tên xã, phường"]).value = "Tổng cộng: 2 xã"
        sites.cell(11, 1).value = "Số liệu tháng 11"
        sites.merge_cells("A11:H11")

    said = run(folder, "import", "xlsx", str(filled(folder, given_out, fill)))
    assert said.stderr.splitlines() == [
        "xa.xlsx: 'Xã, phường'!B10: dòng này chỉ có tên `Tổng cộng: 2 xã`; xã mới thì hãy điền mã hành chính và các đường truyền, "
        "không phải xã thì hãy xóa dòng",
        "không có gì được ghi",
    ]


def test_people_may_call_equipment_as_they_do(folder: Path, given_out: bytes) -> None:
    def fill(sites: Any, devices: Any, at: Mapping[str, int], _: Mapping[str, int]) -> None:
        devices.append(["Xã Á", "wifi", "Wi-Fi", "10.64.1.30/24", "switch"])
        devices.append(["xã á", "sw", "SWITCH", "10.64.1.31", "switch"])

    (folder / "inventory" / "more.yaml").write_text(
        "profiles: {access-point: {kind: access-point, fits: {descriptions: [AP]}, checks: {echo: {probe: icmp}}}}"
    )
    said = run(folder, "import", "xlsx", str(filled(folder, given_out, fill)), "--write")
    assert (said.stderr, said.exit_code) == ("", 0)
    after = held(folder)["sites.yaml"].decode()
    assert "      wifi: {profile: access-point, address: 10.64.1.30, behind: [switch]}\n" in after
    assert "      sw: {profile: switch, address: 10.64.1.31, behind: [switch]}\n" in after


def test_a_workbook_with_the_headings_of_before_is_taken(folder: Path, given_out: bytes) -> None:
    def fill(sites: Any, devices: Any, at: Mapping[str, int], _: Mapping[str, int]) -> None:
        for cell in sites[1]:
            cell.value = cell.value.replace("Đường truyền TSLCĐ – ", "tslcd: ")
        sites.cell(2, at["Đường truyền TSLCĐ – Mã kênh"]).value = "T-7"

    said = run(folder, "import", "xlsx", str(filled(folder, given_out, fill)), "--lang", "en")
    assert "    circuit: T-00123 → T-7\n" in said.stdout
    assert said.exit_code == 0


def test_lines_are_called_by_their_names_too_where_several_are_of_one_kind(folder: Path) -> None:
    file = folder / "inventory" / "sites.yaml"
    second = "{profile: tslcd-line, provider: vnpt, circuit: '0100', address: 10.65.2.6}"
    file.write_text(SITES.replace("circuit: '0099'}", f"circuit: '0099'}}, spare: {second}"), encoding="utf-8")
    sheet = load_workbook(exported(folder))["Xã, phường"]
    head = [cell.value for cell in sheet[1]]
    assert sheet.row_dimensions[1].height >= 3 * 15, (
        "how the columns of a line differ stands in the third line of a heading"
    )
    assert "Đường truyền TSLCĐ (tslcd) – Mã kênh" in head
    assert "Đường truyền TSLCĐ (spare) – Mã kênh" in head


def test_neither_a_name_nor_a_cell_becomes_a_formula(folder: Path) -> None:
    file = folder / "inventory" / "sites.yaml"
    file.write_text(
        SITES.replace('"Xã Á"', "\"=cmd|' /C calc'!A0\"").replace("Huyện Bình Lục", "'@SUM(1)'"), encoding="utf-8"
    )
    before = held(folder)
    cells = [cell for row in load_workbook(exported(folder))["Xã, phường"].iter_rows() for cell in row]
    assert not any(cell.data_type == "f" for cell in cells)
    assert "=cmd|' /C calc'!A0" in {cell.value for cell in cells}
    assert run(folder, "export", "csv", str(folder / "xa.csv")).exit_code == 0
    assert ",'=cmd|' /C calc'!A0,00123,'@SUM(1)," in (folder / "xa.csv").read_text(encoding="utf-8-sig")
    for form in ("xlsx", "csv"):
        said = run(folder, "import", form, str(folder / f"xa.{form}"), "--lang", "en")
        assert said.output.endswith("Nothing changes.\n")
    assert held(folder) == before


# -- a sheet that comes back again, or late -------------------------------------------------------------------------------


@pytest.mark.parametrize("heading", ["Đường truyền TSLCĐ – Nhà cung cấp", "Tham số tslcd"])
def test_a_workbook_may_be_imported_twice(folder: Path, given_out: bytes, heading: str) -> None:
    def fill(sites: Any, devices: Any, at: Mapping[str, int], _: Mapping[str, int]) -> None:
        sites.cell(2, at[heading]).value = "viettel"
        sites.cell(2, at["Mã hành chính"]).value = "00999"

    file, before = filled(folder, given_out, fill), held(folder)
    assert run(folder, "import", "xlsx", str(file), "--write").exit_code == 0
    once = held(folder)
    assert "+    vars: {n: 1, tslcd: viettel}  # its words" in lines(before, once)
    again = run(folder, "import", "xlsx", str(file), "--write", "--lang", "en", "--remove")
    assert (again.output, held(folder)) == ("Nothing changes.\n", once)


@pytest.mark.parametrize("id_", [None, "xa-dong-do"])
def test_a_new_commune_may_be_imported_twice(folder: Path, given_out: bytes, id_: str | None) -> None:
    def fill(sites: Any, devices: Any, at: Mapping[str, int], _: Mapping[str, int]) -> None:
        row = {"Mã định danh": id_, "Tên xã, phường": "Xã Đông Đô", "Mã hành chính": "00789", "Đường truyền TSLCĐ – Nhà cung cấp": "vnpt",
               "Đường truyền TSLCĐ – Địa chỉ IP": "10.65.33.2"}  # fmt: skip
        for heading, value in row.items():
            sites.cell(5, at[heading]).value = value
        devices.append(["Xã Đông Đô", "switch-2", "switch", "10.64.33.9"])

    file = filled(folder, given_out, fill)
    assert run(folder, "import", "xlsx", str(file), "--write").exit_code == 0
    once = held(folder)
    assert "xa-dong-do" in once["sites.yaml"].decode()
    again = run(folder, "import", "xlsx", str(file), "--write", "--lang", "en", "--remove")
    assert (again.output, held(folder)) == ("Nothing changes.\n", once)


def test_a_workbook_that_was_left_alone_undoes_nothing_that_an_admin_did_since(folder: Path, given_out: bytes) -> None:
    later = SITES.replace("0229 000 001", "0229 999 999").replace(
        "ups: {profile: ups, address: 10.64.1.3}", "cam: {profile: switch, address: 10.64.1.7}"
    )
    later = (
        later[: later.index("  # the next one")]
        + "  - {id: xa-c, like: commune, name: Xã Cờ, code: '00789', vars: {n: 3, tslcd: vnpt}}\n"
    )
    (folder / "inventory" / "sites.yaml").write_text(later, encoding="utf-8")
    (folder / "xa.xlsx").write_bytes(given_out)
    before = held(folder)
    said = run(folder, "import", "xlsx", str(folder / "xa.xlsx"), "--lang", "en", "--write", "--remove")
    assert said.output.splitlines() == [
        "xa.xlsx: 1 rows were taken out of the inventory since the export, and are left out: `xa-b`",
        "xa.xlsx: 3 rows were taken out of the inventory since the export, and are left out: `xa-a/ups`, `xa-b/router`, `xa-b/switch`",
        "Nothing changes.",
    ]
    assert held(folder) == before


def test_what_was_changed_on_both_sides_is_told(folder: Path, given_out: bytes) -> None:
    def fill(sites: Any, devices: Any, at: Mapping[str, int], _: Mapping[str, int]) -> None:
        sites.cell(2, at["Khu vực"]).value = "Huyện C"

    (folder / "inventory" / "sites.yaml").write_text(SITES.replace("Huyện Bình Lục", "Huyện B"), encoding="utf-8")
    said = run(folder, "import", "xlsx", str(filled(folder, given_out, fill)), "--lang", "en")
    assert said.output.startswith(
        "xa.xlsx: 'Xã, phường'!D2: was `Huyện Bình Lục` when it was exported, and is `Huyện B` here since; the sheet says `Huyện C`, which is taken\n"
    )
    assert "    area: Huyện B → Huyện C" in said.output


def test_zeros_that_excel_took_out_of_csv_are_put_back_where_they_are_known(folder: Path) -> None:
    file, before = folder / "xa.csv", held(folder)
    assert run(folder, "export", "csv", str(file), "--lang", "en").exit_code == 0
    text = file.read_text(encoding="utf-8-sig").replace(",00123,", ",123,").replace("0229 000 001", "229000001")
    file.write_text(text, encoding="utf-8-sig")
    said = run(folder, "import", "csv", str(file), "--lang", "en", "--write")
    assert said.stderr == ""
    assert held(folder) == before


def test_csv_may_be_imported_twice(folder: Path) -> None:
    assert run(folder, "export", "csv", str(folder / "xa.csv")).exit_code == 0
    text = (folder / "xa.csv").read_text(encoding="utf-8-sig")
    text = text.replace("commune,vnpt,", "commune,viettel,")
    new = dict.fromkeys(text.splitlines()[0].replace('"Tên xã, phường"', "Ten").split(","), "")
    new |= {
        "Mã định danh": "xa-moi",
        "Ten": "Xã Mới",
        "Đường truyền TSLCĐ – Nhà cung cấp": "vnpt",
        "Đường truyền TSLCĐ – Địa chỉ IP": "10.65.33.2",
    }
    new |= {"Mã hành chính": "00789"}
    (folder / "xa.csv").write_text(text + ",".join(new.values()) + "\n", encoding="utf-8")
    before = held(folder)
    assert run(folder, "import", "csv", str(folder / "xa.csv"), "--write").exit_code == 0
    once = held(folder)
    assert "+    vars: {n: 1, tslcd: viettel}  # its words" in lines(before, once)
    again = run(folder, "import", "csv", str(folder / "xa.csv"), "--write", "--lang", "en")
    assert "contradicts xa.csv: J2 (`viettel`), which is taken" in again.output
    assert again.output.endswith("Nothing changes.\n")
    assert held(folder) == once


# -- files as they are found ---------------------------------------------------------------------------------------------


def windows_1258(text: str) -> bytes:
    """Vietnamese letters with their own sign, and the tones behind them."""
    tones = "\u0300\u0301\u0303\u0309\u0323"
    parts = {
        unicodedata.normalize("NFC", each + tone): each + tone for each in "aăâeêioôơuưyAĂÂEÊIOÔƠUƯY" for tone in tones
    }
    return "".join(parts.get(each, each) for each in text).encode("cp1258")


CSV = "Mã định danh;Tên xã, phường;Khu vực\nxa-a;Xã Á;Thị xã Tam Điệp\n"


@pytest.mark.parametrize(
    "data",
    [
        CSV.encode(),
        b"\xef\xbb\xbf" + CSV.replace(";", ",").replace("phường", "phuong").replace("Tên xã,", '"Tên xã,').replace("phuong,", 'phuong",').encode(),
        CSV.replace(";", "\t").encode("utf-16"),
        unicodedata.normalize("NFD", CSV).encode(),
        ("sep=;\r\n" + CSV.replace("\n", "\r\n")).encode(),
        windows_1258(CSV),
    ],
    ids=["UTF-8", "mark, commas, no diacritics", "UTF-16, tabs", "decomposed", "sep= and CRLF", "Windows-1258"],
)  # fmt: skip
def test_csv_is_read_in_any_usual_coding(folder: Path, data: bytes) -> None:
    (folder / "xa.csv").write_bytes(data)
    said = run(folder, "import", "csv", str(folder / "xa.csv"), "--lang", "en")
    assert (said.stderr, said.exit_code) == ("", 0)
    assert "    area: Huyện Bình Lục → Thị xã Tam Điệp" in said.stdout.splitlines()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("Mã;Tên\nXãß;ÿ".encode("cp1252"), "its letters are coded in a way that cannot be told for sure; save it as `CSV UTF-8`, or say how with --encoding"),
        (b"\xb8\xb5;T\xaan", "its letters are coded in a way that cannot be told for sure; save it as `CSV UTF-8`, or say how with --encoding"),
        (b"a;b\n1;2", "no sheet has a row of headings that is known; wanted are at least: `Mã định danh`, `Tên xã, phường`, `Mã thiết bị`"),
        (b"", "no sheet has a row of headings that is known; wanted are at least: `Mã định danh`, `Tên xã, phường`, `Mã thiết bị`"),
        (b"id,name\n\"" + b"x" * 140_000, "not CSV (field larger than field limit (131072))"),
        (b"id,name\n" * 502, "more than 500 rows; delete those that are not needed"),
        (b" " * (grid.MAX_FILE_BYTES + 1), "larger than 16 MiB; split it, or take out sheets and pictures that are not needed"),
    ],
    ids=["Western", "TCVN3", "other table", "empty", "no end of a quote", "rows", "large"],
)  # fmt: skip
def test_csv_that_cannot_be_understood_is_refused_rather_than_guessed(
    folder: Path, data: bytes, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csvfile, "MAX_ROWS", 500)
    (folder / "xa.csv").write_bytes(data)
    said = run(folder, "import", "csv", str(folder / "xa.csv"), "--lang", "en", "--write")
    assert said.stderr == f"xa.csv: {message}\nnothing is written\n"
    assert said.exit_code == 1


def test_the_coding_can_be_said(folder: Path) -> None:
    (folder / "xa.csv").write_bytes("id;name;area\nxa-a;Xã Á;Québec\n".encode("utf-16-le"))
    assert run(folder, "import", "csv", str(folder / "xa.csv")).exit_code == 1
    assert "Québec" in run(folder, "import", "csv", str(folder / "xa.csv"), "--encoding", "utf-16-le").stdout
    said = run(folder, "import", "csv", str(folder / "xa.csv"), "--encoding", "klingon", "--lang", "en")
    assert said.stderr.startswith("xa.csv: not coded as klingon\n")


def packed(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def workbook(rows: int) -> bytes:
    book, out = Workbook(write_only=True), io.BytesIO()
    sheet = book.create_sheet("a")
    for _ in range(rows):
        sheet.append([])
    sheet.append(["x"])
    book.save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not an Excel file .xlsx (File is not a zip file)"),
        (packed(a=b"x"), "not an Excel file .xlsx ("),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "an old Excel file (.xls), or one with a password; save it as .xlsx without a password"),
        (packed(bomb=b"\0" * (65 << 20)), "larger than 64 MiB when unpacked; split it"),
        (b"x" * (grid.MAX_FILE_BYTES + 1), "larger than 16 MiB; split it"),
        (workbook(rows=500), "more than 500 rows; delete those that are not needed"),
        (workbook(rows=1), "no sheet has a row of headings that is known"),
    ],
    ids=["empty", "other archive", "old", "bomb", "large", "rows", "other table"],
)  # fmt: skip
def test_a_workbook_that_is_none_or_made_to_hurt_is_refused(
    folder: Path, data: bytes, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xlsx, "MAX_ROWS", 500)
    (folder / "xa.xlsx").write_bytes(data)
    said = run(folder, "import", "xlsx", str(folder / "xa.xlsx"), "--lang", "en")
    assert said.exit_code == 1
    assert message in said.stderr.splitlines()[0]


def test_a_workbook_with_too_many_cells_is_refused(
    folder: Path, given_out: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "xa.xlsx").write_bytes(given_out)
    monkeypatch.setattr(xlsx, "MAX_CELLS", 100)
    said = run(folder, "import", "xlsx", str(folder / "xa.xlsx"), "--lang", "en")
    assert said.stderr.startswith("xa.xlsx: 'Hướng dẫn': more than 100 cells; delete")


def test_entities_of_xml_are_not_unfolded(folder: Path) -> None:
    file = exported(folder)
    with zipfile.ZipFile(file) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    bomb = b'<!DOCTYPE x [<!ENTITY a "' + b"a" * 1000 + b'">]>'
    members["xl/worksheets/sheet1.xml"] = bomb + members["xl/worksheets/sheet1.xml"].replace(b"xa-b", b"&a;" * 1000)
    file.write_bytes(packed(**members))
    said = run(folder, "import", "xlsx", str(file), "--lang", "en")
    assert said.stderr.startswith("xa.xlsx: not an Excel file .xlsx (")


def test_a_file_that_is_not_there_or_not_of_the_inventory_is_said(folder: Path) -> None:
    assert (
        "cannot be read: No such file" in run(folder, "import", "xlsx", str(folder / "no.xlsx"), "--lang", "en").stderr
    )
    said = run(folder, "import", "xlsx", str(exported(folder)), "--into", str(folder / "elsewhere.yaml"))
    assert "must be a *.yaml file in" in said.stderr
    assert "cannot be written" in run(folder, "export", "xlsx", str(folder / "no" / "xa.xlsx")).stderr


def test_a_long_list_of_mistakes_is_counted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MOST_TOLD", 3)
    (folder / "xa.csv").write_text("id,name\n" + "X,\n" * 9, encoding="utf-8")
    said = run(folder, "import", "csv", str(folder / "xa.csv"), "--lang", "en")
    assert said.stderr.splitlines()[3:] == ["and 6 more mistakes", "nothing is written"]


# -- Prometheus ----------------------------------------------------------------------------------------------------------


def test_prometheus_takes_the_targets_as_they_are_written(folder: Path) -> None:
    file = folder / "targets.json"
    assert (
        run(folder, "export", "file-sd", str(file), "--kind", "router", "--kind", "tslcd", "--port", "9116").exit_code
        == 0
    )
    groups = {each["labels"]["target"]: each for each in json.loads(file.read_text())}
    assert set(groups) == {"center/core", "xa-a/router", "xa-a/tslcd", "xa-b/router", "xa-b/tslcd"}
    assert groups["xa-a/tslcd"] == {
        "targets": ["10.65.1.2:9116"],
        "labels": {
            "site": "xa-a", "target": "xa-a/tslcd", "kind": "tslcd", "name": "Xã Á", "area": "Huyện Bình Lục",
            "provider": "vnpt", "role": "link",
        },
    }  # fmt: skip
    (folder / "prometheus.yml").write_text(
        f"scrape_configs: [{{job_name: snmp, file_sd_configs: [{{files: [{file}]}}]}}]"
    )
    subprocess.run(["promtool", "check", "config", str(folder / "prometheus.yml")], check=True, capture_output=True)
    said = run(folder, "export", "file-sd", "-", "--kind", "rooter")
    assert (said.stderr, said.exit_code) == ("no target is of kind rooter\n", 1)
    assert len(json.loads(run(folder, "export", "file-sd", "-").stdout)) == 9
