"""What the monitor mails about itself when the outbox cannot: that nothing can be written, and that it can again.

Mails leave only after they are written, so a full disk would hold up all of them. These two go straight to the relays:
one with a list of what waits, again when there is more to tell, and one when it is over. They say no more than that;
the mails of the incidents follow by the outbox, which alone makes sure that each arrives.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alerts.compose import Composer
from alerts.mailer import Delivery, Mailer
from alerts.routing import Routing, Scope
from monitor.core.model import Contact, Inventory, Notification

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
AGAIN_SECONDS = 300.0
"""What comes after that is told in one more mail, not sooner than this after the last."""
RETRY_SECONDS = 15.0
SHOWN = 40
"""Incidents in the list."""


def concerned(routing: Routing, at: datetime) -> tuple[Contact, ...]:
    """Who is told about the monitor itself: those of us who are told of every incident; where there are none, everybody."""
    people = {each.id: each for each in routing.contacts.values() if each.email and not each.outsider}
    ways = (each.to for each in routing.routes if not each.after and each.scope == Scope())
    every = dict.fromkeys(routing.shift(each, at).contact.id for each in ways)
    return tuple(people[each] for each in every if each in people) or tuple(people.values())


@dataclass(slots=True)
class _Told:
    contact: Contact
    listed: frozenset[str] = frozenset()
    """Ids of the notifications that the last mail listed."""
    mails: int = 0
    at: float = 0.0
    tried: float | None = None


class Emergency:
    """Looks whether what is decided can be written, and tells those who rely on it when it cannot."""

    def __init__(
        self,
        *,
        unwritten: Callable[[], tuple[float, Sequence[Notification]]],
        trouble: Callable[[], str],
        composer: Composer,
        mailer: Mailer,
        contacts: Callable[[], Sequence[Contact]],
        inventory: Callable[[], Inventory],
        clock: Callable[[], datetime],
        after_seconds: float,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        """`unwritten` says for how many seconds something has waited to be written, and which notifications wait.

        After `after_seconds` of that it is told.
        """
        self._unwritten, self._trouble = unwritten, trouble
        self._composer, self._mailer = composer, mailer
        self._contacts, self._inventory, self._clock, self._steady = contacts, inventory, clock, steady
        self._after = after_seconds
        self._began: datetime | None = None
        """When it was told first; None while all is well."""
        self._told: dict[str, _Told] = {}

    @property
    def told(self) -> datetime | None:
        """Since when somebody knows by mail that nothing can be written."""
        return self._began if any(each.mails for each in self._told.values()) else None

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Tell what is to be told now."""
        seconds, waiting = self._unwritten()
        if seconds >= self._after:
            await self._tell(waiting)
        elif self._began is not None:
            await self._tell_end()

    async def _tell(self, waiting: Sequence[Notification]) -> None:
        self._began = self._began or self._clock()
        waiting = [each for each in waiting if each.contact.email]  # a webhook is told when it is written
        mine: dict[str, list[Notification]] = {each.id: [] for each in self._contacts()}
        for each in waiting:
            mine.setdefault(each.contact.id, []).append(each)
        by_id = {each.id: each for each in (*self._contacts(), *(one.contact for one in waiting))}
        await asyncio.gather(*(self._tell_one(by_id[contact], news) for contact, news in mine.items()))

    async def _tell_one(self, contact: Contact, waiting: Sequence[Notification]) -> None:
        told, now = self._told.setdefault(contact.id, _Told(contact)), self._steady()
        ids = frozenset(each.id for each in waiting)
        if told.mails and (ids <= told.listed or now - told.at < AGAIN_SECONDS):
            return
        last = {each.thread: each for each in waiting}  # of each incident only what happened last
        lines = [(each.event.at, self._composer.subject(each, self._inventory())) for each in last.values()]
        given = {"trouble": self._trouble(), "lines": tuple(lines[-SHOWN:]), "more": max(0, len(lines) - SHOWN)}
        if await self._send("unwritten", told, given):
            told.listed, told.at = ids, now

    async def _tell_end(self) -> None:
        waits = [each for each in self._told.values() if each.mails]
        sent = await asyncio.gather(*(self._send("written", each, {"since": self._began}) for each in waits))
        self._told = {each.contact.id: each for each, done in zip(waits, sent, strict=True) if not done}
        if not self._told:
            self._began = None

    async def _send(self, name: str, told: _Told, given: dict[str, object]) -> bool:
        """Whether a relay has taken it; not tried more often than every RETRY_SECONDS."""
        now = self._steady()
        if told.tried is not None and now - told.tried < RETRY_SECONDS:
            return False
        assert self._began is not None
        thread = f"{self._began:%Y%m%d-%H%M%S}.unwritten"
        first = f"{thread}.0.{told.contact.id}"
        id_ = f"{thread}.{told.mails}.{told.contact.id}"
        letter = self._composer.letter(name, told.contact, id_, given)
        message = self._composer.post(replace(letter, answers="" if id_ == first else first), self._clock())
        outcome = await self._mailer.send(message, told.contact.email)
        if outcome.delivery is not Delivery.SENT:
            told.tried = now
            log.error("mail `%s` to %s not sent: %s", name, told.contact.id, outcome.answer)
            return False
        told.mails, told.tried = told.mails + 1, None
        log.warning("mail `%s` to %s taken by %s", name, told.contact.id, outcome.relay)
        return True
