"""What of found equipment is proposed, and why not the rest."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.model import Inventory
from monitor.exchange.found import Found, Proposal, propose
from monitor.exchange.proposed import as_yaml, tell
from monitor.inventory.load import load_inventory
from monitor.yamlfile import parse

INVENTORY = """
profiles:
  gateway: {kind: gateway, checks: {echo: {probe: icmp}}}
  line: {kind: tslcd, checks: {echo: {probe: icmp}}}
  router: {kind: router, checks: {echo: {probe: icmp}}}
  router-of-pop: {kind: router, checks: {echo: {probe: icmp}}}
  switch: {kind: switch, checks: {echo: {probe: icmp}}}
  page: {kind: website, checks: {echo: {probe: icmp}}}
  mikrotik: {kind: router, fits: {object_ids: [1.3.6.1.4.1.14988]}, checks: {echo: {probe: icmp}}}
  catalyst: {kind: switch, fits: {object_ids: [1.3.6.1.4.1.9], descriptions: [C2960]}, checks: {echo: {probe: icmp}}}
providers:
  vnpt: {name: VNPT, hotline: '18001166'}
templates:
  commune:
    networks: ['10.64.{n}.0/24']
    links: {tslcd: {profile: line, address: '10.65.{n}.2', provider: vnpt, circuit: '{code}'}}
    devices: {router: {profile: router, address: '10.64.{n}.1'}}
    services: {web: {profile: page, address: '10.68.0.{n}'}}
sites:
  - {id: center, name: Trung tâm, kind: data-center, devices: {gateway: {profile: gateway, address: 10.69.0.1, vantage: true}}}
  - {id: xa-tan-thanh, like: commune, name: Xã Tân Thanh, code: '13444', area: Huyện Thanh Liêm, vars: {n: 17}}
  - {id: phuong-tan-thanh, like: commune, name: Phường Tân Thành, code: '13445', area: Huyện Nho Quan, vars: {n: 18}}
  - {id: xa-dong-da, like: commune, name: Xã Đồng Đa, code: '13446', area: Huyện Nho Quan, vars: {n: 19}}
"""


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    folder: Path = tmp_path_factory.mktemp("inventory")
    (folder / "all.yaml").write_text(INVENTORY)
    return load_inventory(folder, None)


SWITCH = Found(site="xa-tan-thanh", name="sw01", address="10.64.17.9", source="list:1", kind="switch")


def why(proposal: Proposal) -> str:
    (left,) = proposal.left
    return str(left.why)


@pytest.mark.parametrize(
    "place",
    [
        "xa-tan-thanh", "13444", "Xã Tân Thanh", "xã tân thanh", "Xa Tan Thanh", "UBND xã Tân Thanh", "Tân Thanh",
        "Xã Tân Thanh, Huyện Thanh Liêm, Tỉnh Ninh Bình", "Communes/Xã Tân Thanh", "Linux servers; Xã Tân Thanh",
        "Tan Thanh, Thanh Liem", "Xa\u0303 Ta\u0302n Thanh",
    ],
)  # fmt: skip
def test_a_site_is_known_by_all_that_people_call_it(inventory: Inventory, place: str) -> None:
    (added,) = propose([replace(SWITCH, site=place)], inventory).added
    assert added.id == "xa-tan-thanh/sw01"


def test_of_sites_of_one_name_the_address_tells_which(inventory: Inventory) -> None:
    (added,) = propose([replace(SWITCH, site="Tan Thanh", address="10.64.18.9")], inventory).added
    assert added.site == "phuong-tan-thanh"


def test_where_no_site_is_told_the_address_tells_and_a_note_says_so(inventory: Inventory) -> None:
    (added,) = propose([replace(SWITCH, site="")], inventory).added
    assert added.site == "xa-tan-thanh"
    assert tuple(map(str, added.notes)) == ("at xa-tan-thanh, for its address is in 10.64.17.0/24",)


def test_of_sites_of_one_name_the_area_tells_which(inventory: Inventory) -> None:
    for area in ("Nho Quan", "huyện Nho Quan"):
        (added,) = propose([replace(SWITCH, site=f"Tan Thanh, {area}", address="10.64.18.9")], inventory).added
        assert added.site == "phuong-tan-thanh"
    proposal = propose([replace(SWITCH, site="Tan Thanh, Nho Quan")], inventory)
    assert "outside of the networks of phuong-tan-thanh" in why(proposal)


def test_of_sites_that_differ_by_a_diacritic_the_one_that_is_written_is_meant(inventory: Inventory) -> None:
    proposal = propose([replace(SWITCH, site="Tân Thành", address="192.0.2.1")], inventory)
    assert "outside of the networks of phuong-tan-thanh" in why(proposal)


def test_sites_that_cannot_be_told_apart_are_named(inventory: Inventory) -> None:
    assert "may be any of xa-tan-thanh, phuong-tan-thanh" in why(
        propose([replace(SWITCH, site="Tân Thạnh", address="192.0.2.1")], inventory)
    )


def test_a_place_that_is_no_site_is_listed_with_what_looks_like_it(inventory: Inventory) -> None:
    somewhere = replace(SWITCH, site="Xã Đồng Đ", address="192.0.2.1")
    proposal = propose([somewhere, replace(somewhere, address="192.0.2.2")], inventory)
    assert why(propose([somewhere], inventory)) == "no site is called Xã Đồng Đ"
    assert [(each.place, each.devices, each.near) for each in proposal.unplaced] == [("Xã Đồng Đ", 2, ("Xã Đồng Đa",))]
    assert any("did you mean Xã Đồng Đa?" in line for line in tell(proposal, "en"))


def test_a_person_says_which_site_a_place_is(inventory: Inventory) -> None:
    (added,) = propose([replace(SWITCH, site="Kho 3; x")], inventory, places={"kho 3": "xa-tan-thanh"}).added
    assert added.site == "xa-tan-thanh"
    (added,) = propose([replace(SWITCH, site="***; -")], inventory, places={"***": "xa-tan-thanh"}).added
    assert added.site == "xa-tan-thanh"
    assert "no site `nowhere`" in why(propose([replace(SWITCH, site="Kho 3")], inventory, places={"Kho 3": "nowhere"}))


def test_a_new_site_is_made_only_when_asked_for(inventory: Inventory) -> None:
    found = replace(SWITCH, site="Xã Mới", address="192.0.2.1")
    second = replace(found, name="sw02", address="192.0.2.2", location=(20.5, 105.9))
    proposal = propose([found, second, replace(second, address="192.0.2.3", kind="")], inventory, new_sites=True)
    assert len(proposal.left) == 0
    assert parse(as_yaml(proposal).encode(), "new.yaml").value == {
        "sites": [
            {
                "id": "xa-moi",
                "name": "Xã Mới",
                "location": [20.5, 105.9],
                "devices": {
                    "sw01": {"profile": "switch", "address": "192.0.2.1"},
                    "sw02": {"profile": "switch", "address": "192.0.2.2"},
                    "sw02-2": {"profile": "switch", "address": "192.0.2.3"},
                },
            }
        ]
    }


@pytest.mark.parametrize(
    ("address", "target"),
    [("10.64.17.1", "router"), ("10.65.17.2", "tslcd"), ("10.68.0.17", "web")],
)
def test_what_the_inventory_has_is_known_by_its_address(inventory: Inventory, address: str, target: str) -> None:
    (known,) = propose([replace(SWITCH, site="anywhere", address=address)], inventory).known
    assert known.target == f"xa-tan-thanh/{target}"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("", "no address is told"),
        ("sw01.example.org", "`sw01.example.org` is no address"),
        ("10.64.18.9", "10.64.18.9 is outside of the networks of xa-tan-thanh (10.64.17.0/24)"),
        ("10.64.17.255", "10.64.17.255 is the address of a network"),
        ("127.0.0.1", "127.0.0.1 is no address of one host"),
        ("224.0.0.9", "224.0.0.9 is no address of one host"),
        ("fe80::1", "fe80::1 can only be reached from its own network"),
        ("2001:db8::1%eth0", "2001:db8::1%eth0 can only be reached from its own network"),
        ("::ffff:10.64.17.0", "10.64.17.0 is the address of a network"),
    ],
)
def test_an_address_that_cannot_be_asked_is_left_out(inventory: Inventory, address: str, reason: str) -> None:
    assert why(propose([replace(SWITCH, address=address)], inventory)).startswith(reason)


def test_of_two_with_one_address_the_first_is_taken(inventory: Inventory) -> None:
    proposal = propose([SWITCH, replace(SWITCH, name="other", source="list:2")], inventory)
    assert [each.name for each in proposal.added] == ["sw01"]
    assert why(proposal) == "list:1 has the same address"


@pytest.mark.parametrize(
    ("told", "profile", "reason"),
    [
        ({"object_id": "1.3.6.1.4.1.14988.1"}, "mikrotik", "what fits is its sysObjectID 1.3.6.1.4.1.14988.1"),
        ({"kind": "", "description": "Cisco IOS, C2960 Software"}, "catalyst", "what fits is its description Cisco IOS, C2960 Software"),
        ({"kind": "Access Switch"}, "switch", "it is called Access Switch"),
        ({"kind": "Bộ chuyển mạch"}, "switch", "it is called Bộ chuyển mạch"),
        ({"kind": "network", "name": "sw-01"}, "switch", "its name is sw-01"),
        ({"kind": "router"}, "router", "it is called router"),
    ],
)  # fmt: skip
def test_the_profile_comes_from_what_fits_then_from_the_kind(
    inventory: Inventory, told: dict[str, str], profile: str, reason: str
) -> None:
    (added,) = propose([replace(SWITCH, **{"kind": "", **told})], inventory).added  # type: ignore[arg-type]
    assert (added.profile, str(added.why)) == (profile, reason)


def test_a_profile_of_another_kind_than_is_told_is_noted(inventory: Inventory) -> None:
    (added,) = propose([replace(SWITCH, object_id="1.3.6.1.4.1.14988.1")], inventory).added
    assert added.profile == "mikrotik"
    assert tuple(map(str, added.notes)) == ("it is called switch, but the profile is not of kind switch",)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"kind": "toaster", "name": "t"}, "no profile fits: its kind is not known"),
        ({"kind": "ups"}, "no profile fits: it is called ups, but no profile is of kind ups"),
        ({"kind": "tslcd", "name": "x"}, "no profile fits: its kind is not known"),
        ({"kind": "", "name": "x", "object_id": "1.3.6.1.4.1.9.1"}, "no profile fits: its kind is not known; sysObjectID 1.3.6.1.4.1.9.1"),
    ],
)  # fmt: skip
def test_what_no_profile_fits_is_left_out(inventory: Inventory, told: dict[str, str], reason: str) -> None:
    assert why(propose([replace(SWITCH, **told)], inventory)).startswith(reason)  # type: ignore[arg-type]


def test_names_become_ids_that_are_free(inventory: Inventory) -> None:
    names = ["Switch tầng 2", "xa-tan-thanh-sw1", "sw.xa.example.org", "10.64.17.53", "", "router", "Router", "📡"]
    found = [replace(SWITCH, name=name, address=f"10.64.17.{50 + number}") for number, name in enumerate(names)]
    assert [each.name for each in propose(found, inventory).added] == [
        "switch-tang-2", "sw1", "sw", "switch", "switch-2", "router-2", "router-3", "switch-3",
    ]  # fmt: skip


def test_neighbours_become_what_it_is_behind(inventory: Inventory) -> None:
    found = [
        replace(SWITCH, neighbours=("10.64.17.1",)),
        replace(SWITCH, name="sw02", address="10.64.17.10", neighbours=("SW01", "gone")),
        replace(SWITCH, name="sw03", address="10.64.17.11", neighbours=("center/gateway",)),
    ]
    added = propose(found, inventory).added
    assert [each.behind for each in added] == [("router",), ("sw01",), ("center/gateway",)]
    assert tuple(map(str, added[1].notes)) == ("hangs on gone, which nothing here is",)


def test_a_neighbour_of_the_same_site_is_meant_before_one_of_another(inventory: Inventory) -> None:
    found = [
        replace(SWITCH, site="phuong-tan-thanh", address="10.64.18.9"),
        SWITCH,
        replace(SWITCH, name="sw02", address="10.64.17.10", neighbours=("sw01",)),
        replace(SWITCH, name="sw03", address="10.64.17.11", neighbours=("router", "sw03")),
        replace(SWITCH, name="sw04", site="xa-dong-da", address="10.64.19.11", neighbours=("sw01",)),
    ]
    *_, second, third, fourth = propose(found, inventory).added
    assert (second.behind, third.behind, fourth.behind) == (("sw01",), ("router",), ())
    assert tuple(map(str, fourth.notes)) == ("hangs on sw01, which may be several",)


def test_two_places_that_would_get_one_id_are_not_thrown_together(inventory: Inventory) -> None:
    first = replace(SWITCH, site="Xã Kim Bảng", address="192.0.2.1")
    proposal = propose([first, replace(first, site="Xã Kim Bang", address="192.0.2.2")], inventory, new_sites=True)
    assert [each.name for each in proposal.sites] == ["Xã Kim Bảng"]
    assert why(proposal).startswith("Xã Kim Bang and Xã Kim Bảng would be one new site, `xa-kim-bang`")


few = settings(max_examples=50)
TEXT = st.one_of(
    st.text(max_size=30), st.sampled_from(["xa-tan-thanh", "10.64.17.9", "10.64.17.1", "switch", "2001:db8::1", "::"])
)


@few
@given(
    st.lists(
        st.builds(Found, site=TEXT, name=TEXT, address=TEXT, source=TEXT, kind=TEXT, neighbours=st.tuples(TEXT)),
        max_size=4,
    )
)
def test_whatever_is_told_becomes_good_yaml(inventory: Inventory, found: list[Found]) -> None:
    proposal = propose(found, inventory, new_sites=True)
    assert len(proposal.known) + len(proposal.added) + len(proposal.left) == len(found)
    value = parse(as_yaml(proposal).encode(), "new.yaml").value or {"sites": []}
    assert isinstance(value, dict)
    written = {f"{site['id']}/{name}": device for site in value["sites"] for name, device in site["devices"].items()}
    assert written.keys() == {each.id for each in proposal.added}
    assert all(line.isprintable() for language in ("vi", "en") for line in tell(proposal, language))
