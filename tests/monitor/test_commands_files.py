"""What `check` prints and how it exits."""

from __future__ import annotations

import json
import re

import pytest

from monitor.problems import as_github
from monitor.yamlfile import Problem
from tests.monitor.daemon import MORE, Daemon, run


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
    assert f"`{bad}` is no mail address: write Name <address>" in said.stderr


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
