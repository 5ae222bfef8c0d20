"""Which Grafana dashboard shows what an incident is about, and when (pure). Their uids are those of dashboards/."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlencode

from monitor.core.model import Cause, Incident, Role, Site, Target
from monitor.core.words import CONFERENCE_SERVERS

BEFORE, AFTER = timedelta(hours=1), timedelta(minutes=30)
"""What is shown around an incident, so that one sees what was usual."""
ENDING = {"vi": "", "en": "-en"}
"""What the uids of the dashboards of a language end with."""


def page_of(base: str, incident: Incident, root: Target | None, site: Site | None, language: str) -> str:
    """Address of the dashboard for an incident, in the reader's language, from before it began to after its end or to now.

    Empty without a base or a root.
    """
    if not base or root is None:
        return ""
    uid, chosen = _dashboard(incident, root, site)
    variables = {f"var-{name}": value for name, value in chosen.items()}
    until = _milliseconds(incident.closed + AFTER) if incident.closed else "now"
    asked = urlencode({**variables, "from": _milliseconds(incident.began - BEFORE), "to": until})
    return f"{base}/d/{uid}{ENDING[language]}?{asked}"


def _dashboard(incident: Incident, root: Target, site: Site | None) -> tuple[str, dict[str, str]]:
    """Uid and variables."""
    if incident.cause is Cause.VANTAGE:
        return "commune-monitor", {}
    if incident.shared is not None:
        return _of_many(dict(incident.shared.by))
    if root.kind in CONFERENCE_SERVERS:
        return "commune-rooms", {}
    if root.role is Role.LINK:
        return "commune-line", {"site": root.site, "target": root.id}
    if root.role is Role.SERVICE and site is not None and site.kind != "commune":
        return "commune-services", {"service": root.id}
    return "commune-site", {"site": root.site}


def _of_many(by: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Where what they have in common can be chosen."""
    if "provider" in by:
        return "commune-providers", {"provider": by["provider"]}
    return "commune-province", {"area": by["area"]} if "area" in by else {}


def _milliseconds(at: datetime) -> str:
    return f"{at.timestamp() * 1000:.0f}"
