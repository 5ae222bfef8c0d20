"""What calls and meetings are tested against: the reflector that we ship, and a room in the browser with its STUN and TURN."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from lab.certificates import Authority
from tests.probes.peers import LOOPBACK, Server, accepts, free_port, program
from tests.probes.rooms import Turnserver

KEY = "0123456789abcdef0123456789abcdef"
DAYS = 40
PAGE = "<title>Họp giao ban</title><script src=libs/app.bundle.min.js></script>"


class Reflecting(Server):
    """`commune-monitor reflect` as it is shipped; in a namespace, or here."""

    def __init__(self, folder: Path, port: int, *options: str, namespace: str = "") -> None:
        super().__init__(folder, "reflect")
        self.options, self.port = options, port
        self._there = ["ip", "netns", "exec", namespace] if namespace else []

    def start(self) -> None:
        self.spawn(
            [
                *self._there, sys.executable, "-m", "monitor", "reflect", "--listen", f"0.0.0.0:{self.port}",
                "--listen", f"[::]:{self.port}", "--log", "text", *self.options,
            ],
            lambda: self.log.read_text().count("reflecting at") == 2,
        )  # fmt: skip

    @property
    def counts(self) -> dict[str, int]:
        """What it told at its end."""
        told = re.findall(r"packets so far: (.*)", self.log.read_text())[-1]
        return {what: int(count) for count, what in re.findall(r"(\d+) (\w+)", told)}


TURN_SECRET = "turn-secret"


def _service(kind: str, port: int, *, transport: str = "udp", host: str = "meet.example", login: bool = True) -> str:
    """A server in Prosody's settings, as Jitsi Meet's own are written."""
    secret = '; secret = true; ttl = 3600; algorithm = "turn"' if login and kind != "stun" else ""
    return f'{{ type = "{kind}"; transport = "{transport}"; host = "{host}"; port = {port}{secret} }}; '


class Meet(Server):
    """Prosody with its WebSocket, nginx with page and certificate in front of it, and coturn that shares a secret with Prosody.

    The option `domain` picks what Prosody is like there.
    """

    def __init__(self, folder: Path, authority: Authority) -> None:
        super().__init__(folder, "meet")
        self.authority = authority
        self.port, self.xmpp, self.nobody = free_port(), free_port(), free_port()
        self.prosody = Server(folder, "prosody")
        shared = ("--use-auth-secret", f"--static-auth-secret={TURN_SECRET}")
        self.coturn = Turnserver(folder, authority, "coturn-of-meet", *shared)
        self.expired = Turnserver(folder, authority, "coturn-expired", *shared, days=-3)

    def _domains(self) -> dict[str, str]:
        """By domain, what is in its settings."""
        stun, turn = _service("stun", self.coturn.port), _service("turn", self.coturn.port)
        turn_tcp = _service("turn", self.coturn.port, transport="tcp")
        turns = _service("turns", self.coturn.tls, transport="tcp", host=LOOPBACK)
        gone, stopped = _service("stun", self.nobody), _service("turn", self.nobody)
        expired = _service("turns", self.expired.tls, transport="tcp", host=LOOPBACK)
        without = _service("turns", self.coturn.tls, transport="tcp", host=LOOPBACK, login=False)
        guests, services = 'authentication = "anonymous"', 'modules_enabled = { "external_services" }'
        named = {
            "meet.example": stun + turn + turn_tcp + turns,
            "stopped.example": gone + stopped,
            "half.example": turn + stopped,
            "expired.example": stun + expired,
            "several.example": "".join(
                _service(each, self.coturn.port, host="several.example") for each in ("stun", "turn")
            ),
            "low.example": _service("turn", 25) + _service("turn", 8, transport="sctp") + without,
            "many.example": "".join(_service("stun", self.coturn.port, host=f"127.0.0.{n}") for n in range(1, 21)),
            "empty.example": '{ type = "stuns"; transport = "tcp"; host = "meet.example"; port = 443 }; ',
        }
        return {
            **{
                name: f'{guests}\n{services}\nexternal_service_secret = "{TURN_SECRET}"\nexternal_services = {{ {each}}}'
                for name, each in named.items()
            },
            "secret.example": f'{guests}\n{services}\nexternal_service_secret = "another"\nexternal_services = {{ {gone}{turn}}}',
            "without.example": guests,
            "own.example": f'{guests}\nmodules_enabled = {{ "turn_external" }}\nturn_external_secret = "{TURN_SECRET}"\n'
            f'turn_external_host = "{LOOPBACK}"\nturn_external_port = {self.coturn.port}\nturn_external_tcp = true',
            "closed.example": f'authentication = "internal_hashed"\n{services}\n'
            f'external_service_secret = "{TURN_SECRET}"\nexternal_services = {{ {turn}}}',
        }

    def start(self) -> None:
        self.coturn.start()
        self.expired.start()
        settings = self.folder / "prosody.cfg.lua"
        settings.write_text(
            f"""
run_as_root = true
pidfile = "{self.folder}/prosody.pid"
data_path = "{self.folder}"
log = {{ error = "*console" }}
modules_enabled = {{ "websocket"; "saslauth" }}
modules_disabled = {{ "s2s"; "posix" }}
c2s_ports = {{}}
s2s_ports = {{}}
https_ports = {{}}
http_ports = {{ {self.xmpp} }}
http_interfaces = {{ "{LOOPBACK}" }}
http_default_host = "meet.example"
consider_websocket_secure = true

"""
            + "\n".join(f'VirtualHost "{name}"\n{each}' for name, each in self._domains().items())
        )
        self.prosody.spawn([program("prosody"), "-F", "--config", str(settings)], lambda: accepts(self.xmpp))
        (self.folder / "hop").write_text(PAGE, encoding="utf-8")
        certificate, key = self.authority.issue("meet", ["meet.example"], days=DAYS)
        temporary = "\n".join(
            f"{each}_temp_path {self.folder}/{each};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        nginx = self.folder / "meet.conf"
        nginx.write_text(f"""
daemon off;
{"user root;" if os.geteuid() == 0 else ""}
worker_processes 1;
pid {self.folder}/meet.pid;
events {{ worker_connections 64; }}
http {{
  access_log off;
  {temporary}
  server {{
    listen {LOOPBACK}:{self.port} ssl;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    root {self.folder};
    location = /xmpp-websocket {{
      proxy_pass http://{LOOPBACK}:{self.xmpp};
      proxy_http_version 1.1;
      proxy_set_header Connection "upgrade";
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Host meet.example;
    }}
    location = /gone {{ return 302 https://elsewhere.example/; }}
  }}
}}
""")
        self.spawn(
            [program("nginx"), "-c", str(nginx), "-e", str(self.log), "-p", str(self.folder)],
            lambda: accepts(self.port),
        )

    def stop(self) -> None:
        super().stop()
        for each in (self.prosody, self.coturn, self.expired):
            each.stop()

    @property
    def ca(self) -> dict[str, str]:
        """The option `ca`."""
        return {"file": self.authority.ca.read_text()}


Speak = Callable[[web.WebSocketResponse], Awaitable[None]]


@asynccontextmanager
async def speaking(speak: Speak, *protocols: str) -> AsyncIterator[dict[str, Any]]:
    """A WebSocket server of aiohttp; the options that ask it."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text="room")

    async def signalling(request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse(protocols=protocols)
        await websocket.prepare(request)
        await speak(websocket)
        return websocket

    app = web.Application()
    app.add_routes([web.get("/", page), web.get("/xmpp-websocket", signalling)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, LOOPBACK, 0)
    await site.start()
    try:
        yield {"url": f"http://room.example:{runner.addresses[0][1]}/"}
    finally:
        await runner.cleanup()
