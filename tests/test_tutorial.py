"""docs/tutorial.md, followed to the letter, but for the steps that need the running lab."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from monitor.cli import main

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(
    r"^```(?:yaml)?\n(.*?)^```$", (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8"), re.M | re.S
)


def run(*command: str) -> Result:
    return CliRunner().invoke(main, [*command, "--settings", "mine/settings.yaml"])


def test_the_tutorial_says_what_a_newcomer_will_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    added, told, planned, renamed = BLOCKS
    for name in ("config", "mine"):
        shutil.copytree(ROOT / "config", tmp_path / name)
    monkeypatch.chdir(tmp_path)
    communes = Path("mine/inventory/communes.yaml")
    assert run("check", "--without-secrets").exit_code == 0

    communes.write_text(communes.read_text(encoding="utf-8") + added, encoding="utf-8")
    wrong = run("check", "--without-secrets")
    assert (wrong.exit_code, wrong.stderr) == (1, told)

    mended = communes.read_text(encoding="utf-8").replace("pop-phuly", "pop-phu-ly").replace("viettell", "viettel")
    communes.write_text(mended, encoding="utf-8")
    assert run("check", "--without-secrets").exit_code == 0
    assert run("plan", "--against", "config", "--lang", "en").stdout == planned

    shutil.copytree("mine", "before")
    communes.write_text(mended.replace("  - id: xa-moi\n", renamed), encoding="utf-8")
    other = run("plan", "--against", "before", "--lang", "en").stdout
    assert "= sites (1): xa-moi → xa-moi-2" in other
    assert not re.search("^[+-] ", other, re.M)
