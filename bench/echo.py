"""CPU of one echo: our engine with all its work (state, evidence, judging left out) against fping, same targets, same pace."""

from __future__ import annotations

import asyncio
import re
import resource
import shutil
import statistics
import subprocess
from typing import Any

from lab.network import run
from probes.icmp import EchoStream, IcmpOptions
from probes.registry import Request, Result

TARGETS = 2580
"""129 communes with 20 addresses each."""
SECONDS = 8
ROUNDS = 5


def _network() -> None:
    """A namespace behind a veth in which every address of a prefix answers."""
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    run("ip", "netns", "add", "far")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "near0", "type", "veth", "peer", "name", "far0", "netns", "far")
    run("ip", "addr", "add", "10.250.0.1/30", "dev", "near0")
    run("ip", "link", "set", "near0", "up")
    run("ip", "-n", "far", "link", "set", "lo", "up")
    run("ip", "-n", "far", "addr", "add", "10.250.0.2/30", "dev", "far0")
    run("ip", "-n", "far", "link", "set", "far0", "up")
    run("ip", "-n", "far", "route", "add", "local", "10.64.0.0/12", "dev", "lo")
    run("ip", "route", "add", "10.64.0.0/12", "via", "10.250.0.2")


def _addresses() -> list[str]:
    return [f"10.64.{index // 20}.{index % 20 + 1}" for index in range(TARGETS)]


async def _engine() -> tuple[int, int]:
    answered = 0

    def emit(_check: str, result: Result, _seconds: float) -> None:
        nonlocal answered
        answered += result.outcome == "ok"

    stream = EchoStream(emit)
    stream.update({
        address: (Request(address=address, options=IcmpOptions(), timeout_seconds=1.0), 1.0) for address in _addresses()
    })  # fmt: skip
    task = asyncio.create_task(stream.run())
    await asyncio.sleep(SECONDS)
    stream.update({})
    task.cancel()
    return stream.counters["sent"], answered


def _ours() -> dict[str, float]:
    before = resource.getrusage(resource.RUSAGE_SELF)
    sent, answered = asyncio.run(_engine())
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"ms_per_echo": cpu * 1000 / sent, "answered_ratio": answered / sent}


def _fping() -> dict[str, float]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        ["fping", "-q", "-c", str(SECONDS), "-p", "1000", "-i", "0.3", "-t", "1000"],
        input="\n".join(_addresses()), text=True, capture_output=True, check=False,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    sent = TARGETS * SECONDS
    counts = re.findall(r"= (\d+)/(\d+)/", done.stderr)  # xmt/rcv of each target
    answered = sum(int(received) for _, received in counts)
    return {"ms_per_echo": cpu * 1000 / sent, "answered_ratio": answered / sent}


def measure() -> dict[str, Any]:
    """Rounds in alternating order; prints and returns the table."""
    _network()
    peers = {"ours": _ours}
    if shutil.which("fping"):
        peers["fping"] = _fping
    else:
        print("fping is not installed (apt-get install fping): measured without it")
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in peers}
    for index in range(ROUNDS):
        for name in list(peers)[:: 1 if index % 2 else -1]:
            rounds[name].append(peers[name]())
    table = {
        name: {
            "ms_per_echo_median": round(statistics.median(each["ms_per_echo"] for each in found), 4),
            "ms_per_echo_spread": [round(pick(each["ms_per_echo"] for each in found), 4) for pick in (min, max)],
            "answered_ratio": round(statistics.median(each["answered_ratio"] for each in found), 4),
        }
        for name, found in rounds.items()
    }
    print(f"echo: {TARGETS} targets, one a second, {SECONDS} s, {ROUNDS} rounds")
    for name, row in table.items():
        ratio = row["ms_per_echo_median"] / table["fping"]["ms_per_echo_median"] if "fping" in table else float("nan")
        print(
            f"  {name:8} {row['ms_per_echo_median']:.4f} ms/echo {row['ms_per_echo_spread']}, {ratio:.2f} × fping, answered {row['answered_ratio']:.2%}"
        )
    return {"targets": TARGETS, "seconds": SECONDS, "rounds": ROUNDS, "peers": table}
