"""snmp against net-snmp's agent; against one of our own where no real one misbehaves so."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pydantic
import pytest

from monitor.core.model import Outcome, Reason
from probes.engine.sensors import MOST_SENSORS
from probes.engine.snmp import MAX_ROWS
from probes.registry import Memory
from probes.wire import mib
from probes.wire.room import MOST_VALUES
from tests.probes.agent import GEN_ERR, GET, GET_BULK, NULL, TOO_BIG, Agent, Question, Value, number, oid, parse, text
from tests.probes.peers import UPS, V3_OTHERS, Snmpd, UdpPeer, ask, eventually, free_port, sensor

_OPTIONS: dict[str, dict[str, Any]] = {
    "v2c": {"community": {"file": "x"}},
    "v3": {
        "version": "3", "user": "u", "auth_password": {"file": "long-enough"},
        "privacy_password": {"file": "long-enough"},
    },
}  # fmt: skip
"""For peers that are no agents, without the port."""


@pytest.fixture(params=["v2c", "v3"])
def how(request: pytest.FixtureRequest) -> str:
    """Both versions."""
    return str(request.param)


async def test_an_agent_that_answers_is_good_and_tells_its_uptime(agent: Snmpd, how: str) -> None:
    result = await ask("snmp", **getattr(agent, how))
    assert result.outcome is Outcome.OK
    assert 0 <= result.values["snmp_uptime_seconds"] < 600
    assert result.values["snmp_rebooted"] == 0
    assert result.evidence.startswith("up 0 h")


@pytest.mark.parametrize("auth", V3_OTHERS)
async def test_every_kind_of_authentication_is_spoken(agent: Snmpd, auth: str) -> None:
    result = await ask("snmp", **{**agent.v3, "user": auth, "auth": auth})
    assert result.outcome is Outcome.OK, result


async def test_ports_are_found_by_name(agent: Snmpd, how: str) -> None:
    result = await ask("snmp", **getattr(agent, how), interfaces=["lo"])
    assert result.outcome is Outcome.OK
    assert result.values['ifOperStatus{ifName="lo"}'] == 1
    assert result.values['ifAdminStatus{ifName="lo"}'] == 1
    assert result.values['snmp_if_down{ifName="lo"}'] == 0
    assert result.values['ifHCInOctets{ifName="lo"}'] > 0


def _earlier(memory: dict[str, Any], seconds: float, *, uptime: float = 0.0) -> None:
    """As if the last run had been a while ago, and the agent had run longer then: no clock is ours to set."""
    for key in ("base", "last"):
        poll = memory[key]
        memory[key] = replace(poll, at=poll.at - seconds, uptime_seconds=poll.uptime_seconds + uptime)


async def test_rates_come_when_the_last_run_is_long_enough_ago(agent: Snmpd) -> None:
    memory: dict[str, Any] = {}
    options = {**agent.v2c, "interfaces": ["lo"]}
    rate = 'snmp_if_in_bits_per_second{ifName="lo"}'
    for _ in range(2):
        assert rate not in (await ask("snmp", memory=memory, **options)).values
    _earlier(memory, 60)
    third = await ask("snmp", memory=memory, **options)
    assert third.values[rate] >= 0
    assert 'snmp_if_error_ratio{ifName="lo"}' not in third.values or (
        0 <= third.values['snmp_if_error_ratio{ifName="lo"}'] <= 1
    )
    at_once = await ask("snmp", memory=memory, **options)
    assert rate not in at_once.values, "the same rate told again would confirm itself"


async def test_a_port_that_is_not_there_fails_and_names_those_that_are(agent: Snmpd) -> None:
    result = await ask("snmp", **agent.v2c, interfaces=["lo", "wan9"])
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.CONTENT)
    assert "no port wan9" in result.evidence
    assert "the device has" in result.evidence
    assert "lo" in result.evidence.partition("the device has")[2]
    assert result.values['ifOperStatus{ifName="lo"}'] == 1  # what is known is still told


def _ports(*names: str, first: int = 1, **more: Any) -> dict[str, Value]:
    """The table of an agent with these ports, all well."""
    table = {mib.SYS_UPTIME: number(99900, 0x43), mib.ENGINE_BOOTS: number(3), mib.ENGINE_TIME: number(999)}
    for index, name in enumerate(names, first):
        table[f"{mib.IF_NAME}.{index}"] = text(name)
        table[f"{mib.IF_ALIAS}.{index}"] = text(f"line of {name}")
        for column, entry in {**mib.IF_COLUMNS, **mib.IF_DISCARDS}.items():
            tag = 0x46 if "HC" in column else 0x41
            value = {"ifHighSpeed": 1000}.get(column, 1000 if "if" in column and tag == 0x46 else 1)
            table[f"{entry}.{index}"] = number(value, tag)
    return table


ASK: dict[str, Any] = {"community": {"file": "c"}}
FIVE = [f"port{number}" for number in range(1, 6)]


async def test_a_port_whose_index_moved_is_found_in_the_same_run() -> None:
    memory: dict[str, Any] = {}
    async with Agent(_ports("lan1", "wan1")) as agent:
        options = {**ASK, "port": agent.port, "interfaces": ["wan1"]}
        assert (await ask("snmp", memory=memory, **options)).outcome is Outcome.OK
        agent.put(_ports("wan1", "lan1", first=2))
        moved = await ask("snmp", memory=memory, **options)
        assert moved.outcome is Outcome.OK
        assert moved.values['ifOperStatus{ifName="wan1"}'] == 1
        agent.put(_ports("lan1"))
        gone = await ask("snmp", memory=memory, **options)
    assert (gone.outcome, gone.reason) == (Outcome.FAILED, Reason.CONTENT)
    assert "no port wan1; the device has lan1" in gone.evidence
    assert not [key for key in gone.values if "wan1" in key]


async def test_a_port_is_found_by_what_the_admin_calls_it() -> None:
    table = _ports("Gi0/1", "Gi0/2")
    table[f"{mib.IF_COLUMNS['ifOperStatus']}.2"] = number(2)
    async with Agent(table) as agent:
        result = await ask("snmp", **ASK, port=agent.port, interfaces=["line of Gi0/2", "Gi0/1"])
    assert result.outcome is Outcome.OK
    assert result.values['snmp_if_down{ifName="Gi0/2"}'] == 1
    assert "port line of Gi0/2 (Gi0/2) is down" in result.evidence


async def test_only_the_wanted_columns_are_asked() -> None:
    async with Agent(_ports("wan1")) as agent:
        result = await ask("snmp", **ASK, port=agent.port, interfaces=["wan1"], columns=["ifHCInOctets"])
        asked = {each for question in agent.asked if question.kind == GET for each in question.oids}
    assert {key.partition("{")[0] for key in result.values} == {"snmp_uptime_seconds", "snmp_rebooted", "ifHCInOctets"}
    assert oid(f"{mib.IF_COLUMNS['ifOperStatus']}.1") not in asked


async def test_discards_are_asked_for_when_they_are_wanted(agent: Snmpd) -> None:
    options = {**agent.v2c, "interfaces": ["lo"]}
    without = await ask("snmp", **options)
    assert not [key for key in without.values if "iscard" in key]
    counters = {f'{way}{{ifName="lo"}}' for way in mib.IF_DISCARDS}
    assert counters <= (await ask("snmp", discards=True, **options)).values.keys()
    only = await ask("snmp", discards=True, columns=["ifHCInOctets"], **options)
    assert {key for key in only.values if "{" in key} == counters | {'ifHCInOctets{ifName="lo"}'}


async def test_a_port_that_drops_packets_tells_their_part() -> None:
    memory: dict[str, Any] = {}
    table = _ports("wan1")
    async with Agent(table) as agent:
        options = {**ASK, "port": agent.port, "interfaces": ["wan1"], "discards": True}
        await ask("snmp", memory=memory, **options)
        _earlier(memory, 60)
        more = {
            mib.IF_COLUMNS["ifHCOutUcastPkts"]: number(1090, 0x46),
            mib.IF_DISCARDS["ifOutDiscards"]: number(11, 0x41),
        }
        agent.put(table | {f"{column}.1": value for column, value in more.items()})
        result = await ask("snmp", memory=memory, **options)
    assert result.values['snmp_if_discard_ratio{ifName="wan1"}'] == 0.1
    assert result.values['snmp_if_error_ratio{ifName="wan1"}'] == 0


async def test_how_full_a_line_is_goes_by_what_it_carries_or_else_by_the_speed_of_its_port() -> None:
    memory: dict[str, Any] = {}
    table = _ports("Gi0/1", "Gi0/2")  # 1000 Mbit/s
    async with Agent(table) as agent:
        options = {**ASK, "port": agent.port, "interfaces": ["line of Gi0/1", "Gi0/2"]}
        options |= {"bandwidth": {"line of Gi0/1": "20M"}}
        await ask("snmp", memory=memory, **options)
        _earlier(memory, 60)
        sent = {f"{mib.IF_COLUMNS['ifHCOutOctets']}.{index}": number(1000 + 60 * 10**6, 0x46) for index in (1, 2)}
        agent.put(table | sent)  # 8 Mbit/s
        result = await ask("snmp", memory=memory, **options)
    assert result.values['snmp_if_utilisation_ratio{ifName="Gi0/1"}'] == pytest.approx(0.4, rel=0.1)
    assert result.values['snmp_if_utilisation_ratio{ifName="Gi0/2"}'] == pytest.approx(0.008, rel=0.1)


@pytest.mark.parametrize(
    ("bandwidth", "told"),
    [
        ({"wan2": "20M"}, "`interfaces` has no wan2"),
        ({"wan1": "0M"}, "greater than 0"),
        ({"wan1": "20 Mbit"}, "such as 512k, 50M"),
    ],
)
async def test_a_bandwidth_that_cannot_be_is_refused(bandwidth: dict[str, str], told: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=told):
        await ask("snmp", **ASK, interfaces=["wan1"], bandwidth=bandwidth)


async def test_a_port_without_counters_of_64_bits_is_read_by_those_of_32() -> None:
    memory: dict[str, Any] = {}
    table = {name: value for name, value in _ports("wan1").items() if value[0] != 0x46}
    table[f"{mib.IF_COLUMNS_NARROW['ifInOctets']}.1"] = number(2**32 - 1000, 0x41)
    async with Agent(table) as agent:
        options = {**ASK, "port": agent.port, "interfaces": ["wan1"]}
        await ask("snmp", memory=memory, **options)
        second = await ask("snmp", memory=memory, **options)
        _earlier(memory, 60)
        assert second.values['ifInOctets{ifName="wan1"}'] == 2**32 - 1000
        await ask("snmp", memory=memory, **options)
        _earlier(memory, 60)
        agent.put(table | {f"{mib.IF_COLUMNS_NARROW['ifInOctets']}.1": number(500, 0x41)})
        third = await ask("snmp", memory=memory, **options)
    assert third.values['snmp_if_in_bits_per_second{ifName="wan1"}'] == pytest.approx(1500 * 8 / 60, rel=0.1)


# -- what a device cannot do -------------------------------------------------------------------------------------------


def _too_big(most: int, how: str) -> Callable[[Question], list[bytes] | None]:
    """An agent that answers no more than `most` values."""

    def odd(question: Question) -> list[bytes] | None:
        wanted = question.second if question.kind == GET_BULK else len(question.oids)
        if wanted <= most:
            return None
        rows = [(each, number(0)) for each in question.oids]
        return {
            "says tooBig": [question.answer([(each, NULL) for each, _ in rows], error=TOO_BIG)],
            "says tooBig without values": [question.answer([], error=TOO_BIG)],
            "says genErr": [question.answer([(each, NULL) for each, _ in rows], error=GEN_ERR)],
            "is silent": [],
            "sends more than is read": [question.answer(rows[:1] * 1500)],
        }[how]

    return odd


@pytest.mark.parametrize(
    "how",
    ["says tooBig", "says tooBig without values", "says genErr", "is silent", "sends more than is read"],
)
@pytest.mark.parametrize("most", [4, 30])
async def test_a_device_is_asked_for_no_more_than_it_takes_and_that_is_remembered(how: str, most: int) -> None:
    memory: dict[str, Any] = {}
    shared = Memory()
    async with Agent(_ports(*FIVE), _too_big(most, how)) as agent:
        options = {**ASK, "port": agent.port, "interfaces": FIVE}
        first = await ask("snmp", memory=memory, shared=shared, timeout=20, **options)
        assert first.outcome is Outcome.OK, first
        assert first.values['ifHCInOctets{ifName="port5"}'] == 1000
        agent.asked.clear()
        second = await ask("snmp", memory=memory, shared=shared, **options)
        assert second.values.keys() == first.values.keys()
        assert max(len(each.oids) for each in agent.asked) <= most, "it was asked for too much again"


async def test_an_answer_that_is_cut_short_is_asked_for_again_in_parts() -> None:
    def odd(question: Question) -> list[bytes] | None:
        return [question.answer(agent.rows(question)[:20])]

    async with Agent(_ports(*FIVE), odd) as agent:
        result = await ask("snmp", **ASK, port=agent.port, interfaces=FIVE)
    assert result.outcome is Outcome.OK
    assert len([key for key in result.values if key.startswith("ifHCInOctets")]) == 5


async def test_an_agent_that_gives_up_for_one_unknown_object_is_asked_for_each() -> None:
    table = {mib.SYS_UPTIME: number(4200, 0x43), mib.UPS_SCALARS["upsOutputSource"]: number(3)}

    def odd(question: Question) -> list[bytes] | None:
        unknown = [each for each in question.oids if each not in agent.table]
        return [question.answer([(each, NULL) for each in question.oids], error=2)] if unknown else None

    shared = Memory()
    async with Agent(table, odd) as agent:
        for questions in (12, 1):  # all at once and each alone; then only those that it has
            agent.asked.clear()
            result = await ask("snmp", **ASK, port=agent.port, shared=shared, ups=True)
            assert result.outcome is Outcome.OK
            assert (result.values["snmp_uptime_seconds"], result.values["upsOnBattery"]) == (42, 0)
            assert len(agent.asked) == questions


@pytest.mark.parametrize("ticks", [-1, 1 << 32, -(1 << 62)])
async def test_an_uptime_that_cannot_be_is_none(ticks: int) -> None:
    async with Agent({mib.SYS_UPTIME: number(ticks)}) as agent:
        result = await ask("snmp", **ASK, port=agent.port)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)
    async with Agent({mib.SYS_UPTIME: number(ticks), mib.ENGINE_TIME: number(77)}) as agent:
        assert (await ask("snmp", **ASK, port=agent.port)).values["snmp_uptime_seconds"] == 77


async def test_one_lost_packet_costs_no_run() -> None:
    lose = iter([False, False, False, True])  # the first GET of ports

    async with Agent(_ports(*FIVE), lambda _: [] if next(lose, False) else None) as agent:
        result = await ask("snmp", **ASK, port=agent.port, interfaces=FIVE)
    assert result.outcome is Outcome.OK


async def test_checks_of_one_device_ask_in_turn() -> None:
    under_way = most = 0

    class Slow(Agent):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)

            def answer() -> None:
                nonlocal under_way
                under_way -= 1
                super(Slow, self).datagram_received(data, addr)

            asyncio.get_running_loop().call_later(0.01, answer)

    shared = Memory()
    async with Slow(_ports(*FIVE)) as agent:
        options = {**ASK, "port": agent.port, "interfaces": FIVE}
        results = await asyncio.gather(*(ask("snmp", shared=shared, **options) for _ in range(6)))
    assert {each.outcome for each in results} == {Outcome.OK}
    assert most == 1


async def test_a_check_that_never_gets_its_turn_tells_nothing_of_the_device() -> None:
    shared = Memory()
    async with UdpPeer() as peer:
        options = {**ASK, "port": peer.port}
        slow = asyncio.ensure_future(ask("snmp", shared=shared, timeout=2.0, **options))
        await eventually("the device is asked", lambda: bool(peer.seen))
        waited = await ask("snmp", shared=shared, timeout=0.2, **options)
        assert (waited.outcome, waited.reason) == (Outcome.INCONCLUSIVE, Reason.LOCAL)
        assert (await slow).reason is Reason.TIMEOUT


# -- what a hostile device may try -------------------------------------------------------------------------------------


def _walks(rows: Callable[[Question], list[int]]) -> Callable[[Question], list[bytes] | None]:
    def odd(question: Question) -> list[bytes] | None:
        if question.kind != GET_BULK:
            return None
        return [question.answer([(oid(f"{mib.IF_NAME}.{index}"), text("p")) for index in rows(question)])]

    return odd


@pytest.mark.parametrize(
    "rows",
    [lambda _: [7] * 9, lambda _: list(range(9, 0, -1)), lambda _: list(range(1, 9))],
    ids=["the same", "backwards", "round in circles"],
)
async def test_a_walk_that_does_not_go_on_is_a_protocol_failure(rows: Callable[[Question], list[int]]) -> None:
    async with Agent(_ports("lan1"), _walks(rows)) as agent:
        result = await ask("snmp", **ASK, port=agent.port, interfaces=["wan1"])
        assert len(agent.asked) < 20
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)
    assert "round in circles" in result.evidence


async def test_a_walk_without_end_is_bounded() -> None:
    async with Agent(
        _ports("lan1"), _walks(lambda question: [question.oids[0][-1] + i for i in range(1, 49)])
    ) as agent:
        result = await ask("snmp", **ASK, port=agent.port, interfaces=["wan1"], timeout=20)
        assert len(agent.asked) < 2.2 * MAX_ROWS / 48 + 10
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.CONTENT)


@pytest.mark.parametrize(
    "value",
    [
        (0x46, b"\xff" * 8),
        (0x02, b"\xff"),
        (0x04, b"many"),
        (0x44, b"\x9f\x78\x04\x7f\x80\0\0"),
        (0x06, b"\x2b"),
        (0x05, b""),
    ],
    ids=["counter below 0", "integer below 0", "text", "float", "oid", "null"],
)
async def test_a_counter_of_a_wrong_type_or_sign_is_no_spike(value: Value) -> None:
    memory: dict[str, Any] = {}
    table = _ports("wan1")
    async with Agent(table) as agent:
        options = {**ASK, "port": agent.port, "interfaces": ["wan1"]}
        await ask("snmp", memory=memory, **options)
        _earlier(memory, 60)
        agent.put(table | {f"{mib.IF_COLUMNS['ifHCInOctets']}.1": value})
        odd = await ask("snmp", memory=memory, **options)
        _earlier(memory, 60)
        agent.put(table)
        after = await ask("snmp", memory=memory, **options)
    for result in (odd, after):
        assert result.outcome is Outcome.OK
        assert 'snmp_if_in_bits_per_second{ifName="wan1"}' not in result.values or (
            result.values['snmp_if_in_bits_per_second{ifName="wan1"}'] < 1000  # 2**64 - 1 and 1000 look like a wrap
        )


@pytest.mark.parametrize("forged", [{"id_": b"\x01"}, {"community": b"other"}])
async def test_an_answer_to_another_question_is_not_taken(forged: dict[str, bytes]) -> None:
    def odd(question: Question) -> list[bytes]:
        rows = [(each, number(7, 0x43)) for each in question.oids]
        return [question.answer(rows, **forged), question.answer(agent.rows(question))]

    async with Agent(_ports("lan1"), odd) as agent:
        result = await ask("snmp", **ASK, port=agent.port)
    assert result.values["snmp_uptime_seconds"] == 999


async def test_an_answer_from_another_address_is_not_taken() -> None:
    stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    class Overheard(Agent):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            question = parse(data)
            stranger.sendto(question.answer([(each, number(7, 0x43)) for each in question.oids]), addr)
            super().datagram_received(data, addr)

    with stranger:
        stranger.bind(("127.0.0.2", 0))
        async with Overheard(_ports("lan1")) as agent:
            result = await ask("snmp", **ASK, port=agent.port)
    assert result.values["snmp_uptime_seconds"] == 999


async def test_a_wrong_community_is_a_timeout_with_a_hint(agent: Snmpd) -> None:
    result = await ask("snmp", port=agent.port, community={"file": "wrong"}, timeout=0.6)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.TIMEOUT)
    assert "wrong community" in result.evidence


@pytest.mark.parametrize(
    "changed",
    [{"user": "nobody"}, {"auth_password": {"file": "wrong-password"}}],
)
async def test_a_wrong_user_or_password_is_an_authentication_failure(agent: Snmpd, changed: dict[str, Any]) -> None:
    result = await ask("snmp", **{**agent.v3, **changed}, timeout=1.0)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.AUTH)
    assert "refuses user" in result.evidence


async def test_a_wrong_privacy_password_fails_without_a_bug(agent: Snmpd) -> None:
    # The agent cannot read the question: RFC 3414 lets it answer with a report or not at all.
    result = await ask("snmp", **{**agent.v3, "privacy_password": {"file": "wrong-password"}}, timeout=0.6)
    assert result.outcome is Outcome.FAILED
    assert result.reason in (Reason.AUTH, Reason.TIMEOUT, Reason.PROTOCOL)


async def test_the_secrets_are_in_no_evidence_and_no_trace(agent: Snmpd, how: str) -> None:
    told: list[str] = []
    result = await ask("snmp", **getattr(agent, how), told=told)
    said = " ".join([*told, result.evidence])
    for secret in ("test-community", "test-auth-password", "test-privacy-password"):
        assert secret not in said


async def test_a_session_of_version_3_is_kept_and_survives_a_restart_of_the_agent(own_agent: Snmpd) -> None:
    shared = Memory()
    first = await ask("snmp", shared=shared, **own_agent.v3)
    assert first.outcome is Outcome.OK
    (device,) = shared.values()
    (session,) = device.sessions.values()
    assert (await ask("snmp", shared=shared, **own_agent.v3)).outcome is Outcome.OK
    assert list(device.sessions.values()) == [session], "the second check and the second run take the same"
    own_agent.stop()
    own_agent.start()
    told: list[str] = []
    after = await ask("snmp", shared=shared, told=told, **own_agent.v3)
    assert after.outcome is Outcome.OK, "engineBoots is another: in the same run with a new session"
    assert list(device.sessions.values()) != [session]
    own_agent.stop()
    silent = await ask("snmp", shared=shared, timeout=0.4, **own_agent.v3)
    assert silent.outcome is Outcome.FAILED
    assert not device.sessions


async def test_no_more_sessions_are_kept_than_leave_descriptors_to_others(agent: Snmpd) -> None:
    def opened() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = opened()
    devices = [Memory() for _ in range(60)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * before + 40, limits[1]))
    try:
        for _ in range(2):
            results = [await ask("snmp", shared=each, **agent.v3) for each in devices]
            assert {each.outcome for each in results} == {Outcome.OK}
        kept = sum(len(device.sessions) for each in devices for device in each.values())
        assert 10 <= kept <= 30
        assert opened() <= before + kept + 1, "the others are closed"
        devices.clear()
        assert opened() <= before + 1, "a device that is watched no longer holds none"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def test_devices_with_the_same_ports_share_what_is_known_of_them() -> None:
    memories: list[dict[str, Any]] = [{}, {}]
    for memory in memories:
        async with Agent(_ports("lan1", "wan1")) as agent:
            await ask("snmp", **ASK, port=agent.port, memory=memory, interfaces=["wan1"])
    assert memories[0]["places"][0] is memories[1]["places"][0]


@pytest.mark.parametrize("version", ["v2c", "v3"])
async def test_a_restart_between_two_runs_is_seen(own_agent: Snmpd, version: str) -> None:
    memory: dict[str, Any] = {}
    options = {**getattr(own_agent, version), "interfaces": ["lo"]}
    await ask("snmp", memory=memory, **options)
    _earlier(memory, 60, uptime=3600)
    own_agent.stop()
    own_agent.start()
    after = await ask("snmp", memory=memory, timeout=1.5, **options)
    assert after.outcome is Outcome.OK
    assert after.values["snmp_rebooted"] == 1
    assert "restarted" in after.evidence
    assert 'snmp_if_in_bits_per_second{ifName="lo"}' not in after.values
    again = await ask("snmp", memory=memory, **options)
    assert again.values["snmp_rebooted"] == 0


async def test_a_ups_on_battery_tells_it(battery: Snmpd, how: str) -> None:
    result = await ask("snmp", **getattr(battery, how), ups=True)
    assert result.outcome is Outcome.OK
    assert result.values["upsOnBattery"] == 1
    assert result.values["upsBatteryLow"] == 1
    assert result.values["upsOutputSource"] == 5
    assert result.values["upsEstimatedMinutesRemaining"] == 12
    assert result.values["upsEstimatedChargeRemaining"] == 30
    assert result.values["upsSecondsOnBattery"] == 95
    assert result.values["upsBatteryTemperature"] == 41
    assert result.values["upsReplaceBattery"] == 1
    assert "on battery, 12 minutes left, the battery must be replaced" in result.evidence


@pytest.mark.parametrize(
    ("more", "replace_it"),
    [
        ({}, None),
        ({mib.UPS_ALARMS_PRESENT: 0}, 0),
        ({mib.UPS_ALARMS_PRESENT: 1}, 0),  # and yet no row
        ({mib.UPS_ALARMS_PRESENT: 1, f"{mib.UPS_ALARM_DESCR}.1": f".{UPS}.6.3.2"}, 0),  # upsAlarmOnBattery
        ({mib.APC_REPLACE_BATTERY: 1}, 0),
        ({mib.APC_REPLACE_BATTERY: 2}, 1),
        ({mib.UPS_ALARMS_PRESENT: 0, mib.APC_REPLACE_BATTERY: 2}, 1),
    ],
)
async def test_a_ups_tells_in_one_of_two_ways_that_its_battery_must_be_replaced(
    tmp_path: Path, more: dict[str, int | str], replace_it: int | None
) -> None:
    shared = Memory()
    ups = Snmpd(tmp_path, "ups", {f"{UPS}.4.1.0": 3, **more})
    try:
        ups.start()
        result = await ask("snmp", **ups.v2c, ups=True, shared=shared)
    finally:
        ups.stop()
    assert result.outcome is Outcome.OK
    assert result.values.get("upsReplaceBattery") == replace_it
    assert [device.room.size for device in shared.values()] == [MOST_VALUES], "an empty table is no question too big"


async def test_a_device_tells_its_temperatures(warm: Snmpd, how: str) -> None:
    result = await ask("snmp", **getattr(warm, how), temperatures=True)
    assert result.outcome is Outcome.OK, result
    assert {key: value for key, value in result.values.items() if "{" in key} == {
        'snmp_temperature_celsius{sensor="inlet"}': 31.5,
        'snmp_temperature_celsius{sensor="CPU"}': 62.4,
    }
    assert "62.4 °C at CPU" in result.evidence
    assert not [key for key in (await ask("snmp", **getattr(warm, how))).values if "{" in key]


async def test_a_device_without_a_thermometer_fails_when_one_is_asked_for(agent: Snmpd) -> None:
    shared = Memory()
    result = await ask("snmp", **agent.v2c, temperatures=True, shared=shared)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.CONTENT)
    assert "no ENTITY-SENSOR-MIB" in result.evidence
    assert result.values["snmp_uptime_seconds"] >= 0
    assert [device.room.size for device in shared.values()] == [MOST_VALUES]


def _warm(*sensors: dict[str, int | str]) -> dict[str, Value]:
    """The table of an agent with these sensors."""
    told = {name: value for each in sensors for name, value in each.items()}
    return _ports() | {name: number(value) if isinstance(value, int) else text(value) for name, value in told.items()}


async def test_sensors_are_looked_for_once_and_again_when_they_are_gone() -> None:
    memory: dict[str, Any] = {}
    async with Agent(_warm(sensor(1, "a", 300), sensor(2, "b", 400, status=3))) as agent:
        options = {**ASK, "port": agent.port, "temperatures": True}
        told, walks = [], []
        for moved in (False, False, True, True):
            if moved:
                agent.put(_warm(sensor(7, "a", 500)))
            agent.asked.clear()
            result = await ask("snmp", memory=memory, **options)
            told.append([value for key, value in result.values.items() if "celsius" in key])
            walks.append(any(each.kind == GET_BULK for each in agent.asked))
    assert told == [[30], [30], [], [50]]
    assert walks == [True, False, False, True]


async def test_sensors_are_looked_for_again_after_a_restart() -> None:
    memory: dict[str, Any] = {}
    async with Agent(_warm(sensor(1, "a", 300), sensor(2, "b", 400))) as agent:
        options = {**ASK, "port": agent.port, "temperatures": True}
        await ask("snmp", memory=memory, **options)
        agent.put(_warm(sensor(1, "b", 410), sensor(2, "a", 310)) | {mib.ENGINE_BOOTS: number(4)})
        assert (await ask("snmp", memory=memory, **options)).values["snmp_rebooted"] == 1
        after = await ask("snmp", memory=memory, **options)
    assert after.values['snmp_temperature_celsius{sensor="a"}'] == 31
    assert after.values['snmp_temperature_celsius{sensor="b"}'] == 41


async def test_sensors_are_bounded_and_each_has_a_name_of_its_own() -> None:
    nameless = {name: value for name, value in sensor(3, "x", 300).items() if mib.ENT_PHYSICAL_NAME not in name}
    sensors = [sensor(index, "port\x1b" * 99, 300) for index in range(10, 99)]
    async with Agent(_warm(sensor(1, "", 300), nameless, *sensors)) as agent:
        result = await ask("snmp", **ASK, port=agent.port, temperatures=True)
    found = [key.partition('sensor="')[2] for key in result.values if "celsius" in key]
    assert len(found) == MOST_SENSORS
    assert found[:2] == ['1"}', '3"}']
    assert max(map(len, found)) < 80
    assert "\x1b" not in "".join(found)


async def test_a_device_without_a_battery_fails_when_one_is_asked_for(agent: Snmpd) -> None:
    result = await ask("snmp", **agent.v2c, ups=True)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.CONTENT)
    assert "no UPS-MIB" in result.evidence
    assert result.values["snmp_uptime_seconds"] >= 0


async def test_a_closed_port_is_refused_or_a_timeout(how: str) -> None:
    result = await ask("snmp", port=free_port(), timeout=0.6, **_OPTIONS[how])
    assert result.outcome is Outcome.FAILED
    assert result.reason is Reason.REFUSED
    assert "nobody listens on UDP port" in result.evidence


@pytest.mark.parametrize("garbage", [b"\xff\xff\xff", b"0\x84", b"\x30\x82\xff"])
async def test_garbage_that_makes_the_library_panic_is_a_protocol_failure(garbage: bytes, how: str) -> None:
    # gufo-snmp's Rust panics on these; pyo3's PanicException is a BaseException and would pass every `except Exception`.
    async with UdpPeer([garbage]) as peer:
        result = await ask("snmp", timeout=0.6, port=peer.port, **_OPTIONS[how])
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)


def test_a_panic_of_the_library_is_not_traced_whatever_the_environment_wants(how: str) -> None:
    # A process of its own, for the first panic decides; the trace takes half a second, in which nothing else runs.
    script = f"""
import asyncio
from tests.probes.peers import UdpPeer, ask
async def main():
    async with UdpPeer([b"\\xff\\xff\\xff"]) as peer:
        print((await ask("snmp", timeout=5, port=peer.port, **{_OPTIONS[how]!r})).reason)
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | {"RUST_BACKTRACE": "1"}, cwd=Path(__file__).parents[2], capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "protocol\n"
    assert "panicked" in done.stderr
    assert "stack backtrace:" not in done.stderr


@pytest.mark.parametrize(
    "options", [{}, {"version": "3"}, {"version": "3", "user": "u", "auth_password": {"file": "x"}}, {"version": "1"}]
)
async def test_incomplete_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        await ask("snmp", **options)


async def test_a_router_without_names_of_ports_is_asked_by_their_descriptions() -> None:
    table = {
        name.replace(mib.IF_NAME, mib.IF_DESCR): each
        for name, each in _ports("LAN", "WAN1").items()
        if not name.startswith(mib.IF_ALIAS)
    }
    async with Agent(table) as agent:
        result = await ask("snmp", **ASK, port=agent.port, interfaces=["WAN1"])
    assert result.outcome is Outcome.OK
    assert result.values['ifOperStatus{ifName="WAN1"}'] == 1
