"""The web server that pages are asked from: nginx in the far namespace, plain and with TLS, a certificate of a CA made for the run."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench import harness, setup
from bench.network import FAR, in_far, listens
from lab.certificates import Authority

HOSTS = "*.bench.example"
HTTP2_PORT = 8443
"""Where HTTP/2 is spoken too; 443 knows HTTP/1.1 alone, so that all contenders ask there for the same."""


@contextlib.contextmanager
def nginx(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Answers on every address of the field with a page that names the site; its CA is folder/ca.pem."""
    certificate, key = Authority(folder).issue("web", [HOSTS])
    temporary = "\n".join(
        f"  {each}_temp_path {folder}/{each};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    settings = folder / "nginx.conf"
    settings.write_text(f"""
daemon off;
{"user root;" if os.geteuid() == 0 else ""}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.error;
events {{ worker_connections 4096; }}
http {{
  access_log off;
{temporary}
  default_type text/html;
  server {{
    listen 80 backlog=4096; listen 443 ssl backlog=4096; listen {HTTP2_PORT} ssl http2 backlog=4096;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    location / {{ return 200 "<!doctype html><h1>$host</h1>{"<p>Tin</p>" * 100}"; }}
  }}
}}
""")
    command = [str(setup.program("nginx")), "-c", str(settings), "-e", f"{folder}/nginx.error", "-p", str(folder)]
    with harness.server(in_far(command), folder / "nginx.log") as process:
        harness.wait_for("nginx", lambda: listens(FAR, 443))
        yield process
