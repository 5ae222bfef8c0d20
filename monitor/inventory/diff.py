"""Pure: two inventories with their contacts → what taking over the second one would do."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum
from itertools import islice
from typing import Any

from pydantic import BaseModel, SecretStr, TypeAdapter

from alerts.policy import notify
from monitor.core.model import (
    Cause,
    Check,
    Contact,
    Happening,
    Incident,
    IncidentEvent,
    Inventory,
    Limit,
    Maintenance,
    Reason,
    Site,
    State,
    Target,
)
from monitor.core.rename import Names, check_id, renamed_sites, renamed_targets, target_as
from monitor.exposition import series_of

LONGEST_TEXT = 80
"""Characters of a value."""
STARTS_COMPARED = 3
"""Windows of maintenance that begin at the same few times and last as long are the same."""

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
    contacts: Changes
    audience: Mapping[str, Audience]
    """By contact."""
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
        tables = (self.sites, self.providers, self.targets, self.maintenance, self.contacts)
        return not (any(tables) or self.audience or self.restart)


plan_json = TypeAdapter(Plan)


def compare(
    before: tuple[Inventory, Sequence[Contact]],
    after: tuple[Inventory, Sequence[Contact]],
    *,
    incidents: Iterable[Incident] = (),
    measured: Values | None = None,
    declared: Values,
    restart: Iterable[str] = (),
) -> Plan:
    """The plan; `measured` are measurements by check of what runs, `declared` those that a probe kind may have, by kind."""
    (old, old_contacts), (new, new_contacts) = before, after
    names, sites = renamed_targets(old, new), renamed_sites(old, new)
    heard_before = {names.get(id_, id_): told for id_, told in _heard(old, old_contacts).items()}
    heard = _heard(new, new_contacts)
    old = _under_present_ids(old, names, sites)
    measured = {check_id(check, names): count for check, count in (measured or {}).items()}
    roots = {each.id: names.get(each.root, each.root) for each in incidents}
    values = _values(old, measured, declared)
    old_checks = old.checks()
    return Plan(
        sites=replace(_changes(old.sites, new.sites), renamed=sites),
        providers=_changes(old.providers, new.providers),
        targets=replace(_changes(old.targets, new.targets), renamed=names),
        maintenance=_changes(_by_reason(old.maintenance), _by_reason(new.maintenance)),
        contacts=_changes({each.id: each for each in old_contacts}, {each.id: each for each in new_contacts}),
        audience=_audience(heard_before, heard),
        unheard=tuple(each for each, told in heard.items() if not told and heard_before.get(each) != told),
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
    Target: {"id", "site", "name", "formerly"},
    Site: {"id", "formerly"},
}
"""Fields that are told elsewhere."""
_UNITS = {"_seconds": "s", "_bits": ""}
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
        text = f"{value:g}{unit}"
    else:
        text = "" if value is None else str(value.value if isinstance(value, Enum) else value)
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


@dataclass(frozen=True, slots=True)
class _Work:
    """Announced work as it can be compared: recurrences are not equal to each other."""

    start: tuple[str, ...]
    lasts: str
    targets: frozenset[str]


def _by_reason(works: Iterable[Maintenance]) -> dict[str, object]:
    found: dict[str, object] = {}
    for each in works:
        name, number = each.reason, 1
        while name in found:
            number += 1
            name = f"{each.reason} ({number})"
        starts = tuple(f"{start:%Y-%m-%dT%H:%M%z}" for start in islice(each.starts, STARTS_COMPARED))
        found[name] = _Work(starts, str(each.lasts), each.targets)
    return found


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

Told = frozenset[tuple[str, str]]
"""Contact and cause."""


def _heard(inventory: Inventory, contacts: Sequence[Contact]) -> dict[str, Told]:
    """For each target: who would be mailed when it is down, for which causes; asked of the policy itself."""
    known: dict[tuple[str, str], Told] = {}
    found = {}
    for target in inventory.targets.values():
        like = (inventory.sites[target.site].area, target.severity.value)
        if like not in known:
            known[like] = frozenset(
                (each.contact.id, cause.value)
                for cause in Cause
                for each in notify(_would_be(target, cause), contacts, inventory)
            )
        found[target.id] = known[like]
    return found


def _would_be(target: Target, cause: Cause) -> IncidentEvent:
    incident = Incident(
        id="plan", root=target.id, cause=cause, state=State.DOWN, began=_NEVER, opened=_NEVER,
        reason=Reason.TIMEOUT, severity=target.severity,
    )  # fmt: skip
    return IncidentEvent(incident=incident, what=Happening.OPENED, at=_NEVER)


def _audience(before: Mapping[str, Told], after: Mapping[str, Told]) -> dict[str, Audience]:
    more, fewer = defaultdict[str, dict[str, None]](dict), defaultdict[str, dict[str, None]](dict)
    for target in after:
        if target in before and before[target] != after[target]:
            for contact, _ in after[target] - before[target]:
                more[contact][target] = None
            for contact, _ in before[target] - after[target]:
                fewer[contact][target] = None
    return {
        contact: Audience(more=tuple(more.get(contact, ())), fewer=tuple(fewer.get(contact, ())))
        for contact in sorted(more.keys() | fewer.keys())
    }
