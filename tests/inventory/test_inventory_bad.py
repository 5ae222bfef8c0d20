"""One bad file per mistake, with its exact message in the first line of the file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from monitor.inventory.load import SecretReader, load_inventory
from monitor.yamlfile import ConfigError

HERE = Path(__file__).parent
BAD = sorted((HERE / "bad").glob("*.yaml"))


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


def test_there_is_a_file_for_each_mistake_that_the_issue_names() -> None:
    named = {
        "unknown-key", "wrong-type", "duplicate-site", "duplicate-key", "unknown-parent", "loop", "address-twice", "unreadable-secret",
    }  # fmt: skip
    assert named <= {bad.stem for bad in BAD}
