"""PURE: who would be told of an incident at a moment, who not, and why, as text for a person in Vietnamese or English."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from alerts.reasons import REASONS
from alerts.routing import Route, Routing, Shift
from monitor.core.graph import Graph
from monitor.core.meetings import Calendar, threats
from monitor.core.model import (
    Cause,
    Happening,
    Incident,
    IncidentEvent,
    Inventory,
    Reason,
    Role,
    Severity,
    State,
    Target,
)
from monitor.core.severity import weigh

SHOWN_SHIFTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Headings:
    """The texts of one language."""

    about: str
    at_once: str
    later: str
    step: str
    reminded: str
    reminded_acknowledged: str
    not_told: str
    nobody: str
    shifts: str


HEADINGS: Mapping[str, Headings] = {
    "vi": Headings(
        about="{name} – {site} ({id}): {state}, mức {severity}, nguyên nhân {cause}, lúc {at}",
        at_once="Báo ngay:",
        later="Trong thư tổng hợp lúc {at}:",
        step="Nếu sau {after} chưa có ai nhận ({at}):",
        reminded="; nhắc lại mỗi {every} khi chưa có ai nhận",
        reminded_acknowledged="; nhắc lại mỗi {every} khi đã có người nhận",
        not_told="Không báo:",
        nobody="không có ai",
        shifts="Ca trực {rota}:",
    ),
    "en": Headings(
        about="{name} – {site} ({id}): {state}, severity {severity}, cause {cause}, at {at} (Viet Nam)",
        at_once="Told at once:",
        later="In the digest at {at}:",
        step="When nobody has it after {after} ({at}):",
        reminded="; reminded each {every} while nobody has it",
        reminded_acknowledged="; reminded each {every} while somebody has it",
        not_told="Not told:",
        nobody="nobody",
        shifts="Shifts of {rota}:",
    ),
}


def supposed(
    target: Target, inventory: Inventory, at: datetime, state: State, severity: Severity | None, cause: Cause | None
) -> Incident:
    """The incident that it would be if a target alone failed, and all that is behind it was cut off.

    Without `cause` and `severity` they are what is usual for it.
    """
    graph = Graph(inventory.targets)
    incident = Incident(
        id=f"{at:%Y%m%d-%H%M%S}-{target.id.replace('/', '.')}", root=target.id, cause=cause or _usual(target, graph),
        state=state, began=at, opened=at, reason=Reason.TIMEOUT, impact=graph.behind(target.id) if state is State.DOWN else (),
    )  # fmt: skip
    near = Calendar(inventory.meetings).near(at)
    meetings = threats(incident, inventory.meetings, near, graph, lambda _: State.UNREACHABLE, at)
    incident = replace(incident, meetings=meetings)
    weighed, weight = weigh(incident, inventory, lambda _: State.UNREACHABLE, at)
    return replace(incident, severity=severity or weighed, weight=weight)


def _usual(target: Target, graph: Graph) -> Cause:
    if target.vantage:
        return Cause.VANTAGE
    if target.role is not Role.DEVICE:
        return Cause.LINK if target.role is Role.LINK else Cause.SERVICE
    sites = {graph.targets[each].site for each in graph.behind(target.id)} - {target.site}
    return Cause.SHARED if len(sites) > 1 else Cause.DEVICE


def who(incident: Incident, routing: Routing, inventory: Inventory, at: datetime, language: str) -> str:
    """Everybody who is told of an incident that opens at `at`, and by which step; who is not; the shifts of the rotas."""
    return "\n".join(_lines(incident, routing, inventory, at, language)) + "\n"


def _lines(incident: Incident, routing: Routing, inventory: Inventory, at: datetime, language: str) -> Iterator[str]:
    headings, reasons = HEADINGS[language], REASONS[language]
    words, target = reasons.words, inventory.targets[incident.root]
    yield headings.about.format(
        name=words.name(target), site=inventory.sites[target.site].name, id=target.id,
        state=words.states[incident.state], severity=words.severities[incident.severity],
        cause=words.causes[incident.cause], at=reasons.clock(at),
    )  # fmt: skip
    told: dict[str, list[str]] = {headings.at_once: []}
    not_told: list[str] = []
    for route in sorted(routing.routes, key=lambda each: each.after):
        shift = routing.shift(route.to, at + route.after)
        why_not = _why_not(route, incident, inventory, at + route.after, language)
        whom = f"  {shift.contact.name} <{shift.contact.email}>: "
        if why_not:
            not_told.append(whom + why_not)
        else:
            said = reasons.on_duty(shift, reasons.wanted(route.scope)) + _reminders(route, language)
            told.setdefault(_when(route, shift, incident, routing, at, language), []).append(whom + said)
    for when, lines in told.items():
        yield when
        yield from lines or [f"  {headings.nobody}"]
    if not_told:
        yield headings.not_told
        yield from not_told
    for rota in routing.rotas.values():
        yield headings.shifts.format(rota=rota.name)
        for begins, ends, name in _shifts(routing, rota.id, at):
            yield f"  {reasons.clock(begins)} → {reasons.clock(ends)}: {name}"


def _shifts(routing: Routing, rota: str, at: datetime) -> Iterator[tuple[datetime, datetime, str]]:
    """Who has the next turns, from when to when; one whose turns follow each other has one."""
    begins, shift = at, routing.shift(rota, at)
    for _ in range(SHOWN_SHIFTS):
        assert shift.until is not None
        name, until = shift.contact.name, shift.until
        for _ in range(SHOWN_SHIFTS):
            shift = routing.shift(rota, until)
            if shift.contact.name != name or shift.until is None:
                break
            until = shift.until
        yield begins, until, name
        begins = until


def _when(route: Route, shift: Shift, incident: Incident, routing: Routing, at: datetime, language: str) -> str:
    """The heading below which somebody stands who is told: at once, by a step, in a digest."""
    headings, reasons = HEADINGS[language], REASONS[language]
    what = Happening.ESCALATED if route.after else Happening.OPENED
    event = IncidentEvent(incident=incident, what=what, at=at + route.after)
    until = routing.held_until(shift.contact.id, event)
    if until is not None:
        return headings.later.format(at=reasons.clock(until))
    return (
        headings.step.format(after=reasons.span(route.after), at=reasons.clock(at + route.after))
        if route.after
        else headings.at_once
    )


def _reminders(route: Route, language: str) -> str:
    headings, reasons = HEADINGS[language], REASONS[language]
    said = ((headings.reminded, route.remind), (headings.reminded_acknowledged, route.remind_acknowledged))
    return "".join(text.format(every=reasons.span(every)) for text, every in said if every)


def _why_not(route: Route, incident: Incident, inventory: Inventory, at: datetime, language: str) -> str:
    """Why the route leads to nobody; "" when it does."""
    reasons = REASONS[language]
    misses = route.scope.misses(incident, inventory)
    if misses:
        return reasons.unwanted(route.scope, misses)
    if route.hours is not None and not route.hours.hold(at):
        return reasons.not_now(route.hours)
    return ""
