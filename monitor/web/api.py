"""JSON of the read-only API: plain dictionaries from the values of the core, filtered and bounded."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from monitor.core.ledger import By, Report, Span, Totals, read_span
from monitor.core.life import Life
from monitor.core.model import Acknowledgement, Incident, Inventory, Observation, Silence, State, Target, Threat, Window
from monitor.core.words import WORDS
from monitor.web.overview import case_of, known_incident, site_of, view_of
from monitor.web.view import TargetView, View
from monitor.web.words import machine_time

MAX_ITEMS = 2000
"""The most that one answer lists (a province is about 1,000); the rest is fetched with `offset`.

Rendering takes about 10 µs an item on the loop that also probes, so this keeps a stall near 20 ms.
"""
MAX_OFFSET = 10_000_000

Json = dict[str, object]
T = TypeVar("T")


class BadQueryError(ValueError):
    """A query that we do not understand; the message tells the caller what would be right."""


class Query:
    """The query of one request: every parameter may be given several times and is then an `or`."""

    def __init__(self, pairs: Collection[tuple[str, str]], known: Collection[str]) -> None:
        for name, _ in pairs:
            if name not in known:
                raise BadQueryError(f"unknown parameter {name[:40]!r}; known: {', '.join(known)}")
        self._pairs = pairs

    def values(self, name: str) -> frozenset[str]:
        """All values of a parameter."""
        return frozenset(value for key, value in self._pairs if key == name)

    def choice(self, name: str, allowed: type[StrEnum]) -> frozenset[str]:
        """All values of a parameter, each of which must be one of the enumeration."""
        return self._checked(name, [item.value for item in allowed])

    def flag(self, name: str) -> bool | None:
        """A parameter that is `true` or `false`; None when absent or both."""
        found = self._checked(name, ["true", "false"])
        return None if len(found) != 1 else "true" in found

    def last(self, name: str) -> str | None:
        """The last value of a parameter; None when absent."""
        return next((value for key, value in reversed(list(self._pairs)) if key == name), None)

    def number(self, name: str, default: int, lowest: int, highest: int) -> int:
        """A whole number; the last one given counts."""
        text = self.last(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 10 and lowest <= int(text) <= highest):
            raise BadQueryError(f"{name} must be a whole number from {lowest} to {highest}")
        return int(text)

    def _checked(self, name: str, allowed: Collection[str]) -> frozenset[str]:
        found = self.values(name)
        for value in found.difference(allowed):
            raise BadQueryError(f"{name}={value[:40]!r} is not known; known: {', '.join(allowed)}")
        return found


def targets(view: View, pairs: Collection[tuple[str, str]]) -> Callable[[], Json]:
    """What makes the answer of /api/v1/targets in any thread: a thousand take longer than the event loop may be held."""
    query = Query(pairs, ("site", "state", "kind", "limit", "offset"))
    sites, kinds, wanted = query.values("site"), query.values("kind"), query.choice("state", State)
    inventory, states, judged = view.inventory(), view.states(), view.judged()
    found = (
        list(inventory.targets.values())
        if not (sites or kinds or wanted)
        else [
            target
            for target in inventory.targets.values()
            if (not sites or target.site in sites)
            and (not kinds or target.kind in kinds)
            and (not wanted or view_of(judged, target.id).state.value in wanted)
        ]
    )
    shown, rest = page(found, query)
    told = [(target, view_of(states, target.id)) for target in shown]
    return lambda: {"targets": [target_json(*each, inventory) for each in told], **rest}


def incidents(view: View, pairs: Collection[tuple[str, str]]) -> Json:
    """Answer of /api/v1/incidents."""
    query = Query(pairs, ("open", "limit", "offset"))
    wanted = query.flag("open")
    inventory, states = view.inventory(), view.states()
    found = [incident for incident in view.incidents() if wanted is None or (incident.closed is None) == wanted]
    shown, rest = page(found, query)
    return {"incidents": [incident_json(incident, inventory, states) for incident in shown], **rest}


def incident(view: View, wanted: str, life: Life | None) -> Json | None:
    """Answer of /api/v1/incidents/{id}, also of one that only the database knows; None when there is none."""
    found = known_incident(view, wanted, life)
    return incident_json(found, view.inventory(), view.states()) if found else None


async def availability(view: View, pairs: Collection[tuple[str, str]], now: datetime) -> Json | None:
    """Answer of /api/v1/availability; None when the ledger cannot be read now."""
    query = Query(pairs, ("by", "month", "from", "until", "limit", "offset"))
    by, span = _asked(query, now)
    page([], query)  # a mistake is told before the work
    report = await view.availability(by, span)
    if report is None:
        return None
    shown, rest = page(list(report.totals.items()), query)
    return {**report_json(report), "items": [totals_json(key, each) for key, each in shown], **rest}


def _asked(query: Query, now: datetime) -> tuple[By, Span]:
    if len(query.choice("by", By)) > 1:
        raise BadQueryError("by may be given once")
    try:
        span = read_span(query.last("month"), query.last("from"), query.last("until"), now)
    except ValueError as error:
        raise BadQueryError(str(error)) from None
    return By(query.last("by") or By.TARGET), span


def report_json(report: Report) -> Json:
    """What a report is about, without its items."""
    return {"by": report.by.value, "from": machine_time(report.span.since), "until": machine_time(report.span.until)}


SECONDS = ("up", "degraded", "down", "unreachable", "unknown", "power", "maintenance")


def totals_json(key: str, totals: Totals) -> Json:
    """The sums of one item, in seconds, and its two ratios."""
    return {
        "key": key,
        "availability": totals.availability,
        "availability_net": totals.availability_net,
        **{f"{name}_seconds": getattr(totals, name).total_seconds() for name in SECONDS},
    }


def page(found: list[T], query: Query) -> tuple[list[T], Json]:
    """The part that a query asks for, and how much there is."""
    offset = query.number("offset", 0, 0, MAX_OFFSET)
    limit = query.number("limit", MAX_ITEMS, 1, MAX_ITEMS)
    return found[offset : offset + limit], {"total": len(found), "offset": offset}


def language(pairs: Collection[tuple[str, str]]) -> str:
    """The language of a query that takes nothing else."""
    wanted = Query(pairs, ("lang",)).last("lang") or "vi"
    if wanted not in WORDS:
        raise BadQueryError(f"lang must be one of {', '.join(WORDS)}")
    return wanted


def target_json(target: Target, view: TargetView, inventory: Inventory) -> Json:
    """One target with its state; options of checks stay out, they may hold secrets."""
    provider = inventory.providers.get(target.provider)
    return {
        "id": target.id,
        "site": target.site,
        "name": target.name,
        "role": target.role.value,
        "kind": target.kind,
        "label": dict(target.label),
        "address": target.address,
        "behind": list(target.behind),
        "provider": target.provider or None,
        "provider_name": provider.name if provider else None,
        "hotline": provider.hotline if provider else None,
        "circuit": target.circuit or None,
        "state": view.state.value,
        "since": _time(view.since),
        "reason": view.reason.value,
        "says": view.says,
        "evidence": view.evidence,
        "maintenance": _window_json(view.maintenance),
        "silence": _silence_json(view.silence),
        "checks": [_check_json(name, seen) for name, seen in _checks(target, view.checks)],
    }


def _window_json(window: Window | None) -> Json | None:
    if window is None:
        return None
    return {"begins": _time(window.begins), "ends": _time(window.ends), "reason": window.reason}


def _acknowledged_json(had: Acknowledgement | None) -> Json | None:
    return None if had is None else {"by": had.by, "at": _time(had.at), "note": had.note}


def _silence_json(silence: Silence | None) -> Json | None:
    if silence is None:
        return None
    return {"id": silence.id, "ends": _time(silence.ends), "reason": silence.reason, "by": silence.by}


def _checks(target: Target, seen: Mapping[str, Observation]) -> list[tuple[str, Observation | None]]:
    return [(check.name, seen.get(check.name)) for check in target.checks]


def _check_json(name: str, seen: Observation | None) -> Json:
    return {
        "name": name,
        "at": _time(seen.at) if seen else None,
        "outcome": seen.outcome.value if seen else None,
        "reason": seen.reason.value if seen else None,
        "evidence": seen.evidence if seen else "",
        "duration_seconds": seen.duration_seconds if seen else None,
    }


def incident_json(incident: Incident, inventory: Inventory, states: Mapping[str, TargetView]) -> Json:
    """One incident; site, provider and circuit are those of its root."""
    case = case_of(incident, inventory)
    return {
        "id": incident.id,
        "root": incident.root,
        "cause": incident.cause.value,
        "severity": incident.severity.value,
        "state": incident.state.value,
        "began": _time(incident.began),
        "opened": _time(incident.opened),
        "closed": _time(incident.closed),
        "reason": incident.reason.value,
        "says": incident.says,
        "evidence": list(incident.evidence),
        "impact": list(incident.impact),
        "why": incident.why,
        "times": incident.times,
        "meetings": [threat_json(each) for each in incident.meetings],
        "shared": None if incident.shared is None else {**asdict(incident.shared), "by": dict(incident.shared.by)},
        "acknowledged": _acknowledged_json(incident.acknowledged),
        "silence": _silence_json(view_of(states, incident.root).silence) if incident.closed is None else None,
        "site": site_of(incident.root),
        "site_name": case.site.name if case.site else None,
        "provider": case.target.provider or None if case.target else None,
        "provider_name": case.provider.name if case.provider else None,
        "hotline": case.provider.hotline if case.provider else None,
        "circuit": case.target.circuit or None if case.target else None,
    }


def threat_json(threat: Threat) -> Json:
    """A session of a meeting that an incident threatens."""
    return {
        "meeting": threat.meeting,
        "title": threat.title,
        "importance": threat.importance.value,
        "begins": _time(threat.begins),
        "ends": _time(threat.ends),
        "rooms": list(threat.rooms),
    }


def _time(at: datetime | None) -> str | None:
    return machine_time(at) if at else None
