"""PURE: what the page of a commune shows: what is wrong and whom to call, then every target with its past."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.core.advice import Advice, advise
from monitor.core.chart import LEAST_POINTS, facts
from monitor.core.lasthour import ECHO_RTT, Series
from monitor.core.ledger import Interval, Span, Totals, month_of, total, within
from monitor.core.model import Check, Inventory, Observation, Outcome, Role, State, Target
from monitor.core.readiness import Outlook
from monitor.core.words import ROOM
from monitor.web.drawing import PERIODS, Chart, Period, band, chart
from monitor.web.overview import HURT, WORST_FIRST, Member, SiteView
from monitor.web.phrases import PHRASES, PROBES
from monitor.web.view import TargetView, View
from monitor.web.words import Words, clip

MAX_TARGETS = 60
"""Targets of a site that are shown, the worst first; a commune has about ten."""
MAX_PAST = 10
"""Times of a target that are told."""
UPS = "ups"
SECTIONS = ("links", "power", "equipment", "rooms", "services")
"""In the order of the page: lines first, for they are whom to call about."""

LONGEST = max(PERIODS.values(), key=lambda each: each.length)

Past = Mapping[str, Sequence[Interval]]
"""Intervals by target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckLine:
    """What one check saw last, for a person."""

    name: str
    state: State
    """Only its colour and shape."""
    says: str
    at: datetime | None
    """None: never."""
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """What a target was over a period."""

    paths: list[tuple[str, str]]
    """Classes and path data."""
    sums: str
    """The same in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One target on the page."""

    member: Member
    why: str
    """Why it is held as it is, where no check says so."""
    checks: tuple[CheckLine, ...]
    bands: Mapping[str, Band]
    """By period; empty: nothing is known of the past."""
    times: tuple[Interval, ...]
    """When it was not well in the longest period, newest first."""
    more_times: int
    month: Totals | None
    chart: Chart | None
    hour: str
    """The chart in words."""
    battery: str
    """Of a UPS: how it stands."""
    meeting: tuple[Outlook, Advice] | None
    """Of a room: its next meeting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All of it."""

    sections: Mapping[str, list[Row]]
    """By key of the heading."""
    since: datetime | None
    """Since when the site is as it is."""
    marks: Mapping[str, list[str]]
    """The times along the axis by period."""
    left_out: int


def past_span(now: datetime) -> Span:
    """What is asked of the ledger: all periods and this month at once. It moves once an hour, so that an answer can be kept."""
    month = month_of(now)
    return Span(min(month.since, LONGEST.span(now).since.replace(minute=0, second=0, microsecond=0)), month.until)


def page_of(found: SiteView, view: View, words: Words, now: datetime, past: Past) -> Page:
    """The page of a site."""
    sections: dict[str, list[Row]] = {each: [] for each in SECTIONS}
    meetings = view.meetings()
    for member in found.members[:MAX_TARGETS]:
        made = _row(member, view, words, now, past.get(member.target.id, ()), meetings)
        sections[_section(member.target)].append(made)
    since = [each.view.since for each in found.members if each.view.state is found.state and each.view.since]
    return Page(
        sections={key: rows for key, rows in sections.items() if rows},
        since=min(since, default=None) if found.state in HURT else None,
        marks={key: period.marks(now) for key, period in PERIODS.items()},
        left_out=max(0, len(found.members) - MAX_TARGETS),
    )


def _section(target: Target) -> str:
    match target.role:
        case Role.LINK:
            return "links"
        case Role.SERVICE:
            return "services"
    return {UPS: "power", ROOM: "rooms"}.get(target.kind, "equipment")


def _row(
    member: Member,
    view: View,
    words: Words,
    now: datetime,
    past: Sequence[Interval],
    meetings: Sequence[Outlook],
) -> Row:
    target, held = member.target, member.view
    known = until_now(past, held, now)
    troubles = [each for each in reversed(within(known, LONGEST.span(now))) if each.state in HURT]
    month = total(within(known, month_of(now)))
    drawn = view.series(target.id) if target.role is Role.LINK else None
    drawn = drawn if drawn is not None and len(drawn.points) >= LEAST_POINTS else None
    return Row(
        member=member,
        why=clip(words.seen(why_held(held))),
        checks=tuple(_check(each, target, held.checks.get(each.name), words) for each in target.checks),
        bands={key: _band(known, period, words, now) for key, period in PERIODS.items()} if known else {},
        times=tuple(troubles[:MAX_PAST]),
        more_times=max(0, len(troubles) - MAX_PAST),
        month=month if known else None,
        chart=chart(drawn, held.since if held.state in HURT else None) if drawn else None,
        hour=_hour(drawn, words) if drawn else "",
        battery=_battery(held, words) if target.kind == UPS else "",
        meeting=_next_meeting(target, view.inventory(), meetings, words) if target.kind == ROOM else None,
    )


def until_now(past: Sequence[Interval], held: TargetView, now: datetime) -> list[Interval]:
    """What the ledger said some seconds ago, and after it what is held now.

    That may have begun before the ledger was read, but overrides no more than the last that it said: a state that is held over a
    restart is older than the time in which nothing was known.
    """
    if not past or held.since is None:
        return list(past)
    last = past[-1]
    if last.state is held.state:
        return [*past[:-1], last._replace(until=max(now, last.until))]
    since = held.since if last.since < held.since < last.until else last.until
    return [*past[:-1], last._replace(until=since), Interval(since, max(now, since), held.state)]


def _band(known: Sequence[Interval], period: Period, words: Words, now: datetime) -> Band:
    """In words: how long it was what, such as `last 24 hours: Down 3 h, Up 21 h`."""
    inside = within(known, period.span(now))
    totals, phrases = total(inside), PHRASES[words.language]
    lengths = [(state, getattr(totals, state.value)) for state in WORST_FIRST]
    told = [f"{words.states[state]} {words.span(length)}" for state, length in lengths if length]
    sums = f"{phrases[period.key]}: {', '.join(told) or phrases['nothing_seen']}"
    return Band(paths=band(inside, period.span(now)), sums=sums)


def _hour(series: Series, words: Words) -> str:
    told, phrases = facts(series), PHRASES[words.language]
    lost = "–" if math.isnan(told["lost"]) else f"{words.figure(100 * told['lost'])} %"
    sentence = phrases["hour_silent" if math.isnan(told["most"]) else "hour_says"]
    times = {each: words.seconds(told[each]) for each in ("least", "middle", "most")}
    return sentence.format(lost=lost, **times)


def _check(check: Check, target: Target, seen: Observation | None, words: Words) -> CheckLine:
    phrases = PHRASES[words.language]
    name = PROBES[words.language].get(check.probe, check.probe)
    if sum(each.probe == check.probe for each in target.checks) > 1:
        name = f"{name}, {check.name}"
    if seen is None:
        return CheckLine(name=name, state=State.UNKNOWN, says=phrases["never"], at=None, evidence="")
    match seen.outcome:
        case Outcome.OK:
            seconds = seen.values.get(ECHO_RTT, seen.duration_seconds)
            # A test call takes as long as it is told to: no answer was waited for.
            lasts = getattr(check.options, "takes_seconds", 0)
            state, says = State.UP, phrases["ok_test" if lasts else "ok"].format(seconds=words.seconds(seconds))
        case Outcome.FAILED:
            state, says = State.DOWN, words.trouble(seen.reason, "")
        case Outcome.INCONCLUSIVE:
            state, says = State.UNKNOWN, f"{phrases['inconclusive']}: {words.trouble(seen.reason, '')}"
    return CheckLine(name=name, state=state, says=says, at=seen.at, evidence=clip(words.seen(seen.evidence), 200))


def _battery(held: TargetView, words: Words) -> str:
    """What the UPS last said of itself (UPS-MIB, RFC 1628)."""
    phrases = PHRASES[words.language]
    for seen in held.checks.values():
        values = seen.values
        if "upsOnBattery" not in values:
            continue
        told = [phrases["ups_runs"].format(source=phrases["battery" if values["upsOnBattery"] else "mains"])]
        for name, key in (("upsEstimatedChargeRemaining", "ups_charge"), ("upsEstimatedMinutesRemaining", "ups_left")):
            if name in values:
                told.append(phrases[key].format(value=words.figure(values[name])))
        said = ", ".join(told)
        return f"{said} ({phrases['ups_at'].format(at=words.hour(seen.at))})"
    return ""


def _next_meeting(
    target: Target, inventory: Inventory, meetings: Sequence[Outlook], words: Words
) -> tuple[Outlook, Advice] | None:
    for each in meetings:
        for room in each.rooms:
            if room.target == target.id:
                return each, advise(room, inventory, words)
    return None


_FIGURE = re.compile(r"([0-9]+(?:\.[0-9]+)*)")


def why_held(view: TargetView) -> str:
    """Why a target is held as it is, beside what its checks saw last.

    The reason is what a check saw when the state turned: what that check says again, with other figures, is told once.
    """
    seen = [clip(each.evidence, 200) for each in view.checks.values() if each.evidence]
    why = "" if seen and view.state is State.UP else clip(view.evidence)
    for text in seen:
        why = _without(why, text)
    return why


def _without(why: str, text: str) -> str:
    """`why` without `text` at its end, whatever the figures; the pieces at odd places are figures."""
    old, new = _FIGURE.split(why), _FIGURE.split(text)
    tail = old[-len(new) :]
    if len(tail) < len(new) or not tail[0].endswith(new[0]) or tail[2::2] != new[2::2]:
        return why
    return "".join((*old[: -len(new)], tail[0].removesuffix(new[0]))).rstrip("; ")
