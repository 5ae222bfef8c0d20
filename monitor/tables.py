"""The tables of the database, and how values stand in them (of the modules that use SQLAlchemy)."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime

import sqlalchemy as sa
from pydantic import TypeAdapter

from monitor.core.model import Explanation, Incident, Letter, Notification, Silence
from monitor.core.quality import Quality, SessionQuality

metadata = sa.MetaData()

META = sa.Table("meta", metadata, sa.Column("key", sa.String, primary_key=True), sa.Column("value", sa.String))

STATES = sa.Table(
    "state_change",
    metadata,
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

RUNS = sa.Table(
    "run",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("began", sa.String, nullable=False),
    sa.Column("beat", sa.String, nullable=False, index=True),  # the last sign of life
)

MEMBERS = sa.Table(
    "member",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("target", sa.String, nullable=False, index=True),
    sa.Column("role", sa.String, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("provider", sa.String, nullable=False),
    sa.Column("commune", sa.String, nullable=False),
    sa.Column("since", sa.String, nullable=False),
    sa.Column("until", sa.String, index=True),
)

INCIDENTS = sa.Table(
    "incident",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("opened", sa.String, nullable=False, index=True),
    sa.Column("closed", sa.String, index=True),
    sa.Column("body", sa.Text, nullable=False),
)

EVENTS = sa.Table(
    "incident_event",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("incident", sa.String, nullable=False, index=True),
    sa.Column("what", sa.String, nullable=False),
    sa.Column("at", sa.String, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("because", sa.Text, nullable=False, server_default=""),
)

OUTBOX = sa.Table(
    "outbox",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("id", sa.String, nullable=False, unique=True),
    sa.Column("thread", sa.String, nullable=False, index=True),
    sa.Column("contact", sa.String, nullable=False),
    sa.Column("status", sa.String, nullable=False, index=True),
    # queued, sending, deferred, sent, failed, superseded, held, summed
    sa.Column("queued_at", sa.String, nullable=False),
    sa.Column("due", sa.String, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)

RETRIES = sa.Table(
    "mail_retry",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("mail", sa.String, nullable=False, index=True),
    sa.Column("at", sa.String, nullable=False),
    sa.Column("by", sa.String, nullable=False),
)

SILENCES = sa.Table(
    "silence",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("ends", sa.String, nullable=False, index=True),
    sa.Column("body", sa.Text, nullable=False),
)

USED = sa.Table(
    "used_link",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("expires", sa.String, nullable=False),
)

LEARNT = sa.Table(
    "learnt",
    metadata,
    sa.Column("check", sa.String, primary_key=True),
    sa.Column("value", sa.String, primary_key=True),
    sa.Column("subject", sa.String, nullable=False),
    sa.Column("at", sa.String, nullable=False, index=True),
    sa.Column("blob", sa.LargeBinary, nullable=False),
)


class Packed(sa.TypeDecorator[str]):
    """Text of which there is much, and much of it alike: a session of a nation's rooms is a megabyte, packed a thirtieth."""

    impl = sa.LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> bytes | None:  # noqa: ARG002  SQLAlchemy's
        """As it is written."""
        return None if value is None else zlib.compress(value.encode())

    def process_result_value(self, value: bytes | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002  SQLAlchemy's
        """As it was."""
        return None if value is None else zlib.decompress(value).decode()


PAST_SESSIONS = sa.Table(
    "past_session",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("meeting", sa.String, nullable=False),
    sa.Column("begins", sa.String, nullable=False, index=True),
    sa.Column("ends", sa.String, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("importance", sa.String, nullable=False),
    *(sa.Column(each.value, sa.Integer, nullable=False) for each in Quality),
    sa.Column("packed", Packed, nullable=False),
    sa.UniqueConstraint("meeting", "begins"),
)

incident_json = TypeAdapter(Incident)
because_json = TypeAdapter(Explanation)
notification_json = TypeAdapter(Notification)
letter_json = TypeAdapter(Letter)
silence_json = TypeAdapter(Silence)
session_json = TypeAdapter(SessionQuality)


def written(at: datetime) -> str:
    """A time as it stands in the database; such texts sort as their times do."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
