"""The daemon's own settings: where things are, what to listen on, how mail leaves. Only `app` and `cli` read them."""

from __future__ import annotations

import re
from collections.abc import Callable
from email.errors import MessageError
from email.headerregistry import Address
from email.utils import parseaddr
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic.json_schema import SkipJsonSchema

from monitor import yamlfile
from monitor.trust import check_ca
from probes.registry import Secret


class Model(BaseModel):
    """Base: unknown keys are refused, types are not guessed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _host_port(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ValueError("expected an address and a port, such as 127.0.0.1:9469 or [::1]:9469")
    return value


def _database(value: str) -> str:
    if "://" in value and urlsplit(value).password is not None:
        raise ValueError(
            "a password is no matter of this file: let PGPASSFILE name one with it, or ask over the socket"
        )
    return value


def _sender(value: str) -> str:
    name, address = parseaddr(value)
    try:
        Address(name, addr_spec=address)  # what the mail will be written with
    except (ValueError, MessageError, AttributeError) as error:  # AttributeError: cpython on `a@[1`
        raise ValueError(f"`{value}` is no mail address: write Name <address>") from error
    if "@" not in address.strip("@") or any(each in value for each in "\r\n"):
        raise ValueError(f"`{value}` is no mail address: write Name <address>")
    return value


def _answered(value: str) -> str:
    return _sender(value) if value else value


def _domain(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.-]+", value):
        raise ValueError(f"`{value}` is not a domain, such as noc.example.org")
    return value


def _time_of_day(value: str) -> str:
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
        raise ValueError(f"`{value}` is no time of day, such as 07:30")
    return value


def _host(value: str) -> str:
    try:
        encoded = value.encode("idna")
    except UnicodeError:
        encoded = b""
    if not encoded:
        raise ValueError(f"`{value}` is not a host name or address")
    return value


def _ca(value: SecretStr) -> SecretStr:
    check_ca(value.get_secret_value().encode("ascii", "ignore").decode())  # remarks in PEM: the mailer drops them too
    return value


HostPort = Annotated[str, AfterValidator(_host_port)]


class RelaySettings(Model):
    """A mail server that takes our mails; several are tried in order."""

    host: Annotated[str, AfterValidator(_host)] = Field(description="name or address of the server")
    port: int = Field(25, ge=1, le=65535, description="TCP port")
    tls: Literal["none", "starttls", "implicit"] = Field(
        "starttls", description="starttls is insisted on; implicit: TLS from the first byte"
    )
    username: str = Field("", description="together with `password`; not with `tls: none`")
    password: Secret | None = Field(None, description="where the password is")
    verify: bool = Field(True, description="false takes any certificate: only for a relay on the same host")
    ca: Annotated[Secret, AfterValidator(_ca)] | None = Field(
        None, description="where the PEM of the CA is that signed the certificate; none: those of the system"
    )
    timeout_seconds: float = Field(10.0, gt=0, le=120, description="for each step, in seconds")

    @model_validator(mode="after")
    def _together(self) -> RelaySettings:
        if bool(self.username) != (self.password is not None):
            raise ValueError("`username` and `password` go together")
        if self.username and self.tls == "none":
            raise ValueError("a password would go over the line in the clear: use tls: starttls or implicit")
        return self


class MailSettings(Model):
    """How alert mails leave."""

    sender: Annotated[str, AfterValidator(_sender)] = Field(
        alias="from", description="Name <address>", examples=["Giám sát CNTT <canh-bao@noc.example.org>"]
    )
    reply_to: Annotated[str, AfterValidator(_answered)] = Field(
        "", description="who reads answers, Name <address>; empty: answers go to `from`"
    )
    relays: list[RelaySettings] = Field(min_length=1, description="mail servers, tried in this order for every mail")
    message_id_domain: Annotated[str, AfterValidator(_domain)] = Field(
        description="right side of every Message-ID; never change it while incidents are open"
    )
    templates: str = Field("", description="folder of templates that replace ours, relative to this file")
    emergency_after_seconds: float = Field(
        30.0, ge=1, le=3600, description="after so many seconds in which the database cannot be written a mail says so"
    )


class TrapUserSettings(Model):
    """Who may send traps of version 3, with authentication and privacy (AES-128)."""

    name: Annotated[str, Field(min_length=1, max_length=32, description="user name of version 3")]
    auth: Literal["md5", "sha", "sha256", "sha512"] = Field("sha", description="how it proves who it is")
    auth_password: Secret = Field(description="where the password for authentication is")
    privacy_password: Secret = Field(description="where the password for privacy (AES-128) is")


class TrapSettings(Model):
    """Where SNMP traps and informs come in, and from whom."""

    listen: HostPort = Field("0.0.0.0:162", description="address and UDP port; [::]:162 for IPv6 and IPv4")
    community: Secret | None = Field(None, description="where the community of versions 1 and 2c is")
    users: list[TrapUserSettings] = Field([], description="who may send in version 3")

    @model_validator(mode="after")
    def _someone(self) -> TrapSettings:
        if self.community is None and not self.users:
            raise ValueError("say from whom traps are taken: `community`, `users` or both")
        return self


def _address(value: SecretStr) -> SecretStr:
    if value.get_secret_value() and not value.get_secret_value().startswith(("https://", "http://")):
        raise ValueError("the secret must hold an address that begins with https:// or http://")
    return value


class HeartbeatSettings(Model):
    """Signs of life to somebody else, who tells when they fail to come."""

    url: Annotated[Secret, AfterValidator(_address)] | None = Field(
        None, description="where the https:// address is that is asked while all is well; none: no address is asked"
    )
    every_seconds: float = Field(300.0, ge=10, le=86400, description="how often it is asked, in seconds")
    mail_at: Annotated[str, AfterValidator(_time_of_day)] = Field(
        "", description="time of day in Viet Nam of a daily mail; empty: no mail", examples=["07:30"]
    )


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise ValueError(f"`{value}` is no address such as http://127.0.0.1:9093, without a name and password")
    return value.rstrip("/")


class AlertmanagerSettings(Model):
    """Alertmanagers that are told of every incident too."""

    urls: list[Annotated[str, AfterValidator(_url)]] = Field(
        [], description="their addresses, each of a cluster's", examples=[["http://127.0.0.1:9093"]]
    )
    every_seconds: float = Field(60.0, ge=10, le=120, description="how often open incidents are said again, in seconds")
    language: Literal["vi", "en"] = Field("vi", description="of the annotations")


class WebhookSettings(Model):
    """A program that is told of every incident event by a signed POST."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$", description="what the outbox and the metrics call it")
    url: Annotated[Secret, AfterValidator(_address)] = Field(description="where the https:// address is")
    key: Secret = Field(description="where the key is that signs each POST")
    timeout_seconds: float = Field(10.0, gt=0, le=120, description="how long it may take to answer, in seconds")


class MediaSettings(Model):
    """How much the tests of lines and rooms that load them may do at once."""

    at_once: int = Field(8, ge=1, le=64, description="tests under way together, over all sites")
    per_site: int = Field(1, ge=1, le=8, description="of these at one site")


class LinkSettings(Model):
    """Addresses that the mails point at."""

    board: str = Field("", description="how people reach the board; empty: no link")
    grafana: str = Field("", description="how people reach Grafana; empty: no link")
    key: str = Field("links.key", description="file with the key that signs the acts of mails; empty: mails offer none")


def _issuer(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError(f"`{value}` is no issuer such as https://sso.example.org/realms/tinh")
    if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise ValueError("names and secrets would go over the network in the clear: write https://")
    return value


def _networks(value: list[str]) -> list[str]:
    for each in value:
        try:
            ip_network(each)
        except ValueError as error:
            raise ValueError(f"`{each}` is no address or network such as 127.0.0.1 or 10.0.0.0/24: {error}") from error
    return value


def _header(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]+", value):
        raise ValueError(f"`{value}` is no name of a header, such as X-Remote-User")
    return value


class ProxySettings(Model):
    """A reverse proxy in front of the board that knows who people are."""

    header: Annotated[str, AfterValidator(_header)] = Field(
        description="header with the name, which the proxy sets and takes away from what comes in",
        examples=["X-Remote-User"],
    )
    from_: Annotated[list[str], AfterValidator(_networks)] = Field(
        ["127.0.0.1", "::1"],
        alias="from",
        min_length=1,
        description="addresses of the proxy: nobody else's header is believed",
    )


class OpenIdSettings(Model):
    """An OpenID Connect provider that knows who people are."""

    issuer: Annotated[str, AfterValidator(_issuer)] = Field(
        description="its address as it calls itself", examples=["https://sso.example.org/realms/tinh"]
    )
    client_id: str = Field(min_length=1, description="what it calls this board")
    client_secret: Secret = Field(description="where the secret of this board is")
    name_claim: str = Field(
        "preferred_username", min_length=1, description="claim of the ID token that is shown and kept as the name"
    )
    groups: list[str] = Field(
        [], description="who is in one of these may act; empty: everybody whom the provider lets in"
    )
    groups_claim: str = Field("groups", min_length=1, description="claim of the ID token that lists them")
    ca: Annotated[Secret, AfterValidator(_ca)] | None = Field(
        None, description="where the PEM of the CA is that signed its certificate; none: those of the system"
    )


class SignInSettings(Model):
    """How people are known who may act on the board; one of both."""

    proxy: ProxySettings | None = Field(None, description="a reverse proxy says it in a header")
    openid: OpenIdSettings | None = Field(None, description="an OpenID Connect provider says it")

    @model_validator(mode="after")
    def _one(self) -> SignInSettings:
        if (self.proxy is None) == (self.openid is None):
            raise ValueError("write exactly one of `proxy` and `openid`")
        return self


class Settings(Model):
    """settings.yaml; file names are relative to it."""

    inventory: str = Field("inventory", description="folder; all its *.yaml are read as one inventory")
    contacts: str = Field("contacts.yaml", description="file: who gets mail")
    database: Annotated[str, AfterValidator(_database)] = Field(
        "state.db", description="SQLite file, or an SQLAlchemy address (…://…)"
    )
    listen: HostPort = Field("127.0.0.1:9469", description="address and port of board, API and metrics")
    watch: bool = Field(False, description="reload by itself when inventory or contacts were changed")
    control: str = Field("control.sock", description="Unix socket for the commands that change the running daemon")
    links: LinkSettings = Field(LinkSettings(), description="addresses that mails point at")
    sign_in: SignInSettings | None = Field(None, description="who may act on the board; none: it is for looking only")
    mail: MailSettings = Field(description="how mails leave")
    heartbeat: HeartbeatSettings = Field(HeartbeatSettings(), description="signs of life to somebody else")
    alertmanager: AlertmanagerSettings = Field(
        AlertmanagerSettings(), description="Alertmanagers that are told of every incident too"
    )
    webhooks: list[WebhookSettings] = Field([], description="programs that are told of every incident event")
    media: MediaSettings = Field(MediaSettings(), description="tests that load the line that they measure")
    traps: TrapSettings | None = Field(None, description="SNMP traps; none: nobody listens")
    folder: SkipJsonSchema[Path] = Field(Path(), exclude=True)

    def path(self, name: str) -> Path:
        """A file named in the settings."""
        return self.folder / name

    @model_validator(mode="after")
    def _reached(self) -> Settings:
        if self.sign_in is not None and self.sign_in.openid is not None and not (self.links.board and self.links.key):
            raise ValueError(
                "`sign_in.openid` needs `links.board`, to which the provider sends people back, and `links.key`"
            )
        return self

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL, or a file name."""
        return self.database if "://" in self.database else str(self.path(self.database))


def load_settings(path: Path, read_secret: Callable[[str, str], str] | None) -> Settings:
    """Read settings.yaml; raises yamlfile.ConfigError with every mistake and its place."""
    source = yamlfile.read(path)
    settings = yamlfile.validate(source, Settings, context={"read_secret": read_secret})
    return settings.model_copy(update={"folder": path.parent})


def named_files(path: Path) -> tuple[Path, Path]:
    """Inventory and contacts as settings.yaml names them, whatever else is wrong in it; raises yamlfile.ConfigError."""
    written = yamlfile.read(path).value
    names = []
    for key in ("inventory", "contacts"):
        name = written.get(key) if isinstance(written, dict) else None
        names.append(path.parent / (name if isinstance(name, str) else Settings.model_fields[key].default))
    return names[0], names[1]
