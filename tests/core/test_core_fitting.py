"""Which profile fits a new piece of equipment."""

from __future__ import annotations

import pytest

from monitor.core.fitting import best_profiles
from monitor.core.model import Profile

CISCO = "1.3.6.1.4.1.9"
PROFILES = (
    Profile(id="cisco-router", kind="router", object_ids=(CISCO,)),
    Profile(id="cisco-switch", kind="switch", object_ids=(CISCO,), descriptions=("C2960", "Catalyst L3 Switch")),
    Profile(id="cisco-room", kind="vc-endpoint", object_ids=(f"{CISCO}.6",)),
    Profile(id="printer", kind="printer", descriptions=("LaserJet",)),
    Profile(id="printer-again", kind="printer", descriptions=("LASERJET",)),
    Profile(id="line", kind="tslcd"),
)


@pytest.mark.parametrize(
    ("object_id", "description", "kind", "found"),
    [
        (f"{CISCO}.1.5", "", "", ("cisco-router",)),
        (f"{CISCO}.1.5", "Cisco IOS Software, c2960 Software", "", ("cisco-switch",)),
        (f"{CISCO}.1.5", "Cisco IOS Software, c2960 Software", "router", ("cisco-router",)),
        (f"{CISCO}.6.1", "C2960", "", ("cisco-room",)),
        (CISCO, "", "", ("cisco-router",)),
        (f"{CISCO}9.1", "", "", ()),
        ("", "WS-C2960-24TC-L", "", ("cisco-switch",)),
        (f"{CISCO}9.1", "WS-C2960-24TC-L", "", ()),
        ("", "HP LaserJet Pro", "", ("printer", "printer-again")),
        ("", "HP LaserJet Pro", "ups", ()),
        ("", "", "", ()),
    ],
)
def test_the_profile_that_says_most_is_taken(
    object_id: str, description: str, kind: str, found: tuple[str, ...]
) -> None:
    assert best_profiles(PROFILES, object_id=object_id, description=description, kind=kind) == found
