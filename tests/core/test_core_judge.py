"""From observations to the state of each target by its own checks alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.judge import NEXT, STALE_INTERVALS, CheckState, Input, Judge, Standing, wilson_lower
from monitor.core.model import Check, Counts, Limit, Observation, Outcome, Reason, State, StateChange

T0 = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
OUTCOMES = {".": Outcome.OK, "x": Outcome.FAILED, "h": Outcome.FAILED, "?": Outcome.INCONCLUSIVE}
REASONS = {".": Reason.OK, "x": Reason.TIMEOUT, "h": Reason.UNREACHABLE, "?": Reason.LOCAL}
LOSS = Limit(value="loss_ratio", above=0.05, clear=0.02, says="loss")
DELAY = Limit(value="rtt", above=0.15, clear=0.1, says="delay")
USUAL = Limit(value="rtt", above_usual=3.0, at_least=0.02, clear=2.4, says="delay")
DAYS = Limit(value="days", below=14.0, clear=15.0, says="certificate-ends", confirm=2)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def check(name: str = "echo", **changes: object) -> Check:
    fields: dict[str, object] = {
        "id": f"a/line#{name}",
        "target": "a/line",
        "name": name,
        "probe": "icmp",
        "address": "10.65.1.2",
        "options": None,
        "interval_seconds": 1.0,
        "timeout_seconds": 1.0,
        "confirm": 3,
        "when_failed": State.DOWN,
    }
    return Check(**(fields | changes))  # type: ignore[arg-type]


class Bench:
    """A judge with a clock that counts the seconds of its runs."""

    def __init__(self, *checks: Check) -> None:
        self.judge = Judge()
        self.judge.adopt({each.id: each for each in checks}, T0)
        self.changes: list[StateChange] = []
        self.again = False
        self.second = 0.0

    def run(
        self, outcomes: str, name: str = "echo", *, every: float = 1.0, out_of_turn: bool = False, lasts: float = 0.0,
        **values: float,
    ):  # fmt: skip
        """One observation for each sign: `.` well, `x` silent, `h` a hop refuses, `?` inconclusive."""
        return self.measured(outcomes, name, values, every=every, out_of_turn=out_of_turn, lasts=lasts)

    def measured(
        self, outcomes: str, name: str, values: dict[str, float], *, every: float = 1.0, out_of_turn=False, lasts=0.0
    ):
        made = []
        for sign in outcomes:
            self.second += every
            change, self.again = self.judge.observe(
                Observation(
                    check=f"a/line#{name}",
                    target="a/line",
                    at=at(self.second),
                    outcome=OUTCOMES[sign],
                    reason=REASONS[sign],
                    values=values if sign == "." else {},
                    evidence=f"run {self.second:g}: {sign}",
                    out_of_turn=out_of_turn,
                    duration_seconds=lasts,
                )
            )
            made += [change] if change else []
        self.changes += made
        return made

    def state(self, name: str = "echo") -> CheckState:
        return self.judge.checks[f"a/line#{name}"]

    @property
    def news(self) -> list[tuple[State, State]]:
        return [(each.old, each.new) for each in self.changes]


# -- the table -------------------------------------------------------------------------------------------------------


def standing(where: Standing, confirm: int = 3) -> CheckState:
    return CheckState(check(confirm=confirm), T0, standing=where)


@pytest.mark.parametrize(("row", "goal"), [pytest.param(*each, id="-".join(each[0])) for each in NEXT.items()])
def test_each_row_of_the_table_moves_after_its_run_of_equal_inputs_and_not_before(
    row: tuple[Standing, Input], goal: tuple[Standing, int]
) -> None:
    state = standing(row[0])
    needed = goal[1] or 3
    assert [state.move(row[1], at(second)) for second in range(needed)] == [False] * (needed - 1) + [True]
    assert state.standing is goal[0]
    assert state.since == at(0), "it began with the first of the run, not with the last"


@pytest.mark.parametrize("pair", [each for each in product(Standing, Input) if each not in NEXT], ids="-".join)
def test_a_pair_that_is_not_in_the_table_changes_nothing(pair: tuple[Standing, Input]) -> None:
    state = standing(pair[0])
    assert not any(state.move(pair[1], at(second)) for second in range(20))
    assert state.standing is pair[0]


@given(st.lists(st.sampled_from(Input), max_size=60), st.integers(1, 5))
def test_a_check_never_moves_otherwise_than_the_table_says(inputs: list[Input], confirm: int) -> None:
    state = standing(Standing.UNKNOWN, confirm)
    for second, each in enumerate(inputs):
        before = state.standing
        moved = state.move(each, at(second))
        assert moved is (state.standing is not before)
        if moved:
            to, needed = NEXT[before, each]
            assert state.standing is to
            assert set(inputs[second + 1 - (needed or confirm) : second + 1]) == {each}


# -- confirmation ----------------------------------------------------------------------------------------------------


def test_the_first_good_run_makes_a_target_up() -> None:
    bench = Bench(check())
    (change,) = bench.run(".")
    assert (change.old, change.new, change.since, change.at) == (State.UNKNOWN, State.UP, at(1), at(1))


def test_a_failure_counts_only_after_a_run_of_failures_and_since_the_first_of_them() -> None:
    bench = Bench(check())
    bench.run(".xx.xx.")
    assert bench.news == [(State.UNKNOWN, State.UP)]
    (change,) = bench.run("xxx")
    assert (change.old, change.new) == (State.UP, State.DOWN)
    assert (change.since, change.at) == (at(8), at(10))
    assert (change.reason, change.evidence, change.check) == (Reason.TIMEOUT, "run 10: x", "a/line#echo")


def test_an_outage_ends_with_the_first_of_a_run_of_good_answers() -> None:
    bench = Bench(check())
    bench.run(".xxx")
    assert bench.run("..x..") == []
    (change,) = bench.run(".")
    assert (change.old, change.new, change.reason) == (State.DOWN, State.UP, Reason.OK)
    assert (change.since, change.at) == (at(8), at(10))


def test_one_run_is_enough_where_the_check_asks_for_one() -> None:
    bench = Bench(check(confirm=1))
    bench.run(".x.x")
    assert [each.new for each in bench.changes] == [State.UP, State.DOWN, State.UP, State.DOWN]


def test_a_check_that_wavers_is_asked_again_at_once_until_it_is_sure() -> None:
    bench = Bench(check())
    asked = []
    for sign in ".x.xxxx..":
        bench.run(sign)
        asked.append(bench.again)
    assert asked == [False, True, False, True, True, False, False, True, True]


def test_a_failed_check_makes_its_target_what_its_profile_says() -> None:
    bench = Bench(check(when_failed=State.DEGRADED))
    bench.run(".xxx")
    assert bench.changes[-1].new is State.DEGRADED


def test_a_reason_that_turns_while_the_target_is_down_is_told_with_the_old_beginning() -> None:
    bench = Bench(check())
    bench.run(".xxx")
    change, _ = bench.judge.observe(
        Observation(
            check="a/line#echo", target="a/line", at=at(5), outcome=Outcome.FAILED, reason=Reason.UNREACHABLE
        )
    )  # fmt: skip
    assert change is not None
    assert (change.old, change.new, change.reason) == (State.DOWN, State.DOWN, Reason.UNREACHABLE)
    assert change.since == at(2)


@pytest.mark.parametrize("outcomes", ["hxxxxxx", "xhxxxxx", "xxxxxhx", "hxxhx?x"])
def test_silence_does_not_take_back_what_a_hop_has_said(outcomes: str) -> None:
    bench = Bench(check())
    bench.run("." + outcomes)
    assert (bench.state().standing, bench.state().reason) == (Standing.FAILED, Reason.UNREACHABLE)
    assert bench.state().evidence.endswith(": h")


@pytest.mark.parametrize("outcomes", ["h.xxx", "hhh...xxx", "h?xxx"])
def test_the_next_outage_is_not_explained_by_the_last(outcomes: str) -> None:
    bench = Bench(check())
    bench.run("." + outcomes)
    assert bench.state().reason is Reason.TIMEOUT


def test_an_observation_of_an_unknown_check_is_ignored() -> None:
    bench = Bench(check())
    assert bench.run(".", name="gone") == []
    assert list(bench.judge.checks) == ["a/line#echo"]


# -- inconclusive and silent -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [".", ".xxx"])
def test_a_run_of_inconclusive_answers_makes_a_target_unknown(before: str) -> None:
    bench = Bench(check())
    bench.run(before)
    assert bench.run("??") == []
    (change,) = bench.run("?")
    assert (change.new, change.reason) == (State.UNKNOWN, Reason.LOCAL)
    assert change.since == at(len(before) + 1)


def test_an_inconclusive_run_does_not_change_why_a_target_is_down() -> None:
    bench = Bench(check())
    bench.run(".xxx")
    assert bench.run("?") == []
    assert bench.state().reason is Reason.TIMEOUT


def test_a_check_that_was_never_sure_stays_unknown_over_inconclusive_answers() -> None:
    bench = Bench(check())
    assert bench.run("??????") == []


def test_a_check_that_is_silent_for_three_intervals_and_a_timeout_is_stale() -> None:
    bench = Bench(check(interval_seconds=10.0, timeout_seconds=2.0))
    bench.run(".")
    assert STALE_INTERVALS == 3
    assert bench.judge.expire(at(1 + 32)) == []
    (change,) = bench.judge.expire(at(1 + 33))
    assert (change.old, change.new, change.reason) == (State.UP, State.UNKNOWN, Reason.STALE)
    assert change.evidence == "not observed since 05:00:01 UTC"
    assert bench.judge.expire(at(60)) == [], "it is said once"


def test_a_stale_check_is_well_with_the_next_good_run_and_failed_only_after_confirmation() -> None:
    bench = Bench(check())
    bench.run(".")
    bench.judge.expire(at(100))
    bench.second = 100
    assert [each.new for each in bench.run(".")] == [State.UP]
    bench.judge.expire(at(200))
    bench.second = 200
    assert bench.run("xx") == []
    assert [each.new for each in bench.run("x")] == [State.DOWN]


def test_a_silence_interrupts_a_run_of_failures() -> None:
    bench = Bench(check())
    bench.run(".xx")
    bench.judge.expire(at(50))
    bench.second = 50
    assert bench.run("x") == []


def test_a_target_is_not_unknown_while_one_of_its_checks_is_heard() -> None:
    bench = Bench(check(), check("snmp", interval_seconds=60.0))
    bench.run(".")
    bench.run(".", "snmp")
    assert bench.judge.expire(at(30)) == []
    assert bench.state().standing is Standing.UNKNOWN
    assert bench.state("snmp").standing is Standing.WELL


@pytest.mark.parametrize(("outcomes", "again"), [(".?", True), (".??", True), (".???", True), (".????", False)])
def test_what_has_just_become_unknown_is_asked_again_at_once_but_not_for_ever(outcomes: str, again: bool) -> None:
    bench = Bench(check())
    bench.run(outcomes)
    assert bench.again is again


def test_while_we_ourselves_were_away_nobody_was_silent() -> None:
    bench = Bench(check())
    bench.run(".")
    bench.judge.be_patient(at(1000))
    assert bench.judge.expire(at(1004)) == []
    assert len(bench.judge.expire(at(1005))) == 1


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_is_set_moves_what_is_remembered_and_makes_nobody_silent(hours: int) -> None:
    def history(step: float) -> list[StateChange]:
        bench = Bench(check("echo", limits=(DELAY,)))
        bench.run("..", rtt=0.2)
        bench.run("xx")
        if step:
            bench.judge.clock_set(timedelta(seconds=step), at(bench.second + step))
            bench.second += step
        assert bench.judge.expire(at(bench.second)) == []
        bench.run("x...", rtt=0.2)
        return bench.changes

    step = timedelta(hours=hours)
    plain = [replace(each, since=each.since + step, at=each.at + step) for each in history(0)[1:]]
    made = history(step.total_seconds())[1:]
    assert [(each.new, each.since, each.at) for each in made] == [(each.new, each.since, each.at) for each in plain]
    assert [each.new for each in made] == [State.DOWN, State.DEGRADED]


# -- limits ----------------------------------------------------------------------------------------------------------


def test_a_limit_breaks_after_a_run_beyond_it_and_since_the_first_of_them() -> None:
    bench = Bench(check(limits=(DELAY,)))
    bench.run("..", rtt=0.02)
    bench.run("..", rtt=0.2)
    bench.run(".", rtt=0.02)
    bench.run("..", rtt=0.2)
    assert bench.news == [(State.UNKNOWN, State.UP)]
    (change,) = bench.run(".", rtt=0.25)
    assert (change.old, change.new, change.reason, change.says) == (State.UP, State.DEGRADED, Reason.LIMIT, "delay")
    assert (change.since, change.at) == (at(6), at(8))
    assert change.evidence == "rtt 0.25, above 0.15; run 8: ."


@pytest.mark.parametrize("counts", [Counts.MEETINGS, Counts.BEFORE_MEETINGS])
def test_a_limit_that_counts_for_meetings_changes_no_state_and_is_remarked_while_the_check_is_well(
    counts: Counts,
) -> None:
    camera = Limit(value="faults", above=0, clear=0, says="no-camera", counts=counts)
    bench = Bench(check(limits=(camera,)))
    assert bench.run("...", faults=1) == [bench.changes[0]]
    assert bench.news == [(State.UNKNOWN, State.UP)]

    def remarks(meeting: bool) -> list[str]:
        return list(bench.judge.remarks("a/line", meeting=meeting))

    assert remarks(meeting=False) == ["no-camera"]
    assert remarks(meeting=True) == (["no-camera"] if counts is Counts.MEETINGS else [])
    bench.run("xxx")
    assert remarks(meeting=False) == []
    bench.run("...", faults=0)
    assert remarks(meeting=False) == []
    assert bench.news[-1] == (State.DOWN, State.UP)


def test_a_broken_upper_limit_clears_only_below_its_clearance_and_since_the_first_run_there() -> None:
    bench = Bench(check(limits=(DELAY,)))
    bench.run("...", rtt=0.2)
    assert bench.run("......", rtt=0.12) == [], "within the limit, but not clear of it"
    bench.run("..", rtt=0.05)
    (change,) = bench.run(".", rtt=0.1)
    assert (change.old, change.new) == (State.DEGRADED, State.UP)
    assert (change.since, change.at) == (at(10), at(12))


def test_a_lower_limit_has_its_hysteresis_the_other_way_round() -> None:
    bench = Bench(check(limits=(DAYS,)))
    bench.run("...", days=14.0)
    assert bench.news == [(State.UNKNOWN, State.UP)], "at the bound is within it"
    (change,) = bench.run("..", days=13.9)
    assert (change.new, change.evidence) == (State.DEGRADED, "days 13.9, below 14; run 5: .")
    assert bench.run("...", days=14.9) == []
    (change,) = bench.run("..", days=15.0)
    assert (change.new, change.since) == (State.UP, at(9))


def test_a_value_within_its_limit_but_not_clear_of_it_does_not_break_it() -> None:
    bench = Bench(check(limits=(DELAY,)))
    bench.run("." * 10, rtt=0.12)
    assert bench.news == [(State.UNKNOWN, State.UP)]


@pytest.mark.parametrize(("confirm", "needed"), [(0, 3), (1, 1), (5, 5)])
def test_a_limit_confirms_by_itself_or_as_its_check(confirm: int, needed: int) -> None:
    bench = Bench(check(limits=(Limit(value="rtt", above=0.15, clear=0.1, confirm=confirm),)))
    bench.run("." * (needed - 1), rtt=0.2)
    assert State.DEGRADED not in [each.new for each in bench.changes]
    bench.run(".", rtt=0.2)
    assert bench.changes[-1].new is State.DEGRADED
    bench.run("." * (needed - 1), rtt=0.02)
    assert bench.changes[-1].new is State.DEGRADED
    bench.run(".", rtt=0.02)
    assert bench.changes[-1].new is State.UP


@given(st.lists(st.floats(0.1, 0.15), max_size=40), st.booleans())
def test_what_moves_only_between_clearance_and_bound_never_turns_a_limit(values: list[float], broken: bool) -> None:
    bench = Bench(check(confirm=1, limits=(DELAY,)))
    bench.run(".", rtt=0.2 if broken else 0.05)
    bench.changes.clear()
    for value in values:
        bench.run(".", rtt=max(value, 0.1001) if broken else value)
    assert bench.changes == []


def test_one_of_several_ports_beyond_the_limit_breaks_it_and_all_must_clear_it() -> None:
    down = Limit(value="port_down", above=0, clear=0, confirm=2, says="port-down")
    bench = Bench(check("snmp", limits=(down,)))
    for first, second in ((0.0, 1.0), (1.0, 0.0)):  # whichever comes first in the answer
        ports = {'port_down{ifName="wan1"}': first, 'port_down{ifName="lan1"}': second}
        assert State.DEGRADED not in [each.new for each in bench.measured(".", "snmp", ports)]
        (change,) = bench.measured(".", "snmp", ports)
        assert (change.new, change.says) == (State.DEGRADED, "port-down")
        assert ("wan1" if first else "lan1") in change.evidence  # which one, for the person who goes there
        assert bench.measured("....", "snmp", ports) == []
        well = dict.fromkeys(ports, 0.0)
        (change,) = bench.measured("..", "snmp", well)
        assert change.new is State.UP


def test_two_ports_beyond_the_limit_in_one_run_are_one_run() -> None:
    down = Limit(value="port_down", above=0, clear=0, confirm=2)
    bench = Bench(check("snmp", limits=(down,)))
    both = {'port_down{ifName="wan1"}': 1.0, 'port_down{ifName="lan1"}': 1.0}
    assert [each.new for each in bench.measured(".", "snmp", both)] == [State.UP]


def test_the_lowest_of_several_values_is_held_against_a_lower_limit() -> None:
    bench = Bench(check("tls", limits=(DAYS,)))
    bench.measured("..", "tls", {'days{name="a"}': 90.0, 'days{name="b"}': 3.0, 'days{name="c"}': 40.0})
    assert bench.changes[-1].new is State.DEGRADED


def test_a_run_that_takes_long_is_held_against_the_limit_on_its_duration() -> None:
    slow = Limit(value="probe_duration_seconds", above=3.0, clear=2.0, says="slow")
    bench = Bench(check(limits=(slow,)))
    bench.run(".")
    bench.run("...", lasts=4.0)
    assert bench.news[-1] == (State.UP, State.DEGRADED)
    assert (bench.changes[-1].says, bench.changes[-1].reason) == ("slow", Reason.LIMIT)
    assert bench.changes[-1].evidence.startswith("probe_duration_seconds 4, above 3")
    bench.run("...", lasts=2.5)
    assert bench.state().limits[0].broken, "not clear of it yet"
    bench.run("...", lasts=1.0)
    assert bench.news[-1] == (State.DEGRADED, State.UP)


@pytest.mark.parametrize(("interval", "again"), [(60.0, True), (1.0, False)])
def test_a_slow_check_is_asked_again_at_once_until_a_limit_is_sure(interval: float, again: bool) -> None:
    bench = Bench(check(limits=(DELAY,), interval_seconds=interval))
    bench.run(".", rtt=0.01)
    for rtt in (0.5, 0.01):  # over the limit, and back
        for wanted in (again, again, False):
            bench.run(".", rtt=rtt)
            assert bench.again is wanted
    bench.run(".", rtt=0.5)
    bench.run(".")  # a rate that a second look cannot give yet
    assert not bench.again


def test_a_limit_on_another_measurement_is_not_touched() -> None:
    bench = Bench(check(limits=(DELAY,)))
    bench.run("....", rtt_max=9.0)
    assert bench.news == [(State.UNKNOWN, State.UP)]


def test_when_one_limit_takes_the_place_of_another_the_state_keeps_its_beginning() -> None:
    slow = Limit(value="page", above=3.0, clear=2.0, says="slow", confirm=1)
    bench = Bench(check(limits=(Limit(value="rtt", above=0.15, clear=0.1, says="delay", confirm=1), slow)))
    bench.run(".", rtt=0.01, page=0.5)
    bench.run(".", rtt=0.3, page=0.5)
    (change,) = bench.run(".", rtt=0.01, page=9.0)
    assert (change.old, change.new, change.says) == (State.DEGRADED, State.DEGRADED, "slow")
    assert change.since == at(2)


def test_a_slow_line_that_comes_back_from_an_outage_is_degraded_since_the_end_of_the_outage() -> None:
    bench = Bench(check(limits=(DELAY,)))
    bench.run("...", rtt=0.3)
    bench.run("xxx")
    (change,) = bench.run("...", rtt=0.3)
    assert (change.old, change.new, change.since) == (State.DOWN, State.DEGRADED, at(7))


# -- loss ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failed", "runs", "z", "lower"),
    [
        (0, 0, 1.6449, 0.0),
        (0, 60, 1.6449, 0.0),
        # 95 % two-sided intervals as printed in A. Agresti, B. A. Coull, Am. Stat. 52 (1998) and usual tables.
        (1, 10, 1.96, 0.0179),
        (5, 10, 1.96, 0.2366),
        (10, 10, 1.96, 0.7225),
        (81, 263, 1.96, 0.2553),
    ],
)
def test_the_lower_bound_has_its_known_values(failed: int, runs: int, z: float, lower: float) -> None:
    assert wilson_lower(failed, runs, z) == pytest.approx(lower, abs=6e-5)


def test_the_lower_bound_solves_the_equation_that_defines_it() -> None:
    for failed, runs in ((1, 60), (7, 60), (12, 24), (60, 60)):
        bound = wilson_lower(failed, runs)
        assert failed / runs - bound == pytest.approx(1.6449 * (bound * (1 - bound) / runs) ** 0.5)


runs_and_failed = st.integers(1, 4000).flatmap(lambda runs: st.tuples(st.integers(0, runs), st.just(runs)))


@given(runs_and_failed)
def test_the_lower_bound_lies_between_nothing_and_what_was_observed(pair: tuple[int, int]) -> None:
    failed, runs = pair
    assert 0.0 <= wilson_lower(failed, runs) <= failed / runs + 1e-12


@given(runs_and_failed)
def test_the_lower_bound_grows_with_each_failure(pair: tuple[int, int]) -> None:
    failed, runs = pair
    if failed < runs:
        assert wilson_lower(failed, runs) < wilson_lower(failed + 1, runs)


@given(runs_and_failed, st.integers(2, 20))
def test_the_lower_bound_of_the_same_ratio_grows_with_the_window(pair: tuple[int, int], times: int) -> None:
    failed, runs = pair
    assert wilson_lower(failed, runs) <= wilson_lower(failed * times, runs * times) + 1e-12


@pytest.mark.parametrize("outcomes", [".x......", ".xxx...x......"], ids=["after start", "after an outage"])
def test_one_lost_echo_in_a_short_window_is_not_loss(outcomes: str) -> None:
    bench = Bench(check(window=60, limits=(LOSS,)))
    bench.run(outcomes)
    assert State.DEGRADED not in [each.new for each in bench.changes]
    assert bench.state().lost.bit_count() == 1


@pytest.mark.parametrize(
    "outcomes", ["." * 6 + "x....x", "x......." * 3 + "." * 9, "x........" * 5 + "...."], ids=["2/12", "3/33", "5/49"]
)
def test_in_a_young_window_it_takes_as_many_losses_as_in_a_full_one(outcomes: str) -> None:
    bench = Bench(check(window=60, limits=(LOSS,)))
    bench.run("." + outcomes)
    assert bench.news == [(State.UNKNOWN, State.UP)]
    bench.run("x....." * 5)
    assert bench.changes[-1].says == "loss"


def test_a_burst_is_no_lossy_line_however_much_it_loses() -> None:
    bench = Bench(check(confirm=9, window=60, limits=(LOSS,)))
    bench.run("." * 60 + "xx." * 9 + "." * 60)
    assert bench.news == [(State.UNKNOWN, State.UP)]
    bench.run("xx." * 11)
    assert bench.changes[-1].says == "loss"


def test_one_lost_in_five_is_loss_and_it_clears_with_the_window() -> None:
    bench = Bench(check(confirm=6, window=60, limits=(LOSS,)))
    bench.run("." * 60)
    bench.run("x....." * 10)
    change = bench.changes[-1]
    assert (change.new, change.says, change.since) == (State.DEGRADED, "loss", change.at)
    assert change.evidence.startswith("loss_ratio 0.1")
    assert bench.run("." * 48) == [], "two of sixty are not yet clear of it"
    (change,) = bench.run(".")
    assert (change.new, change.since) == (State.UP, change.at)
    assert bench.state().loss_ratio == pytest.approx(1 / 60)


def test_the_window_forgets_what_is_older_than_its_length() -> None:
    bench = Bench(check(confirm=6, window=10))
    bench.run("xxx" + "." * 7)
    assert (bench.state().loss_ratio, bench.state().runs) == (0.3, 10)
    bench.run("..")
    assert (bench.state().loss_ratio, bench.state().runs) == (0.1, 10)


def test_without_a_window_no_loss_is_kept() -> None:
    bench = Bench(check())
    bench.run("..x.")
    assert bench.state().loss_ratio is None


def test_an_inconclusive_run_is_not_in_the_window() -> None:
    bench = Bench(check(window=10))
    bench.run(".x??.")
    assert (bench.state().loss_ratio, bench.state().runs) == (1 / 3, 3)


def test_what_was_asked_out_of_turn_counts_for_standing_but_not_for_loss() -> None:
    bench = Bench(check(confirm=4, window=10, limits=(LOSS,)))
    bench.run(".........x")
    (change,) = bench.run("xxx", out_of_turn=True)
    assert (change.new, change.since) == (State.DOWN, at(10))
    assert (bench.state().loss_ratio, bench.state().runs) == (0.1, 10)


def test_answers_out_of_turn_do_not_thin_the_loss() -> None:
    bench = Bench(check(confirm=6, window=10))
    bench.run("x.")
    bench.run("....", out_of_turn=True)
    assert bench.state().loss_ratio == 0.5


@given(st.text(".x?", max_size=80), st.integers(1, 30))
def test_the_window_never_holds_more_than_its_length_and_its_ratio_is_one(outcomes: str, window: int) -> None:
    bench = Bench(check(window=window, limits=(LOSS,)))
    for sign in outcomes:
        bench.run(sign)
        state = bench.state()
        assert state.runs <= window
        assert state.loss_ratio is None or 0.0 <= state.loss_ratio <= 1.0


def test_an_outage_that_is_over_is_not_loss() -> None:
    bench = Bench(check(window=60, limits=(LOSS,)))
    bench.run("." * 60 + "x" * 30 + "...")
    assert bench.news == [(State.UNKNOWN, State.UP), (State.UP, State.DOWN), (State.DOWN, State.UP)]
    assert bench.changes[-1].since == at(91), "the first good answer ends it, whatever the window still holds"
    bench.run("." * 60)
    assert len(bench.changes) == 3


def test_a_line_that_was_lossy_before_its_outage_starts_anew_after_it() -> None:
    bench = Bench(check(window=60, limits=(LOSS,)))
    bench.run("." * 30 + "x.." * 11)
    assert bench.changes[-1].new is State.DEGRADED
    bench.run("xxx")
    (change,) = bench.run("...")
    assert (change.old, change.new, change.since) == (State.DOWN, State.UP, at(67))


def test_while_nothing_answers_the_question_is_whether_it_is_down_and_not_loss() -> None:
    bench = Bench(check(confirm=10, window=60, limits=(LOSS,)))
    bench.run("." * 20 + "x" * 9)
    assert bench.news == [(State.UNKNOWN, State.UP)]
    (change,) = bench.run("x")
    assert change.new is State.DOWN


# -- several checks of a target --------------------------------------------------------------------------------------


def test_the_worst_check_is_the_state_of_the_target() -> None:
    bench = Bench(check(confirm=1), check("snmp", confirm=1, when_failed=State.DEGRADED))
    bench.run(".")
    bench.run(".", "snmp")
    bench.run("x", "snmp")
    bench.run("x")
    bench.run(".", "snmp")
    assert bench.news == [
        (State.UNKNOWN, State.UP),
        (State.UP, State.DEGRADED),
        (State.DEGRADED, State.DOWN),
    ]
    assert bench.changes[-1].check == "a/line#echo"
    bench.run("x", "snmp")
    (change,) = bench.run(".")
    assert (change.old, change.new, change.check) == (State.DOWN, State.DEGRADED, "a/line#snmp")


def test_a_target_is_up_since_the_check_that_was_bad_turned_well() -> None:
    bench = Bench(check(), check("snmp", confirm=1))
    bench.run(".")
    bench.run(".x", "snmp", every=10.0)
    (change,) = bench.run(".", "snmp", every=100.0)
    assert (change.old, change.new, change.since) == (State.DOWN, State.UP, at(121))


def test_a_target_is_degraded_since_it_is_no_longer_down() -> None:
    bench = Bench(check(confirm=1), check("snmp", confirm=1, when_failed=State.DEGRADED))
    bench.run(".")
    bench.run("x", "snmp")
    bench.run("x", every=50.0)
    (change,) = bench.run(".", every=50.0)
    assert (change.old, change.new, change.since) == (State.DOWN, State.DEGRADED, at(102))


# -- limits that follow what is usual -----------------------------------------------------------------------------------


def followed(limit: Limit = USUAL, *others: Limit, seconds: int = 3700, rtt: float = 0.01, **changes: object) -> Bench:
    """A line that was seen for a good hour."""
    bench = Bench(check(limits=(*others, limit), **changes))
    bench.run("." * (seconds // 10), every=10, rtt=rtt)
    return bench


def test_without_an_hour_of_history_nothing_is_unusual() -> None:
    bench = followed(seconds=3500)
    assert bench.run("." * 10, rtt=5.0) == []


def test_a_line_that_is_slower_than_usual_is_degraded_and_says_what_is_usual() -> None:
    (change,) = followed().run("...", every=30, rtt=0.062)
    assert (change.new, change.reason, change.says, change.since) == (State.DEGRADED, Reason.LIMIT, "delay", at(3730))
    assert change.evidence.startswith("rtt 0.062, usual at this hour 0.01; ")


@pytest.mark.parametrize(("rtt", "made"), [(0.029, 0), (0.031, 1)])
def test_the_bound_is_a_multiple_of_what_is_usual(rtt: float, made: int) -> None:
    assert len(followed().run("...", every=30, rtt=rtt)) == made


@pytest.mark.parametrize(("seconds", "made"), [(60, 0), (61, 1)])
def test_what_lasts_less_than_a_minute_is_not_unusual_and_what_is_over_for_less_is_not_over(
    seconds: int, made: int
) -> None:
    bench = followed()
    assert len(bench.run("." * seconds, rtt=0.062)) == made
    bench.run("." * 61, rtt=0.062)
    assert len(bench.run("." * seconds, rtt=0.01)) == made


def test_a_clock_that_is_set_back_does_not_stop_the_minute() -> None:
    bench = followed()
    bench.run("." * 30, rtt=0.062)
    bench.second -= 3600
    assert len(bench.run("." * 62, rtt=0.062)) == 1


def test_a_slow_service_is_not_asked_again_and_again_until_the_minute_is_over() -> None:
    bench = followed(interval_seconds=10.0)
    again = []
    for _ in range(8):
        bench.run(".", every=10, rtt=0.062)
        again.append(bench.again)
    assert again == [True, True, False, False, False, False, False, False]


@pytest.mark.parametrize(("rtt", "made"), [(0.0199, 0), (0.0201, 1)])
def test_below_its_least_nothing_is_unusual(rtt: float, made: int) -> None:
    assert len(followed(rtt=0.001).run("...", every=30, rtt=rtt)) == made


@pytest.mark.parametrize(("rtt", "made"), [(0.0245, 0), (0.0235, 1)])
def test_it_clears_with_hysteresis_as_a_fixed_limit(rtt: float, made: int) -> None:
    bench = followed()
    bench.run("...", every=30, rtt=0.062)
    assert len(bench.run("...", every=30, rtt=rtt)) == made


def test_a_fixed_limit_beside_it_speaks_first_and_the_state_goes_on() -> None:
    bench = followed(USUAL, DELAY)
    (change,) = bench.run("......", every=30, rtt=0.2)
    assert "above 0.15" in change.evidence
    assert bench.run("......", every=30, rtt=0.08) == [], "still three times what is usual"
    (change,) = bench.run("......", every=30, rtt=0.01)
    assert change.new is State.UP


@pytest.mark.parametrize("name", ["probe_icmp_jitter_seconds", 'page{phase="transfer"}'])
def test_any_measurement_may_be_followed_with_its_labels(name: str) -> None:
    bench = Bench(check(limits=(Limit(value=name.partition("{")[0], above_usual=4, at_least=0.001, clear=3.2),)))
    bench.measured("." * 70, "echo", {name: 0.002}, every=60)
    (change,) = bench.measured("...", "echo", {name: 0.009}, every=30)
    assert f"{name} 0.009, usual at this hour 0.002" in change.evidence


def test_the_duration_of_a_run_may_be_followed() -> None:
    slow = Limit(value="probe_duration_seconds", above_usual=5, at_least=1, clear=4, says="slow")
    bench = Bench(check(limits=(slow,), interval_seconds=60.0))
    bench.run("." * 70, every=60, lasts=0.3)
    (change,) = bench.run("...", every=60, lasts=2.0)
    assert (change.says, "usual at this hour 0.3" in change.evidence) == ("slow", True)


def test_an_hour_of_trouble_does_not_become_usual() -> None:
    bench = followed()
    bench.run("." * 360, every=10, rtt=0.062)
    assert bench.judge._held["a/line"].new is State.DEGRADED
    (change,) = bench.run("....", every=30, rtt=0.01)
    assert change.new is State.UP


def test_what_is_slow_for_days_becomes_usual_and_the_limit_is_kept_again() -> None:
    bench = followed()
    bench.run("." * (75 * 60), every=60, rtt=0.1)
    assert [each.new for each in bench.changes] == [State.UP, State.DEGRADED, State.UP]
    assert timedelta(days=2.9) < bench.changes[-1].at - bench.changes[-2].at < timedelta(days=3.1)
    (change,) = bench.run("...", every=30, rtt=0.31)
    assert "usual at this hour 0.1;" in change.evidence


def test_what_is_seen_while_the_check_is_bad_otherwise_teaches_nothing() -> None:
    bench = followed(USUAL, DELAY)
    before = list(bench.judge.learnt())
    bench.run("." * 5, rtt=0.5)
    bench.run("." * 120, every=60, rtt=0.5)
    (limit,) = bench.state().learning
    assert limit.usual is not None
    assert limit.usual.level(at(bench.second)) == pytest.approx(0.01, rel=0.01)
    assert before[0].blob[5:] == limit.usual.dump()[5:], "all but the sample that was taken while it was not sure"


def test_a_clock_that_is_set_back_does_not_stop_the_learning() -> None:
    bench = followed()
    bench.second -= 86400 * 365
    bench.run("." * 400, every=10, rtt=0.012)
    (change,) = bench.run("...", every=30, rtt=0.062)
    assert "usual at this hour 0.011" in change.evidence


def test_what_was_learnt_survives_a_restart() -> None:
    learnt = list(followed().judge.learnt())
    bench = Bench(check(limits=(USUAL,)))
    bench.judge.recall(learnt)
    bench.run(".", rtt=0.01)
    assert len(bench.run("...", every=30, rtt=0.062)) == 1


@pytest.mark.parametrize(
    "changes", [{"address": "10.65.1.3"}, {"probe": "tcp"}, {"options": "other"}, {"limits": (DELAY,)}]
)
def test_what_was_learnt_of_something_else_is_dropped(changes: dict[str, object]) -> None:
    bench = Bench(check(**{"limits": (USUAL,), **changes}))
    bench.judge.recall(followed().judge.learnt())
    assert [change for change in bench.run("...", every=30, rtt=0.062) if change.new is State.DEGRADED] == []


def test_a_reload_keeps_what_was_learnt_also_where_only_the_limits_changed() -> None:
    bench = followed()
    stricter = check(limits=(Limit(value="rtt", above_usual=2.0, at_least=0.01, clear=1.6, says="delay"),))
    bench.judge.adopt({stricter.id: stricter}, at(bench.second))
    bench.run(".", rtt=0.01)
    (change,) = bench.run("...", every=30, rtt=0.025)
    assert "usual at this hour 0.01;" in change.evidence


def test_a_reload_forgets_what_was_learnt_of_another_address() -> None:
    bench = followed()
    moved = check(limits=(USUAL,), address="10.65.1.9")
    bench.judge.adopt({moved.id: moved}, at(bench.second))
    bench.run(".", rtt=0.01)
    assert bench.run("...", every=30, rtt=0.062) == []


# -- a new inventory -------------------------------------------------------------------------------------------------


def test_adopt_keeps_what_is_known_of_unchanged_checks() -> None:
    line, snmp = check(window=10), check("snmp", confirm=2)
    bench = Bench(line, snmp)
    bench.run(".x")
    bench.run(".x", "snmp")
    bench.judge.adopt({line.id: line, snmp.id: check("snmp", confirm=5)}, at(10))
    assert (bench.state().standing, bench.state().loss_ratio) == (Standing.WELL, 0.5)
    assert (bench.state("snmp").standing, bench.state("snmp").heard) == (Standing.UNKNOWN, at(10))
    bench.second = 10
    assert [each.new for each in bench.run("xx")] == [State.DOWN], "the failure before the reload is the first of three"


def test_adopt_forgets_checks_and_targets_that_are_gone() -> None:
    bench = Bench(check())
    bench.run(".xxx")
    bench.judge.adopt({}, at(10))
    assert bench.run("xxx") == []
    bench.judge.adopt({check().id: check()}, at(20))
    assert bench.judge.expire(at(100)) == []
    (change,) = bench.run(".")
    assert (change.old, change.new) == (State.UNKNOWN, State.UP), "the target is a new one"


def test_a_fresh_check_that_is_never_heard_is_no_news() -> None:
    bench = Bench(check())
    assert bench.judge.expire(at(1000)) == []


def test_a_target_whose_failing_check_is_taken_away_is_judged_by_the_others() -> None:
    one, other = check("one"), check("other")
    bench = Bench(one, other)
    bench.run("...", "other")
    bench.run("xxx", "one")
    assert bench.changes[-1].new is State.DOWN
    (change,) = bench.judge.adopt({other.id: other}, T0 + timedelta(seconds=60))
    assert (change.old, change.new) == (State.DOWN, State.UP)
