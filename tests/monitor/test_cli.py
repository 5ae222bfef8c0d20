"""What the commands print and how they exit, without a daemon; those that ask one are tested with it in test_app."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import logging
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from monitor.cli import EVENTS, JsonLines, main, show_status
from monitor.core.ledger import Member
from monitor.core.model import Explanation, Held, Look, Role, State
from monitor.problems import as_github
from monitor.store import Store
from monitor.yamlfile import Problem
from tests.alerts.sample import INCIDENT, NOW, event
from tests.monitor.daemon import MORE, Daemon, daemon


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon's files, not started."""
    with daemon(tmp_path) as made:
        yield made


def run(*arguments: str, files: Daemon) -> Result:
    return CliRunner().invoke(main, [*arguments, "--settings", str(files.settings)])


def test_check_says_what_there_is_when_all_is_well(files: Daemon) -> None:
    said = run("check", files=files)
    assert (said.exit_code, said.stderr) == (0, "")
    assert said.stdout == "well: 1 sites, 2 targets, 2 checks (10 a second), 3 contacts\n"


def test_check_tells_every_mistake_of_every_file_with_its_place(files: Daemon) -> None:
    files.write_inventory(MORE.replace("profile: portal", "profile: portall"))
    (files.folder / "contacts.yaml").write_text("contacts: {a: {name: A, email: nobody}}")
    said = run("check", files=files)
    assert said.exit_code == 1
    assert said.stdout == ""
    assert re.search(rf"{files.inventory}:\d+:\d+: there is no profile `portall`; did you mean `portal`\?", said.stderr)
    assert f"{files.folder}/contacts.yaml:1:32: `nobody` is not a mail address" in said.stderr


WRONG = MORE.replace("profile: portal", "profile: portall")


def test_check_shows_the_line_with_a_mark_below_the_mistake(files: Daemon) -> None:
    files.write_inventory(WRONG)
    _, line, mark = run("check", files=files).stderr.splitlines()
    number, _, text = line.partition(" | ")
    assert files.inventory.read_text(encoding="utf-8").splitlines()[int(number) - 1] == text
    assert text[mark.partition(" | ")[2].index("^") :].startswith("portall")


def test_check_tells_programs_and_github_the_same(files: Daemon) -> None:
    files.write_inventory(WRONG)
    said = run("check", "--format", "json", files=files)
    assert (said.exit_code, said.stderr) == (1, "")
    (found,) = json.loads(said.stdout)
    assert found == {
        "file": str(files.inventory), "line": found["line"], "column": 25, "severity": "error",
        "message": "there is no profile `portall`", "hint": "did you mean `portal`?",
    }  # fmt: skip
    said = run("check", "--format", "github", files=files)
    assert said.exit_code == 1
    assert said.stdout == (
        f"::error file={files.inventory},line={found['line']},col=25::there is no profile `portall`; did you mean `portal`?\n"
    )
    files.write_inventory()
    assert json.loads(run("check", "--format", "json", files=files).stdout) == []
    assert run("check", "--format", "github", files=files).stdout == ""


def test_a_warning_is_told_and_all_is_well(files: Daemon) -> None:
    files.write_inventory("  - {id: xa-moi, name: Xã Mới, area: Huyện Kim Bảng}\n")
    said = run("check", files=files)
    assert said.exit_code == 0
    assert said.stdout.startswith("well: 2 sites")
    assert "warning: nothing is watched at `xa-moi`\n" in said.stderr
    said = run("check", "--format", "github", files=files)
    assert (said.exit_code, said.stdout.count("::warning file=")) == (0, 1)


def test_what_github_would_take_for_its_own_is_escaped() -> None:
    problem = Problem("a,b:c.yaml", 0, 0, "100 %\nof it")
    assert list(as_github([problem])) == ["::error file=a%2Cb%3Ac.yaml::100 %25%0Aof it"]


def test_a_mistake_in_the_settings_hides_none_in_inventory_and_contacts(files: Daemon) -> None:
    files.settings.write_text(f"databse: x\n{files.settings.read_text()}", encoding="utf-8")
    (files.folder / "secrets" / "smtp-password").unlink()
    files.write_inventory(MORE.replace("profile: portal", "profile: portall"))
    (files.folder / "contacts.yaml").write_text("contacts: {a: {name: A, email: nobody}}")
    said = run("check", files=files).stderr
    for mistake in ("`databse`", "smtp-password", "`portall`", "`nobody`"):
        assert mistake in said


@pytest.mark.parametrize("bad", ["a@b..c", "Tên <giám-sát@b.example>", "N <a..b@c.example>"])
def test_check_refuses_a_sender_that_no_mail_can_be_written_with(bad: str, files: Daemon) -> None:
    text = files.settings.read_text(encoding="utf-8")
    files.settings.write_text(re.sub("from: .*", f"from: {bad}", text), encoding="utf-8")
    said = run("check", files=files)
    assert said.exit_code == 1
    assert f"`{bad}` is no sender: write Name <address>" in said.stderr


def test_check_tells_a_broken_template_with_file_and_line(files: Daemon) -> None:
    (files.folder / "mails" / "vi").mkdir(parents=True)
    template = files.folder / "mails" / "vi" / "opened.txt"
    template.write_text("Alô\n\n{% if %}\n")
    with files.settings.open("a") as settings:
        settings.write("  templates: mails\n")
    said = run("check", files=files)
    assert said.exit_code == 1
    assert said.stderr.startswith(f"{template}:3: ")


def test_check_wants_the_secrets_unless_it_is_told_not_to(files: Daemon) -> None:
    (files.folder / "secrets" / "smtp-password").unlink()
    said = run("check", files=files)
    assert said.exit_code == 1
    assert "the secret smtp-password cannot be read" in said.stderr
    assert run("check", "--without-secrets", files=files).exit_code == 0


def test_check_of_settings_that_are_not_there_says_so(files: Daemon) -> None:
    files.settings.unlink()
    said = run("check", files=files)
    assert said.exit_code == 1
    assert str(files.settings) in said.stderr
    assert "Traceback" not in said.stderr


def test_the_password_of_the_relay_is_never_printed(files: Daemon) -> None:
    for command in (["check"], ["probe", "center/portal"], ["status"], ["reload"]):
        assert "mật khẩu" not in run(*command, files=files).output


def test_probe_explains_a_target_that_is_well(files: Daemon) -> None:
    files.open_portal()
    said = run("probe", "center/portal", files=files)
    assert said.exit_code == 0
    assert "center/portal: Cổng dịch vụ công at Trung tâm dữ liệu" in said.stdout
    assert "check port: tcp to 127.0.0.1, at most 1 s" in said.stdout
    assert f"connecting to 127.0.0.1 port {files.portal}" in said.stdout
    assert f"OK (ok): port {files.portal} accepts" in said.stdout
    assert "probe_tcp_connect_duration_seconds" in said.stdout


def test_probe_of_a_target_that_is_down_says_why_and_exits_with_1(files: Daemon) -> None:
    said = run("probe", "center/portal", files=files)
    assert said.exit_code == 1
    assert "FAILED (refused): " in said.stdout


def test_probe_of_a_target_that_is_not_there_names_those_that_are_near(files: Daemon) -> None:
    said = run("probe", "portal", files=files)
    assert said.exit_code == 1
    assert said.stderr == "no target 'portal' in the inventory; did you mean: center/portal\n"


def test_probe_of_a_check_that_is_not_there_is_no_success(files: Daemon) -> None:
    files.open_portal()
    assert run("probe", "center/portal", "--check", "port", files=files).exit_code == 0
    said = run("probe", "center/portal", "--check", "prot", files=files)
    assert said.exit_code == 1
    assert said.stderr == "no check 'prot' at center/portal; it has: port\n"


@pytest.mark.parametrize(
    ("command", "why"), [("status", "Connection refused"), ("reload", "No such file or directory")]
)
def test_a_command_that_needs_the_daemon_says_when_none_answers(command: str, why: str, files: Daemon) -> None:
    said = run(command, files=files)
    assert said.exit_code == 1
    assert said.stderr == f"no daemon answers: {why}; is it running with these settings ({files.settings})?\n"
    assert not isinstance(said.exception, OSError)


@pytest.mark.parametrize("command", ["status", "reload"])
def test_a_command_that_needs_the_daemon_tells_a_mistake_in_the_settings(command: str, files: Daemon) -> None:
    files.settings.write_text("listen: nowhere\n")
    said = run(command, files=files)
    assert said.exit_code == 1
    assert f"{files.settings}:1:9: " in said.stderr


def test_status_fits_80_columns_with_viet_nam_s_time_and_the_whole_root_and_evidence() -> None:
    written = io.StringIO()
    incident = {
        "began": "2026-11-24T13:38:40.5Z", "state": "degraded", "cause": "link", "root": "phuong-thien-truong/tslcd",
        "impact": ["a", "b"], "evidence": [f"phuong-thien-truong/tslcd: {'[no] echo ' * 12}"],
    }  # fmt: skip
    show_status(Console(file=written, width=80), [{"state": "up"}, {"state": "degraded"}], [incident])
    lines = [line.rstrip() for line in written.getvalue().splitlines()]
    assert lines[:3] == [
        "up 1  degraded 1  down 0  unreachable 0  unknown 0",
        "since (Viet Nam)     state     cause    impact  root",
        "20:38:40 24/11/2026  degraded  link          2  phuong-thien-truong/tslcd",
    ]
    assert all(line.startswith("    ") and len(line) <= 80 for line in lines[3:])
    assert "".join(lines[3:]).count("[no]") == 12


def test_every_command_has_its_help() -> None:
    for name, command in main.commands.items():
        said = CliRunner().invoke(main, [name, "--help"])
        assert said.exit_code == 0
        assert command.help
        assert command.help.splitlines()[0][:40] in said.output


def test_a_log_line_is_one_json_object_with_its_incident_and_traceback() -> None:
    try:
        raise ValueError("hỏng\nở đây")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "Xã %s\nmới", ("Kim Đông",), sys.exc_info())
    record.incident = "i-1"
    line = JsonLines().format(record)
    assert "\n" not in line
    found = json.loads(line)
    assert (found["level"], found["logger"], found["message"]) == ("error", "x", "Xã Kim Đông\nmới")
    assert found["incident"] == "i-1"
    assert "ValueError: hỏng" in found["traceback"]
    assert "Kim Đông" in line


# -- explain -------------------------------------------------------------------------------------------------------


async def test_an_incident_is_explained_from_the_database(files: Daemon) -> None:
    store = Store(str(files.database))
    because = Explanation(looks=(Look(rule="by-kind", fits=True, because="link", of=("a/line",)),))
    told = replace(event(), because=because)
    await store.record([], [told], [], NOW)
    store.close()
    vi, en = run("explain", INCIDENT.id, files=files), run("explain", INCIDENT.id, "--lang", "en", files=files)
    assert (vi.exit_code, en.exit_code) == (0, 0)
    assert "by-kind: đúng, a/line là đường truyền" in vi.output
    assert "by-kind: yes, a/line is a line" in en.output
    assert EVENTS.validate_json(run("explain", INCIDENT.id, "--json", files=files).output) == [told]


async def test_an_incident_that_is_not_there_and_a_database_that_is_not_there_are_told(files: Daemon) -> None:
    none = run("explain", "nothing", files=files)
    assert (none.exit_code, "no such database" in none.output) == (1, True)
    Store(str(files.database)).close()
    nothing = run("explain", "nothing", files=files)
    assert (nothing.exit_code, "no incident 'nothing'" in nothing.output) == (1, True)


# -- availability ------------------------------------------------------------------------------------------------------

BEGAN = datetime(2026, 10, 31, 17, 0, tzinfo=UTC)
"""The beginning of November in Viet Nam."""


@pytest.fixture
def ledger(files: Daemon) -> Daemon:
    """The database of a daemon that watched two lines in November, one of which was down from 31 October to 1 November."""

    async def write() -> None:
        store = Store(str(files.database))
        await store.begin(BEGAN - timedelta(days=1))
        lines = [
            Member(
                target=f"{site}/tslcd", role=Role.LINK, kind="tslcd", provider=provider, commune=site,
                since=BEGAN - timedelta(days=1),
            )
            for site, provider in (("xa-a", "vnpt"), ("xa-b", "viettel"))
        ]  # fmt: skip
        held = [
            Held(target="xa-a/tslcd", state=State.UP, since=BEGAN - timedelta(days=1)),
            Held(target="xa-b/tslcd", state=State.UP, since=BEGAN - timedelta(days=1)),
            Held(target="xa-b/tslcd", state=State.DOWN, since=BEGAN - timedelta(hours=1)),
            Held(target="xa-b/tslcd", state=State.UP, since=BEGAN + timedelta(minutes=1, seconds=0.5)),
        ]
        await store.record(held, [], [], BEGAN + timedelta(days=20), lines)
        store.close()

    asyncio.run(write())
    return files


def test_availability_of_a_month_is_a_table_of_80_columns_worst_first(ledger: Daemon) -> None:
    said = run("availability", "--from", "2026-11-01", "--until", "2026-11-02", files=ledger)
    assert (said.exit_code, said.stderr) == (0, "")
    assert said.stdout.splitlines() == [
        "00:00:00 01/11/2026 to 00:00:00 02/11/2026 (Viet Nam)",
        "target             %     % net    degraded        down     excused     unknown",
        "xa-b/tslcd    99.929    99.929           -     0:01:01           -           -",
        "xa-a/tslcd   100.000   100.000           -           -           -           -",
    ]
    assert max(map(len, said.stdout.splitlines())) <= 80


def test_availability_by_provider_for_a_spreadsheet_and_for_programs(ledger: Daemon) -> None:
    by = ("availability", "--month", "2026-11", "--by", "provider")
    table = list(csv.DictReader(io.StringIO(run(*by, "--format", "csv", files=ledger).stdout)))
    assert [(each["key"], float(each["down_seconds"])) for each in table] == [("viettel", 60.5), ("vnpt", 0.0)]
    found = json.loads(run(*by, "--format", "json", files=ledger).stdout)
    assert (found["by"], found["from"]) == ("provider", "2026-10-31T17:00:00Z")
    assert [each["key"] for each in found["items"]] == ["viettel", "vnpt"]
    assert list(found["items"][0]) == list(table[0])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("--month", "11"), "month is not understood; write it like 2026-11\n"),
        (("--until", "2026-11-01"), "until needs from\n"),
    ],
)
def test_availability_tells_a_time_that_it_does_not_understand(
    given: tuple[str, ...], says: str, files: Daemon
) -> None:
    said = run("availability", *given, files=files)
    assert (said.exit_code, said.stderr) == (1, says)


def test_availability_without_a_database_says_so(files: Daemon) -> None:
    said = run("availability", files=files)
    assert (said.exit_code, said.stderr) == (1, f"{files.database}: there is no database yet; the daemon makes it\n")


def test_who_tells_from_the_files_alone_who_would_be_mailed_and_why(files: Daemon) -> None:
    code, said, _ = files.run("who", "center/portal", "--at", "2026-12-01T02:10", "--lang", "en")
    assert code == 0
    assert said.startswith("Public-service portal – ")
    assert "at 02:10 01/12/2026" in said
    assert "  Support <support@systems.example>: is told of incidents with cause the service\n" in said
    assert "  Lines <lines@systems.example>: wants only incidents with cause the line\n" in said
    assert "Báo ngay:" in files.run("who", "center/portal")[1]
    assert "mức Thấp" in files.run("who", "center/portal", "--severity", "minor")[1]
    assert "did you mean: center/portal" in files.run("who", "portal")[2]
