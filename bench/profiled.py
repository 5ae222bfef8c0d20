"""`python -m bench.profiled FILE run …`: the command `commune-monitor`, which SIGUSR1 begins to profile and SIGUSR2 ends it.

Until then nothing is different: the profiler is not there.
"""

from __future__ import annotations

import cProfile
import pstats
import signal
import sys
from pathlib import Path

from monitor.cli import main

SHOWN = 25


def _write(profile: cProfile.Profile, path: Path) -> None:
    profile.disable()
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]  # typeshed leaves it out
    whole = sum(each[2] for name, each in stats.items() if "select.epoll" not in name[2])
    top = sorted(stats.items(), key=lambda each: -each[1][2])
    lines = [
        f"{'/'.join(Path(file).parts[-2:])}:{line} {name}\t{each[2] / whole:.4f}"
        for (file, line, name), each in top
        if "select.epoll" not in name
    ]
    new = path.with_suffix(".new")
    new.write_text("\n".join(lines[:SHOWN]) + "\n")
    new.replace(path)


def run() -> None:
    """Set the handlers and become the daemon."""
    path = Path(sys.argv[1])
    profile = cProfile.Profile()
    signal.signal(signal.SIGUSR1, lambda *_: profile.enable())
    signal.signal(signal.SIGUSR2, lambda *_: _write(profile, path))
    sys.argv = ["commune-monitor", *sys.argv[2:]]
    main()


if __name__ == "__main__":
    run()
