"""How rare full runs of Python's collector of cycles are."""

from __future__ import annotations

import gc

from monitor.collector import SHARE, FullRuns


def test_a_long_run_of_the_collector_puts_off_the_next_and_a_short_one_of_what_is_young_does_not() -> None:
    usual = gc.get_threshold()
    now = [100.0]
    runs = FullRuns(lambda: now[0])
    gc.callbacks.append(runs)
    gc.callbacks.append(lambda phase, _: now.__setitem__(0, now[0] + 0.25) if phase == "start" else None)
    try:
        gc.collect(1)
        assert gc.get_threshold() == usual
        gc.collect()
        assert gc.get_threshold()[:2] == usual[:2]
        assert gc.get_threshold()[2] > 1_000_000
        now[0] += 0.25 / SHARE - 1
        runs.look()
        assert gc.get_threshold() != usual, "not yet"
        now[0] += 1
        runs.look()
        assert gc.get_threshold() == usual
    finally:
        del gc.callbacks[-2:]
        gc.set_threshold(*usual)
