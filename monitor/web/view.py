"""What the pages and the API need to know of the running daemon; the app provides it, the web never changes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from monitor.core.lasthour import Series
from monitor.core.ledger import By, Interval, Report, Span
from monitor.core.life import Life
from monitor.core.model import Incident, Inventory, Observation, Reason, Silence, State, Window
from monitor.core.readiness import Outlook


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


class View(Protocol):
    """The present, read between two events of the loop, where every method returns at once; and the past, which is awaited."""

    def inventory(self) -> Inventory:
        """The settings in force."""

    def states(self) -> Mapping[str, TargetView]:
        """By target id; a missing target counts as unknown."""

    def incidents(self) -> Sequence[Incident]:
        """Open ones first, then those closed lately."""

    async def life(self, incident: str) -> Life | None:
        """What was written of an incident, also of one that was over long ago; None when there is none, or it cannot be read now."""

    def series(self, target: str) -> Series | None:
        """What was measured of a line or service in the last hour; None when nothing is kept of it."""

    def meetings(self) -> Sequence[Outlook]:
        """The sessions of the next days with their rooms as they are now, the first begin first."""

    def ready(self) -> tuple[bool, str]:
        """Whether the daemon watches, and if not, why."""

    def health(self) -> Mapping[str, object]:
        """The daemon's own figures, by the names of `HEALTH` in `words.py`; others are shown under their own name."""

    async def availability(self, by: By, span: Span) -> Report | None:
        """Sums from the ledger of the part of the span that is over; None when it cannot be read now."""

    async def past(self, site: str, span: Span) -> Mapping[str, Sequence[Interval]] | None:
        """By target of a site: its intervals in the part of the span that is over; None when they cannot be read now."""
