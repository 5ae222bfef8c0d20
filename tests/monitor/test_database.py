"""What can be wrong with the file of the database, and what we say then."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from monitor import database
from monitor.database import SCHEMA_VERSION, StoreError
from monitor.store import Store
from tests.alerts.sample import NOW, event, notification
from tests.monitor.making import child, locked, rows


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    file = tmp_path / "none" / "state.db"
    with pytest.raises(StoreError) as caught:
        Store(str(file))
    assert str(caught.value) == f"{file}: cannot be opened; does the folder exist, and may this user write in it?"


def test_a_file_of_a_newer_version_is_told_and_left_alone(file: Path) -> None:
    Store(str(file)).close()
    rows(file, f"UPDATE meta SET value = '{SCHEMA_VERSION + 1}'")
    with pytest.raises(StoreError) as caught:
        Store(str(file))
    assert "written by a newer version (schema 2); upgrade commune-monitor" in str(caught.value)
    assert str(file) in str(caught.value)
    assert rows(file, "SELECT value FROM meta") == [(str(SCHEMA_VERSION + 1),)]


def test_a_file_that_is_no_database_is_told(file: Path) -> None:
    file.write_bytes(b"settings: of something else\n" * 100)
    with pytest.raises(StoreError) as caught:
        Store(str(file))
    says = "file is not a database; move the file away, or let `database` name another one"
    assert str(caught.value) == f"{file}: {says}"


OPEN = """
import sys
from monitor.database import StoreError
from monitor.store import Store
try:
    Store(sys.argv[1])
except StoreError as error:
    print(error)
"""


def test_a_file_that_is_read_only_is_told(file: Path) -> None:
    Store(str(file)).close()
    file.chmod(0o444)
    with child("-c", OPEN, str(file), rights=False) as process:
        said = process.communicate()[0]
    assert said == f"{file}: the database cannot be written; give its owner write permission on file and folder\n"


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for another process no longer than need be."""
    pragmas = database._sqlite_pragmas

    def impatient(connection: sqlite3.Connection, record: object) -> None:
        pragmas(connection, record)
        connection.execute("PRAGMA busy_timeout=100")

    monkeypatch.setattr(database, "_sqlite_pragmas", impatient)


@pytest.mark.usefixtures("_impatient")
async def test_a_database_that_another_process_holds_is_told_and_goes_on_when_it_is_free(
    file: Path,
) -> None:
    store = Store(str(file))
    says = f"{file}: the database is locked; is another commune-monitor running on it? Stop that one first"
    with locked(file):
        with pytest.raises(StoreError) as caught:
            await store.record([], [event()], [notification()], NOW)
        assert str(caught.value) == says
    await store.record([], [event()], [notification()], NOW)
    store.close()
    assert rows(file, "SELECT count(*) FROM outbox") == [(1,)]


@pytest.mark.usefixtures("_impatient")
def test_a_database_that_is_locked_at_the_start_is_told(file: Path) -> None:
    Store(str(file)).close()
    with locked(file), pytest.raises(StoreError, match=r"the database is locked; is another commune-monitor running"):
        Store(str(file))
