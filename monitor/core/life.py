"""The life of one incident as it was written down: what happened, who was told, and when nobody was to be told.

PURE. The database makes these, the page of an incident and the API read them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.core.model import Happening, Incident, IncidentEvent, Silence


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One mail about it, and what became of it."""

    to: str
    """Name of the recipient."""
    what: Happening
    at: datetime
    """When it was written, the last time."""
    status: str
    """As in the outbox: `queued`, `sent`, `failed` …"""
    sent: datetime | None = None
    """When a relay took it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """One mail about a session of a meeting, and what became of it, as in `Told`."""

    to: str
    before: timedelta | None
    """How long before the session it told of its rooms; None: what had changed since then, or how it went, after it."""
    at: datetime
    status: str
    sent: datetime | None = None
    changed: bool = False
    """It told what had changed since the last report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """An incident from its opening on; long lists have lost their middle."""

    incident: Incident
    """As it was when it was last written."""
    events: tuple[IncidentEvent, ...] = ()
    """Oldest first."""
    told: tuple[Told, ...] = ()
    """Oldest first."""
    silences: tuple[Silence, ...] = ()
    """All that began before it closed and ended after it opened, whatever they are about."""
