"""The commands `import …`: what another system lists, as devices to add to the inventory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

from monitor.commands.changing import take_over
from monitor.commands.shared import LANGUAGE, SETTINGS, fail
from monitor.core.model import Inventory
from monitor.core.words import Language
from monitor.exchange import filesd, librenms, netbox, zabbix
from monitor.exchange.adding import additions
from monitor.exchange.formats import MAX_BYTES, Listing
from monitor.exchange.found import propose
from monitor.exchange.proposed import summary, tell
from monitor.exchange.sayings import like, said
from monitor.files import load_all
from monitor.settings import named_files
from monitor.yamlfile import ConfigError, Problem

Read = Callable[[bytes, str], Listing]


@click.group("import")
def imports() -> None:
    """Take over what another system or a spreadsheet has; shows what it would do, and writes only with --write."""


def _source(name: str, read: Read, what: str) -> None:
    """One command of the group."""

    @imports.command(name, help=f"Propose devices to add, from {what}.")
    @click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
    @click.option(
        "--site",
        "called",
        multiple=True,
        metavar="PLACE=ID",
        help="This place, group or location there is that site here.",
    )
    @click.option("--new-sites", is_flag=True, help="Make a site of each place that is none yet.")
    @click.option(
        "--skip", "skipped", multiple=True, metavar="ADDRESS", help="Leave this one out: its address or name there."
    )
    @click.option("--diff", is_flag=True, help="Show the lines of the files that would come and go.")
    @click.option("--write", "do_write", is_flag=True, help="Write it into the inventory, if the result is well.")
    @LANGUAGE
    @SETTINGS
    def command(
        files: Sequence[Path], called: Sequence[str], new_sites: bool, skipped: Sequence[str], diff: bool, do_write: bool,
        lang: Language, path: Path,
    ) -> None:  # fmt: skip
        try:
            listing = _without(_all(files, read), skipped, lang)
            _, inventory, routing = load_all(path, with_secrets=False)
            proposal = propose(listing.found, inventory, places=_places(called, inventory, lang), new_sites=new_sites)
            changes = additions(proposal, named_files(path)[0], f"imported-{name}.yaml")
        except ConfigError as error:
            fail(error)
        for line in (*(each.text(lang) for each in listing.notes), *tell(proposal, lang), summary(proposal).text(lang)):
            click.echo(line)
        if changes:
            take_over(path, changes, (inventory, routing), lang, diff=diff, do_write=do_write)


_source("librenms", librenms.read, "LibreNMS: the answer of its API to GET /api/v0/devices, or a CSV table of them")
_source("zabbix", zabbix.read, "Zabbix: hosts exported as YAML, JSON or XML")
_source("netbox", netbox.read, "NetBox: the answer of its API to GET /api/dcim/devices/?limit=0, or its list as CSV")
_source("file-sd", filesd.read, "Prometheus: a file of its file-based service discovery, JSON or YAML")


def _all(files: Sequence[Path], read: Read) -> Listing:
    """What all of them list, one after the other."""
    listings = [read(_data(file), file.name) for file in files]
    return Listing([each for one in listings for each in one.found], [each for one in listings for each in one.notes])


def _data(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError([Problem(str(file), 0, 0, f"cannot be read: {error.strerror}")]) from error


def _without(listing: Listing, skipped: Sequence[str], language: Language) -> Listing:
    """Without what a person leaves out."""
    for each in skipped:
        if not any(each in (found.address, found.name) for found in listing.found):
            fail(said("skip", given=each).text(language))
    return Listing([found for found in listing.found if not {found.address, found.name} & set(skipped)], listing.notes)


def _places(called: Sequence[str], inventory: Inventory, language: Language) -> Mapping[str, str]:
    """Sites by the places that they are there."""
    found = {}
    for each in called:
        place, _, site = each.rpartition("=")
        if not place.strip():
            fail(said("site-option", given=each).text(language))
        if site not in inventory.sites:
            fail(said("no-site-option", given=each, site=site, near=like(site, inventory.sites)).text(language))
        found[place] = site
    return found
