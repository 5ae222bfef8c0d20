"""What is common to the interfaces by which rooms tell of themselves over HTTP: questions and cookies. No I/O.

Source: RFC 9110, RFC 6265 (cookies; of their attributes none matters to who asks one server for seconds).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

MOST_COOKIES = 8
MOST_COOKIE = 1024
"""Characters of one."""
_COOKIE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)=([!#-+\--:<-\[\]-~]*)\s*(?:;|$)")
"""Name and value (RFC 6265 section 4.1.1)."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request; the same for every room, but for the log-in."""

    method: str
    target: str
    body: bytes = field(default=b"", repr=False)
    content: str = ""
    """Type of the body."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def take_cookies(held: dict[str, str], set_now: Iterable[str]) -> None:
    """Those of an answer into the ones that are held; what is none, or too much, is left out."""
    for each in set_now:
        found = _COOKIE.match(each[: MOST_COOKIE + 1])
        if found and found.end() <= MOST_COOKIE and (len(held) < MOST_COOKIES or found[1] in held):
            held[found[1]] = found[2]


def cookie_header(held: Mapping[str, str]) -> dict[str, str]:
    """The header that shows them; empty when there are none."""
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in held.items())} if held else {}
