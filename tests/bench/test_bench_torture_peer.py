"""That the torture of Alertmanager does to it what it says, and counts what comes of it."""

from __future__ import annotations

import random
import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import torture_peer
from lab.sink import Sink
from tests.bench.letters import letter
from tests.probes.peers import free_port


def test_a_story_is_told_once_in_its_order() -> None:
    begun, over = letter(X_Firing="a b", Message_ID="<1@x>"), letter(X_Resolved="a", Message_ID="<2@x>")
    right = dict.fromkeys(torture_peer.story("a", [begun, over]), 0)
    assert torture_peer.story("a", [begun, over]) == right
    assert torture_peer.story("b", [begun, over]) == right | {"end lost": 1}
    assert torture_peer.story("a", [over]) == right | {"beginning lost": 1}
    assert torture_peer.story("c", [begun]) == right | {"beginning lost": 1, "end lost": 1, "nothing told at all": 1}
    again = letter(X_Firing="a", Message_ID="<3@x>")
    assert torture_peer.story("a", [begun, over, again]) == right | {"repeated": 1, "out of order": 1}
    same = right | {"repeated": 1, "of them with the same Message-ID": 1}
    assert torture_peer.story("a", [begun, begun, over]) == same


@pytest.fixture
def relay() -> Iterator[Sink]:
    made = Sink("127.0.0.1", free_port())
    made.start()
    yield made
    made.stop()


def send(relay: Sink) -> None:
    with smtplib.SMTP("127.0.0.1", relay._controller.port, timeout=2) as client:
        client.sendmail("a@x.example", ["b@x.example"], "Subject: x\r\n\r\nx\r\n")


@pytest.mark.parametrize(
    ("mode", "error", "says", "taken"),
    [
        ("refuse", smtplib.SMTPRecipientsRefused, "451", 0),
        ("refuse-data", smtplib.SMTPDataError, "451", 0),
        ("hang", smtplib.SMTPServerDisconnected, "timed out", 0),
        ("drop", smtplib.SMTPServerDisconnected, "closed$|reset", 1),
    ],
)
def test_the_mail_server_misbehaves_as_told(
    relay: Sink, mode: str, error: type[Exception], says: str, taken: int
) -> None:
    relay.fault = torture_peer.failing(mode)
    with pytest.raises(error, match=says):
        send(relay)
    assert len(relay.mails) == taken
    relay.fault = torture_peer.failing("")
    send(relay)
    assert len(relay.mails) == taken + 1


def test_alertmanager_in_no_trouble_tells_all_of_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torture_peer, "TROUBLE_SECONDS", 4.0)
    monkeypatch.setattr(torture_peer, "SETTLE_SECONDS", 12.0)
    incidents = [torture_peer.Incident("one", 0.0, 3.0), torture_peer.Incident("two", 1.0, 4.0)]
    trouble = torture_peer.Trouble(name="none")
    found = torture_peer.Torture(
        trouble, tmp_path / "peer", free_port(), free_port(), incidents, random.Random(1)
    ).run()
    assert (found["incidents"], found["mails taken"]) == (2, 4)
    assert {each for key, each in found.items() if key not in ("incidents", "mails taken")} == {0}
