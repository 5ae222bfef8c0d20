"""Text to bytes, as a client takes them."""

from __future__ import annotations

import re

from aiohttp import hdrs, web


def encoded(text: str) -> bytes:
    """UTF-8; half a surrogate pair, which a peer's garbage can leave in evidence, becomes a question mark."""
    return text.encode("utf-8", "replace")


def takes_gzip(request: web.Request) -> bool:
    """Whether the answer may be packed."""
    offers = request.headers.get(hdrs.ACCEPT_ENCODING, "").lower().split(",")
    return any(re.fullmatch(r"\s*(x-)?gzip\s*(;\s*q=(?!0(\.0*)?\s*$).*)?", each) for each in offers)
