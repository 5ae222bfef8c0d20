"""How fast counters grow. Pure: time comes in with each call."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping


class Pace:
    """Of counters whose values it is told from time to time."""

    def __init__(self, over_seconds: float = 60.0) -> None:
        """The pace is the mean over so long."""
        self._over = over_seconds
        self._told: deque[tuple[float, Mapping[str, int]]] = deque()

    def tell(self, now: float, counts: Mapping[str, int]) -> None:
        """The values now; `now` in seconds of a clock that nobody sets."""
        self._told.append((now, counts))
        while len(self._told) > 2 and self._told[1][0] <= now - self._over:
            self._told.popleft()

    def per_second(self) -> dict[str, float]:
        """By counter; nothing before it was told twice."""
        if len(self._told) < 2:
            return {}
        (began, before), (ended, after) = self._told[0], self._told[-1]
        return {name: (count - before.get(name, 0)) / (ended - began) for name, count in after.items()}
