"""Size and marking of a path, over a real hop that takes less, that says nothing, or that clears the marking."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.model import Outcome, Reason
from probes.registry import Result
from probes.wire.mtu import Search
from tests.probes.calls import KEY, Reflecting
from tests.probes.peers import Echo, Field, Responder, ask, echo_reply, program, run

PORT = 18867
HOP, HOP_6 = "10.199.0.2", "fd99::2"
BEYOND, BEYOND_6 = "10.202.0.2", "fd97::2"
NARROW = 1400
TARGET = "10.200.0.7"


@pytest.fixture(scope="module")
def narrow(namespaces: Field) -> Iterator[Field]:
    """Behind the far side another one, over a line of 1,400 bytes."""
    deep, far, near = f"{namespaces.far}-deep", namespaces.far, namespaces.near
    run("ip", "netns", "add", deep)
    try:
        run("ip", "-n", far, "link", "add", "deep0", "type", "veth", "peer", "name", "up0", "netns", deep)
        for name, link, own, own_6 in (
            (far, "deep0", "10.202.0.1/24", "fd97::1/64"),
            (deep, "up0", f"{BEYOND}/24", f"{BEYOND_6}/64"),
        ):
            run("ip", "-n", name, "addr", "add", own, "dev", link)
            run("ip", "-n", name, "-6", "addr", "add", own_6, "dev", link, "nodad")
            run("ip", "-n", name, "link", "set", link, "mtu", str(NARROW), "up")
        run("ip", "-n", near, "route", "add", "10.202.0.0/24", "via", HOP)
        run("ip", "-n", near, "-6", "route", "add", "fd97::/64", "via", HOP_6)
        run("ip", "-n", deep, "route", "add", "default", "via", "10.202.0.1")
        run("ip", "-n", deep, "-6", "route", "add", "default", "via", "fd97::1")
        yield namespaces
    finally:
        subprocess.run([program("ip"), "netns", "del", deep], check=False)
        run("ip", "-n", near, "route", "del", "10.202.0.0/24")


@pytest.fixture(scope="module")
def reflector(namespaces: Field, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reflecting]:
    folder = tmp_path_factory.mktemp("reflect")
    (folder / "key").write_text(KEY)
    made = Reflecting(folder, PORT, "--key-file", str(folder / "key"), namespace=namespaces.far)
    try:
        made.start()
        yield made
    finally:
        made.stop()


async def path(address: str, told: list[str] | None = None, **options: Any) -> Result:
    return await ask("path", address, timeout=25, told=told, **options)


@pytest.mark.parametrize("address", [HOP, HOP_6])
async def test_a_good_path_costs_two_echoes(field: Field, address: str) -> None:
    told: list[str] = []
    result = await path(address, told)
    assert result.outcome is Outcome.OK
    assert result.values == {"probe_path_mtu_bytes": 1500}
    assert result.evidence == "1500 bytes pass whole"
    assert len(told) == 2


@pytest.mark.parametrize(("address", "hop"), [(BEYOND, HOP), (BEYOND_6, HOP_6)])
async def test_a_hop_that_takes_less_is_named_with_what_it_takes(
    narrow: Field, field: Field, address: str, hop: str
) -> None:
    told: list[str] = []
    result = await path(address, told)
    assert result.outcome is Outcome.OK
    assert result.values == {"probe_path_mtu_bytes": NARROW}
    assert result.evidence == f"{NARROW} bytes pass whole, {hop} refuses more than {NARROW}"
    assert len([line for line in told if "bytes whole" in line]) == 4, "the word of the hop saves the search"


async def test_a_path_that_swallows_what_is_large_is_measured_to_the_byte(field: Field) -> None:
    field.faults(f"ip daddr {TARGET} ip length > 1443 drop")
    result = await path(TARGET)
    assert result.outcome is Outcome.OK
    assert result.values == {"probe_path_mtu_bytes": 1443}
    assert result.evidence == "1443 bytes pass whole, larger ones vanish without a word"


async def test_more_than_our_own_line_takes_is_told_as_ours(field: Field) -> None:
    result = await path(HOP, mtu=9000)
    assert result.values == {"probe_path_mtu_bytes": 1500}
    assert result.evidence == "1500 bytes pass whole, this host refuses more"


async def test_nobody_there_and_no_way_are_told_apart(field: Field) -> None:
    field.faults(f"ip daddr {TARGET} drop")
    result = await path(TARGET)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.TIMEOUT)
    field.faults()
    field.no_way_to(TARGET)
    result = await path(TARGET)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.UNREACHABLE)
    assert result.evidence == f"{HOP} says host unreachable"


async def test_lies_about_sizes_from_the_wrong_place_or_of_another_echo_change_nothing(field: Field) -> None:
    def lie(echo: Echo) -> list[tuple[str, bytes]]:
        return [
            ("10.200.0.99", echo.reply()),
            (TARGET, echo_reply(echo.identifier, echo.sequence + 1, echo.payload)),
            (TARGET, echo_reply(echo.identifier, echo.sequence, b"another payload" + echo.payload)),
            *([(TARGET, echo.reply())] if len(echo.payload) + 28 <= 1000 else []),
        ]

    async with Responder(field, lie):
        result = await path(TARGET, mtu=1002)
    assert result.values == {"probe_path_mtu_bytes": 1000}


async def test_markings_are_told_each_in_its_direction(reflector: Reflecting, field: Field) -> None:
    options = {"key": {"file": KEY}, "port": reflector.port}
    result = await path(HOP, **options)
    assert result.evidence == "1500 bytes pass whole, DSCP 46 is kept, DSCP 34 is kept"
    clear = f"udp sport {reflector.port} ip dscp 46 ip dscp set cs0"
    run(
        "ip", "netns", "exec", field.far, "nft", "-f", "-",
        given=f"table inet path {{\nchain post {{ type filter hook postrouting priority 0; {clear}; }}\n}}\n",
    )  # fmt: skip
    try:
        result = await path(HOP, **options)
    finally:
        run("ip", "netns", "exec", field.far, "nft", "delete", "table", "inet", "path")
    assert result.outcome is Outcome.OK
    assert result.evidence == "1500 bytes pass whole, DSCP 46 is lost on the way back, DSCP 34 is kept"
    assert result.values['probe_path_dscp_kept{dscp="46",direction="there"}'] == 1
    assert result.values['probe_path_dscp_kept{dscp="46",direction="back"}'] == 0


async def test_a_reflector_that_is_silent_fails_but_the_size_is_kept(field: Field) -> None:
    result = await path(HOP, key={"file": KEY}, port=PORT + 9)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.REFUSED)


async def test_the_kernels_ping_socket_does_as_well(
    narrow: Field, field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.socket

    def without_raw(family: int, kind: int, protocol: int) -> socket.socket:
        if kind & socket.SOCK_RAW == socket.SOCK_RAW:
            raise PermissionError
        return real(family, kind, protocol)

    run("ip", "netns", "exec", field.near, "sysctl", "-qw", "net.ipv4.ping_group_range=0 65534")
    monkeypatch.setattr("probes.engine.echo_socket.socket.socket", without_raw)  # this process may open every socket
    result = await path(BEYOND)
    assert result.values == {"probe_path_mtu_bytes": NARROW}
    assert result.evidence == f"{NARROW} bytes pass whole, {HOP} refuses more than {NARROW}"


# -- the search ------------------------------------------------------------------------------------------------------------


@given(st.integers(576, 9216), st.integers(0, 9216), st.integers(0, 10000))
def test_the_search_ends_soon_and_finds_the_edge(most: int, edge: int, word: int) -> None:
    """Whatever a hop says that it takes."""
    search, asked = Search(576, most), 0
    while (size := search.next()) is not None:
        asked += 1
        if size <= edge:
            search.passed(size)
        else:
            search.failed(size, word)
        assert asked <= 20
    assert search.good == (min(edge, most) if edge >= 576 else 0)


def test_the_word_of_a_hop_is_tried_first_and_one_more_shows_that_it_is_right() -> None:
    search = Search(576, 1500)
    asked = []
    while (size := search.next()) is not None:
        asked.append(size)
        if size <= 1400:
            search.passed(size)
        else:
            search.failed(size, 1400)
    assert asked == [576, 1500, 1400, 1401]
