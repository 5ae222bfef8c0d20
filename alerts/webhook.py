"""Notification → signed POST of JSON to somebody else's program; waits in the outbox like a mail until it is taken.

The signature is HMAC-SHA256 (RFC 2104) over time and body, so that what arrives can be told to be ours and fresh.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import aiohttp
from pydantic import TypeAdapter

from alerts.mailer import Delivery, Outcome
from alerts.resolver import Resolver
from monitor.core.model import Contact, Incident, Notification

VERSION = 1
PREFIX = "webhook:"
"""Of the ids of the contacts that are webhooks; no person's has a colon."""
REFUSALS = (400, 410, 413, 422)
"""Answers that say that this very body will never be taken; all others can be mended at the other end."""
MAX_ANSWER = 300

_incident_json = TypeAdapter(Incident)


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A program that is told of every incident event."""

    name: str
    url: str
    key: bytes
    """Of the signature."""
    timeout_seconds: float = 10.0

    @property
    def contact(self) -> Contact:
        """What policy and outbox know of it: somebody without an address who is told of everything."""
        return Contact(id=f"{PREFIX}{self.name}", name=self.name, email="", language="en")


class Webhooks:
    """Hands notifications over."""

    def __init__(self, hooks: Mapping[str, Webhook], on_try: Callable[[str, str], None]) -> None:
        """`hooks` by the id of their contact; `on_try` is told that id and what became of it."""
        self._hooks, self._on_try, self._resolver = hooks, on_try, Resolver()

    async def send(self, notification: Notification, now: datetime) -> Outcome:
        """One try."""
        id_ = notification.contact.id
        hook = self._hooks.get(id_)
        if hook is None:
            return Outcome(delivery=Delivery.REFUSED, answer="this webhook is not in the settings any more")
        text = body(notification)
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": notification.id,
            **signed(hook.key, now, text),
        }
        try:
            async with (
                self._resolver.session(hook.timeout_seconds) as session,
                session.post(hook.url, data=text, headers=headers, allow_redirects=False) as answer,
            ):
                status, said = answer.status, ""
                with suppress(aiohttp.ClientError, TimeoutError):  # the status has decided
                    said = (await answer.content.read(MAX_ANSWER)).decode("utf-8", "replace")
        except (
            aiohttp.ClientError,
            TimeoutError,
            ValueError,
        ) as error:  # its text may hold the address, which is a secret
            result = "timeout" if isinstance(error, TimeoutError) else "no-connection"
            self._on_try(id_, result)
            return Outcome(delivery=Delivery.RETRY, answer=f"{result}: {type(error).__name__}", relay=id_)
        told = " ".join("".join(each if each.isprintable() else " " for each in f"{status} {said}").split())
        if 200 <= status < 300:
            delivery, result = Delivery.SENT, "sent"
        elif status in REFUSALS:
            delivery, result = Delivery.REFUSED, "refused"
        else:
            delivery, result = Delivery.RETRY, "deferred"
        self._on_try(id_, result)
        return Outcome(delivery=delivery, answer=told, relay=id_)


def body(notification: Notification) -> bytes:
    """What is posted; the same each time."""
    event = notification.event
    told = {
        "version": VERSION, "id": notification.id, "what": event.what.value, "at": event.at.isoformat(),
        "catches_up": notification.catches_up, "incident": _incident_json.dump_python(event.incident, mode="json"),
    }  # fmt: skip
    return json.dumps(told, ensure_ascii=False).encode()


def signed(key: bytes, at: datetime, text: bytes) -> dict[str, str]:
    """The headers that show that a body is ours, and from when."""
    seconds = str(int(at.timestamp()))
    digest = hmac.new(key, seconds.encode() + b"." + text, hashlib.sha256).hexdigest()
    return {"X-Commune-Monitor-Timestamp": seconds, "X-Commune-Monitor-Signature": f"sha256={digest}"}
