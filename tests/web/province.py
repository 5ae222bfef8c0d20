"""A small province, held in memory: what the web tests look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from alerts.compose import Composer
from monitor.core.lasthour import Series
from monitor.core.ledger import By, Interval, Records, Report, Span, Turn, history, members, report
from monitor.core.life import Life, Posted
from monitor.core.model import (
    Cause,
    Check,
    Incident,
    Inventory,
    Observation,
    Outcome,
    Provider,
    Reason,
    Role,
    Silence,
    Site,
    State,
    Target,
)
from monitor.core.planned import Work
from monitor.core.quality import SessionQuality, Went
from monitor.core.readiness import Outlook
from monitor.web.glance import atlas_of
from monitor.web.overview import SiteView, one_of
from monitor.web.view import Kind, TargetView, Workings

NOW = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
SECRET = "hunter2-secret"


def site_views(inventory: Inventory, held: Mapping[str, TargetView]) -> dict[str, SiteView]:
    """All sites with all their targets, by id."""
    members = atlas_of(inventory).members
    return {site.id: one_of(site, members[site.id], held, inventory.providers) for site in inventory.sites.values()}


def _target(site: str, name: str, role: Role, kind: str, *behind: str, provider: str = "", circuit: str = "") -> Target:
    target = f"{site}/{name}"
    check = Check(
        id=f"{target}#echo",
        target=target,
        name="echo",
        probe="icmp",
        address="10.64.0.9",
        options={"community": SECRET},
        interval_seconds=1.0,
        timeout_seconds=1.0,
        confirm=3,
        when_failed=State.DOWN,
    )
    return Target(
        id=target,
        site=site,
        name=name,
        role=role,
        kind=kind,
        address="10.64.0.9",
        behind=behind,
        checks=(check,),
        provider=provider,
        circuit=circuit,
        vantage=name == "gateway",
    )


def commune(site: str, name: str, latitude: float, longitude: float, area: str = "Phủ Lý") -> tuple[Site, list[Target]]:
    """A commune with a line, a router behind it and a UPS behind that."""
    return (
        Site(
            id=site,
            name=name,
            code="13291",
            area=area,
            latitude=latitude,
            longitude=longitude,
            contact="Bà Hoa, ĐT 0229 000 018",
        ),
        [
            _target(site, "tslcd", Role.LINK, "tslcd", "centre/gateway", provider="vnpt", circuit=f"C-{site}"),
            _target(site, "router", Role.DEVICE, "router", f"{site}/tslcd"),
            _target(site, "ups", Role.DEVICE, "ups", f"{site}/router"),
        ],
    )


def inventory_of(*sites: tuple[Site, list[Target]]) -> Inventory:
    """An inventory of communes, with a centre that has a gateway and one system."""
    centre = Site(id="centre", name="Trung tâm dữ liệu", kind="centre")
    shared = [
        _target("centre", "gateway", Role.DEVICE, "router"),
        _target("centre", "doc-management", Role.SERVICE, "doc-management", "centre/gateway"),
    ]
    targets = [*shared, *(target for _, members in sites for target in members)]
    return Inventory(
        sites={site.id: site for site in (centre, *(site for site, _ in sites))},
        targets={target.id: target for target in targets},
        providers={"vnpt": Provider(id="vnpt", name="VNPT Ninh Bình", hotline="1800 1260 (24/7)")},
    )


WORKINGS = Workings(
    version="1.2.3", started=NOW - timedelta(hours=5), late=1, missed=2, errors=0, lag_seconds=0.004,
    kinds={
        "icmp": Kind(checks=2580, due_per_second=2580.0, per_second=2579.5, happenings={"sent": 46_431_000, "late": 3}),
        "http": Kind(checks=1000, due_per_second=33.3, per_second=33.1),
    },
    mails={"queued": 1, "deferred": 2, "held": 3, "sent": 40, "failed": 0}, oldest_mail_seconds=12.0,
    mail_waits="on-call: mail.example:25: timeout at data", mails_failed=(),
    relays={"mail.example:25": True, "backup.example:587": False},
    signs={"url": ("sent", NOW - timedelta(minutes=3))},
    reloaded=NOW - timedelta(hours=1), reload_wrong="", database_trouble="", database_errors=0, unwritten_seconds=0.0,
    traps={"looked": 4},
)  # fmt: skip
"""A monitor that is well."""


COMPOSER = Composer(sender="NOC <noc@example.org>", message_id_domain="example.org", board="", grafana="")


@dataclass(slots=True)
class Province:
    """A View whose every part the test can set."""

    settings: Inventory
    held: dict[str, TargetView] = field(default_factory=dict)
    cases: list[Incident] = field(default_factory=list)
    left: tuple[int, int] | None = None
    """Checks that were observed, of all; None: nearly all were."""
    lives: dict[str, Life] = field(default_factory=dict)
    """What is in the database, by incident."""
    measured: dict[str, Series] = field(default_factory=dict)
    records: Records | None = field(default_factory=Records)
    """What the ledger is made of; None: it cannot be read."""
    asked: list[Span] = field(default_factory=list)
    outlooks: list[Outlook] = field(default_factory=list)
    figures: dict[str, object] = field(default_factory=lambda: {"checks": 9, "reload_ok": True, "started": NOW})

    sessions: list[SessionQuality] | None = field(default_factory=list)
    """That have begun, the last first; None: they cannot be read."""
    mails: list[Posted] = field(default_factory=list)
    """About sessions."""
    changes: int = 0
    quiet: list[Silence] = field(default_factory=list)
    planned: list[Work] = field(default_factory=list)
    inside: Workings = field(default_factory=lambda: WORKINGS)

    def revision(self) -> int:
        return self.changes

    def inventory(self) -> Inventory:
        return self.settings

    def states(self) -> Mapping[str, TargetView]:
        return self.held

    def judged(self) -> Mapping[str, TargetView]:
        return self.held

    def incidents(self) -> Sequence[Incident]:
        return sorted(self.cases, key=lambda case: case.closed is not None)

    async def life(self, incident: str) -> Life | None:
        return self.lives.get(incident)

    def what_to_do(self, incident: Incident, language: str) -> Sequence[str]:
        return COMPOSER.what_to_do(incident, self.settings, language)

    def series(self, target: str) -> Series | None:
        return self.measured.get(target)

    def meetings(self) -> Sequence[Outlook]:
        return self.outlooks

    async def past_sessions(self) -> Sequence[Went] | None:
        return None if self.sessions is None else [each.went() for each in self.sessions if each.so_far is None]

    async def session(self, meeting: str, begins: datetime) -> SessionQuality | None:
        known = ((each.session, each) for each in self.sessions or ())
        return next((each for had, each in known if (had.meeting, had.begins) == (meeting, begins)), None)

    async def posted(self, meeting: str, begins: datetime) -> Sequence[Posted]:
        return self.mails if await self.session(meeting, begins) else ()

    def silences(self) -> Sequence[Silence]:
        return self.quiet

    def works(self) -> Sequence[Work]:
        return self.planned

    def workings(self) -> Workings:
        return self.inside

    def unready(self) -> tuple[int, int] | None:
        return self.left

    def health(self) -> Mapping[str, object]:
        return self.figures

    async def availability(self, by: By, span: Span) -> Report | None:
        self.asked.append(span)
        return None if self.records is None else report(self.records, by, Span(span.since, min(span.until, NOW)))

    async def past(self, site: str, span: Span) -> Mapping[str, Sequence[Interval]] | None:
        self.asked.append(span)
        if self.records is None:
            return None
        found = history(self.records, Span(span.since, min(span.until, NOW)))
        return {target: each for target, each in found.items() if target.startswith(f"{site}/")}

    def set_all(self, state: State) -> None:
        """Hold every target to be this."""
        self.held = {target: TargetView(state=state, since=NOW - timedelta(days=3)) for target in self.settings.targets}

    def cut(self, site: str, evidence: str = "10 of 10 echoes lost") -> Incident:
        """Cut the line of a commune: its router and UPS become unreachable, one incident opens."""
        began = NOW - timedelta(minutes=12, seconds=5)
        bad = TargetView(
            state=State.DOWN, since=began, reason=Reason.TIMEOUT, evidence=evidence, checks=_seen(site, evidence)
        )
        behind = TargetView(state=State.UNREACHABLE, since=began, reason=Reason.TIMEOUT)
        self.held |= {f"{site}/tslcd": bad, f"{site}/router": behind, f"{site}/ups": behind}
        case = Incident(
            id=f"i-{site}",
            root=f"{site}/tslcd",
            cause=Cause.LINK,
            state=State.DOWN,
            began=began,
            opened=began + timedelta(seconds=4),
            reason=Reason.TIMEOUT,
            evidence=(evidence,),
            impact=(f"{site}/router", f"{site}/ups"),
        )
        self.cases.append(case)
        return case

    def remember_a_cut(self, site: str, *, power: bool = False) -> None:
        """All were up since the month before; but the line of a commune was down for three hours until five minutes ago."""
        long_ago, began, ended = NOW - timedelta(days=40), NOW - timedelta(minutes=185), NOW - timedelta(minutes=5)
        line = f"{site}/tslcd"
        known = {each: [Turn(0, State.UP, long_ago, long_ago)] for each in self.settings.targets}
        known[line] += [Turn(1, State.DOWN, began, began), Turn(2, State.UP, ended, ended)]
        held = dict(self.held)
        cut = self.cut(site)
        self.cases.remove(cut)
        self.held = held
        cause = Cause.POWER if power else Cause.LINK
        self.records = Records(
            runs=[Span(long_ago, NOW)],
            members=members(self.settings, long_ago),
            turns=known,
            incidents=[replace(cut, cause=cause, began=began, closed=ended)],
        )

    def close(self, case: Incident) -> None:
        """Close an incident a minute ago."""
        self.cases[self.cases.index(case)] = replace(case, closed=NOW - timedelta(minutes=1))


def _seen(site: str, evidence: str) -> dict[str, Observation]:
    return {
        "echo": Observation(
            check=f"{site}/tslcd#echo",
            target=f"{site}/tslcd",
            at=NOW,
            outcome=Outcome.FAILED,
            reason=Reason.TIMEOUT,
            evidence=evidence,
            duration_seconds=1.0,
        )
    }


@dataclass(slots=True)
class Clock:
    """The time that the pages are told."""

    now: datetime = NOW
    step: timedelta = timedelta(seconds=1)

    def __call__(self) -> datetime:
        self.now += self.step
        return self.now
