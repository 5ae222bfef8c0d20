"""A mail server for the lab (aiosmtpd): takes mails over STARTTLS with a log-in, keeps them, and fails on command.

`python -m lab.sink ADDRESS PORT CERTIFICATE KEY` runs one that forgets what it takes: the province's official mail.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


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


HANG, DROP = "hang", "drop"
HANG_SECONDS = 600.0
STEPS = ("connect", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "content", "taken")
"""Where a dialogue may fail: before each command is answered, when the whole mail has come, and when it was kept, but not
yet answered."""
Fault = Callable[[str], str]
"""From the step to what goes wrong there: HANG, DROP, an answer such as `451 later`, or "" for nothing."""

logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd warns of its own deprecated attribute at each log-in


def _guarded(step: str, command: Callable[[Any, Any], Awaitable[None]]) -> Callable[[Any, Any], Awaitable[None]]:
    async def answer(server: Any, argument: Any) -> None:
        if wrong := await server.goes_wrong(step):
            await server.push(wrong)
        else:
            await command(server, argument)

    return answer


class _Server(SMTP):
    """One connection; before each command it asks the sink whether something is to go wrong."""

    async def _handle_client(self) -> None:
        with suppress(ConnectionResetError):
            await self.goes_wrong("connect")
            await super()._handle_client()

    async def goes_wrong(self, step: str) -> str:
        """What to answer instead, or ""; raises ConnectionResetError when there is nobody any more to be answered."""
        how = self.event_handler.fault(step)
        if how == HANG:
            await asyncio.sleep(HANG_SECONDS)
        if how in (HANG, DROP):
            assert self.transport is not None
            self.transport.close()
            raise ConnectionResetError
        return str(how)


for _step in STEPS[1:-2]:  # those that are commands
    _name = f"smtp_{_step.upper()}"
    setattr(_Server, _name, _guarded(_step, getattr(SMTP, _name)))


class _Controller(Controller):
    def factory(self) -> SMTP:
        """Called for each connection."""
        return _Server(self.handler, **self.SMTP_kwargs)


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
        self.fault: Fault = lambda _step: ""
        self.on_mail = on_mail
        self._login = login
        context = None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
        self._controller = _Controller(
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

    async def handle_DATA(self, server: Any, _session: object, envelope: Any) -> str:
        """aiosmtpd hands each mail to this."""
        if wrong := await server.goes_wrong("content"):
            return str(wrong)
        message = message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        taken = Taken(at=datetime.now(UTC), to=tuple(envelope.rcpt_tos), message=message)
        with self._lock:
            self.mails.append(taken)
        if self.on_mail is not None:
            self.on_mail(taken)
        return await server.goes_wrong("taken") or "250 taken"


def main() -> None:
    """Run until killed."""
    host, port, certificate, key = sys.argv[1:5]
    sink = Sink(host, int(port), certificate=(Path(certificate), Path(key)))
    sink.start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
