"""Asking a running daemon over its control socket; apart from it, so that a command need not load what the daemon is made of."""

from __future__ import annotations

from pathlib import Path

import aiohttp


async def ask(path: Path, method: str, route: str, body: object = None) -> tuple[int, str]:
    """One request to a running daemon; raises OSError (aiohttp.ClientError is one) when none answers."""
    connector = aiohttp.UnixConnector(path=str(path))
    async with (
        aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=120)) as session,
        session.request(method, f"http://control{route}", json=body) as response,
    ):
        return response.status, await response.text()
