"""What the demo tells of the mails that came."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest

from lab.demo import INSIDE, Inner, _mail, main
from lab.sink import Taken

CONFIG = Path(__file__).parents[2] / "config"


@pytest.mark.parametrize("scenario", [None, "wan-cut"])
def test_the_text_of_a_mail_is_printed_and_reported(
    scenario: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = EmailMessage()
    message["Subject"] = "NGỪNG: Đường truyền TSLCĐ"
    message.set_content("VIỆC CẦN LÀM: Gọi VNPT.\n")
    taken = Taken(at=datetime(2026, 11, 24, tzinfo=UTC), to=("truc@noc.example.org",), message=message)
    Inner(tmp_path, CONFIG, scenario, None, None)._on_mail(taken)
    assert capsys.readouterr().out.splitlines()[1:] == ["          | VIỆC CẦN LÀM: Gọi VNPT."]
    assert _mail(taken)["text"] == "VIỆC CẦN LÀM: Gọi VNPT.\n"


def test_mistakes_of_a_configuration_are_told_with_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "sites.yaml").write_text("sites:\n  - {id: A}\n")
    monkeypatch.setenv(INSIDE, str(tmp_path))
    assert main(None, None, None, tmp_path) == 1
    assert "sites.yaml:2:10: " in capsys.readouterr().err
