"""How many series a check makes, by real peers: as many as the page of metrics says, and none that grow by themselves."""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from monitor.core.model import Check, Inventory, Observation, Outcome, Role, State, Target
from monitor.inventory.load import load_inventory
from probes import registry
from probes.engine.echo import EchoStream
from probes.registry import COMMON_METRICS, Result
from tests.alerts.sample import NOW
from tests.monitor.test_metrics import Scraped
from tests.monitor.test_metrics import inventory as inventory_of
from tests.probes.calls import KEY
from tests.probes.h323_peers import Gatekeeper
from tests.probes.peers import GIVE_UP_SECONDS, LOOPBACK, ask, eventually, make_request
from tests.probes.rooms import MONITOR, MONITOR_PASSWORD, ROOM, Baresip, Registrar, asked_through
from tests.probes.telling import PASSWORD, SHIPPED, USER
from tests.test_docs import section

CONFIG = Path(__file__).parents[2] / "config"
LABELS = {
    "site",
    "target",
    "kind",
    "check",
    "role",
    "phase",
    "ifName",
    "sensor",
    "le",
    "provider",
    "circuit",
    "name",
    "part",
    "disk",
    "supply",
    "direction",
    "dscp",
    "type",
    "at",
}
"""Of the series of a target; each has few values, or as many as the inventory has names."""
QUERY = "/?q=only-here"


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the page, by a peer."""

    row: str
    kind: str
    peer: str
    """Name of its fixture."""
    options: Callable[[Any], Mapping[str, Any]]
    role: Role = Role.DEVICE
    more: Mapping[str, int] = field(default_factory=dict)
    """How often further rows add theirs."""


PORT, DISCARDS, UPS, SENSOR = (
    f"`snmp`, more {what}"
    for what in ("for a port", "for a port with `discards`", "with `ups`", "for a sensor with `temperatures`")
)

ICE = "`webrtc-room`, more with `ice`"
LOGIN, THROUGH, LOOP = "`sip`, more with `password`", "`sip`, more with `through`", "`turn`, more with `loop`"
LOCATION = "`h323`, more for `location`"
MARKING = "`path`, more for a marking"
OF_ROOM = "`room-api`, more for one of [`values`](probes.md#values-of-a-document)"

CASES = [
    Case("`icmp`", "icmp", "", lambda _: {}),
    Case("`icmp`, with histograms", "icmp", "", lambda _: {}, Role.LINK),
    Case("`tcp`", "tcp", "nginx", lambda nginx: {"port": nginx.http}),
    Case(
        "`tls`", "tls", "nginx", lambda nginx: {"port": nginx.https, "server_name": "good.example", "ca": nginx.ca}
    ),
    Case("`http`", "http", "nginx", lambda nginx: {"url": nginx.page(QUERY)}),
    Case(
        "`http`, over TLS", "http", "nginx", lambda nginx: {"url": nginx.page(QUERY, tls="good.example"), "ca": nginx.ca}
    ),
    Case("`dns`", "dns", "dnsmasq", lambda dnsmasq: {"port": dnsmasq.port, "name": "good.example"}),
    Case("`smtp`", "smtp", "plain_mail_port", lambda port: {"port": port}),
    Case("`smtp`, with STARTTLS", "smtp", "mail_port", lambda port: {"port": port, "starttls": True, "verify": False}),
    Case("`sip`", "sip", "kamailio", lambda kamailio: {"port": kamailio.port}),
    Case(
        "`sip`, over TLS", "sip", "registrar", lambda registrar: {
            "port": registrar.tls, "transport": "tls", "ca": registrar.ca, "user": "locked", "username": MONITOR,
            "password": {"file": MONITOR_PASSWORD},
        }, more={LOGIN: 1},
    ),
    Case(
        "`sip`", "sip", "registered", lambda registrar: asked_through(registrar, ROOM), more={THROUGH: 1},
    ),
    Case("`h323`", "h323", "gatekeeper", lambda gatekeeper: {"port": gatekeeper.port, "ask": "location", "alias": "1"}, more={LOCATION: 1}),
    Case("`stun`", "stun", "coturn", lambda coturn: {"port": coturn.port}),
    Case(
        "`stun`, over TLS", "stun", "coturn",
        lambda coturn: {"port": coturn.tls, "transport": "tls", "ca": coturn.ca, **coturn.login},
    ),
    Case("`turn`", "turn", "coturn", lambda coturn: {"port": coturn.port, "loop": True, **coturn.login}, more={LOOP: 1}),
    Case(
        "`turn`, over TLS", "turn", "coturn",
        lambda coturn: {"port": coturn.tls, "transport": "tls", "ca": coturn.ca, **coturn.login},
    ),
    Case("`media`", "media", "reflecting", lambda peer: {"port": peer.port, "key": {"file": KEY}, "duration": 0.2}),
    Case(
        "`path`", "path", "reflecting", lambda peer: {"port": peer.port, "key": {"file": KEY}, "dscp": [46]},
        more={MARKING: 1},
    ),
    Case(
        "`webrtc-room`", "webrtc-room", "meet",
        lambda meet: {"url": f"https://meet.example:{meet.port}/hop", "ca": meet.ca, "ice": True}, more={ICE: 1},
    ),
    Case(
        "`room-api`", "room-api", "telling", lambda telling: {
            "api": "roomos", "port": telling.port, "server_name": "cisco.example", "ca": telling.ca, "user": USER,
            "password": {"file": PASSWORD}, "values": SHIPPED["roomos"],
        }, more={OF_ROOM: 10},
    ),
    Case("`snmp`", "snmp", "agent", lambda agent: agent.v2c),
    Case("`snmp`", "snmp", "agent", lambda agent: {**agent.v2c, "interfaces": ["lo"]}, more={PORT: 1}),
    Case(
        "`snmp`", "snmp", "agent", lambda agent: {**agent.v2c, "interfaces": ["lo"], "discards": True},
        more={PORT: 1, DISCARDS: 1},
    ),
    Case("`snmp`", "snmp", "battery", lambda battery: {**battery.v2c, "ups": True}, more={UPS: 1}),
    Case("`snmp`", "snmp", "warm", lambda warm: {**warm.v2c, "temperatures": True}, more={SENSOR: 2}),
]  # fmt: skip


@pytest.fixture
def registered(registrar: Registrar, room: Baresip) -> Registrar:
    """The registrar of a room."""
    return registrar


@pytest.fixture
def gatekeeper() -> Iterator[Gatekeeper]:
    """One that knows a room, in a loop of its own, for the check runs in another."""
    loop, peer = asyncio.new_event_loop(), Gatekeeper({"1": (LOOPBACK, 1720)})
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(peer.__aenter__(), loop).result(GIVE_UP_SECONDS)
        yield peer
        asyncio.run_coroutine_threadsafe(peer.__aexit__(), loop).result(GIVE_UP_SECONDS)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def documented() -> dict[str, int]:
    """Series by row of the page."""
    rows = re.findall(r"^\| (`[\w-]+`[^|]*?) \| (\d+) \|", section("docs/metrics.md", "How many series"), re.MULTILINE)
    return {name: int(count) for name, count in rows}


def whole(role: Role, *checks: tuple[str, bool, Mapping[str, int]]) -> int:
    """Series of a target by the page, given row, window and further rows of its checks."""
    said = documented()
    return (2 if role is Role.LINK else 1) + sum(
        2 + window + said[row] + sum(times * said[each] for each, times in more.items()) for row, window, more in checks
    )


def of_target(scraped: Scraped) -> dict[str, Mapping[str, str]]:
    """All series of the target by their text."""
    return {f"{name}{sorted(has.items())}": has for name, has, _ in scraped.samples() if has.get("target") == "xa/one"}


async def _results(case: Case, peer: Any) -> tuple[Result, Result]:
    """A good run with all that the kind can measure, and one that fails."""
    if case.kind == "icmp":
        return await _echoes()
    memory: dict[str, Any] = {}
    options = case.options(peer)
    good = await ask(case.kind, memory=memory, **options)
    if "interfaces" in options:
        memory["base"] = replace(memory["base"], at=memory["base"].at - 60)  # a rate wants another poll before
        good = await ask(case.kind, memory=memory, **options)
    closed = {**options, "url": "http://good.example:9/?q=other"} if "url" in options else {**options, "port": 9}
    return good, await ask(case.kind, timeout=0.3, **closed)


async def _echoes() -> tuple[Result, Result]:
    kind = registry.load()["icmp"]
    told: dict[str, list[Result]] = {"good": [], "bad": []}
    stream = EchoStream(lambda check, result, _: told[check].append(result))
    addresses = {"good": LOOPBACK, "bad": "127.0.0.1.invalid"}
    stream.update({check: (make_request(kind, address, 0.2, {}), 0.05) for check, address in addresses.items()})
    task = asyncio.ensure_future(stream.run())
    try:
        await eventually("two echoes, and one that failed", lambda: len(told["good"]) > 1 and bool(told["bad"]))
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    return told["good"][1], told["bad"][0]


def scraped_with(case: Case, options: Any, *results: Result) -> Scraped:
    """A target with this check alone, after these runs."""
    check = Check(
        id="xa/one#it", target="xa/one", name="it", probe=case.kind, address=LOOPBACK, options=options, interval_seconds=1,
        timeout_seconds=1, confirm=3, when_failed=State.DOWN, window=10,
    )  # fmt: skip
    circuit = {"provider": "vnpt", "circuit": "C-1"} if case.role is Role.LINK else {}
    found = Target(id="xa/one", site="xa", name="one", role=case.role, kind="x", checks=(check,), **circuit)
    scraped = Scraped(inventory_of(found))
    for result in results:
        seen = Observation(
            check=check.id, target=check.target, at=NOW, outcome=result.outcome, reason=result.reason,
            values=result.values, evidence=result.evidence, duration_seconds=0.01,
        )  # fmt: skip
        scraped.present.judge.observe(seen)
        scraped.metrics.observed(case.kind, seen)
        scraped.set(last={check.id: seen})
    return scraped


@pytest.mark.parametrize("case", CASES, ids=lambda case: " and ".join([case.row, *case.more]))
def test_a_check_makes_as_many_series_as_the_page_says_whatever_it_meets(
    case: Case, request: pytest.FixtureRequest
) -> None:
    peer = request.getfixturevalue(case.peer) if case.peer else None
    good, bad = asyncio.run(_results(case, peer))
    assert good.outcome is Outcome.OK, good
    assert bad.outcome is not Outcome.OK
    options = make_request(registry.load()[case.kind], LOOPBACK, 1, case.options(peer)).options
    scraped = scraped_with(case, options, good)
    series = of_target(scraped)
    told = whole(case.role, (case.row, True, case.more))
    for row, ratio in ((PORT, "error_ratio"), (DISCARDS, "discard_ratio")):
        if row in case.more:  # a port that carried nothing since has no ratio
            told -= not any(ratio in each for each in series)
    assert len(series) == told
    for has in series.values():
        assert has.keys() <= LABELS
        assert "only-here" not in "".join(has.values())
    after = of_target(scraped_with(case, options, good, bad, good))
    assert after.keys() == series.keys(), "what goes wrong leaves nothing behind"
    assert of_target(scraped_with(case, options, good, bad)).keys() <= series.keys()


def test_every_kind_is_on_the_page_and_no_metric_has_a_label_that_grows() -> None:
    kinds = {name: kind for name, kind in registry.load().items() if kind.module.startswith("probes.")}
    assert {row.strip("`").partition("`")[0] for row in documented()} == set(kinds) == {case.kind for case in CASES}
    metrics = [metric for kind in kinds.values() for metric in kind.metrics]
    assert {label for metric in (*COMMON_METRICS, *metrics) for label in metric.labels} <= LABELS


def _by_page(target: Target) -> int:
    checks = []
    for check in target.checks:
        secure = check.probe == "http" and str(getattr(check.options, "url", "")).startswith("https")
        row = f"`{check.probe}`" + (
            ", with histograms"
            if check.probe == "icmp" and target.role is Role.LINK
            else ", over TLS"
            if secure
            else ""
        )
        ports = len(getattr(check.options, "interfaces", ()))
        more = {
            PORT: ports,
            DISCARDS: ports * getattr(check.options, "discards", False),
            UPS: int(getattr(check.options, "ups", False)),
        }
        checks.append((row, bool(check.window), more))
    return whole(target.role, *checks)


def test_the_sums_of_the_page_are_right() -> None:
    body = section("docs/metrics.md", "How many series")
    example: Inventory = load_inventory(CONFIG / "inventory", None)
    rows = re.findall(r"^\| (?:`([\w-]+)`|the site)[^|]*\| ([\d +×()]+) \| (\d+) \|$", body, re.MULTILINE)
    assert [_value(total) for _, total, _ in rows] == [int(told) for *_, told in rows]
    commune = {each.name: _by_page(each) for each in example.targets.values() if each.site == "xa-binh-luc"}
    assert {name: int(told) for name, _, told in rows if name} == commune
    one = sum(commune.values()) + 1
    communes = {site.id for site in example.sites.values() if site.kind == "commune"}
    all_of_them = len(communes) + sum(_by_page(each) for each in example.targets.values() if each.site in communes)
    assert f"a commune has {one} series, a province of {len(communes)} has {all_of_them:,}" in body
    device = (("`icmp`", True, {}),)
    nation = 3321 * (
        whole(Role.LINK, ("`icmp`, with histograms", True, {})) + 19 * whole(Role.DEVICE, *device)
        + 5 * (whole(Role.DEVICE, ("`snmp`", False, {PORT: 4})) - 1)
        + whole(Role.DEVICE, ("`http`, over TLS", False, {})) - 1 + 1
    )  # fmt: skip
    assert f"= {nation:,}." in body
    more = documented()["`icmp`, with histograms"] - documented()["`icmp`"]
    assert f"{more} × {3321 * 19:,} = {more * 3321 * 19:,} more" in body


def _value(total: str) -> int:
    """Of a sum of numbers and products, whose brackets only show what belongs together."""
    terms = total.replace("(", "").replace(")", "").split("+")
    return sum(math.prod(int(factor) for factor in term.split("×")) for term in terms)
