"""EmailMessage → relay: delivered, worth another try, or refused for good (only user of aiosmtplib).

Source: RFC 5321 section 4.2.1 (4yz: try again, 5yz: do not), RFC 3207 (STARTTLS), RFC 4954 (AUTH).
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from enum import StrEnum
from typing import Literal

import aiosmtplib


class Delivery(StrEnum):
    """How a try to deliver ended."""

    SENT = "sent"
    RETRY = "retry"
    REFUSED = "refused"
    """The relay will never take this mail for this recipient."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """A mail server that takes our mails."""

    host: str
    port: int
    tls: Literal["none", "starttls", "implicit"] = "starttls"
    username: str = ""
    password: str = ""
    verify: bool = True
    ca_pem: str = ""
    timeout_seconds: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of one try over all relays."""

    delivery: Delivery
    answer: str
    """What the last relay said, in one line."""
    relay: str = ""


class Mailer:
    """Sends through the first relay that takes the mail."""

    def __init__(self, relays: Sequence[Relay]) -> None:
        self._relays = relays

    async def send(self, message: EmailMessage, recipient: str) -> Outcome:
        """Try each relay in turn, until one has taken the mail or refused its recipient for good."""
        answers = []
        for relay in self._relays:
            place = f"{relay.host}:{relay.port}"
            try:
                said = await self._through(relay, message, recipient)
            except aiosmtplib.SMTPRecipientsRefused as error:
                refused = error.recipients[0]
                if refused.code >= 500:
                    return Outcome(delivery=Delivery.REFUSED, answer=_line(refused), relay=place)
                answers.append(f"{place}: {_line(refused)}")
            except aiosmtplib.SMTPDataError as error:
                if error.code >= 500:
                    return Outcome(delivery=Delivery.REFUSED, answer=_line(error), relay=place)
                answers.append(f"{place}: {_line(error)}")
            except (aiosmtplib.SMTPException, OSError, ValueError) as error:  # ValueError: a host name that is none
                # Also a log-in or sender that is refused: an admin can mend that, and the mail must not be lost till then.
                answers.append(f"{place}: {_one_line(str(error) or type(error).__name__)}")
            else:
                return Outcome(delivery=Delivery.SENT, answer=_one_line(said), relay=place)
        return Outcome(delivery=Delivery.RETRY, answer="; ".join(answers))

    @staticmethod
    async def _through(relay: Relay, message: EmailMessage, recipient: str) -> str:
        client = aiosmtplib.SMTP(
            hostname=relay.host,
            port=relay.port,
            timeout=relay.timeout_seconds,
            use_tls=relay.tls == "implicit",
            start_tls=relay.tls == "starttls",
            username=relay.username or None,
            password=relay.password or None,
            tls_context=_context(relay),
        )
        async with client:
            _, said = await client.send_message(message, recipients=[recipient])
        return said


def _context(relay: Relay) -> ssl.SSLContext | None:
    if relay.tls == "none":
        return None
    # Remarks between the certificates may be in any language; ssl wants ASCII and reads only the certificates.
    context = ssl.create_default_context(cadata=relay.ca_pem.encode("ascii", "ignore").decode() or None)
    if not relay.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _line(error: aiosmtplib.SMTPResponseException) -> str:
    return _one_line(f"{error.code} {error.message}")


def _one_line(text: str) -> str:
    """What a relay said, fit for log and database: aiosmtplib leaves bytes that are no UTF-8 as half surrogate pairs."""
    readable = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(readable.split())[:300]
