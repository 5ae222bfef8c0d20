"""The last call of a room: what is kept of a call that runs, and when it counts as over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.core.model import Outcome
from probes.engine.lastcall import (
    CALLS,
    JITTER,
    LAST,
    LOSS,
    MOST_COUNTERS,
    MOST_SECONDS,
    SO_FAR,
    Calls,
    Counters,
    Read,
)
from probes.wire import mib
from tests.probes.agent import Agent, Value, number
from tests.probes.peers import ask

BEGINS = datetime(2026, 11, 28, 1, 0, tzinfo=UTC)
STREAM = ("call-loss", "8.1.2")
TOTAL_LOSS, WORST_LOSS = f"{LAST}_loss_ratio", f"{LAST}_worst_loss_ratio"


class Room:
    """A room that is read once a minute, or when a test says."""

    def __init__(self) -> None:
        self.calls, self.at = Calls(), 0.0

    def read(
        self,
        calls: float | None = 0,
        loss: float | None = None,
        jitter: float | None = None,
        counters: Counters | None = None,
        *,
        after: float = 60,
        rebooted: bool = False,
    ) -> dict[str, float]:
        """The measurements after one more read; what is None is not told."""
        self.at += after
        told = {CALLS: calls, LOSS: loss, JITTER: jitter}
        self.calls.note(
            Read(
                at=self.at,
                now=BEGINS + timedelta(seconds=self.at),
                values={name: value for name, value in told.items() if value is not None},
                counters=counters or {},
                rebooted=rebooted,
            )
        )
        return self.calls.values()


def test_a_call_is_told_when_it_is_over_and_until_the_next_one_is() -> None:
    room = Room()
    assert room.read() == room.read(1, 0.01, 0.004) == room.read(1, 0.04, 0.010) == {}
    over = room.read()
    assert over == pytest.approx(
        {
            TOTAL_LOSS: 0.025, WORST_LOSS: 0.04,
            f"{LAST}_jitter_seconds": 0.007, f"{LAST}_worst_jitter_seconds": 0.010,
            f"{LAST}_began_timestamp_seconds": BEGINS.timestamp() + 120,
            f"{LAST}_ended_timestamp_seconds": BEGINS.timestamp() + 180,
        }
    )  # fmt: skip
    assert str(room.calls) == (
        "last call 28/11 08:02 to 08:03 (UTC+0700), lost 2.5 %, at worst 4 %, jitter 7 ms, at worst 10 ms"
    )
    assert room.read(1, 0.5) == room.read(1, 0.5) == over
    assert room.read()[TOTAL_LOSS] == 0.5


def test_a_read_stands_for_the_time_since_the_one_before_but_not_for_hours_in_which_nothing_was_read() -> None:
    room = Room()
    room.read()
    room.read(1, 0.0)
    room.read(1, 0.3, after=15)
    assert room.read()[TOTAL_LOSS] == pytest.approx(0.3 * 15 / 75)
    room.read(1, 0.0)
    room.read(1, 0.3, after=7200)
    assert room.read()[TOTAL_LOSS] == pytest.approx(0.3 * MOST_SECONDS / (MOST_SECONDS + 60))


def test_a_restart_of_the_monitor_in_the_midst_of_a_call_keeps_what_it_reads_from_then_on() -> None:
    room = Room()
    room.read(1, 0.2)
    room.read(1, 0.0, after=0.01)  # asked again at once: hardly weighs, and does no harm
    assert room.read()[TOTAL_LOSS] == pytest.approx(0.1)


def test_a_clock_that_is_set_during_a_call_leaves_it_its_length() -> None:
    calls = Calls()
    for at, now, running in ((0.0, datetime(1970, 1, 1, tzinfo=UTC), 1), (60.0, BEGINS, 1), (120.0, BEGINS, 0)):
        calls.note(Read(at=at, now=now, values={CALLS: running, LOSS: 0.1}, counters={}, rebooted=False))
    told = calls.values()
    assert told[f"{LAST}_ended_timestamp_seconds"] == BEGINS.timestamp()
    assert told[f"{LAST}_began_timestamp_seconds"] == BEGINS.timestamp() - 60


def test_a_read_that_does_not_tell_whether_there_is_a_call_ends_none() -> None:
    room = Room()
    room.read(1, 0.1)
    assert room.read(None) == {}
    room.read(1, 0.1)
    assert room.read()[f"{LAST}_ended_timestamp_seconds"] == BEGINS.timestamp() + 180


def test_a_room_that_starts_anew_ends_its_call() -> None:
    room = Room()
    room.read(1, 0.1)
    assert room.read(1, 0.2, rebooted=True)[TOTAL_LOSS] == 0.1
    assert room.read()[TOTAL_LOSS] == 0.2


def test_several_calls_at_once_are_one_from_the_first_to_the_last() -> None:
    room = Room()
    for calls, loss in ((1, 0.0), (3, 0.2), (1, 0.1)):
        assert room.read(calls, loss) == {}
    assert room.read()[WORST_LOSS] == 0.2


def test_a_call_of_which_nothing_was_read_does_not_hide_the_one_before() -> None:
    room = Room()
    room.read(1, 0.1)
    before = room.read()
    room.read(1)
    assert room.read() == before


def test_counters_tell_the_loss_of_all_the_call_and_not_just_of_the_reads() -> None:
    room = Room()
    room.read(1, 0.0, counters={STREAM: (50, 1000)})
    room.read(1, 0.0, counters={STREAM: (100, 2000), ("call-loss", "8.2.2"): (0, 2000)})
    over = room.read()
    assert over[TOTAL_LOSS] == over[WORST_LOSS] == 100 / 4000, "the worst is no less, whatever was read"
    room.read(1, counters={STREAM: (10, 1000)})
    assert room.read()[TOTAL_LOSS] == 0.01, "of this call alone, and without a read of the loss"


def test_counters_that_start_anew_or_pause_are_counted_through() -> None:
    room = Room()
    room.read(1, counters={STREAM: (50, 1000)})
    room.read(1, counters={})
    room.read(1, counters={STREAM: (60, 1500)})
    room.read(1, counters={STREAM: (5, 500)})
    assert room.read()[TOTAL_LOSS] == 65 / 2000


def test_a_room_that_makes_up_rows_does_not_fill_the_memory() -> None:
    room = Room()
    for run in range(20):
        room.read(1, counters={("call-loss", f"{run}.{row}"): (0, 1) for row in range(256)})
    assert room.calls._running is not None
    assert len(room.calls._running.seen) < MOST_COUNTERS + 256


COLUMN = "1.3.6.1.4.1.99999.1"
VALUES: dict[str, Any] = {
    "calls": {"metric": CALLS, "object": f"{COLUMN}.1.0"},
    "loss": {"metric": LOSS, "column": f"{COLUMN}.2", "scale": 0.01, "take": "max", "none": 0},
}


async def test_what_the_inventory_says_of_a_room_that_tells_nothing_is_no_read_of_it() -> None:
    memory: dict[str, Any] = {}
    up: dict[str, Value] = {mib.SYS_UPTIME: number(99900, 0x43)}
    async with Agent(up) as agent:
        for calls, losses in ((1, {}), (1, {"3": 4}), (0, {})):
            agent.put(
                {
                    **up,
                    f"{COLUMN}.1.0": number(calls),
                    **{f"{COLUMN}.2.{row}": number(each) for row, each in losses.items()},
                }
            )
            result = await ask("snmp", community={"file": "c"}, port=agent.port, values=VALUES, memory=memory)
    assert result.outcome is Outcome.OK
    assert (result.values[LOSS], result.values[TOTAL_LOSS], result.values[WORST_LOSS]) == pytest.approx((0, 0.04, 0.04))
    assert "lost 4 %, at worst 4 %" in result.evidence


async def test_a_room_that_has_more_left_than_there_is_tells_no_loss() -> None:
    memory: dict[str, Any] = {}
    up: dict[str, Value] = {mib.SYS_UPTIME: number(99900, 0x43)}
    values = VALUES | {"loss": {"metric": SO_FAR, "object": f"{COLUMN}.3.0", "of": f"{COLUMN}.4.0", "free": True}}
    async with Agent(up) as agent:
        for calls in (1, 0):
            agent.put({**up, f"{COLUMN}.1.0": number(calls), f"{COLUMN}.3.0": number(10), f"{COLUMN}.4.0": number(4)})
            result = await ask("snmp", community={"file": "c"}, port=agent.port, values=values, memory=memory)
    assert result.values[CALLS] == 0
    assert TOTAL_LOSS not in result.values
