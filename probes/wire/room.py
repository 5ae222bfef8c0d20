"""How much one question may ask of an agent: learnt from what it did with the last ones. No I/O.

An agent must say tooBig when an answer does not fit (RFC 3416 section 4.2.1), but small ones fall silent, and answers above
the path's MTU are lost with their fragments. So a question that brought nothing is asked again in halves.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST_VALUES = 48
"""A counter and its OID take about 26 bytes: 48 of them stay below 1,400 bytes, one packet on every line."""
GROW_AFTER_RUNS = 20
"""A lost packet looks like a question that was too big: after so many good runs more is tried again."""
LONGEST_GROW_AFTER = 5120


@dataclass(slots=True)
class Room:
    """How many values a device is asked for at once."""

    size: int = MOST_VALUES
    _good: int = 0
    _grow_after: int = GROW_AFTER_RUNS
    _tried_more: bool = False

    def shrink(self, asked: int) -> bool:
        """`asked` values were too many; False when one value was."""
        if asked <= 1:
            return False
        self.size = max(1, min(self.size, asked) // 2)
        self._good = 0
        if self._tried_more:  # so it was no lost packet: ask for more ever more rarely
            self._grow_after = min(self._grow_after * 2, LONGEST_GROW_AFTER)
            self._tried_more = False
        return True

    def worked(self) -> None:
        """A run went well."""
        if self.size >= MOST_VALUES:
            return
        self._good += 1
        if self._good >= self._grow_after:
            self.size = min(MOST_VALUES, self.size * 2)
            self._good = 0
            self._tried_more = True

    def failed(self, before: int) -> None:
        """A run that began with `before` found no end: the device rather died than choked, so only one step is kept."""
        self.size = max(self.size, before // 2)
