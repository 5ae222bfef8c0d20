"""The order in which scenarios break things; what they do to a real province is in tests/system."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.province import Province
from lab.scenarios import SCENARIOS, commune, take
from monitor.inventory.load import load_inventory

CONFIG = Path(__file__).parents[2] / "config"


class Watched(Province):
    """A province that notes what is done to it, and whose daemon is slow to see it."""

    def __init__(self, answers: Iterator[str]) -> None:
        self.inventory = load_inventory(CONFIG / "inventory", None)
        self.done: list[str] = []
        self._answers = answers

    def on_battery(self, *ups: str) -> None:
        self.done += [f"battery {each}" for each in ups]

    def cut(self, *targets: str) -> None:
        self.done += [f"cut {each}" for each in targets]

    def get(self, path: str) -> Any:
        self.done.append(path)
        return {"targets": [{"says": next(self._answers)}]}


def test_a_power_cut_goes_dark_only_after_the_daemon_has_seen_the_battery() -> None:
    province, noted = Watched(iter(("", "on-battery"))), list[str]()
    take(SCENARIOS["power-cut"].steps, province, noted.append)
    site = commune(province)
    asked = f"/api/v1/targets?site={site}&kind=ups"
    assert province.done == [f"battery {site}/ups", asked, asked, f"cut {site}/tslcd", f"cut {site}/internet"]
    assert noted == [step.what for step in SCENARIOS["power-cut"].steps]
