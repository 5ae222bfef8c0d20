"""Pure: meetings as they are written, in YAML or as events of a calendar → meetings of the core, with their rooms found."""

from __future__ import annotations

import heapq
import re
import unicodedata
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from monitor.core.model import Contact, Importance, Meeting, Session, Site, Target
from monitor.core.words import LOCAL, ROOM
from monitor.inventory.ical import Event
from monitor.inventory.recurrence import recur
from monitor.inventory.schema import CalendarModel, MeetingBody, MeetingModel
from monitor.yamlfile import Problem, Source, Where, near

OWNER = "owner."
"""Before the id of a meeting it is that of its owner as a contact: no id in contacts.yaml has a dot."""
EVERYWHERE = "all communes"
LONGEST = timedelta(days=1)
"""Of one session."""
LOOKED_AT = 5000
"""So many sessions are looked at for a day on which it is not held."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions of a meeting, the first begin first; each iteration begins anew."""

    meeting: str
    starts: Iterable[datetime]
    lasts: timedelta
    without: frozenset[datetime] = frozenset()
    """Begins that are left out."""
    others: tuple[Session, ...] = ()
    """Those that follow no rule, in order."""

    def __iter__(self) -> Iterator[Session]:
        """All of them, found one by one."""
        return self._single() if self.others else self._regular()

    def _single(self) -> Iterator[Session]:
        """A date that the rule gives too is the same session (RFC 5545 section 3.8.5.2)."""
        before = None
        for each in heapq.merge(self._regular(), self.others):
            if each.begins != before:
                yield each
            before = each.begins

    def _regular(self) -> Iterator[Session]:
        for start in self.starts:
            begins = start.astimezone(UTC)
            if begins not in self.without:
                yield Session(begins, begins + self.lasts, self.meeting)


class Rooms:
    """Finds the rooms that a name means: a target, a site, an area, or all communes."""

    def __init__(self, sites: Mapping[str, Site], targets: Mapping[str, Target]) -> None:
        self._targets = targets
        self._by_name: dict[str, list[str]] = defaultdict(list)
        for id_ in sites:
            self._by_name[id_] = []
        for each in targets.values():
            if each.kind == ROOM:
                site = sites[each.site]
                for name in (each.site, site.area, EVERYWHERE if site.kind == "commune" else ""):
                    if name:
                        self._by_name[name].append(each.id)

    def find(self, name: str) -> list[str] | None:
        """The targets; None when nothing has this name."""
        return [name] if name in self._targets else self._by_name.get(name)

    def near(self, name: str) -> str:
        """A hint what may be meant."""
        return near(name, self._targets if "/" in name else self._by_name)


class MeetingReader:
    """Reads the meetings of all files; what is wrong is in `problems`."""

    def __init__(self, sites: Mapping[str, Site], targets: Mapping[str, Target], *, complete: bool) -> None:
        """`complete` is False where sites or targets are written that could not be read: then no name is unknown."""
        self.meetings: dict[str, Meeting] = {}
        self.problems: list[Problem] = []
        self._rooms, self._complete = Rooms(sites, targets), complete

    def take(self, source: Source, index: int, model: MeetingModel) -> None:
        """One entry of `meetings`."""
        where: Where = ("meetings", index)
        if model.id in self.meetings:
            self._wrong(source, (*where, "id"), f"meeting `{model.id}` is already written", "give it another id")
            return
        rooms = self._find(source, (*where, "rooms"), model.rooms)
        lasts = model.end - model.start if model.end else timedelta(seconds=model.for_ or 0)
        if not timedelta(0) < lasts <= LONGEST:
            self._wrong(source, (*where, "end"), "must end after it starts, and within 24h", "")
            return
        starts: Iterable[datetime] = (model.start,)
        try:
            starts = recur(model.repeat, model.start, lasts) if model.repeat else starts
        except ValueError as error:
            self._wrong(source, (*where, "repeat"), str(error), "")
            return
        without = self._days_off(source, where, model, starts)
        self._add(model.id, model.title, rooms, Sessions(model.id, starts, lasts, without), model)

    def take_calendar(
        self, source: Source, index: int, model: CalendarModel, events: Sequence[Event], file: str
    ) -> None:
        """One entry of `calendars`; events that name no room are none of ours."""
        where: Where = ("calendars", index)
        mapped = {
            _alike(name): self._find(source, (*where, "rooms", name), rooms) for name, rooms in model.rooms.items()
        }
        series: dict[str, list[Event]] = defaultdict(list)
        for each in events:
            series[each.uid].append(each)
        taken = 0
        for uid, parts in series.items():
            first = next((each for each in parts if each.instead_of is None), parts[0])
            rooms = self._named(first, mapped)
            if not rooms or (first.cancelled and first.instead_of is None):
                continue
            id_ = _id_of(first.title, f"{file}\n{uid}")
            sessions = self._sessions(id_, first, [each for each in parts if each is not first], file)
            if sessions is not None:
                taken += 1
                self._add(id_, first.title[:120], rooms, sessions, model)
        if not taken and self._complete and not self.problems:
            text = (
                f"no event of `{model.file}` names a room: look at LOCATION or ATTENDEE, and write them below `rooms`"
            )
            self.problems.append(replace(source.problem((*where, "file"), text), warning=True))

    def _wrong(self, source: Source, where: Where, message: str, hint: str) -> None:
        self.problems.append(source.problem(where, message, hint))

    def _add(self, id_: str, title: str, rooms: Iterable[str], sessions: Sessions, model: MeetingBody) -> None:
        owner = model.owner
        self.meetings[id_] = Meeting(
            id=id_, title=title, importance=Importance(model.importance), rooms=tuple(dict.fromkeys(rooms)), sessions=sessions,
            owner=Contact(id=f"{OWNER}{id_}", name=owner.name, email=owner.email, language=owner.language) if owner else None,
            reports=tuple(timedelta(seconds=each) for each in sorted(set(model.reports), reverse=True)),
            afterwards=model.afterwards,
        )  # fmt: skip

    def _find(self, source: Source, where: Where, names: Sequence[str]) -> list[str]:
        found: list[str] = []
        for index, name in enumerate(names):
            rooms = self._rooms.find(name)
            here = (*where, index)
            if rooms is None and self._complete:
                self._wrong(source, here, f"there is no target, site or area `{name}`", self._rooms.near(name))
            elif rooms == [] and self._complete:
                self._wrong(source, here, f"`{name}` has no {ROOM}", "name its target, such as site/name")
            found += rooms or []
        return found

    def _days_off(
        self, source: Source, where: Where, model: MeetingModel, starts: Iterable[datetime]
    ) -> frozenset[datetime]:
        """The begins on the days of `except`; a day on which it would not be held anyhow is a mistake."""
        wanted = {day: index for index, day in enumerate(model.except_)}
        last = max(wanted, default=date.min)
        found: dict[date, datetime] = {}
        for number, start in enumerate(starts if wanted else ()):
            day = start.astimezone(LOCAL).date()
            if day > last or number >= LOOKED_AT:
                break
            if day in wanted:
                found[day] = start.astimezone(UTC)
        for day, index in wanted.items():
            if day not in found:
                self._wrong(
                    source,
                    (*where, "except", index),
                    f"it is not held on {day} anyhow",
                    "leave the day out, or mend it",
                )
        return frozenset(found.values())

    def _named(self, event: Event, mapped: Mapping[str, list[str]]) -> list[str]:
        """The rooms that an event names, by the mapping first."""
        found: list[str] = []
        for name in event.named:
            rooms = mapped.get(_alike(name))
            found += rooms if rooms is not None else self._rooms.find(name) or []
        return found

    def _sessions(self, id_: str, first: Event, parts: Sequence[Event], file: str) -> Sessions | None:
        """When a series is held; None when that is not in form."""

        def wrong(event: Event, name: str, message: str, hint: str = "") -> None:
            self.problems.append(Problem(file, event.lines.get(name, event.line), 1, message, hint))

        before = len(self.problems)
        for each in (first, *parts):
            if not timedelta(0) < each.lasts <= LONGEST:
                wrong(each, "DTEND", f"`{each.title[:60]}` must last longer than nothing, and at most 24h")
        starts: Iterable[datetime] = (first.begins,)
        if first.rule:
            try:
                starts = recur(_rule(first), first.begins, first.lasts)
            except ValueError as error:
                wrong(first, "RRULE", str(error), "let the calendar write it plainly, or write the meeting in YAML")
        others = [*(first.also), *(each.begins for each in parts if not each.cancelled)]
        lasts = [first.lasts] * len(first.also) + [each.lasts for each in parts if not each.cancelled]
        made = [
            Session(at.astimezone(UTC), at.astimezone(UTC) + long, id_) for at, long in zip(others, lasts, strict=True)
        ]
        without = {each.astimezone(UTC) for each in first.without}
        without |= {each.instead_of.astimezone(UTC) for each in parts if each.instead_of is not None}
        if len(self.problems) > before:
            return None
        return Sessions(id_, starts, first.lasts, frozenset(without), tuple(sorted(set(made))))


def _rule(event: Event) -> str:
    """The rule as `recur` wants it: UNTIL may be a day, or a time without a zone, which means that of the begin."""

    def in_utc(match: re.Match[str]) -> str:
        day, time = match[1], match[2] or "235959"
        try:
            until = datetime.strptime(day + time, "%Y%m%d%H%M%S").replace(tzinfo=event.begins.tzinfo)
        except ValueError:
            return match[0]
        return f"UNTIL={until.astimezone(UTC):%Y%m%dT%H%M%SZ}"

    return re.sub(r"UNTIL=(\d{8})(?:T(\d{6}))?(?=;|$)", in_utc, event.rule.upper())


def _alike(name: str) -> str:
    """Names that differ only in case, form of Unicode or blanks are the same."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


def _id_of(title: str, uid: str) -> str:
    """An id that can be read, and that stays while title and UID do."""
    plain = unicodedata.normalize("NFD", title.lower().replace("đ", "d")).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", plain)[:50].strip("-")
    return f"{slug}-{zlib.crc32(uid.encode('utf-8', 'replace')):08x}".lstrip("-")
