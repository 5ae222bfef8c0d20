"""What a person and a program are told of a look."""

from __future__ import annotations

import pytest

from monitor.core.model import Inventory, Profile, Role, Site, Target
from monitor.exchange.discovered import Discovered, besides, discovered, otherwise, recogniser, records, table
from monitor.exchange.found import propose
from monitor.exchange.scope import make_scope
from monitor.exchange.tree import Seen
from probes.wire.identity import Identity
from probes.wire.lldp import Neighbour

SITE = Site(id="xa", name="Xã", networks=("10.64.17.0/24", "2001:db8:17::/64"))
ROUTER, SWITCH, NEW = "10.64.17.1", "10.64.17.2", "10.64.17.3"


def device(name: str, address: str, kind: str, *behind: str) -> Target:
    return Target(id=f"xa/{name}", site="xa", name=name, role=Role.DEVICE, kind=kind, address=address, behind=behind)


INVENTORY = Inventory(
    sites={"xa": SITE},
    targets={
        each.id: each
        for each in (
            device("router", ROUTER, "router"), device("switch", SWITCH, "switch", "xa/old"),
            device("old", "10.64.17.9", "switch", "xa/router"), device("ap", "2001:DB8:17:0::40", "access-point"),
        )
    },
    providers={},
    profiles={"switch": Profile(id="switch", kind="switch", object_ids=("1.3.6.1.4.1.9",))},
)  # fmt: skip


def look(*seen: Seen) -> Discovered:
    scope = make_scope(INVENTORY, SITE, (), (), 40, ())
    return discovered(scope, {each.address: each for each in seen}, INVENTORY)


def hears(address: str, other: str, **told: str) -> Seen:
    neighbours = (Neighbour(port="1", addresses=(other,)),)
    return Seen(address, identity=Identity(neighbours=neighbours, **told))  # type: ignore[arg-type]


def test_what_the_inventory_has_and_did_not_answer_is_told_however_its_address_is_written() -> None:
    assert [each.id for each in look(Seen(ROUTER), Seen(SWITCH)).silent] == ["xa/old", "xa/ap"]
    assert [each.id for each in look(Seen(ROUTER), Seen(SWITCH), Seen("2001:db8:17::40")).silent] == ["xa/old"]


def test_what_hangs_on_something_else_than_the_inventory_says_is_told_and_not_changed() -> None:
    found = look(Seen(ROUTER), hears(SWITCH, ROUTER), hears(NEW, SWITCH, object_id="1.3.6.1.4.1.9.1", name="sw-2"))
    proposal = propose(records(found), INVENTORY)
    assert list(map(str, otherwise(found, proposal, INVENTORY))) == [
        "xa/switch is behind xa/old in the inventory, and hangs on xa/router (one of the two says so by LLDP)"
    ]
    assert [(each.id, each.behind) for each in proposal.added] == [("xa/sw-2", ("switch",))]


def test_without_a_router_that_is_said() -> None:
    assert list(map(str, besides(look(Seen(NEW)))))[-1] == (
        "no router of the site is known, so nothing tells by LLDP what hangs on what"
    )
    assert "no router" not in "".join(map(str, besides(look(Seen(ROUTER)))))


def test_the_other_addresses_of_a_device_are_told() -> None:
    one, other = (
        Seen(each, identity=Identity(chassis="02:00:00:00:00:01", name="gw")) for each in (ROUTER, "10.64.17.254")
    )
    found = look(other, one)
    assert [node.seen.address for node in found.nodes] == [ROUTER]
    assert f"{ROUTER} answers at 10.64.17.254 too" in list(map(str, besides(found)))


def test_long_texts_are_cut_in_the_table_alone() -> None:
    found = look(Seen(NEW, identity=Identity(description="x" * 160, name="n" * 64)))
    assert max(map(len, table(found, "vi"))) < 160
    assert records(found)[0].description == "x" * 160


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (Seen(SWITCH), True), (Seen("2001:db8:17::40"), True), (Seen(NEW), False),
        (Seen(NEW, identity=Identity(object_id="1.3.6.1.4.1.9.1")), True),
        (Seen(NEW, identity=Identity(object_id="1.3.6.1.4.1.99")), False), (Seen(NEW, identity=Identity(ups="RT 1500")), True),
    ],
)  # fmt: skip
def test_only_what_is_not_clear_is_knocked_at(seen: Seen, told: bool) -> None:
    assert recogniser(INVENTORY)(seen) is told
