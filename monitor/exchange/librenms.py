"""Pure: devices of LibreNMS, as its API tells them (`GET /api/v0/devices`), or as a table with the same names of columns.

Described in LibreNMS' doc/API/Devices.md (list_devices) and made in its includes/html/api_functions.inc.php: the columns of the table `devices`
with `location`, `lat` and `lng` of its place, and in `dependency_parent_hostname` the parents with commas between them.
"""

from __future__ import annotations

import re

from monitor.exchange.formats import Item, LeftOut, Listing, entries, is_tree, listing, refuse, rows, tree
from monitor.exchange.found import Found
from monitor.exchange.places import is_address

_ENTERPRISES = "1.3.6.1.4.1."
_OBJECT_ID = re.compile(r"\d+(\.\d+)+")


def read(data: bytes, file: str) -> Listing:
    """What it lists; raises ConfigError where the file is not one of its."""
    if not is_tree(data):
        return listing(rows(data, file, need="hostname"), _device)
    top = tree(data, file)
    if top.text("status") == "error":
        refuse(file, f"LibreNMS refused: {top.text('message')}", "ask it again with a token that may read devices")
    return listing(entries(top, "devices"), _device)


def _device(entry: Item) -> Found:
    if entry.is_set("disabled"):
        raise LeftOut("disabled", name=entry.text("hostname"), system="LibreNMS")
    host, system = entry.text("hostname"), entry.text("sysName")
    addresses = [entry.text("overwrite_ip"), entry.text("ip"), host]
    described = (entry.text(each) for each in ("hardware", "sysDescr", "os"))
    place = (
        entry.get("location") if isinstance(entry.get("location").value, dict) else entry
    )  # an object in some versions
    return Found(
        site=place.text("location"),
        name=system if is_address(host) and system else host or system,
        address=next((each for each in addresses if is_address(each)), host),
        source=entry.source,
        object_id=object_id(entry.text("sysObjectID")),
        description="; ".join(dict.fromkeys(filter(None, described))),
        kind=entry.text("type"),
        location=place.place("lat", "lng"),
        neighbours=tuple(filter(None, map(str.strip, entry.text("dependency_parent_hostname").split(",")))),
    )


def object_id(text: str) -> str:
    """A sysObjectID as net-snmp writes it, as numbers with dots between them: `enterprises.9.1` → `1.3.6.1.4.1.9.1`."""
    plain = re.sub(r"^(SNMPv2-SMI::)?enterprises\.", _ENTERPRISES, text).removeprefix(".").replace("iso.", "1.", 1)
    return plain if _OBJECT_ID.fullmatch(plain) else ""
