"""webrtc-room with `ice`: Prosody names STUN and TURN servers, coturn is one; and services that name, or say, what none would."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import pytest
from aiohttp import WSMsgType, web
from pydantic import SecretStr

from monitor import names
from monitor.core.judge import Judge
from monitor.core.model import Observation, Outcome, Reason, State
from probes.engine.ice import MOST_ADDRESSES, MOST_ALTERNATES, MOST_SERVERS, Gathering, askable, gather
from probes.registry import Result
from probes.wire import xmpp
from probes.wire.stun import Attribute, Method
from probes.wire.xmpp import FRAMING, IceServer
from tests.alerts.sample import NOW
from tests.probes.calls import DAYS, Meet, Speak, speaking
from tests.probes.peers import LOOPBACK, UdpPeer, ask, eventually, wait_until
from tests.probes.rooms import TURN_PASSWORD, TURN_USER
from tests.probes.stun_stub import Stub, grant, refuse, send_on, silent
from tests.test_docs import with_example

GUEST = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>ANONYMOUS</mechanism></mechanisms>"
SUCCESS = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
BOUND = "<iq xmlns='jabber:client' type='result' id='bind'/>"


async def at(meet: Meet, domain: str, **options: Any) -> Result:
    """A run at one of the domains of Prosody."""
    asked = {"url": f"https://meet.example:{meet.port}/hop", "ca": meet.ca, "domain": domain, "ice": True, **options}
    return await ask("webrtc-room", LOOPBACK, **asked)


def counted(result: Result) -> tuple[float | None, ...]:
    """Servers asked, failed; candidates of STUN, of TURN."""
    counts = ("servers", "failed_servers", 'candidates{type="srflx"}', 'candidates{type="relay"}')
    return tuple(result.values.get(f"probe_webrtc_ice_{each}") for each in counts)


async def test_each_server_gives_a_candidate_and_gets_its_relay_back(meet: Meet) -> None:
    lent, back = meet.coturn.said.count("ALLOCATE processed, success"), meet.coturn.given_back
    told: list[str] = []
    result = await at(meet, "meet.example", told=told)
    assert result.outcome is Outcome.OK, result
    assert result.evidence.endswith(f"is good for {DAYS} days, 4 STUN and TURN servers work")
    assert counted(result) == (4, 0, 1, 3)
    assert 'probe_webrtc_duration_seconds{phase="ice"}' in result.values
    wait_until("three were lent", lambda: meet.coturn.said.count("ALLOCATE processed, success") == lent + 3)
    wait_until("and given back", lambda: meet.coturn.given_back == back + 3)
    assert f"TURN {LOOPBACK}:{meet.coturn.tls} over TLS: ALLOCATE with credentials" in told


@pytest.mark.parametrize(
    ("domain", "reason", "counts"),
    [
        ("half.example", Reason.OK, (2, 1, 0, 1)),
        ("expired.example", Reason.OK, (2, 1, 1, 0)),
        ("stopped.example", Reason.REFUSED, (2, 2, 0, 0)),
        ("secret.example", Reason.AUTH, (2, 2, 0, 0)),
        ("low.example", Reason.CONTENT, (3, 3, 0, 0)),
        ("own.example", Reason.OK, (3, 0, 1, 2)),
        ("many.example", Reason.OK, (MOST_SERVERS, MOST_SERVERS - 1, 1, 0)),
        ("empty.example", Reason.CONTENT, (None,) * 4),
        ("without.example", Reason.STATUS, (None,) * 4),
        ("closed.example", Reason.AUTH, (None,) * 4),
        ("nobody.example", Reason.STATUS, (None,) * 4),
    ],
)
async def test_it_fails_when_no_server_works_and_counts_those_that_do_not(
    meet: Meet, domain: str, reason: Reason, counts: tuple[float | None, ...]
) -> None:
    result = await at(meet, domain)
    assert (result.reason, counted(result)) == (reason, counts), result
    assert "probe_ssl_days_left" in result.values


async def test_the_certificate_that_ends_first_is_told_whoever_has_it(meet: Meet) -> None:
    assert (await at(meet, "expired.example")).values["probe_ssl_days_left"] == pytest.approx(-3, abs=0.1)
    assert (await at(meet, "meet.example")).values["probe_ssl_days_left"] == pytest.approx(DAYS, abs=0.1)


@pytest.mark.parametrize(
    ("domain", "state"), [("meet.example", State.UP), ("half.example", State.DEGRADED), ("stopped.example", State.DOWN)]
)
async def test_with_the_limits_of_the_example_some_servers_gone_is_degraded_and_all_is_down(
    meet: Meet, tmp_path: Path, domain: str, state: State
) -> None:
    target = with_example(tmp_path, "browser-meetings.yaml").targets["trung-tam-hop/meetings"]
    (check,) = target.checks
    assert check.options.ice
    judge, result = Judge(), await at(meet, domain)
    judge.adopt({check.id: check}, NOW)
    changes = []
    for run in range(5):
        seen = Observation(
            check=check.id, target=check.target, at=NOW + timedelta(seconds=run), outcome=result.outcome,
            reason=result.reason, values=result.values, evidence=result.evidence,
        )  # fmt: skip
        changes.append(judge.observe(seen)[0])
    last = [each for each in changes if each][-1]
    assert last.new is state
    if state is State.DEGRADED:
        assert f"TURN meet.example:{meet.nobody} over UDP" in last.evidence


def tell(monkeypatch: pytest.MonkeyPatch, name: str, *addresses: str) -> None:
    """A name server cannot be asked from loopback alone: what it would say of a name is given."""
    real = names.look_up

    async def look_up(host: str, port: int, *args: Any, **options: Any) -> list[names.Found]:
        if host != name:
            return await real(host, port, *args, **options)
        return [(socket.AF_INET, (each, port)) for each in addresses]

    monkeypatch.setattr(names, "look_up", look_up)


REFUSE = [f"127.9.9.{each}" for each in range(1, MOST_ADDRESSES + 1)]


@pytest.mark.parametrize(
    ("addresses", "reason", "counts"),
    [
        ([*REFUSE[:-2], "0.0.0.0", "127.255.255.255", LOOPBACK], Reason.OK, (2, 0, 1, 1)),  # never asked; forbidden
        ([*REFUSE, LOOPBACK], Reason.REFUSED, (2, 2, 0, 0)),
        (["0.0.0.0"], Reason.CONTENT, (2, 2, 0, 0)),
    ],
)
async def test_a_server_works_when_it_does_at_one_of_the_first_addresses_of_its_name(
    meet: Meet, monkeypatch: pytest.MonkeyPatch, addresses: list[str], reason: Reason, counts: tuple[float, ...]
) -> None:
    tell(monkeypatch, "several.example", *addresses)
    result = await at(meet, "several.example")
    assert (result.reason, counted(result)) == (reason, counts), result
    assert (f"over UDP: at none of {MOST_ADDRESSES} addresses: Connection refused" in result.evidence) == (
        reason is Reason.REFUSED
    )


async def test_an_address_that_is_silent_is_asked_and_not_waited_for_when_another_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tell(monkeypatch, "stun.example", "127.0.0.2", LOOPBACK)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent_one:
        async with Stub(grant()) as works, asyncio.timeout(20):
            silent_one.bind(("127.0.0.2", works.port))
            server = IceServer(kind="stun", host="stun.example", port=works.port, transport="udp")
            result = await _gathering(LOOPBACK, patience_seconds=60).ask(server)
        assert silent_one.recv(1500, socket.MSG_DONTWAIT)
    assert result.outcome is Outcome.OK, result


async def test_guests_may_log_in_at_a_domain_of_their_own(meet: Meet) -> None:
    result = await at(meet, "closed.example", guest_domain="without.example")
    assert (result.outcome, counted(result)) == (Outcome.OK, (1, 0, 0, 1)), result


# -- services that say what none would -----------------------------------------------------------------------------------


def named(*servers: str) -> str:
    """The answer with servers, written as attributes."""
    listed = "".join(f"<service {each}/>" for each in servers)
    return f"<iq xmlns='jabber:client' type='result' id='ice'><services xmlns='urn:xmpp:extdisco:2'>{listed}</services></iq>"


def turn(port: int) -> str:
    return f"type='turn' host='{LOOPBACK}' port='{port}' username={quoteattr(TURN_USER)} password={quoteattr(TURN_PASSWORD)}"


def saying(*words: str, heard: list[str] | None = None) -> Speak:
    """Says what Prosody would, then these words, one for each that is heard; the last is said without end when it is one of many."""

    async def speak(websocket: web.WebSocketResponse) -> None:
        answers = [
            [f"<open xmlns='{FRAMING}'/>", f"<features xmlns='http://etherx.jabber.org/streams'>{GUEST}</features>"],
            [SUCCESS],
            [f"<open xmlns='{FRAMING}'/>", "<features xmlns='http://etherx.jabber.org/streams'/>"],
            [BOUND],
            list(words),
        ]
        async for message in websocket:
            if heard is not None:
                heard.append(message.data)
            if message.type is WSMsgType.TEXT and answers:
                for each in answers.pop(0):
                    await websocket.send_str(each)

    return speak


async def asked_at(*words: str, timeout: float = 5.0, heard: list[str] | None = None) -> Result:
    """A run at a service that says these words when it is asked for its servers."""
    async with speaking(saying(*words, heard=heard), "xmpp") as options:
        return await ask("webrtc-room", LOOPBACK, ice=True, timeout=timeout, **options)


async def test_nobody_in_the_meeting_sees_it() -> None:
    heard: list[str] = []
    async with Stub(grant()) as server:
        result = await asked_at(named(f"type='stun' host='{LOOPBACK}' port='{server.port}'"), heard=heard)
        await eventually("it has gone", lambda: len(heard) == 6)
    assert result.outcome is Outcome.OK, result
    opening = xmpp.opening("room.example")
    assert heard == [opening, xmpp.LOGIN, opening, xmpp.BINDING, xmpp.asking("room.example"), xmpp.CLOSING]


async def test_without_the_option_nobody_logs_in() -> None:
    heard: list[str] = []
    async with speaking(saying(heard=heard), "xmpp") as options:
        result = await ask("webrtc-room", LOOPBACK, **options)
        await eventually("it has gone", lambda: len(heard) == 2)
    assert result.evidence == "the page and the signalling answer"
    assert heard == [xmpp.opening("room.example"), xmpp.CLOSING]


async def test_a_server_that_is_silent_is_named_beside_one_that_works_and_gets_back_what_it_may_have_lent() -> None:
    async with Stub(refuse(401), silent) as lender, Stub(grant()) as server:
        result = await asked_at(
            named(turn(lender.port), f"type='stun' host='{LOOPBACK}' port='{server.port}'"), timeout=1.5
        )
        await eventually("it is given back", lambda: lender.asked[-1].method == Method.REFRESH)
    assert lender.asked[-1].number(Attribute.LIFETIME) == 0
    assert result.outcome is Outcome.OK, result
    assert (
        f"1 of 2 STUN and TURN servers does not work: TURN {LOOPBACK}:{lender.port} over UDP: no answer within"
        in result.evidence
    )


async def test_servers_that_no_browser_could_read_are_told_and_not_asked() -> None:
    result = await asked_at(
        named("type='stun' host='a' port='65536'", "type='turn' host='a b'", "type='turns' host='a'")
    )
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.CONTENT)
    assert result.evidence == (
        "3 of 3 STUN and TURN servers do not work: STUN a:65536 over UDP: no port is named that a browser could read; "
        "TURN ?:3478 over UDP: no host is named that a browser could read; "
        "TURN a:5349 over TLS: it is named without user and password"
    )


async def test_what_we_may_not_send_says_nothing_of_the_service() -> None:
    result = await asked_at(named("type='stun' host='127.255.255.255'"))  # a broadcast: the kernel forbids it
    assert (result.outcome, result.reason) == (Outcome.INCONCLUSIVE, Reason.PERMISSION)
    assert result.evidence == "STUN 127.255.255.255:3478 over UDP: Permission denied"
    assert not result.values


async def test_one_that_we_may_not_ask_hides_neither_that_another_works_nor_that_nothing_is_known() -> None:
    broadcast = "type='stun' host='127.255.255.255'"
    async with Stub(grant()) as server:
        works = await asked_at(named(broadcast, f"type='stun' host='{LOOPBACK}' port='{server.port}'"))
    assert works.outcome is Outcome.OK, works
    assert counted(works) == (1, 0, 1, 0)
    assert works.evidence.endswith("1 STUN and TURN servers of the 2 named work")
    fails = await asked_at(named(broadcast, "type='stun' host='a' port='0'"))
    assert (fails.outcome, fails.reason) == (Outcome.INCONCLUSIVE, Reason.PERMISSION)


async def test_one_with_a_name_that_can_be_none_is_one_that_does_not_work() -> None:
    async with Stub(grant()) as server:
        result = await asked_at(
            named("type='stun' host='a..b'", f"type='stun' host='{LOOPBACK}' port='{server.port}'"), timeout=10
        )
    assert (result.outcome, counted(result)) == (Outcome.OK, (2, 1, 1, 0)), result
    assert f"STUN a..b:3478 over UDP: {names.NO_NAME}" in result.evidence


@pytest.mark.parametrize(
    ("code", "reason", "told"),
    [
        (401, Reason.AUTH, "alive, but wants a log-in: 401 Nay"),
        (420, Reason.STATUS, "alive, but refuses: 420 Nay"),
    ],
)
async def test_a_stun_server_that_refuses_is_told(code: int, reason: Reason, told: str) -> None:
    async with Stub(refuse(code, "Nay")) as server:
        result = await asked_at(named(f"type='stun' host='{LOOPBACK}' port='{server.port}' username='a' password='b'"))
    assert (result.outcome, result.reason) == (Outcome.FAILED, reason)
    assert result.evidence.endswith(f"over UDP: {told}")
    assert len(server.asked) == 1


async def test_an_answer_that_is_not_stun_is_told() -> None:
    async with UdpPeer([b"hello"]) as server:
        result = await asked_at(named(f"type='stun' host='{LOOPBACK}' port='{server.port}'"))
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)
    assert result.evidence.endswith("over UDP: not STUN: too short")


async def test_servers_are_not_blamed_when_the_service_left_them_no_time() -> None:
    async with UdpPeer() as server:
        named_one = IceServer(kind="stun", host=LOOPBACK, port=server.port, transport="udp")
        result = await gather(_gathering(LOOPBACK, patience_seconds=0.4), [named_one])
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.TIMEOUT)
    assert result.evidence == "no time is left for STUN and TURN: the page and the signalling took it"
    assert server.seen == []


@pytest.mark.parametrize(
    ("words", "reason", "told"),
    [
        (["<iq xmlns='jabber:client' id='ice' type='result'><a password='sesame'>"], Reason.PROTOCOL, "not XMPP: not well-formed, or with a document type"),
        (["<!DOCTYPE iq [<!ENTITY a 'aaaa'>]><iq xmlns='jabber:client' id='ice' type='result'>&a;</iq>"], Reason.PROTOCOL, "not XMPP: not well-formed, or with a document type"),
        (["<message xmlns='jabber:client'/>"] * 20, Reason.PROTOCOL, "the signalling names no STUN or TURN server: 16 other words instead"),
        (["<iq xmlns='jabber:client' id='other' type='result'/>", "<error xmlns='http://etherx.jabber.org/streams'><reset/></error>"], Reason.STATUS, "the signalling ends the stream: reset"),
        ([named()], Reason.CONTENT, "the signalling names no STUN or TURN server: its list is empty"),
        ([named("type='stun' host='" + "x" * (10 << 20) + "'")], Reason.PROTOCOL, "not XMPP, but ERROR"),
        (["<error xmlns='http://etherx.jabber.org/streams'><policy-violation/></error>"], Reason.STATUS, "the signalling ends the stream: policy-violation"),
        ([f"<close xmlns='{FRAMING}'/>"], Reason.PROTOCOL, "the signalling closes the stream"),
    ],
    ids=["broken", "entities", "endless", "another id", "empty", "10 MB", "stream error", "closed"],
)  # fmt: skip
async def test_what_is_no_list_of_servers_is_told_and_nothing_secret_with_it(
    words: list[str], reason: Reason, told: str
) -> None:
    result = await asked_at(*words)
    assert (result.outcome, result.reason, result.evidence) == (Outcome.FAILED, reason, told)


async def test_a_service_that_falls_silent_is_a_timeout_of_the_signalling() -> None:
    result = await asked_at(timeout=1.0)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.TIMEOUT)
    assert result.evidence == "no answer within 1 s, still waited for: the signalling"


async def test_a_guest_that_is_refused_is_told() -> None:
    async def speak(websocket: web.WebSocketResponse) -> None:
        await websocket.send_str(f"<open xmlns='{FRAMING}'/>")
        await websocket.send_str(f"<features xmlns='http://etherx.jabber.org/streams'>{GUEST}</features>")
        await websocket.send_str(
            "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><temporary-auth-failure/></failure>"
        )
        await websocket.receive()

    async with speaking(speak, "xmpp") as options:
        result = await ask("webrtc-room", LOOPBACK, ice=True, **options)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.AUTH)
    assert result.evidence == "no guest may log in: temporary-auth-failure"


# -- where a service may send us -----------------------------------------------------------------------------------------

MACHINE, NETWORK, INTERNET = ("127.0.0.1", "::1", "169.254.1.1", "fe80::1%2", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"), ("10.1.2.3", "fd00::1", "100.64.0.1", "fec0::1", "64:ff9b::a01:203", "64:ff9b:1::808:808", "2002:a01:203::1"), ("8.8.8.8", "2001:4860:4860::8888", "64:ff9b::808:808")  # fmt: skip
NOBODY = ("0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "::ffff:0.0.0.0")


def test_a_service_may_name_servers_as_public_as_itself_or_more() -> None:
    ranks = (MACHINE, NETWORK, INTERNET)
    for own, services in enumerate(ranks):
        for service in services:
            assert not any(askable(each, service) for each in NOBODY), service
            for rank, servers in enumerate(ranks):
                assert {askable(each, service) for each in servers} == {rank >= own}, (service, servers)


@pytest.mark.parametrize("host", [LOOPBACK, "127.1", "localhost", "::ffff:127.0.0.1"])
async def test_a_service_of_the_internet_cannot_point_us_at_our_own_machine(host: str) -> None:
    async with UdpPeer() as own:
        server = IceServer(kind="stun", host=host, port=own.port, transport="udp")
        result = await _gathering("8.8.8.8").ask(server)
        await asyncio.sleep(0)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.CONTENT)
    assert result.evidence.endswith("which is less public than the service itself")
    assert own.seen == []


async def test_a_turn_server_may_send_us_on_as_it_does_a_browser() -> None:
    async with Stub(refuse(401), grant(lent=True)) as lender, Stub(send_on(LOOPBACK, lender.port)) as first:
        result = await asked_at(named(turn(first.port)))
        assert (result.outcome, counted(result)) == (Outcome.OK, (1, 0, 0, 1)), result
        assert len(first.asked) == 1
        assert [each.method for each in lender.asked] == [Method.ALLOCATE, Method.ALLOCATE, Method.REFRESH]


async def test_servers_that_send_us_round_are_left() -> None:
    ports: list[int] = []
    async with Stub(lambda asked: send_on(LOOPBACK, *ports)(asked)) as round_:  # noqa: PLW0108  its port comes later
        ports.append(round_.port)
        result = await asked_at(named(turn(round_.port)))
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.STATUS)
    assert result.evidence.endswith("alive, but refuses: 300 Try Alternate")
    assert len(round_.asked) == 1 + MOST_ALTERNATES


@pytest.mark.parametrize(
    ("host", "port", "told"), [("127.0.0.1", 3478, "less public than the service"), ("8.8.8.8", 25, "at port 25")]
)
async def test_a_server_cannot_send_us_where_the_service_could_not(host: str, port: int, told: str) -> None:
    async with Stub(send_on(host, port)) as first:
        server = IceServer(
            kind="turn", host="meet.example", port=first.port, transport="udp", username="u", password="p"
        )
        gathering = replace(_gathering("8.8.8.8"), host="")
        with pytest.MonkeyPatch.context() as patch:  # the first one counts as of the internet
            patch.setattr(Gathering, "_addresses", lambda *_: asyncio.sleep(0, [LOOPBACK]))
            result = await gathering.ask(server)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.CONTENT)
    assert told in result.evidence


async def test_a_server_of_the_name_of_the_service_is_where_the_service_is() -> None:
    async with Stub(grant()) as own:
        server = IceServer(kind="stun", host="Meet.example", port=own.port, transport="udp")
        assert (await _gathering(LOOPBACK).ask(server)).outcome is Outcome.OK


def _gathering(address: str, patience_seconds: float = 5.0) -> Gathering:
    return Gathering(
        host="meet.example", address=address, verify=True, ca=SecretStr(""), patience_seconds=patience_seconds,
        trace=lambda _: None,
    )  # fmt: skip
