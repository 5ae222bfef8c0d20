"""What Prometheus reads."""

from __future__ import annotations

import asyncio
import math
import subprocess
import weakref
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from monitor.core.judge import Judge
from monitor.core.model import (
    ONLY_MAILED,
    Cause,
    Check,
    Happening,
    Held,
    Inventory,
    Observation,
    Outcome,
    Reason,
    Role,
    Severity,
    Site,
    State,
    Target,
)
from monitor.exposition import AT_ONCE, PIECE_CHARACTERS
from monitor.metrics import ECHO_RTT, INCIDENTS_SHOWN, Metrics, Present
from probes import registry
from probes.icmp import IcmpOptions
from probes.registry import Memory, labelled
from tests.alerts.sample import INCIDENT, NOW

untimed = settings(max_examples=60)
TEXT = st.text(max_size=30)


def target(
    id_: str, kind: str = "router", provider: str = "", circuit: str = "", *, histogram: bool | None = None,
    role: Role = Role.DEVICE, more: Sequence[str] = (),
) -> Target:  # fmt: skip
    """One with an echo, and with `more` echoes of these names."""
    site, _, name = id_.partition("/")
    checks = [
        Check(
            id=f"{id_}#{each}", target=id_, name=each, probe="icmp", address="192.0.2.1",
            options=IcmpOptions(histogram=histogram), interval_seconds=1, timeout_seconds=1, confirm=3,
            when_failed=State.DOWN, window=10,
        )
        for each in ("echo", *more)
    ]  # fmt: skip
    return Target(
        id=id_, site=site, name=name, role=role, kind=kind, checks=tuple(checks), provider=provider, circuit=circuit
    )


def line(id_: str = "a/tslcd") -> Target:
    return target(id_, "tslcd", "vnpt", "C-1", role=Role.LINK)


def inventory(*targets: Target, name: str = "Xã A", area: str = "Kim Sơn") -> Inventory:
    sites = {each.site: Site(id=each.site, name=name, code="1", area=area, latitude=20.5) for each in targets}
    return Inventory(sites=sites, targets={each.id: each for each in targets}, providers={})


def observation(id_: str, outcome: Outcome = Outcome.OK, **more: Any) -> Observation:
    return Observation(check=f"{id_}#echo", target=id_, at=NOW, outcome=outcome, reason=Reason.OK, **more)


async def _whole(pieces: AsyncIterator[str]) -> str:
    return "".join([piece async for piece in pieces])


class Scraped:
    """Metrics over a present that the test sets."""

    def __init__(self, known: Inventory) -> None:
        judge = Judge()
        judge.adopt(known.checks(), NOW)
        self.present = Present(
            held={}, last={}, judge=judge, open_incidents=(), event_counts={}, outbox={},
            outbox_oldest_seconds={}, late=0, missed=0, errors=0, streams={}, write_errors=0,
        )  # fmt: skip
        self.metrics = Metrics(registry.load(), lambda: self.present, "1.2.3")
        self.metrics.adopt(known)

    def echo(self, target_: str, *rtts: float, check: str = "echo") -> None:
        for rtt in rtts:
            seen = observation(target_, values={ECHO_RTT: rtt})
            self.metrics.observed("icmp", seen._replace(check=f"{target_}#{check}"))

    def set(self, **present: Any) -> None:
        for name, value in present.items():
            setattr(self.present, name, value)

    def text(self, accept: str = "") -> str:
        return asyncio.run(_whole(self.metrics.expose(accept)[1]))

    def samples(self) -> Iterator[tuple[str, Mapping[str, str], float]]:
        for family in text_string_to_metric_families(self.text()):
            for sample in family.samples:
                yield sample.name, sample.labels, sample.value

    def value(self, name: str, **labels: str) -> float | None:
        found = [value for each, has, value in self.samples() if each == name and labels.items() <= has.items()]
        assert len(found) <= 1, found
        return found[0] if found else None


def test_a_scrape_is_well_formed_in_the_eyes_of_promtool() -> None:
    scraped = Scraped(inventory(target("a/router"), target("a/tslcd", "tslcd", "vnpt", 'C"1\\', role=Role.LINK)))
    scraped.set(
        last={"a/router#echo": observation("a/router", values={ECHO_RTT: 0.01, labelled("snmp_if_down", ifName="wan1"): 1.0})},
        held={"a/router": Held(target="a/router", state=State.DOWN, since=NOW)},
        streams={"icmp": {"late": 2}},
    )  # fmt: skip
    scraped.echo("a/tslcd", 0.01, 0.02)
    scraped.metrics.mailed("sent")
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=scraped.text(), text=True, capture_output=True, check=False
    )
    # The labels of SNMP measurements are named as in the MIBs; promtool would rather have snake_case.
    assert [line for line in checked.stderr.splitlines() if "snake_case" not in line] == []
    assert checked.returncode in (0, 3), "3: only remarks"


def test_no_family_is_told_twice_and_each_has_help_and_type() -> None:
    scraped = Scraped(inventory(target("a/router")))
    lines = scraped.text().splitlines()
    for mark in ("# HELP ", "# TYPE "):
        names = [line.split(" ")[2] for line in lines if line.startswith(mark)]
        assert len(names) == len(set(names))
    series = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
    assert len(series) == len(set(series))


@untimed
@given(name=TEXT, area=TEXT, circuit=TEXT.filter(bool), label=TEXT)
def test_any_text_in_a_label_comes_out_as_it_went_in(name: str, area: str, circuit: str, label: str) -> None:
    scraped = Scraped(inventory(target("a/tslcd", "tslcd", "vnpt", circuit), name=name, area=area))
    one_line = label.replace("\n", " ")
    scraped.set(last={"a/tslcd#echo": observation("a/tslcd", values={labelled("snmp_if_down", ifName=label): 1.0})})
    body = scraped.text()
    found = {sample.name: sample.labels for family in text_string_to_metric_families(body) for sample in family.samples}
    assert (found["monitor_site_info"]["name"], found["monitor_site_info"]["area"]) == (name, area)
    assert found["monitor_link_info"]["circuit"] == circuit
    assert found["snmp_if_down"]["ifName"] == one_line


def test_open_incidents_are_told_by_name_the_most_severe_and_newest_first_and_not_all_of_a_flood() -> None:
    scraped = Scraped(inventory(target("a/router")))
    flood = [replace(INCIDENT, id=str(each), began=NOW + timedelta(seconds=each)) for each in range(INCIDENTS_SHOWN)]
    worst = replace(INCIDENT, severity=Severity.CRITICAL, began=NOW - timedelta(days=1))
    scraped.set(open_incidents=(*flood, worst))
    told = [has for name, has, _ in scraped.samples() if name == "monitor_incident_info"]
    assert told[0] == {
        "incident": INCIDENT.id, "site": "xa-kim-dong", "target": INCIDENT.root, "cause": "link", "severity": "critical",
    }  # fmt: skip
    assert [each["incident"] for each in told[1:]] == [str(each) for each in reversed(range(1, INCIDENTS_SHOWN))]


def test_openmetrics_is_well_formed_and_tells_the_same() -> None:
    scraped = Scraped(inventory(target("a/router"), line()))
    octets = labelled("ifHCInOctets", ifName="wan1")
    scraped.set(last={"a/router#echo": observation("a/router", values={ECHO_RTT: 0.01, octets: 7.0})}, late=3)
    scraped.echo("a/tslcd", 0.01, 0.02)
    families = {each.name: each for each in openmetrics(scraped.text("application/openmetrics-text; version=1.0.0"))}
    assert families["ifHCInOctets"].type == "unknown", "a counter there must end in _total"
    assert families["monitor_runs_late"].type == "counter"
    told = [(sample.name, sample.labels, sample.value) for each in families.values() for sample in each.samples]
    assert _comparable(told) == _comparable(scraped.samples())


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
def test_a_scrape_tells_how_many_series_it_has(accept: str) -> None:
    scraped = Scraped(inventory(target("a/router"), line()))
    scraped.set(
        last={"a/router#echo": observation("a/router", values={labelled("snmp_if_down", ifName="# 1\n# 2"): 1.0})}
    )
    body = scraped.text(accept)
    series = [each for each in body.splitlines() if not each.startswith("#")]
    assert f"monitor_series {len(series)}" in series


def _comparable(samples: Iterable[tuple[str, Mapping[str, str], float]]) -> dict[tuple[object, ...], float]:
    """Without what changes by the moment; the parser of the plain format makes every counter end in `_total`."""
    return {
        (name.removesuffix("_total"), *sorted(has.items())): value
        for name, has, value in samples
        if not name.startswith(("process_", "python_")) and not name.endswith("_created")
    }


def test_a_check_that_measures_other_things_now_has_only_their_series() -> None:
    scraped = Scraped(inventory(target("a/router"), target("b/router")))
    ports = [labelled("snmp_if_down", ifName=each) for each in ("wan1", "100%\0", "lan1")]
    scraped.set(last={"a/router#echo": observation("a/router", values=dict.fromkeys(ports[:2], 1.0))})
    assert {has["ifName"] for name, has, _ in scraped.samples() if name == "snmp_if_down"} == {"wan1", "100%\0"}
    scraped.set(last={"a/router#echo": observation("a/router", values={ports[2]: 0.0})})
    assert [(has["ifName"], value) for name, has, value in scraped.samples() if name == "snmp_if_down"] == [("lan1", 0)]
    scraped.set(last={"a/router#echo": observation("a/router", Outcome.FAILED)})
    assert scraped.value("snmp_if_down") is None
    assert scraped.value("probe_success", target="a/router") == 0


def test_checks_that_measure_the_same_have_labels_of_their_own() -> None:
    scraped = Scraped(inventory(target("a/router"), target("b%s/router")))
    scraped.set(last={f"{each}#echo": observation(each, values={ECHO_RTT: 0.5}) for each in ("a/router", "b%s/router")})
    told = {has["site"]: value for name, has, value in scraped.samples() if name == "probe_icmp_duration_seconds"}
    assert told == {"a": 0.5, "b%s": 0.5}


def test_nothing_of_a_run_is_kept_after_the_scrape() -> None:
    scraped = Scraped(inventory(target("a/router")))
    values = Memory({ECHO_RTT: 0.5})
    seen = weakref.ref(values)
    scraped.set(last={"a/router#echo": observation("a/router", values=values)})
    assert scraped.value("probe_icmp_duration_seconds") == 0.5
    del values
    scraped.set(last={})
    assert seen() is None


def test_a_large_scrape_comes_in_small_pieces_and_has_pauses_before_the_first() -> None:
    many = [target(f"a/x{number}") for number in range(4000)]
    scraped = Scraped(inventory(*many))
    ports = {labelled("snmp_if_down", ifName=f"p{number}"): 1.0 for number in range(8)}
    scraped.set(last={each.checks[0].id: observation(each.id, values=ports) for each in many})
    pieces = list(scraped.metrics._text(openmetrics=False))
    assert pieces.count("") >= 4000 // AT_ONCE
    assert max(map(len, pieces)) < PIECE_CHARACTERS * 1.5
    assert sum(map(len, pieces)) > 10 * PIECE_CHARACTERS


@pytest.mark.parametrize("value", [10**400, None, "many", object()])
def test_a_value_that_is_no_number_spoils_nothing_else(value: Any) -> None:
    scraped = Scraped(inventory(target("a/router")))
    scraped.set(last={"a/router#echo": observation("a/router", values={"probe_odd": value, "probe_yes": True})})
    assert math.isnan(scraped.value("probe_odd") or 0)
    assert scraped.value("probe_yes") == 1


def test_a_reload_in_the_middle_of_a_scrape_does_not_break_it() -> None:
    scraped = Scraped(inventory(target("a/router"), target("b/router")))
    scraped.set(last={f"{each}#echo": observation(each) for each in ("a/router", "b/router")})

    async def scrape() -> list[str]:
        _, slow = scraped.metrics.expose("")
        begun = [await anext(slow)]
        scraped.metrics.adopt(inventory(target("c/router")))
        scraped.set(last={"c/router#echo": observation("c/router")})
        other = await _whole(scraped.metrics.expose("")[1])
        return [other, "".join([*begun, *[piece async for piece in slow]])]

    other, slow = asyncio.run(scrape())
    assert 'probe_success{site="c"' in other
    assert slow.count("monitor_build_info{") == 1


@pytest.mark.parametrize(
    ("state", "number"),
    [(State.UP, 0), (State.DEGRADED, 1), (State.DOWN, 2), (State.UNREACHABLE, 3), (State.UNKNOWN, 4)],
)
def test_a_state_is_told_as_its_number(state: State, number: int) -> None:
    scraped = Scraped(inventory(target("a/router")))
    scraped.set(held={"a/router": Held(target="a/router", state=state, since=NOW)})
    assert scraped.value("monitor_target_state", target="a/router", site="a", kind="router", role="device") == number


def test_maintenance_is_told_of_targets_that_have_a_window_and_of_no_others() -> None:
    scraped = Scraped(inventory(target("a/router"), target("b/router"), target("c/router")))
    scraped.set(maintenance={"a/router": True, "b/router": False})
    found = {has["target"]: value for name, has, value in scraped.samples() if name == "monitor_target_maintenance"}
    assert found == {"a/router": 1.0, "b/router": 0.0}


def test_a_target_that_was_never_judged_is_unknown() -> None:
    assert Scraped(inventory(target("a/router"))).value("monitor_target_state", target="a/router") == 4


def test_a_check_that_was_never_run_has_no_series_and_one_that_failed_has_zero() -> None:
    scraped = Scraped(inventory(target("a/router"), target("b/router")))
    scraped.set(last={"a/router#echo": observation("a/router", Outcome.FAILED, duration_seconds=0.25)})
    assert scraped.value("probe_success", target="a/router", check="echo") == 0
    assert scraped.value("probe_duration_seconds", target="a/router") == 0.25
    assert scraped.value("probe_success", target="b/router") is None


@untimed
@given(value=st.floats(min_value=-1e300, max_value=1e300) | st.sampled_from((math.nan, math.inf, -math.inf)))
def test_any_number_is_told_exactly_enough(value: float) -> None:
    scraped = Scraped(inventory(target("a/router")))
    scraped.set(last={"a/router#echo": observation("a/router", values={"snmp_uptime_seconds": value})})
    told = scraped.value("snmp_uptime_seconds", target="a/router")
    assert told is not None
    assert (math.isnan(told) and math.isnan(value)) or math.isclose(told, value, rel_tol=1e-13)


def test_observations_are_counted_by_kind_and_outcome() -> None:
    scraped = Scraped(inventory(target("a/router")))
    for outcome in (Outcome.OK, Outcome.OK, Outcome.FAILED, Outcome.INCONCLUSIVE):
        scraped.metrics.observed("icmp", observation("a/router", outcome))
    counts = [scraped.value("monitor_observations_total", probe="icmp", outcome=each.value) for each in Outcome]
    assert counts == [2, 1, 1]
    assert scraped.value("monitor_observations_total", probe="tcp", outcome="ok") == 0
    assert scraped.metrics.observations_total() == 4


def test_echoes_from_before_the_first_scrape_have_all_their_labels() -> None:
    scraped = Scraped(inventory(line()))
    scraped.echo("a/tslcd", 0.01)
    assert scraped.value("monitor_echo_rtt_seconds_count", site="a", target="a/tslcd") == 1


def test_losses_are_counted_for_every_target_with_an_echo_from_zero_on() -> None:
    scraped = Scraped(inventory(target("a/router"), line()))
    assert scraped.value("monitor_echo_lost_total", site="a", target="a/tslcd") == 0
    scraped.metrics.observed("icmp", observation("a/router", Outcome.FAILED))
    scraped.metrics.observed("icmp", observation("a/router", Outcome.FAILED, out_of_turn=True))
    scraped.metrics.observed("icmp", observation("gone/router", Outcome.FAILED))
    assert scraped.value("monitor_echo_lost_total", site="a", target="a/router") == 1


@pytest.mark.parametrize(
    ("role", "histogram", "kept"),
    [
        (Role.LINK, None, True), (Role.DEVICE, None, False), (Role.SERVICE, None, False), (Role.LINK, False, False),
        (Role.DEVICE, True, True),
    ],
)  # fmt: skip
def test_histograms_are_kept_for_lines_or_as_the_option_says(role: Role, histogram: bool | None, kept: bool) -> None:
    scraped = Scraped(inventory(target("a/x", role=role, histogram=histogram)))
    scraped.echo("a/x", 0.01, 0.02)
    told = {name for name, has, _ in scraped.samples() if has.get("target") == "a/x"}
    histograms = {f"monitor_echo_{of}_seconds_{end}" for of in ("rtt", "jitter") for end in ("bucket", "sum", "count")}
    assert told & histograms == (histograms if kept else set())


def test_jitter_is_the_difference_of_a_round_trip_to_the_one_before() -> None:
    scraped = Scraped(inventory(line()))
    scraped.echo("a/tslcd", 0.010)
    assert scraped.value("monitor_echo_jitter_seconds_count") == 0, "one alone has no difference"
    scraped.echo("a/tslcd", 0.014, 0.012, 0.212)
    assert [scraped.value("monitor_echo_jitter_seconds_bucket", le=each) for each in ("0.001", "0.005", "0.1", "+Inf")] == [
        0, 2, 2, 3,
    ]  # fmt: skip
    assert math.isclose(scraped.value("monitor_echo_jitter_seconds_sum") or 0, 0.206)


def test_echoes_of_two_sizes_have_one_histogram_and_no_jitter_from_one_to_the_other() -> None:
    scraped = Scraped(inventory(target("a/x", role=Role.LINK, more=["large"])))
    for _ in range(2):
        scraped.echo("a/x", 0.01)
        scraped.echo("a/x", 0.05, check="large")
    assert scraped.value("monitor_echo_rtt_seconds_count") == 4
    assert scraped.value("monitor_echo_jitter_seconds_count") == 2
    assert scraped.value("monitor_echo_jitter_seconds_sum") == 0


@untimed
@given(rtts=st.lists(st.floats(min_value=0, max_value=3), max_size=30))
def test_the_histogram_of_round_trips_counts_each_once_and_only_grows(rtts: list[float]) -> None:
    scraped = Scraped(inventory(line()))
    scraped.echo("a/tslcd", *rtts)
    found = {
        labels["le"]: value for name, labels, value in scraped.samples() if name == "monitor_echo_rtt_seconds_bucket"
    }
    assert list(found.values()) == sorted(found.values())
    for bound, count in found.items():
        assert count == sum(rtt <= float(bound) for rtt in rtts)
    if rtts:
        assert found["+Inf"] == scraped.value("monitor_echo_rtt_seconds_count") == len(rtts)
        assert math.isclose(scraped.value("monitor_echo_rtt_seconds_sum") or 0, sum(rtts), rel_tol=1e-6, abs_tol=1e-9)


def test_a_target_that_left_leaves_no_series_and_the_counters_of_the_others_go_on() -> None:
    scraped = Scraped(inventory(line("a/line"), line("b/line")))
    for each in ("a/line", "b/line"):
        scraped.echo(each, 0.01)
        scraped.metrics.observed("icmp", observation(each, Outcome.FAILED))
    scraped.set(last={f"{each}#echo": observation(each) for each in ("a/line", "b/line")})
    assert scraped.value("monitor_echo_rtt_seconds_count", target="b/line") == 1
    scraped.metrics.adopt(inventory(line("a/line")))
    scraped.set(last={"a/line#echo": observation("a/line")})
    assert "b/line" not in scraped.text()
    assert scraped.value("monitor_echo_rtt_seconds_count", target="a/line") == 1
    assert scraped.value("monitor_echo_lost_total", target="a/line") == 1
    assert scraped.value("monitor_observations_total", probe="icmp", outcome="ok") == 2


def test_an_echo_that_keeps_a_histogram_since_a_reload_has_one_and_the_other_has_none_left() -> None:
    scraped = Scraped(inventory(target("a/x", histogram=True), target("a/y")))
    scraped.metrics.adopt(inventory(target("a/x"), target("a/y", histogram=True)))
    scraped.echo("a/x", 0.01)
    scraped.echo("a/y", 0.01)
    assert [scraped.value("monitor_echo_rtt_seconds_count", target=each) for each in ("a/x", "a/y")] == [None, 1]


def test_the_loss_is_that_of_the_judges_window() -> None:
    scraped = Scraped(inventory(target("a/router")))
    assert scraped.value("monitor_loss_ratio", target="a/router") is None
    for number in range(4):
        outcome = Outcome.FAILED if number == 2 else Outcome.OK
        reason = Reason.TIMEOUT if number == 2 else Reason.OK
        seen = observation("a/router", outcome)._replace(at=NOW + timedelta(seconds=number), reason=reason)
        scraped.present.judge.observe(seen)
    assert scraped.value("monitor_loss_ratio", target="a/router") == 0.25


def test_every_status_cause_and_happening_has_its_series_from_the_start() -> None:
    scraped = Scraped(inventory(target("a/router")))
    found = list(scraped.samples())
    still_open = {
        (labels["cause"], labels["severity"]) for name, labels, _ in found if name == "monitor_incidents_open"
    }
    assert still_open == set(product(Cause, Severity))
    pairs = {(labels["cause"], labels["what"]) for name, labels, _ in found if name == "monitor_incident_events_total"}
    assert pairs == {(cause.value, what.value) for cause in Cause for what in set(Happening) - ONLY_MAILED}
    statuses = {labels["status"] for name, labels, _ in found if name == "monitor_outbox_mails"}
    assert statuses == {"queued", "sending", "deferred", "held", "summed", "sent", "failed", "superseded"}


def test_the_daemons_own_figures_are_those_of_the_present() -> None:
    scraped = Scraped(inventory(target("a/router")))
    scraped.set(
        open_incidents=(INCIDENT, INCIDENT, replace(INCIDENT, severity=Severity.CRITICAL)), event_counts={("link", "opened"): 3}, outbox={"deferred": 7},
        outbox_oldest_seconds={"deferred": 61.5}, late=1, missed=2, errors=3, write_errors=4, streams={"icmp": {"late": 5}},
        relays={"mail.example:25": True, "backup.example:25": False},
    )  # fmt: skip
    scraped.metrics.tried("mail.example:25", "timeout")
    assert scraped.value("monitor_relay_failing", relay="mail.example:25") == 1
    assert scraped.value("monitor_relay_failing", relay="backup.example:25") == 0
    assert scraped.value("monitor_relay_tries_total", relay="mail.example:25", result="timeout") == 1
    assert scraped.value("monitor_incidents_open", cause="link", severity="minor") == 2
    assert scraped.value("monitor_incidents_open", cause="link", severity="critical") == 1
    assert scraped.value("monitor_incident_events_total", cause="link", what="opened") == 3
    assert scraped.value("monitor_outbox_mails", status="deferred") == 7
    assert scraped.value("monitor_outbox_oldest_seconds", status="deferred") == 61.5
    assert scraped.value("monitor_outbox_oldest_seconds", status="queued") == 0
    assert [
        scraped.value(f"monitor_{each}_total") for each in ("runs_late", "runs_missed", "errors", "store_errors")
    ] == [1, 2, 3, 4]
    assert scraped.value("monitor_stream_happenings_total", probe="icmp", what="late") == 5
    assert scraped.value("monitor_build_info", version="1.2.3") == 1


def test_a_large_counter_of_ours_does_not_stand_still() -> None:
    scraped = Scraped(inventory(target("a/router")))
    values = []
    for late in (12_345_678, 12_345_679):
        scraped.set(late=late)
        values.append(scraped.value("monitor_runs_late_total"))
    assert values == [12_345_678, 12_345_679]


def test_a_reload_that_failed_is_told_and_the_time_of_the_last_good_one_stays() -> None:
    scraped = Scraped(inventory(target("a/router")))
    scraped.metrics.reloaded(True, NOW)
    scraped.metrics.reloaded(False, NOW + timedelta(hours=1))
    assert scraped.value("monitor_config_last_reload_successful") == 0
    assert scraped.value("monitor_config_last_reload_success_timestamp_seconds") == NOW.timestamp()


def test_mails_are_counted_by_result() -> None:
    scraped = Scraped(inventory(target("a/router")))
    for result in ("retry", "retry", "sent"):
        scraped.metrics.mailed(result)
    assert [scraped.value("monitor_mails_total", result=each) for each in ("retry", "sent")] == [2, 1]
