"""Nights of incidents for the policy: what happens when, time that passes in steps, and restarts in between."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain

from hypothesis import strategies as st

from alerts.holding import READ_BACK
from alerts.policy import FOREVER, WAITS, Policy
from alerts.routing import Routing
from monitor.core.model import (
    SUMMARIES,
    Acknowledgement,
    Cause,
    Happening,
    Incident,
    IncidentEvent,
    Inventory,
    Notification,
    Severity,
)
from tests.alerts.sample import INCIDENT, NOW, inventory

MINUTE = timedelta(minutes=1)
LENGTH = 36 * 60
"""Minutes of a night, which is a day and a half."""
ROOTS = ("xa-kim-dong/tslcd", "phuong-phu-ly/tslcd", "center/website")


@dataclass(slots=True)
class Night:
    """A policy with the database that it would have."""

    routing: Routing
    known: Inventory = field(default_factory=inventory)
    made: list[Notification] = field(default_factory=list)
    open: dict[str, Incident] = field(default_factory=dict)
    begun: dict[str, datetime] = field(default_factory=dict)
    policy: Policy = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self, now: datetime = FOREVER, resumed: datetime | None = None) -> None:
        """All that is remembered is what is kept."""
        since = (self.made[-1].event.at if self.made else NOW) - READ_BACK
        told = [each for each in self.made if each.thread in self.open or each.event.at >= since]
        begun = {incident: at for incident, at in self.begun.items() if incident in self.open}
        self.policy = Policy(self.routing, self.known, told, begun, self.held(), now=now, resumed=resumed)

    def held(self) -> list[Notification]:
        """What no summary has told of yet."""
        summed = {id_ for each in self.made for id_ in each.instead_of}
        return [each for each in self.made if each.held and each.id not in summed]

    def happen(self, event: IncidentEvent) -> list[Notification]:
        """One event."""
        incident = event.incident
        self.open[incident.id] = incident
        if incident.closed is not None:
            del self.open[incident.id]
        if event.what in WAITS:
            self.begun[incident.id] = event.at
        return self._keep(self.policy.happened(event))

    def due(self, at: datetime) -> list[Notification]:
        """What time brings, when it is time."""
        return self._keep(self.policy.due(at, list(self.open.values())))

    def _keep(self, made: list[Notification]) -> list[Notification]:
        self.made += made
        return made

    def pass_by(
        self, events: Sequence[IncidentEvent], until: int = LENGTH, restarts: Collection[int] = ()
    ) -> list[str]:
        """Whole minutes in which something is to be done; in some of them a restart. Returns the mails as short words."""
        coming = sorted(events, key=lambda each: each.at)
        happens = {-((NOW - each.at) // MINUTE) for each in events}
        minutes = sorted({0, *restarts, *happens})
        while minutes and (minute := minutes.pop(0)) < until:
            at = NOW + minute * MINUTE
            if minute in restarts:
                self.restart()
            while coming and coming[0].at <= at:
                self.happen(coming.pop(0))
            self.due(at)
            if self.policy.next is not None:
                again = max(minute + 1, -((NOW - self.policy.next) // MINUTE))
                if not minutes or again < minutes[0]:
                    minutes.insert(0, again)
        return said(self.made)


def said(made: Iterable[Notification]) -> list[str]:
    """`minute contact what`, in the order of telling; in brackets what is held back, behind a summary how many it lists."""
    told = []
    for each in made:
        word = f"{(each.event.at - NOW) // MINUTE} {each.contact.id} {each.event.what}"
        told.append(f"({word})" if each.held else f"{word} {len(each.items)}" if each.event.what in SUMMARIES else word)
    return told


def life(steps: Iterable[tuple[int, Happening]], incident: Incident = INCIDENT) -> list[IncidentEvent]:
    """Events of one incident at these minutes, each with the incident as it is then."""
    events = []
    for minute, what in steps:
        at = NOW + minute * MINUTE
        if what is Happening.ACKNOWLEDGED:
            incident = replace(incident, acknowledged=Acknowledgement(by="hoa", at=at))
        elif what in (Happening.UNACKNOWLEDGED, Happening.REOPENED):
            incident = replace(incident, acknowledged=None, closed=None)
        elif what in (Happening.RECOVERED, Happening.WITHDRAWN):
            incident = replace(incident, closed=at)
        elif what is Happening.OPENED:
            incident = replace(incident, began=at, opened=at)
        if what is Happening.REOPENED:
            incident = replace(incident, times=incident.times + 1)
        events.append(IncidentEvent(incident=incident, what=what, at=at))
    return events


@st.composite
def lives(draw: st.DrawFn, number: int) -> list[IncidentEvent]:
    """Life of the incident with this number: it opens, is taken and given back, and may end."""
    incident = replace(
        INCIDENT, id=f"i-{number}", root=draw(st.sampled_from(ROOTS)), cause=draw(st.sampled_from(tuple(Cause))),
        severity=draw(st.sampled_from(tuple(Severity))),
    )  # fmt: skip
    minute = draw(st.integers(0, LENGTH // 2))
    steps, has_it = [(minute, Happening.OPENED)], False
    for gap in draw(st.lists(st.integers(1, 300), max_size=4)):
        minute += gap
        turn = Happening.UNACKNOWLEDGED if has_it else Happening.ACKNOWLEDGED
        what = draw(st.sampled_from((Happening.CHANGED, turn)))
        has_it = has_it if what is Happening.CHANGED else not has_it
        steps.append((minute, what))
    if draw(st.booleans()):
        steps.append(
            (minute + draw(st.integers(1, 600)), draw(st.sampled_from((Happening.RECOVERED, Happening.WITHDRAWN))))
        )
    return life(steps, incident)


def nights(most: int = 4) -> st.SearchStrategy[list[IncidentEvent]]:
    """Several incidents at once."""
    return st.integers(1, most).flatmap(
        lambda count: st.tuples(*(lives(number) for number in range(count))).map(lambda all_of: list(chain(*all_of)))
    )
