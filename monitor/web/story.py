"""PURE: the life of an incident as lines for a person: what happened, who was told, and when nobody was to be told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from alerts.policy import silence_of
from monitor.core.explain import SENTENCES
from monitor.core.life import Life, Posted, Told
from monitor.core.model import Happening, Incident, IncidentEvent, Inventory, Silence
from monitor.web.phrases import PHRASES
from monitor.web.words import Words, clip

MAX_NAMES = 12
"""Recipients of a mail that are named."""
SIGNS = {
    Happening.OPENED: "■", Happening.REOPENED: "■", Happening.CHANGED: "▲", Happening.RECOVERED: "●", Happening.WITHDRAWN: "○",
    Happening.ACKNOWLEDGED: "✓", Happening.UNACKNOWLEDGED: "○",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One moment of it."""

    at: datetime
    sign: str
    what: str
    notes: tuple[str, ...] = ()
    mail: bool = False
    """About who was told, and not about the incident."""


def story(incident: Incident, life: Life | None, inventory: Inventory, words: Words, now: datetime) -> list[Line]:
    """From its beginning to its end, or to now."""
    phrases = PHRASES[words.language]
    lines = [Line(at=incident.began, sign="·", what=phrases["begins"])]
    if life is not None:
        lines += _happened(life.events, words)
        lines += _mailed(life.told, words)
        lines += _silenced(life.silences, incident, inventory, words)
    if incident.closed is None:
        lines.append(Line(at=now, sign="…", what=phrases["still"].format(impact=_hurts(incident, words))))
    return sorted(lines, key=lambda each: each.at)


def _happened(events: Sequence[IncidentEvent], words: Words) -> Iterator[Line]:
    said = SENTENCES[words.language].happenings
    for before, event in pairwise((None, *events)):
        assert event is not None
        what = said.get(event.what, event.what)
        yield Line(
            at=event.at,
            sign=SIGNS.get(event.what, "·"),
            what=what[:1].upper() + what[1:],
            notes=tuple(_notes(event, before.incident if before else None, words)),
        )


def _notes(event: IncidentEvent, before: Incident | None, words: Words) -> Iterator[str]:
    incident, phrases = event.incident, PHRASES[words.language]
    if event.what in (Happening.ACKNOWLEDGED, Happening.UNACKNOWLEDGED):
        had = incident.acknowledged
        if had is not None:
            yield clip(phrases["by"].format(by=had.by, note=had.note) if had.note else had.by)
    elif event.what is Happening.CHANGED and before is not None:
        yield from _changes(before, incident, words)
    elif event.what in (Happening.OPENED, Happening.REOPENED):
        yield phrases["is"].format(
            cause=words.causes[incident.cause], severity=words.severities[incident.severity].lower(), impact=_hurts(incident, words)
        )  # fmt: skip


def _hurts(incident: Incident, words: Words) -> str:
    phrases = PHRASES[words.language]
    return (
        phrases["hurts"].format(many=words.many(len(incident.impact), "thing"))
        if incident.impact
        else phrases["hurts_none"]
    )


def _changes(old: Incident, new: Incident, words: Words) -> Iterator[str]:
    """What is other than before."""
    phrases = PHRASES[words.language]
    pairs = {
        "root_now": (old.root, new.root),
        "cause_now": (words.causes[old.cause], words.causes[new.cause]),
        "state_now": (words.states[old.state], words.states[new.state]),
        "severity_now": (words.severities[old.severity], words.severities[new.severity]),
        "impact_now": (len(old.impact), len(new.impact)),
    }
    for key, (was, is_) in pairs.items():
        if was != is_:
            yield clip(phrases[key].format(old=was, new=is_))


def _mailed(told: Iterable[Told], words: Words) -> Iterator[Line]:
    """Mails of the same moment and about the same are one line."""
    phrases, said = PHRASES[words.language], SENTENCES[words.language].happenings
    together: dict[tuple[datetime, Happening], list[Told]] = {}
    for each in told:
        together.setdefault((each.at, each.what), []).append(each)
    for (at, what), mails in together.items():
        name = said.get(what) or phrases.get(what, what)
        yield Line(
            at=at, sign="✉", what=phrases["mailed"].format(what=name), notes=tuple(delivered(mails, words)), mail=True
        )


def delivered(mails: Sequence[Told | Posted], words: Words) -> Iterator[str]:
    """By what became of them: the recipients, and when a relay took it."""
    phrases = PHRASES[words.language]
    for status in dict.fromkeys(each.status for each in mails):
        those = [each for each in mails if each.status == status]
        names = [_name(each, words) for each in those[:MAX_NAMES]]
        if len(those) > MAX_NAMES:
            names.append(phrases["more"].format(count=len(those) - MAX_NAMES))
        yield f"{phrases.get(status, status)}: {', '.join(names)}"


def _name(mail: Told | Posted, words: Words) -> str:
    name = clip(mail.to, 60)
    return f"{name} {words.moment(mail.sent)[:8]}" if mail.sent is not None else name


def _silenced(silences: Iterable[Silence], incident: Incident, inventory: Inventory, words: Words) -> Iterator[Line]:
    root, phrases = inventory.targets.get(incident.root), PHRASES[words.language]
    for each in silences:
        if silence_of(root, inventory, [each], each.begins) is not None:
            yield Line(
                at=max(each.begins, incident.opened), sign="🔕", what=phrases["silence"].format(until=words.moment(each.ends)),
                notes=(clip(phrases["by"].format(by=each.by, note=each.reason)),), mail=True,
            )  # fmt: skip
