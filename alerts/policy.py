"""PURE: who is told of an incident event, and why: (event, routing, inventory, who was told before) → Notifications."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from alerts.reasons import REASONS
from alerts.routing import Routing
from monitor.core.model import Happening, IncidentEvent, Inventory, Notification, Silence, Target

BEGINS = (Happening.OPENED, Happening.REOPENED)
ENDS = (Happening.RECOVERED, Happening.WITHDRAWN)
ACTS = (Happening.ACKNOWLEDGED, Happening.UNACKNOWLEDGED)


def notify(
    event: IncidentEvent, routing: Routing, inventory: Inventory, told: Collection[str] = ()
) -> list[Notification]:
    """One notification for each contact that the event concerns.

    `told` are the ids of those who had mail of this incident before: they hear its end, even when it has become one
    that they would not have been told of, or somebody else is on duty by now.
    """
    reasons = {each: REASONS[routing.contacts[each].language].told for each in told if each in routing.contacts}
    if event.what not in (*ENDS, *ACTS):  # never told of it: neither its end nor who has it is news
        for contact, reason in _concerned(event, routing, inventory):
            reasons.setdefault(contact, reason)
    return [
        Notification(
            id=f"{event.incident.id}.{_step(event)}.{contact}",
            thread=event.incident.id,
            contact=routing.contacts[contact],
            event=event,
            reason=reasons[contact],
        )
        for contact in routing.contacts  # in the order of the file
        if contact in reasons
    ]


def _concerned(event: IncidentEvent, routing: Routing, inventory: Inventory) -> Iterator[tuple[str, str]]:
    """Who is told now of an incident that is news to them, and why."""
    for route in routing.routes:
        if not route.scope.misses(event.incident, inventory) and (route.hours is None or route.hours.hold(event.at)):
            shift = routing.shift(route.to, event.at)
            reasons = REASONS[shift.contact.language]
            yield shift.contact.id, reasons.on_duty(shift, reasons.wanted(route.scope))


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
    return f"{notification.thread}.{Happening.OPENED}.{notification.contact.id}"


def _step(event: IncidentEvent) -> str:
    """What tells this event from the others of its incident, also after a restart."""
    may_repeat = event.what in (Happening.CHANGED, Happening.REOPENED, *ACTS) or event.incident.times > 1
    return f"{event.what}-{event.at:%H%M%S%f}" if may_repeat else event.what.value
