"""A proposal as YAML to add, and as text for a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from monitor.core.words import Language
from monitor.exchange.adding import by_site
from monitor.exchange.found import Found, Proposal
from monitor.exchange.places import one_line
from monitor.exchange.sayings import Said, listed, said
from monitor.exchange.yamledit import Put, edited

NAMED = 12
"""So many that share a reason are named; the rest are counted."""


def as_yaml(proposal: Proposal) -> str:
    """What to add, as a file of the inventory; at a site that is known already, these are devices to add there."""
    sites = [{"id": id_, **told} for id_, told in by_site(proposal).items()]
    return edited(b"", "proposed.yaml", [Put(("sites",), sites)]).decode() if sites else ""


def tell(proposal: Proposal, language: Language) -> Iterator[str]:
    """What is new, what is left and why, what is known, line by line."""

    def line(saying: str, **words: object) -> str:
        return one_line(said(saying, **words).text(language))

    if proposal.added:
        yield line("added", n=len(proposal.added))
    for addition in proposal.added:
        yield f"  + {line('addition', id=addition.id, address=addition.address, profile=addition.profile, why=addition.why)}"
        behind = (said("behind", behind=", ".join(addition.behind)),) if addition.behind else ()
        notes = (said("is", found=_called(addition.found)), *behind, *addition.notes)
        yield from (f"      {one_line(note.text(language))}" for note in notes)
    if proposal.sites:
        yield line("sites-added", n=len(proposal.sites))
    for site in proposal.sites:
        yield f"  + {site.id}: {site.name}"
    if proposal.left:
        yield line("left", n=len(proposal.left))
    reasons: dict[str, list[Said]] = defaultdict(list)
    for left in proposal.left:
        reasons[left.why.text(language)].append(_called(left.found))
    for why, called in reasons.items():
        yield f"  ! {_some(called, language)}: {one_line(why)}"
    if proposal.unplaced:
        yield line("unplaced", n=len(proposal.unplaced))
    for place in proposal.unplaced:
        near = said("meant", near=listed(place.near, said("or"))) if place.near else ""
        yield f"  ? {line('place', place=place.place, n=place.devices, near=near)}"
    if proposal.known:
        yield line("known", n=len(proposal.known))
        yield f"  = {_some([known.target for known in proposal.known], language)}"


def summary(proposal: Proposal) -> Said:
    """One line."""
    return said("summary", added=len(proposal.added), known=len(proposal.known), left=len(proposal.left))


def _called(found: Found) -> Said:
    name = " ".join(filter(None, (found.name, found.address if found.address != found.name else "")))
    return said("called", name=one_line(name) or said("nameless"), source=one_line(found.source))


def _some(called: Sequence[object], language: Language) -> str:
    more = (said("and-more", n=len(called) - NAMED),) if len(called) > NAMED else ()
    return listed((*called[:NAMED], *more))[language]
