"""Judge and correlator as one pure machine: observations and the time go in, decisions come out.

The daemon, `replay` and the simulated month all run this, so what is shown of one holds for the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from monitor.core.correlate import Correlator
from monitor.core.judge import Judge
from monitor.core.model import Incident, Inventory, Observation, Outcome
from monitor.core.rename import renamed_targets
from monitor.core.seen import Decision

TICK = timedelta(seconds=0.5)
"""How often time should pass for it, at least."""
SHORTEST = timedelta(seconds=0.05)
"""What falls due within this time is decided together: each pass asks all that wait again, and in an outage of many
lines with nothing in common a pass for each would ask thousands of times."""
EXPIRE = timedelta(seconds=5)
"""How often checks are looked at for silence."""


class Decider:
    """The whole deciding about one inventory after the other."""

    def __init__(self, inventory: Inventory, now: datetime, known: Iterable[Incident] = ()) -> None:
        """`known` are the incidents of before: open ones, and those that recovered lately."""
        self.judge = Judge()
        self.judge.adopt(inventory.checks(), now)
        self.correlator = Correlator(inventory, known)
        self._expired = now

    def adopt(self, inventory: Inventory, now: datetime) -> tuple[Decision, Decision]:
        """Go on with a new inventory; what did not change, or only has another id, keeps its state and its incident.

        First what ends with the old inventory, which is told with the old names, then what the new one changes.
        """
        if names := renamed_targets(self.correlator.seen.inventory, inventory):
            self.judge.rename(names)
            self.correlator.rename(names)
        changes = self.judge.adopt(inventory.checks(), now)
        ended, changed = self.correlator.adopt(inventory, now), Decision()
        for change in changes:
            changed.add(self.correlator.changed(change, now))
        return ended, changed

    def observe(self, observation: Observation) -> tuple[Decision | None, bool]:
        """What follows from one observation, nearly always None; and whether its check should be asked again at once."""
        change, again = self.judge.observe(observation)
        if again and observation.outcome is Outcome.OK:
            self.correlator.answered(observation.target, observation.at)
        return (None if change is None else self.correlator.changed(change, observation.at)), again

    def tick(self, now: datetime) -> Decision:
        """Let time pass: what was silent for too long, and incidents that are due to open, change or end."""
        decision = Decision()
        if abs(now - self._expired) >= EXPIRE:
            self._expired = now
            for change in self.judge.expire(now):
                decision.add(self.correlator.changed(change, now))
        decision.add(self.correlator.tick(now))
        return decision

    def pause(self, now: datetime) -> timedelta:
        """How long until time should pass for it again: until the next hold is over, for somebody waits for the mail."""
        due = self.correlator.next_due
        return TICK if due is None else min(TICK, max(due - now, SHORTEST))

    def be_patient(self, now: datetime) -> None:
        """We ourselves were away: that nothing was heard meanwhile is no silence of anybody."""
        self._expired = now
        self.judge.be_patient(now)

    def clock_set(self, step: timedelta, now: datetime) -> None:
        """The wall clock was set by `step`: what is remembered is as long ago, and what is waited for as near, as before."""
        self._expired = now
        self.judge.clock_set(step, now)
        self.correlator.clock_set(step)
