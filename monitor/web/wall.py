"""What the wall tells where few incidents are open: what is worked at, of what nobody is mailed, what was mended, what comes.

Heights are in the `rem` of wall.css, of which every screen has 54 or more from top to bottom.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from monitor.core.model import Incident, Inventory
from monitor.web.glance import Atlas
from monitor.web.overview import case_of
from monitor.web.quiet import Things, told_silence, told_work
from monitor.web.view import View
from monitor.web.words import Words, clip

MAX_FEW = 3
"""With no more incidents open, their letters are larger and they say whom to call."""
MAX_TIMED, MAX_MENDED = 3, 5
"""Lines of work and silences, and of what was mended."""
SOON_HOURS = 24
ROOM, CARD, HEADING, LINE = 36.0, 9.4, 3.3, 1.9
"""What is left under a banner, a large number and the first heading; a large card; a heading; a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A heading with its first lines."""

    heading: str
    """Key of the words."""
    total: int
    lines: Sequence[str]
    mended: bool


def notes(view: View, atlas: Atlas, cards: int, words: Words, now: datetime) -> list[Note]:
    """As many as fit beside so many cards, those first that say why something may be amiss."""
    if cards > MAX_FEW:
        return []
    inventory, works, silences = view.inventory(), view.works(), view.silences()
    going_on = [each for each in works if each.window.begins <= now]
    coming = [each for each in works if now < each.window.begins <= now + timedelta(hours=SOON_HOURS)]
    closed = [each for each in view.incidents() if each.closed is not None]
    ends = ((told_work(each, atlas, words), each.window.ends, each.window.reason) for each in going_on[:MAX_TIMED])
    silent = ((told_silence(each, inventory, words), each.ends, each.reason) for each in silences[:MAX_TIMED])
    begins = ((told_work(each, atlas, words), each.window.begins, each.window.reason) for each in coming[:MAX_TIMED])
    made, left = [], ROOM - cards * CARD
    for heading, total, lines in (
        ("works_now", len(going_on), _timed(ends, words.page["until"], words, now)),
        ("silenced_now", len(silences), _timed(silent, words.page["until"], words, now)),
        ("closed", len(closed), _mended(closed[:MAX_MENDED], inventory, words, now)),
        ("works_soon", len(coming), _timed(begins, words.page["from"], words, now)),
    ):
        shown = tuple(islice(lines, max(0, int((left - HEADING) / LINE))))
        if shown:
            left -= HEADING + LINE * len(shown)
            made.append(Note(heading=heading, total=total, lines=shown, mended=heading == "closed"))
    return made


def quiet_since(view: View) -> datetime | None:
    """When the last incident ended; None: one is open, or none was lately."""
    ends = [each.closed for each in view.incidents()]
    return max((each for each in ends if each is not None), default=None) if None not in ends else None


def hour(at: datetime, words: Words, now: datetime) -> str:
    """A time as the wall has room for: with its day when that is another."""
    told, day = words.hour(at), words.hour(now)[5:]
    return told.removesuffix(day)


def _timed(told: Iterable[tuple[Things, datetime, str]], when: str, words: Words, now: datetime) -> Iterator[str]:
    for them, at, reason in told:
        names = ", ".join(each.name for each in them.shown)
        yield f"{clip(names, 80)}: {when} {hour(at, words, now)}, {clip(reason, 80)}"


def _mended(closed: Iterable[Incident], inventory: Inventory, words: Words, now: datetime) -> Iterator[str]:
    for incident in closed:
        case = case_of(incident, inventory, words)
        assert incident.closed is not None
        place, name = case.site.name if case.site else incident.root, words.name(case.target, incident.root)
        lasted = words.lasted(incident.began, incident.closed)
        yield f"{hour(incident.closed, words, now)} {clip(place, 80)} – {clip(name, 80)}, {words.page['lasted']} {lasted}"
