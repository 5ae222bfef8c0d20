"""How long each phase of a run took."""

from __future__ import annotations

import asyncio

from probes.registry import labelled


class Laps:
    """Measurements of a run, with the seconds of its phases among them."""

    def __init__(self, metric: str) -> None:
        """`metric` is the name under which phases are told; the first one begins now."""
        self.values: dict[str, float] = {}
        self._metric = metric
        self._clock = asyncio.get_running_loop().time
        self._mark = self._clock()

    def lap(self, phase: str) -> None:
        """The phase that ends now."""
        now = self._clock()
        self.values[labelled(self._metric, phase=phase)] = now - self._mark
        self._mark = now
