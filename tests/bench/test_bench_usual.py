"""That what is usual at an hour of the week tells slow lines better than one level for all hours."""

from __future__ import annotations

from bench.usual import LEVELS, lines, score

WEEKS = 4


def test_lines_that_are_slow_at_work_are_told_with_fewer_false_alarms_and_no_more_missed_than_by_one_level() -> None:
    watched = [(line, line.seen(WEEKS)) for line in lines((5.0, 10.0), 2, WEEKS)]
    ours, *plain = (score(watched, WEEKS, kept, 3.0) for kept in LEVELS.values())
    for one in plain:
        assert ours["missed %"] <= one["missed %"]
        assert ours["false a line and week"] * 5 < one["false a line and week"]
