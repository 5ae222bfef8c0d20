"""Traps of net-snmp's snmptrap: what they make be looked at, and what a flood of them cannot."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from monitor import traps
from monitor.core.model import Check, Inventory, Role, State, Target
from monitor.traps import TrapListener, TrapUser, counted
from probes.registry import Options
from probes.wire import mib, usm
from tests.monitor.daemon import Daemon, daemon
from tests.probes.peers import COMMUNITY, LOOPBACK, Snmpd, eventually, free_port, program
from tests.probes.peers import UPS as UPS_MIB

ON_BATTERY = "1.3.6.1.2.1.33.2.1"
LINK_DOWN = "1.3.6.1.6.3.1.1.5.3"
USER = TrapUser(name="sender", auth="sha256", auth_password="trap-auth-password", privacy_password="trap-priv-password")
V2C = ("-v2c", "-c", COMMUNITY)
V3 = (
    "-v3", "-u", USER.name, "-l", "authPriv", "-a", "SHA-256", "-A", USER.auth_password, "-x", "AES", "-X",
    USER.privacy_password,
)  # fmt: skip


def device(address: str, name: str = "ups", role: Role = Role.DEVICE) -> Target:
    check = Check(
        id=f"a/{name}#battery", target=f"a/{name}", name="battery", probe="snmp", address=address, options=Options(),
        interval_seconds=3600, timeout_seconds=5, confirm=1, when_failed=State.DEGRADED,
    )  # fmt: skip
    return Target(id=f"a/{name}", site="a", name=name, role=role, kind="ups", address=address, checks=(check,))


def inventory(*targets: Target) -> Inventory:
    return Inventory(sites={}, targets={each.id: each for each in targets}, providers={})


class Heard(TrapListener):
    """A listener on loopback that notes what it would have run."""

    def __init__(self, community: str = COMMUNITY, *targets: Target) -> None:
        self.asked: list[tuple[str, float]] = []
        super().__init__(community, [USER], lambda check, delay: self.asked.append((check, delay)))
        self.port = free_port(socket.SOCK_DGRAM)
        self.adopt(inventory(*(targets or (device(LOOPBACK),))))


@asynccontextmanager
async def listening(listener: Heard, host: str = LOOPBACK) -> AsyncIterator[Heard]:
    listener.listen(host, listener.port)
    task = asyncio.ensure_future(listener.run())
    try:
        yield listener
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def send(tmp_path: Path) -> Callable[..., Any]:
    """snmptrap; the last argument is the trap, those before are options."""

    async def run(port: int, *options: str, trap: str = ON_BATTERY, to: str = LOOPBACK) -> int:
        what = ("", trap) if "-v1" not in options else trap.split()
        process = await asyncio.create_subprocess_exec(
            program("snmptrap"), "-m", "", "-r", "1", "-t", "2", *options, f"{to}:{port}", *what,
            env={**os.environ, "SNMP_PERSISTENT_DIR": str(tmp_path), "MIBS": ""},
        )  # fmt: skip
        return await process.wait()

    return run


@pytest.mark.parametrize(
    ("options", "trap", "kind"),
    [
        (V2C, "1.3.6.1.6.3.1.1.5.1", "coldStart"),
        (V2C, "1.3.6.1.6.3.1.1.5.2", "warmStart"),
        (V2C, LINK_DOWN, "linkDown"),
        (V2C, "1.3.6.1.6.3.1.1.5.4", "linkUp"),
        (V2C, ON_BATTERY, "upsTrapOnBattery"),
        (V2C, "1.3.6.1.4.1.318.0.5", "upsOnBattery"),
        ((*V2C, "-Ci"), ON_BATTERY, "upsTrapOnBattery"),
        (("-v1", "-c", COMMUNITY), "1.3.6.1.2.1.33.2 127.0.0.1 6 1 1", "upsTrapOnBattery"),
        (("-v1", "-c", COMMUNITY), "1.3.6.1.4.1.1 127.0.0.1 2 0 1", "linkDown"),
        ((*V3, "-e", "0x8000000001020304"), ON_BATTERY, "upsTrapOnBattery"),
        ((*V3, "-Ci"), ON_BATTERY, "upsTrapOnBattery"),
    ],
)
async def test_a_trap_or_inform_of_any_version_makes_the_device_be_looked_at_at_once(
    options: tuple[str, ...], trap: str, kind: str, send: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with listening(Heard()) as listener:
        assert await send(listener.port, *options, trap=trap) == 0, "an inform is answered, else snmptrap ends with 1"
        await eventually("the device is looked at", lambda: bool(listener.asked))
        assert listener.asked == [("a/ups#battery", 0.0)]
        assert listener.counts == {(kind, "looked"): 1}
    (line,) = [each.getMessage() for each in caplog.records if each.name == traps.__name__]
    assert line == f"trap {kind if kind != 'other' else trap} from 127.0.0.1 (a/ups): looked"


async def test_a_device_of_ipv6_and_one_of_ipv4_are_heard_on_one_socket(send: Callable[..., Any]) -> None:
    async with listening(Heard(COMMUNITY, device(LOOPBACK), device("::1", "six")), "::") as listener:
        await send(listener.port, *V2C)
        await send(listener.port, *V2C, to="udp6:[::1]")
        await eventually("both are looked at", lambda: len(listener.asked) == 2)
    assert {check for check, _ in listener.asked} == {"a/ups#battery", "a/six#battery"}


@pytest.mark.parametrize(
    "options",
    [
        ("-v2c", "-c", "wrong"),
        ("-v3", "-u", "nobody", *V3[3:], "-e", "0x8000000001020304"),
        (*V3[:8], "wrong-password", *V3[9:], "-e", "0x8000000001020304"),
        ("-v3", "-u", USER.name, "-l", "noAuthNoPriv", "-e", "0x8000000001020304"),
        (*V3[:4], "authNoPriv", *V3[5:9], "-e", "0x8000000001020304"),
    ],
    ids=["community", "user", "password", "no authentication", "no privacy"],
)
async def test_a_trap_of_somebody_else_is_only_counted(options: tuple[str, ...], send: Callable[..., Any]) -> None:
    async with listening(Heard()) as listener:
        await send(listener.port, *options)
        await eventually("it came", lambda: bool(listener.counts))
        assert listener.counts == {("unread", "refused"): 1}
        assert listener.asked == []
        await send(listener.port, *V2C)
        await eventually("the next one is heard", lambda: bool(listener.asked))


async def test_without_a_community_nothing_of_version_2_is_taken(send: Callable[..., Any]) -> None:
    async with listening(Heard("")) as listener:
        for community in ("public", "traps", ""):
            await send(listener.port, "-v2c", "-c", community)
        await eventually("they came", lambda: listener.counts["unread", "refused"] == 3)
        assert listener.asked == []


async def test_a_trap_from_an_address_without_a_device_is_not_even_read(send: Callable[..., Any]) -> None:
    service = device(LOOPBACK, "portal", Role.SERVICE)
    async with listening(Heard(COMMUNITY, device("192.0.2.1"), service)) as listener:
        await send(listener.port, *V2C)
        await eventually("it came", lambda: bool(listener.counts))
        assert listener.counts == {("unread", "unknown"): 1}
        assert listener.asked == []
        listener.adopt(inventory(device(LOOPBACK)))
        await send(listener.port, *V2C)
        await eventually("it is known after a reload", lambda: bool(listener.asked))


async def test_a_failed_log_in_is_counted_and_no_reason_to_ask(send: Callable[..., Any]) -> None:
    async with listening(Heard()) as listener:
        await send(listener.port, *V2C, trap="1.3.6.1.6.3.1.1.5.5")
        await eventually("it came", lambda: bool(listener.counts))
        assert listener.counts == {("authenticationFailure", "counted"): 1}
        assert listener.asked == []


async def test_more_traps_of_a_device_are_one_more_look_after_the_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traps, "PAUSE_SECONDS", 0.6)
    async with listening(Heard()) as listener:
        with sender() as one:
            for _ in range(5):
                one.sendto(plain_trap(), (LOOPBACK, listener.port))
        await eventually("the second look", lambda: len(listener.asked) == 2)
        assert listener.counts == {("linkDown", "looked"): 1, ("linkDown", "deferred"): 4}
        assert listener._sources[LOOPBACK].again is None, "and no third one"


# -- floods and garbage ----------------------------------------------------------------------------------------------


@contextmanager
def sender(address: str = LOOPBACK) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind((address, 0))
        yield one


def plain_trap(community: bytes = COMMUNITY.encode(), pad: int = 0) -> bytes:
    """linkDown of version 2c."""
    bound = bytes.fromhex("300d06082b060102010103004301003017060a2b060106030101040100") + bytes.fromhex(
        "06092b0601060301010503"
    )
    pdu = (
        b"\xa7"
        + bytes([len(bound) + 11])
        + bytes.fromhex("0201070201000201 0030".replace(" ", ""))
        + bytes([len(bound)])
        + bound
    )
    body = b"\x02\x01\x01\x04" + bytes([len(community)]) + community + pdu
    return b"\x30" + bytes([len(body)]) + body + bytes(pad)


async def test_a_flood_of_one_device_is_two_looks_and_leaves_the_loop_alone() -> None:
    worst = 0.0

    async def watch() -> None:
        nonlocal worst
        while True:
            start = time.monotonic()
            await asyncio.sleep(0.001)
            worst = max(worst, time.monotonic() - start)

    async with listening(Heard()) as listener:
        with sender() as one:
            one.connect((LOOPBACK, listener.port))
            one.send(plain_trap())  # the first one loads what pysnmp needs
            await eventually("the first is read", lambda: bool(listener.asked))
            watcher = asyncio.ensure_future(watch())
            start, cpu = time.monotonic(), time.process_time()
            sent = 0
            while time.monotonic() - start < 1:
                for _ in range(200):
                    one.send(plain_trap())
                    sent += 1
                await asyncio.sleep(0.001)
            watcher.cancel()
            cpu = time.process_time() - cpu
        read = sum(number for (kind, _), number in listener.counts.items() if kind == "linkDown")
    assert sent > 5000
    assert read <= traps.READS_OF_ONE_AT_ONCE + 4 * traps.READS_OF_ONE_A_SECOND
    assert listener.counts["unread", "dropped"] > 100
    assert len(listener.asked) == 1, "the other look comes after the pause"
    assert worst < 0.25, f"the loop stood still for {worst:.3f} s, {cpu:.2f} s of CPU"


async def test_what_the_kernel_throws_away_of_a_flood_is_counted() -> None:
    count = 20_000  # each takes half a KiB of the buffer at least
    async with listening(Heard()) as listener:
        with sender() as one:
            one.connect((LOOPBACK, listener.port))
            for _ in range(count):  # nothing is read in between: the loop waits for us
                one.send(plain_trap())
        assert counted(listener)["unread", "overflow"] > 0
        await eventually("the rest is read", lambda: sum(counted(listener).values()) == count)
    assert sum(counted(listener).values()) == count, "a closed socket has no more"


async def test_many_devices_at_once_are_looked_at_up_to_the_bound() -> None:
    count = traps.LOOKS_AT_ONCE + 60
    known = [device(f"127.1.{number // 250}.{number % 250 + 1}", f"ups-{number}") for number in range(count)]
    async with listening(Heard(COMMUNITY, *known)) as listener:
        for each in known:
            with sender(each.address) as one:
                one.sendto(plain_trap(), (LOOPBACK, listener.port))
        await eventually("all are read", lambda: sum(listener.counts.values()) == count)
        looked = listener.counts["linkDown", "looked"]
        assert traps.LOOKS_AT_ONCE <= looked < count
        assert looked + listener.counts["linkDown", "limited"] == count
        assert len(listener.asked) == looked


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\0", b"\x30\x80" * 700, b"\x30\x82\x05\xd0" * 300, bytes(range(256)) * 5, plain_trap()[:30], b"x" * 9000,
     plain_trap(b"", 0), plain_trap(pad=1600)],
    ids=range(9),
)  # fmt: skip
async def test_garbage_of_a_known_device_is_refused_and_harms_nothing(garbage: bytes) -> None:
    async with listening(Heard()) as listener:
        with sender() as one:
            one.connect((LOOPBACK, listener.port))
            one.send(garbage)
            await eventually("it came", lambda: bool(listener.counts))
            assert listener.counts == {("unread", "refused"): 1}
            one.send(plain_trap())
            await eventually("the next one is heard", lambda: bool(listener.asked))


async def test_engines_of_strangers_are_kept_up_to_a_bound(
    send: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traps, "ENGINES", 3)
    decoder = traps._Decoder("", [USER], lambda *_: None)
    for number in range(9):
        decoder._meet(b"\x80\0\0\0\1" + bytes([number]))
    assert len(decoder._engines) == 3
    async with listening(Heard()) as listener:
        for engine in (1, 2, 3, 4, 1):
            listener._sources[LOOPBACK].looked = float("-inf")
            await send(listener.port, *V3, "-e", f"0x80000000010{engine}")
        await eventually("all are heard, those that were forgotten too", lambda: listener.counts.total() == 5)
        assert ("unread", "refused") not in listener.counts


@given(some.binary(max_size=80))
def test_the_name_of_an_engine_is_read_from_anything(message: bytes) -> None:
    assert len(usm.engine_id(message)) <= 32
    assert usm.engine_id(b"\x30\x80" + message) in (b"", usm.engine_id(b"\x30\x80" + message))


def test_a_trap_of_a_vendor_is_other_whatever_its_name() -> None:
    assert mib.trap_kind("1.3.6.1.4.1.318.0.5") == "upsOnBattery"  # PowerNet-MIB defines its traps as version 1 does
    assert mib.trap_kind("1.3.6.1.2.1.43.18.2.0.1") == "printerV2Alert"
    assert mib.trap_kind("1.3.6.1.2.1.33.2.0.1") == "upsTrapOnBattery"
    assert [mib.trap_kind(each) for each in ("", "1", "1.3.6.1.4.1.9.9", "x" * 99)] == ["other"] * 4


# -- the whole daemon --------------------------------------------------------------------------------------------------

SETTINGS = """
traps:
  listen: 127.0.0.1:{port}
  community: {{file: community}}
"""

UPS = """
profiles:
  ups:
    kind: ups
    checks:
      battery:
        probe: snmp
        interval: 1h
        timeout: 5s
        when_failed: degraded
        options: {{port: {port}, community: {{file: community}}, ups: true}}
        limits: {{upsOnBattery: {{above: 0, clear: 0, confirm: 1, says: on-battery}}}}

sites:
  - id: xa-nga
    name: Xã Nga
    devices:
      ups: {{profile: ups, address: 127.0.0.2}}
"""
STATE = 'monitor_target_state{kind="ups",role="device",site="xa-nga",target="xa-nga/ups"}'


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Daemon]:
    with daemon(tmp_path) as made:
        (made.folder / "secrets" / "community").write_text(COMMUNITY)
        yield made


def settings(files: Daemon, port: int) -> None:
    files.settings.write_text(files.settings.read_text(encoding="utf-8") + SETTINGS.format(port=port), encoding="utf-8")


async def test_a_ups_on_battery_is_an_incident_at_once_though_its_turn_is_in_an_hour(
    files: Daemon, send: Callable[..., Any], tmp_path: Path
) -> None:
    mains, battery = ({f"{UPS_MIB}.4.1.0": source, f"{UPS_MIB}.2.1.0": 2, f"{UPS_MIB}.2.3.0": 40} for source in (3, 5))
    port = free_port(socket.SOCK_DGRAM)
    settings(files, port)
    agent = Snmpd(tmp_path, "ups", mains, "127.0.0.2")
    files.inventory.with_name("ups.yaml").write_text(UPS.format(port=agent.port), encoding="utf-8")
    try:
        agent.start()
        files.start()
        files.wait(lambda: files.metrics().get(STATE) == 0.0)
        looks = files.metrics()['monitor_observations_total{outcome="ok",probe="snmp"}']
        agent.stop()
        agent.objects = battery
        agent.start()
        assert files.metrics()[STATE] == 0.0, "nobody asked since"
        start = time.monotonic()
        assert await send(port, *V2C, "--clientaddr=127.0.0.2") == 0
        files.wait(lambda: files.metrics().get(STATE) == 1.0)
        assert time.monotonic() - start < 60, "an hour is far away"
        metrics = files.metrics()
        assert metrics['monitor_traps_total{kind="upsTrapOnBattery",outcome="looked"}'] == 1
        assert metrics['monitor_observations_total{outcome="ok",probe="snmp"}'] > looks
        files.wait(lambda: files.metrics().get('monitor_incidents_open{cause="power",severity="minor"}') == 1)
        assert "trap upsTrapOnBattery from 127.0.0.2 (xa-nga/ups): looked" in files.log()
        assert COMMUNITY not in files.log()
    finally:
        agent.stop()


def test_a_port_that_is_in_use_is_told_at_the_start(files: Daemon) -> None:
    with sender() as other:
        port = other.getsockname()[1]
        settings(files, port)
        said = files.fails_to_start()
    assert f"{files.settings}: traps.listen: cannot listen on 127.0.0.1:{port}: Address already in use; " in said
    assert "is snmptrapd running? Choose another port or stop what uses it (ss -lunp)" in said


def test_a_port_that_is_not_ours_to_take_is_told_at_the_start(files: Daemon) -> None:
    settings(files, 162)
    said = files.fails_to_start(rights=False)
    assert f"{files.settings}: traps.listen: cannot listen on 127.0.0.1:162: Permission denied; " in said
    assert "CAP_NET_BIND_SERVICE" in said
