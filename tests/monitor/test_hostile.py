"""The daemon as a child process in a hostile environment: clocks that are set, stops, kills, and trouble with the disk."""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lab.certificates import Authority
from lab.sink import Sink, Taken
from tests.alerts.conftest import MakeSink
from tests.monitor.daemon import GIVE_UP_SECONDS, Daemon, daemon
from tests.monitor.making import locked, rows

COMMUNE = """
  - id: xa-a
    name: Xã A
    devices:
      router: {profile: line, address: 127.0.0.2}
"""
LINE = """
  line:
    kind: router
    checks:
      echo: {probe: icmp, interval: 1s, timeout: 1s}
"""
WELL = {"center/gateway": "up", "center/portal": "up", "xa-a/router": "up"}


@pytest.fixture
def sink(make_sink: MakeSink, port: int) -> Sink:
    return make_sink(port)


@pytest.fixture
def made(tmp_path: Path, authority: Authority, port: int, sink: Sink) -> Iterator[Daemon]:
    """A daemon that is not started; it watches a line and a service that is well, and has a mail server."""
    with daemon(tmp_path, authority.ca.read_text(), port) as made:
        made.write_inventory(COMMUNE)
        made.inventory.write_text(made.inventory.read_text().replace("\nsites:", f"{LINE}\nsites:"))
        made.open_portal()
        yield made


def thread(sink: Sink, to: str = "truc@noc.example.org") -> list[str]:
    """Happenings of the mails that somebody got, in order."""
    return [str(mail.message["Message-ID"]).split(".")[-4] for mail in sink.mails if mail.to == (to,)]


def lasted(made: Daemon) -> timedelta:
    """From beginning to end of the one incident that there was."""
    (incident,) = made.api("incidents")["incidents"]
    return datetime.fromisoformat(incident["closed"]) - datetime.fromisoformat(incident["began"])


# -- clocks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_set_makes_nobody_unknown_and_holds_up_no_mail(hours: int, made: Daemon, sink: Sink) -> None:
    sink.refuse = "451 not now"
    set_by = made.start_with_a_clock()
    made.wait(lambda: made.states() == WELL)
    made.close_portal()
    made.wait(lambda: made.mails("deferred") == 2)
    set_by(f"{hours * 3600:+d}")
    made.wait(lambda: f"the clock was set by {hours * 3600:+d}." in made.log())
    sink.refuse = ""
    made.wait(lambda: made.mails("sent") == 2)
    assert made.states() == WELL | {"center/portal": "down"}
    made.open_portal()
    made.wait(lambda: made.mails("sent") == 4)
    assert made.states() == WELL
    assert thread(sink) == ["opened", "recovered"]
    assert timedelta(0) <= lasted(made) < timedelta(minutes=10)


def test_turns_go_on_after_a_clock_that_was_wrong_by_a_year(made: Daemon) -> None:
    def turns() -> float:
        return made.metrics()['monitor_observations_total{outcome="ok",probe="tcp"}']

    set_by = made.start_with_a_clock()
    made.wait(lambda: made.states() == WELL)
    set_by("+31536000")
    made.wait(lambda: "the clock was set by +31536000." in made.log())
    before = turns()
    made.wait(lambda: turns() > before + 20)
    assert made.states() == WELL


# -- stops ---------------------------------------------------------------------------------------------------------

PAGE = """
  page:
    kind: website
    checks:
      page: {{probe: http, interval: 2s, timeout: 2s, confirm: 1, options: {{url: "http://127.0.0.1:{port}/"}}}}
"""


def test_what_we_missed_while_we_were_stopped_is_nobodys_failure(made: Daemon, sink: Sink) -> None:
    stopped = threading.Event()

    class Page(BaseHTTPRequestHandler):
        """While the daemon waits for the third page it is stopped for longer than its deadline and its patience."""

        asked = 0

        def do_GET(self) -> None:
            Page.asked += 1
            if Page.asked == 3:
                made.tell(signal.SIGSTOP)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")
            self.wfile.flush()
            if Page.asked == 3:
                time.sleep(6)
                made.tell(signal.SIGCONT)
                stopped.set()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = PAGE.format(port=server.server_address[1])
        text = made.inventory.read_text().replace("\nsites:", f"{page}\nsites:")
        made.inventory.write_text(f"{text}    services:\n      page: {{profile: page, address: 127.0.0.1}}\n")
        made.start()
        assert stopped.wait(GIVE_UP_SECONDS)
        made.wait(lambda: Page.asked > 4 and made.states() == WELL | {"xa-a/page": "up"})
        made.end()  # before the page ends: that it is gone then is a failure, and rightly
        server.shutdown()
    assert rows(made.database, "SELECT id FROM incident") == []
    bad = "SELECT target, state, evidence FROM state_change WHERE state IN ('down', 'degraded', 'unreachable')"
    assert rows(made.database, bad) == []
    assert "stood still for" in made.log()


# -- kill -9 -------------------------------------------------------------------------------------------------------


def killed(made: Daemon) -> None:
    assert made.end(signal.SIGKILL) == -signal.SIGKILL


def test_an_incident_goes_on_over_a_kill_at_every_stage_of_its_life(made: Daemon, sink: Sink) -> None:
    def events() -> list[tuple[object, ...]]:
        return rows(made.database, "SELECT what FROM incident_event ORDER BY id")

    made.start()
    made.wait(lambda: made.states() == WELL)
    made.close_portal()
    killed(made)  # before anything was judged

    sink.refuse = "451 not now"
    made.start()
    made.wait(lambda: events() == [("opened",)])
    killed(made)  # the incident is written, no mail has left

    sink.refuse = ""
    sink.on_mail = lambda _: made.tell(signal.SIGKILL)
    made.launch()
    assert made.ended() == -signal.SIGKILL  # in DATA: the server has the mail, and we have no answer
    sink.on_mail = None

    made.start()
    made.wait(lambda: made.mails("sent") == 2)
    killed(made)  # told, and still open
    made.start()
    made.wait(made.open_incidents)
    made.tell(signal.SIGHUP)
    killed(made)  # while it reloads

    made.start()
    made.open_portal()
    made.wait(lambda: made.states() == WELL)
    killed(made)  # well again, but not yet for long enough

    lock = ExitStack()
    held: list[int] = []

    def hold(_: Taken) -> None:
        if not held:
            held.append(1)
            lock.enter_context(locked(made.database))

    sink.on_mail = hold
    with lock:
        made.start()
        made.wait(lambda: "is sent, which cannot be written yet" in made.log())
        killed(made)  # the server has answered 250, which is not written
    made.start()
    made.wait(lambda: made.mails("sent") == 4)
    assert made.end() == 0

    assert events() == [("opened",), ("recovered",)]
    assert len(rows(made.database, "SELECT id FROM incident")) == 1
    arrived = Counter(str(mail.message["Message-ID"]) for mail in sink.mails)
    assert len(arrived) == 4
    assert max(arrived.values()) == 2, "at most once more for each kill between DATA and the mark"
    for mail in sink.mails:
        answers = mail.message["In-Reply-To"]
        id_ = str(mail.message["Message-ID"])
        assert answers == (id_.replace(".recovered.", ".opened.") if ".recovered." in id_ else None)


# -- the disk ------------------------------------------------------------------------------------------------------

TROUBLE = "Không ghi được cơ sở dữ liệu"
ON_SMALL_DISK = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=1m small "$0" && exec "$@"')


def an_outage_comes_and_goes_unwritten(made: Daemon, says: str) -> None:
    """While the database is in trouble: everything is still seen, and it is said that nothing can be written."""
    before = made.metrics()["monitor_store_errors_total"]
    made.close_portal()
    made.wait(lambda: "center/portal" in made.open_incidents())
    made.wait(lambda: made.metrics()["monitor_store_errors_total"] > before)
    assert says in made.log()
    assert TROUBLE in made.get("/")[1]
    made.open_portal()
    made.wait(lambda: not made.open_incidents())
    assert made.states() == WELL


def told_in_an_emergency(made: Daemon, sink: Sink) -> None:
    """While the disk is full: what cannot be mailed as usual is mailed as a list, and that it is over."""
    made.close_portal()
    made.wait(lambda: any("KHẨN – Trạm giám sát không ghi" in str(mail.message["Subject"]) for mail in sink.mails))
    (mail,) = (mail for mail in sink.mails if mail.to == ("truc@noc.example.org",))
    assert "NGỪNG: Cổng dịch vụ công" in mail.text()
    assert "the disk is full" in mail.text()
    made.wait(lambda: made.metrics()["monitor_unwritten_seconds"] > 3)
    assert "đã gửi thư khẩn lúc" in made.get("/")[1]
    made.open_portal()
    made.wait(lambda: not made.open_incidents())


def all_was_kept(made: Daemon, sink: Sink) -> None:
    """After the trouble: the whole story is on disk in its order, and was mailed."""
    made.wait(lambda: made.mails("sent") + made.mails("superseded") == 4)
    for contact in (
        "truc@noc.example.org",
        "support@systems.example",
    ):  # what was over before it was written comes as one
        assert thread(sink, contact) in (["opened", "recovered"], ["recovered"])
    assert made.states() == WELL
    made.wait(lambda: TROUBLE not in made.get("/")[1])
    assert made.get("/-/ready")[0] == 200


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as opened:
        while True:
            opened.write(bytes(1000))


def test_a_full_disk_loses_nothing_once_there_is_room_again(made: Daemon, sink: Sink) -> None:
    (small := made.folder / "small").mkdir()
    made.settings.write_text(f"database: small/state.db\n{made.settings.read_text()}")
    made.start(*ON_SMALL_DISK, str(small))
    made.wait(lambda: made.states() == WELL)
    assert made.process is not None
    filler = Path(f"/proc/{made.process.pid}/root{small}/filler")
    with pytest.raises(OSError, match="No space left"):
        fill(filler)
    an_outage_comes_and_goes_unwritten(made, "the disk is full; make room")
    assert not sink.mails
    filler.unlink()
    all_was_kept(made, sink)
    assert made.end() == 0


def test_what_cannot_be_written_is_told_by_a_mail_that_needs_no_database(made: Daemon, sink: Sink) -> None:
    (small := made.folder / "small").mkdir()
    text = made.settings.read_text().replace("\nmail:\n", "\nmail:\n  emergency_after_seconds: 6\n")
    made.settings.write_text(f"database: small/state.db\n{text}")
    made.start(*ON_SMALL_DISK, str(small))
    made.wait(lambda: made.states() == WELL)
    assert made.process is not None
    filler = Path(f"/proc/{made.process.pid}/root{small}/filler")
    with pytest.raises(OSError, match="No space left"):
        fill(filler)
    told_in_an_emergency(made, sink)
    filler.unlink()
    made.wait(lambda: any("ghi lại được" in str(mail.message["Subject"]) for mail in sink.mails))
    made.wait(lambda: made.mails("sent") + made.mails("superseded") == 4)
    mine = [mail.message for mail in sink.mails if mail.to == ("truc@noc.example.org",)]
    urgent, over = (each for each in mine if ".unwritten." in str(each["Message-ID"]))
    assert over["In-Reply-To"] == urgent["Message-ID"]
    assert made.metrics()["monitor_unwritten_seconds"] < 1
    assert made.end() == 0


def test_a_database_that_another_process_locks_loses_nothing(made: Daemon, sink: Sink) -> None:
    made.start()
    made.wait(lambda: made.states() == WELL)
    with locked(made.database):
        an_outage_comes_and_goes_unwritten(made, "the database is locked")
    all_was_kept(made, sink)


def test_a_file_limit_as_of_a_quota_loses_nothing(made: Daemon, sink: Sink) -> None:
    made.start()
    made.wait(lambda: made.states() == WELL)
    assert made.process is not None
    before = resource.prlimit(made.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(made.process.pid, resource.RLIMIT_FSIZE, (0, before[1]))
    an_outage_comes_and_goes_unwritten(made, "")
    resource.prlimit(made.process.pid, resource.RLIMIT_FSIZE, before)
    all_was_kept(made, sink)


@pytest.mark.parametrize("which", ["state.db", "state.db*"])
def test_a_database_that_was_deleted_is_put_back_with_all_that_was_in_it(which: str, made: Daemon, sink: Sink) -> None:
    made.close_portal()
    made.start()
    made.wait(lambda: made.mails("sent") == 2)
    (before,) = made.open_incidents().values()
    for each in made.folder.glob(which):
        each.unlink()
    made.wait(lambda: "was deleted; it was put back as it was" in made.log())
    made.wait(lambda: made.metrics()["monitor_store_errors_total"] == 1)
    assert made.end(signal.SIGKILL) == -signal.SIGKILL
    made.start()
    made.open_portal()
    made.wait(lambda: made.mails("sent") == 4)
    assert thread(sink) == ["opened", "recovered"]
    assert made.api("incidents")["incidents"][0]["id"] == before["id"]
    assert rows(made.database, "PRAGMA integrity_check") == [("ok",)]
    assert not (made.folder / "state.db.new").exists()


def test_a_file_that_took_the_place_of_the_database_is_left_alone(made: Daemon) -> None:
    made.start()
    made.wait(lambda: made.states() == WELL)
    made.database.rename(made.folder / "away")
    made.database.write_bytes(b"")
    made.wait(lambda: TROUBLE in made.get("/")[1])
    assert "another file is in its place; start commune-monitor anew to use that one" in made.log()
    assert made.database.stat().st_size == 0
    (made.folder / "away").rename(made.database)
    made.wait(lambda: TROUBLE not in made.get("/")[1])


# -- reloads -------------------------------------------------------------------------------------------------------


def test_a_storm_of_reloads_in_an_outage_keeps_states_and_ends_what_leaves(made: Daemon, sink: Sink) -> None:
    extra = "".join(
        f"""
  - id: xa-{number}
    name: Xã {number}
    devices:
      router: {{profile: line, address: 127.0.1.{number}}}
    services:
      portal: {{profile: portal, address: 127.0.0.1}}
"""
        for number in range(40)
    )
    kept = made.inventory.read_text()
    made.inventory.write_text(kept + extra)
    made.start()
    made.wait(lambda: set(made.states().values()) == {"up"})
    made.close_portal()
    made.wait(lambda: len(made.open_incidents()) == 41)
    before = made.open_incidents()
    for number in range(50):
        saved = made.folder / "saved"
        saved.write_text(kept if number % 2 else kept + extra)
        saved.rename(made.inventory)
        made.tell(signal.SIGHUP)
        time.sleep(0.05)
    made.wait(lambda: set(made.states()) == set(WELL))
    assert made.run("reload")[0] == 0
    assert made.states() == WELL | {"center/portal": "down"}
    assert made.open_incidents() == {"center/portal": before["center/portal"]}
    made.wait(lambda: made.mails("sent") + made.mails("superseded") >= 4 * 40 + 2 and not sending(made))
    ends = Counter(str(mail.message["Message-ID"]) for mail in sink.mails)
    assert set(ends.values()) == {1}
    for root, incident in before.items():
        told = [each.split(".")[-4] for each in ends if incident["id"] in each and ".on-call@" in each]
        assert told in ([["opened"]] if root == "center/portal" else [["opened", "withdrawn"], ["withdrawn"]])
    assert made.metrics()["monitor_errors_total"] == 0
    assert "Traceback" not in made.log()


def sending(made: Daemon) -> float:
    return sum(made.mails(each) for each in ("queued", "sending", "deferred"))


def test_a_file_that_was_cut_off_while_it_was_saved_takes_nothing_away(made: Daemon) -> None:
    made.start()
    made.wait(lambda: made.states() == WELL)
    made.inventory.write_text("")
    code, _, errors = made.run("reload")
    assert code == 1
    assert "not one target in any *.yaml file here" in errors
    assert made.states() == WELL


def test_an_interval_that_no_clock_can_reckon_is_refused_by_a_reload(made: Daemon) -> None:
    made.start()
    made.wait(lambda: made.states() == WELL)
    good = made.inventory.read_text()
    made.inventory.write_text(good.replace("interval: 200ms", f"interval: 1{'0' * 400}s"))
    code, _, errors = made.run("reload")
    assert code == 1
    assert "must not be more than 24h" in errors
    made.inventory.write_text(good)
    assert made.run("reload")[0] == 0
    made.wait(lambda: made.states() == WELL)


def test_a_reload_before_it_has_started_is_done_when_it_has(made: Daemon) -> None:
    contacts = made.folder / "contacts.yaml"
    text = contacts.read_text()
    contacts.unlink()
    os.mkfifo(contacts)
    made.launch()
    with contacts.open("w") as pipe:  # it has begun to read
        made.tell(signal.SIGHUP)
        (whole := made.folder / "whole").write_text(text)
        whole.rename(contacts)
        pipe.write(text)
    made.wait(lambda: "reloaded: 3 targets" in made.log())
    made.wait(lambda: made.states() == WELL)
