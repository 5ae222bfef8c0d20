"""A PostgreSQL server of a test's own, on a Unix socket alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "postgres"
"""Debian's: the server refuses to run as root."""


def command(name: str) -> str:
    """Debian keeps the server's commands out of the path."""
    found = shutil.which(name) or next((str(each) for each in Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), None)
    assert found, f"no {name}; as root: apt-get install postgresql"
    return found


def _run(folder: Path, *arguments: str) -> None:
    root = ["setpriv", "--reuid", USER, "--regid", USER, "--clear-groups"] if os.geteuid() == 0 else []
    subprocess.run([*root, *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=60)


@contextmanager
def server() -> Iterator[str]:
    """Its SQLAlchemy URL. It sorts text as Vietnamese does, not by bytes."""
    with tempfile.TemporaryDirectory(prefix="commune-monitor-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, USER, USER)
        data = str(folder / "data")
        _run(
            folder, command("initdb"), "--pgdata", data, "--username", "monitor", "--auth", "trust", "--no-sync",
            "--encoding", "UTF8", "--locale", "C", "--locale-provider", "icu", "--icu-locale", "vi",
        )  # fmt: skip
        options = f"-k {folder} -c listen_addresses= -c fsync=off"
        control = (command("pg_ctl"), "--pgdata", data, "--wait", "--silent")
        _run(folder, *control, "--log", str(folder / "log"), "--options", options, "start")
        try:
            yield f"postgresql+psycopg://monitor@/postgres?host={folder}"
        finally:
            _run(folder, *control, "--mode", "immediate", "stop")
