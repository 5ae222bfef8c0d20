"""From settings to the parts that they describe: what daemon and commands both make."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import time
from ipaddress import ip_network

from alerts.compose import Composer
from alerts.heartbeat import Switch
from alerts.links import Signer
from alerts.mailer import Mailer, Relay
from alerts.webhook import Webhook
from monitor.acts import signing_key
from monitor.core.lasthour import Series
from monitor.settings import HeartbeatSettings, RelaySettings, Settings, TrapSettings, WebhookSettings
from monitor.traps import TrapListener, TrapUser
from monitor.web.signin import CALLBACK, ByHeader, BySession, SignIn

log = logging.getLogger(__name__)


def _relay(settings: RelaySettings) -> Relay:
    return Relay(
        host=settings.host,
        port=settings.port,
        tls=settings.tls,
        username=settings.username,
        password=settings.password.get_secret_value() if settings.password else "",
        verify=settings.verify,
        ca_pem=settings.ca.get_secret_value() if settings.ca else "",
        timeout_seconds=settings.timeout_seconds,
    )


def make_switch(settings: HeartbeatSettings) -> Switch:
    return Switch(
        url=settings.url.get_secret_value() if settings.url else "",
        every_seconds=settings.every_seconds,
        mail_at=time.fromisoformat(settings.mail_at) if settings.mail_at else None,
    )


def make_webhook(settings: WebhookSettings) -> Webhook:
    return Webhook(
        name=settings.name,
        url=settings.url.get_secret_value(),
        key=settings.key.get_secret_value().encode(),
        timeout_seconds=settings.timeout_seconds,
    )


def make_trap_listener(settings: TrapSettings, recheck: Callable[[str, float], None]) -> TrapListener:
    users = [
        TrapUser(
            name=each.name,
            auth=each.auth,
            auth_password=each.auth_password.get_secret_value(),
            privacy_password=each.privacy_password.get_secret_value(),
        )
        for each in settings.users
    ]
    return TrapListener(settings.community.get_secret_value() if settings.community else "", users, recheck)


def make_signer(settings: Settings) -> Signer | None:
    """What signs the links of mails that do something; None when mails have none."""
    if not (settings.links.board and settings.links.key):
        return None
    file = settings.path(settings.links.key)
    try:
        return Signer(signing_key(file))
    except OSError as error:
        why = error.strerror or error
        log.warning("mails have no links to acknowledge: the key %s can be neither read nor made: %s", file, why)
        return None


def make_sign_in(settings: Settings) -> SignIn | None:
    """How people are known who may act on the board; None: it is for looking only. Raises OSError without its key."""
    asked = settings.sign_in
    if asked is None:
        return None
    if asked.proxy is not None:
        return ByHeader(asked.proxy.header, tuple(map(ip_network, asked.proxy.from_)))
    assert asked.openid is not None
    from monitor.openid import OpenIdConnect, Provider  # noqa: PLC0415  4 MiB that nobody needs who signs in nowhere

    board, ca = settings.links.board.rstrip("/"), asked.openid.ca
    provider = Provider(
        issuer=asked.openid.issuer, client_id=asked.openid.client_id, client_secret=asked.openid.client_secret.get_secret_value(),
        callback=f"{board}{CALLBACK}", name_claim=asked.openid.name_claim, groups_claim=asked.openid.groups_claim,
        groups=frozenset(asked.openid.groups), ca_pem=ca.get_secret_value() if ca else "",
    )  # fmt: skip
    return BySession(OpenIdConnect(provider), signing_key(settings.path(settings.links.key)), board)


def make_composer(
    settings: Settings,
    signer: Signer | None = None,
    last_hour: Callable[[str], Series | None] = lambda _: None,
) -> Composer:
    """The composer of these settings."""
    mail = settings.mail
    return Composer(
        sender=mail.sender,
        reply_to=mail.reply_to,
        message_id_domain=mail.message_id_domain,
        board=settings.links.board.rstrip("/"),
        grafana=settings.links.grafana.rstrip("/"),
        signer=signer,
        last_hour=last_hour,
        template_folder=settings.path(mail.templates) if mail.templates else None,
    )


def make_mailer(settings: Settings, on_try: Callable[[str, str], None] = lambda *_: None) -> Mailer:
    """What hands mails to the relays of these settings."""
    return Mailer([_relay(each) for each in settings.mail.relays], on_try)
