"""The sessions of meetings that are over, in the database: how each went, as it was told once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from monitor import mailqueue
from monitor.core.ledger import Span
from monitor.core.model import Importance, Letter, Session
from monitor.core.quality import Quality, SessionQuality, Went
from monitor.database import Database
from monitor.tables import PAST_SESSIONS, session_json, written

KEPT = timedelta(days=400)
"""As long as mails are."""

Key = tuple[str, datetime]
"""What a session is known by: its meeting and when it begins. When it ends may be set anew, even afterwards."""


def key_of(session: Session) -> Key:
    """That of a session."""
    return session.meeting, session.begins


class PastSessions:
    """Where they are written. Every method may be called from the event loop; none blocks it, each raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def known(self, sessions: Collection[Session]) -> set[Key]:
        """Which of these were written before."""
        wanted, columns = {key_of(each) for each in sessions}, (PAST_SESSIONS.c.meeting, PAST_SESSIONS.c.begins)
        since = written(min(begins for _, begins in wanted))
        query = sa.select(*columns).where(PAST_SESSIONS.c.begins >= since)
        rows = await self._database.run("told", lambda connection: connection.execute(query).all())
        return wanted & {(meeting, datetime.fromisoformat(begins)) for meeting, begins in rows}

    async def write(self, found: SessionQuality, letters: Sequence[Letter], at: datetime) -> None:
        """Keep how a session went and queue the letters that tell it, in one transaction; what is known stays as it is."""

        def work(connection: sa.Connection) -> None:
            if connection.scalar(_one(found.session, PAST_SESSIONS.c.id)) is None:
                connection.execute(PAST_SESSIONS.insert().values(_row(found)))
            mailqueue.put_letters(connection, letters, at)

        await self._database.run("record", work)

    async def prune(self, now: datetime) -> None:
        """Throw away what is older than KEPT."""
        query = PAST_SESSIONS.delete().where(PAST_SESSIONS.c.ends < written(now - KEPT))
        await self._database.run("prune", lambda connection: connection.execute(query).rowcount)


def in_span(connection: sa.Connection, span: Span) -> list[Went]:
    """Those that began in a span, the last first."""
    query = (
        sa.select(*(each for each in PAST_SESSIONS.c if each.name != "packed"))
        .where(PAST_SESSIONS.c.begins >= written(span.since), PAST_SESSIONS.c.begins < written(span.until))
        .order_by(PAST_SESSIONS.c.begins.desc(), PAST_SESSIONS.c.meeting)
    )
    return [_went(row) for row in connection.execute(query).mappings()]


def one(connection: sa.Connection, meeting: str, begins: datetime) -> SessionQuality | None:
    """How that session went; None when it was never written."""
    body = connection.scalar(_one(Session(begins, begins, meeting), PAST_SESSIONS.c.packed))
    return session_json.validate_json(body) if body else None


def _one(session: Session, column: sa.Column[Any]) -> sa.Select[Any]:
    meeting, begins = key_of(session)
    return sa.select(column).where(PAST_SESSIONS.c.meeting == meeting, PAST_SESSIONS.c.begins == written(begins))


def _row(found: SessionQuality) -> dict[str, object]:
    return {
        "meeting": found.session.meeting, "begins": written(found.session.begins), "ends": written(found.session.ends),
        "title": found.title, "importance": found.importance.value,
        **{each.value: number for each, number in found.counts().items()},
        "packed": session_json.dump_json(found).decode(),
    }  # fmt: skip


def _went(row: Any) -> Went:
    begins, ends = datetime.fromisoformat(row["begins"]), datetime.fromisoformat(row["ends"])
    return Went(
        session=Session(begins, ends, row["meeting"]), title=row["title"], importance=Importance(row["importance"]),
        counts={each: row[each.value] for each in Quality},
    )  # fmt: skip
