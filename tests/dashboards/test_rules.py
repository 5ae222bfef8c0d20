"""The rules of Prometheus: each alert fires when it must and at no other time, on what the daemon exports, with a page for each."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.core.model import Severity
from tests.dashboards.daemon import COMMUNES, SCRAPED
from tests.dashboards.labelled import labelled
from tests.dashboards.promtool import EXPORTED, GROWS, RULES, Changes, Question, growing, hold, selector, then

ROOT = Path(__file__).parents[2]
GROUPS = [group for each in RULES for group in yaml.safe_load(each.read_text(encoding="utf-8"))["groups"]]
ALERTS: Mapping[str, Mapping[str, Any]] = {
    rule["alert"]: rule for group in GROUPS for rule in group["rules"] if "alert" in rule
}
RECORDS: Mapping[str, str] = {
    rule["record"]: rule["expr"] for group in GROUPS for rule in group["rules"] if "record" in rule
}
STATE = "monitor_target_state"
UP, DEGRADED, DOWN, UNREACHABLE, UNKNOWN = range(5)

BEHIND_A = ("xa-a/tslcd", "xa-a/internet", "xa-a/router", "xa-a/ups", "xa-a/website")
EVERYTHING = [dict(labels)["target"] for labels in EXPORTED[STATE]]


# -- cases -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """What is not well from the fifth minute on, and which alerts that makes, each with its labels."""

    says: str
    changes: Changes
    firing: Mapping[float, tuple[Mapping[str, str], ...]] = field(default_factory=dict)
    """By minute, all of them; before the fifth minute there is none."""


def alert(name: str, /, **labels: str) -> Mapping[str, str]:
    """One about the daemon."""
    return {"alertname": name, "severity": ALERTS[name]["labels"]["severity"], **labels}


def own(name: str, /, **labels: str) -> Mapping[str, str]:
    """One about the scraped daemon."""
    return alert(name, **SCRAPED, **labels)


def of(name: str, target: str) -> Mapping[str, str]:
    """One about a target, with all names that are known of it."""
    found = next(dict(labels) for labels in EXPORTED[STATE] if ("target", target) in labels)
    site = next(dict(labels) for labels in EXPORTED["monitor_site_info"] if ("site", found["site"]) in labels)
    link = next((dict(labels) for labels in EXPORTED["monitor_link_info"] if ("target", target) in labels), {})
    of_line = {key: link[key] for key in ("provider", "circuit") if "Line" in name and key in link}
    names = {key: value for key in ("name", "area", "code") if (value := site[key])}
    return alert(name, **{key: found[key] for key in ("site", "target", "kind", "role")}, **names, **of_line)


def states(*values: float | None, targets: tuple[str, ...] | list[str]) -> Changes:
    """Up for five minutes, then in each of these states for ten; the last one stays."""
    return {(STATE, target): then((UP, 5), *((value, 10) for value in values)) for target in targets}


def gauge(name: str, value: float, where: str = "") -> Changes:
    """A figure that is another one from the fifth minute on."""
    return {(name, where): then((0, 5), (value, 10))}


def gone(*after: tuple[float | None, float]) -> Changes:
    """Nothing is scraped from the fifth minute on; then the values of before, and counters from 0 on."""
    return {
        (name, ""): then(
            (value, 5), (None, 0.75), *((again if again is None else value, long) for again, long in after)
        )
        if not name.endswith(("_total", "_count"))
        else then((0, 5), (None, 0.75), *after, grows=GROWS.get(name, 0))
        for name, family in EXPORTED.items()
        for value in list(family.values())[:1]
    }


RESTARTED = {
    **gone((0, 10)),
    (STATE, ""): then((UP, 5), (None, 0.75), (UNKNOWN, 1), (UP, 10)),
    ("process_start_time_seconds", ""): then((0, 5), (None, 0.75), (345, 10)),
}
"""Gone for 45 seconds, then nothing is known for a minute."""


def upon(*minutes: float, alerts: tuple[Mapping[str, str], ...]) -> Mapping[float, tuple[Mapping[str, str], ...]]:
    return dict.fromkeys(minutes, alerts)


ENDING = {("probe_ssl_earliest_cert_expiry", "xa-a/website"): then((1e6, 10))}
ON_BATTERY = {
    ("upsOnBattery", "xa-a/ups"): then((0, 5), (1, 10), (None, 30), (0, 10)),
    **{(STATE, f"xa-a/{each}"): then((UP, 15), (DOWN, 30), (UP, 1)) for each in ("tslcd", "internet", "router")},
    (STATE, "xa-a/ups"): then((UP, 5), (DEGRADED, 10), (UNREACHABLE, 30), (UP, 1)),
    (STATE, "xa-a/website"): then((UP, 15), (UNREACHABLE, 30), (UP, 1)),
}
LOSING = {
    ("monitor_echo_lost_total", "xa-a/tslcd"): growing(1),
    ("monitor_echo_rtt_seconds_count", "xa-a/tslcd"): growing(14),
}
BLIND = {("monitor_incidents_open", "vantage"): then((0, 5), (1, 10)), **states(UNKNOWN, targets=EVERYTHING)}

CASES = [
    Case("all is well", {}),
    Case("a restart", RESTARTED),
    # lines
    Case(
        "a line is down, and well again",
        states(DOWN, UP, targets=["xa-a/tslcd"]),
        {**upon(8, 14, alerts=(of("CommuneLineDown", "xa-a/tslcd"),)), **upon(6, 17, alerts=())},
    ),
    Case("a line blinks", {(STATE, "xa-a/tslcd"): then((UP, 5), (DOWN, 1.5), (UP, 10))}),
    Case(
        "a line without a provider is down",
        states(DOWN, targets=["xa-c/internet"]),
        upon(8, alerts=(of("CommuneLineDown", "xa-c/internet"),)),
    ),
    Case(
        "a line is down in announced work, and still after it",
        {**states(DOWN, targets=["xa-a/tslcd"]), ("monitor_target_maintenance", "xa-a/tslcd"): then((1, 20), (0, 10))},
        {**upon(8, 19, alerts=()), **upon(23, alerts=(of("CommuneLineDown", "xa-a/tslcd"),))},
    ),
    Case(
        "two of three lines of a provider are down",
        states(DOWN, targets=["xa-a/tslcd", "xa-b/tslcd"]),
        upon(8, alerts=(of("CommuneLineDown", "xa-a/tslcd"), of("CommuneLineDown", "xa-b/tslcd"))),
    ),
    Case(
        "all lines of a provider are down",
        states(DOWN, targets=[f"{site}/tslcd" for site in COMMUNES]),
        upon(8, 14, alerts=(alert("CommuneProviderLinesDown", provider="vnpt"),)),
    ),
    Case(
        "a line loses packets",
        {**LOSING, **states(DEGRADED, targets=["xa-a/tslcd"])},
        upon(12, alerts=(of("CommuneLineLossy", "xa-a/tslcd"),)),
    ),
    Case("a line loses packets, but less than the daemon minds", LOSING),
    Case(
        "a line is slow",
        states(DEGRADED, targets=["xa-a/tslcd"]),
        upon(12, alerts=(of("CommuneLineSlow", "xa-a/tslcd"),)),
    ),
    Case("a line is slow for a moment", {(STATE, "xa-a/tslcd"): then((UP, 5), (DEGRADED, 4), (UP, 10))}),
    # equipment
    Case(
        "a point of presence is down, and all behind it unreachable",
        {
            **{(STATE, each): then((UP, 5), (DOWN, 0.5), (UNREACHABLE, 10)) for each in BEHIND_A},
            **states(DOWN, targets=["pop/router"]),
        },
        upon(8, 30, alerts=(of("CommuneBackboneDown", "pop/router"),)),
    ),
    Case(
        "a device is down, and what is behind it unreachable",
        {**states(DOWN, targets=["xa-a/router"]), **states(UNREACHABLE, targets=["xa-a/ups", "xa-a/website"])},
        upon(8, alerts=(of("CommuneDeviceDown", "xa-a/router"),)),
    ),
    Case(
        "a device is not well",
        states(DEGRADED, targets=["xa-a/router"]),
        upon(16, alerts=(of("CommuneDeviceDegraded", "xa-a/router"),)),
    ),
    Case("a device is not well for a moment", {(STATE, "xa-a/router"): then((UP, 5), (DEGRADED, 9), (UP, 10))}),
    # services
    Case(
        "a shared service is down",
        states(DOWN, targets=["center/lgsp"]),
        upon(8, alerts=(of("CommuneSharedServiceDown", "center/lgsp"),)),
    ),
    Case(
        "a service of one commune is down",
        states(DOWN, targets=["xa-a/website"]),
        upon(8, alerts=(of("CommuneServiceDown", "xa-a/website"),)),
    ),
    Case("services are unreachable", states(UNREACHABLE, targets=["xa-a/website", "center/lgsp"])),
    Case(
        "a service is slow",
        states(DEGRADED, targets=["xa-a/website"]),
        upon(12, alerts=(of("CommuneServiceDegraded", "xa-a/website"),)),
    ),
    Case(
        "a certificate ends in eleven days",
        {**ENDING, **states(DEGRADED, targets=["xa-a/website"])},
        upon(20, 40, alerts=(of("CommuneCertificateEnding", "xa-a/website"),)),
    ),
    Case(
        "a certificate has ended, so no run measures it any more",
        {("probe_ssl_earliest_cert_expiry", "xa-a/website"): then((300, 5), (None, 10)), **states(DOWN, targets=["xa-a/website"])},
        upon(
            20, 40,
            alerts=(of("CommuneCertificateEnding", "xa-a/website"), of("CommuneServiceDown", "xa-a/website")),
        ),
    ),
    Case(
        "what has a bad certificate left the inventory",
        {
            ("probe_ssl_earliest_cert_expiry", "xa-a/website"): then((300, 5), (None, 10)),
            **states(None, targets=["xa-a/website"]),
        },
    ),
    # power
    Case(
        "a power cut, until the battery is empty, and after it",
        ON_BATTERY,
        {**upon(7, 18, 44, alerts=(of("CommuneUpsOnBattery", "xa-a/ups"),)), **upon(46, 48, alerts=())},
    ),
    Case(
        "a battery is low",
        {**gauge("upsBatteryLow", 1, "xa-a/ups"), **gauge("upsOnBattery", 1, "xa-a/ups"), **states(DEGRADED, targets=["xa-a/ups"])},
        upon(7, alerts=(of("CommuneUpsBatteryLow", "xa-a/ups"), of("CommuneUpsOnBattery", "xa-a/ups"))),
    ),
    Case(
        "a battery must be replaced",
        {**gauge("upsReplaceBattery", 1, "xa-a/ups"), **states(DEGRADED, targets=["xa-a/ups"])},
        upon(21, alerts=(of("CommuneUpsReplaceBattery", "xa-a/ups"),)),
    ),
    # the monitor itself
    Case(
        "the daemon is gone",
        gone((None, 10)),
        upon(8, alerts=(alert("CommuneMonitorAbsent"),)),
    ),
    Case(
        "the daemon starts again and again",
        {("process_start_time_seconds", ""): then(*((float(each), 5) for each in range(1, 7)))},
        upon(25, alerts=(own("CommuneMonitorRestarting"),)),
    ),
    Case(
        "nothing is measured",
        {("monitor_observations_total", ""): f"0+100x19 {then((1900, 10))}"},
        upon(10, alerts=(own("CommuneMonitorStalled"),)),
    ),
    Case("there is nothing to measure", {("monitor_observations_total", ""): then((5, 10)), ("monitor_checks", ""): then((0, 9))}),
    Case(
        "the own gateway is down", {**BLIND, (STATE, "center/gateway"): then((UP, 5), (DOWN, 10))},
        upon(8, 30, alerts=(own("CommuneMonitorGatewayDown"),)),
    ),
    Case(
        "the daemon may not ask",
        states(UNKNOWN, targets=EVERYTHING),
        upon(16, alerts=(own("CommuneMonitorBlind"),)),
    ),
    Case("one target is unknown", states(UNKNOWN, targets=["xa-a/router"])),
    Case(
        "runs are late",
        {("monitor_runs_late_total", ""): growing(60)},
        upon(12, alerts=(own("CommuneMonitorChecksLate"),)),
    ),
    Case(
        "runs are left out",
        {("monitor_runs_missed_total", ""): growing(60)},
        upon(12, alerts=(own("CommuneMonitorChecksLate"),)),
    ),
    Case("a run is late now and then", {("monitor_runs_late_total", ""): growing(2)}),
    Case(
        "the loop is late",
        {("monitor_loop_lag_seconds_bucket", ""): growing(1), ("monitor_loop_lag_seconds_bucket", "+Inf"): growing(10)},
        upon(12, alerts=(own("CommuneMonitorLoopLag"),)),
    ),
    Case(
        "there are too many series",
        gauge("monitor_series", 250_000),
        upon(21, alerts=(own("CommuneMonitorTooManySeries"),)),
    ),
    Case("there are many series", gauge("monitor_series", 230_000)),
    Case(
        "traps are thrown away",
        gauge("monitor_traps_total", 300, "overflow"),
        upon(6, alerts=(own("CommuneMonitorTrapsLost", kind="unread", outcome="overflow"),)),
    ),
    Case(
        "an observation is lost",
        gauge("monitor_errors_total", 1),
        upon(6, alerts=(own("CommuneMonitorErrors"),)),
    ),
    Case(
        "the files have a mistake",
        {("monitor_config_last_reload_successful", ""): then((1, 5), (0, 10))},
        upon(11, alerts=(own("CommuneMonitorReloadFailed"),)),
    ),
    Case("a mistake is mended at once", {("monitor_config_last_reload_successful", ""): then((1, 5), (0, 4), (1, 10))}),
    Case(
        "the database cannot be written",
        gauge("monitor_unwritten_seconds", 45),
        upon(7, alerts=(own("CommuneMonitorDatabaseUnwritable"),)),
    ),
    Case("the database is slow", gauge("monitor_unwritten_seconds", 12)),
    Case(
        "mails do not leave",
        gauge("monitor_outbox_oldest_seconds", 400, "deferred"),
        upon(7, alerts=(own("CommuneMonitorMailStuck"),)),
    ),
    Case("mails wait a little", gauge("monitor_outbox_oldest_seconds", 200, "deferred")),
    Case(
        "a mail is refused for good, and sent again by hand",
        {
            **gauge("monitor_mails_total", 1, "refused"),
            ("monitor_outbox_mails", "failed"): then((0, 5), (1, 15), (0, 10)),
        },
        {**upon(6, 19, alerts=(own("CommuneMonitorMailFailed", status="failed"),)), **upon(21, alerts=())},
    ),
    Case("a mail was refused long ago", {("monitor_outbox_mails", "failed"): then((1, 10))}),
    Case(
        "a relay fails",
        gauge("monitor_relay_failing", 1),
        upon(21, alerts=(own("CommuneMonitorRelayFailing", relay="relay:25"),)),
    ),
    Case("a relay fails for a moment", {("monitor_relay_failing", ""): then((0, 5), (1, 10), (0, 9))}),
    Case(
        "signs of life do not arrive",
        {("monitor_heartbeats_total", "failed"): growing(1)},
        upon(12, alerts=tuple(own("CommuneMonitorHeartbeatFailed", way=way, result="failed") for way in ("mail", "url"))),
    ),
    Case(
        "some signs of life do not arrive",
        {("monitor_heartbeats_total", "failed"): growing(1), ("monitor_heartbeats_total", "sent"): growing(1)},
    ),
    Case(
        "an Alertmanager is away",
        {("monitor_alertmanager_posts_total", "failed"): growing(3)},
        upon(7, alerts=(own("CommuneMonitorAlertmanagerUntold", peer="am:9093", result="failed"),)),
    ),
    Case(
        "an Alertmanager is away now and then",
        {("monitor_alertmanager_posts_total", "failed"): growing(1), ("monitor_alertmanager_posts_total", "sent"): growing(1)},
    ),
]  # fmt: skip
BEFORE = {4.75: ()}
QUIET = upon(6, 6.75, 8, 12, 22, alerts=())
"""Of a case that names none: when nothing fires."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_just_these_alerts_fire(case: Case, tmp_path: Path) -> None:
    questions = []
    for minute, alerts in {**BEFORE, **(case.firing or QUIET)}.items():
        samples = [(selector("ALERTS", {"alertstate": "firing", **each}), 1.0) for each in alerts]
        questions.append(Question('ALERTS{alertstate="firing"}', minute, samples))
    hold(tmp_path, case.changes, questions)


def test_each_alert_fires_in_a_case() -> None:
    fired = {each["alertname"] for case in CASES for alerts in case.firing.values() for each in alerts}
    assert fired == set(ALERTS)


# -- recording rules -------------------------------------------------------------------------------------------------

HOUR = 60
LOSES = {
    ("monitor_echo_lost_total", "xa-a/tslcd"): growing(5),
    ("monitor_echo_rtt_seconds_count", "xa-a/tslcd"): growing(10),
}


@pytest.mark.parametrize(
    ("record", "labels", "value"),
    [
        ("target:monitor_echo_lost:ratio_rate5m", {"site": "xa-a", "target": "xa-a/tslcd"}, 1 / 3),
        ("commune:monitor_echo_lost:ratio_rate5m", {"site": "xa-a"}, 5 / 30),
        ("provider:monitor_echo_lost:ratio_rate5m", {"provider": "vnpt"}, 5 / 45),
        ("provider:monitor_echo_lost:ratio_rate5m", {"provider": "viettel"}, 0),
    ],
)
def test_loss_is_of_all_echoes(record: str, labels: Mapping[str, str], value: float, tmp_path: Path) -> None:
    hold(
        tmp_path,
        LOSES,
        [Question(f"round({selector(record, labels)}, 1e-6)", 8, [(selector("", labels), round(value, 6))])],
    )


@pytest.mark.parametrize(
    ("record", "labels", "value"),
    [
        ("target:monitor_target_available:avg1h", {"target": "xa-a/tslcd"}, 0.5),
        ("target:monitor_target_available:avg1h", {"target": "xa-a/internet"}, 1),
        ("target:monitor_target_available:avg1h", {"target": "xa-b/website"}, 45 / 50),
        ("provider:monitor_target_available:avg1h", {"provider": "vnpt"}, 2.5 / 3),
        ("commune:monitor_target_available:avg1h", {"site": "xa-a"}, 4.5 / 5),
        ("commune:monitor_target_available:avg1h", {"site": "xa-c"}, 1),
        (
            "provider:monitor_target_available:avg1d",
            {"provider": "vnpt"},
            (1 + 2 * 2.5 / 3) / 3,
        ),  # at 0, 1 and 2 o'clock
    ],
)
def test_availability_counts_unknown_time_for_nobody(
    record: str, labels: Mapping[str, str], value: float, tmp_path: Path
) -> None:
    half = " ".join(["0+0x29 2+0x29"] * 3)
    mostly = " ".join(["0+0x29 4+0x9 3+0x4 1+0x14"] * 3)  # known for 50 minutes, unreachable for 5
    changes = {(STATE, "xa-a/tslcd"): half, (STATE, "xa-b/website"): mostly}
    # A window of an hour has 61 samples, both ends are in it.
    close = f"abs(sum by ({next(iter(labels))}) ({selector(record, labels)}) - {value}) < bool 0.02"
    hold(tmp_path, changes, [Question(close, 2 * HOUR + 5, [(selector("", labels), 1)])], step=60)


# -- what they name --------------------------------------------------------------------------------------------------


def families() -> dict[str, frozenset[str]]:
    """Labels of what the daemon exports and of what the rules record."""
    found = {name: frozenset(key for labels in series for key, _ in labels) for name, series in EXPORTED.items()}
    for name, expr in RECORDS.items():
        found[name] = labelled(expr, found)
    return found


FAMILIES = families()


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_names_only_what_there_is(name: str) -> None:
    labels = labelled(ALERTS[name]["expr"], FAMILIES)
    annotations = ALERTS[name]["annotations"]
    named = set(re.findall(r"\$labels\.(\w+)", " ".join(annotations.values())))
    assert named <= labels
    assert set(annotations) == {"summary", "description", "summary_en", "description_en", "runbook_url"}
    assert ALERTS[name]["labels"] == {"severity": Severity(ALERTS[name]["labels"]["severity"]).value}


@pytest.mark.parametrize(
    "expr",
    [
        "monitor_nothing",
        'monitor_target_state{nothing="1"}',
        "sum by (nothing) (monitor_target_state)",
        "monitor_target_state and on (role) monitor_link_info",
        "monitor_target_state * on (site) group_left (role) monitor_site_info",
    ],
)
def test_what_nobody_exports_is_found(expr: str) -> None:
    with pytest.raises(AssertionError):
        labelled(expr, FAMILIES)


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_called_by_level_metric_and_operations(name: str) -> None:
    level, metric, operations = name.split(":")
    assert re.fullmatch(r"target|link|provider|commune", level)
    assert re.fullmatch(r"[a-zA-Z0-9_]+", metric)
    assert re.fullmatch(r"[a-z0-9_]+", operations)


# -- the files -------------------------------------------------------------------------------------------------------


def test_promtool_has_nothing_to_say_of_the_files() -> None:
    for command in (
        ["rules", "--lint=all", "--lint-fatal", *map(str, RULES)],
        ["config", "--lint=all", str(ROOT / "dashboards/prometheus.yml")],
    ):
        done = subprocess.run(["promtool", "check", *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_reads_all_rules_and_refuses_what_is_beyond_the_alert() -> None:
    settings = yaml.safe_load((ROOT / "dashboards/prometheus.yml").read_text(encoding="utf-8"))
    read = {each for pattern in settings["rule_files"] for each in (ROOT / "dashboards").glob(pattern)}
    assert read == set(RULES)
    limit = next(each["sample_limit"] for each in settings["scrape_configs"] if each["job_name"] == "commune-monitor")
    assert f"> {limit * 4 // 5}" in ALERTS["CommuneMonitorTooManySeries"]["expr"]


def test_each_record_is_on_the_page_of_rules_and_no_other() -> None:
    page = (ROOT / "docs/rules.md").read_text(encoding="utf-8")
    table = page.partition("## Recording rules")[2].partition("\n\n    ")[0]
    assert set(re.findall(r"`(\w+:\w+:\w+)`", table)) == set(RECORDS)


def test_each_alert_has_its_section_of_the_runbooks_and_no_other() -> None:
    page = (ROOT / "docs/runbooks.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL))
    assert set(sections) == set(ALERTS)
    for name, body in sections.items():
        assert ALERTS[name]["annotations"]["runbook_url"].endswith(f"/docs/runbooks.md#{name.lower()}")
        assert re.search(r"^\*\*Nghĩa là\*\*", body, re.MULTILINE), name
        assert re.search(r"^\*\*Việc cần làm\*\*", body, re.MULTILINE), name
        assert re.search(r"^\*In English\*", body, re.MULTILINE), name
