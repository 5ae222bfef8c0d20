"""Files of the inventory get new contents: all of them or none, and none that somebody else has changed meanwhile."""

from __future__ import annotations

import contextlib
import difflib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.yamlfile import ConfigError, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a file becomes."""

    file: Path
    before: bytes | None
    """What it held when the change was made up; None: there was none."""
    after: bytes


def differences(changes: Sequence[Change]) -> Iterator[str]:
    """The lines that go (-) and come (+), with a few around them."""
    for each in changes:
        before, after = ((data or b"").decode("utf-8-sig").splitlines() for data in (each.before, each.after))
        yield from difflib.unified_diff(before, after, str(each.file), str(each.file), lineterm="")


def contents(changes: Sequence[Change]) -> Mapping[Path, bytes]:
    """As they would be, to be checked before they are written."""
    return {each.file: each.after for each in changes}


def write(changes: Sequence[Change]) -> None:
    """Write all, each whole at once; raises ConfigError, and then nothing was written but what the message names."""
    for each in changes:
        if held(each.file) != each.before:
            raise ConfigError(
                [Problem(str(each.file), 0, 0, "was changed meanwhile", "nothing was written: run it again")]
            )
    beside = {each.file: _beside(each.file) for each in changes}
    written: list[Path] = []
    file = Path()
    try:
        for each in changes:
            file = each.file
            _write(beside[file], each.after)
            if each.before is not None:
                shutil.copymode(file, beside[file])
        for file, made in beside.items():
            made.replace(file.resolve())
            written.append(file)
    except OSError as error:
        hint = f"written before it: {', '.join(map(str, written))}" if written else "nothing was written"
        raise ConfigError([Problem(str(file), 0, 0, f"cannot be written: {error.strerror}", hint)]) from error
    finally:
        for made in beside.values():
            with contextlib.suppress(OSError):
                made.unlink()


def _write(file: Path, data: bytes) -> None:
    """On disk for good, so that a power cut leaves the old contents or the new ones."""
    with file.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def held(file: Path) -> bytes | None:
    """What a file holds, or None where there is none; raises ConfigError."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError([Problem(str(file), 0, 0, f"cannot be read: {error.strerror}")]) from error


def _beside(file: Path) -> Path:
    """Where it is written first: beside what a link leads to, under a name that is no part of an inventory."""
    real = file.resolve()
    return real.with_name(f".{real.name}.new")
