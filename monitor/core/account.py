"""The account of a month: what each target was, with its outages, and whether a line was as available as promised.

All is made of the same intervals, each target's once: so the sums of lines, providers and communes agree with each other,
with the outages and with the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from monitor.core.ledger import (
    ZERO,
    By,
    Interval,
    Member,
    Records,
    Report,
    Span,
    Totals,
    joined,
    merged,
    rank,
    shares,
    total,
)
from monitor.core.model import Incident, Inventory, Role, State
from monitor.core.seen import CUT, GRACE

GOOD = (State.UP, State.DEGRADED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Time in which a target was down or unreachable without a break."""

    target: str
    since: datetime
    until: datetime
    begun: bool
    """Whether it was well just before; else it began earlier, before the span or while nobody looked."""
    ended: bool
    """Whether it was well just after; else it went on, or nobody looked any more."""
    power: timedelta = ZERO
    """What of it a power cut explains."""
    maintenance: timedelta = ZERO
    """What of it announced work explains."""
    incident: Incident | None = None
    """The one that it was a part of; None: it was too short for one, or announced."""

    @property
    def lasted(self) -> timedelta:
        """Its length in the span."""
        return self.until - self.since

    @property
    def counted(self) -> timedelta:
        """What of it nothing excuses."""
        return self.lasted - self.power - self.maintenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One target while it was in the inventory with the same properties."""

    member: Member
    totals: Totals
    outages: tuple[Outage, ...]
    """Oldest first."""


class Failures(NamedTuple):
    """Outages in figures."""

    number: int
    longest: timedelta
    mean: timedelta | None
    """Mean time to repair: of those whose end was seen; None: there was none."""


class Verdict(NamedTuple):
    """A line held against its contract, without power cuts and maintenance."""

    promised: float
    """Ratio 0 to 1."""
    spare: timedelta
    """How much longer it could have been down; negative: how much too long it was."""

    @property
    def met(self) -> bool:
        """Whether it was as available as promised."""
        return self.spare >= ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A line while one provider delivered it."""

    target: str
    provider: str
    """Its id; may be empty."""
    since: datetime
    totals: Totals
    outages: tuple[Outage, ...]
    """Oldest first."""

    @property
    def elsewhere(self) -> timedelta:
        """What counts against its contract though the root of its incident is something else: a device in front, not the line."""
        return sum((each.counted for each in self.outages if each.incident and each.incident.root != self.target), ZERO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What is known of a span."""

    asked: Span
    """The whole of it, …"""
    span: Span
    """… and the part that was over when it was made."""
    entries: Sequence[Entry]
    incidents: Sequence[Incident]
    """That were open in it, oldest first; what turned out a part of others is not among them."""
    watched: datetime | None
    """When something was watched first; None: never."""

    @property
    def over(self) -> bool:
        """Whether the span was over."""
        return self.span.until >= self.asked.until

    def report(self, by: By) -> Report:
        """The sums, worst first."""
        return merged(
            by, self.span, ({each.member.key(by): each.totals} for each in self.entries if each.member.key(by))
        )

    def outages(self, by: By) -> dict[str, list[Outage]]:
        """Those of each, by the same keys as the sums."""
        found: dict[str, list[Outage]] = {}
        for each in self.entries:
            if key := each.member.key(by):
                found.setdefault(key, []).extend(each.outages)
        return found

    def since(self, by: By) -> dict[str, datetime]:
        """Since when each was watched, of those that were not from the beginning of the span on."""
        found: dict[str, datetime] = {}
        for each in self.entries:
            if key := each.member.key(by):
                found[key] = min(found.get(key, each.member.since), each.member.since)
        return {key: at for key, at in found.items() if at > self.span.since}

    def deliveries(self) -> list[Delivery]:
        """Each line with each provider that delivered it: of each its own part of the span. Worst first."""
        found: dict[tuple[str, str], list[Entry]] = {}
        for each in self.entries:
            if each.member.role is Role.LINK:
                found.setdefault((each.member.target, each.member.provider), []).append(each)
        made = [
            Delivery(
                target=target, provider=provider, since=min(each.member.since for each in parts),
                totals=joined(each.totals for each in parts),
                outages=tuple(sorted((one for each in parts for one in each.outages), key=lambda one: one.since)),
            )
            for (target, provider), parts in found.items()
        ]  # fmt: skip
        return sorted(made, key=lambda each: (rank(each.totals), each.target, each.since))

    def only(self, wanted: Callable[[Member], bool]) -> Account:
        """The same of some targets."""
        entries = [each for each in self.entries if wanted(each.member)]
        kept = {each.member.target for each in entries}
        incidents = [each for each in self.incidents if not kept.isdisjoint((each.root, *each.impact))]
        return replace(self, entries=entries, incidents=incidents)


def hurting(incidents: Iterable[Incident]) -> dict[str, list[Incident]]:
    """By target, those that hurt it."""
    of_target: dict[str, list[Incident]] = {}
    for incident in incidents:
        for target in {incident.root, *incident.impact}:
            of_target.setdefault(target, []).append(incident)
    return of_target


def entries(records: Records, span: Span, of_target: Mapping[str, Sequence[Incident]]) -> list[Entry]:
    """An entry of each member; `of_target` are the incidents that may explain its outages."""
    return [
        Entry(
            member=member,
            totals=total(found),
            outages=tuple(_outages(member.target, found, of_target.get(member.target, ()))),
        )
        for member, found in shares(records, span)
    ]


def _outages(target: str, found: Sequence[Interval], incidents: Sequence[Incident]) -> Iterator[Outage]:
    for first, behind in _unbroken(found):
        since, until, sums = found[first].since, found[behind - 1].until, total(found[first:behind])
        yield Outage(
            target=target, since=since, until=until, power=sums.power, maintenance=sums.maintenance,
            begun=first > 0 and found[first - 1].until == since and found[first - 1].state in GOOD,
            ended=behind < len(found) and found[behind].since == until and found[behind].state in GOOD,
            incident=_explaining(incidents, since, until),
        )  # fmt: skip


def _unbroken(found: Sequence[Interval]) -> Iterator[tuple[int, int]]:
    """Of each outage where its intervals begin, and where they are over."""
    first = 0
    while first < len(found):
        behind = first + 1
        if found[first].state in CUT:
            while behind < len(found) and found[behind].state in CUT and found[behind].since == found[behind - 1].until:
                behind += 1
            yield first, behind
        first = behind


def _explaining(incidents: Sequence[Incident], since: datetime, until: datetime) -> Incident | None:
    """The incident that was open for most of this time; what comes back after it has as long as the correlator gives it."""

    def common(each: Incident) -> timedelta:
        return (until if each.closed is None else min(each.closed + GRACE, until)) - max(each.began, since)

    best = max(incidents, key=common, default=None)
    return best if best is not None and common(best) > ZERO else None


def failures(outages: Sequence[Outage]) -> Failures:
    """How often, how long at most, and how long in the mean."""
    ended = [each.lasted for each in outages if each.ended]
    return Failures(
        number=len(outages),
        longest=max((each.lasted for each in outages), default=ZERO),
        mean=sum(ended, ZERO) / len(ended) if ended else None,
    )


def promised(target: str, provider: str, inventory: Inventory) -> float | None:
    """What the contract of a line with a provider promises as a ratio: its own, else the provider's; None: it is not known.

    What has left the inventory, or is delivered by another one now, has what is promised of all lines of that provider.
    """
    known, of_all = inventory.targets.get(target), inventory.providers.get(provider)
    percent = known.promised_percent if known is not None and known.provider == provider else None
    if percent is None and of_all is not None:
        percent = of_all.promised_percent
    return None if percent is None else percent / 100


def verdict(totals: Totals, ratio: float | None) -> Verdict | None:
    """A line held against its contract; None where nothing is promised, or nothing is known."""
    good = totals.up + totals.degraded
    lost = totals.counted
    if ratio is None or not good + lost:
        return None
    return Verdict(ratio, (good + lost) * (1 - ratio) - lost)


def too_long_at_least(line: Delivery, ratio: float, month: timedelta) -> timedelta:
    """How much too long a line was down, whatever is said against it; zero: perhaps not at all.

    All that is not known of the month, or is still to come, is taken as up, and what was down in front of the line is not counted.
    """
    return max(line.totals.counted - line.elsewhere - month * (1 - ratio), ZERO)
