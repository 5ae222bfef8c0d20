"""What devices tell of themselves and of their neighbours, in form and out of it."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.wire import identity, lldp
from probes.wire.identity import Identity

ROUTER = bytes.fromhex("c4ad34000001")


def columns(**more: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A switch with a router at port 24 and an access point at port 3, as IEEE 802.1AB-2005 has them in LLDP-MIB."""
    router, ap = "0.24.1", "31700.3.7"
    return {
        lldp.REMOTE_CHASSIS: {router: ROUTER, ap: b"\x01\x0a\x40\x11\x28"},
        lldp.REMOTE_CHASSIS_SUBTYPE: {router: 4, ap: 5},
        lldp.REMOTE_PORT: {router: b"ether2", ap: bytes.fromhex("aabbccddeeff")},
        lldp.REMOTE_PORT_SUBTYPE: {router: 5, ap: 3},
        lldp.REMOTE_NAME: {router: b"gw-tan-thanh"},
        lldp.REMOTE_CAPABILITIES: {router: b"\x28", ap: b"\x30\x00"},
        lldp.REMOTE_ADDRESS: {
            f"{router}.1.4.10.64.17.1": 2,
            f"{router}.2.16.32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.1": 2,
            f"{ap}.1.10.64.17.40": 2,  # an agent that leaves out the length
        },
        lldp.LOCAL_PORT: {"24": b"Gi1/0/24"},
        lldp.LOCAL_PORT_SUBTYPE: {"24": 5},
        **more,
    }


def test_neighbours_are_told_with_port_name_kind_and_addresses() -> None:
    assert lldp.neighbours(columns()) == (
        lldp.Neighbour(
            port="3", chassis="10.64.17.40", their_port="aa:bb:cc:dd:ee:ff", kind="access-point", addresses=("10.64.17.40",)
        ),
        lldp.Neighbour(
            port="Gi1/0/24", name="gw-tan-thanh", chassis="c4:ad:34:00:00:01", their_port="ether2", kind="router",
            addresses=("10.64.17.1", "2001:db8::1"),
        ),
    )  # fmt: skip


def test_a_row_that_is_told_again_under_another_time_mark_is_one_neighbour() -> None:
    again = {f"{mark}.24.1": ROUTER for mark in range(200)} | {"7.24.2": b"other"}
    assert [each.chassis for each in lldp.neighbours({lldp.REMOTE_CHASSIS: again, lldp.REMOTE_CHASSIS_SUBTYPE: {}})] == [
        lldp.identity(None, ROUTER), "other",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("index", "why"),
    [
        ("0.24.1.1.4.0.0.0.0", "unspecified"), ("0.24.1.1.4.224.0.0.1", "multicast"), ("0.24.1.1.4.127.0.0.1", "loopback"),
        ("0.24.1.1.4.10.64.300.1", "no byte"), ("0.24.1.1.10.64.17", "too short"), ("0.24.1.6.6.1.2.3.4.5.6", "a MAC"),
        ("0.24.1", "no address at all"), ("0.24.1.1", "only a family"),
    ],
)  # fmt: skip
def test_what_is_no_address_of_one_host_is_left_out(index: str, why: str) -> None:
    (_, router) = lldp.neighbours(columns(**{lldp.REMOTE_ADDRESS: {index: 2}}))
    assert router.addresses == (), why


def test_what_a_stranger_says_fits_on_one_line() -> None:
    names = {"0.24.1": b"gw\x1b[31m\r\n" + "Tân Thạnh ".encode() * 100, "31700.3.7": b"\xff\xfe\x00"}
    access_point, router = lldp.neighbours(columns(**{lldp.REMOTE_NAME: names}))
    assert router.name.startswith("gw [31m Tân Thạnh Tân")
    assert len(router.name) == 64
    assert access_point.name.isprintable()


INDEXES = st.lists(st.integers(0, 400), max_size=12).map(lambda numbers: ".".join(map(str, numbers))) | st.text(
    max_size=6
)
VALUES = st.binary(max_size=20) | st.integers() | st.text(max_size=6) | st.none()
TABLES = st.dictionaries(INDEXES, VALUES, max_size=4)


@given(st.dictionaries(st.sampled_from([lldp.REMOTE_CHASSIS, *lldp.COLUMNS]), TABLES))
def test_any_tables_give_neighbours_that_are_in_form(tables: dict[str, dict[str, Any]]) -> None:
    for each in lldp.neighbours(tables):
        assert all(
            len(text) <= 64 and text.isprintable() for text in (each.port, each.name, each.chassis, each.their_port)
        )
        assert all(not ipaddress.ip_address(address).is_multicast for address in each.addresses)


@given(st.dictionaries(st.sampled_from(identity.SCALARS), VALUES), TABLES)
def test_any_answer_gives_an_identity_that_is_in_form(values: dict[str, Any], rows: dict[str, Any]) -> None:
    told = identity.read_identity(values)
    assert all(text.isprintable() for text in (told.name, told.description, told.location, told.ups, told.chassis))
    assert set(told.object_id) <= set("0123456789.")
    assert all(ipaddress.IPv4Address(address) for address in identity.read_macs(rows))
    assert all(len(mac) == 17 for mac in identity.read_seen_at(rows))


def test_a_device_tells_who_it_is() -> None:
    values = {
        identity.SYS_OBJECT_ID: "1.3.6.1.4.1.14988.1", identity.SYS_DESCR: b"RouterOS CCR2004", identity.SYS_NAME: b"gw",
        identity.IF_NUMBER: 14, identity.IP_FORWARDING: 1, identity.BRIDGE_ADDRESS: bytes(6),
    }  # fmt: skip
    assert identity.read_identity(values) == Identity(
        object_id="1.3.6.1.4.1.14988.1", description="RouterOS CCR2004", name="gw", ports=14, forwards=True
    )


def test_the_tables_of_addresses_are_read_with_and_without_vlans() -> None:
    assert identity.read_macs({"7.10.64.17.1": ROUTER, "7.10.64.17.2": b"", "7.10.64.17": ROUTER}) == {
        "10.64.17.1": "c4:ad:34:00:00:01"
    }
    assert identity.read_seen_at({"196.173.52.0.0.1": 24, "1.2.3.4.5.6": 0}) == {"c4:ad:34:00:00:01": "24"}
    assert identity.read_seen_at({"100.196.173.52.0.0.1": 24}) == {"c4:ad:34:00:00:01": "24"}
