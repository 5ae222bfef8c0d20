"""contacts.yaml → Routing: who is told; raises ConfigError with every mistake."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

from alerts.routing import OUTSIDER, Digest, Override, Quiet, Rota, Route, Routing, Scope, Storm, Summaries
from monitor.core.graph import find_loop
from monitor.core.model import Cause, Contact, Inventory, Severity
from monitor.core.words import WORDS
from monitor.inventory.hours import parse_hours
from monitor.inventory.people import ContactsFile, PersonModel, RemindedModel, RotaModel, ScopeModel
from monitor.yamlfile import ConfigError, Problem, Source, Where, near, read, validate

TURNS = {"daily": timedelta(days=1), "weekly": timedelta(days=7)}


def load_contacts(path: Path, inventory: Inventory | None = None) -> Routing:
    """Who is told; what the file names of the inventory is looked up in it, where there is one."""
    source = read(path)
    found = validate(source, ContactsFile)
    problems = [*_named_twice(source, found), *_unknown(source, found), *_unknown_of(source, found, inventory)]
    if not problems:
        problems += _rings(source, found)
    if problems:
        raise ConfigError(problems)
    people: dict[str, PersonModel] = {**found.contacts, **found.people}
    outsiders = dict(_outsiders(inventory)) if inventory else {}
    return Routing(
        contacts={
            id_: Contact(id=id_, name=each.name, email=each.email, language=each.language)
            for id_, each in people.items()
        }
        | {contact.id: contact for contact in outsiders},
        quiet={
            id_: Quiet(hours=each.quiet.hours, at_once=Severity(each.quiet.at_once))
            for id_, each in people.items()
            if each.quiet
        },
        digests={
            id_: Digest(
                at=each.digest.at,
                at_once=Severity(each.digest.at_once),
                ends=each.digest.ends,
                causes=tuple(Cause(cause) for cause in each.digest.at_once_causes),
            )
            for id_, each in people.items()
            if each.digest
        },
        storms={
            id_: Storm(mails=each.storm.mails, within=timedelta(seconds=each.storm.within))
            for id_, each in people.items()
            if each.storm
        },
        summaries={
            id_: Summaries(daily=each.summaries.daily, monthly=each.summaries.monthly)
            for id_, each in people.items()
            if each.summaries
        },
        rotas={id_: _rota(id_, each) for id_, each in found.rotas.items()},
        routes=(
            *(_route(id_, each) for id_, each in (found.contacts | found.rotas).items()),
            *(
                Route(to=to, scope=_scope(step), hours=step.hours, after=timedelta(seconds=step.after))
                for step in found.escalation
                for to in step.to
            ),
            *outsiders.values(),
        ),
    )


def _outsiders(inventory: Inventory) -> Iterator[tuple[Contact, Route]]:
    """The providers that are told themselves; the dot keeps their ids apart from those of the file."""
    for provider in inventory.providers.values():
        tell = provider.tell
        if tell is not None:
            id_ = f"{OUTSIDER}{provider.id}"
            scope = Scope(causes=tell.causes, severity=tell.severity, providers=(provider.id,))
            yield (
                Contact(id=id_, name=provider.name, email=provider.email, language=tell.language, outsider=True),
                Route(to=id_, scope=scope, hours=parse_hours(tell.hours) if tell.hours else None),
            )


def _route(id_: str, model: RemindedModel) -> Route:
    return Route(
        to=id_, scope=_scope(model), hours=model.hours,
        remind=_span(model.remind), remind_acknowledged=_span(model.remind_acknowledged),
    )  # fmt: skip


def _span(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _rota(id_: str, model: RotaModel) -> Rota:
    return Rota(
        id=id_, name=model.name, people=tuple(model.people), starts=model.starts, turn=TURNS[model.turn],
        overrides=tuple(Override(begins=each.from_, ends=each.until, to=each.to) for each in model.overrides),
    )  # fmt: skip


def _scope(model: ScopeModel) -> Scope:
    return Scope(
        causes=tuple(Cause(each) for each in model.causes), severity=Severity(model.severity), areas=tuple(model.areas),
        sites=tuple(model.sites), kinds=tuple(model.kinds), providers=tuple(model.providers),
    )  # fmt: skip


# -- names -----------------------------------------------------------------------------------------------------------


def _named_twice(source: Source, found: ContactsFile) -> Iterator[Problem]:
    """One id is one person or rota, wherever it stands."""
    seen: dict[str, Where] = {}
    for table in ("contacts", "people", "rotas"):
        for id_ in getattr(found, table):
            first = seen.setdefault(id_, (table, id_))
            if first[0] != table:
                text = f"`{id_}` is already written under `{first[0]}`"
                yield source.problem((table, id_), text, "give one of the two another id", at_key=True)


def _unknown(source: Source, found: ContactsFile) -> Iterator[Problem]:
    people = {*found.contacts, *found.people}
    everybody = {*people, *found.rotas}
    for index, step in enumerate(found.escalation):
        for at, each in enumerate(step.to):
            if each not in everybody:
                yield _no(source, ("escalation", index, "to", at), "person, contact or rota", each, everybody)
    for id_, rota in found.rotas.items():
        where: Where = ("rotas", id_)
        for index, each in enumerate(rota.people):
            if each not in people:
                yield _no(source, (*where, "people", index), "person or contact", each, people)
        for index, override in enumerate(rota.overrides):
            if override.to not in everybody:
                yield _no(source, (*where, "overrides", index, "to"), "person, contact or rota", override.to, everybody)


def _no(source: Source, where: Where, what: str, given: str, known: Iterable[str]) -> Problem:
    return source.problem(where, f"there is no {what} `{given}`", near(given, known))


def _unknown_of(source: Source, found: ContactsFile, inventory: Inventory | None) -> Iterator[Problem]:
    if inventory is None:
        return
    known: Mapping[str, Iterable[str]] = {
        "areas": {each.area for each in inventory.sites.values() if each.area},
        "sites": inventory.sites.keys(),
        # Of those that have a name in mails too, so that contacts can be written before there is a gatekeeper.
        "kinds": {each.kind for each in inventory.targets.values()} | WORDS["en"].kinds.keys(),
        "providers": inventory.providers.keys(),
    }
    former = {old: each.id for each in inventory.sites.values() for old in each.formerly}
    for where, scope in _scopes(found):
        for name, names in known.items():
            for index, each in enumerate(getattr(scope, name)):
                if each in names:
                    continue
                now = former.get(each, "") if name == "sites" else ""
                yield _no(source, (*where, name, index), name.removesuffix("s"), each, [now] if now else names)


def _scopes(found: ContactsFile) -> Iterator[tuple[Where, ScopeModel]]:
    for table in ("contacts", "rotas"):
        for id_, each in getattr(found, table).items():
            yield (table, id_), each
    for index, step in enumerate(found.escalation):
        yield ("escalation", index), step


def _rings(source: Source, found: ContactsFile) -> Iterator[Problem]:
    """Rotas that stand in for each other would lead to nobody."""
    ring = find_loop({id_: [each.to for each in rota.overrides] for id_, rota in found.rotas.items()})
    if ring:
        text = f"goes round in a ring: {' → '.join(ring)}"
        yield source.problem(("rotas", ring[0], "overrides"), text, "let one of them name a person")
