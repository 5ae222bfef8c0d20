"""PURE: notifications that do not leave one by one: digests, of quiet hours or of a day, and storms. Nothing is lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.reasons import REASONS
from alerts.routing import Routing, Storm
from monitor.core.model import (
    ENDS,
    SUMMARIES,
    Cause,
    Contact,
    Happening,
    HeldBack,
    Incident,
    IncidentEvent,
    Notification,
    Severity,
)
from monitor.core.rename import Names, incident_as
from monitor.core.severity import RANK

GATHER = timedelta(seconds=60)
"""From the first mail that a storm holds back to its first summary."""
READ_BACK = timedelta(hours=2)
"""What left before this counts for no storm any more, nor goes one on that has told nothing since."""


@dataclass(slots=True)
class _Storm:
    contact: Contact
    thread: str
    incident: Incident
    """The last that it held back: what the mail that it is over hangs on."""
    last: datetime
    """When it began, or the last summary."""
    summed: bool = False
    """Whether there was one."""


class Holding:
    """What is held back for whom, and until when. All of it can be read back from the notifications that were made."""

    def __init__(self, told: Iterable[Notification] = (), held: Iterable[Notification] = ()) -> None:
        """`told` are those of the last hours, oldest first; `held` those that no summary has told of yet."""
        self._pots: dict[str, list[Notification]] = {}
        self._left: dict[str, list[datetime]] = {}
        """When mails left one by one, by contact."""
        self._storms: dict[str, _Storm] = {}
        for each in told:
            contact = each.contact.id
            if each.event.what is Happening.STORM:
                self._storms[contact] = _Storm(
                    each.contact, each.thread, each.event.incident, each.event.at, summed=True
                )
            elif each.event.what is Happening.STORM_OVER:
                self._storms.pop(contact, None)
            elif each.held is None and each.event.what not in SUMMARIES:
                self._left.setdefault(contact, []).append(each.event.at)
        for each in held:
            self._pots.setdefault(each.contact.id, []).append(each)
            if each.held is HeldBack.STORM:
                self._begin_storm(each)

    def clock_set(self, step: timedelta) -> None:
        """The wall clock was set by so much."""
        self._left = {contact: [at + step for at in left] for contact, left in self._left.items()}
        for storm in self._storms.values():
            storm.last += step

    def rename(self, names: Names) -> None:
        """Some targets have other ids now: summaries tell of them by these."""
        for pot in self._pots.values():
            pot[:] = [replace(each, event=_event_as(each.event, names)) for each in pot]
        for storm in self._storms.values():
            storm.incident = incident_as(storm.incident, names)

    def take(self, made: Notification, routing: Routing) -> Notification:
        """The notification as it leaves, or as it is held back."""
        contact, at = made.contact.id, made.event.at
        if routing.held_until(contact, made.event) is not None or self._ends_untold(made):
            return self._hold(made, HeldBack.QUIET)
        if not _always(made) and self._is_too_much(contact, at, routing):
            held = self._hold(made, HeldBack.STORM)
            self._begin_storm(held)
            return held
        if contact in routing.storms:
            self._left.setdefault(contact, []).append(at)
        pot = self._pots.get(contact, [])
        told_with_it = tuple(each.id for each in pot if each.thread == made.thread)
        self._pots[contact] = [each for each in pot if each.thread != made.thread]
        return replace(made, instead_of=told_with_it)

    def _ends_untold(self, made: Notification) -> bool:
        """Whether it is the end of something whose beginning still waits: it may have become severe on its last moments."""
        pot = self._pots.get(made.contact.id, ())
        return made.event.what in ENDS and any(
            each.thread == made.thread and each.event.what is Happening.OPENED for each in pot
        )

    def _hold(self, made: Notification, why: HeldBack) -> Notification:
        held = replace(made, held=why)
        self._pots.setdefault(made.contact.id, []).append(held)
        return held

    def _begin_storm(self, first: Notification) -> None:
        thread = f"{Happening.STORM}-{first.event.at:%Y%m%d%H%M%S}"
        begun = _Storm(first.contact, thread, first.event.incident, first.event.at)
        self._storms.setdefault(first.contact.id, begun).incident = slim(first.event).incident

    def _is_too_much(self, contact: str, at: datetime, routing: Routing) -> bool:
        limit = routing.storms.get(contact)
        if limit is None:
            return False
        lately = self._left[contact] = [each for each in self._left.get(contact, []) if each > at - limit.within]
        return contact in self._storms or len(lately) >= limit.mails

    def due(self, now: datetime, routing: Routing) -> tuple[list[Notification], datetime | None]:
        """The summaries that are due by now, and when to ask again."""
        made: list[Notification] = []
        later: list[datetime] = []
        for contact in [*dict.fromkeys((*self._storms, *self._pots))]:
            again = (
                self._storm(contact, now, routing, made)
                if contact in self._storms
                else self._digest(contact, now, routing, made)
            )
            later += [again] if again else []
        return made, min(later, default=None)

    def _storm(self, contact: str, now: datetime, routing: Routing, made: list[Notification]) -> datetime | None:
        storm = self._storms[contact]
        limit = routing.storms.get(
            contact, Storm(mails=0, within=timedelta())
        )  # nobody wants it any more: it is over now
        at = storm.last + (limit.within if storm.summed else min(GATHER, limit.within))
        if now < at:
            return at
        pot = self._pots.pop(contact, [])
        over = not limit.within or (storm.summed and len(pot) <= limit.mails)
        what = Happening.STORM_OVER if over else Happening.STORM
        step = f"{what}-{now:%Y%m%d%H%M%S}" if storm.summed else what.value
        reason = REASONS[storm.contact.language].too_many(limit)
        made.append(_summary(storm.contact, storm.thread, step, what, pot, now, reason, storm.incident))
        storm.incident = made[-1].event.incident
        if over:
            del self._storms[contact]
            return None
        storm.last, storm.summed = now, True
        return now + limit.within

    def _digest(self, id_: str, now: datetime, routing: Routing, made: list[Notification]) -> datetime | None:
        pot = self._pots[id_]
        if not pot:
            return None
        wishes = (routing.held_until(id_, each.event) for each in pot)
        until = min((each for each in wishes if each is not None), default=now)
        if now < until:
            return until
        del self._pots[id_]
        contact, what = pot[0].contact, Happening.DIGEST
        reasons = REASONS[contact.language]
        reason = reasons.daily if id_ in routing.digests else reasons.after_quiet
        made.append(
            _summary(contact, f"{what}-{now:%Y%m%d%H%M%S}", what.value, what, pot, now, reason, pot[0].event.incident)
        )
        return None


def _always(made: Notification) -> bool:
    """What gets through a storm: it may well be what the storm is about."""
    incident = made.event.incident
    return incident.severity is Severity.CRITICAL and incident.cause in (Cause.SHARED, Cause.VANTAGE)


def _summary(
    contact: Contact, thread: str, step: str, what: Happening, pot: Iterable[Notification], now: datetime, reason: str,
    other: Incident,
) -> Notification:  # fmt: skip
    """One mail about all that is in the pot; `other` is what it hangs on when that is empty."""
    last = {each.thread: slim(each.event) for each in pot}
    items = sorted(
        last.values(), key=lambda each: (-RANK[each.incident.severity], each.incident.began, each.incident.id)
    )
    worst = items[0].incident if items else other
    return Notification(
        id=f"{thread}.{step}.{contact.id}", thread=thread, contact=contact, reason=reason,
        event=IncidentEvent(incident=worst, what=what, at=now),
        instead_of=tuple(each.id for each in pot), items=tuple(items),
    )  # fmt: skip


def _event_as(event: IncidentEvent, names: Names) -> IncidentEvent:
    return replace(event, incident=incident_as(event.incident, names))


def slim(event: IncidentEvent) -> IncidentEvent:
    """An event as a summary keeps it: one line, of hundreds perhaps."""
    return replace(event, incident=replace(event.incident, evidence=(), impact=(), weight=None))
