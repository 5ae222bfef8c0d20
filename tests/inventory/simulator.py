"""Agents of many makes in one process of snmpsim, told apart by community; the tables in `agents/` are written from the MIBs."""

from __future__ import annotations

import getpass
import grp
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.probes.peers import LOOPBACK, Server, agent_answers, free_port

AGENTS = Path(__file__).parent / "agents"
TROUBLED = "-troubled"
"""Behind the community of an agent: the same one in trouble."""
IDLE = "-idle"
"""The same one, a room, in no call."""

Table = Mapping[str, str]
"""By OID: type and value, as snmpsim writes them."""


def read_table(path: Path) -> dict[str, str]:
    """An agent of `agents/`."""
    rows = (line.split("|", 1) for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return {name: rest for name, rest in rows}  # noqa: C416  mypy cannot know that there are two


def _text(table: Table) -> str:
    """In the order of the tree, without which snmpsim cannot walk."""
    return "".join(f"{name}|{table[name]}\n" for name in sorted(table, key=lambda each: [*map(int, each.split("."))]))


class Simulator(Server):
    """snmpsim with each agent twice: well, and with the values that `troubles` lays over it; rooms a third time, with those of `idle`."""

    def __init__(self, folder: Path, troubles: Mapping[str, Table], idle: Mapping[str, Table]) -> None:
        super().__init__(folder, "snmpsim")
        self.port = free_port()
        self._data = folder / "agents"
        self._data.mkdir()
        for path in AGENTS.glob("*.snmprec"):
            table = read_table(path)
            (self._data / path.name).write_text(_text(table), encoding="utf-8")
            for suffix, changes in ((TROUBLED, troubles), (IDLE, idle)):
                if path.stem in changes:
                    changed = table | dict(changes[path.stem])
                    (self._data / f"{path.stem}{suffix}.snmprec").write_text(_text(changed), encoding="utf-8")

    def start(self) -> None:
        command = [
            str(Path(sys.executable).parent / "snmpsim-command-responder"), f"--data-dir={self._data}",
            f"--cache-dir={self.folder / 'index'}", f"--agent-udpv4-endpoint={LOOPBACK}:{self.port}", "--log-level=error",
            # It will not run as root unless it is told to.
            f"--process-user={getpass.getuser()}", f"--process-group={grp.getgrgid(os.getgid()).gr_name}",
        ]  # fmt: skip
        self.spawn(command, lambda: agent_answers(LOOPBACK, self.port, "printer"), {"HOME": str(self.folder)})
