"""That mails are counted as somebody would get them: what leaves at once, in which digest the rest is, and how late."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bench.wishes import MARKED, WISHES, post, row
from monitor.core.model import Happening, Inventory, Severity
from tests.alerts.night import life
from tests.alerts.sample import INCIDENT, inventory

MAJOR = replace(INCIDENT, id="major", severity=Severity.MAJOR)
SPARE = replace(MAJOR, id="spare", root="xa-kim-dong/internet", impact=())
LINES = [(5, Happening.OPENED), (50, Happening.RECOVERED)]
"""Minutes from noon."""


def known() -> Inventory:
    found = inventory()
    line = replace(found.targets[INCIDENT.root], id=SPARE.root, kind="internet")
    return replace(found, targets={**found.targets, line.id: line})


def test_each_wish_counts_what_leaves_and_when_the_rest_is_told() -> None:
    events = sorted(
        (each for incident in (INCIDENT, MAJOR, SPARE) for each in life(LINES, incident)), key=lambda each: each.at
    )
    posts = {name: post(events, known(), wish) for name, wish in WISHES.items()}
    assert [len(each.mails) for each in posts.values()] == [6, 5, 3, 2, 2, 1]
    assert [sorted(each.at_once) for each in posts.values()] == [
        [INCIDENT.id, "major", "spare"], ["major", "spare"], ["major", "spare"], ["major"], ["major"], [],
    ]  # fmt: skip
    assert posts[MARKED].first["spare"] == timedelta(hours=18, minutes=55)
    assert row({7: posts[MARKED]}, faults=3, told=1, plain=20) == {
        "seed 7": 2, "digests among them": 1, "mails/fault": 0.67, "of for: 1m %": 10.0, "faults told at once %": 33.3,
        "the others after h p50": 18.9, "max": 18.9,
    }  # fmt: skip
