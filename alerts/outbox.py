"""Due → compose → send → mark. A mail leaves the outbox only when a relay has taken it or refused it for good."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from functools import partial
from typing import Protocol

from alerts.compose import Composer
from alerts.mailer import Delivery, Mailer, Outcome
from alerts.webhook import PREFIX, Webhooks
from monitor.core.ledger import Cost
from monitor.core.model import Inventory, Letter, Notification

log = logging.getLogger(__name__)

UNSENT = ("queued", "sending", "deferred")
"""Statuses of what is to be handed over as soon as may be."""
HELD = "held"
"""Status of what waits for a summary."""
DONE = ("summed", "sent", "failed", "superseded")
"""Nothing more happens to these by itself."""
STATUSES = (*UNSENT, HELD, *DONE)
POLL_SECONDS = 2.0
AT_ONCE = 4
"""Mails that are being handed over at a time."""
MARK_AGAIN_SECONDS = 1.0
"""Pause before a mail that could not be marked is marked again."""
FIRST_RETRY = timedelta(seconds=5)
LONGEST_RETRY = timedelta(minutes=5)
JITTER = 0.5
"""What the wait for the next try may be shorter, as a part of it: mails that failed together do not come back together."""
LINGER_SECONDS = 3.0
"""At the end, what is being handed over may take so long: a mail that is broken off is sent again at the next start."""


class QueueError(Exception):
    """The queue cannot be read or written now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A mail that is due."""

    id: str
    mail: Notification | Letter
    attempts: int
    """Which try this is, from 1."""
    queued_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the mails stand."""

    counts: Mapping[str, int] = field(default_factory=dict)
    """By status."""
    oldest: Mapping[str, datetime] = field(default_factory=dict)
    """By status of those that are still to be sent: when the oldest was queued."""
    waits: str = ""
    """To whom the oldest that was tried goes, and what the relays said."""
    failed: Sequence[str] = ()
    """Those that were given up lately, newest first: to whom, and why."""

    @property
    def unsent(self) -> int:
        """How many are still to be sent."""
        return sum(self.counts.get(each, 0) for each in UNSENT)

    def longest_seconds(self, now: datetime) -> float:
        """How long the oldest has waited; 0 when none waits."""
        return max(self.oldest_seconds(now).values(), default=0.0)

    def oldest_seconds(self, now: datetime) -> Mapping[str, float]:
        """Ages of the oldest; a clock that was set back makes none of them younger than new."""
        return {status: max(0.0, (now - at).total_seconds()) for status, at in self.oldest.items()}


class Queue(Protocol):
    """Where notifications wait; each method raises QueueError when it cannot."""

    async def take(self, now: datetime, limit: int, busy: Collection[str] = ()) -> Sequence[Queued]:
        """Those that are due, leased to the caller; none of `busy`, which it has still in hand."""

    async def hasten(self, now: datetime) -> None:
        """All that were put off are due."""

    async def sent(self, id: str, at: datetime, answer: str) -> None:  # noqa: A002
        """Taken by a relay."""

    async def defer(self, id: str, until: datetime, error: str) -> None:  # noqa: A002
        """To be tried again."""

    async def fail(self, id: str, at: datetime, error: str) -> None:  # noqa: A002
        """Refused for good."""


def backoff(attempts: int, early: float = 0.0) -> timedelta:
    """Time to the next try after `attempts` tries: 5 s, doubled each time, up to 5 minutes; `early`, 0 to 1, of JITTER less."""
    doubled: timedelta = min(LONGEST_RETRY, FIRST_RETRY * (1 << min(attempts - 1, 10)))
    return doubled * (1 - JITTER * early)


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
        webhooks: Webhooks,
        inventory: Callable[[], Inventory],
        clock: Callable[[], datetime],
        on_result: Callable[[str], None],
        cost: Callable[[Notification], Awaitable[Cost | None]] = _unknown,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`cost` tells what an incident that is over took, and never raises; `chance` gives 0 to 1: how much earlier than at
        the end of its wait a mail is tried again.
        """
        self._queue, self._composer, self._mailer = queue, composer, mailer
        self._inventory, self._clock, self._on_result = inventory, clock, on_result
        self._webhooks, self._cost, self._chance = webhooks, cost, chance
        self._wake = asyncio.Event()
        self._flying: dict[str, asyncio.Task[None]] = {}
        """Mails that are being handed over, by id."""
        self._stuck = False
        """No relay was in a state to take the last mail."""

    def wake(self) -> None:
        """Something was queued."""
        self._wake.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        try:
            while True:
                self._wake.clear()
                due = await self._take(AT_ONCE - len(self._flying))
                for queued in due:
                    flight = asyncio.create_task(self._deliver(queued), name=queued.id)
                    self._flying[queued.id] = flight
                    flight.add_done_callback(partial(self._landed, queued))
                if not due:
                    await self._sleep()
        finally:
            await self._linger()

    async def _take(self, free: int) -> Sequence[Queued]:
        if not free:
            return ()
        try:
            return await self._queue.take(self._clock(), free, tuple(self._flying))
        except QueueError as error:
            log.error("the outbox cannot be read: %s", error)  # noqa: TRY400
            return ()

    def _landed(self, queued: Queued, flight: asyncio.Task[None]) -> None:
        del self._flying[queued.id]
        self._wake.set()  # a place is free, and the next of its thread may go
        if not flight.cancelled() and (error := flight.exception()) is not None:
            # A mistake of ours: the mail is due again when its lease ends.
            log.error("mail %s was not handled: %s", queued.id, error, exc_info=error)

    async def _linger(self) -> None:
        """Let those that are under way arrive."""
        flights = tuple(self._flying.values())
        if flights:
            await asyncio.wait(flights, timeout=LINGER_SECONDS)
        for each in flights:
            each.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    async def _sleep(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _deliver(self, queued: Queued) -> None:
        mail = queued.mail
        if isinstance(mail, Notification) and mail.contact.id.startswith(PREFIX):
            outcome = await self._webhooks.send(mail, self._clock())
        else:
            outcome = await self._mail(mail)
        self._on_result(outcome.delivery.value)
        await self._mark(queued, outcome)

    async def _mail(self, mail: Notification | Letter) -> Outcome:
        contact = mail.contact
        try:
            message = await self._message(mail)
        except Exception as error:
            # An address that the e-mail package cannot write: it would not be better next time, nor after a restart.
            log.exception("mail %s to %s cannot be written", mail.id, contact.id)
            return Outcome(delivery=Delivery.REFUSED, answer=f"cannot be written: {error}")
        outcome = await self._mailer.send(message, contact.email)
        self._stuck, was_stuck = outcome.relays_failed, self._stuck
        if was_stuck and outcome.delivery is Delivery.SENT:
            with suppress(QueueError):
                await self._queue.hasten(self._clock())  # what waits longest would wait for minutes still
        return outcome

    async def _message(self, mail: Notification | Letter) -> EmailMessage:
        if isinstance(mail, Letter):
            return self._composer.post(mail, self._clock())
        cost = await self._cost(mail)
        return self._composer.compose(mail, self._inventory(), self._clock(), cost)

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
        now, contact = self._clock(), queued.mail.contact
        if outcome.delivery is Delivery.SENT:
            await self._queue.sent(queued.id, now, outcome.answer)
            log.info(
                "mail %s to %s taken by %s",
                queued.id,
                contact.id,
                outcome.relay,
                extra={"incident": queued.mail.thread} if isinstance(queued.mail, Notification) else None,
            )
        elif outcome.delivery is Delivery.REFUSED:
            await self._queue.fail(queued.id, now, outcome.answer)
            log.error("mail %s to %s refused for good: %s", queued.id, contact.id, outcome.answer)
        else:
            wait = backoff(queued.attempts, self._chance())
            await self._queue.defer(queued.id, now + wait, outcome.answer)
            log.warning(
                "mail %s to %s not sent, again in %.0f s: %s",
                queued.id,
                contact.id,
                wait.total_seconds(),
                outcome.answer,
            )
