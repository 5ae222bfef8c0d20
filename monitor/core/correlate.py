"""From state changes to incidents: one incident per cause, from opening to recovery.

What is held of each target, and which problems wait, is kept in `seen`; when a problem has waited long enough, the rules in
`root` name its root, and here it joins an open incident or opens one. Pure: time comes in with each call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from monitor.core import shared as in_common
from monitor.core.graph import Graph
from monitor.core.impact import EVIDENCE_LINES, hurt_by, known_of
from monitor.core.meetings import Calendar, threats
from monitor.core.model import (
    ROOT_GONE,
    Acknowledgement,
    Cause,
    Common,
    Explanation,
    Happening,
    Held,
    Incident,
    IncidentEvent,
    Inventory,
    Look,
    PowerCut,
    Role,
    Session,
    State,
    StateChange,
    Window,
)
from monitor.core.ongoing import RISE, SETTLE, Ongoing, known_before, longer
from monitor.core.planned import Planned
from monitor.core.rename import Names
from monitor.core.root import (
    EXPLAINED_TARGETS,
    Found,
    all_lines,
    compare_kin,
    explaining,
    explanation,
    is_of_shared,
    is_part,
    kind_of,
    no,
    root_of,
    seconds,
    stands_at_site,
    yes,
)
from monitor.core.seen import BAD, BATTERY_SAYS, GRACE, UPS_SAYS, Decision, Seen
from monitor.core.severity import RANK, weigh

TAKE_OVER = timedelta(seconds=90)
"""A root that began so long after a part of it, or before, takes that incident over; later it is another cause."""
LATELY = timedelta(minutes=30)
"""A root that fails again within this time of its recovery opens its incident again."""


class Correlator:
    """The states of all targets seen together, and the open incidents."""

    def __init__(self, inventory: Inventory, known: Iterable[Incident] = ()) -> None:
        """`known` are the incidents of before: open ones, and those that recovered LATELY, the oldest first."""
        self.seen = Seen(inventory)
        self._calendar = Calendar(inventory.meetings)
        self._near: tuple[Session, ...] = ()
        """Sessions of meetings that ran or came at the last tick."""
        before = [known_before(each) for each in known]
        self._closed = {each.incident.root: each for each in before if each.incident.closed is not None}
        """By root: its last incident that is over."""
        self.open = {each.incident.id: each for each in before if each.incident.closed is None}

    @property
    def waits(self) -> bool:
        """Whether time alone may change something: a hold, a grace, an incident that is to be weighed or about to end."""
        return (
            bool(self.seen.due)
            or ((self.seen.turned or self._calendar.pending) and bool(self.open))
            or any(
                each.well_since or each.rose or self.seen.is_up(each.incident.root) or self._is_worse(each.incident)
                for each in self.open.values()
            )
        )

    @property
    def held(self) -> Mapping[str, Held]:
        """What each target is held to be."""
        return self.seen.held

    @property
    def graph(self) -> Graph:
        """What is behind what."""
        return self.seen.graph

    @property
    def planned(self) -> Planned:
        """The maintenance of the inventory in force."""
        return self.seen.planned

    @property
    def next_due(self) -> datetime | None:
        """When the next hold or grace is over."""
        return min(self.seen.due.values(), default=None)

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
        self.seen.rename(names)
        self._closed = {names.get(root, root): entry for root, entry in self._closed.items()}
        for entry in (*self.open.values(), *self._closed.values()):
            entry.rename(names)

    def adopt(self, inventory: Inventory, now: datetime) -> Decision:
        """Take over a new inventory: targets that stay keep their states, incidents of roots that are gone end."""
        self.seen.adopt(inventory)
        self._calendar = Calendar(inventory.meetings)
        self._closed = {root: entry for root, entry in self._closed.items() if root in inventory.targets}
        decision = Decision()
        self._withdraw_gone(now, decision)
        for entry in self.open.values():
            entry.members &= inventory.targets.keys()
            impact = tuple(each for each in entry.incident.impact if each in inventory.targets)
            entry.incident = replace(entry.incident, impact=impact)
        self.seen.see_all(now, decision)
        return decision

    def clock_set(self, step: timedelta) -> None:
        """The wall clock was set by `step`: what is held is as old, and what is waited for as near, as before."""
        self.seen.clock_set(step)
        for entry in (*self.open.values(), *self._closed.values()):
            entry.clock_set(step)

    def changed(self, change: StateChange, now: datetime) -> Decision:
        """Take one target's change of its own state; what is behind it is seen anew."""
        return self.seen.changed(change, now)

    def answered(self, target: str, now: datetime) -> None:
        """One that is held down has answered, if not often enough to be well."""
        self.seen.answered(target, now)

    def _withdraw_gone(self, now: datetime, decision: Decision) -> None:
        """End incidents whose root left the inventory, by a reload or while the daemon was stopped."""
        for entry in list(self.open.values()):
            if entry.incident.root not in self.graph.targets:
                gone = Explanation(looks=(yes("withdrawn", ROOT_GONE, entry.incident.root),))
                self._close(entry, now, Happening.WITHDRAWN, decision, gone)

    def tick(self, now: datetime) -> Decision:
        """Open, grow, re-root and close what is due."""
        decision = Decision()
        self._withdraw_gone(now, decision)
        for problem in self.seen.waited(now):
            self._decide(problem, now, decision)
        near = self._calendar.near(now)
        weigh_anew, self._near = self.seen.turned or near is not self._near, near
        for entry in list(self.open.values()):
            if weigh_anew:
                entry.incident = self._weighed(entry.incident, now)
            self._mend(entry, now, decision)
        for entry in self.open.values():
            self._tell_of_rise(entry, now, decision)
        self.seen.turned = False
        # Whoever is about to be announced is asked until then: what is well again should not be.
        decision.recheck.update(self.seen.soon(now))
        return decision

    def _decide(self, problem: Held, now: datetime, decision: Decision) -> None:
        """A problem whose hold is over: whose is it?"""
        looks: list[Look] = []
        root, cause, why = root_of(self.seen, problem, now, looks)
        entry = self._owner(root, problem)
        window = self._planned(problem, root, entry, now)
        if window is not None:
            self.seen.put_off(problem, window, now)
            return
        if entry is not None:
            self._join(entry, problem.target, now)
            return
        found = Found(root, cause, why)
        commons: list[Common] = []
        if cause in (Cause.LINK, Cause.LAN, Cause.DEVICE, Cause.SERVICE):
            found, commons = compare_kin(self.seen, found, now)
            looks.append(yes("in-common", "common") if found.shared else no("in-common", "uncommon"))
        because = explanation(self.seen, problem, now, looks, commons, self.incidents())
        parts = self._parts(found, now)
        if parts:
            self._take_over(parts, found, now, decision, because)
        else:
            self._open(found, problem, now, decision, because)

    def _planned(self, problem: Held, root: str, entry: Ongoing | None, now: datetime) -> Window | None:
        """The maintenance that a problem is part of; an incident that was open before goes on."""
        own = self.planned(problem.target, now)
        if entry is not None:
            return own if entry.incident.root != problem.target else None
        return own or self.planned(root, now)

    def _owner(self, root: str, problem: Held) -> Ongoing | None:
        """The open incident that this problem belongs to."""
        ancestors = self.graph.ancestors(problem.target)
        here = stands_at_site(self.seen, self.graph.targets[problem.target])
        roots = {entry.incident.root for entry in self.open.values()}
        suspects = {each for each in ancestors if each in roots or self.seen.state(each) in (*BAD, State.UNREACHABLE)}
        fronts = explaining(self.seen, suspects, problem)
        for entry in self.open.values():
            incident = entry.incident
            if incident.root in (root, problem.target) or problem.target in entry.members:
                return entry
            if incident.root in fronts:
                return entry
            if is_of_shared(self.seen, incident, root) and self.held[root].since - incident.began <= TAKE_OVER:
                return entry
            if incident.cause is Cause.POWER and here and self._same_site(incident.root, problem.target):
                return entry
        return None

    def _same_site(self, one: str, other: str) -> bool:
        return self.graph.targets[one].site == self.graph.targets[other].site

    def _parts(self, found: Found, now: datetime) -> list[Ongoing]:
        """Incidents that were announced before and turn out to be a part of this root's, the oldest first."""
        root = found.root
        behind = set(self.graph.behind(root))
        blind = self.graph.targets[root].vantage
        held = self.held.get(root)
        # When it began, not now: how long it took to be sure of it says nothing about whose fault it is.
        began = held.since if held is not None and held.state in BAD else now
        lines = set(self.graph.targets[root].behind if found.why == "all-lines" else ())

        def is_of_it(part: Incident) -> bool:
            if part.root in lines:
                return True
            if not (blind or part.root in found.failed or (part.root in behind and is_part(part, held))):
                return False
            return began - part.began <= TAKE_OVER or in_common.is_behind(part.shared, root)

        parts = (entry for entry in self.open.values() if is_of_it(entry.incident))
        return sorted(parts, key=lambda entry: entry.incident.opened)

    def _join(self, entry: Ongoing, target: str, now: datetime) -> None:
        entry.members.add(target)
        incident = entry.incident
        impact = hurt_by(self.seen, incident.root, entry.members)
        evidence = known_of(self.seen, incident.evidence, [target])
        entry.incident = self._weighed(replace(incident, impact=impact, evidence=evidence), now)

    def _weighed(self, incident: Incident, now: datetime) -> Incident:
        """The same with what it hurts now weighed, and the meetings that it threatens.

        It is no less severe than its weight made it before: that a part is mended already makes it no lesser incident.
        """
        inventory, near = self.seen.inventory, self._calendar.near(now)
        meetings = threats(incident, inventory.meetings, near, self.graph, self.seen.state, now)
        incident = replace(incident, meetings=meetings)
        severity, weight = weigh(incident, inventory, self.seen.state, now)
        if incident.weight is not None and RANK[severity] <= RANK[incident.severity]:
            return incident
        return replace(incident, severity=severity, weight=weight)

    def _tell_of_rise(self, entry: Ongoing, now: datetime, decision: Decision) -> None:
        """Say that an incident is more severe than anybody was told, when nothing else has said it meanwhile."""
        severity = entry.incident.severity
        if entry.well_since is not None or RANK[severity] <= RANK[entry.told]:
            entry.rose = None
            return
        entry.rose = entry.rose or now
        if now - entry.rose >= RISE:
            rose = yes("severity", "rose", entry.told.value, severity.value)
            because = Explanation(problem=self.held.get(entry.incident.root), looks=(rose,))
            decision.events.append(entry.tell(Happening.CHANGED, now, because, rose_from=entry.told))

    def _open(self, found: Found, problem: Held, now: datetime, decision: Decision, because: Explanation) -> None:
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
            evidence=known_of(self.seen, (), [root, problem.target, *sorted(members)]),
            impact=hurt_by(self.seen, root, members),
            why=found.why,
            shared=found.shared,
        )
        incident = self._weighed(incident, now)
        entry, what = Ongoing(incident=incident, members=members), Happening.OPENED
        past = self._closed.pop(root, None)
        if past is not None and self._comes_back(past.incident, incident):
            entry.settle, what = longer(past.settle), Happening.REOPENED
            entry.told = past.told
            before = past.incident
            again = yes("reopened", "came-back", before.times + 1, seconds(entry.settle))
            because = replace(because, looks=(*because.looks, again))
            entry.incident = replace(
                incident, id=before.id, opened=before.opened, began=before.began, times=before.times + 1,
                dark=before.dark,
                dark_since=incident.began if incident.cause is Cause.POWER else None,
            )  # fmt: skip
        for each in members:
            self.seen.due.pop(each, None)
        self.open[entry.incident.id] = entry
        decision.events.append(entry.tell(what, now, because))

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
        return {each.id for each in members if each.role is Role.LINK and self.seen.is_bad(each.id)}

    def _take_over(
        self, parts: list[Ongoing], found: Found, now: datetime, decision: Decision, because: Explanation
    ) -> None:
        """The oldest part becomes the incident of the root that was found; the others are withdrawn into it."""
        first, *others = parts
        root = found.root
        before = yes("take-over", "part", first.incident.root, len(parts))
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
                evidence=known_of(self.seen, (), [root, *sorted(first.members)]),
                impact=hurt_by(self.seen, root, first.members),
            ),
            now,
        )  # fmt: skip
        first.well_since = None
        decision.events.append(first.tell(Happening.CHANGED, now, because))
        into = Explanation(looks=(yes("withdrawn", "part-of", root, first.incident.id),))
        for part in others:
            self._close(part, now, Happening.WITHDRAWN, decision, into)

    def _close(self, entry: Ongoing, at: datetime, what: Happening, decision: Decision, because: Explanation) -> None:
        incident = entry.incident = replace(entry.incident, closed=at, dark=_power_cuts(entry, at))
        del self.open[incident.id]
        if what is Happening.RECOVERED:
            self._closed[incident.root] = entry
        decision.events.append(entry.tell(what, at, because))

    def _mend(self, entry: Ongoing, now: datetime, decision: Decision) -> None:
        """Follow an open incident: worse, well again, or over."""
        incident = entry.incident
        root = self.held.get(incident.root)
        ill = {each for each in entry.members if self.seen.is_bad(each) and each != incident.root}
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
                self.seen.due[each], self.seen.hold[each] = now, (entry.well_since, "root-well")
            look = yes("recovered", "parts-ill" if ill else "well", *sorted(ill)[:EXPLAINED_TARGETS])
            waited = (now - entry.well_since).total_seconds()
            because = Explanation(problem=root, waited="settle", waited_seconds=waited, looks=(look,))
            ends = (self.held[each].since for each in entry.members if self.seen.state(each) is State.UP)
            ended = max(ends) if incident.shared else root.since
            self._close(entry, max(ended, incident.began), Happening.RECOVERED, decision, because)

    def _lasts(self, entry: Ongoing) -> bool:
        """Whether an incident goes on although its root is well: none of a router's lines is, or many that share a thing."""
        incident = entry.incident
        if incident.shared is not None:
            return sum(is_of_shared(self.seen, incident, each) for each in entry.members) >= in_common.LEAST
        return (
            incident.why == "all-lines" and all_lines(self.seen, self.graph.targets[incident.root].site)[0] is not None
        )

    def _is_worse(self, incident: Incident) -> bool:
        """Whether a root that was only degraded is down now."""
        return incident.state is State.DEGRADED and self.seen.state(incident.root) is State.DOWN

    def _follow(self, entry: Ongoing, root: Held | None, ill: set[str], now: datetime, decision: Decision) -> None:
        incident = entry.incident
        if root is not None and self._is_worse(incident):
            if now - (root.at or root.since) < self.seen.usual_hold(root)[0]:
                return  # what fails with it is told with it
            evidence = tuple(dict.fromkeys((f"{root.target}: {root.evidence}", *incident.evidence)))[:EVIDENCE_LINES]
            entry.incident = self._weighed(
                replace(
                    incident, state=root.state, reason=root.reason, says=root.says, evidence=evidence,
                    impact=hurt_by(self.seen, root.target, entry.members),
                ),
                now,
            )  # fmt: skip
            because = explanation(self.seen, root, now, [yes("worse", "down", root.target)], incidents=self.incidents())
            decision.events.append(entry.tell(Happening.CHANGED, now, because))
        elif root is not None and root.says in BATTERY_SAYS and incident.cause is Cause.DEVICE:
            because = explanation(
                self.seen, root, now, [yes("ups-on-battery", "says-battery", root.target)], incidents=self.incidents()
            )
            entry.incident = replace(incident, dark_since=root.since if root.at is None else root.at)
            self._take_over([entry], Found(root.target, Cause.POWER, "ups-on-battery"), now, decision, because)
        elif root is not None and self._is_back_on_mains(entry, root, now):
            looks: list[Look] = []
            found = Found(root.target, *kind_of(self.seen, root.target, looks))
            entry.incident = replace(incident, dark_since=None, dark=_power_cuts(entry, now))
            entry.members, entry.settle = {root.target}, longer(entry.settle)
            for each in ill:  # had they lost power only, they would be back soon
                self.seen.due[each], self.seen.hold[each] = now + GRACE, (now, "root-well")
            self._take_over(
                [entry], found, now, decision, explanation(self.seen, root, now, looks, incidents=self.incidents())
            )
        elif incident.why == "all-lines" and len(lines := {each for each in ill if self._is_line(each)}) == 1:
            # All of the site, not only those that joined: after a restart they join one by one.
            site = self.graph.by_site[self.graph.targets[incident.root].site]
            others = [each.id for each in site if each.role is Role.LINK and each.id not in lines]
            if (
                others
                and not any(self.planned(each, now) for each in lines)
                and all(self.seen.state(each) is State.UP and now - self.held[each].since > SETTLE for each in others)
            ):
                line = lines.pop()
                looks = [yes("other-line-back", "others-up", line, len(others))]
                because = explanation(self.seen, self.held[line], now, looks, incidents=self.incidents())
                self._take_over([entry], Found(line, Cause.LINK, "other-line-back"), now, decision, because)

    @staticmethod
    def _is_back_on_mains(entry: Ongoing, root: Held, now: datetime) -> bool:
        """Whether the UPS of a power cut has only troubles of its own left, and for long enough to believe it."""
        if entry.incident.cause is not Cause.POWER or root.says not in UPS_SAYS:
            return False
        return root.at is not None and now - root.at >= entry.settle

    def _is_line(self, target: str) -> bool:
        return target in self.graph.targets and self.graph.targets[target].role is Role.LINK


def _power_cuts(entry: Ongoing, until: datetime) -> tuple[PowerCut, ...]:
    """Those of an incident when it is over, or for another cause from now on, with all that ever was a part of it."""
    incident = entry.incident
    if incident.cause is not Cause.POWER:
        return incident.dark
    hurt = sorted({incident.root, *incident.impact, *entry.members})
    return (*incident.dark, PowerCut(incident.dark_since or incident.began, until, tuple(hurt)))
