"""The commands; each parses, calls and prints, and decides nothing."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import click
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from alerts.compose import check_templates
from lab import demo as lab_demo
from lab.scenarios import SCENARIOS
from monitor.app import App, StartError, load_all
from monitor.control import ask
from monitor.core.model import Check, Inventory, Limit, Outcome, State, Target
from monitor.core.words import EN
from monitor.settings import load_settings
from monitor.yamlfile import ConfigError
from probes.registry import Request, load, run_once

SETTINGS = click.option(
    "--settings", "path", type=click.Path(path_type=Path), default=Path("config/settings.yaml"), show_default=True,
    help="The daemon's settings.yaml.",
)  # fmt: skip


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


def _fail(message: object) -> None:
    click.echo(str(message), err=True)
    sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="commune-monitor")
def main() -> None:
    """Watch the IT of the communes: lines, equipment, services, video-conference rooms."""


@main.command()
@SETTINGS
@click.option("--log", "log_format", type=click.Choice(["json", "text"]), default="json", show_default=True)
def run(path: Path, log_format: str) -> None:
    """Run the daemon until it is told to stop."""
    _log_to_stderr(as_json=log_format == "json")
    try:
        asyncio.run(App(path).run())
    except (ConfigError, StartError) as error:
        _fail(error)


@main.command()
@SETTINGS
@click.option("--without-secrets", is_flag=True, help="Do not read the secrets: for checking a copy without them.")
def check(path: Path, without_secrets: bool) -> None:
    """Say everything that is wrong with settings, inventory, contacts and templates; exit 1 if anything is."""
    try:
        settings, inventory, contacts = load_all(path, with_secrets=not without_secrets)
    except ConfigError as error:
        _fail(error)
        return
    folder = settings.path(settings.mail.templates) if settings.mail.templates else None
    problems = check_templates(folder)
    for file, line, message in problems:
        click.echo(f"{file}:{line}: {message}", err=True)
    if problems:
        sys.exit(1)
    checks = inventory.checks()
    rate = sum(1 / each.interval_seconds for each in checks.values())
    click.echo(
        f"well: {len(inventory.sites)} sites, {len(inventory.targets)} targets, {len(checks)} checks "
        f"({rate:.0f} a second), {len(contacts)} contacts"
    )


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
    found = inventory.targets.get(target)
    if found is None:
        near = [each for each in inventory.targets if target in each][:8]
        _fail(f"no target {target!r} in the inventory{'; did you mean: ' + ', '.join(near) if near else ''}")
        return
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


def _no_answer(error: OSError | aiohttp.ClientError, path: Path) -> None:
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


@main.command()
@SETTINGS
def reload(path: Path) -> None:
    """Let the running daemon take over the files on disk; a mistake changes nothing and is told."""
    try:
        settings = load_settings(path, None)  # the daemon reads the rest, and notes when it is bad
        code, text = asyncio.run(ask(settings.path(settings.control), "POST", "/-/reload"))
    except ConfigError as error:
        _fail(error)
        return
    except (OSError, aiohttp.ClientError) as error:
        _no_answer(error, path)
        return
    click.echo(text.rstrip(), err=code != 200)
    sys.exit(0 if code == 200 else 1)


@main.command()
@click.option("--scenario", type=click.Choice(list(SCENARIOS)), help="Run one scenario unattended.")
@click.option("--report", type=click.Path(path_type=Path), help="Write what happened as JSON.")
@click.option("--duration", type=float, help="Seconds that the fault (or the quiet) lasts.")
@click.option("--config", type=click.Path(path_type=Path, exists=True), default=Path("config"), show_default=True)
def demo(scenario: str | None, report: Path | None, duration: float | None, config: Path) -> None:
    """Raise the simulated province on this machine, watch it, and break something."""
    sys.exit(lab_demo.main(scenario, report, duration, config))
