"""The daemon as a child process in a hostile environment: clocks that are set, stops, kills, and trouble with the disk."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from lab.certificates import Authority
from lab.sink import Sink
from tests.alerts.conftest import MakeSink
from tests.monitor.daemon import Daemon, daemon
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


@pytest.mark.parametrize("hours", [-1])
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


def all_was_kept(made: Daemon, sink: Sink) -> None:
    """After the trouble: the whole story is on disk in its order, and was mailed."""
    made.wait(lambda: made.mails("sent") == 4)
    assert thread(sink) == thread(sink, "support@systems.example") == ["opened", "recovered"]
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
