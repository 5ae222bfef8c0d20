"""What Alertmanager loses and repeats when it is killed, its mail server misbehaves, or its disk is full: the peer of our own torture.

One Alertmanager, one mail server and one feeder for each kind of trouble, all at the same time and with the same incidents. The feeder
posts as Prometheus does: at once when something begins or ends, then again each 10 s; what is not taken is not tried before the
next time. For each incident two mails are right: that it began, that it is over.
"""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench import stack
from bench.harness import Row, Run, server, wait_for
from bench.network import listens
from lab import network
from lab.sink import DROP, HANG, Fault, Sink, Taken

SEED = 7
INCIDENTS = 30
LASTS_SECONDS = (10.0, 30.0)
TROUBLE_SECONDS = 110.0
"""Incidents begin within this time less the longest of them."""
SETTLE_SECONDS = 50.0
"""Afterwards all is well: five resends, and more flushes of each group."""
SPELL_SECONDS = 8.0
"""The mail server is well so long, then in trouble so long, and so on."""
RESEND_SECONDS = 10.0
RESTARTS = 6
STEP_SECONDS = 0.1
FIRST_PORT = 9500
TRY_LATER = "451 4.3.0 try again later"
MODES: Mapping[str, tuple[str, str]] = {
    "": ("", ""),
    "refuse": ("rcpt", TRY_LATER),
    "refuse-data": ("content", TRY_LATER),
    "hang": ("rcpt", HANG),
    "drop": ("taken", DROP),
}
"""Where the dialogue of a mail server fails, and how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One kind of it."""

    name: str
    modes: tuple[str, ...] = ()
    """What the mail server does in its bad spells."""
    restart: str = ""
    """How it is ended at random moments, to be started again at once: kill or terminate."""
    disk_full: bool = False


TROUBLES = (
    Trouble(name="none"),
    Trouble(name="ended in order and started again", restart="terminate"),
    Trouble(name="… with a full disk", restart="terminate", disk_full=True),
    Trouble(name="kill -9", restart="kill"),
    Trouble(name="mail server refuses at RCPT (451)", modes=("refuse",)),
    Trouble(name="mail server refuses after DATA (451)", modes=("refuse-data",)),
    Trouble(name="mail server hangs at RCPT", modes=("hang",)),
    Trouble(name="mail server takes and drops the connection", modes=("drop",)),
    Trouble(name="all of these, kill -9, full disk", modes=("refuse", "refuse-data", "hang", "drop"), restart="kill", disk_full=True),
)  # fmt: skip


def failing(mode: str) -> Fault:
    """What a mail server does in one of its modes."""
    where, how = MODES[mode]
    return lambda step: how if step == where else ""


@dataclass(slots=True)
class Incident:
    """Something that begins and ends, in seconds of the run."""

    name: str
    begins: float
    ends: float
    post_at: float = 0.0
    over: bool = False
    """Its end was posted, whether it was taken or not."""


@dataclass(slots=True)
class Torture:
    """One Alertmanager in one kind of trouble."""

    trouble: Trouble
    folder: Path
    port: int
    mail_port: int
    incidents: list[Incident]
    drawn: random.Random
    process: subprocess.Popen[bytes] | None = None
    not_taken: int = 0
    """Posts that nobody took."""
    relay: Sink = field(init=False)
    began: datetime = field(init=False)

    def run(self) -> Row:
        """All of it; the figures."""
        self.folder.mkdir()
        (self.folder / "state").mkdir()
        if self.trouble.disk_full:
            _full_disk(self.folder / "state")
        self.relay = Sink("127.0.0.1", self.mail_port)
        self.relay.start()
        try:
            with contextlib.ExitStack() as running:
                self._start(running)
                wait_for("alertmanager", lambda: listens("127.0.0.1", self.port))
                self._go(running)
        finally:
            self.relay.stop()
        return self._figures()

    def _start(self, running: contextlib.ExitStack) -> None:
        settings = self.folder / "alertmanager.yml"
        made = stack.alertmanager_settings(
            stack.Relay(host="127.0.0.1", port=self.mail_port), group_by="target", group_wait="1s", group_interval="5s"
        )
        settings.write_text(json.dumps(made))
        command = stack.alertmanager_command(settings, self.folder / "state", self.port)
        self.process = running.enter_context(server(command, self.folder / "alertmanager.log"))

    def _go(self, running: contextlib.ExitStack) -> None:
        count = RESTARTS if self.trouble.restart else 0
        restarts = sorted(self.drawn.uniform(0, TROUBLE_SECONDS) for _ in range(count))
        self.began, began = datetime.now(UTC), time.monotonic()
        while (at := time.monotonic() - began) < TROUBLE_SECONDS + SETTLE_SECONDS:
            self.relay.fault = failing(self._mode(at))
            if restarts and at >= restarts[0]:
                del restarts[0]
                assert self.process is not None
                self.process.kill() if self.trouble.restart == "kill" else self.process.terminate()
                self.process.wait(20)
                self._start(running)
            for each in self.incidents:
                if each.begins <= at and (at >= each.post_at or (at >= each.ends and not each.over)):
                    self._post(each, over=at >= each.ends)
                    each.post_at, each.over = at + RESEND_SECONDS, at >= each.ends
            time.sleep(STEP_SECONDS)

    def _mode(self, at: float) -> str:
        """Every second spell is bad, the kinds in turn; at the end all is well."""
        spell = int(at / SPELL_SECONDS)
        if not self.trouble.modes or at >= TROUBLE_SECONDS or spell % 2 == 0:
            return ""
        return self.trouble.modes[spell // 2 % len(self.trouble.modes)]

    def _post(self, incident: Incident, *, over: bool) -> None:
        """As Prometheus: an alert that goes on ends in four resends, unless it is posted again."""
        ends = self._wall(incident.ends) if over else datetime.now(UTC) + timedelta(seconds=4 * RESEND_SECONDS)
        body = [{
            "labels": {"alertname": "LineDown", "target": incident.name},
            "startsAt": self._wall(incident.begins).isoformat(), "endsAt": ends.isoformat(),
        }]  # fmt: skip
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v2/alerts", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )  # fmt: skip
        try:
            with urllib.request.urlopen(asked, timeout=2):  # noqa: S310  our own, on loopback
                pass
        except OSError:
            self.not_taken += 1

    def _wall(self, at: float) -> datetime:
        return self.began + timedelta(seconds=at)

    def _figures(self) -> Row:
        mails = list(self.relay.mails)
        stories = [story(each.name, mails) for each in self.incidents]
        found = {key: sum(each[key] for each in stories) for key in stories[0]}
        return {
            "incidents": len(self.incidents), "mails taken": len(mails), **found, "posts not taken": self.not_taken,
        }  # fmt: skip


def story(name: str, mails: Sequence[Taken]) -> dict[str, int]:
    """What the mails in their order tell of one incident.

    A story begins and ends once; `repeated` are all mails beyond these two, `out of order` is a beginning that comes after the end.
    """
    told = [(stack.told(each), str(each.message["Message-ID"])) for each in mails]
    begins = [(index, id_) for index, (what, id_) in enumerate(told) if name in what.firing]
    ends = [(index, id_) for index, (what, id_) in enumerate(told) if name in what.resolved]
    same = sum(len(each) - len({id_ for _, id_ in each}) for each in (begins, ends))
    return {
        "beginning lost": not begins, "end lost": not ends, "nothing told at all": not begins and not ends,
        "repeated": max(0, len(begins) - 1) + max(0, len(ends) - 1), "of them with the same Message-ID": same,
        "out of order": bool(begins and ends and begins[-1][0] > ends[0][0]),
    }  # fmt: skip


def _full_disk(folder: Path) -> None:
    """A disk of its own, with no room left."""
    network.run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder))
    with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


def drawn_incidents(seed: int, count: int) -> Iterator[Incident]:
    """Incidents at random times, of random length."""
    drawn = random.Random(seed)  # noqa: S311  a plan, no secret
    for index in range(count):
        begins = drawn.uniform(0, TROUBLE_SECONDS - LASTS_SECONDS[1])
        yield Incident(f"line-{index}", begins, begins + drawn.uniform(*LASTS_SECONDS))


def measure(run: Run) -> dict[str, Any]:
    """All kinds of trouble at once; `rounds` are so many times INCIDENTS."""
    if not run.has("prometheus-alertmanager"):
        raise RuntimeError("nothing to measure without it")
    network.run("ip", "link", "set", "lo", "up")
    tortures = [
        Torture(
            trouble, run.folder / f"peer-{index}", FIRST_PORT + 2 * index, FIRST_PORT + 2 * index + 1,
            list(drawn_incidents(SEED, INCIDENTS * (run.rounds or 1))), random.Random(SEED + index),  # noqa: S311
        )
        for index, trouble in enumerate(TROUBLES)
    ]  # fmt: skip
    with ThreadPoolExecutor(len(tortures)) as pool:
        rows = list(pool.map(Torture.run, tortures))
    names = [each.name for each in TROUBLES]
    title = f"torture of Alertmanager, {TROUBLE_SECONDS:g} s, {RESTARTS} restarts where there are any"
    return {"tables": {title: dict(zip(names, rows, strict=True))}}
