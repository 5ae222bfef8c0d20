"""The profiles for equipment: each against an agent of its make, simulated by snmpsim, well and in trouble."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from lab.certificates import Authority
from monitor.core.fitting import best_profiles
from monitor.core.judge import Judge
from monitor.core.model import Check, Counts, Inventory, Limit, Outcome, Reason, State
from monitor.inventory.load import load_inventory
from monitor.yamlfile import read
from probes import registry
from probes.registry import Request, Result
from tests.inventory.simulator import AGENTS, IDLE, TROUBLED, Simulator, read_table
from tests.probes.peers import LOOPBACK, assert_declared, running
from tests.probes.telling import PASSWORD, Telling

CONFIG = Path(__file__).parent.parent.parent / "config" / "inventory"
FILES = sorted(CONFIG.glob("equipment-*.yaml"))
NAMES = [name for file in FILES for name in read(file).value["profiles"]]  # type: ignore[index]
SYS_DESCR, SYS_OBJECT_ID = "1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0"
E, M = "1.3.6.1.4.1.", "1.3.6.1.2.1."
HUAWEI, CISCO, APC, POLY = f"{E}2011.5.25.31.1.1", f"{E}9.9", f"{E}318.1.1.1", f"{E}13885.101.1"


@dataclass(frozen=True)
class Case:
    """What an agent of `agents/` tells when it is well, and what is wrong with it in trouble."""

    tells: Mapping[str, float]
    trouble: Mapping[str, str] = field(default_factory=dict)
    """Type and value by OID."""
    says: frozenset[str] = frozenset()
    """Which sentences the limits then say."""
    ports: tuple[str, ...] = ()
    remarks: frozenset[str] = frozenset()
    """What those say that count for meetings alone."""
    idle: Mapping[str, str] = field(default_factory=dict)
    """Type and value by OID of a room that is in no call any more."""
    last_call: Mapping[str, float] = field(default_factory=dict)
    """What it tells of its last call, in which it was well first, and then in trouble."""


def celsius(**sensors: float) -> dict[str, float]:
    return {f'snmp_temperature_celsius{{sensor="{name}"}}': value for name, value in sensors.items()}


def alarms(**parts: float) -> dict[str, float]:
    return {f'snmp_alarms{{part="{name}"}}': value for name, value in parts.items()}


def unregistered(**at: float) -> dict[str, float]:
    return {f'room_unregistered{{at="{name}"}}': value for name, value in at.items()}


def disks(**names: float) -> dict[str, float]:
    return {f'snmp_disk_ratio{{disk="{name}"}}': value for name, value in names.items()}


CASES = {
    "mikrotik-router": Case(
        {"snmp_cpu_ratio": 0.13, "snmp_memory_ratio": 0.25, **celsius(board=31.5, processor=40.2)},
        {f"{M}25.3.3.1.2.1": "2|99", f"{M}25.3.3.1.2.2": "2|97", f"{M}25.2.3.1.6.65536": "2|260000", f"{E}14988.1.1.3.11.0": "2|781",
         f"{M}2.2.1.8.1": "2|2"},
        frozenset({"cpu", "memory", "hot", "port-down"}),
        ("ether1",),
    ),
    "mikrotik-switch": Case(
        {"snmp_cpu_ratio": 0.07, "snmp_memory_ratio": 0.25, **celsius(temperature=38)},
        {f"{E}14988.1.1.3.100.1.3.13": "2|80"},
        frozenset({"hot"}),
    ),
    "mikrotik-access-point": Case(
        {"snmp_cpu_ratio": 0.2, "snmp_wireless_clients": 17}, {f"{E}14988.1.1.1.4.0": "66|75"}, frozenset({"crowded"})
    ),
    "cisco-router": Case(
        {"snmp_cpu_ratio": 0.09, "snmp_memory_ratio": 0.3, **celsius(**{"1": 41}), **alarms(fan=0, power=0)},
        {f"{CISCO}.109.1.1.1.1.8.1": "66|96", f"{CISCO}.48.1.1.1.6.1": "66|3000", f"{CISCO}.13.1.3.1.3.1": "66|82"},
        frozenset({"cpu", "memory", "hot"}),
    ),
    "cisco-switch": Case(
        {"snmp_cpu_ratio": 0.21, "snmp_memory_ratio": 0.4, "snmp_poe_ratio": 0.3, **celsius(**{"1006": 47}),
         **alarms(fan=0, power=0)},
        {f"{CISCO}.13.1.4.1.3.1004": "2|3", f"{M}105.1.3.1.1.4.1": "66|360"},
        frozenset({"fault", "overload"}),
    ),
    "cisco-business-switch": Case(
        {"snmp_cpu_ratio": 0.11, "snmp_poe_ratio": 0.2}, {f"{E}9.6.1.101.1.9.0": "2|95"}, frozenset({"cpu"})
    ),
    "huawei-router": Case(
        {"snmp_cpu_ratio": 0.15, "snmp_memory_ratio": 0.42, **celsius(hottest=39), **alarms(fan=0)},
        {f"{HUAWEI}.1.1.5.5": "2|93", f"{HUAWEI}.1.1.7.5": "2|97", f"{HUAWEI}.1.1.11.5": "2|85", f"{HUAWEI}.10.1.7.0.0": "2|2"},
        frozenset({"cpu", "memory", "hot", "fault"}),
    ),
    "huawei-switch": Case(
        {"snmp_cpu_ratio": 0.18, "snmp_memory_ratio": 0.33, **celsius(hottest=44), **alarms(fan=0)},
        {f"{HUAWEI}.1.1.11.67108873": "2|80"},
        frozenset({"hot"}),
    ),
    "hpe-switch": Case(
        {"snmp_cpu_ratio": 0.08, "snmp_memory_ratio": 0.5, "snmp_poe_ratio": 0.4, **alarms(sensors=0)},
        {f"{E}11.2.14.11.1.2.6.1.4.2": "2|2", f"{E}11.2.14.11.5.1.9.6.1.0": "2|99"},
        frozenset({"fault", "cpu"}),
    ),
    "aruba-cx-switch": Case(
        {"snmp_cpu_ratio": 0.14, "snmp_memory_ratio": 0.36, "snmp_poe_ratio": 0, **celsius(hottest=45.25)},
        {f"{E}47196.4.1.1.3.11.3.1.1.7.1.1.2": "2|81000", f"{M}105.1.3.1.1.4.1": "66|350"},
        frozenset({"hot", "overload"}),
    ),
    "hpe-comware-switch": Case(
        {"snmp_cpu_ratio": 0.23, "snmp_memory_ratio": 0.61, **celsius(hottest=43)},
        {f"{E}25506.2.6.1.1.1.1.8.212": "2|98"},
        frozenset({"memory"}),
    ),
    "aruba-access-point": Case(
        {"snmp_cpu_ratio": 0.31, "snmp_memory_ratio": 0.5, "snmp_wireless_clients": 3},
        {f"{E}14823.2.3.3.1.2.4.1.1.0.36.108.{row}.1.2": "4|x" for row in range(50, 210)},
        frozenset({"crowded"}),
    ),
    "tp-link-router": Case({'snmp_if_down{ifName="wan1"}': 0}, {f"{M}2.2.1.8.1": "2|2"}, frozenset({"port-down"}), ("wan1",)),
    "tp-link-switch": Case(
        {"snmp_cpu_ratio": 0.17, "snmp_memory_ratio": 0.55}, {f"{E}11863.6.4.1.1.1.1.3.1": "2|98"}, frozenset({"cpu"})
    ),
    "draytek-router": Case(
        {'snmp_if_down{ifName="WAN1"}': 0},
        {f"{M}2.2.1.8.2": "2|2"},
        frozenset({"port-down"}),
        ("WAN1",),
    ),
    "ubiquiti-access-point": Case(
        {"snmp_wireless_clients": 15}, {f"{E}41112.1.6.1.2.1.8.3": "66|70"}, frozenset({"crowded"})
    ),
    "rfc1628-ups": Case(
        {"upsOnBattery": 0, "upsBatteryLow": 0, "upsEstimatedMinutesRemaining": 47, "upsOutputPercentLoad": 35, "upsBatteryTemperature": 27},
        {f"{M}33.1.4.1.0": "2|5", f"{M}33.1.2.1.0": "2|3", f"{M}33.1.4.4.1.5.1": "2|97", f"{M}33.1.2.7.0": "2|51"},
        frozenset({"on-battery", "low-battery", "overload", "hot"}),
    ),
    "apc-ups": Case(
        {"upsOnBattery": 0, "upsBatteryLow": 0, "upsReplaceBattery": 0, "upsEstimatedChargeRemaining": 100,
         "upsEstimatedMinutesRemaining": 47, "upsBatteryTemperature": 28, "upsOutputPercentLoad": 22},
        {f"{APC}.4.1.1.0": "2|3", f"{APC}.2.1.1.0": "2|3", f"{APC}.2.2.4.0": "2|2", f"{APC}.4.2.3.0": "66|95", f"{APC}.2.2.2.0": "66|49"},
        frozenset({"on-battery", "low-battery", "replace-battery", "overload", "hot"}),
    ),
    "printer": Case(
        {'snmp_supply_ratio{supply="Black Cartridge"}': 0.62, 'snmp_supply_ratio{supply="Cyan Cartridge"}': 0.2, **alarms(alerts=0)},
        {f"{M}43.11.1.1.9.1.1": "2|4", f"{M}43.18.1.1.2.1.9": "2|3"},
        frozenset({"supply", "fault"}),
    ),
    "windows-server": Case(
        {"snmp_cpu_ratio": 0.2, "snmp_memory_ratio": 0.5, **disks(**{r"C:\\ Label:System Serial Number 1a2b3c4d": 0.4})},
        {f"{M}25.2.3.1.6.1": "2|950000", f"{M}25.2.3.1.6.4": "2|159000", f"{M}25.3.3.1.2.1": "2|100", f"{M}25.3.3.1.2.2": "2|99"},
        frozenset({"cpu", "memory", "disk"}),
    ),
    "linux-server": Case(
        {"snmp_cpu_ratio": 0.05, "snmp_memory_ratio": 0.4, **disks(**{"/": 0.45, "/home": 0.1})},
        {f"{M}25.2.3.1.6.36": "2|49000000"},
        frozenset({"disk"}),
    ),
    "poly-room": Case(
        {"room_calls": 1, "room_loss_ratio": 0.01, "room_camera_faults": 0, "room_microphone_faults": 0,
         **unregistered(h323=0, sip=0)},
        {f"{POLY}.3.6.1.0": "2|3", f"{POLY}.3.5.1.0": "2|3", f"{POLY}.2.7.2.0": "2|3", f"{POLY}.4.1.1.16.1": "66|9"},
        frozenset({"loss"}),
        remarks=frozenset({"no-camera", "no-microphone", "unregistered"}),
        idle={f"{POLY}.5.1.0": "66|0"},
        last_call={"loss_ratio": 0.05, "worst_loss_ratio": 0.09},
    ),
    "cisco-telepresence-room": Case(
        {"room_calls": 1, "room_loss_ratio": 0.005, "room_call_loss_ratio": 0.004, "room_jitter_seconds": 0.004, "room_camera_faults": 0,
         "room_microphone_faults": 0, **alarms(display=0), **unregistered(**{"call-manager": 0})},
        {f"{CISCO}.643.1.2.1.1.3.2": "2|2", f"{CISCO}.644.1.2.6.1.4.1": "2|6", f"{CISCO}.644.1.4.10.1.14.8.2.2": "66|5000000",
         f"{CISCO}.644.1.4.10.1.12.8.1.2": "70|140000", f"{CISCO}.644.1.4.10.1.13.8.1.2": "70|10000", f"{CISCO}.644.1.4.10.1.22.8.1.2": "70|10"},
        frozenset({"loss"}),
        remarks=frozenset({"no-camera", "unregistered"}),
        idle={f"{CISCO}.644.1.4.8.1.11.8": "2|14", f"{CISCO}.644.1.4.10.1.10.8.1.2": "2|2", f"{CISCO}.644.1.4.10.1.10.8.2.2": "2|2"},
        # 10,000 of 150,000 packets, and none of 50,000.
        last_call={"loss_ratio": 0.05, "worst_loss_ratio": 0.05, "jitter_seconds": 0.007, "worst_jitter_seconds": 0.010},
    ),
    "poly-bridge": Case({**alarms(status=0)}, {f"{E}13885.9.1.1.1.1.0": "2|3"}, frozenset({"fault"})),
}  # fmt: skip

WITHOUT_SNMP = {
    "cisco-bridge": (f"{E}9.1.1541", "Cisco TelePresence MCU 5320"),
    "cisco-room": (f"{E}5596.150.6.4.1", "TANDBERG Codec"),
    "huawei-room": ("", "Huawei TE40"),
    "yealink-room": (f"{E}37459.1", ""),
    "aver-room": (f"{E}50053", ""),
    "hikvision-camera": (f"{E}39165.1", ""),
    "dahua-camera": (f"{E}1004849.3.2.10", ""),
    "axis-camera": (f"{E}368.4.1", "AXIS P3245-LV Network Camera"),
}


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    troubles = {name: case.trouble for name, case in CASES.items()}
    idle = {name: case.idle for name, case in CASES.items() if case.idle}
    server = Simulator(tmp_path_factory.mktemp("snmpsim"), troubles, idle)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    """One site that has a device of each profile."""
    folder = tmp_path_factory.mktemp("inventory")
    for file in (*FILES, CONFIG / "profiles.yaml"):
        (folder / file.name).write_bytes(file.read_bytes())
    devices = "".join(
        f"      {name}: {{profile: {name}, address: 10.1.1.{row}}}\n" for row, name in enumerate(NAMES, 2)
    )
    gateway = "      gateway: {profile: gateway, address: 10.1.1.1, vantage: true}\n"
    text = f"sites:\n  - id: a\n    name: A\n    devices:\n{gateway}{devices}"
    (folder / "site.yaml").write_text(text, encoding="utf-8")
    return load_inventory(folder, lambda _where, name: name)


def snmp_check(inventory: Inventory, profile: str) -> Check:
    return next(each for each in inventory.targets[f"a/{profile}"].checks if each.probe == "snmp")


async def poll(
    check: Check, community: str, port: int, ports: tuple[str, ...], memory: dict[str, Any] | None = None
) -> Result:
    changes: dict[str, Any] = {"community": SecretStr(community), "port": port, "interfaces": list(ports)}
    options = check.options.model_copy(update=changes)  # type: ignore[attr-defined]
    kind = registry.load()["snmp"]
    request = Request(address=LOOPBACK, options=options, timeout_seconds=10.0, memory={} if memory is None else memory)
    result, _ = await registry.run_once(kind, request)
    assert_declared(kind, result)
    return result


def broken(check: Check, result: Result) -> tuple[frozenset[str], frozenset[str]]:
    """What the limits of the check say, each held alone, when it goes on like this, and what those that count for meetings alone."""
    start = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
    said, remarks = set(), set()
    for limit in check.limits:
        judge, alone = Judge(), replace(check, limits=(limit,))
        judge.adopt({alone.id: alone}, start)
        for run in range(1, 21):
            seen = registry.observe(alone, result, 0.1)
            change, _ = judge.observe(replace_at(seen, start + timedelta(seconds=run * check.interval_seconds)))
            if change is not None and change.new is State.DEGRADED:
                said.add(change.says)
        remarks |= set(judge.remarks(alone.target, meeting=False))
    return frozenset(said), frozenset(remarks)


def replace_at(seen: Any, at: datetime) -> Any:
    return seen._replace(at=at)


def test_every_agent_has_a_profile_and_every_profile_that_asks_by_snmp_and_fits_something_an_agent(
    inventory: Inventory,
) -> None:
    by_snmp = {
        name
        for name in NAMES
        if inventory.profiles[name].object_ids
        and any(each.probe == "snmp" for each in inventory.targets[f"a/{name}"].checks)
    }
    assert {path.stem for path in AGENTS.glob("*.snmprec")} == set(CASES) == by_snmp


@pytest.mark.parametrize("name", CASES)
async def test_a_profile_reads_its_equipment_and_finds_it_well(
    name: str, simulator: Simulator, inventory: Inventory
) -> None:
    check = snmp_check(inventory, name)
    result = await poll(check, name, simulator.port, CASES[name].ports)
    assert (result.outcome, result.reason) == (Outcome.OK, Reason.OK), result.evidence
    extra = {key for key in result.values if key.startswith("snmp_") and not key.startswith("snmp_if_")} - {
        "snmp_uptime_seconds",
        "snmp_rebooted",
    }
    assert {key: result.values.get(key) for key in CASES[name].tells} == pytest.approx(dict(CASES[name].tells))
    assert extra <= set(CASES[name].tells)
    assert broken(check, result) == (frozenset(), frozenset())


@pytest.mark.parametrize("name", CASES)
async def test_equipment_in_trouble_is_degraded_and_says_of_what(
    name: str, simulator: Simulator, inventory: Inventory
) -> None:
    check = snmp_check(inventory, name)
    result = await poll(check, f"{name}{TROUBLED}", simulator.port, CASES[name].ports)
    assert result.outcome is Outcome.OK, result.evidence
    assert broken(check, result) == (CASES[name].says, CASES[name].remarks)


LAST_CALL = Limit(
    value="room_last_call_loss_ratio", above=0.03, clear=0.01, confirm=1, says="last-call", counts=Counts.MEETINGS
)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.idle])
async def test_a_room_s_last_call_is_told_when_it_is_over(
    name: str, simulator: Simulator, inventory: Inventory
) -> None:
    memory: dict[str, Any] = {}
    told = []
    for how in (IDLE, "", TROUBLED, IDLE):
        result = await poll(snmp_check(inventory, name), f"{name}{how}", simulator.port, (), memory)
        told.append(
            {key.removeprefix("room_last_call_"): each for key, each in result.values.items() if "last_call" in key}
        )
    assert told[:3] == [{}, {}, {}]
    assert told[3].pop("ended_timestamp_seconds") >= told[3].pop("began_timestamp_seconds")
    assert told[3] == pytest.approx(dict(CASES[name].last_call))
    assert "last call " in result.evidence
    check = replace(snmp_check(inventory, name), limits=(LAST_CALL,))
    assert broken(check, result) == (frozenset(), frozenset({"last-call"}))


@pytest.mark.parametrize("name", CASES)
def test_equipment_is_recognised_as_what_it_is_and_as_nothing_else(name: str, inventory: Inventory) -> None:
    table = read_table(AGENTS / f"{name}.snmprec")
    object_id, description = (table[each].partition("|")[2] for each in (SYS_OBJECT_ID, SYS_DESCR))
    found = best_profiles(inventory.profiles.values(), object_id=object_id, description=description)
    assert found == (name,)


@pytest.mark.parametrize("name", WITHOUT_SNMP)
def test_what_is_not_asked_by_snmp_is_recognised_too(name: str, inventory: Inventory) -> None:
    object_id, description = WITHOUT_SNMP[name]
    found = best_profiles(inventory.profiles.values(), object_id=object_id, description=description)
    assert found == (name,)


TELLING = {
    "cisco.example": ("cisco-room-api", set(), set()),
    "trouble.example": (
        "cisco-room-api", {"loss"}, {"muted", "last-call", "no-camera", "no-microphone", "unregistered", "fault"},
    ),
    "poly.example": ("poly-room-api", set(), set()),
    "poly-trouble.example": ("poly-room-api", {"loss"}, {"muted", "no-camera", "no-microphone", "unregistered"}),
}  # fmt: skip
"""Profile, and what its limits say, of rooms that tell of themselves over HTTPS."""


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Telling]:
    folder = tmp_path_factory.mktemp("telling")
    yield from running(Telling(folder, Authority(folder)))


@pytest.fixture(scope="module")
def rooms(telling: Telling, tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    """One site with all of them, by the profiles of the example."""
    folder = tmp_path_factory.mktemp("rooms")
    for name in ("equipment-rooms.yaml", "profiles.yaml"):
        (folder / name).write_bytes((CONFIG / name).read_bytes())
    example = (CONFIG.parent / "examples" / "telling-rooms.yaml").read_text(encoding="utf-8")
    (folder / "telling.yaml").write_text(example.partition("\nsites:")[0], encoding="utf-8")
    devices = "".join(
        f"      {name.replace('.', '-')}:\n        profile: {profile}\n        address: 10.1.1.{row}\n        label: {{vi: {name}, en: {name}}}\n"
        f"        options: {{status: {{server_name: {name}, ca: {{file: ca}}, port: {telling.port}}}}}\n"
        for row, (name, (profile, _, _)) in enumerate(TELLING.items(), 2)
    )
    gateway = "      gateway: {profile: gateway, address: 10.1.1.1, vantage: true}\n"
    (folder / "site.yaml").write_text(
        f"sites:\n  - id: a\n    name: A\n    devices:\n{gateway}{devices}", encoding="utf-8"
    )
    secrets = {"ca": telling.ca["file"], "room-password": PASSWORD}
    return load_inventory(folder, lambda _where, name: secrets.get(name, name))


@pytest.mark.parametrize("name", TELLING)
async def test_a_room_that_tells_of_itself_over_https_is_judged_as_one_that_does_by_snmp(
    name: str, rooms: Inventory
) -> None:
    check = next(each for each in rooms.targets[f"a/{name.replace('.', '-')}"].checks if each.probe == "room-api")
    kind = registry.load()["room-api"]
    result, _ = await registry.run_once(kind, Request(address=LOOPBACK, options=check.options, timeout_seconds=10.0))
    assert result.outcome is Outcome.OK, result.evidence
    assert broken(check, result) == TELLING[name][1:]


@pytest.mark.parametrize("name", NAMES)
def test_every_profile_has_its_names_and_an_echo(name: str, inventory: Inventory) -> None:
    target = inventory.targets[f"a/{name}"]
    assert set(target.label) == {"vi", "en"}
    assert target.checks[0].probe == "icmp"
    assert all(limit.says != "limit" for check in target.checks for limit in check.limits), "a sentence for each limit"
