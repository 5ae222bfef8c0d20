"""snmp against net-snmp's agent."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest

from monitor.core.model import Outcome, Reason
from tests.probes.peers import Snmpd, UdpPeer, ask, free_port

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


async def test_ports_are_found_by_name(agent: Snmpd, how: str) -> None:
    result = await ask("snmp", **getattr(agent, how), interfaces=["lo"])
    assert result.outcome is Outcome.OK
    assert result.values['ifOperStatus{ifName="lo"}'] == 1
    assert result.values['ifAdminStatus{ifName="lo"}'] == 1
    assert result.values['snmp_if_down{ifName="lo"}'] == 0
    assert result.values['ifHCInOctets{ifName="lo"}'] > 0


async def test_rates_come_with_the_second_run(agent: Snmpd) -> None:
    memory: dict[str, Any] = {}
    options = {**agent.v2c, "interfaces": ["lo"]}
    first = await ask("snmp", memory=memory, **options)
    second = await ask("snmp", memory=memory, **options)
    rate = 'snmp_if_in_bits_per_second{ifName="lo"}'
    assert rate not in first.values
    assert second.values[rate] >= 0
    assert 'snmp_if_error_ratio{ifName="lo"}' not in second.values or (
        0 <= second.values['snmp_if_error_ratio{ifName="lo"}'] <= 1
    )


async def test_a_port_that_is_not_there_fails_and_names_those_that_are(agent: Snmpd) -> None:
    result = await ask("snmp", **agent.v2c, interfaces=["lo", "wan9"])
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.CONTENT)
    assert "no port wan9" in result.evidence
    assert "the device has" in result.evidence
    assert "lo" in result.evidence.partition("the device has")[2]
    assert result.values['ifOperStatus{ifName="lo"}'] == 1  # what is known is still told


async def test_a_remembered_index_that_became_another_port_is_not_believed(agent: Snmpd) -> None:
    memory: dict[str, Any] = {"ports": {"wan1": "1"}}  # ifIndex 1 was wan1; by now it is lo
    result = await ask("snmp", memory=memory, **agent.v2c, interfaces=["wan1"])
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.CONTENT)
    assert not [key for key in result.values if "wan1" in key]
    assert "ports" not in memory


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
    memory: dict[str, Any] = {}
    first = await ask("snmp", memory=memory, **own_agent.v3)
    assert first.outcome is Outcome.OK
    session = memory["session"]
    await ask("snmp", memory=memory, **own_agent.v3)
    assert memory["session"] is session
    own_agent.stop()
    silent = await ask("snmp", memory=memory, timeout=0.4, **own_agent.v3)
    assert silent.outcome is Outcome.FAILED
    own_agent.start()
    after = await ask("snmp", memory=memory, **own_agent.v3)
    assert after.outcome is Outcome.OK


@pytest.mark.parametrize("version", ["v2c", "v3"])
async def test_a_restart_between_two_runs_is_seen(own_agent: Snmpd, version: str) -> None:
    memory: dict[str, Any] = {}
    options = {**getattr(own_agent, version), "interfaces": ["lo"]}
    await ask("snmp", memory=memory, **options)
    # As if the last run had been a while ago: an agent's own clock is not ours to set.
    at, poll = memory["last"]
    memory["last"] = (at, type(poll)(uptime_seconds=poll.uptime_seconds + 3600, ports=poll.ports))
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
    assert "on battery, 12 minutes left" in result.evidence


async def test_a_device_without_a_battery_fails_when_one_is_asked_for(agent: Snmpd) -> None:
    result = await ask("snmp", **agent.v2c, ups=True)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.CONTENT)
    assert "no UPS-MIB" in result.evidence
    assert result.values["snmp_uptime_seconds"] >= 0


async def test_a_closed_port_is_refused_or_a_timeout(how: str) -> None:
    result = await ask("snmp", port=free_port(), timeout=0.6, **_OPTIONS[how])
    assert result.outcome is Outcome.FAILED
    assert result.reason in (Reason.REFUSED, Reason.TIMEOUT)


@pytest.mark.parametrize("garbage", [b"\xff\xff\xff", b"0\x84", b"\x30\x82\xff"])
async def test_garbage_that_makes_the_library_panic_is_a_protocol_failure(garbage: bytes, how: str) -> None:
    # gufo-snmp's Rust panics on these; pyo3's PanicException is a BaseException and would pass every `except Exception`.
    async with UdpPeer([garbage]) as peer:
        result = await ask("snmp", timeout=0.6, port=peer.port, **_OPTIONS[how])
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)


@pytest.mark.parametrize(
    "options", [{}, {"version": "3"}, {"version": "3", "user": "u", "auth_password": {"file": "x"}}, {"version": "1"}]
)
async def test_incomplete_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        await ask("snmp", **options)
