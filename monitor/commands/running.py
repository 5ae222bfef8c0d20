"""Commands that run something: the daemon, and the simulated province."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from lab import demo as lab_demo
from lab.scenarios import SCENARIOS
from monitor.app import App, StartError
from monitor.commands.shared import SETTINGS, fail, tell_daemon
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


def _log_to_stderr(*, as_json: bool) -> None:
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
    _log_to_stderr(as_json=log_format == "json")
    try:
        asyncio.run(App(path, record).run())
    except (ConfigError, StartError) as error:
        fail(error)


@click.command()
@SETTINGS
def reload(path: Path) -> None:
    """Let the running daemon take over the files on disk; a mistake changes nothing and is told."""
    click.echo(tell_daemon(path, "POST", "/-/reload"))


@click.command()
@click.option("--scenario", type=click.Choice(list(SCENARIOS)), help="Run one scenario unattended.")
@click.option("--report", type=click.Path(path_type=Path), help="Write what happened as JSON.")
@click.option("--duration", type=float, help="Seconds that the fault (or the quiet) lasts.")
@click.option("--config", type=click.Path(path_type=Path, exists=True), default=Path("config"), show_default=True)
def demo(scenario: str | None, report: Path | None, duration: float | None, config: Path) -> None:
    """Raise the simulated province on this machine, watch it, and break something."""
    sys.exit(lab_demo.main(scenario, report, duration, config))
