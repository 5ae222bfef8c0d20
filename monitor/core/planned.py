"""When what is planned: the windows of maintenance by target, found as time goes on.

A recurrence may go on for years, so its windows are never listed: of each entry only the one that is now or next is known,
and all that is asked is a look into a table until the next window begins or ends. Pure: time comes in with each call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from monitor.core.model import Maintenance, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One time of planned work, and what it is about."""

    window: Window
    targets: frozenset[str]


@dataclass(slots=True)
class _Series:
    """The windows of one entry; `window` is the first that had not ended at the latest time asked for."""

    entry: Maintenance
    _starts: Iterator[datetime]
    window: Window | None = None
    after: datetime | None = None
    """Where the window before it ended."""

    def at(self, now: datetime) -> Window | None:
        """The window that is now or next; None when the last is over."""
        if self.after is not None and now < self.after:  # the clock was set back
            self._starts, self.window, self.after = iter(self.entry.starts), None, None
        if self.window is None and self.after is None:
            self._step()
        while self.window is not None and self.window.ends <= now:
            self.after = self.window.ends
            self._step()
        return self.window

    def _step(self) -> None:
        start = next(self._starts, None)
        self.window = None
        if start is not None:
            begins = start.astimezone(UTC)
            self.window = Window(begins=begins, ends=begins + self.entry.lasts, reason=self.entry.reason)


class Planned:
    """Which targets are in maintenance; asked with times that mostly go forward."""

    def __init__(self, maintenance: Iterable[Maintenance] = ()) -> None:
        self._series = [_Series(each, iter(each.starts)) for each in maintenance]
        self._now: dict[str, Window] = {}
        self._pending: frozenset[str] = frozenset()
        self._from: datetime | None = None
        self._until: datetime | None = None
        """The tables hold from then until then; None: without end."""

    def __call__(self, target: str, now: datetime) -> Window | None:
        """The window in which a target is now; of several the one that ends last. A window begins at its begin and is
        over at its end.
        """
        return self.at(now).get(target) if self._series else None

    def at(self, now: datetime) -> Mapping[str, Window]:
        """The targets that are in maintenance now."""
        if self._from is None or now < self._from or (self._until is not None and now >= self._until):
            self._look(now)
        return self._now

    def known(self, now: datetime) -> dict[str, bool]:
        """The targets that have a window now or later: whether it is now."""
        current = self.at(now)
        return {target: target in current for target in sorted(self._pending)}

    def works(self, now: datetime) -> list[Work]:
        """Of each entry the work that goes on now or comes next, the first begin first."""
        found = [
            Work(window=window, targets=series.entry.targets)
            for series in self._series
            if (window := series.at(now)) is not None
        ]
        return sorted(found, key=lambda each: each.window.begins)

    def _look(self, now: datetime) -> None:
        found: dict[str, Window] = {}
        changes: list[datetime] = []
        pending: set[str] = set()
        for series in self._series:
            window = series.at(now)
            if window is None:
                continue
            pending |= series.entry.targets
            if window.begins > now:
                changes.append(window.begins)
                continue
            changes.append(window.ends)
            for target in series.entry.targets:
                if target not in found or found[target].ends < window.ends:
                    found[target] = window
        self._now, self._pending = found, frozenset(pending)
        self._from, self._until = now, min(changes, default=None)
