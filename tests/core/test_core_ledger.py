"""Exact intervals from whatever was written down, and sums that add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as some

from monitor.core import ledger
from monitor.core.ledger import (
    By,
    Excuse,
    Interval,
    Maintenance,
    Member,
    Records,
    Report,
    Span,
    Totals,
    Turn,
    announced,
    history,
    intervals,
    month_of,
    read_span,
    report,
    within,
)
from monitor.core.model import Cause, Incident, Inventory, PowerCut, Reason, Role, State, Target
from monitor.core.model import Maintenance as PlannedWork
from monitor.core.seen import GRACE

T0 = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
UP, DEGRADED, DOWN, UNREACHABLE, UNKNOWN = State
LONG = 1000.0


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def span(since: float, until: float) -> Span:
    return Span(at(since), at(until))


def turns(*given: tuple[State, float, float]) -> list[Turn]:
    """State, since, decided."""
    return [Turn(number, state, at(since), at(decided)) for number, (state, since, decided) in enumerate(given)]


def seen(found: Sequence[Interval]) -> list[tuple[float, float, State] | tuple[float, float, State, Excuse]]:
    shown = []
    for each in found:
        times = ((each.since - T0).total_seconds(), (each.until - T0).total_seconds(), each.state)
        shown.append((*times, each.excuse) if each.excuse else times)
    return shown


def held(*given: tuple[State, float, float], runs: Sequence[Span] = (span(0, LONG),), until: float = 100) -> object:
    return seen(intervals(turns(*given), runs, [span(0, LONG)], (), span(0, until)))


# -- what later knowledge changes --------------------------------------------------------------------------------------


def test_an_interval_begins_when_a_state_began_and_not_when_it_was_sure() -> None:
    assert held((UP, 1, 1), (DOWN, 40, 43), (UP, 60, 62)) == [
        (0, 1, UNKNOWN), (1, 40, UP), (40, 60, DOWN), (60, 100, UP),
    ]  # fmt: skip


def test_a_change_that_began_before_the_previous_was_decided_takes_that_time_over() -> None:
    assert held((UP, 0, 0), (DEGRADED, 40, 40), (DOWN, 38, 41)) == [(0, 38, UP), (38, 100, DOWN)]


def test_what_was_cut_off_stays_cut_off_when_it_is_down_still_after_the_way_is_back() -> None:
    # Silent since 40, its line down since 41, the line back at 70, itself well at 80.
    known = (UP, 0, 0), (DOWN, 40, 42), (UNREACHABLE, 41, 43), (DOWN, 40, 70), (UP, 80, 81)
    assert held(*known) == [
        (0, 40, UP), (40, 41, DOWN), (41, 70, UNREACHABLE), (70, 80, DOWN), (80, 100, UP),
    ]  # fmt: skip
    assert held(*known, known[3]) == [(0, 40, UP), (40, 41, DOWN), (41, 70, UNREACHABLE), (70, 100, DOWN)]


def test_a_time_in_which_we_were_blind_stays_unknown_whatever_is_held_after_it() -> None:
    for later in (DOWN, DEGRADED, UNREACHABLE):
        assert held((UP, 0, 0), (UNKNOWN, 41, 43), (later, 40, 70)) == [
            (0, 40, UP), (40, 41, later), (41, 70, UNKNOWN), (70, 100, later),
        ]  # fmt: skip


def test_what_is_cut_off_when_we_see_again_was_not_so_while_we_were_blind() -> None:
    # Blind since 41; at 70 the point of presence in front, silent since 42, is not yet seen to be well.
    assert held((UP, 0, 0), (UNKNOWN, 41, 43), (UNREACHABLE, 42, 70), (UP, 71, 72)) == [
        (0, 41, UP), (41, 70, UNKNOWN), (70, 71, UNREACHABLE), (71, 100, UP),
    ]  # fmt: skip


def test_an_answer_shows_that_a_target_was_not_cut_off() -> None:
    assert held((UP, 0, 0), (UNREACHABLE, 41, 43), (UP, 41, 44)) == [(0, 100, UP)]


def test_a_failure_that_began_in_unknown_time_is_a_failure_from_then_on() -> None:
    assert held((UP, 0, 0), (UNKNOWN, 20, 20), (DOWN, 30, 33)) == [(0, 20, UP), (20, 30, UNKNOWN), (30, 100, DOWN)]


# -- when nobody looked ------------------------------------------------------------------------------------------------


def test_no_state_is_prolonged_over_a_time_in_which_the_monitor_did_not_run() -> None:
    runs = [span(0, 30), span(50, LONG)]
    assert held((UP, 1, 1), (UP, 53, 54), runs=runs) == [
        (0, 1, UNKNOWN), (1, 30, UP), (30, 53, UNKNOWN), (53, 100, UP),
    ]  # fmt: skip


def test_the_time_after_the_last_sign_of_life_is_unknown() -> None:
    assert held((UP, 0, 0), runs=[span(0, 30)]) == [(0, 30, UP), (30, 100, UNKNOWN)]


def test_without_any_row_all_is_unknown_and_has_no_availability() -> None:
    assert held() == held(runs=[]) == [(0, 100, UNKNOWN)]
    totals = Totals()
    totals.add(Interval(at(0), at(100), UNKNOWN))
    assert (totals.availability, totals.availability_net) == (None, None)
    assert (Totals().availability, Totals().whole) == (None, timedelta(0))


def test_a_target_counts_only_while_it_is_in_the_inventory_and_begins_anew_when_it_comes_back() -> None:
    stays = [span(10, 30), span(60, LONG)]
    found = intervals(turns((UP, 12, 12), (UP, 61, 62)), [span(0, LONG)], stays, (), span(0, 100))
    assert seen(found) == [
        (10, 12, UNKNOWN), (12, 30, UP), (60, 61, UNKNOWN), (61, 100, UP),
    ]  # fmt: skip


# -- sums ----------------------------------------------------------------------------------------------------------------

LINE = Member(target="xa/tslcd", role=Role.LINK, kind="tslcd", provider="vnpt", commune="xa", since=at(0))
PORTAL = Member(target="center/portal", role=Role.SERVICE, kind="public-portal", since=at(0))
CUT = Incident(
    id="i", root="xa/ups", cause=Cause.POWER, state=State.DEGRADED, began=at(38), opened=at(41), closed=at(70),
    reason=Reason.LIMIT, impact=("xa/tslcd",),
)  # fmt: skip
RECORDS = Records(
    runs=[span(0, LONG)],
    members=[LINE, PORTAL],
    turns={
        "xa/tslcd": turns((UP, 0, 0), (DEGRADED, 20, 20), (DOWN, 40, 42), (UP, 80, 81)),
        "center/portal": turns((UP, 0, 0)),
    },
)


def line(records: Records, until: float = 100) -> Totals:
    return report(records, By.TARGET, span(0, until)).totals["xa/tslcd"]


def test_availability_is_good_time_of_known_time() -> None:
    totals = line(RECORDS)
    assert (totals.up, totals.degraded, totals.down) == (
        timedelta(seconds=40),
        timedelta(seconds=20),
        timedelta(seconds=40),
    )
    assert totals.availability == totals.availability_net == 0.6


def test_a_power_cut_is_told_apart_also_when_its_cause_was_recognised_later() -> None:
    late = replace(RECORDS, incidents=[CUT])
    assert line(late).power == line(late).down == timedelta(seconds=40), "what boots after it is still hurt by it"
    assert (line(late).availability, line(late).availability_net) == (0.6, 1.0)
    assert line(replace(RECORDS, incidents=[replace(CUT, cause=Cause.LINK)])).power == timedelta(0)
    assert line(replace(RECORDS, incidents=[replace(CUT, impact=())])).power == timedelta(0)


def test_an_open_power_cut_goes_on_and_a_closed_one_ends_after_the_grace() -> None:
    silent = replace(RECORDS, turns={"xa/tslcd": turns((UP, 0, 0), (DOWN, 40, 42))})
    assert line(replace(silent, incidents=[CUT]), 900).power == at(70) + GRACE - at(40)
    assert line(replace(silent, incidents=[replace(CUT, closed=None)]), 900).power == timedelta(seconds=860)


def test_a_power_cut_that_was_a_part_of_an_incident_counts_for_that_part() -> None:
    silent = replace(RECORDS, turns={"xa/tslcd": turns((UP, 0, 0), (DOWN, 40, 42))})
    old = replace(CUT, cause=Cause.DEVICE, began=at(-1000), impact=())
    over = replace(old, dark=(PowerCut(at(45), at(50), ("xa/tslcd",)), PowerCut(at(300), at(310), ("xb/tslcd",))))
    assert line(replace(silent, incidents=[over]), 900).power == at(50) + GRACE - at(45)
    again = replace(over, cause=Cause.POWER, impact=("xa/tslcd",), dark_since=at(600), closed=at(700))
    assert (
        line(replace(silent, incidents=[again]), 900).power
        == GRACE + timedelta(seconds=5) + GRACE + at(700) - at(600) + GRACE
    )


def test_announced_work_is_found_in_the_inventory_and_explains_what_it_cuts_off() -> None:
    line, router = (
        Target(id=f"xa/{name}", site="xa", name=name, role=role, kind=name, behind=behind)
        for name, role, behind in (("tslcd", Role.LINK, ()), ("router", Role.DEVICE, ("xa/tslcd",)))
    )
    weekly = [at(each) for each in (-100, 0, 100, 200)]
    known = Inventory(
        sites={}, providers={}, targets={each.id: each for each in (line, router)},
        maintenance=(
            PlannedWork(targets=frozenset((line.id,)), starts=weekly, lasts=timedelta(seconds=30), reason=""),
        ),
    )  # fmt: skip
    found = announced(known, span(20, 200))
    assert [each.span for each in found] == [span(0, 30), span(100, 130)]
    assert {*found[0].targets} == {line.id, router.id}


def test_announced_work_counts_before_a_power_cut_and_no_moment_twice() -> None:
    work = Maintenance(targets=["xa/tslcd"], span=span(10, 50))
    totals = line(replace(RECORDS, incidents=[CUT], maintenance=[work]))
    assert (totals.maintenance, totals.power) == (timedelta(seconds=10), timedelta(seconds=30))
    found = history(replace(RECORDS, incidents=[CUT], maintenance=[work]), span(0, 100))["xa/tslcd"]
    assert seen(found)[2:] == [(40, 50, DOWN, Excuse.MAINTENANCE), (50, 80, DOWN, Excuse.POWER), (80, 100, UP)]


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        (By.TARGET, ["xa/tslcd", "center/portal"]), (By.LINK, ["xa/tslcd"]), (By.SERVICE, ["center/portal"]),
        (By.PROVIDER, ["vnpt"]), (By.COMMUNE, ["xa"]), (By.KIND, ["tslcd", "public-portal"]),
    ],
)  # fmt: skip
def test_sums_are_made_for_what_is_asked_worst_first(by: By, keys: list[str]) -> None:
    assert list(report(RECORDS, by, span(0, 100)).totals) == keys


def test_time_is_summed_under_the_provider_that_a_line_had_then() -> None:
    changed = [replace(LINE, until=at(50)), replace(LINE, provider="viettel", since=at(50))]
    totals = report(replace(RECORDS, members=changed), By.PROVIDER, span(0, 100)).totals
    assert totals["vnpt"].down == timedelta(seconds=10)
    assert totals["viettel"].down == timedelta(seconds=30)
    assert totals["viettel"].up == timedelta(seconds=20), "the state goes on over the change"


def test_what_was_never_known_comes_last() -> None:
    records = replace(RECORDS, turns={"center/portal": turns((DOWN, 0, 0))})
    assert list(report(records, By.TARGET, span(0, 100)).totals) == ["center/portal", "xa/tslcd"]


# -- properties --------------------------------------------------------------------------------------------------------

seconds = some.integers(0, 300)
spans = some.tuples(seconds, seconds).map(lambda each: span(min(each), max(each)))
many_spans = some.lists(spans, max_size=4)
rows = some.lists(
    some.builds(
        lambda number, state, since, took: Turn(number, state, at(since), at(since + took)),
        some.integers(0, 50), some.sampled_from(State), seconds, some.integers(0, 40),
    ),
    unique_by=lambda turn: turn.number,
    max_size=12,
)  # fmt: skip
excuses = some.lists(some.tuples(some.sampled_from(Excuse), spans), max_size=4)


@given(rows, many_spans, many_spans, excuses, spans)
def test_intervals_are_gapless_differ_from_their_neighbours_and_total_the_time(
    turns: list[Turn], runs: list[Span], stays: list[Span], excuses: list[tuple[Excuse, Span]], asked: Span
) -> None:
    found = intervals(turns, runs, stays, excuses, asked)
    inside = {
        second for second in range(300)
        if asked.since <= at(second) < asked.until and any(stay.since <= at(second) < stay.until for stay in stays)
    }  # fmt: skip
    covered: set[int] = set()
    for each in found:
        assert each.since < each.until
        own = set(range(int((each.since - T0).total_seconds()), int((each.until - T0).total_seconds())))
        assert not covered & own
        covered |= own
        assert each.excuse is None or each.state in (DOWN, UNREACHABLE)
    assert covered == inside
    assert found == sorted(found)
    for one, other in pairwise(found):
        assert one.until < other.since or one[2:] != other[2:]
    unwatched = [s for s in inside if not any(run.since <= at(s) < run.until for run in runs)]
    for second in unwatched:
        assert next(each.state for each in found if each.since <= at(second) < each.until) is UNKNOWN


@given(rows, many_spans, many_spans, some.randoms(use_true_random=False))
def test_neither_the_order_of_rows_nor_rows_that_come_twice_change_anything(
    turns: list[Turn], runs: list[Span], stays: list[Span], random: Random
) -> None:
    again = [*turns, *turns[: len(turns) // 2]]
    random.shuffle(again)
    assert intervals(again, runs, stays, (), span(0, 300)) == intervals(turns, runs, stays, (), span(0, 300))


@given(rows, many_spans, many_spans, excuses, some.tuples(seconds, seconds, seconds).map(sorted))
def test_the_parts_of_a_time_sum_up_to_the_whole(
    turns: list[Turn], runs: list[Span], stays: list[Span], excuses: list[tuple[Excuse, Span]], edges: list[int]
) -> None:
    def total(since: int, until: int) -> Totals:
        made = Totals()
        for each in intervals(turns, runs, stays, excuses, span(since, until)):
            made.add(each)
        return made

    first, middle, last = edges
    parts, whole = (total(first, middle), total(middle, last)), total(first, last)
    for name in Totals.__slots__:
        assert getattr(parts[0], name) + getattr(parts[1], name) == getattr(whole, name), name


@given(rows, many_spans, many_spans, excuses, spans, spans)
def test_the_part_of_a_time_is_what_it_would_have_been_made_of_alone(
    turns: list[Turn], runs: list[Span], stays: list[Span], excuses: list[tuple[Excuse, Span]], asked: Span, part: Span
) -> None:
    whole = intervals(turns, runs, stays, excuses, asked)
    inside = span(
        max((asked.since - T0).total_seconds(), (part.since - T0).total_seconds()),
        min((asked.until - T0).total_seconds(), (part.until - T0).total_seconds()),
    )
    alone = intervals(turns, runs, stays, excuses, inside) if inside.since < inside.until else []
    assert within(whole, part) == alone


@given(rows, some.integers(1, 299), some.integers(1, 299))
def test_a_restart_at_any_point_takes_knowledge_away_and_makes_none(turns: list[Turn], one: int, other: int) -> None:
    stop, start = min(one, other), max(one, other) + 1
    through = intervals(turns, [span(0, 400)], [span(0, 400)], (), span(0, 300))
    broken = intervals(turns, [span(0, stop), span(start, 400)], [span(0, 400)], (), span(0, 300))

    def state(found: list[Interval], second: int) -> State:
        return next(each.state for each in found if each.since <= at(second) < each.until)

    firm = [turn for turn in turns if turn.at <= at(stop)]
    before = intervals(firm, [span(0, 400)], [span(0, 400)], (), span(0, 300))
    for second in range(stop):
        assert state(broken, second) is state(before, second)
    for second in range(stop, start):
        assert state(broken, second) is UNKNOWN
    later = [turn for turn in turns if turn.at >= at(start)]
    first = min((turn.at for turn in later), default=at(300))
    for second in range(start, 300):
        if at(second) >= first and all(turn.since >= at(start) for turn in later):
            assert state(broken, second) is state(
                intervals(later, [span(0, 400)], [span(0, 400)], (), span(0, 300)), second
            )
    assert through[0].since == broken[0].since


# -- what is asked for -----------------------------------------------------------------------------------------------------


def test_a_month_is_that_of_viet_nam() -> None:
    local = timezone(timedelta(hours=7))
    november = Span(datetime(2026, 11, 1, tzinfo=local), datetime(2026, 12, 1, tzinfo=local))
    assert month_of(datetime(2026, 10, 31, 17, 0, tzinfo=UTC)) == november
    assert month_of(datetime(2026, 11, 30, 16, 59, 59, tzinfo=UTC)) == november
    assert read_span("2026-11", None, None, T0) == read_span(None, None, None, T0) == november
    assert read_span("2026-12", None, None, T0).until == datetime(2027, 1, 1, tzinfo=local)
    assert read_span(None, "2026-11-01", None, T0) == Span(november.since, T0)
    assert read_span(None, "2026-11-01T00:00+07:00", "2026-12-01", T0) == november


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("2026-13", None, None), "month is not understood; write it like 2026-11"),
        (("2026-11", "2026-11-01", None), "month goes alone, without from and until"),
        ((None, None, "2026-11-01"), "until needs from"),
        ((None, "yesterday", None), "from is not understood; write it like 2026-11-01 or 2026-11-01T08:00"),
        ((None, "9999-12-31", None), "from is not understood; write it like 2026-11-01 or 2026-11-01T08:00"),
        ((None, "2026-11-02", "2026-11-02"), "from must be before until, and not in the future"),
        ((None, "2026-12-02", None), "from must be before until, and not in the future"),
        ((None, "2020-11-02", "2026-11-02"), "from and until may be 400 days apart at most"),
    ],
)
def test_a_span_that_is_not_understood_is_told(given: tuple[str | None, str | None, str | None], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_span(*given, T0)


def test_a_report_of_nothing_is_empty() -> None:
    assert report(Records(), By.KIND, span(0, 1)) == Report(by=By.KIND, span=span(0, 1), totals={})
    assert at(10**9) < ledger.FOREVER
