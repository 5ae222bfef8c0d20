"""nginx in front of the board, as the manual has it: every line of its example, but for names, ports and files."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from lab.certificates import Authority
from tests.probes.peers import free_port, program

MANUAL = Path(__file__).parents[2] / "docs" / "board.md"
NAME, PASSWORD = "hai", "lab-proxy-password"
GIVE_UP_SECONDS = 20.0
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@asynccontextmanager
async def in_front_of(board: str, folder: Path) -> AsyncIterator[tuple[str, ssl.SSLContext]]:
    """The address of the proxy and whom to trust; `board` is host and port of the daemon."""
    authority, port = Authority(folder), free_port()
    certificate, key = authority.issue("proxy", ["127.0.0.1"])
    people = folder / "htpasswd"
    hashed = subprocess.run(["openssl", "passwd", "-apr1", PASSWORD], capture_output=True, text=True, check=True).stdout
    people.write_text(f"{NAME}:{hashed}")
    server = re.search(r"^```nginx file=\S+\n(.*?)^```$", MANUAL.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert server is not None
    text = server[1]
    for theirs, ours in (
        ("listen 443", f"listen 127.0.0.1:{port}"), ("127.0.0.1:9469", board), ("monitor.example.org", "127.0.0.1"),
        ("/etc/nginx/monitor.pem", str(certificate)), ("/etc/nginx/monitor.key", str(key)),
        ("/etc/nginx/monitor.htpasswd", str(people)),
    ):  # fmt: skip
        assert theirs in text, theirs
        text = text.replace(theirs, ours)
    settings = folder / "nginx.conf"
    temporary = " ".join(f"{each}_temp_path {folder};" for each in _TEMPORARY)
    settings.write_text(f"""daemon off; {"user root;" if os.geteuid() == 0 else ""} pid {folder}/pid; error_log {folder}/log;
        events {{}} http {{ access_log off; gzip on; gzip_types *; {temporary}
        {text} }}""")
    with subprocess.Popen([program("nginx"), "-c", str(settings), "-e", f"{folder}/log", "-p", str(folder)]) as nginx:
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                while not await _is_open(port):
                    await asyncio.sleep(0.05)
            yield f"https://127.0.0.1:{port}", ssl.create_default_context(cafile=authority.ca)
        finally:
            nginx.terminate()


async def _is_open(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
