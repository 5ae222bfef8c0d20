"""The command `run`: the daemon."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from monitor.app import App, StartError
from monitor.commands.shared import SETTINGS, fail
from monitor.yamlfile import ConfigError


class JsonLines(logging.Formatter):
    """One JSON object a line, for journald and log collectors."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger, message, the incident when there is one, and the traceback."""
        entry: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if hasattr(record, "incident"):
            entry["incident"] = record.incident
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def log_to_stderr(*, as_json: bool) -> None:
    """What is logged, as JSON lines or for people."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        JsonLines() if as_json else logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # else it tells of every turn


@click.command()
@SETTINGS
@click.option("--log", "log_format", type=click.Choice(["json", "text"]), default="json", show_default=True)
@click.option("--record", type=click.Path(path_type=Path), help="Write every observation to this file, for `replay`.")
def run(path: Path, log_format: str, record: Path | None) -> None:
    """Run the daemon until it is told to stop."""
    log_to_stderr(as_json=log_format == "json")
    try:
        asyncio.run(App(path, record).run())
    except (ConfigError, StartError) as error:
        fail(error)
