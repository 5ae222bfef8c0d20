"""Hosts of Zabbix; the form is described in its manual, "Configuration export/import: Hosts", the defaults in its import validators."""

from pathlib import Path

import pytest

from monitor.exchange.found import Found
from monitor.exchange.zabbix import read
from monitor.yamlfile import ConfigError

EXPORTS = Path(__file__).parent / "exports"


def test_an_export_of_version_7_is_understood() -> None:
    listing = read((EXPORTS / "zabbix-7.0.yaml").read_bytes(), "hosts.yaml")
    assert listing.found == [
        Found(
            site="Communes/Xã Liêm Hà; Switches", name="Xã Liêm Hà - switch tầng 2", address="10.64.17.20",
            source="hosts.yaml: zabbix_export.hosts #1", description="WS-C2960X-24TS-L; Cisco IOS by SNMP",
            kind="Communes/Xã Liêm Hà; Switches; Cisco IOS by SNMP", location=(20.4731, 106.006),
        ),
        Found(
            site="Communes/Xã Liêm Hà", name="liemha-srv", address="srv.liemha.example", source="hosts.yaml: zabbix_export.hosts #2",
            description="Linux by Zabbix agent", kind="Communes/Xã Liêm Hà; Linux by Zabbix agent",
        ),
        Found(
            site="Zabbix servers", name="Zabbix server", address="127.0.0.1", source="hosts.yaml: zabbix_export.hosts #4",
            kind="Zabbix servers",
        ),
    ]  # fmt: skip
    assert [str(each).rpartition(": left out: ")[2] for each in listing.notes] == ["gone is disabled in Zabbix"]


@pytest.mark.parametrize("file", ["zabbix-6.0.json", "zabbix-5.0.xml"])
def test_older_exports_are_understood_too(file: str) -> None:
    (host,) = read((EXPORTS / file).read_bytes(), file).found
    assert (host.name, host.address, host.site) == ("liemha-sw2", "10.64.17.20", "Switches; Xã Liêm Hà")


def test_numbers_of_the_oldest_exports_are_understood() -> None:
    interface = "<interface><default>{}</default><type>{}</type><useip>1</useip><ip>10.0.0.{}</ip><dns/></interface>"
    interfaces = interface.format(1, 1, 1) + interface.format(0, 2, 2) + interface.format(1, 2, 3)
    host = "<host><host>{}</host><status>{}</status><interfaces>{}</interfaces></host>"
    hosts = host.format("a", 0, interfaces) + host.format("b", 1, "")
    listing = read(f"<zabbix_export><version>4.0</version><hosts>{hosts}</hosts></zabbix_export>".encode(), "x.xml")
    assert [each.address for each in listing.found] == ["10.0.0.3"]
    assert len(listing.notes) == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a: 1", "x: no export of Zabbix: it begins with `zabbix_export`; in Zabbix choose the hosts, then Export"),
        (b"zabbix_export: {templates: []}", "x: holds no hosts; in Zabbix choose the hosts"),
        (b"zabbix_export: {hosts: 7}", "x: holds no list, nor one under `hosts`"),
        (b"<zabbix_export>", "x:1:16: not XML: no element found"),
        (b"a: &x [1]\nb: *x", "x:1:4: anchors"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><zabbix_export/>', "x: a document type, which no export has"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><zabbix_export/>', "x: a document type, which no export has"),
    ],
)
def test_what_is_refused_says_why(data: bytes, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(data, "x")
    assert str(refused.value).startswith(message)
