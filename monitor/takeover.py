"""What a daemon takes over from the one before it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from alerts.heartbeat import MISSED_AFTER
from alerts.holding import READ_BACK
from monitor.core.correlate import LATELY
from monitor.core.model import Happening, Incident, Notification, Silence
from monitor.store import Store

RUNS_READ = 1000
"""So many runs are looked back at."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What the daemon before left in the database."""

    open: tuple[Incident, ...]
    recovered: tuple[Incident, ...]
    """Those that may still come back."""
    closed: tuple[Incident, ...]
    """For the board."""
    told: tuple[Notification, ...]
    """Of open incidents, and all of the last hours."""
    begun: dict[str, datetime]
    """By incident of those when it last wanted somebody."""
    held: tuple[Notification, ...]
    silences: tuple[Silence, ...]
    untold: dict[str, Happening]
    last_beat: datetime | None
    resumed: datetime | None
    """When a daemon began last after nothing had been watched for a while, or after the clock had been set; None: never."""


def _resumed(runs: Sequence[tuple[datetime, datetime]]) -> datetime | None:
    """The last beginning that did not follow at once on the sign of life before it; `runs` are in their order."""
    gaps = [begins for (_, beat), (begins, _) in pairwise(runs) if not timedelta(0) <= begins - beat < MISSED_AFTER]
    return gaps[-1] if gaps and gaps[-1] <= runs[-1][0] else None


async def take_over(store: Store, now: datetime) -> Before:
    """Read it, and begin; raises StoreError."""
    lately = now - max(LATELY, READ_BACK)
    before = Before(
        open=await store.open_incidents(),
        recovered=await store.recovered(now - LATELY, now),
        closed=await store.recent_incidents(20),
        told=await store.mails.told(lately),
        begun=await store.begun(lately),
        held=await store.mails.held(),
        silences=await store.silences(now),
        untold=await store.untold(),
        last_beat=await store.last_beat(),
        resumed=_resumed([*await store.runs(RUNS_READ), (now, now)]),
    )
    await store.begin(now)
    log.info("taken over: %d open incidents, %d mails in sending", len(before.open), await store.mails.release())
    return before
