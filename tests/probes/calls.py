"""What calls and meetings are tested against: the reflector that we ship, and a room in the browser."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from lab.certificates import Authority
from tests.probes.peers import LOOPBACK, Server, accepts, free_port, program

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


class Meet(Server):
    """Prosody with its WebSocket, and nginx with page and certificate in front of it."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        super().__init__(folder, "meet")
        self.authority = authority
        self.port, self.xmpp = free_port(), free_port()
        self.prosody = Server(folder, "prosody")

    def start(self) -> None:
        settings = self.folder / "prosody.cfg.lua"
        settings.write_text(f"""
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
VirtualHost "meet.example"
  authentication = "anonymous"
""")
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
        self.prosody.stop()

    @property
    def ca(self) -> dict[str, str]:
        """The option `ca`."""
        return {"file": self.authority.ca.read_text()}
