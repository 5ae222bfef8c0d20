"""What a real `Metrics` exports of a tiny province that is well: every family of the daemon, with its labels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

from prometheus_client.parser import text_string_to_metric_families

from monitor.core.judge import Judge
from monitor.core.lasthour import ECHO_RTT
from monitor.core.model import Check, Held, Inventory, Observation, Outcome, Reason, Role, Site, State, Target
from monitor.metrics import Metrics, Present
from probes import registry
from probes.icmp import IcmpOptions

NOW = datetime(2026, 11, 27, tzinfo=UTC)
SCRAPED = {"instance": "127.0.0.1:9469", "job": "commune-monitor"}
"""What Prometheus adds to each series."""
COMMUNES = ("xa-a", "xa-b", "xa-c")
CERTIFICATE_ENDS = 4e6
"""In Unix seconds: 46 days after the time at which promtool begins."""

Series = Mapping[str, Mapping[tuple[tuple[str, str], ...], float]]
"""Values by family name and sorted labels."""


def _target(
    id_: str, kind: str, role: Role, provider: str = "", values: Mapping[str, float] | None = None
) -> tuple[Target, Observation]:
    site, _, name = id_.partition("/")
    check = Check(
        id=f"{id_}#echo", target=id_, name="echo", probe="icmp", address="192.0.2.1", options=IcmpOptions(histogram=None),
        interval_seconds=1, timeout_seconds=1, confirm=3, when_failed=State.DOWN, window=10,
    )  # fmt: skip
    target = Target(
        id=id_, site=site, name=name, role=role, kind=kind, checks=(check,), provider=provider, circuit=f"C-{id_}" if provider else ""
    )  # fmt: skip
    seen = Observation(
        check=check.id,
        target=id_,
        at=NOW,
        outcome=Outcome.OK,
        reason=Reason.OK,
        values={ECHO_RTT: 0.01, **(values or {})},
    )
    return target, seen


def _commune(site: str) -> list[tuple[Target, Observation]]:
    battery = {"upsOnBattery": 0.0, "upsBatteryLow": 0.0, "upsReplaceBattery": 0.0}
    return [
        _target(f"{site}/tslcd", "tslcd", Role.LINK, "vnpt"),
        _target(f"{site}/internet", "internet", Role.LINK, "viettel" if site != "xa-c" else ""),
        _target(f"{site}/router", "router", Role.DEVICE),
        _target(f"{site}/ups", "ups", Role.DEVICE, values=battery),
        _target(
            f"{site}/website", "website", Role.SERVICE, values={"probe_ssl_earliest_cert_expiry": CERTIFICATE_ENDS}
        ),
    ]


async def _whole(pieces: AsyncIterator[str]) -> str:
    return "".join([piece async for piece in pieces])


def exported() -> Series:
    """All series of a scrape."""
    shared = [
        _target("pop/router", "router", Role.DEVICE),
        _target("center/gateway", "gateway", Role.DEVICE),
        _target("center/lgsp", "lgsp", Role.SERVICE, values={"probe_ssl_earliest_cert_expiry": CERTIFICATE_ENDS}),
    ]
    both = [*shared, *(each for site in COMMUNES for each in _commune(site))]
    targets = {target.id: target for target, _ in both}
    sites = {
        each: Site(id=each, name=f"Nơi {each}", code="1" if each in COMMUNES else "", area="Kim Sơn", latitude=20.5)
        for each in {target.site for target in targets.values()}
    }
    inventory = Inventory(sites=sites, targets=targets, providers={})
    judge = Judge()
    judge.adopt(inventory.checks(), NOW)
    present = Present(
        held={each: Held(target=each, state=State.UP, since=NOW) for each in targets},
        last={seen.check: seen for _, seen in both},
        judge=judge, open_incidents=(), event_counts={}, outbox={}, outbox_oldest_seconds={}, late=0, missed=0, errors=0,
        streams={"icmp": {"late": 0}}, write_errors=0, traps={("unread", "overflow"): 0}, relays={"relay:25": False},
        maintenance={"xa-a/tslcd": False},
    )  # fmt: skip
    metrics = Metrics(registry.load(), lambda: present, "1.2.3")
    metrics.adopt(inventory)
    metrics.reloaded(ok=True, at=NOW)
    for result in ("sent", "failed"):
        metrics.posted("am:9093", result)
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(asyncio.run(_whole(metrics.expose("")[1]))):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted((sample.labels | SCRAPED).items()))] = sample.value
    return found
