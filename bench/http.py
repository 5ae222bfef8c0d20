"""What one page costs, plain and by TLS, a new connection each: ours by run_once, blackbox_exporter, and bare aiohttp as the floor of Python.

Ours is not told to reuse anything; what it keeps in the memory of a request from run to run it may keep, as in the daemon.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import SecretStr

from bench.echo import BLACKBOX, IN_FLIGHT, blackbox_exporter
from bench.harness import Figures, Run, compare, worker
from bench.network import addresses, raise_network
from bench.turns import ask_all, scrape_turns
from bench.web import nginx
from probes import registry
from probes.registry import Request, run_once

TARGETS = 500
TURNS = 4
"""How often each target is asked in a round."""
ROUNDS = 5
HOST = "xa.bench.example"


def measure(run: Run) -> dict[str, Any]:
    """http and https, each with all contenders."""
    if not run.has("nginx"):
        raise RuntimeError("nothing to ask without nginx")
    raise_network()
    targets = addresses(TARGETS)
    tables = {}
    with nginx(run.folder):
        ca = run.folder / "ca.pem"
        for scheme in ("http", "https"):
            contenders: dict[str, Callable[[], Figures]] = {
                "ours, run_once": lambda scheme=scheme: worker(
                    "bench.http:ours", scheme=scheme, targets=targets, ca=str(ca)
                ),  # type: ignore[misc]
                "floor, aiohttp with no judgement": lambda scheme=scheme: worker(
                    "bench.http:bare", scheme=scheme, targets=targets, ca=str(ca)
                ),  # type: ignore[misc]
            }
            if run.has("prometheus-blackbox-exporter"):
                contenders["blackbox_exporter, a scrape a target"] = lambda scheme=scheme: _blackbox(
                    run.folder, scheme, targets, ca
                )  # type: ignore[misc]
            print(f"  {scheme}")
            rows = compare(contenders, run.rounds or ROUNDS)
            tables[f"{scheme}: {TARGETS} targets × {TURNS}, new connection each, {IN_FLIGHT} at once"] = rows
    return {"tables": tables}


def ours(scheme: str, targets: list[str], ca: str) -> Figures:
    """Our probe, as the scheduler calls it."""
    return asyncio.run(_ours(scheme, targets, ca))


async def _ours(scheme: str, targets: list[str], ca: str) -> Figures:
    kind = registry.load()["http"]
    given: dict[str, Any] = {"url": f"{scheme}://{HOST}/", "text": HOST}
    if scheme == "https":
        given["ca"] = SecretStr(Path(ca).read_text())
    requests = [Request(address=each, options=kind.options(**given), timeout_seconds=10.0) for each in targets]

    async def one(request: Request[Any]) -> bool:
        result, _ = await run_once(kind, request)
        return result.outcome == "ok"

    return await ask_all(requests, one, TURNS, IN_FLIGHT)


def bare(scheme: str, targets: list[str], ca: str) -> Figures:
    """aiohttp, the page read and thrown away."""
    return asyncio.run(_bare(scheme, targets, ca))


async def _bare(scheme: str, targets: list[str], ca: str) -> Figures:
    context = ssl.create_default_context(cafile=ca)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True, limit=IN_FLIGHT)) as session:

        async def one(address: str) -> bool:
            asked = session.get(
                f"{scheme}://{address}/", headers={"Host": HOST}, ssl=context, server_hostname=HOST if scheme == "https" else None
            )  # fmt: skip
            async with asked as answer:
                return HOST in await answer.text()

        return await ask_all(targets, one, TURNS, IN_FLIGHT)


def _blackbox(folder: Path, scheme: str, targets: list[str], ca: Path) -> Figures:
    asked: dict[str, Any] = {
        "headers": {"Host": HOST},
        "fail_if_body_not_matches_regexp": [HOST],
        "valid_status_codes": [200],
    }
    if scheme == "https":
        asked["tls_config"] = {"ca_file": str(ca), "server_name": HOST}
    settings = folder / f"blackbox-{scheme}.yml"
    settings.write_text(json.dumps({"modules": {"page": {"prober": "http", "timeout": "10s", "http": asked}}}))
    urls = [f"http://{BLACKBOX}/probe?module=page&target={scheme}://{each}/" for each in targets]
    with blackbox_exporter(settings, folder) as process:
        return scrape_turns(process, urls, "\nprobe_success 1", TURNS, IN_FLIGHT)
