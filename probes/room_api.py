"""What does a room say of itself over HTTPS: is it in a call, is it muted, is its camera there, how was its last call?

Source: RFC 9110, RFC 7617, RFC 6265; the makers' guides are named in `probes.wire.roomos` and `probes.wire.videoos`. Reads and changes
nothing: the few questions stand there, and the inventory only says which values of the answers count. One log-in a run, which is ended;
one that a run could not end (it was cut off) is used and ended by the next, because rooms have few sessions and keep them. Costs three
to eight questions over one connection, about 10 ms of CPU with its TLS, and 5 to 30 kB.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from monitor.core.model import Reason
from probes.engine import connection, told
from probes.engine.connection import TrustOptions, UntrustedError
from probes.engine.conversation import Conversation, conversation
from probes.engine.values import sayings
from probes.registry import Request, Result, Secret, failed, ok, probe
from probes.wire import branch, http, roomos, videoos
from probes.wire.branch import Branch
from probes.wire.room_api import Question, cookie_header, take_cookies
from probes.wire.text import one_line

MOST_BYTES = 512 * 1024
"""Of an answer, unpacked."""
REFUSED_SECONDS = 600.0
"""Who refused our log-in is not asked to for so long: a room may lock a user out who tries too often."""
REFUSALS = (401, 403)
LOCKED = (423, 429)
"""The account is locked (RFC 4918 section 11.3), or there were too many tries (RFC 6585 section 4): the last to try more."""
NOT_ENDED = "the session is not ended"
_CONFERENCE = re.compile(r"\d{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The interface of a make."""

    documents: Mapping[str, Question]
    log_in: Callable[[str, str], Question]
    logged_in: Callable[[bytes], bool]
    log_out: Question
    read: Callable[[str, bytes], Branch]


APIS: Mapping[str, Api] = {
    "roomos": Api(
        documents=roomos.DOCUMENTS, log_in=roomos.log_in, logged_in=roomos.logged_in, log_out=roomos.LOG_OUT,
        read=roomos.read,
    ),
    "videoos": Api(
        documents=videoos.DOCUMENTS, log_in=videoos.log_in, logged_in=videoos.logged_in, log_out=videoos.LOG_OUT,
        read=videoos.read,
    ),
}  # fmt: skip


class RoomApiOptions(TrustOptions):
    """How to ask, and what to read of the answers."""

    api: Literal["roomos", "videoos"] = Field(description="roomos: of Cisco; videoos: of Poly")
    port: int = Field(443, ge=1, le=65535, description="TCP port, over TLS always")
    user: str = Field(min_length=1, pattern=r"^[^:\x00-\x1f\x7f]+$", description="who logs in")
    password: Secret = Field(description="where the password is")
    values: told.Values = Field(description="what to read, by a name of yours")

    @model_validator(mode="after")
    def _is_told(self) -> RoomApiOptions:
        known = APIS[self.api].documents
        for name, how in self.values.items():
            if how.document not in known:
                raise ValueError(f"`{name}`: {how.at} begins with no document of {self.api}: {', '.join(known)}")
        return self


class _Refused(Exception):
    """The room does not do what was asked."""

    def __init__(self, reason: Reason, evidence: str) -> None:
        super().__init__(evidence)
        self.reason = reason


class _Visit:
    """A log-in at a room, and what is asked with it."""

    def __init__(self, request: Request[RoomApiOptions], talk: Conversation) -> None:
        self.request, self.talk = request, talk
        self._deadline = asyncio.get_running_loop().time() + request.timeout_seconds
        self.api = APIS[request.options.api]
        self.cookies: dict[str, str] | None = request.memory.get("session") or None
        self.left_over = self.cookies is not None
        options = request.options
        self._login = (options.port, options.user, options.password.get_secret_value())
        self._refused: dict[tuple[int, str, str], float] = request.shared.setdefault("refused", {})
        """When, of a room: it counts the tries of all our checks together."""

    def spare_who_refused(self) -> None:
        """Raises _Refused as long as it would be in vain, or worse, to log in again."""
        if self._login in self._refused:
            wait = self._refused[self._login] + REFUSED_SECONDS - asyncio.get_running_loop().time()
            if wait > 0:
                raise _Refused(Reason.AUTH, f"the room refused the log-in; it is tried again in {wait / 60:.0f} min")
            del self._refused[self._login]

    async def documents(self, wanted: Collection[str]) -> Mapping[str, Branch]:
        """Those that the room gives; raises _Refused when it gives none, or is none of these."""
        found: dict[str, Branch] = {}
        refusals: list[tuple[int, str]] = []
        for name in wanted:
            question = self.api.documents[name]
            if "{}" in question.target:
                if "conferences" not in found:
                    continue
                if not (conference := _first_conference(found["conferences"])):
                    found[name] = Branch()  # known to have nothing in it
                    continue
                question = Question(question.method, question.target.format(conference))
            head, body = await self._ask(question)
            if head.status != 200:
                refusals.append((head.status, f"{_what(question)} → {head.status} {one_line(head.phrase, 40)}".strip()))
                continue
            try:
                found[name] = self.api.read(name, body)
            except branch.ProtocolError as error:
                raise _Refused(Reason.PROTOCOL, one_line(f"{_what(question)}: {error}")) from error
        if refusals and not found:
            refused = all(status in REFUSALS for status, _ in refusals)
            raise _Refused(Reason.AUTH if refused else Reason.STATUS, refusals[0][1])
        return found

    async def _ask(self, question: Question) -> tuple[http.Head, bytes]:
        """With a session: one that was left over, as long as the room knows it, else a new one."""
        if self.cookies is None:
            await self._log_in()
        head, body = await self._tell(question)
        if head.status != 200 and self.left_over:
            if head.status not in REFUSALS:  # the room may know it all the same
                await self.log_out()
            self.request.trace("the session of a run that was cut off is over")
            await self._log_in()
            head, body = await self._tell(question)
        self.left_over = False
        return head, body

    async def _log_in(self) -> None:
        options = self.request.options
        self.cookies, self.left_over = {}, False
        self.request.memory["session"] = self.cookies  # from here on there may be one, whatever happens
        head, body = await self._tell(self.api.log_in(options.user, options.password.get_secret_value()))
        good = head.status in (200, 201, 204)
        if good and self.api.logged_in(body) and self.cookies:
            return
        self.cookies = None
        del self.request.memory["session"]
        if good and self.api.logged_in(body):
            raise _Refused(Reason.PROTOCOL, "the log-in is taken, and opens no session: no cookie is set")
        if good or head.status in (*REFUSALS, *LOCKED):
            self._refused[self._login] = asyncio.get_running_loop().time()
            why = f": {head.status} {one_line(head.phrase, 40)}".rstrip() if head.status in LOCKED else ""
            raise _Refused(Reason.AUTH, f"the room refuses the log-in of {one_line(options.user, 40)}{why}")
        raise _Refused(Reason.STATUS, f"the log-in → {head.status} {one_line(head.phrase, 40)}".strip())

    async def log_out(self) -> None:
        """End the session, so that the next one finds room; one that does not end is used by the next run.

        Waited for is half of the time that is left: what the room told before is not lost for a farewell.
        """
        if self.cookies is None:
            return
        try:
            async with asyncio.timeout((self._deadline - asyncio.get_running_loop().time()) / 2):
                head, _ = await self._tell(self.api.log_out)
        except (OSError, http.ProtocolError, http.TooLargeError) as error:  # TimeoutError is an OSError
            self.request.trace(one_line(f"{NOT_ENDED}: {error}" if str(error) else f"{NOT_ENDED}: no answer in time"))
            return
        if head.status < 300 or head.status in REFUSALS:
            self.request.memory.pop("session", None)

    async def _tell(self, question: Question) -> tuple[http.Head, bytes]:
        options, held = self.request.options, self.cookies or {}
        host = options.server_name or self.request.address
        shown = f"[{host}]" if ":" in host else host
        headers = {"User-Agent": "commune-monitor", "Accept": "*/*", "Accept-Encoding": "gzip", **cookie_header(held)}
        if question.content:
            headers["Content-Type"] = question.content
        if videoos.XSRF_COOKIE in held:
            headers[videoos.XSRF_HEADER] = held[videoos.XSRF_COOKIE]
        asked = http.Asked(
            method=question.method, scheme="https", authority=shown if options.port == 443 else f"{shown}:{options.port}",
            target=question.target, headers={**headers, **question.headers}, body=question.body,
        )  # fmt: skip
        head, body = await self.talk.ask(asked, f"the answer to {_what(question)}")
        self.request.trace(f"{_what(question)} → {head.status}, {len(body)} bytes")
        if self.cookies is not None:
            take_cookies(self.cookies, head.cookies)
        return head, body


def _first_conference(conferences: Branch) -> str:
    """Its number; "" when there is none."""
    found = next(branch.find(conferences, ("conferences", "id")), None)
    return found[-1].text if found and _CONFERENCE.fullmatch(found[-1].text) else ""


def _what(question: Question) -> str:
    return f"{question.method} {question.target}"


@probe("room-api", RoomApiOptions, metrics=[*connection.METRICS, *told.METRICS])
async def run(request: Request[RoomApiOptions]) -> Result:
    """Log in, read, log out."""
    values: dict[str, float] = {}
    try:
        async with conversation(request, request.options.port, request.options, MOST_BYTES) as talk:
            values = talk.values
            return await _visit(request, talk)
    except UntrustedError as error:
        return failed(Reason.CERTIFICATE, one_line(str(error)), error.values)
    except _Refused as error:
        return failed(error.reason, str(error), values)
    except http.TooLargeError as error:
        return failed(Reason.TOO_LARGE, f"{request.doing}: {error}", values)
    except http.BrokenOffError:
        return failed(Reason.RESET, f"the room ended the connection, still waited for: {request.doing}", values)
    except http.ProtocolError as error:
        return failed(Reason.PROTOCOL, one_line(f"not HTTP: {error}"), values)


async def _visit(request: Request[RoomApiOptions], talk: Conversation) -> Result:
    options, visit = request.options, _Visit(request, talk)
    visit.spare_who_refused()
    named = {how.document for how in options.values.values()}
    if "mediastats" in named:
        named.add("conferences")  # which say of which one
    try:
        documents = await visit.documents([name for name in visit.api.documents if name in named])
    except _Refused:
        await visit.log_out()
        raise
    await visit.log_out()
    measured = told.measure(options.values, documents)
    values = talk.values | {each.key: each.value for each in measured}
    if not measured:
        return failed(Reason.CONTENT, one_line(f"the room tells none of {', '.join(options.values)}"), values)
    told_of_end = [NOT_ENDED] if "session" in request.memory else []
    return ok(one_line("; ".join([*sayings(measured), *told_of_end]), 300), **values)
