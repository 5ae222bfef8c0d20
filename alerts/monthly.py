"""PURE: what a monthly summary tells: how available all was, held against what the contracts promise, and what was out when.

All of it is in the report that is attached; see alerts.report.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.conclusion import conclusion, contracts
from alerts.figures import Row, row_of
from alerts.report import lead
from monitor.core.account import Account
from monitor.core.ledger import By, Report, Span
from monitor.core.model import Incident, Inventory, State
from monitor.core.words import LOCAL, Words

SHOWN = 20
"""So many of each list are shown; the rest are counted, and all are in the report that is attached."""
SUMMED = (By.PROVIDER, By.COMMUNE, By.SERVICE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """An incident in which something was down."""

    name: str
    cause: str
    since: datetime
    until: datetime | None
    """None: it was not over when the month was."""
    lasted: timedelta
    """In the month."""


def told(account: Account, inventory: Inventory, words: Words) -> dict[str, object]:
    """What the template of a monthly summary is given; what is worst comes first."""
    rows = {by: tuple(_rows(account.report(by), inventory, words)) for by in SUMMED}
    held = contracts(account, inventory)
    rows[By.LINK] = tuple(
        row_of(each.delivery.target, each.delivery.totals, inventory, words, each.delivery.provider) for each in held
    )
    hurt = {by: tuple(row for row in some if row.down or row.below) for by, some in rows.items()}
    return {
        "month": f"{account.span.since.astimezone(LOCAL):%m/%Y}",
        "lead": tuple(lead(account, words)),
        "said": conclusion(account, held, inventory, words),
        "lines": tuple(sorted(hurt[By.LINK], key=lambda row: not row.below)),
        "promised": sum(bool(row.promised) for row in rows[By.LINK]),
        "providers": rows[By.PROVIDER],
        "communes": hurt[By.COMMUNE],
        "services": hurt[By.SERVICE],
        "watched": {"lines": len(rows[By.LINK]), "communes": len(rows[By.COMMUNE]), "services": len(rows[By.SERVICE])},
        "outages": tuple(outage_of(each, account.span, inventory, words) for each in _outages(account)),
        "shown": SHOWN,
    }


def _rows(report: Report, inventory: Inventory, words: Words) -> Iterable[Row]:
    return (row_of(key, totals, inventory, words) for key, totals in report.totals.items())


def _outages(account: Account) -> list[Incident]:
    """The longest first."""
    down = (each for each in account.incidents if each.state is State.DOWN)
    return sorted(down, key=lambda each: (-_lasted(each, account.span), each.id))


def _lasted(incident: Incident, span: Span) -> timedelta:
    until = min(incident.closed or span.until, span.until)
    return max(until - max(incident.began, span.since), timedelta())


def outage_of(incident: Incident, span: Span, inventory: Inventory, words: Words) -> Outage:
    """An incident as it is told of."""
    over = incident.closed is not None and incident.closed <= span.until
    return Outage(
        name=words.root(incident, inventory),
        cause=words.causes[incident.cause],
        since=incident.began,
        until=incident.closed if over else None,
        lasted=_lasted(incident, span),
    )
