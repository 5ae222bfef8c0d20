"""The province of config/ in the states that the pages are looked at in: quiet, and a point of presence that is gone."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from lab.certificates import Authority
from monitor.core.lasthour import EVERY, Point, Series
from monitor.core.ledger import Span
from monitor.core.life import Life, Posted, Told
from monitor.core.meetings import path_of
from monitor.core.model import (
    Acknowledgement,
    Cause,
    Happening,
    Importance,
    Incident,
    IncidentEvent,
    Meeting,
    Reason,
    Role,
    Session,
    Severity,
    Silence,
    State,
    Window,
)
from monitor.core.planned import Work
from monitor.core.quality import NOTHING, Figures, Quality, RoomQuality, SessionQuality, worst_first
from monitor.core.readiness import Outlook, Readiness, Room
from monitor.inventory.load import load_inventory
from monitor.web.view import TargetView
from tests.web.province import NOW, Province

CONFIG = Path(__file__).parents[2] / "config" / "inventory"
POP = "pop-hai-hau/router"
COMMUNE = "xa-hai-hau"
"""One that is behind it."""
LINE = "phuong-duy-tan/tslcd"
"""Of a commune that is not; cut as well."""
HOUR = timedelta(hours=1)
SESSION = path_of("giao-ban", NOW + HOUR - 7 * 24 * HOUR)
"""The page of a meeting that is over."""


def quiet(folder: Path) -> Province:
    """All is well; one thing is silenced, some work goes on, more is planned, a meeting comes."""
    certificate = Authority(folder).ca.read_text()
    inventory = load_inventory(CONFIG, lambda _, name: certificate if name.endswith(".pem") else "none")
    made = Province(inventory)
    made.set_all(State.UP)
    communes = [each.id for each in inventory.sites.values() if each.kind == "commune"]
    made.quiet = [
        Silence(id=1, site=communes[3], begins=NOW - HOUR, ends=NOW + HOUR, reason="Sửa nhà, cắt điện nhiều lần", by="Hoa"),
        Silence(id=2, provider="vnpt", begins=NOW, ends=NOW + 2 * HOUR, reason="VNPT nâng cấp", by="Nam (qua liên kết)"),
    ]  # fmt: skip
    work = Window(begins=NOW - HOUR, ends=NOW + HOUR, reason="Thay bộ chuyển mạch")
    targets = frozenset(each for each in inventory.targets if each.startswith(f"{communes[5]}/"))
    made.planned = [
        Work(window=work, targets=targets),
        Work(window=Window(begins=NOW + 20 * HOUR, ends=NOW + 22 * HOUR, reason="Kiểm tra ắc quy"),
             targets=frozenset(each for each in inventory.targets if each.endswith("/ups"))),
    ]  # fmt: skip
    for target in targets:
        made.held[target] = replace(made.held[target], maintenance=work)
    made.outlooks = [_outlook(made, "giao-ban", "Giao ban trực tuyến toàn tỉnh", NOW + HOUR)]
    made.sessions = [_held(made, weeks) for weeks in (1, 2, 3)]
    over = made.sessions[0].session
    made.mails = [
        Posted(to=to, before=before, at=at, status="sent", sent=at + timedelta(seconds=3))
        for before, at in ((HOUR, over.begins - HOUR), (None, over.ends + timedelta(minutes=3)))
        for to in ("Chánh Văn phòng", "Kỹ sư trực")
    ]
    made.remember_a_cut(COMMUNE, power=True)
    made.measured[f"{COMMUNE}/tslcd"] = _hour()
    return made


def one_cut(folder: Path) -> Province:
    """The line of a commune is cut, and somebody has it."""
    made = quiet(folder)
    case = made.cut([each.id for each in made.settings.sites.values() if each.kind == "commune"][17])
    had = Acknowledgement(by="Nguyễn Văn Nam", at=NOW - timedelta(minutes=9), note="Đã gọi nhà mạng")
    made.cases[0] = replace(case, severity=Severity.MAJOR, acknowledged=had, why="by-kind")
    made.lives[case.id] = _life(made.cases[0])
    made.measured[case.root] = _hour(silent=12)
    return made


def _hour(silent: int = 0) -> Series:
    """What was measured of a line that has been silent for so many minutes."""
    points = [
        Point(at=NOW - n * EVERY, seconds=0.002 + n % 7 / 9000 if n >= silent else math.nan, lost=n % 20 // 19 / 20 if n >= silent else 1.0)
        for n in range(59, -1, -1)
    ]  # fmt: skip
    return Series(role=Role.LINK, points=tuple(points))


def pop_failure(folder: Path) -> Province:
    """A point of presence is gone and with it what is behind it; besides, ten other things are wrong."""
    made = quiet(folder)
    inventory, began = made.settings, NOW - timedelta(minutes=12, seconds=5)
    behind, grown = {POP}, 0
    while grown != len(behind):
        grown = len(behind)
        behind |= {each.id for each in inventory.targets.values() if each.behind and set(each.behind) <= behind}
    for each in behind:
        made.held[each] = TargetView(
            state=State.DOWN if each == POP else State.UNREACHABLE, since=began, reason=Reason.TIMEOUT, evidence="no echo within 1 s"
        )  # fmt: skip
    made.measured[f"{COMMUNE}/tslcd"] = _hour(silent=12)
    threat = made.outlooks[0]
    made.cases = [_incident(POP, began, Cause.SHARED, Severity.CRITICAL, tuple(sorted(behind - {POP})))]
    communes = [each.id for each in inventory.sites.values() if each.kind == "commune"]
    well = [each for each in communes if f"{each}/tslcd" not in behind]
    for number, site in enumerate(well[:40:4]):
        root = f"{site}/tslcd" if number % 2 else f"{site}/vc-endpoint"
        state = State.DEGRADED if number % 3 == 0 else State.DOWN
        since = NOW - timedelta(minutes=7 * number + 3)
        made.held[root] = TargetView(state=state, since=since, reason=Reason.TIMEOUT, evidence="no echo within 1 s")
        severity = Severity.MAJOR if number < 3 else Severity.MINOR
        made.cases.append(_incident(root, since, Cause.LINK if number % 2 else Cause.DEVICE, severity, state=state))
    made.cases[0] = replace(made.cases[0], acknowledged=Acknowledgement(by="Nguyễn Văn Nam", at=NOW, note=""))
    made.cases.append(replace(made.cases[-1], id="i-over", closed=NOW - timedelta(minutes=2)))
    made.lives = {each.id: _life(each) for each in made.cases}
    documents = next(each for each in inventory.targets if each.endswith("/doc-management"))
    made.held[documents] = TargetView(state=State.DEGRADED, since=began, reason=Reason.LIMIT, says="slow")
    rooms = [
        replace(each, readiness=Readiness.NOT_READY, because="cut-off", of=POP, reason=Reason.TIMEOUT, incident=made.cases[0].id)
        for each in threat.rooms if each.target in behind
    ]  # fmt: skip
    made.outlooks[0] = replace(threat, rooms=(*rooms, *(each for each in threat.rooms if each.target not in behind)))
    made.left = 1212, 2580
    made.inside = replace(made.inside, reload_wrong="inventory/communes.yaml:12:5")
    return made


def _incident(
    root: str,
    began: datetime,
    cause: Cause,
    severity: Severity,
    impact: tuple[str, ...] = (),
    state: State = State.DOWN,
) -> Incident:
    return Incident(
        id=f"i-{root}", root=root, cause=cause, state=state, began=began, opened=began + timedelta(seconds=4),
        reason=Reason.TIMEOUT, evidence=("no echo within 1 s",), impact=impact, severity=severity, why="many-sites" if impact else "by-kind",
    )  # fmt: skip


def _life(case: Incident) -> Life:
    """It was told to two, and perhaps somebody took it."""
    opened, few = case.opened, replace(case, acknowledged=None, impact=case.impact[:3], severity=Severity.MINOR)
    grown = IncidentEvent(
        incident=replace(case, acknowledged=None), what=Happening.CHANGED, at=opened + timedelta(seconds=60)
    )
    mails = [
        Told(to=to, what=what, at=at, status="sent", sent=at + timedelta(seconds=2))
        for what, at in ((Happening.OPENED, opened), (Happening.CHANGED, grown.at))
        for to in ("Kỹ sư trực", "Phòng điều hành")
    ]
    had = case.acknowledged
    taken = (IncidentEvent(incident=case, what=Happening.ACKNOWLEDGED, at=had.at),) if had else ()
    return Life(
        incident=case,
        events=(IncidentEvent(incident=few, what=Happening.OPENED, at=opened), grown, *taken),
        told=tuple(mails),
    )


def _held(made: Province, weeks: int) -> SessionQuality:
    """The same meeting some weeks ago: a point of presence was gone for some minutes, some lines lost packets, a room was off."""
    begins = NOW + HOUR - weeks * 7 * 24 * HOUR
    session, minute = Session(begins, begins + 2 * HOUR, "giao-ban"), timedelta(minutes=1)
    targets = made.settings.targets
    told = []
    for number, room in enumerate(each for each in targets.values() if each.kind == "vc-endpoint"):
        line, found = f"{room.site}/tslcd", RoomQuality(target=room.id)
        bad = number % 40 if weeks == 1 else 99
        if bad == 3:
            times = (Span(begins + 20 * minute, begins + 27 * minute), Span(begins + 70 * minute, begins + 71 * minute))
            found = replace(
                found, quality=Quality.CUT, of=POP, cause=Cause.SHARED, incident="i-pop", times=times, seconds=480.0
            )
        elif bad in (7, 8):
            start = begins + number % 90 * minute
            times = (Span(start, start + 2 * bad * minute),)
            found = replace(
                found,
                quality=Quality.POOR,
                of=line,
                cause=Cause.LINK,
                incident=f"i-{number}",
                times=times,
                seconds=120.0 * bad,
            )
        elif bad == 12 and number < 40:
            found = replace(found, quality=Quality.CUT, of=room.id, times=(Span(begins, session.ends),), seconds=7200.0)
        lost = 0.03 if found.quality is Quality.POOR else number % 7 / 9000
        had = Figures(
            loss_mean=lost, loss_worst=lost * 4, delay_mean=0.004 + number % 9 / 2000, delay_worst=0.02 + lost, jitter_mean=0.0004,
            mos_least=4.37 - lost * 30,
        )  # fmt: skip
        told.append(replace(found, line=line, figures=had if weeks < 3 else NOTHING))
    return SessionQuality(
        session=session, title="Giao ban trực tuyến toàn tỉnh", importance=Importance.HIGH, rooms=worst_first(told),
        measured_seconds=7200.0 if weeks < 3 else 0.0,
    )  # fmt: skip


def _outlook(made: Province, id_: str, title: str, begins: datetime) -> Outlook:
    rooms = tuple(each.id for each in made.settings.targets.values() if each.kind == "vc-endpoint")
    session = Session(begins, begins + HOUR, id_)
    meeting = Meeting(id=id_, title=title, rooms=rooms, sessions=(session,), importance=Importance.HIGH)
    return Outlook(meeting=meeting, session=session, rooms=tuple(Room(target=each) for each in rooms))
