"""Commands that look back: decide once more, explain, sum up."""

from __future__ import annotations

import asyncio
import csv
import json
import math
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path

import click
from pydantic import TypeAdapter
from rich.console import Console

from monitor.archive import Archive, ArchiveError
from monitor.commands.shared import SETTINGS, fail, moment
from monitor.core.explain import explain_all
from monitor.core.ledger import By, Maintenance, Report, Span, Totals, announced, read_span
from monitor.core.model import Happening, IncidentEvent
from monitor.core.words import EN, WORDS, percent
from monitor.database import StoreError
from monitor.inventory.load import load_inventory
from monitor.recording import RecordingError, read
from monitor.replay import Replay
from monitor.settings import load_settings, named_files
from monitor.store import read_history
from monitor.web.api import report_json, totals_json
from monitor.yamlfile import ConfigError

EVENTS = TypeAdapter(list[IncidentEvent])


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@SETTINGS
@click.option("--inventory", "folder", type=click.Path(path_type=Path), help="Instead of the one of the settings.")
@click.option(
    "--until", metavar="TIME", callback=moment, help="Stop at this time (ISO 8601; without a zone Viet Nam's)."
)
@click.option("--open-only", is_flag=True, help="Only incidents that are open at the end.")
@click.option("--json", "as_json", is_flag=True, help="All events with their explanations, for programs.")
def replay(file: Path, path: Path, folder: Path | None, until: datetime | None, open_only: bool, as_json: bool) -> None:
    """Decide once more what is recorded in FILE, and show the incidents; sends and stores nothing."""
    try:
        inventory = load_inventory(folder or named_files(path)[0], None)
        replayed = Replay(inventory)
        events = list(replayed.events(read(file), until))
    except (ConfigError, RecordingError) as error:
        fail(error)
        return
    if open_only:
        still = {each.id for each in replayed.open()}
        events = [each for each in events if each.incident.id in still]
    for at in replayed.foreign:
        click.echo(f"recorded with another inventory from {EN.moment(at)} on: it may have decided otherwise", err=True)
    if replayed.dropped:
        click.echo(f"{replayed.dropped} lines could not be recorded: it may have decided otherwise", err=True)
    if as_json:
        click.echo(EVENTS.dump_json(events, indent=2).decode())
    else:
        show_replay(Console(), events, replayed.told)
        click.echo(f"{replayed.observations} observations, {len({each.incident.id for each in events})} incidents")


def show_replay(console: Console, events: Sequence[IncidentEvent], told: Sequence[IncidentEvent]) -> None:
    """Each incident as it was in the end, and below it what happened when, and what of it silences held back until when."""
    mailed = {(each.incident.id, each.at): each.what for each in told}
    lives: dict[str, list[IncidentEvent]] = {}
    for event in events:
        lives.setdefault(event.incident.id, []).append(event)
    for id_, life in lives.items():
        last = life[-1].incident
        ended = f"closed {EN.moment(last.closed)}" if last.closed else "open"
        console.print(
            f"{last.id}  {last.root}  {last.state}  {last.cause}  by {last.why}  impact {len(last.impact)}  "
            f"began {EN.moment(last.began)}  {ended}",
            soft_wrap=True, markup=False, highlight=False,
        )  # fmt: skip
        lines = [(each.at, _happened(each, mailed.get((id_, each.at)))) for each in life]
        known = {each.at for each in life}
        lines += [
            (at, f"silence over, told: {what}")
            for (whose, at), what in mailed.items()
            if whose == id_ and at not in known
        ]
        for at, line in sorted(lines, key=itemgetter(0)):
            console.print(f"    {EN.moment(at)}  {line}", soft_wrap=True, markup=False, highlight=False)


def _happened(event: IncidentEvent, told: Happening | None) -> str:
    silent = "" if told is event.what else "  (silenced)" if told is None else f"  (told as {told})"
    return f"{event.what}  {event.incident.root}  {event.incident.cause}{silent}"


@click.command()
@click.argument("incident")
@click.option("--lang", type=click.Choice(list(WORDS)), default="vi", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The events as they are kept, for programs.")
@SETTINGS
def explain(incident: str, lang: str, as_json: bool, path: Path) -> None:
    """Tell step by step why INCIDENT (its id) was decided as it was; reads the database, needs no running daemon."""
    try:
        events = read_history(load_settings(path, None).database_url, incident)
    except (ConfigError, StoreError) as error:
        fail(error)
        return
    if not events:
        fail(f"the database has no incident {incident!r}; its id is in the mail, on the board and in the API")
    click.echo(EVENTS.dump_json(list(events), indent=2).decode() if as_json else explain_all(events, WORDS[lang]))


@click.command()
@SETTINGS
@click.option("--month", help="A calendar month of Viet Nam, such as 2026-11; without any time, the present one.")
@click.option("--from", "since", help="A date or time, Viet Nam's without a zone: 2026-11-01 or 2026-11-01T08:00.")
@click.option("--until", help="The same; without it up to now.")
@click.option("--by", type=click.Choice([each.value for each in By]), default=By.TARGET.value, show_default=True)
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True,
    help="For people, for a spreadsheet, or as the API gives it.",
)  # fmt: skip
def availability(path: Path, month: str | None, since: str | None, until: str | None, by: str, form: str) -> None:
    """Sum up from the database what was up and for how long, worst first; the daemon may run or not."""
    now = datetime.now(UTC)
    try:
        span = read_span(month, since, until, now)
        works = announced(load_inventory(named_files(path)[0], None), span)
        report = asyncio.run(_read_availability(load_settings(path, None).database_url, By(by), span, now, works))
    except (ConfigError, ArchiveError, ValueError) as error:
        fail(error)
        return
    if form == "table":
        show_availability(Console(), report)
        return
    items = [totals_json(key, each) for key, each in report.totals.items()]
    if form == "json":
        click.echo(json.dumps({**report_json(report), "items": items}, ensure_ascii=False))
        return
    table = csv.DictWriter(sys.stdout, list(totals_json("", Totals())), lineterminator="\n")
    table.writeheader()
    table.writerows(items)


async def _read_availability(url: str, by: By, span: Span, now: datetime, works: Sequence[Maintenance]) -> Report:
    archive = Archive(url)
    try:
        return await archive.availability(by, span, now, works)
    finally:
        archive.close()


def show_availability(console: Console, report: Report) -> None:
    """A line for each: percent in all and without excuses, then how long it was hurt, in hours, minutes and seconds."""
    console.print(f"{EN.moment(report.span.since)} to {EN.moment(report.span.until)} (Viet Nam)", highlight=False)
    width = max((len(key) for key in report.totals), default=0)
    line = f"{{:<{max(width, len(report.by.value))}}}  {{:>8}}  {{:>8}}  {{:>10}}  {{:>10}}  {{:>10}}  {{:>10}}"
    names = (report.by.value, "%", "% net", "degraded", "down", "excused", "unknown")
    console.print(line.format(*names), soft_wrap=True, highlight=False)
    for key, each in report.totals.items():
        ratios = ["-" if ratio is None else percent(ratio) for ratio in (each.availability, each.availability_net)]
        hurt = (each.degraded, each.down + each.unreachable, each.power + each.maintenance, each.unknown)
        said = line.format(key, *ratios, *map(_hours, hurt))
        console.print(said, soft_wrap=True, markup=False, highlight=False)


def _hours(length: timedelta) -> str:
    seconds = math.ceil(length.total_seconds())  # a blink is not nothing
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}" if seconds else "-"
