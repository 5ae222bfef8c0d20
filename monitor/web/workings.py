"""What the monitor itself is doing, in the API."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict

from monitor.web.api import Json, Query
from monitor.web.view import View, Workings
from monitor.web.words import machine_time


def monitor(view: View, pairs: Collection[tuple[str, str]]) -> Json:
    """Answer of /api/v1/monitor."""
    Query(pairs, ())
    return workings_json(view.workings())


def workings_json(found: Workings) -> Json:
    """The fields of `Workings`, times as text."""
    return {
        **asdict(found),
        "started": machine_time(found.started),
        "reloaded": machine_time(found.reloaded),
        "signs": [{"way": way, "result": result, "at": machine_time(at)} for way, (result, at) in found.signs.items()],
    }
