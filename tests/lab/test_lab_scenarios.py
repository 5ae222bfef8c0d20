"""The order in which scenarios break things; what they do to a real province is in tests/system."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

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


class Room(Watched):
    def unregister(self) -> None:
        self.done.append("unregister")

    def unplug_camera(self, room: str) -> None:
        self.done.append(f"camera {room}")

    def get(self, path: str) -> Any:
        assert path.startswith("/api/v1/meetings/")
        return {"rooms": [{"why": "the endpoint says of itself: a camera is missing or fails"}]}

    def lose(self, *targets: str) -> None:
        self.done += [f"lose {each}" for each in targets]

    def call_meeting(self, room: str, before: timedelta) -> None:
        assert before > timedelta(minutes=15), "its one report is still to come"
        self.done.append(f"meeting {room}")


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("room-unregistered", "unregister"), ("poor-call", "lose xa-vi-du/tslcd"),
        ("camera-gone", "camera xa-vi-du/vc-endpoint"),
    ],
)  # fmt: skip
def test_a_meeting_is_called_before_its_room_is_hurt(name: str, fault: str) -> None:
    scenario, province = SCENARIOS[name], Room(iter(()))
    take(scenario.prepare, province, lambda _: None)
    take(scenario.steps, province, lambda _: None)
    assert province.done == ["meeting xa-vi-du", fault]


def test_examples_lie_beside_the_inventory_and_their_room_is_the_real_one(tmp_path: Path) -> None:
    province = Province(tmp_path, CONFIG, lambda _: None, lambda _: None, examples=SCENARIOS["poor-call"].examples)
    room = province.inventory.targets["xa-vi-du/vc-endpoint"]
    assert (province.peers.room, province.peers.room_user) == (room.address, "xa-vi-du")
    (call,) = (each for each in room.checks if each.name == "call")
    assert call.interval_seconds == 30
    (tmp_path / "plain").mkdir()
    plain = Province(tmp_path / "plain", CONFIG, lambda _: None, lambda _: None)
    assert "xa-vi-du/vc-endpoint" not in plain.inventory.targets
    assert (plain.peers.room, plain.peers.room_user) == ("10.64.1.10", "room1")


def test_a_power_cut_goes_dark_only_after_the_daemon_has_seen_the_battery() -> None:
    province, noted = Watched(iter(("", "on-battery"))), list[str]()
    take(SCENARIOS["power-cut"].steps, province, noted.append)
    site = commune(province)
    asked = f"/api/v1/targets?site={site}&kind=ups"
    assert province.done == [f"battery {site}/ups", asked, asked, f"cut {site}/tslcd", f"cut {site}/internet"]
    assert noted == [step.what for step in SCENARIOS["power-cut"].steps]
