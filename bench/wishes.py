"""How many mails a month is for one person, by what that person wants to be told at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

from alerts.policy import Policy
from alerts.routing import Digest, Quiet, Route, Routing
from bench.harness import Row, quantiles
from monitor.core.model import Cause, Contact, Happening, IncidentEvent, Inventory, Notification, Severity
from monitor.inventory.hours import parse_hours

AT_ONCE = timedelta(minutes=1)
"""An incident that is told this soon after its opening has not waited."""

SOMEBODY = Contact(id="on-call", name="On call", email="on-call@example.org")
ALL = Routing(contacts={SOMEBODY.id: SOMEBODY}, routes=(Route(to=SOMEBODY.id),))
MORNING = Digest(at=time(7), causes=(Cause.LAN, Cause.POWER, Cause.SHARED, Cause.VANTAGE))
NIGHT = Quiet(hours=parse_hours("17:00-07:00"), at_once=Severity.CRITICAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody who is told of everything wants to be told at once."""

    digest: Digest | None = None
    quiet: Quiet | None = None
    spare: bool = False
    """Whether the inventory says `severity: minor` of internet lines, behind which nothing hangs."""

    @property
    def routing(self) -> Routing:
        """What contacts.yaml would say."""
        return replace(
            ALL,
            digests={SOMEBODY.id: self.digest} if self.digest else {},
            quiet={SOMEBODY.id: self.quiet} if self.quiet else {},
        )


MARKED = "… and what cuts off no more than an internet line"
"""The wish that `at once %` of each kind of fault is about."""
WISHES: Mapping[str, Wish] = {
    "each by itself": Wish(),
    "minor ones in a digest each morning": Wish(digest=MORNING),
    "… and ends of what nobody has": Wish(digest=replace(MORNING, ends=True)),
    MARKED: Wish(digest=replace(MORNING, ends=True), spare=True),
    "… and from 17:00 to 07:00 all but critical ones": Wish(
        digest=replace(MORNING, ends=True), spare=True, quiet=NIGHT
    ),
    "only critical ones and shared causes at once": Wish(
        digest=replace(MORNING, at_once=Severity.CRITICAL, causes=(Cause.SHARED, Cause.VANTAGE), ends=True)
    ),
}


@dataclass(frozen=True, slots=True)
class Post:
    """What one person is mailed."""

    mails: Sequence[Notification]
    """All that leave, digests too."""
    first: Mapping[str, timedelta]
    """By incident: from its opening to the first mail that tells of it."""

    @property
    def at_once(self) -> set[str]:
        """The incidents that did not wait."""
        return {incident for incident, after in self.first.items() if after <= AT_ONCE}


def post(events: Sequence[IncidentEvent], inventory: Inventory, wish: Wish) -> Post:
    """What the policy makes of what happened, oldest first."""
    policy = Policy(wish.routing, inventory)
    made: list[Notification] = []
    for each in events:
        made += _pass(policy, each.at) + policy.happened(_weighed(each, inventory, wish)) + policy.due(each.at, ())
    made += _pass(policy, events[-1].at + timedelta(days=1)) if events else []
    mails = [each for each in made if each.held is None]
    opened = {each.incident.id: each.at for each in events if each.what is Happening.OPENED}
    first: dict[str, timedelta] = {}
    for mail in mails:
        for each in mail.items or (mail.event,):
            first.setdefault(each.incident.id, mail.event.at - opened[each.incident.id])
    return Post(mails, first)


def _pass(policy: Policy, now: datetime) -> list[Notification]:
    """What time alone brings until then."""
    made: list[Notification] = []
    while policy.next is not None and policy.next <= now:
        made += policy.due(policy.next, ())
    return made


def _weighed(event: IncidentEvent, inventory: Inventory, wish: Wish) -> IncidentEvent:
    """With the severity that it has when the inventory says what the wish needs."""
    incident = event.incident
    line = incident.cause is Cause.LINK and inventory.targets[incident.root].kind == "internet"
    if not (wish.spare and line) or incident.impact:
        return event
    return replace(event, incident=replace(incident, severity=Severity.MINOR))


def row(posts: Mapping[int, Post], faults: int, told: int, plain: int) -> Row:
    """By seed what somebody got, of so many faults, of which so many were told at once; `plain` are the mails of `for: 1m`."""
    mails = sum(len(each.mails) for each in posts.values())
    later = [after / timedelta(hours=1) for each in posts.values() for after in each.first.values() if after > AT_ONCE]
    half, _, worst = quantiles(later)
    return {
        **{f"seed {seed}": len(each.mails) for seed, each in posts.items()},
        "digests among them": sum(bool(mail.items) for each in posts.values() for mail in each.mails),
        "mails/fault": round(mails / max(1, faults), 2),
        "of for: 1m %": round(100 * mails / max(1, plain), 1),
        "faults told at once %": round(100 * told / max(1, faults), 1),
        **({"the others after h p50": round(half, 1), "max": round(worst, 1)} if later else {}),
    }
