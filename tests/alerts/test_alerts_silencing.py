"""What silences hold back, and until when."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from alerts.silencing import Silencing
from monitor.core.model import Happening, Silence
from tests.alerts.sample import INCIDENT, NOW, event, inventory

SILENCE = Silence(id=1, target=INCIDENT.root, begins=NOW, ends=NOW + timedelta(hours=1), reason="r", by="hoa")


def test_what_was_seen_before_a_silence_and_is_decided_after_it_is_silent_too() -> None:
    silencing = Silencing(inventory(), [SILENCE])
    assert silencing.tell(replace(event(), at=NOW - timedelta(seconds=2)), inventory()) is None
    assert silencing.untold == {INCIDENT.id: Happening.OPENED}


def test_what_was_held_back_is_told_once_when_the_last_silence_about_it_is_over() -> None:
    other = replace(SILENCE, id=2, target="", site=INCIDENT.root.partition("/")[0], ends=NOW + timedelta(hours=2))
    silencing = Silencing(inventory(), [SILENCE, other])
    silencing.tell(event(), inventory())
    assert list(silencing.over([INCIDENT], inventory(), SILENCE.ends)) == []
    silencing.lift(2)
    (told,) = silencing.over([INCIDENT], inventory(), SILENCE.ends)
    assert (told.what, told.at) == (Happening.OPENED, SILENCE.ends)
    assert list(silencing.over([INCIDENT], inventory(), SILENCE.ends)) == []
    assert (silencing.in_force, silencing.untold) == ([], {})
