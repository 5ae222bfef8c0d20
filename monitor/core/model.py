"""The words of the project as values: read this page first.

Every stage of the daemon hands one of these to the next. They are immutable, know no library, no clock and no
socket, and use base units: seconds, bytes, ratios from 0 to 1. Wall times are aware UTC datetimes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

NOTHING: Mapping[str, float] = MappingProxyType({})
"""No measurements."""


class Role(StrEnum):
    """What a target is: a line of a site, a piece of equipment, or something that people use."""

    LINK = "link"
    DEVICE = "device"
    SERVICE = "service"


class State(StrEnum):
    """What we hold a target to be; the order is from best to worst only for display."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    UNREACHABLE = "unreachable"
    """Something in front of it is down: not its fault."""
    UNKNOWN = "unknown"
    """We cannot tell: our own trouble, no data yet, or data too old."""


class Severity(StrEnum):
    """How much it matters that something does not work, the least first."""

    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


class Importance(StrEnum):
    """How much a meeting matters."""

    NORMAL = "normal"
    HIGH = "high"
    """An incident that threatens it is one step more severe while it runs or is about to begin."""


class Outcome(StrEnum):
    """How one run of a check ended."""

    OK = "ok"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    """The run says nothing about the target: our own socket, permission or code failed."""


class Reason(StrEnum):
    """Why a run ended as it did: the same codes for every probe kind, in metrics, mails and the API."""

    OK = "ok"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    RESET = "reset"
    UNREACHABLE = "unreachable"
    """A router on the way, or our own routing table, said that there is no way."""
    NAME = "name-resolution"
    TLS = "tls"
    CERTIFICATE = "certificate"
    PROTOCOL = "protocol"
    """The peer answered with something that is not the protocol."""
    TOO_LARGE = "too-large"
    STATUS = "status"
    """The peer answered in form, but with an answer that is not the expected one."""
    CONTENT = "content"
    AUTH = "authentication"
    NOT_REGISTERED = "not-registered"
    """The registrar or gatekeeper is well, but does not know the room."""
    PERMISSION = "permission"
    """We are not allowed to do this on our own host."""
    LOCAL = "local"
    """Our own host or code is in trouble (no buffers, no descriptors, an unexpected exception)."""
    LIMIT = "limit"
    """Never from a probe: the judge found a measurement beyond its limit."""
    STALE = "stale"
    """Never from a probe: the judge had no observation for too long."""


PATH_REASONS = frozenset({Reason.TIMEOUT, Reason.UNREACHABLE, Reason.RESET, Reason.NAME})
"""Reasons that the way to a target can cause as well as the target itself."""


class Counts(StrEnum):
    """When a limit counts that is broken."""

    ALWAYS = "always"
    MEETINGS = "meetings"
    """Before and while people meet there: it makes a room at risk, but changes no state and opens no incident."""
    BEFORE_MEETINGS = "before-meetings"
    """The same before they meet alone: a room that listens has its microphones off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A bound on one measurement; beyond it the check is degraded, back within `clear` it is well again.

    `value` is the name of a measurement without its labels; a measurement with several label sets is held against
    the limit by each of them. Exactly one of `above`, `below` and `above_usual` is set.
    """

    value: str
    above: float | None = None
    below: float | None = None
    clear: float
    """Hysteresis: where the measurement must be again before the limit counts as kept; as `above_usual` where that is set."""
    above_usual: float | None = None
    """A multiple of what is usual for this check at this hour of the week, …"""
    at_least: float = 0.0
    """… but nothing below this is beyond it."""
    says: str = ""
    """Key of the sentence that a mail uses for this limit (`loss`, `delay`, `on-battery`, …)."""
    confirm: int = 0
    """How many runs in a row must be beyond it; 0: as many as the check confirms."""
    counts: Counts = Counts.ALWAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that is measured about one target, by one probe kind, at an interval."""

    id: str
    """`<target id>#<name>`, stable over reloads."""
    target: str
    name: str
    probe: str
    """Kind in the probe registry."""
    address: str
    options: object
    """The options model of the probe kind, already validated."""
    interval_seconds: float
    timeout_seconds: float
    confirm: int
    """How many failed runs in a row make the check fail (and good ones make it well again)."""
    when_failed: State
    """What a failed check makes of its target: down, or degraded when people can still work."""
    limits: tuple[Limit, ...] = ()
    window: int = 0
    """Length in runs of the window for `loss_ratio`; 0: none is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A link, a device or a service: what has a state, an availability, and can own an incident."""

    id: str
    """`<site>/<name>`."""
    site: str
    name: str
    role: Role
    kind: str
    """tslcd, internet, router, switch, ups, vc-endpoint, website, doc-management …"""
    label: Mapping[str, str] = field(default_factory=dict)
    """Human name by language (`vi`, `en`)."""
    own_label: bool = False
    """The label is its own, and not that of its profile: it tells the target from its like at the same site."""
    address: str = ""
    behind: tuple[str, ...] = ()
    """Targets in front of it; it is cut off when all of them are."""
    checks: tuple[Check, ...] = ()
    vantage: bool = False
    """Our own gateway: when it is gone, we are blind, and no site is to blame."""
    provider: str = ""
    circuit: str = ""
    bandwidth_bits: float = 0.0
    promised_percent: float | None = None
    """As of its provider, where the contract of this line promises something else; None: it does not."""
    model: str = ""
    contact: str = ""
    """Whom to call about it, where that is neither its provider nor its site: one line, name and number."""
    severity: Severity = Severity.MINOR
    """How much it matters that it is down."""
    formerly: tuple[str, ...] = ()
    """Ids that it had before, whose history is its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """Of which incidents of its lines a provider is mailed itself, and how."""

    language: str
    causes: tuple[Cause, ...]
    severity: Severity
    """At least this."""
    hours: str
    """Times of the week as the admin wrote them; empty: always."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Who delivers lines, and whom to call about them."""

    id: str
    name: str
    hotline: str
    email: str = ""
    tell: Tell | None = None
    """Of which incidents of its lines it is mailed itself; None: of none."""
    promised_percent: float | None = None
    """Of a month, that the contract promises each of its lines to be available; None: it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A kind of equipment, line or service, as far as it is told from others; its checks are those of its targets."""

    id: str
    kind: str
    model: str = ""
    object_ids: tuple[str, ...] = ()
    """What is recognised as such: its sysObjectID (RFC 3418) is one of these, or below one."""
    descriptions: tuple[str, ...] = ()
    """… and its sysDescr, or its model, holds one of these, in small letters or capitals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A commune, ward, provincial data centre or point of presence."""

    id: str
    name: str
    code: str = ""
    area: str = ""
    """Former district; groups sites under points of presence."""
    kind: str = "commune"
    latitude: float | None = None
    longitude: float | None = None
    contact: str = ""
    """Whom to call at the site: one line, name and number."""
    networks: tuple[str, ...] = ()
    """Where its devices are, such as `10.64.17.0/24`; empty: anywhere."""
    formerly: tuple[str, ...] = ()
    """Ids that it had before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """Planned work, once or again and again."""

    targets: frozenset[str]
    starts: Iterable[datetime]
    """When its windows begin, oldest first; each iteration begins anew, and may be long."""
    lasts: timedelta
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One time of planned work: from `begins` on, and at `ends` no more."""

    begins: datetime
    ends: datetime
    reason: str


class Session(NamedTuple):
    """One time that a meeting is held: from `begins` on, and at `ends` no more."""

    begins: datetime
    ends: datetime
    meeting: str
    """Its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """A video conference, held once or again and again."""

    id: str
    title: str
    importance: Importance = Importance.NORMAL
    rooms: tuple[str, ...]
    """Targets without which somebody cannot take part: the rooms, and what else the inventory names."""
    sessions: Iterable[Session]
    """When it is held, the first begin first; each iteration begins anew, and may be long."""
    owner: Contact | None = None
    """Who is mailed which of its rooms are ready."""
    reports: tuple[timedelta, ...] = ()
    """How long before its begin that is told, the longest first."""
    afterwards: bool = True
    """Whether they are told how it went, when it is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threat:
    """A session of a meeting that an incident threatens, or disturbed."""

    meeting: str
    title: str
    importance: Importance
    begins: datetime
    ends: datetime
    rooms: tuple[str, ...]
    """Those of its rooms that the incident hurts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Everything that is watched, as one immutable snapshot; a reload makes a new one."""

    sites: Mapping[str, Site]
    targets: Mapping[str, Target]
    providers: Mapping[str, Provider]
    maintenance: tuple[Maintenance, ...] = ()
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    meetings: Mapping[str, Meeting] = field(default_factory=dict)

    def checks(self) -> dict[str, Check]:
        """All checks by id."""
        return {check.id: check for target in self.targets.values() for check in target.checks}


class Observation(NamedTuple):
    """The answer to one run of a check, without any judgement in it.

    A tuple, for thousands are made a second; name its fields when you make one.
    """

    check: str
    target: str
    at: datetime
    """When the run ended."""
    outcome: Outcome
    reason: Reason
    values: Mapping[str, float] = NOTHING
    """Measurements by Prometheus name, further labels inside the key: `ifHCInOctets{ifName="wan1"}`."""
    evidence: str = ""
    """One line for a person: what was asked and what came back."""
    duration_seconds: float = 0.0
    out_of_turn: bool = False
    """Asked only to be sure sooner: it counts for up or down, but would falsify the loss of the window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """A target turned from `old` to `new`, by its own checks alone, because of one observation.

    Also made when the state stays and its reason turns (a slow line becomes a lossy one).
    """

    target: str
    at: datetime
    """When it was sure."""
    since: datetime
    """When it began: the first of the observations that made it sure."""
    old: State
    new: State
    reason: Reason
    check: str = ""
    says: str = ""
    """Key of the broken limit's sentence, when `reason` is LIMIT."""
    evidence: str = ""


class Cause(StrEnum):
    """What an incident most likely is."""

    LINK = "link"
    POWER = "power"
    LAN = "lan"
    DEVICE = "device"
    SERVICE = "service"
    SHARED = "shared"
    """One thing in front of several sites: a point of presence, the core."""
    VANTAGE = "vantage"
    """Our own gateway: we cannot see, and say so."""


class Happening(StrEnum):
    """What just happened to an incident; the reason that a mail carries."""

    OPENED = "opened"
    CHANGED = "changed"
    """Root or cause were recognised anew, or it is more severe than what was told."""
    RECOVERED = "recovered"
    REOPENED = "reopened"
    """Its root failed again soon after: one incident that comes and goes."""
    WITHDRAWN = "withdrawn"
    """It turned out to be a part of another incident, or its root left the inventory."""
    ACKNOWLEDGED = "acknowledged"
    """Somebody has it."""
    UNACKNOWLEDGED = "unacknowledged"
    """Nobody has it any more: who had it gave it back."""
    ESCALATED = "escalated"
    """Only in mails: nobody has it yet, so somebody else is told too."""
    REMINDER = "reminder"
    """Only in mails: it is still open."""
    DIGEST = "digest"
    """Only in mails: what was held back while somebody wanted quiet."""
    STORM = "storm"
    """Only in mails: what is held back because too many mails would come."""
    STORM_OVER = "storm-over"
    """Only in mails: the last of these, mails come one by one again."""


ENDS = frozenset({Happening.RECOVERED, Happening.WITHDRAWN})
SUMMARIES = frozenset({Happening.DIGEST, Happening.STORM, Happening.STORM_OVER})
"""One mail about several incidents."""
ONLY_MAILED = SUMMARIES | {Happening.ESCALATED, Happening.REMINDER}
"""What time brings and not the incident: no events of its life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a target is held to be, seen together with what is in front of it."""

    target: str
    state: State
    since: datetime
    at: datetime | None = None
    """When it was decided, never before `since`; None: at once."""
    reason: Reason = Reason.OK
    says: str = ""
    evidence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What targets that failed together have in common, and how strong the evidence is."""

    kind: str
    """Kind of the targets."""
    by: tuple[tuple[str, str], ...]
    """What they share: names and values of `provider`, `area`, `model`, `behind`."""
    hurt: int
    """How many of those with it failed, …"""
    of: int
    """… of how many."""
    elsewhere: int
    """How many of the same kind without it failed, …"""
    others: int
    """… of how many."""

    def trait(self, name: str) -> str:
        """Its value; empty where they do not share it."""
        return dict(self.by).get(name, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """Who has an incident."""

    by: str
    at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """What an incident's severity comes from."""

    target: str
    """Which of those that it hurts matters most: the root, or one of the impact."""
    lowered: bool = False
    """Whether it counts one step less, for it is only degraded."""
    communes: int = 0
    """How many hurt communes raised it one step; 0: too few to do so, or it was highest already."""
    meeting: str = ""
    """Id of the meeting that raised it one step, for it runs or is about to begin; "": none did."""
    rose_from: Severity | None = None
    """What was told before, where that it rose is all that changed last."""


class PowerCut(NamedTuple):
    """Time without power that was a part of an incident, which went on for another cause."""

    since: datetime
    until: datetime
    targets: tuple[str, ...]
    """What was hurt by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One cause, from opening to recovery, with all targets that it hurts."""

    id: str
    root: str
    cause: Cause
    state: State
    """The worst that the root has been: down or degraded."""
    began: datetime
    """When the root turned bad, not when we decided to open."""
    opened: datetime
    closed: datetime | None = None
    reason: Reason
    says: str = ""
    evidence: tuple[str, ...] = ()
    """One line each, oldest first, root first."""
    impact: tuple[str, ...] = ()
    """Targets behind the root, or hurt with it."""
    why: str = ""
    """Key of the rule that recognised the cause."""
    shared: Shared | None = None
    """What the targets have in common, where that is no target itself; `root` is then the first of them."""
    times: int = 1
    """How often it has happened; more than once is a root that comes and goes."""
    acknowledged: Acknowledgement | None = None
    """Who has it; one that comes back has nobody again."""
    severity: Severity = Severity.MINOR
    """The highest since its root was recognised."""
    weight: Weight | None = None
    """Why it is so severe; None: of a version that did not weigh it."""
    meetings: tuple[Threat, ...] = ()
    """Sessions of meetings that it threatens, the first begin first, and those that ran while it was open."""
    dark_since: datetime | None = None
    """When the mains failed, where it was open for another cause before that: an old battery; None: with its beginning, if at all."""
    dark: tuple[PowerCut, ...] = ()
    """Power cuts in it that are over, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One rule that was looked at, and why it fits or not."""

    rule: str
    fits: bool
    because: str
    """Key of the sentence."""
    of: tuple[str, ...] = ()
    """What stands in the sentence: targets, numbers, seconds."""


ROOT_GONE = "root-gone"
"""Why an incident was withdrawn that is no part of another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """Something that a target has in common with others, and whether it could be the cause."""

    shared: Shared
    because: str
    """`fits`, or what speaks against it: `few`, `others-well`, `elsewhere`, `chance`."""
    chance: float | None = None
    """How likely so many failures fall together by themselves; None: not looked at any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """An open incident that the problem could have belonged to, and why it did not."""

    incident: str
    root: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why an incident event came about: what was known at that moment, and which rules were looked at in which order.

    Bounded: long lists and texts are cut, `left_out` says how many targets are missing.
    """

    problem: Held | None = None
    """What was held of the target whose waiting was over."""
    waited: str = ""
    """Key: why it waited, …"""
    waited_seconds: float = 0.0
    """… and how long."""
    fronts: tuple[Held, ...] = ()
    """What was held of everything in front of it, nearest first."""
    asked: tuple[str, ...] = ()
    """Targets that were asked again at once when it failed."""
    left_out: int = 0
    looks: tuple[Look, ...] = ()
    commons: tuple[Common, ...] = ()
    considered: tuple[Considered, ...] = ()
    unrelated: int = 0
    """Open incidents that have nothing to do with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentEvent:
    """One happening in the life of an incident, with the incident as it is afterwards."""

    incident: Incident
    what: Happening
    at: datetime
    because: Explanation | None = None
    """None: of a version that kept none."""
    called: tuple[tuple[str, str], ...] = ()
    """Only in mails, of a root that left the inventory: by language what people called it, and where it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Nobody is mailed of incidents whose root it names, for a time; exactly one of the four is not empty."""

    id: int
    target: str = ""
    site: str = ""
    area: str = ""
    provider: str = ""
    begins: datetime
    ends: datetime
    reason: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Somebody who gets mail."""

    id: str
    name: str
    email: str
    language: str = "vi"
    outsider: bool = False
    """A provider: it is told of its circuits, and not who has the incident or how our network looks."""


class HeldBack(StrEnum):
    """Why a notification does not leave, but waits for a summary."""

    QUIET = "quiet"
    """Until a digest, of quiet hours or of a day."""
    STORM = "storm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message about one incident event to one recipient, kept until it is delivered."""

    id: str
    """Stable: the Message-ID is made from it."""
    thread: str
    """Incident id; the first message of a thread is the one that the others answer."""
    contact: Contact
    event: IncidentEvent
    reason: str
    """Why this recipient is told, in the recipient's language, for the foot of the mail."""
    catches_up: bool = False
    """It tells the end, and the beginning too: the mail of that could not leave before it was over."""
    held: HeldBack | None = None
    """Kept until a later notification tells of it too; None: leaves at once."""
    instead_of: tuple[str, ...] = ()
    """Ids of those held back that it tells of, and that will not leave any more."""
    items: tuple[IncidentEvent, ...] = ()
    """Of a summary: the last happening of each incident, the worst first; `event` then holds the worst."""


class Attached(NamedTuple):
    """A file that goes with a mail."""

    name: str
    """With an ending that says what it is."""
    base64: str
    """What is in it (RFC 4648 section 4): it waits for its mail as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One mail that is about no single incident: written when it was due, and sent as it is."""

    id: str
    """Stable: the Message-ID is made from it."""
    contact: Contact
    subject: str
    text: str
    html: str
    """Empty: it has none."""
    attached: tuple[Attached, ...] = ()
    answers: str = ""
    """Id of the letter in whose thread it stands; empty: it begins one."""
    said: Mapping[str, str] = field(default_factory=dict)
    """Of a letter about rooms: how ready each target is that is not, so that a later one can tell what has changed."""
