"""PURE: what a daily summary tells: what happened, the worst lines, what is degraded now, what work comes today."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.figures import row_of
from alerts.summary import lines_of
from monitor.core.ledger import COMMUNE, Report, Span
from monitor.core.model import Held, Incident, Inventory, State
from monitor.core.words import LOCAL, Words

SHOWN = 20
"""So many of each list are shown; the rest are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commune:
    """A commune with incidents of its own."""

    name: str
    incidents: int
    hurt: timedelta
    """How long they lasted, in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Degraded:
    """A target that works worse than it should."""

    name: str
    trouble: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Planned work of today."""

    begins: datetime
    ends: datetime
    reason: str
    name: str
    """Of its first target."""
    more: int
    """How many targets there are beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What is known of a day."""

    span: Span
    incidents: Sequence[Incident]
    """That were open in it."""
    held: Mapping[str, Held]
    """What every target is held to be at its end."""
    lines: Report
    """How available the lines were."""


def told(day: Day, inventory: Inventory, words: Words, board: str) -> dict[str, object]:
    """What the template of a daily summary is given; what is worst comes first."""
    now = day.span.until
    still = sorted((each for each in day.incidents if each.closed is None), key=lambda each: each.began)
    over = sorted((each for each in day.incidents if each.closed), key=lambda each: each.began - _end(each, now))
    hurt = (row_of(key, totals, inventory, words) for key, totals in day.lines.totals.items() if totals.down)
    return {
        "since": day.span.since,
        "until": now,
        "open": lines_of(still, inventory, words, board),
        "over": lines_of(over, inventory, words, board),
        "communes": tuple(_communes(day.incidents, inventory, now)),
        "worst": tuple(hurt),
        "degraded": tuple(_degraded(day.held, inventory, words)),
        "works": tuple(_works(inventory, now, words)),
        "shown": SHOWN,
    }


def _end(incident: Incident, now: datetime) -> datetime:
    return incident.closed or now


def _communes(incidents: Iterable[Incident], inventory: Inventory, now: datetime) -> Iterator[Commune]:
    """Those with most incidents first; an incident is that of its root's site."""
    own: dict[str, list[timedelta]] = {}
    for each in incidents:
        root = inventory.targets.get(each.root)
        if root is not None and each.shared is None and inventory.sites[root.site].kind == COMMUNE:
            own.setdefault(root.site, []).append(_end(each, now) - each.began)
    for site, lengths in sorted(own.items(), key=lambda item: (-len(item[1]), -sum(item[1], timedelta()), item[0])):
        yield Commune(name=inventory.sites[site].name, incidents=len(lengths), hurt=sum(lengths, timedelta()))


def _degraded(held: Mapping[str, Held], inventory: Inventory, words: Words) -> Iterator[Degraded]:
    """The longest first."""
    found = (each for each in held.values() if each.state is State.DEGRADED and each.target in inventory.targets)
    for each in sorted(found, key=lambda each: (each.since, each.target)):
        name = words.at_place(inventory.targets[each.target], inventory)
        yield Degraded(name=name, trouble=words.trouble(each.reason, each.says), since=each.since)


def _works(inventory: Inventory, now: datetime, words: Words) -> Iterator[Work]:
    """What is under way, or begins before the day is over in Viet Nam; the first first."""
    local = now.astimezone(LOCAL)
    night = local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    found = []
    for each in inventory.maintenance:
        targets = sorted(target for target in each.targets if target in inventory.targets)
        for start in each.starts:
            if start >= night:
                break
            if start + each.lasts > now and targets:
                name = words.at_place(inventory.targets[targets[0]], inventory)
                found.append(
                    Work(begins=start, ends=start + each.lasts, reason=each.reason, name=name, more=len(targets) - 1)
                )
    yield from sorted(found, key=lambda work: (work.begins, work.ends, work.name))
