"""The YAML format of the inventory as models: what an admin may write, and what each key means.

A file holds any of the top-level keys of `Document`; a folder of files is read as one. Templates keep a commune short:
a site that is `like: commune` takes the template's links, devices and services, and what it writes itself wins,
key by key. In a template's strings `{id}`, `{code}`, `{name}`, `{area}` and the site's own `vars` are filled in.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from monitor.inventory.forms import (
    SHORTEST_INTERVAL,
    Day,
    Duration,
    FormerRef,
    HoursText,
    Line,
    MailAddress,
    Model,
    Moment,
    SeverityName,
    Slug,
    Span,
    TargetRef,
    mail_address,
)
from probes.registry import Bandwidth, ObjectId


class LimitModel(Model):
    """A bound on one measurement of a check; beyond it the target is degraded.

    `above_usual` may stand alone or beside a fixed bound; then either is enough.
    """

    above: float | None = Field(None, description="a larger measurement is beyond it, in the unit of the measurement")
    below: float | None = Field(None, description="a smaller one is beyond it")
    clear: float | None = Field(
        None, description="where it is well again after `above` or `below`; default: 20 % on the good side of the bound"
    )
    above_usual: float | None = Field(
        None, ge=1.5, le=1000, description="this many times what is usual for this target at this hour of the week, …"
    )
    at_least: float | None = Field(None, gt=0, description="… but never below this; must stand beside `above_usual`")
    confirm: int = Field(0, ge=0, le=20, description="runs in a row beyond it before it counts; 0: as the check")
    says: Slug = Field("limit", description="which sentence the mail uses: loss, delay, slow, on-battery, …")
    counts: Literal["always", "meetings", "before-meetings"] = Field(
        "always",
        description="`meetings`: makes a room at risk before and during meetings, and opens no incident; "
        "`before-meetings`: before alone",
    )

    @model_validator(mode="after")
    def _one_bound(self) -> LimitModel:
        fixed = (self.above is not None) + (self.below is not None)
        if fixed > 1 or not (fixed or self.above_usual):
            raise ValueError("write exactly one of `above` and `below`, or `above_usual`")
        if (self.above_usual is None) != (self.at_least is None):
            raise ValueError("`above_usual` and `at_least` belong together, such as `above_usual: 3, at_least: 0.02`")
        if self.clear is not None and not fixed:
            raise ValueError("`clear` belongs to `above` or `below`; `above_usual` clears a fifth below by itself")
        if self.clear is not None and (
            (self.above is not None and self.clear > self.above) or (self.below is not None and self.clear < self.below)
        ):
            raise ValueError("`clear` must lie on the good side of the bound")
        return self


class CheckModel(Model):
    """One check of a profile."""

    probe: str = Field(
        description="kind of probe: icmp, snmp, http, tcp, dns, tls, smtp, sip, h323, stun, turn or a plug-in's"
    )
    interval: Duration = Field(60.0, description="from one run to the next")
    timeout: Duration = Field(5.0, description="how long a run may take; at most the interval, or 2s")
    confirm: int = Field(3, ge=1, le=20, description="failed runs in a row before it counts")
    when_failed: Literal["down", "degraded"] = Field(
        "down", description="what a failed check makes of the target; degraded: people can still work"
    )
    window: int = Field(0, ge=0, le=3600, description="runs over which loss_ratio is kept; 0: none")
    options: dict[str, object] = Field(default_factory=dict, description="options of the probe kind")
    limits: dict[str, LimitModel] = Field(default_factory=dict, description="measurement → bound")

    @model_validator(mode="after")
    def _fits(self) -> CheckModel:
        # A streaming kind has several requests in flight, so a time-out may be as long as a few intervals,
        # but a run must not outlive the interval by so much that nothing is ever known in time.
        if self.timeout > max(self.interval, 2.0):
            raise ValueError(f"timeout ({self.timeout:g}s) is longer than the interval ({self.interval:g}s)")
        return self


DescriptionPart = Annotated[str, Field(min_length=1, max_length=80)]


class FitsModel(Model):
    """By what equipment is recognised that nobody has written down yet; where both are written, both must fit."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    object_ids: list[ObjectId] = Field(
        default_factory=list,
        description="its sysObjectID is one of these, or below one",
        examples=[["1.3.6.1.4.1.14988"]],
    )
    descriptions: list[DescriptionPart] = Field(
        default_factory=list, description="its sysDescr, or model, holds one of these, in small letters or capitals"
    )

    @model_validator(mode="after")
    def _something(self) -> FitsModel:
        if not self.object_ids and not self.descriptions:
            raise ValueError("write `object_ids` or `descriptions`")
        return self


class ProfileModel(Model):
    """One kind of equipment, line or service: which checks it gets. It is read when all that it is like is laid under it."""

    like: Slug | None = Field(
        None, description="profile that it takes everything but `fits` from that it does not write itself"
    )
    kind: Slug = Field(description="kind of target that it fits: tslcd, router, ups, website, …")
    label: dict[Literal["vi", "en"], str] = Field(default_factory=dict, description="human name by language")
    model: str = Field("", max_length=80, description="make and model, for shared-fault hints")
    severity: SeverityName | None = Field(None, description="how much it matters; default: by what it is")
    fits: FitsModel | None = Field(None, description="by what equipment is recognised that it is meant for")
    checks: dict[Slug, CheckModel] = Field(description="by name: what is measured, and how often")


class TargetModel(Model):
    """What links, devices and services have in common."""

    profile: Slug = Field(description="which checks it gets: name of a profile")
    address: str = Field("", max_length=253, description="IP address (or host name of a service) that is probed")
    behind: list[TargetRef] | None = Field(
        None, description="what is in front; cut off when all of it is; default: the site's router, for it its lines"
    )
    label: dict[Literal["vi", "en"], str] = Field(
        default_factory=dict, description="human name by language, over that of its profile"
    )
    contact: Line = Field("", max_length=200, description="whom to call about it: one line, name and number")
    severity: SeverityName | None = Field(None, description="how much it matters, over that of its profile")
    formerly: list[FormerRef] = Field(
        default_factory=list, description="ids that it had before: `name` at the same site, or `site/name`"
    )
    options: dict[Slug, dict[str, object]] = Field(
        default_factory=dict, description="options by check name, over those of the profile"
    )


Promised = Annotated[float, Field(gt=0, le=100)]


class LinkModel(TargetModel):
    """A line of a site."""

    provider: Slug = Field(description="who delivers it: id of a provider")
    circuit: str = Field(min_length=1, max_length=64, description="the provider's circuit id")
    bandwidth: Bandwidth = Field(0.0, description="bits per second, for the records; 0: not known")
    promised: Promised | None = Field(
        None, description="percent of a month that its contract promises it to be available, over that of its provider"
    )


class DeviceModel(TargetModel):
    """A piece of equipment at a site."""

    vantage: bool = Field(False, description="true for our own gateway: without it we are blind")


class ServiceModel(TargetModel):
    """Something that people use."""


class SiteBody(Model):
    """Links, devices and services by name; shared by templates and sites. Values are merged before they are read."""

    kind: Slug = Field("commune", description="sites of this kind are counted as communes; others: pop, data-center, …")
    networks: list[str] = Field(
        default_factory=list, description="where its devices are, such as 10.64.17.0/24; one outside is a mistake",
        examples=[["10.64.17.0/24"]],
    )  # fmt: skip
    links: dict[Slug, dict[str, object] | None] = Field(
        default_factory=dict, description="lines by name; null takes away what the template has"
    )
    devices: dict[Slug, dict[str, object] | None] = Field(
        default_factory=dict, description="equipment by name; null takes away what the template has"
    )
    services: dict[Slug, dict[str, object] | None] = Field(
        default_factory=dict, description="what people use, by name; null takes away what the template has"
    )


def _on_earth(value: list[float]) -> list[float]:
    latitude, longitude = value
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise ValueError(f"[{latitude:g}, {longitude:g}] is no place on earth: latitude comes first, then longitude")
    return value


Location = Annotated[list[float], Field(min_length=2, max_length=2), AfterValidator(_on_earth)]


class SiteModel(SiteBody):
    """A site."""

    id: Slug = Field(
        description="stands in mails, metrics and addresses, so keep it, or write `formerly`", examples=["xa-tan-thanh"]
    )
    name: Line = Field(min_length=1, max_length=120, description="what people call it", examples=["Xã Tân Thanh"])
    code: str = Field("", max_length=16, description="official code, in quotes", examples=["13444"])
    area: str = Field("", max_length=120, description="former district; contacts can be limited to it")
    like: Slug | None = Field(None, description="template that it takes everything from that it does not write itself")
    location: Location | None = Field(None, description="latitude, longitude in degrees")
    contact: str = Field("", max_length=200, description="whom to call at the site")
    formerly: list[Slug] = Field(
        default_factory=list, description="ids that it had before; its targets go on with the history that theirs have"
    )
    vars: dict[str, str | int] = Field(default_factory=dict, description="fills {…} in the template's strings")


LONGEST_WINDOW_SECONDS = 366 * 86_400.0
"""Of a window of maintenance."""


class MaintenanceModel(Model):
    """Planned work; what fits all that is written of target, site, area, provider and kind opens no incident meanwhile."""

    target: str | None = Field(None, max_length=160, description="`site/name`")
    site: Slug | None = Field(None, description="all targets of a site: its id")
    area: str | None = Field(None, max_length=120, description="all targets of the sites of an area")
    provider: Slug | None = Field(None, description="the lines of a provider")
    kind: Slug | None = Field(None, description="kind of target: tslcd, router, ups, …")
    start: Moment = Field(description="when the first window begins; without a zone it is Viet Nam's time")
    for_: Span | None = Field(None, alias="for", description="how long a window lasts")
    end: Moment | None = Field(None, description="when the first window ends; either this or `for`")
    repeat: str | None = Field(None, max_length=400, description="RRULE of RFC 5545, such as FREQ=WEEKLY;BYDAY=SU")
    reason: Line = Field(min_length=1, max_length=200, description="what is done; shown on the board")

    @model_validator(mode="after")
    def _fits(self) -> MaintenanceModel:
        if not any((self.target, self.site, self.area, self.provider, self.kind)):
            raise ValueError("write what it is about: at least one of `target`, `site`, `area`, `provider`, `kind`")
        if (self.for_ is None) == (self.end is None):
            raise ValueError("write exactly one of `for` and `end`")
        if self.for_ is not None and self.for_ > LONGEST_WINDOW_SECONDS:
            raise ValueError("longer than a year: take what is not watched any more out of the inventory")
        return self


class TellModel(Model):
    """Of which incidents of its lines a provider is mailed itself."""

    causes: list[Literal["link", "shared"]] = Field(["link", "shared"], description="only these causes")
    severity: SeverityName = Field("minor", description="only incidents that are at least so severe")
    language: Literal["vi", "en"] = Field("vi", description="of the mails")
    hours: HoursText | None = Field(None, description="new incidents only then, such as Mo-Fr 07:30-17:00")


def _tell(value: object) -> object:
    return {True: {}, False: None}[value] if isinstance(value, bool) else value


class ProviderModel(Model):
    """Who delivers lines."""

    name: Line = Field(min_length=1, max_length=120, description="what people call it")
    hotline: str = Field(min_length=1, max_length=60, description="whom to call about a line; shown in its mails")
    email: str = Field("", description="for the records; mailed only with `tell`")
    promised: Promised | None = Field(
        None, description="percent of a month that the contract promises each line to be available"
    )
    tell: Annotated[TellModel | None, BeforeValidator(_tell, json_schema_input_type=TellModel | bool | None)] = Field(
        None, description="true, or of which incidents: its own lines' are mailed to it, in words fit for an outsider"
    )

    @model_validator(mode="after")
    def _can_be_told(self) -> ProviderModel:
        if self.tell is not None:
            mail_address(self.email)
        return self


class OwnerModel(Model):
    """Who answers for a meeting."""

    name: Line = Field(min_length=1, max_length=120, description="what people call them")
    email: MailAddress = Field(description="where the mails go that say which rooms are ready")
    language: Literal["vi", "en"] = Field("vi", description="of these mails")


EARLIEST_REPORT = 7 * 86_400.0


def _before(value: float) -> float:
    if not SHORTEST_INTERVAL <= value <= EARLIEST_REPORT:
        raise ValueError("must be between 1m and 7d")
    return value


Before = Annotated[Span, AfterValidator(_before)]


def _some(value: object) -> object:
    return [value] if isinstance(value, str) else value


RoomName = Annotated[str, Field(min_length=1, max_length=160)]

Rooms = Annotated[
    list[RoomName],
    BeforeValidator(_some, json_schema_input_type=list[RoomName] | str),
    Field(min_length=1, max_length=10_000),
]
"""Names of rooms, each a target, a site, an area, or all communes."""

ROOMS_SAY = "`site/name` of a target, a site or area (all its rooms), or `all communes`; one of these or a list"

_USUAL_REPORTS: Any = ["24h", "60m", "15m"]


class MeetingBody(Model):
    """What meetings have in common, wherever their times are written."""

    owner: OwnerModel | None = Field(None, description="who is mailed, beside those on duty, which rooms are ready")
    importance: Literal["normal", "high"] = Field(
        "normal", description="high: an incident that threatens it soon is one step more severe"
    )
    reports: list[Before] = Field(
        default=_USUAL_REPORTS, validate_default=True, max_length=10,
        description="how long before it begins its rooms are looked at and told of; empty: never",
    )  # fmt: skip
    afterwards: bool = Field(True, description="whether the same people are told how it went in its rooms")


class MeetingModel(MeetingBody):
    """A video conference, held once or again and again."""

    id: Slug = Field(description="stands in addresses and metrics", examples=["giao-ban-tuan"])
    title: Line = Field(min_length=1, max_length=120, description="what people call it", examples=["Giao ban tuần"])
    rooms: Rooms = Field(description=ROOMS_SAY)
    start: Moment = Field(description="when it first begins; without a zone it is Viet Nam's time")
    for_: Duration | None = Field(None, alias="for", description="how long it lasts; at most 24h")
    end: Moment | None = Field(None, description="when it first ends; either this or `for`")
    repeat: str | None = Field(None, max_length=400, description="RRULE of RFC 5545, such as FREQ=WEEKLY;BYDAY=MO")
    except_: list[Day] = Field(
        default_factory=list, alias="except", max_length=1000, description="days on which it is not held"
    )

    @model_validator(mode="after")
    def _fits(self) -> MeetingModel:
        if (self.for_ is None) == (self.end is None):
            raise ValueError("write exactly one of `for` and `end`")
        if self.except_ and self.repeat is None:
            raise ValueError("`except` belongs to `repeat`: a meeting that is held once has no other days")
        return self


_CALENDAR_FILE = re.compile(r"[^/\\.][^/\\]*\.ics")


def _calendar_file(value: str) -> str:
    if not _CALENDAR_FILE.fullmatch(value):
        raise ValueError(f"`{value}` is not the plain name of an .ics file in the folder of the inventory")
    return value


class CalendarModel(MeetingBody):
    """An iCalendar file whose events are meetings, where they name a room."""

    file: Annotated[str, AfterValidator(_calendar_file)] = Field(
        max_length=120, description="name of the .ics file, which lies in the folder of the inventory",
        json_schema_extra={"pattern": f"^{_CALENDAR_FILE.pattern}$"},
    )  # fmt: skip
    rooms: dict[Annotated[str, Field(max_length=200)], Rooms] = Field(
        default_factory=dict, description=f"place or address as the events write it → {ROOMS_SAY}"
    )


class Document(Model):
    """One file of the inventory; a folder of files is read as one."""

    providers: dict[Slug, ProviderModel] = Field(default_factory=dict, description="who delivers lines, by id")
    profiles: dict[Slug, dict[str, object]] = Field(
        default_factory=dict, description="kinds of equipment, lines and services with their checks, by name"
    )
    templates: dict[Slug, SiteBody] = Field(default_factory=dict, description="what many sites have, by name")
    sites: list[SiteModel] = Field(default_factory=list, description="communes, points of presence, data centres")
    maintenance: list[MaintenanceModel] = Field(default_factory=list, description="planned work")
    meetings: list[MeetingModel] = Field(default_factory=list, description="video conferences")
    calendars: list[CalendarModel] = Field(default_factory=list, description="iCalendar files with more of them")
