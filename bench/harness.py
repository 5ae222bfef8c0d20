"""What all measurements share: rounds in alternating order, CPU and memory of processes, medians, tables, results.

CPU is that of the processes which do the work, with all their threads and children, never that of the answering side. These
machines are noisy: ratios within one run are worth more than any figure alone.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import setup

RESULTS = Path(__file__).parent / "results"
TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1 << 20

Row = dict[str, Any]
"""Column → figure."""


@dataclass(slots=True, kw_only=True)
class Figures:
    """What one contender showed in one round."""

    probes: int
    answered: int
    cpu_seconds: float
    memory_mib: float
    more: dict[str, float] = field(default_factory=dict)
    """Further columns: the median over the rounds is shown."""


@dataclass(slots=True, kw_only=True)
class Run:
    """How a part is to be run; None: as the part thinks best."""

    folder: Path
    """Empty, ours, gone afterwards."""
    seconds: float | None = None
    rounds: int | None = None
    missing: list[str] = field(default_factory=list)
    """Peers that the part had to do without."""

    def has(self, command: str) -> bool:
        """Whether a peer is there; when not, it is named."""
        if setup.program(command):
            return True
        self.missing.append(command)
        print(f"  {command} is not there: measured without it (python -m bench.setup)", file=sys.stderr)
        return False


# -- processes ---------------------------------------------------------------------------------------------------------


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for each in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{each}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """CPU that a process, its threads and its children have used, also children that ended."""
    ticks = 0
    for each in tree(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / TICKS


def memory_mib(pid: int) -> float:
    """Resident memory of a process and all below it."""
    pages = 0
    for each in tree(pid):
        with contextlib.suppress(OSError):
            pages += int(Path(f"/proc/{each}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / MIB


def own_cpu() -> float:
    """CPU that this process has used."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def own_peak_mib() -> float:
    """The most memory that this process has held (ru_maxrss would remember the parent's)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def run_child(command: Sequence[str], given: str = "") -> tuple[subprocess.CompletedProcess[str], float, float]:
    """A command that ends by itself: what it said, its CPU seconds, the most memory that it was seen with in MiB."""
    with tempfile.TemporaryFile("w+") as read, tempfile.TemporaryFile("w+") as said:
        read.write(given)
        read.seek(0)
        process = subprocess.Popen(command, stdin=read, stdout=said, stderr=subprocess.STDOUT)
        memory = 0.0
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            memory = max(memory, memory_mib(process.pid))  # ru_maxrss would remember that of this Python
            time.sleep(0.05)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        done = subprocess.CompletedProcess(list(command), process.returncode, said.read())
    return done, usage.ru_utime + usage.ru_stime, memory


def worker(function: str, **given: Any) -> Figures:
    """`module:function` run in a fresh Python; it returns Figures."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.worker", function, json.dumps(given)], stdout=subprocess.PIPE, text=True, check=False
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{function} ended with {done.returncode}")
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


@contextlib.contextmanager
def server(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs as long as the block, by its process id alone."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(what: str, found: Callable[[], object], patience: float = 30.0) -> None:
    """Until `found` gives something; raises RuntimeError after `patience` seconds."""
    until = time.monotonic() + patience
    while not found():
        if time.monotonic() > until:
            raise RuntimeError(f"{what} not there after {patience:g} s")
        time.sleep(0.1)


# -- rounds ------------------------------------------------------------------------------------------------------------


def compare(contenders: Mapping[str, Callable[[], Figures]], rounds: int) -> dict[str, Row]:
    """Every contender in every round, each second round backwards; a row of medians for each.

    One that fails in a round is named and has one round less; one that always fails has no row.
    """
    seen: dict[str, list[Figures]] = {name: [] for name in contenders}
    for index in range(rounds):
        for name in list(contenders)[:: -1 if index % 2 else 1]:
            try:
                figures = contenders[name]()
            except (RuntimeError, OSError) as error:
                print(f"    round {index + 1}/{rounds}  {name}: {error}", file=sys.stderr, flush=True)
                continue
            seen[name].append(figures)
            print(
                f"    round {index + 1}/{rounds}  {name}: {_ms(figures):.4f} ms, {figures.answered}/{figures.probes}",
                flush=True,
            )
    return with_ratios({name: summary(found) for name, found in seen.items() if found})


def _ms(figures: Figures) -> float:
    return figures.cpu_seconds * 1000 / max(1, figures.probes)


def summary(found: Sequence[Figures]) -> Row:
    """Medians over the rounds, with the spread of the CPU."""
    costs = sorted(_ms(each) for each in found)
    more = {key: statistics.median(each.more[key] for each in found) for key in found[0].more}
    return {
        "CPU ms/probe": round(statistics.median(costs), 4),
        "min": round(costs[0], 4),
        "max": round(costs[-1], 4),
        "CPU ms/answer": round(statistics.median(each.cpu_seconds * 1000 / max(1, each.answered) for each in found), 4),
        "answered": round(statistics.median(each.answered / max(1, each.probes) for each in found), 4),
        "MiB": round(statistics.median(each.memory_mib for each in found), 1),
        **{key: round(value, 6) for key, value in more.items()},
    }


def is_peer(name: str) -> bool:
    """Neither ours nor a floor."""
    return not name.startswith(("ours", "floor"))


def with_ratios(rows: dict[str, Row]) -> dict[str, Row]:
    """Add each row's ratio to the cheapest peer that answered."""
    peers = [row["CPU ms/probe"] for name, row in rows.items() if is_peer(name) and row["answered"] > 0.9]
    for row in rows.values():
        row["× best peer"] = round(row["CPU ms/probe"] / min(peers), 3) if peers else None
    return rows


def quantiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, 99th percentile, maximum; nan without values."""
    if not values:
        return (float("nan"),) * 3
    ordered = sorted(values)
    return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)], ordered[-1]


# -- results -----------------------------------------------------------------------------------------------------------


def versions() -> dict[str, str]:
    """Versions of ours, of Python and the kernel, of libraries and of the peers."""
    found = {"Python": platform.python_version(), "Linux": platform.release().partition("-")[0]}
    for name in ("commune-monitor", "icmplib", "pysnmp", "gufo-snmp", "aiohttp", "prometheus-client", "apscheduler"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    packages = [each for line in setup.PEERS.values() for each in line.split()]
    with contextlib.suppress(OSError):
        said = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *packages], capture_output=True, text=True, check=False
        )  # fmt: skip
        found |= dict(line.split(" ", 1) for line in said.stdout.splitlines())
    return found


def machine() -> str:
    """Cores, memory and architecture: enough to read the figures, nothing that names the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.machine()}"


def store(name: str, found: Mapping[str, Any], run: Run, command: str) -> None:
    """Write bench/results/NAME.json."""
    RESULTS.mkdir(exist_ok=True)
    whole = {
        "part": name, "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", "machine": machine(), "command": command,
        "missing": run.missing, "versions": versions(), **found,
    }  # fmt: skip
    (RESULTS / f"{name}.json").write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n")


def columns(rows: Mapping[str, Row]) -> list[str]:
    """All columns of the rows, in the order of coming."""
    return list(dict.fromkeys(key for row in rows.values() for key in row))


def shown(value: object) -> str:
    """A figure as a table shows it."""
    if value is None:
        return "–"
    return (
        f"{value:.4g}"
        if isinstance(value, float) and abs(value) < 1e4
        else f"{value:,.0f}"
        if isinstance(value, float)
        else str(value)
    )


def print_tables(found: Mapping[str, Any]) -> None:
    """All tables of a part, for a terminal."""
    for title, rows in found["tables"].items():
        heads = columns(rows)
        lines = [["", *heads], *([name, *(shown(row.get(each)) for each in heads)] for name, row in rows.items())]
        widths = [max(len(line[index]) for line in lines) for index in range(len(heads) + 1)]
        print(f"\n{title}")
        for line in lines:
            print(
                "  " + line[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
                sep="  ",
            )
    print(flush=True)
