"""The daemon as a child process in a hostile environment: clocks that are set, stops, kills, and trouble with the disk."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from lab.certificates import Authority
from lab.sink import Sink
from tests.alerts.conftest import MakeSink
from tests.monitor.daemon import Daemon, daemon

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
