"""How much of something may be: so many at once, and so many a second in the long run (token bucket)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Bucket:
    """So many at once, and so many a second in the long run."""

    most: float
    a_second: float
    _left: float = field(init=False)
    _at: float = 0.0

    def __post_init__(self) -> None:
        self._left = self.most

    def take(self, now: float) -> bool:
        """Whether one more may be; `now` in seconds of a monotonic clock."""
        self._left = min(self.most, self._left + max(0.0, now - self._at) * self.a_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
