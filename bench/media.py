"""What a media test measures against what was set, and what it costs.

A line of its own carries the packets (lab/line.py: delay and jitter; nftables: losses, by count, so that what was set is exact). Jitter is
even over a range, of which the mean step is a third. A test of 10 s has 500 packets.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from bench.harness import Row, Run, cpu_seconds, own_cpu, server, wait_for
from bench.network import in_far, raise_network
from lab import line
from lab.network import run as command
from probes import registry
from probes.registry import Request, Result, run_once

KEY = "0123456789abcdef0123456789abcdef"
PORT = 862
SECONDS = 10.0
CASES: Mapping[str, tuple[float, float, str, float, float]] = {
    "nothing": (0, 0, "", 0, 1),
    "delay 10 ms": (0.01, 0, "", 0, 1),
    "delay 50 ms": (0.05, 0, "", 0, 1),
    "delay 150 ms": (0.15, 0, "", 0, 1),
    "jitter 6 ms": (0.01, 0.018, "", 0, 1),
    "jitter 20 ms": (0.01, 0.06, "", 0, 1),
    "loss 1 %": (0.01, 0, "numgen inc mod 100 == 42", 0.01, 1),
    "loss 5 %": (0.01, 0, "numgen inc mod 20 == 7", 0.05, 1),
    "loss 10 %": (0.01, 0, "numgen inc mod 10 == 3", 0.1, 1),
    "loss 10 % in bursts of 5": (0.01, 0, "numgen inc mod 50 < 5", 0.1, 4.5),
    "loss 5 %, delay 50 ms, jitter 6 ms": (0.05, 0.018, "numgen inc mod 20 == 7", 0.05, 1),
}
"""Delay one way and range of the jitter in seconds, what is lost on the way there, its ratio and BurstR."""
AT_ONCE = 4


def measure(run: Run) -> dict[str, Any]:
    """Both tables."""
    raise_network()
    (run.folder / "key").write_text(KEY)
    log = run.folder / "reflect.log"
    reflector = [
        sys.executable, "-m", "monitor", "reflect", "--listen", f"0.0.0.0:{PORT}", "--key-file", str(run.folder / "key"),
        "--rate", "5000", "--rate-in-all", "5000", "--log", "text",
    ]  # fmt: skip
    with server(in_far(reflector), log) as process:
        wait_for("the reflector", lambda: "reflecting" in log.read_text())
        return {
            "tables": {
                f"Measured (there, and the round trip) against set, tests of {run.seconds or SECONDS:g} s": {
                    name: _case(*case, run.seconds or SECONDS) for name, case in CASES.items()
                },
                "CPU of one test, ms": _costs(process.pid),
            }
        }


@contextlib.contextmanager
def _line(seconds: float, jitter: float) -> Iterator[None]:
    arguments = [sys.executable, "-m", "lab.line", "-", "far", str(seconds), str(jitter), "0"]
    process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        if process.stdout is None or process.stdout.readline() != b"ready\n":
            raise RuntimeError("the line did not come up")
        yield
    finally:
        process.communicate()


def _lose(rule: str) -> None:
    chain = f"chain there {{ type filter hook input priority 0; udp dport {PORT} {rule} drop; }}" if rule else ""
    given = f"table ip media\ndelete table ip media\ntable ip media {{\n{chain}\n}}\n"
    command(*in_far(["nft", "-f", "-"]), given=given)


async def _test(address: str, **options: Any) -> Result:
    kind = registry.load()["media"]
    model = kind.options.model_validate(
        {"port": PORT, "key": {"file": "key"}, **options}, context={"read_secret": lambda *_: KEY}
    )
    result, _ = await run_once(kind, Request(address=address, options=model, timeout_seconds=60))
    return result


def _case(delay: float, jitter: float, rule: str, loss: float, burst: float, seconds: float) -> Row:
    _lose(rule)
    with _line(delay, jitter):
        found = asyncio.run(_test(line.FAR, duration=seconds)).values
    there = {
        name: found[f'probe_media_{name}{{direction="there"}}']
        for name in ("loss_ratio", "burst_ratio", "jitter_seconds", "rating", "mos")
    }
    wanted = 2 * (delay + jitter / 2) * 1000
    row: Row = {
        "loss": there["loss_ratio"], "set": loss, "BurstR": there["burst_ratio"], "set to": burst,
        "jitter ms": there["jitter_seconds"] * 1000, "set ms": jitter / 3 * 1000,
        "round trip ms": found["probe_media_round_trip_seconds"] * 1000, "set as": wanted,
        "R": there["rating"], "MOS": there["mos"],
    }  # fmt: skip
    print("   ", {key: round(value, 3) for key, value in row.items()}, flush=True)
    return {key: round(value, 3) for key, value in row.items()}


def _costs(reflector: int) -> dict[str, Row]:
    """Of tests of 5 s, alone and as many at once as the daemon runs; median of three."""
    return {
        "audio": _cost(reflector, 1, profile="audio"),
        f"audio, {AT_ONCE} at once": _cost(reflector, AT_ONCE, profile="audio"),
        "video": _cost(reflector, 1, profile="video"),
    }


def _cost(reflector: int, at_once: int, **options: Any) -> Row:
    ours, theirs = [], []
    for _ in range(3):
        before, far_before = own_cpu(), cpu_seconds(reflector)
        asyncio.run(_together(at_once, options))
        ours.append((own_cpu() - before) / at_once * 1000)
        theirs.append((cpu_seconds(reflector) - far_before) / at_once * 1000)
    return {"daemon": round(statistics.median(ours), 1), "reflector": round(statistics.median(theirs), 1)}


async def _together(count: int, options: Mapping[str, Any]) -> None:
    results = await asyncio.gather(*(_test("10.64.0.1", **options) for _ in range(count)))
    if any(not result.values for result in results):
        raise RuntimeError(f"a test without figures: {results}")
