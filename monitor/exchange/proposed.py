"""A proposal as YAML to add, and as text for a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from monitor.exchange.adding import by_site
from monitor.exchange.found import Found, Proposal
from monitor.exchange.places import one_line
from monitor.exchange.yamledit import Put, edited

NAMED = 12
"""So many that share a reason are named; the rest are counted."""


def as_yaml(proposal: Proposal) -> str:
    """What to add, as a file of the inventory; at a site that is known already, these are devices to add there."""
    sites = [{"id": id_, **told} for id_, told in by_site(proposal).items()]
    return edited(b"", "proposed.yaml", [Put(("sites",), sites)]).decode() if sites else ""


def tell(proposal: Proposal) -> Iterator[str]:
    """What is new, what is left and why, what is known, line by line."""
    if proposal.added:
        yield f"New ({len(proposal.added)}):"
    for addition in proposal.added:
        yield f"  + {addition.id} {addition.address}: profile {addition.profile}, for {one_line(addition.why)}"
        behind = (f"behind {', '.join(addition.behind)}",) if addition.behind else ()
        yield from (f"      {one_line(note)}" for note in (f"is {_called(addition.found)}", *behind, *addition.notes))
    if proposal.sites:
        yield f"New sites ({len(proposal.sites)}):"
    for site in proposal.sites:
        yield f"  + {site.id}: {site.name}"
    if proposal.left:
        yield f"Not taken ({len(proposal.left)}):"
    reasons: dict[str, list[str]] = defaultdict(list)
    for left in proposal.left:
        reasons[left.why].append(_called(left.found))
    for why, called in reasons.items():
        yield f"  ! {_some(called)}: {one_line(why)}"
    if proposal.unplaced:
        yield f"Places that are no site ({len(proposal.unplaced)}); say --site PLACE=ID for those that are one:"
    for place in proposal.unplaced:
        near = f"; did you mean {' or '.join(place.near)}?" if place.near else ""
        yield f"  ? {one_line(place.place)} ({_devices(place.devices)}){near}"
    if proposal.known:
        yield f"Known already, and left as they are ({len(proposal.known)}):"
        yield f"  = {_some([known.target for known in proposal.known])}"


def summary(proposal: Proposal) -> str:
    """One line."""
    return f"{len(proposal.added)} new, {len(proposal.known)} known already, {len(proposal.left)} not taken"


def _called(found: Found) -> str:
    name = " ".join(filter(None, (found.name, found.address if found.address != found.name else "")))
    return one_line(f"{name or 'something without a name'} ({found.source})")


def _some(called: Sequence[str]) -> str:
    more = (f"and {len(called) - NAMED} more",) if len(called) > NAMED else ()
    return ", ".join((*called[:NAMED], *more))


def _devices(number: int) -> str:
    return f"{number} device{'' if number == 1 else 's'}"
