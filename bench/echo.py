"""What one echo costs: 129 communes × 20 addresses, each once a second, ours against everything that a NOC would take.

smokeping_prober loses nearly all of so many, so ours is held against it with a tenth of them, whose answers it gets.
`ours, engine` is EchoStream alone. `ours, daemon` is the whole of `commune-monitor run` with nothing but these echoes:
engine, observation, judge, correlator, metrics, loop, timers. Peers are given what they are best at.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import icmplib

from bench import daemon, setup
from bench.harness import (
    Figures,
    Row,
    Run,
    compare,
    cpu_seconds,
    memory_mib,
    own_cpu,
    own_peak_mib,
    run_child,
    server,
    wait_for,
    worker,
)
from bench.network import address, addresses, listens, raise_network
from probes import registry
from probes.registry import Request, Result

COMMUNES = 129
TARGETS = COMMUNES * 20
BEARABLE = COMMUNES * 2
"""Of which smokeping_prober gets nearly every answer: what an echo costs it grows with the number of targets."""
SECONDS = 8
ROUNDS = 3
PROFILE_SECONDS = 5.0
SMOKEPING = "127.0.0.1:9374"
BLACKBOX = "127.0.0.1:9115"
IN_FLIGHT = 50


def measure(run: Run) -> dict[str, Any]:
    """All of them in one run."""
    raise_network()
    seconds = int(run.seconds or SECONDS)
    echo = _Echo(run.folder, addresses(TARGETS), seconds)
    contenders: dict[str, Callable[[], Figures]] = {
        "ours, engine": lambda: worker("bench.echo:engine", targets=echo.targets, seconds=seconds),
        "ours, daemon": echo.daemon,
    }
    if run.has("fping"):
        contenders["fping"] = echo.fping
    if run.has("prometheus-blackbox-exporter"):
        contenders["blackbox_exporter, a scrape a target"] = echo.blackbox
    contenders["icmplib async_multiping, an echo each"] = lambda: worker(
        "bench.echo:icmplib_multiping", targets=echo.targets, count=1, at_once=IN_FLIGHT
    )
    contenders["icmplib async_multiping, two a second apart"] = lambda: worker(
        "bench.echo:icmplib_multiping", targets=echo.targets, count=2, at_once=500
    )
    if floor := build(run, "floor"):
        contenders["floor in C"] = lambda: echo.floor(floor)
    rows = compare(contenders, run.rounds or ROUNDS)
    if "fping" in rows:
        for row in rows.values():
            row["× fping"] = round(row["CPU ms/probe"] / rows["fping"]["CPU ms/probe"], 3)
    tables = {f"echo: {TARGETS:,} targets, each once a second, {seconds} s a round": rows}
    if run.has("prometheus-smokeping-prober"):
        few = replace(echo, targets=addresses(BEARABLE, BEARABLE // COMMUNES))
        both = {"ours, daemon": few.daemon, "smokeping_prober": few.smokeping}
        title = f"echo: {BEARABLE:,} targets, which smokeping_prober can bear, each once a second, {seconds} s a round"
        tables[title] = compare(both, run.rounds or ROUNDS)
    return {"tables": tables | {"echo: where the daemon's time goes (cProfile)": profile_table(echo.top)}}


def profile_table(top: Sequence[tuple[str, float]]) -> dict[str, Row]:
    """The functions that cost most."""
    return {name: {"own time %": round(part * 100, 1)} for name, part in top[:15]}


def build(run: Run, name: str) -> Path | None:
    """bench/NAME.c, built when a compiler is there."""
    if not run.has("cc"):
        return None
    built = run.folder / name
    done, _, _ = run_child(["cc", "-O2", "-Wall", "-o", str(built), str(Path(__file__).with_name(f"{name}.c"))])
    if done.returncode:
        raise RuntimeError(f"cc: {done.stdout}")
    return built


# -- in a Python of their own ------------------------------------------------------------------------------------------


def engine(targets: list[str], seconds: float) -> Figures:
    """Our engine with an `emit` that only counts."""
    return asyncio.run(_engine(targets, seconds))


async def _engine(targets: list[str], seconds: float) -> Figures:
    answered = 0

    def emit(_check: str, result: Result, _seconds: float) -> None:
        nonlocal answered
        answered += result.outcome == "ok"

    kind = registry.load()["icmp"]
    assert kind.stream is not None
    stream: Any = kind.stream(emit)
    options = kind.options()
    stream.update({each: (Request(address=each, options=options, timeout_seconds=1.0), 1.0) for each in targets})
    task = asyncio.create_task(stream.run())
    await asyncio.sleep(1)  # sockets open, the first second over
    sent, before, cpu = stream.counters["sent"], answered, own_cpu()
    await asyncio.sleep(seconds)
    found = Figures(
        probes=stream.counters["sent"] - sent,
        answered=answered - before,
        cpu_seconds=own_cpu() - cpu,
        memory_mib=own_peak_mib(),
    )
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return found


def icmplib_multiping(targets: list[str], count: int, at_once: int) -> Figures:
    """icmplib; each of its open sockets gets every reply, which shows as soon as a host's socket stays open for a second."""
    before = own_cpu()
    hosts = asyncio.run(
        icmplib.async_multiping(targets, count=count, timeout=1, concurrent_tasks=at_once, privileged=True)
    )
    return Figures(
        probes=sum(host.packets_sent for host in hosts),
        answered=sum(host.packets_received for host in hosts),
        cpu_seconds=own_cpu() - before,
        memory_mib=own_peak_mib(),
    )


# -- as processes ------------------------------------------------------------------------------------------------------


@dataclass
class _Echo:
    folder: Path
    targets: Sequence[str]
    seconds: int
    rounds: int = 0
    top: list[tuple[str, float]] = field(default_factory=list)

    def daemon(self) -> Figures:
        self.rounds += 1
        plan = daemon.Plan(communes=COMMUNES, echoed=len(self.targets) // COMMUNES)
        sites = [(f"xa-{index}", f"Xã {index}", str(index)) for index in range(plan.communes)]
        settings = daemon.write(self.folder / f"daemon-{self.rounds}", daemon.inventory(plan, sites, address), {})
        with daemon.running(settings) as found:
            time.sleep(2)
            before, cpu = found.counters(), cpu_seconds(found.pid)
            time.sleep(self.seconds)
            spent, after = cpu_seconds(found.pid) - cpu, found.counters()
            made = Figures(
                probes=after["sent"] - before["sent"],
                answered=after["observations"] - before["observations"] - (after["not ok"] - before["not ok"]),
                cpu_seconds=spent, memory_mib=memory_mib(found.pid),
            )  # fmt: skip
            self.top = self.top or found.profile(PROFILE_SECONDS)
            return made

    def fping(self) -> Figures:
        done, cpu, memory = run_child(
            ["fping", "-q", "-c", str(self.seconds), "-p", "1000", "-i", "0.3", "-t", "1000"], "\n".join(self.targets)
        )
        counts = re.findall(r"= (\d+)/(\d+)/", done.stdout)  # sent/received of each target
        sent, received = (sum(map(int, each)) for each in zip(*counts, strict=True))
        return Figures(probes=sent, answered=received, cpu_seconds=cpu, memory_mib=memory)

    def floor(self, program: Path) -> Figures:
        done, cpu, memory = run_child([str(program), str(self.seconds)], "\n".join(self.targets) + "\n")
        sent, received = map(int, done.stdout.split())
        return Figures(probes=sent, answered=received, cpu_seconds=cpu, memory_mib=memory)

    def smokeping(self) -> Figures:
        name = setup.program("prometheus-smokeping-prober")
        settings = self.folder / "smokeping.yml"  # it will not start without one
        settings.write_text("targets: []\n")
        command = [
            str(name),
            "--privileged",
            f"--web.listen-address={SMOKEPING}",
            f"--config.file={settings}",
            *self.targets,
        ]
        with server(command, self.folder / "smokeping.log") as process:
            wait_for(
                "smokeping_prober", lambda: listens(*_split(SMOKEPING)) and _smokeping()[0] > len(self.targets), 60
            )  # it begins a target each 10 ms
            (sent, received), cpu = _smokeping(), cpu_seconds(process.pid)
            time.sleep(self.seconds)
            spent = cpu_seconds(process.pid) - cpu
            sent_now, received_now = _smokeping()
            return Figures(
                probes=sent_now - sent, answered=received_now - received, cpu_seconds=spent, memory_mib=memory_mib(process.pid)
            )  # fmt: skip

    def blackbox(self) -> Figures:
        settings = self.folder / "blackbox.yml"
        settings.write_text(json.dumps({"modules": {"icmp": {"prober": "icmp", "timeout": "5s"}}}))
        with blackbox_exporter(settings, self.folder) as process:
            cpu = cpu_seconds(process.pid)
            urls = [f"http://{BLACKBOX}/probe?module=icmp&target={each}" for each in self.targets]
            answered = asyncio.run(scrape_all(urls, "\nprobe_success 1"))
            return Figures(
                probes=len(urls), answered=answered, cpu_seconds=cpu_seconds(process.pid) - cpu, memory_mib=memory_mib(process.pid)
            )  # fmt: skip


def blackbox_exporter(settings: Path, folder: Path) -> Any:
    """A running blackbox_exporter."""
    command = [
        str(setup.program("prometheus-blackbox-exporter")), f"--config.file={settings}",
        f"--web.listen-address={BLACKBOX}", "--log.level=error",
    ]  # fmt: skip
    return ready_server(command, folder / "blackbox.log", BLACKBOX)


@contextlib.contextmanager
def ready_server(command: Sequence[str], log: Path, listen: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server that takes connections."""
    with server(command, log) as process:
        wait_for(command[0], lambda: listens(*_split(listen)))
        yield process


async def scrape_all(urls: Sequence[str], good: str, at_once: int = IN_FLIGHT) -> int:
    """Get all pages over kept connections, some at once; how many contain `good`."""
    gate = asyncio.Semaphore(at_once)
    connector = aiohttp.TCPConnector(limit=at_once)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def one(url: str) -> bool:
            async with gate, session.get(url) as answer:
                return good in await answer.text()

        return sum(await asyncio.gather(*map(one, urls)))


def _split(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    return host, int(port)


def _smokeping() -> tuple[int, int]:
    with urllib.request.urlopen(f"http://{SMOKEPING}/metrics", timeout=20) as answer:
        said = daemon.Said(answer.read().decode(), 0.0)
    return int(said.total("smokeping_requests_total")), int(said.total("smokeping_response_duration_seconds_count"))
