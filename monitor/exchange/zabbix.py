"""Pure: hosts of Zabbix, from its export as YAML, JSON or XML, of versions 4.4 to 7 and after.

Described in the manual of Zabbix, "Configuration export/import: Hosts". What is a default is not written: an interface is of type ZABBIX, by
`ip`, and that is 127.0.0.1 (`ui/include/classes/import/validators`). In XML before 4.4 the words are numbers.
"""

from __future__ import annotations

from monitor.exchange.formats import Item, LeftOut, Listing, entries, listing, refuse, tree
from monitor.exchange.found import Found

_SNMP = ("SNMP", "2")
_NO = ("NO", "0")
_DISABLED = ("DISABLED", "1")
_DESCRIBED = ("vendor", "model", "hardware", "hardware_full", "os", "os_full", "software")


def read(data: bytes, file: str) -> Listing:
    """What it lists; raises ConfigError where the file is not an export."""
    export = tree(data, file).get("zabbix_export")
    if not isinstance(export.value, dict):
        refuse(file, "no export of Zabbix: it begins with `zabbix_export`", "in Zabbix choose the hosts, then Export")
    if not export.get("hosts").value:
        refuse(file, "holds no hosts", "in Zabbix choose the hosts, not templates or maps, then Export")
    return listing(entries(export, "hosts"), _host)


def _host(entry: Item) -> Found:
    name = entry.text("name") or entry.text("host")
    if entry.text("status").upper() in _DISABLED:
        raise LeftOut("disabled", name=name, system="Zabbix")
    inventory = entry.get("inventory")
    groups = [each.text("name") for each in entry.get("groups").items()]
    templates = [each.text("name") for each in entry.get("templates").items()]
    described = (inventory.text(each) for each in _DESCRIBED)
    return Found(
        site="; ".join(filter(None, (inventory.text("location"), *groups))),
        name=name,
        address=_address(list(entry.get("interfaces").items())),
        source=entry.source,
        description="; ".join(dict.fromkeys(filter(None, (*described, *templates)))),
        kind=inventory.text("type") or "; ".join((*groups, *templates)),
        location=inventory.place("location_lat", "location_lon"),
    )


def _address(interfaces: list[Item]) -> str:
    """Of its interfaces the one by SNMP, else the first; of those of one type the default one."""
    if not interfaces:
        return ""
    best = min(
        interfaces, key=lambda each: (each.text("type").upper() not in _SNMP, each.text("default").upper() in _NO)
    )
    return best.text("dns") if best.text("useip").upper() in _NO else best.text("ip") or "127.0.0.1"
