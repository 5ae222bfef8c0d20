"""Due → compose → send → mark. A mail leaves the outbox only when a relay has taken it or refused it for good."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from alerts.compose import Composer
from alerts.mailer import Delivery, Mailer, Outcome
from monitor.core.ledger import Cost
from monitor.core.model import Inventory, Notification

log = logging.getLogger(__name__)

POLL_SECONDS = 2.0
AT_ONCE = 4
"""Connections to the relays at a time."""
BATCH = 32
MARK_AGAIN_SECONDS = 1.0
"""Pause before a mail that could not be marked is marked again."""
FIRST_RETRY = timedelta(seconds=5)
LONGEST_RETRY = timedelta(minutes=5)


class QueueError(Exception):
    """The queue cannot be read or written now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A notification that is due."""

    id: str
    notification: Notification
    attempts: int
    """Which try this is, from 1."""
    queued_at: datetime


class Queue(Protocol):
    """Where notifications wait; each method raises QueueError when it cannot."""

    async def take(self, now: datetime, limit: int) -> Sequence[Queued]:
        """Those that are due, leased to the caller."""

    async def sent(self, id: str, at: datetime, answer: str) -> None:  # noqa: A002
        """Taken by a relay."""

    async def defer(self, id: str, until: datetime, error: str) -> None:  # noqa: A002
        """To be tried again."""

    async def fail(self, id: str, at: datetime, error: str) -> None:  # noqa: A002
        """Refused for good."""


def backoff(attempts: int) -> timedelta:
    """Time to the next try after `attempts` tries: 5 s, doubled each time, up to 5 minutes."""
    doubled: timedelta = FIRST_RETRY * (1 << min(attempts - 1, 10))
    return min(LONGEST_RETRY, doubled)


async def _unknown(_: Notification) -> None:
    return None


class Outbox:
    """Empties the queue."""

    def __init__(
        self,
        *,
        queue: Queue,
        composer: Composer,
        mailer: Mailer,
        inventory: Callable[[], Inventory],
        clock: Callable[[], datetime],
        on_result: Callable[[str], None],
        cost: Callable[[Notification], Awaitable[Cost | None]] = _unknown,
    ) -> None:
        """`cost` tells what an incident that is over took; it never raises."""
        self._queue, self._composer, self._mailer = queue, composer, mailer
        self._inventory, self._clock, self._on_result = inventory, clock, on_result
        self._cost = cost
        self._wake = asyncio.Event()
        self._slots = asyncio.Semaphore(AT_ONCE)

    def wake(self) -> None:
        """Something was queued."""
        self._wake.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            self._wake.clear()
            try:
                due = await self._queue.take(self._clock(), BATCH)
            except QueueError as error:
                log.error("the outbox cannot be read: %s", error)  # noqa: TRY400
                due = ()
            ends = await asyncio.gather(*(self._deliver(each) for each in due), return_exceptions=True)
            for queued, end in zip(due, ends, strict=True):
                if isinstance(end, Exception):  # a mistake of ours: the mail is due again when its lease ends
                    log.error("mail %s was not handled: %s", queued.id, end, exc_info=end)
            if not due:
                await self._sleep()

    async def _sleep(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _deliver(self, queued: Queued) -> None:
        contact = queued.notification.contact
        async with self._slots:
            try:
                cost = await self._cost(queued.notification)
                message = self._composer.compose(queued.notification, self._inventory(), self._clock(), cost)
            except Exception as error:
                # An address that the e-mail package cannot write: it would not be better next time, nor after a restart.
                log.exception("mail %s to %s cannot be written", queued.id, contact.id)
                outcome = Outcome(delivery=Delivery.REFUSED, answer=f"cannot be written: {error}")
            else:
                outcome = await self._mailer.send(message, contact.email)
        self._on_result(outcome.delivery.value)
        await self._mark(queued, outcome)

    async def _mark(self, queued: Queued, outcome: Outcome) -> None:
        """Write down how it ended, however long the database takes: what is not marked sent is sent again."""
        while True:
            try:
                await self._mark_once(queued, outcome)
            except QueueError as error:
                log.error("mail %s is %s, which cannot be written yet: %s", queued.id, outcome.delivery, error)  # noqa: TRY400
                await asyncio.sleep(MARK_AGAIN_SECONDS)
            else:
                return

    async def _mark_once(self, queued: Queued, outcome: Outcome) -> None:
        now, contact = self._clock(), queued.notification.contact
        if outcome.delivery is Delivery.SENT:
            await self._queue.sent(queued.id, now, outcome.answer)
            log.info(
                "mail %s to %s taken by %s",
                queued.id,
                contact.id,
                outcome.relay,
                extra={"incident": queued.notification.thread},
            )
        elif outcome.delivery is Delivery.REFUSED:
            await self._queue.fail(queued.id, now, outcome.answer)
            log.error("mail %s to %s refused for good: %s", queued.id, contact.id, outcome.answer)
        else:
            wait = backoff(queued.attempts)
            await self._queue.defer(queued.id, now + wait, outcome.answer)
            log.warning("mail %s to %s not sent, again in %s: %s", queued.id, contact.id, wait, outcome.answer)
