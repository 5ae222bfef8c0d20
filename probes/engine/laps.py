"""How long each phase of a run took."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from probes.registry import labelled


class Laps:
    """Measurements of a run, with the seconds of its phases among them."""

    def __init__(self, metric: str, phases: Iterable[str] = ()) -> None:
        """`metric` is the name under which phases are told; the first one begins now. Those of `phases` are told even if they never come."""
        self.values = {labelled(metric, phase=each): 0.0 for each in phases}
        self._metric = metric
        self._clock = asyncio.get_running_loop().time
        self._mark = self._clock()

    def begin(self) -> None:
        """The next phase begins now, and not where the last one ended."""
        self._mark = self._clock()

    def lap(self, phase: str) -> None:
        """The phase that ends now; what comes twice counts twice."""
        now, key = self._clock(), labelled(self._metric, phase=phase)
        self.values[key] = self.values.get(key, 0.0) + now - self._mark
        self._mark = now
