"""Pure: targets of Prometheus, from a file of its file-based service discovery, JSON or YAML.

Described in Prometheus' docs/configuration/configuration.md, `<file_sd_config>`: a list of groups, each with `targets` and `labels`. What labels
mean is up to whoever writes them; those that are usual are understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from monitor.exchange.formats import Item, LeftOut, Listing, entries, listing, tree
from monitor.exchange.found import Found
from monitor.exchange.places import is_address

SITE = ("site", "commune", "location", "place", "group")
NAME = ("target", "name", "device", "hostname", "nodename", "instance")
KIND = ("kind", "type", "role", "device_type", "job")
DESCRIBED = ("description", "vendor", "model", "os")
_WITHOUT_PORT = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?(?:\[([^\]]*)\]|([^/:]*))(?::\d+)?(?:/.*)?", re.IGNORECASE)


def read(data: bytes, file: str) -> Listing:
    """What it lists; raises ConfigError where the file is not in that form."""
    return listing((each for group in entries(tree(data, file)) for each in _targets(group)), _target)


def _targets(group: Item) -> Iterator[Item]:
    """Each target with the labels of its group; a group without any is an entry that has none."""
    labels = group.get("labels").value
    targets = list(group.get("targets").items()) or [Item(None, group.file, group.path)]
    return (Item({"target": each.value, "labels": labels}, each.file, each.path) for each in targets)


def _target(entry: Item) -> Found:
    if not entry.text("target"):
        raise LeftOut("no-targets")
    labels = entry.get("labels")

    def told(names: tuple[str, ...]) -> str:
        return next(filter(None, map(labels.text, names)), "")

    address = host(entry.text("target"))
    name = told(NAME)
    return Found(
        site=told(SITE),
        name=address if not name or is_address(host(name)) else name.rpartition("/")[2],
        address=address,
        source=entry.source,
        description="; ".join(filter(None, map(labels.text, DESCRIBED))),
        kind=told(KIND),
    )


def host(target: str) -> str:
    """A target without scheme, port and path: `http://10.0.0.1:9100/x` → `10.0.0.1`."""
    if is_address(target):
        return target
    found = _WITHOUT_PORT.fullmatch(target)
    return (found[1] or found[2] or "") if found else target
