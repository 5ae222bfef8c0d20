"""The province of config/ in the states that the pages are looked at in: quiet, a point of presence that is gone, and what is rare."""

from __future__ import annotations

import math
from collections.abc import Mapping
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
    Inventory,
    Meeting,
    Reason,
    Role,
    Session,
    Severity,
    Silence,
    State,
    Threat,
    Window,
)
from monitor.core.planned import Work
from monitor.core.quality import NOTHING, Figures, Quality, RoomQuality, SessionQuality, worst_first
from monitor.core.readiness import RANK, Outlook, Readiness, Room
from monitor.inventory.load import load_inventory
from monitor.web.view import Kind, TargetView
from tests.web.province import NOW, Province, commune

CONFIG = Path(__file__).parents[2] / "config" / "inventory"
POP = "pop-hai-hau/router"
COMMUNE = "xa-hai-hau"
"""One that is behind it."""
LINE = "phuong-duy-tan/tslcd"
"""Of a commune that is not; cut as well."""
LONE, WORKED_AT = "xa-kim-dong", "phuong-duy-ha"
"""Another, and one where work goes on."""
GATEWAY, CORE = "center/gateway", "center/core"
"""What we look out by, and what all communes are behind."""
LONG = "Xã Bắc Thủy Nguyên Thượng – Đại Đồng Trung Nghĩa Hưng Yên Khánh Thiện Quảng Trường Sơn Tây Hòa Bình"
HOUR = timedelta(hours=1)


def case_id(root: str) -> str:
    """The incident of a root: ids hold no slash."""
    return f"i-{root.replace('/', '.')}"


SESSION = path_of("giao-ban", NOW + HOUR - 7 * 24 * HOUR)
"""The page of a meeting that is over, …"""
SESSION_NOW = path_of("giao-ban", NOW - timedelta(minutes=40))
"""… and of one that goes on."""


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
    targets = frozenset(each for each in inventory.targets if each.startswith(f"{WORKED_AT}/"))
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
    for number, site in enumerate((COMMUNE, LONE, communes[40])):
        over = NOW - timedelta(hours=3 * number + 1)
        case = _incident(f"{site}/tslcd", over - timedelta(minutes=9 + number), Cause.LINK, Severity.MINOR)
        made.cases.append(replace(case, id=f"i-mended-{number}", closed=over))
    return made


def one_cut(folder: Path) -> Province:
    """The line of a commune is cut, and somebody has it."""
    made = quiet(folder)
    case = made.cut([each.id for each in made.settings.sites.values() if each.kind == "commune"][17])
    had = Acknowledgement(by="Nguyễn Văn Nam", at=NOW - timedelta(minutes=9), note="Đã gọi nhà mạng")
    made.cases[-1] = replace(case, severity=Severity.MAJOR, acknowledged=had, why="by-kind")
    made.lives[case.id] = _life(made.cases[-1])
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
    behind = _cut_off(made, POP, began)
    made.measured[f"{COMMUNE}/tslcd"] = _hour(silent=12)
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
    made.outlooks = [_without(each, behind, "cut-off", Readiness.NOT_READY, POP) for each in made.outlooks]
    made.left = 1212, 2580
    made.inside = replace(made.inside, reload_wrong="inventory/communes.yaml:12:5")
    return made


def meeting_now(folder: Path) -> Province:
    """The meeting goes on; the line of one room is cut, that of another loses packets, a third room answers no more."""
    made = quiet(folder)
    begins = NOW - timedelta(minutes=40)
    cut, lossy, room = LINE, f"{COMMUNE}/tslcd", f"{LONE}/vc-endpoint"
    rooms = {each: f"{each.partition('/')[0]}/vc-endpoint" for each in (cut, lossy, room)}
    made.cases[:] = [replace(made.cut(cut.partition("/")[0]), id=case_id(cut))]
    made.held[rooms[cut]] = replace(made.held[cut], state=State.UNREACHABLE)
    made.held[lossy] = TargetView(
        state=State.DEGRADED,
        since=NOW - timedelta(minutes=9),
        reason=Reason.LIMIT,
        says="loss",
        evidence="3 of 60 echoes lost",
    )
    made.held[room] = replace(made.held[cut], since=NOW - timedelta(minutes=3))
    made.cases += [
        _incident(lossy, made.held[lossy].since or NOW, Cause.LINK, Severity.MAJOR, state=State.DEGRADED, says="loss"),
        _incident(room, made.held[room].since or NOW, Cause.DEVICE, Severity.MAJOR),
    ]  # fmt: skip
    found = _outlook(made, "giao-ban", "Giao ban trực tuyến toàn tỉnh", begins)
    because = {
        cut: (Readiness.NOT_READY, "cut-off"),
        lossy: (Readiness.AT_RISK, "bad-way"),
        room: (Readiness.NOT_READY, "down"),
    }
    told = {}
    for case in made.cases:
        threat = Threat(
            meeting="giao-ban", title=found.meeting.title, importance=Importance.HIGH, begins=begins, ends=found.session.ends, rooms=(rooms[case.root],),
        )  # fmt: skip
        made.cases[made.cases.index(case)] = replace(case, meetings=(threat,))
        ready, why = because[case.root]
        told[rooms[case.root]] = Room(
            target=rooms[case.root], readiness=ready, because=why, of=case.root, reason=case.reason, says=case.says, incident=case.id
        )  # fmt: skip
    order = sorted((told.get(each.target, each) for each in found.rooms), key=lambda each: RANK[each.readiness])
    made.outlooks = [replace(found, rooms=tuple(order))]
    made.sessions = [_so_far(made, found.session, rooms), *(made.sessions or ())]
    made.mails = [
        Posted(to=to, before=HOUR, at=begins - HOUR, status="sent", sent=begins - HOUR + timedelta(seconds=3)) for to in ("Chánh Văn phòng", "Kỹ sư trực")
    ]  # fmt: skip
    made.lives = {each.id: _life(each) for each in made.cases}
    return made


def _so_far(made: Province, session: Session, rooms: Mapping[str, str]) -> SessionQuality:
    """How it has gone in the rooms, by what hurts each."""
    hurt = {room: of for of, room in rooms.items()}
    told = []
    for each in made.settings.targets.values():
        of = hurt.get(each.id)
        found = RoomQuality(target=each.id, line=f"{each.site}/tslcd")
        if of is not None:
            since, quality = made.held[of].since or NOW, Quality.POOR if made.held[of].says else Quality.CUT
            found = replace(
                found, quality=quality, of=of, cause=Cause.LINK, incident=case_id(of), times=(Span(since, NOW),), seconds=(NOW - since).total_seconds()
            )  # fmt: skip
        if each.kind == "vc-endpoint":
            told.append(found)
    return SessionQuality(
        session=session, title="Giao ban trực tuyến toàn tỉnh", importance=Importance.HIGH, rooms=worst_first(told),
        measured_seconds=(NOW - session.begins).total_seconds(), so_far=NOW,
    )  # fmt: skip


def just_started(folder: Path) -> Province:
    """Nothing is known of anything yet."""
    made = quiet(folder)
    made.held, made.measured, made.records, made.sessions = {}, {}, None, None
    made.left, made.cases = (0, 2580), []
    made.outlooks = [_without(each, set(made.settings.targets), "unknown", Readiness.AT_RISK) for each in made.outlooks]
    made.inside = replace(
        made.inside, started=NOW - timedelta(seconds=4), signs={}, mails={}, oldest_mail_seconds=0.0, mail_waits=""
    )
    return made


def half_known(folder: Path) -> Province:
    """… and of half of them some seconds later."""
    made = quiet(folder)
    sites = list(made.settings.sites)
    unknown = set(sites[1::2])
    made.held = {target: view for target, view in made.held.items() if target.partition("/")[0] not in unknown}
    made.left = 1290, 2580
    blind = {target for target in made.settings.targets if target.partition("/")[0] in unknown}
    made.outlooks = [_without(each, blind, "unknown", Readiness.AT_RISK) for each in made.outlooks]
    return made


def our_own_uplink(folder: Path) -> Province:
    """We see nobody: our own way out is gone, and of what does not answer nothing is said."""
    made = quiet(folder)
    since = NOW - timedelta(minutes=2)
    blind = _cut_off(made, GATEWAY, since) - {GATEWAY}
    for each in blind:
        made.held[each] = replace(made.held[each], state=State.UNKNOWN)
    made.cases[0] = replace(made.cases[0], cause=Cause.VANTAGE, why="own-gateway")
    made.lives = {each.id: _life(each) for each in made.cases}
    made.outlooks = [_without(each, blind, "unknown", Readiness.AT_RISK, GATEWAY) for each in made.outlooks]
    return made


def core_failure(folder: Path) -> Province:
    """Every commune is cut off, for the router that all are behind is gone."""
    made = quiet(folder)
    behind = _cut_off(made, CORE, NOW - timedelta(minutes=2))
    made.lives = {each.id: _life(each) for each in made.cases}
    made.outlooks = [_without(each, behind, "cut-off", Readiness.NOT_READY, CORE) for each in made.outlooks]
    return made


def _without(found: Outlook, gone: set[str], because: str, readiness: Readiness, of: str = "") -> Outlook:
    """A meeting whose rooms among these cannot be reckoned with; they stand first."""
    rooms = [
        replace(each, readiness=readiness, because=because, of=of, reason=Reason.TIMEOUT, incident=case_id(of) if of else "")
        for each in found.rooms if each.target in gone
    ]  # fmt: skip
    return replace(found, rooms=(*rooms, *(each for each in found.rooms if each.target not in gone)))


def many_incidents(folder: Path) -> Province:
    """Thirty are open at once, and one commune has a very long name."""
    made = quiet(folder)
    communes = [each for each in made.settings.sites.values() if each.kind == "commune"]
    long = replace(made.settings.sites[COMMUNE], name=LONG)
    made.settings = replace(made.settings, sites={**made.settings.sites, COMMUNE: long})
    for number, site in enumerate([long, *(each for each in communes if each.id != COMMUNE)][:30]):
        name, cause = (("tslcd", Cause.LINK), ("ups", Cause.POWER), ("switch", Cause.LAN))[number % 3]
        state = State.DEGRADED if number % 5 == 4 else State.DOWN
        since = NOW - timedelta(minutes=3 * number + 1)
        root = f"{site.id}/{name}"
        made.held[root] = TargetView(state=state, since=since, reason=Reason.TIMEOUT, evidence="no echo within 1 s")
        made.cases.append(_incident(root, since, cause, list(Severity)[number % 3], state=state))
    made.lives = {each.id: _life(each) for each in made.cases}
    return made


def bare(_: Path) -> Province:
    """One commune of which only its line is written, and nothing is set up beside it."""
    site, (line, *_others) = commune("xa-moi", "Xã Mới", 20.3, 105.9, "")
    site = replace(site, latitude=None, longitude=None, contact="", code="")
    line = replace(line, behind=(), provider="", circuit="")
    made = Province(Inventory(sites={site.id: site}, targets={line.id: line}, providers={}))
    made.set_all(State.UP)
    made.inside = replace(
        made.inside,
        traps=None,
        signs={},
        kinds={"icmp": Kind(checks=1, due_per_second=1.0, per_second=1.0)},
        relays={},
        mails={},
        oldest_mail_seconds=0.0,
        mail_waits="",
    )
    return made


def _cut_off(made: Province, root: str, began: datetime) -> set[str]:
    """Let it be down and what has no other way cut off, in one incident; returns all of them."""
    behind, grown = {root}, 0
    while grown != len(behind):
        grown = len(behind)
        behind |= {each.id for each in made.settings.targets.values() if each.behind and set(each.behind) <= behind}
    for each in behind:
        state = State.DOWN if each == root else State.UNREACHABLE
        made.held[each] = TargetView(state=state, since=began, reason=Reason.TIMEOUT, evidence="no echo within 1 s")
    made.cases[:0] = [_incident(root, began, Cause.SHARED, Severity.CRITICAL, tuple(sorted(behind - {root})))]
    return behind


def _incident(
    root: str,
    began: datetime,
    cause: Cause,
    severity: Severity,
    impact: tuple[str, ...] = (),
    state: State = State.DOWN,
    says: str = "",
) -> Incident:
    return Incident(
        id=case_id(root), root=root, cause=cause, state=state, began=began, opened=began + timedelta(seconds=4),
        reason=Reason.LIMIT if says else Reason.TIMEOUT, says=says, evidence=("no echo within 1 s",), impact=impact, severity=severity, why="many-sites" if impact else "by-kind",
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
