"""The pace of counters."""

from __future__ import annotations

from monitor.core.pace import Pace


def test_nothing_is_known_before_it_was_told_twice() -> None:
    pace = Pace()
    assert pace.per_second() == {}
    pace.tell(10.0, {"icmp": 5})
    assert pace.per_second() == {}
    pace.tell(12.0, {"icmp": 9, "http": 3})
    assert pace.per_second() == {"icmp": 2.0, "http": 1.5}


def test_it_is_the_mean_over_the_last_minute() -> None:
    pace = Pace(over_seconds=60.0)
    for second in range(0, 301, 5):
        pace.tell(float(second), {"icmp": 100 * min(second, 200)})
    assert pace.per_second() == {"icmp": 0.0}
    pace.tell(305.0, {"icmp": 20_000 + 6_000})
    assert pace.per_second() == {"icmp": 100.0}


def test_one_that_was_silent_for_long_tells_the_mean_since_then() -> None:
    pace = Pace(over_seconds=60.0)
    pace.tell(0.0, {"icmp": 0})
    pace.tell(600.0, {"icmp": 600})
    assert pace.per_second() == {"icmp": 1.0}
