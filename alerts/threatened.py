"""PURE: the meetings that an incident threatens, as a mail tells of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from monitor.core.meetings import urgent
from monitor.core.model import Incident, Inventory, Threat
from monitor.core.words import CONFERENCE_SERVERS, LOCAL, Words

SHOWN_MEETINGS = 3
SHOWN_ROOMS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One meeting, in a line."""

    title: str
    when: str
    runs: bool
    """Whether it ran when the event happened."""
    rooms: tuple[str, ...]
    """Places, as many as are shown."""
    more: int
    """Rooms that are not shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreatenedMeetings:
    """What a template may tell of meetings."""

    shown: tuple[Told, ...] = ()
    more: int = 0
    urgent: str = ""
    """When the most urgent one begins, such as 14:00, …"""
    runs: bool = False
    """… and whether it has begun."""


def meetings_of(incident: Incident, inventory: Inventory, words: Words, at: datetime) -> ThreatenedMeetings:
    """The first of them, and the one that can wait least, as of `at`."""
    first = urgent(incident.meetings, at)
    return ThreatenedMeetings(
        shown=tuple(_told(each, inventory, words, at) for each in incident.meetings[:SHOWN_MEETINGS]),
        more=max(0, len(incident.meetings) - SHOWN_MEETINGS),
        urgent=f"{first.begins.astimezone(LOCAL):%H:%M}" if first else "",
        runs=first is not None and first.begins <= at,
    )


def _told(threat: Threat, inventory: Inventory, words: Words, at: datetime) -> Told:
    rooms = []
    for each in sorted(threat.rooms, key=lambda room: not _serves(room, inventory))[:SHOWN_ROOMS]:
        target = inventory.targets.get(each)
        rooms.append(words.hurt_room(target, inventory.sites.get(target.site) if target else None, each))
    return Told(
        title=threat.title, when=words.session(threat.begins, threat.ends), runs=threat.begins <= at < threat.ends,
        rooms=tuple(rooms), more=len(threat.rooms) - len(rooms),
    )  # fmt: skip


def _serves(room: str, inventory: Inventory) -> bool:
    """What serves all rooms is told first."""
    target = inventory.targets.get(room)
    return target is not None and target.kind in CONFERENCE_SERVERS
