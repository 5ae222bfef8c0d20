"""Torture of the outbox: a real daemon that is killed at random moments, mail servers that fail at random, a disk that fills up.

Communes, each with one service, are cut and mended at random. Afterwards the database of the daemon is held against what the
mail servers have: every mail of every incident event must be there, in the order of its thread, and twice only where a server
had taken it and nobody could know. What is chosen at random comes from a seed; what comes of it also hangs on the machine's pace.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alerts.webhook import signed
from lab.receiver import Receiver
from lab.sink import DROP, HANG, Sink, Taken
from monitor.asking import ask

SETTINGS = """
listen: 127.0.0.1:{listen}
database: {folder}/small/state.db
mail:
  from: Giám sát <monitor@noc.example>
  message_id_domain: noc.example
  emergency_after_seconds: 3
  relays:
    - {{host: 127.0.0.1, port: {first}, tls: none, timeout_seconds: 1}}
    - {{host: 127.0.0.1, port: {second}, tls: none, timeout_seconds: 1}}
webhooks:
  - {{name: hook, url: {{file: hook-url}}, key: {{file: hook-key}}, timeout_seconds: 1}}
alertmanager:
  urls: ["http://127.0.0.1:{third}/alertmanager"]
  every_seconds: 10
"""
KEY = "signs each post"
TOLD = ("on-call", "second", "webhook:hook")
"""Who is told of every incident event."""
CONTACTS = """
contacts:
  on-call: {name: Kỹ sư trực, email: on-call@noc.example}
  second: {name: Second, email: second@noc.example, language: en}
"""
PROFILE = """
profiles:
  portal:
    kind: public-portal
    checks:
      port: {{probe: tcp, interval: 200ms, timeout: 1s, confirm: 1, options: {{port: {port}}}}}
  gateway:
    kind: gateway
    checks:
      port: {{probe: tcp, interval: 1s, timeout: 1s, options: {{port: {port}}}}}
sites:
  - id: center
    name: Trung tâm dữ liệu
    kind: data-center
    devices:
      gateway: {{profile: gateway, address: 127.9.255.1, vantage: true}}
"""
SITE = """
  - id: xa-{number}
    name: Xã {number}
    services:
      portal: {{profile: portal, address: {address}}}
"""
READ = """
import json, sqlite3, sys
print(json.dumps(sqlite3.connect(sys.argv[1], timeout=10).execute(sys.argv[2]).fetchall()))
"""
UNFINISHED = """
SELECT id FROM outbox WHERE status IN ('queued', 'sending', 'deferred') UNION SELECT id FROM incident WHERE closed IS NULL
"""
DISK = "32m"
GATEWAY = 255 * 250
TURNS = 3
"""Of cutting and mending in a life."""
CUT_AT_ONCE, STAY_CUT = 2, 5
FAULTS = (HANG, DROP, "451 later", "421 closing", "550 no")
AWAY = 3
"""For so many lives in a row no mail server answers at all, then for twice as many they do."""
REFUSING, REFUSED_RATIO = 4, 0.5
"""In one of so many lives both mail servers refuse so many recipients for good; in the end all these mails are sent once more."""
FULL_RATIO = 0.15
"""Of the lives, in how many the disk is full for a while."""
SEEN_SECONDS = 2.0
"""What was on the board for so long while the disk had room must have been written."""


@dataclass(slots=True, kw_only=True)
class Found:
    """What came of it."""

    kills: int = 0
    full_disks: int = 0
    incidents: int = 0
    mails: int = 0
    """Notifications in the outbox."""
    sent: int = 0
    superseded: int = 0
    failed: int = 0
    """Refused for good by all mail servers, and told by a later mail since: no loss."""
    retried: int = 0
    """Of those that were refused, in the end: those that no later mail had told."""
    alerts: int = 0
    """Incidents of which Alertmanager was told."""
    emergencies: int = 0
    """Mails that nothing can be written, or can again."""
    lost: list[str] = field(default_factory=list)
    twice: int = 0
    """Copies beyond the first where the server had the mail and its answer did not come, or the daemon was killed."""
    twice_for_nothing: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Copy:
    """A mail that a server has."""

    life: int
    unanswered: bool = False


class Torture:
    """One run in a folder of its own; needs root, for a small disk in a mount namespace."""

    def __init__(
        self, folder: Path, *, seed: int, kills: int, fault_ratio: float = 0.05, full_ratio: float = FULL_RATIO
    ) -> None:
        self._folder, self._kills, self._ratio, self._full_ratio = folder, kills, fault_ratio, full_ratio
        self._random, self._server_random = random.Random(seed), random.Random(seed + 1)  # noqa: S311  no secret
        self._sites = max(12, 2 * kills)
        self._life, self._faults = 0, True
        self._copies: dict[str, list[_Copy]] = {}
        self._arrived: list[str] = []
        self._portals: dict[int, socket.socket] = {}
        self._are_cut: list[int] = []
        """In the order of cutting."""
        self._daemon: subprocess.Popen[bytes] | None = None
        self._seen: dict[str, float] = {}
        """Incidents that were on the board, and since when."""
        self._alerts: dict[str, str] = {}
        """What Alertmanager was told last of each incident: until when it lasts."""
        self._written: set[str] = set()
        """Those that must be in the database."""
        self.found = Found()

    def run(self) -> Found:
        """All of it."""
        with contextlib.ExitStack() as stack:
            self._holder = stack.enter_context(self._small_disk())
            ports = [stack.enter_context(self._sink()) for _ in range(2)]
            self._write_files([*ports, stack.enter_context(self._receiver())])
            try:
                for number in (GATEWAY, *range(self._sites)):
                    self._mend(number)
                for _ in range(self._kills):
                    self._life += 1
                    self._live_and_die()
                self._let_it_end()
            finally:
                if self._daemon is not None and self._daemon.poll() is None:
                    self._daemon.kill()
                    self._daemon.wait()
                for each in self._portals.values():
                    _close(each)
            self._hold_against_each_other()
        return self.found

    # -- surroundings ----------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _small_disk(self) -> Iterator[int]:
        """A small disk that outlives the daemon: process that holds its mount namespace."""
        (self._folder / "small").mkdir()
        script = f'mount -t tmpfs -o size={DISK} small "$0" && echo ready && exec cat'
        command = ["unshare", "--mount", "sh", "-c", script, str(self._folder / "small")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            if holder.stdout.readline() != b"ready\n":
                raise RuntimeError("no small disk could be mounted; this needs root")
            yield holder.pid
            holder.kill()

    @property
    def _disk(self) -> Path:
        return Path(f"/proc/{self._holder}/root{self._folder}/small")

    @contextlib.contextmanager
    def _sink(self) -> Iterator[int]:
        port = _free_port()
        current: list[_Copy] = []

        def on_mail(taken: Taken) -> None:
            id_ = str(taken.message["Message-ID"]).strip("<>").removesuffix("@noc.example")
            copy = _Copy(self._life)
            self._copies.setdefault(id_, []).append(copy)
            self._arrived.append(id_)
            current[:] = [copy]

        def fault(step: str) -> str:
            if self._faults and self._life // AWAY % 3 == 1 and step == "connect":
                return DROP
            if self._faults and self._life % REFUSING == 1 and step == "rcpt":
                return "550 no" if self._server_random.random() < REFUSED_RATIO else ""
            if not self._faults or self._server_random.random() >= self._ratio * (3 if step == "taken" else 1):
                return ""
            how = self._server_random.choice(FAULTS)
            if step == "taken":  # nothing that it says could be taken back
                current[0].unanswered = True
                return how if how in (HANG, DROP) else DROP
            return how

        sink = Sink("127.0.0.1", port, on_mail=on_mail)
        sink.start()
        sink.fault = fault
        try:
            yield port
        finally:
            sink.stop()

    @contextlib.contextmanager
    def _receiver(self) -> Iterator[int]:
        """Webhook and Alertmanager."""
        current: list[_Copy] = []

        def on_post(path: str, headers: Mapping[str, str], body: bytes) -> None:
            current.clear()
            if path.startswith("/alertmanager/"):
                for alert in json.loads(body):
                    self._alerts[alert["labels"]["incident"]] = alert["endsAt"]
                return
            id_, at = (
                headers["Idempotency-Key"],
                datetime.fromtimestamp(int(headers["X-Commune-Monitor-Timestamp"]), UTC),
            )
            if signed(KEY.encode(), at, body)["X-Commune-Monitor-Signature"] != headers["X-Commune-Monitor-Signature"]:
                self.found.lost.append(f"{id_} was posted with a signature that is wrong")
            current.append(_Copy(self._life))
            self._copies.setdefault(id_, []).append(current[0])
            self._arrived.append(id_)

        def fault(step: str) -> str:
            if not self._faults or self._server_random.random() >= self._ratio * 3:
                return ""
            for each in current if step == "taken" else ():
                each.unanswered = True
            return self._server_random.choice((HANG, DROP, "500", "503"))

        receiver = Receiver(on_post, fault)
        receiver.start()
        try:
            yield receiver.port
        finally:
            receiver.stop()

    def _write_files(self, ports: Sequence[int]) -> None:
        self._listen, self._port = _free_port(), _free_port()
        text = SETTINGS.format(
            listen=self._listen, folder=self._folder, first=ports[0], second=ports[1], third=ports[2]
        )
        (self._folder / "settings.yaml").write_text(text, encoding="utf-8")
        (self._folder / "secrets").mkdir()
        (self._folder / "secrets" / "hook-url").write_text(f"http://127.0.0.1:{ports[2]}/hook")
        (self._folder / "secrets" / "hook-key").write_text(KEY)
        (self._folder / "contacts.yaml").write_text(CONTACTS, encoding="utf-8")
        (self._folder / "inventory").mkdir()
        sites = "".join(SITE.format(number=number, address=_address(number)) for number in range(self._sites))
        text = PROFILE.format(port=self._port) + sites
        (self._folder / "inventory" / "all.yaml").write_text(text, encoding="utf-8")

    def _mend(self, number: int) -> None:
        if number not in self._portals:
            self._portals[number] = portal = socket.socket()
            portal.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            portal.bind((_address(number), self._port))
            portal.listen(100)
            threading.Thread(target=_accept, args=(portal,), daemon=True).start()
            if number in self._are_cut:
                self._are_cut.remove(number)

    def _cut(self, number: int) -> None:
        if number in self._portals:
            _close(self._portals.pop(number))
            self._are_cut.append(number)

    def _inside(self) -> list[str]:
        return ["nsenter", f"--mount=/proc/{self._holder}/ns/mnt"]

    # -- lives -----------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        command = [sys.executable, "-m", "monitor", "run", "--settings", str(self._folder / "settings.yaml")]
        with (self._folder / "log").open("ab") as log:
            self._daemon = subprocess.Popen([*self._inside(), *command], stdin=subprocess.DEVNULL, stderr=log)

    def _live_and_die(self) -> None:
        """A life of the daemon; some end before it is up."""
        chance = self._random
        self._start()
        if chance.random() < 0.2:
            time.sleep(chance.uniform(0.0, 1.5))
        else:
            self._until(self._up, 30)
            full_at = 1 if chance.random() < self._full_ratio else None
            self._seen.clear()
            for turn in range(TURNS):
                if turn == full_at:
                    self._fill()
                for number in chance.sample(range(self._sites), CUT_AT_ONCE):
                    self._cut(number)
                for number in self._are_cut[:-STAY_CUT]:
                    self._mend(number)
                self._look(chance.uniform(0.5, 3.5))
        assert self._daemon is not None
        if self._daemon.poll() is not None:
            raise RuntimeError(f"the daemon ended by itself: {(self._folder / 'log').read_text()[-2000:]}")
        self._daemon.kill()
        self._daemon.wait()
        self.found.kills += 1
        (self._disk / "filler").unlink(missing_ok=True)  # it could not start on a full disk

    def _fill(self) -> None:
        self.found.full_disks += 1
        self._seen.clear()
        with contextlib.suppress(OSError), (self._disk / "filler").open("wb", buffering=0) as filler:
            while filler.write(bytes(4096)) == 4096:  # in the end single bytes
                pass

    def _look(self, seconds: float) -> None:
        """Let time pass, and note what is on the board."""
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            with contextlib.suppress(OSError):
                for each in self._ask("/api/v1/incidents?open=true&limit=200")["incidents"]:
                    since = self._seen.setdefault(each["id"], now)
                    if now - since > SEEN_SECONDS and not (self._disk / "filler").exists():
                        self._written.add(each["id"])
            time.sleep(0.1)

    def _let_it_end(self) -> None:
        """Without faults, until all incidents are over and all mails are told."""
        self._faults = False
        self._life += 1
        self._start()
        self._until(lambda: self._ask("/api/v1/incidents?open=true")["incidents"], 60)  # some are cut still
        for number in range(self._sites):
            self._mend(number)
        self._until(lambda: not self._rows(UNFINISHED), 900)
        code, said = asyncio.run(ask(self._folder / "control.sock", "POST", "/-/mails/retry", {"all_failed": True}))
        if code != 200:
            raise RuntimeError(f"what had failed was not queued again: {said}")
        self.found.retried = len(json.loads(said))
        self._until(lambda: not self._rows(UNFINISHED), 900)
        self._until(lambda: not self._open_alerts(), 60)
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGTERM)
        self._daemon.wait(30)

    def _open_alerts(self) -> set[str]:
        """Incidents that Alertmanager holds open, of those in the database: the others end by themselves, for nobody renews them."""
        now = datetime.now(UTC)
        still = {incident for incident, until in self._alerts.items() if datetime.fromisoformat(until) > now}
        return still & {str(each) for (each,) in self._rows("SELECT id FROM incident")} if still else still

    def _up(self) -> bool:
        return bool(self._ask("/api/v1/targets?limit=1"))

    def _ask(self, route: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._listen}{route}", timeout=5) as answer:
            return json.load(answer)

    def _until(self, holds: Callable[[], Any], seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                if holds():
                    return
            time.sleep(0.1)
        raise RuntimeError(f"it never came; the daemon said: {(self._folder / 'log').read_text()[-4000:]}")

    # -- afterwards ------------------------------------------------------------------------------------------------

    def _rows(self, query: str) -> list[list[Any]]:
        """What the database holds; asked in its mount namespace, for SQLite goes by the names of files."""
        command = [*self._inside(), sys.executable, "-c", READ, str(self._folder / "small" / "state.db"), query]
        return list(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))

    def _hold_against_each_other(self) -> None:
        found = self.found
        mails = self._rows(
            "SELECT thread, contact, id, status, json_extract(body, '$.event.what') FROM outbox ORDER BY seq"
        )
        events = self._rows("SELECT incident, what FROM incident_event ORDER BY id")
        known = {incident for incident, _ in events}
        statuses = Counter(status for _, _, _, status, _ in mails)
        found.incidents, found.mails, found.alerts = len(known), len(mails), len(self._alerts)
        found.lost += [
            f"{status}: {id_}" for _, _, id_, status, _ in mails if status in ("queued", "sending", "deferred")
        ]
        found.sent, found.superseded, found.failed = (statuses[each] for each in ("sent", "superseded", "failed"))
        found.lost += [f"{each} was on the board, and is not in the database" for each in self._written - known]
        wanted = Counter((incident, contact, what) for incident, what in events for contact in TOLD)
        noted = Counter((thread, contact, what) for thread, contact, _, _, what in mails)
        found.lost += [f"{' '.join(each)}: {number} not in the outbox" for each, number in (wanted - noted).items()]
        threads: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for thread, contact, id_, status, _ in mails:
            threads.setdefault((thread, contact), []).append((id_, status))
        first = {id_: self._arrived.index(id_) for id_ in self._copies}
        for thread in threads.values():
            self._hold_thread(thread, first)
        self._count_copies()

    def _hold_thread(self, thread: Sequence[tuple[str, str]], first: Mapping[str, int]) -> None:
        last = -1
        for place, (id_, status) in enumerate(thread):
            if status == "sent" and id_ not in first:
                self.found.lost.append(f"{id_} counts as sent, and no server has it")
            if status == "failed" and "sent" not in {later for _, later in thread[place + 1 :]}:
                self.found.lost.append(f"{id_} failed, and was not sent once more")
            if status == "superseded" and not {later for _, later in thread[place + 1 :]} & {"sent", "failed"}:
                self.found.lost.append(f"{id_} was superseded by nothing")
            if status == "sent" and id_ in first:
                if first[id_] < last:
                    self.found.out_of_order.append(id_)
                last = first[id_]

    def _count_copies(self) -> None:
        for id_, copies in self._copies.items():
            if ".unwritten." in id_:
                self.found.emergencies += len(copies)
                continue
            for before, after in itertools.pairwise(copies):
                if before.unanswered or after.life > before.life:
                    self.found.twice += 1
                else:
                    self.found.twice_for_nothing.append(id_)


def _accept(portal: socket.socket) -> None:
    """Answer until it is closed: what nobody accepts fills the queue, and then looks cut."""
    with contextlib.suppress(OSError):
        while True:
            portal.accept()[0].close()


def _close(portal: socket.socket) -> None:
    with contextlib.suppress(OSError):
        portal.shutdown(socket.SHUT_RDWR)  # wakes who accepts
    portal.close()


def _address(number: int) -> str:
    return f"127.9.{number // 250}.{number % 250 + 1}"


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])
