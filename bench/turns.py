"""Targets that are asked turn by turn, some of them at once: by this process, or by an exporter that is scraped for each."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from bench.echo import scrape_all
from bench.harness import Figures, cpu_seconds, memory_mib, own_cpu, own_peak_mib

T = TypeVar("T")


async def ask_all(targets: Sequence[T], one: Callable[[T], Awaitable[bool]], turns: int, at_once: int) -> Figures:
    """`one` tells whether its target answered. A first turn, in which is made what is kept from then on, does not count."""
    gate = asyncio.Semaphore(at_once)

    async def gated(target: T) -> bool:
        async with gate:
            return await one(target)

    await asyncio.gather(*map(gated, targets))
    cpu, answered = own_cpu(), 0
    for _ in range(turns):
        answered += sum(await asyncio.gather(*map(gated, targets)))
    return Figures(
        probes=turns * len(targets), answered=answered, cpu_seconds=own_cpu() - cpu, memory_mib=own_peak_mib()
    )  # fmt: skip


def scrape_turns(
    exporter: subprocess.Popen[bytes], urls: Sequence[str], good: str, turns: int, at_once: int
) -> Figures:
    """The same of a running exporter; a page that contains `good` is an answer."""
    asyncio.run(scrape_all(urls, good, at_once))
    cpu, answered = cpu_seconds(exporter.pid), 0
    for _ in range(turns):
        answered += asyncio.run(scrape_all(urls, good, at_once))
    return Figures(
        probes=turns * len(urls), answered=answered, cpu_seconds=cpu_seconds(exporter.pid) - cpu,
        memory_mib=memory_mib(exporter.pid),
    )  # fmt: skip
