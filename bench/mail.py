"""From a cut to `250 OK` at the mail server: the daemon, and beside it Prometheus with Alertmanager, on the same cuts of the same lines.

Each has a mail server of its own of the same kind (STARTTLS, log-in), and its time is that at which that server takes the first mail
that names the line. Cuts overlap, because the usual setting needs 100 s for each; `plan` says why that changes nothing.
"""

from __future__ import annotations

import contextlib
import math
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

from bench import stack
from bench.harness import Row, Run, quantiles
from lab.network import MONITOR
from lab.peers import SMTP_PASSWORD
from lab.province import SINK_PORT, Province
from lab.sink import Sink, Taken
from monitor.core.model import Cause, Inventory

CUTS = 30
SEED = 6
GAP_SECONDS = (7.0, 13.0)
"""Between two cuts, drawn evenly."""
LOOK_SECONDS = 0.05
WARM_SECONDS = 30.0
PATIENCE_SECONDS = 150.0
"""Longest wait for a mail about one cut."""
QUIET_SECONDS = 20.0
"""So long without a mail, and the core cut is told of by everybody."""
CALM_SECONDS = 240.0
"""Longest wait until all is well and told."""
FEW_OTHERS = 4
OURS = "ours"
NEVER = datetime.min.replace(tzinfo=UTC)
USERNAME = "canh-bao"
CORE = "center/core"


@dataclass(frozen=True, slots=True)
class Mail:
    """What one mail says: which targets are down, which well again."""

    at: float
    """Monotonic."""
    to: tuple[str, ...]
    firing: frozenset[str]
    resolved: frozenset[str]


@dataclass(slots=True)
class Cut:
    """One line, cut once."""

    target: str
    began: float = 0.0
    wall: datetime = NEVER
    others: int = 0
    """Cut at the same time."""
    told: dict[str, float] = field(default_factory=dict)
    """Seconds until each contender's mail."""


def plan(inventory: Inventory, cuts: int, seed: int) -> list[str]:
    """Lines to cut in this order, of both kinds, each of another commune.

    Cuts may overlap as long as nobody can take them for one thing. Our correlator looks for something common (provider, area, point
    of presence, what it is behind) in what failed within 30 s, and names it only when four in five of those that have it have
    failed. So neighbours in this order are of other areas: an area comes again after all others, some 200 s later, and
    no more than six lines fail in 30 s of the 64 or more that share anything else. Alertmanager groups by commune, and
    inhibits only behind a point of presence that is down itself: none is.
    """
    drawn = random.Random(seed)  # noqa: S311  a plan, no secret
    by_area: dict[str, list[str]] = {}
    for site in inventory.sites.values():
        if site.kind == "commune":
            by_area.setdefault(site.area, []).append(site.id)
    areas = list(by_area.values())
    drawn.shuffle(areas)
    for sites in areas:
        drawn.shuffle(sites)
    order = [site for turn in zip_longest(*areas) for site in turn if site is not None][:cuts]
    kinds = [("tslcd", "internet")[index % 2] for index in range(len(order))]
    drawn.shuffle(kinds)
    return [f"{site}/{kind}" for site, kind in zip(order, kinds, strict=True)]


class Letters:
    """What the mail servers took, by contender; filled from their threads."""

    def __init__(self) -> None:
        self.of: dict[str, list[Mail]] = {}

    def ours(self, taken: Taken) -> None:
        """Take a mail of the daemon; its thread is named after the root."""
        incident, id_ = str(taken.message.get("X-Commune-Monitor-Incident", "")), str(taken.message["Message-ID"])
        root = frozenset({"/".join(incident.split("-", 2)[2].rsplit(".", 1))} if incident else ())
        ends = ".recovered" in id_ or ".withdrawn" in id_
        self._add(OURS, Mail(time.monotonic(), taken.to, frozenset() if ends else root, root if ends else frozenset()))

    def theirs(self, name: str, taken: Taken) -> None:
        """Take a mail of an Alertmanager."""
        told = stack.told(taken)
        self._add(name, Mail(time.monotonic(), taken.to, told.firing, told.resolved))

    def _add(self, name: str, mail: Mail) -> None:
        self.of[name].append(mail)

    def first(self, name: str, target: str, since: float) -> float | None:
        """When the first mail that says that a target is down came."""
        return next((mail.at for mail in list(self.of[name]) if mail.at >= since and target in mail.firing), None)

    def last(self) -> float:
        """When the newest mail came."""
        return max((mails[-1].at for mails in self.of.values() if mails), default=0.0)


class Bench:
    """The province with all contenders."""

    def __init__(self, province: Province, letters: Letters, settings: Sequence[stack.Setting]) -> None:
        self._province, self._letters, self._settings = province, letters, settings

    def lines(self, targets: Sequence[str], seed: int) -> list[Cut]:
        """Cut these lines one after the other, mending each when all have told of it."""
        drawn = random.Random(seed)  # noqa: S311
        waiting, under_way, done = [Cut(each) for each in targets], list[Cut](), list[Cut]()
        due = time.monotonic()
        while waiting or under_way:
            now = time.monotonic()
            if waiting and now >= due:
                cut = waiting.pop(0)
                cut.others, cut.wall, cut.began = len(under_way), datetime.now(UTC), now
                under_way.append(cut)
                self._set(under_way)
                due = now + drawn.uniform(*GAP_SECONDS)
            over = [each for each in under_way if self._is_told(each) or now - each.began > PATIENCE_SECONDS]
            if over:
                under_way = [each for each in under_way if each not in over]
                self._set(under_way)
                for each in over:
                    done.append(each)
                    said = ", ".join(f"{name} {seconds:.2f}" for name, seconds in each.told.items())
                    print(f"    {len(done)}/{len(targets)} {each.target}, {each.others} others: {said} s", flush=True)
            time.sleep(LOOK_SECONDS)
        return done

    def _set(self, cuts: Iterable[Cut]) -> None:
        self._province.cut(*(each.target for each in cuts))

    def _is_told(self, cut: Cut) -> bool:
        for name in self._letters.of:
            if name not in cut.told and (at := self._letters.first(name, cut.target, cut.began)) is not None:
                cut.told[name] = at - cut.began
        return len(cut.told) == len(self._letters.of)

    def core(self) -> Mapping[str, Row]:
        """Cut the core until all have told of it, mend it until all have told of that; the mails of each."""
        before = {name: len(mails) for name, mails in self._letters.of.items()}
        began = time.monotonic()
        self._province.cut(CORE)

        def told() -> bool:
            all_have = all(self._letters.first(name, CORE, began) is not None for name in self._letters.of)
            return all_have and time.monotonic() - self._letters.last() > QUIET_SECONDS

        _until(told, PATIENCE_SECONDS)
        mended = time.monotonic()
        self._province.mend()
        self.calm()
        return {name: _core_row(mails[before[name] :], began, mended) for name, mails in self._letters.of.items()}

    def calm(self) -> None:
        """Wait until nothing is wrong for anybody, and all have said so."""

        def well() -> bool:
            if self._province.get("/api/v1/incidents?open=true&limit=1")["incidents"]:
                return False
            if any(stack.open_alerts(each) for each in self._settings):
                return False
            return all(not _still_down(mails) for mails in self._letters.of.values())

        if not _until(well, CALM_SECONDS):
            for name, mails in self._letters.of.items():
                print(f"    never said to be well again by {name}: {', '.join(sorted(_still_down(mails))) or 'none'}")


def _still_down(mails: Iterable[Mail]) -> set[str]:
    """Targets whose last mail says that they are down."""
    down: set[str] = set()
    for mail in list(mails):
        down = (down | mail.firing) - mail.resolved
    return down


def _until(seen: Callable[[], bool], patience: float) -> bool:
    until = time.monotonic() + patience
    while not seen():
        if time.monotonic() > until:
            return False
        time.sleep(1)
    return True


# -- tables ------------------------------------------------------------------------------------------------------------


def _delays(cuts: Sequence[Cut], mails: Mapping[str, Sequence[Mail]]) -> dict[str, Row]:
    """Cut to `250 OK` by contender, and how many times ours that is."""
    rows: dict[str, Row] = {}
    cut = {each.target for each in cuts}
    for name in mails:
        half, most, longest = quantiles([each.told[name] for each in cuts if name in each.told])
        few, many = (
            quantiles([each.told[name] for each in cuts if name in each.told and (each.others <= FEW_OTHERS) is wanted])[0]
            for wanted in (True, False)
        )  # fmt: skip
        rows[name] = {
            "cuts": len(cuts), "told": sum(name in each.told for each in cuts), "p50 s": half, "p99 s": most, "max s": longest,
            f"p50 s, up to {FEW_OTHERS} others cut": few, "p50 s, more": many,
            "mails about other lines": sum(bool(mail.firing - cut) for mail in mails[name]),
        }  # fmt: skip
    for row in rows.values():
        row |= {f"{key} × ours": row[f"{key} s"] / rows[OURS][f"{key} s"] for key in ("p50", "p99")}
    return {name: _rounded(row) for name, row in rows.items()}


def _core_row(mails: Sequence[Mail], began: float, mended: float) -> Row:
    """Mails of the core cut that each recipient got."""
    first = min((each.at for each in mails if CORE in each.firing), default=float("nan"))
    end = min((each.at for each in mails if CORE in each.resolved), default=float("nan"))
    down = Counter(to for each in mails if each.firing for to in each.to)
    well = Counter(to for each in mails if not each.firing for to in each.to)
    in_all = down + well
    late = sum(bool(each.firing) and each.at > mended for each in mails)
    return _rounded({
        "recipients": len(in_all), "mails per recipient that say down": max(down.values(), default=0), "of them after it was mended": late,
        "mails per recipient that say well": max(well.values(), default=0), "mails per recipient": max(in_all.values(), default=0), "said down, never well": len(_still_down(mails)),
        "cut to the mail about the core s": first - began, "mended to the mail that it is well s": end - mended,
    })  # fmt: skip


def _rounded(row: Row) -> Row:
    """Figures as they are kept; None for those of which there are none."""
    shown = {key: round(value, 2) if isinstance(value, float) else value for key, value in row.items()}
    return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in shown.items()}


def stages(cuts: Sequence[Cut], database: Path) -> tuple[dict[str, Row], int]:
    """Where the daemon's time goes, from its own database, and how many cuts had their own line as root and cause."""
    found: dict[str, list[float]] = {}
    right = 0
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        for cut in cuts:
            rows = _rows(connection, cut)
            if rows is None or OURS not in cut.told:
                continue
            since, decided, opened, queued, cause = rows
            right += cause == Cause.LINK
            taken = cut.wall + timedelta(seconds=cut.told[OURS])
            steps = {
                "turn of the line, and time-out of its first lost echo": (cut.wall, since),
                "confirmation burst, until it is held down": (since, decided),
                "hold, until the incident opens": (decided, opened),
                "writing to the database begins": (opened, queued),
                "written, taken, composed, SMTP with TLS and log-in, until 250": (queued, taken),
            }
            for name, (begin, end) in steps.items():
                found.setdefault(name, []).append((end - begin).total_seconds())
    table = {}
    for name, values in found.items():
        half, most, longest = quantiles(values)
        table[name] = _rounded({"p50 s": half, "p99 s": most, "max s": longest})
    return table, right


def _rows(connection: sqlite3.Connection, cut: Cut) -> tuple[datetime, datetime, datetime, datetime, str] | None:
    """First loss, held down, incident opened, mail queued, and the cause of the incident whose root is the line that was cut."""
    begin = cut.wall.isoformat(timespec="microseconds")
    state = connection.execute(
        "SELECT since, at FROM state_change WHERE target = ? AND state = 'down' AND at >= ? ORDER BY id", (cut.target, begin)
    ).fetchone()  # fmt: skip
    mail = connection.execute(
        "SELECT json_extract(incident.body, '$.opened'), outbox.queued_at, json_extract(incident.body, '$.cause')"
        " FROM incident JOIN outbox ON outbox.thread = incident.id"
        " WHERE json_extract(incident.body, '$.root') = ? AND outbox.queued_at >= ? ORDER BY outbox.seq",
        (cut.target, begin),
    ).fetchone()
    if state is None or mail is None:
        return None
    since, at, opened, queued = (datetime.fromisoformat(each) for each in (*state, *mail[:2]))
    return since, at, opened, queued, str(mail[2])


def measure(run: Run) -> dict[str, Any]:
    """All cuts of lines, then the core; `rounds` are so many times CUTS."""
    config = Path(__file__).parent.parent / "config"
    letters = Letters()
    province = Province(run.folder, config, letters.ours, lambda _: None)
    missing = [each for each in stack.COMMANDS if not run.has(each)]  # all of them are named
    settings = [stack.TUNED, stack.USUAL] if not missing else []
    letters.of = {name: [] for name in (OURS, *(each.name for each in settings))}
    with contextlib.ExitStack() as running:
        running.callback(province.stop)
        province.start()
        if settings:
            running.enter_context(stack.prober(run.folder))
        for index, each in enumerate(settings):
            running.enter_context(_beside(province, run.folder, each, letters, SINK_PORT + 1 + index))
        province.wait_ready()
        time.sleep(WARM_SECONDS)  # the usual round trips are known
        bench = Bench(province, letters, settings)
        print("    all run; lines are cut now", flush=True)
        cuts = bench.lines(plan(province.inventory, CUTS * (run.rounds or 1), SEED), SEED)
        print("    waiting until all is well and told", flush=True)
        bench.calm()
        lines = {name: list(mails) for name, mails in letters.of.items()}
        print("    the core is cut", flush=True)
        core = bench.core()
        table, right = stages(cuts, run.folder / "state.db")
    delays = _delays(cuts, lines)
    delays[OURS]["root and cause right"] = right
    return {
        "tables": {
            "mail: seconds from the cut of a line to 250 OK": delays,
            "mail: where the daemon's seconds go": table,
            "mail: the core is cut, and 129 communes with it": dict(core),
        }
    }


@contextlib.contextmanager
def _beside(province: Province, folder: Path, setting: stack.Setting, letters: Letters, port: int) -> Iterator[None]:
    """A stack with a mail server of its own."""
    sink = Sink(
        MONITOR, port, certificate=province.authority.issue(f"sink-{setting.name}", [MONITOR]), login=(USERNAME, SMTP_PASSWORD),
        on_mail=partial(letters.theirs, setting.name),
    )  # fmt: skip
    relay = stack.Relay(host=MONITOR, port=port, username=USERNAME, password=SMTP_PASSWORD, ca=province.authority.ca)
    sink.start()
    try:
        with stack.running(setting, province.inventory, relay, folder / setting.name):
            yield
    finally:
        sink.stop()
