"""`make bench` or `python -m bench [NAME…]`: measures in network namespaces of its own, prints tables, writes bench/results/*.json.

`python -m bench report` makes docs/performance.md and its pictures from what was measured last. Bounded in time and count;
nothing leaves the namespaces, and everything in them ends with the command, however it ends.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import harness
from lab.network import namespaces_command

INSIDE = "COMMUNE_MONITOR_BENCH"
"""Environment: the folder of the run, set for the inner half."""
PARTS = (
    "echo",
    "rtt",
    "snmp",
    "http",
    "scrape",
    "scheduler",
    "media",
    "load",
    "rooms",
    "cuts",
    "mail",
    "torture_peer",
    "province",
    "board",
    "reload",
    "nation",
    "growth",
    "core",
    "month",
    "hold",
    "usual",
    "inventory",
    "torture",
)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="NAME", help=f"{', '.join(PARTS)} or report; none: all")
    parser.add_argument("--seconds", type=float, help="length of each window, instead of the part's own")
    parser.add_argument("--rounds", type=int, help="rounds, instead of the part's own")
    given = parser.parse_args()
    if unknown := set(given.parts) - {*PARTS, "report"}:
        parser.error(f"there is no measurement {', '.join(sorted(unknown))}; known: {', '.join(PARTS)}")
    return given


def _inside(name: str, folder: Path, given: argparse.Namespace) -> int:
    run = harness.Run(folder=folder, seconds=given.seconds, rounds=given.rounds)
    try:
        found = importlib.import_module(f"bench.{name}").measure(run)
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        print(f"bench: {name}: {error}", file=sys.stderr)
        return 1
    harness.print_tables(found)
    harness.store(name, found, run, " ".join(["python -m bench", *sys.argv[1:]]))
    return 0


def _outside(name: str, given: argparse.Namespace) -> int:
    """One part in namespaces of its own, so that it leaves nothing to the next."""
    more = [f"--{key}={value}" for key in ("seconds", "rounds") if (value := getattr(given, key)) is not None]
    with tempfile.TemporaryDirectory(prefix="commune-bench-") as folder:
        command = namespaces_command([sys.executable, "-m", "bench", name, *more])
        return subprocess.run(command, env={**os.environ, INSIDE: folder}, check=False).returncode


def main() -> int:
    """Measure what the command line names, or all; a part that fails does not stop the others."""
    given = _arguments()
    if folder := os.environ.get(INSIDE):
        return _inside(given.parts[0], Path(folder), given)
    failed = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the namespaces too, as Ctrl-C does
    try:
        for name in given.parts or PARTS:
            if name == "report":
                importlib.import_module("bench.report").write()
            elif _outside(name, given):
                failed.append(name)
    except KeyboardInterrupt:
        return 130
    if failed:
        print(f"bench: without result: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
