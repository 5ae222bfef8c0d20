"""PURE: who is to be told of an incident at a moment: contacts, rotas with their shifts, and the routes that lead to them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta

from monitor.core.model import ENDS, Cause, Contact, Incident, IncidentEvent, Inventory, Severity
from monitor.core.severity import RANK
from monitor.core.words import LOCAL

MINUTE = timedelta(minutes=1)
WEEK_MINUTES = 7 * 24 * 60
OUTSIDER = "provider."
"""Begins the ids of contacts that are providers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Times of the week in Viet Nam."""

    text: str
    """As the admin wrote them."""
    spans: tuple[tuple[int, int], ...]
    """Minutes from Monday 00:00, begin and end: within one week, in order, none touches the next."""

    def hold(self, at: datetime) -> bool:
        """Whether a moment lies within them; the end of a span does not."""
        minute = _minute_of_week(at)
        return any(begin <= minute < end for begin, end in self.spans)

    def next_change(self, at: datetime) -> datetime | None:
        """When they begin or end next, after `at`; None: never, for they are all of the week."""
        edges = {minute % WEEK_MINUTES for span in self.spans for minute in span}
        if {0, WEEK_MINUTES} <= {minute for span in self.spans for minute in span}:
            edges.discard(0)  # a span over midnight of Sunday goes on
        if not edges:
            return None
        begin, minute = _monday(at), _minute_of_week(at)
        return begin + min(edge if edge > minute else edge + WEEK_MINUTES for edge in edges) * MINUTE


def _monday(at: datetime) -> datetime:
    local = at.astimezone(LOCAL)
    return local.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=local.weekday())


def _minute_of_week(at: datetime) -> int:
    return (at - _monday(at)) // MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which incidents somebody wants to hear of: those that fit all that is written; nothing written fits all."""

    causes: tuple[Cause, ...] = ()
    severity: Severity = Severity.MINOR
    """At least this."""
    areas: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    """Of the root."""
    providers: tuple[str, ...] = ()
    """Of the line that is the root, or what the lines have in common."""

    def misses(self, incident: Incident, inventory: Inventory) -> str:
        """The first of our fields that an incident does not fit; "" when it fits all of them."""
        if self.causes and incident.cause not in self.causes:
            return "causes"
        if RANK[incident.severity] < RANK[self.severity]:
            return "severity"
        if not (self.areas or self.sites or self.kinds or self.providers):
            return ""
        root = inventory.targets.get(incident.root)
        shared = dict(incident.shared.by) if incident.shared else None
        own = (  # a root that left the inventory has none of these
            ("areas", inventory.sites[root.site].area if root else ""),
            ("sites", root.site if root else ""),
            ("kinds", root.kind if root else ""),
            ("providers", shared.get("provider", "") if shared is not None else root.provider if root else ""),
        )
        return next((name for name, value in own if getattr(self, name) and value not in getattr(self, name)), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Somebody else, or another rota, stands in: from `begins` on, and at `ends` no more."""

    begins: datetime
    ends: datetime
    to: str
    """Id of a contact or a rota."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rota:
    """People who take turns; at every moment it is exactly one."""

    id: str
    name: str
    people: tuple[str, ...]
    """Ids of contacts, in the order of their turns."""
    starts: datetime
    """A hand-over to the first of them: the others come a multiple of `turn` later, or earlier."""
    turn: timedelta
    overrides: tuple[Override, ...] = ()
    """Of several in force the one that is written last counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """Who has it, in the end, and until when."""

    contact: Contact
    until: datetime | None = None
    """None: no rota is between."""
    rota: str = ""
    """Name of the rota that was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A way from incidents to somebody."""

    to: str
    """Id of a contact or a rota."""
    scope: Scope = Scope()
    hours: Hours | None = None
    """New incidents only then; what is still open when they begin is told then. None: always."""
    after: timedelta = timedelta()
    """Only when nobody has had it for so long."""
    remind: timedelta | None = None
    """So long after the last mail of an incident that is still open and that nobody has; None: never."""
    remind_acknowledged: timedelta | None = None
    """The same of one that somebody has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """When somebody wants to be woken only by what is severe."""

    hours: Hours
    at_once: Severity
    """At least this; the rest comes in one digest at the end of the hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What somebody wants to hear of at once at any hour; the rest comes in one digest a day."""

    at: time
    """Of that digest, in Viet Nam."""
    at_once: Severity = Severity.MAJOR
    """At least this."""
    causes: tuple[Cause, ...] = ()
    """These at once however severe."""
    ends: bool = False
    """Whether the end of what was told at once waits for it too; not that of an incident that somebody has, who works on it."""

    def takes(self, event: IncidentEvent) -> bool:
        """Whether an event waits for it. What threatens a meeting never is: that may begin before the digest comes."""
        incident = event.incident
        if self.ends and event.what in ENDS and incident.acknowledged is None:
            return True
        urgent = RANK[incident.severity] >= RANK[self.at_once] or incident.cause in self.causes
        return not (urgent or incident.meetings)

    def after(self, at: datetime) -> datetime:
        """When the first digest later than `at` comes."""
        local = at.astimezone(LOCAL)
        today = datetime.combine(local, self.at, LOCAL)
        return today if today > local else today + timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """More than so many mails within so long are no use to anybody."""

    mails: int
    within: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Summaries:
    """When somebody wants to hear of the whole province, as times of day in Viet Nam; None: never."""

    daily: time | None = None
    monthly: time | None = None
    """On the first, about the month before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """All of contacts.yaml, as one immutable snapshot."""

    contacts: Mapping[str, Contact] = field(default_factory=dict)
    rotas: Mapping[str, Rota] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    quiet: Mapping[str, Quiet] = field(default_factory=dict)
    """By contact."""
    digests: Mapping[str, Digest] = field(default_factory=dict)
    """By contact."""
    storms: Mapping[str, Storm] = field(default_factory=dict)
    """By contact; who is not in it gets every mail, however many."""
    summaries: Mapping[str, Summaries] = field(default_factory=dict)
    """By contact."""

    def and_all(self, *contacts: Contact) -> Routing:
        """The same, and each of these is told of every incident."""
        return replace(
            self,
            contacts={**self.contacts, **{each.id: each for each in contacts}},
            routes=(*self.routes, *(Route(to=each.id) for each in contacts)),
        )

    def held_until(self, contact: str, event: IncidentEvent) -> datetime | None:
        """Until when a contact does not want to hear of an event; None: it is told at once.

        A digest that would come in quiet hours comes at their end.
        """
        quiet, digest, at = self.quiet.get(contact), self.digests.get(contact), event.at
        if digest is not None and digest.takes(event):
            at = digest.after(at)
        light = quiet is not None and (at > event.at or RANK[event.incident.severity] < RANK[quiet.at_once])
        if quiet is not None and light and quiet.hours.hold(at):
            return quiet.hours.next_change(at)
        return at if at > event.at else None

    def shift(self, to: str, at: datetime) -> Shift:
        """Who it is that a contact's or rota's id leads to at a moment."""
        rota = self.rotas.get(to)
        if rota is None:
            return Shift(contact=self.contacts[to])
        below = self.shift(self._on_turn(rota, at), at)
        ends = self._next_edge(rota, at)
        return Shift(contact=below.contact, until=min(ends, below.until or ends), rota=rota.name)

    @staticmethod
    def _on_turn(rota: Rota, at: datetime) -> str:
        standing_in = [each.to for each in rota.overrides if each.begins <= at < each.ends]
        return standing_in[-1] if standing_in else rota.people[(at - rota.starts) // rota.turn % len(rota.people)]

    @staticmethod
    def _next_edge(rota: Rota, at: datetime) -> datetime:
        """When the rota looks again who it is, at the latest."""
        edges = sorted(edge for each in rota.overrides for edge in (each.begins, each.ends))
        hand_over = rota.starts + ((at - rota.starts) // rota.turn + 1) * rota.turn
        return min([hand_over, *edges[bisect_right(edges, at) :][:1]])


def everybody(*contacts: Contact) -> Routing:
    """Each of these is told of every incident."""
    return Routing().and_all(*contacts)
