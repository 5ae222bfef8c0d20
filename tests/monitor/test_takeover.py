"""What a start finds of the daemon before it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.store import Store
from monitor.takeover import take_over
from tests.alerts.sample import NOW

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("starts", "resumed"),
    [
        ([0 * HOUR], None),
        ([0 * HOUR, 10 * SECOND, 20 * SECOND], None),
        ([0 * HOUR, HOUR], HOUR),
        ([0 * HOUR, HOUR, HOUR + 10 * SECOND], HOUR),
        ([0 * HOUR, HOUR, 3 * HOUR, 3 * HOUR + SECOND], 3 * HOUR),
        ([0 * HOUR, -HOUR], -HOUR),
        ([0 * HOUR, HOUR, -HOUR], -HOUR),
        ([0 * HOUR, -HOUR, -HOUR + SECOND], -HOUR),
    ],
    ids=str,
)
async def test_it_is_known_when_a_daemon_came_back_that_had_been_away(
    starts: list[timedelta], resumed: timedelta | None, store: Store
) -> None:
    """Each lives for a moment; a clock that was set while none ran is a gap too."""
    for start in starts:
        before = await take_over(store, NOW + start)
    assert before.resumed == (None if resumed is None else NOW + resumed)
