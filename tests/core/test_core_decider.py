"""Whatever the observations and their order: the same incidents, nothing raised, nothing lost over a restart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.decider import SHORTEST, TICK, Decider
from monitor.core.judge import KEYS_KEPT
from monitor.core.model import (
    Check,
    Happening,
    Incident,
    IncidentEvent,
    Inventory,
    Limit,
    Observation,
    Outcome,
    Reason,
    State,
)
from monitor.core.ongoing import SETTLE_LONGEST
from monitor.core.rename import incident_as, target_as
from monitor.core.seen import GRACE, HOLD_SLOW
from tests.core.correlating import province

T0 = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
RUN = 10
"""Seconds between the runs of every check."""
LOSS = Limit(value="loss_ratio", above=0.05, clear=0.02, says="loss")
DELAY = Limit(value="rtt", above=0.15, clear=0.1, says="delay")
BATTERY = Limit(value="upsOnBattery", above=0.5, clear=0.5, says="on-battery", confirm=1)


def observed_province(*communes: str) -> Inventory:
    """The small province with one check for each target."""
    bare = province(*communes)
    targets = {}
    for id_, target in bare.targets.items():
        check = Check(
            id=f"{id_}#echo", target=id_, name="echo", probe="icmp", address="", options=None,
            interval_seconds=RUN, timeout_seconds=1, confirm=2, when_failed=State.DOWN, window=20,
            limits=(BATTERY,) if target.kind == "ups" else (LOSS, DELAY),
        )  # fmt: skip
        targets[id_] = replace(target, checks=(check,))
    return replace(bare, targets=targets)


SMALL = observed_province("a", "b")
TARGETS = tuple(SMALL.targets)


def see(target: str, at: datetime, what: str = "ok") -> Observation:
    """One run: ok, lost, refused, slow, battery, or own trouble."""
    outcome = {"lost": Outcome.FAILED, "refused": Outcome.FAILED, "own": Outcome.INCONCLUSIVE}.get(what, Outcome.OK)
    reason = {"lost": Reason.TIMEOUT, "refused": Reason.REFUSED, "own": Reason.LOCAL}.get(what, Reason.OK)
    values = {"rtt": 0.4 if what == "slow" else 0.01, "upsOnBattery": float(what == "battery")}
    return Observation(
        check=f"{target}#echo", target=target, at=at, outcome=outcome, reason=reason,
        values=values if outcome is Outcome.OK else {}, evidence=what,
    )  # fmt: skip


@dataclass(slots=True)
class Run:
    """A decider over rounds: in each all checks are run at one instant, and time passes to the next."""

    decider: Decider = field(default_factory=lambda: Decider(SMALL, T0))
    now: datetime = T0
    events: list[IncidentEvent] = field(default_factory=list)

    def round(self, observations: Iterable[Observation]) -> None:
        for each in observations:
            decision, _ = self.decider.observe(each)
            self.events += decision.events if decision else ()
        for _ in range(int(RUN / TICK.total_seconds())):
            self.now += TICK
            self.events += self.decider.tick(self.now).events

    def rounds(self, story: Sequence[dict[str, str]]) -> None:
        for bad in story:
            self.round([see(each, self.now, bad.get(each, "ok")) for each in TARGETS])

    def told(self) -> list[tuple[object, ...]]:
        """What was told, without the words of the evidence."""
        return [
            (each.at, each.what, each.incident.root, each.incident.cause, each.incident.began, each.incident.closed)
            for each in self.events
        ]


faults = st.dictionaries(
    st.sampled_from(TARGETS), st.sampled_from(["lost", "lost", "refused", "slow", "battery", "own"]), max_size=6
)
stories = st.lists(st.tuples(faults, st.integers(1, 8)), min_size=1, max_size=6).map(
    lambda parts: [bad for bad, times in parts for _ in range(times)]
)


def test_an_incident_opens_when_its_hold_is_over_and_not_up_to_half_a_second_later() -> None:
    run = Run()
    run.rounds([{}])
    lost = [run.now, run.now + timedelta(seconds=1)]  # confirm: 2
    for each in lost:
        run.decider.observe(see("a/tslcd", each, "lost"))
    run.now = lost[-1] + timedelta(seconds=0.2)  # turns do not begin with the hold
    pauses = []
    while not run.events:
        pauses.append(run.decider.pause(run.now))
        run.now += pauses[-1]
        run.events += run.decider.tick(run.now).events
    assert run.events[0].at == lost[-1] + HOLD_SLOW
    assert all(SHORTEST <= each <= TICK for each in pauses)


def test_holds_that_are_over_at_nearly_the_same_time_are_decided_together() -> None:
    run = Run()
    run.rounds([{}])
    for name, late in (("a/tslcd", 0.0), ("b/tslcd", 0.01)):
        for second in (0, 1):  # confirm: 2
            run.decider.observe(see(name, run.now + timedelta(seconds=second + late), "lost"))
    run.now += timedelta(seconds=1) + HOLD_SLOW  # the first is due
    run.decider.tick(run.now)
    assert run.decider.pause(run.now) == SHORTEST
    run.now += SHORTEST
    run.decider.tick(run.now)
    assert {each.root for each in run.decider.correlator.incidents()} == {"a/tslcd", "b/tslcd"}


few = settings(max_examples=40)


@few
@given(story=stories, shuffle=st.randoms(use_true_random=False))
def test_observations_of_one_instant_give_the_same_incidents_in_any_order(story, shuffle) -> None:
    one, other = Run(), Run()
    for bad in story:
        observations = [see(each, one.now, bad.get(each, "ok")) for each in TARGETS]
        one.round(observations)
        shuffle.shuffle(observations)
        other.round(observations)
    assert other.told() == one.told()


@few
@given(story=stories, cut=st.integers(0, 60))
def test_a_recording_can_be_cut_anywhere_and_gone_on_with(story, cut: int) -> None:
    whole, pieces = Run(), Run()
    whole.rounds(story)
    pieces.rounds(story[:cut])
    pieces.rounds(story[cut:])
    assert pieces.events == whole.events


NAMES = {id_: id_.replace("a/", "a-moi/") for id_ in TARGETS if id_.startswith("a/")}
"""The commune `a` under another id that is in the same place of the alphabet."""


def renamed(inventory: Inventory) -> Inventory:
    former = {new: (old,) for old, new in NAMES.items()}
    targets = (target_as(each, NAMES) for each in inventory.targets.values())
    sites = {
        (new := "a-moi" if id_ == "a" else id_): replace(each, id=new, formerly=("a",) * (id_ == "a"))
        for id_, each in inventory.sites.items()
    }
    return replace(
        inventory,
        sites=sites,
        targets={each.id: replace(each, formerly=former.get(each.id, ())) for each in targets},
    )


@few
@given(story=stories, cut=st.integers(0, 60))
def test_what_gets_another_id_goes_on_as_if_it_had_always_had_it(story, cut: int) -> None:
    plain, moved = Run(), Run()
    plain.rounds(story)
    moved.rounds(story[:cut])
    for decision in moved.decider.adopt(renamed(SMALL), moved.now):
        assert (decision.states, decision.events, decision.recheck) == ([], [], set())
    for bad in story[cut:]:
        moved.round([see(NAMES.get(each, each), moved.now, bad.get(each, "ok")) for each in TARGETS])

    def present(run: Run) -> list[tuple[object, ...]]:
        return [(each.at, each.what, incident_as(each.incident, NAMES)) for each in run.events]

    def without_text(told: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
        return [(at, what, replace(incident, id="", evidence=())) for at, what, incident in told]

    assert without_text(present(moved)) == without_text(present(plain))
    states = {NAMES.get(id_, id_): replace(each, target="") for id_, each in plain.decider.correlator.held.items()}
    assert {id_: replace(each, target="") for id_, each in moved.decider.correlator.held.items()} == states


def settle(run: Run, story: Sequence[dict[str, str]]) -> None:
    """The last round of the story goes on until nothing changes any more."""
    run.rounds([story[-1]] * int((GRACE * 2).total_seconds() / RUN))


@few
@given(story=stories, cut=st.integers(1, 60))
def test_after_a_restart_no_incident_is_lost_or_opened_twice_and_all_end_when_all_is_well(story, cut: int) -> None:
    before = Run()
    before.rounds(story[:cut])
    known: tuple[Incident, ...] = before.decider.correlator.incidents()
    last = {each.incident.id: each for each in before.events}.values()
    recovered = {each.incident.id: each.incident for each in last if each.what is Happening.RECOVERED}
    after = Run(Decider(SMALL, before.now, (*known, *recovered.values())), before.now)
    after.rounds(story[cut:])
    settle(after, story)
    open_now = {each.id: each.root for each in known}
    for event in after.events:
        incident = event.incident
        if event.what in (Happening.OPENED, Happening.REOPENED):
            assert incident.root not in open_now.values(), "never a second incident of one root"
            assert (event.what is Happening.REOPENED) == (incident.id in recovered), "it comes back, or is another"
        else:
            assert incident.id in open_now, "nothing happens to an incident that nobody was told of"
        open_now[incident.id] = incident.root
        if event.what in (Happening.RECOVERED, Happening.WITHDRAWN):
            del open_now[incident.id]
        if event.what is Happening.RECOVERED:
            recovered[incident.id] = incident
    assert open_now == {each.id: each.root for each in after.decider.correlator.incidents()}
    after.rounds([{}] * int((GRACE + SETTLE_LONGEST).total_seconds() / RUN + 6))
    assert after.decider.correlator.incidents() == ()


@few
@given(story=stories, shuffle=st.randoms(use_true_random=False))
def test_doubled_observations_give_the_same_incidents(story, shuffle) -> None:
    one, two = Run(), Run()
    for bad in story:
        observations = [see(each, one.now, bad.get(each, "ok")) for each in TARGETS]
        one.round(observations)
        doubled = observations * 2
        shuffle.shuffle(doubled)
        two.round(doubled)
    assert two.told() == one.told()


odd_floats = st.floats(allow_nan=True, allow_infinity=True)
odd = st.builds(
    Observation,
    check=st.sampled_from([*(f"{each}#echo" for each in TARGETS), "nobody/knows#it", ""]),
    target=st.sampled_from([*TARGETS, "nobody/knows", ""]),
    at=st.one_of(
        st.floats(-1e5, 1e5).map(lambda seconds: T0 + timedelta(seconds=seconds)),
        st.datetimes(datetime(1971, 1, 1), datetime(8999, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    ),
    outcome=st.sampled_from(Outcome),
    reason=st.sampled_from(Reason),
    values=st.dictionaries(
        st.sampled_from(["rtt", 'rtt{if="1"}', 'rtt{', "rtt}{", "upsOnBattery", "upsOnBattery{phase=\"ü\"}", "loss_ratio", "", "{"])
        | st.text(max_size=5),
        odd_floats,
        max_size=4,
    ),
    evidence=st.text(max_size=20),
    duration_seconds=odd_floats,
    out_of_turn=st.booleans(),
)  # fmt: skip
inputs = st.lists(st.one_of(odd, odd.map(lambda each: each.at)), max_size=120)


@settings(max_examples=150)
@given(inputs)
def test_no_input_whatsoever_makes_it_raise(given_inputs: list[Observation | datetime]) -> None:
    decider = Decider(SMALL, T0)
    for each in given_inputs:
        if isinstance(each, Observation):
            decider.observe(each)
        else:
            decider.tick(each)
            decider.adopt(SMALL, each)


def size(decider: Decider) -> int:
    """How many things it keeps, all tables taken together."""
    correlator, judge = decider.correlator, decider.judge
    tables = [getattr(correlator.seen, each) for each in ("own", "held", "due", "hold", "battery", "_back")]
    tables += [correlator._closed, correlator.open]
    keys = [state._by_key for state in judge.checks.values()]
    return sum(map(len, (*tables, *keys, judge.checks, judge._held)))


def test_labels_that_are_always_new_do_not_fill_the_memory() -> None:
    decider = Decider(SMALL, T0)
    sizes = []
    for second in range(2 * KEYS_KEPT):
        label = f'rtt{{port="{second}"}}'
        decider.observe(see("a/tslcd", T0 + timedelta(seconds=second))._replace(values={label: 0.01}))
        sizes.append(size(decider))
    assert max(sizes) <= KEYS_KEPT + len(TARGETS) * 8


def test_a_week_of_flapping_does_not_fill_the_memory() -> None:
    run = Run()
    sizes = []
    for turn in range(400):
        run.rounds([{"a/tslcd": "lost", "b/internet": "refused"}] * (2 + turn % 3) + [{}] * (2 + turn % 5))
        sizes.append(size(run.decider))
    assert max(sizes[200:]) <= max(sizes[:200])
