"""What one page costs, plain, by TLS and by HTTP/2, a new connection each: ours by run_once, blackbox_exporter, and bare aiohttp as the floor of Python.

Ours is not told to reuse anything; what it keeps in the memory of a request from run to run it may keep, as in the daemon.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import SecretStr

from bench.echo import BLACKBOX, IN_FLIGHT, blackbox_exporter
from bench.harness import Figures, Run, compare, worker
from bench.network import addresses, raise_network
from bench.turns import ask_all, scrape_turns
from bench.web import HTTP2_PORT, nginx
from probes import registry
from probes.registry import Request, run_once

TARGETS = 500
TURNS = 4
"""How often each target is asked in a round."""
ROUNDS = 5
HOST = "xa.bench.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How pages are asked for."""

    title: str
    scheme: str
    port: int
    http2: bool = False


WAYS = (
    Way(title="http", scheme="http", port=80),
    Way(title="https", scheme="https", port=443),
    Way(title="https by HTTP/2", scheme="https", port=HTTP2_PORT, http2=True),
)


def measure(run: Run) -> dict[str, Any]:
    """Each way with all contenders."""
    if not run.has("nginx"):
        raise RuntimeError("nothing to ask without nginx")
    raise_network()
    targets = addresses(TARGETS)
    exporter = run.folder if run.has("prometheus-blackbox-exporter") else None
    tables = {}
    with nginx(run.folder):
        for way in WAYS:
            print(f"  {way.title}")
            rows = compare(_contenders(way, targets, run.folder / "ca.pem", exporter), run.rounds or ROUNDS)
            tables[f"{way.title}: {TARGETS} targets × {TURNS}, new connection each, {IN_FLIGHT} at once"] = rows
    return {"tables": tables}


def _contenders(way: Way, targets: list[str], ca: Path, exporter: Path | None) -> dict[str, Callable[[], Figures]]:
    asked = {"way": asdict(way), "targets": targets, "ca": str(ca)}
    found: dict[str, Callable[[], Figures]] = {"ours, run_once": lambda: worker("bench.http:ours", **asked)}
    if not way.http2:  # which aiohttp does not speak
        found["floor, aiohttp with no judgement"] = lambda: worker("bench.http:bare", **asked)
    if exporter:
        found["blackbox_exporter, a scrape a target"] = lambda: _blackbox(exporter, way, targets, ca)
    return found


def ours(way: dict[str, Any], targets: list[str], ca: str) -> Figures:
    """Our probe, as the scheduler calls it."""
    return asyncio.run(_ours(Way(**way), targets, ca))


async def _ours(way: Way, targets: list[str], ca: str) -> Figures:
    kind = registry.load()["http"]
    given: dict[str, Any] = {"url": f"{way.scheme}://{HOST}:{way.port}/", "text": HOST, "http2": way.http2}
    if way.scheme == "https":
        given["ca"] = SecretStr(Path(ca).read_text())
    requests = [Request(address=each, options=kind.options(**given), timeout_seconds=10.0) for each in targets]

    async def one(request: Request[Any]) -> bool:
        result, _ = await run_once(kind, request)
        return result.outcome == "ok" and (result.values["probe_http_version"] == 2) is way.http2

    return await ask_all(requests, one, TURNS, IN_FLIGHT)


def bare(way: dict[str, Any], targets: list[str], ca: str) -> Figures:
    """aiohttp, the page read and thrown away."""
    return asyncio.run(_bare(Way(**way), targets, ca))


async def _bare(way: Way, targets: list[str], ca: str) -> Figures:
    context = ssl.create_default_context(cafile=ca)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True, limit=IN_FLIGHT)) as session:

        async def one(address: str) -> bool:
            name = HOST if way.scheme == "https" else None
            asked = session.get(
                f"{way.scheme}://{address}:{way.port}/", headers={"Host": HOST}, ssl=context, server_hostname=name
            )
            async with asked as answer:
                return HOST in await answer.text()

        return await ask_all(targets, one, TURNS, IN_FLIGHT)


def _blackbox(folder: Path, way: Way, targets: list[str], ca: Path) -> Figures:
    asked: dict[str, Any] = {
        "headers": {"Host": HOST},
        "fail_if_body_not_matches_regexp": [HOST],
        "valid_status_codes": [200],
        "valid_http_versions": ["HTTP/2.0" if way.http2 else "HTTP/1.1"],
    }
    if way.scheme == "https":
        asked["tls_config"] = {"ca_file": str(ca), "server_name": HOST}
    settings = folder / f"blackbox-{way.port}.yml"
    settings.write_text(json.dumps({"modules": {"page": {"prober": "http", "timeout": "10s", "http": asked}}}))
    urls = [f"http://{BLACKBOX}/probe?module=page&target={way.scheme}://{each}:{way.port}/" for each in targets]
    with blackbox_exporter(settings, folder) as process:
        return scrape_turns(process, urls, "\nprobe_success 1", TURNS, IN_FLIGHT)
