"""The commands `import …` as people use them."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from monitor.cli import main
from monitor.inventory.load import load_inventory

ROOT = Path(__file__).parent.parent.parent
EXPORTS = ROOT / "tests" / "exchange" / "exports"
SITES = """\
sites:
  - {id: center, name: Trung tâm, kind: data-center, devices: {gateway: {profile: gateway, address: 10.69.0.1, vantage: true}}}
  # the one and only
  - id: xa-liem-ha
    name: Xã Liêm Hà  # since 2025
    networks: [10.64.17.0/24, '2001:db8:17::/64']
    devices:
      router: {profile: router, address: 10.64.17.1}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small province with the profiles of the example."""
    inventory = tmp_path / "inventory"
    inventory.mkdir()
    shutil.copy(ROOT / "config" / "inventory" / "profiles.yaml", inventory)
    shutil.copy(ROOT / "config" / "settings.yaml", tmp_path)
    (tmp_path / "contacts.yaml").write_text("contacts: {a: {name: A, email: a@noc.example}}")
    (inventory / "sites.yaml").write_text(SITES)
    return tmp_path


def run(folder: Path, source: str, file: Path, *options: str) -> Result:
    where = ("--settings", str(folder / "settings.yaml"))
    return CliRunner().invoke(main, ["import", source, str(file), *where, "--lang", "en", *options])


def held(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in (folder / "inventory").iterdir()}


def test_the_preview_says_what_why_and_where_and_writes_nothing(folder: Path) -> None:
    before = held(folder)
    said = run(folder, "librenms", EXPORTS / "librenms-devices.json")
    assert (said.exit_code, said.stderr) == (0, "")
    assert (
        said.stdout
        == f"""\
librenms-devices.json: devices #4: left out: old-switch is disabled in LibreNMS
librenms-devices.json: devices #5: left out: expected keys with values
New (2):
  + xa-liem-ha/sw-tang2 10.64.17.20: profile switch, for its name is sw-tang2.liemha.example
      is sw-tang2.liemha.example 10.64.17.20 (librenms-devices.json: devices #2)
      behind router
  + xa-liem-ha/ups 10.64.17.31: profile ups, for it is called power
      is ups.liemha.example 10.64.17.31 (librenms-devices.json: devices #3)
      behind sw-tang2, router
Known already, and left as they are (1):
  = xa-liem-ha/router
2 new, 1 known already, 0 not taken
+ targets (2): xa-liem-ha/sw-tang2, xa-liem-ha/ups
Checks: 3 → 7 (2.0 → 2.5 a second)
Series of Prometheus: about 53 → 135
{folder}/inventory/sites.yaml: would be changed
nothing is written: say --write
"""
    )
    assert held(folder) == before


def test_a_person_is_told_in_vietnamese(folder: Path) -> None:
    said = run(folder, "librenms", EXPORTS / "librenms-devices.json", "--lang", "vi", "--skip", "10.64.17.31")
    assert (said.exit_code, said.stderr) == (0, "")
    assert (
        said.stdout
        == f"""\
librenms-devices.json: devices #4: bỏ qua: old-switch đã bị tắt trong LibreNMS
librenms-devices.json: devices #5: bỏ qua: cần các khóa kèm giá trị
Mới (1):
  + xa-liem-ha/sw-tang2 10.64.17.20: loại switch, vì tên của nó là sw-tang2.liemha.example
      là sw-tang2.liemha.example 10.64.17.20 (librenms-devices.json: devices #2)
      nối qua router
Đã có, giữ nguyên (1):
  = xa-liem-ha/router
1 mới, 1 đã có, 0 không lấy
+ đối tượng (1): xa-liem-ha/sw-tang2
Phép kiểm tra: 3 → 5 (2,0 → 2,2 lần mỗi giây)
Chuỗi số liệu Prometheus: khoảng 53 → 94
{folder}/inventory/sites.yaml: sẽ được sửa
chưa ghi gì: thêm --write để ghi
"""
    )


def test_what_is_written_stands_at_its_site_and_is_known_the_next_time(folder: Path) -> None:
    said = run(folder, "librenms", EXPORTS / "librenms-devices.json", "--write", "--diff")
    assert said.exit_code == 0
    assert "+      sw-tang2: {profile: switch, address: 10.64.17.20, behind: [router]}\n" in said.stdout
    assert said.stdout.endswith("`commune-monitor reload` takes it over\n")
    assert held(folder)["sites.yaml"].decode() == SITES + (
        "      sw-tang2: {profile: switch, address: 10.64.17.20, behind: [router]}\n"
        "      ups: {profile: ups, address: 10.64.17.31, behind: [sw-tang2, router]}\n"
    )
    again = run(folder, "librenms", EXPORTS / "librenms-devices.json", "--write")
    assert "0 new, 3 known already, 0 not taken\n" in again.stdout
    assert "written" not in again.stdout


@pytest.mark.parametrize(
    ("source", "file", "target"),
    [
        ("librenms", "librenms-devices.csv", "sw-tang2"), ("zabbix", "zabbix-7.0.yaml", "switch-tang-2"),
        ("zabbix", "zabbix-6.0.json", "liemha-sw2"), ("zabbix", "zabbix-5.0.xml", "liemha-sw2"),
        ("netbox", "netbox-devices.json", "node-1"), ("netbox", "netbox-devices.csv", "liemha-sw2"),
        ("file-sd", "file_sd.yml", "switch"), ("file-sd", "file_sd.json", "switch-2"),
    ],
)  # fmt: skip
def test_every_source_gets_into_the_inventory(folder: Path, source: str, file: str, target: str) -> None:
    said = run(folder, source, EXPORTS / file, "--write")
    assert said.exit_code == 0, said.output
    assert f"xa-liem-ha/{target}" in load_inventory(folder / "inventory", None).targets


def test_places_are_told_apart_by_a_person_or_become_sites(folder: Path) -> None:
    devices = [
        {"hostname": "sw1", "ip": "10.64.17.7", "type": "switch", "location": "Kho lưu trữ"},
        {"hostname": "sw2", "ip": "10.64.18.7", "type": "switch", "location": "Xã Liêm Hàa", "lat": 20.5, "lng": 106},
    ]
    file = folder / "devices.json"
    file.write_text(json.dumps(devices))
    assert (
        "      at xa-liem-ha, for its address is in 10.64.17.0/24, 2001:db8:17::/64\n"
        in run(folder, "librenms", file).stdout
    )
    sites = folder / "inventory" / "sites.yaml"
    sites.write_text("".join(line for line in SITES.splitlines(keepends=True) if "networks" not in line))
    said = run(folder, "librenms", file)
    assert "  ? Kho lưu trữ (devices: 1)\n" in said.stdout
    assert "  ? Xã Liêm Hàa (devices: 1); did you mean Xã Liêm Hà?\n" in said.stdout
    said = run(folder, "librenms", file, "--site", "Kho lưu trữ=xa-liem-ha", "--new-sites", "--write")
    assert said.exit_code == 0
    found = load_inventory(folder / "inventory", None)
    assert found.targets["xa-liem-ha/sw1"].address == "10.64.17.7"
    assert (found.sites["xa-liem-haa"].name, found.sites["xa-liem-haa"].latitude) == ("Xã Liêm Hàa", 20.5)
    assert "imported-librenms.yaml" in held(folder)
    assert run(folder, "librenms", file, "--site", "=xa-liem-ha").stderr == "--site =xa-liem-ha: write PLACE=ID\n"
    wrong = run(folder, "librenms", file, "--site", "Kho=xa-liem-hà")
    assert (wrong.exit_code, wrong.stderr) == (
        1, "--site Kho=xa-liem-hà: there is no site `xa-liem-hà`; did you mean `xa-liem-ha`, `xa-liem-haa`?\n",
    )  # fmt: skip


def test_a_result_that_is_not_well_is_refused_and_nothing_is_touched(folder: Path) -> None:
    """A room needs its number, which this site has not."""
    file = folder / "sd.yml"
    file.write_text("[{targets: [10.64.17.50], labels: {site: xa-liem-ha, kind: vc-endpoint}}]")
    before = held(folder)
    said = run(folder, "file-sd", file, "--write")
    assert said.exit_code == 1
    assert said.stderr.startswith("the inventory would not be well, so nothing is written")
    assert "nothing fills {n} of site `xa-liem-ha`" in said.stderr
    assert held(folder) == before


def test_several_files_are_read_as_one(folder: Path) -> None:
    said = run(folder, "netbox", EXPORTS / "netbox-devices.json", str(EXPORTS / "netbox-devices.csv"))
    assert (
        "liemha-sw2 10.64.17.20 (netbox-devices.csv:2): netbox-devices.json: results #1 has the same address\n"
        in said.stdout
    )
    assert "2 new, 0 known already, 1 not taken\n" in said.stdout


def test_a_person_leaves_out_what_is_not_wanted(folder: Path) -> None:
    said = run(
        folder, "librenms", EXPORTS / "librenms-devices.json", "--skip", "10.64.17.31", "--skip", "RB4011-TanThanh"
    )
    assert "1 new, 0 known already, 0 not taken\n" in said.stdout
    said = run(folder, "librenms", EXPORTS / "librenms-devices.json", "--skip", "10.64.17.3")
    assert (said.exit_code, said.stderr) == (1, "--skip 10.64.17.3: nothing there has this address or name\n")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "bad.json:1:2: not JSON: Expecting property name enclosed in double quotes; export it anew\n"),
        (b'{"status": "error", "message": "no"}', "bad.json: LibreNMS refused: no; ask it again"),
        (None, "bad.json: cannot be read: No such file or directory\n"),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused(folder: Path, data: bytes | None, message: str) -> None:
    file = folder / "bad.json"
    if data is not None:
        file.write_bytes(data)
    said = run(folder, "librenms", file)
    assert (said.exit_code, said.stdout) == (1, "")
    assert message in said.stderr
