"""Mail servers as the alert tests have them, the database `file` of a test, to write and to read, and a daemon's files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from monitor.archive import Archive
from monitor.store import Store
from tests.alerts.conftest import authority, certificate, make_sink, port, relay
from tests.monitor.daemon import Daemon, daemon

__all__ = ["authority", "certificate", "make_sink", "port", "relay"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    made = Store(str(file))
    yield made
    made.close()


@pytest_asyncio.fixture
async def archive(file: Path) -> AsyncIterator[Archive]:
    made = Archive(str(file))
    yield made
    made.close()


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon's files, not started."""
    with daemon(tmp_path) as made:
        yield made
