"""How wrong a measured round trip is, against a known delay, with an idle loop and with one that stands still 50 ms out of 60.

Two paths: a veth, whose delay is next to nothing, and a TUN device whose far end (bench/delay.c) answers after 10 ms and keeps
account of its own lateness. The peers: icmplib, which reads the clock in Python after the loop has woken it, and fping, which has
no loop that anybody could stall (it prints three digits: at 10 ms that is a step of 0.1 ms).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import icmplib

from bench.echo import build
from bench.harness import Figures, Row, Run, own_cpu, own_peak_mib, quantiles, run_child, wait_for, worker
from bench.network import addresses, raise_network
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
    if (relay := build(run, "delay")) and Path("/dev/net/tun").exists():
        with _delayed(relay) as lateness:
            rows = _rows(
                [f"10.251.{index // 250}.{index % 250 + 2}" for index in range(TARGETS)], DELAY, seconds, rounds, fping
            )
        rows["floor, lateness of the delaying end itself"] = dict(
            zip(("p50 ms", "p99 ms", "max ms"), lateness, strict=True)
        )
        tables[f"RTT error over a path that takes {DELAY * 1000:g} ms"] = rows
    else:
        run.missing.append("TUN device")
    return {"tables": tables}


def _rows(targets: Sequence[str], delay: float, seconds: float, rounds: int, fping: bool) -> dict[str, Row]:
    errors: dict[str, list[tuple[float, float, float]]] = {}
    shares: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, found in _round(list(targets), seconds, fping):
            errors.setdefault(name, []).append(
                (found.more["p50"] - delay, found.more["p99"] - delay, found.more["max"] - delay)
            )
            shares.setdefault(name, []).append(found.answered / max(1, found.probes))
            print(
                f"    {name}: p50 {errors[name][-1][0] * 1000:.3f} ms, p99 {errors[name][-1][1] * 1000:.3f} ms",
                flush=True,
            )
    rows: dict[str, Row] = {}
    for name, seen in errors.items():
        halves, mosts, worsts = (sorted(each) for each in zip(*seen, strict=True))
        rows[name] = {
            "p50 ms": round(halves[len(seen) // 2] * 1000, 4), "p99 ms": round(mosts[len(seen) // 2] * 1000, 4),
            "p99 min": round(mosts[0] * 1000, 4), "p99 max": round(mosts[-1] * 1000, 4),
            "max ms": round(worsts[-1] * 1000, 3), "answered": round(min(shares[name]), 4),
        }  # fmt: skip
    return rows


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
def _delayed(program: Path) -> Iterator[list[float]]:
    """10.251.0.0/16 behind the delaying end; its own lateness in ms is in the list after the block."""
    lateness: list[float] = []
    process = subprocess.Popen([str(program), "delay0", f"{DELAY * 1e6:.0f}"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("the delaying end did not start")
        command("ip", "addr", "add", "10.251.0.1/16", "dev", "delay0")
        command("ip", "link", "set", "delay0", "up")
        wait_for("the delayed path", lambda: icmplib.ping("10.251.0.2", count=1, timeout=1).is_alive)
        yield lateness
    finally:
        process.terminate()
        said = process.stdout.read().split()
        process.wait()
    lateness += [float(each) / 1000 for each in said]


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
