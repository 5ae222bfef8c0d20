"""The control socket: what changes the running daemon, guarded by the permissions of a Unix socket.

`curl --unix-socket control.sock -X POST http://control/-/reload` does what `commune-monitor reload` does.
"""

from __future__ import annotations

import json
import pwd
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from aiohttp import web

from monitor.database import StoreError

Reload = Callable[[], Awaitable[str]]
"""Takes over the settings on disk; returns "" or what is wrong with them."""


Look = Callable[[], Awaitable[str]]
"""What a reload would do, as JSON; raises RefusedError with what is wrong with the settings on disk."""


class RefusedError(ValueError):
    """An act that cannot be done; the message says why."""


class Acts(Protocol):
    """What may be done; answers are fit for JSON. Each raises RefusedError, or StoreError when it cannot be written."""

    async def silence(self, given: object, login: str) -> object:
        """Begin a silence."""

    async def unsilence(self, id_: str, login: str) -> object:
        """Lift one."""

    def silences(self) -> object:
        """Those in force."""

    async def acknowledge(self, incident: str, given: object, login: str) -> object:
        """Somebody has an incident."""

    async def unacknowledge(self, incident: str, login: str) -> object:
        """Nobody has it any more."""

    async def timeline(self, incident: str) -> object:
        """The life of an incident."""

    async def failed_mails(self) -> object:
        """Those that were refused for good."""

    async def retry_mails(self, given: object, login: str) -> object:
        """Send some of them all the same."""


def peer_login(request: web.Request) -> str:
    """The login name of who is at the other end, as the kernel says (SO_PEERCRED); `uid N` where none has this number."""
    assert request.transport is not None
    sock = request.transport.get_extra_info("socket")
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def make_control(reload: Reload, plan: Look, acts: Acts) -> web.Application:
    """The routes of the control socket."""

    async def on_reload(_: web.Request) -> web.Response:
        wrong = await reload()
        return web.Response(
            text=f"{wrong}\nNothing was taken over: the last good files stay in force.\n" if wrong else "reloaded\n",
            status=422 if wrong else 200,
        )

    async def on_plan(_: web.Request) -> web.Response:
        try:
            return web.Response(text=await plan(), content_type="application/json")
        except RefusedError as error:
            return web.Response(text=f"{error}\n", status=422)

    async def silence(request: web.Request) -> object:
        return await acts.silence(await _body(request), peer_login(request))

    async def unsilence(request: web.Request) -> object:
        return await acts.unsilence(request.match_info["id"], peer_login(request))

    async def silences(_: web.Request) -> object:
        return acts.silences()

    async def acknowledge(request: web.Request) -> object:
        return await acts.acknowledge(request.match_info["id"], await _body(request), peer_login(request))

    async def unacknowledge(request: web.Request) -> object:
        return await acts.unacknowledge(request.match_info["id"], peer_login(request))

    async def timeline(request: web.Request) -> object:
        return await acts.timeline(request.match_info["id"])

    async def failed_mails(_: web.Request) -> object:
        return await acts.failed_mails()

    async def retry_mails(request: web.Request) -> object:
        return await acts.retry_mails(await _body(request), peer_login(request))

    app = web.Application(client_max_size=4096)
    app.router.add_post("/-/reload", on_reload)
    app.router.add_get("/-/plan", on_plan)
    app.router.add_post("/-/silences", _answered(silence))
    app.router.add_get("/-/silences", _answered(silences))
    app.router.add_delete("/-/silences/{id}", _answered(unsilence))
    app.router.add_post("/-/acknowledgements/{id:.+}", _answered(acknowledge))
    app.router.add_delete("/-/acknowledgements/{id:.+}", _answered(unacknowledge))
    app.router.add_get("/-/incidents/{id:.+}", _answered(timeline))
    app.router.add_get("/-/mails/failed", _answered(failed_mails))
    app.router.add_post("/-/mails/retry", _answered(retry_mails))
    return app


async def _body(request: web.Request) -> object:
    try:
        return await request.json()
    except ValueError as error:
        raise RefusedError(f"not JSON: {error}") from error


def _answered(act: Callable[[web.Request], Awaitable[object]]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The act's answer as JSON; what is refused as one line of text."""

    async def handler(request: web.Request) -> web.Response:
        try:
            return web.json_response(await act(request), dumps=lambda each: json.dumps(each, ensure_ascii=False))
        except RefusedError as error:
            return web.Response(text=f"{error}\n", status=422)
        except StoreError as error:
            return web.Response(text=f"not written, so not done: {error}\n", status=503)

    return handler


async def serve(app: web.Application, path: Path) -> web.AppRunner:
    """Listen on the socket at `path`, readable and writable by its owner and group only."""
    path.unlink(missing_ok=True)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, str(path)).start()
    path.chmod(0o660)
    return runner
