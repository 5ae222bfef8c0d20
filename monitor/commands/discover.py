"""The command `discover`: look over the network of a site, and propose what to write of it into the inventory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import click

from monitor.commands.shared import SETTINGS, fail
from monitor.core.model import Inventory, Site
from monitor.exchange.adding import additions
from monitor.exchange.discovered import Discovered, as_json, discovered, otherwise, recogniser, records, table
from monitor.exchange.found import Proposal, propose
from monitor.exchange.proposed import as_yaml, summary, tell
from monitor.exchange.scope import DEFAULT_RATE, PORTS, Scope, ScopeError, credentials_of, make_scope, tell_scope
from monitor.exchange.survey import Survey, SurveyError
from monitor.exchange.writing import contents, write
from monitor.files import load_all
from monitor.inventory.load import ReadSecret, SecretReader, load_inventory
from monitor.settings import named_files
from monitor.yamlfile import ConfigError, near

UNREAD = "a secret that cannot be read here, and --go needs"


@click.command()
@click.argument("site")
@click.option("--range", "ranges", multiple=True, metavar="CIDR", help="Only this part of the site's networks.")
@click.option("--go", is_flag=True, help="Do it; without this it only says what it would do, and sends nothing.")
@click.option(
    "--rate", type=click.IntRange(5, 500), default=DEFAULT_RATE, show_default=True, help="Packets a second, on average."
)
@click.option("--no-ports", is_flag=True, help="Knock at no TCP ports.")
@click.option("--write", "do_write", is_flag=True, help="Write what is new into the inventory, if the result is well.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@SETTINGS
def discover(
    site: str, ranges: tuple[str, ...], go: bool, rate: int, no_ports: bool, do_write: bool, form: str, path: Path
) -> None:
    """Look over the own network of SITE (its id) by echo, SNMP and LLDP, and propose YAML for what is new there."""
    reader = SecretReader(path.parent / "secrets")
    read_secret = reader if go else _if_there(reader)
    try:
        if do_write:
            load_all(path, with_secrets=False)  # rather now than after the look
        inventory = load_inventory(named_files(path)[0], read_secret)
        at = _site(inventory, site)
        credentials = credentials_of(inventory, at, lambda text: reader.place(text) if text else UNREAD)
        scope = make_scope(inventory, at, ranges, credentials, rate, () if no_ports else PORTS)
    except (ConfigError, ScopeError) as error:
        fail(error)
    if not go:
        for line in tell_scope(scope):
            click.echo(line)
        click.echo("nothing was sent; say --go to do it")
        return
    found = _look(scope, inventory)
    proposal = propose(records(found), inventory)
    if form == "json":
        click.echo(json.dumps(as_json(found, proposal, as_yaml(proposal)), ensure_ascii=False, indent=2))
    else:
        for line in _told(found, proposal, inventory):
            click.echo(line)
    if found.stopped:
        fail(f"not the whole: {found.stopped}{'; nothing is written' if do_write else ''}")
    if do_write:
        _write(proposal, path)


def _if_there(reader: SecretReader) -> ReadSecret:
    """What is not to be read stays empty: only --go needs it."""

    def read(where: str, name: str) -> str:
        try:
            return reader(where, name)
        except ValueError:
            return ""

    return read


def _write(proposal: Proposal, path: Path) -> None:
    try:
        changes = additions(proposal, named_files(path)[0], "discovered.yaml")
        load_all(path, with_secrets=False, changed=contents(changes))
        write(changes)
    except ConfigError as error:
        fail(error)
    for each in changes:
        click.echo(f"{each.file}: written; `commune-monitor plan` tells what it means", err=True)


def _site(inventory: Inventory, name: str) -> Site:
    site = inventory.sites.get(name)
    if site is None:
        hint = near(name, inventory.sites)
        raise ScopeError(f"there is no site `{name}`{f'; {hint}' if hint else ''}")
    return site


def _look(scope: Scope, inventory: Inventory) -> Discovered:
    """The look itself; Ctrl-C ends it with what it has."""
    survey = Survey(scope, recogniser(inventory), lambda line: click.echo(line, err=True))
    try:
        asyncio.run(survey.run())
    except SurveyError as error:
        fail(error)
    return discovered(scope, survey.seen, inventory, survey.stopped)


def _told(found: Discovered, proposal: Proposal, inventory: Inventory) -> Iterator[str]:
    scope = found.scope
    yield (
        f"{scope.site.name} ({scope.site.id}), {', '.join(map(str, scope.ranges))}: "
        f"of {len(scope.addresses)} addresses of IPv4, devices found: {len(found.nodes)}"
    )
    yield from table(found)
    yield from otherwise(found, proposal, inventory)
    yield ""
    yield from tell(proposal)
    yield summary(proposal)
    if yaml := as_yaml(proposal):
        yield f"\n# To add to the inventory:\n{yaml}"
