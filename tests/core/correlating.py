"""A small province, and a correlator that is told what turns in it and when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from monitor.core.correlate import Correlator
from monitor.core.model import (
    ONLY_MAILED,
    Cause,
    Happening,
    Incident,
    IncidentEvent,
    Inventory,
    Reason,
    Role,
    Site,
    State,
    StateChange,
    Target,
)

T0 = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
COMMUNES = ("a", "b", "c")
OPENED, CHANGED, RECOVERED, REOPENED, WITHDRAWN, ACKNOWLEDGED, UNACKNOWLEDGED = (
    each for each in Happening if each not in ONLY_MAILED
)


def target(id_: str, role: Role, kind: str, *behind: str, vantage: bool = False) -> Target:
    site, _, name = id_.partition("/")
    return Target(id=id_, site=site, name=name, role=role, kind=kind, behind=behind, vantage=vantage)


def commune(site: str, *, two_ways: bool = False) -> list[Target]:
    ways = (f"{site}/tslcd", f"{site}/internet") if two_ways else (f"{site}/tslcd",)
    return [
        # Children first: the correlator must not lean on the order of the inventory.
        target(f"{site}/ups", Role.DEVICE, "ups", f"{site}/switch"),
        target(f"{site}/vc-endpoint", Role.DEVICE, "vc-endpoint", f"{site}/switch"),
        target(f"{site}/switch", Role.DEVICE, "switch", f"{site}/router"),
        target(f"{site}/router", Role.DEVICE, "router", *ways),
        target(f"{site}/tslcd", Role.LINK, "tslcd", "pop/router"),
        target(f"{site}/internet", Role.LINK, "internet", "centre/edge"),
        target(f"{site}/website", Role.SERVICE, "website", "centre/hosting"),
    ]


def province(*communes: str, two_ways: bool = False) -> Inventory:
    targets = [
        *(each for site in communes or COMMUNES for each in commune(site, two_ways=two_ways)),
        target("pop/router", Role.DEVICE, "router", "centre/core"),
        target("centre/documents", Role.SERVICE, "doc-management", "centre/core"),
        target("centre/hosting", Role.DEVICE, "server", "centre/core"),
        target("centre/core", Role.DEVICE, "router", "centre/gateway"),
        target("centre/edge", Role.DEVICE, "router", "centre/gateway"),
        target("centre/gateway", Role.DEVICE, "gateway", vantage=True),
    ]
    return Inventory(
        sites={each.site: Site(id=each.site, name=each.site) for each in targets},
        targets={each.id: each for each in targets},
        providers={},
    )


class Replay:
    """A correlator that is told what turns when, and ticks every half second as the daemon does."""

    def __init__(self, inventory: Inventory | None = None, open_incidents: Iterable[Incident] = (), well: bool = True):
        self.inventory = inventory or province()
        self.correlator = Correlator(self.inventory, open_incidents)
        self.second = 0.0
        self.events: list[IncidentEvent] = []
        self.own: dict[str, StateChange] = {}
        self.rechecked: set[str] = set()
        if well:
            self.turn(State.UP, *self.inventory.targets)

    @property
    def now(self) -> datetime:
        return T0 + timedelta(seconds=self.second)

    def _take(self, decision) -> None:
        self.events += decision.events
        self.rechecked |= decision.recheck

    def turn(self, new: State, *targets: str, reason: Reason = Reason.TIMEOUT, says: str = "", after: float = 0.0):
        """Each target turns, sure now, `after` seconds after it began; as from the judge, only what is new is told."""
        for each in targets:
            before = self.own.get(each)
            change = StateChange(
                target=each,
                at=self.now,
                since=before.since if before and before.new is new else self.now - timedelta(seconds=after),
                old=before.new if before else State.UNKNOWN,
                new=new,
                reason=Reason.OK if new is State.UP else Reason.LIMIT if says else reason,
                says=says,
                evidence=f"{new} {says}".strip(),
            )
            if before is None or (before.new, before.reason, before.says) != (change.new, change.reason, change.says):
                self.own[each] = change
                self._take(self.correlator.changed(change, self.now))

    def down(self, *targets: str, **changes) -> None:
        self.turn(State.DOWN, *targets, **changes)

    def degraded(self, *targets: str, says: str = "", **changes) -> None:
        self.turn(State.DEGRADED, *targets, says=says, **changes)

    def up(self, *targets: str, **changes) -> None:
        self.turn(State.UP, *targets, **changes)

    def wait(self, seconds: float | timedelta) -> None:
        """Let time pass."""
        end = self.second + (seconds.total_seconds() if isinstance(seconds, timedelta) else seconds)
        while self.second < end:
            self.second = min(self.second + 0.5, end)
            self._take(self.correlator.tick(self.now))

    def state(self, id_: str) -> State:
        return self.correlator.held[id_].state

    def states(self, ids: Iterable[str]) -> set[State]:
        return {self.state(each) for each in ids}

    def behind(self, id_: str) -> tuple[str, ...]:
        return self.correlator.graph.behind(id_)

    @property
    def open(self) -> tuple[Incident, ...]:
        return self.correlator.incidents()

    @property
    def told(self) -> list[tuple[Happening, str, Cause]]:
        return [(each.what, each.incident.root, each.incident.cause) for each in self.events]

    def the_only(self) -> Incident:
        """The one open incident."""
        (incident,) = self.open
        return incident


def cut(replay: Replay, root: str, *, every: float = 0.0) -> None:
    """The root and then everything behind it goes silent, nearest first."""
    for each in (root, *replay.behind(root)):
        replay.down(each)
        if every:
            replay.wait(every)


def mend(replay: Replay, root: str, *, but: str = "") -> None:
    """The root answers again, and everything behind it except what is behind another."""
    dead = {but, *replay.behind(but)} if but else set()
    replay.up(*(each for each in (root, *replay.behind(root)) if each not in dead))
