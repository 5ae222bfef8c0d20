"""Letters that are due, each written once, whatever happens in between: summaries, and reports before meetings."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from monitor.core.model import Letter

log = logging.getLogger(__name__)

D = TypeVar("D")


class Letters(Protocol):
    """Where letters wait to be sent; each method raises StoreError when it cannot."""

    async def known(self, ids: Collection[str]) -> set[str]:
        """Those that were written before."""

    async def write(self, letters: Sequence[Letter], at: datetime) -> None:
        """Queue them, all or none; what is known already changes nothing."""


class Once:
    """Remembers what is done with, so that the database is not asked for it at each look."""

    def __init__(self, letters: Letters, written: Callable[[], None]) -> None:
        """`written` is told when there is something to send."""
        self._letters, self._written = letters, written
        self._done: set[str] = set()

    async def write(
        self, due: Mapping[str, D], make: Callable[[list[D]], Awaitable[Sequence[Letter]]], now: datetime
    ) -> None:
        """Have made what of `due` (by id) was never written, and write it; raises what `make` and the letters raise."""
        self._done &= due.keys()
        if not due.keys() - self._done:
            return
        known = await self._letters.known(due.keys())
        fresh = [each for id_, each in due.items() if id_ not in known]
        if fresh and (made := await make(fresh)):
            await self._letters.write(made, now)
            log.info("written: %s", ", ".join(each.id for each in made))
            self._written()
        self._done |= due.keys()
