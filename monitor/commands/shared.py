"""What the commands have in common: the option `--settings`, times, how they fail, and how they reach the running daemon."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import aiohttp
import click

from monitor.asking import ask
from monitor.core.model import Inventory, Target
from monitor.core.words import EN, LOCAL
from monitor.settings import load_settings
from monitor.yamlfile import ConfigError

SETTINGS = click.option(
    "--settings", "path", type=click.Path(path_type=Path), default=Path("config/settings.yaml"), show_default=True,
    help="The daemon's settings.yaml.",
)  # fmt: skip
LANGUAGE = click.option("--lang", type=click.Choice(["vi", "en"]), default="vi", show_default=True)


def moment(_: click.Context, option: click.Parameter, value: str | None) -> datetime | None:
    """A time in ISO 8601, of Viet Nam where it names no zone."""
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError as error:
        wrong = f"{value!r} is no time such as 2026-11-24T20:38 or 2026-11-24T13:38:40Z"
        raise click.BadParameter(wrong, param=option) from error
    return at if at.tzinfo else at.replace(tzinfo=LOCAL)


def fail(message: object) -> NoReturn:
    """Say it and end the command."""
    click.echo(str(message), err=True)
    sys.exit(1)


def told_at(text: str) -> str:
    """A time of the API, as people read it."""
    return EN.moment(datetime.fromisoformat(text))


def find_target(inventory: Inventory, name: str) -> Target:
    """The target of that name; ends the command when there is none."""
    found = inventory.targets.get(name)
    if found is None:
        near = [each for each in inventory.targets if name in each][:8]
        fail(f"no target {name!r} in the inventory{'; did you mean: ' + ', '.join(near) if near else ''}")
    return found


async def _get(path: Path, route: str) -> Any:
    settings = load_settings(path, None)  # not the inventory: a mistake in it must not hide what the daemon holds
    host, _, port = settings.listen.rpartition(":")
    host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104  a look at our own daemon
    async with aiohttp.ClientSession() as session, session.get(f"http://{host}:{port}{route}") as response:
        return await response.json()


def ask_daemon(path: Path, route: str) -> Any:
    """What the daemon's API answers; ends the command when no daemon does."""
    try:
        return asyncio.run(_get(path, route))
    except ConfigError as error:
        fail(error)
    except (OSError, aiohttp.ClientError) as error:
        _no_answer(error, path)


def _no_answer(error: OSError | aiohttp.ClientError, path: Path) -> NoReturn:
    """The kernel's own word instead of the library's sentence around it, where there is one."""
    why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
    fail(f"no daemon answers: {why}; is it running with these settings ({path})? --settings names others")


def tell_daemon(path: Path, method: str, route: str, body: object = None) -> str:
    """What the daemon answers on its control socket; ends the command when it refuses."""
    try:
        settings = load_settings(path, None)  # the daemon reads the rest, and notes when it is bad
        code, text = asyncio.run(ask(settings.path(settings.control), method, route, body))
    except ConfigError as error:
        fail(error)
    except (OSError, aiohttp.ClientError) as error:
        _no_answer(error, path)
    if code != 200:
        fail(text.rstrip())
    return text.rstrip()
