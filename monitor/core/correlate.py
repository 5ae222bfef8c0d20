"""From state changes to incidents: what is whose fault, and one incident per cause.

A target is *unreachable* when everything in front of it is down; what is left, down or degraded with nothing to blame in
front, is a problem. A problem waits a short hold, so that what failed with it can be seen too; then the rules below name
its root, and it either joins an open incident or opens one. Pure: time comes in with each call.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from monitor.core import shared as in_common
from monitor.core.graph import Graph
from monitor.core.model import (
    PATH_REASONS,
    Acknowledgement,
    Cause,
    Common,
    Considered,
    Explanation,
    Happening,
    Held,
    Incident,
    IncidentEvent,
    Inventory,
    Look,
    Role,
    Shared,
    State,
    StateChange,
    Target,
    Window,
)
from monitor.core.planned import Planned
from monitor.core.rename import Names, change_as, incident_as
from monitor.core.severity import RANK, weigh

HOLD_DOWN = timedelta(seconds=3)
"""A neighbour asked every second is sure of its own failure within this time of the first one's."""
HOLD_SLOW = timedelta(seconds=8)
"""One that is asked only now and then, and at once when a neighbour fails, within this."""
OFTEN_SECONDS = 5.0
"""Targets with a check at least so often are asked often."""
TOGETHER = timedelta(seconds=30)
"""What turned bad within this time of each other failed together."""
HOLD_PATH_DEGRADED = timedelta(seconds=30)
"""Loss shows at different times along a line; the line itself must have had its window."""
TAKE_OVER = timedelta(seconds=90)
"""A root found this long after a part of it was announced takes that incident over; later it is another cause."""
SETTLE = timedelta(seconds=10)
"""An incident is over when its root was well for this long: a line that flutters stays one incident."""
SETTLE_FACTOR = 9
SETTLE_LONGEST = timedelta(minutes=15)
"""With each time that an incident comes back it takes longer to be over: 10 s, 90 s, 13 min, 15 min."""
LATELY = timedelta(minutes=30)
"""A root that fails again within this time of its recovery opens its incident again."""
GRACE = timedelta(seconds=90)
"""What comes back from behind a mended root has this long to be asked again before it is a problem of its own."""
POWER_MEMORY = timedelta(minutes=15)
"""A site that goes silent within this time of its UPS reporting battery has lost power."""

BAD = (State.DOWN, State.DEGRADED)
CUT = (State.DOWN, State.UNREACHABLE)
PATH_SAYS = frozenset({"loss", "delay", "jitter"})
BATTERY_SAYS = frozenset({"on-battery", "low-battery"})
UPS_SAYS = frozenset({"replace-battery", "hot"})
"""What may be wrong with a UPS on mains, for weeks: on battery a limit that is written before these speaks in their stead."""
EVIDENCE_LINES = 8
EXPLAINED_TARGETS = 16
"""Targets of a kind that an explanation names."""
EXPLAINED_INCIDENTS = 8
EXPLAINED_TEXT = 200
"""Characters of a line of evidence in an explanation."""


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


@dataclass(slots=True, kw_only=True)
class _Open:
    """An open incident and what it has swallowed."""

    incident: Incident
    members: set[str]
    settle: timedelta = SETTLE
    well_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    """What the rules make of a problem."""

    root: str
    cause: Cause
    why: str
    shared: Shared | None = None
    failed: frozenset[str] = frozenset()
    """Those that have it in common and failed."""


def _yes(rule: str, because: str, *of: object) -> Look:
    return Look(rule=rule, fits=True, because=because, of=tuple(map(str, of)))


def _no(rule: str, because: str, *of: object) -> Look:
    return Look(rule=rule, fits=False, because=because, of=tuple(map(str, of)))


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():.4g}"


def _asked_often(target: Target) -> bool:
    return min((check.interval_seconds for check in target.checks), default=0.0) <= OFTEN_SECONDS


def _is_silent(held: Held) -> bool:
    """Whether a target does not answer, rather than badly."""
    return held.state is State.DOWN or held.reason in PATH_REASONS


def _is_path(held: Held | StateChange) -> bool:
    """Whether the way to the target could be the reason, rather than the target itself."""
    return held.reason in PATH_REASONS or held.says in PATH_SAYS


def _is_part(incident: Incident, root: Held | None) -> bool:
    """Whether what was announced of something behind a root is how the root's trouble looks from there."""
    travelled = incident.reason in PATH_REASONS or incident.says in PATH_SAYS
    return travelled and _explains(root, incident.state)


def _explains(front: Held | None, state: State) -> bool:
    """Whether what a front is held to be can make what is behind it look like `state`.

    A slow front makes nothing silent, and one whose agent or port alone is in trouble hurts nothing behind it.
    """
    if front is None or front.state is not State.DEGRADED:
        return front is None or front.state is not State.UP
    return front.says == "loss" or (front.says in PATH_SAYS and state is State.DEGRADED)


class Correlator:
    """The states of all targets seen together, and the open incidents."""

    def __init__(self, inventory: Inventory, open_incidents: Iterable[Incident] = ()) -> None:
        self.inventory = inventory
        self.graph = Graph(inventory.targets)
        self.planned = Planned(inventory.maintenance)
        self.own: dict[str, StateChange] = {}
        self.held: dict[str, Held] = {}
        self._due: dict[str, datetime] = {}
        self._hold: dict[str, tuple[datetime, str]] = {}
        """Since when a problem waits, or last waited, and what for."""
        self._battery: dict[str, tuple[str, datetime]] = {}
        self._back: dict[str, datetime] = {}
        """When a target was last well again after it had been bad or cut off."""
        self._turned = True
        """Whether a state turned since the open incidents were last weighed."""
        self._closed: dict[str, _Open] = {}
        """By root: its last incident that is over."""
        self.open = {each.id: _Open(incident=each, members={each.root}) for each in open_incidents}

    @property
    def waits(self) -> bool:
        """Whether time alone may change something: a hold, a grace, an incident that is to be weighed or about to end."""
        return (
            bool(self._due)
            or (self._turned and bool(self.open))
            or any(each.well_since or self._is_up(each.incident.root) for each in self.open.values())
        )

    def _is_up(self, target: str) -> bool:
        return self._state(target) is State.UP

    def incidents(self) -> tuple[Incident, ...]:
        """The open incidents."""
        return tuple(each.incident for each in self.open.values())

    def acknowledge(self, incident: str, by: Acknowledgement | None, now: datetime) -> Decision:
        """Somebody has an open incident, or (None) gives it back."""
        entry = self.open[incident]
        entry.incident = replace(entry.incident, acknowledged=by)
        what = Happening.ACKNOWLEDGED if by else Happening.UNACKNOWLEDGED
        return Decision(events=[IncidentEvent(incident=entry.incident, what=what, at=now)])

    def rename(self, names: Names) -> None:
        """Go on under other ids of targets; to be followed by `adopt`."""

        def new(target: str) -> str:
            return names.get(target, target)

        self.own = {new(target): change_as(each, names) for target, each in self.own.items()}
        self.held = {new(target): replace(each, target=new(target)) for target, each in self.held.items()}
        self._due = {new(target): at for target, at in self._due.items()}
        self._hold = {new(target): each for target, each in self._hold.items()}
        self._back = {new(target): at for target, at in self._back.items()}
        self._battery = {new(ups).partition("/")[0]: (new(ups), at) for ups, at in self._battery.values()}
        self._closed = {new(root): entry for root, entry in self._closed.items()}
        for entry in (*self.open.values(), *self._closed.values()):
            entry.incident = incident_as(entry.incident, names)
            entry.members = set(map(new, entry.members))

    def adopt(self, inventory: Inventory, now: datetime) -> Decision:
        """Take over a new inventory: targets that stay keep their states, incidents of roots that are gone end."""
        self.inventory, self.graph = inventory, Graph(inventory.targets)
        self.planned = Planned(inventory.maintenance)
        self._turned = True  # other severities
        for table in (self.own, self.held, self._due, self._hold, self._back, self._closed):
            for target in [each for each in table if each not in inventory.targets]:
                del table[target]
        self._battery = {site: known for site, known in self._battery.items() if known[0] in inventory.targets}
        decision = Decision()
        self._withdraw_gone(now, decision)
        for entry in self.open.values():
            entry.members &= inventory.targets.keys()
            impact = tuple(each for each in entry.incident.impact if each in inventory.targets)
            entry.incident = replace(entry.incident, impact=impact)
        for each in self.graph.order:  # something else may be in front of it now
            self._see(each, now, decision)
        return decision

    def clock_set(self, step: timedelta) -> None:
        """The wall clock was set by `step`: what is held is as old, and what is waited for as near, as before."""
        for table in (self._due, self._back):
            for target in table:
                table[target] += step
        self._hold = {id_: (at + step, why) for id_, (at, why) in self._hold.items()}
        self.own = {id_: replace(each, at=each.at + step, since=each.since + step) for id_, each in self.own.items()}
        self.held = {
            id_: replace(each, since=each.since + step, at=None if each.at is None else each.at + step)
            for id_, each in self.held.items()
        }
        self._battery = {site: (target, at + step) for site, (target, at) in self._battery.items()}
        for entry in (*self.open.values(), *self._closed.values()):
            incident = entry.incident
            closed = None if incident.closed is None else incident.closed + step
            entry.incident = replace(
                incident, began=incident.began + step, opened=incident.opened + step, closed=closed
            )
            if entry.well_since is not None:
                entry.well_since += step

    def _withdraw_gone(self, now: datetime, decision: Decision) -> None:
        """End incidents whose root left the inventory, by a reload or while the daemon was stopped."""
        for entry in list(self.open.values()):
            if entry.incident.root not in self.graph.targets:
                gone = Explanation(looks=(_yes("withdrawn", "root-gone", entry.incident.root),))
                self._close(entry, now, Happening.WITHDRAWN, decision, gone)

    # -- states ------------------------------------------------------------------------------------------------------

    def changed(self, change: StateChange, now: datetime) -> Decision:
        """Take one target's change of its own state; what is behind it is seen anew."""
        decision = Decision()
        target = self.graph.targets.get(change.target)
        if target is None:
            return decision
        self.own[change.target] = change
        if change.says in BATTERY_SAYS:
            self._battery[target.site] = (target.id, change.at)
        elif (change.new is State.UP or change.says in UPS_SAYS) and self._told_battery(target):
            del self._battery[target.site]  # back on mains
        # A gateway of our own changes how everything is seen, not only what the graph has behind it.
        order = tuple(self.graph.order) if target.vantage else (change.target, *self.graph.after(change.target))
        for each in order:
            self._see(each, now, decision)
        if change.new is State.DOWN:
            decision.recheck |= self._around(target)
        elif change.new in (State.UP, State.DEGRADED) and change.old in CUT:
            decision.recheck.update((change.target, *self.graph.behind(change.target)))
        return decision

    def _told_battery(self, target: Target) -> bool:
        known = self._battery.get(target.site)
        return known is not None and known[0] == target.id

    def _around(self, target: Target) -> set[str]:
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
            self._turned = True
            decision.states.append(held)
        if before is not None and (
            (state is State.UP and before.state in (*BAD, State.UNREACHABLE))
            or (state in (State.DEGRADED, State.UNKNOWN) and before.state in CUT)  # it carries again, or nobody knows
        ):
            self._back[target_id] = held.since
            for each in sorted(self._due.keys() & set(self.graph.after(target_id))):
                # What was told of just before the front came back is what would have been told of just after; once.
                if self._hold[each][1] != "grace" and self._began_behind_another(self.held[each]):
                    self._schedule(self.held[each], None, now)
        self._schedule(held, before, now)

    def _schedule(self, held: Held, before: Held | None, now: datetime) -> None:
        if held.state not in BAD:
            self._due.pop(held.target, None)
            return
        if before is not None and before.state is held.state and held.target in self._due:
            return  # only the reason turned: it waits on
        cut_off = before is not None and before.state in (State.UNREACHABLE, State.UNKNOWN)
        if (cut_off and _is_silent(held)) or self._began_behind_another(held):
            wait, why = GRACE, "grace"  # the way is back, but it has not been asked since
        else:
            wait, why = self._usual_hold(held)
        self._due[held.target], self._hold[held.target] = now + wait, (now, why)

    def answered(self, target: str, now: datetime) -> None:
        """One that is held down has answered, if not often enough to be well: what is told as down should be silent."""
        held, due = self.held.get(target), self._due.get(target)
        if held is None or due is None or held.state is not State.DOWN:
            return
        wait, _ = self._usual_hold(held)
        if now + wait - self._hold[target][0] <= HOLD_PATH_DEGRADED:
            self._due[target] = max(due, now + wait)

    def _usual_hold(self, held: Held) -> tuple[timedelta, str]:
        """How long a problem waits, and what for."""
        if held.state is State.DEGRADED and _is_path(held):
            return HOLD_PATH_DEGRADED, "path"
        return (HOLD_DOWN, "often") if _asked_often(self.graph.targets[held.target]) else (HOLD_SLOW, "slow")

    def _began_behind_another(self, held: Held) -> bool:
        """Whether something in front was not well yet when this began: a slow check tells of an outage that is over."""
        if not _is_silent(held):
            return False
        fronts = (self._back.get(each) for each in self.graph.ancestors(held.target))
        return any(back is not None and held.since <= back for back in fronts)

    # -- incidents ---------------------------------------------------------------------------------------------------

    def tick(self, now: datetime) -> Decision:
        """Open, grow, re-root and close what is due."""
        decision = Decision()
        self._withdraw_gone(now, decision)
        due = [target for target, at in self._due.items() if at <= now]
        for target in sorted(due, key=lambda each: (self.held[each].since, each)):
            if target in self._due:
                self._decide(self.held[target], now, decision)
        for entry in list(self.open.values()):
            if self._turned:
                entry.incident = self._weighed(entry.incident)
            self._mend(entry, now, decision)
        self._turned = False
        # Whoever is about to be announced is asked until then: what is well again should not be.
        decision.recheck.update(target for target, at in self._due.items() if at - now <= HOLD_DOWN)
        return decision

    def _bad(self, target: str) -> bool:
        held = self.held.get(target)
        return held is not None and held.state in BAD

    def _decide(self, problem: Held, now: datetime, decision: Decision) -> None:
        """A problem whose hold is over: whose is it?"""
        self._due.pop(problem.target, None)
        looks: list[Look] = []
        root, cause, why = self._root_of(problem, now, looks)
        entry = self._owner(root, problem)
        window = self._planned(problem, root, entry, now)
        if window is not None:
            self._put_off(problem, window, now)
            return
        if entry is not None:
            self._join(entry, problem.target)
            return
        found = _Found(root, cause, why)
        commons: list[Common] = []
        if cause in (Cause.LINK, Cause.LAN, Cause.DEVICE, Cause.SERVICE):
            found, commons = self._shared(found, now)
            looks.append(_yes("in-common", "common") if found.shared else _no("in-common", "uncommon"))
        because = self._explain(problem, now, looks, commons)
        parts = self._parts(found, now)
        if parts:
            self._take_over(parts, found, now, decision, because)
        else:
            self._open(found, problem, now, decision, because)

    def _explain(self, problem: Held, now: datetime, looks: Iterable[Look], commons: Iterable[Common]) -> Explanation:
        """What is known at the moment of a decision about a problem."""

        def short(target: str) -> Held:
            held = self.held.get(target) or Held(target=target, state=State.UNKNOWN, since=now)
            return replace(held, evidence=held.evidence[:EXPLAINED_TEXT])

        target = problem.target
        began, waited = self._hold.get(target, (now, ""))
        ways = self.graph.ancestors(target)
        fronts = sorted(ways, key=self.graph.order.__getitem__, reverse=True)
        asked = sorted(self._around(self.graph.targets[target])) if problem.state is State.DOWN else []
        considered = list(self._considered(target, ways))
        return Explanation(
            problem=replace(problem, evidence=problem.evidence[:EXPLAINED_TEXT]),
            waited=waited,
            waited_seconds=(now - began).total_seconds(),
            fronts=tuple(short(each) for each in fronts[:EXPLAINED_TARGETS]),
            asked=tuple(asked[:EXPLAINED_TARGETS]),
            left_out=max(0, len(fronts) - EXPLAINED_TARGETS) + max(0, len(asked) - EXPLAINED_TARGETS),
            looks=tuple(looks),
            commons=tuple(commons),
            considered=tuple(considered[:EXPLAINED_INCIDENTS]),
            unrelated=len(self.open) - len(considered),
        )

    def _considered(self, target: str, ways: Collection[str]) -> Iterator[Considered]:
        """Open incidents that are near, but not those of this problem."""
        for entry in self.open.values():
            incident = entry.incident
            if incident.root in ways:
                because = "front-explains-not"
            elif self._is_of_shared(incident, target):
                because = "too-late"
            elif self._same_site(incident.root, target):
                because = "same-site"
            else:
                continue
            yield Considered(incident=incident.id, root=incident.root, because=because)

    def _planned(self, problem: Held, root: str, entry: _Open | None, now: datetime) -> Window | None:
        """The maintenance that a problem is part of; an incident that was open before goes on."""
        own = self.planned(problem.target, now)
        if entry is not None:
            return own if entry.incident.root != problem.target else None
        return own or self.planned(root, now)

    def _put_off(self, problem: Held, window: Window, now: datetime) -> None:
        """Look again after the window and the usual hold, and meanwhile from time to time: it may have another root then."""
        over, target = window.ends <= now + GRACE, problem.target
        self._due[target] = window.ends + self._usual_hold(problem)[0] if over else now + GRACE
        if self._hold.get(target, (now, ""))[1] != "planned":
            self._hold[target] = (now, "planned")

    def _shared(self, found: _Found, now: datetime) -> tuple[_Found, list[Common]]:
        """The same, or what it has in common with others that failed with it; and what was compared."""
        held = self.held.get(found.root)
        if held is None or held.state not in BAD:
            return found, []
        began = held.since

        def with_it(other: Target) -> bool:
            its = self.held[other.id]
            return (its.state, its.says) == (held.state, held.says) and abs(its.since - began) <= TOGETHER

        target = self.graph.targets[found.root]
        kin = self.graph.by_kind[target.kind]
        judged = [each for each in kin if self._state(each.id) in (State.UP, *BAD) and not self.planned(each.id, now)]
        commons = in_common.compare(target, self.inventory, judged, with_it)
        shared = in_common.most_likely(commons)
        if shared is None:
            return found, commons
        failed = [each.id for each in judged if in_common.has(each, self.inventory, shared) and with_it(each)]
        first = min(failed, key=lambda each: (self.held[each].since, each))
        return _Found(first, Cause.SHARED, "in-common", shared, frozenset(failed)), commons

    def _root_of(self, problem: Held, now: datetime, looks: list[Look]) -> tuple[str, Cause, str]:
        """The rules, first that fits: root, cause, key of the rule; `looks` gets what was looked at."""
        target = self.graph.targets[problem.target]
        if target.vantage:
            looks.append(_yes("own-gateway", "gateway", target.id))
            return target.id, Cause.VANTAGE, "own-gateway"
        looks.append(_no("own-gateway", "no-gateway"))
        here, down = self._stands_at_site(target), problem.state is State.DOWN
        battery = self._battery.get(target.site) if here else None
        ago = now - battery[1] if battery else None
        if problem.says in BATTERY_SAYS:
            looks.append(_yes("ups-on-battery", "says-battery", target.id))
            return target.id, Cause.POWER, "ups-on-battery"
        if battery and ago is not None and down and ago <= POWER_MEMORY:
            looks.append(_yes("ups-on-battery", "battery-lately", battery[0], _seconds(ago)))
            return battery[0], Cause.POWER, "ups-on-battery"
        if not here or not down:
            away = "not-down" if here else "elsewhere"
            looks += (_no("ups-on-battery", away), _no("all-lines", away))
        else:
            looks.append(
                _no("ups-on-battery", "no-battery")
                if ago is None
                else _no("ups-on-battery", "battery-long-ago", _seconds(ago))
            )
            router, look = self._all_lines(target.site)
            looks.append(look)
            if router:
                return router, Cause.DEVICE, "all-lines"
        root = self._front(problem)
        if root != target.id:
            looks.append(_yes("in-front", "front", root))
        else:
            looks.append(_no("in-front", "no-front" if _is_path(problem) else "not-the-way"))
        if self.graph.targets[root].vantage:
            looks.append(_yes("own-gateway", "gateway", root))
            return root, Cause.VANTAGE, "own-gateway"
        return (root, *self._kind_of(root, looks))

    def _stands_at_site(self, target: Target) -> bool:
        """Whether a target shares power and lines of its site; a service that is hosted elsewhere does not."""
        if target.role is not Role.SERVICE:
            return True
        return any(self.graph.targets[each].site == target.site for each in self.graph.ancestors(target.id))

    def _all_lines(self, site: str) -> tuple[str | None, Look]:
        """The router of a site all of whose lines went down together, for their far ends are on it; and why it is or not."""
        members = self.graph.by_site[site]
        lines = [self.held.get(each.id) for each in members if each.role is Role.LINK]
        down = [each for each in lines if each is not None and each.state is State.DOWN]
        if len(lines) < 2 or len(down) < len(lines):
            return None, _no("all-lines", "lines-up", len(down), len(lines))
        times = [each.since for each in down]
        apart = max(times) - min(times)
        if apart > HOLD_PATH_DEGRADED:
            return None, _no("all-lines", "lines-apart", len(lines), _seconds(apart))
        ids = {each.target for each in down}
        router = next((each.id for each in members if each.role is Role.DEVICE and ids & set(each.behind)), None)
        if router is None:
            return None, _no("all-lines", "no-router")
        together = _yes("all-lines", "lines-together", len(lines), _seconds(apart), router)
        return router, together

    def _front(self, problem: Held) -> str:
        """The highest thing in front that is itself bad in a way that explains the problem."""
        suspects = {each for each in self.graph.ancestors(problem.target) if self._bad(each)}
        return max(
            self._explaining(suspects, problem),
            key=lambda each: (len(self.graph.after(each)), -self.graph.order[each]),
            default=problem.target,
        )

    def _explaining(self, suspects: Iterable[str], problem: Held) -> set[str]:
        """Those of the suspects in front of a problem that explain it; a target is down only if no good way is left."""
        if not _is_path(problem):
            return set()
        found = {each for each in suspects if _explains(self.held.get(each), problem.state)}
        if problem.state is State.DOWN and not self.graph.leads_only_through(problem.target, found):
            return set()
        return found

    def _kind_of(self, root: str, looks: list[Look]) -> tuple[Cause, str]:
        target = self.graph.targets[root]
        behind = self.graph.behind(root)
        if target.role is not Role.DEVICE:
            looks.append(_yes("by-kind", target.role.value, root))
            return (Cause.LINK if target.role is Role.LINK else Cause.SERVICE), "by-kind"
        sites = len({self.graph.targets[each].site for each in behind} - {target.site})
        if sites > 1:
            looks.append(_yes("many-sites", "sites", root, sites))
            return Cause.SHARED, "many-sites"
        looks.append(_no("many-sites", "few-sites", root, sites))
        if target.kind == "switch" and any(self._state(each) in CUT for each in behind):
            looks.append(_yes("all-behind-switch", "switch", root))
            return Cause.LAN, "all-behind-switch"
        looks += (_no("all-behind-switch", "no-switch", root), _yes("by-kind", "device", root))
        return Cause.DEVICE, "by-kind"

    def _state(self, target: str) -> State:
        held = self.held.get(target)
        return held.state if held else State.UNKNOWN

    def _owner(self, root: str, problem: Held) -> _Open | None:
        """The open incident that this problem belongs to."""
        ancestors = self.graph.ancestors(problem.target)
        here = self._stands_at_site(self.graph.targets[problem.target])
        roots = {entry.incident.root for entry in self.open.values()}
        suspects = {each for each in ancestors if each in roots or self._state(each) in (*BAD, State.UNREACHABLE)}
        fronts = self._explaining(suspects, problem)
        for entry in self.open.values():
            incident = entry.incident
            if incident.root in (root, problem.target) or problem.target in entry.members:
                return entry
            if incident.root in fronts:
                return entry
            if self._is_of_shared(incident, root) and self.held[root].since - incident.began <= TAKE_OVER:
                return entry
            if incident.cause is Cause.POWER and here and self._same_site(incident.root, problem.target):
                return entry
        return None

    def _is_of_shared(self, incident: Incident, target: str) -> bool:
        """Whether a target is one of those whose common thing is the incident, and bad."""
        shared = incident.shared
        return (
            shared is not None
            and self._bad(target)
            and in_common.has(self.graph.targets[target], self.inventory, shared)
        )

    def _same_site(self, one: str, other: str) -> bool:
        return self.graph.targets[one].site == self.graph.targets[other].site

    def _parts(self, found: _Found, now: datetime) -> list[_Open]:
        """Incidents that were announced moments ago and turn out to be a part of this root's."""
        root = found.root
        behind = set(self.graph.behind(root))
        blind = self.graph.targets[root].vantage
        held = self.held.get(root)
        lines = set(self.graph.targets[root].behind if found.why == "all-lines" else ())
        return sorted(
            (
                entry
                for entry in self.open.values()
                if (
                    blind
                    or entry.incident.root in lines
                    or entry.incident.root in found.failed
                    or (entry.incident.root in behind and _is_part(entry.incident, held))
                )
                and (now - entry.incident.began <= TAKE_OVER or entry.incident.root in lines)
            ),
            key=lambda entry: entry.incident.opened,
        )

    def _join(self, entry: _Open, target: str) -> None:
        entry.members.add(target)
        incident = entry.incident
        impact = self._impact(incident.root, entry.members)
        evidence = self._evidence(incident.evidence, [target])
        entry.incident = self._weighed(replace(incident, impact=impact, evidence=evidence))

    def _weighed(self, incident: Incident) -> Incident:
        """The same with what it hurts now weighed.

        It is no less severe than its weight made it before: that a part is mended already makes it no lesser incident.
        """
        severity, weight = weigh(incident, self.inventory, self._state)
        if incident.weight is not None and RANK[severity] <= RANK[incident.severity]:
            return incident
        return replace(incident, severity=severity, weight=weight)

    def _impact(self, root: str, members: Iterable[str]) -> tuple[str, ...]:
        """All that the incident hurts: what hangs behind root and members, nearest first, without the root."""
        found: dict[str, None] = {}
        for each in (root, *sorted(members)):
            if each != root:
                found[each] = None
            if self._state(each) in CUT or each == root:
                found.update(dict.fromkeys(self.graph.behind(each)))
                cut = (far for far in self.graph.after(each) if self._state(far) is State.UNREACHABLE)
                found.update(dict.fromkeys(cut))  # with another way, but that is cut too
        found.pop(root, None)
        held = self.held.get(root)
        if held is not None and held.state is State.DEGRADED:  # what hangs behind a lossy line is hurt only if it shows
            return tuple(each for each in found if self._state(each) not in (State.UP, State.UNKNOWN))
        return tuple(found)

    def _evidence(self, lines: tuple[str, ...], targets: Iterable[str]) -> tuple[str, ...]:
        more = [f"{each}: {held.evidence}" for each in targets if (held := self.held.get(each)) and held.evidence]
        return tuple(dict.fromkeys((*lines, *more)))[:EVIDENCE_LINES]

    def _open(self, found: _Found, problem: Held, now: datetime, decision: Decision, because: Explanation) -> None:
        root = found.root
        held = self.held.get(root, problem)
        if held.state not in BAD:  # the router behind its own dead lines
            held = problem
        members = {root, problem.target, *found.failed, *self._siblings(root, found.why)}
        incident = Incident(
            id=f"{now:%Y%m%d-%H%M%S}-{root.replace('/', '.')}",
            root=root,
            cause=found.cause,
            state=held.state,
            began=min(held.since, problem.since),
            opened=now,
            reason=held.reason,
            says=held.says,
            evidence=self._evidence((), [root, problem.target, *sorted(members)]),
            impact=self._impact(root, members),
            why=found.why,
            shared=found.shared,
        )
        incident = self._weighed(incident)
        entry, what = _Open(incident=incident, members=members), Happening.OPENED
        past = self._closed.pop(root, None)
        if past is not None and self._comes_back(past.incident, incident):
            entry.settle, what = min(past.settle * SETTLE_FACTOR, SETTLE_LONGEST), Happening.REOPENED
            before = past.incident
            again = _yes("reopened", "came-back", before.times + 1, _seconds(entry.settle))
            because = replace(because, looks=(*because.looks, again))
            entry.incident = replace(
                incident, id=before.id, opened=before.opened, began=before.began, times=before.times + 1
            )
        for each in members:
            self._due.pop(each, None)
        self.open[entry.incident.id] = entry
        decision.events.append(IncidentEvent(incident=entry.incident, what=what, at=now, because=because))

    @staticmethod
    def _comes_back(past: Incident, incident: Incident) -> bool:
        """Whether an incident that is over has come back."""
        assert past.closed is not None
        return past.cause is incident.cause and incident.began - past.closed <= LATELY

    def _siblings(self, root: str, why: str) -> set[str]:
        """Lines that went with the root."""
        if why not in ("all-lines", "ups-on-battery"):
            return set()
        members = self.graph.by_site[self.graph.targets[root].site]
        return {each.id for each in members if each.role is Role.LINK and self._bad(each.id)}

    def _take_over(
        self, parts: list[_Open], found: _Found, now: datetime, decision: Decision, because: Explanation
    ) -> None:
        """The oldest part becomes the incident of the root that was found; the others are withdrawn into it."""
        first, *others = parts
        root = found.root
        before = _yes("take-over", "part", first.incident.root, len(parts))
        because = replace(because, looks=(*because.looks, before))
        first.members |= {root, *found.failed, *self._siblings(root, found.why)}
        first.members.update(each for part in others for each in part.members)
        held = self.held.get(root)
        if held is not None and held.state in BAD:  # else the router behind its own dead lines
            first.incident = replace(
                first.incident,
                state=held.state, reason=held.reason, says=held.says, began=min(first.incident.began, held.since),
            )  # fmt: skip
        first.incident = self._weighed(
            replace(
                first.incident,
                root=root, cause=found.cause, why=found.why, shared=found.shared, weight=None,
                evidence=self._evidence((), [root, *sorted(first.members)]),
                impact=self._impact(root, first.members),
            )
        )  # fmt: skip
        first.well_since = None
        decision.events.append(IncidentEvent(incident=first.incident, what=Happening.CHANGED, at=now, because=because))
        into = Explanation(looks=(_yes("withdrawn", "part-of", root, first.incident.id),))
        for part in others:
            self._close(part, now, Happening.WITHDRAWN, decision, into)

    def _close(self, entry: _Open, at: datetime, what: Happening, decision: Decision, because: Explanation) -> None:
        incident = entry.incident = replace(entry.incident, closed=at)
        del self.open[incident.id]
        if what is Happening.RECOVERED:
            self._closed[incident.root] = entry
        decision.events.append(IncidentEvent(incident=incident, what=what, at=at, because=because))

    def _mend(self, entry: _Open, now: datetime, decision: Decision) -> None:
        """Follow an open incident: worse, well again, or over."""
        incident = entry.incident
        root = self.held.get(incident.root)
        ill = {each for each in entry.members if self._bad(each) and each != incident.root}
        if root is None or root.state is not State.UP or self._lasts(entry):
            entry.well_since = None
            self._follow(entry, root, ill, now, decision)
            return
        if entry.well_since is None:
            entry.well_since = now
            decision.recheck.update(incident.impact)
        patience = max(GRACE, entry.settle) if ill else entry.settle
        if now - entry.well_since >= patience:
            for each in ill:  # well root, ill part: it has a reason of its own
                self._due[each], self._hold[each] = now, (entry.well_since, "root-well")
            look = _yes("recovered", "parts-ill" if ill else "well", *sorted(ill)[:EXPLAINED_TARGETS])
            waited = (now - entry.well_since).total_seconds()
            because = Explanation(problem=root, waited="settle", waited_seconds=waited, looks=(look,))
            ends = (self.held[each].since for each in entry.members if self._state(each) is State.UP)
            ended = max(ends) if incident.shared else root.since
            self._close(entry, max(ended, incident.began), Happening.RECOVERED, decision, because)

    def _lasts(self, entry: _Open) -> bool:
        """Whether an incident goes on although its root is well: none of a router's lines is, or many that share a thing."""
        incident = entry.incident
        if incident.shared is not None:
            return sum(self._is_of_shared(incident, each) for each in entry.members) >= in_common.LEAST
        return incident.why == "all-lines" and self._all_lines(self.graph.targets[incident.root].site)[0] is not None

    def _follow(self, entry: _Open, root: Held | None, ill: set[str], now: datetime, decision: Decision) -> None:
        incident = entry.incident
        if root is not None and root.state is State.DOWN and incident.state is State.DEGRADED:
            evidence = tuple(dict.fromkeys((f"{root.target}: {root.evidence}", *incident.evidence)))[:EVIDENCE_LINES]
            entry.incident = self._weighed(
                replace(
                    incident, state=root.state, reason=root.reason, says=root.says, evidence=evidence,
                    impact=self._impact(root.target, entry.members),
                )
            )  # fmt: skip
            because = self._explain(root, now, [_yes("worse", "down", root.target)], [])
            decision.events.append(
                IncidentEvent(incident=entry.incident, what=Happening.CHANGED, at=now, because=because)
            )
        elif root is not None and root.says in BATTERY_SAYS and incident.cause is Cause.DEVICE:
            because = self._explain(root, now, [_yes("ups-on-battery", "says-battery", root.target)], [])
            self._take_over([entry], _Found(root.target, Cause.POWER, "ups-on-battery"), now, decision, because)
        elif root is not None and self._is_back_on_mains(entry, root, now):
            looks: list[Look] = []
            found = _Found(root.target, *self._kind_of(root.target, looks))
            entry.members, entry.settle = {root.target}, min(entry.settle * SETTLE_FACTOR, SETTLE_LONGEST)
            for each in ill:  # had they lost power only, they would be back soon
                self._due[each], self._hold[each] = now + GRACE, (now, "root-well")
            self._take_over([entry], found, now, decision, self._explain(root, now, looks, []))
        elif incident.why == "all-lines" and len(lines := {each for each in ill if self._is_line(each)}) == 1:
            # All of the site, not only those that joined: after a restart they join one by one.
            site = self.graph.by_site[self.graph.targets[incident.root].site]
            others = [each.id for each in site if each.role is Role.LINK and each.id not in lines]
            if (
                others
                and not any(self.planned(each, now) for each in lines)
                and all(self._state(each) is State.UP and now - self.held[each].since > SETTLE for each in others)
            ):
                line = lines.pop()
                looks = [_yes("other-line-back", "others-up", line, len(others))]
                because = self._explain(self.held[line], now, looks, [])
                self._take_over([entry], _Found(line, Cause.LINK, "other-line-back"), now, decision, because)

    @staticmethod
    def _is_back_on_mains(entry: _Open, root: Held, now: datetime) -> bool:
        """Whether the UPS of a power cut has only troubles of its own left, and for long enough to believe it."""
        if entry.incident.cause is not Cause.POWER or root.says not in UPS_SAYS:
            return False
        return root.at is not None and now - root.at >= entry.settle

    def _is_line(self, target: str) -> bool:
        return target in self.graph.targets and self.graph.targets[target].role is Role.LINK
