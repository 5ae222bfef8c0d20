"""What people do to a real daemon with the commands, over its control socket."""

from __future__ import annotations

import getpass
import json
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.certificates import Authority
from tests.alerts.conftest import MakeSink
from tests.monitor.daemon import GIVE_UP_SECONDS, Daemon, daemon
from tests.monitor.making import rows

ME = getpass.getuser()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon whose one service is down, with a relay that is away: mails stay in the outbox."""
    with daemon(tmp_path) as made:
        yield made


def incidents(made: Daemon) -> list[dict[str, Any]]:
    return json.loads(made.get("/api/v1/incidents")[1] or '{"incidents":[]}')["incidents"]  # type: ignore[no-any-return]


def mails(made: Daemon) -> set[str]:
    """Happening of the mails that were queued."""
    return {str(id_).rsplit(".", 2)[1].partition("-")[0] for (id_,) in rows(made.database, "SELECT id FROM outbox")}


def test_a_silence_holds_mail_back_over_a_restart_until_it_is_lifted(running: Daemon) -> None:
    running.open_portal()
    running.start()
    code, said, _ = running.run("silence", "center/portal", "--for", "2h", "--reason", "Nâng cấp", "--by", "Hoa")
    assert (code, said.partition(" until ")[0]) == (0, "silence 1")
    assert running.run("silences")[1].endswith(f"  center/portal: Nâng cấp (Hoa ({ME}))\n".replace("  c", "  target c"))
    assert running.run("incidents")[1] == "no open incident\n"
    assert running._portal is not None
    running._portal.close()
    running.wait(lambda: incidents(running))
    assert running.end(signal.SIGTERM) == 0
    running.start()
    (held,) = running.wait(lambda: [each for each in incidents(running) if each["silence"]])
    assert (held["root"], held["silence"]["reason"]) == ("center/portal", "Nâng cấp")
    assert "Tạm tắt thư báo" in running.get("/")[1]
    assert running.metrics()['monitor_incidents_open{cause="service",severity="critical"}'] == 1
    assert mails(running) == set()
    assert running.run("unsilence", "1") == (0, "silence 1 lifted\n", "")
    running.wait(lambda: mails(running) == {"opened"})
    assert running.run("silences")[1] == "no silence\n"


def test_what_cannot_be_silenced_is_told(running: Daemon) -> None:
    running.start()
    for arguments, said in (
        (("center/porta", "--for", "2h"), "there is no target 'center/porta'; did you mean `center/portal`"),
        (("--site", "centre", "--for", "2h"), "there is no site 'centre'; did you mean `center`?"),
        (("--area", "Kim", "--for", "2h"), "there is no area 'Kim'"),
        (("--for", "2h"), "name one thing to be silent about"),
        (("center/portal", "--site", "center", "--for", "2h"), "name one thing to be silent about"),
        (("center/portal", "--for", "2"), "for: expected a duration with its unit"),
        (("center/portal", "--for", "32d"), "no longer than 31d: write planned work into the inventory"),
        (("center/portal", "--for", "9999999999999d"), "no longer than 31d"),
        (("center/portal", "--for", "2h", "--by", "a" * 81), "by: "),
    ):
        code, output, errors = running.run("silence", *arguments, "--reason", "r")
        assert (code, output) == (1, "")
        assert said in errors
    assert running.run("silence", "center/portal", "--for", "2h", "--reason", " ")[2] == "reason: must not be empty\n"
    assert running.run("unsilence", "7")[2] == "no silence 7 is in force\n"
    assert running.run("silences")[1] == "no silence\n"


def test_whoever_asks_is_who_the_kernel_says(running: Daemon) -> None:
    """Another user of the socket's group is kept by its own login, whatever it calls itself."""
    running.start()
    (running.folder / "control.sock").chmod(0o666)
    for folder in (running.folder, *running.folder.parents[:3]):  # as many as pytest makes
        folder.chmod(0o755)
    body = json.dumps({"target": "center/portal", "for": "1h", "reason": "r", "by": "root"})
    request = (
        f"POST /-/silences HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    code = (
        "import os,socket,sys\ns=socket.socket(socket.AF_UNIX)\nos.setgid(65534);os.setuid(65534)\n"
        "s.connect(sys.argv[1]);s.sendall(sys.argv[2].encode())\nwhile d:=s.recv(9999): sys.stdout.write(d.decode())"
    )
    ended = subprocess.run(
        ["python3", "-c", code, str(running.folder / "control.sock"), request], capture_output=True, text=True,
        timeout=GIVE_UP_SECONDS, check=True,
    )  # fmt: skip
    assert '"by": "root (nobody)"' in ended.stdout


def test_a_body_that_is_no_request_is_refused_in_one_line(running: Daemon) -> None:
    running.start()
    for body in (b"", b"[", b"[]", b'{"for": 1}', b"\xff"):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(GIVE_UP_SECONDS)
            client.connect(str(running.folder / "control.sock"))
            head = f"POST /-/silences HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            client.sendall(head.encode() + body)
            answer = b"".join(iter(lambda: client.recv(9999), b""))
        assert b" 422 " in answer.partition(b"\r\n")[0], body
    assert "Traceback" not in running.log()


def test_who_takes_an_incident_is_mailed_shown_and_kept(
    tmp_path: Path, authority: Authority, port: int, make_sink: MakeSink
) -> None:
    sink = make_sink(port)
    with daemon(tmp_path, authority.ca.read_text(), port) as made:
        made.start()
        made.wait(lambda: made.mails("sent") == 2)
        (opened,) = incidents(made)
        assert re.search(
            r"  critical, down since .*, service, center/portal\n    nobody has it\n$", made.run("incidents")[1]
        )
        said = made.run("ack", "center/portal", "--by", "Hoa", "--note", "Đang xem máy chủ")
        assert said == (0, f"Hoa ({ME}) has {opened['id']}\n", "")
        made.wait(lambda: made.mails("sent") == 4)
        assert f"    Hoa ({ME}) has it since " in made.run("incidents")[1]
        assert "Đã có người nhận" in made.get("/")[1]
        assert made.end(signal.SIGTERM) == 0
        made.start()
        (again,) = made.wait(lambda: incidents(made))
        assert (again["id"], again["acknowledged"]["note"]) == (opened["id"], "Đang xem máy chủ")
        assert made.run("unack", opened["id"]) == (0, f"nobody has {opened['id']}; Hoa ({ME}) had it\n", "")
        made.wait(lambda: made.mails("sent") == 6)
        first, *life = made.run("incident", opened["id"])[1].splitlines()
        assert made.end() == 0
    assert first == opened["id"]
    told = [line.split("  ", 1)[1] for line in life]
    assert told[:3] == [
        "opened: down, service, center/portal", f"acknowledged by Hoa ({ME}): Đang xem máy chủ",
        "unacknowledged: down, service, center/portal",
    ]  # fmt: skip
    assert sorted(told[3:]) == sorted(
        f"mail {what} to {who}: sent"
        for what in ("opened", "acknowledged", "unacknowledged")
        for who in ("on-call", "support")
    )
    subjects = [str(mail.message["Subject"]) for mail in sink.mails if "truc@noc.example.org" in mail.to]
    assert [each.partition(":")[0] for each in subjects] == ["KHẨN – NGỪNG", "ĐÃ CÓ NGƯỜI NHẬN", "CHƯA CÓ NGƯỜI NHẬN"]


def test_what_cannot_be_acknowledged_is_told(running: Daemon) -> None:
    running.start()
    (opened,) = running.wait(lambda: incidents(running))
    assert running.run("unack", "center/portal")[2] == f"nobody has {opened['id']}\n"
    code, _, errors = running.run("ack", "center/port")
    assert code == 1
    assert errors.startswith("no open incident has the id or the root 'center/port'")
    assert running.run("ack", "center/portal", "--note", "a\nb")[2] == "note: must be one line\n"
    assert running.run("incident", "none")[2] == "no incident 'none' is in the database\n"
    assert incidents(running)[0]["acknowledged"] is None
    assert running.run("ack", "center/portal")[1] == f"{ME} has {opened['id']}\n"
