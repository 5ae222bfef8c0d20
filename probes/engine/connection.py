"""A TCP connection, in TLS if wished; a certificate that is not trusted still tells when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr

from monitor import names
from probes.registry import Metric, Options, Request, Secret
from probes.wire import tls

METRICS = (
    Metric(name=tls.EXPIRY, help="When the certificate of the peer ends, in Unix seconds."),
    Metric(name=tls.DAYS_LEFT, help="Days until the certificate of the peer ends."),
)


_HOST_NAME = re.compile(r"[A-Za-z0-9._:-]*")


def _host_name(value: str) -> str:
    """As TLS and HTTP write it: in ASCII (IDNA, RFC 3490)."""
    with contextlib.suppress(UnicodeError):
        name = value.encode("idna").decode("ascii")
        if _HOST_NAME.fullmatch(name):
            return name
    raise ValueError(f"`{value}` is no name of a host")


class TrustOptions(Options):
    """Whom to trust over TLS."""

    server_name: Annotated[str, AfterValidator(_host_name)] = Field(
        "", max_length=253, description="name to ask for and to verify over TLS; empty: the address"
    )
    verify: bool = Field(True, description="whether the certificate must be good")
    ca: Secret = Field(SecretStr(""), description="where the PEM of the CA is; none: those of the system")


class UntrustedError(Exception):
    """The certificate is not good; `values` say all the same when it ends."""

    def __init__(self, error: ssl.SSLCertVerificationError, values: dict[str, float]) -> None:
        super().__init__(tls.why(error))
        self.values = values


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """An open connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    seconds: dict[str, float]
    """By phase: `connect`, `tls`."""
    values: dict[str, float]
    """Of the certificate."""

    @property
    def local(self) -> tuple[str, int]:
        """Our own address and port."""
        host, port = self.writer.get_extra_info("sockname")[:2]
        return str(host), int(port)

    async def more(self) -> bytes:
        """What comes next; raises ConnectionResetError when nothing will."""
        more = await self.reader.read(4096)
        if not more:
            raise ConnectionResetError(104, "the peer closed the connection without an answer")
        return more


@contextlib.asynccontextmanager
async def connect(
    request: Request[Any], address: str, port: int, trust: TrustOptions | None
) -> AsyncIterator[Connection]:
    """Connect, with TLS when there is somebody to trust; raises UntrustedError, OSError. Ends without a farewell.

    The request is told what is waited for: a program that hangs is told from a way that is closed.
    """
    clock = asyncio.get_running_loop().time
    start = clock()
    request.doing = "a connection"
    reader, writer = await names.open_connection(address, port)
    seconds, values = {"connect": clock() - start}, {}
    try:
        if trust is not None:
            start = clock()
            request.doing = "TLS; the connection is open"
            values = await _secure(writer, address, port, trust)
            seconds["tls"] = clock() - start
        request.doing = "an answer; the connection is open"
        yield Connection(reader=reader, writer=writer, seconds=seconds, values=values)
    finally:
        writer.transport.abort()


async def _secure(writer: asyncio.StreamWriter, address: str, port: int, trust: TrustOptions) -> dict[str, float]:
    context = tls.context(verify=trust.verify, ca_pem=trust.ca.get_secret_value())
    name = trust.server_name or address
    try:
        await writer.start_tls(context, server_hostname=name)
    except ssl.SSLCertVerificationError as error:
        raise UntrustedError(error, await _look_again(address, port, name)) from error
    return tls.days_left(writer.get_extra_info("ssl_object"))


async def _look_again(address: str, port: int, name: str) -> dict[str, float]:
    """Verifies nothing and sends nothing."""
    _, writer = await names.open_connection(
        address, port, ssl=tls.context(verify=False, ca_pem=""), server_hostname=name
    )
    values = tls.days_left(writer.get_extra_info("ssl_object"))
    writer.transport.abort()
    return values
