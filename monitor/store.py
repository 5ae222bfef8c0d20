"""What must outlive the process: state changes, incidents, and mails until they are delivered (with the archive the only user of SQLAlchemy).

One writer thread does all writing, so that a slow disk never stalls a probe, and each batch is one transaction: an
incident event and the mails that it causes are on disk together or not at all. SQLite in WAL mode by default.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.pool import NullPool

from alerts.outbox import HELD, UNSENT, Queued, QueueError, Standing
from alerts.policy import BEGINS, ENDS, WAITS
from monitor.core.ledger import Member
from monitor.core.model import Explanation, Happening, Held, Incident, IncidentEvent, Notification, Silence
from monitor.core.usual import Learnt
from monitor.former import put_names

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
MAX_HISTORY = 50
"""Events of an incident that are shown, from its beginning and as many from its end."""
LEARNT_KEPT = timedelta(days=60)
"""What is usual for a check that has not been there for this long is thrown away."""
LEASE = timedelta(minutes=5)
"""A mail whose sending was not finished after this time (the process died) is due again. Nor is any mail ever put off by
more: one that is due later was put off by a clock that has been set back since."""
FAILED_SHOWN = timedelta(days=1)
"""How long a mail that was given up is shown."""
MAX_FAILED = 5
"""Of those, the newest."""

_metadata = sa.MetaData()

_meta = sa.Table("meta", _metadata, sa.Column("key", sa.String, primary_key=True), sa.Column("value", sa.String))

_states = sa.Table(
    "state_change",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("target", sa.String, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("since", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("evidence", sa.String, nullable=False),
    sa.Column("at", sa.String),
    sa.Index("state_change_of_target", "target", "since"),
    sa.Index("state_change_ledger", "target", "at", "since", "state"),  # all that the archive reads, side by side
)

_runs = sa.Table(
    "run",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("began", sa.String, nullable=False),
    sa.Column("beat", sa.String, nullable=False, index=True),  # the last sign of life
)

_members = sa.Table(
    "member",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("target", sa.String, nullable=False, index=True),
    sa.Column("role", sa.String, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("provider", sa.String, nullable=False),
    sa.Column("commune", sa.String, nullable=False),
    sa.Column("since", sa.String, nullable=False),
    sa.Column("until", sa.String, index=True),
)

_incidents = sa.Table(
    "incident",
    _metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("opened", sa.String, nullable=False, index=True),
    sa.Column("closed", sa.String, index=True),
    sa.Column("body", sa.Text, nullable=False),
)

_events = sa.Table(
    "incident_event",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("incident", sa.String, nullable=False, index=True),
    sa.Column("what", sa.String, nullable=False),
    sa.Column("at", sa.String, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("because", sa.Text, nullable=False, server_default=""),
)

_outbox = sa.Table(
    "outbox",
    _metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("id", sa.String, nullable=False, unique=True),
    sa.Column("thread", sa.String, nullable=False),
    sa.Column("contact", sa.String, nullable=False),
    sa.Column("status", sa.String, nullable=False, index=True),
    # queued, sending, deferred, sent, failed, superseded, held, summed
    sa.Column("queued_at", sa.String, nullable=False),
    sa.Column("due", sa.String, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)

_silences = sa.Table(
    "silence",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("ends", sa.String, nullable=False, index=True),
    sa.Column("body", sa.Text, nullable=False),
)

_used = sa.Table(
    "used_link",
    _metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("expires", sa.String, nullable=False),
)

_learnt = sa.Table(
    "learnt",
    _metadata,
    sa.Column("check", sa.String, primary_key=True),
    sa.Column("value", sa.String, primary_key=True),
    sa.Column("subject", sa.String, nullable=False),
    sa.Column("at", sa.String, nullable=False, index=True),
    sa.Column("blob", sa.LargeBinary, nullable=False),
)


def _unless_known(table: sa.Table) -> sa.Insert:
    """Insert a row, but not when the very same is there: a batch whose commit was in doubt is written again."""
    columns = [each for each in table.columns if not each.primary_key]
    given = {each.name: sa.bindparam(f"new_{each.name}", type_=each.type) for each in columns}
    known = sa.exists(sa.select(table.c.id).where(*(each == given[each.name] for each in columns)))
    return table.insert().from_select(list(given), sa.select(*given.values()).where(~known))


_NEW_STATE, _NEW_EVENT = _unless_known(_states), _unless_known(_events)

_incident_json = TypeAdapter(Incident)
_because_json = TypeAdapter(Explanation)
_notification_json = TypeAdapter(Notification)
_silence_json = TypeAdapter(Silence)

T = TypeVar("T")


class StoreError(QueueError):
    """The database cannot be used; the message says which and what to do."""


class LinkUsedError(Exception):
    """A link of a mail was used before."""


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


class Store:
    """The database of the daemon. Every method may be called from the event loop; none blocks it."""

    def __init__(self, url: str) -> None:
        """`url` is a file name, or an SQLAlchemy URL; raises StoreError when it cannot be opened or written."""
        self._url = url if "://" in url else f"sqlite:///{url}"
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._run_id: int | None = None
        self._engine = sa.create_engine(self._url, connect_args=self._arguments(), poolclass=self._pool())
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _sqlite_pragmas)
        self.errors = 0
        """Transactions that failed."""
        self._trouble: dict[str, str] = {}
        """What is wrong, by the work that failed last time."""
        try:
            self._prepare()
        except sa.exc.DatabaseError as error:
            raise StoreError(self._explain(error)) from error
        self._file = self._identity()

    @property
    def trouble(self) -> str:
        """Why something waits to be written or read; "" when nothing does."""
        return next((each for each in self._trouble.values() if each), "")

    def _arguments(self) -> dict[str, Any]:
        return {"timeout": 5, "check_same_thread": False} if self._url.startswith("sqlite") else {}

    def _pool(self) -> type[sa.pool.Pool] | None:
        return sa.pool.QueuePool if self._url.startswith("sqlite") else NullPool

    def _prepare(self) -> None:
        _metadata.create_all(self._engine)
        with self._engine.begin() as connection:
            columns = {each["name"] for each in sa.inspect(connection).get_columns(_events.name)}
            if "because" not in columns:  # of a version that kept no explanations; they know how to do without it
                connection.execute(sa.text(f"ALTER TABLE {_events.name} ADD COLUMN because TEXT NOT NULL DEFAULT ''"))
            _add_time_of_deciding(connection)
            found = connection.scalar(sa.select(_meta.c.value).where(_meta.c.key == "schema"))
            if found is None:
                connection.execute(_meta.insert().values(key="schema", value=str(SCHEMA_VERSION)))
            elif int(found) > SCHEMA_VERSION:
                raise StoreError(f"{self._url}: written by a newer version (schema {found}); upgrade commune-monitor")
            # Writing is tried now: a read-only file shall be told at start, not at 02:10.
            connection.execute(_meta.update().where(_meta.c.key == "schema").values(value=str(SCHEMA_VERSION)))

    def _explain(self, error: sa.exc.DatabaseError) -> str:
        text = str(error.orig).lower()
        place = self._url.removeprefix("sqlite:///")
        if "locked" in text:
            return f"{place}: the database is locked; is another commune-monitor running on it? Stop that one first"
        if "readonly" in text or "read-only" in text:
            return f"{place}: the database cannot be written; give its owner write permission on file and folder"
        if "is full" in text:
            return f"{place}: the disk is full; make room: what happens meanwhile is kept in memory only"
        if "unable to open" in text:
            return f"{place}: cannot be opened; does the folder exist, and may this user write in it?"
        if "not a database" in text or "malformed" in text:
            return f"{place}: {error.orig}; move the file away, or let `database` name another one"
        return f"{place}: {error.orig}"

    async def _run(self, name: str, work: Callable[[sa.Connection], T]) -> T:
        def in_thread() -> T:
            self._put_back_if_deleted()
            with self._engine.begin() as connection:
                return work(connection)

        try:
            done = await asyncio.get_running_loop().run_in_executor(self._writer, in_thread)
        except sa.exc.DatabaseError as error:
            raise self._failed(name, self._explain(error)) from error
        except (sa.exc.SQLAlchemyError, UnicodeError, OSError) as error:
            raise self._failed(name, f"{self._url}: {error}") from error
        self._trouble[name] = ""
        return done

    def _failed(self, name: str, why: str) -> StoreError:
        self.errors += 1
        self._trouble[name] = why
        return StoreError(why)

    # -- a file that is deleted ------------------------------------------------------------------------------------

    def _identity(self) -> tuple[int, int] | None:
        """Device and number of SQLite's file; None when there is none by that name."""
        try:
            found = Path(self._engine.url.database or "").stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _put_back_if_deleted(self) -> None:
        """Put the file back where it was: an open file can be deleted, and all that is written to it then is lost at the end.

        SQLite has it open still, so nothing that was in it is missing.
        """
        if self._engine.dialect.name != "sqlite" or self._file is None or (found := self._identity()) == self._file:
            return
        place = Path(self._engine.url.database or "")
        if found is not None:
            raise OSError("another file is in its place; start commune-monitor anew to use that one")
        fresh = place.with_name(f"{place.name}.new")
        fresh.unlink(missing_ok=True)
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM INTO :fresh"), {"fresh": str(fresh)})
        self._engine.dispose()
        for beside in ("-wal", "-shm"):  # of the deleted file: they must not be taken for those of the new one
            place.with_name(place.name + beside).unlink(missing_ok=True)
        fresh.rename(place)
        self._file = self._identity()
        self.errors += 1
        log.error("%s: the database was deleted; it was put back as it was", place)

    def close(self) -> None:
        """Wait for the last write and close the database."""
        self._writer.shutdown(wait=True)
        self._engine.dispose()

    # -- the pipeline's side -------------------------------------------------------------------------------------

    async def record(
        self,
        states: Sequence[Held],
        events: Sequence[IncidentEvent],
        notifications: Sequence[Notification],
        at: datetime,
        members: Sequence[Member] | None = None,
    ) -> None:
        """Write what one batch decided, in one transaction; repeating a batch changes nothing.

        With it goes the sign of life: all that was decided up to `at` is then on disk. `members` is a new inventory.
        """

        def work(connection: sa.Connection) -> None:
            connection.execute(_runs.update().where(_runs.c.id == self._run_id).values(beat=_text(at)))
            if states:
                connection.execute(_NEW_STATE, [_state_row(each) for each in states])
            for event in events:
                _put_incident(connection, event.incident)
            if events:
                connection.execute(_NEW_EVENT, [_event_row(each) for each in events])
            for each in notifications:
                known = connection.scalar(sa.select(_outbox.c.seq).where(_outbox.c.id == each.id))
                if known is None:
                    connection.execute(_outbox.insert().values(**_outbox_row(each, at)))
                if each.instead_of:
                    told = _outbox.update().where(_outbox.c.id.in_(each.instead_of), _outbox.c.status == HELD)
                    connection.execute(told.values(status="summed"))
            if members is not None:  # last: what was decided before them has the former ids
                put_names(connection, members)
                _put_members(connection, members, at)

        await self._run("record", work)

    async def rename(self, members: Sequence[Member]) -> None:
        """Let what is known of the former ids of an inventory's targets go on under the present ones."""
        await self._run("record", lambda connection: put_names(connection, members))

    async def begin(self, at: datetime) -> None:
        """Note that a daemon begins to watch; each batch from now on is a sign of its life."""

        def work(connection: sa.Connection) -> int:
            made = connection.execute(_runs.insert().values(began=_text(at), beat=_text(at)))
            return int(made.inserted_primary_key[0])  # type: ignore[index]  # never None of a single row

        self._run_id = await self._run("begin", work)

    async def last_beat(self) -> datetime | None:
        """The last sign of life of the daemon before; None when there was none."""
        query = sa.select(sa.func.max(_runs.c.beat))
        beat = await self._run("told", lambda connection: connection.scalar(query))
        return datetime.fromisoformat(beat) if beat else None

    async def open_incidents(self) -> tuple[Incident, ...]:
        """Incidents that were open when the daemon last wrote."""
        query = sa.select(_incidents.c.body).where(_incidents.c.closed.is_(None)).order_by(_incidents.c.opened)
        return await self._incidents(query)

    async def recovered(self, since: datetime, until: datetime) -> tuple[Incident, ...]:
        """Incidents that recovered in this time, oldest first: they may come back."""
        query = (
            sa.select(_incidents.c.body)
            .join(_events, (_events.c.incident == _incidents.c.id) & (_events.c.at == _incidents.c.closed))
            .where(_incidents.c.closed.between(_text(since), _text(until)))
            .where(_events.c.what == Happening.RECOVERED.value)
            .order_by(_incidents.c.closed)
        )
        return await self._incidents(query)

    @staticmethod
    def _known(since: datetime) -> sa.Select[tuple[str]]:
        """Ids of the incidents that are open or were closed since."""
        return sa.select(_incidents.c.id).where(_incidents.c.closed.is_(None) | (_incidents.c.closed >= _text(since)))

    async def told(self, since: datetime) -> tuple[Notification, ...]:
        """What was told of incidents that are open or were closed since, and all that was decided since, oldest first."""
        return await self._notifications(
            _outbox.c.thread.in_(self._known(since)) | (_outbox.c.queued_at >= _text(since))
        )

    async def held(self) -> tuple[Notification, ...]:
        """What is held back until a summary, oldest first."""
        return await self._notifications(_outbox.c.status == HELD)

    async def _notifications(self, which: sa.ColumnElement[bool]) -> tuple[Notification, ...]:
        query = sa.select(_outbox.c.body).where(which).order_by(_outbox.c.seq)
        rows = await self._run("told", lambda connection: connection.scalars(query).all())
        return tuple(_notification_json.validate_json(row) for row in rows)

    async def begun(self, since: datetime) -> dict[str, datetime]:
        """By incident that is open or was closed since, when it last opened, came back or was given back."""
        query = (
            sa.select(_events.c.incident, sa.func.max(_events.c.at))
            .where(_events.c.what.in_([each.value for each in WAITS]))
            .where(_events.c.incident.in_(self._known(since)))
            .group_by(_events.c.incident)
        )
        rows = await self._run("told", lambda connection: connection.execute(query).all())
        return {str(incident): datetime.fromisoformat(at) for incident, at in rows}

    async def recent_incidents(self, limit: int) -> tuple[Incident, ...]:
        """The last closed incidents, newest first."""
        query = (
            sa.select(_incidents.c.body)
            .where(_incidents.c.closed.is_not(None))
            .order_by(_incidents.c.closed.desc())
            .limit(limit)
        )
        return await self._incidents(query)

    async def history(self, incident: str) -> tuple[IncidentEvent, ...]:
        """The first and the last events of an incident, oldest first."""
        return await self._run("history", lambda connection: _history(connection, incident))

    async def _incidents(self, query: sa.Select[Any]) -> tuple[Incident, ...]:
        rows = await self._run("incidents", lambda connection: connection.execute(query).scalars().all())
        return tuple(_incident_json.validate_json(row) for row in rows)

    # -- what people do ------------------------------------------------------------------------------------------

    async def silence(self, silence: Silence) -> Silence:
        """Keep a silence; returns it with its number."""
        return await self._run("record", lambda connection: _put_silence(connection, silence))

    async def mail(self, id: str) -> Notification | None:  # noqa: A002
        """The mail of this id, delivered or not; None when there is none."""
        query = sa.select(_outbox.c.body).where(_outbox.c.id == id)
        body = await self._run("told", lambda connection: connection.scalar(query))
        return _notification_json.validate_json(body) if body else None

    async def link_used(self, link: str) -> bool:
        """Whether this link of a mail was used."""
        query = sa.select(_used.c.id).where(_used.c.id == link)
        return await self._run("told", lambda connection: connection.scalar(query)) is not None

    async def use_link(
        self, link: str, expires: datetime, now: datetime, silence: Silence | None = None
    ) -> Silence | None:
        """Note that a link is used, and keep the silence that it makes; raises LinkUsedError when it was before.

        Links that have expired are forgotten.
        """

        def work(connection: sa.Connection) -> Silence | None:
            connection.execute(_used.delete().where(_used.c.expires < _text(now)))
            if connection.scalar(sa.select(_used.c.id).where(_used.c.id == link)) is not None:
                raise LinkUsedError(link)
            connection.execute(_used.insert().values(id=link, expires=_text(expires)))
            return _put_silence(connection, silence) if silence else None

        return await self._run("record", work)

    async def unsilence(self, silence: Silence, at: datetime) -> None:
        """It ended now."""
        body = _silence_json.dump_json(replace(silence, ends=at)).decode()
        query = _silences.update().where(_silences.c.id == silence.id).values(ends=_text(at), body=body)
        await self._run("record", lambda connection: connection.execute(query).rowcount)

    async def silences(self, now: datetime) -> tuple[Silence, ...]:
        """Those that are not over."""
        query = (
            sa.select(_silences.c.id, _silences.c.body).where(_silences.c.ends > _text(now)).order_by(_silences.c.id)
        )
        rows = await self._run("told", lambda connection: connection.execute(query).all())
        return tuple(replace(_silence_json.validate_json(body), id=number) for number, body in rows)

    async def timeline(self, incident: str) -> tuple[list[IncidentEvent], list[tuple[datetime, Notification, str]]]:
        """The life of an incident, oldest first: what happened, and its mails with when they were queued and their status."""
        events = sa.select(_events.c.what, _events.c.at, _events.c.body).where(_events.c.incident == incident)
        mails = sa.select(_outbox.c.queued_at, _outbox.c.body, _outbox.c.status).where(_outbox.c.thread == incident)

        def work(connection: sa.Connection) -> tuple[Sequence[Any], Sequence[Any]]:
            found = connection.execute(events.order_by(_events.c.id)).all()
            return found, connection.execute(mails.order_by(_outbox.c.seq)).all()

        happened, mailed = await self._run("outbox", work)
        return [
            IncidentEvent(
                incident=_incident_json.validate_json(body), what=Happening(what), at=datetime.fromisoformat(at)
            )
            for what, at, body in happened
        ], [
            (datetime.fromisoformat(queued), _notification_json.validate_json(body), status)
            for queued, body, status in mailed
        ]

    async def untold(self) -> dict[str, Happening]:
        """Open incidents of whose last beginning nobody had mail, and how it began."""
        begun = (
            sa.select(_events.c.incident, sa.func.max(_events.c.at).label("at"))
            .where(_events.c.what.in_((Happening.OPENED.value, Happening.REOPENED.value)))
            .where(_events.c.incident.in_(sa.select(_incidents.c.id).where(_incidents.c.closed.is_(None))))
            .group_by(_events.c.incident)
            .subquery()
        )
        mailed = sa.exists().where(_outbox.c.thread == begun.c.incident, _outbox.c.queued_at >= begun.c.at)
        query = (
            sa.select(_events.c.incident, _events.c.what)
            .join(begun, (_events.c.incident == begun.c.incident) & (_events.c.at == begun.c.at))
            .where(~mailed)
            .order_by(_events.c.id.desc())
        )
        rows = await self._run("told", lambda connection: connection.execute(query).all())
        return {str(incident): Happening(what) for incident, what in rows if what in ("opened", "reopened")}

    async def keep(self, learnt: Sequence[Learnt], at: datetime) -> None:
        """Write what was learnt over what was known before."""

        def work(connection: sa.Connection) -> None:
            old = _learnt.delete().where(
                _learnt.c.check == sa.bindparam("old_check"), _learnt.c.value == sa.bindparam("old_value")
            )
            connection.execute(old, [{"old_check": each.check, "old_value": each.value} for each in learnt])
            connection.execute(_learnt.insert(), [each._asdict() | {"at": _text(at)} for each in learnt])

        if learnt:
            await self._run("keep", work)

    async def learnt(self, now: datetime) -> tuple[Learnt, ...]:
        """What was learnt before; what is older than LEARNT_KEPT is thrown away."""

        def work(connection: sa.Connection) -> tuple[Learnt, ...]:
            connection.execute(_learnt.delete().where(_learnt.c.at < _text(now - LEARNT_KEPT)))
            columns = [_learnt.c[name] for name in Learnt._fields]
            return tuple(Learnt(*row) for row in connection.execute(sa.select(*columns)))

        return await self._run("learnt", work)

    # -- the outbox's side (alerts.outbox.Queue) -------------------------------------------------------------------

    async def take(self, now: datetime, limit: int, busy: Collection[str] = ()) -> Sequence[Queued]:
        """Mails that are due, leased to the caller; of one thread and recipient only the oldest unsent one.

        What came to an end meanwhile is told in one mail: see `_supersede`.
        """

        def work(connection: sa.Connection) -> list[Queued]:
            oldest = (
                sa.select(sa.func.min(_outbox.c.seq))
                .where(_outbox.c.status.in_(UNSENT))
                .group_by(_outbox.c.thread, _outbox.c.contact)
            )
            due = (
                sa.select(_outbox)
                .where(_outbox.c.seq.in_(oldest))
                .where(_outbox.c.id.not_in(busy))
                .where((_outbox.c.due <= _text(now)) | (_outbox.c.due > _text(now + LEASE)))
                .order_by(_outbox.c.seq)
                .limit(limit)
            )
            rows = [_supersede(connection, row) for row in connection.execute(due).mappings().all()]
            for row in rows:
                connection.execute(
                    _outbox.update()
                    .where(_outbox.c.seq == row["seq"])
                    .values(status="sending", due=_text(now + LEASE), attempts=row["attempts"] + 1)
                )
            return [_queued(row) for row in rows]

        return await self._run("take", work)

    async def hasten(self, now: datetime) -> None:
        """All that were put off are due."""
        query = _outbox.update().where(_outbox.c.status == "deferred").values(due=_text(now))
        await self._run("mark", lambda connection: connection.execute(query).rowcount)

    async def release(self) -> int:
        """At start: what a process before us was sending when it ended is due at once; returns how many."""

        def work(connection: sa.Connection) -> int:
            stuck = _outbox.update().where(_outbox.c.status == "sending")
            return connection.execute(stuck.values(status="deferred", due="")).rowcount

        return await self._run("release", work)

    async def sent(self, id: str, at: datetime, answer: str) -> None:  # noqa: A002  the Protocol's word
        """The relay has taken it."""
        await self._mark(id, status="sent", due=_text(at), answer=answer)

    async def defer(self, id: str, until: datetime, error: str) -> None:  # noqa: A002
        """Try again later."""
        await self._mark(id, status="deferred", due=_text(until), answer=error)

    async def fail(self, id: str, at: datetime, error: str) -> None:  # noqa: A002
        """Given up: refused for good."""
        await self._mark(id, status="failed", due=_text(at), answer=error)

    async def _mark(self, notification: str, **values: str) -> None:
        query = _outbox.update().where(_outbox.c.id == notification).values(**values)
        await self._run("mark", lambda connection: connection.execute(query).rowcount)

    async def standing(self, now: datetime) -> Standing:
        """How the mails stand."""
        status, queued_at = _outbox.c.status, _outbox.c.queued_at
        oldest = sa.select(status, sa.func.min(queued_at)).where(status.in_(UNSENT)).group_by(status)
        told = sa.select(_outbox.c.contact, _outbox.c.answer)
        waits = told.where(status.in_(UNSENT), _outbox.c.answer != "").order_by(_outbox.c.seq).limit(1)
        failed = told.where(status == "failed", _outbox.c.due > _text(now - FAILED_SHOWN)).order_by(
            _outbox.c.due.desc()
        )

        def work(connection: sa.Connection) -> Standing:
            counts = connection.execute(sa.select(status, sa.func.count()).group_by(status)).all()
            return Standing(
                counts={str(row[0]): int(row[1]) for row in counts},
                oldest={str(row[0]): datetime.fromisoformat(row[1]) for row in connection.execute(oldest)},
                waits=next((f"{contact}: {answer}" for contact, answer in connection.execute(waits)), ""),
                failed=tuple(
                    f"{contact}: {answer}" for contact, answer in connection.execute(failed.limit(MAX_FAILED))
                ),
            )

        return await self._run("outbox", work)


def read_history(url: str, incident: str) -> tuple[IncidentEvent, ...]:
    """The same beside a running daemon: reads only; raises StoreError when there is no database to be read."""
    if "://" not in url:
        if not Path(url).is_file():
            raise StoreError(f"{url}: there is no such database; name the daemon's settings")
        url = f"sqlite:///file:{quote(url)}?mode=ro&uri=true"
    engine = sa.create_engine(url, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            return _history(connection, incident)
    except sa.exc.SQLAlchemyError as error:
        raise StoreError(f"the database cannot be read: {error}") from error
    finally:
        engine.dispose()


def _history(connection: sa.Connection, incident: str) -> tuple[IncidentEvent, ...]:
    of_it = sa.select(_events).where(_events.c.incident == incident).limit(MAX_HISTORY)
    first = connection.execute(of_it.order_by(_events.c.id)).mappings().all()
    last = connection.execute(of_it.order_by(_events.c.id.desc())).mappings().all() if len(first) == MAX_HISTORY else []
    found = {row["id"]: row for row in (*first, *last)}
    return tuple(_event(found[id_]) for id_ in sorted(found))


def _event(row: Any) -> IncidentEvent:
    return IncidentEvent(
        incident=_incident_json.validate_json(row["body"]),
        what=Happening(row["what"]),
        at=datetime.fromisoformat(row["at"]),
        because=_because_json.validate_json(row["because"]) if row["because"] else None,
    )


def _sqlite_pragmas(connection: Any, _record: object) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000"):
        connection.execute(f"PRAGMA {pragma}")


def _state_row(held: Held) -> dict[str, str]:
    return {
        "new_target": held.target,
        "new_state": held.state.value,
        "new_since": _text(held.since),
        "new_reason": held.reason.value,
        "new_evidence": held.evidence,
        "new_at": _text(held.at or held.since),
    }


def _add_time_of_deciding(connection: sa.Connection) -> None:
    """Give the table of a version before the ledger its column: what was written then counts as decided at once."""
    if "at" in {each["name"] for each in sa.inspect(connection).get_columns(_states.name)}:
        return
    connection.execute(sa.text("ALTER TABLE state_change ADD COLUMN at VARCHAR"))
    connection.execute(_states.update().values(at=_states.c.since))
    for index in _states.indexes:
        index.create(connection, checkfirst=True)


def _put_members(connection: sa.Connection, members: Sequence[Member], at: datetime) -> None:
    """End those that are gone or have changed, begin those that are new; the others are left alone."""
    wanted = {each.target: _member_row(each) for each in members}
    gone = []
    for row in connection.execute(sa.select(_members).where(_members.c.until.is_(None))).mappings():
        new = wanted.get(row["target"])
        if new is not None and all(new[key] == row[key] for key in new if key != "since"):
            del wanted[row["target"]]
        else:
            gone.append({"gone": row["id"], "ended": new["since"] if new else _text(at)})
    if gone:
        ended = _members.update().where(_members.c.id == sa.bindparam("gone")).values(until=sa.bindparam("ended"))
        connection.execute(ended, gone)
    if wanted:
        connection.execute(_members.insert(), list(wanted.values()))


def _member_row(member: Member) -> dict[str, str]:
    return {
        "target": member.target,
        "role": member.role.value,
        "kind": member.kind,
        "provider": member.provider,
        "commune": member.commune,
        "since": _text(member.since),
    }


def _event_row(event: IncidentEvent) -> dict[str, str]:
    return {
        "new_incident": event.incident.id,
        "new_what": event.what.value,
        "new_at": _text(event.at),
        "new_body": _incident_json.dump_json(event.incident).decode(),
        "new_because": _because_json.dump_json(event.because).decode() if event.because else "",
    }


def _put_incident(connection: sa.Connection, incident: Incident) -> None:
    values = {
        "opened": _text(incident.opened),
        "closed": _text(incident.closed) if incident.closed else None,
        "body": _incident_json.dump_json(incident).decode(),
    }
    updated = connection.execute(_incidents.update().where(_incidents.c.id == incident.id).values(**values))
    if not updated.rowcount:
        connection.execute(_incidents.insert().values(id=incident.id, **values))


def _put_silence(connection: sa.Connection, silence: Silence) -> Silence:
    row = {"ends": _text(silence.ends), "body": _silence_json.dump_json(silence).decode()}
    made = connection.execute(_silences.insert().values(row)).inserted_primary_key
    assert made is not None
    return replace(silence, id=made[0])


def _outbox_row(notification: Notification, at: datetime) -> dict[str, Any]:
    return {
        "id": notification.id,
        "thread": notification.thread,
        "contact": notification.contact.id,
        "status": HELD if notification.held else "queued",
        "queued_at": _text(at),
        "due": _text(at),
        "attempts": 0,
        "answer": "",
        "body": _notification_json.dump_json(notification).decode(),
    }


def _supersede(connection: sa.Connection, first: Any) -> Any:
    """What to send of the unsent mails of a thread and contact, of which `first` is the oldest.

    No mail says that something begins which is over: what was not sent before the last end is not sent any more. When
    nothing follows that end, its own mail goes, and tells the beginning too if that was among the others.
    """
    rest = (
        sa.select(_outbox)
        .where(_outbox.c.thread == first["thread"], _outbox.c.contact == first["contact"])
        .where(_outbox.c.status.in_(UNSENT))
        .order_by(_outbox.c.seq)
    )
    rows = connection.execute(rest).mappings().all()
    if len(rows) == 1:
        return first
    told = [_notification_json.validate_json(row["body"]) for row in rows]
    ends = [index for index, each in enumerate(told) if each.event.what in ENDS]
    if not ends:
        return first
    keep = ends[-1] if ends[-1] == len(rows) - 1 else ends[-1] + 1
    gone = [row["seq"] for row in rows[:keep]]
    row = dict(rows[keep])
    if told[keep].event.what in ENDS and any(each.event.what in BEGINS or each.catches_up for each in told[:keep]):
        row["body"] = _notification_json.dump_json(replace(told[keep], catches_up=True)).decode()
    connection.execute(_outbox.update().where(_outbox.c.seq.in_(gone)).values(status="superseded"))
    connection.execute(_outbox.update().where(_outbox.c.seq == row["seq"]).values(body=row["body"]))
    return row


def _queued(row: Any) -> Queued:
    return Queued(
        id=row["id"],
        notification=_notification_json.validate_json(row["body"]),
        attempts=row["attempts"] + 1,
        queued_at=datetime.fromisoformat(row["queued_at"]),
    )
