"""What `probe` and `status` show, without a daemon; what they show of one is tested in test_app."""

from __future__ import annotations

import io

from rich.console import Console

from monitor.commands.looking import show_status
from tests.monitor.daemon import Daemon, run


def test_probe_explains_a_target_that_is_well(files: Daemon) -> None:
    files.open_portal()
    said = run("probe", "center/portal", files=files)
    assert said.exit_code == 0
    assert "center/portal: Cổng dịch vụ công at Trung tâm dữ liệu" in said.stdout
    assert "check port: tcp to 127.0.0.1, at most 1 s" in said.stdout
    assert f"connecting to 127.0.0.1 port {files.portal}" in said.stdout
    assert f"OK (ok): port {files.portal} accepts" in said.stdout
    assert "probe_tcp_connect_duration_seconds" in said.stdout


def test_probe_of_a_target_that_is_down_says_why_and_exits_with_1(files: Daemon) -> None:
    said = run("probe", "center/portal", files=files)
    assert said.exit_code == 1
    assert "FAILED (refused): " in said.stdout


def test_probe_of_a_target_that_is_not_there_names_those_that_are_near(files: Daemon) -> None:
    said = run("probe", "portal", files=files)
    assert said.exit_code == 1
    assert said.stderr == "no target 'portal' in the inventory; did you mean: center/portal\n"


def test_probe_of_a_check_that_is_not_there_is_no_success(files: Daemon) -> None:
    files.open_portal()
    assert run("probe", "center/portal", "--check", "port", files=files).exit_code == 0
    said = run("probe", "center/portal", "--check", "prot", files=files)
    assert said.exit_code == 1
    assert said.stderr == "no check 'prot' at center/portal; it has: port\n"


def test_status_fits_80_columns_with_viet_nam_s_time_and_the_whole_root_and_evidence() -> None:
    written = io.StringIO()
    incident = {
        "began": "2026-11-24T13:38:40.5Z", "state": "degraded", "cause": "link", "root": "phuong-thien-truong/tslcd",
        "impact": ["a", "b"], "evidence": [f"phuong-thien-truong/tslcd: {'[no] echo ' * 12}"],
    }  # fmt: skip
    show_status(Console(file=written, width=80), [{"state": "up"}, {"state": "degraded"}], [incident])
    lines = [line.rstrip() for line in written.getvalue().splitlines()]
    assert lines[:3] == [
        "up 1  degraded 1  down 0  unreachable 0  unknown 0",
        "since (Viet Nam)     state     cause    impact  root",
        "20:38:40 24/11/2026  degraded  link          2  phuong-thien-truong/tslcd",
    ]
    assert all(line.startswith("    ") and len(line) <= 80 for line in lines[3:])
    assert "".join(lines[3:]).count("[no]") == 12
