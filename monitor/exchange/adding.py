"""A proposal as changes of the inventory's files: devices of a known site where it stands, new sites in a file of their own."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from monitor.core.model import Site
from monitor.exchange.found import Addition, Proposal
from monitor.exchange.writing import Change, held
from monitor.exchange.yamledit import Append, Edit, EditError, Put, edited
from monitor.yamlfile import ConfigError, Problem, Where, parse

_HEAD = b"# yaml-language-server: $schema=../schema/inventory.json\n# Sites that came from elsewhere, by `import` or `discover`.\n\n"


def additions(proposal: Proposal, folder: Path, new_file: str) -> list[Change]:
    """What the files of the folder become; `new_file` is the one for new sites. Raises ConfigError."""
    before = {file: held(file) for file in (*sorted(folder.glob("*.yaml")), folder / new_file)}
    places = _places(before)
    devices: dict[str, dict[str, object]] = defaultdict(dict)
    for each in proposal.added:
        devices[each.site][each.name] = device(each)
    new = {site.id: site for site in proposal.sites}
    edits: dict[Path, list[Edit]] = defaultdict(list)
    for id_, added in devices.items():
        if id_ in new:
            edits[folder / new_file].append(Append(("sites",), _site(new[id_]) | {"devices": added}))
        else:
            file, where = places[id_]
            edits[file] += [Put((*where, "devices", name), each) for name, each in added.items()]
    return [Change(file=file, before=before[file], after=_edited(file, before[file], edits[file])) for file in edits]


def device(addition: Addition) -> dict[str, object]:
    """As the YAML has it."""
    behind = {"behind": list(addition.behind)} if addition.behind else {}
    return {"profile": addition.profile, "address": addition.address, **behind}


def _site(site: Site) -> dict[str, object]:
    known = site.latitude is not None and site.longitude is not None
    return {"id": site.id, "name": site.name, **({"location": [site.latitude, site.longitude]} if known else {})}


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
