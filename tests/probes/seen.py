"""The table "What is seen" of docs/signalling.md: its rows are asked of the peers that they name."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from monitor.core.model import Outcome
from probes.registry import Result
from tests.probes.peers import running
from tests.probes.rooms import MONITOR, MONITOR_PASSWORD, REALM
from tests.test_docs import section

STATES = {Outcome.OK: "up", Outcome.FAILED: "down", Outcome.INCONCLUSIVE: "unknown"}
"""What the outcome makes of a check, once it is confirmed."""
LOGIN = {"username": MONITOR, "password": {"file": MONITOR_PASSWORD}}
WRONG = {"password": {"file": "wrong"}}

SIP, THROUGH, STUN, TURN = "`sip`", "`sip` through the registrar", "`stun`", "`turn`"
STATUS, GATEKEEPER, LOCATION = "`h323` status", "`h323` gatekeeper", "`h323` location"
ICE = "`webrtc-room` with `ice`"
CHECKS = (SIP, THROUGH, STATUS, GATEKEEPER, LOCATION, STUN, TURN, ICE)
"""In their order in the table."""

PATIENCE = 0.6
"""Time-out, in seconds, where nothing will come."""
SLOW = 0.3
"""So many seconds hangs who is slow."""

Row = Callable[[Any], Awaitable[Result]]


class Rows:
    """Rows that are asked of the same peers."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, str, Row]] = []

    def add(self, check: str, peer: str) -> Callable[[Row], Row]:
        """A row: how is asked, and what the peer is or does."""

        def add(run: Row) -> Row:
            self._rows.append((check, peer, run))
            return run

        return add

    async def seen(self, peers: Any) -> list[str]:
        """All rows, as they are to stand in the manual."""
        return [_shown(check, peer, await run(peers)) for check, peer, run in self._rows]


def in_manual(*checks: str) -> list[str]:
    """The rows of these checks as they stand there; each row there is of some check."""
    found = [line for line in section("docs/signalling.md", "What is seen").splitlines() if line.startswith("| `")]
    assert {line.split(" | ")[0].removeprefix("| ") for line in found} == set(CHECKS)
    return [line for line in found if line.startswith(tuple(f"| {check} |" for check in checks))]


def _shown(check: str, peer: str, result: Result) -> str:
    """A row, without ports and versions."""
    evidence = re.sub(r"(127\.0\.0\.\d|meet\.example)(:| port )\d+", r"\1", result.evidence)
    for version, name in (
        (r"kamailio \([^()]*\([^()]*\)\)", "kamailio"), (r"baresip v[^()]*\([^()]*\)", "baresip"), (r"Coturn-[^()]*", "coturn"),
    ):  # fmt: skip
        evidence = re.sub(version, name, evidence)
    return f"| {check} | {peer} | {STATES[result.outcome]} | `{result.reason}` | {evidence} |"


def over_tls(port: int, ca: dict[str, str]) -> dict[str, Any]:
    """Options that ask over TLS."""
    return {"port": port, "transport": "tls", "ca": ca, "server_name": REALM}


@contextlib.asynccontextmanager
async def started(server: Any) -> AsyncIterator[Any]:
    """A peer for one row; a room does not ring."""
    with contextlib.contextmanager(running)(server) as peer:
        yield peer
        assert not getattr(peer, "rung", 0)
