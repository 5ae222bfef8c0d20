"""The example of an Alertmanager: who is told of what, and the mail, from a real one to a real mail server."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.sink import Sink
from tests.dashboards.prometheus import free_port
from tests.dashboards.test_rules import ALERTS, of, own

FOLDER = Path(__file__).parents[2] / "dashboards"
CONFIG = FOLDER / "alertmanager.yml"
GIVE_UP_SECONDS = 30.0


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ({"alertname": "CommuneLineDown", "severity": "major"}, "noc"),
        ({"alertname": "CommuneDeviceDown", "severity": "minor"}, "noc"),
        ({"alertname": "CommuneMonitorAbsent", "severity": "critical"}, "on-call"),
        ({"alertname": "CommuneIncident", "severity": "major", "incident": "i"}, "noc"),
        ({"alertname": "CommuneIncident", "severity": "critical", "incident": "i"}, "on-call"),
    ],
    ids=lambda given: given if isinstance(given, str) else f"{given['alertname']}-{given['severity']}",
)
def test_who_is_told(labels: Mapping[str, str], receiver: str) -> None:
    given = [f"{name}={value}" for name, value in labels.items()]
    done = subprocess.run(
        ["amtool", "config", "routes", "test", f"--config.file={CONFIG}", f"--verify.receivers={receiver}", *given],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_amtool_has_nothing_to_say_of_it() -> None:
    done = subprocess.run(["amtool", "check-config", str(CONFIG)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_inhibition_names_alerts_that_there_are() -> None:
    settings = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    told = [
        matcher
        for rule in settings["inhibit_rules"]
        for each in ("source", "target")
        for matcher in rule[f"{each}_matchers"]
    ]
    names = [name for matcher in told for name in matcher.partition('"')[2].rstrip('"').split("|")]
    assert len(names) > len(told) >= 8
    assert set(names) <= set(ALERTS)


# -- a real one ------------------------------------------------------------------------------------------------------


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[tuple[str, Sink]]:
    """One with the example's settings, but that it sends at once, and in the clear, to a relay of ours."""
    relay_port, port = free_port(), free_port()
    settings = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    settings["global"] |= {"smtp_smarthost": f"127.0.0.1:{relay_port}", "smtp_require_tls": False}
    for route in (settings["route"], *settings["route"]["routes"]):
        route |= {"group_wait": "1s", "group_interval": "1s"}  # all that a test posts at once is one mail a group
    (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    shutil.copy(FOLDER / "alertmanager.tmpl", tmp_path)
    command = [
        "prometheus-alertmanager", f"--config.file={tmp_path}/alertmanager.yml", f"--storage.path={tmp_path}/data",
        "--cluster.listen-address=", f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    sink = Sink("127.0.0.1", relay_port)
    sink.start()
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            url = f"http://127.0.0.1:{port}/api/v2"
            until(lambda: bool(asked(f"{url}/status")))
            yield url, sink
        finally:
            process.terminate()
    sink.stop()


def asked(url: str, body: object = None) -> Any:
    """What it answers."""
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or b"null")


def until(holds: Callable[[], bool]) -> None:
    """Wait, for as long as it may take."""
    end = time.monotonic() + GIVE_UP_SECONDS
    while time.monotonic() < end:
        with suppress(OSError):
            if holds():
                return
        time.sleep(0.1)
    raise AssertionError("that never came")


def posted(labels: Mapping[str, str], **annotations: str) -> dict[str, object]:
    """An alert as Prometheus posts it; texts without what Prometheus fills in."""
    told = {"runbook_url": ALERTS[labels["alertname"]]["annotations"]["runbook_url"], **annotations}
    return {"labels": labels, "annotations": told, "generatorURL": "http://prometheus.example/graph?g0"}


def test_a_mail_says_what_where_since_when_and_what_to_do(alertmanager: tuple[str, Sink]) -> None:
    url, sink = alertmanager
    down = posted(
        of("CommuneBackboneDown", "pop/router"),
        summary="Điểm A: thiết bị ngừng",
        description="Các xã phía sau mất kết nối.",
    )
    asked(f"{url}/alerts", [down | {"startsAt": "2026-01-02T19:10:00Z"}])
    until(lambda: bool(sink.mails))
    mail = sink.mails[0]
    assert set(mail.to) == {"truc@monitor.example", "noc@monitor.example"}
    assert mail.message["Subject"] == "KHẨN – Điểm A: thiết bị ngừng"
    assert mail.text().rstrip().splitlines() == [
        "Điểm A: thiết bị ngừng",
        "Các xã phía sau mất kết nối.",
        "Từ 02:10 03/01/2026, mức critical, Kim Sơn.",
        "Việc cần làm: https://git.example/commune-monitor/docs/runbooks.md#communebackbonedown",
        "Số liệu: http://prometheus.example/graph?g0",
    ]


def test_lines_of_one_provider_are_one_mail_and_so_is_their_end(alertmanager: tuple[str, Sink]) -> None:
    url, sink = alertmanager
    lines = [posted(of("CommuneLineDown", f"{site}/tslcd"), summary=f"Mất đường {site}") for site in ("xa-a", "xa-b")]
    asked(f"{url}/alerts", lines)
    until(lambda: bool(sink.mails))
    assert [each.message["Subject"] for each in sink.mails] == ["Mất đường xa-a (tất cả 2)"]
    assert "Mất đường xa-b" in sink.mails[0].text()
    assert set(sink.mails[0].to) == {"noc@monitor.example"}
    asked(f"{url}/alerts", [each | {"endsAt": datetime.now(UTC).isoformat()} for each in lines])
    until(lambda: len(sink.mails) == 2)
    assert sink.mails[1].message["Subject"] == "Đã hết: Mất đường xa-a (tất cả 2)"
    assert sink.mails[1].text().splitlines() == ["Đã hết:", "- Mất đường xa-a", "- Mất đường xa-b"]


def test_what_another_alert_explains_is_inhibited(alertmanager: tuple[str, Sink]) -> None:
    url, _ = alertmanager
    names = (
        "CommuneMonitorDatabaseUnwritable",
        "CommuneMonitorMailStuck",
        "CommuneMonitorRelayFailing",
        "CommuneMonitorErrors",
    )
    asked(f"{url}/alerts", [posted(own(name), summary=name) for name in names])

    def inhibited() -> set[str]:
        return {each["labels"]["alertname"] for each in asked(f"{url}/alerts") if each["status"]["inhibitedBy"]}

    until(lambda: inhibited() == {"CommuneMonitorMailStuck", "CommuneMonitorRelayFailing"})
