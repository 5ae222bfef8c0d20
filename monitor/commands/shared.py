"""What all commands take and do alike."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import click

SETTINGS = click.option(
    "--settings", "path", type=click.Path(path_type=Path), default=Path("config/settings.yaml"), show_default=True,
    help="The daemon's settings.yaml.",
)  # fmt: skip


def fail(message: object) -> NoReturn:
    """End the command with a message on standard error."""
    click.echo(str(message), err=True)
    sys.exit(1)
