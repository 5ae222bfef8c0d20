"""The life of one incident as it stands in the database, read in one transaction and bounded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from alerts import quality, rooms
from monitor.core.life import Life, Posted, Told
from monitor.core.model import Happening, Incident, IncidentEvent, Silence
from monitor.tables import (
    EVENTS,
    INCIDENTS,
    OUTBOX,
    SILENCES,
    because_json,
    incident_json,
    letter_json,
    notification_json,
    silence_json,
    written,
)

MAX_HISTORY = 50
"""Events of an incident that are shown, from its beginning and as many from its end; and so many of its mails."""
MAX_SILENCES = 500


def life_of(connection: sa.Connection, incident: str) -> Life | None:
    """What was written of an incident; None when there is none."""
    body = connection.scalar(sa.select(INCIDENTS.c.body).where(INCIDENTS.c.id == incident))
    if body is None:
        return None
    found = incident_json.validate_json(body)
    mails = sa.select(OUTBOX).where(OUTBOX.c.thread == incident)
    return Life(
        incident=found,
        events=history(connection, incident),
        told=tuple(_told(row) for row in _ends(connection, mails, OUTBOX.c.seq)),
        silences=_silences(connection, found),
    )


def posted(connection: sa.Connection, meeting: str, begins: datetime) -> tuple[Posted, ...]:
    """The mails about a session of a meeting, oldest first."""
    head = f"{meeting}-{begins.astimezone(UTC):%Y%m%d%H%M}"
    before, changed = f"{rooms.LETTER}-{head}-", f"{rooms.CHANGED}-{head}-"
    beginnings = (before, changed, f"{quality.LETTER}-{head}.")
    ours = sa.or_(*(OUTBOX.c.id.startswith(each, autoescape=True) for each in beginnings))
    letters = sa.select(OUTBOX).where(OUTBOX.c.thread == "", ours)  # about no incident
    rows = connection.execute(letters.order_by(OUTBOX.c.seq).limit(MAX_HISTORY)).mappings()
    return tuple(replace(_posted(row, before), changed=row["id"].startswith(changed)) for row in rows)


def _posted(row: Any, before: str) -> Posted:
    minutes = row["id"].removeprefix(before).partition(".")[0] if row["id"].startswith(before) else ""
    return Posted(
        to=letter_json.validate_json(row["body"]).contact.name, before=timedelta(minutes=int(minutes)) if minutes else None,
        at=datetime.fromisoformat(row["queued_at"]), status=row["status"],
        sent=datetime.fromisoformat(row["due"]) if row["status"] == "sent" else None,
    )  # fmt: skip


def history(connection: sa.Connection, incident: str) -> tuple[IncidentEvent, ...]:
    """The first and the last events of an incident, oldest first."""
    rows = _ends(connection, sa.select(EVENTS).where(EVENTS.c.incident == incident), EVENTS.c.id)
    return tuple(_event(row) for row in rows)


def _ends(connection: sa.Connection, query: sa.Select[Any], number: sa.Column[int]) -> list[Any]:
    """The first and the last rows, in the order of their numbers."""
    some = query.limit(MAX_HISTORY)
    first = connection.execute(some.order_by(number)).mappings().all()
    last = connection.execute(some.order_by(number.desc())).mappings().all() if len(first) == MAX_HISTORY else []
    found = {row[number.name]: row for row in (*first, *last)}
    return [found[each] for each in sorted(found)]


def _event(row: Any) -> IncidentEvent:
    return IncidentEvent(
        incident=incident_json.validate_json(row["body"]),
        what=Happening(row["what"]),
        at=datetime.fromisoformat(row["at"]),
        because=because_json.validate_json(row["because"]) if row["because"] else None,
    )


def _told(row: Any) -> Told:
    mail, status = notification_json.validate_json(row["body"]), row["status"]
    return Told(
        to=mail.contact.name,
        what=mail.event.what,
        at=datetime.fromisoformat(row["queued_at"]),
        status=status,
        sent=datetime.fromisoformat(row["due"]) if status == "sent" else None,
    )


def _silences(connection: sa.Connection, incident: Incident) -> tuple[Silence, ...]:
    """In the order in which they began."""
    after = sa.select(SILENCES.c.id, SILENCES.c.body).where(SILENCES.c.ends > written(incident.opened))
    rows = connection.execute(after.order_by(SILENCES.c.id).limit(MAX_SILENCES)).all()
    found = (replace(silence_json.validate_json(body), id=number) for number, body in rows)
    return tuple(each for each in found if incident.closed is None or each.begins < incident.closed)
