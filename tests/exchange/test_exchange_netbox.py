"""Devices of NetBox; described by DeviceSerializer and DeviceTable of netbox-community/netbox."""

from pathlib import Path

import pytest

from monitor.exchange.found import Found
from monitor.exchange.netbox import read
from monitor.yamlfile import ConfigError

EXPORTS = Path(__file__).parent / "exports"
SWITCH = Found(
    site="Xã Liêm Hà", name="liemha-sw2", address="10.64.17.20", source="devices.json: results #1", kind="Access switch",
    description="Cisco Catalyst 2960X; IOS", location=(20.4731, 106.006),
)  # fmt: skip


def test_a_page_of_the_api_is_understood_and_that_it_is_not_all() -> None:
    listing = read((EXPORTS / "netbox-devices.json").read_bytes(), "devices.json")
    assert listing.found == [
        SWITCH,
        Found(
            site="Xã Liêm Hà", name="node-1", address="2001:db8:17::5", source="devices.json: results #3", kind="Máy chủ",
            description="HPE DL20", neighbours=("box",),
        ),
    ]  # fmt: skip
    assert list(map(str, listing.notes)) == [
        "devices.json: results #2: left out: Cisco ISR (12) is planned in NetBox",
        "devices.json: one page of 120 devices; the next is https://netbox.example/api/dcim/devices/?limit=3&offset=3: "
        "name its file as well",
    ]


def test_a_plain_list_is_understood() -> None:
    (found,) = read(b'[{"name": "a", "site": {"name": "s"}, "primary_ip": {"address": "10.0.0.1/8"}}]', "x.json").found
    assert (found.name, found.site, found.address) == ("a", "s", "10.0.0.1")


def test_the_table_is_understood() -> None:
    listing = read((EXPORTS / "netbox-devices.csv").read_bytes(), "devices.csv")
    (found,) = listing.found
    assert (found.site, found.name, found.address, found.kind) == (
        SWITCH.site,
        SWITCH.name,
        SWITCH.address,
        SWITCH.kind,
    )
    assert (found.source, found.description) == ("devices.csv:2", "Cisco Catalyst 2960X")
    assert [str(each) for each in listing.notes] == ["devices.csv:3: left out: old is decommissioning in NetBox"]


def test_an_answer_without_devices_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"x\.json: holds no list, nor one under `results`; is it the right export"):
        read(b'{"detail": "Authentication credentials were not provided."}', "x.json")
