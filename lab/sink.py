"""A mail server for the lab (aiosmtpd): takes mails over STARTTLS with a log-in, keeps them, and can refuse on command.

`python -m lab.sink ADDRESS PORT CERTIFICATE KEY` runs one that forgets what it takes: the province's official mail.
"""

from __future__ import annotations

import logging
import ssl
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One mail as it came."""

    at: datetime
    to: tuple[str, ...]
    message: EmailMessage

    def text(self) -> str:
        """The text part."""
        body = self.message.get_body(("plain",))
        return str(body.get_content()) if body else ""


logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd warns of its own deprecated attribute at each log-in


class Sink:
    """The server; `mails` grows as they arrive, in its own thread."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        certificate: tuple[Path, Path] | None = None,
        login: tuple[str, str] | None = None,
        on_mail: Callable[[Taken], None] | None = None,
    ) -> None:
        self.mails: list[Taken] = []
        self.refuse = ""
        """An answer such as `451 try later`; while it is set, no mail is taken."""
        self.refused = 0
        self.on_mail = on_mail
        self._login = login
        context = None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
        self._controller = Controller(
            self, hostname=host, port=port, tls_context=context, require_starttls=context is not None,
            authenticator=self._authenticate, auth_required=login is not None, server_hostname="sink.lab",
            auth_exclude_mechanism=["LOGIN"],  # its "User Name" is not the "Username:" that Go's clients wait for
            ident="lab", ready_timeout=10,
        )  # fmt: skip
        self._lock = threading.Lock()

    def start(self) -> None:
        """Listen."""
        self._controller.start()

    def stop(self) -> None:
        """Stop listening."""
        self._controller.stop()

    def _authenticate(
        self, _server: object, _session: object, _envelope: object, _mechanism: str, data: Any
    ) -> AuthResult:
        good = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode()) == self._login
        return AuthResult(success=good, handled=False)  # not handled: aiosmtpd answers, also with its 535

    async def handle_RCPT(
        self, _server: object, _session: object, envelope: Any, address: str, _options: object
    ) -> str:
        """aiosmtpd asks this for each recipient."""
        if self.refuse:
            self.refused += 1
            return self.refuse
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:
        """aiosmtpd hands each mail to this."""
        message = message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        taken = Taken(at=datetime.now(UTC), to=tuple(envelope.rcpt_tos), message=message)
        with self._lock:
            self.mails.append(taken)
        if self.on_mail is not None:
            self.on_mail(taken)
        return "250 taken"


def main() -> None:
    """Run until killed."""
    host, port, certificate, key = sys.argv[1:5]
    sink = Sink(host, int(port), certificate=(Path(certificate), Path(key)))
    sink.start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
