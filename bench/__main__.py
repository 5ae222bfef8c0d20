"""`make bench`: measures in network namespaces of its own, prints a table, writes bench/results/*.json.

CPU and ratios against peers in the same run, several rounds in alternating order, median and spread: these machines are noisy, so
absolute figures are worth little. Bounded in time and count; nothing leaves the namespaces.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from bench import echo, load
from lab.network import namespaces_command

INSIDE = "COMMUNE_MONITOR_BENCH"
RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Measure what the command line names, or all."""
    parts = {"echo": echo.measure, "load": load.measure}
    wanted = sys.argv[1:] or list(parts)
    if unknown := set(wanted) - set(parts):
        print(f"there is no measurement {', '.join(sorted(unknown))}; known: {', '.join(parts)}", file=sys.stderr)
        return 2
    if os.environ.get(INSIDE):
        found = parts[wanted[0]]()
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{wanted[0]}.json").write_text(json.dumps(found, indent=2) + "\n")
        return 0
    for name in wanted:  # each in namespaces of its own, so that one leaves nothing to the next
        command = namespaces_command([sys.executable, "-m", "bench", name])
        status = subprocess.run(command, env={**os.environ, INSIDE: "1"}, check=False).returncode
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
