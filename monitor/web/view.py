"""What the pages and the API need to know of the running daemon; the app provides it, the web never changes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from alerts.outbox import UNSENT
from monitor.core.lasthour import Series
from monitor.core.ledger import By, Interval, Report, Span
from monitor.core.life import Life, Posted
from monitor.core.model import Incident, Inventory, Observation, Reason, Silence, State, Window
from monitor.core.planned import Work
from monitor.core.quality import SessionQuality, Went
from monitor.core.readiness import Outlook


class Stated(Protocol):
    """What has a state."""

    @property
    def state(self) -> State: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetView:
    """One target as it is held now."""

    state: State
    since: datetime | None = None
    """None: never judged yet."""
    reason: Reason = Reason.OK
    says: str = ""
    """Key of the broken limit's sentence, when `reason` is LIMIT."""
    evidence: str = ""
    checks: Mapping[str, Observation] = field(default_factory=dict)
    """The last observation by check name; checks that never ran are missing."""
    maintenance: Window | None = None
    """The planned work that it is in."""
    silence: Silence | None = None
    """Why nobody is mailed of an incident whose root it is."""


UNSEEN = TargetView(state=State.UNKNOWN)
"""A target that the daemon says nothing about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How the checks of one probe kind go."""

    checks: int
    due_per_second: float
    """Runs a second that the intervals ask for."""
    per_second: float
    """Runs a second that ended, over the last minute."""
    happenings: Mapping[str, int] = field(default_factory=dict)
    """What its engine has counted besides, such as late replies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workings:
    """What the monitor itself is doing. Counts are since its start."""

    version: str
    started: datetime
    kinds: Mapping[str, Kind]
    """By probe kind."""
    late: int
    """Runs that started late."""
    missed: int
    """Runs left out, for the one before was still under way."""
    errors: int
    """Observations lost by a mistake of ours."""
    lag_seconds: float
    """The longest time in the last minute that the event loop woke too late."""
    mails: Mapping[str, int]
    """By status."""
    oldest_mail_seconds: float
    """How long the oldest unsent mail has waited."""
    mail_waits: str
    """Why."""
    mails_failed: Sequence[str]
    """To whom mails were given up lately, and why, newest first."""
    relays: Mapping[str, bool]
    """By place: whether it failed when it was last tried."""
    signs: Mapping[str, tuple[str, datetime]]
    """The last sign of life to others by way: how it went, and when."""
    reloaded: datetime
    """When settings were last read."""
    reload_wrong: str
    """Where they were wrong, and nothing of what stands there; empty: they are in force."""
    database_trouble: str
    """Why the database cannot be used now."""
    database_errors: int
    """Failed writes."""
    unwritten_seconds: float
    """How long something has waited to be written."""
    traps: Mapping[str, int] | None
    """SNMP traps by what became of them; None: nobody listens."""

    @property
    def unsent(self) -> int:
        """Mails that are to be sent as soon as may be."""
        return sum(self.mails.get(each, 0) for each in UNSENT)


class View(Protocol):
    """The present, read between two events of the loop, where every method returns at once; and the past, which is awaited."""

    def revision(self) -> int:
        """Another number whenever a state, an incident, a silence or the settings have changed."""

    def inventory(self) -> Inventory:
        """The settings in force."""

    def states(self) -> Mapping[str, TargetView]:
        """By target id; a missing target counts as unknown."""

    def judged(self) -> Mapping[str, Stated]:
        """The same, of each no more than its state: for pages of all, where putting together all views takes a second; never
        changed by who asks, to be copied for another thread."""

    def incidents(self) -> Sequence[Incident]:
        """Open ones first, then those closed lately."""

    async def life(self, incident: str) -> Life | None:
        """What was written of an incident, also of one that was over long ago; None when there is none, or it cannot be read now."""

    def what_to_do(self, incident: Incident, language: str) -> Sequence[str]:
        """What people are told to do about it, as the mails say it, line by line; nothing when it is over. For any thread."""

    def series(self, target: str) -> Series | None:
        """What was measured of a line or service in the last hour; None when nothing is kept of it."""

    def meetings(self) -> Sequence[Outlook]:
        """The sessions of the next days with their rooms as they are now, the first begin first."""

    async def past_sessions(self) -> Sequence[Went] | None:
        """The sessions of meetings that are over, of the last days, the last first; None when they cannot be read now."""

    async def session(self, meeting: str, begins: datetime) -> SessionQuality | None:
        """How one session went, or has gone so far; None when none has begun then, or it cannot be read now."""

    async def posted(self, meeting: str, begins: datetime) -> Sequence[Posted]:
        """The mails about one session, before and after it, oldest first."""

    def silences(self) -> Sequence[Silence]:
        """Those in force."""

    def works(self) -> Sequence[Work]:
        """Of each entry of maintenance what goes on now or comes next, the first begin first."""

    def workings(self) -> Workings:
        """What the monitor itself is doing."""

    def unready(self) -> tuple[int, int] | None:
        """How many of how many checks were observed so far; None when nearly all were."""

    def health(self) -> Mapping[str, object]:
        """What warnings of the monitor's own trouble are made of."""

    async def availability(self, by: By, span: Span) -> Report | None:
        """Sums from the ledger of the part of the span that is over; None when it cannot be read now."""

    async def past(self, site: str, span: Span) -> Mapping[str, Sequence[Interval]] | None:
        """By target of a site: its intervals in the part of the span that is over; None when they cannot be read now."""
