"""Digest authentication (RFC 7616, RFC 8760; RFC 2069 where a server offers no qop). No I/O.

`parse` is total: any text gives a challenge that we can answer, or None.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

_KNOWN = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
ALGORITHMS = {name: ours for name, ours in _KNOWN.items() if ours in hashlib.algorithms_available}
"""By the name of RFC 7616; not every OpenSSL has all of them."""
MOST_CHARACTERS = 4096

_PARAMETER = re.compile(
    r"""[ \t]*+([\w-]++)[ \t]*+=[ \t]*+(?:"((?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*+)"|([^\s,"]*+))[ \t]*+(?:,|$)""",
    re.ASCII,
)
"""Nothing is tried twice (`+`): a server that sends blanks by the thousand would hold up all checks for seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What a server wants to be answered; texts as they stand between their quotes."""

    realm: str
    nonce: str
    algorithm: str
    """As in ALGORITHMS."""
    names_algorithm: bool
    """Whether the server did; else it is MD5, and servers of before RFC 2617 know no word for it."""
    qop: bool
    """Whether `auth` is on offer (RFC 7616 section 3.3)."""
    stale: bool
    """The credentials were right, but for the nonce."""
    opaque: str | None


def parse(text: str) -> Challenge | None:
    """A WWW-Authenticate or Proxy-Authenticate; None when it is no Digest that we know how to answer."""
    scheme, _, rest = text.strip().partition(" ")
    if scheme.lower() != "digest" or len(rest) > MOST_CHARACTERS:
        return None
    found = _parameters(rest)
    algorithm = found.get("algorithm", "MD5").upper()
    offers = {each.strip().lower() for each in found.get("qop", "").split(",")} - {""}
    if not {"realm", "nonce"} <= found.keys() or algorithm not in ALGORITHMS or (offers and "auth" not in offers):
        return None
    return Challenge(
        realm=found["realm"], nonce=found["nonce"], algorithm=algorithm, names_algorithm="algorithm" in found,
        qop=bool(offers), stale=found.get("stale", "").lower() == "true", opaque=found.get("opaque"),
    )  # fmt: skip


def best(texts: Iterable[str]) -> Challenge | None:
    """The challenge to answer: the topmost, as the server likes it best, but none by MD5 while there is a better one.

    RFC 8760 section 2.4 wants the topmost unless the client has a policy of its own. This is ours: from an answer by MD5
    the password is guessed more easily.
    """
    known = filter(None, map(parse, texts))
    return max(known, key=lambda each: each.algorithm != "MD5", default=None)  # of equals the first


def _parameters(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None:
            return {}
        name, quoted, bare = match.groups()
        found.setdefault(name.lower(), bare if quoted is None else quoted)
        at = match.end()
    return found


def answer(challenge: Challenge, *, method: str, uri: str, username: str, password: str, cnonce: str) -> str:
    """The value of Authorization or Proxy-Authorization, of the first use of the nonce."""
    secret = _hash(challenge, f"{username}:{challenge.realm}:{password}")
    asked = _hash(challenge, f"{method}:{uri}")
    count = "00000001"
    between = f"{challenge.nonce}:{count}:{cnonce}:auth" if challenge.qop else challenge.nonce
    parts = [
        f'username="{username}"', f'realm="{challenge.realm}"', f'nonce="{challenge.nonce}"', f'uri="{uri}"',
        f'response="{_hash(challenge, f"{secret}:{between}:{asked}")}"',
    ]  # fmt: skip
    if challenge.names_algorithm:
        parts.append(f"algorithm={challenge.algorithm}")
    if challenge.qop:
        parts += [f'cnonce="{cnonce}"', "qop=auth", f"nc={count}"]
    if challenge.opaque is not None:
        parts.append(f'opaque="{challenge.opaque}"')
    return f"Digest {', '.join(parts)}"


def _hash(challenge: Challenge, text: str) -> str:
    name = ALGORITHMS[challenge.algorithm]
    return hashlib.new(name, text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
