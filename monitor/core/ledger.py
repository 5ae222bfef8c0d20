"""The availability ledger: from changes of state to exact intervals of each target, and their sums.

Nothing is sampled: an interval begins and ends where a state was seen to begin and end, to the microsecond. What is known
later wins: a change that began before the previous one was decided takes that time over. Time in which the monitor did not
run, and a target's time until its first verdict after that, is unknown. Time outside the inventory does not count at all.

    availability     = (up + degraded) / (up + degraded + down + unreachable)
    availability_net = (up + degraded) / (up + degraded + down + unreachable - power - maintenance)

`power` and `maintenance` are those parts of down and unreachable that a power cut or announced work explain; a moment is
never both (work that was announced counts first). Unknown time is in neither, so that what was never known has no
availability (None), not 0. Sums over many targets weigh each by its time.

Pure, and every function is total: rows in any order, twice, or with clocks that went back give gapless intervals.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from monitor.core.graph import Graph
from monitor.core.model import Cause, Incident, Inventory, PowerCut, Role, State
from monitor.core.seen import CUT, GRACE
from monitor.core.words import LOCAL

ZERO = timedelta(0)
FOREVER = datetime.max.replace(tzinfo=UTC)
COMMUNE = "commune"
LONGEST = timedelta(days=400)
"""The longest time that is summed at once."""


class By(StrEnum):
    """What sums are made for."""

    TARGET = "target"
    LINK = "link"
    PROVIDER = "provider"
    COMMUNE = "commune"
    KIND = "kind"
    SERVICE = "service"


class Excuse(StrEnum):
    """Why a target was down or unreachable through nobody's fault."""

    POWER = "power"
    MAINTENANCE = "maintenance"


class Span(NamedTuple):
    """Time from `since` up to, not including, `until`."""

    since: datetime
    until: datetime


class Turn(NamedTuple):
    """A state that was decided at `at`, held to have begun at `since`; a higher number is later knowledge."""

    number: int
    state: State
    since: datetime
    at: datetime


class Interval(NamedTuple):
    """Time in which a target was held to be in one state."""

    since: datetime
    until: datetime
    state: State
    excuse: Excuse | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A target while it was in the inventory with these properties."""

    target: str
    role: Role
    kind: str
    provider: str = ""
    commune: str = ""
    """Its site, when that is a commune or ward."""
    since: datetime
    until: datetime | None = None
    """None: it still is."""
    formerly: tuple[str, ...] = ()
    """Ids under which it may be in the ledger too."""

    @property
    def site(self) -> str:
        """Where it is, commune or not."""
        return self.target.partition("/")[0]

    def key(self, by: By) -> str:
        """What its time is summed under; empty: it does not count there."""
        match by:
            case By.LINK | By.SERVICE:
                return self.target if self.role.value == by.value else ""
            case By.PROVIDER:
                return self.provider
            case By.COMMUNE:
                return self.commune
            case By.KIND:
                return self.kind
            case By.TARGET:
                return self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """Announced work on some targets."""

    targets: Collection[str]
    span: Span


def announced(inventory: Inventory, span: Span, graph: Graph | None = None) -> list[Maintenance]:
    """The planned work of an inventory that falls into a span; it explains what it cuts off too. `graph`: its own, where it is at hand."""
    graph, found = graph or Graph(inventory.targets), []
    for each in inventory.maintenance:
        cut_off = (far for target in each.targets if target in graph.targets for far in graph.behind(target))
        targets = each.targets | set(cut_off)
        for start in each.starts:
            if start >= span.until:
                break
            if start + each.lasts > span.since:
                found.append(Maintenance(targets=targets, span=Span(start, start + each.lasts)))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What was written down about some time."""

    runs: Sequence[Span] = ()
    """When the monitor ran: from its start to its last sign of life."""
    members: Sequence[Member] = ()
    turns: Mapping[str, Sequence[Turn]] = field(default_factory=dict)
    """By target; of the time before only the last one is needed."""
    incidents: Sequence[Incident] = ()
    maintenance: Sequence[Maintenance] = ()


@dataclass(slots=True)
class Totals:
    """Sums of intervals. The five states add up to the whole; power and maintenance are parts of down and unreachable."""

    up: timedelta = ZERO
    degraded: timedelta = ZERO
    down: timedelta = ZERO
    unreachable: timedelta = ZERO
    unknown: timedelta = ZERO
    power: timedelta = ZERO
    maintenance: timedelta = ZERO

    def add(self, interval: Interval) -> None:
        """Count one interval."""
        length = interval.until - interval.since
        setattr(self, interval.state.value, getattr(self, interval.state.value) + length)
        if interval.excuse is not None:
            setattr(self, interval.excuse.value, getattr(self, interval.excuse.value) + length)

    def join(self, other: Totals) -> None:
        """Count what another one has counted."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def whole(self) -> timedelta:
        """All of the time, known or not."""
        return self.up + self.degraded + self.down + self.unreachable + self.unknown

    @property
    def availability(self) -> float | None:
        """Ratio 0 to 1 of the known time; None when nothing is known."""
        good = self.up + self.degraded
        return _ratio(good, good + self.down + self.unreachable)

    @property
    def availability_net(self) -> float | None:
        """The same without power cuts and maintenance; None when nothing else is known."""
        good = self.up + self.degraded
        return _ratio(good, good + self.counted)

    @property
    def counted(self) -> timedelta:
        """How long it was down or cut off and nothing excuses it."""
        return self.down + self.unreachable - self.power - self.maintenance


def _ratio(part: timedelta, whole: timedelta) -> float | None:
    return part / whole if whole else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Sums of one span."""

    by: By
    span: Span
    """Without what is still to come."""
    totals: Mapping[str, Totals]
    """Worst first; without any known time last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What an incident took from its root's availability in the month in which it ended."""

    before: float | None
    """Ratio of the month up to its beginning; None: it began with the month, or before."""
    after: float
    """Of the month up to its end."""
    down: timedelta
    """How long the root was down or unreachable in that time, in all."""
    since: datetime | None = None
    """When it was first watched, where that was in this month."""


# -- intervals of one target -----------------------------------------------------------------------------------------


def intervals(
    turns: Iterable[Turn],
    runs: Iterable[Span],
    stays: Iterable[Span],
    excuses: Iterable[tuple[Excuse, Span]],
    span: Span,
) -> list[Interval]:
    """What a target was in `span`, gapless while it was in the inventory (`stays`); neighbours differ."""
    stays = _union(stays)
    watched = [each for stay in stays for run in _apart(runs) if (each := _cut(run, stay))]
    pieces = _known(turns, watched)
    reasons = list(excuses)
    found: list[Interval] = []
    for stay in stays:
        inside = _cut(stay, span)
        if inside is None:
            continue
        at = inside.since
        for piece in pieces:
            part = _cut(piece, inside)
            if part is None:
                continue
            if part.since > at:
                _append(found, Interval(at, part.since, State.UNKNOWN))
            for excused in _excused(Interval(*part, piece.state), reasons):
                _append(found, excused)
            at = part.until
        _append(found, Interval(at, inside.until, State.UNKNOWN))
    return found


def _append(found: list[Interval], new: Interval) -> None:
    """Put an interval behind the others: an empty one is none, and what goes on is one."""
    if new.since >= new.until:
        return
    if found and found[-1].until == new.since and found[-1][2:] == new[2:]:
        new = Interval(found.pop().since, *new[1:])
    found.append(new)


def _cut(one: Span | Interval, other: Span | Interval) -> Span | None:
    since = (
        one.since if one.since > other.since else other.since
    )  # called for every interval: max() takes twice as long
    until = one.until if one.until < other.until else other.until
    return Span(since, until) if since < until else None


def within(found: Sequence[Interval], span: Span) -> list[Interval]:
    """The part of intervals in their order that falls into a span; into one without time, nothing does."""
    if span.since >= span.until:
        return []
    first = bisect_right(found, span.since, key=lambda each: each.until)
    last = bisect_left(found, span.until, first, key=lambda each: each.since)
    inside = list(found[first:last])
    for end in {0, len(inside) - 1} if inside else ():
        inside[end] = Interval(max(inside[end].since, span.since), min(inside[end].until, span.until), *inside[end][2:])
    return inside


def _union(spans: Iterable[Span]) -> list[Span]:
    """The same time in spans that do not touch."""
    found: list[Span] = []
    for each in sorted(spans):
        if found and each.since <= found[-1].until:
            found[-1] = Span(found[-1].since, max(each.until, found[-1].until))
        else:
            found.append(each)
    return found


def _apart(runs: Iterable[Span]) -> list[Span]:
    """Runs one after the other; one ends at the latest where the next begins, whatever the clock was set to."""
    ordered = sorted(runs)
    ends = [*(each.since for each in ordered), FOREVER][1:]
    return [Span(each.since, min(each.until, end)) for each, end in zip(ordered, ends, strict=False)]


def _known(turns: Iterable[Turn], watched: Sequence[Span]) -> list[Interval]:
    """What was held in each span that was watched, from its first verdict on; no verdict outlives its span."""
    begins = [each.since for each in watched]
    held: list[list[tuple[datetime, State]]] = [[] for _ in watched]
    for turn in sorted(set(turns)):  # a batch that was in doubt may have been written twice
        index = bisect_right(begins, turn.at) - 1
        if index >= 0 and turn.at <= watched[index].until:
            _lay_over(held[index], turn, max(turn.since, begins[index]))
    found = []
    for span, pieces in zip(watched, held, strict=True):
        ends = [*(since for since, _ in pieces), span.until][1:]
        for (since, state), until in zip(pieces, ends, strict=False):
            if since < until:
                found.append(Interval(since, until, state))
    return found


_BLIND = (State.UNREACHABLE, State.UNKNOWN)


def _lay_over(pieces: list[tuple[datetime, State]], turn: Turn, since: datetime) -> None:
    """Put later knowledge over what was held from `since` on.

    A target that is held down again when the way to it is back was silent already before that: `since` then lies before the
    time that was held unreachable, or unknown because we were blind, and what was held of that time stays true. Only
    an answer shows that it was none.
    """
    over: list[tuple[datetime, State]] = []
    while pieces and pieces[-1][0] >= since:
        over.append(pieces.pop())
    if turn.state is State.UNREACHABLE and pieces and pieces[-1][1] is State.UNKNOWN:
        over.append((since, State.UNKNOWN))  # what is in front was silent then because we were blind
    pieces.append((since, turn.state))
    if turn.state in (State.UP, State.UNKNOWN):
        return
    over.reverse()
    for index, (begin, state) in enumerate(over):
        if state in _BLIND and state is not turn.state and begin < turn.at:
            end = min(over[index + 1][0], turn.at) if index + 1 < len(over) else turn.at
            if pieces[-1][0] == begin:
                pieces.pop()
            pieces += [(begin, state), (end, turn.state)]


def _excused(interval: Interval, excuses: Sequence[tuple[Excuse, Span]]) -> list[Interval]:
    """The same time, cut where an excuse begins or ends."""
    if interval.state not in CUT or not excuses:
        return [interval]
    inside = [(excuse, cut) for excuse, span in excuses if (cut := _cut(span, interval))]
    if not inside:
        return [interval]
    edges = sorted({*interval[:2], *(edge for _, cut in inside for edge in cut)})
    found = []
    for since, until in pairwise(edges):
        here = {excuse for excuse, cut in inside if cut.since <= since and until <= cut.until}
        first = next((each for each in (Excuse.MAINTENANCE, Excuse.POWER) if each in here), None)
        found.append(Interval(since, until, interval.state, first))
    return found


# -- sums --------------------------------------------------------------------------------------------------------------


def history(records: Records, span: Span) -> dict[str, list[Interval]]:
    """The intervals of every target that was in the inventory."""
    excuses = _excuses(records)
    stays: dict[str, list[Span]] = {}
    for each in records.members:
        stays.setdefault(each.target, []).append(_stay(each))
    return {
        target: intervals(records.turns.get(target, ()), records.runs, stay, excuses.get(target, ()), span)
        for target, stay in stays.items()
    }


def total(found: Iterable[Interval]) -> Totals:
    """The sums of some intervals."""
    made = Totals()
    for each in found:
        made.add(each)
    return made


def joined(parts: Iterable[Totals]) -> Totals:
    """What some sums are together."""
    made = Totals()
    for each in parts:
        made.join(each)
    return made


def report(records: Records, by: By, span: Span) -> Report:
    """Sums of a span, worst first."""
    return merged(by, span, [sums(records, by, span)])


def merged(by: By, span: Span, parts: Iterable[Mapping[str, Totals]]) -> Report:
    """One report of the sums of several groups of targets."""
    totals: dict[str, Totals] = {}
    for part in parts:
        for key, each in part.items():
            totals.setdefault(key, Totals()).join(each)
    worst = sorted(totals.items(), key=lambda item: (rank(item[1]), item[0]))
    return Report(by=by, span=span, totals=dict(worst))


def sums(records: Records, by: By, span: Span) -> dict[str, Totals]:
    """Sums of a span. What a target was is summed under what it belonged to at that time."""
    totals: dict[str, Totals] = {}
    counted = {each.target for each in records.members if each.key(by)}
    members = [each for each in records.members if each.target in counted]
    for member, found in shares(replace(records, members=members), span):
        if key := member.key(by):
            totals.setdefault(key, Totals()).join(total(found))
    return totals


def shares(records: Records, span: Span) -> Iterator[tuple[Member, list[Interval]]]:
    """What each target was while it was in the inventory with the same properties."""
    found = history(records, span)
    for member in records.members:
        stay = _stay(member)
        if _cut(stay, span) is not None:
            yield member, list(_within(found[member.target], stay))


def _within(found: Iterable[Interval], stay: Span) -> Iterator[Interval]:
    for each in found:
        if stay.since <= each.since and each.until <= stay.until:
            yield each
        elif (part := _cut(each, stay)) is not None:
            yield Interval(*part, *each[2:])


def rank(totals: Totals) -> tuple[bool, float]:
    """What is less available is less; without any known time it is the most."""
    availability = totals.availability
    return availability is None, availability or 0.0


def _stay(member: Member) -> Span:
    return Span(member.since, member.until or FOREVER)


def _excuses(records: Records) -> dict[str, list[tuple[Excuse, Span]]]:
    """By target. What comes back after a power cut has as long as the correlator gives it to be asked again."""
    found: dict[str, list[tuple[Excuse, Span]]] = {}
    known = {each.target for each in records.members}
    for work in records.maintenance:
        for target in known.intersection(work.targets):
            found.setdefault(target, []).append((Excuse.MAINTENANCE, work.span))
    for each in records.incidents:
        cuts = list(each.dark)
        if each.cause is Cause.POWER:
            until = FOREVER - GRACE if each.closed is None else each.closed
            since = (
                each.began if each.dark_since is None else each.dark_since - GRACE
            )  # lines may go before the UPS is asked
            cuts.append(PowerCut(since, until, (each.root, *each.impact)))
        for cut in cuts:
            for target in known.intersection(cut.targets):
                found.setdefault(target, []).append((Excuse.POWER, Span(cut.since, cut.until + GRACE)))
    return found


def members(inventory: Inventory, now: datetime) -> tuple[Member, ...]:
    """All targets of an inventory as they are from now on."""
    return tuple(
        Member(
            target=each.id,
            role=each.role,
            kind=each.kind,
            provider=each.provider,
            commune=each.site if inventory.sites[each.site].kind == COMMUNE else "",
            since=now,
            formerly=each.formerly,
        )
        for each in inventory.targets.values()
        if each.checks  # what nothing is asked of has no state either
    )


# -- what is asked for ---------------------------------------------------------------------------------------------------


def month_of(at: datetime) -> Span:
    """The calendar month of Viet Nam that a moment is in."""
    first = at.astimezone(LOCAL).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return Span(first, (first + timedelta(days=31)).replace(day=1))


def read_span(month: str | None, since: str | None, until: str | None, now: datetime) -> Span:
    """The span that was asked for: a month (`2026-11`), or from and until; ValueError says what is wrong.

    Dates and times without a zone are Viet Nam's. Without anything it is the present month, without an end up to now.
    """
    if month is not None:
        if since is not None or until is not None:
            raise ValueError("month goes alone, without from and until")
        return month_of(_read_time("month", f"{month}-01"))
    if since is None and until is None:
        return month_of(now)
    if since is None:
        raise ValueError("until needs from")
    span = Span(_read_time("from", since), now if until is None else _read_time("until", until))
    if span.since >= span.until:
        raise ValueError("from must be before until, and not in the future")
    if span.until - span.since > LONGEST:
        raise ValueError(f"from and until may be {LONGEST.days} days apart at most")
    return span


def _read_time(name: str, text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=LOCAL) if at.tzinfo is None else at.astimezone(LOCAL)
        at + LONGEST, at - LONGEST  # near the ends of the calendar nothing can be reckoned
    except (ValueError, OverflowError):
        example = "2026-11" if name == "month" else "2026-11-01 or 2026-11-01T08:00"
        raise ValueError(f"{name} is not understood; write it like {example}") from None
    return at
