"""A small province with one incident: what the alert tests write mails about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alerts.compose import Composer
from alerts.links import KEY_BYTES, Signer
from monitor.core.lasthour import Series
from monitor.core.model import (
    SUMMARIES,
    Acknowledgement,
    Cause,
    Contact,
    Happening,
    Incident,
    IncidentEvent,
    Inventory,
    Notification,
    Provider,
    Reason,
    Role,
    Shared,
    Site,
    State,
    Target,
)

NOW = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
DOMAIN = "noc.example.org"


def inventory(name: str = "Xã Kim Đông", contact: str = "Bà Hoa, ĐT 0912 000 111") -> Inventory:
    """Two communes of different areas and the data centre."""
    sites = (
        Site(id="xa-kim-dong", name=name, area="Kim Sơn", contact=contact),
        Site(id="phuong-phu-ly", name="Phường Phủ Lý", area="Phủ Lý"),
        Site(id="center", name="Trung tâm dữ liệu", kind="data-center"),
    )
    kinds = {"tslcd": Role.LINK, "router": Role.DEVICE, "website": Role.SERVICE}
    targets = {
        f"{site.id}/{kind}": Target(
            id=f"{site.id}/{kind}", site=site.id, name=kind, role=role, kind=kind, address="192.0.2.7",
            provider="vnpt" if role is Role.LINK else "", circuit="C-1" if role is Role.LINK else "",
        )
        for site in sites
        for kind, role in kinds.items()
    }  # fmt: skip
    return Inventory(
        sites={site.id: site for site in sites},
        targets=targets,
        providers={"vnpt": Provider(id="vnpt", name="VNPT Ninh Bình", hotline="0229 000 8001")},
    )


INCIDENT = Incident(
    id="20261124-050000-xa-kim-dong.tslcd", root="xa-kim-dong/tslcd", cause=Cause.LINK, state=State.DOWN,
    began=NOW, opened=NOW + timedelta(seconds=3), reason=Reason.TIMEOUT, evidence=("10 of 10 echoes lost",),
    impact=("xa-kim-dong/router", "xa-kim-dong/website"), why="by-kind",
)  # fmt: skip

COMMON = replace(
    INCIDENT, cause=Cause.SHARED, impact=("phuong-phu-ly/tslcd",), why="in-common",
    shared=Shared(kind="tslcd", by=(("provider", "vnpt"),), hurt=2, of=2, elsewhere=0, others=7),
)  # fmt: skip
"""Two lines that have their provider in common."""

ON_CALL = Contact(id="on-call", name="Kỹ sư trực", email="truc@noc.example.org")


def event(what: Happening = Happening.OPENED, incident: Incident = INCIDENT, after: float = 3) -> IncidentEvent:
    """What happened to the incident, so many seconds after it began."""
    at = NOW + timedelta(seconds=after)
    if what in (Happening.RECOVERED, Happening.WITHDRAWN):
        incident = replace(incident, closed=at)
    if what is Happening.ACKNOWLEDGED:
        incident = replace(incident, acknowledged=Acknowledgement(by="Hoa (hoa)", at=at, note="Đã gọi VNPT"))
    return IncidentEvent(incident=incident, what=what, at=at)


def notification(
    what: Happening = Happening.OPENED,
    contact: Contact = ON_CALL,
    incident: Incident = INCIDENT,
    step: str = "",
) -> Notification:
    """A mail to a contact; a summary lists the incident and one that is over."""
    happened = event(what, incident)
    thread = f"{what}-20261124063000" if what in SUMMARIES else incident.id
    over = event(Happening.RECOVERED, replace(incident, id="over", closed=NOW + timedelta(hours=1)), 3600)
    return Notification(
        id=f"{thread}.{step or what.value}.{contact.id}", thread=thread, contact=contact,
        event=happened, reason="is told of every incident", items=(happened, over) if what in SUMMARIES else (),
    )  # fmt: skip


KEY = bytes(range(KEY_BYTES))


def composer(
    folder: Path | None = None,
    board: str = "http://board.example",
    grafana: str = "",
    signer: Signer | None = None,
    last_hour: Callable[[str], Series | None] = lambda _: None,
    reply_to: str = "",
) -> Composer:
    """The composer of an admin with these templates."""
    return Composer(
        sender="Giám sát CNTT <canh-bao@noc.example.org>", message_id_domain=DOMAIN, board=board, grafana=grafana,
        template_folder=folder, signer=signer, last_hour=last_hour, reply_to=reply_to,
    )  # fmt: skip
