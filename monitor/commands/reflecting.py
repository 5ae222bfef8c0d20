"""The command `reflect`: the far end of media tests, on a host beside a room or at the centre. It needs no settings."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import signal
from pathlib import Path

import click

from monitor.commands.running import log_to_stderr
from monitor.commands.shared import fail
from probes.engine.reflector import A_SECOND, A_SECOND_IN_ALL, PORT, Network, Reflector
from probes.engine.stamp_sender import LEAST_KEY


def _place(_: click.Context, option: click.Parameter, values: tuple[str, ...]) -> list[tuple[str, int]]:
    places = []
    for value in values:
        host, port = value.rpartition(":")[::2]
        try:
            places.append((str(ipaddress.ip_address(host.strip("[]"))), int(port)))
        except ValueError as error:
            wrong = f"{value!r} is no address and port, such as 0.0.0.0:{PORT} or [::]:{PORT}"
            raise click.BadParameter(wrong, param=option) from error
    return places


def _networks(_: click.Context, option: click.Parameter, values: tuple[str, ...]) -> list[Network]:
    try:
        return [ipaddress.ip_network(each) for each in values]
    except ValueError as error:
        raise click.BadParameter(f"{error}: write such as 10.69.0.2/32", param=option) from error


def _key(path: Path) -> bytes:
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        fail(f"{path}: {os.strerror(error.errno or 0)}")
    if len(key) < LEAST_KEY:
        fail(f"{path}: a key has at least {LEAST_KEY} characters: openssl rand -hex 32")
    return key


async def _reflect(reflector: Reflector) -> None:
    """Until SIGTERM or SIGINT, which shall find the last counts in the log."""
    task = asyncio.ensure_future(reflector.run())
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, task.cancel)
    await asyncio.gather(task, return_exceptions=True)


@click.command()
@click.option(
    "--listen", multiple=True, default=[f"0.0.0.0:{PORT}"], show_default=True, callback=_place, metavar="ADDR:PORT",
    help="Where to answer; again for IPv6.",
)  # fmt: skip
@click.option(
    "--key-file", "key_files", multiple=True, type=click.Path(path_type=Path),
    help="File with the key that test packets are signed with; again for the next one, while keys are changed.",
)  # fmt: skip
@click.option(
    "--unsigned-from", multiple=True, callback=_networks, metavar="NETWORK",
    help="Instead of a key: answer what is not signed, from this network alone; again for more.",
)  # fmt: skip
@click.option(
    "--rate", type=click.FloatRange(1, 1e6), default=A_SECOND, show_default=True, help="Packets a second of one source."
)
@click.option(
    "--rate-in-all", type=click.FloatRange(1, 1e6), default=A_SECOND_IN_ALL, show_default=True, help="Packets a second of all together.",
)  # fmt: skip
@click.option("--log", "log_format", type=click.Choice(["json", "text"]), default="json", show_default=True)
def reflect(
    listen: list[tuple[str, int]],
    key_files: tuple[Path, ...],
    unsigned_from: list[Network],
    rate: float,
    rate_in_all: float,
    log_format: str,
) -> None:
    """Send the test packets of `media` and `path` back, until told to stop."""
    if bool(key_files) == bool(unsigned_from):
        fail("say either --key-file, or --unsigned-from with the networks that may ask without a key")
    log_to_stderr(as_json=log_format == "json")
    keys = [_key(each) for each in key_files]
    try:
        reflector = Reflector(listen, keys, unsigned_from, a_second=rate, a_second_in_all=rate_in_all)
    except OSError as error:
        fail(f"cannot listen: {os.strerror(error.errno or 0)}")
    asyncio.run(_reflect(reflector))
