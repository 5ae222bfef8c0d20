"""A proposal as YAML to add, and as text for a person."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from monitor.exchange.found import Addition, Found, Proposal
from monitor.exchange.places import one_line

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 ./À-ỹ-]*[A-Za-z0-9À-ỹ]|\d+(\.\d+){3}")
_WORDS = frozenset({"true", "false", "null"})
"""Plain text that YAML takes for something else."""
NAMED = 12
"""So many that share a reason are named; the rest are counted."""


def as_yaml(proposal: Proposal) -> str:
    """What to add, as a file of the inventory; at a site that is known already, these are devices to add there."""
    devices: dict[str, list[Addition]] = defaultdict(list)
    for each in proposal.added:
        devices[each.site].append(each)
    new = {site.id: site for site in proposal.sites}
    lines = ["sites:"] if devices else []
    for id_, added in devices.items():
        lines.append(f"  - id: {scalar(id_)}")
        if site := new.get(id_):
            lines.append(f"    name: {scalar(site.name)}")
            if site.latitude is not None and site.longitude is not None:
                lines.append(f"    location: [{site.latitude:.6f}, {site.longitude:.6f}]")
        lines.append("    devices:")
        lines += [f"      {scalar(each.name)}: {_device(each)}" for each in added]
    return "".join(f"{line}\n" for line in lines)


def _device(addition: Addition) -> str:
    behind = f", behind: [{', '.join(map(scalar, addition.behind))}]" if addition.behind else ""
    return f"{{profile: {scalar(addition.profile)}, address: {scalar(addition.address)}{behind}}}"


def scalar(text: str) -> str:
    """A text of one line as YAML that is read as that text again."""
    quoted = "'" + text.replace("'", "''") + "'"
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else quoted


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
