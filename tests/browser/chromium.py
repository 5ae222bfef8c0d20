"""A real Chromium, driven over its own protocol (Chrome DevTools Protocol) by aiohttp: no other library is needed."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

GIVE_UP_SECONDS = 60.0
COMMAND = (
    "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0", "about:blank",
)  # fmt: skip


class Tab:
    """One page that is open."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._numbers = socket, itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._session: str | None = None
        self.complaints: list[str] = []
        """What the page wrote to its console as a warning or an error, and what broke its policy."""

    async def listen(self) -> None:
        """Take what the browser says, until it is closed."""
        async for message in self._socket:
            said = json.loads(message.data)
            if waiting := self._waiting.pop(said.get("id", 0), None):
                waiting.set_result(said)
            elif said.get("method") == "Log.entryAdded" and said["params"]["entry"]["level"] in ("warning", "error"):
                self.complaints.append(said["params"]["entry"]["text"])
            elif said.get("method") == "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(said["params"]["exceptionDetails"]))

    async def send(self, method: str, **given: object) -> Any:
        """One command and its answer."""
        number = next(self._numbers)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        session = {"sessionId": self._session} if self._session else {}
        await self._socket.send_json({"id": number, "method": method, "params": given, **session})
        async with asyncio.timeout(GIVE_UP_SECONDS):
            said = await waiting
        assert "error" not in said, said
        return said["result"]

    async def open(self) -> None:
        """Make the page."""
        target = (await self.send("Target.createTarget", url="about:blank"))["targetId"]
        self._session = (await self.send("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.send(f"{domain}.enable")

    async def screen(self, width: int, height: int, *, dark: bool = False, script: bool = True) -> None:
        """What it is looked at with."""
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 800
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.send("Emulation.setEmulatedMedia", features=[scheme])
        await self.send("Emulation.setScriptExecutionDisabled", value=not script)

    async def go(self, address: str) -> None:
        """Open an address, and wait until it is there."""
        await self.send("Page.navigate", url=address)
        await self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    async def run(self, script: str) -> Any:
        """What an expression gives, awaited when it is a promise."""
        said = await self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    async def until(self, script: str, holds: Callable[[Any], bool] = bool) -> Any:
        """What an expression gives once it holds."""
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while not holds(found := await self.run(script)):
                await asyncio.sleep(0.05)
        return found

    async def press(self, key: str) -> None:
        """One key."""
        codes: Mapping[str, int] = {"Tab": 9, "Enter": 13, "ArrowRight": 39}
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            await self.send(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key], **text
            )

    async def picture(self, file: Path, *, whole: bool = False) -> None:
        """What is seen of it, or all of it."""
        said = await self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(said["data"]))


@asynccontextmanager
async def chromium() -> AsyncIterator[Tab]:
    """A page in a browser of its own, which ends with the block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            *COMMAND, f"--user-data-dir={profile}", stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
        )
        assert process.stderr is not None
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                while not (line := (await process.stderr.readline()).decode()).startswith("DevTools listening on "):
                    assert line, "chromium ended"
            drain = asyncio.create_task(process.stderr.read())
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(line.split()[-1], max_msg_size=1 << 28) as socket,
            ):
                tab = Tab(socket)
                listening = asyncio.create_task(tab.listen())
                await tab.open()
                yield tab
            listening.cancel()
            drain.cancel()
        finally:
            process.terminate()
            await process.wait()
