"""The control socket: what changes the running daemon, guarded by the permissions of a Unix socket.

`curl --unix-socket control.sock -X POST http://control/-/reload` does what `commune-monitor reload` does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
from aiohttp import web

Reload = Callable[[], Awaitable[str]]
"""Takes over the settings on disk; returns "" or what is wrong with them."""


def make_control(reload: Reload) -> web.Application:
    """The routes of the control socket."""

    async def on_reload(_: web.Request) -> web.Response:
        wrong = await reload()
        return web.Response(text=wrong or "reloaded\n", status=422 if wrong else 200)

    app = web.Application(client_max_size=4096)
    app.router.add_post("/-/reload", on_reload)
    return app


async def serve(app: web.Application, path: Path) -> web.AppRunner:
    """Listen on the socket at `path`, readable and writable by its owner and group only."""
    path.unlink(missing_ok=True)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, str(path)).start()
    path.chmod(0o660)
    return runner


async def ask(path: Path, method: str, route: str) -> tuple[int, str]:
    """One request to a running daemon; raises OSError (aiohttp.ClientError is one) when none answers."""
    connector = aiohttp.UnixConnector(path=str(path))
    async with (
        aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30)) as session,
        session.request(method, f"http://control{route}") as response,
    ):
        return response.status, await response.text()
