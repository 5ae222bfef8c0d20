"""How the headers of mails are written: whole, and never anything else than they are meant to be."""

from __future__ import annotations

import re
from email.header import Header
from email.headerregistry import HeaderRegistry, UniqueSingleAddressHeader, UniqueUnstructuredHeader
from email.policy import SMTP, EmailPolicy


class _Whole(UniqueUnstructuredHeader):
    """A header that is never broken but between encoded words.

    Identifiers are compared as they stand, and the folding of Python 3.11 loses a space between encoded words, which the
    older `email.header` does not.
    """

    name: str

    def fold(self, *, policy: EmailPolicy) -> str:
        """The header on the wire."""
        text = str(self)
        if not text.isascii():
            text = Header(text, "utf-8", header_name=self.name).encode(linesep=policy.linesep)
        return f"{self.name}: {text}{policy.linesep}"


class _Addressed(UniqueSingleAddressHeader):
    """A header with one address, whose name never becomes anything else.

    Where a quoted name is longer than a line, the folding of Python 3.11 leaves its quotes out (what was a comma in it then parts
    addresses), so that a name that is more than plain words is encoded instead (RFC 2047 section 5, rule 3).
    """

    name: str

    def fold(self, *, policy: EmailPolicy) -> str:
        """The header on the wire."""
        called, address = self.address.display_name, self.address.addr_spec
        if not re.fullmatch(r"[A-Za-z0-9 ]{0,40}", called):
            called = Header(called, "utf-8", header_name=self.name).encode(linesep=policy.linesep)
        between = f"{policy.linesep} " if len(called) + len(address) > 70 else " "
        return (
            f"{self.name}: {called}{between}<{address}>{policy.linesep}"
            if called
            else f"{self.name}: {address}{policy.linesep}"
        )


def mail_policy() -> EmailPolicy:
    """For `EmailMessage`: SMTP with our headers."""
    headers = HeaderRegistry()
    for name in ("from", "to"):
        headers.map_to_type(name, _Addressed)  # type: ignore[arg-type]  # as below
    for name in ("subject", "message-id", "content-id", "in-reply-to", "references", "x-commune-monitor-incident"):
        headers.map_to_type(name, _Whole)  # type: ignore[arg-type]  # the stubs want what the registry makes of it
    return SMTP.clone(header_factory=headers)  # type: ignore[return-value]  # the stubs disagree with each other
