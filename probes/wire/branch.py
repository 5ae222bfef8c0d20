"""What a device tells of itself as a tree, whether it wrote XML or JSON, and how a path finds values in it. No I/O.

Bounded: whoever writes a tree counts its branches (`Growth`), and a path finds no more than it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

MOST_BRANCHES = 10_000
"""The whole status of a room in a call has about a thousand."""
MOST_DEPTH = 32
MOST_TEXT = 256
"""Characters of a value; more are no number and no word."""
ANY = "*"


class ProtocolError(Exception):
    """The bytes are not the document that was asked for."""


@dataclass(slots=True)
class Branch:
    """A value, or what has values below it."""

    text: str = ""
    below: dict[str, list[Branch]] = field(default_factory=dict)
    """By name; several of a name are the rows of a list."""

    def grow(self, name: str) -> Branch:
        """A new branch below it."""
        made = Branch()
        self.below.setdefault(name, []).append(made)
        return made


@dataclass(slots=True)
class Growth:
    """How large a tree has become; raises ProtocolError beyond its bounds."""

    branches: int = 0

    def more(self, depth: int) -> None:
        """One more, at this depth."""
        self.branches += 1
        if self.branches > MOST_BRANCHES:
            raise ProtocolError(f"more than {MOST_BRANCHES} values")
        if depth > MOST_DEPTH:
            raise ProtocolError(f"deeper than {MOST_DEPTH} levels")


Chain = Sequence[Branch]
"""From the first name of a path to the value."""


def find(root: Branch, path: Sequence[str]) -> Iterator[Chain]:
    """Where the path leads, in the order of the document; `*` stands for any name."""
    yield from _below(root, path, ())


def _below(branch: Branch, path: Sequence[str], above: tuple[Branch, ...]) -> Iterator[Chain]:
    if not path:
        yield above
        return
    name, *rest = path
    for each in [row for rows in branch.below.values() for row in rows] if name == ANY else branch.below.get(name, ()):
        yield from _below(each, rest, (*above, each))


Known = dict[tuple[int, tuple[str, ...]], str | None]
"""What was looked up in rows of a tree, by `id` of the row: rows share what is above them, and below that there may be thousands."""


def beside(chain: Chain, path: Sequence[str], other: Sequence[str], known: Known) -> str | None:
    """The value of another path in the same row as the end of `path`, or of that end itself; None when there is none."""
    if path == other:
        return chain[-1].text
    shared = 0
    while shared < min(len(path), len(other)) - 1 and path[shared] == other[shared]:
        shared += 1
    if not shared:
        return None
    row, rest = chain[shared - 1], tuple(other[shared:])
    if (id(row), rest) not in known:
        found = next(_below(row, rest, ()), None)
        known[id(row), rest] = found[-1].text if found else None
    return known[id(row), rest]
