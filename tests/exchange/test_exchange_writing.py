"""Changes of files: all of them or none."""

from pathlib import Path

import pytest

from monitor.exchange.writing import Change, differences, write
from monitor.yamlfile import ConfigError


def files(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}


def change(file: Path, after: bytes = b"new\n") -> Change:
    return Change(file=file, before=file.read_bytes() if file.exists() else None, after=after)


def test_old_files_keep_their_mode_and_links_stay_links(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_bytes(b"old\n")
    real.chmod(0o640)
    (tmp_path / "a.yaml").symlink_to(real)
    changes = [change(tmp_path / "a.yaml"), change(tmp_path / "b.yaml")]
    assert [each for each in differences(changes) if each[:1] in "+-" and each[:3] not in ("+++", "---")] == [
        "-old", "+new", "+new",
    ]  # fmt: skip
    write(changes)
    assert files(tmp_path) == {"real": b"new\n", "a.yaml": b"new\n", "b.yaml": b"new\n"}
    assert (tmp_path / "a.yaml").is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640


def test_what_was_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_bytes(b"old")
    second.write_bytes(b"old")
    changes = [change(first), change(second)]
    second.write_bytes(b"by somebody")
    with pytest.raises(ConfigError, match=r"b\.yaml: was changed meanwhile; nothing was written: run it again"):
        write(changes)
    assert files(tmp_path) == {"a.yaml": b"old", "b.yaml": b"by somebody"}


def test_when_one_cannot_be_written_none_is(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"old")
    missing = Change(file=tmp_path / "gone" / "b.yaml", before=None, after=b"new")
    with pytest.raises(
        ConfigError, match=r"b\.yaml: cannot be written: No such file or directory; nothing was written"
    ):
        write([change(tmp_path / "a.yaml"), missing])
    assert files(tmp_path) == {"a.yaml": b"old"}
