"""The mails in the database until they are delivered: the queue that `alerts.outbox` takes from, and what was told and held back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from alerts.outbox import DONE, HELD, UNSENT, Queued, Standing
from alerts.policy import BEGINS
from monitor.core.model import ENDS, Contact, Letter, Notification
from monitor.database import Database, StoreError
from monitor.tables import INCIDENTS, OUTBOX, RETRIES, letter_json, notification_json, written

LEASE = timedelta(minutes=5)
"""A mail whose sending was not finished after this time (the process died) is due again. Nor is any mail ever put off by
more: one that is due later was put off by a clock that has been set back since."""
FAILED_SHOWN = timedelta(days=1)
"""How long a mail that was given up is shown."""
MAX_FAILED = 5
"""Of those, the newest."""
KEPT = timedelta(days=400)
"""Mails that need nothing more are kept for so long, and those of an incident until it was over for so long."""
PRUNED_AT_ONCE = 200
"""Rows that are looked at in one transaction: a hundredth of a second."""
PRUNE_PAUSE_SECONDS = 1.0
"""Between two such transactions, so that mails and incidents have the database to themselves nearly all the time."""
PRUNE_FIRST_SECONDS = 3600.0
"""Before the first look: a clock that was a year ahead when the machine came up is right by then, and has thrown nothing away."""
PRUNE_SECONDS = 86400.0
"""From one look at all to the next."""
LETTERS = ""
"""Thread of the mails that are about no single incident."""


class Failed(NamedTuple):
    """A mail that was given up."""

    id: str
    contact: str
    at: datetime
    answer: str
    """What the relays said."""


class MailQueue:
    """The mails of a database (an `alerts.outbox.Queue`). Every method may be called from the event loop; none blocks it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, now: datetime, limit: int, busy: Collection[str] = ()) -> Sequence[Queued]:
        """Mails that are due, leased to the caller; of one thread and recipient only the oldest unsent one.

        What came to an end meanwhile is told in one mail: see `_supersede`.
        """

        def work(connection: sa.Connection) -> list[Queued]:
            oldest = (
                sa.select(sa.func.min(OUTBOX.c.seq))
                .where(OUTBOX.c.status.in_(UNSENT))
                .group_by(OUTBOX.c.thread, OUTBOX.c.contact)
            )
            due = (
                sa.select(OUTBOX)
                .where(OUTBOX.c.seq.in_(oldest))
                .where(OUTBOX.c.id.not_in(busy))
                .where((OUTBOX.c.due <= written(now)) | (OUTBOX.c.due > written(now + LEASE)))
                .order_by(OUTBOX.c.seq)
                .limit(limit)
            )
            rows = [_supersede(connection, row) for row in connection.execute(due).mappings().all()]
            for row in rows:
                connection.execute(
                    OUTBOX.update()
                    .where(OUTBOX.c.seq == row["seq"])
                    .values(status="sending", due=written(now + LEASE), attempts=row["attempts"] + 1)
                )
            return [_queued(row) for row in rows]

        return await self._database.run("take", work)

    async def hasten(self, now: datetime) -> None:
        """All that were put off are due."""
        query = OUTBOX.update().where(OUTBOX.c.status == "deferred").values(due=written(now))
        await self._database.run("mark", lambda connection: connection.execute(query).rowcount)

    async def release(self) -> int:
        """At start: what a process before us was sending when it ended is due at once; returns how many."""

        def work(connection: sa.Connection) -> int:
            stuck = OUTBOX.update().where(OUTBOX.c.status == "sending")
            return connection.execute(stuck.values(status="deferred", due="")).rowcount

        return await self._database.run("release", work)

    async def sent(self, id: str, at: datetime, answer: str) -> None:  # noqa: A002  the Protocol's word
        """The relay has taken it."""
        await self._mark(id, status="sent", due=written(at), answer=answer)

    async def defer(self, id: str, until: datetime, error: str) -> None:  # noqa: A002
        """Try again later."""
        await self._mark(id, status="deferred", due=written(until), answer=error)

    async def fail(self, id: str, at: datetime, error: str) -> None:  # noqa: A002
        """Given up: refused for good."""
        await self._mark(id, status="failed", due=written(at), answer=error)

    async def _mark(self, notification: str, **values: str) -> None:
        query = OUTBOX.update().where(OUTBOX.c.id == notification).values(**values)
        await self._database.run("mark", lambda connection: connection.execute(query).rowcount)

    async def standing(self, now: datetime) -> Standing:
        """How the mails stand."""
        status, queued_at = OUTBOX.c.status, OUTBOX.c.queued_at
        oldest = sa.select(status, sa.func.min(queued_at)).where(status.in_(UNSENT)).group_by(status)
        told = sa.select(OUTBOX.c.contact, OUTBOX.c.answer)
        waits = told.where(status.in_(UNSENT), OUTBOX.c.answer != "").order_by(OUTBOX.c.seq).limit(1)
        failed = told.where(status == "failed", OUTBOX.c.due > written(now - FAILED_SHOWN)).order_by(
            OUTBOX.c.due.desc()
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

        return await self._database.run("outbox", work)

    async def told(self, since: datetime) -> tuple[Notification, ...]:
        """What was told of incidents that are open or were closed since, and all that was decided since, oldest first."""
        return await self._notifications(
            OUTBOX.c.thread.in_(known_since(since)) | (OUTBOX.c.queued_at >= written(since))
        )

    async def held(self) -> tuple[Notification, ...]:
        """What is held back until a summary, oldest first."""
        return await self._notifications(OUTBOX.c.status == HELD)

    async def _notifications(self, which: sa.ColumnElement[bool]) -> tuple[Notification, ...]:
        query = sa.select(OUTBOX.c.body).where(which, OUTBOX.c.thread != LETTERS).order_by(OUTBOX.c.seq)
        rows = await self._database.run("told", lambda connection: connection.scalars(query).all())
        return tuple(notification_json.validate_json(row) for row in rows)

    async def mail(self, id: str) -> Notification | None:  # noqa: A002
        """The mail of this id, delivered or not; None when there is none."""
        query = sa.select(OUTBOX.c.body).where(OUTBOX.c.id == id, OUTBOX.c.thread != LETTERS)
        body = await self._database.run("told", lambda connection: connection.scalar(query))
        return notification_json.validate_json(body) if body else None

    # -- what was refused for good -----------------------------------------------------------------------------------

    async def failed(self) -> tuple[Failed, ...]:
        """All that were given up, oldest first."""
        columns = (OUTBOX.c.id, OUTBOX.c.contact, OUTBOX.c.due, OUTBOX.c.answer)
        query = sa.select(*columns).where(OUTBOX.c.status == "failed").order_by(OUTBOX.c.seq)
        rows = await self._database.run("told", lambda connection: connection.execute(query).all())
        return tuple(Failed(id_, contact, datetime.fromisoformat(at), answer) for id_, contact, at, answer in rows)

    async def retry(self, only: str | None, contacts: Mapping[str, Contact], by: str, at: datetime) -> tuple[str, ...]:
        """Queue again what was given up, to the addresses of `contacts`, and keep who did it; returns the ids.

        `only` is the id of one: with it go those of its thread and contact, so that their order holds. What a later mail of the
        thread has told since stays as it is.
        """

        def work(connection: sa.Connection) -> tuple[str, ...]:
            later = OUTBOX.alias()
            told_since = sa.exists().where(
                OUTBOX.c.thread != LETTERS, later.c.thread == OUTBOX.c.thread, later.c.contact == OUTBOX.c.contact,
                later.c.seq > OUTBOX.c.seq, later.c.status.in_(("sent", "sending")),
            )  # fmt: skip
            query = sa.select(OUTBOX).where(OUTBOX.c.status == "failed", ~told_since).order_by(OUTBOX.c.seq)
            if only is not None:
                one = sa.select(OUTBOX.c.thread, OUTBOX.c.contact).where(OUTBOX.c.id == only)
                query = query.where(sa.tuple_(OUTBOX.c.thread, OUTBOX.c.contact).in_(one))
                query = query.where((OUTBOX.c.thread != LETTERS) | (OUTBOX.c.id == only))
            rows = connection.execute(query).mappings().all()
            for row in rows:
                again = OUTBOX.update().where(OUTBOX.c.seq == row["seq"])
                connection.execute(
                    again.values(
                        status="queued",
                        queued_at=written(at),
                        due=written(at),
                        attempts=0,
                        body=_readdressed(row, contacts),
                    )
                )
                connection.execute(RETRIES.insert().values(mail=row["id"], at=written(at), by=by))
            return tuple(row["id"] for row in rows)

        return await self._database.run("record", work)

    # -- letters ---------------------------------------------------------------------------------------------------

    async def known(self, ids: Collection[str]) -> set[str]:
        """Which of these mails were written before."""
        query = sa.select(OUTBOX.c.id).where(OUTBOX.c.id.in_(ids))
        return set(await self._database.run("told", lambda connection: connection.scalars(query).all()))

    async def letters(self, ids: Collection[str]) -> Sequence[tuple[datetime, Letter]]:
        """Those of these letters that were written, in that order, and when."""
        query = sa.select(OUTBOX.c.queued_at, OUTBOX.c.body).where(OUTBOX.c.thread == LETTERS, OUTBOX.c.id.in_(ids))
        rows = await self._database.run(
            "told", lambda connection: connection.execute(query.order_by(OUTBOX.c.seq)).all()
        )
        return [(datetime.fromisoformat(at), letter_json.validate_json(body)) for at, body in rows]

    async def last(self, every: str, contact: str) -> datetime | None:
        """When the last daily or monthly summary of a contact was written."""
        mine = OUTBOX.c.id.startswith(f"{every}-", autoescape=True)
        query = sa.select(sa.func.max(OUTBOX.c.queued_at)).where(
            OUTBOX.c.thread == LETTERS, OUTBOX.c.contact == contact, mine
        )
        found = await self._database.run("told", lambda connection: connection.scalar(query))
        return datetime.fromisoformat(found) if found else None

    async def write(self, letters: Sequence[Letter], at: datetime) -> None:
        """Queue letters in one transaction; one that is known already stays as it is."""

        await self._database.run("record", lambda connection: put_letters(connection, letters, at))

    # -- what is old -----------------------------------------------------------------------------------------------

    async def prune(self, now: datetime, after: int = 0) -> int | None:
        """Throw away what is older than KEPT of the next PRUNED_AT_ONCE mails after this one, the first that were written.

        Returns after which to go on; None when nothing old was among them, for what comes later is younger.
        """
        since = now - KEPT
        columns = (OUTBOX.c.seq, OUTBOX.c.id, OUTBOX.c.thread, OUTBOX.c.status, OUTBOX.c.queued_at)
        query = sa.select(*columns).where(OUTBOX.c.seq > after).order_by(OUTBOX.c.seq).limit(PRUNED_AT_ONCE)

        def work(connection: sa.Connection) -> int | None:
            rows = connection.execute(query).all()
            old = [row for row in rows if row.queued_at < written(since)]
            known = known_since(since).where(INCIDENTS.c.id.in_({row.thread for row in old}))
            needed = set(connection.scalars(known))
            gone = [row for row in old if row.status in DONE and row.thread not in needed]
            connection.execute(RETRIES.delete().where(RETRIES.c.mail.in_([row.id for row in gone])))
            connection.execute(OUTBOX.delete().where(OUTBOX.c.seq.in_([row.seq for row in gone])))
            return rows[-1].seq if old else None

        return await self._database.run("prune", work)


async def prune_daily(
    mails: MailQueue, clock: Callable[[], datetime], *others: Callable[[datetime], Awaitable[object]]
) -> None:
    """Throw away old mails, a few at a time, and what `others` keep that is old, until cancelled."""
    await asyncio.sleep(PRUNE_FIRST_SECONDS)
    while True:
        after: int | None = 0
        while after is not None:
            await asyncio.sleep(PRUNE_PAUSE_SECONDS)
            with suppress(StoreError):  # shown by the counter of write errors; tried again
                after = await mails.prune(clock(), after)
        for each in others:
            with suppress(StoreError):
                await each(clock())
        await asyncio.sleep(PRUNE_SECONDS)


def known_since(since: datetime) -> sa.Select[tuple[str]]:
    """Ids of the incidents that are open or were closed since."""
    return sa.select(INCIDENTS.c.id).where(INCIDENTS.c.closed.is_(None) | (INCIDENTS.c.closed >= written(since)))


def put(connection: sa.Connection, notifications: Sequence[Notification], at: datetime) -> None:
    """Queue or hold back what is not known yet; what a summary tells of is summed."""
    for each in notifications:
        known = connection.scalar(sa.select(OUTBOX.c.seq).where(OUTBOX.c.id == each.id))
        if known is None:
            connection.execute(OUTBOX.insert().values(**_outbox_row(each, at)))
        if each.instead_of:
            told = OUTBOX.update().where(OUTBOX.c.id.in_(each.instead_of), OUTBOX.c.status == HELD)
            connection.execute(told.values(status="summed"))


def put_letters(connection: sa.Connection, letters: Sequence[Letter], at: datetime) -> None:
    """Queue letters that are not known yet."""
    for each in letters:
        if connection.scalar(sa.select(OUTBOX.c.seq).where(OUTBOX.c.id == each.id)) is None:
            body = letter_json.dump_json(each).decode()
            connection.execute(OUTBOX.insert().values(_row(each.id, LETTERS, each.contact.id, "queued", at, body)))


def _outbox_row(notification: Notification, at: datetime) -> dict[str, Any]:
    status, body = HELD if notification.held else "queued", notification_json.dump_json(notification).decode()
    return _row(notification.id, notification.thread, notification.contact.id, status, at, body)


def _row(id_: str, thread: str, contact: str, status: str, at: datetime, body: str) -> dict[str, Any]:
    return {
        "id": id_, "thread": thread, "contact": contact, "status": status, "queued_at": written(at), "due": written(at),
        "attempts": 0, "answer": "", "body": body,
    }  # fmt: skip


def _readdressed(row: Any, contacts: Mapping[str, Contact]) -> str:
    """The mail to the contact as it is now: that an address was wrong is why most are refused."""
    adapter = letter_json if row["thread"] == LETTERS else notification_json
    mail: Notification | Letter = adapter.validate_json(row["body"])
    return adapter.dump_json(replace(mail, contact=contacts.get(mail.contact.id, mail.contact))).decode()  # type: ignore[arg-type]


def _supersede(connection: sa.Connection, first: Any) -> Any:
    """What to send of the unsent mails of a thread and contact, of which `first` is the oldest.

    No mail says that something begins which is over: what was not sent before the last end is not sent any more. When
    nothing follows that end, its own mail goes, and tells the beginning too if that was among the others.
    """
    if first["thread"] == LETTERS:
        return first
    rest = (
        sa.select(OUTBOX)
        .where(OUTBOX.c.thread == first["thread"], OUTBOX.c.contact == first["contact"])
        .where(OUTBOX.c.status.in_(UNSENT))
        .order_by(OUTBOX.c.seq)
    )
    rows = connection.execute(rest).mappings().all()
    if len(rows) == 1:
        return first
    told = [notification_json.validate_json(row["body"]) for row in rows]
    ends = [index for index, each in enumerate(told) if each.event.what in ENDS]
    if not ends:
        return first
    keep = ends[-1] if ends[-1] == len(rows) - 1 else ends[-1] + 1
    gone = [row["seq"] for row in rows[:keep]]
    row = dict(rows[keep])
    if told[keep].event.what in ENDS and any(each.event.what in BEGINS or each.catches_up for each in told[:keep]):
        row["body"] = notification_json.dump_json(replace(told[keep], catches_up=True)).decode()
    connection.execute(OUTBOX.update().where(OUTBOX.c.seq.in_(gone)).values(status="superseded"))
    connection.execute(OUTBOX.update().where(OUTBOX.c.seq == row["seq"]).values(body=row["body"]))
    return row


def _queued(row: Any) -> Queued:
    return Queued(
        id=row["id"],
        mail=(letter_json if row["thread"] == LETTERS else notification_json).validate_json(row["body"]),
        attempts=row["attempts"] + 1,
        queued_at=datetime.fromisoformat(row["queued_at"]),
    )
