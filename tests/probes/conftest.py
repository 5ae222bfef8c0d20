"""The peers as fixtures: each is started once, waited for, and ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.certificates import Authority
from lab.sink import Sink
from probes.wire import mib
from tests.probes.calls import KEY, Meet, Reflecting
from tests.probes.peers import LOOPBACK, UPS, Dnsmasq, Field, Kamailio, Nginx, Snmpd, free_port, inside, running, sensor
from tests.probes.rooms import Baresip, Linphone, Registrar, Turnserver
from tests.probes.telling import Telling


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the peers write."""
    return tmp_path_factory.mktemp("peers")


@pytest.fixture(scope="session")
def authority(folder: Path) -> Authority:
    """The authority that the probes are told to trust."""
    return Authority(folder)


@pytest.fixture(scope="session")
def nginx(folder: Path, authority: Authority) -> Iterator[Nginx]:
    for each in ("stranger", "between"):
        (folder / each).mkdir()
    between = Authority(folder / "between", above=authority, days=9)
    yield from running(Nginx(folder, authority, Authority(folder / "stranger"), between))


@pytest.fixture(scope="session")
def agent(folder: Path) -> Iterator[Snmpd]:
    """An agent without a battery."""
    yield from running(Snmpd(folder, "snmpd"))


@pytest.fixture(scope="session")
def battery(folder: Path) -> Iterator[Snmpd]:
    """A UPS on battery: the battery is low, 12 minutes and 30 % remain; it is warm, and old."""
    alarms = {"6.1.0": 2, "6.2.1.2.4": f".{UPS}.6.3.2", "6.2.1.2.7": f".{mib.UPS_ALARM_BATTERY_BAD}"}
    objects = {"2.1.0": 3, "2.2.0": 95, "2.3.0": 12, "2.4.0": 30, "2.7.0": 41, "4.1.0": 5, **alarms}
    yield from running(Snmpd(folder, "battery", {f"{UPS}.{oid}": value for oid, value in objects.items()}))


@pytest.fixture(scope="session")
def warm(folder: Path) -> Iterator[Snmpd]:
    """A switch with two temperatures, and a fan."""
    sensors = sensor(1001, "inlet", 315) | sensor(1002, "fan", 38000, kind=10) | sensor(1005, "CPU", 624)
    yield from running(Snmpd(folder, "warm", sensors))


@pytest.fixture
def own_agent(tmp_path: Path) -> Iterator[Snmpd]:
    """An agent that the test may restart."""
    yield from running(Snmpd(tmp_path, "own"))


@pytest.fixture(scope="session")
def kamailio(folder: Path) -> Iterator[Kamailio]:
    yield from running(Kamailio(folder))


@pytest.fixture(scope="session")
def registrar(folder: Path, authority: Authority) -> Iterator[Registrar]:
    yield from running(Registrar(folder, authority))


@pytest.fixture(scope="session")
def registrar_sha256(folder: Path, authority: Authority) -> Iterator[Registrar]:
    """A registrar whose challenges are SHA-256 (RFC 8760)."""
    yield from running(Registrar(folder, authority, "SHA-256"))


@pytest.fixture(scope="session")
def room(folder: Path, registrar: Registrar) -> Iterator[Baresip]:
    """A room that is registered."""
    yield from running(Baresip(folder, registrar))


@pytest.fixture(scope="session")
def linphone(folder: Path, registrar_sha256: Registrar) -> Iterator[Linphone]:
    """A room of another make, registered by SHA-256."""
    yield from running(Linphone(folder, registrar_sha256, "room5"))


@pytest.fixture(scope="session")
def coturn(folder: Path, authority: Authority) -> Iterator[Turnserver]:
    yield from running(Turnserver(folder, authority))


@pytest.fixture(scope="session")
def dnsmasq(folder: Path) -> Iterator[Dnsmasq]:
    yield from running(Dnsmasq(folder))


@pytest.fixture(scope="session")
def reflecting(folder: Path) -> Iterator[Reflecting]:
    """A reflector on loopback."""
    key = folder / "reflector-key"
    key.write_text(f"{KEY}\n")
    yield from running(Reflecting(folder, free_port(), "--key-file", str(key)))


@pytest.fixture(scope="session")
def meet(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Meet]:
    """A room in the browser."""
    yield from running(Meet(tmp_path_factory.mktemp("meet"), authority))


@pytest.fixture(scope="session")
def mail_port(authority: Authority) -> Iterator[int]:
    """A mail server with STARTTLS; its certificate is for mail.example."""
    yield from _sink(authority.issue("mail", ["mail.example"]))


@pytest.fixture(scope="session")
def plain_mail_port() -> Iterator[int]:
    """A mail server without STARTTLS."""
    yield from _sink(None)


def _sink(certificate: tuple[Path, Path] | None) -> Iterator[int]:
    port = free_port()
    sink = Sink(LOOPBACK, port, certificate=certificate)
    sink.start()  # returns when it listens
    try:
        yield port
    finally:
        sink.stop()


@pytest.fixture(scope="session")
def namespaces() -> Iterator[Field]:
    made = Field()
    try:
        made.make()
        yield made
    finally:
        made.end()


@pytest.fixture
def field(namespaces: Field) -> Iterator[Field]:
    """The test runs in the near namespace; faults of the test before are mended."""
    namespaces.mend()
    with inside(namespaces.near):
        yield namespaces


@pytest.fixture(scope="session")
def telling(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Telling]:
    """Rooms that tell of themselves over HTTPS."""
    yield from running(Telling(tmp_path_factory.mktemp("telling"), authority))
