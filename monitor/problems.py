"""Problems of the files that people write, as text with the line that each stands in, as JSON, or for GitHub Actions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from monitor.yamlfile import MAX_BYTES, Problem

LONGEST_LINE = 160
"""Characters of a line of a file that are shown."""


def as_text(problems: Sequence[Problem]) -> Iterator[str]:
    """Each with its line and a mark below the place."""
    lines: dict[str, list[str]] = {}
    for each in problems:
        yield str(each)
        if each.file not in lines:
            lines[each.file] = _lines(each.file)
        if 0 < each.line <= len(lines[each.file]) and each.column:
            line, number = lines[each.file][each.line - 1], f"{each.line:>6}"
            if line.isprintable() and len(line) <= LONGEST_LINE:
                yield f"{number} | {line}"
                yield f"{'':>6} | {'':>{each.column - 1}}^"


def _lines(file: str) -> list[str]:
    try:
        with Path(file).open(encoding="utf-8-sig") as stream:
            return stream.read(MAX_BYTES).split("\n")
    except (OSError, UnicodeDecodeError):
        return []


def as_json(problems: Sequence[Problem]) -> Iterator[str]:
    """A list of objects; line and column are 0 where a whole file is meant."""
    found = [
        {
            "file": each.file, "line": each.line, "column": each.column, "severity": _severity(each),
            "message": each.message, "hint": each.hint,
        }
        for each in problems
    ]  # fmt: skip
    yield json.dumps(found, ensure_ascii=False, indent=2)


def as_github(problems: Sequence[Problem]) -> Iterator[str]:
    """Workflow commands, which GitHub shows beside the lines of a change."""
    for each in problems:
        at = f",line={each.line}" if each.line else ""
        at += f",col={each.column}" if each.column else ""
        said = f"{each.message}{f'; {each.hint}' if each.hint else ''}"
        yield f"::{_severity(each)} file={_escape(each.file, ',:')}{at}::{_escape(said)}"


def _severity(problem: Problem) -> str:
    return "warning" if problem.warning else "error"


def _escape(text: str, more: str = "") -> str:
    for each in f"%\r\n{more}":
        text = text.replace(each, f"%{ord(each):02X}")
    return text


FORMS: Mapping[str, Callable[[Sequence[Problem]], Iterator[str]]] = {
    "text": as_text, "json": as_json, "github": as_github,
}  # fmt: skip
