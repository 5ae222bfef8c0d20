"""Looking back: what the daemon wrote down, read for the ledger.

It has its own connection that changes nothing and its own thread, so that a long look back keeps nothing from being
written, and works while the daemon runs as well as after it has ended.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import sqlalchemy as sa
from pydantic import TypeAdapter

from monitor import pastsessions
from monitor.core import ledger
from monitor.core.account import Account, entries, hurting
from monitor.core.ledger import By, Cost, Interval, Maintenance, Member, Records, Report, Span, Turn
from monitor.core.life import Life, Posted
from monitor.core.model import Happening, Incident, Role, State
from monitor.core.quality import SessionQuality, Went
from monitor.core.seen import GRACE
from monitor.database import StoreError, engine_of
from monitor.life import life_of, posted
from monitor.tables import written

ALIVE = timedelta(seconds=30)
"""After a sign of life that is not older the daemon is taken to run, and sums end there, without seconds of unknown."""

TARGETS_AT_ONCE = 50
"""How many targets' states are in memory at a time."""

_run = sa.table("run", sa.column("began"), sa.column("beat"))
_member = sa.table("member", *map(sa.column, ("target", "role", "kind", "provider", "commune", "since", "until")))
_change = sa.table("state_change", *map(sa.column, ("id", "target", "state", "since", "at")))
_incident = sa.table("incident", *map(sa.column, ("id", "body", "opened", "closed")))
_event = sa.table("incident_event", *map(sa.column, ("incident", "what", "at")))

_incident_json = TypeAdapter(Incident)
_STATES = {each.value: each for each in State}

T = TypeVar("T")


class ArchiveError(Exception):
    """The database cannot be read; the message says which and what to do."""


class Archive:
    """The database of a daemon, for looking only. Every method may be called from the event loop; none blocks it."""

    def __init__(self, url: str) -> None:
        """`url` is a file name, or an SQLAlchemy URL, as for the store; raises ArchiveError."""
        self._file = None if "://" in url else Path(url)
        try:
            self._engine = engine_of(url) if self._file is None else sa.create_engine(_read_only(self._file))
        except StoreError as error:
            raise ArchiveError(str(error)) from error
        self._name = url if self._file is not None else self._engine.url.render_as_string(hide_password=True)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="archive")

    def close(self) -> None:
        """Wait for the last look and close the database."""
        self._thread.shutdown(wait=True)
        self._engine.dispose()

    async def availability(self, by: By, span: Span, now: datetime, maintenance: Sequence[Maintenance] = ()) -> Report:
        """Sums of the part of a span that is over; raises ArchiveError."""
        past, parts = await self._in_parts(
            span, now, maintenance, lambda each: bool(each.key(by)), lambda known, past: ledger.sums(known, by, past)
        )
        return ledger.merged(by, past, parts)

    async def account(self, span: Span, now: datetime, maintenance: Sequence[Maintenance] = ()) -> Account:
        """What all targets were in the part of a span that is over, with their outages; raises ArchiveError."""
        incidents, watched = await self.incidents(span), await self.watched_since()
        of_target = hurting(incidents)
        past, parts = await self._in_parts(
            span, now, maintenance, lambda _: True, lambda known, past: entries(known, past, of_target)
        )
        return Account(
            asked=span, span=past, entries=[each for part in parts for each in part], incidents=incidents,
            watched=watched,
        )  # fmt: skip

    async def _in_parts(
        self,
        span: Span,
        now: datetime,
        maintenance: Sequence[Maintenance],
        wanted: Callable[[Member], bool],
        made: Callable[[Records, Span], T],
    ) -> tuple[Span, list[T]]:
        """The part of a span that is over, and what is made of the records about the wanted targets.

        Some targets at a time: with a whole province in memory Python's collector would stop the loop for 0.2 s.
        """
        past, known = await self._run(lambda connection: _frame(connection, span, now, None, maintenance))
        of: dict[str, list[Member]] = {}
        for member in known.members:
            of.setdefault(member.target, []).append(member)
        targets = [target for target, stays in of.items() if any(map(wanted, stays))]
        parts = []
        for first in range(0, len(targets), TARGETS_AT_ONCE):
            some = targets[first : first + TARGETS_AT_ONCE]

            def work(connection: sa.Connection, some: Collection[str] = some) -> T:
                members = [each for target in some for each in of[target]]
                return made(_with_turns(connection, replace(known, members=members), past), past)

            parts.append(await self._run(work))
        return past, parts

    async def history(
        self, targets: Collection[str], span: Span, now: datetime, maintenance: Sequence[Maintenance] = ()
    ) -> dict[str, list[Interval]]:
        """The intervals of these targets in the part of a span that is over; raises ArchiveError."""

        def work(connection: sa.Connection) -> dict[str, list[Interval]]:
            past, known = _frame(connection, span, now, targets, maintenance)
            return ledger.history(_with_turns(connection, known, past), past)

        return await self._run(work)

    async def incidents(self, span: Span) -> list[Incident]:
        """Those that were open at some time of a span and turned out no part of others, oldest first; raises ArchiveError."""
        withdrawn = sa.exists().where(
            _event.c.incident == _incident.c.id,
            _event.c.at == _incident.c.closed,
            _event.c.what == Happening.WITHDRAWN.value,
        )
        query = (
            sa.select(_incident.c.body)
            .where(_incident.c.opened < written(span.until))
            .where(_incident.c.closed.is_(None) | ((_incident.c.closed >= written(span.since)) & ~withdrawn))
            .order_by(_incident.c.opened)
        )
        return await self._run(
            lambda connection: [_incident_json.validate_json(body) for body in connection.scalars(query)]
        )

    async def life(self, incident: str) -> Life | None:
        """What was written of an incident; None when there is none. Raises ArchiveError."""
        return await self._run(lambda connection: life_of(connection, incident))

    async def cost(self, incident: Incident, now: datetime, maintenance: Sequence[Maintenance] = ()) -> Cost | None:
        """What an incident that is over cost; None when nothing is known of its root. Raises ArchiveError."""
        assert incident.closed is not None
        month = ledger.month_of(incident.closed).since
        found = (await self.history([incident.root], Span(month, incident.closed), now, maintenance)).get(incident.root)
        after = ledger.total(found or ())
        if after.availability is None:
            return None
        old = await self.history([incident.root], Span(month, max(month, incident.began)), now, maintenance)
        before = ledger.total(old.get(incident.root, ()))
        down, first = after.down + after.unreachable, await self.watched_since(incident.root)
        since = first if first is not None and first > month else None
        return Cost(before=before.availability, after=after.availability, down=down, since=since)

    async def watched_since(self, target: str = "") -> datetime | None:
        """When a target was first watched, or (without one) anything; None: never. Raises ArchiveError."""
        of_all = sa.select(sa.func.min(_run.c.began))
        of_one = sa.select(sa.func.min(_member.c.since)).where(_member.c.target == target)
        found = await self._run(lambda connection: connection.scalar(of_one if target else of_all))
        return datetime.fromisoformat(found) if found else None

    async def past_sessions(self, span: Span) -> list[Went]:
        """The sessions of meetings that began in a span and are written down, the last first; raises ArchiveError."""
        return await self._run(lambda connection: pastsessions.in_span(connection, span))

    async def past_session(self, meeting: str, begins: datetime) -> SessionQuality | None:
        """How one of them went; None when it is not written down. Raises ArchiveError."""
        return await self._run(lambda connection: pastsessions.one(connection, meeting, begins))

    async def posted(self, meeting: str, begins: datetime) -> tuple[Posted, ...]:
        """The mails about a session, oldest first; raises ArchiveError."""
        return await self._run(lambda connection: posted(connection, meeting, begins))

    async def _run(self, work: Callable[[sa.Connection], T]) -> T:
        def in_thread() -> T:
            with self._engine.begin() as connection:  # one transaction: all that is read belongs together
                return work(connection)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, in_thread)
        except sa.exc.SQLAlchemyError as error:
            raise ArchiveError(self._explain(error)) from error

    def _explain(self, error: sa.exc.SQLAlchemyError) -> str:
        text = str(getattr(error, "orig", error))
        if self._file is not None and not self._file.exists():
            return f"{self._name}: there is no database yet; the daemon makes it"
        if "no such table" in text or "no such column" in text or re.search('relation ".*" does not exist', text):
            return f"{self._name}: of a version without a ledger; let this version's daemon run on it once"
        return f"{self._name}: {text}"


def _read_only(file: Path) -> sa.URL:
    name = f"file:{quote(str(file.absolute()))}"
    return sa.URL.create("sqlite", database=name, query={"mode": "ro", "uri": "true", "timeout": "5"})


def _past(connection: sa.Connection, span: Span, now: datetime) -> Span:
    """The part of a span that is over."""
    newest = connection.scalar(sa.text("SELECT max(beat) FROM run"))
    beat = datetime.fromisoformat(newest) if newest else None
    end = beat if beat is not None and now - ALIVE <= beat <= now else now
    return Span(span.since, max(span.since, min(span.until, end)))


def _frame(
    connection: sa.Connection,
    span: Span,
    now: datetime,
    targets: Collection[str] | None,
    maintenance: Sequence[Maintenance],
) -> tuple[Span, Records]:
    """The part of a span that is over, and all that was written about it but the states; None: of all targets."""
    past = _past(connection, span, now)
    since, until = written(past.since), written(past.until)
    runs = connection.execute(sa.select(_run.c.began, _run.c.beat).where(_run.c.beat >= since))
    stays = sa.select(_member).where(_member.c.since < until, _member.c.until.is_(None) | (_member.c.until > since))
    if targets is not None:
        stays = stays.where(_member.c.target.in_(targets))
    cuts = sa.select(_incident.c.body).where(
        _incident.c.body.contains('"cause":"power"') | _incident.c.body.contains('"dark":[['),
        _incident.c.closed.is_(None) | (_incident.c.closed >= written(past.since - GRACE)),
    )
    return past, Records(
        runs=[Span(*map(datetime.fromisoformat, row)) for row in runs],
        members=[_member_of(row) for row in connection.execute(stays)],
        incidents=[_incident_json.validate_json(body) for body in connection.execute(cuts).scalars()],
        maintenance=maintenance,
    )


def _with_turns(connection: sa.Connection, known: Records, past: Span) -> Records:
    """The same with what was decided about its members in the span, and of each the last that was decided before."""
    turns: dict[str, list[Turn]] = {each.target: [] for each in known.members}
    for query in (_decided(past, turns), _last_before(past, turns)):
        for number, target, state, began, at in connection.execute(query).all():
            turns[target].append(
                Turn(number, _STATES[state], datetime.fromisoformat(began), datetime.fromisoformat(at))
            )
    return replace(known, turns=turns)


def _decided(past: Span, targets: Collection[str]) -> sa.Select[Any]:
    """What was decided in the span, and long after it when it began before its end."""
    return sa.select(_change).where(
        _change.c.target.in_(targets), _change.c.at >= written(past.since), _change.c.since < written(past.until)
    )


def _last_before(past: Span, targets: Collection[str]) -> sa.Select[Any]:
    """The last that was decided before the span of each target: one look into the index for each."""
    known = sa.select(_member.c.target).where(_member.c.target.in_(targets)).distinct().subquery()
    before = _change.alias()
    last = (
        sa.select(before.c.id)
        .where(before.c.target == known.c.target, before.c.at < written(past.since))
        .order_by(before.c.at.desc(), before.c.id.desc())
        .limit(1)
        .correlate(known)
        .scalar_subquery()
    )
    return sa.select(_change).where(_change.c.id.in_(sa.select(last).select_from(known)))


def _member_of(row: sa.Row[Any]) -> Member:
    target, role, kind, provider, commune, since, until = tuple(row)
    return Member(
        target=target,
        role=Role(role),
        kind=kind,
        provider=provider,
        commune=commune,
        since=datetime.fromisoformat(since),
        until=datetime.fromisoformat(until) if until else None,
    )
