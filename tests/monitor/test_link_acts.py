"""What the links of real mails do to a real daemon, and what strangers can do with them."""

from __future__ import annotations

import json
import re
import signal
import stat
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlencode

import pytest

from alerts.links import Act, Link, Signer
from lab.certificates import Authority
from lab.sink import Sink
from monitor.acts import LinkActs, signing_key
from monitor.core.model import Acknowledgement, Incident, Notification
from monitor.web.acts import Refusal, RefusedLinkError
from tests.alerts.conftest import MakeSink
from tests.alerts.sample import NOW, notification
from tests.monitor.daemon import Daemon, daemon
from tests.monitor.making import rows


@dataclass
class Told:
    """A daemon that has mailed of its one incident."""

    daemon: Daemon
    sink: Sink

    def mail(self, happening: str, to: str = "truc@noc.example.org") -> str:
        """The text of a mail, once it has come."""

        def found() -> str:
            mails = [each for each in self.sink.mails if to in each.to]
            wanted = [each for each in mails if f".{happening}" in str(each.message["Message-ID"])]
            return wanted[-1].text() if wanted else ""

        return str(self.daemon.wait(found))

    def link(self, act: Act, happening: str = "opened", to: str = "truc@noc.example.org") -> str:
        """Path of a link in it."""
        found = re.search(rf"http://127\.0\.0\.1:\d+(/acts/{act}/\S+)", self.mail(happening, to))
        assert found, self.mail(happening, to)
        return found[1]

    def post(self, path: str, **form: str) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.daemon.listen}{path}"
        try:
            with urllib.request.urlopen(url, urlencode(form).encode(), timeout=5) as response:
                return int(response.status), response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def acknowledged(self) -> str:
        (incident,) = self.daemon.open_incidents().values()
        return str(incident["acknowledged"]["by"]) if incident["acknowledged"] else ""

    def end_of_incident(self) -> None:
        self.daemon.open_portal()
        self.daemon.wait(lambda: not self.daemon.open_incidents())


@pytest.fixture
def told(tmp_path: Path, authority: Authority, port: int, make_sink: MakeSink) -> Iterator[Told]:
    """Its one service is down, and everybody was told."""
    sink = make_sink(port)
    with daemon(tmp_path, authority.ca.read_text(), port) as made:
        with made.settings.open("a") as file:
            file.write(f"links: {{board: 'http://127.0.0.1:{made.listen}'}}\n")
        made.start()
        made.wait(lambda: made.mails("sent") == 2)
        yield Told(made, sink)


def test_looking_changes_nothing_and_pressing_the_button_takes_the_incident_once(told: Told) -> None:
    path = told.link(Act.ACKNOWLEDGE)
    for method in ("GET", "HEAD", "GET"):  # a mail scanner
        assert told.daemon.get(path, method)[0] == 200
    asked = told.daemon.get(path)[1]
    assert "Nhận xử lý sự cố này?" in asked
    assert "Cổng dịch vụ công – Trung tâm dữ liệu" in asked
    assert told.acknowledged() == ""
    assert told.daemon.get(path, "PUT")[0] == 405
    code, done = told.post(path, name="Hoa <b>")
    assert (code, "Hoa &lt;b&gt; (mail:on-call), lúc " in done) == (200, True)
    assert told.acknowledged() == "Hoa <b> (mail:on-call)"
    for code, page in (told.post(path), told.daemon.get(path)):
        assert (code, "đã được dùng rồi" in page) == (410, True)
    assert "Hoa <b> (mail:on-call) đã nhận xử lý" in told.mail("acknowledged")
    said = told.daemon.run("incident", "center/portal")[1]
    assert "acknowledged by Hoa <b> (mail:on-call)" in said
    assert told.daemon.end(signal.SIGTERM) == 0
    told.daemon.start()
    told.daemon.wait(told.daemon.open_incidents)
    assert told.post(path)[0] == 410, "used stays used over a restart"


def test_who_writes_no_name_is_the_contact_and_reads_its_language(told: Told) -> None:
    path = told.link(Act.ACKNOWLEDGE, to="support@systems.example")
    assert "Take this incident?" in told.daemon.get(path)[1]
    assert "It is noted who has it" in told.post(path)[1]
    assert told.acknowledged() == "Support (mail:support)"
    assert "/acts/ack/" not in told.mail("acknowledged"), "somebody has it already"
    told.daemon.run("unack", "center/portal")
    assert told.post(told.link(Act.ACKNOWLEDGE, "unacknowledged"))[0] == 200, "each mail has a link of its own"
    assert told.acknowledged() == "Kỹ sư trực (mail:on-call)"


@pytest.mark.parametrize("act", [Act.SILENCE_HOUR, Act.SILENCE_MORNING])
def test_a_link_silences_the_root_once_and_for_a_time(told: Told, act: Act) -> None:
    path = told.link(act)
    assert "Tạm tắt thư báo về đối tượng này?" in told.daemon.get(path)[1]
    assert told.daemon.run("silences")[1] == "no silence\n"
    assert told.post(path)[0] == 200
    assert told.post(path)[0] == 410
    (silence,) = [json.loads(str(body)) for (body,) in rows(told.daemon.database, "SELECT body FROM silence")]
    assert (silence["target"], silence["by"]) == ("center/portal", "Kỹ sư trực (mail:on-call)")
    ends, begins = (datetime.fromisoformat(silence[each]) for each in ("ends", "begins"))
    if act is Act.SILENCE_HOUR:
        assert ends - begins == timedelta(hours=1)
    else:
        assert (ends.hour, ends.minute) == (0, 0), "7 in Viet Nam"
        assert ends - begins <= timedelta(days=1)
    assert "qua liên kết trong thư" in told.daemon.run("silences")[1]
    told.end_of_incident()
    assert "Khả dụng" not in told.mail("recovered"), "of what is watched for less than a day that says nothing"


def test_a_link_of_what_is_over_does_nothing(told: Told) -> None:
    paths = [told.link(act) for act in Act]
    told.end_of_incident()
    for path in paths:
        for code, page in (told.daemon.get(path), told.post(path)):
            assert (code, "Sự cố này đã kết thúc" in page) == (410, True)
    assert told.daemon.run("silences")[1] == "no silence\n"
    assert "/acts/" not in told.mail("recovered")


def test_links_that_are_cut_forged_or_too_old_do_nothing(told: Told) -> None:
    path = told.link(Act.ACKNOWLEDGE)
    support = told.link(Act.ACKNOWLEDGE, to="support@systems.example").partition("?")[0]
    act, mail, expires, signature = path.split("/")[2:]
    signer = Signer((told.daemon.folder / "links.key").read_bytes())
    now = datetime.now(UTC)
    for code, wrong in (
        (404, path[:-1]),
        (404, f"/acts/{Act.SILENCE_MORNING}/{mail}/{expires}/{signature}"),
        (404, f"/acts/{act}/{mail}/{int(expires) + 1}/{signature}"),
        (404, f"/acts/{act}/{mail}/{expires}/{support.rpartition('/')[2]}"),
        (404, "/acts/ack/" + "a" * 3000 + "/1/%0d%0aX: y"),
        (404, Signer(bytes(32)).path(Link(act=Act.ACKNOWLEDGE, mail=mail, expires=now + timedelta(days=1)))),
        (404, signer.path(Link(act=Act.ACKNOWLEDGE, mail="none.opened.on-call", expires=now + timedelta(days=1)))),
        (410, signer.path(Link(act=Act.ACKNOWLEDGE, mail=mail, expires=now - timedelta(seconds=1)))),
    ):
        for status, page in (told.daemon.get(wrong.replace(" ", "%20")), told.post(wrong.replace(" ", "%20"))):
            assert status == code, wrong
            assert "Traceback" not in page
            assert "X: y" not in page
    assert told.acknowledged() == ""
    assert told.post(path, name="a" * 81)[0] == 422
    assert told.post(path, name="a\nb")[0] == 422
    assert told.post(path, name="a" * 5000)[0] == 413
    assert told.acknowledged() == ""
    assert told.post(path, name="  ")[0] == 200, "what was refused has used nothing up"


def test_a_flood_of_forged_links_is_turned_away_and_keeps_nobody_from_a_good_one(told: Told) -> None:
    codes = [told.daemon.get(f"/acts/ack/x/1/{number}")[0] for number in range(60)]
    assert (codes[0], codes.count(429) > 0) == (404, True)
    assert set(codes) == {404, 429}
    assert told.post(told.link(Act.ACKNOWLEDGE))[0] == 200


def test_the_page_of_a_link_may_send_its_form_to_itself_and_nothing_else(told: Told) -> None:
    url = f"http://127.0.0.1:{told.daemon.listen}{told.link(Act.ACKNOWLEDGE)}"
    with urllib.request.urlopen(url, timeout=5) as response:
        policy, page = response.headers["Content-Security-Policy"], response.read().decode()
        assert response.headers["Referrer-Policy"] == "same-origin"
        assert response.headers["Cache-Control"] == "no-store"
    assert policy.startswith(
        "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; style-src"
    )
    assert "<script" not in page
    assert "http-equiv" not in page, "what is being read must not reload itself"


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "links.key"
    key = signing_key(file)
    assert (len(key), signing_key(file)) == (32, key)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_bytes(b"half")
    assert len(signing_key(file)) == 32
    assert signing_key(tmp_path / "other.key") != key


def test_without_a_place_for_the_key_mails_go_out_without_links(
    tmp_path: Path, authority: Authority, port: int, make_sink: MakeSink
) -> None:
    sink = make_sink(port)
    with daemon(tmp_path, authority.ca.read_text(), port) as made:
        with made.settings.open("a") as file:
            file.write(f"links: {{board: 'http://127.0.0.1:{made.listen}', key: none/links.key}}\n")
        made.start()
        made.wait(lambda: made.mails("sent") == 2)
        assert "can be neither read nor made" in made.log()
        assert made.get("/acts/ack/x/1/y")[0] == 404
    assert all("/acts/" not in each.text() for each in sink.mails)


class Closing:
    """A pipeline and a store of one incident, which is closed while the use of a link is written: no real one can be made to at that moment."""

    def __init__(self, mail: Notification) -> None:
        self.correlator = self.mails = self
        self.open, self._mail = [mail.event.incident], mail

    def incidents(self) -> tuple[Incident, ...]:
        return tuple(self.open)

    async def mail(self, _: str) -> Notification:
        return self._mail

    async def link_used(self, _: str) -> bool:
        return False

    async def use_link(self, *_: object) -> None:
        self.open.clear()

    def acknowledge(self, incident: str, _: Acknowledgement) -> None:
        raise AssertionError(f"{incident} is over")


async def test_an_incident_that_is_closed_while_its_link_is_used_is_over() -> None:
    mail = notification()
    closing, signer = Closing(replace(mail, thread=mail.event.incident.id)), Signer(b"k" * 32)
    acts = LinkActs(signer, closing, closing, lambda: NOW)  # type: ignore[arg-type]
    path = signer.path(Link(act=Act.ACKNOWLEDGE, mail=mail.id, expires=NOW + timedelta(days=1)))
    with pytest.raises(RefusedLinkError) as refused:
        await acts.accept([unquote(each) for each in path.split("/")[2:]], "")
    assert refused.value.refusal is Refusal.OVER
