"""What hangs on what, from what devices tell of each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.exchange.tree import Node, Seen, Sure, hang
from probes.wire.identity import Identity
from probes.wire.lldp import Neighbour

ROUTER, CORE, FLOOR, HOST = "10.0.0.1", "10.0.0.2", "10.0.0.10", "10.0.0.20"


def mac(address: str) -> str:
    return f"02:00:00:00:00:{int(address.rpartition('.')[2]):02x}"


def device(address: str, *hears: str, kind: str = "", **told: object) -> Seen:
    """A device with LLDP that hears these addresses, each of this kind."""
    heard = tuple(Neighbour(port="1", addresses=(each,), kind=kind) for each in hears)
    return Seen(address, identity=Identity(chassis=mac(address), neighbours=heard, **told))  # type: ignore[arg-type]


def tree(*found: Seen, routers: tuple[str, ...] = (ROUTER,), preferred: tuple[str, ...] = ()) -> dict[str, Node]:
    nodes, _ = hang(found, routers, preferred)
    return {node.seen.address: node for node in nodes}


def test_the_tree_is_rooted_at_the_router_whoever_tells() -> None:
    nodes = tree(device(HOST), device(FLOOR, HOST, CORE), device(CORE, FLOOR), device(ROUTER, CORE))
    assert {address: (node.parents, node.sure) for address, node in nodes.items()} == {
        ROUTER: ((), Sure.ROOT),
        CORE: ((ROUTER,), Sure.ONE),
        FLOOR: ((CORE,), Sure.BOTH),
        HOST: ((FLOOR,), Sure.ONE),
    }


def test_two_ways_to_the_router_are_both_told() -> None:
    other = "10.0.0.3"
    nodes = tree(device(ROUTER, CORE, other), device(CORE, ROUTER), device(other, ROUTER), device(FLOOR, CORE, other))
    assert nodes[FLOOR].parents == (CORE, other)


@pytest.mark.parametrize(
    "heard",
    [
        Neighbour(port="1", chassis=mac(FLOOR)), Neighbour(port="1", name="SW-Floor"),
        Neighbour(port="1", addresses=("192.0.2.1", FLOOR)),
    ],
    ids=["chassis", "name", "address"],
)  # fmt: skip
def test_a_neighbour_is_known_by_chassis_name_or_address(heard: Neighbour) -> None:
    router = Seen(ROUTER, identity=Identity(neighbours=(heard,)))
    assert tree(router, device(FLOOR, name="sw-floor"))[FLOOR].parents == (ROUTER,)


def test_a_chassis_is_found_by_the_routers_arp_table() -> None:
    router = Seen(
        ROUTER, identity=Identity(macs={HOST: mac(HOST)}, neighbours=(Neighbour(port="1", chassis=mac(HOST)),))
    )
    assert tree(router, Seen(HOST))[HOST].parents == (ROUTER,)


def test_a_name_that_two_have_tells_nothing() -> None:
    router = Seen(ROUTER, identity=Identity(neighbours=(Neighbour(port="1", name="switch"),)))
    nodes, unseen = hang([router, device(CORE, name="switch"), device(FLOOR, name="switch")], [ROUTER], [])
    assert [node.sure for node in nodes] == [Sure.ROOT, Sure.NOT, Sure.NOT]
    assert [each.name for each in unseen] == ["switch"]


def test_what_speaks_no_lldp_is_found_in_the_address_tables_behind_the_last_switch() -> None:
    hosts = {ROUTER: mac(ROUTER), CORE: mac(CORE), FLOOR: mac(FLOOR), HOST: mac(HOST)}
    router = Seen(
        ROUTER, identity=Identity(chassis=mac(ROUTER), macs=hosts, neighbours=(Neighbour(port="1", addresses=(CORE,)),))
    )
    core = device(CORE, FLOOR, seen_at={mac(FLOOR): "2", mac(HOST): "2", mac(ROUTER): "24"})
    floor = device(FLOOR, seen_at={mac(ROUTER): "1", mac(CORE): "1", mac(HOST): "7"})
    nodes = tree(router, core, floor, Seen(HOST))
    assert (nodes[HOST].parents, nodes[HOST].sure) == ((FLOOR,), Sure.TABLE)


def test_a_host_behind_a_port_with_a_switch_is_not_guessed() -> None:
    router = Seen(ROUTER, identity=Identity(macs={HOST: mac(HOST)}, chassis=mac(ROUTER)))
    core = device(CORE, seen_at={mac(ROUTER): "1", mac(HOST): "1"})
    assert tree(router, core, Seen(HOST))[HOST].sure is Sure.NOT


def test_of_two_switches_that_see_each_other_none_hangs_on_the_other() -> None:
    nodes = tree(device(CORE, seen_at={mac(FLOOR): "1"}), device(FLOOR, seen_at={mac(CORE): "1"}), Seen(ROUTER))
    assert (nodes[CORE].parents, nodes[FLOOR].parents) == ((), ())


def test_without_a_router_nothing_is_told_by_lldp() -> None:
    nodes = tree(device(CORE, FLOOR), device(FLOOR, CORE), routers=())
    assert {node.sure for node in nodes.values()} == {Sure.NOT}


def test_the_router_is_whom_the_neighbours_call_so_when_the_inventory_has_none() -> None:
    nodes = tree(device(CORE, ROUTER, kind="router"), device(ROUTER), routers=())
    assert (nodes[ROUTER].sure, nodes[CORE].parents) == (Sure.ROOT, (ROUTER,))


def test_a_device_with_several_addresses_is_one_under_the_one_that_the_inventory_has() -> None:
    second = device("10.0.0.254", name="gw")
    second.identity = Identity(chassis=mac(ROUTER), name="gw")
    nodes = tree(device(ROUTER, name="gw"), second, preferred=("10.0.0.254",), routers=("10.0.0.254",))
    assert [(node.seen.address, node.also, node.sure) for node in nodes.values()] == [
        ("10.0.0.254", (ROUTER,), Sure.ROOT)
    ]


@pytest.mark.parametrize(
    ("ports", "kind"),
    [((80, 554), "camera"), ((80, 9100), "printer"), ((80, 1720, 5060), "vc-endpoint"), ((445,), "computer"), ((80,), ""), ((), "")],
)  # fmt: skip
def test_open_ports_tell_the_kind_of_what_has_no_agent(ports: tuple[int, ...], kind: str) -> None:
    assert tree(Seen(HOST, ports=ports))[HOST].kind == kind


def test_a_ring_of_liars_ends() -> None:
    everyone = [f"10.0.1.{each}" for each in range(1, 40)]
    nodes = tree(device(ROUTER, *everyone), *(device(each, ROUTER, *everyone) for each in everyone))
    assert all(node.parents == (ROUTER,) for address, node in nodes.items() if address != ROUTER)


ADDRESSES = [f"10.0.0.{each}" for each in range(1, 7)]
MACS = st.sampled_from(["", *map(mac, ADDRESSES)])
SAID = st.sampled_from(["", "gw", "Switch", "switch"])
NEIGHBOURS = st.builds(
    Neighbour, port=st.just("1"), name=SAID, chassis=MACS, kind=st.sampled_from(["", "router", "switch"]),
    addresses=st.lists(st.sampled_from([*ADDRESSES, "192.0.2.1"]), max_size=2).map(tuple),
)  # fmt: skip
IDENTITIES = st.builds(
    Identity, name=SAID, chassis=MACS, forwards=st.booleans(), neighbours=st.lists(NEIGHBOURS, max_size=3).map(tuple),
    macs=st.dictionaries(st.sampled_from(ADDRESSES), MACS, max_size=3),
    seen_at=st.dictionaries(MACS, st.sampled_from("12"), max_size=3),
)  # fmt: skip


@given(
    st.dictionaries(st.sampled_from(ADDRESSES), st.none() | IDENTITIES), st.sets(st.sampled_from(ADDRESSES), max_size=2)
)
def test_whatever_devices_say_of_each_other_it_is_a_tree(said: dict[str, Identity | None], routers: set[str]) -> None:
    nodes, _ = hang([Seen(address, identity=told) for address, told in said.items()], routers, [])
    parents = {node.seen.address: node.parents for node in nodes}
    assert {*parents, *(each for node in nodes for each in node.also)} == said.keys()
    for _ in nodes:  # whose parents are all gone goes: a ring would stay
        parents = {each: above for each, above in parents.items() if set(above) & parents.keys()}
    assert parents == {}
