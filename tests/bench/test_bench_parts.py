"""That the parts of the measurements work, on tiny sizes; never how fast."""

from __future__ import annotations

import asyncio
import cProfile
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import (
    board,
    core,
    daemon,
    echo,
    harness,
    inventory,
    month,
    network,
    profiled,
    province,
    report,
    rtt,
    scheduler,
    scrape,
    setup,
)
from bench.echo import ready_server
from bench.harness import Figures
from bench.turns import ask_all, scrape_turns
from bench.viewers import HURT
from lab.certificates import Authority
from lab.network import namespaces_command
from monitor.core.model import Role, State, Target
from monitor.files import load_all
from monitor.inventory.load import load_inventory
from monitor.web.board import Board
from monitor.web.words import VI
from tests.lab.test_lab_month import small_province
from tests.probes.peers import free_port
from tests.web.province import NOW, Province, commune, inventory_of

ROOT = Path(__file__).parent.parent.parent


def figures(cpu: float) -> Figures:
    return Figures(probes=1000, answered=1000, cpu_seconds=cpu, memory_mib=10, more={"stall": cpu})


def test_rounds_alternate_and_the_ratio_is_to_the_cheapest_peer() -> None:
    order: list[str] = []

    def contender(name: str, cpu: float) -> Figures:
        order.append(name)
        return figures(cpu)

    rows = harness.compare(
        {
            "ours": lambda: contender("ours", 0.1),
            "dear": lambda: contender("dear", 0.4),
            "cheap": lambda: contender("cheap", 0.2),
            "floor": lambda: contender("floor", 0.01),
        },
        2,
    )
    assert order == ["ours", "dear", "cheap", "floor", "floor", "cheap", "dear", "ours"]
    assert {name: row["× best peer"] for name, row in rows.items()} == {
        "ours": 0.5,
        "dear": 2,
        "cheap": 1,
        "floor": 0.05,
    }
    assert rows["dear"]["CPU ms/probe"] == 0.4
    assert rows["dear"]["stall"] == 0.4


def test_a_peer_that_loses_half_is_nobodys_measure() -> None:
    lossy = harness.summary([Figures(probes=10, answered=5, cpu_seconds=0.001, memory_mib=1)])
    rows = harness.with_ratios({"ours": harness.summary([figures(0.2)]), "lossy": lossy})
    assert rows["ours"]["× best peer"] is None


def test_a_contender_that_fails_does_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> Figures:
        raise RuntimeError("it did not start")

    assert list(harness.compare({"broken": broken, "ours": lambda: figures(0.1)}, 1)) == ["ours"]
    assert "broken: it did not start" in capsys.readouterr().err


def test_quantiles() -> None:
    assert harness.quantiles([float(each) for each in range(100)]) == (50, 99, 99)


def test_errors_of_round_trips_are_medians_beside_the_lateness_of_the_far_end() -> None:
    one = {"p50": 1.0, "p99": 2.0, "max": 3.0, "answered": 1.0}
    two = {"p50": 3.0, "p99": 4.0, "max": 9.0, "answered": 0.5}
    assert rtt._row([one, two]) == {
        "p50 ms": 2.0, "p99 ms": 3.0, "p99 min": 2.0, "p99 max": 4.0, "max ms": 9.0, "answered": 0.5,
    }  # fmt: skip
    late = {"far p50": 0.1, "far p99": 0.2, "far max": 0.3}
    row = rtt._row([one | late])
    assert [row[each] for each in ("far end late p50 ms", "p99", "max")] == [0.1, 0.2, 0.3]


_DELAYED = """
import sys
from pathlib import Path
import icmplib
from bench import rtt
from bench.network import raise_network

raise_network()
with rtt._delayed(Path(sys.argv[1])) as lateness:
    answer = icmplib.ping("10.251.3.4", count=3, interval=0.02, timeout=2)
    print(answer.packets_received, answer.min_rtt >= rtt.DELAY * 1000, *lateness(), *lateness())
"""


def test_the_delaying_end_answers_never_too_early_and_tells_how_late(tmp_path: Path) -> None:
    built = echo.build(harness.Run(folder=tmp_path), "delay")
    command = namespaces_command([sys.executable, "-c", _DELAYED, str(built)])
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True, timeout=60)
    received, late_enough, *late = done.stdout.split()
    assert (received, late_enough) == ("3", "True")
    assert 0 <= float(late[0]) <= float(late[2])
    assert late[3:] == ["0.0"] * 3  # nothing was asked in between


def test_cpu_and_memory_of_a_child_and_of_this_process() -> None:
    done, cpu, memory = harness.run_child([sys.executable, "-c", "print(input(), sum(range(10**7)))"], "hello\n")
    assert done.stdout.startswith("hello 4999")
    assert cpu > 0
    assert memory > 0
    assert harness.own_cpu() > 0
    assert harness.own_peak_mib() > 1


def test_a_server_ends_with_its_block(tmp_path: Path) -> None:
    with harness.server(["sleep", "100"], tmp_path / "log") as process:
        assert process.pid in harness.tree(process.pid)
        assert harness.cpu_seconds(process.pid) >= 0
    assert process.poll() is not None


def test_a_missing_peer_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = harness.Run(folder=tmp_path)
    assert not run.has("no-such-program")
    assert run.missing == ["no-such-program"]
    assert "no-such-program" in capsys.readouterr().err


def test_the_setup_knows_every_peer() -> None:
    assert {"fping", "snmpd", "nginx"} <= set(setup.PEERS)


async def test_all_targets_are_asked_in_turns_no_more_at_once_than_allowed() -> None:
    under_way = most = 0

    async def one(target: int) -> bool:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return target > 0

    found = await ask_all(range(5), one, turns=3, at_once=2)
    assert (found.probes, found.answered, most) == (15, 12, 2), "the first turn does not count"


def test_an_exporter_is_scraped_in_turns(tmp_path: Path) -> None:
    (tmp_path / "good").write_text("probe_success 1")
    (tmp_path / "bad").write_text("probe_success 0")
    port = str(free_port())
    listen = f"127.0.0.1:{port}"
    command = [sys.executable, "-m", "http.server", port, "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    with ready_server(command, tmp_path / "log", listen) as process:
        found = scrape_turns(process, [f"http://{listen}/{name}" for name in ("good", "bad")], "success 1", 3, 2)
    assert (found.probes, found.answered) == (6, 3)
    assert found.cpu_seconds >= 0
    assert found.memory_mib > 1


def test_an_unknown_part_is_refused_with_the_list() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "nope"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "echo" in done.stderr


def test_the_inventory_of_a_plan_has_what_the_plan_says(tmp_path: Path) -> None:
    plan = daemon.Plan(communes=3, snmp=7, pages=4)
    sites = [(f"xa-{index}", f"Xã {index}", str(index)) for index in range(3)]
    secrets = {"snmp-community": daemon.COMMUNITY, "bench-ca.pem": Authority(tmp_path).ca.read_text()}
    path = daemon.write(tmp_path / "daemon", daemon.inventory(plan, sites, network.address), secrets)
    _, found, _ = load_all(path)
    kinds = [check.probe for check in found.checks().values()]
    assert kinds.count("icmp") == 3 * 20 + 1  # and the gateway
    assert kinds.count("snmp") == 7
    assert kinds.count("http") == 4


def test_addresses_are_of_the_field_and_differ() -> None:
    found = network.addresses(3321 * 20)
    assert len(set(found)) == len(found)
    assert network.address(network.SITES - 1, 1) == "10.127.255.1"


def test_sums_of_a_scrape() -> None:
    said = daemon.Said('# TYPE a counter\na{x="1",y="2"} 3\na{x="1",y="3"} 4\na_total 9\n', 0.1)
    assert said.total("a", 'x="1"') == 7
    assert said.total("a", 'x="1"', 'y="3"') == 4
    assert said.total("a_total") == 9
    assert said.series == 3


@pytest.mark.parametrize("contender", [scrape.ours, scrape.children, scrape.collector])
def test_a_scrape_has_about_as_many_series_as_asked_for(contender: Callable[[int], Figures]) -> None:
    found = contender(1500)
    assert 1300 <= found.more["series"] <= 1700
    assert found.more["longest stall ms"] > 0


def test_the_scheduler_runs_its_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.scheduler.FIRST_LOOK_SECONDS", 0.2)
    found = scheduler.checks(600, 1.0, 0.5)
    assert found.probes > 0
    assert found.more["missed"] == 0
    assert 0 <= found.more["lateness ms p50"] < scheduler.INTERVAL * 500, "told from the begin of the slot"


def measured(rows: dict[str, harness.Row]) -> dict[str, object]:
    return {
        "tables": {"echo: few": rows}, "date": "2026-01-01", "machine": "2 cores", "command": "python -m bench echo",
        "versions": {"fping": "5.1"}, "missing": ["smokeping"],
    }  # fmt: skip


def test_the_report_fills_its_places_and_draws(tmp_path: Path) -> None:
    rows = harness.with_ratios({"ours": harness.summary([figures(0.1)]), "fping": harness.summary([figures(0.2)])})
    page = report.filled("Words.\n<!-- bench echo -->\nold\n<!-- end -->\nMore.", {"echo": measured(rows)})
    assert "old" not in page
    assert page.startswith("Words.\n<!-- bench echo -->\necho: few:")
    assert "| ours | 0.1 |" in page
    assert "Measured without smokeping." in page
    assert page.endswith("<!-- end -->\nMore.")
    report.draw_costs({"echo": measured(rows)}, tmp_path / "costs.svg")
    grown = {f"ours, {each} communes": {"communes": each, "% of a core": each, "MiB": 60.0} for each in (1, 129)}
    report.draw_growth({"growth": measured(grown)}, tmp_path / "growth.svg")
    assert all((tmp_path / name).stat().st_size > 1000 for name in ("costs.svg", "growth.svg"))


def test_lag_is_the_bucket_that_holds_the_part() -> None:
    before, after = {"0.01": 10.0, "0.1": 10.0, "+Inf": 10.0}, {"0.01": 109.0, "0.1": 110.0, "+Inf": 110.0}
    assert province.lag(before, after, 0.99) == 0.01
    assert province.lag(before, after, 0.999) == 0.1


def test_a_profile_names_functions_with_their_share() -> None:
    profile = cProfile.Profile()
    profile.runcall(sorted, range(1000), key=lambda value: -value)
    found = profiled.profiled(profile)
    assert any("sorted" in name for name, _ in found)
    assert sum(part for _, part in found) == pytest.approx(1)


def test_the_core_is_measured_while_all_is_well_and_in_an_outage() -> None:
    inventory = small_province(6)
    usual, outage = (core.speed(inventory, 20_000, outage=each) for each in (False, True))
    assert usual["observations/s"] > 0
    assert usual["incident events"] == 0
    assert outage["incident events"] > 0
    found = core.memory(inventory)
    assert found["ours, judge"]["bytes/check"] > 100
    assert found["ours, correlator"]["bytes/target"] > 100


def test_the_plain_alerting_groups_by_site_waits_and_repeats_what_lasts() -> None:
    hour = 3600.0
    targets = [
        Target(id=name, site=site, name=name, role=Role.DEVICE, kind="router", address="192.0.2.7")
        for name, site in (("line", "a"), ("router", "a"), ("other", "b"))
    ]
    plain = month.Baselines({each.id: each for each in targets})
    plain.spans = {"line": [(0, 9 * hour)], "router": [(20, 9 * hour)], "other": [(100, 130), (hour, hour + 600)]}
    # Site a: beginning, two repeats, end. Site b: what lasts half a minute is no alert; then beginning and end.
    assert plain.mails_for_a_minute() == 4 + 2
    short, long = (
        month.Fault(kind=kind, at=at, until=until, hurts=(), roots=frozenset({"other"}), affected=frozenset({"other"}))
        for kind, at, until in (("short", 95.0, 130.0), ("long", hour - 5, hour + 600))
    )
    assert plain.told_for_a_minute([short, long]) == {"long": 1}


def test_a_month_is_told_by_kind_of_fault_and_in_total(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(month, "load_inventory", lambda *_: small_province(6))
    found = month.tables([1], days=0.5)["tables"]
    by_kind, totals, by_wish = found.values()
    assert by_kind["line"]["number"] >= 1
    assert 0 <= by_kind["line"]["right %"] <= 100
    assert totals["ours, seed 1"]["three misses: mails"] > 0
    assert sum(row["number"] for row in by_kind.values()) == totals["ours, seed 1"]["faults"]
    each, *fewer = by_wish.values()
    assert (each["seed 1"], each["faults told at once %"]) == (totals["ours, seed 1"]["mails"], 100)
    assert all(row["seed 1"] < each["seed 1"] and row["faults told at once %"] < 100 for row in fewer)


def test_checking_and_planning_an_inventory_are_measured_apart(tmp_path: Path) -> None:
    old = inventory.write(tmp_path / "old", 129)
    found = inventory.once(old, inventory.write(tmp_path / "new", 129, changed=True))
    assert found["targets"] == len(load_inventory(ROOT / "config" / "inventory", None).targets)
    assert found["check s"] > 0
    assert found["plan s"] >= 0


def test_a_cut_is_seen_when_every_viewer_of_the_province_was_sent_it() -> None:
    said: list[dict[str, object]] = [
        {"viewer": viewer, "at": 103.0 + viewer / 1000, "hurt": ["xa-1"]} for viewer in range(board.OVERVIEW)
    ]
    said += [{"viewer": 0, "at": 99.0, "hurt": ["xa-1", "xa-2"]}, {"viewer": 7, "at": 110.0, "hurt": ["xa-2"]}]
    said += [{"viewer": board.OVERVIEW, "at": 101.0, "hurt": ["xa-1"]}, {"viewer": 3, "status": 0}]
    row = board.times([(100.0, "xa-1"), (104.0, "xa-2")], said)
    assert (row["cuts"], row["seen by all"], row["viewers lost"]) == (2, 1, 1)
    assert (row["first sees it s p50"], row["first to last s max"]) == (3.0, 0.119)


def test_a_viewer_reads_off_a_page_which_communes_are_hurt() -> None:
    province = Province(inventory_of(*(commune(f"xa-{n}", f"Xã {n}", 20 + n, 105) for n in range(3))))
    province.set_all(State.UP)
    province.cut("xa-1")
    assert set(HURT.findall(Board().overview(province, VI, NOW))) == {"xa-1"}
