"""The daemon as a child process, seen from outside only."""

from __future__ import annotations

import json
import re
import signal
import socket
import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lab.certificates import Authority
from monitor.archive import Archive
from monitor.core.ledger import Span
from monitor.core.model import State
from monitor.core.usual import Usual
from tests.alerts.conftest import MakeSink
from tests.monitor.daemon import MORE, Daemon, daemon
from tests.monitor.making import rows

STATE = 'monitor_target_state{{kind="public-portal",role="service",site="{site}",target="{site}/portal"}}'
GATEWAY = 'monitor_target_state{kind="gateway",role="device",site="center",target="center/gateway"}'
RELOAD_OK = "monitor_config_last_reload_successful"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon whose one service is well."""
    with daemon(tmp_path_factory.mktemp("daemon")) as made:
        made.open_portal()
        made.start()
        yield made


def test_it_becomes_ready_when_its_checks_were_observed(running: Daemon) -> None:
    running.wait(lambda: running.get("/-/ready") == (200, "ready\n"))
    assert running.get("/-/healthy") == (200, "ok\n")


def test_what_it_holds_is_on_the_board_in_the_api_and_in_the_metrics(running: Daemon) -> None:
    running.wait(lambda: running.metrics().get(STATE.format(site="center")) == 0.0)
    assert '"state": "up"' in running.get("/api/v1/targets")[1].replace('":"', '": "')
    assert "Trung tâm dữ liệu" in running.get("/sites/center")[1]
    metrics = running.metrics()
    assert metrics['monitor_checks{probe="tcp"}'] == 2
    assert metrics['monitor_observations_total{outcome="ok",probe="tcp"}'] > 0
    assert metrics['probe_success{check="port",kind="public-portal",site="center",target="center/portal"}'] == 1
    running.wait(lambda: running.metrics()["monitor_loop_lag_seconds_count"] > 0)
    assert metrics["monitor_errors_total"] == metrics["monitor_store_errors_total"] == 0


def test_it_tells_what_it_is_doing_itself(running: Daemon) -> None:
    def told() -> dict[str, Any]:
        return dict(json.loads(running.get("/api/v1/monitor")[1]))

    running.wait(lambda: told()["kinds"]["tcp"]["per_second"] > 0)
    found = told()
    assert found["kinds"]["tcp"]["checks"] == 2
    assert found["kinds"]["tcp"]["due_per_second"] == pytest.approx(10.0)
    assert (found["reload_wrong"], found["database_trouble"], found["traps"]) == ("", "", None)
    assert len(found["relays"]) == 1
    running.write_inventory(MORE.replace("profile: portal", "profile: my-passw0rd"))  # pasted into a wrong place
    code, *said = running.run("reload")
    assert (code, "my-passw0rd" in "".join(said)) == (1, True)
    assert re.fullmatch(r"\S+\.yaml:\d+:\d+", told()["reload_wrong"]), "where, for everybody"
    assert told()["reload_wrong"] in running.get("/monitor")[1]
    for path in ("/api/v1/monitor", "/monitor", "/", "/metrics"):
        assert "passw0rd" not in running.get(path)[1]
    running.write_inventory()
    assert running.run("reload")[0] == 0
    assert told()["reload_wrong"] == ""
    assert told()["reloaded"] > found["reloaded"]


def test_nothing_is_changed_over_http(running: Daemon) -> None:
    assert running.get("/-/reload", "POST")[0] == 403
    assert running.get("/", "POST")[0] == 405


def test_the_control_socket_is_for_owner_and_group_only(running: Daemon) -> None:
    assert (running.folder / "control.sock").stat().st_mode & 0o777 == 0o660


@pytest.mark.parametrize("by", ["signal", "control socket"])
def test_a_reload_takes_over_good_files_and_refuses_bad_ones_as_a_whole(by: str, running: Daemon) -> None:
    def reload(code: int, said: str) -> None:
        if by == "signal":
            running.tell(signal.SIGHUP)
        else:
            ended, output, errors = running.run("reload")
            assert ended == code
            assert said in (errors if code else output)

    running.write_inventory(MORE)
    reload(0, "reloaded")
    running.wait(lambda: running.metrics().get(STATE.format(site="xa-moi")) == 0.0)
    assert running.metrics()[RELOAD_OK] == 1.0

    running.write_inventory(MORE.replace("profile: portal", "profile: portall") + "  - {id: xa-khac, name: Xã Khác}\n")
    reload(1, "portall")
    running.wait(lambda: running.metrics()[RELOAD_OK] == 0.0)
    sites = {name for name in running.metrics() if name.startswith("monitor_target_state")}
    assert sites == {GATEWAY, STATE.format(site="center"), STATE.format(site="xa-moi")}, (
        "the last good files stay in force"
    )
    assert f"{running.inventory}:" in running.log()
    assert "the last good settings stay in force" in running.log()

    running.write_inventory()
    reload(0, "reloaded")
    running.wait(lambda: STATE.format(site="xa-moi") not in running.metrics())
    metrics = running.metrics()
    assert metrics[RELOAD_OK] == 1.0
    assert not [name for name in metrics if "xa-moi" in name], "what left the inventory leaves no series"
    assert metrics[STATE.format(site="center")] == 0.0, "what did not change keeps its state"


def test_a_reload_of_files_that_are_away_is_refused(running: Daemon) -> None:
    away = running.inventory.rename(running.folder / "away")
    try:
        code, _, errors = running.run("reload")
    finally:
        away.rename(running.inventory)
    assert code == 1
    assert "no *.yaml file here" in errors
    assert running.run("reload")[0] == 0


@pytest.mark.parametrize("more", ["", "a mistake"], ids=["", "whatever the files say now"])
def test_status_shows_what_the_daemon_holds(more: str, running: Daemon) -> None:
    running.wait(
        lambda: sum(running.metrics().get(each, 9.0) for each in (STATE.format(site="center"), GATEWAY)) == 0.0
    )
    running.write_inventory(more)
    said = running.run("status")
    running.write_inventory()
    assert said == (0, "up 2  degraded 0  down 0  unreachable 0  unknown 0\nno open incident\n", "")


def test_a_second_daemon_on_the_same_port_says_so_and_leaves_the_first_alone(running: Daemon, files: Daemon) -> None:
    files.settings.write_text(files.settings.read_text().replace(str(files.listen), str(running.listen)))
    said = files.fails_to_start()
    assert f"{files.settings}: listen: cannot listen on 127.0.0.1:{running.listen}: " in said
    assert "is another commune-monitor running? Choose another port or stop what uses it (ss -ltnp)" in said
    assert not files.database.exists(), "it was not opened before the port"
    assert running.get("/-/healthy")[0] == 200
    assert running.run("reload")[0] == 0


# -- beginning and end ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_0_when_it_is_told_to(number: int, files: Daemon) -> None:
    files.start()
    assert files.end(number) == 0
    assert not (files.folder / "control.sock").exists()
    assert "Traceback" not in files.log()
    assert sqlite3.connect(files.database).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_what_is_usual_is_known_again_after_a_restart(files: Daemon) -> None:
    files.write_inventory()
    text = files.inventory.read_text(encoding="utf-8")
    followed = "confirm: 1, limits: {probe_duration_seconds: {above_usual: 3, at_least: 0.5}},"
    files.inventory.write_text(text.replace("confirm: 1,", followed), encoding="utf-8")
    files.open_portal()
    minutes = []
    for _ in range(2):  # the first answer after each start is a sample, and stands for a minute
        files.start()
        files.wait(lambda: files.get("/-/ready")[0] == 200)
        assert files.end(signal.SIGTERM) == 0
        ((check, value, blob),) = rows(files.database, 'SELECT "check", value, blob FROM learnt')
        assert (check, value) == ("center/portal#port", "probe_duration_seconds")
        assert isinstance(blob, bytes)
        usual = Usual.load(blob)
        assert usual is not None
        minutes.append(usual._seen)
    assert minutes == [1, 2]


def test_a_database_that_cannot_be_written_is_told_at_the_start(files: Daemon) -> None:
    connection = sqlite3.connect(files.database)
    connection.execute("CREATE TABLE meta (key VARCHAR PRIMARY KEY, value VARCHAR)")
    connection.close()
    files.database.chmod(0o444)
    said = files.fails_to_start(rights=False)
    assert (
        said.strip()
        == f"{files.database}: the database cannot be written; give its owner write permission on file and folder"
    )


def test_a_control_socket_that_cannot_be_made_is_told_at_the_start(files: Daemon) -> None:
    files.settings.write_text(f"control: none/control.sock\n{files.settings.read_text()}")
    assert (
        f"{files.settings}: control: cannot make the socket {files.folder}/none/control.sock: "
        in files.fails_to_start()
    )


def test_a_control_socket_with_too_long_a_name_is_told_at_the_start(files: Daemon) -> None:
    files.settings.write_text(f"control: {'c' * 150}.sock\n{files.settings.read_text()}")
    assert "AF_UNIX path too long" in files.fails_to_start()


def test_a_mistake_in_the_settings_is_told_at_the_start(files: Daemon) -> None:
    files.settings.write_text(f"databse: x\n{files.settings.read_text()}")
    assert f"{files.settings}:1:1: unknown key `databse`" in files.fails_to_start()


def test_a_control_socket_that_a_killed_daemon_left_behind_is_no_hindrance(files: Daemon) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(files.folder / "control.sock"))
    files.start()
    assert files.run("reload")[0] == 0


# -- the ledger --------------------------------------------------------------------------------------------------------


async def test_a_killed_daemon_leaves_no_state_for_the_time_in_which_it_was_away(files: Daemon) -> None:
    def runs() -> list[Span]:
        found = rows(files.database, "SELECT began, beat FROM run ORDER BY id")
        return [Span(*(datetime.fromisoformat(str(each)) for each in row)) for row in found]

    def is_up() -> bool:
        return files.metrics().get(STATE.format(site="center")) == 0.0

    files.open_portal()
    files.start()
    files.wait(is_up)
    seen_up = datetime.now(UTC)
    files.wait(lambda: runs()[0].until > seen_up)
    assert files.end(signal.SIGKILL) == -signal.SIGKILL
    files.start()
    files.wait(is_up)
    seen_again = datetime.now(UTC)
    files.wait(lambda: runs()[1].until > seen_again)
    ledger = json.loads(files.get("/api/v1/availability?by=service")[1])["items"]
    assert [(each["key"], each["availability"]) for each in ledger] == [("center/portal", 1.0)]
    assert "Khả dụng tháng này: 100,000 %" in files.get("/sites/center")[1]
    told = datetime.now(UTC)
    assert files.end() == 0
    first, second = runs()
    assert second.until >= told, "an orderly stop loses nothing"
    archive = Archive(str(files.database))
    whole = Span(first.since, second.until)
    found = (await archive.history(["center/portal"], whole, second.until))["center/portal"]
    archive.close()
    assert [each.state for each in found] == [State.UNKNOWN, State.UP, State.UNKNOWN, State.UP]
    assert found[1].until == first.until, "its last sign of life"
    assert second.since < found[2].until <= seen_again, "its first verdict"
    said = files.run("availability", "--by", "service", "--format", "json")
    assert json.loads(said[1])["items"][0]["unknown_seconds"] >= (second.since - first.until).total_seconds()


# -- mails ---------------------------------------------------------------------------------------------------------


def test_mails_wait_for_a_mail_server_that_is_away_and_arrive_once(
    tmp_path: Path, authority: Authority, port: int, make_sink: MakeSink
) -> None:
    with daemon(tmp_path, authority.ca.read_text(), port) as made:
        made.start()
        made.wait(lambda: made.mails("deferred") == 2)
        metrics = made.metrics()
        assert metrics['monitor_outbox_oldest_seconds{status="deferred"}'] > 0
        assert metrics[f'monitor_relay_failing{{relay="127.0.0.1:{port}"}}'] == 1
        assert metrics['monitor_mails_total{result="retry"}'] >= 2
        assert metrics['monitor_incidents_open{cause="service",severity="critical"}'] == 1
        assert "center/portal" in made.run("status")[1]
        sink = make_sink(port)
        made.wait(lambda: made.mails("sent") == 2)
        assert made.metrics()['monitor_outbox_oldest_seconds{status="deferred"}'] == 0
        ((incident,),) = rows(made.database, "SELECT id FROM incident")
        page = made.get(f"/incidents/{incident}?lang=en")[1]
        assert "<strong>Mail: opened</strong>\n<div>sent: Kỹ sư trực " in page
        assert made.end() == 0
    assert sorted(to for mail in sink.mails for to in mail.to) == ["support@systems.example", "truc@noc.example.org"]
    subjects = {str(mail.message["Subject"]) for mail in sink.mails}
    assert "KHẨN – NGỪNG: Cổng dịch vụ công – Trung tâm dữ liệu" in subjects


def test_every_mail_arrives_exactly_once_over_a_kill_in_the_middle(
    tmp_path: Path, authority: Authority, port: int, make_sink: MakeSink
) -> None:
    sink = make_sink(port)
    sink.refuse = "451 not now"
    with daemon(tmp_path, authority.ca.read_text(), port) as made:
        made.start()
        made.wait(lambda: sink.refused >= 2)
        assert made.end(signal.SIGKILL) == -signal.SIGKILL
        before = rows(made.database, "SELECT id FROM outbox ORDER BY id")
        assert len(before) == 2
        sink.refuse = ""
        made.open_portal()
        made.start()
        made.wait(lambda: made.mails("sent") == 4)
        assert made.end() == 0
        written = {str(id_) for (id_,) in rows(made.database, "SELECT id FROM outbox")}
    arrived = Counter(str(mail.message["Message-ID"]) for mail in sink.mails)
    assert arrived == Counter(f"<{id_}@noc.example.org>" for id_ in written)
    assert {str(id_) for (id_,) in before} < written
    assert len(written) == 4


# -- recording -----------------------------------------------------------------------------------------------------


def test_what_a_daemon_recorded_is_decided_the_same_by_a_replay(files: Daemon) -> None:
    """Over a reload and what people do too; the events are compared with those in its database, with all that explains them."""
    recording = files.folder / "day.jsonl.gz"
    files.start(options=["--record", str(recording)])  # nothing listens on the port of the portal
    files.wait(lambda: rows(files.database, "SELECT * FROM incident_event"))
    assert files.run("ack", "center/portal", "--by", "Hoa", "--note", "Đã gọi VNPT")[0] == 0
    assert files.run("reload")[0] == 0
    assert files.run("unack", "center/portal")[0] == 0
    assert files.run("ack", "center/portal")[0] == 0
    files.open_portal()
    files.wait(lambda: len(rows(files.database, "SELECT * FROM incident_event")) == 5)
    files.wait(lambda: files.metrics()["monitor_recorded_lines_total"] > 100)
    assert files.metrics()["monitor_recording_dropped_total"] == 0
    assert files.end() == 0
    ((incident,),) = rows(files.database, "SELECT id FROM incident")
    code, kept, _ = files.run("explain", str(incident), "--json")
    assert code == 0
    code, replayed, errors = files.run("replay", str(recording), "--json")
    assert (code, errors) == (0, "")
    assert json.loads(replayed) == json.loads(kept)
    happened = ["opened", "acknowledged", "unacknowledged", "acknowledged", "recovered"]
    assert [each["what"] for each in json.loads(kept)] == happened
    assert json.loads(kept)[1]["incident"]["acknowledged"]["note"] == "Đã gọi VNPT"
    assert str(incident) in files.run("replay", str(recording))[1]
    assert files.run("replay", str(recording), "--open-only")[1].endswith(" 0 incidents\n")
    until = json.loads(kept)[0]["at"]
    assert files.run("replay", str(recording), "--open-only", "--until", until)[1].endswith(" 1 incidents\n")

    # What comes back soon after a restart is the same incident, in the daemon and in its next recording.
    files.close_portal()
    files.start(options=["--record", str(recording)])
    files.wait(lambda: len(rows(files.database, "SELECT * FROM incident_event")) == 6)
    assert files.end() == 0
    kept = json.loads(files.run("explain", str(incident), "--json")[1])
    assert [each["what"] for each in kept] == [*happened, "reopened"]
    assert json.loads(files.run("replay", str(recording), "--json")[1]) == kept[5:]
    files.write_inventory(MORE)
    assert "another inventory" in files.run("replay", str(recording))[2]


def test_a_replay_tells_what_it_cannot_read(files: Daemon) -> None:
    code, _, errors = files.run("replay", str(files.folder / "none"))
    assert (code, "cannot be read: No such file" in errors) == (1, True)
    assert "is no time such as" in files.run("replay", "none", "--until", "noon")[2]


def test_it_does_not_start_when_it_cannot_record(files: Daemon) -> None:
    assert "cannot be written" in files.fails_to_start("--record", str(files.folder / "no-folder" / "a"))
