"""A real browser that tests look through: Chromium, spoken to by the Chrome DevTools Protocol over a WebSocket."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

GIVE_UP_SECONDS = 120


class Tab:
    """One page of the browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._numbers, self._session = socket, itertools.count(1), ""
        self._loaded = False
        self.complaints: list[str] = []
        """What the browser has said against a page, such as what its policy forbids."""

    async def ask(self, method: str, **params: object) -> Any:
        """Call a method; returns its result, raises RuntimeError when the browser refuses."""
        number = next(self._numbers)
        session = {"sessionId": self._session} if self._session else {}
        await self._socket.send_json({"id": number, "method": method, "params": params, **session})
        while True:
            told = await self._next()
            if told.get("id") == number:
                if "error" in told:
                    raise RuntimeError(f"{method}: {told['error']}")
                return told["result"]

    async def _next(self) -> dict[str, Any]:
        told: dict[str, Any] = await self._socket.receive_json(timeout=GIVE_UP_SECONDS)
        if told.get("method") == "Log.entryAdded":
            self.complaints.append(told["params"]["entry"]["text"])
        self._loaded |= told.get("method") == "Page.loadEventFired"
        return told

    async def attach(self) -> None:
        """Open it."""
        made = await self.ask("Target.createTarget", url="about:blank")
        attached = await self.ask("Target.attachToTarget", targetId=made["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Log", "Runtime"):
            await self.ask(f"{domain}.enable")

    async def show(self, url: str, width: int, *, dark: bool = False) -> None:
        """Load a page, as wide as this in CSS pixels."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.ask("Emulation.setEmulatedMedia", features=[scheme])
        await self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 800
        )
        self._loaded = False
        await self.ask("Page.navigate", url=url)
        while not self._loaded:
            await self._next()

    async def value(self, expression: str) -> Any:
        """What a JavaScript expression comes to in the page; the page's policy does not apply to it."""
        found = await self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")


@asynccontextmanager
async def chromium(folder: Path) -> AsyncIterator[Tab]:
    """A browser with a profile of its own in `folder`, with one tab."""
    command = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank",
    ]  # fmt: skip
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "TZ": "UTC"}
    )
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(await _address(folder), max_msg_size=0) as socket,
        ):
            tab = Tab(socket)
            await tab.attach()
            yield tab
    finally:
        process.terminate()
        process.wait(GIVE_UP_SECONDS)


async def _address(folder: Path) -> str:
    """Where it listens, once it has said so: port and path, a line each."""
    file = folder / "DevToolsActivePort"
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while len(said := file.read_text().split() if file.exists() else []) < 2:
            await asyncio.sleep(0.05)
    return f"ws://127.0.0.1:{said[0]}{said[1]}"
