"""How late our own event loop is: what a run measures includes it, and a time-out may be nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from weakref import WeakKeyDictionary

EVERY_SECONDS = 0.1
LEAST_SECONDS = 0.01
"""Less is the usual course of a busy loop."""


class Lag:
    """Wakes again and again, and adds up how much too late."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.told: Callable[[float], None] = lambda _: None
        """Called with the lateness of each waking, in seconds."""
        self._clock = loop.time
        self._call_at = loop.call_at
        self._sum = 0.0
        self._wait()

    def seconds(self) -> float:
        """All of it since the start, with that of a waking that is overdue just now."""
        return self._sum + _counted(self._clock() - self._due)

    def _wait(self) -> None:
        self._due = self._clock() + EVERY_SECONDS
        self._call_at(self._due, self._wake)

    def _wake(self) -> None:
        late = max(0.0, self._clock() - self._due)
        self._sum += _counted(late)
        self._wait()
        self.told(late)


def _counted(late: float) -> float:
    return late if late > LEAST_SECONDS else 0.0


_lags: WeakKeyDictionary[asyncio.AbstractEventLoop, Lag] = WeakKeyDictionary()


def lag() -> Lag:
    """That of the running loop, from the first call on."""
    loop = asyncio.get_running_loop()
    found = _lags.get(loop)
    if found is None:
        found = _lags[loop] = Lag(loop)
    return found
