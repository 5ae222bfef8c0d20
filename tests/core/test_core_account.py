"""The account of a month: outages, contracts, and sums that agree with each other and with the ledger, to the microsecond."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from monitor.core import ledger
from monitor.core.account import Account, Failures, Verdict, entries, failures, hurting, promised, verdict
from monitor.core.ledger import ZERO, By, Maintenance, Member, Records, Span, Totals, Turn
from monitor.core.model import Cause, Incident, Inventory, Provider, Reason, Role, State, Target

T0 = datetime(2026, 11, 1, tzinfo=UTC)
UP, DEGRADED, DOWN, UNREACHABLE, UNKNOWN = State
HOUR = timedelta(hours=1)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def span(since: float, until: float) -> Span:
    return Span(at(since), at(until))


LINE = Member(target="xa/tslcd", role=Role.LINK, kind="tslcd", provider="vnpt", commune="xa", since=at(0))
CUT = Incident(
    id="cut", root=LINE.target, cause=Cause.LINK, state=DOWN, began=at(20), opened=at(23), closed=at(40), reason=Reason.TIMEOUT,
)  # fmt: skip


def account(*turns: tuple[State, float, float], incidents: Sequence[Incident] = (), **known: object) -> Account:
    """Of one line, of which a state, its begin and when it was decided are given."""
    decided = [Turn(number, state, at(since), at(sure)) for number, (state, since, sure) in enumerate(turns)]
    records = Records(runs=[span(0, 100)], members=[LINE], turns={LINE.target: decided}, incidents=incidents)
    return whole(replace(records, **known), span(0, 100))


def whole(records: Records, asked: Span) -> Account:
    found = entries(records, asked, hurting(records.incidents))
    return Account(asked=asked, span=asked, entries=found, incidents=records.incidents, watched=None)


# -- outages -----------------------------------------------------------------------------------------------------------


def test_an_outage_goes_on_while_a_target_is_down_or_cut_off_and_names_its_incident() -> None:
    other = replace(CUT, id="other", began=at(39), closed=None)
    found = account(
        (UP, 0, 0), (DOWN, 20, 22), (UNREACHABLE, 25, 27), (UP, 40, 41), (DOWN, 60, 62), (DEGRADED, 62, 63),
        incidents=[other, CUT],
    )  # fmt: skip
    ((first, second),) = (each.outages for each in found.entries)
    assert (first.since, first.until, first.begun, first.ended, first.incident) == (at(20), at(40), True, True, CUT)
    assert (second.lasted, second.incident) == (timedelta(seconds=2), other)
    assert failures((first, second)) == Failures(2, timedelta(seconds=20), timedelta(seconds=11))


def test_what_was_not_seen_to_begin_or_to_end_is_no_repair() -> None:
    runs = [span(0, 50), span(60, 100)]
    found = account((DOWN, 0, 0), (UP, 10, 10), (DOWN, 40, 41), (DOWN, 65, 66), runs=runs)
    outages = found.entries[0].outages
    assert [(each.begun, each.ended) for each in outages] == [(False, True), (True, False), (False, False)]
    assert failures(outages) == Failures(3, timedelta(seconds=35), timedelta(seconds=10))
    assert failures(()) == Failures(0, ZERO, None)


def test_an_outage_knows_what_of_it_is_excused() -> None:
    power = replace(CUT, cause=Cause.POWER, began=at(25), closed=None)
    work = Maintenance(targets=[LINE.target], span=span(0, 22))
    ((outage,),) = (
        each.outages
        for each in account(
            (UP, 0, 0), (DOWN, 20, 21), (UP, 30, 31), incidents=[power], maintenance=[work]
        ).entries
    )  # fmt: skip
    assert (outage.maintenance, outage.power) == (timedelta(seconds=2), timedelta(seconds=5))


def test_an_account_of_some_targets_has_their_incidents_only() -> None:
    records = Records(
        runs=[span(0, 100)], members=[LINE, replace(LINE, target="xb/tslcd", provider="viettel", since=at(50))],
        incidents=[CUT, replace(CUT, id="of-xb", root="xb/tslcd")],
    )  # fmt: skip
    found = whole(records, span(0, 100))
    assert found.since(By.PROVIDER) == {"viettel": at(50)}
    some_of_it = found.only(lambda member: member.provider == "viettel")
    assert [each.member.target for each in some_of_it.entries] == ["xb/tslcd"]
    assert [each.id for each in some_of_it.incidents] == ["of-xb"]


# -- contracts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("totals", "found"),
    [
        (Totals(up=99 * HOUR, down=HOUR), Verdict(0.99, ZERO)),
        (Totals(up=98 * HOUR, unreachable=2 * HOUR, unknown=50 * HOUR), Verdict(0.99, -HOUR)),
        (Totals(up=90 * HOUR, degraded=9 * HOUR, down=9 * HOUR, power=5 * HOUR, maintenance=3 * HOUR), Verdict(0.99, ZERO)),
        (Totals(unknown=9 * HOUR), None),
        (Totals(down=9 * HOUR, power=9 * HOUR), None),
    ],
)  # fmt: skip
def test_a_line_is_held_against_its_contract_without_what_is_excused(totals: Totals, found: Verdict | None) -> None:
    made = verdict(totals, 0.99)
    assert (made is None) == (found is None)
    if made and found:
        assert abs(made.spare - found.spare) < timedelta(milliseconds=1)


def test_a_contract_of_a_line_goes_before_that_of_its_provider() -> None:
    line = Target(id="xa/tslcd", site="xa", name="tslcd", role=Role.LINK, kind="tslcd", provider="vnpt")
    vnpt = Provider(id="vnpt", name="VNPT", hotline="1", promised_percent=99.5)

    def known(target: Target, *providers: Provider) -> Inventory:
        return Inventory(sites={}, targets={target.id: target}, providers={each.id: each for each in providers})

    own = replace(line, promised_percent=99.0)
    assert promised(line.id, "vnpt", known(line, vnpt)) == 0.995
    assert promised(line.id, "vnpt", known(own, vnpt)) == 0.99
    assert promised(line.id, "viettel", known(own, vnpt)) is None, "what is promised now bound not the one before"
    assert promised(line.id, "vnpt", known(line)) is None
    assert promised("no/longer", "vnpt", known(line, vnpt)) == 0.995, "it was promised while it was there"
    assert promised("xa/router", "", known(line, vnpt)) is None


def test_a_line_is_held_against_each_of_its_providers_for_the_time_in_which_it_delivered_it() -> None:
    stays = [
        replace(LINE, until=at(50)),
        replace(LINE, provider="viettel", since=at(50), until=at(70)),
        replace(LINE, since=at(70)),
        replace(LINE, target="xa/router", role=Role.DEVICE, provider=""),
    ]
    found = account((UP, 0, 0), (DOWN, 40, 41), (UP, 60, 60), (DOWN, 80, 81), members=stays).deliveries()
    assert [(each.provider, each.since, each.totals.down.total_seconds()) for each in found] == [
        ("viettel", at(50), 10),
        ("vnpt", at(0), 30),
    ]
    assert [(each.since, each.until) for each in found[1].outages] == [(at(40), at(50)), (at(80), at(100))]


def test_what_counts_against_a_line_through_something_else_is_known() -> None:
    front = replace(CUT, root="pop/router", impact=(LINE.target,))
    own = replace(CUT, id="own", began=at(60), closed=at(65))
    power = replace(front, id="power", cause=Cause.POWER, began=at(35), closed=None)
    (found,) = account(
        (UP, 0, 0), (UNREACHABLE, 20, 22), (UP, 40, 41), (DOWN, 60, 62), (UP, 65, 65), incidents=[front, own, power]
    ).deliveries()
    assert (found.totals.down + found.totals.unreachable, found.elsewhere) == (
        timedelta(seconds=25), timedelta(seconds=15)
    )  # fmt: skip


# -- properties --------------------------------------------------------------------------------------------------------

seconds = some.integers(0, 300)
spans = some.tuples(seconds, seconds).map(lambda each: span(min(each), max(each)))
TARGETS = ("xa/tslcd", "xa/internet", "xa/router", "xb/tslcd", "center/portal")
turns = some.lists(
    some.builds(
        lambda number, state, since, took: Turn(number, state, at(since), at(since + took)),
        some.integers(0, 50), some.sampled_from(State), seconds, some.integers(0, 40),
    ),
    unique_by=lambda turn: turn.number, max_size=10,
)  # fmt: skip
incidents = some.lists(
    some.builds(
        lambda root, impact, cause, open_in: replace(
            CUT, root=root, impact=tuple(impact), cause=cause, began=open_in.since, closed=open_in.until
        ),
        some.sampled_from(TARGETS), some.sets(some.sampled_from(TARGETS)), some.sampled_from(Cause), spans,
    ),
    max_size=3,
)  # fmt: skip


@some.composite
def members(draw: some.DrawFn) -> list[Member]:
    """Each target by one provider up to some time, and by another one from then on."""
    found = []
    for target in TARGETS:
        site, name = target.split("/")
        role = {"router": Role.DEVICE, "portal": Role.SERVICE}.get(name, Role.LINK)
        changed = at(draw(seconds))
        one = Member(
            target=target, role=role, kind=name, provider="vnpt" if role is Role.LINK else "",
            commune="" if site == "center" else site, since=at(draw(some.integers(-50, 50))), until=changed,
        )  # fmt: skip
        found += [one, replace(one, provider="viettel" if one.provider else "", since=changed, until=None)]
    return [each for each in found if each.until is None or each.since < each.until]


records = some.builds(
    Records, runs=some.lists(spans, max_size=3), members=members(),
    turns=some.fixed_dictionaries(dict.fromkeys(TARGETS, turns)), incidents=incidents,
    maintenance=some.lists(
        some.builds(Maintenance, targets=some.sets(some.sampled_from(TARGETS)), span=spans), max_size=2
    ),
)  # fmt: skip


def total(parts: Iterable[Totals]) -> Totals:
    found = Totals()
    for each in parts:
        found.join(each)
    return found


@given(records, spans)
def test_sums_of_an_account_are_those_of_the_ledger_and_agree_with_each_other(known: Records, asked: Span) -> None:
    found = whole(known, asked)
    for by in By:
        assert found.report(by) == ledger.report(known, by, asked), by
    reports = {by: found.report(by).totals.values() for by in By}
    assert total(reports[By.LINK]) == total(reports[By.PROVIDER])
    assert total(reports[By.TARGET]) == total(reports[By.KIND])
    outside = total(each.totals for each in found.entries if not each.member.commune)
    assert total([*reports[By.COMMUNE], outside]) == total(reports[By.TARGET])


@given(records, spans)
def test_outages_are_the_time_that_was_down_or_unreachable_and_nothing_else(known: Records, asked: Span) -> None:
    for each in whole(known, asked).entries:
        lost = each.totals.down + each.totals.unreachable
        assert sum((outage.lasted for outage in each.outages), ZERO) == lost
        assert sum((outage.power for outage in each.outages), ZERO) == each.totals.power
        assert sum((outage.maintenance for outage in each.outages), ZERO) == each.totals.maintenance
        for outage in each.outages:
            assert asked.since <= outage.since < outage.until <= asked.until
            if outage.incident:
                assert each.member.target in (outage.incident.root, *outage.incident.impact)
    by_target = defaultdict(list)
    for each in whole(known, asked).entries:
        by_target[each.member.target] += each.outages
    for outages in by_target.values():
        times = sorted((outage.since, outage.until) for outage in outages)
        assert all(one[1] <= other[0] for one, other in pairwise(times))


@given(some.builds(Totals, *[some.timedeltas(ZERO, 99 * HOUR)] * 4), some.floats(0.9, 1))
def test_a_promise_is_kept_when_the_net_availability_is_as_promised(totals: Totals, ratio: float) -> None:
    made = verdict(totals, ratio)
    if made is None:
        assert totals.availability_net is None
    elif abs(made.spare) > timedelta(milliseconds=1):
        assert totals.availability_net is not None
        assert made.met == (totals.availability_net >= ratio)
