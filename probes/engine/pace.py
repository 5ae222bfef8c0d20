"""No more than so many packets a second, evenly, whoever of us sends them."""

from __future__ import annotations

import asyncio


class EvenPace:
    """Lets `rate` through a second, each in its turn; what was not used is not made up for."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._next = 0.0

    async def wait(self) -> None:
        """Until the next turn."""
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next)
        self._next = turn + 1 / self.rate
        if turn > now:
            await asyncio.sleep(turn - now)
