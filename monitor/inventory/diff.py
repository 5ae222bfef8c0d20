"""Pure: two inventories with their routing → what taking over the second one would do."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import islice
from typing import Any

from pydantic import BaseModel, SecretStr, TypeAdapter

from alerts.routing import OUTSIDER, Rota, Route, Routing
from monitor.core.model import (
    Cause,
    Check,
    Contact,
    Incident,
    Inventory,
    Limit,
    Maintenance,
    Meeting,
    Reason,
    Session,
    Site,
    State,
    Target,
)
from monitor.core.rename import Names, check_id, renamed_sites, renamed_targets, target_as
from monitor.core.words import LOCAL
from monitor.exposition import series_of
from monitor.inventory.meetings import Sessions

LONGEST_TEXT = 80
"""Characters of a value."""
MOMENT = "%Y-%m-%dT%H:%M%z"
STARTS_COMPARED = 3
"""Windows of maintenance, and meetings, that begin at the same few times and last as long are the same."""
ROOMS_LISTED = 20
"""Rooms of a meeting that are told one by one when they differ; of more how many they are."""

Values = Mapping[str, int]
"""How many measurements the last run of a check had, by check id."""
Keys = dict[str, tuple[str, str]]
"""What differs, by key as the YAML has it: the value before and after, as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What becomes of the entries of one table, by id."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    """The present id by the former one; `changed` has what else differs, by the present one."""
    changed: Mapping[str, Keys] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.renamed or self.changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What an inventory costs."""

    checks: int
    per_second: float
    """Runs of checks."""
    series: int
    """Of a scrape, without the daemon's own; those that were never measured are reckoned from their like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Of how many targets that stay a contact hears now and did not, and the other way round."""

    more: tuple[str, ...] = ()
    fewer: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """An open incident whose root leaves the inventory."""

    id: str
    root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a reload would do."""

    sites: Changes
    providers: Changes
    targets: Changes
    maintenance: Changes
    meetings: Changes
    contacts: Changes
    rotas: Changes
    duty: Mapping[str, tuple[str, str]]
    """By rota that stays: who is on duty at this moment, before and after, where that is somebody else."""
    audience: Mapping[str, Audience]
    """By contact or rota: who is told at once, or when their hours begin."""
    steps: Mapping[str, Mapping[str, Audience]]
    """By how long nobody has it, and contact or rota: who is told then."""
    unheard: tuple[str, ...]
    """Targets of which nobody would be mailed, and somebody was or they are new."""
    before: Load
    after: Load
    anew: tuple[str, ...]
    """Checks that stay but are asked otherwise: what was counted for them begins anew."""
    withdrawn: tuple[Ending, ...]
    restart: tuple[str, ...] = ()
    """Keys of the settings that differ: a reload leaves them, a restart takes them over."""

    @property
    def empty(self) -> bool:
        """Whether nothing would change."""
        tables = (self.sites, self.providers, self.targets, self.maintenance, self.meetings, self.contacts, self.rotas)
        return not (any(tables) or self.audience or self.steps or self.restart)


plan_json = TypeAdapter(Plan)


def compare(
    before: tuple[Inventory, Routing],
    after: tuple[Inventory, Routing],
    *,
    at: datetime,
    incidents: Iterable[Incident] = (),
    measured: Values | None = None,
    declared: Values,
    restart: Iterable[str] = (),
) -> Plan:
    """The plan at a moment; `measured` are measurements by check of what runs, `declared` those that a probe kind may have, by kind."""
    (old, old_routing), (new, new_routing) = before, after
    names, sites = renamed_targets(old, new), renamed_sites(old, new)
    heard_before = {names.get(id_, id_): told for id_, told in _heard(old, old_routing).items()}
    heard = _heard(new, new_routing)
    old = _under_present_ids(old, names, sites)
    measured = {check_id(check, names): count for check, count in (measured or {}).items()}
    roots = {each.id: names.get(each.root, each.root) for each in incidents}
    values = _values(old, measured, declared)
    audiences = _audiences(heard_before, heard)
    old_checks = old.checks()
    return Plan(
        sites=replace(_changes(old.sites, new.sites), renamed=sites),
        providers=_changes(old.providers, new.providers),
        targets=replace(_changes(old.targets, new.targets), renamed=names),
        maintenance=_changes(_by_reason(old.maintenance), _by_reason(new.maintenance)),
        meetings=_changes(_meetings(old), _meetings(new)),
        contacts=_changes(_people(old_routing), _people(new_routing)),
        rotas=_changes(_rotas(old_routing), _rotas(new_routing)),
        duty=_duty(old_routing, new_routing, at),
        audience=audiences.pop("", {}),
        steps=audiences,
        unheard=tuple(
            each
            for each, told in heard.items()
            if not _of_us(told) and _of_us(heard_before.get(each, told)) != _of_us(told)
        ),
        before=_load(old, values),
        after=_load(new, values),
        anew=tuple(id_ for id_, check in new.checks().items() if old_checks.get(id_, check) != check),
        withdrawn=tuple(Ending(id=id_, root=root) for id_, root in roots.items() if root not in new.targets),
        restart=tuple(restart),
    )


def _under_present_ids(inventory: Inventory, names: Names, sites: Names) -> Inventory:
    """The same inventory with the ids that a later one has."""
    if not names and not sites:
        return inventory
    targets = (target_as(each, names) for each in inventory.targets.values())
    return replace(
        inventory,
        sites={(now := sites.get(id_, id_)): replace(each, id=now) for id_, each in inventory.sites.items()},
        targets={each.id: each for each in targets},
        maintenance=tuple(
            replace(each, targets=frozenset(names.get(target, target) for target in each.targets))
            for each in inventory.maintenance
        ),
        meetings={
            id_: replace(each, rooms=tuple(names.get(room, room) for room in each.rooms))
            for id_, each in inventory.meetings.items()
        },
    )


# -- what differs ------------------------------------------------------------------------------------------------------


def _changes(before: Mapping[str, object], after: Mapping[str, object]) -> Changes:
    return Changes(
        added=tuple(each for each in after if each not in before),
        removed=tuple(each for each in before if each not in after),
        changed={
            id_: keys
            for id_, each in after.items()
            if id_ in before and before[id_] != each and (keys := differences(before[id_], each))
        },
    )


def differences(before: object, after: object) -> Keys:
    """The keys whose values differ; of secrets only that they do."""
    found: Keys = {}
    _descend("", before, after, found)
    return found


_HIDDEN: Mapping[type, set[str]] = {
    Check: {"id", "target", "name", "address"},
    Target: {"id", "own_label", "site", "name", "formerly"},
    Site: {"id", "formerly"},
}
"""Fields that are told elsewhere."""
_UNITS = {"_seconds": "s", "_bits": "", "_percent": "%"}
"""What the YAML leaves out of a name, and writes behind the value."""


def _descend(at: str, before: object, after: object, found: Keys) -> None:
    if before == after:
        return
    inner = (_inside(before), _inside(after)) if type(before) is type(after) else None
    if inner is None or inner[0] is None or inner[1] is None:
        name, unit = next(((at.removesuffix(end), unit) for end, unit in _UNITS.items() if at.endswith(end)), (at, ""))
        found[name] = (_text(before, unit), _text(after, unit))
        return
    for key in dict.fromkeys((*inner[0], *inner[1])):
        _descend(f"{at}.{key}" if at else key, inner[0].get(key), inner[1].get(key), found)


def _inside(value: object) -> Mapping[str, object] | None:
    """What a value is made of, by key; None: it is shown as a whole."""
    if isinstance(value, BaseModel):
        return dict(value)
    if dataclasses.is_dataclass(value):
        hidden = _HIDDEN.get(type(value), set())
        return {each.name: getattr(value, each.name) for each in dataclasses.fields(value) if each.name not in hidden}
    if isinstance(value, tuple) and value and isinstance(value[0], Check):
        return {each.name: each for each in value}
    if isinstance(value, tuple) and value and isinstance(value[0], Limit):
        return {each.value + (" (usual)" if each.above_usual is not None else ""): each for each in value}
    return value if isinstance(value, Mapping) else None


def _text(value: Any, unit: str) -> str:
    """A value on one line; "" where there is none."""
    if isinstance(value, SecretStr):
        return "(secret)"
    if isinstance(value, (list, tuple, frozenset)):
        text = ", ".join(_text(each, "") for each in (sorted(value) if isinstance(value, frozenset) else value))
    elif isinstance(value, BaseModel | Mapping) or dataclasses.is_dataclass(value):
        inside = _inside(value) or {}
        text = ", ".join(f"{key}: {said}" for key, each in inside.items() if (said := _text(each, "")))
        text = f"{{{text}}}"
    elif isinstance(value, float):
        text = f"{_round(value)}{unit}"
    else:
        text = "" if value is None else str(value.value if isinstance(value, Enum) else value)
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


def _round(value: float) -> str:
    """As people write it.

    >>> [_round(each) for each in (20_000_000.0, 1_500_000.0, 0.05, 30.0, 1e9)]
    ['20M', '1.5M', '0.05', '30', '1G']
    """
    size, unit = next(((size, unit) for size, unit in ((1e9, "G"), (1e6, "M")) if value >= size), (1, ""))
    return f"{value / size:g}{unit}"


@dataclass(frozen=True, slots=True)
class _Work:
    """Announced work as it can be compared: recurrences are not equal to each other."""

    start: tuple[str, ...]
    lasts: str
    targets: frozenset[str]


def _by_reason(works: Iterable[Maintenance]) -> dict[str, object]:
    found: dict[str, object] = {}
    for each in works:
        name = _free(each.reason, found)
        starts = tuple(f"{start:{MOMENT}}" for start in islice(each.starts, STARTS_COMPARED))
        found[name] = _Work(starts, str(each.lasts), each.targets)
    return found


def _meetings(inventory: Inventory) -> dict[str, object]:
    return {id_: _meeting(each) for id_, each in inventory.meetings.items()}


def _meeting(meeting: Meeting) -> dict[str, object]:
    """As it is written, but for its rule: of what that gives the first few can be compared."""
    first = tuple(_session(each) for each in islice(meeting.sessions, STARTS_COMPARED))
    apart = meeting.sessions if isinstance(meeting.sessions, Sessions) else Sessions(meeting.id, (), timedelta(0))
    rooms = sorted(meeting.rooms)
    return {
        "title": meeting.title,
        "importance": meeting.importance,
        "rooms": dict.fromkeys(rooms, "yes") if len(rooms) <= ROOMS_LISTED else f"{len(rooms)}: {', '.join(rooms)}",
        "sessions": first,
        "except": {f"{each.astimezone(LOCAL):{MOMENT}}": "yes" for each in sorted(apart.without)},
        "also": {_session(each): "yes" for each in apart.others},
        "owner": f"{meeting.owner.name} <{meeting.owner.email}>" if meeting.owner else "",
        "reports": tuple(_span(each) for each in meeting.reports),
    }


def _session(session: Session) -> str:
    return f"{session.begins.astimezone(LOCAL):{MOMENT}} {_span(session.ends - session.begins)}"


def _free(name: str, taken: Container[str]) -> str:
    """The name, with a number when it is taken."""
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free


# -- what it costs -----------------------------------------------------------------------------------------------------


def _load(inventory: Inventory, values: Callable[[Target, Check], float]) -> Load:
    checks = inventory.checks().values()
    return Load(
        checks=len(checks),
        per_second=sum(1 / each.interval_seconds for each in checks),
        series=round(series_of(inventory, values)),
    )


def _values(running: Inventory, measured: Values, declared: Values) -> Callable[[Target, Check], float]:
    """How many measurements a check has: as it had, else as those of its kind of target have on average, else as declared."""
    alike: dict[tuple[str, str], list[int]] = defaultdict(list)
    for target in running.targets.values():
        for check in target.checks:
            if check.id in measured:
                alike[target.kind, check.probe].append(measured[check.id])
    average = {like: sum(counts) / len(counts) for like, counts in alike.items()}

    def values(target: Target, check: Check) -> float:
        known = measured.get(check.id)
        return average.get((target.kind, check.probe), declared.get(check.probe, 0)) if known is None else known

    return values


# -- who is told -------------------------------------------------------------------------------------------------------

_NEVER = datetime(2000, 1, 1, tzinfo=UTC)

Told = frozenset[tuple[str, str, str]]
"""Contact or rota, the step of escalation ("": at once), and cause."""


def _heard(inventory: Inventory, routing: Routing) -> dict[str, Told]:
    """For each target: who would be mailed when it is down, for which causes; asked of the routes themselves."""
    scopes = [each.scope for each in routing.routes]
    named = {name for each in scopes for name in (*each.areas, *each.sites, *each.kinds, *each.providers)}
    known: dict[tuple[str, ...], Told] = {}
    found = {}
    for target in inventory.targets.values():
        traits = (inventory.sites[target.site].area, target.site, target.kind, target.provider)
        like = (target.severity.value, *(each if each in named else "" for each in traits))
        if like not in known:
            known[like] = _told(target, inventory, routing)
        found[target.id] = known[like]
    return found


def _told(target: Target, inventory: Inventory, routing: Routing) -> Told:
    would_be = [_would_be(target, cause) for cause in Cause]
    return frozenset(
        (route.to, _step(route), incident.cause.value)
        for route in routing.routes
        for incident in would_be
        if not route.scope.misses(incident, inventory)
    )


def _of_us(told: Told) -> bool:
    """Whether somebody is told who is no provider."""
    return any(not to.startswith(OUTSIDER) for to, _, _ in told)


def _step(route: Route) -> str:
    return _span(route.after) if route.after else ""


def _would_be(target: Target, cause: Cause) -> Incident:
    return Incident(
        id="plan", root=target.id, cause=cause, state=State.DOWN, began=_NEVER, opened=_NEVER,
        reason=Reason.TIMEOUT, severity=target.severity,
    )  # fmt: skip


def _audiences(before: Mapping[str, Told], after: Mapping[str, Told]) -> dict[str, dict[str, Audience]]:
    """By step and whom."""
    more, fewer = (
        defaultdict[tuple[str, str], dict[str, None]](dict),
        defaultdict[tuple[str, str], dict[str, None]](dict),
    )
    for target in after:
        if target in before and before[target] != after[target]:
            for to, step, _ in after[target] - before[target]:
                more[step, to][target] = None
            for to, step, _ in before[target] - after[target]:
                fewer[step, to][target] = None
    found: dict[str, dict[str, Audience]] = {}
    for step, to in sorted(more.keys() | fewer.keys()):
        audience = Audience(more=tuple(more.get((step, to), ())), fewer=tuple(fewer.get((step, to), ())))
        found.setdefault(step, {})[to] = audience
    return found


def _duty(before: Routing, after: Routing, at: datetime) -> dict[str, tuple[str, str]]:
    both = (each for each in after.rotas if each in before.rotas)
    shifts = {each: (before.shift(each, at).contact.id, after.shift(each, at).contact.id) for each in both}
    return {rota: (was, is_) for rota, (was, is_) in shifts.items() if was != is_}


# -- contacts.yaml, as it is written -----------------------------------------------------------------------------------


def _people(routing: Routing) -> dict[str, object]:
    """Contacts and people; providers are told of with their own table."""
    return {each.id: _person(each, routing) for each in routing.contacts.values() if not each.outsider}


def _person(contact: Contact, routing: Routing) -> dict[str, object]:
    quiet, storm = routing.quiet.get(contact.id), routing.storms.get(contact.id)
    summaries = routing.summaries.get(contact.id)
    return {
        "name": contact.name,
        "email": contact.email,
        "language": contact.language,
        "quiet": {"hours": quiet.hours.text, "at_once": quiet.at_once} if quiet else None,
        "storm": {"mails": storm.mails, "within": _span(storm.within)} if storm else None,
        "summaries": _inside(summaries),
        **_ways(contact.id, routing),
    }


def _rotas(routing: Routing) -> dict[str, object]:
    return {id_: _rota(each, routing) for id_, each in routing.rotas.items()}


def _rota(rota: Rota, routing: Routing) -> dict[str, object]:
    overrides = (f"{each.to} {each.begins:{MOMENT}} – {each.ends:{MOMENT}}" for each in rota.overrides)
    return {
        "name": rota.name,
        "people": rota.people,
        "starts": f"{rota.starts:{MOMENT}}",
        "turn": _span(rota.turn),
        "overrides": tuple(overrides),
        **_ways(rota.id, routing),
    }


def _ways(to: str, routing: Routing) -> dict[str, object]:
    """What is written of the routes that lead to somebody: at once, and by steps of escalation."""
    found: dict[str, object] = {}
    for route in routing.routes:
        if route.to != to:
            continue
        way = {
            **(_inside(route.scope) or {}),
            "hours": route.hours.text if route.hours else "",
            "remind": _span(route.remind),
            "remind_acknowledged": _span(route.remind_acknowledged),
        }
        if route.after:
            found[_free(f"escalation after {_step(route)}", found)] = way
        else:
            found |= way
    return found


def _span(span: timedelta | None) -> str:
    """As people write it: in the largest unit that it is a whole number of."""
    if span is None:
        return ""
    seconds = span.total_seconds()
    unit, size = next(
        ((unit, size) for unit, size in (("d", 86400), ("h", 3600), ("m", 60)) if not seconds % size), ("s", 1)
    )
    return f"{seconds / size:g}{unit}"
