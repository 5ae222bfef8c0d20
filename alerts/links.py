"""Links in mails that do something: signed, for one mail and one act, for a time.

A link names its mail and thereby incident and recipient; whoever has it may do its act once, while the incident is open.
The signature is HMAC-SHA-256 (RFC 2104, cut to 128 bits as its section 5 allows) over everything else in the link.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from urllib.parse import quote

from monitor.core.words import LOCAL

KEY_BYTES = 32
SIGNATURE_BYTES = 16
VALID = timedelta(days=3)
"""How long the links of a mail can be used, from what it tells on: over a weekend."""
HOUR = timedelta(hours=1)
MORNING = time(7, 0)
"""Until when a silence until morning lasts, in Viet Nam."""


class Act(StrEnum):
    """What a link does."""

    ACKNOWLEDGE = "ack"
    SILENCE_HOUR = "silence-1h"
    SILENCE_MORNING = "silence-morning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a signature stands for."""

    act: Act
    mail: str
    """Id of the notification: of one incident event, to one contact."""
    expires: datetime

    @property
    def id(self) -> str:
        """What can be used once."""
        return f"{self.mail}/{self.act}"


class Signer:
    """Makes links and tells ours from others."""

    def __init__(self, key: bytes) -> None:
        """`key` is random and secret; raises ValueError when it is shorter than KEY_BYTES."""
        if len(key) < KEY_BYTES:
            raise ValueError(f"a key of links has at least {KEY_BYTES} bytes")
        self._key = key

    def path(self, link: Link) -> str:
        """The link without scheme and host."""
        parts = (link.act.value, link.mail, str(int(link.expires.timestamp())))
        return "/".join(("/acts", *(quote(each, safe="") for each in parts), self._sign(parts)))

    def read(self, parts: Sequence[str]) -> Link | None:
        """The link of a path's parts (act, mail, expiry, signature); None when it is not ours, whatever is wrong with it."""
        *told, signature = parts
        if not hmac.compare_digest(self._sign(told).encode(), signature.encode(errors="replace")):
            return None
        act, mail, expires = told
        return Link(act=Act(act), mail=mail, expires=datetime.fromtimestamp(int(expires), UTC))

    def _sign(self, parts: Sequence[str]) -> str:
        told = "\n".join(parts).encode(errors="replace")  # none of the parts that we sign has a line break
        return urlsafe_b64encode(hmac.digest(self._key, told, "sha256")[:SIGNATURE_BYTES]).decode().rstrip("=")


def silent_until(act: Act, now: datetime) -> datetime | None:
    """When the silence of an act ends that is done now; None when it is no silence."""
    if act is Act.SILENCE_HOUR:
        return now + HOUR
    if act is Act.SILENCE_MORNING:
        here = now.astimezone(LOCAL)
        morning = datetime.combine(here.date(), MORNING, LOCAL)
        return (morning if here < morning else morning + timedelta(days=1)).astimezone(UTC)
    return None
