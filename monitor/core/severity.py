"""How much an incident matters: what the inventory says of the targets that it hurts, of how many communes they are, and
whether an important meeting cannot wait until it is mended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from monitor.core.meetings import urgent
from monitor.core.model import Importance, Incident, Inventory, Role, Severity, State, Weight
from monitor.core.words import CONFERENCE_SERVERS

MANY_COMMUNES = 5
"""More hurt communes than this raise an incident one step."""

RANK: Mapping[Severity, int] = {each: rank for rank, each in enumerate(Severity)}
_STEPS = tuple(Severity)
_HURT = frozenset({State.DEGRADED, State.DOWN, State.UNREACHABLE})


def usual_severity(role: Role, kind: str, *, vantage: bool, commune: bool) -> Severity:
    """That of a target of which the inventory says none; `commune` is whether its site is one."""
    central = not commune and (role is Role.SERVICE or kind in CONFERENCE_SERVERS)
    if vantage or central:
        return Severity.CRITICAL  # the whole province is blind, or lacks it
    return Severity.MAJOR if role is Role.LINK or kind == "router" else Severity.MINOR


def weigh(
    incident: Incident, inventory: Inventory, state: Callable[[str], State], now: datetime
) -> tuple[Severity, Weight]:
    """An incident's severity and why: the highest of its root and of what is held to be hurt of its impact.

    What is only degraded counts one step less, more than MANY_COMMUNES hurt communes one step more, and so does a meeting of
    high importance that it threatens and that runs or is about to begin. The root counts with the worst that it has been, for
    it may have become well already.
    """
    hurt = {each: found for each in incident.impact if (found := state(each)) in _HURT}
    hurt[incident.root] = incident.state

    def counts(target: str) -> int:
        return max(0, RANK[inventory.targets[target].severity] - (hurt[target] is State.DEGRADED))

    worst = max((incident.root, *hurt), key=counts)  # of equals the root
    sites = {inventory.targets[each].site for each in hurt}
    communes = sum(inventory.sites[each].kind == "commune" for each in sites)
    step = counts(worst)
    raised = communes > MANY_COMMUNES and step + 1 < len(_STEPS)
    step += raised
    meeting = urgent(incident.meetings, now)
    hurried = meeting is not None and meeting.importance is Importance.HIGH and step + 1 < len(_STEPS)
    return _STEPS[step + hurried], Weight(
        target=worst,
        lowered=counts(worst) < RANK[inventory.targets[worst].severity],
        communes=communes if raised else 0,
        meeting=meeting.meeting if meeting is not None and hurried else "",
    )
