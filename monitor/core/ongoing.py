"""An incident that goes on, or did lately: what it has swallowed, when it is over, and what of it was told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.core.model import Explanation, Happening, Incident, IncidentEvent, Severity
from monitor.core.rename import Names, incident_as
from monitor.core.severity import RANK

SETTLE = timedelta(seconds=10)
"""An incident is over when its root was well for this long: a line that flutters stays one incident."""
SETTLE_FACTOR = 9
SETTLE_LONGEST = timedelta(minutes=15)
"""With each time that an incident comes back it takes longer to be over: 10 s, 90 s, 13 min, 15 min."""
RISE = timedelta(seconds=30)
"""An incident that is more severe than what was told is told of anew after this time: what fails with it may be seen later."""


def longer(settle: timedelta) -> timedelta:
    """How long the root of an incident that took `settle` to be over must be well when it comes back."""
    return min(settle * SETTLE_FACTOR, SETTLE_LONGEST)


@dataclass(slots=True, kw_only=True)
class Ongoing:
    """An incident, and what only the correlator needs to know of it."""

    incident: Incident
    members: set[str]
    settle: timedelta = SETTLE
    well_since: datetime | None = None
    told: Severity = Severity.MINOR
    """The highest that was told, also before it came back."""
    rose: datetime | None = None
    """When it became more severe than that."""

    def tell(
        self, what: Happening, at: datetime, because: Explanation, rose_from: Severity | None = None
    ) -> IncidentEvent:
        """What happened to it; `rose_from` where no more than its severity changed."""
        if self.incident.weight is not None:
            weight = replace(self.incident.weight, rose_from=rose_from)
            self.incident = replace(self.incident, weight=weight)
        self.told, self.rose = max(self.told, self.incident.severity, key=RANK.__getitem__), None
        return IncidentEvent(incident=self.incident, what=what, at=at, because=because)

    def rename(self, names: Names) -> None:
        """Go on under other ids of targets."""
        self.incident = incident_as(self.incident, names)
        self.members = {names.get(each, each) for each in self.members}

    def clock_set(self, step: timedelta) -> None:
        """The wall clock was set by `step`: it began as long ago as before."""
        incident = self.incident
        closed = None if incident.closed is None else incident.closed + step
        dark = None if incident.dark_since is None else incident.dark_since + step
        self.incident = replace(
            incident, began=incident.began + step, opened=incident.opened + step, closed=closed, dark_since=dark
        )
        if self.well_since is not None:
            self.well_since += step
        if self.rose is not None:
            self.rose += step


def known_before(incident: Incident) -> Ongoing:
    """One of before a restart: how often it has come back, and what was told of it, is known; its parts join anew."""
    settle, times = SETTLE, incident.times
    while times > 1 and settle < SETTLE_LONGEST:
        settle, times = longer(settle), times - 1
    return Ongoing(incident=incident, members={incident.root}, settle=settle, told=incident.severity)
