"""From observations to the state of each target by its own checks alone: Observation → StateChange.

A check stands well, failed or unknown; the table `NEXT` says what moves it, and every move must be confirmed by a run of
equal outcomes. Measurements are held against limits with hysteresis; loss is judged statistically over a window, so that
one lost echo in a short window is not "50 % loss". The worst of its checks is the state of the target.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.core.model import Check, Counts, Limit, Observation, Outcome, Reason, State, StateChange
from monitor.core.rename import Names, change_as, check_as, check_id
from monitor.core.usual import EVERY, Learnt, Usual

LOSS = "loss_ratio"
"""The measurement that the judge itself makes: failed runs in the check's window, 0 to 1."""

DURATION = "probe_duration_seconds"
"""The measurement that every kind has: how long the run took."""

SOON_SECONDS = 5.0
"""A check with a longer interval is asked again at once when a measurement is on its way over a limit, or back."""

Z_90 = 1.6449
"""One-sided 95 % quantile of the normal distribution, for the lower bound of the loss."""

LOSS_APART = 0.5
"""Losses that all lie within less than this part of the window are a burst, and no matter how many, not a lossy line."""

KEYS_KEPT = 10_000
"""Measurements of a check, labels and all, whose limits are kept at hand."""
UNUSUAL = timedelta(minutes=1)
"""What is slower than usual must be so for this long, and usual again for as long: one large download fills a line for seconds."""

STALE_INTERVALS = 3
"""A check is unknown when it was silent for this many intervals and a time-out."""


class Standing(StrEnum):
    """Where a check stands."""

    UNKNOWN = "unknown"
    WELL = "well"
    FAILED = "failed"


class Input(StrEnum):
    """What can happen to a check."""

    OK = "ok"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    SILENT = "silent"


_INPUT = {outcome: Input(outcome.value) for outcome in Outcome}

ONCE = 1
CONFIRMED = 0
"""Stands for the check's own `confirm`."""

NEXT: Mapping[tuple[Standing, Input], tuple[Standing, int]] = {
    (Standing.UNKNOWN, Input.OK): (Standing.WELL, ONCE),
    (Standing.UNKNOWN, Input.FAILED): (Standing.FAILED, CONFIRMED),
    (Standing.WELL, Input.FAILED): (Standing.FAILED, CONFIRMED),
    (Standing.FAILED, Input.OK): (Standing.WELL, CONFIRMED),
    (Standing.WELL, Input.INCONCLUSIVE): (Standing.UNKNOWN, CONFIRMED),
    (Standing.FAILED, Input.INCONCLUSIVE): (Standing.UNKNOWN, CONFIRMED),
    (Standing.WELL, Input.SILENT): (Standing.UNKNOWN, ONCE),
    (Standing.FAILED, Input.SILENT): (Standing.UNKNOWN, ONCE),
}
"""(standing, input) → (next standing, equal inputs in a row that it takes). What is not here changes nothing."""


def wilson_lower(failed: int, runs: int, z: float = Z_90) -> float:
    """Lower bound of the true failure ratio when `failed` of `runs` failed.

    Score interval without continuity correction; source: E. B. Wilson, J. Am. Stat. Assoc. 22 (1927), 209-212.
    """
    if not runs:
        return 0.0
    ratio = failed / runs
    z2 = z * z / runs
    spread = z * math.sqrt((ratio * (1 - ratio) + z2 / 4) / runs)
    return max(0.0, (ratio + z2 / 2 - spread) / (1 + z2))


def _moved(at: datetime | None, step: timedelta) -> datetime | None:
    """A time that may not have come yet, by a clock that was set by `step`."""
    return None if at is None else at + step


@dataclass(slots=True)
class _LimitState:
    limit: Limit
    needed: int
    bound: float = math.inf
    clear: float = math.inf
    usual: Usual | None = None
    """What the bound follows, where it is not fixed."""
    level: float = math.nan
    """The usual level that the present bound was made of."""
    lasting: timedelta = timedelta()
    """How long a streak must last."""
    upward: bool = True
    broken: bool = False
    streak: int = 0
    since: datetime | None = None
    """Beginning of the streak."""
    turned: datetime | None = None
    """Since when it is as it is: the beginning of the streak that turned it."""
    seen: float = 0.0
    seen_key: str = ""
    """The measurement that was seen, with its labels: which port, which phase."""

    def __post_init__(self) -> None:
        limit = self.limit
        if limit.above_usual is not None:
            self.usual, self.lasting = Usual(), UNUSUAL
            return
        bound = limit.above if limit.above is not None else limit.below
        assert bound is not None
        self.bound, self.clear, self.upward = bound, limit.clear, limit.above is not None

    def follow(self, at: datetime) -> None:
        """Let the bound follow the usual level; while that is not known, nothing is beyond it."""
        assert self.usual is not None
        assert self.limit.above_usual is not None
        level = self.usual.level(at)
        self.level = math.nan if level is None else level
        self.bound = math.inf if level is None else max(self.limit.above_usual * level, self.limit.at_least)
        self.clear = self.bound * self.limit.clear / self.limit.above_usual

    def hold(self, key: str, value: float, at: datetime) -> bool:
        """Hold one measurement against the limit; it turns after `needed` in a row beyond its bound or its clearance.

        True when it turned.
        """
        bound = self.clear if self.broken else self.bound
        beyond = value > bound if self.upward else value < bound
        self.seen, self.seen_key = value, key
        return self._turn(beyond, at)

    def hold_loss(self, bits: int, runs: int, window: int, at: datetime) -> bool:
        """Hold the loss of a window against the limit: broken when even its lower bound is beyond, no streak needed.

        `bits` are the runs, newest lowest, 1 for a lost one. True when it turned.
        """
        lost = bits.bit_count()
        self.seen = lost / runs
        # Of runs that a young window has not seen yet none counts as lost: it takes as many losses as in a full one. And a
        # burst is no lossy line: the losses must lie apart.
        apart = bits.bit_length() - (bits & -bits).bit_length()
        sure = apart >= LOSS_APART * window and wilson_lower(lost, max(runs, window)) > self.bound
        beyond = self.seen > self.clear if self.broken else sure
        self.streak, self.since = self.needed, at
        return self._turn(beyond, at)

    @property
    def wavers(self) -> bool:
        """Whether asking again at once makes it sure sooner."""
        return 0 < self.streak < self.needed

    def _turn(self, beyond: bool, at: datetime) -> bool:
        if beyond == self.broken:
            self.streak = 0
            return False
        if self.streak == 0 or self.since is None or at < self.since:  # or the clock was set back
            self.since = at
        self.streak += 1
        if self.streak < self.needed or (self.lasting and at - self.since < self.lasting):
            return False
        self.broken, self.streak, self.turned = beyond, 0, self.since
        return True

    def sentence(self) -> str:
        seen = f"{self.seen_key or self.limit.value} {self.seen:.4g}"
        if self.usual is not None:
            return f"{seen}, usual at this hour {self.level:.2g}"
        return f"{seen}, {'above' if self.upward else 'below'} {self.bound:g}"


@dataclass(slots=True)
class CheckState:
    """What the judge keeps about one check."""

    check: Check
    heard: datetime
    """When it was last observed (or first known)."""
    ended: datetime | None = None
    """Time of its last observation."""
    standing: Standing = Standing.UNKNOWN
    since: datetime | None = None
    last: Input | None = None
    streak: int = 0
    streak_began: datetime | None = None
    reason: Reason = Reason.OK
    evidence: str = ""
    lost: int = 0
    """Bits, newest lowest: 1 for a failed run of the window."""
    runs: int = 0
    limits: list[_LimitState] = field(default_factory=list)
    speaking: list[_LimitState] = field(default_factory=list)
    """Those that are a matter of the target's state."""
    remarking: list[_LimitState] = field(default_factory=list)
    """Those that count for meetings alone."""
    learning: list[_LimitState] = field(default_factory=list)
    """Those whose bound follows what is usual."""
    subject: str = ""
    """What is asked of whom: what is learnt holds for as long as this is the same, whatever the limits are."""
    fresh_from: datetime = field(init=False)
    fresh_until: datetime = field(init=False)
    """From when to when their bounds are up to date."""
    _by_key: dict[str, tuple[_LimitState, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.limits = [_LimitState(limit, needed=limit.confirm or self.check.confirm) for limit in self.check.limits]
        self.speaking = [each for each in self.limits if each.limit.counts is Counts.ALWAYS]
        self.remarking = [each for each in self.limits if each.limit.counts is not Counts.ALWAYS]
        self.learning = [each for each in self.limits if each.usual is not None]
        self.fresh_from = self.fresh_until = self.heard
        if self.learning:
            check = self.check
            self.subject = f"{check.probe} {check.address} {zlib.crc32(repr(check.options).encode()):08x}"

    @property
    def loss_ratio(self) -> float | None:
        """Failed runs in the window, 0 to 1; None without a window or a run."""
        return self.lost.bit_count() / self.runs if self.runs else None

    @property
    def undecided(self) -> bool:
        """Whether the last run points elsewhere than the standing: worth asking again at once."""
        return self.streak > 0 and (self.standing, self.last) in NEXT

    def limits_of(self, key: str) -> tuple[_LimitState, ...]:
        """Limits on the measurement `key`, labels or not."""
        known = self._by_key.get(key)
        if known is None:
            name = key.partition("{")[0]
            if len(self._by_key) >= KEYS_KEPT:  # of a device whose labels are always new
                self._by_key.clear()
            known = self._by_key[key] = tuple(each for each in self.limits if each.limit.value == name)
        return known

    def worst(self, values: Mapping[str, float]) -> Iterable[tuple[_LimitState, str, float]]:
        """Each limit with its worst measurement: of several label sets one beyond the limit breaks it, all must clear it."""
        found: dict[int, tuple[_LimitState, str, float]] = {}
        for key, value in values.items():
            limits = self._by_key.get(key)
            for each in self.limits_of(key) if limits is None else limits:
                known = found.get(id(each))
                if known is None or (value > known[2]) is each.upward:
                    found[id(each)] = each, key, value
        return found.values()

    def follow(self, at: datetime) -> bool:
        """Bring the bounds that follow the usual level up to date; True when this run should teach it."""
        if self.fresh_from <= at < self.fresh_until:
            return False
        self.fresh_from, self.fresh_until = at, at + EVERY
        for each in self.learning:
            each.follow(at)
        return True

    def learn(self, observation: Observation) -> None:
        """Teach what is usual, but not while the check is bad otherwise."""
        if self.standing is not Standing.WELL or any(each.broken and each.usual is None for each in self.speaking):
            return
        lasted = ((each, DURATION, observation.duration_seconds) for each in self.limits_of(DURATION))
        for each, _, value in (*self.worst(observation.values), *lasted):
            if each.usual is not None:
                each.usual.learn(value, observation.at, odd=each.broken or each.streak > 0)

    def move(self, what: Input, at: datetime) -> bool:
        """Take one input; True when the standing changed."""
        if what is self.last:
            self.streak += 1
        else:
            self.last, self.streak, self.streak_began = what, 1, at
        to, needed = NEXT.get((self.standing, what), (self.standing, 0))
        if to is self.standing:
            return False
        if self.streak < (needed or self.check.confirm):
            return False
        if self.standing is Standing.FAILED:
            self.lost = self.runs = 0  # an outage that is over is not loss
            for each in self.limits_of(LOSS):
                each.broken, each.turned = False, None
        self.standing, self.since = to, self.streak_began
        return True

    def verdict(self) -> tuple[State, Reason, str, str, datetime | None]:
        """State, reason, sentence key, evidence and beginning of what this check says about its target."""
        if self.standing is Standing.UNKNOWN:
            return State.UNKNOWN, self.reason, "", self.evidence, self.since
        if self.standing is Standing.FAILED:
            return self.check.when_failed, self.reason, "", self.evidence, self.since
        for each in self.speaking:
            if each.broken:
                evidence = f"{each.sentence()}; {self.evidence}" if self.evidence else each.sentence()
                began = max((turn for turn in (self.since, each.turned) if turn), default=None)
                return State.DEGRADED, Reason.LIMIT, each.limit.says, evidence, began
        turns = [at for at in (self.since, *(each.turned for each in self.speaking)) if at is not None]
        return State.UP, Reason.OK, "", self.evidence, max(turns, default=None)


_SEVERITY = {State.DOWN: 3, State.DEGRADED: 2, State.UP: 1, State.UNKNOWN: 0, State.UNREACHABLE: 0}


class Judge:
    """All checks of an inventory and the states of their targets."""

    def __init__(self) -> None:
        self.checks: dict[str, CheckState] = {}
        self._of_target: dict[str, list[CheckState]] = {}
        self._held: dict[str, StateChange] = {}

    def rename(self, names: Names) -> None:
        """Go on under other ids of targets."""
        self.checks = {check_id(id_, names): state for id_, state in self.checks.items()}
        for state in self.checks.values():
            state.check = check_as(state.check, names)
        self._held = {names.get(target, target): change_as(held, names) for target, held in self._held.items()}

    def adopt(self, checks: Mapping[str, Check], now: datetime) -> list[StateChange]:
        """Take over a new inventory: unchanged checks keep what is known about them.

        A target whose state came from a check that is gone is judged anew by those that it still has.
        """
        kept, learnt = self.checks, self._learning()
        self.checks = {
            id_: kept[id_] if id_ in kept and kept[id_].check == check else CheckState(check, now)
            for id_, check in checks.items()
        }
        for key, each in self._learning().items():
            each.usual = learnt[key].usual if key in learnt else each.usual
        self._of_target = {}
        for state in self.checks.values():
            self._of_target.setdefault(state.check.target, []).append(state)
        self._held = {target: held for target, held in self._held.items() if target in self._of_target}
        orphaned = [target for target, held in self._held.items() if held.check and held.check not in checks]
        changes = (self._settle(self._of_target[target][0], now) for target in orphaned)
        return [change for change in changes if change is not None]

    def _learning(self) -> dict[tuple[str, str, str], _LimitState]:
        """Limits that follow what is usual, by check, measurement and subject."""
        return {
            (id_, each.limit.value, state.subject): each
            for id_, state in self.checks.items()
            for each in state.learning
        }

    def learnt(self) -> Iterable[Learnt]:
        """What should survive a restart."""
        return (Learnt(*key, each.usual.dump()) for key, each in self._learning().items() if each.usual is not None)

    def recall(self, learnt: Iterable[Learnt]) -> None:
        """Take what was learnt before a restart, where it is still asked for."""
        wanted = self._learning()
        for check, value, subject, blob in learnt:
            each, usual = wanted.get((check, value, subject)), Usual.load(blob)
            if each is not None and usual is not None:
                each.usual = usual

    def observe(self, observation: Observation) -> tuple[StateChange | None, bool]:
        """Judge one observation; returns the change it made, and whether the check should be asked again at once."""
        state = self.checks.get(observation.check)
        if state is None:  # of an inventory that is gone
            return None, False
        at = observation.at
        if at == state.ended:  # the same once more: no check ends two runs at one instant
            return None, False
        state.heard = state.ended = at
        what = _INPUT[observation.outcome]
        if what is Input.OK and state.last is Input.OK and state.standing is Standing.WELL:  # as nearly always
            state.streak += 1
            state.evidence = observation.evidence
            turned, wavers = self._measure(state, observation, at)
            return (self._settle(state, at) if turned else None), wavers
        before = (state.standing, state.reason)
        moved = state.move(what, at)
        if self._explains_better(state, what, observation.reason):
            state.reason, state.evidence = observation.reason, observation.evidence
        turned, wavers = self._measure(state, observation, at)
        # Our own trouble is often over at once, and what is not known shall not wait for a turn that may be an hour away.
        again = state.undecided or wavers or (moved and state.standing is Standing.UNKNOWN)
        if moved or turned or before != (state.standing, state.reason):
            return self._settle(state, at), again
        return None, again

    def left_out(self, check: str, runs: int) -> None:
        """So many runs in turn are known to have been well, and were left out: they pass through the window of losses."""
        state = self.checks.get(check)
        if state is None or state.standing is Standing.FAILED:
            return
        window = state.check.window
        state.lost = state.lost << min(runs, window) & (1 << window) - 1
        state.runs = min(state.runs + runs, window)

    @staticmethod
    def _explains_better(state: CheckState, what: Input, reason: Reason) -> bool:
        """Whether this run says more about the check than what is already known."""
        if what is not Input.FAILED:  # a run that says nothing, or one good run, does not change why a check failed
            return state.standing is not Standing.FAILED
        # Nor does silence take back what a hop has said: hops say so only now and then (RFC 1812 section 4.3.2.8).
        return (state.reason, reason) != (Reason.UNREACHABLE, Reason.TIMEOUT)

    @staticmethod
    def _measure(state: CheckState, observation: Observation, at: datetime) -> tuple[bool, bool]:
        """Window and limits; whether a limit turned, and whether one that is not sure yet should be asked about at once."""
        check = state.check
        counts = not observation.out_of_turn and observation.outcome is not Outcome.INCONCLUSIVE
        if check.window and counts:
            mask = (1 << check.window) - 1
            state.lost = (state.lost << 1 | (observation.outcome is Outcome.FAILED)) & mask
            state.runs = min(state.runs + 1, check.window)
        if not state.limits or observation.outcome is not Outcome.OK:
            # Loss shows between answers: while nothing answers at all, the question is whether it is down.
            return False, False
        turned = wavers = False
        learns = bool(state.learning) and state.follow(at)
        for limit, key, value in state.worst(observation.values):
            turned |= limit.hold(key, value, at)
            wavers |= limit.wavers
        for each in state.limits_of(DURATION):
            turned |= each.hold(DURATION, observation.duration_seconds, at)
            wavers |= each.wavers
        if counts and check.window and state.standing is not Standing.FAILED:  # the window still holds the outage
            for each in state.limits_of(LOSS):
                turned |= each.hold_loss(state.lost, state.runs, check.window, at)
        if learns:
            state.learn(observation)
        return turned, wavers and check.interval_seconds > SOON_SECONDS

    def expire(self, now: datetime) -> list[StateChange]:
        """Turn checks unknown that were not observed for too long."""
        changes = []
        for state in self.checks.values():
            check = state.check
            patience = timedelta(seconds=STALE_INTERVALS * check.interval_seconds + check.timeout_seconds)
            if now - state.heard > patience and state.move(Input.SILENT, now):
                state.reason, state.evidence = Reason.STALE, f"not observed since {state.heard:%H:%M:%S} UTC"
                change = self._settle(state, now)
                if change:
                    changes.append(change)
        return changes

    def remarks(self, target: str, *, meeting: bool) -> Iterable[str]:
        """Keys of the sentences of broken limits that count for meetings alone; `meeting`: while people meet there."""
        for state in self._of_target.get(target, ()):
            if state.standing is Standing.WELL:
                for each in state.remarking:
                    if each.broken and not (meeting and each.limit.counts is Counts.BEFORE_MEETINGS):
                        yield each.limit.says

    def be_patient(self, now: datetime) -> None:
        """We ourselves were away: that nothing was heard meanwhile is no silence of anybody."""
        for state in self.checks.values():
            state.heard = now

    def clock_set(self, step: timedelta, now: datetime) -> None:
        """The wall clock was set by `step`: what is remembered is as long ago as before."""
        self.be_patient(now)
        for state in self.checks.values():
            state.since, state.streak_began = _moved(state.since, step), _moved(state.streak_began, step)
            for each in state.limits:
                each.since, each.turned = _moved(each.since, step), _moved(each.turned, step)
        self._held = {
            target: replace(held, at=held.at + step, since=held.since + step) for target, held in self._held.items()
        }

    def _settle(self, state: CheckState, at: datetime) -> StateChange | None:
        """The target's state is that of its worst check; a change when state or reason turned."""
        target = state.check.target
        verdicts = [(each.check.id, *each.verdict()) for each in self._of_target[target]]
        check, new, reason, says, evidence, since = max(verdicts, key=lambda verdict: _SEVERITY[verdict[1]])
        held = self._held.get(target)
        old = held.new if held else State.UNKNOWN
        if new is old and (new in (State.UP, State.UNKNOWN) or (held and (held.reason, held.says) == (reason, says))):
            return None
        if _SEVERITY[new] < _SEVERITY[old]:  # better only since the last of its checks turned, whichever speaks for it
            since = max((each[5] for each in verdicts if each[5] is not None), default=None)
        began = held.since if held and new is old else since or at
        change = StateChange(
            target=target, at=at, since=began, old=old, new=new, reason=reason, check=check, says=says,
            evidence=evidence,
        )  # fmt: skip
        self._held[target] = change
        return change
