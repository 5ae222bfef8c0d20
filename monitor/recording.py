"""What the decider was given, as a file of JSON lines: written while the daemon runs, read to decide the same again.

The first line says what the file is (format, version, fingerprint of the inventory, beginning, incidents that may go on). After it one
line is one call of the decider, in the order of the calls: an observation, an act of somebody, or time that passed. A name that ends in `.gz`
is packed.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import logging
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from monitor.core.model import (
    NOTHING,
    Acknowledgement,
    Check,
    Happening,
    Incident,
    Inventory,
    Observation,
    Outcome,
    Reason,
    Silence,
    Target,
    Threat,
)

log = logging.getLogger(__name__)

FORMAT = 3
READS = (2, 3)
"""Formats that can be read; of 2 nobody knows who was silenced."""
MAX_LINE = 1 << 20
"""Bytes; the longest line is the first one, with the incidents."""
ROOMS_KEPT = 20
SESSIONS_HASHED = 500
"""Of each meeting; a recurrence may have thousands."""
MAX_STEP = timedelta(days=100 * 365)
YEARS = range(1971, 9000)
"""Times that can be reckoned with, whatever is added to them."""

_incidents = TypeAdapter(tuple[Incident, ...])
_silence = TypeAdapter(Silence)
_OUTCOMES = {each.value: each for each in Outcome}
_REASONS = {each.value: each for each in Reason}


class RecordingError(Exception):
    """A recording cannot be read or written; the message says file, line and what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What follows was decided with this inventory; in the middle of a file: taken over by a reload."""

    inventory: str
    """Its fingerprint."""
    version: str
    at: datetime
    ticks: bool = True
    """Whether the time that passed is in the recording too."""
    known: tuple[Incident, ...] = ()
    """Incidents that may go on: open ones, and those that recovered lately."""
    silences: tuple[Silence, ...] = ()
    """Those in force."""
    untold: Mapping[str, Happening] = field(default_factory=dict)
    """What they hold back, by open incident."""


class Tick(NamedTuple):
    """Time passed."""

    at: datetime
    silence: bool = True
    """Whether checks that were silent for too long were looked for; not where runs were left out."""


class ClockSet(NamedTuple):
    """The wall clock was set by so much."""

    at: datetime
    step: timedelta


class Patient(NamedTuple):
    """The daemon stood still: that nothing was heard is no silence of anybody."""

    at: datetime


class Acknowledged(NamedTuple):
    """Somebody has an open incident, or (None) gave it back."""

    at: datetime
    incident: str
    by: Acknowledgement | None


class Silenced(NamedTuple):
    """From now on nobody is mailed of some incidents."""

    at: datetime
    silence: Silence


class Unsilenced(NamedTuple):
    """The silence of this number was lifted."""

    at: datetime
    silence: int


class LeftOut(NamedTuple):
    """So many well runs of a check in turn were left out, to make a long recording short."""

    check: str
    runs: int


class Dropped(NamedTuple):
    """So many lines are missing here, for they could not be written fast enough."""

    lines: int


Entry = Header | Observation | Tick | ClockSet | Patient | Acknowledged | Silenced | Unsilenced | LeftOut | Dropped


def fingerprint(inventory: Inventory) -> str:
    """A hash of all in an inventory that deciding depends on: no addresses, names for people, former ids, options or secrets."""
    no_matter = {"address", "options", "label", "circuit", "bandwidth_bits", "promised_percent", "contact", "formerly"}

    def plain(of: Target | Check) -> dict[str, Any]:
        names = [each.name for each in dataclasses.fields(of) if each.name not in no_matter]
        found = {name: getattr(of, name) for name in names}
        return found | {"checks": [plain(each) for each in of.checks]} if isinstance(of, Target) else found

    sites = {site.id: (site.area, site.kind) for site in inventory.sites.values()}
    targets = [plain(inventory.targets[each]) for each in sorted(inventory.targets)]
    meetings = [
        (each.id, each.importance, each.rooms, list(islice(each.sessions, SESSIONS_HASHED)))
        for each in inventory.meetings.values()
    ]
    whole = json.dumps([sites, targets, *([meetings] if meetings else [])], sort_keys=True, default=str)
    return hashlib.sha256(whole.encode()).hexdigest()


# -- writing -----------------------------------------------------------------------------------------------------------


def header(
    inventory: Inventory,
    at: datetime,
    known: Iterable[Incident] = (),
    silences: Iterable[Silence] = (),
    untold: Mapping[str, Happening] | None = None,
) -> Header:
    """What a recording by this version begins with."""
    # Of those that are over the rest is made anew when they come back; after a storm there are hundreds.
    short = (
        replace(each, evidence=(), impact=(), meetings=())
        if each.closed
        else replace(each, meetings=_brief(each.meetings))
        for each in known
    )
    return Header(
        inventory=fingerprint(inventory), version=version("commune-monitor"), at=at, known=tuple(short),
        silences=tuple(silences), untold=dict(untold or {}),
    )  # fmt: skip


def _brief(threats: tuple[Threat, ...]) -> tuple[Threat, ...]:
    """With few rooms: those of meetings that are still to be held are found anew."""
    return tuple(replace(each, rooms=each.rooms[:ROOMS_KEPT]) for each in threats)


def line_of(entry: Entry) -> str:
    """An entry as a line of JSON; what is as usual is left out."""
    known: dict[str, Any]
    match entry:
        case Observation():
            known = _observed(entry)
        case Tick(at, silence):
            known = {"tick": at.isoformat()} | ({} if silence else {"silence": False})
        case ClockSet(at, step):
            known = {"clock_set": step.total_seconds(), "at": at.isoformat()}
        case Patient(at):
            known = {"patient": at.isoformat()}
        case Acknowledged(at, incident, by):
            known = {"acknowledged": incident, "at": at.isoformat()} | ({"by": by.by, "note": by.note} if by else {})
        case Silenced(at, silence):
            known = {"silenced": _silence.dump_python(silence, mode="json"), "at": at.isoformat()}
        case Unsilenced(at, number):
            known = {"unsilenced": number, "at": at.isoformat()}
        case LeftOut(check, runs):
            known = {"left_out": runs, "check": check}
        case Dropped(lines):
            known = {"dropped": lines}
        case Header():
            known = {
                "recording": FORMAT, "version": entry.version, "inventory": entry.inventory,
                "at": entry.at.isoformat(), "ticks": entry.ticks,
                "known": _incidents.dump_python(entry.known, mode="json"),
                "silences": [_silence.dump_python(each, mode="json") for each in entry.silences],
                "untold": {incident: what.value for incident, what in entry.untold.items()},
            }  # fmt: skip
    return json.dumps(known, separators=(",", ":")) + "\n"


def _observed(seen: Observation) -> dict[str, Any]:
    found: dict[str, Any] = {"at": seen.at.isoformat(), "check": seen.check, "seconds": seen.duration_seconds}
    if seen.target != seen.check.partition("#")[0]:
        found["target"] = seen.target
    if seen.outcome is not Outcome.OK:
        found["outcome"] = seen.outcome.value
    if seen.reason is not Reason.OK:
        found["reason"] = seen.reason.value
    if seen.values:
        found["values"] = dict(seen.values)
    if seen.evidence:
        found["evidence"] = seen.evidence
    if seen.out_of_turn:
        found["out_of_turn"] = True
    return found


# -- reading -----------------------------------------------------------------------------------------------------------


def read(path: Path) -> Iterator[Entry]:
    """All entries, the header first; raises RecordingError with the line. A last line that a crash has cut is left out."""
    number = 0
    try:
        with gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb") as stream:
            while line := stream.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    raise RecordingError(f"{path}:{number}: longer than {MAX_LINE} bytes; is this a recording?")
                try:
                    entry = parse(line)
                except ValueError as error:
                    if number > 1 and not line.endswith(b"\n"):
                        return
                    raise RecordingError(f"{path}:{number}: {error}") from error
                if number == 1 and not isinstance(entry, Header):
                    raise RecordingError(f"{path}:1: the first line must say what is recorded; is this a recording?")
                yield entry
    except EOFError:  # a packed file without its end
        pass
    except (OSError, zlib.error) as error:
        said = getattr(error, "strerror", None) or error
        raise RecordingError(f"{path}:{number + 1}: cannot be read: {said}") from error
    if not number:
        raise RecordingError(f"{path}:1: there is nothing in it")


def parse(line: bytes) -> Entry:
    """One line; raises ValueError with what is wrong, whatever the line."""
    try:
        found = json.loads(line)
    except RecursionError as error:
        raise ValueError("not JSON that anybody has written") from error
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    try:
        return _entry(found)
    except KeyError as error:
        raise ValueError(f"{error.args[0]} is missing or unknown") from error
    except (TypeError, OverflowError, AttributeError) as error:
        raise ValueError(f"not the right kind of value: {error}") from error


def _entry(found: Mapping[str, Any]) -> Entry:
    for key, make in _MAKERS.items():
        if key in found:
            return make(found)
    check = _text(found["check"])
    values = found.get("values")
    return Observation(
        check=check,
        target=_text(found["target"]) if "target" in found else check.partition("#")[0],
        at=_time(found["at"]),
        outcome=_OUTCOMES[found.get("outcome", "ok")],
        reason=_REASONS[found.get("reason", "ok")],
        values={key: _number(value) for key, value in values.items()} if values else NOTHING,
        evidence=_text(found.get("evidence", "")),
        duration_seconds=_number(found.get("seconds", 0.0)),
        out_of_turn=bool(found.get("out_of_turn", False)),
    )


def _header(found: Mapping[str, Any]) -> Header:
    if found["recording"] not in READS:
        reads = " and ".join(map(str, READS))
        raise ValueError(f"format {found['recording']!r}, but this version reads {reads}; use the one that wrote it")
    try:
        known = _incidents.validate_python(found.get("known", []), strict=False)
    except ValidationError as error:
        raise ValueError(f"known incidents: {error.errors()[0]['msg']}") from error
    return Header(
        inventory=_text(found["inventory"]), version=_text(found["version"]), at=_time(found["at"]),
        ticks=bool(found.get("ticks", False)), known=known, silences=tuple(map(_silence_of, found.get("silences", ()))),
        untold={_text(incident): Happening(what) for incident, what in found.get("untold", {}).items()},
    )  # fmt: skip


def _acknowledged(found: Mapping[str, Any]) -> Acknowledged:
    at = _time(found["at"])
    by = Acknowledgement(by=_text(found["by"]), at=at, note=_text(found.get("note", ""))) if "by" in found else None
    return Acknowledged(at, _text(found["acknowledged"]), by)


def _silence_of(value: Any) -> Silence:
    try:
        found = _silence.validate_python(value, strict=False)
    except ValidationError as error:
        raise ValueError(f"silence: {error.errors()[0]['msg']}") from error
    return replace(found, begins=_time(value["begins"]), ends=_time(value["ends"]))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.80} is no text")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{value!r:.80} is no number")
    return float(value)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 53:
        raise TypeError(f"{value!r:.80} is no count")
    return value


def _time(value: object) -> datetime:
    at = datetime.fromisoformat(_text(value))
    if at.tzinfo is None or at.year not in YEARS:
        raise ValueError(f"{value!r:.80} is no time with a zone in the years {YEARS.start} to {YEARS.stop - 1}")
    return at.astimezone(UTC)


def _step(value: object) -> timedelta:
    step = timedelta(seconds=_number(value))
    if abs(step) > MAX_STEP:
        raise ValueError(f"{value!r:.80} seconds is further than any clock was ever set")
    return step


_MAKERS: Mapping[str, Callable[[Mapping[str, Any]], Entry]] = {
    "tick": lambda found: Tick(_time(found["tick"]), bool(found.get("silence", True))),
    "left_out": lambda found: LeftOut(_text(found["check"]), _count(found["left_out"])),
    "dropped": lambda found: Dropped(_count(found["dropped"])),
    "recording": _header,
    "clock_set": lambda found: ClockSet(_time(found["at"]), _step(found["clock_set"])),
    "acknowledged": _acknowledged,
    "silenced": lambda found: Silenced(_time(found["at"]), _silence_of(found["silenced"])),
    "unsilenced": lambda found: Unsilenced(_time(found["at"]), _count(found["unsilenced"])),
    "patient": lambda found: Patient(_time(found["patient"])),
}
"""By the key that tells what a line is."""
