"""`mail preview`, `mail test` and `who` as a person runs them."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from alerts.compose import WITHOUT_PICTURE
from lab.certificates import Authority
from monitor.core.model import SUMMARIES, Happening
from monitor.core.words import VI
from tests.alerts.conftest import MakeSink
from tests.monitor.daemon import Daemon, daemon


@pytest.mark.parametrize("what", Happening)
def test_every_mail_can_be_looked_at_before_it_is_needed(what: Happening, files: Daemon, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    code, said, errors = files.run("mail", "preview", what.value, "--lang", "en", "--html", str(page))
    assert (code, errors) == (0, "")
    head, _, text = said.partition("\n\n")
    if what in SUMMARIES:
        assert "Public-service portal – Trung tâm dữ liệu" in text
    else:
        assert re.search(r"^Subject: .*Public-service portal – (Trung tâm dữ liệu|TTDL)$", head, re.MULTILINE), said
        assert "Incident 20" in text
    assert re.search(r"^To: Preview <preview@example\.org>$", head, re.MULTILINE)
    html = page.read_text(encoding="utf-8")
    assert html.startswith("<!DOCTYPE html>")
    assert "cid:" not in html
    assert ("data:image/png;base64," in html) is (what not in WITHOUT_PICTURE)


@pytest.mark.parametrize("name", ["heartbeat", "monthly"])
def test_a_letter_can_be_looked_at_too(name: str, files: Daemon, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    code, said, errors = files.run("mail", "preview", name, "--html", str(page))
    assert (code, errors) == (0, "")
    assert said.startswith("Subject: ")
    assert "Thư" in page.read_text(encoding="utf-8")


def test_a_mail_program_opens_what_would_be_sent(files: Daemon, tmp_path: Path) -> None:
    mail = tmp_path / "monthly.eml"
    code, said, _ = files.run("mail", "preview", "monthly", "--eml", str(mail))
    message = message_from_bytes(mail.read_bytes(), policy=default)
    assert (code, f"Subject: {message['Subject']}\n" in said) == (0, True)
    assert [Path(each.get_filename() or "").suffix for each in message.iter_attachments()] == [".html", ".xlsx"]


def test_a_preview_shows_an_admins_own_template_and_needs_no_secret(files: Daemon) -> None:
    own = files.folder / "own" / "vi"
    own.mkdir(parents=True)
    (own / "opened.txt").write_text("Alô {{ place }}\n\nGọi ngay.\n", encoding="utf-8")
    with files.settings.open("a") as file:
        file.write("  templates: own\n")
    (files.folder / "secrets" / "smtp-password").unlink()
    code, said, _ = files.run("mail", "preview", "opened")
    assert (code, "Subject: Alô Trung tâm dữ liệu\n" in said, said.endswith("\n\nGọi ngay.\n\n")) == (0, True, True)


def test_a_real_incident_can_be_shown_and_a_made_up_one_cannot(files: Daemon) -> None:
    assert "no such database" in files.run("mail", "preview", "opened", "--incident", "x")[2]
    files.start()
    incident = files.wait(files.open_incidents)["center/portal"]
    files.wait(lambda: files.mails("queued") + files.mails("deferred") + files.mails("sending") == 2)
    code, said, _ = files.run("mail", "preview", "opened", "--incident", incident["id"])
    assert code == 0
    assert f"X-Commune-Monitor-Incident: {incident['id']}\n" in said
    assert VI.seen(incident["evidence"][0]) in said
    assert "ĐÃ CÓ NGƯỜI NHẬN" not in said
    code, said, _ = files.run("mail", "preview", "withdrawn", "--incident", incident["id"])
    assert (code, "Subject: ĐÃ GỘP: " in said) == (0, True)
    assert "has no incident 'none'" in files.run("mail", "preview", "opened", "--incident", "none")[2]


def test_a_test_mail_goes_through_the_relay_and_its_answer_is_told(
    tmp_path: Path, authority: Authority, port: int, make_sink: MakeSink
) -> None:
    sink = make_sink(port)
    with daemon(tmp_path, authority.ca.read_text(), port) as made:
        code, said, errors = made.run("mail", "test", "support")
        assert (code, errors) == (0, "")
        assert re.fullmatch(rf"support@systems\.example: taken by 127\.0\.0\.1:{port}: taken\n", said), said
        (taken,) = sink.mails
        assert taken.message["Subject"] == "Test: mail of the monitor reaches its reader"
        assert taken.to == ("support@systems.example",)
        assert "will come to the same address" in taken.text()


def test_a_test_mail_that_no_relay_takes_says_why(files: Daemon) -> None:
    code, said, errors = files.run("mail", "test", "on-call")
    assert (code, said) == (1, "")
    assert errors.startswith("truc@noc.example.org: retry: 127.0.0.1:"), errors
    assert files.run("mail", "test", "nobody")[2] == "no contact 'nobody'; there are: on-call, support, lines\n"


def test_who_tells_from_the_files_alone_who_would_be_mailed_and_why(files: Daemon) -> None:
    code, said, _ = files.run("who", "center/portal", "--at", "2026-12-01T02:10", "--lang", "en")
    assert code == 0
    assert said.startswith("Public-service portal – ")
    assert "at 02:10 01/12/2026" in said
    assert "  Support <support@systems.example>: is told of incidents with cause the service\n" in said
    assert "  Lines <lines@systems.example>: wants only incidents with cause the line\n" in said
    assert "Báo ngay:" in files.run("who", "center/portal")[1]
    assert "mức Thấp" in files.run("who", "center/portal", "--severity", "minor")[1]
    assert "did you mean: center/portal" in files.run("who", "portal")[2]
