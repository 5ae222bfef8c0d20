"""A real systemd of a test's own: a user manager in namespaces and control groups that nobody else sees."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

GIVE_UP_SECONDS = 30.0
GROUPS = Path("/sys/fs/cgroup")
HIERARCHIES = (GROUPS, GROUPS / "unified", GROUPS / "systemd")
"""Where systemd keeps track of processes: of version 2, or beside version 1."""
NAMESPACES = ("--mount", "--pid", "--fork", "--mount-proc", "--kill-child")
# It refuses to run where no systemd has booted the host, which it looks up in /run.
ENTER = """
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system
for group in $OWN; do echo $$ > $group/cgroup.procs; done
exec unshare --cgroup sh -c "$RUN"
"""
RUN = """
set -e
if [ -e /sys/fs/cgroup/cgroup.procs ]; then
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
else
    mount -t tmpfs tmpfs /sys/fs/cgroup
    mkdir /sys/fs/cgroup/unified /sys/fs/cgroup/systemd
    mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
    mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
fi
/usr/lib/systemd/systemd --user &
wait
"""


@dataclass(frozen=True, slots=True)
class Manager:
    """One that runs."""

    folder: Path
    """Its XDG_RUNTIME_DIR."""
    inside: int
    """A process in its namespaces: it answers only whose process id it can see."""

    def ask(self, *arguments: str) -> str:
        """`systemctl`; what it refuses is an AssertionError with its words."""
        done = subprocess.run(
            ["nsenter", f"--target={self.inside}", "--mount", "--pid", "systemctl", "--user", *arguments],
            env={**os.environ, "XDG_RUNTIME_DIR": str(self.folder)},
            capture_output=True, text=True, check=False, timeout=GIVE_UP_SECONDS,
        )  # fmt: skip
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def write(self, name: str, unit: str) -> None:
        """A unit that it knows from now on."""
        (self.folder / "systemd" / "user").mkdir(parents=True, exist_ok=True)
        (self.folder / "systemd" / "user" / name).write_text(unit, encoding="utf-8")
        self.ask("daemon-reload")

    def is_(self, unit: str, what: str) -> str:
        """A property of a unit."""
        return self.ask("show", unit, "--value", "-p", what)


@contextmanager
def manager(folder: Path) -> Iterator[Manager]:
    """Start it; it and all that it has started are gone afterwards."""
    if os.geteuid() != 0:  # control groups are root's
        (pytest.fail if os.environ.get("CI") else pytest.skip)("only root can have a systemd of its own")
    assert shutil.which("systemctl"), "no systemd; as root: apt-get install systemd"
    folder.mkdir(mode=0o700)
    own = [each / f"commune-monitor-{os.getpid()}" for each in HIERARCHIES if (each / "cgroup.procs").exists()]
    for each in own:
        each.mkdir()
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder), "OWN": " ".join(map(str, own)), "RUN": RUN}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", *NAMESPACES, "sh", "-c", ENTER],
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        until = time.monotonic() + GIVE_UP_SECONDS
        while not (folder / "systemd" / "private").exists():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until, (folder / "log").read_text()
            time.sleep(0.05)
        inside = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii")
        yield Manager(folder, int(inside))
    finally:
        process.kill()
        process.wait()
        for each in own:
            _remove(each)


def _remove(group: Path) -> None:
    """A control group and those below; the kernel lets go of one when the last process of it is gone."""
    until = time.monotonic() + GIVE_UP_SECONDS
    while group.exists() and time.monotonic() < until:
        for each in sorted(group.glob("**/"), reverse=True):
            with suppress(OSError):
                each.rmdir()
        time.sleep(0.02)
