"""Commands about mails: who gets one, how it looks, whether it arrives."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import click

from alerts.attached import attached
from alerts.letter_samples import LETTERS, a_month, letters
from alerts.links import KEY_BYTES, Signer
from alerts.mailer import Delivery
from alerts.reasons import REASONS
from alerts.routing import Scope
from alerts.samples import A_COST, an_hour, as_page, example
from alerts.summary import as_mailed
from alerts.who import supposed
from alerts.who import who as explain_who
from monitor.commands.shared import SETTINGS, fail, find_target, moment, tell_daemon, told_at
from monitor.core.model import (
    SUMMARIES,
    Cause,
    Contact,
    Happening,
    IncidentEvent,
    Inventory,
    Notification,
    Severity,
    State,
)
from monitor.core.words import WORDS
from monitor.database import StoreError
from monitor.files import load_all
from monitor.inventory.contacts import load_contacts
from monitor.inventory.load import load_inventory
from monitor.parts import make_composer, make_mailer
from monitor.settings import Settings, named_files
from monitor.store import read_history
from monitor.yamlfile import ConfigError


@click.command()
@click.argument("target")
@click.option("--at", metavar="TIME", callback=moment, help="When it fails (ISO 8601; without a zone Viet Nam's).")
@click.option("--state", type=click.Choice(["down", "degraded"]), default="down", show_default=True)
@click.option(
    "--severity", type=click.Choice([each.value for each in Severity]), help="Instead of the one that it would have."
)
@click.option(
    "--cause", type=click.Choice([each.value for each in Cause]), help="Instead of the usual one of its kind."
)
@click.option("--lang", type=click.Choice(list(WORDS)), default="vi", show_default=True)
@SETTINGS
def who(
    target: str, at: datetime | None, state: str, severity: str | None, cause: str | None, lang: str, path: Path
) -> None:
    """Tell who would be mailed if TARGET (site/name) failed, who not, and why; reads the files, needs no running daemon."""
    folder, contacts = named_files(path)
    try:
        inventory = load_inventory(folder, None)
        routing = load_contacts(contacts, inventory)
    except ConfigError as error:
        fail(error)
        return
    found, now = find_target(inventory, target), at or datetime.now(UTC)
    incident = supposed(
        found, inventory, now, State(state), Severity(severity) if severity else None, Cause(cause) if cause else None
    )
    click.echo(explain_who(incident, routing, inventory, now, lang), nl=False)


@click.group()
def mail() -> None:
    """Look at the mails, and try whether they arrive."""


@mail.command("preview")
@click.argument("event", metavar="EVENT", type=click.Choice([*(each.value for each in Happening), *LETTERS]))
@click.option("--lang", type=click.Choice(list(WORDS)), default="vi", show_default=True)
@click.option("--html", "page", type=click.Path(path_type=Path), help="Write the HTML here, for a browser.")
@click.option("--eml", "mail_file", type=click.Path(path_type=Path), help="Write the mail here, for a mail program.")
@click.option("--incident", help="Id of a real one in the database, instead of an example.")
@SETTINGS
def mail_preview(
    event: str, lang: str, page: Path | None, mail_file: Path | None, incident: str | None, path: Path
) -> None:
    """Show the mail of EVENT as it would be sent now, with your templates; nothing is sent, its links do nothing."""
    contact = Contact(id="preview", name="Preview", email="preview@example.org", language=lang)
    try:
        settings, inventory, _ = load_all(path, with_secrets=False)
        message = (
            _letter(event, settings, inventory, contact)
            if event in LETTERS
            else _mail_of(Happening(event), incident, settings, inventory, contact)
        )
    except (ConfigError, StoreError, ValueError) as error:
        fail(error)
        return
    for name, value in message.items():
        click.echo(f"{name}: {value}")
    text = message.get_body(("plain",))
    click.echo(f"\n{text.get_content() if text else ''}")
    if page is not None:
        page.write_text(as_page(message), encoding="utf-8")
    if mail_file is not None:
        mail_file.write_bytes(message.as_bytes())


def _letter(name: str, settings: Settings, inventory: Inventory, contact: Contact) -> EmailMessage:
    """An example of a mail that is about no single incident."""
    now, words, board = datetime.now(UTC), WORDS[contact.language], settings.links.board.rstrip("/")
    report = attached(a_month(inventory, now), inventory, words) if name == "monthly" else ()
    composer = make_composer(settings)
    given = letters(inventory, now, words, board)[name]
    return composer.post(composer.letter(name, contact, f"{name}.preview", given, report), now)


def _mail_of(
    what: Happening, incident: str | None, settings: Settings, inventory: Inventory, contact: Contact
) -> EmailMessage:
    """The mail of a real incident, or of an example."""
    now = datetime.now(UTC)
    shown = as_mailed(
        _real(settings.database_url, incident, what) if incident else example(inventory, what, now), inventory
    )
    notification = Notification(
        id=f"{shown.incident.id}.{what}.preview", thread=shown.incident.id, contact=contact, event=shown,
        reason=REASONS[contact.language].wanted(Scope()), items=(shown,) if what in SUMMARIES else (),
    )  # fmt: skip
    series = None if incident else an_hour(shown)  # what was measured is not kept
    composer = make_composer(settings, Signer(os.urandom(KEY_BYTES)), lambda _: series)
    cost = A_COST if what is Happening.RECOVERED and not incident else None
    return composer.compose(notification, inventory, now, cost)


def _real(url: str, incident: str, what: Happening) -> IncidentEvent:
    """The last such event of a real incident; when it has had none, the incident as it is now. Raises StoreError or ValueError."""
    events = read_history(url, incident)
    if not events:
        raise ValueError(
            f"the database has no incident {incident!r}; its id is in the mail, on the board and in the API"
        )
    return next((each for each in reversed(events) if each.what is what), replace(events[-1], what=what))


@mail.command("retry")
@click.argument("id", required=False)
@click.option("--all-failed", is_flag=True, help="All of them.")
@click.option("--by", help="Your name; your login is kept beside it.")
@SETTINGS
def mail_retry(id: str | None, all_failed: bool, by: str | None, path: Path) -> None:  # noqa: A002  the argument's name
    """Send a mail that was refused for good once more, by its ID; without one, list those."""
    if id is None and not all_failed:
        failed = json.loads(tell_daemon(path, "GET", "/-/mails/failed"))
        for each in failed:
            click.echo(f"{each['id']}\n    to {each['contact']}, failed at {told_at(each['at'])}: {each['answer']}")
        if not failed:
            click.echo("no mail has failed")
        return
    body = {"id": id or "", "all_failed": all_failed, "by": by or ""}
    queued = json.loads(tell_daemon(path, "POST", "/-/mails/retry", body))
    for each in queued:
        click.echo(f"queued again: {each}")
    if not queued:
        click.echo("no mail has failed that was not told by a later one")


@mail.command("test")
@click.argument("contact")
@SETTINGS
def mail_test(contact: str, path: Path) -> None:
    """Send a test mail to CONTACT (its id in contacts.yaml) through the relays, and tell what they answer."""
    try:
        settings, _, routing = load_all(path)
    except ConfigError as error:
        fail(error)
        return
    found = routing.contacts.get(contact)
    if found is None:
        fail(f"no contact {contact!r}; there are: {', '.join(routing.contacts)}")
        return
    composer, now = make_composer(settings), datetime.now(UTC)
    letter = composer.letter("test", found, f"test-{now:%Y%m%d-%H%M%S-%f}.{found.id}", {"at": now})
    message = composer.post(letter, now)
    outcome = asyncio.run(make_mailer(settings).send(message, found.email))
    if outcome.delivery is not Delivery.SENT:
        fail(f"{found.email}: {outcome.delivery}: {outcome.answer}")
    click.echo(f"{found.email}: taken by {outcome.relay}: {outcome.answer}")
