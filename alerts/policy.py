"""PURE: who is told of an incident event, and why: (event, contacts, inventory, who was told before) → Notifications."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from monitor.core.model import Contact, Happening, IncidentEvent, Inventory, Notification, Severity, Silence, Target
from monitor.core.severity import RANK

BEGINS = (Happening.OPENED, Happening.REOPENED)
ENDS = (Happening.RECOVERED, Happening.WITHDRAWN)
ACTS = (Happening.ACKNOWLEDGED, Happening.UNACKNOWLEDGED)


def notify(
    event: IncidentEvent, contacts: Iterable[Contact], inventory: Inventory, told: Collection[str] = ()
) -> list[Notification]:
    """One notification for each contact that the event concerns.

    `told` are the ids of those who had mail of this incident before: they hear its end, even when it has become one
    that they would not have been told of.
    """
    notifications = []
    for contact in contacts:
        reason = _reason(event, contact, inventory, told)
        if reason:
            notifications.append(
                Notification(
                    id=f"{event.incident.id}.{_step(event)}.{contact.id}",
                    thread=event.incident.id,
                    contact=contact,
                    event=event,
                    reason=reason,
                )
            )
    return notifications


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


def _reason(event: IncidentEvent, contact: Contact, inventory: Inventory, told: Collection[str]) -> str:
    """Why the contact is told; "" when it is not."""
    if contact.id in told:
        return "was told of this incident"
    if event.what in (*ENDS, *ACTS):
        return ""  # never told of it, so neither its end nor who has it is news
    incident = event.incident
    least = contact.severity
    if (contact.causes and incident.cause not in contact.causes) or RANK[incident.severity] < RANK[least]:
        return ""
    if not contact.areas:
        every = "is told of every incident" if least is Severity.MINOR else f"is told of what is at least {least}"
        return f"is told of cause {incident.cause}" if contact.causes else every
    root = inventory.targets.get(incident.root)
    area = inventory.sites[root.site].area if root else ""
    return f"is told of area {area}" if area in contact.areas else ""
