"""The commands; each parses, calls and prints, and decides nothing."""

from __future__ import annotations

import asyncio
import csv
import json
import logging
import math
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import aiohttp
import click
from pydantic import TypeAdapter
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from alerts.compose import check_templates
from alerts.links import KEY_BYTES, Signer
from alerts.mailer import Delivery
from alerts.reasons import REASONS
from alerts.routing import Scope
from alerts.samples import A_COST, an_hour, as_page, example
from alerts.who import supposed
from alerts.who import who as explain_who
from lab import demo as lab_demo
from lab.scenarios import SCENARIOS
from monitor import editor
from monitor.app import App, StartError, make_composer, make_mailer
from monitor.archive import Archive, ArchiveError
from monitor.control import ask
from monitor.core.explain import explain_all
from monitor.core.ledger import By, Maintenance, Report, Span, Totals, announced, read_span
from monitor.core.model import (
    SUMMARIES,
    Cause,
    Check,
    Contact,
    Happening,
    IncidentEvent,
    Inventory,
    Limit,
    Notification,
    Outcome,
    Severity,
    State,
    Target,
)
from monitor.core.words import EN, LOCAL, WORDS, percent
from monitor.database import StoreError
from monitor.files import load_all, plan_between
from monitor.inventory.contacts import load_contacts
from monitor.inventory.diff import plan_json
from monitor.inventory.load import load_inventory
from monitor.inventory.tell import TOLD, tell
from monitor.problems import FORMS
from monitor.recording import RecordingError, read
from monitor.replay import Replay
from monitor.settings import load_settings, named_files
from monitor.store import read_history
from monitor.web.api import report_json, totals_json
from monitor.yamlfile import ConfigError, Problem
from probes.registry import Request, load, run_once

SETTINGS = click.option(
    "--settings", "path", type=click.Path(path_type=Path), default=Path("config/settings.yaml"), show_default=True,
    help="The daemon's settings.yaml.",
)  # fmt: skip

EVENTS = TypeAdapter(list[IncidentEvent])


def _moment(_: click.Context, option: click.Parameter, value: str | None) -> datetime | None:
    """A time in ISO 8601, of Viet Nam where it names no zone."""
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError as error:
        wrong = f"{value!r} is no time such as 2026-11-24T20:38 or 2026-11-24T13:38:40Z"
        raise click.BadParameter(wrong, param=option) from error
    return at if at.tzinfo else at.replace(tzinfo=LOCAL)


class JsonLines(logging.Formatter):
    """One JSON object a line, for journald and log collectors."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger, message, the incident when there is one, and the traceback."""
        entry: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if hasattr(record, "incident"):
            entry["incident"] = record.incident
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def _log_to_stderr(*, as_json: bool) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(
        JsonLines() if as_json else logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # else it tells of every turn


def _fail(message: object) -> NoReturn:
    click.echo(str(message), err=True)
    sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="commune-monitor")
def main() -> None:
    """Watch the IT of the communes: lines, equipment, services, video-conference rooms."""


@main.command()
@SETTINGS
@click.option("--log", "log_format", type=click.Choice(["json", "text"]), default="json", show_default=True)
@click.option("--record", type=click.Path(path_type=Path), help="Write every observation to this file, for `replay`.")
def run(path: Path, log_format: str, record: Path | None) -> None:
    """Run the daemon until it is told to stop."""
    _log_to_stderr(as_json=log_format == "json")
    try:
        asyncio.run(App(path, record).run())
    except (ConfigError, StartError) as error:
        _fail(error)


@main.command()
@SETTINGS
@click.option("--without-secrets", is_flag=True, help="Do not read the secrets: for checking a copy without them.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "github"]), default="text", show_default=True,
    help="For people, for programs, or as annotations of GitHub Actions.",
)  # fmt: skip
def check(path: Path, without_secrets: bool, form: str) -> None:
    """Say everything that is wrong with settings, inventory, contacts and templates; exit 1 if anything is."""
    problems: list[Problem] = []
    try:
        settings, inventory, routing = load_all(path, with_secrets=not without_secrets, warnings=problems)
        folder = settings.path(settings.mail.templates) if settings.mail.templates else None
        problems += [Problem(str(file), line, 0, message) for file, line, message in check_templates(folder)]
    except ConfigError as error:
        problems += error.problems
    bad = any(not each.warning for each in problems)
    for line in FORMS[form](problems):
        click.echo(line, err=form == "text")
    if bad:
        sys.exit(1)
    if form != "text":
        return
    checks = inventory.checks()
    rate = sum(1 / each.interval_seconds for each in checks.values())
    click.echo(
        f"well: {len(inventory.sites)} sites, {len(inventory.targets)} targets, {len(checks)} checks "
        f"({rate:.0f} a second), {len(routing.contacts)} contacts"
    )


@main.command()
@click.option(
    "--against", type=click.Path(path_type=Path),
    help="Compare with the settings.yaml in this folder instead of the running daemon.",
)  # fmt: skip
@click.option("--lang", type=click.Choice(list(TOLD)), default="vi", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="All of it, for programs.")
@SETTINGS
def plan(against: Path | None, lang: str, as_json: bool, path: Path) -> None:
    """Say what a reload would do to the running daemon, and change nothing; exit 1 if the files are wrong."""
    try:
        made = (
            plan_between(against / "settings.yaml", path, datetime.now(UTC))
            if against
            else plan_json.validate_json(_tell_daemon(path, "GET", "/-/plan"))
        )
    except ConfigError as error:
        _fail(error)
    for line in [plan_json.dump_json(made, indent=2).decode()] if as_json else tell(made, TOLD[lang]):
        click.echo(line)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("config/schema"))
def schema(folder: Path) -> None:
    """Write the JSON Schemas of inventory, contacts and settings into FOLDER, for editors that complete and check YAML."""
    try:
        written = editor.write(folder)
    except OSError as error:
        _fail(f"{error.filename}: cannot be written: {error.strerror}")
    for each in written:
        click.echo(each)


@main.command()
@click.argument("target")
@click.option("--check", "only", help="Only this check of the target.")
@SETTINGS
def probe(target: str, only: str | None, path: Path) -> None:
    """Run the checks of TARGET (site/name) once and explain each step."""
    try:
        _, inventory, _ = load_all(path)
    except ConfigError as error:
        _fail(error)
        return
    found = _target(inventory, target)
    if only is not None and only not in {each.name for each in found.checks}:
        _fail(f"no check {only!r} at {target}; it has: {', '.join(each.name for each in found.checks)}")
        return
    good = asyncio.run(_explain(inventory, found, only))
    sys.exit(0 if good else 1)


async def _explain(inventory: Inventory, target: Target, only: str | None) -> bool:
    good = True
    click.echo(f"{target.id}: {target.label.get('vi', target.kind)} at {inventory.sites[target.site].name}")
    if target.behind:
        click.echo(f"  behind {', '.join(target.behind)}")
    for each in target.checks:
        if only in (None, each.name):
            good &= await _explain_check(each)
    return good


async def _explain_check(check: Check) -> bool:
    started = asyncio.get_running_loop().time()

    def trace(line: str) -> None:
        click.echo(f"  {asyncio.get_running_loop().time() - started:7.3f} s  {line}")

    click.echo(
        f"check {check.name}: {check.probe} to {check.address or '(by name)'}, at most {check.timeout_seconds:g} s"
    )
    request: Request[Any] = Request(
        address=check.address, options=check.options, timeout_seconds=check.timeout_seconds, trace=trace
    )
    result, seconds = await run_once(load()[check.probe], request)
    click.echo(f"  {seconds:7.3f} s  {result.outcome.upper()} ({result.reason}): {result.evidence}")
    for key, value in result.values.items():
        click.echo(f"             {key} {value:.6g}")
    for limit in check.limits:
        click.echo(f"             degraded when {limit.value} is {_bound(limit)}")
    return result.outcome is Outcome.OK


def _bound(limit: Limit) -> str:
    if limit.above_usual is not None:
        return f"above {limit.above_usual:g} times what is usual at its hour, and above {limit.at_least:g}"
    return f"above {limit.above:g}" if limit.above is not None else f"below {limit.below:g}"


async def _get(path: Path, route: str) -> Any:
    settings = load_settings(path, None)  # not the inventory: a mistake in it must not hide what the daemon holds
    host, _, port = settings.listen.rpartition(":")
    host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104  a look at our own daemon
    async with aiohttp.ClientSession() as session, session.get(f"http://{host}:{port}{route}") as response:
        return await response.json()


def _ask_daemon(path: Path, route: str) -> Any:
    try:
        return asyncio.run(_get(path, route))
    except ConfigError as error:
        _fail(error)
    except (OSError, aiohttp.ClientError) as error:
        _no_answer(error, path)


def _no_answer(error: OSError | aiohttp.ClientError, path: Path) -> NoReturn:
    """The kernel's own word instead of the library's sentence around it, where there is one."""
    why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
    _fail(f"no daemon answers: {why}; is it running with these settings ({path})?")


@main.command()
@SETTINGS
def status(path: Path) -> None:
    """Show what the running daemon holds: targets by state, and the open incidents."""
    targets = _ask_daemon(path, "/api/v1/targets?limit=2000")["targets"]
    incidents = _ask_daemon(path, "/api/v1/incidents?open=true")["incidents"]
    show_status(Console(), targets, incidents)


def show_status(console: Console, targets: Sequence[Mapping[str, Any]], incidents: Sequence[Mapping[str, Any]]) -> None:
    """Counts by state, then two lines an incident: what, since when and where; and the first evidence below."""
    counts = Counter(each["state"] for each in targets)
    console.print("  ".join(f"{state} {counts[state]}" for state in State))
    if not incidents:
        console.print("no open incident")
        return
    line = "{:<19}  {:<8}  {:<7}  {:>6}  {}"
    console.print(line.format("since (Viet Nam)", "state", "cause", "impact", "root"))
    for each in incidents:
        since = EN.moment(datetime.fromisoformat(each["began"]))
        said = line.format(since, each["state"], each["cause"], len(each["impact"]), each["root"])
        console.print(said, soft_wrap=True, markup=False, highlight=False)
        console.print(Padding(Text(each["evidence"][0] if each["evidence"] else "no evidence"), (0, 0, 0, 4)))


def _tell_daemon(path: Path, method: str, route: str, body: object = None) -> str:
    """What the daemon answers on its control socket; ends the command when it refuses."""
    try:
        settings = load_settings(path, None)  # the daemon reads the rest, and notes when it is bad
        code, text = asyncio.run(ask(settings.path(settings.control), method, route, body))
    except ConfigError as error:
        _fail(error)
    except (OSError, aiohttp.ClientError) as error:
        _no_answer(error, path)
    if code != 200:
        _fail(text.rstrip())
    return text.rstrip()


@main.command()
@click.argument("target")
@click.option("--at", metavar="TIME", callback=_moment, help="When it fails (ISO 8601; without a zone Viet Nam's).")
@click.option("--state", type=click.Choice(["down", "degraded"]), default="down", show_default=True)
@click.option(
    "--severity", type=click.Choice([each.value for each in Severity]), help="Instead of the one that it would have."
)
@click.option(
    "--cause", type=click.Choice([each.value for each in Cause]), help="Instead of the usual one of its kind."
)
@click.option("--lang", type=click.Choice(list(WORDS)), default="vi", show_default=True)
@SETTINGS
def who(
    target: str, at: datetime | None, state: str, severity: str | None, cause: str | None, lang: str, path: Path
) -> None:
    """Tell who would be mailed if TARGET (site/name) failed, who not, and why; reads the files, needs no running daemon."""
    folder, contacts = named_files(path)
    try:
        inventory = load_inventory(folder, None)
        routing = load_contacts(contacts, inventory)
    except ConfigError as error:
        _fail(error)
        return
    found, now = _target(inventory, target), at or datetime.now(UTC)
    incident = supposed(
        found, inventory, now, State(state), Severity(severity) if severity else None, Cause(cause) if cause else None
    )
    click.echo(explain_who(incident, routing, inventory, now, lang), nl=False)


def _target(inventory: Inventory, name: str) -> Target:
    """The target of that name; ends the command when there is none."""
    found = inventory.targets.get(name)
    if found is None:
        near = [each for each in inventory.targets if name in each][:8]
        _fail(f"no target {name!r} in the inventory{'; did you mean: ' + ', '.join(near) if near else ''}")
    return found


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@SETTINGS
@click.option("--inventory", "folder", type=click.Path(path_type=Path), help="Instead of the one of the settings.")
@click.option(
    "--until", metavar="TIME", callback=_moment, help="Stop at this time (ISO 8601; without a zone Viet Nam's)."
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
        _fail(error)
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
        show_replay(Console(), events)
        click.echo(f"{replayed.observations} observations, {len({each.incident.id for each in events})} incidents")


def show_replay(console: Console, events: Sequence[IncidentEvent]) -> None:
    """Each incident as it was in the end, and below it what happened when."""
    lives: dict[str, list[IncidentEvent]] = {}
    for event in events:
        lives.setdefault(event.incident.id, []).append(event)
    for life in lives.values():
        last = life[-1].incident
        ended = f"closed {EN.moment(last.closed)}" if last.closed else "open"
        console.print(
            f"{last.id}  {last.root}  {last.state}  {last.cause}  by {last.why}  impact {len(last.impact)}  "
            f"began {EN.moment(last.began)}  {ended}",
            soft_wrap=True, markup=False, highlight=False,
        )  # fmt: skip
        for each in life:
            told = f"    {EN.moment(each.at)}  {each.what}  {each.incident.root}  {each.incident.cause}"
            console.print(told, soft_wrap=True, markup=False, highlight=False)


@main.command()
@click.argument("incident")
@click.option("--lang", type=click.Choice(list(WORDS)), default="vi", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The events as they are kept, for programs.")
@SETTINGS
def explain(incident: str, lang: str, as_json: bool, path: Path) -> None:
    """Tell step by step why INCIDENT (its id) was decided as it was; reads the database, needs no running daemon."""
    try:
        events = read_history(load_settings(path, None).database_url, incident)
    except (ConfigError, StoreError) as error:
        _fail(error)
        return
    if not events:
        _fail(f"the database has no incident {incident!r}; its id is in the mail, on the board and in the API")
    click.echo(EVENTS.dump_json(list(events), indent=2).decode() if as_json else explain_all(events, WORDS[lang]))


@main.command()
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
        _fail(error)
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


@main.command()
@SETTINGS
def reload(path: Path) -> None:
    """Let the running daemon take over the files on disk; a mistake changes nothing and is told."""
    click.echo(_tell_daemon(path, "POST", "/-/reload"))


@main.command()
@click.argument("target", required=False)
@click.option("--site", help="All targets of a site.")
@click.option("--area", help="All targets of the sites of an area.")
@click.option("--provider", help="All lines of a provider.")
@click.option("--for", "lasts", required=True, help="How long: 30m, 2h, 3d.")
@click.option("--reason", required=True, help="Why; the board shows it.")
@click.option("--by", help="Your name; your login is kept beside it.")
@SETTINGS
def silence(path: Path, lasts: str, **given: str | None) -> None:
    """Mail nobody of incidents whose root is TARGET (site/name), or in a site, area or provider, for a while."""
    body = {"for": lasts, **{name: value for name, value in given.items() if value is not None}}
    made = json.loads(_tell_daemon(path, "POST", "/-/silences", body))
    click.echo(f"silence {made['id']} until {_told_at(made['ends'])} (Viet Nam)")


@main.command()
@click.argument("id")
@SETTINGS
def unsilence(path: Path, id: str) -> None:  # noqa: A002  the argument's name
    """Lift the silence ID; what it held back is mailed now."""
    lifted = json.loads(_tell_daemon(path, "DELETE", f"/-/silences/{quote(id, safe='')}"))
    click.echo(f"silence {lifted['id']} lifted")


@main.command()
@SETTINGS
def silences(path: Path) -> None:
    """List the silences in force."""
    found = json.loads(_tell_daemon(path, "GET", "/-/silences"))
    for each in found:
        about = next(f"{name} {each[name]}" for name in ("target", "site", "area", "provider") if each[name])
        click.echo(f"{each['id']:>4}  until {_told_at(each['ends'])}  {about}: {each['reason']} ({each['by']})")
    if not found:
        click.echo("no silence")


@main.command()
@click.argument("incident")
@click.option("--by", help="Your name; your login is kept beside it.")
@click.option("--note", help="What you are about to do; mailed with it.")
@SETTINGS
def ack(path: Path, incident: str, **given: str | None) -> None:
    """Say that you have INCIDENT (its id, or its root): those who were told of it are mailed who has it."""
    body = {name: value for name, value in given.items() if value is not None}
    had = json.loads(_tell_daemon(path, "POST", f"/-/acknowledgements/{quote(incident)}", body))
    click.echo(f"{had['by']} has {had['incident']}")


@main.command()
@click.argument("incident")
@SETTINGS
def unack(path: Path, incident: str) -> None:
    """Say that nobody has INCIDENT any more."""
    had = json.loads(_tell_daemon(path, "DELETE", f"/-/acknowledgements/{quote(incident)}"))
    click.echo(f"nobody has {had['incident']}; {had['by']} had it")


@main.command()
@SETTINGS
def incidents(path: Path) -> None:
    """List the open incidents with who has them."""
    found = _ask_daemon(path, "/api/v1/incidents?open=true")["incidents"]
    for each in found:
        since = f"{each['state']} since {_told_at(each['began'])}"
        click.echo(f"{each['id']}  {each['severity']}, {since}, {each['cause']}, {each['root']}")
        if had := each["acknowledged"]:
            click.echo(f"    {had['by']} has it since {_told_at(had['at'])}{': ' if had['note'] else ''}{had['note']}")
        if silent := each["silence"]:
            click.echo(f"    silenced until {_told_at(silent['ends'])}: {silent['reason']} ({silent['by']})")
        if not had and not silent:
            click.echo("    nobody has it")
    if not found:
        click.echo("no open incident")


@main.command()
@click.argument("incident")
@SETTINGS
def incident(path: Path, incident: str) -> None:
    """Tell the life of INCIDENT (its id, or the root of an open one) from the database."""
    life = json.loads(_tell_daemon(path, "GET", f"/-/incidents/{quote(incident)}"))
    click.echo(life["id"])
    for each in life["events"]:
        said = f"{_told_at(each['at'])}  {each['what']}: {each['state']}, {each['cause']}, {each['root']}"
        if each["what"] == "acknowledged":
            said = f"{_told_at(each['at'])}  acknowledged by {each['by']}{': ' if each['note'] else ''}{each['note']}"
        click.echo(said)
    for each in life["mails"]:
        click.echo(f"{_told_at(each['at'])}  mail {each['what']} to {each['contact']}: {each['status']}")


def _told_at(text: str) -> str:
    return EN.moment(datetime.fromisoformat(text))


@main.group()
def mail() -> None:
    """Look at the mails, and try whether they arrive."""


@mail.command("preview")
@click.argument("event", type=click.Choice([each.value for each in Happening]))
@click.option("--lang", type=click.Choice(list(WORDS)), default="vi", show_default=True)
@click.option("--html", "page", type=click.Path(path_type=Path), help="Write the HTML here, for a browser.")
@click.option("--incident", help="Id of a real one in the database, instead of an example.")
@SETTINGS
def mail_preview(event: str, lang: str, page: Path | None, incident: str | None, path: Path) -> None:
    """Show the mail of EVENT as it would be sent now, with your templates; nothing is sent, its links do nothing."""
    now, what = datetime.now(UTC), Happening(event)
    try:
        settings, inventory, _ = load_all(path, with_secrets=False)
        shown = _real(settings.database_url, incident, what) if incident else example(inventory, what, now)
    except (ConfigError, StoreError, ValueError) as error:
        _fail(error)
        return
    contact = Contact(id="preview", name="Preview", email="preview@example.org", language=lang)
    notification = Notification(
        id=f"{shown.incident.id}.{event}.preview", thread=shown.incident.id, contact=contact, event=shown,
        reason=REASONS[lang].wanted(Scope()), items=(shown,) if what in SUMMARIES else (),
    )  # fmt: skip
    series = None if incident else an_hour(shown)  # what was measured is not kept
    composer = make_composer(settings, Signer(os.urandom(KEY_BYTES)), lambda _: series)
    cost = A_COST if what is Happening.RECOVERED and not incident else None
    message = composer.compose(notification, inventory, now, cost)
    for name, value in message.items():
        click.echo(f"{name}: {value}")
    text = message.get_body(("plain",))
    click.echo(f"\n{text.get_content() if text else ''}")
    if page is not None:
        page.write_text(as_page(message), encoding="utf-8")


def _real(url: str, incident: str, what: Happening) -> IncidentEvent:
    """The last such event of a real incident; when it has had none, the incident as it is now. Raises StoreError or ValueError."""
    events = read_history(url, incident)
    if not events:
        raise ValueError(
            f"the database has no incident {incident!r}; its id is in the mail, on the board and in the API"
        )
    return next((each for each in reversed(events) if each.what is what), replace(events[-1], what=what))


@mail.command("test")
@click.argument("contact")
@SETTINGS
def mail_test(contact: str, path: Path) -> None:
    """Send a test mail to CONTACT (its id in contacts.yaml) through the relays, and tell what they answer."""
    try:
        settings, _, routing = load_all(path)
    except ConfigError as error:
        _fail(error)
        return
    found = routing.contacts.get(contact)
    if found is None:
        _fail(f"no contact {contact!r}; there are: {', '.join(routing.contacts)}")
        return
    composer, now = make_composer(settings), datetime.now(UTC)
    message = composer.post(composer.letter("test", found, f"test-{now:%Y%m%d-%H%M%S-%f}.{found.id}", {"at": now}), now)
    outcome = asyncio.run(make_mailer(settings).send(message, found.email))
    if outcome.delivery is not Delivery.SENT:
        _fail(f"{found.email}: {outcome.delivery}: {outcome.answer}")
    click.echo(f"{found.email}: taken by {outcome.relay}: {outcome.answer}")


@main.command()
@click.option("--scenario", type=click.Choice(list(SCENARIOS)), help="Run one scenario unattended.")
@click.option("--report", type=click.Path(path_type=Path), help="Write what happened as JSON.")
@click.option("--duration", type=float, help="Seconds that the fault (or the quiet) lasts.")
@click.option("--config", type=click.Path(path_type=Path, exists=True), default=Path("config"), show_default=True)
def demo(scenario: str | None, report: Path | None, duration: float | None, config: Path) -> None:
    """Raise the simulated province on this machine, watch it, and break something."""
    sys.exit(lab_demo.main(scenario, report, duration, config))
