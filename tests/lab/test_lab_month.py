"""That the simulated month can be replayed from its recording."""

from __future__ import annotations

import json
from pathlib import Path

from lab.month import write
from monitor.core.model import Inventory
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
