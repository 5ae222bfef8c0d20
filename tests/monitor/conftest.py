"""Mail servers as the alert tests have them, the database `file` of a test, to write and to read, and a daemon's files, with a ledger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from monitor.archive import Archive
from monitor.core.ledger import Member
from monitor.core.model import Held, Role, State
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


BEGAN = datetime(2026, 10, 31, 17, 0, tzinfo=UTC)
"""The beginning of November in Viet Nam."""


@pytest.fixture
def ledger(files: Daemon) -> Daemon:
    """The database of a daemon that watched two lines in November, one of which was down from 31 October to 1 November."""

    async def write() -> None:
        store = Store(str(files.database))
        await store.begin(BEGAN - timedelta(days=1))
        lines = [
            Member(
                target=f"{site}/tslcd", role=Role.LINK, kind="tslcd", provider=provider, commune=site,
                since=BEGAN - timedelta(days=1),
            )
            for site, provider in (("xa-a", "vnpt"), ("xa-b", "viettel"))
        ]  # fmt: skip
        held = [
            Held(target="xa-a/tslcd", state=State.UP, since=BEGAN - timedelta(days=1)),
            Held(target="xa-b/tslcd", state=State.UP, since=BEGAN - timedelta(days=1)),
            Held(target="xa-b/tslcd", state=State.DOWN, since=BEGAN - timedelta(hours=1)),
            Held(target="xa-b/tslcd", state=State.UP, since=BEGAN + timedelta(minutes=1, seconds=0.5)),
        ]
        await store.record(held, [], [], BEGAN + timedelta(days=20), lines)
        store.close()

    asyncio.run(write())
    return files
