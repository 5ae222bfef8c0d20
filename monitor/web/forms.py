"""What a browser sends of a form of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qsl

from aiohttp import web

WHOLE_SECONDS = 10.0
"""How long a form may take to come in: who waits keeps a place at the door."""
MOST_FIELDS = 10

Form = Mapping[str, str]


async def form_of(request: web.Request) -> Form:
    """Its fields, URL-encoded in UTF-8 as our pages send them, and nothing else; raises ValueError when it is no such form."""
    try:
        async with asyncio.timeout(WHOLE_SECONDS):
            body = await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    return dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS))
