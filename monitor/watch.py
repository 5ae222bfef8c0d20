"""When files that people edit should be taken over: once nothing was written to them for a while.

Looked at every few seconds rather than told by the kernel: that works on every file system and container mount, and what must
be waited for is the end of writing anyway.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from pathlib import Path

LOOK_SECONDS = 2.0
QUIET_SECONDS = 3.0
"""Files that were not written to for so long are tried."""
BROKEN_SECONDS = 10.0
"""Files with a mistake are looked at once more after this time, and are then said to be wrong: before, somebody may just be copying."""

Stamp = tuple[tuple[str, int, int, int], ...]
"""Of each file its name, number, time of last change in ns and size."""


def stamp(files: Iterable[Path]) -> Stamp:
    """How the files are now; those that are not there, or not to be read, are left out."""
    found = []
    for file in files:
        try:
            seen = file.stat()
        except OSError:
            continue
        found.append((str(file), seen.st_ino, seen.st_mtime_ns, seen.st_size))
    return tuple(found)


class Due(Enum):
    """What is to be done with the files now."""

    NOTHING = "nothing"
    TRY = "try"
    """Take them over, and keep a mistake to yourself."""
    INSIST = "insist"
    """Take them over, or say what is wrong."""


class Watch:
    """Watches one set of files; times are seconds of any clock that nobody sets."""

    def __init__(self, now: Stamp) -> None:
        """`now` is in force."""
        self._settled = self._seen = now
        self._since = 0.0
        self._tried = False

    def look(self, now: Stamp, at: float) -> Due:
        """What follows from how the files are at this moment."""
        if now != self._seen:
            self._seen, self._since, self._tried = now, at, False
        age = at - self._since
        if self._seen == self._settled or age < (BROKEN_SECONDS if self._tried else QUIET_SECONDS):
            return Due.NOTHING
        return Due.INSIST if self._tried else Due.TRY

    def tried(self, *, good: bool) -> None:
        """How it ended: good files are in force, bad ones were told when it was insisted."""
        if good or self._tried:
            self._settled = self._seen
        self._tried = True
