"""Notification → EmailMessage, in the recipient's language, as text and HTML (only user of Jinja2 for mails).

Each event has a pair of templates a language; the first line of the text is the subject. An admin's own folder is looked
at first. A template that fails never costs a mail: a plain one goes out in its place, and the log says why.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.header import Header
from email.headerregistry import Address, HeaderRegistry, UniqueUnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime, parseaddr
from itertools import product
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from alerts.policy import first_of_thread
from alerts.routing import OUTSIDER
from alerts.summary import circuits_of, lines
from monitor.core.model import (
    ONLY_MAILED,
    SUMMARIES,
    Acknowledgement,
    Cause,
    Contact,
    Happening,
    Incident,
    IncidentEvent,
    Inventory,
    Notification,
    Provider,
    Reason,
    Role,
    Severity,
    Shared,
    Site,
    State,
    Target,
)
from monitor.core.words import WORDS, Words

log = logging.getLogger(__name__)

OURS = Path(__file__).parent / "templates"
SUBJECT_LENGTH = 78
URGENT = (Happening.OPENED, Happening.REOPENED, Happening.CHANGED, Happening.ESCALATED)
"""Where a critical incident is marked as urgent: its end and who has it are not."""
ROOM = "vc-endpoint"
"""Kind of the targets that are rooms of video conferences."""
SHOWN_SITES = 12
SHOWN_TARGETS = 12
SHOWN_EVIDENCE = 6


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


def _policy() -> EmailPolicy:
    headers = HeaderRegistry()
    for name in ("subject", "message-id", "in-reply-to", "references", "x-commune-monitor-incident"):
        headers.map_to_type(name, _Whole)  # type: ignore[arg-type]  # the stubs want what the registry makes of it
    return SMTP.clone(header_factory=headers)  # type: ignore[return-value]  # the stubs disagree with each other


@dataclass(frozen=True, slots=True, kw_only=True)
class Hurt:
    """One site that the incident hurts, and what of it."""

    site: Site
    names: tuple[str, ...]


def _environment(folder: Path | None, *, html: bool) -> jinja2.Environment:
    folders = [each for each in (folder, OURS) if each is not None]
    return ImmutableSandboxedEnvironment(
        loader=jinja2.FileSystemLoader(folders), undefined=jinja2.StrictUndefined, autoescape=html,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip


class Composer:
    """Makes the mails."""

    def __init__(
        self, *, sender: str, message_id_domain: str, board: str, grafana: str, template_folder: Path | None = None
    ) -> None:
        """`sender` is `Name <address>`; `board` and `grafana` are addresses without a slash at the end, or empty."""
        name, address = parseaddr(sender)
        self._sender = Address(name, addr_spec=address)
        self._domain = message_id_domain
        self._policy = _policy()
        self._board, self._grafana = board, grafana
        self._text = _environment(template_folder, html=False)
        self._html = _environment(template_folder, html=True)

    def compose(self, notification: Notification, inventory: Inventory, now: datetime) -> EmailMessage:
        """The mail of a notification; the same one each time it is composed, but for its date."""
        given = self._given(notification, inventory)
        try:
            subject, text, html = self.render(notification, given)
        except Exception:
            log.exception("templates of %s failed, a plain mail goes out instead", notification.event.what)
            subject, text, html = *_plain(given), ""
        message = EmailMessage(policy=self._policy)
        message["Subject"] = subject
        message["From"] = self._sender
        contact = notification.contact
        message["To"] = Address(_clean(contact.name), addr_spec=contact.email)
        message["Date"] = format_datetime(now)
        message["Message-ID"] = self._message_id(notification.id)
        first = first_of_thread(notification)
        if notification.id != first:
            message["In-Reply-To"] = message["References"] = self._message_id(first)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
        message["X-Commune-Monitor-Incident"] = notification.thread
        event = notification.event
        message["X-Commune-Monitor-Severity"] = event.incident.severity.value
        if event.incident.severity is Severity.CRITICAL and event.what in URGENT:
            message["Importance"] = "high"  # RFC 2156 section 5.3.4
            message["X-Priority"] = "1"  # for clients that know only this one
        message.set_content(text, cte="quoted-printable")
        if html:
            message.add_alternative(html, subtype="html", cte="quoted-printable")
        return message

    def render(self, notification: Notification, given: Mapping[str, Any]) -> tuple[str, str, str]:
        """Subject, text and HTML; raises what the templates raise."""
        contact = notification.contact
        name = f"{contact.language}/{'provider' if contact.outsider else notification.event.what.value}"
        head, _, text = self._text.get_template(f"{name}.txt").render(given).lstrip().partition("\n")
        html = self._html.get_template(f"{name}.html").render({**given, "subject": _clean(head)})
        return _shorten(_clean(head), SUBJECT_LENGTH), text.lstrip("\n"), html

    def _message_id(self, notification: str) -> str:
        return f"<{notification}@{self._domain}>"

    def _given(self, notification: Notification, inventory: Inventory) -> dict[str, Any]:
        """What a template may use; docs/mail.md lists it."""
        incident = notification.event.incident
        words = WORDS[notification.contact.language]
        root = inventory.targets.get(incident.root)
        site = inventory.sites.get(root.site) if root else None
        if incident.shared is not None and root is not None and site is not None:  # no single one is what it is about
            circuits = ", ".join(_circuits(incident, inventory))
            provider = dict(incident.shared.by).get("provider", "")
            root = replace(root, label={}, address="", contact="", circuit=circuits, provider=provider)
            site = replace(site, name=words.place(incident.shared, inventory), contact="")
        hurt = tuple(_hurt(incident, inventory, words))
        things = [inventory.targets[each] for each in _hurt_targets(incident) if each in inventory.targets]
        return {
            "incident": incident,
            "event": notification.event,
            "words": words,
            "root": root,
            "name": words.name(root, incident.root),
            "site": site,
            "place": site.name if site else "",
            "dark": _dark(incident, inventory),
            "shared": bool(root and site and root.role is Role.SERVICE and site.kind != "commune"),
            "provider": inventory.providers.get(root.provider) if root else None,
            "trouble": words.trouble(incident.reason, incident.says),
            "cause": words.causes[incident.cause.value],
            "why": _why(incident, words),
            "hurt": hurt,
            "targets": len(_hurt_targets(incident)),
            "communes": sum(each.site.kind == "commune" for each in hurt),
            "rooms": sum(each.kind == ROOM for each in things),
            "services": sum(each.role is Role.SERVICE for each in things),
            "shown_sites": SHOWN_SITES,
            "shown_targets": SHOWN_TARGETS,
            "evidence": incident.evidence[:SHOWN_EVIDENCE],
            "board": f"{self._board}/incidents/{incident.id}" if self._board else "",
            "grafana": _grafana(self._grafana, root),
            "circuits": circuits_of(incident, inventory, notification.contact.id.removeprefix(OUTSIDER)),
            "items": lines(notification.items, inventory, words, self._board),
            "contact": notification.contact,
            "told_because": notification.reason,
        }


def _hurt_targets(incident: Incident) -> tuple[str, ...]:
    """The impact; of what targets have in common the root is no more than the first."""
    return (incident.root, *incident.impact) if incident.shared else incident.impact


def _circuits(incident: Incident, inventory: Inventory) -> list[str]:
    """Circuits of the lines that failed together."""
    targets = (inventory.targets.get(each) for each in _hurt_targets(incident))
    kind = incident.shared.kind if incident.shared else ""
    return [each.circuit for each in targets if each is not None and each.kind == kind and each.circuit]


def _why(incident: Incident, words: Words) -> str:
    why = words.why.get(incident.why, "")
    return f"{why} {words.evidence(incident.shared)}" if incident.shared else why


def _grafana(base: str, root: Target | None) -> str:
    if not base or root is None:
        return ""
    return f"{base}/d/commune-province?var-site={root.site}"


def _dark(incident: Incident, inventory: Inventory) -> bool:
    """Whether a power cut has taken every line of its site with it."""
    root = inventory.targets.get(incident.root)
    if root is None or incident.cause is not Cause.POWER:
        return False
    lines = {each.id for each in inventory.targets.values() if each.site == root.site and each.role is Role.LINK}
    return bool(lines) and lines <= {*incident.impact}


def _hurt(incident: Incident, inventory: Inventory, words: Words) -> Iterator[Hurt]:
    """What the incident hurts, by site: the root's own first, then communes, then the rest, each in the order of the impact."""
    by_site: dict[str, list[str]] = {}
    root = inventory.targets.get(incident.root)
    if root is not None:
        by_site[root.site] = []
    for each in _hurt_targets(incident):
        target = inventory.targets.get(each)
        if target is not None:
            by_site.setdefault(target.site, []).append(words.name(target))
    own = root.site if root else ""
    for site in sorted(by_site, key=lambda each: (each != own, inventory.sites[each].kind != "commune")):
        if by_site[site]:
            yield Hurt(site=inventory.sites[site], names=tuple(by_site[site]))


def _plain(given: Mapping[str, Any]) -> tuple[str, str]:
    """Subject and text without any template."""
    incident: Incident = given["incident"]
    event: IncidentEvent = given["event"]
    subject = f"{event.what.upper()} {incident.state}: {incident.root}"
    lines = [
        subject, "", f"cause: {incident.cause}", f"reason: {incident.reason}", f"since: {incident.began:%F %T} UTC",
        f"hurt: {len(incident.impact)} targets", *incident.evidence, given["board"],
    ]  # fmt: skip
    return _clean(subject), "\n".join(lines) + "\n"


def _clean(text: str) -> str:
    """One line, without control characters: fit for a header. An encoded word (RFC 2047) is taken apart, for what it holds
    would not be cleaned.
    """
    plain = "".join(" " if unicodedata.category(each)[0] == "C" else each for each in text.replace("=?", "= ?"))
    return " ".join(plain.split())


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


# -- checking ------------------------------------------------------------------------------------------------------


def check_templates(folder: Path | None) -> list[tuple[str, int, str]]:
    """Render every mail once, with ours and the admin's templates; (file, line, what is wrong) of those that fail."""
    composer = Composer(
        sender="a@example.org",
        message_id_domain="example.org",
        board="http://b",
        grafana="http://g",
        template_folder=folder,
    )
    inventory, incidents = _sample()
    found: dict[tuple[str, int, str], None] = {}
    for language in WORDS:
        for what, incident, outsider in product(Happening, incidents, (False, True)):
            if not (outsider and what in ONLY_MAILED):
                notification = _sample_notification(incident, what, language, outsider=outsider)
                try:
                    composer.render(notification, composer._given(notification, inventory))  # noqa: SLF001
                except jinja2.TemplateSyntaxError as error:
                    found[error.filename or error.name or "", error.lineno, error.message or ""] = None
                except jinja2.TemplateNotFound as error:
                    found[str(error.name), 0, "there is no such template"] = None
                except Exception as error:  # noqa: BLE001  an admin's template may raise anything
                    found[*_place(error, folder), f"{type(error).__name__}: {error}"] = None
    return list(found)


def _place(error: Exception, folder: Path | None) -> tuple[str, int]:
    """The last template line in the traceback: jinja2 rewrites tracebacks so that templates show."""
    place, step = (str(folder or OURS), 0), error.__traceback__
    while step is not None:
        file = step.tb_frame.f_code.co_filename
        if file.endswith((".txt", ".html")):
            place = (file, step.tb_lineno)
        step = step.tb_next
    return place


def _sample_notification(incident: Incident, what: Happening, language: str, *, outsider: bool) -> Notification:
    if what is Happening.ACKNOWLEDGED:
        incident = replace(incident, acknowledged=Acknowledgement(by="Hoa", at=incident.opened, note="sample"))
    event = IncidentEvent(incident=incident, what=what, at=incident.opened)
    items = (event, replace(event, what=Happening.WITHDRAWN)) if what in SUMMARIES else ()
    id_ = f"{OUTSIDER}sample" if outsider else "sample"
    contact = Contact(id=id_, name="Sample", email="sample@example.org", language=language, outsider=outsider)
    return Notification(
        id=f"{incident.id}.{what}.sample", thread=incident.id, contact=contact, event=event, reason="sample", items=items
    )  # fmt: skip


def _sample() -> tuple[Inventory, list[Incident]]:
    """A small province, with one incident for each cause."""
    site = Site(id="sample", name="Xã Mẫu", code="00000", area="Huyện Mẫu", contact="ĐT 0000")
    other = Site(id="center", name="Trung tâm", kind="data-center")
    kinds = {"tslcd": Role.LINK, "router": Role.DEVICE, "website": Role.SERVICE}
    targets = {
        f"{where.id}/{kind}": Target(
            id=f"{where.id}/{kind}", site=where.id, name=kind, role=role, kind=kind, address="192.0.2.1",
            provider="sample" if role is Role.LINK else "", circuit="C-1" if role is Role.LINK else "",
        )
        for where in (site, other)
        for kind, role in kinds.items()
    }  # fmt: skip
    provider = Provider(id="sample", name="Sample", hotline="0000")
    inventory = Inventory(
        sites={each.id: each for each in (site, other)}, targets=targets, providers={"sample": provider}
    )
    at = datetime(2026, 1, 1, tzinfo=UTC)
    roots = {Cause.LINK: "sample/tslcd", Cause.SERVICE: "sample/website"}
    incidents = [
        Incident(
            id=f"20260101-000000-{cause}", root=roots.get(cause, "center/router"), cause=cause, state=state,
            began=at, opened=at, closed=at if state is State.DEGRADED else None, reason=reason,
            says="loss" if reason is Reason.LIMIT else "", evidence=("sample: no answer",), impact=tuple(targets), why="by-kind",
            severity=Severity.CRITICAL if state is State.DOWN else Severity.MINOR,
        )
        for cause in Cause
        for state, reason in ((State.DOWN, Reason.TIMEOUT), (State.DEGRADED, Reason.LIMIT))
    ]  # fmt: skip
    common = replace(
        incidents[0], id="common", cause=Cause.SHARED, why="in-common", times=3,
        acknowledged=Acknowledgement(by="Hoa", at=at),
        shared=Shared(kind="tslcd", by=(("provider", "sample"), ("area", "Huyện Mẫu")), hurt=6, of=6, elsewhere=0, others=9),
    )  # fmt: skip
    gone = Incident(
        id="gone", root="no/longer", cause=Cause.DEVICE, state=State.DOWN, began=at, opened=at, reason=Reason.STALE
    )
    return inventory, [*incidents, common, gone]
