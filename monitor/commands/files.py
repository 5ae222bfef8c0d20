"""Commands about the files that people write: whether they are well, what a reload of them would do, their schemas."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from alerts.trial import check_templates
from monitor import editor
from monitor.commands.shared import SETTINGS, fail, tell_daemon
from monitor.files import load_all, plan_between
from monitor.inventory.diff import plan_json
from monitor.inventory.tell import TOLD, tell
from monitor.problems import FORMS
from monitor.yamlfile import ConfigError, Problem


@click.command()
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


@click.command()
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
            else plan_json.validate_json(tell_daemon(path, "GET", "/-/plan"))
        )
    except ConfigError as error:
        fail(error)
    for line in [plan_json.dump_json(made, indent=2).decode()] if as_json else tell(made, TOLD[lang]):
        click.echo(line)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("config/schema"))
def schema(folder: Path) -> None:
    """Write the JSON Schemas of inventory, contacts and settings into FOLDER, for editors that complete and check YAML."""
    try:
        written = editor.write(folder)
    except OSError as error:
        fail(f"{error.filename}: cannot be written: {error.strerror}")
    for each in written:
        click.echo(each)
