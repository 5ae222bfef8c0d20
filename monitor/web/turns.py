"""Of many answers at a time one is made in each round of the event loop, so that checks come in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator


class Turns:
    """One answer, or piece of a scrape, is made in a round of the loop, however many are asked for."""

    def __init__(self) -> None:
        self._first = asyncio.Lock()

    async def mine(self) -> None:
        """Return when it is the caller's turn to work until it waits again."""
        async with self._first:
            await asyncio.sleep(0)

    async def each(self, pieces: AsyncIterator[str]) -> AsyncIterator[str]:
        """The pieces, each made in its turn."""
        await self.mine()
        async for piece in pieces:
            yield piece
            await self.mine()
