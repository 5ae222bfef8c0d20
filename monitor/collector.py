"""Python's collector of cycles, kept from stopping the loop: what stays is left alone, and full runs are rare."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Mapping

from monitor.core.model import Inventory

LOOK_SECONDS = 2.0
SHARE = 0.002
"""Of the time, what full runs of Python's collector of cycles take at most; each stops the loop."""
NEVER = 1 << 30


class FullRuns:
    """Keeps full runs of Python's collector of cycles rare where they are long; those of what is young go on as ever.

    By itself the collector goes through everything whenever there is a quarter more of it. While the nation is seen for the
    first time that is a second each few seconds, and so it is when runs pile up. To be put into `gc.callbacks`.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._usual = gc.get_threshold()
        self._began = self._again = 0.0

    def __call__(self, phase: str, info: Mapping[str, int]) -> None:
        """Told by the collector when a run begins and when it is over."""
        if info["generation"] < 2:
            return
        if phase == "start":
            self._began = self._clock()
        else:
            self._again = self._clock() + (self._clock() - self._began) / SHARE
            gc.set_threshold(*self._usual[:2], NEVER)

    def look(self) -> None:
        """Let there be one again, when it is time."""
        if self._clock() >= self._again:
            gc.set_threshold(*self._usual)


def leave_alone() -> None:
    """What there is by now stays: full runs pass it over."""
    gc.collect()
    gc.freeze()


async def spare_collector(inventory: Callable[[], Inventory], ready: Callable[[], bool]) -> None:
    """Let Python's collector of cycles leave alone what stays: inventory, states, memories of the probes.

    It would go through all of that again and again, and the loop stands still meanwhile: for a nation 1.5 s at a time.
    """
    known, settled = inventory(), False
    runs = FullRuns()
    gc.callbacks.append(runs)
    try:
        while True:
            if not (settled and known is inventory()) and ready():
                known, settled = inventory(), True
                leave_alone()  # what a reload replaces has no cycles, and goes by itself
            runs.look()
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        gc.callbacks.remove(runs)
