"""icmp: the continuous echo and the single one, against addresses in a namespace of the test's own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from monitor.core.model import Outcome, Reason
from probes import registry
from probes.engine import echo, echo_socket
from probes.engine.echo import BURST, HOP_LIMIT, JITTER, NOT_ALLOWED, RTT, EchoStream
from probes.icmp import IcmpOptions
from probes.registry import Request, Result
from tests.probes.peers import (
    HOP,
    NEAR,
    Echo,
    Field,
    Responder,
    ask,
    assert_declared,
    echo_reply,
    eventually,
    program,
    run,
)

ONE, TWO, THREE = "10.200.0.1", "10.200.0.2", "10.200.0.3"
ANOTHER = "10.199.0.77"
ROOT = Path(__file__).parents[2]


def _request(address: str, timeout: float = 0.4, size: int = 56) -> Request[Any]:
    return Request(address=address, options=IcmpOptions(size=size), timeout_seconds=timeout)


class Watching:
    """A stream and what it emitted."""

    def __init__(self) -> None:
        self.results: list[tuple[str, Result]] = []
        self.stream = EchoStream(self._emit)

    def _emit(self, id_: str, result: Result, seconds: float) -> None:
        assert seconds >= 0
        assert_declared(registry.load()["icmp"], result)
        self.results.append((id_, result))

    def of(self, id_: str) -> list[Result]:
        return [result for each, result in self.results if each == id_]

    def good(self, id_: str) -> list[Result]:
        return [each for each in self.of(id_) if each.outcome is Outcome.OK]

    def bad(self, id_: str) -> list[Result]:
        return [each for each in self.of(id_) if each.outcome is not Outcome.OK]


@contextlib.asynccontextmanager
async def _watching(
    targets: Mapping[str, str], *, interval: float = 0.05, timeout: float = 0.4, size: int = 56
) -> AsyncIterator[Watching]:
    watching = Watching()
    watching.stream.update({id_: (_request(address, timeout, size), interval) for id_, address in targets.items()})
    task = asyncio.ensure_future(watching.stream.run())
    try:
        yield watching
        assert not task.done()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


# -- the stream --------------------------------------------------------------------------------------------------------


async def test_many_targets_answer_over_one_socket(field: Field) -> None:
    targets = {f"t{index}": f"10.200.0.{index}" for index in range(1, 251)}
    before = _descriptors()
    async with _watching(targets, interval=0.3) as watching:
        await eventually("all answered twice", lambda: all(len(watching.good(id_)) > 1 for id_ in targets))
        assert _descriptors() == before + 1
    assert _descriptors() == before
    assert not [result for _, result in watching.results if result.outcome is not Outcome.OK]
    for id_, address in targets.items():
        assert address in watching.good(id_)[0].evidence
        assert 0 < watching.good(id_)[0].values[RTT] < 20
        assert watching.good(id_)[0].values[HOP_LIMIT] == 64
        assert not watching.good(id_)[0].out_of_turn


async def test_ipv4_and_ipv6_are_watched_together(field: Field) -> None:
    async with _watching({"four": ONE, "six": "fd99::2"}) as watching:
        await eventually("both answered", lambda: bool(watching.good("four") and watching.good("six")))
        assert "fd99::2" in watching.good("six")[0].evidence
        assert watching.good("six")[0].values[HOP_LIMIT] == watching.good("four")[0].values[HOP_LIMIT] == 64


@pytest.mark.parametrize("size", [16, 1472])
async def test_every_size_of_echo_comes_back(field: Field, size: int) -> None:
    async with _watching({"one": ONE}, size=size) as watching:
        await eventually("answered", lambda: bool(watching.good("one")))


async def test_a_target_that_is_cut_off_fails_in_turn_and_in_a_burst_and_comes_back(field: Field) -> None:
    async with _watching({"one": ONE, "two": TWO}, interval=0.3, timeout=0.4) as watching:
        await eventually("both answered", lambda: bool(watching.good("one") and watching.good("two")))
        assert not watching.bad("one")
        field.faults(f"ip daddr {ONE} drop")
        await eventually("in turn", lambda: any(not each.out_of_turn for each in watching.bad("one")))
        await eventually("the burst", lambda: sum(each.out_of_turn for each in watching.bad("one")) >= BURST)
        assert {each.reason for each in watching.bad("one")} == {Reason.TIMEOUT}
        assert f"no echo from {ONE} within 0.4 s" in watching.bad("one")[0].evidence
        assert not watching.bad("two")
        field.faults()
        answered = len(watching.good("one"))
        await eventually("back", lambda: len(watching.good("one")) > answered)


async def test_a_target_that_never_answered_gets_no_bursts(field: Field) -> None:
    field.faults(f"ip daddr {ONE} drop")
    async with _watching({"one": ONE}, interval=0.2, timeout=0.4) as watching:
        await eventually("failures", lambda: len(watching.bad("one")) >= 4)
        assert not any(each.out_of_turn for each in watching.bad("one"))


async def test_a_hop_that_refuses_is_named_and_only_its_target_is_unreachable(field: Field) -> None:
    async with _watching({"one": ONE, "two": TWO, "again": ONE}, interval=0.2) as watching:
        await eventually("all answered", lambda: all(watching.good(each) for each in ("one", "two", "again")))
        field.no_way_to(ONE)
        for id_ in ("one", "again"):
            await eventually(
                "unreachable", lambda id_=id_: any(each.reason is Reason.UNREACHABLE for each in watching.bad(id_))
            )
            told = next(each for each in watching.bad(id_) if each.reason is Reason.UNREACHABLE)
            assert told.evidence == f"{HOP} says about {ONE}: host unreachable"
        assert not watching.bad("two")
        assert watching.stream.counters["refused"] > 0
        await eventually("the burst", lambda: any(each.out_of_turn for each in watching.bad("one")))


async def test_an_address_without_a_route_is_unreachable_by_our_own_host(field: Field) -> None:
    async with _watching({"one": "10.250.0.1"}) as watching:
        await eventually("told", lambda: bool(watching.bad("one")))
        assert watching.bad("one")[0].reason is Reason.UNREACHABLE
        assert "our own host" in watching.bad("one")[0].evidence
        assert watching.stream.counters["send-error"] > 0


async def test_a_name_instead_of_an_address_fails_and_disturbs_nobody(field: Field) -> None:
    async with _watching({"name": "router.example", "two": TWO}) as watching:
        assert [each.reason for each in watching.of("name")] == [Reason.NAME]
        await eventually("answered", lambda: bool(watching.good("two")))


async def test_duplicate_replies_are_counted_and_believed_once(field: Field) -> None:
    async with (
        Responder(field, lambda echo: [(echo.destination, echo.reply())] * 3) as responder,
        _watching({"one": ONE}) as watching,
    ):
        await eventually("some", lambda: watching.stream.counters["duplicate"] >= 4)
        assert len(watching.good("one")) <= len(responder.seen)
        assert not watching.bad("one")
        assert watching.stream.counters["foreign"] == 0


async def test_a_late_reply_is_a_loss_and_is_counted(field: Field) -> None:
    kept: list[Echo] = []

    def keep(echo: Echo) -> list[tuple[str, bytes]]:
        kept.append(echo)
        return []

    async with Responder(field, keep) as responder, _watching({"one": ONE}, interval=0.1, timeout=0.1) as watching:
        await eventually("lost", lambda: bool(watching.bad("one")))
        responder.send(ONE, kept[0].source, kept[0].reply())
        await eventually("late", lambda: watching.stream.counters["late"] == 1)
        assert not watching.good("one")


async def test_foreign_replies_are_ignored(field: Field) -> None:
    def lies(echo: Echo) -> list[tuple[str, bytes]]:
        nonce, number, _ = struct.unpack_from("!8sII", echo.payload)
        another = (echo.sequence + 1) & 0xFFFF
        return [
            (TWO, echo.reply()),  # from an address that was not asked
            (ONE, echo_reply(echo.identifier, echo.sequence, bytes(8) + echo.payload[8:])),  # not our nonce
            (ONE, echo_reply(echo.identifier, another, struct.pack("!8sII", nonce, number, another))),  # never sent
            (ONE, echo_reply(echo.identifier, another, echo.payload)),  # sequences that do not agree
            (ONE, echo_reply(echo.identifier, (echo.sequence - 1) & 0xFFFF, echo.payload)),  # nor here; still in flight
            (ONE, echo_reply(echo.identifier, echo.sequence, struct.pack("!8sII", nonce, 999, echo.sequence))),
            (ONE, echo_reply(echo.identifier, echo.sequence, echo.payload[:15])),  # cut short
            (ONE, echo_reply(echo.identifier ^ 1, echo.sequence, echo.payload)),  # the kernel's filter drops this
        ]

    async with Responder(field, lies), _watching({"one": ONE}, interval=0.1, timeout=0.15) as watching:
        await eventually("losses", lambda: len(watching.bad("one")) >= 3)
        assert not watching.good("one")
        assert watching.stream.counters["foreign"] >= 3 * 6


async def test_a_reply_that_waits_while_the_loop_is_blocked_is_no_loss(field: Field) -> None:
    watching = Watching()
    watching.stream.update({"one": (_request(ONE, timeout=0.1), 0.01), "two": (_request(TWO, timeout=0.1), 0.01)})
    field.faults(f"ip daddr {TWO} drop")
    # No await until the end: the loop is as blocked as it can be, and only the stream's own slice of work runs.
    while watching.stream.counters["sent"] < 2:
        watching.stream._work(time.monotonic())
    time.sleep(0.2)  # beyond the time-out
    while not watching.bad("two"):
        watching.stream._work(time.monotonic())
    assert watching.good("one")
    assert not watching.bad("one")
    assert watching.stream.counters["turn-missed"] > 0
    await _end(watching)


async def test_after_missed_turns_everybody_is_next_in_order_again(field: Field) -> None:
    watching = Watching()
    watching.stream.update({f"t{number}": (_request(f"10.200.0.{number}"), 0.3) for number in range(1, 101)})
    time.sleep(0.75)  # some have missed one turn, others two
    while watching.stream._work(time.monotonic()):
        pass
    due = [each.due for each in watching.stream._turns[0.3]]
    assert watching.stream.counters["turn-missed"] > 100
    assert due == sorted(due)
    await _end(watching)


async def test_what_our_own_full_buffer_lost_says_nothing_about_the_target(
    field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(echo_socket, "RECEIVE_BUFFER", 1)  # the kernel makes it as small as it may be
    watching = Watching()
    targets = {f"t{number}": f"10.200.0.{number}" for number in range(1, 101)}
    watching.stream.update({id_: (_request(address, timeout=0.1), 0.01) for id_, address in targets.items()})
    while watching.stream.counters["sent"] < 100:  # no await, so nothing is read
        watching.stream._take_turns(0.01, time.monotonic())
    time.sleep(0.2)  # beyond the time-out
    while len({id_ for id_, _ in watching.results}) < 100:
        watching.stream._work(time.monotonic())
    bad = [result for _, result in watching.results if result.outcome is not Outcome.OK]
    assert bad
    assert {(each.outcome, each.reason) for each in bad} == {(Outcome.INCONCLUSIVE, Reason.LOCAL)}
    assert watching.stream.counters["overflow"] > 0
    await _end(watching)


async def test_what_was_under_way_when_the_host_slept_says_nothing_about_its_target(
    field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    field.faults(f"ip daddr {ONE} drop")
    watching = Watching()
    watching.stream.update({"one": (_request(ONE, timeout=0.1), 60.0)})
    while not watching.stream.counters["sent"]:
        watching.stream._work(time.monotonic() + 60)
    asleep = echo._asleep()
    monkeypatch.setattr(echo, "_asleep", lambda: asleep + 3600)  # no test machine can be sent to sleep
    watching.stream._work(time.monotonic() + 70)
    watching.stream._work(time.monotonic() + 71)
    assert not watching.results
    assert watching.stream.counters["suspended"] == 1
    await _end(watching)


async def test_what_was_under_way_when_the_wall_clock_was_set_is_answered_but_has_no_round_trip(
    field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(echo, "_ahead", lambda: 1e9)  # the clock of the test machine stays as it is
    watching = Watching()
    watching.stream.update({"one": (_request(ONE), 0.05)})
    while not watching.stream.counters["sent"]:
        watching.stream._work(time.monotonic())
    monkeypatch.setattr(echo, "_ahead", lambda: 1e9 + 0.005)  # within what the echo may have taken
    while len(watching.good("one")) < 2:
        watching.stream._work(time.monotonic())
    first, second = watching.good("one")[:2]
    assert RTT not in first.values
    assert JITTER not in first.values
    assert first.evidence == f"echo from {ONE}, and our clock was set meanwhile"
    assert 0 < second.values[RTT] < 0.4
    await _end(watching)


@pytest.mark.parametrize(
    ("arrived", "ours", "seconds"),
    [(1_020_000_000, 0.03, 0.02), (0, 0.03, 0.03), (990_000_000, 0.03, None), (1_050_000_000, 0.03, None)],
    ids=["as stamped", "no stamp", "before it was sent", "after it was read"],
)
def test_a_round_trip_is_by_the_stamp_unless_that_cannot_be(
    field: Field, arrived: int, ours: float, seconds: float | None
) -> None:
    watching = Watching()
    watching.stream.update({"one": (_request(ONE), 60.0)})
    flight = echo._Flight(watching.stream._watches["one"], 1, 0.0, 1_000_000_000, out_of_turn=False)
    assert echo._round_trip(flight, arrived, ours) == seconds


async def test_after_a_long_pause_every_target_has_its_turn_again_in_its_order(field: Field) -> None:
    watching = Watching()
    targets = {f"t{number}": f"10.200.0.{number}" for number in range(1, 31)}
    watching.stream.update({id_: (_request(address), 0.1) for id_, address in targets.items()})
    now = time.monotonic() + 7.77  # the loop stood still for 77 turns
    while watching.stream._work(now):
        pass
    (queue,) = watching.stream._turns.values()
    due = [watch.due for watch in queue]
    assert due == sorted(due)
    assert all(now < each <= now + 0.1 for each in due)
    assert watching.stream.counters["sent"] == 30
    await _end(watching)


async def test_a_socket_that_could_not_be_opened_is_tried_again(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(echo, "REOPEN_SECONDS", 0.1)
    watching = Watching()
    watching.stream.update({"one": (_request(ONE), 0.05)})
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))  # no descriptor is left
    try:
        while not watching.results:
            watching.stream._work(time.monotonic())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    _, first = watching.results[0]
    assert (first.outcome, first.reason) == (Outcome.INCONCLUSIVE, Reason.LOCAL)
    assert first.evidence == "no IPv4 echo socket: Too many open files"
    async with asyncio.timeout(10):
        while not watching.good("one"):
            watching.stream._work(time.monotonic())
            await asyncio.sleep(0)
    await _end(watching)


async def _end(watching: Watching) -> None:
    """Close the sockets of a stream whose slices the test has driven."""
    task = asyncio.ensure_future(watching.stream.run())
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_jitter_is_the_smoothed_difference_of_round_trips(field: Field) -> None:
    async with _watching({"one": ONE}) as watching:
        await eventually("twenty answers", lambda: len(watching.good("one")) >= 20)
    jitter, before = 0.0, None
    for each in watching.good("one"):
        seconds = each.values[RTT]
        if before is not None:
            jitter += (abs(seconds - before) - jitter) / 16
        before = seconds
        assert each.values[JITTER] == pytest.approx(jitter)


async def test_update_removes_keeps_and_adds(field: Field) -> None:
    watching = Watching()
    kept, gone, changed = _request(ONE), _request(TWO), _request(THREE)
    watching.stream.update({"kept": (kept, 0.05), "gone": (gone, 0.05), "changed": (changed, 0.05)})
    task = asyncio.ensure_future(watching.stream.run())
    await eventually("all answered", lambda: all(watching.good(each) for each in ("kept", "gone", "changed")))
    before = dict(watching.stream._watches)
    watching.stream.update({"kept": (kept, 0.05), "changed": (changed, 0.04), "new": (_request(TWO), 0.05)})
    assert watching.stream._watches["kept"] is before["kept"]
    assert watching.stream._watches["changed"] is not before["changed"]
    watching.results.clear()
    await eventually("twice", lambda: all(len(watching.good(each)) > 1 for each in ("kept", "changed", "new")))
    assert not watching.of("gone")
    watching.stream.update({})
    watching.results.clear()
    await asyncio.sleep(0.15)  # three intervals
    assert not watching.results
    watching.stream.update({"again": (_request(ONE), 0.05)})  # an empty stream has not ended
    await eventually("again", lambda: bool(watching.good("again")))
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_what_answers_a_target_that_is_gone_is_neither_foreign_nor_told(field: Field) -> None:
    kept: list[Echo] = []

    def keep_one(echo: Echo) -> list[tuple[str, bytes]]:
        if echo.destination == ONE:
            kept.append(echo)
            return []
        return [(echo.destination, echo.reply())]

    targets = {"one": ONE, "two": TWO}
    async with Responder(field, keep_one) as responder, _watching(targets, timeout=5.0) as watching:
        await eventually("asked", lambda: bool(kept))
        two = watching.stream._watches["two"]
        watching.stream.update({"two": (two.request, two.interval)})
        watching.stream.update({"two": (two.request, two.interval)})
        responder.send(ONE, kept[0].source, kept[0].reply())
        answered = len(watching.good("two"))
        await eventually("what came later is read", lambda: len(watching.good("two")) > answered + 2)
        assert watching.stream.counters["foreign"] == 0
        assert not watching.of("one")


async def test_echoes_that_overtake_each_other_are_told_apart(field: Field) -> None:
    kept: list[Echo] = []

    def keep(echo: Echo) -> list[tuple[str, bytes]]:
        kept.append(echo)
        return []

    async with Responder(field, keep) as responder, _watching({"one": ONE}, interval=0.06, timeout=5.0) as watching:
        await eventually("more under way than are answered", lambda: len(kept) >= 8)
        for each in reversed(kept[:8]):
            responder.send(ONE, each.source, each.reply())
        await eventually("all answered", lambda: len(watching.good("one")) == 8)
        rtts = [each.values[RTT] for each in watching.good("one")]
        assert rtts == sorted(rtts)
        assert not watching.bad("one")


async def test_sequences_begin_anew_after_the_last(field: Field) -> None:
    async with (
        Responder(field, lambda echo: [(echo.destination, echo.reply())] * 2) as responder,
        _watching({"one": ONE}) as watching,
    ):
        watching.stream._watches["one"].sequence = 0xFFFD
        await eventually("some", lambda: watching.stream.counters["duplicate"] >= 8)
        assert [each.sequence for each in responder.seen][:4] == [0xFFFE, 0xFFFF, 1, 2]
        assert not watching.bad("one")
        assert watching.stream.counters["foreign"] == 0


async def test_of_two_checks_of_an_address_the_one_whose_echo_is_refused_is_told(field: Field) -> None:
    field.faults(f"ip daddr {ONE} meta length > 1000 reject with icmp type host-unreachable")
    watching = Watching()
    watching.stream.update({"small": (_request(ONE), 0.05), "large": (_request(ONE, size=1472), 0.05)})
    task = asyncio.ensure_future(watching.stream.run())
    await eventually("refused", lambda: len(watching.bad("large")) >= 8)
    assert {each.reason for each in watching.bad("large")} == {Reason.UNREACHABLE}
    assert not watching.good("large")
    assert watching.good("small")
    assert not watching.bad("small")
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_recheck_asks_out_of_turn_and_not_more_often_than_a_burst_a_second(field: Field) -> None:
    async with _watching({"one": ONE}, interval=60.0) as watching:
        watching.stream.recheck("one")
        watching.stream.recheck("one")
        watching.stream.recheck("unknown")
        await eventually("the burst", lambda: len(watching.good("one")) >= BURST)
        assert sum(each.out_of_turn for each in watching.good("one")) == BURST


# -- one echo ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [ONE, "fd99::2"])
async def test_one_echo_is_answered(field: Field, address: str) -> None:
    result = await ask("icmp", address)
    assert result.outcome is Outcome.OK
    assert result.values[RTT] > 0
    assert result.evidence.startswith(f"echo from {address} in ")


async def test_one_echo_into_the_dark_is_a_timeout(field: Field) -> None:
    field.faults(f"ip daddr {ONE} drop")
    result = await ask("icmp", ONE, timeout=0.3)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.TIMEOUT)


async def test_one_echo_that_a_hop_refuses_is_unreachable(field: Field) -> None:
    field.no_way_to(ONE)
    result = await ask("icmp", ONE)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.UNREACHABLE)
    assert result.evidence == f"a hop on the way says about {ONE}: Destination host unreachable"


async def test_one_echo_to_an_address_without_a_route_is_unreachable(field: Field) -> None:
    result = await ask("icmp", "10.250.0.1")
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.UNREACHABLE)


async def test_one_echo_to_a_name_is_no_bug(field: Field) -> None:
    result = await ask("icmp", "router.example")
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.NAME)


# -- without the capability --------------------------------------------------------------------------------------------

_CHILD = """
import asyncio, json, os, sys
from probes import registry
from probes.icmp import EchoStream, IcmpOptions
from probes.registry import Request

kind = registry.load()["icmp"]
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
turns, addresses = int(sys.argv[1]), sys.argv[2:]
told, hop_limits = {}, set()

def tell(key, result):
    told.setdefault(key, []).append([str(result.outcome), str(result.reason), result.evidence])
    if result.outcome == "ok":
        hop_limits.add(result.values.get("probe_icmp_reply_hop_limit"))

def request(address):
    return Request(address=address, options=IcmpOptions(), timeout_seconds=2.0)

async def main():
    stream = EchoStream(lambda id_, result, _: tell(id_, result))
    stream.update({address: (request(address), 0.05) for address in addresses})
    task = asyncio.ensure_future(stream.run())
    async with asyncio.timeout(15):
        while any(len(told.get(address, ())) < turns for address in addresses):
            await asyncio.sleep(0.01)
    raw = [getattr(each, "raw", None) for each in stream._sockets.values()]
    seen = list(hop_limits)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    for address in addresses if turns == 1 else ():
        tell("once " + address, (await registry.run_once(kind, request(address)))[0])
    print(json.dumps({"raw": raw, "hop_limits": seen, "told": told}))

asyncio.run(main())
"""


@pytest.fixture
def bare() -> Iterator[str]:
    """A fresh namespace with nothing but loopback, where nobody may open a ping socket."""
    name = f"probes-bare-{os.getpid()}"
    run("ip", "netns", "add", name)
    try:
        run("ip", "-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        run("ip", "netns", "del", name)


def _as_nobody(namespace: str, *addresses: str, turns: int = 1) -> dict[str, Any]:
    """What a stream told until each address had its turns: raw of each socket, TTLs of replies, results by address."""
    done = subprocess.run(
        [program("ip"), "netns", "exec", namespace, sys.executable, "-c", _CHILD, str(turns), *addresses],
        cwd=ROOT, text=True, capture_output=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _allow_ping_socket(namespace: str) -> None:
    run("ip", "netns", "exec", namespace, "sysctl", "-qw", "net.ipv4.ping_group_range=0 65534")


def test_without_the_capability_echo_goes_over_the_ping_socket(bare: str) -> None:
    _allow_ping_socket(bare)
    found = _as_nobody(bare, "127.0.0.1", "::1", "127.9.9.9", "10.250.0.1")
    assert found["raw"] == [False, False]
    assert found["hop_limits"] == [64.0]
    told = {key: {(outcome, reason) for outcome, reason, _ in results} for key, results in found["told"].items()}
    for key in ("10.250.0.1", "once 10.250.0.1"):
        assert told.pop(key) == {("failed", "unreachable")}
    assert told == {
        key: {("ok", "ok")}
        for address in ("127.0.0.1", "::1", "127.9.9.9")
        for key in (address, f"once {address}")
    }  # fmt: skip


@pytest.fixture
def router(field: Field) -> Iterator[Field]:
    """The far side forwards to ONE and TWO, whom it refuses; first it also says that there is a shorter way (a redirect)."""
    rules = (
        f"ip daddr {ONE} reject with icmp type host-unreachable\nip daddr {TWO} reject with icmp type admin-prohibited"
    )
    chain = f"chain forward {{\ntype filter hook forward priority 0\n{rules}\n}}"
    run("ip", "netns", "exec", field.far, "nft", "-f", "-", given=f"table ip router {{\n{chain}\n}}\n")
    # From an address of its own: Linux limits what it tells an address, also in the tests that come after.
    run("ip", "-n", field.near, "addr", "add", f"{ANOTHER}/24", "dev", "near0")
    for each in (ONE, TWO):
        run("ip", "-n", field.near, "route", "add", f"{each}/32", "via", HOP, "src", ANOTHER)
        run("ip", "-n", field.far, "route", "add", f"{each}/32", "via", NEAR, "table", "local")
    field.no_way_6("fd98::/64")
    yield field
    for each in (ONE, TWO):
        run("ip", "-n", field.far, "route", "del", f"{each}/32", "via", NEAR, "table", "local")
    run("ip", "-n", field.near, "addr", "del", f"{ANOTHER}/24", "dev", "near0")  # and its routes
    run("ip", "netns", "exec", field.far, "nft", "delete", "table", "ip", "router")


def test_on_a_ping_socket_too_a_hop_that_refuses_is_named_and_only_its_targets_are_unreachable(router: Field) -> None:
    _allow_ping_socket(router.near)
    refused = {
        ONE: (HOP, "host unreachable"),
        TWO: (HOP, "administratively prohibited"),
        "fd98::9": ("fd99::2", "no route"),
    }
    good = [f"10.200.0.{number}" for number in range(11, 41)]
    found = _as_nobody(router.near, *refused, *good, "fd99::2", "10.250.0.1", turns=20)
    assert found["raw"] == [False, False]
    for address in (*good, "fd99::2"):
        assert {(outcome, reason) for outcome, reason, _ in found["told"][address]} == {("ok", "ok")}
    for address, (hop, says) in refused.items():
        told = {tuple(each) for each in found["told"][address]}
        assert told == {("failed", "unreachable", f"{hop} says about {address}: {says}")}
    ((outcome, reason, evidence),) = {tuple(each) for each in found["told"]["10.250.0.1"]}
    assert (outcome, reason) == ("failed", "unreachable")
    assert evidence.startswith("our own host has no way there: ")


def test_where_neither_is_allowed_the_run_is_inconclusive_and_tells_the_remedy(bare: str) -> None:
    found = _as_nobody(bare, "127.0.0.1", "::1")
    assert found["raw"] == [None, None]
    assert len(found["told"]) == 4
    for results in found["told"].values():
        assert {tuple(each) for each in results} == {("inconclusive", "permission", NOT_ALLOWED)}
    assert "CAP_NET_RAW" in NOT_ALLOWED
    assert "ping_group_range" in NOT_ALLOWED
