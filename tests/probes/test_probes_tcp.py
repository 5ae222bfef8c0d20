"""tcp against real listeners."""

from __future__ import annotations

from monitor.core.model import Outcome, Reason
from tests.probes.peers import Field, Nginx, TcpPeer, ask, eventually, free_port


async def test_an_open_port_is_good_and_tells_how_long_it_took(nginx: Nginx) -> None:
    result = await ask("tcp", port=nginx.http)
    assert result.outcome is Outcome.OK
    assert result.values["probe_tcp_connect_duration_seconds"] > 0
    assert str(nginx.http) in result.evidence


async def test_one_run_is_one_connection_that_is_closed_again() -> None:
    async with TcpPeer() as peer:
        await ask("tcp", port=peer.port)
        await eventually("the connection is seen and gone", lambda: peer.seen == 1 and not peer._writers)


async def test_a_closed_port_is_refused() -> None:
    result = await ask("tcp", port=free_port())
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.REFUSED)


async def test_a_port_behind_a_silent_filter_is_a_timeout(field: Field) -> None:
    field.faults("tcp dport 81 drop")
    result = await ask("tcp", "10.200.0.5", port=81, timeout=0.3)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.TIMEOUT)


async def test_a_hop_that_says_unreachable_makes_the_target_unreachable(field: Field) -> None:
    field.no_way_to("10.200.0.5")
    result = await ask("tcp", "10.200.0.5", port=81)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.UNREACHABLE)


async def test_an_address_without_a_route_is_unreachable(field: Field) -> None:
    result = await ask("tcp", "10.250.0.5", port=81)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.UNREACHABLE)


async def test_ipv6_is_asked_as_ipv4(field: Field) -> None:
    result = await ask("tcp", "fd99::2", port=81)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.REFUSED)
