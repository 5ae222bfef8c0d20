"""Incidents that never were: what templates are tried with, and what previews show."""

from __future__ import annotations

import math
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

from alerts.routing import OUTSIDER
from monitor.core.chart import LEAST_POINTS
from monitor.core.lasthour import EVERY, POINTS, Point, Series
from monitor.core.ledger import Cost
from monitor.core.model import (
    SUMMARIES,
    Acknowledgement,
    Cause,
    Check,
    Contact,
    Happening,
    Importance,
    Incident,
    IncidentEvent,
    Inventory,
    Maintenance,
    Notification,
    Provider,
    Reason,
    Role,
    Severity,
    Shared,
    Site,
    State,
    Target,
    Threat,
    Weight,
)

GONE = "no/longer"
"""A root that left the inventory."""


def notification_of(incident: Incident, what: Happening, language: str, *, outsider: bool = False) -> Notification:
    """A mail about an incident to nobody in particular, or to its provider."""
    if what is Happening.ACKNOWLEDGED:
        incident = replace(incident, acknowledged=Acknowledgement(by="Hoa", at=incident.opened, note="sample"))
    gone = what is Happening.WITHDRAWN and incident.root == GONE
    called = tuple((each, "Sample – Xã Mẫu") for each in (language,) if gone)
    event = IncidentEvent(incident=incident, what=what, at=incident.opened, called=called)
    items = (event, replace(event, what=Happening.WITHDRAWN)) if what in SUMMARIES else ()
    id_ = f"{OUTSIDER}sample" if outsider else "sample"
    contact = Contact(id=id_, name="Sample", email="sample@example.org", language=language, outsider=outsider)
    return Notification(
        id=f"{incident.id}.{what}.sample", thread=incident.id, contact=contact, event=event, reason="sample", items=items
    )  # fmt: skip


def short_series() -> Series:
    """The least that is drawn."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Series(role=Role.LINK, points=tuple(Point(at=at, seconds=0.004, lost=0.0) for _ in range(LEAST_POINTS)))


def _check(target: str) -> Check:
    """What makes a target one that can be hurt."""
    return Check(
        id=f"{target}#echo", target=target, name="echo", probe="icmp", address="192.0.2.1", options=None,
        interval_seconds=1, timeout_seconds=1, confirm=3, when_failed=State.DOWN,
    )  # fmt: skip


def province() -> tuple[Inventory, list[Incident]]:
    """A small province, with one incident for each cause."""
    site = Site(id="sample", name="Xã Mẫu", code="00000", area="Huyện Mẫu", contact="ĐT 0000")
    other = Site(id="center", name="Trung tâm", kind="data-center")
    kinds = {"tslcd": Role.LINK, "router": Role.DEVICE, "website": Role.SERVICE}
    targets = {
        f"{where.id}/{kind}": Target(
            id=f"{where.id}/{kind}", site=where.id, name=kind, role=role, kind=kind, address="192.0.2.1",
            provider="sample" if role is Role.LINK else "", circuit="C-1" if role is Role.LINK else "",
            checks=(_check(f"{where.id}/{kind}"),),
        )
        for where in (site, other)
        for kind, role in kinds.items()
    }  # fmt: skip
    provider = Provider(id="sample", name="Sample", hotline="0000")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    work = Maintenance(targets=frozenset(targets), starts=(at,), lasts=timedelta(hours=1), reason="Thay ắc quy")
    inventory = Inventory(
        sites={each.id: each for each in (site, other)}, targets=targets, providers={"sample": provider},
        maintenance=(work,),
    )  # fmt: skip
    roots = {Cause.LINK: "sample/tslcd", Cause.SERVICE: "sample/website"}
    incidents = [
        Incident(
            id=f"20260101-000000-{cause}", root=roots.get(cause, "center/router"), cause=cause, state=state,
            began=at, opened=at, closed=at if state is State.DEGRADED else None, reason=reason,
            says="loss" if reason is Reason.LIMIT else "", evidence=("sample: no answer",), impact=tuple(targets), why="by-kind",
            severity=Severity.CRITICAL if state is State.DOWN else Severity.MINOR,
            weight=Weight(target="sample/website", communes=7 * (state is State.DOWN), rose_from=Severity.MINOR),
        )
        for cause in Cause
        for state, reason in ((State.DOWN, Reason.TIMEOUT), (State.DEGRADED, Reason.LIMIT))
    ]  # fmt: skip
    common = replace(
        incidents[0], id="common", cause=Cause.SHARED, why="in-common", times=3,
        acknowledged=Acknowledgement(by="Hoa", at=at), meetings=_sample_meetings(at),
        shared=Shared(kind="tslcd", by=(("provider", "sample"), ("area", "Huyện Mẫu")), hurt=6, of=6, elsewhere=0, others=9),
    )  # fmt: skip
    gone = Incident(
        id="gone", root=GONE, cause=Cause.DEVICE, state=State.DOWN, began=at, opened=at, reason=Reason.STALE
    )
    return inventory, [*incidents, common, gone]


def _sample_meetings(at: datetime) -> tuple[Threat, ...]:
    """More than a mail shows, the first of which runs."""
    return tuple(
        Threat(
            meeting=f"m{number}", title="Giao ban", importance=Importance.HIGH, begins=at + timedelta(hours=number),
            ends=at + timedelta(hours=number + 2), rooms=tuple(f"sample/room-{room}" for room in range(9)),
        )
        for number in range(5)
    )  # fmt: skip


A_COST = Cost(before=0.99981, after=0.99871, down=timedelta(minutes=53))


# -- previews ----------------------------------------------------------------------------------------------------------

LASTED = timedelta(minutes=47)
WAITED = timedelta(seconds=6)


def example(inventory: Inventory, what: Happening, now: datetime) -> IncidentEvent:
    """What could happen in this inventory: its first line that has a provider is cut. Raises ValueError when it has no target."""
    targets = inventory.targets
    root = max(targets.values(), key=lambda each: (bool(each.provider), not each.vantage), default=None)  # the first
    if root is None:
        raise ValueError("the inventory has no target to make an example of")
    over = what in (Happening.RECOVERED, Happening.WITHDRAWN)
    began = now - (LASTED if over else WAITED)
    incident = Incident(
        id=f"{began:%Y%m%d-%H%M%S}-{root.id.replace('/', '.')}",
        root=root.id,
        cause=Cause.LINK if root.role is Role.LINK else Cause.SERVICE if root.role is Role.SERVICE else Cause.DEVICE,
        state=State.DOWN,
        began=began,
        opened=began + WAITED,
        closed=now if over else None,
        reason=Reason.TIMEOUT,
        evidence=(f"{root.id}: no echo from {root.address or 'its address'} within 1 s",),
        impact=tuple(each.id for each in targets.values() if root.id in each.behind),
        why="by-kind",
        times=2 if what is Happening.REOPENED else 1,
        acknowledged=Acknowledgement(by="Hoa", at=now) if what is Happening.ACKNOWLEDGED else None,
        severity=root.severity,
    )
    return IncidentEvent(incident=incident, what=what, at=now)


def an_hour(event: IncidentEvent) -> Series:
    """Measurements that fit the event: a quiet hour with a little loss, and nothing comes back from when the incident began."""
    points = []
    for number in range(POINTS + 1):
        at = event.at - (POINTS - number) * EVERY
        lost = event.incident.began - EVERY / 2 <= at and (event.incident.closed is None or number < POINTS)
        seconds = math.nan if lost else 0.004 + 0.0006 * math.sin(number * 1.7) + 0.0004 * (number % 5)
        points.append(Point(at=at, seconds=seconds, lost=1.0 if lost else 0.017 if number in (31, 52) else 0.0))
    return Series(role=Role.LINK, points=tuple(points))


def as_page(message: EmailMessage) -> str:
    """The HTML of a mail as a file for a browser: what it shows of the mail's other parts is put inside."""
    body = message.get_body(("html",))
    page = str(body.get_content()) if body else ""
    for each in message.walk():
        if name := str(each.get("Content-ID", "")).strip("<> "):
            picture = b64encode(each.get_payload(decode=True)).decode()  # type: ignore[arg-type]  # of a part it is bytes
            page = page.replace(f"cid:{name}", f"data:{each.get_content_type()};base64,{picture}")
    return page
