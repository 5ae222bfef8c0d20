"""The commands `import …`: what another system lists, as devices to add to the inventory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import click

from monitor.commands.shared import SETTINGS, fail
from monitor.core.model import Inventory
from monitor.exchange import filesd, librenms, netbox, zabbix
from monitor.exchange.adding import additions
from monitor.exchange.formats import MAX_BYTES, Listing
from monitor.exchange.found import Proposal, propose
from monitor.exchange.proposed import summary, tell
from monitor.exchange.writing import Change, contents, differences, write
from monitor.files import load_all
from monitor.settings import named_files
from monitor.yamlfile import ConfigError, Problem, near

Read = Callable[[bytes, str], Listing]
WRITTEN = "written; `commune-monitor plan` tells what it means, `commune-monitor reload` takes it over"


@click.group("import")
def imports() -> None:
    """Take over what another system or a spreadsheet has; shows what it would do, and writes only with --write."""


def _source(name: str, read: Read, what: str) -> None:
    """One command of the group."""

    @imports.command(name, help=f"Propose devices to add, from {what}.")
    @click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
    @click.option(
        "--site",
        "said",
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
    @SETTINGS
    def command(
        files: Sequence[Path], said: Sequence[str], new_sites: bool, skipped: Sequence[str], diff: bool, do_write: bool,
        path: Path,
    ) -> None:  # fmt: skip
        try:
            listing = _without(_all(files, read), skipped)
            _, inventory, _ = load_all(path, with_secrets=False)
            proposal = propose(listing.found, inventory, places=_places(said, inventory), new_sites=new_sites)
            changes = additions(proposal, named_files(path)[0], f"imported-{name}.yaml")
            for line in (*_told(listing, proposal, changes), *(differences(changes) if diff else ())):
                click.echo(line)
            if changes:
                _check(path, changes)
            if changes and do_write:
                write(changes)
        except ConfigError as error:
            fail(error)
        if changes:
            click.echo(WRITTEN if do_write else "nothing is written: say --write")


_source("librenms", librenms.read, "LibreNMS: the answer of its API to GET /api/v0/devices, or a CSV table of them")
_source("zabbix", zabbix.read, "Zabbix: hosts exported as YAML, JSON or XML")
_source("netbox", netbox.read, "NetBox: the answer of its API to GET /api/dcim/devices/?limit=0, or its list as CSV")
_source("file-sd", filesd.read, "Prometheus: a file of its file-based service discovery, JSON or YAML")


def _all(files: Sequence[Path], read: Read) -> Listing:
    """What all of them list, one after the other."""
    listings = [read(_data(file), file.name) for file in files]
    return Listing(
        [each for one in listings for each in one.found], [each for one in listings for each in one.problems]
    )


def _data(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError([Problem(str(file), 0, 0, f"cannot be read: {error.strerror}")]) from error


def _without(listing: Listing, skipped: Sequence[str]) -> Listing:
    """Without what a person leaves out."""
    for each in skipped:
        if not any(each in (found.address, found.name) for found in listing.found):
            fail(f"--skip {each}: nothing there has this address or name")
    return Listing(
        [found for found in listing.found if not {found.address, found.name} & set(skipped)], listing.problems
    )


def _check(path: Path, changes: Sequence[Change]) -> None:
    try:
        load_all(path, with_secrets=False, changed=contents(changes))
    except ConfigError as error:
        fail(
            f"the inventory would not be well, so nothing is written; lines are those that the files would have:\n{error}"
        )


def _places(said: Sequence[str], inventory: Inventory) -> Mapping[str, str]:
    """Sites by the places that they are there."""
    found = {}
    for each in said:
        place, _, site = each.rpartition("=")
        if not place.strip():
            fail(f"--site {each}: write PLACE=ID")
        if site not in inventory.sites:
            hint = near(site, inventory.sites)
            fail(f"--site {each}: there is no site `{site}`{f'; {hint}' if hint else ''}")
        found[place] = site
    return found


def _told(listing: Listing, proposal: Proposal, changes: Sequence[Change]) -> Iterator[str]:
    yield from map(str, listing.problems)
    yield from tell(proposal)
    yield summary(proposal)
    for change in changes:
        yield f"{change.file}: {'would be changed' if change.before is not None else 'would be new'}"
