"""PURE: what a monthly summary tells: how available all was, held against what the contracts promise, and what was out when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.figures import Row, row_of
from alerts.spread import as_csv, local
from monitor.core.ledger import By, Report, Span, Totals
from monitor.core.model import Incident, Inventory, State
from monitor.core.words import LOCAL, Words

SHOWN = 20
"""So many of each list are shown; the rest are counted, and all are in the tables that are attached."""
SUMMED = (By.LINK, By.PROVIDER, By.COMMUNE, By.SERVICE)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """What is known of a month."""

    span: Span
    reports: Mapping[By, Report]
    """Each of SUMMED."""
    incidents: Sequence[Incident]
    """That were open in it."""


def told(month: Month, inventory: Inventory, words: Words) -> dict[str, object]:
    """What the template of a monthly summary is given; what is worst comes first."""
    rows = {by: tuple(_rows(month.reports[by], inventory, words)) for by in SUMMED}
    hurt = {by: tuple(row for row in rows[by] if row.down or row.below) for by in SUMMED}
    return {
        "month": f"{month.span.since.astimezone(LOCAL):%m/%Y}",
        "lines": tuple(sorted(hurt[By.LINK], key=lambda row: not row.below)),
        "promised": sum(bool(row.promised) for row in rows[By.LINK]),
        "providers": rows[By.PROVIDER],
        "communes": hurt[By.COMMUNE],
        "services": hurt[By.SERVICE],
        "watched": {"lines": len(rows[By.LINK]), "communes": len(rows[By.COMMUNE]), "services": len(rows[By.SERVICE])},
        "outages": tuple(outage_of(each, month.span, inventory, words) for each in _outages(month)),
        "shown": SHOWN,
    }


def _rows(report: Report, inventory: Inventory, words: Words) -> Iterable[Row]:
    return (row_of(key, totals, inventory, words) for key, totals in report.totals.items())


def _outages(month: Month) -> list[Incident]:
    """The longest first."""
    down = (each for each in month.incidents if each.state is State.DOWN)
    return sorted(down, key=lambda each: (-_lasted(each, month.span), each.id))


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


# -- tables for a spreadsheet ------------------------------------------------------------------------------------------


def tables(month: Month, inventory: Inventory, words: Words) -> tuple[tuple[str, str], ...]:
    """All of it: names of files and their CSV; numbers as programs read them."""
    label = f"{month.span.since.astimezone(LOCAL):%Y-%m}"
    return (
        (f"availability-{label}.csv", _availability(month, inventory, words)),
        (f"outages-{label}.csv", _outage_table(month, inventory, words)),
    )


def _availability(month: Month, inventory: Inventory, words: Words) -> str:
    states = tuple(Totals.__slots__)
    heads = ("by", "id", "name", "provider", "circuit", "availability_percent", "availability_net_percent")
    rows: list[Sequence[object]] = [(*heads, "promised_percent", *(f"{each}_seconds" for each in states))]
    for by in SUMMED:
        for key, totals in month.reports[by].totals.items():
            row = row_of(key, totals, inventory, words)
            target = inventory.targets.get(key)
            provider = inventory.providers.get(target.provider) if target else None
            ratios = (_percent(totals.availability), _percent(totals.availability_net))
            promised = "" if provider is None or provider.promised_percent is None else provider.promised_percent
            seconds = (round(getattr(totals, each).total_seconds()) for each in states)
            rows.append((by.value, key, row.name, row.provider, row.circuit, *ratios, promised, *seconds))
    return as_csv(rows)


def _percent(ratio: float | None) -> object:
    return "" if ratio is None else round(ratio * 100, 4)


def _outage_table(month: Month, inventory: Inventory, words: Words) -> str:
    rows: list[Sequence[object]] = [("incident", "root", "name", "cause", "severity", "began", "ended", "seconds")]
    for each in _outages(month):
        outage = outage_of(each, month.span, inventory, words)
        ended = local(outage.until) if outage.until else ""
        seconds = round(outage.lasted.total_seconds())
        rows.append(
            (each.id, each.root, outage.name, outage.cause, each.severity.value, local(each.began), ended, seconds)
        )
    return as_csv(rows)
