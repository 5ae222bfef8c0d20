"""What must outlive the process: state changes, incidents, what people said, and mails until they are delivered.

Each batch is one transaction: an incident event and the mails that it causes are on disk together or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from alerts.policy import WAITS
from monitor import life, mailqueue
from monitor.core.ledger import Member
from monitor.core.model import Happening, Held, Incident, IncidentEvent, Notification, Silence
from monitor.core.usual import Learnt
from monitor.database import Database, StoreError, engine_of
from monitor.former import put_names
from monitor.mailqueue import MailQueue, known_since
from monitor.pastsessions import PastSessions
from monitor.tables import (
    EVENTS,
    INCIDENTS,
    LEARNT,
    MEMBERS,
    OUTBOX,
    RETRIES,
    RUNS,
    SILENCES,
    STATES,
    USED,
    because_json,
    incident_json,
    notification_json,
    silence_json,
    written,
)

LEARNT_KEPT = timedelta(days=60)
"""What is usual for a check that has not been there for this long is thrown away."""


def _unless_known(table: sa.Table) -> sa.Insert:
    """Insert a row, but not when the very same is there: a batch whose commit was in doubt is written again."""
    columns = [each for each in table.columns if not each.primary_key]
    given = {each.name: sa.bindparam(f"new_{each.name}", type_=each.type) for each in columns}
    known = sa.exists(sa.select(table.c.id).where(*(each == given[each.name] for each in columns)))
    return table.insert().from_select(list(given), sa.select(*given.values()).where(~known))


_NEW_STATE, _NEW_EVENT = _unless_known(STATES), _unless_known(EVENTS)


class Mailed(NamedTuple):
    """A mail of an incident."""

    at: datetime
    """When it was queued, the last time."""
    mail: Notification
    status: str
    again: tuple[tuple[datetime, str], ...]
    """When it was queued again after it had failed for good, and by whom."""


class LinkUsedError(Exception):
    """A link of a mail was used before."""


class Store:
    """The database of the daemon. Every method may be called from the event loop; none blocks it."""

    def __init__(self, url: str) -> None:
        """`url` is a file name, or an SQLAlchemy URL; raises StoreError when it cannot be opened or written."""
        self._database = Database(url)
        self.mails = MailQueue(self._database)
        """What `alerts.outbox` takes from."""
        self.past_sessions = PastSessions(self._database)
        """How meetings went."""
        self._run_id: int | None = None

    @property
    def trouble(self) -> str:
        """Why something waits to be written or read; "" when nothing does."""
        return self._database.trouble

    @property
    def errors(self) -> int:
        """Transactions that failed."""
        return self._database.errors

    def close(self) -> None:
        """Wait for the last write and close the database."""
        self._database.close()

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
            connection.execute(RUNS.update().where(RUNS.c.id == self._run_id).values(beat=written(at)))
            if states:
                connection.execute(_NEW_STATE, [_state_row(each) for each in states])
            for event in events:
                _put_incident(connection, event.incident)
            if events:
                connection.execute(_NEW_EVENT, [_event_row(each) for each in events])
            mailqueue.put(connection, notifications, at)
            if members is not None:  # last: what was decided before them has the former ids
                put_names(connection, members)
                _put_members(connection, members, at)

        await self._database.run("record", work)

    async def rename(self, members: Sequence[Member]) -> None:
        """Let what is known of the former ids of an inventory's targets go on under the present ones."""
        await self._database.run("record", lambda connection: put_names(connection, members))

    async def begin(self, at: datetime) -> None:
        """Note that a daemon begins to watch; each batch from now on is a sign of its life."""

        def work(connection: sa.Connection) -> int:
            made = connection.execute(RUNS.insert().values(began=written(at), beat=written(at)))
            return int(made.inserted_primary_key[0])  # type: ignore[index]  # never None of a single row

        self._run_id = await self._database.run("begin", work)

    async def last_beat(self) -> datetime | None:
        """The last sign of life of the daemon before; None when there was none."""
        query = sa.select(sa.func.max(RUNS.c.beat))
        beat = await self._database.run("told", lambda connection: connection.scalar(query))
        return datetime.fromisoformat(beat) if beat else None

    async def runs(self, most: int) -> list[tuple[datetime, datetime]]:
        """Beginning and last sign of life of the last runs, in their order."""
        query = sa.select(RUNS.c.began, RUNS.c.beat).order_by(RUNS.c.id.desc()).limit(most)
        rows = await self._database.run("told", lambda connection: connection.execute(query).all())
        return [(datetime.fromisoformat(began), datetime.fromisoformat(beat)) for began, beat in reversed(rows)]

    async def open_incidents(self) -> tuple[Incident, ...]:
        """Incidents that were open when the daemon last wrote."""
        query = sa.select(INCIDENTS.c.body).where(INCIDENTS.c.closed.is_(None)).order_by(INCIDENTS.c.opened)
        return await self._incidents(query)

    async def recovered(self, since: datetime, until: datetime) -> tuple[Incident, ...]:
        """Incidents that recovered in this time, oldest first: they may come back."""
        query = (
            sa.select(INCIDENTS.c.body)
            .join(EVENTS, (EVENTS.c.incident == INCIDENTS.c.id) & (EVENTS.c.at == INCIDENTS.c.closed))
            .where(INCIDENTS.c.closed.between(written(since), written(until)))
            .where(EVENTS.c.what == Happening.RECOVERED.value)
            .order_by(INCIDENTS.c.closed)
        )
        return await self._incidents(query)

    async def begun(self, since: datetime) -> dict[str, datetime]:
        """By incident that is open or was closed since, when it last opened, came back or was given back."""
        query = (
            sa.select(EVENTS.c.incident, sa.func.max(EVENTS.c.at))
            .where(EVENTS.c.what.in_([each.value for each in WAITS]))
            .where(EVENTS.c.incident.in_(known_since(since)))
            .group_by(EVENTS.c.incident)
        )
        rows = await self._database.run("told", lambda connection: connection.execute(query).all())
        return {str(incident): datetime.fromisoformat(at) for incident, at in rows}

    async def recent_incidents(self, limit: int) -> tuple[Incident, ...]:
        """The last closed incidents, newest first."""
        query = (
            sa.select(INCIDENTS.c.body)
            .where(INCIDENTS.c.closed.is_not(None))
            .order_by(INCIDENTS.c.closed.desc())
            .limit(limit)
        )
        return await self._incidents(query)

    async def _incidents(self, query: sa.Select[Any]) -> tuple[Incident, ...]:
        rows = await self._database.run("incidents", lambda connection: connection.execute(query).scalars().all())
        return tuple(incident_json.validate_json(row) for row in rows)

    # -- what people do ------------------------------------------------------------------------------------------

    async def silence(self, silence: Silence) -> Silence:
        """Keep a silence; returns it with its number."""
        return await self._database.run("record", lambda connection: _put_silence(connection, silence))

    async def link_used(self, link: str) -> bool:
        """Whether this link of a mail was used."""
        query = sa.select(USED.c.id).where(USED.c.id == link)
        return await self._database.run("told", lambda connection: connection.scalar(query)) is not None

    async def use_link(
        self, link: str, expires: datetime, now: datetime, silence: Silence | None = None
    ) -> Silence | None:
        """Note that a link is used, and keep the silence that it makes; raises LinkUsedError when it was before.

        Links that have expired are forgotten.
        """

        def work(connection: sa.Connection) -> Silence | None:
            connection.execute(USED.delete().where(USED.c.expires < written(now)))
            if connection.scalar(sa.select(USED.c.id).where(USED.c.id == link)) is not None:
                raise LinkUsedError(link)
            connection.execute(USED.insert().values(id=link, expires=written(expires)))
            return _put_silence(connection, silence) if silence else None

        return await self._database.run("record", work)

    async def unsilence(self, silence: Silence, at: datetime) -> None:
        """It ended now."""
        body = silence_json.dump_json(replace(silence, ends=at)).decode()
        query = SILENCES.update().where(SILENCES.c.id == silence.id).values(ends=written(at), body=body)
        await self._database.run("record", lambda connection: connection.execute(query).rowcount)

    async def silences(self, now: datetime) -> tuple[Silence, ...]:
        """Those that are not over."""
        query = sa.select(SILENCES.c.id, SILENCES.c.body).where(SILENCES.c.ends > written(now)).order_by(SILENCES.c.id)
        rows = await self._database.run("told", lambda connection: connection.execute(query).all())
        return tuple(replace(silence_json.validate_json(body), id=number) for number, body in rows)

    async def timeline(self, incident: str) -> tuple[list[IncidentEvent], list[Mailed]]:
        """The life of an incident, oldest first: what happened, and its mails."""
        events = sa.select(EVENTS.c.what, EVENTS.c.at, EVENTS.c.body).where(EVENTS.c.incident == incident)
        mails = sa.select(OUTBOX.c.id, OUTBOX.c.queued_at, OUTBOX.c.body, OUTBOX.c.status).where(
            OUTBOX.c.thread == incident
        )

        retries = (
            sa.select(OUTBOX.c.id, RETRIES.c.at, RETRIES.c.by)
            .join(RETRIES, RETRIES.c.mail == OUTBOX.c.id)
            .where(OUTBOX.c.thread == incident)
            .order_by(RETRIES.c.id)
        )

        def work(connection: sa.Connection) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any]]:
            found = connection.execute(events.order_by(EVENTS.c.id)).all()
            return found, connection.execute(mails.order_by(OUTBOX.c.seq)).all(), connection.execute(retries).all()

        happened, mailed, again = await self._database.run("outbox", work)
        return [
            IncidentEvent(
                incident=incident_json.validate_json(body), what=Happening(what), at=datetime.fromisoformat(at)
            )
            for what, at, body in happened
        ], [
            Mailed(
                at=datetime.fromisoformat(queued),
                mail=notification_json.validate_json(body),
                status=status,
                again=tuple((datetime.fromisoformat(at), by) for mail, at, by in again if mail == id_),
            )
            for id_, queued, body, status in mailed
        ]

    async def untold(self) -> dict[str, Happening]:
        """Open incidents of whose last beginning nobody had mail, and how it began."""
        begun = (
            sa.select(EVENTS.c.incident, sa.func.max(EVENTS.c.at).label("at"))
            .where(EVENTS.c.what.in_((Happening.OPENED.value, Happening.REOPENED.value)))
            .where(EVENTS.c.incident.in_(sa.select(INCIDENTS.c.id).where(INCIDENTS.c.closed.is_(None))))
            .group_by(EVENTS.c.incident)
            .subquery()
        )
        mailed = sa.exists().where(OUTBOX.c.thread == begun.c.incident, OUTBOX.c.queued_at >= begun.c.at)
        query = (
            sa.select(EVENTS.c.incident, EVENTS.c.what)
            .join(begun, (EVENTS.c.incident == begun.c.incident) & (EVENTS.c.at == begun.c.at))
            .where(~mailed)
            .order_by(EVENTS.c.id.desc())
        )
        rows = await self._database.run("told", lambda connection: connection.execute(query).all())
        return {str(incident): Happening(what) for incident, what in rows if what in ("opened", "reopened")}

    async def keep(self, learnt: Sequence[Learnt], at: datetime) -> None:
        """Write what was learnt over what was known before."""

        def work(connection: sa.Connection) -> None:
            old = LEARNT.delete().where(
                LEARNT.c.check == sa.bindparam("old_check"), LEARNT.c.value == sa.bindparam("old_value")
            )
            connection.execute(old, [{"old_check": each.check, "old_value": each.value} for each in learnt])
            connection.execute(LEARNT.insert(), [each._asdict() | {"at": written(at)} for each in learnt])

        if learnt:
            await self._database.run("keep", work)

    async def learnt(self, now: datetime) -> tuple[Learnt, ...]:
        """What was learnt before; what is older than LEARNT_KEPT is thrown away."""

        def work(connection: sa.Connection) -> tuple[Learnt, ...]:
            connection.execute(LEARNT.delete().where(LEARNT.c.at < written(now - LEARNT_KEPT)))
            columns = [LEARNT.c[name] for name in Learnt._fields]
            return tuple(Learnt(*row) for row in connection.execute(sa.select(*columns)))

        return await self._database.run("learnt", work)


def read_history(url: str, incident: str) -> tuple[IncidentEvent, ...]:
    """The first and the last events of an incident, beside a running daemon: reads only; raises StoreError when there is no database to be read."""
    if "://" not in url:
        if not Path(url).is_file():
            raise StoreError(f"{url}: there is no such database; name the daemon's settings")
        url = f"sqlite:///file:{quote(url)}?mode=ro&uri=true"
    engine = engine_of(url, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            return life.history(connection, incident)
    except sa.exc.SQLAlchemyError as error:
        raise StoreError(f"the database cannot be read: {error}") from error
    finally:
        engine.dispose()


def _state_row(held: Held) -> dict[str, str]:
    return {
        "new_target": held.target,
        "new_state": held.state.value,
        "new_since": written(held.since),
        "new_reason": held.reason.value,
        "new_evidence": held.evidence,
        "new_at": written(held.at or held.since),
    }


def _put_members(connection: sa.Connection, members: Sequence[Member], at: datetime) -> None:
    """End those that are gone or have changed, begin those that are new; the others are left alone."""
    wanted = {each.target: _member_row(each) for each in members}
    gone = []
    for row in connection.execute(sa.select(MEMBERS).where(MEMBERS.c.until.is_(None))).mappings():
        new = wanted.get(row["target"])
        if new is not None and all(new[key] == row[key] for key in new if key != "since"):
            del wanted[row["target"]]
        else:
            gone.append({"gone": row["id"], "ended": new["since"] if new else written(at)})
    if gone:
        ended = MEMBERS.update().where(MEMBERS.c.id == sa.bindparam("gone")).values(until=sa.bindparam("ended"))
        connection.execute(ended, gone)
    if wanted:
        connection.execute(MEMBERS.insert(), list(wanted.values()))


def _member_row(member: Member) -> dict[str, str]:
    return {
        "target": member.target,
        "role": member.role.value,
        "kind": member.kind,
        "provider": member.provider,
        "commune": member.commune,
        "since": written(member.since),
    }


def _event_row(event: IncidentEvent) -> dict[str, str]:
    return {
        "new_incident": event.incident.id,
        "new_what": event.what.value,
        "new_at": written(event.at),
        "new_body": incident_json.dump_json(event.incident).decode(),
        "new_because": because_json.dump_json(event.because).decode() if event.because else "",
    }


def _put_incident(connection: sa.Connection, incident: Incident) -> None:
    values = {
        "opened": written(incident.opened),
        "closed": written(incident.closed) if incident.closed else None,
        "body": incident_json.dump_json(incident).decode(),
    }
    updated = connection.execute(INCIDENTS.update().where(INCIDENTS.c.id == incident.id).values(**values))
    if not updated.rowcount:
        connection.execute(INCIDENTS.insert().values(id=incident.id, **values))


def _put_silence(connection: sa.Connection, silence: Silence) -> Silence:
    row = {"ends": written(silence.ends), "body": silence_json.dump_json(silence).decode()}
    made = connection.execute(SILENCES.insert().values(row)).inserted_primary_key
    assert made is not None
    return replace(silence, id=made[0])
