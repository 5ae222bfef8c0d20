"""What may be looked at, and what is said of it before."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

import pytest
from pydantic import SecretStr

from monitor.core.model import Check, Inventory, Role, Site, State, Target
from monitor.exchange.scope import MOST_ADDRESSES, PORTS, Scope, ScopeError, credentials_of, make_scope, tell_scope
from probes.snmp import SnmpOptions

SITE = Site(id="xa", name="Xã", networks=("10.64.17.0/24", "2001:db8:17::/64"))


def inventory(*targets: Target) -> Inventory:
    return Inventory(sites={"xa": SITE}, targets={each.id: each for each in targets}, providers={})


def target(name: str, address: str, options: object = None, site: str = "xa") -> Target:
    check = Check(
        id=f"{site}/{name}#snmp", target=f"{site}/{name}", name="snmp", probe="snmp", address=address, options=options,
        interval_seconds=60, timeout_seconds=5, confirm=1, when_failed=State.DOWN,
    )  # fmt: skip
    return Target(
        id=f"{site}/{name}", site=site, name=name, role=Role.DEVICE, kind="router", address=address, checks=(check,)
    )


def scope(*ranges: str, site: Site = SITE, known: tuple[Target, ...] = ()) -> Scope:
    return make_scope(inventory(*known), site, ranges, (), 40, PORTS)


def test_all_hosts_of_the_networks_are_looked_at_and_none_of_ipv6() -> None:
    made = scope()
    assert (made.addresses[0], made.addresses[-1], len(made.addresses)) == ("10.64.17.1", "10.64.17.254", 254)


def test_of_ipv6_only_what_the_inventory_has() -> None:
    there, elsewhere, nowhere = target("a", "2001:db8:17::5"), target("b", "2001:db8:18::5"), target("c", "")
    assert scope(known=(there, elsewhere, nowhere)).known == ("2001:db8:17::5",)
    assert scope("10.64.17.8/29", known=(there,)).known == ()


@pytest.mark.parametrize(
    ("ranges", "site", "says"),
    [
        ((), replace(SITE, networks=()), "the inventory names no network of xa"),
        (("10.64.0.0/16",), SITE, "10.64.0.0/16 is not inside of the site's networks"),
        (("10.64.18.0/24",), SITE, "10.64.18.0/24 is not inside"),
        (("2001:db8::/32",), SITE, "2001:db8::/32 is not inside"),
        (("10.64.17.5/24",), SITE, "`10.64.17.5/24` is not a network"),
        (("all",), SITE, "`all` is not a network"),
        ((), replace(SITE, networks=("10.64.0.0/21",)), f"are 2048 addresses, and at most {MOST_ADDRESSES}"),
        ((), replace(SITE, networks=("10.0.0.0/8",)), "are 16777216 addresses"),
    ],
)  # fmt: skip
def test_what_may_not_be_looked_at_is_refused(ranges: tuple[str, ...], site: Site, says: str) -> None:
    with pytest.raises(ScopeError, match=says.replace("(", r"\(")):
        scope(*ranges, site=site)


def test_a_range_is_looked_at_but_never_the_address_of_the_network_or_of_all() -> None:
    made = scope("10.64.17.0/29", "10.64.17.255/32")
    assert made.addresses == tuple(f"10.64.17.{each}" for each in range(1, 8))
    assert not made.holds("10.64.17.255")
    assert not made.holds("10.64.17.8")
    assert not made.holds("2001:db8:17::5")


def test_ranges_that_lie_in_each_other_are_looked_at_once() -> None:
    assert len(scope("10.64.17.0/28", "10.64.17.4/30", "10.64.17.5/32").addresses) == 15


def v2(community: str) -> SnmpOptions:
    return SnmpOptions(community=SecretStr(community))


def v3() -> SnmpOptions:
    return SnmpOptions(version="3", user="nms", auth_password=SecretStr("one"), privacy_password=SecretStr("two"))


def test_the_sites_own_credentials_are_tried_once_each_and_version_3_first() -> None:
    known = inventory(
        target("a", "10.64.17.1", v2("c")), target("b", "10.64.17.2", v2("c")), target("c", "10.64.17.3", v3()),
        target("d", "10.64.18.1", v2("other"), "elsewhere"),
    )  # fmt: skip
    assert [each.name for each in credentials_of(known, SITE, lambda text: f"file {text}")] == [
        "version 3 as nms, passwords from file one and file two",
        "version 2c, community from file c",
    ]


def test_a_site_without_agents_is_asked_as_the_others_are() -> None:
    known = inventory(target("d", "10.64.18.1", v2("other"), "elsewhere"))
    assert [each.name for each in credentials_of(known, SITE, lambda text: f"file {text}")] == [
        "version 2c, community from file other"
    ]


def test_what_would_be_sent_is_told_without_a_secret() -> None:
    known = inventory(target("a", "10.64.17.1", v2("geheim-1")), target("b", "2001:db8:17::5", v3()))
    credentials = credentials_of(known, SITE, lambda text: f"file about-{text[:3]}")
    said = "\n".join(map(str, tell_scope(make_scope(known, SITE, (), credentials, 50, (554,)))))
    assert "254 addresses" in said
    assert "50 packets a second" in said
    assert "no sweep" in said
    assert "only the 1 that the inventory has there" in said
    assert "file about-geh" in said
    assert "geheim-1" not in said
    assert "554" in said


def test_the_time_is_reckoned_from_the_rate() -> None:
    made = scope()
    assert made.echo_seconds == pytest.approx(2 * 254 / 40 + 1)
    assert ipaddress.ip_network("10.64.17.0/24") in made.ranges
