"""How wrong a measured round trip is, against a known delay, with an idle loop and with one that stands still 50 ms out of 60.

Two paths: a veth, whose delay is next to nothing, and one whose far end (bench/delay.c) answers 10 ms after the kernel's stamp
of the request, and keeps account of how late its answers left: that is not taken off, but shown beside each row, of the same
time. The peers: icmplib, which reads the clock in Python after the loop has woken it, and fping, which has no loop that anybody
could stall (it prints three digits: at 10 ms that is a step of 0.1 ms).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import icmplib

from bench.echo import build
from bench.harness import Figures, Row, Run, own_cpu, own_peak_mib, quantiles, run_child, wait_for, worker
from bench.network import addresses, in_far, raise_network
from lab.network import run as command
from probes import registry
from probes.registry import Request, Result

TARGETS = 1000
FEW = 100
"""Targets of icmplib, which opens a socket for each."""
SECONDS = 8
ROUNDS = 3
DELAY = 0.010
BLOCKED, FREE = 0.050, 0.010
Lateness = Callable[[], list[float]]
"""How late the far end was since it was asked last: p50, p99, maximum in ms."""
RTT = 'probe_icmp_duration_seconds{phase="rtt"}'


def measure(run: Run) -> dict[str, Any]:
    """Both paths, idle and stalled."""
    raise_network()
    seconds, rounds = run.seconds or SECONDS, run.rounds or ROUNDS
    fping = run.has("fping")
    tables = {
        "RTT error over veth, known delay 0 (what it shows is the way itself)": _rows(
            addresses(TARGETS), 0.0, seconds, rounds, fping
        )
    }
    if relay := build(run, "delay"):
        with _delayed(relay) as lateness:
            tables[f"RTT error over a path that takes {DELAY * 1000:g} ms"] = _rows(
                [f"10.251.{index // 250}.{index % 250 + 2}" for index in range(TARGETS)],
                DELAY, seconds, rounds, fping, lateness,
            )  # fmt: skip
    return {"tables": tables}


def _rows(
    targets: Sequence[str], delay: float, seconds: float, rounds: int, fping: bool, lateness: Lateness | None = None
) -> dict[str, Row]:
    seen: dict[str, list[dict[str, float]]] = {}
    for _ in range(rounds):
        for name, found in _round(list(targets), seconds, fping):
            one = {each: (found.more[each] - delay) * 1000 for each in ("p50", "p99", "max")}
            one["answered"] = found.answered / max(1, found.probes)
            if lateness is not None:
                one |= zip(("far p50", "far p99", "far max"), lateness(), strict=True)
            seen.setdefault(name, []).append(one)
            print(f"    {name}: {', '.join(f'{key} {value:.3f}' for key, value in one.items())}", flush=True)
    return {name: _row(each) for name, each in seen.items()}


def _row(seen: Sequence[dict[str, float]]) -> Row:
    """Medians of the rounds, and what was worst in any."""
    of = {key: [each[key] for each in seen] for key in seen[0]}
    row: Row = {
        "p50 ms": statistics.median(of["p50"]), "p99 ms": statistics.median(of["p99"]),
        "p99 min": min(of["p99"]), "p99 max": max(of["p99"]), "max ms": max(of["max"]), "answered": min(of["answered"]),
    }  # fmt: skip
    if "far p99" in of:
        row["far end late p50 ms"], row["p99"] = statistics.median(of["far p50"]), statistics.median(of["far p99"])
        row["max"] = max(of["far max"])
    return {key: round(value, 4) for key, value in row.items()}


def _round(targets: list[str], seconds: float, fping: bool) -> Iterator[tuple[str, Figures]]:
    for stalled in (False, True):
        how = "loop stalled" if stalled else "idle"
        yield f"ours, {how}", worker("bench.rtt:ours", targets=targets, seconds=seconds, stalled=stalled)
        yield (
            f"icmplib, {how}",
            worker("bench.rtt:icmplib_multiping", targets=targets[:FEW], seconds=seconds, stalled=stalled),
        )
    if fping:
        yield "fping, idle", _fping(targets, int(seconds))


@contextlib.contextmanager
def _delayed(program: Path) -> Iterator[Lateness]:
    """10.251.0.0/16 behind the delaying end; gives how late that was."""
    command("ip", "link", "add", "delay0", "type", "veth", "peer", "name", "delayed0", "netns", "far")
    command("ip", "addr", "add", "10.251.0.1/16", "dev", "delay0")
    command("ip", "link", "set", "delay0", "arp", "off", "up")
    command("ip", "-n", "far", "link", "set", "delayed0", "up")
    arguments = in_far([str(program), "delayed0", f"{DELAY * 1e6:.0f}"])
    process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    asked, said = process.stdin, process.stdout

    def lateness() -> list[float]:
        asked.write("\n")
        asked.flush()
        return [float(each) / 1000 for each in said.readline().split()]

    try:
        if said.readline() != "ready\n":
            raise RuntimeError("the delaying end did not start")
        wait_for("the delayed path", lambda: icmplib.ping("10.251.0.2", count=1, timeout=1).is_alive)
        lateness()
        yield lateness
    finally:
        process.terminate()
        process.communicate()


def _figures(rtts: Sequence[float], sent: int, cpu: float) -> Figures:
    half, most, worst = quantiles(rtts)
    return Figures(
        probes=sent, answered=len(rtts), cpu_seconds=cpu, memory_mib=own_peak_mib(), more={"p50": half, "p99": most, "max": worst}
    )  # fmt: skip


def _fping(targets: Sequence[str], seconds: int) -> Figures:
    done, cpu, _ = run_child(
        ["fping", "-q", "-C", str(seconds), "-p", "1000", "-i", "0.5", "-t", "1000"], "\n".join(targets)
    )
    rtts = [
        float(each) / 1000
        for line in done.stdout.splitlines()
        for each in re.findall(r"\d+\.\d+", line.partition(" : ")[2])
    ]
    return _figures(rtts, len(targets) * seconds, cpu)


# -- in a Python of their own ------------------------------------------------------------------------------------------


async def _stand_still() -> None:
    while True:
        time.sleep(BLOCKED)  # noqa: ASYNC251  that is the point
        await asyncio.sleep(FREE)


def ours(targets: list[str], seconds: float, stalled: bool) -> Figures:
    """Our engine, each target once a second."""
    return asyncio.run(_ours(targets, seconds, stalled))


async def _ours(targets: list[str], seconds: float, stalled: bool) -> Figures:
    rtts: list[float] = []

    def emit(_check: str, result: Result, _seconds: float) -> None:
        if RTT in result.values:
            rtts.append(result.values[RTT])

    kind = registry.load()["icmp"]
    assert kind.stream is not None
    stream: Any = kind.stream(emit)
    options = kind.options()
    stream.update({each: (Request(address=each, options=options, timeout_seconds=1.0), 1.0) for each in targets})
    task = asyncio.create_task(stream.run())
    await asyncio.sleep(1)
    other = asyncio.create_task(_stand_still()) if stalled else None
    await asyncio.sleep(0.2)
    rtts.clear()
    sent, cpu = stream.counters["sent"], own_cpu()
    await asyncio.sleep(seconds)
    found = _figures(rtts, stream.counters["sent"] - sent, own_cpu() - cpu)
    for each in (task, other):
        if each:
            each.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return found


def icmplib_multiping(targets: list[str], seconds: float, stalled: bool) -> Figures:
    """icmplib: the clock is read in Python when the loop gets there."""
    return asyncio.run(_icmplib(targets, seconds, stalled))


async def _icmplib(targets: list[str], seconds: float, stalled: bool) -> Figures:
    other = asyncio.create_task(_stand_still()) if stalled else None
    rtts, sent, until, cpu = [], 0, time.monotonic() + seconds, own_cpu()
    while time.monotonic() < until:
        hosts = await icmplib.async_multiping(targets, count=1, timeout=1, concurrent_tasks=10, privileged=True)
        rtts += [host.avg_rtt / 1000 for host in hosts if host.is_alive]
        sent += len(hosts)
        await asyncio.sleep(0.1)
    if other:
        other.cancel()
    return _figures(rtts, sent, own_cpu() - cpu)
