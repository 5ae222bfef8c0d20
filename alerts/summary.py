"""PURE: what mails list: the incidents of a summary, and the circuits that a provider is told of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.core.model import ROOT_GONE, Happening, Incident, IncidentEvent, Inventory
from monitor.core.words import WORDS, Words


def as_mailed(event: IncidentEvent, inventory: Inventory) -> IncidentEvent:
    """An event as it goes into mails: without why, which is kept once, with the event. `inventory` is still the one before.

    When the mail is written, a root that left is not in the inventory any more.
    """
    looks = event.because.looks if event.because else ()
    gone = event.what is Happening.WITHDRAWN and any(each.because == ROOT_GONE for each in looks)
    called = tuple((language, words.root(event.incident, inventory)) for language, words in WORDS.items() if gone)
    return replace(event, because=None, called=called)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One incident of a summary."""

    name: str
    """What people call its root, and where that is."""
    state: str
    severity: str
    cause: str
    since: datetime
    until: datetime | None
    """None: it is still open."""
    withdrawn: bool
    """It was a part of another incident, …"""
    gone: bool
    """… or its root left the inventory."""
    by: str
    """Who has it."""
    page: str
    """Address of its page, or empty."""


def lines(items: Iterable[IncidentEvent], inventory: Inventory, words: Words, board: str) -> tuple[Line, ...]:
    """One for each incident, in the same order."""
    return tuple(_line(each, inventory, words, board) for each in items)


def lines_of(incidents: Iterable[Incident], inventory: Inventory, words: Words, board: str) -> tuple[Line, ...]:
    """The same of incidents as they are now."""
    events = (IncidentEvent(incident=each, what=Happening.OPENED, at=each.opened) for each in incidents)
    return lines(events, inventory, words, board)


def _line(event: IncidentEvent, inventory: Inventory, words: Words, board: str) -> Line:
    incident = event.incident
    return Line(
        name=dict(event.called).get(words.language) or words.root(incident, inventory),
        state=words.states[incident.state], severity=words.severities[incident.severity], cause=words.causes[incident.cause],
        since=incident.began, until=incident.closed, withdrawn=event.what is Happening.WITHDRAWN, gone=bool(event.called),
        by=incident.acknowledged.by if incident.acknowledged else "",
        page=f"{board}/incidents/{incident.id}" if board else "",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """A line as its provider knows it."""

    id: str
    site: str


def circuits_of(incident: Incident, inventory: Inventory, provider: str = "") -> tuple[Circuit, ...]:
    """The circuits that an incident is about: the root's, or those of the lines that have it in common.

    Only those of `provider`, where one is named.
    """
    root = inventory.targets.get(incident.root)
    if root is None:
        return ()
    about = (incident.root, *incident.impact) if incident.shared else (incident.root,)
    lines_of_it = (inventory.targets[each] for each in about if each in inventory.targets)
    return tuple(
        Circuit(id=each.circuit, site=inventory.sites[each.site].name)
        for each in lines_of_it
        if each.kind == root.kind and provider in ("", each.provider)
    )
