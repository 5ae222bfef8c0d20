"""What the tests of the daemon's parts have in common: children that always end, and a look at the database."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def plain_rights(arguments: list[str]) -> list[str]:
    """The same command without root's right to write everywhere: files are then as read-only as they say."""
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *arguments] if os.geteuid() == 0 else arguments


@contextmanager
def child(*arguments: str, rights: bool = True) -> Iterator[subprocess.Popen[str]]:
    """A Python child that ends with the block, killed if need be."""
    command = [sys.executable, *arguments]
    process = subprocess.Popen(
        command if rights else plain_rights(command), cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def rows(database: Path, query: str) -> list[tuple[object, ...]]:
    """What the database holds, seen by somebody else."""
    connection = sqlite3.connect(database)
    try:
        found = connection.execute(query).fetchall()
        connection.commit()
        return found
    finally:
        connection.close()


LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(database: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process holds the database while the block lasts."""
    with child("-c", LOCKER, str(database)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process
