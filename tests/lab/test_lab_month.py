"""That the simulated month can be replayed from its recording, and that its report tells what really was."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from lab.faults import BEGIN, Drawer, Effect, Plan
from lab.month import Month, write
from monitor.core.account import Entry, Outage, entries, hurting
from monitor.core.graph import Graph
from monitor.core.ledger import Records, Span, Turn, members
from monitor.core.model import Inventory, Role
from monitor.inventory.load import load_inventory
from monitor.recording import read
from monitor.replay import Replay

CONFIG = Path(__file__).parents[2] / "config"


def small_province(communes: int) -> Inventory:
    """The example province with its first communes only."""
    whole = load_inventory(CONFIG / "inventory", None)
    kept = [site for site in whole.sites if whole.sites[site].kind == "commune"][:communes]
    sites = {id_: site for id_, site in whole.sites.items() if site.kind != "commune" or id_ in kept}
    targets = {id_: each for id_, each in whole.targets.items() if each.site in sites}
    return Inventory(sites=sites, targets=targets, providers=whole.providers)


def test_the_replay_of_a_simulated_half_day_gives_the_very_same_events(tmp_path: Path) -> None:
    inventory = small_province(6)
    out = tmp_path / "day.jsonl.gz"
    simulated = write(inventory, 1, 0.5, out)
    replay = Replay(inventory)
    assert list(replay.events(read(out))) == simulated
    assert len(simulated) > 10
    assert replay.foreign == []
    faults = json.loads((tmp_path / "day.jsonl.gz.faults.json").read_text())
    assert {"line", "power"} <= {each["kind"] for each in faults}


# -- the report of a month against the truth -------------------------------------------------------------------------

LATE = timedelta(seconds=2.5)
"""A line is asked each second and has one to answer, so its cut, and its end, show up to two seconds later; …"""
UNSEEN = timedelta(seconds=3)
"""… what is shorter may fall between two echoes, …"""
BLINK = timedelta(seconds=1)
"""… and three echoes that are lost in a burst look like a cut for less than this."""


def observed(inventory: Inventory, plan: Plan, days: float) -> list[Entry]:
    """What the ledger holds of a simulated time."""
    simulated = Month(inventory, plan, 2, days)
    incidents = {event.incident.id: event.incident for *_, events in simulated.run() for event in events}
    turns: dict[str, list[Turn]] = {}
    for number, each in enumerate(simulated.held):
        turns.setdefault(each.target, []).append(Turn(number, each.state, each.since, each.at or each.since))
    span = Span(BEGIN, BEGIN + timedelta(days=days))
    known = Records(
        runs=[span], members=members(inventory, BEGIN), turns=turns, incidents=tuple(incidents.values())
    )  # fmt: skip
    return entries(known, span, hurting(known.incidents))


def hurts(inventory: Inventory, plan: Plan, line: str, *effects: Effect) -> Iterator[Span]:
    """When the line, or what is in front of it, was really hurt so; while we were blind nobody can know."""
    graph = Graph(inventory.targets)
    way = {line, *graph.ancestors(line)} - {*graph.vantages}
    for each in (hurt for fault in plan.faults for hurt in fault.hurts):
        if each.node in way and each.effect in effects:
            yield Span(*(BEGIN + timedelta(seconds=at) for at in (each.at, each.until)))


def test_the_outages_of_lines_in_a_report_are_those_that_really_were() -> None:
    inventory = small_province(6)
    plan = Drawer(inventory, 2, 2).draw()
    plan.gaps, plan.inconclusive, plan.steps = [], [], []  # in these the truth cannot be seen
    lines = [each for each in observed(inventory, plan, 2) if each.member.role is Role.LINK]
    cuts = 0
    for each in lines:
        real = list(hurts(inventory, plan, each.member.target, Effect.CUT))
        lossy = list(hurts(inventory, plan, each.member.target, Effect.LOSS))
        told = [outage for outage in each.outages if outage.lasted > BLINK and not any(map(_during(outage), lossy))]
        for cut in real:
            found = [outage for outage in told if _during(outage)(cut)]
            assert len(found) == 1 or cut.until - cut.since < UNSEEN, (each.member.target, cut)
            assert all(_late(outage.since, cut.since) and _late(outage.until, cut.until) for outage in found)
            cuts += len(found)
        assert sum(len([outage for outage in told if _during(outage)(cut)]) for cut in real) == len(told)
        lost = sum((cut.until - cut.since for cut in real), timedelta())
        seen = sum((outage.lasted for outage in told), timedelta())
        assert abs(lost - seen) <= LATE * len(real)
    assert cuts > 20


def _during(outage: Outage) -> Callable[[Span], bool]:
    return lambda real: real.since < outage.until and outage.since < real.until + LATE


def _late(seen: datetime, real: datetime) -> bool:
    return timedelta() <= seen - real <= LATE
