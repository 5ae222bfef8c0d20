"""discover against a commune of net-snmp's agents and open ports, in namespaces of its own; every address that is sent to is looked at."""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from monitor.cli import main
from tests.exchange.commune import (
    ACCESS_POINT,
    BROADCAST,
    CAMERA,
    NETWORK,
    PRINTER,
    ROUTER,
    SILENT,
    SWITCH,
    UPS,
    Commune,
    write_inventory,
)
from tests.probes.peers import COMMUNITY, V3_AUTH, V3_PRIVACY, inside


@pytest.fixture(scope="module")
def commune(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commune]:
    made = Commune(tmp_path_factory.mktemp("commune"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    return write_inventory(tmp_path)


def discover(commune: Commune, settings: Path, *arguments: str) -> Result:
    with inside(commune.near):
        return CliRunner().invoke(
            main, ["discover", "xa-tan-thanh", "--settings", str(settings), "--lang", "en", *arguments]
        )


@pytest.fixture(scope="module")
def looked(commune: Commune, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], set[str], str]:
    """One look over all of it: as JSON, to whom anything was sent, and all that was said."""
    commune.forget()
    result = discover(commune, write_inventory(tmp_path_factory.mktemp("looked")), "--go", "--format", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout), commune.sent(), result.output


Looked = tuple[dict[str, Any], set[str], str]


def test_what_answers_is_told_with_its_kind_and_what_it_hangs_on(looked: Looked) -> None:
    devices = {each["address"]: (each["kind"], each["hangs_on"], each["sure"]) for each in looked[0]["devices"]}
    assert devices == {
        ROUTER: ("router", [], "root"),
        SWITCH: ("switch", [ROUTER], "one"),
        UPS: ("ups", [SWITCH], "table"),
        CAMERA: ("camera", [SWITCH], "table"),
        PRINTER: ("printer", [], "not"),
        ACCESS_POINT: ("access-point", [SWITCH], "one"),
    }
    assert [each["address"] for each in looked[0]["silent"]] == [SILENT]


def test_agents_tell_who_they_are(looked: Looked) -> None:
    (switch,) = (each for each in looked[0]["devices"] if each["address"] == SWITCH)
    assert (switch["name"], switch["description"]) == ("sw1", "JetStream 24-Port")
    assert switch["object_id"] == "1.3.6.1.4.1.11863.5"
    assert switch["credential"].startswith("version 3 as monitor")
    assert {(each["port"], each["name"], each["kind"]) for each in switch["neighbours"]} == {
        ("5", "", "access-point"), ("1/0/24", "gw-tan-thanh", "router"),
    }  # fmt: skip


def test_what_is_new_is_proposed_with_profile_and_parent(looked: Looked) -> None:
    assert {(each["target"], each["profile"], *each["behind"]) for each in looked[0]["added"]} == {
        ("xa-tan-thanh/sw1", "switch", "router"),
        ("xa-tan-thanh/camera", "camera", "sw1"),
        ("xa-tan-thanh/access-point", "access-point", "sw1"),
    }
    assert [each["address"] for each in looked[0]["left"]] == [PRINTER]
    assert f"sw1: {{profile: switch, address: {SWITCH}, behind: [router]}}" in looked[0]["yaml"]


def test_no_packet_leaves_the_named_networks(looked: Looked) -> None:
    hosts = {str(each) for each in ipaddress.ip_network(NETWORK).hosts()}
    assert looked[1] == hosts - {BROADCAST} | {ACCESS_POINT}, (
        "all of IPv4 in the range, and of IPv6 what a neighbour told of"
    )


def test_no_secret_is_told(looked: Looked) -> None:
    assert not [each for each in (COMMUNITY, V3_AUTH, V3_PRIVACY) if each in looked[2]]


def test_without_go_nothing_is_sent(commune: Commune, settings: Path) -> None:
    commune.forget()
    result = discover(commune, settings)
    assert result.exit_code == 0
    assert "30 addresses" in result.stdout
    assert "passwords from file auth and file privacy" in result.stdout
    assert result.stdout.endswith("nothing was sent; say --go to do it\n")
    assert commune.sent() == set()


def test_a_range_is_all_that_is_sent_to_though_neighbours_tell_of_more(commune: Commune, settings: Path) -> None:
    commune.forget()
    result = discover(commune, settings, "--go", "--range", f"{SWITCH}/32")
    assert result.exit_code == 0, result.output
    assert commune.sent() == {SWITCH}
    assert f"not seen itself: ap at 192.0.2.40, {ACCESS_POINT}, of which {SWITCH} tells at its port 5" in result.stdout
    assert "not seen itself: gw-tan-thanh, of which" in result.stdout
    assert "no router of the site is known" in result.stdout


def test_what_is_new_is_written_where_the_site_stands_and_the_next_look_knows_it(
    commune: Commune, settings: Path
) -> None:
    file = settings.parent / "inventory" / "communes.yaml"
    before = file.read_text(encoding="utf-8")
    look = ("--go", "--range", f"{SWITCH}/32", "--write")
    first = discover(commune, settings, *look)
    assert first.exit_code == 0, first.stderr
    assert "+ targets (1): xa-tan-thanh/sw1\nChecks: 3 → 4 (" in first.stderr, "and nothing of secrets"
    assert first.stderr.endswith("written\n`commune-monitor reload` takes it over\n")
    after = file.read_text(encoding="utf-8")
    assert after == f"{before}      sw1: {{profile: switch, address: {SWITCH}}}\n"
    again = discover(commune, settings, *look)
    assert "0 new, 1 known already" in again.stdout
    assert file.read_text(encoding="utf-8") == after


def test_nothing_is_sent_or_written_when_the_files_are_faulty(commune: Commune, settings: Path) -> None:
    commune.forget()
    (settings.parent / "contacts.yaml").write_text("contacts: {}\n")
    result = discover(commune, settings, "--go", "--range", f"{SWITCH}/32", "--write")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "nobody is told of anything" in result.stderr
    assert commune.sent() == set()


def test_a_site_or_range_that_is_none_sends_nothing(commune: Commune, settings: Path) -> None:
    commune.forget()
    result = discover(commune, settings, "--go", "--range", "192.0.2.0/24")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "192.0.2.0/24 is not inside of the site's networks" in result.stderr
    assert commune.sent() == set()


def test_when_no_echo_gets_through_it_says_why(commune: Commune, settings: Path) -> None:
    result = discover(commune, settings, "--go", "--range", f"{BROADCAST}/32")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no echo gets through: the echo could not be sent: Permission denied" in result.stderr


def test_who_stops_it_has_what_there_is(commune: Commune, settings: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "monitor",
        "discover",
        "xa-tan-thanh",
        "--settings",
        str(settings),
        "--lang",
        "en",
        "--go",
    ]
    namespace = [str(shutil.which("ip")), "netns", "exec", commune.near]
    with subprocess.Popen([*namespace, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "asking by SNMP" in line:
                break
        os.kill(process.pid, signal.SIGINT)
        told, complaint = process.communicate(timeout=60)
    assert process.returncode == 1, complaint
    assert "not the whole: it was stopped" in complaint
    assert "Traceback" not in complaint
    assert all(each in told for each in (ROUTER, SWITCH, CAMERA))


def test_what_it_would_send_is_told_without_secrets(tmp_path: Path) -> None:
    settings = write_inventory(tmp_path)
    shutil.rmtree(settings.parent / "secrets")
    for language, unread in (("vi", "bí mật chưa đọc được"), ("en", "a secret that cannot be read here")):
        said = CliRunner().invoke(main, ["discover", "xa-tan-thanh", "--settings", str(settings), "--lang", language])
        assert (said.stderr, said.exit_code) == ("", 0)
        assert unread in said.stdout
