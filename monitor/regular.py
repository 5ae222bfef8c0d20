"""Makes the daily and monthly summaries when they are due, and puts them into the outbox; each once, whatever happens in between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Protocol

from alerts import daily, monthly
from alerts.attached import attached
from alerts.compose import Composer
from alerts.regular import Due, Every, due, last_day, last_month
from alerts.routing import Routing
from monitor import once
from monitor.archive import ArchiveError
from monitor.core.account import Account
from monitor.core.ledger import By, Report, Span
from monitor.core.model import Attached, Held, Incident, Inventory, Letter
from monitor.core.words import WORDS
from monitor.database import StoreError
from monitor.once import Once

log = logging.getLogger(__name__)

LOOK_SECONDS = 15.0
RETRY_SECONDS = 120.0
"""Pause after a summary could not be made."""


class Letters(once.Letters, Protocol):
    """Where summaries wait to be sent."""

    async def last(self, every: str, contact: str) -> datetime | None:
        """When the last of them for a contact was written; raises StoreError."""


class Past(Protocol):
    """What was written down."""

    async def availability(self, by: By, span: Span) -> Report | None:
        """Sums of the ledger; None when it cannot be read now."""

    async def account(self, span: Span) -> Account:
        """What all targets were in a span; raises ArchiveError."""

    async def incidents(self, span: Span) -> Sequence[Incident]:
        """That were open in a span; raises ArchiveError."""

    async def watched_since(self) -> datetime | None:
        """When a daemon began here first; None: never. Raises ArchiveError."""


class Regular:
    """Looks what is due."""

    def __init__(
        self,
        *,
        letters: Letters,
        past: Past,
        held: Callable[[], Mapping[str, Held]],
        routing: Callable[[], Routing],
        inventory: Callable[[], Inventory],
        composer: Composer,
        board: str,
        clock: Callable[[], datetime],
        written: Callable[[], None],
    ) -> None:
        """`held` says what every target is held to be now; `written` is told when there is something to send."""
        self._letters, self._past, self._held = letters, past, held
        self._routing, self._inventory, self._composer, self._board = routing, inventory, composer, board
        self._clock, self._once = clock, Once(letters, written)

    async def run(self, settled: Awaitable[None]) -> None:
        """Look until cancelled; not before everything was seen, or a daily summary would call it unknown."""
        await settled
        while True:
            done = await self.look()
            await asyncio.sleep(LOOK_SECONDS if done else RETRY_SECONDS)

    async def look(self) -> bool:
        """Write what is due; whether nothing of it is left."""
        now = self._clock()
        wanted = {each.id: each for each in due(self._routing(), now)}
        try:
            await self._once.write(wanted, lambda fresh: self._made(fresh, now), now)
        except (StoreError, ArchiveError) as error:
            log.error("summaries could not be made, tried again in %g s: %s", RETRY_SECONDS, error)  # noqa: TRY400
        except Exception:
            log.exception("summaries could not be made by a mistake of ours, tried again in %g s", RETRY_SECONDS)
        else:
            return True
        return False

    async def _made(self, fresh: Sequence[Due], now: datetime) -> list[Letter]:
        first = await self._past.watched_since()
        # Of a time in which nobody watched it would say that all was quiet.
        wanted = [each for each in sorted(fresh, key=attrgetter("id")) if first is None or first < each.at]
        monthly_ones = [each for each in wanted if each.every is Every.MONTHLY]
        account = await self._past.account(last_month(now)) if monthly_ones else None
        reports = {
            each: await asyncio.to_thread(attached, account, self._inventory(), WORDS[each])
            for each in {due.contact.language for due in monthly_ones}
            if account is not None
        }
        made = []
        for each in wanted:
            if each.every is Every.DAILY:
                day = await self._day(each, now, first)
                made.append(await asyncio.to_thread(self._daily, each, day))  # thousands of lines of a nation
            elif account is not None:
                report = reports[each.contact.language]
                made.append(await asyncio.to_thread(self._monthly, each, account, report))
        return made

    def _daily(self, wanted: Due, day: daily.Day) -> Letter:
        given = daily.told(day, self._inventory(), WORDS[wanted.contact.language], self._board)
        return self._composer.letter(wanted.every.value, wanted.contact, wanted.id, given)

    def _monthly(self, wanted: Due, account: Account, report: tuple[Attached, ...]) -> Letter:
        given = monthly.told(account, self._inventory(), WORDS[wanted.contact.language])
        return self._composer.letter(wanted.every.value, wanted.contact, wanted.id, given, report)

    async def _day(self, wanted: Due, now: datetime, first: datetime | None) -> daily.Day:
        span = last_day(now, await self._letters.last(wanted.every.value, wanted.contact.id), first)
        held, lines = dict(self._held()), await self._past.availability(By.LINK, span)
        if lines is None:
            raise ArchiveError("the ledger cannot be read")
        return daily.Day(
            span=span,
            incidents=await self._past.incidents(span),
            held=held,
            lines=lines,
        )
