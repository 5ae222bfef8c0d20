"""A proposal as changes of the inventory's files: devices of a known site where it stands, new sites in a file of their own."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from monitor.core.model import Site
from monitor.exchange.found import Proposal
from monitor.exchange.writing import Change, held
from monitor.exchange.yamledit import Append, Edit, EditError, Put, edited
from monitor.yamlfile import ConfigError, Problem, Where, parse

_HEAD = b"# yaml-language-server: $schema=../schema/inventory.json\n# Sites that came from elsewhere, by `import` or `discover`.\n\n"


def additions(proposal: Proposal, folder: Path, new_file: str) -> list[Change]:
    """What the files of the folder become; `new_file` is the one for new sites. Raises ConfigError."""
    before = {file: held(file) for file in (*sorted(folder.glob("*.yaml")), folder / new_file)}
    places = _places(before)
    edits: dict[Path, list[Edit]] = defaultdict(list)
    for id_, told in by_site(proposal).items():
        if id_ in places:
            file, where = places[id_]
            edits[file] += [Put((*where, "devices", name), each) for name, each in told["devices"].items()]
        else:
            edits[folder / new_file].append(Append(("sites",), {"id": id_, **told}))
    return [Change(file=file, before=before[file], after=_edited(file, before[file], edits[file])) for file in edits]


def by_site(proposal: Proposal) -> dict[str, dict[str, Any]]:
    """What to add by site, as the YAML has it: `devices`, and of a new site the rest too."""
    sites: dict[str, dict[str, Any]] = {site.id: _site(site) for site in proposal.sites}
    for each in proposal.added:
        devices = sites.setdefault(each.site, {}).setdefault("devices", {})
        behind = {"behind": list(each.behind)} if each.behind else {}
        devices[each.name] = {"profile": each.profile, "address": each.address, **behind}
    return sites


def _site(site: Site) -> dict[str, object]:
    if site.latitude is None or site.longitude is None:
        return {"name": site.name}
    return {"name": site.name, "location": [round(site.latitude, 6), round(site.longitude, 6)]}


def _places(files: dict[Path, bytes | None]) -> dict[str, tuple[Path, Where]]:
    """In which file each site stands, and where in it."""
    found: dict[str, tuple[Path, Where]] = {}
    for file, data in files.items():
        whole = parse(data or b"", str(file)).value
        sites = whole.get("sites") if isinstance(whole, dict) else None
        for index, site in enumerate(sites or ()):
            found[site["id"]] = file, ("sites", index)
    return found


def _edited(file: Path, before: bytes | None, edits: list[Edit]) -> bytes:
    try:
        return edited(before if before is not None else _HEAD, str(file), edits)
    except EditError as error:
        raise ConfigError([Problem(str(file), 0, 0, str(error), "add by hand what `import` shows")]) from error
