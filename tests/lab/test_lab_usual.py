"""The shipped settings against a line of the simulated month that is slower than usual, and against its busy hours."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.faults import Effect, Fault, Hurt, Plan, busy
from lab.month import Month
from monitor.core.model import Cause, Happening, Incident, Reason
from monitor.inventory.load import load_inventory

INVENTORY = load_inventory(Path(__file__).parent.parent.parent / "config" / "inventory", None)
LINE, POP = "xa-hai-an/tslcd", "pop-hai-hau/router"
HOUR = 3600.0


def opened(*faults: Fault, hours: float) -> list[Incident]:
    month = Month(INVENTORY, Plan(faults=list(faults)), seed=1, days=hours / 24)
    return [each.incident for _, _, events in month.run() for each in events if each.what is Happening.OPENED]


def slower(node: str, at: float) -> Fault:
    hurt = Hurt(node=node, effect=Effect.SLOWER, at=at, until=at + 1200, amount=4.0)
    return Fault(
        kind="slower", at=at, until=at + 1200, hurts=(hurt,), roots=frozenset({node}), affected=frozenset({node}),
        whole=True,
    )  # fmt: skip


@pytest.mark.parametrize(("node", "cause"), [(LINE, Cause.LINK), (POP, Cause.SHARED)])
def test_what_is_slower_than_usual_is_found_and_nothing_else(node: str, cause: Cause) -> None:
    (incident,) = opened(slower(node, 3 * HOUR), hours=4)
    assert (incident.root, incident.cause, incident.reason, incident.says) == (node, cause, Reason.LIMIT, "delay")
    assert "usual at this hour 0.0" in incident.evidence[0]


def test_a_line_has_no_history_in_its_first_hour() -> None:
    assert opened(slower(LINE, 0.2 * HOUR), hours=0.6) == []


def test_the_first_busy_day_of_lines_that_are_three_times_as_slow_then_is_no_incident() -> None:
    assert busy(26.5 * HOUR) > 2.9, "the first working day of the month"
    month = Month(INVENTORY, Plan(), seed=1, days=27.5 / 24)
    wide = [run for run in month._runs.values() if run.check.target.endswith(("/tslcd", "/internet"))]
    for run in wide:
        run.swing = 3.0
    assert len(wide) > 250
    assert [events for _, _, events in month.run() if events] == []
