"""From a cut to state, incident and mail, in the lab's province with its real servers: at least 30 cuts of different kinds.

The times are those of somebody who asks the daemon twenty times a second: what the board and the metrics can show, when an incident with the
right root and cause is there, and when the relay has its mail.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.harness import Row, Run, quantiles
from lab.province import Province
from lab.sink import Taken
from monitor.core.model import Cause

LOOK_SECONDS = 0.05
PATIENCE_SECONDS = 90.0
CALM_SECONDS = 300.0
"""Longest wait until all is well again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One thing to cut, and what should be said of it."""

    kind: str
    targets: tuple[str, ...]
    """What is silenced, with all behind it; the first is watched."""
    roots: frozenset[str]
    cause: Cause
    own: bool = False


@dataclass(slots=True)
class Times:
    """Seconds from the cuts of one kind."""

    state: list[float] = field(default_factory=list)
    incident: list[float] = field(default_factory=list)
    mail: list[float] = field(default_factory=list)
    right: int = 0
    cuts: int = 0


def plan(province: Province) -> Iterator[Cut]:
    """The cuts, each at another commune, so that none has to wait for the end of the one before."""
    inventory = province.inventory
    communes = iter([each.id for each in inventory.sites.values() if each.kind == "commune"][::3])

    def one(kind: str, name: str, cause: Cause) -> Cut:
        target = f"{next(communes)}/{name}"
        return Cut(kind=kind, targets=(target,), roots=frozenset((target,)), cause=cause)

    for _ in range(8):
        yield one("line of the TSLCĐ", "tslcd", Cause.LINK)
        yield one("internet line", "internet", Cause.LINK)
    for _ in range(4):
        yield one("switch", "switch", Cause.LAN)
        yield one("room", "vc-endpoint", Cause.DEVICE)
    for _ in range(3):
        site = next(communes)
        both = (f"{site}/tslcd", f"{site}/internet")
        yield Cut(
            kind="router, with both lines", targets=both, roots=frozenset((f"{site}/router",)), cause=Cause.DEVICE
        )
    for area in ("Huyện Yên Mô", "Huyện Ý Yên", "Huyện Lý Nhân"):
        sites = [each.id for each in inventory.sites.values() if each.area == area and each.kind == "commune"]
        lines = tuple(f"{each}/internet" for each in sites)
        yield Cut(kind="exchange that no inventory knows", targets=lines, roots=frozenset(lines), cause=Cause.SHARED)
    for pop in ("pop-hai-hau", "pop-kim-son", "pop-vu-ban"):
        router = f"{pop}/router"
        yield Cut(kind="point of presence", targets=(router,), roots=frozenset((router,)), cause=Cause.SHARED)
    yield Cut(kind="core", targets=("center/core",), roots=frozenset(("center/core",)), cause=Cause.SHARED)
    gateway = "center/gateway"
    yield Cut(kind="own gateway", targets=(gateway,), roots=frozenset((gateway,)), cause=Cause.VANTAGE, own=True)


class Watch:
    """Cuts, and looks until state, incident and mail are there."""

    def __init__(self, province: Province, mails: Mapping[str, float]) -> None:
        """`mails` are the times of the first mails by incident."""
        self._province, self._mails = province, mails

    def cut(self, cut: Cut, times: Times) -> None:
        """One cut, mended when all is said."""
        province, known = self._province, {each["id"] for each in self._incidents()}
        began = time.monotonic()
        province.cut_own_uplink() if cut.own else province.cut(*cut.targets)
        times.cuts += 1
        times.state.append(self._until(began, lambda: self._state(cut.targets[0]) in ("down", "unreachable")))
        found: list[dict[str, Any]] = []

        def said() -> bool:
            found[:] = [each for each in self._incidents() if each["id"] not in known and each["root"] in cut.roots]
            return bool(found)

        times.incident.append(self._until(began, said))
        first = found[0] if found else {}
        others = [each for each in self._incidents() if each["id"] not in known and each["id"] != first.get("id")]
        times.right += bool(found) and first["cause"] == cut.cause and not others
        self._until(began, lambda: first.get("id") in self._mails)
        if first.get("id") in self._mails:
            times.mail.append(self._mails[first["id"]] - began)
        province.mend()

    def calm(self) -> None:
        """Wait until nothing is open any more."""
        self._until(time.monotonic(), lambda: not self._incidents(), CALM_SECONDS)

    @staticmethod
    def _until(began: float, seen: Callable[[], bool], patience: float = PATIENCE_SECONDS) -> float:
        while not seen() and time.monotonic() - began < patience:
            time.sleep(LOOK_SECONDS)
        return time.monotonic() - began

    def _incidents(self) -> Sequence[dict[str, Any]]:
        return list(self._province.get("/api/v1/incidents?open=true&limit=200")["incidents"])

    def _state(self, target: str) -> str:
        site = target.partition("/")[0]
        states = {each["id"]: each["state"] for each in self._province.get(f"/api/v1/targets?site={site}")["targets"]}
        return str(states[target])


def measure(run: Run) -> dict[str, Any]:
    """All cuts, as many rounds as asked for."""
    mails: dict[str, float] = {}

    def on_mail(taken: Taken) -> None:
        mails.setdefault(str(taken.message["X-Commune-Monitor-Incident"]), time.monotonic())

    province = Province(run.folder, Path(__file__).parent.parent / "config", on_mail, lambda _: None)
    watch = Watch(province, mails)
    kinds: dict[str, Times] = {}
    try:
        province.start()
        province.wait_ready()
        time.sleep(30)  # the usual round trips are known
        for _ in range(run.rounds or 1):
            for cut in plan(province):
                if cut.cause in (Cause.SHARED, Cause.VANTAGE):  # the others are each at a commune of their own
                    watch.calm()
                watch.cut(cut, kinds.setdefault(cut.kind, Times()))
                print(f"    {cut.kind} {cut.targets[0]}: {_row(kinds[cut.kind])}", flush=True)
            watch.calm()
    finally:
        province.stop()
    return {"tables": {"cuts: seconds from the cut": {name: _row(times) for name, times in kinds.items()}}}


def _row(times: Times) -> Row:
    row: Row = {"cuts": times.cuts, "right root and cause": times.right}
    for name, found in (("state", times.state), ("incident", times.incident), ("mail", times.mail)):
        half, most, _ = quantiles(found)
        row |= {f"{name} p50": round(half, 2), f"{name} p99": round(most, 2)}
    return row
