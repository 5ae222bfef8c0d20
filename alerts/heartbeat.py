"""A dead man's switch: signs of life to somebody else, who tells when they fail to come; and what was missed in between.

An address is asked every few minutes and a mail is sent once a day, both only while all is well: that a sign is missing is the
alarm, whatever the reason. None of it is kept in the outbox, for that it arrives late is no use.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

import aiohttp

from alerts.compose import Composer
from alerts.mailer import Delivery, Mailer
from alerts.resolver import Resolver
from alerts.summary import lines_of
from monitor.core.model import Contact, Incident, Inventory
from monitor.core.words import LOCAL, WORDS

log = logging.getLogger(__name__)

PING_SECONDS = 10.0
"""Longest wait for an answer to a sign of life."""
AGAIN_SECONDS = 60.0
"""A mail that no relay takes is tried again after this, …"""
TRIES = 30
"""… so often."""
MISSED_AFTER = timedelta(minutes=5)
"""A start after a longer gap is told by mail."""
PATIENCE_SECONDS = 300
"""Longest wait until nearly everything was observed once, before it is told what was missed, …"""
SETTLE_SECONDS = 15.0
"""… and after it, for what failed to be decided."""
SHOWN = 40
"""Incidents in a list; the rest are counted."""
WAYS = ("url", "mail")
RESULTS = ("sent", "failed", "withheld")
"""How a sign of life is given, and what becomes of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """How signs of life are given."""

    url: str = ""
    """Asked by GET; empty: none is."""
    every_seconds: float = 300.0
    mail_at: time | None = None
    """Time of day in Viet Nam of the daily mail; None: there is none."""


class Heartbeat:
    """Gives signs of life."""

    def __init__(
        self,
        switch: Switch,
        *,
        trouble: Callable[[], str],
        figures: Callable[[], dict[str, object]],
        inventory: Callable[[], Inventory],
        composer: Composer,
        mailer: Mailer,
        contacts: Callable[[], Sequence[Contact]],
        clock: Callable[[], datetime],
        on_sign: Callable[[str, str], None],
    ) -> None:
        """`trouble` says what is wrong with the daemon, `figures` what the template may use; `on_sign` is told way and result."""
        self._switch, self._trouble, self._figures = switch, trouble, figures
        self._inventory = inventory
        self._composer, self._mailer, self._contacts = composer, mailer, contacts
        self._clock, self._on_sign = clock, on_sign

    async def run(self, first: Coroutine[Any, Any, None]) -> None:
        """Give signs of life until cancelled, and do what is to be done first beside it."""
        async with asyncio.TaskGroup() as group:
            for work in (first, self.ping(), self.mail(), asyncio.Event().wait()):
                group.create_task(work)

    async def ping(self) -> None:
        """Ask the address in its time, until cancelled."""
        if not self._switch.url:
            return
        async with Resolver().session(PING_SECONDS) as session:
            while True:
                self._on_sign("url", await self._ask(session))
                await asyncio.sleep(self._switch.every_seconds)

    async def _ask(self, session: aiohttp.ClientSession) -> str:
        if trouble := self._trouble():
            log.error("no sign of life is given: %s", trouble)
            return "withheld"
        try:
            async with session.get(self._switch.url, allow_redirects=False) as answer:
                if answer.status < 300:
                    return "sent"
                log.warning("the heartbeat was answered %d", answer.status)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            log.warning("the heartbeat was not taken: %s", type(error).__name__)  # the address is a secret
        return "failed"

    async def mail(self) -> None:
        """Send the daily mail, until cancelled."""
        while self._switch.mail_at is not None:
            now = self._clock()
            due = next_time(self._switch.mail_at, now)
            await asyncio.sleep(min(3600.0, (due - now).total_seconds()))  # the clock may be set meanwhile
            if self._clock() < due:
                continue
            if trouble := self._trouble():
                log.error("no daily mail is sent: %s", trouble)
                self._on_sign("mail", "withheld")
            else:
                await self.tell("heartbeat", f"{due:%Y%m%d-%H%M}.heartbeat", self._figures())

    async def missed(
        self, since: datetime | None, started: datetime, before: Sequence[Incident], now: Incidents
    ) -> None:
        """Tell what was missed since the last sign of life before this start, when that is long ago."""
        if since is None or started - since < MISSED_AFTER:
            return
        await now.settled()
        still = {each.id: each for each in now.open()}
        known = {each.id for each in before}
        given: dict[str, object] = {
            "since": since,
            "started": started,
            "over": tuple(each for each in before if each.id not in still),
            "open": tuple(each for each in still.values() if each.id in known),
            "new": tuple(each for each in still.values() if each.id not in known),
        }
        log.warning("nothing was watched from %s to %s", since.isoformat(), started.isoformat())
        await self.tell("missed", f"{started:%Y%m%d-%H%M%S}.missed", given)

    async def tell(self, name: str, id_: str, given: dict[str, object]) -> None:
        """One mail to each who is concerned, tried for half an hour."""
        waits = list(self._contacts())
        for _ in range(TRIES):
            waits = [each for each in waits if not await self._sent(name, id_, each, given)]
            if not waits:
                return
            await asyncio.sleep(AGAIN_SECONDS)
        log.error("mail `%s` was given up for %s", name, ", ".join(each.id for each in waits))

    async def _sent(self, name: str, id_: str, contact: Contact, given: dict[str, object]) -> bool:
        letter = self._composer.letter(
            name, contact, f"{id_}.{contact.id}", {**self._listed(given, contact), "shown": SHOWN}
        )
        message = self._composer.post(letter, self._clock())
        outcome = await self._mailer.send(message, contact.email)
        sent = outcome.delivery is Delivery.SENT
        self._on_sign("mail", "sent" if sent else "failed")
        if not sent:
            log.warning("mail `%s` to %s not sent: %s", name, contact.id, outcome.answer)
        return sent

    def _listed(self, given: dict[str, object], contact: Contact) -> dict[str, object]:
        """The same with its lists of incidents as people read them."""
        words, inventory = WORDS[contact.language], self._inventory()
        return {
            key: lines_of(each, inventory, words, "") if isinstance(each, (list, tuple)) else each
            for key, each in given.items()
        }


@dataclass(frozen=True, slots=True)
class Incidents:
    """Those that are open, once everything was looked at again."""

    open: Callable[[], Sequence[Incident]]
    ready: Callable[[], bool]

    async def settled(self) -> None:
        """Until nearly everything was observed, and what failed had time to be decided; not for ever."""
        for _ in range(PATIENCE_SECONDS):
            if self.ready():
                break
            await asyncio.sleep(1.0)
        await asyncio.sleep(SETTLE_SECONDS)


def next_time(at: time, now: datetime) -> datetime:
    """The first moment after `now` that has this time of day in Viet Nam."""
    local = now.astimezone(LOCAL)
    due = datetime.combine(local.date(), at, LOCAL)
    return due if due > now else due + timedelta(days=1)
