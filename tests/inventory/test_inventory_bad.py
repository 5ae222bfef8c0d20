"""One bad file per mistake, with its exact message in the first line of the file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from monitor.inventory.load import SecretReader, load_inventory
from monitor.yamlfile import ConfigError, Problem

HERE = Path(__file__).parent
BAD = sorted((HERE / "bad").glob("*.yaml"))
DOUBTFUL = sorted((HERE / "doubtful").glob("*.yaml"))
USED = "sites: [{id: used, name: Used, code: '9', like: commune, vars: {n: 1}, services: {web: {profile: page}}}]"
"""With it all of the good file is used."""


def said(bad: Path, folder: Path) -> str:
    """What loading `bad` beside the good file says, with the folder's own place taken out."""
    shutil.copy(HERE / "good" / "base.yaml", folder)
    shutil.copy(bad, folder / "bad.yaml")
    (folder / "secrets").mkdir()
    (folder / "secrets" / "word").write_text("word")
    try:
        load_inventory(folder, SecretReader(folder / "secrets"))
    except ConfigError as error:
        return str(error).replace(f"{folder}/", "")
    return ""


def expected(bad: Path) -> str:
    return "\n".join(
        line.removeprefix("# ")
        for line in bad.read_bytes().decode(errors="replace").splitlines()
        if line.startswith("# ")
    )


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.stem)
def test_each_mistake_is_told_with_place_and_remedy(bad: Path, tmp_path: Path) -> None:
    assert said(bad, tmp_path) == expected(bad)


@pytest.mark.parametrize("doubtful", DOUBTFUL, ids=lambda each: each.stem)
def test_what_may_be_meant_is_told_as_a_warning_and_taken(doubtful: Path, tmp_path: Path) -> None:
    shutil.copy(HERE / "good" / "base.yaml", tmp_path)
    shutil.copy(doubtful, tmp_path / "bad.yaml")
    (tmp_path / "used.yaml").write_text(USED)
    warnings: list[Problem] = []
    assert load_inventory(tmp_path, None, warnings).targets
    assert "\n".join(map(str, warnings)).replace(f"{tmp_path}/", "") == expected(doubtful)


def test_a_mistake_makes_no_warnings_of_what_it_hides(tmp_path: Path) -> None:
    shutil.copy(HERE / "good" / "base.yaml", tmp_path)
    (tmp_path / "used.yaml").write_text(USED.replace("Used,", "Used, nmae: x,"))
    warnings: list[Problem] = []
    with pytest.raises(ConfigError, match="unknown key `nmae`"):
        load_inventory(tmp_path, None, warnings)
    assert warnings == []


def test_there_is_a_file_for_each_mistake_that_the_issue_names() -> None:
    named = {
        "unknown-key", "wrong-type", "duplicate-site", "duplicate-key", "unknown-parent", "loop", "address-twice", "unreadable-secret",
        "bool-yes", "bool-on", "time-of-day", "octal", "tab", "alias-bomb", "outside-network", "text-and-absent", "icmp-to-name",
        "timeout-longer-than-interval", "missing-provider",
    }  # fmt: skip
    assert named <= {bad.stem for bad in BAD}
    assert len(BAD) >= 60
