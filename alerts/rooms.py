"""PURE: which rooms are ready for a meeting, as a letter tells it: the worst first, what is alike together, the well ones counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.core.advice import Advice, advise
from monitor.core.meetings import IMMINENT
from monitor.core.model import Contact, Inventory, Meeting, Session
from monitor.core.readiness import Outlook, Readiness
from monitor.core.words import LOCAL, Words

LETTER, CHANGED = "readiness", "rooms-changed"
"""Names of the templates: of a report, and of what has changed since the last one before a session."""
CHANGES_APART = timedelta(minutes=5)
"""Between two letters about what has changed: rooms that come and go fill nobody's inbox."""
AFTER_REPORT = timedelta(minutes=1)
"""No such letter comes sooner after a report."""
MOST_CHANGES = IMMINENT // CHANGES_APART
"""Such letters about one session, whatever clocks do."""
MINUTE = timedelta(minutes=1)
SHOWN_GROUPS = 25
SHOWN_NAMES = 12
"""Rooms that are named for one reason; the rest are counted, so that a mail for a whole nation stays one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rooms, or what serves all of them, of which the same is to be said."""

    says: str
    bad: bool
    """Not ready, rather than at risk."""
    why: str
    todo: str
    call: str
    names: tuple[str, ...]
    more: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A letter about a session that should have been written by now."""

    id: str
    """The same for the same session, moment and contact, so that it is made once."""
    session: Session
    contact: Contact


def moment_of(meeting: Meeting, session: Session, now: datetime) -> timedelta | None:
    """The last of the moments before a session at which its rooms are told of, that has come; None before the first and after
    the begin.
    """
    if now >= session.begins:
        return None
    return min((each for each in meeting.reports if session.begins - each <= now), default=None)


def due(meeting: Meeting, session: Session, on_duty: Iterable[Contact], now: datetime) -> Iterator[Due]:
    """To whom the rooms should have been told by now: the owner and those on duty, each address once."""
    before = moment_of(meeting, session, now)
    if before is None:
        return
    for contact in concerned(meeting, on_duty):
        yield Due(id=_id(LETTER, session, round(before / MINUTE), contact), session=session, contact=contact)


def last_report(meeting: Meeting, session: Session, now: datetime) -> Due | None:
    """The last report before a session to the owner, when it is time to tell him of what has changed since; else None."""
    before = min(meeting.reports, default=None)
    if before is None or meeting.owner is None or not session.begins - min(before, IMMINENT) <= now < session.begins:
        return None
    return Due(id=_id(LETTER, session, round(before / MINUTE), meeting.owner), session=session, contact=meeting.owner)


def change_ids(report: Due) -> list[str]:
    """Those of all letters about what has changed since a report, in their order."""
    return [_id(CHANGED, report.session, number + 1, report.contact) for number in range(MOST_CHANGES)]


def _id(name: str, session: Session, number: int, contact: Contact) -> str:
    return f"{name}-{session.meeting}-{session.begins:%Y%m%d%H%M}-{number}.{contact.id}"


def concerned(meeting: Meeting, on_duty: Iterable[Contact]) -> Iterable[Contact]:
    """Who is told of a meeting: its owner and those on duty, each address once."""
    told: dict[str, Contact] = {}
    for each in (*([meeting.owner] if meeting.owner else []), *on_duty):
        told.setdefault(each.email, each)
    return told.values()


def unready(outlook: Outlook) -> dict[str, str]:
    """How ready each is that is not, by target: what a later letter needs to know of this one."""
    needed = (*outlook.servers, *outlook.rooms)
    return {each.target: each.readiness.value for each in needed if each.readiness is not Readiness.READY}


def changed(outlook: Outlook, said: Mapping[str, str]) -> Outlook:
    """The same with those alone of which a letter said something else."""
    servers, rooms = (
        tuple(each for each in those if each.readiness != said.get(each.target, Readiness.READY))
        for those in (outlook.servers, outlook.rooms)
    )
    return replace(outlook, servers=servers, rooms=rooms)


def told_changes(
    outlook: Outlook, said: Mapping[str, str], since: datetime, inventory: Inventory, words: Words, now: datetime
) -> dict[str, object]:
    """What the template of changes is given: all of a report, but the groups of what has changed since one that said this."""
    anew = changed(outlook, said)
    names: dict[Readiness, list[str]] = {each: [] for each in Readiness}
    for each in (*anew.servers, *anew.rooms):
        target = inventory.targets[each.target]
        names[each.readiness].append(words.hurt_room(target, inventory.sites[target.site], each.target))
    return {
        **told(outlook, inventory, words, now),
        **_shown(anew, inventory, words),
        "since": f"{since.astimezone(LOCAL):%H:%M}",
        "now_not_ready": tuple(names[Readiness.NOT_READY]),
        "now_at_risk": tuple(names[Readiness.AT_RISK]),
        "now_ready": tuple(names[Readiness.READY]),
        "shown": SHOWN_NAMES,
    }


def told(outlook: Outlook, inventory: Inventory, words: Words, now: datetime) -> dict[str, object]:
    """What the template is given."""
    begins, counts = outlook.session.begins.astimezone(LOCAL), outlook.counts()
    servers = {each: tuple(_names(outlook, each, inventory, words)) for each in Readiness}
    today = begins.date() == now.astimezone(LOCAL).date()
    return {
        "meeting": outlook.meeting.id,
        "title": outlook.meeting.title,
        "when": words.session(outlook.session.begins, outlook.session.ends),
        "at": f"{begins:%H:%M}" if today else f"{begins:%H:%M %d/%m}",
        "wait": words.lasted(now, outlook.session.begins),
        "rooms": len(outlook.rooms),
        "not_ready": counts[Readiness.NOT_READY],
        "at_risk": counts[Readiness.AT_RISK],
        "ready": counts[Readiness.READY],
        "servers": len(outlook.servers),
        "servers_not_ready": servers[Readiness.NOT_READY],
        "servers_at_risk": servers[Readiness.AT_RISK],
        "servers_ready": servers[Readiness.READY],
        **_shown(outlook, inventory, words),
    }


def _shown(outlook: Outlook, inventory: Inventory, words: Words) -> dict[str, object]:
    groups = tuple(_groups(outlook, inventory, words))
    more = sum(len(each.names) + each.more for each in groups[SHOWN_GROUPS:])
    return {"groups": groups[:SHOWN_GROUPS], "more": more}


def _names(outlook: Outlook, readiness: Readiness, inventory: Inventory, words: Words) -> Iterator[str]:
    """Of what serves all rooms and is so ready."""
    return (words.name(inventory.targets[each.target]) for each in outlook.servers if each.readiness is readiness)


def _named(said: Advice, words: Words) -> str:
    return f"{said.name} ({_CIRCUIT[words.language]} {said.circuit})" if said.circuit else said.name


_CIRCUIT = {"vi": "mã kênh", "en": "circuit"}


def _groups(outlook: Outlook, inventory: Inventory, words: Words) -> Iterator[Group]:
    """What is not ready, first of what serves all; of the rest there is nothing to say."""
    found: dict[tuple[str, ...], list[str]] = {}
    for each in (*outlook.servers, *outlook.rooms):
        if each.readiness is not Readiness.READY:
            said = advise(each, inventory, words)
            found.setdefault((each.readiness.value, said.says, said.why, said.todo, said.call), []).append(
                _named(said, words)
            )
    for (readiness, says, why, todo, call), names in found.items():
        yield Group(
            says=says, bad=readiness == Readiness.NOT_READY.value, why=why, todo=todo, call=call,
            names=tuple(names[:SHOWN_NAMES]), more=max(0, len(names) - SHOWN_NAMES),
        )  # fmt: skip
