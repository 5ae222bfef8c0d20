"""What `explain` and `availability` tell of the past."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from rich.console import Console

from monitor.commands.analysing import EVENTS, show_replay
from monitor.core.model import Explanation, Happening, Look
from monitor.store import Store
from tests.alerts.sample import INCIDENT, NOW, event
from tests.monitor.daemon import Daemon, run


def test_a_replay_marks_what_silences_held_back_and_when_it_was_told() -> None:
    opened, acknowledged, recovered = (
        event(what, after=minute * 60)
        for what, minute in ((Happening.OPENED, 0), (Happening.ACKNOWLEDGED, 5), (Happening.RECOVERED, 30))
    )
    told = [replace(opened, at=opened.at + timedelta(minutes=10)), recovered]
    written = io.StringIO()
    show_replay(Console(file=written, width=80), [opened, acknowledged, recovered], told)
    of_it = [line.split("  ", 3)[3] for line in written.getvalue().splitlines()[1:]]
    root = f"{INCIDENT.root}  {INCIDENT.cause}"
    assert of_it == [
        f"opened  {root}  (silenced)", f"acknowledged  {root}  (silenced)", "silence over, told: opened", f"recovered  {root}",
    ]  # fmt: skip


async def test_an_incident_is_explained_from_the_database(files: Daemon) -> None:
    store = Store(str(files.database))
    because = Explanation(looks=(Look(rule="by-kind", fits=True, because="link", of=("a/line",)),))
    told = replace(event(), because=because)
    await store.record([], [told], [], NOW)
    store.close()
    vi, en = run("explain", INCIDENT.id, files=files), run("explain", INCIDENT.id, "--lang", "en", files=files)
    assert (vi.exit_code, en.exit_code) == (0, 0)
    assert "by-kind: đúng, a/line là đường truyền" in vi.output
    assert "by-kind: yes, a/line is a line" in en.output
    assert EVENTS.validate_json(run("explain", INCIDENT.id, "--json", files=files).output) == [told]


async def test_an_incident_that_is_not_there_and_a_database_that_is_not_there_are_told(files: Daemon) -> None:
    none = run("explain", "nothing", files=files)
    assert (none.exit_code, "no such database" in none.output) == (1, True)
    Store(str(files.database)).close()
    nothing = run("explain", "nothing", files=files)
    assert (nothing.exit_code, "no incident 'nothing'" in nothing.output) == (1, True)


def test_availability_of_a_month_is_a_table_of_80_columns_worst_first(ledger: Daemon) -> None:
    said = run("availability", "--from", "2026-11-01", "--until", "2026-11-02", files=ledger)
    assert (said.exit_code, said.stderr) == (0, "")
    assert said.stdout.splitlines() == [
        "00:00:00 01/11/2026 to 00:00:00 02/11/2026 (Viet Nam)",
        "target             %     % net    degraded        down     excused     unknown",
        "xa-b/tslcd    99.929    99.929           -     0:01:01           -           -",
        "xa-a/tslcd   100.000   100.000           -           -           -           -",
    ]
    assert max(map(len, said.stdout.splitlines())) <= 80


def test_availability_by_provider_for_a_spreadsheet_and_for_programs(ledger: Daemon) -> None:
    by = ("availability", "--month", "2026-11", "--by", "provider")
    table = list(csv.DictReader(io.StringIO(run(*by, "--format", "csv", files=ledger).stdout)))
    assert [(each["key"], float(each["down_seconds"])) for each in table] == [("viettel", 60.5), ("vnpt", 0.0)]
    found = json.loads(run(*by, "--format", "json", files=ledger).stdout)
    assert (found["by"], found["from"]) == ("provider", "2026-10-31T17:00:00Z")
    assert [each["key"] for each in found["items"]] == ["viettel", "vnpt"]
    assert list(found["items"][0]) == list(table[0])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("--month", "11"), "month is not understood; write it like 2026-11\n"),
        (("--until", "2026-11-01"), "until needs from\n"),
    ],
)
def test_availability_tells_a_time_that_it_does_not_understand(
    given: tuple[str, ...], says: str, files: Daemon
) -> None:
    said = run("availability", *given, files=files)
    assert (said.exit_code, said.stderr) == (1, says)


def test_availability_without_a_database_says_so(files: Daemon) -> None:
    said = run("availability", files=files)
    assert (said.exit_code, said.stderr) == (1, f"{files.database}: there is no database yet; the daemon makes it\n")
