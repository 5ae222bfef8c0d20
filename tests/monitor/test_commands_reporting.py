"""The command `report`: of a past month, without a daemon, in each format."""

from __future__ import annotations

import csv
import io
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

import pytest
from openpyxl import load_workbook

from monitor.commands.reporting import _chosen
from tests.monitor.daemon import Daemon, run

MONTH = ("report", "--month", "2026-11")


class _Early(datetime):
    """The clock of a command that runs in the middle of the month."""

    @classmethod
    def now(cls, _: object = None) -> datetime:
        return datetime(2026, 11, 20, 17, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.commands.reporting.datetime", _Early)


def test_a_month_that_is_not_over_is_reported_up_to_now(ledger: Daemon) -> None:
    said = run(*MONTH, files=ledger)
    assert (said.exit_code, said.stderr) == (0, "")
    lines = said.stdout.splitlines()
    assert lines[:3] == [
        "BÁO CÁO ĐỘ KHẢ DỤNG THÁNG 11/2026",
        "Tháng chưa hết: số liệu từ 00:00:00 01/11/2026 đến 00:00:00 21/11/2026.",
        "Hệ thống giám sát từ 00:00:00 31/10/2026.",
    ]
    assert [each.split() for each in lines if each.startswith("viettel")] == [
        ["viettel", "1", "99,996", "%", "99,996", "%", "–", "1", "0:01:01"]
    ]
    assert any("00:00:00 01/11  00:01:00 01/11  0:01:01  không thành sự cố" in each for each in lines)


def test_what_is_reported_can_be_narrowed_to_a_provider_and_a_site(ledger: Daemon) -> None:
    def ids(*only: str) -> list[str]:
        said = run(*MONTH, "--format", "csv", *only, files=ledger)
        return [each["id"] for each in csv.DictReader(io.StringIO(said.stdout))]

    assert ids() == ["xa-b/tslcd", "xa-a/tslcd"]
    assert ids("--provider", "vnpt") == ["xa-a/tslcd"]
    assert ids("--site", "xa-b") == ["xa-b/tslcd"]
    assert ids("--site", "Xa  B") == ["xa-b/tslcd"]
    both = run(*MONTH, "--lang", "en", "--provider", "viettel", "--site", "xa-b", files=ledger)
    assert "Only of: viettel, xa-b." in both.stdout


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("--month", "11"), "month is not understood; write it like 2026-11\n"),
        (("--month", "2026-09"), "nothing is known of this month: watched since 00:00:00 31/10/2026\n"),
        (("--month", "2026-12"), "this month has not begun\n"),
        ((*MONTH[1:], "--provider", "vnp"), "nothing of provider 'vnp' was watched in this month; there was: vnpt\n"),
        ((*MONTH[1:], "--provider", "vnpt", "--site", "xa-b"), "nothing of site 'xa-b' was watched in this month; there was: xa-a\n"),
        ((*MONTH[1:], "--format", "xlsx"), "a workbook is no text: name a file by --out\n"),
        ((*MONTH[1:], "--out", "no/such/folder.html"), "no/such/folder.html: No such file or directory\n"),
    ],
)  # fmt: skip
def test_what_cannot_be_reported_is_told(given: tuple[str, ...], says: str, ledger: Daemon) -> None:
    said = run("report", *given, files=ledger)
    assert (said.exit_code, said.stdout) == (1, "")
    assert said.stderr == says


def test_without_a_month_it_is_the_last_that_is_over(ledger: Daemon) -> None:
    said = run("report", files=ledger)
    assert said.stdout.startswith(
        "BÁO CÁO ĐỘ KHẢ DỤNG THÁNG 10/2026\nTừ 00:00:00 01/10/2026 đến 00:00:00 01/11/2026.\n"
    )
    assert "Hệ thống giám sát từ 00:00:00 31/10/2026; trước đó không có số liệu." in said.stdout


def test_the_ending_of_the_file_says_what_is_written(ledger: Daemon, tmp_path: Path) -> None:
    for name, begins in (
        ("r.html", b"<!DOCTYPE html>"),
        ("r.xlsx", b"PK"),
        ("r.csv", b"\xef\xbb\xbfid,"),
        ("r", b"B\xc3\x81O"),
    ):
        assert run(*MONTH, "--out", str(tmp_path / name), files=ledger).output == ""
        assert (tmp_path / name).read_bytes().lstrip().startswith(begins)
    outages = load_workbook(tmp_path / "r.xlsx")["Các lần ngừng"]
    assert [each.value for each in outages[2]][:3] == ["xa-b/tslcd", None, "xa-b/tslcd"]
    table = run(*MONTH, "--format", "csv", "--table", "outages", files=ledger).stdout
    (row,) = csv.DictReader(io.StringIO(table))
    assert (row["began"], row["lasted_seconds"], row["note"]) == (
        "2026-11-01T00:00:00+07:00",
        "60.5",
        "đã ngừng từ trước",
    )


def test_a_report_without_a_database_says_so(files: Daemon) -> None:
    said = run(*MONTH, files=files)
    assert (said.exit_code, said.stderr) == (1, f"{files.database}: there is no database yet; the daemon makes it\n")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("vt", "vt"), ("Viễn Thông", "vt"), ("vien thong", "vt"), (unicodedata.normalize("NFD", "VIỄN THÔNG"), "vt"),
        ("xa-đồng", "xa-dong"),
        ("hòa bình", "may be any of: hoa-binh-2, hoa-binh-3"), ("thong", "there was: vt"), ("", "there was: hoa-binh-2"),
    ],
)  # fmt: skip
def test_a_name_may_be_typed_as_it_comes(wanted: str, found: str, capsys: pytest.CaptureFixture[str]) -> None:
    called = {"vt": "Viễn Thông", "xa-dong": "", "hoa-binh-2": "Hoà Bình", "hoa-binh-3": "Hòa Bình"}
    try:
        assert _chosen("provider", wanted, called) == found
    except SystemExit:
        assert found in capsys.readouterr().err
