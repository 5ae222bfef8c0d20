"""Pure: devices of NetBox, as its API tells them (`GET /api/dcim/devices/?limit=0`), or as its list is exported to CSV.

Described by NetBox' DeviceSerializer (netbox/dcim/api/serializers_/devices.py) and, for the names of the columns, DeviceTable
(netbox/dcim/tables/devices.py). Before version 4 `role` was `device_role`.
"""

from __future__ import annotations

from monitor.exchange.formats import Item, LeftOut, Listing, entries, is_tree, listing, rows, tree
from monitor.exchange.found import Found
from monitor.exchange.sayings import Mistake

_WATCHED = ("", "active", "staged", "failed")
"""`status` of what is there, or ought to be."""


def read(data: bytes, file: str) -> Listing:
    """What it lists; raises ConfigError where the file is not one of its."""
    if not is_tree(data):
        return listing(rows(data, file, need="name"), _device)
    top = tree(data, file)
    result = listing(entries(top, "results"), _device)
    if top.text("next"):
        result.notes.append(Mistake(file, "one-page", {"n": top.text("count"), "next": top.text("next")}))
    return result


def _device(entry: Item) -> Found:
    name = entry.text("name") or entry.text("display")
    status = (entry.text("status", "value") or entry.text("status")).casefold()
    if status not in _WATCHED:
        raise LeftOut("in-state", name=name, state=status, system="NetBox")
    addresses = [_named(entry, each, "address") for each in ("primary_ip", "primary_ip4", "primary_ip6")]
    addresses += [entry.text(each) for each in ("ip_address", "ipv4_address", "ipv6_address")]
    model = entry.text("device_type", "model") or entry.text("type") or entry.text("device_type")
    maker = entry.text("device_type", "manufacturer", "name") or entry.text("manufacturer")
    parent = _named(entry, "parent_device", "name")
    return Found(
        site=_named(entry, "site", "name"),
        name=name,
        address=next(filter(None, addresses), "").partition("/")[0],
        source=entry.source,
        description="; ".join(filter(None, (f"{maker} {model}".strip(), _named(entry, "platform", "name")))),
        kind=_named(entry, "role", "name") or _named(entry, "device_role", "name"),
        location=entry.place("latitude", "longitude"),
        neighbours=(parent,) if parent else (),
    )


def _named(entry: Item, key: str, part: str) -> str:
    """What the API tells as an object, and a table as its name."""
    return entry.text(key, part) or entry.text(key)
