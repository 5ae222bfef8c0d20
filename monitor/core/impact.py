"""What an incident hurts, and what is known of it."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.core.model import State
from monitor.core.seen import CUT, Seen

EVIDENCE_LINES = 8
"""Lines of evidence that an incident keeps."""


def hurt_by(seen: Seen, root: str, members: Iterable[str]) -> tuple[str, ...]:
    """All that the incident hurts: what hangs behind root and members, nearest first, without the root."""
    found: dict[str, None] = {}
    for each in (root, *sorted(members)):
        if each != root:
            found[each] = None
        if seen.state(each) in CUT or each == root:
            found.update(dict.fromkeys(seen.graph.behind(each)))
            cut = (far for far in seen.graph.after(each) if seen.state(far) is State.UNREACHABLE)
            found.update(dict.fromkeys(cut))  # with another way, but that is cut too
    found.pop(root, None)
    held = seen.held.get(root)
    if held is not None and held.state is State.DEGRADED:  # what hangs behind a lossy line is hurt only if it shows
        return tuple(each for each in found if seen.state(each) not in (State.UP, State.UNKNOWN))
    return tuple(found)


def known_of(seen: Seen, lines: tuple[str, ...], targets: Iterable[str]) -> tuple[str, ...]:
    """These lines and what is known of the targets, once each and not too many."""
    more = [f"{each}: {held.evidence}" for each in targets if (held := seen.held.get(each)) and held.evidence]
    return tuple(dict.fromkeys((*lines, *more)))[:EVIDENCE_LINES]
