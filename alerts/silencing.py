"""PURE: what silences hold back of what happens, and what of that is told when they are over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from alerts.policy import silence_of, withhold
from monitor.core.model import Happening, Incident, IncidentEvent, Inventory, Silence
from monitor.core.rename import silence_as


class Silencing:
    """The silences in force, and what they hold back; the daemon and a replay have the same."""

    def __init__(
        self, inventory: Inventory, silences: Iterable[Silence] = (), untold: Mapping[str, Happening] | None = None
    ) -> None:
        """`untold` is what was held back of open incidents, by their ids."""
        self.in_force = [silence_as(each, inventory) for each in silences]
        self.untold = dict(untold or {})

    def rename(self, inventory: Inventory) -> None:
        """Let them be about the present ids."""
        self.in_force = [silence_as(each, inventory) for each in self.in_force]

    def lift(self, number: int) -> None:
        """One of them is over; when there is none of this number, nothing changes."""
        self.in_force = [each for each in self.in_force if each.id != number]

    def about(self, target: str, inventory: Inventory, now: datetime) -> Silence | None:
        """The one that is in force about a target as a root."""
        return silence_of(inventory.targets.get(target), inventory, self.in_force, now)

    def tell(self, event: IncidentEvent, inventory: Inventory) -> IncidentEvent | None:
        """What of it somebody may be told now; None: nothing.

        What was seen before a silence and is decided after it is silent too.
        """
        now = max((event.at, *(each.begins for each in self.in_force)))
        silent = self.about(event.incident.root, inventory, now) is not None
        what, untold = withhold(event.what, self.untold.pop(event.incident.id, None), silent=silent)
        if untold is not None:
            self.untold[event.incident.id] = untold
        return replace(event, what=what) if what is not None else None

    def over(self, open_ones: Iterable[Incident], inventory: Inventory, now: datetime) -> Iterator[IncidentEvent]:
        """Forget those that are over, and tell what they held back of the incidents that are open."""
        self.in_force = [each for each in self.in_force if now < each.ends]
        for incident in open_ones if self.untold else ():
            what = self.untold.get(incident.id)
            if what is not None and self.about(incident.root, inventory, now) is None:
                told = self.tell(IncidentEvent(incident=incident, what=what, at=now), inventory)
                if told is not None:
                    yield told
