"""Notification → EmailMessage, in the recipient's language, as text and HTML (only user of Jinja2 for mails).

Each event has a pair of templates a language; the first line of the text is the subject. An admin's own folder is looked
at first. A template that fails never costs a mail: a plain one goes out in its place, and the log says why.
"""

from __future__ import annotations

import logging
import math
import unicodedata
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from pathlib import Path
from types import CodeType
from typing import Any

import jinja2
from jinja2.bccache import Bucket
from jinja2.sandbox import ImmutableSandboxedEnvironment

from alerts.chart import draw
from alerts.grafana import page_of
from alerts.headers import mail_policy
from alerts.links import VALID, Act, Link, Signer
from alerts.policy import ACTS, first_of_thread
from alerts.routing import OUTSIDER
from alerts.samples import A_COST, short_series
from alerts.subject import fit
from alerts.summary import circuits_of, lines
from alerts.threatened import meetings_of
from alerts.tidy import LONGEST, MAX_TEXT, line, tidy
from monitor.core.advice import about, called_about
from monitor.core.chart import LEAST_POINTS, facts
from monitor.core.lasthour import Series
from monitor.core.ledger import Cost
from monitor.core.meetings import address_of_session
from monitor.core.model import (
    ENDS,
    SUMMARIES,
    Attached,
    Cause,
    Contact,
    Happening,
    Incident,
    IncidentEvent,
    Inventory,
    Letter,
    Notification,
    Role,
    Severity,
    Site,
)
from monitor.core.words import CONFERENCE_SERVERS, ROOM, VI, WORDS, Words, dialled

log = logging.getLogger(__name__)

OURS = Path(__file__).parent / "templates"
URGENT = (Happening.OPENED, Happening.REOPENED, Happening.CHANGED, Happening.ESCALATED)
"""Where a critical incident is marked as urgent: its end and who has it are not."""
WITHOUT_PICTURE = SUMMARIES | {*ACTS, Happening.WITHDRAWN}
"""They are not about how the root is now."""
OURS_ALONE = frozenset({"words", "board", "grafana", "chart", "act"})
"""Of what a template may use: made of our own words and ids, and whole."""
_KINDS = {
    ".csv": ("text", "csv", {"charset": "utf-8"}),
    ".html": ("text", "html", {"charset": "utf-8"}),
    ".xlsx": ("application", "vnd.openxmlformats-officedocument.spreadsheetml.sheet", {}),
}
"""Media types of what is attached, by the ending of its name."""
SHOWN_SITES = 12
SHOWN_TARGETS = 12
SHOWN_EVIDENCE = 6
SHOWN_ITEMS = 40
"""Incidents of a summary; the rest are counted, for Gmail cuts off what is longer than 102 kB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hurt:
    """One site that the incident hurts, and what of it."""

    site: Site
    names: tuple[str, ...]


class _Compiled(jinja2.BytecodeCache):
    """What was compiled stays so over a reload, which compiles only templates whose text is another one now."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, CodeType | None]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        checksum, code = self._kept.get(bucket.key, ("", None))
        if checksum == bucket.checksum:
            bucket.code = code

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.checksum, bucket.code


_COMPILED = {html: _Compiled() for html in (False, True)}
"""Apart, for the same text compiles to other code where it is escaped."""


def environment(folder: Path | None, *, html: bool) -> jinja2.Environment:
    """Templates of an admin's folder, else ours; sandboxed."""
    folders = [each for each in (folder, OURS) if each is not None]
    made = ImmutableSandboxedEnvironment(
        loader=jinja2.FileSystemLoader(folders), undefined=jinja2.StrictUndefined, autoescape=html,
        bytecode_cache=_COMPILED[html], trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    made.filters["dialled"] = dialled
    made.filters["address_of_session"] = address_of_session
    return made


class Composer:
    """Makes the mails."""

    def __init__(
        self,
        *,
        sender: str,
        message_id_domain: str,
        board: str,
        grafana: str,
        reply_to: str = "",
        template_folder: Path | None = None,
        signer: Signer | None = None,
        last_hour: Callable[[str], Series | None] = lambda _: None,
    ) -> None:
        """`sender` is `Name <address>`, and so is `reply_to`, unless empty; `board` and `grafana` are addresses without a slash at the end, or empty.

        Without a signer the mails have no links that do something; `last_hour` gives what was measured about a target.
        """
        self._sender = _address(sender)
        self._reply_to = _address(reply_to) if reply_to else None
        self._domain = message_id_domain
        self._policy = mail_policy()
        self._board, self._grafana, self._signer = board, grafana, signer
        self._last_hour = last_hour
        self._text = environment(template_folder, html=False)
        self._html = environment(template_folder, html=True)

    def compose(
        self, notification: Notification, inventory: Inventory, now: datetime, cost: Cost | None = None
    ) -> EmailMessage:
        """The mail of a notification; the same one each time it is composed, but for its date."""
        series, picture = self._draw(notification)
        given = _tidied(self._given(notification, inventory, series, cost))
        subject, text, html = self._surely(notification, given)
        message = self._envelope(notification.id, notification.contact, subject, now)
        first = first_of_thread(notification)
        if notification.id != first:
            message["In-Reply-To"] = message["References"] = self._message_id(first)
        message["X-Commune-Monitor-Incident"] = notification.thread
        event = notification.event
        message["X-Commune-Monitor-Severity"] = event.incident.severity.value
        if event.incident.severity is Severity.CRITICAL and event.what in URGENT:
            message["Importance"] = "high"  # RFC 2156 section 5.3.4
            message["X-Priority"] = "1"  # for clients that know only this one
        _fill(message, text, html)
        if picture and given["chart"]["src"] in html:
            self._add_picture(message, given["chart"]["src"], picture)
        return message

    def letter(
        self,
        name: str,
        contact: Contact,
        id_: str,
        given: Mapping[str, object],
        attached: tuple[Attached, ...] = (),
    ) -> Letter:
        """A mail that is about no single incident, of the template `name`."""
        given = {**_tidied({**given, "contact": contact}), "board": self._board}
        try:
            subject, text, html = self.render_letter(name, contact.language, given)
        except Exception:
            log.exception("template %s failed, a plain mail goes out instead", name)
            told = (line(f"{key}: {value}") for key, value in given.items() if key != "contact")
            subject, text, html = f"commune-monitor: {name}", "\n".join(told) + "\n", ""
        return Letter(id=id_, contact=contact, subject=subject, text=text, html=html, attached=attached)

    def post(self, letter: Letter, now: datetime) -> EmailMessage:
        """A letter as it is sent."""
        message = self._envelope(letter.id, letter.contact, letter.subject, now)
        if letter.answers:
            message["In-Reply-To"] = message["References"] = self._message_id(letter.answers)
        _fill(message, letter.text, letter.html)
        for each in letter.attached:
            major, minor, params = _KINDS[Path(each.name).suffix]
            message.add_attachment(b64decode(each.base64), major, minor, filename=each.name, params=params)
        return message

    def render_letter(self, name: str, language: str, given: Mapping[str, object]) -> tuple[str, str, str]:
        """Subject, text and HTML; raises what the templates raise. Without a page of its own the text is shown as one."""
        given = {**given, "words": WORDS[language], "about": name}
        return self._rendered(name, language, given, "letter.html")

    def subject(self, notification: Notification, inventory: Inventory) -> str:
        """What the mail of a notification is about, in a line."""
        return self._surely(notification, _tidied(self._given(notification, inventory)))[0]

    def what_to_do(self, incident: Incident, inventory: Inventory, language: str) -> tuple[str, ...]:
        """What a mail about it would tell people to do, line by line; nothing when it is over, or the template fails."""
        if incident.closed is not None:
            return ()
        reader = Contact(id="board", name="", email="", language=language)
        event = IncidentEvent(incident=incident, what=Happening.OPENED, at=incident.opened)
        told = Notification(id="board", thread=incident.id, contact=reader, event=event, reason="")
        try:
            text = self._text.get_template(f"{language}/act.txt").render(_tidied(self._given(told, inventory)))
        except Exception:
            log.exception("template %s/act.txt failed, the board says nothing of what to do", language)
            return ()
        return tuple(line(each) for each in text.splitlines() if each.strip())

    def _envelope(self, mail: str, contact: Contact, subject: str, now: datetime) -> EmailMessage:
        """A mail without anything in it."""
        message = EmailMessage(policy=self._policy)
        message["Subject"] = subject
        message["From"] = self._sender
        if self._reply_to is not None:
            message["Reply-To"] = self._reply_to
        message["To"] = Address(_clean(line(contact.name, LONGEST["name"])), addr_spec=contact.email)
        message["Date"] = format_datetime(now)
        message["Message-ID"] = self._message_id(mail)
        message["List-Id"] = f"<incidents.{self._domain}>"  # RFC 2919: for filters of mail programs, the same for all
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
        return message

    def _draw(self, notification: Notification) -> tuple[Series | None, bytes]:
        """What was measured about the root, and its picture; where the mail is about that alone and not about who has it."""
        event = notification.event
        if event.incident.shared is not None or notification.contact.outsider or event.what in WITHOUT_PICTURE:
            return None, b""
        try:
            series = self._last_hour(event.incident.root)
            if series is None or len(series.points) < LEAST_POINTS:
                return None, b""
            return series, draw(series, event.incident.began)
        except Exception:
            log.exception("no picture for %s, its mail goes out without", notification.id)
            return None, b""

    @staticmethod
    def _add_picture(message: EmailMessage, source: str, picture: bytes) -> None:
        """Beside the HTML that shows it (multipart/related, RFC 2387; cid of RFC 2392)."""
        page = message.get_body(("html",))
        assert isinstance(page, EmailMessage)
        page.add_related(
            picture, "image", "png", cid=f"<{source.removeprefix('cid:')}>", filename="last-hour.png",
            disposition="inline",
        )  # fmt: skip

    def _surely(self, notification: Notification, given: Mapping[str, Any]) -> tuple[str, str, str]:
        """Subject, text and HTML, whatever the templates do."""
        try:
            return self.render(notification, given)
        except Exception:
            log.exception("templates of %s failed, a plain mail goes out instead", notification.event.what)
            subject, text = _plain(given)
            return fit(subject, ""), text, ""

    def render(self, notification: Notification, given: Mapping[str, Any]) -> tuple[str, str, str]:
        """Subject, text and HTML; raises what the templates raise."""
        contact, late = notification.contact, notification.catches_up and notification.event.what is Happening.RECOVERED
        kind = "provider" if contact.outsider else "passed" if late else notification.event.what.value
        return self._rendered(kind, contact.language, given)

    def try_out(self, notification: Notification, inventory: Inventory) -> None:
        """Render a mail with a picture; raises what the templates raise."""
        self.render(notification, _tidied(self._given(notification, inventory, short_series(), A_COST)))

    def _rendered(self, kind: str, language: str, given: Mapping[str, Any], *otherwise: str) -> tuple[str, str, str]:
        """Subject, text and HTML; that of `otherwise` where there is none of this kind."""
        head, _, text = self._text.get_template(f"{language}/{kind}.txt").render(given).lstrip().partition("\n")
        headline, text = _clean(head), text.lstrip("\n")
        subject = fit(headline, language)
        page = self._html.select_template([f"{language}/{kind}.html", *otherwise])
        return subject, text, page.render({**given, "headline": headline, "subject": subject, "text": text})

    def _message_id(self, notification: str) -> str:
        return f"<{notification}@{self._domain}>"

    def _given(
        self, notification: Notification, inventory: Inventory, series: Series | None = None, cost: Cost | None = None
    ) -> dict[str, Any]:
        """What a template may use; docs/mail.md lists it."""
        incident = notification.event.incident
        words = WORDS[notification.contact.language]
        called = dict(notification.event.called).get(words.language, "")
        root, site = about(incident, inventory, words)
        if incident.shared is not None and root is not None:
            root = replace(root, circuit=", ".join(each.id for each in circuits_of(incident, inventory) if each.id))
        hurt = tuple(_hurt(incident, inventory, words))
        call, circuit = called_about(incident, inventory)
        things = [inventory.targets[each] for each in _hurt_targets(incident) if each in inventory.targets]
        return {
            "incident": incident,
            "event": notification.event,
            "words": words,
            "root": root,
            "name": called or words.name(root, incident.root),
            "gone": bool(called),
            "site": site,
            "place": site.name if site else "",
            "dark": _dark(incident, inventory),
            "serves": bool(root and root.kind in CONFERENCE_SERVERS and incident.shared is None),
            "shared": bool(root and site and root.role is Role.SERVICE and site.kind != "commune"),
            "provider": inventory.providers.get(root.provider) if root else None,
            "call": call,
            "circuit": circuit,
            "trouble": words.trouble(incident.reason, incident.says),
            "rose_from": incident.weight.rose_from if incident.weight else None,
            "heaviest": _heaviest(incident, inventory, words),
            "cause": words.causes[incident.cause.value],
            "why": _why(incident, words),
            "hurt": hurt,
            "targets": len(_hurt_targets(incident)),
            "communes": sum(each.site.kind == "commune" for each in hurt),
            "rooms": sum(each.kind == ROOM for each in things),
            "services": sum(each.role is Role.SERVICE for each in things),
            "meetings": meetings_of(incident, inventory, words, notification.event.at),
            "shown_sites": SHOWN_SITES,
            "shown_targets": SHOWN_TARGETS,
            "evidence": tuple(map(words.seen, incident.evidence[:SHOWN_EVIDENCE])),
            "board": self._page(notification),
            "grafana": page_of(self._grafana, incident, root, site, words.language),
            "chart": self._chart(notification, series),
            "cost": _cost(cost, words),
            "act": self._links(notification),
            "circuits": circuits_of(incident, inventory, notification.contact.id.removeprefix(OUTSIDER)),
            "items": lines(notification.items, inventory, words, self._board),
            "shown_items": SHOWN_ITEMS,
            "contact": notification.contact,
            "told_because": notification.reason,
        }

    def _page(self, notification: Notification) -> str:
        """Address of the incident on the board; of a summary that of the board."""
        about_one = self._board and notification.event.what not in SUMMARIES
        return f"{self._board}/incidents/{notification.event.incident.id}" if about_one else self._board

    def _chart(self, notification: Notification, series: Series | None) -> dict[str, Any]:
        """What a template says of the picture; empty when there is none."""
        if series is None:
            return {}
        words, told = WORDS[notification.contact.language], facts(series)
        seconds = {name: words.seconds(told[name]) for name in ("least", "middle", "most")}
        lost = "" if math.isnan(told["lost"]) else f"{words.figure(told['lost'] * 100)} %"
        source = f"cid:chart.{notification.id}@{self._domain}"
        return {
            **seconds,
            "lost": lost,
            "minutes": round(told["minutes"]),
            "line": series.role is Role.LINK,
            "src": source,
        }

    def _links(self, notification: Notification) -> dict[str, str]:
        """Links of the acts that make sense, by what they do; the others are empty."""
        event, links = notification.event, dict.fromkeys(("acknowledge", "silence_hour", "silence_morning"), "")
        ours = not notification.contact.outsider and event.what not in SUMMARIES
        if self._signer is None or not self._board or event.incident.closed or event.what in ENDS or not ours:
            return links
        for act in Act:
            if act is Act.ACKNOWLEDGE and event.incident.acknowledged:
                continue
            path = self._signer.path(Link(act=act, mail=notification.id, expires=event.at + VALID))
            language = "" if notification.contact.language == VI.language else f"?lang={notification.contact.language}"
            links[act.name.lower()] = f"{self._board}{path}{language}"
        return links


def _address(text: str) -> Address:
    name, address = parseaddr(text)
    return Address(name, addr_spec=address)


def _tidied(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a template may use, with what others wrote made fit to be shown."""
    return {
        name: each if name in OURS_ALONE else tidy(each, LONGEST.get(name, MAX_TEXT)) for name, each in given.items()
    }


def _cost(cost: Cost | None, words: Words) -> dict[str, str]:
    """What an incident took, in words; empty when it is not known."""
    if cost is None:
        return {}
    before = "" if cost.before is None else words.percent(cost.before)
    since = "" if cost.since is None else words.hour(cost.since)
    return {"before": before, "after": words.percent(cost.after), "down": words.span(cost.down), "since": since}


def _hurt_targets(incident: Incident) -> tuple[str, ...]:
    """The impact; of what targets have in common the root is no more than the first."""
    return (incident.root, *incident.impact) if incident.shared else incident.impact


def _heaviest(incident: Incident, inventory: Inventory, words: Words) -> str:
    """Name and place of what matters most of all that it hurts, where that is not the root itself."""
    if incident.weight is None or incident.weight.target == incident.root:
        return ""
    target = inventory.targets.get(incident.weight.target)
    return f"{words.name(target)} – {inventory.sites[target.site].name}" if target else incident.weight.target


def _why(incident: Incident, words: Words) -> str:
    why = words.why.get(incident.why, "")
    return f"{why} {words.evidence(incident.shared)}" if incident.shared else why


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


def _fill(message: EmailMessage, text: str, html: str) -> None:
    message.set_content(text, cte="quoted-printable")
    if html:
        message.add_alternative(html, subtype="html", cte="quoted-printable")


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
