"""Letters that never were: what their templates are tried with, and what previews show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from alerts import daily, monthly, quality, rooms
from alerts.regular import last_day, last_month
from alerts.summary import lines_of
from monitor.core.account import Account, Entry, Outage
from monitor.core.ledger import By, Span, Totals, members, merged
from monitor.core.model import (
    Cause,
    Held,
    Incident,
    Inventory,
    Meeting,
    Reason,
    Role,
    Session,
    State,
    Target,
)
from monitor.core.quality import Quality, RoomQuality, SessionQuality
from monitor.core.readiness import Outlook, Readiness, Room
from monitor.core.words import CONFERENCE_SERVERS, ROOM, Words

LETTERS = (
    "unwritten",
    "written",
    "heartbeat",
    "missed",
    "test",
    "daily",
    "monthly",
    "readiness",
    "rooms-changed",
    "quality",
)
"""Names of their templates."""
HURT = 5
"""So many of each role were hurt, each twice as long as the one before."""
SHOWN = 40
_CAUSES = {Role.LINK: Cause.LINK, Role.DEVICE: Cause.DEVICE, Role.SERVICE: Cause.SERVICE}


def letters(inventory: Inventory, now: datetime, words: Words, board: str) -> Mapping[str, Mapping[str, object]]:
    """The mails about no single incident, with what each template is given beside `words`, `contact`, `board` and `about`."""
    day, before = a_day(inventory, now), now - timedelta(hours=2)
    open_ones = [each for each in day.incidents if each.closed is None]
    still = lines_of(open_ones, inventory, words, board)
    return {
        "unwritten": {
            "trouble": "the disk is full",
            "lines": tuple((each.since, f"{each.state.upper()}: {each.name}") for each in still),
            "more": 3,
        },
        "written": {"since": before},
        "heartbeat": {
            "targets": len(inventory.targets),
            "unknown": 0,
            "started": before,
            "open": still,
            "shown": SHOWN,
        },
        "missed": {"since": before, "started": now, "open": still[:1], "new": still[1:], "over": (), "shown": SHOWN},
        "test": {"at": now},
        "daily": daily.told(day, inventory, words, board),
        "monthly": monthly.told(a_month(inventory, now), inventory, words),
        "readiness": rooms.told(an_outlook(inventory, now), inventory, words, now),
        "rooms-changed": rooms.told_changes(
            an_outlook(inventory, now, timedelta(minutes=8)),
            _before(inventory, now),
            now - timedelta(minutes=7),
            inventory,
            words,
            now,
        ),
        "quality": quality.told(a_meeting_held(inventory, now), inventory, words),
    }


def an_outlook(inventory: Inventory, now: datetime, ahead: timedelta = timedelta(hours=1)) -> Outlook:
    """How ready the rooms of this inventory could be for a meeting so far ahead: a line is cut, one is lossy, one room is off."""
    targets = inventory.targets.values()
    places = tuple(each.id for each in targets if each.kind == ROOM) or tuple(each.id for each in targets)[:1]
    lines = {each.site: each for each in reversed(tuple(targets)) if each.role is Role.LINK}  # the first of each
    begins = now + ahead
    session = Session(begins, begins + timedelta(hours=2), "giao-ban-tuan")
    meeting = Meeting(id=session.meeting, title="Giao ban trực tuyến", rooms=places, sessions=(session,))
    hurt = {
        0: ("cut-off", Readiness.NOT_READY, Reason.TIMEOUT, ""), 1: ("down", Readiness.NOT_READY, Reason.REFUSED, ""),
        2: ("bad-way", Readiness.AT_RISK, Reason.LIMIT, "loss"),
    }  # fmt: skip
    made = []
    for number, place in enumerate(places):
        line = lines.get(inventory.targets[place].site)
        because, readiness, reason, says = hurt.get(number, ("ready", Readiness.READY, Reason.OK, ""))
        of = line.id if line and because in ("cut-off", "bad-way") else place
        made.append(Room(target=place, readiness=readiness, because=because, of=of, reason=reason, says=says))
    served = next((each.id for each in targets if each.kind in CONFERENCE_SERVERS), None)
    servers = (Room(target=served, serves=True),) if served else ()
    return Outlook(meeting=meeting, session=session, rooms=tuple(made), servers=servers)


def _before(inventory: Inventory, now: datetime) -> Mapping[str, str]:
    """What could have been told of them before: the last was off, of the others the line alone was known to be cut."""
    rooms_known = an_outlook(inventory, now).rooms
    return {each.target: Readiness.NOT_READY.value for each in (*rooms_known[:1], *rooms_known[3:][-1:])}


def a_meeting_held(inventory: Inventory, now: datetime) -> SessionQuality:
    """How such a meeting could have gone: a line was cut for some minutes, one lost packets, one room was off at the end."""
    found = an_outlook(inventory, now - timedelta(hours=4))
    session = found.session
    cut = Span(session.begins + timedelta(minutes=12), session.begins + timedelta(minutes=19))
    lossy = Span(session.begins, session.ends - timedelta(minutes=50))
    qualities = {
        "cut-off": (Quality.CUT, Cause.LINK, cut), "down": (Quality.CUT, Cause.DEVICE, Span(lossy.until, session.ends)),
        "bad-way": (Quality.POOR, Cause.LINK, lossy),
    }  # fmt: skip
    rooms_held = []
    for each in found.rooms:
        how, cause, times = qualities.get(each.because, (Quality.GOOD, None, None))
        rooms_held.append(
            RoomQuality(
                target=each.target, quality=how, of=each.of, cause=cause, times=(times,) if times else (),
                seconds=(times.until - times.since).total_seconds() if times else 0.0,
            )
        )  # fmt: skip
    return SessionQuality(
        session=session, title=found.meeting.title, importance=found.meeting.importance, rooms=tuple(rooms_held)
    )


def a_day(inventory: Inventory, now: datetime) -> daily.Day:
    """What could have happened in this inventory since yesterday."""
    span = last_day(now, None)
    hurt = list(_hurt(inventory))
    held = {
        each.id: Held(
            target=each.id, state=State.DEGRADED, since=now - timedelta(hours=2), reason=Reason.LIMIT,
            says="slow" if each.role is Role.SERVICE else "loss",
        )
        for number, each in enumerate(hurt)
        if number % HURT == HURT - 2
    }  # fmt: skip
    lines = merged(By.LINK, span, [_totals(inventory, By.LINK, span)])
    return daily.Day(span=span, incidents=_incidents(hurt, span), held=held, lines=lines)


def a_month(inventory: Inventory, now: datetime) -> Account:
    """What could have happened in this inventory in the month that is over."""
    span = last_month(now)
    incidents = _incidents(_hurt(inventory), span)
    of = {each.root: each for each in incidents}
    found = []
    for member in members(inventory, span.since):
        incident, sums = of.get(member.target), Totals(up=span.until - span.since)
        outages: tuple[Outage, ...] = ()
        if incident is not None:
            until = incident.closed or span.until
            down = until - incident.began
            sums = Totals(up=sums.up - down, down=down, power=down / 4)
            outages = (
                Outage(
                    target=member.target, since=incident.began, until=until, begun=True,
                    ended=incident.closed is not None, power=down / 4, incident=incident,
                ),
            )  # fmt: skip
        found.append(Entry(member=member, totals=sums, outages=outages))
    return Account(asked=span, span=span, entries=found, incidents=incidents, watched=span.since - timedelta(days=30))


def _hurt(inventory: Inventory) -> Iterable[Target]:
    """Of each role the same number; what others could hang behind last, and equipment where no line is hurt."""
    for role in Role:
        found = [each for each in inventory.targets.values() if each.role is role and each.checks]
        if role is Role.DEVICE:
            found.reverse()
            found.sort(key=lambda each: inventory.sites[each.site].kind != "commune")
        yield from found[:HURT]


def _lasted(index: int, span: Span) -> timedelta:
    """As large a part of a month as of a day."""
    return (span.until - span.since) * (1 << index) / 200


def _incidents(hurt: Iterable[Target], span: Span) -> list[Incident]:
    """The first of each role is still open."""
    found = []
    for number, each in enumerate(hurt):
        lasted = _lasted(number % HURT, span)
        began = span.until - lasted if number % HURT == 0 else span.since + timedelta(hours=1 + number)
        found.append(
            Incident(
                id=f"{began:%Y%m%d-%H%M%S}-{each.id.replace('/', '.')}", root=each.id, cause=_CAUSES[each.role],
                state=State.DOWN, began=began, opened=began, closed=None if number % HURT == 0 else began + lasted,
                reason=Reason.TIMEOUT, severity=each.severity,
            )
        )  # fmt: skip
    return found


def _totals(inventory: Inventory, by: By, span: Span) -> dict[str, Totals]:
    hurt = {each.id: _lasted(number % HURT, span) for number, each in enumerate(_hurt(inventory))}
    found: dict[str, Totals] = {}
    for each in members(inventory, span.since):
        if key := each.key(by):
            down = hurt.get(each.target, timedelta())
            found.setdefault(key, Totals()).join(Totals(up=span.until - span.since - down, down=down, power=down / 4))
    return found
