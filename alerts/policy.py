"""PURE: who is told what of incidents, when and why: what happens, and time that passes → Notifications."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from alerts.holding import Holding
from alerts.reasons import REASONS
from alerts.routing import Route, Routing, Shift
from monitor.core.model import (
    ENDS,
    SUMMARIES,
    Contact,
    Happening,
    Incident,
    IncidentEvent,
    Inventory,
    Notification,
    Silence,
    Target,
)
from monitor.core.rename import renamed_targets

FOREVER = datetime.max.replace(tzinfo=UTC)
BEGINS = (Happening.OPENED, Happening.REOPENED)
ACTS = (Happening.ACKNOWLEDGED, Happening.UNACKNOWLEDGED)
WAITS = (*BEGINS, Happening.UNACKNOWLEDGED)
"""From each of these on somebody should take it."""


class Telling(NamedTuple):
    """That somebody was told something of an incident, as much of it as further decisions need."""

    step: str
    """What the mail was about: its id without thread and contact."""
    at: datetime


class Policy:
    """Who was told what of open incidents, and who is to be told next.

    What is remembered can be read back from the notifications that were made: a restart forgets nothing and repeats nothing.
    """

    def __init__(
        self,
        routing: Routing,
        inventory: Inventory,
        told: Iterable[Notification] = (),
        begun: Mapping[str, datetime] | None = None,
        held: Iterable[Notification] = (),
        *,
        now: datetime = FOREVER,
        resumed: datetime | None = None,
    ) -> None:
        """`told` is oldest first, what was told of open incidents and in the last hours; `begun` is by open incident when it last
        opened, came back or was given back; `held` are notifications that no summary has told of yet. What is later than `now`
        is of a clock that has been set back since: it counts from now. Reminders count from `resumed` at the earliest, when the
        daemon came back after a while: they would all come at once, and it is told by one mail what was missed.
        """
        told = [_no_later(each, now) for each in told]
        begun = {id_: min(at, now) for id_, at in (begun or {}).items()}
        self._resumed = resumed
        self._told: dict[str, dict[str, list[Telling]]] = {}
        """By incident and contact, oldest first."""
        for each in told:
            if each.thread in begun:
                self._note(each)
        self._holding = Holding(told, held)
        self._waits = {id_: self._first_told(id_, at) for id_, at in begun.items()}
        """Since when nobody has it, and somebody may know."""
        self.next: datetime | None = None
        """When time alone may bring something next."""
        self._routing, self._inventory = routing, inventory

    def _first_told(self, incident: str, since: datetime) -> datetime:
        """One that was silenced counts from its first mail."""
        tellings = (each.at for told in self._told.get(incident, {}).values() for each in told)
        return min((at for at in tellings if at >= since), default=since)

    def _note(self, each: Notification) -> None:
        step = each.id[len(each.thread) + 1 : -len(each.contact.id) - 1]
        known = self._told.setdefault(each.thread, {}).setdefault(each.contact.id, [])
        known.append(Telling(step, each.event.at))

    def adopt(self, routing: Routing, inventory: Inventory) -> None:
        """Go on with these; who is concerned by what is open, and was not told, is told when time is asked next."""
        if names := renamed_targets(self._inventory, inventory):
            self._holding.rename(names)
        self._routing, self._inventory = routing, inventory

    def clock_set(self, step: timedelta) -> None:
        """The wall clock was set by so much: what was told was told as long ago as before."""
        for told in self._told.values():
            for contact, tellings in told.items():
                told[contact] = [each._replace(at=each.at + step) for each in tellings]
        self._resumed = self._resumed + step if self._resumed else None
        self._waits = {incident: since + step for incident, since in self._waits.items()}
        self._holding.clock_set(step)

    def forget(self, incident: str) -> None:
        """An incident that is over and does not come back."""
        self._told.pop(incident, None)
        self._waits.pop(incident, None)

    # -- what happens ----------------------------------------------------------------------------------------------------

    def happened(self, event: IncidentEvent) -> list[Notification]:
        """One notification for each contact that the event concerns.

        Who had mail of the incident hears on of it, even when it has become one that they would not have been told of, or
        somebody else is on duty by now.
        """
        incident, known = event.incident, self._told.get(event.incident.id, {})
        if event.what in WAITS:
            self._waits[incident.id] = event.at
        contacts = self._routing.contacts
        reasons = {each: REASONS[contacts[each].language].told for each in known if each in contacts}
        if event.what not in (*ENDS, *ACTS):  # never told of it: neither its end nor who has it is news
            for route, shift in self._open_ways(event.at):
                if not route.after and not route.scope.misses(incident, self._inventory):
                    reasons.setdefault(shift.contact.id, self._reason(route, shift))
        silent = event.what in ACTS  # to providers: who of us has it is not their business
        hearers = [each for each in contacts.values() if each.id in reasons and not (silent and each.outsider)]
        return [self._notification(event, each, reasons[each.id]) for each in hearers]

    def _open_ways(self, at: datetime) -> list[tuple[Route, Shift]]:
        """The routes whose hours it is, and whom they lead to."""
        ways = (each for each in self._routing.routes if each.hours is None or each.hours.hold(at))
        return [(each, self._routing.shift(each.to, at)) for each in ways]

    @staticmethod
    def _reason(route: Route, shift: Shift) -> str:
        reasons = REASONS[shift.contact.language]
        why = reasons.nobody_has_it(route.after) if route.after else reasons.wanted(route.scope)
        return reasons.on_duty(shift, why)

    def _notification(self, event: IncidentEvent, contact: Contact, reason: str, step: str = "") -> Notification:
        thread = event.incident.id
        made = Notification(
            id=f"{thread}.{step or _step(event)}.{contact.id}", thread=thread, contact=contact, event=event, reason=reason
        )  # fmt: skip
        self._note(made)
        return self._holding.take(made, self._routing)

    # -- what time brings ------------------------------------------------------------------------------------------------

    def due(self, now: datetime, incidents: Iterable[Incident]) -> list[Notification]:
        """What is to be told by now of incidents that are open and not silenced, because time has passed.

        Those whom an incident concerns and who were not told: their hours began, they came on duty, the file was changed. Those of a
        step of escalation that has come. Those who want to be reminded. Summaries of what was held back. `next` is when to ask again.
        """
        notifications: list[Notification] = []
        later: list[datetime | None] = []
        open_ones, ways = list(incidents), self._open_ways(now)
        if open_ones:
            later += [shift.until for _, shift in ways]
            later += [each.hours.next_change(now) for each in self._routing.routes if each.hours]
        for incident in open_ones:
            for route, shift in ways:
                if not route.scope.misses(incident, self._inventory):
                    found, again = self._look(route, shift, incident, now)
                    notifications += found
                    later.append(again)
        summaries, again = self._holding.due(now, self._routing)
        self.next = min((each for each in (*later, again) if each is not None), default=None)
        return notifications + summaries

    def _look(
        self, route: Route, shift: Shift, incident: Incident, now: datetime
    ) -> tuple[list[Notification], datetime | None]:
        """What an incident brings to whom a route leads to now, and when it may bring something next."""
        known = self._told.get(incident.id, {}).get(shift.contact.id, [])
        if route.after:
            return self._escalate(route, shift, incident, known, now)
        if not known:
            event = IncidentEvent(incident=incident, what=Happening.OPENED, at=now)
            return [self._notification(event, shift.contact, self._reason(route, shift))], now
        has_it = incident.acknowledged
        every = route.remind_acknowledged if has_it else route.remind
        if every is None:
            return [], None
        last = max(known[-1].at, self._resumed or known[-1].at)
        if has_it and has_it.at <= now:
            last = max(last, has_it.at)
        if now < last + every:
            return [], last + every
        event = IncidentEvent(incident=incident, what=Happening.REMINDER, at=now)
        reason = REASONS[shift.contact.language].still_open(every)
        return [self._notification(event, shift.contact, reason)], now + every

    def _escalate(
        self, route: Route, shift: Shift, incident: Incident, known: Sequence[Telling], now: datetime
    ) -> tuple[list[Notification], datetime | None]:
        since = self._waits.get(incident.id, incident.opened)
        step = f"{Happening.ESCALATED}-{route.after.total_seconds():.0f}-"
        if incident.acknowledged or any(each.step.startswith(step) and each.at >= since for each in known):
            return [], None
        if now < since + route.after:
            return [], since + route.after
        event = IncidentEvent(incident=incident, what=Happening.ESCALATED, at=now)
        return [self._notification(event, shift.contact, self._reason(route, shift), step + _stamp(now))], None


def _no_later(told: Notification, now: datetime) -> Notification:
    return told if told.event.at <= now else replace(told, event=replace(told.event, at=now))


def silence_of(root: Target | None, inventory: Inventory, silences: Iterable[Silence], now: datetime) -> Silence | None:
    """The silence that is in force about a root; of several the one that ends last."""
    if root is None:
        return None
    names = (root.id, root.site, inventory.sites[root.site].area, root.provider)
    found = (
        each
        for each in silences
        if each.begins <= now < each.ends
        and any(
            mine and mine == its
            for mine, its in zip((each.target, each.site, each.area, each.provider), names, strict=True)
        )
    )
    return max(found, key=lambda each: (each.ends, each.id), default=None)


def withhold(what: Happening, untold: Happening | None, *, silent: bool) -> tuple[Happening | None, Happening | None]:
    """What of a happening is told now, and what is still to be told when the silence is over.

    `untold` is what was held back of the incident so far. An end whose beginning was held back is no news.
    """
    if what in ENDS:
        return (None if untold in BEGINS else what), None
    if what in ACTS:
        return (None if silent or untold else what), untold
    if silent:
        return None, untold or what
    return untold or what, None


def first_of_thread(notification: Notification) -> str:
    """Id of the notification that opened the thread for this contact."""
    first = notification.thread.partition("-")[0] if notification.event.what in SUMMARIES else Happening.OPENED
    return f"{notification.thread}.{first}.{notification.contact.id}"


def _step(event: IncidentEvent) -> str:
    """What tells this event from the others of its incident, also after a restart."""
    if event.what is Happening.REMINDER:  # may come at the same time of day for days
        return f"{event.what}-{_stamp(event.at)}"
    may_repeat = event.what in (Happening.CHANGED, Happening.REOPENED, *ACTS) or event.incident.times > 1
    return f"{event.what}-{event.at:%H%M%S%f}" if may_repeat else event.what.value


def _stamp(at: datetime) -> str:
    return f"{at:%Y%m%d%H%M%S}"
