"""PURE: daily and monthly summaries: when they are due, and for whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum

from alerts.routing import Routing
from monitor.core.ledger import Span, month_of
from monitor.core.model import Contact
from monitor.core.words import LOCAL

DAY = timedelta(days=1)
CAUGHT_UP_DAYS = 3
"""A monthly summary that could not be made on the first is made on one of the days after it, up to this day of the month."""
LONGEST_DAILY = timedelta(days=7)
"""A daily summary goes back to the one before, but not longer than this."""


class Every(StrEnum):
    """How often a summary comes."""

    DAILY = "daily"
    MONTHLY = "monthly"


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A summary that somebody should have by now."""

    id: str
    """The same for the same day or month and contact, so that it is made once."""
    every: Every
    contact: Contact
    at: datetime
    """When it should have been made."""


def due(routing: Routing, now: datetime) -> Iterator[Due]:
    """All that should have been made by now: the daily ones of today, the monthly ones of the month that is over."""
    local = now.astimezone(LOCAL)
    for id_, wanted in routing.summaries.items():
        contact = routing.contacts[id_]
        if wanted.daily is not None and local.time() >= wanted.daily:
            at = datetime.combine(local, wanted.daily, LOCAL)
            yield Due(id=f"{Every.DAILY}-{local:%Y%m%d}.{id_}", every=Every.DAILY, contact=contact, at=at)
        if wanted.monthly is not None and _monthly(local, wanted.monthly):
            month = last_month(now)
            letter = f"{Every.MONTHLY}-{month.since:%Y%m}.{id_}"
            yield Due(id=letter, every=Every.MONTHLY, contact=contact, at=month.until)


def _monthly(local: datetime, at: time) -> bool:
    return (1, at) <= (local.day, local.time()) and local.day <= CAUGHT_UP_DAYS


def last_month(now: datetime) -> Span:
    """The calendar month of Viet Nam that is over."""
    return month_of(month_of(now).since - DAY)


def last_day(now: datetime, before: datetime | None, watched: datetime | None = None) -> Span:
    """What a daily summary is about: the time since the one before, or a day where there was none; nothing before `watched`."""
    since = before if before is not None and now - LONGEST_DAILY <= before < now else now - DAY
    return Span(since if watched is None or not since < watched < now else watched, now)
