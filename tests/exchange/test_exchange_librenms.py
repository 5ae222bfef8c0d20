"""Devices of LibreNMS; its form is described in doc/API/Devices.md (list_devices) of librenms/librenms."""

from pathlib import Path

import pytest

from monitor.exchange.found import Found
from monitor.exchange.librenms import object_id, read
from monitor.yamlfile import ConfigError

EXPORTS = Path(__file__).parent / "exports"


def test_the_answer_of_the_api_is_understood() -> None:
    listing = read((EXPORTS / "librenms-devices.json").read_bytes(), "devices.json")
    assert listing.found == [
        Found(
            site="Xã Liêm Hà", name="RB4011-TanThanh", address="10.64.17.1", source="devices.json: devices #1",
            object_id="1.3.6.1.4.1.14988.1", description="RB4011iGS+; RouterOS RB4011iGS+; routeros", kind="network",
            location=(20.4731, 106.006),
        ),
        Found(
            site="Xã Liêm Hà", name="sw-tang2.liemha.example", address="10.64.17.20", source="devices.json: devices #2",
            object_id="1.3.6.1.4.1.9.1.1208", kind="network", neighbours=("10.64.17.1",),
            description="WS-C2960X-24TS-L; Cisco IOS Software, C2960X Software (C2960X-UNIVERSALK9-M), Version 15.2(4)E7 Technical Support; ios",
        ),
        Found(
            site="Xã Liêm Hà", name="ups.liemha.example", address="10.64.17.31", source="devices.json: devices #3",
            object_id="1.3.6.1.4.1.318.1.3.27", description="Smart-UPS 1500; APC Web/SNMP Management Card; apc", kind="power",
            location=(20.4731, 106.006), neighbours=("sw-tang2.liemha.example", "10.64.17.1"),
        ),
    ]  # fmt: skip
    assert list(map(str, listing.notes)) == [
        "devices.json: devices #4: left out: old-switch is disabled in LibreNMS",
        "devices.json: devices #5: left out: expected keys with values",
    ]


def test_a_place_that_is_an_object_is_understood() -> None:
    (found,) = read(
        b'[{"hostname": "10.0.0.1", "location": {"location": "Kho", "lat": 20, "lng": "106"}}]', "x.json"
    ).found
    assert (found.site, found.location) == ("Kho", (20.0, 106.0))


def test_a_table_with_the_same_columns_is_understood() -> None:
    first, second = read((EXPORTS / "librenms-devices.csv").read_bytes(), "devices.csv").found
    assert (first.name, first.address, first.source) == ("RB4011", "10.64.17.1", "devices.csv:2")
    assert (second.site, second.object_id, second.source) == (
        "Xã Liêm Hà; kho",
        "1.3.6.1.4.1.9.1.1208",
        "devices.csv:4",
    )


def test_what_is_refused_says_why() -> None:
    with pytest.raises(ConfigError, match=r"x\.json: LibreNMS refused: Access denied; ask it again with a token"):
        read(b'{"status": "error", "message": "Access denied"}', "x.json")
    with pytest.raises(ConfigError, match=r"x\.csv:1: no column `hostname`; did you mean `host_name`\?"):
        read(b"Host Name,ip\nx,10.0.0.1\n", "x.csv")
    with pytest.raises(ConfigError, match=r"x\.json:1:14: not JSON"):
        read(b'{"devices": [}', "x.json")


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        (".1.3.6.1.4.1.9.1", "1.3.6.1.4.1.9.1"), ("enterprises.9.1", "1.3.6.1.4.1.9.1"), ("iso.3.6.1", "1.3.6.1"),
        ("SNMPv2-SMI::enterprises.9", "1.3.6.1.4.1.9"), ("CISCO-PRODUCTS-MIB::cat", ""), ("", ""),
    ],
)  # fmt: skip
def test_object_ids_are_read_as_net_snmp_writes_them(written: str, read_as: str) -> None:
    assert object_id(written) == read_as
