"""What people do to the running daemon over its control socket, and by links of mails: silences, who has an incident.

Requests are checked here, against the inventory in force; who asks is the login of the peer, whatever name is given.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError

from alerts.links import KEY_BYTES, Link, Signer, silent_until
from monitor.control import RefusedError
from monitor.core.model import Acknowledgement, Contact, Incident, Notification, Silence
from monitor.database import StoreError
from monitor.inventory.forms import Line, Model, Span
from monitor.pipeline import Pipeline
from monitor.store import LinkUsedError, Store
from monitor.web.acts import Offer, Refusal, RefusedLinkError
from monitor.web.desk import RefusedActError
from monitor.web.words import WORDS, machine_time
from monitor.yamlfile import near

log = logging.getLogger(__name__)

LONGEST_SILENCE = timedelta(days=31)

M = TypeVar("M", bound=BaseModel)


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value.strip()


Name = Annotated[Line, Field(max_length=80)]
Text = Annotated[Line, AfterValidator(_not_blank), Field(max_length=300)]


class SilenceRequest(Model):
    """Whom to be silent about, for how long and why."""

    target: str = ""
    site: str = ""
    area: str = ""
    provider: str = ""
    for_: Span = Field(alias="for")
    reason: Text
    by: Name = ""


class AcknowledgeRequest(Model):
    """Who has an incident, and what about it."""

    by: Name = ""
    note: Annotated[Line, Field(max_length=300)] = ""


class RetryRequest(Model):
    """Which mail, or all of them."""

    id: str = ""
    all_failed: bool = False
    by: Name = ""


_silence_json = TypeAdapter(Silence)


class Acts:
    """The acts on one running daemon; each raises RefusedError with what is wrong, or StoreError."""

    def __init__(
        self,
        pipeline: Pipeline,
        store: Store,
        clock: Callable[[], datetime],
        contacts: Callable[[], Mapping[str, Contact]],
    ) -> None:
        """`contacts` are those in force, by id."""
        self._pipeline, self._store, self._clock, self._contacts = pipeline, store, clock, contacts

    async def silence(self, given: object, login: str) -> object:
        """Be silent about incidents whose root is chosen, from now on; returns the silence."""
        asked, now = _fit(SilenceRequest, given), self._clock()
        self._choose(asked)
        lasts = timedelta(seconds=min(asked.for_, LONGEST_SILENCE.total_seconds() + 1))
        if lasts > LONGEST_SILENCE:
            raise RefusedError(f"no longer than {LONGEST_SILENCE.days}d: write planned work into the inventory")
        silence = await self._store.silence(
            Silence(
                id=0, target=asked.target, site=asked.site, area=asked.area, provider=asked.provider,
                begins=now, ends=now + lasts, reason=asked.reason, by=_who(asked.by, login),
            )
        )  # fmt: skip
        self._pipeline.silenced(silence)
        return _silence_json.dump_python(silence, mode="json")

    async def silence_root(self, incident: str, given: Mapping[str, object], login: str) -> object:
        """The same about what an open incident has as its root."""
        return await self.silence({**given, "target": self._open(incident).root}, login)

    def _choose(self, asked: SilenceRequest) -> None:
        """Refuse what does not name one thing that exists."""
        inventory = self._pipeline.inventory
        known: Mapping[str, Mapping[str, object]] = {
            "target": inventory.targets,
            "site": inventory.sites,
            "area": dict.fromkeys(each.area for each in inventory.sites.values() if each.area),
            "provider": inventory.providers,
        }
        chosen = {name: value for name in known if (value := getattr(asked, name))}
        if len(chosen) != 1:
            raise RefusedError("name one thing to be silent about: a target, a site, an area or a provider")
        ((name, value),) = chosen.items()
        if value not in known[name]:
            raise RefusedError(f"there is no {name} {value!r}; {near(value, known[name])}".rstrip("; "))

    async def unsilence(self, id_: str, _login: str) -> object:
        """Lift a silence; what was not told because of it is told at once. Returns the silence as it was."""
        found = next((each for each in self._pipeline.silences if str(each.id) == id_), None)
        if found is None:
            raise RefusedError(f"no silence {id_} is in force")
        await self._store.unsilence(found, self._clock())
        self._pipeline.unsilenced(found)
        return _silence_json.dump_python(found, mode="json")

    def silences(self) -> object:
        """Those in force."""
        now = self._clock()
        return [_silence_json.dump_python(each, mode="json") for each in self._pipeline.silences if now < each.ends]

    def _open(self, named: str) -> Incident:
        """The open incident with this id, or with this root."""
        incidents = self._pipeline.correlator.incidents()
        found = next((each for each in incidents if named in (each.id, each.root)), None)
        if found is None:
            raise RefusedError(
                f"no open incident has the id or the root {named!r}; {near(named, [each.id for each in incidents])}".rstrip(
                    "; "
                )
            )
        return found

    async def acknowledge(self, incident: str, given: object, login: str) -> object:
        """Somebody has an incident; whoever had it before has it no longer."""
        asked, found = _fit(AcknowledgeRequest, given), self._open(incident)
        by = Acknowledgement(by=_who(asked.by, login), at=self._clock(), note=asked.note.strip())
        self._pipeline.acknowledge(found.id, by)
        return {"incident": found.id, "by": by.by}

    async def unacknowledge(self, incident: str, _login: str) -> object:
        """Nobody has it any more."""
        found = self._open(incident)
        if found.acknowledged is None:
            raise RefusedError(f"nobody has {found.id}")
        self._pipeline.acknowledge(found.id, None)
        return {"incident": found.id, "by": found.acknowledged.by}

    async def timeline(self, incident: str) -> object:
        """The life of an incident as it is in the database."""
        open_ones = {each.root: each.id for each in self._pipeline.correlator.incidents()}
        events, mails = await self._store.timeline(open_ones.get(incident, incident))
        if not events:
            raise RefusedError(f"no incident {incident!r} is in the database")
        last = events[-1].incident
        return {
            "id": last.id,
            "events": [
                {
                    "at": machine_time(each.at), "what": each.what, "state": each.incident.state, "cause": each.incident.cause,
                    "root": each.incident.root, "by": had.by if (had := each.incident.acknowledged) else "", "note": had.note if had else "",
                }
                for each in events
            ],
            "mails": [
                {
                    "at": machine_time(each.at), "id": each.mail.id, "what": each.mail.event.what, "contact": each.mail.contact.id,
                    "status": each.status, "again": [{"at": machine_time(at), "by": by} for at, by in each.again],
                }
                for each in mails
            ],
        }  # fmt: skip

    async def failed_mails(self) -> object:
        """The mails that were refused for good, oldest first."""
        failed = await self._store.mails.failed()
        return [each._asdict() | {"at": machine_time(each.at)} for each in failed]

    async def retry_mails(self, given: object, login: str) -> object:
        """Queue one of them again, or all, to the addresses in force; returns their ids."""
        asked = _fit(RetryRequest, given)
        if bool(asked.id) == asked.all_failed:
            raise RefusedError("name one mail, or all that have failed")
        known = [each.id for each in await self._store.mails.failed()]
        if asked.id and asked.id not in known:
            raise RefusedError(f"no mail {asked.id!r} has failed for good; {near(asked.id, known)}".rstrip("; "))
        by = _who(asked.by, login)
        queued = await self._store.mails.retry(asked.id or None, self._contacts(), by, self._clock())
        if asked.id and asked.id not in queued:
            raise RefusedError(f"{asked.id}: a later mail of the incident has told it since")
        log.warning("%s queued again what had failed: %s", by, ", ".join(queued) or "nothing")
        return list(queued)


class BoardActs:
    """The acts of people who are signed in to the board; each raises web.desk.RefusedActError."""

    def __init__(self, acts: Acts) -> None:
        self._acts = acts

    async def take(self, incident: str, note: str, who: str) -> None:
        """Have an incident."""
        await _or_refused(self._acts.acknowledge(incident, {"note": note}, who))

    async def give_back(self, incident: str, who: str) -> None:
        """Have it no longer."""
        await _or_refused(self._acts.unacknowledge(incident, who))

    async def silence(self, incident: str, lasting: str, reason: str, who: str) -> None:
        """Mail nobody of what has the root of an open incident."""
        await _or_refused(self._acts.silence_root(incident, {"for": lasting, "reason": reason}, who))

    async def lift(self, silence: str, who: str) -> None:
        """Mail again."""
        await _or_refused(self._acts.unsilence(silence, who))


async def _or_refused(act: Awaitable[object]) -> None:
    try:
        await act
    except RefusedError as error:
        raise RefusedActError(str(error)) from error
    except StoreError as error:
        raise RefusedActError(f"not written, so not done: {error}") from error


class LinkActs:
    """The acts of links in mails; each raises web.acts.RefusedLinkError."""

    def __init__(self, signer: Signer, pipeline: Pipeline, store: Store, clock: Callable[[], datetime]) -> None:
        self._signer, self._pipeline, self._store, self._clock = signer, pipeline, store, clock

    def ours(self, parts: Sequence[str]) -> bool:
        """Whether we have signed this link."""
        return self._signer.read(parts) is not None

    async def offer(self, parts: Sequence[str]) -> Offer:
        """What it would do now."""
        link, mail = await self._find(parts)
        return self._offer(link, mail, mail.contact.name, self._clock())

    async def accept(self, parts: Sequence[str], name: str) -> Offer:
        """Do it, once; kept with the name that the reader gives itself and the contact that the mail went to."""
        link, mail = await self._find(parts)
        now = self._clock()
        offer = self._offer(link, mail, _who(name or mail.contact.name, f"mail:{mail.contact.id}"), now)
        try:
            silence = await self._store.use_link(link.id, link.expires, now, _silence(offer, mail, now))
        except LinkUsedError as error:
            raise RefusedLinkError(Refusal.USED) from error
        except StoreError as error:
            raise RefusedLinkError(Refusal.TROUBLE) from error
        if silence is not None:
            self._pipeline.silenced(silence)
        else:
            open_still = self._offer(link, mail, offer.by, now).incident  # it may have been closed while we wrote
            self._pipeline.acknowledge(open_still.id, Acknowledgement(by=offer.by, at=now))
        log.info("%s by the link of %s: %s", link.act, link.mail, offer.by, extra={"incident": offer.incident.id})
        return offer

    async def _find(self, parts: Sequence[str]) -> tuple[Link, Notification]:
        """A link that can be used, and its mail."""
        link = self._signer.read(parts)
        if link is None:
            raise RefusedLinkError(Refusal.UNKNOWN)
        if self._clock() >= link.expires:
            raise RefusedLinkError(Refusal.EXPIRED)
        try:
            mail, used = await self._store.mails.mail(link.mail), await self._store.link_used(link.id)
        except StoreError as error:
            raise RefusedLinkError(Refusal.TROUBLE) from error
        if mail is None:
            raise RefusedLinkError(Refusal.UNKNOWN)
        if used:
            raise RefusedLinkError(Refusal.USED)
        return link, mail

    def _offer(self, link: Link, mail: Notification, by: str, now: datetime) -> Offer:
        incident = next((each for each in self._pipeline.correlator.incidents() if each.id == mail.thread), None)
        if incident is None:
            raise RefusedLinkError(Refusal.OVER)
        return Offer(act=link.act, incident=incident, by=by, until=silent_until(link.act, now))


def _silence(offer: Offer, mail: Notification, now: datetime) -> Silence | None:
    """What the link of a mail makes, when it makes one."""
    if offer.until is None:
        return None
    reason = WORDS[mail.contact.language].page["by_link"]
    return Silence(id=0, target=offer.incident.root, begins=now, ends=offer.until, reason=reason, by=offer.by)


def signing_key(path: Path) -> bytes:
    """The key that signs the links of mails, readable by its owner alone; made when there is none. Raises OSError."""
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        key = b""
    if len(key) >= KEY_BYTES:
        return key
    key, fresh = secrets.token_bytes(KEY_BYTES), path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)  # all or nothing: half a key would be worse than none
    return key


def _who(name: str, login: str) -> str:
    """The login of the peer, and the name that it gives itself before it."""
    name = name.strip()
    return f"{name} ({login})" if name and name != login else login


def _fit(model: type[M], given: object) -> M:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        wrong: Any = error.errors(include_url=False)[0]
        where = ".".join(map(str, wrong["loc"]))
        raise RefusedError(f"{where}: {wrong['msg'].removeprefix('Value error, ')}".removeprefix(": ")) from error
