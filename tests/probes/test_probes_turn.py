"""turn against coturn, and against a stub that answers as no server does."""

from __future__ import annotations

from pathlib import Path

import pydantic
import pytest

from lab.certificates import Authority
from monitor.core.model import Outcome, Reason
from probes.wire.stun import Attribute, Method
from tests.probes.peers import LOOPBACK, ask, eventually, running, wait_until
from tests.probes.rooms import TURN_PASSWORD, TURN_USER, Turnserver
from tests.probes.stun_stub import KEY, Stub, grant, refuse, silent

LOGIN = {"username": TURN_USER, "password": {"file": TURN_PASSWORD}}
LENT = (refuse(401), grant(lent=True))


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
@pytest.mark.parametrize("loop", [False, True])
async def test_a_relay_is_lent_carries_and_is_given_back(coturn: Turnserver, transport: str, loop: bool) -> None:
    port = coturn.tls if transport == "tls" else coturn.port
    trust = {"ca": coturn.ca} if transport == "tls" else {}
    begun, ended = coturn.said.count("ALLOCATE processed, success"), coturn.given_back
    result = await ask("turn", port=port, transport=transport, loop=loop, **trust, **LOGIN)
    assert result.outcome is Outcome.OK
    assert result.evidence.startswith(f"relays at {LOOPBACK}:")
    assert (" and carries, " in result.evidence) is loop
    phases = {"allocate", "permission", "release"} | ({"relay"} if loop else set())
    assert {f'probe_turn_phase_duration_seconds{{phase="{each}"}}' for each in phases} <= result.values.keys()
    assert result.values["probe_turn_lifetime_seconds"] == 600
    wait_until("one was lent", lambda: coturn.said.count("ALLOCATE processed, success") == begun + 1)
    wait_until("it was given back", lambda: coturn.given_back == ended + 1)


async def test_a_refused_log_in_is_told_as_such(coturn: Turnserver) -> None:
    for wrong in ({"password": {"file": "wrong"}}, {"username": "nobody"}):
        result = await ask("turn", port=coturn.port, **(LOGIN | wrong))
        assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.AUTH)
        assert result.evidence == "alive, but refuses our credentials: 401 Unauthorized"


async def test_what_a_server_does_not_lend_or_allow_is_told_and_given_back(folder: Path, authority: Authority) -> None:
    server = Turnserver(folder, authority, "coturn-strict", "--user-quota=1", f"--denied-peer-ip={LOOPBACK}")
    for _ in running(server):
        forbidden = await ask("turn", port=server.port, **LOGIN)
        assert (forbidden.outcome, forbidden.reason) == (Outcome.FAILED, Reason.STATUS)
        assert forbidden.evidence.startswith(f"relays at {LOOPBACK}:")
        assert ", but refuses more: 403 Forbidden IP" in forbidden.evidence
        wait_until("it was given back", lambda: server.given_back == 1)
        async with server.at_its_limit() as login:
            quota = await ask("turn", port=server.port, **login)
        assert (quota.outcome, quota.reason) == (Outcome.FAILED, Reason.STATUS)
        assert quota.evidence == "alive, but lends no relay: 486 Allocation Quota Reached"


@pytest.mark.parametrize(
    ("steps", "asked"),
    [
        ((refuse(401), silent), Method.ALLOCATE),
        ((*LENT, silent), Method.CREATE_PERMISSION),
        ((*LENT, grant(), silent), Method.SEND),
    ],
    ids=["allocate", "permission", "relay"],
)
async def test_a_run_that_is_stopped_gives_back_what_it_may_have(steps: tuple, asked: Method) -> None:
    async with Stub(*steps) as peer:
        result = await ask("turn", port=peer.port, loop=True, timeout=0.4, **LOGIN)
        assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.TIMEOUT)
        await eventually("it is given back", lambda: peer.asked[-1].method == Method.REFRESH)
    assert asked in [each.method for each in peer.asked]
    assert peer.asked[-1].number(Attribute.LIFETIME) == 0
    assert peer.asked[-1].signed_with(KEY)


async def test_nothing_is_given_back_that_was_not_lent() -> None:
    async with Stub(refuse(401), refuse(508, "Insufficient Capacity")) as peer:
        result = await ask("turn", port=peer.port, **LOGIN)
    assert result.evidence == "alive, but lends no relay: 508 Insufficient Capacity"
    assert [each.method for each in peer.asked] == [Method.ALLOCATE] * 2


async def test_a_stale_nonce_is_replaced_and_a_liar_is_not_followed_for_ever() -> None:
    stale = [refuse(438, "Stale Nonce", f"n{number}") for number in range(2, 99)]
    async with Stub(refuse(401), stale[0], grant(lent=True), grant()) as peer:
        result = await ask("turn", port=peer.port, **LOGIN)
    assert result.outcome is Outcome.OK
    assert [each.text(Attribute.NONCE) for each in peer.asked[:3]] == ["", "n1", "n2"]
    async with Stub(refuse(401), *stale) as liar:
        result = await ask("turn", port=liar.port, **LOGIN)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)
    assert sum(each.method == Method.ALLOCATE for each in liar.asked) == 4


@pytest.mark.parametrize("key", [None, b"another"])
async def test_an_answer_that_is_not_signed_does_not_count(key: bytes | None) -> None:
    async with Stub(refuse(401), grant(lent=True, key=key)) as peer:
        result = await ask("turn", port=peer.port, timeout=0.5, **LOGIN)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.TIMEOUT)
    assert result.evidence.endswith("still waited for: an answer that is signed with our password")


async def test_answers_without_end_that_are_not_signed_are_not_read_to_their_end() -> None:
    class Flood(Stub):
        def _by_script(self, data: bytes) -> list[bytes]:
            return super()._by_script(data) * (1 if len(self.asked) == 1 else 100)

    async with Flood(refuse(401), grant(lent=True, key=None)) as peer:
        result = await ask("turn", port=peer.port, **LOGIN)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)
    assert result.evidence == "not TURN: 64 messages, and none is the answer"


async def test_an_allocation_that_names_no_relay_is_none() -> None:
    async with Stub(refuse(401), grant()) as peer:
        result = await ask("turn", port=peer.port, **LOGIN)
        assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)
        await eventually("it is given back", lambda: peer.asked[-1].method == Method.REFRESH)


async def test_a_name_and_a_password_are_wanted() -> None:
    for options in ({}, {"username": "x"}, {"username": "", "password": {"file": "x"}}):
        with pytest.raises(pydantic.ValidationError):
            await ask("turn", **options)
