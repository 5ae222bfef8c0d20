"""Open incidents → Alertmanager (API v2), for those who have one; every peer of a cluster is told everything.

Nothing is kept: what is open, and what ended lately, is told again and again, as Prometheus does it, so a peer that was away or
a daemon that was killed makes up for it by itself. An alert that is not renewed ends at its `endsAt`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import aiohttp

from alerts.resolver import Resolver
from monitor.core.model import Incident, Inventory
from monitor.core.words import WORDS

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How soon a change is told."""
RETRY_SECONDS = 5.0
POST_SECONDS = 10.0
LASTS = timedelta(minutes=5)
"""An alert that is not renewed for so long is over for Alertmanager."""
RESOLVED_TOLD = timedelta(minutes=15)
"""An end is told again for so long."""

Alert = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers:
    """The Alertmanagers of one cluster."""

    urls: tuple[str, ...] = ()
    """Without a slash at the end."""
    every_seconds: float = 60.0
    language: str = "vi"


class Alertmanager:
    """Keeps the peers up to date."""

    def __init__(
        self,
        peers: Peers,
        *,
        incidents: Callable[[], Sequence[Incident]],
        inventory: Callable[[], Inventory],
        board: str,
        clock: Callable[[], datetime],
        on_try: Callable[[str, str], None],
    ) -> None:
        """`incidents` are those that are open and those closed lately; `on_try` is told a peer and how it went."""
        self._peers, self._incidents, self._inventory = peers, incidents, inventory
        self._board, self._clock, self._on_try = board, clock, on_try

    async def run(self) -> None:
        """Tell them until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.Event().wait())  # also when there are none
            for url in self._peers.urls:
                group.create_task(self._serve(url))

    async def _serve(self, url: str) -> None:
        told: dict[str, Mapping[str, str]] = {}
        """Labels of the alerts that the peer holds open, by incident."""
        before: object = None
        clock = asyncio.get_running_loop().time
        again = clock()
        async with Resolver().session(POST_SECONDS) as session:
            while True:
                found = [each for each in self._incidents() if self._is_news(each)]
                if (found != before or clock() >= again) and (found or told):
                    taken = await self._post(session, url, self._alerts(found, told))
                    if taken:
                        told = {each.id: self._labels(each) for each in found if each.closed is None}
                        before = found
                    again = clock() + (self._peers.every_seconds if taken else RETRY_SECONDS)
                    if not taken:
                        await asyncio.sleep(RETRY_SECONDS)
                await asyncio.sleep(LOOK_SECONDS)

    def _is_news(self, incident: Incident) -> bool:
        return incident.closed is None or self._clock() - incident.closed < RESOLVED_TOLD

    def _alerts(self, incidents: Sequence[Incident], told: Mapping[str, Mapping[str, str]]) -> list[Alert]:
        now = self._clock()
        labels = {each.id: self._labels(each) for each in incidents}
        # Labels are what an alert is: with others it is another one, and the one before is over.
        changed: list[Alert] = [
            {"labels": old, "endsAt": _time(now)} for incident, old in told.items() if labels.get(incident) != old
        ]
        return changed + [self._alert(each, labels[each.id], now) for each in incidents]

    def _labels(self, incident: Incident) -> Mapping[str, str]:
        inventory = self._inventory()
        root = inventory.targets.get(incident.root)
        site = inventory.sites.get(root.site) if root else None
        labels = {
            "alertname": "CommuneIncident", "incident": incident.id, "target": incident.root,
            "cause": incident.cause.value, "severity": incident.severity.value, "state": incident.state.value,
            "site": site.id if site else "", "area": site.area if site else "", "provider": root.provider if root else "",
        }  # fmt: skip
        return {name: value for name, value in labels.items() if value}

    def _alert(self, incident: Incident, labels: Mapping[str, str], now: datetime) -> Alert:
        words, inventory = WORDS[self._peers.language], self._inventory()
        root = inventory.targets.get(incident.root)
        site = inventory.sites.get(root.site) if root else None
        where = f" – {site.name}" if site else ""
        annotations = {
            "summary": f"{words.states[incident.state]}: {words.name(root, incident.root)}{where}",
            "description": f"{words.trouble(incident.reason, incident.says)}; {words.causes[incident.cause]}. "
            + words.why.get(incident.why, ""),
            "impact": str(len(incident.impact)),
        }
        alert: Alert = {
            "labels": labels,
            "annotations": annotations,
            "startsAt": _time(incident.began),
            "endsAt": _time(incident.closed or now + LASTS),
        }
        if self._board:
            alert["generatorURL"] = f"{self._board}/incidents/{incident.id}"
        return alert

    async def _post(self, session: aiohttp.ClientSession, url: str, alerts: Sequence[Alert]) -> bool:
        """Whether the peer has taken them."""
        peer = place(url)
        try:
            async with session.post(f"{url}/api/v2/alerts", json=alerts, allow_redirects=False) as answer:
                said = "" if answer.status == 200 else f"{answer.status} {(await answer.content.read(300))!r}"
        except (aiohttp.ClientError, TimeoutError) as error:
            said = str(error) or type(error).__name__
        self._on_try(peer, "failed" if said else "sent")
        if said:
            log.warning("Alertmanager %s was not told: %s", peer, said)
        return not said


def place(url: str) -> str:
    """What logs and metrics call a peer: host and port."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")
