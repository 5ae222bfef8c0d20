"""`python -m bench.viewers PATH…`: one live viewer for each path, as browsers are; a line of JSON for every page that one was sent.

A process of its own, so that its CPU is not the daemon's.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
import time
import zlib
from urllib.parse import quote

from bench.daemon import LISTEN

HURT = re.compile(r'class="(?:down|unreachable)"[^>]*? href="/sites/([^"?]+)')


async def look(number: int, path: str) -> None:
    """Look at one page until the stream ends; raises OSError when the door is shut."""
    host, _, port = LISTEN.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"GET /events?page={quote(path, '')} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: gzip\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    tell(viewer=number, status=int(head.split()[1]))
    unpacker, text = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16), b""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while length := int((await reader.readuntil(b"\r\n")), 16):
            text += unpacker.decompress((await reader.readexactly(length + 2))[:length])
            *events, text = text.split(b"\n\n")
            for each in events:
                if each.startswith(b"event: page"):
                    page = json.loads(each.partition(b"\ndata: ")[2])["html"]
                    tell(viewer=number, at=time.monotonic(), hurt=sorted(set(HURT.findall(page))))
    tell(viewer=number, status=0)


def tell(**said: object) -> None:
    """One line."""
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


async def main() -> None:
    """All viewers."""
    async with asyncio.TaskGroup() as group:
        for number, path in enumerate(sys.argv[1:]):
            group.create_task(look(number, path))


if __name__ == "__main__":
    asyncio.run(main())
