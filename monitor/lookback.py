"""What the running daemon tells of the past: availability and intervals for the board and the API, cost for mails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar, cast

from monitor.archive import Archive, ArchiveError
from monitor.core.account import Account
from monitor.core.graph import Graph
from monitor.core.ledger import By, Cost, Interval, Maintenance, Report, Span, announced, month_of
from monitor.core.life import Life, Posted
from monitor.core.model import Happening, Incident, Inventory, Notification
from monitor.core.quality import SessionQuality, Went

log = logging.getLogger(__name__)

LOOK_KEPT = timedelta(seconds=60)
"""What was read from the ledger is shown for this long."""
COST_SECONDS = 5.0
"""How long the mail of a recovery waits for what the incident took."""
LEAST_WATCHED = timedelta(days=1)
"""What was watched for less has no availability that says anything."""
MAX_LOOKS_KEPT = 200

T = TypeVar("T")


class LookBack:
    """The ledger of one running daemon, read by one at a time."""

    def __init__(self, archive: Archive, inventory: Callable[[], Inventory], clock: Callable[[], datetime]) -> None:
        self._archive, self._inventory, self._clock = archive, inventory, clock
        self._graph = Graph({})
        self._looking = asyncio.Lock()
        self._looks: dict[object, tuple[datetime, object]] = {}

    def forget(self) -> None:
        """What was read is read anew: another inventory is in force."""
        self._looks.clear()

    def close(self) -> None:
        """Wait for the last look."""
        self._archive.close()

    async def availability(self, by: By, span: Span) -> Report | None:
        """Sums from the ledger; None when the database cannot be read now."""
        return await self._look(
            (by, span), lambda: self._archive.availability(by, span, self._clock(), self._announced(span))
        )

    async def incidents(self, span: Span) -> Sequence[Incident]:
        """Those that were open in a span; raises ArchiveError."""
        async with self._looking:
            return await self._archive.incidents(span)

    async def intervals(self, targets: Collection[str], span: Span) -> Mapping[str, Sequence[Interval]]:
        """What these targets were in a span; raises ArchiveError."""
        async with self._looking:
            return await self._archive.history(targets, span, self._clock(), self._announced(span))

    async def account(self, span: Span) -> Account:
        """What all targets were in a span, with their outages; raises ArchiveError."""
        async with self._looking:
            return await self._archive.account(span, self._clock(), self._announced(span))

    async def watched_since(self) -> datetime | None:
        """When a daemon began here first; None: never. Raises ArchiveError."""
        async with self._looking:
            return await self._archive.watched_since()

    async def past(self, site: str, span: Span) -> Mapping[str, Sequence[Interval]] | None:
        """The intervals of a site's targets; None when the database cannot be read now."""
        targets = [each.id for each in self._inventory().targets.values() if each.site == site]
        return await self._look(
            (site, span), lambda: self._archive.history(targets, span, self._clock(), self._announced(span))
        )

    async def past_sessions(self, since: timedelta) -> Sequence[Went] | None:
        """The sessions of meetings that began since and are written down, the last first; None when it cannot be read now."""
        now = self._clock()
        return await self._look((since, "sessions"), lambda: self._archive.past_sessions(Span(now - since, now)))

    async def past_session(self, meeting: str, begins: datetime) -> SessionQuality | None:
        """How one of them went; None when it is not written down, or cannot be read now."""
        return await self._look((meeting, begins), lambda: self._archive.past_session(meeting, begins))

    async def posted(self, meeting: str, begins: datetime) -> Sequence[Posted] | None:
        """The mails about a session, oldest first; None when they cannot be read now."""
        return await self._look((meeting, begins, "mails"), lambda: self._archive.posted(meeting, begins))

    async def life(self, incident: str) -> Life | None:
        """What was written of an incident, open or over for long; None when there is none, or it cannot be read now."""
        try:
            return await self._archive.life(incident)
        except ArchiveError as error:
            log.error("the life of an incident cannot be read: %s", error)  # noqa: TRY400
            return None

    def _announced(self, span: Span) -> Sequence[Maintenance]:
        inventory = self._inventory()
        if self._graph.targets is not inventory.targets:  # one for all looks: making it takes 12 ms for a nation
            self._graph = Graph(inventory.targets)
        return announced(inventory, span, self._graph)

    async def _look(self, what: object, look: Callable[[], Awaitable[T]]) -> T | None:
        """Look back, one after the other and the same at most once in `LOOK_KEPT`: however many ask, the probes go on."""
        async with self._looking:
            now = self._clock()
            self._looks = {key: kept for key, kept in self._looks.items() if timedelta(0) <= now - kept[0] < LOOK_KEPT}
            if what not in self._looks:
                try:
                    found = await look()
                except ArchiveError as error:
                    log.error("the ledger cannot be read: %s", error)  # noqa: TRY400
                    return None
                if len(self._looks) >= MAX_LOOKS_KEPT:
                    del self._looks[next(iter(self._looks))]
                self._looks[what] = (now, found)
            return cast("T", self._looks[what][1])

    async def cost(self, notification: Notification) -> Cost | None:
        """What an incident that is over took from its root's availability; a mail does not wait for it for long."""
        event = notification.event
        incident = event.incident
        if event.what is not Happening.RECOVERED or not incident.closed or incident.shared:
            return None
        try:
            works = self._announced(month_of(incident.closed))
            async with asyncio.timeout(COST_SECONDS), self._looking:
                cost = await self._archive.cost(incident, self._clock(), works)
        except (ArchiveError, TimeoutError) as error:
            log.warning("what %s took is not known: %s", incident.id, error or "no answer in time")
        except Exception:
            log.exception("what %s took is not known by a mistake of ours", incident.id)
        else:
            short = cost is not None and cost.since is not None and incident.closed - cost.since < LEAST_WATCHED
            return None if short else cost
        return None
