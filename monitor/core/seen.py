"""The states of all targets seen together: what is held of each, and which problems wait to be told.

A target is *unreachable* when everything in front of it is down; what is left, down or degraded with nothing to blame in
front, is a problem. A problem waits a short hold, so that what failed with it can be seen too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from monitor.core.graph import Graph
from monitor.core.model import (
    PATH_REASONS,
    Held,
    IncidentEvent,
    Inventory,
    State,
    StateChange,
    Target,
    Window,
)
from monitor.core.planned import Planned
from monitor.core.rename import Names, change_as

HOLD_DOWN = timedelta(seconds=3)
"""A neighbour asked every second is sure of its own failure within this time of the first one's."""
HOLD_SLOW = timedelta(seconds=8)
"""One that is asked only now and then, and at once when a neighbour fails, within this."""
OFTEN_SECONDS = 5.0
"""Targets with a check at least so often are asked often."""
HOLD_PATH_DEGRADED = timedelta(seconds=30)
"""Loss shows at different times along a line; the line itself must have had its window."""
GRACE = timedelta(seconds=90)
"""What comes back from behind a mended root has this long to be asked again before it is a problem of its own."""

BAD = (State.DOWN, State.DEGRADED)
CUT = (State.DOWN, State.UNREACHABLE)
PATH_SAYS = frozenset({"loss", "delay", "jitter", "poor-call"})
BATTERY_SAYS = frozenset({"on-battery", "low-battery"})
UPS_SAYS = frozenset({"replace-battery", "hot"})
"""What may be wrong with a UPS on mains, for weeks: on battery a limit that is written before these speaks in their stead."""


@dataclass(slots=True, kw_only=True)
class Decision:
    """What follows from one input."""

    states: list[Held] = field(default_factory=list)
    events: list[IncidentEvent] = field(default_factory=list)
    recheck: set[str] = field(default_factory=set)
    """Targets to ask again at once."""

    def add(self, other: Decision) -> None:
        """Take in what follows after it."""
        self.states += other.states
        self.events += other.events
        self.recheck |= other.recheck


def _asked_often(target: Target) -> bool:
    return min((check.interval_seconds for check in target.checks), default=0.0) <= OFTEN_SECONDS


def _is_silent(held: Held) -> bool:
    """Whether a target does not answer, rather than badly."""
    return held.state is State.DOWN or held.reason in PATH_REASONS


def is_path(held: Held) -> bool:
    """Whether the way to the target could be the reason, rather than the target itself."""
    return held.reason in PATH_REASONS or held.says in PATH_SAYS


class Seen:
    """What all targets of an inventory are held to be."""

    def __init__(self, inventory: Inventory) -> None:
        self.own: dict[str, StateChange] = {}
        """What each is by its own checks alone."""
        self.held: dict[str, Held] = {}
        self.due: dict[str, datetime] = {}
        """When a problem has waited long enough."""
        self.hold: dict[str, tuple[datetime, str]] = {}
        """Since when a problem waits, or last waited, and what for."""
        self.battery: dict[str, tuple[str, datetime]] = {}
        """By site: the UPS that reported running on battery, and when."""
        self._back: dict[str, datetime] = {}
        """When a target was last well again after it had been bad or cut off."""
        self.turned = True
        """Whether a state turned since somebody set this back."""
        self._use(inventory)

    def _use(self, inventory: Inventory) -> None:
        self.inventory, self.graph = inventory, Graph(inventory.targets)
        self.planned = Planned(inventory.maintenance)

    def rename(self, names: Names) -> None:
        """Go on under other ids of targets; to be followed by `adopt`."""

        def new(target: str) -> str:
            return names.get(target, target)

        self.own = {new(target): change_as(each, names) for target, each in self.own.items()}
        self.held = {new(target): replace(each, target=new(target)) for target, each in self.held.items()}
        self.due = {new(target): at for target, at in self.due.items()}
        self.hold = {new(target): each for target, each in self.hold.items()}
        self._back = {new(target): at for target, at in self._back.items()}
        self.battery = {new(ups).partition("/")[0]: (new(ups), at) for ups, at in self.battery.values()}

    def adopt(self, inventory: Inventory) -> None:
        """Take over a new inventory: targets that stay keep their states, until they are seen anew."""
        self._use(inventory)
        self.turned = True  # other severities
        for table in (self.own, self.held, self.due, self.hold, self._back):
            for target in [each for each in table if each not in inventory.targets]:
                del table[target]
        self.battery = {site: known for site, known in self.battery.items() if known[0] in inventory.targets}

    def see_all(self, now: datetime, decision: Decision) -> None:
        """See every target anew: something else may be in front of it now."""
        for each in self.graph.order:
            self._see(each, now, decision)

    def clock_set(self, step: timedelta) -> None:
        """The wall clock was set by `step`: what is held is as old, and what is waited for as near, as before."""
        for table in (self.due, self._back):
            for target in table:
                table[target] += step
        self.hold = {id_: (at + step, why) for id_, (at, why) in self.hold.items()}
        self.own = {id_: replace(each, at=each.at + step, since=each.since + step) for id_, each in self.own.items()}
        self.held = {
            id_: replace(each, since=each.since + step, at=None if each.at is None else each.at + step)
            for id_, each in self.held.items()
        }
        self.battery = {site: (target, at + step) for site, (target, at) in self.battery.items()}

    def state(self, target: str) -> State:
        """What a target is held to be."""
        held = self.held.get(target)
        return held.state if held else State.UNKNOWN

    def is_bad(self, target: str) -> bool:
        """Whether it is in trouble that nothing in front is to blame for: down or degraded."""
        held = self.held.get(target)
        return held is not None and held.state in BAD

    def is_up(self, target: str) -> bool:
        """Whether it is well."""
        return self.state(target) is State.UP

    # -- what turns -----------------------------------------------------------------------------------------------

    def changed(self, change: StateChange, now: datetime) -> Decision:
        """Take one target's change of its own state; what is behind it is seen anew."""
        decision = Decision()
        target = self.graph.targets.get(change.target)
        if target is None:
            return decision
        self.own[change.target] = change
        if change.says in BATTERY_SAYS:
            self.battery[target.site] = (target.id, change.at)
        elif (change.new is State.UP or change.says in UPS_SAYS) and self._told_battery(target):
            del self.battery[target.site]  # back on mains
        # A gateway of our own changes how everything is seen, not only what the graph has behind it.
        order = tuple(self.graph.order) if target.vantage else (change.target, *self.graph.after(change.target))
        for each in order:
            self._see(each, now, decision)
        if change.new is State.DOWN:
            decision.recheck |= self.around(target)
        elif change.new in (State.UP, State.DEGRADED) and change.old in CUT:
            decision.recheck.update((change.target, *self.graph.behind(change.target)))
        return decision

    def _told_battery(self, target: Target) -> bool:
        known = self.battery.get(target.site)
        return known is not None and known[0] == target.id

    def around(self, target: Target) -> set[str]:
        """In front: whose fault is it? Behind, one step: does it still carry what hangs on it? Beside: is it alone?"""
        return self.graph.ancestors(target.id) | set(self.graph.children[target.id]) | self._beside(target)

    def _beside(self, target: Target) -> set[str]:
        """Others of its kind behind the same thing, where their own turns are too far apart to tell in time."""
        if _asked_often(target):
            return set()
        kin = {each for parent in target.behind for each in self.graph.children[parent]}
        return {each for each in kin if self.graph.targets[each].kind == target.kind}

    def _blind(self) -> bool:
        vantages = self.graph.vantages
        return bool(vantages) and all(
            (own := self.own.get(each)) is not None and own.new is State.DOWN for each in vantages
        )

    def _see(self, target_id: str, now: datetime, decision: Decision) -> None:
        own = self.own.get(target_id)
        if own is None:
            return
        target = self.graph.targets[target_id]
        state, began = own.new, own.since
        # A limit is seen by an answer; what does not answer, down or not, may be cut off.
        silent = state is State.DOWN or (state is State.DEGRADED and own.reason in PATH_REASONS)
        if silent and not target.vantage:
            fronts = [self.held.get(parent) for parent in target.behind]
            if self._blind():
                state = State.UNKNOWN
                began = max(began, *(self.own[each].since for each in self.graph.vantages))
            elif fronts and all(front is not None and front.state in CUT for front in fronts):
                state = State.UNREACHABLE
                began = max(began, *(front.since for front in fronts if front is not None))
        before = self.held.get(target_id)
        if before and (before.state, before.reason, before.says) == (state, own.reason, own.says):
            return
        same = before is not None and before.state is state
        since = before.since if before and same else began
        held = Held(
            target=target_id, state=state, since=since, at=now, reason=own.reason, says=own.says, evidence=own.evidence
        )  # fmt: skip
        self.held[target_id] = held
        if not same:
            self.turned = True
            decision.states.append(held)
        if before is not None and (
            (state is State.UP and before.state in (*BAD, State.UNREACHABLE))
            or (state in (State.DEGRADED, State.UNKNOWN) and before.state in CUT)  # it carries again, or nobody knows
        ):
            self._back[target_id] = held.since
            for each in sorted(self.due.keys() & set(self.graph.after(target_id))):
                # What was told of just before the front came back is what would have been told of just after; once.
                if self.hold[each][1] != "grace" and self._began_behind_another(self.held[each]):
                    self._schedule(self.held[each], None, now)
        self._schedule(held, before, now)

    # -- what waits -----------------------------------------------------------------------------------------------

    def waited(self, now: datetime) -> Iterator[Held]:
        """Problems whose hold is over, the oldest first; what is taken from `due` meanwhile is left out."""
        due = [target for target, at in self.due.items() if at <= now]
        for target in sorted(due, key=lambda each: (self.held[each].since, each)):
            if target in self.due:
                del self.due[target]
                yield self.held[target]

    def soon(self, now: datetime) -> Iterator[str]:
        """Targets that are about to be told of."""
        return (target for target, at in self.due.items() if at - now <= HOLD_DOWN)

    def _schedule(self, held: Held, before: Held | None, now: datetime) -> None:
        if held.state not in BAD:
            self.due.pop(held.target, None)
            return
        if before is not None and before.state is held.state and held.target in self.due:
            return  # only the reason turned: it waits on
        cut_off = before is not None and before.state in (State.UNREACHABLE, State.UNKNOWN)
        if (cut_off and _is_silent(held)) or self._began_behind_another(held):
            wait, why = GRACE, "grace"  # the way is back, but it has not been asked since
        else:
            wait, why = self.usual_hold(held)
        self.due[held.target], self.hold[held.target] = now + wait, (now, why)

    def answered(self, target: str, now: datetime) -> None:
        """One that is held down has answered, if not often enough to be well: what is told as down should be silent."""
        held, due = self.held.get(target), self.due.get(target)
        if held is None or due is None or held.state is not State.DOWN:
            return
        wait, _ = self.usual_hold(held)
        if now + wait - self.hold[target][0] <= HOLD_PATH_DEGRADED:
            self.due[target] = max(due, now + wait)

    def usual_hold(self, held: Held) -> tuple[timedelta, str]:
        """How long a problem waits, and what for."""
        if held.state is State.DEGRADED and is_path(held):
            return HOLD_PATH_DEGRADED, "path"
        return (HOLD_DOWN, "often") if _asked_often(self.graph.targets[held.target]) else (HOLD_SLOW, "slow")

    def _began_behind_another(self, held: Held) -> bool:
        """Whether something in front was not well yet when this began: a slow check tells of an outage that is over."""
        if not _is_silent(held):
            return False
        fronts = (self._back.get(each) for each in self.graph.ancestors(held.target))
        return any(back is not None and held.since <= back for back in fronts)

    def put_off(self, problem: Held, window: Window, now: datetime) -> None:
        """Look again after the window and the usual hold, and meanwhile from time to time: it may have another root then."""
        over, target = window.ends <= now + GRACE, problem.target
        self.due[target] = window.ends + self.usual_hold(problem)[0] if over else now + GRACE
        if self.hold.get(target, (now, ""))[1] != "planned":
            self.hold[target] = (now, "planned")
