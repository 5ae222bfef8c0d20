"""The open database: one thread that writes, what its errors mean, and the file that is put back when somebody deletes it.

One writer thread does all writing, so that a slow disk never stalls a probe. SQLite in WAL mode by default.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from alerts.outbox import QueueError
from monitor.tables import EVENTS, META, OUTBOX, PAST_SESSIONS, STATES, metadata

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1

T = TypeVar("T")


class StoreError(QueueError):
    """The database cannot be used; the message says which and what to do."""


def engine_of(url: str, **arguments: Any) -> sa.Engine:
    """What connects to it, though not yet; raises StoreError when there is no such kind of database."""
    try:
        return sa.create_engine(url, **arguments)
    except (sa.exc.ArgumentError, ImportError, ValueError) as error:
        why = (
            f"the database's address cannot be used: {error}; write a file name, or postgresql+psycopg://USER@HOST/NAME"
        )
        raise StoreError(f"{why} with `pip install psycopg[binary]`") from error


class Database:
    """What reads and writes in transactions; may be called from the event loop, and blocks it only while it is opened."""

    def __init__(self, url: str) -> None:
        """`url` is a file name, or an SQLAlchemy URL; raises StoreError when it cannot be opened or written."""
        self._url = url if "://" in url else f"sqlite:///{url}"
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._engine = engine_of(self._url, connect_args=self._arguments(), poolclass=self._pool())
        self._place = self._engine.url.render_as_string(hide_password=True).removeprefix("sqlite:///")
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
        _drop_unpacked_sessions(self._engine)
        metadata.create_all(self._engine)
        with self._engine.begin() as connection:
            columns = {each["name"] for each in sa.inspect(connection).get_columns(EVENTS.name)}
            if "because" not in columns:  # of a version that kept no explanations; they know how to do without it
                connection.execute(sa.text(f"ALTER TABLE {EVENTS.name} ADD COLUMN because TEXT NOT NULL DEFAULT ''"))
            _add_time_of_deciding(connection)
            for index in OUTBOX.indexes:  # a version before the pages of incidents never asked for a thread
                index.create(connection, checkfirst=True)
            found = connection.scalar(sa.select(META.c.value).where(META.c.key == "schema"))
            if found is None:
                connection.execute(META.insert().values(key="schema", value=str(SCHEMA_VERSION)))
            elif int(found) > SCHEMA_VERSION:
                raise StoreError(f"{self._place}: written by a newer version (schema {found}); upgrade commune-monitor")
            # Writing is tried now: a read-only file shall be told at start, not at 02:10.
            connection.execute(META.update().where(META.c.key == "schema").values(value=str(SCHEMA_VERSION)))

    def _explain(self, error: sa.exc.DatabaseError) -> str:
        text = str(error.orig).lower()
        place = self._place
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

    async def run(self, name: str, work: Callable[[sa.Connection], T]) -> T:
        """Do this work in one transaction, after all that was asked for before; raises StoreError.

        It is in trouble under this name until work of that name has succeeded.
        """

        def in_thread() -> T:
            self._put_back_if_deleted()
            with self._engine.begin() as connection:
                return work(connection)

        try:
            done = await asyncio.get_running_loop().run_in_executor(self._writer, in_thread)
        except sa.exc.DatabaseError as error:
            raise self._failed(name, self._explain(error)) from error
        except (sa.exc.SQLAlchemyError, UnicodeError, OSError) as error:
            raise self._failed(name, f"{self._place}: {error}") from error
        self._trouble[name] = ""
        return done

    def _failed(self, name: str, why: str) -> StoreError:
        self.errors += 1
        self._trouble[name] = why
        return StoreError(why)

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


def _sqlite_pragmas(connection: Any, _record: object) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000"):
        connection.execute(f"PRAGMA {pragma}")


def _drop_unpacked_sessions(engine: sa.Engine) -> None:
    """Those of the version that kept sessions first, a megabyte each: they are reckoned anew from the ledger."""
    known = sa.inspect(engine)
    if known.has_table(PAST_SESSIONS.name) and "body" in {
        each["name"] for each in known.get_columns(PAST_SESSIONS.name)
    }:
        PAST_SESSIONS.drop(engine)


def _add_time_of_deciding(connection: sa.Connection) -> None:
    """Give the table of a version before the ledger its column: what was written then counts as decided at once."""
    if "at" in {each["name"] for each in sa.inspect(connection).get_columns(STATES.name)}:
        return
    connection.execute(sa.text("ALTER TABLE state_change ADD COLUMN at VARCHAR"))
    connection.execute(STATES.update().values(at=STATES.c.since))
    for index in STATES.indexes:
        index.create(connection, checkfirst=True)
