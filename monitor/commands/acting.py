"""Commands by which people act on the running daemon: silence it, say who has an incident, let it read its files anew."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import click

from monitor.commands.shared import SETTINGS, tell_daemon, told_at


@click.command()
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
    made = json.loads(tell_daemon(path, "POST", "/-/silences", body))
    click.echo(f"silence {made['id']} until {told_at(made['ends'])} (Viet Nam)")


@click.command()
@click.argument("id")
@SETTINGS
def unsilence(path: Path, id: str) -> None:  # noqa: A002  the argument's name
    """Lift the silence ID; what it held back is mailed now."""
    lifted = json.loads(tell_daemon(path, "DELETE", f"/-/silences/{quote(id, safe='')}"))
    click.echo(f"silence {lifted['id']} lifted")


@click.command()
@click.argument("incident")
@click.option("--by", help="Your name; your login is kept beside it.")
@click.option("--note", help="What you are about to do; mailed with it.")
@SETTINGS
def ack(path: Path, incident: str, **given: str | None) -> None:
    """Say that you have INCIDENT (its id, or its root): those who were told of it are mailed who has it."""
    body = {name: value for name, value in given.items() if value is not None}
    had = json.loads(tell_daemon(path, "POST", f"/-/acknowledgements/{quote(incident)}", body))
    click.echo(f"{had['by']} has {had['incident']}")


@click.command()
@click.argument("incident")
@SETTINGS
def unack(path: Path, incident: str) -> None:
    """Say that nobody has INCIDENT any more."""
    had = json.loads(tell_daemon(path, "DELETE", f"/-/acknowledgements/{quote(incident)}"))
    click.echo(f"nobody has {had['incident']}; {had['by']} had it")


@click.command()
@SETTINGS
def reload(path: Path) -> None:
    """Let the running daemon take over the files on disk; a mistake changes nothing and is told."""
    click.echo(tell_daemon(path, "POST", "/-/reload"))
