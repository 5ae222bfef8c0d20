"""The command `discover`: look over the network of a site, and propose what to write of it into the inventory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import click

from alerts.routing import Routing
from monitor.commands.changing import take_over
from monitor.commands.shared import LANGUAGE, SETTINGS, fail
from monitor.core.model import Inventory, Site
from monitor.core.words import Language
from monitor.exchange.adding import additions
from monitor.exchange.discovered import Discovered, as_json, besides, discovered, otherwise, recogniser, records, table
from monitor.exchange.found import Proposal, propose
from monitor.exchange.proposed import as_yaml, summary, tell
from monitor.exchange.sayings import like, said
from monitor.exchange.scope import DEFAULT_RATE, PORTS, Scope, ScopeError, credentials_of, make_scope, tell_scope
from monitor.exchange.survey import Survey, SurveyError
from monitor.files import load_all
from monitor.inventory.load import ReadSecret, SecretReader
from monitor.settings import named_files
from monitor.yamlfile import ConfigError


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
@LANGUAGE
@SETTINGS
def discover(
    site: str, ranges: tuple[str, ...], go: bool, rate: int, no_ports: bool, do_write: bool, form: str, lang: Language,
    path: Path,
) -> None:  # fmt: skip
    """Look over the own network of SITE (its id) by echo, SNMP and LLDP, and propose YAML for what is new there."""
    reader = SecretReader(path.parent / "secrets")
    read_secret, unread = reader if go else _if_there(reader), said("unread-secret").text(lang)
    try:
        _, inventory, routing = load_all(path, with_secrets=False, of_inventory=read_secret)
        at = _site(inventory, site)
        credentials = credentials_of(inventory, at, lambda text: reader.place(text) if text else unread)
        scope = make_scope(inventory, at, ranges, credentials, rate, () if no_ports else PORTS)
    except ConfigError as error:
        fail(error)
    except ScopeError as error:
        fail(error.why.text(lang))
    if not go:
        click.echo(f"{at.name} ({at.id}), {', '.join(map(str, scope.ranges))}")
        for line in tell_scope(scope):
            click.echo(f"  {line.text(lang)}")
        click.echo(said("not-sent").text(lang))
        return
    found = _look(scope, inventory, lang)
    proposal = propose(records(found), inventory)
    if form == "json":
        click.echo(json.dumps(as_json(found, proposal, as_yaml(proposal)), ensure_ascii=False, indent=2))
    else:
        for text in _told(found, proposal, inventory, lang):
            click.echo(text)
    if found.stopped:
        fail(said("not-whole", why=found.stopped, written=said("so-not-written") if do_write else "").text(lang))
    if do_write:
        _write(proposal, path, (inventory, routing), read_secret, lang)


def _if_there(reader: SecretReader) -> ReadSecret:
    """What is not to be read stays empty: only --go needs it."""

    def read(where: str, name: str) -> str:
        try:
            return reader(where, name)
        except ValueError:
            return ""

    return read


def _write(
    proposal: Proposal, path: Path, before: tuple[Inventory, Routing], read_secret: ReadSecret, lang: Language
) -> None:
    """Said on standard error, for standard output may be JSON."""
    try:
        changes = additions(proposal, named_files(path)[0], "discovered.yaml")
    except ConfigError as error:
        fail(error)
    if changes:
        say = partial(click.echo, err=True)
        take_over(path, changes, before, lang, do_write=True, say=say, read_secret=read_secret)


def _site(inventory: Inventory, name: str) -> Site:
    site = inventory.sites.get(name)
    if site is None:
        raise ScopeError("no-site", site=name, near=like(name, inventory.sites))
    return site


def _look(scope: Scope, inventory: Inventory, lang: Language) -> Discovered:
    """The look itself; Ctrl-C ends it with what it has."""
    survey = Survey(scope, recogniser(inventory), lambda each: click.echo(each.text(lang), err=True))
    try:
        asyncio.run(survey.run())
    except SurveyError as error:
        fail(error.why.text(lang))
    return discovered(scope, survey.seen, inventory, survey.stopped)


def _told(found: Discovered, proposal: Proposal, inventory: Inventory, lang: Language) -> Iterator[str]:
    scope = found.scope
    ranges = ", ".join(map(str, scope.ranges))
    head = said(
        "looked", name=scope.site.name, id=scope.site.id, ranges=ranges, n=len(scope.addresses), found=len(found.nodes)
    )
    yield head.text(lang)
    yield from table(found, lang)
    yield from (each.text(lang) for each in (*besides(found), *otherwise(found, proposal, inventory)))
    yield ""
    yield from tell(proposal, lang)
    yield summary(proposal).text(lang)
    if yaml := as_yaml(proposal):
        yield f"\n# {said('to-add').text(lang)}\n{yaml}"
