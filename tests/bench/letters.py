"""Mails as a mail server took them."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage

from lab.sink import Taken


def letter(**headers: str) -> Taken:
    message = EmailMessage()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return Taken(at=datetime(2026, 11, 24, 5, 0, tzinfo=UTC), to=("a@example",), message=message)
