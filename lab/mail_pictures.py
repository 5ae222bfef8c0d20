"""Pictures of every mail as a phone shows it, by Chromium: both languages, light and dark. `python -m lab.mail_pictures FOLDER`.

The HTML is looked at as it arrives, and once more as those mail programs show it that drop what they do not know.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

from alerts.compose import Composer
from alerts.letter_samples import letters
from alerts.links import KEY_BYTES, Signer
from alerts.reasons import REASONS
from alerts.routing import OUTSIDER, Scope
from alerts.samples import A_COST, an_hour, as_page, example
from lab.certificates import Authority
from monitor.core.model import (
    SUMMARIES,
    Cause,
    Contact,
    Happening,
    Incident,
    IncidentEvent,
    Inventory,
    Notification,
    Reason,
    Severity,
    Shared,
    State,
)
from monitor.core.words import WORDS
from monitor.inventory.load import load_inventory

PHONE = 390
"""Width of a phone in CSS pixels."""
TALLEST = 1700
SHADES: Mapping[str, Sequence[str]] = {
    "light": (),
    "dark": ("--blink-settings=preferredColorScheme=0",),
    "turned": ("--enable-features=WebContentsForceDark",),
}
"""How Chromium is told: light, dark by the mail's own styles, and dark by colours that the program turns itself."""
NOW = datetime(2026, 11, 24, 19, 10, 6, tzinfo=UTC)
"""02:10 in Viet Nam."""
TO_PROVIDERS = ("opened", "recovered", "withdrawn", "common")
"""Of the mails about a line those that its provider is shown with."""


def incidents(inventory: Inventory) -> Mapping[str, IncidentEvent]:
    """Each kind of mail of a line, and the opening mail of what is told otherwise."""
    told = {what.value: example(inventory, what, NOW) for what in Happening}
    line = told["opened"].incident
    lines = tuple(each for each in inventory.targets if each.endswith("/tslcd"))
    others: Mapping[str, Incident] = {
        "core": replace(
            line, root="center/core", cause=Cause.SHARED, why="many-sites", impact=lines, severity=Severity.CRITICAL
        ),
        "common": replace(
            line, cause=Cause.SHARED, why="in-common", impact=lines[1:7], severity=Severity.CRITICAL,
            shared=Shared(kind="tslcd", by=(("provider", "vnpt"),), hurt=7, of=7, elsewhere=0, others=60),
        ),
        "slow": replace(line, state=State.DEGRADED, reason=Reason.LIMIT, says="loss", severity=Severity.MINOR),
        "power": replace(line, cause=Cause.POWER, why="ups-on-battery", root=f"{line.root.partition('/')[0]}/ups", impact=()),
        "vantage": replace(line, cause=Cause.VANTAGE, why="own-gateway", root="center/gateway", impact=()),
    }  # fmt: skip
    return told | {name: IncidentEvent(incident=each, what=Happening.OPENED, at=NOW) for name, each in others.items()}


def notifications(inventory: Inventory, language: str) -> Mapping[str, Notification]:
    """Each mail about an incident: to who is on call, of what was over before it could be told, and to a provider."""
    told = incidents(inventory)
    contact = Contact(id="on-call", name="Kỹ sư trực", email="on-call@example.org", language=language)
    found = {
        name: Notification(
            id=f"{event.incident.id}.{name}.on-call", thread=event.incident.id, contact=contact, event=event,
            reason=REASONS[language].wanted(Scope()),
            items=(event, *list(told.values())[-4:]) if event.what in SUMMARIES else (),
        )
        for name, event in told.items()
    }  # fmt: skip
    provider = inventory.providers[inventory.targets[told["opened"].incident.root].provider]
    outsider = Contact(
        id=f"{OUTSIDER}{provider.id}",
        name=provider.name,
        email="noc@provider.example",
        language=language,
        outsider=True,
    )
    found["passed"] = replace(found["recovered"], catches_up=True)
    return found | {f"provider-{name}": replace(found[name], contact=outsider) for name in TO_PROVIDERS}


def mails(inventory: Inventory, language: str) -> Iterator[tuple[str, EmailMessage]]:
    """Each mail and its name."""
    contact = Contact(id="on-call", name="Kỹ sư trực", email="on-call@example.org", language=language)
    for name, notification in notifications(inventory, language).items():
        event = notification.event
        composer = Composer(
            sender="Giám sát CNTT <monitor@example.org>", message_id_domain="example.org",
            board="https://monitor.example.org", grafana="https://grafana.example.org", signer=Signer(bytes(KEY_BYTES)),
            last_hour=lambda root, event=event: an_hour(event) if root.endswith("/tslcd") else None,  # type: ignore[misc]  # a default is no parameter
        )  # fmt: skip
        cost = A_COST if event.what is Happening.RECOVERED else None
        yield name, composer.compose(notification, inventory, NOW, cost)
    for name, given in letters(inventory, NOW, WORDS[language], "https://monitor.example.org").items():
        yield name, composer.post(composer.letter(name, contact, name, given), NOW)


def bare(page: str) -> str:
    """As mail programs show it that drop style sheets, head and what they do not know of styles (Outlook's Word, some webmail)."""
    page = re.sub(r"<style.*?</style>|<head>.*?</head>", "", page, flags=re.DOTALL)
    return re.sub(r"(border-radius|max-width|word-wrap|table-layout|white-space|color-scheme):[^;\"]*;?", "", page)


def take(page: Path, picture: Path, shade: str, width: int = PHONE) -> None:
    """A picture of a page."""
    scheme = SHADES[shade]
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *scheme,
             f"--user-data-dir={profile}", f"--window-size={width},{TALLEST}", f"--screenshot={picture}", page.as_uri()],
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip


def main() -> None:
    """Take them all."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--only", help="only mails with this in their name")
    given = arguments.parse_args()
    folder = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        certificate = Authority(Path(made)).ca.read_text()
        config = Path(__file__).parent.parent / "config" / "inventory"
        inventory = load_inventory(config, lambda _, name: certificate if name.endswith(".pem") else "none")
    for language in WORDS:
        for name, message in mails(inventory, language):
            if given.only and given.only not in name:
                continue
            html = as_page(message)
            for variant, text in (("", html), ("-bare", bare(html))):
                page = folder / f"{name}-{language}{variant}.html"
                page.write_text(text, encoding="utf-8")
                for shade in SHADES if not variant else ("light",):
                    take(page, page.with_name(f"{page.stem}-{shade}.png"), shade)


if __name__ == "__main__":
    main()
