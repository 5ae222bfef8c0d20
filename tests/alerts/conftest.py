"""Real mail servers on loopback."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from alerts.mailer import Relay
from lab.certificates import Authority
from lab.sink import Sink, Taken

LOGIN = ("canh-bao", "mật khẩu dài")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The province's certificate authority."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def certificate(authority: Authority) -> tuple[Path, Path]:
    """Certificate and key of 127.0.0.1."""
    return authority.issue("sink", ["127.0.0.1"])


MakeSink = Callable[..., Sink]


@pytest.fixture
def make_sink(certificate: tuple[Path, Path]) -> Iterator[MakeSink]:
    """Starts mail servers with STARTTLS and a log-in; all end with the test."""
    sinks = []

    def make(
        port: int,
        *,
        certificate: tuple[Path, Path] | None = certificate,
        login: tuple[str, str] | None = LOGIN,
        on_mail: Callable[[Taken], None] | None = None,
    ) -> Sink:
        sink = Sink("127.0.0.1", port, certificate=certificate, login=login, on_mail=on_mail)
        sink.start()
        sinks.append(sink)
        return sink

    yield make
    for sink in sinks:
        sink.stop()


@pytest.fixture
def port() -> int:
    """Where the mail server of the test listens."""
    return free_port()


@pytest.fixture
def relay(port: int, authority: Authority) -> Relay:
    """The mail server as settings.yaml describes it."""
    return Relay(
        host="127.0.0.1", port=port, username=LOGIN[0], password=LOGIN[1], ca_pem=authority.ca.read_text(),
        timeout_seconds=5,
    )  # fmt: skip
