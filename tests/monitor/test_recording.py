"""What is recorded is read again as it was, and whatever is read, a mistake is told with its line."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.meetings import IMMINENT
from monitor.core.model import (
    Acknowledgement,
    Happening,
    Importance,
    IncidentEvent,
    Meeting,
    Observation,
    Outcome,
    Reason,
    Session,
    Severity,
    Silence,
    Threat,
)
from monitor.core.ongoing import RISE
from monitor.recorder import Recorder
from monitor.recording import (
    MAX_LINE,
    YEARS,
    Acknowledged,
    ClockSet,
    Dropped,
    Entry,
    Header,
    LeftOut,
    Patient,
    RecordingError,
    Silenced,
    Tick,
    Unsilenced,
    fingerprint,
    header,
    line_of,
    parse,
    read,
)
from monitor.replay import Replay
from tests.alerts.sample import INCIDENT
from tests.monitor.test_pipeline import BOTH, Line, inventory, service

T0 = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
HEADER = Header(inventory=fingerprint(BOTH), version="1", at=T0, ticks=False, known=(INCIDENT,))

times = st.datetimes(datetime(YEARS.start, 1, 2), datetime(YEARS.stop - 1, 12, 30)).map(  # noqa: DTZ001
    lambda at: at.replace(tzinfo=UTC, fold=0)
)
observations = st.builds(
    Observation, check=st.text(), target=st.text(), at=times, outcome=st.sampled_from(Outcome),
    reason=st.sampled_from(Reason), values=st.dictionaries(st.text(), st.floats(), min_size=1, max_size=3), evidence=st.text(),
    duration_seconds=st.floats(), out_of_turn=st.booleans(),
)  # fmt: skip
entries = st.one_of(
    observations,
    st.builds(Tick, times, st.booleans()),
    st.builds(ClockSet, times, st.timedeltas(timedelta(days=-999), timedelta(days=999))),
    st.builds(Patient, times),
    st.builds(
        lambda at, incident, by, note: Acknowledged(at, incident, by and Acknowledgement(by=by, at=at, note=note)),
        times,
        st.text(),
        st.none() | st.text(min_size=1),
        st.text(),
    ),
    st.builds(
        lambda at, ends, about, said: Silenced(at, Silence(id=7, **about, begins=at, ends=ends, reason=said, by=said)),
        times,
        times,
        st.dictionaries(st.sampled_from(["target", "site", "area", "provider"]), st.text()),
        st.text(),
    ),
    st.builds(Unsilenced, times, st.integers(0, 1 << 50)),
    st.builds(LeftOut, st.text(), st.integers(0, 1 << 50)),
    st.builds(Dropped, st.integers(0, 1 << 50)),
    st.just(HEADER),
)


def see(target: str, second: float, outcome: Outcome = Outcome.OK) -> Observation:
    reason = Reason.OK if outcome is Outcome.OK else Reason.REFUSED
    at = T0 + timedelta(seconds=second)
    return Observation(check=f"{target}#port", target=target, at=at, outcome=outcome, reason=reason, evidence="e")


def written(path: Path, found: Iterable[Entry]) -> Path:
    text = "".join(map(line_of, found))
    if path.name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="ascii")
    return path


@given(entries)
def test_an_entry_is_one_line_and_read_as_it_was(entry: Entry) -> None:
    line = line_of(entry)
    assert line.count("\n") == 1
    found = parse(line.encode())
    assert found == entry or repr(found) == repr(entry), "nan is not equal to itself"


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode(errors="replace"))))
def test_any_line_is_an_entry_or_a_mistake(line: bytes) -> None:
    with suppress(ValueError):
        parse(line)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = (
    "at",
    "check",
    "target",
    "outcome",
    "reason",
    "values",
    "evidence",
    "seconds",
    "tick",
    "left_out",
    "clock_set",
    "patient",
    "acknowledged",
    "by",
    "note",
    "silenced",
    "unsilenced",
    "silences",
    "untold",
    "dropped",
    "recording",
    "known",
    "version",
    "inventory",
)


@given(st.dictionaries(st.sampled_from(KEYS), JSON))
def test_any_json_is_an_entry_or_a_mistake(found: dict[str, object]) -> None:
    with suppress(ValueError):
        parse(json.dumps(found).encode())


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_line_that_a_crash_has_cut_is_left_out_and_the_rest_is_read(name: str, tmp_path: Path) -> None:
    found = [HEADER, *(see("north/portal", second) for second in range(200))]
    path = written(tmp_path / name, found)
    assert list(read(path)) == found
    path.write_bytes(path.read_bytes()[:-30])
    left = list(read(path))
    assert 0 < len(left) < len(found)
    assert left == found[: len(left)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nonsense\n", ":3: not JSON"),
        ("[1]\n", ":3: not a JSON object"),
        ('{"at": "2026-11-24T05:00:00+00:00"}\n', ":3: check is missing"),
        ('{"check": "a", "at": "2026-11-24T05:00:00"}\n', "no time with a zone"),
        ('{"check": "a", "at": "yesterday"}\n', ":3: Invalid isoformat"),
        ('{"check": "a", "at": "2026-11-24T05:00:00+00:00", "outcome": "fine"}\n', ":3: fine is missing or unknown"),
        ('{"check": "a", "at": "2026-11-24T05:00:00+00:00", "values": {"x": "1"}}\n', "'1' is no number"),
        ('{"check": "a", "at": "2026-11-24T05:00:00+00:00", "values": [1]}\n', ":3: not the right kind"),
        (
            '{"acknowledged": "i", "at": "2026-11-24T05:00:00+00:00", "by": 7}\n',
            ":3: not the right kind of value: 7 is no text",
        ),
        ('{"silenced": {}, "at": "2026-11-24T05:00:00+00:00"}\n', ":3: silence: Field required"),
        ('{"unsilenced": -1, "at": "2026-11-24T05:00:00+00:00"}\n', ":3: not the right kind of value: -1 is no count"),
        (line_of(HEADER).replace('"untold":{', '"untold":{"i":"gone"'), ":3: 'gone' is not a valid Happening"),
        ("[" * 100_000 + "\n", ":3: not JSON that anybody"),
        ("x" * (MAX_LINE + 1) + "\n", ":3: longer than"),
        ('{"recording": 1}\n', ":3: format 1, but this version reads 2 and 3"),
        (line_of(HEADER).replace('"known":[', '"known":[3, '), ":3: known incidents"),
    ],
)
def test_a_bad_line_is_told_with_its_number(line: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(line_of(HEADER) + line_of(see("north/portal", 1)) + line + line_of(see("north/portal", 2)))
    with pytest.raises(RecordingError) as caught:
        list(read(path))
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{path}:3:")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ":1: there is nothing"),
        (b'{"tick": "2026-11-24T05:00:00Z"}\n', ":1: the first line must"),
        (b"no", ":1: not JSON"),
    ],
)
def test_a_file_that_is_no_recording_is_told(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=said):
        list(read(path))


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="No such file"):
        list(read(tmp_path / "none"))
    (tmp_path / "a.gz").write_bytes(b"not packed")
    with pytest.raises(RecordingError, match="Not a gzipped file"):
        list(read(tmp_path / "a.gz"))


def test_the_fingerprint_is_of_what_decides() -> None:
    assert fingerprint(BOTH) == fingerprint(inventory(service("south"), service("north")))
    assert fingerprint(BOTH) != fingerprint(inventory(service("north")))
    assert fingerprint(BOTH) != fingerprint(inventory(service("north", confirm=2), service("south")))
    centre = replace(BOTH, sites={id_: replace(each, kind="centre") for id_, each in BOTH.sites.items()})
    assert fingerprint(BOTH) != fingerprint(centre), "communes raise the severity"


# -- replay --------------------------------------------------------------------------------------------------------


def test_without_ticks_in_the_recording_time_passes_by_itself() -> None:
    """A recording by hand: an incident opens, recovers and, hours later, the silence of all checks is noticed."""
    begin = Header(inventory=fingerprint(BOTH), version="1", at=T0, ticks=False)
    replay = Replay(BOTH)
    outage = [see("north/portal", 5 * each, Outcome.FAILED if 4 < each < 20 else Outcome.OK) for each in range(40)]
    told = list(replay.events([begin, *outage]))
    assert [each.what.value for each in told] == ["opened", "recovered"]
    assert told[0].at - T0 < timedelta(seconds=36)
    late = T0 + timedelta(days=300)
    assert list(replay.events([], until=late)) == []
    assert replay._decider is not None
    assert {each.state.value for each in replay._decider.correlator.held.values()} == {"unknown"}
    assert replay.now is not None
    assert late - replay.now <= timedelta(seconds=1)


def test_meetings_are_threatened_at_the_same_times_again_though_no_ticks_are_recorded() -> None:
    begins = T0 + timedelta(hours=3)
    meeting = Meeting(
        id="m", title="M", importance=Importance.HIGH, rooms=("north/portal",),
        sessions=(Session(begins, begins + timedelta(hours=1), "m"),),
    )  # fmt: skip
    normal = {id_: replace(each, severity=Severity.MINOR) for id_, each in BOTH.targets.items()}
    here = replace(BOTH, targets=normal, meetings={"m": meeting})
    begin = Header(inventory=fingerprint(here), version="1", at=T0, ticks=False)
    outage = [see("north/portal", 5 * each, Outcome.FAILED if each > 4 else Outcome.OK) for each in range(20)]

    def told() -> list[IncidentEvent]:
        return list(Replay(here).events([begin, *outage], until=begins))

    opened, changed = told()
    assert [each.meeting for each in opened.incident.meetings] == ["m"]
    assert (opened.incident.severity, changed.incident.severity) == (Severity.MINOR, Severity.MAJOR)
    assert timedelta(0) <= changed.at - (begins - IMMINENT) - RISE < timedelta(seconds=2)
    assert told() == [opened, changed]


def test_a_clock_that_is_set_back_does_not_stop_the_replay() -> None:
    begin = Header(inventory=fingerprint(BOTH), version="1", at=T0, ticks=False)
    back = [see("north/portal", 100 - 3600 + each, Outcome.FAILED) for each in range(30)]
    replay = Replay(BOTH)
    told = list(replay.events([begin, see("north/portal", 100), *back]))
    assert [each.what.value for each in told] == ["opened"]


def test_the_first_line_after_a_storm_can_be_read_again() -> None:
    long = replace(INCIDENT, evidence=("e" * 400,) * 8, impact=tuple(f"xa-{index}/website" for index in range(100)))
    storm = [replace(long, id=str(index), closed=T0) for index in range(1500)]
    line = line_of(header(BOTH, T0, [long, *storm]))
    assert len(line) < MAX_LINE
    found = parse(line.encode())
    assert isinstance(found, Header)
    assert found.known[0] == long
    assert [each.id for each in found.known[1:]] == [each.id for each in storm]


def test_the_first_line_with_ten_meetings_of_a_nation_can_be_read_again() -> None:
    rooms = tuple(f"xa-{index}/vc-endpoint" for index in range(3321))
    named = [
        Threat(meeting=f"m{each}", title="M", importance=Importance.HIGH, begins=T0, ends=T0, rooms=rooms)
        for each in range(10)
    ]
    line = line_of(header(BOTH, T0, [replace(INCIDENT, meetings=tuple(named))]))
    assert len(line) < MAX_LINE
    found = parse(line.encode())
    assert isinstance(found, Header)
    assert [(each.meeting, len(each.rooms)) for each in found.known[0].meetings] == [
        (f"m{each}", 20) for each in range(10)
    ]


def test_an_act_is_decided_again_where_its_incident_is_open_then() -> None:
    hoa = Acknowledgement(by="Hoa", at=T0 + timedelta(seconds=30), note="")
    acts = [Acknowledged(hoa.at, incident, hoa) for incident in (INCIDENT.id, "another")]
    back = Acknowledged(T0 + timedelta(seconds=40), INCIDENT.id, None)
    here = inventory(*BOTH.targets.values(), replace(service("north"), id=INCIDENT.root))
    replay = Replay(here)
    events = list(replay.events([HEADER, see("north/portal", 1), *acts, back]))
    assert [(each.what.value, each.at, each.incident.acknowledged) for each in events] == [
        ("acknowledged", hoa.at, hoa), ("unacknowledged", back.at, None),
    ]  # fmt: skip
    assert replay.now is not None
    assert replay.now >= hoa.at, "time passes until then, though no ticks are recorded"


def test_another_inventory_and_missing_lines_are_noticed() -> None:
    replay = Replay(inventory(service("north")))
    assert (
        list(replay.events([header(BOTH, T0), Dropped(3), see("south/portal", 1), LeftOut("south/portal#port", 3)]))
        == []
    )
    assert (replay.foreign, replay.dropped, replay.observations) == ([T0], 3, 1)


# -- silences ----------------------------------------------------------------------------------------------------------

Mailed = list[tuple[Happening, str, datetime]]


def mailed(told: Iterable[IncidentEvent]) -> Mailed:
    return [(each.what, each.incident.root, each.at) for each in told]


async def play(line: Line, minutes: int, **outcomes: Outcome) -> None:
    """The same answers every few seconds, taken and written as by a running daemon."""
    for second in range(minutes * 60):
        line.now += timedelta(seconds=1)
        for site in ("north", "south") if second % 5 == 0 else ():
            line.see(f"{site}/portal", outcomes.get(site, Outcome.OK))
        line.pipeline._pass_time()
        if line.pipeline._batch:
            await line.pipeline.flush()


async def test_a_replay_tells_what_the_daemon_told_through_silences_and_over_a_restart(tmp_path: Path) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    line = Line(tmp_path / "state.db", recorder=Recorder(first))
    await play(line, 2)
    await line.hush("south", minutes=10)
    await play(line, 5, south=Outcome.FAILED)
    await line.hush("north", minutes=600)
    await play(line, 10, south=Outcome.FAILED, north=Outcome.FAILED)  # the first silence ends, and its incident is told
    line.pipeline.unsilenced(line.pipeline.silences[0])
    await play(line, 5)
    await line.hush("south", minutes=30)
    await play(line, 5, south=Outcome.FAILED)
    assert line.recorder is not None
    line.recorder.close()
    before = [each.event for each in await line.store.mails.told(T0) if each.contact.id == "all"]

    line.recorder = Recorder(second)
    await line.restart()
    await play(line, 40, south=Outcome.FAILED)
    line.recorder.close()
    after = [each.event for each in await line.store.mails.told(T0) if each.contact.id == "all"][len(before) :]
    line.store.close()

    assert [each.what.value for each in before] == ["opened", "opened", "recovered", "recovered"]
    assert [each.what.value for each in after] == ["reopened"], "held back before the restart, told when it is over"
    for path, live, happened in ((first, before, 5), (second, after, 0)):
        replay = Replay(BOTH)
        assert len(list(replay.events(read(path)))) == happened
        assert mailed(replay.told) == mailed(live)


def test_a_recording_of_the_format_before_is_still_read() -> None:
    old = json.loads(line_of(header(BOTH, T0)))
    del old["silences"], old["untold"]
    assert parse(json.dumps(old | {"recording": 2}).encode()) == header(BOTH, T0)
