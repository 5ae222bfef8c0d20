"""In the database, what is known of former ids goes on under the present ones.

What a target's former ids have in the ledger is joined to its own where the two do not overlap: an id that lived beside
another one was another target, as when two communes become one. So it may be done again at each start, changes nothing then,
and finds also what was renamed while the daemon did not run, or before anybody wrote `formerly`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from alerts.outbox import HELD, UNSENT
from monitor.core.ledger import Member
from monitor.tables import Packed

UNTOLD = (*UNSENT, HELD)
"""What becomes of a mail that is still to be told; what was sent stays as it was."""
AT_ONCE = 500
"""Rows whose texts are in memory at a time."""
SESSIONS_AT_ONCE = 20
"""The same of sessions, each of which is a megabyte for a nation."""

_member = sa.table("member", *map(sa.column, ("target", "commune", "since", "until")))
_change = sa.table("state_change", sa.column("target"))
_learnt = sa.table("learnt", sa.column("check"), sa.column("value"))
_incident = sa.table("incident", sa.column("id"), sa.column("body"))
_event = sa.table("incident_event", *map(sa.column, ("id", "body", "because")))
_session = sa.table("past_session", sa.column("id"), sa.column("packed", Packed()))
_mail = sa.table("outbox", *map(sa.column, ("seq", "body", "status")))

_TARGET = re.compile(r'"([a-z0-9-]+/[a-z0-9-]+)"')
"""A target's id as a whole text of JSON; within other texts quotes are escaped."""
_END = "~"
"""After every time that is written."""

Stay = tuple[str, str]
"""From when to when an id was in the inventory."""


def put_names(connection: sa.Connection, members: Sequence[Member]) -> None:
    """Let all that is kept of former ids be kept of these members."""
    names = _names(connection, members)
    if not names:
        return
    for old, new in names.items():
        commune = sa.case((_member.c.commune == "", ""), else_=new.partition("/")[0])
        connection.execute(_member.update().where(_member.c.target == old).values(target=new, commune=commune))
        connection.execute(_change.update().where(_change.c.target == old).values(target=new))
    _rename_learnt(connection, names)

    def present(text: str) -> str:
        return _TARGET.sub(lambda found: f'"{names.get(found[1], found[1])}"', text)

    _rewrite(connection, _incident, _incident.c.id, ("body",), present)
    _rewrite(connection, _event, _event.c.id, ("body", "because"), present)
    _rewrite(connection, _session, _session.c.id, ("packed",), present, at_once=SESSIONS_AT_ONCE)
    _rewrite(connection, _mail, _mail.c.seq, ("body",), present, _mail.c.status.in_(UNTOLD))


def _names(connection: sa.Connection, members: Sequence[Member]) -> dict[str, str]:
    """Former ids whose stays can be the same target's: first one that is still there, then as they are written."""
    wanted = [each for each in members if each.formerly]
    if not wanted:
        return {}
    stays: dict[str, list[Stay]] = defaultdict(list)
    for target, since, until in connection.execute(sa.select(_member.c.target, _member.c.since, _member.c.until)):
        stays[target].append((since, until or _END))
    present, names = {each.target for each in members}, {}
    for member in wanted:
        mine = list(stays.get(member.target, ()))
        former = [each for each in member.formerly if each in stays and each not in present]
        for old in sorted(former, key=lambda each: max(until for _, until in stays[each]) != _END):
            if not any(_overlap(one, other) for one in mine for other in stays[old]):
                names[old] = member.target
                mine += stays[old]
    return names


def _overlap(one: Stay, other: Stay) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _rename_learnt(connection: sa.Connection, names: Mapping[str, str]) -> None:
    """What a check has learnt itself is newer than what its former id had."""
    known = {tuple(row) for row in connection.execute(sa.select(_learnt.c.check, _learnt.c.value))}
    for check, value in known:
        target, _, name = check.partition("#")
        if target not in names:
            continue
        its, now = (_learnt.c.check == check) & (_learnt.c.value == value), f"{names[target]}#{name}"
        done: sa.Delete | sa.Update = _learnt.delete() if (now, value) in known else _learnt.update().values(check=now)
        connection.execute(done.where(its))


def _rewrite(
    connection: sa.Connection,
    table: sa.TableClause,
    key: sa.ColumnClause[Any],
    columns: Sequence[str],
    change: Callable[[str], str],
    *where: sa.ColumnElement[bool],
    at_once: int = AT_ONCE,
) -> None:
    for row in _rows(connection, sa.select(key, *(table.c[each] for each in columns)).where(*where), key, at_once):
        texts: list[str] = list(row[1:])
        changed = [change(each) for each in texts]
        if changed != texts:
            connection.execute(table.update().where(key == row[0]).values(dict(zip(columns, changed, strict=True))))


def _rows(
    connection: sa.Connection, query: sa.Select[Any], key: sa.ColumnClause[Any], at_once: int
) -> Iterator[sa.Row[Any]]:
    last = None
    while True:
        page = query if last is None else query.where(key > last)
        found = connection.execute(page.order_by(key).limit(at_once)).all()
        yield from found
        if len(found) < at_once:
            return
        last = found[-1][0]
