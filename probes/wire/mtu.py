"""Which size to try next, to find the largest packet that a path takes whole (RFC 4821 section 7.3). No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field

LEAST_4, LEAST_6 = 576, 1280
"""What every IPv4 host takes (RFC 791), and every line of IPv6 (RFC 8200)."""


@dataclass(slots=True)
class Search:
    """Between a size that must pass and the largest that is asked about; in bytes of the whole packet."""

    least: int
    most: int
    good: int = 0
    """The largest that passed."""
    bad: int = field(init=False)
    """The smallest that did not."""
    _hint: int = 0
    _named: int = 0

    def __post_init__(self) -> None:
        self.bad = self.most + 1

    def next(self) -> int | None:
        """The least first, for it tells whether somebody answers; then the most; then what a hop named, or halves. None: done."""
        if not self.good:
            return self.least if self.bad > self.least else None
        if self.bad - self.good <= 1:
            return None
        if self.bad > self.most:
            return self.most
        hint, self._hint = self._hint, 0
        return hint if self.good < hint < self.bad else (self.good + self.bad) // 2

    def passed(self, size: int) -> None:
        """A packet of this size was answered."""
        self.good = max(self.good, size)
        self._hint = size + 1 if size == self._named else 0  # one more shows that the hop was right

    def failed(self, size: int, mtu: int = 0) -> None:
        """None of this size was, and a hop named what it takes instead."""
        self.bad = min(self.bad, size)
        self._hint = self._named = mtu
