"""Checks run in their turns, and none holds up another; with the real APScheduler."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any

import pytest
from apscheduler.job import Job

from monitor import scheduler as scheduler_module
from monitor.core.model import Check, Observation, Outcome, Reason, State
from monitor.scheduler import MAX_SLOTS, SLOT_SECONDS, LoadingRuns, Scheduler, slot_of
from probes.registry import Emit, Kind, Options, Request, Result, Stream, ok

GIVE_UP_SECONDS = 20.0
NO_TURN_SECONDS = 1e9
"""An interval so long that no turn comes while a test runs."""


def kind(
    name: str,
    run: Callable[[Request[Any]], Awaitable[Result]],
    stream: Callable[[Emit], Stream] | None = None,
) -> Kind:
    return Kind(name=name, options=Options, run=run, metrics=(), module=__name__, doc="", stream=stream)


def check(name: str, probe: str = "good", interval: float = 0.05) -> Check:
    return Check(
        id=f"site/{name}#run", target=f"site/{name}", name="run", probe=probe, address=name, options=Options(),
        interval_seconds=interval, timeout_seconds=60, confirm=1, when_failed=State.DOWN,
    )  # fmt: skip


def by_id(checks: Iterable[Check]) -> dict[str, Check]:
    return {each.id: each for each in checks}


def job(made: Scheduler, of: Check) -> Job:
    """The job that starts a check."""
    return made._turns[slot_of(of.id, of.interval_seconds)].job


class Probes:
    """Kinds of probes that misbehave in every way that a plug-in could."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()
        self.running: Counter[str] = Counter()
        self.most_at_once = 0
        self.free = asyncio.Event()
        self.streams: list[Breaking] = []

    def kinds(self) -> dict[str, Kind]:
        found = (kind("good", self._good), kind("hang", self._hang), kind("raise", self._raise))
        return {each.name: each for each in (*found, kind("stream", self._good, self._stream))}

    async def _good(self, request: Request[Any]) -> Result:
        self.begun[request.address] += 1
        request.memory["runs"] = self.begun[request.address]
        return ok()

    async def _hang(self, request: Request[Any]) -> Result:
        self.begun[request.address] += 1
        self.running[request.address] += 1
        self.most_at_once = max(self.most_at_once, self.running.total())
        try:
            await self.free.wait()
        finally:
            await asyncio.sleep(0)  # closing takes a moment
            self.running[request.address] -= 1
        return ok()

    async def _raise(self, request: Request[Any]) -> Result:
        self.begun[request.address] += 1
        raise RuntimeError("a mistake of ours")

    def _stream(self, emit: Emit) -> Stream:
        self.streams.append(Breaking(emit))
        return self.streams[-1]


class Breaking:
    """A stream that breaks off once, then observes each check once."""

    def __init__(self, emit: Emit) -> None:
        self.emit = emit
        self.runs = 0
        self.watched: Mapping[str, tuple[Request[Any], float]] = {}
        self.updates: list[set[str]] = []
        self.asked: list[str] = []

    def update(self, requests: Mapping[str, tuple[Request[Any], float]]) -> None:
        self.watched = requests
        self.updates.append(set(requests))

    def recheck(self, check_id: str) -> None:
        self.asked.append(check_id)

    async def run(self) -> None:
        self.runs += 1
        if self.runs == 1:
            raise RuntimeError("a mistake of ours")
        for each in (*self.watched, "site/gone#run"):
            self.emit(each, ok(), 0.001)
        await asyncio.Event().wait()


@asynccontextmanager
async def scheduling(
    probes: Probes, *checks: Check, observed: Callable[[Observation], None] = lambda _: None, start: bool = True
) -> AsyncIterator[Scheduler]:
    made = Scheduler(probes.kinds(), observed)
    made.adopt(by_id(checks))
    if start:
        made.start()
    try:
        yield made
    finally:
        await made.stop()


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while not holds():
            await asyncio.sleep(0.005)


async def test_a_check_runs_again_and_again_and_each_answer_is_handed_on() -> None:
    probes, seen = Probes(), []
    async with scheduling(probes, check("a"), check("b"), observed=seen.append):
        await until(lambda: probes.begun["a"] >= 3 and probes.begun["b"] >= 3)
    assert {each.check for each in seen} == {"site/a#run", "site/b#run"}
    assert {each.outcome for each in seen} == {Outcome.OK}
    assert len(seen) >= 6


async def test_a_check_that_hangs_does_not_pile_up_and_its_missed_turns_are_counted() -> None:
    probes, seen = Probes(), []
    async with scheduling(probes, check("slow", "hang"), check("a"), observed=seen.append) as made:
        await until(lambda: made.missed >= 4 and probes.begun["a"] >= 4)
        assert (probes.begun["slow"], probes.most_at_once) == (1, 1)
        probes.free.set()
        await until(lambda: probes.begun["slow"] >= 3)
    assert probes.most_at_once == 1
    assert "site/slow#run" in {each.check for each in seen}


async def test_what_loads_a_line_waits_until_nobody_meets_over_it() -> None:
    probes, meeting = Probes(), {"site/heavy", "site/light"}
    heavy = replace(probes.kinds()["good"], name="heavy", loads_the_line=True)
    made = Scheduler(probes.kinds() | {"heavy": heavy}, lambda _: None, meeting.__contains__)
    made.start()
    try:
        made.adopt(by_id([check("heavy", "heavy"), check("light"), check("elsewhere", "heavy")]))
        await until(lambda: made.spared >= 2 and probes.begun["light"] and probes.begun["elsewhere"])
        made.recheck("site/heavy#run", 0)
        before = made.spared
        await until(lambda: made.spared >= before + 2)
        assert not probes.begun["heavy"]
        meeting.clear()
        await until(lambda: probes.begun["heavy"])
    finally:
        await made.stop()


async def test_a_turn_that_comes_while_a_recheck_is_under_way_is_missed() -> None:
    probes = Probes()
    async with scheduling(probes, check("slow", "hang")) as made:
        made.recheck("site/slow#run", 0)
        await until(lambda: made.missed >= 2)
        assert probes.begun["slow"] == 1


async def test_the_first_look_stands_for_the_turn_that_comes_meanwhile_but_not_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scheduler_module, "FIRST_LOOK_SECONDS", 0.01)
    probes, one = Probes(), check("slow", "hang", interval=60)
    async with scheduling(probes, one) as made:
        await until(lambda: probes.begun["slow"])
        await made._start_turn(slot_of(one.id, 60))
        assert made.missed == 0
        await made._start_turn(slot_of(one.id, 60))
        assert made.missed == 1


async def test_a_check_is_under_way_from_the_moment_that_its_turn_came() -> None:
    probes, one = Probes(), check("slow", "hang", interval=15)
    async with scheduling(probes, one) as made:
        for _ in range(2):  # as after a stall: the run of the first has not even begun
            await made._start_turn(slot_of(one.id, 15))
        assert made.missed == 1
        made._again(made._planned[one.id])
        await until(lambda: probes.begun["slow"])
        await asyncio.sleep(0.01)
        assert probes.begun["slow"] == 1


async def test_no_more_runs_than_the_bound_are_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler_module, "MAX_RUNS_AT_ONCE", 3)
    probes = Probes()
    async with scheduling(probes, *(check(f"t{number}", "hang") for number in range(12))) as made:
        await until(lambda: made.missed >= 24)
        assert probes.most_at_once == 3
        assert probes.begun.total() == 3
        made.adopt(by_id([*(each.check for each in made._planned.values()), check("other")]))
        await until(lambda: probes.begun["other"])  # of another kind
        probes.free.set()
        await until(lambda: len(probes.begun) == 13)
    assert probes.most_at_once == 3


async def test_a_probe_that_raises_stops_nothing_and_says_nothing_about_its_target() -> None:
    probes, seen = Probes(), []
    async with scheduling(probes, check("bad", "raise"), check("a"), observed=seen.append) as made:
        await until(lambda: probes.begun["bad"] >= 3 and probes.begun["a"] >= 3)
        assert made.errors == 0
    bad = next(each for each in seen if each.check == "site/bad#run")
    assert (bad.outcome, bad.reason) == (Outcome.INCONCLUSIVE, Reason.LOCAL)
    assert bad.evidence == "RuntimeError: a mistake of ours"


async def test_an_observation_that_cannot_be_judged_is_counted_and_stops_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[str] = []

    def observed(observation: Observation) -> None:
        if observation.target == "site/odd":
            raise KeyError("a mistake of ours")
        seen.append(observation.target)

    probes = Probes()
    async with scheduling(probes, check("odd"), check("a"), observed=observed) as made:
        await until(lambda: probes.begun["odd"] >= 3 and len(seen) >= 3)
        assert made.errors >= 2
    assert "the observation of site/odd#run was lost" in caplog.text


async def test_a_stream_that_raises_is_started_again(caplog: pytest.LogCaptureFixture) -> None:
    probes, seen = Probes(), []
    checks = (check("a", "stream"), check("b", "stream"), check("c"))
    async with scheduling(probes, *checks, observed=seen.append):
        await until(lambda: {each.target for each in seen} == {"site/a", "site/b", "site/c"})
        (stream,) = probes.streams
        assert stream.runs == 2
    assert "stream stream broke off, started again" in caplog.text
    assert probes.begun.keys() == {"c"}, "a kind with a stream is not run one by one"


async def test_a_stream_is_told_its_checks_and_asked_again_by_id() -> None:
    probes = Probes()
    async with scheduling(probes, check("a", "stream"), check("c")) as made:
        made.adopt(by_id([check("a", "stream"), check("b", "stream")]))
        made.recheck("site/b#run")
        made.adopt({})
        (stream,) = probes.streams
        assert stream.updates == [{"site/a#run"}, {"site/a#run", "site/b#run"}, set()]
        assert stream.asked == ["site/b#run"]
        assert made.streams == {"stream": stream}


# -- when ----------------------------------------------------------------------------------------------------------


async def test_starts_are_spread_over_the_interval_and_the_same_after_a_restart() -> None:
    checks = [check(f"t{number}", interval=60) for number in range(600)]
    turns = []
    for _ in range(2):
        before = datetime.now(UTC)
        async with scheduling(Probes(), *checks, start=False) as made:
            after = datetime.now(UTC)
            starts = {each.id: job(made, each).next_run_time for each in checks}
        assert all(before <= at <= after + timedelta(seconds=60) for at in starts.values())
        seconds_of_minute = {id_: at.timestamp() % 60 for id_, at in starts.items()}
        per_ten_seconds = Counter(int(each // 10) for each in seconds_of_minute.values())
        assert all(50 <= per_ten_seconds[each] <= 150 for each in range(6)), per_ten_seconds
        turns.append(seconds_of_minute)
    assert turns[0] == pytest.approx(turns[1], abs=1e-3)


@pytest.mark.parametrize(("interval", "slots"), [(0.01, 1), (1, 20), (60, MAX_SLOTS), (86_400, MAX_SLOTS)])
async def test_checks_of_one_slot_are_one_job(interval: float, slots: int) -> None:
    checks = [check(f"t{number}", interval=interval) for number in range(10_000)]
    async with scheduling(Probes(), *checks, start=False) as made:
        assert len(made._jobs.get_jobs()) == slots
        assert sum(len(turn.checks) for turn in made._turns.values()) == 10_000
        assert max(len(turn.checks) for turn in made._turns.values()) < 10_000 / slots * 3
        gaps = {after - before for before, after in pairwise(sorted(slot.offset_seconds for slot in made._turns))}
        assert all(gap >= SLOT_SECONDS * 0.999 for gap in gaps)


async def test_every_new_check_is_looked_at_soon_whatever_its_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler_module, "FIRST_LOOK_SECONDS", 0.3)
    checks = [check(f"t{number}", interval=NO_TURN_SECONDS) for number in range(200)]
    seen: list[tuple[str, float]] = []
    clock = asyncio.get_running_loop().time
    begin = clock()
    async with scheduling(Probes(), *checks, observed=lambda each: seen.append((each.check, clock() - begin))) as made:
        made.adopt(by_id(checks))
        await until(lambda: len(seen) >= 200)
    assert {id_ for id_, _ in seen} == set(by_id(checks))
    places = {each.id: slot_of(each.id, 0.3).offset_seconds for each in checks}
    assert all(at >= places[id_] - 0.001 for id_, at in seen), "spread, so none before its place"


async def test_what_is_asked_again_does_not_wait_for_the_first_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler_module, "FIRST_LOOK_SECONDS", 3600)
    probes = Probes()
    async with scheduling(probes, check("a", interval=NO_TURN_SECONDS)) as made:
        made.recheck("site/a#run", 0.01)
        await until(lambda: probes.begun["a"])


async def test_the_first_look_leaves_out_what_left_or_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler_module, "FIRST_LOOK_SECONDS", 0.05)
    probes = Probes()
    checks = [
        check("a", interval=NO_TURN_SECONDS),
        check("left", interval=NO_TURN_SECONDS),
        check("slow", "hang", interval=NO_TURN_SECONDS),
    ]
    async with scheduling(probes, *checks) as made:
        made._begin(made._planned["site/slow#run"])
        made.adopt(by_id([checks[0], checks[2]]))
        await until(lambda: not any(task.get_name() == "first look" for task in made._tasks))
        await until(lambda: probes.begun["a"])
        assert probes.begun == {"a": 1, "slow": 1}


async def test_a_start_that_comes_late_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler_module, "LATE_SECONDS", 0.1)
    probes = Probes()
    async with scheduling(probes, check("a", interval=1)) as made:
        await until(lambda: probes.begun["a"] == 1)
        assert made.late == 0
        due = job(made, check("a", interval=1)).next_run_time
        time.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()) + 0.3)  # the loop stands still
        await until(lambda: probes.begun["a"] == 2)
        assert made.late == 1


@pytest.mark.parametrize("hours", [7, -7], ids=["forward", "back"])
async def test_turns_go_on_when_the_clock_was_set(
    hours: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shift = timedelta()

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + shift

    clock = time.time
    monkeypatch.setattr("apscheduler.schedulers.base.datetime", Clock)
    monkeypatch.setattr(scheduler_module, "datetime", Clock)
    monkeypatch.setattr(scheduler_module.time, "time", lambda: clock() + shift.total_seconds())
    monkeypatch.setattr(scheduler_module, "CLOCK_LOOK_SECONDS", 0.3)  # the library has seen the new time before us
    probes = Probes()
    async with scheduling(probes, check("a")):
        await until(lambda: probes.begun["a"])
        shift = timedelta(hours=hours)
        await until(lambda: "the clock was set" in caplog.text)
        before = probes.begun["a"]
        await until(lambda: probes.begun["a"] >= before + 3)


async def test_asking_again_many_times_is_asking_once() -> None:
    probes = Probes()
    async with scheduling(probes, check("a", interval=15)) as made:
        for _ in range(5):
            made.recheck("site/a#run", 0.01)
        made.recheck("site/unknown#run", 0.01)
        await until(lambda: probes.begun["a"])
        await asyncio.sleep(0.05)
        assert probes.begun["a"] == 1
        made.recheck("site/a#run", 0.01)
        await until(lambda: probes.begun["a"] == 2)


async def test_what_is_asked_again_while_it_runs_is_run_once_more_afterwards() -> None:
    probes = Probes()
    async with scheduling(probes, check("slow", "hang", interval=15)) as made:
        made.recheck("site/slow#run", 0)
        await until(lambda: probes.running["slow"])
        made.recheck("site/slow#run", 0)
        made.recheck("site/slow#run", 0)
        assert made._planned["site/slow#run"].again is None
        probes.free.set()
        await until(lambda: not probes.running["slow"])
        await until(lambda: made._planned["site/slow#run"].again)
        assert probes.begun["slow"] == 1


# -- reload and stop -----------------------------------------------------------------------------------------------


async def test_a_check_that_did_not_change_keeps_its_turn_and_its_memory() -> None:
    probes = Probes()
    async with scheduling(probes, check("kept", interval=15), check("changed", interval=15)) as made:
        made.recheck("site/kept#run", 0)
        made.recheck("site/changed#run", 0)
        await until(lambda: len(probes.begun) == 2)
        turn = job(made, check("kept", interval=15))
        before = turn.next_run_time
        made.adopt(by_id([check("kept", interval=15), replace(check("changed", interval=15), timeout_seconds=9)]))
        assert job(made, check("kept", interval=15)) is turn
        assert turn.next_run_time == before
        assert made._planned["site/kept#run"].request.memory == {"runs": 1}
        assert made._planned["site/changed#run"].request.memory == {}
        assert made._planned["site/changed#run"].request.timeout_seconds == 9


async def test_checks_of_one_kind_at_one_address_share_a_memory_until_the_last_of_them_left() -> None:
    requests: list[Request[Any]] = []

    async def note(request: Request[Any]) -> Result:
        requests.append(request)
        return ok()

    kinds = {"note": kind("note", note), "other": kind("other", note)}
    both = [replace(check(name, "note"), address="10.0.0.1") for name in ("a", "b")]
    made = Scheduler(kinds, lambda _: None)
    made.adopt(by_id([*both, replace(check("c", "other"), address="10.0.0.1"), check("d", "note")]))
    made.start()
    await until(lambda: len({id(each) for each in requests}) == 4)
    assert len({id(each.shared) for each in requests}) == 3
    requests.clear()
    made.adopt(by_id([both[0]]))
    assert list(made._shared) == [("note", "10.0.0.1")], "what nobody asks any more is forgotten"
    await made.stop()


async def test_of_kinds_that_load_the_line_few_run_at_once_and_one_at_a_site() -> None:
    probes = Probes()
    kinds = {each.name: replace(each, loads_the_line=each.name == "hang") for each in probes.kinds().values()}
    made = Scheduler(kinds, lambda _: None, loading=LoadingRuns(at_once=2, per_site=1))
    waiting = [replace(check(name, "hang"), id=f"{name}#run", target=f"{name}/room") for name in "abc"]
    second = replace(check("a2", "hang"), id="a/second#run", target="a/second")
    made.adopt(by_id([*waiting, second, check("quick")]))
    made.start()
    await until(lambda: probes.running.total() == 2 and probes.begun["quick"] > 3)
    assert probes.most_at_once == 2
    assert not (probes.running["a"] and probes.running["a2"])
    probes.free.set()
    await until(lambda: all(probes.begun[each] for each in ("a", "a2", "b", "c")))
    assert probes.most_at_once == 2
    await made.stop()


async def test_what_waited_for_its_place_is_left_out_when_a_meeting_has_begun_or_it_has_left_meanwhile() -> None:
    probes, meeting = Probes(), set[str]()
    kinds = {each.name: replace(each, loads_the_line=each.name == "hang") for each in probes.kinds().values()}
    made = Scheduler(kinds, lambda _: None, meeting.__contains__, LoadingRuns(at_once=1))
    one, two, three = (replace(check(name, "hang", 3600), id=f"{name}#run", target=f"{name}/room") for name in "abc")
    made.adopt(by_id([one, two, three]))
    made.start()
    try:
        for each in (one, two, three):
            made.recheck(each.id, 0)
        await until(lambda: all(each.running for each in made._planned.values()))
        meeting.add(two.target)
        made.adopt(by_id([one, two]))
        probes.free.set()
        await until(lambda: not any(each.running for each in made._planned.values()))
        await asyncio.sleep(0)
    finally:
        await made.stop()
    assert probes.begun == {"a": 1}
    assert made.spared == 1


async def test_a_check_that_left_is_not_run_again_and_a_new_one_is() -> None:
    probes = Probes()
    async with scheduling(probes, check("old")) as made:
        await until(lambda: probes.begun["old"])
        made.recheck("site/old#run", 0.01)
        made.adopt(by_id([check("new")]))
        ended = probes.begun["old"]
        await until(lambda: probes.begun["new"] >= 3)
        assert probes.begun["old"] <= ended + 1, "a run that had begun may end"
        assert made._jobs.get_jobs() == [job(made, check("new"))]
        made.adopt({})
        assert made._jobs.get_jobs() == [], "a turn without checks is none"


async def test_after_stop_no_probe_runs_any_more(caplog: pytest.LogCaptureFixture) -> None:
    probes = Probes()
    async with scheduling(probes, check("turn", "hang")) as made:
        await until(lambda: probes.running.total() == 1)
        await made.stop()
        assert probes.running.total() == 0
    assert not caplog.records, "an end in good order is no error"


async def test_after_stop_nothing_that_was_asked_again_runs_any_more() -> None:
    probes = Probes()
    async with scheduling(probes, check("now", "hang", interval=15), check("later", interval=15)) as made:
        made.recheck("site/now#run", 0)
        await until(lambda: probes.running.total() == 1)
        made.recheck("site/later#run", 0)
        await made.stop()
        await asyncio.sleep(0.01)
        assert probes.running.total() == 0
        assert not probes.begun["later"]
